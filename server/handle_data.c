/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Handlers of stored data.
 *
 * DESIGN. An upload streams to the store as it arrives. A body whose digest is stored
 * already is not written again: a client that asked first (Expect: 100-continue) is
 * answered at once, any other body is read and thrown away. A Content-Range that does not
 * reach the end leaves the part for the next one. A JSON body is no data but the path of a
 * file to register.
 */
#include "server/handle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/array.h"
#include "proto/jsonload.h"
#include "server/accept.h"
#include "server/routes.h"

enum { ORDER_MAX = 16384 }; /* bytes of a JSON body */

/* The state of one upload request. */
struct receiving {
    struct tg_upload *upload;    /* NULL: already stored, or an order */
    struct tg_data_row row;      /* what is stored already */
    uint64_t first, last, total; /* of Content-Range */
    bool ranged;
    bool is_order;               /* to register a file */
    struct tg_buf order;         /* its JSON */
};

static json_t *data_json(const struct tg_data_row *row)
{
    return json_pack("{s:s, s:I, s:f, s:s, s:o, s:o, s:s*}", "sha256", row->sha256,
                     "bytes", (json_int_t)row->bytes, "created", row->created, "format",
                     row->format, "members", tg_json_load(row->members), "href",
                     json_sprintf("/v1/data/%s", row->sha256), "path",
                     *row->path ? row->path : NULL);
}

static enum tg_err answer_data(struct tg_response *response, int status,
                               const struct tg_data_row *row)
{
    tg_response_header(response, "Location", "/v1/data/%s", row->sha256);
    tg_response_header(response, "ETag", "\"%s\"", row->sha256);
    return tg_answer_json(response, status, data_json(row));
}

static enum tg_err check_digest(const char *sha256, struct tg_report *report)
{
    if (tg_sha256_is_hex(sha256))
        return TG_OK;
    return tg_fault_add(report, TG_BAD_REQUEST, NULL,
                        "Data is named by its SHA-256: 64 lower-case hex digits.");
}

static void tell_offset(const struct tg_request *request, struct tg_response *response)
{
    uint64_t offset = tg_upload_offset(request->server->store, request->arg[0]);
    if (offset)
        tg_response_header(response, "Upload-Offset", "%llu", (unsigned long long)offset);
}

static enum tg_err begin_upload(struct tg_request *request, struct tg_response *response,
                                struct receiving *receiving, struct tg_report *report)
{
    const char *range = tg_request_header(request, "Content-Range");
    const char *sha256 = request->arg[0];
    receiving->ranged = range && sha256;
    if (receiving->ranged && !tg_content_range_parse(range, &receiving->first,
                                                     &receiving->last, &receiving->total))
        return tg_fault_add_value(report, TG_BAD_REQUEST, NULL, range,
                                  "bytes FIRST-LAST/TOTAL",
                                  "The Content-Range cannot be read.");
    if (receiving->ranged &&
        receiving->total > (uint64_t)request->server->config->max_data)
        return tg_fault_add(report, TG_BODY_TOO_LARGE, NULL,
                            "Stored files have at most %lld bytes.",
                            (long long)request->server->config->max_data);
    enum tg_err err = tg_upload_begin(request->server->store, sha256, receiving->first,
                                      &receiving->upload, report);
    if (err == TG_CONFLICT && receiving->ranged)
        tell_offset(request, response);
    return err;
}

/* Whether the file is still what was registered; what is stored here always is. */
static bool is_intact(struct tg_store *store, const struct tg_data_row *row)
{
    struct tg_blob blob;
    if (!*row->path)
        return true;
    enum tg_err err = tg_data_open(store, row->sha256, &blob, NULL);
    if (!err)
        tg_blob_close(&blob);
    return !err;
}

/* Whether the data is stored, and will be when the job that needs it comes. */
static enum tg_err find_stored(const struct tg_request *request, struct tg_data_row *row,
                               bool *stored, struct tg_report *report)
{
    struct tg_store *store = request->server->store;
    enum tg_err err = tg_data_get(store, request->arg[0], row, NULL);
    if (!err && !is_intact(store, row)) {
        tg_data_row_release(row);
        err = TG_NOT_FOUND;
    }
    if (!err) {
        err = tg_data_touch(store, request->arg[0], report);
        if (err)
            tg_data_row_release(row);
    }
    *stored = !err;
    return err == TG_NOT_FOUND ? TG_OK : err;
}

static enum tg_err begin(struct tg_request *request, struct tg_response *response,
                         struct receiving *receiving, struct tg_report *report)
{
    bool stored = false;
    if (request->arg[0]) {
        TG_TRY(check_digest(request->arg[0], report));
        TG_TRY(find_stored(request, &receiving->row, &stored, report));
    }
    if (stored)
        return tg_request_header(request, "Expect")
                   ? answer_data(response, 200, &receiving->row)
                   : TG_OK;
    if (atomic_load(&request->server->draining))
        return tg_fault_add(report, TG_DRAINING, NULL, "The daemon is shutting down.");
    const char *type = tg_request_header(request, "Content-Type");
    receiving->is_order = !request->arg[0] && type && tg_media_is(type, "application/json");
    if (receiving->is_order)
        return TG_OK;
    return begin_upload(request, response, receiving, report);
}

enum tg_err tg_begin_data(struct tg_request *request, struct tg_response *response,
                          struct tg_report *report)
{
    struct receiving *receiving = calloc(1, sizeof(*receiving));
    if (!receiving)
        return TG_NOMEM;
    request->stream_state = receiving;
    tg_buf_init(&receiving->order, ORDER_MAX);
    enum tg_err err = begin(request, response, receiving, report);
    if (err || response->status)
        tg_abort_data(request);
    return err;
}

enum tg_err tg_piece_data(struct tg_request *request, const char *p, size_t n,
                          struct tg_report *report)
{
    struct receiving *receiving = request->stream_state;
    if (receiving->is_order) {
        tg_buf_add(&receiving->order, p, n);
        return request->nbody <= ORDER_MAX
                   ? TG_OK
                   : tg_fault_add(report, TG_BODY_TOO_LARGE, NULL,
                                  "A path to register has at most %d bytes of JSON around "
                                  "it.",
                                  ORDER_MAX);
    }
    if (!receiving->upload)
        return TG_OK;
    if (receiving->ranged && request->nbody > receiving->last - receiving->first + 1)
        return tg_fault_add(report, TG_BAD_REQUEST, NULL,
                            "The body is longer than its Content-Range.");
    return tg_upload_write(receiving->upload, p, n, report);
}

void tg_abort_data(struct tg_request *request)
{
    struct receiving *receiving = request->stream_state;
    if (receiving->upload)
        tg_upload_abort(receiving->upload);
    tg_data_row_release(&receiving->row);
    tg_buf_release(&receiving->order);
    free(receiving);
    request->stream_state = NULL;
}

static enum tg_err end_part(struct tg_request *request, const struct receiving *receiving,
                            struct tg_response *response, struct tg_report *report)
{
    TG_TRY(tg_upload_keep(receiving->upload, report));
    if (request->nbody != receiving->last - receiving->first + 1)
        return tg_fault_add(report, TG_BAD_REQUEST, NULL,
                            "The body is shorter than its Content-Range.");
    tg_response_header(response, "Upload-Offset", "%llu",
                       (unsigned long long)receiving->last + 1);
    return tg_answer_json(response, 202,
                          json_pack("{s:s, s:I, s:I}", "sha256", request->arg[0],
                                    "received", (json_int_t)(receiving->last + 1),
                                    "total", (json_int_t)receiving->total));
}

/* The path that an order names, borrowed from *document, which is the caller's to drop. */
static enum tg_err read_order(const struct tg_buf *order, json_t **document, const char **path,
                              struct tg_report *report)
{
    json_error_t error;
    bool ran_short;
    const char *key;
    json_t *value;
    *document = NULL;
    *path = NULL;
    if (tg_buf_failed(order))
        return TG_NOMEM;
    *document = tg_json_load_text(order->p ? order->p : "", order->n, JSON_REJECT_DUPLICATES,
                                  &error, &ran_short);
    if (!*document)
        return ran_short ? TG_NOMEM
                         : tg_fault_add(report, TG_BAD_JSON, NULL, "%s.", error.text);
    *path = json_string_value(json_object_get(*document, "path"));
    json_object_foreach(*document, key, value)
    {
        if (strcmp(key, "path") != 0)
            tg_fault_add_value(report, TG_INVALID, NULL, key, "path",
                               "A file is registered with its `path` and nothing else; data "
                               "that is no file here is sent as it is.");
    }
    if (!*path)
        tg_fault_add(report, TG_INVALID, "/path",
                     "`path` is the absolute path of a file on the daemon's machine.");
    return report->count ? report->code : TG_OK;
}

static bool is_gone(void *request)
{
    return tg_request_is_gone(request);
}

static enum tg_err register_file(struct tg_request *request, const struct tg_buf *order,
                                 bool *created, struct tg_data_row *row,
                                 struct tg_report *report)
{
    json_t *document;
    const char *path;
    enum tg_err err = read_order(order, &document, &path, report);
    if (!err)
        err = tg_data_register(request->server->store, path, is_gone, request, created, row,
                               report);
    if (err == TG_CANCELLED && atomic_load(&request->server->draining))
        err = TG_DRAINING;
    json_decref(document);
    return err;
}

enum tg_err tg_handle_data_end(struct tg_request *request, struct tg_response *response,
                               struct tg_report *report)
{
    struct receiving receiving = *(struct receiving *)request->stream_state;
    struct tg_data_row row = receiving.row;
    bool created = false;
    free(request->stream_state);
    request->stream_state = NULL;
    if (receiving.is_order) {
        enum tg_err err =
            register_file(request, &receiving.order, &created, &row, report);
        tg_buf_release(&receiving.order);
        TG_TRY(err);
    }
    if (receiving.upload) {
        if (receiving.ranged && (receiving.last + 1 < receiving.total ||
                                 request->nbody != receiving.last - receiving.first + 1))
            return end_part(request, &receiving, response, report);
        TG_TRY(tg_upload_end(receiving.upload, &created, &row, report));
    }
    enum tg_err err = answer_data(response, created ? 201 : 200, &row);
    tg_data_row_release(&row);
    return err;
}

static const char *mime_of(const char *format)
{
    for (int i = 0; i < TG_FORMAT_COUNT; i++)
        if (!strcmp(format, tg_format_name((enum tg_format)i)))
            return tg_format_mime((enum tg_format)i);
    return "application/octet-stream";
}

enum tg_err tg_handle_data_get(struct tg_request *request, struct tg_response *response,
                               struct tg_report *report)
{
    const char *sha256 = request->arg[0];
    struct tg_store *store = request->server->store;
    struct tg_data_row row;
    struct tg_blob blob;
    char etag[TG_SHA256_HEX + 2];
    TG_TRY(check_digest(sha256, report));
    enum tg_err err = tg_data_get(store, sha256, &row, report);
    if (err) {
        if (err == TG_NOT_FOUND)
            tell_offset(request, response);
        return err;
    }
    response->type = mime_of(row.format);
    tg_response_header(response, "Content-Disposition",
                       "attachment; filename=\"%.12s.%s\"", sha256, row.format);
    tg_data_row_release(&row);
    snprintf(etag, sizeof(etag), "\"%s\"", sha256);
    if (tg_answer_not_modified(request, response, etag))
        return TG_OK;
    TG_TRY(tg_data_open(store, sha256, &blob, report));
    return tg_answer_blob(request, response, &blob, etag, report);
}

enum tg_err tg_handle_data_delete(struct tg_request *request,
                                  struct tg_response *response, struct tg_report *report)
{
    TG_TRY(check_digest(request->arg[0], report));
    TG_TRY(tg_data_delete(request->server->store, request->arg[0], report));
    response->status = 204;
    return TG_OK;
}

enum tg_err tg_handle_data_list(struct tg_request *request, struct tg_response *response,
                                struct tg_report *report)
{
    double limit = 100;
    const char *after = tg_request_query(request, "after");
    char next[128];
    struct tg_data_row *rows;
    size_t n;
    TG_TRY(tg_query_number(request, "limit", 1, 1000, &limit, report));
    if (after)
        TG_TRY(check_digest(after, report));
    TG_TRY(tg_data_list(request->server->store, after, (size_t)limit + 1, &rows, &n));
    size_t shown = n < (size_t)limit ? n : (size_t)limit;
    json_t *list = json_array();
    for (size_t i = 0; i < shown; i++)
        json_array_append_new(list, data_json(&rows[i]));
    bool complete = json_array_size(list) == shown;
    if (n > shown) {
        snprintf(next, sizeof(next), "/v1/data?after=%s&limit=%zu",
                 rows[shown - 1].sha256, (size_t)limit);
        tg_response_header(response, "Link", "<%s>; rel=\"next\"", next);
    }
    for (size_t i = 0; i < n; i++)
        tg_data_row_release(&rows[i]);
    free(rows);
    if (!complete) {
        json_decref(list);
        return TG_NOMEM;
    }
    return tg_answer_json(
        response, 200,
        json_pack("{s:o, s:s*}", "data", list, "next", n > shown ? next : NULL));
}

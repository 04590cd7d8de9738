/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Handlers of results: one stored document and its arrays, in every representation.
 */
#include "server/handle.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/array.h"
#include "proto/digest.h"
#include "proto/jsonload.h"
#include "proto/result.h"
#include "server/routes.h"

#define VEGA_LITE "application/vnd.vegalite.v5+json"
#define NPZ       "application/x-npz"
#define NPY       "application/x-npy"

/* An array of a result as text is for people; beyond this the binary forms are. */
enum { TEXT_NUMBERS_MAX = 10000000 };

/* Arrays, opened as views of their stored bytes. */
struct opened {
    const char *name;
    struct tg_blob blob;
    struct tg_array_file file;
    struct tg_mat mat;
};

static enum tg_err open_array(struct tg_store *store, const char *name,
                              const json_t *entry, struct opened *opened,
                              struct tg_report *report)
{
    const char *sha256 = json_string_value(json_object_get(entry, "sha256"));
    opened->name = name;
    if (!sha256)
        return TG_INTERNAL;
    TG_TRY(tg_data_open(store, sha256, &opened->blob, NULL));
    enum tg_err err =
        tg_array_file_open(opened->blob.bytes, opened->blob.n, &opened->file, report);
    if (err) {
        tg_blob_close(&opened->blob);
        return err;
    }
    err = tg_array_file_read(&opened->file, NULL, 0, &opened->mat, report);
    if (err) {
        tg_array_file_release(&opened->file);
        tg_blob_close(&opened->blob);
    }
    return err;
}

static void close_array(struct opened *opened)
{
    tg_array_file_release(&opened->file);
    tg_blob_close(&opened->blob);
}

/* The text of the job's document, and its entity tag: a digest of it and of the form. */
static enum tg_err load_text(const struct tg_request *request, char **document,
                             char etag[64], struct tg_report *report)
{
    struct tg_job_row row;
    char hash[TG_SHA256_HEX];
    TG_TRY(tg_store_get(request->server->store, request->arg[0], &row, report));
    enum tg_err err = tg_result_of(request, &row, document, report);
    tg_job_row_release(&row);
    if (err)
        return err;
    tg_sha256_hex(*document, strlen(*document), hash);
    snprintf(etag, 64, "\"%.32s\"", hash);
    return TG_OK;
}

static enum tg_err load(const struct tg_request *request, json_t **document,
                        char etag[64], struct tg_report *report)
{
    char *text;
    TG_TRY(load_text(request, &text, etag, report));
    *document = tg_json_load(text);
    free(text);
    return *document ? TG_OK : TG_NOMEM;
}

static void tag_form(char etag[64], const char *form)
{
    snprintf(etag + strlen(etag) - 1, 16, "-%.12s\"", form);
}

/* Names of an object's members, for people: "a, b". */
static void join_names(json_t *object, char *text, size_t size)
{
    const char *name;
    json_t *value;
    size_t n = 0;
    snprintf(text, size, "none");
    json_object_foreach(object, name, value)
    {
        if (n < size)
            n += (size_t)snprintf(text + n, size - n, "%s%s", n ? ", " : "", name);
    }
}

/* The whole result ----------------------------------------------------------------- */

static enum tg_err answer_npz(const struct tg_request *request,
                              struct tg_response *response, json_t *arrays,
                              struct tg_report *report)
{
    size_t n = json_object_size(arrays), opened = 0;
    struct opened *open = calloc(n + 1, sizeof(*open));
    const char **names = calloc(n + 1, sizeof(*names));
    struct tg_mat *mats = calloc(n + 1, sizeof(*mats));
    enum tg_err err = open && names && mats ? TG_OK : TG_NOMEM;
    const char *name;
    json_t *entry;
    json_object_foreach(arrays, name, entry)
    {
        if (!err)
            err = open_array(request->server->store, name, entry, &open[opened], report);
        if (err)
            break;
        names[opened] = name;
        mats[opened] = open[opened].mat;
        opened++;
    }
    if (!err)
        err = tg_npz_write(names, mats, n, &response->body);
    for (size_t i = 0; i < opened; i++)
        close_array(&open[i]);
    free(open);
    free(names);
    free(mats);
    response->type = NPZ;
    tg_response_header(response, "Content-Disposition", "attachment; filename=\"%s.npz\"",
                       request->arg[0]);
    return err;
}

static enum tg_err answer_only_array(const struct tg_request *request,
                                     struct tg_response *response, json_t *arrays,
                                     const char *etag, struct tg_report *report)
{
    struct tg_blob blob;
    char names[160];
    if (json_object_size(arrays) != 1) {
        join_names(arrays, names, sizeof(names));
        return tg_fault_add_value(
            report, TG_NOT_ACCEPTABLE, NULL, "npy", names,
            "npy is one array, and this result has %zu: take npz, or one "
            "of result/arrays/{name}.",
            json_object_size(arrays));
    }
    const json_t *entry = json_object_iter_value(json_object_iter(arrays));
    const char *sha256 = json_string_value(json_object_get(entry, "sha256"));
    if (!sha256)
        return TG_INTERNAL;
    TG_TRY(tg_data_open(request->server->store, sha256, &blob, NULL));
    response->type = NPY;
    return tg_answer_blob(request, response, &blob, etag, report);
}

static enum tg_err answer_spec(struct tg_response *response, const json_t *figure)
{
    TG_TRY(tg_answer_json(response, 200, json_incref(json_object_get(figure, "spec"))));
    response->type = VEGA_LITE;
    return TG_OK;
}

static enum tg_err answer_first_figure(struct tg_response *response, json_t *figures,
                                       struct tg_report *report)
{
    const json_t *figure = json_object_iter_value(json_object_iter(figures));
    if (!figure)
        return tg_fault_add(report, TG_NOT_ACCEPTABLE, NULL,
                            "This result has no figure.");
    return answer_spec(response, figure);
}

enum form { JSON, TEXT, CSV, AS_NPZ, AS_NPY, AS_VEGA_LITE };

static enum tg_err answer_public(const struct tg_request *request,
                                 struct tg_response *response, const char *text)
{
    response->type = "application/json";
    TG_TRY(tg_answer_result(response, request->arg[0], text));
    tg_buf_puts(&response->body, "\n");
    return tg_buf_failed(&response->body) ? TG_NOMEM : TG_OK;
}

static enum tg_err answer_form(const struct tg_request *request,
                               struct tg_response *response, const char *text,
                               enum form form, const char *etag, struct tg_report *report)
{
    enum tg_err err = TG_OK;
    json_t *document = form == JSON ? NULL : tg_json_load(text);
    if (form != JSON && !document)
        return TG_NOMEM;
    switch (form) {
    case JSON:
        err = answer_public(request, response, text);
        break;
    case TEXT:
        response->type = "text/plain; charset=utf-8";
        tg_result_text_write(document, &response->body);
        break;
    case CSV:
        response->type = "text/csv; charset=utf-8";
        tg_result_csv_write(document, &response->body);
        break;
    case AS_NPZ:
        err = answer_npz(request, response, json_object_get(document, "arrays"), report);
        break;
    case AS_NPY:
        err = answer_only_array(request, response, json_object_get(document, "arrays"),
                                etag, report);
        break;
    case AS_VEGA_LITE:
        err = answer_first_figure(response, json_object_get(document, "figures"), report);
    }
    json_decref(document);
    return err;
}

enum tg_err tg_handle_result(struct tg_request *request, struct tg_response *response,
                             struct tg_report *report)
{
    static const struct tg_format_offer offers[] = {
        [JSON] = {"json", "application/json"},
        [TEXT] = {"text", "text/plain"},
        [CSV] = {"csv", "text/csv"},
        [AS_NPZ] = {"npz", NPZ},
        [AS_NPY] = {"npy", NPY},
        [AS_VEGA_LITE] = {"vega-lite", VEGA_LITE},
    };
    size_t form;
    char etag[64], *text;
    TG_TRY(tg_choose_format(request, offers, sizeof(offers) / sizeof(offers[0]), &form,
                            report));
    TG_TRY(load_text(request, &text, etag, report));
    tag_form(etag, offers[form].name);
    tg_response_header(response, "Vary", "Accept");
    enum tg_err err = TG_OK;
    if (!tg_answer_not_modified(request, response, etag))
        err = answer_form(request, response, text, (enum form)form, etag, report);
    free(text);
    return err;
}

/* One array ------------------------------------------------------------------------ */

/*
 * The numbers from `*i` on, nested as the axes from `axis` on; non-finite ones as null.
 */
static void write_nested(const struct tg_mat *mat, int axis, int64_t *i,
                         struct tg_buf *out)
{
    if (axis == mat->ndim) {
        tg_buf_double(out, tg_mat_at(mat, (*i)++));
        return;
    }
    tg_buf_puts(out, "[");
    for (int64_t k = 0; k < mat->shape[axis]; k++) {
        if (k)
            tg_buf_puts(out, ",");
        write_nested(mat, axis + 1, i, out);
    }
    tg_buf_puts(out, "]");
}

static void write_array_json(const char *name, const struct tg_mat *mat,
                             struct tg_buf *out)
{
    int64_t i = 0, count = tg_mat_count(mat);
    bool comma = false;
    tg_buf_puts(out, "{\"name\":");
    tg_buf_json_string(out, name, strlen(name));
    tg_buf_printf(out, ",\"dtype\":\"%s\",\"shape\":[", tg_dtype_name(mat->dtype));
    for (int axis = 0; axis < mat->ndim; axis++)
        tg_buf_printf(out, "%s%lld", axis ? "," : "", (long long)mat->shape[axis]);
    tg_buf_puts(out, "],\"data\":");
    write_nested(mat, 0, &i, out);
    tg_buf_puts(out, ",\"nonfinite\":[");
    for (i = 0; i < count; i++) {
        if (isfinite(tg_mat_at(mat, i)))
            continue;
        tg_buf_printf(out, "%s%lld", comma ? "," : "", (long long)i);
        comma = true;
    }
    tg_buf_puts(out, "]}\n");
}

static void write_array_text(const struct tg_mat *mat, struct tg_buf *out)
{
    int64_t count = tg_mat_count(mat);
    int64_t columns = mat->ndim ? mat->shape[mat->ndim - 1] : 1;
    for (int64_t i = 0; i < count; i++)
        tg_buf_printf(out, "%13.6g%s", tg_mat_at(mat, i), (i + 1) % columns ? " " : "\n");
}

enum array_form { ARRAY_NPY, ARRAY_JSON, ARRAY_CSV, ARRAY_TEXT };

static enum tg_err answer_array(struct tg_response *response, const struct opened *opened,
                                enum array_form form, struct tg_report *report)
{
    if (tg_mat_count(&opened->mat) > TEXT_NUMBERS_MAX)
        return tg_fault_add_value(report, TG_NOT_ACCEPTABLE, NULL, NULL, NPY,
                                  "Arrays of more than %d numbers come as npy only.",
                                  TEXT_NUMBERS_MAX);
    switch (form) {
    case ARRAY_JSON:
        response->type = "application/json";
        write_array_json(opened->name, &opened->mat, &response->body);
        break;
    case ARRAY_CSV:
        response->type = "text/csv; charset=utf-8";
        tg_csv_write(&opened->mat, &response->body);
        break;
    case ARRAY_TEXT:
        response->type = "text/plain; charset=utf-8";
        write_array_text(&opened->mat, &response->body);
        break;
    case ARRAY_NPY:
        break;
    }
    return TG_OK;
}

static enum tg_err find_member(const struct tg_request *request, json_t *members,
                               const char *what, json_t **member,
                               struct tg_report *report)
{
    char names[160];
    *member = json_object_get(members, request->arg[1]);
    if (*member)
        return TG_OK;
    join_names(members, names, sizeof(names));
    return tg_fault_add_value(report, TG_NOT_FOUND, NULL, request->arg[1], names,
                              "The result has no %s of this name; it has: %s.", what,
                              names);
}

static enum tg_err answer_member(const struct tg_request *request,
                                 struct tg_response *response, const json_t *entry,
                                 enum array_form form, const char *etag,
                                 struct tg_report *report)
{
    struct opened opened;
    TG_TRY(open_array(request->server->store, request->arg[1], entry, &opened, report));
    if (form == ARRAY_NPY) {
        response->type = NPY;
        tg_response_header(response, "Content-Disposition",
                           "attachment; filename=\"%.100s.npy\"", request->arg[1]);
        tg_array_file_release(&opened.file);
        return tg_answer_blob(request, response, &opened.blob, etag, report);
    }
    enum tg_err err = answer_array(response, &opened, form, report);
    close_array(&opened);
    return err;
}

enum tg_err tg_handle_result_array(struct tg_request *request,
                                   struct tg_response *response, struct tg_report *report)
{
    static const struct tg_format_offer offers[] = {
        [ARRAY_NPY] = {"npy", NPY},
        [ARRAY_JSON] = {"json", "application/json"},
        [ARRAY_CSV] = {"csv", "text/csv"},
        [ARRAY_TEXT] = {"text", "text/plain"},
    };
    size_t form;
    char etag[64];
    json_t *document, *entry;
    TG_TRY(tg_choose_format(request, offers, sizeof(offers) / sizeof(offers[0]), &form,
                            report));
    TG_TRY(load(request, &document, etag, report));
    enum tg_err err = find_member(request, json_object_get(document, "arrays"), "array",
                                  &entry, report);
    if (!err) {
        tag_form(etag, offers[form].name);
        tg_response_header(response, "Vary", "Accept");
        if (!tg_answer_not_modified(request, response, etag))
            err = answer_member(request, response, entry, (enum array_form)form, etag,
                                report);
    }
    json_decref(document);
    return err;
}

/* One figure ----------------------------------------------------------------------- */

enum tg_err tg_handle_result_figure(struct tg_request *request,
                                    struct tg_response *response,
                                    struct tg_report *report)
{
    static const struct tg_format_offer offers[] = {
        {"vega-lite", VEGA_LITE},
        {"json", "application/json"},
    };
    size_t form;
    char etag[64];
    json_t *document, *entry;
    TG_TRY(tg_choose_format(request, offers, 2, &form, report));
    TG_TRY(load(request, &document, etag, report));
    enum tg_err err = find_member(request, json_object_get(document, "figures"), "figure",
                                  &entry, report);
    if (!err && !tg_answer_not_modified(request, response, etag)) {
        err = answer_spec(response, entry);
        response->type = offers[form].type;
    }
    json_decref(document);
    return err;
}

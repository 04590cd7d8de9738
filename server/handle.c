/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What handlers share: answers, ranges, formats, query values, waiting. */
#include "server/handle.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/jsonload.h"
#include "proto/jsonwrite.h"
#include "proto/result.h"
#include "proto/rfc3339.h"
#include "server/accept.h"
#include "server/clock.h"
#include "server/routes.h"

/* Answers ---------------------------------------------------------------------------- */

enum tg_err tg_answer_json(struct tg_response *response, int status, json_t *value)
{
    if (!value || tg_json_ran_short()) {
        json_decref(value);
        return TG_NOMEM;
    }
    response->status = status;
    response->type = "application/json";
    tg_json_write(value, &response->body);
    tg_buf_puts(&response->body, "\n");
    json_decref(value);
    return tg_buf_failed(&response->body) ? TG_NOMEM : TG_OK;
}

bool tg_answer_not_modified(const struct tg_request *request,
                            struct tg_response *response, const char *etag)
{
    tg_response_header(response, "ETag", "%s", etag);
    if (!tg_etag_matches(tg_request_header(request, "If-None-Match"), etag))
        return false;
    response->status = 304;
    return true;
}

static enum tg_err fill_from_blob(struct tg_response *response,
                                  const struct tg_blob *blob, uint64_t offset,
                                  uint64_t length)
{
    if (blob->fd < 0) {
        tg_buf_add(&response->body, (const char *)blob->bytes + offset, (size_t)length);
        return tg_buf_failed(&response->body) ? TG_NOMEM : TG_OK;
    }
    response->fd = fcntl(blob->fd, F_DUPFD_CLOEXEC, 0);
    response->offset = offset;
    response->length = length;
    return response->fd < 0 ? TG_INTERNAL : TG_OK;
}

enum tg_err tg_answer_blob(const struct tg_request *request, struct tg_response *response,
                           struct tg_blob *blob, const char *etag,
                           struct tg_report *report)
{
    uint64_t size = blob->n, first = 0, last = 0;
    const char *if_range = tg_request_header(request, "If-Range");
    enum tg_err err;
    tg_response_header(response, "Accept-Ranges", "bytes");
    const char *text = tg_request_header(request, "Range");
    if (if_range && strcmp(if_range, etag))
        text = NULL;
    switch (tg_range_parse(text, size, &first, &last)) {
    case TG_RANGE_OUTSIDE:
        tg_response_header(response, "Content-Range", "bytes */%llu",
                           (unsigned long long)size);
        err = tg_fault_add(report, TG_RANGE, NULL, "The file has %llu bytes.",
                           (unsigned long long)size);
        break;
    case TG_RANGE_PART:
        response->status = 206;
        tg_response_header(response, "Content-Range", "bytes %llu-%llu/%llu",
                           (unsigned long long)first, (unsigned long long)last,
                           (unsigned long long)size);
        err = fill_from_blob(response, blob, first, last - first + 1);
        break;
    case TG_RANGE_WHOLE:
    default:
        response->status = 200;
        err = fill_from_blob(response, blob, 0, size);
    }
    tg_blob_close(blob);
    return err;
}

enum tg_err tg_choose_format(const struct tg_request *request,
                             const struct tg_format_offer *offers, size_t n,
                             size_t *choice, struct tg_report *report)
{
    enum { MAX_OFFERS = 16 };
    const char *types[MAX_OFFERS];
    char names[160] = "";
    const char *format = tg_request_query(request, "format");
    const char *accept = tg_request_header(request, "Accept");
    int best = -1;
    for (size_t i = 0; i < n && i < MAX_OFFERS; i++) {
        size_t length = strlen(names);
        types[i] = offers[i].type;
        snprintf(names + length, sizeof(names) - length, "%s%s", i ? ", " : "",
                 format ? offers[i].name : offers[i].type);
        if (format && !strcmp(format, offers[i].name) && best < 0)
            best = (int)i;
    }
    if (!format)
        best = tg_accept_choose(accept, types, n);
    if (best < 0)
        return tg_fault_add_value(report, TG_NOT_ACCEPTABLE, NULL,
                                  format ? format : accept, names, "This comes as %s.",
                                  names);
    *choice = (size_t)best;
    return TG_OK;
}

/* Query values ----------------------------------------------------------------------- */

static bool parse_real(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return *text && !*end && isfinite(*out);
}

enum tg_err tg_query_number(const struct tg_request *request, const char *name, double lo,
                            double hi, double *out, struct tg_report *report)
{
    const char *text = tg_request_query(request, name);
    double value;
    if (!text)
        return TG_OK;
    if (!parse_real(text, &value) || value < lo || value > hi)
        return tg_fault_add_value(
            report, TG_BAD_REQUEST, NULL, text, NULL,
            "The query value `%s` has to be a number from %g to %g.", name, lo, hi);
    *out = value;
    return TG_OK;
}

/* RFC 3339; a day alone is its beginning in UTC. In a query a bare "+" has become a
 * space. */
static bool parse_time(const char *text, double *out)
{
    char full[48];
    if (strlen(text) >= sizeof(full) - 12)
        return false;
    snprintf(full, sizeof(full), "%s%s", text, strlen(text) == 10 ? "T00:00:00Z" : "");
    char *space = strchr(full, ' ');
    if (space)
        *space = '+';
    return tg_rfc3339_read(full, out);
}

enum tg_err tg_query_time(const struct tg_request *request, const char *name, double *out,
                          struct tg_report *report)
{
    const char *text = tg_request_query(request, name);
    if (!text || parse_real(text, out) || parse_time(text, out))
        return TG_OK;
    return tg_fault_add_value(report, TG_BAD_REQUEST, NULL, text, NULL,
                              "The query value `%s` has to be a time such as "
                              "2026-01-31T12:00:00Z, or Unix seconds.",
                              name);
}

bool tg_query_is_true(const struct tg_request *request, const char *name)
{
    const char *text = tg_request_query(request, name);
    return text && (!*text || !strcmp(text, "true") || !strcmp(text, "1"));
}

/* Jobs ------------------------------------------------------------------------------- */

static void rest(double seconds)
{
    const struct timespec time = tg_clock_timespec(seconds);
    nanosleep(&time, NULL);
}

enum tg_err tg_wait_for_job(const struct tg_request *request, const char *id,
                            double timeout_s, struct tg_job_row *row,
                            struct tg_report *report)
{
    struct tg_server *server = request->server;
    double begun = tg_clock_monotonic();
    double until = begun + timeout_s;
    for (;;) {
        uint64_t seen = tg_hub_version(server->hub);
        TG_TRY(tg_store_get(server->store, id, row, report));
        double left = until - tg_clock_monotonic();
        if (tg_state_is_terminal(row->state) || left <= 0 || tg_request_is_gone(request))
            return TG_OK;
        /* Once a second at least, to see whether the client is still there. */
        if (!tg_hub_wait(server->hub, seen, left < 1 ? left : 1))
            return TG_OK;
        tg_job_row_release(row);
        /* The hub speaks for all jobs. Being up to 2 % late spares a reader on a busy
         * daemon most of the looks at a row that has not changed. */
        rest(fmin(0.1, 0.02 * (tg_clock_monotonic() - begun)));
    }
}

static enum tg_err no_result(const struct tg_job_row *row, struct tg_report *report)
{
    json_t *problem = *row->problem ? tg_json_load(row->problem) : NULL;
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    const char *title = json_string_value(json_object_get(problem, "title"));
    if (tg_state_is_terminal(row->state))
        tg_fault_add_value(report, TG_CONFLICT, NULL, tg_state_names[row->state],
                           tg_state_names[TG_SUCCEEDED], "The job is %s: %s",
                           tg_state_names[row->state],
                           detail  ? detail
                           : title ? title
                                   : "it has no result.");
    else
        tg_fault_add_value(report, TG_CONFLICT, NULL, tg_state_names[row->state],
                           tg_state_names[TG_SUCCEEDED],
                           "The job is %s; there is no result yet. Wait with "
                           "GET /v1/jobs/%s?wait=30.",
                           tg_state_names[row->state], row->id);
    json_decref(problem);
    return TG_CONFLICT;
}

enum tg_err tg_result_of(const struct tg_request *request, const struct tg_job_row *row,
                         char **document, struct tg_report *report)
{
    if (!row->has_result)
        return no_result(row, report);
    return tg_store_result(request->server->store, row->id, document, report);
}

enum tg_err tg_answer_result(struct tg_response *response, const char *id,
                             const char *document)
{
    char base[64];
    snprintf(base, sizeof(base), "/v1/jobs/%.26s/result", id);
    tg_result_public(document, base, &response->body);
    return tg_buf_failed(&response->body) ? TG_NOMEM : TG_OK;
}

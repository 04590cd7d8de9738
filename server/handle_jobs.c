/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Handlers of jobs: submit, list, look, cancel, retry. */
#include "server/handle.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/accept.h"
#include "server/metrics.h"
#include "server/routes.h"
#include "server/uri.h"

/* The result becomes the last member of the answer, unless it was removed meanwhile. */
static enum tg_err add_result(const struct tg_request *request, struct tg_response *response,
                              const struct tg_job_row *row)
{
    static const char end[] = "}\n";
    char *document;
    enum tg_err err = tg_result_of(request, row, &document, NULL);
    if (err)
        return err == TG_NOT_FOUND ? TG_OK : err;
    response->body.n -= strlen(end);
    tg_buf_puts(&response->body, ",\"result\":");
    err = tg_answer_result(response, row->id, document);
    tg_buf_puts(&response->body, end);
    free(document);
    return err;
}

static enum tg_err answer_job(const struct tg_request *request,
                              struct tg_response *response, int status,
                              const struct tg_job_row *row, bool result)
{
    TG_TRY(tg_answer_json(response, status,
                          tg_jobs_document(&request->server->jobs, row)));
    return result && row->has_result ? add_result(request, response, row) : TG_OK;
}

/* curl -d calls any body a form, and we take no forms. */
static bool is_job_type(const char *type)
{
    return tg_media_is(type, "application/json") ||
           tg_media_is(type, "application/x-www-form-urlencoded");
}

static enum tg_err check_submission(const struct tg_request *request,
                                    struct tg_report *report)
{
    const char *type = tg_request_header(request, "Content-Type");
    const char *key = tg_request_header(request, "Idempotency-Key");
    if (atomic_load(&request->server->draining))
        return tg_fault_add(report, TG_DRAINING, NULL,
                            "The daemon is shutting down; submit again when it is back.");
    if (type && *type && !is_job_type(type))
        return tg_fault_add_value(report, TG_MEDIA_TYPE, NULL, type, "application/json",
                                  "A job is application/json; arrays of other formats go "
                                  "to /v1/data first.");
    if (!key)
        return TG_OK;
    size_t n = strlen(key);
    bool printable = n && n <= 255;
    for (const char *p = key; *p; p++)
        printable = printable && isprint((unsigned char)*p);
    return printable
               ? TG_OK
               : tg_fault_add(report, TG_BAD_REQUEST, NULL,
                              "The Idempotency-Key has to be 1 to 255 printable ASCII "
                              "characters.");
}

static enum tg_err dry_run(struct tg_request *request, struct tg_response *response,
                           struct tg_report *report)
{
    json_t *answer;
    TG_TRY(tg_jobs_dry_run(&request->server->jobs, request->body, request->nbody, &answer,
                           report));
    return tg_answer_json(response, 200, answer);
}

static enum tg_err answer_submitted(struct tg_request *request,
                                    struct tg_response *response, const char *id,
                                    enum tg_cache cache, struct tg_report *report)
{
    const struct tg_prefer prefer = tg_prefer_parse(tg_request_header(request, "Prefer"));
    bool wait = prefer.wait_given && !prefer.async;
    struct tg_job_row row;
    TG_TRY(tg_wait_for_job(request, id, wait ? prefer.wait_s : 0, &row, report));
    /* Without a wish to wait, 202 says that it is accepted, and no race decides
     * otherwise. */
    bool known = cache == TG_CACHE_HIT || cache == TG_CACHE_REPLAY;
    bool finished = tg_state_is_terminal(row.state) && (wait || known) && !prefer.async;
    tg_response_header(response, "Location", "/v1/jobs/%s", id);
    tg_response_header(response, "Tangent-Cache", "%s", tg_cache_names[cache]);
    if (wait)
        tg_response_header(response, "Preference-Applied", "wait=%.0f", prefer.wait_s);
    else if (prefer.async)
        tg_response_header(response, "Preference-Applied", "respond-async");
    enum tg_err err = answer_job(request, response, finished ? 200 : 202, &row, finished);
    tg_job_row_release(&row);
    return err;
}

enum tg_err tg_handle_submit(struct tg_request *request, struct tg_response *response,
                             struct tg_report *report)
{
    TG_TRY(check_submission(request, report));
    if (tg_query_is_true(request, "dry_run"))
        return dry_run(request, response, report);
    const struct tg_jobs_submit submit = {
        .body = request->body,
        .n = request->nbody,
        .token = request->token,
        .idempotency_key = tg_request_header(request, "Idempotency-Key"),
        .no_cache =
            tg_header_has(tg_request_header(request, "Cache-Control"), "no-store"),
    };
    char id[TG_ID_SIZE];
    enum tg_cache cache;
    TG_TRY(tg_jobs_submit(&request->server->jobs, &submit, id, &cache, report));
    return answer_submitted(request, response, id, cache, report);
}

/* Progress is no event, so a running job's tag has to tell it too. */
static void job_etag(const struct tg_request *request, const struct tg_job_row *row,
                     char etag[64])
{
    struct tg_progress progress = {0};
    if (!tg_state_is_terminal(row->state))
        (void)!tg_pool_progress(request->server->pool, row->id, &progress);
    snprintf(etag, 64, "W/\"%llu-%.6g\"", (unsigned long long)row->seq, progress.done);
}

enum tg_err tg_handle_job(struct tg_request *request, struct tg_response *response,
                          struct tg_report *report)
{
    double wait = 0;
    char etag[64];
    struct tg_job_row row;
    TG_TRY(tg_query_number(request, "wait", 0, TG_WAIT_MAX_S, &wait, report));
    TG_TRY(tg_wait_for_job(request, request->arg[0], wait, &row, report));
    enum tg_err err = TG_OK;
    job_etag(request, &row, etag);
    if (!tg_answer_not_modified(request, response, etag))
        err = answer_job(request, response, 200, &row, false);
    tg_job_row_release(&row);
    return err;
}

enum tg_err tg_handle_cancel(struct tg_request *request, struct tg_response *response,
                             struct tg_report *report)
{
    const char *id = request->arg[0];
    enum tg_state now;
    struct tg_job_row row;
    TG_TRY(tg_jobs_cancel(&request->server->jobs, id, &now, report));
    TG_TRY(tg_store_get(request->server->store, id, &row, report));
    enum tg_err err = answer_job(
        request, response, tg_state_is_terminal(row.state) ? 200 : 202, &row, false);
    tg_job_row_release(&row);
    return err;
}

enum tg_err tg_handle_retry(struct tg_request *request, struct tg_response *response,
                            struct tg_report *report)
{
    char id[TG_ID_SIZE];
    struct tg_job_row row;
    TG_TRY(tg_jobs_retry(&request->server->jobs, request->arg[0], request->token, id,
                         report));
    TG_TRY(tg_store_get(request->server->store, id, &row, report));
    tg_response_header(response, "Location", "/v1/jobs/%s", id);
    enum tg_err err = answer_job(request, response, 202, &row, false);
    tg_job_row_release(&row);
    return err;
}

/* The list --------------------------------------------------------------------------- */

static enum tg_err parse_states(const char *text, unsigned *states,
                                struct tg_report *report)
{
    for (const char *p = text ? text : ""; *p;) {
        size_t n = strcspn(p, ",");
        int state = 0;
        while (state < TG_STATE_COUNT && (strlen(tg_state_names[state]) != n ||
                                          memcmp(p, tg_state_names[state], n) != 0))
            state++;
        if (state == TG_STATE_COUNT)
            return tg_fault_add_value(report, TG_BAD_REQUEST, NULL, text,
                                      "queued, running, cancelling, succeeded, failed, "
                                      "cancelled, expired",
                                      "The query value `state` names no state at '%s'.",
                                      p);
        *states |= 1u << state;
        p += n + (p[n] == ',');
    }
    return TG_OK;
}

/* NULL, or 26 of Crockford's base 32. */
static enum tg_err check_before(const char *text, struct tg_report *report)
{
    if (!text || (strlen(text) == TG_ID_SIZE - 1 &&
                  strspn(text, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") == TG_ID_SIZE - 1))
        return TG_OK;
    return tg_fault_add_value(report, TG_BAD_REQUEST, NULL, text, "the id of a job",
                              "The query value `before` is no id; a page's `next` has it.");
}

static enum tg_err parse_filter(const struct tg_request *request,
                                struct tg_job_filter *filter, struct tg_report *report)
{
    double limit = 50;
    *filter = (struct tg_job_filter){
        .kind = tg_request_query(request, "kind"),
        .name = tg_request_query(request, "name"),
        .before = tg_request_query(request, "before"),
    };
    enum tg_err errs[] = {
        parse_states(tg_request_query(request, "state"), &filter->states, report),
        check_before(filter->before, report),
        tg_query_time(request, "since", &filter->since, report),
        tg_query_time(request, "until", &filter->until, report),
        tg_query_number(request, "limit", 1, 1000, &limit, report),
    };
    filter->limit = (size_t)limit;
    for (size_t i = 0; i < sizeof(errs) / sizeof(errs[0]); i++)
        TG_TRY(errs[i]);
    return TG_OK;
}

/* The same query, beginning after the job `last`. */
static void write_next(const struct tg_request *request, const char *last,
                       struct tg_buf *out)
{
    static const char *const kept[] = {"kind",  "state", "name", "since",
                                       "until", "limit", "view"};
    tg_buf_printf(out, "/v1/jobs?before=%s", last);
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        const char *value = tg_request_query(request, kept[i]);
        if (!value)
            continue;
        tg_buf_printf(out, "&%s=", kept[i]);
        tg_uri_escape(out, value);
    }
}

static enum tg_err answer_list(const struct tg_request *request,
                               struct tg_response *response,
                               const struct tg_job_row *rows, size_t n, const char *next)
{
    const char *view = tg_request_query(request, "view");
    bool flat = view && !strcmp(view, "rows");
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *item = flat ? tg_jobs_flat(&request->server->jobs, &rows[i])
                            : tg_jobs_document(&request->server->jobs, &rows[i]);
        if (json_array_append_new(list, item)) {
            json_decref(list);
            return TG_NOMEM;
        }
    }
    if (next)
        tg_response_header(response, "Link", "<%s>; rel=\"next\"", next);
    if (flat)
        return tg_answer_json(response, 200, list);
    return tg_answer_json(response, 200,
                          json_pack("{s:o, s:s*}", "jobs", list, "next", next));
}

enum tg_err tg_handle_list(struct tg_request *request, struct tg_response *response,
                           struct tg_report *report)
{
    struct tg_job_filter filter;
    struct tg_job_row *rows;
    struct tg_buf next;
    size_t n;
    TG_TRY(parse_filter(request, &filter, report));
    size_t limit = filter.limit++; /* one more tells whether there is another page */
    TG_TRY(tg_store_list(request->server->store, &filter, &rows, &n));
    tg_buf_init(&next, 4096);
    size_t shown = n < limit ? n : limit;
    if (n > limit)
        write_next(request, rows[shown - 1].id, &next);
    enum tg_err err = answer_list(request, response, rows, shown, next.p);
    tg_buf_release(&next);
    for (size_t i = 0; i < n; i++)
        tg_job_row_release(&rows[i]);
    free(rows);
    return err;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Jobs: the way up, a row as JSON. */
#include "server/job_text.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

#include "proto/jsonload.h"
#include "proto/jsonwrite.h"
#include "proto/problem.h"
#include "server/jobs.h"

char *tg_job_problem(const char *id, enum tg_err err, const struct tg_report *report)
{
    char instance[64];
    struct tg_buf text;
    size_t n;
    snprintf(instance, sizeof(instance), "/v1/jobs/%s", id);
    json_t *problem = tg_problem(err, report, instance);
    if (!problem)
        return NULL;
    tg_buf_init(&text, 1 << 20);
    tg_json_write(problem, &text);
    json_decref(problem);
    char *taken = tg_buf_failed(&text) ? NULL : tg_buf_take(&text, &n);
    tg_buf_release(&text);
    return taken;
}

json_t *tg_job_cost_json(uint64_t peak_bytes, double flops, double seconds)
{
    return json_pack("{s:I, s:f, s:f}", "peak_bytes", (json_int_t)peak_bytes, "flops", flops,
                     "seconds", seconds);
}

/* RFC 3339 in UTC with milliseconds, or null for "not yet". */
static json_t *time_value(double seconds)
{
    char text[40];
    struct tm tm;
    if (seconds <= 0)
        return json_null();
    double ms = floor(seconds * 1000);
    time_t whole = (time_t)floor(ms / 1000);
    if (!gmtime_r(&whole, &tm))
        return json_null();
    size_t n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + n, sizeof(text) - n, ".%03dZ", (int)(ms - 1000 * (double)whole));
    return json_string(text);
}

static json_t *number_or_null(double x, bool known)
{
    return known && isfinite(x) ? json_real(x) : json_null();
}

static json_t *progress_value(const struct tg_progress *progress)
{
    return json_pack("{s:f, s:f, s:f, s:s, s:s, s:o}", "fraction", progress->fraction, "done",
                     progress->done, "total", progress->total, "unit", progress->unit,
                     "phase", progress->phase, "eta_s",
                     number_or_null(progress->eta_s, progress->eta_s >= 0));
}

static json_t *links_value(const struct tg_job_row *row)
{
    json_t *links = json_object();
    json_object_set_new(links, "self", json_sprintf("/v1/jobs/%s", row->id));
    json_object_set_new(links, "events", json_sprintf("/v1/jobs/%s/events", row->id));
    if (row->has_result)
        json_object_set_new(links, "result", json_sprintf("/v1/jobs/%s/result", row->id));
    if (row->retry_of && *row->retry_of)
        json_object_set_new(links, "retry_of", json_sprintf("/v1/jobs/%s", row->retry_of));
    return links;
}

/* What the list and the document both say. */
static json_t *common(const struct tg_job_row *row)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:i}", "id", row->id, "kind",
                     row->kind, "name", row->name ? row->name : "", "state",
                     tg_state_names[row->state], "priority", tg_priority_names[row->priority],
                     "created", time_value(row->created), "started",
                     time_value(row->started), "finished", time_value(row->finished),
                     "attempt", row->attempt);
}

static bool read_progress(struct tg_jobs *jobs, const struct tg_job_row *row,
                          struct tg_progress *progress)
{
    bool under_way = row->state == TG_RUNNING || row->state == TG_CANCELLING;
    return under_way && tg_pool_progress(jobs->pool, row->id, progress);
}

json_t *tg_jobs_document(struct tg_jobs *jobs, const struct tg_job_row *row)
{
    struct tg_progress progress;
    json_t *document = common(row);
    if (!document)
        return NULL;
    if (read_progress(jobs, row, &progress))
        json_object_set_new(document, "progress", progress_value(&progress));
    json_object_set_new(document, "deadline", time_value(row->deadline));
    json_object_set_new(document, "max_run_s",
                        number_or_null(row->max_run_s, row->max_run_s > 0));
    json_object_set_new(document, "keep", json_boolean(row->keep));
    json_object_set_new(document, "cost",
                        tg_job_cost_json(row->peak_bytes, row->flops, row->seconds));
    json_object_set_new(document, "hash", json_string(row->hash));
    if (row->token && *row->token)
        json_object_set_new(document, "token", json_string(row->token));
    if (row->retry_of && *row->retry_of)
        json_object_set_new(document, "retry_of", json_string(row->retry_of));
    if (row->problem && *row->problem)
        json_object_set_new(document, "problem", tg_json_load(row->problem));
    json_object_set_new(document, "links", links_value(row));
    return document;
}

static double run_seconds(const struct tg_job_row *row)
{
    return row->started > 0 && row->finished > 0 ? row->finished - row->started : 0;
}

json_t *tg_jobs_flat(struct tg_jobs *jobs, const struct tg_job_row *row)
{
    struct tg_progress progress = {.fraction = row->state == TG_SUCCEEDED ? 1 : 0};
    json_t *flat = common(row);
    if (!flat)
        return NULL;
    (void)read_progress(jobs, row, &progress);
    json_object_set_new(flat, "progress", json_real(progress.fraction));
    json_object_set_new(flat, "phase", json_string(progress.phase));
    json_object_set_new(flat, "run_s", json_real(run_seconds(row)));
    json_object_set_new(flat, "expected_s", json_real(row->seconds));
    json_object_set_new(flat, "peak_bytes", json_integer((json_int_t)row->peak_bytes));
    return flat;
}

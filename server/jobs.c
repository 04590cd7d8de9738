/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Jobs: the way down.
 *
 * DESIGN. What can be refused is refused before anything is written: admit() decodes, binds
 * the headers of all arrays and prices the job, for a submission, a dry run and a retry
 * alike. Then come, in this order, a stored result, a job under way that computes the same,
 * the queue's limit, and the commit.
 */
#include "server/jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/problem.h"
#include "server/cost.h"
#include "server/job_text.h"
#include "server/log.h"
#include "server/metrics.h"

const char *const tg_cache_names[] = {"miss", "hit", "shared", "replay"};

/* Admission -------------------------------------------------------------------------- */

/* Opens what the store has and what the request itself carries. */
struct overlay {
    const struct tg_request_spec *spec;
    struct tg_opener stored;
};

static enum tg_err overlay_open(void *self, const char *sha256, const void **bytes,
                                size_t *n, void **handle)
{
    struct overlay *overlay = self;
    for (size_t i = 0; i < overlay->spec->nblobs; i++) {
        const struct tg_inline_blob *blob = &overlay->spec->blob[i];
        if (strcmp(blob->sha256, sha256) != 0)
            continue;
        *bytes = blob->bytes;
        *n = blob->n;
        *handle = overlay; /* no handle of the store's */
        return TG_OK;
    }
    return overlay->stored.open(overlay->stored.self, sha256, bytes, n, handle);
}

static void overlay_close(void *self, void *handle)
{
    struct overlay *overlay = self;
    if (handle != overlay)
        overlay->stored.close(overlay->stored.self, handle);
}

static const char *overlay_why(void *self)
{
    const struct overlay *overlay = self;
    return overlay->stored.why(overlay->stored.self);
}

static enum tg_err too_large(const struct tg_jobs *jobs, const struct tg_job_cost *cost,
                             struct tg_report *report)
{
    return tg_fault_add(report, TG_TOO_LARGE_JOB, NULL,
                        "The job needs %.1f MiB and the daemon gives jobs %.1f MiB together. "
                        "Send smaller or fewer arrays, or start tangentd with a larger "
                        "--memory.",
                        (double)cost->peak_bytes / 0x1p20,
                        (double)jobs->memory_bytes / 0x1p20);
}

/* With every core's scratch, or when that is too much with one's. */
static enum tg_err price(const struct tg_jobs *jobs, const struct tg_job *job,
                         struct tg_job_cost *cost, struct tg_report *report)
{
    enum tg_err err = tg_cost_of(job, jobs->lanes, cost);
    if (!err && cost->peak_bytes > jobs->memory_bytes && jobs->lanes > 1)
        err = tg_cost_of(job, 1, cost);
    if (err)
        return tg_fault_add(report, err, NULL, "The job's cost cannot be estimated: %s.",
                            tg_err_title(err));
    return cost->peak_bytes > jobs->memory_bytes ? too_large(jobs, cost, report) : TG_OK;
}

static enum tg_err admit(const struct tg_jobs *jobs, const struct tg_request_spec *spec,
                         struct tg_job_cost *cost, struct tg_report *report)
{
    struct tg_reading reading;
    struct overlay overlay = {spec, tg_reading_opener(&reading)};
    const struct tg_opener opener = {&overlay, overlay_open, overlay_close, overlay_why};
    struct tg_job job;
    tg_reading_init(&reading, jobs->store);
    enum tg_err err = tg_job_bind(spec, &opener, true, jobs->memory_bytes, &job, report);
    if (!err) {
        err = price(jobs, &job, cost, report);
        tg_job_release(&job);
    }
    enum tg_err changed = tg_reading_check(&reading, report);
    return changed ? changed : err;
}

/* Numbers in a body take at most as much memory as the body may. */
static enum tg_err decode(const struct tg_jobs *jobs, const char *body, size_t n,
                          struct tg_request_spec *spec, struct tg_report *report)
{
    size_t max = (size_t)jobs->config->max_body;
    const struct tg_decode_limits limits = {
        .max_numbers = max / sizeof(double),
        .max_inline_bytes = max,
    };
    return tg_request_decode(body, n, &limits, spec, report);
}

/* Committing ------------------------------------------------------------------------- */

static double shorter(double a, double b)
{
    return a > 0 && (b <= 0 || a < b) ? a : b;
}

/* Everything a second request with the same key has to say too. */
static enum tg_err write_fingerprint(const struct tg_request_spec *spec,
                                     char hex[TG_SHA256_HEX])
{
    struct tg_buf text;
    tg_buf_init(&text, 1 << 16);
    tg_buf_printf(&text, "%s\n%d\n%d\n", spec->hash, (int)spec->priority, spec->keep);
    tg_buf_double(&text, spec->max_run_s);
    tg_buf_puts(&text, "\n");
    tg_buf_double(&text, spec->deadline);
    tg_buf_printf(&text, "\n%s", spec->name);
    bool whole = !tg_buf_failed(&text);
    if (whole)
        tg_sha256_hex(text.p, text.n, hex);
    tg_buf_release(&text);
    return whole ? TG_OK : TG_NOMEM;
}

static int by_digest(const void *a, const void *b)
{
    return memcmp(a, b, TG_SHA256_HEX);
}

/* The digests a job refers to, each once. */
static char (*list_inputs(const struct tg_request_spec *spec, size_t *n))[TG_SHA256_HEX]
{
    size_t count = 0;
    for (size_t i = 0; i < spec->kind->ninputs; i++)
        count += spec->inputs[i].n;
    char(*list)[TG_SHA256_HEX] = calloc(count + 1, sizeof(*list));
    *n = 0;
    if (!list)
        return NULL;
    count = 0;
    for (size_t i = 0; i < spec->kind->ninputs; i++)
        for (size_t k = 0; k < spec->inputs[i].n; k++)
            memcpy(list[count++], spec->inputs[i].ref[k].sha256, TG_SHA256_HEX);
    qsort(list, count, sizeof(*list), by_digest);
    for (size_t i = 0; i < count; i++)
        if (!*n || memcmp(list[*n - 1], list[i], TG_SHA256_HEX) != 0)
            memmove(list[(*n)++], list[i], TG_SHA256_HEX);
    return list;
}

struct order {
    const struct tg_request_spec *spec;
    const struct tg_job_cost *cost;
    const char *token, *idempotency_key, *retry_of, *result_of;
};

/* The strings stay the spec's and the order's. */
static struct tg_job_row make_row(const struct tg_jobs *jobs, const struct order *order)
{
    const struct tg_request_spec *spec = order->spec;
    struct tg_job_row row = {
        .kind = (char *)(uintptr_t)spec->kind->name,
        .name = (char *)(uintptr_t)spec->name,
        .token = (char *)(uintptr_t)order->token,
        .canonical = spec->canonical,
        .retry_of = (char *)(uintptr_t)order->retry_of,
        .priority = spec->priority,
        .max_run_s = shorter(spec->max_run_s, jobs->config->max_run),
        .deadline = spec->deadline,
        .keep = spec->keep,
        .peak_bytes = order->cost->peak_bytes,
        .flops = order->cost->flops,
        .seconds = order->cost->seconds,
    };
    memcpy(row.hash, spec->hash, sizeof(row.hash));
    return row;
}

static enum tg_err commit(struct tg_jobs *jobs, const struct order *order,
                          char id[TG_ID_SIZE], bool *existing, struct tg_report *report)
{
    char fingerprint[TG_SHA256_HEX];
    size_t ninputs;
    TG_TRY(write_fingerprint(order->spec, fingerprint));
    char(*inputs)[TG_SHA256_HEX] = list_inputs(order->spec, &ninputs);
    struct tg_job_row row = make_row(jobs, order);
    if (!inputs)
        return TG_NOMEM;
    const struct tg_submit submit = {
        .row = &row,
        .blob = order->spec->blob,
        .nblobs = order->spec->nblobs,
        .inputs = (const char(*)[TG_SHA256_HEX])inputs,
        .ninputs = ninputs,
        .idempotency_key = order->idempotency_key,
        .fingerprint = fingerprint,
        .result_of = order->result_of,
    };
    enum tg_err err = tg_store_submit(jobs->store, &submit, id, existing, report);
    free(inputs);
    if (err || *existing)
        return err;
    TG_COUNT(jobs_submitted);
    if (order->result_of)
        return TG_OK;
    /* It is on disk, so the queue's limit, which was asked before, no longer matters. A job
     * that cannot be queued fails with the reason. */
    memcpy(row.id, id, TG_ID_SIZE);
    (void)!tg_pool_push(jobs->pool, &row, true);
    return TG_OK;
}

static enum tg_err commit_new(struct tg_jobs *jobs, const struct order *order,
                              char id[TG_ID_SIZE], bool *existing, struct tg_report *report)
{
    if (tg_pool_is_full(jobs->pool))
        return tg_fault_add(report, TG_QUEUE_FULL, NULL,
                            "%lld jobs are waiting already; submit this one later.",
                            (long long)jobs->config->max_queued);
    return commit(jobs, order, id, existing, report);
}

/* A job under way that computes the same for the same token; else TG_NOT_FOUND. */
static enum tg_err find_shared(struct tg_jobs *jobs, const struct order *order,
                               char id[TG_ID_SIZE])
{
    struct tg_job_row row;
    TG_TRY(tg_store_find_active(jobs->store, order->spec->hash, id));
    TG_TRY(tg_store_get(jobs->store, id, &row, NULL));
    bool same = !strcmp(row.token, order->token) && !tg_state_is_terminal(row.state) &&
                row.state != TG_CANCELLING;
    tg_job_row_release(&row);
    return same ? TG_OK : TG_NOT_FOUND;
}

/* A new job with the result of a finished one; TG_NOT_FOUND when there is none, or retention
 * took it in between. */
static enum tg_err commit_known(struct tg_jobs *jobs, const struct order *order,
                                char id[TG_ID_SIZE], bool *existing,
                                struct tg_report *report)
{
    char finished[TG_ID_SIZE];
    struct order known = *order;
    TG_TRY(tg_store_find_result(jobs->store, order->spec->hash, finished));
    known.result_of = finished;
    enum tg_err err = commit(jobs, &known, id, existing, report);
    return err == TG_CONFLICT ? TG_NOT_FOUND : err;
}

static enum tg_err place(struct tg_jobs *jobs, const struct order *order, bool no_cache,
                         char id[TG_ID_SIZE], enum tg_cache *cache,
                         struct tg_report *report)
{
    bool existing = false;
    enum tg_err err = TG_NOT_FOUND;
    *cache = TG_CACHE_HIT;
    if (!no_cache)
        err = commit_known(jobs, order, id, &existing, report);
    if (!err && !existing)
        TG_COUNT(jobs_cached);
    if (err == TG_NOT_FOUND && !no_cache && !order->idempotency_key) {
        *cache = TG_CACHE_SHARED;
        err = find_shared(jobs, order, id);
    }
    if (err == TG_NOT_FOUND || err == TG_GONE) {
        *cache = TG_CACHE_MISS;
        err = commit_new(jobs, order, id, &existing, report);
    }
    if (existing)
        *cache = TG_CACHE_REPLAY;
    return err;
}

/* The interface ---------------------------------------------------------------------- */

enum tg_err tg_jobs_submit(struct tg_jobs *jobs, const struct tg_jobs_submit *submit,
                           char id[TG_ID_SIZE], enum tg_cache *cache,
                           struct tg_report *report)
{
    struct tg_request_spec spec;
    struct tg_job_cost cost;
    TG_TRY(decode(jobs, submit->body, submit->n, &spec, report));
    enum tg_err err = admit(jobs, &spec, &cost, report);
    if (!err) {
        const struct order order = {
            .spec = &spec,
            .cost = &cost,
            .token = submit->token,
            .idempotency_key = submit->idempotency_key,
            .retry_of = "",
        };
        err = place(jobs, &order, submit->no_cache, id, cache, report);
    }
    tg_request_spec_release(&spec);
    return err;
}

static json_t *dry_answer(struct tg_jobs *jobs, const struct tg_request_spec *spec,
                          const struct tg_job_cost *cost)
{
    char id[TG_ID_SIZE];
    enum tg_cache cache = TG_CACHE_MISS;
    if (!tg_store_find_result(jobs->store, spec->hash, id))
        cache = TG_CACHE_HIT;
    else if (!tg_store_find_active(jobs->store, spec->hash, id))
        cache = TG_CACHE_SHARED;
    return json_pack("{s:b, s:s, s:s, s:o, s:s*, s:s, s:s*, s:f}", "valid", 1, "kind",
                     spec->kind->name, "hash", spec->hash, "cost",
                     tg_job_cost_json(cost->peak_bytes, cost->flops, cost->seconds), "plan",
                     *cost->plan ? cost->plan : NULL, "cache", tg_cache_names[cache], "job",
                     cache == TG_CACHE_MISS ? NULL : id, "expected_wait_s",
                     cache == TG_CACHE_HIT ? 0.0 : tg_pool_expected_wait(jobs->pool));
}

enum tg_err tg_jobs_dry_run(struct tg_jobs *jobs, const char *body, size_t n,
                            json_t **answer, struct tg_report *report)
{
    struct tg_request_spec spec;
    struct tg_job_cost cost;
    TG_TRY(decode(jobs, body, n, &spec, report));
    enum tg_err err = admit(jobs, &spec, &cost, report);
    if (!err) {
        *answer = dry_answer(jobs, &spec, &cost);
        err = *answer ? TG_OK : TG_NOMEM;
    }
    tg_request_spec_release(&spec);
    return err;
}

enum tg_err tg_jobs_cancel(struct tg_jobs *jobs, const char *id, enum tg_state *now,
                           struct tg_report *report)
{
    struct tg_report why;
    tg_report_init(&why);
    tg_fault_add(&why, TG_CANCELLED, NULL, "The job was cancelled before it ran.");
    char *problem = tg_job_problem(id, TG_CANCELLED, &why);
    enum tg_err err = tg_store_cancel(
        jobs->store, id, problem ? problem : tg_problem_plain(TG_CANCELLED), now);
    free(problem);
    if (err == TG_NOT_FOUND || err == TG_GONE) {
        struct tg_job_row row;
        TG_TRY(tg_store_get(jobs->store, id, &row, report)); /* says which, and why */
        tg_job_row_release(&row);
    }
    if (err)
        return tg_fault_add(report, err, NULL, "The job cannot be cancelled now: %s.",
                            tg_err_title(err));
    tg_pool_cancel(jobs->pool, id);
    return TG_OK;
}

static enum tg_err retry_row(struct tg_jobs *jobs, const struct tg_job_row *row,
                             const char *token, char new_id[TG_ID_SIZE],
                             struct tg_report *report)
{
    struct tg_request_spec spec;
    struct tg_job_cost cost;
    bool existing;
    TG_TRY(tg_request_from_canonical(row->canonical, &spec, report));
    spec.name = row->name;
    spec.priority = row->priority;
    spec.max_run_s = row->max_run_s;
    spec.keep = row->keep; /* the deadline is left out: it has passed, or soon will */
    enum tg_err err = admit(jobs, &spec, &cost, report);
    if (!err) {
        const struct order order = {
            .spec = &spec, .cost = &cost, .token = token, .retry_of = row->id};
        err = commit_new(jobs, &order, new_id, &existing, report);
    }
    tg_request_spec_release(&spec);
    return err;
}

enum tg_err tg_jobs_retry(struct tg_jobs *jobs, const char *id, const char *token,
                          char new_id[TG_ID_SIZE], struct tg_report *report)
{
    struct tg_job_row row;
    TG_TRY(tg_store_get(jobs->store, id, &row, report));
    enum tg_err err;
    if (!tg_state_is_terminal(row.state) || row.state == TG_SUCCEEDED)
        err = tg_fault_add(report, TG_CONFLICT, NULL,
                           "The job is %s; only one that failed, was cancelled or expired "
                           "can be retried.",
                           tg_state_names[row.state]);
    else
        err = retry_row(jobs, &row, token, new_id, report);
    tg_job_row_release(&row);
    return err;
}

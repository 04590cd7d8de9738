/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Jobs: the way down from a request body to a committed, queued job, and the job as a JSON
 * document on the way up. Knows no HTTP.
 */
#ifndef TG_SERVER_JOBS_H
#define TG_SERVER_JOBS_H

#include <jansson.h>

#include "server/config.h"
#include "server/pool.h"
#include "server/store.h"

struct tg_jobs {
    struct tg_store *store;
    struct tg_pool *pool;
    const struct tg_config *config;
    uint64_t memory_bytes; /* the pool's budget */
    unsigned lanes;        /* cores one job may use */
};

struct tg_jobs_submit {
    const char *body;
    size_t n;
    const char *token;           /* name of the submitter's token, "" if open */
    const char *idempotency_key; /* NULL: none */
    bool no_cache;               /* Cache-Control: no-store */
};

enum tg_cache { TG_CACHE_MISS, TG_CACHE_HIT, TG_CACHE_SHARED, TG_CACHE_REPLAY };
extern const char *const tg_cache_names[]; /* "miss", "hit", "shared", "replay" */

/*
 * Decode, bind headers, estimate, look for a stored result, commit, queue. On TG_OK the job
 * `id` is on disk. A fault leaves nothing behind.
 */
TG_MUST_CHECK enum tg_err tg_jobs_submit(struct tg_jobs *jobs, const struct tg_jobs_submit *submit,
                                         char id[TG_ID_SIZE], enum tg_cache *cache,
                                         struct tg_report *report);
/* The same checks, nothing kept: *answer is {valid, cost, cache, expected_wait_s, hash}. */
TG_MUST_CHECK enum tg_err tg_jobs_dry_run(struct tg_jobs *jobs, const char *body, size_t n,
                                          json_t **answer, struct tg_report *report);
TG_MUST_CHECK enum tg_err tg_jobs_cancel(struct tg_jobs *jobs, const char *id,
                                         enum tg_state *now, struct tg_report *report);
/* A failed, cancelled or expired job again, as a new job with retry_of; else TG_CONFLICT. */
TG_MUST_CHECK enum tg_err tg_jobs_retry(struct tg_jobs *jobs, const char *id, const char *token,
                                        char new_id[TG_ID_SIZE], struct tg_report *report);

/* The job document: id, kind, name, state, priority, progress, timestamps (RFC 3339), cost,
 * attempt, hash, problem, links. New reference. */
json_t *tg_jobs_document(struct tg_jobs *jobs, const struct tg_job_row *row);
/* One flat row for dashboards. */
json_t *tg_jobs_flat(struct tg_jobs *jobs, const struct tg_job_row *row);

#endif

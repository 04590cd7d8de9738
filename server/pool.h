/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Pool: worker threads that take jobs, run them, and lend themselves to big ones.
 *
 * DESIGN. `workers` threads (one per core, niced so that HTTP stays prompt). A worker takes
 * a job from the scheduler, commits its start, binds its inputs, calls kind->run and commits
 * the end. While a job is inside tg_ctx_parallel() and nothing waits that could start, idle
 * workers take tiles of it; when a job arrives they leave after their tile. So a lone big
 * job uses every core, many small ones run one each, and the machine is never
 * oversubscribed. Cancel, deadline and shutdown set the job's stop word. The running of one
 * typed job is behind one function, tg_execute() in server/execute.h, the seam for other
 * executors.
 *
 * Lock order: pool.mu before a job's progress and hub.mu. No lock is held across store calls
 * or kind->run.
 */
#ifndef TG_SERVER_POOL_H
#define TG_SERVER_POOL_H

#include <jansson.h>

#include "server/derived.h"
#include "server/events.h"
#include "server/partials.h"
#include "server/scheduler.h"
#include "server/store.h"

struct tg_pool;

struct tg_pool_options {
    unsigned workers;
    uint64_t memory_bytes;
    double long_s;             /* a job expected to take longer counts as long */
    size_t max_queued;
    struct tg_store *store;
    struct tg_hub *hub;
    struct tg_partials *partials;
    struct tg_derived *derived; /* NULL: what analyses derive is not kept */
};

TG_MUST_CHECK enum tg_err tg_pool_start(const struct tg_pool_options *options,
                                        struct tg_pool **pool, struct tg_report *report);
/* Take no more jobs; those that run go on. */
void tg_pool_close(struct tg_pool *pool);
/*
 * Stop taking jobs, let running ones go on for grace_s, then stop them and put them back
 * to queued; join the threads and free.
 */
void tg_pool_stop(struct tg_pool *pool, double grace_s);

bool tg_pool_is_full(struct tg_pool *pool);
/* A committed queued row. `recovered` ignores the queue's limit. */
TG_MUST_CHECK enum tg_err tg_pool_push(struct tg_pool *pool, const struct tg_job_row *row,
                                       bool recovered);
/* After tg_store_cancel: drop it from the queue or stop it. */
void tg_pool_cancel(struct tg_pool *pool, const char *id);

/* Progress of a running job; false when it is not running here. */
struct tg_progress {
    double fraction, done, total, eta_s; /* eta_s < 0: unknown */
    char unit[16], phase[48];
};
bool tg_pool_progress(struct tg_pool *pool, const char *id, struct tg_progress *progress);

struct tg_pool_stats {
    unsigned workers, busy, helping;
    uint64_t memory_bytes;
    struct tg_sched_stats sched;
    uint64_t finished[TG_STATE_COUNT]; /* since start */
    double run_seconds;                /* total */
};
void tg_pool_stats(struct tg_pool *pool, struct tg_pool_stats *stats);

/* Expected seconds until a job pushed now would start. */
double tg_pool_expected_wait(struct tg_pool *pool);

#endif

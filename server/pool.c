/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pool: the queue's lock, the watchdog over time limits, start and stop. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/problem.h"
#include "server/clock.h"
#include "server/job_text.h"
#include "server/log.h"
#include "server/metrics.h"
#include "server/pool_private.h"

enum { MAX_BYPASS = 16 };

/* How long the watchdog sleeps at most: deadlines are wall time, and that may jump. */
static const double longest_watch_s = 60;

void tg_pool_count_locked(struct tg_pool *pool, enum tg_state state)
{
    pool->finished[state]++;
    if (state == TG_SUCCEEDED)
        TG_COUNT(jobs_succeeded);
    else if (state == TG_FAILED)
        TG_COUNT(jobs_failed);
    else
        TG_COUNT(jobs_cancelled);
}

/* The queue -------------------------------------------------------------------------- */

bool tg_pool_is_full(struct tg_pool *pool)
{
    pthread_mutex_lock(&pool->mu);
    bool full = tg_sched_is_full(pool->sched);
    pthread_mutex_unlock(&pool->mu);
    return full;
}

static enum tg_err push_item(struct tg_pool *pool, const struct tg_sched_item *item,
                             bool force)
{
    pthread_mutex_lock(&pool->mu);
    enum tg_err err = tg_sched_push(pool->sched, item, force);
    if (!err) {
        atomic_store_explicit(&pool->lend.wanted, true, memory_order_relaxed);
        pthread_cond_signal(&pool->wake);
        if (item->deadline > 0)
            pthread_cond_signal(&pool->watch);
    }
    pthread_mutex_unlock(&pool->mu);
    return err;
}

/* The job can never run here: it fails, and says why. */
static void refuse(struct tg_pool *pool, const struct tg_job_row *row, enum tg_err why)
{
    struct tg_report report;
    tg_report_init(&report);
    if (why == TG_TOO_LARGE_JOB)
        tg_fault_add(&report, why, NULL,
                     "The job needs %.1f MiB and the daemon now gives jobs %.1f MiB; start "
                     "it with a larger --memory and retry the job.",
                     (double)row->peak_bytes / 0x1p20,
                     (double)pool->options.memory_bytes / 0x1p20);
    char *problem = tg_job_problem(row->id, why, &report);
    enum tg_err err =
        tg_store_end(pool->options.store, row->id, 0, TG_FAILED,
                     problem ? problem : tg_problem_plain(why));
    free(problem);
    if (err) {
        tg_log(TG_LOG_WARN, "job %s can not be queued: %s", row->id, tg_err_title(why));
        return;
    }
    pthread_mutex_lock(&pool->mu);
    tg_pool_count_locked(pool, TG_FAILED);
    pthread_mutex_unlock(&pool->mu);
}

enum tg_err tg_pool_push(struct tg_pool *pool, const struct tg_job_row *row, bool recovered)
{
    struct tg_sched_item item = {
        .priority = row->priority,
        .bytes = row->peak_bytes,
        .seconds = row->seconds,
        .deadline = row->deadline,
    };
    snprintf(item.id, sizeof(item.id), "%s", row->id);
    snprintf(item.token, sizeof(item.token), "%s", row->token ? row->token : "");
    enum tg_err err = push_item(pool, &item, recovered);
    if (err && err != TG_QUEUE_FULL)
        refuse(pool, row, err);
    return err;
}

void tg_pool_cancel(struct tg_pool *pool, const char *id)
{
    pthread_mutex_lock(&pool->mu);
    if (tg_sched_remove(pool->sched, id)) {
        tg_pool_count_locked(pool, TG_JOB_CANCELLED);
        atomic_store_explicit(&pool->lend.wanted, true, memory_order_relaxed);
        pthread_cond_broadcast(&pool->wake); /* others may have had to wait for it */
    }
    for (unsigned i = 0; i < pool->options.workers; i++) {
        struct tg_worker *worker = &pool->workers[i];
        if (worker->busy && !strcmp(worker->item.id, id))
            atomic_store(&worker->stop, TG_STOP_CANCEL);
    }
    pthread_mutex_unlock(&pool->mu);
}

/* The watchdog ----------------------------------------------------------------------- */

static void stop_worker(struct tg_worker *worker, enum tg_stop why)
{
    int go = TG_GO;
    atomic_compare_exchange_strong(&worker->stop, &go, (int)why);
}

/* Stops what has run past its limit; the time of the next limit. */
static double stop_late_locked(struct tg_pool *pool, double now)
{
    double next = INFINITY;
    for (unsigned i = 0; i < pool->options.workers; i++) {
        struct tg_worker *worker = &pool->workers[i];
        if (!worker->busy || worker->limit <= 0)
            continue;
        if (worker->limit <= now)
            stop_worker(worker, TG_STOP_DEADLINE);
        else
            next = fmin(next, worker->limit);
    }
    return next;
}

/* When the store cannot be written now, the job waits on and is tried again. */
static void expire(struct tg_pool *pool, struct tg_sched_item *item)
{
    struct tg_report report;
    tg_report_init(&report);
    tg_fault_add(&report, TG_DEADLINE, NULL,
                 "The job's deadline passed while it waited; give it more time or a higher "
                 "priority.");
    char *problem = tg_job_problem(item->id, TG_DEADLINE, &report);
    enum tg_err err = tg_store_end(pool->options.store, item->id, 0, TG_EXPIRED,
                                   problem ? problem : tg_problem_plain(TG_DEADLINE));
    free(problem);
    item->deadline = tg_clock_wall() + 1;
    if (err == TG_STORE || err == TG_NOMEM) {
        if (push_item(pool, item, true))
            tg_log(TG_LOG_WARN, "job %s expires after the next start", item->id);
    } else if (!err) {
        pthread_mutex_lock(&pool->mu);
        tg_pool_count_locked(pool, TG_EXPIRED);
        pthread_mutex_unlock(&pool->mu);
    }
}

static void *watch(void *arg)
{
    struct tg_pool *pool = arg;
    struct tg_sched_item item;
    pthread_setname_np(pthread_self(), "watchdog");
    pthread_mutex_lock(&pool->mu);
    while (!pool->stopping) {
        double now = tg_clock_monotonic(), wall = tg_clock_wall();
        double until = fmin(stop_late_locked(pool, now), now + longest_watch_s);
        if (tg_sched_take_expired(pool->sched, wall, &item)) {
            pthread_mutex_unlock(&pool->mu);
            expire(pool, &item);
            pthread_mutex_lock(&pool->mu);
            continue;
        }
        double deadline = tg_sched_next_deadline(pool->sched);
        if (deadline > 0)
            until = fmin(until, now + (deadline - wall));
        struct timespec at = tg_clock_timespec(until);
        pthread_cond_timedwait(&pool->watch, &pool->mu, &at);
    }
    pthread_mutex_unlock(&pool->mu);
    return NULL;
}

/* Start and stop --------------------------------------------------------------------- */

static void init_locks(struct tg_pool *pool)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&pool->mu, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->watch, &monotonic);
    pthread_cond_init(&pool->quit, &monotonic);
    pthread_cond_init(&pool->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    tg_lend_init(&pool->lend, &pool->mu, &pool->wake);
}

static void free_pool(struct tg_pool *pool)
{
    for (unsigned i = 0; pool->workers && i < pool->options.workers; i++)
        tg_meter_destroy(&pool->workers[i].meter);
    tg_lend_destroy(&pool->lend);
    tg_sched_free(pool->sched);
    pthread_cond_destroy(&pool->wake);
    pthread_cond_destroy(&pool->watch);
    pthread_cond_destroy(&pool->quit);
    pthread_cond_destroy(&pool->ended);
    pthread_mutex_destroy(&pool->mu);
    free(pool->workers);
    free(pool);
}

static enum tg_err start_threads(struct tg_pool *pool)
{
    for (unsigned i = 0; i < pool->options.workers; i++) {
        struct tg_worker *worker = &pool->workers[i];
        if (pthread_create(&worker->thread, NULL, tg_worker_main, worker))
            return TG_NOMEM;
        pool->nstarted++;
    }
    pool->has_watchdog = !pthread_create(&pool->watchdog, NULL, watch, pool);
    return pool->has_watchdog ? TG_OK : TG_NOMEM;
}

enum tg_err tg_pool_start(const struct tg_pool_options *options, struct tg_pool **out,
                          struct tg_report *report)
{
    const struct tg_sched_options sched = {
        .workers = options->workers,
        .memory_bytes = options->memory_bytes,
        .long_s = options->long_s,
        .max_bypass = MAX_BYPASS,
        .max_queued = options->max_queued,
    };
    struct tg_pool *pool = calloc(1, sizeof(*pool));
    *out = NULL;
    if (!pool)
        return tg_fault_add(report, TG_NOMEM, NULL, "There is no memory for the workers.");
    pool->options = *options;
    init_locks(pool);
    pool->sched = tg_sched_new(&sched);
    pool->workers = calloc(options->workers, sizeof(*pool->workers));
    for (unsigned i = 0; pool->workers && i < options->workers; i++) {
        pool->workers[i].pool = pool;
        pool->workers[i].lane = i;
        tg_meter_init(&pool->workers[i].meter);
    }
    if (!pool->sched || !pool->workers || start_threads(pool)) {
        tg_pool_stop(pool, 0);
        return tg_fault_add(report, TG_NOMEM, NULL,
                            "%u worker threads cannot be started; use fewer --workers.",
                            options->workers);
    }
    *out = pool;
    return TG_OK;
}

void tg_pool_close(struct tg_pool *pool)
{
    pthread_mutex_lock(&pool->mu);
    pool->closed = true;
    pthread_cond_broadcast(&pool->quit);
    pthread_mutex_unlock(&pool->mu);
}

static void wait_idle(struct tg_pool *pool, double grace_s)
{
    struct timespec until = tg_clock_timespec(tg_clock_monotonic() + grace_s);
    pthread_mutex_lock(&pool->mu);
    while (pool->busy && pthread_cond_timedwait(&pool->ended, &pool->mu, &until) != ETIMEDOUT)
        continue;
    pool->stopping = true;
    for (unsigned i = 0; i < pool->nstarted; i++)
        stop_worker(&pool->workers[i], TG_STOP_SHUTDOWN);
    pthread_cond_broadcast(&pool->wake);
    pthread_cond_broadcast(&pool->watch);
    pthread_cond_broadcast(&pool->quit);
    pthread_mutex_unlock(&pool->mu);
}

void tg_pool_stop(struct tg_pool *pool, double grace_s)
{
    if (!pool)
        return;
    tg_pool_close(pool);
    wait_idle(pool, grace_s);
    for (unsigned i = 0; i < pool->nstarted; i++)
        pthread_join(pool->workers[i].thread, NULL);
    if (pool->has_watchdog)
        pthread_join(pool->watchdog, NULL);
    free_pool(pool);
}

/* Looking ---------------------------------------------------------------------------- */

bool tg_pool_progress(struct tg_pool *pool, const char *id, struct tg_progress *progress)
{
    double now = tg_clock_monotonic();
    bool found = false;
    pthread_mutex_lock(&pool->mu);
    for (unsigned i = 0; i < pool->options.workers && !found; i++) {
        struct tg_worker *worker = &pool->workers[i];
        found = worker->busy && !strcmp(worker->item.id, id);
        if (found)
            tg_meter_read(&worker->meter, now, progress);
    }
    pthread_mutex_unlock(&pool->mu);
    return found;
}

void tg_pool_stats(struct tg_pool *pool, struct tg_pool_stats *stats)
{
    pthread_mutex_lock(&pool->mu);
    *stats = (struct tg_pool_stats){
        .workers = pool->options.workers,
        .busy = pool->busy,
        .helping = pool->lend.helping,
        .memory_bytes = pool->options.memory_bytes,
        .run_seconds = pool->run_seconds,
    };
    memcpy(stats->finished, pool->finished, sizeof(stats->finished));
    tg_sched_stats(pool->sched, &stats->sched);
    pthread_mutex_unlock(&pool->mu);
}

double tg_pool_expected_wait(struct tg_pool *pool)
{
    struct tg_sched_stats stats;
    double now = tg_clock_monotonic(), left = 0;
    pthread_mutex_lock(&pool->mu);
    tg_sched_stats(pool->sched, &stats);
    bool idle = pool->busy < pool->options.workers && !stats.queued;
    for (unsigned i = 0; i < pool->options.workers && !idle; i++)
        if (pool->workers[i].busy)
            left += tg_meter_left(&pool->workers[i].meter, now);
    pthread_mutex_unlock(&pool->mu);
    return idle ? 0 : (stats.queued_s + left) / pool->options.workers;
}

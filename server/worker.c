/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A worker: takes a job, commits its start, executes it, commits its end; helps when there
 * is nothing to take.
 *
 * DESIGN. What a job has computed is not thrown away because the disk is full: the worker
 * tries to commit the end, with growing pauses, until it works or the daemon stops. In that
 * case the job is still "running" on disk and runs again in the next life.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proto/problem.h"
#include "server/clock.h"
#include "server/execute.h"
#include "server/job_text.h"
#include "server/log.h"
#include "server/pool_private.h"

enum { NICENESS = 5 };
static const double first_pause_s = 0.01, longest_pause_s = 2;

/* Commits ---------------------------------------------------------------------------- */

enum step { START, SUCCEED, END, REQUEUE };

struct commit {
    enum step step;
    enum tg_state state;      /* END */
    const char *problem;      /* END */
    const struct tg_outcome *outcome; /* SUCCEED */
    int attempt;              /* START fills it in */
};

static enum tg_err try_commit(const struct tg_worker *worker, struct commit *commit)
{
    struct tg_store *store = worker->pool->options.store;
    const char *id = worker->item.id;
    switch (commit->step) {
    case START:
        return tg_store_start(store, id, &commit->attempt);
    case SUCCEED:
        return tg_store_succeed(store, id, commit->attempt, commit->outcome->document,
                                commit->outcome->blobs, commit->outcome->nblobs);
    case END:
        return tg_store_end(store, id, commit->attempt, commit->state, commit->problem);
    case REQUEUE:
        return tg_store_requeue(store, id, commit->attempt);
    }
    TG_BUG("unknown step");
}

/* Sleeps; false when the worker should give up instead. */
static bool nap(struct tg_pool *pool, double seconds, bool may_begin)
{
    struct timespec until = tg_clock_timespec(tg_clock_monotonic() + seconds);
    pthread_mutex_lock(&pool->mu);
    bool on = !pool->stopping && (!may_begin || !pool->closed);
    if (on)
        pthread_cond_timedwait(&pool->quit, &pool->mu, &until);
    pthread_mutex_unlock(&pool->mu);
    return on;
}

static enum tg_err insist(struct tg_worker *worker, struct commit *commit)
{
    for (double pause = first_pause_s;; pause = fmin(2 * pause, longest_pause_s)) {
        enum tg_err err = try_commit(worker, commit);
        if ((err != TG_STORE && err != TG_NOMEM) ||
            !nap(worker->pool, pause, commit->step == START))
            return err;
    }
}

/* The end of a job -------------------------------------------------------------------- */

static void count(struct tg_pool *pool, enum tg_state state)
{
    pthread_mutex_lock(&pool->mu);
    tg_pool_count_locked(pool, state);
    pthread_mutex_unlock(&pool->mu);
}

static void end_with_problem(struct tg_worker *worker, int attempt, enum tg_state state,
                             enum tg_err why, const struct tg_report *report)
{
    char *problem = tg_job_problem(worker->item.id, why, report);
    struct commit commit = {.step = END,
                            .state = state,
                            .problem = problem ? problem : tg_problem_plain(why),
                            .attempt = attempt};
    enum tg_err err = insist(worker, &commit);
    free(problem);
    if (err)
        tg_log(TG_LOG_WARN, "job %s: its end as %s was not kept: %s", worker->item.id,
               tg_state_names[state], tg_err_title(err));
    else
        count(worker->pool, state);
}

static void end_well(struct tg_worker *worker, int attempt, const struct tg_outcome *outcome)
{
    struct commit commit = {.step = SUCCEED, .outcome = outcome, .attempt = attempt};
    enum tg_err err = insist(worker, &commit);
    if (!err)
        count(worker->pool, TG_SUCCEEDED);
    else if (err == TG_STORE || err == TG_CONFLICT)
        tg_log(TG_LOG_WARN, "job %s: its result was not kept: %s", worker->item.id,
               tg_err_title(err));
    else
        end_with_problem(worker, attempt, TG_FAILED, err, NULL);
}

static void end_attempt(struct tg_worker *worker, int attempt, enum tg_err err,
                        const struct tg_outcome *outcome, const struct tg_report *report)
{
    struct commit requeue = {.step = REQUEUE, .attempt = attempt};
    if (!err)
        end_well(worker, attempt, outcome);
    else if (err == TG_CANCELLED || err == TG_DEADLINE)
        end_with_problem(worker, attempt, TG_JOB_CANCELLED, err, report);
    else if (err != TG_DRAINING)
        end_with_problem(worker, attempt, TG_FAILED, err, report);
    else if (insist(worker, &requeue))
        tg_log(TG_LOG_INFO, "job %s runs again after the restart", worker->item.id);
}

/* Running ---------------------------------------------------------------------------- */

static enum tg_err lend_tiles(void *runner, int64_t n, tg_tile_fn fn, void *arg)
{
    struct tg_worker *worker = runner;
    return tg_lend_run(&worker->pool->lend, &worker->stop, worker->lane, n, fn, arg);
}

static void tell_progress(void *runner, const char *phase, double done, double total,
                          const char *unit)
{
    struct tg_worker *worker = runner;
    int go = TG_GO;
    if (!tg_meter_report(&worker->meter, tg_clock_monotonic(), phase, done, total, unit))
        return;
    tg_hub_bump(worker->pool->options.hub);
    if (tg_reading_check(&worker->reading, NULL)) /* nothing will come of it */
        atomic_compare_exchange_strong(&worker->stop, &go, TG_STOP_CANCEL);
}

static bool recall_derived(void *runner, const char *key, void *data, size_t n)
{
    const struct tg_worker *worker = runner;
    return tg_derived_recall(worker->pool->options.derived, key, data, n);
}

/* Later jobs trust the key, which names the digests of what should have been read. */
static void keep_derived(void *runner, const char *key, const void *data, size_t n)
{
    struct tg_worker *worker = runner;
    if (!tg_reading_check(&worker->reading, NULL))
        tg_derived_keep(worker->pool->options.derived, key, data, n);
}

static void show_partial(void *runner, const char *name, int64_t rows, int64_t cols,
                         const double *values)
{
    const struct tg_worker *worker = runner;
    const struct tg_pool_options *options = &worker->pool->options;
    if (tg_partials_show(options->partials, worker->item.id, tg_clock_monotonic(), name,
                         rows, cols, values))
        tg_hub_bump(options->hub);
}

static void let_go(void *runner, double bytes)
{
    struct tg_worker *worker = runner;
    tg_reading_was_read(&worker->reading, bytes);
}

struct tg_ctx tg_worker_ctx(struct tg_worker *worker)
{
    return (struct tg_ctx){.stop = &worker->stop,
                           .lanes = worker->pool->options.workers,
                           .runner = worker,
                           .parallel = lend_tiles,
                           .progress = tell_progress,
                           .recall = recall_derived,
                           .keep = keep_derived,
                           .partial = show_partial,
                           .was_read = let_go};
}

static void set_limit(struct tg_worker *worker, const struct tg_job_row *row)
{
    struct tg_pool *pool = worker->pool;
    double now = tg_clock_monotonic(), limit = INFINITY;
    if (row->max_run_s > 0)
        limit = now + row->max_run_s;
    if (row->deadline > 0)
        limit = fmin(limit, now + row->deadline - tg_clock_wall());
    if (!isfinite(limit))
        return;
    pthread_mutex_lock(&pool->mu);
    worker->limit = limit;
    pthread_cond_signal(&pool->watch);
    pthread_mutex_unlock(&pool->mu);
}

/* What came of other bytes than those that were asked for does not count, well or ill. */
static enum tg_err check_inputs(struct tg_worker *worker, enum tg_err err,
                                struct tg_outcome *outcome, struct tg_report *report)
{
    struct tg_report why;
    tg_report_init(&why);
    enum tg_err changed =
        err == TG_DRAINING ? TG_OK : tg_reading_check(&worker->reading, &why);
    if (!changed)
        return err;
    tg_outcome_release(outcome);
    *report = why;
    return changed;
}

static void run_attempt(struct tg_worker *worker, const struct tg_job_row *row, int attempt)
{
    struct tg_pool *pool = worker->pool;
    struct tg_report report;
    struct tg_outcome outcome;
    tg_reading_init(&worker->reading, pool->options.store);
    const struct tg_task task = {
        .row = row,
        .attempt = attempt,
        .opener = tg_reading_opener(&worker->reading),
        .ctx = tg_worker_ctx(worker),
    };
    tg_report_init(&report);
    set_limit(worker, row);
    tg_partials_begin(pool->options.partials, row->id);
    enum tg_err err = tg_execute(&task, &outcome, &report);
    tg_partials_end(pool->options.partials, row->id);
    err = check_inputs(worker, err, &outcome, &report);
    end_attempt(worker, attempt, err, &outcome, &report);
    tg_outcome_release(&outcome);
}

static void run_row(struct tg_worker *worker, const struct tg_job_row *row)
{
    struct commit start = {.step = START};
    if (row->deadline > 0 && row->deadline <= tg_clock_wall()) {
        end_with_problem(worker, 0, TG_EXPIRED, TG_DEADLINE, NULL);
        return;
    }
    if (insist(worker, &start))
        return; /* cancelled meanwhile, or the daemon ends: it stays queued */
    run_attempt(worker, row, start.attempt);
}

static void run_item(struct tg_worker *worker)
{
    struct tg_job_row row;
    enum tg_err err;
    for (double pause = first_pause_s;; pause = fmin(2 * pause, longest_pause_s)) {
        err = tg_store_get(worker->pool->options.store, worker->item.id, &row, NULL);
        if (!err || err == TG_NOT_FOUND || err == TG_GONE || !nap(worker->pool, pause, true))
            break;
    }
    if (err)
        return;
    run_row(worker, &row);
    tg_job_row_release(&row);
}

static void run_taken_locked(struct tg_worker *worker)
{
    struct tg_pool *pool = worker->pool;
    double began = tg_clock_monotonic();
    struct tg_sched_stats stats;
    worker->busy = true;
    worker->limit = 0;
    atomic_store(&worker->stop, TG_GO);
    tg_meter_start(&worker->meter, began, worker->item.seconds);
    pool->busy++;
    tg_sched_stats(pool->sched, &stats);
    if (stats.queued)
        pthread_cond_signal(&pool->wake);
    pthread_mutex_unlock(&pool->mu);

    run_item(worker);

    double seconds = tg_clock_monotonic() - began;
    pthread_mutex_lock(&pool->mu);
    tg_sched_done(pool->sched, &worker->item, seconds);
    pool->run_seconds += seconds;
    pool->busy--;
    worker->busy = false;
    atomic_store_explicit(&pool->lend.wanted, true, memory_order_relaxed);
    pthread_cond_signal(&pool->ended);
}

static void become_worker(const struct tg_worker *worker)
{
    char name[16];
    snprintf(name, sizeof(name), "worker-%u", worker->lane);
    pthread_setname_np(pthread_self(), name);
    /* HTTP stays prompt while every core computes. */
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICENESS);
}

void *tg_worker_main(void *arg)
{
    struct tg_worker *worker = arg;
    struct tg_pool *pool = worker->pool;
    become_worker(worker);
    pthread_mutex_lock(&pool->mu);
    while (!pool->stopping) {
        if (!pool->closed && tg_sched_take(pool->sched, &worker->item)) {
            run_taken_locked(worker);
            continue;
        }
        atomic_store_explicit(&pool->lend.wanted, false, memory_order_relaxed);
        if (!tg_lend_help_locked(&pool->lend, worker->lane))
            pthread_cond_wait(&pool->wake, &pool->mu);
    }
    pthread_mutex_unlock(&pool->mu);
    return NULL;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Recovery after an earlier life, and retention.
 *
 * DESIGN. No clock decides whether a job is still running: the lock on the store says
 * that every earlier life is over, so whatever is running or cancelling at open has no
 * owner. Retention removes in portions, so that it never holds up a submission for long.
 */
#include "server/store_private.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/problem.h"
#include "server/log.h"

enum { PORTION = 256, MIN_AGE_S = 3600, TOMBSTONE_DAYS = 365 };

/* Recovery --------------------------------------------------------------------------- */

struct recover_args {
    char *interrupted, *cancelled; /* problem documents */
    size_t requeued, failed, ended;
};

struct unowned {
    char id[TG_ID_SIZE];
    enum tg_state state;
    int attempt;
};

static enum tg_err read_unowned(struct tg_db *db, struct unowned **jobs, size_t *n)
{
    size_t size = 0;
    enum tg_err err = TG_OK;
    sqlite3_stmt *stmt = tg_db_query(db, TG_SQL_JOB_UNOWNED, "");
    while (!err && stmt && tg_db_row(db, stmt)) {
        struct unowned *bigger = tg_grow(*jobs, *n, &size, sizeof *bigger);
        if (!bigger) {
            err = TG_NOMEM;
            break;
        }
        *jobs = bigger;
        struct unowned *job = &(*jobs)[(*n)++];
        snprintf(job->id, sizeof job->id, "%s",
                 (const char *)sqlite3_column_text(stmt, 0));
        job->state = (enum tg_state)sqlite3_column_int(stmt, 1);
        job->attempt = sqlite3_column_int(stmt, 2);
    }
    enum tg_err failed = tg_db_done(db, stmt);
    return err ? err : failed;
}

static enum tg_err recover_one(struct tg_store *store, const struct unowned *job,
                               struct recover_args *args)
{
    if (job->state == TG_CANCELLING) {
        args->ended++;
        return tg_store_move(store, job->id, TG_JOB_CANCELLED, args->cancelled);
    }
    if (job->attempt >= TG_MAX_ATTEMPTS) {
        args->failed++;
        return tg_store_move(store, job->id, TG_FAILED, args->interrupted);
    }
    args->requeued++;
    return tg_store_move(store, job->id, TG_QUEUED, NULL);
}

static enum tg_err recover_op(struct tg_store *store, void *arg)
{
    struct unowned *jobs = NULL;
    size_t n = 0;
    enum tg_err err = read_unowned(&store->db, &jobs, &n);
    for (size_t i = 0; i < n && !err; i++)
        err = recover_one(store, &jobs[i], arg);
    free(jobs);
    return err;
}

static char *problem_text(enum tg_err code, const char *detail)
{
    struct tg_report report;
    tg_report_init(&report);
    tg_fault_add(&report, code, NULL, "%s", detail);
    json_t *problem = tg_problem(code, &report, NULL);
    char *text = problem ? json_dumps(problem, JSON_COMPACT) : NULL;
    json_decref(problem);
    return text;
}

static enum tg_err end_unowned(struct tg_store *store)
{
    struct recover_args args = {
        .interrupted = problem_text(
            TG_INTERRUPTED, "The daemon ended three times while this job was running, "
                            "perhaps because of it; it is not tried again."),
        .cancelled = problem_text(TG_CANCELLED, "The job was cancelled."),
    };
    enum tg_err err = TG_NOMEM;
    if (args.interrupted && args.cancelled)
        err = tg_store_post(store, recover_op, &args, NULL);
    free(args.interrupted);
    free(args.cancelled);
    if (!err && args.requeued + args.failed + args.ended)
        tg_log(TG_LOG_WARN,
               "jobs interrupted in an earlier life: %zu queued again, %zu failed, "
               "%zu cancelled",
               args.requeued, args.failed, args.ended);
    return err;
}

enum tg_err tg_store_recover(struct tg_store *store,
                             void (*each)(void *arg, const struct tg_job_row *row),
                             void *arg)
{
    TG_TRY(end_unowned(store));
    tg_data_sweep_files(store);
    tg_data_sweep_nameless(store);
    struct tg_db *db = tg_store_reader(store);
    if (!db)
        return TG_STORE;
    enum tg_err err = TG_OK;
    sqlite3_stmt *stmt = tg_db_query(db, TG_SQL_JOB_QUEUED, "");
    while (!err && stmt && tg_db_row(db, stmt)) {
        struct tg_job_row row;
        err = tg_job_row_read(stmt, &row);
        if (!err && each)
            each(arg, &row);
        if (!err)
            tg_job_row_release(&row);
    }
    enum tg_err failed = tg_db_done(db, stmt);
    tg_store_reader_done(store, db);
    return err ? err : failed;
}

/* Retention of jobs ------------------------------------------------------------------ */

struct remove_args {
    double before; /* finished */
    size_t limit, removed;
    const char *reason;
};

static enum tg_err remove_job(struct tg_store *store, const char *id, const char *reason)
{
    struct tg_db *db = &store->db;
    double now = tg_store_now();
    int64_t result = 0;
    sqlite3_stmt *stmt = tg_db_query(db, TG_SQL_JOB_STANDING, "s", id);
    if (stmt && tg_db_row(db, stmt))
        result = sqlite3_column_int64(stmt, 3);
    TG_TRY(tg_db_done(db, stmt));
    TG_TRY(tg_db_run(db, TG_SQL_TOMBSTONE_INSERT, "ssd", id, reason, now));
    TG_TRY(tg_db_run(db, TG_SQL_EVENT_DELETE, "s", id));
    TG_TRY(tg_store_add_event(store, id, "removed", now));
    TG_TRY(tg_db_run(db, TG_SQL_JOB_DELETE, "s", id));
    return result ? tg_db_run(db, TG_SQL_RESULT_DELETE, "i", result) : TG_OK;
}

static enum tg_err remove_op(struct tg_store *store, void *arg)
{
    struct remove_args *args = arg;
    struct tg_db *db = &store->db;
    char ids[PORTION][TG_ID_SIZE];
    size_t n = 0, limit = args->limit < PORTION ? args->limit : PORTION;
    sqlite3_stmt *stmt =
        tg_db_query(db, TG_SQL_JOB_OLDEST, "di", args->before, (int64_t)limit);
    while (n < limit && stmt && tg_db_row(db, stmt))
        snprintf(ids[n++], TG_ID_SIZE, "%s", (const char *)sqlite3_column_text(stmt, 0));
    TG_TRY(tg_db_done(db, stmt));
    for (size_t i = 0; i < n; i++)
        TG_TRY(remove_job(store, ids[i], args->reason));
    args->removed = n;
    return TG_OK;
}

static enum tg_err remove_jobs(struct tg_store *store, double before, size_t limit,
                               const char *why)
{
    char today[16], reason[160];
    time_t now = time(NULL);
    struct tm tm;
    strftime(today, sizeof today, "%Y-%m-%d", gmtime_r(&now, &tm));
    snprintf(reason, sizeof reason, "removed by retention on %s: %s", today, why);
    size_t removed = 0;
    while (removed < limit) {
        struct remove_args args = {before, limit - removed, 0, reason};
        TG_TRY(tg_store_post(store, remove_op, &args, NULL));
        removed += args.removed;
        if (args.removed < PORTION)
            break;
    }
    return TG_OK;
}

static enum tg_err read_int(struct tg_store *store, enum tg_sql sql, int64_t *value)
{
    struct tg_db *db = tg_store_reader(store);
    if (!db)
        return TG_STORE;
    enum tg_err err = tg_db_int(db, sql, value, "");
    tg_store_reader_done(store, db);
    return err;
}

static enum tg_err retain_jobs(struct tg_store *store,
                               const struct tg_retention *retention)
{
    char why[80];
    if (retention->max_age_s > 0) {
        snprintf(why, sizeof why, "finished more than %g days ago",
                 retention->max_age_s / 86400);
        TG_TRY(remove_jobs(store, tg_store_now() - retention->max_age_s, SIZE_MAX, why));
    }
    if (retention->max_jobs) {
        int64_t count;
        TG_TRY(read_int(store, TG_SQL_JOB_TERMINAL_COUNT, &count));
        if ((uint64_t)count > retention->max_jobs) {
            snprintf(why, sizeof why, "more than %llu finished jobs",
                     (unsigned long long)retention->max_jobs);
            TG_TRY(
                remove_jobs(store, INFINITY, (size_t)count - retention->max_jobs, why));
        }
    }
    return TG_OK;
}

static enum tg_err forget_op(struct tg_store *store, void *arg)
{
    double before = *(const double *)arg;
    TG_TRY(tg_db_run(&store->db, TG_SQL_TOMBSTONE_FORGET, "d", before));
    return tg_db_run(&store->db, TG_SQL_EVENT_FORGET, "d", before);
}

/* Retention of data ------------------------------------------------------------------ */

struct unused {
    char sha256[PORTION][TG_SHA256_HEX];
    int64_t bytes[PORTION];
    size_t n;
};

static enum tg_err read_unused(struct tg_store *store, struct unused *unused)
{
    struct tg_db *db = tg_store_reader(store);
    if (!db)
        return TG_STORE;
    unused->n = 0;
    sqlite3_stmt *stmt = tg_db_query(db, TG_SQL_BLOB_UNUSED, "di",
                                     tg_store_now() - MIN_AGE_S, (int64_t)PORTION);
    while (unused->n < PORTION && stmt && tg_db_row(db, stmt)) {
        snprintf(unused->sha256[unused->n], TG_SHA256_HEX, "%s",
                 (const char *)sqlite3_column_text(stmt, 0));
        unused->bytes[unused->n++] = sqlite3_column_int64(stmt, 1);
    }
    enum tg_err err = tg_db_done(db, stmt);
    tg_store_reader_done(store, db);
    return err;
}

static enum tg_err doom_op(struct tg_store *store, void *arg)
{
    const struct unused *unused = arg;
    for (size_t i = 0; i < unused->n; i++) {
        enum tg_err err = tg_data_doom(store, unused->sha256[i]);
        if (err && err != TG_CONFLICT && err != TG_NOT_FOUND) /* used or gone since */
            return err;
    }
    return TG_OK;
}

static enum tg_err retain_data(struct tg_store *store, uint64_t max_bytes,
                               struct unused *unused)
{
    int64_t total;
    TG_TRY(read_int(store, TG_SQL_BLOB_UNUSED_TOTAL, &total));
    while ((uint64_t)total > max_bytes) {
        TG_TRY(read_unused(store, unused));
        size_t n = 0;
        while (n < unused->n && (uint64_t)total > max_bytes)
            total -= unused->bytes[n++];
        if (!n)
            break;
        unused->n = n;
        TG_TRY(tg_store_post(store, doom_op, unused, NULL));
    }
    return TG_OK;
}

enum tg_err tg_store_retain(struct tg_store *store, const struct tg_retention *retention)
{
    TG_TRY(tg_store_need_writable(store, NULL));
    TG_TRY(retain_jobs(store, retention));
    double forget = tg_store_now() - TOMBSTONE_DAYS * 86400.0;
    TG_TRY(tg_store_post(store, forget_op, &forget, NULL));
    if (retention->max_bytes) {
        struct unused *unused = malloc(sizeof *unused);
        enum tg_err err =
            unused ? retain_data(store, retention->max_bytes, unused) : TG_NOMEM;
        free(unused);
        if (err)
            return err;
    }
    tg_data_sweep_parts(store);
    /* A failed write may have left a file that no row names. */
    uint64_t errors = atomic_load(&store->write_errors);
    if (atomic_exchange(&store->swept, errors) != errors)
        tg_data_sweep_files(store);
    return TG_OK;
}

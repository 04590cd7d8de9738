/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Opening and closing a store.
 *
 * DESIGN. The lock is taken before anything else is touched and belongs to the open file,
 * so the kernel gives it back however the daemon ends.
 */
#include "server/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/log.h"
#include "server/point.h"

static enum tg_err cannot_open(const char *what, struct tg_report *report)
{
    return tg_fault_add(report, TG_STORE, NULL, "The store cannot be opened: %s: %s.",
                        what, strerrordesc_np(errno));
}

/* mkdir -p */
static int make_dirs(const char *dir)
{
    char *path = strdup(dir);
    if (!path)
        return -1;
    int rc = 0;
    for (char *p = path + 1; rc == 0; p++) {
        if (*p && *p != '/')
            continue;
        char end = *p;
        *p = 0;
        rc = TG_POINT("store.mkdir") ? (errno = EACCES, -1) : mkdir(path, 0700);
        if (rc < 0 && errno == EEXIST)
            rc = 0;
        *p = end;
        if (!end)
            break;
    }
    free(path);
    return rc;
}

static enum tg_err take_lock(struct tg_store *store, struct tg_report *report)
{
    store->lock_fd = openat(store->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock_fd < 0)
        return cannot_open("lock", report);
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        char pid[16] = "unknown";
        ssize_t n = pread(store->lock_fd, pid, sizeof pid - 1, 0);
        if (n > 0)
            pid[n] = 0;
        pid[strcspn(pid, "\n")] = 0;
        return tg_fault_add(report, TG_STORE, NULL,
                            "Another tangentd uses this store (pid %s).", pid);
    }
    char pid[16];
    int n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    if (ftruncate(store->lock_fd, 0) < 0 ||
        pwrite(store->lock_fd, pid, (size_t)n, 0) != n)
        return cannot_open("lock", report);
    return TG_OK;
}

static enum tg_err open_dirs(struct tg_store *store, const char *dir,
                             struct tg_report *report)
{
    if (make_dirs(dir) < 0)
        return cannot_open(dir, report);
    store->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->dir_fd < 0)
        return cannot_open(dir, report);
    TG_TRY(take_lock(store, report));
    if ((mkdirat(store->dir_fd, "data", 0700) < 0 && errno != EEXIST) ||
        (mkdirat(store->dir_fd, "part", 0700) < 0 && errno != EEXIST) ||
        fsync(store->dir_fd) < 0)
        return cannot_open(dir, report);
    return TG_OK;
}

/* What has to be known before the first operation: numbers that go on counting. */
static enum tg_err read_totals(struct tg_store *store)
{
    struct tg_db *db = &store->db;
    int64_t seq;
    TG_TRY(tg_db_int(db, TG_SQL_EVENT_LAST, &seq, ""));
    store->pending.seq = (uint64_t)seq;
    sqlite3_stmt *stmt = tg_db_query(db, TG_SQL_BLOB_TOTAL, "");
    if (stmt && tg_db_row(db, stmt)) {
        store->pending.files = sqlite3_column_int64(stmt, 0);
        store->pending.bytes = sqlite3_column_int64(stmt, 1);
    }
    TG_TRY(tg_db_done(db, stmt));
    atomic_init(&store->data_files, (uint64_t)store->pending.files);
    atomic_init(&store->data_bytes, (uint64_t)store->pending.bytes);
    stmt = tg_db_query(db, TG_SQL_JOB_LAST_ID, "");
    if (stmt && tg_db_row(db, stmt) && sqlite3_column_text(stmt, 0))
        tg_store_seed_id(store, (const char *)sqlite3_column_text(stmt, 0));
    return tg_db_done(db, stmt);
}

static enum tg_err open_db(struct tg_store *store, const char *dir,
                           struct tg_report *report)
{
    bool damaged = false;
    TG_TRY(tg_wal_check(store->dir_fd, &damaged));
    if (damaged)
        tg_log(TG_LOG_ERROR, "the write-ahead log is damaged: what was committed last is lost");
    if (asprintf(&store->db_path, "%s/tangentd.db", dir) < 0) {
        store->db_path = NULL;
        return TG_NOMEM;
    }
    enum tg_err err = TG_POINT("store.open")
                          ? tg_db_fail(&store->db, SQLITE_CANTOPEN)
                          : tg_db_open(&store->db, store->db_path, false);
    if (!err)
        err = tg_db_migrate(&store->db, report);
    if (!err)
        err = read_totals(store);
    if (err && (!report || !report->count))
        tg_fault_add(report, err, NULL, "tangentd.db cannot be opened: %s.",
                     sqlite3_errstr(store->db.rc));
    return err;
}

static void init_locks(struct tg_store *store)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&store->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_cond_init(&store->reader_free, NULL);
    pthread_mutex_init(&store->mu, NULL);
    pthread_mutex_init(&store->readers_mu, NULL);
    pthread_mutex_init(&store->holds_mu, NULL);
    pthread_mutex_init(&store->id_mu, NULL);
}

enum tg_err tg_store_open(const struct tg_store_options *options,
                          struct tg_store **result, struct tg_report *report)
{
    *result = NULL;
    struct tg_store *store = calloc(1, sizeof *store);
    if (!store)
        return TG_NOMEM;
    store->dir_fd = store->lock_fd = -1;
    store->data_max_bytes = options->data_max_bytes;
    store->probe_s = options->probe_s > 0 ? options->probe_s : 1;
    store->on_commit = options->on_commit;
    store->arg = options->arg;
    store->tail = &store->head;
    atomic_init(&store->writable, true);
    init_locks(store);
    enum tg_err err = tg_folders_parse(options->data_folders, &store->folders, report);
    if (!err)
        err = open_dirs(store, options->dir, report);
    if (!err)
        err = open_db(store, options->dir, report);
    if (!err)
        err = tg_store_start_writer(store);
    if (err) {
        tg_store_close(store);
        return err;
    }
    *result = store;
    return TG_OK;
}

void tg_store_close(struct tg_store *store)
{
    if (!store)
        return;
    tg_store_stop_writer(store);
    while (store->readers) {
        struct tg_db *db = store->readers;
        store->readers = db->next;
        tg_db_close(db);
        free(db);
    }
    if (store->db.sqlite)
        sqlite3_wal_checkpoint_v2(store->db.sqlite, NULL, SQLITE_CHECKPOINT_TRUNCATE,
                                  NULL, NULL);
    tg_db_close(&store->db);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    if (store->dir_fd >= 0)
        close(store->dir_fd);
    pthread_cond_destroy(&store->work);
    pthread_cond_destroy(&store->reader_free);
    pthread_mutex_destroy(&store->mu);
    pthread_mutex_destroy(&store->readers_mu);
    pthread_mutex_destroy(&store->holds_mu);
    pthread_mutex_destroy(&store->id_mu);
    tg_folders_free(store->folders);
    free(store->doomed);
    free(store->db_path);
    free(store);
}

void tg_store_stats(struct tg_store *store, struct tg_store_stats *stats)
{
    stats->commits = atomic_load(&store->commits);
    stats->operations = atomic_load(&store->operations);
    stats->write_errors = atomic_load(&store->write_errors);
    stats->data_files = atomic_load(&store->data_files);
    stats->data_bytes = atomic_load(&store->data_bytes);
    stats->commit_seconds = 1e-9 * (double)atomic_load(&store->commit_ns);
}

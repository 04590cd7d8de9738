/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The writer thread: operations in, transactions out.
 *
 * DESIGN. Callers put an operation on their own stack into the queue and sleep on its
 * condition. The writer takes all that wait (at most BATCH) into one transaction; while
 * that is being synced the next batch gathers, so no timer is needed. An operation that
 * fails is undone by its savepoint and the others go on. Only after the commit are the
 * callers woken.
 *
 * When the disk fails (begin, commit, or any statement) all operations of the batch fail
 * with TG_STORE and the store turns unwritable. From then on operations are refused
 * without a try until a probe, once a second, has put a file and a row on the disk. A
 * caller that must not lose its operation (the end of a running job) tries again later.
 */
#include "server/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/clock.h"
#include "server/log.h"
#include "server/point.h"

enum { BATCH = 512, PROBE_BYTES = 256 * 1024 };

struct tg_op {
    tg_op_run *run;
    void *args;
    enum tg_err err;
    bool done; /* guarded by store.mu */
    pthread_cond_t finished;
    struct tg_op *next;
};

double tg_store_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static const char *sqlite_trouble(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return "the disk that holds the store is full; free some space on it";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return "the database is damaged; stop the daemon and run tangentd --check";
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        return "the store cannot be written; look at its permissions and mount options";
    case SQLITE_IOERR:
        return "the disk that holds the store reports an I/O error";
    default:
        return sqlite3_errstr(rc);
    }
}

static const char *file_trouble(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return "the disk that holds the store is full; free some space on it";
    case EIO:
        return "the disk that holds the store reports an I/O error";
    case EROFS:
    case EACCES:
    case EPERM:
        return "the store cannot be written; look at its permissions and mount options";
    default:
        return NULL;
    }
}

static void turn_unwritable(struct tg_store *store, const char *why)
{
    pthread_mutex_lock(&store->mu);
    bool news = atomic_exchange(&store->writable, false);
    snprintf(store->trouble, sizeof store->trouble, "%s", why);
    store->probe_at = tg_clock_timespec(tg_clock_monotonic() + store->probe_s);
    pthread_cond_signal(&store->work);
    pthread_mutex_unlock(&store->mu);
    atomic_fetch_add(&store->write_errors, 1);
    if (news)
        tg_log(TG_LOG_ERROR, "the store takes no new work: %s", why);
}

static enum tg_err refused(struct tg_store *store, struct tg_report *report)
{
    char why[sizeof store->trouble];
    pthread_mutex_lock(&store->mu);
    memcpy(why, store->trouble, sizeof why);
    pthread_mutex_unlock(&store->mu);
    return tg_fault_add(report, TG_STORE, NULL, "The store takes no new work: %s.", why);
}

enum tg_err tg_store_need_writable(struct tg_store *store, struct tg_report *report)
{
    return atomic_load(&store->writable) ? TG_OK : refused(store, report);
}

bool tg_store_is_writable(struct tg_store *store)
{
    return atomic_load(&store->writable);
}

enum tg_err tg_store_file_failed(struct tg_store *store, int error,
                                 struct tg_report *report)
{
    if (error == ENOMEM)
        return tg_fault_add(report, TG_NOMEM, NULL, "There is no memory for this now.");
    const char *why = file_trouble(error);
    if (!why)
        return tg_fault_add(report, TG_STORE, NULL, "A file of the store failed: %s.",
                            strerrordesc_np(error));
    turn_unwritable(store, why);
    return refused(store, report);
}

/* Transactions ----------------------------------------------------------------------- */

static enum tg_err begin(struct tg_store *store)
{
    TG_TRY(tg_db_fail(&store->db, tg_db_rc(TG_POINT("store.begin"))));
    return tg_db_run(&store->db, TG_SQL_BEGIN, "");
}

static enum tg_err commit(struct tg_store *store)
{
    struct timespec t0, t1;
    clock_gettime(CLOCK_MONOTONIC, &t0);
    enum tg_err err = tg_db_fail(&store->db, tg_db_rc(TG_POINT("store.commit")));
    if (!err)
        err = tg_db_run(&store->db, TG_SQL_COMMIT, "");
    if (err) {
        /* On a full disk the log cannot hold the end of the transaction. */
        if ((store->db.rc & 0xff) != SQLITE_FULL)
            atomic_store(&store->in_doubt, true);
        return err;
    }
    clock_gettime(CLOCK_MONOTONIC, &t1);
    int64_t ns = (t1.tv_sec - t0.tv_sec) * INT64_C(1000000000) + t1.tv_nsec - t0.tv_nsec;
    atomic_fetch_add(&store->commit_ns, (uint64_t)ns);
    atomic_fetch_add(&store->commits, 1);
    return TG_OK;
}

static void rollback(struct tg_store *store)
{
    if (!sqlite3_get_autocommit(store->db.sqlite))
        (void)!tg_db_run(&store->db, TG_SQL_ROLLBACK, "");
}

/* One operation inside its savepoint. An error means the transaction is lost. */
static enum tg_err run_one(struct tg_store *store, struct tg_op *op)
{
    struct tg_pending before = store->pending;
    TG_TRY(tg_db_run(&store->db, TG_SQL_SAVEPOINT, ""));
    op->err = tg_db_fail(&store->db, tg_db_rc(TG_POINT("store.operation")));
    if (!op->err)
        op->err = op->run(store, op->args);
    if (op->err) {
        store->pending = before;
        if (op->err == TG_STORE || sqlite3_get_autocommit(store->db.sqlite))
            return op->err;
        TG_TRY(tg_db_run(&store->db, TG_SQL_ROLLBACK_TO, ""));
    }
    return tg_db_run(&store->db, TG_SQL_RELEASE, "");
}

static enum tg_err run_transaction(struct tg_store *store, struct tg_op *batch)
{
    TG_TRY(begin(store));
    for (struct tg_op *op = batch; op; op = op->next)
        TG_TRY(run_one(store, op));
    return commit(store);
}

static void run_batch(struct tg_store *store, struct tg_op *batch)
{
    struct tg_pending before = store->pending;
    store->pending.ndoomed = 0;
    enum tg_err err = run_transaction(store, batch);
    if (err) {
        if (err == TG_STORE)
            turn_unwritable(store, sqlite_trouble(store->db.rc));
        rollback(store);
        store->pending = before;
        for (struct tg_op *op = batch; op; op = op->next)
            op->err = err;
        return;
    }
    (void)TG_POINT("store.after_commit");
    uint64_t done = 0;
    for (struct tg_op *op = batch; op; op = op->next)
        done += !op->err;
    atomic_fetch_add(&store->operations, done);
    atomic_store(&store->data_files, (uint64_t)store->pending.files);
    atomic_store(&store->data_bytes, (uint64_t)store->pending.bytes);
    tg_data_unlink_doomed(store);
    if (store->on_commit)
        store->on_commit(store->arg, store->pending.seq);
}

/* Probing ---------------------------------------------------------------------------- */

static int probe_file(struct tg_store *store)
{
    static const char zeros[PROBE_BYTES];
    int fd = openat(store->dir_fd, "part/probe", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                    0600);
    if (fd < 0)
        return errno;
    int error = tg_data_write(fd, zeros, sizeof zeros);
    if (!error && fsync(fd) < 0)
        error = errno;
    close(fd);
    unlinkat(store->dir_fd, "part/probe", 0);
    return error;
}

static bool probe(struct tg_store *store)
{
    if (probe_file(store))
        return false;
    enum tg_err err = begin(store);
    if (!err)
        err = tg_db_run(&store->db, TG_SQL_PROBE, "d", tg_store_now());
    if (!err)
        err = commit(store);
    rollback(store);
    return !err;
}

/* The thread ------------------------------------------------------------------------- */

static struct tg_op *take_locked(struct tg_store *store)
{
    struct tg_op *batch = store->head, **end = &batch;
    for (int i = 0; i < BATCH && *end; i++)
        end = &(*end)->next;
    store->head = *end;
    *end = NULL;
    if (!store->head)
        store->tail = &store->head;
    return batch;
}

static void finish_locked(struct tg_op *batch)
{
    for (struct tg_op *op = batch, *next; op; op = next) {
        next = op->next; /* op is gone once its caller has woken */
        op->done = true;
        pthread_cond_signal(&op->finished);
    }
}

static void work_locked(struct tg_store *store)
{
    struct tg_op *batch = take_locked(store);
    if (atomic_load(&store->writable)) {
        pthread_mutex_unlock(&store->mu);
        run_batch(store, batch);
        pthread_mutex_lock(&store->mu);
    } else {
        for (struct tg_op *op = batch; op; op = op->next)
            op->err = TG_STORE;
    }
    finish_locked(batch);
}

static void probe_locked(struct tg_store *store)
{
    pthread_mutex_unlock(&store->mu);
    bool works = probe(store);
    pthread_mutex_lock(&store->mu);
    if (works) {
        atomic_store(&store->in_doubt, false); /* its place in the log is overwritten */
        atomic_store(&store->writable, true);
        tg_log(TG_LOG_INFO, "the store takes new work again");
    } else {
        store->probe_at = tg_clock_timespec(tg_clock_monotonic() + store->probe_s);
    }
}

static void *writer_main(void *arg)
{
    struct tg_store *store = arg;
    pthread_mutex_lock(&store->mu);
    for (;;) {
        if (store->head)
            work_locked(store);
        else if (store->stopping)
            break;
        else if (atomic_load(&store->writable))
            pthread_cond_wait(&store->work, &store->mu);
        else if (pthread_cond_timedwait(&store->work, &store->mu, &store->probe_at) ==
                 ETIMEDOUT)
            probe_locked(store);
    }
    pthread_mutex_unlock(&store->mu);
    return NULL;
}

enum tg_err tg_store_post(struct tg_store *store, tg_op_run *run, void *args,
                          struct tg_report *report)
{
    struct tg_op op = {.run = run, .args = args};
    TG_TRY(tg_store_need_writable(store, report));
    pthread_cond_init(&op.finished, NULL);
    pthread_mutex_lock(&store->mu);
    *store->tail = &op;
    store->tail = &op.next;
    pthread_cond_signal(&store->work);
    while (!op.done)
        pthread_cond_wait(&op.finished, &store->mu);
    pthread_mutex_unlock(&store->mu);
    pthread_cond_destroy(&op.finished);
    return op.err == TG_STORE ? refused(store, report) : op.err;
}

enum tg_err tg_store_start_writer(struct tg_store *store)
{
    if (pthread_create(&store->writer, NULL, writer_main, store) != 0)
        return TG_NOMEM;
    pthread_setname_np(store->writer, "store");
    store->writer_runs = true;
    return TG_OK;
}

void tg_store_stop_writer(struct tg_store *store)
{
    if (!store->writer_runs)
        return;
    pthread_mutex_lock(&store->mu);
    store->stopping = true;
    pthread_cond_signal(&store->work);
    pthread_mutex_unlock(&store->mu);
    pthread_join(store->writer, NULL);
    store->writer_runs = false;
}

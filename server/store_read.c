/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading the store: jobs, results, events. Never waits for the writer.
 *
 * DESIGN. Readers are opened when all others are busy, MAX_READERS at most, and kept.
 * Each holds its prepared statements, so a read by id is one lookup in the page cache.
 */
#include "server/store_private.h"

#include <stdlib.h>
#include <string.h>

#include "server/point.h"

enum { MAX_READERS = 8 };

static struct tg_db *open_reader(struct tg_store *store)
{
    struct tg_db *db = malloc(sizeof *db);
    if (!db)
        return NULL;
    if (!TG_POINT("store.open_reader") && !tg_db_open(db, store->db_path, true))
        return db;
    tg_db_close(db);
    free(db);
    return NULL;
}

struct tg_db *tg_store_reader(struct tg_store *store)
{
    if (TG_POINT("store.read"))
        return NULL;
    pthread_mutex_lock(&store->readers_mu);
    while (!store->readers && store->nreaders == MAX_READERS)
        pthread_cond_wait(&store->reader_free, &store->readers_mu);
    struct tg_db *db = store->readers;
    if (db)
        store->readers = db->next;
    else
        store->nreaders++;
    pthread_mutex_unlock(&store->readers_mu);
    if (db)
        return db;
    db = open_reader(store);
    if (!db) {
        pthread_mutex_lock(&store->readers_mu);
        store->nreaders--;
        pthread_cond_signal(&store->reader_free);
        pthread_mutex_unlock(&store->readers_mu);
    }
    return db;
}

void tg_store_reader_done(struct tg_store *store, struct tg_db *db)
{
    pthread_mutex_lock(&store->readers_mu);
    db->next = store->readers;
    store->readers = db;
    pthread_cond_signal(&store->reader_free);
    pthread_mutex_unlock(&store->readers_mu);
}

/* Rows ------------------------------------------------------------------------------- */

void tg_job_row_release(struct tg_job_row *row)
{
    free(row->kind);
    free(row->name);
    free(row->token);
    free(row->canonical);
    free(row->retry_of);
    free(row->problem);
    memset(row, 0, sizeof *row);
}

static void copy_text(sqlite3_stmt *stmt, int column, char *out, size_t size)
{
    const unsigned char *text = sqlite3_column_text(stmt, column);
    snprintf(out, size, "%s", text ? (const char *)text : "");
}

enum tg_err tg_job_row_read(sqlite3_stmt *stmt, struct tg_job_row *row)
{
    *row = (struct tg_job_row){
        .kind = tg_db_strdup(stmt, 1),
        .name = tg_db_strdup(stmt, 2),
        .token = tg_db_strdup(stmt, 3),
        .canonical = tg_db_strdup(stmt, 4),
        .state = (enum tg_state)sqlite3_column_int(stmt, 6),
        .priority = (enum tg_priority)sqlite3_column_int(stmt, 7),
        .created = sqlite3_column_double(stmt, 8),
        .started = sqlite3_column_double(stmt, 9),
        .finished = sqlite3_column_double(stmt, 10),
        .max_run_s = sqlite3_column_double(stmt, 11),
        .deadline = sqlite3_column_double(stmt, 12),
        .keep = sqlite3_column_int(stmt, 13) != 0,
        .attempt = sqlite3_column_int(stmt, 14),
        .peak_bytes = (uint64_t)sqlite3_column_int64(stmt, 15),
        .flops = sqlite3_column_double(stmt, 16),
        .seconds = sqlite3_column_double(stmt, 17),
        .retry_of = tg_db_strdup(stmt, 18),
        .problem = tg_db_strdup(stmt, 19),
        .seq = (uint64_t)sqlite3_column_int64(stmt, 20),
        .has_result = sqlite3_column_int(stmt, 21) != 0,
    };
    copy_text(stmt, 0, row->id, sizeof row->id);
    copy_text(stmt, 5, row->hash, sizeof row->hash);
    if (row->kind && row->name && row->token && row->canonical && row->retry_of &&
        row->problem)
        return TG_OK;
    tg_job_row_release(row);
    return TG_NOMEM;
}

/* TG_GONE with the reason, or TG_NOT_FOUND. */
static enum tg_err explain_absence(struct tg_db *db, const char *id,
                                   struct tg_report *report)
{
    sqlite3_stmt *stmt = tg_db_query(db, TG_SQL_TOMBSTONE_GET, "s", id);
    enum tg_err absent = TG_NOT_FOUND;
    if (stmt && tg_db_row(db, stmt))
        absent = tg_fault_add(report, TG_GONE, NULL, "The job was %s.",
                              (const char *)sqlite3_column_text(stmt, 0));
    TG_TRY(tg_db_done(db, stmt));
    if (absent == TG_NOT_FOUND)
        tg_fault_add(report, TG_NOT_FOUND, NULL, "There is no job %s.", id);
    return absent;
}

static enum tg_err get(struct tg_db *db, const char *id, struct tg_job_row *row,
                       struct tg_report *report)
{
    sqlite3_stmt *stmt = tg_db_query(db, TG_SQL_JOB_GET, "s", id);
    bool found = stmt && tg_db_row(db, stmt);
    enum tg_err err = found ? tg_job_row_read(stmt, row) : TG_OK;
    enum tg_err failed = tg_db_done(db, stmt);
    if (failed && found && !err)
        tg_job_row_release(row);
    if (failed || err)
        return failed ? failed : err;
    return found ? TG_OK : explain_absence(db, id, report);
}

enum tg_err tg_store_get(struct tg_store *store, const char *id, struct tg_job_row *row,
                         struct tg_report *report)
{
    memset(row, 0, sizeof *row);
    struct tg_db *db = tg_store_reader(store);
    if (!db)
        return TG_STORE;
    enum tg_err err = get(db, id, row, report);
    tg_store_reader_done(store, db);
    return err;
}

static enum tg_err result_of(struct tg_db *db, const char *id, char **document,
                             struct tg_report *report)
{
    sqlite3_stmt *stmt = tg_db_query(db, TG_SQL_RESULT_GET, "s", id);
    bool found = stmt && tg_db_row(db, stmt);
    if (found)
        *document = tg_db_strdup(stmt, 0);
    enum tg_err failed = tg_db_done(db, stmt);
    if (failed) {
        free(*document);
        *document = NULL;
        return failed;
    }
    if (found)
        return *document ? TG_OK : TG_NOMEM;
    struct tg_job_row row;
    TG_TRY(get(db, id, &row, report));
    enum tg_err err =
        tg_fault_add(report, TG_CONFLICT, NULL, "The job has no result; it is %s.",
                     tg_state_names[row.state]);
    tg_job_row_release(&row);
    return err;
}

enum tg_err tg_store_result(struct tg_store *store, const char *id, char **document,
                            struct tg_report *report)
{
    *document = NULL;
    struct tg_db *db = tg_store_reader(store);
    if (!db)
        return TG_STORE;
    enum tg_err err = result_of(db, id, document, report);
    tg_store_reader_done(store, db);
    return err;
}

static enum tg_err find(struct tg_store *store, enum tg_sql sql, const char *hash,
                        char id[TG_ID_SIZE])
{
    struct tg_db *db = tg_store_reader(store);
    if (!db)
        return TG_STORE;
    sqlite3_stmt *stmt = tg_db_query(db, sql, "s", hash);
    bool found = stmt && tg_db_row(db, stmt);
    if (found)
        copy_text(stmt, 0, id, TG_ID_SIZE);
    enum tg_err err = tg_db_done(db, stmt);
    tg_store_reader_done(store, db);
    return err ? err : found ? TG_OK : TG_NOT_FOUND;
}

enum tg_err tg_store_find_result(struct tg_store *store, const char *hash,
                                 char id[TG_ID_SIZE])
{
    return find(store, TG_SQL_FIND_RESULT, hash, id);
}

enum tg_err tg_store_find_active(struct tg_store *store, const char *hash,
                                 char id[TG_ID_SIZE])
{
    return find(store, TG_SQL_FIND_ACTIVE, hash, id);
}

enum tg_err tg_store_counts(struct tg_store *store, uint64_t counts[TG_STATE_COUNT])
{
    memset(counts, 0, TG_STATE_COUNT * sizeof *counts);
    struct tg_db *db = tg_store_reader(store);
    if (!db)
        return TG_STORE;
    sqlite3_stmt *stmt = tg_db_query(db, TG_SQL_JOB_COUNTS, "");
    while (stmt && tg_db_row(db, stmt)) {
        int state = sqlite3_column_int(stmt, 0);
        if (state >= 0 && state < TG_STATE_COUNT)
            counts[state] = (uint64_t)sqlite3_column_int64(stmt, 1);
    }
    enum tg_err err = tg_db_done(db, stmt);
    tg_store_reader_done(store, db);
    return err;
}

/* Events ----------------------------------------------------------------------------- */

void tg_event_release(struct tg_event *event)
{
    free(event->data);
    memset(event, 0, sizeof *event);
}

static enum tg_err read_events(struct tg_db *db, sqlite3_stmt *stmt,
                               struct tg_event **events, size_t *n)
{
    size_t size = 0;
    while (stmt && tg_db_row(db, stmt)) {
        struct tg_event *bigger = tg_grow(*events, *n, &size, sizeof **events);
        if (!bigger)
            return TG_NOMEM;
        *events = bigger;
        struct tg_event *event = &bigger[*n];
        event->seq = (uint64_t)sqlite3_column_int64(stmt, 0);
        event->time = sqlite3_column_double(stmt, 3);
        copy_text(stmt, 1, event->job, sizeof event->job);
        copy_text(stmt, 2, event->type, sizeof event->type);
        event->data = tg_db_strdup(stmt, 4);
        if (!event->data)
            return TG_NOMEM;
        ++*n;
    }
    return TG_OK;
}

static enum tg_err read_oldest(struct tg_db *db, uint64_t *oldest)
{
    int64_t seq;
    TG_TRY(tg_db_int(db, TG_SQL_EVENT_OLDEST, &seq, ""));
    if (!seq) {
        TG_TRY(tg_db_int(db, TG_SQL_EVENT_LAST, &seq, ""));
        seq++;
    }
    *oldest = (uint64_t)seq;
    return TG_OK;
}

enum tg_err tg_store_events(struct tg_store *store, const char *job, uint64_t since,
                            size_t limit, struct tg_event **events, size_t *n,
                            uint64_t *oldest)
{
    *events = NULL;
    *n = 0;
    *oldest = 0;
    struct tg_db *db = tg_store_reader(store);
    if (!db)
        return TG_STORE;
    int64_t after = since > INT64_MAX ? INT64_MAX : (int64_t)since;
    sqlite3_stmt *stmt = tg_db_query(db, job ? TG_SQL_EVENT_OF_JOB : TG_SQL_EVENT_ALL,
                                     job ? "iis" : "ii", after, (int64_t)limit, job);
    enum tg_err err = read_events(db, stmt, events, n);
    enum tg_err failed = tg_db_done(db, stmt);
    if (!err)
        err = failed ? failed : read_oldest(db, oldest);
    tg_store_reader_done(store, db);
    if (err) {
        for (size_t i = 0; i < *n; i++)
            tg_event_release(&(*events)[i]);
        free(*events);
        *events = NULL;
        *n = 0;
    }
    return err;
}

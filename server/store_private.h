/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the files of the store share. Nobody else includes this.
 *
 * store_db.c      connections, schema, the table of statements
 * store_writer.c  the writer thread: group commit, trouble, probing
 * store_open.c    opening and closing
 * store.c         the state machine and what moves a job
 * store_read.c    rows, results, events
 * store_list.c    lists of jobs
 * store_retain.c  recovery after a crash, retention
 * store_check.c   verification of a store at rest
 * store_wal.c     damage to the write-ahead log
 * store_id.c      ids
 * data.c          rows of blobs, opening, deleting
 * data_file.c     files of blobs
 * reading.c       blobs that a job reads
 * registered.c    files that stay where they are
 * upload.c        streaming a blob in
 *
 * Lock order: holds_mu before readers_mu; mu and id_mu are held alone. Whoever has a reader
 * takes no other lock.
 */
#ifndef TG_SERVER_STORE_PRIVATE_H
#define TG_SERVER_STORE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include <sqlite3.h>

#include "server/store.h"

/* Connections ------------------------------------------------------------------------ */

#define TG_JOB_COLUMNS                                                                   \
    "id, kind, name, token, canonical, hash, state, priority, created, started, "        \
    "finished, max_run_s, deadline, keep, attempt, peak_bytes, flops, seconds, "         \
    "retry_of, problem, seq, result IS NOT NULL"

/* A blob is in use as input of a job that is live or pinned, or as part of a result. */
#define TG_BLOB_IN_USE(sha256)                                                           \
    "(EXISTS (SELECT 1 FROM job_input i JOIN job j ON j.id = i.job WHERE i.sha256 = "    \
    sha256 " AND (j.finished = 0 OR j.keep)) OR "                                        \
    "EXISTS (SELECT 1 FROM result_output o WHERE o.sha256 = " sha256 "))"

/* XX(NAME, sql): prepared at first use, once per connection. */
#define TG_SQL_MAP(XX)                                                                   \
    XX(BEGIN, "BEGIN IMMEDIATE")                                                         \
    XX(COMMIT, "COMMIT")                                                                 \
    XX(ROLLBACK, "ROLLBACK")                                                             \
    XX(SAVEPOINT, "SAVEPOINT operation")                                                 \
    XX(RELEASE, "RELEASE operation")                                                     \
    XX(ROLLBACK_TO, "ROLLBACK TO operation")                                             \
    XX(PROBE, "INSERT INTO meta VALUES ('probe', ?1) "                                   \
              "ON CONFLICT (name) DO UPDATE SET value = excluded.value")                 \
    XX(JOB_INSERT,                                                                       \
       "INSERT INTO job (id, kind, name, token, canonical, hash, state, priority, "      \
       "created, started, finished, max_run_s, deadline, keep, attempt, peak_bytes, "    \
       "flops, seconds, retry_of, problem, seq, result) VALUES (?1, ?2, ?3, ?4, ?5, "    \
       "?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, 0, ?15, ?16, ?17, ?18, '', ?19, ?20)")  \
    XX(JOB_INPUT_INSERT, "INSERT OR IGNORE INTO job_input VALUES (?1, ?2)")              \
    XX(JOB_STANDING, "SELECT state, attempt, started, result FROM job WHERE id = ?1")    \
    XX(JOB_MOVE, "UPDATE job SET state = ?2, attempt = ?3, started = ?4, "               \
                 "finished = ?5, problem = ?6, seq = ?7, result = ?8 WHERE id = ?1")     \
    XX(JOB_GET, "SELECT " TG_JOB_COLUMNS " FROM job WHERE id = ?1")                      \
    XX(JOB_QUEUED, "SELECT " TG_JOB_COLUMNS " FROM job WHERE state = 0 ORDER BY id")     \
    XX(JOB_UNOWNED, "SELECT id, state, attempt FROM job WHERE state IN (1, 2)")          \
    XX(JOB_COUNTS, "SELECT state, COUNT(*) FROM job GROUP BY state")                     \
    XX(JOB_LAST_ID, "SELECT MAX(id) FROM job")                                           \
    XX(JOB_TERMINAL_COUNT, "SELECT COUNT(*) FROM job WHERE finished > 0 AND keep = 0")   \
    XX(JOB_OLDEST, "SELECT id FROM job WHERE finished > 0 AND keep = 0 AND "             \
                   "finished < ?1 ORDER BY finished LIMIT ?2")                           \
    XX(JOB_DELETE, "DELETE FROM job WHERE id = ?1")                                      \
    XX(FIND_RESULT, "SELECT id FROM job WHERE hash = ?1 AND state = 3 AND "              \
                    "result IS NOT NULL ORDER BY id DESC LIMIT 1")                       \
    XX(FIND_ACTIVE, "SELECT id FROM job WHERE hash = ?1 AND state IN (0, 1) "            \
                    "ORDER BY id LIMIT 1")                                               \
    XX(KEY_GET, "SELECT job, fingerprint FROM idempotency WHERE token = ?1 AND key = ?2") \
    XX(KEY_INSERT, "INSERT INTO idempotency VALUES (?1, ?2, ?3, ?4, ?5)")                \
    XX(RESULT_INSERT, "INSERT INTO result (document) VALUES (?1)")                       \
    XX(RESULT_GET, "SELECT document FROM result JOIN job ON job.result = result.id "     \
                   "WHERE job.id = ?1")                                                  \
    XX(RESULT_DELETE, "DELETE FROM result WHERE id = ?1 AND "                            \
                      "NOT EXISTS (SELECT 1 FROM job WHERE result = ?1)")                \
    XX(OUTPUT_INSERT, "INSERT OR IGNORE INTO result_output VALUES (?1, ?2)")             \
    XX(EVENT_INSERT,                                                                     \
       "INSERT INTO event SELECT ?1, id, ?3, ?4, json_object('id', id, 'kind', kind, "   \
       "'name', name, 'state', ?3, 'attempt', attempt, 'time', "                         \
       "strftime('%Y-%m-%dT%H:%M:%fZ', ?4, 'unixepoch')) FROM job WHERE id = ?2")        \
    XX(EVENT_DELETE, "DELETE FROM event WHERE job = ?1")                                 \
    XX(EVENT_FORGET, "DELETE FROM event WHERE type = 'removed' AND time < ?1")           \
    XX(EVENT_LAST, "SELECT seq FROM sqlite_sequence WHERE name = 'event'")               \
    XX(EVENT_OLDEST, "SELECT MIN(seq) FROM event")                                       \
    XX(EVENT_ALL, "SELECT seq, job, type, time, data FROM event WHERE seq > ?1 "         \
                  "ORDER BY seq LIMIT ?2")                                               \
    XX(EVENT_OF_JOB, "SELECT seq, job, type, time, data FROM event WHERE seq > ?1 "      \
                     "AND job = ?3 ORDER BY seq LIMIT ?2")                               \
    XX(TOMBSTONE_INSERT, "INSERT OR REPLACE INTO tombstone VALUES (?1, ?2, ?3)")         \
    XX(TOMBSTONE_GET, "SELECT reason FROM tombstone WHERE id = ?1")                      \
    XX(TOMBSTONE_FORGET, "DELETE FROM tombstone WHERE time < ?1")                        \
    XX(BLOB_INSERT, "INSERT OR IGNORE INTO blob (sha256, bytes, created, touched, "      \
                    "format, members, content) VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6)")     \
    XX(BLOB_OWN, "UPDATE blob SET content = ?2, path = NULL, mtime_ns = 0, inode = 0 "   \
                 "WHERE sha256 = ?1 AND path IS NOT NULL")                               \
    XX(BLOB_REGISTER,                                                                    \
       "INSERT INTO blob (sha256, bytes, created, touched, format, members, path, "      \
       "mtime_ns, inode) VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT "       \
       "(sha256) DO UPDATE SET path = excluded.path, mtime_ns = excluded.mtime_ns, "     \
       "inode = excluded.inode WHERE path IS NOT NULL")                                  \
    XX(BLOB_REGISTERED, "SELECT sha256 FROM blob WHERE path = ?1 AND bytes = ?2 AND "    \
                        "mtime_ns = ?3 AND inode = ?4")                                  \
    XX(BLOB_OUTDATED, "SELECT sha256 FROM blob b WHERE path = ?1 AND sha256 <> ?2 AND "  \
                      "NOT " TG_BLOB_IN_USE("b.sha256") " LIMIT 1")                      \
    XX(BLOB_TOUCH, "UPDATE blob SET touched = ?2 WHERE sha256 = ?1 AND "                 \
                   "touched < ?2 - 60")                                                  \
    XX(BLOB_GET, "SELECT sha256, bytes, created, format, members, path FROM blob "       \
                 "WHERE sha256 = ?1")                                                    \
    XX(BLOB_LIST, "SELECT sha256, bytes, created, format, members, path FROM blob "      \
                  "WHERE sha256 > ?1 ORDER BY sha256 LIMIT ?2")                          \
    XX(BLOB_CONTENT, "SELECT bytes, content, path, mtime_ns, inode FROM blob "           \
                     "WHERE sha256 = ?1")                                                \
    XX(BLOB_EXISTS, "SELECT 1 FROM blob WHERE sha256 = ?1")                              \
    XX(BLOB_IS_FILE, "SELECT 1 FROM blob WHERE sha256 = ?1 AND content IS NULL "         \
                     "AND path IS NULL")                                                 \
    XX(BLOB_TOTAL, "SELECT COUNT(*), SUM(bytes) FROM blob WHERE path IS NULL")           \
    XX(BLOB_USE, "SELECT bytes, " TG_BLOB_IN_USE("?1") ", content IS NULL AND "          \
                 "path IS NULL, path IS NOT NULL FROM blob WHERE sha256 = ?1")           \
    XX(BLOB_UNUSED_TOTAL, "SELECT SUM(bytes) FROM blob b WHERE path IS NULL AND "        \
                          "NOT " TG_BLOB_IN_USE("b.sha256"))                             \
    XX(BLOB_UNUSED, "SELECT sha256, bytes FROM blob b WHERE touched < ?1 AND "           \
                    "path IS NULL AND "                                                  \
                    "NOT " TG_BLOB_IN_USE("b.sha256") " ORDER BY touched LIMIT ?2")      \
    XX(BLOB_DELETE, "DELETE FROM blob WHERE sha256 = ?1")

enum tg_sql {
#define XX(name, sql) TG_SQL_##name,
    TG_SQL_MAP(XX)
#undef XX
    TG_SQL_COUNT
};

struct tg_db {
    sqlite3 *sqlite;
    sqlite3_stmt *stmt[TG_SQL_COUNT];
    int rc;             /* the last code that was a failure */
    struct tg_db *next; /* in the list of idle readers */
};

/* Opens `path`; a read-only connection never makes or changes the file. */
TG_MUST_CHECK enum tg_err tg_db_open(struct tg_db *db, const char *path, bool read_only);
void tg_db_close(struct tg_db *db);
/* Brings the schema up to date. The report says what is wrong with a foreign file. */
TG_MUST_CHECK enum tg_err tg_db_migrate(struct tg_db *db, struct tg_report *report);
int tg_db_schema_version(void); /* the newest this program knows */
/* The value of a PRAGMA that yields an integer; -1 on failure. */
int64_t tg_db_pragma(struct tg_db *db, const char *sql);

/*
 * A statement bound to its arguments: s const char *, i int64_t, r int64_t (row number, 0 is
 * NULL), d double, b const void * and size_t (a NULL pointer is NULL). Bound memory is
 * borrowed until tg_db_done(). NULL on failure.
 */
sqlite3_stmt *tg_db_query(struct tg_db *db, enum tg_sql sql, const char *types, ...);
bool tg_db_row(struct tg_db *db, sqlite3_stmt *stmt); /* steps; false at the end, or failed */
/* Ends a query; the error of any step. */
enum tg_err tg_db_done(struct tg_db *db, sqlite3_stmt *stmt);
/* Binds, runs to the end and resets. */
TG_MUST_CHECK enum tg_err tg_db_run(struct tg_db *db, enum tg_sql sql, const char *types, ...);
/* The first column of the first row as integer, 0 without a row. */
TG_MUST_CHECK enum tg_err tg_db_int(struct tg_db *db, enum tg_sql sql, int64_t *value,
                                    const char *types, ...);
/* The code with which SQLite would tell this errno of a fault point; SQLITE_OK for 0. */
int tg_db_rc(int error);
/* Notes a failure of a call made directly and maps it. */
enum tg_err tg_db_fail(struct tg_db *db, int rc);
/* Column text as a new string, "" for NULL; NULL without memory. */
char *tg_db_strdup(sqlite3_stmt *stmt, int column);

/* Room for one more than n items of `item` bytes in an array that has room for *size; NULL
 * without memory (the array stays). */
void *tg_grow(void *array, size_t n, size_t *size, size_t item);

/* Whether the write-ahead log has lost transactions that were committed. While closed. */
TG_MUST_CHECK enum tg_err tg_wal_check(int dir_fd, bool *damaged);

/* The store -------------------------------------------------------------------------- */

/* What a transaction has done so far; becomes true with its commit. Writer thread only. */
struct tg_pending {
    uint64_t seq;       /* last event */
    int64_t files, bytes;
    size_t ndoomed;     /* blobs whose files go after the commit */
};

/* A digest whose file may not be removed now, and that perhaps is being uploaded. */
struct tg_hold {
    char sha256[TG_SHA256_HEX];
    unsigned count;
    bool uploading;
    struct tg_hold *next;
};

struct tg_op;

struct tg_store {
    int dir_fd, lock_fd;
    char *db_path;
    size_t data_max_bytes;
    char **folders;          /* whose files may be registered; ends with NULL */
    void (*on_commit)(void *arg, uint64_t last_seq);
    void *arg;

    pthread_t writer;
    bool writer_runs;
    pthread_mutex_t mu;      /* guards the queue and trouble */
    pthread_cond_t work;     /* on CLOCK_MONOTONIC */
    struct tg_op *head, **tail;
    bool stopping;
    char trouble[160];       /* why the store is not writable */
    double probe_s;
    struct timespec probe_at;
    atomic_bool writable;
    atomic_bool in_doubt;    /* a commit failed, and a crash now might bring it back */

    struct tg_db db;         /* writer thread only, as the next three */
    struct tg_pending pending;
    char (*doomed)[TG_SHA256_HEX];
    size_t doomed_size;

    pthread_mutex_t readers_mu;
    pthread_cond_t reader_free;
    struct tg_db *readers;   /* idle ones */
    unsigned nreaders;

    pthread_mutex_t holds_mu;
    struct tg_hold *holds;
    atomic_uint_fast64_t swept; /* write_errors at the last sweep of data/ */

    pthread_mutex_t id_mu;
    uint64_t id_ms;
    unsigned char id_random[10];

    atomic_uint_fast64_t commits, operations, write_errors, data_files, data_bytes,
        commit_ns;
};

double tg_store_now(void); /* Unix seconds */

/* A connection for reading, to be given back; NULL without memory or files. */
struct tg_db *tg_store_reader(struct tg_store *store);
void tg_store_reader_done(struct tg_store *store, struct tg_db *db);

/* The next id: a ULID that sorts after all earlier ones. */
TG_MUST_CHECK enum tg_err tg_store_make_id(struct tg_store *store, char id[TG_ID_SIZE]);
void tg_store_seed_id(struct tg_store *store, const char *last_id);

/*
 * Runs `run` in the writer thread and returns when its transaction is on disk (or is not:
 * then nothing of it is kept and `report` says why). A run that fails with anything but
 * TG_STORE undoes itself alone.
 */
typedef enum tg_err tg_op_run(struct tg_store *store, void *args);
TG_MUST_CHECK enum tg_err tg_store_post(struct tg_store *store, tg_op_run *run, void *args,
                                        struct tg_report *report);
TG_MUST_CHECK enum tg_err tg_store_start_writer(struct tg_store *store);
void tg_store_stop_writer(struct tg_store *store);

/* A failed file operation: turns the store unwritable if the disk is to blame. */
enum tg_err tg_store_file_failed(struct tg_store *store, int error,
                                 struct tg_report *report);
/* TG_STORE with the reason while the store is not writable. */
TG_MUST_CHECK enum tg_err tg_store_need_writable(struct tg_store *store,
                                                 struct tg_report *report);

/* Writer thread, inside an operation ------------------------------------------------- */

/* Moves a job to `to` for the reason `problem`; used by recovery too. */
TG_MUST_CHECK enum tg_err tg_store_move(struct tg_store *store, const char *id,
                                        enum tg_state to, const char *problem);
TG_MUST_CHECK enum tg_err tg_store_add_event(struct tg_store *store, const char *id,
                                             const char *type, double now);

/* Rows ------------------------------------------------------------------------------- */

TG_MUST_CHECK enum tg_err tg_job_row_read(sqlite3_stmt *stmt, struct tg_job_row *row);

/* Data ------------------------------------------------------------------------------- */

enum { TG_DATA_PATH_SIZE = 80 };
/* data/ab/abcd..., relative to the store. */
void tg_data_path(const char *sha256, char path[TG_DATA_PATH_SIZE]);

/* Keeps the file of a digest from being removed. False: `upload` and another one is on. */
TG_MUST_CHECK enum tg_err tg_data_hold(struct tg_store *store, const char *sha256,
                                       bool upload);
void tg_data_unhold(struct tg_store *store, const char *sha256, bool upload);
bool tg_data_is_uploading(struct tg_store *store, const char *sha256);

/* A blob whose bytes are safe on disk or at hand: what its row will say. */
struct tg_stored {
    char sha256[TG_SHA256_HEX];
    uint64_t bytes;
    char *format, *members;
    void *content; /* NULL: in its file */
    bool held;
    char *path;    /* NULL, or where a registered file is */
    struct tg_stamp stamp;
};

/* Puts head and body where a blob of that size belongs. Any thread; holds the digest. */
TG_MUST_CHECK enum tg_err tg_data_prepare(struct tg_store *store, const char *sha256,
                                          const void *head, size_t nhead, const void *body,
                                          size_t nbody, struct tg_stored *stored,
                                          struct tg_report *report);
/* Unholds it, and removes its file if no row came to name it. */
void tg_data_prepared_release(struct tg_store *store, struct tg_stored *stored);
/* Writes the row. Writer thread. */
TG_MUST_CHECK enum tg_err tg_data_insert(struct tg_store *store,
                                         const struct tg_stored *stored, bool *created);
/* A row of the columns that BLOB_GET and BLOB_LIST select. */
TG_MUST_CHECK enum tg_err tg_data_row_read(sqlite3_stmt *stmt, struct tg_data_row *row);
/* Format and members of the bytes. */
TG_MUST_CHECK enum tg_err tg_data_recognise(const void *bytes, size_t n,
                                            struct tg_stored *stored,
                                            struct tg_report *report);
/* Removes the row, and the file after the commit. Writer thread. */
TG_MUST_CHECK enum tg_err tg_data_doom(struct tg_store *store, const char *sha256);
/* After a commit: unlinks the files of the doomed that nobody holds. */
void tg_data_unlink_doomed(struct tg_store *store);
/* Moves a finished file of part/ to its place; durable when it returns. errno or 0. */
int tg_data_publish(struct tg_store *store, const char *part, const char *sha256);
/* Writes all bytes; fsync. errno or 0. */
int tg_data_write(int fd, const void *p, size_t n);
int tg_data_sync(int fd);
/* Removes the file of a digest that no row names and nobody holds. */
void tg_data_unlink(struct tg_store *store, const char *sha256);
/* The same for every file of data/. */
void tg_data_sweep_files(struct tg_store *store);
/* Removes what cannot be resumed from part/. After open, before any operation. */
void tg_data_sweep_nameless(struct tg_store *store);
/* Parts that nobody has resumed for a day. */
void tg_data_sweep_parts(struct tg_store *store);

/* Registered files ------------------------------------------------------------------- */

/* The folders of a setting: absolute, separated by ":". TG_INVALID. */
TG_MUST_CHECK enum tg_err tg_folders_parse(const char *text, char ***folders,
                                           struct tg_report *report);
void tg_folders_free(char **folders);

/*
 * Opens the file at `path`, which has to lie below one of the folders when all symbolic
 * links are followed; that is looked up on the opened file, so nothing can be swapped in
 * between. *real is its path then, malloc'ed. TG_PATH, TG_NOT_FOUND, and in words in `why`
 * (which stays as it was without memory).
 */
TG_MUST_CHECK enum tg_err tg_registered_open(struct tg_store *store, const char *path, int *fd,
                                             char **real, struct tg_stamp *stamp,
                                             char why[TG_WHY_SIZE]);
/* TG_DATA_CHANGED with the difference in `why`, unless `now` is `then`. */
TG_MUST_CHECK enum tg_err tg_registered_compare(const char *path, const struct tg_stamp *then,
                                                const struct tg_stamp *now,
                                                char why[TG_WHY_SIZE]);
/* The same with what lies at `path` now. */
TG_MUST_CHECK enum tg_err tg_registered_check(const char *path, const struct tg_stamp *then,
                                              char why[TG_WHY_SIZE]);
/* tg_data_open with the reason in words ("" when there is none). */
TG_MUST_CHECK enum tg_err tg_blob_open(struct tg_store *store, const char *sha256,
                                       struct tg_blob *blob, char why[TG_WHY_SIZE]);

#endif

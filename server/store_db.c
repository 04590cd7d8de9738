/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Connections to the database: opening, the schema, prepared statements.
 *
 * DESIGN. PRAGMA user_version counts the migrations that have been run; migration i
 * brings a store from version i to i + 1. application_id keeps us from other programs'
 * files.
 */
#include "server/store_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "server/point.h"

enum { APPLICATION_ID = 0x54474e54 }; /* "TGNT" */

static const char *const migrations[] = {
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE result (id INTEGER PRIMARY KEY, document TEXT NOT NULL);"
    "CREATE TABLE result_output ("
    "  result INTEGER NOT NULL REFERENCES result ON DELETE CASCADE,"
    "  sha256 TEXT NOT NULL,"
    "  PRIMARY KEY (result, sha256)) WITHOUT ROWID;"
    "CREATE INDEX result_output_sha256 ON result_output (sha256);"
    "CREATE TABLE job ("
    "  id TEXT NOT NULL PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL,"
    "  token TEXT NOT NULL, canonical TEXT NOT NULL, hash TEXT NOT NULL,"
    "  state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 6), priority INTEGER NOT NULL,"
    "  created REAL NOT NULL, started REAL NOT NULL, finished REAL NOT NULL,"
    "  max_run_s REAL NOT NULL, deadline REAL NOT NULL, keep INTEGER NOT NULL,"
    "  attempt INTEGER NOT NULL, peak_bytes INTEGER NOT NULL, flops REAL NOT NULL,"
    "  seconds REAL NOT NULL, retry_of TEXT NOT NULL, problem TEXT NOT NULL,"
    "  seq INTEGER NOT NULL, result INTEGER REFERENCES result);"
    "CREATE INDEX job_state ON job (state, id);"
    "CREATE INDEX job_kind ON job (kind, id);"
    "CREATE INDEX job_token ON job (token, id);"
    "CREATE INDEX job_hash ON job (hash, state, id);"
    "CREATE INDEX job_finished ON job (finished) WHERE finished > 0 AND keep = 0;"
    "CREATE INDEX job_result ON job (result) WHERE result IS NOT NULL;"
    "CREATE TABLE job_input ("
    "  job TEXT NOT NULL REFERENCES job ON DELETE CASCADE,"
    "  sha256 TEXT NOT NULL,"
    "  PRIMARY KEY (job, sha256)) WITHOUT ROWID;"
    "CREATE INDEX job_input_sha256 ON job_input (sha256);"
    "CREATE TABLE idempotency ("
    "  token TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL,"
    "  job TEXT NOT NULL REFERENCES job ON DELETE CASCADE, created REAL NOT NULL,"
    "  PRIMARY KEY (token, key)) WITHOUT ROWID;"
    "CREATE INDEX idempotency_job ON idempotency (job);"
    "CREATE TABLE event ("
    "  seq INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT NOT NULL, type TEXT NOT NULL,"
    "  time REAL NOT NULL, data TEXT NOT NULL);"
    "CREATE INDEX event_job ON event (job, seq);"
    "CREATE INDEX event_removed ON event (time) WHERE type = 'removed';"
    "CREATE TABLE tombstone ("
    "  id TEXT NOT NULL PRIMARY KEY, reason TEXT NOT NULL, time REAL NOT NULL)"
    "  WITHOUT ROWID;"
    "CREATE TABLE blob ("
    "  sha256 TEXT NOT NULL PRIMARY KEY, bytes INTEGER NOT NULL, created REAL NOT NULL,"
    "  touched REAL NOT NULL, format TEXT NOT NULL, members TEXT NOT NULL, content BLOB);"
    "CREATE INDEX blob_touched ON blob (touched);",
    /* A registered file: no content and no file in data/, but a path. */
    "ALTER TABLE blob ADD COLUMN path TEXT;"
    "ALTER TABLE blob ADD COLUMN mtime_ns INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE blob ADD COLUMN inode INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX blob_path ON blob (path) WHERE path IS NOT NULL;",
};
enum { NMIGRATIONS = sizeof migrations / sizeof *migrations };

static const char *const sql_text[] = {
#define XX(name, sql) sql,
    TG_SQL_MAP(XX)
#undef XX
};

int tg_db_schema_version(void)
{
    return NMIGRATIONS;
}

enum tg_err tg_db_fail(struct tg_db *db, int rc)
{
    if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE)
        return TG_OK;
    db->rc = rc;
    if (rc == SQLITE_IOERR_NOMEM)
        return TG_NOMEM;
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return TG_NOMEM;
    case SQLITE_ERROR:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
    case SQLITE_TOOBIG:
        return TG_INTERNAL; /* our fault, not the disk's */
    default:
        return TG_STORE;
    }
}

int tg_db_rc(int error)
{
    return !error ? SQLITE_OK : error == ENOSPC ? SQLITE_FULL : SQLITE_IOERR;
}

static enum tg_err execute(struct tg_db *db, const char *sql)
{
    return tg_db_fail(db, sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL));
}

int64_t tg_db_pragma(struct tg_db *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int64_t value = -1;
    int rc = sqlite3_prepare_v2(db->sqlite, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW)
            value = sqlite3_column_int64(stmt, 0);
    }
    tg_db_fail(db, rc);
    sqlite3_finalize(stmt);
    return value;
}

enum tg_err tg_db_open(struct tg_db *db, const char *path, bool read_only)
{
    memset(db, 0, sizeof *db);
    int flags =
        SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
        (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    TG_TRY(tg_db_fail(db, sqlite3_open_v2(path, &db->sqlite, flags, NULL)));
    sqlite3_busy_timeout(db->sqlite, 5000);
    TG_TRY(execute(db, "PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON;"
                       "PRAGMA temp_store = MEMORY;"));
    if (read_only)
        return execute(db, "PRAGMA query_only = ON; PRAGMA cache_size = -512");
    return execute(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                       "PRAGMA wal_autocheckpoint = 1000;"
                       "PRAGMA journal_size_limit = 67108864");
}

void tg_db_close(struct tg_db *db)
{
    for (int i = 0; i < TG_SQL_COUNT; i++)
        sqlite3_finalize(db->stmt[i]);
    sqlite3_close(db->sqlite);
    memset(db, 0, sizeof *db);
}

static enum tg_err migrate_one(struct tg_db *db, int version)
{
    char mark[64];
    snprintf(mark, sizeof mark, "PRAGMA user_version = %d", version + 1);
    TG_TRY(execute(db, "BEGIN IMMEDIATE"));
    enum tg_err err = execute(db, migrations[version]);
    if (!err)
        err = execute(db, mark);
    if (!err)
        err = TG_POINT("store.migrate") ? TG_STORE : execute(db, "COMMIT");
    if (err)
        sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
    return err;
}

enum tg_err tg_db_migrate(struct tg_db *db, struct tg_report *report)
{
    int64_t version = tg_db_pragma(db, "PRAGMA user_version");
    int64_t application = tg_db_pragma(db, "PRAGMA application_id");
    if (version < 0 || application < 0)
        return TG_STORE;
    if (application != APPLICATION_ID && (application || version))
        return tg_fault_add(report, TG_STORE, NULL,
                            "tangentd.db was made by another program, not by tangentd");
    if (version > NMIGRATIONS)
        return tg_fault_add(report, TG_STORE, NULL,
                            "The store has schema version %d, made by a newer tangentd; "
                            "this one knows versions up to %d.",
                            (int)version, NMIGRATIONS);
    if (!application) {
        char mark[64];
        snprintf(mark, sizeof mark, "PRAGMA application_id = %d", APPLICATION_ID);
        TG_TRY(execute(db, mark));
    }
    for (int i = (int)version; i < NMIGRATIONS; i++)
        TG_TRY(migrate_one(db, i));
    return TG_OK;
}

static int bind_all(sqlite3_stmt *stmt, const char *types, va_list ap)
{
    int rc = SQLITE_OK;
    for (int i = 1; types[i - 1] && rc == SQLITE_OK; i++) {
        switch (types[i - 1]) {
        case 's':
            rc = sqlite3_bind_text(stmt, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
            break;
        case 'i':
            rc = sqlite3_bind_int64(stmt, i, va_arg(ap, int64_t));
            break;
        case 'r': {
            int64_t number = va_arg(ap, int64_t);
            rc =
                number ? sqlite3_bind_int64(stmt, i, number) : sqlite3_bind_null(stmt, i);
            break;
        }
        case 'd':
            rc = sqlite3_bind_double(stmt, i, va_arg(ap, double));
            break;
        case 'b': {
            const void *p = va_arg(ap, const void *);
            rc = sqlite3_bind_blob64(stmt, i, p, va_arg(ap, size_t), SQLITE_STATIC);
            break;
        }
        default:
            TG_BUG("unknown type of a bound value");
        }
    }
    return rc;
}

static sqlite3_stmt *query(struct tg_db *db, enum tg_sql sql, const char *types,
                           va_list ap)
{
    int rc = tg_db_rc(TG_POINT("store.query"));
    if (rc == SQLITE_OK && !db->stmt[sql])
        rc = sqlite3_prepare_v3(db->sqlite, sql_text[sql], -1, SQLITE_PREPARE_PERSISTENT,
                                &db->stmt[sql], NULL);
    if (rc == SQLITE_OK)
        rc = bind_all(db->stmt[sql], types, ap);
    if (rc == SQLITE_OK)
        return db->stmt[sql];
    tg_db_fail(db, rc);
    if (db->stmt[sql])
        tg_db_done(db, db->stmt[sql]);
    return NULL;
}

sqlite3_stmt *tg_db_query(struct tg_db *db, enum tg_sql sql, const char *types, ...)
{
    va_list ap;
    va_start(ap, types);
    sqlite3_stmt *stmt = query(db, sql, types, ap);
    va_end(ap);
    return stmt;
}

bool tg_db_row(struct tg_db *db, sqlite3_stmt *stmt)
{
    int rc = sqlite3_step(stmt);
    tg_db_fail(db, rc);
    return rc == SQLITE_ROW;
}

enum tg_err tg_db_done(struct tg_db *db, sqlite3_stmt *stmt)
{
    if (!stmt)
        return tg_db_fail(db, db->rc);
    int rc = sqlite3_reset(stmt); /* repeats the error of the last step */
    sqlite3_clear_bindings(stmt);
    return tg_db_fail(db, rc);
}

enum tg_err tg_db_run(struct tg_db *db, enum tg_sql sql, const char *types, ...)
{
    va_list ap;
    va_start(ap, types);
    sqlite3_stmt *stmt = query(db, sql, types, ap);
    va_end(ap);
    if (stmt)
        while (tg_db_row(db, stmt))
            ;
    return tg_db_done(db, stmt);
}

enum tg_err tg_db_int(struct tg_db *db, enum tg_sql sql, int64_t *value,
                      const char *types, ...)
{
    va_list ap;
    va_start(ap, types);
    sqlite3_stmt *stmt = query(db, sql, types, ap);
    va_end(ap);
    *value = 0;
    if (stmt && tg_db_row(db, stmt))
        *value = sqlite3_column_int64(stmt, 0);
    return tg_db_done(db, stmt);
}

char *tg_db_strdup(sqlite3_stmt *stmt, int column)
{
    const unsigned char *text = sqlite3_column_text(stmt, column);
    return strdup(text ? (const char *)text : "");
}

void *tg_grow(void *array, size_t n, size_t *size, size_t item)
{
    if (n < *size)
        return array;
    size_t bigger = *size ? *size * 2 : 16, bytes;
    void *moved = tg_mul_ok(bigger, item, &bytes) ? realloc(array, bytes) : NULL;
    if (moved)
        *size = bigger;
    return moved;
}

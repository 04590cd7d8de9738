/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lists of jobs: the one query whose text depends on what is asked. */
#include "server/store_private.h"

#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "server/point.h"

/* The query for the members of the filter that are set; the names are those of bind(). */
static char *list_sql(const struct tg_job_filter *filter)
{
    struct tg_buf sql;
    tg_buf_init(&sql, 4096);
    tg_buf_puts(&sql, "SELECT " TG_JOB_COLUMNS " FROM job WHERE 1");
    if (filter->kind)
        tg_buf_puts(&sql, " AND kind = $kind");
    if (filter->name)
        tg_buf_puts(&sql, " AND instr(lower(name), lower($name))");
    if (filter->token)
        tg_buf_puts(&sql, " AND token = $token");
    if (filter->since > 0)
        tg_buf_puts(&sql, " AND created >= $since");
    if (filter->until > 0)
        tg_buf_puts(&sql, " AND created <= $until");
    if (filter->before)
        tg_buf_puts(&sql, " AND id < $before");
    if (filter->states) {
        tg_buf_puts(&sql, " AND state IN (-1"); /* no state; spares the first comma */
        for (int state = 0; state < TG_STATE_COUNT; state++) {
            if (filter->states & 1U << state)
                tg_buf_printf(&sql, ", %d", state);
        }
        tg_buf_puts(&sql, ")");
    }
    tg_buf_puts(&sql, " ORDER BY id DESC LIMIT $limit");
    if (tg_buf_failed(&sql)) {
        tg_buf_release(&sql);
        return NULL;
    }
    return tg_buf_take(&sql, NULL);
}

static int bind_text(sqlite3_stmt *stmt, const char *name, const char *text)
{
    int i = sqlite3_bind_parameter_index(stmt, name);
    return i ? sqlite3_bind_text(stmt, i, text, -1, SQLITE_STATIC) : SQLITE_OK;
}

static int bind_double(sqlite3_stmt *stmt, const char *name, double value)
{
    int i = sqlite3_bind_parameter_index(stmt, name);
    return i ? sqlite3_bind_double(stmt, i, value) : SQLITE_OK;
}

static int bind_filter(sqlite3_stmt *stmt, const struct tg_job_filter *filter)
{
    int rc = bind_text(stmt, "$kind", filter->kind);
    if (rc == SQLITE_OK)
        rc = bind_text(stmt, "$name", filter->name);
    if (rc == SQLITE_OK)
        rc = bind_text(stmt, "$token", filter->token);
    if (rc == SQLITE_OK)
        rc = bind_double(stmt, "$since", filter->since);
    if (rc == SQLITE_OK)
        rc = bind_double(stmt, "$until", filter->until);
    if (rc == SQLITE_OK)
        rc = bind_text(stmt, "$before", filter->before);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(stmt, sqlite3_bind_parameter_index(stmt, "$limit"),
                                (int64_t)filter->limit);
    return rc;
}

static enum tg_err read_rows(struct tg_db *db, sqlite3_stmt *stmt,
                             struct tg_job_row **rows, size_t *n)
{
    size_t size = 0;
    while (tg_db_row(db, stmt)) {
        struct tg_job_row *bigger = tg_grow(*rows, *n, &size, sizeof **rows);
        if (!bigger)
            return TG_NOMEM;
        *rows = bigger;
        TG_TRY(tg_job_row_read(stmt, &bigger[*n]));
        ++*n;
    }
    return TG_OK;
}

static enum tg_err list(struct tg_db *db, const struct tg_job_filter *filter,
                        struct tg_job_row **rows, size_t *n)
{
    char *sql = list_sql(filter);
    if (!sql)
        return TG_NOMEM;
    sqlite3_stmt *stmt = NULL;
    int rc = tg_db_rc(TG_POINT("store.query"));
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db->sqlite, sql, -1, &stmt, NULL);
    free(sql);
    if (rc == SQLITE_OK)
        rc = bind_filter(stmt, filter);
    enum tg_err err = tg_db_fail(db, rc);
    if (!err)
        err = read_rows(db, stmt, rows, n);
    enum tg_err failed = tg_db_fail(db, sqlite3_finalize(stmt));
    return err ? err : failed;
}

enum tg_err tg_store_list(struct tg_store *store, const struct tg_job_filter *filter,
                          struct tg_job_row **rows, size_t *n)
{
    *rows = NULL;
    *n = 0;
    struct tg_db *db = tg_store_reader(store);
    if (!db)
        return TG_STORE;
    enum tg_err err = list(db, filter, rows, n);
    tg_store_reader_done(store, db);
    if (err) {
        for (size_t i = 0; i < *n; i++)
            tg_job_row_release(&(*rows)[i]);
        free(*rows);
        *rows = NULL;
        *n = 0;
    }
    return err;
}

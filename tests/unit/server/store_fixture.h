/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A store in a fresh directory for every test, and short ways to use it. */
#ifndef TG_TESTS_STORE_FIXTURE_H
#define TG_TESTS_STORE_FIXTURE_H

#include "../suite.h"

#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/point.h"
#include "server/store.h"

static char dir[64], data_folders[256];
static struct tg_store *store;
static struct tg_report report;

static inline enum tg_err try_open(struct tg_store **out)
{
    struct tg_store_options options = {
        .dir = dir, .data_max_bytes = 64 << 20, .data_folders = data_folders};
    tg_report_init(&report);
    return tg_store_open(&options, out, &report);
}

static inline void open_store(void)
{
    ck_assert_int_eq(try_open(&store), TG_OK);
}

static inline void reopen_store(void)
{
    tg_store_close(store);
    open_store();
}

/* Members of the rows that are submitted; tests may change name and token. */
static char row_kind[] = "pca", row_name[64] = "run 7", row_token[16] = "anna",
            row_canonical[] = "{}", row_empty[] = "";

static inline void setup(void)
{
    snprintf(row_name, sizeof row_name, "run 7");
    snprintf(row_token, sizeof row_token, "anna");
    int n = snprintf(dir, sizeof dir, "/tmp/tangentd-store-");
    memset(dir + n, 'X', 6);
    dir[n + 6] = 0;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    open_store();
}

static inline int remove_one(const char *path, const struct stat *st, int type,
                             struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static inline void teardown(void)
{
#ifdef TG_TESTING
    tg_point_set(NULL);
#endif
    tg_store_close(store);
    store = NULL;
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Runs SQL behind the store's back, to make things old or broken. */
static inline void sql(const char *text)
{
    char path[96];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/tangentd.db", dir);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    ck_assert_int_eq(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static inline struct tg_job_row plain_row(void)
{
    struct tg_job_row row = {
        .kind = row_kind,
        .name = row_name,
        .token = row_token,
        .canonical = row_canonical,
        .retry_of = row_empty,
        .problem = row_empty,
        .priority = TG_PRIORITY_NORMAL,
        .max_run_s = 60,
        .peak_bytes = UINT64_C(5000000000),
        .flops = 1e9,
        .seconds = 0.5,
    };
    memset(row.hash, 'a', sizeof row.hash - 1);
    return row;
}

static inline enum tg_err try_submit(char id[TG_ID_SIZE])
{
    struct tg_job_row row = plain_row();
    struct tg_submit submit = {.row = &row};
    bool existing;
    tg_report_init(&report);
    return tg_store_submit(store, &submit, id, &existing, &report);
}

static inline void submit_job(char id[TG_ID_SIZE])
{
    ck_assert_int_eq(try_submit(id), TG_OK);
    ck_assert_uint_eq(strlen(id), TG_ID_SIZE - 1);
}

static inline int start_job(const char *id)
{
    int attempt = 0;
    ck_assert_int_eq(tg_store_start(store, id, &attempt), TG_OK);
    return attempt;
}

static inline struct tg_job_row get_job(const char *id)
{
    struct tg_job_row row;
    ck_assert_int_eq(tg_store_get(store, id, &row, NULL), TG_OK);
    return row;
}

static inline enum tg_state state_of(const char *id)
{
    struct tg_job_row row = get_job(id);
    enum tg_state state = row.state;
    tg_job_row_release(&row);
    return state;
}

static int lines_printed;
static inline void count_line(const char *line)
{
    (void)line;
    lines_printed++;
}

/* Checks the closed store and opens it again. */
static inline enum tg_err check_store(void)
{
    tg_store_close(store);
    lines_printed = 0;
    tg_report_init(&report);
    enum tg_err err = tg_store_check(dir, count_line, &report);
    open_store();
    return err;
}

/* npy version 1.0 of n doubles 0, 1, 2, ...; malloc'ed, *size its bytes. */
static inline char *make_npy(size_t n, size_t *size)
{
    char *bytes = calloc(1, 128 + n * sizeof(double));
    ck_assert_ptr_nonnull(bytes);
    memcpy(bytes, "\x93NUMPY\x01\x00\x76\x00", 10);
    memset(bytes + 10, ' ', 118);
    int text = snprintf(bytes + 10, 118,
                        "{'descr': '<f8', 'fortran_order': False, 'shape': (%zu,), }", n);
    bytes[10 + text] = ' ';
    bytes[127] = '\n';
    for (size_t i = 0; i < n; i++) {
        double x = (double)i;
        memcpy(bytes + 128 + i * sizeof x, &x, sizeof x);
    }
    *size = 128 + n * sizeof(double);
    return bytes;
}

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Data: the rows of blobs, opening and deleting them. */
#include "server/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/log.h"
#include "server/point.h"

/* Rows, in the writer thread --------------------------------------------------------- */

enum tg_err tg_data_insert(struct tg_store *store, const struct tg_stored *stored,
                           bool *created)
{
    struct tg_db *db = &store->db;
    double now = tg_store_now();
    TG_TRY(tg_db_run(db, TG_SQL_BLOB_INSERT, "sidssb", stored->sha256,
                     (int64_t)stored->bytes, now, stored->format, stored->members,
                     stored->content, (size_t)stored->bytes));
    *created = sqlite3_changes(db->sqlite) > 0;
    if (!*created) { /* known; but what is stored here is better than a registered file */
        TG_TRY(tg_db_run(db, TG_SQL_BLOB_TOUCH, "sd", stored->sha256, now));
        TG_TRY(tg_db_run(db, TG_SQL_BLOB_OWN, "sb", stored->sha256, stored->content,
                         (size_t)stored->bytes));
        *created = sqlite3_changes(db->sqlite) > 0;
    }
    if (!*created)
        return TG_OK;
    store->pending.files++;
    store->pending.bytes += (int64_t)stored->bytes;
    return TG_OK;
}

enum tg_err tg_data_doom(struct tg_store *store, const char *sha256)
{
    struct tg_db *db = &store->db;
    sqlite3_stmt *stmt = tg_db_query(db, TG_SQL_BLOB_USE, "s", sha256);
    bool found = stmt && tg_db_row(db, stmt);
    int64_t bytes = found ? sqlite3_column_int64(stmt, 0) : 0;
    bool used = found && sqlite3_column_int(stmt, 1);
    bool is_file = found && sqlite3_column_int(stmt, 2);
    bool registered = found && sqlite3_column_int(stmt, 3);
    TG_TRY(tg_db_done(db, stmt));
    if (!found)
        return TG_NOT_FOUND;
    if (used)
        return TG_CONFLICT;
    if (is_file) {
        void *bigger = tg_grow(store->doomed, store->pending.ndoomed, &store->doomed_size,
                               sizeof *store->doomed);
        if (!bigger)
            return TG_NOMEM;
        store->doomed = bigger;
        snprintf(store->doomed[store->pending.ndoomed++], TG_SHA256_HEX, "%s", sha256);
    }
    if (!registered) {
        store->pending.files--;
        store->pending.bytes -= bytes;
    }
    return tg_db_run(db, TG_SQL_BLOB_DELETE, "s", sha256);
}

void tg_data_unlink_doomed(struct tg_store *store)
{
    for (size_t i = 0; i < store->pending.ndoomed; i++)
        tg_data_unlink(store, store->doomed[i]);
    store->pending.ndoomed = 0;
}

struct delete_args {
    const char *sha256;
};

static enum tg_err delete_op(struct tg_store *store, void *arg)
{
    const struct delete_args *args = arg;
    return tg_data_doom(store, args->sha256);
}

enum tg_err tg_data_delete(struct tg_store *store, const char *sha256,
                           struct tg_report *report)
{
    struct delete_args args = {sha256};
    enum tg_err err = tg_store_post(store, delete_op, &args, report);
    if (err == TG_NOT_FOUND)
        tg_fault_add(report, err, NULL, "The data %s is not stored here.", sha256);
    if (err == TG_CONFLICT)
        tg_fault_add(
            report, err, NULL,
            "A waiting, running or pinned job or a stored result needs this data.");
    return err;
}

static enum tg_err touch_op(struct tg_store *store, void *arg)
{
    const char *sha256 = arg;
    int64_t exists;
    TG_TRY(tg_db_int(&store->db, TG_SQL_BLOB_EXISTS, &exists, "s", sha256));
    if (!exists)
        return TG_NOT_FOUND;
    return tg_db_run(&store->db, TG_SQL_BLOB_TOUCH, "sd", sha256, tg_store_now());
}

enum tg_err tg_data_touch(struct tg_store *store, const char *sha256,
                          struct tg_report *report)
{
    return tg_store_post(store, touch_op, (char *)(uintptr_t)sha256, report);
}

/* Reading ---------------------------------------------------------------------------- */

void tg_data_row_release(struct tg_data_row *row)
{
    free(row->format);
    free(row->members);
    free(row->path);
    memset(row, 0, sizeof *row);
}

enum tg_err tg_data_row_read(sqlite3_stmt *stmt, struct tg_data_row *row)
{
    memset(row, 0, sizeof *row);
    const unsigned char *sha256 = sqlite3_column_text(stmt, 0);
    snprintf(row->sha256, sizeof row->sha256, "%s", sha256 ? (const char *)sha256 : "");
    row->bytes = (uint64_t)sqlite3_column_int64(stmt, 1);
    row->created = sqlite3_column_double(stmt, 2);
    row->format = tg_db_strdup(stmt, 3);
    row->members = tg_db_strdup(stmt, 4);
    row->path = tg_db_strdup(stmt, 5);
    if (row->format && row->members && row->path)
        return TG_OK;
    tg_data_row_release(row);
    return TG_NOMEM;
}

enum tg_err tg_data_get(struct tg_store *store, const char *sha256,
                        struct tg_data_row *row, struct tg_report *report)
{
    memset(row, 0, sizeof *row);
    struct tg_db *db = tg_store_reader(store);
    if (!db)
        return TG_STORE;
    sqlite3_stmt *stmt = tg_db_query(db, TG_SQL_BLOB_GET, "s", sha256);
    bool found = stmt && tg_db_row(db, stmt);
    enum tg_err err = found ? tg_data_row_read(stmt, row) : TG_NOT_FOUND;
    enum tg_err failed = tg_db_done(db, stmt);
    tg_store_reader_done(store, db);
    if (failed) {
        tg_data_row_release(row);
        return failed;
    }
    if (!found)
        tg_fault_add(report, err, NULL, "The data %s is not stored here.", sha256);
    return err;
}

enum tg_err tg_data_list(struct tg_store *store, const char *after, size_t limit,
                         struct tg_data_row **rows, size_t *n)
{
    *rows = NULL;
    *n = 0;
    struct tg_db *db = tg_store_reader(store);
    if (!db)
        return TG_STORE;
    sqlite3_stmt *stmt =
        tg_db_query(db, TG_SQL_BLOB_LIST, "si", after ? after : "", (int64_t)limit);
    enum tg_err err = TG_OK;
    for (size_t size = 0; !err && stmt && tg_db_row(db, stmt);) {
        struct tg_data_row *bigger = tg_grow(*rows, *n, &size, sizeof **rows);
        if (bigger)
            *rows = bigger;
        err = bigger ? tg_data_row_read(stmt, &bigger[*n]) : TG_NOMEM;
        *n += !err;
    }
    enum tg_err failed = tg_db_done(db, stmt);
    tg_store_reader_done(store, db);
    if (!err)
        err = failed;
    if (err) {
        for (size_t i = 0; i < *n; i++)
            tg_data_row_release(&(*rows)[i]);
        free(*rows);
        *rows = NULL;
        *n = 0;
    }
    return err;
}

static enum tg_err copy_content(sqlite3_stmt *stmt, struct tg_blob *blob)
{
    const void *content = sqlite3_column_blob(stmt, 1);
    char *copy = malloc(blob->n + 1);
    if (!copy || (blob->n && !content)) {
        free(copy);
        return TG_NOMEM;
    }
    if (blob->n)
        memcpy(copy, content, blob->n);
    blob->bytes = blob->map = copy;
    return TG_OK;
}

static enum tg_err map(struct tg_blob *blob, int fd)
{
    void *map = mmap(NULL, blob->n, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        close(fd);
        return TG_NOMEM;
    }
    blob->bytes = blob->map = map;
    blob->mapped = true;
    blob->fd = fd;
    return TG_OK;
}

static enum tg_err map_file(struct tg_store *store, const char *sha256,
                            struct tg_blob *blob)
{
    char path[TG_DATA_PATH_SIZE];
    struct stat st;
    tg_data_path(sha256, path);
    int fd = (errno = TG_POINT("data.open"))
                 ? -1
                 : openat(store->dir_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? TG_UNKNOWN_DATA : TG_STORE;
    if (fstat(fd, &st) < 0 || (size_t)st.st_size != blob->n) {
        close(fd);
        tg_log(TG_LOG_ERROR, "%s does not have the %zu bytes it should", path, blob->n);
        return TG_STORE;
    }
    return map(blob, fd);
}

static enum tg_err map_registered(struct tg_store *store, struct tg_blob *blob,
                                  char why[TG_WHY_SIZE])
{
    struct tg_stamp now;
    char *real;
    int fd;
    TG_TRY(tg_registered_open(store, blob->path, &fd, &real, &now, why));
    free(real);
    enum tg_err err = tg_registered_compare(blob->path, &blob->stamp, &now, why);
    if (!err)
        return map(blob, fd);
    close(fd);
    return err;
}

/* Where the bytes of a row are. */
enum place { IN_ROW, IN_FILE, REGISTERED };

static enum place read_place(sqlite3_stmt *stmt, struct tg_blob *blob)
{
    blob->n = (size_t)sqlite3_column_int64(stmt, 0);
    if (sqlite3_column_type(stmt, 1) != SQLITE_NULL)
        return IN_ROW;
    if (sqlite3_column_type(stmt, 2) == SQLITE_NULL)
        return IN_FILE;
    blob->path = tg_db_strdup(stmt, 2);
    blob->stamp = (struct tg_stamp){.bytes = blob->n,
                                    .mtime_ns = sqlite3_column_int64(stmt, 3),
                                    .inode = (uint64_t)sqlite3_column_int64(stmt, 4)};
    return REGISTERED;
}

static enum tg_err open_place(struct tg_store *store, const char *sha256, enum place place,
                              struct tg_blob *blob, char why[TG_WHY_SIZE])
{
    if (place == IN_FILE)
        return map_file(store, sha256, blob);
    if (place == REGISTERED)
        return blob->path ? map_registered(store, blob, why) : TG_NOMEM;
    return TG_OK;
}

static enum tg_err open_once(struct tg_store *store, const char *sha256,
                             struct tg_blob *blob, char why[TG_WHY_SIZE])
{
    *blob = (struct tg_blob){.fd = -1};
    struct tg_db *db = tg_store_reader(store);
    if (!db)
        return TG_STORE;
    sqlite3_stmt *stmt = tg_db_query(db, TG_SQL_BLOB_CONTENT, "s", sha256);
    bool found = stmt && tg_db_row(db, stmt);
    enum place place = found ? read_place(stmt, blob) : IN_ROW;
    enum tg_err err = found ? TG_OK : TG_NOT_FOUND;
    if (found && place == IN_ROW)
        err = copy_content(stmt, blob);
    enum tg_err failed = tg_db_done(db, stmt);
    tg_store_reader_done(store, db);
    if (failed)
        err = failed;
    if (!err)
        err = open_place(store, sha256, place, blob, why);
    if (err)
        tg_blob_close(blob);
    return err;
}

/* The row may have been removed, and its file after it, between the two looks. */
enum tg_err tg_blob_open(struct tg_store *store, const char *sha256, struct tg_blob *blob,
                         char why[TG_WHY_SIZE])
{
    *why = '\0';
    enum tg_err err = open_once(store, sha256, blob, why);
    if (err == TG_UNKNOWN_DATA)
        err = open_once(store, sha256, blob, why);
    if (err == TG_UNKNOWN_DATA) {
        tg_log(TG_LOG_ERROR, "the file of data %s is missing", sha256);
        return TG_STORE;
    }
    return err == TG_NOT_FOUND && !*why ? TG_UNKNOWN_DATA : err;
}

enum tg_err tg_data_open(struct tg_store *store, const char *sha256, struct tg_blob *blob,
                         struct tg_report *report)
{
    char why[TG_WHY_SIZE];
    enum tg_err err = tg_blob_open(store, sha256, blob, why);
    return *why ? tg_fault_add(report, err, NULL, "%s", why) : err;
}

void tg_blob_close(struct tg_blob *blob)
{
    if (blob->mapped)
        munmap(blob->map, blob->n);
    else
        free(blob->map);
    if (blob->fd >= 0)
        close(blob->fd);
    free(blob->path);
    *blob = (struct tg_blob){.fd = -1};
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Uploads: a body of any size to disk in constant memory.
 *
 * DESIGN. While bytes come, other threads hash and write those before. The part of a known
 * digest is called after it and survives a broken connection or a crash; its bytes are hashed
 * again when it is resumed. A part that filled the disk is removed at once, so that the store
 * can go on.
 */
#include "server/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/behind.h"
#include "server/point.h"

enum { BUFFER = 1 << 20 }; /* of reading back */

struct tg_upload {
    struct tg_store *store;
    char sha256[TG_SHA256_HEX]; /* "" if it is not known before the end */
    char part[TG_DATA_PATH_SIZE];
    int fd;
    struct tg_behind *behind;
    struct tg_sha256 *sha; /* of what is flushed */
    uint64_t bytes; /* received, and lying here before */
    bool discard;   /* nothing here is worth resuming */
};

static void part_path(const char *sha256, char path[TG_DATA_PATH_SIZE])
{
    snprintf(path, TG_DATA_PATH_SIZE, "part/%.64s.part", sha256);
}

uint64_t tg_upload_offset(struct tg_store *store, const char *sha256)
{
    char path[TG_DATA_PATH_SIZE];
    struct stat st;
    part_path(sha256, path);
    return fstatat(store->dir_fd, path, &st, 0) == 0 ? (uint64_t)st.st_size : 0;
}

static void release(struct tg_upload *upload)
{
    tg_behind_free(upload->behind);
    if (upload->fd >= 0)
        close(upload->fd);
    if (upload->discard)
        unlinkat(upload->store->dir_fd, upload->part, 0);
    if (*upload->sha256)
        tg_data_unhold(upload->store, upload->sha256, true);
    tg_sha256_free(upload->sha);
    free(upload);
}

/* Beginning -------------------------------------------------------------------------- */

static enum tg_err rehash_into(struct tg_upload *upload, char *buffer,
                               struct tg_report *report)
{
    for (uint64_t at = 0; at < upload->bytes;) {
        ssize_t n = (errno = TG_POINT("upload.read"))
                        ? -1
                        : pread(upload->fd, buffer, BUFFER, (off_t)at);
        if (n <= 0)
            return tg_store_file_failed(upload->store, n < 0 ? errno : EIO, report);
        tg_sha256_add(upload->sha, buffer, (size_t)n);
        at += (uint64_t)n;
    }
    return TG_OK;
}

static enum tg_err rehash(struct tg_upload *upload, struct tg_report *report)
{
    if (!upload->bytes)
        return TG_OK;
    char *buffer = malloc(BUFFER);
    enum tg_err err = buffer ? rehash_into(upload, buffer, report) : TG_NOMEM;
    free(buffer);
    return err;
}

static enum tg_err open_part(struct tg_upload *upload, uint64_t offset,
                             struct tg_report *report)
{
    int dir_fd = upload->store->dir_fd;
    uint64_t random;
    int how = O_RDWR | O_CREAT | O_CLOEXEC | (offset ? O_APPEND : O_APPEND | O_TRUNC);
    if (*upload->sha256) {
        part_path(upload->sha256, upload->part);
    } else {
        if (!tg_random_bytes(&random, sizeof random))
            return TG_INTERNAL;
        snprintf(upload->part, sizeof upload->part, "part/up-%016llx",
                 (unsigned long long)random);
    }
    upload->fd =
        (errno = TG_POINT("upload.open")) ? -1 : openat(dir_fd, upload->part, how, 0600);
    if (upload->fd < 0)
        return tg_store_file_failed(upload->store, errno, report);
    upload->bytes = offset;
    upload->behind = tg_behind_new(upload->fd, offset, upload->sha);
    return upload->behind ? rehash(upload, report) : TG_NOMEM;
}

static enum tg_err begin(struct tg_upload *upload, const char *sha256, uint64_t offset,
                         struct tg_report *report)
{
    TG_TRY(tg_store_need_writable(upload->store, report));
    upload->sha = tg_sha256_new();
    if (!upload->sha)
        return TG_NOMEM;
    if (sha256) {
        enum tg_err err = tg_data_hold(upload->store, sha256, true);
        if (err == TG_CONFLICT)
            tg_fault_add(report, err, NULL, "Another upload of this data is under way.");
        if (err)
            return err;
        snprintf(upload->sha256, sizeof upload->sha256, "%s", sha256);
    }
    uint64_t here = sha256 ? tg_upload_offset(upload->store, sha256) : 0;
    if (offset && offset != here)
        return tg_fault_add(report, TG_CONFLICT, NULL,
                            "The upload cannot go on at byte %llu: %llu bytes lie here.",
                            (unsigned long long)offset, (unsigned long long)here);
    return open_part(upload, offset, report);
}

enum tg_err tg_upload_begin(struct tg_store *store, const char *sha256, uint64_t offset,
                            struct tg_upload **result, struct tg_report *report)
{
    *result = NULL;
    struct tg_upload *upload = calloc(1, sizeof *upload);
    if (!upload)
        return TG_NOMEM;
    upload->store = store;
    upload->fd = -1;
    enum tg_err err = begin(upload, sha256, offset, report);
    if (err)
        release(upload);
    else
        *result = upload;
    return err;
}

/* Writing ---------------------------------------------------------------------------- */

/* What a failed write leaves is of no use, and may be what filled the disk. */
static enum tg_err check_written(struct tg_upload *upload, int error, struct tg_report *report)
{
    if (!error)
        return TG_OK;
    upload->discard = true;
    if (ftruncate(upload->fd, 0) < 0)
        unlinkat(upload->store->dir_fd, upload->part, 0);
    return tg_store_file_failed(upload->store, error, report);
}

static enum tg_err flush(struct tg_upload *upload, struct tg_report *report)
{
    return check_written(upload, tg_behind_flush(upload->behind), report);
}

enum tg_err tg_upload_write(struct tg_upload *upload, const void *p, size_t n,
                            struct tg_report *report)
{
    size_t max = upload->store->data_max_bytes;
    if (upload->discard)
        return tg_fault_add(report, TG_STORE, NULL,
                            "The upload has failed; begin again.");
    if (upload->bytes > max || n > max - upload->bytes) {
        upload->discard = true;
        return tg_fault_add(report, TG_BODY_TOO_LARGE, NULL,
                            "A stored file has at most %zu bytes.", max);
    }
    upload->bytes += n;
    return check_written(upload, tg_behind_put(upload->behind, p, n), report);
}

/* Ending ----------------------------------------------------------------------------- */

enum tg_err tg_upload_keep(struct tg_upload *upload, struct tg_report *report)
{
    enum tg_err err = TG_OK;
    if (!*upload->sha256)
        upload->discard = true;
    if (!upload->discard)
        err = flush(upload, report);
    release(upload);
    return err;
}

void tg_upload_abort(struct tg_upload *upload)
{
    (void)!tg_upload_keep(upload, NULL);
}

static enum tg_err check_digest(struct tg_upload *upload, char digest[TG_SHA256_HEX],
                                struct tg_report *report)
{
    tg_sha256_end(upload->sha, digest);
    if (*upload->sha256 && strcmp(digest, upload->sha256) != 0)
        return tg_fault_add(report, TG_DIGEST_MISMATCH, NULL,
                            "The %llu bytes received have the SHA-256 %s.",
                            (unsigned long long)upload->bytes, digest);
    return TG_OK;
}

/* A small blob's bytes move into its row, a large one's part to its place. */
static enum tg_err settle(struct tg_upload *upload, struct tg_stored *stored,
                          struct tg_report *report)
{
    if (!upload->bytes)
        return tg_fault_add(report, TG_BAD_ARRAY, NULL, "The body is empty.");
    void *map = (errno = TG_POINT("upload.map"))
                    ? MAP_FAILED
                    : mmap(NULL, upload->bytes, PROT_READ, MAP_PRIVATE, upload->fd, 0);
    if (map == MAP_FAILED)
        return tg_store_file_failed(upload->store, errno, report);
    enum tg_err err = tg_data_recognise(map, upload->bytes, stored, report);
    if (!err && upload->bytes <= TG_BLOB_INLINE_MAX) {
        stored->content = malloc(upload->bytes);
        if (stored->content)
            memcpy(stored->content, map, upload->bytes);
        else
            err = TG_NOMEM;
    }
    munmap(map, upload->bytes);
    if (err || stored->content)
        return err;
    int error = tg_data_sync(upload->fd);
    if (!error)
        error = tg_data_publish(upload->store, upload->part, stored->sha256);
    return error ? tg_store_file_failed(upload->store, error, report) : TG_OK;
}

struct insert_args {
    const struct tg_stored *stored;
    bool *created;
    struct tg_data_row *row;
};

static enum tg_err insert_op(struct tg_store *store, void *arg)
{
    const struct insert_args *args = arg;
    TG_TRY(tg_data_insert(store, args->stored, args->created));
    sqlite3_stmt *stmt = tg_db_query(&store->db, TG_SQL_BLOB_GET, "s", args->stored->sha256);
    enum tg_err err = stmt && tg_db_row(&store->db, stmt)
                          ? tg_data_row_read(stmt, args->row)
                          : TG_STORE;
    enum tg_err failed = tg_db_done(&store->db, stmt);
    return failed ? failed : err;
}

static enum tg_err end(struct tg_upload *upload, struct tg_stored *stored, bool *created,
                       struct tg_data_row *row, struct tg_report *report)
{
    TG_TRY(flush(upload, report));
    TG_TRY(check_digest(upload, stored->sha256, report));
    TG_TRY(tg_data_hold(upload->store, stored->sha256, false));
    stored->held = true;
    stored->bytes = upload->bytes;
    TG_TRY(settle(upload, stored, report));
    struct insert_args args = {stored, created, row};
    return tg_store_post(upload->store, insert_op, &args, report);
}

enum tg_err tg_upload_end(struct tg_upload *upload, bool *created,
                          struct tg_data_row *row, struct tg_report *report)
{
    struct tg_store *store = upload->store;
    struct tg_stored stored = {.content = NULL};
    memset(row, 0, sizeof *row);
    *created = false;
    enum tg_err err = end(upload, &stored, created, row, report);
    upload->discard = true; /* the bytes are in their place, or not to be trusted */
    release(upload);
    if (err)
        tg_data_row_release(row);
    tg_data_prepared_release(store, &stored);
    return err;
}

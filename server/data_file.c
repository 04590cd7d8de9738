/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The files of blobs, and what their rows will say.
 *
 * DESIGN. A file gets its name in data/ only when all its bytes are on disk, and a row
 * only when the name is; so a crash leaves files that no row names, which the next start
 * sweeps, and never the other way round. A file goes away after the commit that removed
 * its row. Whoever is about to name a digest holds it, and the file of a held digest
 * stays.
 */
#include "server/store_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/array.h"
#include "proto/buf.h"
#include "server/point.h"

/* Holds ------------------------------------------------------------------------------ */

static struct tg_hold **find_hold_locked(struct tg_store *store, const char *sha256)
{
    struct tg_hold **hold = &store->holds;
    while (*hold && strcmp((*hold)->sha256, sha256) != 0)
        hold = &(*hold)->next;
    return hold;
}

static enum tg_err hold_locked(struct tg_store *store, const char *sha256, bool upload)
{
    struct tg_hold **hold = find_hold_locked(store, sha256);
    if (!*hold) {
        *hold = calloc(1, sizeof **hold);
        if (!*hold)
            return TG_NOMEM;
        snprintf((*hold)->sha256, sizeof(*hold)->sha256, "%s", sha256);
    }
    if (upload && (*hold)->uploading)
        return TG_CONFLICT;
    (*hold)->uploading |= upload;
    (*hold)->count++;
    return TG_OK;
}

enum tg_err tg_data_hold(struct tg_store *store, const char *sha256, bool upload)
{
    pthread_mutex_lock(&store->holds_mu);
    enum tg_err err = hold_locked(store, sha256, upload);
    pthread_mutex_unlock(&store->holds_mu);
    return err;
}

void tg_data_unhold(struct tg_store *store, const char *sha256, bool upload)
{
    pthread_mutex_lock(&store->holds_mu);
    struct tg_hold **place = find_hold_locked(store, sha256), *hold = *place;
    if (upload)
        hold->uploading = false;
    if (!--hold->count) {
        *place = hold->next;
        free(hold);
    }
    pthread_mutex_unlock(&store->holds_mu);
}

bool tg_data_is_uploading(struct tg_store *store, const char *sha256)
{
    pthread_mutex_lock(&store->holds_mu);
    struct tg_hold *hold = *find_hold_locked(store, sha256);
    bool uploading = hold && hold->uploading;
    pthread_mutex_unlock(&store->holds_mu);
    return uploading;
}

/* Files ------------------------------------------------------------------------------ */

void tg_data_path(const char *sha256, char path[TG_DATA_PATH_SIZE])
{
    snprintf(path, TG_DATA_PATH_SIZE, "data/%.2s/%.64s", sha256, sha256);
}

int tg_data_write(int fd, const void *p, size_t n)
{
    const char *next = p;
    while (n) {
        ssize_t done = (errno = TG_POINT("data.write")) ? -1 : write(fd, next, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return errno;
        next += done;
        n -= (size_t)done;
    }
    return 0;
}

int tg_data_sync(int fd)
{
    int error = TG_POINT("data.fsync");
    return error ? error : fsync(fd) < 0 ? errno : 0;
}

static int sync_dir(struct tg_store *store, const char *path)
{
    int fd = openat(store->dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int error = TG_POINT("data.dirsync");
    if (!error && fsync(fd) < 0)
        error = errno;
    close(fd);
    return error;
}

/* Makes data/ab if needed; *path is set to it. */
static int make_shard(struct tg_store *store, const char *sha256, char path[8])
{
    snprintf(path, 8, "data/%.2s", sha256);
    int error = TG_POINT("data.mkdir");
    if (error)
        return error;
    if (mkdirat(store->dir_fd, path, 0700) == 0)
        return sync_dir(store, "data");
    return errno == EEXIST ? 0 : errno;
}

int tg_data_publish(struct tg_store *store, const char *part, const char *sha256)
{
    char shard[8], path[TG_DATA_PATH_SIZE];
    tg_data_path(sha256, path);
    int error = make_shard(store, sha256, shard);
    if (!error)
        error = TG_POINT("data.rename");
    if (error)
        return error;
    if (renameat(store->dir_fd, part, store->dir_fd, path) < 0)
        return errno;
    return sync_dir(store, shard);
}

static bool is_named(struct tg_store *store, const char *sha256)
{
    struct tg_db *db = tg_store_reader(store);
    int64_t named = 0;
    bool unsure = !db || tg_db_int(db, TG_SQL_BLOB_IS_FILE, &named, "s", sha256);
    if (db)
        tg_store_reader_done(store, db);
    return unsure || named;
}

/* A row needs a hold to appear, so none can between the look and the unlink. */
void tg_data_unlink(struct tg_store *store, const char *sha256)
{
    char path[TG_DATA_PATH_SIZE];
    tg_data_path(sha256, path);
    pthread_mutex_lock(&store->holds_mu);
    if (!*find_hold_locked(store, sha256) && !is_named(store, sha256) &&
        !TG_POINT("data.unlink"))
        unlinkat(store->dir_fd, path, 0);
    pthread_mutex_unlock(&store->holds_mu);
}

/* Whether the file of a digest is there already, and durably. */
static bool has_file(struct tg_store *store, const char *sha256, size_t n)
{
    char path[TG_DATA_PATH_SIZE], shard[8];
    struct stat st;
    tg_data_path(sha256, path);
    return fstatat(store->dir_fd, path, &st, 0) == 0 && (size_t)st.st_size == n &&
           make_shard(store, sha256, shard) == 0 && sync_dir(store, shard) == 0;
}

static int write_file(struct tg_store *store, const char *sha256, const void *head,
                      size_t nhead, const void *body, size_t nbody)
{
    char part[64];
    uint64_t random;
    if (!tg_random_bytes(&random, sizeof random))
        return EIO;
    snprintf(part, sizeof part, "part/in-%016llx", (unsigned long long)random);
    int error = TG_POINT("data.create");
    if (error)
        return error;
    int fd = openat(store->dir_fd, part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    error = tg_data_write(fd, head, nhead);
    if (!error)
        error = tg_data_write(fd, body, nbody);
    if (!error)
        error = tg_data_sync(fd);
    close(fd);
    if (!error)
        error = tg_data_publish(store, part, sha256);
    if (error)
        unlinkat(store->dir_fd, part, 0);
    return error;
}

/* Preparing a row -------------------------------------------------------------------- */

static void put_member(struct tg_buf *out, const struct tg_array_member *member)
{
    tg_buf_puts(out, "{\"name\": ");
    tg_buf_json_string(out, member->name, strlen(member->name));
    tg_buf_printf(out, ", \"dtype\": \"%s\", \"shape\": [",
                  tg_dtype_name(member->mat.dtype));
    for (int i = 0; i < member->mat.ndim; i++)
        tg_buf_printf(out, "%s%lld", i ? ", " : "", (long long)member->mat.shape[i]);
    tg_buf_puts(out, "]}");
}

/* Always behind a member. */
static void put_skipped(struct tg_buf *out, const struct tg_array_skipped *skipped)
{
    tg_buf_puts(out, ", {\"name\": ");
    tg_buf_json_string(out, skipped->name, strlen(skipped->name));
    tg_buf_puts(out, ", \"dtype\": ");
    tg_buf_json_string(out, skipped->dtype, strlen(skipped->dtype));
    tg_buf_puts(out, ", \"skipped\": true}");
}

enum tg_err tg_data_recognise(const void *bytes, size_t n, struct tg_stored *stored,
                              struct tg_report *report)
{
    struct tg_array_file file;
    TG_TRY(tg_array_file_open(bytes, n, &file, report));
    struct tg_buf out;
    tg_buf_init(&out, 64 << 20);
    tg_buf_puts(&out, "[");
    for (size_t i = 0; i < file.nmembers; i++) {
        tg_buf_puts(&out, i ? ", " : "");
        put_member(&out, &file.member[i]);
    }
    for (size_t i = 0; i < file.nskipped; i++)
        put_skipped(&out, &file.skipped[i]);
    tg_buf_puts(&out, "]");
    stored->format = strdup(tg_format_name(file.format));
    stored->members = tg_buf_failed(&out) ? NULL : tg_buf_take(&out, NULL);
    tg_buf_release(&out);
    tg_array_file_release(&file);
    return stored->format && stored->members ? TG_OK : TG_NOMEM;
}

static enum tg_err recognise_file(struct tg_store *store, struct tg_stored *stored,
                                  struct tg_report *report)
{
    char path[TG_DATA_PATH_SIZE];
    tg_data_path(stored->sha256, path);
    int fd = openat(store->dir_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return tg_store_file_failed(store, errno, report);
    void *map = (errno = TG_POINT("data.map"))
                    ? MAP_FAILED
                    : mmap(NULL, stored->bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (map == MAP_FAILED)
        return tg_store_file_failed(store, errno, report);
    enum tg_err err = tg_data_recognise(map, stored->bytes, stored, report);
    munmap(map, stored->bytes);
    return err;
}

enum tg_err tg_data_prepare(struct tg_store *store, const char *sha256, const void *head,
                            size_t nhead, const void *body, size_t nbody,
                            struct tg_stored *stored, struct tg_report *report)
{
    size_t n;
    if (!tg_add_ok(nhead, nbody, &n))
        return TG_NOMEM;
    TG_TRY(tg_data_hold(store, sha256, false));
    stored->held = true;
    stored->bytes = n;
    snprintf(stored->sha256, sizeof stored->sha256, "%s", sha256);
    if (n > TG_BLOB_INLINE_MAX) {
        int error = 0;
        if (!has_file(store, sha256, n))
            error = write_file(store, sha256, head, nhead, body, nbody);
        if (error)
            return tg_store_file_failed(store, error, report);
        return recognise_file(store, stored, report);
    }
    char *content = malloc(n + 1);
    if (!content)
        return TG_NOMEM;
    stored->content = content;
    if (nhead)
        memcpy(content, head, nhead);
    if (nbody)
        memcpy(content + nhead, body, nbody);
    return tg_data_recognise(content, n, stored, report);
}

void tg_data_prepared_release(struct tg_store *store, struct tg_stored *stored)
{
    if (stored->held) {
        tg_data_unhold(store, stored->sha256, false);
        if (!stored->content && !atomic_load(&store->in_doubt))
            tg_data_unlink(store, stored->sha256);
    }
    free(stored->format);
    free(stored->members);
    free(stored->content);
    memset(stored, 0, sizeof *stored);
}

/* Sweeping --------------------------------------------------------------------------- */

/* Calls `each` with the path of every plain name in a directory. */
static void walk(struct tg_store *store, const char *dir,
                 void (*each)(struct tg_store *store, const char *dir, const char *name))
{
    int fd = openat(store->dir_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (!stream) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(stream));) {
        if (entry->d_name[0] != '.')
            each(store, dir, entry->d_name);
    }
    closedir(stream);
}

static void sweep_file(struct tg_store *store, const char *dir, const char *name)
{
    (void)dir;
    if (tg_sha256_is_hex(name))
        tg_data_unlink(store, name);
}

static void sweep_shard(struct tg_store *store, const char *dir, const char *name)
{
    char shard[8];
    if (strlen(name) == 2) {
        snprintf(shard, sizeof shard, "%s/%.2s", dir, name);
        walk(store, shard, sweep_file);
    }
}

/* A part without a digest cannot be resumed. */
static void sweep_nameless(struct tg_store *store, const char *dir, const char *name)
{
    char path[128];
    const char *end = strstr(name, ".part");
    if (end && end - name == TG_SHA256_HEX - 1)
        return;
    snprintf(path, sizeof path, "%s/%.100s", dir, name);
    unlinkat(store->dir_fd, path, 0);
}

void tg_data_sweep_files(struct tg_store *store)
{
    walk(store, "data", sweep_shard);
}

void tg_data_sweep_nameless(struct tg_store *store)
{
    walk(store, "part", sweep_nameless);
}

static void sweep_stale(struct tg_store *store, const char *dir, const char *name)
{
    char path[128], sha256[TG_SHA256_HEX];
    struct stat st;
    snprintf(path, sizeof path, "%s/%.100s", dir, name);
    snprintf(sha256, sizeof sha256, "%.64s", name);
    if (tg_sha256_is_hex(sha256) && !tg_data_is_uploading(store, sha256) &&
        fstatat(store->dir_fd, path, &st, 0) == 0 &&
        (double)st.st_mtime < tg_store_now() - 86400)
        unlinkat(store->dir_fd, path, 0);
}

void tg_data_sweep_parts(struct tg_store *store)
{
    walk(store, "part", sweep_stale);
}

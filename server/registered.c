/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Registered files: data that stays where it is.
 *
 * DESIGN. The folders of the setting data-folders decide what may be read, and they are
 * asked each time a file is opened. What counts is where the file is once it is found: it is
 * opened without rights to read, the kernel is asked for its path, and only then is the same
 * file opened to be read. So ".." and symbolic links lead nowhere else, whoever changes them
 * meanwhile. A path that is not even written as one below a folder is refused unseen, so
 * that nobody can learn what exists elsewhere.
 *
 * A file is known again by its length, time of modification and inode. The time has the
 * grain of the kernel's clock, so a file that was written just now is read a moment later:
 * then whatever is written while or after it is hashed shows in the time. (Who writes through
 * a shared mapping that was made before escapes that until the kernel writes the page back.)
 */
#include "server/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/buf.h"
#include "server/clock.h"
#include "server/guard.h"
#include "server/point.h"

enum { BUFFER = 1 << 20, LOOK_EVERY = 16, PATH_SHOWN = 100 };
static const double grain_s = 0.02;

/* Folders ---------------------------------------------------------------------------- */

void tg_folders_free(char **folders)
{
    for (char **folder = folders; folder && *folder; folder++)
        free(*folder);
    free(folders);
}

static enum tg_err parse_folder(const char *text, size_t n, char **folder,
                                struct tg_report *report)
{
    if (*text != '/')
        return tg_fault_add(report, TG_INVALID, NULL,
                            "'data-folders' lists absolute paths, separated by ':', not "
                            "'%.*s'.",
                            (int)n, text);
    while (n > 1 && text[n - 1] == '/')
        n--;
    *folder = strndup(text, n);
    return *folder ? TG_OK : TG_NOMEM;
}

enum tg_err tg_folders_parse(const char *text, char ***folders, struct tg_report *report)
{
    size_t n = 1, count = 0;
    for (const char *p = text ? text : ""; *p; p++)
        n += *p == ':';
    *folders = calloc(n + 1, sizeof(**folders));
    enum tg_err err = *folders ? TG_OK : TG_NOMEM;
    while (!err && text && *text) {
        n = strcspn(text, ":");
        if (n)
            err = parse_folder(text, n, &(*folders)[count++], report);
        text += n + (text[n] == ':');
    }
    if (err) {
        tg_folders_free(*folders);
        *folders = NULL;
    }
    return err;
}

static bool is_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    if (n == 1) /* "/" */
        return *path == '/';
    return !strncmp(path, folder, n) && path[n] == '/';
}

static bool climbs(const char *path)
{
    for (const char *p = path; (p = strstr(p, "/..")); p += 3)
        if (!p[3] || p[3] == '/')
            return true;
    return false;
}

/* Opening ---------------------------------------------------------------------------- */

/* The end of a path, where it differs from others. */
static const char *tail(const char *path)
{
    size_t n = strlen(path);
    return n > PATH_SHOWN ? path + n - PATH_SHOWN : path;
}

#define REFUSE(err, ...) (snprintf(why, TG_WHY_SIZE, __VA_ARGS__), (err))

/* Whether `path` is below one of the folders: as it is written there, or where that is. */
static enum tg_err is_allowed(const struct tg_store *store, const char *path, bool as_written,
                              bool *allowed)
{
    char real[PATH_MAX];
    *allowed = false;
    for (char **folder = store->folders; *folder && !*allowed; folder++) {
        errno = 0;
        bool there = realpath(*folder, real);
        if (!there && errno == ENOMEM)
            return TG_NOMEM;
        *allowed = (as_written && is_below(path, *folder)) || (there && is_below(path, real));
    }
    return TG_OK;
}

static enum tg_err check_written(const struct tg_store *store, const char *path,
                                 char why[TG_WHY_SIZE])
{
    if (!*store->folders)
        return REFUSE(TG_PATH, "Files cannot be registered here: the setting `data-folders` "
                               "names no folder. Name those whose files may be read.");
    if (*path != '/' || strlen(path) >= PATH_MAX || climbs(path))
        return REFUSE(TG_PATH, "The path has to be absolute, without \"..\".");
    bool allowed;
    TG_TRY(is_allowed(store, path, true, &allowed));
    return allowed ? TG_OK
                   : REFUSE(TG_PATH, "The file %s is not below a folder of the setting "
                                     "`data-folders`.",
                            tail(path));
}

/* Where the file of a descriptor is, malloc'ed. */
static char *path_of(int fd)
{
    char link[32], path[PATH_MAX];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    if (n <= 0)
        return NULL;
    path[n] = '\0';
    return strdup(path);
}

static bool is_utf8(const char *text)
{
    for (size_t n = strlen(text), step; n; text += step, n -= step) {
        step = tg_utf8_length(text, n);
        if (!step)
            return false;
    }
    return true;
}

static struct tg_stamp stamp_of(const struct stat *st)
{
    return (struct tg_stamp){.bytes = (uint64_t)st->st_size,
                             .inode = (uint64_t)st->st_ino,
                             .mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 +
                                         st->st_mtim.tv_nsec};
}

/* The same file, to be read, of what `found` has found. */
static enum tg_err open_found(const struct tg_store *store, const char *path, int found,
                              const char *real, int *fd, struct tg_stamp *stamp,
                              char why[TG_WHY_SIZE])
{
    char link[32];
    struct stat st;
    bool allowed;
    TG_TRY(is_allowed(store, real, false, &allowed));
    if (!allowed)
        return REFUSE(TG_PATH,
                      "The file %s leads out of the folders of the setting `data-folders`.",
                      tail(path));
    if (fstat(found, &st) < 0 || !S_ISREG(st.st_mode) || !is_utf8(real))
        return REFUSE(TG_PATH, "%s is not a plain file with a name in UTF-8.", tail(path));
    snprintf(link, sizeof(link), "/proc/self/fd/%d", found);
    *fd = (errno = TG_POINT("register.open")) ? -1 : open(link, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return REFUSE(TG_PATH, "The daemon cannot read %s: %s.", tail(path),
                      strerrordesc_np(errno));
    *stamp = stamp_of(&st);
    return TG_OK;
}

enum tg_err tg_registered_open(struct tg_store *store, const char *path, int *fd, char **real,
                               struct tg_stamp *stamp, char why[TG_WHY_SIZE])
{
    TG_TRY(check_written(store, path, why));
    int found = (errno = TG_POINT("register.find")) ? -1 : open(path, O_PATH | O_CLOEXEC);
    if (found < 0 && (errno == ENOENT || errno == ENOTDIR))
        return REFUSE(TG_NOT_FOUND, "There is no file %s.", tail(path));
    if (found < 0)
        return REFUSE(TG_PATH, "The daemon cannot open %s: %s.", tail(path),
                      strerrordesc_np(errno));
    *real = path_of(found);
    enum tg_err err =
        *real ? open_found(store, path, found, *real, fd, stamp, why)
              : REFUSE(TG_NOMEM, "The system does not say where %s is.", tail(path));
    close(found);
    if (err) {
        free(*real);
        *real = NULL;
    }
    return err;
}

/* Knowing again ---------------------------------------------------------------------- */

enum tg_err tg_registered_compare(const char *path, const struct tg_stamp *then,
                                  const struct tg_stamp *now, char why[TG_WHY_SIZE])
{
    static const char advice[] = "register it again and use its new digest";
    if (now->bytes != then->bytes)
        return REFUSE(TG_DATA_CHANGED, "%s had %llu bytes and now has %llu; %s.", tail(path),
                      (unsigned long long)then->bytes, (unsigned long long)now->bytes, advice);
    if (now->inode != then->inode)
        return REFUSE(TG_DATA_CHANGED, "%s was replaced by another file; %s.", tail(path),
                      advice);
    if (now->mtime_ns != then->mtime_ns)
        return REFUSE(TG_DATA_CHANGED, "%s was written to; %s.", tail(path), advice);
    return TG_OK;
}

enum tg_err tg_registered_check(const char *path, const struct tg_stamp *then,
                                char why[TG_WHY_SIZE])
{
    struct stat st;
    if ((errno = TG_POINT("register.stat")) || stat(path, &st) < 0)
        return REFUSE(TG_DATA_CHANGED, "%s cannot be found any more: %s.", tail(path),
                      strerrordesc_np(errno));
    const struct tg_stamp now = stamp_of(&st);
    return tg_registered_compare(path, then, &now, why);
}

/* Registering ------------------------------------------------------------------------ */

struct registering {
    struct tg_store *store;
    const char *path; /* as given */
    bool (*gone)(void *arg);
    void *arg;
    int fd;
    struct tg_stored stored;
    bool *created;
    struct tg_data_row *row;
    struct tg_report *report;
};

static void wait_for_grain(const struct tg_stamp *stamp)
{
    double age = tg_clock_wall() - 1e-9 * (double)stamp->mtime_ns;
    if (age < 0 || age >= grain_s)
        return;
    const struct timespec wait = tg_clock_timespec(grain_s);
    nanosleep(&wait, NULL);
}

static enum tg_err cannot_read(struct registering *r, int error)
{
    return tg_fault_add(r->report, TG_BAD_ARRAY, NULL, "%s cannot be read: %s.",
                        tail(r->path), strerrordesc_np(error));
}

static enum tg_err hash_into(struct registering *r, struct tg_sha256 *sha, char *buffer)
{
    uint64_t at = 0;
    for (unsigned i = 0; at < r->stored.bytes; i++) {
        if (i % LOOK_EVERY == 0 && r->gone && r->gone(r->arg))
            return TG_CANCELLED;
        ssize_t n = (errno = TG_POINT("register.read"))
                        ? -1
                        : pread(r->fd, buffer, BUFFER, (off_t)at);
        if (n < 0 && errno != EINTR)
            return cannot_read(r, errno);
        if (n == 0)
            break; /* shorter than it was: the comparison tells */
        if (n > 0) {
            tg_sha256_add(sha, buffer, (size_t)n);
            at += (uint64_t)n;
        }
    }
    tg_sha256_end(sha, r->stored.sha256);
    return TG_OK;
}

static enum tg_err hash(struct registering *r)
{
    struct tg_sha256 *sha = tg_sha256_new();
    char *buffer = malloc(BUFFER);
    (void)!posix_fadvise(r->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    enum tg_err err = sha && buffer ? hash_into(r, sha, buffer) : TG_NOMEM;
    tg_sha256_free(sha);
    free(buffer);
    return err;
}

static enum tg_err recognise(struct registering *r)
{
    size_t n = r->stored.bytes;
    if (!n)
        return tg_fault_add(r->report, TG_BAD_ARRAY, NULL, "%s is empty.", tail(r->path));
    void *map = (errno = TG_POINT("register.map"))
                    ? MAP_FAILED
                    : mmap(NULL, n, PROT_READ, MAP_PRIVATE, r->fd, 0);
    if (map == MAP_FAILED)
        return cannot_read(r, errno);
    struct tg_guard *guard = tg_guard_new(map, n);
    enum tg_err err =
        guard ? tg_data_recognise(map, n, &r->stored, r->report) : TG_NOMEM;
    tg_guard_free(guard);
    munmap(map, n);
    return err;
}

/* What was read is what is there, still. */
static enum tg_err check_unchanged(struct registering *r)
{
    struct stat st;
    char why[TG_WHY_SIZE];
    if (fstat(r->fd, &st) < 0)
        return cannot_read(r, errno);
    const struct tg_stamp now = stamp_of(&st);
    if (!tg_registered_compare(r->path, &r->stored.stamp, &now, why))
        return TG_OK;
    return tg_fault_add(r->report, TG_DATA_CHANGED, NULL,
                        "%s changed while it was read; register it when it is written whole.",
                        tail(r->path));
}

static enum tg_err read_row(struct tg_db *db, const char *sha256, struct tg_data_row *row)
{
    sqlite3_stmt *stmt = tg_db_query(db, TG_SQL_BLOB_GET, "s", sha256);
    enum tg_err err = stmt && tg_db_row(db, stmt) ? tg_data_row_read(stmt, row) : TG_STORE;
    enum tg_err failed = tg_db_done(db, stmt);
    if (!failed)
        return err;
    if (!err)
        tg_data_row_release(row);
    return failed;
}

/* The digest that a query finds; TG_NOT_FOUND without one. */
static enum tg_err read_digest(struct tg_db *db, sqlite3_stmt *stmt, char sha256[TG_SHA256_HEX])
{
    bool found = stmt && tg_db_row(db, stmt);
    if (found)
        snprintf(sha256, TG_SHA256_HEX, "%s", (const char *)sqlite3_column_text(stmt, 0));
    TG_TRY(tg_db_done(db, stmt));
    return found ? TG_OK : TG_NOT_FOUND;
}

/* The row of a file that is known and unchanged; TG_NOT_FOUND without one. */
static enum tg_err known_op(struct tg_store *store, void *arg)
{
    struct registering *r = arg;
    struct tg_db *db = &store->db;
    const struct tg_stamp *stamp = &r->stored.stamp;
    char sha256[TG_SHA256_HEX];
    TG_TRY(read_digest(db,
                       tg_db_query(db, TG_SQL_BLOB_REGISTERED, "siii", r->stored.path,
                                   (int64_t)stamp->bytes, stamp->mtime_ns,
                                   (int64_t)stamp->inode),
                       sha256));
    TG_TRY(tg_db_run(db, TG_SQL_BLOB_TOUCH, "sd", sha256, tg_store_now()));
    return read_row(db, sha256, r->row);
}

static enum tg_err forget_outdated(struct tg_store *store, const struct tg_stored *stored)
{
    struct tg_db *db = &store->db;
    for (;;) {
        char sha256[TG_SHA256_HEX];
        enum tg_err err = read_digest(
            db, tg_db_query(db, TG_SQL_BLOB_OUTDATED, "ss", stored->path, stored->sha256),
            sha256);
        if (err)
            return err == TG_NOT_FOUND ? TG_OK : err;
        TG_TRY(tg_data_doom(store, sha256));
    }
}

static enum tg_err register_op(struct tg_store *store, void *arg)
{
    struct registering *r = arg;
    struct tg_db *db = &store->db;
    const struct tg_stored *stored = &r->stored;
    double now = tg_store_now();
    int64_t exists;
    TG_TRY(tg_db_int(db, TG_SQL_BLOB_EXISTS, &exists, "s", stored->sha256));
    TG_TRY(tg_db_run(db, TG_SQL_BLOB_REGISTER, "sidsssii", stored->sha256,
                     (int64_t)stored->bytes, now, stored->format, stored->members,
                     stored->path, stored->stamp.mtime_ns, (int64_t)stored->stamp.inode));
    TG_TRY(tg_db_run(db, TG_SQL_BLOB_TOUCH, "sd", stored->sha256, now));
    TG_TRY(forget_outdated(store, stored));
    *r->created = !exists;
    return read_row(db, stored->sha256, r->row);
}

static enum tg_err register_opened(struct registering *r)
{
    enum tg_err err = tg_store_post(r->store, known_op, r, r->report);
    if (err != TG_NOT_FOUND)
        return err;
    wait_for_grain(&r->stored.stamp);
    TG_TRY(hash(r));
    TG_TRY(check_unchanged(r)); /* before the bytes are blamed for what happened to them */
    TG_TRY(recognise(r));
    TG_TRY(check_unchanged(r));
    return tg_store_post(r->store, register_op, r, r->report);
}

static enum tg_err open_given(struct registering *r)
{
    char why[TG_WHY_SIZE] = "";
    enum tg_err err = tg_registered_open(r->store, r->path, &r->fd, &r->stored.path,
                                         &r->stored.stamp, why);
    r->stored.bytes = r->stored.stamp.bytes;
    return *why ? tg_fault_add(r->report, err, "/path", "%s", why) : err;
}

enum tg_err tg_data_register(struct tg_store *store, const char *path,
                             bool (*gone)(void *arg), void *arg, bool *created,
                             struct tg_data_row *row, struct tg_report *report)
{
    struct registering r = {.store = store, .path = path, .gone = gone, .arg = arg, .fd = -1,
                            .created = created, .row = row, .report = report};
    memset(row, 0, sizeof(*row));
    *created = false;
    TG_TRY(tg_store_need_writable(store, report));
    enum tg_err err = open_given(&r);
    if (!err)
        err = register_opened(&r);
    if (err)
        tg_data_row_release(row);
    if (r.fd >= 0)
        close(r.fd);
    free(r.stored.path);
    free(r.stored.format);
    free(r.stored.members);
    return err;
}

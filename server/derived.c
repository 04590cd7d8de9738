/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What was derived: files by key, and the order in which they were used. */
#include "server/derived.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/ctx.h"
#include "proto/digest.h"
#include "server/log.h"
#include "server/metrics.h"
#include "server/point.h"

enum { BUCKETS = 4096, BLOCK = 4096 };

/* What the disk is left with: jobs and data come first. */
static const uint64_t spare_bytes = 256 << 20;

/* A file begins with this, as it lies in memory: one of another build or machine is foreign. */
struct head {
    char magic[16];
    uint64_t n; /* bytes of the value, which follows */
    char key[TG_KEY_MAX];
    char checksum[TG_SHA256_HEX]; /* of all before it, and the value */
};
static const char magic[16] = "tangentd-deriv1";

struct file {
    TAILQ_ENTRY(file) use; /* least recently used first */
    LIST_ENTRY(file) near; /* the same bucket */
    char name[TG_SHA256_HEX];
    uint64_t bytes;
};
TAILQ_HEAD(files, file);
LIST_HEAD(bucket, file);

struct tg_derived {
    int dir_fd;
    uint64_t max_bytes;
    atomic_ulong serial;    /* names what is being written */
    atomic_bool complained; /* the last value could not be kept */
    pthread_mutex_t mu;     /* guards all below */
    struct files files;
    struct bucket bucket[BUCKETS];
    uint64_t bytes;    /* of files */
    uint64_t promised; /* to values that are being written */
};

static uint64_t on_disk(uint64_t bytes)
{
    return (bytes + BLOCK - 1) / BLOCK * BLOCK;
}

/* The index -------------------------------------------------------------------------- */

static struct bucket *bucket_of(struct tg_derived *derived, const char *name)
{
    const char head[4] = {name[0], name[1], name[2], '\0'};
    return &derived->bucket[strtoul(head, NULL, 16) % BUCKETS];
}

static struct file *find_locked(struct tg_derived *derived, const char *name)
{
    struct file *file;
    LIST_FOREACH(file, bucket_of(derived, name), near)
    {
        if (!strcmp(file->name, name))
            return file;
    }
    return NULL;
}

static void set_bytes_locked(struct tg_derived *derived, uint64_t bytes)
{
    derived->bytes = bytes;
    TG_GAUGE(derived_bytes, bytes);
}

/* As the one used last. */
static void insert_locked(struct tg_derived *derived, struct file *file)
{
    LIST_INSERT_HEAD(bucket_of(derived, file->name), file, near);
    TAILQ_INSERT_TAIL(&derived->files, file, use);
    set_bytes_locked(derived, derived->bytes + file->bytes);
}

static void forget_locked(struct tg_derived *derived, struct file *file)
{
    LIST_REMOVE(file, near);
    TAILQ_REMOVE(&derived->files, file, use);
    set_bytes_locked(derived, derived->bytes - file->bytes);
    free(file);
}

/* False when the disk would not let it go. */
static bool remove_locked(struct tg_derived *derived, const char *name)
{
    struct file *file = find_locked(derived, name);
    int error = TG_POINT("derived.unlink");
    if (!error && unlinkat(derived->dir_fd, name, 0) < 0)
        error = errno;
    if (error && error != ENOENT)
        return false;
    if (file)
        forget_locked(derived, file);
    return true;
}

/* Removes what was used longest ago until `bytes` more fit; false if they never will. */
static bool make_room_locked(struct tg_derived *derived, uint64_t bytes)
{
    if (bytes > derived->max_bytes || derived->promised > derived->max_bytes - bytes)
        return false;
    while (derived->bytes + derived->promised + bytes > derived->max_bytes) {
        struct file *oldest = TAILQ_FIRST(&derived->files);
        if (!oldest || !remove_locked(derived, oldest->name))
            return false;
    }
    return true;
}

/* Recalling -------------------------------------------------------------------------- */

static bool make_head(const char *key, const void *data, size_t n, struct head *head)
{
    struct tg_sha256 *sha = tg_sha256_new();
    if (!sha)
        return false;
    memset(head, 0, sizeof(*head));
    memcpy(head->magic, magic, sizeof(magic));
    head->n = n;
    snprintf(head->key, sizeof(head->key), "%s", key);
    tg_sha256_add(sha, head, offsetof(struct head, checksum));
    tg_sha256_add(sha, data, n);
    tg_sha256_end(sha, head->checksum);
    tg_sha256_free(sha);
    return true;
}

enum found { KEPT, SPOILT, UNREADABLE };

static enum found check_value(const char *key, const struct head *kept, size_t n)
{
    struct head head;
    if (!make_head(key, kept + 1, n, &head))
        return UNREADABLE;
    return memcmp(kept, &head, sizeof(head)) ? SPOILT : KEPT;
}

static enum found read_value(int fd, const char *key, void *data, size_t n)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return UNREADABLE;
    size_t size = sizeof(struct head) + n;
    if ((uint64_t)st.st_size != size)
        return SPOILT;
    struct head *kept = TG_POINT("derived.map")
                            ? MAP_FAILED
                            : mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (kept == MAP_FAILED)
        return UNREADABLE;
#ifdef MADV_POPULATE_READ
    /* Where the disk cannot read it, an error instead of a signal. */
    if (madvise(kept, size, MADV_POPULATE_READ) < 0 && errno == EFAULT) {
        munmap(kept, size);
        return SPOILT;
    }
#endif
    enum found found = check_value(key, kept, n);
    if (found == KEPT)
        memcpy(data, kept + 1, n);
    munmap(kept, size);
    return found;
}

static void mark_used(struct tg_derived *derived, const char *name, int fd)
{
    (void)!futimens(fd, NULL); /* without it the order is lost at a restart, nothing else */
    pthread_mutex_lock(&derived->mu);
    struct file *file = find_locked(derived, name);
    if (file) {
        TAILQ_REMOVE(&derived->files, file, use);
        TAILQ_INSERT_TAIL(&derived->files, file, use);
    }
    pthread_mutex_unlock(&derived->mu);
}

static void drop(struct tg_derived *derived, const char *name)
{
    pthread_mutex_lock(&derived->mu);
    (void)!remove_locked(derived, name);
    pthread_mutex_unlock(&derived->mu);
}

static bool recall(struct tg_derived *derived, const char *key, void *data, size_t n)
{
    char name[TG_SHA256_HEX];
    if (strlen(key) >= TG_KEY_MAX)
        return false;
    tg_sha256_hex(key, strlen(key), name);
    int fd = (errno = TG_POINT("derived.open"))
                 ? -1
                 : openat(derived->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    enum found found = read_value(fd, key, data, n);
    if (found == KEPT)
        mark_used(derived, name, fd);
    close(fd);
    if (found == SPOILT) {
        tg_log(TG_LOG_WARN, "derived/%s is not what was kept, and goes", name);
        drop(derived, name);
    }
    return found == KEPT;
}

bool tg_derived_recall(struct tg_derived *derived, const char *key, void *data, size_t n)
{
    if (!derived)
        return false;
    bool kept = recall(derived, key, data, n);
    if (kept)
        TG_COUNT(derived_hits);
    else
        TG_COUNT(derived_misses);
    return kept;
}

/* Keeping ---------------------------------------------------------------------------- */

static int write_all(int fd, const void *p, size_t n)
{
    for (const char *next = p; n;) {
        ssize_t done = (errno = TG_POINT("derived.write")) ? -1 : write(fd, next, n);
        if (done < 0 && errno != EINTR)
            return errno;
        if (done > 0) {
            next += done;
            n -= (size_t)done;
        }
    }
    return 0;
}

static int write_aside(struct tg_derived *derived, const char *aside,
                       const struct head *head, const void *data)
{
    const int how = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
    int fd = (errno = TG_POINT("derived.create"))
                 ? -1
                 : openat(derived->dir_fd, aside, how, 0600);
    if (fd < 0)
        return errno;
    int error = write_all(fd, head, sizeof(*head));
    if (!error)
        error = write_all(fd, data, head->n);
    if (close(fd) < 0 && !error)
        error = errno;
    return error;
}

/* `file` takes the place of one of its name. */
static int put_in_place(struct tg_derived *derived, const char *aside, struct file *file)
{
    pthread_mutex_lock(&derived->mu);
    int error = TG_POINT("derived.rename");
    if (!error && renameat(derived->dir_fd, aside, derived->dir_fd, file->name) < 0)
        error = errno;
    if (!error) {
        struct file *old = find_locked(derived, file->name);
        if (old)
            forget_locked(derived, old);
        insert_locked(derived, file);
    }
    pthread_mutex_unlock(&derived->mu);
    return error;
}

static int write_file(struct tg_derived *derived, const struct head *head, const void *data,
                      struct file *file)
{
    char aside[32];
    snprintf(aside, sizeof(aside), "new-%lu", atomic_fetch_add(&derived->serial, 1));
    int error = write_aside(derived, aside, head, data);
    if (!error)
        error = put_in_place(derived, aside, file);
    if (error)
        unlinkat(derived->dir_fd, aside, 0);
    return error;
}

static int keep(struct tg_derived *derived, const struct head *head, const void *data)
{
    struct file *file = calloc(1, sizeof(*file));
    if (!file)
        return ENOMEM;
    tg_sha256_hex(head->key, strlen(head->key), file->name);
    file->bytes = on_disk(sizeof(*head) + head->n);
    int error = write_file(derived, head, data, file);
    if (error)
        free(file);
    return error;
}

static bool promise(struct tg_derived *derived, uint64_t bytes)
{
    struct statvfs disk;
    pthread_mutex_lock(&derived->mu);
    bool fits = make_room_locked(derived, bytes) &&
                fstatvfs(derived->dir_fd, &disk) == 0 &&
                disk.f_bavail * disk.f_frsize >= bytes + spare_bytes;
    if (fits)
        derived->promised += bytes;
    pthread_mutex_unlock(&derived->mu);
    return fits;
}

static void redeem(struct tg_derived *derived, uint64_t bytes)
{
    pthread_mutex_lock(&derived->mu);
    derived->promised -= bytes;
    pthread_mutex_unlock(&derived->mu);
}

/* The first time in a row is worth a warning. */
static void complain(struct tg_derived *derived, const char *key, int error)
{
    bool before = atomic_exchange(&derived->complained, true);
    tg_log(before ? TG_LOG_DEBUG : TG_LOG_WARN, "\"%s\" is not kept in derived/: %s", key,
           strerrordesc_np(error));
}

void tg_derived_keep(struct tg_derived *derived, const char *key, const void *data, size_t n)
{
    struct head head;
    if (!derived || strlen(key) >= TG_KEY_MAX)
        return;
    uint64_t bytes = on_disk(sizeof(head) + n);
    if (!promise(derived, bytes)) {
        tg_log(TG_LOG_DEBUG, "there is no room for \"%s\" in derived/", key);
        return;
    }
    int error = make_head(key, data, n, &head) ? keep(derived, &head, data) : ENOMEM;
    redeem(derived, bytes);
    if (error)
        complain(derived, key, error);
    else
        atomic_store(&derived->complained, false);
}

/* Opening ---------------------------------------------------------------------------- */

struct found_file {
    struct file *file;
    struct timespec used;
};

struct found_files {
    struct found_file *v;
    size_t n, size;
};

static int by_use(const void *a, const void *b)
{
    const struct timespec *x = &((const struct found_file *)a)->used;
    const struct timespec *y = &((const struct found_file *)b)->used;
    if (x->tv_sec != y->tv_sec)
        return x->tv_sec < y->tv_sec ? -1 : 1;
    return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

static bool note(struct found_files *found, const char *name, const struct stat *st)
{
    if (found->n == found->size) {
        size_t size = found->size ? 2 * found->size : 64;
        struct found_file *v = realloc(found->v, size * sizeof(*v));
        if (!v)
            return false;
        found->v = v;
        found->size = size;
    }
    struct file *file = calloc(1, sizeof(*file));
    if (!file)
        return false;
    memcpy(file->name, name, TG_SHA256_HEX);
    file->bytes = on_disk((uint64_t)st->st_size);
    found->v[found->n++] = (struct found_file){file, st->st_mtim};
    return true;
}

/* Removes what is not a value, and notes the rest. */
static bool list(struct tg_derived *derived, struct found_files *found)
{
    int fd = openat(derived->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct stat st;
    bool noted = true;
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    for (struct dirent *entry; noted && (entry = readdir(dir));) {
        const char *name = entry->d_name;
        if (!strcmp(name, ".") || !strcmp(name, ".."))
            continue;
        if (tg_sha256_is_hex(name) &&
            !fstatat(derived->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode))
            noted = note(found, name, &st);
        else
            unlinkat(derived->dir_fd, name, 0);
    }
    closedir(dir);
    return noted;
}

static int load(struct tg_derived *derived)
{
    struct found_files found = {0};
    bool noted = list(derived, &found);
    if (found.n)
        qsort(found.v, found.n, sizeof(*found.v), by_use);
    for (size_t i = 0; i < found.n; i++)
        insert_locked(derived, found.v[i].file);
    free(found.v);
    if (noted && !make_room_locked(derived, 0))
        tg_log(TG_LOG_WARN, "derived/ is over its limit and the disk lets nothing go");
    return noted ? 0 : ENOMEM;
}

static int open_folder(struct tg_derived *derived, const char *store_dir)
{
    int store_fd = open(store_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store_fd < 0)
        return errno;
    int error = TG_POINT("derived.mkdir");
    if (!error && mkdirat(store_fd, "derived", 0700) < 0 && errno != EEXIST)
        error = errno;
    if (!error) {
        derived->dir_fd =
            openat(store_fd, "derived", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        error = derived->dir_fd < 0 ? errno : 0;
    }
    close(store_fd);
    return error;
}

struct tg_derived *tg_derived_open(const char *store_dir, uint64_t max_bytes)
{
    struct tg_derived *derived = calloc(1, sizeof(*derived));
    int error = ENOMEM;
    if (derived) {
        derived->dir_fd = -1;
        derived->max_bytes = max_bytes;
        TAILQ_INIT(&derived->files);
        pthread_mutex_init(&derived->mu, NULL);
        error = open_folder(derived, store_dir);
        if (!error)
            error = load(derived);
    }
    if (!error)
        return derived;
    tg_log(TG_LOG_WARN, "derived/ cannot be used, nothing is kept in it: %s",
           strerrordesc_np(error));
    tg_derived_close(derived);
    return NULL;
}

void tg_derived_close(struct tg_derived *derived)
{
    if (!derived)
        return;
    while (!TAILQ_EMPTY(&derived->files))
        forget_locked(derived, TAILQ_FIRST(&derived->files));
    if (derived->dir_fd >= 0)
        close(derived->dir_fd);
    pthread_mutex_destroy(&derived->mu);
    free(derived);
}

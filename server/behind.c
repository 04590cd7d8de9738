/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hashing and writing behind: two buffers that take turns. */
#include "server/behind.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/point.h"
#include "server/store_private.h"

enum { BUFFER = 2 << 20, BLOCK = 4096 };
enum { HASH, WRITE, STAGES };

/* A thread that takes each full buffer. */
struct stage {
    struct tg_behind *behind;
    int (*take)(struct tg_behind *behind, const char *p, size_t n);
    const char *name;
    bool started;
    pthread_t thread;
    size_t handed; /* guarded by mu: bytes of the buffer that is to be taken */
};

struct tg_behind {
    int fd;
    struct tg_sha256 *sha; /* the hashing thread's while it hashes */
    uint64_t at;           /* end of what is written; the writing thread's while it writes */
    uint64_t begin;        /* of the buffer that is filling, in the file */
    unsigned filling;      /* which buffer */
    size_t filled;
    bool direct, refused; /* past the page cache now; the file system will not have it */
    struct stage stage[STAGES];
    pthread_mutex_t mu;
    pthread_cond_t turn;
    int error; /* guarded by mu */
    bool over; /* guarded by mu */
    _Alignas(BLOCK) char buffer[2][BUFFER];
};

/*
 * Direct writing takes whole blocks only, so not the end of a file, nor the first piece of one
 * that is resumed. A file system that knows no such thing is written to as usual.
 */
static void choose_way(struct tg_behind *behind, size_t n)
{
    bool whole = behind->at % BLOCK == 0 && n % BLOCK == 0 && !behind->refused;
    int flags = fcntl(behind->fd, F_GETFL);
    if (flags >= 0 && whole != behind->direct &&
        fcntl(behind->fd, F_SETFL, whole ? flags | O_DIRECT : flags & ~O_DIRECT) == 0)
        behind->direct = whole;
}

/* Starts writing the piece at `at`, waits for the one before and drops its pages. */
static void push(const struct tg_behind *behind, uint64_t at, size_t n)
{
    const unsigned all =
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    sync_file_range(behind->fd, (off_t)at, (off_t)n, SYNC_FILE_RANGE_WRITE);
    if (at >= BUFFER) {
        sync_file_range(behind->fd, (off_t)at - BUFFER, BUFFER, all);
        posix_fadvise(behind->fd, (off_t)at - BUFFER, BUFFER, POSIX_FADV_DONTNEED);
    }
}

static int write_piece(struct tg_behind *behind, const char *p, size_t n)
{
    choose_way(behind, n);
    int error = TG_POINT("upload.write");
    if (!error)
        error = tg_data_write(behind->fd, p, n);
    if (error == EINVAL && behind->direct) { /* larger blocks are wanted, or it only says it can */
        behind->refused = true;
        choose_way(behind, n);
        error = ftruncate(behind->fd, (off_t)behind->at) < 0 ? errno
                                                             : tg_data_write(behind->fd, p, n);
    }
    if (!error && !behind->direct && n == BUFFER)
        push(behind, behind->at, n);
    behind->at += n;
    return error;
}

static int hash_piece(struct tg_behind *behind, const char *p, size_t n)
{
    tg_sha256_add(behind->sha, p, n);
    return 0;
}

struct tg_behind *tg_behind_new(int fd, uint64_t at, struct tg_sha256 *sha)
{
    struct tg_behind *behind = aligned_alloc(BLOCK, sizeof *behind);
    if (!behind)
        return NULL;
    memset(behind, 0, offsetof(struct tg_behind, buffer)); /* leaves the buffers' pages */
    behind->fd = fd;
    behind->sha = sha;
    behind->at = behind->begin = at;
    behind->stage[HASH] = (struct stage){behind, hash_piece, "upload hash", .handed = 0};
    behind->stage[WRITE] = (struct stage){behind, write_piece, "upload write", .handed = 0};
    pthread_mutex_init(&behind->mu, NULL);
    pthread_cond_init(&behind->turn, NULL);
    return behind;
}

static void *take_pieces(void *arg)
{
    struct stage *stage = arg;
    struct tg_behind *behind = stage->behind;
    pthread_setname_np(pthread_self(), stage->name);
    pthread_mutex_lock(&behind->mu);
    for (unsigned turn = 0;; turn ^= 1) {
        while (!stage->handed && !behind->over)
            pthread_cond_wait(&behind->turn, &behind->mu);
        if (!stage->handed)
            break;
        pthread_mutex_unlock(&behind->mu);
        int error = stage->take(behind, behind->buffer[turn], stage->handed);
        pthread_mutex_lock(&behind->mu);
        stage->handed = 0;
        behind->error = error ? error : behind->error;
        pthread_cond_broadcast(&behind->turn);
    }
    pthread_mutex_unlock(&behind->mu);
    return NULL;
}

/* Waits until no buffer is being taken; what went wrong with that. */
static int wait_taken(struct tg_behind *behind)
{
    pthread_mutex_lock(&behind->mu);
    while (behind->stage[HASH].handed || behind->stage[WRITE].handed)
        pthread_cond_wait(&behind->turn, &behind->mu);
    int error = behind->error;
    pthread_mutex_unlock(&behind->mu);
    return error;
}

/* Both threads, or those that there can be. */
static bool start(struct tg_behind *behind)
{
    bool all = true;
    for (int i = 0; i < STAGES; i++) {
        struct stage *stage = &behind->stage[i];
        if (!stage->started)
            stage->started =
                pthread_create(&stage->thread, NULL, take_pieces, stage) == 0;
        all = all && stage->started;
    }
    return all;
}

/* The buffer that is full goes to the threads, if there can be any; the other is filled next. */
static int hand_over(struct tg_behind *behind)
{
    int error = wait_taken(behind);
    if (error)
        return error;
    if (!start(behind))
        return tg_behind_flush(behind);
    pthread_mutex_lock(&behind->mu);
    behind->stage[HASH].handed = behind->stage[WRITE].handed = behind->filled;
    pthread_cond_broadcast(&behind->turn);
    pthread_mutex_unlock(&behind->mu);
    behind->begin += behind->filled;
    behind->filling ^= 1;
    behind->filled = 0;
    return 0;
}

int tg_behind_put(struct tg_behind *behind, const void *p, size_t n)
{
    int error = 0;
    for (const char *from = p; n && !error;) {
        size_t end = BUFFER - behind->begin % BUFFER, room = end - behind->filled;
        size_t part = n < room ? n : room;
        memcpy(behind->buffer[behind->filling] + behind->filled, from, part);
        behind->filled += part;
        from += part;
        n -= part;
        if (behind->filled == end)
            error = hand_over(behind);
    }
    return error;
}

int tg_behind_flush(struct tg_behind *behind)
{
    int error = wait_taken(behind);
    const char *p = behind->buffer[behind->filling];
    size_t n = behind->filled;
    behind->begin += n;
    behind->filled = 0;
    if (error || !n)
        return error;
    hash_piece(behind, p, n);
    return write_piece(behind, p, n);
}

void tg_behind_free(struct tg_behind *behind)
{
    if (!behind)
        return;
    pthread_mutex_lock(&behind->mu);
    behind->over = true;
    pthread_cond_broadcast(&behind->turn);
    pthread_mutex_unlock(&behind->mu);
    for (int i = 0; i < STAGES; i++)
        if (behind->stage[i].started)
            pthread_join(behind->stage[i].thread, NULL);
    pthread_cond_destroy(&behind->turn);
    pthread_mutex_destroy(&behind->mu);
    free(behind);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writing behind: two buffers that take turns. */
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

struct tg_behind {
    int fd;
    uint64_t at;      /* end of what is written; the writing thread's while it writes */
    uint64_t begin;   /* of the buffer that is filling, in the file */
    unsigned filling; /* which buffer */
    size_t filled;
    bool direct, refused; /* past the page cache now; the file system will not have it */
    bool started;
    pthread_t thread;
    pthread_mutex_t mu;
    pthread_cond_t turn;
    size_t handed; /* guarded by mu: bytes of the other buffer that are to be written */
    int error;     /* guarded by mu */
    bool over;     /* guarded by mu */
    _Alignas(BLOCK) char buffer[2][BUFFER];
};

struct tg_behind *tg_behind_new(int fd, uint64_t at)
{
    struct tg_behind *behind = aligned_alloc(BLOCK, sizeof *behind);
    if (!behind)
        return NULL;
    memset(behind, 0, offsetof(struct tg_behind, buffer)); /* leaves the buffers' pages */
    behind->fd = fd;
    behind->at = behind->begin = at;
    pthread_mutex_init(&behind->mu, NULL);
    pthread_cond_init(&behind->turn, NULL);
    return behind;
}

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

static void *write_pieces(void *arg)
{
    struct tg_behind *behind = arg;
    pthread_setname_np(pthread_self(), "upload");
    pthread_mutex_lock(&behind->mu);
    for (unsigned turn = 0;; turn ^= 1) {
        while (!behind->handed && !behind->over)
            pthread_cond_wait(&behind->turn, &behind->mu);
        if (!behind->handed)
            break;
        size_t n = behind->handed;
        pthread_mutex_unlock(&behind->mu);
        int error = write_piece(behind, behind->buffer[turn], n);
        pthread_mutex_lock(&behind->mu);
        behind->handed = 0;
        behind->error = error ? error : behind->error;
        pthread_cond_signal(&behind->turn);
    }
    pthread_mutex_unlock(&behind->mu);
    return NULL;
}

/* Waits until nothing is being written; what went wrong with that. */
static int wait_written(struct tg_behind *behind)
{
    pthread_mutex_lock(&behind->mu);
    while (behind->handed)
        pthread_cond_wait(&behind->turn, &behind->mu);
    int error = behind->error;
    pthread_mutex_unlock(&behind->mu);
    return error;
}

/* The buffer that is full goes to the thread, if there can be one; the other is filled next. */
static int hand_over(struct tg_behind *behind)
{
    int error = wait_written(behind);
    if (error)
        return error;
    if (!behind->started)
        behind->started =
            pthread_create(&behind->thread, NULL, write_pieces, behind) == 0;
    if (!behind->started)
        return tg_behind_flush(behind);
    pthread_mutex_lock(&behind->mu);
    behind->handed = behind->filled;
    pthread_cond_signal(&behind->turn);
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
    int error = wait_written(behind);
    size_t n = behind->filled;
    behind->begin += n;
    behind->filled = 0;
    return error || !n ? error : write_piece(behind, behind->buffer[behind->filling], n);
}

void tg_behind_free(struct tg_behind *behind)
{
    if (!behind)
        return;
    if (behind->started) {
        pthread_mutex_lock(&behind->mu);
        behind->over = true;
        pthread_cond_signal(&behind->turn);
        pthread_mutex_unlock(&behind->mu);
        pthread_join(behind->thread, NULL);
    }
    pthread_cond_destroy(&behind->turn);
    pthread_mutex_destroy(&behind->mu);
    free(behind);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The write-ahead log, looked at before SQLite does.
 *
 * DESIGN. Every frame carries a checksum over all frames so far, and SQLite takes the log
 * to end at the first one that is wrong: a transaction that a crash cut short leaves such
 * a frame. A flipped bit looks the same, but loses what was committed after it. The two
 * can be told apart, because with synchronous=FULL a transaction is written only when the
 * one before is on disk: frames of a later transaction behind a wrong frame mean damage.
 * The format is section 4 of https://www.sqlite.org/fileformat2.html.
 */
#include "server/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEADER = 32, FRAME = 24, PAGE_MAX = 65536, MAGIC = 0x377f0682 };

struct log {
    int fd;
    bool big_endian; /* of the numbers that are summed up */
    uint32_t page, sum[2];
    unsigned char salt[8];
    unsigned char *frame; /* header and page */
};

static uint32_t number(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void add(struct log *log, const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        uint32_t x[2] = {number(p + i), number(p + i + 4)};
        if (!log->big_endian) {
            x[0] = __builtin_bswap32(x[0]);
            x[1] = __builtin_bswap32(x[1]);
        }
        log->sum[0] += x[0] + log->sum[1];
        log->sum[1] += x[1] + log->sum[0];
    }
}

static bool is_sum(const struct log *log, const unsigned char *p)
{
    return number(p) == log->sum[0] && number(p + 4) == log->sum[1];
}

/* False when the log has no valid header. */
static bool read_header(struct log *log)
{
    unsigned char header[HEADER];
    if (pread(log->fd, header, HEADER, 0) != HEADER)
        return false;
    log->big_endian = number(header) & 1;
    log->page = number(header + 8);
    memcpy(log->salt, header + 16, sizeof log->salt);
    add(log, header, 24);
    return (number(header) & ~1U) == MAGIC && is_sum(log, header + 24) &&
           log->page >= 512 && log->page <= PAGE_MAX && !(log->page & (log->page - 1));
}

/* The next whole frame; false at the end of the file. */
static bool read_frame(struct log *log, uint64_t index)
{
    size_t n = FRAME + (size_t)log->page;
    return pread(log->fd, log->frame, n, (off_t)(HEADER + index * n)) == (ssize_t)n;
}

static bool is_ours(const struct log *log)
{
    return !memcmp(log->frame + 8, log->salt, sizeof log->salt);
}

static bool is_right(struct log *log)
{
    add(log, log->frame, 8);
    add(log, log->frame + FRAME, log->page);
    return is_ours(log) && is_sum(log, log->frame + 16);
}

static bool is_commit(const struct log *log)
{
    return number(log->frame + 4) != 0;
}

static bool is_damaged(struct log *log)
{
    uint64_t index = 0;
    while (read_frame(log, index) && is_right(log))
        index++;
    bool ended = false;
    for (bool first = true; read_frame(log, index); index++, first = false) {
        if (!first && !is_ours(log))
            continue;
        if (ended)
            return true;
        ended = is_commit(log);
    }
    return false;
}

enum tg_err tg_wal_check(int dir_fd, bool *damaged)
{
    struct log log = {.fd = openat(dir_fd, "tangentd.db-wal", O_RDONLY | O_CLOEXEC)};
    *damaged = false;
    if (log.fd < 0)
        return errno == ENOENT ? TG_OK : TG_STORE;
    enum tg_err err = TG_OK;
    if (!read_header(&log)) {
        *damaged = lseek(log.fd, 0, SEEK_END) > HEADER;
    } else {
        log.frame = malloc(FRAME + (size_t)log.page);
        if (log.frame)
            *damaged = is_damaged(&log);
        else
            err = TG_NOMEM;
    }
    free(log.frame);
    close(log.fd);
    return err;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Hashing and writing behind: a buffer is filled while two threads hash and write the one before.
 *
 * DESIGN. For files that grow at their end. SHA-256 is what bounds an upload where the disk is
 * fast, so the thread that receives does not hash. Two buffers take turns; the threads are
 * started with the first one handed over, so a small file costs none. Pieces end at multiples
 * of the buffer's size in the file and are written past the page cache where the file system
 * can: the same pages are then used again and again, where the cache would take new ones for
 * every byte. Elsewhere the kernel is told to write each window and then to forget it, so a
 * file of many GiB neither fills the cache with dirty pages nor ends in one long fsync.
 */
#ifndef TG_SERVER_BEHIND_H
#define TG_SERVER_BEHIND_H

#include <stddef.h>
#include <stdint.h>

struct tg_behind;
struct tg_sha256;

/*
 * For bytes that follow the first `at` of `fd`. Both `fd` and `sha`, which has seen those, stay
 * the caller's, who may use them again after tg_behind_flush() or tg_behind_free(). NULL
 * without memory.
 */
struct tg_behind *tg_behind_new(int fd, uint64_t at, struct tg_sha256 *sha);

/*
 * Ends the threads after the piece they are at; what was not flushed is dropped. NULL is
 * allowed.
 */
void tg_behind_free(struct tg_behind *behind);

/*
 * Take n bytes. 0, or the errno of a write that failed, now or before: bytes are then missing
 * at the file's end.
 */
int tg_behind_put(struct tg_behind *behind, const void *p, size_t n);

/* Hash everything, hand it to the kernel and wait for both. Errors as tg_behind_put. */
int tg_behind_flush(struct tg_behind *behind);

#endif

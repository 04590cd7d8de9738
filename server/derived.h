/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What analyses derived from their inputs, kept between jobs and across restarts.
 *
 * DESIGN. One folder, derived/ beside the store's data, with a file for each key, named by
 * the SHA-256 of the key. Nothing here is precious: a file is written aside and renamed
 * without a sync, and begins with its key, its length and a checksum, so one that a crash
 * or a disk has spoilt, or that is not ours, is found out when it is recalled, removed, and
 * counts as not kept. What was recalled or kept longest ago goes first when there is no
 * more room; the time of a file's last use is its modification time, so the order survives
 * a restart. A trouble of the disk costs a line in the log and never a job.
 *
 * A value moves once between memory and page cache; to keep or recall one costs its
 * SHA-256 and that copy: from one to a few seconds for a GiB.
 *
 * All functions may be called from any thread, and take NULL for a folder that keeps nothing.
 * `derived.mu` is a leaf; it is held while files are renamed and removed, not while they are
 * read or written.
 */
#ifndef TG_SERVER_DERIVED_H
#define TG_SERVER_DERIVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tg_derived;

/*
 * The folder in `store_dir`, which this daemon holds: swept of what was not finished, and
 * cut down to max_bytes. NULL, with a line in the log, when it cannot be used.
 */
struct tg_derived *tg_derived_open(const char *store_dir, uint64_t max_bytes);
void tg_derived_close(struct tg_derived *derived);

/* As tg_ctx_recall and tg_ctx_keep. A value that does not have n bytes is not kept. */
bool tg_derived_recall(struct tg_derived *derived, const char *key, void *data, size_t n);
void tg_derived_keep(struct tg_derived *derived, const char *key, const void *data, size_t n);

#endif

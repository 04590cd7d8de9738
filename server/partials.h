/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Partial outputs: what running jobs have found so far, for those who watch.
 *
 * DESIGN. Of each output that a job shows, the newest state is held in memory, and nothing
 * of it is on disk. The job's thread copies numbers, which takes microseconds; the text of a
 * frame is made when the first stream asks for it, once for all streams. What a job showed
 * last stays for a while after its end, so that a stream that is behind can tell it
 * before it tells the end.
 *
 * A frame holds TG_PARTIAL_NUMBERS numbers at most. Of a larger array it has every a-th row
 * and every b-th column, a and b powers of two, the longer side thinned first, and says so
 * as "step": [a, b]. Further outputs of a job than TG_PARTIAL_NAMES are not shown.
 *
 * All functions may be called from any thread; the lock is a leaf.
 */
#ifndef TG_SERVER_PARTIALS_H
#define TG_SERVER_PARTIALS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/buf.h"

enum { TG_PARTIAL_NUMBERS = 10000, TG_PARTIAL_NAMES = 4 };
#define TG_PARTIAL_EVERY_S 0.5 /* between frames of one output */

struct tg_partials;
struct tg_partials *tg_partials_new(void);
void tg_partials_free(struct tg_partials *partials);

/* An attempt of `job` begins: what another one showed is forgotten. */
void tg_partials_begin(struct tg_partials *partials, const char *job);
/*
 * As tg_ctx_partial, at `now` (monotonic). True when those who watch should look again, which
 * it is every TG_PARTIAL_EVERY_S at most. Without memory nothing is shown.
 */
bool tg_partials_show(struct tg_partials *partials, const char *job, double now,
                      const char *name, int64_t rows, int64_t cols, const double *values);
/* The attempt is over; what it showed last may go when others need the room. */
void tg_partials_end(struct tg_partials *partials, const char *job);

/*
 * Append one event frame to `out`, the oldest of those that `job` has shown after *seen, and
 * move *seen to it; false when there is none. *seen is 0 for one who has seen nothing.
 */
bool tg_partials_write(struct tg_partials *partials, const char *job, uint64_t *seen,
                       struct tg_buf *out);

#endif

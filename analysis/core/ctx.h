/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Context: what a running analysis may ask of whoever runs it.
 *
 * DESIGN. Analysis code does no I/O, takes no locks and knows no server. It polls
 * tg_ctx_poll() at least once per tile (a tile is under 100 ms of work), reports progress
 * there, and hands independent tiles to tg_ctx_parallel(). Who lends cores is the runner's
 * affair: without a runner the tiles run one after the other. Tiles write disjoint outputs,
 * so the bits of a result do not depend on the number of threads.
 *
 * What is derived from inputs alone and costs a pass over them (a decomposition, the sums of
 * a Gram matrix) can be kept with the runner and recalled by a later job or a later attempt.
 * Its key names everything that it depends on: analysis, version of the method, digests of
 * the contents, options. A runner may forget at any time, or keep nothing; a result has the
 * same bits either way.
 */
#ifndef TG_CORE_CTX_H
#define TG_CORE_CTX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/err.h"

/* Why a job has to stop; 0 is "go on". */
enum tg_stop { TG_GO = 0, TG_STOP_CANCEL, TG_STOP_DEADLINE, TG_STOP_SHUTDOWN };

/* One independent tile: index `i`, on lane `lane` < ctx->lanes (for per-lane scratch). */
typedef enum tg_err (*tg_tile_fn)(void *arg, int64_t i, unsigned lane);

struct tg_ctx {
    struct tg_arena *arena;     /* the job's memory; capped by its estimate */
    const atomic_int *stop;     /* enum tg_stop; may be NULL */
    unsigned lanes;             /* most threads that may work on this job, >= 1 */
    void *runner;               /* handed back to the callbacks, each of which may be NULL */
    enum tg_err (*parallel)(void *runner, int64_t n, tg_tile_fn fn, void *arg);
    void (*progress)(void *runner, const char *phase, double done, double total,
                     const char *unit);
    bool (*recall)(void *runner, const char *key, void *data, size_t n);
    void (*keep)(void *runner, const char *key, const void *data, size_t n);
    void (*partial)(void *runner, const char *name, int64_t rows, int64_t cols,
                    const double *values);
    void (*was_read)(void *runner, double bytes);
};

enum { TG_KEY_MAX = 400 }; /* bytes of a key, with its end */

/* TG_OK, or TG_CANCELLED / TG_DEADLINE / TG_DRAINING when the job has to stop. Cheap. */
TG_MUST_CHECK enum tg_err tg_ctx_poll(const struct tg_ctx *ctx);

/*
 * Run fn for every i in [0, n), in any order and on up to ctx->lanes threads, and return
 * the first error seen. Polls before each tile. Not to be nested.
 */
TG_MUST_CHECK enum tg_err tg_ctx_parallel(const struct tg_ctx *ctx, int64_t n, tg_tile_fn fn,
                                          void *arg);

/* Say where the job is: `done` of `total` `unit`s of `phase`. Any runner may ignore it. */
void tg_ctx_progress(const struct tg_ctx *ctx, const char *phase, double done, double total,
                     const char *unit);

/* Fill `data` with the n bytes kept under `key`; false, and `data` as it was, without them. */
bool tg_ctx_recall(const struct tg_ctx *ctx, const char *key, void *data, size_t n);

/* Keep n bytes under `key`, instead of what it had. From one thread at a time. */
void tg_ctx_keep(const struct tg_ctx *ctx, const char *key, const void *data, size_t n);

/*
 * Show what is known so far of the output `name`, rows x cols, NaN where nothing is known yet.
 * For those who watch; a runner shows at most a few a second, and always the last.
 */
void tg_ctx_partial(const struct tg_ctx *ctx, const char *name, int64_t rows, int64_t cols,
                    const double *values);

/*
 * Say that so many more bytes of the inputs were gone through, in a pass that does not come
 * back to them soon. A runner that maps files may let go of what it holds of them in memory;
 * they are read again when they are wanted again. From one thread at a time.
 */
void tg_ctx_was_read(const struct tg_ctx *ctx, double bytes);

#endif

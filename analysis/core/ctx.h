/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Context: what a running analysis may ask of whoever runs it.
 *
 * DESIGN. Analysis code does no I/O, takes no locks and knows no server. It polls
 * tg_ctx_poll() at least once per tile (a tile is under 100 ms of work), reports progress
 * there, and hands independent tiles to tg_ctx_parallel(). Who lends cores is the runner's
 * affair: without a runner the tiles run one after the other. Tiles write disjoint outputs,
 * so the bits of a result do not depend on the number of threads.
 */
#ifndef TG_CORE_CTX_H
#define TG_CORE_CTX_H

#include <stdatomic.h>
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
    void *runner;               /* handed back to the two callbacks */
    enum tg_err (*parallel)(void *runner, int64_t n, tg_tile_fn fn, void *arg);
    void (*progress)(void *runner, const char *phase, double done, double total,
                     const char *unit);
};

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

#endif

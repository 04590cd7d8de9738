/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Many runs of the same small computation, as permutations and resampling ask for.
 *
 * DESIGN. While one run is short, runs go to the cores that are lent, each alone on its lane;
 * where a run is so long that its products are worth sharing out, runs go one after another,
 * each on all cores. Either way run i writes what belongs to i alone, so that bits do not
 * depend on the number of lanes.
 */
#ifndef TG_SVCCA_REPLICATE_H
#define TG_SVCCA_REPLICATE_H

#include <stdint.h>

#include "core/ctx.h"

/* Run number i on `lane`; `ctx` is for what it calls, and polls. */
typedef enum tg_err (*tg_replicate_fn)(void *arg, const struct tg_ctx *ctx, int64_t i,
                                       unsigned lane);

/* Lanes that runs of so many FLOPs take, each with scratch of its own: 1 or `lanes`. */
unsigned tg_replicate_lanes(double flops, unsigned lanes);

/* Run i in [first, first + n), on the lanes that tg_replicate_lanes() gave. */
TG_MUST_CHECK enum tg_err tg_replicate(const struct tg_ctx *ctx, unsigned lanes, int64_t first,
                                       int64_t n, tg_replicate_fn fn, void *arg);

#endif

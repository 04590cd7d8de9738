/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Walks of every kind that null.h describes, drawn for a test of the whole way and for
 * teaching.
 *
 * DESIGN. Coordinate j at point t, from x_0 = 0 or a stationary start,
 *
 *     x_t = (1 - alpha) x_{t-1} + v_t + l_t sqrt(drift) mu_j,   v_t = momentum v_{t-1} + l_t xi_tj,
 *
 * xi and mu standard normal, l the schedule's step length. Draws are counter-based, so every
 * tile of columns is made by itself and the bits depend on the seed alone.
 */
#ifndef TG_PCA_SIMULATE_H
#define TG_PCA_SIMULATE_H

#include "core/ctx.h"

enum tg_schedule {
    TG_SCHEDULE_CONSTANT,
    TG_SCHEDULE_LINEAR, /* from 1 to 0 */
    TG_SCHEDULE_COSINE, /* (1 + cos) / 2 */
    TG_SCHEDULE_EXP,    /* to exp(-5) */
    TG_SCHEDULE_STEP    /* a tenth in the second half */
};

struct tg_simulation {
    int64_t n, d;        /* points, dimensions */
    uint64_t seed;
    double alpha;        /* 0 <= alpha < 2 */
    double momentum;     /* |momentum| < 1 */
    double drift;        /* |mu|^2 / (d sigma^2) */
    bool stationary;     /* the first velocity and, with alpha > 0, the first point are drawn */
    enum tg_schedule schedule;
};

/* Length of step s = 0 .. n - 2; the first is 1. */
double tg_simulation_length(const struct tg_simulation *simulation, int64_t s);

/* x (n x d) := the walk. n d normal draws, 25 ns each. */
TG_MUST_CHECK enum tg_err tg_simulate(const struct tg_ctx *ctx,
                                      const struct tg_simulation *simulation, double *x);

#endif

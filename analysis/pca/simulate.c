/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Simulated walks, a tile of columns at a time. */
#include "pca/simulate.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"

enum { COLUMNS = 512, DRIFT_STREAM = 0, POINT_STREAM, VELOCITY_STREAM, NOISE_STREAM };

double tg_simulation_length(const struct tg_simulation *simulation, int64_t s)
{
    int64_t steps = simulation->n - 1;
    double part = (double)s / (double)steps;
    switch (simulation->schedule) {
    case TG_SCHEDULE_CONSTANT:
        return 1;
    case TG_SCHEDULE_LINEAR:
        return 1 - part;
    case TG_SCHEDULE_COSINE:
        return (1 + cos(M_PI * part)) / 2;
    case TG_SCHEDULE_EXP:
        return exp(-5 * part);
    case TG_SCHEDULE_STEP:
        return 2 * s < steps ? 1 : 0.1;
    }
    return 1;
}

struct walk {
    const struct tg_ctx *ctx;
    const struct tg_simulation *simulation;
    double *x;
};

/* First point and velocity of n coordinates from col on. */
static void start(const struct tg_simulation *simulation, int64_t col, size_t n, double *x,
                  double *velocity)
{
    double alpha = simulation->alpha, g = simulation->momentum;
    memset(x, 0, n * sizeof(*x));
    memset(velocity, 0, n * sizeof(*velocity));
    if (!simulation->stationary)
        return;
    tg_rng_normal(simulation->seed, VELOCITY_STREAM, (uint64_t)col, n, velocity);
    for (size_t j = 0; j < n; j++)
        velocity[j] /= sqrt(1 - g * g);
    if (!(alpha > 0))
        return;
    tg_rng_normal(simulation->seed, POINT_STREAM, (uint64_t)col, n, x);
    for (size_t j = 0; j < n; j++)
        x[j] /= sqrt(alpha * (2 - alpha));
}

static enum tg_err walk_tile(void *arg, int64_t tile, unsigned lane)
{
    (void)lane;
    const struct walk *walk = arg;
    const struct tg_simulation *simulation = walk->simulation;
    int64_t d = simulation->d, col = tile * COLUMNS;
    size_t n = (size_t)(d - col < COLUMNS ? d - col : COLUMNS);
    double velocity[COLUMNS], noise[COLUMNS], drift[COLUMNS], *x = walk->x + col;
    tg_rng_normal(simulation->seed, DRIFT_STREAM, (uint64_t)col, n, drift);
    start(simulation, col, n, x, velocity);
    for (int64_t t = 1; t < simulation->n; t++, x += d) {
        double length = tg_simulation_length(simulation, t - 1);
        double along = length * sqrt(simulation->drift);
        TG_TRY(tg_ctx_poll(walk->ctx));
        tg_rng_normal(simulation->seed, (uint64_t)(NOISE_STREAM + t), (uint64_t)col, n, noise);
        for (size_t j = 0; j < n; j++) {
            velocity[j] = simulation->momentum * velocity[j] + length * noise[j];
            x[(size_t)d + j] =
                (1 - simulation->alpha) * x[j] + velocity[j] + along * drift[j];
        }
    }
    return TG_OK;
}

enum tg_err tg_simulate(const struct tg_ctx *ctx, const struct tg_simulation *simulation,
                        double *x)
{
    struct walk walk = {.ctx = ctx, .simulation = simulation, .x = x};
    tg_ctx_progress(ctx, "walking", 0, 1, "walks");
    return tg_ctx_parallel(ctx, (simulation->d + COLUMNS - 1) / COLUMNS, walk_tile, &walk);
}

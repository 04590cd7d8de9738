/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs of svcca within what they say they cost. */
#ifndef TG_TESTS_SVCCA_RUN_H
#define TG_TESTS_SVCCA_RUN_H

#include <math.h>
#include <stdio.h>

#include "svcca/svcca.h"
#include "../suite.h"

/* Result and the arena that holds it. */
struct run {
    struct tg_svcca svcca;
    struct tg_arena *arena;
    struct tg_report report;
};

static inline void close_run(struct run *run)
{
    tg_arena_free(run->arena);
}

static inline enum tg_err open_run(struct run *run, const struct tg_svcca_layer *layers,
                                   size_t n, const struct tg_svcca_options *options)
{
    struct tg_svcca_cost cost;
    ck_assert_int_eq(tg_svcca_cost(layers, n, options, &cost), TG_OK);
    run->arena = tg_arena_new(cost.bytes);
    ck_assert_ptr_nonnull(run->arena);
    struct tg_ctx ctx = {.arena = run->arena, .lanes = 1};
    tg_report_init(&run->report);
    enum tg_err err = tg_svcca_run(&ctx, layers, n, options, &run->svcca, &run->report);
    ck_assert_uint_eq(tg_arena_high_water(run->arena), cost.bytes);
    return err;
}

static inline struct tg_svcca_layer layer_of(const char *name, const double *x, int64_t n,
                                             int64_t d)
{
    struct tg_svcca_layer layer = {.name = name};
    ck_assert(tg_mat_init(&layer.mat, x, TG_F64, 2, (int64_t[]){n, d}, false));
    return layer;
}

static inline double number(FILE *file)
{
    double x = NAN;
    ck_assert_int_eq(fscanf(file, "%lf", &x), 1);
    return x;
}

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One run of the analysis in an arena of just the size that it asked for, and what a runner
 * keeps for the next. */
#ifndef TG_TESTS_PCA_FIXTURE_H
#define TG_TESTS_PCA_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lanes.h"
#include "pca/pca.h"
#include "../suite.h"

struct run {
    struct tg_walk_array array;
    struct tg_pca pca;
    struct tg_arena *arena;
    struct tg_report report;
};

static inline void close_run(struct run *run)
{
    tg_arena_free(run->arena);
}

static inline enum tg_err open_data(struct run *run, const struct tg_walk_data *data,
                                    const struct tg_pca_options *options, struct tg_ctx ctx)
{
    struct tg_pca_cost cost;
    ck_assert_int_eq(tg_pca_cost(data, options, &cost), TG_OK);
    ctx.arena = run->arena = tg_arena_new(cost.bytes);
    ck_assert_ptr_nonnull(run->arena);
    tg_report_init(&run->report);
    enum tg_err err = tg_pca_run(&ctx, data, options, &run->pca, &run->report);
    ck_assert_uint_eq(tg_arena_high_water(run->arena), cost.bytes);
    return err;
}

static inline enum tg_err open_run(struct run *run, const struct tg_mat *mat,
                                   const struct tg_pca_options *options, bool lanes)
{
    struct tg_ctx ctx = {.lanes = 1};
    if (lanes) {
        ctx.lanes = LANE_COUNT;
        ctx.parallel = lanes_parallel;
    }
    tg_walk_of_array(&run->array, mat);
    return open_data(run, &run->array.data, options, ctx);
}

static inline void require_run(struct run *run, const struct tg_mat *mat,
                               const struct tg_pca_options *options)
{
    enum tg_err err = open_run(run, mat, options, false);
    ck_assert_msg(err == TG_OK, "%s: %s", tg_err_slug(err), run->report.detail);
}

/* All points, and so many components. */
static inline struct tg_pca_options first(int64_t components)
{
    return (struct tg_pca_options){
        .components = components, .to = TG_PCA_MAX_POINTS, .stride = 1};
}

static inline struct tg_mat mat_of(const void *x, enum tg_dtype dtype, int64_t t, int64_t d)
{
    struct tg_mat mat;
    ck_assert(tg_mat_init(&mat, x, dtype, 2, (int64_t[]){t, d}, false));
    return mat;
}

/* What a runner keeps: a value for each key. */
enum { KEPT_MAX = 32 };

struct keeper {
    struct {
        char key[TG_KEY_MAX];
        void *data;
        size_t n;
    } kept[KEPT_MAX];
    int count;
};

/* Where the value of a key is, or would be. */
static inline int place(const struct keeper *keeper, const char *key)
{
    int i = 0;
    while (i < keeper->count && strcmp(keeper->kept[i].key, key) != 0)
        i++;
    return i;
}

static inline bool recall(void *runner, const char *key, void *data, size_t n)
{
    const struct keeper *keeper = runner;
    int i = place(keeper, key);
    if (i == keeper->count || keeper->kept[i].n != n)
        return false;
    memcpy(data, keeper->kept[i].data, n);
    return true;
}

static inline void keep(void *runner, const char *key, const void *data, size_t n)
{
    struct keeper *keeper = runner;
    int i = place(keeper, key);
    ck_assert_int_lt(i, KEPT_MAX);
    keeper->count += i == keeper->count;
    snprintf(keeper->kept[i].key, TG_KEY_MAX, "%s", key);
    free(keeper->kept[i].data);
    keeper->kept[i].data = malloc(n);
    keeper->kept[i].n = n;
    ck_assert_ptr_nonnull(keeper->kept[i].data);
    memcpy(keeper->kept[i].data, data, n);
}

static inline void forget(struct keeper *keeper)
{
    for (int i = 0; i < keeper->count; i++)
        free(keeper->kept[i].data);
    *keeper = (struct keeper){0};
}

#endif

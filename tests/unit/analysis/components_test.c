/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Directions of components against numpy's singular vectors (tests/golden/components.py) and
 * against their definition on walks of many coordinates.
 */
#include "pca/components.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lanes.h"
#include "tensors.h"

Suite *components_suite(void);

struct got {
    struct tg_arena *arena;
    struct tg_pca pca;
    struct tg_components made;
    double *share;
};

static double value(const struct points *points, int64_t i, int64_t j)
{
    int64_t at = i * points->data.d + j;
    return points->own[0].dtype == TG_F32 ? (double)((float *)points->x)[at]
                                          : ((double *)points->x)[at];
}

static double direction(const struct tg_components *made, int64_t k, int64_t j)
{
    int64_t at = k * made->d + j;
    return made->single ? (double)((float *)made->v)[at] : ((double *)made->v)[at];
}

static void open_got(struct got *got, const struct points *points,
                     const struct tg_pca_options *options, bool lanes)
{
    struct tg_ctx ctx = {.lanes = 1};
    struct tg_pca_cost first, second;
    struct tg_report report;
    if (lanes)
        ctx = (struct tg_ctx){.lanes = LANE_COUNT, .parallel = lanes_parallel};
    ck_assert_int_eq(tg_pca_cost(&points->data, options, &first), TG_OK);
    int64_t t = first.points, k = first.components;
    ck_assert_int_eq(tg_components_cost(&points->data, t, k, ctx.lanes, &second), TG_OK);
    ctx.arena = got->arena = tg_arena_new(first.bytes + second.bytes);
    tg_report_init(&report);
    ck_assert_int_eq(tg_pca_run(&ctx, &points->data, options, &got->pca, &report), TG_OK);
    ck_assert_int_eq(
        tg_components_run(&ctx, &points->data, options, &got->pca, k, &got->made), TG_OK);
    ck_assert_uint_eq(tg_arena_high_water(ctx.arena), first.bytes + second.bytes);
    got->share = calloc((size_t)(k * got->pca.sums.plan.nslots), sizeof(double));
    double *scratch = calloc((size_t)(t * (t + k)), sizeof(double));
    ck_assert(got->share && scratch);
    ck_assert_int_eq(
        tg_components_share(&ctx, &points->data, &got->pca, k, got->share, scratch), TG_OK);
    free(scratch);
}

static void close_got(struct got *got)
{
    tg_arena_free(got->arena);
    free(got->share);
}

static struct tg_pca_options of(int64_t components)
{
    return (struct tg_pca_options){
        .components = components, .to = TG_PCA_MAX_POINTS, .stride = 1};
}

START_TEST(agree_with_singular_vectors)
{
    FILE *file = fopen(TG_GOLDEN "/components.txt", "r");
    ck_assert_ptr_nonnull(file);
    char name[32];
    long long t;
    int single, k, ntensors, cases = 0;
    for (; fscanf(file, " case %31s %lld %d %d %d", name, &t, &single, &k, &ntensors) == 5;
         cases++) {
        struct points points;
        read_points(file, t, ntensors, single, &points);
        int64_t d = points.data.d;
        struct tg_pca_options options = of(k);
        options.reference = _i ? t - 1 : 0;
        struct got got;
        open_got(&got, &points, &options, false);
        double tol = single ? 1e-5 : 1e-10;
        ck_assert_int_eq(got.made.single, single);
        ck_assert_int_eq(got.made.told, k);
        ck_assert_double_lt(got.made.error, tol);
        for (int64_t c = 0; c < k; c++)
            for (int64_t j = 0; j < d; j++)
                ck_assert_double_eq_tol(direction(&got.made, c, j), number(file), tol);
        for (int64_t i = 0; i < k * ntensors; i++)
            ck_assert_double_eq_tol(got.share[i], number(file), tol);
        close_got(&got);
        free(points.x);
    }
    ck_assert_int_eq(cases, 4);
    fclose(file);
}
END_TEST

/* A noisy spiral in so many coordinates that a row takes many pieces. */
enum { T = 40, FIRST = 150001, SECOND = 2048, D = FIRST + SECOND };

static void spiral(struct points *points, bool single)
{
    points->x = calloc((size_t)T * D, sizeof(double));
    ck_assert_ptr_nonnull(points->x);
    for (int i = 0; i < T; i++)
        for (int j = 0; j < D; j++) {
            double x = 5 + sin(0.2 * i + j % 7) * (1 + j % 3) + 0.3 * sin(i * (3.0 + j));
            if (single)
                ((float *)points->x)[(size_t)i * D + j] = (float)x;
            else
                ((double *)points->x)[(size_t)i * D + j] = x;
        }
    points->tensor[0].n = FIRST;
    points->tensor[1].n = SECOND;
    points->tensor[0].weight = 1;
    points->tensor[1].weight = 2;
    cut(points, T, 2, single);
}

START_TEST(are_orthonormal_and_give_the_scores_back)
{
    struct points points = {.x = NULL};
    struct got got;
    struct tg_pca_options options = of(6);
    if (_i == 1) {
        options.from = 3;
        options.stride = 2;
    }
    spiral(&points, _i == 2);
    open_got(&got, &points, &options, false);
    int64_t t = got.pca.t, k = got.pca.k;
    double tol = _i == 2 ? 2e-5 : 1e-11;
    ck_assert_int_eq(got.made.told, 6);
    for (int64_t a = 0; a < k; a++)
        for (int64_t b = 0; b < k; b++) {
            double dot = 0;
            for (int64_t j = 0; j < D; j++)
                dot += direction(&got.made, a, j) * direction(&got.made, b, j);
            ck_assert_double_eq_tol(dot, a == b, tol);
        }
    ck_assert_double_lt(got.made.error, tol);
    double *mean = calloc(D, sizeof(*mean)), scale = sqrt(got.pca.total_variance);
    ck_assert_ptr_nonnull(mean);
    for (int64_t i = 0; i < t; i++)
        for (int64_t j = 0; j < D; j++)
            mean[j] += value(&points, got.pca.point[i], j) / (double)t;
    for (int64_t i = 0; i < t; i++)
        for (int64_t a = 0; a < k; a++) {
            double score = 0;
            for (int64_t j = 0; j < D; j++)
                score += (value(&points, got.pca.point[i], j) - mean[j]) *
                         (j < FIRST ? 1 : M_SQRT2) * direction(&got.made, a, j);
            ck_assert_double_eq_tol(got.pca.scores[i * k + a], score, tol * scale);
        }
    free(mean);
    for (int64_t a = 0; a < k; a++) {
        double in_second = 0;
        for (int64_t j = FIRST; j < D; j++)
            in_second += pow(direction(&got.made, a, j), 2);
        ck_assert_double_eq_tol(got.share[2 * a + 1], in_second, tol);
        ck_assert_double_eq_tol(got.share[2 * a], 1 - in_second, tol);
    }
    close_got(&got);
    free(points.x);
}
END_TEST

START_TEST(have_the_same_bits_on_one_lane_and_on_many)
{
    struct points points = {.x = NULL};
    struct got one, many;
    struct tg_pca_options options = of(4);
    spiral(&points, _i);
    open_got(&one, &points, &options, false);
    open_got(&many, &points, &options, true);
    size_t size = _i ? sizeof(float) : sizeof(double);
    ck_assert_mem_eq(one.made.v, many.made.v, 4 * D * size);
    ck_assert_double_eq(one.made.error, many.made.error);
    close_got(&one), close_got(&many);
    free(points.x);
}
END_TEST

START_TEST(are_left_blank_where_only_rounding_would_point)
{
    double x[5 * 4]; /* all on one line */
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 4; j++)
            x[i * 4 + j] = i * (j + 1) / 7.0;
    struct points points = {.x = x, .tensor = {{.n = 4, .weight = 1}}};
    struct got got;
    struct tg_pca_options options = of(3);
    cut(&points, 5, 1, false);
    open_got(&got, &points, &options, false);
    ck_assert_int_eq(got.made.told, 1);
    for (int j = 0; j < 4; j++) {
        ck_assert_double_eq_tol(fabs(direction(&got.made, 0, j)), (j + 1) / sqrt(30), 1e-14);
        ck_assert_double_nan(direction(&got.made, 1, j));
        ck_assert_double_nan(direction(&got.made, 2, j));
    }
    ck_assert_double_eq_tol(got.share[0], 1, 1e-14);
    ck_assert_double_nan(got.share[1]);
    close_got(&got);
    memset(x, 0, sizeof(x));
    open_got(&got, &points, &options, false);
    ck_assert_int_eq(got.made.told, 0);
    ck_assert_double_nan(direction(&got.made, 0, 0));
    ck_assert_double_nan(got.made.error);
    close_got(&got);
}
END_TEST

START_TEST(obey_a_stop)
{
    struct points points = {.x = NULL};
    struct got got;
    struct tg_pca_options options = of(4);
    struct tg_components again;
    atomic_int stop = TG_STOP_CANCEL;
    spiral(&points, true);
    open_got(&got, &points, &options, false);
    struct tg_ctx ctx = {
        .lanes = 1, .stop = &stop, .arena = tg_arena_new((size_t)64 << 20)};
    ck_assert_int_eq(tg_components_run(&ctx, &points.data, &options, &got.pca, 4, &again),
                     TG_CANCELLED);
    tg_arena_free(ctx.arena);
    close_got(&got);
    free(points.x);
}
END_TEST

Suite *components_suite(void)
{
    Suite *suite = suite_create("components");
    TCase *directions = tcase_create("directions");
    tcase_add_loop_test(directions, agree_with_singular_vectors, 0, 2);
    tcase_add_loop_test(directions, are_orthonormal_and_give_the_scores_back, 0, 3);
    tcase_add_loop_test(directions, have_the_same_bits_on_one_lane_and_on_many, 0, 2);
    tcase_add_test(directions, are_left_blank_where_only_rounding_would_point);
    tcase_add_test(directions, obey_a_stop);
    suite_add_tcase(suite, directions);
    return suite;
}

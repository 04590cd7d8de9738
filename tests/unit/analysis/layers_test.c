/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Layers against numpy, tensor by tensor (tests/golden/layers.py), and as parts of a whole. */
#include "pca/layers.h"

#include "lanes.h"
#include "tensors.h"

Suite *layers_suite(void);

struct got {
    struct tg_arena *arena;
    struct tg_pca pca;
    struct tg_layer layer[MOST_TENSORS];
};

static void open_got(struct got *got, const struct points *points,
                     const struct tg_pca_options *options, bool lanes)
{
    struct tg_ctx ctx = {.lanes = 1};
    struct tg_pca_cost first, second;
    struct tg_report report;
    if (lanes)
        ctx = (struct tg_ctx){.lanes = LANE_COUNT, .parallel = lanes_parallel};
    ck_assert_int_eq(tg_pca_cost(&points->data, options, &first), TG_OK);
    second = tg_layers_cost(first.points, points->data.ntensors);
    ctx.arena = got->arena = tg_arena_new(first.bytes + second.bytes);
    tg_report_init(&report);
    ck_assert_int_eq(tg_pca_run(&ctx, &points->data, options, &got->pca, &report), TG_OK);
    ck_assert_int_eq(tg_layers_run(&ctx, &points->data, &got->pca, got->layer), TG_OK);
    ck_assert_uint_eq(tg_arena_high_water(ctx.arena), first.bytes + second.bytes);
}

static void expect(double got, double want, double tolerance)
{
    if (isnan(want))
        ck_assert_double_nan(got);
    else
        ck_assert_double_eq_tol(got, want, tolerance * fmax(fabs(want), 1));
}

static void expect_layer(const struct tg_layer *layer, FILE *file, double tolerance)
{
    const double got[] = {layer->share,     layer->ratio, layer->d_eff,
                          layer->step_norm, layer->path,  layer->distance};
    for (int i = 0; i < 6; i++)
        expect(got[i], number(file), tolerance);
}

START_TEST(agree_with_numpy)
{
    FILE *file = fopen(TG_GOLDEN "/layers.txt", "r");
    ck_assert_ptr_nonnull(file);
    char name[32];
    long long t, from, to, stride;
    int single, ntensors, cases = 0;
    for (; fscanf(file, " case %31s %lld %d %d %lld %lld %lld", name, &t, &single, &ntensors,
                  &from, &to, &stride) == 7;
         cases++) {
        struct points points;
        struct got got;
        read_points(file, t, ntensors, single, &points);
        struct tg_pca_options options = {.components = 2,
                                         .reference = _i ? t - 1 : 0,
                                         .from = from,
                                         .to = to,
                                         .stride = stride};
        open_got(&got, &points, &options, false);
        for (int i = 0; i < ntensors; i++) {
            ck_assert_int_eq(got.layer[i].first, i);
            ck_assert_int_eq(got.layer[i].end, i + 1);
            ck_assert_int_eq(got.layer[i].n, points.tensor[i].n);
            expect_layer(&got.layer[i], file, single ? 2e-6 : 1e-10);
        }
        tg_arena_free(got.arena);
        free(points.x);
    }
    ck_assert_int_eq(cases, 5);
    fclose(file);
}
END_TEST

/* A walk of three tensors, and what all of it is by another way. */
START_TEST(one_layer_is_the_whole)
{
    enum { T = 25, D = 60 };
    double x[T * D];
    struct points points = {.x = x, .tensor = {{.n = D, .weight = 1}}};
    struct tg_pca_options options = {.components = 1, .to = T, .stride = 1};
    struct got got, again;
    for (int i = 0; i < T * D; i++)
        x[i] = (i < D ? 0 : x[i - D]) + sin(i * 1.7 + i / D * 0.31);
    cut(&points, T, 1, false);
    open_got(&got, &points, &options, false);
    open_got(&again, &points, &options, true);
    const struct tg_layer *layer = got.layer;
    ck_assert_double_eq_tol(layer->share, 1, 1e-15);
    ck_assert_double_eq_tol(layer->ratio, got.pca.ratio[0], 1e-12);
    ck_assert_double_eq_tol(layer->d_eff, got.pca.d_eff, 1e-9 * got.pca.d_eff);
    ck_assert_double_eq_tol(layer->distance, got.pca.from_start[T - 1], 1e-12);
    ck_assert_double_eq_tol(layer->path, layer->step_norm * (T - 1), 1e-12);
    ck_assert_mem_eq(&got.layer[0], &again.layer[0], sizeof(struct tg_layer));
    tg_arena_free(got.arena);
    tg_arena_free(again.arena);
}
END_TEST

Suite *layers_suite(void)
{
    Suite *suite = suite_create("layers");
    TCase *tc = tcase_create("layers");
    tcase_add_loop_test(tc, agree_with_numpy, 0, 2);
    tcase_add_test(tc, one_layer_is_the_whole);
    suite_add_tcase(suite, tc);
    return suite;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Heads on few directions: against numpy (tests/golden/svcca_head.py), and what must hold. */
#include "svcca/head.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "lanes.h"
#include "svcca/baseline.h"
#include "svcca/compress.h"
#include "svcca/svcca.h"
#include "../suite.h"

Suite *head_suite(void);

enum { N = 70, D = 6, C = 3, K = 2, DRAWS = 4000 };

/* A layer with a head, and all that is made of it. */
struct work {
    struct tg_ctx ctx;
    struct tg_mat layer, weights, bias;
    struct tg_head head;
    struct tg_head_scratch scratch;
    struct tg_baseline_scratch baseline;
    struct tg_compress_scratch compress;
    double x[N * D], w[D * C], b[C], h[N * D], v[D * C];
    double accuracy[D + 1], error[D + 1];
    int64_t label[N], order[D];
    struct tg_basis basis;
    double in[D * (K + 1)], out[K * (C + 2)], factor_bias[C]; /* wider than they need be */
    struct tg_compressed compressed;
    double mean_error[D + 1];
};

static void numbers(FILE *file, double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(fscanf(file, "%lf", &x[i]), 1);
}

static void begin(struct work *work)
{
    ck_assert(tg_mat_init(&work->layer, work->x, TG_F64, 2, (int64_t[]){N, D}, false));
    ck_assert(tg_mat_init(&work->weights, work->w, TG_F64, 2, (int64_t[]){D, C}, false));
    ck_assert(tg_mat_init(&work->bias, work->b, TG_F64, 1, (int64_t[]){C}, false));
    work->ctx = (struct tg_ctx){.arena = tg_arena_new(1 << 22), .lanes = 1};
    tg_head_layout(work->ctx.arena, N, D, C, &work->scratch);
    tg_baseline_layout(work->ctx.arena, D, &work->baseline);
    tg_compress_layout(work->ctx.arena, N, D, K, C, &work->compress);
    work->head = (struct tg_head){.n = N, .outputs = C, .label = work->label};
    work->head.y = tg_arena_alloc(work->ctx.arena, N * C, sizeof(double));
    work->head.mean = tg_arena_alloc(work->ctx.arena, C, sizeof(double));
}

static void read_case(FILE *file, struct work *work)
{
    double label[N];
    struct tg_mat labels;
    int64_t bad;
    numbers(file, work->x, N * D);
    numbers(file, work->w, D * C);
    numbers(file, work->b, C);
    numbers(file, label, N);
    begin(work);
    ck_assert(tg_mat_init(&labels, label, TG_F64, 1, (int64_t[]){N}, false));
    ck_assert(tg_head_labels(&labels, C, work->label, &bad));
}

static void make_case(struct work *work)
{
    tg_rng_normal(2, 0, 0, N * D, work->x);
    tg_rng_normal(2, 1, 0, D * C, work->w);
    for (int i = 0; i < N; i++)
        work->label[i] = i % C;
    begin(work);
}

/* Everything that hangs on singular vectors, from inside a run that makes the basis. */
static enum tg_err on_layer(void *arg, const struct tg_ctx *ctx, int64_t index,
                            const struct tg_basis *basis)
{
    struct work *work = arg;
    struct tg_head_directions own = {
        .h = basis->u, .ldh = basis->ldu, .v = work->v, .count = basis->kept};
    struct tg_compress_factors factors = {.k = K,
                                          .in = work->in,
                                          .ldin = K + 1,
                                          .out = work->out,
                                          .ldout = C + 2,
                                          .bias = work->factor_bias};
    if (index)
        return TG_OK;
    TG_TRY(tg_head_coordinates(ctx, &work->head, own.h, own.ldh, own.count, work->v));
    TG_TRY(tg_head_curve(ctx, &work->head, &own, &work->scratch, work->accuracy, work->error));
    TG_TRY(tg_compress(ctx, &work->layer, basis, &work->head,
                       &(struct tg_compress_directions){.v = work->v}, &work->compress, &factors,
                       &work->compressed));
    for (uint64_t i = 0; i < DRAWS; i++) {
        double accuracy[D + 1], error[D + 1];
        struct tg_head_directions random = {
            .h = work->h, .ldh = D, .v = work->v, .count = D};
        TG_TRY(tg_baseline_directions(ctx, basis, 9, i, &work->baseline, work->h));
        TG_TRY(tg_head_coordinates(ctx, &work->head, work->h, D, D, work->v));
        TG_TRY(tg_head_curve(ctx, &work->head, &random, &work->scratch, accuracy, error));
        ck_assert_double_eq_tol(error[D], work->error[D], 1e-12);
        for (int k = 0; k <= D; k++)
            work->mean_error[k] += error[k] / DRAWS;
    }
    return TG_OK;
}

static void run(struct work *work)
{
    struct tg_svcca_layer layers[] = {{.name = "x", .mat = work->layer},
                                      {.name = "y", .mat = work->layer}};
    struct tg_svcca_hook hook = {
        .arg = work, .needs = TG_BASIS_ALL | TG_BASIS_U | TG_BASIS_S, .layer = on_layer};
    struct tg_svcca_options options = {.measures = 1 << TG_SVCCA_SVCCA,
                                       .threshold = 0.99,
                                       .hook = &hook,
                                       .nhooks = 1};
    struct tg_svcca svcca;
    ck_assert_int_eq(tg_head_apply(&work->ctx, &work->layer, &work->weights, &work->bias,
                                   &work->scratch, &work->head),
                     TG_OK);
    ck_assert_int_eq(tg_svcca_run(&work->ctx, layers, 2, &options, &svcca, NULL), TG_OK);
}

static void assert_curve(FILE *file, const struct work *work, double tolerance)
{
    for (int k = 0; k <= D; k++) {
        double expected[2];
        numbers(file, expected, 2);
        ck_assert_double_eq_tol(work->accuracy[k], expected[0], 1e-15);
        ck_assert_double_eq_tol(work->error[k], expected[1], tolerance);
    }
}

/* The units of largest activation, which need no basis. */
static void walk_units(struct work *work)
{
    struct tg_head_directions units = {.h = work->h,
                                       .ldh = D,
                                       .v = work->scratch.weights,
                                       .order = work->order,
                                       .count = D};
    ck_assert_int_eq(tg_head_apply(&work->ctx, &work->layer, &work->weights, &work->bias,
                                   &work->scratch, &work->head),
                     TG_OK);
    ck_assert_int_eq(tg_baseline_units(&work->ctx, &work->layer, &work->baseline, work->h,
                                       work->order),
                     TG_OK);
    ck_assert_int_eq(tg_head_curve(&work->ctx, &work->head, &units, &work->scratch,
                                   work->accuracy, work->error),
                     TG_OK);
}

START_TEST(agrees_with_numpy)
{
    static const double tolerance[] = {1e-12, 1e-10}; /* means of 300 cost digits */
    FILE *file = fopen(TG_GOLDEN "/svcca_head.txt", "r");
    static struct work work;
    double sizes[4], order[D], product[D * C], bias[C];
    ck_assert_ptr_nonnull(file);
    numbers(file, sizes, 4);
    ck_assert(sizes[0] == N && sizes[1] == D && sizes[2] == C && sizes[3] == K);
    for (int i = 0; i < 2; i++) {
        memset(&work, 0, sizeof(work));
        read_case(file, &work);
        run(&work);
        assert_curve(file, &work, tolerance[i]);
        double predicted = work.error[K], accuracy = work.accuracy[K];
        ck_assert_double_eq_tol(work.compressed.error, predicted, tolerance[i]);
        ck_assert_double_eq_tol(work.compressed.accuracy, accuracy, 1e-15);
        numbers(file, order, D);
        walk_units(&work);
        assert_curve(file, &work, tolerance[i]);
        numbers(file, product, D * C);
        numbers(file, bias, C);
        for (int j = 0; j < D; j++) {
            ck_assert_int_eq(work.order[j], (int64_t)order[j]);
            for (int c = 0; c < C; c++)
                ck_assert_double_eq_tol(work.in[j * (K + 1)] * work.out[c] +
                                            work.in[j * (K + 1) + 1] * work.out[C + 2 + c],
                                        product[j * C + c], 1e-10);
        }
        for (int c = 0; c < C; c++)
            ck_assert_double_eq_tol(work.factor_bias[c], bias[c], 1e-9);
        tg_arena_free(work.ctx.arena);
    }
    fclose(file);
}
END_TEST

/* E ||H_k^T y||^2 = k / r ||y||^2 for k uniformly random ones of r directions. */
START_TEST(random_directions_keep_their_share_in_the_mean)
{
    static struct work work;
    make_case(&work);
    run(&work);
    for (int k = 0; k <= D; k++)
        ck_assert_double_eq_tol(work.mean_error[k], 1 - k / (double)D, 0.02);
    tg_arena_free(work.ctx.arena);
}
END_TEST

START_TEST(every_unit_comes_first_as_often)
{
    struct tg_baseline_scratch scratch;
    struct tg_arena *arena = tg_arena_new(1 << 16);
    int64_t order[D], first[D] = {0}, sum = 0;
    tg_baseline_layout(arena, D, &scratch);
    for (uint64_t i = 0; i < 6000; i++) {
        tg_baseline_shuffle(1, i, D, &scratch, order);
        first[order[0]]++;
        sum = 0;
        for (int j = 0; j < D; j++)
            sum += (int64_t)1 << (8 * order[j]);
        ck_assert_int_eq(sum, 0x010101010101); /* each place once */
    }
    for (int j = 0; j < D; j++)
        ck_assert(llabs(first[j] - 1000) < 150); /* 5 sd */
    tg_arena_free(arena);
}
END_TEST

START_TEST(labels_are_classes_or_are_refused)
{
    static const double labels[][3] = {{0, 2, 1}, {0, 3, 1}, {0, 0.5, 1}, {0, -1, 1}, {0, NAN, 1}};
    for (int i = 0; i < 5; i++) {
        struct tg_mat mat;
        int64_t label[3], bad;
        ck_assert(tg_mat_init(&mat, labels[i], TG_F64, 1, (int64_t[]){3}, false));
        ck_assert(tg_head_labels(&mat, 3, label, &bad) == (i == 0));
        ck_assert(i == 0 || bad == 1);
    }
}
END_TEST

START_TEST(a_number_of_directions_is_the_first_that_does)
{
    static const double curve[] = {0.1, 0.9, 0.8, 0.95};
    ck_assert_int_eq(tg_head_reaches(curve, 3, 0.85), 1);
    ck_assert_int_eq(tg_head_reaches(curve, 3, 0.91), 3);
    ck_assert_int_eq(tg_head_reaches(curve, 3, 0.99), -1);
    ck_assert_int_eq(tg_head_holds(curve, 3, 0.1), 0);
    ck_assert_int_eq(tg_head_holds(curve, 3, 0.05), -1);
}
END_TEST

START_TEST(a_head_that_gives_no_number_is_told)
{
    static struct work work;
    make_case(&work);
    work.w[4] = INFINITY;
    ck_assert_int_eq(tg_head_apply(&work.ctx, &work.layer, &work.weights, NULL, &work.scratch,
                                   &work.head),
                     TG_NUMERIC);
    tg_arena_free(work.ctx.arena);
}
END_TEST

START_TEST(bits_do_not_depend_on_lanes)
{
    static struct work one, many;
    make_case(&one);
    make_case(&many);
    many.ctx.lanes = LANE_COUNT;
    many.ctx.parallel = lanes_parallel;
    walk_units(&one);
    walk_units(&many);
    ck_assert_mem_eq(one.error, many.error, sizeof(one.error));
    ck_assert_mem_eq(one.accuracy, many.accuracy, sizeof(one.accuracy));
    tg_arena_free(one.ctx.arena);
    tg_arena_free(many.ctx.arena);
}
END_TEST

START_TEST(a_stop_is_obeyed)
{
    static struct work work;
    atomic_int stop = TG_STOP_CANCEL;
    make_case(&work);
    struct tg_head_directions units = {
        .h = work.h, .ldh = D, .v = work.v, .count = D};
    work.ctx.stop = &stop;
    ck_assert_int_eq(tg_head_curve(&work.ctx, &work.head, &units, &work.scratch, work.accuracy,
                                   work.error),
                     TG_CANCELLED);
    tg_arena_free(work.ctx.arena);
}
END_TEST

Suite *head_suite(void)
{
    Suite *suite = suite_create("head");
    TCase *values = tcase_create("values");
    tcase_add_test(values, agrees_with_numpy);
    tcase_add_test(values, random_directions_keep_their_share_in_the_mean);
    tcase_add_test(values, every_unit_comes_first_as_often);
    tcase_add_test(values, labels_are_classes_or_are_refused);
    tcase_add_test(values, a_number_of_directions_is_the_first_that_does);
    tcase_add_test(values, a_head_that_gives_no_number_is_told);
    suite_add_tcase(suite, values);
    TCase *running = tcase_create("running");
    tcase_set_timeout(running, 30);
    tcase_add_test(running, bits_do_not_depend_on_lanes);
    tcase_add_test(running, a_stop_is_obeyed);
    suite_add_tcase(suite, running);
    return suite;
}

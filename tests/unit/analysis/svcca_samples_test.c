/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Measures of samples beside samples against scipy (tests/golden/svcca_samples.py). */
#include "svcca/samples.h"

#include <string.h>

#include "core/rng.h"
#include "lanes.h"
#include "svcca_run.h"

Suite *svcca_samples_suite(void);

enum { MAX_LAYERS = 3, MAX_NUMBERS = 1 << 12, EVERYTHING = 1 << 20 };

enum {
    KERNELS = 1 << TG_SVCCA_CKA_RBF | 1 << TG_SVCCA_CKA_RBF_DEBIASED,
    BATCHES = 1 << TG_SVCCA_CKA_MINIBATCH,
    OF_SAMPLES = KERNELS | BATCHES
};

static const struct tg_svcca_options defaults = {
    .measures = OF_SAMPLES,
    .threshold = 0.99,
    .samples = {.rbf_bandwidth = 1, .batch_size = 50, .hold_bytes = EVERYTHING}};

/* The layers of a case; false at the end of the file. */
static bool read_case(FILE *file, struct tg_svcca_layer *layers, size_t *count)
{
    static double x[MAX_LAYERS][MAX_NUMBERS];
    static char name[MAX_LAYERS][32];
    if (fscanf(file, " case %*s %zu", count) != 1)
        return false;
    ck_assert_uint_le(*count, MAX_LAYERS);
    for (size_t i = 0; i < *count; i++) {
        long long n, d;
        ck_assert_int_eq(fscanf(file, " layer %31s %lld %lld", name[i], &n, &d), 3);
        ck_assert_int_le(n * d, MAX_NUMBERS);
        for (int64_t k = 0; k < n * d; k++)
            x[i][k] = number(file);
        layers[i] = layer_of(name[i], x[i], n, d);
    }
    return true;
}

/* Options of the next measure of a case, after its word "score". */
static void read_options(FILE *file, struct tg_svcca_options *options)
{
    char word[32];
    ck_assert_int_eq(fscanf(file, "%31s", word), 1);
    *options = defaults;
    if (!strcmp(word, "rbf")) {
        options->measures = KERNELS;
        options->samples.rbf_bandwidth = number(file);
    } else {
        ck_assert_str_eq(word, "minibatch");
        options->measures = BATCHES;
        options->samples.batch_size = (int64_t)number(file);
    }
}

/* The scores that the options ask for, in the order of the file. */
static void assert_pair(FILE *file, const struct tg_svcca_options *options,
                        const struct tg_svcca_pair *pair)
{
    const double got[] = {pair->cka_rbf, pair->cka_rbf_debiased, pair->cka_minibatch};
    const int measure[] = {TG_SVCCA_CKA_RBF, TG_SVCCA_CKA_RBF_DEBIASED,
                           TG_SVCCA_CKA_MINIBATCH};
    for (size_t i = 0; i < sizeof(got) / sizeof(*got); i++)
        if (options->measures >> measure[i] & 1)
            ck_assert_double_eq_tol(got[i], number(file), 1e-12);
        else
            ck_assert_double_nan(got[i]);
}

START_TEST(agrees_with_scipy)
{
    FILE *file = fopen(TG_GOLDEN "/svcca_samples.txt", "r");
    ck_assert_ptr_nonnull(file);
    struct tg_svcca_layer layers[MAX_LAYERS];
    struct tg_svcca_options options;
    size_t count;
    int scores = 0;
    while (read_case(file, layers, &count))
        for (int end = 0; fscanf(file, " score%n", &end) == 0 && end; end = 0, scores++) {
            struct run run;
            read_options(file, &options);
            ck_assert_int_eq(open_run(&run, layers, count, &options), TG_OK);
            for (int64_t i = 0; i < run.svcca.npairs; i++)
                assert_pair(file, &options, &run.svcca.pair[i]);
            close_run(&run);
        }
    ck_assert_int_eq(scores, 18);
    fclose(file);
}
END_TEST

enum { N = 210, D = 7 };

/* Two layers that share a part. */
static void make_pair(double *x, double *y)
{
    tg_rng_normal(1, 0, 0, N * D, x);
    tg_rng_normal(1, 1, 0, N * D, y);
    for (int i = 0; i < N * D; i++)
        y[i] += x[i];
}

static struct tg_svcca_pair pair_of(const double *x, const double *y,
                                    const struct tg_svcca_options *options)
{
    struct tg_svcca_layer layers[] = {layer_of("x", x, N, D), layer_of("y", y, N, D)};
    struct run run;
    ck_assert_int_eq(open_run(&run, layers, 2, options), TG_OK);
    struct tg_svcca_pair pair = run.svcca.pair[0];
    close_run(&run);
    return pair;
}

START_TEST(tables_made_anew_give_the_bits_of_those_held)
{
    double x[N * D], y[N * D];
    make_pair(x, y);
    struct tg_svcca_options options = defaults;
    struct tg_svcca_pair held = pair_of(x, y, &options);
    options.samples.hold_bytes = 0;
    struct tg_svcca_pair anew = pair_of(x, y, &options);
    ck_assert(isfinite(held.cka_rbf) && isfinite(held.cka_rbf_debiased));
    ck_assert_mem_eq(&held, &anew, sizeof(held));
}
END_TEST

START_TEST(tables_are_held_only_as_memory_permits)
{
    double x[N * D], y[N * D];
    make_pair(x, y);
    struct tg_svcca_layer layers[] = {layer_of("x", x, N, D), layer_of("y", y, N, D)};
    struct tg_svcca_options options = defaults;
    struct tg_svcca_cost held, anew;
    size_t table = (size_t)tg_blocks(N) * TG_BLOCK_SIZE * sizeof(double);
    options.samples.hold_bytes = 2 * table;
    ck_assert_int_eq(tg_svcca_cost(layers, 2, &options, &held), TG_OK);
    options.samples.hold_bytes--;
    ck_assert_int_eq(tg_svcca_cost(layers, 2, &options, &anew), TG_OK);
    ck_assert_uint_gt(held.bytes, anew.bytes + table);
    ck_assert_double_lt(held.flops, anew.flops);
}
END_TEST

START_TEST(bits_do_not_depend_on_lanes)
{
    double x[N * D], y[N * D];
    make_pair(x, y);
    struct tg_svcca_layer layers[] = {layer_of("x", x, N, D), layer_of("y", y, N, D)};
    struct tg_svcca_options options = defaults;
    options.samples.hold_bytes = _i ? EVERYTHING : 0;
    struct tg_svcca_pair one = pair_of(x, y, &options);
    struct tg_svcca_cost cost;
    struct tg_svcca many;
    ck_assert_int_eq(tg_svcca_cost(layers, 2, &options, &cost), TG_OK);
    struct tg_ctx ctx = {.arena = tg_arena_new(cost.bytes),
                         .lanes = LANE_COUNT,
                         .parallel = lanes_parallel};
    ck_assert_int_eq(tg_svcca_run(&ctx, layers, 2, &options, &many, NULL), TG_OK);
    ck_assert_mem_eq(&one, many.pair, sizeof(one));
    tg_arena_free(ctx.arena);
}
END_TEST

START_TEST(a_wide_kernel_is_linear_cka)
{
    double x[N * D], y[N * D];
    make_pair(x, y);
    struct tg_svcca_options options = defaults;
    options.measures |= 1 << TG_SVCCA_CKA | 1 << TG_SVCCA_CKA_DEBIASED;
    options.samples.rbf_bandwidth = 1e4; /* the kernel differs from 1 by 1e-8 */
    struct tg_svcca_pair pair = pair_of(x, y, &options);
    ck_assert_double_eq_tol(pair.cka_rbf, pair.cka, 1e-7);
    ck_assert_double_eq_tol(pair.cka_rbf_debiased, pair.cka_debiased, 1e-7);
}
END_TEST

START_TEST(one_batch_of_all_samples_is_debiased_cka)
{
    double x[N * D], y[N * D];
    make_pair(x, y);
    struct tg_svcca_options options = defaults;
    options.measures |= 1 << TG_SVCCA_CKA_DEBIASED;
    options.samples.batch_size = N / 2 + 1 + _i * N; /* two such do not fit */
    struct tg_svcca_pair pair = pair_of(x, y, &options);
    ck_assert_double_eq_tol(pair.cka_minibatch, pair.cka_debiased, 1e-14);
    options.samples.batch_size = N / 2;
    pair = pair_of(x, y, &options);
    ck_assert_double_gt(fabs(pair.cka_minibatch - pair.cka_debiased), 1e-6);
    ck_assert_double_eq_tol(pair.cka_minibatch, pair.cka_debiased, 0.05);
}
END_TEST

START_TEST(batches_take_samples_in_the_order_given)
{
    double x[N * D], y[N * D], moved_x[N * D], moved_y[N * D];
    int64_t order[N];
    make_pair(x, y);
    struct tg_svcca_options options = defaults;
    options.measures = BATCHES;
    double as_given = pair_of(x, y, &options).cka_minibatch;
    tg_rng_order(5, 0, N, order);
    for (int i = 0; i < N; i++) {
        memcpy(moved_x + i * D, x + order[i] * D, D * sizeof(*x));
        memcpy(moved_y + i * D, y + order[i] * D, D * sizeof(*y));
    }
    double moved = pair_of(moved_x, moved_y, &options).cka_minibatch;
    options.samples.batch_order = order;
    double ordered = pair_of(x, y, &options).cka_minibatch;
    ck_assert_double_eq_tol(ordered, moved, 1e-14);
    ck_assert_double_gt(fabs(ordered - as_given), 1e-6);
}
END_TEST

/* Equal samples only, in every batch, in a layer that does change. */
START_TEST(batches_that_never_change_have_no_similarity)
{
    double x[N * D], y[N * D];
    make_pair(x, y);
    for (int i = 0; i < N * D; i++)
        x[i] = i / D * 3 / N; /* a number for each third */
    struct tg_svcca_options options = defaults;
    options.measures = BATCHES;
    options.samples.batch_size = N / 3;
    ck_assert_double_nan(pair_of(x, y, &options).cka_minibatch);
}
END_TEST

START_TEST(rotation_scale_and_translation_change_nothing)
{
    double x[N * D], y[N * D], moved[N * D];
    make_pair(x, y);
    struct tg_svcca_pair before = pair_of(x, y, &defaults);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < D; j++) {
            int k = j / 2 * 2; /* the units of a pair are turned; the last one is alone */
            double a = x[i * D + k], b = k + 1 < D ? x[i * D + k + 1] : 0;
            double turned = j == D - 1 ? a : j % 2 ? 0.8 * a + 0.6 * b : 0.6 * a - 0.8 * b;
            moved[i * D + j] = 1e-5 * turned + 3e-4 * j;
        }
    struct tg_svcca_pair after = pair_of(moved, y, &defaults);
    ck_assert_double_eq_tol(after.cka_rbf, before.cka_rbf, 1e-11);
    ck_assert_double_eq_tol(after.cka_rbf_debiased, before.cka_rbf_debiased, 1e-11);
    ck_assert_double_eq_tol(after.cka_minibatch, before.cka_minibatch, 1e-11);
    struct tg_svcca_pair itself = pair_of(x, x, &defaults);
    ck_assert_double_eq_tol(itself.cka_rbf, 1, 1e-14);
    ck_assert_double_eq_tol(itself.cka_rbf_debiased, 1, 1e-14);
    ck_assert_double_eq_tol(itself.cka_minibatch, 1, 1e-14);
}
END_TEST

START_TEST(a_kernel_of_equal_samples_is_not_defined)
{
    double x[N * D], y[N * D];
    make_pair(x, y);
    memset(x, 0, N * 3 / 4 * D * sizeof(double)); /* 9 in 16 pairs are equal */
    struct tg_svcca_layer layers[] = {layer_of("x", x, N, D), layer_of("y", y, N, D)};
    struct run run;
    ck_assert_int_eq(open_run(&run, layers, 2, &defaults), TG_OK);
    ck_assert(!run.svcca.samples[0].kernel.defined && run.svcca.samples[1].kernel.defined);
    ck_assert_double_nan(run.svcca.pair[0].cka_rbf);
    ck_assert_double_nan(run.svcca.matrix[TG_SVCCA_CKA_RBF_DEBIASED][1]);
    close_run(&run);
}
END_TEST

/* A runner that stops its job after some tiles. */
struct stopper {
    atomic_int stop;
    int64_t left;
};

static enum tg_err run_then_stop(void *runner, int64_t n, tg_tile_fn fn, void *arg)
{
    struct stopper *stopper = runner;
    for (int64_t i = 0; i < n; i++) {
        if (stopper->left-- == 0)
            atomic_store(&stopper->stop, TG_STOP_CANCEL);
        TG_TRY(fn(arg, i, 0));
    }
    return TG_OK;
}

START_TEST(a_stop_is_obeyed_wherever_it_comes)
{
    double x[N * D], y[N * D];
    make_pair(x, y);
    struct tg_svcca_layer layers[] = {layer_of("x", x, N, D), layer_of("y", y, N, D)};
    struct tg_svcca_cost cost;
    struct tg_svcca svcca;
    ck_assert_int_eq(tg_svcca_cost(layers, 2, &defaults, &cost), TG_OK);
    struct stopper stopper = {.left = 7 * _i};
    struct tg_ctx ctx = {.arena = tg_arena_new(cost.bytes),
                         .lanes = 2, /* with one lane nobody is asked */
                         .stop = &stopper.stop,
                         .runner = &stopper,
                         .parallel = run_then_stop};
    ck_assert_int_eq(tg_svcca_run(&ctx, layers, 2, &defaults, &svcca, NULL), TG_CANCELLED);
    tg_arena_free(ctx.arena);
}
END_TEST

Suite *svcca_samples_suite(void)
{
    Suite *suite = suite_create("svcca_samples");
    TCase *tcase = tcase_create("svcca_samples");
    tcase_add_test(tcase, agrees_with_scipy);
    tcase_add_test(tcase, tables_made_anew_give_the_bits_of_those_held);
    tcase_add_test(tcase, tables_are_held_only_as_memory_permits);
    tcase_add_loop_test(tcase, bits_do_not_depend_on_lanes, 0, 2);
    tcase_add_test(tcase, a_wide_kernel_is_linear_cka);
    tcase_add_loop_test(tcase, one_batch_of_all_samples_is_debiased_cka, 0, 2);
    tcase_add_test(tcase, batches_take_samples_in_the_order_given);
    tcase_add_test(tcase, batches_that_never_change_have_no_similarity);
    tcase_add_test(tcase, rotation_scale_and_translation_change_nothing);
    tcase_add_test(tcase, a_kernel_of_equal_samples_is_not_defined);
    tcase_add_loop_test(tcase, a_stop_is_obeyed_wherever_it_comes, 0, 20);
    suite_add_tcase(suite, tcase);
    return suite;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Measures of samples beside samples against scipy (tests/golden/svcca_samples.py). */
#include "svcca/samples.h"

#include <string.h>

#include "core/rng.h"
#include "lanes.h"
#include "orders.h"
#include "svcca_run.h"

Suite *svcca_samples_suite(void);

enum { MAX_LAYERS = 3, MAX_NUMBERS = 1 << 12, EVERYTHING = 1 << 24 };

enum {
    KERNELS = 1 << TG_SVCCA_CKA_RBF | 1 << TG_SVCCA_CKA_RBF_DEBIASED,
    BATCHES = 1 << TG_SVCCA_CKA_MINIBATCH,
    RSA = 1 << TG_SVCCA_RSA_PEARSON | 1 << TG_SVCCA_RSA_SPEARMAN | 1 << TG_SVCCA_RSA_KENDALL |
          1 << TG_SVCCA_RSA_COSINE | 1 << TG_SVCCA_RSA_WHITENED,
    KNN = 1 << TG_SVCCA_KNN,
    OF_SAMPLES = KERNELS | BATCHES | RSA | KNN
};

static const struct tg_svcca_options defaults = {
    .measures = OF_SAMPLES,
    .threshold = 0.99,
    .samples = {
        .rbf_bandwidth = 1, .batch_size = 50, .neighbours = 10, .hold_bytes = EVERYTHING}};

static int place_of(const char *word, const char *const *words)
{
    for (int i = 0; words[i]; i++)
        if (!strcmp(word, words[i]))
            return i;
    ck_abort_msg("unknown word %s", word);
}

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
    } else if (!strcmp(word, "minibatch")) {
        options->measures = BATCHES;
        options->samples.batch_size = (int64_t)number(file);
    } else if (!strcmp(word, "rsa")) {
        ck_assert_int_eq(fscanf(file, "%31s", word), 1);
        options->measures = RSA;
        options->samples.rsa = (enum tg_dissimilarity)place_of(
            word, (const char *const[]){"correlation", "euclidean", "squared", "cosine", NULL});
    } else {
        ck_assert_str_eq(word, "knn");
        ck_assert_int_eq(fscanf(file, "%31s", word), 1);
        options->measures = KNN;
        options->samples.metric = (enum tg_metric)place_of(
            word, (const char *const[]){"euclidean", "cosine", "correlation", NULL});
        options->samples.neighbours = (int64_t)number(file);
    }
}

/* The scores that the options ask for, in the order of the file. */
static void assert_pair(FILE *file, const struct tg_svcca_options *options,
                        const struct tg_svcca_pair *pair)
{
    const double got[] = {pair->cka_rbf,      pair->cka_rbf_debiased, pair->cka_minibatch,
                          pair->rsa_pearson,  pair->rsa_spearman,     pair->rsa_kendall,
                          pair->rsa_kendall_a, pair->rsa_cosine,      pair->rsa_whitened,
                          pair->knn};
    const int measure[] = {TG_SVCCA_CKA_RBF,      TG_SVCCA_CKA_RBF_DEBIASED,
                           TG_SVCCA_CKA_MINIBATCH, TG_SVCCA_RSA_PEARSON,
                           TG_SVCCA_RSA_SPEARMAN, TG_SVCCA_RSA_KENDALL,
                           TG_SVCCA_RSA_KENDALL,  TG_SVCCA_RSA_COSINE,
                           TG_SVCCA_RSA_WHITENED, TG_SVCCA_KNN};
    for (size_t i = 0; i < sizeof(got) / sizeof(*got); i++) {
        double expected = options->measures >> measure[i] & 1 ? number(file) : NAN;
        if (isnan(expected)) /* not asked for, or a sample that has no direction */
            ck_assert_double_nan(got[i]);
        else
            ck_assert_double_eq_tol(got[i], expected, 1e-12);
    }
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
    ck_assert_int_eq(scores, 36);
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
    ck_assert(isfinite(held.cka_rbf) && isfinite(held.rsa_whitened) &&
              isfinite(held.rsa_kendall));
    ck_assert_mem_eq(&held, &anew, sizeof(held));
    options.samples.whole_tables = true;
    anew = pair_of(x, y, &options);
    ck_assert_mem_eq(&held, &anew, sizeof(held));
}
END_TEST

START_TEST(tables_are_held_only_as_memory_permits)
{
    double x[N * D], y[N * D];
    make_pair(x, y);
    struct tg_svcca_layer layers[] = {layer_of("x", x, N, D), layer_of("y", y, N, D)};
    static const struct { uint64_t measures; size_t tables; } some[] = {
        {KERNELS | BATCHES | KNN, 1}, {1 << TG_SVCCA_RSA_COSINE, 1}, {KERNELS | RSA, 4}};
    struct tg_svcca_options options = defaults;
    struct tg_svcca_cost held, anew;
    size_t table = (size_t)tg_blocks(N) * TG_BLOCK_SIZE * sizeof(double);
    options.measures = some[_i].measures;
    options.samples.hold_bytes = 2 * some[_i].tables * table;
    ck_assert_int_eq(tg_svcca_cost(layers, 2, &options, &held), TG_OK);
    options.samples.hold_bytes--;
    ck_assert_int_eq(tg_svcca_cost(layers, 2, &options, &anew), TG_OK);
    ck_assert(held.tables_held && !anew.tables_held);
    if (!(options.measures & RSA & ~(1U << TG_SVCCA_RSA_COSINE))) /* ranks have tables anyway */
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
    ck_assert_double_eq(after.knn, before.knn);
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

static void assert_same_rsa(const struct tg_svcca_pair *a, const struct tg_svcca_pair *b,
                            double tolerance)
{
    ck_assert_double_eq_tol(a->rsa_pearson, b->rsa_pearson, tolerance);
    ck_assert_double_eq_tol(a->rsa_spearman, b->rsa_spearman, tolerance);
    ck_assert_double_eq_tol(a->rsa_kendall, b->rsa_kendall, tolerance);
    ck_assert_double_eq_tol(a->rsa_kendall_a, b->rsa_kendall_a, tolerance);
    ck_assert_double_eq_tol(a->rsa_cosine, b->rsa_cosine, tolerance);
    ck_assert_double_eq_tol(a->rsa_whitened, b->rsa_whitened, tolerance);
}

/*
 * Euclidean distances go by rotation and translation, cosines by rotation and a scale for each
 * sample, correlations by an offset and a scale for each sample.
 */
START_TEST(dissimilarities_ignore_what_they_should)
{
    double x[N * D], y[N * D], moved[N * D];
    struct tg_svcca_options options = defaults;
    const enum tg_dissimilarity kind = options.samples.rsa = (enum tg_dissimilarity)_i;
    bool euclidean = kind == TG_RDM_EUCLIDEAN || kind == TG_RDM_SQUARED;
    make_pair(x, y);
    options.measures = RSA;
    struct tg_svcca_pair before = pair_of(x, y, &options);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < D; j++) {
            const double *row = x + i * D;
            double turned = j == 0 ? 0.8 * row[0] + 0.6 * row[1]
                            : j == 1 ? 0.6 * row[0] - 0.8 * row[1]
                                     : row[j];
            if (euclidean)
                moved[i * D + j] = 1e-5 * turned + 3e-4 * j;
            else if (kind == TG_RDM_COSINE)
                moved[i * D + j] = (1 + i % 7) * turned;
            else
                moved[i * D + j] = (1 + i % 7) * row[(j + 1) % D] + i;
        }
    struct tg_svcca_pair after = pair_of(moved, y, &options);
    assert_same_rsa(&after, &before, 1e-11);
    struct tg_svcca_pair swapped = pair_of(y, x, &options);
    assert_same_rsa(&swapped, &before, 1e-13);
    moved[0] += euclidean ? 1e-5 : 1; /* and do not ignore all */
    ck_assert_double_gt(fabs(pair_of(moved, y, &options).rsa_pearson - before.rsa_pearson), 1e-6);
    struct tg_svcca_pair itself = pair_of(x, x, &options);
    ck_assert_double_eq_tol(itself.rsa_pearson, 1, 1e-14);
    ck_assert_double_eq_tol(itself.rsa_spearman, 1, 1e-14);
    ck_assert_double_eq(itself.rsa_kendall, 1);
    ck_assert_double_eq_tol(itself.rsa_cosine, 1, 1e-14);
    ck_assert_double_eq_tol(itself.rsa_whitened, 1, 1e-14);
}
END_TEST

START_TEST(order_of_samples_changes_nothing)
{
    double x[N * D], y[N * D], moved_x[N * D], moved_y[N * D];
    int64_t order[N];
    make_pair(x, y);
    tg_rng_order(5, 0, N, order);
    for (int i = 0; i < N; i++) {
        memcpy(moved_x + i * D, x + order[i] * D, D * sizeof(*x));
        memcpy(moved_y + i * D, y + order[i] * D, D * sizeof(*y));
    }
    struct tg_svcca_pair before = pair_of(x, y, &defaults);
    struct tg_svcca_pair after = pair_of(moved_x, moved_y, &defaults);
    assert_same_rsa(&after, &before, 1e-12);
    ck_assert_double_eq(after.knn, before.knn);
    struct tg_svcca_pair shuffled = pair_of(moved_x, y, &defaults);
    ck_assert_double_lt(fabs(shuffled.rsa_spearman), 0.1);
    ck_assert_double_lt(shuffled.knn, 0.1);
    ck_assert_double_gt(before.rsa_spearman, 0.2);
    ck_assert_double_gt(before.knn, 0.15);
}
END_TEST

START_TEST(whitened_rsa_of_squared_distances_is_linear_cka)
{
    double x[N * D], y[N * D];
    make_pair(x, y);
    for (int j = 0; j < D; j++)
        x[j] *= _i ? 100 : 1; /* one sample far away from all */
    struct tg_svcca_options options = defaults;
    options.measures = 1 << TG_SVCCA_CKA | 1 << TG_SVCCA_RSA_WHITENED;
    options.samples.rsa = TG_RDM_SQUARED;
    struct tg_svcca_pair pair = pair_of(x, y, &options);
    ck_assert_double_eq_tol(pair.rsa_whitened, pair.cka, 1e-12);
    ck_assert_double_eq_tol(tg_svcca_distance(TG_SVCCA_RSA_WHITENED, pair.rsa_whitened),
                            acos(pair.cka), 1e-10);
    ck_assert_double_eq(tg_svcca_distance(TG_SVCCA_RSA_SPEARMAN, 0.25), 0.75);
}
END_TEST

/* A dead sample has no direction; samples at the corners of a simplex have no order. */
START_TEST(tables_without_contents_are_not_defined)
{
    double x[N * D], y[N * D], corner[8 * 8] = {0}, line[8];
    make_pair(x, y);
    for (int j = 0; j < D; j++)
        x[3 * D + j] = x[7 * D + j] = _i ? 0.1 : 0;
    struct tg_svcca_options options = defaults;
    options.measures = RSA | KNN;
    options.samples.rsa = _i ? TG_RDM_CORRELATION : TG_RDM_COSINE;
    options.samples.metric = _i ? TG_METRIC_CORRELATION : TG_METRIC_COSINE;
    struct tg_svcca_layer layers[] = {layer_of("x", x, N, D), layer_of("y", y, N, D)};
    struct run run;
    ck_assert_int_eq(open_run(&run, layers, 2, &options), TG_OK);
    ck_assert_int_eq(run.svcca.samples[0].rdm.without, 2);
    ck_assert_int_eq(run.svcca.samples[0].rdm.first, 3);
    ck_assert_int_eq(run.svcca.samples[0].neighbours.without, 2);
    ck_assert_double_nan(run.svcca.pair[0].rsa_pearson);
    ck_assert_double_nan(run.svcca.pair[0].rsa_kendall);
    ck_assert_double_nan(run.svcca.pair[0].knn);
    close_run(&run);
    for (int i = 0; i < 8; i++) {
        corner[9 * i] = 0.1;
        line[i] = i * i;
    }
    options.measures = RSA;
    layers[0] = layer_of("corner", corner, 8, 8);
    layers[1] = layer_of("line", line, 8, 1);
    options.samples.rsa = _i ? TG_RDM_EUCLIDEAN : TG_RDM_SQUARED;
    ck_assert_int_eq(open_run(&run, layers, 2, &options), TG_OK);
    ck_assert(!run.svcca.samples[0].rdm.varies && run.svcca.samples[1].rdm.varies);
    ck_assert_double_nan(run.svcca.pair[0].rsa_spearman);
    ck_assert_double_nan(run.svcca.pair[0].rsa_cosine);
    close_run(&run);
}
END_TEST

/* Integers on a line: distances tie everywhere, and the first of equals is taken. */
START_TEST(of_equal_neighbours_the_first_are_taken)
{
    double line[100], other[100];
    for (int i = 0; i < 100; i++) {
        line[i] = i;
        other[i] = 100 - i;
    }
    struct tg_svcca_options options = defaults;
    options.measures = KNN;
    options.samples.neighbours = 3;
    struct tg_svcca_layer layers[] = {layer_of("line", line, 100, 1),
                                      layer_of("other", other, 100, 1)};
    struct run run;
    ck_assert_int_eq(open_run(&run, layers, 2, &options), TG_OK);
    ck_assert_double_eq(run.svcca.pair[0].knn, 1);
    const struct tg_neighbours *found = &run.svcca.samples[0].neighbours;
    ck_assert_mem_eq(found->of, ((int64_t[]){1, 2, 3, 0, 2, 3}), 6 * sizeof(int64_t));
    ck_assert_mem_eq(found->of + 3 * 70, ((int64_t[]){68, 69, 71}), 3 * sizeof(int64_t));
    close_run(&run);
}
END_TEST

enum { CHANCES = 8, MOST = 7 };

static void scores_of(const struct tg_svcca_pair *pair, double scores[CHANCES])
{
    const double all[CHANCES] = {pair->rsa_pearson, pair->rsa_spearman, pair->rsa_kendall,
                                 pair->rsa_cosine,  pair->rsa_whitened, pair->knn,
                                 pair->cka_rbf_debiased, pair->cka_minibatch};
    memcpy(scores, all, sizeof(all));
}

static void chances_of(int64_t n, const struct tg_samples *a, const struct tg_samples *b,
                       struct tg_chance chances[CHANCES])
{
    struct tg_rdm_chances rdm = tg_rdm_chance(&a->rdm, &b->rdm);
    const struct tg_gram_trace none = {.three = NAN};
    const struct tg_chance all[CHANCES] = {
        rdm.pearson,  rdm.spearman,
        rdm.kendall,  rdm.cosine,
        rdm.whitened, tg_neighbours_chance(&a->neighbours, &b->neighbours),
        tg_cka_debiased_chance(n, &none, &none),
        tg_batches_chance(&a->batches, &b->batches)};
    memcpy(chances, all, sizeof(all));
}

/* Mean and sd over all n! orders are those in closed form. */
START_TEST(chance_is_that_of_every_order)
{
    const int64_t n = _i;
    double x[MOST * 3], y[MOST * 2], sum[CHANCES] = {0}, square[CHANCES] = {0}, count = 0;
    int64_t order[MOST] = {0, 1, 2, 3, 4, 5, 6};
    tg_rng_normal(31, 0, 0, MOST * 3, x);
    tg_rng_normal(31, 1, 0, MOST * 2, y);
    for (int i = 0; i < 3; i++)
        x[i] *= 5; /* one sample far from all */
    struct tg_svcca_options options = defaults;
    options.samples.rsa = n % 2 ? TG_RDM_EUCLIDEAN : TG_RDM_COSINE;
    options.samples.neighbours = 2;
    struct tg_svcca_layer layers[] = {layer_of("x", x, n, 3), layer_of("y", y, n, 2)};
    struct run run;
    struct tg_samples_scratch scratch;
    struct tg_ctx ctx = {.arena = tg_arena_new(1 << 24), .lanes = 1};
    ck_assert_int_eq(open_run(&run, layers, 2, &options), TG_OK);
    const struct tg_samples *layer[] = {&run.svcca.samples[0], &run.svcca.samples[1]}, *at[2];
    options.samples.whole_tables = true;
    tg_samples_layout_scratch(ctx.arena, &options.samples, OF_SAMPLES, n, 3, true, &scratch);
    ck_assert_int_eq(
        tg_samples_pair(&ctx, &options.samples, OF_SAMPLES, true, &scratch, layer, at), TG_OK);
    do {
        struct tg_svcca_pair pair = {0};
        double scores[CHANCES];
        ck_assert_int_eq(tg_samples_compare(&ctx, OF_SAMPLES, &scratch.work, at[0], at[1],
                                            &(struct tg_samples_order){order, order}, &pair),
                         TG_OK);
        scores_of(&pair, scores);
        for (int i = 0; i < CHANCES; i++) {
            sum[i] += scores[i];
            square[i] += scores[i] * scores[i];
        }
        count++;
    } while (next_order(order, n));
    ck_assert_double_eq(count, n == 4 ? 24 : n == 5 ? 120 : n == 6 ? 720 : 5040);
    struct tg_chance chances[CHANCES];
    chances_of(n, at[0], at[1], chances);
    for (int i = 0; i < CHANCES; i++) {
        double mean = sum[i] / count, sd = sqrt(square[i] / count - mean * mean);
        ck_assert_double_eq_tol(chances[i].mean, mean, 1e-13);
        if (i == 2) /* Kendall's */
            ck_assert_double_nan(chances[i].sd);
        else
            ck_assert_double_eq_tol(chances[i].sd, sd, 1e-12);
        ck_assert_double_gt(sd, 0.02);
    }
    ck_assert_double_eq_tol(chances[5].mean, 2.0 / (double)(n - 1), 1e-15);
    tg_arena_free(ctx.arena);
    close_run(&run);
}
END_TEST

/* A table that is not symmetric beside itself transposed, over all orders of five. */
START_TEST(products_of_any_two_tables_have_exact_moments)
{
    double a[25], b[25], sum = 0, square = 0;
    int64_t order[5] = {0, 1, 2, 3, 4};
    struct tg_table_sums sums[2] = {{.total = 0}, {.total = 0}};
    tg_rng_uniform(41, 0, 0, 25, a);
    tg_rng_uniform(41, 1, 0, 25, b);
    for (int t = 0; t < 2; t++) {
        const double *x = t ? b : a;
        for (int i = 0; i < 5; i++)
            for (int j = 0; j < 5; j++)
                for (int l = 0; l < 5 && i != j; l++) {
                    double xij = x[5 * i + j];
                    sums[t].total += l ? 0 : xij;
                    sums[t].same += l ? 0 : xij * xij;
                    sums[t].reversed += l ? 0 : xij * x[5 * j + i];
                    if (l == i || l == j)
                        continue;
                    sums[t].tail += xij * x[5 * i + l];
                    sums[t].head += xij * x[5 * l + j];
                    sums[t].through += xij * x[5 * j + l];
                }
    }
    do {
        double product = 0;
        for (int i = 0; i < 25; i++)
            product += i % 6 ? a[i] * b[5 * order[i / 5] + order[i % 5]] : 0;
        sum += product / 120;
        square += product * product / 120;
    } while (next_order(order, 5));
    struct tg_chance chance = tg_table_chance(5, &sums[0], &sums[1]);
    ck_assert_double_eq_tol(chance.mean, sum, 1e-13);
    ck_assert_double_eq_tol(chance.sd, sqrt(square - sum * sum), 1e-12);
}
END_TEST

Suite *svcca_samples_suite(void)
{
    Suite *suite = suite_create("svcca_samples");
    TCase *tcase = tcase_create("svcca_samples");
    tcase_add_test(tcase, agrees_with_scipy);
    tcase_add_test(tcase, tables_made_anew_give_the_bits_of_those_held);
    tcase_add_loop_test(tcase, tables_are_held_only_as_memory_permits, 0, 3);
    tcase_add_loop_test(tcase, bits_do_not_depend_on_lanes, 0, 2);
    tcase_add_test(tcase, a_wide_kernel_is_linear_cka);
    tcase_add_loop_test(tcase, one_batch_of_all_samples_is_debiased_cka, 0, 2);
    tcase_add_test(tcase, batches_take_samples_in_the_order_given);
    tcase_add_test(tcase, batches_that_never_change_have_no_similarity);
    tcase_add_test(tcase, rotation_scale_and_translation_change_nothing);
    tcase_add_test(tcase, a_kernel_of_equal_samples_is_not_defined);
    tcase_add_loop_test(tcase, a_stop_is_obeyed_wherever_it_comes, 0, 20);
    tcase_add_loop_test(tcase, dissimilarities_ignore_what_they_should, 0, 4);
    tcase_add_test(tcase, order_of_samples_changes_nothing);
    tcase_add_loop_test(tcase, whitened_rsa_of_squared_distances_is_linear_cka, 0, 2);
    tcase_add_loop_test(tcase, tables_without_contents_are_not_defined, 0, 2);
    tcase_add_test(tcase, of_equal_neighbours_the_first_are_taken);
    tcase_add_loop_test(tcase, chance_is_that_of_every_order, 4, MOST + 1);
    tcase_add_test(tcase, products_of_any_two_tables_have_exact_moments);
    suite_add_tcase(suite, tcase);
    return suite;
}

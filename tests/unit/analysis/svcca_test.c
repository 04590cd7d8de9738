/* SPDX-License-Identifier: GPL-3.0-or-later */
/* svcca against numpy and scipy (tests/golden/svcca.py), and by its invariances. */
#include "svcca/svcca.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "lanes.h"
#include "svcca_run.h"

Suite *svcca_suite(void);

enum { MAX_LAYERS = 4, MAX_NUMBERS = 1 << 15 };

static const struct tg_svcca_options every_measure = {
    .measures = (1 << TG_SVCCA_MEASURES) - 1,
    .both_rules = true,
    .shape_alpha = 0.5,
    .samples = {.rbf_bandwidth = 1, .batch_size = 16, .neighbours = 5},
    .threshold = 0.99};

static void require_run(struct run *run, const struct tg_svcca_layer *layers, size_t n)
{
    enum tg_err err = open_run(run, layers, n, &every_measure);
    ck_assert_msg(err == TG_OK, "%s: %s", tg_err_slug(err), run->report.detail);
}

static int64_t integer(FILE *file)
{
    return (int64_t)number(file);
}

struct expected_layer {
    int64_t rank, k[TG_SVCCA_RULES];
    double s[64];
};

/* A layer of the golden file; its numbers go to x, as float when they are single. */
static struct tg_svcca_layer read_layer(FILE *file, char *name, double *x,
                                        struct expected_layer *expected)
{
    long long n, d;
    int is_single;
    ck_assert_int_eq(fscanf(file, " layer %31s %lld %lld %d", name, &n, &d, &is_single),
                     4);
    expected->rank = integer(file);
    expected->k[TG_SVCCA_VARIANCE] = integer(file);
    expected->k[TG_SVCCA_SV_SUM] = integer(file);
    for (int64_t i = 0; i < expected->rank; i++)
        expected->s[i] = number(file);
    ck_assert_int_le(n * d, MAX_NUMBERS);
    float *single = (float *)x;
    for (int64_t i = 0; i < n * d; i++) {
        double value = number(file);
        if (is_single)
            single[i] = (float)value;
        else
            x[i] = value;
    }
    struct tg_svcca_layer layer = {.name = name};
    ck_assert(tg_mat_init(&layer.mat, x, is_single ? TG_F32 : TG_F64, 2,
                          (int64_t[]){n, d}, false));
    return layer;
}

static void assert_layer(const struct tg_basis *basis,
                         const struct expected_layer *expected)
{
    ck_assert_int_eq(basis->rank, expected->rank);
    ck_assert_int_eq(basis->k[0], expected->k[0]);
    ck_assert_int_eq(basis->k[1], expected->k[1]);
    ck_assert_double_le(basis->error, 1e-8);
    for (int64_t i = 0; i < basis->rank; i++)
        ck_assert_double_eq_tol(basis->s[i], expected->s[i], 1e-10 * expected->s[0]);
}

static void assert_pair(FILE *file, const struct tg_svcca *svcca, int64_t index)
{
    const struct tg_svcca_pair *pair = &svcca->pair[index];
    const double got[] = {pair->cca_mean,
                          pair->cca_mean_squared,
                          pair->svcca[TG_SVCCA_VARIANCE],
                          pair->svcca[TG_SVCCA_SV_SUM],
                          pair->cka,
                          pair->cka_debiased,
                          pair->pwcca_a,
                          pair->pwcca_b,
                          pair->procrustes,
                          pair->shape,
                          pair->r2_a_to_b,
                          pair->r2_b_to_a};
    enum { PWCCA = 6 }; /* correlations that are all 1 leave its weights open */
    long long forced;
    ck_assert_int_eq(fscanf(file, " pair %lld", &forced), 1);
    ck_assert_int_eq(pair->forced_ones, forced);
    for (size_t i = 0; i < sizeof(got) / sizeof(*got); i++) {
        double expected = number(file);
        if (!forced || (i != PWCCA && i != PWCCA + 1))
            ck_assert_double_eq_tol(got[i], expected, 1e-10 * fabs(expected));
    }
    int64_t count = integer(file);
    for (int64_t i = 0; i < count; i++)
        ck_assert_double_eq_tol(svcca->cca_rho[index * svcca->max_d + i], number(file),
                                1e-10);
}

START_TEST(agrees_with_numpy)
{
    static double x[MAX_LAYERS][MAX_NUMBERS];
    FILE *file = fopen(TG_GOLDEN "/svcca.txt", "r");
    ck_assert_ptr_nonnull(file);
    char name[32], label[MAX_LAYERS][32];
    int n, cases = 0;
    for (; fscanf(file, " case %31s %d", name, &n) == 2; cases++) {
        struct tg_svcca_layer layers[MAX_LAYERS];
        struct expected_layer expected[MAX_LAYERS];
        struct run run;
        ck_assert_int_le(n, MAX_LAYERS);
        /* layers first, then pairs */
        for (int i = 0; i < n; i++)
            layers[i] = read_layer(file, label[i], x[i], &expected[i]);
        require_run(&run, layers, (size_t)n);
        for (int i = 0; i < n; i++)
            assert_layer(&run.svcca.basis[i], &expected[i]);
        for (int64_t i = 0; i < run.svcca.npairs; i++)
            assert_pair(file, &run.svcca, i);
        close_run(&run);
    }
    ck_assert_int_eq(cases, 6);
    fclose(file);
}
END_TEST

enum { N = 40, D = 6 };

/* Two layers that share a part. */
static void make_pair(double *x, double *y)
{
    tg_rng_normal(1, 0, 0, N * D, x);
    tg_rng_normal(1, 1, 0, N * D, y);
    for (int i = 0; i < N * D; i++)
        y[i] += x[i];
}

static struct tg_svcca_pair pair_of(const double *x, const double *y)
{
    struct tg_svcca_layer layers[] = {layer_of("x", x, N, D), layer_of("y", y, N, D)};
    struct run run;
    require_run(&run, layers, 2);
    struct tg_svcca_pair pair = run.svcca.pair[0];
    close_run(&run);
    return pair;
}

static void assert_same_but_cca(const struct tg_svcca_pair *a,
                                const struct tg_svcca_pair *b)
{
    ck_assert_double_eq_tol(a->svcca[0], b->svcca[0], 1e-12);
    ck_assert_double_eq_tol(a->svcca[1], b->svcca[1], 1e-12);
    ck_assert_double_eq_tol(a->cka, b->cka, 1e-12);
    ck_assert_double_eq_tol(a->cka_debiased, b->cka_debiased, 1e-12);
}

START_TEST(rotation_scale_and_translation_change_nothing)
{
    double x[N * D], y[N * D], moved[N * D];
    make_pair(x, y);
    struct tg_svcca_pair before = pair_of(x, y);
    for (int i = 0; i < N; i++) /* turn unit j towards unit j + 1, then scale and shift */
        for (int j = 0; j < D; j++)
            moved[i * D + j] = x[i * D + j];
    for (int j = 0; j + 1 < D; j++)
        for (int i = 0; i < N; i++) {
            double p = moved[i * D + j], q = moved[i * D + j + 1], angle = 0.3 + j;
            moved[i * D + j] = cos(angle) * p - sin(angle) * q;
            moved[i * D + j + 1] = sin(angle) * p + cos(angle) * q;
        }
    for (int i = 0; i < N * D; i++)
        moved[i] = 1e-7 * moved[i] + 3e-5 * (i % D);
    struct tg_svcca_pair after = pair_of(moved, y);
    assert_same_but_cca(&before, &after);
    ck_assert_double_eq_tol(before.cca_mean, after.cca_mean, 1e-11);
}
END_TEST

/* What the research page's table of invariances says of the measures beside the first. */
START_TEST(each_measure_ignores_what_it_should)
{
    double x[N * D], y[N * D], mapped[N * D], turned[N * D];
    make_pair(x, y);
    struct tg_svcca_pair before = pair_of(x, y);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < D; j++) {
            mapped[i * D + j] = (1 + 3 * j) * y[i * D + j] + (j ? y[i * D + j - 1] : 0);
            int k = j / 2 * 2; /* turn units two by two, then shift */
            turned[i * D + j] = (j % 2 ? 0.8 * y[i * D + k] + 0.6 * y[i * D + k + 1]
                                       : 0.6 * y[i * D + k] - 0.8 * y[i * D + k + 1]) +
                                j;
        }
    struct tg_svcca_pair after = pair_of(x, turned);
    ck_assert_double_eq_tol(after.pwcca_a, before.pwcca_a, 1e-12);
    ck_assert_double_gt(fabs(after.pwcca_b - before.pwcca_b), 1e-6);
    ck_assert_double_eq_tol(after.procrustes, before.procrustes, 1e-12);
    ck_assert_double_eq_tol(after.shape, before.shape, 1e-12);
    ck_assert_double_eq_tol(after.r2_a_to_b, before.r2_a_to_b, 1e-12);
    ck_assert_double_eq_tol(after.r2_b_to_a, before.r2_b_to_a, 1e-12);
    after = pair_of(x, mapped);
    ck_assert_double_eq_tol(after.pwcca_a, before.pwcca_a, 1e-11);
    ck_assert_double_eq_tol(after.r2_b_to_a, before.r2_b_to_a, 1e-11);
    ck_assert_double_gt(fabs(after.r2_a_to_b - before.r2_a_to_b), 1e-3);
    ck_assert_double_gt(fabs(after.procrustes - before.procrustes), 1e-3);
    after = pair_of(y, x); /* sides exchanged */
    ck_assert_double_eq_tol(after.pwcca_a, before.pwcca_b, 1e-12);
    ck_assert_double_eq_tol(after.pwcca, before.pwcca, 1e-12);
    ck_assert_double_eq_tol(after.procrustes, before.procrustes, 1e-13);
    ck_assert_double_eq_tol(after.r2_a_to_b, before.r2_b_to_a, 1e-12);
}
END_TEST

START_TEST(shape_lies_between_cca_and_procrustes)
{
    double x[N * D], y[N * D];
    make_pair(x, y);
    struct tg_svcca_layer layers[] = {layer_of("x", x, N, D), layer_of("y", y, N, D)};
    struct tg_svcca_options options = every_measure;
    for (int alpha = 0; alpha < 2; alpha++) {
        struct run run;
        options.shape_alpha = alpha;
        ck_assert_int_eq(open_run(&run, layers, 2, &options), TG_OK);
        const struct tg_svcca_pair *pair = run.svcca.pair;
        ck_assert_double_eq_tol(pair->shape, alpha ? pair->procrustes : pair->cca_mean, 1e-13);
        ck_assert_double_eq_tol(tg_svcca_distance(TG_SVCCA_SHAPE, pair->shape),
                                acos(pair->shape), 1e-15);
        close_run(&run);
    }
}
END_TEST

/*
 * Every subset of the linear measures, which share bases, and each of the others alone, gives
 * the numbers that all of them together give.
 */
START_TEST(a_measure_is_the_same_alone_and_in_company)
{
    double x[N * D], y[N * D];
    make_pair(x, y);
    for (int i = 0; i < N; i++) /* cond near 1e6, 1e3, 1 */
        x[i * D] *= _i == 2 ? 1e-6 : _i == 1 ? 1e-3 : 1;
    struct tg_svcca_layer layers[] = {layer_of("x", x, N, D), layer_of("y", y, N, D)};
    struct run all, some;
    require_run(&all, layers, 2);
    const uint64_t subsets = 2 << TG_SVCCA_REGRESSION;
    for (uint64_t i = 1; i < subsets + TG_SVCCA_MEASURES - TG_SVCCA_CKA_RBF; i++) {
        uint64_t measures = i < subsets ? i : 1U << (TG_SVCCA_CKA_RBF + i - subsets);
        struct tg_svcca_options options = every_measure;
        options.measures = measures;
        ck_assert_int_eq(open_run(&some, layers, 2, &options), TG_OK);
        for (int m = 0; m < TG_SVCCA_MEASURES; m++)
            for (int k = 0; measures >> m & 1 && k < 4; k++)
                ck_assert_double_eq_tol(some.svcca.matrix[m][k], all.svcca.matrix[m][k], 1e-9);
        close_run(&some);
    }
    close_run(&all);
}
END_TEST

START_TEST(only_the_pairs_asked_for_are_compared)
{
    double x[N * D], y[N * D], z[N * D];
    make_pair(x, y);
    make_pair(y, z);
    const struct tg_svcca_compared pairs[] = {{2, 0}, {1, 2}};
    struct tg_svcca_layer layers[] = {layer_of("x", x, N, D), layer_of("y", y, N, D),
                                      layer_of("z", z, N, D)};
    struct tg_svcca_options options = every_measure;
    struct run all, some;
    require_run(&all, layers, 3);
    options.compared = pairs;
    options.ncompared = 2;
    ck_assert_int_eq(open_run(&some, layers, 3, &options), TG_OK);
    ck_assert_int_eq(some.svcca.npairs, 2);
    ck_assert_double_eq_tol(some.svcca.pair[0].cca_mean, all.svcca.pair[1].cca_mean, 1e-13);
    ck_assert_double_eq_tol(some.svcca.pair[0].r2_a_to_b, all.svcca.pair[1].r2_b_to_a, 1e-13);
    ck_assert_double_nan(some.svcca.matrix[TG_SVCCA_CKA][1]);
    for (int k = 0; k < 9; k++)
        if (k != 1 && k != 3)
            ck_assert_double_eq_tol(some.svcca.matrix[TG_SVCCA_REGRESSION][k],
                                    all.svcca.matrix[TG_SVCCA_REGRESSION][k], 1e-13);
    close_run(&all);
    close_run(&some);
}
END_TEST

/* A runner that keeps everything. */
enum { KEPT_MAX = 16 };
struct kept_store {
    struct { char key[TG_KEY_MAX]; void *data; size_t n; } entry[KEPT_MAX];
    int count, recalled;
};

static bool recall_kept(void *runner, const char *key, void *data, size_t n)
{
    struct kept_store *store = runner;
    for (int i = 0; i < store->count; i++)
        if (!strcmp(store->entry[i].key, key) && store->entry[i].n == n) {
            memcpy(data, store->entry[i].data, n);
            store->recalled++;
            return true;
        }
    return false;
}

static void keep_kept(void *runner, const char *key, const void *data, size_t n)
{
    struct kept_store *store = runner;
    ck_assert_int_lt(store->count, KEPT_MAX);
    snprintf(store->entry[store->count].key, TG_KEY_MAX, "%s", key);
    store->entry[store->count].data = memcpy(malloc(n), data, n);
    store->entry[store->count++].n = n;
}

static struct tg_svcca_pair run_with(struct kept_store *store, uint64_t measures,
                                     const struct tg_svcca_layer *layers)
{
    struct tg_svcca_options options = every_measure;
    struct tg_svcca_cost cost;
    options.measures = measures;
    ck_assert_int_eq(tg_svcca_cost(layers, 2, &options, &cost), TG_OK);
    struct tg_ctx ctx = {.arena = tg_arena_new(cost.bytes),
                         .lanes = 1,
                         .runner = store,
                         .recall = recall_kept,
                         .keep = keep_kept};
    struct tg_svcca svcca;
    ck_assert_int_eq(tg_svcca_run(&ctx, layers, 2, &options, &svcca, NULL), TG_OK);
    struct tg_svcca_pair pair = svcca.pair[0];
    tg_arena_free(ctx.arena);
    return pair;
}

START_TEST(bits_do_not_depend_on_what_is_recalled)
{
    static const uint64_t measures[] = {1 << TG_SVCCA_CCA, 1 << TG_SVCCA_SVCCA,
                                        1 << TG_SVCCA_PWCCA,
                                        (1 << TG_SVCCA_MEASURES) - 1};
    double x[N * D], y[N * D];
    make_pair(x, y);
    for (int i = 0; i < N; i++)
        x[i * D] *= 1e-4; /* goes by a second Cholesky pass when all of it is wanted */
    struct tg_svcca_layer layers[] = {layer_of("x", x, N, D), layer_of("y", y, N, D)};
    layers[0].key = "x of this test";
    layers[1].key = "y of this test";
    struct kept_store store = {.count = 0};
    struct tg_svcca_pair first = run_with(&store, measures[_i], layers);
    ck_assert_int_eq(store.count, 6);
    ck_assert_int_eq(store.recalled, 0);
    struct tg_svcca_pair second = run_with(&store, measures[_i], layers);
    ck_assert_int_eq(store.recalled, 6);
    ck_assert_int_eq(store.count, 6);
    ck_assert_mem_eq(&first, &second, sizeof(first));
    for (int i = 0; i < store.count; i++)
        free(store.entry[i].data);
}
END_TEST

START_TEST(too_little_room_for_directions_is_told)
{
    double x[N * D], y[N * D];
    make_pair(x, y);
    struct tg_svcca_layer layers[] = {layer_of("x", x, N, D), layer_of("y", y, N, D)};
    struct tg_svcca_options options = {
        .measures = 1 << TG_SVCCA_SVCCA, .threshold = 0.99, .max_directions = D - 1};
    struct run run;
    ck_assert_int_eq(open_run(&run, layers, 2, &options), TG_TOO_LARGE_JOB);
    ck_assert_ptr_nonnull(strstr(run.report.detail, "needs 6 directions"));
    close_run(&run);
}
END_TEST

START_TEST(cca_alone_ignores_an_invertible_map)
{
    double x[N * D], y[N * D], mapped[N * D];
    make_pair(x, y);
    struct tg_svcca_pair before = pair_of(x, y);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < D; j++)
            mapped[i * D + j] = (1 + 3 * j) * x[i * D + j] + (j ? x[i * D + j - 1] : 0);
    struct tg_svcca_pair after = pair_of(mapped, y);
    ck_assert_double_eq_tol(before.cca_mean, after.cca_mean, 1e-10);
    ck_assert_double_eq_tol(before.cca_mean_squared, after.cca_mean_squared, 1e-10);
    ck_assert_double_gt(fabs(before.cka - after.cka), 1e-3);
}
END_TEST

START_TEST(a_layer_is_like_itself)
{
    double x[N * D], y[N * D];
    make_pair(x, y);
    struct tg_svcca_pair pair = pair_of(x, x);
    ck_assert_double_eq_tol(pair.cca_mean, 1, 1e-13);
    ck_assert_double_eq_tol(pair.svcca[0], 1, 1e-13);
    ck_assert_double_eq_tol(pair.cka, 1, 1e-13);
    ck_assert_double_eq_tol(pair.cka_debiased, 1, 1e-13);
    ck_assert_double_le(pair.cca_mean, 1);
}
END_TEST

START_TEST(one_unit_gives_the_correlation_coefficient)
{
    double x[N], y[N], sx = 0, sy = 0, xx = 0, yy = 0, xy = 0;
    tg_rng_normal(2, 0, 0, N, x);
    tg_rng_normal(2, 1, 0, N, y);
    for (int i = 0; i < N; i++) {
        y[i] = 5 - 0.4 * x[i] + y[i];
        sx += x[i];
        sy += y[i];
    }
    for (int i = 0; i < N; i++) {
        xx += (x[i] - sx / N) * (x[i] - sx / N);
        yy += (y[i] - sy / N) * (y[i] - sy / N);
        xy += (x[i] - sx / N) * (y[i] - sy / N);
    }
    struct tg_svcca_layer layers[] = {layer_of("x", x, N, 1), layer_of("y", y, N, 1)};
    struct run run;
    require_run(&run, layers, 2);
    ck_assert_double_eq_tol(run.svcca.pair[0].cca_mean, fabs(xy) / sqrt(xx * yy), 1e-13);
    ck_assert_double_eq_tol(run.svcca.pair[0].cka, xy * xy / (xx * yy), 1e-13);
    close_run(&run);
}
END_TEST

START_TEST(threshold_one_makes_svcca_cca)
{
    double x[N * D], y[N * D];
    make_pair(x, y);
    struct tg_svcca_layer layers[] = {layer_of("x", x, N, D), layer_of("y", y, N, D)};
    struct tg_svcca_options options = {.measures = 15, .threshold = 1};
    struct run run;
    ck_assert_int_eq(open_run(&run, layers, 2, &options), TG_OK);
    ck_assert_double_eq_tol(run.svcca.pair[0].svcca[0], run.svcca.pair[0].cca_mean,
                            1e-14);
    close_run(&run);
}
END_TEST

START_TEST(huge_and_tiny_activations_do_not_overflow)
{
    double x[N * D], y[N * D];
    make_pair(x, y);
    struct tg_svcca_pair before = pair_of(x, y);
    for (int i = 0; i < N * D; i++) {
        x[i] = ldexp(x[i], 700);
        y[i] = ldexp(y[i], -700);
    }
    struct tg_svcca_pair after = pair_of(x, y);
    assert_same_but_cca(&before, &after);
    ck_assert_double_eq(before.cca_mean, after.cca_mean);
}
END_TEST

START_TEST(an_ill_conditioned_layer_goes_by_qr_and_a_good_one_by_gram)
{
    double x[N * D], y[N * D];
    make_pair(x, y);
    struct tg_svcca_pair before = pair_of(x, y);
    for (int i = 0; i < N; i++) /* column scaling alone, cond 1e10: CCA must not notice */
        for (int j = 0; j < D; j++)
            x[i * D + j] *= pow(10, -2 * j);
    struct tg_svcca_layer layers[] = {layer_of("x", x, N, D), layer_of("y", y, N, D)};
    struct run run;
    require_run(&run, layers, 2);
    ck_assert_int_eq(run.svcca.basis[0].route, TG_ROUTE_QR);
    ck_assert_int_eq(run.svcca.basis[1].route, TG_ROUTE_GRAM);
    ck_assert_int_eq(run.svcca.basis[0].rank, D);
    ck_assert_double_eq_tol(run.svcca.pair[0].cca_mean, before.cca_mean, 1e-10);
    close_run(&run);
}
END_TEST

START_TEST(a_layer_that_never_changes_has_no_similarity)
{
    double x[N * D], y[N * D];
    make_pair(x, y);
    for (int i = 0; i < N * D; i++)
        y[i] = 0.1 * (i % D);
    struct tg_svcca_layer layers[] = {layer_of("x", x, N, D), layer_of("y", y, N, D)};
    struct run run;
    require_run(&run, layers, 2);
    ck_assert_int_eq(run.svcca.basis[1].rank, 0);
    ck_assert_int_eq(run.svcca.basis[1].constant_units, D);
    ck_assert_double_nan(run.svcca.pair[0].cca_mean);
    ck_assert_double_nan(run.svcca.matrix[TG_SVCCA_CKA][3]);
    ck_assert_double_eq(run.svcca.matrix[TG_SVCCA_CKA][0], 1);
    close_run(&run);
}
END_TEST

START_TEST(nan_is_found_and_named)
{
    double x[N * D], y[N * D];
    make_pair(x, y);
    y[7 * D + 3] = INFINITY;
    y[9 * D + 1] = NAN;
    struct tg_svcca_layer layers[] = {layer_of("x", x, N, D), layer_of("conv2", y, N, D)};
    struct run run;
    ck_assert_int_eq(open_run(&run, layers, 2, &every_measure), TG_NUMERIC);
    ck_assert_str_eq(run.report.detail,
                     "Layer \"conv2\" holds NaN or infinity, first at row 7, column 3.");
    close_run(&run);
}
END_TEST

START_TEST(a_span_beyond_double_precision_is_told)
{
    double x[N * D], y[N * D];
    make_pair(x, y);
    x[2] = 1.7e308;
    x[D + 2] = -1.7e308;
    struct tg_svcca_layer layers[] = {layer_of("x", x, N, D), layer_of("y", y, N, D)};
    struct run run;
    ck_assert_int_eq(open_run(&run, layers, 2, &every_measure), TG_NUMERIC);
    ck_assert_ptr_nonnull(strstr(run.report.detail, "scale it down"));
    close_run(&run);
}
END_TEST

START_TEST(unwanted_measures_cost_nothing)
{
    double x[N * D], y[N * D];
    make_pair(x, y);
    struct tg_svcca_layer layers[] = {layer_of("x", x, N, D), layer_of("y", y, N, D)};
    struct tg_svcca_options options = {.measures = 1 << TG_SVCCA_SVCCA, .threshold = 0.5};
    struct run run;
    ck_assert_int_eq(open_run(&run, layers, 2, &options), TG_OK);
    ck_assert_int_lt(run.svcca.basis[0].kept, run.svcca.basis[0].rank);
    ck_assert_double_nan(run.svcca.pair[0].cca_mean);
    ck_assert_ptr_null(run.svcca.matrix[TG_SVCCA_CCA]);
    double alone = run.svcca.pair[0].svcca[0];
    close_run(&run);
    options.measures = 15;
    ck_assert_int_eq(open_run(&run, layers, 2, &options), TG_OK);
    ck_assert_double_eq_tol(run.svcca.pair[0].svcca[0], alone, 1e-13);
    close_run(&run);
}
END_TEST

/* What a hook was shown. */
struct seen {
    int64_t layers, pairs;
    double centring, product, squares;
};

static enum tg_err see_layer(void *arg, const struct tg_ctx *ctx, int64_t index,
                             const struct tg_basis *basis)
{
    (void)ctx;
    struct seen *seen = arg;
    ck_assert_int_eq(index, seen->layers++);
    for (int64_t j = 0; j < basis->columns; j++) {
        double sum = 0;
        for (int64_t i = 0; i < basis->n; i++)
            sum += basis->x[i * basis->d + j];
        seen->centring = fmax(seen->centring, fabs(sum));
    }
    return TG_OK;
}

static enum tg_err see_pair(void *arg, const struct tg_ctx *ctx,
                            const struct tg_svcca_pair_work *work)
{
    (void)ctx;
    struct seen *seen = arg;
    const struct tg_basis *a = work->a, *b = work->b;
    ck_assert_int_eq(work->index, seen->pairs++);
    for (int64_t i = 0; i < a->kept; i++)
        for (int64_t j = 0; j < b->kept; j++) {
            double sum = 0, m = work->m[i * b->kept + j];
            for (int64_t r = 0; r < a->n; r++)
                sum += a->u[r * (int64_t)a->ldu + i] * b->u[r * (int64_t)b->ldu + j];
            seen->product = fmax(seen->product, fabs(sum - m));
            seen->squares += m * m;
        }
    return TG_OK;
}

START_TEST(a_hook_sees_every_layer_and_pair)
{
    double x[N * D], y[N * D];
    make_pair(x, y);
    struct tg_svcca_layer layers[] = {layer_of("x", x, N, D), layer_of("y", y, N, D)};
    struct seen seen = {0};
    struct tg_svcca_hook hook = {.arg = &seen,
                                 .needs = TG_BASIS_U | TG_BASIS_X | TG_BASIS_ALL,
                                 .layer = see_layer,
                                 .pair = see_pair};
    struct tg_svcca_options options = every_measure;
    options.hook = &hook;
    options.nhooks = 1;
    struct run run;
    ck_assert_int_eq(open_run(&run, layers, 2, &options), TG_OK);
    ck_assert_int_eq(seen.layers, 2);
    ck_assert_int_eq(seen.pairs, 1);
    ck_assert_double_le(seen.centring, 1e-13);
    ck_assert_double_le(seen.product, 1e-14);
    ck_assert_double_eq_tol(seen.squares / D, run.svcca.pair[0].cca_mean_squared, 1e-14);
    close_run(&run);
}
END_TEST

enum { BIG_N = 1500, BIG_D = 150 };

START_TEST(bits_do_not_depend_on_lanes)
{
    static double x[BIG_N * BIG_D], y[BIG_N * BIG_D];
    tg_rng_normal(3, 0, 0, BIG_N * BIG_D, x);
    tg_rng_normal(3, 1, 0, BIG_N * BIG_D, y);
    struct tg_svcca_layer layers[] = {layer_of("x", x, BIG_N, BIG_D),
                                      layer_of("y", y, BIG_N, BIG_D)};
    struct run one, many;
    require_run(&one, layers, 2);
    many.arena = tg_arena_new(tg_arena_high_water(one.arena));
    struct tg_ctx ctx = {
        .arena = many.arena, .lanes = LANE_COUNT, .parallel = lanes_parallel};
    ck_assert_int_eq(tg_svcca_run(&ctx, layers, 2, &every_measure, &many.svcca, NULL),
                     TG_OK);
    ck_assert_mem_eq(one.svcca.pair, many.svcca.pair, sizeof(*one.svcca.pair));
    ck_assert_mem_eq(one.svcca.cca_rho, many.svcca.cca_rho, BIG_D * sizeof(double));
    /* independent data: the mean square is r / (n - 1), with sd below 2 % here */
    ck_assert_double_eq_tol(one.svcca.pair[0].cca_mean_squared, BIG_D / (BIG_N - 1.0),
                            5e-3);
    ck_assert_double_eq_tol(one.svcca.pair[0].cka_debiased, 0, 1e-2);
    close_run(&one);
    close_run(&many);
}
END_TEST

START_TEST(a_stop_is_obeyed)
{
    double x[N * D], y[N * D];
    make_pair(x, y);
    struct tg_svcca_layer layers[] = {layer_of("x", x, N, D), layer_of("y", y, N, D)};
    struct tg_svcca_cost cost;
    ck_assert_int_eq(tg_svcca_cost(layers, 2, &every_measure, &cost), TG_OK);
    atomic_int stop = TG_STOP_CANCEL;
    struct tg_ctx ctx = {.arena = tg_arena_new(cost.bytes), .lanes = 1, .stop = &stop};
    struct tg_svcca svcca;
    ck_assert_int_eq(tg_svcca_run(&ctx, layers, 2, &every_measure, &svcca, NULL),
                     TG_CANCELLED);
    tg_arena_free(ctx.arena);
}
END_TEST

START_TEST(too_little_memory_is_an_error)
{
    double x[N * D], y[N * D];
    make_pair(x, y);
    struct tg_svcca_layer layers[] = {layer_of("x", x, N, D), layer_of("y", y, N, D)};
    struct tg_svcca_cost cost;
    ck_assert_int_eq(tg_svcca_cost(layers, 2, &every_measure, &cost), TG_OK);
    struct tg_ctx ctx = {.arena = tg_arena_new(cost.bytes - 64), .lanes = 1};
    struct tg_svcca svcca;
    ck_assert_int_eq(tg_svcca_run(&ctx, layers, 2, &every_measure, &svcca, NULL),
                     TG_NOMEM);
    tg_arena_free(ctx.arena);
}
END_TEST

Suite *svcca_suite(void)
{
    Suite *suite = suite_create("svcca");
    TCase *values = tcase_create("values");
    tcase_add_test(values, agrees_with_numpy);
    tcase_add_test(values, rotation_scale_and_translation_change_nothing);
    tcase_add_test(values, each_measure_ignores_what_it_should);
    tcase_add_test(values, shape_lies_between_cca_and_procrustes);
    tcase_add_loop_test(values, a_measure_is_the_same_alone_and_in_company, 0, 3);
    tcase_add_test(values, only_the_pairs_asked_for_are_compared);
    tcase_add_test(values, cca_alone_ignores_an_invertible_map);
    tcase_add_test(values, a_layer_is_like_itself);
    tcase_add_test(values, one_unit_gives_the_correlation_coefficient);
    tcase_add_test(values, threshold_one_makes_svcca_cca);
    suite_add_tcase(suite, values);
    TCase *edges = tcase_create("edges");
    tcase_add_test(edges, huge_and_tiny_activations_do_not_overflow);
    tcase_add_test(edges, an_ill_conditioned_layer_goes_by_qr_and_a_good_one_by_gram);
    tcase_add_test(edges, a_layer_that_never_changes_has_no_similarity);
    tcase_add_test(edges, nan_is_found_and_named);
    tcase_add_test(edges, a_span_beyond_double_precision_is_told);
    tcase_add_test(edges, unwanted_measures_cost_nothing);
    suite_add_tcase(suite, edges);
    TCase *running = tcase_create("running");
    tcase_set_timeout(running, 30);
    tcase_add_test(running, a_hook_sees_every_layer_and_pair);
    tcase_add_test(running, bits_do_not_depend_on_lanes);
    tcase_add_loop_test(running, bits_do_not_depend_on_what_is_recalled, 0, 4);
    tcase_add_test(running, too_little_room_for_directions_is_told);
    tcase_add_test(running, a_stop_is_obeyed);
    tcase_add_test(running, too_little_memory_is_an_error);
    suite_add_tcase(suite, running);
    return suite;
}

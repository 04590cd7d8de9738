/* SPDX-License-Identifier: GPL-3.0-or-later */
/* svcca where numbers are hard: condition, large means, few samples, extreme scales. */
#include "svcca/svcca.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "../suite.h"

Suite *svcca_numerics_suite(void);

enum { N = 60, D = 6 };

static const struct tg_svcca_options every_measure = {
    .measures = 15, .threshold = 0.99, .both_rules = true};

/* What a test looks at, after the arena is gone. */
struct outcome {
    struct tg_svcca_pair pair;
    struct tg_basis a, b;
};

static struct tg_svcca_layer layer_of(const char *name, const void *x,
                                      enum tg_dtype dtype, int64_t n, int64_t d)
{
    struct tg_svcca_layer layer = {.name = name};
    ck_assert(tg_mat_init(&layer.mat, x, dtype, 2, (int64_t[]){n, d}, false));
    return layer;
}

static struct outcome compare(struct tg_svcca_layer a, struct tg_svcca_layer b)
{
    const struct tg_svcca_layer layers[] = {a, b};
    struct tg_svcca_cost cost;
    struct tg_svcca svcca;
    struct tg_report report;
    tg_report_init(&report);
    ck_assert_int_eq(tg_svcca_cost(layers, 2, &every_measure, &cost), TG_OK);
    struct tg_ctx ctx = {.arena = tg_arena_new(cost.bytes), .lanes = 1};
    ck_assert_ptr_nonnull(ctx.arena);
    enum tg_err err = tg_svcca_run(&ctx, layers, 2, &every_measure, &svcca, &report);
    ck_assert_msg(err == TG_OK, "%s: %s", tg_err_slug(err), report.detail);
    struct outcome outcome = {svcca.pair[0], svcca.basis[0], svcca.basis[1]};
    tg_arena_free(ctx.arena);
    return outcome;
}

static void assert_defined(const struct tg_svcca_pair *pair)
{
    const double score[] = {pair->cca_mean, pair->cca_mean_squared, pair->svcca[0],
                            pair->svcca[1], pair->cka};
    for (size_t i = 0; i < sizeof(score) / sizeof(*score); i++)
        ck_assert_msg(score[i] >= 0 && score[i] <= 1, "score %zu is %g", i, score[i]);
}

/* Turn columns p and q of the n x d matrix by `angle`. */
static void turn(double *x, int64_t n, int64_t d, int64_t p, int64_t q, double angle)
{
    for (double *row = x; row < x + n * d; row += d) {
        double a = row[p], b = row[q];
        row[p] = cos(angle) * a - sin(angle) * b;
        row[q] = sin(angle) * a + cos(angle) * b;
    }
}

/*
 * N x D of condition `cond`: centred orthonormal columns by Gram-Schmidt, done twice, scaled
 * from 1 to 1 / cond, and turned among each other.
 */
static void make_conditioned(double cond, double *x)
{
    tg_rng_normal(41, 0, 0, N * D, x);
    for (int pass = 0; pass < 2; pass++)
        for (int j = 0; j < D; j++)
            for (int k = -1; k <= j; k++) { /* the mean, the columns before, the length */
                double sum = 0;
                for (int i = 0; i < N; i++)
                    sum += k < 0 ? x[i * D + j] : x[i * D + j] * x[i * D + k];
                for (int i = 0; i < N; i++)
                    if (k == j)
                        x[i * D + j] /= sqrt(sum);
                    else
                        x[i * D + j] -= k < 0 ? sum / N : sum * x[i * D + k];
            }
    for (int i = 0; i < N * D; i++)
        x[i] *= pow(cond, -(i % D) / (D - 1.0));
    for (int p = 0; p < D; p++)
        for (int q = 0; q < p; q++)
            turn(x, N, D, p, q, 0.4 + p + 0.3 * q);
}

/*
 * A layer against its own columns in another order and other units, exactly: every
 * correlation is 1. The route follows the condition that was measured.
 */
START_TEST(correlations_of_one_hold_from_condition_10_to_1e12)
{
    static const int exponents[] = {1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12};
    double cond = pow(10, exponents[_i]), x[N * D], y[N * D];
    make_conditioned(cond, x);
    for (int i = 0; i < N * D; i++)
        y[i] = ldexp(x[i / D * D + (i % D + 2) % D], i % D);
    struct outcome got =
        compare(layer_of("x", x, TG_F64, N, D), layer_of("y", y, TG_F64, N, D));
    ck_assert_int_eq(got.a.rank, D);
    ck_assert_double_eq_tol(got.a.condition / cond, 1, exponents[_i] < 10 ? 0.05 : 0.3);
    if (cond <= 1e4)
        ck_assert_int_ne(got.a.route, TG_ROUTE_QR);
    else
        ck_assert_int_eq(got.a.route, TG_ROUTE_QR);
    double lost = cond <= 1e4 ? 1e-15 * cond * cond : 50 * DBL_EPSILON * cond;
    ck_assert_double_eq_tol(got.pair.cca_mean, 1, 1e-13 + lost);
    assert_defined(&got.pair);
}
END_TEST

/* float32 as it is saved, against the same numbers in double without their first row. */
START_TEST(large_means_of_float32_cost_nothing)
{
    static const double offset[] = {1e4, 1e6};
    double noise[N * D], shifted[N * D], y[N * D];
    float x[N * D];
    tg_rng_normal(42, 0, 0, N * D, noise);
    tg_rng_normal(42, 1, 0, N * D, y);
    for (int i = 0; i < N * D; i++) {
        y[i] += noise[i];
        x[i] = (float)(noise[i] + offset[_i] * (1 + i % D));
        shifted[i] = (double)x[i] - (double)x[i % D];
    }
    struct tg_svcca_layer other = layer_of("y", y, TG_F64, N, D);
    struct outcome got = compare(layer_of("x", x, TG_F32, N, D), other),
                   expected = compare(layer_of("x", shifted, TG_F64, N, D), other);
    ck_assert_double_eq_tol(got.pair.cca_mean, expected.pair.cca_mean, 4e-14);
    ck_assert_double_eq_tol(got.pair.svcca[0], expected.pair.svcca[0], 4e-14);
    ck_assert_double_eq_tol(got.pair.cka, expected.pair.cka, 4e-14);
    ck_assert_double_eq_tol(got.pair.cka_debiased, expected.pair.cka_debiased, 4e-14);
}
END_TEST

/* CCA sees the span: units that add nothing to it change nothing. */
START_TEST(dead_constant_and_duplicated_units_change_no_correlation)
{
    enum { WIDE = D + 4 };
    double x[N * D], y[N * D], wide[N * WIDE];
    tg_rng_normal(43, 0, 0, N * D, x);
    tg_rng_normal(43, 1, 0, N * D, y);
    for (int i = 0; i < N; i++) {
        double *row = wide + i * WIDE;
        for (int j = 0; j < D; j++) {
            y[i * D + j] += x[i * D + j];
            row[j] = x[i * D + j];
        }
        row[D] = 0;                     /* dead */
        row[D + 1] = 0.1;               /* constant, and no sum of powers of two */
        row[D + 2] = row[2];            /* the same unit again */
        row[D + 3] = row[0] - 3 * row[1];
    }
    struct tg_svcca_layer other = layer_of("y", y, TG_F64, N, D);
    struct outcome plain = compare(layer_of("x", x, TG_F64, N, D), other),
                   more = compare(layer_of("x", wide, TG_F64, N, WIDE), other);
    ck_assert_int_eq(more.a.constant_units, 2);
    ck_assert_int_eq(more.a.rank, D);
    ck_assert_double_eq_tol(more.pair.cca_mean, plain.pair.cca_mean, 1e-12);
    ck_assert_double_eq_tol(more.pair.cca_mean_squared, plain.pair.cca_mean_squared, 1e-12);
    assert_defined(&more.pair);
}
END_TEST

/* In n - 1 dimensions two subspaces of r_a and r_b share r_a + r_b - (n - 1). */
START_TEST(too_few_samples_force_correlations_of_one)
{
    enum { FEW = 8, WIDE = 6 };
    double x[FEW * WIDE], y[FEW * WIDE];
    tg_rng_normal(44, 0, 0, FEW * WIDE, x);
    tg_rng_normal(44, 1, 0, FEW * WIDE, y);
    struct outcome got = compare(layer_of("x", x, TG_F64, FEW, WIDE),
                                 layer_of("y", y, TG_F64, FEW, WIDE));
    ck_assert_int_eq(got.pair.forced_ones, 2 * WIDE - (FEW - 1));
    ck_assert_double_ge(got.pair.cca_mean, 5 / 6.0 - 1e-13);
    assert_defined(&got.pair);
}
END_TEST

START_TEST(four_samples_of_one_unit_are_enough)
{
    const double x[] = {1, 2, 3, 5}, y[] = {2, 1, 4, 4};
    struct outcome got =
        compare(layer_of("x", x, TG_F64, 4, 1), layer_of("y", y, TG_F64, 4, 1));
    /* centred sums: xy 5.75, xx 8.75, yy 6.75 */
    ck_assert_double_eq_tol(got.pair.cca_mean, 5.75 / sqrt(8.75 * 6.75), 1e-15);
    ck_assert_double_eq_tol(got.pair.cka, 5.75 * 5.75 / (8.75 * 6.75), 1e-15);
    assert_defined(&got.pair);
}
END_TEST

START_TEST(scales_of_1e300_and_1e_minus_300_change_nothing)
{
    double x[N * D], y[N * D];
    tg_rng_normal(45, 0, 0, N * D, x);
    tg_rng_normal(45, 1, 0, N * D, y);
    struct outcome before =
        compare(layer_of("x", x, TG_F64, N, D), layer_of("y", y, TG_F64, N, D));
    for (int i = 0; i < N * D; i++) {
        x[i] *= 1e300;
        y[i] *= 1e-300;
    }
    struct outcome after =
        compare(layer_of("x", x, TG_F64, N, D), layer_of("y", y, TG_F64, N, D));
    ck_assert_double_eq_tol(after.pair.cca_mean, before.pair.cca_mean, 1e-13);
    ck_assert_double_eq_tol(after.pair.cka, before.pair.cka, 1e-13);
    ck_assert_double_eq_tol(after.pair.cka_debiased, before.pair.cka_debiased, 1e-13);
    assert_defined(&after.pair);
}
END_TEST

Suite *svcca_numerics_suite(void)
{
    Suite *suite = suite_create("svcca_numerics");
    TCase *hard = tcase_create("hard");
    tcase_add_loop_test(hard, correlations_of_one_hold_from_condition_10_to_1e12, 0, 11);
    tcase_add_loop_test(hard, large_means_of_float32_cost_nothing, 0, 2);
    tcase_add_test(hard, dead_constant_and_duplicated_units_change_no_correlation);
    tcase_add_test(hard, too_few_samples_force_correlations_of_one);
    tcase_add_test(hard, four_samples_of_one_unit_are_enough);
    tcase_add_test(hard, scales_of_1e300_and_1e_minus_300_change_nothing);
    suite_add_tcase(suite, hard);
    return suite;
}

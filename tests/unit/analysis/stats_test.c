/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Statistics against SciPy (tests/golden/stats.py) and closed forms. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "stats/stats.h"

Suite *stats_suite(void);

/* `a` is chi-square's degrees of freedom or, with `b`, the shapes of Beta. */
static double evaluate(const char *name, double x, double a, double b)
{
    if (!strcmp(name, "normal_cdf"))
        return tg_normal_cdf(x);
    if (!strcmp(name, "normal_quantile"))
        return tg_normal_quantile(x);
    if (!strcmp(name, "chi2_sf"))
        return tg_chi2_sf(x, a);
    if (!strcmp(name, "t_two_sided"))
        return tg_t_two_sided(x, a);
    if (!strcmp(name, "t_quantile"))
        return tg_t_quantile(x, a);
    ck_assert_str_eq(name, "beta_sf");
    return tg_beta_sf(x, a, b);
}

START_TEST(distributions_agree_with_scipy)
{
    FILE *file = fopen(TG_GOLDEN "/stats.txt", "r");
    ck_assert_ptr_nonnull(file);
    char name[32];
    double x, a, b, expected;
    int lines = 0;
    while (fscanf(file, "%31s %la %la %la %la", name, &x, &a, &b, &expected) == 5) {
        double got = evaluate(name, x, a, b);
        /* lgamma of shapes of 1e5 leaves ten digits */
        double tolerance = a > 1e3 && b > 1e3 ? 1e-9 : 2e-12;
        ck_assert_msg(fabs(got - expected) <= tolerance * fabs(expected),
                      "%s(%.17g, %g, %g) is %.17g, expected %.17g", name, x, a, b, got,
                      expected);
        lines++;
    }
    fclose(file);
    ck_assert_int_gt(lines, 180);
}
END_TEST

START_TEST(limits_are_exact)
{
    ck_assert_double_eq(tg_normal_cdf(-INFINITY), 0);
    ck_assert_double_eq(tg_normal_cdf(INFINITY), 1);
    ck_assert_double_eq(tg_normal_quantile(0), -INFINITY);
    ck_assert_double_eq(tg_normal_quantile(1), INFINITY);
    ck_assert(isnan(tg_normal_quantile(-0.1)));
    ck_assert(isnan(tg_normal_quantile(NAN)));
    ck_assert_double_eq(tg_chi2_sf(0, 3), 1);
    ck_assert_double_eq(tg_chi2_sf(INFINITY, 3), 0);
    ck_assert(isnan(tg_chi2_sf(1, 0)));
    ck_assert(isnan(tg_chi2_sf(NAN, 1)));
    ck_assert_double_eq(tg_beta_sf(-0.1, 1, 2), 1);
    ck_assert_double_eq(tg_beta_sf(1, 1, 2), 0);
    ck_assert(isnan(tg_beta_sf(0.5, 0, 2)));
    ck_assert_double_eq(tg_t_two_sided(0, 3), 1);
    ck_assert_double_eq(tg_t_two_sided(-INFINITY, 3), 0);
    ck_assert(isnan(tg_t_two_sided(1, 0)));
    ck_assert_double_eq(tg_t_quantile(0, 3), -INFINITY);
    ck_assert_double_eq(tg_t_quantile(1, 3), INFINITY);
    ck_assert(isnan(tg_t_quantile(1.1, 3)));
}
END_TEST

/* Order statistics of n uniforms have the means k / (n + 1). */
START_TEST(quantiles_are_where_the_next_draw_is_below_with_their_chance)
{
    double x[19];
    for (int i = 0; i < 19; i++)
        x[i] = (i + 1) / 20.0;
    for (int i = 1; i < 20; i++)
        ck_assert_double_eq_tol(tg_quantile(x, 19, i / 20.0), i / 20.0, 1e-15);
    ck_assert_double_eq_tol(tg_quantile(x, 19, 0.525), 0.525, 1e-15);
    ck_assert_double_eq(tg_quantile(x, 19, 0), x[0]);
    ck_assert_double_eq(tg_quantile(x, 19, 0.01), x[0]);
    ck_assert_double_eq(tg_quantile(x, 19, 1), x[18]);
    ck_assert_double_eq(tg_quantile(x, 1, 0.3), x[0]);
}
END_TEST

/* 0 .. n-1 has mean (n - 1) / 2 and unbiased variance n (n + 1) / 12; an offset hides none. */
START_TEST(moments_keep_their_digits_beside_a_large_offset)
{
    enum { N = 5001 };
    static double x[N];
    for (int i = 0; i < N; i++)
        x[i] = 1e9 + i;
    struct tg_moments moments = {0};
    tg_moments_add(&moments, N, x);
    double variance = N * (N + 1.0) / 12;
    ck_assert_int_eq(moments.count, N);
    ck_assert_double_eq_tol(moments.mean, 1e9 + (N - 1) / 2.0, 1e-6);
    ck_assert_double_eq_tol(tg_moments_variance(&moments) / variance, 1, 1e-13);
    ck_assert_double_eq_tol(tg_moments_sem(&moments) / sqrt(variance / N), 1, 1e-13);
}
END_TEST

START_TEST(merging_parts_gives_the_whole)
{
    double x[100];
    for (int i = 0; i < 100; i++)
        x[i] = i * i;
    struct tg_moments whole = {0}, left = {0}, right = {0}, none = {0};
    tg_moments_add(&whole, 100, x);
    tg_moments_add(&left, 37, x);
    tg_moments_add(&right, 63, x + 37);
    tg_moments_merge(&left, &right);
    tg_moments_merge(&left, &none);
    ck_assert_int_eq(left.count, 100);
    ck_assert_double_eq_tol(left.mean, 328350.0 / 100, 1e-10); /* sum of squares below 100 */
    ck_assert_double_eq_tol(left.m2 / whole.m2, 1, 1e-14);
}
END_TEST

START_TEST(one_number_has_no_variance)
{
    struct tg_moments moments = {0};
    double x = 4;
    ck_assert(isnan(tg_moments_variance(&moments)));
    tg_moments_add(&moments, 1, &x);
    ck_assert_double_eq(moments.mean, 4);
    ck_assert(isnan(tg_moments_variance(&moments)));
}
END_TEST

Suite *stats_suite(void)
{
    Suite *suite = suite_create("stats");
    TCase *tc = tcase_create("distributions and moments");
    tcase_add_test(tc, distributions_agree_with_scipy);
    tcase_add_test(tc, limits_are_exact);
    tcase_add_test(tc, quantiles_are_where_the_next_draw_is_below_with_their_chance);
    tcase_add_test(tc, moments_keep_their_digits_beside_a_large_offset);
    tcase_add_test(tc, merging_parts_gives_the_whole);
    tcase_add_test(tc, one_number_has_no_variance);
    suite_add_tcase(suite, tc);
    return suite;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What unrelated layers show, against tests/golden/svcca_null.py and published numbers. */
#include "svcca/null.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../suite.h"

Suite *svcca_null_suite(void);

enum { MAX_NUMBERS = 24 };

/* The next line of the golden file that starts with `name`: its numbers; false at the end. */
static bool next_line(FILE *file, const char *name, double x[MAX_NUMBERS])
{
    char line[1024], word[32];
    while (fgets(line, sizeof(line), file)) {
        int at = 0, used;
        ck_assert_int_eq(sscanf(line, "%31s%n", word, &at), 1);
        if (strcmp(word, name) != 0)
            continue;
        for (int i = 0; i < MAX_NUMBERS && sscanf(line + at, "%lf%n", &x[i], &used) == 1; i++)
            at += used;
        return true;
    }
    fclose(file);
    return false;
}

static FILE *open_golden(void)
{
    FILE *file = fopen(TG_GOLDEN "/svcca_null.txt", "r");
    ck_assert_ptr_nonnull(file);
    return file;
}

START_TEST(wachter_s_law_agrees_with_integration_of_its_density)
{
    double x[MAX_NUMBERS];
    FILE *file = open_golden();
    int lines = 0;
    for (; next_line(file, "wachter", x); lines++) {
        int64_t p = (int64_t)x[0];
        struct tg_cca_null null;
        tg_cca_null((int64_t)x[2] + 1, p, (int64_t)x[1], &null);
        ck_assert_double_eq_tol(null.edge, x[4], 1e-13);
        ck_assert_double_eq_tol(tg_cca_null_rho(&null, 1), x[5], 1e-9);
        ck_assert_double_eq_tol(tg_cca_null_rho(&null, (p + 1) / 2), x[6], 1e-9);
        ck_assert_double_eq_tol(tg_cca_null_rho(&null, p), x[7], 1e-9);
        /* the mean of the law itself; ours has the term of order 1/p */
        ck_assert_double_eq_tol(null.mean.mean, x[3], 0.06 / (double)p);
    }
    ck_assert_int_eq(lines, 7);
}
END_TEST

START_TEST(the_mean_of_two_agrees_with_their_joint_density)
{
    double x[MAX_NUMBERS];
    FILE *file = open_golden();
    int lines = 0;
    for (; next_line(file, "two", x); lines++) {
        struct tg_cca_null null;
        tg_cca_null((int64_t)x[1] + 1, 2, (int64_t)x[0], &null);
        ck_assert_double_eq_tol(null.mean.mean, x[2], 0.13 * x[3]);
        ck_assert_double_eq_tol(null.mean.sd / x[3], 1, 0.06);
    }
    ck_assert_int_eq(lines, 4);
}
END_TEST

START_TEST(moments_and_tails_agree_with_simulated_layers)
{
    double x[MAX_NUMBERS];
    FILE *file = open_golden();
    int lines = 0;
    for (; next_line(file, "draws", x); lines++) {
        double count = x[3], error = 4 / sqrt(count);
        struct tg_cca_null null;
        tg_cca_null((int64_t)x[0], (int64_t)x[1], (int64_t)x[2], &null);
        ck_assert_double_eq_tol(null.mean.mean, x[4], (error + 0.07) * x[5]);
        ck_assert_double_eq_tol(null.mean.sd / x[5], 1, error + 0.03);
        ck_assert_double_eq_tol(null.mean_squared.mean, x[6], error * x[7]);
        ck_assert_double_eq_tol(null.mean_squared.sd / x[7], 1, error);
        ck_assert_double_eq_tol(tg_cca_null_p(&null, x[8]), 0.5, error / 2);
        ck_assert_double_eq_tol(tg_cca_null_p(&null, x[9]), 0.05, error * 0.22 + 0.002);
        ck_assert_double_eq_tol(tg_cca_null_p(&null, x[10]), 0.01, error * 0.1 + 0.002);
    }
    ck_assert_int_eq(lines, 4);
}
END_TEST

START_TEST(one_unit_on_a_side_has_the_exact_beta_law)
{
    /* n = 3, m = 2: |r| of two units is |cos| of a uniform angle */
    struct tg_cca_null null;
    tg_cca_null(3, 1, 1, &null);
    const double pi = 3.14159265358979323846;
    ck_assert_double_eq_tol(null.mean.mean, 2 / pi, 1e-14);
    ck_assert_double_eq_tol(null.mean_squared.mean, 0.5, 1e-15);
    ck_assert_double_eq_tol(tg_cca_null_p(&null, cos(pi / 6) * cos(pi / 6)), 1.0 / 3, 1e-12);
    /* one against q: P(R^2 > x) = (1 - x)^(m/2 - 1) for q = 2 */
    tg_cca_null(41, 2, 1, &null);
    ck_assert_double_eq_tol(tg_cca_null_p(&null, 0.1), pow(0.9, 19), 1e-13);
}
END_TEST

/* Two samples of numbers: the tutorial of google/svcca, and 100 units against 50. */
START_TEST(the_tutorial_s_simulated_baselines_need_no_simulation)
{
    struct tg_cca_null null;
    tg_cca_null(10000, 500, 500, &null);
    ck_assert_double_eq_tol(null.mean.mean, 0.190608725157, 2e-4);
    tg_cca_null(2000, 100, 50, &null);
    ck_assert_double_eq_tol(null.mean.mean, 0.2074, 2e-3);
    const double measured[][2] = {{500, 0.3870}, {1000, 0.2706}, {10000, 0.0849}};
    for (int i = 0; i < 3; i++) {
        tg_cca_null((int64_t)measured[i][0], 100, 100, &null);
        ck_assert_double_eq_tol(null.mean.mean, measured[i][1], 3 * null.mean.sd);
    }
}
END_TEST

START_TEST(forced_ones_are_counted_and_the_rest_is_that_of_the_complements)
{
    struct tg_cca_null null, rest;
    tg_cca_null(50, 30, 25, &null); /* m = 49: 6 forced, 19 open against 24 */
    tg_cca_null(50, 19, 24, &rest);
    ck_assert_int_eq(null.forced, 6);
    ck_assert_int_eq(rest.forced, 0);
    ck_assert_double_eq(null.edge, rest.edge);
    ck_assert_double_eq_tol(null.mean_squared.mean, 30.0 / 49, 1e-15);
    ck_assert_double_eq_tol(null.mean.mean, (6 + 19 * rest.mean.mean) / 25, 1e-15);
    ck_assert_double_eq(tg_cca_null_rho(&null, 6), 1);
    ck_assert_double_eq(tg_cca_null_rho(&null, 7), tg_cca_null_rho(&rest, 1));
    ck_assert_double_eq_tol(tg_cca_null_p(&null, 30.0 / 49),
                            tg_cca_null_p(&rest, 24.0 / 49), 1e-12);

    tg_cca_null(20, 19, 7, &null); /* everything forced */
    ck_assert_int_eq(null.forced, 7);
    ck_assert_double_eq(null.mean.mean, 1);
    ck_assert_double_eq(null.mean.sd, 0);
    ck_assert_double_nan(tg_cca_null_p(&null, 1));
    ck_assert_double_nan(tg_chance_z(&null.mean, 1));
    ck_assert_double_nan(tg_chance_adjust(&null.mean, 1));
}
END_TEST

START_TEST(adjusting_takes_chance_to_zero_and_equality_to_one)
{
    struct tg_cca_null null;
    tg_cca_null(101, 20, 10, &null);
    ck_assert_double_eq_tol(tg_chance_adjust(&null.mean_squared, 0.2), 0, 1e-15);
    ck_assert_double_eq(tg_chance_adjust(&null.mean_squared, 1), 1);
    ck_assert_double_eq_tol(tg_chance_adjust(&null.mean_squared, 0.6), 0.5, 1e-15);
}
END_TEST

START_TEST(significant_directions_agree_with_bartlett_and_lawley_by_scipy)
{
    double x[MAX_NUMBERS];
    FILE *file = open_golden();
    int lines = 0;
    for (; next_line(file, "bartlett", x); lines++) {
        struct tg_cca_null null;
        double p_value;
        tg_cca_null((int64_t)x[2] + 1, (int64_t)x[0], (int64_t)x[1], &null);
        ck_assert_int_eq(tg_cca_significant(&null, x + 5, 0.05, &p_value), (int64_t)x[3]);
        ck_assert_double_eq_tol(p_value / x[4], 1, 1e-9);
    }
    ck_assert_int_eq(lines, 2);
}
END_TEST

START_TEST(correlations_of_exactly_one_are_significant_and_harm_no_others)
{
    struct tg_cca_null null;
    double rho[] = {1, 1, 0.1, 0.05}, p_value;
    tg_cca_null(101, 4, 4, &null);
    ck_assert_int_eq(tg_cca_significant(&null, rho, 0.05, &p_value), 2);
    ck_assert_double_eq(p_value, 0);
    double zeros[] = {0, 0, 0, 0};
    ck_assert_int_eq(tg_cca_significant(&null, zeros, 0.05, &p_value), 0);
    ck_assert_double_eq(p_value, 1);
}
END_TEST

START_TEST(equal_weights_change_nothing_and_unequal_ones_widen)
{
    struct tg_cca_null null;
    const double equal[] = {0.25, 0.25, 0.25, 0.25}, one[] = {1, 0, 0, 0};
    tg_cca_null(60, 4, 6, &null);
    ck_assert_double_eq_tol(tg_cca_null_weighted(&null, equal).sd, null.mean.sd, 1e-15);
    struct tg_chance alone = tg_cca_null_weighted(&null, one);
    ck_assert_double_eq(alone.mean, null.mean.mean);
    /* one correlation drawn at random has the variance of rho itself */
    double whole = null.mean_squared.mean - null.mean.mean * null.mean.mean;
    ck_assert_double_eq_tol(alone.sd, sqrt(whole), 1e-12);
}
END_TEST

START_TEST(gram_products_agree_with_every_permutation)
{
    double x[MAX_NUMBERS];
    FILE *file = open_golden();
    int lines = 0;
    for (; next_line(file, "permuted", x); lines++) {
        struct tg_gram_trace a = {x[1], x[2], x[3], x[4]}, b = {x[5], x[6], x[7], x[8]};
        struct tg_chance plain = tg_gram_chance((int64_t)x[0], &a, &b);
        struct tg_chance debiased = tg_cka_debiased_chance((int64_t)x[0], &a, &b);
        ck_assert_double_eq_tol(plain.mean / x[9], 1, 1e-12);
        ck_assert_double_eq_tol(plain.sd / x[10], 1, 1e-10);
        ck_assert_double_eq_tol(debiased.mean, x[11], 1e-15);
        ck_assert_double_eq_tol(debiased.sd / x[12], 1, 1e-12);
    }
    ck_assert_int_eq(lines, 4);
}
END_TEST

START_TEST(their_skewness_agrees_with_random_rotations)
{
    double x[MAX_NUMBERS];
    FILE *file = open_golden();
    int lines = 0;
    for (; next_line(file, "rotated", x); lines++) {
        struct tg_gram_trace a = {x[1], x[2], x[3], x[4]}, b = {x[5], x[6], x[7], x[8]};
        struct tg_chance chance = tg_gram_chance((int64_t)x[0], &a, &b);
        ck_assert_double_eq_tol(chance.skewness, x[9], 5 * x[10]);
    }
    ck_assert_int_eq(lines, 3);
}
END_TEST

START_TEST(the_tail_of_three_moments_is_that_of_gamma_and_of_normal)
{
    /* chi-square with 2 degrees of freedom, -2 log u: mean 2, sd 2, skewness 2 */
    struct tg_chance chance = {.mean = 2, .sd = 2, .skewness = 2};
    ck_assert_double_eq_tol(tg_chance_p(&chance, 5), exp(-2.5), 1e-13);
    ck_assert_double_eq_tol(tg_chance_p(&chance, 0.3), exp(-0.15), 1e-13);
    struct tg_chance turned = {.mean = -2, .sd = 2, .skewness = -2};
    ck_assert_double_eq_tol(tg_chance_p(&turned, -5), 1 - exp(-2.5), 1e-13);
    ck_assert_double_eq_tol(tg_chance_p(&turned, -0.3), 1 - exp(-0.15), 1e-13);
    struct tg_chance normal = {.sd = 1};
    ck_assert_double_eq_tol(tg_chance_p(&normal, 1.959963984540054), 0.025, 1e-14);
    struct tg_chance nearly = {.sd = 1, .skewness = 2e-4};
    ck_assert_double_eq_tol(tg_chance_p(&nearly, 1.959963984540054), 0.025, 1e-5);
    struct tg_chance fixed = {.mean = 1};
    ck_assert_double_nan(tg_chance_p(&fixed, 1));
}
END_TEST

Suite *svcca_null_suite(void)
{
    Suite *suite = suite_create("svcca_null");
    TCase *tc = tcase_create("canonical correlations");
    tcase_add_test(tc, wachter_s_law_agrees_with_integration_of_its_density);
    tcase_add_test(tc, the_mean_of_two_agrees_with_their_joint_density);
    tcase_add_test(tc, moments_and_tails_agree_with_simulated_layers);
    tcase_add_test(tc, one_unit_on_a_side_has_the_exact_beta_law);
    tcase_add_test(tc, the_tutorial_s_simulated_baselines_need_no_simulation);
    tcase_add_test(tc, forced_ones_are_counted_and_the_rest_is_that_of_the_complements);
    tcase_add_test(tc, adjusting_takes_chance_to_zero_and_equality_to_one);
    tcase_add_test(tc, significant_directions_agree_with_bartlett_and_lawley_by_scipy);
    tcase_add_test(tc, correlations_of_exactly_one_are_significant_and_harm_no_others);
    tcase_add_test(tc, equal_weights_change_nothing_and_unequal_ones_widen);
    suite_add_tcase(suite, tc);
    tc = tcase_create("inner products of gram matrices");
    tcase_add_test(tc, gram_products_agree_with_every_permutation);
    tcase_add_test(tc, their_skewness_agrees_with_random_rotations);
    tcase_add_test(tc, the_tail_of_three_moments_is_that_of_gamma_and_of_normal);
    suite_add_tcase(suite, tc);
    return suite;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Philox4x32-10 against Random123's known answers, and the draws made from it. */
#include "../suite.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"

Suite *rng_suite(void);

static const struct {
    uint32_t counter[4], key[2], out[4];
} answers[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

START_TEST(philox_gives_the_known_answers)
{
    uint32_t out[4];
    tg_philox(answers[_i].counter, answers[_i].key, out);
    ck_assert_mem_eq(out, answers[_i].out, sizeof(out));
}
END_TEST

/* Seed 0, stream 0, block 0 is the first known answer, low word first, upper 52 bits kept. */
START_TEST(uniforms_are_the_bits_of_philox)
{
    double u[2];
    tg_rng_uniform(0, 0, 0, 2, u);
    uint64_t first = UINT64_C(0xe169c58d6627e8d5) >> 12;
    uint64_t second = UINT64_C(0x9b00dbd8bc57ac4c) >> 12;
    ck_assert_double_eq(u[0], ldexp((double)first + 0.5, -52));
    ck_assert_double_eq(u[1], ldexp((double)second + 0.5, -52));
}
END_TEST

static void (*const draw[])(uint64_t, uint64_t, uint64_t, size_t, double *) = {tg_rng_uniform,
                                                                            tg_rng_normal};

START_TEST(any_partition_gives_the_same_draws)
{
    enum { N = 1000 };
    double whole[N], parts[N];
    draw[_i](7, 3, 5, N, whole);
    for (size_t at = 0, n = 1; at < N; at += n, n = n % 13 + 1)
        draw[_i](7, 3, 5 + at, n < N - at ? n : N - at, parts + at);
    ck_assert_mem_eq(whole, parts, sizeof(whole));
}
END_TEST

START_TEST(streams_and_seeds_differ)
{
    double a[4], b[4], c[4];
    draw[_i](1, 1, 0, 4, a);
    draw[_i](1, 2, 0, 4, b);
    draw[_i](2, 1, 0, 4, c);
    for (int i = 0; i < 4; i++) {
        MUST(a[i] != b[i]);
        MUST(a[i] != c[i]);
    }
}
END_TEST

/* Each bound is six standard errors of the exact moment. */
START_TEST(orders_are_all_equally_likely)
{
    enum { DRAWS = 12000, LONG = 2000 };
    int count[27] = {0};
    int64_t order[LONG];
    bool seen[LONG] = {false};
    for (uint64_t stream = 0; stream < DRAWS; stream++) {
        tg_rng_order(3, stream, 3, order);
        count[order[0] * 9 + order[1] * 3 + order[2]]++;
    }
    for (int i = 0; i < 27; i++) {
        bool is_order = i / 9 != i / 3 % 3 && i / 9 != i % 3 && i / 3 % 3 != i % 3;
        ck_assert_int_le(abs(count[i] - (is_order ? DRAWS / 6 : 0)), is_order ? 200 : 0);
    }
    tg_rng_order(3, 0, LONG, order); /* more draws than are made at a time */
    for (int i = 0; i < LONG; i++) {
        MUST(!seen[order[i]]);
        seen[order[i]] = true;
    }
}
END_TEST

START_TEST(moments_are_those_of_the_distribution)
{
    enum { N = 200000 };
    static double x[N];
    double mean = 0, square = 0, fourth = 0, product = 0;
    draw[_i](11, 0, 0, N, x);
    for (int i = 0; i < N; i++) {
        double y = _i ? x[i] : sqrt(12) * (x[i] - 0.5);
        mean += y / N;
        square += y * y / N;
        fourth += y * y * y * y / N;
        product += i ? y * (_i ? x[i - 1] : sqrt(12) * (x[i - 1] - 0.5)) / N : 0;
        MUST(_i ? isfinite(x[i]) : x[i] > 0 && x[i] < 1);
    }
    double kurtosis = _i ? 3 : 1.8, eighth = _i ? 105 : 9;
    ck_assert_double_eq_tol(mean, 0, 6 / sqrt(N));
    ck_assert_double_eq_tol(product, 0, 6 / sqrt(N));
    ck_assert_double_eq_tol(square, 1, 6 * sqrt((kurtosis - 1) / N));
    ck_assert_double_eq_tol(fourth, kurtosis, 6 * sqrt((eighth - kurtosis * kurtosis) / N));
}
END_TEST

Suite *rng_suite(void)
{
    Suite *suite = suite_create("rng");
    TCase *tc = tcase_create("counter-based draws");
    tcase_add_loop_test(tc, philox_gives_the_known_answers, 0, 3);
    tcase_add_test(tc, uniforms_are_the_bits_of_philox);
    tcase_add_test(tc, orders_are_all_equally_likely);
    tcase_add_loop_test(tc, any_partition_gives_the_same_draws, 0, 2);
    tcase_add_loop_test(tc, streams_and_seeds_differ, 0, 2);
    tcase_add_loop_test(tc, moments_are_those_of_the_distribution, 0, 2);
    suite_add_tcase(suite, tc);
    return suite;
}

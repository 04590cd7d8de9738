/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "../suite.h"

#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "proto/buf.h"

Suite *buf_suite(void);

START_TEST(appends_keep_order_and_terminate)
{
    struct tg_buf buf;
    tg_buf_init(&buf, 10000);
    for (int i = 0; i < 1000; i++)
        tg_buf_printf(&buf, "%d", i % 10);
    tg_buf_add(&buf, "a\0b", 3);
    ck_assert(!tg_buf_failed(&buf));
    ck_assert_uint_eq(buf.n, 1003);
    ck_assert_int_eq(buf.p[999], '9');
    ck_assert_mem_eq(buf.p + 1000, "a\0b", 4);
    tg_buf_release(&buf);
}
END_TEST

START_TEST(the_maximum_is_hard_and_failure_stays)
{
    struct tg_buf buf;
    tg_buf_init(&buf, 4);
    tg_buf_puts(&buf, "1234");
    ck_assert(!tg_buf_failed(&buf));
    ck_assert_str_eq(buf.p, "1234");
    tg_buf_puts(&buf, "5");
    ck_assert(tg_buf_failed(&buf));
    tg_buf_puts(&buf, "");
    ck_assert(tg_buf_failed(&buf));
    ck_assert_ptr_null(tg_buf_grow(&buf, 0));
    size_t n = 7;
    ck_assert_ptr_null(tg_buf_take(&buf, &n));
    tg_buf_init(&buf, SIZE_MAX);
    ck_assert_ptr_null(tg_buf_grow(&buf, SIZE_MAX));
    ck_assert(tg_buf_failed(&buf));
    tg_buf_release(&buf);
}
END_TEST

START_TEST(take_hands_the_bytes_over)
{
    struct tg_buf buf;
    size_t n;
    tg_buf_init(&buf, 100);
    char *empty = tg_buf_take(&buf, &n);
    ck_assert_str_eq(empty, "");
    ck_assert_uint_eq(n, 0);
    tg_buf_puts(&buf, "abc");
    char *text = tg_buf_take(&buf, &n);
    ck_assert_str_eq(text, "abc");
    ck_assert_uint_eq(n, 3);
    ck_assert_ptr_null(buf.p);
    free(empty);
    free(text);
}
END_TEST

static const struct {
    double x;
    const char *text;
} doubles[] = {
    {0, "0"},
    {-0.0, "-0"},
    {0.1, "0.1"},
    {1.0 / 3, "0.3333333333333333"},
    {0.1 + 0.2, "0.30000000000000004"},
    {1e100, "1e+100"},
    {5e-324, "5e-324"},
    {2.2250738585072014e-308, "2.2250738585072014e-308"},
    {9007199254740993.0, "9007199254740992"},
    {1e15, "1000000000000000"},
    {1e16, "1e+16"},
    {-1e23, "-1e+23"},
    {9.5367431640625e-07, "9.5367431640625e-07"},
    {0.0001, "0.0001"},
    {0.00001234, "1.234e-05"},
    {1500, "1500"},
    {DBL_MAX, "1.7976931348623157e+308"},
    {123456789, "123456789"},
    {NAN, "null"},
    {-INFINITY, "null"},
};

START_TEST(doubles_are_short_and_read_back)
{
    struct tg_buf buf;
    tg_buf_init(&buf, 100);
    tg_buf_double(&buf, doubles[_i].x);
    ck_assert_str_eq(buf.p, doubles[_i].text);
    if (isfinite(doubles[_i].x)) {
        double back = strtod(buf.p, NULL);
        ck_assert_mem_eq(&back, &doubles[_i].x, sizeof(back));
    }
    tg_buf_release(&buf);
}
END_TEST

/* Text, digits and nearness as the C library has them: %.{n}e is the nearest of n + 1 digits. */
static void check_double(double x)
{
    struct tg_buf buf;
    char digits[40], nearest[40];
    int n = 0, exact;
    tg_buf_init(&buf, 100);
    tg_buf_double(&buf, x);
    double back = strtod(buf.p, NULL);
    ck_assert_msg(!memcmp(&back, &x, sizeof(x)), "%a is written as %s", x, buf.p);
    for (exact = 0; exact <= 16; exact++) {
        snprintf(nearest, sizeof(nearest), "%.*e", exact, x);
        if (strtod(nearest, NULL) == x)
            break;
    }
    for (const char *p = buf.p; *p && *p != 'e'; p++)
        if (isdigit((unsigned char)*p) && (n || *p != '0'))
            digits[n++] = *p;
    for (; n && digits[n - 1] == '0'; n--)
        ;
    digits[n] = '\0';
    ck_assert_msg(n <= exact + 1, "%a is written as %s", x, buf.p);
    if (n == exact + 1)
        ck_assert_msg(strtod(nearest, NULL) == strtod(buf.p, NULL) &&
                          nearest[x < 0] == digits[0] &&
                          !strncmp(nearest + (x < 0) + 2, digits + 1, (size_t)n - 1),
                      "%s is nearer than %s", nearest, buf.p);
    tg_buf_release(&buf);
}

START_TEST(any_double_is_as_short_and_near_as_can_be)
{
    uint64_t state = 20171205 + (uint64_t)_i;
    for (int i = 0; i < 20000; i++) {
        double x;
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t bits = state ^ state >> 29;
        memcpy(&x, &bits, sizeof(x));
        if (isfinite(x) && x != 0)
            check_double(x);
    }
}
END_TEST

START_TEST(powers_and_their_neighbours_are_too)
{
    for (int e = -1074; e < 1024; e++) {
        double x = ldexp(1, e);
        check_double(x);
        check_double(nextafter(x, INFINITY));
        if (e > -1074)
            check_double(-nextafter(x, 0));
    }
    for (int e = -323; e <= 308; e++) {
        char text[16];
        snprintf(text, sizeof(text), "1e%d", e);
        double x = strtod(text, NULL);
        check_double(x);
        check_double(nextafter(x, INFINITY));
        check_double(nextafter(x, 0));
    }
}
END_TEST

static const struct {
    const char *bytes, *json;
} strings[] = {
    {"plain", "\"plain\""},
    {"a\"b\\c/d", "\"a\\\"b\\\\c/d\""},
    {"\n\t\x01\x7f", "\"\\n\\u0009\\u0001\\u007f\""},
    {"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""},
    {"a\xFFz", "\"a\xEF\xBF\xBDz\""},
    {"\xC0\xAF", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},             /* overlong */
    {"\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""}, /* surrogate */
    {"\xE2\x82", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},             /* cut off */
};

START_TEST(copies_are_cut_between_characters)
{
    char out[6];
    ck_assert_str_eq(tg_utf8_copy(out, sizeof(out), "abc"), "abc");
    ck_assert_str_eq(tg_utf8_copy(out, sizeof(out), "abcdefg"), "abcde");
    ck_assert_str_eq(tg_utf8_copy(out, sizeof(out), "abcd\xC3\xA9"), "abcd");
    ck_assert_str_eq(tg_utf8_copy(out, sizeof(out), "abc\xC3\xA9"), "abc\xC3\xA9");
    ck_assert_str_eq(tg_utf8_copy(out, sizeof(out), "a\xFF\xC3"), "a??");
}
END_TEST

START_TEST(strings_are_valid_json)
{
    struct tg_buf buf;
    tg_buf_init(&buf, 100);
    tg_buf_json_string(&buf, strings[_i].bytes, strlen(strings[_i].bytes));
    ck_assert_str_eq(buf.p, strings[_i].json);
    tg_buf_release(&buf);
}
END_TEST

Suite *buf_suite(void)
{
    Suite *suite = suite_create("proto/buf");
    TCase *tc = tcase_create("buf");
    tcase_add_test(tc, appends_keep_order_and_terminate);
    tcase_add_test(tc, the_maximum_is_hard_and_failure_stays);
    tcase_add_test(tc, take_hands_the_bytes_over);
    tcase_add_loop_test(tc, doubles_are_short_and_read_back, 0,
                        sizeof(doubles) / sizeof(doubles[0]));
    tcase_add_loop_test(tc, any_double_is_as_short_and_near_as_can_be, 0, 4);
    tcase_add_test(tc, powers_and_their_neighbours_are_too);
    tcase_add_test(tc, copies_are_cut_between_characters);
    tcase_add_loop_test(tc, strings_are_valid_json, 0, sizeof(strings) / sizeof(strings[0]));
    suite_add_tcase(suite, tc);
    return suite;
}

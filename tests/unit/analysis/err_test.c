/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of errors and the report. */
#include <check.h>
#include <stdint.h>
#include <string.h>

#include "core/err.h"

Suite *err_suite(void);

static struct tg_report report;

static void start(void)
{
    memset(&report, 0x55, sizeof(report));
    tg_report_init(&report);
}

START_TEST(every_code_is_found_by_its_slug)
{
    for (int i = 0; i < TG_ERR_COUNT; i++) {
        enum tg_err err = (enum tg_err)i;
        ck_assert_int_eq(tg_err_from_slug(tg_err_slug(err)), err);
        ck_assert_int_ge(tg_err_status(err), 200);
        ck_assert_int_lt(tg_err_status(err), 600);
        ck_assert_str_ne(tg_err_title(err), "");
    }
    ck_assert_int_eq(tg_err_from_slug("no-such-slug"), TG_ERR_COUNT);
    ck_assert_int_eq(tg_err_status(TG_OK), 200);
    ck_assert_int_eq(tg_err_status(TG_QUEUE_FULL), 429);
    ck_assert_str_eq(tg_err_slug(TG_INVALID), "invalid-parameters");
}
END_TEST

START_TEST(the_first_fault_names_the_report)
{
    ck_assert_int_eq(report.code, TG_OK);
    ck_assert_str_eq(report.detail, "");
    ck_assert_int_eq(tg_fault_add(&report, TG_INVALID, "/params/k", "k is %d.", -1), TG_INVALID);
    ck_assert_int_eq(
        tg_fault_add_value(&report, TG_UNKNOWN_DATA, NULL, "abc", NULL, "No such array."),
        TG_UNKNOWN_DATA);
    ck_assert_int_eq(report.code, TG_INVALID);
    ck_assert_str_eq(report.detail, "k is -1.");
    ck_assert_uint_eq(report.count, 2);
    ck_assert_str_eq(report.fault[0].pointer, "/params/k");
    ck_assert_str_eq(report.fault[0].got, "");
    ck_assert_str_eq(report.fault[1].pointer, "");
    ck_assert_str_eq(report.fault[1].got, "abc");
    ck_assert_str_eq(report.fault[1].allowed, "");
    ck_assert_str_eq(report.fault[1].detail, "No such array.");
}
END_TEST

START_TEST(long_texts_are_cut_and_terminated)
{
    char text[1000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    tg_fault_add_value(&report, TG_INVALID, text, text, text, "%s", text);
    const struct tg_fault *fault = &report.fault[0];
    ck_assert_uint_eq(strlen(fault->pointer), sizeof(fault->pointer) - 1);
    ck_assert_uint_eq(strlen(fault->detail), sizeof(fault->detail) - 1);
    ck_assert_uint_eq(strlen(fault->got), sizeof(fault->got) - 1);
    ck_assert_uint_eq(strlen(fault->allowed), sizeof(fault->allowed) - 1);
    ck_assert_uint_eq(strlen(report.detail), sizeof(fault->detail) - 1);
}
END_TEST

START_TEST(faults_beyond_the_last_are_counted)
{
    for (int i = 0; i < TG_FAULT_MAX + 5; i++)
        tg_fault_add(&report, TG_INVALID, NULL, "fault %d", i);
    ck_assert_uint_eq(report.count, TG_FAULT_MAX + 5);
    ck_assert_str_eq(report.fault[TG_FAULT_MAX - 1].detail, "fault 63");
}
END_TEST

START_TEST(without_a_report_the_code_comes_back)
{
    ck_assert_int_eq(tg_fault_add(NULL, TG_GONE, "/x", "gone"), TG_GONE);
    ck_assert_int_eq(tg_fault_add_value(NULL, TG_GONE, "/x", "a", "b", "gone"), TG_GONE);
}
END_TEST

START_TEST(size_arithmetic_reports_overflow)
{
    size_t out;
    ck_assert(tg_mul_ok(3, 5, &out) && out == 15);
    ck_assert(!tg_mul_ok(SIZE_MAX / 2, 3, &out));
    ck_assert(tg_add_ok(SIZE_MAX - 1, 1, &out) && out == SIZE_MAX);
    ck_assert(!tg_add_ok(SIZE_MAX, 1, &out));
}
END_TEST

Suite *err_suite(void)
{
    Suite *suite = suite_create("err");
    TCase *tc = tcase_create("codes and faults");
    tcase_add_checked_fixture(tc, start, NULL);
    tcase_add_test(tc, every_code_is_found_by_its_slug);
    tcase_add_test(tc, the_first_fault_names_the_report);
    tcase_add_test(tc, long_texts_are_cut_and_terminated);
    tcase_add_test(tc, faults_beyond_the_last_are_counted);
    tcase_add_test(tc, without_a_report_the_code_comes_back);
    tcase_add_test(tc, size_arithmetic_reports_overflow);
    suite_add_tcase(suite, tc);
    return suite;
}

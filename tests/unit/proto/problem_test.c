/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Problem documents, and the writer of JSON text. */
#include <string.h>

#include "../suite.h"
#include "proto/jsonwrite.h"
#include "proto/problem.h"

Suite *problem_suite(void);

static struct tg_report report;

static void expect_json(json_t *value, const char *text)
{
    struct tg_buf out;
    tg_buf_init(&out, 1 << 16);
    tg_json_write(value, &out);
    ck_assert(!tg_buf_failed(&out));
    ck_assert_str_eq(out.p, text);
    tg_buf_release(&out);
    json_decref(value);
}

START_TEST(test_a_problem_without_a_report)
{
    expect_json(
        tg_problem(TG_NOT_FOUND, NULL, ""),
        "{\"type\":\"/v1/problems/not-found\",\"title\":\"There is nothing here\","
        "\"status\":404}");
}
END_TEST

START_TEST(test_one_sentence_needs_no_list)
{
    tg_report_init(&report);
    tg_fault_add(&report, TG_GONE, NULL, "It was removed.");
    expect_json(
        tg_problem(TG_GONE, &report, "/v1/jobs/1"),
        "{\"type\":\"/v1/problems/gone\",\"title\":\"The job was removed by retention\","
        "\"status\":410,\"detail\":\"It was removed.\",\"instance\":\"/v1/jobs/1\"}");
}
END_TEST

START_TEST(test_every_fault_is_listed)
{
    tg_report_init(&report);
    tg_fault_add_value(&report, TG_INVALID, "/params/k", "0", "integer of at least 1",
                       "Too small.");
    tg_fault_add(&report, TG_INVALID, "/x", "Odd.");
    expect_json(
        tg_problem(TG_INVALID, &report, ""),
        "{\"type\":\"/v1/problems/invalid-parameters\",\"title\":\"The request does not "
        "describe a valid job\",\"status\":422,\"detail\":\"Too small.\",\"errors\":["
        "{\"pointer\":\"/params/k\",\"detail\":\"Too small.\",\"got\":\"0\",\"allowed\":"
        "\"integer of at least 1\"},{\"pointer\":\"/x\",\"detail\":\"Odd.\"}]}");
}
END_TEST

START_TEST(test_faults_beyond_the_limit_are_left_out)
{
    tg_report_init(&report);
    for (int i = 0; i < TG_FAULT_MAX + 9; i++)
        tg_fault_add(&report, TG_INVALID, "/x", "Odd.");
    json_t *problem = tg_problem(TG_INVALID, &report, "");
    ck_assert_uint_eq(json_array_size(json_object_get(problem, "errors")), TG_FAULT_MAX);
    json_decref(problem);
}
END_TEST

START_TEST(test_text_cut_in_a_character_is_mended)
{
    tg_report_init(&report);
    tg_fault_add_value(&report, TG_INVALID, "/x", "\xC3", NULL, "Half: \xE2\x82");
    json_t *problem = tg_problem(TG_INVALID, &report, "");
    const json_t *first = json_array_get(json_object_get(problem, "errors"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(first, "got")), "\xEF\xBF\xBD");
    ck_assert_ptr_nonnull(json_object_get(problem, "detail"));
    json_decref(problem);
}
END_TEST

START_TEST(test_reals_are_short_and_stay_reals)
{
    expect_json(json_pack("[f, f, f, f, i, b, n, s, {}, []]", 0.1, 1.0, 1e300, -2.5e-7, 3,
                          1, "a\"b"),
                "[0.1,1.0,1e+300,-2.5e-07,3,true,null,\"a\\\"b\",{},[]]");
}
END_TEST

START_TEST(test_depth_is_limited)
{
    struct tg_buf out;
    json_t *deep = json_array();
    for (int i = 0; i < TG_JSON_WRITE_DEPTH; i++)
        deep = json_pack("[o]", deep);
    tg_buf_init(&out, 1 << 16);
    tg_json_write(json_array_get(deep, 0), &out);
    ck_assert(!tg_buf_failed(&out));
    tg_json_write(deep, &out);
    ck_assert(tg_buf_failed(&out));
    tg_buf_release(&out);
    json_decref(deep);
}
END_TEST

START_TEST(test_pretty_text_breaks_where_lines_end)
{
    struct tg_buf out;
    json_t *value = json_pack("{s:s, s:[i, i, i], s:{s:[i, i], s:i}}", "kind", "x",
                              "list", 1, 2, 3, "more", "a", 10, 20, "b", 5);
    tg_buf_init(&out, 4096);
    tg_json_write_pretty(value, 24, &out);
    ck_assert_str_eq(out.p,
                     "{\n  \"kind\": \"x\",\n  \"list\": [1, 2, 3],\n  \"more\": {\n"
                     "    \"a\": [10, 20],\n    \"b\": 5\n  }\n}");
    tg_buf_release(&out);
    json_decref(value);
}
END_TEST

Suite *problem_suite(void)
{
    Suite *suite = suite_create("problem");
    TCase *problem = tcase_create("problem");
    tcase_add_test(problem, test_a_problem_without_a_report);
    tcase_add_test(problem, test_one_sentence_needs_no_list);
    tcase_add_test(problem, test_every_fault_is_listed);
    tcase_add_test(problem, test_faults_beyond_the_limit_are_left_out);
    tcase_add_test(problem, test_text_cut_in_a_character_is_mended);
    suite_add_tcase(suite, problem);
    TCase *text = tcase_create("json text");
    tcase_add_test(text, test_reals_are_short_and_stay_reals);
    tcase_add_test(text, test_depth_is_limited);
    tcase_add_test(text, test_pretty_text_breaks_where_lines_end);
    suite_add_tcase(suite, text);
    return suite;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results: the document and its representations. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../suite.h"
#include "proto/jsonwrite.h"
#include "proto/result.h"
#include "toy.h"

Suite *result_suite(void);

static const double square[] = {1, 0.5, NAN, 1};
static const double zeros[2000];
static const char digests[2][TG_SHA256_HEX] = {
    "1111111111111111111111111111111111111111111111111111111111111111",
    "2222222222222222222222222222222222222222222222222222222222222222"};

static struct tg_result result;
static json_t *document;

static void fill(void)
{
    ck_assert_int_eq(tg_result_init(&result), TG_OK);
    tg_result_real(&result, "mean", 0.1);
    tg_result_int(&result, "n", 12);
    tg_result_text(&result, "rule", "a,b");
    tg_result_real(&result, "bad", INFINITY);
    tg_result_reals(&result, "spectrum", (const double[]){3, 1.25, NAN}, 3);
    tg_result_value(&result, "pairs",
                    json_pack("[{s:s, s:f}, {s:s, s:n}]", "layer", "fc1", "cka",
                              0.123456789, "layer", "long \xC3\xA9\"name\"", "cka"));
    tg_result_array_f64(&result, "map", square, 2, (const int64_t[]){2, 2});
    tg_result_array_f64(&result, "all", zeros, 1, (const int64_t[]){2000});
    tg_result_figure(&result, "map", "Map", json_pack("{s:i}", "mark", 1));
    tg_result_quality_real(&result, "residual", 1e-12);
    tg_result_warn(&result, "few", "only %d points", 12);
    json_t *provenance = json_pack("{s:s}", "build", "x");
    document = tg_result_document(&result, &toy_kind, digests, provenance);
    json_decref(provenance);
    ck_assert_ptr_nonnull(document);
}

static void empty(void)
{
    json_decref(document);
    tg_result_release(&result);
}

static void expect_member(const json_t *object, const char *name, const char *json)
{
    struct tg_buf out;
    tg_buf_init(&out, 1 << 16);
    tg_json_write(json_object_get(object, name), &out);
    ck_assert_str_eq(out.p, json);
    tg_buf_release(&out);
}

START_TEST(test_the_document_has_every_part)
{
    expect_member(document, "kind", "\"toy\"");
    expect_member(
        document, "values",
        "{\"mean\":0.1,\"n\":12,\"rule\":\"a,b\",\"bad\":null,\"spectrum\":[3.0,1.25,"
        "null],\"pairs\":[{\"layer\":\"fc1\",\"cka\":0.123456789},{\"layer\":"
        "\"long \xC3\xA9\\\"name\\\"\",\"cka\":null}]}");
    expect_member(document, "figures",
                  "{\"map\":{\"title\":\"Map\",\"spec\":{\"mark\":1}}}");
    expect_member(document, "provenance", "{\"build\":\"x\"}");
    expect_member(
        document, "quality",
        "{\"residual\":1e-12,\"warnings\":[{\"code\":\"non-finite\",\"message\":"
        "\"bad is infinite\"},{\"code\":\"non-finite\",\"message\":\"1 of the 3 numbers "
        "of spectrum are not finite\"},{\"code\":\"few\",\"message\":\"only 12 points\"}"
        "]}");
}
END_TEST

START_TEST(test_small_arrays_come_inline)
{
    const json_t *arrays = json_object_get(document, "arrays");
    expect_member(
        arrays, "map",
        "{\"dtype\":\"float64\",\"shape\":[2,2],\"sha256\":\"1111111111111111111111111111"
        "111111111111111111111111111111111111\",\"bytes\":160,\"data\":[[1.0,0.5],"
        "[null,1.0]],\"nonfinite\":[2]}");
    expect_member(
        arrays, "all",
        "{\"dtype\":\"float64\",\"shape\":[2000],\"sha256\":\"22222222222222222222222222"
        "22222222222222222222222222222222222222\",\"bytes\":16128}");
}
END_TEST

static json_t *as_sent(const json_t *stored, const char *base)
{
    struct tg_buf text, sent;
    tg_buf_init(&text, SIZE_MAX / 2);
    tg_buf_init(&sent, SIZE_MAX / 2);
    tg_json_write(stored, &text);
    tg_result_public(text.p, base, &sent);
    json_t *out = tg_buf_failed(&sent) ? NULL : json_loads(sent.p, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(out);
    tg_buf_release(&text);
    tg_buf_release(&sent);
    return out;
}

START_TEST(test_what_is_sent_has_addresses_and_no_figures)
{
    json_t *sent = as_sent(document, "/v1/jobs/J/result");
    expect_member(
        sent, "figures",
        "{\"map\":{\"title\":\"Map\",\"href\":\"/v1/jobs/J/result/figures/map\"}}");
    const json_t *map = json_object_get(json_object_get(sent, "arrays"), "map");
    expect_member(map, "href", "\"/v1/jobs/J/result/arrays/map\"");
    json_decref(sent);
    ck_assert_ptr_null(json_object_get(
        json_object_get(json_object_get(document, "arrays"), "map"), "href"));
}
END_TEST

START_TEST(test_odd_names_are_escaped_in_addresses)
{
    json_t *odd = json_pack("{s:{s:{}}, s:{}, s:[{s:s}, f, n]}", "arrays",
                            "a/b \xC3\xA9", "figures", "values", "a\"b\\",
                            "}\\\",]{\"arrays\":", 0.5);
    json_t *sent = as_sent(odd, "");
    expect_member(json_object_get(json_object_get(sent, "arrays"), "a/b \xC3\xA9"),
                  "href", "\"/arrays/a%2Fb%20%C3%A9\"");
    ck_assert(json_equal(json_object_get(sent, "values"), json_object_get(odd, "values")));
    ck_assert_uint_eq(json_object_size(json_object_get(sent, "figures")), 0);
    ck_assert_uint_eq(json_object_size(sent), 3);
    json_decref(sent);
    json_decref(odd);
}
END_TEST

START_TEST(test_text_is_aligned)
{
    static const char text[] =
        "toy\n"
        "===\n"
        "mean      0.1\n"
        "n         12\n"
        "rule      a,b\n"
        "bad       -\n"
        "spectrum  3  1.25  -\n"
        "\n"
        "pairs\n"
        "  layer              cka\n"
        "  fc1           0.123457\n"
        "  long \xC3\xA9\"name\"         -\n"
        "\n"
        "map  (2 x 2) float64\n"
        "  1  0.5\n"
        "  -    1\n"
        "\n"
        "all  (2000) float64\n"
        "\n"
        "figure map: Map\n"
        "\n"
        "Quality\n"
        "-------\n"
        "residual  1e-12\n"
        "\n"
        "Warnings\n"
        "--------\n"
        "non-finite: bad is infinite\n"
        "non-finite: 1 of the 3 numbers of spectrum are not finite\n"
        "few: only 12 points\n";
    struct tg_buf out;
    tg_buf_init(&out, 1 << 16);
    tg_result_text_write(document, &out);
    ck_assert_str_eq(out.p, text);
    tg_buf_release(&out);
}
END_TEST

START_TEST(test_csv_quotes_and_names_its_tables)
{
    static const char csv[] = "name,value\n"
                              "mean,0.1\n"
                              "n,12\n"
                              "rule,\"a,b\"\n"
                              "bad,\n"
                              "quality.residual,1e-12\n"
                              "\n"
                              "# spectrum\n"
                              "spectrum\n"
                              "3\n"
                              "1.25\n"
                              "\n"
                              "\n"
                              "# pairs\n"
                              "layer,cka\n"
                              "fc1,0.123456789\n"
                              "\"long \xC3\xA9\"\"name\"\"\",\n";
    struct tg_buf out;
    tg_buf_init(&out, 1 << 16);
    tg_result_csv_write(document, &out);
    ck_assert_str_eq(out.p, csv);
    tg_buf_release(&out);
}
END_TEST

START_TEST(test_long_lists_are_wrapped)
{
    struct tg_buf out;
    json_t *list = json_array(), *wide;
    for (int i = 0; i < 100; i++)
        json_array_append_new(list, json_real(i + 0.123456));
    wide = json_pack("{s:s, s:{s:o}}", "kind", "k", "values", "v", list);
    tg_buf_init(&out, 1 << 16);
    tg_result_text_write(wide, &out);
    for (const char *p = out.p; *p; p += strcspn(p, "\n") + 1)
        ck_assert_uint_le(strcspn(p, "\n"), 88);
    ck_assert_ptr_nonnull(strstr(out.p, "\n   9.12346"));
    tg_buf_release(&out);
    json_decref(wide);
}
END_TEST

START_TEST(test_wide_tables_come_in_blocks_that_repeat_the_names)
{
    struct tg_buf out;
    char name[24];
    json_t *row = json_pack("{s:s}", "layer", "fc1");
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof(name), "a_long_name_%d", i);
        json_object_set_new(row, name, json_integer(i));
    }
    json_t *wide = json_pack("{s:s, s:{s:[o]}}", "kind", "k", "values", "table", row);
    tg_buf_init(&out, 1 << 16);
    tg_result_text_write(wide, &out);
    ck_assert_str_eq(
        out.p, "k\n=\n\ntable\n"
               "  layer  a_long_name_0  a_long_name_1  a_long_name_2  a_long_name_3  "
               "a_long_name_4  a_long_name_5\n"
               "  fc1                0              1              2              3  "
               "            4              5\n\n"
               "  layer  a_long_name_6  a_long_name_7  a_long_name_8  a_long_name_9\n"
               "  fc1                6              7              8              9\n");
    tg_buf_release(&out);
    json_decref(wide);
}
END_TEST

START_TEST(test_a_failed_addition_is_remembered)
{
    struct tg_result broken;
    ck_assert_int_eq(tg_result_init(&broken), TG_OK);
    tg_result_value(&broken, "x", NULL);
    ck_assert(tg_result_failed(&broken));
    ck_assert_ptr_null(tg_result_document(&broken, &toy_kind, digests, NULL));
    tg_result_release(&broken);
}
END_TEST

Suite *result_suite(void)
{
    Suite *suite = suite_create("result");
    TCase *whole = tcase_create("document");
    tcase_add_checked_fixture(whole, fill, empty);
    tcase_add_test(whole, test_the_document_has_every_part);
    tcase_add_test(whole, test_small_arrays_come_inline);
    tcase_add_test(whole, test_what_is_sent_has_addresses_and_no_figures);
    tcase_add_test(whole, test_text_is_aligned);
    tcase_add_test(whole, test_csv_quotes_and_names_its_tables);
    suite_add_tcase(suite, whole);
    TCase *parts = tcase_create("parts");
    tcase_add_test(parts, test_odd_names_are_escaped_in_addresses);
    tcase_add_test(parts, test_long_lists_are_wrapped);
    tcase_add_test(parts, test_wide_tables_come_in_blocks_that_repeat_the_names);
    tcase_add_test(parts, test_a_failed_addition_is_remembered);
    suite_add_tcase(suite, parts);
    return suite;
}

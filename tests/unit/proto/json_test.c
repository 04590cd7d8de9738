/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "../suite.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/rng.h"
#include "proto/buf.h"
#include "proto/json.h"

Suite *json_suite(void);

/* Numbers: everything is compared with the C library's strtod, bit by bit. */

static void assert_like_strtod(const char *text)
{
    double ours = 7, theirs = strtod(text, NULL);
    const char *after = tg_json_scan_number(text, text + strlen(text), &ours);
    ck_assert_msg(after == text + strlen(text), "%s was not read whole", text);
    ck_assert_msg(!memcmp(&ours, &theirs, sizeof(ours)), "%s: %a instead of %a", text, ours,
                  theirs);
}

static uint64_t draw(uint64_t i)
{
    const uint32_t counter[4] = {(uint32_t)i, (uint32_t)(i >> 32), 0, 0}, key[2] = {20240607, 1};
    uint32_t out[4];
    tg_philox(counter, key, out);
    return (uint64_t)out[0] << 32 | out[1];
}

START_TEST(hard_numbers_are_read_like_strtod)
{
    static const char *const hard[] = {
        "0", "-0", "-0.0", "0e5", "0E-99999999999", "1e23", "8.5e22", "8.5e23", "1e22",
        "9007199254740993", "9007199254740992.999999999999999999999", "9007199254740993.00000",
        "9007199254740993.0000000000000000000000001", "18446744073709551616",
        "2.2250738585072011e-308", "2.2250738585072012e-308", "2.2250738585072014e-308",
        "4.9406564584124654e-324", "2.4703282292062327e-324", "2.4703282292062328e-324",
        "6.631236846766476e-316", "3.237883913302901e-319", "1e-999", "-1e-400",
        "1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308",
        "1e309", "-1e999", "1e99999999999999999999", "1e-99999999999999999999",
        "7.2057594037927933e16", "123456789012345678901234567890", "1E+2", "1e-2",
        "0.000000000000000000000000000000000000123", "0.00000000000000000000000000000000",
    };
    for (size_t i = 0; i < sizeof(hard) / sizeof(hard[0]); i++)
        assert_like_strtod(hard[i]);
}
END_TEST

START_TEST(any_double_reads_back_itself)
{
    for (uint64_t i = 0; i < 100000; i++) {
        uint64_t bits = draw(i);
        double x, back;
        char text[64];
        memcpy(&x, &bits, sizeof(x));
        if (!isfinite(x))
            continue;
        snprintf(text, sizeof(text), "%.17g", x);
        assert_like_strtod(text);
        ck_assert_ptr_nonnull(tg_json_scan_number(text, text + strlen(text), &back));
        ck_assert_mem_eq(&x, &back, sizeof(x));
        snprintf(text, sizeof(text), "%.*g", 1 + (int)(draw(~i) % 16), x);
        assert_like_strtod(text);
    }
}
END_TEST

START_TEST(random_digits_are_read_like_strtod)
{
    for (uint64_t i = 0; i < 50000; i++) {
        char text[128], *p = text;
        uint64_t r = draw(i);
        int whole = 1 + (int)(r % 40), fraction = (int)((r >> 8) % 30);
        if (r >> 63)
            *p++ = '-';
        for (int k = 0; k < whole; k++)
            *p++ = (char)((k ? '0' : '1') + (int)(draw(i * 100 + (uint64_t)k) % (k ? 10 : 9)));
        if (fraction)
            *p++ = '.';
        for (int k = 0; k < fraction; k++)
            *p++ = (char)('0' + (int)(draw(i * 100 + 50 + (uint64_t)k) % 10));
        snprintf(p, 16, "e%d", (int)(r >> 16 & 1023) - 512);
        assert_like_strtod(text);
    }
}
END_TEST

/* The middle between two doubles, written out, and a hair to both sides of it. */
START_TEST(halfway_numbers_are_read_like_strtod)
{
    static char text[1200];
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t r = draw(i);
        long double mantissa = (long double)(r >> 11 | 1ull << 52) + 0.5L;
        int exponent = (int)(draw(~i) % (i % 2 ? 120 : 2000)) - (i % 2 ? 60 : 1040);
        long double middle = ldexpl(mantissa, exponent);
        /* 80-bit long doubles hold the 54 bits; printf writes them out exactly */
        int n = snprintf(text, sizeof(text), "%.780Le", middle);
        assert_like_strtod(text);
        char *e = strchr(text, 'e'), tail[16];
        memcpy(tail, e, (size_t)(text + n - e) + 1);
        snprintf(e, 64, "%040d1%s", 0, tail); /* beyond 767 digits, still counts */
        assert_like_strtod(text);
    }
}
END_TEST

START_TEST(what_is_no_json_number_is_refused)
{
    static const char *const bad[] = {"", "-", "+1", ".5", "1.", "1.e5", "1e", "1e+", "nan",
                                      "inf", "-x", "--1", "e5"};
    double x;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(!tg_json_scan_number(bad[i], bad[i] + strlen(bad[i]), &x), "%s", bad[i]);
    const char *text = "12345";
    ck_assert_ptr_eq(tg_json_scan_number(text, text + 2, &x), text + 2);
    ck_assert_double_eq(x, 12);
    text = "01";
    ck_assert_ptr_eq(tg_json_scan_number(text, text + 2, &x), text + 1);
    ck_assert_double_eq(x, 0);
}
END_TEST

/* Bodies ------------------------------------------------------------------------------- */

static enum tg_err parse(const char *text, struct tg_json_body *body, char *detail, size_t size)
{
    struct tg_report report;
    tg_report_init(&report);
    enum tg_err err = tg_json_body_parse(text, strlen(text), 1000, body, &report);
    snprintf(detail, size, "%s", report.detail);
    return err;
}

/* The array back as text, so that a body can be compared with what was meant. */
static void print_array(const struct tg_json_array *array, int axis, int64_t *next,
                        struct tg_buf *out)
{
    if (axis == array->ndim) {
        tg_buf_double(out, array->data[(*next)++]);
        return;
    }
    for (int64_t i = 0; i < array->shape[axis]; i++) {
        tg_buf_puts(out, i ? "," : "(");
        print_array(array, axis + 1, next, out);
    }
    tg_buf_puts(out, ")");
}

/* Bodies and what becomes of them: blocks are shown in round brackets. */
static const struct {
    const char *body, *want;
} bodies[] = {
    {"{}", "{}"},
    {" {\"a\" : [1, 2.5, true, null, \"x\"]}\n", "{\"a\":[1,2.5,true,null,\"x\"]}"},
    {"{\"inputs\":{\"a\":[1,2,3]}}", "{\"inputs\":{\"a\":(1,2,3)}}"},
    {"{\"inputs\":[1,2]}", "{\"inputs\":(1,2)}"},
    {"{\"in\\u0070uts\":[1,2]}", "{\"inputs\":(1,2)}"},
    {"{\"inputs2\":[1,2]}", "{\"inputs2\":[1,2]}"},
    {"{\"params\":{\"inputs\":[1]}}", "{\"params\":{\"inputs\":[1]}}"},
    {"{\"inputs\":{\"a\":[[1,2] ,\n[3,4],[5,6]]}}", "{\"inputs\":{\"a\":((1,2),(3,4),(5,6))}}"},
    {"{\"inputs\":{\"a\":[[[1],[2]],[[3],[4]]]}}", "{\"inputs\":{\"a\":(((1),(2)),((3),(4)))}}"},
    {"{\"inputs\":{\"a\":[[1,2],[3]]}}", "{\"inputs\":{\"a\":[(1,2),(3)]}}"},
    {"{\"inputs\":{\"a\":[[1,2],[3,4],5]}}", "{\"inputs\":{\"a\":[(1,2),(3,4),5]}}"},
    {"{\"inputs\":{\"a\":[1,[2],3,[4]]}}", "{\"inputs\":{\"a\":[1,(2),3,(4)]}}"},
    {"{\"inputs\":{\"a\":[1,2,\"x\",[3]]}}", "{\"inputs\":{\"a\":[1,2,\"x\",(3)]}}"},
    {"{\"inputs\":{\"a\":[[[1,2],[3,4]],[[5,6],[7]],[[8]]]}}",
     "{\"inputs\":{\"a\":[((1,2),(3,4)),[(5,6),(7)],((8))]}}"},
    {"{\"inputs\":{\"a\":[[[1],[2]],[[3],[4,\"x\"]],[5]]}}",
     "{\"inputs\":{\"a\":[((1),(2)),[(3),[4,\"x\"]],(5)]}}"},
    {"{\"inputs\":{\"a\":[[1],[2],{\"k\":[[3]]},[4]]}}",
     "{\"inputs\":{\"a\":[(1),(2),{\"k\":((3))},(4)]}}"},
    {"{\"inputs\":{\"a\":[],\"b\":[[]],\"c\":[[1],[]],\"d\":[2]}}",
     "{\"inputs\":{\"a\":[],\"b\":[[]],\"c\":[(1),[]],\"d\":(2)}}"},
    {"{\"inputs\":[[[[[[[[[1,2]]]]]]]]]}", "{\"inputs\":[((((((((1,2))))))))]}"},
    {"{\"inputs\":{\"a\":[-0.0,1e-999,12345678901234567890]}}",
     "{\"inputs\":{\"a\":(-0,0,1.2345678901234567e+19)}}"},
    {"{\"a\":\"\\u20ac\\ud83d\\ude00\\/\"}", "{\"a\":\"\xE2\x82\xAC\xF0\x9F\x98\x80/\"}"},
    {"{\"a\":[-9223372036854775808,9223372036854775807]}",
     "{\"a\":[-9223372036854775808,9223372036854775807]}"},
    {"{\"a\":[123456789012345678901.5,1e30]}", "{\"a\":[1.23456789012346e20,1e30]}"},
    {"{\"inputs\":{\"a\":[1,2]},\"b\":[\"tail, [1, 2]\"]}",
     "{\"inputs\":{\"a\":(1,2)},\"b\":[\"tail, [1, 2]\"]}"},
};

static void print_value(const struct tg_json_body *body, json_t *value, struct tg_buf *out)
{
    const struct tg_json_array *array = tg_json_body_array(body, value);
    const char *key;
    json_t *child;
    size_t i, left = json_object_size(value);
    int64_t next = 0;
    if (array) {
        print_array(array, 0, &next, out);
    } else if (json_is_object(value)) {
        tg_buf_puts(out, "{");
        json_object_foreach(value, key, child) {
            tg_buf_json_string(out, key, strlen(key));
            tg_buf_puts(out, ":");
            print_value(body, child, out);
            tg_buf_puts(out, --left ? "," : "");
        }
        tg_buf_puts(out, "}");
    } else if (json_is_array(value)) {
        tg_buf_puts(out, "[");
        json_array_foreach(value, i, child) {
            tg_buf_puts(out, i ? "," : "");
            print_value(body, child, out);
        }
        tg_buf_puts(out, "]");
    } else {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
        tg_buf_puts(out, text);
        free(text);
    }
}

START_TEST(blocks_are_found_and_the_rest_is_kept)
{
    struct tg_json_body body;
    struct tg_buf out;
    char detail[400];
    enum tg_err err = parse(bodies[_i].body, &body, detail, sizeof(detail));
    ck_assert_msg(!err, "%s: %s", bodies[_i].body, detail);
    tg_buf_init(&out, 10000);
    print_value(&body, body.root, &out);
    ck_assert_str_eq(out.p, bodies[_i].want);
    tg_buf_release(&out);
    tg_json_body_release(&body);
}
END_TEST

static const struct {
    const char *body, *detail;
} faults[] = {
    {"", "line 1, column 1: "},
    {"[1]", "line 1, column 1: expected a JSON object"},
    {"{\"a\":1", "line 1, column 7: "},
    {"{\"a\":1}}", "line 1, column 8: text after"},
    {"{\"a\":1,}", "line 1, column 8: "},
    {"{\"a\" 1}", "line 1, column 6: expected ':'"},
    {"{a:1}", "line 1, column 2: "},
    {"{\n\"a\": [1, 2,\n  3 4]}", "line 3, column 5: expected ','"},
    {"{\"inputs\":{\"a\":\n[[1, 2],\n [3, x]]}}", "line 3, column 6: expected a value"},
    {"{\"inputs\":{\"a\":[1,]}}", "line 1, column 19: expected a value"},
    {"{\"inputs\":{\"a\":[[1],]}}", "line 1, column 21: expected a value"},
    {"{\"inputs\":{\"a\":[1,2}}", "line 1, column 20: "},
    {"{\"inputs\":{\"a\":[1e999]}}", "line 1, column 17: this number is too large"},
    {"{\"a\":-1e999}", "line 1, column 6: this number is too large"},
    {"{\"a\":01}", "line 1, column 7: "},
    {"{\"a\":+1}", "line 1, column 6: expected a value"},
    {"{\"a\":tru}", "line 1, column 6: expected a value"},
    {"{\"inputs\":[1,NaN]}", "line 1, column 14: NaN"},
    {"{\"a\":9223372036854775808}", "line 1, column 6: this integer"},
    {"{\"\xC3\xA9\":\"\xFF\"}", "line 1, column 7: this is not UTF-8"},
    {"{\"a\":\"\xED\xA0\x80\"}", "line 1, column 7: this is not UTF-8"},
    {"{\"a\":\"\t\"}", "line 1, column 7: a control character"},
    {"{\"a\":\"\\x\"}", "line 1, column 7: an unknown escape"},
    {"{\"a\":\"\\u12g4\"}", "line 1, column 7: \\u needs"},
    {"{\"a\":\"\\u0000\"}", "line 1, column 7: \\u0000"},
    {"{\"a\":\"\\ud800\"}", "line 1, column 7: half of a surrogate pair"},
    {"{\"a\":\"\\udc00\\ud800\"}", "line 1, column 7: half of a surrogate pair"},
    {"{\"a\":\"x}", "line 1, column 6: this string does not end"},
    {"{\"a\":\"\\", "line 1, column 7: "},
    {"{\"a\":1,\n \"a\":2}", "line 2, column 5: duplicate object key"},
    {"{\"inputs\":{\"a\":[1,2,\n3]},\n\"b\":1, \"b\":2}",
     "line 3, column 11: duplicate object key"},
    {"{\"$tangentd:array\":0}", "line 1, column 2: member names that begin with $tangentd"},
    {"{\"\\u0024tangentd:array\":0}", "line 1, column 2: member names that begin"},
    {"{\"a\":{\"$tangentdx\":0}}", "line 1, column 7: member names that begin"},
};

START_TEST(faults_name_line_and_column)
{
    struct tg_json_body body;
    char detail[400];
    enum tg_err err = parse(faults[_i].body, &body, detail, sizeof(detail));
    ck_assert_msg(err == TG_BAD_JSON, "%s was taken", faults[_i].body);
    ck_assert_msg(!strncmp(detail, faults[_i].detail, strlen(faults[_i].detail)),
                  "%s: \"%s\" instead of \"%s\"", faults[_i].body, detail, faults[_i].detail);
    ck_assert_ptr_null(body.root);
}
END_TEST

static enum tg_err parse_repeated(const char *head, const char *middle, size_t times,
                                  const char *tail, size_t max_numbers)
{
    struct tg_buf text;
    struct tg_json_body body;
    tg_buf_init(&text, 1 << 26);
    tg_buf_puts(&text, head);
    for (size_t i = 0; i < times; i++)
        tg_buf_puts(&text, middle);
    tg_buf_puts(&text, tail);
    enum tg_err err = tg_json_body_parse(text.p, text.n, max_numbers, &body, NULL);
    tg_json_body_release(&body);
    tg_buf_release(&text);
    return err;
}

START_TEST(limits_hold)
{
    ck_assert_int_eq(parse_repeated("{\"inputs\":[0", ",1", 999, "]}", 1000), TG_OK);
    ck_assert_int_eq(parse_repeated("{\"inputs\":[0", ",1", 1000, "]}", 1000), TG_BODY_TOO_LARGE);
    ck_assert_int_eq(parse_repeated("{\"a\":", "[", 31, "0", 0), TG_BAD_JSON);
    ck_assert_int_eq(parse_repeated("{\"inputs\":", "[", 1000000, "", 10), TG_BAD_JSON);
    ck_assert_int_eq(parse_repeated("{\"a\":[0", ",[]", TG_JSON_MAX_VALUES, "]}", 0),
                     TG_BODY_TOO_LARGE);
    ck_assert_int_eq(parse_repeated("{\"inputs\":[\"x\"", ",[1]", TG_JSON_MAX_VALUES, "]}",
                                    1 << 20),
                     TG_BODY_TOO_LARGE);
    ck_assert_int_eq(parse_repeated("{\"inputs\":[[1]", ",[1]", 1 << 20, "]}", 1 << 21), TG_OK);
    struct tg_json_body body;
    const char *deep = "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}";
    ck_assert_int_eq(tg_json_body_parse(deep, strlen(deep), 0, &body, NULL), TG_OK);
    tg_json_body_release(&body);
}
END_TEST

START_TEST(other_documents_keep_their_numbers)
{
    const char *text = "{\"inputs\": [1, 2], \"x\": {\"shape\": [3]}}";
    json_t *root;
    ck_assert_int_eq(tg_json_parse(text, strlen(text), &root, NULL), TG_OK);
    ck_assert_int_eq(json_array_size(json_object_get(root, "inputs")), 2);
    json_decref(root);
    ck_assert_int_eq(tg_json_parse("{\"a\":}", 6, &root, NULL), TG_BAD_JSON);
    ck_assert_ptr_null(root);
}
END_TEST

Suite *json_suite(void)
{
    Suite *suite = suite_create("proto/json");
    TCase *tc = tcase_create("numbers");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, hard_numbers_are_read_like_strtod);
    tcase_add_test(tc, any_double_reads_back_itself);
    tcase_add_test(tc, random_digits_are_read_like_strtod);
    tcase_add_test(tc, halfway_numbers_are_read_like_strtod);
    tcase_add_test(tc, what_is_no_json_number_is_refused);
    suite_add_tcase(suite, tc);
    tc = tcase_create("bodies");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, blocks_are_found_and_the_rest_is_kept, 0,
                        sizeof(bodies) / sizeof(bodies[0]));
    tcase_add_loop_test(tc, faults_name_line_and_column, 0, sizeof(faults) / sizeof(faults[0]));
    tcase_add_test(tc, limits_hold);
    tcase_add_test(tc, other_documents_keep_their_numbers);
    suite_add_tcase(suite, tc);
    return suite;
}

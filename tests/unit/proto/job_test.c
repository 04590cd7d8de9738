/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests: every fault with its pointer, the canonical form, binding. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../suite.h"
#include "toy.h"

Suite *job_suite(void);

#define X_ONLY "\"x\": [[1, 2], [3, 4.5]]"
#define X "\"inputs\": {" X_ONLY "}"
/* np.save of [[1.0, 2.0], [3.0, 4.5]]: its SHA-256, and its bytes in base64. */
#define X_SHA256 "634a95ad47071e397372c7c02c18a96049d5383fafce2e01675d2c97f5353127"
#define X_NPY                                                                            \
    "k05VTVBZAQB2AHsnZGVzY3InOiAnPGY4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzog"   \
    "KDIsIDIpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg"   \
    "ICAgICAgIAoAAAAAAADwPwAAAAAAAABAAAAAAAAACEAAAAAAAAASQA=="

static struct tg_request_spec spec;
static struct tg_report report;

static void expect_fault(const char *body, const char *pointer, const char *detail)
{
    enum tg_err err = toy_decode(body, &spec, &report);
    ck_assert_msg(err == TG_INVALID, "%s: %s", body, tg_err_slug(err));
    const struct tg_fault *fault = toy_fault(&report, pointer);
    ck_assert_msg(fault, "%s: no fault at %s; the first is at %s: %s", body, pointer,
                  report.fault[0].pointer, report.fault[0].detail);
    ck_assert_msg(strstr(fault->detail, detail), "%s: %s", pointer, fault->detail);
    ck_assert_uint_eq(report.count, 1);
    ck_assert_ptr_null(spec.arena);
    ck_assert_ptr_null(spec.canonical);
}

/* One faulty request a row: body, pointer, a part of the detail. */
static const char *const faults[][3] = {
    {"{\"params\": {}}", "/kind", "names the analysis"},
    {"{\"kind\": 7}", "/kind", "names the analysis"},
    {"{\"kind\": \"toi\"}", "/kind", "did you mean `toy`"},
    {"{\"kind\": \"nothing like it\"}", "/kind", "no kind"},
    {"{\"kind\": \"toy\", \"prams\": {}, \"params\": {\"must\": 1}, " X "}", "/prams",
     "did you mean `params`"},
    {"{\"kind\": \"toy\", \"a/b~c\": {}, \"params\": {\"must\": 1}, " X "}", "/a~1b~0c",
     "no member"},
    {"{\"kind\": \"toy\", \"version\": 3, \"params\": {\"must\": 1}, " X "}", "/version",
     "no member"},
    {"{\"kind\": \"toy\", \"params\": [1], " X "}", "/params", "object"},
    {"{\"kind\": \"toy\", \"name\": 1, \"params\": {\"must\": 1}, " X "}", "/name",
     "short"},
    {"{\"kind\": \"toy\", \"priority\": \"hgih\", \"params\": {\"must\": 1}, " X "}",
     "/priority", "did you mean `high`"},
    {"{\"kind\": \"toy\", \"priority\": 1, \"params\": {\"must\": 1}, " X "}",
     "/priority", "word"},
    {"{\"kind\": \"toy\", \"max_run_s\": -1, \"params\": {\"must\": 1}, " X "}",
     "/max_run_s", "seconds"},
    {"{\"kind\": \"toy\", \"max_run_s\": \"9\", \"params\": {\"must\": 1}, " X "}",
     "/max_run_s", "seconds"},
    {"{\"kind\": \"toy\", \"deadline\": \"tomorrow\", \"params\": {\"must\": 1}, " X "}",
     "/deadline", "2030"},
    {"{\"kind\": \"toy\", \"keep\": 1, \"params\": {\"must\": 1}, " X "}", "/keep",
     "retention"},
    {"{\"kind\": \"toy\", \"params\": {\"must\": 1}}", "/inputs/x", "required"},
    {"{\"kind\": \"toy\", " X "}", "/params/must", "required"},
};

START_TEST(test_each_fault_has_its_pointer)
{
    const char *const *row = faults[_i];
    if (!strcmp(row[1], "/params"))
        ck_assert_int_eq(toy_decode(row[0], &spec, &report), TG_INVALID);
    else
        expect_fault(row[0], row[1], row[2]);
    ck_assert_ptr_nonnull(toy_fault(&report, row[1]));
}
END_TEST

/* A faulty parameter a row: JSON of the member, pointer, what is got, what is allowed. */
static const char *const bad_params[][4] = {
    {"\"rank\": 3.5", "/params/rank", "3.5", "integer from 1 to 100"},
    {"\"rank\": 0", "/params/rank", "0", "integer from 1 to 100"},
    {"\"rank\": 101", "/params/rank", "101", "integer from 1 to 100"},
    {"\"rank\": 1e300", "/params/rank", "1e+300", "integer from 1 to 100"},
    {"\"rank\": \"ten\"", "/params/rank", "\"ten\"", "integer from 1 to 100"},
    {"\"rank\": null", "/params/rank", "null", "integer from 1 to 100"},
    {"\"rank\": true", "/params/rank", "true", "integer from 1 to 100"},
    {"\"rank\": {\"a\": 1}", "/params/rank", "object of 1 members",
     "integer from 1 to 100"},
    {"\"share\": 1.0000001", "/params/share", "1.0000001", "number from 0 to 1"},
    {"\"share\": [1]", "/params/share", "array of 1 entries", "number from 0 to 1"},
    {"\"centre\": 1", "/params/centre", "1", "true or false"},
    {"\"method\": \"fats\"", "/params/method", "fats", "exact, fast"},
    {"\"method\": 0", "/params/method", "0", "one of exact, fast"},
    {"\"measures\": \"cka\"", "/params/measures", "\"cka\"",
     "list of distinct names out of cca, cka, svcca"},
    {"\"measures\": [\"cka\", \"cca\", \"cka\"]", "/params/measures/2", "cka", ""},
    {"\"measures\": [\"cka\", \"cac\"]", "/params/measures/1", "cac", "cca, cka, svcca"},
    {"\"label\": \"123456789\"", "/params/label", "\"123456789\"",
     "text, in bytes from 0 to 8"},
    {"\"sizes\": [1, -1]", "/params/sizes/1", "-1", "list, each integer of at least 0"},
    {"\"sizes\": 1", "/params/sizes", "1", "list, each integer of at least 0"},
    {"\"weights\": [2]", "/params/weights/0", "2", "list, each number of at most 1"},
    {"\"tags\": \"ab\"", "/params/tags", "\"ab\"",
     "list of at most 10000 texts, each in bytes from 1 to 4"},
    {"\"tags\": [\"a\", \"\"]", "/params/tags/1", "\"\"",
     "list of at most 10000 texts, each in bytes from 1 to 4"},
    {"\"tags\": [\"abcde\"]", "/params/tags/0", "\"abcde\"",
     "list of at most 10000 texts, each in bytes from 1 to 4"},
    {"\"tags\": [[\"a\"]]", "/params/tags/0", "array of 1 entries",
     "list of at most 10000 texts, each in bytes from 1 to 4"},
    {"\"shares\": 1", "/params/shares", "shares",
     "rank, share, centre, method, measures, label, sizes, weights, tags, must"},
};

START_TEST(test_each_bad_parameter_is_told_with_what_is_allowed)
{
    const char *const *row = bad_params[_i];
    char body[512];
    snprintf(body, sizeof(body),
             "{\"kind\": \"toy\", \"params\": {\"must\": 1, %s}, " X "}", row[0]);
    expect_fault(body, row[1], "");
    ck_assert_str_eq(report.fault[0].got, row[2]);
    ck_assert_str_eq(report.fault[0].allowed, row[3]);
}
END_TEST

/* A faulty array a row: JSON of the member "inputs", pointer, a part of the detail. */
static const char *const bad_inputs[][3] = {
    {"{\"x\": [[1, 2], [3]]}", "/inputs/x/1", "equally long"},
    {"{\"x\": [[1, 2], [3, \"a\"]]}", "/inputs/x/1/1", "numbers only"},
    {"{\"x\": [[1, 2], null]}", "/inputs/x/1", "numbers only"},
    {"{\"x\": \"a\"}", "/inputs/x", "not an array"},
    {"{\"x\": 3}", "/inputs/x", "not an array"},
    {"{\"x\": {\"sha256\": \"../../etc/passwd\"}}", "/inputs/x/sha256", "SHA-256"},
    {"{\"x\": {\"sha256\": \"" X_SHA256 "\", \"key\": 1}}", "/inputs/x/key", "member"},
    {"{\"x\": {\"npy\": \"" X_NPY "\", \"key\": \"a\"}}", "/inputs/x", "goes with"},
    {"{\"x\": {}}", "/inputs/x", "one way"},
    {"{\"x\": {\"sha256\": \"" X_SHA256 "\", \"npy\": \"" X_NPY "\"}}", "/inputs/x",
     "one way"},
    {"{\"x\": {\"npy\": \"!\"}}", "/inputs/x", "base64"},
    {"{\"x\": {\"npy\": [[1]]}}", "/inputs/x", "base64"},
    {"{\"x\": [[1]], \"layer\": [[[1]]]}", "/inputs/layer", "did you mean `layers`"},
    {"{\"x\": [[1]], \"layers\": 3}", "/inputs/layers", "list of arrays"},
    {"{\"x\": [[1]], \"layers\": [1, 2]}", "/inputs/layers", "list of arrays"},
    {"{\"x\": [[1]], \"layers\": {}}", "/inputs/layers", "1 to 4 arrays"},
    {"{\"x\": [[1]], \"layers\": [[1], [2], [3], [4], [5]]}", "/inputs/layers",
     "1 to 4 arrays"},
    {"{\"x\": [[1]], \"layers\": [{\"name\": \"a\", \"data\": [1]}, {\"name\": \"a\","
     " \"data\": [1]}]}",
     "/inputs/layers/1", "named `a`"},
    {"{\"x\": [[1]], \"layers\": [{\"data\": [1]}, {\"name\": \"0\", \"data\": [1]}]}",
     "/inputs/layers/1", "named `0`"},
    {"{\"x\": [[1]], \"layers\": [{\"name\": 4, \"data\": [1]}]}",
     "/inputs/layers/0/name", "short text"},
    {"{\"x\": [[1]], \"layers\": {\"a/b\": \"no\"}}", "/inputs/layers/a~1b",
     "not an array"},
    {"{\"x\": [[1]], \"layers\": [{\"date\": [1]}]}", "/inputs/layers/0/date",
     "did you mean `data`"},
    {"{\"x\": {\"sha256\": \"" X_SHA256 "\", \"step\": 1}}", "/inputs/x/step",
     "no `step` here"},
    {"{\"x\": [[1]], \"layers\": [{\"model\": \"m\", \"data\": [1]}]}",
     "/inputs/layers/0/model", "whose input has labels"},
    {"{\"x\": [[1]], \"runs\": {\"a\": {\"sha256\": \"" X_SHA256 "\", \"step\": 1}}}",
     "/inputs/runs/a/step", "no `step` here"},
    {"{\"x\": [[1]], \"runs\": [{\"step\": -1, \"data\": [1]}]}", "/inputs/runs/0/step",
     "training step"},
    {"{\"x\": [[1]], \"runs\": [{\"step\": 1.5, \"data\": [1]}]}", "/inputs/runs/0/step",
     "training step"},
    {"{\"x\": [[1]], \"runs\": [{\"step\": 1e16, \"data\": [1]}]}",
     "/inputs/runs/0/step", "training step"},
    {"{\"x\": [[1]], \"runs\": [{\"step\": \"1\", \"data\": [1]}]}",
     "/inputs/runs/0/step", "training step"},
    {"{\"x\": [[1]], \"runs\": [{\"model\": \"\", \"data\": [1]}]}",
     "/inputs/runs/0/model", "name of a model"},
    {"{\"x\": [[1]], \"runs\": [{\"model\": 1, \"data\": [1]}]}",
     "/inputs/runs/0/model", "name of a model"},
    {"{\"x\": [[1]], \"runs\": [{\"stp\": 1, \"data\": [1]}]}", "/inputs/runs/0/stp",
     "did you mean `step`"},
    {"{\"x\": [[1]], \"runs\": [{\"name\": \"a\", \"data\": [1]},"
     " {\"name\": \"a\", \"step\": 0, \"data\": [1]},"
     " {\"name\": \"a\", \"step\": 0.0, \"data\": [2]}]}",
     "/inputs/runs/2", "named `a` at step 0"},
    {"{\"x\": [[1]], \"runs\": [{\"name\": \"a\", \"model\": \"m\", \"step\": 7,"
     " \"data\": [1]}, {\"name\": \"a\", \"model\": \"n\", \"step\": 7, \"data\": [1]},"
     " {\"name\": \"a\", \"model\": \"m\", \"step\": 7, \"data\": [1]}]}",
     "/inputs/runs/2", "named `a` of model `m` at step 7"},
};

START_TEST(test_each_bad_array_is_told)
{
    const char *const *row = bad_inputs[_i];
    char body[1024];
    snprintf(body, sizeof(body),
             "{\"kind\": \"toy\", \"params\": {\"must\": 1}, \"inputs\": %s}", row[0]);
    ck_assert_int_eq(toy_decode(body, &spec, &report), TG_INVALID);
    const struct tg_fault *fault = toy_fault(&report, row[1]);
    ck_assert_msg(fault, "%s: the first fault is at %s: %s", row[0],
                  report.fault[0].pointer, report.fault[0].detail);
    ck_assert_msg(strstr(fault->detail, row[2]), "%s", fault->detail);
}
END_TEST

START_TEST(test_all_faults_are_told_at_once)
{
    static const char *const pointers[] = {
        "/colour",      "/priority", "/max_run_s", "/params/rank",    "/params/oops",
        "/params/must", "/inputs/x", "/inputs/y",  "/inputs/layers/0"};
    ck_assert_int_eq(
        toy_decode("{\"kind\": \"toy\", \"colour\": 1, \"priority\": \"x\","
                   " \"max_run_s\": 0, \"params\": {\"rank\": 0, \"oops\": 1},"
                   " \"inputs\": {\"y\": [[1]], \"layers\": [\"a\"]}}",
                   &spec, &report),
        TG_INVALID);
    for (size_t i = 0; i < sizeof(pointers) / sizeof(pointers[0]); i++)
        ck_assert_msg(toy_fault(&report, pointers[i]), "%s is not told", pointers[i]);
    ck_assert_uint_eq(report.count, sizeof(pointers) / sizeof(pointers[0]));
}
END_TEST

START_TEST(test_an_unreadable_npy_is_told_apart)
{
    const char *body =
        "{\"kind\": \"toy\", \"params\": {\"must\": 1}, \"inputs\": {\"x\":"
        " {\"npy\": \"AAAA\"}}}";
    ck_assert_int_eq(toy_decode(body, &spec, &report), TG_BAD_ARRAY);
    ck_assert_ptr_nonnull(toy_fault(&report, "/inputs/x"));
}
END_TEST

START_TEST(test_arrays_over_the_limit_are_refused)
{
    static char body[8192];
    size_t n = (size_t)snprintf(body, sizeof(body),
                                "{\"kind\": \"toy\", \"params\": {\"must\": 1},"
                                " \"inputs\": {\"x\": [[0");
    for (int i = 0; i < 600; i++)
        n += (size_t)snprintf(body + n, sizeof(body) - n, ",%d", i);
    snprintf(body + n, sizeof(body) - n, "]]}}");
    ck_assert_int_eq(toy_decode(body, &spec, &report), TG_BODY_TOO_LARGE);
    ck_assert_ptr_nonnull(toy_fault(&report, "/inputs/x"));
}
END_TEST

START_TEST(test_a_request_is_decoded_with_its_defaults)
{
    ck_assert_int_eq(
        toy_decode("{\"kind\": \"toy\", \"name\": \"n\", \"priority\": \"low\", "
                   "\"max_run_s\": 2,"
                   " \"deadline\": \"2030-01-31T12:00:00.5+01:00\", \"keep\": true,"
                   " \"params\": {\"must\": 2, \"rank\": 3.0, \"method\": \"fast\","
                   " \"measures\": [\"svcca\"], \"label\": \"hi\", \"sizes\": []}, " X
                   "}",
                   &spec, &report),
        TG_OK);
    const struct toy_params *p = spec.params;
    ck_assert_int_eq(p->rank, 3);
    ck_assert_double_eq(p->share, 0.99);
    ck_assert(p->centre);
    ck_assert_int_eq(p->method, 1);
    ck_assert_uint_eq(p->measures, 4);
    ck_assert_str_eq(p->label, "hi");
    ck_assert_uint_eq(p->sizes.n, 0);
    ck_assert_uint_eq(p->weights.n, 1);
    ck_assert_double_eq(p->weights.v[0], 0.5);
    ck_assert_double_eq(p->must, 2);
    ck_assert_str_eq(spec.name, "n");
    ck_assert_int_eq(spec.priority, TG_PRIORITY_LOW);
    ck_assert_double_eq(spec.max_run_s, 2);
    ck_assert_double_eq(spec.deadline,
                        1896087600.5); /* date -ud 2030-01-31T11:00:00 +%s */
    ck_assert(spec.keep);
    ck_assert_uint_eq(spec.nblobs, 1);
    ck_assert_str_eq(spec.blob[0].sha256, X_SHA256);
    tg_request_spec_release(&spec);
}
END_TEST

static const char canonical[] =
    "{\"inputs\":{\"layers\":[{\"name\":\"0\",\"sha256\":\"" X_SHA256 "\"},"
    "{\"key\":\"k\",\"name\":\"b\",\"sha256\":\"" X_SHA256 "\"}],"
    "\"x\":{\"sha256\":\"" X_SHA256 "\"}},\"kind\":\"toy\",\"params\":{\"centre\":true,"
    "\"label\":\"\",\"measures\":[\"cca\",\"cka\"],\"method\":\"exact\",\"must\":1,"
    "\"rank\":10,\"share\":0.1,\"sizes\":[1,2],\"tags\":[\"ab\"],\"weights\":[0.5]},\"version\":3}";

/* The same job in many coats. */
static const char *const same[] = {
    "{\"kind\": \"toy\", \"params\": {\"must\": 1, \"share\": 0.1}, \"inputs\": {\"x\": "
    "[[1, 2],"
    " [3, 4.5]], \"layers\": [[[1, 2], [3, 4.5]], {\"name\": \"b\", \"sha256\": "
    "\"" X_SHA256 "\", \"key\": \"k\"}]}}",
    "{\"inputs\":{\"layers\":{\"0\":{\"npy\":\"" X_NPY
    "\"},\"b\":{\"key\":\"k\",\"sha256\":\"" X_SHA256 "\"}},\"x\":{\"sha256\":\"" X_SHA256
    "\"}},\"params\":{\"share\":1e-1,\"must\":1.0,"
    "\"rank\":1e1},\"kind\":\"toy\"}",
    "{\"name\": \"a name\", \"priority\": \"high\", \"keep\": true, \"deadline\": 2e9,"
    " \"kind\": \"toy\", \"params\": {\"measures\": [\"cca\", \"cka\"], \"must\": 1, "
    "\"share\":"
    " 0.10}, \"inputs\": {\"x\": {\"npy\": \"" X_NPY
    "\"}, \"layers\": [{\"data\": [[1.0, 2e0],"
    " [3, 45e-1]]}, {\"name\": \"b\", \"sha256\": \"" X_SHA256 "\", \"key\": \"k\"}]}}",
};

START_TEST(test_one_job_has_one_canonical_form)
{
    char hex[TG_SHA256_HEX];
    ck_assert_msg(toy_decode(same[_i], &spec, &report) == TG_OK, "%s: %s",
                  report.fault[0].pointer, report.detail);
    ck_assert_str_eq(spec.canonical, canonical);
    tg_sha256_hex(canonical, strlen(canonical), hex);
    ck_assert_str_eq(spec.hash, hex);
    tg_request_spec_release(&spec);
}
END_TEST

START_TEST(test_a_block_of_arrays_is_a_list)
{
    ck_assert_int_eq(
        toy_decode("{\"kind\": \"toy\", \"params\": {\"must\": 1}, \"inputs\": {\"x\":"
                   " [[1]], \"layers\": [[[0, 0], [0, 0]], [[1, 2], [3, 4.5]]]}}",
                   &spec, &report),
        TG_OK);
    ck_assert_uint_eq(spec.inputs[1].n, 2);
    ck_assert_str_eq(spec.inputs[1].ref[1].name, "1");
    ck_assert_str_eq(spec.inputs[1].ref[1].pointer, "/inputs/layers/1");
    ck_assert_str_eq(spec.inputs[1].ref[1].sha256, X_SHA256);
    tg_request_spec_release(&spec);
}
END_TEST

static const char labelled[] =
    "{\"inputs\":{\"runs\":[{\"model\":\"b\",\"name\":\"0\",\"sha256\":\"" X_SHA256
    "\",\"step\":9007199254740992},{\"key\":\"w\",\"name\":\"a\",\"sha256\":\"" X_SHA256
    "\"},{\"name\":\"a\",\"sha256\":\"" X_SHA256 "\",\"step\":0},{\"model\":\"b\",\"name\":"
    "\"a\",\"sha256\":\"" X_SHA256 "\",\"step\":0}],\"x\":{\"sha256\":\"" X_SHA256 "\"}},"
    "\"kind\":\"toy\",\"params\":{\"centre\":true,\"label\":\"\",\"measures\":[\"cca\","
    "\"cka\"],\"method\":\"exact\",\"must\":1,\"rank\":10,\"share\":0.99,\"sizes\":[1,2],"
    "\"tags\":[\"b\",\"\\u0001\\\"\",\"b\"],\"weights\":[0.5]},\"version\":3}";

/* One name at several steps and of several models, and texts in the order given. */
START_TEST(test_labels_and_texts_are_in_the_canonical_form)
{
    ck_assert_msg(
        toy_decode("{\"kind\": \"toy\", \"params\": {\"tags\": [\"b\", \"\\u0001\\\"\","
                   " \"b\"], \"must\": 1}, \"inputs\": {" X_ONLY ", \"runs\": ["
                   "{\"data\": [[1, 2], [3, 4.5]], \"step\": 9007199254740992,"
                   " \"model\": \"b\"},"
                   " {\"sha256\": \"" X_SHA256 "\", \"key\": \"w\", \"name\": \"a\"},"
                   " {\"npy\": \"" X_NPY "\", \"name\": \"a\", \"step\": 0e0},"
                   " {\"npy\": \"" X_NPY "\", \"name\": \"a\", \"step\": 0,"
                   " \"model\": \"b\"}]}}",
                   &spec, &report) == TG_OK,
        "%s: %s", report.fault[0].pointer, report.detail);
    ck_assert_str_eq(spec.canonical, labelled);
    tg_request_spec_release(&spec);
    tg_report_init(&report);
    ck_assert_int_eq(
        tg_request_from_canonical_with(&toy_kinds, labelled, &spec, &report), TG_OK);
    ck_assert_str_eq(spec.canonical, labelled);
    const struct tg_string_list *tags = &((const struct toy_params *)spec.params)->tags;
    const struct tg_ref *ref = spec.inputs[2].ref;
    ck_assert_uint_eq(tags->n, 3);
    ck_assert_str_eq(tags->v[1], "\x01\"");
    ck_assert_int_eq(ref[0].step, INT64_C(1) << 53);
    ck_assert_str_eq(ref[0].model, "b");
    ck_assert_int_eq(ref[1].step, -1);
    ck_assert_ptr_null(ref[1].model);
    ck_assert_int_eq(ref[2].step, 0);
    ck_assert_int_eq(spec.inputs[0].ref->step, -1);
    tg_request_spec_release(&spec);
}
END_TEST

START_TEST(test_a_list_of_texts_has_a_limit)
{
    static char body[8 * (TG_STRING_LIST_MAX + 1) + 200];
    static const size_t counts[] = {TG_STRING_LIST_MAX, TG_STRING_LIST_MAX + 1};
    for (size_t k = 0; k < 2; k++) {
        size_t n = (size_t)snprintf(body, sizeof(body),
                                    "{\"kind\": \"toy\", " X ", \"params\": {\"must\": 1, "
                                    "\"tags\": [\"a\"");
        for (size_t i = 1; i < counts[k]; i++)
            n += (size_t)snprintf(body + n, sizeof(body) - n, ",\"a\"");
        snprintf(body + n, sizeof(body) - n, "]}}");
        if (k)
            expect_fault(body, "/params/tags", "at most 10000 texts");
        else
            ck_assert_int_eq(toy_decode(body, &spec, &report), TG_OK);
        tg_request_spec_release(&spec);
    }
}
END_TEST

START_TEST(test_the_canonical_form_is_read_back)
{
    tg_report_init(&report);
    ck_assert_int_eq(
        tg_request_from_canonical_with(&toy_kinds, canonical, &spec, &report), TG_OK);
    ck_assert_str_eq(spec.canonical, canonical);
    ck_assert_double_eq(((const struct toy_params *)spec.params)->share, 0.1);
    ck_assert_str_eq(spec.inputs[1].ref[1].key, "k");
    ck_assert_uint_eq(spec.nblobs, 0);
    tg_request_spec_release(&spec);
}
END_TEST

START_TEST(test_faults_may_be_thrown_away)
{
    static const struct tg_decode_limits limits = {10, 100};
    ck_assert_int_eq(tg_request_decode_with(&toy_kinds, "{}", 2, &limits, &spec, NULL),
                     TG_INVALID);
    ck_assert_int_eq(tg_request_decode_with(&toy_kinds, "{", 1, &limits, &spec, NULL),
                     TG_BAD_JSON);
}
END_TEST

/* Binding -------------------------------------------------------------------------- */

static struct tg_job job;
static struct toy_store store;

static enum tg_err bind(const char *inputs, const void *bytes, size_t n)
{
    char body[1024];
    store = (struct toy_store){&spec, bytes, n, "", 0, 0};
    if (bytes)
        tg_sha256_hex(bytes, n, store.sha256);
    snprintf(body, sizeof(body),
             "{\"kind\": \"toy\", \"params\": {\"must\": 1, \"rank\": 2},"
             " \"inputs\": %s}",
             inputs);
    ck_assert_msg(toy_decode(body, &spec, &report) == TG_OK, "%s: %s",
                  report.fault[0].pointer, report.detail);
    struct tg_opener opener = toy_opener(&store);
    return tg_job_bind(&spec, &opener, false, 1 << 20, &job, &report);
}

START_TEST(test_binding_opens_each_digest_once)
{
    ck_assert_int_eq(
        bind("{\"x\": [[1, 2], [3, 4.5]], \"layers\": {\"p\": [[1, 2], [3, 4.5]],"
             " \"q\": [[1, 2, 3]]}}",
             NULL, 0),
        TG_OK);
    ck_assert_int_eq(store.opened, 2);
    ck_assert_double_eq(tg_mat_at(&tg_job_input(&job, "x")->array->mat, 3), 4.5);
    ck_assert_uint_eq(tg_job_input(&job, "layers")->n, 2);
    ck_assert_str_eq(tg_job_input(&job, "layers")->array[0].name, "p");
    ck_assert_int_eq(tg_job_input(&job, "layers")->array[1].mat.shape[1], 3);
    tg_job_release(&job);
    ck_assert_int_eq(store.closed, 2);
    tg_request_spec_release(&spec);
}
END_TEST

static void expect_bind_fault(const char *inputs, const void *bytes, size_t n,
                              enum tg_err code, const char *pointer, const char *detail)
{
    enum tg_err err = bind(inputs, bytes, n);
    ck_assert_msg(err == code, "%s: %s", inputs, tg_err_slug(err));
    ck_assert_uint_eq(report.count, 1);
    ck_assert_str_eq(report.fault[0].pointer, pointer);
    ck_assert_msg(strstr(report.fault[0].detail, detail), "%s", report.fault[0].detail);
    ck_assert_int_eq(store.opened, store.closed);
    tg_request_spec_release(&spec);
}

START_TEST(test_binding_tells_what_is_wrong_with_an_array)
{
    expect_bind_fault(
        "{\"x\": {\"sha256\": \"0000000000000000000000000000000000000000000000000000"
        "000000000000\"}}",
        NULL, 0, TG_UNKNOWN_DATA, "/inputs/x", "PUT /v1/data/000");
    expect_bind_fault("{\"x\": [1, 2]}", NULL, 0, TG_INVALID, "/inputs/x",
                      "2 dimensions");
    expect_bind_fault("{\"x\": [[1, 2]], \"layers\": [[[[1]]]]}", NULL, 0, TG_INVALID,
                      "/inputs/layers/0", "1 to 2 dimensions");
    expect_bind_fault("{\"x\": [[1]]}", NULL, 0, TG_INVALID, "/params/rank", "columns");
}
END_TEST

START_TEST(test_an_empty_array_is_refused)
{
    static const double none[1];
    struct tg_mat mat;
    struct tg_buf npy;
    char inputs[128], hex[TG_SHA256_HEX];
    tg_buf_init(&npy, 4096);
    ck_assert(tg_mat_init(&mat, none, TG_F64, 2, (const int64_t[]){0, 3}, false));
    tg_npy_write(&mat, &npy);
    tg_sha256_hex(npy.p, npy.n, hex);
    snprintf(inputs, sizeof(inputs), "{\"x\": {\"sha256\": \"%s\"}}", hex);
    expect_bind_fault(inputs, npy.p, npy.n, TG_INVALID, "/inputs/x", "empty");
    tg_buf_release(&npy);
}
END_TEST

static void make_npz(struct tg_buf *npz, char hex[TG_SHA256_HEX])
{
    static const double numbers[] = {1, 2, 3, 4};
    static const char *const names[] = {"first", "second"};
    struct tg_mat mats[2];
    ck_assert(tg_mat_init(&mats[0], numbers, TG_F64, 2, (const int64_t[]){2, 2}, false));
    ck_assert(tg_mat_init(&mats[1], numbers, TG_F64, 2, (const int64_t[]){1, 4}, false));
    tg_buf_init(npz, 4096);
    ck_assert_int_eq(tg_npz_write(names, mats, 2, npz), TG_OK);
    tg_sha256_hex(npz->p, npz->n, hex);
}

START_TEST(test_a_key_names_a_member)
{
    struct tg_buf npz;
    char inputs[400], hex[TG_SHA256_HEX];
    make_npz(&npz, hex);
    snprintf(inputs, sizeof(inputs), "{\"x\": {\"sha256\": \"%s\"}}", hex);
    expect_bind_fault(inputs, npz.p, npz.n, TG_INVALID, "/inputs/x/key", "2 arrays");
    ck_assert_str_eq(report.fault[0].allowed, "first, second");
    snprintf(inputs, sizeof(inputs), "{\"x\": {\"sha256\": \"%s\", \"key\": \"secnod\"}}",
             hex);
    expect_bind_fault(inputs, npz.p, npz.n, TG_INVALID, "/inputs/x/key",
                      "did you mean `second`");
    snprintf(inputs, sizeof(inputs),
             "{\"x\": {\"sha256\": \"%s\", \"key\": \"second\"}, \"layers\": "
             "[{\"sha256\": \"%s\","
             " \"key\": \"first\"}]}",
             hex, hex);
    ck_assert_int_eq(bind(inputs, npz.p, npz.n), TG_OK);
    ck_assert_int_eq(tg_job_input(&job, "x")->array->mat.shape[1], 4);
    ck_assert_int_eq(tg_job_input(&job, "layers")->array->mat.shape[1], 2);
    ck_assert_int_eq(store.opened, 1);
    tg_job_release(&job);
    tg_request_spec_release(&spec);
    tg_buf_release(&npz);
}
END_TEST

START_TEST(test_csv_is_decoded_under_the_limit)
{
    static const char csv[] = "1,2\n3,4.5\n";
    char inputs[128], hex[TG_SHA256_HEX];
    tg_sha256_hex(csv, strlen(csv), hex);
    snprintf(inputs, sizeof(inputs), "{\"x\": {\"sha256\": \"%s\"}}", hex);
    ck_assert_int_eq(bind(inputs, csv, strlen(csv)), TG_OK);
    ck_assert_uint_eq(job.decoded_bytes, 4 * sizeof(double));
    ck_assert_double_eq(tg_mat_at(&tg_job_input(&job, "x")->array->mat, 3), 4.5);
    tg_job_release(&job);
    struct tg_opener opener = toy_opener(&store);
    tg_report_init(&report);
    ck_assert_int_eq(tg_job_bind(&spec, &opener, true, 1 << 20, &job, &report), TG_OK);
    ck_assert_ptr_null(tg_job_input(&job, "x")->array->mat.data);
    ck_assert_uint_eq(job.decoded_bytes, 4 * sizeof(double));
    tg_job_release(&job);
    ck_assert_int_eq(tg_job_bind(&spec, &opener, false, 31, &job, &report), TG_NOMEM);
    tg_request_spec_release(&spec);
}
END_TEST

Suite *job_suite(void)
{
    Suite *suite = suite_create("job");
    TCase *faulty = tcase_create("faults");
    tcase_add_loop_test(faulty, test_each_fault_has_its_pointer, 0,
                        sizeof(faults) / sizeof(faults[0]));
    tcase_add_loop_test(faulty, test_each_bad_parameter_is_told_with_what_is_allowed, 0,
                        sizeof(bad_params) / sizeof(bad_params[0]));
    tcase_add_loop_test(faulty, test_each_bad_array_is_told, 0,
                        sizeof(bad_inputs) / sizeof(bad_inputs[0]));
    tcase_add_test(faulty, test_all_faults_are_told_at_once);
    tcase_add_test(faulty, test_an_unreadable_npy_is_told_apart);
    tcase_add_test(faulty, test_arrays_over_the_limit_are_refused);
    tcase_add_test(faulty, test_faults_may_be_thrown_away);
    suite_add_tcase(suite, faulty);
    TCase *form = tcase_create("form");
    tcase_add_test(form, test_a_request_is_decoded_with_its_defaults);
    tcase_add_loop_test(form, test_one_job_has_one_canonical_form, 0,
                        sizeof(same) / sizeof(same[0]));
    tcase_add_test(form, test_a_block_of_arrays_is_a_list);
    tcase_add_test(form, test_labels_and_texts_are_in_the_canonical_form);
    tcase_add_test(form, test_a_list_of_texts_has_a_limit);
    tcase_add_test(form, test_the_canonical_form_is_read_back);
    suite_add_tcase(suite, form);
    TCase *binding = tcase_create("binding");
    tcase_add_test(binding, test_binding_opens_each_digest_once);
    tcase_add_test(binding, test_binding_tells_what_is_wrong_with_an_array);
    tcase_add_test(binding, test_an_empty_array_is_refused);
    tcase_add_test(binding, test_a_key_names_a_member);
    tcase_add_test(binding, test_csv_is_decoded_under_the_limit);
    suite_add_tcase(suite, binding);
    return suite;
}

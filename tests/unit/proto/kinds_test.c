/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every kind: its table, its example from text to result, and what it refuses. */
#include "proto/kind.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/job.h"
#include "proto/result.h"
#include "../suite.h"

Suite *kinds_suite(void);

static const struct tg_decode_limits limits = {.max_numbers = 1 << 20,
                                               .max_inline_bytes = 1 << 24};

static enum tg_err open_blob(void *self, const char *sha256, const void **bytes,
                             size_t *n, void **handle)
{
    const struct tg_request_spec *spec = self;
    *handle = NULL;
    for (size_t i = 0; i < spec->nblobs; i++)
        if (!strcmp(spec->blob[i].sha256, sha256)) {
            *bytes = spec->blob[i].bytes;
            *n = spec->blob[i].n;
            return TG_OK;
        }
    return TG_UNKNOWN_DATA;
}

static void close_blob(void *self, void *handle)
{
    (void)self;
    (void)handle;
}

/* A request and everything that comes of it. */
struct work {
    struct tg_request_spec spec;
    struct tg_job job;
    struct tg_arena *arena;
    struct tg_result result;
    struct tg_report report;
};

static enum tg_err bind(struct work *work, const char *text)
{
    tg_report_init(&work->report);
    TG_TRY(tg_request_decode(text, strlen(text), &limits, &work->spec, &work->report));
    struct tg_opener opener = {
        .self = &work->spec, .open = open_blob, .close = close_blob};
    enum tg_err err =
        tg_job_bind(&work->spec, &opener, false, 0, &work->job, &work->report);
    if (err)
        tg_request_spec_release(&work->spec);
    return err;
}

/* Runs a bound job in an arena of exactly its estimate. */
static enum tg_err run(struct work *work)
{
    struct tg_cost cost;
    const struct tg_kind *kind = work->job.kind;
    ck_assert_int_eq(kind->estimate(&work->job, 1, &cost), TG_OK);
    ck_assert_double_gt(cost.flops, 0);
    ck_assert_double_gt(cost.read_bytes, 0);
    work->arena = tg_arena_new(cost.peak_bytes);
    ck_assert_ptr_nonnull(work->arena);
    ck_assert_int_eq(tg_result_init(&work->result), TG_OK);
    struct tg_ctx ctx = {.arena = work->arena, .lanes = 1};
    enum tg_err err = kind->run(&work->job, &ctx, &work->result);
    ck_assert_uint_eq(tg_arena_high_water(work->arena), cost.peak_bytes);
    return err;
}

static void require_run(struct work *work, const char *text)
{
    enum tg_err err = bind(work, text);
    ck_assert_msg(err == TG_OK, "%s %s", work->report.fault[0].pointer,
                  work->report.detail);
    ck_assert_int_eq(run(work), TG_OK);
}

static void release(struct work *work)
{
    tg_result_release(&work->result);
    tg_job_release(&work->job);
    tg_request_spec_release(&work->spec);
    tg_arena_free(work->arena);
}

static void assert_fault(const char *text, const char *pointer, const char *part)
{
    struct work work;
    enum tg_err err = bind(&work, text);
    ck_assert_msg(err == TG_INVALID, "%s was taken", text);
    for (size_t i = 0; i < work.report.count; i++)
        if (!strcmp(work.report.fault[i].pointer, pointer) &&
            strstr(work.report.fault[i].detail, part))
            return;
    ck_abort_msg("no fault \"%s\" at %s, but: %s (%s)", part, pointer, work.report.detail,
                 work.report.fault[0].pointer);
}

static bool has_warning(const struct tg_result *result, const char *code)
{
    size_t i;
    json_t *warning;
    json_array_foreach(
        result->warnings, i,
        warning) if (!strcmp(json_string_value(json_object_get(warning, "code")),
                             code)) return true;
    return false;
}

/* Whether the result holds the output; an output that only exists on request may be
 * missing. */
static bool holds(const struct tg_result *result, const struct tg_output *output)
{
    switch (output->where) {
    case TG_OUT_VALUE:
        return json_object_get(result->values, output->name);
    case TG_OUT_QUALITY:
        return json_object_get(result->quality, output->name);
    case TG_OUT_ARRAY:
        for (size_t i = 0; i < result->narrays; i++)
            if (!strcmp(result->array[i].name, output->name))
                return true;
        return false;
    case TG_OUT_FIGURE:
        for (size_t i = 0; i < result->nfigures; i++)
            if (!strcmp(result->figure[i].name, output->name))
                return true;
        return false;
    }
    return false;
}

static bool is_declared(const struct tg_kind *kind, enum tg_output_where where,
                        const char *name)
{
    for (size_t i = 0; i < kind->noutputs; i++)
        if (kind->outputs[i].where == where && !strcmp(kind->outputs[i].name, name))
            return true;
    return false;
}

START_TEST(kinds_are_sorted_and_told)
{
    for (size_t i = 0; i < tg_nkinds; i++) {
        const struct tg_kind *kind = tg_kinds[i];
        ck_assert_ptr_eq(tg_kind_find(kind->name), kind);
        ck_assert(i == 0 || strcmp(tg_kinds[i - 1]->name, kind->name) < 0);
        ck_assert(*kind->title && *kind->summary && *kind->reference);
        for (size_t k = 0; k < kind->nparams; k++)
            ck_assert_msg(*kind->params[k].help, "%s.%s", kind->name,
                          kind->params[k].name);
        for (size_t k = 0; k < kind->noutputs; k++)
            ck_assert_msg(*kind->outputs[k].help, "%s.%s", kind->name,
                          kind->outputs[k].name);
    }
    ck_assert_ptr_null(tg_kind_find("nothing"));
}
END_TEST

START_TEST(the_example_runs_and_gives_what_the_table_says)
{
    const struct tg_kind *kind = tg_kinds[_i];
    struct work work;
    require_run(&work, kind->example);
    ck_assert_ptr_eq(work.job.kind, kind);
    for (size_t i = 0; i < kind->noutputs; i++)
        if (!strstr(kind->outputs[i].help, "ith `")) /* with an option only */
            ck_assert_msg(holds(&work.result, &kind->outputs[i]), "%s lacks %s",
                          kind->name, kind->outputs[i].name);
    const char *name;
    json_t *value;
    json_object_foreach(work.result.values, name, value) ck_assert_msg(
        is_declared(kind, TG_OUT_VALUE, name) && !json_is_null(value), "%s", name);
    json_object_foreach(work.result.quality, name, value)
        ck_assert_msg(is_declared(kind, TG_OUT_QUALITY, name), "%s", name);
    for (size_t i = 0; i < work.result.narrays; i++)
        ck_assert(is_declared(kind, TG_OUT_ARRAY, work.result.array[i].name));
    for (size_t i = 0; i < work.result.nfigures; i++)
        ck_assert(is_declared(kind, TG_OUT_FIGURE, work.result.figure[i].name));
    ck_assert_uint_eq(json_array_size(work.result.warnings), 0);
    release(&work);
}
END_TEST

#define A8 "[[0,1],[1,0],[2,5],[3,1],[4,4],[5,2],[6,6],[7,0]]"

START_TEST(svcca_refuses_what_it_cannot_compare)
{
    assert_fault("{\"kind\":\"svcca\",\"inputs\":{}}", "/inputs", "Nothing to compare");
    assert_fault("{\"kind\":\"svcca\",\"inputs\":{\"a\":" A8 "}}", "/inputs/b",
                 "missing");
    assert_fault("{\"kind\":\"svcca\",\"inputs\":{\"b\":" A8 "}}", "/inputs/a",
                 "missing");
    assert_fault("{\"kind\":\"svcca\",\"inputs\":{\"a\":" A8 ",\"b\":" A8
                 ",\"layers\":[" A8 "," A8 "]}}",
                 "/inputs", "not both");
    assert_fault("{\"kind\":\"svcca\",\"inputs\":{\"layers\":[" A8 "]}}",
                 "/inputs/layers", "at least two");
    assert_fault("{\"kind\":\"svcca\",\"inputs\":{\"layers\":[" A8
                 ",[[1],[2],[3],[4],[5]]]}}",
                 "/inputs/layers/1", "same samples");
    assert_fault("{\"kind\":\"svcca\",\"inputs\":{\"layers\":{\"x\":" A8
                 ",\"y/z\":[[1],[2],[3],[4],[5]]}}}",
                 "/inputs/layers/y~1z", "same samples");
    assert_fault("{\"kind\":\"svcca\",\"inputs\":{\"a\":" A8 ",\"b\":[[1],[2],[3]]}}",
                 "/inputs/b", "at least 4");
    assert_fault("{\"kind\":\"svcca\",\"inputs\":{\"a\":" A8
                 ",\"b\":[[1,2,3,4,5],[1,2,3,4,5],[1,2,3,4,5],[1,2,3,4,5]]}}",
                 "/inputs/b", "Transpose");
    assert_fault("{\"kind\":\"svcca\",\"params\":{\"measures\":[]},\"inputs\":{\"a\":" A8
                 ",\"b\":" A8 "}}",
                 "/params/measures", "at least one");
    assert_fault(
        "{\"kind\":\"svcca\",\"params\":{\"threshold\":1.5},\"inputs\":{\"a\":" A8
        ",\"b\":" A8 "}}",
        "/params/threshold", "");
}
END_TEST

#define CUBE "[[[1,2]],[[2,0]],[[0,1]],[[5,3]]]" /* 4 x 1 x 2 */
#define LONGER "[[[1],[2]],[[2],[0]],[[0],[1]],[[5],[3]]]" /* 4 x 2 x 1 */

START_TEST(svcca_returns_directions)
{
    struct work work;
    require_run(&work, "{\"kind\":\"svcca\",\"params\":{\"return_directions\":5},"
                       "\"inputs\":{\"a\":" A8 ",\"b\":[[1],[2],[1],[4],[9],[2],[3],[1]]}}");
    for (size_t i = 0; i < work.result.narrays; i++)
        if (!strcmp(work.result.array[i].name, "direction_loadings")) {
            const struct tg_mat *mat = &work.result.array[i].mat;
            ck_assert_int_eq(tg_mat_count(mat), 2 * 2 * 5);
            /* one unit is its own direction; the four others asked for do not exist */
            ck_assert_double_eq_tol(fabs(tg_mat_at(mat, 10)), 1, 1e-12);
            ck_assert_double_eq(tg_mat_at(mat, 11), 0);
        }
    release(&work);
}
END_TEST

START_TEST(svcca_tells_which_samples_matter)
{
    struct work work;
    require_run(
        &work,
        "{\"kind\":\"svcca\",\"params\":{\"influence\":true},"
        "\"inputs\":{\"a\":[[3],[1],[2],[1],[80],[3],[2],[4]],"
        "\"b\":[[1],[2],[1],[4],[90],[2],[3],[1]]}}");
    json_t *row = json_array_get(json_object_get(work.result.values, "influence"), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(row, "sample")), 4);
    ck_assert_uint_eq(json_array_size(json_object_get(work.result.values, "influence")),
                      3);
    release(&work);
    assert_fault(
        "{\"kind\":\"svcca\",\"params\":{\"influence\":true,\"measures\":[\"cca\"]},"
        "\"inputs\":{\"a\":" A8 ",\"b\":" A8 "}}",
        "/params/influence", "add \"cka\"");
}
END_TEST

START_TEST(svcca_gives_intervals_where_there_are_some)
{
    struct work work;
    require_run(&work, "{\"kind\":\"svcca\",\"params\":{\"intervals\":\"jackknife\","
                       "\"measures\":[\"cka\",\"regression\"],\"interval_blocks\":4},\"inputs\":"
                       "{\"layers\":[" A8 "," A8 ",[[1],[2],[1],[4],[9],[2],[3],[1]]]}}");
    json_t *table = json_object_get(work.result.values, "intervals");
    ck_assert_uint_eq(json_array_size(table), 3 * 3); /* regression both ways */
    const json_t *row = json_array_get(table, 0);     /* equal layers */
    ck_assert_double_eq_tol(json_real_value(json_object_get(row, "low")), 1, 1e-12);
    ck_assert(json_is_null(json_object_get(row, "undercovers")));
    table = json_object_get(work.result.values, "differences");
    ck_assert_uint_eq(json_array_size(table), 3 * 3);
    row = json_array_get(table, 3); /* of 0, 1 and 1, 2: cka */
    double difference = json_real_value(json_object_get(row, "difference"));
    double corrected = json_real_value(json_object_get(row, "corrected"));
    double se = json_real_value(json_object_get(row, "se"));
    ck_assert_double_gt(difference, 0);
    ck_assert_double_gt(se, 0);
    ck_assert_double_gt(corrected, json_real_value(json_object_get(row, "low")));
    ck_assert(has_warning(&work.result, "interval-undercovers"));
    release(&work);
    assert_fault("{\"kind\":\"svcca\",\"params\":{\"intervals\":\"bootstrap\",\"measures\":"
                 "[\"cka\",\"cka_rbf\"]},\"inputs\":{\"a\":" A8 ",\"b\":" A8 "}}",
                 "/params/intervals", "sums over samples");
}
END_TEST

START_TEST(svcca_tells_what_peers_print)
{
    struct work work;
    require_run(&work, "{\"kind\":\"svcca\",\"params\":{\"compare_with\":[\"kornblith\","
                       "\"google_cca\"]},\"inputs\":{\"a\":" A8 ",\"b\":" A8 "}}");
    json_t *table = json_object_get(work.result.values, "peers");
    ck_assert_uint_eq(json_array_size(table), 5);
    const json_t *row = json_array_get(table, 2);
    ck_assert_str_eq(json_string_value(json_object_get(row, "peer")), "kornblith");
    ck_assert_str_eq(json_string_value(json_object_get(row, "measure")), "cka");
    ck_assert_double_eq_tol(json_real_value(json_object_get(row, "value")), 1, 1e-12);
    ck_assert_double_eq_tol(json_real_value(json_object_get(row, "ours")), 1, 1e-12);
    release(&work);
}
END_TEST

START_TEST(svcca_is_told_what_axes_are)
{
    assert_fault("{\"kind\":\"svcca\",\"inputs\":{\"layers\":[" CUBE "," CUBE "]}}",
                 "/inputs/layers/0", "give `layout`");
    assert_fault("{\"kind\":\"svcca\",\"params\":{\"layout\":\"nchw\"},\"inputs\":{"
                 "\"layers\":[" CUBE "," CUBE "]}}",
                 "/inputs/layers/1", "(samples, channels, height, width)");
    assert_fault("{\"kind\":\"svcca\",\"params\":{\"layout\":\"ntd\",\"reduction\":"
                 "\"samples\"},\"inputs\":{\"layers\":[" CUBE "," LONGER "]}}",
                 "/inputs/layers/1", "4 x 2 here, 4 x 1 in the first layer");
    assert_fault("{\"kind\":\"svcca\",\"params\":{\"layout\":\"ntd\"},\"inputs\":{"
                 "\"a\":" CUBE ",\"b\":" A8 "}}",
                 "/inputs/b", "same samples");
    struct work work;
    require_run(&work, "{\"kind\":\"svcca\",\"params\":{\"layout\":\"ntd\",\"reduction\":"
                       "\"mean\"},\"inputs\":{\"layers\":[" CUBE "," LONGER
                       ",[[1],[3],[2],[9]]]}}");
    ck_assert_int_eq(json_array_size(json_object_get(work.result.values, "pairs")), 3);
    release(&work);
}
END_TEST

/* 4 samples of 2 x 2 maps, (samples, channels, height, width). */
#define MAPS "[[[[1,0],[2,5]]],[[[3,1],[0,2]]],[[[0,4],[1,1]]],[[[2,2],[7,3]]]]"
#define DFT(params, x, y)                                                                \
    "{\"kind\":\"svcca\",\"params\":{\"layout\":\"nchw\",\"reduction\":\"dft\"" params     \
    "},\"inputs\":{\"layers\":[" x "," y "]}}"

START_TEST(svcca_compares_frequencies)
{
    const struct tg_output curve = {TG_OUT_FIGURE, "frequency_curve", "", "", ""};
    struct work work;
    require_run(&work, DFT("", MAPS, "[[1],[3],[2],[9]]"));
    const json_t *row = json_array_get(json_object_get(work.result.values, "pairs"), 0);
    /* one unit against the sums of maps, 8, 6, 6, 14 */
    ck_assert_double_eq_tol(json_real_value(json_object_get(row, "cca")),
                            36.5 / sqrt(43 * 38.75), 1e-14);
    ck_assert_ptr_null(json_object_get(row, "cca_p"));
    ck_assert_uint_eq(json_array_size(json_object_get(work.result.quality, "off_block")), 2);
    ck_assert(holds(&work.result, &curve));
    release(&work);
}
END_TEST

START_TEST(svcca_refuses_what_frequencies_have_not)
{
    assert_fault(DFT(",\"measures\":[\"cca\",\"pwcca\"]", MAPS, MAPS), "/params/measures",
                 "no meaning frequency by frequency");
    assert_fault(DFT(",\"influence\":true", MAPS, MAPS), "/params/reduction",
                 "gives scores and what follows");
    assert_fault(DFT(",\"return_directions\":2", MAPS, MAPS), "/params/reduction",
                 "whole layers");
    assert_fault(DFT(",\"permutations\":10", MAPS, MAPS), "/params/reduction",
                 "whole layers");
    assert_fault(DFT(",\"compare_with\":[\"anatome\"]", MAPS, MAPS), "/params/reduction",
                 "whole layers");
    assert_fault(DFT("", MAPS, "[[1,2,3,4,5],[3,1,2,2,2],[2,0,1,0,1],[9,1,1,2,4]]"),
                 "/inputs/layers/1", "more units than samples");
}
END_TEST

#define WITH_IDS(x, y)                                                                   \
    "{\"kind\":\"svcca\",\"inputs\":{\"layers\":{\"x\":[[1],[2],[3],[5]],"               \
    "\"y\":[[1],[0],[3],[5]]},\"sample_ids\":{\"x\":" x "," y "}}}"

/* npy files of int64: 1, 2, 3 and 2^60 or 2^60 + 1, which are the same double. */
#define ENDS_EVEN                                                                        \
    "k05VTVBZAQB2AHsnZGVzY3InOiAnPGk4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxz" \
    "ZSwgJ3NoYXBlJzogKDQsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAg" \
    "ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoBAAAAAAAAAAIAAAAAAAAA" \
    "AwAAAAAAAAAAAAAAAAAAEA=="
#define ENDS_ODD                                                                         \
    "k05VTVBZAQB2AHsnZGVzY3InOiAnPGk4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxz" \
    "ZSwgJ3NoYXBlJzogKDQsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAg" \
    "ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoBAAAAAAAAAAIAAAAAAAAA" \
    "AwAAAAAAAAABAAAAAAAAEA=="

START_TEST(svcca_refuses_samples_that_are_not_the_same)
{
    assert_fault(WITH_IDS("[4,5,6,7]", "\"y\":[4,5,8,7]"), "/inputs/sample_ids/y",
                 "Row 2 of \"y\" is sample 8, and row 2 of \"x\" is 6. They are not");
    assert_fault(WITH_IDS("[4,5,6,7]", "\"y\":[4,5,7,6]"), "/inputs/sample_ids/y",
                 "in another order");
    assert_fault(WITH_IDS("[4,5,6,7]", "\"y\":[4,5,6]"), "/inputs/sample_ids/y",
                 "4 samples, and there are 3 ids");
    assert_fault(WITH_IDS("[4,5,6,7]", "\"z\":[4,5,6,7]"), "/inputs/sample_ids/z",
                 "no layer \"z\"");
    assert_fault("{\"kind\":\"svcca\",\"inputs\":{\"a\":" A8 ",\"b\":" A8 ",\"sample_ids\":{"
                 "\"a\":[1,2,3,4,5,6,7,8],\"b\":[8,7,6,5,4,3,2,1]}}}",
                 "/inputs/sample_ids/b", "Row 0");
    assert_fault(WITH_IDS("{\"npy\":\"" ENDS_EVEN "\"}", "\"y\":{\"npy\":\"" ENDS_ODD "\"}"),
                 "/inputs/sample_ids/y",
                 "is sample 1152921504606846977, and row 3 of \"x\" is 1152921504606846976");
    struct work work;
    require_run(&work, WITH_IDS("[4,5,6,7]", "\"y\":[4,5,6,7]"));
    release(&work);
}
END_TEST

START_TEST(svcca_gives_only_the_measures_asked_for)
{
    struct work work;
    require_run(&work,
                "{\"kind\":\"svcca\",\"params\":{\"measures\":[\"cka\"]},\"inputs\":{"
                "\"a\":" A8 ",\"b\":" A8 "}}");
    json_t *row = json_array_get(json_object_get(work.result.values, "pairs"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(row, "a")), "a");
    ck_assert_double_eq_tol(json_real_value(json_object_get(row, "cka")), 1, 1e-14);
    ck_assert_ptr_null(json_object_get(row, "cca_mean"));
    ck_assert_ptr_null(json_object_get(row, "svcca"));
    release(&work);
}
END_TEST

START_TEST(svcca_compares_a_grid_as_it_is_told)
{
    const char *grid = "\"inputs\":{\"layers\":["
                       "{\"name\":\"fc\",\"step\":0,\"data\":" A8 "},"
                       "{\"name\":\"out\",\"step\":0,\"data\":" A8 "},"
                       "{\"name\":\"fc\",\"step\":9,\"data\":" A8 "}]}}";
    char text[1000];
    struct work work;
    snprintf(text, sizeof(text), "{\"kind\":\"svcca\",\"params\":{\"pairs\":\"final\"},%s",
             grid);
    require_run(&work, text);
    json_t *rows = json_object_get(work.result.values, "pairs");
    ck_assert_uint_eq(json_array_size(rows), 1);
    json_t *row = json_array_get(rows, 0);
    ck_assert_str_eq(json_string_value(json_object_get(row, "a")), "fc@0");
    ck_assert_str_eq(json_string_value(json_object_get(row, "b")), "fc@9");
    ck_assert_double_eq_tol(json_real_value(json_object_get(row, "cka")), 1, 1e-14);
    release(&work);
    snprintf(text, sizeof(text),
             "{\"kind\":\"svcca\",\"params\":{\"pairs\":\"across_models\"},%s", grid);
    assert_fault(text, "/params/pairs", "one model");
}
END_TEST

START_TEST(svcca_warns_of_what_is_not_in_the_data)
{
    struct work work;
    require_run(&work,
                "{\"kind\":\"svcca\",\"inputs\":{\"a\":[[1,0,4],[0,1,1],[3,1,2],[2,2,1]],"
                "\"b\":[[1,1,5],[1,2,5],[1,0,5],[1,3,5]]}}");
    ck_assert(has_warning(&work.result, "forced-ones"));
    ck_assert(has_warning(&work.result, "rank-deficient"));
    release(&work);
    require_run(&work, "{\"kind\":\"svcca\",\"inputs\":{\"a\":" A8
                       ",\"b\":[[1],[1],[1],[1],[1],[1],[1],[1]]}}");
    ck_assert(has_warning(&work.result, "constant-layer"));
    json_t *row = json_array_get(json_object_get(work.result.values, "pairs"), 0);
    ck_assert(json_is_null(json_object_get(row, "cca_mean")));
    release(&work);
}
END_TEST

START_TEST(pca_refuses_too_few_points)
{
    assert_fault("{\"kind\":\"pca\",\"inputs\":{\"trajectory\":[[1,2],[3,4]]}}",
                 "/inputs/trajectory", "save more points");
    assert_fault("{\"kind\":\"pca\",\"inputs\":{}}", "/inputs/trajectory", "");
    assert_fault(
        "{\"kind\":\"pca\",\"params\":{\"components\":0},\"inputs\":{\"trajectory\":" A8
        "}}",
        "/params/components", "");
}
END_TEST

START_TEST(pca_simulates_walks)
{
    struct work work;
    require_run(&work, "{\"kind\":\"pca\",\"params\":{\"simulate\":true,\"walk_points\":120,"
                       "\"walk_dimensions\":1500,\"walk_momentum\":0.8,\"walk_seed\":5},"
                       "\"inputs\":{}}");
    const json_t *values = work.result.values, *row;
    size_t i;
    ck_assert_int_eq(json_integer_value(json_object_get(values, "n")), 120);
    ck_assert_int_eq(json_integer_value(json_object_get(values, "d")), 1500);
    ck_assert_str_eq(json_string_value(json_object_get(values, "most_likely_model")),
                     "momentum");
    json_array_foreach(json_object_get(values, "models"), i, row)
    {
        const char *model = json_string_value(json_object_get(row, "model"));
        if (strcmp(model, "momentum"))
            continue;
        ck_assert(json_is_true(json_object_get(row, "explains")));
        ck_assert_double_eq_tol(json_real_value(json_object_get(row, "momentum")), 0.8, 0.01);
    }
    release(&work);
    assert_fault("{\"kind\":\"pca\",\"params\":{\"simulate\":true},\"inputs\":{\"trajectory\":" A8
                 "}}",
                 "/inputs/trajectory", "needs no trajectory");
    assert_fault("{\"kind\":\"pca\",\"params\":{\"simulate\":true,\"walk_points\":5000,"
                 "\"walk_dimensions\":10001},\"inputs\":{}}",
                 "/params/walk_dimensions", "more than 50000000");
}
END_TEST

/* Four points of an array, and as files in another order with their steps. */
START_TEST(pca_takes_checkpoints_as_it_takes_a_trajectory)
{
    struct work work;
    json_t *values;
    require_run(&work, "{\"kind\":\"pca\",\"params\":{\"components\":2},\"inputs\":"
                       "{\"trajectory\":[[0,1,5],[2,1,4],[2,3,7],[5,4,1]]}}");
    values = json_incref(work.result.values);
    release(&work);
    require_run(&work, "{\"kind\":\"pca\",\"params\":{\"components\":2},\"inputs\":"
                       "{\"checkpoints\":[{\"data\":[5,4,1],\"step\":30},"
                       "{\"data\":[0,1,5],\"step\":0},{\"data\":[2,3,7],\"step\":20},"
                       "{\"data\":[2,1,4],\"step\":10}]}}");
    const json_t *layers = json_object_get(work.result.values, "layers");
    ck_assert_uint_eq(json_array_size(layers), 1);
    ck_assert_double_eq(
        json_real_value(json_object_get(json_array_get(layers, 0), "share")), 1);
    ck_assert_int_eq(json_object_del(work.result.values, "layers"), 0);
    ck_assert(json_equal(values, work.result.values));
    ck_assert(
        holds(&work.result, &(struct tg_output){.where = TG_OUT_ARRAY, .name = "step"}));
    json_decref(values);
    release(&work);
}
END_TEST

START_TEST(pca_refuses_checkpoints_that_differ)
{
    assert_fault("{\"kind\":\"pca\",\"inputs\":{\"checkpoints\":[{\"data\":[1,2],\"name\":\"x\"},"
                 "{\"data\":[3,4]},{\"data\":[5,6,7],\"name\":\"y\"}]}}",
                 "/inputs/checkpoints/2", "has the shape (3,) in `y`, but (2,) in `x`");
    assert_fault("{\"kind\":\"pca\",\"params\":{\"exclude\":[\"?\"]},\"inputs\":"
                 "{\"checkpoints\":[[1,2],[3,4],[5,6]]}}",
                 "/params/exclude/0", "There is no tensor");
}
END_TEST

START_TEST(pca_tells_of_caps_and_stillness)
{
    struct work work;
    require_run(&work, "{\"kind\":\"pca\",\"params\":{\"return_gram\":true},\"inputs\":"
                       "{\"trajectory\":" A8 "}}");
    ck_assert(has_warning(&work.result, "components-capped"));
    ck_assert(
        holds(&work.result, &(struct tg_output){.where = TG_OUT_ARRAY, .name = "gram"}));
    ck_assert_uint_eq(json_array_size(json_object_get(work.result.values, "components")),
                      2);
    release(&work);
    require_run(&work, "{\"kind\":\"pca\",\"params\":{\"components\":1},\"inputs\":"
                       "{\"trajectory\":[[1,2],[1,2],[1,2]]}}");
    ck_assert(has_warning(&work.result, "constant-trajectory"));
    ck_assert(!has_warning(&work.result, "non-finite"));
    ck_assert_double_eq(
        json_real_value(json_object_get(work.result.values, "total_variance")), 0);
    ck_assert(json_is_null(json_object_get(work.result.values, "first_component_ratio")));
    release(&work);
}
END_TEST

START_TEST(pca_returns_directions_within_bounds)
{
    struct work work;
    require_run(&work, "{\"kind\":\"pca\",\"params\":{\"return_directions\":9},\"inputs\":"
                       "{\"trajectory\":[[1,2,2],[2,4,4],[4,8,8],[5,10,10]]}}");
    ck_assert(has_warning(&work.result, "directions-untold"));
    ck_assert(holds(&work.result,
                    &(struct tg_output){.where = TG_OUT_ARRAY, .name = "directions"}));
    release(&work);
    assert_fault("{\"kind\":\"pca\",\"params\":{\"simulate\":true,\"walk_points\":5,"
                 "\"walk_dimensions\":10000000,\"components\":20,\"return_directions\":50},"
                 "\"inputs\":{}}",
                 "/params/return_directions", "ask for at most 13");
}
END_TEST

#define WALK5 "[[0,1,5],[2,1,4],[2,3,7],[5,4,1],[6,4,0]]"

static const double *array_of(const struct tg_result *result, const char *name)
{
    for (size_t i = 0; i < result->narrays; i++)
        if (!strcmp(result->array[i].name, name))
            return result->array[i].mat.data;
    ck_abort_msg("no array %s", name);
}

START_TEST(pca_takes_the_loss_of_each_point)
{
    struct work work;
    require_run(&work, "{\"kind\":\"pca\",\"params\":{\"start\":1},"
                       "\"inputs\":{\"trajectory\":" WALK5 ",\"loss\":[0.1,3,0.5,2,1]}}");
    const json_t *minimum =
        json_array_get(json_object_get(work.result.values, "minima"), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(minimum, "point")), 1);
    ck_assert_double_eq(json_real_value(json_object_get(minimum, "loss")), 0.5);
    ck_assert_double_eq(json_real_value(json_object_get(minimum, "last_loss")), 1);
    ck_assert_double_eq_tol(json_real_value(json_object_get(minimum, "from_start")), sqrt(13),
                            1e-12);
    ck_assert_double_eq_tol(array_of(&work.result, "distance_from_minimum")[2], sqrt(46), 1e-12);
    ck_assert_double_eq(array_of(&work.result, "loss")[0], 3);
    release(&work);
    /* One for each file as these are given, whatever their steps. */
    require_run(&work,
                "{\"kind\":\"pca\",\"params\":{\"components\":2},\"inputs\":{\"checkpoints\":["
                "{\"data\":[5,4,1],\"step\":30},{\"data\":[0,1,5],\"step\":0},"
                "{\"data\":[2,3,7],\"step\":20}],\"loss\":[7,8,9]}}");
    const double *loss = array_of(&work.result, "loss");
    ck_assert(loss[0] == 8 && loss[1] == 9 && loss[2] == 7);
    minimum = json_array_get(json_object_get(work.result.values, "minima"), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(minimum, "step")), 30);
    release(&work);
    assert_fault("{\"kind\":\"pca\",\"params\":{\"start\":1},\"inputs\":{\"trajectory\":" WALK5
                 ",\"loss\":[1,2,3,4]}}",
                 "/inputs/loss", "5 points and 4 losses");
    assert_fault("{\"kind\":\"pca\",\"params\":{\"simulate\":true},\"inputs\":{\"loss\":[1]}}",
                 "/inputs/loss", "no loss");
    assert_fault("{\"kind\":\"pca\",\"params\":{\"contours\":true},"
                 "\"inputs\":{\"trajectory\":" WALK5 "}}",
                 "/params/contours", "");
}
END_TEST

/* Of a line and of a walk. */
START_TEST(pca_warns_where_a_plane_does_not_show_the_path)
{
    struct work work;
    require_run(&work, "{\"kind\":\"pca\",\"inputs\":{\"trajectory\":"
                       "[[0,0,1],[1,2,1],[2,4,1],[3,6,1]]}}");
    ck_assert(!has_warning(&work.result, "plane-not-faithful"));
    release(&work);
    require_run(&work, "{\"kind\":\"pca\",\"params\":{\"simulate\":true},\"inputs\":{}}");
    ck_assert(has_warning(&work.result, "plane-not-faithful"));
    const json_t *row =
        json_array_get(json_object_get(work.result.values, "faithfulness"), 0);
    double hidden = json_real_value(json_object_get(row, "hidden"));
    double walk = json_real_value(json_object_get(row, "walk_hidden"));
    ck_assert_double_eq_tol(walk, 1 - 2.0 / 199, 1e-15);
    ck_assert_double_eq_tol(hidden, walk, 5e-3); /* 2000 dimensions are not infinitely many */
    ck_assert(!json_object_get(row, "model"));
    row = json_array_get(json_object_get(work.result.values, "components"), 0);
    ck_assert_double_gt(json_real_value(json_object_get(row, "ratio_error")), 0);
    release(&work);
}
END_TEST

Suite *kinds_suite(void)
{
    Suite *suite = suite_create("kinds");
    TCase *table = tcase_create("table");
    tcase_add_test(table, kinds_are_sorted_and_told);
    tcase_add_loop_test(table, the_example_runs_and_gives_what_the_table_says, 0,
                        (int)tg_nkinds);
    suite_add_tcase(suite, table);
    TCase *svcca = tcase_create("svcca");
    tcase_add_test(svcca, svcca_refuses_what_it_cannot_compare);
    tcase_add_test(svcca, svcca_returns_directions);
    tcase_add_test(svcca, svcca_tells_which_samples_matter);
    tcase_add_test(svcca, svcca_gives_intervals_where_there_are_some);
    tcase_add_test(svcca, svcca_tells_what_peers_print);
    tcase_add_test(svcca, svcca_is_told_what_axes_are);
    tcase_add_test(svcca, svcca_compares_frequencies);
    tcase_add_test(svcca, svcca_refuses_what_frequencies_have_not);
    tcase_add_test(svcca, svcca_refuses_samples_that_are_not_the_same);
    tcase_add_test(svcca, svcca_gives_only_the_measures_asked_for);
    tcase_add_test(svcca, svcca_compares_a_grid_as_it_is_told);
    tcase_add_test(svcca, svcca_warns_of_what_is_not_in_the_data);
    suite_add_tcase(suite, svcca);
    TCase *pca = tcase_create("pca");
    tcase_add_test(pca, pca_refuses_too_few_points);
    tcase_add_test(pca, pca_simulates_walks);
    tcase_add_test(pca, pca_takes_checkpoints_as_it_takes_a_trajectory);
    tcase_add_test(pca, pca_refuses_checkpoints_that_differ);
    tcase_add_test(pca, pca_tells_of_caps_and_stillness);
    tcase_add_test(pca, pca_returns_directions_within_bounds);
    tcase_add_test(pca, pca_takes_the_loss_of_each_point);
    tcase_add_test(pca, pca_warns_where_a_plane_does_not_show_the_path);
    suite_add_tcase(suite, pca);
    return suite;
}

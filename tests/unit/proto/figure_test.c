/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Figures: what a Vega-Lite renderer needs is there, and the data is the data. */
#include "proto/figure.h"

#include <math.h>
#include <string.h>

#include "../suite.h"

Suite *figure_suite(void);

/* What `path` ("a/b/0") leads to. */
static const json_t *at(const json_t *value, const char *path)
{
    char name[32];
    while (*path) {
        size_t n = strcspn(path, "/");
        memcpy(name, path, n);
        name[n] = '\0';
        value = json_is_array(value) ? json_array_get(value, (size_t)(name[0] - '0'))
                                     : json_object_get(value, name);
        path += n + (path[n] == '/');
    }
    return value;
}

static void expect_text(const json_t *spec, const char *path, const char *text)
{
    ck_assert_pstr_eq(json_string_value(at(spec, path)), text);
}

static void expect_frame(const json_t *spec, size_t rows)
{
    ck_assert_ptr_nonnull(spec);
    expect_text(spec, "$schema", "https://vega.github.io/schema/vega-lite/v5.json");
    expect_text(spec, "title", "T");
    ck_assert_uint_gt(json_string_length(at(spec, "description")), 0);
    ck_assert(json_integer_value(at(spec, "width")) > 0);
    ck_assert(json_integer_value(at(spec, "height")) > 0);
    ck_assert_uint_eq(json_array_size(at(spec, "data/values")), rows);
    expect_text(spec, "encoding/x/title", "X");
}

START_TEST(test_heatmap)
{
    static const char *const cols[] = {"b", "a"}, *const rows[] = {"r"};
    json_t *spec = tg_figure_heatmap("T", "X", "Y", "Z", cols, 2, rows, 1,
                                     (const double[]){0.25, NAN});
    expect_frame(spec, 2);
    expect_text(spec, "encoding/x/sort/0", "b");
    expect_text(spec, "encoding/y/title", "Y");
    expect_text(spec, "layer/0/encoding/color/title", "Z");
    expect_text(spec, "layer/1/mark", "text");
    expect_text(spec, "data/values/1/x", "a");
    ck_assert_double_eq(json_real_value(at(spec, "data/values/0/z")), 0.25);
    ck_assert(json_is_null(at(spec, "data/values/1/z")));
    json_decref(spec);
}
END_TEST

START_TEST(test_lines)
{
    static const double x[] = {5, 6}, y[] = {0.5, 0}, z[] = {1, 2, 3};
    const struct tg_series series[] = {{"one", x, y, 2, false},
                                       {"two", NULL, z, 3, true}};
    json_t *spec = tg_figure_lines("T", "X", "Y", series, 2, true);
    expect_frame(spec, 5);
    expect_text(spec, "encoding/y/scale/type", "log");
    expect_text(spec, "encoding/color/sort/1", "two");
    ck_assert_double_eq(json_real_value(at(spec, "data/values/0/x")), 5);
    ck_assert(json_is_null(at(spec, "data/values/1/y"))); /* no logarithm of 0 */
    ck_assert_double_eq(json_real_value(at(spec, "data/values/4/x")), 3);
    ck_assert(json_is_true(at(spec, "data/values/4/points")));
    json_decref(spec);
}
END_TEST

START_TEST(test_lines_in_panes)
{
    static const double x[] = {5, 6}, y[] = {0.5, 0.25}, z[] = {1, NAN};
    static const char *const panes[] = {"p", "q"};
    const struct tg_series series[] = {{"one", x, y, 2, false}, {"two", NULL, z, 2, false},
                                       {"one", x, z, 2, false}, {"two", x, y, 1, false}};
    json_t *spec = tg_figure_line_panes("T", "X", "Y", panes, 2, series, 2, 0.95);
    expect_text(spec, "title", "T");
    expect_text(spec, "facet/sort/1", "q");
    expect_text(spec, "spec/encoding/x/title", "X");
    expect_text(spec, "spec/encoding/color/sort/1", "two");
    ck_assert_double_eq(json_real_value(at(spec, "spec/layer/1/encoding/y/datum")), 0.95);
    ck_assert_uint_eq(json_array_size(at(spec, "data/values")), 7);
    expect_text(spec, "data/values/6/pane", "q");
    expect_text(spec, "data/values/6/series", "two");
    ck_assert(json_is_null(at(spec, "data/values/3/y")));
    ck_assert_double_eq(json_real_value(at(spec, "data/values/3/x")), 2);
    json_decref(spec);
    spec = tg_figure_line_panes("T", "X", "Y", panes, 2, series, 2, NAN);
    ck_assert_uint_eq(json_array_size(at(spec, "spec/layer")), 1);
    json_decref(spec);
}
END_TEST

START_TEST(test_heatmaps_in_panes)
{
    static const double z[] = {1, 2, 3, 4, 5, NAN};
    static const char *const panes[] = {"p", "q", "r"}, *const x[] = {"b", "a"};
    static const char *const y[] = {"row"};
    json_t *spec = tg_figure_heatmap_panes("T", "X", "Y", "Z", panes, 3, x, 2, y, 1, z);
    expect_text(spec, "facet/sort/2", "r");
    expect_text(spec, "spec/encoding/x/sort/0", "b");
    expect_text(spec, "spec/encoding/color/title", "Z");
    ck_assert_uint_eq(json_array_size(at(spec, "data/values")), 6);
    expect_text(spec, "data/values/3/pane", "q");
    expect_text(spec, "data/values/3/x", "a");
    ck_assert_double_eq(json_real_value(at(spec, "data/values/3/z")), 4);
    ck_assert(json_is_null(at(spec, "data/values/5/z")));
    json_decref(spec);
}
END_TEST

START_TEST(bars_may_have_names)
{
    static const char *const names[] = {"z", "a"};
    static const double bars[] = {1, 2}, marks[] = {3, NAN};
    json_t *spec = tg_figure_named_bars("T", "X", "Y", names, "b", bars, "m", marks, 2);
    expect_frame(spec, 2);
    expect_text(spec, "encoding/x/sort/0", "z");
    expect_text(spec, "data/values/1/x", "a");
    ck_assert_double_eq(json_real_value(at(spec, "data/values/1/bar")), 2);
    ck_assert_double_eq(json_real_value(at(spec, "data/values/0/mark")), 3);
    ck_assert(json_is_null(at(spec, "data/values/1/mark")));
    json_decref(spec);
}
END_TEST

START_TEST(test_long_series_are_thinned_and_say_so)
{
    static double y[12000];
    const struct tg_series series = {"one", NULL, y, 12000, false};
    json_t *spec = tg_figure_lines("T", "X", "Y", &series, 1, false);
    expect_frame(spec, 4000);
    ck_assert_int_eq(json_integer_value(at(spec, "usermeta/stride")), 3);
    json_decref(spec);
    spec = tg_figure_path("T", "X", "Y", NULL,
                          &(struct tg_figure_path){.x = y, .y = y, .n = 12000});
    ck_assert_uint_le(json_array_size(at(spec, "data/values")), 5000);
    const json_t *rows = at(spec, "data/values");
    const json_t *last = json_array_get(rows, json_array_size(rows) - 1);
    ck_assert_int_eq(json_integer_value(json_object_get(last, "step")), 11999);
    json_decref(spec);
}
END_TEST

START_TEST(a_path_may_have_an_expected_curve_behind_it)
{
    static const double x[] = {1, 2, 3}, y[] = {4, 5, 6}, zero[] = {0, 0, 7};
    json_t *spec = tg_figure_path_beside(
        "T", "X", "Y", NULL, &(struct tg_figure_path){.x = x, .y = y, .n = 3},
        &(struct tg_figure_path){.name = "a walk", .x = y, .y = zero, .n = 3});
    expect_frame(spec, 3);
    expect_text(spec, "layer/0/name", "a walk");
    ck_assert_double_eq(json_real_value(at(spec, "layer/0/data/values/2/x")), 6);
    ck_assert_double_eq(json_real_value(at(spec, "layer/0/data/values/2/y")), 7);
    ck_assert_uint_eq(json_array_size(at(spec, "layer")), 4);
    json_decref(spec);
}
END_TEST

START_TEST(marks_of_bars_may_have_bands)
{
    static const double bars[] = {0.6, 0.2}, marks[] = {0.5, NAN}, band[] = {0.125, 0};
    json_t *spec = tg_figure_bars_banded("T", "X", "Y", "measured", bars, "walk", marks, band, 2);
    expect_frame(spec, 2);
    ck_assert_double_eq(json_real_value(at(spec, "data/values/0/low")), 0.375);
    ck_assert_double_eq(json_real_value(at(spec, "data/values/0/high")), 0.625);
    ck_assert(json_is_null(at(spec, "data/values/1/low")));
    expect_text(spec, "layer/2/encoding/color/datum", "walk");
    expect_text(spec, "layer/2/encoding/y/title", "Y");
    json_decref(spec);
}
END_TEST

START_TEST(test_path)
{
    static const double x[] = {1, 2, 3}, y[] = {4, 5, 6};
    struct tg_figure_path path = {.x = x, .y = y, .n = 3};
    json_t *spec = tg_figure_path("T", "X", "Y", "Z", &path);
    expect_frame(spec, 3);
    expect_text(spec, "data/values/0/end", "start");
    ck_assert_ptr_null(at(spec, "data/values/1/end"));
    expect_text(spec, "data/values/2/end", "end");
    ck_assert_double_eq(json_real_value(at(spec, "data/values/1/y")), 5);
    expect_text(spec, "encoding/order/field", "step");
    expect_text(spec, "layer/1/encoding/color/field", "step");
    json_decref(spec);
}
END_TEST

/* A logarithm where there is one of every number. */
START_TEST(a_path_may_be_coloured_by_a_number)
{
    static const double x[] = {1, 2, 3}, y[] = {4, 5, 6}, loss[] = {2, NAN, 0.5};
    struct tg_figure_path path = {.x = x, .y = y, .z = loss, .n = 3};
    json_t *spec = tg_figure_path("T", "X", "Y", "loss", &path);
    expect_text(spec, "layer/1/encoding/color/field", "z");
    expect_text(spec, "layer/1/encoding/color/title", "loss");
    expect_text(spec, "layer/1/encoding/color/scale/type", "log");
    expect_text(spec, "layer/1/encoding/color/scale/scheme", "viridis");
    ck_assert(json_is_null(at(spec, "data/values/1/z")));
    ck_assert_double_eq(json_real_value(at(spec, "data/values/2/z")), 0.5);
    json_decref(spec);
    path.z = (const double[]){1, 0, 2};
    spec = tg_figure_path("T", "X", "Y", "loss", &path);
    expect_text(spec, "layer/1/encoding/color/scale/type", "linear");
    json_decref(spec);
}
END_TEST

START_TEST(panels_have_scales_of_their_own)
{
    static const double y[] = {1, 2, 3};
    static const char *const panes[] = {"p", "q"};
    const struct tg_series series[] = {{.name = "one", .y = y, .n = 3},
                                       {.name = "one", .y = y, .n = 2}};
    json_t *spec = tg_figure_panels("T", "X", panes, 2, series, 1);
    expect_text(spec, "resolve/scale/y", "independent");
    expect_text(spec, "facet/sort/1", "q");
    ck_assert_uint_eq(json_array_size(at(spec, "data/values")), 5);
    json_decref(spec);
}
END_TEST

START_TEST(several_paths_have_a_colour_each)
{
    static const double x[] = {1, 2, 3}, y[] = {4, 5, NAN};
    struct tg_figure_path paths[] = {{.name = "z", .x = x, .y = y, .n = 3},
                                     {.name = "a", .x = y, .y = x, .n = 2}};
    json_t *spec = tg_figure_paths("T", "X", "Y", "Z", paths, 2);
    expect_frame(spec, 5);
    expect_text(spec, "encoding/color/sort/0", "z");
    expect_text(spec, "encoding/order/field", "step");
    expect_text(spec, "data/values/3/series", "a");
    ck_assert_int_eq(json_integer_value(at(spec, "data/values/4/step")), 1);
    ck_assert_double_eq(json_real_value(at(spec, "data/values/4/x")), 5);
    ck_assert(json_is_null(at(spec, "data/values/2/y")));
    ck_assert_ptr_null(at(spec, "layer/1/encoding/size"));
    json_decref(spec);
    paths[0].z = x;
    paths[1].z = x;
    spec = tg_figure_paths("T", "X", "Y", "Z", paths, 2);
    expect_text(spec, "layer/1/encoding/size/title", "Z");
    ck_assert_double_eq(json_real_value(at(spec, "data/values/4/z")), 2);
    json_decref(spec);
}
END_TEST

START_TEST(test_bars)
{
    json_t *spec = tg_figure_bars("T", "X", "Y", "measured", (const double[]){0.5, 0.25},
                                  "expected", (const double[]){0.6, 0.2}, 2);
    expect_frame(spec, 2);
    expect_text(spec, "layer/0/encoding/color/datum", "measured");
    expect_text(spec, "layer/1/encoding/color/datum", "expected");
    ck_assert_double_eq(json_real_value(at(spec, "data/values/1/bar")), 0.25);
    ck_assert_double_eq(json_real_value(at(spec, "data/values/1/mark")), 0.2);
    json_decref(spec);
}
END_TEST

START_TEST(intervals_stand_below_each_other_in_their_order)
{
    static const struct tg_figure_interval bars[] = {{"z, y", "cka", 0.5, 0.4, 0.6},
                                                     {"z, y", "cca", 0.7, NAN, 0.8},
                                                     {"a, b", "cka", 0.1, 0, 0.2}};
    json_t *spec = tg_figure_intervals("T", "X", bars, 3);
    ck_assert_uint_eq(json_array_size(at(spec, "data/values")), 3);
    expect_text(spec, "title", "T");
    expect_text(spec, "encoding/x/title", "X");
    expect_text(spec, "layer/0/encoding/x/title", "X");
    expect_text(spec, "encoding/y/sort/0", "z, y");
    expect_text(spec, "encoding/y/sort/1", "a, b");
    ck_assert_uint_eq(json_array_size(at(spec, "encoding/y/sort")), 2);
    expect_text(spec, "encoding/color/sort/1", "cca");
    ck_assert_double_eq(json_real_value(at(spec, "data/values/0/high")), 0.6);
    ck_assert(json_is_null(at(spec, "data/values/1/low")));
    json_decref(spec);
}
END_TEST

Suite *figure_suite(void)
{
    Suite *suite = suite_create("figure");
    TCase *shapes = tcase_create("shapes");
    tcase_add_test(shapes, test_heatmap);
    tcase_add_test(shapes, test_lines);
    tcase_add_test(shapes, test_lines_in_panes);
    tcase_add_test(shapes, test_heatmaps_in_panes);
    tcase_add_test(shapes, test_long_series_are_thinned_and_say_so);
    tcase_add_test(shapes, bars_may_have_names);
    tcase_add_test(shapes, test_path);
    tcase_add_test(shapes, a_path_may_have_an_expected_curve_behind_it);
    tcase_add_test(shapes, a_path_may_be_coloured_by_a_number);
    tcase_add_test(shapes, panels_have_scales_of_their_own);
    tcase_add_test(shapes, several_paths_have_a_colour_each);
    tcase_add_test(shapes, marks_of_bars_may_have_bands);
    tcase_add_test(shapes, test_bars);
    tcase_add_test(shapes, intervals_stand_below_each_other_in_their_order);
    suite_add_tcase(suite, shapes);
    return suite;
}

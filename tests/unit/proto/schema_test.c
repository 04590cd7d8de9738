/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is generated from a table says what the table says. */
#include "proto/schema.h"

#include <string.h>

#include "../suite.h"
#include "proto/jsonwrite.h"
#include "toy.h"

Suite *schema_suite(void);

static void expect_json(const json_t *value, const char *text)
{
    struct tg_buf out;
    tg_buf_init(&out, 1 << 16);
    ck_assert_ptr_nonnull(value);
    tg_json_write(value, &out);
    ck_assert_str_eq(out.p, text);
    tg_buf_release(&out);
}

START_TEST(test_parameters_have_their_types_and_ranges)
{
    json_t *schema = tg_schema_params(&toy_kind);
    const json_t *properties = json_object_get(schema, "properties");
    expect_json(json_object_get(properties, "rank"),
                "{\"type\":\"integer\",\"minimum\":1,\"maximum\":100,\"default\":10,"
                "\"description\":\"Directions kept.\"}");
    expect_json(json_object_get(properties, "share"),
                "{\"type\":\"number\",\"minimum\":0,\"maximum\":1,\"default\":0.99,"
                "\"description\":\"Share of variance kept.\"}");
    expect_json(
        json_object_get(properties, "centre"),
        "{\"type\":\"boolean\",\"default\":true,\"description\":\"Take the mean off.\"}");
    expect_json(
        json_object_get(properties, "method"),
        "{\"type\":\"string\",\"enum\":[\"exact\",\"fast\"],\"default\":\"exact\","
        "\"description\":\"How.\"}");
    expect_json(
        json_object_get(properties, "measures"),
        "{\"type\":\"array\",\"items\":{\"enum\":[\"cca\",\"cka\",\"svcca\"]},"
        "\"uniqueItems\":true,\"default\":[\"cka\",\"cca\"],\"description\":\"Which.\"}");
    expect_json(json_object_get(properties, "label"),
                "{\"type\":\"string\",\"minLength\":0,\"maxLength\":8,\"default\":\"\","
                "\"description\":\"A label.\"}");
    expect_json(
        json_object_get(properties, "sizes"),
        "{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"minimum\":0},\"default\":"
        "[1,2],\"description\":\"Sizes.\",\"x-unit\":\"px\"}");
    expect_json(json_object_get(properties, "tags"),
                "{\"type\":\"array\",\"items\":{\"type\":\"string\",\"minLength\":1,"
                "\"maxLength\":4},\"maxItems\":10000,\"default\":[\"ab\"],"
                "\"description\":\"Tags.\"}");
    expect_json(
        json_object_get(properties, "must"),
        "{\"type\":\"number\",\"description\":\"Has no default.\",\"x-unit\":\"s\"}");
    expect_json(json_object_get(schema, "required"), "[\"must\"]");
    expect_json(json_object_get(schema, "additionalProperties"), "false");
    json_decref(schema);
}
END_TEST

START_TEST(test_a_job_schema_is_closed_and_knows_what_is_required)
{
    json_t *schema = tg_schema_job(&toy_kind);
    const json_t *properties = json_object_get(schema, "properties");
    expect_json(json_object_get(schema, "$schema"),
                "\"https://json-schema.org/draft/2020-12/schema\"");
    expect_json(json_object_get(schema, "required"), "[\"kind\",\"params\",\"inputs\"]");
    expect_json(json_object_get(schema, "additionalProperties"), "false");
    expect_json(json_object_get(properties, "kind"), "{\"const\":\"toy\"}");
    const json_t *inputs = json_object_get(properties, "inputs");
    expect_json(json_object_get(inputs, "required"), "[\"x\"]");
    const json_t *x = json_object_get(json_object_get(inputs, "properties"), "x");
    const json_t *forms = json_object_get(x, "oneOf");
    ck_assert_uint_eq(json_array_size(forms), 3);
    expect_json(json_array_get(forms, 0), "{\"type\":\"array\",\"items\":{\"type\":"
                                          "\"array\",\"items\":{\"type\":\"number\"},"
                                          "\"minItems\":1},\"minItems\":1}");
    json_decref(schema);
}
END_TEST

START_TEST(test_entries_with_labels_and_whole_files_have_their_schema)
{
    json_t *schema = tg_schema_job(&toy_kind);
    const json_t *inputs =
        json_object_get(json_object_get(json_object_get(schema, "properties"), "inputs"),
                        "properties");
    const json_t *forms =
        json_object_get(json_object_get(inputs, "runs"), "oneOf");
    const json_t *entry =
        json_object_get(json_object_get(json_array_get(forms, 0), "items"), "oneOf");
    expect_json(json_array_get(entry, 0), "{\"type\":\"array\",\"minItems\":1,\"items\":"
                                          "{\"type\":[\"number\",\"array\"]}}");
    for (size_t i = 1; i < json_array_size(entry); i++) {
        const json_t *members = json_object_get(json_array_get(entry, i), "properties");
        expect_json(json_object_get(members, "model"),
                    "{\"type\":\"string\",\"minLength\":1,\"maxLength\":200}");
        expect_json(json_object_get(members, "step"),
                    "{\"type\":\"integer\",\"minimum\":0}");
    }
    forms = json_object_get(json_object_get(inputs, "layers"), "oneOf");
    entry = json_object_get(json_object_get(json_array_get(forms, 0), "items"), "oneOf");
    for (size_t i = 0; i < json_array_size(entry); i++)
        ck_assert_ptr_null(json_object_get(
            json_object_get(json_array_get(entry, i), "properties"), "step"));
    json_decref(schema);
}
END_TEST

START_TEST(test_a_result_schema_lists_the_outputs)
{
    json_t *schema = tg_schema_result(&toy_kind);
    const json_t *properties = json_object_get(schema, "properties");
    expect_json(
        json_object_get(json_object_get(properties, "values"), "properties"),
        "{\"mean\":{\"type\":[\"number\",\"null\"],\"description\":\"The mean.\"}}");
    expect_json(json_object_get(json_object_get(properties, "arrays"), "properties"),
                "{\"map\":{\"$ref\":\"#/components/schemas/ArrayEntry\",\"description\":"
                "\"All pairs.\"}}");
    json_decref(schema);
}
END_TEST

/* Every "$ref" below `value` names a schema that is there. */
static void check_references(json_t *value, const json_t *schemas)
{
    static const char prefix[] = "#/components/schemas/";
    const char *name;
    json_t *entry;
    size_t i;
    json_array_foreach(value, i, entry) check_references(entry, schemas);
    json_object_foreach(value, name, entry)
    {
        if (!strcmp(name, "$ref")) {
            const char *reference = json_string_value(entry);
            ck_assert(!strncmp(reference, prefix, strlen(prefix)));
            ck_assert_msg(json_object_get(schemas, reference + strlen(prefix)), "%s",
                          reference);
        }
        check_references(entry, schemas);
    }
}

START_TEST(test_components_refer_to_each_other_only)
{
    json_t *components = tg_schema_components();
    json_t *schemas = json_object_get(components, "schemas");
    check_references(schemas, schemas);
    for (size_t i = 0; i < tg_nkinds; i++) {
        char name[64];
        snprintf(name, sizeof(name), "JobRequest_%s", tg_kinds[i]->name);
        ck_assert_ptr_nonnull(json_object_get(schemas, name));
        snprintf(name, sizeof(name), "Result_%s", tg_kinds[i]->name);
        ck_assert_ptr_nonnull(json_object_get(schemas, name));
    }
    json_decref(components);
}
END_TEST

START_TEST(test_kinds_are_sorted_and_found)
{
    for (size_t i = 1; i < tg_nkinds; i++)
        ck_assert_int_lt(strcmp(tg_kinds[i - 1]->name, tg_kinds[i]->name), 0);
    for (size_t i = 0; i < tg_nkinds; i++)
        ck_assert_ptr_eq(tg_kind_find(tg_kinds[i]->name), tg_kinds[i]);
    ck_assert_ptr_null(tg_kind_find("nonsense"));
}
END_TEST

/* Every row of the table is named in a text about the kind. */
static void expect_names(const char *text)
{
    for (size_t i = 0; i < toy_kind.nparams; i++)
        ck_assert_ptr_nonnull(strstr(text, toy_kind.params[i].name));
    for (size_t i = 0; i < toy_kind.ninputs; i++)
        ck_assert_ptr_nonnull(strstr(text, toy_kind.inputs[i].name));
    for (size_t i = 0; i < toy_kind.noutputs; i++)
        ck_assert_ptr_nonnull(strstr(text, toy_kind.outputs[i].name));
}

START_TEST(test_the_description_has_everything)
{
    json_t *description = tg_kind_description(&toy_kind);
    expect_json(json_object_get(description, "name"), "\"toy\"");
    expect_json(json_object_get(description, "version"), "3");
    const json_t *inputs = json_object_get(description, "inputs");
    ck_assert_uint_eq(json_array_size(inputs), 3);
    expect_json(json_array_get(inputs, 2),
                "{\"name\":\"runs\",\"list\":true,\"required\":false,\"max_count\":6000,"
                "\"ndim\":[0,2],\"shape\":\"any\",\"labelled\":true,\"members\":true,"
                "\"help\":\"Networks as they were trained.\"}");
    ck_assert_uint_eq(json_array_size(json_object_get(description, "outputs")), 4);
    expect_json(json_object_get(description, "example"),
                "{\"kind\":\"toy\",\"params\":{\"must\":0.1},\"inputs\":{\"x\":[[1]]}}");
    json_decref(description);
}
END_TEST

START_TEST(test_help_fits_a_terminal)
{
    struct tg_buf out;
    tg_buf_init(&out, 1 << 16);
    tg_kind_help(&toy_kind, &out);
    expect_names(out.p);
    ck_assert_ptr_nonnull(strstr(out.p, "\n  rank  integer from 1 to 100; default 10\n"
                                        "    Directions kept.\n"));
    for (const char *p = out.p; *p; p += strcspn(p, "\n") + 1)
        ck_assert_uint_le(strcspn(p, "\n"), 80);
    tg_buf_release(&out);
}
END_TEST

START_TEST(test_documentation_names_every_row)
{
    struct tg_buf out;
    tg_buf_init(&out, 1 << 16);
    tg_kind_markdown(&toy_kind, &out);
    expect_names(out.p);
    ck_assert_ptr_nonnull(strstr(out.p, "| `runs` | 1 to 6000 files of arrays of shape "
                                        "(any), with model and step | optional |"));
    ck_assert_ptr_nonnull(
        strstr(out.p, "| `must` | number | required | s | Has no default. |"));
    tg_buf_release(&out);
}
END_TEST

Suite *schema_suite(void)
{
    Suite *suite = suite_create("schema");
    TCase *schemas = tcase_create("schemas");
    tcase_add_test(schemas, test_parameters_have_their_types_and_ranges);
    tcase_add_test(schemas, test_a_job_schema_is_closed_and_knows_what_is_required);
    tcase_add_test(schemas, test_entries_with_labels_and_whole_files_have_their_schema);
    tcase_add_test(schemas, test_a_result_schema_lists_the_outputs);
    tcase_add_test(schemas, test_components_refer_to_each_other_only);
    suite_add_tcase(suite, schemas);
    TCase *texts = tcase_create("texts");
    tcase_add_test(texts, test_kinds_are_sorted_and_found);
    tcase_add_test(texts, test_the_description_has_everything);
    tcase_add_test(texts, test_help_fits_a_terminal);
    tcase_add_test(texts, test_documentation_names_every_row);
    suite_add_tcase(suite, texts);
    return suite;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON Schema of a kind's request and result. */
#include "proto/schema.h"

#include <math.h>
#include <string.h>

#include "proto/params.h"
#include "proto/template.h"

/* A bound without a decimal point where it is a whole number. */
static json_t *bound(double x)
{
    if (fabs(x) <= 0x1p53 && x == nearbyint(x))
        return json_integer((json_int_t)x);
    return json_real(x);
}

static void set_range(json_t **schema, const struct tg_param *param, const char *lo,
                      const char *hi)
{
    if (isfinite(param->lo))
        tg_json_set(schema, lo, bound(param->lo));
    if (isfinite(param->hi))
        tg_json_set(schema, hi, bound(param->hi));
}

static json_t *choices_value(const char *const *choices)
{
    json_t *list = json_array();
    for (; *choices; choices++)
        tg_json_append(&list, json_string(*choices));
    return list;
}

static json_t *number_schema(const struct tg_param *param, const char *type)
{
    json_t *schema = json_pack("{s:s}", "type", type);
    set_range(&schema, param, "minimum", "maximum");
    return schema;
}

static json_t *string_schema(const struct tg_param *param)
{
    json_t *schema = json_pack("{s:s}", "type", "string");
    set_range(&schema, param, "minLength", "maxLength");
    return schema;
}

static json_t *list_of(json_t *items)
{
    return json_pack("{s:s, s:o}", "type", "array", "items", items);
}

static json_t *type_schema(const struct tg_param *param)
{
    json_t *schema = NULL;
    switch (param->type) {
    case TG_PARAM_INT:
        return number_schema(param, "integer");
    case TG_PARAM_REAL:
        return number_schema(param, "number");
    case TG_PARAM_INT_LIST:
        return list_of(number_schema(param, "integer"));
    case TG_PARAM_REAL_LIST:
        return list_of(number_schema(param, "number"));
    case TG_PARAM_BOOL:
        return json_pack("{s:s}", "type", "boolean");
    case TG_PARAM_ENUM:
        return json_pack("{s:s, s:o}", "type", "string", "enum",
                         choices_value(param->choices));
    case TG_PARAM_ENUM_LIST:
        schema = list_of(json_pack("{s:o}", "enum", choices_value(param->choices)));
        tg_json_set(&schema, "uniqueItems", json_true());
        return schema;
    case TG_PARAM_STRING:
        return string_schema(param);
    case TG_PARAM_STRING_LIST:
        schema = list_of(string_schema(param));
        tg_json_set(&schema, "maxItems", json_integer(TG_STRING_LIST_MAX));
        return schema;
    }
    return NULL;
}

static json_t *param_schema(const struct tg_param *param)
{
    json_t *schema = type_schema(param);
    if (param->def)
        tg_json_set(&schema, "default", tg_param_default(param));
    tg_json_set(&schema, "description", json_string(param->help));
    if (*param->unit)
        tg_json_set(&schema, "x-unit", json_string(param->unit));
    return schema;
}

static json_t *object_schema(json_t *properties, json_t *required)
{
    json_t *schema = json_pack("{s:s, s:o, s:b}", "type", "object", "properties",
                               properties, "additionalProperties", 0);
    if (!required || json_array_size(required))
        tg_json_set(&schema, "required", required);
    else
        json_decref(required);
    return schema;
}

json_t *tg_schema_params(const struct tg_kind *kind)
{
    json_t *properties = json_object(), *required = json_array();
    for (size_t i = 0; i < kind->nparams; i++) {
        tg_json_set(&properties, kind->params[i].name, param_schema(&kind->params[i]));
        if (!kind->params[i].def)
            tg_json_append(&required, json_string(kind->params[i].name));
    }
    return object_schema(properties, required);
}

/* Numbers nested to each depth that the input allows; to any depth for one tensor of a file. */
static json_t *numbers_schema(const struct tg_input *input)
{
    if (input->flags & TG_INPUT_MEMBERS)
        return tg_json_template("{'type': 'array', 'minItems': 1,"
                                " 'items': {'type': ['number', 'array']}}");
    json_t *depths = json_array();
    for (int ndim = input->ndim_lo; ndim <= input->ndim_hi; ndim++) {
        json_t *schema = json_pack("{s:s}", "type", "number");
        for (int i = 0; i < ndim; i++) {
            schema = list_of(schema);
            tg_json_set(&schema, "minItems", json_integer(1));
        }
        tg_json_append(&depths, schema);
    }
    if (json_array_size(depths) != 1)
        return json_pack("{s:o}", "anyOf", depths);
    json_t *only = json_incref(json_array_get(depths, 0));
    json_decref(depths);
    return only;
}

/* An object that holds or names one array; entries of a list may carry a name and labels. */
static json_t *holder_schema(const struct tg_input *input, json_t *holder, bool entry)
{
    static const char *const text = "{'type': 'string', 'minLength': 1, 'maxLength': 200}";
    if (entry)
        tg_json_set(&holder, "name", tg_json_template(text));
    if (entry && input->flags & TG_INPUT_LABELLED) {
        tg_json_set(&holder, "model", tg_json_template(text));
        tg_json_set(&holder, "step", tg_json_template("{'type': 'integer', 'minimum': 0}"));
    }
    json_t *required = json_array();
    tg_json_append(&required,
                   json_string(json_object_iter_key(json_object_iter(holder))));
    return object_schema(holder, required);
}

static json_t *array_schema(const struct tg_input *input, bool entry)
{
    json_t *forms = json_array();
    tg_json_append(&forms, numbers_schema(input));
    tg_json_append(
        &forms,
        holder_schema(input,
                      tg_json_template("{'sha256': {'type': 'string',"
                                       "            'pattern': '^[0-9a-f]{64}$'},"
                                       " 'key': {'type': 'string', 'minLength': 1}}"),
                      entry));
    tg_json_append(
        &forms,
        holder_schema(input,
                      tg_json_template("{'npy': {'type': 'string',"
                                       "         'contentEncoding': 'base64',"
                                       "         'contentMediaType': 'application/x-npy'}}"),
                      entry));
    if (entry)
        tg_json_append(
            &forms,
            holder_schema(input, json_pack("{s:o}", "data", numbers_schema(input)), true));
    return json_pack("{s:o}", "oneOf", forms);
}

static json_t *input_schema(const struct tg_input *input)
{
    json_t *schema;
    if (input->list)
        schema =
            json_pack("{s:[{s:s, s:i, s:I, s:o}, {s:s, s:i, s:I, s:o}]}", "oneOf", "type",
                      "array", "minItems", 1, "maxItems", (json_int_t)input->max_count,
                      "items", array_schema(input, true), "type", "object",
                      "minProperties", 1, "maxProperties", (json_int_t)input->max_count,
                      "additionalProperties", array_schema(input, false));
    else
        schema = array_schema(input, false);
    tg_json_set(&schema, "description", json_string(input->help));
    tg_json_set(&schema, "x-shape", json_string(input->shape));
    return schema;
}

static json_t *inputs_schema(const struct tg_kind *kind)
{
    json_t *properties = json_object(), *required = json_array();
    for (size_t i = 0; i < kind->ninputs; i++) {
        tg_json_set(&properties, kind->inputs[i].name, input_schema(&kind->inputs[i]));
        if (kind->inputs[i].required)
            tg_json_append(&required, json_string(kind->inputs[i].name));
    }
    return object_schema(properties, required);
}

/* "kind" and whatever holds required members. */
static json_t *required_members(const struct tg_kind *kind)
{
    json_t *required = json_pack("[s]", "kind");
    bool params = false, inputs = false;
    for (size_t i = 0; i < kind->nparams; i++)
        params = params || !kind->params[i].def;
    for (size_t i = 0; i < kind->ninputs; i++)
        inputs = inputs || kind->inputs[i].required;
    if (params)
        tg_json_append(&required, json_string("params"));
    if (inputs)
        tg_json_append(&required, json_string("inputs"));
    return required;
}

json_t *tg_schema_job(const struct tg_kind *kind)
{
    json_t *options = tg_json_template(
        "{'name': {'type': 'string', 'maxLength': 200, 'description': 'A name for "
        "people.'},"
        " 'priority': {'type': 'string', 'enum': ['high', 'normal', 'low'],"
        "              'default': 'normal'},"
        " 'max_run_s': {'type': 'number', 'exclusiveMinimum': 0, 'x-unit': 's',"
        "               'description': 'Seconds the job may run.'},"
        " 'deadline': {'oneOf': [{'type': 'string', 'format': 'date-time'},"
        "                        {'type': 'number', 'exclusiveMinimum': 0, 'x-unit': "
        "'s'}],"
        "              'description': 'When the job must have ended: RFC 3339 or Unix"
        " seconds.'},"
        " 'keep': {'type': 'boolean', 'default': false,"
        "          'description': 'Spare the job from retention.'}}");
    json_t *properties =
        json_pack("{s:{s:s}, s:o, s:o}", "kind", "const", kind->name, "params",
                  tg_schema_params(kind), "inputs", inputs_schema(kind));
    if (json_object_update(properties, options)) {
        json_decref(properties);
        properties = NULL;
    }
    json_decref(options);
    json_t *schema = object_schema(properties, required_members(kind));
    tg_json_set(&schema, "$schema",
                json_string("https://json-schema.org/draft/2020-12/schema"));
    tg_json_set(&schema, "title", json_string(kind->title));
    return schema;
}

/* A number that is not finite comes as null. */
static json_t *output_schema(const struct tg_output *output)
{
    json_t *schema;
    if (output->where == TG_OUT_ARRAY)
        schema = tg_json_template("{'$ref': '#/components/schemas/ArrayEntry'}");
    else if (output->where == TG_OUT_FIGURE)
        schema = tg_json_template("{'$ref': '#/components/schemas/FigureLink'}");
    else if (!strcmp(output->type, "number"))
        schema = tg_json_template("{'type': ['number', 'null']}");
    else
        schema = json_pack("{s:s}", "type", output->type);
    tg_json_set(&schema, "description", json_string(output->help));
    return schema;
}

static json_t *outputs_schema(const struct tg_kind *kind, enum tg_output_where where)
{
    json_t *properties = json_object();
    for (size_t i = 0; i < kind->noutputs; i++)
        if (kind->outputs[i].where == where)
            tg_json_set(&properties, kind->outputs[i].name,
                        output_schema(&kind->outputs[i]));
    if (where == TG_OUT_QUALITY)
        tg_json_set(&properties, "warnings",
                    tg_json_template("{'$ref': '#/components/schemas/Warnings'}"));
    return object_schema(properties, where == TG_OUT_QUALITY
                                         ? json_pack("[s]", "warnings")
                                         : json_array());
}

json_t *tg_schema_result(const struct tg_kind *kind)
{
    json_t *schema = object_schema(
        json_pack("{s:{s:s}, s:o, s:o, s:o, s:o, s:{s:s}}", "kind", "const", kind->name,
                  "values", outputs_schema(kind, TG_OUT_VALUE), "arrays",
                  outputs_schema(kind, TG_OUT_ARRAY), "figures",
                  outputs_schema(kind, TG_OUT_FIGURE), "quality",
                  outputs_schema(kind, TG_OUT_QUALITY), "provenance", "type", "object"),
        json_pack("[s, s, s, s, s, s]", "kind", "values", "arrays", "figures", "quality",
                  "provenance"));
    tg_json_set(&schema, "title", json_string(kind->title));
    return schema;
}

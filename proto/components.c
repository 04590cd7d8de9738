/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The documents of the wire as JSON Schemas, for OpenAPI's components. */
#include "proto/schema.h"

#include "proto/template.h"

#define TIME      "{'type': ['string', 'null'], 'format': 'date-time'}"
#define REF(name) "{'$ref': '#/components/schemas/" name "'}"
#define DIGEST    "{'type': 'string', 'pattern': '^[0-9a-f]{64}$'}"
#define COST                                                                             \
    "{'type': 'object', 'required': ['peak_bytes', 'flops', 'seconds'],"                 \
    " 'properties': {'peak_bytes': {'type': 'integer', 'minimum': 0, 'x-unit': "         \
    "'bytes'},"                                                                          \
    "                'flops': {'type': 'number', 'minimum': 0},"                         \
    "                'seconds': {'type': 'number', 'minimum': 0, 'x-unit': 's'}}}"
#define STATE                                                                            \
    "{'enum': ['queued', 'running', 'cancelling', 'succeeded', 'failed', 'cancelled',"   \
    "          'expired']}"
#define PRIORITY "{'enum': ['high', 'normal', 'low']}"
#define LINKS    "{'type': 'object', 'additionalProperties': {'type': ['string', 'null']}}"

static const struct {
    const char *name, *schema;
} documents[] = {
    {"Problem",
     "{'type': 'object', 'required': ['type', 'title', 'status'],"
     " 'description': 'RFC 9457. `errors` lists every fault of the request.',"
     " 'properties': {"
     "   'type': {'type': 'string'}, 'title': {'type': 'string'},"
     "   'status': {'type': 'integer', 'minimum': 400, 'maximum': 599},"
     "   'detail': {'type': 'string'}, 'instance': {'type': 'string'},"
     "   'errors': {'type': 'array', 'items': {"
     "     'type': 'object', 'required': ['pointer', 'detail'],"
     "     'properties': {'pointer': {'type': 'string', 'format': 'json-pointer'},"
     "                    'detail': {'type': 'string'}, 'got': {'type': 'string'},"
     "                    'allowed': {'type': 'string'}},"
     "     'additionalProperties': false}}}}"},
    {"Progress",
     "{'type': 'object', 'required': ['fraction', 'phase'],"
     " 'properties': {'fraction': {'type': 'number', 'minimum': 0, 'maximum': 1},"
     "                'done': {'type': 'number'}, 'total': {'type': 'number'},"
     "                'unit': {'type': 'string'}, 'phase': {'type': 'string'},"
     "                'eta_s': {'type': ['number', 'null'], 'x-unit': 's'}}}"},
    {"Job",
     "{'type': 'object',"
     " 'required': ['id', 'kind', 'name', 'state', 'priority', 'created', 'attempt',"
     "              'hash', 'links'],"
     " 'properties': {"
     "   'id': {'type': 'string', 'pattern': '^[0-9A-Za-z]{26}$'},"
     "   'kind': {'type': 'string'}, 'name': {'type': 'string'}, 'state': " STATE ","
     "   'priority': " PRIORITY ","
     "   'progress': {'anyOf': [" REF(
         "Progress") ", {'type': 'null'}]},"
                     "   'created': " TIME ", 'started': " TIME ", 'finished': " TIME ","
                     "   'deadline': " TIME
                     ", 'max_run_s': {'type': ['number', 'null'], 'x-unit': 's'},"
                     "   'attempt': {'type': 'integer', 'minimum': 0}, 'cost': " COST ","
                     "   'cache': {'type': 'string'}, 'hash': " DIGEST
                     ", 'token': {'type': 'string'},"
                     "   'keep': {'type': 'boolean'}, 'retry_of': {'type': ['string', "
                     "'null']},"
                     "   'problem': {'anyOf': [" REF(
                         "Problem") ", {'type': 'null'}]},"
                                    "   'result': " REF("Result") ", 'links': " LINKS
                                                                  "}}"},
    {"JobRow",
     "{'type': 'object', 'description': 'A job as one flat row.',"
     " 'required': ['id', 'kind', 'state'],"
     " 'properties': {'id': {'type': 'string'}, 'kind': {'type': 'string'},"
     "                'state': " STATE "},"
     " 'additionalProperties': {'type': ['string', 'number', 'boolean', 'null']}}"},
    {"JobRows", "{'type': 'array', 'items': " REF("JobRow") "}"},
    {"JobList", "{'type': 'object', 'required': ['jobs'],"
                " 'properties': {'jobs': {'type': 'array', 'items': " REF(
                    "Job") "},"
                           "                'next': {'type': ['string', 'null']}}}"},
    {"DryRun", "{'type': 'object', 'required': ['valid', 'cost', 'cache', 'hash'],"
               " 'properties': {'valid': {'type': 'boolean'}, 'cost': " COST ","
               "                'plan': {'type': 'string', 'description': 'How the job would be "
               "done, and why so.'},"
               "                'cache': {'type': 'string'}, 'hash': " DIGEST ","
               "                'expected_wait_s': {'type': 'number', 'x-unit': 's'}}}"},
    {"Data",
     "{'type': 'object', 'required': ['sha256', 'bytes', 'format', 'members'],"
     " 'properties': {"
     "   'sha256': " DIGEST ", 'bytes': {'type': 'integer', 'minimum': 0},"
     "   'created': {'type': ['string', 'number']},"
     "   'format': {'enum': ['npy', 'npz', 'safetensors', 'csv']},"
     "   'members': {'type': 'array', 'items': {"
     "     'type': 'object', 'required': ['name', 'dtype'],"
     "     'properties': {'name': {'type': 'string'}, 'dtype': {'type': 'string'},"
     "                    'shape': {'type': 'array', 'items': {'type': 'integer'}},"
     "                    'skipped': {'const': true, 'description': 'The dtype is none of the"
     " numbers that are read here; the other arrays of the file are.'}}}},"
     "   'href': {'type': 'string'},"
     "   'path': {'type': 'string', 'description': 'Where a registered file is.'}}}"},
    {"DataPath",
     "{'type': 'object', 'required': ['path'], 'additionalProperties': false,"
     " 'description': 'Registers a file on the machine of the daemon, which is hashed once"
     " and then read where it is. It has to be below a folder of the setting"
     " data-folders.',"
     " 'properties': {'path': {'type': 'string', 'pattern': '^/'}}}"},
    {"DataList", "{'type': 'object', 'required': ['data'],"
                 " 'properties': {'data': {'type': 'array', 'items': " REF(
                     "Data") "},"
                             "                'next': {'type': ['string', 'null']}}}"},
    {"Event", "{'type': 'object', 'required': ['id', 'state'],"
              " 'description': 'Data of an event named as a state, removed or progress.',"
              " 'properties': {'id': {'type': 'string'}, 'state': {'type': 'string'},"
              "                'progress': " REF("Progress") "}}"},
    {"Partial",
     "{'type': 'object', 'required': ['id', 'name', 'shape', 'step', 'data'],"
     " 'description': 'Data of an event named partial: what a running job has found so"
     " far of one of its outputs. At most two a second for each output; not durable, so"
     " without an id. The last one comes before the event of the end.',"
     " 'properties': {'id': {'type': 'string'}, 'name': {'type': 'string'},"
     "   'shape': {'type': 'array', 'items': {'type': 'integer', 'minimum': 0},"
     "             'minItems': 2, 'maxItems': 2,"
     "             'description': 'Rows and columns of the whole output.'},"
     "   'step': {'type': 'array', 'items': {'type': 'integer', 'minimum': 1},"
     "            'minItems': 2, 'maxItems': 2,"
     "            'description': '`data` has every step[0]-th row and every step[1]-th"
     " column, from the first on, so that it has no more than 10000 numbers.'},"
     "   'data': {'type': 'array', 'description': 'Rows; null where nothing is known.',"
     "            'items': {'type': 'array', 'items': {'type': ['number', 'null']}}}}}"},
    {"Status",
     "{'type': 'object', 'required': ['name', 'version', 'uptime_s', 'workers', 'memory',"
     "                                'queue', 'jobs', 'store', 'blas'],"
     " 'properties': {'name': {'type': 'string'}, 'version': {'type': 'string'},"
     "                'uptime_s': {'type': 'number', 'x-unit': 's'},"
     "                'draining': {'type': 'boolean'}, 'workers': {'type': 'object'},"
     "                'memory': {'type': 'object'}, 'queue': {'type': 'object'},"
     "                'jobs': {'type': 'object'}, 'store': {'type': 'object'},"
     "                'blas': {'type': 'object'}}}"},
    {"KindSummary",
     "{'type': 'object', 'required': ['name', 'version', 'title', 'summary'],"
     " 'properties': {'name': {'type': 'string'}, 'version': {'type': 'integer'},"
     "                'title': {'type': 'string'}, 'summary': {'type': 'string'},"
     "                'href': {'type': 'string'}}}"},
    {"KindList",
     "{'type': 'object', 'required': ['kinds'],"
     " 'properties': {'kinds': {'type': 'array', 'items': " REF("KindSummary") "}}}"},
    {"Kind",
     "{'type': 'object', 'required': ['name', 'version', 'title', 'summary', 'reference',"
     "                                'params', 'inputs', 'outputs', 'example', "
     "'schema'],"
     " 'properties': {'name': {'type': 'string'}, 'version': {'type': 'integer'},"
     "                'title': {'type': 'string'}, 'summary': {'type': 'string'},"
     "                'reference': {'type': 'string'}, 'params': {'type': 'object'},"
     "                'inputs': {'type': 'array', 'items': {'type': 'object'}},"
     "                'outputs': {'type': 'array', 'items': {'type': 'object'}},"
     "                'example': {'type': 'object'}, 'schema': {'type': 'object'}}}"},
    {"Warnings",
     "{'type': 'array', 'items': {"
     "   'type': 'object', 'required': ['code', 'message'],"
     "   'properties': {'code': {'type': 'string'}, 'message': {'type': 'string'}}}}"},
    {"Array",
     "{'type': 'object', 'required': ['dtype', 'shape', 'data'],"
     " 'properties': {"
     "   'name': {'type': 'string'}, 'dtype': {'type': 'string'},"
     "   'shape': {'type': 'array', 'items': {'type': 'integer', 'minimum': 0}},"
     "   'data': {'type': ['array', 'number', 'null'],"
     "            'description': 'Nested as the shape; null for non-finite numbers.'},"
     "   'nonfinite': {'type': 'array', 'items': {'type': 'integer', 'minimum': 0},"
     "                 'description': 'Where, in C order, `data` has null.'}}}"},
    {"ArrayEntry",
     "{'type': 'object', 'required': ['dtype', 'shape', 'sha256', 'bytes', 'href'],"
     " 'properties': {"
     "   'dtype': {'type': 'string'},"
     "   'shape': {'type': 'array', 'items': {'type': 'integer', 'minimum': 0}},"
     "   'sha256': " DIGEST ", 'bytes': {'type': 'integer', 'minimum': 0},"
     "   'data': {'type': ['array', 'number', 'null'],"
     "            'description': 'The numbers of a small array; null for non-finite "
     "ones.'},"
     "   'nonfinite': {'type': 'array', 'items': {'type': 'integer', 'minimum': 0},"
     "                 'description': 'Where, in C order, `data` has null.'},"
     "   'href': {'type': 'string'}}}"},
    {"FigureLink",
     "{'type': 'object', 'required': ['title', 'href'],"
     " 'properties': {'title': {'type': 'string'}, 'href': {'type': 'string'}}}"},
    {"Figure",
     "{'type': 'object', 'required': ['$schema', 'data'],"
     " 'description': 'A Vega-Lite v5 specification with its data inside.',"
     " 'properties': {'$schema': {'type': 'string'}, 'data': {'type': 'object'}}}"},
};

static bool add(json_t *schemas, const char *prefix, const char *name, json_t *schema)
{
    json_t *key = json_sprintf("%s%s", prefix, name);
    bool ok = key && !json_object_set_new(schemas, json_string_value(key), schema);
    if (!key)
        json_decref(schema);
    json_decref(key);
    return ok;
}

/* {"oneOf": a reference to `prefix`NAME for each kind}. */
static json_t *any_kind(const char *prefix)
{
    json_t *list = json_array();
    for (size_t i = 0; i < tg_nkinds; i++)
        tg_json_append(&list, json_pack("{s:o}", "$ref",
                                        json_sprintf("#/components/schemas/%s%s", prefix,
                                                     tg_kinds[i]->name)));
    return json_pack("{s:o}", "oneOf", list);
}

static json_t *request_schema(const struct tg_kind *kind)
{
    json_t *schema = tg_schema_job(kind);
    json_object_del(schema, "$schema");
    return schema;
}

json_t *tg_schema_components(void)
{
    json_t *schemas = json_object();
    bool ok = schemas != NULL;
    for (size_t i = 0; ok && i < sizeof(documents) / sizeof(documents[0]); i++)
        ok = add(schemas, "", documents[i].name, tg_json_template(documents[i].schema));
    for (size_t i = 0; ok && i < tg_nkinds; i++)
        ok =
            add(schemas, "JobRequest_", tg_kinds[i]->name, request_schema(tg_kinds[i])) &&
            add(schemas, "Result_", tg_kinds[i]->name, tg_schema_result(tg_kinds[i]));
    ok = ok && add(schemas, "", "JobRequest", any_kind("JobRequest_")) &&
         add(schemas, "", "Result", any_kind("Result_"));
    if (ok)
        return json_pack("{s:o}", "schemas", schemas);
    json_decref(schemas);
    return NULL;
}

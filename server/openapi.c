/* SPDX-License-Identifier: GPL-3.0-or-later */
/* OpenAPI 3.1 from the route table, the error table and the schemas of proto. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/jsonload.h"
#include "proto/schema.h"
#include "server/routes.h"

/* Schemas of answers that proto does not know. */
static const char server_schemas[] =
    "{\"Ready\":{\"type\":\"object\",\"required\":[\"ready\"],"
    "\"properties\":{\"ready\":{\"type\":\"boolean\"}}},"
    "\"Upload\":{\"type\":\"object\",\"required\":[\"sha256\",\"received\",\"total\"],"
    "\"properties\":{\"sha256\":{\"type\":\"string\"},\"received\":{\"type\":\"integer\"}"
    ","
    "\"total\":{\"type\":\"integer\"}}},"
    "\"ProblemType\":{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\"],"
    "\"properties\":{\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},"
    "\"status\":{\"type\":\"integer\"}}},"
    "\"OpenAPI\":{\"type\":\"object\",\"required\":[\"openapi\",\"info\",\"paths\"]}}";

static json_t *make_components(void)
{
    json_t *components = tg_schema_components();
    json_t *schemas = json_object_get(components, "schemas");
    json_t *ours = tg_json_load(server_schemas);
    if (!schemas || !ours || json_object_update_missing(schemas, ours) ||
        json_object_set_new(
            components, "securitySchemes",
            json_pack("{s:{s:s, s:s}}", "bearer", "type", "http", "scheme", "bearer"))) {
        json_decref(components);
        components = NULL;
    }
    json_decref(ours);
    return components;
}

/* A reference to "Name", or to one of "Name|Other". */
static json_t *reference(const char *schema, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        int length = (int)strcspn(schema + i, "| ");
        json_array_append_new(list, json_pack("{s:o}", "$ref",
                                              json_sprintf("#/components/schemas/%.*s",
                                                           length, schema + i)));
        i += (size_t)length;
    }
    if (json_array_size(list) > 1)
        return json_pack("{s:o}", "anyOf", list);
    json_t *only = json_incref(json_array_get(list, 0));
    json_decref(list);
    return only;
}

static json_t *parameters(const struct tg_route *route)
{
    json_t *list = json_array();
    for (const char *p = route->path; (p = strchr(p, '{')); p++) {
        int n = (int)strcspn(p + 1, "}");
        json_array_append_new(list,
                              json_pack("{s:o, s:s, s:b, s:{s:s}}", "name",
                                        json_sprintf("%.*s", n, p + 1), "in", "path",
                                        "required", 1, "schema", "type", "string"));
    }
    for (const struct tg_query *query = route->query; query && query->name; query++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:{s:s}}", "name", query->name,
                                        "in", "query", "description", query->help,
                                        "schema", "type", query->type));
    return list;
}

/* What the data lines of an event stream are, which OpenAPI has no words for. */
static json_t *stream_schema(void)
{
    return json_pack(
        "{s:s, s:s, s:{s:o}}", "type", "string", "description",
        "Frames of `event`, `data` and, for what is durable, `id`. Data is JSON: Event, "
        "Partial in a frame `partial`, or {\"oldest\": id} in a frame `resync`, after which "
        "what the client knows has to be read anew.",
        "x-event-data", "anyOf",
        json_pack("[{s:s}, {s:s}]", "$ref", "#/components/schemas/Event", "$ref",
                  "#/components/schemas/Partial"));
}

static json_t *media_schema(const char *media, size_t length, const char *schema, size_t n)
{
    static const char stream[] = "text/event-stream";
    if (length == strlen(stream) && !memcmp(media, stream, length))
        return stream_schema();
    bool json = length > 5 && !memcmp(media + length - 5, "+json", 5);
    return json ? reference(schema, n) : json_object();
}

/*
 * JSON by its schema, other media types by theirs, which is any but for a "+json" type.
 */
static json_t *content(const char *schema, size_t n, const char *media)
{
    json_t *types = json_object();
    if (n)
        json_object_set_new(types, "application/json",
                            json_pack("{s:o}", "schema", reference(schema, n)));
    for (const char *p = media ? media : ""; *p;) {
        size_t length = strcspn(p, " ");
        json_object_setn_new(
            types, p, length,
            json_pack("{s:o}", "schema", media_schema(p, length, schema, n)));
        p += length;
        p += strspn(p, " ");
    }
    return types;
}

static const char *status_text(const char *status)
{
    static const struct {
        const char *status, *text;
    } texts[] = {
        {"200", "OK"},         {"201", "Stored"},       {"202", "Accepted"},
        {"204", "No content"}, {"206", "A part of it"}, {"304", "Not modified"},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (!strcmp(texts[i].status, status))
            return texts[i].text;
    return "";
}

static json_t *responses(const struct tg_route *route)
{
    json_t *map = json_object();
    for (const char *p = route->answers; *p;) {
        char status[4];
        size_t n = strcspn(p + 4, " ");
        snprintf(status, sizeof(status), "%.3s", p);
        const char *media =
            !strcmp(status, "200") || !strcmp(status, "206") ? route->media : NULL;
        json_t *answer = json_pack("{s:s}", "description", status_text(status));
        if (n || media)
            json_object_set_new(answer, "content", content(p + 4, n, media));
        json_object_set_new(map, status, answer);
        p += 4 + n;
        p += strspn(p, " ");
    }
    json_object_set_new(map, "default",
                        json_pack("{s:s, s:{s:{s:o}}}", "description",
                                  "A problem (RFC 9457)", "content",
                                  "application/problem+json", "schema",
                                  reference("Problem", strlen("Problem"))));
    return map;
}

static json_t *request_body(const struct tg_route *route)
{
    if (route->order)
        return json_pack("{s:b, s:{s:{}, s:{s:o}}}", "required", 1, "content",
                         "application/octet-stream", "application/json", "schema",
                         reference(route->order, strlen(route->order)));
    if (route->begin)
        return json_pack("{s:b, s:{s:{}}}", "required", 1, "content",
                         "application/octet-stream");
    return json_pack("{s:b, s:{s:{s:o}}}", "required", 1, "content", "application/json",
                     "schema", reference("JobRequest", strlen("JobRequest")));
}

static json_t *operation(const struct tg_route *route)
{
    json_t *op = json_pack("{s:s, s:o, s:o}", "summary", route->summary, "parameters",
                           parameters(route), "responses", responses(route));
    if (route->begin || route->max_body == SIZE_MAX)
        json_object_set_new(op, "requestBody", request_body(route));
    if (route->scope != TG_SCOPE_NONE)
        json_object_set_new(op, "security", json_pack("[{s:[]}, {}]", "bearer"));
    return op;
}

static void lower(char *text)
{
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text + ('a' - 'A'));
}

static json_t *paths(void)
{
    json_t *map = json_object();
    for (size_t i = 0; i < tg_nroutes; i++) {
        const struct tg_route *route = &tg_routes[i];
        char method[8];
        snprintf(method, sizeof(method), "%s", route->method);
        lower(method);
        json_t *path = json_object_get(map, route->path);
        if (!path) {
            json_object_set_new(map, route->path, json_object());
            path = json_object_get(map, route->path);
        }
        if (json_object_set_new(path, method, operation(route))) {
            json_decref(map);
            return NULL;
        }
    }
    return map;
}

json_t *tg_openapi(void)
{
    return json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:{s:s, s:s}}, s:o, s:o}", "openapi",
                     "3.1.0", "jsonSchemaDialect",
                     "https://json-schema.org/draft/2020-12/schema", "info", "title",
                     "tangentd", "version", PACKAGE_VERSION, "description",
                     "Analysis of neural networks as jobs.", "license", "name",
                     "GPL-3.0-or-later", "identifier", "GPL-3.0-or-later", "paths",
                     paths(), "components", make_components());
}

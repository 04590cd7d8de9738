/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The envelope of a job request.
 *
 * DESIGN. The canonical text is itself a request that decodes: a stored job is read by
 * the code that read it first, with the one more member "version".
 */
#include "proto/job.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/decode.h"
#include "proto/fault.h"
#include "proto/inputs.h"
#include "proto/params.h"
#include "proto/rfc3339.h"

enum { REQUEST_NAME_MAX = 200, ARENA_BASE = 16 << 20, CANONICAL_MAX = 256 << 20 };

const char *const tg_priority_names[] = {"high", "normal", "low", NULL};

static const char *const members[] = {"kind",     "params",   "inputs",
                                      "name",     "priority", "max_run_s",
                                      "deadline", "keep",     "version"};

struct decoder {
    const struct tg_kind_list *kinds;
    const struct tg_json_body *body;
    struct tg_request_spec *spec;
    struct tg_report *report;
};

static void fault(struct decoder *d, const char *pointer, const json_t *value,
                  const char *allowed, const char *detail)
{
    char got[TG_GOT_SIZE];
    tg_fault_add_value(d->report, TG_INVALID, pointer, tg_value_text(value, d->body, got),
                       allowed, "%s", detail);
}

static void check_members(struct decoder *d, size_t nallowed)
{
    const char *key;
    json_t *value;
    json_object_foreach(d->body->root, key, value)
    {
        char pointer[TG_POINTER_SIZE];
        bool known = false;
        for (size_t i = 0; i < nallowed; i++)
            known = known || !strcmp(key, members[i]);
        if (!known)
            tg_fault_unknown(d->report, tg_pointer_add(pointer, "", key), "member", key,
                             members, nallowed);
    }
}

/* The sorted names of all kinds; the caller frees it. */
static const char **kind_names(const struct tg_kind_list *kinds)
{
    const char **names = malloc((kinds->n + 1) * sizeof(*names));
    for (size_t i = 0; names && i < kinds->n; i++)
        names[i] = kinds->kind[i]->name;
    return names;
}

static void decode_kind(struct decoder *d)
{
    const json_t *value = json_object_get(d->body->root, "kind");
    const char *name = json_string_value(value);
    char allowed[sizeof(((struct tg_fault *)0)->allowed)];
    for (size_t i = 0; name && i < d->kinds->n; i++)
        if (!strcmp(d->kinds->kind[i]->name, name))
            d->spec->kind = d->kinds->kind[i];
    if (d->spec->kind)
        return;
    const char **names = kind_names(d->kinds);
    if (!names)
        tg_fault_add(d->report, TG_NOMEM, NULL, "There is no memory for this.");
    else if (name)
        tg_fault_unknown(d->report, "/kind", "kind", name, names, d->kinds->n);
    else
        fault(d, "/kind", value, tg_join(allowed, sizeof(allowed), names, d->kinds->n),
              "`kind` names the analysis to run.");
    free(names);
}

static void decode_name(struct decoder *d, const json_t *value)
{
    if (!json_is_string(value) || json_string_length(value) > REQUEST_NAME_MAX) {
        fault(d, "/name", value, "text of at most 200 bytes", "`name` is a short text.");
        return;
    }
    d->spec->name = tg_arena_strdup(d->spec->arena, json_string_value(value));
    if (!d->spec->name)
        tg_fault_add(d->report, TG_NOMEM, "/name", "There is no memory for this.");
}

static void decode_priority(struct decoder *d, const json_t *value)
{
    const char *name = json_string_value(value);
    for (int i = 0; name && i < TG_PRIORITY_COUNT; i++) {
        if (!strcmp(name, tg_priority_names[i])) {
            d->spec->priority = (enum tg_priority)i;
            return;
        }
    }
    if (name)
        tg_fault_unknown(d->report, "/priority", "priority", name, tg_priority_names,
                         TG_PRIORITY_COUNT);
    else
        fault(d, "/priority", value, "high, normal, low", "`priority` is a word.");
}

static void decode_max_run(struct decoder *d, const json_t *value)
{
    double seconds = json_number_value(value);
    if (seconds > 0 && seconds <= DBL_MAX)
        d->spec->max_run_s = seconds;
    else
        fault(d, "/max_run_s", value, "number above 0",
              "`max_run_s` is the number of seconds the job may run.");
}

static void decode_deadline(struct decoder *d, const json_t *value)
{
    double seconds = json_number_value(value);
    const char *text = json_string_value(value);
    if (text ? tg_rfc3339_read(text, &seconds) && seconds > 0 : seconds > 0)
        d->spec->deadline = seconds;
    else
        fault(d, "/deadline", value, "RFC 3339 time or Unix seconds",
              "`deadline` is a time such as \"2030-01-31T12:00:00Z\", or Unix seconds.");
}

static void decode_keep(struct decoder *d, const json_t *value)
{
    d->spec->keep = json_is_true(value);
    if (!json_is_boolean(value))
        fault(d, "/keep", value, "true or false",
              "`keep` tells whether retention spares the job.");
}

static void decode_options(struct decoder *d)
{
    static const struct {
        const char *name;
        void (*decode)(struct decoder *d, const json_t *value);
    } option[] = {{"name", decode_name},
                  {"priority", decode_priority},
                  {"max_run_s", decode_max_run},
                  {"deadline", decode_deadline},
                  {"keep", decode_keep}};
    for (size_t i = 0; i < sizeof(option) / sizeof(option[0]); i++) {
        const json_t *value = json_object_get(d->body->root, option[i].name);
        if (value)
            option[i].decode(d, value);
    }
}

/* A member that is an object; NULL, with a fault unless it is absent, when it is not. */
static const json_t *object_member(struct decoder *d, const char *name)
{
    char pointer[TG_POINTER_SIZE];
    const json_t *value = json_object_get(d->body->root, name);
    if (json_is_object(value) && !tg_json_body_array(d->body, value))
        return value;
    if (value)
        fault(d, tg_pointer_add(pointer, "", name), value, "object",
              "This member is an object of names and values.");
    return NULL;
}

static void decode_content(struct decoder *d, size_t max_inline_bytes)
{
    struct tg_request_spec *spec = d->spec;
    const json_t *params = object_member(d, "params"),
                 *inputs = object_member(d, "inputs");
    decode_kind(d);
    if (!spec->kind)
        return;
    spec->params = tg_arena_alloc(spec->arena, 1, spec->kind->params_size);
    spec->inputs =
        tg_arena_alloc(spec->arena, spec->kind->ninputs, sizeof(*spec->inputs));
    if (!spec->params || !spec->inputs) {
        tg_fault_add(d->report, TG_NOMEM, NULL, "There is no memory for this.");
        return;
    }
    tg_params_decode(spec->kind, params, spec->arena, spec->params, d->report);
    tg_inputs_decode(d->body, inputs, max_inline_bytes, spec, d->report);
}

static void make_canonical(struct decoder *d)
{
    struct tg_request_spec *spec = d->spec;
    struct tg_buf out;
    size_t n = 0;
    tg_buf_init(&out, CANONICAL_MAX);
    tg_buf_puts(&out, "{\"inputs\":");
    tg_inputs_write(spec, &out);
    tg_buf_printf(&out, ",\"kind\":\"%s\",\"params\":", spec->kind->name);
    tg_params_write(spec->kind, spec->params, &out);
    tg_buf_printf(&out, ",\"version\":%d}", spec->kind->version);
    spec->canonical = tg_buf_take(&out, &n);
    if (spec->canonical)
        tg_sha256_hex(spec->canonical, n, spec->hash);
    else
        tg_fault_add(d->report, TG_NOMEM, NULL, "There is no memory for this.");
}

static enum tg_err decode(const struct tg_kind_list *kinds, const char *text, size_t n,
                          const struct tg_decode_limits *limits, size_t nallowed,
                          struct tg_request_spec *spec, struct tg_report *report)
{
    struct tg_json_body body;
    struct tg_report own;
    size_t cap;
    *spec = (struct tg_request_spec){.name = "", .priority = TG_PRIORITY_NORMAL};
    if (!report)
        report = &own;
    tg_report_init(report);
    TG_TRY(tg_json_body_parse(text, n, limits->max_numbers, &body, report));
    struct decoder d = {kinds, &body, spec, report};
    spec->arena = tg_mul_ok(n, 8, &cap) ? tg_arena_new(cap + ARENA_BASE) : NULL;
    if (!spec->arena) {
        tg_fault_add(report, TG_NOMEM, NULL, "There is no memory for this.");
    } else {
        check_members(&d, nallowed);
        decode_options(&d);
        decode_content(&d, limits->max_inline_bytes);
    }
    if (!report->count)
        make_canonical(&d);
    tg_json_body_release(&body);
    enum tg_err err = report->count ? report->code : TG_OK;
    if (err)
        tg_request_spec_release(spec);
    return err;
}

enum tg_err tg_request_decode_with(const struct tg_kind_list *kinds, const char *body,
                                   size_t n, const struct tg_decode_limits *limits,
                                   struct tg_request_spec *spec, struct tg_report *report)
{
    return decode(kinds, body, n, limits, sizeof(members) / sizeof(members[0]) - 1, spec,
                  report);
}

enum tg_err tg_request_from_canonical_with(const struct tg_kind_list *kinds,
                                           const char *canonical,
                                           struct tg_request_spec *spec,
                                           struct tg_report *report)
{
    static const struct tg_decode_limits none = {0, 0};
    return decode(kinds, canonical, strlen(canonical), &none,
                  sizeof(members) / sizeof(members[0]), spec, report);
}

enum tg_err tg_request_decode(const char *body, size_t n,
                              const struct tg_decode_limits *limits,
                              struct tg_request_spec *spec, struct tg_report *report)
{
    const struct tg_kind_list kinds = {tg_kinds, tg_nkinds};
    return tg_request_decode_with(&kinds, body, n, limits, spec, report);
}

enum tg_err tg_request_from_canonical(const char *canonical, struct tg_request_spec *spec,
                                      struct tg_report *report)
{
    const struct tg_kind_list kinds = {tg_kinds, tg_nkinds};
    return tg_request_from_canonical_with(&kinds, canonical, spec, report);
}

void tg_request_spec_release(struct tg_request_spec *spec)
{
    for (size_t i = 0; i < spec->nblobs; i++)
        free(spec->blob[i].bytes);
    free(spec->blob);
    free(spec->canonical);
    tg_arena_free(spec->arena);
    *spec = (struct tg_request_spec){.name = ""};
}

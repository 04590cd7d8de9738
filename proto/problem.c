/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Problem documents. */
#include "proto/problem.h"

#include <string.h>

#include "proto/buf.h"
#include "proto/jsonload.h"

/*
 * A fault quotes the request and is cut to fit, perhaps in the middle of a character;
 * what jansson does not take goes through the writer that mends UTF-8.
 */
static json_t *text_value(const char *text)
{
    json_t *value = json_string(text);
    if (value)
        return value;
    struct tg_buf mended;
    tg_buf_init(&mended, 4096);
    tg_buf_json_string(&mended, text, strlen(text));
    value = tg_buf_failed(&mended) ? NULL : tg_json_load(mended.p);
    tg_buf_release(&mended);
    return value;
}

static bool add_text(json_t *object, const char *name, const char *text)
{
    return !text || !*text || !json_object_set_new(object, name, text_value(text));
}

static json_t *fault_value(const struct tg_fault *fault)
{
    json_t *object = json_object();
    if (object && !json_object_set_new(object, "pointer", text_value(fault->pointer)) &&
        add_text(object, "detail", fault->detail) &&
        add_text(object, "got", fault->got) &&
        add_text(object, "allowed", fault->allowed))
        return object;
    json_decref(object);
    return NULL;
}

/* Faults worth a line of their own: with a place, or more than one. */
static bool has_faults(const struct tg_report *report)
{
    return report && report->count &&
           (report->count > 1 || *report->fault[0].pointer || *report->fault[0].got ||
            *report->fault[0].allowed);
}

static bool add_faults(json_t *problem, const struct tg_report *report)
{
    json_t *errors = json_array();
    size_t n = report->count < TG_FAULT_MAX ? report->count : TG_FAULT_MAX;
    for (size_t i = 0; errors && i < n; i++) {
        if (json_array_append_new(errors, fault_value(&report->fault[i]))) {
            json_decref(errors);
            return false;
        }
    }
    return !json_object_set_new(problem, "errors", errors);
}

json_t *tg_problem(enum tg_err err, const struct tg_report *report, const char *instance)
{
    json_t *problem = json_pack("{s:o, s:s, s:i}", "type",
                                json_sprintf("/v1/problems/%s", tg_err_slug(err)),
                                "title", tg_err_title(err), "status", tg_err_status(err));
    if (problem && add_text(problem, "detail", report ? report->detail : NULL) &&
        add_text(problem, "instance", instance) &&
        (!has_faults(report) || add_faults(problem, report)))
        return problem;
    json_decref(problem);
    return NULL;
}

const char *tg_problem_plain(enum tg_err err)
{
    static const char *const text[TG_ERR_COUNT] = {
#define XX(code, status, slug, title)                                                    \
    "{\"type\":\"/v1/problems/" slug "\",\"title\":\"" title "\",\"status\":" #status "}",
        TG_ERR_MAP(XX)
#undef XX
    };
    return text[err];
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "toy.h"

#include <math.h>
#include <string.h>

static const char *const methods[] = {"exact", "fast", NULL};
static const char *const measures[] = {"cca", "cka", "svcca", NULL};

static const struct tg_param params[] = {
    TG_P_INT(struct toy_params, rank, 1, 100, "10", "", "Directions kept."),
    TG_P_REAL(struct toy_params, share, 0, 1, "0.99", "", "Share of variance kept."),
    TG_P_BOOL(struct toy_params, centre, "true", "Take the mean off."),
    TG_P_ENUM(struct toy_params, method, methods, "\"exact\"", "How."),
    TG_P_ENUM_LIST(struct toy_params, measures, measures, "[\"cka\", \"cca\"]", "Which."),
    TG_P_STRING(struct toy_params, label, 8, "\"\"", "A label."),
    TG_P_INT_LIST(struct toy_params, sizes, 0, INFINITY, "[1, 2]", "px", "Sizes."),
    TG_P_REAL_LIST(struct toy_params, weights, -INFINITY, 1, "[0.5]", "", "Weights."),
    TG_P_STRING_LIST(struct toy_params, tags, 4, "[\"ab\"]", "Tags."),
    TG_P_REAL(struct toy_params, must, -INFINITY, INFINITY, NULL, "s", "Has no default."),
};

static const struct tg_input inputs[] = {
    {"x", false, true, 1, 2, 2, "n,d", "The points.", 0},
    {"layers", true, false, 4, 1, 2, "n,d", "The layers.", 0},
    {"runs", true, false, 6000, 0, 2, "any", "Networks as they were trained.",
     TG_INPUT_LABELLED | TG_INPUT_MEMBERS},
};

static const struct tg_output outputs[] = {
    {TG_OUT_VALUE, "mean", "number", "", "The mean."},
    {TG_OUT_ARRAY, "map", "float64", "L,L", "All pairs."},
    {TG_OUT_FIGURE, "map", "", "", "The same, drawn."},
    {TG_OUT_QUALITY, "residual", "number", "", "What is left."},
};

static void check(const struct tg_job *job, struct tg_report *report)
{
    const struct toy_params *p = job->params;
    const struct tg_job_input *x = tg_job_input(job, "x");
    if (p->rank > x->array[0].mat.shape[1])
        tg_fault_add(report, TG_INVALID, "/params/rank", "More directions than columns.");
}

const struct tg_kind toy_kind = {
    .name = "toy",
    .version = 3,
    .title = "A toy",
    .summary = "Nothing to see.",
    .reference = "None (2024).",
    .params = params,
    .nparams = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct toy_params),
    .inputs = inputs,
    .ninputs = sizeof(inputs) / sizeof(inputs[0]),
    .outputs = outputs,
    .noutputs = sizeof(outputs) / sizeof(outputs[0]),
    .example =
        "{\"kind\": \"toy\", \"params\": {\"must\": 0.1}, \"inputs\": {\"x\": [[1]]}}",
    .check = check,
};

static const struct tg_kind *const list[] = {&toy_kind};
const struct tg_kind_list toy_kinds = {list, 1};

enum tg_err toy_decode(const char *body, struct tg_request_spec *spec,
                       struct tg_report *report)
{
    static const struct tg_decode_limits limits = {1000, 4096};
    tg_report_init(report);
    return tg_request_decode_with(&toy_kinds, body, strlen(body), &limits, spec, report);
}

const struct tg_fault *toy_fault(const struct tg_report *report, const char *pointer)
{
    for (size_t i = 0; i < report->count && i < TG_FAULT_MAX; i++)
        if (!strcmp(report->fault[i].pointer, pointer))
            return &report->fault[i];
    return NULL;
}

static enum tg_err open_blob(void *self, const char *sha256, const void **bytes,
                             size_t *n, void **handle)
{
    struct toy_store *store = self;
    *handle = store;
    store->opened++;
    if (!strcmp(sha256, store->sha256)) {
        *bytes = store->bytes;
        *n = store->n;
        return TG_OK;
    }
    for (size_t i = 0; i < store->spec->nblobs; i++) {
        const struct tg_inline_blob *blob = &store->spec->blob[i];
        if (!strcmp(sha256, blob->sha256)) {
            *bytes = blob->bytes;
            *n = blob->n;
            return TG_OK;
        }
    }
    store->opened--;
    return TG_UNKNOWN_DATA;
}

static void close_blob(void *self, void *handle)
{
    struct toy_store *store = self;
    store->closed += handle == self;
}

struct tg_opener toy_opener(struct toy_store *store)
{
    return (struct tg_opener){.self = store, .open = open_blob, .close = close_blob};
}

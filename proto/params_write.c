/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parameters in words, and back as JSON. */
#include "proto/params.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/fault.h"
#include "proto/jsonload.h"

size_t tg_choices_count(const char *const *choices)
{
    size_t n = 0;
    while (choices && choices[n])
        n++;
    return n;
}

static void range_text(const char *noun, double lo, double hi, char *out, size_t size)
{
    if (isfinite(lo) && isfinite(hi))
        snprintf(out, size, "%s from %.15g to %.15g", noun, lo, hi);
    else if (isfinite(lo))
        snprintf(out, size, "%s of at least %.15g", noun, lo);
    else if (isfinite(hi))
        snprintf(out, size, "%s of at most %.15g", noun, hi);
    else
        snprintf(out, size, "%s", noun);
}

char *tg_param_range(const struct tg_param *param, char *out, size_t size)
{
    char noun[24], each[60], choices[160];
    switch (param->type) {
    case TG_PARAM_INT:
        range_text("integer", param->lo, param->hi, out, size);
        break;
    case TG_PARAM_REAL:
        range_text("number", param->lo, param->hi, out, size);
        break;
    case TG_PARAM_INT_LIST:
    case TG_PARAM_REAL_LIST:
        snprintf(noun, sizeof(noun), "list, each %s",
                 param->type == TG_PARAM_INT_LIST ? "integer" : "number");
        range_text(noun, param->lo, param->hi, out, size);
        break;
    case TG_PARAM_BOOL:
        snprintf(out, size, "true or false");
        break;
    case TG_PARAM_ENUM:
    case TG_PARAM_ENUM_LIST:
        tg_join(choices, sizeof(choices), param->choices,
                tg_choices_count(param->choices));
        snprintf(out, size, "%s %s",
                 param->type == TG_PARAM_ENUM ? "one of"
                                              : "list of distinct names out of",
                 choices);
        break;
    case TG_PARAM_STRING:
        range_text("text, in bytes", param->lo, param->hi, out, size);
        break;
    case TG_PARAM_STRING_LIST:
        snprintf(each, sizeof(each), "list of at most %d texts, each in bytes",
                 TG_STRING_LIST_MAX);
        range_text(each, param->lo, param->hi, out, size);
        break;
    }
    return out;
}

json_t *tg_param_default(const struct tg_param *param)
{
    return param->def ? tg_json_load(param->def) : NULL;
}

static void put_name(struct tg_buf *out, const char *text)
{
    tg_buf_json_string(out, text, strlen(text));
}

static void write_value(const struct tg_param *param, const void *field,
                        struct tg_buf *out)
{
    const struct tg_int_list *ints = field;
    const struct tg_real_list *reals = field;
    const struct tg_string_list *texts = field;
    const char *separator = "";
    switch (param->type) {
    case TG_PARAM_INT:
        tg_buf_printf(out, "%lld", (long long)*(const int64_t *)field);
        break;
    case TG_PARAM_REAL:
        tg_buf_double(out, *(const double *)field);
        break;
    case TG_PARAM_BOOL:
        tg_buf_puts(out, *(const bool *)field ? "true" : "false");
        break;
    case TG_PARAM_ENUM:
        put_name(out, param->choices[*(const int *)field]);
        break;
    case TG_PARAM_STRING:
        put_name(out, *(const char *const *)field);
        break;
    case TG_PARAM_ENUM_LIST:
        tg_buf_puts(out, "[");
        for (size_t i = 0; param->choices[i]; i++) {
            if (!(*(const uint64_t *)field >> i & 1))
                continue;
            tg_buf_puts(out, separator);
            put_name(out, param->choices[i]);
            separator = ",";
        }
        tg_buf_puts(out, "]");
        break;
    case TG_PARAM_INT_LIST:
        tg_buf_puts(out, "[");
        for (size_t i = 0; i < ints->n; i++)
            tg_buf_printf(out, "%s%lld", i ? "," : "", (long long)ints->v[i]);
        tg_buf_puts(out, "]");
        break;
    case TG_PARAM_REAL_LIST:
        tg_buf_puts(out, "[");
        for (size_t i = 0; i < reals->n; i++) {
            tg_buf_puts(out, i ? "," : "");
            tg_buf_double(out, reals->v[i]);
        }
        tg_buf_puts(out, "]");
        break;
    case TG_PARAM_STRING_LIST:
        tg_buf_puts(out, "[");
        for (size_t i = 0; i < texts->n; i++) {
            tg_buf_puts(out, i ? "," : "");
            put_name(out, texts->v[i]);
        }
        tg_buf_puts(out, "]");
        break;
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct tg_param *const *)a)->name,
                  (*(const struct tg_param *const *)b)->name);
}

void tg_params_write(const struct tg_kind *kind, const void *params, struct tg_buf *out)
{
    const struct tg_param **sorted = malloc((kind->nparams + 1) * sizeof(*sorted));
    if (!sorted) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < kind->nparams; i++)
        sorted[i] = &kind->params[i];
    qsort(sorted, kind->nparams, sizeof(*sorted), by_name);
    tg_buf_puts(out, "{");
    for (size_t i = 0; i < kind->nparams; i++) {
        tg_buf_puts(out, i ? "," : "");
        put_name(out, sorted[i]->name);
        tg_buf_puts(out, ":");
        write_value(sorted[i], (const char *)params + sorted[i]->offset, out);
    }
    tg_buf_puts(out, "}");
    free(sorted);
}

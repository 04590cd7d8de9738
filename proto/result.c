/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results: what run() adds. */
#include "proto/result.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum tg_err tg_result_init(struct tg_result *result)
{
    *result = (struct tg_result){
        json_object(), json_object(), json_array(), NULL, 0, NULL, 0, false};
    if (result->values && result->quality && result->warnings)
        return TG_OK;
    tg_result_release(result);
    return TG_NOMEM;
}

void tg_result_release(struct tg_result *result)
{
    json_decref(result->values);
    json_decref(result->quality);
    json_decref(result->warnings);
    for (size_t i = 0; i < result->narrays; i++)
        free(result->array[i].name);
    for (size_t i = 0; i < result->nfigures; i++) {
        free(result->figure[i].name);
        free(result->figure[i].title);
        json_decref(result->figure[i].spec);
    }
    free(result->array);
    free(result->figure);
    *result = (struct tg_result){0};
}

bool tg_result_failed(const struct tg_result *result)
{
    return result->failed;
}

void tg_result_warn(struct tg_result *result, const char *code, const char *format, ...)
{
    char text[TG_WARNING_MAX + 8], message[TG_WARNING_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    tg_utf8_copy(message, sizeof(message), text);
    if (json_array_append_new(result->warnings,
                              json_pack("{s:s, s:s}", "code", code, "message", message)))
        result->failed = true;
}

static void set(struct tg_result *result, json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, value))
        result->failed = true;
}

static json_t *real_value(struct tg_result *result, const char *name, double x)
{
    if (isfinite(x))
        return json_real(x);
    tg_result_warn(result, "non-finite", "%s is %s", name,
                   isnan(x) ? "not a number"
                   : x > 0  ? "infinite"
                            : "minus infinite");
    return json_null();
}

void tg_result_value(struct tg_result *result, const char *name, json_t *value)
{
    set(result, result->values, name, value);
}

void tg_result_real(struct tg_result *result, const char *name, double x)
{
    set(result, result->values, name, real_value(result, name, x));
}

void tg_result_int(struct tg_result *result, const char *name, int64_t x)
{
    set(result, result->values, name, json_integer(x));
}

void tg_result_text(struct tg_result *result, const char *name, const char *text)
{
    set(result, result->values, name, json_string(text));
}

void tg_result_reals(struct tg_result *result, const char *name, const double *x,
                     size_t n)
{
    json_t *list = json_array();
    size_t bad = 0;
    for (size_t i = 0; list && i < n; i++) {
        bad += !isfinite(x[i]);
        if (json_array_append_new(list, isfinite(x[i]) ? json_real(x[i]) : json_null()))
            result->failed = true;
    }
    if (bad)
        tg_result_warn(result, "non-finite",
                       "%zu of the %zu numbers of %s are not finite", bad, n, name);
    set(result, result->values, name, list);
}

void tg_result_quality_value(struct tg_result *result, const char *name, json_t *value)
{
    set(result, result->quality, name, value);
}

void tg_result_quality_real(struct tg_result *result, const char *name, double x)
{
    set(result, result->quality, name, real_value(result, name, x));
}

void tg_result_quality_int(struct tg_result *result, const char *name, int64_t x)
{
    set(result, result->quality, name, json_integer(x));
}

void tg_result_quality_text(struct tg_result *result, const char *name, const char *text)
{
    set(result, result->quality, name, json_string(text));
}

static void add_array(struct tg_result *result, const char *name, const void *data,
                      enum tg_dtype dtype, int ndim, const int64_t *shape)
{
    struct tg_result_array *grown =
        reallocarray(result->array, result->narrays + 1, sizeof(*grown));
    if (!grown) {
        result->failed = true;
        return;
    }
    result->array = grown;
    struct tg_result_array *array = &grown[result->narrays];
    array->name = strdup(name);
    if (!array->name) {
        result->failed = true;
        return;
    }
    result->narrays++;
    if (!tg_mat_init(&array->mat, data, dtype, ndim, shape, false))
        TG_BUG("an array of a result has no valid shape");
}

void tg_result_array_f64(struct tg_result *result, const char *name, const double *data,
                         int ndim, const int64_t *shape)
{
    add_array(result, name, data, TG_F64, ndim, shape);
}

void tg_result_array_f32(struct tg_result *result, const char *name, const float *data,
                         int ndim, const int64_t *shape)
{
    add_array(result, name, data, TG_F32, ndim, shape);
}

void tg_result_figure(struct tg_result *result, const char *name, const char *title,
                      json_t *spec)
{
    struct tg_result_figure *grown =
        reallocarray(result->figure, result->nfigures + 1, sizeof(*grown));
    if (grown)
        result->figure = grown;
    struct tg_result_figure figure = {strdup(name), strdup(title), spec};
    if (!grown || !figure.name || !figure.title || !spec) {
        free(figure.name);
        free(figure.title);
        json_decref(spec);
        result->failed = true;
        return;
    }
    grown[result->nfigures++] = figure;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Parameters.
 *
 * DESIGN. A default goes through the same code as a value from a request, so a default
 * that its own row forbids shows at once, as a bug.
 */
#include "proto/params.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/fault.h"

/* Where a value goes, and what is said when it cannot. */
struct slot {
    const struct tg_param *param;
    struct tg_arena *arena;
    void *field;
    const char *pointer;
    struct tg_report *report;
};

static void fault(const struct slot *slot, const char *pointer, const json_t *value)
{
    char got[TG_GOT_SIZE], allowed[sizeof(((struct tg_fault *)0)->allowed)];
    tg_param_range(slot->param, allowed, sizeof(allowed));
    tg_value_text(value, NULL, got);
    tg_fault_add_value(slot->report, TG_INVALID, pointer, got, allowed,
                       "`%s` takes: %s; this is %s.", slot->param->name, allowed, got);
}

static void *allocate(const struct slot *slot, size_t count, size_t size)
{
    void *p = tg_arena_alloc(slot->arena, count, size);
    if (!p)
        tg_fault_add(slot->report, TG_NOMEM, slot->pointer,
                     "There is no memory for this.");
    return p;
}

/* 3 and 3.0 are integers, 3.5 is none. */
static bool read_int(const struct tg_param *param, const json_t *value, int64_t *out)
{
    if (json_is_integer(value)) {
        *out = json_integer_value(value);
    } else {
        double x = json_is_real(value) ? json_real_value(value) : NAN;
        if (!(fabs(x) <= 0x1p53) || x != nearbyint(x))
            return false;
        *out = (int64_t)x;
    }
    return (double)*out >= param->lo && (double)*out <= param->hi;
}

static bool read_real(const struct tg_param *param, const json_t *value, double *out)
{
    if (!json_is_number(value))
        return false;
    *out = json_number_value(value);
    return *out >= param->lo && *out <= param->hi;
}

/* The index of a choice; tells the nearest one when there is no such choice. */
static bool read_choice(const struct slot *slot, const char *pointer, const json_t *value,
                        size_t *index)
{
    const char *word = json_string_value(value);
    const char *const *choices = slot->param->choices;
    if (!word) {
        fault(slot, pointer, value);
        return false;
    }
    for (*index = 0; choices[*index]; ++*index)
        if (!strcmp(choices[*index], word))
            return true;
    tg_fault_unknown(slot->report, pointer, slot->param->name, word, choices,
                     tg_choices_count(choices));
    return false;
}

static void decode_enum_list(const struct slot *slot, const json_t *value)
{
    uint64_t set = 0;
    size_t i, index;
    json_t *entry;
    json_array_foreach(value, i, entry)
    {
        char at[TG_POINTER_SIZE];
        tg_pointer_index(at, slot->pointer, i);
        if (!read_choice(slot, at, entry, &index))
            continue;
        if (set >> index & 1)
            tg_fault_add_value(slot->report, TG_INVALID, at, slot->param->choices[index],
                               NULL, "`%s` names `%s` twice.", slot->param->name,
                               slot->param->choices[index]);
        set |= UINT64_C(1) << index;
    }
    *(uint64_t *)slot->field = set;
}

static void decode_int_list(const struct slot *slot, const json_t *value)
{
    size_t i, n = json_array_size(value);
    int64_t *v = allocate(slot, n, sizeof(*v));
    json_t *entry;
    if (!v)
        return;
    json_array_foreach(value, i, entry)
    {
        char at[TG_POINTER_SIZE];
        if (!read_int(slot->param, entry, &v[i]))
            fault(slot, tg_pointer_index(at, slot->pointer, i), entry);
    }
    *(struct tg_int_list *)slot->field = (struct tg_int_list){v, n};
}

static void decode_real_list(const struct slot *slot, const json_t *value)
{
    size_t i, n = json_array_size(value);
    double *v = allocate(slot, n, sizeof(*v));
    json_t *entry;
    if (!v)
        return;
    json_array_foreach(value, i, entry)
    {
        char at[TG_POINTER_SIZE];
        if (!read_real(slot->param, entry, &v[i]))
            fault(slot, tg_pointer_index(at, slot->pointer, i), entry);
    }
    *(struct tg_real_list *)slot->field = (struct tg_real_list){v, n};
}

static const char *read_string(const struct slot *slot, const char *pointer,
                               const json_t *value)
{
    double n = (double)json_string_length(value);
    if (!json_is_string(value) || n < slot->param->lo || n > slot->param->hi) {
        fault(slot, pointer, value);
        return NULL;
    }
    const char *text = tg_arena_strdup(slot->arena, json_string_value(value));
    if (!text)
        tg_fault_add(slot->report, TG_NOMEM, pointer, "There is no memory for this.");
    return text;
}

static void decode_string_list(const struct slot *slot, const json_t *value)
{
    size_t i, n = json_array_size(value);
    json_t *entry;
    if (n > TG_STRING_LIST_MAX) {
        fault(slot, slot->pointer, value);
        return;
    }
    const char **v = allocate(slot, n, sizeof(*v));
    if (!v)
        return;
    json_array_foreach(value, i, entry)
    {
        char at[TG_POINTER_SIZE];
        v[i] = read_string(slot, tg_pointer_index(at, slot->pointer, i), entry);
    }
    *(struct tg_string_list *)slot->field = (struct tg_string_list){v, n};
}

static void decode_list(const struct slot *slot, const json_t *value)
{
    if (!json_is_array(value))
        fault(slot, slot->pointer, value);
    else if (slot->param->type == TG_PARAM_ENUM_LIST)
        decode_enum_list(slot, value);
    else if (slot->param->type == TG_PARAM_INT_LIST)
        decode_int_list(slot, value);
    else if (slot->param->type == TG_PARAM_STRING_LIST)
        decode_string_list(slot, value);
    else
        decode_real_list(slot, value);
}

static void decode_value(const struct slot *slot, const json_t *value)
{
    bool ok = true;
    size_t index;
    switch (slot->param->type) {
    case TG_PARAM_INT:
        ok = read_int(slot->param, value, slot->field);
        break;
    case TG_PARAM_REAL:
        ok = read_real(slot->param, value, slot->field);
        break;
    case TG_PARAM_BOOL:
        ok = json_is_boolean(value);
        *(bool *)slot->field = json_is_true(value);
        break;
    case TG_PARAM_ENUM:
        if (read_choice(slot, slot->pointer, value, &index))
            *(int *)slot->field = (int)index;
        break;
    case TG_PARAM_STRING:
        *(const char **)slot->field = read_string(slot, slot->pointer, value);
        break;
    case TG_PARAM_ENUM_LIST:
    case TG_PARAM_INT_LIST:
    case TG_PARAM_REAL_LIST:
    case TG_PARAM_STRING_LIST:
        decode_list(slot, value);
        break;
    }
    if (!ok)
        fault(slot, slot->pointer, value);
}

static void tell_required(const struct slot *slot)
{
    char allowed[sizeof(((struct tg_fault *)0)->allowed)];
    tg_param_range(slot->param, allowed, sizeof(allowed));
    tg_fault_add_value(slot->report, TG_INVALID, slot->pointer, NULL, allowed,
                       "`%s` is required: %s.", slot->param->name, allowed);
}

static void decode_default(const struct slot *slot)
{
    json_t *value = tg_param_default(slot->param);
    size_t before = slot->report->count;
    if (!value) {
        tg_fault_add(slot->report, TG_NOMEM, slot->pointer,
                     "There is no memory for this.");
        return;
    }
    decode_value(slot, value);
    json_decref(value);
    if (slot->report->count > before && !tg_arena_failed(slot->arena))
        TG_BUG("a default that its own row forbids");
}

static void find_unknown(const struct tg_kind *kind, const json_t *params,
                         struct tg_report *report)
{
    const char *names[64], *key;
    char pointer[TG_POINTER_SIZE];
    json_t *value;
    size_t n = kind->nparams < 64 ? kind->nparams : 64;
    for (size_t i = 0; i < n; i++)
        names[i] = kind->params[i].name;
    json_object_foreach((json_t *)(uintptr_t)params, key, value)
    {
        bool known = false;
        for (size_t i = 0; i < kind->nparams; i++)
            known = known || !strcmp(key, kind->params[i].name);
        if (!known)
            tg_fault_unknown(report, tg_pointer_add(pointer, "/params", key), "parameter",
                             key, names, n);
    }
}

void tg_params_decode(const struct tg_kind *kind, const json_t *params,
                      struct tg_arena *arena, void *out, struct tg_report *report)
{
    for (size_t i = 0; i < kind->nparams; i++) {
        const struct tg_param *param = &kind->params[i];
        char pointer[TG_POINTER_SIZE];
        struct slot slot = {param, arena, (char *)out + param->offset,
                            tg_pointer_add(pointer, "/params", param->name), report};
        const json_t *value = json_object_get(params, param->name);
        if (value)
            decode_value(&slot, value);
        else if (param->def)
            decode_default(&slot);
        else
            tell_required(&slot);
    }
    if (params)
        find_unknown(kind, params, report);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inputs of a request: lists, names, and the canonical form. */
#include "proto/inputs.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/fault.h"
#include "proto/input_array.h"

enum { NAME_MAX_BYTES = 200 };
static const double step_max = 0x1p53; /* every JSON reader has it exactly */

static bool is_name(const json_t *value)
{
    return json_is_string(value) && json_string_length(value) &&
           json_string_length(value) <= NAME_MAX_BYTES;
}

static struct tg_ref *allocate_refs(struct tg_input_decoder *d,
                                    struct tg_input_refs *refs, size_t n,
                                    const char *pointer)
{
    char got[32], allowed[48];
    size_t most = refs->input->list ? refs->input->max_count : 1;
    if (!n || n > most) {
        snprintf(got, sizeof(got), "%zu arrays", n);
        snprintf(allowed, sizeof(allowed), "1 to %zu arrays", most);
        tg_fault_add_value(d->report, TG_INVALID, pointer, got, allowed,
                           "`%s` takes %s; these are %zu.", refs->input->name, allowed,
                           n);
        return NULL;
    }
    refs->ref = tg_arena_alloc(d->spec->arena, n, sizeof(*refs->ref));
    if (!refs->ref) {
        tg_input_no_memory(d, pointer);
        return NULL;
    }
    refs->n = n;
    for (size_t i = 0; i < n; i++)
        refs->ref[i].step = -1;
    return refs->ref;
}

static void set_name(struct tg_input_decoder *d, struct tg_ref *ref, const char *name,
                     size_t index)
{
    ref->name = name ? tg_arena_strdup(d->spec->arena, name)
                     : tg_arena_printf(d->spec->arena, "%zu", index);
    if (!ref->name)
        tg_input_no_memory(d, ref->pointer);
}

static void set_pointer(struct tg_input_decoder *d, struct tg_ref *ref,
                        const char *pointer)
{
    const char *copy = tg_arena_strdup(d->spec->arena, pointer);
    if (!copy)
        tg_input_no_memory(d, pointer);
    ref->pointer = copy ? copy : "/inputs";
}

static void set_model(struct tg_input_decoder *d, struct tg_ref *ref, const json_t *value)
{
    char at[TG_POINTER_SIZE];
    if (!is_name(value)) {
        tg_input_fault(d, tg_pointer_add(at, ref->pointer, "model"), value,
                       "1 to 200 bytes of text", "`model` is the name of a model.");
        return;
    }
    ref->model = tg_arena_strdup(d->spec->arena, json_string_value(value));
    if (!ref->model)
        tg_input_no_memory(d, ref->pointer);
}

/* 3 and 3.0 are steps, 3.5 and -1 are none. */
static void set_step(struct tg_input_decoder *d, struct tg_ref *ref, const json_t *value)
{
    char at[TG_POINTER_SIZE];
    double step = json_is_number(value) ? json_number_value(value) : -1;
    if (step >= 0 && step <= step_max && step == nearbyint(step))
        ref->step = (int64_t)step;
    else
        tg_input_fault(d, tg_pointer_add(at, ref->pointer, "step"), value,
                       "integer from 0 to 2^53",
                       "`step` is the training step that the array was taken at.");
}

static void set_labels(struct tg_input_decoder *d, struct tg_ref *ref, const json_t *entry)
{
    const json_t *model = json_object_get(entry, "model"),
                 *step = json_object_get(entry, "step");
    if (model)
        set_model(d, ref, model);
    if (step)
        set_step(d, ref, step);
}

/* Arrays of one shape come from the scanner as one block of one dimension more. */
static void decode_block(struct tg_input_decoder *d, const struct tg_json_array *block,
                         struct tg_input_refs *refs, const char *pointer)
{
    char at[TG_POINTER_SIZE];
    size_t step = 1, n = (size_t)block->shape[0];
    for (int i = 1; i < block->ndim; i++)
        step *= (size_t)block->shape[i];
    struct tg_ref *ref = allocate_refs(d, refs, n, pointer);
    for (size_t i = 0; ref && i < n; i++) {
        set_pointer(d, &ref[i], tg_pointer_index(at, pointer, i));
        set_name(d, &ref[i], NULL, i);
        tg_input_numbers(d, block->data + i * step, block->ndim - 1, block->shape + 1,
                         &ref[i]);
    }
}

static void decode_entries(struct tg_input_decoder *d, const json_t *list,
                           struct tg_input_refs *refs, const char *pointer)
{
    char at[TG_POINTER_SIZE], at_name[TG_POINTER_SIZE];
    size_t n = json_array_size(list);
    bool labelled = refs->input->flags & TG_INPUT_LABELLED;
    struct tg_ref *ref = allocate_refs(d, refs, n, pointer);
    for (size_t i = 0; ref && i < n; i++) {
        const json_t *entry = json_array_get(list, i),
                     *name = json_object_get(entry, "name");
        set_pointer(d, &ref[i], tg_pointer_index(at, pointer, i));
        set_name(d, &ref[i], is_name(name) ? json_string_value(name) : NULL, i);
        if (name && !is_name(name))
            tg_input_fault(d, tg_pointer_add(at_name, at, "name"), name,
                           "1 to 200 bytes of text",
                           "The name of an array is a short text.");
        if (labelled)
            set_labels(d, &ref[i], entry);
        tg_input_array(d, entry, labelled ? TG_ENTRY_LABELLED : TG_ENTRY_LISTED, &ref[i]);
    }
}

static void decode_mapping(struct tg_input_decoder *d, const json_t *object,
                           struct tg_input_refs *refs, const char *pointer)
{
    char at[TG_POINTER_SIZE];
    size_t i = 0;
    const char *name;
    json_t *entry;
    struct tg_ref *ref = allocate_refs(d, refs, json_object_size(object), pointer);
    if (!ref)
        return;
    json_object_foreach((json_t *)(uintptr_t)object, name, entry)
    {
        tg_pointer_add(at, pointer, name);
        set_pointer(d, &ref[i], at);
        set_name(d, &ref[i], name, i);
        if (!*name || strlen(name) > NAME_MAX_BYTES)
            tg_fault_add(d->report, TG_INVALID, at,
                         "The name of an array has 1 to 200 bytes.");
        tg_input_array(d, entry, TG_ENTRY_BARE, &ref[i++]);
    }
}

/* By name, model and step: what is equal here is told apart by nothing. */
static int by_label(const void *a, const void *b)
{
    const struct tg_ref *x = *(const struct tg_ref *const *)a,
                        *y = *(const struct tg_ref *const *)b;
    int order = strcmp(x->name, y->name);
    if (!order)
        order = strcmp(x->model ? x->model : "", y->model ? y->model : "");
    return order ? order : (x->step > y->step) - (x->step < y->step);
}

static void tell_twice(struct tg_input_decoder *d, const struct tg_input *input,
                       const struct tg_ref *later)
{
    char model[120] = "", step[40] = "";
    if (later->model)
        snprintf(model, sizeof(model), " of model `%.80s`", later->model);
    if (later->step >= 0)
        snprintf(step, sizeof(step), " at step %lld", (long long)later->step);
    tg_fault_add_value(d->report, TG_INVALID, later->pointer, later->name, NULL,
                       "Two arrays of `%s` are named `%.80s`%s%s.", input->name,
                       later->name, model, step);
}

static void check_names(struct tg_input_decoder *d, const struct tg_input_refs *refs)
{
    const struct tg_ref **sorted = malloc((refs->n + 1) * sizeof(*sorted));
    if (!sorted) {
        tg_input_no_memory(d, "/inputs");
        return;
    }
    size_t named = 0;
    for (size_t i = 0; i < refs->n; i++)
        if (refs->ref[i].name)
            sorted[named++] = &refs->ref[i];
    qsort(sorted, named, sizeof(*sorted), by_label);
    for (size_t i = 1; i < named; i++) {
        const struct tg_ref *later =
            sorted[i] > sorted[i - 1] ? sorted[i] : sorted[i - 1];
        if (!by_label(&sorted[i], &sorted[i - 1]))
            tell_twice(d, refs->input, later);
    }
    free(sorted);
}

static void decode_list(struct tg_input_decoder *d, const json_t *value,
                        struct tg_input_refs *refs, const char *pointer)
{
    const struct tg_json_array *block = tg_json_body_array(d->body, value);
    if (block && block->ndim > 1)
        decode_block(d, block, refs, pointer);
    else if (!block && json_is_array(value))
        decode_entries(d, value, refs, pointer);
    else if (!block && json_is_object(value))
        decode_mapping(d, value, refs, pointer);
    else
        tg_input_fault(d, pointer, value, "list of arrays, or object of named arrays",
                       "This input is a list of arrays.");
    check_names(d, refs);
}

static void decode_input(struct tg_input_decoder *d, const json_t *value,
                         struct tg_input_refs *refs)
{
    char pointer[TG_POINTER_SIZE];
    tg_pointer_add(pointer, "/inputs", refs->input->name);
    if (!value) {
        if (refs->input->required)
            tg_fault_add_value(d->report, TG_INVALID, pointer, NULL,
                               refs->input->list ? "list of arrays" : "array",
                               "The input `%s` is required.", refs->input->name);
    } else if (refs->input->list) {
        decode_list(d, value, refs, pointer);
    } else if (allocate_refs(d, refs, 1, pointer)) {
        refs->ref->name = refs->input->name;
        set_pointer(d, refs->ref, pointer);
        tg_input_array(d, value, TG_ENTRY_BARE, refs->ref);
    }
}

void tg_inputs_decode(const struct tg_json_body *body, const json_t *inputs,
                      size_t max_inline_bytes, struct tg_request_spec *spec,
                      struct tg_report *report)
{
    struct tg_input_decoder d = {body, spec, report, max_inline_bytes};
    const struct tg_kind *kind = spec->kind;
    const char *names[16], *key;
    json_t *value;
    size_t n = kind->ninputs < 16 ? kind->ninputs : 16;
    for (size_t i = 0; i < kind->ninputs; i++) {
        spec->inputs[i].input = &kind->inputs[i];
        decode_input(&d, json_object_get(inputs, kind->inputs[i].name), &spec->inputs[i]);
    }
    for (size_t i = 0; i < n; i++)
        names[i] = kind->inputs[i].name;
    json_object_foreach((json_t *)(uintptr_t)inputs, key, value)
    {
        char at[TG_POINTER_SIZE];
        bool known = false;
        for (size_t i = 0; i < kind->ninputs; i++)
            known = known || !strcmp(key, kind->inputs[i].name);
        if (!known)
            tg_fault_unknown(report, tg_pointer_add(at, "/inputs", key), "input", key,
                             names, n);
    }
}

static int input_by_name(const void *a, const void *b)
{
    return strcmp((*(const struct tg_input_refs *const *)a)->input->name,
                  (*(const struct tg_input_refs *const *)b)->input->name);
}

/* A member and the comma behind it, or nothing for NULL. */
static void write_text(const char *member, const char *text, struct tg_buf *out)
{
    if (!text)
        return;
    tg_buf_printf(out, "\"%s\":", member);
    tg_buf_json_string(out, text, strlen(text));
    tg_buf_puts(out, ",");
}

static void write_ref(const struct tg_ref *ref, bool named, struct tg_buf *out)
{
    tg_buf_puts(out, "{");
    write_text("key", ref->key, out);
    write_text("model", ref->model, out);
    write_text("name", named ? ref->name : NULL, out);
    tg_buf_printf(out, "\"sha256\":\"%s\"", ref->sha256);
    if (ref->step >= 0)
        tg_buf_printf(out, ",\"step\":%lld", (long long)ref->step);
    tg_buf_puts(out, "}");
}

static void write_input(const struct tg_input_refs *refs, struct tg_buf *out)
{
    tg_buf_printf(out, "\"%s\":%s", refs->input->name, refs->input->list ? "[" : "");
    for (size_t i = 0; i < refs->n; i++) {
        tg_buf_puts(out, i ? "," : "");
        write_ref(&refs->ref[i], refs->input->list, out);
    }
    tg_buf_puts(out, refs->input->list ? "]" : "");
}

void tg_inputs_write(const struct tg_request_spec *spec, struct tg_buf *out)
{
    size_t given = 0, n = spec->kind->ninputs;
    const struct tg_input_refs **sorted = malloc((n + 1) * sizeof(*sorted));
    if (!sorted) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (spec->inputs[i].n)
            sorted[given++] = &spec->inputs[i];
    qsort(sorted, given, sizeof(*sorted), input_by_name);
    tg_buf_puts(out, "{");
    for (size_t i = 0; i < given; i++) {
        tg_buf_puts(out, i ? "," : "");
        write_input(sorted[i], out);
    }
    tg_buf_puts(out, "}");
    free(sorted);
}

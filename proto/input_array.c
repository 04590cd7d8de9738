/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One array of a request.
 *
 * DESIGN. Whatever form an array comes in, what is kept is a reference: a digest, and a
 * key inside the file. Bytes that came along are kept once per digest. Numbers in JSON
 * become the npy file that numpy writes for them, so they share a digest with an upload
 * of it.
 */
#include "proto/input_array.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/fault.h"

void tg_input_no_memory(struct tg_input_decoder *d, const char *pointer)
{
    tg_fault_add(d->report, TG_NOMEM, pointer, "There is no memory for this.");
}

void tg_input_fault(struct tg_input_decoder *d, const char *pointer, const json_t *value,
                    const char *allowed, const char *detail)
{
    char got[TG_GOT_SIZE];
    tg_fault_add_value(d->report, TG_INVALID, pointer, tg_value_text(value, d->body, got),
                       allowed, "%s", detail);
}

/* Takes `bytes`, which are freed when the request has them already. */
static void keep_blob(struct tg_input_decoder *d, char *bytes, size_t n,
                      struct tg_ref *ref)
{
    struct tg_request_spec *spec = d->spec;
    tg_sha256_hex(bytes, n, ref->sha256);
    for (size_t i = 0; i < spec->nblobs; i++) {
        if (!strcmp(spec->blob[i].sha256, ref->sha256)) {
            free(bytes);
            return;
        }
    }
    struct tg_inline_blob *grown =
        reallocarray(spec->blob, spec->nblobs + 1, sizeof(*spec->blob));
    if (!grown) {
        free(bytes);
        tg_input_no_memory(d, ref->pointer);
        return;
    }
    spec->blob = grown;
    struct tg_inline_blob *blob = &grown[spec->nblobs++];
    snprintf(blob->sha256, sizeof(blob->sha256), "%s", ref->sha256);
    blob->bytes = bytes;
    blob->n = n;
    d->room -= n;
}

static void too_large(struct tg_input_decoder *d, const char *pointer)
{
    tg_fault_add(d->report, TG_BODY_TOO_LARGE, pointer,
                 "The arrays inside the request are larger than allowed; store them with "
                 "PUT /v1/data and name their digests.");
}

void tg_input_numbers(struct tg_input_decoder *d, const double *data, int ndim,
                      const int64_t *shape, struct tg_ref *ref)
{
    struct tg_mat mat;
    struct tg_buf out;
    size_t n = 0;
    tg_buf_init(&out, d->room);
    if (!tg_mat_init(&mat, data, TG_F64, ndim, shape, false))
        TG_BUG("an array of the body has no valid shape");
    tg_npy_write(&mat, &out);
    char *bytes = tg_buf_take(&out, &n);
    if (bytes)
        keep_blob(d, bytes, n, ref);
    else if ((size_t)tg_mat_count(&mat) >= d->room / sizeof(double))
        too_large(d, ref->pointer);
    else
        tg_input_no_memory(d, ref->pointer);
}

static void keep_npy(struct tg_input_decoder *d, const json_t *value, struct tg_ref *ref)
{
    const char *text = json_string_value(value);
    size_t n = json_string_length(value);
    if (!text) {
        tg_input_fault(d, ref->pointer, value, "base64 text",
                       "`npy` is an npy file in base64.");
        return;
    }
    if (n / 4 > d->room / 3) {
        too_large(d, ref->pointer);
        return;
    }
    unsigned char *bytes = malloc(n / 4 * 3 + 6);
    if (!bytes) {
        tg_input_no_memory(d, ref->pointer);
        return;
    }
    long length = tg_base64_decode(text, n, bytes);
    struct tg_array_file file;
    struct tg_report why;
    tg_report_init(&why);
    if (length < 0) {
        tg_input_fault(d, ref->pointer, value, "base64 text",
                       "The text of `npy` is not base64.");
    } else if (tg_array_file_open(bytes, (size_t)length, &file, &why)) {
        tg_fault_add(d->report, why.code, ref->pointer, "%s", why.detail);
    } else if (file.format != TG_NPY) {
        tg_fault_add_value(d->report, TG_BAD_ARRAY, ref->pointer,
                           tg_format_name(file.format), "npy",
                           "`npy` holds one array as an npy file.");
        tg_array_file_release(&file);
    } else {
        tg_array_file_release(&file);
        keep_blob(d, (char *)bytes, (size_t)length, ref);
        return;
    }
    free(bytes);
}

/* Why an array that the scanner left as a list of parts is none. */
static void tell_ragged(struct tg_input_decoder *d, const json_t *list,
                        const char *pointer)
{
    char at[TG_POINTER_SIZE], got[TG_GOT_SIZE], first[TG_GOT_SIZE];
    tg_value_text(json_array_get(list, 0), d->body, first);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        tg_pointer_index(at, pointer, i);
        tg_value_text(entry, d->body, got);
        if (tg_json_body_array(d->body, entry)) {
            if (strcmp(got, first)) {
                tg_fault_add_value(
                    d->report, TG_INVALID, at, got, first,
                    "The rows of an array are equally long; entry %zu is an %s, "
                    "but entry 0 is %s.",
                    i, got, first);
                return;
            }
        } else if (json_is_array(entry) && json_array_size(entry)) {
            tell_ragged(d, entry, at);
            return;
        } else if (!json_is_number(entry)) {
            tg_fault_add_value(d->report, TG_INVALID, at, got, "number",
                               "An array holds numbers only; entry %zu is not one.", i);
            return;
        } else if (strcmp(got, first) && !json_is_number(json_array_get(list, 0))) {
            tg_fault_add_value(
                d->report, TG_INVALID, at, got, first,
                "The rows of an array are equally long; entry %zu is a number.", i);
            return;
        }
    }
    tg_input_fault(d, pointer, list, "array of numbers", "The array is not rectangular.");
}

static void tell_unknown(struct tg_input_decoder *d, const char *pointer, const char *key,
                         const char *const *names, size_t n)
{
    char at[TG_POINTER_SIZE], allowed[sizeof(((struct tg_fault *)0)->allowed)];
    tg_pointer_add(at, pointer, key);
    if (!strcmp(key, "model") || !strcmp(key, "step"))
        tg_fault_add_value(d->report, TG_INVALID, at, key,
                           tg_join(allowed, sizeof(allowed), names, n),
                           "There is no `%s` here: it goes with the entries of a list "
                           "whose input has labels, and this is none.",
                           key);
    else
        tg_fault_unknown(d->report, at, "member", key, names, n);
}

static void check_members(struct tg_input_decoder *d, const json_t *object,
                          enum tg_entry entry, const char *pointer)
{
    static const char *const names[] = {"sha256", "key",   "npy", "name",
                                        "data",   "model", "step"};
    static const size_t allowed[] = {
        [TG_ENTRY_BARE] = 3, [TG_ENTRY_LISTED] = 5, [TG_ENTRY_LABELLED] = 7};
    bool in_list = entry != TG_ENTRY_BARE;
    size_t sources = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        bool known = false;
        for (size_t i = 0; i < allowed[entry]; i++)
            known = known || !strcmp(key, names[i]);
        if (!known)
            tell_unknown(d, pointer, key, names, allowed[entry]);
        sources += !strcmp(key, "sha256") || !strcmp(key, "npy") || !strcmp(key, "data");
    }
    if (sources != 1)
        tg_input_fault(
            d, pointer, object, in_list ? "sha256, npy or data" : "sha256 or npy",
            "An array comes in one way: numbers, {\"sha256\": ...} or {\"npy\": ...}.");
    if (json_object_get(object, "key") && !json_object_get(object, "sha256"))
        tg_input_fault(d, pointer, object, NULL, "`key` goes with `sha256`.");
}

static void decode_reference(struct tg_input_decoder *d, const json_t *object,
                             struct tg_ref *ref)
{
    const json_t *sha = json_object_get(object, "sha256");
    const json_t *key = json_object_get(object, "key");
    char at[TG_POINTER_SIZE];
    if (!json_is_string(sha) || !tg_sha256_is_hex(json_string_value(sha)))
        tg_input_fault(d, tg_pointer_add(at, ref->pointer, "sha256"), sha,
                       "64 lower-case hex digits",
                       "A stored array is named by its SHA-256.");
    else
        snprintf(ref->sha256, sizeof(ref->sha256), "%s", json_string_value(sha));
    if (!key)
        return;
    if (!json_is_string(key) || !json_string_length(key)) {
        tg_input_fault(d, tg_pointer_add(at, ref->pointer, "key"), key, "text",
                       "`key` names a member of the file.");
        return;
    }
    ref->key = tg_arena_strdup(d->spec->arena, json_string_value(key));
    if (!ref->key)
        tg_input_no_memory(d, ref->pointer);
}

void tg_input_array(struct tg_input_decoder *d, const json_t *value, enum tg_entry entry,
                    struct tg_ref *ref)
{
    const struct tg_json_array *array = tg_json_body_array(d->body, value);
    if (array) {
        tg_input_numbers(d, array->data, array->ndim, array->shape, ref);
    } else if (json_is_array(value) && json_array_size(value)) {
        tell_ragged(d, value, ref->pointer);
    } else if (!json_is_object(value)) {
        tg_input_fault(
            d, ref->pointer, value, "numbers, {\"sha256\": ...} or {\"npy\": ...}",
            json_is_array(value) ? "The array is empty." : "This is not an array.");
    } else {
        check_members(d, value, entry, ref->pointer);
        if (json_object_get(value, "sha256"))
            decode_reference(d, value, ref);
        else if (json_object_get(value, "npy"))
            keep_npy(d, json_object_get(value, "npy"), ref);
        else if (entry != TG_ENTRY_BARE && json_object_get(value, "data"))
            tg_input_array(d, json_object_get(value, "data"), TG_ENTRY_BARE, ref);
    }
}

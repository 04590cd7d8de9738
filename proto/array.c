/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Array files: recognising the format, finding a member, and decoding it when it is no view. */
#include "proto/array_private.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *mime;
} formats[TG_FORMAT_COUNT] = {
    [TG_NPY] = {"npy", "application/x-npy"},
    [TG_NPZ] = {"npz", "application/x-npz"},
    [TG_SAFETENSORS] = {"safetensors", "application/vnd.safetensors"},
    [TG_CSV] = {"csv", "text/csv"},
};

const char *tg_format_name(enum tg_format format)
{
    return formats[format].name;
}

const char *tg_format_mime(enum tg_format format)
{
    return formats[format].mime;
}

size_t tg_mat_bytes(const struct tg_mat *mat)
{
    return (size_t)tg_mat_count(mat) * tg_dtype_size(mat->dtype);
}

bool tg_is_aligned(const void *p, enum tg_dtype dtype)
{
    return (uintptr_t)p % tg_dtype_size(dtype) == 0;
}

bool tg_array_add(struct tg_array_file *file, const char *name, size_t name_length,
                  const struct tg_mat *mat, const struct tg_member_source *source)
{
    struct tg_array_bytes *bytes = file->decoded;
    if (file->nmembers == bytes->room) {
        size_t room = bytes->room ? 2 * bytes->room : 4;
        void *members = realloc(file->member, room * sizeof(*file->member));
        if (!members)
            return false;
        file->member = members;
        void *sources = realloc(bytes->source, room * sizeof(*bytes->source));
        if (!sources)
            return false;
        bytes->source = sources;
        bytes->room = room;
    }
    struct tg_array_member *member = &file->member[file->nmembers];
    member->name = strndup(name, name_length);
    if (!member->name)
        return false;
    member->mat = *mat;
    member->decoded_bytes = mat->data ? 0 : source->length;
    bytes->source[file->nmembers++] = *source;
    return true;
}

bool tg_array_skip(struct tg_array_file *file, const char *name, size_t name_length,
                   const char *dtype)
{
    struct tg_array_skipped *grown =
        reallocarray(file->skipped, file->nskipped + 1, sizeof(*grown));
    if (!grown)
        return false;
    file->skipped = grown;
    struct tg_array_skipped one = {strndup(name, name_length), strdup(dtype)};
    grown[file->nskipped++] = one;
    return one.name && one.dtype;
}

const char *tg_array_file_skipped(const struct tg_array_file *file, const char *key)
{
    for (size_t i = 0; i < file->nskipped; i++)
        if (!strcmp(file->skipped[i].name, key))
            return file->skipped[i].dtype;
    return NULL;
}

static enum tg_format sniff(const unsigned char *p, size_t n)
{
    if (n >= 6 && !memcmp(p, "\x93NUMPY", 6))
        return TG_NPY;
    if (n >= 4 && !memcmp(p, "PK", 2) && (p[2] == 3 || p[2] == 5))
        return TG_NPZ;
    return tg_safetensors_sniff(p, n) ? TG_SAFETENSORS : TG_CSV;
}

enum tg_err tg_array_file_open(const void *bytes, size_t n, struct tg_array_file *file,
                               struct tg_report *report)
{
    static enum tg_err (*const open[])(struct tg_array_file *, struct tg_report *) = {
        [TG_NPY] = tg_npy_open,
        [TG_NPZ] = tg_npz_open,
        [TG_SAFETENSORS] = tg_safetensors_open,
        [TG_CSV] = tg_csv_open,
    };
    *file = (struct tg_array_file){.format = sniff(bytes, n)};
    struct tg_array_bytes *own = calloc(1, sizeof(*own));
    if (!own)
        return TG_NOMEM;
    own->p = bytes;
    own->n = n;
    file->decoded = own;
    enum tg_err err = open[file->format](file, report);
    if (err)
        tg_array_file_release(file);
    return err;
}

void tg_array_file_release(struct tg_array_file *file)
{
    struct tg_array_bytes *own = file->decoded;
    for (size_t i = 0; i < file->nmembers; i++) {
        free(file->member[i].name);
        free(own->source[i].decoded);
    }
    for (size_t i = 0; i < file->nskipped; i++) {
        free(file->skipped[i].name);
        free(file->skipped[i].dtype);
    }
    free(file->member);
    free(file->skipped);
    if (own)
        free(own->source);
    free(own);
    *file = (struct tg_array_file){0};
}

static enum tg_err find(const struct tg_array_file *file, const char *key, size_t *index,
                        struct tg_report *report)
{
    bool any = !key || !*key;
    if (any && file->nmembers == 1) {
        *index = 0;
        return TG_OK;
    }
    for (size_t i = 0; !any && i < file->nmembers; i++)
        if (!strcmp(file->member[i].name, key)) {
            *index = i;
            return TG_OK;
        }
    const char *dtype = any ? NULL : tg_array_file_skipped(file, key);
    if (dtype)
        return tg_fault_add_value(report, TG_BAD_ARRAY, NULL, dtype, NULL,
                                  "the file's array \"%s\" has a dtype that is not supported",
                                  key);
    struct tg_buf keys;
    tg_buf_init(&keys, 180);
    for (size_t i = 0; i < file->nmembers; i++)
        tg_buf_printf(&keys, "%s%s", i ? ", " : "", file->member[i].name);
    tg_fault_add_value(report, TG_BAD_ARRAY, NULL, any ? "" : key, keys.p,
                       any ? "the file holds %zu arrays; choose one with \"key\""
                           : "the file has no array of this name (it holds %zu)",
                       file->nmembers);
    tg_buf_release(&keys);
    return TG_BAD_ARRAY;
}

static enum tg_err decode(struct tg_array_file *file, struct tg_member_source *source,
                          struct tg_report *report)
{
    const struct tg_array_bytes *own = file->decoded;
    if (file->format == TG_CSV)
        return tg_csv_decode(own, source, report);
    source->decoded = malloc(source->length ? source->length : 1);
    if (!source->decoded)
        return TG_NOMEM;
    if (file->format == TG_NPZ)
        return tg_npz_decode(own, source, report);
    memcpy(source->decoded, own->p + source->index, source->length); /* misaligned tensor */
    return TG_OK;
}

enum tg_err tg_array_file_read_at(struct tg_array_file *file, size_t index, size_t max_bytes,
                                  struct tg_mat *mat, struct tg_report *report)
{
    struct tg_array_bytes *own = file->decoded;
    struct tg_member_source *source = &own->source[index];
    struct tg_array_member *member = &file->member[index];
    if (!member->mat.data) {
        if (source->length > max_bytes)
            return tg_fault_add(report, TG_NOMEM, NULL,
                                "decoding the array needs %llu bytes, %zu are allowed; store it as "
                                "npy, which is read without decoding",
                                (unsigned long long)source->length, max_bytes);
        enum tg_err err = decode(file, source, report);
        if (err) {
            free(source->decoded);
            source->decoded = NULL;
            return err;
        }
        member->mat.data = source->decoded;
    }
    *mat = member->mat;
    return TG_OK;
}

enum tg_err tg_array_file_read(struct tg_array_file *file, const char *key, size_t max_bytes,
                               struct tg_mat *mat, struct tg_report *report)
{
    size_t i = 0;
    TG_TRY(find(file, key, &i, report));
    return tg_array_file_read_at(file, i, max_bytes, mat, report);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The document of a result, as stored. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "proto/result.h"
#include "proto/template.h"

/* The numbers of a small array, nested as its shape; non-finite ones are null. */
static json_t *nested(const struct tg_mat *mat)
{
    if (!mat->ndim) {
        double x = tg_mat_at(mat, 0);
        return isfinite(x) ? json_real(x) : json_null();
    }
    json_t *list = json_array();
    for (int64_t i = 0; list && i < mat->shape[0]; i++) {
        struct tg_mat slice = tg_mat_slice(mat, i);
        tg_json_append(&list, nested(&slice));
    }
    return list;
}

/* Adds the numbers and where they are not finite. */
static void add_inline(json_t **entry, const struct tg_mat *mat)
{
    json_t *bad = json_array();
    for (int64_t i = 0; bad && i < tg_mat_count(mat); i++)
        if (!isfinite(tg_mat_at(mat, i)))
            tg_json_append(&bad, json_integer(i));
    tg_json_set(entry, "data", nested(mat));
    if (!bad || json_array_size(bad))
        tg_json_set(entry, "nonfinite", bad);
    else
        json_decref(bad);
}

static json_t *array_entry(const struct tg_mat *mat, const char *digest)
{
    struct tg_buf header;
    json_t *shape = json_array();
    for (int i = 0; shape && i < mat->ndim; i++)
        tg_json_append(&shape, json_integer(mat->shape[i]));
    tg_buf_init(&header, 4096);
    tg_npy_header(mat, &header);
    size_t bytes = header.n + (size_t)tg_mat_count(mat) * tg_dtype_size(mat->dtype);
    bool failed = tg_buf_failed(&header);
    tg_buf_release(&header);
    json_t *entry =
        json_pack("{s:s, s:o, s:s, s:I}", "dtype", tg_dtype_name(mat->dtype), "shape",
                  shape, "sha256", digest, "bytes", (json_int_t)bytes);
    if (failed) {
        json_decref(entry);
        return NULL;
    }
    if (tg_mat_count(mat) <= TG_RESULT_INLINE_MAX)
        add_inline(&entry, mat);
    return entry;
}

static json_t *array_entries(const struct tg_result *result,
                             const char (*digests)[TG_SHA256_HEX])
{
    json_t *arrays = json_object();
    for (size_t i = 0; arrays && i < result->narrays; i++)
        tg_json_set(&arrays, result->array[i].name,
                    array_entry(&result->array[i].mat, digests[i]));
    return arrays;
}

static json_t *figure_entries(const struct tg_result *result)
{
    json_t *figures = json_object();
    for (size_t i = 0; figures && i < result->nfigures; i++) {
        const struct tg_result_figure *figure = &result->figure[i];
        tg_json_set(
            &figures, figure->name,
            json_pack("{s:s, s:O}", "title", figure->title, "spec", figure->spec));
    }
    return figures;
}

json_t *tg_result_document(const struct tg_result *result, const struct tg_kind *kind,
                           const char (*digests)[TG_SHA256_HEX], json_t *provenance)
{
    json_t *quality = json_copy(result->quality);
    if (result->failed || !quality ||
        json_object_set(quality, "warnings", result->warnings)) {
        json_decref(quality);
        return NULL;
    }
    return json_pack("{s:s, s:O, s:o, s:o, s:o, s:O}", "kind", kind->name, "values",
                     result->values, "arrays", array_entries(result, digests), "figures",
                     figure_entries(result), "quality", quality, "provenance",
                     provenance);
}

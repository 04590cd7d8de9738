/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * safetensors files: eight bytes of header length, a JSON object of name -> {dtype, shape,
 * data_offsets}, then the tensors in C order, little-endian.
 */
#include "proto/array_private.h"

#include <jansson.h>
#include <string.h>

#include "proto/json.h"

enum { HEADER_MAX = 100 * 1000 * 1000 };

static uint64_t header_length(const unsigned char *p)
{
    uint64_t n = 0;
    for (int i = 7; i >= 0; i--)
        n = n << 8 | p[i];
    return n;
}

bool tg_safetensors_sniff(const unsigned char *p, size_t n)
{
    if (n < 10)
        return false;
    uint64_t header = header_length(p);
    return header >= 2 && header <= HEADER_MAX && header <= n - 8 && p[8] == '{';
}

static bool dtype_of(const char *name, enum tg_dtype *dtype)
{
    static const struct {
        const char *name;
        enum tg_dtype dtype;
    } names[] = {{"F64", TG_F64}, {"F32", TG_F32}, {"F16", TG_F16}, {"BF16", TG_BF16},
                 {"I64", TG_I64}, {"I32", TG_I32}, {"I16", TG_I16}, {"I8", TG_I8},
                 {"U64", TG_U64}, {"U32", TG_U32}, {"U16", TG_U16}, {"U8", TG_U8},
                 {"BOOL", TG_BOOL}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strcmp(names[i].name, name)) {
            *dtype = names[i].dtype;
            return true;
        }
    return false;
}

static enum tg_err refuse_dtype(const struct tg_array_skipped *tensor,
                                struct tg_report *report)
{
    return tg_fault_add_value(report, TG_BAD_ARRAY, NULL, tensor->dtype,
                              "F64, F32, F16, BF16, I64 to I8, U64 to U8, BOOL",
                              "tensor \"%s\": this dtype is not supported", tensor->name);
}

static enum tg_err add_tensor(struct tg_array_file *file, size_t data, const char *name,
                              json_t *tensor, struct tg_report *report)
{
    const struct tg_array_bytes *bytes = file->decoded;
    const char *dtype_name;
    json_t *dimensions;
    json_int_t begin, end;
    enum tg_dtype dtype;
    if (json_unpack(tensor, "{s:s, s:o, s:[I, I!]}", "dtype", &dtype_name, "shape", &dimensions,
                    "data_offsets", &begin, &end) ||
        !json_is_array(dimensions))
        return tg_fault_add(report, TG_BAD_ARRAY, NULL,
                            "tensor \"%s\": the header must give dtype, shape and data_offsets",
                            name);
    if (begin < 0 || end < begin || (uint64_t)end > bytes->n - data)
        return tg_fault_add(report, TG_BAD_ARRAY, NULL,
                            "tensor \"%s\": bytes %lld to %lld lie outside the data of %zu bytes",
                            name, (long long)begin, (long long)end, bytes->n - data);
    if (!dtype_of(dtype_name, &dtype))
        return tg_array_skip(file, name, strlen(name), dtype_name) ? TG_OK : TG_NOMEM;
    size_t ndim = json_array_size(dimensions);
    int64_t shape[TG_MAX_NDIM];
    struct tg_mat mat;
    for (size_t i = 0; i < ndim && i < TG_MAX_NDIM; i++) {
        json_t *n = json_array_get(dimensions, i);
        shape[i] = json_is_integer(n) ? json_integer_value(n) : -1;
    }
    if (ndim > TG_MAX_NDIM || !tg_mat_init(&mat, NULL, dtype, (int)ndim, shape, false))
        return tg_fault_add(report, TG_BAD_ARRAY, NULL,
                            "tensor \"%s\": the shape is damaged, too large, or has more than "
                            "%d dimensions",
                            name, TG_MAX_NDIM);
    if (tg_mat_bytes(&mat) != (uint64_t)(end - begin))
        return tg_fault_add(report, TG_BAD_ARRAY, NULL,
                            "tensor \"%s\": its shape needs %zu bytes, its data_offsets give %lld",
                            name, tg_mat_bytes(&mat), (long long)(end - begin));
    struct tg_member_source source = {.index = data + (uint64_t)begin,
                                      .length = (uint64_t)(end - begin)};
    if (tg_is_aligned(bytes->p + source.index, dtype))
        mat.data = bytes->p + source.index;
    return tg_array_add(file, name, strlen(name), &mat, &source) ? TG_OK : TG_NOMEM;
}

enum tg_err tg_safetensors_open(struct tg_array_file *file, struct tg_report *report)
{
    const struct tg_array_bytes *bytes = file->decoded;
    size_t length = (size_t)header_length(bytes->p);
    json_t *header, *tensor;
    const char *name;
    struct tg_report inner;
    tg_report_init(&inner);
    enum tg_err err = tg_json_parse((const char *)bytes->p + 8, length, &header, &inner);
    if (err == TG_NOMEM)
        return err;
    if (err)
        return tg_fault_add(report, TG_BAD_ARRAY, NULL, "the safetensors header: %s",
                            inner.detail);
    json_object_foreach(header, name, tensor) {
        if (!err && strcmp(name, "__metadata__"))
            err = add_tensor(file, 8 + length, name, tensor, report);
    }
    json_decref(header);
    if (!err && !file->nmembers && file->nskipped)
        return refuse_dtype(&file->skipped[0], report);
    if (!err && !file->nmembers)
        err = tg_fault_add(report, TG_BAD_ARRAY, NULL, "the safetensors file holds no tensor");
    return err;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Array views: strided reads of any dtype, converted to double or float.
 *
 * DESIGN. One loader a dtype turns the bytes of an element into a double; block reads walk
 * the axis with the smaller stride inside, so that Fortran order is read in its own order.
 * Native contiguous rows of the wanted type are copied, those of half precision converted
 * (core/half.h).
 */
#include "core/mat.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/fold.h"
#include "core/half.h"

enum { SPAN = 512 }; /* of half precision on its way to double */

static const struct {
    size_t size;
    const char *name;
} dtypes[TG_DTYPE_COUNT] = {
    [TG_F64] = {8, "float64"}, [TG_F32] = {4, "float32"},   [TG_F16] = {2, "float16"},
    [TG_BF16] = {2, "bfloat16"}, [TG_I64] = {8, "int64"},   [TG_I32] = {4, "int32"},
    [TG_I16] = {2, "int16"},   [TG_I8] = {1, "int8"},       [TG_U64] = {8, "uint64"},
    [TG_U32] = {4, "uint32"},  [TG_U16] = {2, "uint16"},    [TG_U8] = {1, "uint8"},
    [TG_BOOL] = {1, "bool"},
};

size_t tg_dtype_size(enum tg_dtype dtype)
{
    return dtypes[dtype].size;
}

const char *tg_dtype_name(enum tg_dtype dtype)
{
    return dtypes[dtype].name;
}

bool tg_mat_init(struct tg_mat *mat, const void *data, enum tg_dtype dtype, int ndim,
                 const int64_t *shape, bool fortran_order)
{
    if (ndim < 0 || ndim > TG_MAX_NDIM)
        return false;
    *mat = (struct tg_mat){.data = data, .dtype = dtype, .ndim = ndim};
    int64_t stride = 1, bytes;
    for (int i = 0; i < ndim; i++) {
        int axis = fortran_order ? i : ndim - 1 - i;
        if (shape[axis] < 0)
            return false;
        mat->shape[axis] = shape[axis];
        mat->stride[axis] = stride;
        /* An axis of no elements must not hide an overflow of the others. */
        if (__builtin_mul_overflow(stride, shape[axis] ? shape[axis] : 1, &stride))
            return false;
    }
    return !__builtin_mul_overflow(stride, (int64_t)tg_dtype_size(dtype), &bytes);
}

int64_t tg_mat_count(const struct tg_mat *mat)
{
    int64_t n = 1;
    for (int i = 0; i < mat->ndim; i++)
        n *= mat->shape[i];
    return n;
}

struct tg_mat tg_mat_slice(const struct tg_mat *mat, int64_t i)
{
    struct tg_mat slice = *mat;
    slice.data = (const char *)mat->data +
                 i * mat->stride[0] * (int64_t)tg_dtype_size(mat->dtype);
    slice.ndim--;
    memmove(slice.shape, mat->shape + 1, (size_t)slice.ndim * sizeof(slice.shape[0]));
    memmove(slice.stride, mat->stride + 1, (size_t)slice.ndim * sizeof(slice.stride[0]));
    return slice;
}

/* Bits of one element in native order. */
static inline uint64_t load_bits(const unsigned char *p, size_t size, bool swapped)
{
    uint16_t b2;
    uint32_t b4;
    uint64_t b8;
    switch (size) {
    case 1:
        return *p;
    case 2:
        memcpy(&b2, p, 2);
        return swapped ? __builtin_bswap16(b2) : b2;
    case 4:
        memcpy(&b4, p, 4);
        return swapped ? __builtin_bswap32(b4) : b4;
    default:
        memcpy(&b8, p, 8);
        return swapped ? __builtin_bswap64(b8) : b8;
    }
}

static double from_f32_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof(x));
    return (double)x;
}

static double from_f64_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

static inline double load(const unsigned char *p, enum tg_dtype dtype, bool swapped)
{
    uint64_t bits = load_bits(p, tg_dtype_size(dtype), swapped);
    switch (dtype) {
    case TG_F64:
        return from_f64_bits(bits);
    case TG_F32:
        return from_f32_bits((uint32_t)bits);
    case TG_F16:
        return (double)tg_half_f16((uint16_t)bits);
    case TG_BF16:
        return (double)tg_half_bf16((uint16_t)bits);
    case TG_I64:
        return (double)(int64_t)bits;
    case TG_I32:
        return (double)(int32_t)bits;
    case TG_I16:
        return (double)(int16_t)bits;
    case TG_I8:
        return (double)(int8_t)bits;
    case TG_U64:
    case TG_U32:
    case TG_U16:
    case TG_U8:
        return (double)bits;
    case TG_BOOL:
        return bits ? 1.0 : 0.0;
    case TG_DTYPE_COUNT:
        break;
    }
    TG_BUG("unknown dtype");
}

static const unsigned char *element(const struct tg_mat *mat, int64_t row, int64_t col)
{
    int64_t index = row * mat->stride[0] + col * mat->stride[1];
    return (const unsigned char *)mat->data + index * (int64_t)tg_dtype_size(mat->dtype);
}

/* Whether rows can be copied as they are into elements of `dtype`. */
static bool is_plain(const struct tg_mat *mat, enum tg_dtype dtype)
{
    return mat->dtype == dtype && !mat->swapped && mat->stride[1] == 1;
}

/* The general block read, in the order of the view's memory. */
#define READ_BLOCK(ctype)                                                                \
    bool by_column = llabs(mat->stride[0]) < llabs(mat->stride[1]);                      \
    int64_t outer = by_column ? ncols : nrows, inner = by_column ? nrows : ncols;        \
    int64_t step = mat->stride[by_column ? 0 : 1] * (int64_t)tg_dtype_size(mat->dtype);  \
    for (int64_t i = 0; i < outer; i++) {                                                \
        const unsigned char *p =                                                         \
            by_column ? element(mat, row, col + i) : element(mat, row + i, col);         \
        ctype *to = by_column ? out + i : out + (size_t)i * ld;                          \
        size_t to_step = by_column ? ld : 1;                                             \
        for (int64_t j = 0; j < inner; j++, p += step, to += to_step)                    \
            *to = (ctype)load(p, mat->dtype, mat->swapped);                              \
    }

typedef void (*half_fn)(const void *from, size_t n, float *to);

/* How to read rows of half precision that lie as they are; NULL where there are none. */
static half_fn half_reader(const struct tg_mat *mat)
{
    return is_plain(mat, TG_F16) ? tg_half_read_f16
           : is_plain(mat, TG_BF16) ? tg_half_read_bf16
                                    : NULL;
}

static void read_halves(half_fn half, const unsigned char *p, int64_t n, double *to)
{
    float x[SPAN];
    for (int64_t first = 0; first < n; first += SPAN) {
        int64_t count = n - first < SPAN ? n - first : SPAN;
        half(p + 2 * first, (size_t)count, x);
        for (int64_t j = 0; j < count; j++)
            to[first + j] = (double)x[j];
    }
}

void tg_mat_read_f64(const struct tg_mat *mat, int64_t row, int64_t nrows, int64_t col,
                     int64_t ncols, double *out, size_t ld)
{
    if (mat->fold) {
        tg_fold_read_f64(mat->fold, row, nrows, col, ncols, out, ld);
        return;
    }
    if (is_plain(mat, TG_F64)) {
        for (int64_t i = 0; i < nrows; i++)
            memcpy(out + (size_t)i * ld, element(mat, row + i, col), (size_t)ncols * 8);
        return;
    }
    if (is_plain(mat, TG_F32)) {
        for (int64_t i = 0; i < nrows; i++) {
            const unsigned char *p = element(mat, row + i, col);
            double *to = out + (size_t)i * ld;
            for (int64_t j = 0; j < ncols; j++) {
                float x;
                memcpy(&x, p + 4 * j, 4);
                to[j] = (double)x;
            }
        }
        return;
    }
    half_fn half = half_reader(mat);
    for (int64_t i = 0; half && i < nrows; i++)
        read_halves(half, element(mat, row + i, col), ncols, out + (size_t)i * ld);
    if (half)
        return;
    READ_BLOCK(double)
}

void tg_mat_read_f32(const struct tg_mat *mat, int64_t row, int64_t nrows, int64_t col,
                     int64_t ncols, float *out, size_t ld)
{
    if (is_plain(mat, TG_F32)) {
        for (int64_t i = 0; i < nrows; i++)
            memcpy(out + (size_t)i * ld, element(mat, row + i, col), (size_t)ncols * 4);
        return;
    }
    half_fn half = half_reader(mat);
    for (int64_t i = 0; half && i < nrows; i++)
        half(element(mat, row + i, col), (size_t)ncols, out + (size_t)i * ld);
    if (half)
        return;
    READ_BLOCK(float)
}

double tg_mat_at(const struct tg_mat *mat, int64_t i)
{
    int64_t index = 0;
    for (int axis = mat->ndim - 1; axis >= 0; axis--) {
        index += i % mat->shape[axis] * mat->stride[axis];
        i /= mat->shape[axis];
    }
    const unsigned char *p =
        (const unsigned char *)mat->data + index * (int64_t)tg_dtype_size(mat->dtype);
    return load(p, mat->dtype, mat->swapped);
}

char *tg_mat_shape_text(const struct tg_mat *mat, char *text, size_t size)
{
    size_t used = 0;
    for (int i = 0; i < mat->ndim && used < size; i++) {
        int n = snprintf(text + used, size - used, "%s%" PRId64, i ? ", " : "(", mat->shape[i]);
        used += n > 0 ? (size_t)n : 0;
    }
    if (used < size)
        snprintf(text + used, size - used, "%s", mat->ndim > 1 ? ")" : mat->ndim ? ",)" : "()");
    return text;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Array views: numbers that lie somewhere else, in any dtype, order and byte order.
 *
 * DESIGN. A view owns nothing. Uploaded arrays are mapped files read through a view, so a
 * trajectory of 40 GB costs no memory; kernels ask for blocks converted to double or float.
 */
#ifndef TG_CORE_MAT_H
#define TG_CORE_MAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tg_dtype {
    TG_F64, TG_F32, TG_F16, TG_BF16,
    TG_I64, TG_I32, TG_I16, TG_I8, TG_U64, TG_U32, TG_U16, TG_U8, TG_BOOL,
    TG_DTYPE_COUNT
};

enum { TG_MAX_NDIM = 8 };

struct tg_fold; /* core/fold.h */

struct tg_mat {
    const void *data;
    enum tg_dtype dtype;
    bool swapped;                /* stored in the other byte order than the machine's */
    int ndim;                    /* 0..TG_MAX_NDIM */
    int64_t shape[TG_MAX_NDIM];
    int64_t stride[TG_MAX_NDIM]; /* in elements */
    const struct tg_fold *fold;  /* of a matrix that has no strides of its own; or NULL */
};

size_t tg_dtype_size(enum tg_dtype dtype);
const char *tg_dtype_name(enum tg_dtype dtype); /* "float64", "bfloat16", "bool" */

/* A C-contiguous view; false if a dimension is negative or the byte size overflows. */
bool tg_mat_init(struct tg_mat *mat, const void *data, enum tg_dtype dtype, int ndim,
                 const int64_t *shape, bool fortran_order);

/* Number of elements (1 for ndim 0). */
int64_t tg_mat_count(const struct tg_mat *mat);

/* The i-th slice along the first axis, ndim one less. */
struct tg_mat tg_mat_slice(const struct tg_mat *mat, int64_t i);

/*
 * Copy the block rows [row, row + nrows) x columns [col, col + ncols) of a 2-D view,
 * converted to double (float), into `out`, row-major with leading dimension `ld`.
 * 64-bit integers beyond 2^53 round to nearest. A view of a fold is read as double only.
 */
void tg_mat_read_f64(const struct tg_mat *mat, int64_t row, int64_t nrows, int64_t col,
                     int64_t ncols, double *out, size_t ld);
void tg_mat_read_f32(const struct tg_mat *mat, int64_t row, int64_t nrows, int64_t col,
                     int64_t ncols, float *out, size_t ld);

/* Element `i` in C order, as double; for printing. */
double tg_mat_at(const struct tg_mat *mat, int64_t i);

/* "(10000, 512)", "(10000,)", "()", cut to fit; returns `text`. */
char *tg_mat_shape_text(const struct tg_mat *mat, char *text, size_t size);

#endif

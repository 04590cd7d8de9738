/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Folds: where the runs of a folded array lie, and reading them. */
#include "core/fold.h"

#include <string.h>

/* Add an axis inside the others; one that continues the last is merged with it. */
static bool add_axis(struct tg_axes *axes, int64_t shape, int64_t stride)
{
    if (__builtin_mul_overflow(axes->count, shape, &axes->count))
        return false;
    if (shape == 1)
        return true;
    if (axes->n && axes->stride[axes->n - 1] == stride * shape) {
        axes->shape[axes->n - 1] *= shape;
        axes->stride[axes->n - 1] = stride;
        return true;
    }
    axes->shape[axes->n] = shape;
    axes->stride[axes->n++] = stride;
    return true;
}

static int64_t inner_stride(const struct tg_axes *axes)
{
    return axes->n ? axes->stride[axes->n - 1] : 0;
}

bool tg_fold_init(struct tg_fold *fold, const struct tg_mat *array, unsigned rows,
                  unsigned mean, struct tg_mat *view)
{
    int64_t bytes;
    *fold = (struct tg_fold){
        .array = *array, .row = {.count = 1}, .col = {.count = 1}, .mean = {.count = 1}};
    for (int i = 0; i < array->ndim; i++) {
        struct tg_axes *to = rows >> i & 1   ? &fold->row
                             : mean >> i & 1 ? &fold->mean
                                             : &fold->col;
        if (!add_axis(to, array->shape[i], array->stride[i]))
            return false;
    }
    if (__builtin_mul_overflow(fold->row.count, fold->col.count, &bytes) ||
        __builtin_mul_overflow(bytes, (int64_t)sizeof(double), &bytes))
        return false;
    *view = *array;
    view->ndim = 2;
    view->shape[0] = fold->row.count;
    view->shape[1] = fold->col.count;
    view->stride[0] = inner_stride(&fold->row);
    view->stride[1] = inner_stride(&fold->col);
    bool plain = fold->row.n <= 1 && fold->col.n <= 1 && fold->mean.count == 1;
    view->fold = plain ? NULL : fold;
    return true;
}

/* Where entry `index` lies, in elements; *left is how many follow at the inner stride. */
static int64_t offset_of(const struct tg_axes *axes, int64_t index, int64_t *left)
{
    int64_t offset = 0;
    *left = 1;
    for (int i = axes->n - 1; i >= 0; i--) {
        int64_t at = index % axes->shape[i];
        if (i == axes->n - 1)
            *left = axes->shape[i] - at;
        offset += at * axes->stride[i];
        index /= axes->shape[i];
    }
    return offset;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The entries from `offset` on, `down` x `across`, as a matrix. */
static struct tg_mat part(const struct tg_mat *array, int64_t offset,
                          const struct tg_axes *down, const struct tg_axes *across)
{
    struct tg_mat view = *array;
    view.data = (const char *)array->data + offset * (int64_t)tg_dtype_size(array->dtype);
    view.ndim = 2;
    view.stride[0] = inner_stride(down);
    view.stride[1] = inner_stride(across);
    return view;
}

/* One row, which begins at `offset`, of means. */
static void read_means(const struct tg_fold *fold, int64_t offset, int64_t col,
                       int64_t ncols, double *out)
{
    enum { DOWN = 32, ACROSS = 64 };
    double block[DOWN * ACROSS];
    int64_t m, q;
    memset(out, 0, (size_t)ncols * sizeof(*out));
    for (int64_t j = 0; j < ncols; j += m) {
        int64_t across = offset_of(&fold->col, col + j, &m);
        m = least(least(m, ncols - j), ACROSS);
        for (int64_t p = 0; p < fold->mean.count; p += q) {
            int64_t down = offset_of(&fold->mean, p, &q);
            q = least(q, DOWN);
            struct tg_mat view =
                part(&fold->array, offset + across + down, &fold->mean, &fold->col);
            tg_mat_read_f64(&view, 0, q, 0, m, block, (size_t)m);
            for (int64_t i = 0; i < q; i++)
                for (int64_t k = 0; k < m; k++)
                    out[j + k] += block[i * m + k];
        }
    }
    for (int64_t j = 0; j < ncols; j++)
        out[j] /= (double)fold->mean.count;
}

void tg_fold_read_f64(const struct tg_fold *fold, int64_t row, int64_t nrows, int64_t col,
                      int64_t ncols, double *out, size_t ld)
{
    int64_t r, c;
    for (int64_t i = 0; i < nrows; i += r) {
        int64_t down = offset_of(&fold->row, row + i, &r);
        double *to = out + (size_t)i * ld;
        r = least(r, nrows - i);
        if (fold->mean.count > 1) {
            r = 1;
            read_means(fold, down, col, ncols, to);
            continue;
        }
        for (int64_t j = 0; j < ncols; j += c) {
            int64_t across = offset_of(&fold->col, col + j, &c);
            c = least(c, ncols - j);
            struct tg_mat view = part(&fold->array, down + across, &fold->row, &fold->col);
            tg_mat_read_f64(&view, 0, r, 0, c, to + j, ld);
        }
    }
}

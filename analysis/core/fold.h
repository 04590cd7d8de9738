/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Folds: an array of several axes read as a matrix.
 *
 * DESIGN. Each axis goes to the rows, to the columns, or is averaged over. Nothing is copied:
 * blocks of the matrix are read through the strides of the array. Axes that follow each other
 * in memory are merged, so that most folds are plain strided matrices; the others are read
 * in runs along their innermost axes.
 */
#ifndef TG_CORE_FOLD_H
#define TG_CORE_FOLD_H

#include "core/mat.h"

/* Axes that are counted through together, the last one fastest. */
struct tg_axes {
    int n;
    int64_t count; /* the product of the shape; 1 without axes */
    int64_t shape[TG_MAX_NDIM], stride[TG_MAX_NDIM];
};

/* row.count x col.count entries, each the mean over `mean`. */
struct tg_fold {
    struct tg_mat array;
    struct tg_axes row, col, mean;
};

/*
 * Fold `array`: axis i belongs to the rows where bit i of `rows` is set, is averaged over
 * where that of `mean` is, and belongs to the columns otherwise. `view` becomes the matrix,
 * to be read with tg_mat_read_f64(); it may point at `fold`, which then has to outlive it.
 * False when a size overflows.
 */
bool tg_fold_init(struct tg_fold *fold, const struct tg_mat *array, unsigned rows,
                  unsigned mean, struct tg_mat *view);

/* tg_mat_read_f64() of a view that points at `fold`. Means are sums of doubles in order. */
void tg_fold_read_f64(const struct tg_fold *fold, int64_t row, int64_t nrows, int64_t col,
                      int64_t ncols, double *out, size_t ld);

#endif

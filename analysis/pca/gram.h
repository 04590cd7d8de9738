/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The Gram matrix of a few very long rows, in one pass over their columns.
 *
 * DESIGN. T points in D dimensions, D up to 1e9: nothing of length D is ever held. A block of
 * columns is read, a reference row is subtracted (without it the Gram matrix of points that
 * lie far from the origin keeps no digits of their differences), and the block's product is
 * added to a sum in double. float32, float16 and bfloat16 data are multiplied in single
 * precision, at twice the speed; wider data, and data whose squares would leave the range of
 * single precision, in double. Block b belongs to group b mod G; groups have their own sums,
 * are added in order, and G follows from the shape alone. So the bits do not depend on the
 * number of lanes, and neither does the memory.
 */
#ifndef TG_PCA_GRAM_H
#define TG_PCA_GRAM_H

#include "core/ctx.h"
#include "core/mat.h"

struct tg_gram_plan {
    int64_t t, d;
    int64_t cols;   /* of a block */
    int64_t rows;   /* of a panel, whose product is one stretch of work */
    int64_t groups;
    bool single;    /* products in single precision */
    size_t work;    /* doubles of workspace */
};

/* How the 2-D view `mat` will be read. */
struct tg_gram_plan tg_gram_plan(const struct tg_mat *mat);

struct tg_gram {
    double *g;        /* T x T: (x_i - x_r).(x_j - x_r); the start of the workspace */
    double *step2;    /* T - 1: |x_{i+1} - x_i|^2, in double from the values as stored */
    double unchanged; /* fraction of coordinates that a step leaves exactly as they were */
    bool single;      /* products were made in single precision */
};

/*
 * Stream `mat` with row `reference` subtracted. gram->step2 is set by the caller; g becomes
 * `work`, and the rest of the workspace is free again. T^2 D FLOPs. TG_NUMERIC when an entry
 * is not finite, with its place in the report.
 */
TG_MUST_CHECK enum tg_err tg_gram_stream(const struct tg_ctx *ctx, const struct tg_mat *mat,
                                         int64_t reference, double *work, struct tg_gram *gram,
                                         struct tg_report *report);

#endif

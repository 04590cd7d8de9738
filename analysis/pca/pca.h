/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Principal component analysis of a trajectory of T points in D dimensions, D >> T.
 *
 * DESIGN. Ratios, scores, distances and steps all follow from the T x T Gram matrix, which
 * one pass over the data gives (gram.h). Beside each measured ratio stand what a random walk
 * of as many steps has (walk.h), and what a walk with the measured step lengths has: a
 * training run is only remarkable where it differs from both.
 * FLOPs: T^2 D + 9 T^3 + 4/3 T^3.
 */
#ifndef TG_PCA_H
#define TG_PCA_H

#include "core/ctx.h"
#include "core/mat.h"

enum { TG_PCA_MIN_POINTS = 3, TG_PCA_MAX_POINTS = 5000 };

struct tg_pca_options {
    int64_t components; /* wanted; at most min(T - 1, D) are given */
    bool from_last;     /* subtract the last point, not the first, before multiplying */
    bool keep_gram;
};

/* Arrays lie in the context's arena. NaN stands where a ratio is not defined. */
struct tg_pca {
    int64_t t, d, k;             /* points, dimensions, components given */
    double total_variance;       /* sum of squared distances from the mean over T - 1 */
    double d_eff;                /* 1 / mean squared cosine of distinct steps */
    double unchanged;            /* fraction of coordinates left as they were by a step */
    double ratio_error;          /* bound on the error of every ratio, first order */
    int64_t negative;            /* eigenvalues below zero beyond rounding of the solver */
    bool single;                 /* products in single precision */
    double *variance;            /* k: eigenvalue / (T - 1) */
    double *ratio;               /* k */
    double *walk_ratio;          /* k: random walk */
    double *step_null_ratio;     /* k: walk with the measured step lengths */
    double *band;                /* k: one standard deviation of walk_ratio */
    double *overlap;             /* k: |cosine| of the scores with the walk's */
    double *scores;              /* T x k; the entry of largest magnitude is positive */
    double *step_norm;           /* T - 1 */
    double *from_start, *from_end; /* T distances */
    double *gram;                /* T x T, centred; NULL unless asked for */
};

struct tg_pca_cost { size_t bytes; double flops, read_bytes; };

TG_MUST_CHECK enum tg_err tg_pca_cost(const struct tg_mat *trajectory,
                                      const struct tg_pca_options *options,
                                      struct tg_pca_cost *cost);

/* TG_NUMERIC with the reason in `report` when an entry is not finite. */
TG_MUST_CHECK enum tg_err tg_pca_run(const struct tg_ctx *ctx, const struct tg_mat *trajectory,
                                     const struct tg_pca_options *options, struct tg_pca *pca,
                                     struct tg_report *report);

#endif

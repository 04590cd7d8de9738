/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Several trajectories together: what their directions have in common, beside chance.
 *
 * DESIGN. The points of all runs lie one behind the other in one Gram matrix G (pca.h), so
 * whatever two runs have to do with each other stands in its blocks and costs no data. With
 * G_rs the block of runs r and s, each side centred in its own run:
 *
 *     overlap            |G_rs|^2 / (|G_rr| |G_ss|) = tr C_r C_s / (|C_r| |C_s|), Frobenius
 *                        norms, C_r the covariance of run r: 1 where both spread alike
 *     principal cosines  singular values of diag(1 / lambda_r) S_r^T G_rs S_s diag(1 / lambda_s),
 *                        S_r and lambda_r the leading scores and eigenvalues of run r by
 *                        itself: cosines of the angles between the spans of their directions
 *                        (Bjorck, Golub, Math. Comp. 27 (1973), theorem 1)
 *
 * Subspaces are never quite orthogonal by chance. Between a k- and an l-dimensional one, drawn
 * at random in d dimensions, the sum of squared cosines tr P Q has
 *
 *     mean k l / d,   variance 2 k l (d - k) (d - l) / (d^2 (d - 1) (d + 2)).
 *
 * Noise that is spread unevenly fills fewer dimensions; d is the geometric mean of what both
 * runs' noise fills, as their verdicts tell (fit.h), for tr C_r C_s is at most |C_r| |C_s|.
 * Null models are of one run, so each run has a verdict of its own.
 */
#ifndef TG_PCA_RUNS_H
#define TG_PCA_RUNS_H

#include "pca/pca.h"
#include "pca/verdict.h"

/* Arrays lie in the context's arena. NaN stands where a number is not defined. */
struct tg_runs {
    int64_t n, k;               /* runs; most components of one */
    struct tg_pca *own;         /* n: components of each run by itself and its step
                                   null; of its path step2 */
    struct tg_verdict *verdict; /* n */
    double *dimensions;         /* n: that its noise fills; without a verdict NaN */
    double *plane;              /* n: share of its variance along the common first two */
    double between;             /* share of the common variance between the runs' means */
    /* n x n, symmetric: */
    double *overlap;
    double *start, *end;        /* distances between first and between last points */
    double *displacement;       /* cosine of the ways from first to last point */
    double *cosine;             /* n x n x k, descending; NaN beyond the fewer components */
    double *alike;              /* mean squared cosine */
    double *chance, *chance_sd; /* of that, between random subspaces */
};

/* Mean squared cosine of random subspaces of k and l dimensions in d; NaN where d is too few. */
void tg_runs_chance(int64_t k, int64_t l, double d, double *mean, double *sd);

/* Arena bytes and FLOPs of tg_runs_compare() after tg_pca_run(). */
TG_MUST_CHECK enum tg_err tg_runs_cost(const struct tg_walk_data *data,
                                       const struct tg_pca_options *options,
                                       struct tg_pca_cost *cost);

/*
 * Compare the runs of what tg_pca_run() has found, up to options->components of each. With
 * n_r points in run r and t in all, 2 t^2 k and, for each run, 4/3 n_r^3 FLOPs and a verdict.
 */
TG_MUST_CHECK enum tg_err tg_runs_compare(const struct tg_ctx *ctx,
                                          const struct tg_walk_data *data,
                                          const struct tg_pca_options *options,
                                          const struct tg_pca *pca, struct tg_runs *runs);

#endif

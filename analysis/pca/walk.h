/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What PCA sees in a random walk: closed forms, exact for every number of points.
 *
 * Antognini, Sohl-Dickstein, "PCA of high dimensional random walks with comparison to neural
 * network training", NeurIPS 2018, arXiv:1806.08805. In the limit of many dimensions the
 * centred Gram matrix of n points of a walk is the pseudo-inverse of the path graph's
 * Laplacian. So component k = 1 .. n-1 has eigenvalue 1 / (4 sin^2(pi k / 2n)), their sum is
 * (n^2 - 1) / 6, and the scores are cosines (DCT-II).
 */
#ifndef TG_PCA_WALK_H
#define TG_PCA_WALK_H

#include "core/ctx.h"

/* Explained variance ratio of component k of n points: 3 / (2 (n^2-1) sin^2(pi k / 2n)). */
double tg_walk_ratio(int64_t n, int64_t k);

/* Entry t = 0 .. n-1 of eigenvector k: sqrt(2/n) cos(pi k (2t+1) / 2n). */
double tg_walk_mode(int64_t n, int64_t k, int64_t t);

/*
 * The Gram matrix (n x n) of a walk whose steps are orthogonal and have the n - 1 given
 * squared lengths: G_ij = sum of step2[s] over s < min(i, j). `distance2` has n doubles of
 * scratch.
 */
TG_MUST_CHECK enum tg_err tg_walk_gram(const struct tg_ctx *ctx, int64_t n,
                                       const double *step2, double *g, double *distance2);

/* G := C G C with C = I - 11^T/n, for symmetric G; `mean` has n doubles of scratch. */
TG_MUST_CHECK enum tg_err tg_gram_centre(const struct tg_ctx *ctx, int64_t n, double *g,
                                         double *mean);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where the principal components of a trajectory point, in a second pass over its data.
 *
 * DESIGN. A Gram matrix tells how far the points lie along each component, but not which
 * coordinates move. X being the points (each coordinate times the root of its tensor's
 * weight), S = X V^T their scores and lambda = diag(S^T S), the directions are
 *
 *     V = diag(1 / lambda) S^T X,
 *
 * unit vectors of length D with the scores' signs: x_i = mean + sum_k s_ik v_k. Scores sum to
 * zero, so X need not be centred; the reference point is taken off, which keeps digits.
 * Columns are taken piece by piece, so nothing but V has the length D. 2 k t D FLOPs.
 *
 * An error e tr G of the Gram matrix turns v_k by up to e tr G / lambda_k. Components for
 * which this is more than 1 % have no direction that the data tell; their rows are NaN.
 *
 * The share |v_k|^2 of a tensor needs no pass: it is s_k^T G_m s_k / lambda_k^2, G_m the
 * Gram matrix of the tensor's slot (gram.h).
 */
#ifndef TG_PCA_COMPONENTS_H
#define TG_PCA_COMPONENTS_H

#include "pca/pca.h"

struct tg_components {
    int64_t k, d;
    int64_t told;   /* rows that the data tell; the others are NaN */
    bool single;    /* float where single precision holds all of the data; else double */
    void *v;        /* k x d */
    double error;   /* largest entry of |V V^T - 1| in the rows told; NaN without any */
};

/* Leading components, of the first k, whose direction the data tell. */
int64_t tg_components_told(const struct tg_pca *pca, int64_t k);

/* Whether directions come in single precision. */
bool tg_components_are_single(const struct tg_walk_data *data);

/* Arena bytes, FLOPs and bytes read for k directions of t points on so many lanes. */
TG_MUST_CHECK enum tg_err tg_components_cost(const struct tg_walk_data *data, int64_t t,
                                             int64_t k, unsigned lanes,
                                             struct tg_pca_cost *cost);

/* The first k <= pca->k directions of what `options` had tg_pca_run() make of the data. */
TG_MUST_CHECK enum tg_err tg_components_run(const struct tg_ctx *ctx,
                                            const struct tg_walk_data *data,
                                            const struct tg_pca_options *options,
                                            const struct tg_pca *pca, int64_t k,
                                            struct tg_components *components);

/*
 * share (k x slots) := how much of each direction lies in each slot of pca->sums; a row sums
 * to 1, or is NaN where the direction is not told. 2 t^2 k FLOPs a slot. `scratch` has
 * t (t + k) doubles.
 */
TG_MUST_CHECK enum tg_err tg_components_share(const struct tg_ctx *ctx,
                                              const struct tg_walk_data *data,
                                              const struct tg_pca *pca, int64_t k,
                                              double *share, double *scratch);

#endif

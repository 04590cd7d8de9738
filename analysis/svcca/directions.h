/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The leading SVCCA directions of a pair of layers, as numbers to work with.
 *
 * With M_k = L diag(rho) R^T the leading k_a x k_b block of U_a^T U_b, side a has for each
 * direction
 *   variate       h = U_a l, n values of norm 1
 *   coefficients  c = V S^-1 l = X^T (U_a S^-2 l), so that X c = h for the centred layer X
 *   loadings      correlation of h with each unit
 *   explained     ||X^T h||^2 / ||X||_F^2, its share of the layer's variance
 * and side b the same with r. The loading of largest magnitude on side a is positive, so signs
 * do not depend on the solver. With threshold 1 these are the directions of CCA.
 */
#ifndef TG_SVCCA_DIRECTIONS_H
#define TG_SVCCA_DIRECTIONS_H

#include "core/mat.h"
#include "svcca/basis.h"

/* One side of a pair; ld columns in every row, of which the first `count` are filled. */
struct tg_directions_side {
    double *variates;     /* n x ld */
    double *coefficients; /* d x ld */
    double *loadings;     /* d x ld; 0 for a unit that never changes */
    double *explained;    /* ld */
};

struct tg_directions {
    int64_t ld;
    int64_t count;
    struct tg_directions_side side[2];
};

/* Scratch for any pair of n rows and at most d units, and up to `most` directions. */
struct tg_directions_scratch {
    double *block, *left, *right; /* d x d each */
    double *rho;                  /* d */
    double *both, *weights;       /* n x 2 most, d x 2 most */
    double *tile;                 /* rows of a layer */
    double *sums;                 /* 2 x d */
    double *products;             /* d x 2 most */
    double *work;
};

void tg_directions_layout(struct tg_arena *arena, int64_t n, int64_t d, int64_t most,
                          struct tg_directions_scratch *scratch);

/*
 * rho, and l and r of all min(k_a, k_b) directions: the columns of scratch->left
 * (k_a x min) and the rows of scratch->right (min x k_b). m as below.
 */
TG_MUST_CHECK enum tg_err tg_directions_solve(const struct tg_ctx *ctx, const double *m,
                                              int64_t ldm, const int64_t k[2],
                                              const struct tg_directions_scratch *scratch);

/*
 * Up to out->ld leading directions, out->count of them. m is U_a^T U_b (b->kept columns), k_a
 * and k_b what SVCCA keeps, mat the layers that the bases were made of.
 */
TG_MUST_CHECK enum tg_err tg_directions_make(const struct tg_ctx *ctx,
                                             const struct tg_basis *const basis[2],
                                             const struct tg_mat *const mat[2],
                                             const double *m, const int64_t k[2],
                                             const struct tg_directions_scratch *scratch,
                                             struct tg_directions *out);

#endif

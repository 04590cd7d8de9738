/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whether directions of a layer live in few of its units.
 *
 * Raghu et al., "SVCCA", NeurIPS 2017, section 2.1 and figure 2b: directions are distributed
 * when no small set of units holds them. Here a direction h of a layer X = U F is set beside
 * m of its units, X_S = U F_S: the share of h that is a combination of these is the squared
 * canonical correlation of h and X_S, R^2 = ||Q^T l||^2 with h = U l and Q an orthonormal
 * basis of F_S. No sample is looked at again. A direction drawn at random from the layer has
 * E R^2 = rank(F_S) / rank(F).
 * Cost: about 6 r m^2 for Q and 2 r m q for q directions.
 */
#ifndef TG_SVCCA_SUBSET_H
#define TG_SVCCA_SUBSET_H

#include "svcca/basis.h"

struct tg_subset_scratch {
    double *units, *u, *vt; /* r x m, r x min, min x m */
    double *s;
    double *products;       /* min x q */
    double *work;
};

/* For layers of up to d units, subsets of up to m <= d, and up to q directions. */
void tg_subset_layout(struct tg_arena *arena, int64_t d, int64_t m, int64_t q,
                      struct tg_subset_scratch *scratch);

/*
 * r2[j] of q directions, l (rows x q, entry (i, j) at l[i * row + j * col]) of the leading
 * `rows` directions of the basis, in the m units whose columns of basis->f are in `unit`.
 * *rank is that of the units.
 */
TG_MUST_CHECK enum tg_err tg_subset_share(const struct tg_ctx *ctx,
                                          const struct tg_basis *basis, const int64_t *unit,
                                          int64_t m, const double *l, int64_t rows,
                                          int64_t row, int64_t col, int64_t q,
                                          const struct tg_subset_scratch *scratch, double *r2,
                                          int64_t *rank);

#endif

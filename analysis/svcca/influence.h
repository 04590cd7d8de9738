/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Linear CKA without each sample in turn.
 *
 * One odd sample can move CKA far (Davari et al., "Reliability of CKA as a similarity measure
 * in deep learning", ICLR 2023, arXiv:2210.16156). With centred rows x_i, y_i, taking sample
 * i out and centring anew changes C = X^T Y into
 *   C_-i = C - n/(n-1) x_i y_i^T,
 * so ||C_-i||^2 follows from x_i^T C y_i and the rows' norms, and what debiases it (svcca.c)
 * from sums over all rows. In the coordinates of the bases X^T X and Y^T Y are diagonal, and
 * one product of n d_a d_b makes all n values of both measures; the rest is O(n d).
 */
#ifndef TG_SVCCA_INFLUENCE_H
#define TG_SVCCA_INFLUENCE_H

#include "svcca/basis.h"

/* Scratch for any pair of n rows and at most d directions a side. */
struct tg_influence_scratch {
    double *t; /* n x d */
    double *w; /* d x d */
    double *h; /* 4 x d */
};

void tg_influence_layout(struct tg_arena *arena, int64_t n, int64_t d,
                         struct tg_influence_scratch *scratch);

/*
 * cka[i] and debiased[i]: without sample i, for n >= 5 (debiased) and any n >= 3. m is
 * U_a^T U_b, and both bases hold every direction (TG_BASIS_ALL). NaN where not defined.
 */
TG_MUST_CHECK enum tg_err tg_influence_pair(const struct tg_ctx *ctx, const struct tg_basis *a,
                                            const struct tg_basis *b, const double *m,
                                            const struct tg_influence_scratch *scratch,
                                            double *cka, double *debiased);

#endif

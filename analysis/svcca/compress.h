/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A layer's weights as two thin factors.
 *
 * Raghu et al., "SVCCA", NeurIPS 2017, section 4.4 and appendix 5: what follows a layer
 * x (d units), x W + b, becomes (x A) B + b' with A (d x k) and B (k x c), so that d c
 * weights become k (d + c). For orthonormal directions H = (X - mean) A of the layer,
 * B = H^T (Y - mean(Y)) is the best there is for these directions, and
 * b' = mean(Y) - mean(X) A B. The directions are combinations of the basis U S V^T of the
 * layer, H = U L, so that A = V S^-1 L = X^T (U S^-2 L).
 * Cost: two more passes over the layer, 4 n d k + 2 n k c.
 */
#ifndef TG_SVCCA_COMPRESS_H
#define TG_SVCCA_COMPRESS_H

#include "svcca/basis.h"
#include "svcca/head.h"

/* The columns of L: entry (i, j) is l[i * row + j * col]; l NULL: L is the identity. */
struct tg_compress_directions {
    const double *l;
    int64_t row, col;
    int64_t rows;    /* of L: leading directions of the basis */
    const double *v; /* H^T y (tg_head_coordinates) */
};

struct tg_compress_factors {
    int64_t k;
    double *in, *out;    /* d x k and k x outputs, with these leading dimensions */
    size_t ldin, ldout;
    double *bias;        /* outputs */
};

/* What the factors do on the samples, measured by going through them. */
struct tg_compressed {
    double error;    /* share of ||y||^2 that differs; NaN when no output changes */
    double accuracy; /* NaN without labels */
};

struct tg_compress_scratch {
    double *weights; /* d x k */
    double *z;       /* n x k */
    double *tile, *thin, *outputs; /* rows of d, k, outputs */
    double *sum;     /* d */
};

void tg_compress_layout(struct tg_arena *arena, int64_t n, int64_t d, int64_t k,
                        int64_t outputs, struct tg_compress_scratch *scratch);

/* `basis` holds u and s of `layer`; factors->k <= rows of L, and <= basis->kept. */
TG_MUST_CHECK enum tg_err tg_compress(const struct tg_ctx *ctx, const struct tg_mat *layer,
                                      const struct tg_basis *basis,
                                      const struct tg_head *head,
                                      const struct tg_compress_directions *directions,
                                      const struct tg_compress_scratch *scratch,
                                      struct tg_compress_factors *factors,
                                      struct tg_compressed *compressed);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The scores of two layers as sums over the frequencies that both have (dft.h). */
#ifndef TG_SVCCA_DFT_PAIR_H
#define TG_SVCCA_DFT_PAIR_H

#include "svcca/dft_block.h"

/* What one layer of a pair has in the common frequencies. */
struct tg_dft_side {
    int64_t rank, k[TG_SVCCA_RULES];
    double norm2, gram2; /* ||Z||_F^2, ||Z^H Z||_F^2 */
    double hsic;         /* unbiased, of the layer with itself */
    double shape2;       /* ||Z||_F^2 after whitening as far as shape_alpha says */
};

struct tg_dft_sums {
    struct tg_dft_side a, b;
    double rho, rho2;             /* of all correlations */
    double svcca[TG_SVCCA_RULES]; /* of those that each rule keeps */
    double gram2, hsic;
    double procrustes, shape;     /* nuclear norms */
    double a_in_b, b_in_a;        /* variance explained */
    double null_rho2;
    int64_t listed, svcca_listed, forced;
};

/*
 * Add the frequency at hand of both layers, which have it. The correlations go to the ends of
 * the lists, which may be NULL; *mean gets their mean, NaN without any.
 */
TG_MUST_CHECK enum tg_err tg_dft_add(const struct tg_ctx *ctx,
                                     const struct tg_svcca_options *options,
                                     const struct tg_dft_scratch *scratch,
                                     const struct tg_dft_layer *a,
                                     const struct tg_dft_layer *b, struct tg_dft_sums *sums,
                                     double *cca_rho, double *svcca_rho, double *mean);

/* The scores so far; NaN without a direction on either side. */
void tg_dft_score(const struct tg_svcca_options *options, const struct tg_dft_sums *sums,
                  struct tg_svcca_pair *pair);

#endif

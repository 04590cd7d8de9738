/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The scores of one pair of layers, from their bases (svcca.h has the formulas). */
#ifndef TG_SVCCA_PAIR_H
#define TG_SVCCA_PAIR_H

#include "svcca/svcca.h"

/* What the bases have to hold for the measures that are asked for. */
unsigned tg_pair_needs(const struct tg_svcca_options *options);

/* Doubles that scratch->work needs beside tg_basis_work(). */
size_t tg_pair_work(int64_t d);

/* FLOPs of a pair, given what the bases hold. */
double tg_pair_flops(const struct tg_svcca_options *options, unsigned needs, double n, double da,
                     double db);

/*
 * Fill the scores of `pair`, whose a and b are set and whose scores are NaN. M is left in
 * scratch->a when `needs` asks for a decomposition. cca_rho and svcca_rho may be NULL.
 */
TG_MUST_CHECK enum tg_err tg_pair_compare(const struct tg_ctx *ctx,
                                          const struct tg_svcca_options *options,
                                          unsigned needs,
                                          const struct tg_basis_scratch *scratch,
                                          const struct tg_basis *a, const struct tg_basis *b,
                                          struct tg_svcca_pair *pair, double *cca_rho,
                                          double *svcca_rho);

/*
 * What scores are made of, for whoever has products of its own (resample.c, dft_pair.c). All
 * overwrite scratch->b and c and work.
 */

/* Mean of the k = min(ka, kb) singular values, descending in rho, of a block of M (ld). */
TG_MUST_CHECK enum tg_err tg_pair_mean_rho(const struct tg_ctx *ctx, const double *m, int64_t ld,
                                           int64_t ka, int64_t kb,
                                           const struct tg_basis_scratch *scratch, double *rho,
                                           double *mean);

/* The same, one by one. */
TG_MUST_CHECK enum tg_err tg_pair_correlations(const struct tg_ctx *ctx, const double *m,
                                               int64_t ld, int64_t ka, int64_t kb,
                                               const struct tg_basis_scratch *scratch,
                                               double *rho);

/* ||C||_* for the rows x cols matrix in scratch->c. Overwrites scratch->w, too. */
TG_MUST_CHECK enum tg_err tg_pair_nuclear(const struct tg_ctx *ctx,
                                          const struct tg_basis_scratch *scratch,
                                          int64_t rows, int64_t cols, double *norm);

/* The similarity ||C||_* / norms of it, at most 1. */
TG_MUST_CHECK enum tg_err tg_pair_aligned(const struct tg_ctx *ctx,
                                          const struct tg_basis_scratch *scratch,
                                          int64_t rows, int64_t cols, double norms,
                                          double *similarity);

/*
 * sum alpha_i rho_i / sum alpha_i with the weights of one side: alpha_i = sum_j |(L^T F)_ij|,
 * L the eigenvectors of M M^T (of M^T M for the second layer), F = U^T X of d columns.
 */
TG_MUST_CHECK enum tg_err tg_pair_weigh(const struct tg_ctx *ctx,
                                        const struct tg_basis_scratch *scratch, const double *f,
                                        int64_t d, bool second, const double *m, int64_t rows,
                                        int64_t cols, double *mean);

#endif

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

#endif

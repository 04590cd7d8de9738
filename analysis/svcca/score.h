/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The similarities of a pair, one by one.
 *
 * DESIGN. A measure has one number or two (regression both ways, CCA also as a mean square).
 * Whoever treats all of them alike (a null, an interval) walks this list. A new similarity in
 * struct tg_svcca_pair is a row of the table.
 */
#ifndef TG_SVCCA_SCORE_H
#define TG_SVCCA_SCORE_H

#include "svcca/svcca.h"

enum tg_score {
    TG_SCORE_CCA,
    TG_SCORE_CCA_SQUARED, /* mean square */
    TG_SCORE_SVCCA,       /* by the headline rule */
    TG_SCORE_CKA,
    TG_SCORE_CKA_DEBIASED,
    TG_SCORE_PWCCA,
    TG_SCORE_PROCRUSTES,
    TG_SCORE_SHAPE,
    TG_SCORE_A_TO_B, /* regression */
    TG_SCORE_B_TO_A,
    TG_SCORE_CKA_RBF,
    TG_SCORE_CKA_RBF_DEBIASED,
    TG_SCORE_CKA_MINIBATCH,
    TG_SCORE_RSA_PEARSON,
    TG_SCORE_RSA_SPEARMAN,
    TG_SCORE_RSA_KENDALL,
    TG_SCORE_RSA_COSINE,
    TG_SCORE_RSA_WHITENED,
    TG_SCORE_KNN,
    TG_SCORES
};

/* "cca", "cca_mean_squared", ...: the name of the column in a table of pairs. */
const char *tg_score_name(enum tg_score score);

enum tg_svcca_measure tg_score_measure(enum tg_score score);

/* Whether its measure is asked for. */
bool tg_score_asked(const struct tg_svcca_options *options, enum tg_score score);

double tg_score_of(const struct tg_svcca_options *options, const struct tg_svcca_pair *pair,
                   enum tg_score score);

/* A pair of which nothing is known yet: every score is NaN. */
struct tg_svcca_pair tg_svcca_pair_unknown(int64_t a, int64_t b);

#endif

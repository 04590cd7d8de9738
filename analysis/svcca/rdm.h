/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Representational similarity analysis: Kriegeskorte, Mur, Bandettini, Front. Syst. Neurosci. 2,
 * 2008. Of each layer the dissimilarities D_ij of all pairs of samples, and two layers are
 * compared by them. Sums go over all i != j, c = D less its mean m over these.
 *   Pearson    <c_a, c_b> / (|c_a| |c_b|)
 *   Spearman   the same of ranks, mean places among ties
 *   Kendall    tau-b, and tau-a, of the N = n (n - 1) / 2 pairs (rank.h)
 *   cosine     <D_a, D_b> / (|D_a| |D_b|)
 *   whitened   the cosine in the metric of the covariance that D has when all samples have the
 *              same independent noise (Diedrichsen, Berlot, Mur et al., arXiv:2007.02789,
 *              eq. 16). Its inverse is that of a double centring: <D_a, V^-1 D_b> =
 *              <H D_a H, H D_b H> / 4, H = I - 1 1^T / n. Of squared Euclidean distances it
 *              therefore is linear CKA, and of Euclidean ones the squared distance correlation
 *              of Szekely, Rizzo and Bakirov (Ann. Statist. 35, 2007).
 * With row sums r of c: <H D_a H, H D_b H> = <c_a, c_b> - 2/n <r_a, r_b> + (n - 1) m_a m_b.
 *
 * What they show when one layer's samples are shuffled is known in mean and sd (null.h), but
 * for Kendall's, of which the mean is 0.
 */
#ifndef TG_SVCCA_RDM_H
#define TG_SVCCA_RDM_H

#include "svcca/distance.h"
#include "svcca/null.h"
#include "svcca/rank.h"

enum tg_dissimilarity {
    TG_RDM_CORRELATION, /* 1 - Pearson's r of two rows */
    TG_RDM_EUCLIDEAN,
    TG_RDM_SQUARED,     /* squared Euclidean */
    TG_RDM_COSINE       /* 1 - the cosine of two rows */
};

enum tg_metric tg_rdm_metric(enum tg_dissimilarity kind);

/* A table less its mean, 0 on its diagonal. */
struct tg_centred {
    double *block; /* all blocks; NULL: see below */
    double *whole; /* n x n, for what is looked up in another order; NULL without */
    double *row;   /* n: sums of the rows */
    double mean, norm2, row2; /* of what was taken off; |c|^2; sum of row^2 */
};

struct tg_rdm {
    struct tg_distance distance; /* of rows that are there where value.block is NULL */
    bool root;                   /* entries are roots of distances */
    bool ranked;                 /* ranks are wanted */
    struct tg_centred value;     /* made when needed without blocks */
    struct tg_centred rank;      /* wants its blocks whenever it is used */
    uint64_t *order;             /* N pairs as ranked; NULL when not wanted */
    double ties;                 /* of ranks: sum t (t - 1) / 2 over t equal ones */
    int64_t without, first;      /* rows that have no dissimilarity, and the first */
    bool varies;                 /* not all dissimilarities are the same */
};

/* Whether there is something to compare. */
bool tg_rdm_is_defined(const struct tg_rdm *rdm);

/*
 * From a packed distance in rdm->distance, with `without` and `first` set. The rows of `value`
 * and, when ranked, of `rank` have memory, and rank.block has, and `work`. `buffer`:
 * TG_BLOCK_BUFFER doubles.
 */
TG_MUST_CHECK enum tg_err tg_rdm_make(const struct tg_ctx *ctx, struct tg_rank_work *work,
                                      double *buffer, struct tg_rdm *rdm);

/*
 * The tables of an rdm that was made, into those blocks of `held` and that order which are not
 * NULL; the rest of `held` is set.
 */
TG_MUST_CHECK enum tg_err tg_rdm_hold(const struct tg_ctx *ctx, const struct tg_rdm *rdm,
                                      struct tg_rank_work *work, double *buffer,
                                      struct tg_rdm *held);

/* What is wanted of a pair, and its scores; NaN where one is not wanted. */
struct tg_rdm_scores {
    double pearson, spearman, kendall, kendall_a, cosine, whitened;
};
enum tg_rdm_wants { TG_RDM_VALUES = 1, TG_RDM_SPEARMAN = 2, TG_RDM_KENDALL = 4 };

/*
 * Two defined tables; with `map` as tg_table_product() has it. `buffer`:
 * TG_BLOCK_SIZE doubles; `list`: 2 N for Kendall's.
 */
TG_MUST_CHECK enum tg_err tg_rdm_compare(const struct tg_ctx *ctx, unsigned wants,
                                         const struct tg_rdm *a, const struct tg_rdm *b,
                                         const int64_t *map, double *buffer, double *list,
                                         struct tg_rdm_scores *scores);

/* What unrelated layers show. */
struct tg_rdm_chances {
    struct tg_chance pearson, spearman, kendall, cosine, whitened;
};
struct tg_rdm_chances tg_rdm_chance(const struct tg_rdm *a, const struct tg_rdm *b);

#endif

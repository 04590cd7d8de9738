/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Similarity of neural representations: CCA, SVCCA and linear CKA between layers.
 *
 * Raghu, Gilmer, Yosinski, Sohl-Dickstein, "SVCCA", NeurIPS 2017, arXiv:1706.05806.
 * Kornblith, Norouzi, Lee, Hinton, "Similarity of Neural Network Representations
 * Revisited", ICML 2019, arXiv:1905.00414; debiased as Song et al., JMLR 13, 2012.
 *
 * DESIGN. Each layer is decomposed once (basis.h). A pair costs one product M = U_a^T U_b:
 *   CCA    rho = sigma(M)
 *   SVCCA  rho = sigma of the leading k_a x k_b block of the same M
 *   CKA    ||X_a^T X_b||_F = ||S_a M S_b||_F
 * FLOPs: about 6 n d^2 + 9 d^3 a layer, 2 n d_a d_b + 4 d_a d_b min(d_a, d_b) a pair.
 *
 * What else is made of a layer or a pair (a null, an interval, directions) stands in its
 * own file and hooks in: it names what it needs of the bases, and is called when a layer
 * is decomposed and when the M of a pair is there.
 */
#ifndef TG_SVCCA_H
#define TG_SVCCA_H

#include "svcca/basis.h"

/* Bits of tg_svcca_options.measures, in the order of tg_svcca.matrix. */
enum tg_svcca_measure {
    TG_SVCCA_CCA, TG_SVCCA_SVCCA, TG_SVCCA_CKA, TG_SVCCA_CKA_DEBIASED, TG_SVCCA_MEASURES
};

/* Lists of correlations are kept while all pairs together have at most this many. */
enum { TG_SVCCA_MAX_CORRELATIONS = 4000000 };

struct tg_svcca;

/* What is at hand when a pair is computed; the pointers are good during the call. */
struct tg_svcca_pair_work {
    const struct tg_svcca *svcca;
    int64_t index;                          /* of the pair in svcca->pair, scores filled */
    const struct tg_basis *a, *b;           /* neither of rank 0 */
    const double *m;                        /* U_a^T U_b, a->kept x b->kept */
    const struct tg_basis_scratch *scratch; /* free but for a, which holds m */
};

/* Either function may be NULL. An error ends the run. */
struct tg_svcca_hook {
    void *arg;
    unsigned needs; /* enum tg_basis_need: what the bases have to hold */
    /* Once a layer, in order, as soon as it is decomposed. */
    enum tg_err (*layer)(void *arg, const struct tg_ctx *ctx, int64_t index,
                         const struct tg_basis *basis);
    /* Once a pair, in order. */
    enum tg_err (*pair)(void *arg, const struct tg_ctx *ctx,
                        const struct tg_svcca_pair_work *work);
};

struct tg_svcca_options {
    uint64_t measures;       /* bit set */
    double threshold;        /* (0, 1] */
    enum tg_svcca_rule rule; /* of the headline SVCCA */
    double rank_tolerance;   /* [0, 1); 0: automatic */
    const struct tg_svcca_hook *hook;
    size_t nhooks;
};

/* Every layer has the same n >= 4 rows (samples) and at most n columns (units). */
struct tg_svcca_layer {
    const char *name;
    struct tg_mat mat;
};

/* NaN stands where a measure was not asked for or is not defined. */
struct tg_svcca_pair {
    int64_t a, b;
    double cca_mean, cca_mean_squared;
    double null_cca_mean_squared; /* of independent data: max(rank) / (n - 1) */
    int64_t forced_ones;          /* correlations that are 1 whatever the data */
    double svcca[TG_SVCCA_RULES];
    double cka, cka_debiased;
};

/* Everything lies in the context's arena. */
struct tg_svcca {
    int64_t n, nlayers, npairs, max_d;
    const char **name;
    struct tg_basis *basis;
    struct tg_svcca_pair *pair; /* (0, 1), (0, 2), ..., (1, 2), ... */
    double *singular_values;    /* nlayers x max_d, padded with 0 */
    double *cca_rho;            /* npairs x max_d, padded with 0; NULL when left out */
    double *svcca_rho;          /* the same, by the headline rule */
    double *matrix[TG_SVCCA_MEASURES]; /* nlayers x nlayers; NULL when not asked for */
};

struct tg_svcca_cost { size_t bytes; double flops, read_bytes; };

TG_MUST_CHECK enum tg_err tg_svcca_cost(const struct tg_svcca_layer *layers, size_t nlayers,
                                        const struct tg_svcca_options *options,
                                        struct tg_svcca_cost *cost);

/* TG_NUMERIC with the reason in `report` when an entry is not finite. */
TG_MUST_CHECK enum tg_err tg_svcca_run(const struct tg_ctx *ctx,
                                       const struct tg_svcca_layer *layers, size_t nlayers,
                                       const struct tg_svcca_options *options,
                                       struct tg_svcca *svcca, struct tg_report *report);

/* Whether lists of correlations are kept for these sizes. */
bool tg_svcca_keeps_correlations(const struct tg_svcca *svcca);

#endif

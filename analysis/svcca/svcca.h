/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Similarity of neural representations: CCA, SVCCA, CKA and others between layers.
 *
 * Raghu, Gilmer, Yosinski, Sohl-Dickstein, "SVCCA", NeurIPS 2017, arXiv:1706.05806.
 * Kornblith, Norouzi, Lee, Hinton, "Similarity of Neural Network Representations
 * Revisited", ICML 2019, arXiv:1905.00414; debiased as Song et al., JMLR 13, 2012.
 *
 * PWCCA: Morcos, Raghu, Bengio, NeurIPS 2018, arXiv:1806.05759. Shape metrics: Williams,
 * Kunz, Kornblith, Linderman, NeurIPS 2021, arXiv:2110.14739.
 *
 * DESIGN. Each layer is decomposed once and as far as needed (basis.h): X = U S V^T. A pair
 * costs a product or two, C = X_a^T X_b and M = U_a^T U_b:
 *   CCA         rho = sigma(M); mean rho^2 = ||M||_F^2 / min rank
 *   SVCCA       rho = sigma of the leading k_a x k_b block of M
 *   PWCCA       weights alpha_i = sum_j |<h_i, x_j>|, H = U_a L, M = L rho R^T, so that
 *               H^T X_a = L^T F_a, and nothing of n rows is formed
 *   CKA         ||C||_F^2 / (||X_a^T X_a||_F ||X_b^T X_b||_F)
 *   Procrustes  s = ||C||_* / (||X_a||_F ||X_b||_F); distance^2 2 - 2 s, angle arccos s
 *   shape       the same of X (alpha I + (1 - alpha) (X^T X)^-1/2) = U (alpha S + 1 - alpha) V^T
 *   regression  R^2 of X_b on X_a: ||M S_b||_F^2 / ||S_b||_F^2
 * Measures that set samples beside samples (CKA with other kernels) are in samples.h.
 * FLOPs: n d^2 a layer and what its decomposition takes, 2 n d_a d_b a pair and O(d^3); for
 * SVCCA alone 2 n k_a k_b.
 *
 * What else is made of a layer or a pair (a null, an interval, directions) stands in its
 * own file and hooks in: it names what it needs of the bases, and is called when a layer
 * is decomposed and when the M of a pair is there.
 */
#ifndef TG_SVCCA_H
#define TG_SVCCA_H

#include "svcca/basis.h"
#include "svcca/samples.h"

/* Bits of tg_svcca_options.measures, in the order of tg_svcca.matrix. */
enum tg_svcca_measure {
    TG_SVCCA_CCA, TG_SVCCA_SVCCA, TG_SVCCA_CKA, TG_SVCCA_CKA_DEBIASED, TG_SVCCA_PWCCA,
    TG_SVCCA_PROCRUSTES, TG_SVCCA_SHAPE, TG_SVCCA_REGRESSION, TG_SVCCA_CKA_RBF,
    TG_SVCCA_CKA_RBF_DEBIASED, TG_SVCCA_CKA_MINIBATCH, TG_SVCCA_RSA_PEARSON,
    TG_SVCCA_RSA_SPEARMAN, TG_SVCCA_RSA_KENDALL, TG_SVCCA_RSA_COSINE, TG_SVCCA_RSA_WHITENED,
    TG_SVCCA_KNN, TG_SVCCA_MEASURES
};

/* Lists of correlations are kept while all pairs together have at most this many. */
enum { TG_SVCCA_MAX_CORRELATIONS = 4000000 };

struct tg_svcca;

struct tg_svcca_compared { int64_t a, b; }; /* indices of layers, a != b */

/* What is at hand when a pair is computed; the pointers are good during the call. */
struct tg_svcca_pair_work {
    const struct tg_svcca *svcca;
    int64_t index;                          /* of the pair in svcca->pair, scores filled */
    const struct tg_basis *a, *b;           /* neither of rank 0 */
    const double *m;                        /* U_a^T U_b, a->kept x b->kept; NULL when
                                               nobody needs more than TG_BASIS_X */
    const struct tg_basis_scratch *scratch; /* free but for a, which holds m */
    const struct tg_samples *samples_a, *samples_b; /* tables as tg_samples_pair() has them;
                                                       NULL over frequencies */
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
    bool both_rules;         /* score SVCCA by the other rule, too */
    double rank_tolerance;   /* [0, 1); 0: automatic */
    bool pwcca_first;        /* weights of the first layer only, half the work */
    double shape_alpha;      /* [0, 1]: 0 whitens, 1 is Procrustes */
    struct tg_samples_options samples;
    int64_t max_directions;  /* room for this many a layer when only the leading ones are
                                needed; 0: for all */
    const struct tg_svcca_compared *compared; /* the pairs to compare; NULL: all */
    int64_t ncompared;
    const struct tg_svcca_hook *hook;
    size_t nhooks;
};

/* Every layer has the same n >= 4 rows (samples) and at most n columns (units). */
struct tg_svcca_layer {
    const char *name;
    struct tg_mat mat;
    const char *key; /* names the contents, for what is kept and recalled; NULL: nothing is */
};

/* NaN stands where a measure was not asked for or is not defined. */
struct tg_svcca_pair {
    int64_t a, b;
    double cca_mean, cca_mean_squared;
    double null_cca_mean_squared; /* of independent data: max(rank) / (n - 1) */
    int64_t forced_ones;          /* correlations that are 1 whatever the data */
    double svcca[TG_SVCCA_RULES];
    double cka, cka_debiased;
    double pwcca, pwcca_a, pwcca_b; /* the headline is the mean of both sides, or pwcca_a */
    double procrustes, shape;
    double r2_a_to_b, r2_b_to_a;    /* variance of b explained by a, and the other way */
    double cka_rbf, cka_rbf_debiased, cka_minibatch;
    double rsa_pearson, rsa_spearman, rsa_kendall, rsa_kendall_a, rsa_cosine, rsa_whitened;
    double knn;
};

/* Everything lies in the context's arena. */
struct tg_svcca {
    int64_t n, nlayers, npairs, max_d;
    const char **name;
    struct tg_basis *basis;
    struct tg_samples *samples; /* nlayers; made for layers that change */
    bool tables_held;           /* as samples.h says */
    struct tg_svcca_pair *pair; /* as compared; all: (0, 1), (0, 2), ..., (1, 2), ... */
    double *singular_values;    /* nlayers x max_d, padded with 0; all 0 when not needed */
    double *cca_rho;            /* npairs x max_d, padded with 0; NULL when left out */
    double *svcca_rho;          /* the same, by the headline rule */
    /* nlayers x nlayers, NaN where not compared; NULL when not asked for. Of regression,
       row a, column b is the R^2 of b explained by a; all others are symmetric. */
    double *matrix[TG_SVCCA_MEASURES];
};

/* What pairs are compared by, over all measures and hooks. */
enum tg_svcca_route {
    TG_SVCCA_NO_BASES, /* samples with samples only */
    TG_SVCCA_PRODUCTS, /* X_a^T X_b, nothing is decomposed */
    TG_SVCCA_LEADING,  /* the leading directions of a decomposition */
    TG_SVCCA_ALL       /* all directions within the rank */
};
enum tg_svcca_route tg_svcca_route(const struct tg_svcca_options *options);

struct tg_svcca_cost {
    size_t bytes;
    double flops, read_bytes;
    double layer_flops; /* of flops, what layers take before any pair */
    int64_t pairs;
    bool tables, tables_held; /* of samples by samples: there are, and once a layer */
};

TG_MUST_CHECK enum tg_err tg_svcca_cost(const struct tg_svcca_layer *layers, size_t nlayers,
                                        const struct tg_svcca_options *options,
                                        struct tg_svcca_cost *cost);

/* TG_NUMERIC with the reason in `report` when an entry is not finite. */
TG_MUST_CHECK enum tg_err tg_svcca_run(const struct tg_ctx *ctx,
                                       const struct tg_svcca_layer *layers, size_t nlayers,
                                       const struct tg_svcca_options *options,
                                       struct tg_svcca *svcca, struct tg_report *report);

/*
 * The distance that goes with a similarity: the angle arccos s for CKA of any kind,
 * Procrustes, shape and RSA by a cosine, whitened or not, 1 - s for the others. Below 1e-8 a
 * distance by arccos is rounding.
 */
double tg_svcca_distance(enum tg_svcca_measure measure, double similarity);

/* Whether singular values are known. */
bool tg_svcca_has_spectra(const struct tg_svcca_options *options);

/* Whether lists of correlations are kept for these sizes. */
bool tg_svcca_keeps_correlations(const struct tg_svcca *svcca);

#endif

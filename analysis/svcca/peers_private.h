/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the files of the peers share.
 *
 * DESIGN. peers.c prepares both layers once and walks over the peers; each peer is a file that
 * says what it computes and where it differs. What several of them compute alike (linear CKA,
 * Procrustes) is in peers_common.c.
 */
#ifndef TG_SVCCA_PEERS_PRIVATE_H
#define TG_SVCCA_PEERS_PRIVATE_H

#include "svcca/peers.h"

/* One layer: leading dimension d everywhere. */
struct tg_peer_side {
    int64_t d;
    double *raw;     /* n x d as given */
    double *centred; /* n x d */
    double *mean;    /* d */
    double *u, *s, *vt; /* of the centred layer: n x d, d, d x d */
    bool full_rank;
};

struct tg_peers {
    struct tg_peers_options options;
    int64_t n, d;
    struct tg_peer_side side[2];
    double *tall[3];   /* n x d each */
    double *square[8]; /* d x d each */
    double *vector[6]; /* d each */
    int64_t *index[2]; /* d each */
    double *kernel[2]; /* n x n each, or NULL */
    int64_t *count;    /* TG_SELECTION_COUNTS, with kernel */
    double *row;       /* n */
    double *work;
};

/* A row tile of a pass over n x d numbers, between two polls. */
enum { TG_PEER_ROWS = 256 };

/* A new score whose reason is still empty. */
struct tg_peer_score *tg_peers_add(struct tg_peer_scores *scores, const char *peer,
                                  const char *measure, const char *ours, double value);

/* Its reason. */
__attribute__((format(printf, 2, 3))) void tg_peer_say(struct tg_peer_score *score,
                                                       const char *why, ...);

/* Both add the scores of their peer: peers_anatome.c, peers_resi.c, peers_kornblith.c. */
TG_MUST_CHECK enum tg_err tg_peer_anatome(const struct tg_ctx *ctx, const struct tg_peers *peers,
                                          struct tg_peer_scores *scores);
TG_MUST_CHECK enum tg_err tg_peer_resi(const struct tg_ctx *ctx, const struct tg_peers *peers,
                                       struct tg_peer_scores *scores);
TG_MUST_CHECK enum tg_err tg_peer_kornblith(const struct tg_ctx *ctx,
                                            const struct tg_peers *peers,
                                            struct tg_peer_scores *scores);

/* ---- peers_google.c ---- */

/* cca_core's correlations of two centred matrices, and what it makes them from. */
struct tg_peer_google {
    enum { TG_GOOGLE_OK, TG_GOOGLE_REFUSES, TG_GOOGLE_EMPTY, TG_GOOGLE_SINGULAR } outcome;
    int64_t kx, ky, k;           /* units kept, correlations: min(kx, ky) */
    const int64_t *keep_x, *keep_y;
    const double *rho;           /* k */
    const double *coef_x;        /* k x kx: rows are left singular vectors */
    const double *coef_y;        /* ky x k: columns are right singular vectors */
    double rounding;
};

/*
 * cca_core.get_cca_similarity of x (n x dx) and y (n x dy), both centred. What it points to
 * lies in square[4..7], vector[2..5] and index[0..1] and is gone with the next call.
 */
TG_MUST_CHECK enum tg_err tg_peer_google_cca(const struct tg_ctx *ctx,
                                             const struct tg_peers *peers, const double *x,
                                             int64_t dx, const double *y, int64_t dy,
                                             double epsilon, struct tg_peer_google *google);

/* Add the mean of cca_core's correlations. */
TG_MUST_CHECK enum tg_err tg_peer_google_mean(const struct tg_ctx *ctx,
                                              const struct tg_peers *peers,
                                              struct tg_peer_scores *scores);

/* Add the score of pwcca.compute_pwcca of both sides under the name of `peer`. */
TG_MUST_CHECK enum tg_err tg_peer_google_pwcca(const struct tg_ctx *ctx,
                                               const struct tg_peers *peers, double epsilon,
                                               const char *peer,
                                               struct tg_peer_scores *scores);

/* Why cca_core has no value, into `score`. */
void tg_peer_google_why_not(const struct tg_peers *peers, const struct tg_peer_google *google,
                            struct tg_peer_score *score);

/* ---- peers_common.c ---- */

/* The sum of squares. */
double tg_peer_norm2(const double *x, int64_t count);

double tg_peer_mean(const double *x, int64_t count);

/* n x cols of `from` into `to`, both with rows that lie close. */
TG_MUST_CHECK enum tg_err tg_peer_copy(const struct tg_ctx *ctx, const struct tg_peers *peers,
                                       int64_t cols, const double *from, double *to);

/* M = X^T Y into square[0]. */
TG_MUST_CHECK enum tg_err tg_peer_product(const struct tg_ctx *ctx, const struct tg_peers *peers,
                                          const double *x, int64_t dx, const double *y,
                                          int64_t dy);

/* Sum of the singular values of the dx x dy matrix in square[0], which is destroyed. */
TG_MUST_CHECK enum tg_err tg_peer_nuclear(const struct tg_ctx *ctx, const struct tg_peers *peers,
                                          int64_t dx, int64_t dy, double *sum);

/*
 * Orthonormal columns of x (n x d) in its place. *full_rank: false where they are only
 * rounding; *rounding grows to the condition times epsilon.
 */
TG_MUST_CHECK enum tg_err tg_peer_orthonormal(const struct tg_ctx *ctx,
                                              const struct tg_peers *peers, int64_t d, double *x,
                                              bool *full_rank, double *rounding);

/* Linear CKA of both sides, biased and debiased (Song et al., 2012). */
TG_MUST_CHECK enum tg_err tg_peer_linear_cka(const struct tg_ctx *ctx,
                                             const struct tg_peers *peers, double *biased,
                                             double *debiased);

/* ||X^T Y||_* / (||X|| ||Y||) of both sides. */
TG_MUST_CHECK enum tg_err tg_peer_procrustes(const struct tg_ctx *ctx,
                                             const struct tg_peers *peers, double *similarity);

#endif

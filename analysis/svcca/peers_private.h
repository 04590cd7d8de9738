/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of the peers share: both sides prepared once, and scratch. */
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
    double *tall[3];             /* n x d each */
    double *square[8];           /* d x d each */
    double *vector[6];           /* d each */
    int64_t *index[2];           /* d each */
    double *kernel[2], *sorted;  /* n x n each, or NULL */
    double *row;                 /* n */
    double *work;
};

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

/* The score of pwcca.compute_pwcca of both sides under the name of `peer`. */
TG_MUST_CHECK enum tg_err tg_peer_google_pwcca(const struct tg_ctx *ctx,
                                               const struct tg_peers *peers, double epsilon,
                                               const char *peer,
                                               struct tg_peer_scores *scores);

/* Add the mean of cca_core's correlations. */
TG_MUST_CHECK enum tg_err tg_peer_google_mean(const struct tg_ctx *ctx,
                                              const struct tg_peers *peers,
                                              struct tg_peer_scores *scores);

/* A new score whose reason is still empty. */
struct tg_peer_score *tg_peers_add(struct tg_peer_scores *scores, const char *peer,
                                  const char *measure, const char *ours, double value);

/* Why cca_core has no value, into `score`. */
void tg_peer_google_why_not(const struct tg_peers *peers, const struct tg_peer_google *google,
                            struct tg_peer_score *score);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What other programs print for the same two layers, and why it differs from us.
 *
 * DESIGN. Each peer is re-made from its formulas, faults included, with our linear algebra:
 *   google_cca    cca_core.py of google/svcca, commit 1f3fbf1: mean of the leading
 *                 correlations, epsilon added to covariances scaled by their largest entry
 *   google_pwcca  pwcca.py of the same commit
 *   anatome       moskomule/anatome, commit 2212a8c: its svcca, pwcca, lincka and opd
 *   resi          mklabunde/resi, commit 24ab9e5: its SVCCA, PWCCA, CKA and Procrustes
 *   kornblith     Demo.ipynb of google-research/representation_similarity: cca, linear CKA
 *                 (biased, debiased) and CKA with an RBF kernel
 * Where a peer stops, or divides by what is only rounding, there is no value, and the reason
 * says so. A peer that goes through covariances loses digits with their condition: `rounding`
 * is the size of that loss. Agreement with the peers' own code, run on fixed data
 * (tests/golden/peers.py): 1e-9.
 */
#ifndef TG_SVCCA_PEERS_H
#define TG_SVCCA_PEERS_H

#include "core/ctx.h"
#include "core/mat.h"

enum tg_peer {
    TG_PEER_GOOGLE_CCA, TG_PEER_GOOGLE_PWCCA, TG_PEER_ANATOME, TG_PEER_RESI,
    TG_PEER_KORNBLITH, TG_PEERS
};

enum {
    TG_PEER_MAX_SCORES = 15,
    TG_PEER_MAX_RBF_ROWS = 3000 /* the RBF kernel takes n x n numbers a side */
};

struct tg_peer_score {
    const char *peer, *measure; /* "anatome", "svcca" */
    const char *ours;           /* the same measure as we call it, "svcca_sv_sum" */
    bool distance;              /* it prints a distance: 0 is alike */
    double value;               /* NaN where the peer has none */
    double rounding;            /* relative size of the peer's own rounding errors */
    char why[320];              /* one sentence */
};

struct tg_peer_scores {
    int n;
    struct tg_peer_score score[TG_PEER_MAX_SCORES];
};

struct tg_peers_options {
    uint64_t peers;        /* bit set of enum tg_peer */
    double google_epsilon; /* of cca_core and pwcca.py; its tutorial takes 1e-10 */
    double rbf_threshold;  /* of Kornblith's gram_rbf, > 0: its default is 1 */
};

/* Scratch for any pair of layers of n rows and at most d units, in the arena. */
struct tg_peers;

/* NULL without memory, and from a measuring arena, which counts. */
struct tg_peers *tg_peers_new(struct tg_arena *arena, int64_t n, int64_t d,
                              const struct tg_peers_options *options);

/* FLOPs of one pair. */
double tg_peers_flops(int64_t n, int64_t da, int64_t db,
                      const struct tg_peers_options *options);

/*
 * a (n x d_a) and b (n x d_b), finite, as the peer would be given them: not centred. Where a
 * layer has more units than samples, no score has a value, and each says why.
 */
TG_MUST_CHECK enum tg_err tg_peers_compare(const struct tg_ctx *ctx, struct tg_peers *peers,
                                           const struct tg_mat *a, const struct tg_mat *b,
                                           struct tg_peer_scores *scores);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mklabunde/resi, commit 24ab9e5 (the benchmark ReSi).
 *   svcca        sets a share of the variance against 0.99 times the variance itself
 *   pwcca        is google's pwcca.py with epsilon 0
 *   cka          as we do
 *   procrustes   as we do, as the distance of layers scaled to norm 1
 */
#include "svcca/peers_private.h"

#include <float.h>
#include <math.h>

static const double kept_share = 0.99, epsilon = 1e-10; /* of svcca */

/*
 * The leading directions: the first whose cumulative share of variance reaches 0.99 times
 * the variance itself, and 1 when none does.
 */
static int64_t directions(const struct tg_peer_side *side)
{
    double total = tg_peer_norm2(side->s, side->d), sum = 0;
    for (int64_t i = 0; i < side->d; i++) {
        sum += side->s[i] * side->s[i] / total;
        if (sum >= kept_share * total)
            return i + 1;
    }
    return 1;
}

static enum tg_err svcca(const struct tg_ctx *ctx, const struct tg_peers *peers,
                         struct tg_peer_scores *scores)
{
    int64_t k[2];
    for (int i = 0; i < 2; i++) {
        const struct tg_peer_side *side = &peers->side[i];
        k[i] = directions(side);
        for (int64_t row = 0; row < peers->n; row++) {
            if (row % TG_PEER_ROWS == 0)
                TG_TRY(tg_ctx_poll(ctx));
            for (int64_t j = 0; j < k[i]; j++)
                peers->tall[i][row * k[i] + j] = side->u[row * side->d + j] * side->s[j];
        }
    }
    struct tg_peer_google google;
    TG_TRY(tg_peer_google_cca(ctx, peers, peers->tall[0], k[0], peers->tall[1], k[1],
                              epsilon, &google));
    struct tg_peer_score *score =
        tg_peers_add(scores, "resi", "svcca", "svcca_variance", NAN);
    if (google.outcome != TG_GOOGLE_OK) {
        tg_peer_google_why_not(peers, &google, score);
        return TG_OK;
    }
    score->value = tg_peer_mean(google.rho, google.k);
    score->rounding = google.rounding;
    tg_peer_say(score,
                "ReSi compares a share of the variance with 0.99 times the variance itself, so "
                "how much it keeps depends on the data's scale: here %lld and %lld directions.",
                (long long)k[0], (long long)k[1]);
    return TG_OK;
}

enum tg_err tg_peer_resi(const struct tg_ctx *ctx, const struct tg_peers *peers,
                         struct tg_peer_scores *scores)
{
    double biased, debiased, shape;
    TG_TRY(svcca(ctx, peers, scores));
    TG_TRY(tg_peer_google_pwcca(ctx, peers, 0, "resi", scores));
    TG_TRY(tg_peer_linear_cka(ctx, peers, &biased, &debiased));
    TG_TRY(tg_peer_procrustes(ctx, peers, &shape));
    struct tg_peer_score *cka = tg_peers_add(scores, "resi", "cka", "cka", biased);
    cka->rounding = DBL_EPSILON;
    tg_peer_say(cka, "The same definition as ours.");
    struct tg_peer_score *last = tg_peers_add(scores, "resi", "procrustes", "procrustes",
                                              sqrt(fmax(2 - 2 * shape, 0)));
    last->distance = true;
    last->rounding = DBL_EPSILON;
    tg_peer_say(last, "The same definition as ours; ReSi prints the distance sqrt(2 - 2 s) of "
                      "layers scaled to norm 1.");
    return TG_OK;
}

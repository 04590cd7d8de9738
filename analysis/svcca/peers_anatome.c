/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * moskomule/anatome, commit 2212a8c. All its numbers are distances, 1 less a similarity.
 *   svcca   decomposes layers that are not centred, and keeps one direction too few
 *   pwcca   weighs by orthonormalised coefficients instead of orthonormal variates
 *   cka, cka_debiased, procrustes   as we do
 */
#include "svcca/peers_private.h"

#include <float.h>
#include <math.h>

#include "linalg/linalg.h"

/* The share of the sum of singular values that stays just above what is kept. */
static const double kept_share = 0.99;

/*
 * X V of the leading right singular vectors of the layer as given, not centred, while the
 * sum of their singular values stays below the share; then centred, into z (n x *k).
 */
static enum tg_err reduce(const struct tg_ctx *ctx, const struct tg_peers *peers,
                          const struct tg_peer_side *side, double *z, int64_t *k)
{
    int64_t n = peers->n, d = side->d;
    size_t ld = (size_t)d;
    double *raw = peers->tall[2], *r = peers->square[1], *u = peers->square[2];
    double *vt = peers->square[3], *s = peers->vector[0], total = 0, sum = 0;
    TG_TRY(tg_peer_copy(ctx, peers, d, side->raw, raw));
    TG_TRY(tg_qr(ctx, n, d, raw, ld, r, ld, peers->work));
    TG_TRY(tg_svd(ctx, d, d, r, ld, s, u, ld, vt, ld, peers->work));
    for (int64_t i = 0; i < d; i++)
        total += s[i];
    *k = 0;
    for (int64_t i = 0; i < d; i++) {
        sum += s[i];
        *k += sum / total < kept_share;
    }
    if (*k == 0)
        return TG_OK;
    /* (X - 1 m^T) V is X V centred */
    return tg_gemm(ctx, TG_N, TG_T, n, *k, d, 1, side->centred, ld, vt, ld, 0, z,
                   (size_t)*k);
}

static enum tg_err svcca(const struct tg_ctx *ctx, const struct tg_peers *peers,
                         struct tg_peer_scores *scores)
{
    int64_t k[2];
    bool full = true, whole;
    double rounding = 0, sum;
    for (int i = 0; i < 2; i++)
        TG_TRY(reduce(ctx, peers, &peers->side[i], peers->tall[i], &k[i]));
    struct tg_peer_score *score =
        tg_peers_add(scores, "anatome", "svcca", "svcca_sv_sum", NAN);
    score->distance = true;
    for (int i = 0; i < 2 && k[0] && k[1]; i++) {
        TG_TRY(tg_peer_orthonormal(ctx, peers, k[i], peers->tall[i], &whole, &rounding));
        full &= whole;
    }
    if (!k[0] || !k[1]) {
        tg_peer_say(score,
                    "anatome keeps one direction fewer than hold 99 %% of the sum of singular "
                    "values; here that is none, and it divides by zero.");
        return TG_OK;
    }
    if (!full) {
        tg_peer_say(score,
                    "After its reduction a direction does not vary over the samples; anatome "
                    "divides by its singular value, which is rounding noise.");
        return TG_OK;
    }
    TG_TRY(tg_peer_product(ctx, peers, peers->tall[0], k[0], peers->tall[1], k[1]));
    TG_TRY(tg_peer_nuclear(ctx, peers, k[0], k[1], &sum));
    score->value = 1 - sum / (double)(k[0] < k[1] ? k[0] : k[1]);
    score->rounding = rounding;
    tg_peer_say(score,
                "anatome decomposes the layers without centring them and keeps %lld and %lld "
                "directions, one fewer than hold 99 %% of the sum of singular values; it "
                "prints 1 minus the mean correlation.",
                (long long)k[0], (long long)k[1]);
    return TG_OK;
}

/* sum |x a| over the samples as given, of the k orthonormal columns of a (d x k). */
static enum tg_err weighted(const struct tg_ctx *ctx, const struct tg_peers *peers,
                            const double *a, int64_t k, const double *rho, double *mean)
{
    const struct tg_peer_side *x = &peers->side[0];
    double *xa = peers->tall[0], *alpha = peers->vector[1], top = 0, total = 0;
    TG_TRY(tg_gemm(ctx, TG_N, TG_N, peers->n, k, x->d, 1, x->raw, (size_t)x->d, a, (size_t)k, 0,
                   xa, (size_t)k));
    for (int64_t j = 0; j < k; j++)
        alpha[j] = 0;
    for (int64_t i = 0; i < peers->n; i++) {
        if (i % TG_PEER_ROWS == 0)
            TG_TRY(tg_ctx_poll(ctx));
        for (int64_t j = 0; j < k; j++)
            alpha[j] += fabs(xa[i * k + j]);
    }
    for (int64_t j = 0; j < k; j++) {
        top += alpha[j] * rho[j];
        total += alpha[j];
    }
    *mean = top / total;
    return TG_OK;
}

/* Coefficients V_1 S_1^-1 U of the first layer, orthonormalised as they are, give weights. */
static enum tg_err pwcca(const struct tg_ctx *ctx, const struct tg_peers *peers,
                         struct tg_peer_scores *scores)
{
    const struct tg_peer_side *x = &peers->side[0], *y = &peers->side[1];
    int64_t dx = x->d, dy = y->d, k = dx < dy ? dx : dy;
    struct tg_peer_score *score =
        tg_peers_add(scores, "anatome", "pwcca", "pwcca_x", NAN);
    score->distance = true;
    if (!x->full_rank || !y->full_rank) {
        tg_peer_say(score,
                    "A layer has fewer dimensions than units, and anatome divides by singular "
                    "values that are rounding noise.");
        return TG_OK;
    }
    double *u = peers->square[1], *vt = peers->square[2], *a = peers->square[3];
    double *rho = peers->vector[0], mean;
    TG_TRY(tg_peer_product(ctx, peers, x->u, dx, y->u, dy));
    TG_TRY(tg_svd(ctx, dx, dy, peers->square[0], (size_t)dy, rho, u, (size_t)k, vt,
                  (size_t)dy, peers->work));
    for (int64_t i = 0; i < dx; i++)
        for (int64_t j = 0; j < k; j++)
            u[i * k + j] /= x->s[i];
    TG_TRY(tg_gemm(ctx, TG_T, TG_N, dx, k, dx, 1, x->vt, (size_t)dx, u, (size_t)k, 0, a,
                   (size_t)k));
    TG_TRY(tg_qr(ctx, dx, k, a, (size_t)k, peers->square[0], (size_t)k, peers->work));
    TG_TRY(weighted(ctx, peers, a, k, rho, &mean));
    score->value = 1 - mean;
    score->rounding = DBL_EPSILON * x->s[0] / x->s[dx - 1];
    tg_peer_say(score,
                "anatome weighs by orthonormalised coefficients and activations that are not "
                "centred, where the paper takes orthonormal variates and centred ones; it "
                "prints 1 minus the weighted mean.");
    return TG_OK;
}

enum tg_err tg_peer_anatome(const struct tg_ctx *ctx, const struct tg_peers *peers,
                            struct tg_peer_scores *scores)
{
    double biased, debiased, shape;
    TG_TRY(svcca(ctx, peers, scores));
    TG_TRY(pwcca(ctx, peers, scores));
    TG_TRY(tg_peer_linear_cka(ctx, peers, &biased, &debiased));
    TG_TRY(tg_peer_procrustes(ctx, peers, &shape));
    const struct {
        const char *measure;
        double value;
    } rest[] = {
        {"cka", 1 - biased}, {"cka_debiased", 1 - debiased}, {"procrustes", 1 - shape}};
    for (size_t i = 0; i < sizeof(rest) / sizeof(*rest); i++) {
        struct tg_peer_score *score = tg_peers_add(scores, "anatome", rest[i].measure,
                                                   rest[i].measure, rest[i].value);
        score->distance = true;
        score->rounding = DBL_EPSILON;
        tg_peer_say(score, "The same definition as ours; anatome prints 1 minus it.");
    }
    return TG_OK;
}

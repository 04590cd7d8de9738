/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Demo.ipynb of google-research/representation_similarity (Kornblith et al., 2019).
 *   cca                 mean squared correlation of layers that are not centred
 *   cka, cka_debiased   as we do
 *   cka_rbf             counts the zero distance of a sample to itself into the median
 */
#include "svcca/peers_private.h"

#include <float.h>
#include <math.h>

#include "linalg/linalg.h"
#include "stats/selection.h"

/* ||Q_x^T Q_y||_F^2 / min(d_x, d_y) with Q from the layers as given. */
static enum tg_err cca(const struct tg_ctx *ctx, const struct tg_peers *peers,
                       struct tg_peer_scores *scores)
{
    int64_t dx = peers->side[0].d, dy = peers->side[1].d;
    struct tg_peer_score *score =
        tg_peers_add(scores, "kornblith", "cca", "cca_mean_squared", NAN);
    bool full = true, whole;
    for (int i = 0; i < 2; i++) {
        const struct tg_peer_side *side = &peers->side[i];
        TG_TRY(tg_peer_copy(ctx, peers, side->d, side->raw, peers->tall[i]));
        TG_TRY(tg_peer_orthonormal(ctx, peers, side->d, peers->tall[i], &whole,
                                   &score->rounding));
        full &= whole;
    }
    if (!full) {
        tg_peer_say(score, "A layer has fewer dimensions than units; the notebook's QR "
                           "completes it with directions that rounding chooses.");
        return TG_OK;
    }
    TG_TRY(tg_peer_product(ctx, peers, peers->tall[0], dx, peers->tall[1], dy));
    score->value = tg_peer_norm2(peers->square[0], dx * dy) / (double)(dx < dy ? dx : dy);
    tg_peer_say(score, "The notebook does not centre the layers, so a shared mean counts as a "
                       "shared direction.");
    return TG_OK;
}

/* Squared distances of all pairs of rows, n x n, from their products. */
static enum tg_err distances(const struct tg_ctx *ctx, const struct tg_peers *peers,
                             const struct tg_peer_side *side, double *table)
{
    int64_t n = peers->n, d = side->d;
    double *norm2 = peers->row;
    TG_TRY(tg_syrk(ctx, TG_N, n, d, 1, side->centred, (size_t)d, 0, table, (size_t)n));
    for (int64_t i = 0; i < n; i++)
        norm2[i] = table[i * n + i];
    for (int64_t i = 0; i < n; i++) {
        TG_TRY(tg_ctx_poll(ctx));
        for (int64_t j = 0; j < n; j++)
            table[i * n + j] = fmax(norm2[i] + norm2[j] - 2 * table[i * n + j], 0);
    }
    return TG_OK;
}

/* The median of n x n numbers >= 0, the mean of the middle two where they are even. */
static enum tg_err median_of(const struct tg_ctx *ctx, const struct tg_peers *peers,
                             const double *table, double *median)
{
    struct tg_selection middle;
    int64_t n = peers->n, count = n * n;
    tg_selection_start(&middle, (count - 1) / 2, peers->count);
    do
        for (int64_t i = 0; i < n; i++) {
            TG_TRY(tg_ctx_poll(ctx));
            tg_selection_add(&middle, (size_t)n, table + i * n);
        }
    while (!tg_selection_done(&middle));
    *median = count % 2 ? middle.value : (middle.value + middle.next) / 2;
    return TG_OK;
}

/* exp(-D^2 / (2 t^2 median(D^2))), t the threshold, then centred on both sides. */
static enum tg_err make_kernel(const struct tg_ctx *ctx, const struct tg_peers *peers,
                               const struct tg_peer_side *side, double *kernel)
{
    int64_t n = peers->n;
    double *mean = peers->row, t = peers->options.rbf_threshold, median, all = 0;
    TG_TRY(distances(ctx, peers, side, kernel));
    TG_TRY(median_of(ctx, peers, kernel, &median));
    for (int64_t i = 0; i < n; i++) {
        TG_TRY(tg_ctx_poll(ctx));
        for (int64_t j = 0; j < n; j++)
            kernel[i * n + j] = exp(-kernel[i * n + j] / (2 * t * t * median));
        mean[i] = tg_peer_mean(kernel + i * n, n);
        all += mean[i] / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
        TG_TRY(tg_ctx_poll(ctx));
        for (int64_t j = 0; j < n; j++)
            kernel[i * n + j] += all - mean[i] - mean[j];
    }
    return TG_OK;
}

static enum tg_err cka_rbf(const struct tg_ctx *ctx, const struct tg_peers *peers,
                           struct tg_peer_scores *scores)
{
    int64_t n = peers->n;
    double dot = 0, norm2[2] = {0};
    struct tg_peer_score *score =
        tg_peers_add(scores, "kornblith", "cka_rbf", "cka_rbf", NAN);
    if (!peers->kernel[0]) {
        tg_peer_say(score,
                    "Not computed: with more than %d samples its n x n kernels are too large.",
                    TG_PEER_MAX_RBF_ROWS);
        return TG_OK;
    }
    for (int i = 0; i < 2; i++)
        TG_TRY(make_kernel(ctx, peers, &peers->side[i], peers->kernel[i]));
    for (int64_t i = 0; i < n; i++) {
        const double *a = peers->kernel[0] + i * n, *b = peers->kernel[1] + i * n;
        TG_TRY(tg_ctx_poll(ctx));
        norm2[0] += tg_peer_norm2(a, n);
        norm2[1] += tg_peer_norm2(b, n);
        for (int64_t j = 0; j < n; j++)
            dot += a[j] * b[j];
    }
    score->value = dot / sqrt(norm2[0] * norm2[1]);
    if (isnan(score->value)) {
        tg_peer_say(score, "At least half of a layer's distances are 0, and the notebook divides "
                           "by their median.");
        return TG_OK;
    }
    score->rounding = DBL_EPSILON;
    tg_peer_say(score,
                "The notebook's bandwidth is %g times the median distance (its `threshold`, here "
                "our `rbf_bandwidth`), with the zero distance of each sample to itself counted "
                "in.",
                peers->options.rbf_threshold);
    return TG_OK;
}

enum tg_err tg_peer_kornblith(const struct tg_ctx *ctx, const struct tg_peers *peers,
                              struct tg_peer_scores *scores)
{
    double biased, debiased;
    TG_TRY(cca(ctx, peers, scores));
    TG_TRY(tg_peer_linear_cka(ctx, peers, &biased, &debiased));
    struct tg_peer_score *score = tg_peers_add(scores, "kornblith", "cka", "cka", biased);
    score->rounding = DBL_EPSILON;
    tg_peer_say(score, "The same definition as ours.");
    score = tg_peers_add(scores, "kornblith", "cka_debiased", "cka_debiased", debiased);
    score->rounding = DBL_EPSILON;
    tg_peer_say(score, "The same definition as ours.");
    return cka_rbf(ctx, peers, scores);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Both layers prepared once, then every peer in turn. */
#include "svcca/peers_private.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "linalg/linalg.h"
#include "stats/selection.h"

static bool wants(const struct tg_peers_options *options, enum tg_peer peer)
{
    return options->peers >> peer & 1;
}

static double *take(struct tg_arena *arena, int64_t rows, int64_t cols)
{
    size_t count;
    if (!tg_mul_ok((size_t)rows, (size_t)cols, &count))
        count = SIZE_MAX; /* more than any arena has */
    return tg_arena_alloc(arena, count, sizeof(double));
}

static bool has_rbf(int64_t n, const struct tg_peers_options *options)
{
    return wants(options, TG_PEER_KORNBLITH) && n <= TG_PEER_MAX_RBF_ROWS;
}

/* Doubles of scratch for LAPACK; a block with more rows than columns goes through QR. */
static size_t work_of(int64_t n, int64_t d)
{
    size_t work[] = {tg_svd_work(n, d, true), tg_svd_work(d, d, true),
                     tg_eigh_work(d, true), tg_qr_work(n, d)};
    size_t most = 0;
    for (size_t i = 0; i < sizeof(work) / sizeof(*work); i++)
        most = work[i] > most ? work[i] : most;
    return most + 2 * (size_t)(d * d);
}

struct tg_peers *tg_peers_new(struct tg_arena *arena, int64_t n, int64_t d,
                              const struct tg_peers_options *options)
{
    struct tg_peers peers = {.options = *options, .n = n, .d = d};
    struct tg_peers *kept = tg_arena_alloc(arena, 1, sizeof(*kept));
    bool rbf = has_rbf(n, options);
    for (int i = 0; i < 2; i++) {
        struct tg_peer_side *side = &peers.side[i];
        side->raw = take(arena, n, d);
        side->centred = take(arena, n, d);
        side->u = take(arena, n, d);
        side->vt = take(arena, d, d);
        side->mean = take(arena, d, 1);
        side->s = take(arena, d, 1);
        peers.index[i] = tg_arena_alloc(arena, (size_t)d, sizeof(int64_t));
        peers.kernel[i] = rbf ? take(arena, n, n) : NULL;
    }
    peers.count = rbf ? tg_arena_alloc(arena, TG_SELECTION_COUNTS, sizeof(int64_t)) : NULL;
    for (size_t i = 0; i < sizeof(peers.tall) / sizeof(*peers.tall); i++)
        peers.tall[i] = take(arena, n, d);
    for (size_t i = 0; i < sizeof(peers.square) / sizeof(*peers.square); i++)
        peers.square[i] = take(arena, d, d);
    for (size_t i = 0; i < sizeof(peers.vector) / sizeof(*peers.vector); i++)
        peers.vector[i] = take(arena, d, 1);
    peers.row = take(arena, n, 1);
    peers.work = tg_arena_alloc(arena, work_of(n, d), sizeof(double));
    if (!kept || tg_arena_failed(arena))
        return NULL;
    *kept = peers;
    return kept;
}

double tg_peers_flops(int64_t n, int64_t da, int64_t db,
                      const struct tg_peers_options *options)
{
    double rows = (double)n, a = (double)da, b = (double)db;
    double each = 8 * rows * (a * a + b * b) + 20 * (a * a * a + b * b * b);
    double flops = 0;
    for (int i = 0; i <= TG_PEERS; i++) /* one more: the preparation */
        if (i == TG_PEERS || wants(options, (enum tg_peer)i))
            flops += each;
    if (has_rbf(n, options))
        flops += rows * rows * (2 * (a + b) + 100);
    return flops;
}

struct tg_peer_score *tg_peers_add(struct tg_peer_scores *scores, const char *peer,
                                   const char *measure, const char *ours, double value)
{
    if (scores->n == TG_PEER_MAX_SCORES)
        TG_BUG("more scores than peers have");
    struct tg_peer_score *score = &scores->score[scores->n++];
    *score = (struct tg_peer_score){
        .peer = peer, .measure = measure, .ours = ours, .value = value};
    return score;
}

void tg_peer_say(struct tg_peer_score *score, const char *why, ...)
{
    va_list args;
    va_start(args, why);
    vsnprintf(score->why, sizeof(score->why), why, args);
    va_end(args);
}

/* Rows as given, and the mean of each column, less the first row while it is summed. */
static enum tg_err read_rows(const struct tg_ctx *ctx, const struct tg_peers *peers,
                             const struct tg_mat *mat, struct tg_peer_side *side)
{
    int64_t n = peers->n, d = side->d;
    memset(side->mean, 0, (size_t)d * sizeof(double));
    for (int64_t i = 0; i < n; i += TG_PEER_ROWS) {
        int64_t rows = n - i < TG_PEER_ROWS ? n - i : TG_PEER_ROWS;
        TG_TRY(tg_ctx_poll(ctx));
        tg_mat_read_f64(mat, i, rows, 0, d, side->raw + i * d, (size_t)d);
        for (int64_t k = i; k < i + rows; k++)
            for (int64_t j = 0; j < d; j++)
                side->mean[j] += side->raw[k * d + j] - side->raw[j];
    }
    for (int64_t j = 0; j < d; j++)
        side->mean[j] = side->raw[j] + side->mean[j] / (double)n;
    return TG_OK;
}

/* Left singular vectors, singular values and V^T of the centred layer. */
static enum tg_err prepare(const struct tg_ctx *ctx, const struct tg_peers *peers,
                           const struct tg_mat *mat, struct tg_peer_side *side)
{
    int64_t n = peers->n, d = side->d = mat->shape[1];
    size_t ld = (size_t)d;
    TG_TRY(read_rows(ctx, peers, mat, side));
    for (int64_t i = 0; i < n; i++) {
        if (i % TG_PEER_ROWS == 0)
            TG_TRY(tg_ctx_poll(ctx));
        for (int64_t j = 0; j < d; j++)
            side->centred[i * d + j] = side->raw[i * d + j] - side->mean[j];
    }
    TG_TRY(tg_peer_copy(ctx, peers, d, side->centred, peers->tall[0]));
    TG_TRY(tg_svd(ctx, n, d, peers->tall[0], ld, side->s, side->u, ld, side->vt, ld,
                  peers->work));
    side->full_rank = side->s[d - 1] > side->s[0] * (double)n * DBL_EPSILON;
    return TG_OK;
}

#define REFUSES                                                                          \
    ("cca_core refuses a first layer that has as many units as samples or more, and in a " \
     "second one divides by rounding noise.")
#define AS_OURS                                                                          \
    ("The same definition as ours, which holds for more units than samples, too; not "    \
     "computed a second time.")
#define NOT_HERE "Not computed where a layer has more units than samples."

/* What the peers do with more units than samples. */
static const struct {
    enum tg_peer peer;
    const char *name, *measure, *ours;
    bool distance;
    const char *why;
} wide[] = {
    {TG_PEER_GOOGLE_CCA, "google_cca", "mean", "cca_mean", false, REFUSES},
    {TG_PEER_GOOGLE_PWCCA, "google_pwcca", "pwcca", "pwcca_x", false, REFUSES},
    {TG_PEER_ANATOME, "anatome", "svcca", "svcca_sv_sum", true, NOT_HERE},
    {TG_PEER_ANATOME, "anatome", "pwcca", "pwcca_x", true,
     "anatome stops with a ValueError where a layer has more units than samples."},
    {TG_PEER_ANATOME, "anatome", "cka", "cka", true, AS_OURS},
    {TG_PEER_ANATOME, "anatome", "cka_debiased", "cka_debiased", true, AS_OURS},
    {TG_PEER_ANATOME, "anatome", "procrustes", "procrustes", true, AS_OURS},
    {TG_PEER_RESI, "resi", "svcca", "svcca_variance", false, NOT_HERE},
    {TG_PEER_RESI, "resi", "pwcca", "pwcca_x", false, REFUSES},
    {TG_PEER_RESI, "resi", "cka", "cka", false, AS_OURS},
    {TG_PEER_RESI, "resi", "procrustes", "procrustes", true, AS_OURS},
    {TG_PEER_KORNBLITH, "kornblith", "cca", "cca_mean_squared", false,
     ("The notebook's QR gives a basis of all samples where a layer has more units than these, "
      "so what it prints does not depend on the data: 1 where one layer has, more where both.")},
    {TG_PEER_KORNBLITH, "kornblith", "cka", "cka", false, AS_OURS},
    {TG_PEER_KORNBLITH, "kornblith", "cka_debiased", "cka_debiased", false, AS_OURS},
    {TG_PEER_KORNBLITH, "kornblith", "cka_rbf", "cka_rbf", false, NOT_HERE},
};

/* A row for everything that would be told of narrower layers. */
static void tell_wide(const struct tg_peers_options *options, struct tg_peer_scores *scores)
{
    for (size_t i = 0; i < sizeof(wide) / sizeof(*wide); i++) {
        if (!wants(options, wide[i].peer))
            continue;
        struct tg_peer_score *score =
            tg_peers_add(scores, wide[i].name, wide[i].measure, wide[i].ours, NAN);
        score->distance = wide[i].distance;
        tg_peer_say(score, "%s", wide[i].why);
    }
}

enum tg_err tg_peers_compare(const struct tg_ctx *ctx, struct tg_peers *peers,
                             const struct tg_mat *a, const struct tg_mat *b,
                             struct tg_peer_scores *scores)
{
    const struct tg_peers_options *options = &peers->options;
    scores->n = 0;
    if (a->shape[1] > peers->n || b->shape[1] > peers->n) {
        tell_wide(options, scores);
        return TG_OK;
    }
    TG_TRY(prepare(ctx, peers, a, &peers->side[0]));
    TG_TRY(prepare(ctx, peers, b, &peers->side[1]));
    if (wants(options, TG_PEER_GOOGLE_CCA))
        TG_TRY(tg_peer_google_mean(ctx, peers, scores));
    if (wants(options, TG_PEER_GOOGLE_PWCCA))
        TG_TRY(tg_peer_google_pwcca(ctx, peers, options->google_epsilon, "google_pwcca",
                                    scores));
    if (wants(options, TG_PEER_ANATOME))
        TG_TRY(tg_peer_anatome(ctx, peers, scores));
    if (wants(options, TG_PEER_RESI))
        TG_TRY(tg_peer_resi(ctx, peers, scores));
    if (wants(options, TG_PEER_KORNBLITH))
        TG_TRY(tg_peer_kornblith(ctx, peers, scores));
    return TG_OK;
}

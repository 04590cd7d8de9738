/* SPDX-License-Identifier: GPL-3.0-or-later */
/* anatome, ReSi and Kornblith's notebook; both sides prepared, and every peer in turn. */
#include "svcca/peers_private.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linalg/linalg.h"

/* The share of the sum of singular values that anatome keeps, of variance that ReSi does.
 */
static const double kept_share = 0.99;

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

struct tg_peers *tg_peers_new(struct tg_arena *arena, int64_t n, int64_t d,
                              const struct tg_peers_options *options)
{
    struct tg_peers peers = {.options = *options, .n = n, .d = d};
    struct tg_peers *kept = tg_arena_alloc(arena, 1, sizeof(*kept));
    for (int i = 0; i < 2; i++) {
        struct tg_peer_side *side = &peers.side[i];
        side->raw = take(arena, n, d);
        side->centred = take(arena, n, d);
        side->u = take(arena, n, d);
        side->vt = take(arena, d, d);
        side->mean = take(arena, d, 1);
        side->s = take(arena, d, 1);
        peers.index[i] = tg_arena_alloc(arena, (size_t)d, sizeof(int64_t));
        peers.kernel[i] = has_rbf(n, options) ? take(arena, n, n) : NULL;
    }
    peers.sorted = has_rbf(n, options) ? take(arena, n, n) : NULL;
    for (size_t i = 0; i < sizeof(peers.tall) / sizeof(*peers.tall); i++)
        peers.tall[i] = take(arena, n, d);
    for (size_t i = 0; i < sizeof(peers.square) / sizeof(*peers.square); i++)
        peers.square[i] = take(arena, d, d);
    for (size_t i = 0; i < sizeof(peers.vector) / sizeof(*peers.vector); i++)
        peers.vector[i] = take(arena, d, 1);
    peers.row = take(arena, n, 1);
    size_t work[] = {tg_svd_work(n, d, true), tg_svd_work(d, d, true),
                     tg_eigh_work(d, true), tg_qr_work(n, d)};
    size_t most = 0;
    for (size_t i = 0; i < sizeof(work) / sizeof(*work); i++)
        most = work[i] > most ? work[i] : most;
    most += 2 * (size_t)(d * d); /* a block with more rows than columns goes through QR */
    peers.work = tg_arena_alloc(arena, most, sizeof(double));
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

static void say(struct tg_peer_score *score, const char *why)
{
    snprintf(score->why, sizeof(score->why), "%s", why);
}

/* Left singular vectors, singular values and V^T of the centred layer. */
static enum tg_err prepare(const struct tg_ctx *ctx, const struct tg_peers *peers,
                           const struct tg_mat *mat, struct tg_peer_side *side)
{
    enum { ROWS = 256 };
    int64_t n = peers->n, d = mat->shape[1];
    size_t ld = (size_t)d;
    side->d = d;
    memset(side->mean, 0, ld * sizeof(double));
    for (int64_t i = 0; i < n; i += ROWS) {
        int64_t rows = n - i < ROWS ? n - i : ROWS;
        TG_TRY(tg_ctx_poll(ctx));
        tg_mat_read_f64(mat, i, rows, 0, d, side->raw + i * d, ld);
        for (int64_t k = 0; k < rows;
             k++) /* from the first row, as large means need it */
            for (int64_t j = 0; j < d; j++)
                side->mean[j] += side->raw[(i + k) * d + j] - side->raw[j];
    }
    for (int64_t j = 0; j < d; j++)
        side->mean[j] = side->raw[j] + side->mean[j] / (double)n;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++)
            side->centred[i * d + j] = side->raw[i * d + j] - side->mean[j];
    memcpy(peers->tall[0], side->centred, (size_t)n * ld * sizeof(double));
    TG_TRY(tg_svd(ctx, n, d, peers->tall[0], ld, side->s, side->u, ld, side->vt, ld,
                  peers->work));
    side->full_rank = side->s[d - 1] > side->s[0] * (double)n * DBL_EPSILON;
    return TG_OK;
}

/* sum of squares */
static double norm2(const double *x, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += x[i] * x[i];
    return sum;
}

/* M = X^T Y into square[0]. */
static enum tg_err product(const struct tg_ctx *ctx, const struct tg_peers *peers,
                           const double *x, int64_t dx, const double *y, int64_t dy)
{
    return tg_gemm(ctx, TG_T, TG_N, dx, dy, peers->n, 1, x, (size_t)dx, y, (size_t)dy, 0,
                   peers->square[0], (size_t)dy);
}

/* Sum of the singular values of the dx x dy matrix in square[0], which is destroyed. */
static enum tg_err nuclear(const struct tg_ctx *ctx, const struct tg_peers *peers,
                           int64_t dx, int64_t dy, double *sum)
{
    double *s = peers->vector[0];
    TG_TRY(tg_svd(ctx, dx, dy, peers->square[0], (size_t)dy, s, NULL, 0, NULL, 0,
                  peers->work));
    *sum = 0;
    for (int64_t i = 0; i < (dx < dy ? dx : dy); i++)
        *sum += s[i];
    return TG_OK;
}

/* Orthonormal columns of x (n x d) in its place; false where they are only rounding. */
static enum tg_err orthonormal(const struct tg_ctx *ctx, const struct tg_peers *peers,
                               int64_t d, double *x, bool *full_rank, double *rounding)
{
    double *r = peers->square[1], *s = peers->vector[0];
    TG_TRY(tg_qr(ctx, peers->n, d, x, (size_t)d, r, (size_t)d, peers->work));
    TG_TRY(tg_svd(ctx, d, d, r, (size_t)d, s, NULL, 0, NULL, 0, peers->work));
    *full_rank = s[d - 1] > s[0] * (double)peers->n * DBL_EPSILON;
    *rounding = fmax(*rounding, DBL_EPSILON * s[0] / s[d - 1]);
    return TG_OK;
}

/* ||X^T Y||_F^2 and the squared rows' norms debias it: Song et al., 2012, in feature
 * space. */
static double hsic(const struct tg_peers *peers, const struct tg_peer_side *x,
                   const struct tg_peer_side *y, double product2)
{
    double n = (double)peers->n, pq = 0, p = 0, q = 0;
    for (int64_t i = 0; i < peers->n; i++) {
        double a = norm2(x->centred + i * x->d, x->d),
               b = norm2(y->centred + i * y->d, y->d);
        pq += a * b;
        p += a;
        q += b;
    }
    return product2 - n / (n - 2) * pq + p * q / ((n - 1) * (n - 2));
}

/* Linear CKA, biased and debiased, which every peer computes alike. */
static enum tg_err linear_cka(const struct tg_ctx *ctx, const struct tg_peers *peers,
                              double *biased, double *debiased)
{
    const struct tg_peer_side *x = &peers->side[0], *y = &peers->side[1];
    double product2[3];
    for (int i = 0; i < 3; i++) {
        const struct tg_peer_side *a = i == 2 ? y : x, *b = i == 1 ? x : y;
        TG_TRY(product(ctx, peers, a->centred, a->d, b->centred, b->d));
        product2[i] = norm2(peers->square[0], a->d * b->d);
    }
    *biased = product2[0] / sqrt(product2[1] * product2[2]);
    *debiased = hsic(peers, x, y, product2[0]) / (sqrt(hsic(peers, x, x, product2[1])) *
                                                  sqrt(hsic(peers, y, y, product2[2])));
    return TG_OK;
}

/* ||X^T Y||_* / (||X|| ||Y||) */
static enum tg_err procrustes(const struct tg_ctx *ctx, const struct tg_peers *peers,
                              double *similarity)
{
    const struct tg_peer_side *x = &peers->side[0], *y = &peers->side[1];
    TG_TRY(product(ctx, peers, x->centred, x->d, y->centred, y->d));
    TG_TRY(nuclear(ctx, peers, x->d, y->d, similarity));
    *similarity /= sqrt(norm2(x->s, x->d) * norm2(y->s, y->d));
    return TG_OK;
}

/*
 * X V of the leading right singular vectors of the layer as given, not centred, while the
 * sum of their singular values stays below the share; then centred, into z (n x *k).
 */
static enum tg_err anatome_reduce(const struct tg_ctx *ctx, const struct tg_peers *peers,
                                  const struct tg_peer_side *side, double *z, int64_t *k)
{
    int64_t n = peers->n, d = side->d;
    size_t ld = (size_t)d;
    double *raw = peers->tall[2], *r = peers->square[1], *u = peers->square[2];
    double *vt = peers->square[3], *s = peers->vector[0], total = 0, sum = 0;
    memcpy(raw, side->raw, (size_t)n * ld * sizeof(double));
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

static enum tg_err anatome_svcca(const struct tg_ctx *ctx, const struct tg_peers *peers,
                                 struct tg_peer_scores *scores)
{
    int64_t k[2];
    bool full = true, whole;
    double rounding = 0, sum;
    for (int i = 0; i < 2; i++)
        TG_TRY(anatome_reduce(ctx, peers, &peers->side[i], peers->tall[i], &k[i]));
    struct tg_peer_score *score =
        tg_peers_add(scores, "anatome", "svcca", "svcca_sv_sum", NAN);
    score->distance = true;
    for (int i = 0; i < 2 && k[0] && k[1]; i++) {
        TG_TRY(orthonormal(ctx, peers, k[i], peers->tall[i], &whole, &rounding));
        full &= whole;
    }
    if (!k[0] || !k[1]) {
        say(score,
            "anatome keeps one direction fewer than hold 99 % of the sum of singular "
            "values; here that is none, and it divides by zero.");
        return TG_OK;
    }
    if (!full) {
        say(score,
            "After its reduction a direction does not vary over the samples; anatome "
            "divides by its singular value, which is rounding noise.");
        return TG_OK;
    }
    TG_TRY(product(ctx, peers, peers->tall[0], k[0], peers->tall[1], k[1]));
    TG_TRY(nuclear(ctx, peers, k[0], k[1], &sum));
    score->value = 1 - sum / (double)(k[0] < k[1] ? k[0] : k[1]);
    score->rounding = rounding;
    snprintf(
        score->why, sizeof(score->why),
        "anatome decomposes the layers without centring them and keeps %lld and %lld "
        "directions, one fewer than hold 99 %% of the sum of singular values; it prints 1 "
        "minus the mean correlation.",
        (long long)k[0], (long long)k[1]);
    return TG_OK;
}

/*
 * Coefficients V_1 S_1^-1 U of the first layer, orthonormalised as they are, weigh the
 * correlations by the sum of |x a| over the samples as given, not centred.
 */
static enum tg_err anatome_pwcca(const struct tg_ctx *ctx, const struct tg_peers *peers,
                                 struct tg_peer_scores *scores)
{
    const struct tg_peer_side *x = &peers->side[0], *y = &peers->side[1];
    int64_t n = peers->n, dx = x->d, dy = y->d, k = dx < dy ? dx : dy;
    struct tg_peer_score *score =
        tg_peers_add(scores, "anatome", "pwcca", "pwcca_x", NAN);
    score->distance = true;
    if (!x->full_rank || !y->full_rank) {
        say(score,
            "A layer has fewer dimensions than units, and anatome divides by singular "
            "values that are rounding noise.");
        return TG_OK;
    }
    double *u = peers->square[1], *vt = peers->square[2], *a = peers->square[3];
    double *rho = peers->vector[0], top = 0, total = 0;
    TG_TRY(product(ctx, peers, x->u, dx, y->u, dy));
    TG_TRY(tg_svd(ctx, dx, dy, peers->square[0], (size_t)dy, rho, u, (size_t)k, vt,
                  (size_t)dy, peers->work));
    for (int64_t i = 0; i < dx; i++)
        for (int64_t j = 0; j < k; j++)
            u[i * k + j] /= x->s[i];
    TG_TRY(tg_gemm(ctx, TG_T, TG_N, dx, k, dx, 1, x->vt, (size_t)dx, u, (size_t)k, 0, a,
                   (size_t)k));
    TG_TRY(tg_qr(ctx, dx, k, a, (size_t)k, peers->square[0], (size_t)k, peers->work));
    TG_TRY(tg_gemm(ctx, TG_N, TG_N, n, k, dx, 1, x->raw, (size_t)dx, a, (size_t)k, 0,
                   peers->tall[0], (size_t)k));
    for (int64_t j = 0; j < k; j++) {
        double alpha = 0;
        for (int64_t i = 0; i < n; i++)
            alpha += fabs(peers->tall[0][i * k + j]);
        top += alpha * rho[j];
        total += alpha;
    }
    score->value = 1 - top / total;
    score->rounding = DBL_EPSILON * x->s[0] / x->s[dx - 1];
    say(score,
        "anatome weighs by orthonormalised coefficients and activations that are not "
        "centred, where the paper takes orthonormal variates and centred ones; it prints "
        "1 minus the weighted mean.");
    return TG_OK;
}

static enum tg_err anatome(const struct tg_ctx *ctx, const struct tg_peers *peers,
                           struct tg_peer_scores *scores)
{
    static const char same[] = "The same definition as ours; anatome prints 1 minus it.";
    double biased, debiased, shape;
    TG_TRY(anatome_svcca(ctx, peers, scores));
    TG_TRY(anatome_pwcca(ctx, peers, scores));
    TG_TRY(linear_cka(ctx, peers, &biased, &debiased));
    TG_TRY(procrustes(ctx, peers, &shape));
    const struct {
        const char *measure, *ours;
        double value;
    } rest[] = {{"cka", "cka", 1 - biased},
                {"cka_debiased", "cka_debiased", 1 - debiased},
                {"procrustes", "procrustes", 1 - shape}};
    for (size_t i = 0; i < sizeof(rest) / sizeof(*rest); i++) {
        struct tg_peer_score *score =
            tg_peers_add(scores, "anatome", rest[i].measure, rest[i].ours, rest[i].value);
        score->distance = true;
        score->rounding = DBL_EPSILON;
        say(score, same);
    }
    return TG_OK;
}

/*
 * The leading directions by ReSi's rule: the first whose cumulative share of variance
 * reaches 0.99 times the variance itself, and 1 when none does.
 */
static int64_t resi_k(const struct tg_peer_side *side)
{
    double total = norm2(side->s, side->d), sum = 0;
    for (int64_t i = 0; i < side->d; i++) {
        sum += side->s[i] * side->s[i] / total;
        if (sum >= kept_share * total)
            return i + 1;
    }
    return 1;
}

static enum tg_err resi_svcca(const struct tg_ctx *ctx, const struct tg_peers *peers,
                              struct tg_peer_scores *scores)
{
    static const double epsilon = 1e-10;
    int64_t k[2];
    for (int i = 0; i < 2; i++) {
        const struct tg_peer_side *side = &peers->side[i];
        k[i] = resi_k(side);
        for (int64_t row = 0; row < peers->n; row++)
            for (int64_t j = 0; j < k[i]; j++)
                peers->tall[i][row * k[i] + j] = side->u[row * side->d + j] * side->s[j];
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
    double sum = 0;
    for (int64_t i = 0; i < google.k; i++)
        sum += google.rho[i];
    score->value = sum / (double)google.k;
    score->rounding = google.rounding;
    snprintf(
        score->why, sizeof(score->why),
        "ReSi compares a share of the variance with 0.99 times the variance itself, so how "
        "much it keeps depends on the data's scale: here %lld and %lld directions.",
        (long long)k[0], (long long)k[1]);
    return TG_OK;
}

static enum tg_err resi(const struct tg_ctx *ctx, const struct tg_peers *peers,
                        struct tg_peer_scores *scores)
{
    double biased, debiased, shape;
    TG_TRY(resi_svcca(ctx, peers, scores));
    TG_TRY(tg_peer_google_pwcca(ctx, peers, 0, "resi", scores));
    TG_TRY(linear_cka(ctx, peers, &biased, &debiased));
    TG_TRY(procrustes(ctx, peers, &shape));
    struct tg_peer_score *cka = tg_peers_add(scores, "resi", "cka", "cka", biased);
    cka->rounding = DBL_EPSILON;
    say(cka, "The same definition as ours.");
    struct tg_peer_score *last = tg_peers_add(scores, "resi", "procrustes", "procrustes",
                                              sqrt(fmax(2 - 2 * shape, 0)));
    last->distance = true;
    last->rounding = DBL_EPSILON;
    say(last,
        "The same definition as ours; ReSi prints the distance sqrt(2 - 2 s) of layers "
        "scaled to norm 1.");
    return TG_OK;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/*
 * exp(-D^2 / (2 median(D^2))) of the rows as given, the median over all n^2 entries, then
 * centred on both sides. kernel is n x n.
 */
static enum tg_err rbf_kernel(const struct tg_ctx *ctx, const struct tg_peers *peers,
                              const struct tg_peer_side *side, double *kernel)
{
    int64_t n = peers->n, d = side->d;
    size_t count = (size_t)(n * n);
    double *mean = peers->row, all = 0;
    TG_TRY(tg_syrk(ctx, TG_N, n, d, 1, side->centred, (size_t)d, 0, kernel, (size_t)n));
    for (int64_t i = 0; i < n; i++)
        mean[i] = kernel[i * n + i];
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            kernel[i * n + j] = fmax(mean[i] + mean[j] - 2 * kernel[i * n + j], 0);
    memcpy(peers->sorted, kernel, count * sizeof(double));
    TG_TRY(tg_ctx_poll(ctx));
    qsort(peers->sorted, count, sizeof(double), by_size);
    double median = (peers->sorted[(count - 1) / 2] + peers->sorted[count / 2]) / 2;
    for (int64_t i = 0; i < n; i++) {
        TG_TRY(tg_ctx_poll(ctx));
        mean[i] = 0;
        for (int64_t j = 0; j < n; j++) {
            kernel[i * n + j] = exp(-kernel[i * n + j] / (2 * median));
            mean[i] += kernel[i * n + j];
        }
        all += mean[i];
        mean[i] /= (double)n;
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            kernel[i * n + j] += all / (double)(n * n) - mean[i] - mean[j];
    return TG_OK;
}

static enum tg_err rbf_cka(const struct tg_ctx *ctx, const struct tg_peers *peers,
                           struct tg_peer_scores *scores)
{
    struct tg_peer_score *score =
        tg_peers_add(scores, "kornblith", "cka_rbf", "cka_rbf", NAN);
    if (!peers->sorted) {
        snprintf(
            score->why, sizeof(score->why),
            "Not computed: with more than %d samples its n x n kernels are too large.",
            TG_PEER_MAX_RBF_ROWS);
        return TG_OK;
    }
    for (int i = 0; i < 2; i++)
        TG_TRY(rbf_kernel(ctx, peers, &peers->side[i], peers->kernel[i]));
    double dot = 0;
    for (int64_t i = 0; i < peers->n * peers->n; i++)
        dot += peers->kernel[0][i] * peers->kernel[1][i];
    score->value = dot / sqrt(norm2(peers->kernel[0], peers->n * peers->n) *
                              norm2(peers->kernel[1], peers->n * peers->n));
    score->rounding = DBL_EPSILON;
    say(score,
        "The notebook's bandwidth is its default, 1 times the median of the squared "
        "distances, with the zero distance of each sample to itself counted in.");
    return TG_OK;
}

/* ||Q_x^T Q_y||_F^2 / min(d_x, d_y) with Q from the layers as given. */
static enum tg_err kornblith_cca(const struct tg_ctx *ctx, const struct tg_peers *peers,
                                 struct tg_peer_scores *scores)
{
    int64_t dx = peers->side[0].d, dy = peers->side[1].d;
    struct tg_peer_score *score =
        tg_peers_add(scores, "kornblith", "cca", "cca_mean_squared", NAN);
    bool full = true, whole;
    for (int i = 0; i < 2; i++) {
        const struct tg_peer_side *side = &peers->side[i];
        memcpy(peers->tall[i], side->raw, (size_t)(peers->n * side->d) * sizeof(double));
        TG_TRY(
            orthonormal(ctx, peers, side->d, peers->tall[i], &whole, &score->rounding));
        full &= whole;
    }
    if (!full) {
        say(score,
            "A layer has fewer dimensions than units; the notebook's QR completes it with "
            "directions that rounding chooses.");
        return TG_OK;
    }
    TG_TRY(product(ctx, peers, peers->tall[0], dx, peers->tall[1], dy));
    score->value = norm2(peers->square[0], dx * dy) / (double)(dx < dy ? dx : dy);
    say(score,
        "The notebook does not centre the layers, so a shared mean counts as a shared "
        "direction.");
    return TG_OK;
}

static enum tg_err kornblith(const struct tg_ctx *ctx, const struct tg_peers *peers,
                             struct tg_peer_scores *scores)
{
    double biased, debiased;
    TG_TRY(kornblith_cca(ctx, peers, scores));
    TG_TRY(linear_cka(ctx, peers, &biased, &debiased));
    struct tg_peer_score *score = tg_peers_add(scores, "kornblith", "cka", "cka", biased);
    score->rounding = DBL_EPSILON;
    say(score, "The same definition as ours.");
    score = tg_peers_add(scores, "kornblith", "cka_debiased", "cka_debiased", debiased);
    score->rounding = DBL_EPSILON;
    say(score, "The same definition as ours.");
    return rbf_cka(ctx, peers, scores);
}

enum tg_err tg_peers_compare(const struct tg_ctx *ctx, struct tg_peers *peers,
                             const struct tg_mat *a, const struct tg_mat *b,
                             struct tg_peer_scores *scores)
{
    const struct tg_peers_options *options = &peers->options;
    scores->n = 0;
    if (a->shape[1] > peers->n || b->shape[1] > peers->n)
        return TG_OK;
    TG_TRY(prepare(ctx, peers, a, &peers->side[0]));
    TG_TRY(prepare(ctx, peers, b, &peers->side[1]));
    if (wants(options, TG_PEER_GOOGLE_CCA))
        TG_TRY(tg_peer_google_mean(ctx, peers, scores));
    if (wants(options, TG_PEER_GOOGLE_PWCCA))
        TG_TRY(tg_peer_google_pwcca(ctx, peers, options->google_epsilon, "google_pwcca",
                                    scores));
    if (wants(options, TG_PEER_ANATOME))
        TG_TRY(anatome(ctx, peers, scores));
    if (wants(options, TG_PEER_RESI))
        TG_TRY(resi(ctx, peers, scores));
    if (wants(options, TG_PEER_KORNBLITH))
        TG_TRY(kornblith(ctx, peers, scores));
    return TG_OK;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * google/svcca, commit 1f3fbf1, step by step.
 *   cca_core.py   averages the leading correlations only, of covariances scaled by their
 *                 largest entry with epsilon on their diagonal
 *   pwcca.py      weighs by directions that are not the paper's
 */
#include "svcca/peers_private.h"

#include <float.h>
#include <math.h>

#include "linalg/linalg.h"

/* Share of the sum of correlations that cca_core averages, and pinv's cutoff. */
static const double kept_share = 0.98, pinv_cutoff = 1e-15;

/* s := s / its largest entry in magnitude, which is returned. */
static double scale_by_peak(int64_t d, double *s)
{
    double peak = 0;
    for (int64_t i = 0; i < d * d; i++)
        peak = fmax(peak, fabs(s[i]));
    for (int64_t i = 0; peak > 0 && i < d * d; i++)
        s[i] /= peak;
    return peak;
}

/* Units whose scaled variance is at least epsilon; how many. */
static int64_t choose(int64_t d, const double *s, double epsilon, int64_t *keep)
{
    int64_t k = 0;
    for (int64_t i = 0; i < d; i++)
        if (fabs(s[i * d + i]) >= epsilon)
            keep[k++] = i;
    return k;
}

/*
 * (S + epsilon I)^(-1/2) of the kept units, k x k, into root; `small` is scratch. Its
 * condition comes back, infinite when an eigenvalue is lost to pinv's cutoff.
 */
static enum tg_err inverse_root(const struct tg_ctx *ctx, const struct tg_peers *peers,
                                int64_t d, const double *s, const int64_t *keep,
                                int64_t k, double epsilon, double *small, double *w,
                                double *root, double *condition)
{
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < k; j++)
            small[i * k + j] = s[keep[i] * d + keep[j]] + (i == j ? epsilon : 0);
    TG_TRY(tg_eigh(ctx, k, true, small, (size_t)k, w, peers->work));
    *condition = w[0] > pinv_cutoff * w[k - 1] ? w[k - 1] / w[0] : INFINITY;
    if (isinf(*condition))
        return TG_OK;
    double *scaled = peers->square[3];
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < k; j++)
            scaled[i * k + j] = small[i * k + j] / sqrt(sqrt(w[j]));
    return tg_syrk(ctx, TG_N, k, k, 1, scaled, (size_t)k, 0, root, (size_t)k);
}

enum tg_err tg_peer_google_cca(const struct tg_ctx *ctx, const struct tg_peers *peers,
                               const double *x, int64_t dx, const double *y, int64_t dy,
                               double epsilon, struct tg_peer_google *google)
{
    double *xx = peers->square[0], *yy = peers->square[1], *yx = peers->square[2];
    double *root_x = peers->square[4], *root_y = peers->square[5];
    double condition_x, condition_y, inverse = 1 / (double)(peers->n - 1);
    int64_t n = peers->n;
    *google =
        (struct tg_peer_google){.keep_x = peers->index[0], .keep_y = peers->index[1]};
    if (dx >= n) {
        google->outcome = TG_GOOGLE_REFUSES;
        return TG_OK;
    }
    TG_TRY(tg_syrk(ctx, TG_T, dx, n, inverse, x, (size_t)dx, 0, xx, (size_t)dx));
    TG_TRY(tg_syrk(ctx, TG_T, dy, n, inverse, y, (size_t)dy, 0, yy, (size_t)dy));
    double unit = sqrt(scale_by_peak(dx, xx) * scale_by_peak(dy, yy));
    TG_TRY(tg_gemm(ctx, TG_T, TG_N, dy, dx, n, unit > 0 ? inverse / unit : 0, y,
                   (size_t)dy, x, (size_t)dx, 0, yx, (size_t)dx));
    int64_t kx = choose(dx, xx, epsilon, peers->index[0]);
    int64_t ky = choose(dy, yy, epsilon, peers->index[1]), k = kx < ky ? kx : ky;
    google->kx = kx;
    google->ky = ky;
    google->k = k;
    google->outcome = TG_GOOGLE_EMPTY;
    if (k == 0 || unit <= 0)
        return TG_OK;
    double *small = peers->square[6], *w = peers->vector[2];
    TG_TRY(inverse_root(ctx, peers, dx, xx, google->keep_x, kx, epsilon, small, w, root_x,
                        &condition_x));
    TG_TRY(inverse_root(ctx, peers, dy, yy, google->keep_y, ky, epsilon, small, w, root_y,
                        &condition_y));
    google->outcome = TG_GOOGLE_SINGULAR;
    google->rounding = DBL_EPSILON * fmax(condition_x, condition_y);
    if (isinf(google->rounding))
        return TG_OK;

    /* arr^T = root_y S_yx root_x, whose row-major form is arr as LAPACK gets it there */
    for (int64_t i = 0; i < ky; i++)
        for (int64_t j = 0; j < kx; j++)
            small[i * kx + j] = yx[google->keep_y[i] * dx + google->keep_x[j]];
    double *half = peers->square[0], *arr = peers->square[1];
    TG_TRY(tg_gemm(ctx, TG_N, TG_N, ky, kx, kx, 1, small, (size_t)kx, root_x, (size_t)kx,
                   0, half, (size_t)kx));
    TG_TRY(tg_gemm(ctx, TG_N, TG_N, ky, kx, ky, 1, root_y, (size_t)ky, half, (size_t)kx,
                   0, arr, (size_t)kx));
    double *coef_y = peers->square[6], *coef_x = peers->square[7],
           *rho = peers->vector[2];
    TG_TRY(tg_svd(ctx, ky, kx, arr, (size_t)kx, rho, coef_y, (size_t)k, coef_x,
                  (size_t)kx, peers->work));
    google->outcome = TG_GOOGLE_OK;
    google->rho = rho;
    google->coef_x = coef_x;
    google->coef_y = coef_y;
    return TG_OK;
}

/* How many of the k correlations reach the share; all when none of fewer does. */
static int64_t truncated(const double *rho, int64_t k)
{
    double total = 0, sum = 0;
    for (int64_t i = 0; i < k; i++)
        total += rho[i];
    for (int64_t i = 0; i < k; i++) {
        if (sum / total >= kept_share)
            return i;
        sum += rho[i];
    }
    return k;
}

void tg_peer_google_why_not(const struct tg_peers *peers,
                            const struct tg_peer_google *google,
                            struct tg_peer_score *score)
{
    switch (google->outcome) {
    case TG_GOOGLE_REFUSES:
        tg_peer_say(score, "cca_core refuses a first layer of %lld units for %lld samples.",
                    (long long)peers->side[0].d, (long long)peers->n);
        return;
    case TG_GOOGLE_EMPTY:
        tg_peer_say(score, "cca_core finds no unit with a variance above its epsilon and "
                           "returns 0.");
        score->value = 0;
        return;
    case TG_GOOGLE_SINGULAR:
        tg_peer_say(score, "A covariance is singular (units that are dead, copied or too many), "
                           "so cca_core takes roots of rounding noise and mostly stops with "
                           "\"SVD did not converge\".");
        return;
    case TG_GOOGLE_OK:
        return;
    }
}

enum tg_err tg_peer_google_mean(const struct tg_ctx *ctx, const struct tg_peers *peers,
                                struct tg_peer_scores *scores)
{
    struct tg_peer_google google;
    const struct tg_peer_side *x = &peers->side[0], *y = &peers->side[1];
    double epsilon = peers->options.google_epsilon;
    TG_TRY(tg_peer_google_cca(ctx, peers, x->centred, x->d, y->centred, y->d, epsilon,
                              &google));
    struct tg_peer_score *score =
        tg_peers_add(scores, "google_cca", "mean", "cca_mean", NAN);
    if (google.outcome != TG_GOOGLE_OK) {
        tg_peer_google_why_not(peers, &google, score);
        return TG_OK;
    }
    int64_t k = truncated(google.rho, google.k);
    score->value = tg_peer_mean(google.rho, k);
    score->rounding = google.rounding;
    tg_peer_say(score,
                "cca_core averages the first %lld of %lld correlations, which make up 98 %% of "
                "their sum (the mean of all is %.10g), and adds epsilon = %g to the diagonal of "
                "scaled covariances.",
                (long long)k, (long long)google.k, tg_peer_mean(google.rho, google.k), epsilon);
    return TG_OK;
}

/*
 * The side that pwcca.py weights by: directions (X - mean) c + mean, where the mean of
 * unit i is added to direction i, are orthonormalised and multiplied with the units.
 */
struct weighting {
    const double *raw;    /* n x d of the units that give the weights */
    const double *source; /* n x d of the units that make the directions */
    const double *mean;   /* d, subtracted and added back */
    const int64_t *keep;  /* k kept units */
    const double *coef;   /* k x k, row i: direction i */
    int64_t d, k;
};

/* sum alpha rho / sum alpha for one choice of the directions' signs. */
static enum tg_err weighted_mean(const struct tg_ctx *ctx, const struct tg_peers *peers,
                                 const struct weighting *w, const double *rho,
                                 double sign, double *value)
{
    int64_t n = peers->n, k = w->k;
    size_t ld = (size_t)k;
    double *shifted = peers->tall[0], *directions = peers->tall[1],
           *units = peers->tall[2];
    for (int64_t i = 0; i < n; i++) {
        if (i % TG_PEER_ROWS == 0)
            TG_TRY(tg_ctx_poll(ctx));
        for (int64_t j = 0; j < k; j++) {
            int64_t unit = w->keep[j];
            shifted[i * k + j] = w->source[i * w->d + unit] - w->mean[unit];
            directions[i * k + j] = w->mean[unit];
            units[i * k + j] = w->raw[i * w->d + unit];
        }
    }
    TG_TRY(tg_gemm(ctx, TG_N, TG_T, n, k, k, sign, shifted, ld, w->coef, ld, 1,
                   directions, ld));
    double *r = peers->square[0], *products = peers->square[1], top = 0, total = 0;
    TG_TRY(tg_qr(ctx, n, k, directions, ld, r, ld, peers->work));
    TG_TRY(
        tg_gemm(ctx, TG_T, TG_N, k, k, n, 1, directions, ld, units, ld, 0, products, ld));
    for (int64_t i = 0; i < k; i++) {
        double weight = 0;
        for (int64_t j = 0; j < k; j++)
            weight += fabs(products[i * k + j]);
        top += weight * rho[i];
        total += weight;
    }
    *value = top / total;
    return TG_OK;
}

enum tg_err tg_peer_google_pwcca(const struct tg_ctx *ctx, const struct tg_peers *peers,
                                 double epsilon, const char *peer,
                                 struct tg_peer_scores *scores)
{
    struct tg_peer_google google;
    const struct tg_peer_side *x = &peers->side[0], *y = &peers->side[1];
    TG_TRY(tg_peer_google_cca(ctx, peers, x->centred, x->d, y->centred, y->d, epsilon,
                              &google));
    struct tg_peer_score *score = tg_peers_add(scores, peer, "pwcca", "pwcca_x", NAN);
    if (google.outcome != TG_GOOGLE_OK) {
        tg_peer_google_why_not(peers, &google, score);
        return TG_OK;
    }
    bool first = google.kx <= google.ky;
    if (!first && x->d != y->d) {
        tg_peer_say(score,
                    "pwcca.py stops with an IndexError when the first layer keeps more units "
                    "(%lld) than the second (%lld): it then reads the wrong layer.",
                    (long long)google.kx, (long long)google.ky);
        return TG_OK;
    }
    struct weighting w = {.raw = first ? x->raw : y->raw,
                          .source = x->raw, /* in both branches of pwcca.py */
                          .mean = first ? x->mean : y->mean,
                          .keep = first ? google.keep_x : google.keep_y,
                          .coef = google.coef_x,
                          .d = x->d,
                          .k = google.k};
    if (!first) { /* directions are rows of v */
        double *rows = peers->square[2];
        for (int64_t i = 0; i < w.k; i++)
            for (int64_t j = 0; j < w.k; j++)
                rows[i * w.k + j] = google.coef_y[j * w.k + i];
        w.coef = rows;
    }
    double other;
    TG_TRY(weighted_mean(ctx, peers, &w, google.rho, 1, &score->value));
    TG_TRY(weighted_mean(ctx, peers, &w, google.rho, -1, &other));
    score->rounding = google.rounding;
    tg_peer_say(score,
                "pwcca.py leaves the inverse root of the covariance out of its directions and "
                "adds the units' means to them, so its weights are not the paper's and depend on "
                "the signs that LAPACK gives singular vectors (all of them turned: %.6g).",
                other);
    return TG_OK;
}

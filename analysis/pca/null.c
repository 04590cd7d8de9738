/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Covariances of the walks PCA results are compared with, and their spectra. */
#include "pca/null.h"

#include <math.h>

#include "linalg/linalg.h"
#include "pca/walk.h"

double tg_null_stationary(double momentum)
{
    return 1 / (1 - momentum * momentum);
}

/* What step t multiplies: the measured length over the one it would have. */
static void fill_scales(const struct tg_null *null, int64_t n, double *scale)
{
    double variance = null->first > 0 ? null->first : 1;
    for (int64_t t = 1; t < n; t++) {
        scale[t] = null->step2 ? sqrt(null->step2[t - 1] / (variance + null->shared)) : 1;
        variance = null->momentum * null->momentum * variance + 1;
    }
}

/* Rows and columns 1 .. n - 1 of g: the covariance (2) of the steps. */
static enum tg_err fill_steps(const struct tg_ctx *ctx, const struct tg_null *null,
                              int64_t n, double *g, const double *scale)
{
    double variance = null->first > 0 ? null->first : 1;
    for (int64_t s = 1; s < n; s++) {
        TG_TRY(tg_ctx_poll(ctx));
        double own = variance;
        for (int64_t t = s; t < n; t++, own *= null->momentum)
            g[s * n + t] = g[t * n + s] = scale[s] * scale[t] * (own + null->shared);
        variance = null->momentum * null->momentum * variance + 1;
    }
    return TG_OK;
}

/* Recursion (1) on rows and on columns: from the steps' covariance to the points'. */
static enum tg_err add_up(const struct tg_ctx *ctx, double keep, int64_t n, double *g)
{
    for (int64_t t = 0; t < n; t++)
        g[t] = g[t * n] = 0;
    for (int64_t s = 1; s < n; s++) {
        TG_TRY(tg_ctx_poll(ctx));
        for (int64_t t = 1; t < n; t++)
            g[s * n + t] += keep * g[(s - 1) * n + t];
    }
    for (int64_t s = 1; s < n; s++) {
        TG_TRY(tg_ctx_poll(ctx));
        for (int64_t t = 1; t < n; t++)
            g[s * n + t] += keep * g[s * n + t - 1];
    }
    return TG_OK;
}

enum tg_err tg_null_gram(const struct tg_ctx *ctx, const struct tg_null *null, int64_t n,
                         double *g, double *scratch)
{
    fill_scales(null, n, scratch);
    TG_TRY(fill_steps(ctx, null, n, g, scratch));
    TG_TRY(add_up(ctx, 1 - null->alpha, n, g));
    return tg_gram_centre(ctx, n, g, scratch);
}

size_t tg_null_work(int64_t n, int64_t k)
{
    return (size_t)n * (size_t)n + tg_eigh_leading_work(n, k);
}

static void set_all(double *x, int64_t n, double value)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = value;
}

enum tg_err tg_null_solve(const struct tg_ctx *ctx, const struct tg_null *null, int64_t n,
                          int64_t k, struct tg_null_spectrum *spectrum, double *work)
{
    double *g = work, *rest = work + n * n, trace = 0, square = 0;
    TG_TRY(tg_null_gram(ctx, null, n, g, rest));
    for (int64_t s = 0; s < n; s++) {
        TG_TRY(tg_ctx_poll(ctx));
        trace += g[s * n + s];
        for (int64_t t = 0; t < n; t++)
            square += g[s * n + t] * g[s * n + t];
    }
    spectrum->trace = trace;
    if (!(trace > 0)) {
        spectrum->square = NAN;
        set_all(spectrum->value, k, NAN);
        set_all(spectrum->ratio, k, NAN);
        if (spectrum->mode)
            set_all(spectrum->mode, k * n, NAN);
        return TG_OK;
    }
    spectrum->square = square / (trace * trace);
    TG_TRY(tg_eigh_leading(ctx, n, k, g, (size_t)n, spectrum->value, spectrum->mode, rest));
    for (int64_t i = 0; i < k; i++) {
        spectrum->value[i] = fmax(spectrum->value[i], 0);
        spectrum->ratio[i] = spectrum->value[i] / trace;
    }
    for (double *mode = spectrum->mode; mode && mode < spectrum->mode + k * n; mode += n)
        if (mode[0] < 0)
            for (int64_t t = 0; t < n; t++)
                mode[t] = -mode[t];
    return TG_OK;
}

double tg_null_band(double ratio, double square, double d_eff)
{
    return ratio * sqrt(2 / d_eff * fmax(1 - 2 * ratio + square, 0));
}

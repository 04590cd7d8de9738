/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random walks as PCA sees them. */
#include "pca/walk.h"

#include <math.h>

double tg_walk_ratio(int64_t n, int64_t k)
{
    double sine = sin(M_PI * (double)k / (2 * (double)n));
    return 3 / (2 * ((double)n * (double)n - 1) * sine * sine);
}

double tg_walk_mode(int64_t n, int64_t k, int64_t t)
{
    return sqrt(2 / (double)n) *
           cos(M_PI * (double)k * (2 * (double)t + 1) / (2 * (double)n));
}

enum tg_err tg_walk_gram(const struct tg_ctx *ctx, int64_t n, const double *step2,
                         double *g, double *distance2)
{
    distance2[0] = 0;
    for (int64_t i = 1; i < n; i++)
        distance2[i] = distance2[i - 1] + step2[i - 1];
    for (int64_t i = 0; i < n; i++) {
        TG_TRY(tg_ctx_poll(ctx));
        for (int64_t j = 0; j < n; j++)
            g[i * n + j] = distance2[i < j ? i : j];
    }
    return TG_OK;
}

enum tg_err tg_gram_centre(const struct tg_ctx *ctx, int64_t n, double *g, double *mean)
{
    double all = 0;
    for (int64_t i = 0; i < n; i++) {
        TG_TRY(tg_ctx_poll(ctx));
        mean[i] = 0;
        for (int64_t j = 0; j < n; j++)
            mean[i] += g[i * n + j];
        mean[i] /= (double)n;
        all += mean[i] / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
        TG_TRY(tg_ctx_poll(ctx));
        for (int64_t j = 0; j < n; j++)
            g[i * n + j] += all - mean[i] - mean[j];
    }
    return TG_OK;
}

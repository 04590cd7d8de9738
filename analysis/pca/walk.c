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

void tg_walk_gram(int64_t n, const double *step2, double *g)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        if (i > 0)
            sum += step2[i - 1];
        for (int64_t j = i; j < n; j++)
            g[i * n + j] = g[j * n + i] = sum;
    }
}

void tg_gram_centre(int64_t n, double *g, double *mean)
{
    double all = 0;
    for (int64_t i = 0; i < n; i++) {
        mean[i] = 0;
        for (int64_t j = 0; j < n; j++)
            mean[i] += g[i * n + j];
        mean[i] /= (double)n;
        all += mean[i] / (double)n;
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            g[i * n + j] += all - mean[i] - mean[j];
}

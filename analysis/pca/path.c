/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the Gram matrix tells of a path without its eigenvectors: distances and steps. */
#include <math.h>

#include "pca/pca.h"

double tg_pca_distance2(const double *g, int64_t t, int64_t i, int64_t j)
{
    return fmax(g[i * t + i] + g[j * t + j] - 2 * g[i * t + j], 0);
}

/* (x_{i+1} - x_i) . (x_{j+1} - x_j) */
static double step_product(const double *g, int64_t t, int64_t i, int64_t j)
{
    return g[(i + 1) * t + j + 1] - g[(i + 1) * t + j] - g[i * t + j + 1] + g[i * t + j];
}

/*
 * Steps of a walk in d dimensions have a mean squared cosine of 1/d; steps of unequal
 * spread over the dimensions that of d_eff = (tr S)^2 / tr S^2.
 */
enum tg_err tg_pca_d_eff(const struct tg_ctx *ctx, const struct tg_pca *pca, const double *g,
                         const double *step2, double *d_eff)
{
    double sum = 0, pairs = 0;
    for (int64_t r = 0; r < pca->nruns; r++)
        for (int64_t i = pca->run[r]; i + 1 < pca->run[r + 1]; i++) {
            TG_TRY(tg_ctx_poll(ctx));
            for (int64_t j = pca->run[r]; j < i; j++)
                if (step2[i] > 0 && step2[j] > 0) {
                    double product = step_product(g, pca->t, i, j);
                    sum += fmin(product / step2[i] * (product / step2[j]), 1);
                    pairs++;
                }
        }
    *d_eff = pairs > 0 ? pairs / sum : NAN;
    return TG_OK;
}

/*
 * Steps between neighbours in the data were summed up by themselves, which keeps all their
 * digits; longer ones follow from the Gram matrix.
 */
double tg_pca_step2(const struct tg_walk_data *data, const struct tg_pca *pca, int64_t slot,
                    const double *g, int64_t i)
{
    int64_t to = pca->point[i + 1], tensor = 0;
    double sum = 0;
    if (to != pca->point[i] + 1)
        return tg_pca_distance2(g, pca->t, i, i + 1);
    if (slot >= 0)
        return tg_gram_step2(&pca->sums, slot)[to];
    for (slot = 0; slot < pca->sums.plan.nslots; slot++) {
        sum += data->tensor[tensor].weight * tg_gram_step2(&pca->sums, slot)[to];
        tensor = tg_gram_slot_end(&pca->sums.plan, data, tensor);
    }
    return sum;
}

static void describe_steps(const struct tg_walk_data *data, const double *g, struct tg_pca *pca)
{
    double sum = 0, n = 0;
    for (int64_t i = 0; i + 1 < pca->t; i++) {
        pca->step2[i] = 0;
        pca->step_norm[i] = NAN;
    }
    for (int64_t i = 0; i + 2 < pca->t; i++)
        pca->step_cosine[i] = NAN;
    for (int64_t r = 0; r < pca->nruns; r++)
        for (int64_t i = pca->run[r]; i + 1 < pca->run[r + 1]; i++) {
            double now = tg_pca_step2(data, pca, -1, g, i);
            pca->step2[i] = now;
            pca->step_norm[i] = sqrt(now);
            if (i == pca->run[r] || !(now > 0) || !(pca->step2[i - 1] > 0))
                continue;
            double cosine = step_product(g, pca->t, i - 1, i) /
                            (sqrt(now) * sqrt(pca->step2[i - 1]));
            pca->step_cosine[i - 1] = fmax(fmin(cosine, 1), -1);
            sum += pca->step_cosine[i - 1];
            n++;
        }
    pca->cosine = n > 0 ? sum / n : NAN;
}

/* Over all steps between the first and the last point of each run's window. */
static double unchanged(const struct tg_walk_data *data, const struct tg_pca *pca)
{
    double same = 0, steps = 0;
    for (int64_t r = 0; r < pca->nruns; r++) {
        int64_t first = pca->point[pca->run[r]], last = pca->point[pca->run[r + 1] - 1];
        for (int64_t slot = 0; slot < pca->sums.plan.nslots; slot++)
            for (int64_t i = first + 1; i <= last; i++)
                same += tg_gram_unchanged(&pca->sums, slot)[i];
        steps += (double)(last - first);
    }
    return steps > 0 ? same / (steps * (double)data->d) : NAN;
}

/* A loss that is no number is none. */
static void find_minimum(const struct tg_pca_options *options, struct tg_pca *pca, int64_t r)
{
    int64_t last = pca->run[r + 1] - 1;
    double least = INFINITY;
    pca->minimum[r] = options->loss ? -1 : last;
    for (int64_t i = pca->run[r]; i <= last && options->loss; i++)
        if (options->loss[pca->point[i]] < least) {
            least = options->loss[pca->point[i]];
            pca->minimum[r] = i;
        }
}

enum tg_err tg_pca_describe_path(const struct tg_ctx *ctx, const struct tg_walk_data *data,
                                 const struct tg_pca_options *options, const double *g,
                                 struct tg_pca *pca)
{
    describe_steps(data, g, pca);
    pca->unchanged = unchanged(data, pca);
    for (int64_t r = 0; r < pca->nruns; r++) {
        int64_t first = pca->run[r], end = pca->run[r + 1];
        find_minimum(options, pca, r);
        for (int64_t i = first; i < end; i++) {
            pca->from_start[i] = sqrt(tg_pca_distance2(g, pca->t, i, first));
            pca->from_end[i] = sqrt(tg_pca_distance2(g, pca->t, i, end - 1));
            pca->from_minimum[i] =
                pca->minimum[r] < 0 ? NAN
                                    : sqrt(tg_pca_distance2(g, pca->t, i, pca->minimum[r]));
        }
    }
    return tg_pca_d_eff(ctx, pca, g, pca->step2, &pca->d_eff);
}

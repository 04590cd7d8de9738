/* SPDX-License-Identifier: GPL-3.0-or-later */
/* PCA of a trajectory from its Gram matrix, beside two random walks. */
#include "pca/pca.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "linalg/linalg.h"
#include "pca/gram.h"
#include "pca/walk.h"

/* Scratch that no result points into. `work` holds, one after the other, the stream's
 * sums (the Gram matrix at their start) and behind that matrix a second one and the
 * solver's. */
struct scratch {
    double *work, *step2, *lambda, *mean;
};

static double *reals(struct tg_arena *arena, int64_t rows, int64_t cols)
{
    return tg_arena_alloc(arena, (size_t)rows * (size_t)cols, sizeof(double));
}

static enum tg_err layout(struct tg_arena *arena, const struct tg_mat *trajectory,
                          const struct tg_pca_options *options, struct tg_pca *pca,
                          struct scratch *scratch)
{
    int64_t t = trajectory->shape[0], d = trajectory->shape[1], k = options->components;
    if (k > t - 1)
        k = t - 1;
    if (k > d)
        k = d;
    *pca = (struct tg_pca){.t = t, .d = d, .k = k};
    pca->variance = reals(arena, k, 1);
    pca->ratio = reals(arena, k, 1);
    pca->walk_ratio = reals(arena, k, 1);
    pca->step_null_ratio = reals(arena, k, 1);
    pca->band = reals(arena, k, 1);
    pca->overlap = reals(arena, k, 1);
    pca->scores = reals(arena, t, k);
    pca->step_norm = reals(arena, t - 1, 1);
    pca->from_start = reals(arena, t, 1);
    pca->from_end = reals(arena, t, 1);
    if (options->keep_gram)
        pca->gram = reals(arena, t, t);

    size_t stream = tg_gram_plan(trajectory).work, solver = tg_eigh_work(t, true);
    size_t solve = 2 * (size_t)t * (size_t)t + solver;
    scratch->work =
        tg_arena_alloc(arena, stream > solve ? stream : solve, sizeof(double));
    scratch->step2 = reals(arena, t - 1, 1);
    scratch->lambda = reals(arena, t, 1);
    scratch->mean = reals(arena, t, 1);
    return tg_arena_failed(arena) ? TG_NOMEM : TG_OK;
}

enum tg_err tg_pca_cost(const struct tg_mat *trajectory,
                        const struct tg_pca_options *options, struct tg_pca_cost *cost)
{
    struct tg_pca pca;
    struct scratch scratch;
    struct tg_arena *arena = tg_arena_new_measuring();
    if (!arena)
        return TG_NOMEM;
    enum tg_err err = layout(arena, trajectory, options, &pca, &scratch);
    double t = (double)pca.t, d = (double)pca.d;
    *cost = (struct tg_pca_cost){.bytes = tg_arena_high_water(arena),
                                 .flops = t * t * d + (9 + 4.0 / 3) * t * t * t,
                                 .read_bytes =
                                     t * d * (double)tg_dtype_size(trajectory->dtype)};
    tg_arena_free(arena);
    return err;
}

/* |x_i - x_j|^2 from the Gram matrix, never below zero. */
static double distance2(const double *g, int64_t t, int64_t i, int64_t j)
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
 * spread over the dimensions that of d_eff = (tr S)^2 / tr S^2. NaN with fewer than two
 * real steps.
 */
static enum tg_err effective_dimensions(const struct tg_ctx *ctx, const double *g,
                                        int64_t t, const double *step2, double *d_eff)
{
    double sum = 0, pairs = 0;
    for (int64_t i = 0; i + 1 < t; i++) {
        TG_TRY(tg_ctx_poll(ctx));
        for (int64_t j = 0; j < i; j++)
            if (step2[i] > 0 && step2[j] > 0) {
                double product = step_product(g, t, i, j);
                sum += fmin(product / step2[i] * (product / step2[j]), 1);
                pairs++;
            }
    }
    *d_eff = pairs > 0 ? pairs / sum : NAN;
    return TG_OK;
}

static enum tg_err describe_path(const struct tg_ctx *ctx, const struct tg_gram *gram,
                                 struct tg_pca *pca)
{
    int64_t t = pca->t;
    for (int64_t i = 0; i < t; i++) {
        pca->from_start[i] = sqrt(distance2(gram->g, t, i, 0));
        pca->from_end[i] = sqrt(distance2(gram->g, t, i, t - 1));
        if (i > 0)
            pca->step_norm[i - 1] = sqrt(gram->step2[i - 1]);
    }
    pca->unchanged = gram->unchanged;
    pca->single = gram->single;
    return effective_dimensions(ctx, gram->g, t, gram->step2, &pca->d_eff);
}

/* Component k of the eigenvectors in g's columns (ascending): score, sign and overlap. */
static void project(const double *g, int64_t k, double lambda, struct tg_pca *pca)
{
    int64_t t = pca->t, peak = 0;
    const double *v = g + t - 1 - k;
    double overlap = 0;
    for (int64_t i = 0; i < t; i++) {
        if (fabs(v[i * t]) > fabs(v[peak * t]))
            peak = i;
        overlap += v[i * t] * tg_walk_mode(t, k + 1, i);
    }
    double factor = copysign(sqrt(fmax(lambda, 0)), v[peak * t]);
    for (int64_t i = 0; i < t; i++)
        pca->scores[i * pca->k + k] = factor * v[i * t];
    pca->overlap[k] = fmin(fabs(overlap), 1);
}

/*
 * The Gram matrix has an error of about u |x_i - x_r| |x_j - x_r| an entry, so of u tr G
 * in norm, with u the precision of the products; the solver adds T eps. A negative
 * eigenvalue is an error that shows.
 */
static double ratio_error(const struct tg_pca *pca, double trace, double centred,
                          const double *lambda)
{
    double unit = pca->single ? (double)FLT_EPSILON : DBL_EPSILON;
    double error = unit * trace / centred + (double)pca->t * DBL_EPSILON;
    return fmax(error, -lambda[0] / centred);
}

/* Eigenvalues of the centred Gram matrix g, which becomes its vectors, and what they
 * tell. */
static enum tg_err solve(const struct tg_ctx *ctx, double trace, double *g,
                         const struct scratch *scratch, struct tg_pca *pca)
{
    int64_t t = pca->t;
    double *lambda = scratch->lambda, total = 0;
    for (int64_t i = 0; i < t; i++)
        total += g[i * t + i];
    for (int64_t i = 0; i < t && pca->gram; i++) {
        TG_TRY(tg_ctx_poll(ctx));
        memcpy(pca->gram + i * t, g + i * t, (size_t)t * sizeof(*g));
    }
    pca->total_variance = total / (double)(t - 1);
    TG_TRY(tg_eigh(ctx, t, true, g, (size_t)t, lambda, scratch->work + 2 * t * t));
    double rounding = (double)t * DBL_EPSILON * lambda[t - 1];
    while (pca->negative < t && lambda[pca->negative] < -rounding)
        pca->negative++;
    pca->ratio_error = ratio_error(pca, trace, total, lambda);
    for (int64_t k = 0; k < pca->k; k++) {
        double value = fmax(lambda[t - 1 - k], 0);
        TG_TRY(tg_ctx_poll(ctx));
        pca->variance[k] = value / (double)(t - 1);
        pca->ratio[k] = value / total;
        project(g, k, value, pca);
    }
    return TG_OK;
}

/* Ratios of the walk with the measured steps, whatever the directions were. */
static enum tg_err solve_step_null(const struct tg_ctx *ctx,
                                   const struct scratch *scratch, struct tg_pca *pca)
{
    int64_t t = pca->t;
    double *g = scratch->work + t * t, total = 0;
    TG_TRY(tg_walk_gram(ctx, t, scratch->step2, g, scratch->mean));
    TG_TRY(tg_gram_centre(ctx, t, g, scratch->mean));
    for (int64_t i = 0; i < t; i++)
        total += g[i * t + i];
    TG_TRY(
        tg_eigh(ctx, t, false, g, (size_t)t, scratch->lambda, scratch->work + 2 * t * t));
    for (int64_t k = 0; k < pca->k; k++)
        pca->step_null_ratio[k] = fmax(scratch->lambda[t - 1 - k], 0) / total;
    return TG_OK;
}

static void expect_walk(struct tg_pca *pca)
{
    double relative = sqrt(2 / pca->d_eff);
    for (int64_t k = 0; k < pca->k; k++) {
        pca->walk_ratio[k] = tg_walk_ratio(pca->t, k + 1);
        pca->band[k] = pca->walk_ratio[k] * relative;
    }
}

enum tg_err tg_pca_run(const struct tg_ctx *ctx, const struct tg_mat *trajectory,
                       const struct tg_pca_options *options, struct tg_pca *pca,
                       struct tg_report *report)
{
    struct scratch scratch;
    TG_TRY(layout(ctx->arena, trajectory, options, pca, &scratch));
    int64_t t = pca->t;
    struct tg_gram gram = {.step2 = scratch.step2};
    TG_TRY(tg_gram_stream(ctx, trajectory, options->from_last ? t - 1 : 0, scratch.work,
                          &gram, report));
    TG_TRY(describe_path(ctx, &gram, pca));
    expect_walk(pca);

    double trace = 0;
    for (int64_t i = 0; i < t; i++)
        trace += gram.g[i * t + i];
    if (trace == 0) { /* a point that never moves has no directions */
        for (int64_t k = 0; k < pca->k; k++)
            pca->ratio[k] = pca->step_null_ratio[k] = pca->overlap[k] = NAN;
        pca->ratio_error = NAN;
        return TG_OK;
    }
    tg_ctx_progress(ctx, "solving", 0, 2, "matrices");
    TG_TRY(tg_gram_centre(ctx, t, gram.g, scratch.mean));
    TG_TRY(solve(ctx, trace, gram.g, &scratch, pca));
    tg_ctx_progress(ctx, "solving", 1, 2, "matrices");
    TG_TRY(solve_step_null(ctx, &scratch, pca));
    tg_ctx_progress(ctx, "solving", 2, 2, "matrices");
    return TG_OK;
}

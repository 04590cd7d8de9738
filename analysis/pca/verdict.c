/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every null model at its best, beside the measured path. */
#include "pca/verdict.h"

#include <math.h>
#include <string.h>

#include "pca/walk.h"

struct scratch {
    double *work, *value;
};

static double *reals(struct tg_arena *arena, int64_t rows, int64_t cols)
{
    return tg_arena_alloc(arena, (size_t)rows * (size_t)cols, sizeof(double));
}

static enum tg_err layout(struct tg_arena *arena, int64_t n, int64_t k,
                          struct tg_verdict *verdict, struct scratch *scratch)
{
    *verdict = (struct tg_verdict){.n = n, .k = k, .explained_by = -1};
    for (int i = 0; i < TG_MODELS; i++) {
        struct tg_expected *model = &verdict->model[i];
        model->ratio = reals(arena, k, 1);
        model->band = reals(arena, k, 1);
        model->trap.expected = reals(arena, n, 1);
        model->trap.measured = reals(arena, n, 1);
    }
    verdict->step_overlap = reals(arena, k, 1);
    verdict->chebyshev = reals(arena, k, 1);
    verdict->lissajous = reals(arena, k, 1);
    verdict->distance = reals(arena, n, 1);
    scratch->work = tg_arena_alloc(arena, tg_null_work(n, k), sizeof(double));
    scratch->value = reals(arena, k, 1);
    return tg_arena_failed(arena) ? TG_NOMEM : TG_OK;
}

size_t tg_verdict_bytes(int64_t t, int64_t k)
{
    struct tg_verdict verdict;
    struct scratch scratch;
    struct tg_arena *arena = tg_arena_new_measuring();
    size_t bytes = 0;
    if (arena && !layout(arena, t, k, &verdict, &scratch))
        bytes = tg_arena_high_water(arena);
    tg_arena_free(arena);
    return bytes;
}

static double rms_of_last_quarter(const double *x, int64_t n)
{
    double sum = 0;
    int64_t first = n - (n + 3) / 4;
    for (int64_t t = first; t < n; t++)
        sum += x[t] * x[t];
    return sqrt(sum / (double)(n - first));
}

static enum tg_err expect_trap(const struct tg_ctx *ctx, const struct tg_pca *pca,
                               const struct tg_fit *fit, struct tg_expected *model)
{
    model->trap.radius = (struct tg_estimate){NAN, NAN, NAN};
    model->trap.start = model->at_radius = NAN;
    if (!(fit->alpha.value > 0))
        return TG_OK;
    TG_TRY(tg_fit_trap(ctx, pca->t, pca->gram, fit, &model->trap));
    model->at_radius =
        rms_of_last_quarter(model->trap.measured, pca->t) / model->trap.radius.value;
    return TG_OK;
}

/* Ratios, bands and how far the measured ones lie from them. */
static enum tg_err expect(const struct tg_ctx *ctx, const struct tg_pca *pca,
                          enum tg_model which, struct tg_verdict *verdict,
                          const struct scratch *scratch)
{
    const struct tg_fit *fit = &verdict->fits.model[which];
    struct tg_expected *model = &verdict->model[which];
    struct tg_null_spectrum spectrum = {.value = scratch->value, .ratio = model->ratio};
    int64_t k = verdict->k;
    TG_TRY(expect_trap(ctx, pca, fit, model));
    for (int64_t i = 0; i < k; i++)
        model->ratio[i] = model->band[i] = NAN;
    model->worst = NAN;
    if (!fit->fitted)
        return TG_OK;
    if (which == TG_MODEL_WALK_STEPS) {
        memcpy(model->ratio, pca->step_null_ratio, (size_t)k * sizeof(double));
        spectrum.square = pca->step_null_square;
    } else {
        TG_TRY(tg_null_solve(ctx, &fit->null, pca->t, k, &spectrum, scratch->work));
    }
    model->worst = 0;
    for (int64_t i = 0; i < k; i++) {
        model->band[i] = tg_null_band(model->ratio[i], spectrum.square, verdict->fits.d_eff);
        if (i < TG_VERDICT_COMPONENTS) {
            double room = model->band[i] + pca->ratio_error[i];
            double away = fabs(pca->ratio[i] - model->ratio[i]) / room;
            model->worst = isnan(away) ? NAN : fmax(model->worst, away);
        }
    }
    model->explains = model->worst <= TG_VERDICT_SIGMAS;
    return TG_OK;
}

static void choose(struct tg_verdict *verdict)
{
    const struct tg_fits *fits = &verdict->fits;
    for (int i = TG_MODELS - 1; i >= 0; i--)
        if (verdict->model[i].explains &&
            (i <= TG_MODEL_WALK_STEPS || verdict->explained_by < 0 ||
             fits->model[i].aic <= fits->model[verdict->explained_by].aic))
            verdict->explained_by = i;
}

/* r^2 of y over x without a constant; NaN when one is 0 everywhere. */
static double r2(double xx, double xy, double yy)
{
    return xx > 0 && yy > 0 ? fmin(xy / xx * (xy / yy), 1) : NAN;
}

/* T_k by its recurrence, which also holds beyond [-1, 1]. */
static double chebyshev(int64_t k, double x)
{
    double before = 1, now = x;
    for (int64_t i = 1; i < k; i++) {
        double next = 2 * x * now - before;
        before = now;
        now = next;
    }
    return now;
}

static void compare_shapes(const struct tg_pca *pca, struct tg_verdict *verdict)
{
    int64_t n = pca->t, k = pca->k;
    bool steps = verdict->fits.model[TG_MODEL_WALK_STEPS].fitted;
    double amplitude = sqrt(2 * pca->variance[0] * (double)(n - 1) / (double)n);
    double first = pca->overlap[0] * pca->overlap[0] * pca->variance[0];
    for (int64_t i = 0; i < k; i++) {
        double xx = 0, xy = 0, yy = 0, cosine = 0;
        for (int64_t t = 0; t < n; t++) {
            double y = pca->scores[t * k + i];
            double x = chebyshev(i + 1, pca->scores[t * k] / amplitude);
            xx += x * x;
            xy += x * y;
            yy += y * y;
            cosine += y * pca->step_null_mode[i * n + t];
        }
        double both = pca->variance[0] + pca->variance[i];
        double own = pca->overlap[i] * pca->overlap[i] * pca->variance[i];
        verdict->chebyshev[i] = r2(xx, xy, yy);
        verdict->lissajous[i] = i ? (first + own) / both : first / pca->variance[0];
        verdict->step_overlap[i] = steps && yy > 0 ? fmin(fabs(cosine) / sqrt(yy), 1) : NAN;
    }
}

/* Diagonal of the best model's Gram matrix, from the start and in the data's units. */
static enum tg_err expect_distance(const struct tg_ctx *ctx, struct tg_verdict *verdict,
                                   const struct scratch *scratch)
{
    const struct tg_fit *best = &verdict->fits.model[verdict->fits.best];
    double *g = scratch->work, scale = isnan(best->noise2) ? 1 : best->noise2;
    int64_t n = verdict->n;
    TG_TRY(tg_null_gram(ctx, &best->null, n, g, g + n * n));
    for (int64_t t = 0; t < n; t++)
        verdict->distance[t] =
            sqrt(scale * fmax(g[t * n + t] + g[0] - 2 * g[t], 0));
    return TG_OK;
}

enum tg_err tg_verdict_run(const struct tg_ctx *ctx, const struct tg_pca *pca,
                           struct tg_verdict *verdict)
{
    struct scratch scratch;
    TG_TRY(layout(ctx->arena, pca->t, pca->k, verdict, &scratch));
    verdict->given = pca->nruns == 1 && isfinite(pca->ratio[0]);
    if (!verdict->given)
        return TG_OK;
    TG_TRY(tg_fit_models(ctx, pca->t, pca->d, pca->gram, pca->step2, &verdict->fits,
                         scratch.work));
    for (int i = 0; i < TG_MODELS; i++) {
        tg_ctx_progress(ctx, "comparing", i, TG_MODELS, "models");
        TG_TRY(expect(ctx, pca, (enum tg_model)i, verdict, &scratch));
    }
    tg_ctx_progress(ctx, "comparing", TG_MODELS, TG_MODELS, "models");
    choose(verdict);
    compare_shapes(pca, verdict);
    return expect_distance(ctx, verdict, &scratch);
}

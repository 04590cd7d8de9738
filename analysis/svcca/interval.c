/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Jackknife and half-sample intervals. */
#include "svcca/interval.h"

#include <math.h>
#include <string.h>

#include "stats/stats.h"
#include "svcca/null.h"
#include "svcca/pair.h"

static const double stands_out = 0.05;

static void by_block(const struct tg_resample *resample, double t, double value,
                     const double *without, struct tg_interval *interval)
{
    int64_t blocks = resample->blocks;
    double n = (double)resample->n, corrected = (double)blocks * value, square = 0;
    for (int64_t b = 0; b < blocks; b++) {
        int64_t first;
        double share = (double)tg_resample_block(resample, b, &first) / n;
        corrected -= (1 - share) * without[b];
    }
    for (int64_t b = 0; b < blocks; b++) {
        int64_t first;
        double h = n / (double)tg_resample_block(resample, b, &first);
        double deviation = h * value - (h - 1) * without[b] - corrected;
        square += deviation * deviation / (h - 1);
    }
    double se = sqrt(square / (double)blocks);
    *interval = (struct tg_interval){
        .corrected = corrected,
        .se = se,
        .low = corrected - t * se,
        .high = corrected + t * se,
        .p_zero = se > 0 ? tg_t_two_sided(corrected / se, (double)(blocks - 1)) : NAN};
}

static void by_halves(const struct tg_resample *resample, double level, double t, double value,
                      const double *half, double *sorted, struct tg_interval *interval)
{
    size_t count = (size_t)resample->replicates;
    double factor = t / tg_normal_quantile((1 + level) / 2);
    struct tg_moments moments = {0};
    tg_moments_add(&moments, count, half);
    int64_t above = 1, below = 1;
    for (size_t i = 0; i < count; i++) {
        sorted[i] = moments.mean + factor * (half[i] - moments.mean);
        above += sorted[i] >= 2 * value;
        below += sorted[i] <= 2 * value;
    }
    tg_sort(sorted, count);
    double se = sqrt(tg_moments_variance(&moments));
    double least = (double)(above < below ? above : below);
    *interval = (struct tg_interval){
        .corrected = 2 * value - moments.mean,
        .se = se,
        .low = 2 * value - tg_quantile(sorted, count, (1 + level) / 2),
        .high = 2 * value - tg_quantile(sorted, count, (1 - level) / 2),
        .p_zero = se > 0 ? fmin(2 * least / (double)(count + 1), 1) : NAN};
}

void tg_interval_make(const struct tg_resample *resample, double level, double value,
                      const double *replicate, double *sorted, struct tg_interval *interval)
{
    bool known = isfinite(value);
    for (int64_t i = 0; known && i < resample->replicates; i++)
        known = isfinite(replicate[i]);
    *interval = (struct tg_interval){NAN, NAN, NAN, NAN, NAN};
    if (!known)
        return;
    double t = tg_t_quantile((1 + level) / 2, (double)(resample->blocks - 1));
    if (resample->how == TG_RESAMPLE_BLOCK_OUT)
        by_block(resample, t, value, replicate, interval);
    else
        by_halves(resample, level, t, value, replicate, sorted, interval);
}

void tg_interval_clip(enum tg_score score, struct tg_interval *interval)
{
    double least = score == TG_SCORE_CKA_DEBIASED ? -1 : 0;
    double *x[] = {&interval->corrected, &interval->low, &interval->high};
    for (int i = 0; i < 3; i++)
        if (!isnan(*x[i]))
            *x[i] = fmin(fmax(*x[i], least), 1);
}

/* How many directions of the leading ka x kb block of M stand out. */
static enum tg_err count_standing(const struct tg_ctx *ctx, const struct tg_svcca_pair_work *work,
                                  int64_t ka, int64_t kb, const struct tg_basis_scratch *scratch,
                                  int64_t *count, int64_t *of)
{
    struct tg_cca_null null;
    double mean;
    TG_TRY(tg_pair_mean_rho(ctx, work->m, work->b->kept, ka, kb, scratch, scratch->w, &mean));
    tg_cca_null(work->a->n, ka, kb, &null);
    *count = tg_cca_significant(&null, scratch->w, stands_out, NULL);
    *of = null.p;
    return TG_OK;
}

enum tg_err tg_interval_standing(const struct tg_ctx *ctx,
                                 const struct tg_svcca_options *options,
                                 const struct tg_svcca_pair_work *work,
                                 const struct tg_basis_scratch *scratch,
                                 struct tg_standing *standing)
{
    const struct tg_basis *a = work->a, *b = work->b;
    *standing = (struct tg_standing){0};
    if (!(tg_resample_needs(options) & TG_BASIS_ALL))
        return TG_OK;
    TG_TRY(count_standing(ctx, work, a->rank, b->rank, scratch, &standing->all,
                          &standing->of_all));
    return count_standing(ctx, work, a->k[options->rule], b->k[options->rule], scratch,
                          &standing->kept, &standing->of_kept);
}

enum tg_undercovers tg_interval_undercovers(const struct tg_svcca_options *options,
                                            enum tg_score score, const struct tg_basis *a,
                                            const struct tg_basis *b,
                                            const struct tg_standing *standing)
{
    bool leading = score == TG_SCORE_SVCCA;
    bool rooted = score == TG_SCORE_CCA || score == TG_SCORE_SVCCA || score == TG_SCORE_PWCCA ||
                  score == TG_SCORE_PROCRUSTES || score == TG_SCORE_SHAPE;
    bool norms = score == TG_SCORE_CKA || score == TG_SCORE_CKA_DEBIASED ||
                 score == TG_SCORE_PROCRUSTES;
    int64_t directions = leading ? a->k[options->rule] + b->k[options->rule] : a->rank + b->rank;
    if (!norms && a->n < TG_SAMPLES_PER_DIRECTION * directions)
        return TG_FEW_SAMPLES;
    if (rooted && (leading ? standing->kept < standing->of_kept
                           : standing->all < standing->of_all))
        return TG_UNTOLD_DIRECTIONS;
    return TG_COVERS;
}

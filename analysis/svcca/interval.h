/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Intervals of scores, and of their differences, from replicates (resample.h).
 *
 * What is to be covered is the score of the population: that of ever more samples. A score of
 * n samples of d units is above it by O(d/n), often by several of its own sd, so an interval
 * about the score, or between quantiles of a bootstrap, misses it nearly always; both forms
 * here take that bias off.
 *
 * Jackknife, blocks of n_b samples, h_b = n / n_b, x_b the score without block b:
 *   corrected = B x - sum_b (1 - n_b/n) x_b
 *   se^2 = 1/B sum_b (h_b x - (h_b - 1) x_b - corrected)^2 / (h_b - 1)
 * (Busing, Meijer, van der Leeden, Stat. Comput. 9, 1999), corrected +- t_{B-1} se.
 *
 * Halves: the score y of half the samples differs from x as x does from the population, in
 * mean (to first order) and in spread: (2/n - 1/n) sigma^2. With quantiles q of y, stretched
 * about the mean of y by t_{B-1} over the normal quantile, the interval is
 * (2 x - q_high, 2 x - q_low), and 2 x - mean y is corrected.
 *
 * Both hold for scores that are smooth in sums over samples. A mean of correlations (cca,
 * svcca, pwcca) and a nuclear norm (procrustes, shape) are not where a correlation of the
 * population is 0: then the bias falls off as 1/sqrt(n) only, as fast as the sd, and no number
 * of samples mends it. cca_mean_squared, cka and regression are smooth everywhere.
 */
#ifndef TG_SVCCA_INTERVAL_H
#define TG_SVCCA_INTERVAL_H

#include "svcca/resample.h"

struct tg_interval {
    double corrected, se;
    double low, high;
    double p_zero; /* two-sided p of the population value 0; NaN when se is 0 */
};

/*
 * The interval of level `level` about a number that is `value` for all samples and
 * replicate[i] in each replicate; sorted has room for as many. All NaN when a replicate is.
 */
void tg_interval_make(const struct tg_resample *resample, double level, double value,
                      const double *replicate, double *sorted, struct tg_interval *interval);

/* Cut to the range that the population's score can have. */
void tg_interval_clip(enum tg_score score, struct tg_interval *interval);

/* Directions of a pair that stand out from chance at 5 % (null.h), of how many. */
struct tg_standing { int64_t all, of_all, kept, of_kept; };

/* Of what the bases hold, and of what SVCCA keeps; to be called by a hook, once a pair. */
TG_MUST_CHECK enum tg_err tg_interval_standing(const struct tg_ctx *ctx,
                                               const struct tg_svcca_options *options,
                                               const struct tg_svcca_pair_work *work,
                                               const struct tg_basis_scratch *scratch,
                                               struct tg_standing *standing);

/* Why an interval covers less often than its level says. */
enum tg_undercovers {
    TG_COVERS,
    TG_FEW_SAMPLES,   /* fewer than TG_SAMPLES_PER_DIRECTION for each direction of both */
    TG_UNTOLD_DIRECTIONS /* some correlations may be 0, where the score is not smooth */
};
enum { TG_SAMPLES_PER_DIRECTION = 10 };

enum tg_undercovers tg_interval_undercovers(const struct tg_svcca_options *options,
                                            enum tg_score score, const struct tg_basis *a,
                                            const struct tg_basis *b,
                                            const struct tg_standing *standing);

#endif

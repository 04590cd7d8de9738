/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Statistics: streaming moments and the tails of the standard distributions.
 *
 * DESIGN. Plain functions of numbers. Moments of parts are merged pairwise, so a caller that
 * always cuts at the same places gets the same bits whoever computed the parts. The
 * distribution functions are accurate in relative terms in their small tail.
 */
#ifndef TG_STATS_H
#define TG_STATS_H

#include <stddef.h>
#include <stdint.h>

/* Count, mean and sum of squared deviations; {0} is empty. */
struct tg_moments {
    int64_t count;
    double mean;
    double m2;
};

void tg_moments_add(struct tg_moments *moments, size_t n, const double *x);
void tg_moments_merge(struct tg_moments *moments, const struct tg_moments *other);

/* Unbiased variance; NaN for fewer than two numbers. */
double tg_moments_variance(const struct tg_moments *moments);

/* Standard error of the mean, sqrt(variance / count); NaN for fewer than two numbers. */
double tg_moments_sem(const struct tg_moments *moments);

/* Puts n numbers, none of them NaN, into ascending order. */
void tg_sort(double *x, size_t n);

/*
 * The p-quantile of n >= 1 numbers in ascending order: at place p (n + 1) of them, between
 * neighbours in proportion, so that a new draw is below it with chance p (where the numbers
 * reach so far; else the first or the last).
 */
double tg_quantile(const double *sorted, size_t n, double p);

/* P(Z <= x) of the standard normal. */
double tg_normal_cdf(double x);

/* Its inverse; -inf at 0, inf at 1, NaN outside [0, 1]. */
double tg_normal_quantile(double p);

/* P(X > x) of chi-square with `dof` > 0 degrees of freedom; 1 for x <= 0. */
double tg_chi2_sf(double x, double dof);

/* P(X > x) of the Beta distribution with shapes a, b > 0; NaN for others. */
double tg_beta_sf(double x, double a, double b);

/* P(|T| > |t|) of Student's t with `dof` > 0 degrees of freedom. */
double tg_t_two_sided(double t, double dof);

/* The t with P(T <= t) = p; -inf at 0, inf at 1, NaN outside [0, 1]. */
double tg_t_quantile(double p, double dof);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Null models of a trajectory: what PCA sees in walks that know nothing of a loss.
 *
 * DESIGN. One family holds every walk of Antognini and Sohl-Dickstein (arXiv:1806.08805,
 * sections 3 to 5) and what lies between them. Coordinates are independent and alike, so in
 * many dimensions the Gram matrix of the points tends to D times the covariance of one
 * coordinate, and that n x n matrix is written down exactly for finite n. From the first
 * point, u_0 = 0, at point t = 1 .. n - 1
 *
 *     u_t = (1 - alpha) u_{t-1} + z_t,                                          (1)
 *     Cov(z_s, z_t) proportional to l_s l_t (A_st + shared),                    (2)
 *
 * A the covariance of an autoregression a_t = momentum a_{t-1} + noise of variance 1, whose
 * first value has variance `first`, and l the measured lengths of the steps where they are
 * given, scaled so that the steps really have them.
 *
 *     walk                          all zero
 *     walk with drift mu t          shared = |mu|^2 / (d sigma^2)
 *     momentum, from rest           momentum = g, first = 1
 *     momentum, stationary          momentum = g, first = 1 / (1 - g^2)
 *     Ornstein-Uhlenbeck, starting in the minimum of its trap         alpha = a
 *     the same, starting at a distance rho from it    alpha = a, shared = a^2 rho^2 / (d sigma^2)
 *     the same, stationary: rho^2 is d sigma^2 / (a (2 - a))    alpha = a, shared = a / (2 - a)
 */
#ifndef TG_PCA_NULL_H
#define TG_PCA_NULL_H

#include "core/ctx.h"

struct tg_null {
    double alpha;        /* pull back, 0 <= alpha <= 1 */
    double momentum;     /* |momentum| < 1 */
    double first;        /* variance of the first step's own part; 0 stands for 1 */
    double shared;       /* >= 0: variance of what all steps have in common */
    const double *step2; /* NULL: steps as they come; else n - 1 measured squared lengths */
};

/* The variance of a stationary autoregression, 1 / (1 - momentum^2), for `first`. */
double tg_null_stationary(double momentum);

/*
 * g (n x n) := the centred Gram matrix of the n points for d sigma^2 = 1. O(n^2). `scratch`
 * has n doubles.
 */
TG_MUST_CHECK enum tg_err tg_null_gram(const struct tg_ctx *ctx, const struct tg_null *null,
                                       int64_t n, double *g, double *scratch);

/* Leading part of a null's spectrum. NaN everywhere when the path has no length. */
struct tg_null_spectrum {
    double trace;   /* sum of all eigenvalues */
    double square;  /* sum of the squares of all ratios */
    double *value;  /* k eigenvalues, descending */
    double *ratio;  /* k: value / trace */
    double *mode;   /* k x n eigenvectors in rows, none when NULL; the first entry is >= 0 */
};

/*
 * The caller sets value, ratio and mode. `work` has tg_null_work(n, k) doubles.
 * k <= n - 1. See tg_eigh_leading for the cost.
 */
size_t tg_null_work(int64_t n, int64_t k);
TG_MUST_CHECK enum tg_err tg_null_solve(const struct tg_ctx *ctx, const struct tg_null *null,
                                        int64_t n, int64_t k,
                                        struct tg_null_spectrum *spectrum, double *work);

/*
 * One standard deviation of a ratio in d_eff effective dimensions. Leading eigenvalues vary
 * independently by sqrt(2 / d_eff) of their size; a ratio varies less, for its denominator
 * goes with it: d ratio / ratio = (1 - ratio) e_k - sum of ratio_j e_j over the others, so
 * the variance is 2 / d_eff ratio^2 (1 - 2 ratio + square).
 */
double tg_null_band(double ratio, double square, double d_eff);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fits of the null models (null.h) to a trajectory, from its Gram matrix alone.
 *
 * DESIGN. Under a null the coordinates of the steps are draws from N(0, sigma^2 C), so the
 * likelihood depends on the data only through the Gram matrix M of the m = n - 1 steps, which
 * has a Wishart distribution: for each of d dimensions, with sigma^2 at its best,
 *
 *     log L = -1/2 (m log(tr(C^-1 M) / m) + log det C) + const.
 *
 * Every C here has a banded inverse but for one direction that all steps share, so tr(C^-1 M)
 * is a polynomial in the parameters over a dozen sums; these take one pass over the Gram
 * matrix, and after it a likelihood costs nothing. With pull back alpha and common part R
 * (`shared`), z_t = u_t - (1 - alpha) u_{t-1} and C = 1 + R 11^T:
 *
 *     tr(C^-1 M) = sum |z_t|^2 - R / (1 + m R) |sum z_t|^2,   log det C = log(1 + m R);
 *
 * with momentum g, steps being an AR(1), and q = 1 from rest or 1 - g^2 when stationary,
 *
 *     tr(C^-1 M) = q M_11 + sum_{t > 1} (M_tt - 2 g M_t,t-1 + g^2 M_t-1,t-1),
 *     log det C = -log q.
 *
 * Models with "steps" take each step's length as given and fit the directions only, on the
 * matrix of the steps' cosines; their lengths count as m parameters.
 *
 * Dimensions of a real step are not alike. Then d is d_eff = (tr S)^2 / tr S^2, S the noise's
 * covariance, which the angles between innovations tell: independent ones have cosines of
 * variance 1 / d_eff. It is taken from the innovations of the most likely model and scales all
 * log likelihoods, AIC = 2 (parameters) - 2 d_eff log L, and profile intervals alike.
 */
#ifndef TG_PCA_FIT_H
#define TG_PCA_FIT_H

#include "pca/null.h"

enum tg_model {
    TG_MODEL_WALK,
    TG_MODEL_WALK_STEPS,
    TG_MODEL_DRIFT,
    TG_MODEL_DRIFT_STEPS,
    TG_MODEL_MOMENTUM,            /* from rest */
    TG_MODEL_MOMENTUM_STATIONARY,
    TG_MODEL_MOMENTUM_STEPS,      /* stationary */
    TG_MODEL_TRAP,                /* Ornstein-Uhlenbeck, started in the minimum */
    TG_MODEL_TRAP_STATIONARY,
    TG_MODEL_TRAP_FAR,            /* started anywhere: the distance is fitted, too */
    TG_MODELS
};

/* What the wire calls it, "walk_steps", and what a sentence does, "a walk with ...". */
const char *tg_model_name(enum tg_model model);
const char *tg_model_title(enum tg_model model);

/* A maximum likelihood estimate with its 95 % profile interval; NaN where not fitted. */
struct tg_estimate { double value, lo, hi; };

struct tg_fit {
    bool fitted;           /* false: a step has no length, and the model needs it */
    int64_t parameters;
    double log_likelihood; /* of one dimension, less that of the walk */
    double aic;            /* less the lowest of all; NaN when d_eff is unknown */
    double noise2;         /* d sigma^2: mean squared length of the noise; NaN with "steps" */
    struct tg_estimate alpha, momentum, shared;
    struct tg_null null;   /* to draw its spectrum from; borrows step2 */
};

struct tg_fits {
    struct tg_fit model[TG_MODELS];
    enum tg_model likeliest; /* highest log likelihood */
    enum tg_model best;      /* lowest AIC; the likeliest when d_eff is unknown */
    double d_eff;            /* from the likeliest model's innovations; NaN below 3 steps */
};

/*
 * g is n x n, (x_i - x_r).(x_j - x_r) with any r, not centred; step2 the n - 1 squared
 * lengths of the steps, d the number of dimensions, which bounds d_eff. n >= 3. O(n^2);
 * `scratch` has 2 n doubles. When nothing moves, no model is fitted.
 */
TG_MUST_CHECK enum tg_err tg_fit_models(const struct tg_ctx *ctx, int64_t n, int64_t d,
                                        const double *g, const double *step2,
                                        struct tg_fits *fits, double *scratch);

/*
 * An Ornstein-Uhlenbeck walk does not fall to the minimum of its trap but to a shell about it,
 * of radius sqrt(d sigma^2 / (alpha (2 - alpha))): from outside it moves in, from inside out.
 */
struct tg_trap {
    struct tg_estimate radius;
    double start;     /* distance of the first point from the minimum, as fitted */
    double *expected; /* n: root mean squared distance from the minimum at each point */
    double *measured; /* n: distance from the minimum, placed where it is likeliest */
};

/* Of one of the three trap models with alpha > 0. The caller sets the arrays; O(n^2). */
TG_MUST_CHECK enum tg_err tg_fit_trap(const struct tg_ctx *ctx, int64_t n, const double *g,
                                      const struct tg_fit *fit, struct tg_trap *trap);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Principal component analysis of trajectories of T points in D dimensions, mostly D >> T.
 *
 * DESIGN. Ratios, scores, distances and steps all follow from the T x T Gram matrix, which
 * one pass over the data gives tensor by tensor (gram.h). A query takes a window of the
 * points, every stride-th of them, and a weight for each tensor; it needs no more than those
 * sums. Beside each measured ratio stand what a random walk of as many steps has (walk.h), and
 * what a walk with the measured step lengths has: a training run is only remarkable where it
 * differs from both. Several runs lie one behind the other and have their components in
 * common; beside these stand walks with the measured step lengths from where each run starts
 * (runs.h tells what one run has to do with another).
 *
 * There is one route, by the Gram matrix, for any T and D: steps, distances and null models
 * need it anyway, and its T^2 D is no more than reading the data where D >> T. What follows
 * takes 4/3 t^3 + 2 t^2 k FLOPs for t points in the window and k components. Points in fewer
 * than t / 2 dimensions are reduced to the range of their Gram matrix, which has rank D, in
 * 4 t^2 D + 8 t D^2 FLOPs; so no covariance is needed, which would take another pass. 5000
 * points in 50 dimensions take 2.5 s of one core (AMD Zen 4), of which 0.8 s are the null's; all
 * eigenvectors of their Gram matrix would take 33 s.
 */
#ifndef TG_PCA_H
#define TG_PCA_H

#include "core/ctx.h"
#include "pca/data.h"
#include "pca/gram.h"

enum { TG_PCA_MIN_POINTS = 3, TG_PCA_MAX_POINTS = 5000 };

struct tg_pca_options {
    int64_t components;       /* wanted; at most min(t - 1, D) are given */
    int64_t reference;        /* point that is subtracted before multiplying */
    int64_t from, to, stride; /* of each run's points: from, from + stride, ... < to */
    const double *loss;       /* of each of the T points, NaN: not known; NULL: of none */
};

/* Arrays lie in the context's arena. NaN stands where a number is not defined. */
struct tg_pca {
    int64_t t, d, k;             /* points in the window, dimensions, components given */
    int64_t *point;              /* t: where they stand in the data */
    int64_t nruns, *run;         /* nruns + 1: first points of runs in the window, and t */
    int64_t *minimum;            /* nruns: points of least loss, -1 where none is a number;
                                    without losses the last points */
    double total_variance;       /* sum of squared distances from the mean over t - 1 */
    double d_eff;                /* 1 / mean squared cosine of distinct steps of one run */
    double cosine;               /* mean of step_cosine */
    double unchanged;            /* fraction of coordinates left as they were by a step */
    double error;                /* of every eigenvalue as a share of their sum, first order */
    double unit;                 /* error of an entry (i, j) of gram over |x_i - x_r| |x_j - x_r|:
                                    precision of products, or twice what shows where it can */
    double bytes_read;           /* of the data; 0 when its sums had been kept */
    int64_t negative;            /* eigenvalues below zero beyond rounding of the solver */
    bool single;                 /* some products in single precision */
    double *variance;            /* k: eigenvalue / (t - 1) */
    double *ratio;               /* k */
    double *ratio_error;         /* k: bound on the error of each, first order */
    double *walk_ratio;          /* k: random walk; of one run, as band and overlap */
    double *step_null_ratio;     /* k: walk with the measured step lengths */
    double *step_null_mode;      /* k x t: modes of that walk; of one run, the first entry >= 0 */
    double step_null_square;     /* sum of squares of all its ratios; NaN of several runs */
    double *band;                /* k: one standard deviation of walk_ratio */
    double *overlap;             /* k: |cosine| of the scores with the walk's */
    double *scores;              /* t x k; the entry of largest magnitude is positive */
    double *step2;               /* t - 1: squared step lengths; 0 from run to run */
    double *step_norm;           /* t - 1; NaN from run to run */
    double *step_cosine;         /* t - 2: of successive steps; NaN where one has no length */
    double *from_start, *from_end, *from_minimum; /* t distances, each within its run */
    double *off_plane;           /* t: distance from the plane of the first two components */
    double *off_space;           /* t: from the space of all k */
    double *gram;                /* t x t, centred */
    struct tg_gram sums;         /* of the data's T points, tensor by tensor */
};

struct tg_pca_cost {
    size_t bytes;
    double flops, read_bytes;
    int64_t points, components; /* of the result */
};

/* Points that a window takes from a run of n. */
int64_t tg_pca_window(const struct tg_pca_options *options, int64_t n);

TG_MUST_CHECK enum tg_err tg_pca_cost(const struct tg_walk_data *data,
                                      const struct tg_pca_options *options,
                                      struct tg_pca_cost *cost);

/*
 * The window has at least TG_PCA_MIN_POINTS points. TG_NUMERIC with the reason in `report`
 * when an entry is not finite.
 */
TG_MUST_CHECK enum tg_err tg_pca_run(const struct tg_ctx *ctx, const struct tg_walk_data *data,
                                     const struct tg_pca_options *options, struct tg_pca *pca,
                                     struct tg_report *report);

/*
 * g (t x t) := the Gram matrix of the window's points, from the reference point: slot `slot`
 * without its weight, or all of them (slot -1) with theirs.
 */
TG_MUST_CHECK enum tg_err tg_pca_gram(const struct tg_ctx *ctx, const struct tg_walk_data *data,
                                      const struct tg_pca *pca, int64_t slot, double *g);

/*
 * What tg_pca_run() makes of a Gram matrix, for those who have one. tg_pca_lay_out() takes
 * arrays for up to `components` of pca->t points in pca->d dimensions, and for pca->gram, from
 * the arena. tg_pca_solve() then fills in total_variance, error, negative and all but
 * walk_ratio, band and step_null of them, from the centred pca->gram; `error` is that of the
 * matrix in norm, some unit sum of |x_i - x_r|^2. tg_pca_step_null() fills in step_null from
 * pca->step2, where something moves. `work` has tg_pca_solve_work(pca) doubles for either.
 */
void tg_pca_lay_out(struct tg_arena *arena, int64_t components, struct tg_pca *pca);
size_t tg_pca_solve_work(const struct tg_pca *pca);
TG_MUST_CHECK enum tg_err tg_pca_solve(const struct tg_ctx *ctx, double error, double *work,
                                       struct tg_pca *pca);
TG_MUST_CHECK enum tg_err tg_pca_step_null(const struct tg_ctx *ctx, double *work,
                                           struct tg_pca *pca);

/*
 * path.c. Of a Gram matrix g of the window: a squared distance, never below zero; the squared
 * length of the step from point i of the window to the next, over the coordinates of a slot or
 * of all (slot -1); and 1 over the mean squared cosine of distinct steps of one run, whose
 * squared lengths are given, NaN with fewer than two that have some.
 */
double tg_pca_distance2(const double *g, int64_t t, int64_t i, int64_t j);
double tg_pca_step2(const struct tg_walk_data *data, const struct tg_pca *pca, int64_t slot,
                    const double *g, int64_t i);
TG_MUST_CHECK enum tg_err tg_pca_d_eff(const struct tg_ctx *ctx, const struct tg_pca *pca,
                                       const double *g, const double *step2, double *d_eff);

/* Everything that distances and steps tell; g is the Gram matrix of the window. */
TG_MUST_CHECK enum tg_err tg_pca_describe_path(const struct tg_ctx *ctx,
                                               const struct tg_walk_data *data,
                                               const struct tg_pca_options *options,
                                               const double *g, struct tg_pca *pca);

#endif

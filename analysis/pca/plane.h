/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How faithful the plane of the first two components is to the path that is drawn in it.
 *
 * DESIGN. Contours of the loss over this plane (as in Li et al., "Visualizing the loss
 * landscape of neural nets", NeurIPS 2018) belong to networks that lie in the plane; those of
 * the training lie off it. Whether the difference matters is a question of two lengths, which
 * the scores and the steps tell: with D the step x_{i+1} - x_i and P the projection,
 *
 *     hidden     |D - P D|^2 / |D|^2: what of the step a picture in the plane does not show,
 *     steps_off  |x_{i+1} - P x_{i+1}| / |D|: how many such steps lead back to the plane.
 *
 * A random walk of n points hides 1 - 2 / (n - 1) of its steps' squared lengths: along
 * component k these sum to lambda_k v_k^T L v_k, L the path graph's Laplacian, which is 1 step
 * for each component (walk.h), of n - 1.
 */
#ifndef TG_PCA_PLANE_H
#define TG_PCA_PLANE_H

#include "pca/pca.h"

/* Of one run; NaN without steps. */
struct tg_plane_run {
    int64_t steps;     /* longer than the error of the scores */
    double hides_more; /* share of them more than half of which is hidden */
    double hidden;     /* share of the squared lengths of all of them together */
    double walk;       /* that of a random walk in a plane of its own; NaN of several runs */
    double steps_off;  /* median */
};

/* Arrays lie in the context's arena. With one component the plane is a line. */
struct tg_plane {
    double *hidden;    /* t - 1; NaN from run to run and where a step is too short */
    double *steps_off; /* t - 1 likewise */
    struct tg_plane_run *run; /* pca->nruns */
};

/* Arena bytes for t points of so many runs. */
size_t tg_plane_bytes(int64_t t, int64_t nruns);

/* Of what tg_pca_run() found. O(t log t). TG_NOMEM. */
TG_MUST_CHECK enum tg_err tg_plane_describe(const struct tg_ctx *ctx, const struct tg_pca *pca,
                                            struct tg_plane *plane);

#endif

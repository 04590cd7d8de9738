/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What each part of a trajectory's coordinates does by itself: layer by layer, from sums that
 * are there.
 *
 * DESIGN. Squared distances add up over coordinates, so a Gram matrix is the sum of those of
 * its slots (gram.h), and a layer's variance, steps and spectrum follow from its own term. Only
 * its share of the whole counts the layer's weight; lengths are those of its weights as stored.
 */
#ifndef TG_PCA_LAYERS_H
#define TG_PCA_LAYERS_H

#include "pca/pca.h"

/* One slot of the sums. NaN where a number is not defined. */
struct tg_layer {
    int64_t first, end;  /* its tensors in the data */
    int64_t n;           /* coordinates */
    double share;        /* of the variance of the whole, weights counted */
    double ratio;        /* share of its own variance along its own first component */
    double d_eff;        /* 1 / mean squared cosine of its distinct steps in one run */
    double step_norm;    /* mean length of its steps */
    double path;         /* their lengths together */
    double distance;     /* from the first point of a run to its last; of several runs the sum */
};

/* Arena bytes and FLOPs for t points and so many slots. */
struct tg_pca_cost tg_layers_cost(int64_t t, int64_t nslots);

/* layer[slot] for each slot of pca->sums. O(t^2) a slot, and its first eigenvalue. */
TG_MUST_CHECK enum tg_err tg_layers_run(const struct tg_ctx *ctx,
                                        const struct tg_walk_data *data,
                                        const struct tg_pca *pca, struct tg_layer *layer);

#endif

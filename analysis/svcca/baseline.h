/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What found directions are set beside: random directions of the same layer, and its units.
 *
 * A random direction says what any subspace of the layer would do, whatever its variance; a
 * unit says what the layer's own axes do (Raghu et al., "SVCCA", NeurIPS 2017, figure 2:
 * random units, and those of the largest activations).
 */
#ifndef TG_SVCCA_BASELINE_H
#define TG_SVCCA_BASELINE_H

#include "core/mat.h"
#include "svcca/basis.h"

/* For bases of up to d directions. */
struct tg_baseline_scratch {
    double *q, *r; /* d x d each */
    double *draws; /* d */
    double *work;
    struct tg_baseline_size { double size; int64_t unit; } *size; /* d */
};

void tg_baseline_layout(struct tg_arena *arena, int64_t d, struct tg_baseline_scratch *scratch);

/*
 * h (n x kept) = U Q with Q uniformly distributed among the orthogonal matrices: the first
 * k columns are k random orthonormal directions of the layer. 4/3 kept^3 + 2 n kept^2 FLOPs.
 */
TG_MUST_CHECK enum tg_err tg_baseline_directions(const struct tg_ctx *ctx,
                                                 const struct tg_basis *basis, uint64_t seed,
                                                 uint64_t stream,
                                                 const struct tg_baseline_scratch *scratch,
                                                 double *h);

/*
 * The units of a layer, centred, into h (n x d), and in `largest` the units by falling mean
 * of |activation|, equal ones in their order.
 */
TG_MUST_CHECK enum tg_err tg_baseline_units(const struct tg_ctx *ctx,
                                            const struct tg_mat *layer,
                                            const struct tg_baseline_scratch *scratch,
                                            double *h, int64_t *largest);

/* The places 0 .. d - 1 in a random order; every order is equally likely. */
void tg_baseline_shuffle(uint64_t seed, uint64_t stream, int64_t d,
                         const struct tg_baseline_scratch *scratch, int64_t *order);

#endif

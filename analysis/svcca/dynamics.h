/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * When layers become what they end as, and when training could leave them alone.
 *
 * Raghu et al., "SVCCA", NeurIPS 2017, section 4.1 and figures 4 and 5: layers converge from
 * the bottom up, so a layer that has converged can be frozen together with all below it.
 *
 * What a frozen layer saves, for layers 0 (bottom) .. n - 1 with c_j FLOPs forward: the
 * gradient by a layer's weights and that by its inputs cost c_j each. The first is computed
 * while the layer is trained, until step f_j; the second while the layer below is, until
 * f_{j-1}, and never by layer 0. With f_0 <= f_1 <= ... and T steps,
 *   backward = sum_j c_j f_j / T + sum_{j > 0} c_j f_{j-1} / T
 * of sum_j c_j + sum_{j > 0} c_j. The forward pass costs sum_j c_j, whatever is frozen.
 */
#ifndef TG_SVCCA_DYNAMICS_H
#define TG_SVCCA_DYNAMICS_H

#include <stddef.h>
#include <stdint.h>

/*
 * The first of n steps (ascending) from which on a layer's similarity with its last step is
 * at least `share` of the last, which is its similarity with itself. -1 where that is NaN (a
 * layer that never changes). A NaN in between counts as not similar.
 */
int64_t tg_dynamics_converged(const int64_t *step, const double *similarity, size_t n,
                              double share);

/*
 * The step from which each of n layers, bottom first, can be frozen with all below it: the
 * latest of their converged steps. From the first layer whose step is not known (-1) upwards
 * all are -1. The two arrays may be the same.
 */
void tg_dynamics_freeze(size_t n, const int64_t *converged, int64_t *freeze);

/* Shares of what the layers cost in a training of `steps` > 0 steps, in [0, 1]. */
struct tg_freeze_saving {
    double backward; /* of the two gradients */
    double training; /* of the forward pass and the gradients */
};

/* `flops` are n costs forward, not negative, not all 0; a layer of freeze -1 stays trained. */
struct tg_freeze_saving tg_dynamics_saving(size_t n, const double *flops,
                                           const int64_t *freeze, int64_t steps);

#endif

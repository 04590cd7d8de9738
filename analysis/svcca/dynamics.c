/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Convergence of layers, and freezing them. */
#include "svcca/dynamics.h"

#include <math.h>

int64_t tg_dynamics_converged(const int64_t *step, const double *similarity, size_t n,
                              double share)
{
    size_t first = n - 1;
    double enough = share * similarity[n - 1];
    if (isnan(enough))
        return -1;
    while (first > 0 && similarity[first - 1] >= enough)
        first--;
    return step[first];
}

void tg_dynamics_freeze(size_t n, const int64_t *converged, int64_t *freeze)
{
    for (size_t i = 0; i < n; i++) {
        int64_t below = i ? freeze[i - 1] : 0;
        freeze[i] = below < 0 || converged[i] < 0 ? -1
                    : converged[i] > below        ? converged[i]
                                                  : below;
    }
}

struct tg_freeze_saving tg_dynamics_saving(size_t n, const double *flops,
                                           const int64_t *freeze, int64_t steps)
{
    double forward = 0, full = 0, left = 0, below = 0;
    for (size_t i = 0; i < n; i++) {
        double trained = freeze[i] < 0 ? 1 : fmin((double)freeze[i] / (double)steps, 1);
        forward += flops[i];
        full += i ? 2 * flops[i] : flops[i];
        left += flops[i] * (trained + below);
        below = trained;
    }
    return (struct tg_freeze_saving){.backward = (full - left) / full,
                                     .training = (full - left) / (forward + full)};
}

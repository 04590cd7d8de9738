/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cost: the machine's rate, and a kind's estimate in the scheduler's terms. */
#include "server/cost.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linalg/linalg.h"
#include "server/clock.h"

enum { PRODUCT = 256, ROUNDS = 3 };

/* Beside the workspace: result document and figures while they are being written. */
static const uint64_t document_bytes = 4 << 20;
static const double read_rate = 2e9;
static double flops_rate = 1e9; /* written before any other thread runs */

void tg_cost_calibrate(void)
{
    const size_t count = (size_t)PRODUCT * PRODUCT;
    const struct tg_ctx ctx = {.lanes = 1};
    double *p = calloc(3 * count, sizeof(double));
    double best = INFINITY;
    for (size_t i = 0; p && i < 2 * count; i++)
        p[i] = 1;
    for (int round = 0; p && round < ROUNDS; round++) {
        double began = tg_clock_monotonic();
        if (tg_gemm(&ctx, TG_N, TG_N, PRODUCT, PRODUCT, PRODUCT, 1, p, PRODUCT, p + count,
                    PRODUCT, 0, p + 2 * count, PRODUCT))
            break;
        best = fmin(best, tg_clock_monotonic() - began);
    }
    free(p);
    if (best > 0 && isfinite(best))
        flops_rate = 2.0 * PRODUCT * PRODUCT * PRODUCT / best;
}

double tg_cost_flops_per_second(void)
{
    return flops_rate;
}

enum tg_err tg_cost_of(const struct tg_job *job, unsigned lanes, struct tg_job_cost *cost)
{
    struct tg_cost kind = {0};
    size_t peak;
    TG_TRY(job->kind->estimate(job, lanes, &kind));
    if (!tg_add_ok(kind.peak_bytes, job->decoded_bytes, &peak) ||
        !tg_add_ok(peak, document_bytes, &peak))
        return TG_NOMEM;
    *cost = (struct tg_job_cost){
        .peak_bytes = peak,
        .arena_bytes = kind.peak_bytes,
        .flops = kind.flops,
        .read_bytes = kind.read_bytes,
        .seconds = kind.seconds > 0 ? kind.seconds
                                    : kind.flops / flops_rate + kind.read_bytes / read_rate,
    };
    memcpy(cost->plan, kind.plan, sizeof(cost->plan));
    return TG_OK;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Layer by layer from the Gram matrix of each slot. */
#include "pca/layers.h"

#include <math.h>

#include "linalg/linalg.h"
#include "pca/walk.h"

/* With the Gram matrix of a slot, for its first eigenvalue: more or less. */
static const double products = 50;

struct scratch {
    double *g, *work;
    double *step2, *mean, *vector;
};

static void layout(struct tg_arena *arena, int64_t t, struct scratch *scratch)
{
    size_t n = (size_t)t;
    scratch->g = tg_arena_alloc(arena, n * n, sizeof(double));
    scratch->work = tg_arena_alloc(arena, tg_eigh_leading_work(t, 1), sizeof(double));
    scratch->step2 = tg_arena_alloc(arena, n, sizeof(double));
    scratch->mean = tg_arena_alloc(arena, n, sizeof(double));
    scratch->vector = tg_arena_alloc(arena, n, sizeof(double));
}

struct tg_pca_cost tg_layers_cost(int64_t t, int64_t nslots)
{
    struct scratch scratch;
    struct tg_pca_cost cost = {0};
    struct tg_arena *arena = tg_arena_new_measuring();
    if (!arena)
        return cost;
    layout(arena, t, &scratch);
    cost.bytes = tg_arena_high_water(arena);
    cost.flops = 2 * products * (double)nslots * (double)t * (double)t;
    tg_arena_free(arena);
    return cost;
}

static void describe_steps(const struct tg_walk_data *data, const struct tg_pca *pca,
                           int64_t slot, const struct scratch *scratch, struct tg_layer *layer)
{
    double steps = 0;
    for (int64_t r = 0; r < pca->nruns; r++) {
        int64_t first = pca->run[r], last = pca->run[r + 1] - 1;
        scratch->step2[last] = 0; /* none leads to the next run */
        for (int64_t i = first; i < last; i++, steps++) {
            scratch->step2[i] = tg_pca_step2(data, pca, slot, scratch->g, i);
            layer->path += sqrt(scratch->step2[i]);
        }
        layer->distance += sqrt(tg_pca_distance2(scratch->g, pca->t, first, last));
    }
    layer->step_norm = layer->path / steps;
}

/* The slot's variance times t - 1. */
static enum tg_err describe(const struct tg_ctx *ctx, const struct tg_walk_data *data,
                            const struct tg_pca *pca, int64_t slot,
                            const struct scratch *scratch, struct tg_layer *layer,
                            double *variance)
{
    double *g = scratch->g, largest;
    size_t ld = (size_t)pca->t;
    *variance = 0;
    TG_TRY(tg_pca_gram(ctx, data, pca, slot, g));
    describe_steps(data, pca, slot, scratch, layer);
    TG_TRY(tg_pca_d_eff(ctx, pca, g, scratch->step2, &layer->d_eff));
    TG_TRY(tg_gram_centre(ctx, pca->t, g, scratch->mean));
    for (int64_t i = 0; i < pca->t; i++)
        *variance += g[i * pca->t + i];
    layer->ratio = NAN;
    if (!(*variance > 0))
        return TG_OK;
    TG_TRY(tg_eigh_leading(ctx, pca->t, 1, g, ld, &largest, scratch->vector, scratch->work));
    layer->ratio = fmin(largest / *variance, 1);
    return TG_OK;
}

enum tg_err tg_layers_run(const struct tg_ctx *ctx, const struct tg_walk_data *data,
                          const struct tg_pca *pca, struct tg_layer *layer)
{
    int64_t nslots = pca->sums.plan.nslots;
    struct scratch scratch;
    double total = 0, variance;
    layout(ctx->arena, pca->t, &scratch);
    if (tg_arena_failed(ctx->arena))
        return TG_NOMEM;
    for (int64_t slot = 0, first = 0, end; slot < nslots; slot++, first = end) {
        struct tg_layer *it = &layer[slot];
        end = tg_gram_slot_end(&pca->sums.plan, data, first);
        *it = (struct tg_layer){.first = first, .end = end};
        for (int64_t i = first; i < end; i++)
            it->n += data->tensor[i].n;
        TG_TRY(describe(ctx, data, pca, slot, &scratch, it, &variance));
        it->share = data->tensor[first].weight * variance;
        total += it->share;
        tg_ctx_progress(ctx, "layers", (double)slot + 1, (double)nslots, "layers");
    }
    for (int64_t slot = 0; slot < nslots; slot++)
        layer[slot].share /= total;
    return TG_OK;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The part `layers` of the kind pca: what each tensor of checkpoints does by itself. */
#include "proto/kinds/pca_kind.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pca/components.h"
#include "pca/layers.h"

#include "proto/buf.h"
#include "proto/figure.h"

enum { DIRECTIONS = 2, NAME_SIZE = 200 };

struct state {
    struct tg_layer *layer; /* of each slot */
    double *share;          /* DIRECTIONS x slots: of the first components */
    double *scratch;
};

static int64_t count_directions(int64_t components)
{
    return components < DIRECTIONS ? components : DIRECTIONS;
}

static enum tg_err prepare(struct pca_work *work, size_t place, struct tg_arena *arena,
                           struct tg_cost *cost)
{
    int64_t slots = tg_gram_plan(&work->data).nslots, t = work->cost.points;
    int64_t k = count_directions(work->cost.components);
    struct state local;
    if (!work->file)
        return TG_OK;
    struct state *state = tg_arena_alloc(arena, 1, sizeof(*state));
    local.layer = tg_arena_alloc(arena, (size_t)slots, sizeof(*local.layer));
    local.share = tg_arena_alloc(arena, (size_t)(k * slots), sizeof(double));
    local.scratch = tg_arena_alloc(arena, (size_t)(t * (t + k)), sizeof(double));
    if (state) {
        *state = local;
        work->state[place] = state;
    }
    struct tg_pca_cost own = tg_layers_cost(t, slots);
    cost->peak_bytes += own.bytes;
    cost->flops += own.flops + 2.0 * (double)(k * slots) * (double)t * (double)t;
    return tg_arena_failed(arena) ? TG_NOMEM : TG_OK;
}

/* The tensor's name, or what all names of a slot begin with and a star. */
static void write_name(const struct pca_work *work, const struct tg_layer *layer,
                       char name[NAME_SIZE])
{
    const char *first = work->data.tensor[layer->first].name;
    size_t n = strlen(first);
    for (int64_t i = layer->first + 1; i < layer->end; i++) {
        size_t same = 0;
        while (same < n && first[same] == work->data.tensor[i].name[same])
            same++;
        n = same;
    }
    char begin[NAME_SIZE - 1], whole[NAME_SIZE - 1];
    snprintf(begin, sizeof(begin), "%.*s", (int)n, first);
    snprintf(name, NAME_SIZE, "%s%s", tg_utf8_copy(whole, sizeof(whole), begin),
             layer->end > layer->first + 1 ? "*" : "");
}

static json_t *layer_row(const struct pca_work *work, const struct state *state, int64_t slot)
{
    const struct tg_layer *layer = &state->layer[slot];
    int64_t slots = work->pca.sums.plan.nslots;
    bool second = count_directions(work->pca.k) > 1;
    char name[NAME_SIZE];
    write_name(work, layer, name);
    return json_pack(
        "{s:o, s:I, s:I, s:f, s:o, s:o, s:o, s:o, s:o, s:f, s:f, s:f}", "layer",
        json_string(name), "tensors",
        (json_int_t)(layer->end - layer->first), "coordinates", (json_int_t)layer->n, "weight",
        work->data.tensor[layer->first].weight, "share", pca_real_or_null(layer->share),
        "component_1", pca_real_or_null(state->share[slot]), "component_2",
        pca_real_or_null(second ? state->share[slots + slot] : NAN), "first_ratio",
        pca_real_or_null(layer->ratio), "d_eff", pca_real_or_null(layer->d_eff), "step_norm",
        layer->step_norm, "path_length", layer->path, "distance", layer->distance);
}

static json_t *layer_table(const struct pca_work *work, const struct state *state)
{
    json_t *table = json_array();
    for (int64_t i = 0; table && i < work->pca.sums.plan.nslots; i++)
        if (json_array_append_new(table, layer_row(work, state, i))) {
            json_decref(table);
            return NULL;
        }
    return table;
}

static enum tg_err put_figure(const struct pca_work *work, const struct state *state,
                              struct tg_result *result)
{
    const char *title = "Variance by layer";
    size_t n = (size_t)work->pca.sums.plan.nslots;
    char(*name)[NAME_SIZE] = calloc(n, sizeof(*name));
    const char **label = calloc(n, sizeof(*label));
    double *share = calloc(2 * n, sizeof(*share)), *expected = share + n;
    bool whole = name && label && share;
    for (size_t i = 0; whole && i < n; i++) {
        write_name(work, &state->layer[i], name[i]);
        label[i] = name[i];
        share[i] = state->layer[i].share;
        expected[i] = (double)state->layer[i].n / (double)work->data.d;
    }
    if (whole)
        tg_result_figure(result, "layers", title,
                         tg_figure_named_bars(title, "layer", "share", label,
                                              "of the variance", share,
                                              "of the coordinates", expected, n));
    free(name);
    free(label);
    free(share);
    return whole ? TG_OK : TG_NOMEM;
}

static enum tg_err finish(const struct pca_work *work, size_t place, const struct tg_ctx *ctx,
                          struct tg_result *result)
{
    const struct state *state = work->state[place];
    const struct tg_pca *pca = &work->pca;
    int64_t slots = pca->sums.plan.nslots, k = count_directions(pca->k);
    if (!state)
        return TG_OK;
    TG_TRY(tg_layers_run(ctx, &work->data, pca, state->layer));
    if (isfinite(pca->ratio[0]))
        TG_TRY(tg_components_share(ctx, &work->data, pca, k, state->share, state->scratch));
    else
        for (int64_t i = 0; i < k * slots; i++)
            state->share[i] = NAN;
    tg_result_value(result, "layers", layer_table(work, state));
    if (slots < work->data.ntensors)
        tg_result_warn(result, "layers-joined",
                       "Sums for each of %lld tensors would take more than %d MiB, so "
                       "neighbours whose names begin alike are %lld layers together.",
                       (long long)work->data.ntensors, TG_GRAM_BYTES >> 20, (long long)slots);
    return isfinite(pca->ratio[0]) && slots > 1 ? put_figure(work, state, result) : TG_OK;
}

const struct pca_part pca_layers_part = {.prepare = prepare, .finish = finish};

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The part `permutations` of the kind svcca: a null for every score, whatever the data. */
#include "proto/kinds/svcca_kind.h"

#include <math.h>

#include "svcca/permute.h"

struct state {
    struct tg_permute permute;
    struct tg_permuted *permuted; /* pairs x TG_SCORES */
};

static enum tg_err on_pair(void *arg, const struct tg_ctx *ctx,
                           const struct tg_svcca_pair_work *work)
{
    struct state *state = arg;
    return tg_permute_pair(ctx, work, &state->permute,
                           state->permuted + work->index * TG_SCORES);
}

static void add_flops(const struct svcca_work *work, struct tg_svcca_cost *cost)
{
    const struct tg_svcca_options *options = &work->options;
    for (int64_t i = 0; i < options->ncompared; i++) {
        const struct tg_mat *a = &work->layers[options->compared[i].a].mat;
        const struct tg_mat *b = &work->layers[options->compared[i].b].mat;
        cost->flops += (double)work->params->permutations *
                       tg_permute_flops(options, a->shape[0], a->shape[1], b->shape[1]);
    }
}

static enum tg_err prepare(struct svcca_work *work, size_t place, struct tg_arena *arena,
                           struct tg_svcca_cost *cost)
{
    struct state local = {.permute = {.options = &work->options,
                                      .count = work->params->permutations,
                                      .seed = (uint64_t)work->params->seed,
                                      .n = work->layers[0].mat.shape[0]}};
    if (!work->params->permutations)
        return TG_OK;
    for (size_t i = 0; i < work->nlayers; i++)
        if (work->layers[i].mat.shape[1] > local.permute.d)
            local.permute.d = work->layers[i].mat.shape[1];
    struct state *state = tg_arena_alloc(arena, 1, sizeof(*state));
    size_t scores = (size_t)work->options.ncompared * TG_SCORES;
    local.permuted = tg_arena_alloc(arena, scores, sizeof(*local.permuted));
    tg_permute_layout(arena, work->lanes, &local.permute);
    add_flops(work, cost);
    if (state && local.permuted) {
        for (size_t i = 0; i < scores; i++) /* pairs with a constant layer stay so */
            local.permuted[i] = (struct tg_permuted){NAN, NAN, NAN, NAN, NAN, NAN, NAN};
        *state = local;
        work->state[place] = state;
    }
    svcca_add_hook(work, &(struct tg_svcca_hook){.arg = state,
                                                 .needs = tg_permute_needs(&work->options),
                                                 .pair = on_pair});
    return tg_arena_failed(arena) ? TG_NOMEM : TG_OK;
}

static json_t *row_of(const struct svcca_work *work, const struct state *state, int64_t index,
                      enum tg_score score)
{
    const struct tg_svcca *svcca = &work->svcca;
    const struct tg_svcca_pair *pair = &svcca->pair[index];
    const struct tg_permuted *null = &state->permuted[index * TG_SCORES + score];
    return json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "a", svcca->name[pair->a],
        "b", svcca->name[pair->b], "score", tg_score_name(score), "value",
        svcca_real_or_null(tg_score_of(&work->options, pair, score)), "null_mean",
        svcca_real_or_null(null->mean), "null_sd", svcca_real_or_null(null->sd), "null_median",
        svcca_real_or_null(null->median), "null_95", svcca_real_or_null(null->q95), "null_99",
        svcca_real_or_null(null->q99), "p", svcca_real_or_null(null->p), "p_family",
        svcca_real_or_null(tg_permute_family_p(&state->permute, score, null->z)));
}

static enum tg_err finish(const struct svcca_work *work, size_t place,
                          const struct tg_ctx *ctx, struct tg_result *result)
{
    const struct state *state = work->state[place];
    if (!state)
        return TG_OK;
    json_t *table = json_array();
    enum tg_err err = table ? TG_OK : TG_NOMEM;
    for (int64_t i = 0; !err && i < work->svcca.npairs; i++) {
        err = tg_ctx_poll(ctx);
        for (int score = 0; !err && score < TG_SCORES; score++)
            if (tg_score_asked(&work->options, (enum tg_score)score) &&
                json_array_append_new(table, row_of(work, state, i, (enum tg_score)score)))
                err = TG_NOMEM;
    }
    if (err) {
        json_decref(table);
        return err;
    }
    tg_result_value(result, "permutations", table);
    return TG_OK;
}

const struct svcca_part svcca_permutations_part = {.prepare = prepare, .finish = finish};

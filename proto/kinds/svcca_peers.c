/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The part `compare_with` of the kind svcca: what other programs print for each pair. */
#include "proto/kinds/svcca_kind.h"

#include <math.h>
#include <string.h>

#include "svcca/peers.h"

const char *const svcca_peer_names[] = {"google_cca", "google_pwcca", "anatome",
                                        "resi",       "kornblith",    NULL};

static enum tg_err prepare(struct svcca_work *work, size_t place, struct tg_arena *arena,
                           struct tg_svcca_cost *cost)
{
    const struct tg_peers_options options = {.peers = work->params->compare_with,
                                             .google_epsilon =
                                                 work->params->google_epsilon,
                                             .rbf_threshold = work->params->rbf_bandwidth};
    int64_t n = work->layers[0].mat.shape[0], most = 0;
    if (!options.peers)
        return TG_OK;
    for (size_t i = 0; i < work->nlayers; i++) {
        int64_t d = work->layers[i].mat.shape[1];
        most = d > most ? d : most;
        for (size_t j = 0; j < i; j++)
            cost->flops += tg_peers_flops(n, d, work->layers[j].mat.shape[1], &options);
    }
    work->state[place] = tg_peers_new(arena, n, most, &options);
    return tg_arena_failed(arena) ? TG_NOMEM : TG_OK;
}

/* Our own number for what a peer measures; null where the job does not ask for it. */
static json_t *ours_of(const struct tg_result *result, int64_t pair, const char *name)
{
    json_t *value = json_object_get(svcca_pair_row(result, pair), name);
    return value ? json_incref(value) : json_null();
}

static json_t *row_of(const struct svcca_work *work, const struct tg_result *result,
                      int64_t pair, const struct tg_peer_score *score)
{
    const struct tg_svcca *svcca = &work->svcca;
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:o, s:s}", "a",
                     svcca->name[svcca->pair[pair].a], "b",
                     svcca->name[svcca->pair[pair].b], "peer", score->peer, "measure",
                     score->measure, "sense", score->distance ? "distance" : "similarity",
                     "value", svcca_real_or_null(score->value), "rounding",
                     svcca_real_or_null(isnan(score->value) ? NAN : score->rounding),
                     "our_measure", score->ours, "ours",
                     ours_of(result, pair, score->ours), "why", score->why);
}

static enum tg_err add_pair(const struct svcca_work *work, struct tg_peers *peers,
                            int64_t pair, const struct tg_ctx *ctx,
                            const struct tg_result *result, json_t *table)
{
    const struct tg_svcca_pair *which = &work->svcca.pair[pair];
    struct tg_peer_scores scores;
    TG_TRY(tg_peers_compare(ctx, peers, &work->layers[which->a].mat,
                            &work->layers[which->b].mat, &scores));
    for (int i = 0; i < scores.n; i++)
        if (json_array_append_new(table, row_of(work, result, pair, &scores.score[i])))
            return TG_NOMEM;
    return TG_OK;
}

static enum tg_err finish(const struct svcca_work *work, size_t place,
                          const struct tg_ctx *ctx, struct tg_result *result)
{
    struct tg_peers *peers = work->state[place];
    if (!peers)
        return TG_OK;
    json_t *table = json_array();
    enum tg_err err = table ? TG_OK : TG_NOMEM;
    for (int64_t pair = 0; !err && pair < work->svcca.npairs; pair++) {
        tg_ctx_progress(ctx, "asking the peers", (double)pair, (double)work->svcca.npairs,
                        "pairs");
        err = add_pair(work, peers, pair, ctx, result, table);
    }
    if (err)
        json_decref(table);
    else
        tg_result_value(result, "peers", table);
    return err;
}

const struct svcca_part svcca_peers_part = {.prepare = prepare, .finish = finish};

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The part `intervals` of the kind svcca: intervals of scores and of their differences. */
#include "proto/kinds/svcca_kind.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/figure.h"
#include "svcca/interval.h"

enum {
    JACKKNIFE = 1,
    AUTO_BLOCKS_JACKKNIFE = 20,
    AUTO_BLOCKS_HALVES = 100,
    ALL_DIFFERENCES = 300,  /* pairs of pairs up to which all are told */
    MAX_DIFFERENCES = 5000, /* pairs of pairs that share a layer */
    MAX_IN_FIGURE = 12      /* pairs */
};

const char *const svcca_interval_names[] = {"none", "jackknife", "bootstrap", NULL};

struct state {
    struct tg_resample resample;
    struct tg_standing *standing;  /* of each pair */
    struct tg_interval *interval;  /* pairs x TG_SCORES */
    double *change, *sorted;       /* replicates */
};

/* A warning of finish(): how many intervals, and the first. */
struct doubt { int64_t count, pair; enum tg_score score; enum tg_undercovers why; };

/* Faults of measures that have no intervals. */
static void check(const struct tg_job *job, struct tg_report *report)
{
    const struct svcca_params *p = job->params;
    char with[200] = "", without[200] = "";
    for (int i = 0; i < TG_SVCCA_MEASURES; i++) {
        bool has = tg_resample_has((enum tg_svcca_measure)i);
        char *to = has ? with : without;
        size_t used = strlen(to);
        if (has || p->measures >> i & 1)
            snprintf(to + used, sizeof(with) - used, "%s%s", used ? ", " : "",
                     svcca_measure_names[i]);
    }
    if (p->intervals && *without)
        tg_fault_add_value(report, TG_INVALID, "/params/intervals", without, with,
                           "Only measures that are made of sums over samples have intervals; "
                           "leave the others out of `measures`.");
}

static enum tg_err on_pair(void *arg, const struct tg_ctx *ctx,
                           const struct tg_svcca_pair_work *work)
{
    struct state *state = arg;
    TG_TRY(tg_interval_standing(ctx, state->resample.options, work,
                                &state->resample.lane[0].scratch,
                                &state->standing[work->index]));
    return tg_resample_pair(ctx, work, &state->resample);
}

/* What is asked for, with the number of blocks that the samples allow. */
static struct tg_resample resample_of(const struct svcca_work *work)
{
    const struct svcca_params *p = work->params;
    bool jackknife = p->intervals == JACKKNIFE;
    struct tg_resample resample = {
        .options = &work->options,
        .how = jackknife ? TG_RESAMPLE_BLOCK_OUT : TG_RESAMPLE_HALVES,
        .seed = (uint64_t)p->seed,
        .n = work->layers[0].mat.shape[0],
        .npairs = work->options.ncompared,
        .blocks = p->interval_blocks};
    if (!resample.blocks)
        resample.blocks = jackknife ? AUTO_BLOCKS_JACKKNIFE : AUTO_BLOCKS_HALVES;
    if (resample.blocks > resample.n)
        resample.blocks = resample.n;
    if (!jackknife)
        resample.blocks -= resample.blocks % 2;
    resample.replicates = jackknife ? resample.blocks : p->interval_replicates;
    for (size_t i = 0; i < work->nlayers; i++)
        if (work->layers[i].mat.shape[1] > resample.d)
            resample.d = work->layers[i].mat.shape[1];
    return resample;
}

static enum tg_err prepare(struct svcca_work *work, size_t place, struct tg_arena *arena,
                           struct tg_svcca_cost *cost)
{
    if (!work->params->intervals)
        return TG_OK;
    struct state *state = tg_arena_alloc(arena, 1, sizeof(*state));
    struct state local = {.resample = resample_of(work)};
    size_t pairs = (size_t)work->options.ncompared;
    size_t replicates = (size_t)local.resample.replicates;
    tg_resample_layout(arena, work->lanes, &local.resample);
    local.standing = tg_arena_alloc(arena, pairs, sizeof(*local.standing));
    local.interval = tg_arena_alloc(arena, pairs * TG_SCORES, sizeof(*local.interval));
    local.change = tg_arena_alloc(arena, replicates, sizeof(double));
    local.sorted = tg_arena_alloc(arena, replicates, sizeof(double));
    for (size_t i = 0; i < pairs; i++) {
        const struct tg_svcca_compared *pair = &work->options.compared[i];
        cost->flops += tg_resample_flops(&local.resample, work->layers[pair->a].mat.shape[1],
                                         work->layers[pair->b].mat.shape[1]);
    }
    if (state && !tg_arena_failed(arena)) {
        tg_resample_start(&local.resample);
        *state = local;
        work->state[place] = state;
    }
    svcca_add_hook(work, &(struct tg_svcca_hook){.arg = state,
                                                 .needs = tg_resample_needs(&work->options),
                                                 .pair = on_pair});
    return tg_arena_failed(arena) ? TG_NOMEM : TG_OK;
}

static bool comparable(const struct tg_svcca *svcca, const struct tg_svcca_pair *pair)
{
    return svcca->basis[pair->a].rank && svcca->basis[pair->b].rank;
}

/* "few-samples", "small-correlations", or null. */
static json_t *undercovers(enum tg_undercovers why)
{
    switch (why) {
    case TG_COVERS:
        return json_null();
    case TG_FEW_SAMPLES:
        return json_string("few-samples");
    case TG_UNTOLD_DIRECTIONS:
        return json_string("small-correlations");
    }
    TG_BUG("unknown reason");
}

static json_t *interval_row(const struct svcca_work *work, const struct state *state,
                            int64_t index, enum tg_score score, enum tg_undercovers why)
{
    const struct tg_svcca *svcca = &work->svcca;
    const struct tg_svcca_pair *pair = &svcca->pair[index];
    const struct tg_interval *interval = &state->interval[index * TG_SCORES + score];
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "a",
                     svcca->name[pair->a], "b", svcca->name[pair->b], "score",
                     tg_score_name(score), "value",
                     svcca_real_or_null(tg_score_of(&work->options, pair, score)), "corrected",
                     svcca_real_or_null(interval->corrected), "se",
                     svcca_real_or_null(interval->se), "low", svcca_real_or_null(interval->low),
                     "high", svcca_real_or_null(interval->high), "undercovers",
                     undercovers(why));
}

static void note(struct doubt *doubt, int64_t pair, enum tg_score score, enum tg_undercovers why)
{
    if (!doubt->count++)
        *doubt = (struct doubt){1, pair, score, why};
}

/* The interval of a score; what is to be warned of goes to `under` and `unknown`. */
static enum tg_err add_interval(const struct svcca_work *work, const struct state *state,
                                int64_t index, enum tg_score score, json_t *table,
                                struct doubt *under, struct doubt *unknown)
{
    const struct tg_svcca *svcca = &work->svcca;
    const struct tg_svcca_pair *pair = &svcca->pair[index];
    struct tg_interval *interval = &state->interval[index * TG_SCORES + score];
    enum tg_undercovers why = TG_COVERS;
    double value = tg_score_of(&work->options, pair, score);
    tg_interval_make(&state->resample, work->params->confidence, value,
                     tg_resample_scores(&state->resample, index, score), state->sorted,
                     interval);
    tg_interval_clip(score, interval);
    if (comparable(svcca, pair))
        why = tg_interval_undercovers(&work->options, score, &svcca->basis[pair->a],
                                      &svcca->basis[pair->b], &state->standing[index]);
    if (isfinite(value) && !isfinite(interval->low))
        note(unknown, index, score, why);
    else if (isfinite(value) && why)
        note(under, index, score, why);
    json_t *row = interval_row(work, state, index, score, why);
    return json_array_append_new(table, row) ? TG_NOMEM : TG_OK;
}

static enum tg_err put_intervals(const struct svcca_work *work, const struct state *state,
                                 const struct tg_ctx *ctx, json_t *table, struct doubt *under,
                                 struct doubt *unknown)
{
    for (int64_t i = 0; i < work->svcca.npairs; i++) {
        TG_TRY(tg_ctx_poll(ctx));
        for (int score = 0; score < TG_SCORES; score++)
            if (tg_score_asked(&work->options, (enum tg_score)score))
                TG_TRY(add_interval(work, state, i, (enum tg_score)score, table, under,
                                    unknown));
    }
    return TG_OK;
}

static bool share_a_layer(const struct tg_svcca_pair *p, const struct tg_svcca_pair *q)
{
    return p->a == q->a || p->a == q->b || p->b == q->a || p->b == q->b;
}

/* Row of the difference of a score between pairs i and j. */
static enum tg_err add_difference(const struct svcca_work *work, const struct state *state,
                                  int64_t i, int64_t j, enum tg_score score, json_t *table)
{
    const struct tg_svcca *svcca = &work->svcca;
    const struct tg_svcca_pair *p = &svcca->pair[i], *q = &svcca->pair[j];
    const double *first = tg_resample_scores(&state->resample, i, score);
    const double *second = tg_resample_scores(&state->resample, j, score);
    struct tg_interval interval;
    double value =
        tg_score_of(&work->options, p, score) - tg_score_of(&work->options, q, score);
    for (int64_t k = 0; k < state->resample.replicates; k++)
        state->change[k] = first[k] - second[k];
    tg_interval_make(&state->resample, work->params->confidence, value, state->change,
                     state->sorted, &interval);
    json_t *row = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "a", svcca->name[p->a], "b",
        svcca->name[p->b], "other_a", svcca->name[q->a], "other_b", svcca->name[q->b], "score",
        tg_score_name(score), "difference", svcca_real_or_null(value), "corrected",
        svcca_real_or_null(interval.corrected), "se", svcca_real_or_null(interval.se), "low",
        svcca_real_or_null(interval.low), "high", svcca_real_or_null(interval.high), "p",
        svcca_real_or_null(interval.p_zero));
    return json_array_append_new(table, row) ? TG_NOMEM : TG_OK;
}

/* *left_out gets the number of pairs of pairs that share a layer and found no room. */
static enum tg_err put_differences(const struct svcca_work *work, const struct state *state,
                                   const struct tg_ctx *ctx, json_t *table, int64_t *left_out)
{
    const struct tg_svcca *svcca = &work->svcca;
    int64_t pairs = svcca->npairs, told = 0;
    bool all = pairs * (pairs - 1) / 2 <= ALL_DIFFERENCES;
    *left_out = 0;
    for (int64_t i = 0; i < pairs; i++)
        for (int64_t j = i + 1; j < pairs; j++) {
            if (!all && !share_a_layer(&svcca->pair[i], &svcca->pair[j]))
                continue;
            if (told == MAX_DIFFERENCES) {
                ++*left_out;
                continue;
            }
            told++;
            TG_TRY(tg_ctx_poll(ctx));
            for (int score = 0; score < TG_SCORES; score++)
                if (tg_score_asked(&work->options, (enum tg_score)score))
                    TG_TRY(add_difference(work, state, i, j, (enum tg_score)score, table));
        }
    return TG_OK;
}

static void warn(const struct svcca_work *work, const struct doubt *under,
                 const struct doubt *unknown, int64_t left_out, struct tg_result *result)
{
    static const char *const why[] = {
        [TG_COVERS] = "",
        [TG_FEW_SAMPLES] = "there are fewer than 10 samples for each direction of both layers",
        [TG_UNTOLD_DIRECTIONS] =
            ("some of its correlations may be 0, where its bias falls off no faster than its "
             "sd; cca_mean_squared, cka and regression do not have this")};
    const struct tg_svcca *svcca = &work->svcca;
    if (under->count)
        tg_result_warn(result, "interval-undercovers",
                       "%lld intervals hold the true value less often than they say, first "
                       "that of %s for \"%s\" and \"%s\": %s.",
                       (long long)under->count, tg_score_name(under->score),
                       svcca->name[svcca->pair[under->pair].a],
                       svcca->name[svcca->pair[under->pair].b], why[under->why]);
    if (unknown->count)
        tg_result_warn(result, "interval-unknown",
                       "%lld scores have no interval, first that of %s for \"%s\" and \"%s\": "
                       "parts of the samples do not span the layers. Take a jackknife with "
                       "more blocks, or more samples.",
                       (long long)unknown->count, tg_score_name(unknown->score),
                       svcca->name[svcca->pair[unknown->pair].a],
                       svcca->name[svcca->pair[unknown->pair].b]);
    if (left_out)
        tg_result_warn(result, "differences-left-out",
                       "Differences are told for %d pairs of pairs that share a layer; %lld "
                       "more are left out.",
                       MAX_DIFFERENCES, (long long)left_out);
}

/* The scores of the first pairs with their intervals. */
static enum tg_err put_figure(const struct svcca_work *work, const struct state *state,
                              struct tg_result *result)
{
    const struct tg_svcca *svcca = &work->svcca;
    enum { MOST = MAX_IN_FIGURE * TG_SCORES };
    struct tg_figure_interval *bar = calloc(MOST, sizeof(*bar));
    char(*label)[160] = calloc(MAX_IN_FIGURE, sizeof(*label));
    enum tg_err err = bar && label ? TG_OK : TG_NOMEM;
    size_t count = 0;
    for (int64_t i = 0; !err && i < svcca->npairs && i < MAX_IN_FIGURE; i++) {
        snprintf(label[i], sizeof(*label), "%.60s, %.60s", svcca->name[svcca->pair[i].a],
                 svcca->name[svcca->pair[i].b]);
        for (int score = 0; score < TG_SCORES; score++) {
            const struct tg_interval *interval = &state->interval[i * TG_SCORES + score];
            if (tg_score_asked(&work->options, (enum tg_score)score))
                bar[count++] = (struct tg_figure_interval){
                    label[i], tg_score_name((enum tg_score)score), interval->corrected,
                    interval->low, interval->high};
        }
    }
    if (!err)
        tg_result_figure(result, "intervals", "Scores and their intervals",
                         tg_figure_intervals("Scores and their intervals", "similarity", bar,
                                             count));
    free(bar);
    free(label);
    return err;
}

static enum tg_err finish(const struct svcca_work *work, size_t place,
                          const struct tg_ctx *ctx, struct tg_result *result)
{
    const struct state *state = work->state[place];
    struct doubt under = {0}, unknown = {0};
    int64_t left_out = 0;
    if (!state)
        return TG_OK;
    json_t *intervals = json_array(), *differences = json_array();
    enum tg_err err = intervals && differences ? TG_OK : TG_NOMEM;
    if (!err)
        err = put_intervals(work, state, ctx, intervals, &under, &unknown);
    if (!err)
        err = put_differences(work, state, ctx, differences, &left_out);
    if (!err)
        err = put_figure(work, state, result);
    if (err) {
        json_decref(intervals);
        json_decref(differences);
        return err;
    }
    tg_result_value(result, "intervals", intervals);
    tg_result_value(result, "differences", differences);
    warn(work, &under, &unknown, left_out, result);
    return TG_OK;
}

const struct svcca_part svcca_intervals_part = {
    .check = check, .prepare = prepare, .finish = finish};

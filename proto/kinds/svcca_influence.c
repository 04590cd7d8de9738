/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The part `influence` of the kind svcca: CKA of each pair without each sample. */
#include "proto/kinds/svcca_kind.h"

#include <math.h>

#include "svcca/influence.h"

enum { MAX_VALUES = 4000000, TOP = 3 };

struct state {
    bool left_out; /* more than MAX_VALUES */
    struct tg_influence_scratch scratch;
    double *cka, *debiased; /* pairs x n */
};

static enum tg_err on_pair(void *arg, const struct tg_ctx *ctx,
                           const struct tg_svcca_pair_work *work)
{
    struct state *state = arg;
    int64_t first = work->index * work->svcca->n;
    return tg_influence_pair(ctx, work->a, work->b, work->m, &state->scratch,
                             state->cka + first, state->debiased + first);
}

static enum tg_err prepare(struct svcca_work *work, size_t place, struct tg_arena *arena,
                           struct tg_svcca_cost *cost)
{
    struct state local = {0};
    int64_t n = work->layers[0].mat.shape[0], most = 0;
    size_t count = work->nlayers * (work->nlayers - 1) / 2 * (size_t)n;
    if (!work->params->influence)
        return TG_OK;
    struct state *state = tg_arena_alloc(arena, 1, sizeof(*state));
    local.left_out = count > MAX_VALUES;
    for (size_t i = 0; i < work->nlayers && !local.left_out; i++) {
        int64_t d = work->layers[i].mat.shape[1];
        most = d > most ? d : most;
        for (size_t j = 0; j < i; j++)
            cost->flops +=
                2.0 * (double)n * (double)d * (double)work->layers[j].mat.shape[1];
    }
    if (!local.left_out) {
        tg_influence_layout(arena, n, most, &local.scratch);
        local.cka = tg_arena_alloc(arena, count, sizeof(double));
        local.debiased = tg_arena_alloc(arena, count, sizeof(double));
    }
    if (state) {
        for (size_t i = 0; !local.left_out && !tg_arena_failed(arena) && i < count; i++)
            local.cka[i] = local.debiased[i] =
                NAN; /* pairs with a constant layer stay so */
        *state = local;
        work->state[place] = state;
    }
    if (!local.left_out)
        svcca_add_hook(work, &(struct tg_svcca_hook){
                                 .arg = state,
                                 .needs = TG_BASIS_ALL | TG_BASIS_U,
                                 .pair = on_pair});
    return tg_arena_failed(arena) ? TG_NOMEM : TG_OK;
}

/* The sample not yet taken without which CKA differs most from `cka`; -1 without one. */
static int64_t next_sample(const double *without, int64_t n, double cka, double limit,
                           int64_t before)
{
    int64_t best = -1;
    for (int64_t i = 0; i < n; i++) {
        double change = fabs(without[i] - cka);
        bool later = change < limit || (change <= limit && i > before);
        if (later && (best < 0 || change > fabs(without[best] - cka)))
            best = i;
    }
    return best;
}

static enum tg_err add_rows(const struct tg_svcca *svcca, const struct state *state,
                            int64_t index, json_t *table)
{
    const struct tg_svcca_pair *pair = &svcca->pair[index];
    const double *cka = state->cka + index * svcca->n;
    double limit = INFINITY;
    int64_t i = -1;
    for (int k = 0; k < TOP; k++) {
        i = next_sample(cka, svcca->n, pair->cka, limit, i);
        if (i < 0)
            return TG_OK;
        limit = fabs(cka[i] - pair->cka);
        json_t *row =
            json_pack("{s:s, s:s, s:I, s:o, s:o, s:o}", "a", svcca->name[pair->a], "b",
                      svcca->name[pair->b], "sample", (json_int_t)i, "cka_without",
                      svcca_real_or_null(cka[i]), "change",
                      svcca_real_or_null(cka[i] - pair->cka), "cka_debiased_without",
                      svcca_real_or_null(state->debiased[index * svcca->n + i]));
        if (json_array_append_new(table, row))
            return TG_NOMEM;
    }
    return TG_OK;
}

static enum tg_err finish(const struct svcca_work *work, size_t place,
                          const struct tg_ctx *ctx, struct tg_result *result)
{
    (void)ctx;
    const struct state *state = work->state[place];
    const struct tg_svcca *svcca = &work->svcca;
    const int64_t shape[] = {svcca->npairs, svcca->n};
    if (!state)
        return TG_OK;
    if (state->left_out) {
        tg_result_warn(
            result, "influence-left-out",
            "The influence of %lld samples on %lld pairs would hold more than %d "
            "numbers and is left out.",
            (long long)svcca->n, (long long)svcca->npairs, MAX_VALUES);
        return TG_OK;
    }
    json_t *table = json_array();
    enum tg_err err = table ? TG_OK : TG_NOMEM;
    for (int64_t i = 0; !err && i < svcca->npairs; i++)
        err = add_rows(svcca, state, i, table);
    if (err) {
        json_decref(table);
        return err;
    }
    tg_result_value(result, "influence", table);
    tg_result_array_f64(result, "influence_cka", state->cka, 2, shape);
    tg_result_array_f64(result, "influence_cka_debiased", state->debiased, 2, shape);
    return TG_OK;
}

/* The rows of largest influence are found beside the CKA of all samples. */
static void check(const struct tg_job *job, struct tg_report *report)
{
    const struct svcca_params *p = job->params;
    if (p->influence && !(p->measures >> TG_SVCCA_CKA & 1))
        tg_fault_add(report, TG_INVALID, "/params/influence",
                     "`influence` is that on CKA: add \"cka\" to `measures`.");
}

const struct svcca_part svcca_influence_part = {
    .check = check, .prepare = prepare, .finish = finish};

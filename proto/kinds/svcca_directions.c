/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The part `return_directions` of the kind svcca: directions of each pair as arrays. */
#include "proto/kinds/svcca_kind.h"

#include "svcca/directions.h"

enum { MAX_VALUES = 20000000 };

/* Arrays of all pairs, [pair][side][row][direction], padded with 0. */
struct state {
    const struct svcca_work *work;
    bool left_out; /* more than MAX_VALUES */
    int64_t most, d;
    double *variates, *coefficients, *loadings, *explained;
    struct tg_directions_scratch scratch;
};

static enum tg_err on_pair(void *arg, const struct tg_ctx *ctx,
                           const struct tg_svcca_pair_work *pair)
{
    const struct state *state = arg;
    const struct tg_basis *const basis[] = {pair->a, pair->b};
    const struct tg_svcca_pair *which = &pair->svcca->pair[pair->index];
    const struct tg_mat *const mat[] = {&state->work->layers[which->a].mat,
                                        &state->work->layers[which->b].mat};
    enum tg_svcca_rule rule = state->work->options.rule;
    const int64_t k[] = {pair->a->k[rule], pair->b->k[rule]};
    struct tg_directions out = {.ld = state->most};
    for (int side = 0; side < 2; side++) {
        int64_t place = 2 * pair->index + side, rows = place * state->d * state->most;
        out.side[side] = (struct tg_directions_side){
            .variates = state->variates + place * pair->svcca->n * state->most,
            .coefficients = state->coefficients + rows,
            .loadings = state->loadings + rows,
            .explained = state->explained + place * state->most};
    }
    return tg_directions_make(ctx, basis, mat, pair->m, k, &state->scratch, &out);
}

static enum tg_err prepare(struct svcca_work *work, size_t place, struct tg_arena *arena,
                           struct tg_svcca_cost *cost)
{
    struct state local = {.work = work, .most = work->params->return_directions};
    if (!local.most)
        return TG_OK;
    struct state *state = tg_arena_alloc(arena, 1, sizeof(*state));
    int64_t n = work->layers[0].mat.shape[0];
    size_t pairs = work->nlayers * (work->nlayers - 1) / 2, most = (size_t)local.most;
    for (size_t i = 0; i < work->nlayers; i++) {
        int64_t d = work->layers[i].mat.shape[1];
        local.d = d > local.d ? d : local.d;
    }
    size_t rows = 2 * pairs * most;
    local.left_out = rows * (size_t)(n + 2 * local.d) > MAX_VALUES;
    if (!local.left_out) {
        tg_directions_layout(arena, n, local.d, local.most, &local.scratch);
        local.variates = tg_arena_alloc(arena, rows * (size_t)n, sizeof(double));
        local.coefficients =
            tg_arena_alloc(arena, rows * (size_t)local.d, sizeof(double));
        local.loadings = tg_arena_alloc(arena, rows * (size_t)local.d, sizeof(double));
        local.explained = tg_arena_alloc(arena, rows, sizeof(double));
        cost->flops += 16.0 * (double)pairs * (double)(n * local.d * local.most);
        cost->flops +=
            20.0 * (double)pairs * (double)local.d * (double)(local.d * local.d);
        svcca_add_hook(work, &(struct tg_svcca_hook){.arg = state,
                                                     .needs = TG_BASIS_U | TG_BASIS_S,
                                                     .pair = on_pair});
    }
    if (state)
        *state = local;
    work->state[place] = state;
    return tg_arena_failed(arena) ? TG_NOMEM : TG_OK;
}

static enum tg_err finish(const struct svcca_work *work, size_t place,
                          const struct tg_ctx *ctx, struct tg_result *result)
{
    (void)ctx;
    const struct state *state = work->state[place];
    const struct tg_svcca *svcca = &work->svcca;
    if (!state)
        return TG_OK;
    if (state->left_out) {
        tg_result_warn(
            result, "directions-left-out",
            "The directions of %lld pairs would hold more than %d numbers and are "
            "left out; ask for fewer, or for fewer layers.",
            (long long)svcca->npairs, MAX_VALUES);
        return TG_OK;
    }
    const int64_t units[] = {svcca->npairs, 2, state->d, state->most};
    const int64_t samples[] = {svcca->npairs, 2, svcca->n, state->most};
    const int64_t each[] = {svcca->npairs, 2, state->most};
    tg_result_array_f64(result, "direction_variates", state->variates, 4, samples);
    tg_result_array_f64(result, "direction_coefficients", state->coefficients, 4, units);
    tg_result_array_f64(result, "direction_loadings", state->loadings, 4, units);
    tg_result_array_f64(result, "direction_explained", state->explained, 3, each);
    return TG_OK;
}

const struct svcca_part svcca_directions_part = {.prepare = prepare, .finish = finish};

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The part `unit_subsets` of the kind svcca: do directions live in few units? */
#include "proto/kinds/svcca_kind.h"

#include <math.h>
#include <stdio.h>

#include "proto/figure.h"
#include "proto/template.h"
#include "svcca/baseline.h"
#include "svcca/directions.h"
#include "svcca/subset.h"

enum { MOST_DIRECTIONS = 50, MAX_VALUES = 20000000, MAX_PANES = 12, MAX_SIZES = 8 };
static const double nearly = 0.99; /* share of a direction that counts as held */

/* Rows by pair, side and size. */
struct state {
    const struct svcca_work *work;
    int64_t nsizes, most, d;  /* sizes of subsets, the largest, the widest layer */
    double *r2;               /* [pair][side][size][MOST_DIRECTIONS], NaN beyond */
    double *chance;           /* [pair][side][size] */
    double *draw;             /* MOST_DIRECTIONS */
    int64_t *order;           /* d */
    struct tg_directions_scratch directions;
    struct tg_baseline_scratch baseline;
    struct tg_subset_scratch subset;
};

static int64_t rows_of(const struct svcca_work *work)
{
    return work->options.ncompared * 2 * (int64_t)work->params->unit_subsets.n;
}

static void check(const struct tg_job *job, struct tg_report *report)
{
    const struct svcca_params *p = job->params;
    struct svcca_work work = {.job = job, .params = p};
    if (!p->unit_subsets.n || report->count)
        return;
    enum tg_err err = svcca_collect(&work);
    if (err)
        tg_fault_add(report, err, "/params/unit_subsets", "There is no memory to check this.");
    else if (rows_of(&work) > MAX_VALUES / MOST_DIRECTIONS)
        tg_fault_add(report, TG_INVALID, "/params/unit_subsets",
                     "The shares in all subsets of all pairs would be more than %d numbers. "
                     "Give fewer sizes, or compare fewer `pairs`.",
                     MAX_VALUES);
    svcca_release(&work);
}

static bool is_whole(const struct tg_basis *basis, int64_t size)
{
    return size >= basis->columns;
}

/* The mean over draws of one side and size. */
static enum tg_err walk(const struct state *state, const struct tg_ctx *ctx, int64_t layer,
                        const struct tg_basis *basis, const int64_t k[2], int side,
                        int64_t size, int64_t row)
{
    const struct svcca_params *p = state->work->params;
    int64_t least = k[0] < k[1] ? k[0] : k[1];
    int64_t m = is_whole(basis, size) ? basis->columns : size;
    int64_t q = least < MOST_DIRECTIONS ? least : MOST_DIRECTIONS, rank;
    double *mean = state->r2 + row * MOST_DIRECTIONS;
    const double *l = side ? state->directions.right : state->directions.left;
    for (int64_t j = 0; j < q; j++)
        mean[j] = 0;
    double ranks = 0;
    for (int64_t i = 0; i < p->draws; i++) {
        uint64_t stream = (uint64_t)(layer * p->draws + i);
        tg_baseline_shuffle((uint64_t)p->seed, stream, basis->columns, &state->baseline,
                            state->order);
        TG_TRY(tg_subset_share(ctx, basis, state->order, m, l, k[side], side ? 1 : least,
                               side ? k[1] : 1, q, &state->subset, state->draw, &rank));
        for (int64_t j = 0; j < q; j++)
            mean[j] += state->draw[j] / (double)p->draws;
        ranks += (double)rank;
    }
    state->chance[row] = ranks / (double)(basis->kept * p->draws);
    return TG_OK;
}

static enum tg_err on_pair(void *arg, const struct tg_ctx *ctx,
                           const struct tg_svcca_pair_work *pair)
{
    const struct state *state = arg;
    const struct tg_svcca_pair *which = &pair->svcca->pair[pair->index];
    const struct tg_basis *const basis[] = {pair->a, pair->b};
    const int64_t layer[] = {which->a, which->b};
    enum tg_svcca_rule rule = state->work->options.rule;
    const int64_t k[] = {pair->a->k[rule], pair->b->k[rule]};
    int64_t row = pair->index * 2 * state->nsizes;
    TG_TRY(tg_directions_solve(ctx, pair->m, pair->b->kept, k, &state->directions));
    for (int side = 0; side < 2; side++)
        for (int64_t i = 0; i < state->nsizes; i++)
            TG_TRY(walk(state, ctx, layer[side], basis[side], k, side,
                        state->work->params->unit_subsets.v[i], row++));
    return TG_OK;
}

static enum tg_err prepare(struct svcca_work *work, size_t place, struct tg_arena *arena,
                           struct tg_svcca_cost *cost)
{
    const struct tg_int_list *sizes = &work->params->unit_subsets;
    struct state local = {.work = work, .nsizes = (int64_t)sizes->n};
    int64_t rows = rows_of(work);
    if (!sizes->n)
        return TG_OK;
    for (size_t i = 0; i < work->nlayers; i++) {
        int64_t d = work->layers[i].mat.shape[1];
        local.d = d > local.d ? d : local.d;
    }
    for (size_t i = 0; i < sizes->n; i++) {
        int64_t m = sizes->v[i] < local.d ? sizes->v[i] : local.d;
        local.most = m > local.most ? m : local.most;
        cost->flops += (double)work->params->draws * 2 * (double)work->options.ncompared *
                       12 * (double)local.d * (double)m * (double)m;
    }
    struct state *state = tg_arena_alloc(arena, 1, sizeof(*state));
    local.r2 = tg_arena_alloc(arena, (size_t)rows * MOST_DIRECTIONS, sizeof(double));
    local.chance = tg_arena_alloc(arena, (size_t)rows, sizeof(double));
    local.draw = tg_arena_alloc(arena, MOST_DIRECTIONS, sizeof(double));
    local.order = tg_arena_alloc(arena, (size_t)local.d, sizeof(int64_t));
    tg_directions_layout(arena, work->layers[0].mat.shape[0], local.d, 1, &local.directions);
    tg_baseline_layout(arena, local.d, &local.baseline);
    tg_subset_layout(arena, local.d, local.most, MOST_DIRECTIONS, &local.subset);
    if (tg_arena_failed(arena))
        return TG_NOMEM;
    for (int64_t i = 0; state && i < rows * MOST_DIRECTIONS; i++)
        local.r2[i] = local.chance[i / MOST_DIRECTIONS] = NAN;
    if (state)
        *state = local;
    work->state[place] = state;
    svcca_add_hook(work, &(struct tg_svcca_hook){
                             .arg = state,
                             .needs = TG_BASIS_F | TG_BASIS_U | TG_BASIS_S | TG_BASIS_ALL,
                             .pair = on_pair});
    return TG_OK;
}

static int64_t filled(const double *r2)
{
    int64_t n = 0;
    while (n < MOST_DIRECTIONS && !isnan(r2[n]))
        n++;
    return n;
}

static json_t *row_of(const struct state *state, int64_t row)
{
    const struct tg_svcca *svcca = &state->work->svcca;
    const struct tg_svcca_pair *pair = &svcca->pair[row / state->nsizes / 2];
    const double *r2 = state->r2 + row * MOST_DIRECTIONS;
    bool second = row / state->nsizes % 2;
    int64_t layer = second ? pair->b : pair->a, with = second ? pair->a : pair->b;
    int64_t units = state->work->params->unit_subsets.v[row % state->nsizes];
    int64_t columns = svcca->basis[layer].columns, n = filled(r2), held = 0;
    double sum = 0;
    for (int64_t j = 0; j < n; j++)
        sum += r2[j];
    while (held < n && r2[held] >= nearly)
        held++;
    return json_pack("{s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:I}", "layer", svcca->name[layer],
                     "with", svcca->name[with], "units",
                     (json_int_t)(units < columns ? units : columns), "directions",
                     (json_int_t)n, "first", n ? json_real(r2[0]) : json_null(), "mean",
                     n ? json_real(sum / (double)n) : json_null(), "chance",
                     svcca_real_or_null(state->chance[row]), "held", (json_int_t)held);
}

/* Shares by direction, a line a size and a pane a layer, of the first pairs. */
static void draw(const struct state *state, struct tg_result *result)
{
    const char *title = "Directions in random subsets of units";
    struct tg_series series[MAX_PANES * MAX_SIZES];
    char text[MAX_SIZES][32], label[MAX_PANES][160];
    const char *panes[MAX_PANES];
    const struct tg_svcca *svcca = &state->work->svcca;
    int64_t sides = 2 * svcca->npairs;
    size_t npanes = sides < MAX_PANES ? (size_t)sides : MAX_PANES;
    size_t nsizes = state->nsizes < MAX_SIZES ? (size_t)state->nsizes : MAX_SIZES;
    for (size_t k = 0; k < nsizes; k++)
        snprintf(text[k], sizeof(text[k]), "%lld units",
                 (long long)state->work->params->unit_subsets.v[k]);
    for (size_t i = 0; i < npanes; i++) {
        const struct tg_svcca_pair *pair = &svcca->pair[i / 2];
        snprintf(label[i], sizeof(label[i]), "%.60s (with %.60s)",
                 svcca->name[i % 2 ? pair->b : pair->a],
                 svcca->name[i % 2 ? pair->a : pair->b]);
        panes[i] = label[i];
        for (size_t k = 0; k < nsizes; k++) {
            const double *r2 =
                state->r2 + (i * (size_t)state->nsizes + k) * MOST_DIRECTIONS;
            series[i * nsizes + k] = (struct tg_series){
                .name = text[k], .y = r2, .n = (size_t)filled(r2)};
        }
    }
    tg_result_figure(result, "unit_subsets", title,
                     tg_figure_line_panes(title, "direction", "share held", panes, npanes,
                                          series, nsizes, nearly));
}

static enum tg_err finish(const struct svcca_work *work, size_t place,
                          const struct tg_ctx *ctx, struct tg_result *result)
{
    (void)ctx;
    const struct state *state = work->state[place];
    if (!state)
        return TG_OK;
    const int64_t shape[] = {work->svcca.npairs, 2, state->nsizes, MOST_DIRECTIONS};
    json_t *table = json_array();
    for (int64_t row = 0; row < rows_of(work); row++)
        tg_json_append(&table, row_of(state, row));
    tg_result_value(result, "unit_subsets", table);
    tg_result_array_f64(result, "unit_subset_shares", state->r2, 4, shape);
    draw(state, result);
    return TG_OK;
}

const struct svcca_part svcca_units_part = {
    .check = check, .prepare = prepare, .finish = finish};

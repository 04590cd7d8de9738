/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The part of svcca that asks what follows a layer: how many of its directions does a head
 * need, and what do thin factors in place of its weights lose?
 *
 * DESIGN. A row is one way to choose directions of one layer: by singular values, at random,
 * by units, or by SVCCA with the other layer of a pair. Rows of layers come first, then those
 * of pairs. Each row is a curve over all numbers of directions.
 */
#include "proto/kinds/svcca_kind.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "proto/figure.h"
#include "proto/template.h"
#include "linalg/linalg.h"
#include "svcca/baseline.h"
#include "svcca/compress.h"
#include "svcca/directions.h"
#include "svcca/head.h"

enum { MAX_VALUES = 20000000, MAX_PANES = 12 };
enum way { SVD, RANDOM, UNITS, LARGEST_UNITS, WAYS_OF_A_LAYER, SVCCA = WAYS_OF_A_LAYER };
static const char *const ways[] = {"svd", "random", "units", "largest_units", "svcca"};
static const double nearly = 0.99; /* of the accuracy, or of the outputs' variance */

struct row {
    int64_t head, with; /* a layer; -1: none */
    enum way way;
    int64_t count;      /* directions; -1: none were looked at */
    int64_t k;          /* of the factors; 0: none */
    struct tg_compressed compressed;
};

/* A layer with a head. */
struct head {
    int64_t layer;
    const struct tg_mat *weights, *bias;
    struct tg_head head;
};

struct state {
    const struct svcca_work *work;
    int64_t n, d, outputs, nheads, nrows, nfactors, k; /* the largest of each size */
    bool labelled;
    struct head *head;
    int64_t *label, *pair_row; /* the first row of a pair; -1: none */
    struct row *row;
    double *accuracy, *error;  /* nrows x (d + 1), NaN beyond a row's directions */
    double *in, *out, *bias;   /* of each row that has factors, or of the last one */
    double *h, *v, *mean_accuracy, *mean_error, *axis;
    int64_t *order, *largest;
    struct tg_head_scratch scratch;
    struct tg_baseline_scratch baseline;
    struct tg_directions_scratch directions;
    struct tg_compress_scratch compress;
};

/* Preparing --------------------------------------------------------------------------- */

static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static bool has_head(const struct svcca_work *work, int64_t layer)
{
    const struct tg_job_input *weights = tg_job_input(work->job, "head_weights");
    for (size_t i = 0; i < weights->n; i++)
        if (svcca_find(work->job, &weights->array[i]) == layer)
            return true;
    return false;
}

static bool fits(int64_t rows, int64_t columns)
{
    return rows <= MAX_VALUES / columns;
}

/* Sizes; TG_TOO_LARGE_JOB beyond MAX_VALUES. */
static enum tg_err size_up(const struct svcca_work *work, struct state *state)
{
    const struct tg_job_input *weights = tg_job_input(work->job, "head_weights");
    state->work = work;
    state->n = work->layers[0].mat.shape[0];
    state->nheads = (int64_t)weights->n;
    state->k = work->params->compress_to;
    state->labelled = tg_job_input(work->job, "labels")->n;
    for (size_t i = 0; i < weights->n; i++)
        state->outputs = max(state->outputs, weights->array[i].mat.shape[1]);
    for (size_t i = 0; i < work->nlayers; i++)
        state->d = max(state->d, work->layers[i].mat.shape[1]);
    int64_t pairs = 0;
    for (int64_t p = 0; p < work->options.ncompared; p++)
        pairs += has_head(work, work->compared[p].a) + has_head(work, work->compared[p].b);
    state->nrows = WAYS_OF_A_LAYER * state->nheads + pairs;
    state->k = state->k < state->d ? state->k : state->d;
    state->nfactors = !state->k ? 0 : work->params->return_factors ? state->nheads + pairs : 1;
    bool small = fits(state->nrows, state->d + 1) &&
                 fits(state->nfactors * (state->d + state->outputs + 1), max(state->k, 1)) &&
                 fits(state->nfactors, state->outputs);
    return small ? TG_OK : TG_TOO_LARGE_JOB;
}

static void *take(struct tg_arena *arena, int64_t rows, int64_t cols, size_t size)
{
    size_t count;
    if (!tg_mul_ok((size_t)rows, (size_t)cols, &count))
        count = SIZE_MAX; /* more than any arena has */
    return tg_arena_alloc(arena, count, size);
}

static void layout(struct tg_arena *arena, const struct svcca_work *work, struct state *state)
{
    int64_t n = state->n, d = state->d, c = state->outputs;
    state->head = take(arena, state->nheads, 1, sizeof(*state->head));
    state->label = take(arena, state->labelled ? n : 0, 1, sizeof(int64_t));
    state->pair_row = take(arena, work->options.ncompared, 1, sizeof(int64_t));
    state->row = take(arena, state->nrows, 1, sizeof(*state->row));
    state->accuracy = take(arena, state->nrows, d + 1, sizeof(double));
    state->error = take(arena, state->nrows, d + 1, sizeof(double));
    state->in = take(arena, state->nfactors * d, state->k, sizeof(double));
    state->out = take(arena, state->nfactors * state->k, c, sizeof(double));
    state->bias = take(arena, state->nfactors, c, sizeof(double));
    state->h = take(arena, n, d, sizeof(double));
    state->v = take(arena, d, c, sizeof(double));
    state->mean_accuracy = take(arena, d + 1, 1, sizeof(double));
    state->mean_error = take(arena, d + 1, 1, sizeof(double));
    state->axis = take(arena, d + 1, 1, sizeof(double));
    state->order = take(arena, d, 1, sizeof(int64_t));
    state->largest = take(arena, d, 1, sizeof(int64_t));
    tg_head_layout(arena, n, d, c, &state->scratch);
    tg_baseline_layout(arena, d, &state->baseline);
    tg_directions_layout(arena, n, d, 1, &state->directions);
    if (state->k)
        tg_compress_layout(arena, n, d, state->k, c, &state->compress);
}

/* Memory of each head's outputs, which stay until its pairs are through. */
static void layout_heads(struct tg_arena *arena, const struct svcca_work *work,
                         struct state *state)
{
    const struct tg_job_input *weights = tg_job_input(work->job, "head_weights"),
                              *bias = tg_job_input(work->job, "head_bias");
    for (size_t i = 0; i < weights->n; i++) {
        const struct tg_bound *entry = &weights->array[i];
        int64_t c = entry->mat.shape[1];
        struct head head = {.layer = svcca_find(work->job, entry), .weights = &entry->mat};
        head.head = (struct tg_head){.n = state->n, .outputs = c};
        head.head.y = take(arena, state->n, c, sizeof(double));
        head.head.mean = take(arena, c, 1, sizeof(double));
        head.head.label = state->labelled ? state->label : NULL;
        for (size_t k = 0; k < bias->n; k++)
            if (svcca_is_same_entry(&bias->array[k], entry))
                head.bias = &bias->array[k].mat;
        if (state->head)
            state->head[i] = head;
    }
}

static int64_t head_of(const struct state *state, int64_t layer)
{
    for (int64_t i = 0; i < state->nheads; i++)
        if (state->head[i].layer == layer)
            return i;
    return -1;
}

static void begin_row(const struct state *state, int64_t row, int64_t head, int64_t with,
                      enum way way)
{
    state->row[row] = (struct row){.head = head, .with = with, .way = way, .count = -1,
                                   .compressed = {NAN, NAN}};
    for (int64_t k = 0; k <= state->d; k++)
        state->accuracy[row * (state->d + 1) + k] = state->error[row * (state->d + 1) + k] = NAN;
}

static void begin_rows(const struct svcca_work *work, const struct state *state)
{
    int64_t row = 0;
    for (int64_t i = 0; i < state->nheads; i++)
        for (int way = 0; way < WAYS_OF_A_LAYER; way++)
            begin_row(state, row++, i, -1, (enum way)way);
    for (int64_t p = 0; p < work->options.ncompared; p++) {
        const int64_t side[] = {work->compared[p].a, work->compared[p].b};
        state->pair_row[p] = row;
        for (int i = 0; i < 2; i++)
            if (head_of(state, side[i]) >= 0)
                begin_row(state, row++, head_of(state, side[i]), side[!i], SVCCA);
    }
}

static double flops_of(const struct svcca_work *work, const struct state *state)
{
    double n = (double)state->n, d = (double)state->d, c = (double)state->outputs;
    double draws = (double)work->params->draws, curve = 6 * n * c * d;
    double rows = (double)state->nrows, heads = (double)state->nheads;
    double flops = heads * (2 * n * d * c + draws * (2 * n * d * d + 4 * d * d * d));
    flops += (rows + 2 * heads * draws) * curve + rows * (2 * n * d * d + 20 * d * d * d) / 4;
    return flops + rows * (double)state->k * n * (4 * d + 2 * c);
}

/* Running ----------------------------------------------------------------------------- */

static double *accuracy_of(const struct state *state, int64_t row)
{
    return state->accuracy + row * (state->d + 1);
}

static double *error_of(const struct state *state, int64_t row)
{
    return state->error + row * (state->d + 1);
}

static enum tg_err curve(const struct state *state, const struct tg_ctx *ctx, int64_t row,
                         const struct tg_head_directions *directions)
{
    state->row[row].count = directions->count;
    return tg_head_curve(ctx, &state->head[state->row[row].head].head, directions,
                         &state->scratch, accuracy_of(state, row), error_of(state, row));
}

/* The mean of curves that are drawn; `draw` makes the directions of one. */
static enum tg_err mean_curve(const struct state *state, const struct tg_ctx *ctx, int64_t row,
                              const struct tg_basis *basis, struct tg_head_directions *directions)
{
    const struct svcca_params *p = state->work->params;
    const struct head *head = &state->head[state->row[row].head];
    bool random = state->row[row].way == RANDOM;
    int64_t count = directions->count;
    for (int64_t k = 0; k <= count; k++)
        state->mean_accuracy[k] = state->mean_error[k] = 0;
    for (int64_t i = 0; i < p->draws; i++) {
        uint64_t stream = 2 * (uint64_t)(head->layer * p->draws + i) + !random;
        if (random) {
            TG_TRY(tg_baseline_directions(ctx, basis, (uint64_t)p->seed, stream,
                                          &state->baseline, state->h));
            TG_TRY(tg_head_coordinates(ctx, &head->head, state->h, directions->ldh, count,
                                       state->v));
        } else {
            tg_baseline_shuffle((uint64_t)p->seed, stream, count, &state->baseline,
                                state->order);
        }
        TG_TRY(curve(state, ctx, row, directions));
        for (int64_t k = 0; k <= count; k++) {
            state->mean_accuracy[k] += accuracy_of(state, row)[k] / (double)p->draws;
            state->mean_error[k] += error_of(state, row)[k] / (double)p->draws;
        }
    }
    for (int64_t k = 0; k <= count; k++) {
        accuracy_of(state, row)[k] = state->mean_accuracy[k];
        error_of(state, row)[k] = state->mean_error[k];
    }
    return TG_OK;
}

/* The place of a row's factors among all that are made. */
static int64_t factor_of(const struct state *state, int64_t row)
{
    if (!state->work->params->return_factors)
        return 0;
    return state->row[row].way == SVD ? state->row[row].head
                                      : row - (WAYS_OF_A_LAYER - 1) * state->nheads;
}

/* Factors of the first directions of a row, and what they do. */
static enum tg_err compress(const struct state *state, const struct tg_ctx *ctx, int64_t row,
                            const struct tg_basis *basis,
                            const struct tg_compress_directions *directions)
{
    struct row *out = &state->row[row];
    const struct head *head = &state->head[out->head];
    int64_t place = factor_of(state, row);
    struct tg_compress_factors factors = {
        .k = state->k < out->count ? state->k : out->count,
        .in = state->in + place * state->d * state->k,
        .ldin = (size_t)state->k,
        .out = state->out + place * state->k * state->outputs,
        .ldout = (size_t)state->outputs,
        .bias = state->bias + place * state->outputs};
    if (!state->k)
        return TG_OK;
    out->k = factors.k;
    return tg_compress(ctx, &state->work->layers[head->layer].mat, basis, &head->head,
                       directions, &state->compress, &factors, &out->compressed);
}

static enum tg_err apply(const struct state *state, const struct tg_ctx *ctx,
                         struct head *head, int64_t index)
{
    const struct svcca_work *work = state->work;
    int64_t bad;
    if (state->labelled &&
        !tg_head_labels(&tg_job_input(work->job, "labels")->array->mat, head->head.outputs,
                        state->label, &bad)) {
        svcca_tell_label(work->job, head->head.outputs, bad, work->report);
        return TG_NUMERIC;
    }
    enum tg_err err = tg_head_apply(ctx, &work->layers[index].mat, head->weights, head->bias,
                                    &state->scratch, &head->head);
    if (err == TG_NUMERIC)
        tg_fault_add(work->report, TG_NUMERIC, "/inputs/head_weights",
                     "The head of layer \"%.60s\" has outputs that are not finite numbers.",
                     work->layers[index].name);
    return err;
}

static enum tg_err walk_svd(const struct state *state, const struct tg_ctx *ctx, int64_t row,
                            const struct tg_basis *basis)
{
    const struct tg_head *head = &state->head[state->row[row].head].head;
    const struct tg_head_directions own = {
        .h = basis->u, .ldh = basis->ldu, .v = state->v, .count = basis->kept};
    TG_TRY(tg_head_coordinates(ctx, head, basis->u, basis->ldu, basis->kept, state->v));
    TG_TRY(curve(state, ctx, row, &own));
    return compress(state, ctx, row, basis, &(struct tg_compress_directions){.v = state->v});
}

/* Units: their outputs are the rows of the weights, which apply() left in the scratch. */
static enum tg_err walk_units(const struct state *state, const struct tg_ctx *ctx, int64_t row,
                              const struct tg_basis *basis, const struct tg_mat *layer)
{
    struct tg_head_directions units = {.h = state->h,
                                       .ldh = (size_t)basis->d,
                                       .v = state->scratch.weights,
                                       .order = state->largest,
                                       .count = basis->d};
    TG_TRY(tg_baseline_units(ctx, layer, &state->baseline, state->h, state->largest));
    TG_TRY(curve(state, ctx, row + LARGEST_UNITS, &units));
    units.order = state->order;
    return mean_curve(state, ctx, row + UNITS, basis, &units);
}

static enum tg_err on_layer(void *arg, const struct tg_ctx *ctx, int64_t index,
                            const struct tg_basis *basis)
{
    const struct state *state = arg;
    int64_t which = head_of(state, index), row = WAYS_OF_A_LAYER * which;
    if (which < 0)
        return TG_OK;
    TG_TRY(apply(state, ctx, &state->head[which], index));
    if (!basis->rank)
        return TG_OK;
    struct tg_head_directions random = {.h = state->h,
                                        .ldh = (size_t)basis->kept,
                                        .v = state->v,
                                        .count = basis->kept};
    TG_TRY(walk_svd(state, ctx, row + SVD, basis));
    TG_TRY(mean_curve(state, ctx, row + RANDOM, basis, &random));
    return walk_units(state, ctx, row, basis, &state->work->layers[index].mat);
}

/* One side of a pair: h = U L, and what its head makes of it. */
static enum tg_err walk_side(const struct state *state, const struct tg_ctx *ctx, int64_t row,
                             const struct tg_basis *basis, const int64_t k[2], int side)
{
    const struct tg_head *head = &state->head[state->row[row].head].head;
    int64_t least = k[0] < k[1] ? k[0] : k[1];
    const double *l = side ? state->directions.right : state->directions.left;
    const struct tg_head_directions own = {
        .h = state->h, .ldh = (size_t)least, .v = state->v, .count = least};
    const struct tg_compress_directions combined = {.l = l,
                                                    .row = side ? 1 : least,
                                                    .col = side ? k[1] : 1,
                                                    .rows = k[side],
                                                    .v = state->v};
    TG_TRY(tg_gemm(ctx, TG_N, side ? TG_T : TG_N, basis->n, least, k[side], 1, basis->u,
                   basis->ldu, l, (size_t)(side ? k[1] : least), 0, state->h,
                   (size_t)least));
    TG_TRY(tg_head_coordinates(ctx, head, state->h, (size_t)least, least, state->v));
    TG_TRY(curve(state, ctx, row, &own));
    return compress(state, ctx, row, basis, &combined);
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
    int64_t row = state->pair_row[pair->index];
    if (head_of(state, layer[0]) < 0 && head_of(state, layer[1]) < 0)
        return TG_OK;
    TG_TRY(tg_directions_solve(ctx, pair->m, pair->b->kept, k, &state->directions));
    for (int side = 0; side < 2; side++)
        if (head_of(state, layer[side]) >= 0)
            TG_TRY(walk_side(state, ctx, row++, basis[side], k, side));
    return TG_OK;
}

static enum tg_err prepare(struct svcca_work *work, size_t place, struct tg_arena *arena,
                           struct tg_svcca_cost *cost)
{
    struct state local = {0};
    if (!tg_job_input(work->job, "head_weights")->n)
        return TG_OK;
    TG_TRY(size_up(work, &local));
    struct state *state = tg_arena_alloc(arena, 1, sizeof(*state));
    layout(arena, work, &local);
    layout_heads(arena, work, &local);
    if (tg_arena_failed(arena))
        return TG_NOMEM;
    cost->flops += flops_of(work, &local);
    if (state) {
        *state = local;
        begin_rows(work, state);
    }
    work->state[place] = state;
    svcca_add_hook(work, &(struct tg_svcca_hook){
                             .arg = state,
                             .needs = TG_BASIS_U | TG_BASIS_S | TG_BASIS_ALL,
                             .layer = on_layer,
                             .pair = on_pair});
    return TG_OK;
}

/* Checking ---------------------------------------------------------------------------- */

/* The matrix of the layer that `entry` is for, and its index; -1 and a fault without one. */
static int64_t layer_of(const struct tg_job *job, const struct tg_bound *entry,
                        const char *input, struct tg_fold *fold, struct tg_mat *view,
                        struct tg_report *report)
{
    int64_t index = svcca_find(job, entry);
    if (index < 0)
        tg_fault_add_value(report, TG_INVALID, entry->pointer, entry->name,
                           "the name, model and step of a layer",
                           "There is no layer \"%.60s\" with this model and step that `%s` "
                           "could belong to.",
                           entry->name, input);
    else if (!svcca_fold(job->params, &svcca_layer(job, (size_t)index, NULL)->mat, fold, view))
        return -1; /* told before */
    return index;
}

static void check_weights(const struct tg_job *job, const struct tg_bound *weights,
                          struct tg_report *report)
{
    struct tg_fold fold;
    struct tg_mat view;
    char got[80], allowed[80];
    if (layer_of(job, weights, "head_weights", &fold, &view, report) < 0 ||
        weights->mat.shape[0] == view.shape[1])
        return;
    tg_mat_shape_text(&weights->mat, got, sizeof(got));
    snprintf(allowed, sizeof(allowed), "(%" PRId64 ", outputs)", view.shape[1]);
    tg_fault_add_value(report, TG_INVALID, weights->pointer, got, allowed,
                       "`head_weights` have a row for each unit of their layer, and a column "
                       "for each output; transpose them if outputs came first.");
}

static void check_bias(const struct tg_job *job, const struct tg_bound *bias,
                       struct tg_report *report)
{
    const struct tg_job_input *weights = tg_job_input(job, "head_weights");
    char got[80], allowed[80];
    for (size_t i = 0; i < weights->n; i++) {
        if (!svcca_is_same_entry(&weights->array[i], bias))
            continue;
        if (weights->array[i].mat.shape[1] == bias->mat.shape[0])
            return;
        tg_mat_shape_text(&bias->mat, got, sizeof(got));
        snprintf(allowed, sizeof(allowed), "(%" PRId64 ",)", weights->array[i].mat.shape[1]);
        tg_fault_add_value(report, TG_INVALID, bias->pointer, got, allowed,
                           "`head_bias` has a number for each column of its `head_weights`.");
        return;
    }
    tg_fault_add_value(report, TG_INVALID, bias->pointer, bias->name,
                       "the name, model and step of `head_weights`",
                       "There are no `head_weights` \"%.60s\" that this bias could belong to.",
                       bias->name);
}

/* With labels every head leads to the same classes. */
static void check_classes(const struct tg_job *job, struct tg_report *report)
{
    const struct tg_job_input *weights = tg_job_input(job, "head_weights");
    char got[80], allowed[80];
    for (size_t i = 1; i < weights->n; i++) {
        const struct tg_bound *entry = &weights->array[i];
        if (entry->mat.shape[1] == weights->array[0].mat.shape[1])
            continue;
        snprintf(got, sizeof(got), "%" PRId64 " outputs", entry->mat.shape[1]);
        snprintf(allowed, sizeof(allowed), "%" PRId64 " outputs",
                 weights->array[0].mat.shape[1]);
        tg_fault_add_value(report, TG_INVALID, entry->pointer, got, allowed,
                           "With `labels` the outputs of every head are the classes, so all "
                           "have as many. Weights that lead to another layer go into a job "
                           "without `labels`.");
        return;
    }
    svcca_check_labels(job, weights->n ? weights->array[0].mat.shape[1] : INT64_MAX, report);
}

static void check_sizes(const struct tg_job *job, struct tg_report *report)
{
    struct svcca_work work = {.job = job, .params = job->params};
    struct state state = {0};
    enum tg_err err = svcca_collect(&work);
    if (!err)
        err = size_up(&work, &state);
    if (err == TG_TOO_LARGE_JOB)
        tg_fault_add(report, TG_INVALID, "/inputs/head_weights",
                     "The curves or factors of all these heads and pairs would hold more than "
                     "%d numbers. Give fewer heads, compare fewer `pairs`, or leave out "
                     "`return_factors`.",
                     MAX_VALUES);
    else if (err)
        tg_fault_add(report, err, "/inputs/head_weights", "There is no memory to check this.");
    svcca_release(&work);
}

static void check(const struct tg_job *job, struct tg_report *report)
{
    const struct svcca_params *p = job->params;
    const struct tg_job_input *weights = tg_job_input(job, "head_weights"),
                              *bias = tg_job_input(job, "head_bias");
    if (report->count)
        return; /* layers that could not be compared have no heads either */
    for (size_t i = 0; i < weights->n; i++)
        check_weights(job, &weights->array[i], report);
    for (size_t i = 0; i < bias->n; i++)
        check_bias(job, &bias->array[i], report);
    if (tg_job_input(job, "labels")->n)
        check_classes(job, report);
    if (p->compress_to && !weights->n)
        tg_fault_add(report, TG_INVALID, "/params/compress_to",
                     "Give the `head_weights` that are to be compressed.");
    if (p->return_factors && !p->compress_to)
        tg_fault_add(report, TG_INVALID, "/params/return_factors",
                     "There are factors only with `compress_to`.");
    if (weights->n && !report->count)
        check_sizes(job, report);
}

/* Telling ----------------------------------------------------------------------------- */

static json_t *count_or_null(int64_t k)
{
    return k < 0 ? json_null() : json_integer(k);
}

static void put_compressed(const struct state *state, int64_t index, json_t **out)
{
    const struct row *row = &state->row[index];
    const struct tg_head *head = &state->head[row->head].head;
    int64_t d = state->head[row->head].weights->shape[0], c = head->outputs;
    double before = (double)d * (double)c, after = (double)row->k * (double)(d + c);
    tg_json_set(out, "k", json_integer(row->k));
    tg_json_set(out, "predicted_loss", svcca_real_or_null(error_of(state, index)[row->k]));
    tg_json_set(out, "measured_loss", svcca_real_or_null(row->compressed.error));
    tg_json_set(out, "weights_saved", json_real(1 - after / before));
    if (state->labelled)
        tg_json_set(out, "accuracy_at_k", svcca_real_or_null(row->compressed.accuracy));
    if (state->work->params->return_factors)
        tg_json_set(out, "factors", json_integer(factor_of(state, index)));
}

static json_t *row_of(const struct state *state, int64_t index)
{
    const struct row *row = &state->row[index];
    const struct head *head = &state->head[row->head];
    const struct tg_svcca_layer *layers = state->work->layers;
    double full = tg_head_accuracy(&head->head);
    bool known = row->count >= 0;
    json_t *out = json_pack("{s:s, s:s, s:s*, s:I, s:o}", "layer", layers[head->layer].name,
                            "directions", ways[row->way], "with",
                            row->with < 0 ? NULL : layers[row->with].name, "outputs",
                            (json_int_t)head->head.outputs, "count",
                            count_or_null(row->count));
    if (state->labelled) {
        int64_t k = known ? tg_head_reaches(accuracy_of(state, index), row->count, nearly * full)
                          : -1;
        tg_json_set(&out, "accuracy", json_real(full));
        tg_json_set(&out, "k_accuracy", count_or_null(k));
    }
    tg_json_set(&out, "k_variance",
                count_or_null(known ? tg_head_holds(error_of(state, index), row->count,
                                                    1 - nearly)
                                    : -1));
    if (row->k)
        put_compressed(state, index, &out);
    return out;
}

/* A row of this head and way that has directions; -1 without one. */
static int64_t find_row(const struct state *state, int64_t head, enum way way)
{
    for (int64_t i = 0; i < state->nrows; i++)
        if (state->row[i].head == head && state->row[i].way == way && state->row[i].count >= 0)
            return i;
    return -1;
}

/* A pane for each of the first heads; of its pairs, the first. */
static void draw(const struct state *state, struct tg_result *result)
{
    struct tg_series series[MAX_PANES * (SVCCA + 1)] = {0};
    const char *panes[MAX_PANES];
    const double *curves = state->labelled ? state->accuracy : state->error;
    const char *what = state->labelled ? "accuracy" : "variance lost";
    size_t npanes = state->nheads < MAX_PANES ? (size_t)state->nheads : MAX_PANES;
    for (int64_t k = 0; k <= state->d; k++)
        state->axis[k] = (double)k;
    for (size_t i = 0; i < npanes * (SVCCA + 1); i++) {
        int64_t head = (int64_t)i / (SVCCA + 1);
        int64_t row = find_row(state, head, (enum way)(i % (SVCCA + 1)));
        panes[head] = state->work->layers[state->head[head].layer].name;
        series[i].name = ways[i % (SVCCA + 1)];
        if (row >= 0)
            series[i] = (struct tg_series){.name = series[i].name,
                                           .x = state->axis,
                                           .y = curves + row * (state->d + 1),
                                           .n = (size_t)state->row[row].count + 1};
    }
    tg_result_figure(result, "head_curves", "What few directions leave of a head",
                     tg_figure_line_panes("What few directions leave of a head",
                                          "directions or units kept", what, panes, npanes,
                                          series, SVCCA + 1, NAN));
}

static void put_factors(const struct state *state, struct tg_result *result)
{
    const int64_t in[] = {state->nfactors, state->d, state->k};
    const int64_t out[] = {state->nfactors, state->k, state->outputs};
    const int64_t bias[] = {state->nfactors, state->outputs};
    tg_result_array_f64(result, "factors_in", state->in, 3, in);
    tg_result_array_f64(result, "factors_out", state->out, 3, out);
    tg_result_array_f64(result, "factors_bias", state->bias, 2, bias);
}

static enum tg_err finish(const struct svcca_work *work, size_t place,
                          const struct tg_ctx *ctx, struct tg_result *result)
{
    const struct state *state = work->state[place];
    if (!state)
        return TG_OK;
    const int64_t curves[] = {state->nrows, state->d + 1};
    json_t *table = json_array();
    for (int64_t i = 0; i < state->nrows; i++) {
        enum tg_err err = tg_ctx_poll(ctx);
        if (err) {
            json_decref(table);
            return err;
        }
        tg_json_append(&table, row_of(state, i));
    }
    tg_result_value(result, "heads", table);
    tg_result_array_f64(result, "head_loss", state->error, 2, curves);
    if (state->labelled)
        tg_result_array_f64(result, "head_accuracy", state->accuracy, 2, curves);
    if (work->params->return_factors)
        put_factors(state, result);
    draw(state, result);
    return TG_OK;
}

const struct svcca_part svcca_head_part = {
    .check = check, .prepare = prepare, .finish = finish};

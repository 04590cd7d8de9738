/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The part of svcca that follows layers over training, where entries have steps.
 *
 * DESIGN. Entries of one name and model are a row: their similarity with the last of them is
 * read off the matrices, whatever pairs were compared. Rows of one model, in the order of
 * their first entries, are its layers from the bottom up.
 */
#include "proto/kinds/svcca_kind.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "proto/figure.h"
#include "proto/template.h"
#include "svcca/dynamics.h"

enum { MAX_PANES = 24, MAX_TIMES = 4, MAX_ROWS_OF_PANE = 35 };

struct state {
    int64_t nrows, nsteps, nmeasures; /* most steps of a row; measures asked for */
    int64_t *member;                  /* nrows x nsteps: entries by step; -1: none */
    int64_t *step;                    /* of each member */
    int64_t *freeze;                  /* of each row, by the measure of headline() */
    double *flops;                    /* of each row, 0 where not given */
    int64_t *list, *model_steps;      /* scratch: the rows of a model */
    double *model_flops;
    double *steps;                    /* step as real, NaN: none */
    double *similarity;               /* nmeasures x nrows x nsteps */
    double *panes;                    /* MAX_TIMES x nrows x nrows */
};

static bool is_same_row(const struct tg_bound *a, const struct tg_bound *b)
{
    return !strcmp(a->name, b->name) && svcca_is_same_model(a, b);
}

/* Entries with a step in the row that `first` begins; 0 where it does not begin one. */
static int64_t row_length(const struct svcca_work *work, size_t first)
{
    const struct tg_bound *leader = work->bound[first];
    int64_t length = 0;
    for (size_t i = 0; i < work->nlayers; i++) {
        bool inside = work->bound[i]->step >= 0 && is_same_row(leader, work->bound[i]);
        if (inside && i < first)
            return 0;
        length += inside;
    }
    return leader->step >= 0 ? length : 0;
}

/* Entries of a row, by step. */
static void collect_row(const struct svcca_work *work, size_t first,
                        const struct state *state, int64_t row)
{
    int64_t *member = state->member + row * state->nsteps;
    int64_t *step = state->step + row * state->nsteps;
    int64_t count = 0;
    for (size_t i = first; i < work->nlayers; i++) {
        int64_t at = count, s = work->bound[i]->step;
        if (s < 0 || !is_same_row(work->bound[first], work->bound[i]))
            continue;
        for (; at > 0 && step[at - 1] > s; at--) {
            member[at] = member[at - 1];
            step[at] = step[at - 1];
        }
        member[at] = (int64_t)i;
        step[at] = s;
        count++;
    }
    for (int64_t i = count; i < state->nsteps; i++)
        member[i] = -1;
    for (int64_t i = 0; i < state->nsteps; i++)
        state->steps[row * state->nsteps + i] = i < count ? (double)step[i] : NAN;
}

static int64_t length_of(const struct state *state, int64_t row)
{
    int64_t n = 0;
    while (n < state->nsteps && state->member[row * state->nsteps + n] >= 0)
        n++;
    return n;
}

/* The measure that says when layers have converged: svcca, or else the first. */
static enum tg_svcca_measure headline(const struct svcca_work *work)
{
    int first = 0;
    if (svcca_wants(work, TG_SVCCA_SVCCA))
        return TG_SVCCA_SVCCA;
    while (!svcca_wants(work, (enum tg_svcca_measure)first))
        first++;
    return (enum tg_svcca_measure)first;
}

/* Whether no entry before has the name of this one. */
static bool begins_name(const struct svcca_work *work, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (!strcmp(work->bound[i]->name, work->bound[index]->name))
            return false;
    return true;
}

/* The place of an entry's name among the distinct names. */
static size_t name_place(const struct svcca_work *work, size_t index)
{
    size_t place = 0;
    for (size_t i = 0; strcmp(work->bound[i]->name, work->bound[index]->name); i++)
        place += begins_name(work, i);
    return place;
}

static size_t count_names(const struct svcca_work *work)
{
    size_t count = 0;
    for (size_t i = 0; i < work->nlayers; i++)
        count += begins_name(work, i);
    return count;
}

static void check(const struct tg_job *job, struct tg_report *report)
{
    const struct svcca_params *p = job->params;
    const struct tg_real_list *flops = &p->layer_flops;
    struct svcca_work work = {.job = job, .params = p};
    double sum = 0;
    if (!flops->n || report->count)
        return;
    for (size_t i = 0; i < flops->n; i++)
        sum += flops->v[i];
    enum tg_err err = svcca_collect(&work);
    size_t names = err ? 0 : count_names(&work);
    char got[32], allowed[48];
    snprintf(got, sizeof(got), "%zu costs", flops->n);
    snprintf(allowed, sizeof(allowed), "%zu costs", names);
    if (err)
        tg_fault_add(report, err, "/params/layer_flops", "There is no memory to check this.");
    else if (names != flops->n)
        tg_fault_add_value(report, TG_INVALID, "/params/layer_flops", got, allowed,
                           "Give a cost for each name in `layers`, in the order in which "
                           "the names first come: there are %zu names.",
                           names);
    else if (!(sum > 0))
        tg_fault_add(report, TG_INVALID, "/params/layer_flops",
                     "At least one layer has to cost something.");
    svcca_release(&work);
}

static enum tg_err prepare(struct svcca_work *work, size_t place, struct tg_arena *arena,
                           struct tg_svcca_cost *cost)
{
    (void)cost;
    struct state local = {0};
    for (size_t i = 0; i < work->nlayers; i++) {
        int64_t length = row_length(work, i);
        local.nrows += length > 1;
        local.nsteps = length > local.nsteps ? length : local.nsteps;
    }
    if (!local.nrows)
        return TG_OK;
    for (int i = 0; i < TG_SVCCA_MEASURES; i++)
        local.nmeasures += svcca_wants(work, (enum tg_svcca_measure)i);
    size_t rows = (size_t)local.nrows, cells = rows * (size_t)local.nsteps;
    struct state *state = tg_arena_alloc(arena, 1, sizeof(*state));
    local.member = tg_arena_alloc(arena, cells, sizeof(int64_t));
    local.step = tg_arena_alloc(arena, cells, sizeof(int64_t));
    local.freeze = tg_arena_alloc(arena, rows, sizeof(int64_t));
    local.flops = tg_arena_alloc(arena, rows, sizeof(double));
    local.list = tg_arena_alloc(arena, rows, sizeof(int64_t));
    local.model_steps = tg_arena_alloc(arena, rows, sizeof(int64_t));
    local.model_flops = tg_arena_alloc(arena, rows, sizeof(double));
    local.steps = tg_arena_alloc(arena, cells, sizeof(double));
    local.similarity =
        tg_arena_alloc(arena, cells * (size_t)local.nmeasures, sizeof(double));
    local.panes = tg_arena_alloc(arena, MAX_TIMES * rows * rows, sizeof(double));
    if (tg_arena_failed(arena))
        return TG_NOMEM;
    work->state[place] = state;
    if (!state)
        return TG_OK;
    *state = local;
    for (size_t i = 0, row = 0; i < work->nlayers; i++)
        if (row_length(work, i) > 1) {
            if (work->params->layer_flops.n)
                state->flops[row] = work->params->layer_flops.v[name_place(work, i)];
            collect_row(work, i, state, (int64_t)row++);
        }
    return TG_OK;
}

/* What each measure says of each row; false where no pair of them was compared. */
static bool read_matrices(const struct svcca_work *work, const struct state *state)
{
    const struct tg_svcca *svcca = &work->svcca;
    double *out = state->similarity;
    bool found = false;
    for (int m = 0; m < TG_SVCCA_MEASURES; m++)
        for (int64_t row = 0; svcca->matrix[m] && row < state->nrows; row++) {
            const int64_t *member = state->member + row * state->nsteps;
            int64_t n = length_of(state, row), last = member[n - 1];
            for (int64_t i = 0; i < state->nsteps; i++) {
                *out = i < n ? svcca->matrix[m][member[i] * svcca->nlayers + last] : NAN;
                found = found || (i + 1 < n && isfinite(*out));
                out++;
            }
        }
    return found;
}

static const double *similarity_of(const struct svcca_work *work, const struct state *state,
                                   enum tg_svcca_measure measure, int64_t row)
{
    int64_t place = 0;
    for (int m = 0; m < (int)measure; m++)
        place += svcca_wants(work, (enum tg_svcca_measure)m);
    return state->similarity + (place * state->nrows + row) * state->nsteps;
}

static int64_t converged(const struct svcca_work *work, const struct state *state,
                         enum tg_svcca_measure measure, int64_t row)
{
    return tg_dynamics_converged(state->step + row * state->nsteps,
                                 similarity_of(work, state, measure, row),
                                 (size_t)length_of(state, row), work->params->converged_at);
}

static const struct tg_bound *leader(const struct svcca_work *work,
                                     const struct state *state, int64_t row)
{
    return work->bound[state->member[row * state->nsteps]];
}

/* Rows of the same model as `row`, in their order; their places go to `list`. */
static size_t rows_of_model(const struct svcca_work *work, const struct state *state,
                            int64_t row, int64_t *list)
{
    size_t n = 0;
    for (int64_t i = 0; i < state->nrows; i++)
        if (svcca_is_same_model(leader(work, state, i), leader(work, state, row)))
            list[n++] = i;
    return n;
}

static int64_t last_step(const struct state *state, int64_t row)
{
    return state->step[row * state->nsteps + length_of(state, row) - 1];
}

static json_t *step_or_null(int64_t step)
{
    return step < 0 ? json_null() : json_integer(step);
}

/* A row of `dynamics`. */
static json_t *row_of(const struct svcca_work *work, const struct state *state, int64_t row)
{
    const struct tg_bound *first = leader(work, state, row);
    char name[64];
    json_t *out = json_pack("{s:s, s:s*, s:I, s:I, s:I}", "name", first->name, "model",
                            first->model, "steps", (json_int_t)length_of(state, row),
                            "first_step", (json_int_t)state->step[row * state->nsteps],
                            "last_step", (json_int_t)last_step(state, row));
    for (int m = 0; m < TG_SVCCA_MEASURES; m++) {
        enum tg_svcca_measure measure = (enum tg_svcca_measure)m;
        if (!svcca_wants(work, measure))
            continue;
        snprintf(name, sizeof(name), "%s_converged_step", svcca_measure_names[m]);
        tg_json_set(&out, name, step_or_null(converged(work, state, measure, row)));
    }
    tg_json_set(&out, "freeze_step", step_or_null(state->freeze[row]));
    return out;
}

/* Freeze steps of the n rows in state->list, and the row that tells what they save. */
static json_t *freeze_model(const struct svcca_work *work, const struct state *state, size_t n)
{
    enum tg_svcca_measure measure = headline(work);
    int64_t last = 0, *steps = state->model_steps;
    double *flops = state->model_flops, sum = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t row = state->list[i], end = last_step(state, row);
        last = end > last ? end : last;
        steps[i] = converged(work, state, measure, row);
        flops[i] = state->flops[row];
        sum += flops[i];
    }
    tg_dynamics_freeze(n, steps, steps);
    for (size_t i = 0; i < n; i++)
        state->freeze[state->list[i]] = steps[i];
    json_t *out = json_pack("{s:s*, s:s, s:I}", "model",
                            leader(work, state, state->list[0])->model, "measure",
                            svcca_measure_names[measure], "steps", (json_int_t)last);
    if (sum > 0) {
        struct tg_freeze_saving saving = tg_dynamics_saving(n, flops, steps, last);
        tg_json_set(&out, "backward_saved", json_real(saving.backward));
        tg_json_set(&out, "training_saved", json_real(saving.training));
    }
    return out;
}

/* A row a model. */
static json_t *freeze_all(const struct svcca_work *work, const struct state *state)
{
    json_t *table = json_array();
    for (int64_t row = 0; row < state->nrows; row++) {
        size_t n = rows_of_model(work, state, row, state->list);
        if (state->list[0] == row)
            tg_json_append(&table, freeze_model(work, state, n));
    }
    return table;
}

static void draw_curves(const struct svcca_work *work, const struct state *state,
                        struct tg_result *result)
{
    struct tg_series series[MAX_PANES * TG_SVCCA_MEASURES];
    char label[MAX_PANES][120];
    const char *panes[MAX_PANES];
    size_t npanes = state->nrows < MAX_PANES ? (size_t)state->nrows : MAX_PANES, count = 0;
    for (size_t row = 0; row < npanes; row++) {
        const struct tg_bound *first = leader(work, state, (int64_t)row);
        snprintf(label[row], sizeof(label[row]), "%.50s%s%.50s",
                 first->model ? first->model : "", first->model ? "/" : "", first->name);
        panes[row] = label[row];
        for (int m = 0; m < TG_SVCCA_MEASURES; m++)
            if (svcca_wants(work, (enum tg_svcca_measure)m))
                series[count++] = (struct tg_series){
                    .name = svcca_measure_names[m],
                    .x = state->steps + row * (size_t)state->nsteps,
                    .y = similarity_of(work, state, (enum tg_svcca_measure)m, (int64_t)row),
                    .n = (size_t)length_of(state, (int64_t)row)};
    }
    const char *title = "Similarity with the last step";
    tg_result_figure(result, "layer_curves", title,
                     tg_figure_line_panes(title, "step", "similarity", panes, npanes, series,
                                          (size_t)state->nmeasures,
                                          work->params->converged_at));
}

/* The entry of `row` at `step`, or -1. */
static int64_t member_at(const struct state *state, int64_t row, int64_t step)
{
    for (int64_t i = row * state->nsteps; i < row * state->nsteps + length_of(state, row); i++)
        if (state->step[i] == step)
            return state->member[i];
    return -1;
}

/* Layers now by layers at the end, at one step; false unless all pairs are there. */
static bool fill_pane(const struct svcca_work *work, const struct state *state, size_t n,
                      int64_t step, double *z)
{
    const struct tg_svcca *svcca = &work->svcca;
    const int64_t *list = state->list;
    const double *matrix = svcca->matrix[headline(work)];
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            int64_t now = member_at(state, list[i], step);
            int64_t end = member_at(state, list[k], last_step(state, list[k]));
            *z = now < 0 ? NAN : matrix[now * svcca->nlayers + end];
            if (isnan(*z++))
                return false;
        }
    return true;
}

/* The first model's layers at up to four times of training, as in the paper's figure 4. */
static void draw_panes(const struct svcca_work *work, const struct state *state,
                       struct tg_result *result)
{
    char label[MAX_TIMES][32];
    const char *panes[MAX_TIMES], *names[MAX_ROWS_OF_PANE];
    size_t n = rows_of_model(work, state, 0, state->list), count = 0;
    int64_t length = length_of(state, 0), before = -1;
    if (n < 2 || n > MAX_ROWS_OF_PANE)
        return;
    for (size_t i = 0; i < n; i++)
        names[i] = leader(work, state, state->list[i])->name;
    for (int64_t time = 0; time < MAX_TIMES; time++) {
        int64_t step = state->step[time * (length - 1) / (MAX_TIMES - 1)];
        if (step == before)
            continue;
        before = step;
        if (!fill_pane(work, state, n, step, state->panes + count * n * n))
            return;
        snprintf(label[count], sizeof(label[count]), "step %lld", (long long)step);
        panes[count] = label[count];
        count++;
    }
    const char *title = "Layers during training beside layers at the end";
    tg_result_figure(result, "dynamics", title,
                     tg_figure_heatmap_panes(title, "at the end", "at this step",
                                             svcca_measure_names[headline(work)], panes,
                                             count, names, n, names, n, state->panes));
}

static enum tg_err finish(const struct svcca_work *work, size_t place,
                          const struct tg_ctx *ctx, struct tg_result *result)
{
    (void)ctx;
    const struct state *state = work->state[place];
    if (!state || !read_matrices(work, state))
        return TG_OK;
    const int64_t cells[] = {state->nrows, state->nsteps};
    const int64_t curves[] = {state->nmeasures, state->nrows, state->nsteps};
    json_t *freezing = freeze_all(work, state), *table = json_array();
    for (int64_t row = 0; row < state->nrows; row++)
        tg_json_append(&table, row_of(work, state, row));
    tg_result_value(result, "dynamics", table);
    tg_result_value(result, "freezing", freezing);
    tg_result_array_f64(result, "dynamics_steps", state->steps, 2, cells);
    tg_result_array_f64(result, "dynamics_similarity", state->similarity, 3, curves);
    draw_curves(work, state, result);
    draw_panes(work, state, result);
    return TG_OK;
}

const struct svcca_part svcca_dynamics_part = {
    .check = check, .prepare = prepare, .finish = finish, .of_scores = true};

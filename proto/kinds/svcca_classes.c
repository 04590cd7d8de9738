/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The part of svcca that sets layers beside single outputs: which classes each layer knows. */
#include "proto/kinds/svcca_kind.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/figure.h"
#include "proto/template.h"
#include "svcca/classes.h"
#include "svcca/head.h"

enum { MAX_VALUES = 20000000, MAX_CELLS = 70, MAX_PANES = 24, MAX_LINES = 10 };

struct state {
    const struct svcca_work *work;
    int64_t nlayers, n, c;
    int64_t *label;
    double *y, *v;                  /* n x c, d x c */
    double *cca, *svcca, *adjusted; /* nlayers x c, NaN for layers that never change */
    double *axis;                   /* nlayers */
    bool made;                      /* y is there */
};

/* Classes, by `logits`, `head_weights`, or the largest label; 0 when nothing asks for them. */
static int64_t count_classes(const struct tg_job *job)
{
    const struct tg_job_input *logits = tg_job_input(job, "logits"),
                              *labels = tg_job_input(job, "labels"),
                              *weights = tg_job_input(job, "head_weights");
    double most = -1;
    if (logits->n)
        return logits->array->mat.shape[1];
    if (labels->n && weights->n)
        return weights->array->mat.shape[1];
    for (int64_t i = 0; labels->n && i < labels->array->mat.shape[0]; i++)
        most = fmax(most, tg_mat_at(&labels->array->mat, i));
    return (int64_t)most + 1;
}

static void check_logits(const struct tg_job *job, struct tg_report *report)
{
    const struct tg_bound *logits = tg_job_input(job, "logits")->array;
    struct tg_fold fold;
    struct tg_mat view;
    char got[80], allowed[80];
    if (!svcca_fold(job->params, &svcca_layer(job, 0, NULL)->mat, &fold, &view) ||
        logits->mat.shape[0] == view.shape[0])
        return;
    tg_mat_shape_text(&logits->mat, got, sizeof(got));
    snprintf(allowed, sizeof(allowed), "(%" PRId64 ", classes)", view.shape[0]);
    tg_fault_add_value(report, TG_INVALID, logits->pointer, got, allowed,
                       "`logits` have a row for each sample, as the layers.");
}

static void check(const struct tg_job *job, struct tg_report *report)
{
    const struct tg_job_input *labels = tg_job_input(job, "labels");
    bool counted = tg_job_input(job, "logits")->n || tg_job_input(job, "head_weights")->n;
    if (report->count)
        return;
    if (tg_job_input(job, "logits")->n)
        check_logits(job, report);
    if (labels->n && !tg_job_input(job, "head_weights")->n)
        svcca_check_labels(job, MAX_VALUES, report);
    if (report->count)
        return;
    if (labels->n && !counted && !labels->array->mat.data) {
        tg_fault_add(report, TG_INVALID, labels->array->pointer,
                     "How many classes there are has to be known before the job runs: give "
                     "labels that are not compressed, or `logits` as well.");
        return;
    }
    size_t layers = 0;
    while (svcca_layer(job, layers, NULL))
        layers++;
    if (layers && count_classes(job) > MAX_VALUES / (int64_t)layers)
        tg_fault_add(report, TG_INVALID, "/inputs",
                     "The correlations of %zu layers with %" PRId64
                     " classes would be more than %d numbers.",
                     layers, count_classes(job), MAX_VALUES);
}

static double *take(struct tg_arena *arena, int64_t rows, int64_t cols)
{
    size_t count;
    if (!tg_mul_ok((size_t)rows, (size_t)cols, &count))
        count = SIZE_MAX; /* more than any arena has */
    return tg_arena_alloc(arena, count, sizeof(double));
}

/* Make y, before the first layer. */
static enum tg_err make_classes(struct state *state)
{
    const struct tg_job *job = state->work->job;
    const struct tg_job_input *logits = tg_job_input(job, "logits");
    int64_t bad;
    state->made = true;
    if (logits->n) {
        if (tg_classes_logits(&logits->array->mat, state->y))
            return TG_OK;
        tg_fault_add(state->work->report, TG_NUMERIC, logits->array->pointer,
                     "`logits` have entries that are not finite numbers.");
        return TG_NUMERIC;
    }
    if (!tg_head_labels(&tg_job_input(job, "labels")->array->mat, state->c, state->label,
                        &bad)) {
        svcca_tell_label(job, state->c, bad, state->work->report);
        return TG_NUMERIC;
    }
    tg_classes_indicators(state->n, state->c, state->label, state->y);
    return TG_OK;
}

static enum tg_err on_layer(void *arg, const struct tg_ctx *ctx, int64_t index,
                            const struct tg_basis *basis)
{
    struct state *state = arg;
    int64_t offset = index * state->c;
    const struct tg_classes_row row = {
        state->cca + offset, state->svcca + offset, state->adjusted + offset};
    if (!state->made)
        TG_TRY(make_classes(state));
    if (!basis->rank)
        return TG_OK;
    return tg_classes_correlate(ctx, basis, state->y, state->c,
                                basis->k[state->work->options.rule], state->v, &row);
}

static enum tg_err prepare(struct svcca_work *work, size_t place, struct tg_arena *arena,
                           struct tg_svcca_cost *cost)
{
    struct state local = {.work = work,
                          .nlayers = (int64_t)work->nlayers,
                          .n = work->layers[0].mat.shape[0],
                          .c = count_classes(work->job)};
    int64_t d = 0, cells = local.nlayers * local.c;
    if (!local.c)
        return TG_OK;
    for (size_t i = 0; i < work->nlayers; i++) {
        int64_t width = work->layers[i].mat.shape[1];
        d = width > d ? width : d;
        cost->flops += 2 * (double)local.n * (double)width * (double)local.c;
    }
    struct state *state = tg_arena_alloc(arena, 1, sizeof(*state));
    local.label = tg_arena_alloc(arena, (size_t)local.n, sizeof(*local.label));
    local.y = take(arena, local.n, local.c);
    local.v = take(arena, d, local.c);
    local.cca = take(arena, local.nlayers, local.c);
    local.svcca = take(arena, local.nlayers, local.c);
    local.adjusted = take(arena, local.nlayers, local.c);
    local.axis = take(arena, local.nlayers, 1);
    if (tg_arena_failed(arena))
        return TG_NOMEM;
    for (int64_t i = 0; state && i < cells; i++)
        local.cca[i] = local.svcca[i] = local.adjusted[i] = NAN;
    if (state)
        *state = local;
    work->state[place] = state;
    svcca_add_hook(work, &(struct tg_svcca_hook){
                             .arg = state,
                             .needs = TG_BASIS_U | TG_BASIS_S | TG_BASIS_ALL,
                             .layer = on_layer});
    return TG_OK;
}

/* A layer: the mean over classes, and those it knows worst and best. */
static json_t *row_of(const struct state *state, int64_t index)
{
    const double *cca = state->cca + index * state->c;
    double sum = 0;
    int64_t known = 0, worst = -1, best = -1;
    for (int64_t j = 0; j < state->c; j++) {
        if (isnan(cca[j]))
            continue;
        sum += cca[j];
        known++;
        worst = worst < 0 || cca[j] < cca[worst] ? j : worst;
        best = best < 0 || cca[j] > cca[best] ? j : best;
    }
    json_t *row = json_pack("{s:s, s:I}", "layer", state->work->layers[index].name, "classes",
                            (json_int_t)known);
    if (!known)
        return row;
    tg_json_set(&row, "mean", json_real(sum / (double)known));
    tg_json_set(&row, "worst", json_integer(worst));
    tg_json_set(&row, "worst_cca", json_real(cca[worst]));
    tg_json_set(&row, "best", json_integer(best));
    tg_json_set(&row, "best_cca", json_real(cca[best]));
    return row;
}

static void draw_heatmap(const struct state *state, const size_t *order,
                         struct tg_result *result)
{
    const char *title = "Correlation of layers with single classes";
    const char *layer[MAX_CELLS], *class[MAX_CELLS];
    char text[MAX_CELLS][24];
    double *z = malloc((size_t)(state->nlayers * state->c) * sizeof(*z));
    json_t *figure = NULL;
    for (int64_t j = 0; j < state->c; j++) {
        snprintf(text[j], sizeof(text[j]), "%" PRId64, j);
        class[j] = text[j];
    }
    for (int64_t i = 0; z && i < state->nlayers; i++) {
        layer[i] = state->work->layers[order[i]].name;
        memcpy(z + i * state->c, state->cca + (int64_t)order[i] * state->c,
               (size_t)state->c * sizeof(*z));
    }
    if (z)
        figure = tg_figure_heatmap(title, "class", "layer", "cca", class, (size_t)state->c,
                                   layer, (size_t)state->nlayers, z);
    tg_result_figure(result, "class_heatmap", title, figure);
    free(z);
}

/* How many entries from `first` on are steps of one layer; 0 where it has no steps. */
static size_t run_length(const struct svcca_work *work, const size_t *order, size_t first)
{
    const struct tg_bound *leader = work->bound[order[first]];
    size_t n = 0;
    while (leader->step >= 0 && first + n < work->nlayers &&
           !strcmp(work->bound[order[first + n]]->name, leader->name) &&
           svcca_is_same_model(work->bound[order[first + n]], leader))
        n++;
    return n;
}

/* Lines of the first classes over the steps of each layer; columns of `sorted` are classes. */
static void draw_curves(const struct state *state, const size_t *order, double *sorted,
                        struct tg_result *result)
{
    const char *title = "Correlation with single classes over training";
    size_t lines = state->c < MAX_LINES ? (size_t)state->c : MAX_LINES, npanes = 0;
    size_t l = (size_t)state->nlayers;
    struct tg_series series[MAX_PANES * MAX_LINES];
    char text[MAX_LINES][32], label[MAX_PANES][120];
    const char *panes[MAX_PANES];
    for (size_t i = 0; i < l; i++)
        for (size_t j = 0; j < lines; j++)
            sorted[j * l + i] = state->cca[order[i] * (size_t)state->c + j];
    for (size_t j = 0; j < lines; j++)
        snprintf(text[j], sizeof(text[j]), "class %zu", j);
    for (size_t i = 0, n; i < l && npanes < MAX_PANES; i += n ? n : 1) {
        const struct tg_bound *first = state->work->bound[order[i]];
        n = run_length(state->work, order, i);
        if (n < 2)
            continue;
        for (size_t k = i; k < i + n; k++)
            state->axis[k] = (double)state->work->bound[order[k]]->step;
        for (size_t j = 0; j < lines; j++)
            series[npanes * lines + j] = (struct tg_series){
                .name = text[j], .x = state->axis + i, .y = sorted + j * l + i, .n = n};
        snprintf(label[npanes], sizeof(label[npanes]), "%.50s%s%.50s",
                 first->model ? first->model : "", first->model ? "/" : "", first->name);
        panes[npanes] = label[npanes];
        npanes++;
    }
    if (npanes)
        tg_result_figure(result, "class_curves", title,
                         tg_figure_line_panes(title, "step", "correlation", panes, npanes,
                                              series, lines, NAN));
}

static enum tg_err finish(const struct svcca_work *work, size_t place,
                          const struct tg_ctx *ctx, struct tg_result *result)
{
    (void)ctx;
    const struct state *state = work->state[place];
    if (!state)
        return TG_OK;
    const int64_t shape[] = {state->nlayers, state->c};
    json_t *table = json_array();
    for (int64_t i = 0; i < state->nlayers; i++)
        tg_json_append(&table, row_of(state, i));
    tg_result_value(result, "classes", table);
    tg_result_array_f64(result, "class_cca", state->cca, 2, shape);
    tg_result_array_f64(result, "class_svcca", state->svcca, 2, shape);
    tg_result_array_f64(result, "class_adjusted", state->adjusted, 2, shape);
    if (state->nlayers > SVCCA_MAX_ORDERED)
        return TG_OK;
    size_t order[SVCCA_MAX_ORDERED];
    double *sorted = malloc((size_t)(state->nlayers * MAX_LINES) * sizeof(*sorted));
    if (!sorted)
        return TG_NOMEM;
    svcca_order(work, order);
    if (state->nlayers <= MAX_CELLS && state->c <= MAX_CELLS)
        draw_heatmap(state, order, result);
    draw_curves(state, order, sorted, result);
    free(sorted);
    return TG_OK;
}

const struct svcca_part svcca_classes_part = {
    .check = check, .prepare = prepare, .finish = finish};

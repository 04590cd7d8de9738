/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The part `verdict` of the kind pca: what the null models say, in words, tables and figures. */
#include "proto/kinds/pca_kind.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "pca/verdict.h"

#include "proto/figure.h"

/* "67.3 % +- 1.4 %" */
static void write_ratio(const struct tg_expected *model, char *text, size_t n)
{
    if (isfinite(model->band[0]))
        snprintf(text, n, "%.1f %% +- %.1f %%", 100 * model->ratio[0], 100 * model->band[0]);
    else
        snprintf(text, n, "%.1f %%", 100 * model->ratio[0]);
}

static void put_sentence(const struct tg_pca *pca, const struct tg_verdict *verdict,
                         struct tg_result *result)
{
    const struct tg_expected *walk = &verdict->model[TG_MODEL_WALK];
    const struct tg_expected *steps = &verdict->model[TG_MODEL_WALK_STEPS];
    enum tg_model best = verdict->fits.best;
    char plain[48], measured[120] = "", told[48], end[300], text[640];
    write_ratio(walk, plain, sizeof(plain));
    if (verdict->fits.model[TG_MODEL_WALK_STEPS].fitted) {
        write_ratio(steps, told, sizeof(told));
        snprintf(measured, sizeof(measured), ", one with the measured step lengths %s", told);
    }
    if (verdict->explained_by >= 0)
        snprintf(end, sizeof(end), "The first ratios are what %s shows.",
                 tg_model_title((enum tg_model)verdict->explained_by));
    else {
        write_ratio(&verdict->model[best], told, sizeof(told));
        snprintf(end, sizeof(end),
                 "None of the null models explains the first ratios; the most likely one, %s, "
                 "has %s and is %.1f bands away.",
                 tg_model_title(best), told, verdict->model[best].worst);
    }
    snprintf(text, sizeof(text),
             "The first component holds %.1f %%; a random walk has %s%s. %s",
             100 * pca->ratio[0], plain, measured, end);
    tg_result_text(result, "verdict", text);
}

static json_t *model_row(const struct tg_verdict *verdict, enum tg_model which)
{
    const struct tg_fit *fit = &verdict->fits.model[which];
    const struct tg_expected *model = &verdict->model[which];
    const struct {
        const char *name;
        double value;
    } columns[] = {
        {"worst", model->worst},
        {"ratio_1", model->ratio[0]},
        {"band_1", model->band[0]},
        {"ratio_2", verdict->k > 1 ? model->ratio[1] : NAN},
        {"log_likelihood", fit->log_likelihood},
        {"aic", fit->aic},
        {"momentum", fit->momentum.value},
        {"momentum_lo", fit->momentum.lo},
        {"momentum_hi", fit->momentum.hi},
        {"alpha", fit->alpha.value},
        {"alpha_lo", fit->alpha.lo},
        {"alpha_hi", fit->alpha.hi},
        {"shared", fit->shared.value},
        {"shared_lo", fit->shared.lo},
        {"shared_hi", fit->shared.hi},
        {"radius", model->trap.radius.value},
        {"radius_lo", model->trap.radius.lo},
        {"radius_hi", model->trap.radius.hi},
        {"start", model->trap.start},
        {"at_radius", model->at_radius},
    };
    json_t *row = json_pack("{s:s, s:b, s:I}", "model", tg_model_name(which), "explains",
                            model->explains, "parameters", (json_int_t)fit->parameters);
    for (size_t i = 0; row && i < sizeof(columns) / sizeof(*columns); i++)
        if (json_object_set_new(row, columns[i].name, pca_real_or_null(columns[i].value))) {
            json_decref(row);
            row = NULL;
        }
    return row;
}

static json_t *model_table(const struct tg_verdict *verdict)
{
    json_t *table = json_array();
    for (int i = 0; table && i < TG_MODELS; i++)
        if (json_array_append_new(table, model_row(verdict, (enum tg_model)i))) {
            json_decref(table);
            return NULL;
        }
    return table;
}

static json_t *shape_table(const struct tg_verdict *verdict)
{
    json_t *table = json_array();
    for (int64_t k = 0; table && k < verdict->k; k++) {
        json_t *row = json_pack("{s:I, s:o, s:o, s:o}", "k", (json_int_t)(k + 1),
                                "step_overlap", pca_real_or_null(verdict->step_overlap[k]),
                                "chebyshev_r2", pca_real_or_null(verdict->chebyshev[k]),
                                "lissajous_r2", pca_real_or_null(verdict->lissajous[k]));
        if (json_array_append_new(table, row)) {
            json_decref(table);
            return NULL;
        }
    }
    return table;
}

/* A score and the null's, of the same total variance and turned the same way. */
static void fill_score(const struct tg_pca *pca, const struct tg_verdict *verdict, int64_t k,
                       double *score, double *null)
{
    const double *mode = pca->step_null_mode + k * pca->t;
    double total = pca->total_variance * (double)(pca->t - 1), along = 0;
    double size = sqrt(verdict->model[TG_MODEL_WALK_STEPS].ratio[k] * total);
    for (int64_t t = 0; t < pca->t; t++) {
        score[t] = pca->scores[t * pca->k + k];
        along += score[t] * mode[t];
    }
    for (int64_t t = 0; t < pca->t; t++)
        null[t] = (along < 0 ? -size : size) * mode[t];
}

static void put_pair(const struct pca_work *work, const struct tg_verdict *verdict, int64_t a,
                     int64_t b, struct tg_result *result)
{
    const struct tg_pca *pca = &work->pca;
    size_t n = (size_t)pca->t;
    char name[40], title[80], xtitle[40], ytitle[40];
    double *x = calloc(4 * n, sizeof(*x));
    if (!x) {
        result->failed = true;
        return;
    }
    double *y = x + n, *null_x = y + n, *null_y = null_x + n;
    fill_score(pca, verdict, a, x, null_x);
    fill_score(pca, verdict, b, y, null_y);
    snprintf(name, sizeof(name), "path_%d_%d", (int)a + 1, (int)b + 1);
    snprintf(title, sizeof(title), "Path in components %d and %d, and a walk's", (int)a + 1,
             (int)b + 1);
    pca_component_title(pca, a, xtitle);
    pca_component_title(pca, b, ytitle);
    tg_result_figure(
        result, name, title,
        tg_figure_path_beside(
            title, xtitle, ytitle, "loss",
            &(struct tg_figure_path){.x = x, .y = y, .z = work->loss, .n = n},
            &(struct tg_figure_path){.name = "walk with the measured step lengths",
                                     .x = null_x,
                                     .y = null_y,
                                     .n = n}));
    free(x);
}

static void put_distance(const struct pca_work *work, const double *expected,
                         struct tg_result *result)
{
    const struct tg_pca *pca = &work->pca;
    const char *title = "Distance from the start and from the end";
    const size_t n = (size_t)pca->t;
    struct tg_series distances[4] = {
        {.name = "from the start", .y = pca->from_start, .n = n},
        {.name = "from the end", .y = pca->from_end, .n = n},
    };
    size_t count = 2;
    if (expected)
        distances[count++] =
            (struct tg_series){.name = "expected from the start", .y = expected, .n = n};
    if (work->loss)
        distances[count++] =
            (struct tg_series){.name = "from the minimum", .y = pca->from_minimum, .n = n};
    tg_result_figure(result, "distance", title,
                     tg_figure_lines(title, "point", "distance", distances, count, false));
}

/* The second baseline where it is, for a schedule explains itself then. */
static void put_scree(const struct tg_pca *pca, const struct tg_verdict *verdict,
                      struct tg_result *result)
{
    bool steps = verdict->fits.model[TG_MODEL_WALK_STEPS].fitted;
    const struct tg_expected *model =
        &verdict->model[steps ? TG_MODEL_WALK_STEPS : TG_MODEL_WALK];
    tg_result_figure(result, "scree", "Explained variance ratio",
                     tg_figure_bars_banded(
                         "Explained variance ratio", "component", "ratio", "measured",
                         pca->ratio, steps ? "walk with the measured steps" : "random walk",
                         model->ratio, model->band, (size_t)pca->k));
}

static void put_figures(const struct pca_work *work, const struct tg_verdict *verdict,
                        struct tg_result *result)
{
    const struct tg_pca *pca = &work->pca;
    put_scree(pca, verdict, result);
    put_distance(work, verdict->distance, result);
    if (!verdict->fits.model[TG_MODEL_WALK_STEPS].fitted)
        return;
    for (int64_t b = 1; b < pca->k && b < 3; b++)
        for (int64_t a = 0; a < b; a++)
            put_pair(work, verdict, a, b, result);
}

static void put_verdict(const struct pca_work *work, const struct tg_verdict *verdict,
                        struct tg_result *result)
{
    const struct tg_pca *pca = &work->pca;
    if (!verdict->given) {
        tg_result_text(result, "verdict",
                       pca->nruns > 1 ? "Null models are of one run; `runs` tells of each."
                                      : "Nothing moves, so there is nothing to explain.");
        if (pca->nruns == 1)
            put_distance(work, NULL, result);
        return;
    }
    put_sentence(pca, verdict, result);
    tg_result_text(result, "explained_by",
                   verdict->explained_by < 0
                       ? "none"
                       : tg_model_name((enum tg_model)verdict->explained_by));
    tg_result_text(result, "most_likely_model", tg_model_name(verdict->fits.best));
    tg_result_value(result, "d_eff_noise", pca_real_or_null(verdict->fits.d_eff));
    tg_result_value(result, "models", model_table(verdict));
    tg_result_value(result, "shapes", shape_table(verdict));
    tg_result_array_f64(result, "expected_distance", verdict->distance, 1, &pca->t);
    put_figures(work, verdict, result);
}

static enum tg_err prepare(struct pca_work *work, size_t place, struct tg_arena *arena,
                           struct tg_cost *cost)
{
    (void)place;
    (void)arena;
    cost->peak_bytes += tg_verdict_bytes(work->cost.points, work->cost.components);
    return TG_OK;
}

static enum tg_err finish(const struct pca_work *work, size_t place, const struct tg_ctx *ctx,
                          struct tg_result *result)
{
    struct tg_verdict verdict;
    (void)place;
    TG_TRY(tg_verdict_run(ctx, &work->pca, &verdict));
    put_verdict(work, &verdict, result);
    return TG_OK;
}

const struct pca_part pca_verdict_part = {.prepare = prepare, .finish = finish};

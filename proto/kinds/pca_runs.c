/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The part `runs` of the kind pca: several trajectories, or checkpoints of several models. */
#include <math.h>
#include <stdlib.h>

#include "pca/runs.h"

#include "proto/figure.h"
#include "proto/kinds/pca_kind.h"
#include "proto/template.h"

static bool is_asked_for(const struct pca_work *work)
{
    return work->data.nruns > 1;
}

static enum tg_err prepare(struct pca_work *work, size_t place, struct tg_arena *arena,
                           struct tg_cost *cost)
{
    struct tg_pca_cost own;
    if (!is_asked_for(work))
        return TG_OK;
    TG_TRY(tg_runs_cost(&work->data, &work->options, &own));
    work->state[place] = tg_arena_alloc(arena, (size_t)work->cost.points, sizeof(double));
    cost->peak_bytes += own.bytes;
    cost->flops += own.flops;
    return TG_OK;
}

const char *pca_run_name(const struct pca_work *work, int64_t run)
{
    const struct tg_job_input *arrays = tg_job_input(work->job, "trajectories");
    const char *name = arrays->n    ? arrays->array[run].name
                       : work->file ? work->file[work->data.run[run]]->model
                                    : NULL;
    return name ? name : work->data.nruns > 1 ? "" : "path";
}

static json_t *run_row(const struct pca_work *work, const struct tg_runs *runs, int64_t r)
{
    const struct tg_verdict *verdict = &runs->verdict[r];
    const char *explained = NULL, *likely = NULL;
    if (verdict->given) {
        explained = verdict->explained_by < 0
                        ? "none"
                        : tg_model_name((enum tg_model)verdict->explained_by);
        likely = tg_model_name(verdict->fits.best);
    }
    return json_pack("{s:s, s:I, s:o, s:s?, s:s?, s:o, s:o}", "model", pca_run_name(work, r), "n",
                     (json_int_t)(work->pca.run[r + 1] - work->pca.run[r]), "first_ratio",
                     pca_real_or_null(runs->own[r].ratio[0]), "explained_by", explained,
                     "most_likely_model", likely, "d_eff_noise",
                     pca_real_or_null(runs->dimensions[r]), "plane",
                     pca_real_or_null(runs->plane[r]));
}

static json_t *pair_row(const struct pca_work *work, const struct tg_runs *runs, int64_t a,
                        int64_t b)
{
    int64_t at = a * runs->n + b;
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "a",
                     pca_run_name(work, a), "b", pca_run_name(work, b), "overlap",
                     pca_real_or_null(runs->overlap[at]),
                     "start_distance", pca_real_or_null(runs->start[at]), "end_distance",
                     pca_real_or_null(runs->end[at]), "displacement_cosine",
                     pca_real_or_null(runs->displacement[at]), "alike",
                     pca_real_or_null(runs->alike[at]), "chance",
                     pca_real_or_null(runs->chance[at]), "chance_sd",
                     pca_real_or_null(runs->chance_sd[at]));
}

static void put_tables(const struct pca_work *work, const struct tg_runs *runs,
                       struct tg_result *result)
{
    json_t *rows = json_array(), *pairs = json_array();
    for (int64_t a = 0; a < runs->n; a++) {
        tg_json_append(&rows, run_row(work, runs, a));
        for (int64_t b = a + 1; b < runs->n; b++)
            tg_json_append(&pairs, pair_row(work, runs, a, b));
    }
    tg_result_value(result, "runs", rows);
    tg_result_value(result, "run_pairs", pairs);
    tg_result_value(result, "between_runs", pca_real_or_null(runs->between));
}

static enum tg_err put_paths(const struct pca_work *work, struct tg_result *result)
{
    const struct tg_pca *pca = &work->pca;
    const char *title = "Paths in the common first two components";
    size_t t = (size_t)pca->t, n = (size_t)pca->nruns;
    double *x = calloc(2 * t, sizeof(*x)), *y = x ? x + t : NULL;
    struct tg_figure_path *paths = calloc(n, sizeof(*paths));
    bool whole = x && paths;
    for (size_t i = 0; whole && i < t; i++) {
        x[i] = pca->scores[i * (size_t)pca->k];
        y[i] = pca->k > 1 ? pca->scores[i * (size_t)pca->k + 1] : 0;
    }
    for (size_t r = 0; whole && r < n; r++) {
        int64_t first = pca->run[r];
        paths[r] = (struct tg_figure_path){.name = pca_run_name(work, (int64_t)r),
                                           .x = x + first,
                                           .y = y + first,
                                           .z = work->loss ? work->loss + first : NULL,
                                           .n = (size_t)(pca->run[r + 1] - first)};
    }
    if (whole)
        tg_result_figure(
            result, "path", title,
            tg_figure_paths(title, "component 1", "component 2", "loss", paths, n));
    free(x);
    free(paths);
    return whole ? TG_OK : TG_NOMEM;
}

static enum tg_err put_alike(const struct pca_work *work, const struct tg_runs *runs,
                             struct tg_result *result)
{
    const char *title = "Mean squared cosine of principal angles";
    size_t n = (size_t)runs->n;
    const char **label = calloc(n, sizeof(*label));
    if (!label)
        return TG_NOMEM;
    for (size_t r = 0; r < n; r++)
        label[r] = pca_run_name(work, (int64_t)r);
    tg_result_figure(
        result, "runs_alike", title,
        tg_figure_heatmap(title, "run", "run", "alike", label, n, label, n, runs->alike));
    free(label);
    return TG_OK;
}

static void put_arrays(const struct pca_work *work, const struct tg_runs *runs, double *run,
                       struct tg_result *result)
{
    const struct tg_pca *pca = &work->pca;
    for (int64_t r = 0; r < pca->nruns; r++)
        for (int64_t i = pca->run[r]; i < pca->run[r + 1]; i++)
            run[i] = (double)r;
    tg_result_array_f64(result, "run", run, 1, &pca->t);
    tg_result_array_f64(result, "principal_cosines", runs->cosine, 3,
                        (const int64_t[]){runs->n, runs->n, runs->k});
}

static enum tg_err finish(const struct pca_work *work, size_t place, const struct tg_ctx *ctx,
                          struct tg_result *result)
{
    struct tg_runs runs;
    if (!is_asked_for(work))
        return TG_OK;
    TG_TRY(tg_runs_compare(ctx, &work->data, &work->options, &work->pca, &runs));
    put_tables(work, &runs, result);
    put_arrays(work, &runs, work->state[place], result);
    if (!isfinite(work->pca.ratio[0]))
        return TG_OK;
    TG_TRY(put_paths(work, result));
    return put_alike(work, &runs, result);
}

const struct pca_part pca_runs_part = {.prepare = prepare, .finish = finish};

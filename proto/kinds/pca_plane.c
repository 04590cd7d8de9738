/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The part `plane` of the kind pca: whether a picture in two components shows the path. */
#include "proto/kinds/pca_kind.h"

#include <math.h>
#include <stdlib.h>

#include "pca/plane.h"

#include "proto/figure.h"
#include "proto/template.h"

static enum tg_err prepare(struct pca_work *work, size_t place, struct tg_arena *arena,
                           struct tg_cost *cost)
{
    (void)place;
    (void)arena;
    cost->peak_bytes += tg_plane_bytes(work->cost.points, work->data.nruns);
    return TG_OK;
}

static json_t *run_row(const struct pca_work *work, const struct tg_plane *plane, int64_t r)
{
    const struct tg_plane_run *run = &plane->run[r];
    json_t *row = json_object();
    if (work->pca.nruns > 1)
        tg_json_set(&row, "model", json_string(pca_run_name(work, r)));
    tg_json_set(&row, "steps", json_integer(run->steps));
    tg_json_set(&row, "hides_more", pca_real_or_null(run->hides_more));
    tg_json_set(&row, "hidden", pca_real_or_null(run->hidden));
    tg_json_set(&row, "walk_hidden", pca_real_or_null(run->walk));
    tg_json_set(&row, "steps_off", pca_real_or_null(run->steps_off));
    return row;
}

static void warn(const struct pca_work *work, const struct tg_plane *plane,
                 struct tg_result *result)
{
    double more = 0, steps = 0, off = 0;
    for (int64_t r = 0; r < work->pca.nruns; r++)
        if (plane->run[r].steps) {
            steps += (double)plane->run[r].steps;
            more += plane->run[r].hides_more * (double)plane->run[r].steps;
            off = fmax(off, plane->run[r].steps_off);
        }
    if (more > 0.5 * steps)
        tg_result_warn(result, "plane-not-faithful",
                       "Of %.0f of %.0f steps the plane of the first two components hides more "
                       "than it shows, and points lie %.3g steps off it (median). Read the path's "
                       "figures as its slow part only; a loss over that plane would not be that "
                       "of the path.",
                       more, steps, off);
}

/* Panels ------------------------------------------------------------------------------ */

struct panel {
    const char *name;
    const double *y; /* of the window's points from `late` on; NULL: not drawn */
    int64_t late;    /* 1: of steps, by the points where they end; 2: of pairs of steps */
};

/* Points count from 0 in each run, or by their training step. */
static void fill_places(const struct pca_work *work, double *x)
{
    const struct tg_pca *pca = &work->pca;
    bool steps = pca_has_steps(work);
    for (int64_t r = 0; r < pca->nruns; r++)
        for (int64_t i = pca->run[r]; i < pca->run[r + 1]; i++)
            x[i] = steps ? (double)work->file[pca->point[i]]->step : (double)(i - pca->run[r]);
}

static enum tg_err put_panels(const struct pca_work *work, const struct tg_plane *plane,
                              struct tg_result *result)
{
    const struct tg_pca *pca = &work->pca;
    const char *title = "Along the path";
    const struct panel panels[] = {
        {"distance from the start", pca->from_start, 0},
        {"distance from the end", pca->from_end, 0},
        {"distance from the minimum", work->loss ? pca->from_minimum : NULL, 0},
        {"loss", work->loss, 0},
        {"length of steps", pca->step_norm, 1},
        {"cosine of successive steps", pca->step_cosine, 2},
        {"distance from the plane", pca->off_plane, 0},
        {"share of steps that the plane hides", plane->hidden, 1},
    };
    enum { MOST = sizeof(panels) / sizeof(*panels) };
    const char *name[MOST];
    size_t n = 0, runs = (size_t)pca->nruns;
    struct tg_series *series = calloc(MOST * runs, sizeof(*series));
    double *x = calloc((size_t)pca->t, sizeof(*x));
    bool whole = series && x;
    if (whole)
        fill_places(work, x);
    for (size_t i = 0; whole && i < MOST; i++) {
        if (!panels[i].y)
            continue;
        for (size_t r = 0; r < runs; r++) {
            int64_t from = pca->run[r] + panels[i].late;
            series[n * runs + r] = (struct tg_series){.name = pca_run_name(work, (int64_t)r),
                                                      .x = x + from,
                                                      .y = panels[i].y + pca->run[r],
                                                      .n = (size_t)(pca->run[r + 1] - from)};
        }
        name[n++] = panels[i].name;
    }
    const char *xtitle = pca_has_steps(work) ? "step" : "point";
    if (whole)
        tg_result_figure(result, "panels", title,
                         tg_figure_panels(title, xtitle, name, n, series, runs));
    free(series);
    free(x);
    return whole ? TG_OK : TG_NOMEM;
}

static enum tg_err finish(const struct pca_work *work, size_t place, const struct tg_ctx *ctx,
                          struct tg_result *result)
{
    const struct tg_pca *pca = &work->pca;
    const int64_t steps = pca->t - 1;
    struct tg_plane plane;
    (void)place;
    TG_TRY(tg_plane_describe(ctx, pca, &plane));
    json_t *rows = json_array();
    for (int64_t r = 0; r < pca->nruns; r++)
        tg_json_append(&rows, run_row(work, &plane, r));
    tg_result_value(result, "faithfulness", rows);
    tg_result_array_f64(result, "step_hidden", plane.hidden, 1, &steps);
    tg_result_array_f64(result, "steps_off_plane", plane.steps_off, 1, &steps);
    warn(work, &plane, result);
    return put_panels(work, &plane, result);
}

const struct pca_part pca_plane_part = {.prepare = prepare, .finish = finish};

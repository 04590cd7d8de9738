/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The part `loss` of the kind pca: the loss at each point, and where it is least. */
#include "proto/kinds/pca_kind.h"

#include <math.h>

#include "proto/template.h"

static const struct tg_job_input *loss_of(const struct tg_job *job)
{
    return tg_job_input(job, "loss");
}

static void check(const struct tg_job *job, struct tg_report *report)
{
    const struct pca_params *p = job->params;
    const struct tg_job_input *loss = loss_of(job);
    if (!loss->n)
        return;
    if (p->simulate) {
        tg_fault_add(report, TG_INVALID, "/inputs/loss",
                     "A simulated walk has no loss; leave it out.");
        return;
    }
    long long given = loss->array[0].mat.shape[0], points = pca_count_points(job);
    if (given != points)
        tg_fault_add(report, TG_INVALID, "/inputs/loss",
                     "There are %lld points and %lld losses; give one for each point, also for "
                     "those outside of the window, and NaN where it is not known.",
                     points, given);
}

/* Where in the inputs a point of the data stands: files may have been put in order. */
static int64_t place_of(const struct pca_work *work, int64_t point)
{
    return work->file
               ? (int64_t)(work->file[point] - tg_job_input(work->job, "checkpoints")->array)
               : point;
}

void pca_take_loss(struct pca_work *work, struct tg_arena *arena)
{
    const struct tg_job_input *loss = loss_of(work->job);
    if (!loss->n)
        return;
    double *all = tg_arena_alloc(arena, (size_t)work->data.t, sizeof(*all));
    for (int64_t i = 0; all && i < work->data.t; i++)
        all[i] = tg_mat_at(&loss->array[0].mat, place_of(work, i));
    work->options.loss = all;
}

static enum tg_err prepare(struct pca_work *work, size_t place, struct tg_arena *arena,
                           struct tg_cost *cost)
{
    (void)place;
    (void)cost;
    if (loss_of(work->job)->n)
        work->loss = tg_arena_alloc(arena, (size_t)work->cost.points, sizeof(*work->loss));
    return TG_OK;
}

void pca_window_loss(struct pca_work *work)
{
    for (int64_t i = 0; work->loss && i < work->pca.t; i++)
        work->loss[i] = work->options.loss[work->pca.point[i]];
}

static json_t *minimum_row(const struct pca_work *work, int64_t r)
{
    const struct tg_pca *pca = &work->pca;
    int64_t i = pca->minimum[r], last = pca->run[r + 1] - 1;
    bool known = i >= 0;
    json_t *row = json_object();
    if (pca->nruns > 1)
        tg_json_set(&row, "model", json_string(pca_run_name(work, r)));
    tg_json_set(&row, "point", known ? json_integer(i) : json_null());
    if (pca_has_steps(work))
        tg_json_set(&row, "step",
                    known ? json_integer(work->file[pca->point[i]]->step) : json_null());
    tg_json_set(&row, "loss", pca_real_or_null(known ? work->loss[i] : NAN));
    tg_json_set(&row, "last_loss", pca_real_or_null(work->loss[last]));
    tg_json_set(&row, "from_start", pca_real_or_null(known ? pca->from_start[i] : NAN));
    tg_json_set(&row, "from_end", pca_real_or_null(known ? pca->from_end[i] : NAN));
    return row;
}

static void warn(const struct pca_work *work, struct tg_result *result)
{
    long long unknown = 0;
    for (int64_t i = 0; i < work->pca.t; i++)
        unknown += !isfinite(work->loss[i]);
    if (unknown)
        tg_result_warn(result, "loss-not-finite",
                       "Of %lld of %lld points the loss is not a finite number; none of these "
                       "is a minimum.",
                       unknown, (long long)work->pca.t);
}

static enum tg_err finish(const struct pca_work *work, size_t place, const struct tg_ctx *ctx,
                          struct tg_result *result)
{
    const struct tg_pca *pca = &work->pca;
    (void)place;
    (void)ctx;
    if (!work->loss)
        return TG_OK;
    json_t *minima = json_array();
    for (int64_t r = 0; r < pca->nruns; r++)
        tg_json_append(&minima, minimum_row(work, r));
    tg_result_value(result, "minima", minima);
    tg_result_array_f64(result, "loss", work->loss, 1, &pca->t);
    tg_result_array_f64(result, "distance_from_minimum", pca->from_minimum, 1, &pca->t);
    warn(work, result);
    return TG_OK;
}

const struct pca_part pca_loss_part = {.check = check, .prepare = prepare, .finish = finish};

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the points of a job lie, and what is wrong with them. */
#include "proto/kinds/pca_kind.h"

#include <stdio.h>

/* Whether the window leaves enough of n points. */
static void check_window(const struct pca_params *p, int64_t n, struct tg_report *report)
{
    struct tg_pca_options window = {
        .from = p->start, .to = p->stop ? p->stop : n, .stride = p->stride};
    long long left = (long long)tg_pca_window(&window, n);
    if (left < TG_PCA_MIN_POINTS)
        tg_fault_add(report, TG_INVALID, "/params/start",
                     "`start`, `stop` and `stride` leave %lld of %lld points; at least %d are "
                     "needed.",
                     left, (long long)n, TG_PCA_MIN_POINTS);
}

static void check_trajectory(const struct tg_job_input *trajectory, const struct pca_params *p,
                             struct tg_report *report)
{
    const struct tg_mat *mat = &trajectory->array[0].mat;
    char got[80], allowed[80];
    if (mat->shape[0] >= TG_PCA_MIN_POINTS && mat->shape[0] <= TG_PCA_MAX_POINTS) {
        check_window(p, mat->shape[0], report);
        return;
    }
    tg_mat_shape_text(mat, got, sizeof(got));
    snprintf(allowed, sizeof(allowed), "%d to %d rows", TG_PCA_MIN_POINTS,
             TG_PCA_MAX_POINTS);
    tg_fault_add_value(
        report, TG_INVALID, "/inputs/trajectory", got, allowed,
        "Rows are points in the order of time, and %s are taken; %s.", allowed,
        mat->shape[0] < TG_PCA_MIN_POINTS ? "save more points"
                                          : "take every k-th point, or transpose "
                                            "the array if points are its columns");
}

void pca_check_points(const struct tg_job *job, struct tg_report *report)
{
    const struct pca_params *p = job->params;
    const struct tg_job_input *trajectory = tg_job_input(job, "trajectory");
    pca_check_simulation(job, report);
    if (p->simulate && !report->count)
        check_window(p, p->walk_points, report);
    if (trajectory->n)
        check_trajectory(trajectory, p, report);
}

int64_t pca_dimensions(const struct tg_job *job, bool *single)
{
    const struct pca_params *p = job->params;
    struct tg_walk_array array;
    *single = false;
    if (p->simulate)
        return p->walk_dimensions;
    tg_walk_of_array(&array, &tg_job_input(job, "trajectory")->array[0].mat);
    *single = tg_walk_is_single(&array.data, 0);
    return array.data.d;
}

/* A key would have to be hashed with the digest; a file of one array has none. */
static void collect_trajectory(struct pca_work *work)
{
    const struct tg_bound *bound = &tg_job_input(work->job, "trajectory")->array[0];
    tg_walk_of_array(&work->array, &bound->mat);
    work->data = work->array.data;
    work->prefix[0] = bound->sha256;
    work->data.prefix = bound->key ? NULL : work->prefix;
}

static void collect_simulation(struct pca_work *work, struct tg_arena *arena,
                               struct tg_cost *cost)
{
    const struct pca_params *p = work->params;
    const int64_t shape[] = {p->walk_points, p->walk_dimensions};
    struct tg_mat mat;
    work->drawn =
        tg_arena_alloc(arena, (size_t)shape[0] * (size_t)shape[1], sizeof(*work->drawn));
    if (!tg_mat_init(&mat, work->drawn, TG_F64, 2, shape, false))
        TG_BUG("the size was checked");
    tg_walk_of_array(&work->array, &mat);
    work->data = work->array.data;
    cost->flops += pca_simulation_flops(p);
}

enum tg_err pca_collect(struct pca_work *work, struct tg_arena *arena, struct tg_cost *cost)
{
    if (work->params->simulate)
        collect_simulation(work, arena, cost);
    else
        collect_trajectory(work);
    return tg_arena_failed(arena) ? TG_NOMEM : TG_OK;
}

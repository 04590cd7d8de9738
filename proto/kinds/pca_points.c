/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the points of a job lie, and what is wrong with them. */
#include "proto/kinds/pca_kind.h"

#include <stdio.h>

#include "pca/components.h"

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

static void check_trajectory(const struct tg_bound *trajectory, const struct pca_params *p,
                             struct tg_report *report)
{
    const struct tg_mat *mat = &trajectory->mat;
    char got[80], allowed[80];
    if (mat->shape[0] >= TG_PCA_MIN_POINTS && mat->shape[0] <= TG_PCA_MAX_POINTS) {
        check_window(p, mat->shape[0], report);
        return;
    }
    tg_mat_shape_text(mat, got, sizeof(got));
    snprintf(allowed, sizeof(allowed), "%d to %d rows", TG_PCA_MIN_POINTS,
             TG_PCA_MAX_POINTS);
    tg_fault_add_value(
        report, TG_INVALID, trajectory->pointer, got, allowed,
        "Rows are points in the order of time, and %s are taken; %s.", allowed,
        mat->shape[0] < TG_PCA_MIN_POINTS ? "save more points"
                                          : "take every k-th point, or transpose "
                                            "the array if points are its columns");
}

/* Each is a run of its own; all lie in one space, and their products in one matrix. */
static void check_trajectories(const struct tg_job_input *runs, const struct pca_params *p,
                               struct tg_report *report)
{
    const int64_t *first = runs->array[0].mat.shape;
    long long n = 0;
    for (size_t i = 0; i < runs->n && !report->count; i++) {
        const struct tg_bound *run = &runs->array[i];
        check_trajectory(run, p, report);
        if (run->mat.shape[1] != first[1])
            tg_fault_add(report, TG_INVALID, run->pointer,
                         "`%.40s` has %lld columns and `%.40s` has %lld: runs that are compared "
                         "are of the same coordinates.",
                         run->name, (long long)run->mat.shape[1], runs->array[0].name,
                         (long long)first[1]);
        n += run->mat.shape[0];
    }
    if (n > TG_PCA_MAX_POINTS)
        tg_fault_add(report, TG_INVALID, "/inputs/trajectories",
                     "Together they have %lld points, and at most %d are taken; take every k-th.",
                     n, TG_PCA_MAX_POINTS);
}

/* Each model's checkpoints are a run of their own. */
static void check_count(const struct tg_job_input *checkpoints, const struct pca_params *p,
                        struct tg_report *report)
{
    for (size_t i = 0; i < checkpoints->n && !report->count; i++) {
        if (pca_first_of_model(checkpoints, i) < i)
            continue;
        int64_t n = 0;
        for (size_t j = i; j < checkpoints->n; j++)
            n += pca_first_of_model(checkpoints, j) == i;
        if (n >= TG_PCA_MIN_POINTS)
            check_window(p, n, report);
        else
            tg_fault_add(report, TG_INVALID, "/inputs/checkpoints",
                         "Each checkpoint is a point, and at least %d points of a model are "
                         "needed; save more of them.",
                         TG_PCA_MIN_POINTS);
    }
}

static const char *const sources[] = {"trajectory", "trajectories", "checkpoints", NULL};

const struct tg_job_input *pca_source(const struct tg_job *job)
{
    for (size_t i = 0; sources[i]; i++)
        if (tg_job_input(job, sources[i])->n)
            return tg_job_input(job, sources[i]);
    return NULL;
}

int64_t pca_count_points(const struct tg_job *job)
{
    const struct pca_params *p = job->params;
    const struct tg_job_input *source = pca_source(job);
    int64_t n = 0;
    if (!source)
        return p->walk_points;
    if (source->input->flags & TG_INPUT_MEMBERS)
        return (int64_t)source->n;
    for (size_t i = 0; i < source->n; i++)
        n += source->array[i].mat.shape[0];
    return n;
}

void pca_check_points(const struct tg_job *job, struct tg_report *report)
{
    const struct pca_params *p = job->params;
    const struct tg_job_input *source = pca_source(job);
    for (size_t i = 0; sources[i]; i++)
        if (tg_job_input(job, sources[i])->n && tg_job_input(job, sources[i]) != source)
            tg_fault_add(report, TG_INVALID, "/inputs",
                         "Give the points either as `%s` or as `%s`, not both.",
                         source->input->name, sources[i]);
    pca_check_simulation(job, report);
    if (report->count)
        return;
    if (p->simulate)
        check_window(p, p->walk_points, report);
    else if (source->input->flags & TG_INPUT_MEMBERS)
        check_count(source, p, report);
    else
        check_trajectories(source, p, report);
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

/* Digests are kept apart from those of checkpoints, which may be the same files. */
static enum tg_err collect_trajectories(struct pca_work *work, struct tg_arena *tables)
{
    const struct tg_job_input *runs = tg_job_input(work->job, "trajectories");
    size_t n = runs->n;
    int64_t *first = tg_arena_alloc(tables, n + 1, sizeof(*first));
    const struct tg_mat **mat = tg_arena_alloc(tables, n, sizeof(*mat));
    const char **prefix = tg_arena_alloc(tables, n, sizeof(*prefix));
    char(*digest)[TG_SHA256_HEX] = tg_arena_alloc(tables, n, sizeof(*digest));
    if (tg_arena_failed(tables))
        return TG_NOMEM;
    for (size_t i = 0; i < n; i++) {
        mat[i] = &runs->array[i].mat;
        first[i + 1] = first[i] + mat[i]->shape[0];
        pca_extend_prefix(i ? digest[i - 1] : "runs", &runs->array[i], digest[i]);
        prefix[i] = digest[i];
    }
    tg_walk_of_array(&work->array, mat[0]);
    work->data = work->array.data;
    work->data.t = first[n];
    work->data.nfiles = work->data.nruns = (int64_t)n;
    work->data.first = work->data.run = first;
    work->data.mat = mat;
    work->data.prefix = prefix;
    return TG_OK;
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

enum tg_err pca_collect(struct pca_work *work, struct tg_arena *tables,
                        struct tg_arena *arena, struct tg_cost *cost)
{
    if (tg_job_input(work->job, "checkpoints")->n)
        return pca_collect_checkpoints(work, tables);
    if (tg_job_input(work->job, "trajectories")->n)
        return collect_trajectories(work, tables);
    if (work->params->simulate)
        collect_simulation(work, arena, cost);
    else
        collect_trajectory(work);
    return tg_arena_failed(arena) ? TG_NOMEM : TG_OK;
}

enum tg_err pca_dimensions(const struct tg_job *job, int64_t *d, bool *single)
{
    struct pca_work work = {.job = job, .params = job->params};
    struct tg_cost cost = {0};
    struct tg_arena *tables = tg_arena_new(SIZE_MAX), *arena = tg_arena_new_measuring();
    enum tg_err err = TG_NOMEM;
    if (tables && arena)
        err = pca_collect(&work, tables, arena, &cost);
    *single = !err && tg_components_are_single(&work.data);
    *d = work.data.d;
    tg_arena_free(tables);
    tg_arena_free(arena);
    return err;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The part `return_directions` of the kind pca: where in its dimensions components point. */
#include "proto/kinds/pca_kind.h"

#include "pca/components.h"

/* Of all directions together: they are held in memory, and stored as one file. */
static const double most_bytes = 1 << 30;

/* As many as are asked for and there are. */
static int64_t count(const struct pca_work *work)
{
    int64_t wanted = work->params->return_directions, most = work->cost.components;
    return wanted < most ? wanted : most;
}

static void check(const struct tg_job *job, struct tg_report *report)
{
    const struct pca_params *p = job->params;
    int64_t k = p->return_directions < p->components ? p->return_directions : p->components;
    int64_t d;
    bool single;
    if (pca_dimensions(job, &d, &single)) {
        tg_fault_add(report, TG_NOMEM, NULL, "There is no memory for the choice of tensors.");
        return;
    }
    double size = single ? sizeof(float) : sizeof(double);
    if ((double)k * (double)d * size > most_bytes)
        tg_fault_add(report, TG_INVALID, "/params/return_directions",
                     "%lld directions of %lld coordinates take %.3g GiB, and at most %g GiB "
                     "are returned; ask for at most %lld.",
                     (long long)k, (long long)d, (double)k * (double)d * size / (1 << 30),
                     most_bytes / (1 << 30), (long long)(most_bytes / size / (double)d));
}

static enum tg_err prepare(struct pca_work *work, size_t place, struct tg_arena *arena,
                           struct tg_cost *cost)
{
    struct tg_pca_cost own;
    (void)place;
    (void)arena;
    if (!work->params->return_directions)
        return TG_OK;
    TG_TRY(tg_components_cost(&work->data, work->cost.points, count(work), work->lanes, &own));
    cost->peak_bytes += own.bytes;
    cost->flops += own.flops;
    cost->read_bytes += own.read_bytes;
    return TG_OK;
}

static enum tg_err finish(const struct pca_work *work, size_t place, const struct tg_ctx *ctx,
                          struct tg_result *result)
{
    struct tg_components made;
    (void)place;
    if (!work->params->return_directions)
        return TG_OK;
    TG_TRY(tg_components_run(ctx, &work->data, &work->options, &work->pca, count(work), &made));
    const int64_t shape[] = {made.k, made.d};
    if (made.single)
        tg_result_array_f32(result, "directions", made.v, 2, shape);
    else
        tg_result_array_f64(result, "directions", made.v, 2, shape);
    tg_result_quality_value(result, "direction_error", pca_real_or_null(made.error));
    if (made.told < made.k)
        tg_result_warn(result, "directions-untold",
                       "Beyond the first %lld the variance of components is within the error of "
                       "the products, so the data do not tell where they point; their rows of "
                       "`directions` are NaN.",
                       (long long)made.told);
    return TG_OK;
}

const struct pca_part pca_directions_part = {
    .check = check, .prepare = prepare, .finish = finish};

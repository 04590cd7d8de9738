/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the plane of two components shows of each step. */
#include "pca/plane.h"

#include <math.h>

#include "stats/stats.h"

enum { PLANE = 2 };

static void layout(struct tg_arena *arena, int64_t t, int64_t nruns, struct tg_plane *plane,
                   double **sorted)
{
    size_t steps = (size_t)(t - 1);
    plane->hidden = tg_arena_alloc(arena, steps, sizeof(double));
    plane->steps_off = tg_arena_alloc(arena, steps, sizeof(double));
    plane->run = tg_arena_alloc(arena, (size_t)nruns, sizeof(*plane->run));
    *sorted = tg_arena_alloc(arena, steps, sizeof(double));
}

size_t tg_plane_bytes(int64_t t, int64_t nruns)
{
    struct tg_plane plane;
    double *sorted;
    size_t bytes = 0;
    struct tg_arena *arena = tg_arena_new_measuring();
    if (arena) {
        layout(arena, t, nruns, &plane, &sorted);
        bytes = tg_arena_high_water(arena);
    }
    tg_arena_free(arena);
    return bytes;
}

static double squared_in_plane(const struct tg_pca *pca, int64_t i)
{
    double sum = 0;
    for (int64_t k = 0; k < pca->k && k < PLANE; k++) {
        double along = pca->scores[(i + 1) * pca->k + k] - pca->scores[i * pca->k + k];
        sum += along * along;
    }
    return sum;
}

/*
 * An error e of the eigenvalues' sum moves scores by some e sqrt(sum); shorter steps have no
 * direction there.
 */
static void describe(const struct tg_pca *pca, int64_t r, double *sorted,
                     struct tg_plane *plane)
{
    double total = pca->total_variance * (double)(pca->t - 1), shown = 0, all = 0;
    double floor2 = pca->error * pca->error * total;
    struct tg_plane_run *run = &plane->run[r];
    int64_t more = 0, n = 0;
    for (int64_t i = pca->run[r]; i + 1 < pca->run[r + 1]; i++) {
        if (!(pca->step2[i] > floor2))
            continue;
        double inside = fmin(squared_in_plane(pca, i), pca->step2[i]);
        plane->hidden[i] = 1 - inside / pca->step2[i];
        plane->steps_off[i] = pca->off_plane[i + 1] / pca->step_norm[i];
        more += plane->hidden[i] > 0.5;
        shown += inside;
        all += pca->step2[i];
        sorted[n++] = plane->steps_off[i];
    }
    *run = (struct tg_plane_run){n, NAN, NAN, NAN, NAN};
    if (!n)
        return;
    tg_sort(sorted, (size_t)n);
    run->hides_more = (double)more / (double)n;
    run->hidden = fmax(1 - shown / all, 0);
    run->steps_off = tg_quantile(sorted, (size_t)n, 0.5);
    if (pca->nruns == 1)
        run->walk = 1 - fmin(PLANE, (double)pca->k) / (double)(pca->t - 1);
}

enum tg_err tg_plane_describe(const struct tg_ctx *ctx, const struct tg_pca *pca,
                              struct tg_plane *plane)
{
    double *sorted;
    layout(ctx->arena, pca->t, pca->nruns, plane, &sorted);
    if (tg_arena_failed(ctx->arena))
        return TG_NOMEM;
    for (int64_t i = 0; i + 1 < pca->t; i++)
        plane->hidden[i] = plane->steps_off[i] = NAN;
    for (int64_t r = 0; r < pca->nruns; r++)
        describe(pca, r, sorted, plane);
    return TG_OK;
}

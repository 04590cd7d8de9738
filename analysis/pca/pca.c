/* SPDX-License-Identifier: GPL-3.0-or-later */
/* PCA of a trajectory from its Gram matrix, beside two random walks. */
#include "pca/pca.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "linalg/linalg.h"
#include "pca/null.h"
#include "pca/walk.h"

/* With the Gram matrix of a walk, for its leading eigenvalues: more or less. */
static const double products_of_null = 100;

/* Scratch that no result points into. `work` serves the stream first, then the solvers. */
struct scratch {
    double *work, *mean;
};

/* The solver's parts of `work`. */
struct spectrum {
    double *lambda, *vectors; /* ascending; t x k, those of the largest first */
    double *work;
};

/*
 * Points in so few dimensions that their Gram matrix is best reduced to its range first: the
 * rank that it has at most; 0 for more dimensions.
 */
static int64_t low_rank(const struct tg_pca *pca)
{
    return 2 * pca->d <= pca->t ? pca->d : 0;
}

/* Eigenvalues of the step null, room for a mean, and what finds them. */
static size_t step_null_work(const struct tg_pca *pca)
{
    return (size_t)(pca->k + pca->t) + tg_null_work(pca->t, pca->k);
}

static size_t spectrum_work(const struct tg_pca *pca)
{
    size_t t = (size_t)pca->t, r = (size_t)low_rank(pca), k = (size_t)pca->k;
    if (!r)
        return t + t * k + t * t + tg_eigh_steps_work(pca->t);
    size_t qr = tg_qr_work(pca->t, low_rank(pca)), steps = tg_eigh_steps_work(low_rank(pca));
    return t + t * k + 2 * t * r + r * r + r * k + (qr > steps ? qr : steps);
}

size_t tg_pca_solve_work(const struct tg_pca *pca)
{
    size_t own = spectrum_work(pca), null = step_null_work(pca);
    return own > null ? own : null;
}

static double solve_flops(const struct tg_pca *pca)
{
    double t = (double)pca->t, r = (double)low_rank(pca), k = (double)pca->k;
    return r > 0 ? 4 * t * t * r + 8 * t * r * r + 4.0 / 3 * r * r * r + 2 * t * r * k
                 : 4.0 / 3 * t * t * t + 2 * t * t * k;
}

static double *reals(struct tg_arena *arena, int64_t rows, int64_t cols)
{
    return tg_arena_alloc(arena, (size_t)rows * (size_t)cols, sizeof(double));
}

int64_t tg_pca_window(const struct tg_pca_options *options, int64_t n)
{
    int64_t to = options->to < n ? options->to : n;
    return options->from < to ? (to - options->from + options->stride - 1) / options->stride
                              : 0;
}

void tg_pca_lay_out(struct tg_arena *arena, int64_t components, struct tg_pca *pca)
{
    int64_t t = pca->t, k = components < t - 1 ? components : t - 1;
    k = pca->k = k < pca->d ? k : pca->d;
    pca->variance = reals(arena, k, 1);
    pca->ratio = reals(arena, k, 1);
    pca->ratio_error = reals(arena, k, 1);
    pca->walk_ratio = reals(arena, k, 1);
    pca->step_null_ratio = reals(arena, k, 1);
    pca->step_null_mode = reals(arena, k, t);
    pca->band = reals(arena, k, 1);
    pca->overlap = reals(arena, k, 1);
    pca->scores = reals(arena, t, k);
    pca->off_plane = reals(arena, t, 1);
    pca->off_space = reals(arena, t, 1);
    pca->gram = reals(arena, t, t);
}

static void lay_out_path(struct tg_arena *arena, struct tg_pca *pca)
{
    int64_t t = pca->t;
    size_t runs = (size_t)pca->nruns;
    pca->point = tg_arena_alloc(arena, (size_t)t, sizeof(*pca->point));
    pca->run = tg_arena_alloc(arena, runs + 1, sizeof(*pca->run));
    pca->minimum = tg_arena_alloc(arena, runs, sizeof(*pca->minimum));
    pca->step2 = reals(arena, t - 1, 1);
    pca->step_norm = reals(arena, t - 1, 1);
    pca->step_cosine = reals(arena, t - 2, 1);
    pca->from_start = reals(arena, t, 1);
    pca->from_end = reals(arena, t, 1);
    pca->from_minimum = reals(arena, t, 1);
}

static enum tg_err layout(struct tg_arena *arena, const struct tg_walk_data *data,
                          const struct tg_pca_options *options, struct tg_pca *pca,
                          struct scratch *scratch)
{
    struct tg_gram_plan plan = tg_gram_plan(data);
    *pca = (struct tg_pca){.d = data->d, .nruns = data->nruns, .sums.plan = plan};
    for (int64_t r = 0; r < data->nruns; r++)
        pca->t += tg_pca_window(options, data->run[r + 1] - data->run[r]);
    tg_pca_lay_out(arena, options->components, pca);
    lay_out_path(arena, pca);
    pca->sums.sums = tg_arena_alloc(arena, (size_t)plan.nslots * plan.slot, sizeof(double));

    size_t work = plan.work, solve = tg_pca_solve_work(pca);
    scratch->work = tg_arena_alloc(arena, work > solve ? work : solve, sizeof(double));
    scratch->mean = reals(arena, pca->t, 1);
    return tg_arena_failed(arena) ? TG_NOMEM : TG_OK;
}

enum tg_err tg_pca_cost(const struct tg_walk_data *data, const struct tg_pca_options *options,
                        struct tg_pca_cost *cost)
{
    struct tg_pca pca;
    struct scratch scratch;
    struct tg_arena *arena = tg_arena_new_measuring();
    if (!arena)
        return TG_NOMEM;
    enum tg_err err = layout(arena, data, options, &pca, &scratch);
    double all = (double)data->t, d = (double)data->d, t = (double)pca.t, bytes = 0;
    double step_null = products_of_null * 2 * t * t;
    for (int64_t i = 0; i < data->ntensors; i++)
        bytes += (double)data->tensor[i].n * tg_walk_column_bytes(data, i);
    *cost = (struct tg_pca_cost){.bytes = tg_arena_high_water(arena),
                                 .flops = all * all * d + solve_flops(&pca) + step_null,
                                 .read_bytes = bytes,
                                 .points = pca.t,
                                 .components = pca.k};
    tg_arena_free(arena);
    return err;
}

static void choose_points(const struct tg_walk_data *data, const struct tg_pca_options *options,
                          struct tg_pca *pca)
{
    int64_t n = 0;
    for (int64_t r = 0; r < data->nruns; r++) {
        int64_t count = tg_pca_window(options, data->run[r + 1] - data->run[r]);
        pca->run[r] = n;
        for (int64_t i = 0; i < count; i++)
            pca->point[n++] = data->run[r] + options->from + i * options->stride;
    }
    pca->run[data->nruns] = n;
}

enum tg_err tg_pca_gram(const struct tg_ctx *ctx, const struct tg_walk_data *data,
                        const struct tg_pca *pca, int64_t slot, double *g)
{
    int64_t t = pca->t, tensor = 0, low = slot < 0 ? 0 : slot;
    int64_t high = slot < 0 ? pca->sums.plan.nslots : slot + 1;
    memset(g, 0, (size_t)t * (size_t)t * sizeof(*g));
    for (int64_t m = low; m < high; m++) {
        double weight = slot < 0 ? data->tensor[tensor].weight : 1;
        for (int64_t i = 0; i < t; i++) {
            TG_TRY(tg_ctx_poll(ctx));
            for (int64_t j = 0; j <= i; j++)
                g[i * t + j] +=
                    weight * tg_gram_at(&pca->sums, m, pca->point[i], pca->point[j]);
        }
        tensor = slot < 0 ? tg_gram_slot_end(&pca->sums.plan, data, tensor) : 0;
    }
    for (int64_t i = 0; i < t; i++) {
        TG_TRY(tg_ctx_poll(ctx));
        for (int64_t j = 0; j < i; j++)
            g[j * t + i] = g[i * t + j];
    }
    return TG_OK;
}

/* Component c of eigenvectors in columns: score, sign and overlap. */
static void project(const double *vectors, int64_t c, double lambda, struct tg_pca *pca)
{
    int64_t t = pca->t, k = pca->k, peak = 0;
    const double *v = vectors + c;
    double overlap = 0;
    for (int64_t i = 0; i < t; i++) {
        if (fabs(v[i * k]) > fabs(v[peak * k]))
            peak = i;
        overlap += v[i * k] * tg_walk_mode(t, c + 1, i);
    }
    double factor = copysign(sqrt(lambda), v[peak * k]);
    for (int64_t i = 0; i < t; i++)
        pca->scores[i * k + c] = factor * v[i * k];
    pca->overlap[c] = fmin(fabs(overlap), 1);
}

/* Distances from the mean less what the components hold; rounding may take a hair more. */
static void leave_components(struct tg_pca *pca)
{
    for (int64_t i = 0; i < pca->t; i++) {
        double rest = pca->gram[i * pca->t + i];
        pca->off_plane[i] = sqrt(fmax(rest, 0));
        for (int64_t k = 0; k < pca->k; k++) {
            double score = pca->scores[i * pca->k + k];
            rest -= score * score;
            if (k < 2)
                pca->off_plane[i] = sqrt(fmax(rest, 0));
        }
        pca->off_space[i] = sqrt(fmax(rest, 0));
    }
}

/*
 * The largest error among squared lengths of steps that follow from products of points, as a
 * share of what the products are: the same lengths were summed up in double. Rounding is
 * random and averages out where coordinates differ, but not where all move by one amount.
 */
static double observed_error(const struct tg_walk_data *data, const struct tg_gram *sums)
{
    double most = 0;
    for (int64_t i = 1; i < data->t; i++) {
        double off = 0, size = 0;
        for (int64_t slot = 0, first = 0; slot < sums->plan.nslots; slot++) {
            double a = tg_gram_at(sums, slot, i - 1, i - 1), b = tg_gram_at(sums, slot, i, i);
            double exact = tg_gram_step2(sums, slot)[i], weight = data->tensor[first].weight;
            off += weight * fabs(a + b - 2 * tg_gram_at(sums, slot, i - 1, i) - exact);
            size += weight * (a + b);
            first = tg_gram_slot_end(&sums->plan, data, first);
        }
        most = size > 0 ? fmax(most, off / size) : most;
    }
    return most;
}

/*
 * To the error of the Gram matrix, in norm, the solver adds t eps. A negative eigenvalue is an
 * error that shows. Each eigenvalue is off by no more than that, and so is their sum.
 */
static void estimate_error(struct tg_pca *pca, double error, double centred,
                           const double *lambda)
{
    error = error / centred + (double)pca->t * DBL_EPSILON;
    pca->error = fmax(error, -lambda[0] / centred);
    for (int64_t k = 0; k < pca->k; k++)
        pca->ratio_error[k] = pca->error * (1 + pca->ratio[k]);
}

/* All eigenvalues and the eigenvectors of the k largest, from a copy of the Gram matrix. */
static enum tg_err solve_full(const struct tg_ctx *ctx, const struct spectrum *spectrum,
                              const struct tg_pca *pca)
{
    int64_t t = pca->t, k = pca->k;
    double *g = spectrum->work, *rest = g + t * t;
    for (int64_t i = 0; i < t; i++) {
        TG_TRY(tg_ctx_poll(ctx));
        memcpy(g + i * t, pca->gram + i * t, (size_t)t * sizeof(*g));
    }
    TG_TRY(tg_eigh_values(ctx, t, g, (size_t)t, spectrum->lambda, rest));
    return tg_eigh_vectors(ctx, t, g, (size_t)t, k, spectrum->vectors, (size_t)k, rest);
}

/*
 * The same in r < t dimensions: with Q an orthonormal basis of G's range, found as that of
 * what G makes of r random columns (Halko, Martinsson, Tropp, SIAM Rev. 53, 2011, algorithm
 * 4.1; exact here, for G has no more than rank r), by Q^T G Q. The other t - r eigenvalues
 * are zero. 4 t^2 r + 8 t r^2 FLOPs.
 */
static enum tg_err solve_range(const struct tg_ctx *ctx, const struct spectrum *spectrum,
                               const struct tg_pca *pca)
{
    int64_t t = pca->t, r = low_rank(pca), k = pca->k;
    size_t tall = (size_t)t, wide = (size_t)r, some = (size_t)k;
    double *q = spectrum->work, *other = q + t * r, *small = other + t * r;
    double *vectors = small + r * r, *rest = vectors + r * k;
    for (int64_t i = 0; i < t; i++) {
        TG_TRY(tg_ctx_poll(ctx));
        tg_rng_normal(0, 0, (uint64_t)(i * r), wide, other + i * r);
    }
    TG_TRY(tg_gemm(ctx, TG_N, TG_N, t, r, t, 1, pca->gram, tall, other, wide, 0, q, wide));
    TG_TRY(tg_qr(ctx, t, r, q, wide, small, wide, rest));
    TG_TRY(tg_gemm(ctx, TG_N, TG_N, t, r, t, 1, pca->gram, tall, q, wide, 0, other, wide));
    TG_TRY(tg_gemm(ctx, TG_T, TG_N, r, r, t, 1, q, wide, other, wide, 0, small, wide));
    TG_TRY(tg_eigh_values(ctx, r, small, wide, spectrum->lambda, rest));
    TG_TRY(tg_eigh_vectors(ctx, r, small, wide, k, vectors, some, rest));
    return tg_gemm(ctx, TG_N, TG_N, t, k, r, 1, q, wide, vectors, some, 0,
                   spectrum->vectors, some);
}

/* Whether any two points of the window differ, by what the centred Gram matrix shows. */
static bool has_moved(const struct tg_pca *pca)
{
    for (int64_t i = 0; i < pca->t; i++)
        if (pca->gram[i * pca->t + i] > 0)
            return true;
    return false;
}

/* A point that never moves has no directions. */
static void stand_still(struct tg_pca *pca)
{
    for (int64_t k = 0; k < pca->k; k++)
        pca->ratio[k] = pca->ratio_error[k] = pca->step_null_ratio[k] = pca->overlap[k] = NAN;
    pca->error = NAN;
}

enum tg_err tg_pca_solve(const struct tg_ctx *ctx, double error, double *work,
                         struct tg_pca *pca)
{
    int64_t t = pca->t, n = low_rank(pca) ? low_rank(pca) : t;
    const struct spectrum found = {work, work + t, work + t + t * pca->k};
    const double *lambda = found.lambda;
    double total = 0;
    pca->negative = 0;
    if (!has_moved(pca)) {
        stand_still(pca);
        return TG_OK;
    }
    for (int64_t i = 0; i < t; i++)
        total += pca->gram[i * t + i];
    pca->total_variance = total / (double)(t - 1);
    TG_TRY(low_rank(pca) ? solve_range(ctx, &found, pca) : solve_full(ctx, &found, pca));
    double rounding = (double)t * DBL_EPSILON * lambda[n - 1];
    while (pca->negative < n && lambda[pca->negative] < -rounding)
        pca->negative++;
    for (int64_t k = 0; k < pca->k; k++) {
        double value = fmax(lambda[n - 1 - k], 0);
        TG_TRY(tg_ctx_poll(ctx));
        pca->variance[k] = value / (double)(t - 1);
        pca->ratio[k] = value / total;
        project(found.vectors, k, value, pca);
    }
    estimate_error(pca, error, total, lambda);
    leave_components(pca);
    return TG_OK;
}

/*
 * g, of one walk after the other without a step between them, becomes that of walks with
 * directions of their own, each from where its run starts.
 */
static enum tg_err part_runs(const struct tg_ctx *ctx, const struct tg_pca *pca, double *g)
{
    int64_t t = pca->t;
    for (int64_t r = 0; r < pca->nruns; r++) {
        int64_t first = pca->run[r];
        double before = g[first * t + first];
        for (int64_t i = first; i < pca->run[r + 1]; i++) {
            TG_TRY(tg_ctx_poll(ctx));
            for (int64_t s = 0; s < pca->nruns; s++)
                for (int64_t j = pca->run[s]; j < pca->run[s + 1]; j++)
                    g[i * t + j] = pca->gram[first * t + pca->run[s]] +
                                   (r == s ? g[i * t + j] - before : 0);
        }
    }
    return TG_OK;
}

/* The same ratios for several runs. */
static enum tg_err solve_step_nulls(const struct tg_ctx *ctx, double *work, struct tg_pca *pca)
{
    int64_t t = pca->t;
    double *mean = work, *g = mean + t, total = 0;
    TG_TRY(tg_walk_gram(ctx, t, pca->step2, g, mean));
    TG_TRY(part_runs(ctx, pca, g));
    TG_TRY(tg_gram_centre(ctx, t, g, mean));
    for (int64_t i = 0; i < t; i++)
        total += g[i * t + i];
    TG_TRY(tg_eigh_leading(ctx, t, pca->k, g, (size_t)t, pca->step_null_ratio,
                           pca->step_null_mode, g + t * t));
    for (int64_t k = 0; k < pca->k; k++)
        pca->step_null_ratio[k] = fmax(pca->step_null_ratio[k], 0) / total;
    pca->step_null_square = NAN;
    return TG_OK;
}

/* Ratios of the walk with the measured steps, whatever the directions were. */
enum tg_err tg_pca_step_null(const struct tg_ctx *ctx, double *work, struct tg_pca *pca)
{
    const struct tg_null walk = {.step2 = pca->step2};
    struct tg_null_spectrum spectrum = {
        .value = work, .ratio = pca->step_null_ratio, .mode = pca->step_null_mode};
    if (pca->nruns > 1)
        return solve_step_nulls(ctx, work, pca);
    TG_TRY(tg_null_solve(ctx, &walk, pca->t, pca->k, &spectrum, work + pca->k));
    pca->step_null_square = spectrum.square;
    return TG_OK;
}

static void expect_walk(struct tg_pca *pca)
{
    double square = 0;
    for (int64_t k = 1; k < pca->t; k++)
        square += tg_walk_ratio(pca->t, k) * tg_walk_ratio(pca->t, k);
    for (int64_t k = 0; k < pca->k; k++) {
        pca->walk_ratio[k] = tg_walk_ratio(pca->t, k + 1);
        pca->band[k] = tg_null_band(pca->walk_ratio[k], square, pca->d_eff);
    }
}

/* Points of several runs are no walk. */
static void forget_walk(struct tg_pca *pca)
{
    for (int64_t k = 0; k < pca->k; k++)
        pca->walk_ratio[k] = pca->band[k] = pca->overlap[k] = NAN;
}

enum tg_err tg_pca_run(const struct tg_ctx *ctx, const struct tg_walk_data *data,
                       const struct tg_pca_options *options, struct tg_pca *pca,
                       struct tg_report *report)
{
    struct scratch scratch;
    TG_TRY(layout(ctx->arena, data, options, pca, &scratch));
    choose_points(data, options, pca);
    TG_TRY(tg_gram_stream(ctx, data, options->reference, scratch.work, &pca->sums, report));
    pca->bytes_read = pca->sums.bytes_read;
    for (int64_t slot = 0; slot < pca->sums.plan.nslots; slot++)
        pca->single = pca->single || tg_gram_is_single(&pca->sums, slot);
    pca->unit = fmax(pca->single ? (double)FLT_EPSILON : DBL_EPSILON,
                     2 * observed_error(data, &pca->sums));
    TG_TRY(tg_pca_gram(ctx, data, pca, -1, pca->gram));
    TG_TRY(tg_pca_describe_path(ctx, data, options, pca->gram, pca));
    expect_walk(pca);

    double trace = 0;
    for (int64_t i = 0; i < pca->t; i++)
        trace += pca->gram[i * pca->t + i];
    TG_TRY(tg_gram_centre(ctx, pca->t, pca->gram, scratch.mean));
    tg_ctx_progress(ctx, "solving", 0, 2, "matrices");
    TG_TRY(tg_pca_solve(ctx, pca->unit * trace, scratch.work, pca));
    tg_ctx_progress(ctx, "solving", 1, 2, "matrices");
    if (!isnan(pca->error))
        TG_TRY(tg_pca_step_null(ctx, scratch.work, pca));
    if (pca->nruns > 1)
        forget_walk(pca);
    tg_ctx_progress(ctx, "solving", 2, 2, "matrices");
    return TG_OK;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs beside each other, from the blocks of their common Gram matrix. */
#include "pca/runs.h"

#include <math.h>
#include <string.h>

#include "linalg/linalg.h"
#include "pca/components.h"
#include "pca/walk.h"

/* `work` serves the solver, then holds a block times scores, what is made of it, and an SVD. */
struct scratch {
    double *work, *row, *col;
};

static double *reals(struct tg_arena *arena, int64_t rows, int64_t cols)
{
    return tg_arena_alloc(arena, (size_t)rows * (size_t)cols, sizeof(double));
}

static void lay_out_pairs(struct tg_arena *arena, struct tg_runs *runs)
{
    int64_t n = runs->n;
    runs->overlap = reals(arena, n, n);
    runs->start = reals(arena, n, n);
    runs->end = reals(arena, n, n);
    runs->displacement = reals(arena, n, n);
    runs->cosine = reals(arena, n * n, runs->k);
    runs->alike = reals(arena, n, n);
    runs->chance = reals(arena, n, n);
    runs->chance_sd = reals(arena, n, n);
}

/* `bytes` is what the verdicts will take beside this. */
static enum tg_err layout(struct tg_arena *arena, const struct tg_walk_data *data,
                          const struct tg_pca_options *options, struct tg_runs *runs,
                          struct scratch *scratch, size_t *bytes)
{
    int64_t most = 0;
    size_t work = 0;
    *runs = (struct tg_runs){.n = data->nruns};
    *bytes = 0;
    runs->own = tg_arena_alloc(arena, (size_t)runs->n, sizeof(*runs->own));
    runs->verdict = tg_arena_alloc(arena, (size_t)runs->n, sizeof(*runs->verdict));
    for (int64_t r = 0; r < runs->n; r++) {
        int64_t t = tg_pca_window(options, data->run[r + 1] - data->run[r]);
        struct tg_pca own = {.t = t, .d = data->d, .nruns = 1};
        tg_pca_lay_out(arena, options->components, &own);
        *bytes += tg_verdict_bytes(t, own.k);
        size_t solve = tg_pca_solve_work(&own);
        work = work > solve ? work : solve;
        runs->k = own.k > runs->k ? own.k : runs->k;
        most = t > most ? t : most;
        if (runs->own)
            runs->own[r] = own;
    }
    runs->dimensions = reals(arena, runs->n, 1);
    runs->plane = reals(arena, runs->n, 1);
    lay_out_pairs(arena, runs);
    size_t k = (size_t)runs->k;
    size_t pair = ((size_t)most + k + 1) * k + tg_svd_work(runs->k, runs->k, false);
    scratch->work = tg_arena_alloc(arena, work > pair ? work : pair, sizeof(double));
    scratch->row = reals(arena, most, 1);
    scratch->col = reals(arena, most, 1);
    return tg_arena_failed(arena) ? TG_NOMEM : TG_OK;
}

enum tg_err tg_runs_cost(const struct tg_walk_data *data, const struct tg_pca_options *options,
                         struct tg_pca_cost *cost)
{
    struct tg_runs runs;
    struct scratch scratch;
    size_t verdicts;
    struct tg_arena *arena = tg_arena_new_measuring();
    if (!arena)
        return TG_NOMEM;
    enum tg_err err = layout(arena, data, options, &runs, &scratch, &verdicts);
    double flops = 0, all = 0;
    for (int64_t r = 0; r < data->nruns; r++) {
        double t = (double)tg_pca_window(options, data->run[r + 1] - data->run[r]);
        flops += 4.0 / 3 * t * t * t;
        all += t;
    }
    *cost = (struct tg_pca_cost){.bytes = tg_arena_high_water(arena) + verdicts,
                                 .flops = flops + 2 * all * all * (double)runs.k};
    tg_arena_free(arena);
    return err;
}

/* One run -------------------------------------------------------------------------------- */

/* Squared distances of a run's points from the reference, on which errors depend. */
static double trace_of(const struct tg_walk_data *data, const struct tg_pca *pca, int64_t first,
                       int64_t n)
{
    double trace = 0;
    int64_t tensor = 0;
    for (int64_t slot = 0; slot < pca->sums.plan.nslots; slot++) {
        double weight = data->tensor[tensor].weight;
        for (const int64_t *i = pca->point + first; i < pca->point + first + n; i++)
            trace += weight * tg_gram_at(&pca->sums, slot, *i, *i);
        tensor = tg_gram_slot_end(&pca->sums.plan, data, tensor);
    }
    return trace;
}

/* Components of a run about its own mean, and what a walk of its steps has. */
static enum tg_err solve_own(const struct tg_ctx *ctx, const struct tg_walk_data *data,
                             const struct tg_pca *pca, int64_t first,
                             const struct scratch *scratch, struct tg_pca *own)
{
    int64_t t = own->t;
    for (int64_t i = 0; i < t; i++)
        memcpy(own->gram + i * t, pca->gram + (first + i) * pca->t + first,
               (size_t)t * sizeof(double));
    own->step2 = pca->step2 + first;
    own->single = pca->single;
    TG_TRY(tg_gram_centre(ctx, t, own->gram, scratch->row));
    double error = pca->unit * trace_of(data, pca, first, t);
    TG_TRY(tg_pca_solve(ctx, error, scratch->work, own));
    return isnan(own->error) ? TG_OK : tg_pca_step_null(ctx, scratch->work, own);
}

/* Share of a run's variance along the common first two components. */
static double share_in_plane(const struct tg_pca *pca, const struct tg_pca *own, int64_t first)
{
    double inside = 0;
    for (int64_t k = 0; k < pca->k && k < 2; k++) {
        double mean = 0;
        for (int64_t i = first; i < first + own->t; i++)
            mean += pca->scores[i * pca->k + k] / (double)own->t;
        for (int64_t i = first; i < first + own->t; i++)
            inside += pow(pca->scores[i * pca->k + k] - mean, 2);
    }
    return isnan(own->error) ? NAN
                             : fmin(inside / (own->total_variance * (double)(own->t - 1)), 1);
}

static enum tg_err describe_each(const struct tg_ctx *ctx, const struct tg_walk_data *data,
                                 const struct tg_pca *pca, const struct scratch *scratch,
                                 struct tg_runs *runs)
{
    double within = 0;
    for (int64_t r = 0; r < runs->n; r++) {
        struct tg_pca *own = &runs->own[r];
        struct tg_verdict *verdict = &runs->verdict[r];
        TG_TRY(solve_own(ctx, data, pca, pca->run[r], scratch, own));
        TG_TRY(tg_verdict_run(ctx, own, verdict));
        runs->dimensions[r] = verdict->given ? verdict->fits.d_eff : NAN;
        runs->plane[r] = share_in_plane(pca, own, pca->run[r]);
        within += own->total_variance * (double)(own->t - 1);
    }
    runs->between =
        isnan(pca->error)
            ? NAN
            : fmax(1 - within / (pca->total_variance * (double)(pca->t - 1)), 0);
    return TG_OK;
}

/* Two runs ------------------------------------------------------------------------------- */

static int64_t told(const struct tg_pca *own)
{
    return tg_components_told(own, own->k);
}

/* |C_r G_rs C_s|^2: the squares of a block less the means of its rows and columns. */
static enum tg_err centred_square(const struct tg_ctx *ctx, const struct tg_pca *pca, int64_t r,
                                  int64_t s, const struct scratch *scratch, double *square)
{
    int64_t rows = pca->run[r + 1] - pca->run[r], cols = pca->run[s + 1] - pca->run[s];
    const double *g = pca->gram + pca->run[r] * pca->t + pca->run[s];
    double all = 0;
    *square = 0;
    memset(scratch->row, 0, (size_t)rows * sizeof(double));
    memset(scratch->col, 0, (size_t)cols * sizeof(double));
    for (int64_t i = 0; i < rows; i++) {
        TG_TRY(tg_ctx_poll(ctx));
        for (int64_t j = 0; j < cols; j++) {
            scratch->row[i] += g[i * pca->t + j] / (double)cols;
            scratch->col[j] += g[i * pca->t + j] / (double)rows;
        }
        all += scratch->row[i] / (double)rows;
    }
    for (int64_t i = 0; i < rows; i++) {
        TG_TRY(tg_ctx_poll(ctx));
        for (int64_t j = 0; j < cols; j++) {
            double x = g[i * pca->t + j] - scratch->row[i] - scratch->col[j] + all;
            *square += x * x;
        }
    }
    return TG_OK;
}

void tg_runs_chance(int64_t k, int64_t l, double d, double *mean, double *sd)
{
    double a = (double)k, b = (double)l, least = fmin(a, b);
    *mean = *sd = NAN;
    if (!(d > fmax(a, b)) || !(least > 0) || !(d > 1))
        return;
    *mean = a * b / d / least;
    *sd = sqrt(2 * a * b * (d - a) * (d - b) / (d - 1) / (d + 2)) / d / least;
}

/* Cosines of principal angles, of which there are as many as run r tells components. */
static enum tg_err find_angles(const struct tg_ctx *ctx, const struct tg_pca *pca,
                               const struct scratch *scratch, const struct tg_runs *runs,
                               int64_t r, int64_t s, double *out)
{
    const struct tg_pca *a = &runs->own[r], *b = &runs->own[s];
    int64_t k = runs->k, rows = told(a), cols = told(b);
    double *product = scratch->work, *m = product + a->t * k, *cosine = m + k * k;
    TG_TRY(tg_gemm(ctx, TG_N, TG_N, a->t, cols, b->t, 1,
                   pca->gram + pca->run[r] * pca->t + pca->run[s], (size_t)pca->t, b->scores,
                   (size_t)b->k, 0, product, (size_t)k));
    TG_TRY(tg_gemm(ctx, TG_T, TG_N, rows, cols, a->t, 1, a->scores, (size_t)a->k, product,
                   (size_t)k, 0, m, (size_t)k));
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            m[i * k + j] /= a->variance[i] * (double)(a->t - 1) * b->variance[j] *
                            (double)(b->t - 1);
    TG_TRY(tg_svd(ctx, rows, cols, m, (size_t)k, cosine, NULL, 0, NULL, 0, cosine + k));
    for (int64_t i = 0; i < k; i++)
        out[i] = i < rows ? fmin(cosine[i], 1) : NAN;
    return TG_OK;
}

static enum tg_err compare_directions(const struct tg_ctx *ctx, const struct tg_pca *pca,
                                      const struct scratch *scratch, int64_t r, int64_t s,
                                      struct tg_runs *runs)
{
    int64_t at = r * runs->n + s, k = told(&runs->own[r]), l = told(&runs->own[s]);
    double *cosine = runs->cosine + at * runs->k, sum = 0;
    TG_TRY(k < l ? find_angles(ctx, pca, scratch, runs, r, s, cosine)
                 : find_angles(ctx, pca, scratch, runs, s, r, cosine));
    int64_t least = k < l ? k : l;
    for (int64_t i = 0; i < least; i++)
        sum += cosine[i] * cosine[i];
    runs->alike[at] = least ? sum / (double)least : NAN;
    tg_runs_chance(k, l, sqrt(runs->dimensions[r] * runs->dimensions[s]), &runs->chance[at],
                   &runs->chance_sd[at]);
    return TG_OK;
}

/* (x_i - x_j) . (x_k - x_l) */
static double product(const struct tg_pca *pca, int64_t i, int64_t j, int64_t k, int64_t l)
{
    const double *g = pca->gram;
    int64_t t = pca->t;
    return g[i * t + k] - g[i * t + l] - g[j * t + k] + g[j * t + l];
}

static void compare_ends(const struct tg_pca *pca, int64_t r, int64_t s, struct tg_runs *runs)
{
    int64_t a = pca->run[r], b = pca->run[s], at = r * runs->n + s;
    int64_t a_end = pca->run[r + 1] - 1, b_end = pca->run[s + 1] - 1;
    double own = product(pca, a_end, a, a_end, a), other = product(pca, b_end, b, b_end, b);
    runs->start[at] = sqrt(fmax(product(pca, a, b, a, b), 0));
    runs->end[at] = sqrt(fmax(product(pca, a_end, b_end, a_end, b_end), 0));
    runs->displacement[at] = NAN;
    if (own > 0 && other > 0)
        runs->displacement[at] =
            fmax(fmin(product(pca, a_end, a, b_end, b) / sqrt(own) / sqrt(other), 1), -1);
}

static void mirror(struct tg_runs *runs, int64_t r, int64_t s)
{
    double *const all[] = {runs->overlap, runs->start,  runs->end,      runs->displacement,
                           runs->alike,   runs->chance, runs->chance_sd};
    int64_t from = r * runs->n + s, to = s * runs->n + r;
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        all[i][to] = all[i][from];
    if (r != s)
        memcpy(runs->cosine + to * runs->k, runs->cosine + from * runs->k,
               (size_t)runs->k * sizeof(double));
}

static enum tg_err compare(const struct tg_ctx *ctx, const struct tg_pca *pca,
                           const struct scratch *scratch, int64_t r, int64_t s,
                           struct tg_runs *runs)
{
    TG_TRY(centred_square(ctx, pca, r, s, scratch, &runs->overlap[r * runs->n + s]));
    TG_TRY(compare_directions(ctx, pca, scratch, r, s, runs));
    compare_ends(pca, r, s, runs);
    mirror(runs, r, s);
    return TG_OK;
}

/* From squares of blocks to the cosines of covariances. */
static void normalise(struct tg_runs *runs)
{
    int64_t n = runs->n;
    for (int64_t r = 0; r < n; r++)
        for (int64_t s = 0; s < n; s++)
            if (r != s)
                runs->overlap[r * n + s] /=
                    sqrt(runs->overlap[r * n + r]) * sqrt(runs->overlap[s * n + s]);
    for (int64_t r = 0; r < n; r++)
        runs->overlap[r * n + r] /= runs->overlap[r * n + r];
}

enum tg_err tg_runs_compare(const struct tg_ctx *ctx, const struct tg_walk_data *data,
                            const struct tg_pca_options *options, const struct tg_pca *pca,
                            struct tg_runs *runs)
{
    struct scratch scratch;
    size_t verdicts;
    TG_TRY(layout(ctx->arena, data, options, runs, &scratch, &verdicts));
    TG_TRY(describe_each(ctx, data, pca, &scratch, runs));
    for (int64_t r = 0; r < runs->n; r++)
        for (int64_t s = 0; s <= r; s++)
            TG_TRY(compare(ctx, pca, &scratch, r, s, runs));
    normalise(runs);
    return TG_OK;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Directions of components: scores times the data, piece by piece. */
#include "pca/components.h"

#include <math.h>
#include <string.h>

#include "linalg/linalg.h"

enum {
    SPAN = 2048, /* columns of a piece */
    ROWS = 64,   /* points that are read at a time */
    PIECES = 64  /* between two progress reports; each has its part of V V^T */
};

/* How far the error of the Gram matrix may turn a direction that is given. */
static const double most_turned = 0.01;

struct piece {
    int64_t tensor, column, n; /* columns of a tensor */
    int64_t at;                /* where they stand in a direction */
};

struct pass {
    const struct tg_ctx *ctx;
    const struct tg_walk_data *data;
    const struct tg_pca *pca;
    int64_t reference;
    struct tg_components *out;
    double *weights;   /* t x k: score over eigenvalue */
    double *rows;      /* a lane's points, and its piece of V: (ROWS + 1 + k) x SPAN */
    double *products;  /* PIECES x k x k: parts of V V^T */
    double *square;    /* k x k: V V^T */
    struct piece piece[PIECES];
    int64_t npieces;
};

static double *reals(struct tg_arena *arena, int64_t rows, int64_t cols)
{
    return tg_arena_alloc(arena, (size_t)rows * (size_t)cols, sizeof(double));
}

bool tg_components_are_single(const struct tg_walk_data *data)
{
    for (int64_t i = 0; i < data->ntensors; i++)
        if (!tg_walk_is_single(data, i))
            return false;
    return true;
}

static enum tg_err layout(struct tg_arena *arena, const struct tg_walk_data *data, int64_t t,
                          int64_t k, unsigned lanes, struct tg_components *out,
                          struct pass *pass)
{
    *out = (struct tg_components){
        .k = k, .d = data->d, .single = tg_components_are_single(data), .error = NAN};
    out->v = tg_arena_alloc(arena, (size_t)k * (size_t)data->d,
                            out->single ? sizeof(float) : sizeof(double));
    pass->weights = reals(arena, t, k);
    pass->rows = reals(arena, lanes * (ROWS + 1 + k), SPAN);
    pass->products = reals(arena, PIECES * k, k);
    pass->square = reals(arena, k, k);
    return tg_arena_failed(arena) ? TG_NOMEM : TG_OK;
}

enum tg_err tg_components_cost(const struct tg_walk_data *data, int64_t t, int64_t k,
                               unsigned lanes, struct tg_pca_cost *cost)
{
    struct tg_components out;
    struct pass pass;
    struct tg_arena *arena = tg_arena_new_measuring();
    if (!arena)
        return TG_NOMEM;
    enum tg_err err = layout(arena, data, t, k, lanes, &out, &pass);
    double d = (double)data->d, n = (double)k, bytes = 0;
    for (int64_t i = 0; i < data->ntensors; i++)
        bytes += (double)data->tensor[i].n * tg_walk_column_bytes(data, i);
    *cost = (struct tg_pca_cost){.bytes = tg_arena_high_water(arena),
                                 .flops = (2 * (double)t + n) * n * d,
                                 .read_bytes = bytes * (double)t / (double)data->t,
                                 .points = t,
                                 .components = k};
    tg_arena_free(arena);
    return err;
}

int64_t tg_components_told(const struct tg_pca *pca, int64_t k)
{
    double least = pca->error * pca->total_variance / most_turned;
    int64_t told = 0;
    while (told < k && pca->variance[told] > least)
        told++;
    return told;
}

/* A piece of V from the points in `rows`, of which there are some at a time. */
static enum tg_err multiply(const struct pass *p, const struct tg_ctx *alone,
                            const struct piece *piece, double *rows, double *v)
{
    int64_t told = p->out->told, k = p->out->k, n = piece->n;
    double *origin = rows + ROWS * SPAN;
    tg_walk_read_f64(p->data, piece->tensor, p->reference, 1, piece->column, n, origin, SPAN);
    for (int64_t first = 0; first < p->pca->t; first += ROWS) {
        int64_t count = p->pca->t - first < ROWS ? p->pca->t - first : ROWS;
        for (int64_t i = 0; i < count; i++) {
            double *row = rows + i * SPAN;
            tg_walk_read_f64(p->data, piece->tensor, p->pca->point[first + i], 1,
                             piece->column, n, row, SPAN);
            for (int64_t j = 0; j < n; j++)
                row[j] -= origin[j];
        }
        TG_TRY(tg_gemm(alone, TG_T, TG_N, told, n, count, 1, p->weights + first * k, (size_t)k,
                       rows, SPAN, first > 0, v, SPAN));
    }
    return TG_OK;
}

static void put(const struct pass *p, const struct piece *piece, double *v)
{
    double root = sqrt(p->data->tensor[piece->tensor].weight);
    for (int64_t k = 0; k < p->out->told; k++) {
        int64_t at = k * p->out->d + piece->at;
        for (int64_t j = 0; j < piece->n; j++) {
            double *x = &v[k * SPAN + j];
            *x *= root;
            if (p->out->single)
                ((float *)p->out->v)[at + j] = (float)*x;
            else
                ((double *)p->out->v)[at + j] = *x;
        }
    }
}

static enum tg_err take_piece(void *arg, int64_t i, unsigned lane)
{
    const struct pass *p = arg;
    const struct tg_ctx alone = {.stop = p->ctx->stop, .lanes = 1};
    int64_t k = p->out->k;
    double *rows = p->rows + lane * (ROWS + 1 + k) * SPAN, *v = rows + (ROWS + 1) * SPAN;
    TG_TRY(multiply(p, &alone, &p->piece[i], rows, v));
    put(p, &p->piece[i], v);
    return tg_syrk(&alone, TG_N, p->out->told, p->piece[i].n, 1, v, SPAN, 0,
                   p->products + i * k * k, (size_t)k);
}

/* Up to PIECES pieces from `next` on, which moves behind them. */
static void cut(struct pass *p, struct piece *next)
{
    p->npieces = 0;
    while (p->npieces < PIECES && next->tensor < p->data->ntensors) {
        int64_t rest = p->data->tensor[next->tensor].n - next->column;
        if (rest == 0) {
            next->tensor++;
            next->column = 0;
            continue;
        }
        next->n = rest < SPAN ? rest : SPAN;
        p->piece[p->npieces++] = *next;
        next->column += next->n;
        next->at += next->n;
    }
}

static enum tg_err take_pieces(struct pass *p)
{
    struct piece next = {0};
    int64_t k = p->out->k;
    double d = (double)p->data->d, rows = (double)p->pca->t;
    for (cut(p, &next); p->npieces; cut(p, &next)) {
        TG_TRY(tg_ctx_parallel(p->ctx, p->npieces, take_piece, p));
        for (int64_t i = 0; i < p->npieces; i++)
            for (int64_t j = 0; j < k * k; j++)
                p->square[j] += p->products[i * k * k + j];
        for (int64_t i = 0; i < p->npieces; i++)
            tg_ctx_was_read(p->ctx, rows * (double)p->piece[i].n * sizeof(double));
        tg_ctx_progress(p->ctx, "directions", (double)next.at, d, "coordinates");
    }
    return TG_OK;
}

/* Rows that the data do not tell. */
static enum tg_err leave_blank(const struct pass *p)
{
    const struct tg_components *out = p->out;
    for (int64_t i = out->told * out->d; i < out->k * out->d; i++) {
        if (i % (1 << 20) == 0)
            TG_TRY(tg_ctx_poll(p->ctx));
        if (out->single)
            ((float *)out->v)[i] = NAN;
        else
            ((double *)out->v)[i] = NAN;
    }
    return TG_OK;
}

enum tg_err tg_components_run(const struct tg_ctx *ctx, const struct tg_walk_data *data,
                              const struct tg_pca_options *options, const struct tg_pca *pca,
                              int64_t k, struct tg_components *components)
{
    struct pass pass = {
        .ctx = ctx, .data = data, .pca = pca, .reference = options->reference, .out = components};
    TG_TRY(layout(ctx->arena, data, pca->t, k, ctx->lanes, components, &pass));
    components->told = tg_components_told(pca, k);
    for (int64_t i = 0; i < pca->t; i++)
        for (int64_t j = 0; j < components->told; j++)
            pass.weights[i * k + j] =
                pca->scores[i * pca->k + j] / (pca->variance[j] * (double)(pca->t - 1));
    TG_TRY(leave_blank(&pass));
    if (!components->told)
        return TG_OK;
    TG_TRY(take_pieces(&pass));
    components->error = 0;
    for (int64_t i = 0; i < components->told; i++)
        for (int64_t j = 0; j < components->told; j++)
            components->error =
                fmax(components->error, fabs(pass.square[i * k + j] - (i == j)));
    return TG_OK;
}

enum tg_err tg_components_share(const struct tg_ctx *ctx, const struct tg_walk_data *data,
                                const struct tg_pca *pca, int64_t k, double *share,
                                double *scratch)
{
    int64_t t = pca->t, slots = pca->sums.plan.nslots, tensor = 0;
    int64_t told = tg_components_told(pca, k);
    double *g = scratch, *product = scratch + t * t;
    for (int64_t i = 0; i < k * slots; i++)
        share[i] = NAN;
    for (int64_t m = 0; m < slots; m++) {
        double weight = data->tensor[tensor].weight;
        TG_TRY(tg_pca_gram(ctx, data, pca, m, g));
        TG_TRY(tg_gemm(ctx, TG_N, TG_N, t, told, t, 1, g, (size_t)t, pca->scores,
                       (size_t)pca->k, 0, product, (size_t)k));
        for (int64_t j = 0; j < told; j++) {
            double lambda = pca->variance[j] * (double)(t - 1), sum = 0;
            for (int64_t i = 0; i < t; i++)
                sum += pca->scores[i * pca->k + j] * product[i * k + j];
            share[j * slots + m] = weight * fmax(sum, 0) / lambda / lambda;
        }
        tensor = tg_gram_slot_end(&pca->sums.plan, data, tensor);
    }
    return TG_OK;
}

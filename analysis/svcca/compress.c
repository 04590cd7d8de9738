/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Factors from a basis, and what they give. */
#include "svcca/compress.h"

#include <math.h>
#include <string.h>

#include "linalg/linalg.h"

enum { ROWS = 256 };

static double *take(struct tg_arena *arena, int64_t rows, int64_t cols)
{
    size_t count;
    if (!tg_mul_ok((size_t)rows, (size_t)cols, &count))
        count = SIZE_MAX; /* more than any arena has */
    return tg_arena_alloc(arena, count, sizeof(double));
}

void tg_compress_layout(struct tg_arena *arena, int64_t n, int64_t d, int64_t k,
                        int64_t outputs, struct tg_compress_scratch *scratch)
{
    scratch->weights = take(arena, d, k);
    scratch->z = take(arena, n, k);
    scratch->tile = take(arena, ROWS, d);
    scratch->thin = take(arena, ROWS, k);
    scratch->outputs = take(arena, ROWS, outputs);
    scratch->sum = take(arena, d, 1);
}

/* z = U S^-2 L */
static enum tg_err combine(const struct tg_ctx *ctx, const struct tg_basis *basis,
                           const struct tg_compress_directions *directions, int64_t k,
                           const struct tg_compress_scratch *scratch)
{
    int64_t rows = directions->l ? directions->rows : k;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < k; j++) {
            double l = directions->l ? directions->l[i * directions->row + j * directions->col]
                                     : i == j;
            scratch->weights[i * k + j] = l / basis->s[i] / basis->s[i];
        }
    return tg_gemm(ctx, TG_N, TG_N, basis->n, k, rows, 1, basis->u, basis->ldu,
                   scratch->weights, (size_t)k, 0, scratch->z, (size_t)k);
}

/*
 * A = X^T z, and the mean of X in scratch->sum. The first row is taken off, which keeps
 * digits; the columns of z sum to 0, so nothing else changes.
 */
static enum tg_err make_in(const struct tg_ctx *ctx, const struct tg_mat *layer,
                           const struct tg_compress_scratch *scratch,
                           struct tg_compress_factors *factors)
{
    int64_t n = layer->shape[0], d = layer->shape[1], k = factors->k;
    double *shift = scratch->weights;
    tg_mat_read_f64(layer, 0, 1, 0, d, shift, (size_t)d);
    memset(scratch->sum, 0, (size_t)d * sizeof(double));
    for (int64_t first = 0; first < n; first += ROWS) {
        int64_t rows = n - first < ROWS ? n - first : ROWS;
        tg_mat_read_f64(layer, first, rows, 0, d, scratch->tile, (size_t)d);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < d; j++) {
                scratch->tile[i * d + j] -= shift[j];
                scratch->sum[j] += scratch->tile[i * d + j];
            }
        TG_TRY(tg_gemm(ctx, TG_T, TG_N, d, k, rows, 1, scratch->tile, (size_t)d,
                       scratch->z + first * k, (size_t)k, first > 0, factors->in, factors->ldin));
    }
    for (int64_t j = 0; j < d; j++)
        scratch->sum[j] = shift[j] + scratch->sum[j] / (double)n;
    return TG_OK;
}

/* B, and b' = mean(Y) - mean(X) A B. */
static enum tg_err make_out(const struct tg_ctx *ctx, const struct tg_head *head,
                            const struct tg_compress_directions *directions, int64_t d,
                            const struct tg_compress_scratch *scratch,
                            struct tg_compress_factors *factors)
{
    int64_t k = factors->k, c = head->outputs;
    for (int64_t i = 0; i < k; i++)
        memcpy(factors->out + (size_t)i * factors->ldout, directions->v + i * c,
               (size_t)c * sizeof(double));
    memcpy(factors->bias, head->mean, (size_t)c * sizeof(double));
    TG_TRY(tg_gemm(ctx, TG_N, TG_N, 1, k, d, 1, scratch->sum, (size_t)d, factors->in,
                   factors->ldin, 0, scratch->thin, (size_t)k));
    return tg_gemm(ctx, TG_N, TG_N, 1, c, k, -1, scratch->thin, (size_t)k, factors->out,
                   factors->ldout, 1, factors->bias, (size_t)c);
}

/* Samples that are right, and what is lost, of the rows in scratch->outputs. */
static void compare(const struct tg_head *head, const double *bias, int64_t first,
                    int64_t rows, double *outputs, double *right, double *lost)
{
    int64_t c = head->outputs;
    for (int64_t i = 0; i < rows; i++) {
        int64_t best = 0;
        for (int64_t j = 0; j < c; j++) {
            double *out = &outputs[i * c + j];
            *out += bias[j];
            double miss = *out - (head->mean[j] + head->y[(first + i) * c + j]);
            *lost += miss * miss;
            if (*out > outputs[i * c + best])
                best = j;
        }
        *right += head->label && best == head->label[first + i];
    }
}

enum tg_err tg_compress(const struct tg_ctx *ctx, const struct tg_mat *layer,
                        const struct tg_basis *basis, const struct tg_head *head,
                        const struct tg_compress_directions *directions,
                        const struct tg_compress_scratch *scratch,
                        struct tg_compress_factors *factors,
                        struct tg_compressed *compressed)
{
    int64_t n = layer->shape[0], d = layer->shape[1], k = factors->k, c = head->outputs;
    double right = 0, lost = 0;
    TG_TRY(combine(ctx, basis, directions, k, scratch));
    TG_TRY(make_in(ctx, layer, scratch, factors));
    TG_TRY(make_out(ctx, head, directions, d, scratch, factors));
    for (int64_t first = 0; first < n; first += ROWS) {
        int64_t rows = n - first < ROWS ? n - first : ROWS;
        tg_mat_read_f64(layer, first, rows, 0, d, scratch->tile, (size_t)d);
        TG_TRY(tg_gemm(ctx, TG_N, TG_N, rows, k, d, 1, scratch->tile, (size_t)d, factors->in,
                       factors->ldin, 0, scratch->thin, (size_t)k));
        TG_TRY(tg_gemm(ctx, TG_N, TG_N, rows, c, k, 1, scratch->thin, (size_t)k, factors->out,
                       factors->ldout, 0, scratch->outputs, (size_t)c));
        compare(head, factors->bias, first, rows, scratch->outputs, &right, &lost);
    }
    compressed->error = head->norm2 > 0 ? lost / head->norm2 : NAN;
    compressed->accuracy = head->label ? right / (double)n : NAN;
    return TG_OK;
}

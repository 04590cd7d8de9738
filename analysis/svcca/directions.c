/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Directions of a pair, each layer read once more. */
#include "svcca/directions.h"

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

void tg_directions_layout(struct tg_arena *arena, int64_t n, int64_t d, int64_t most,
                          struct tg_directions_scratch *scratch)
{
    scratch->block = take(arena, d, d);
    scratch->left = take(arena, d, d);
    scratch->right = take(arena, d, d);
    scratch->rho = take(arena, d, 1);
    scratch->both = take(arena, n, 2 * most);
    scratch->weights = take(arena, d, 2 * most);
    scratch->tile = take(arena, ROWS, d);
    scratch->sums = take(arena, 2, d);
    scratch->products = take(arena, d, 2 * most);
    /* a block with more rows than columns goes through QR */
    size_t work = tg_svd_work(d, d, true) + tg_qr_work(d, d) + 2 * (size_t)(d * d);
    scratch->work = tg_arena_alloc(arena, work, sizeof(double));
}

/* [U l, U S^-2 l] for the directions l in the columns of `vectors`, by row or by column.
 */
static enum tg_err combine(const struct tg_ctx *ctx, const struct tg_basis *basis,
                           int64_t k, const double *vectors, int64_t row, int64_t col,
                           int64_t count, const struct tg_directions_scratch *scratch)
{
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < count; j++) {
            double l = vectors[i * row + j * col];
            scratch->weights[i * 2 * count + j] = l;
            scratch->weights[i * 2 * count + count + j] = l / basis->s[i] / basis->s[i];
        }
    return tg_gemm(ctx, TG_N, TG_N, basis->n, 2 * count, k, 1, basis->u, basis->ldu,
                   scratch->weights, (size_t)(2 * count), 0, scratch->both,
                   (size_t)(2 * count));
}

/*
 * products = X^T both and, in sums, each unit's sum of squares about its mean. The first
 * row is taken off, which keeps digits; the mean need not be, as the columns of both sum
 * to 0.
 */
static enum tg_err multiply(const struct tg_ctx *ctx, const struct tg_mat *mat,
                            int64_t count, const struct tg_directions_scratch *scratch)
{
    int64_t n = mat->shape[0], d = mat->shape[1];
    double *sum = scratch->sums, *square = sum + d, *shift = scratch->rho;
    memset(sum, 0, 2 * (size_t)d * sizeof(*sum));
    tg_mat_read_f64(mat, 0, 1, 0, d, shift, (size_t)d);
    for (int64_t first = 0; first < n; first += ROWS) {
        int64_t rows = n - first < ROWS ? n - first : ROWS;
        tg_mat_read_f64(mat, first, rows, 0, d, scratch->tile, (size_t)d);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < d; j++) {
                double *x = &scratch->tile[i * d + j];
                *x -= shift[j];
                sum[j] += *x;
                square[j] += *x * *x;
            }
        TG_TRY(tg_gemm(ctx, TG_T, TG_N, d, 2 * count, rows, 1, scratch->tile, (size_t)d,
                       scratch->both + first * 2 * count, (size_t)(2 * count), first > 0,
                       scratch->products, (size_t)(2 * count)));
    }
    for (int64_t j = 0; j < d; j++)
        square[j] = fmax(square[j] - sum[j] * sum[j] / (double)n, 0);
    return TG_OK;
}

/* Everything of one side but its signs. */
static void fill_side(const struct tg_basis *basis, int64_t d, int64_t ld, int64_t count,
                      const struct tg_directions_scratch *scratch,
                      struct tg_directions_side *side)
{
    const double *square = scratch->sums + d;
    double total = 0;
    for (int64_t i = 0; i < basis->n; i++)
        for (int64_t k = 0; k < count; k++)
            side->variates[i * ld + k] = scratch->both[i * 2 * count + k];
    memset(side->explained, 0, (size_t)ld * sizeof(double));
    for (int64_t j = 0; j < d; j++) {
        total += square[j];
        for (int64_t k = 0; k < count; k++) {
            double product = scratch->products[j * 2 * count + k];
            side->coefficients[j * ld + k] = scratch->products[j * 2 * count + count + k];
            side->loadings[j * ld + k] = square[j] > 0 ? product / sqrt(square[j]) : 0;
            side->explained[k] += product * product;
        }
    }
    for (int64_t k = 0; k < count; k++)
        side->explained[k] /= total;
}

static void flip(double *x, int64_t rows, int64_t ld, int64_t k)
{
    for (int64_t i = 0; i < rows; i++)
        x[i * ld + k] = -x[i * ld + k];
}

/* The loading of largest magnitude of side a becomes positive; side b goes with it. */
static void fix_signs(const struct tg_mat *const mat[2], struct tg_directions *out)
{
    for (int64_t k = 0; k < out->count; k++) {
        double peak = 0;
        for (int64_t j = 0; j < mat[0]->shape[1]; j++) {
            double loading = out->side[0].loadings[j * out->ld + k];
            if (fabs(loading) > fabs(peak))
                peak = loading;
        }
        for (int i = 0; peak < 0 && i < 2; i++) {
            flip(out->side[i].variates, mat[i]->shape[0], out->ld, k);
            flip(out->side[i].coefficients, mat[i]->shape[1], out->ld, k);
            flip(out->side[i].loadings, mat[i]->shape[1], out->ld, k);
        }
    }
}

enum tg_err tg_directions_solve(const struct tg_ctx *ctx, const double *m, int64_t ldm,
                                const int64_t k[2],
                                const struct tg_directions_scratch *scratch)
{
    int64_t least = k[0] < k[1] ? k[0] : k[1];
    for (int64_t i = 0; i < k[0]; i++)
        memcpy(scratch->block + i * k[1], m + i * ldm, (size_t)k[1] * sizeof(*m));
    return tg_svd(ctx, k[0], k[1], scratch->block, (size_t)k[1], scratch->rho,
                  scratch->left, (size_t)least, scratch->right, (size_t)k[1],
                  scratch->work);
}

enum tg_err
tg_directions_make(const struct tg_ctx *ctx, const struct tg_basis *const basis[2],
                   const struct tg_mat *const mat[2], const double *m, const int64_t k[2],
                   const struct tg_directions_scratch *scratch, struct tg_directions *out)
{
    int64_t least = k[0] < k[1] ? k[0] : k[1];
    out->count = least < out->ld ? least : out->ld;
    TG_TRY(tg_directions_solve(ctx, m, basis[1]->kept, k, scratch));
    for (int i = 0; i < 2; i++) {
        TG_TRY(combine(ctx, basis[i], k[i], i ? scratch->right : scratch->left,
                       i ? 1 : least, i ? k[1] : 1, out->count, scratch));
        TG_TRY(multiply(ctx, mat[i], out->count, scratch));
        fill_side(basis[i], mat[i]->shape[1], out->ld, out->count, scratch,
                  &out->side[i]);
    }
    fix_signs(mat, out);
    return TG_OK;
}

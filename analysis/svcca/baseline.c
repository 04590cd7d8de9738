/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random directions and orders of units. */
#include "svcca/baseline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "linalg/linalg.h"

enum { ROWS = 256 };

void tg_baseline_layout(struct tg_arena *arena, int64_t d, struct tg_baseline_scratch *scratch)
{
    size_t square;
    if (!tg_mul_ok((size_t)d, (size_t)d, &square))
        square = SIZE_MAX; /* more than any arena has */
    scratch->q = tg_arena_alloc(arena, square, sizeof(double));
    scratch->r = tg_arena_alloc(arena, square, sizeof(double));
    scratch->draws = tg_arena_alloc(arena, (size_t)d, sizeof(double));
    scratch->work = tg_arena_alloc(arena, tg_qr_work(d, d), sizeof(double));
    scratch->size = tg_arena_alloc(arena, (size_t)d, sizeof(*scratch->size));
}

/* Q of a Gaussian matrix; the signs of its columns do not matter to what they span. */
enum tg_err tg_baseline_directions(const struct tg_ctx *ctx, const struct tg_basis *basis,
                                   uint64_t seed, uint64_t stream,
                                   const struct tg_baseline_scratch *scratch, double *h)
{
    size_t r = (size_t)basis->kept;
    for (size_t i = 0; i < r; i++) {
        TG_TRY(tg_ctx_poll(ctx));
        tg_rng_normal(seed, stream, i * r, r, scratch->q + i * r);
    }
    TG_TRY(tg_qr(ctx, basis->kept, basis->kept, scratch->q, r, scratch->r, r, scratch->work));
    return tg_gemm(ctx, TG_N, TG_N, basis->n, basis->kept, basis->kept, 1, basis->u,
                   basis->ldu, scratch->q, r, 0, h, r);
}

static int by_size(const void *a, const void *b)
{
    const struct tg_baseline_size *x = a, *y = b;
    if (x->size != y->size)
        return x->size < y->size ? 1 : -1;
    return (x->unit > y->unit) - (x->unit < y->unit);
}

/* The first row is taken off before sums, which keeps digits. */
enum tg_err tg_baseline_units(const struct tg_ctx *ctx, const struct tg_mat *layer,
                              const struct tg_baseline_scratch *scratch, double *h,
                              int64_t *largest)
{
    int64_t n = layer->shape[0], d = layer->shape[1];
    double *shift = scratch->r, *sum = scratch->draws;
    memset(sum, 0, (size_t)d * sizeof(*sum));
    for (int64_t j = 0; j < d; j++)
        scratch->size[j] = (struct tg_baseline_size){0, j};
    tg_mat_read_f64(layer, 0, 1, 0, d, shift, (size_t)d);
    for (int64_t i = 0; i < n; i++) {
        if (i % ROWS == 0) {
            TG_TRY(tg_ctx_poll(ctx));
            tg_mat_read_f64(layer, i, n - i < ROWS ? n - i : ROWS, 0, d, h + i * d, (size_t)d);
        }
        for (int64_t j = 0; j < d; j++) {
            scratch->size[j].size += fabs(h[i * d + j]);
            h[i * d + j] -= shift[j];
            sum[j] += h[i * d + j];
        }
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++)
            h[i * d + j] -= sum[j] / (double)n;
    qsort(scratch->size, (size_t)d, sizeof(*scratch->size), by_size);
    for (int64_t j = 0; j < d; j++)
        largest[j] = scratch->size[j].unit;
    return TG_OK;
}

void tg_baseline_shuffle(uint64_t seed, uint64_t stream, int64_t d,
                         const struct tg_baseline_scratch *scratch, int64_t *order)
{
    tg_rng_uniform(seed, stream, 0, (size_t)d, scratch->draws);
    for (int64_t i = 0; i < d; i++)
        order[i] = i;
    for (int64_t i = d - 1; i > 0; i--) {
        int64_t k = (int64_t)(scratch->draws[i] * (double)(i + 1)), last = order[i];
        order[i] = order[k];
        order[k] = last;
    }
}

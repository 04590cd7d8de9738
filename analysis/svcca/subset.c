/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Directions in the span of some units, all inside the basis. */
#include "svcca/subset.h"

#include <float.h>
#include <math.h>

#include "linalg/linalg.h"

static double *take(struct tg_arena *arena, int64_t rows, int64_t cols)
{
    size_t count;
    if (!tg_mul_ok((size_t)rows, (size_t)cols, &count))
        count = SIZE_MAX; /* more than any arena has */
    return tg_arena_alloc(arena, count, sizeof(double));
}

void tg_subset_layout(struct tg_arena *arena, int64_t d, int64_t m, int64_t q,
                      struct tg_subset_scratch *scratch)
{
    scratch->units = take(arena, d, m);
    scratch->u = take(arena, d, m);
    scratch->vt = take(arena, m, m);
    scratch->s = take(arena, m, 1);
    scratch->products = take(arena, m, q);
    /* a block with more rows than columns goes through QR */
    size_t work = tg_svd_work(d, m, true) + tg_qr_work(d, m) + 2 * (size_t)(d * m);
    scratch->work = tg_arena_alloc(arena, work, sizeof(double));
}

enum tg_err tg_subset_share(const struct tg_ctx *ctx, const struct tg_basis *basis,
                            const int64_t *unit, int64_t m, const double *l, int64_t rows,
                            int64_t row, int64_t col, int64_t q,
                            const struct tg_subset_scratch *scratch, double *r2, int64_t *rank)
{
    int64_t r = basis->kept, least = r < m ? r : m;
    double tolerance = (double)(r > m ? r : m) * DBL_EPSILON;
    for (int64_t i = 0; i < r; i++)
        for (int64_t j = 0; j < m; j++)
            scratch->units[i * m + j] = basis->f[i * basis->columns + unit[j]];
    TG_TRY(tg_svd(ctx, r, m, scratch->units, (size_t)m, scratch->s, scratch->u, (size_t)least,
                  scratch->vt, (size_t)m, scratch->work));
    *rank = 0;
    while (*rank < least && scratch->s[*rank] > tolerance * scratch->s[0])
        ++*rank;
    bool by_rows = col != 1;
    TG_TRY(tg_gemm(ctx, TG_T, by_rows ? TG_T : TG_N, least, q, rows, 1, scratch->u,
                   (size_t)least, l, (size_t)(by_rows ? col : row), 0, scratch->products,
                   (size_t)q));
    for (int64_t j = 0; j < q; j++) {
        r2[j] = 0;
        for (int64_t i = 0; i < *rank; i++)
            r2[j] += scratch->products[i * q + j] * scratch->products[i * q + j];
        r2[j] = fmin(r2[j], 1);
    }
    return TG_OK;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the reductions to tridiagonal and bidiagonal form share: their reflectors applied by
 * blocks, the width of a panel, the scale of a result.
 */
#include <math.h>
#include <string.h>

#include "linalg/lapack.h"

enum { BLOCK = 48 };

int64_t tg_panel_width(double bytes, int64_t most)
{
    int64_t width = (int64_t)(0.5e9 / (bytes + 1));
    return width > most ? most : width < 4 ? 4 : width;
}

double tg_scale_of(int64_t n, const double *d, const double *e)
{
    double largest = 0;
    for (int64_t i = 0; i < n; i++)
        largest = fmax(largest, fmax(fabs(d[i]), i + 1 < n ? fabs(e[i]) : 0));
    if (largest == 0)
        return 0;
    int exponent = -ilogb(largest);
    return ldexp(1, exponent > 1000 ? 1000 : exponent);
}

bool tg_all_finite(int64_t m, int64_t n, const double *a, size_t lda)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            if (!isfinite(a[(size_t)i * lda + j]))
                return false;
    return true;
}

size_t tg_reflect_work(int64_t dim, int64_t p)
{
    return ((size_t)dim + 2 * (size_t)p + BLOCK) * BLOCK;
}

/* Reflectors j .. j + nb, one a row of v, with their ones and zeros written out. */
static void fetch(const struct tg_reflectors *q, int64_t j, int64_t nb, int64_t rows, double *v)
{
    for (int64_t k = 0; k < nb; k++)
        for (int64_t i = 0; i < rows; i++) {
            int64_t at = j + q->offset + i;
            size_t index = q->by_rows ? (size_t)at * q->lda + (size_t)(j + k)
                                      : (size_t)(j + k) * q->lda + (size_t)at;
            v[k * rows + i] = i > k ? q->a[index] : i == k;
        }
}

enum tg_err tg_reflect(const struct tg_ctx *ctx, const struct tg_reflectors *q, bool transposed,
                       int64_t p, double *z, size_t ldz, double *work)
{
    double *v = work, *w = v + q->dim * BLOCK, *w2 = w + p * BLOCK, *t = w2 + p * BLOCK;
    for (int64_t j = (q->count - 1) / BLOCK * BLOCK; j >= 0 && q->count; j -= BLOCK) {
        int64_t nb = tg_min_i64(BLOCK, q->count - j), rows = q->dim - j - q->offset;
        size_t ldv = (size_t)rows, ldt = (size_t)nb, ldw = (size_t)p;
        lapack_int rows_f = (lapack_int)rows, nb_f = (lapack_int)nb;
        TG_TRY(tg_ctx_poll(ctx));
        fetch(q, j, nb, rows, v);
        memset(t, 0, (size_t)(nb * nb) * sizeof(*t));
        LAPACK_dlarft("F", "C", &rows_f, &nb_f, v, &rows_f, q->tau + j, t, &nb_f);
        /* Read by rows, v is V^T and t is T^T. */
        if (transposed) { /* Z -= Z V T^T V^T */
            double *zj = z + j + q->offset;
            TG_TRY(tg_gemm(ctx, TG_N, TG_T, p, nb, rows, 1, zj, ldz, v, ldv, 0, w, ldt));
            TG_TRY(tg_gemm(ctx, TG_N, TG_N, p, nb, nb, 1, w, ldt, t, ldt, 0, w2, ldt));
            TG_TRY(tg_gemm(ctx, TG_N, TG_N, p, rows, nb, -1, w2, ldt, v, ldv, 1, zj, ldz));
        } else { /* Z -= V T V^T Z */
            double *zj = z + (size_t)(j + q->offset) * ldz;
            TG_TRY(tg_gemm(ctx, TG_N, TG_N, nb, p, rows, 1, v, ldv, zj, ldz, 0, w, ldw));
            TG_TRY(tg_gemm(ctx, TG_T, TG_N, nb, p, nb, 1, t, ldt, w, ldw, 0, w2, ldw));
            TG_TRY(tg_gemm(ctx, TG_T, TG_N, rows, p, nb, -1, v, ldv, w2, ldw, 1, zj, ldz));
        }
    }
    return TG_OK;
}

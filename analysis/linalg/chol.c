/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cholesky, blocked and right-looking; the trailing update is a tiled syrk. */
#include "linalg/lapack.h"

enum { PANEL = 256 };

enum tg_err tg_chol(const struct tg_ctx *ctx, int64_t n, double *a, size_t lda, int64_t *pivot)
{
    for (int64_t j = 0; j < n; j += PANEL) {
        int64_t nb = tg_min_i64(PANEL, n - j), below = n - j - nb;
        double *diagonal = a + (size_t)j * lda + j;
        double *panel = a + (size_t)(j + nb) * lda + j;
        lapack_int order = (lapack_int)nb, ld = (lapack_int)lda, info;
        TG_TRY(tg_ctx_poll(ctx));
        LAPACK_dpotrf("U", &order, diagonal, &ld, &info); /* row-major lower */
        int64_t good = info ? info - 1 : nb; /* OpenBLAS lets NaN pass */
        for (int64_t i = 0; i < good; i++)
            if (!(diagonal[(size_t)i * lda + i] > 0))
                good = i;
        if (good < nb) {
            if (pivot)
                *pivot = j + good;
            return TG_NUMERIC;
        }
        TG_TRY(tg_trsm(ctx, false, false, TG_T, below, nb, diagonal, lda, panel, lda));
        TG_TRY(tg_syrk_lower(ctx, TG_N, below, nb, -1, panel, lda, 1,
                             a + (size_t)(j + nb) * lda + j + nb, lda));
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i + 1; j < n; j++)
            a[(size_t)i * lda + j] = 0;
    return TG_OK;
}

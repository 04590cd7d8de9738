/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Singular value decomposition: reduction to bidiagonal form by panels, then QR iteration
 * (values) or divide and conquer (vectors), and the reflectors back.
 *
 * DESIGN. These are the steps of LAPACK's dgesdd, driven from here so that the context is
 * polled between panels. A row-major A is Fortran's A^T: the same singular values, the
 * singular vectors exchanged. Tall matrices go through QR first, with vectors all that have
 * more rows than columns, so that the bidiagonal form is always an upper one. The longest
 * stretch without a poll is the last merge of bidiag.c, 0.1 s at min(m, n) = 1000 and growing
 * with its cube; for values alone dlasq1, O(n^2).
 */
#include <string.h>

#include "linalg/lapack.h"

enum { PANEL = 32 };

static bool through_qr(int64_t m, int64_t n, bool vectors)
{
    return vectors ? m > n : 5 * m > 8 * n;
}

/* d, e, tauq, taup, and what the steps need one after the other. */
static size_t reduced_work(int64_t m, int64_t n, bool vectors)
{
    size_t least = (size_t)tg_min_i64(m, n), panels = (PANEL + 1) * (size_t)(m + n);
    size_t most = panels > 4 * least ? panels : 4 * least;
    if (vectors) {
        size_t merge = tg_bidiag_work((int64_t)least), left = tg_reflect_work(n, m);
        size_t right = tg_reflect_work(m, m);
        most = most > merge ? most : merge;
        most = most > left ? most : left;
        most = most > right ? most : right;
    }
    return 4 * least + most;
}

size_t tg_svd_work(int64_t m, int64_t n, bool vectors)
{
    if (!through_qr(m, n, vectors))
        return reduced_work(m, n, vectors);
    size_t qr = tg_qr_work(m, n), rest = reduced_work(n, n, vectors), s = (size_t)n;
    return s * s * (vectors ? 2 : 1) + (qr > rest ? qr : rest);
}

/*
 * d and e of the bidiagonal form of Fortran's rows x cols matrix in a: upper for rows >= cols,
 * lower otherwise. x has rows * PANEL, y cols * PANEL, scratch max(rows, cols).
 */
static enum tg_err bidiagonalise(const struct tg_ctx *ctx, int64_t rows, int64_t cols, double *a,
                                 size_t lda, double *d, double *e, double *tauq, double *taup,
                                 double *work)
{
    double *x = work, *y = x + rows * PANEL, *scratch = y + cols * PANEL;
    lapack_int ld = (lapack_int)lda, ldx = (lapack_int)rows, ldy = (lapack_int)cols, info;
    int64_t least = tg_min_i64(rows, cols), j = 0;
    while (least - j > 2 * PANEL) {
        lapack_int m = (lapack_int)(rows - j), n = (lapack_int)(cols - j);
        lapack_int nb = (lapack_int)tg_panel_width(16.0 * m * n, PANEL);
        double *aj = a + (size_t)j * lda + j, *trailing = aj + (size_t)nb * lda + nb;
        TG_TRY(tg_ctx_poll(ctx));
        dlabrd_(&m, &n, &nb, aj, &ld, d + j, e + j, tauq + j, taup + j, x, &ldx, y, &ldy);
        TG_TRY(tg_ctx_poll(ctx));
        cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, m - nb, n - nb, nb, -1, aj + nb, ld,
                    y + nb, ldy, 1, trailing, ld);
        cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, m - nb, n - nb, nb, -1, x + nb,
                    ldx, aj + (size_t)nb * lda, ld, 1, trailing, ld);
        j += nb;
        tg_ctx_progress(ctx, "bidiagonal reduction", (double)j, (double)least, "columns");
    }
    lapack_int m = (lapack_int)(rows - j), n = (lapack_int)(cols - j);
    dgebd2_(&m, &n, a + (size_t)j * lda + j, &ld, d + j, e + j, tauq + j, taup + j, scratch,
            &info);
    return TG_OK;
}

/* Singular values of the row-major m x n matrix in a: n x m for Fortran. */
static enum tg_err values(const struct tg_ctx *ctx, int64_t m, int64_t n, double *a, size_t lda,
                          double *s, double *work)
{
    int64_t least = tg_min_i64(m, n);
    double *e = work, *tauq = e + least, *taup = tauq + least, *rest = taup + least, none;
    TG_TRY(bidiagonalise(ctx, n, m, a, lda, s, e, tauq, taup, rest));
    TG_TRY(tg_ctx_poll(ctx));
    lapack_int order = (lapack_int)least, zero = 0, one = 1, info;
    LAPACK_dbdsqr(n < m ? "L" : "U", &order, &zero, &zero, &zero, s, e, &none, &one, &none, &one,
                  &none, &one, rest, &info);
    return info ? TG_NUMERIC : TG_OK;
}

/*
 * The same with vectors, m <= n: A = P B^T Q^T with B = X S Y^T gives U = P Y and
 * V^T = X^T Q^T.
 */
static enum tg_err vectors(const struct tg_ctx *ctx, int64_t m, int64_t n, double *a, size_t lda,
                           double *s, double *u, size_t ldu, double *vt, size_t ldvt,
                           double *work)
{
    double *d = work, *e = d + m, *tauq = e + m, *taup = tauq + m, *rest = taup + m;
    TG_TRY(bidiagonalise(ctx, n, m, a, lda, d, e, tauq, taup, rest));
    for (int64_t i = 0; i < m; i++)
        memset(vt + (size_t)i * ldvt + m, 0, (size_t)(n - m) * sizeof(*vt));
    /* Fortran's X by columns is X^T by rows; its Y^T is our Y. */
    TG_TRY(tg_bidiag(ctx, m, d, e, s, vt, ldvt, u, ldu, rest));
    struct tg_reflectors q = {.count = m, .offset = 0, .dim = n, .a = a, .tau = tauq, .lda = lda};
    TG_TRY(tg_reflect(ctx, &q, true, m, vt, ldvt, rest));
    struct tg_reflectors p = {m - 1, 1, m, a, taup, lda, true};
    return tg_reflect(ctx, &p, false, m, u, ldu, rest);
}

enum tg_err tg_svd(const struct tg_ctx *ctx, int64_t m, int64_t n, double *a, size_t lda,
                   double *s, double *u, size_t ldu, double *vt, size_t ldvt, double *work)
{
    if (!tg_all_finite(m, n, a, lda))
        return TG_NUMERIC;
    if (m == 0 || n == 0)
        return TG_OK;
    size_t order = (size_t)n;
    if (!through_qr(m, n, u))
        return u ? vectors(ctx, m, n, a, lda, s, u, ldu, vt, ldvt, work)
                 : values(ctx, m, n, a, lda, s, work);
    double *r = work, *small = r + n * n, *rest = small + (u ? n * n : 0);
    TG_TRY(tg_qr(ctx, m, n, a, lda, r, order, rest));
    if (!u)
        return values(ctx, n, n, r, order, s, rest);
    TG_TRY(vectors(ctx, n, n, r, order, s, small, order, vt, ldvt, rest));
    return tg_gemm(ctx, TG_N, TG_N, m, n, n, 1, a, lda, small, order, 0, u, ldu);
}

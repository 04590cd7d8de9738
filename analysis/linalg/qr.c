/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Householder QR by panels.
 *
 * DESIGN. A panel of columns is copied to V and factored there by halves (Elmroth and
 * Gustavson, 2000), so that nearly all of its work is tiled products too and even the panel of
 * a very tall matrix is polled often. Its block reflector I - V T V^T is applied forwards
 * to the columns that follow, then backwards to form Q.
 */
#include <math.h>
#include <string.h>

#include "linalg/lapack.h"

enum { PANEL = 64, LEAF = 8, ROWS = 1 << 16 };

/* work: V (m x PANEL), W and W2 (PANEL x n each), T of every panel, R of the panel. */
size_t tg_qr_work(int64_t m, int64_t n)
{
    size_t panels = (size_t)((n + PANEL - 1) / PANEL);
    return ((size_t)m + 2 * (size_t)n + panels * PANEL + 3 * PANEL) * PANEL;
}

/* One block reflector I - V T V^T: V is rows x nb (unit lower), T nb x nb upper. */
struct reflector {
    int64_t rows, nb;
    double *v, *t; /* leading dimension PANEL */
    double *w, *w2;
};

/* C (rows x cols) -= V op(T) V^T C. */
static enum tg_err reflect(const struct tg_ctx *ctx, const struct reflector *h,
                           enum tg_trans trans, int64_t cols, double *c, size_t ldc)
{
    size_t ldw = (size_t)cols;
    TG_TRY(tg_gemm(ctx, TG_T, TG_N, h->nb, cols, h->rows, 1, h->v, PANEL, c, ldc, 0, h->w, ldw));
    TG_TRY(tg_gemm(ctx, trans, TG_N, h->nb, cols, h->nb, 1, h->t, PANEL, h->w, ldw, 0, h->w2,
                   ldw));
    return tg_gemm(ctx, TG_N, TG_N, h->rows, cols, h->nb, -1, h->v, PANEL, h->w2, ldw, 1, c, ldc);
}

/* w[0..n) = X^T y for the rows of X (rows x n) and the column y, both of stride PANEL. */
static enum tg_err project(const struct tg_ctx *ctx, int64_t rows, int64_t n, const double *x,
                           const double *y, double *w)
{
    memset(w, 0, (size_t)n * sizeof(*w));
    for (int64_t i0 = 0; i0 < rows; i0 += ROWS) {
        TG_TRY(tg_ctx_poll(ctx));
        for (int64_t i = i0; i < tg_min_i64(i0 + ROWS, rows); i++)
            for (int64_t k = 0; k < n; k++)
                w[k] += x[i * PANEL + k] * y[i * PANEL];
    }
    return TG_OK;
}

/* Factor the rows x nb block in h->v column by column; R goes to r. */
static enum tg_err factor_leaf(const struct tg_ctx *ctx, const struct reflector *h, double *r)
{
    double w[LEAF];
    for (int64_t j = 0; j < h->nb; j++) {
        double *x = h->v + j * PANEL + j, tau;
        int64_t rows = h->rows - j, rest = h->nb - j - 1;
        lapack_int order = (lapack_int)rows, stride = PANEL;
        LAPACK_dlarfg(&order, x, x + (rows > 1 ? PANEL : 0), &stride, &tau);
        for (int64_t i = 0; i <= j; i++) {
            r[i * PANEL + j] = h->v[i * PANEL + j];
            h->v[i * PANEL + j] = i == j;
        }
        TG_TRY(project(ctx, rows, rest, x + 1, x, w));
        for (int64_t i = 0; i < rows; i++)
            for (int64_t k = 0; k < rest; k++)
                x[i * PANEL + 1 + k] -= tau * x[i * PANEL] * w[k];
        /* T(:, j) = -tau T (V^T v), from the columns before */
        TG_TRY(project(ctx, rows, j, h->v + j * PANEL, x, w));
        for (int64_t i = 0; i < j; i++) {
            double sum = 0;
            for (int64_t k = i; k < j; k++)
                sum += h->t[i * PANEL + k] * w[k];
            h->t[i * PANEL + j] = -tau * sum;
        }
        h->t[j * PANEL + j] = tau;
    }
    return TG_OK;
}

/* Factor the block in h->v: left half, its reflector on the right half, right half. */
static enum tg_err factor(const struct tg_ctx *ctx, const struct reflector *h, double *r)
{
    if (h->nb <= LEAF)
        return factor_leaf(ctx, h, r);
    int64_t n1 = h->nb / 2, n2 = h->nb - n1;
    struct reflector left = *h, right = *h;
    left.nb = n1;
    right.nb = n2;
    right.rows -= n1;
    right.v += n1 * PANEL + n1;
    right.t += n1 * PANEL + n1;
    TG_TRY(factor(ctx, &left, r));
    TG_TRY(reflect(ctx, &left, TG_T, n2, h->v + n1, PANEL));
    for (int64_t i = 0; i < n1; i++) {
        memcpy(r + i * PANEL + n1, h->v + i * PANEL + n1, (size_t)n2 * sizeof(*r));
        memset(h->v + i * PANEL + n1, 0, (size_t)n2 * sizeof(*r));
    }
    TG_TRY(factor(ctx, &right, r + n1 * PANEL + n1));
    /* T12 = -T1 (V1^T V2) T2 */
    TG_TRY(tg_gemm(ctx, TG_T, TG_N, n1, n2, right.rows, 1, h->v + n1 * PANEL, PANEL, right.v,
                   PANEL, 0, h->w, (size_t)n2));
    TG_TRY(tg_gemm(ctx, TG_N, TG_N, n1, n2, n2, 1, h->w, (size_t)n2, right.t, PANEL, 0, h->w2,
                   (size_t)n2));
    return tg_gemm(ctx, TG_N, TG_N, n1, n2, n1, -1, h->t, PANEL, h->w2, (size_t)n2, 0,
                   h->t + n1, PANEL);
}

static void copy_rows(int64_t rows, int64_t nb, const double *from, size_t ld, double *to,
                      size_t ldto)
{
    for (int64_t i = 0; i < rows; i++)
        memcpy(to + (size_t)i * ldto, from + (size_t)i * ld, (size_t)nb * sizeof(*to));
}

/* V of the panel at column j, whose unit lower part lies in a. */
static void fetch(int64_t rows, int64_t nb, const double *panel, size_t lda, double *v)
{
    copy_rows(rows, nb, panel, lda, v, PANEL);
    for (int64_t i = 0; i < nb; i++)
        for (int64_t j = i; j < nb; j++)
            v[i * PANEL + j] = i == j;
}

/* Form Q in place from the panels' V in a and T in t, last panel first. */
static enum tg_err form_q(const struct tg_ctx *ctx, int64_t m, int64_t n, double *a, size_t lda,
                          struct reflector *h, double *t)
{
    for (int64_t j = (n - 1) / PANEL * PANEL; j >= 0 && n; j -= PANEL) {
        double *panel = a + (size_t)j * lda + j;
        h->nb = tg_min_i64(PANEL, n - j);
        h->rows = m - j;
        h->t = t + j * PANEL;
        TG_TRY(tg_ctx_poll(ctx));
        fetch(h->rows, h->nb, panel, lda, h->v);
        for (int64_t i = 0; i < h->rows; i++)
            memset(panel + (size_t)i * lda, 0,
                   (size_t)(i < h->nb ? n - j : h->nb) * sizeof(*panel));
        for (int64_t i = 0; i < h->nb; i++)
            panel[(size_t)i * lda + i] = 1;
        TG_TRY(reflect(ctx, h, TG_N, n - j, panel, lda));
        for (int64_t i = 0; i < j; i++)
            memset(a + (size_t)i * lda + j, 0, (size_t)h->nb * sizeof(*a));
    }
    return TG_OK;
}

enum tg_err tg_qr(const struct tg_ctx *ctx, int64_t m, int64_t n, double *a, size_t lda,
                  double *r, size_t ldr, double *work)
{
    double *t = work + m * PANEL + 2 * n * PANEL;
    double *rp = t + (n + PANEL - 1) / PANEL * PANEL * PANEL;
    struct reflector h = {.v = work, .w = work + m * PANEL, .w2 = work + m * PANEL + n * PANEL};

    for (int64_t i = 0; i < n; i++)
        memset(r + (size_t)i * ldr, 0, (size_t)n * sizeof(*r));
    for (int64_t j = 0; j < n; j += PANEL) {
        double *panel = a + (size_t)j * lda + j;
        h.nb = tg_min_i64(PANEL, n - j);
        h.rows = m - j;
        h.t = t + j * PANEL;
        int64_t rest = n - j - h.nb;
        copy_rows(h.rows, h.nb, panel, lda, h.v, PANEL);
        memset(rp, 0, PANEL * PANEL * sizeof(*rp));
        memset(h.t, 0, PANEL * PANEL * sizeof(*h.t));
        TG_TRY(factor(ctx, &h, rp));
        copy_rows(h.rows, h.nb, h.v, PANEL, panel, lda);
        if (rest)
            TG_TRY(reflect(ctx, &h, TG_T, rest, panel + h.nb, lda));
        copy_rows(j, h.nb, a + j, lda, r + j, ldr);
        copy_rows(h.nb, h.nb, rp, PANEL, r + (size_t)j * ldr + j, ldr);
        tg_ctx_progress(ctx, "orthogonal factor", (double)j, (double)n, "columns");
    }
    return form_q(ctx, m, n, a, lda, &h, t);
}

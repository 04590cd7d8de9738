/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Products by tiles of the output. The tile size depends on the shape only, long inner
 * dimensions are cut at fixed places inside a tile, and the context is polled at each cut.
 */
#include <math.h>

#include "linalg/lapack.h"

enum {
    EDGE = 768,       /* a larger tile gains under 5 % and is shared among fewer lanes */
    EDGE_SMALL = 128, /* smallest tile that is cut only to share work among lanes */
    INNER = 2048      /* 2.4 GFLOP in a call: 60 ms at 40 GFLOP/s */
};

int64_t tg_tile_edge(int64_t n, int64_t most)
{
    int64_t pieces = (n + most - 1) / most;
    if (pieces < 2)
        return n > 0 ? n : 1;
    return ((n + pieces - 1) / pieces + 7) / 8 * 8;
}

static CBLAS_TRANSPOSE trans_of(enum tg_trans t)
{
    return t == TG_T ? CblasTrans : CblasNoTrans;
}

/* op(X) of a row-major X begins at row, column of op(X). */
static const double *at(enum tg_trans t, const double *x, size_t ld, int64_t row,
                        int64_t col)
{
    return t == TG_T ? x + (size_t)col * ld + row : x + (size_t)row * ld + col;
}

struct product {
    const struct tg_ctx *ctx;
    enum tg_trans ta, tb;
    int64_t m, n, k;
    double alpha, beta;
    const double *a, *b;
    double *c;
    size_t lda, ldb, ldc;
    int64_t edge_m, edge_n, columns; /* columns: tiles in a row of tiles */
};

/* C[i0.., j0..] over the whole inner dimension, in cuts. */
static enum tg_err multiply(const struct product *p, int64_t i0, int64_t j0, int64_t m,
                            int64_t n)
{
    double *c = p->c + (size_t)i0 * p->ldc + j0;
    double beta = p->beta;
    int64_t k0 = 0;
    do {
        int64_t k = tg_min_i64(p->k - k0, INNER);
        TG_TRY(tg_ctx_poll(p->ctx));
        cblas_dgemm(CblasRowMajor, trans_of(p->ta), trans_of(p->tb), (int)m, (int)n,
                    (int)k, p->alpha, at(p->ta, p->a, p->lda, i0, k0), (int)p->lda,
                    at(p->tb, p->b, p->ldb, k0, j0), (int)p->ldb, beta, c, (int)p->ldc);
        beta = 1;
        k0 += INNER;
    } while (k0 < p->k);
    return TG_OK;
}

static enum tg_err gemm_tile(void *arg, int64_t tile, unsigned lane)
{
    (void)lane;
    const struct product *p = arg;
    int64_t i0 = tile / p->columns * p->edge_m, j0 = tile % p->columns * p->edge_n;
    return multiply(p, i0, j0, tg_min_i64(p->edge_m, p->m - i0),
                    tg_min_i64(p->edge_n, p->n - j0));
}

enum tg_err tg_gemm(const struct tg_ctx *ctx, enum tg_trans ta, enum tg_trans tb,
                    int64_t m, int64_t n, int64_t k, double alpha, const double *a,
                    size_t lda, const double *b, size_t ldb, double beta, double *c,
                    size_t ldc)
{
    if (m == 0 || n == 0)
        return TG_OK;
    struct product p = {ctx, ta, tb,  m,   n,   k, alpha, beta, a,
                        b,   c,  lda, ldb, ldc, 0, 0,     0};
    p.edge_m = tg_tile_edge(m, EDGE);
    p.edge_n = tg_tile_edge(n, EDGE);
    /* A single tile of real work is halved along its longer side. */
    if (p.edge_m == m && p.edge_n == n && (double)m * (double)n * (double)k > 1e7) {
        if (m >= n && m >= 2 * EDGE_SMALL)
            p.edge_m = tg_tile_edge(m, m / 2 + 1);
        else if (n >= 2 * EDGE_SMALL)
            p.edge_n = tg_tile_edge(n, n / 2 + 1);
    }
    p.columns = (n + p.edge_n - 1) / p.edge_n;
    int64_t rows = (m + p.edge_m - 1) / p.edge_m;
    return tg_ctx_parallel(ctx, rows * p.columns, gemm_tile, &p);
}

/*
 * Tiles of the lower triangle, counted row by row: tile t is row r, column t - r (r + 1) / 2.
 */
static enum tg_err syrk_tile(void *arg, int64_t tile, unsigned lane)
{
    (void)lane;
    const struct product *p = arg;
    int64_t row = tg_tile_row(tile);
    int64_t i0 = row * p->edge_m, j0 = (tile - row * (row + 1) / 2) * p->edge_m;
    int64_t m = tg_min_i64(p->edge_m, p->n - i0);
    if (i0 != j0)
        return multiply(p, i0, j0, m, p->edge_m);
    double *c = p->c + (size_t)i0 * p->ldc + j0, beta = p->beta;
    int64_t k0 = 0;
    do {
        int64_t k = tg_min_i64(p->k - k0, INNER);
        TG_TRY(tg_ctx_poll(p->ctx));
        cblas_dsyrk(CblasRowMajor, CblasLower, trans_of(p->ta), (int)m, (int)k, p->alpha,
                    at(p->ta, p->a, p->lda, i0, k0), (int)p->lda, beta, c, (int)p->ldc);
        beta = 1;
        k0 += INNER;
    } while (k0 < p->k);
    return TG_OK;
}

enum tg_err tg_syrk_lower(const struct tg_ctx *ctx, enum tg_trans trans, int64_t n,
                          int64_t k, double alpha, const double *a, size_t lda,
                          double beta, double *c, size_t ldc)
{
    if (n == 0)
        return TG_OK;
    enum tg_trans other = trans == TG_T ? TG_N : TG_T;
    struct product p = {ctx, trans, other, n,   n,   k, alpha, beta, a,
                        a,   c,     lda,   lda, ldc, 0, 0,     0};
    int64_t most = n >= 3 * EDGE ? EDGE : n >= 2 * EDGE_SMALL ? (n + 1) / 2 : n;
    p.edge_m = tg_tile_edge(n, tg_min_i64(most, EDGE));
    int64_t rows = (n + p.edge_m - 1) / p.edge_m;
    return tg_ctx_parallel(ctx, rows * (rows + 1) / 2, syrk_tile, &p);
}

enum tg_err tg_syrk(const struct tg_ctx *ctx, enum tg_trans trans, int64_t n, int64_t k,
                    double alpha, const double *a, size_t lda, double beta, double *c,
                    size_t ldc)
{
    enum { BLOCK = 64 }; /* mirrored by blocks that stay in the cache */
    TG_TRY(tg_syrk_lower(ctx, trans, n, k, alpha, a, lda, beta, c, ldc));
    for (int64_t i0 = 0; i0 < n; i0 += BLOCK)
        for (int64_t j0 = 0; j0 <= i0; j0 += BLOCK)
            for (int64_t i = i0; i < tg_min_i64(i0 + BLOCK, n); i++)
                for (int64_t j = j0; j < tg_min_i64(j0 + BLOCK, i); j++)
                    c[(size_t)j * ldc + i] = c[(size_t)i * ldc + j];
    return TG_OK;
}

struct solve {
    bool left, upper;
    enum tg_trans trans;
    int64_t m, n, width;
    const double *t;
    double *b;
    size_t ldt, ldb;
};

/* Columns of B (rows, on the right side) are independent. */
static enum tg_err trsm_tile(void *arg, int64_t tile, unsigned lane)
{
    (void)lane;
    const struct solve *s = arg;
    int64_t first = tile * s->width, size = s->left ? s->n : s->m;
    int64_t w = tg_min_i64(s->width, size - first);
    cblas_dtrsm(CblasRowMajor, s->left ? CblasLeft : CblasRight,
                s->upper ? CblasUpper : CblasLower, trans_of(s->trans), CblasNonUnit,
                (int)(s->left ? s->m : w), (int)(s->left ? w : s->n), 1, s->t,
                (int)s->ldt, s->left ? s->b + first : s->b + (size_t)first * s->ldb,
                (int)s->ldb);
    return TG_OK;
}

enum tg_err tg_trsm(const struct tg_ctx *ctx, bool left, bool upper, enum tg_trans trans,
                    int64_t m, int64_t n, const double *t, size_t ldt, double *b,
                    size_t ldb)
{
    if (m == 0 || n == 0)
        return TG_OK;
    double order = (double)(left ? m : n);
    int64_t most = (int64_t)(2e9 / (order * order)) / 8 * 8;
    int64_t size = left ? n : m;
    struct solve s = {left, upper, trans, m, n, 0, t, b, ldt, ldb};
    s.width = tg_tile_edge(size, most < 16 ? 16 : tg_min_i64(most, EDGE));
    return tg_ctx_parallel(ctx, (size + s.width - 1) / s.width, trsm_tile, &s);
}

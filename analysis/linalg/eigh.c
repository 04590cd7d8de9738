/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Symmetric eigenproblem: reduction to tridiagonal form by panels, divide and conquer, and
 * the reflectors back.
 *
 * DESIGN. These are the steps of LAPACK's dsyevd, driven from here so that the context is
 * polled between panels and inside merges. A symmetric matrix is the same in rows and in
 * columns, so Fortran's routines work on it in place. Without vectors the longest stretch
 * without a poll is dsterf, O(n^2): 0.3 s at n = 4000 on one core.
 */
#include <string.h>

#include "linalg/lapack.h"

enum { PANEL = 32, BLOCK = 32 };

/* d, e, tau; without vectors the panel's W; with them Z and the larger of what follows. */
size_t tg_eigh_work(int64_t n, bool vectors)
{
    size_t s = (size_t)n, merge = tg_tridiag_work(n), back = tg_reflect_work(n, n);
    return vectors ? 3 * s + s * s + (merge > back ? merge : back) + PANEL * s
                   : (3 + PANEL) * s;
}

/* A becomes d, e and the reflectors below the subdiagonal (Fortran's lower triangle). */
static enum tg_err tridiagonalise(const struct tg_ctx *ctx, int64_t n, double *a, size_t lda,
                                  double *d, double *e, double *tau, double *w)
{
    lapack_int ld = (lapack_int)lda, ldw = (lapack_int)n, info;
    int64_t j = 0;
    while (n - j > 2 * PANEL) {
        lapack_int order = (lapack_int)(n - j);
        lapack_int nb = (lapack_int)tg_panel_width(4.0 * order * order, PANEL);
        double *aj = a + (size_t)j * lda + j, *trailing = aj + (size_t)nb * lda + nb;
        TG_TRY(tg_ctx_poll(ctx));
        dlatrd_("L", &order, &nb, aj, &ld, e + j, tau + j, w, &ldw, 1);
        TG_TRY(tg_ctx_poll(ctx));
        cblas_dsyr2k(CblasColMajor, CblasLower, CblasNoTrans, order - nb, nb, -1, aj + nb, ld,
                     w + nb, ldw, 1, trailing, ld);
        for (int64_t i = j; i < j + nb; i++)
            d[i] = a[(size_t)i * lda + i];
        j += nb;
        tg_ctx_progress(ctx, "tridiagonal reduction", (double)j, (double)n, "columns");
    }
    lapack_int order = (lapack_int)(n - j);
    dsytd2_("L", &order, a + (size_t)j * lda + j, &ld, d + j, e + j, tau + j, &info, 1);
    return TG_OK;
}

/*
 * The k rows of z become the columns of a, by blocks; `backwards`: the last row first.
 */
static void transpose(int64_t n, int64_t k, const double *z, bool backwards, double *a,
                      size_t lda)
{
    for (int64_t i0 = 0; i0 < n; i0 += BLOCK)
        for (int64_t j0 = 0; j0 < k; j0 += BLOCK)
            for (int64_t i = i0; i < tg_min_i64(i0 + BLOCK, n); i++)
                for (int64_t j = j0; j < tg_min_i64(j0 + BLOCK, k); j++)
                    a[(size_t)i * lda + j] = z[(backwards ? k - 1 - j : j) * n + i];
}

enum tg_err tg_eigh(const struct tg_ctx *ctx, int64_t n, bool vectors, double *a, size_t lda,
                    double *w, double *work)
{
    if (!vectors)
        return tg_eigh_values(ctx, n, a, lda, w, work);
    if (!tg_all_finite(n, n, a, lda))
        return TG_NUMERIC;
    if (n == 0)
        return TG_OK;
    double *d = work, *e = d + n, *tau = e + n, *panel = tau + n;
    TG_TRY(tridiagonalise(ctx, n, a, lda, d, e, tau, panel));
    lapack_int order = (lapack_int)n;
    double *z = panel + PANEL * n, *rest = z + n * n;
    double scale = tg_scale_of(n, d, e);
    cblas_dscal(order, scale, d, 1);
    cblas_dscal(order - 1, scale, e, 1);
    TG_TRY(tg_tridiag(ctx, n, d, e, z, w, rest));
    cblas_dscal(order, scale > 0 ? 1 / scale : 0, w, 1);
    struct tg_reflectors q = {
        .count = n - 1, .offset = 1, .dim = n, .a = a, .tau = tau, .lda = lda};
    TG_TRY(tg_reflect(ctx, &q, true, n, z, (size_t)n, rest));
    transpose(n, n, z, false, a, lda);
    return TG_OK;
}

/*
 * work: d, e, tau of the reduction, which tg_eigh_vectors() goes on from, then Z, then what
 * the steps need.
 */
size_t tg_eigh_steps_work(int64_t n)
{
    size_t s = (size_t)n, robust = 28 * s; /* dstemr: 18 n doubles, 12 n integers */
    size_t rest = tg_eigh_work(n, true);
    return 3 * s + (rest > s * s + robust ? rest : s * s + robust);
}

enum tg_err tg_eigh_values(const struct tg_ctx *ctx, int64_t n, double *a, size_t lda,
                           double *w, double *work)
{
    if (!tg_all_finite(n, n, a, lda))
        return TG_NUMERIC;
    if (n == 0)
        return TG_OK;
    double *d = work, *e = d + n, *tau = e + n, *rest = tau + n;
    TG_TRY(tridiagonalise(ctx, n, a, lda, d, e, tau, rest));
    lapack_int order = (lapack_int)n, info;
    memcpy(w, d, (size_t)n * sizeof(*w));
    memcpy(rest, e, (size_t)(n - 1) * sizeof(*e));
    LAPACK_dsterf(&order, w, rest, &info);
    return info ? TG_NUMERIC : TG_OK;
}

/*
 * The last k eigenvectors of (d, e) in the rows of z by relatively robust representations,
 * O(n k); false when they were not found.
 */
static bool robust_vectors(int64_t n, int64_t k, double *d, double *e, double *z, double *work)
{
    lapack_int order = (lapack_int)n, first = (lapack_int)(n - k + 1), found = 0;
    lapack_int columns = (lapack_int)k, lwork = (lapack_int)(18 * n);
    lapack_int liwork = (lapack_int)(10 * n), info, robust = 1;
    double none = 0, *w = work, *own = w + n;
    lapack_int *support = (lapack_int *)(own + 18 * n), *iwork = support + 2 * n;
    LAPACK_dstemr("V", "I", &order, d, e, &none, &none, &first, &order, &found, w, z, &order,
                  &columns, support, &robust, own, &lwork, iwork, &liwork, &info);
    return !info && found == columns;
}

/* What dstemr and the merges destroy, near 1. */
static void copy_scaled(int64_t n, const double *d, const double *e, double *d2, double *e2)
{
    double scale = tg_scale_of(n, d, e);
    for (int64_t i = 0; i < n; i++)
        d2[i] = scale * d[i];
    for (int64_t i = 0; i + 1 < n; i++)
        e2[i] = scale * e[i];
}

enum tg_err tg_eigh_vectors(const struct tg_ctx *ctx, int64_t n, const double *a, size_t lda,
                            int64_t k, double *v, size_t ldv, double *work)
{
    enum { FEW = 5 }; /* divide and conquer costs less than n / FEW vectors one by one */
    double *d = work, *e = d + n, *tau = e + n, *z = tau + n, *rest = z + n * n, *first = z;
    if (k == 0)
        return TG_OK;
    TG_TRY(tg_ctx_poll(ctx));
    double *d2 = rest, *e2 = d2 + n, *own = e2 + n;
    copy_scaled(n, d, e, d2, e2);
    if (k * FEW > n || !robust_vectors(n, k, d2, e2, z, own)) {
        copy_scaled(n, d, e, d2, e2);
        TG_TRY(tg_tridiag(ctx, n, d2, e2, z, own, own + n));
        first = z + (n - k) * n;
    }
    struct tg_reflectors q = {
        .count = n - 1, .offset = 1, .dim = n, .a = a, .tau = tau, .lda = lda};
    TG_TRY(tg_reflect(ctx, &q, true, k, first, (size_t)n, rest));
    transpose(n, k, first, true, v, ldv);
    return TG_OK;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Singular vectors of a bidiagonal matrix by divide and conquer (Gu and Eisenstat, 1995).
 *
 * DESIGN. LAPACK's dbdsdc with its recursion driven from here, so that the context is
 * polled between merges. The longest stretch without a poll is the last merge, about
 * 2 n^3 FLOPs in one dlasd1.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "linalg/lapack.h"

enum { LEAF = 25 };

struct tree {
    const struct tg_ctx *ctx;
    double *d, *e, *u, *vt, *work;
    lapack_int ldu, ldvt;
    lapack_int *order, *iwork;
};

/* U and V^T of a merge, dlasd1's 3 n^2 + 2 n, and 5 n integers. */
size_t tg_bidiag_work(int64_t n)
{
    size_t s = (size_t)n;
    return 5 * s * s + 8 * s;
}

/* Rows [at, at + n) of the matrix, which is n x (n + extra): singular values to d. */
static enum tg_err solve(const struct tree *t, lapack_int at, lapack_int n, lapack_int extra)
{
    double *d = t->d + at, *e = t->e + at;
    double *u = t->u + (size_t)at * (size_t)t->ldu + at;
    double *vt = t->vt + (size_t)at * (size_t)t->ldvt + at;
    lapack_int *order = t->order + at, info, zero = 0, columns = n + extra;
    if (n <= LEAF) {
        dlasdq_("U", &extra, &n, &columns, &n, &zero, d, e, vt, &t->ldvt, u, &t->ldu, u, &t->ldu,
                t->work, &info, 1);
        for (lapack_int i = 0; i < n; i++)
            order[i] = i + 1;
    } else {
        lapack_int left = n / 2, right = n - left - 1;
        TG_TRY(solve(t, at, left, 1));
        TG_TRY(solve(t, at + left + 1, right, extra));
        TG_TRY(tg_ctx_poll(t->ctx));
        double alpha = d[left], beta = e[left];
        dlasd1_(&left, &right, &extra, d, &alpha, &beta, u, &t->ldu, vt, &t->ldvt, order,
                t->iwork, t->work, &info);
    }
    return info ? TG_NUMERIC : TG_OK;
}

enum tg_err tg_bidiag(const struct tg_ctx *ctx, int64_t n, double *d, double *e, double *s,
                      double *u, size_t ldu, double *vt, size_t ldvt, double *work)
{
    double *u0 = work, *vt0 = u0 + n * n, *own = vt0 + n * n;
    lapack_int *order = (lapack_int *)(own + 3 * n * n + 2 * n);
    struct tree tree = {ctx, d, e, u0, vt0, own, (lapack_int)n, (lapack_int)n, order, order + n};
    double scale = tg_scale_of(n, d, e);
    cblas_dscal((int)n, scale, d, 1);
    cblas_dscal((int)(n - 1), scale, e, 1);
    for (int64_t i = 0; i < n; i++)
        if (fabs(d[i]) < DBL_EPSILON) /* dlasd1 cannot take a part that is all zero */
            d[i] = copysign(DBL_EPSILON, d[i]);
    memset(u0, 0, (size_t)(2 * n * n) * sizeof(*u0));
    for (int64_t i = 0; i < n; i++)
        u0[i * n + i] = vt0[i * n + i] = 1;
    TG_TRY(solve(&tree, 0, (lapack_int)n, 0));
    for (int64_t k = 0; k < n; k++) {
        int64_t from = order[n - 1 - k] - 1; /* ascending */
        s[k] = scale > 0 ? d[from] / scale : 0;
        memcpy(u + (size_t)k * ldu, u0 + from * n, (size_t)n * sizeof(*u));
        cblas_dcopy((int)n, vt0 + from, (int)n, vt + k, (int)ldvt);
    }
    return TG_OK;
}

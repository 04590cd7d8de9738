/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Eigenvectors of a symmetric tridiagonal matrix by divide and conquer (Cuppen, 1981; Gu
 * and Eisenstat, 1995).
 *
 * DESIGN. The matrix is torn into leaves for QL iteration, and pairs are merged until one
 * is left. A merge deflates (dlaed2), finds the roots of the secular equation (dlaed4, a
 * root a call, over the lanes), refines z so that the vectors come out orthogonal, and
 * multiplies by tiles; so every stretch of more than O(n^2) is polled.
 */
#include <math.h>
#include <string.h>

#include "linalg/lapack.h"

enum { LEAF = 64, ROOTS = 32 };

/* A merge: n^2 + 4 n doubles and 4 n integers; the tree: 3 n integers. */
size_t tg_tridiag_work(int64_t n)
{
    return (size_t)n * (size_t)n + 8 * (size_t)n;
}

/* Splits [0, n) into 2^levels parts of at most LEAF; returns the number of parts. */
static int64_t split(int64_t n, lapack_int *size)
{
    int64_t parts = 1;
    size[0] = (lapack_int)n;
    while (size[parts - 1] > LEAF) {
        for (int64_t i = parts - 1; i >= 0; i--) {
            size[2 * i + 1] = (size[i] + 1) / 2;
            size[2 * i] = size[i] / 2;
        }
        parts *= 2;
    }
    return parts;
}

/* The secular equation 1 + rho sum_i z_i^2 / (pole_i - x) = 0, of k terms. */
struct secular {
    lapack_int k;
    double rho;
    const double *pole, *z;
    double *root;
    double *delta; /* column j: pole_i - root_j */
    size_t ld;
};

static enum tg_err find_roots(void *arg, int64_t tile, unsigned lane)
{
    (void)lane;
    const struct secular *s = arg;
    for (int64_t j = tile * ROOTS; j < tg_min_i64((tile + 1) * ROOTS, s->k); j++) {
        lapack_int index = (lapack_int)j + 1, info;
        dlaed4_(&s->k, &index, s->pole, s->z, s->delta + (size_t)j * s->ld, &s->rho,
                &s->root[j], &info);
        if (info)
            return TG_NUMERIC;
    }
    return TG_OK;
}

/*
 * The z for which the computed roots are exact (Gu and Eisenstat, eq. 3.3), then vector j =
 * z_i / delta_ij, normalised and in the order of `permutation`, over delta.
 */
static enum tg_err form_vectors(const struct tg_ctx *ctx, const struct secular *s,
                                const lapack_int *permutation, double *z, double *column)
{
    lapack_int k = s->k;
    for (lapack_int i = 0; i < k && k > 2; i++)
        z[i] = copysign(1, s->z[i]) * s->delta[(size_t)i * s->ld + i];
    for (lapack_int j = 0; j < k && k > 2; j++) {
        const double *delta = s->delta + (size_t)j * s->ld;
        for (lapack_int i = 0; i < j; i++)
            z[i] *= delta[i] / (s->pole[i] - s->pole[j]);
        for (lapack_int i = j + 1; i < k; i++)
            z[i] *= delta[i] / (s->pole[i] - s->pole[j]);
    }
    for (lapack_int i = 0; i < k && k > 2; i++)
        z[i] = copysign(sqrt(fabs(z[i])), s->z[i]);
    for (lapack_int j = 0; j < k; j++) {
        double *delta = s->delta + (size_t)j * s->ld, norm = 1;
        if (j % ROOTS == 0)
            TG_TRY(tg_ctx_poll(ctx));
        memcpy(column, delta, (size_t)k * sizeof(*column));
        if (k > 2) { /* up to two terms dlaed4 gives the vector itself */
            for (lapack_int i = 0; i < k; i++)
                column[i] = z[i] / delta[i];
            norm = cblas_dnrm2(k, column, 1);
        }
        for (lapack_int i = 0; i < k; i++)
            delta[i] = column[permutation[i] - 1] / norm;
    }
    return TG_OK;
}

/* Rows [row, row + rows) of the first k columns of q := q2 (rows x inner) times s[from..). */
static enum tg_err multiply(const struct tg_ctx *ctx, int64_t rows, int64_t inner, int64_t k,
                            const double *q2, const double *vectors, double *s, double *q,
                            size_t ldq)
{
    size_t lds = (size_t)(inner ? inner : 1);
    for (int64_t j = 0; j < k; j++)
        memcpy(s + j * inner, vectors + (size_t)j * ldq, (size_t)inner * sizeof(*s));
    return tg_gemm(ctx, TG_N, TG_N, k, rows, inner, 1, s, lds, q2, (size_t)rows, 0, q, ldq);
}

/*
 * Merge the solved halves [0, n1) and [n1, n) of q (Fortran's n x n) over the off-diagonal
 * `rho`. `order` sorts d within the halves and then the whole. Only the nonzero blocks of
 * q take part: dlaed2 packs the columns that are zero below, full, and zero above.
 */
static enum tg_err merge(const struct tg_ctx *ctx, lapack_int n, lapack_int n1, double *d,
                         double *q, lapack_int ldq, lapack_int *order, double rho, double *work,
                         lapack_int *iwork)
{
    double *z = work, *pole = z + n, *w = pole + n, *q2 = w + n;
    lapack_int *indx = iwork, *indxc = indx + n, *type = indxc + n, *indxp = type + n;
    lapack_int k, info, n2 = n - n1, up = 1, down = -1;
    cblas_dcopy(n1, q + n1 - 1, ldq, z, 1);
    cblas_dcopy(n2, q + (size_t)n1 * (size_t)ldq + n1, ldq, z + n1, 1);
    dlaed2_(&k, &n, &n1, d, q, &ldq, order, &rho, z, pole, w, q2, indx, indxc, indxp, type,
            &info);
    if (info)
        return TG_NUMERIC;
    if (k == 0) {
        for (lapack_int i = 0; i < n; i++)
            order[i] = i + 1;
        return TG_OK;
    }
    int64_t top = type[0] + type[1], bottom = type[1] + type[2];
    double *q2_bottom = q2 + top * n1, *s = q2_bottom + bottom * n2;
    struct secular secular = {k, rho, pole, w, d, q, (size_t)ldq};
    TG_TRY(tg_ctx_parallel(ctx, (k + ROOTS - 1) / ROOTS, find_roots, &secular));
    TG_TRY(form_vectors(ctx, &secular, indxc, z, s));
    TG_TRY(multiply(ctx, n2, bottom, k, q2_bottom, q + type[0], s, q + n1, (size_t)ldq));
    TG_TRY(multiply(ctx, n1, top, k, q2, q, s, q, (size_t)ldq));
    lapack_int deflated = n - k;
    dlamrg_(&k, &deflated, d, &up, &down, order);
    return TG_OK;
}

/* Tear the matrix at each cut and solve the parts by QL iteration. */
static enum tg_err solve_leaves(const struct tg_ctx *ctx, int64_t n, int64_t parts,
                                const lapack_int *size, double *d, double *e, double *z,
                                double *work, lapack_int *order)
{
    lapack_int ldz = (lapack_int)n, info;
    int64_t at = 0;
    for (int64_t i = 0; i + 1 < parts; i++) {
        at += size[i];
        d[at - 1] -= fabs(e[at - 1]);
        d[at] -= fabs(e[at - 1]);
    }
    at = 0;
    for (int64_t i = 0; i < parts; at += size[i++]) {
        TG_TRY(tg_ctx_poll(ctx));
        LAPACK_dsteqr("I", &size[i], d + at, e + at, z + at * n + at, &ldz, work, &info);
        if (info)
            return TG_NUMERIC;
        for (lapack_int k = 0; k < size[i]; k++)
            order[at + k] = k + 1;
    }
    return TG_OK;
}

enum tg_err tg_tridiag(const struct tg_ctx *ctx, int64_t n, double *d, double *e, double *z,
                       double *w, double *work)
{
    lapack_int *iwork = (lapack_int *)(work + n * n + 4 * n);
    lapack_int *order = iwork + 4 * n, *size = order + n;
    int64_t parts = split(n, size);
    memset(z, 0, (size_t)(n * n) * sizeof(*z));
    TG_TRY(solve_leaves(ctx, n, parts, size, d, e, z, work, order));
    for (; parts > 1; parts /= 2) {
        int64_t at = 0;
        for (int64_t i = 0; i < parts; i += 2) {
            lapack_int n1 = size[i], both = n1 + size[i + 1];
            TG_TRY(merge(ctx, both, n1, d + at, z + at * n + at, (lapack_int)n, order + at,
                         e[at + n1 - 1], work, iwork));
            size[i / 2] = both;
            at += both;
        }
        tg_ctx_progress(ctx, "merging", 1, (double)parts, "parts");
    }
    for (int64_t k = 0; k < n; k++) {
        TG_TRY(tg_ctx_poll(ctx));
        w[k] = d[order[k] - 1];
        memcpy(work + k * n, z + (int64_t)(order[k] - 1) * n, (size_t)n * sizeof(*z));
    }
    memcpy(z, work, (size_t)(n * n) * sizeof(*z));
    return TG_OK;
}

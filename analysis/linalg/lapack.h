/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The Fortran routines below LAPACK's drivers that our own drivers are built from, and what
 * the files of this room share. All matrices here are column-major, as Fortran has them.
 */
#ifndef TG_LINALG_LAPACK_H
#define TG_LINALG_LAPACK_H

#include <cblas.h>
#include <lapacke.h>

#include "linalg/linalg.h"

void dlatrd_(const char *uplo, const lapack_int *n, const lapack_int *nb, double *a,
             const lapack_int *lda, double *e, double *tau, double *w, const lapack_int *ldw,
             size_t uplo_length);
void dsytd2_(const char *uplo, const lapack_int *n, double *a, const lapack_int *lda, double *d,
             double *e, double *tau, lapack_int *info, size_t uplo_length);
void dlaed2_(lapack_int *k, const lapack_int *n, const lapack_int *n1, double *d, double *q,
             const lapack_int *ldq, lapack_int *indxq, double *rho, double *z, double *dlamda,
             double *w, double *q2, lapack_int *indx, lapack_int *indxc, lapack_int *indxp,
             lapack_int *coltyp, lapack_int *info);
void dlaed4_(const lapack_int *n, const lapack_int *i, const double *d, const double *z,
             double *delta, const double *rho, double *dlam, lapack_int *info);
void dlamrg_(const lapack_int *n1, const lapack_int *n2, const double *a, const lapack_int *step1,
             const lapack_int *step2, lapack_int *index);
void dlasdq_(const char *uplo, const lapack_int *sqre, const lapack_int *n,
             const lapack_int *ncvt, const lapack_int *nru, const lapack_int *ncc, double *d,
             double *e, double *vt, const lapack_int *ldvt, double *u, const lapack_int *ldu,
             double *c, const lapack_int *ldc, double *work, lapack_int *info,
             size_t uplo_length);
void dlasd1_(const lapack_int *nl, const lapack_int *nr, const lapack_int *sqre, double *d,
             double *alpha, double *beta, double *u, const lapack_int *ldu, double *vt,
             const lapack_int *ldvt, lapack_int *idxq, lapack_int *iwork, double *work,
             lapack_int *info);
void dlabrd_(const lapack_int *m, const lapack_int *n, const lapack_int *nb, double *a,
             const lapack_int *lda, double *d, double *e, double *tauq, double *taup, double *x,
             const lapack_int *ldx, double *y, const lapack_int *ldy);
void dgebd2_(const lapack_int *m, const lapack_int *n, double *a, const lapack_int *lda,
             double *d, double *e, double *tauq, double *taup, double *work, lapack_int *info);

/* The smaller of two sizes. */
static inline int64_t tg_min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Where a dimension of `n` is cut: pieces of equal size up to `most`, multiples of 8. */
int64_t tg_tile_edge(int64_t n, int64_t most);

/* The lower triangle only of tg_syrk, for factorisations. */
TG_MUST_CHECK enum tg_err tg_syrk_lower(const struct tg_ctx *ctx, enum tg_trans trans, int64_t n,
                                        int64_t k, double alpha, const double *a, size_t lda,
                                        double beta, double *c, size_t ldc);

/* Whether all m x n entries are finite. */
bool tg_all_finite(int64_t m, int64_t n, const double *a, size_t lda);

/*
 * Columns to reduce between two polls when each of them reads `bytes`: at most `most`, fewer
 * for a matrix so large that these would take longer than about 100 ms.
 */
int64_t tg_panel_width(double bytes, int64_t most);

/* The power of two that brings the largest of d[n] and e[n - 1] near 1; 0 if all are 0. */
double tg_scale_of(int64_t n, const double *d, const double *e);

/*
 * Householder vectors as LAPACK's reductions leave them, in Fortran's terms: reflector j, of
 * `count`, has its implied one at row j + offset of column j (`by_rows`: exchanged) of a,
 * and ends at `dim`. A reduction's Q is the product of all of them in order.
 */
struct tg_reflectors {
    int64_t count, offset, dim;
    const double *a, *tau;
    size_t lda;
    bool by_rows;
};

/*
 * Z := Q Z, Z (dim x p) row-major; or, transposed, Z := Z Q^T, Z (p x dim).
 * `work` has tg_reflect_work(dim, p) doubles.
 */
size_t tg_reflect_work(int64_t dim, int64_t p);
TG_MUST_CHECK enum tg_err tg_reflect(const struct tg_ctx *ctx, const struct tg_reflectors *q,
                                     bool transposed, int64_t p, double *z, size_t ldz,
                                     double *work);

/*
 * Eigenvalues of the symmetric tridiagonal (d, e), ascending in w, and eigenvectors in the
 * rows of z (n x n); d and e are destroyed. `work` has tg_tridiag_work(n) doubles.
 */
size_t tg_tridiag_work(int64_t n);
TG_MUST_CHECK enum tg_err tg_tridiag(const struct tg_ctx *ctx, int64_t n, double *d, double *e,
                                     double *z, double *w, double *work);

/*
 * SVD of the upper bidiagonal (d, e): singular values descending in s; in Fortran's terms U
 * (n x n) and V^T (n x n) with the given leading dimensions. d and e are destroyed. `work`
 * has tg_bidiag_work(n) doubles.
 */
size_t tg_bidiag_work(int64_t n);
TG_MUST_CHECK enum tg_err tg_bidiag(const struct tg_ctx *ctx, int64_t n, double *d, double *e,
                                    double *s, double *u, size_t ldu, double *vt, size_t ldvt,
                                    double *work);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Dense linear algebra: tiled, cancellable, and over as many cores as the context lends.
 *
 * DESIGN. The only room that includes cblas.h and lapacke.h. OpenBLAS is the build with POSIX
 * threads, held to one (ARCHITECTURE.md says why); the threads are ours. Each tile is one BLAS
 * call of well under 250 ms, with the context polled between tiles. All matrices are double,
 * row-major, with a leading dimension (elements between rows). Tiles write disjoint parts, so
 * results are the same bits for any number of lanes. Every function returns TG_OK, the
 * context's stop error, or TG_NUMERIC with the reason in the function's comment.
 */
#ifndef TG_LINALG_H
#define TG_LINALG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/ctx.h"

enum tg_trans { TG_N, TG_T };

/* C (m x n) = alpha op(A) op(B) + beta C; op(A) is m x k, op(B) is k x n. 2mnk FLOPs. */
TG_MUST_CHECK enum tg_err tg_gemm(const struct tg_ctx *ctx, enum tg_trans ta, enum tg_trans tb,
                                  int64_t m, int64_t n, int64_t k, double alpha,
                                  const double *a, size_t lda, const double *b, size_t ldb,
                                  double beta, double *c, size_t ldc);

/*
 * C (n x n, both triangles written) = alpha op(A) op(A)^T + beta C; op(A) is n x k:
 * trans TG_N: A is n x k; trans TG_T: A is k x n and C = alpha A^T A + beta C. n^2 k FLOPs.
 */
TG_MUST_CHECK enum tg_err tg_syrk(const struct tg_ctx *ctx, enum tg_trans trans, int64_t n,
                                  int64_t k, double alpha, const double *a, size_t lda,
                                  double beta, double *c, size_t ldc);

/* Solve op(T) X = B or X op(T) = B in place of B (m x n); T triangular, not unit. */
TG_MUST_CHECK enum tg_err tg_trsm(const struct tg_ctx *ctx, bool left, bool upper,
                                  enum tg_trans trans, int64_t m, int64_t n, const double *t,
                                  size_t ldt, double *b, size_t ldb);

/*
 * Lower Cholesky factor in place (strict upper triangle zeroed). TG_NUMERIC when a pivot is
 * not positive; *pivot is then its index. `pivot` may be NULL.
 */
TG_MUST_CHECK enum tg_err tg_chol(const struct tg_ctx *ctx, int64_t n, double *a, size_t lda,
                                  int64_t *pivot);

/*
 * Thin QR of A (m x n, m >= n): A becomes Q (m x n), R (n x n upper) is written to r.
 * `work` has tg_qr_work(m, n) doubles.
 */
size_t tg_qr_work(int64_t m, int64_t n);
TG_MUST_CHECK enum tg_err tg_qr(const struct tg_ctx *ctx, int64_t m, int64_t n, double *a,
                                size_t lda, double *r, size_t ldr, double *work);

/*
 * Symmetric eigenproblem, eigenvalues ASCENDING in w[n]. With vectors, A becomes V with one
 * eigenvector per COLUMN; without, A is destroyed. `work` has tg_eigh_work(n, vectors)
 * doubles. TG_NUMERIC if it does not converge or an entry is not finite.
 */
size_t tg_eigh_work(int64_t n, bool vectors);
TG_MUST_CHECK enum tg_err tg_eigh(const struct tg_ctx *ctx, int64_t n, bool vectors, double *a,
                                  size_t lda, double *w, double *work);

/*
 * The k <= n LARGEST eigenvalues of a symmetric matrix, DESCENDING in w[k], and unless v is
 * NULL their vectors in its ROWS (k x n). A is destroyed. Eigenvalues are exact to rounding of
 * the largest. Some 100 products with A when the spectrum falls off as that of a path does, and
 * never more than tg_eigh takes, which does the rest. `work` has tg_eigh_leading_work(n, k)
 * doubles. Errors as tg_eigh.
 */
size_t tg_eigh_leading_work(int64_t n, int64_t k);
TG_MUST_CHECK enum tg_err tg_eigh_leading(const struct tg_ctx *ctx, int64_t n, int64_t k,
                                          double *a, size_t lda, double *w, double *v,
                                          double *work);

/*
 * tg_eigh() in two steps, for callers who choose how many vectors they want by the values.
 * tg_eigh_values() gives all eigenvalues, ASCENDING in w, and leaves its reduction in a and
 * work; tg_eigh_vectors() goes on from these, as often as wanted, to the eigenvectors of
 * the k largest, that of the largest FIRST, in the columns of v (n x k). Few of them cost
 * 2 n^2 k FLOPs. `work` has tg_eigh_steps_work(n) doubles. Errors as tg_eigh.
 */
size_t tg_eigh_steps_work(int64_t n);
TG_MUST_CHECK enum tg_err tg_eigh_values(const struct tg_ctx *ctx, int64_t n, double *a,
                                         size_t lda, double *w, double *work);
TG_MUST_CHECK enum tg_err tg_eigh_vectors(const struct tg_ctx *ctx, int64_t n, const double *a,
                                          size_t lda, int64_t k, double *v, size_t ldv,
                                          double *work);

/*
 * Singular values DESCENDING in s[min(m, n)]; A is destroyed. With u (m x min) and vt
 * (min x n) also the thin singular vectors; both NULL or both given. `work` has
 * tg_svd_work(m, n, vectors) doubles. Errors as tg_eigh.
 */
size_t tg_svd_work(int64_t m, int64_t n, bool vectors);
TG_MUST_CHECK enum tg_err tg_svd(const struct tg_ctx *ctx, int64_t m, int64_t n, double *a,
                                 size_t lda, double *s, double *u, size_t ldu, double *vt,
                                 size_t ldvt, double *work);

/*
 * Tiles of pairs of rows, on the calling thread, no polling. Sixteen rows less an origin are
 * packed into a panel: column k of row i at panel[16 k + i]. A tile is c (16 x 16) += a b^T of
 * two panels with k columns: sums of 128 products in the working precision, added in double.
 * The bits of an entry depend on its two rows and on the kernel alone.
 */
enum { TG_PANEL_ROWS = 16 };
enum tg_tile_kernel { TG_TILE_PLAIN, TG_TILE_AVX2, TG_TILE_AVX512 };
enum tg_tile_kernel tg_tile_kernel(void); /* the best that this processor has */
void tg_spack(enum tg_tile_kernel kernel, int64_t k, const float *rows, size_t ld,
              const float *origin, float *panel);
void tg_dpack(enum tg_tile_kernel kernel, int64_t k, const double *rows, size_t ld,
              const double *origin, double *panel);
void tg_stile(enum tg_tile_kernel kernel, int64_t k, const float *a, const float *b, double *c);
void tg_dtile(enum tg_tile_kernel kernel, int64_t k, const double *a, const double *b, double *c);

/*
 * c (16 x 16) += squared distances between the rows of two panels: sums of squared
 * differences, so that close rows lose no digits and equal ones are exactly 0 apart.
 */
void tg_dapart(enum tg_tile_kernel kernel, int64_t k, const double *a, const double *b, double *c);

/* Tiles of a lower triangle are counted row by row; the row of one of them. */
int64_t tg_tile_row(int64_t tile);

/* |to - from|^2, in double; *same grows by the number of entries that are equal. */
double tg_sstep(enum tg_tile_kernel kernel, int64_t n, const float *from, const float *to,
                double *same);
double tg_dstep(enum tg_tile_kernel kernel, int64_t n, const double *from, const double *to,
                double *same);

/* What numerical library is in use; strings are static. */
struct tg_blas_info {
    const char *config; /* "OpenBLAS 0.3.21 ... MAX_THREADS=64" */
    const char *core;   /* "Cooperlake" */
};
struct tg_blas_info tg_blas_describe(void);

/*
 * First call of a program: BLAS is held to the calling thread, and a small product is checked
 * against a closed form from two threads at once. TG_INTERNAL with the cure in `report` if
 * this BLAS will not do.
 */
TG_MUST_CHECK enum tg_err tg_blas_start(struct tg_report *report);

#endif

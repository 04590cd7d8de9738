/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Linear algebra against plain loops, closed forms, and the identities that define each
 * decomposition; the same bits for any number of lanes; and the time a stop takes.
 */
#include "../suite.h"

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/rng.h"
#include "linalg/linalg.h"

Suite *linalg_suite(void);

static const struct tg_ctx serial = {.lanes = 1};
static const double PI = 3.14159265358979323846;

static double *numbers(int64_t n)
{
    double *x = calloc((size_t)n + 1, sizeof(*x));
    ck_assert_ptr_nonnull(x);
    return x;
}

static double *draws(uint64_t stream, int64_t n)
{
    double *x = numbers(n);
    tg_rng_normal(1, stream, 0, (size_t)n, x);
    return x;
}

static double *copy_of(const double *x, int64_t n)
{
    return memcpy(numbers(n), x, (size_t)n * sizeof(*x));
}

/* Element i, j of op(X). */
static double element(enum tg_trans t, const double *x, int64_t ld, int64_t i, int64_t j)
{
    return t == TG_T ? x[j * ld + i] : x[i * ld + j];
}

/* op(A) op(B) by plain loops: m x n over k. */
static double *product(enum tg_trans ta, enum tg_trans tb, int64_t m, int64_t n, int64_t k,
                       const double *a, int64_t lda, const double *b, int64_t ldb)
{
    double *c = numbers(m * n);
    for (int64_t i = 0; i < m; i++)
        for (int64_t l = 0; l < k; l++) {
            double x = element(ta, a, lda, i, l);
            for (int64_t j = 0; j < n; j++)
                c[i * n + j] += x * element(tb, b, ldb, l, j);
        }
    return c;
}

static double distance(const double *x, const double *y, int64_t n)
{
    double largest = 0;
    for (int64_t i = 0; i < n; i++)
        largest = fabs(x[i] - y[i]) <= largest ? largest : fabs(x[i] - y[i]);
    return largest; /* a NaN stays */
}

/* max |X^T X - I| for X with n columns. */
static double loss_of_orthogonality(int64_t m, int64_t n, const double *x)
{
    double *gram = product(TG_T, TG_N, n, n, m, x, n, x, n), largest = 0;
    for (int64_t i = 0; i < n * n; i++) {
        double error = fabs(gram[i] - (i % (n + 1) == 0));
        largest = error <= largest ? largest : error;
    }
    free(gram);
    return largest;
}

/* Products --------------------------------------------------------------------------- */

static const int64_t shapes[][3] = {{37, 53, 41},  {1, 1, 1},   {3, 5, 5000}, {800, 790, 20},
                                    {300, 10, 50}, {4, 900, 8}, {2, 3, 0},    {300, 260, 130}};

START_TEST(gemm_is_the_sum_of_products)
{
    const int64_t m = shapes[_i / 4][0], n = shapes[_i / 4][1], k = shapes[_i / 4][2];
    enum tg_trans ta = _i & 1 ? TG_T : TG_N, tb = _i & 2 ? TG_T : TG_N;
    int64_t lda = (ta == TG_T ? m : k) + 3, ldb = (tb == TG_T ? k : n) + 1, ldc = n + 2;
    double *a = draws(0, (ta == TG_T ? k : m) * lda), *b = draws(1, (tb == TG_T ? n : k) * ldb);
    double *c = draws(2, m * ldc), *before = copy_of(c, m * ldc);
    ck_assert_int_eq(tg_gemm(&serial, ta, tb, m, n, k, 0.5, a, (size_t)lda, b, (size_t)ldb, -2, c,
                             (size_t)ldc),
                     TG_OK);
    double *expected = product(ta, tb, m, n, k, a, lda, b, ldb);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < ldc; j++) {
            double old = before[i * ldc + j];
            double want = j < n ? 0.5 * expected[i * n + j] - 2 * old : old;
            MUST(fabs(c[i * ldc + j] - want) <= 1e-14 * ((double)k + 10));
        }
    free(a), free(b), free(c), free(before), free(expected);
}
END_TEST

START_TEST(zero_beta_overwrites_what_was_there)
{
    double a[4] = {1, 2, 3, 4}, c[4] = {NAN, INFINITY, NAN, 0};
    ck_assert_int_eq(tg_gemm(&serial, TG_N, TG_N, 2, 2, 2, 1, a, 2, a, 2, 0, c, 2), TG_OK);
    static const double square[4] = {7, 10, 15, 22};
    ck_assert_mem_eq(c, square, sizeof(c));
}
END_TEST

START_TEST(syrk_writes_both_triangles)
{
    static const int64_t sizes[][2] = {{1, 7}, {40, 4500}, {300, 33}, {850, 9}};
    const int64_t n = sizes[_i / 2][0], k = sizes[_i / 2][1];
    enum tg_trans t = _i & 1 ? TG_T : TG_N;
    int64_t lda = (t == TG_T ? n : k) + 2;
    double *a = draws(0, (t == TG_T ? k : n) * lda), *c = numbers(n * n);
    for (int64_t i = 0; i < n * n; i++)
        c[i] = (double)(i / n + i % n); /* symmetric */
    ck_assert_int_eq(tg_syrk(&serial, t, n, k, 2, a, (size_t)lda, 3, c, (size_t)n), TG_OK);
    double *expected = product(t, t == TG_T ? TG_N : TG_T, n, n, k, a, lda, a, lda);
    for (int64_t i = 0; i < n * n; i++)
        MUST(fabs(c[i] - 2 * expected[i] - 3 * (double)(i / n + i % n)) <=
             1e-13 * (double)(k + n));
    free(a), free(c), free(expected);
}
END_TEST

/* Kernels of this processor, up to its best; a loop test runs over all there are. */
static bool has_kernel(int kernel)
{
    return kernel <= (int)tg_tile_kernel();
}

START_TEST(tiles_are_products_of_packed_rows)
{
    enum { N = TG_PANEL_ROWS, K = 1003, LD = K + 5 };
    if (!has_kernel(_i))
        return;
    enum tg_tile_kernel kernel = (enum tg_tile_kernel)_i;
    double *a = draws(0, N * LD), *b = draws(1, N * LD), *origin = draws(2, K), c[N * N];
    double *pa = numbers(N * K), *pb = numbers(N * K);
    tg_dpack(kernel, K, a, LD, origin, pa);
    tg_dpack(kernel, K, b, LD, origin, pb);
    for (int i = 0; i < N * N; i++)
        c[i] = i;
    tg_dtile(kernel, K, pa, pb, c);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double sum = i * N + j;
            for (int k = 0; k < K; k++)
                sum += (a[i * LD + k] - origin[k]) * (b[j * LD + k] - origin[k]);
            MUST(fabs(c[i * N + j] - sum) <= 1e-11);
        }
    free(a), free(b), free(origin), free(pa), free(pb);
}
END_TEST

START_TEST(tiles_of_distances_keep_the_digits_of_close_rows)
{
    enum { N = TG_PANEL_ROWS, K = 1003 };
    if (!has_kernel(_i))
        return;
    enum tg_tile_kernel kernel = (enum tg_tile_kernel)_i;
    double *a = draws(0, N * K), *origin = numbers(K), *pa = numbers(N * K), c[N * N] = {0};
    for (int k = 0; k < K; k++) {
        a[2 * K + k] = a[k];
        a[3 * K + k] = a[k] + (k == 5 ? 0x1p-30 : 0);
    }
    tg_dpack(kernel, K, a, K, origin, pa);
    tg_dapart(kernel, K, pa, pa, c);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double sum = 0;
            for (int k = 0; k < K; k++)
                sum += (a[i * K + k] - a[j * K + k]) * (a[i * K + k] - a[j * K + k]);
            MUST(fabs(c[i * N + j] - sum) <= 1e-12 * sum);
            MUST(c[i * N + j] == c[j * N + i]);
        }
    ck_assert_double_eq(c[2], 0);
    ck_assert_double_gt(c[3], 0);
    free(a), free(origin), free(pa);
}
END_TEST

START_TEST(tiles_of_floats_sum_up_in_double)
{
    enum { N = TG_PANEL_ROWS, K = 1 << 16 };
    if (!has_kernel(_i))
        return;
    float *a = calloc(N * K, sizeof(*a)), *panel = calloc(N * K, sizeof(*a));
    float *origin = calloc(K, sizeof(*a));
    ck_assert(a && panel && origin);
    double c[N * N] = {0};
    for (int i = 0; i < N * K; i++)
        a[i] = 1.1F; /* 1.21 cannot be added 2^16 times in single precision */
    tg_spack((enum tg_tile_kernel)_i, K, a, K, origin, panel);
    tg_stile((enum tg_tile_kernel)_i, K, panel, panel, c);
    double expected = (double)1.1F * (double)1.1F * K;
    for (int i = 0; i < N * N; i++)
        MUST(fabs(c[i] - expected) <= 1e-5 * expected);
    free(a), free(panel), free(origin);
}
END_TEST

START_TEST(steps_are_summed_in_double_and_equal_entries_counted)
{
    enum { N = 203 };
    if (!has_kernel(_i))
        return;
    float from[N], to[N];
    double wide_from[N], wide_to[N], sum = 0, same = 1, wide_same = 1;
    for (int i = 0; i < N; i++) {
        from[i] = 1e6F + (float)(i % 17);
        to[i] = from[i] + (float)(i % 3);
        wide_from[i] = (double)from[i];
        wide_to[i] = (double)to[i];
        sum += (i % 3) * (i % 3);
    }
    enum tg_tile_kernel kernel = (enum tg_tile_kernel)_i;
    ck_assert_double_eq(tg_sstep(kernel, N, from, to, &same), sum);
    ck_assert_double_eq(tg_dstep(kernel, N, wide_from, wide_to, &wide_same), sum);
    ck_assert_double_eq(same, 1 + 68);
    ck_assert_double_eq(wide_same, 1 + 68);
}
END_TEST

/* Triangular ------------------------------------------------------------------------- */

START_TEST(trsm_solves_from_every_side)
{
    bool left = _i & 1, upper = _i & 2;
    enum tg_trans t = _i & 4 ? TG_T : TG_N;
    const int64_t m = 90, n = 130, order = left ? m : n;
    double *tri = draws(0, order * order), *b = draws(1, m * n), *x = copy_of(b, m * n);
    for (int64_t i = 0; i < order; i++) {
        tri[i * order + i] = 30;
        for (int64_t j = 0; j < order; j++)
            if (upper ? j < i : j > i)
                tri[i * order + j] = NAN; /* not to be read */
    }
    ck_assert_int_eq(
        tg_trsm(&serial, left, upper, t, m, n, tri, (size_t)order, x, (size_t)n), TG_OK);
    for (int64_t i = 0; i < order * order; i++)
        tri[i] = isnan(tri[i]) ? 0 : tri[i];
    double *back = left ? product(t, TG_N, m, n, m, tri, m, x, n)
                        : product(TG_N, t, m, n, n, x, n, tri, n);
    ck_assert_double_le(distance(back, b, m * n), 1e-12);
    free(tri), free(b), free(x), free(back);
}
END_TEST

START_TEST(cholesky_multiplies_back)
{
    static const int64_t sizes[] = {1, 100, 256, 600};
    const int64_t n = sizes[_i];
    double *x = draws(0, n * n), *a = product(TG_N, TG_T, n, n, n, x, n, x, n);
    for (int64_t i = 0; i < n; i++)
        a[i * n + i] += (double)n;
    double *l = copy_of(a, n * n);
    ck_assert_int_eq(tg_chol(&serial, n, l, (size_t)n, NULL), TG_OK);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i + 1; j < n; j++)
            MUST(l[i * n + j] == 0);
    double *back = product(TG_N, TG_T, n, n, n, l, n, l, n);
    ck_assert_double_le(distance(back, a, n * n), 20 * (double)(n * n) * DBL_EPSILON);
    free(x), free(a), free(l), free(back);
}
END_TEST

START_TEST(cholesky_names_the_pivot_that_fails)
{
    const int64_t n = 400;
    double *a = numbers(n * n);
    int64_t pivot = -1;
    for (int64_t i = 0; i < n; i++)
        a[i * n + i] = i == 300 ? (_i ? NAN : -1) : 2;
    ck_assert_int_eq(tg_chol(&serial, n, a, (size_t)n, &pivot), TG_NUMERIC);
    ck_assert_int_eq(pivot, 300);
    free(a);
}
END_TEST

/* QR --------------------------------------------------------------------------------- */

static void assert_qr(int64_t m, int64_t n, const double *a, double scale)
{
    double *q = copy_of(a, m * n), *r = numbers(n * n);
    double *work = numbers((int64_t)tg_qr_work(m, n));
    ck_assert_int_eq(tg_qr(&serial, m, n, q, (size_t)n, r, (size_t)n, work), TG_OK);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++)
            MUST(r[i * n + j] == 0);
    double *back = product(TG_N, TG_N, m, n, n, q, n, r, n);
    ck_assert_double_le(distance(back, a, m * n), 20 * (double)m * DBL_EPSILON * scale);
    ck_assert_double_le(loss_of_orthogonality(m, n, q), 20 * (double)m * DBL_EPSILON);
    free(q), free(r), free(work), free(back);
}

START_TEST(qr_of_random_matrices)
{
    static const int64_t sizes[][2] = {{1, 1},   {9, 9},    {10, 3},    {64, 64},
                                       {65, 65}, {400, 150}, {1000, 70}, {300, 299}};
    const int64_t m = sizes[_i][0], n = sizes[_i][1];
    double *a = draws(0, m * n);
    assert_qr(m, n, a, 1);
    free(a);
}
END_TEST

/* A Hilbert matrix of 60 x 40 has a condition beyond 1e16; then zeros and extreme scales. */
START_TEST(qr_is_orthogonal_whatever_the_condition)
{
    enum { M = 60, N = 40 };
    static const double scales[] = {1, 1e-300, 1e300, 0};
    double a[M * N];
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++)
            a[i * N + j] = scales[_i] / (i + j + 1);
    assert_qr(M, N, a, scales[_i]);
}
END_TEST

/* Symmetric eigenproblem ------------------------------------------------------------- */

/* The last eigenvectors by values: few of them, then all. */
static void assert_leading(int64_t n, const double *a, const double *w, double tolerance)
{
    const int64_t counts[] = {1, (n + 9) / 10, n};
    double *reduced = copy_of(a, n * n), *values = numbers(n), *v = numbers(n * n);
    double *work = numbers((int64_t)tg_eigh_steps_work(n));
    ck_assert_int_eq(tg_eigh_values(&serial, n, reduced, (size_t)n, values, work), TG_OK);
    ck_assert_double_le(distance(w, values, n), tolerance);
    for (int c = 0; c < 3; c++) {
        int64_t k = counts[c];
        ck_assert_int_eq(
            tg_eigh_vectors(&serial, n, reduced, (size_t)n, k, v, (size_t)k, work), TG_OK);
        ck_assert_double_le(loss_of_orthogonality(n, k, v), 20 * (double)n * DBL_EPSILON);
        double *av = product(TG_N, TG_N, n, k, n, a, n, v, k);
        for (int64_t i = 0; i < n * k; i++)
            MUST(fabs(av[i] - v[i] * w[n - 1 - i % k]) <= tolerance);
        free(av);
    }
    free(reduced), free(values), free(v), free(work);
}

static void assert_eigh(int64_t n, const double *a, double scale)
{
    double *v = copy_of(a, n * n), *w = numbers(n), *alone = numbers(n);
    double *work = numbers((int64_t)tg_eigh_work(n, true)), *lost = copy_of(a, n * n);
    double tolerance = 20 * (double)n * DBL_EPSILON * scale + DBL_MIN;
    ck_assert_int_eq(tg_eigh(&serial, n, true, v, (size_t)n, w, work), TG_OK);
    free(work);
    work = numbers((int64_t)tg_eigh_work(n, false));
    ck_assert_int_eq(tg_eigh(&serial, n, false, lost, (size_t)n, alone, work), TG_OK);
    for (int64_t i = 1; i < n; i++)
        ck_assert_double_le(w[i - 1], w[i]);
    ck_assert_double_le(distance(w, alone, n), tolerance);
    ck_assert_double_le(loss_of_orthogonality(n, n, v), 20 * (double)n * DBL_EPSILON);
    double *av = product(TG_N, TG_N, n, n, n, a, n, v, n);
    for (int64_t i = 0; i < n * n; i++)
        MUST(fabs(av[i] - v[i] * w[i % n]) <= tolerance);
    assert_leading(n, a, w, tolerance);
    free(v), free(w), free(alone), free(lost), free(work), free(av);
}

START_TEST(eigh_of_random_matrices)
{
    static const int64_t sizes[] = {1, 2, 3, 33, 64, 65, 66, 130, 257, 400};
    const int64_t n = sizes[_i];
    double *x = draws(0, n * n), *a = numbers(n * n);
    for (int64_t i = 0; i < n * n; i++)
        a[i] = x[i] + x[i % n * n + i / n];
    assert_eigh(n, a, 2 * sqrt(2.0 * (double)n));
    free(x), free(a);
}
END_TEST

/* Zero, the identity, rank one, two glued clusters, the diagonal, extreme scales. */
START_TEST(eigh_of_matrices_that_deflate)
{
    enum { N = 200 };
    double *a = numbers(N * N), scale = _i == 5 ? 1e-290 : _i == 6 ? 1e290 : 1;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double x = 0;
            if (_i == 1)
                x = i == j;
            else if (_i == 2)
                x = 1.0 / N;
            else if (_i == 3)
                x = i == j ? i % 2 : (i == j + 1 || j == i + 1) ? 1e-10 : 0;
            else if (_i == 4)
                x = i == j ? (N - i) / (double)N : 0;
            else if (_i >= 5)
                x = 1.0 / (i + j + 1) * scale;
            a[i * N + j] = x;
        }
    assert_eigh(N, a, _i ? 2 * scale : 0);
    free(a);
}
END_TEST

/* The second difference: eigenvalues 2 - 2 cos(k pi / (n + 1)). */
START_TEST(eigh_of_the_second_difference)
{
    enum { N = 300 };
    double *a = numbers(N * N), *work = numbers((int64_t)tg_eigh_work(N, true)), w[N];
    for (int i = 0; i < N; i++) {
        a[i * N + i] = 2;
        if (i)
            a[i * N + i - 1] = a[(i - 1) * N + i] = -1;
    }
    ck_assert_int_eq(tg_eigh(&serial, N, _i, a, N, w, work), TG_OK);
    for (int k = 1; k <= N; k++)
        ck_assert_double_eq_tol(w[k - 1], 2 - 2 * cos(k * PI / (N + 1)), 1e-13);
    free(a), free(work);
}
END_TEST

START_TEST(what_is_not_finite_is_refused)
{
    double a[9] = {1, 2, 3, 2, 5, 6, 3, 6, 9}, s[3], u[9], vt[9];
    double *work = numbers((int64_t)(tg_eigh_work(3, true) + tg_svd_work(3, 3, true)));
    a[4] = _i ? NAN : INFINITY;
    ck_assert_int_eq(tg_eigh(&serial, 3, true, a, 3, s, work), TG_NUMERIC);
    ck_assert_int_eq(tg_svd(&serial, 3, 3, a, 3, s, NULL, 0, NULL, 0, work), TG_NUMERIC);
    ck_assert_int_eq(tg_svd(&serial, 3, 3, a, 3, s, u, 3, vt, 3, work), TG_NUMERIC);
    free(work);
}
END_TEST

/* Singular values -------------------------------------------------------------------- */

static void assert_svd(int64_t m, int64_t n, const double *a, double scale)
{
    int64_t least = m < n ? m : n;
    double *x = copy_of(a, m * n), *s = numbers(least), *alone = numbers(least);
    double *u = numbers(m * least), *vt = numbers(least * n);
    double *work = numbers((int64_t)tg_svd_work(m, n, true));
    double epsilon = 20 * (double)(m + n) * DBL_EPSILON;
    ck_assert_int_eq(tg_svd(&serial, m, n, x, (size_t)n, s, u, (size_t)least, vt, (size_t)n, work),
                     TG_OK);
    free(work);
    work = numbers((int64_t)tg_svd_work(m, n, false));
    memcpy(x, a, (size_t)(m * n) * sizeof(*x));
    ck_assert_int_eq(tg_svd(&serial, m, n, x, (size_t)n, alone, NULL, 0, NULL, 0, work), TG_OK);
    for (int64_t i = 1; i < least; i++)
        ck_assert_double_ge(s[i - 1], s[i]);
    ck_assert_double_ge(s[least - 1], 0);
    ck_assert_double_le(distance(s, alone, least), epsilon * scale);
    ck_assert_double_le(loss_of_orthogonality(m, least, u), epsilon);
    double *v = numbers(n * least);
    for (int64_t i = 0; i < n * least; i++)
        v[i] = vt[i % least * n + i / least];
    ck_assert_double_le(loss_of_orthogonality(n, least, v), epsilon);
    for (int64_t i = 0; i < m * least; i++)
        u[i] *= s[i % least];
    double *back = product(TG_N, TG_N, m, n, least, u, least, vt, n);
    ck_assert_double_le(distance(back, a, m * n), epsilon * scale);
    free(x), free(s), free(alone), free(u), free(vt), free(work), free(v), free(back);
}

START_TEST(svd_of_random_matrices)
{
    static const int64_t sizes[][2] = {{1, 1},    {1, 9},    {9, 1},     {20, 20},  {26, 26},
                                       {70, 70},  {71, 69},  {90, 120},  {300, 40}, {40, 300},
                                       {200, 190}, {250, 250}, {130, 270}};
    const int64_t m = sizes[_i][0], n = sizes[_i][1];
    double *a = draws(0, m * n);
    assert_svd(m, n, a, sqrt((double)m) + sqrt((double)n));
    free(a);
}
END_TEST

/* Zero, rank one, a diagonal with zeros, extreme scales. */
START_TEST(svd_of_matrices_without_full_rank)
{
    const int64_t m = _i % 2 ? 90 : 140, n = 110;
    double *a = numbers(m * n), scale = _i / 2 == 3 ? 1e-290 : _i / 2 == 4 ? 1e290 : 1;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            a[i * n + j] = _i / 2 == 0   ? 0
                           : _i / 2 == 1 ? 1.0 / (double)n
                           : _i / 2 == 2 ? (i == j && i % 3 ? 1.0 / (double)(i + 1) : 0)
                                         : scale / (double)(i + j + 1);
    assert_svd(m, n, a, _i / 2 ? 2 * scale : 0);
    free(a);
}
END_TEST

/* The first difference, n x (n + 1) and transposed: 2 sin(k pi / (2 n + 2)). */
START_TEST(svd_of_the_first_difference)
{
    enum { N = 200 };
    bool tall = _i & 1, vectors = _i & 2;
    int64_t m = tall ? N + 1 : N, n = tall ? N : N + 1;
    double *a = numbers(m * n), *u = numbers(m * N), *vt = numbers(N * n), s[N];
    double *work = numbers((int64_t)tg_svd_work(m, n, vectors));
    for (int64_t i = 0; i < N; i++) {
        a[i * n + i] = -1;
        a[tall ? (i + 1) * n + i : i * n + i + 1] = 1;
    }
    ck_assert_int_eq(tg_svd(&serial, m, n, a, (size_t)n, s, vectors ? u : NULL, N,
                            vectors ? vt : NULL, (size_t)n, work),
                     TG_OK);
    for (int k = 1; k <= N; k++)
        ck_assert_double_eq_tol(s[N - k], 2 * sin(k * PI / (2 * N + 2)), 1e-13);
    free(a), free(u), free(vt), free(work);
}
END_TEST

/* Lanes ------------------------------------------------------------------------------ */

enum { LANES = 3 };

struct crew {
    tg_tile_fn fn;
    void *arg;
    int64_t n;
    atomic_llong next;
    atomic_int err;
    atomic_uint lane;
};

static void *work_along(void *arg)
{
    struct crew *crew = arg;
    unsigned lane = atomic_fetch_add(&crew->lane, 1);
    for (;;) {
        int64_t i = atomic_fetch_add(&crew->next, 1);
        if (i >= crew->n || atomic_load(&crew->err))
            return NULL;
        enum tg_err err = crew->fn(crew->arg, i, lane);
        if (err)
            atomic_store(&crew->err, (int)err);
    }
}

static enum tg_err run_threads(void *runner, int64_t n, tg_tile_fn fn, void *arg)
{
    struct crew crew = {.fn = fn, .arg = arg, .n = n};
    pthread_t thread[LANES - 1];
    ++*(int *)runner;
    for (int i = 0; i < LANES - 1; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, work_along, &crew), 0);
    work_along(&crew);
    for (int i = 0; i < LANES - 1; i++)
        pthread_join(thread[i], NULL);
    return (enum tg_err)atomic_load(&crew.err);
}

enum { GEMM, SYRK, TRSM, CHOL, QR, EIGH, SVD, OPERATIONS };

/* One operation of order n on the positive definite a; its results one after another. */
static enum tg_err operate(int what, const struct tg_ctx *ctx, int64_t n, const double *a,
                           double *out, double *work)
{
    size_t ld = (size_t)n;
    double *x = memcpy(out, a, (size_t)(n * n) * sizeof(*a)), *y = out + n * n, *z = y + n * n;
    enum tg_err err = TG_INTERNAL;
    if (what == GEMM)
        err = tg_gemm(ctx, TG_N, TG_T, n, n, n, 1, a, ld, a, ld, 1, x, ld);
    else if (what == SYRK)
        err = tg_syrk(ctx, TG_T, n, n, 1, a, ld, 1, x, ld);
    else if (what == TRSM)
        err = tg_trsm(ctx, true, true, TG_N, n, n, a, ld, x, ld);
    else if (what == CHOL)
        err = tg_chol(ctx, n, x, ld, NULL);
    else if (what == QR)
        err = tg_qr(ctx, n, n, x, ld, y, ld, work);
    else if (what == EIGH)
        err = tg_eigh(ctx, n, true, x, ld, y, work);
    else if (what == SVD)
        err = tg_svd(ctx, n, n, x, ld, y, z, ld, z + n * n, ld, work);
    return err;
}

static double *workspace(int64_t n)
{
    return numbers((int64_t)(tg_qr_work(n, n) + tg_eigh_work(n, true) + tg_svd_work(n, n, true)));
}

static double *positive_definite(int64_t n)
{
    double *x = draws(0, n * n), *a = numbers(n * n);
    ck_assert_int_eq(
        tg_syrk(&serial, TG_N, n, n, 1.0 / (double)n, x, (size_t)n, 0, a, (size_t)n), TG_OK);
    for (int64_t i = 0; i < n; i++)
        a[i * n + i] += 1;
    free(x);
    return a;
}

START_TEST(lanes_do_not_change_a_bit)
{
    const int64_t n = 900;
    int calls = 0;
    struct tg_ctx ctx = {.lanes = LANES, .runner = &calls, .parallel = run_threads};
    double *a = positive_definite(n), *one = numbers(4 * n * n), *many = numbers(4 * n * n);
    double *work = workspace(n);
    ck_assert_int_eq(operate(_i, &serial, n, a, one, work), TG_OK);
    ck_assert_int_eq(operate(_i, &ctx, n, a, many, work), TG_OK);
    ck_assert_int_gt(calls, 0);
    ck_assert_mem_eq(one, many, (size_t)(4 * n * n) * sizeof(*one));
    free(a), free(one), free(many), free(work);
}
END_TEST

/* Stopping --------------------------------------------------------------------------- */

static double seconds(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Set by a timer of the computing thread's CPU time, so that a busy machine makes no difference. */
static atomic_int stop;
static clockid_t own_clock;
static double stopped_at;

static void stop_now(int signal)
{
    (void)signal;
    stopped_at = seconds(own_clock);
    atomic_store(&stop, TG_STOP_CANCEL);
}

static void stop_after(int milliseconds)
{
    struct sigaction action = {.sa_handler = stop_now, .sa_flags = SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec when = {.it_value = {.tv_nsec = milliseconds * 1000000L}};
    timer_t timer;
    atomic_store(&stop, TG_GO);
    ck_assert_int_eq(pthread_getcpuclockid(pthread_self(), &own_clock), 0);
    ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
    ck_assert_int_eq(timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer), 0);
    ck_assert_int_eq(timer_settime(timer, 0, &when, NULL), 0);
}

START_TEST(a_stop_ends_the_work_within_a_quarter_second)
{
    static const int moments_ms[] = {10, 100};
    const int64_t n = 1500;
    struct tg_ctx ctx = {.stop = &stop, .lanes = 1};
    double *a = positive_definite(n), *out = numbers(4 * n * n), *work = workspace(n);
    ck_assert_int_eq(operate(_i, &serial, n, a, out, work), TG_OK); /* touches the memory */
    for (size_t i = 0; i < sizeof(moments_ms) / sizeof(moments_ms[0]); i++) {
        enum tg_err err = TG_OK;
        stop_after(moments_ms[i]);
        while (!err) /* a short operation starts again */
            err = operate(_i, &ctx, n, a, out, work);
        ck_assert_int_eq(err, TG_CANCELLED);
        ck_assert_double_le(seconds(own_clock) - stopped_at, 0.25);
    }
    free(a), free(out), free(work);
}
END_TEST

/* The library ------------------------------------------------------------------------ */

START_TEST(the_library_computes_and_says_its_name)
{
    struct tg_blas_info info = tg_blas_describe();
    ck_assert_ptr_nonnull(strstr(info.config, "OpenBLAS"));
    ck_assert_str_ne(info.core, "");
}
END_TEST

enum { CALLERS = 4, ROUNDS = 20, PRODUCTS = 200, ORDER = 150 };

struct caller {
    atomic_int *go;
    const double *a, *expected;
    int wrong;
};

static void *call(void *arg)
{
    struct caller *caller = arg;
    double *c = numbers(ORDER * ORDER);
    while (!atomic_load(caller->go))
        ;
    for (int i = 0; i < PRODUCTS; i++) {
        enum tg_err err = tg_gemm(&serial, TG_N, TG_T, ORDER, ORDER, ORDER, 1, caller->a, ORDER,
                                  caller->a, ORDER, 0, c, ORDER);
        caller->wrong += err || memcmp(c, caller->expected, sizeof(double[ORDER * ORDER]));
    }
    free(c);
    return NULL;
}

/* Not so in a BLAS built without locks: its buffers are handed out twice. */
START_TEST(threads_may_call_at_the_same_time)
{
    double *a = draws(0, ORDER * ORDER), *expected = numbers(ORDER * ORDER);
    ck_assert_int_eq(tg_gemm(&serial, TG_N, TG_T, ORDER, ORDER, ORDER, 1, a, ORDER, a, ORDER, 0,
                             expected, ORDER),
                     TG_OK);
    for (int round = 0; round < ROUNDS; round++) {
        atomic_int go = 0;
        struct caller caller[CALLERS];
        pthread_t thread[CALLERS];
        for (int i = 0; i < CALLERS; i++) {
            caller[i] = (struct caller){&go, a, expected, 0};
            ck_assert_int_eq(pthread_create(&thread[i], NULL, call, &caller[i]), 0);
        }
        atomic_store(&go, 1);
        for (int i = 0; i < CALLERS; i++) {
            pthread_join(thread[i], NULL);
            ck_assert_int_eq(caller[i].wrong, 0);
        }
    }
    free(a), free(expected);
}
END_TEST

Suite *linalg_suite(void)
{
    Suite *suite = suite_create("linalg");
    TCase *products = tcase_create("products");
    tcase_add_loop_test(products, gemm_is_the_sum_of_products, 0, 4 * 8);
    tcase_add_test(products, zero_beta_overwrites_what_was_there);
    tcase_add_loop_test(products, syrk_writes_both_triangles, 0, 8);
    tcase_add_loop_test(products, tiles_are_products_of_packed_rows, 0, 3);
    tcase_add_loop_test(products, tiles_of_distances_keep_the_digits_of_close_rows, 0, 3);
    tcase_add_loop_test(products, tiles_of_floats_sum_up_in_double, 0, 3);
    tcase_add_loop_test(products, steps_are_summed_in_double_and_equal_entries_counted, 0, 3);
    suite_add_tcase(suite, products);

    TCase *factors = tcase_create("factors");
    tcase_add_loop_test(factors, trsm_solves_from_every_side, 0, 8);
    tcase_add_loop_test(factors, cholesky_multiplies_back, 0, 4);
    tcase_add_loop_test(factors, cholesky_names_the_pivot_that_fails, 0, 2);
    tcase_add_loop_test(factors, qr_of_random_matrices, 0, 8);
    tcase_add_loop_test(factors, qr_is_orthogonal_whatever_the_condition, 0, 4);
    suite_add_tcase(suite, factors);

    TCase *spectra = tcase_create("spectra");
    tcase_add_loop_test(spectra, eigh_of_random_matrices, 0, 10);
    tcase_add_loop_test(spectra, eigh_of_matrices_that_deflate, 0, 7);
    tcase_add_loop_test(spectra, eigh_of_the_second_difference, 0, 2);
    tcase_add_loop_test(spectra, what_is_not_finite_is_refused, 0, 2);
    tcase_add_loop_test(spectra, svd_of_random_matrices, 0, 13);
    tcase_add_loop_test(spectra, svd_of_matrices_without_full_rank, 0, 10);
    tcase_add_loop_test(spectra, svd_of_the_first_difference, 0, 4);
    suite_add_tcase(suite, spectra);

    TCase *running = tcase_create("lanes and stops");
    tcase_set_timeout(running, 60);
    tcase_add_loop_test(running, lanes_do_not_change_a_bit, 0, OPERATIONS);
    tcase_add_loop_test(running, a_stop_ends_the_work_within_a_quarter_second, 0, OPERATIONS);
    suite_add_tcase(suite, running);

    TCase *library = tcase_create("library");
    tcase_set_timeout(library, 60);
    tcase_add_test(library, the_library_computes_and_says_its_name);
    tcase_add_test(library, threads_may_call_at_the_same_time);
    suite_add_tcase(suite, library);
    return suite;
}

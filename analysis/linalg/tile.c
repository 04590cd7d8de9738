/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Products and distances of two panels of sixteen packed rows.
 *
 * DESIGN. BLAS is not used here for two reasons. An entry of its product depends on where
 * in the matrix its two rows stand, so a row that is added later would change the bits of
 * the others; and at a hundred rows its symmetric product reaches half of the machine. Here
 * every entry is one sum over k in order, whatever stands beside it: 128 products in the
 * working precision, these sums in double. (Where all products are alike rounding does not
 * average out, and a sum of n is wrong by up to n / 4 units of its last place.) The inner
 * loops are written once for AVX-512, once for AVX2 with FMA and once in plain C; what the
 * processor has decides at run time.
 */
#include <math.h>

#include "linalg/lapack.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define HAVE_X86 1
#endif

enum { ROWS = TG_PANEL_ROWS, SPAN = 128 /* products summed in the working precision */ };

/* c (ROWS x ROWS) = a b^T over k <= SPAN columns. */
typedef void (*single_fn)(int64_t k, const float *a, const float *b, float *c);
typedef void (*double_fn)(int64_t k, const double *a, const double *b, double *c);

#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/*
 * `height` rows of c, all sums in registers: height * ROWS / width of them beside
 * ROWS / width columns of b. `fma` adds to a sum what a number of a and one of b make.
 */
#define STRIP(name, features, real, vector, width, height, zero, load, set, fma, store)  \
    features static void name(int64_t k, const real *a, const real *b, real *c)          \
    {                                                                                    \
        vector sum[height][ROWS / width], column[ROWS / width];                          \
        UNROLL for (int i = 0; i < height; i++)                                          \
            UNROLL for (int j = 0; j < ROWS / width; j++)                                \
                sum[i][j] = zero();                                                      \
        for (; k > 0; k--, a += ROWS, b += ROWS) {                                       \
            UNROLL for (int j = 0; j < ROWS / width; j++)                                \
                column[j] = load(b + j * width);                                         \
            UNROLL for (int i = 0; i < height; i++)                                      \
                UNROLL for (int j = 0; j < ROWS / width; j++)                            \
                    sum[i][j] = fma(set(a[i]), column[j], sum[i][j]);                    \
        }                                                                                \
        UNROLL for (int i = 0; i < height; i++)                                          \
            UNROLL for (int j = 0; j < ROWS / width; j++)                                \
                store(c + i * ROWS + j * width, sum[i][j]);                              \
    }

/* Vectors of 16 bytes, which gcc and clang have for every processor. */
typedef float plain_float __attribute__((vector_size(16), aligned(4), may_alias));
typedef double plain_real __attribute__((vector_size(16), aligned(8), may_alias));

#define PLAIN_MAKE4() (plain_float){0}
#define PLAIN_MAKE2() (plain_real){0}
#define PLAIN_SET4(x) ((plain_float){x, x, x, x})
#define PLAIN_SET2(x) ((plain_real){x, x})
#define PLAIN_LOAD4(p) (*(const plain_float *)(p))
#define PLAIN_LOAD2(p) (*(const plain_real *)(p))
#define PLAIN_STORE4(p, x) (*(plain_float *)(p) = (x))
#define PLAIN_STORE2(p, x) (*(plain_real *)(p) = (x))
#define PLAIN_FMA(x, y, z) ((x) * (y) + (z))
#define PLAIN_APART(x, y, z) (((x) - (y)) * ((x) - (y)) + (z))

STRIP(plain_single2, , float, plain_float, 4, 2, PLAIN_MAKE4, PLAIN_LOAD4, PLAIN_SET4,
      PLAIN_FMA, PLAIN_STORE4)
STRIP(plain_double1, , double, plain_real, 2, 1, PLAIN_MAKE2, PLAIN_LOAD2, PLAIN_SET2,
      PLAIN_FMA, PLAIN_STORE2)
STRIP(plain_apart1, , double, plain_real, 2, 1, PLAIN_MAKE2, PLAIN_LOAD2, PLAIN_SET2,
      PLAIN_APART, PLAIN_STORE2)

static void plain_single(int64_t k, const float *a, const float *b, float *c)
{
    for (int top = 0; top < ROWS; top += 2)
        plain_single2(k, a + top, b, c + top * ROWS);
}

static void plain_double(int64_t k, const double *a, const double *b, double *c)
{
    for (int top = 0; top < ROWS; top++)
        plain_double1(k, a + top, b, c + top * ROWS);
}

static void plain_apart(int64_t k, const double *a, const double *b, double *c)
{
    for (int top = 0; top < ROWS; top++)
        plain_apart1(k, a + top, b, c + top * ROWS);
}

#ifdef HAVE_X86
#define AVX512(name, real, vector, width, height, type, fma)                             \
    STRIP(name, __attribute__((target("avx512f"))), real, vector, width, height,         \
          _mm512_setzero_##type, _mm512_loadu_##type, _mm512_set1_##type, fma,           \
          _mm512_storeu_##type)
#define AVX2(name, real, vector, width, height, type, fma)                               \
    STRIP(name, __attribute__((target("avx2,fma"))), real, vector, width, height,        \
          _mm256_setzero_##type, _mm256_loadu_##type, _mm256_set1_##type, fma,           \
          _mm256_storeu_##type)
#define AVX512_APART(x, y, z)                                                            \
    _mm512_fmadd_pd(_mm512_sub_pd(x, y), _mm512_sub_pd(x, y), z)
#define AVX2_APART(x, y, z)                                                              \
    _mm256_fmadd_pd(_mm256_sub_pd(x, y), _mm256_sub_pd(x, y), z)

AVX512(avx512_single, float, __m512, 16, 16, ps, _mm512_fmadd_ps)
AVX512(avx512_double8, double, __m512d, 8, 8, pd, _mm512_fmadd_pd)
AVX512(avx512_apart8, double, __m512d, 8, 8, pd, AVX512_APART)
AVX2(avx2_single6, float, __m256, 8, 6, ps, _mm256_fmadd_ps)
AVX2(avx2_single5, float, __m256, 8, 5, ps, _mm256_fmadd_ps)
AVX2(avx2_double3, double, __m256d, 4, 3, pd, _mm256_fmadd_pd)
AVX2(avx2_double2, double, __m256d, 4, 2, pd, _mm256_fmadd_pd)
AVX2(avx2_apart2, double, __m256d, 4, 2, pd, AVX2_APART)

static void avx512_double(int64_t k, const double *a, const double *b, double *c)
{
    avx512_double8(k, a, b, c);
    avx512_double8(k, a + 8, b, c + 8 * ROWS);
}

static void avx512_apart(int64_t k, const double *a, const double *b, double *c)
{
    avx512_apart8(k, a, b, c);
    avx512_apart8(k, a + 8, b, c + 8 * ROWS);
}

static void avx2_single(int64_t k, const float *a, const float *b, float *c)
{
    avx2_single6(k, a, b, c);
    avx2_single5(k, a + 6, b, c + 6 * ROWS);
    avx2_single5(k, a + 11, b, c + 11 * ROWS);
}

static void avx2_double(int64_t k, const double *a, const double *b, double *c)
{
    for (int top = 0; top < 12; top += 3)
        avx2_double3(k, a + top, b, c + top * ROWS);
    avx2_double2(k, a + 12, b, c + 12 * ROWS);
    avx2_double2(k, a + 14, b, c + 14 * ROWS);
}

static void avx2_apart(int64_t k, const double *a, const double *b, double *c)
{
    for (int top = 0; top < ROWS; top += 2)
        avx2_apart2(k, a + top, b, c + top * ROWS);
}

#define FOR_AVX2 __attribute__((target("avx2")))

/* An 8 x 8 block of floats turned over: by pairs, by fours, by halves. */
FOR_AVX2 static void turn8(const float *rows, size_t ld, const float *origin, float *to)
{
    __m256 x[8], y[8], less = _mm256_loadu_ps(origin);
    UNROLL for (int i = 0; i < 8; i++)
        x[i] = _mm256_sub_ps(_mm256_loadu_ps(rows + (size_t)i * ld), less);
    UNROLL for (int i = 0; i < 8; i += 2) {
        y[i] = _mm256_unpacklo_ps(x[i], x[i + 1]);
        y[i + 1] = _mm256_unpackhi_ps(x[i], x[i + 1]);
    }
    UNROLL for (int i = 0; i < 8; i += 4) {
        x[i] = _mm256_shuffle_ps(y[i], y[i + 2], 0x44);
        x[i + 1] = _mm256_shuffle_ps(y[i], y[i + 2], 0xee);
        x[i + 2] = _mm256_shuffle_ps(y[i + 1], y[i + 3], 0x44);
        x[i + 3] = _mm256_shuffle_ps(y[i + 1], y[i + 3], 0xee);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        _mm256_storeu_ps(to + i * ROWS, _mm256_permute2f128_ps(x[i], x[i + 4], 0x20));
        _mm256_storeu_ps(to + (i + 4) * ROWS,
                         _mm256_permute2f128_ps(x[i], x[i + 4], 0x31));
    }
}

/* A 4 x 4 block of doubles turned over: by pairs, by halves. */
FOR_AVX2 static void turn4(const double *rows, size_t ld, const double *origin, double *to)
{
    __m256d x[4], y[4], less = _mm256_loadu_pd(origin);
    UNROLL for (int i = 0; i < 4; i++)
        x[i] = _mm256_sub_pd(_mm256_loadu_pd(rows + (size_t)i * ld), less);
    UNROLL for (int i = 0; i < 4; i += 2) {
        y[i] = _mm256_unpacklo_pd(x[i], x[i + 1]);
        y[i + 1] = _mm256_unpackhi_pd(x[i], x[i + 1]);
    }
    UNROLL for (int i = 0; i < 2; i++) {
        _mm256_storeu_pd(to + i * ROWS, _mm256_permute2f128_pd(y[i], y[i + 2], 0x20));
        _mm256_storeu_pd(to + (i + 2) * ROWS,
                         _mm256_permute2f128_pd(y[i], y[i + 2], 0x31));
    }
}

/* Four entries at a time; how many there were. */
FOR_AVX2 static int64_t quick_dstep(int64_t n, const double *from, const double *to, double *sum,
                                     double *count)
{
    __m256d total = _mm256_setzero_pd();
    int64_t j = 0, same = 0;
    for (; j + 4 <= n; j += 4) {
        __m256d a = _mm256_loadu_pd(from + j), b = _mm256_loadu_pd(to + j);
        __m256d x = _mm256_sub_pd(b, a);
        total = _mm256_add_pd(total, _mm256_mul_pd(x, x));
        same += __builtin_popcount(
            (unsigned)_mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_EQ_OQ)));
    }
    _mm256_storeu_pd(sum, total);
    *count = (double)same;
    return j;
}

FOR_AVX2 static int64_t quick_sstep(int64_t n, const float *from, const float *to, double *sum,
                                     double *count)
{
    __m256d total = _mm256_setzero_pd();
    int64_t j = 0, same = 0;
    for (; j + 4 <= n; j += 4) {
        __m128 a = _mm_loadu_ps(from + j), b = _mm_loadu_ps(to + j);
        __m256d x = _mm256_sub_pd(_mm256_cvtps_pd(b), _mm256_cvtps_pd(a));
        total = _mm256_add_pd(total, _mm256_mul_pd(x, x));
        same += __builtin_popcount((unsigned)_mm_movemask_ps(_mm_cmpeq_ps(a, b)));
    }
    _mm256_storeu_pd(sum, total);
    *count = (double)same;
    return j;
}
#else
#define turn8(rows, ld, origin, to) TG_BUG("no such kernel")
#define turn4(rows, ld, origin, to) TG_BUG("no such kernel")
#define quick_sstep(n, from, to, sum, count) 0
#define quick_dstep(n, from, to, sum, count) 0
#endif

static const struct {
    single_fn single;
    double_fn twice, apart;
} kernels[] = {
    [TG_TILE_PLAIN] = {plain_single, plain_double, plain_apart},
#ifdef HAVE_X86
    [TG_TILE_AVX2] = {avx2_single, avx2_double, avx2_apart},
    [TG_TILE_AVX512] = {avx512_single, avx512_double, avx512_apart},
#endif
};

enum tg_tile_kernel tg_tile_kernel(void)
{
#ifdef HAVE_X86
    if (__builtin_cpu_supports("avx512f"))
        return TG_TILE_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return TG_TILE_AVX2;
#endif
    return TG_TILE_PLAIN;
}

#define DEFINE_TILE(name, real, member)                                                  \
    void name(enum tg_tile_kernel kernel, int64_t k, const real *a, const real *b,       \
              double *c)                                                                 \
    {                                                                                    \
        real part[ROWS * ROWS] __attribute__((aligned(64)));                             \
        for (int64_t first = 0; first < k; first += SPAN) {                              \
            kernels[kernel].member(tg_min_i64(k - first, SPAN), a + first * ROWS,        \
                                   b + first * ROWS, part);                              \
            for (int i = 0; i < ROWS * ROWS; i++)                                        \
                c[i] += (double)part[i];                                                 \
        }                                                                                \
    }

DEFINE_TILE(tg_stile, float, single)
DEFINE_TILE(tg_dtile, double, twice)
DEFINE_TILE(tg_dapart, double, apart)

/* Blocks of `edge` columns by `turn` where the kernel has one, the rest one by one. */
#define DEFINE_PACK(name, real, turn, edge)                                              \
    void name(enum tg_tile_kernel kernel, int64_t k, const real *rows, size_t ld,        \
              const real *origin, real *panel)                                           \
    {                                                                                    \
        int64_t j = 0;                                                                   \
        for (; kernel != TG_TILE_PLAIN && j + edge <= k; j += edge)                      \
            for (int i = 0; i < ROWS; i += edge)                                         \
                turn(rows + (size_t)i * ld + j, ld, origin + j, panel + j * ROWS + i);   \
        for (; j < k; j++)                                                               \
            for (int i = 0; i < ROWS; i++)                                               \
                panel[j * ROWS + i] = rows[(size_t)i * ld + j] - origin[j];              \
    }

DEFINE_PACK(tg_spack, float, turn8, 8)
DEFINE_PACK(tg_dpack, double, turn4, 4)

/* Entry j adds to sum j mod 4, so that all kernels give the same bits. */
#define DEFINE_STEP(name, real, quick)                                                   \
    double name(enum tg_tile_kernel kernel, int64_t n, const real *from, const real *to, \
                double *same)                                                            \
    {                                                                                    \
        double sum[4] = {0}, count = 0;                                                  \
        int64_t j = kernel == TG_TILE_PLAIN ? 0 : quick(n, from, to, sum, &count);       \
        for (; j < n; j++) {                                                             \
            double x = (double)to[j] - (double)from[j];                                  \
            sum[j % 4] += x * x;                                                         \
            count += from[j] == to[j] ? 1 : 0;                                           \
        }                                                                                \
        *same += count;                                                                  \
        return sum[0] + sum[1] + (sum[2] + sum[3]);                                      \
    }

DEFINE_STEP(tg_sstep, float, quick_sstep)
DEFINE_STEP(tg_dstep, double, quick_dstep)

int64_t tg_tile_row(int64_t tile)
{
    int64_t row = (int64_t)((sqrt(8.0 * (double)tile + 1) - 1) / 2);
    while (row * (row + 1) / 2 > tile)
        row--;
    while ((row + 1) * (row + 2) / 2 <= tile)
        row++;
    return row;
}

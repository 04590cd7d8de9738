/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Array views: every dtype, byte order and layout, against the values that were stored. */
#include "../suite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/mat.h"

Suite *mat_suite(void);

enum { ROWS = 5, COLS = 7, COUNT = ROWS * COLS };

/* A value that every dtype but bool can hold. */
static double value(int64_t row, int64_t col)
{
    return (double)(row * COLS + col);
}

/* Small non-negative integers as binary16 and bfloat16. */
static uint16_t half_of(double x)
{
    int exponent;
    double fraction = frexp(x, &exponent); /* x = fraction 2^exponent, 0.5 <= fraction < 1 */
    int bits = (exponent + 14) << 10 | (int)ldexp(2 * fraction - 1, 10);
    return (uint16_t)(x == 0 ? 0 : bits);
}

static uint16_t bfloat_of(double x)
{
    int exponent;
    double fraction = frexp(x, &exponent);
    int bits = (exponent + 126) << 7 | (int)ldexp(2 * fraction - 1, 7);
    return (uint16_t)(x == 0 ? 0 : bits);
}

static void store(unsigned char *to, enum tg_dtype dtype, double x, bool swapped)
{
    unsigned char bytes[8] = {0};
    size_t size = tg_dtype_size(dtype);
#define PUT(type, from)                                                                  \
    do {                                                                                 \
        type typed = (type)(from);                                                       \
        memcpy(bytes, &typed, sizeof(typed));                                            \
    } while (0)
    switch (dtype) {
    case TG_F64: PUT(double, x); break;
    case TG_F32: PUT(float, x); break;
    case TG_F16: PUT(uint16_t, half_of(x)); break;
    case TG_BF16: PUT(uint16_t, bfloat_of(x)); break;
    case TG_I64: case TG_U64: PUT(int64_t, x); break;
    case TG_I32: case TG_U32: PUT(int32_t, x); break;
    case TG_I16: case TG_U16: PUT(int16_t, x); break;
    case TG_I8: case TG_U8: case TG_BOOL: PUT(int8_t, x); break;
    case TG_DTYPE_COUNT: break;
    }
    for (size_t i = 0; i < size; i++)
        to[i] = bytes[swapped ? size - 1 - i : i];
}

/* The values, laid out in C or Fortran order, not aligned to the element. */
static struct tg_mat lay_out(unsigned char *data, enum tg_dtype dtype, bool fortran, bool swapped)
{
    int64_t shape[2] = {ROWS, COLS};
    struct tg_mat mat;
    for (int64_t i = 0; i < ROWS; i++)
        for (int64_t j = 0; j < COLS; j++)
            store(data + 1 + (size_t)(fortran ? j * ROWS + i : i * COLS + j) * tg_dtype_size(dtype),
                  dtype, value(i, j), swapped);
    ck_assert(tg_mat_init(&mat, data + 1, dtype, 2, shape, fortran));
    mat.swapped = swapped;
    return mat;
}

START_TEST(blocks_read_in_every_dtype_order_and_byte_order)
{
    enum tg_dtype dtype = (enum tg_dtype)(_i / 4);
    unsigned char data[COUNT * 8 + 1];
    struct tg_mat mat = lay_out(data, dtype, _i & 1, _i & 2);
    enum { LD = 9 };
    double wide[ROWS * LD];
    float narrow[ROWS * LD];
    memset(wide, 0, sizeof(wide));
    memset(narrow, 0, sizeof(narrow));
    tg_mat_read_f64(&mat, 1, 3, 2, 4, wide, LD);
    tg_mat_read_f32(&mat, 1, 3, 2, 4, narrow, LD);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < LD; j++) {
            bool inside = i < 3 && j < 4;
            double expected = inside ? value(i + 1, j + 2) : 0;
            if (dtype == TG_BOOL)
                expected = expected != 0;
            MUST(wide[i * LD + j] == expected);
            MUST(narrow[i * LD + j] == (float)expected);
        }
    for (int64_t i = 0; i < COUNT; i++)
        MUST(tg_mat_at(&mat, i) == (dtype == TG_BOOL ? i != 0 : (double)i));
}
END_TEST

static double read_one(const void *data, enum tg_dtype dtype)
{
    struct tg_mat mat;
    int64_t shape[2] = {1, 1};
    double x;
    ck_assert(tg_mat_init(&mat, data, dtype, 2, shape, false));
    tg_mat_read_f64(&mat, 0, 1, 0, 1, &x, 1);
    return x;
}

static void assert_same(double got, double expected, unsigned bits)
{
    ck_assert_msg(isnan(expected) ? isnan(got)
                                  : got == expected && signbit(got) == signbit(expected),
                  "0x%04x reads as %a, expected %a", bits, got, expected);
}

/* (-1)^s 2^(e - bias) (1 + m / 2^p) of IEEE 754, for all 65536 bit patterns. */
START_TEST(half_precision_is_exact)
{
    enum tg_dtype dtype = _i ? TG_BF16 : TG_F16;
    int p = _i ? 7 : 10, bias = _i ? 127 : 15, top = 2 * bias + 1;
    for (unsigned bits = 0; bits < 65536; bits++) {
        int e = (int)(bits >> p) & top, m = (int)(bits & ((1u << p) - 1));
        double x = e == 0     ? ldexp(m, 1 - bias - p)
                   : e == top ? (m ? NAN : INFINITY)
                              : ldexp((1 << p) + m, e - bias - p);
        uint16_t stored = (uint16_t)bits;
        assert_same(read_one(&stored, dtype), bits >> 15 ? -x : x, bits);
    }
}
END_TEST

/* All bit patterns in rows of any length, in either byte order, not aligned. */
START_TEST(rows_of_half_precision_are_exact)
{
    enum { N = 65536, LD = N + 3 };
    enum tg_dtype dtype = _i & 1 ? TG_BF16 : TG_F16;
    bool swapped = _i & 2;
    static unsigned char data[2 * N + 1];
    static double wide[2 * LD], alone[N]; /* alone: tried above */
    static float narrow[2 * LD];
    for (unsigned bits = 0; bits < N; bits++) {
        uint16_t stored = (uint16_t)bits;
        alone[bits] = read_one(&stored, dtype);
        data[1 + 2 * bits] = (unsigned char)(swapped ? bits >> 8 : bits);
        data[2 + 2 * bits] = (unsigned char)(swapped ? bits : bits >> 8);
    }
    struct tg_mat mat;
    ck_assert(tg_mat_init(&mat, data + 1, dtype, 2, (int64_t[]){2, N / 2}, false));
    mat.swapped = swapped;
    for (int64_t col = 0; col < 9; col++) {
        int64_t n = N / 2 - 2 * col;
        tg_mat_read_f64(&mat, 0, 2, col, n, wide, LD);
        tg_mat_read_f32(&mat, 0, 2, col, n, narrow, LD);
        for (int64_t i = 0; i < 2 * n; i++) {
            double expected = alone[i / n * N / 2 + col + i % n];
            double got = wide[i / n * LD + i % n];
            MUST(isnan(expected) ? isnan(got) : got == expected);
            MUST(signbit(got) == signbit(expected));
            float single = narrow[i / n * LD + i % n];
            MUST(isnan(expected) ? isnan(single) : (double)single == expected);
        }
    }
}
END_TEST

START_TEST(integers_keep_their_signs_and_limits)
{
    int64_t i64 = INT64_MIN, odd = (INT64_C(1) << 53) + 1;
    uint64_t u64 = UINT64_MAX;
    int32_t i32 = INT32_MIN;
    uint32_t u32 = UINT32_MAX;
    int16_t i16 = INT16_MIN;
    uint16_t u16 = UINT16_MAX;
    int8_t i8 = INT8_MIN;
    uint8_t u8 = UINT8_MAX;
    ck_assert_double_eq(read_one(&i64, TG_I64), -ldexp(1, 63));
    ck_assert_double_eq(read_one(&odd, TG_I64), ldexp(1, 53)); /* ties to even */
    ck_assert_double_eq(read_one(&u64, TG_U64), ldexp(1, 64));
    ck_assert_double_eq(read_one(&i32, TG_I32), -2147483648.0);
    ck_assert_double_eq(read_one(&u32, TG_U32), 4294967295.0);
    ck_assert_double_eq(read_one(&i16, TG_I16), -32768);
    ck_assert_double_eq(read_one(&u16, TG_U16), 65535);
    ck_assert_double_eq(read_one(&i8, TG_I8), -128);
    ck_assert_double_eq(read_one(&u8, TG_U8), 255);
    ck_assert_double_eq(read_one(&u8, TG_BOOL), 1);
}
END_TEST

START_TEST(slices_walk_the_first_axis)
{
    double data[2 * 3 * 4];
    int64_t shape[3] = {2, 3, 4};
    struct tg_mat mat;
    for (int i = 0; i < 24; i++)
        data[i] = i;
    ck_assert(tg_mat_init(&mat, data, TG_F64, 3, shape, _i));
    for (int64_t i = 0; i < 2; i++) {
        struct tg_mat slice = tg_mat_slice(&mat, i);
        double block[12];
        ck_assert_int_eq(slice.ndim, 2);
        ck_assert_int_eq(tg_mat_count(&slice), 12);
        tg_mat_read_f64(&slice, 0, 3, 0, 4, block, 4);
        for (int64_t j = 0; j < 3; j++)
            for (int64_t k = 0; k < 4; k++) {
                double expected = (double)(_i ? i + 2 * (j + 3 * k) : (i * 3 + j) * 4 + k);
                ck_assert_double_eq(block[j * 4 + k], expected);
                ck_assert_double_eq(tg_mat_at(&mat, (i * 3 + j) * 4 + k), expected);
            }
    }
}
END_TEST

START_TEST(shapes_that_cannot_be_are_refused)
{
    struct tg_mat mat;
    int64_t negative[2] = {3, -1}, huge[2] = {INT64_C(1) << 40, INT64_C(1) << 40};
    int64_t hidden[3] = {0, INT64_C(1) << 40, INT64_C(1) << 40}, bytes[1] = {INT64_C(1) << 61};
    int64_t many[TG_MAX_NDIM + 1] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    ck_assert(!tg_mat_init(&mat, NULL, TG_F64, 2, negative, false));
    ck_assert(!tg_mat_init(&mat, NULL, TG_U8, 2, huge, false));
    ck_assert(!tg_mat_init(&mat, NULL, TG_U8, 3, hidden, false));
    ck_assert(!tg_mat_init(&mat, NULL, TG_F64, 1, bytes, false));
    ck_assert(tg_mat_init(&mat, NULL, TG_U8, 1, bytes, false));
    ck_assert(!tg_mat_init(&mat, NULL, TG_U8, TG_MAX_NDIM + 1, many, false));
    ck_assert(tg_mat_init(&mat, NULL, TG_U8, TG_MAX_NDIM, many, false));
}
END_TEST

START_TEST(shapes_print_as_numpy_prints_them)
{
    struct tg_mat mat;
    int64_t shape[3] = {10000, 512, 3};
    static const char *const expected[] = {"()", "(10000,)", "(10000, 512)", "(10000, 512, 3)"};
    char text[40], little[6];
    for (int ndim = 0; ndim <= 3; ndim++) {
        ck_assert(tg_mat_init(&mat, NULL, TG_U8, ndim, shape, false));
        ck_assert_str_eq(tg_mat_shape_text(&mat, text, sizeof(text)), expected[ndim]);
    }
    ck_assert_uint_lt(strlen(tg_mat_shape_text(&mat, little, sizeof(little))), sizeof(little));
    ck_assert(tg_mat_init(&mat, NULL, TG_U8, 0, shape, false));
    ck_assert_int_eq(tg_mat_count(&mat), 1);
}
END_TEST

START_TEST(dtypes_have_numpys_names)
{
    ck_assert_str_eq(tg_dtype_name(TG_F64), "float64");
    ck_assert_str_eq(tg_dtype_name(TG_BF16), "bfloat16");
    ck_assert_str_eq(tg_dtype_name(TG_U8), "uint8");
    ck_assert_str_eq(tg_dtype_name(TG_BOOL), "bool");
    ck_assert_uint_eq(tg_dtype_size(TG_F16), 2);
    ck_assert_uint_eq(tg_dtype_size(TG_BOOL), 1);
}
END_TEST

Suite *mat_suite(void)
{
    Suite *suite = suite_create("mat");
    TCase *tc = tcase_create("views");
    tcase_add_loop_test(tc, blocks_read_in_every_dtype_order_and_byte_order, 0,
                        4 * TG_DTYPE_COUNT);
    tcase_add_loop_test(tc, half_precision_is_exact, 0, 2);
    tcase_add_loop_test(tc, rows_of_half_precision_are_exact, 0, 4);
    tcase_add_test(tc, integers_keep_their_signs_and_limits);
    tcase_add_loop_test(tc, slices_walk_the_first_axis, 0, 2);
    tcase_add_test(tc, shapes_that_cannot_be_are_refused);
    tcase_add_test(tc, shapes_print_as_numpy_prints_them);
    tcase_add_test(tc, dtypes_have_numpys_names);
    suite_add_tcase(suite, tc);
    return suite;
}

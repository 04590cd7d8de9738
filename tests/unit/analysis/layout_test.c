/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Layouts and folds against loops over the indices. */
#include "svcca/layout.h"

#include <math.h>

#include "../suite.h"

Suite *layout_suite(void);

enum { N = 5, C = 3, H = 4, W = 6, COUNT = N * C * H * W };

static const int64_t nchw[] = {N, C, H, W}, nhwc[] = {N, H, W, C};

/* The number of sample i, channel c at row y and column x of an image. */
static double value(int64_t i, int64_t c, int64_t y, int64_t x)
{
    return (double)(((i * C + c) * H + y) * W + x) + 0.25;
}

/* All numbers as floats, in C or Fortran order. */
static struct tg_mat lay_out(float *data, bool last, bool fortran)
{
    struct tg_mat mat;
    ck_assert(tg_mat_init(&mat, data, TG_F32, 4, last ? nhwc : nchw, fortran));
    const int64_t *s = mat.stride;
    for (int64_t i = 0; i < N; i++)
        for (int64_t c = 0; c < C; c++)
            for (int64_t y = 0; y < H; y++)
                for (int64_t x = 0; x < W; x++)
                    data[last ? i * s[0] + y * s[1] + x * s[2] + c * s[3]
                              : i * s[0] + c * s[1] + y * s[2] + x * s[3]] =
                        (float)value(i, c, y, x);
    return mat;
}

/* Entry (row, col) of the matrix, from the definition of the reduction. */
static double expected(enum tg_reduction reduction, bool last, int64_t row, int64_t col)
{
    double sum = 0;
    switch (reduction) {
    case TG_SAMPLES:
        return value(row / (H * W), col, row / W % H, row % W);
    case TG_MEAN:
        for (int64_t p = 0; p < H * W; p++)
            sum += value(row, col, p / W, p % W);
        return sum / (H * W);
    case TG_FLATTEN:
    case TG_DFT:
        return last ? value(row, col % C, col / C / W, col / C % W)
                    : value(row, col / (H * W), col / W % H, col % W);
    }
    return NAN;
}

/* All four reductions of both layouts in both orders, in blocks cut anywhere. */
START_TEST(every_reduction_reads_what_its_definition_says)
{
    bool last = _i & 1, fortran = _i & 2;
    enum tg_reduction reduction = (enum tg_reduction)(_i / 4);
    float data[COUNT];
    struct tg_mat array = lay_out(data, last, fortran), view;
    struct tg_fold fold;
    ck_assert(tg_layout_fold(&array, last ? TG_LAYOUT_NHWC : TG_LAYOUT_NCHW, reduction,
                             &fold, &view));
    int64_t rows = reduction == TG_SAMPLES ? N * H * W : N;
    int64_t cols = reduction == TG_SAMPLES || reduction == TG_MEAN ? C : C * H * W;
    ck_assert_int_eq(view.shape[0], rows);
    ck_assert_int_eq(view.shape[1], cols);
    double block[COUNT];
    for (int64_t height = 1; height <= rows; height = height * 2 + 1)
        for (int64_t width = 1; width <= cols; width = width * 3 + 1)
            for (int64_t row = 0; row + height <= rows; row += height)
                for (int64_t col = 0; col + width <= cols; col += width) {
                    tg_mat_read_f64(&view, row, height, col, width, block, (size_t)width);
                    for (int64_t k = 0; k < height * width; k++)
                        MUST(fabs(block[k] - expected(reduction, last, row + k / width,
                                                      col + k % width)) < 1e-12);
                }
}
END_TEST

START_TEST(what_lies_in_order_is_read_by_its_strides)
{
    float data[COUNT];
    struct tg_mat array = lay_out(data, true, false), view;
    struct tg_fold fold;
    ck_assert(tg_layout_fold(&array, TG_LAYOUT_NHWC, TG_SAMPLES, &fold, &view));
    ck_assert_ptr_null(view.fold);
    ck_assert_int_eq(view.stride[0], C);
    ck_assert(tg_layout_fold(&array, TG_LAYOUT_NHWC, TG_FLATTEN, &fold, &view));
    ck_assert_ptr_null(view.fold);
    array = lay_out(data, false, false);
    ck_assert(tg_layout_fold(&array, TG_LAYOUT_NCHW, TG_SAMPLES, &fold, &view));
    ck_assert_ptr_eq(view.fold, &fold);
    ck_assert_int_eq(fold.row.n, 2); /* samples, and places merged */
}
END_TEST

START_TEST(steps_in_time_are_positions)
{
    double data[N * W * C];
    struct tg_mat array, view;
    struct tg_fold fold;
    struct tg_places places;
    for (int i = 0; i < N * W * C; i++)
        data[i] = i;
    ck_assert(tg_mat_init(&array, data, TG_F64, 3, (int64_t[]){N, W, C}, false));
    ck_assert(tg_layout_fold(&array, TG_LAYOUT_NTD, TG_MEAN, &fold, &view));
    double row[C];
    tg_mat_read_f64(&view, 2, 1, 0, C, row, C);
    for (int c = 0; c < C; c++) /* 2 W C + t C + c over t */
        ck_assert_double_eq(row[c], 2 * W * C + C * (W - 1) / 2.0 + c);
    ck_assert(tg_layout_places(&array, TG_LAYOUT_NTD, &places));
    ck_assert(places.h == 1 && places.w == W && places.units == C && places.units_last);
}
END_TEST

START_TEST(two_axes_are_samples_and_units_in_every_layout)
{
    double data[N * C] = {0};
    struct tg_mat array, view;
    struct tg_fold fold;
    struct tg_places places;
    ck_assert(tg_mat_init(&array, data, TG_F64, 2, (int64_t[]){N, C}, true));
    for (int i = 0; i < TG_LAYOUTS; i++) {
        enum tg_layout layout = (enum tg_layout)i;
        ck_assert(tg_layout_fold(&array, layout, TG_SAMPLES, &fold, &view));
        ck_assert_ptr_null(view.fold);
        ck_assert_mem_eq(view.stride, array.stride, 2 * sizeof(*view.stride));
        ck_assert(tg_layout_places(&array, layout, &places));
        ck_assert(places.h == 1 && places.w == 1 && places.units == C);
    }
}
END_TEST

START_TEST(another_number_of_axes_or_a_size_beyond_64_bits_is_refused)
{
    float data[COUNT];
    struct tg_mat array = lay_out(data, false, false), view;
    struct tg_fold fold;
    struct tg_places places;
    ck_assert(!tg_layout_fold(&array, TG_LAYOUT_ND, TG_FLATTEN, &fold, &view));
    ck_assert(!tg_layout_fold(&array, TG_LAYOUT_NTD, TG_FLATTEN, &fold, &view));
    ck_assert(!tg_layout_places(&array, TG_LAYOUT_NTD, &places));
    ck_assert(tg_layout_places(&array, TG_LAYOUT_NCHW, &places));
    ck_assert(places.h == H && places.w == W && places.units == C && !places.units_last);
    array.shape[0] = array.shape[2] = INT64_C(1) << 40;
    ck_assert(!tg_layout_fold(&array, TG_LAYOUT_NCHW, TG_SAMPLES, &fold, &view));
    ck_assert(!tg_layout_fold(&array, TG_LAYOUT_NCHW, TG_FLATTEN, &fold, &view));
}
END_TEST

Suite *layout_suite(void)
{
    Suite *suite = suite_create("layout");
    TCase *reading = tcase_create("reading");
    tcase_add_loop_test(reading, every_reduction_reads_what_its_definition_says, 0, 16);
    tcase_add_test(reading, what_lies_in_order_is_read_by_its_strides);
    tcase_add_test(reading, steps_in_time_are_positions);
    tcase_add_test(reading, two_axes_are_samples_and_units_in_every_layout);
    tcase_add_test(reading, another_number_of_axes_or_a_size_beyond_64_bits_is_refused);
    suite_add_tcase(suite, reading);
    return suite;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pca against scikit-learn (tests/golden/pca.py), and walks against their closed forms.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pca_fixture.h"
#include "pca/walk.h"

Suite *pca_suite(void);

static double number(FILE *file)
{
    double x = NAN;
    ck_assert_int_eq(fscanf(file, "%lf", &x), 1);
    return x;
}

static void assert_numbers(FILE *file, const double *got, int64_t n, double tol)
{
    for (int64_t i = 0; i < n; i++) {
        double expected = number(file);
        ck_assert_double_eq_tol(got[i], expected, tol * fmax(fabs(expected), 1e-3));
    }
}

START_TEST(agrees_with_scikit_learn)
{
    FILE *file = fopen(TG_GOLDEN "/pca.txt", "r");
    ck_assert_ptr_nonnull(file);
    char name[32];
    long long t, d;
    int single, k, cases = 0;
    for (; fscanf(file, " case %31s %lld %lld %d %d", name, &t, &d, &single, &k) == 5;
         cases++) {
        size_t count = (size_t)(t * d);
        double *x = calloc(count, sizeof(*x));
        ck_assert_ptr_nonnull(x);
        for (size_t i = 0; i < count; i++)
            if (single)
                ((float *)x)[i] = (float)number(file);
            else
                x[i] = number(file);
        struct tg_mat mat = mat_of(x, single ? TG_F32 : TG_F64, t, d);
        struct run run;
        struct tg_pca_options options = first(k);
        options.reference = _i ? t - 1 : 0;
        require_run(&run, &mat, &options);
        const struct tg_pca *pca = &run.pca;
        single = single && 2 * d > t; /* of few dimensions products are taken in double */
        double tol = single ? 1e-6 : 1e-10;
        ck_assert_int_eq(pca->single, single);
        assert_numbers(file, pca->variance, k, tol);
        assert_numbers(file, pca->ratio, k, tol);
        assert_numbers(file, pca->walk_ratio, k, 1e-12);
        assert_numbers(file, pca->step_null_ratio, k, 1e-12);
        assert_numbers(file, (double[]){pca->total_variance, pca->d_eff}, 2, tol);
        double scale = sqrt(pca->total_variance);
        for (int64_t i = 0; i < t * k; i++)
            ck_assert_double_eq_tol(pca->scores[i], number(file), tol * scale);
        assert_numbers(file, pca->step_norm, t - 1, 1e-12);
        assert_numbers(file, pca->from_start, t, tol);
        assert_numbers(file, pca->from_end, t, tol);
        close_run(&run);
        free(x);
    }
    ck_assert_int_eq(cases, 5);
    fclose(file);
}
END_TEST

/*
 * A walk with exactly orthogonal steps: step s adds the Walsh function s, +-1 everywhere.
 * T = 64 points in D = 2^16 dimensions cross many blocks of columns.
 */
enum { T = 64, D = 1 << 16 };

static double walsh(int s, int j)
{
    return __builtin_popcount((unsigned)s & (unsigned)j) % 2 ? -1 : 1;
}

static void *make_walk(enum tg_dtype dtype, double origin)
{
    double *x = calloc((size_t)T * D, sizeof(*x));
    ck_assert_ptr_nonnull(x);
    float *single = (float *)x;
    for (int j = 0; j < D; j++) {
        double at = origin;
        for (int i = 0; i < T; at += walsh(++i, j))
            if (dtype == TG_F32)
                single[(size_t)i * D + j] = (float)at;
            else
                x[(size_t)i * D + j] = at;
    }
    return x;
}

static const struct tg_pca_options ten = {
    .components = 10, .to = TG_PCA_MAX_POINTS, .stride = 1};

START_TEST(an_exact_walk_has_the_closed_form)
{
    enum tg_dtype dtype = _i ? TG_F32 : TG_F64;
    void *x = make_walk(dtype, 1000);
    struct tg_mat mat = mat_of(x, dtype, T, D);
    struct run run;
    require_run(&run, &mat, &ten);
    for (int k = 0; k < 10; k++) {
        double expected = tg_walk_ratio(T, k + 1);
        ck_assert_double_eq_tol(run.pca.ratio[k], expected, 1e-13);
        ck_assert_double_eq_tol(run.pca.step_null_ratio[k], expected, 1e-13);
        ck_assert_double_eq_tol(run.pca.overlap[k], 1, 1e-12);
        double eigenvalue = D / (4 * pow(sin(M_PI * (k + 1) / (2.0 * T)), 2));
        ck_assert_double_eq_tol(run.pca.variance[k], eigenvalue / (T - 1),
                                1e-12 * eigenvalue);
    }
    ck_assert_double_eq(run.pca.unchanged, 0);
    ck_assert_double_eq_tol(run.pca.from_start[T - 1], sqrt((T - 1.0) * D), 1e-9);
    close_run(&run);
    free(x);
}
END_TEST

START_TEST(bits_do_not_depend_on_lanes)
{
    float *x = make_walk(TG_F32, 0);
    for (size_t i = 0; i < (size_t)T * D; i++)
        x[i] = sinf(x[i] + (float)(i % 977));
    struct tg_mat mat = mat_of(x, TG_F32, T, D);
    struct run one, many;
    require_run(&one, &mat, &ten);
    ck_assert_int_eq(open_run(&many, &mat, &ten, true), TG_OK);
    ck_assert_mem_eq(one.pca.scores, many.pca.scores, T * 10 * sizeof(double));
    ck_assert_mem_eq(one.pca.step_norm, many.pca.step_norm, (T - 1) * sizeof(double));
    close_run(&one);
    close_run(&many);
    free(x);
}
END_TEST

START_TEST(fortran_order_gives_the_same)
{
    enum { t = 5, d = 700 };
    static double rows[t * d], columns[t * d];
    for (int i = 0; i < t; i++)
        for (int j = 0; j < d; j++)
            columns[j * t + i] = rows[i * d + j] = sin(i * i + 0.37 * j);
    struct tg_mat c = mat_of(rows, TG_F64, t, d), f;
    ck_assert(tg_mat_init(&f, columns, TG_F64, 2, (int64_t[]){t, d}, true));
    struct run first, second;
    require_run(&first, &c, &ten);
    require_run(&second, &f, &ten);
    ck_assert_int_eq(first.pca.k, t - 1);
    ck_assert_mem_eq(first.pca.scores, second.pca.scores, t * (t - 1) * sizeof(double));
    close_run(&first);
    close_run(&second);
}
END_TEST

START_TEST(squares_beyond_single_precision_are_taken_in_double)
{
    enum { t = 6, d = 40 };
    float plain[t * d], scaled[t * d];
    int power = _i ? 90 : -90;
    for (int i = 0; i < t * d; i++) {
        plain[i] = cosf((float)(i * i % 101));
        scaled[i] = ldexpf(plain[i], power);
    }
    struct tg_mat a = mat_of(plain, TG_F32, t, d), b = mat_of(scaled, TG_F32, t, d);
    struct run expected, got;
    require_run(&expected, &a, &ten);
    require_run(&got, &b, &ten);
    ck_assert(expected.pca.single && !got.pca.single);
    for (int k = 0; k < t - 1; k++)
        ck_assert_double_eq_tol(got.pca.ratio[k], expected.pca.ratio[k], 1e-6);
    close_run(&expected);
    close_run(&got);
}
END_TEST

/* Eigenvalues and scores of n x d points by their covariance. */
static void by_covariance(int64_t n, int64_t d, double *x, double *variance, double *scores)
{
    double *c = calloc((size_t)(d * d + d), sizeof(*c)), *w = c + d * d;
    double *work = calloc(tg_eigh_work(d, true), sizeof(*work));
    ck_assert(c && work);
    for (int64_t j = 0; j < d; j++) {
        double mean = 0;
        for (int64_t i = 0; i < n; i++)
            mean += x[i * d + j] / (double)n;
        for (int64_t i = 0; i < n; i++)
            x[i * d + j] -= mean;
    }
    const struct tg_ctx plain = {.lanes = 1};
    size_t ld = (size_t)d;
    ck_assert_int_eq(tg_syrk(&plain, TG_T, d, n, 1, x, ld, 0, c, ld), TG_OK);
    ck_assert_int_eq(tg_eigh(&plain, d, true, c, ld, w, work), TG_OK);
    ck_assert_int_eq(tg_gemm(&plain, TG_N, TG_N, n, d, d, 1, x, ld, c, ld, 0, scores, ld),
                     TG_OK);
    for (int64_t k = 0; k < d; k++)
        variance[k] = w[k] / (double)(n - 1);
    free(c), free(work);
}

/* Twice as many points as dimensions, some more and some fewer, and points in a plane. */
START_TEST(any_shape_agrees_with_the_covariance)
{
    static const struct { int64_t n, d, rank; } shapes[] = {
        {700, 9, 9}, {60, 30, 30}, {59, 30, 30}, {40, 41, 40}, {300, 20, 2}};
    const int64_t n = shapes[_i].n, d = shapes[_i].d, k = d < n - 1 ? d : n - 1;
    float *single = calloc((size_t)(n * d), sizeof(*single));
    double *x = calloc((size_t)(2 * n * d + d), sizeof(*x)), *scores = x + n * d;
    double *variance = scores + n * d;
    ck_assert(single && x);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) {
            double where = (double)(j % shapes[_i].rank) + 1;
            single[i * d + j] = (float)(sin(0.01 * (double)i * where) * (double)(j + 1));
            x[i * d + j] = (double)single[i * d + j];
        }
    bool wide = 2 * d > n; /* then in double for the sake of comparison */
    struct tg_mat mat = mat_of(wide ? (const void *)x : single, wide ? TG_F64 : TG_F32, n, d);
    struct tg_pca_options options = first(k);
    struct run run;
    require_run(&run, &mat, &options);
    by_covariance(n, d, x, variance, scores);
    ck_assert(!run.pca.single);
    ck_assert_int_eq(run.pca.k, k);
    double size = sqrt(run.pca.total_variance);
    for (int64_t c = 0; c < k; c++) {
        double expected = variance[d - 1 - c], gap = size;
        ck_assert_double_eq_tol(run.pca.variance[c], expected, 1e-13 * variance[d - 1]);
        for (int64_t other = 0; other < d; other++)
            if (other != d - 1 - c)
                gap = fmin(gap, fabs(variance[other] - expected) / size);
        if (gap < 1e-6 * size)
            continue; /* directions that are not told apart */
        double sign = run.pca.scores[c] * scores[d - 1 - c] < 0 ? -1 : 1;
        for (int64_t i = 0; i < n; i++)
            MUST(fabs(sign * scores[i * d + d - 1 - c] - run.pca.scores[i * k + c]) <
                 1e-8 * size);
    }
    close_run(&run);
    free(single), free(x);
}
END_TEST

START_TEST(many_points_of_few_dimensions_are_cheap)
{
    static float x[5000 * 50];
    struct tg_mat mat = mat_of(x, TG_F32, 5000, 50);
    struct tg_walk_array array;
    struct tg_pca_options options = first(10);
    struct tg_pca_cost cost;
    tg_walk_of_array(&array, &mat);
    ck_assert_int_eq(tg_pca_cost(&array.data, &options, &cost), TG_OK);
    ck_assert_double_lt(cost.flops, 10 * 5000.0 * 5000.0 * 50.0); /* t^3 is 100 of these */
}
END_TEST

START_TEST(a_point_that_never_moves_has_no_ratios)
{
    float x[4 * 3];
    for (int i = 0; i < 12; i++)
        x[i] = (float)(i % 3);
    struct tg_mat mat = mat_of(x, TG_F32, 4, 3);
    struct run run;
    require_run(&run, &mat, &ten);
    ck_assert_double_eq(run.pca.total_variance, 0);
    ck_assert_double_nan(run.pca.ratio[0]);
    ck_assert_double_nan(run.pca.step_null_ratio[0]);
    ck_assert_double_eq(run.pca.unchanged, 1);
    close_run(&run);
}
END_TEST

START_TEST(nan_is_found_and_named)
{
    enum { t = 4, d = 2000 };
    static double x[t * d];
    for (int i = 0; i < t * d; i++)
        x[i] = sin(i);
    x[2 * d + 1500] = NAN;
    struct tg_mat mat = mat_of(x, TG_F64, t, d);
    struct run run;
    ck_assert_int_eq(open_run(&run, &mat, &ten, false), TG_NUMERIC);
    ck_assert_str_eq(run.report.detail,
                     "The trajectory holds NaN or infinity, first in point 2 "
                     "at coordinate 1500.");
    close_run(&run);
}
END_TEST

START_TEST(a_path_beyond_double_precision_is_told)
{
    double x[] = {0, 1, 1e200, 2, 3, 4};
    struct tg_mat mat = mat_of(x, TG_F64, 3, 2);
    struct run run;
    ck_assert_int_eq(open_run(&run, &mat, &ten, false), TG_NUMERIC);
    ck_assert_ptr_nonnull(strstr(run.report.detail, "Point 1 lies further away"));
    close_run(&run);
}
END_TEST

START_TEST(the_gram_matrix_is_centred)
{
    double x[] = {0, 0, 3, 4, 6, 8};
    struct tg_mat mat = mat_of(x, TG_F64, 3, 2);
    struct run run;
    struct tg_pca_options options = first(1);
    require_run(&run, &mat, &options);
    const double expected[] = {25, 0, -25, 0, 0, 0, -25, 0, 25};
    for (int i = 0; i < 9; i++)
        ck_assert_double_eq_tol(run.pca.gram[i], expected[i], 1e-13);
    ck_assert_double_eq_tol(run.pca.ratio[0], 1, 1e-15);
    ck_assert_double_eq_tol(run.pca.d_eff, 1, 1e-15); /* both steps in one direction */
    close_run(&run);
}
END_TEST

START_TEST(a_stop_is_obeyed)
{
    double x[12] = {1, 2, 3};
    struct tg_mat mat = mat_of(x, TG_F64, 4, 3);
    atomic_int stop = TG_STOP_DEADLINE;
    struct run run;
    tg_walk_of_array(&run.array, &mat);
    enum tg_err err = open_data(&run, &run.array.data, &ten,
                                (struct tg_ctx){.lanes = 1, .stop = &stop});
    ck_assert_int_eq(err, TG_DEADLINE);
    close_run(&run);
}
END_TEST

/* t checkpoints of two tensors out of the rows of one array; the second has weight 2. */
struct checkpoints {
    struct tg_walk_data data;
    struct tg_walk_tensor tensor[2];
    struct tg_mat own[T][2];
    const struct tg_mat *mat[T * 2];
    int64_t first[T + 1], run[2];
    char text[T][8];
    const char *prefix[T];
};

enum { SPLIT = 1000 };

static void cut(struct checkpoints *c, const float *x, int t)
{
    *c = (struct checkpoints){.tensor = {{"a", 0, SPLIT, 1}, {"b", 1, D - SPLIT, 2}}};
    for (int i = 0; i < t; i++) {
        c->own[i][0] = mat_of(x + (size_t)i * D, TG_F32, 1, SPLIT);
        c->own[i][1] = mat_of(x + (size_t)i * D + SPLIT, TG_F32, D - SPLIT, 1);
        c->mat[2 * i] = &c->own[i][0];
        c->mat[2 * i + 1] = &c->own[i][1];
        c->first[i + 1] = i + 1;
        snprintf(c->text[i], sizeof(c->text[i]), "p%d", i % 100);
        c->prefix[i] = c->text[i];
    }
    c->run[1] = t;
    c->data = (struct tg_walk_data){t, D, 2, c->tensor, t, c->first, c->mat, 1, c->run,
                                    c->prefix};
}

static void assert_same(const struct run *a, const struct run *b)
{
    size_t t = (size_t)a->pca.t;
    ck_assert_int_eq(a->pca.t, b->pca.t);
    ck_assert_mem_eq(a->pca.gram, b->pca.gram, t * t * sizeof(double));
    ck_assert_mem_eq(a->pca.step2, b->pca.step2, (t - 1) * sizeof(double));
}

START_TEST(a_longer_list_builds_on_a_shorter_one_with_the_same_bits)
{
    static struct checkpoints some, all;
    static struct keeper keeper;
    float *x = make_walk(TG_F32, 3);
    for (size_t i = 0; i < (size_t)T * D; i++)
        x[i] = sinf(x[i] + (float)(i % 977));
    cut(&some, x, T - 9 - _i);
    cut(&all, x, T);
    struct tg_ctx keeping = {.lanes = 1, .runner = &keeper, .recall = recall, .keep = keep};
    struct run brief, grown, again, whole;
    ck_assert_int_eq(open_data(&brief, &some.data, &ten, keeping), TG_OK);
    ck_assert_int_eq(open_data(&grown, &all.data, &ten, keeping), TG_OK);
    ck_assert_int_eq(open_data(&whole, &all.data, &ten, (struct tg_ctx){.lanes = 1}), TG_OK);
    ck_assert_int_eq(open_data(&again, &all.data, &ten, keeping), TG_OK);
    assert_same(&grown, &whole);
    assert_same(&again, &whole);
    ck_assert_int_eq(keeper.count, 4); /* two tensors, two lengths */
    ck_assert_double_eq(grown.pca.bytes_read, 4.0 * T * D);
    ck_assert_double_eq(again.pca.bytes_read, 0);
    close_run(&brief), close_run(&grown), close_run(&again), close_run(&whole);
    forget(&keeper);
    free(x);
}
END_TEST

START_TEST(windows_and_weights_follow_from_the_sums)
{
    static struct checkpoints all;
    float *x = make_walk(TG_F32, 0), *weighted = calloc((size_t)T * D, sizeof(*weighted));
    ck_assert_ptr_nonnull(weighted);
    cut(&all, x, T);
    struct tg_pca_options window = first(5), plain = first(5);
    window.from = 3;
    window.to = 50;
    window.stride = 2;
    struct run got, expected;
    ck_assert_int_eq(open_data(&got, &all.data, &window, (struct tg_ctx){.lanes = 1}), TG_OK);
    for (int i = 0; i < 24; i++)
        for (int j = 0; j < D; j++)
            weighted[(size_t)i * D + j] =
                x[(size_t)(3 + 2 * i) * D + j] * (j < SPLIT ? 1 : (float)M_SQRT2);
    struct tg_mat mat = mat_of(weighted, TG_F32, 24, D);
    require_run(&expected, &mat, &plain);
    ck_assert_int_eq(got.pca.t, 24);
    for (int k = 0; k < 5; k++)
        ck_assert_double_eq_tol(got.pca.ratio[k], expected.pca.ratio[k], 1e-6);
    for (int i = 0; i < 23; i++)
        ck_assert_double_eq_tol(got.pca.step_norm[i], expected.pca.step_norm[i], 1e-3);
    close_run(&got), close_run(&expected);
    free(x), free(weighted);
}
END_TEST

/* Antognini and Sohl-Dickstein's limit 6 / (pi k)^2, and the published share of two. */
START_TEST(long_walks_tend_to_six_over_pi_squared)
{
    double two = tg_walk_ratio(1000000, 1) + tg_walk_ratio(1000000, 2);
    ck_assert_double_eq_tol(tg_walk_ratio(1000000, 1), 6 / (M_PI * M_PI), 1e-11);
    ck_assert_double_eq_tol(two, 7.5 / (M_PI * M_PI), 1e-11);
    double sum = 0;
    for (int k = 1; k < 100; k++)
        sum += tg_walk_ratio(100, k);
    ck_assert_double_eq_tol(sum, 1, 1e-13);
}
END_TEST

START_TEST(modes_are_orthonormal_and_have_no_mean)
{
    for (int a = 1; a < 7; a++)
        for (int b = 0; b <= a; b++) { /* sqrt(1/2) times mode 0 is the constant */
            double dot = 0;
            for (int t = 0; t < 7; t++)
                dot += tg_walk_mode(7, a, t) * tg_walk_mode(7, b, t);
            ck_assert_double_eq_tol(dot, a == b, 1e-14);
        }
}
END_TEST

Suite *pca_suite(void)
{
    Suite *suite = suite_create("pca");
    TCase *values = tcase_create("values");
    tcase_add_loop_test(values, agrees_with_scikit_learn, 0, 2);
    tcase_add_loop_test(values, an_exact_walk_has_the_closed_form, 0, 2);
    tcase_add_test(values, fortran_order_gives_the_same);
    tcase_add_test(values, the_gram_matrix_is_centred);
    tcase_add_loop_test(values, any_shape_agrees_with_the_covariance, 0, 5);
    tcase_add_test(values, many_points_of_few_dimensions_are_cheap);
    suite_add_tcase(suite, values);
    TCase *edges = tcase_create("edges");
    tcase_add_loop_test(edges, squares_beyond_single_precision_are_taken_in_double, 0, 2);
    tcase_add_test(edges, a_point_that_never_moves_has_no_ratios);
    tcase_add_test(edges, nan_is_found_and_named);
    tcase_add_test(edges, a_path_beyond_double_precision_is_told);
    suite_add_tcase(suite, edges);
    TCase *running = tcase_create("running");
    tcase_set_timeout(running, 30);
    tcase_add_test(running, bits_do_not_depend_on_lanes);
    tcase_add_test(running, a_stop_is_obeyed);
    tcase_add_loop_test(running, a_longer_list_builds_on_a_shorter_one_with_the_same_bits, 0, 2);
    tcase_add_test(values, windows_and_weights_follow_from_the_sums);
    suite_add_tcase(suite, running);
    TCase *walks = tcase_create("walks");
    tcase_add_test(walks, long_walks_tend_to_six_over_pi_squared);
    tcase_add_test(walks, modes_are_orthonormal_and_have_no_mean);
    suite_add_tcase(suite, walks);
    return suite;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the plane shows of steps, and the point of least loss, against numpy's projections
 * (tests/golden/plane.py) and closed forms.
 */
#include "pca/plane.h"

#include <math.h>

#include "pca_fixture.h"

Suite *plane_suite(void);

enum { MOST_RUNS = 4 };

static double number(FILE *file)
{
    double x = NAN;
    ck_assert_int_eq(fscanf(file, "%lf", &x), 1);
    return x;
}

static void expect(double got, double want, double tolerance)
{
    if (isnan(want))
        ck_assert_double_nan(got);
    else
        ck_assert_double_eq_tol(got, want, tolerance * fmax(fabs(want), 1));
}

static void describe(const struct tg_pca *pca, struct tg_plane *plane, struct tg_arena **arena)
{
    size_t bytes = tg_plane_bytes(pca->t, pca->nruns);
    *arena = tg_arena_new(bytes);
    ck_assert_ptr_nonnull(*arena);
    const struct tg_ctx ctx = {.lanes = 1, .arena = *arena};
    ck_assert_int_eq(tg_plane_describe(&ctx, pca, plane), TG_OK);
    ck_assert_uint_eq(tg_arena_high_water(*arena), bytes);
}

static void expect_plane(const struct tg_pca *pca, FILE *file, double tolerance)
{
    struct tg_plane plane;
    struct tg_arena *arena;
    describe(pca, &plane, &arena);
    for (int64_t r = 0; r < pca->nruns; r++) {
        int64_t last = pca->run[r + 1] - 1;
        const struct tg_plane_run *run = &plane.run[r];
        for (int64_t i = pca->run[r]; i < last; i++)
            expect(plane.hidden[i], number(file), tolerance);
        for (int64_t i = pca->run[r]; i < last; i++)
            expect(plane.steps_off[i], number(file), tolerance);
        ck_assert_int_eq(run->steps, last - pca->run[r]);
        expect(run->hides_more, number(file), 1e-15);
        expect(run->hidden, number(file), tolerance);
        expect(run->walk, number(file), 1e-15);
        expect(run->steps_off, number(file), tolerance);
        if (r + 1 < pca->nruns)
            ck_assert_double_nan(plane.hidden[last]); /* no step leads from run to run */
    }
    tg_arena_free(arena);
}

static void expect_minima(const struct tg_pca *pca, FILE *file, double tolerance)
{
    double scale = sqrt(pca->total_variance);
    for (int64_t r = 0; r < pca->nruns; r++) {
        ck_assert_int_eq(pca->minimum[r] - pca->run[r], (int64_t)number(file));
        for (int64_t i = pca->run[r]; i < pca->run[r + 1]; i++)
            ck_assert_double_eq_tol(pca->from_minimum[i], number(file), tolerance * scale);
    }
}

START_TEST(agrees_with_numpy)
{
    FILE *file = fopen(TG_GOLDEN "/plane.txt", "r");
    ck_assert_ptr_nonnull(file);
    char name[32];
    long long t, d, k, stride;
    int single, nruns, cases = 0;
    for (; fscanf(file, " case %31s %lld %lld %d %d %lld %lld", name, &t, &d, &single, &nruns, &k,
                  &stride) == 7;
         cases++) {
        static double x[40 * 50], loss[40];
        int64_t run[MOST_RUNS + 1];
        for (int r = 0; r < nruns; r++)
            run[r] = (int64_t)number(file);
        run[nruns] = t;
        for (int64_t i = 0; i < t * d; i++)
            if (single)
                ((float *)x)[i] = (float)number(file);
            else
                x[i] = number(file);
        long at = ftell(file);
        struct tg_mat mat = mat_of(x, single ? TG_F32 : TG_F64, t, d);
        struct tg_pca_options options = first(k);
        options.stride = stride;
        options.loss = loss;
        double tolerance = single ? 1e-5 : 1e-9;
        for (int pass = 0; pass < 2; pass++) { /* losses stand behind what does not need them */
            struct run got;
            tg_walk_of_array(&got.array, &mat);
            got.array.data.nruns = nruns;
            got.array.data.run = run;
            const struct tg_ctx ctx = {.lanes = 1};
            ck_assert_int_eq(open_data(&got, &got.array.data, &options, ctx), TG_OK);
            fseek(file, at, SEEK_SET);
            expect_plane(&got.pca, file, tolerance);
            for (int64_t i = 0; i < t; i++)
                loss[i] = number(file);
            if (pass)
                expect_minima(&got.pca, file, tolerance);
            close_run(&got);
        }
    }
    ck_assert_int_eq(cases, 6);
    fclose(file);
}
END_TEST

/* Steps along axes of their own. */
START_TEST(a_walk_hides_all_but_two_steps)
{
    enum { n = 40 };
    static double x[n * n];
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++)
            x[i * n + j] = 1;
    struct tg_mat mat = mat_of(x, TG_F64, n, n);
    for (int64_t k = 1; k < 4; k++) {
        struct run run;
        struct tg_plane plane;
        struct tg_arena *arena;
        struct tg_pca_options options = first(k);
        require_run(&run, &mat, &options);
        describe(&run.pca, &plane, &arena);
        double expected = 1 - (k < 2 ? 1.0 : 2.0) / (n - 1);
        ck_assert_double_eq_tol(plane.run->hidden, expected, 1e-12);
        ck_assert_double_eq_tol(plane.run->walk, expected, 1e-15);
        ck_assert_double_eq(plane.run->hides_more, 1);
        close_run(&run);
        tg_arena_free(arena);
    }
}
END_TEST

START_TEST(what_lies_in_a_plane_is_shown)
{
    static const double x[] = {0, 0, 0, 1, 2, 1, 4, 1, 4, 3, 5, 3, 3, 5, 3};
    struct tg_mat mat = mat_of(x, TG_F64, 5, 3); /* the last step has no length */
    struct tg_pca_options options = first(2);
    struct run run;
    struct tg_plane plane;
    struct tg_arena *arena;
    require_run(&run, &mat, &options);
    describe(&run.pca, &plane, &arena);
    ck_assert_int_eq(plane.run->steps, 3);
    ck_assert_double_eq_tol(plane.run->hidden, 0, 1e-14);
    ck_assert_double_eq(plane.run->hides_more, 0);
    ck_assert_double_lt(plane.run->steps_off, 1e-6); /* a root of a difference of squares */
    ck_assert_double_nan(plane.hidden[3]);
    ck_assert_double_nan(plane.steps_off[3]);
    close_run(&run);
    tg_arena_free(arena);
}
END_TEST

START_TEST(what_never_moves_has_no_steps)
{
    static const double x[] = {1, 2, 1, 2, 1, 2};
    struct tg_mat mat = mat_of(x, TG_F64, 3, 2);
    struct tg_pca_options options = first(2);
    struct run run;
    struct tg_plane plane;
    struct tg_arena *arena;
    require_run(&run, &mat, &options);
    describe(&run.pca, &plane, &arena);
    ck_assert_int_eq(plane.run->steps, 0);
    ck_assert_double_nan(plane.run->hidden);
    ck_assert_double_nan(plane.hidden[0]);
    close_run(&run);
    tg_arena_free(arena);
}
END_TEST

START_TEST(a_loss_that_is_no_number_is_no_minimum)
{
    static const double x[] = {0, 3, 4, 6};
    static const double some[] = {NAN, 2, INFINITY, 5}, none[] = {NAN, NAN, NAN, INFINITY};
    struct tg_mat mat = mat_of(x, TG_F64, 4, 1);
    struct tg_pca_options options = first(1);
    struct run run;
    options.loss = some;
    require_run(&run, &mat, &options);
    ck_assert_int_eq(run.pca.minimum[0], 1);
    ck_assert_double_eq_tol(run.pca.from_minimum[3], 3, 1e-12);
    close_run(&run);
    options.loss = none;
    require_run(&run, &mat, &options);
    ck_assert_int_eq(run.pca.minimum[0], -1);
    ck_assert_double_nan(run.pca.from_minimum[0]);
    close_run(&run);
    options.loss = NULL;
    require_run(&run, &mat, &options);
    ck_assert_int_eq(run.pca.minimum[0], 3);
    close_run(&run);
}
END_TEST

Suite *plane_suite(void)
{
    Suite *suite = suite_create("plane");
    TCase *values = tcase_create("values");
    tcase_add_test(values, agrees_with_numpy);
    tcase_add_test(values, a_walk_hides_all_but_two_steps);
    tcase_add_test(values, what_lies_in_a_plane_is_shown);
    tcase_add_test(values, what_never_moves_has_no_steps);
    tcase_add_test(values, a_loss_that_is_no_number_is_no_minimum);
    suite_add_tcase(suite, values);
    return suite;
}

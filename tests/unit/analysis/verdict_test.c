/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Simulated walks of known parameters through the whole of pca: the fits find them, and the
 * verdict names the model.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lanes.h"
#include "pca/simulate.h"
#include "pca/verdict.h"
#include "pca/walk.h"
#include "../suite.h"

Suite *verdict_suite(void);

struct run {
    struct tg_arena *arena;
    struct tg_pca pca;
    struct tg_verdict verdict;
    double *x;
};

static struct run judge_array(double *x, int64_t n, int64_t d)
{
    struct run run = {.x = x};
    struct tg_walk_array array;
    struct tg_mat mat;
    struct tg_pca_cost cost;
    const struct tg_pca_options options = {.components = 6, .to = n, .stride = 1};
    ck_assert(tg_mat_init(&mat, x, TG_F64, 2, (int64_t[]){n, d}, false));
    tg_walk_of_array(&array, &mat);
    ck_assert_int_eq(tg_pca_cost(&array.data, &options, &cost), TG_OK);
    size_t bytes = cost.bytes + tg_verdict_bytes(cost.points, cost.components);
    run.arena = tg_arena_new(bytes);
    ck_assert_ptr_nonnull(run.arena);
    struct tg_ctx ctx = {.arena = run.arena, .lanes = LANE_COUNT, .parallel = lanes_parallel};
    ck_assert_int_eq(tg_pca_run(&ctx, &array.data, &options, &run.pca, NULL), TG_OK);
    ck_assert_int_eq(tg_verdict_run(&ctx, &run.pca, &run.verdict), TG_OK);
    ck_assert_uint_eq(tg_arena_high_water(run.arena), bytes);
    return run;
}

static struct run judge(const struct tg_simulation *simulation)
{
    const struct tg_ctx ctx = {.lanes = LANE_COUNT, .parallel = lanes_parallel};
    double *x = calloc((size_t)(simulation->n * simulation->d), sizeof(*x));
    ck_assert_ptr_nonnull(x);
    ck_assert_int_eq(tg_simulate(&ctx, simulation, x), TG_OK);
    return judge_array(x, simulation->n, simulation->d);
}

static void release(struct run *run)
{
    tg_arena_free(run->arena);
    free(run->x);
}

struct known {
    struct tg_simulation simulation;
    enum tg_model model;
    double alpha, momentum, shared;
};

static const struct known known[] = {
    {{.momentum = 0.9}, TG_MODEL_MOMENTUM, NAN, 0.9, NAN},
    {{.alpha = 0.05}, TG_MODEL_TRAP, 0.05, NAN, NAN},
    {{.alpha = 0.02, .stationary = true}, TG_MODEL_TRAP_STATIONARY, 0.02, NAN, NAN},
    {{.drift = 0.02}, TG_MODEL_DRIFT, NAN, NAN, 0.02},
    {{.drift = 0}, TG_MODEL_WALK, NAN, NAN, NAN},
    {{.schedule = TG_SCHEDULE_COSINE}, TG_MODEL_WALK_STEPS, NAN, NAN, NAN},
    {{.drift = 0.02, .schedule = TG_SCHEDULE_STEP}, TG_MODEL_DRIFT_STEPS, NAN, NAN, 0.02},
};

/* A 95 % interval is 3.92 standard errors wide; `room` of its half widths. */
static void assert_found(const struct tg_estimate *estimate, double value, double room)
{
    double half = (estimate->hi - estimate->lo) / 2;
    if (isnan(value))
        return;
    if (!(fabs(estimate->value - value) <= room * half))
        ck_abort_msg("%g in [%g, %g], expected %g", estimate->value, estimate->lo,
                     estimate->hi, value);
}

/* One seed of every kind; 2.3 half widths are 4.5 standard errors. */
static void assert_known(const struct known *expected, int64_t n, int64_t d)
{
    struct tg_simulation simulation = expected->simulation;
    simulation.n = n;
    simulation.d = d;
    simulation.seed = 42;
    struct run run = judge(&simulation);
    const struct tg_fit *fit = &run.verdict.fits.model[expected->model];
    assert_found(&fit->alpha, expected->alpha, 2.3);
    assert_found(&fit->momentum, expected->momentum, 2.3);
    assert_found(&fit->shared, expected->shared, 2.3);
    ck_assert_double_eq_tol(run.verdict.fits.d_eff, (double)d, 0.1 * (double)d);
    ck_assert_msg(run.verdict.model[expected->model].explains, "%s: worst %g",
                  tg_model_name(expected->model), run.verdict.model[expected->model].worst);
    ck_assert_double_le(fit->aic, 8); /* one with a parameter more may be ahead by chance */
    release(&run);
}

START_TEST(parameters_of_simulated_walks_are_found)
{
    assert_known(&known[_i], 200, 2000);
}
END_TEST

START_TEST(parameters_of_long_simulated_walks_are_found)
{
    assert_known(&known[_i], 1000, 10000);
}
END_TEST

START_TEST(a_schedule_explains_itself)
{
    struct run run = judge(
        &(struct tg_simulation){.n = 200, .d = 2000, .seed = 7, .schedule = TG_SCHEDULE_STEP});
    ck_assert_int_eq(run.verdict.explained_by, TG_MODEL_WALK_STEPS);
    ck_assert_int_eq(run.verdict.fits.best, TG_MODEL_WALK_STEPS);
    ck_assert(!run.verdict.model[TG_MODEL_WALK].explains);
    ck_assert_double_gt(run.pca.ratio[0], tg_walk_ratio(200, 1) + 0.1);
    for (int k = 0; k < 3; k++)
        ck_assert_double_gt(run.verdict.step_overlap[k], 0.98);
    for (int t = 0; t < 200; t++)
        ck_assert_double_eq_tol(run.verdict.distance[t], run.pca.from_start[t],
                                0.05 * run.pca.from_start[199]);
    release(&run);
}
END_TEST

/* Both the drawn distances and the fitted shell, r = sqrt(d / (a (2 - a))). */
START_TEST(a_trapped_walk_sits_on_its_shell)
{
    const double alpha = 0.05, d = 4000, radius = sqrt(d / (alpha * (2 - alpha)));
    struct run run = judge(&(struct tg_simulation){
        .n = 300, .d = (int64_t)d, .seed = 3, .alpha = alpha});
    const struct tg_expected *trap = &run.verdict.model[TG_MODEL_TRAP];
    ck_assert_double_le(trap->trap.radius.lo, trap->trap.radius.value);
    ck_assert_double_ge(trap->trap.radius.hi, trap->trap.radius.value);
    ck_assert_double_eq_tol(trap->trap.radius.value, radius, 0.02 * radius);
    ck_assert_double_eq_tol(trap->at_radius, 1, 0.02);
    for (int t = 0; t < 300; t++) {
        ck_assert_double_eq_tol(trap->trap.measured[t], run.pca.from_start[t], 1e-9 * radius);
        ck_assert_double_eq_tol(trap->trap.measured[t], trap->trap.expected[t],
                                0.06 * radius);
    }
    ck_assert_double_nan(run.verdict.model[TG_MODEL_WALK].trap.radius.value);
    release(&run);
}
END_TEST

/* Walsh functions as steps: a walk without any chance in it. */
START_TEST(an_exact_walk_draws_chebyshev_graphs)
{
    enum { n = 64, d = 64 };
    double *x = calloc((size_t)n * d, sizeof(*x));
    ck_assert_ptr_nonnull(x);
    for (int t = 1; t < n; t++)
        for (int j = 0; j < d; j++)
            x[t * d + j] = x[(t - 1) * d + j] +
                           (__builtin_popcount((unsigned)t & (unsigned)j) % 2 ? -1 : 1);
    struct run run = judge_array(x, n, d);
    for (int k = 0; k < 6; k++) {
        ck_assert_double_eq_tol(run.verdict.chebyshev[k], 1, 1e-12);
        ck_assert_double_eq_tol(run.verdict.lissajous[k], 1, 1e-12);
        ck_assert_double_eq_tol(run.verdict.step_overlap[k], 1, 1e-12);
    }
    ck_assert_int_eq(run.verdict.explained_by, TG_MODEL_WALK);
    release(&run);
}
END_TEST

START_TEST(a_spiral_is_explained_by_nothing)
{
    enum { n = 120, d = 40 };
    double *x = calloc((size_t)n * d, sizeof(*x));
    ck_assert_ptr_nonnull(x);
    for (int t = 0; t < n; t++)
        for (int j = 0; j < d; j++)
            x[t * d + j] = cos(0.3 * t + j) + 0.05 * sin(t * (j + 1.0) * 1.7 + j * j);
    struct run run = judge_array(x, n, d);
    ck_assert_int_eq(run.verdict.explained_by, -1);
    ck_assert_double_gt(run.verdict.model[run.verdict.fits.best].worst, 3);
    ck_assert_double_lt(run.verdict.chebyshev[1], 0.5);
    release(&run);
}
END_TEST

START_TEST(a_walk_that_stands_still_gets_no_verdict)
{
    double *x = calloc(4 * 3, sizeof(*x));
    ck_assert_ptr_nonnull(x);
    struct run run = judge_array(x, 4, 3);
    ck_assert(!run.verdict.given);
    release(&run);
}
END_TEST

START_TEST(a_simulation_depends_on_its_seed_alone)
{
    enum { n = 5, d = 1500 };
    struct tg_simulation simulation = {.n = n, .d = d, .seed = 1, .stationary = true,
                                       .alpha = 0.1, .momentum = 0.5};
    const struct tg_ctx many = {.lanes = LANE_COUNT, .parallel = lanes_parallel};
    const struct tg_ctx one = {.lanes = 1};
    static double a[n * d], b[n * d];
    ck_assert_int_eq(tg_simulate(&one, &simulation, a), TG_OK);
    ck_assert_int_eq(tg_simulate(&many, &simulation, b), TG_OK);
    ck_assert_mem_eq(a, b, sizeof(a));
    simulation.seed = 2;
    ck_assert_int_eq(tg_simulate(&one, &simulation, b), TG_OK);
    ck_assert_mem_ne(a, b, sizeof(a));
}
END_TEST

START_TEST(schedules_begin_at_one)
{
    struct tg_simulation simulation = {.n = 101, .schedule = (enum tg_schedule)_i};
    static const double half[] = {1, 0.5, 0.5, 0.0820849986, 0.1};
    ck_assert_double_eq(tg_simulation_length(&simulation, 0), 1);
    ck_assert_double_eq_tol(tg_simulation_length(&simulation, 50), half[_i], 1e-9);
}
END_TEST

Suite *verdict_suite(void)
{
    const int count = sizeof(known) / sizeof(*known);
    Suite *suite = suite_create("verdict");
    TCase *walks = tcase_create("walks");
    tcase_set_timeout(walks, 120);
    tcase_add_loop_test(walks, parameters_of_simulated_walks_are_found, 0, count);
    if (getenv("TG_SLOW")) /* make check-slow */
        tcase_add_loop_test(walks, parameters_of_long_simulated_walks_are_found, 0, count);
    tcase_add_test(walks, a_schedule_explains_itself);
    tcase_add_test(walks, a_trapped_walk_sits_on_its_shell);
    tcase_add_test(walks, a_simulation_depends_on_its_seed_alone);
    tcase_add_loop_test(walks, schedules_begin_at_one, 0, 5);
    suite_add_tcase(suite, walks);
    TCase *shapes = tcase_create("shapes");
    tcase_add_test(shapes, an_exact_walk_draws_chebyshev_graphs);
    tcase_add_test(shapes, a_spiral_is_explained_by_nothing);
    tcase_add_test(shapes, a_walk_that_stands_still_gets_no_verdict);
    suite_add_tcase(suite, shapes);
    return suite;
}

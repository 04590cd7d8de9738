/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Streams of very long rows: taken up where they stopped, and as exact as they say. */
#include <math.h>

#include "pca_fixture.h"
#include "core/rng.h"
#include "pca/walk.h"

Suite *gram_suite(void);

static const struct tg_ctx plain = {.lanes = 1};

/* Points as overlapping stretches of one row of numbers, so that many long ones fit. */
enum { POINTS = 512, COLUMNS = 100000, SHIFT = 7, FIRST = 30000 };

struct stretches {
    float *x;
    struct tg_mat whole, part[POINTS][2];
    const struct tg_mat *mat[2 * POINTS];
    struct tg_walk_array array;
    struct tg_walk_tensor tensor[2];
    int64_t first[POINTS + 1], run[2];
    const char *prefix[POINTS];
    struct tg_walk_data data;
};

static struct stretches stretches;

static void make_stretches(double scale)
{
    enum { N = COLUMNS + POINTS * SHIFT };
    static double draw[N];
    stretches.x = calloc(N, sizeof(float));
    ck_assert_ptr_nonnull(stretches.x);
    tg_rng_uniform(5, 0, 0, N, draw);
    for (size_t i = 0; i < N; i++)
        stretches.x[i] = (float)(scale * draw[i]);
    for (int i = 0; i < POINTS; i++)
        stretches.prefix[i] = "digest";
}

/* One file of all points. */
static const struct tg_walk_data *as_array(void)
{
    struct stretches *s = &stretches;
    s->whole = mat_of(s->x, TG_F32, POINTS, COLUMNS);
    s->whole.stride[0] = SHIFT;
    tg_walk_of_array(&s->array, &s->whole);
    s->array.data.prefix = s->prefix;
    return &s->array.data;
}

/* A file for each point, with two tensors. */
static const struct tg_walk_data *as_checkpoints(void)
{
    struct stretches *s = &stretches;
    s->tensor[0] = (struct tg_walk_tensor){"a", 0, FIRST, 1};
    s->tensor[1] = (struct tg_walk_tensor){"b", 1, COLUMNS - FIRST, 1};
    for (int i = 0; i < POINTS; i++) {
        const float *x = s->x + (size_t)i * SHIFT;
        s->part[i][0] = mat_of(x, TG_F32, 1, FIRST);
        s->part[i][1] = mat_of(x + FIRST, TG_F32, 1, COLUMNS - FIRST);
        s->mat[2 * i] = &s->part[i][0];
        s->mat[2 * i + 1] = &s->part[i][1];
        s->first[i + 1] = i + 1;
    }
    s->run[1] = POINTS;
    s->data = (struct tg_walk_data){POINTS,   COLUMNS, 2, s->tensor, POINTS,
                                    s->first, s->mat,  1, s->run,    s->prefix};
    return &s->data;
}

/* A runner that keeps, and stops its job at some report of progress. */
struct stopper {
    struct keeper keeper;
    atomic_int stop;
    int reports, last;
    double done;
};

static void stop_at_last(void *runner, const char *phase, double done, double total,
                         const char *unit)
{
    struct stopper *stopper = runner;
    (void)total, (void)unit;
    if (strcmp(phase, "reading") != 0)
        return;
    if (++stopper->reports == stopper->last)
        atomic_store(&stopper->stop, TG_STOP_CANCEL);
    stopper->done = done;
}

static void assert_same_sums(const struct run *a, const struct run *b)
{
    const struct tg_gram_plan *plan = &a->pca.sums.plan;
    ck_assert_int_eq(plan->nslots, b->pca.sums.plan.nslots);
    for (int64_t slot = 0; slot < plan->nslots; slot++)
        ck_assert_mem_eq(a->pca.sums.sums + (size_t)slot * plan->slot,
                         b->pca.sums.sums + (size_t)slot * plan->slot,
                         (size_t)plan->tiles * TG_PANEL_ROWS * TG_PANEL_ROWS *
                             sizeof(double));
    ck_assert_mem_eq(a->pca.gram, b->pca.gram, sizeof(double) * POINTS * POINTS);
    ck_assert_mem_eq(a->pca.step2, b->pca.step2, sizeof(double) * (POINTS - 1));
    ck_assert_double_eq(a->pca.unchanged, b->pca.unchanged);
}

/*
 * One array; one so small that it is read again in double, which is where it stops; and
 * checkpoints, stopped in their second tensor. What is lost is less than a block.
 */
START_TEST(sums_kept_half_way_are_taken_up_with_the_same_bits)
{
    static struct stopper stopper;
    static const int last[] = {21, 25 + 32, 8 + 13};
    const double total = 4.0 * POINTS * COLUMNS, block = 4.0 * POINTS * 45000;
    const struct tg_pca_options options = first(10);
    struct run whole, stopped, resumed, again;
    make_stretches(_i == 1 ? 0x1p-90 : 1);
    const struct tg_walk_data *data = _i == 2 ? as_checkpoints() : as_array();
    struct tg_ctx ctx = {.lanes = 1,
                         .runner = &stopper,
                         .stop = &stopper.stop,
                         .progress = stop_at_last,
                         .recall = recall,
                         .keep = keep};
    ck_assert_int_eq(open_data(&whole, data, &options, plain), TG_OK);
    ck_assert_double_eq(whole.pca.bytes_read, _i == 1 ? 2 * total : total);
    ck_assert_int_eq(whole.pca.single, _i != 1);

    stopper.last = last[_i];
    ctx.arena = stopped.arena = tg_arena_new(64 << 20);
    ck_assert_ptr_nonnull(ctx.arena);
    tg_report_init(&stopped.report);
    ck_assert_int_eq(tg_pca_run(&ctx, data, &options, &stopped.pca, &stopped.report),
                     TG_CANCELLED);
    double left = whole.pca.bytes_read - stopped.pca.sums.bytes_read;
    ck_assert_double_gt(stopped.pca.sums.bytes_read, block);

    atomic_store(&stopper.stop, TG_GO);
    ck_assert_int_eq(open_data(&resumed, data, &options, ctx), TG_OK);
    ck_assert_double_ge(resumed.pca.bytes_read, left);
    ck_assert_double_lt(resumed.pca.bytes_read, left + block);
    ck_assert_double_eq(stopper.done, total);
    assert_same_sums(&resumed, &whole);
    ck_assert_int_eq(open_data(&again, data, &options, ctx), TG_OK);
    ck_assert_double_eq(again.pca.bytes_read, 0);
    assert_same_sums(&again, &whole);
    close_run(&whole), close_run(&stopped), close_run(&resumed), close_run(&again);
    forget(&stopper.keeper);
    free(stretches.x);
}
END_TEST

/* Precision --------------------------------------------------------------------------- */

enum { K = 10 };

/*
 * Ratios by products of differences from the first point, in double by BLAS where there are
 * many, else in long double.
 */
static void exact_ratios(const double *x, int64_t t, int64_t d, double *ratio)
{
    size_t n = (size_t)(t * d), square = (size_t)(t * t);
    double *moved = calloc(n, sizeof(*moved)), *g = calloc(square, sizeof(*g));
    double *w = calloc((size_t)t + tg_eigh_work(t, false), sizeof(*w));
    double *mean = calloc((size_t)t, sizeof(*mean)), trace = 0;
    ck_assert(moved && g && w && mean);
    for (size_t i = 0; i < n; i++)
        moved[i] = x[i] - x[i % (size_t)d];
    ck_assert_int_eq(
        tg_syrk(&plain, TG_N, t, d, 1, moved, (size_t)d, 0, g, (size_t)t), TG_OK);
    for (int64_t i = 0; i < t && t < 50; i++)
        for (int64_t j = 0; j <= i; j++) {
            long double sum = 0;
            for (int64_t c = 0; c < d; c++)
                sum += (long double)moved[i * d + c] * (long double)moved[j * d + c];
            g[i * t + j] = g[j * t + i] = (double)sum;
        }
    ck_assert_int_eq(tg_gram_centre(&plain, t, g, mean), TG_OK);
    for (int64_t i = 0; i < t; i++)
        trace += g[i * t + i];
    ck_assert_int_eq(tg_eigh(&plain, t, false, g, (size_t)t, w, w + t), TG_OK);
    for (int k = 0; k < K; k++)
        ratio[k] = w[t - 1 - k] / trace;
    free(moved), free(g), free(w), free(mean);
}

/* A walk with uniform steps from uniform weights of standard deviation 0.05. */
static double *make_steps(double step, int64_t t, int64_t d)
{
    double *x = calloc((size_t)(t * d), sizeof(*x));
    ck_assert_ptr_nonnull(x);
    for (int64_t i = 0; i < t; i++) {
        tg_rng_uniform(7, (uint64_t)i, 0, (size_t)d, x + i * d);
        for (int64_t j = 0; j < d; j++) {
            double move = (i ? step : 0.05) * sqrt(12) * (x[i * d + j] - 0.5);
            x[i * d + j] = move + (i ? x[(i - 1) * d + j] : 0);
        }
    }
    return x;
}

/* As a file of float32 has them; and `x` becomes what that file says. */
static float *round_off(double *x, int64_t n)
{
    float *single = calloc((size_t)n, sizeof(*single));
    ck_assert_ptr_nonnull(single);
    for (int64_t i = 0; i < n; i++) {
        single[i] = (float)x[i];
        x[i] = (double)single[i];
    }
    return single;
}

/* Of products of the numbers themselves, summed in single precision. */
static double raw_first_ratio(const float *x, int64_t t, int64_t d)
{
    double *g = calloc((size_t)(t * t), sizeof(*g)), *mean = calloc((size_t)t, sizeof(*g));
    double *w = calloc((size_t)t + tg_eigh_work(t, false), sizeof(*w)), trace = 0;
    ck_assert(g && w && mean);
    for (int64_t i = 0; i < t; i++)
        for (int64_t j = 0; j <= i; j++) {
            float sum = 0;
            for (int64_t c = 0; c < d; c++)
                sum += x[i * d + c] * x[j * d + c];
            g[i * t + j] = g[j * t + i] = (double)sum;
        }
    ck_assert_int_eq(tg_gram_centre(&plain, t, g, mean), TG_OK);
    for (int64_t i = 0; i < t; i++)
        trace += g[i * t + i];
    ck_assert_int_eq(tg_eigh(&plain, t, false, g, (size_t)t, w, w + t), TG_OK);
    double ratio = w[t - 1] / trace;
    free(g), free(w), free(mean);
    return ratio;
}

/* The largest difference of ten ratios as a share of each. */
static double furthest(const struct tg_pca *pca, const double *expected)
{
    double most = 0;
    for (int k = 0; k < K; k++)
        most = fmax(most, fabs(pca->ratio[k] - expected[k]) / expected[k]);
    return most;
}

/*
 * Steps of 2e-2 down to 2e-5 of the weights. Products of the raw weights lose the last two
 * altogether. What is lost against the walk before it was stored is the file's own rounding,
 * which falls as the square root of the dimensions: it is held to 1e-6 at 4e5 of them.
 */
START_TEST(small_steps_of_large_weights_keep_their_ratios)
{
    enum { t = 200, d = 40000 };
    double ideal[K], stored[K], *exact = make_steps(0.05 * 2e-2 * pow(10, -_i), t, d);
    exact_ratios(exact, t, d, ideal);
    float *x = round_off(exact, t * d);
    exact_ratios(exact, t, d, stored);
    struct tg_mat mat = mat_of(x, TG_F32, t, d);
    const struct tg_pca_options options = first(K);
    struct run run;
    require_run(&run, &mat, &options);
    ck_assert(run.pca.single);
    ck_assert_int_eq(run.pca.negative, 0);
    ck_assert_double_le(furthest(&run.pca, stored), 1e-6);
    ck_assert_double_le(furthest(&run.pca, ideal), 1e-6 * sqrt(4e5 / d));
    if (_i > 1)
        ck_assert_double_gt(fabs(raw_first_ratio(x, t, d) - ideal[0]), 0.1);
    close_run(&run);
    free(exact), free(x);
}
END_TEST

enum { FAR, SIGNS, ALIKE, SPARSE, WIDE, BOUNDED };

/* Paths on which rounding goes different ways. */
static double *make_path(int kind, int64_t t, int64_t d)
{
    double *x = make_steps(kind == FAR ? 1e-5 : 0.01, t, d);
    for (int64_t j = 0; j < d; j++) {
        for (int64_t i = t - 1; i > 0; i--) /* from points to steps */
            x[i * d + j] -= x[(i - 1) * d + j];
        x[j] = kind == FAR ? x[j] : 0;
        for (int64_t i = 1; i < t; i++) {
            double step = x[i * d + j];
            if (kind == SIGNS)
                step = copysign(1.9639e-3, step);
            if (kind == ALIKE)
                step = 1.1e-3 * sin((double)i * 0.7) + 2e-3;
            if (kind == SPARSE)
                step = pow(100 * step, 9);
            x[i * d + j] = x[(i - 1) * d + j] + step;
        }
    }
    return x;
}

START_TEST(no_ratio_is_wrong_by_more_than_its_bound)
{
    enum { t = 40, d = 20000 };
    double exact[K], *x = make_path(_i, t, d);
    float *single = round_off(x, t * d);
    exact_ratios(x, t, d, exact);
    struct tg_mat mat = mat_of(_i == WIDE ? (const void *)x : single,
                               _i == WIDE ? TG_F64 : TG_F32, t, d);
    struct tg_pca_options options = first(K);
    struct run run;
    for (options.reference = 0; options.reference < t; options.reference += t - 1) {
        require_run(&run, &mat, &options);
        ck_assert_int_eq(run.pca.single, _i != WIDE);
        for (int k = 0; k < K; k++)
            ck_assert_double_le(fabs(run.pca.ratio[k] - exact[k]), run.pca.ratio_error[k]);
        ck_assert_double_le(run.pca.error, _i == WIDE ? 1e-13 : 5e-5);
        close_run(&run);
    }
    free(x), free(single);
}
END_TEST

Suite *gram_suite(void)
{
    Suite *suite = suite_create("gram");
    TCase *resuming = tcase_create("resuming");
    tcase_set_timeout(resuming, 60);
#ifndef __SANITIZE_ADDRESS__ /* many seconds of arithmetic would be minutes of checks */
    tcase_add_loop_test(resuming, sums_kept_half_way_are_taken_up_with_the_same_bits, 0, 3);
#else
    (void)sums_kept_half_way_are_taken_up_with_the_same_bits;
#endif
    suite_add_tcase(suite, resuming);
    TCase *precision = tcase_create("precision");
    tcase_set_timeout(precision, 60);
    tcase_add_loop_test(precision, small_steps_of_large_weights_keep_their_ratios, 0, 4);
    tcase_add_loop_test(precision, no_ratio_is_wrong_by_more_than_its_bound, 0, BOUNDED);
    suite_add_tcase(suite, precision);
    return suite;
}

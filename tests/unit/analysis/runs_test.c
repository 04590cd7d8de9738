/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Several runs against numpy's and scipy's decompositions of the data in full
 * (tests/golden/runs.py), and against what follows from how they were made.
 */
#include "pca/runs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lanes.h"
#include "../suite.h"

Suite *runs_suite(void);

enum { MOST_RUNS = 4 };

/* Runs of `length` points one behind the other in x. */
struct several {
    struct tg_walk_data data;
    struct tg_walk_tensor tensor;
    struct tg_mat own[MOST_RUNS];
    const struct tg_mat *mat[MOST_RUNS];
    int64_t first[MOST_RUNS + 1];
    void *x;
};

struct compared {
    struct tg_arena *arena;
    struct tg_pca pca;
    struct tg_runs runs;
};

static void lay_out(struct several *several, int n, const int64_t *length, int64_t d,
                    bool single)
{
    size_t row = (size_t)d * (single ? sizeof(float) : sizeof(double));
    several->tensor = (struct tg_walk_tensor){.name = "", .n = d, .weight = 1};
    several->first[0] = 0;
    for (int r = 0; r < n; r++) {
        ck_assert(tg_mat_init(&several->own[r],
                              (char *)several->x + (size_t)several->first[r] * row,
                              single ? TG_F32 : TG_F64, 2, (int64_t[]){length[r], d}, false));
        several->mat[r] = &several->own[r];
        several->first[r + 1] = several->first[r] + length[r];
    }
    several->data = (struct tg_walk_data){.t = several->first[n],
                                          .d = d,
                                          .ntensors = 1,
                                          .tensor = &several->tensor,
                                          .nfiles = n,
                                          .first = several->first,
                                          .mat = several->mat,
                                          .nruns = n,
                                          .run = several->first};
}

static void open_compared(struct compared *c, const struct several *several,
                          const struct tg_pca_options *options, bool lanes)
{
    struct tg_ctx ctx = {.lanes = 1};
    struct tg_pca_cost first, second;
    struct tg_report report;
    if (lanes)
        ctx = (struct tg_ctx){.lanes = LANE_COUNT, .parallel = lanes_parallel};
    ck_assert_int_eq(tg_pca_cost(&several->data, options, &first), TG_OK);
    ck_assert_int_eq(tg_runs_cost(&several->data, options, &second), TG_OK);
    ctx.arena = c->arena = tg_arena_new(first.bytes + second.bytes);
    tg_report_init(&report);
    ck_assert_int_eq(tg_pca_run(&ctx, &several->data, options, &c->pca, &report), TG_OK);
    ck_assert_int_eq(tg_runs_compare(&ctx, &several->data, options, &c->pca, &c->runs), TG_OK);
    ck_assert_uint_eq(tg_arena_high_water(ctx.arena), first.bytes + second.bytes);
}

static struct tg_pca_options of(int64_t components)
{
    return (struct tg_pca_options){
        .components = components, .to = TG_PCA_MAX_POINTS, .stride = 1};
}

static double number(FILE *file)
{
    double x = NAN;
    ck_assert_int_eq(fscanf(file, "%lf", &x), 1);
    return x;
}

static void assert_next(FILE *file, double got, double tol)
{
    double expected = number(file);
    ck_assert_double_eq_tol(got, expected, tol);
}

static void assert_each(FILE *file, const struct compared *c, const int64_t *told, double tol)
{
    for (int64_t r = 0; r < c->runs.n; r++) {
        const struct tg_pca *own = &c->runs.own[r];
        double variance = number(file);
        ck_assert_double_eq_tol(own->total_variance, variance, tol * variance);
        assert_next(file, c->runs.plane[r], tol);
        for (int64_t k = 0; k < told[r]; k++)
            assert_next(file, own->ratio[k], tol);
    }
}

static void assert_pairs(FILE *file, const struct compared *c, const int64_t *told, double tol)
{
    const struct tg_runs *runs = &c->runs;
    double scale = sqrt(c->pca.total_variance);
    for (int64_t r = 0; r < runs->n; r++)
        for (int64_t s = 0; s < runs->n; s++) {
            int64_t at = r * runs->n + s, least = told[r] < told[s] ? told[r] : told[s];
            double alike = 0;
            assert_next(file, runs->overlap[at], tol);
            /* as differences of squares */
            assert_next(file, runs->start[at], sqrt(tol) * scale);
            assert_next(file, runs->end[at], sqrt(tol) * scale);
            assert_next(file, runs->displacement[at], tol);
            for (int64_t k = 0; k < runs->k; k++) {
                double cosine = runs->cosine[at * runs->k + k];
                if (k >= least) {
                    ck_assert_double_nan(cosine);
                    continue;
                }
                assert_next(file, cosine, tol);
                alike += cosine * cosine / (double)least;
            }
            ck_assert_double_eq_tol(runs->alike[at], alike, 1e-14);
        }
}

START_TEST(agree_with_scipy)
{
    FILE *file = fopen(TG_GOLDEN "/runs.txt", "r");
    ck_assert_ptr_nonnull(file);
    char name[32];
    int n, single, k, cases = 0;
    long long d;
    for (; fscanf(file, " case %31s %d %lld %d %d", name, &n, &d, &single, &k) == 5; cases++) {
        int64_t length[MOST_RUNS], told[MOST_RUNS], count = 0;
        struct several several = {.x = NULL};
        struct compared c;
        for (int r = 0; r < n; r++) {
            length[r] = (int64_t)number(file);
            told[r] = (int64_t)number(file);
            count += length[r] * d;
        }
        several.x = calloc((size_t)count, sizeof(double));
        ck_assert_ptr_nonnull(several.x);
        for (int64_t i = 0; i < count; i++)
            if (single)
                ((float *)several.x)[i] = (float)number(file);
            else
                ((double *)several.x)[i] = number(file);
        lay_out(&several, n, length, d, single);
        struct tg_pca_options options = of(k);
        options.reference = _i ? several.data.t - 1 : 0;
        open_compared(&c, &several, &options, false);
        double tol = single ? 1e-5 : 1e-10;
        assert_next(file, c.runs.between, tol);
        for (int64_t i = 0; i < k; i++)
            assert_next(file, c.pca.step_null_ratio[i], tol);
        assert_each(file, &c, told, tol);
        assert_pairs(file, &c, told, tol);
        tg_arena_free(c.arena);
        free(several.x);
    }
    ck_assert_int_eq(cases, 4);
    fclose(file);
}
END_TEST

/* Means over 4000 draws: within 4 deviations of the mean, and 8 % of the deviation. */
START_TEST(chance_is_that_of_random_subspaces)
{
    FILE *file = fopen(TG_GOLDEN "/runs.txt", "r");
    char line[1 << 14];
    int cases = 0;
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof(line), file)) {
        double k, l, d, mean, sd, got_mean, got_sd;
        if (sscanf(line, "chance %lf %lf %lf %lf %lf", &k, &l, &d, &mean, &sd) != 5)
            continue;
        tg_runs_chance((int64_t)k, (int64_t)l, d, &got_mean, &got_sd);
        ck_assert_double_eq_tol(got_mean, mean, 4 * sd / sqrt(4000));
        ck_assert_double_eq_tol(got_sd, sd, 0.08 * sd);
        cases++;
    }
    ck_assert_int_eq(cases, 4);
    fclose(file);
    double mean, sd;
    tg_runs_chance(1, 1, 7, &mean, &sd); /* Beta(1/2, (d - 1) / 2) */
    ck_assert_double_eq_tol(mean, 1.0 / 7, 1e-15);
    ck_assert_double_eq_tol(sd, sqrt(2.0 * 6 / (49 * 9)), 1e-15);
    tg_runs_chance(3, 2, 3, &mean, &sd);
    ck_assert_double_nan(mean);
    tg_runs_chance(1, 1, NAN, &mean, &sd);
    ck_assert_double_nan(mean);
}
END_TEST

/* Uniform numbers in (-1, 1) of a small generator. */
static double noise(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) / (double)(1ull << 52) - 1;
}

/* Walks from one start; run 1 goes as run 0 does, but for noise; run 2 is by itself. */
enum { STEPS = 50, WIDE = 3000 };

static void three_walks(struct several *several)
{
    uint64_t state = 11;
    double *x = several->x = calloc((size_t)3 * STEPS * WIDE, sizeof(*x));
    const int64_t length[] = {STEPS, STEPS, STEPS};
    ck_assert_ptr_nonnull(x);
    for (int64_t t = 1; t < STEPS; t++)
        for (int64_t j = 0; j < WIDE; j++) {
            double shared = noise(&state);
            for (int64_t r = 0; r < 3; r++) {
                double *at = x + (r * STEPS + t) * WIDE + j;
                *at = at[-WIDE] + (r < 2 ? shared + 0.1 * noise(&state) : noise(&state));
            }
        }
    lay_out(several, 3, length, WIDE, false);
}

START_TEST(only_related_walks_are_more_alike_than_chance)
{
    struct several several = {.x = NULL};
    struct compared c;
    struct tg_pca_options options = of(5);
    three_walks(&several);
    open_compared(&c, &several, &options, false);
    const struct tg_runs *runs = &c.runs;
    for (int r = 0; r < 3; r++) {
        ck_assert(runs->verdict[r].given);
        ck_assert_int_eq(runs->verdict[r].explained_by, TG_MODEL_WALK);
        ck_assert_double_eq_tol(runs->dimensions[r], WIDE, 0.15 * WIDE);
        ck_assert_double_eq_tol(runs->start[3 * r], 0, 1e-5);
    }
    ck_assert_double_gt(runs->alike[1], 0.9);
    ck_assert_double_gt(runs->overlap[1], 0.9);
    for (int s = 0; s < 2; s++) {
        double z = (runs->alike[6 + s] - runs->chance[6 + s]) / runs->chance_sd[6 + s];
        ck_assert_double_lt(fabs(z), 4);
    }
    tg_arena_free(c.arena);
    free(several.x);
}
END_TEST

START_TEST(a_window_of_each_has_the_same_bits_on_many_lanes)
{
    struct several several = {.x = NULL};
    struct compared one, many;
    struct tg_pca_options options = of(5);
    options.from = 4;
    options.stride = 2;
    three_walks(&several);
    open_compared(&one, &several, &options, false);
    open_compared(&many, &several, &options, true);
    ck_assert_int_eq(one.runs.own[2].t, (STEPS - 4) / 2);
    ck_assert_mem_eq(one.runs.cosine, many.runs.cosine, 9 * 5 * sizeof(double));
    ck_assert_mem_eq(one.runs.overlap, many.runs.overlap, 9 * sizeof(double));
    tg_arena_free(one.arena);
    tg_arena_free(many.arena);
    free(several.x);
}
END_TEST

START_TEST(a_run_that_stands_still_has_no_angles)
{
    double x[] = {1, 2, 1, 2, 1, 2, 0, 0, 1, 3, 5, 4};
    struct several several = {.x = x};
    struct compared c;
    struct tg_pca_options options = of(2);
    lay_out(&several, 2, (const int64_t[]){3, 3}, 2, false);
    open_compared(&c, &several, &options, false);
    ck_assert(!c.runs.verdict[0].given);
    ck_assert_double_nan(c.runs.plane[0]);
    ck_assert_double_nan(c.runs.overlap[1]);
    ck_assert_double_nan(c.runs.alike[1]);
    ck_assert_double_nan(c.runs.displacement[1]);
    ck_assert_double_eq_tol(c.runs.end[1], sqrt(20), 1e-12);
    ck_assert_double_eq_tol(c.runs.cosine[3 * 2], 1, 1e-12);
    ck_assert_double_eq_tol(c.runs.plane[1], 1, 1e-12);
    tg_arena_free(c.arena);
}
END_TEST

START_TEST(a_stop_ends_the_comparison)
{
    struct several several = {.x = NULL};
    struct compared c;
    struct tg_pca_options options = of(3);
    struct tg_runs again;
    atomic_int stop = TG_STOP_CANCEL;
    three_walks(&several);
    open_compared(&c, &several, &options, false);
    struct tg_ctx ctx = {.lanes = 1, .stop = &stop, .arena = tg_arena_new((size_t)64 << 20)};
    ck_assert_int_eq(tg_runs_compare(&ctx, &several.data, &options, &c.pca, &again),
                     TG_CANCELLED);
    tg_arena_free(ctx.arena);
    tg_arena_free(c.arena);
    free(several.x);
}
END_TEST

Suite *runs_suite(void)
{
    Suite *suite = suite_create("runs");
    TCase *values = tcase_create("values");
    tcase_add_loop_test(values, agree_with_scipy, 0, 2);
    tcase_add_test(values, chance_is_that_of_random_subspaces);
    tcase_add_test(values, only_related_walks_are_more_alike_than_chance);
    tcase_add_test(values, a_run_that_stands_still_has_no_angles);
    suite_add_tcase(suite, values);
    TCase *running = tcase_create("running");
    tcase_add_test(running, a_window_of_each_has_the_same_bits_on_many_lanes);
    tcase_add_test(running, a_stop_ends_the_comparison);
    suite_add_tcase(suite, running);
    return suite;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scores on parts of the samples against runs on those rows; intervals by closed forms. */
#include "svcca/interval.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "lanes.h"
#include "stats/stats.h"
#include "../suite.h"

Suite *interval_suite(void);

enum { MAX_LAYERS = 3, N = 83, D = 6, BLOCKS = 10, HALVES = 12 };

static const struct tg_svcca_options every_measure = {
    .measures = (1 << (TG_SVCCA_REGRESSION + 1)) - 1,
    .shape_alpha = 0.5,
    .threshold = 0.9};

/* A run with replicates, and the arena that holds it. */
struct run {
    struct tg_svcca_options options;
    struct tg_resample resample;
    struct tg_standing standing[MAX_LAYERS];
    struct tg_svcca svcca;
    struct tg_arena *arena;
};

static enum tg_err on_pair(void *arg, const struct tg_ctx *ctx,
                           const struct tg_svcca_pair_work *work)
{
    struct run *run = arg;
    TG_TRY(tg_interval_standing(ctx, &run->options, work, &run->resample.lane[0].scratch,
                                &run->standing[work->index]));
    return tg_resample_pair(ctx, work, &run->resample);
}

static enum tg_err open_run(struct run *run, const struct tg_svcca_layer *layers, size_t n,
                            const struct tg_svcca_options *options, enum tg_resampling how,
                            struct tg_ctx *ctx)
{
    struct tg_svcca_hook hook = {.arg = run, .needs = tg_resample_needs(options), .pair = on_pair};
    int64_t d = 0;
    *run = (struct run){.options = *options};
    for (size_t i = 0; i < n; i++)
        d = layers[i].mat.shape[1] > d ? layers[i].mat.shape[1] : d;
    run->resample = (struct tg_resample){.options = &run->options,
                                         .how = how,
                                         .seed = 5,
                                         .n = layers[0].mat.shape[0],
                                         .d = d,
                                         .npairs = (int64_t)(n * (n - 1) / 2),
                                         .blocks = BLOCKS,
                                         .replicates =
                                             how == TG_RESAMPLE_HALVES ? HALVES : BLOCKS};
    run->options.hook = &hook;
    run->options.nhooks = 1;
    ctx->arena = run->arena = tg_arena_new(1 << 26);
    tg_resample_layout(ctx->arena, ctx->lanes, &run->resample);
    tg_resample_start(&run->resample);
    enum tg_err err = tg_svcca_run(ctx, layers, n, &run->options, &run->svcca, NULL);
    run->options.hook = NULL;
    run->options.nhooks = 0;
    return err;
}

static void require_run(struct run *run, const struct tg_svcca_layer *layers, size_t n,
                        const struct tg_svcca_options *options, enum tg_resampling how)
{
    struct tg_ctx ctx = {.lanes = 1};
    ck_assert_int_eq(open_run(run, layers, n, options, how, &ctx), TG_OK);
}

static void close_run(struct run *run)
{
    tg_arena_free(run->arena);
}

static struct tg_svcca_layer layer_of(const double *x, int64_t n, int64_t d)
{
    struct tg_svcca_layer layer = {.name = "layer"};
    ck_assert(tg_mat_init(&layer.mat, x, TG_F64, 2, (int64_t[]){n, d}, false));
    return layer;
}

/* Layers with a shared part, means, and spectra whose leading part is plain to see. */
static void make_layers(double *x, double *y, double smallest)
{
    const double scale[D] = {5, 4, 3, 0.2, 0.1, smallest};
    tg_rng_normal(21, 0, 0, N * D, x);
    tg_rng_normal(21, 1, 0, N * (D - 1), y);
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < D; j++) /* a mean would round the smallest unit off */
            x[i * D + j] = x[i * D + j] * scale[j] + (j < D - 1 ? 7 * j : 0);
        for (int j = 0; j < D - 1; j++)
            y[i * (D - 1) + j] = scale[j] * (y[i * (D - 1) + j] +
                                             (x[i * D + j] - 7 * j) / scale[j]) - j;
    }
}

/*
 * The scores of the rows that a replicate takes, by a run on them alone; scaled up to as many
 * rows, which changes nothing but the shape.
 */
static struct tg_svcca_pair scores_of_rows(const struct run *run, const double *taken,
                                           const double *x, const double *y)
{
    static double some_x[N * D], some_y[N * D];
    int64_t rows = 0;
    for (int64_t b = 0; b < BLOCKS; b++) {
        int64_t first, count = tg_resample_block(&run->resample, b, &first);
        if (taken[b] <= 0)
            continue;
        memcpy(some_x + rows * D, x + first * D, (size_t)(count * D) * sizeof(*x));
        memcpy(some_y + rows * (D - 1), y + first * (D - 1),
               (size_t)(count * (D - 1)) * sizeof(*y));
        rows += count;
    }
    double grow = sqrt((double)N / (double)rows);
    for (int64_t i = 0; i < rows * D; i++) {
        some_x[i] *= grow;
        some_y[i] *= grow;
    }
    struct tg_svcca_layer layers[] = {layer_of(some_x, rows, D), layer_of(some_y, rows, D - 1)};
    struct tg_ctx ctx = {.arena = tg_arena_new(1 << 24), .lanes = 1};
    struct tg_svcca svcca;
    ck_assert_int_eq(tg_svcca_run(&ctx, layers, 2, &every_measure, &svcca, NULL), TG_OK);
    ck_assert_int_eq(svcca.basis[0].k[0], 3); /* as of all samples */
    ck_assert_int_eq(svcca.basis[1].k[0], 3);
    struct tg_svcca_pair pair = svcca.pair[0];
    tg_arena_free(ctx.arena);
    return pair;
}

static void assert_replicates(const struct run *run, const double *x, const double *y)
{
    for (int64_t i = 0; i < run->resample.replicates; i++) {
        const double *taken = run->resample.taken + i * BLOCKS;
        struct tg_svcca_pair pair = scores_of_rows(run, taken, x, y);
        for (int k = 0; k < TG_SCORES; k++) {
            enum tg_score score = (enum tg_score)k;
            const double *got = tg_resample_scores(&run->resample, 0, score);
            if (got)
                ck_assert_msg(fabs(got[i] - tg_score_of(&every_measure, &pair, score)) < 1e-9,
                              "%s of replicate %d: %.15g", tg_score_name(score), (int)i, got[i]);
        }
    }
}

START_TEST(replicates_are_the_scores_of_the_rows_that_they_take)
{
    static double x[N * D], y[N * D];
    static const double smallest[] = {0.05, 1e-7, 1e-11};
    make_layers(x, y, smallest[_i]);
    struct tg_svcca_layer layers[] = {layer_of(x, N, D), layer_of(y, N, D - 1)};
    for (int how = TG_RESAMPLE_BLOCK_OUT; how <= TG_RESAMPLE_HALVES; how++) {
        struct run run;
        require_run(&run, layers, 2, &every_measure, (enum tg_resampling)how);
        assert_replicates(&run, x, y);
        close_run(&run);
    }
}
END_TEST

START_TEST(each_measure_has_the_same_replicates_alone)
{
    static double x[N * D], y[N * D];
    make_layers(x, y, 0.05);
    struct tg_svcca_layer layers[] = {layer_of(x, N, D), layer_of(y, N, D - 1)};
    for (int i = 0; tg_resample_has((enum tg_svcca_measure)i); i++) {
        struct tg_svcca_options options = every_measure;
        struct run run;
        options.measures = 1u << i;
        require_run(&run, layers, 2, &options, TG_RESAMPLE_BLOCK_OUT);
        assert_replicates(&run, x, y);
        for (int k = 0; k < TG_SCORES; k++)
            ck_assert_int_eq(tg_score_measure((enum tg_score)k) == (enum tg_svcca_measure)i,
                             tg_resample_scores(&run.resample, 0, (enum tg_score)k) != NULL);
        close_run(&run);
    }
}
END_TEST

START_TEST(halves_take_half_of_the_blocks_and_each_as_often)
{
    enum { MANY = 2000 };
    static double taken[MANY * BLOCKS];
    struct tg_resample resample = {
        .how = TG_RESAMPLE_HALVES, .seed = 3, .blocks = BLOCKS, .replicates = MANY, .taken = taken};
    double often[BLOCKS] = {0}, both = 0;
    tg_resample_start(&resample);
    for (int i = 0; i < MANY; i++) {
        double sum = 0;
        for (int b = 0; b < BLOCKS; b++) {
            sum += taken[i * BLOCKS + b];
            often[b] += taken[i * BLOCKS + b];
        }
        MUST(sum == BLOCKS / 2);
        both += taken[i * BLOCKS] * taken[i * BLOCKS + BLOCKS - 1];
    }
    for (int b = 0; b < BLOCKS; b++)
        ck_assert_double_eq_tol(often[b] / MANY, 0.5, 4 * 0.5 / sqrt(MANY));
    double chance = 0.5 * (BLOCKS / 2 - 1.0) / (BLOCKS - 1); /* of a pair of blocks */
    ck_assert_double_eq_tol(both / MANY, chance, 4 * sqrt(chance * (1 - chance) / MANY));
}
END_TEST

START_TEST(lanes_change_no_bit)
{
    static double x[N * D], y[N * D];
    make_layers(x, y, 0.05);
    struct tg_svcca_layer layers[] = {layer_of(x, N, D), layer_of(y, N, D - 1), layer_of(x, N, D)};
    struct tg_ctx lanes = {.lanes = LANE_COUNT, .parallel = lanes_parallel};
    struct run one, many;
    require_run(&one, layers, 3, &every_measure, TG_RESAMPLE_HALVES);
    ck_assert_int_eq(open_run(&many, layers, 3, &every_measure, TG_RESAMPLE_HALVES, &lanes),
                     TG_OK);
    ck_assert_uint_eq(many.resample.lanes, LANE_COUNT);
    ck_assert_int_eq(one.resample.nslots, TG_SCORE_B_TO_A + 1);
    ck_assert_mem_eq(one.resample.score, many.resample.score,
                     (size_t)(3 * one.resample.nslots * HALVES) * sizeof(double));
    close_run(&one);
    close_run(&many);
}
END_TEST

/* Of a mean both forms are the textbook's, for blocks of unequal size, too. */
START_TEST(the_interval_of_a_mean_is_the_textbook_s)
{
    enum { MANY = 4000, SAMPLES = BLOCKS * 7 };
    static double x[SAMPLES], replicate[MANY], sorted[MANY], taken[MANY * BLOCKS];
    double block[BLOCKS] = {0}, mean = 0, square = 0, first = 0;
    tg_rng_normal(31, 0, 0, SAMPLES, x);
    for (int i = 0; i < SAMPLES; i++) {
        block[i / 7] += x[i] / 7;
        mean += x[i] / SAMPLES;
    }
    for (int b = 0; b < BLOCKS; b++)
        square += (block[b] - mean) * (block[b] - mean);
    double se = sqrt(square / BLOCKS / (BLOCKS - 1)), t = tg_t_quantile(0.95, BLOCKS - 1);
    struct tg_resample resample = {.n = SAMPLES, .blocks = BLOCKS, .replicates = BLOCKS};
    struct tg_interval got;
    for (int b = 0; b < BLOCKS; b++)
        replicate[b] = (BLOCKS * mean - block[b]) / (BLOCKS - 1);
    tg_interval_make(&resample, 0.9, mean, replicate, sorted, &got);
    ck_assert_double_eq_tol(got.corrected, mean, 1e-14);
    ck_assert_double_eq_tol(got.se, se, 1e-14);
    ck_assert_double_eq_tol(got.low, mean - t * se, 1e-14);
    ck_assert_double_eq_tol(got.high, mean + t * se, 1e-14);
    ck_assert_double_eq_tol(got.p_zero, tg_t_two_sided(mean / se, BLOCKS - 1), 1e-14);

    resample = (struct tg_resample){.how = TG_RESAMPLE_HALVES,
                                    .n = SAMPLES,
                                    .blocks = BLOCKS,
                                    .replicates = MANY,
                                    .taken = taken};
    tg_resample_start(&resample);
    for (int i = 0; i < MANY; i++) {
        replicate[i] = 0;
        for (int b = 0; b < BLOCKS; b++)
            replicate[i] += taken[i * BLOCKS + b] * block[b] / (BLOCKS / 2);
        first += replicate[i] / MANY;
    }
    tg_interval_make(&resample, 0.9, mean, replicate, sorted, &got);
    ck_assert_double_eq_tol(got.corrected, 2 * mean - first, 1e-14);
    ck_assert_double_eq_tol(got.corrected, mean, 4 * se / sqrt(MANY));
    ck_assert_double_eq_tol(got.se / se, 1, 0.05);
    ck_assert_double_eq_tol((got.high - got.low) / (2 * t * se), 1, 0.1);
}
END_TEST

/* Moved until an end is 0, the p of 0 is what the level leaves. */
START_TEST(an_end_at_zero_has_the_p_of_its_level)
{
    enum { MANY = 999 };
    static double replicate[MANY], moved[MANY], sorted[MANY];
    tg_rng_normal(32, 0, 0, MANY, replicate);
    for (int how = TG_RESAMPLE_BLOCK_OUT; how <= TG_RESAMPLE_HALVES; how++)
        for (int high = 0; high < 2; high++) {
            struct tg_resample resample = {.how = (enum tg_resampling)how,
                                           .n = 1000,
                                           .blocks = 40,
                                           .replicates = how ? MANY : 40};
            struct tg_interval got;
            tg_interval_make(&resample, 0.95, 0.1, replicate, sorted, &got);
            double end = high ? got.high : got.low;
            for (int i = 0; i < MANY; i++)
                moved[i] = replicate[i] - end;
            tg_interval_make(&resample, 0.95, 0.1 - end, moved, sorted, &got);
            ck_assert_double_eq_tol(high ? got.high : got.low, 0, 1e-12);
            ck_assert_double_eq_tol(got.p_zero, 0.05, how ? 0.0025 : 1e-10);
        }
}
END_TEST

START_TEST(what_does_not_vary_has_no_width_and_what_is_not_known_no_interval)
{
    double replicate[BLOCKS], sorted[BLOCKS];
    struct tg_resample resample = {.n = 100, .blocks = BLOCKS, .replicates = BLOCKS};
    struct tg_interval got;
    for (int b = 0; b < BLOCKS; b++)
        replicate[b] = 1;
    tg_interval_make(&resample, 0.95, 1, replicate, sorted, &got);
    ck_assert_double_eq_tol(got.low, 1, 1e-14);
    ck_assert_double_eq_tol(got.high, 1, 1e-14);
    replicate[3] = NAN;
    tg_interval_make(&resample, 0.95, 1, replicate, sorted, &got);
    ck_assert_double_nan(got.low);
    got = (struct tg_interval){1.02, 0.1, -0.3, 1.4, 0.5};
    tg_interval_clip(TG_SCORE_CKA_DEBIASED, &got);
    ck_assert_double_eq(got.low, -0.3);
    ck_assert_double_eq(got.high, 1);
    tg_interval_clip(TG_SCORE_CKA, &got);
    ck_assert_double_eq(got.low, 0);
}
END_TEST

START_TEST(intervals_that_do_not_cover_are_told)
{
    static double x[N * D], y[N * D];
    make_layers(x, y, 0.05);
    struct tg_svcca_layer layers[] = {layer_of(x, N, D), layer_of(y, N, D - 1)};
    struct run run;
    struct tg_basis a, b;
    require_run(&run, layers, 2, &every_measure, TG_RESAMPLE_BLOCK_OUT);
    a = run.svcca.basis[0];
    b = run.svcca.basis[1];
    ck_assert_int_eq(run.standing[0].of_all, D - 1);
    ck_assert_int_eq(run.standing[0].all, D - 1); /* all five share half their variance */
    ck_assert_int_eq(run.standing[0].of_kept, 3);
    for (int i = 0; i < TG_SCORES; i++) {
        enum tg_score score = (enum tg_score)i;
        bool norms = i == TG_SCORE_CKA || i == TG_SCORE_CKA_DEBIASED || i == TG_SCORE_PROCRUSTES;
        bool few = !norms && i != TG_SCORE_SVCCA; /* 83 samples, 11 directions or 6 */
        ck_assert_int_eq(tg_interval_undercovers(&every_measure, score, &a, &b, &run.standing[0]),
                         few ? TG_FEW_SAMPLES : TG_COVERS);
    }
    a.n = 1000;
    run.standing[0].all--;
    ck_assert_int_eq(tg_interval_undercovers(&every_measure, TG_SCORE_CCA, &a, &b,
                                             &run.standing[0]),
                     TG_UNTOLD_DIRECTIONS);
    ck_assert_int_eq(tg_interval_undercovers(&every_measure, TG_SCORE_CCA_SQUARED, &a, &b,
                                             &run.standing[0]),
                     TG_COVERS);
    close_run(&run);
}
END_TEST

START_TEST(samples_that_do_not_span_a_layer_leave_the_score_unknown)
{
    enum { FEW = 16, UNITS = 8 };
    double x[FEW * UNITS], y[FEW * 2];
    tg_rng_normal(41, 0, 0, FEW * UNITS, x);
    tg_rng_normal(41, 1, 0, FEW * 2, y);
    struct tg_svcca_layer layers[] = {layer_of(x, FEW, UNITS), layer_of(y, FEW, 2)};
    struct run run;
    require_run(&run, layers, 2, &every_measure, TG_RESAMPLE_HALVES);
    ck_assert_double_nan(tg_resample_scores(&run.resample, 0, TG_SCORE_CCA)[0]);
    ck_assert_double_nan(tg_resample_scores(&run.resample, 0, TG_SCORE_A_TO_B)[0]);
    MUST(isfinite(tg_resample_scores(&run.resample, 0, TG_SCORE_CKA)[0]));
    MUST(isfinite(tg_resample_scores(&run.resample, 0, TG_SCORE_PROCRUSTES)[0]));
    close_run(&run);
}
END_TEST

Suite *interval_suite(void)
{
    Suite *suite = suite_create("interval");
    TCase *tc = tcase_create("replicates");
    tcase_add_loop_test(tc, replicates_are_the_scores_of_the_rows_that_they_take, 0, 3);
    tcase_add_test(tc, each_measure_has_the_same_replicates_alone);
    tcase_add_test(tc, halves_take_half_of_the_blocks_and_each_as_often);
    tcase_add_test(tc, lanes_change_no_bit);
    tcase_add_test(tc, samples_that_do_not_span_a_layer_leave_the_score_unknown);
    suite_add_tcase(suite, tc);
    tc = tcase_create("intervals");
    tcase_add_test(tc, the_interval_of_a_mean_is_the_textbook_s);
    tcase_add_test(tc, an_end_at_zero_has_the_p_of_its_level);
    tcase_add_test(tc, what_does_not_vary_has_no_width_and_what_is_not_known_no_interval);
    tcase_add_test(tc, intervals_that_do_not_cover_are_told);
    suite_add_tcase(suite, tc);
    return suite;
}

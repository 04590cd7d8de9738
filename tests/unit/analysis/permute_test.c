/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scores of shuffled samples, against every permutation and against exact moments. */
#include "svcca/permute.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "lanes.h"
#include "orders.h"
#include "svcca/influence.h"
#include "svcca/null.h"
#include "../suite.h"

Suite *permute_suite(void);

enum { MAX_LAYERS = 3, MANY = 4000 };

static const struct tg_svcca_options every_measure = {
    .measures = (1 << TG_SVCCA_MEASURES) - 1,
    .shape_alpha = 0.5,
    .samples = {.rbf_bandwidth = 1, .batch_size = 4, .neighbours = 3, .whole_tables = true},
    .threshold = 0.9};

/* A run with permutations, and the arena that holds it. */
struct run {
    struct tg_svcca_options options;
    struct tg_permute permute;
    struct tg_permuted permuted[MAX_LAYERS][TG_SCORES]; /* by pair */
    double m_before, m_after; /* that of the first pair, beside the permutations */
    struct tg_svcca svcca;
    struct tg_arena *arena;
};

static enum tg_err on_pair(void *arg, const struct tg_ctx *ctx,
                           const struct tg_svcca_pair_work *work)
{
    struct run *run = arg;
    run->m_before = work->m ? work->m[0] : 0;
    enum tg_err err = tg_permute_pair(ctx, work, &run->permute, run->permuted[work->index]);
    run->m_after = work->m ? work->m[0] : 0;
    return err;
}

static enum tg_err open_run(struct run *run, const struct tg_svcca_layer *layers, size_t n,
                            const struct tg_svcca_options *options, int64_t count,
                            struct tg_ctx *ctx)
{
    struct tg_svcca_hook hook = {.arg = run, .pair = on_pair};
    int64_t d = 0;
    *run = (struct run){.options = *options};
    for (size_t i = 0; i < n; i++)
        d = layers[i].mat.shape[1] > d ? layers[i].mat.shape[1] : d;
    run->permute = (struct tg_permute){.options = &run->options,
                                       .count = count,
                                       .seed = 7,
                                       .n = layers[0].mat.shape[0],
                                       .d = d};
    hook.needs = tg_permute_needs(options) | (options->nhooks ? options->hook->needs : 0);
    run->options.hook = &hook;
    run->options.nhooks = 1;
    ctx->arena = run->arena = tg_arena_new(1 << 28);
    tg_permute_layout(ctx->arena, ctx->lanes, &run->permute);
    enum tg_err err = tg_svcca_run(ctx, layers, n, &run->options, &run->svcca, NULL);
    run->options.hook = NULL;
    run->options.nhooks = 0;
    return err;
}

static void require_run(struct run *run, const struct tg_svcca_layer *layers, size_t n,
                        const struct tg_svcca_options *options, int64_t count)
{
    struct tg_ctx ctx = {.lanes = 1};
    ck_assert_int_eq(open_run(run, layers, n, options, count, &ctx), TG_OK);
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

/* Every score of every order of the samples of y: sums, and how many reach the first. */
START_TEST(sampled_orders_are_spread_like_all_of_them)
{
    enum { N = 6, DA = 2, DB = 3, ORDERS = 720 };
    double x[N * DA], y[N * DB], moved[N * DB];
    double first[TG_SCORES], sum[TG_SCORES] = {0}, square[TG_SCORES] = {0};
    int64_t order[N] = {0, 1, 2, 3, 4, 5};
    int reached[TG_SCORES] = {0}, orders = 0;
    tg_rng_normal(3, 0, 0, N * DA, x);
    tg_rng_normal(3, 1, 0, N * DB, y);
    for (int i = 0; i < N; i++)
        y[i * DB] += 2 * x[i * DA];
    do {
        struct tg_svcca_layer layers[] = {layer_of(x, N, DA), layer_of(moved, N, DB)};
        struct tg_ctx ctx = {.arena = tg_arena_new(1 << 24), .lanes = 1};
        struct tg_svcca svcca;
        for (int i = 0; i < N; i++)
            memcpy(moved + i * DB, y + order[i] * DB, DB * sizeof(*y));
        ck_assert_int_eq(tg_svcca_run(&ctx, layers, 2, &every_measure, &svcca, NULL), TG_OK);
        for (int i = 0; i < TG_SCORES; i++) {
            double score = tg_score_of(&every_measure, svcca.pair, (enum tg_score)i);
            if (!orders)
                first[i] = score;
            sum[i] += score;
            square[i] += score * score;
            reached[i] += score >= first[i] - 1e-9;
        }
        orders++;
        tg_arena_free(ctx.arena);
    } while (next_order(order, N));
    ck_assert_int_eq(orders, ORDERS);
    struct tg_svcca_layer layers[] = {layer_of(x, N, DA), layer_of(y, N, DB)};
    struct run run;
    require_run(&run, layers, 2, &every_measure, MANY);
    for (int i = 0; i < TG_SCORES; i++) {
        const struct tg_permuted *got = &run.permuted[0][i];
        double mean = sum[i] / ORDERS, variance = square[i] / ORDERS - mean * mean;
        double share = (double)reached[i] / ORDERS;
        ck_assert_double_eq_tol(got->mean, mean, 4 * sqrt(variance / MANY) + 1e-9);
        ck_assert_double_eq_tol(got->sd, sqrt(variance), 0.1 * sqrt(variance) + 1e-9);
        ck_assert_double_eq_tol(got->p, share,
                                4 * sqrt(share * (1 - share) / MANY) + 1.0 / MANY);
    }
    close_run(&run);
}
END_TEST

enum { N = 60, D = 8 };

/* Far from Gaussian, different scales, a shared part when asked for. */
static void make_layers(double *x, double *y, double shared)
{
    tg_rng_normal(11, 0, 0, N * D, x);
    tg_rng_normal(11, 1, 0, N * D, y);
    for (int i = 0; i < N * D; i++) {
        x[i] = x[i] * x[i] * x[i] * (1 + i % D);
        y[i] = exp(y[i]) + shared * x[i];
    }
}

static struct tg_gram_trace trace_of(const struct tg_basis *basis)
{
    struct tg_gram_trace trace = {0};
    for (int64_t i = 0; i < basis->rank; i++) {
        double square = basis->s[i] * basis->scale * basis->s[i] * basis->scale;
        trace.one += square;
        trace.two += square * square;
        trace.three += square * square * square;
    }
    for (int64_t i = 0; i < basis->n; i++)
        trace.diagonal2 += basis->x_row2[i] * basis->x_row2[i];
    return trace;
}

START_TEST(moments_that_are_known_exactly_are_met)
{
    double x[N * D], y[N * D];
    const double error = 4 / sqrt(MANY);
    make_layers(x, y, 0.3);
    struct tg_svcca_layer layers[] = {layer_of(x, N, D), layer_of(y, N, D)};
    struct run run;
    require_run(&run, layers, 2, &every_measure, MANY);
    const struct tg_permuted *got = run.permuted[0];
    const struct tg_basis *a = &run.svcca.basis[0], *b = &run.svcca.basis[1];
    struct tg_gram_trace ta = trace_of(a), tb = trace_of(b);
    struct tg_chance cka = tg_gram_chance(N, &ta, &tb);
    double norms = sqrt(ta.two) * sqrt(tb.two), chance = (double)D / (N - 1);
    ck_assert_double_eq_tol(got[TG_SCORE_CKA].mean, cka.mean / norms, error * cka.sd / norms);
    ck_assert_double_eq_tol(got[TG_SCORE_CKA].sd * norms / cka.sd, 1, 0.1);
    ck_assert_double_eq_tol(got[TG_SCORE_CKA].p, tg_chance_p(&cka, run.svcca.pair->cka * norms),
                            0.02);
    struct tg_chance debiased = tg_cka_debiased_chance(N, &ta, &tb);
    ck_assert_double_eq_tol(got[TG_SCORE_CKA_DEBIASED].mean, 0, error * debiased.sd);
    ck_assert_double_eq_tol(got[TG_SCORE_CKA_DEBIASED].sd / debiased.sd, 1, 0.1);
    struct tg_rdm_chances rdm =
        tg_rdm_chance(&run.svcca.samples[0].rdm, &run.svcca.samples[1].rdm);
    const struct { enum tg_score score; struct tg_chance chance; } tables[] = {
        {TG_SCORE_RSA_PEARSON, rdm.pearson},
        {TG_SCORE_RSA_SPEARMAN, rdm.spearman},
        {TG_SCORE_RSA_COSINE, rdm.cosine},
        {TG_SCORE_RSA_WHITENED, rdm.whitened},
        {TG_SCORE_CKA_MINIBATCH, tg_batches_chance(&run.svcca.samples[0].batches,
                                                   &run.svcca.samples[1].batches)},
        {TG_SCORE_KNN, tg_neighbours_chance(&run.svcca.samples[0].neighbours,
                                            &run.svcca.samples[1].neighbours)}};
    for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
        const struct tg_permuted *of = &got[tables[i].score];
        const struct tg_chance *exact = &tables[i].chance;
        ck_assert_double_eq_tol(of->mean, exact->mean, error * exact->sd);
        ck_assert_double_eq_tol(of->sd / exact->sd, 1, 0.1);
    }
    const enum tg_score linear[] = {TG_SCORE_CCA_SQUARED, TG_SCORE_A_TO_B, TG_SCORE_B_TO_A};
    for (size_t i = 0; i < 3; i++) /* E tr(P_a P_b) = r_a r_b / (n - 1), whatever the data */
        ck_assert_double_eq_tol(got[linear[i]].mean, chance, error * got[linear[i]].sd);
    for (int i = 0; i < TG_SCORES; i++) {
        ck_assert_double_lt(got[i].median, got[i].q95);
        ck_assert_double_lt(got[i].q95, got[i].q99);
        ck_assert_double_eq(tg_permute_family_p(&run.permute, (enum tg_score)i, got[i].z),
                            got[i].p);
    }
    close_run(&run);
}
END_TEST

START_TEST(the_null_is_the_same_in_any_company_and_on_any_route)
{
    double x[N * D], y[N * D];
    make_layers(x, y, 0.3);
    for (int i = 0; i < N; i++) /* the routes to a basis: condition 1e3, 1e6 */
        x[i * D] *= _i ? 1e-6 : 1;
    struct tg_svcca_layer layers[] = {layer_of(x, N, D), layer_of(y, N, D)};
    struct tg_svcca_hook decomposing = {.needs = TG_BASIS_ALL | TG_BASIS_U};
    struct run all, some;
    require_run(&all, layers, 2, &every_measure, 20);
    for (uint64_t measures = 1; measures < 2 << TG_SVCCA_REGRESSION; measures += 3)
        for (int hooked = 0; hooked < 2; hooked++) {
            struct tg_svcca_options options = every_measure;
            options.measures = measures;
            options.hook = &decomposing;
            options.nhooks = (size_t)hooked;
            require_run(&some, layers, 2, &options, 20);
            ck_assert_double_eq(some.m_before, some.m_after);
            for (int i = 0; i < TG_SCORES; i++) {
                const struct tg_permuted *got = &some.permuted[0][i];
                if (!tg_score_asked(&options, (enum tg_score)i)) {
                    MUST(isnan(got->mean));
                    continue;
                }
                MUST(fabs(got->mean - all.permuted[0][i].mean) < 1e-9);
                MUST(fabs(got->q95 - all.permuted[0][i].q95) < 1e-9);
                MUST(got->p == all.permuted[0][i].p);
            }
            close_run(&some);
        }
    close_run(&all);
}
END_TEST

START_TEST(lanes_change_no_bit_and_each_layer_has_its_own_orders)
{
    double x[N * D], y[N * D], z[N * D];
    make_layers(x, y, 0);
    tg_rng_normal(12, 0, 0, N * D, z);
    struct tg_svcca_layer layers[] = {layer_of(x, N, D), layer_of(y, N, D), layer_of(z, N, D)};
    struct tg_ctx lanes = {.lanes = LANE_COUNT, .parallel = lanes_parallel};
    struct run one, many;
    require_run(&one, layers, 3, &every_measure, 100);
    struct tg_svcca_options held = every_measure;
    held.samples.hold_bytes = 1 << 24; /* nor does it whether tables are held or made anew */
    ck_assert_int_eq(open_run(&many, layers, 3, &held, 100, &lanes), TG_OK);
    ck_assert(!one.svcca.tables_held && many.svcca.tables_held);
    ck_assert_uint_eq(many.permute.lanes, LANE_COUNT);
    ck_assert_mem_eq(one.permuted, many.permuted, sizeof(one.permuted));
    ck_assert_mem_eq(one.permute.highest, many.permute.highest,
                     TG_SCORES * 100 * sizeof(double));
    /* a family of three is reached at least as often as one pair is */
    for (int pair = 0; pair < 3; pair++)
        for (int i = 0; i < TG_SCORES; i++)
            ck_assert_double_ge(tg_permute_family_p(&one.permute, (enum tg_score)i,
                                                    one.permuted[pair][i].z),
                                one.permuted[pair][i].p);
    /* orders belong to layers, so pairs have different ones */
    ck_assert_double_ne(one.permuted[0][0].mean, one.permuted[1][0].mean);
    close_run(&one);
    close_run(&many);
}
END_TEST

START_TEST(equal_layers_have_the_least_p_there_is)
{
    double x[N * D], y[N * D];
    make_layers(x, y, 0);
    struct tg_svcca_layer layers[] = {layer_of(x, N, D), layer_of(x, N, D)};
    struct run run;
    require_run(&run, layers, 2, &every_measure, 99);
    for (int i = 0; i < TG_SCORES; i++)
        ck_assert_double_eq(run.permuted[0][i].p, 0.01);
    close_run(&run);
}
END_TEST

START_TEST(a_score_that_cannot_vary_reaches_itself_always)
{
    enum { FEW = 8 };
    double x[FEW * 7], y[FEW * 2];
    tg_rng_normal(13, 0, 0, FEW * 7, x);
    tg_rng_normal(13, 1, 0, FEW * 2, y);
    struct tg_svcca_layer layers[] = {layer_of(x, FEW, 7), layer_of(y, FEW, 2)};
    struct run run; /* seven dimensions are all there are: every correlation is 1 */
    require_run(&run, layers, 2, &every_measure, 50);
    ck_assert_double_eq(run.permuted[0][TG_SCORE_CCA].p, 1);
    ck_assert_double_eq_tol(run.permuted[0][TG_SCORE_CCA].mean, 1, 1e-12);
    close_run(&run);
}
END_TEST

START_TEST(a_stop_ends_it)
{
    double x[N * D], y[N * D];
    atomic_int stop = TG_STOP_CANCEL;
    make_layers(x, y, 0);
    struct tg_svcca_layer layers[] = {layer_of(x, N, D), layer_of(y, N, D)};
    struct tg_ctx ctx = {.lanes = 1};
    struct run run;
    require_run(&run, layers, 2, &every_measure, 5);
    struct tg_permuted permuted[TG_SCORES];
    struct tg_svcca_pair_work work = {.svcca = &run.svcca,
                                      .samples_a = &run.svcca.samples[0],
                                      .samples_b = &run.svcca.samples[1],
                                      .a = &run.svcca.basis[0],
                                      .b = &run.svcca.basis[1]};
    ctx.stop = &stop;
    ck_assert_int_eq(tg_permute_pair(&ctx, &work, &run.permute, permuted), TG_CANCELLED);
    close_run(&run);
}
END_TEST

Suite *permute_suite(void)
{
    Suite *suite = suite_create("permute");
    TCase *tc = tcase_create("permutations");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, sampled_orders_are_spread_like_all_of_them);
    tcase_add_test(tc, moments_that_are_known_exactly_are_met);
    tcase_add_loop_test(tc, the_null_is_the_same_in_any_company_and_on_any_route, 0, 2);
    tcase_add_test(tc, lanes_change_no_bit_and_each_layer_has_its_own_orders);
    tcase_add_test(tc, equal_layers_have_the_least_p_there_is);
    tcase_add_test(tc, a_score_that_cannot_vary_reaches_itself_always);
    tcase_add_test(tc, a_stop_ends_it);
    suite_add_tcase(suite, tc);
    return suite;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Single outputs and subsets of units, against numpy (tests/golden/svcca_classes.py). */
#include "svcca/classes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/rng.h"
#include "svcca/subset.h"
#include "svcca/svcca.h"
#include "../suite.h"

Suite *classes_suite(void);

enum { N = 40, D = 6, C = 3, M = 3, Q = 4, SETS = 2 };

/* What is asked of a layer's basis while it is there, and the answers. */
struct work {
    double x[N * D], y[SETS][N * C], v[D * C];
    int64_t k, unit[M];
    double cca[SETS][C], svcca[SETS][C], adjusted[SETS][C];
    double r2[Q], own[Q]; /* of singular directions: in M units, in all of them */
    int64_t rank;
    struct tg_subset_scratch scratch;
};

static void numbers(FILE *file, double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(fscanf(file, "%lf", &x[i]), 1);
}

static enum tg_err on_layer(void *arg, const struct tg_ctx *ctx, int64_t index,
                            const struct tg_basis *basis)
{
    static const int64_t all[D] = {5, 4, 3, 2, 1, 0};
    static const double identity[D * D] = {1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0,
                                           0, 0, 1, 0, 0, 0, 0, 0, 0, 1};
    struct work *work = arg;
    if (index)
        return TG_OK;
    for (int i = 0; i < SETS; i++) {
        const struct tg_classes_row row = {work->cca[i], work->svcca[i], work->adjusted[i]};
        TG_TRY(tg_classes_correlate(ctx, basis, work->y[i], C, work->k, work->v, &row));
    }
    TG_TRY(tg_subset_share(ctx, basis, all, D, identity, D, D, 1, Q, &work->scratch, work->own,
                           &work->rank));
    ck_assert_int_eq(work->rank, D);
    TG_TRY(tg_subset_share(ctx, basis, work->unit, M, identity, D, D, 1, Q, &work->scratch,
                           work->r2, &work->rank));
    for (int j = 0; j < Q; j++) { /* the same, given by rows */
        double again;
        TG_TRY(tg_subset_share(ctx, basis, work->unit, M, identity + j * D, D, 1, D, 1,
                               &work->scratch, &again, &work->rank));
        ck_assert_double_eq(again, work->r2[j]);
    }
    return TG_OK;
}

static void run(struct work *work)
{
    struct tg_svcca_layer layers[] = {{.name = "x"}, {.name = "y"}};
    struct tg_svcca_hook hook = {
        .arg = work,
        .needs = TG_BASIS_U | TG_BASIS_S | TG_BASIS_ALL | TG_BASIS_F,
        .layer = on_layer};
    struct tg_svcca_options options = {.measures = 1 << TG_SVCCA_SVCCA,
                                       .threshold = 0.9,
                                       .hook = &hook,
                                       .nhooks = 1};
    struct tg_ctx ctx = {.arena = tg_arena_new(1 << 22), .lanes = 1};
    struct tg_svcca svcca;
    for (int i = 0; i < 2; i++)
        ck_assert(
            tg_mat_init(&layers[i].mat, work->x, TG_F64, 2, (int64_t[]){N, D}, false));
    tg_subset_layout(ctx.arena, D, D, Q, &work->scratch);
    ck_assert_int_eq(tg_svcca_run(&ctx, layers, 2, &options, &svcca, NULL), TG_OK);
    ck_assert_int_eq(svcca.basis[0].k[TG_SVCCA_VARIANCE], work->k);
    tg_arena_free(ctx.arena);
}

static void assert_near(FILE *file, const double *got, size_t n, double tolerance)
{
    for (size_t i = 0; i < n; i++) {
        double expected;
        numbers(file, &expected, 1);
        ck_assert_double_eq_tol(got[i], expected, tolerance);
    }
}

START_TEST(agrees_with_numpy)
{
    static struct work work;
    FILE *file = fopen(TG_GOLDEN "/svcca_classes.txt", "r");
    double sizes[6], logits[N * C], label[N], unit[M];
    int64_t class[N];
    struct tg_mat mat;
    ck_assert_ptr_nonnull(file);
    numbers(file, sizes, 6);
    ck_assert(sizes[0] == N && sizes[1] == D && sizes[2] == C && sizes[3] == M && sizes[4] == Q);
    work.k = (int64_t)sizes[5];
    numbers(file, work.x, N * D);
    numbers(file, logits, N * C);
    numbers(file, label, N);
    for (int i = 0; i < N; i++)
        class[i] = (int64_t)label[i];
    long place = ftell(file);
    double skipped[2 * 3 * C];
    numbers(file, skipped, 2 * 3 * C);
    numbers(file, unit, M);
    for (int i = 0; i < M; i++)
        work.unit[i] = (int64_t)unit[i];
    ck_assert(tg_mat_init(&mat, logits, TG_F64, 2, (int64_t[]){N, C}, false));
    ck_assert(tg_classes_logits(&mat, work.y[0]));
    tg_classes_indicators(N, C, class, work.y[1]);
    run(&work);
    ck_assert_int_eq(fseek(file, place, SEEK_SET), 0);
    for (int i = 0; i < SETS; i++) {
        assert_near(file, work.cca[i], C, 1e-12);
        assert_near(file, work.svcca[i], C, 1e-12);
        assert_near(file, work.adjusted[i], C, 1e-12);
    }
    numbers(file, unit, M);
    assert_near(file, work.r2, Q, 1e-12);
    ck_assert_int_eq(work.rank, M);
    for (int j = 0; j < Q; j++)
        ck_assert_double_eq_tol(work.own[j], 1, 1e-13);
    fclose(file);
}
END_TEST

START_TEST(a_class_that_never_changes_has_no_correlation)
{
    static struct work work;
    int64_t class[N];
    tg_rng_normal(1, 0, 0, N * D, work.x);
    for (int i = 0; i < N; i++) {
        class[i] = i % 2;
        work.x[i * D + 1] += i % 2 ? 20 : 0;
    }
    work.k = 1; /* that unit holds 90 % of the layer */
    tg_classes_indicators(N, C, class, work.y[0]);
    tg_classes_indicators(N, C, class, work.y[1]);
    run(&work);
    ck_assert(isnan(work.cca[0][2]) && isnan(work.svcca[0][2]) && isnan(work.adjusted[0][2]));
    ck_assert_double_gt(work.cca[0][0], 0.9);
    ck_assert_double_eq_tol(work.cca[0][0], work.cca[0][1], 1e-14);
}
END_TEST

START_TEST(huge_logits_do_not_overflow_and_infinite_ones_are_told)
{
    double logits[N * C], y[N * C], sum = 0;
    struct tg_mat mat;
    for (int i = 0; i < N * C; i++)
        logits[i] = 1e300 * (i % 7 - 3);
    ck_assert(tg_mat_init(&mat, logits, TG_F64, 2, (int64_t[]){N, C}, false));
    ck_assert(tg_classes_logits(&mat, y));
    for (int i = 0; i < N; i++)
        sum += y[i * C] * y[i * C];
    ck_assert_double_eq_tol(sum, 1, 1e-13);
    logits[7] = INFINITY;
    ck_assert(!tg_classes_logits(&mat, y));
}
END_TEST

Suite *classes_suite(void)
{
    Suite *suite = suite_create("classes");
    TCase *all = tcase_create("all");
    tcase_add_test(all, agrees_with_numpy);
    tcase_add_test(all, a_class_that_never_changes_has_no_correlation);
    tcase_add_test(all, huge_logits_do_not_overflow_and_infinite_ones_are_told);
    suite_add_tcase(suite, all);
    return suite;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CKA without each sample, against leaving the sample out. */
#include "svcca/influence.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "svcca/svcca.h"
#include "../suite.h"

Suite *influence_suite(void);

enum { N = 30, DA = 5, DB = 8 };

struct found {
    struct tg_influence_scratch scratch;
    double cka[N], debiased[N];
};

static enum tg_err on_pair(void *arg, const struct tg_ctx *ctx,
                           const struct tg_svcca_pair_work *work)
{
    struct found *found = arg;
    return tg_influence_pair(ctx, work->a, work->b, work->m, &found->scratch, found->cka,
                             found->debiased);
}

/* The scores of the first n rows; with `found` also the influence of every sample. */
static struct tg_svcca_pair scores(const double *x, const double *y, int64_t n,
                                   struct found *found)
{
    struct tg_svcca_layer layers[] = {{.name = "x"}, {.name = "y"}};
    ck_assert(tg_mat_init(&layers[0].mat, x, TG_F64, 2, (int64_t[]){n, DA}, false));
    ck_assert(tg_mat_init(&layers[1].mat, y, TG_F64, 2, (int64_t[]){n, DB}, false));
    struct tg_svcca_hook hook = {
        .arg = found, .needs = TG_BASIS_ALL | TG_BASIS_U, .pair = on_pair};
    struct tg_svcca_options options = {.measures = 15, .threshold = 0.99};
    struct tg_ctx ctx = {.arena = tg_arena_new(1 << 24), .lanes = 1};
    struct tg_svcca svcca;
    if (found) {
        tg_influence_layout(ctx.arena, n, DB, &found->scratch);
        options.hook = &hook;
        options.nhooks = 1;
    }
    ck_assert_int_eq(tg_svcca_run(&ctx, layers, 2, &options, &svcca, NULL), TG_OK);
    struct tg_svcca_pair pair = svcca.pair[0];
    tg_arena_free(ctx.arena);
    return pair;
}

static void without(const double *x, int64_t d, int64_t row, double *rest)
{
    memcpy(rest, x, (size_t)(row * d) * sizeof(*x));
    memcpy(rest + row * d, x + (row + 1) * d, (size_t)((N - 1 - row) * d) * sizeof(*x));
}

static void make_pair(double *x, double *y)
{
    tg_rng_normal(5, 0, 0, N * DA, x);
    tg_rng_normal(5, 1, 0, N * DB, y);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < DA; j++) {
            y[i * DB + j] += x[i * DA + j];
            x[i * DA + j] += 100 * j;
        }
}

START_TEST(equals_leaving_each_sample_out)
{
    double x[N * DA], y[N * DB], fewer_x[N * DA], fewer_y[N * DB];
    struct found found;
    make_pair(x, y);
    scores(x, y, N, &found);
    for (int i = 0; i < N; i++) {
        without(x, DA, i, fewer_x);
        without(y, DB, i, fewer_y);
        struct tg_svcca_pair pair = scores(fewer_x, fewer_y, N - 1, NULL);
        ck_assert_double_eq_tol(found.cka[i], pair.cka, 1e-10);
        ck_assert_double_eq_tol(found.debiased[i], pair.cka_debiased, 1e-10);
    }
}
END_TEST

START_TEST(one_outlier_stands_out)
{
    double x[N * DA], y[N * DB];
    struct found found;
    make_pair(x, y);
    for (int j = 0; j < DA; j++)
        x[7 * DA + j] = 100 * j + 40;
    struct tg_svcca_pair pair = scores(x, y, N, &found);
    double most = 0;
    int which = 0;
    for (int i = 0; i < N; i++)
        if (fabs(found.cka[i] - pair.cka) > most) {
            most = fabs(found.cka[i] - pair.cka);
            which = i;
        }
    ck_assert_int_eq(which, 7);
    ck_assert_double_gt(most, 0.1);
}
END_TEST

START_TEST(what_depends_on_one_sample_alone_is_undefined_without_it)
{
    double x[N * DA] = {0}, y[N * DB];
    struct found found;
    tg_rng_normal(5, 1, 0, N * DB, y);
    x[3 * DA] = 1;
    scores(x, y, N, &found);
    ck_assert_double_nan(found.cka[3]);
    ck_assert(isfinite(found.cka[4]));
}
END_TEST

Suite *influence_suite(void)
{
    Suite *suite = suite_create("influence");
    TCase *values = tcase_create("values");
    tcase_add_test(values, equals_leaving_each_sample_out);
    tcase_add_test(values, one_outlier_stands_out);
    tcase_add_test(values, what_depends_on_one_sample_alone_is_undefined_without_it);
    suite_add_tcase(suite, values);
    return suite;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Directions of a pair by what they are defined to be. */
#include "svcca/directions.h"

#include <math.h>

#include "core/rng.h"
#include "svcca/svcca.h"
#include "../suite.h"

Suite *directions_suite(void);

enum { N = 300, DA = 6, DB = 9, MOST = 4 };

/* The layers, what is found, and the memory for it. */
struct fixture {
    double x[N * DA], y[N * DB];
    struct tg_mat mat[2];
    double variates[2][N * MOST], coefficients[2][DB * MOST], loadings[2][DB * MOST];
    double explained[2][MOST], rho[DA];
    struct tg_directions found;
    struct tg_directions_scratch scratch;
};

static enum tg_err on_pair(void *arg, const struct tg_ctx *ctx,
                           const struct tg_svcca_pair_work *work)
{
    struct fixture *f = arg;
    const struct tg_basis *const basis[] = {work->a, work->b};
    const struct tg_mat *const mat[] = {&f->mat[0], &f->mat[1]};
    const int64_t k[] = {work->a->k[0], work->b->k[0]};
    return tg_directions_make(ctx, basis, mat, work->m, k, &f->scratch, &f->found);
}

static void find(struct fixture *f, double threshold)
{
    ck_assert(tg_mat_init(&f->mat[0], f->x, TG_F64, 2, (int64_t[]){N, DA}, false));
    ck_assert(tg_mat_init(&f->mat[1], f->y, TG_F64, 2, (int64_t[]){N, DB}, false));
    struct tg_svcca_layer layers[] = {{.name = "x", .mat = f->mat[0]},
                                      {.name = "y", .mat = f->mat[1]}};
    struct tg_svcca_hook hook = {
        .arg = f, .needs = TG_BASIS_U | TG_BASIS_S, .pair = on_pair};
    struct tg_svcca_options options = {
        .measures = 2, .threshold = threshold, .hook = &hook, .nhooks = 1};
    struct tg_ctx ctx = {.arena = tg_arena_new(1 << 24), .lanes = 1};
    struct tg_svcca svcca;
    f->found = (struct tg_directions){.ld = MOST};
    for (int i = 0; i < 2; i++)
        f->found.side[i] = (struct tg_directions_side){f->variates[i], f->coefficients[i],
                                                       f->loadings[i], f->explained[i]};
    tg_directions_layout(ctx.arena, N, DB, MOST, &f->scratch);
    ck_assert_int_eq(tg_svcca_run(&ctx, layers, 2, &options, &svcca, NULL), TG_OK);
    for (int i = 0; i < MOST; i++)
        f->rho[i] = svcca.svcca_rho[i];
    tg_arena_free(ctx.arena);
}

static void make(struct fixture *f)
{
    tg_rng_normal(9, 0, 0, N * DA, f->x);
    tg_rng_normal(9, 1, 0, N * DB, f->y);
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < DA; j++) {
            f->y[i * DB + j] += (3 - 0.5 * j) * f->x[i * DA + j];
            f->x[i * DA + j] += 1000 * j;
        }
        f->x[i * DA + DA - 1] = 7; /* never changes */
    }
}

static double correlation(const double *x, int64_t ldx, const double *y, int64_t ldy)
{
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    for (int i = 0; i < N; i++) {
        mx += x[i * ldx] / N;
        my += y[i * ldy] / N;
    }
    for (int i = 0; i < N; i++) {
        xx += (x[i * ldx] - mx) * (x[i * ldx] - mx);
        yy += (y[i * ldy] - my) * (y[i * ldy] - my);
        xy += (x[i * ldx] - mx) * (y[i * ldy] - my);
    }
    return xx > 0 ? xy / sqrt(xx * yy) : 0;
}

START_TEST(variates_correlate_as_svcca_says)
{
    static struct fixture f;
    make(&f);
    find(&f, 0.99);
    ck_assert_int_eq(f.found.count, MOST);
    for (int k = 0; k < MOST; k++)
        for (int j = 0; j < MOST; j++) {
            double want = j == k ? f.rho[k] : 0;
            ck_assert_double_eq_tol(
                correlation(f.variates[0] + k, MOST, f.variates[1] + j, MOST), want,
                1e-10);
        }
}
END_TEST

static void assert_side(const double *x, int64_t d, const struct tg_directions_side *side)
{
    double variance = 0;
    for (int64_t j = 0; j < d; j++)
        for (int i = 0; i < N; i++) {
            double mean = 0;
            for (int r = 0; r < N; r++)
                mean += x[r * d + j] / N;
            variance += (x[i * d + j] - mean) * (x[i * d + j] - mean);
        }
    for (int k = 0; k < MOST; k++) {
        double explained = 0;
        for (int64_t j = 0; j < d; j++) {
            double r = correlation(side->variates + k, MOST, x + j, d), product = 0;
            ck_assert_double_eq_tol(side->loadings[j * MOST + k], r, 1e-9);
            for (int i = 0; i < N; i++)
                product += side->variates[i * MOST + k] * (x[i * d + j] - x[j]);
            explained += product * product;
        }
        ck_assert_double_eq_tol(side->explained[k], explained / variance, 1e-10);
    }
}

START_TEST(loadings_are_correlations_with_units)
{
    static struct fixture f;
    make(&f);
    find(&f, 0.99);
    assert_side(f.x, DA, &f.found.side[0]);
    assert_side(f.y, DB, &f.found.side[1]);
}
END_TEST

START_TEST(coefficients_make_the_variates)
{
    static struct fixture f;
    make(&f);
    find(&f, 0.95);
    for (int s = 0; s < 2; s++) {
        const double *x = s ? f.y : f.x, *c = f.coefficients[s];
        int64_t d = s ? DB : DA;
        for (int k = 0; k < f.found.count; k++) {
            double mean = 0;
            for (int i = 0; i < N; i++)
                for (int64_t j = 0; j < d; j++)
                    mean += (x[i * d + j] - x[j]) * c[j * MOST + k] / N;
            for (int i = 0; i < N; i++) {
                double h = -mean;
                for (int64_t j = 0; j < d; j++)
                    h += (x[i * d + j] - x[j]) * c[j * MOST + k];
                ck_assert_double_eq_tol(h, f.variates[s][i * MOST + k], 1e-10);
            }
        }
    }
}
END_TEST

START_TEST(signs_do_not_depend_on_the_data_s_sign)
{
    static struct fixture f, g;
    make(&f);
    make(&g);
    for (int i = 0; i < N * DB; i++)
        g.y[i] = -g.y[i];
    find(&f, 0.99);
    find(&g, 0.99);
    for (int k = 0; k < MOST; k++) {
        double peak = 0;
        for (int j = 0; j < DA; j++) {
            ck_assert_double_eq_tol(f.loadings[0][j * MOST + k],
                                    g.loadings[0][j * MOST + k], 1e-9);
            if (fabs(f.loadings[0][j * MOST + k]) > fabs(peak))
                peak = f.loadings[0][j * MOST + k];
        }
        ck_assert_double_gt(peak, 0);
    }
}
END_TEST

Suite *directions_suite(void)
{
    Suite *suite = suite_create("directions");
    TCase *values = tcase_create("values");
    tcase_add_test(values, variates_correlate_as_svcca_says);
    tcase_add_test(values, loadings_are_correlations_with_units);
    tcase_add_test(values, coefficients_make_the_variates);
    tcase_add_test(values, signs_do_not_depend_on_the_data_s_sign);
    suite_add_tcase(suite, values);
    return suite;
}

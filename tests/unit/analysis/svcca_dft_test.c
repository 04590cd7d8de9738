/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DFT-CCA against numpy (tests/golden/svcca_dft.py), flattened CCA, and its invariances. */
#include "svcca/dft.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "lanes.h"
#include "svcca/fourier.h"
#include "../suite.h"

Suite *svcca_dft_suite(void);

enum { MAX_LAYERS = 4, MAX_NUMBERS = 1 << 13 };

static const struct tg_svcca_options every_measure = {.measures = TG_DFT_MEASURES,
                                                      .both_rules = true,
                                                      .shape_alpha = 0.5,
                                                      .threshold = 0.9};

/* Layers with their places, as a job gives them. */
struct set {
    struct tg_svcca_layer layer[MAX_LAYERS];
    struct tg_places places[MAX_LAYERS];
    struct tg_fold fold[MAX_LAYERS];
    size_t n;
};

static void add(struct set *set, const char *name, const void *data, enum tg_dtype dtype,
                enum tg_layout layout, const int64_t *shape, int ndim)
{
    struct tg_mat array;
    size_t i = set->n++;
    ck_assert(tg_mat_init(&array, data, dtype, ndim, shape, false));
    set->layer[i] = (struct tg_svcca_layer){.name = name};
    ck_assert(tg_layout_places(&array, layout, &set->places[i]));
    ck_assert(tg_layout_fold(&array, layout, TG_DFT, &set->fold[i], &set->layer[i].mat));
}

/* n x h x w x c. */
static void add_nhwc(struct set *set, const char *name, const double *data, int64_t n,
                     int64_t h, int64_t w, int64_t c)
{
    add(set, name, data, TG_F64, TG_LAYOUT_NHWC, (int64_t[]){n, h, w, c}, 4);
}

struct outcome {
    struct tg_svcca svcca;
    struct tg_dft dft;
    struct tg_arena *arena;
    struct tg_report report;
};

static enum tg_err run_in(struct outcome *run, const struct set *set,
                          const struct tg_svcca_options *options, struct tg_ctx ctx)
{
    struct tg_svcca_cost cost;
    ck_assert_int_eq(tg_dft_cost(set->layer, set->places, set->n, options, &cost), TG_OK);
    ck_assert(cost.flops > 0 && cost.read_bytes > 0);
    ctx.arena = run->arena = tg_arena_new(cost.bytes);
    tg_report_init(&run->report);
    enum tg_err err = tg_dft_run(&ctx, set->layer, set->places, set->n, options, &run->svcca,
                                 &run->dft, &run->report);
    ck_assert_uint_eq(tg_arena_high_water(run->arena), cost.bytes);
    return err;
}

static void require_run(struct outcome *run, const struct set *set,
                        const struct tg_svcca_options *options)
{
    enum tg_err err = run_in(run, set, options, (struct tg_ctx){.lanes = 1});
    ck_assert_msg(err == TG_OK, "%s: %s", tg_err_slug(err), run->report.detail);
}

static double number(FILE *file)
{
    char text[64];
    ck_assert_int_eq(fscanf(file, "%63s", text), 1);
    return strtod(text, NULL);
}

struct expected {
    int64_t rank, k[TG_SVCCA_RULES];
    double off, unbiased, s[256];
};

static void read_layer(FILE *file, struct set *set, char *name, double *x,
                       struct expected *expected)
{
    char layout[8];
    long long n, h, w, c;
    ck_assert_int_eq(
        fscanf(file, " layer %31s %7s %lld %lld %lld %lld", name, layout, &n, &h, &w, &c), 6);
    expected->rank = (int64_t)number(file);
    expected->k[0] = (int64_t)number(file);
    expected->k[1] = (int64_t)number(file);
    expected->off = number(file);
    expected->unbiased = number(file);
    for (int64_t i = 0; i < expected->rank; i++)
        expected->s[i] = number(file);
    ck_assert_int_le(n * h * w * c, MAX_NUMBERS);
    for (int64_t i = 0; i < n * h * w * c; i++)
        x[i] = number(file);
    if (strcmp(layout, "nchw"))
        add_nhwc(set, name, x, n, h, w, c);
    else
        add(set, name, x, TG_F64, TG_LAYOUT_NCHW, (int64_t[]){n, c, h, w}, 4);
}

static void assert_layer(const struct outcome *run, int64_t i, const struct expected *expected)
{
    const struct tg_basis *basis = &run->svcca.basis[i];
    const struct tg_dft_gauge *gauge = &run->dft.gauge[i];
    double energy = 0;
    ck_assert_int_eq(basis->rank, expected->rank);
    ck_assert_int_eq(basis->k[0], expected->k[0]);
    ck_assert_int_eq(basis->k[1], expected->k[1]);
    for (int64_t k = 0; k < basis->rank; k++)
        ck_assert_double_eq_tol(basis->s[k], expected->s[k], 1e-10 * expected->s[0]);
    ck_assert_double_le(fabs(gauge->share - expected->off), 5 * gauge->share_sd);
    ck_assert_double_le(gauge->share_sd, 0.2 * expected->off + DBL_EPSILON);
    ck_assert_double_le(fabs(gauge->unbiased - expected->unbiased), 5 * gauge->unbiased_sd);
    for (int64_t k = 0; k < run->dft.h * run->dft.w; k++)
        energy += run->dft.energy[i * run->dft.h * run->dft.w + k];
    ck_assert_double_eq_tol(energy, 1, 1e-12);
}

static void assert_pair(FILE *file, const struct outcome *run, int64_t index)
{
    const struct tg_svcca_pair *pair = &run->svcca.pair[index];
    const double got[] = {pair->cca_mean,
                          pair->cca_mean_squared,
                          pair->null_cca_mean_squared,
                          pair->svcca[TG_SVCCA_VARIANCE],
                          pair->svcca[TG_SVCCA_SV_SUM],
                          pair->cka,
                          pair->cka_debiased,
                          pair->procrustes,
                          pair->shape,
                          pair->r2_a_to_b,
                          pair->r2_b_to_a};
    long long forced;
    ck_assert_int_eq(fscanf(file, " pair %lld", &forced), 1);
    ck_assert_int_eq(pair->forced_ones, forced);
    for (size_t i = 0; i < sizeof(got) / sizeof(*got); i++)
        ck_assert_double_eq_tol(got[i], number(file), 1e-10);
    int64_t map = run->dft.h * run->dft.w;
    for (int64_t i = 0; i < map; i++) {
        double expected = number(file), x = run->dft.correlation[index * map + i];
        ck_assert(isnan(expected) ? isnan(x) : fabs(x - expected) < 1e-10);
    }
}

START_TEST(agrees_with_numpy)
{
    static double x[MAX_LAYERS][MAX_NUMBERS];
    FILE *file = fopen(TG_GOLDEN "/svcca_dft.txt", "r");
    ck_assert_ptr_nonnull(file);
    char name[32], label[MAX_LAYERS][32];
    int n, cases = 0;
    for (; fscanf(file, " case %31s %d", name, &n) == 2; cases++) {
        struct expected expected[MAX_LAYERS];
        struct outcome run;
        struct set set = {.n = 0};
        ck_assert_int_le(n, MAX_LAYERS);
        for (int i = 0; i < n; i++)
            read_layer(file, &set, label[i], x[i], &expected[i]);
        require_run(&run, &set, &every_measure);
        for (int i = 0; i < n; i++)
            assert_layer(&run, i, &expected[i]);
        for (int64_t i = 0; i < run.svcca.npairs; i++)
            assert_pair(file, &run, i);
        tg_arena_free(run.arena);
    }
    ck_assert_int_eq(cases, 5);
    fclose(file);
}
END_TEST

/* Images, and all their cyclic shifts: rows (image h + dy) w + dx. */
struct closed { int64_t images, h, w, a, b; };

static double *cell(double *x, const struct closed *c, int64_t units, int64_t row, int64_t y,
                    int64_t z)
{
    return x + ((row * c->h + (y + c->h) % c->h) * c->w + (z + c->w) % c->w) * units;
}

/*
 * Layer x is the shifted images, layer y an equivariant function of them: a sum over
 * neighbours on the torus, a rectifier, noise that is shifted along.
 */
static void make_closed(const struct closed *c, double *x, double *y)
{
    int64_t size = c->h * c->w;
    double *image = malloc((size_t)(size * c->a) * sizeof(*image));
    double *noise = malloc((size_t)(size * c->b) * sizeof(*noise));
    for (int64_t i = 0; i < c->images; i++) {
        tg_rng_normal(71, (uint64_t)i, 0, (size_t)(size * c->a), image);
        tg_rng_normal(72, (uint64_t)i, 0, (size_t)(size * c->b), noise);
        for (int64_t k = 0; k < size * size; k++) {
            int64_t row = i * size + k / size, shift = k / size, place = k % size;
            int64_t py = place / c->w, px = place % c->w;
            int64_t sy = (py + shift / c->w) % c->h, sx = (px + shift % c->w) % c->w;
            for (int64_t j = 0; j < c->a; j++)
                *(cell(x, c, c->a, row, sy, sx) + j) = image[place * c->a + j];
            for (int64_t j = 0; j < c->b; j++)
                *(cell(y, c, c->b, row, sy, sx) + j) = noise[place * c->b + j];
        }
    }
    for (int64_t row = 0; row < c->images * size; row++)
        for (int64_t k = 0; k < size; k++)
            for (int64_t j = 0; j < c->b; j++) {
                double sum = 0;
                for (int64_t i = 0; i < c->a; i++)
                    sum += sin(1.0 + (double)(2 * i + 3 * j)) *
                           (*(cell(x, c, c->a, row, k / c->w, k % c->w) + i) +
                            0.7 * *(cell(x, c, c->a, row, k / c->w, k % c->w + 1) + i) -
                            0.4 * *(cell(x, c, c->a, row, k / c->w - 1, k % c->w) + i));
                double *to = cell(y, c, c->b, row, k / c->w, k % c->w) + j;
                *to = fmax(sum, 0) + 0.3 * *to;
            }
    free(image);
    free(noise);
}

static void assert_same(const struct tg_svcca_pair *got, const struct tg_svcca_pair *expected,
                        double tolerance)
{
    const size_t reals[] = {offsetof(struct tg_svcca_pair, cca_mean),
                            offsetof(struct tg_svcca_pair, cca_mean_squared),
                            offsetof(struct tg_svcca_pair, svcca[0]),
                            offsetof(struct tg_svcca_pair, svcca[1]),
                            offsetof(struct tg_svcca_pair, cka),
                            offsetof(struct tg_svcca_pair, procrustes),
                            offsetof(struct tg_svcca_pair, shape),
                            offsetof(struct tg_svcca_pair, r2_a_to_b),
                            offsetof(struct tg_svcca_pair, r2_b_to_a)};
    for (size_t i = 0; i < sizeof(reals) / sizeof(*reals); i++) {
        double x, y;
        memcpy(&x, (const char *)got + reals[i], sizeof(x));
        memcpy(&y, (const char *)expected + reals[i], sizeof(y));
        ck_assert_msg(fabs(x - y) <= tolerance, "number %zu: %.17g and %.17g", i, x, y);
    }
}

/* Raghu et al., theorem 1. */
START_TEST(equals_flattened_layers_on_data_closed_under_translation)
{
    static const struct closed all[] = {
        {8, 4, 4, 2, 3}, {10, 3, 5, 2, 2}, {14, 1, 6, 3, 2}, {9, 2, 3, 3, 2}, {40, 1, 1, 4, 3}};
    const struct closed *c = &all[_i];
    int64_t n = c->images * c->h * c->w, d = c->h * c->w;
    double *x = calloc((size_t)(n * d * c->a), sizeof(*x));
    double *y = calloc((size_t)(n * d * c->b), sizeof(*y));
    make_closed(c, x, y);
    struct set set = {.n = 0};
    add_nhwc(&set, "x", x, n, c->h, c->w, c->a);
    add_nhwc(&set, "y", y, n, c->h, c->w, c->b);
    struct outcome run;
    require_run(&run, &set, &every_measure);
    struct tg_svcca_cost cost;
    struct tg_svcca flat;
    ck_assert_int_eq(tg_svcca_cost(set.layer, 2, &every_measure, &cost), TG_OK);
    struct tg_ctx ctx = {.arena = tg_arena_new(cost.bytes), .lanes = 1};
    ck_assert_int_eq(tg_svcca_run(&ctx, set.layer, 2, &every_measure, &flat, NULL), TG_OK);
    /* where the cut of the flattened layers does not part a conjugate pair */
    struct tg_svcca_pair expected = flat.pair[0];
    for (int rule = 0; rule < TG_SVCCA_RULES; rule++) {
        bool same = true;
        for (int i = 0; i < 2; i++) {
            int64_t k = run.svcca.basis[i].k[rule], other = flat.basis[i].k[rule];
            ck_assert(k == other || k == other + 1);
            same = same && k == other;
        }
        if (!same)
            expected.svcca[rule] = run.svcca.pair[0].svcca[rule];
    }
    ck_assert_int_eq(flat.basis[0].rank, run.svcca.basis[0].rank);
    ck_assert_int_eq(flat.pair[0].forced_ones, 0);
    assert_same(&run.svcca.pair[0], &expected, 1e-12);
    ck_assert_double_eq_tol(run.svcca.pair[0].null_cca_mean_squared,
                            flat.pair[0].null_cca_mean_squared / (double)d, 1e-12);
    for (int i = 0; i < 2; i++)
        ck_assert_double_le(run.dft.gauge[i].share, 1e-24);
    for (int64_t k = 0; k < run.svcca.max_d; k++)
        ck_assert_double_eq_tol(run.svcca.cca_rho[k], flat.cca_rho[k], 1e-12);
    tg_arena_free(ctx.arena);
    tg_arena_free(run.arena);
    free(x);
    free(y);
}
END_TEST

enum { N = 40, H = 4, W = 3, A = 3, B = 2, SIZE = H * W };

/* Two layers that share a part; neither is closed under anything. */
static void make_pair(double *x, double *y)
{
    tg_rng_normal(73, 0, 0, N * SIZE * A, x);
    tg_rng_normal(73, 1, 0, N * SIZE * B, y);
    for (int i = 0; i < N * SIZE; i++)
        for (int j = 0; j < B; j++)
            y[i * B + j] += 2 * x[i * A + j];
}

static struct tg_svcca_pair pair_of(const double *x, const double *y)
{
    struct set set = {.n = 0};
    struct outcome run;
    add_nhwc(&set, "x", x, N, H, W, A);
    add_nhwc(&set, "y", y, N, H, W, B);
    require_run(&run, &set, &every_measure);
    struct tg_svcca_pair pair = run.svcca.pair[0];
    tg_arena_free(run.arena);
    return pair;
}

START_TEST(a_shift_of_all_maps_changes_nothing)
{
    static double x[N * SIZE * A], y[N * SIZE * B], moved[N * SIZE * B];
    make_pair(x, y);
    struct tg_svcca_pair before = pair_of(x, y);
    for (int i = 0; i < N; i++)
        for (int p = 0; p < SIZE; p++)
            for (int j = 0; j < B; j++)
                moved[(i * SIZE + (p / W + 3) % H * W + (p % W + 1) % W) * B + j] =
                    y[(i * SIZE + p) * B + j] + 7 * j;
    struct tg_svcca_pair after = pair_of(x, moved);
    assert_same(&after, &before, 1e-12);
    ck_assert_double_eq_tol(after.cka_debiased, before.cka_debiased, 1e-12);
}
END_TEST

/* CCA and the regression on a layer ignore an invertible map of its units; CKA does not. */
START_TEST(an_invertible_map_of_the_units_changes_no_correlation)
{
    static double x[N * SIZE * A], y[N * SIZE * B], mapped[N * SIZE * A];
    make_pair(x, y);
    struct tg_svcca_pair before = pair_of(x, y);
    for (int i = 0; i < N * SIZE; i++)
        for (int j = 0; j < A; j++)
            mapped[i * A + j] = (1 + 3 * j) * x[i * A + j] + (j ? x[i * A + j - 1] : 0);
    struct tg_svcca_pair after = pair_of(mapped, y);
    ck_assert_double_eq_tol(after.cca_mean, before.cca_mean, 1e-12);
    ck_assert_double_eq_tol(after.cca_mean_squared, before.cca_mean_squared, 1e-12);
    ck_assert_double_eq_tol(after.r2_a_to_b, before.r2_a_to_b, 1e-12);
    ck_assert_double_gt(fabs(after.cka - before.cka), 1e-3);
    ck_assert_double_gt(fabs(after.r2_b_to_a - before.r2_b_to_a), 1e-3);
}
END_TEST

/* Turning the units, and one scale for all of them, is ignored by every measure. */
START_TEST(rotation_and_scale_of_the_units_change_nothing)
{
    static double x[N * SIZE * A], y[N * SIZE * B], turned[N * SIZE * B];
    make_pair(x, y);
    struct tg_svcca_pair before = pair_of(x, y);
    for (int i = 0; i < N * SIZE; i++) {
        turned[i * B] = 0.6 * y[i * B] - 0.8 * y[i * B + 1];
        turned[i * B + 1] = 0.8 * y[i * B] + 0.6 * y[i * B + 1];
    }
    struct tg_svcca_pair after = pair_of(x, turned);
    assert_same(&after, &before, 1e-12);
    for (int i = 0; i < N * SIZE * B; i++)
        turned[i] = ldexp(turned[i], 600);
    after = pair_of(x, turned);
    ck_assert_double_eq_tol(after.cca_mean, before.cca_mean, 1e-12);
    ck_assert_double_eq_tol(after.cka, before.cka, 1e-12);
    ck_assert_double_eq_tol(after.procrustes, before.procrustes, 1e-12);
}
END_TEST

START_TEST(sides_can_be_exchanged)
{
    static double x[N * SIZE * A], y[N * SIZE * B];
    make_pair(x, y);
    struct set set = {.n = 0};
    struct outcome one, other;
    add_nhwc(&set, "x", x, N, H, W, A);
    add_nhwc(&set, "y", y, N, H, W, B);
    require_run(&one, &set, &every_measure);
    struct tg_svcca_options options = every_measure;
    options.compared = &(struct tg_svcca_compared){1, 0};
    options.ncompared = 1;
    require_run(&other, &set, &options);
    struct tg_svcca_pair back = other.svcca.pair[0];
    double r2 = back.r2_a_to_b;
    back.r2_a_to_b = back.r2_b_to_a;
    back.r2_b_to_a = r2;
    assert_same(&back, &one.svcca.pair[0], 1e-13);
    tg_arena_free(one.arena);
    tg_arena_free(other.arena);
}
END_TEST

/* A map against itself with all but its low frequencies taken off, on a smaller grid. */
START_TEST(other_sizes_are_compared_on_the_frequencies_that_both_have)
{
    enum { BIG = 6, SMALL = 4, LOW = 3 };
    static double x[N * BIG * BIG * 2], y[N * SMALL * SMALL * 2];
    tg_rng_normal(74, 0, 0, N * BIG * BIG * 2, x);
    memset(y, 0, sizeof(y));
    for (int i = 0; i < N; i++)
        for (int k = 0; k < LOW * LOW; k++) /* fy, fx = -1, 0, 1 */
            for (int p = 0; p < BIG * BIG; p++)
                for (int q = 0; q < SMALL * SMALL; q++) {
                    double turns = (k / LOW - 1) * (p / BIG / (double)BIG - q / SMALL / 4.0) +
                                   (k % LOW - 1) * (p % BIG / (double)BIG - q % SMALL / 4.0);
                    for (int j = 0; j < 2; j++)
                        y[(i * SMALL * SMALL + q) * 2 + j] +=
                            cos(2 * acos(-1) * turns) * x[(i * BIG * BIG + p) * 2 + j];
                }
    struct set set = {.n = 0};
    struct outcome run;
    add_nhwc(&set, "x", x, N, BIG, BIG, 2);
    add_nhwc(&set, "y", y, N, SMALL, SMALL, 2);
    require_run(&run, &set, &every_measure);
    ck_assert_double_eq_tol(run.svcca.pair[0].cca_mean, 1, 1e-12);
    ck_assert_double_eq_tol(run.svcca.pair[0].cka, 1, 1e-12);
    ck_assert_int_eq(run.svcca.basis[1].rank, 2 * LOW * LOW);
    for (int p = 0; p < BIG * BIG; p++) {
        bool low = (p / BIG + 1) % BIG <= 2 && (p % BIG + 1) % BIG <= 2;
        ck_assert_int_eq(low, !isnan(run.dft.correlation[p]));
    }
    tg_arena_free(run.arena);
}
END_TEST

/* Units scaled from 1 down to 1 / cond: CCA must not notice, and the route tells. */
START_TEST(correlations_of_one_hold_from_condition_10_to_1e12)
{
    static const int exponents[] = {1, 3, 6, 9, 12};
    static double x[N * SIZE * A], y[N * SIZE * A];
    double cond = pow(10, exponents[_i]);
    tg_rng_normal(75, 0, 0, N * SIZE * A, x);
    for (int i = 0; i < N * SIZE; i++) {
        double *u = x + i * A;
        u[1] /= sqrt(cond);
        u[2] /= cond;
        double p = u[0], q = u[1];
        u[0] = 0.8 * p - 0.6 * q;
        u[1] = 0.6 * p + 0.8 * q;
        p = u[1], q = u[2];
        u[1] = 0.6 * p - 0.8 * q;
        u[2] = 0.8 * p + 0.6 * q;
        for (int j = 0; j < A; j++)
            y[i * A + j] = ldexp(u[(j + 1) % A], j);
    }
    struct set set = {.n = 0};
    struct outcome run;
    add_nhwc(&set, "x", x, N, H, W, A);
    add_nhwc(&set, "y", y, N, H, W, A);
    struct tg_svcca_options options = every_measure;
    options.rank_tolerance = 1e-14;
    require_run(&run, &set, &options);
    ck_assert_int_eq(run.svcca.basis[0].rank, SIZE * A);
    double lost = cond <= 1e3 ? 1e-15 * cond * cond : 50 * DBL_EPSILON * cond;
    ck_assert_double_eq_tol(run.svcca.pair[0].cca_mean, 1, 1e-13 + lost);
    ck_assert_int_eq(run.svcca.basis[0].route == TG_ROUTE_QR, cond >= 1e6);
    ck_assert_double_le(run.svcca.pair[0].cca_mean, 1);
    tg_arena_free(run.arena);
}
END_TEST

/* float32 as it is saved, against the same numbers in double without their first sample. */
START_TEST(large_means_of_float32_cost_nothing)
{
    static double x[N * SIZE * A], y[N * SIZE * B], shifted[N * SIZE * A];
    static float single[N * SIZE * A];
    make_pair(x, y);
    for (int i = 0; i < N * SIZE * A; i++) {
        int entry = i % (SIZE * A);
        single[i] = (float)(x[i] + 1e6 * (1 + entry % 5));
        shifted[i] = (double)single[i] - (double)single[entry];
    }
    struct tg_svcca_pair expected = pair_of(shifted, y);
    struct set set = {.n = 0};
    struct outcome run;
    add(&set, "x", single, TG_F32, TG_LAYOUT_NHWC, (int64_t[]){N, H, W, A}, 4);
    add_nhwc(&set, "y", y, N, H, W, B);
    require_run(&run, &set, &every_measure);
    assert_same(&run.svcca.pair[0], &expected, 4e-14);
    tg_arena_free(run.arena);
}
END_TEST

START_TEST(a_layer_that_never_changes_has_no_similarity)
{
    static double x[N * SIZE * A], y[N * SIZE * B];
    make_pair(x, y);
    for (int i = 0; i < N * SIZE * B; i++)
        y[i] = 0.1 * (i % (SIZE * B));
    struct set set = {.n = 0};
    struct outcome run;
    add_nhwc(&set, "x", x, N, H, W, A);
    add_nhwc(&set, "y", y, N, H, W, B);
    require_run(&run, &set, &every_measure);
    ck_assert_int_eq(run.svcca.basis[1].rank, 0);
    ck_assert_int_eq(run.svcca.basis[1].constant_units, SIZE * B);
    ck_assert_double_nan(run.svcca.pair[0].cca_mean);
    ck_assert_double_nan(run.svcca.pair[0].cka);
    ck_assert_double_nan(run.dft.gauge[1].share);
    tg_arena_free(run.arena);
}
END_TEST

START_TEST(what_is_not_a_number_is_found_and_named)
{
    static double x[N * SIZE * A], y[N * SIZE * B];
    make_pair(x, y);
    y[7 * SIZE * B + 5] = INFINITY;
    y[9 * SIZE * B + 1] = NAN;
    struct set set = {.n = 0};
    struct outcome run;
    add_nhwc(&set, "x", x, N, H, W, A);
    add_nhwc(&set, "conv2", y, N, H, W, B);
    ck_assert_int_eq(run_in(&run, &set, &every_measure, (struct tg_ctx){.lanes = 1}),
                     TG_NUMERIC);
    ck_assert_ptr_nonnull(strstr(run.report.detail, "\"conv2\" holds NaN or infinity, first "
                                                    "at sample 7, entry 5"));
    tg_arena_free(run.arena);
}
END_TEST

START_TEST(a_span_beyond_double_precision_is_told)
{
    static double x[N * SIZE * A], y[N * SIZE * B];
    make_pair(x, y);
    x[2] = 1.7e308;
    x[SIZE * A + 2] = -1.7e308;
    struct set set = {.n = 0};
    struct outcome run;
    add_nhwc(&set, "x", x, N, H, W, A);
    add_nhwc(&set, "y", y, N, H, W, B);
    ck_assert_int_eq(run_in(&run, &set, &every_measure, (struct tg_ctx){.lanes = 1}),
                     TG_NUMERIC);
    ck_assert_ptr_nonnull(strstr(run.report.detail, "scale it down"));
    tg_arena_free(run.arena);
}
END_TEST

static void assert_same_bits(const struct outcome *one, const struct outcome *other)
{
    int64_t map = one->dft.h * one->dft.w;
    ck_assert_mem_eq(one->svcca.pair, other->svcca.pair, sizeof(*one->svcca.pair));
    ck_assert_mem_eq(one->svcca.cca_rho, other->svcca.cca_rho,
                     (size_t)one->svcca.max_d * sizeof(double));
    ck_assert_mem_eq(one->dft.gauge, other->dft.gauge, 2 * sizeof(*one->dft.gauge));
    ck_assert_mem_eq(one->dft.correlation, other->dft.correlation,
                     (size_t)map * sizeof(double));
}

START_TEST(bits_do_not_depend_on_lanes)
{
    enum { MANY = 1200, WIDE = 70 };
    static double x[MANY * 6 * WIDE], y[MANY * 6 * 40];
    tg_rng_normal(76, 0, 0, MANY * 6 * WIDE, x);
    tg_rng_normal(76, 1, 0, MANY * 6 * 40, y);
    struct set set = {.n = 0};
    struct outcome one, many;
    add_nhwc(&set, "x", x, MANY, 2, 3, WIDE);
    add_nhwc(&set, "y", y, MANY, 2, 3, 40);
    require_run(&one, &set, &every_measure);
    struct tg_ctx ctx = {.lanes = LANE_COUNT, .parallel = lanes_parallel};
    ck_assert_int_eq(run_in(&many, &set, &every_measure, ctx), TG_OK);
    assert_same_bits(&one, &many);
    /* unrelated: mean square 70 / 1199 of correlations, with sd below 2 % of it */
    ck_assert_double_eq_tol(one.svcca.pair[0].cca_mean_squared, WIDE / (MANY - 1.0), 5e-3);
    ck_assert_double_eq_tol(one.svcca.pair[0].cka_debiased, 0, 1e-2);
    /* white noise has off-block energy by chance, and no more than that */
    ck_assert_double_gt(one.dft.gauge[0].share, 0.1);
    ck_assert_double_eq_tol(one.dft.gauge[0].unbiased, 0, 0.02);
    tg_arena_free(one.arena);
    tg_arena_free(many.arena);
}
END_TEST

/* Everything that is kept, by key. */
struct store {
    struct { char key[TG_KEY_MAX]; void *data; size_t n; } entry[200];
    int count, recalled;
};

static bool recall(void *runner, const char *key, void *data, size_t n)
{
    struct store *store = runner;
    for (int i = 0; i < store->count; i++)
        if (!strcmp(store->entry[i].key, key) && store->entry[i].n == n) {
            memcpy(data, store->entry[i].data, n);
            store->recalled++;
            return true;
        }
    return false;
}

static void keep(void *runner, const char *key, const void *data, size_t n)
{
    struct store *store = runner;
    ck_assert_int_lt(store->count, 200);
    snprintf(store->entry[store->count].key, TG_KEY_MAX, "%s", key);
    store->entry[store->count].data = memcpy(malloc(n), data, n);
    store->entry[store->count++].n = n;
}

START_TEST(bits_do_not_depend_on_what_is_recalled)
{
    static double x[N * SIZE * A], y[N * SIZE * B];
    static struct store store;
    make_pair(x, y);
    struct set set = {.n = 0};
    struct outcome first, second;
    add_nhwc(&set, "x", x, N, H, W, A);
    add_nhwc(&set, "y", y, N, H, W, B);
    set.layer[0].key = "x of this test";
    set.layer[1].key = "y of this test";
    struct tg_ctx ctx = {.lanes = 1, .runner = &store, .recall = recall, .keep = keep};
    ck_assert_int_eq(run_in(&first, &set, &every_measure, ctx), TG_OK);
    ck_assert_int_eq(store.recalled, 0);
    int kept = store.count;
    /* a spectrum a layer; numbers, values and vectors of its 7 frequencies */
    ck_assert_int_eq(kept, 2 * (1 + 3 * 7));
    ck_assert_int_eq(run_in(&second, &set, &every_measure, ctx), TG_OK);
    ck_assert_int_eq(store.recalled, kept);
    ck_assert_int_eq(store.count, kept);
    assert_same_bits(&first, &second);
    for (int i = 0; i < store.count; i++)
        free(store.entry[i].data);
    tg_arena_free(first.arena);
    tg_arena_free(second.arena);
}
END_TEST

START_TEST(a_stop_is_obeyed)
{
    static double x[N * SIZE * A], y[N * SIZE * B];
    make_pair(x, y);
    struct set set = {.n = 0};
    struct outcome run;
    atomic_int stop = TG_STOP_CANCEL;
    add_nhwc(&set, "x", x, N, H, W, A);
    add_nhwc(&set, "y", y, N, H, W, B);
    ck_assert_int_eq(
        run_in(&run, &set, &every_measure, (struct tg_ctx){.lanes = 1, .stop = &stop}),
        TG_CANCELLED);
    tg_arena_free(run.arena);
}
END_TEST

START_TEST(too_little_memory_is_an_error)
{
    static double x[N * SIZE * A], y[N * SIZE * B];
    make_pair(x, y);
    struct set set = {.n = 0};
    struct tg_svcca_cost cost;
    struct tg_svcca svcca;
    struct tg_dft dft;
    add_nhwc(&set, "x", x, N, H, W, A);
    add_nhwc(&set, "y", y, N, H, W, B);
    ck_assert_int_eq(tg_dft_cost(set.layer, set.places, 2, &every_measure, &cost), TG_OK);
    struct tg_ctx ctx = {.arena = tg_arena_new(cost.bytes - 64), .lanes = 1};
    ck_assert_int_eq(
        tg_dft_run(&ctx, set.layer, set.places, 2, &every_measure, &svcca, &dft, NULL),
        TG_NOMEM);
    tg_arena_free(ctx.arena);
}
END_TEST

/* F(fy, fx) of unit j of sample i, by its definition. */
static void coefficient(const double *x, const struct tg_places *p, int64_t i, int64_t j,
                        int64_t fy, int64_t fx, double f[2])
{
    f[0] = f[1] = 0;
    for (int64_t place = 0; place < p->h * p->w; place++) {
        double turns = (double)(fy * (place / p->w)) / (double)p->h +
                       (double)(fx * (place % p->w)) / (double)p->w;
        int64_t at = p->units_last ? place * p->units + j : j * p->h * p->w + place;
        double value = (x[i * p->h * p->w * p->units + at] - x[at]) /
                       sqrt((double)(p->h * p->w));
        f[0] += value * cos(2 * acos(-1) * turns);
        f[1] -= value * sin(2 * acos(-1) * turns);
    }
}

static void open_fourier(struct tg_arena *arena, const struct set *set,
                         struct tg_fourier_scratch *scratch, struct tg_fourier *layer)
{
    const struct tg_fourier_group whole = {0, 100, -100, 200};
    const struct tg_places *p = &set->places[0];
    *layer = (struct tg_fourier){.mat = set->layer[0].mat, .places = *p};
    layer->origin = tg_arena_alloc(arena, (size_t)(p->h * p->w * p->units), sizeof(double));
    layer->blocks = tg_arena_alloc(
        arena, (size_t)(tg_fourier_slots(p, &whole) * 2 * p->n * p->units), sizeof(double));
    tg_fourier_layout(arena, p, 1, scratch);
}

/* Every frequency of maps of all parities, in groups cut anywhere, against the sum. */
START_TEST(a_transform_is_what_it_says_in_any_group)
{
    static const int64_t sizes[][2] = {{1, 1}, {1, 6}, {7, 1}, {4, 6}, {5, 3}, {9, 2}, {10, 5}};
    static double x[11 * 2 * 64];
    int64_t h = sizes[_i][0], w = sizes[_i][1];
    tg_rng_normal(77, 0, 0, (size_t)(11 * 2 * h * w), x);
    struct set set = {.n = 0};
    add(&set, "x", x, TG_F64, TG_LAYOUT_NCHW, (int64_t[]){11, 2, h, w}, 4);
    const struct tg_places *p = &set.places[0];
    struct tg_ctx ctx = {.arena = tg_arena_new(1 << 24), .lanes = 1};
    struct tg_fourier_scratch scratch;
    struct tg_fourier layer, parts;
    open_fourier(ctx.arena, &set, &scratch, &layer);
    open_fourier(ctx.arena, &set, &scratch, &parts);
    const struct tg_fourier_group whole = {0, h / 2 + 1, -((w - 1) / 2), w};
    ck_assert_int_eq(tg_fourier_scan(&ctx, "x", &scratch, &layer, NULL), TG_OK);
    ck_assert_int_eq(tg_fourier_scan(&ctx, "x", &scratch, &parts, NULL), TG_OK);
    ck_assert_int_eq(tg_fourier_make(&ctx, &scratch, &whole, &layer), TG_OK);
    int64_t seen = 0;
    for (int64_t fy = 0; fy <= h / 2; fy++)
        for (int64_t fx = -((w - 1) / 2); fx <= w / 2; fx++) {
            const double *block = tg_fourier_block(&layer, &whole, fy, fx);
            const struct tg_fourier_group some = {fy > 1 ? fy - 1 : fy, 2, fx - 1, 3};
            ck_assert_int_eq(tg_fourier_make(&ctx, &scratch, &some, &parts), TG_OK);
            const double *same = tg_fourier_block(&parts, &some, fy, fx);
            ck_assert_int_eq(tg_fourier_index(p, fy, fx), block ? seen : -1);
            ck_assert((block == NULL) == (same == NULL));
            seen += block != NULL;
            for (int64_t k = 0; block && k < 11 * 2; k++) {
                double f[2];
                coefficient(x, p, k / 2, k % 2, fy, fx, f);
                for (int part = 0; part < 2; part++) {
                    double got = block[part * 22 + k];
                    ck_assert_double_eq_tol(got, f[part] * layer.scale, 1e-13);
                    ck_assert_double_eq(got, same[part * 22 + k]);
                    if (part && tg_fourier_is_real(p, fy, fx))
                        ck_assert_double_eq(got, 0);
                }
            }
        }
    ck_assert_int_eq(seen, tg_fourier_count(p));
    tg_arena_free(ctx.arena);
}
END_TEST

Suite *svcca_dft_suite(void)
{
    Suite *suite = suite_create("svcca_dft");
    TCase *values = tcase_create("values");
    tcase_add_test(values, agrees_with_numpy);
    tcase_add_loop_test(values, equals_flattened_layers_on_data_closed_under_translation, 0, 5);
    tcase_add_loop_test(values, a_transform_is_what_it_says_in_any_group, 0, 7);
    tcase_add_test(values, a_shift_of_all_maps_changes_nothing);
    tcase_add_test(values, an_invertible_map_of_the_units_changes_no_correlation);
    tcase_add_test(values, rotation_and_scale_of_the_units_change_nothing);
    tcase_add_test(values, sides_can_be_exchanged);
    tcase_add_test(values, other_sizes_are_compared_on_the_frequencies_that_both_have);
    suite_add_tcase(suite, values);
    TCase *hard = tcase_create("hard");
    tcase_add_loop_test(hard, correlations_of_one_hold_from_condition_10_to_1e12, 0, 5);
    tcase_add_test(hard, large_means_of_float32_cost_nothing);
    tcase_add_test(hard, a_layer_that_never_changes_has_no_similarity);
    tcase_add_test(hard, what_is_not_a_number_is_found_and_named);
    tcase_add_test(hard, a_span_beyond_double_precision_is_told);
    suite_add_tcase(suite, hard);
    TCase *running = tcase_create("running");
    tcase_set_timeout(running, 30);
    tcase_add_test(running, bits_do_not_depend_on_lanes);
    tcase_add_test(running, bits_do_not_depend_on_what_is_recalled);
    tcase_add_test(running, a_stop_is_obeyed);
    tcase_add_test(running, too_little_memory_is_an_error);
    suite_add_tcase(suite, running);
    return suite;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What peers print, against their own code (tests/golden/peers.py). */
#include "svcca/peers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/rng.h"
#include "../suite.h"

Suite *peers_suite(void);

enum { MAX_NUMBERS = 1 << 12 };

static const struct tg_peers_options every_peer = {.peers = (1 << TG_PEERS) - 1,
                                                   .google_epsilon = 1e-10,
                                                   .rbf_threshold = 1};

static struct tg_mat mat_of(const double *x, int64_t n, int64_t d)
{
    struct tg_mat mat;
    ck_assert(tg_mat_init(&mat, x, TG_F64, 2, (int64_t[]){n, d}, false));
    return mat;
}

/* Scores of x and y in an arena of exactly the size that was measured. */
static void compare(const double *x, int64_t dx, const double *y, int64_t dy, int64_t n,
                    const struct tg_peers_options *options, struct tg_peer_scores *scores)
{
    int64_t d = dx > dy ? dx : dy;
    struct tg_arena *arena = tg_arena_new_measuring();
    ck_assert_ptr_null(tg_peers_new(arena, n, d, options));
    size_t bytes = tg_arena_high_water(arena);
    tg_arena_free(arena);
    arena = tg_arena_new(bytes);
    struct tg_ctx ctx = {.arena = arena, .lanes = 1};
    struct tg_peers *peers = tg_peers_new(arena, n, d, options);
    ck_assert_ptr_nonnull(peers);
    struct tg_mat a = mat_of(x, n, dx), b = mat_of(y, n, dy);
    ck_assert_int_eq(tg_peers_compare(&ctx, peers, &a, &b, scores), TG_OK);
    ck_assert_uint_eq(tg_arena_high_water(arena), bytes);
    tg_arena_free(arena);
}

static const struct tg_peer_score *find(const struct tg_peer_scores *scores,
                                        const char *peer, const char *measure)
{
    for (int i = 0; i < scores->n; i++)
        if (!strcmp(scores->score[i].peer, peer) &&
            !strcmp(scores->score[i].measure, measure))
            return &scores->score[i];
    ck_abort_msg("no score %s %s", peer, measure);
}

static void read_numbers(FILE *file, int64_t count, double *x)
{
    ck_assert_int_le(count, MAX_NUMBERS);
    for (int64_t i = 0; i < count; i++)
        ck_assert_int_eq(fscanf(file, "%lf", &x[i]), 1);
}

/*
 * In the case with a dead unit some peers print what is rounding noise; we have no value
 * then, and say why.
 */
static void assert_score(const struct tg_peer_score *score, double expected,
                         const char *name)
{
    ck_assert_str_ne(score->why, "");
    if (isnan(score->value)) {
        ck_assert_msg(isnan(expected) || !strcmp(name, "dead_unit"), "%s: %s has no %s",
                      name, score->peer, score->measure);
        return;
    }
    double tolerance = fmax(1e-9, 10 * score->rounding);
    ck_assert_msg(fabs(score->value - expected) <= tolerance,
                  "%s: %s %s: %.15g, not %.15g", name, score->peer, score->measure,
                  score->value, expected);
}

START_TEST(prints_what_the_peers_print)
{
    static double x[MAX_NUMBERS], y[MAX_NUMBERS];
    FILE *file = fopen(TG_GOLDEN "/peers.txt", "r");
    ck_assert_ptr_nonnull(file);
    char name[40], peer[20], measure[20];
    long long n, dx, dy;
    int count, cases = 0;
    for (; fscanf(file, " case %39s %lld %lld %lld", name, &n, &dx, &dy) == 4; cases++) {
        struct tg_peer_scores scores;
        read_numbers(file, n * dx, x);
        read_numbers(file, n * dy, y);
        compare(x, dx, y, dy, n, &every_peer, &scores);
        ck_assert_int_eq(fscanf(file, " scores %d", &count), 1);
        ck_assert_int_eq(scores.n, count);
        for (int i = 0; i < count; i++) {
            double expected;
            ck_assert_int_eq(fscanf(file, "%19s %19s %lf", peer, measure, &expected), 3);
            assert_score(find(&scores, peer, measure), expected, name);
        }
    }
    ck_assert_int_eq(cases, 6);
    fclose(file);
}
END_TEST

enum { N = 40, D = 6 };

START_TEST(only_peers_asked_for_are_run)
{
    double x[N * D], y[N * D];
    struct tg_peer_scores scores;
    tg_rng_normal(1, 0, 0, N * D, x);
    tg_rng_normal(1, 1, 0, N * D, y);
    const struct tg_peers_options options = {.peers = 1 << TG_PEER_RESI};
    compare(x, D, y, D, N, &options, &scores);
    ck_assert_int_eq(scores.n, 4);
    for (int i = 0; i < scores.n; i++)
        ck_assert_str_eq(scores.score[i].peer, "resi");
}
END_TEST

START_TEST(what_resi_keeps_depends_on_the_scale)
{
    double x[N * D], y[N * D];
    struct tg_peer_scores scores;
    const struct tg_peers_options options = {.peers = 1 << TG_PEER_RESI};
    tg_rng_normal(1, 0, 0, N * D, x);
    tg_rng_normal(1, 1, 0, N * D, y);
    compare(x, D, y, D, N, &options, &scores);
    ck_assert_ptr_nonnull(
        strstr(find(&scores, "resi", "svcca")->why, "1 and 1 directions"));
    for (int i = 0; i < N * D; i++) { /* a total variance just below 1 */
        x[i] /= 16.5;
        y[i] /= 16.5;
    }
    compare(x, D, y, D, N, &options, &scores);
    ck_assert_ptr_null(strstr(find(&scores, "resi", "svcca")->why, "1 and 1 directions"));
}
END_TEST

START_TEST(google_refuses_as_many_units_as_samples)
{
    double x[36], y[36];
    struct tg_peer_scores scores;
    tg_rng_normal(1, 0, 0, 36, x);
    tg_rng_normal(1, 1, 0, 36, y);
    compare(x, 6, y, 6, 6, &every_peer, &scores);
    const struct tg_peer_score *score = find(&scores, "google_cca", "mean");
    ck_assert_double_nan(score->value);
    ck_assert_ptr_nonnull(strstr(score->why, "refuses"));
}
END_TEST

START_TEST(more_units_than_samples_have_every_row_and_no_value)
{
    enum { FEW = 8, WIDE = 12 };
    double x[FEW * WIDE], y[FEW * WIDE];
    struct tg_peer_scores scores, narrow;
    tg_rng_normal(1, 0, 0, FEW * WIDE, x);
    tg_rng_normal(1, 1, 0, FEW * WIDE, y);
    compare(x, WIDE, y, 3, FEW, &every_peer, &scores);
    compare(x, 3, y, 3, FEW, &every_peer, &narrow);
    ck_assert_int_eq(scores.n, narrow.n);
    for (int i = 0; i < scores.n; i++) {
        const struct tg_peer_score *wide = &scores.score[i], *same = &narrow.score[i];
        ck_assert_str_eq(wide->peer, same->peer);
        ck_assert_str_eq(wide->measure, same->measure);
        ck_assert_str_eq(wide->ours, same->ours);
        ck_assert(wide->distance == same->distance);
        ck_assert_double_nan(wide->value);
        ck_assert_str_ne(wide->why, "");
    }
}
END_TEST

START_TEST(the_notebook_s_threshold_widens_its_kernel)
{
    static const double x[] = {0, 1, 3, 7}, y[] = {0, 2, 2.5, 9};
    struct tg_peer_scores scores;
    for (int wide = 0; wide < 2; wide++) {
        struct tg_peers_options options = {.peers = 1 << TG_PEER_KORNBLITH,
                                           .rbf_threshold = wide ? 1000 : 1};
        compare(x, 1, y, 1, 4, &options, &scores);
        double got = find(&scores, "kornblith", "cka_rbf")->value;
        double linear = find(&scores, "kornblith", "cka")->value;
        if (wide) /* ever wider, the kernel becomes the linear one */
            ck_assert_double_eq_tol(got, linear, 1e-6);
        else
            ck_assert_double_gt(fabs(got - linear), 0.01);
    }
}
END_TEST

START_TEST(samples_that_are_mostly_equal_have_no_rbf_kernel)
{
    static const double x[] = {1, 1, 1, 1, 1, 1, 1, 4}, y[] = {1, 2, 3, 5, 7, 8, 11, 13};
    struct tg_peer_scores scores;
    compare(x, 1, y, 1, 8, &every_peer, &scores);
    const struct tg_peer_score *score = find(&scores, "kornblith", "cka_rbf");
    ck_assert_double_nan(score->value);
    ck_assert_ptr_nonnull(strstr(score->why, "distances are 0"));
}
END_TEST

START_TEST(a_layer_that_never_changes_is_told_and_nothing_fails)
{
    double x[N * D], y[N * D];
    struct tg_peer_scores scores;
    tg_rng_normal(1, 0, 0, N * D, x);
    for (int i = 0; i < N * D; i++)
        y[i] = i % D;
    compare(x, D, y, D, N, &every_peer, &scores);
    ck_assert_double_eq(find(&scores, "google_cca", "mean")->value, 0);
    ck_assert_double_nan(find(&scores, "anatome", "pwcca")->value);
}
END_TEST

START_TEST(a_stop_is_obeyed)
{
    double x[N * D] = {0};
    atomic_int stop = TG_STOP_CANCEL;
    struct tg_ctx ctx = {.arena = tg_arena_new(1 << 22), .lanes = 1, .stop = &stop};
    struct tg_peers *peers = tg_peers_new(ctx.arena, N, D, &every_peer);
    struct tg_mat mat = mat_of(x, N, D);
    struct tg_peer_scores scores;
    ck_assert_int_eq(tg_peers_compare(&ctx, peers, &mat, &mat, &scores), TG_CANCELLED);
    tg_arena_free(ctx.arena);
}
END_TEST

Suite *peers_suite(void)
{
    Suite *suite = suite_create("peers");
    TCase *values = tcase_create("values");
    tcase_add_test(values, prints_what_the_peers_print);
    tcase_add_test(values, only_peers_asked_for_are_run);
    tcase_add_test(values, what_resi_keeps_depends_on_the_scale);
    tcase_add_test(values, the_notebook_s_threshold_widens_its_kernel);
    suite_add_tcase(suite, values);
    TCase *edges = tcase_create("edges");
    tcase_add_test(edges, google_refuses_as_many_units_as_samples);
    tcase_add_test(edges, more_units_than_samples_have_every_row_and_no_value);
    tcase_add_test(edges, samples_that_are_mostly_equal_have_no_rbf_kernel);
    tcase_add_test(edges, a_layer_that_never_changes_is_told_and_nothing_fails);
    tcase_add_test(edges, a_stop_is_obeyed);
    suite_add_tcase(suite, edges);
    return suite;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Context: the stop word, tiles with and without a runner, progress. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "core/ctx.h"

Suite *ctx_suite(void);

enum { TILES = 20 };

static atomic_int stop;
static int runs[TILES];

static void start(void)
{
    atomic_store(&stop, TG_GO);
    memset(runs, 0, sizeof(runs));
}

static enum tg_err count(void *arg, int64_t i, unsigned lane)
{
    ck_assert_uint_eq(lane, 0);
    runs[i]++;
    return arg && i == *(int64_t *)arg ? TG_NUMERIC : TG_OK;
}

/* Hands the tiles out backwards; a runner may choose any order. */
static enum tg_err run_backwards(void *runner, int64_t n, tg_tile_fn fn, void *arg)
{
    ck_assert_ptr_eq(runner, &stop);
    for (int64_t i = n - 1; i >= 0; i--)
        TG_TRY(fn(arg, i, 0));
    return TG_OK;
}

static int total(void)
{
    int sum = 0;
    for (int i = 0; i < TILES; i++)
        sum += runs[i];
    return sum;
}

START_TEST(the_stop_word_becomes_an_error)
{
    struct tg_ctx ctx = {.stop = &stop, .lanes = 1}, free_ctx = {.lanes = 1};
    ck_assert_int_eq(tg_ctx_poll(&ctx), TG_OK);
    atomic_store(&stop, TG_STOP_CANCEL);
    ck_assert_int_eq(tg_ctx_poll(&ctx), TG_CANCELLED);
    atomic_store(&stop, TG_STOP_DEADLINE);
    ck_assert_int_eq(tg_ctx_poll(&ctx), TG_DEADLINE);
    atomic_store(&stop, TG_STOP_SHUTDOWN);
    ck_assert_int_eq(tg_ctx_poll(&ctx), TG_DRAINING);
    ck_assert_int_eq(tg_ctx_poll(&free_ctx), TG_OK);
}
END_TEST

/* _i lanes: 1 runs here, 2 through the runner. */
static struct tg_ctx context(int lanes)
{
    return (struct tg_ctx){
        .stop = &stop, .lanes = (unsigned)lanes, .runner = &stop, .parallel = run_backwards};
}

START_TEST(every_tile_runs_once)
{
    struct tg_ctx ctx = context(_i);
    ck_assert_int_eq(tg_ctx_parallel(&ctx, TILES, count, NULL), TG_OK);
    for (int i = 0; i < TILES; i++)
        ck_assert_int_eq(runs[i], 1);
    ck_assert_int_eq(tg_ctx_parallel(&ctx, 0, count, NULL), TG_OK);
    ck_assert_int_eq(total(), TILES);
}
END_TEST

START_TEST(the_first_error_comes_back)
{
    struct tg_ctx ctx = context(_i);
    int64_t bad = 10;
    ck_assert_int_eq(tg_ctx_parallel(&ctx, TILES, count, &bad), TG_NUMERIC);
    ck_assert_int_lt(total(), TILES);
}
END_TEST

static enum tg_err stop_at_five(void *arg, int64_t i, unsigned lane)
{
    (void)arg;
    (void)lane;
    runs[i]++;
    if (total() == 5)
        atomic_store(&stop, TG_STOP_CANCEL);
    return TG_OK;
}

START_TEST(no_tile_starts_after_the_stop)
{
    struct tg_ctx ctx = context(_i);
    ck_assert_int_eq(tg_ctx_parallel(&ctx, TILES, stop_at_five, NULL), TG_CANCELLED);
    ck_assert_int_eq(total(), 5);
}
END_TEST

static void hear(void *runner, const char *phase, double done, double of, const char *unit)
{
    ck_assert_str_eq(phase, "reading");
    ck_assert_str_eq(unit, "rows");
    *(double *)runner = done / of;
}

START_TEST(progress_reaches_the_runner)
{
    double share = 0;
    struct tg_ctx ctx = {.lanes = 1, .runner = &share, .progress = hear}, deaf = {.lanes = 1};
    tg_ctx_progress(&ctx, "reading", 3, 4, "rows");
    tg_ctx_progress(&deaf, "reading", 3, 4, "rows");
    ck_assert_double_eq(share, 0.75);
}
END_TEST

/* A runner that remembers one thing. */
struct memory {
    char key[TG_KEY_MAX];
    char data[16];
    size_t n;
    int64_t rows, cols;
    double read;
};

static bool recall(void *runner, const char *key, void *data, size_t n)
{
    struct memory *memory = runner;
    if (n != memory->n || strcmp(key, memory->key))
        return false;
    memcpy(data, memory->data, n);
    return true;
}

static void keep(void *runner, const char *key, const void *data, size_t n)
{
    struct memory *memory = runner;
    snprintf(memory->key, sizeof(memory->key), "%s", key);
    memcpy(memory->data, data, n);
    memory->n = n;
}

static void show(void *runner, const char *name, int64_t rows, int64_t cols,
                 const double *values)
{
    struct memory *memory = runner;
    ck_assert_str_eq(name, "similarity");
    ck_assert_double_eq(values[0], 0.5);
    memory->rows = rows;
    memory->cols = cols;
}

static void add_read(void *runner, double bytes)
{
    struct memory *memory = runner;
    memory->read += bytes;
}

START_TEST(what_is_kept_shown_and_read_goes_to_the_runner)
{
    struct memory memory = {0};
    struct tg_ctx ctx = {.runner = &memory,
                         .recall = recall,
                         .keep = keep,
                         .partial = show,
                         .was_read = add_read};
    double value = 2.5, again = 0, half = 0.5;
    ck_assert(!tg_ctx_recall(&ctx, "a", &again, sizeof(again)));
    tg_ctx_keep(&ctx, "a", &value, sizeof(value));
    ck_assert(tg_ctx_recall(&ctx, "a", &again, sizeof(again)));
    ck_assert_double_eq(again, 2.5);
    tg_ctx_partial(&ctx, "similarity", 1, 1, &half);
    ck_assert_int_eq(memory.rows * memory.cols, 1);
    tg_ctx_was_read(&ctx, 1000);
    tg_ctx_was_read(&ctx, 24);
    ck_assert_double_eq(memory.read, 1024);
}
END_TEST

START_TEST(without_a_runner_nothing_is_kept)
{
    struct tg_ctx ctx = {0};
    double value = 1;
    tg_ctx_keep(&ctx, "a", &value, sizeof(value));
    ck_assert(!tg_ctx_recall(&ctx, "a", &value, sizeof(value)));
    tg_ctx_partial(&ctx, "similarity", 1, 1, &value);
    tg_ctx_was_read(&ctx, 8);
    ck_assert_double_eq(value, 1);
}
END_TEST

Suite *ctx_suite(void)
{
    Suite *suite = suite_create("ctx");
    TCase *tc = tcase_create("stop, tiles, progress");
    tcase_add_checked_fixture(tc, start, NULL);
    tcase_add_test(tc, the_stop_word_becomes_an_error);
    tcase_add_loop_test(tc, every_tile_runs_once, 1, 3);
    tcase_add_loop_test(tc, the_first_error_comes_back, 1, 3);
    tcase_add_loop_test(tc, no_tile_starts_after_the_stop, 1, 3);
    tcase_add_test(tc, progress_reaches_the_runner);
    tcase_add_test(tc, what_is_kept_shown_and_read_goes_to_the_runner);
    tcase_add_test(tc, without_a_runner_nothing_is_kept);
    suite_add_tcase(suite, tc);
    return suite;
}

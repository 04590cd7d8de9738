/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Torture: every allocation of the request path fails in turn.
 *
 * DESIGN. malloc and its kin are replaced in this program by counters in front of the C
 * library's own. For each scenario the n-th allocation made by this thread fails, for n = 1,
 * 2, ... until the scenario runs through untouched. Each round must end in success or in a
 * reported error (never a crash, checked by the sanitizers for leaks where built with them),
 * and a job that was refused must not be in the store. Afterwards the same request succeeds.
 */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linalg/linalg.h"
#include "proto/job.h"
#include "proto/problem.h"
#include "server/events.h"
#include "server/jobs.h"
#include "server/pool.h"
#include "server/store.h"

static _Thread_local long countdown; /* 0: off; at 1 the next allocation fails */
static _Thread_local bool hit;

static bool fails(void)
{
    if (!countdown || --countdown)
        return false;
    hit = true;
    errno = ENOMEM;
    return true;
}

/* The allocator behind this one: AddressSanitizer's where it is built in. */
#ifdef __SANITIZE_ADDRESS__
#define REAL(name) __interceptor_##name
#else
#define REAL(name) __libc_##name
#endif
void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t count, size_t size);
void *REAL(realloc)(void *p, size_t size);
void *REAL(memalign)(size_t alignment, size_t size);

void *malloc(size_t size)
{
    return fails() ? NULL : REAL(malloc)(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : REAL(calloc)(count, size);
}

void *realloc(void *p, size_t size)
{
    return fails() ? NULL : REAL(realloc)(p, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : REAL(memalign)(alignment, size);
}

static const char request[] =
    "{\"kind\": \"pca\", \"name\": \"torture\", \"params\": {\"components\": 2},"
    " \"inputs\": {\"trajectory\": [[0, 0, 1], [1, 0.5, 1], [2, 0.7, 3], [3, 2.5, 2],"
    " [4, 2, 5]]}}";
static const char faulty[] =
    "{\"kind\": \"pca\", \"params\": {\"components\": -1, \"nonsense\": 2},"
    " \"inputs\": {\"trajectory\": [[0, 0], [1]]}, \"nmae\": 3}";

static char dir[64];
static struct tg_hub *hub;
static struct tg_store *store;
static struct tg_pool *pool;
static struct tg_config config;
static struct tg_jobs jobs;

static void bump(void *arg, uint64_t seq)
{
    (void)seq;
    tg_hub_bump(arg);
}

static void setup(void)
{
    struct tg_report report;
    tg_report_init(&report);
    snprintf(dir, sizeof(dir), "/tmp/tangentd-torture-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    hub = tg_hub_new();
    ck_assert_ptr_nonnull(hub);
    struct tg_store_options options = {
        .dir = dir, .data_max_bytes = 1 << 20, .on_commit = bump, .arg = hub};
    ck_assert_msg(!tg_store_open(&options, &store, &report), "%s", report.detail);
    struct tg_pool_options pool_options = {.workers = 1,
                                           .memory_bytes = 1 << 28,
                                           .long_s = 10,
                                           .max_queued = 100000,
                                           .store = store,
                                           .hub = hub};
    ck_assert_msg(!tg_pool_start(&pool_options, &pool, &report), "%s", report.detail);
    config.max_body = 1 << 20;
    jobs = (struct tg_jobs){store, pool, &config, 1 << 28, 1};
}

static void teardown(void)
{
    char command[128];
    tg_pool_stop(pool, 1);
    tg_store_close(store);
    tg_hub_free(hub);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static size_t stored_jobs(void)
{
    uint64_t counts[TG_STATE_COUNT];
    size_t n = 0;
    ck_assert_int_eq(tg_store_counts(store, counts), TG_OK);
    for (int i = 0; i < TG_STATE_COUNT; i++)
        n += counts[i];
    return n;
}

static enum tg_err submit(struct tg_report *report)
{
    char id[TG_ID_SIZE];
    enum tg_cache cache;
    struct tg_jobs_submit s = {
        .body = request, .n = sizeof(request) - 1, .token = "", .no_cache = true};
    return tg_jobs_submit(&jobs, &s, id, &cache, report);
}

START_TEST(submission_survives_every_failed_allocation)
{
    size_t accepted = stored_jobs();
    for (long n = 1;; n++) {
        struct tg_report report;
        tg_report_init(&report);
        hit = false;
        countdown = n;
        enum tg_err err = submit(&report);
        countdown = 0;
        accepted += err == TG_OK;
        ck_assert_msg(stored_jobs() == accepted, "allocation %ld: answered %s, %zu jobs for %zu",
                      n, tg_err_slug(err), stored_jobs(), accepted);
        if (!hit) {
            ck_assert_int_eq(err, TG_OK);
            ck_assert_int_gt(n, 20);
            return;
        }
        ck_assert_msg(!err || tg_err_status(err) >= 500,
                      "allocation %ld: blamed the client: %s: %s", n, tg_err_slug(err),
                      report.detail);
    }
}
END_TEST

START_TEST(problems_survive_every_failed_allocation)
{
    struct tg_decode_limits limits = {.max_numbers = 1000, .max_inline_bytes = 1 << 20};
    for (long n = 1;; n++) {
        struct tg_report report;
        struct tg_request_spec spec;
        tg_report_init(&report);
        hit = false;
        countdown = n;
        enum tg_err err = tg_request_decode(faulty, sizeof(faulty) - 1, &limits, &spec, &report);
        json_t *problem = tg_problem(err, &report, "/v1/jobs");
        countdown = 0;
        ck_assert_int_ne(err, TG_OK);
        ck_assert_int_lt(n, 100000);
        json_decref(problem);
        if (!hit) {
            ck_assert_int_eq(err, TG_INVALID);
            ck_assert_uint_ge(report.count, 4);
            return;
        }
    }
}
END_TEST

int main(void)
{
    if (tg_blas_start(NULL))
        return EXIT_FAILURE;
    Suite *suite = suite_create("torture");
    TCase *tc = tcase_create("allocations");
    tcase_set_timeout(tc, 300);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, submission_survives_every_failed_allocation);
    tcase_add_test(tc, problems_survive_every_failed_allocation);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

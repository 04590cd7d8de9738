/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * server/pool.c and its workers: who runs, with how many cores, and how fast they let go.
 * The jobs are real ones, each of them far longer than what is measured.
 */
#include "jobs_fixture.h"

#include <sys/resource.h>

Suite *pool_suite(void);

static const uint64_t plenty = UINT64_C(4) << 30;

static void start_huge(double threshold, const char *members, char id[TG_ID_SIZE])
{
    submit_svcca(HUGE_LAYERS, threshold, "", members, id);
    wait_running(id);
}

static void cancel(const char *id)
{
    enum tg_state now;
    ck_assert_int_eq(tg_jobs_cancel(&jobs, id, &now, &report), TG_OK);
}

static bool wait_helping(unsigned helping)
{
    struct tg_pool_stats stats;
    for (double until = tg_clock_monotonic() + 20; tg_clock_monotonic() < until;) {
        tg_pool_stats(pool, &stats);
        if (stats.busy == 1 && stats.helping == helping)
            return true;
        usleep(200);
    }
    return false;
}

/* Cores -------------------------------------------------------------------------------
 */

START_TEST(a_lone_job_gets_every_core)
{
    char id[TG_ID_SIZE];
    start_pool(2, plenty, 1e9, 100);
    start_huge(0.9, "", id);
    ck_assert(wait_helping(1));
    cancel(id);
    wait_end(id);
}
END_TEST

START_TEST(helpers_leave_when_jobs_arrive)
{
    char huge[TG_ID_SIZE], small[2][TG_ID_SIZE];
    start_pool(2, plenty, 1e9, 100);
    start_huge(0.9, "", huge);
    ck_assert(wait_helping(1));
    for (int i = 0; i < 2; i++)
        submit_svcca(2, 0.5 + 0.1 * i, "", "", small[i]);
    for (int i = 0; i < 2; i++) {
        ck_assert_double_lt(wait_end(small[i]), 5);
        ck_assert_int_eq(state_of(small[i]), TG_SUCCEEDED);
    }
    ck_assert_int_eq(state_of(huge), TG_RUNNING);
    ck_assert(wait_helping(1)); /* and come back */
    cancel(huge);
    wait_end(huge);
}
END_TEST

START_TEST(many_jobs_run_one_on_each_core)
{
    char id[4][TG_ID_SIZE];
    struct tg_pool_stats stats;
    start_pool(3, plenty, 1e9, 100);
    for (int i = 0; i < 4; i++)
        submit_svcca(HUGE_LAYERS, 0.5 + 0.1 * i, "", "", id[i]);
    for (int i = 0; i < 3; i++)
        wait_running(id[i]);
    tg_pool_stats(pool, &stats);
    ck_assert_uint_eq(stats.busy, 3);
    ck_assert_uint_eq(stats.helping, 0);
    ck_assert_uint_eq(stats.sched.queued, 1);
    ck_assert_int_eq(state_of(id[3]), TG_QUEUED);
    for (int i = 4; i--;)
        cancel(id[i]);
    for (int i = 0; i < 4; i++)
        wait_end(id[i]);
}
END_TEST

static char *result_of(const char *id)
{
    char *document;
    ck_assert_int_eq(tg_store_result(store, id, &document, NULL), TG_OK);
    char *provenance = strstr(document, "\"provenance\"");
    ck_assert_ptr_nonnull(provenance);
    *provenance = '\0'; /* times and cores */
    return document;
}

START_TEST(one_core_and_many_give_the_same_bits)
{
    char id[2][TG_ID_SIZE], *body = svcca_body(4, 0.9, "");
    const struct tg_jobs_submit order = {
        .body = body, .n = strlen(body), .token = "", .no_cache = true};
    enum tg_cache cache;
    for (int i = 0; i < 2; i++) {
        start_pool(i ? 3 : 1, plenty, 1e9, 100);
        ck_assert_int_eq(tg_jobs_submit(&jobs, &order, id[i], &cache, &report), TG_OK);
        wait_end(id[i]);
        stop_pool();
    }
    char *one = result_of(id[0]), *many = result_of(id[1]);
    ck_assert_str_eq(one, many);
    free(one);
    free(many);
    free(body);
}
END_TEST

/* Order -------------------------------------------------------------------------------
 */

START_TEST(long_jobs_leave_a_worker_to_short_ones)
{
    char longs[2][TG_ID_SIZE], small[TG_ID_SIZE];
    start_pool(2, plenty, 0.5, 100);
    submit_svcca(HUGE_LAYERS, 0.9, "", "", longs[0]);
    submit_svcca(HUGE_LAYERS, 0.8, "", "", longs[1]);
    wait_running(longs[0]);
    submit_svcca(2, 0.7, "", "", small);
    wait_end(small);
    ck_assert_int_eq(state_of(small), TG_SUCCEEDED);
    ck_assert_int_eq(state_of(longs[0]), TG_RUNNING);
    ck_assert_int_eq(state_of(longs[1]), TG_QUEUED);
    cancel(longs[1]);
    cancel(longs[0]);
    wait_end(longs[0]);
}
END_TEST

START_TEST(memory_is_reserved_as_estimated)
{
    char big[2][TG_ID_SIZE], small[TG_ID_SIZE];
    struct tg_pool_stats stats;
    start_pool(2, plenty, 1e9, 100);
    start_huge(0.9, "", big[0]);
    struct tg_job_row row = get_job(big[0]);
    uint64_t peak = row.peak_bytes;
    tg_job_row_release(&row);
    tg_pool_stats(pool, &stats);
    ck_assert_uint_eq(stats.sched.reserved_bytes, peak);
    cancel(big[0]);
    wait_end(big[0]);
    stop_pool();

    start_pool(2, peak + peak / 2, 1e9, 100); /* room for one of them */
    start_huge(0.8, "", big[0]);
    submit_svcca(HUGE_LAYERS, 0.7, "", "", big[1]);
    submit_svcca(2, 0.6, "", "", small);
    wait_end(small);
    ck_assert_int_eq(state_of(small), TG_SUCCEEDED);
    ck_assert_int_eq(state_of(big[1]), TG_QUEUED);
    cancel(big[0]);
    wait_running(big[1]);
    cancel(big[1]);
    wait_end(big[1]);
}
END_TEST

/* One worker; the many jobs of one token do not make another token wait for them all. */
START_TEST(tokens_take_turns)
{
    enum { BACKLOG = 30 };
    char id[TG_ID_SIZE], huge[TG_ID_SIZE], last[TG_ID_SIZE] = "";
    start_pool(1, plenty, 1e9, 100);
    start_huge(0.9, "", huge);
    for (int i = 0; i < BACKLOG; i++)
        submit_svcca(4, 0.5 + 0.01 * i, "ann", "", last);
    submit_svcca(4, 0.4, "bob", "", id);
    cancel(huge);
    wait_end(id);
    ck_assert_int_eq(state_of(id), TG_SUCCEEDED);
    ck_assert_int_eq(state_of(last), TG_QUEUED);
}
END_TEST

/* Stopping ----------------------------------------------------------------------------
 */

START_TEST(a_cancel_reaches_into_the_numerics)
{
    enum { ROUNDS = 8 };
    char id[TG_ID_SIZE];
    double sum = 0, longest = 0;
    start_pool(2, plenty, 1e9, 100);
    for (int i = 0; i < ROUNDS; i++) {
        start_huge(0.5 + 0.01 * i, "", id);
        usleep(20000 + 60000 * (useconds_t)i); /* another place each time */
        double began = tg_clock_monotonic();
        cancel(id);
        wait_end(id);
        double seconds = tg_clock_monotonic() - began;
        sum += seconds;
        longest = fmax(longest, seconds);
        ck_assert_int_eq(state_of(id), TG_JOB_CANCELLED);
        assert_problem(id, "cancelled");
    }
    ck_assert_double_lt(sum / ROUNDS, 0.25);
    ck_assert_double_lt(longest, 2);
}
END_TEST

START_TEST(a_time_limit_reaches_into_the_numerics)
{
    char id[TG_ID_SIZE], members[64];
    start_pool(2, plenty, 1e9, 100);
    start_huge(0.9, "\"max_run_s\": 0.3,", id);
    double seconds = wait_end(id);
    ck_assert_double_gt(seconds, 0.2);
    ck_assert_double_lt(seconds, 2.3);
    ck_assert_int_eq(state_of(id), TG_JOB_CANCELLED);
    assert_problem(id, "deadline");

    start_huge(0.9, "", id);
    time_t soon = time(NULL) + 2;
    struct tm tm;
    strftime(members, sizeof members, "\"deadline\": \"%Y-%m-%dT%H:%M:%SZ\",",
             gmtime_r(&soon, &tm));
    char waiting[2][TG_ID_SIZE];
    start_huge(0.8, "", waiting[0]);
    submit_svcca(HUGE_LAYERS, 0.7, "", members, waiting[1]);
    wait_end(waiting[1]); /* it never ran */
    ck_assert_int_eq(state_of(waiting[1]), TG_EXPIRED);
    assert_problem(waiting[1], "deadline");
    ck_assert_double_lt(fabs(tg_clock_wall() - (double)soon), 2);
}
END_TEST

START_TEST(what_runs_at_the_stop_is_queued_again_and_not_counted)
{
    char id[TG_ID_SIZE], small[TG_ID_SIZE];
    start_pool(2, plenty, 1e9, 100);
    start_huge(0.9, "", id);
    double began = tg_clock_monotonic();
    stop_pool();
    ck_assert_double_lt(tg_clock_monotonic() - began, 2);
    struct tg_job_row row = get_job(id);
    ck_assert_int_eq(row.state, TG_QUEUED);
    ck_assert_int_eq(row.attempt, 0);
    tg_job_row_release(&row);

    start_pool(2, plenty, 1e9, 100);
    submit_svcca(12, 0.8, "", "", small);
    wait_running(small);
    tg_pool_stop(pool, 60); /* with time to finish */
    pool = NULL;
    ck_assert_int_eq(state_of(small), TG_SUCCEEDED);
}
END_TEST

/* Memory ------------------------------------------------------------------------------
 */

static void queue_again(void *arg, const struct tg_job_row *row)
{
    (void)arg;
    (void)!tg_pool_push(pool, row, true);
}

START_TEST(a_recovered_job_that_cannot_fit_any_more_fails_and_says_why)
{
    char id[TG_ID_SIZE], small[TG_ID_SIZE];
    start_pool(1, plenty, 1e9, 100);
    start_huge(0.9, "", id);
    stop_pool();
    start_pool(1, 16 << 20, 1e9, 100);
    ck_assert_int_eq(tg_store_recover(store, queue_again, NULL), TG_OK);
    wait_end(id);
    ck_assert_int_eq(state_of(id), TG_FAILED);
    assert_problem(id, tg_err_slug(TG_TOO_LARGE_JOB));
    submit_svcca(2, 0.9, "", "", small);
    wait_end(small);
    ck_assert_int_eq(state_of(small), TG_SUCCEEDED);
}
END_TEST

#ifndef __SANITIZE_ADDRESS__
#ifndef __SANITIZE_THREAD__
static rlim_t address_space(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%lu", &pages), 1);
    fclose(file);
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

START_TEST(a_job_the_system_has_no_memory_for_fails_alone)
{
    char id[TG_ID_SIZE], small[TG_ID_SIZE];
    struct rlimit limit;
    start_pool(2, plenty, 1e9, 100);
    submit_svcca(2, 0.9, "", "", small); /* threads have their stacks and heaps now */
    wait_end(small);
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &limit), 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = address_space() + (24 << 20);
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    submit_svcca(HUGE_LAYERS, 0.9, "", "", id);
    wait_end(id);
    ck_assert_int_eq(state_of(id), TG_FAILED);
    assert_problem(id, tg_err_slug(TG_NOMEM));
    submit_svcca(2, 0.8, "", "", small);
    wait_end(small);
    ck_assert_int_eq(state_of(small), TG_SUCCEEDED);
    limit.rlim_cur = before;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
}
END_TEST
#define HAS_ADDRESS_LIMIT
#endif
#endif

Suite *pool_suite(void)
{
    Suite *suite = suite_create("pool");
    TCase *tc = tcase_create("running");
    tcase_add_checked_fixture(tc, setup_jobs, teardown_jobs);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_lone_job_gets_every_core);
    tcase_add_test(tc, helpers_leave_when_jobs_arrive);
    tcase_add_test(tc, many_jobs_run_one_on_each_core);
    tcase_add_test(tc, one_core_and_many_give_the_same_bits);
    tcase_add_test(tc, long_jobs_leave_a_worker_to_short_ones);
    tcase_add_test(tc, memory_is_reserved_as_estimated);
    tcase_add_test(tc, tokens_take_turns);
    tcase_add_test(tc, a_cancel_reaches_into_the_numerics);
    tcase_add_test(tc, a_time_limit_reaches_into_the_numerics);
    tcase_add_test(tc, what_runs_at_the_stop_is_queued_again_and_not_counted);
    tcase_add_test(tc, a_recovered_job_that_cannot_fit_any_more_fails_and_says_why);
#ifdef HAS_ADDRESS_LIMIT
    tcase_add_test(tc, a_job_the_system_has_no_memory_for_fails_alone);
#endif
    suite_add_tcase(suite, tc);
    return suite;
}

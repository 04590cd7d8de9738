/* SPDX-License-Identifier: GPL-3.0-or-later */
/* server/jobs.c: what becomes of a request body, and that a refused one leaves nothing.
 */
#include "jobs_fixture.h"

Suite *jobs_suite(void);

static const char small[] =
    "{\"kind\": \"pca\", \"params\": {\"components\": 2}, \"inputs\": "
    "{\"trajectory\": [[0, 0, 1], [1, 0.5, 1], [2, 2, 3], [3, 2, 2]]}}";
static const char other[] =
    "{\"kind\": \"pca\", \"params\": {\"components\": 1}, \"inputs\": "
    "{\"trajectory\": [[0, 0, 1], [1, 0.5, 1], [2, 2, 3], [3, 2, 2]]}}";

static void start(void)
{
    setup_jobs();
    start_pool(2, 512 << 20, 10, 100);
}

static void submit_ok(const char *body, const char *token, const char *key,
                      char id[TG_ID_SIZE], enum tg_cache expected)
{
    enum tg_cache cache;
    ck_assert_msg(submit_body(body, token, key, id, &cache) == TG_OK, "%s",
                  report.detail);
    ck_assert_str_eq(tg_cache_names[cache], tg_cache_names[expected]);
}

static uint64_t count_jobs(void)
{
    uint64_t counts[TG_STATE_COUNT], sum = 0;
    ck_assert_int_eq(tg_store_counts(store, counts), TG_OK);
    for (int i = 0; i < TG_STATE_COUNT; i++)
        sum += counts[i];
    return sum;
}

START_TEST(a_job_runs_to_its_result)
{
    char id[TG_ID_SIZE], *document;
    submit_ok(small, "ann", NULL, id, TG_CACHE_MISS);
    wait_end(id);
    struct tg_job_row row = get_job(id);
    ck_assert_int_eq(row.state, TG_SUCCEEDED);
    ck_assert_int_eq(row.attempt, 1);
    ck_assert_str_eq(row.token, "ann");
    ck_assert(row.created <= row.started && row.started <= row.finished);
    tg_job_row_release(&row);
    ck_assert_int_eq(tg_store_result(store, id, &document, NULL), TG_OK);
    json_t *result = json_loads(document, 0, NULL);
    ck_assert_int_eq(
        json_integer_value(json_object_get(json_object_get(result, "values"), "n")), 4);
    json_decref(result);
    free(document);
}
END_TEST

START_TEST(a_key_names_one_job)
{
    char id[TG_ID_SIZE], again[TG_ID_SIZE];
    enum tg_cache cache;
    submit_ok(small, "ann", "k1", id, TG_CACHE_MISS);
    submit_ok(small, "ann", "k1", again, TG_CACHE_REPLAY);
    ck_assert_str_eq(id, again);
    ck_assert_int_eq(submit_body(other, "ann", "k1", again, &cache), TG_KEY_REUSED);
    wait_end(id);
    submit_ok(small, "ann", "k1", again, TG_CACHE_REPLAY); /* after its end too */
    ck_assert_str_eq(id, again);
    submit_ok(small, "bob", "k1", again, TG_CACHE_HIT); /* a key belongs to its token */
    ck_assert_str_ne(id, again);
    ck_assert_uint_eq(count_jobs(), 2);
}
END_TEST

START_TEST(what_was_computed_is_not_computed_again)
{
    char id[TG_ID_SIZE], again[TG_ID_SIZE], *first, *second;
    submit_ok(small, "", NULL, id, TG_CACHE_MISS);
    wait_end(id);
    submit_ok(small, "", NULL, again, TG_CACHE_HIT);
    ck_assert_str_ne(id, again);
    ck_assert_int_eq(state_of(again), TG_SUCCEEDED);
    ck_assert_int_eq(tg_store_result(store, id, &first, NULL), TG_OK);
    ck_assert_int_eq(tg_store_result(store, again, &second, NULL), TG_OK);
    ck_assert_str_eq(first, second);
    free(first);
    free(second);
    const struct tg_jobs_submit fresh = {
        .body = small, .n = strlen(small), .token = "", .no_cache = true};
    enum tg_cache cache;
    ck_assert_int_eq(tg_jobs_submit(&jobs, &fresh, again, &cache, &report), TG_OK);
    ck_assert_int_eq(cache, TG_CACHE_MISS);
    wait_end(again);
    struct tg_job_row row = get_job(again);
    ck_assert_int_eq(row.attempt, 1);
    tg_job_row_release(&row);
}
END_TEST

START_TEST(the_same_job_under_way_is_shared_within_a_token)
{
    char id[TG_ID_SIZE], again[TG_ID_SIZE], *body = svcca_body(HUGE_LAYERS, 0.9, "");
    enum tg_state now;
    submit_ok(body, "ann", NULL, id, TG_CACHE_MISS);
    submit_ok(body, "ann", NULL, again, TG_CACHE_SHARED);
    ck_assert_str_eq(id, again);
    submit_ok(body, "bob", NULL, again, TG_CACHE_MISS);
    ck_assert_str_ne(id, again);
    ck_assert_int_eq(tg_jobs_cancel(&jobs, id, &now, &report), TG_OK);
    ck_assert_int_eq(tg_jobs_cancel(&jobs, again, &now, &report), TG_OK);
    wait_end(id);
    wait_end(again);
    free(body);
}
END_TEST

START_TEST(a_dry_run_tells_the_cost_and_keeps_nothing)
{
    char id[TG_ID_SIZE];
    json_t *answer;
    tg_report_init(&report);
    ck_assert_int_eq(tg_jobs_dry_run(&jobs, small, strlen(small), &answer, &report),
                     TG_OK);
    ck_assert(json_is_true(json_object_get(answer, "valid")));
    ck_assert_str_eq(json_string_value(json_object_get(answer, "cache")), "miss");
    json_t *cost = json_object_get(answer, "cost");
    json_int_t peak = json_integer_value(json_object_get(cost, "peak_bytes"));
    ck_assert_int_gt(peak, 0);
    json_decref(answer);
    ck_assert_uint_eq(count_jobs(), 0);

    submit_ok(small, "", NULL, id, TG_CACHE_MISS);
    wait_end(id);
    struct tg_job_row row = get_job(id);
    ck_assert_int_eq((json_int_t)row.peak_bytes, peak);
    tg_job_row_release(&row);
    ck_assert_int_eq(tg_jobs_dry_run(&jobs, small, strlen(small), &answer, &report),
                     TG_OK);
    ck_assert_str_eq(json_string_value(json_object_get(answer, "cache")), "hit");
    ck_assert_str_eq(json_string_value(json_object_get(answer, "job")), id);
    json_decref(answer);
    ck_assert_uint_eq(count_jobs(), 1);
}
END_TEST

static const struct {
    const char *body;
    enum tg_err err;
    size_t faults;
} refused[] = {
    {"", TG_BAD_JSON, 1},
    {"{\"kind\": \"pca\"", TG_BAD_JSON, 1},
    {"{\"kind\": \"pcb\"}", TG_INVALID, 1},
    {"{\"kind\": \"pca\", \"params\": {\"components\": 0, \"x\": 1}, \"priority\": \"top\", "
     "\"inputs\": {\"trajectory\": [[1, 2], [3, 5], [4, 4]]}}",
     TG_INVALID, 3},
    {"{\"kind\": \"pca\", \"inputs\": {\"trajectory\": {\"sha256\": "
     "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}}}",
     TG_UNKNOWN_DATA, 1},
};

START_TEST(a_refused_request_leaves_nothing)
{
    char id[TG_ID_SIZE];
    enum tg_cache cache;
    struct tg_data_row *rows;
    size_t n;
    enum tg_err err = submit_body(refused[_i].body, "", NULL, id, &cache);
    ck_assert_msg(err == refused[_i].err, "%s: %s", tg_err_slug(err), report.detail);
    ck_assert_uint_eq(report.count, refused[_i].faults);
    ck_assert_uint_eq(count_jobs(), 0);
    ck_assert_int_eq(tg_data_list(store, NULL, 10, &rows, &n), TG_OK);
    ck_assert_uint_eq(n, 2); /* the layers of the fixture */
    for (size_t i = 0; i < n; i++)
        tg_data_row_release(&rows[i]);
    free(rows);
}
END_TEST

START_TEST(a_job_that_can_never_fit_is_refused_with_the_numbers)
{
    char id[TG_ID_SIZE], *body = svcca_body(HUGE_LAYERS, 0.9, "");
    enum tg_cache cache;
    stop_pool();
    start_pool(2, 16 << 20, 10, 100);
    ck_assert_int_eq(submit_body(body, "", NULL, id, &cache), TG_TOO_LARGE_JOB);
    ck_assert_ptr_nonnull(strstr(report.detail, "16.0 MiB"));
    ck_assert_uint_eq(count_jobs(), 0);
    free(body);
}
END_TEST

START_TEST(a_full_queue_refuses_and_keeps_nothing)
{
    char id[3][TG_ID_SIZE], *body = svcca_body(HUGE_LAYERS, 0.7, "");
    enum tg_state now;
    enum tg_cache cache;
    stop_pool();
    start_pool(1, 512 << 20, 1e9, 1);
    submit_svcca(HUGE_LAYERS, 0.9, "", "", id[0]);
    wait_running(id[0]);
    submit_svcca(HUGE_LAYERS, 0.8, "", "", id[1]);
    ck_assert_int_eq(submit_body(body, "", NULL, id[2], &cache), TG_QUEUE_FULL);
    ck_assert_uint_eq(count_jobs(), 2);
    ck_assert_int_eq(tg_jobs_cancel(&jobs, id[1], &now, &report), TG_OK);
    ck_assert_int_eq(now, TG_JOB_CANCELLED);
    ck_assert_int_eq(submit_body(body, "", NULL, id[2], &cache), TG_OK);
    ck_assert_int_eq(tg_jobs_cancel(&jobs, id[0], &now, &report), TG_OK);
    free(body);
}
END_TEST

START_TEST(cancelling_twice_is_cancelling_once)
{
    char id[TG_ID_SIZE];
    enum tg_state now;
    submit_svcca(HUGE_LAYERS, 0.9, "", "", id);
    wait_running(id);
    ck_assert_int_eq(tg_jobs_cancel(&jobs, id, &now, &report), TG_OK);
    ck_assert(now == TG_CANCELLING || now == TG_JOB_CANCELLED);
    ck_assert_int_eq(tg_jobs_cancel(&jobs, id, &now, &report), TG_OK);
    wait_end(id);
    ck_assert_int_eq(tg_jobs_cancel(&jobs, id, &now, &report), TG_OK);
    ck_assert_int_eq(now, TG_JOB_CANCELLED);
    ck_assert_int_eq(tg_jobs_cancel(&jobs, "01ARZ3NDEKTSV4RRFFQ69G5FAV", &now, &report),
                     TG_NOT_FOUND);
}
END_TEST

START_TEST(a_retry_is_a_new_job_with_the_same_content)
{
    char id[TG_ID_SIZE], again[TG_ID_SIZE];
    enum tg_state now;
    submit_svcca(HUGE_LAYERS, 0.9, "ann", "\"name\": \"run 7\", \"priority\": \"high\",",
                 id);
    ck_assert_int_eq(tg_jobs_retry(&jobs, id, "bob", again, &report), TG_CONFLICT);
    ck_assert_int_eq(tg_jobs_cancel(&jobs, id, &now, &report), TG_OK);
    wait_end(id);
    tg_report_init(&report);
    ck_assert_int_eq(tg_jobs_retry(&jobs, id, "bob", again, &report), TG_OK);
    struct tg_job_row first = get_job(id), second = get_job(again);
    ck_assert_str_eq(second.retry_of, id);
    ck_assert_str_eq(second.hash, first.hash);
    ck_assert_str_eq(second.name, "run 7");
    ck_assert_str_eq(second.token, "bob");
    ck_assert_int_eq(second.priority, TG_PRIORITY_HIGH);
    tg_job_row_release(&first);
    tg_job_row_release(&second);
    ck_assert_int_eq(tg_jobs_cancel(&jobs, again, &now, &report), TG_OK);
    wait_end(again);
    submit_ok(small, "", NULL, id, TG_CACHE_MISS);
    wait_end(id);
    ck_assert_int_eq(tg_jobs_retry(&jobs, id, "", again, &report), TG_CONFLICT);
}
END_TEST

Suite *jobs_suite(void)
{
    Suite *suite = suite_create("jobs");
    TCase *tc = tcase_create("requests");
    tcase_add_checked_fixture(tc, start, teardown_jobs);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_job_runs_to_its_result);
    tcase_add_test(tc, a_key_names_one_job);
    tcase_add_test(tc, what_was_computed_is_not_computed_again);
    tcase_add_test(tc, the_same_job_under_way_is_shared_within_a_token);
    tcase_add_test(tc, a_dry_run_tells_the_cost_and_keeps_nothing);
    tcase_add_loop_test(tc, a_refused_request_leaves_nothing, 0,
                        sizeof refused / sizeof *refused);
    tcase_add_test(tc, a_job_that_can_never_fit_is_refused_with_the_numbers);
    tcase_add_test(tc, a_full_queue_refuses_and_keeps_nothing);
    tcase_add_test(tc, cancelling_twice_is_cancelling_once);
    tcase_add_test(tc, a_retry_is_a_new_job_with_the_same_content);
    suite_add_tcase(suite, tc);
    return suite;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Calls while memory is short: in each round the n-th allocation of this thread fails,
 * for n = 1, 2, ... until the call runs through untouched. Without HTTP in between every
 * allocation is met, and the errors are seen as they are.
 */
#include "torture.h"

#include <stdlib.h>
#include <string.h>

#include "daemon.h"
#include "failing.h"
#include "proto/job.h"
#include "proto/problem.h"
#include "server/execute.h"

static const char faulty[] =
    "{\"kind\": \"pca\", \"params\": {\"components\": -1, \"nonsense\": 2},"
    " \"inputs\": {\"trajectory\": [[0, 0], [1]]}, \"nmae\": 3}";

/* A job of each way that inputs take. */
static const char *const requests[] = {
    torture_request,
    "{\"kind\": \"svcca\", \"inputs\": {\"layers\": {\"a\": [[1, 2], [3, 5], [4, 4], [6, 1]],"
    " \"b\": [[1, 0, 2], [0, 1, 1], [2, 2, 5], [3, 1, 4]]}}}",
    "{\"kind\": \"svcca\", \"params\": {\"measures\": [\"cka_rbf\", \"cka_minibatch\","
    " \"rsa_spearman\", \"rsa_kendall\", \"rsa_whitened\", \"knn\"], \"neighbours\": 2,"
    " \"permutations\": 3, \"table_memory\": 0, \"rsa_distance\": \"cosine\"},"
    " \"inputs\": {\"layers\": {\"a\": [[1, 2], [3, 5], [4, 4], [6, 1], [2, 7]],"
    " \"b\": [[1, 0, 2], [0, 1, 1], [2, 2, 5], [3, 1, 4], [1, 6, 0]],"
    " \"dead\": [[1, 0], [0, 1], [2, 5], [0, 0], [1, 6]]}}}",
    "{\"kind\": \"pca\", \"params\": {\"components\": 2, \"tensors\": [\"*\"]},"
    " \"inputs\": {\"checkpoints\": [{\"data\": [1, 2, 3], \"step\": 9},"
    " {\"data\": [0, 2, 4], \"step\": 7}, {\"data\": [5, 2, 5], \"step\": 11},"
    " {\"data\": [6, 3, 1], \"step\": 8}], \"loss\": [3, 2.5, 1, 1.5]}}",
    "{\"kind\": \"pca\", \"inputs\": {\"trajectories\": {\"a\": [[1, 2], [3, 5], [4, 4]],"
    " \"b\": [[1, 0], [0, 1], [2, 2], [3, 1]]}, \"loss\": [7, 6, 5, 4, 3, 2, 1]}}",
};
enum { REQUESTS = sizeof(requests) / sizeof(*requests) };

static enum tg_err submit(const char *body, struct tg_report *report)
{
    char id[TG_ID_SIZE];
    enum tg_cache cache;
    struct tg_jobs_submit s = {
        .body = body, .n = strlen(body), .token = "", .no_cache = true};
    return tg_jobs_submit(&torture_server.jobs, &s, id, &cache, report);
}

START_TEST(submission_survives_every_failed_allocation)
{
    size_t accepted = 0;
    tg_pool_close(torture_server.pool);
    for (long n = 1;; n++) {
        struct tg_report report;
        tg_report_init(&report);
        fail_mine(n);
        enum tg_err err = submit(requests[_i], &report);
        bool hit = fail_stop();
        accepted += err == TG_OK;
        ck_assert_msg(torture_jobs() == accepted,
                      "allocation %ld: answered %s, %zu jobs for %zu", n,
                      tg_err_slug(err), torture_jobs(), accepted);
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
        fail_mine(n);
        enum tg_err err =
            tg_request_decode(faulty, sizeof(faulty) - 1, &limits, &spec, &report);
        json_t *problem = tg_problem(err, &report, "/v1/jobs");
        bool hit = fail_stop();
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

/* What execute does is in a worker the same as here. */
static void execute_all(struct tg_job_row *row)
{
    char *usual = NULL;
    for (long n = 0;; n++) {
        struct tg_report report;
        struct tg_outcome outcome;
        struct tg_reading reading;
        tg_reading_init(&reading, torture_server.store);
        const struct tg_task task = {.row = row,
                                     .attempt = 1,
                                     .opener = tg_reading_opener(&reading),
                                     .ctx = {.lanes = 1}};
        tg_report_init(&report);
        if (n)
            fail_mine(n);
        enum tg_err err = tg_execute(&task, &outcome, &report);
        bool hit = n ? fail_stop() : true;
        ck_assert_msg(!err || err == TG_NOMEM, "allocation %ld: %s: %s", n,
                      tg_err_slug(err), report.detail);
        ck_assert(!err || hit);
        if (err)
            continue;
        char *provenance = strstr(outcome.document, "\"provenance\"");
        ck_assert_ptr_nonnull(provenance);
        *provenance = '\0'; /* it tells times */
        if (!usual)
            usual = strdup(outcome.document);
        ck_assert_msg(!strcmp(usual, outcome.document),
                      "allocation %ld: a different result", n);
        tg_outcome_release(&outcome);
        if (!hit)
            break;
    }
    free(usual);
}

START_TEST(execution_survives_every_failed_allocation)
{
    struct tg_report report;
    struct tg_job_filter filter = {.limit = 1};
    struct tg_job_row *row;
    size_t n;
    tg_report_init(&report);
    tg_pool_close(torture_server.pool);
    ck_assert_msg(!submit(requests[_i], &report), "%s", report.detail);
    ck_assert_int_eq(tg_store_list(torture_server.store, &filter, &row, &n), TG_OK);
    execute_all(row);
    tg_job_row_release(row);
    free(row);
}
END_TEST

TCase *calls_case(void)
{
    TCase *tc = tcase_create("calls");
    tcase_set_timeout(tc, 300);
    tcase_add_checked_fixture(tc, torture_start, torture_stop);
    tcase_add_loop_test(tc, submission_survives_every_failed_allocation, 0, REQUESTS);
    tcase_add_test(tc, problems_survive_every_failed_allocation);
    tcase_add_loop_test(tc, execution_survives_every_failed_allocation, 0, REQUESTS);
    return tc;
}

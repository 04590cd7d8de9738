/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Requests while memory is short: in each round one more allocation of the daemon
 * succeeds, on whatever thread it is, and then one fails.
 *
 * DESIGN. The daemon may answer as always, with an error of its own (5xx), or close the
 * connection; what it answers as always must be the same to the last byte. It may never
 * blame the client. A request that changes something is sent again afterwards, and then
 * must have been done exactly once.
 */
#include "torture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon.h"
#include "failing.h"
#include "proto/digest.h"

enum { ROUNDS_MAX = 100000 };

/* An answer in a round: as always, or the daemon's own fault. */
static void check_status(const char *line, long n, int status, int usual)
{
    ck_assert_msg(!status || status == usual || status >= 500, "%s: allocation %ld: %s",
                  line, n, torture_answer);
}

/* Looking ---------------------------------------------------------------------------- */

enum same { SAME, PREFIX, ANY };

static const struct {
    const char *target, *headers;
    enum same same;
} looks[] = {
    {"/v1/jobs/%s", NULL, SAME},
    {"/v1/jobs/%s?wait=1", NULL, SAME},
    {"/v1/jobs?limit=1", NULL, SAME},
    {"/v1/jobs?view=rows&name=tort&state=succeeded,failed", NULL, SAME},
    {"/v1/jobs?limit=fifty", NULL, SAME},
    {"/v1/jobs/%s/result", NULL, SAME},
    {"/v1/jobs/%s/result?format=text", NULL, SAME},
    {"/v1/jobs/%s/result", "Accept: text/csv\r\n", SAME},
    {"/v1/jobs/%s/result?format=npz", NULL, SAME},
    {"/v1/jobs/%s/result?format=vega-lite", NULL, SAME},
    {"/v1/jobs/%s/result?format=npy", NULL, SAME},
    {"/v1/jobs/%s/result/arrays/scores", NULL, SAME},
    {"/v1/jobs/%s/result/arrays/scores", "Range: bytes=3-9\r\n", SAME},
    {"/v1/jobs/%s/result/arrays/scores?format=json", NULL, SAME},
    {"/v1/jobs/%s/result/arrays/scores?format=csv", NULL, SAME},
    {"/v1/jobs/%s/result/arrays/nothing", NULL, SAME},
    {"/v1/jobs/%s/result/figures/path", NULL, SAME},
    {"/v1/jobs/%s/events?since=0", NULL, PREFIX},
    {"/v1/jobs/01ARZ3NDEKTSV4RRFFQ69G5FAV", NULL, SAME},
    {"/v1/data", NULL, SAME},
    {"/v1/kinds", NULL, SAME},
    {"/v1/kinds/pca", NULL, SAME},
    {"/v1/problems/not-found", NULL, SAME},
    {"/v1/status", NULL, ANY},
    {"/readyz", NULL, SAME},
    {"/metrics", NULL, ANY},
};

static void look_at(const char *line, const char *headers, enum same same)
{
    static char usual[1 << 20];
    int status = torture_ask(line, headers, NULL, 0);
    size_t n = torture_nbody;
    ck_assert_msg(status && status < 500, "%s: %s", line, torture_answer);
    memcpy(usual, torture_body, n);
    for (long round = 1;; round++) {
        ck_assert_int_lt(round, ROUNDS_MAX);
        fail_others(round);
        int now = torture_ask(line, headers, NULL, 0);
        bool hit = fail_stop();
        check_status(line, round, now, status);
        if (now == status && status >= 400) /* a problem may lose its detail */
            ck_assert_mem_eq(torture_body, usual, strcspn(usual, ","));
        else if (now == status && same == SAME)
            ck_assert_msg(torture_nbody == n && !memcmp(torture_body, usual, n),
                          "%s: allocation %ld: a different body: %s", line, round,
                          torture_body);
        if (now == status && same == PREFIX)
            ck_assert_msg(torture_nbody <= n, "%s: allocation %ld: more than usual", line,
                          round);
        if (!hit) {
            ck_assert_int_eq(now, status);
            return;
        }
    }
}

START_TEST(looking_survives_every_failed_allocation)
{
    char id[TG_ID_SIZE], line[160], target[128];
    ck_assert_int_eq(torture_ask("POST /v1/jobs", "Prefer: wait=20\r\n", torture_request,
                                 strlen(torture_request)),
                     200);
    torture_job_id(id);
    /* The table's formats have one %s at most. */
    const char *mark = strstr(looks[_i].target, "%s");
    int before = mark ? (int)(mark - looks[_i].target) : (int)strlen(looks[_i].target);
    snprintf(target, sizeof(target), "%.*s%s%s", before, looks[_i].target, mark ? id : "",
             mark ? mark + 2 : "");
    snprintf(line, sizeof(line), "GET %s", target);
    look_at(line, looks[_i].headers, looks[_i].same);
}
END_TEST

/* Submitting ------------------------------------------------------------------------- */

/* How the job of the last answer ended: well, or for want of memory. */
static void check_end(long round)
{
    bool well = strstr(torture_body, "\"state\":\"succeeded\"") &&
                strstr(torture_body, "\"result\":{");
    bool starved = strstr(torture_body, "\"state\":\"failed\"") &&
                   strstr(torture_body, "/v1/problems/out-of-memory");
    ck_assert_msg(well || starved, "allocation %ld: %s", round, torture_body);
}

/* The whole way: decoding, commits, the worker, the analysis, its result, the answer. */
START_TEST(a_job_is_done_once_whatever_allocation_fails)
{
    char headers[120], id[TG_ID_SIZE], first[TG_ID_SIZE];
    size_t n = strlen(torture_request);
    for (long round = 1;; round++) {
        ck_assert_int_lt(round, ROUNDS_MAX);
        snprintf(headers, sizeof(headers),
                 "Prefer: wait=20\r\nCache-Control: no-store\r\nIdempotency-Key: %ld\r\n",
                 round);
        fail_others(round);
        int status = torture_ask("POST /v1/jobs", headers, torture_request, n);
        bool hit = fail_stop();
        check_status("POST", round, status, status == 202 ? 202 : 200);
        bool known = status == 200 || status == 202;
        if (known)
            torture_job_id(first);
        status = torture_ask("POST /v1/jobs", headers, torture_request, n);
        ck_assert_msg(status == 200, "allocation %ld, again: %s", round, torture_answer);
        torture_job_id(id);
        ck_assert(!known || !strcmp(id, first));
        check_end(round);
        if (hit && round % 100)
            continue;
        ck_assert_uint_eq(torture_jobs(), (size_t)round);
        if (!hit)
            return;
    }
}
END_TEST

/* Jobs that wait: the pool takes none. */
START_TEST(cancel_and_retry_survive_every_failed_allocation)
{
    char line[80], id[TG_ID_SIZE];
    size_t jobs = 0;
    bool cancels = true, retries = true;
    tg_pool_close(torture_server.pool);
    for (long round = 1; cancels || retries; round++) {
        ck_assert_int_lt(round, ROUNDS_MAX);
        ck_assert_int_eq(torture_ask("POST /v1/jobs", "Cache-Control: no-store\r\n",
                                     torture_request, strlen(torture_request)),
                         202);
        jobs++;
        torture_job_id(id);
        snprintf(line, sizeof(line), "DELETE /v1/jobs/%s", id);
        fail_others(round);
        int status = torture_ask(line, NULL, NULL, 0);
        cancels = fail_stop();
        check_status(line, round, status, 200);
        ck_assert_int_eq(torture_ask(line, NULL, NULL, 0), 200);
        ck_assert(strstr(torture_body, "\"state\":\"cancelled\""));
        ck_assert_msg(strstr(torture_body, "/v1/problems/cancelled") != NULL,
                      "allocation %ld: %s", round, torture_body);
        snprintf(line, sizeof(line), "POST /v1/jobs/%s/retry", id);
        fail_others(round);
        status = torture_ask(line, NULL, "", 0);
        retries = fail_stop();
        check_status(line, round, status, 202);
        size_t now = torture_jobs();
        ck_assert(now == jobs + 1 || (status != 202 && now == jobs));
        jobs = now;
    }
}
END_TEST

/* Data ------------------------------------------------------------------------------- */

/* An npy file of n bytes that differs by `mark`. */
static void make_npy(char *bytes, size_t n, long mark)
{
    memcpy(bytes, "\x93NUMPY\x01\x00\x76\x00", 10);
    memset(bytes + 10, ' ', 118);
    int text = snprintf(bytes + 10, 118,
                        "{'descr': '<f8', 'fortran_order': False, 'shape': (%zu,), }",
                        (n - 128) / sizeof(double));
    bytes[10 + text] = ' ';
    bytes[127] = '\n';
    memset(bytes + 128, 0, n - 128);
    memcpy(bytes + 128, &mark, sizeof(mark));
}

static const size_t sizes[] = {1024, 128 * 1024}; /* in a row, in a file */

START_TEST(an_upload_is_kept_whole_whatever_allocation_fails)
{
    static char bytes[128 * 1024];
    char line[120], sha256[TG_SHA256_HEX];
    size_t n = sizes[_i];
    bool uploads = true, deletes = true;
    for (long round = 1; uploads || deletes; round++) {
        ck_assert_int_lt(round, ROUNDS_MAX);
        make_npy(bytes, n, round);
        tg_sha256_hex(bytes, n, sha256);
        snprintf(line, sizeof(line), "PUT /v1/data/%s", sha256);
        fail_others(round);
        int status = torture_ask(line, NULL, bytes, n);
        uploads = fail_stop();
        check_status(line, round, status, 201);
        status = torture_ask(line, NULL, bytes, n);
        ck_assert_msg(status == 200 || status == 201, "allocation %ld, again: %s", round,
                      torture_answer);
        snprintf(line, sizeof(line), "GET /v1/data/%s", sha256);
        fail_others(round);
        status = torture_ask(line, NULL, NULL, 0);
        fail_stop();
        check_status(line, round, status, 200);
        ck_assert(status != 200 ||
                  (torture_nbody == n && !memcmp(torture_body, bytes, n)));
        snprintf(line, sizeof(line), "DELETE /v1/data/%s", sha256);
        fail_others(round);
        status = torture_ask(line, NULL, NULL, 0);
        deletes = fail_stop();
        check_status(line, round, status, 204);
        status = torture_ask(line, NULL, NULL, 0);
        ck_assert(status == 204 || status == 404);
    }
    struct tg_store_stats stats;
    tg_store_stats(torture_server.store, &stats);
    ck_assert_uint_eq(stats.data_files, 0);
}
END_TEST

START_TEST(a_file_is_registered_once_whatever_allocation_fails)
{
    static char bytes[8192];
    static const char type[] = "Content-Type: application/json\r\n";
    char path[96], order[128], line[96];
    snprintf(path, sizeof(path), "%s/a.npy", torture_dir);
    int n = snprintf(order, sizeof(order), "{\"path\": \"%s\"}", path);
    for (long round = 1;; round++) {
        ck_assert_int_lt(round, ROUNDS_MAX);
        make_npy(bytes, sizeof(bytes), round);
        FILE *file = fopen(path, "we");
        ck_assert_ptr_nonnull(file);
        ck_assert_uint_eq(fwrite(bytes, 1, sizeof(bytes), file), sizeof(bytes));
        fclose(file);
        fail_others(round);
        int status = torture_ask("POST /v1/data", type, order, (size_t)n);
        bool hit = fail_stop();
        check_status("POST /v1/data", round, status, 201);
        status = torture_ask("POST /v1/data", type, order, (size_t)n);
        ck_assert_msg(status == 200 || status == 201, "allocation %ld, again: %s", round,
                      torture_answer);
        snprintf(line, sizeof(line), "GET %.80s", torture_header("Location"));
        *strchr(line, '\r') = '\0';
        ck_assert_int_eq(torture_ask(line, NULL, NULL, 0), 200);
        ck_assert(torture_nbody == sizeof(bytes) && !memcmp(torture_body, bytes, torture_nbody));
        if (!hit)
            break;
    }
    ck_assert_int_eq(torture_ask("GET /v1/data", NULL, NULL, 0), 200);
    ck_assert_ptr_null(strstr(strstr(torture_body, "\"sha256\"") + 1, "\"sha256\"")); /* one */
    unlink(path);
}
END_TEST

TCase *requests_case(void)
{
    TCase *tc = tcase_create("requests");
    tcase_set_timeout(tc, 300);
    tcase_add_checked_fixture(tc, torture_start, torture_stop);
    tcase_add_loop_test(tc, looking_survives_every_failed_allocation, 0,
                        sizeof(looks) / sizeof(looks[0]));
    tcase_add_test(tc, a_job_is_done_once_whatever_allocation_fails);
    tcase_add_test(tc, cancel_and_retry_survive_every_failed_allocation);
    tcase_add_loop_test(tc, an_upload_is_kept_whole_whatever_allocation_fails, 0, 2);
    tcase_add_test(tc, a_file_is_registered_once_whatever_allocation_fails);
    return tc;
}

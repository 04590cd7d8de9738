/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Requests while the disk is in trouble: in each round one more call at one fault point
 * succeeds, and then one fails, with an I/O error or for want of room.
 *
 * DESIGN. Every statement of the database and every call on a file is behind a point. The
 * daemon answers as always or with 503 and the slug store-unavailable, and takes work
 * again by itself; the same request is then done, exactly once.
 */
#include "torture.h"

#include <stdio.h>
#include <string.h>

#include "daemon.h"
#include "proto/digest.h"
#include "server/point.h"

enum { ROUNDS_MAX = 1000 };

static const char *const points[] = {
    "store.query", "store.read",   "store.begin", "store.operation", "store.commit",
    "data.open",   "data.create",  "data.write",  "data.fsync",      "data.dirsync",
    "data.mkdir",  "data.rename",  "data.map",    "data.unlink",     "upload.open",
    "upload.read", "upload.write", "upload.map",   "derived.open",    "derived.map",
    "derived.create", "derived.write", "derived.rename", "derived.unlink",
};
enum { NPOINTS = sizeof(points) / sizeof(points[0]) };
static const char *const actions[] = {"error", "full"};

static unsigned long shots; /* calls that failed */

static void arm(const char *point, const char *action, long round)
{
    char spec[80];
    snprintf(spec, sizeof(spec), "%s=%s@%ld", point, action, round);
    tg_point_set(spec);
}

/* Whether the point was reached; afterwards the disk is well. */
static bool disarm(const char *point, long round)
{
    bool hit = tg_point_seen(point) >= (unsigned long)round;
    tg_point_set(NULL);
    torture_heal();
    shots += hit;
    return hit;
}

static void check_answer(const char *line, const char *point, const char *action,
                         long round, int status, int usual)
{
    bool unavailable =
        status == 503 && strstr(torture_body, "/v1/problems/store-unavailable") != NULL;
    ck_assert_msg(status == usual || unavailable, "%s: %s=%s@%ld: %s", line, point,
                  action, round, torture_answer);
}

/* Each round of each point and action: `once` does the whole, and tells whether it hit.
 */
static void every_trouble(bool (*once)(const char *point, const char *action, long round))
{
    shots = 0;
    for (size_t i = 0; i < NPOINTS; i++)
        for (size_t k = 0; k < 2; k++)
            for (long round = 1; once(points[i], actions[k], round); round++)
                ck_assert_int_lt(round, ROUNDS_MAX);
    ck_assert_uint_gt(shots, 0);
}

/* Submitting ------------------------------------------------------------------------- */

static char body[1 << 16];
static size_t nbody, jobs, serial;

/* 3 points of n numbers, that no other body has. */
static void make_body(size_t n)
{
    size_t at = (size_t)snprintf(body, sizeof(body),
                                 "{\"kind\":\"pca\",\"inputs\":{\"trajectory\":[");
    serial++;
    for (int row = 0; row < 3; row++) {
        at += (size_t)snprintf(body + at, sizeof(body) - at, "%s[%zu", row ? "," : "",
                               serial * (size_t)(row + 1));
        for (size_t i = 1; i < n; i++) {
            body[at++] = ',';
            body[at++] = (char)('0' + (i + (size_t)row) % 7);
        }
        body[at++] = ']';
    }
    nbody = at + (size_t)snprintf(body + at, sizeof(body) - at, "]}}");
}

/* A worker keeps what it has computed until it is on disk; but what it cannot read it
 * cannot compute with. */
static void check_end(const char *id, const char *point, long round)
{
    char line[80];
    snprintf(line, sizeof(line), "GET /v1/jobs/%s?wait=20", id);
    ck_assert_int_eq(torture_ask(line, NULL, NULL, 0), 200);
    bool well = strstr(torture_body, "\"state\":\"succeeded\"");
    bool unread = strstr(torture_body, "\"state\":\"failed\"") &&
                  strstr(torture_body, "/v1/problems/store-unavailable");
    ck_assert_msg(well || unread, "%s@%ld: %s", point, round, torture_body);
    if (!unread)
        return;
    snprintf(line, sizeof(line), "POST /v1/jobs/%s/retry", id);
    ck_assert_int_eq(torture_ask(line, NULL, "", 0), 202);
    jobs++;
}

static bool submit_once(const char *point, const char *action, long round,
                        const char *more)
{
    char headers[120], id[TG_ID_SIZE], first[TG_ID_SIZE];
    snprintf(headers, sizeof(headers), "Prefer: wait=20\r\n%sIdempotency-Key: %zu\r\n",
             more, serial);
    arm(point, action, round);
    int status = torture_ask("POST /v1/jobs", headers, body, nbody);
    bool known = status == 200 || status == 202;
    if (known)
        torture_job_id(first);
    check_answer("POST", point, action, round, status, status == 202 ? 202 : 200);
    bool hit = disarm(point, round);
    status = torture_ask("POST /v1/jobs", headers, body, nbody);
    ck_assert_msg(status == 200, "%s=%s@%ld, again: %s", point, action, round,
                  torture_answer);
    torture_job_id(id);
    ck_assert(!known || !strcmp(id, first));
    ck_assert_uint_eq(torture_jobs(), ++jobs);
    check_end(id, point, round);
    return hit;
}

static bool submit_small(const char *point, const char *action, long round)
{
    make_body(4);
    return submit_once(point, action, round, "");
}

static bool submit_large(const char *point, const char *action, long round)
{
    make_body(4000);
    return submit_once(point, action, round, "");
}

/* The result is there already. */
static bool submit_known(const char *point, const char *action, long round)
{
    if (!jobs++) {
        make_body(4);
        ck_assert_int_eq(torture_ask("POST /v1/jobs", "Prefer: wait=20\r\n", body, nbody),
                         200);
    } else {
        jobs--;
    }
    serial++;
    return submit_once(point, action, round, "");
}

static bool (*const submissions[])(const char *, const char *,
                                   long) = {submit_small, submit_large, submit_known};

START_TEST(a_job_is_done_once_whatever_call_fails)
{
    jobs = serial = 0;
    every_trouble(submissions[_i]);
}
END_TEST

/* Cancelling ------------------------------------------------------------------------- */

static bool cancel_once(const char *point, const char *action, long round)
{
    char line[80], id[TG_ID_SIZE];
    ck_assert_int_eq(torture_ask("POST /v1/jobs", "Cache-Control: no-store\r\n",
                                 torture_request, strlen(torture_request)),
                     202);
    torture_job_id(id);
    jobs++;
    snprintf(line, sizeof(line), "DELETE /v1/jobs/%s", id);
    arm(point, action, round);
    int status = torture_ask(line, NULL, NULL, 0);
    check_answer(line, point, action, round, status, 200);
    bool hit = disarm(point, round);
    ck_assert_int_eq(torture_ask(line, NULL, NULL, 0), 200);
    ck_assert_ptr_nonnull(strstr(torture_body, "\"state\":\"cancelled\""));
    snprintf(line, sizeof(line), "POST /v1/jobs/%s/retry", id);
    arm(point, action, round);
    status = torture_ask(line, NULL, "", 0);
    check_answer(line, point, action, round, status, 202);
    hit |= disarm(point, round);
    size_t now = torture_jobs();
    ck_assert(now == jobs + 1 || (status != 202 && now == jobs));
    jobs = now;
    return hit;
}

START_TEST(cancel_and_retry_survive_every_failed_call)
{
    jobs = 0;
    tg_pool_close(torture_server.pool);
    every_trouble(cancel_once);
}
END_TEST

/* Looking ---------------------------------------------------------------------------- */

static char finished[TG_ID_SIZE];

static bool look_once(const char *point, const char *action, long round)
{
    static const char *const targets[] = {
        "/v1/jobs/%s",
        "/v1/jobs/%s/result",
        "/v1/jobs/%s/result?format=npz",
        "/v1/jobs/%s/result/arrays/scores",
        "/v1/jobs/%s/events?since=0",
        "/v1/jobs%s?limit=2",
        "/v1/data%s",
        "/v1/status%s",
    };
    bool hit = false;
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        char line[120];
        const char *mark = strstr(targets[i], "%s");
        int before = (int)(mark - targets[i]);
        snprintf(line, sizeof(line), "GET %.*s%s%s", before, targets[i],
                 targets[i][before - 1] == '/' ? finished : "", mark + 2);
        arm(point, action, round);
        int status = torture_ask(line, NULL, NULL, 0);
        check_answer(line, point, action, round, status, 200);
        hit |= disarm(point, round);
        ck_assert_int_eq(torture_ask(line, NULL, NULL, 0), 200);
    }
    return hit;
}

START_TEST(looking_survives_every_failed_call)
{
    make_body(
        4000); /* the arrays of its result are in the rows, its input is in a file */
    ck_assert_int_eq(torture_ask("POST /v1/jobs", "Prefer: wait=20\r\n", body, nbody),
                     200);
    torture_job_id(finished);
    every_trouble(look_once);
}
END_TEST

/* Data ------------------------------------------------------------------------------- */

static char bytes[128 * 1024];
static size_t nbytes;

static void make_npy(void)
{
    memcpy(bytes, "\x93NUMPY\x01\x00\x76\x00", 10);
    memset(bytes + 10, ' ', 118);
    int text = snprintf(bytes + 10, 118,
                        "{'descr': '<f8', 'fortran_order': False, 'shape': (%zu,), }",
                        (nbytes - 128) / sizeof(double));
    bytes[10 + text] = ' ';
    bytes[127] = '\n';
    serial++;
    memcpy(bytes + 128, &serial, sizeof(serial));
}

/* In two parts, the second of which resumes the first. */
static bool upload_once(const char *point, const char *action, long round)
{
    char line[120], range[80], sha256[TG_SHA256_HEX];
    size_t half = nbytes / 2;
    bool hit = false;
    make_npy();
    tg_sha256_hex(bytes, nbytes, sha256);
    snprintf(line, sizeof(line), "PUT /v1/data/%s", sha256);
    snprintf(range, sizeof(range), "Content-Range: bytes 0-%zu/%zu\r\n", half - 1,
             nbytes);
    arm(point, action, round);
    int status = torture_ask(line, range, bytes, half);
    check_answer(line, point, action, round, status, 202);
    hit |= disarm(point, round);
    if (status != 202)
        ck_assert_int_eq(torture_ask(line, range, bytes, half), 202);
    snprintf(range, sizeof(range), "Content-Range: bytes %zu-%zu/%zu\r\n", half,
             nbytes - 1, nbytes);
    arm(point, action, round);
    status = torture_ask(line, range, bytes + half, nbytes - half);
    check_answer(line, point, action, round, status, 201);
    hit |= disarm(point, round);
    status = torture_ask(line, NULL, bytes, nbytes);
    ck_assert(status == 200 || status == 201);
    snprintf(line, sizeof(line), "GET /v1/data/%s", sha256);
    arm(point, action, round);
    status = torture_ask(line, NULL, NULL, 0);
    check_answer(line, point, action, round, status, 200);
    hit |= disarm(point, round);
    ck_assert_int_eq(torture_ask(line, NULL, NULL, 0), 200);
    ck_assert_uint_eq(torture_nbody, nbytes);
    ck_assert_mem_eq(torture_body, bytes, nbytes);
    snprintf(line, sizeof(line), "DELETE /v1/data/%s", sha256);
    arm(point, action, round);
    status = torture_ask(line, NULL, NULL, 0);
    check_answer(line, point, action, round, status, 204);
    hit |= disarm(point, round);
    ck_assert_int_eq(torture_ask(line, NULL, NULL, 0), status == 204 ? 404 : 204);
    return hit;
}

START_TEST(an_upload_is_kept_whole_whatever_call_fails)
{
    nbytes = _i ? sizeof(bytes) : 1024; /* in a file, in a row */
    every_trouble(upload_once);
    struct tg_store_stats stats;
    tg_store_stats(torture_server.store, &stats);
    ck_assert_uint_eq(stats.data_files, 0);
}
END_TEST

TCase *troubles_case(void)
{
    TCase *tc = tcase_create("troubles");
    tcase_set_timeout(tc, 300);
    tcase_add_checked_fixture(tc, torture_start, torture_stop);
    tcase_add_loop_test(tc, a_job_is_done_once_whatever_call_fails, 0,
                        sizeof(submissions) / sizeof(submissions[0]));
    tcase_add_test(tc, cancel_and_retry_survive_every_failed_call);
    tcase_add_test(tc, looking_survives_every_failed_call);
    tcase_add_loop_test(tc, an_upload_is_kept_whole_whatever_call_fails, 0, 2);
    return tc;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* server/store*.c: jobs are kept, move only as they may, and survive. */
#include "store_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

Suite *store_suite(void);

static const char problem[] = "{\"title\":\"no\"}";

/* Submitting and reading ------------------------------------------------------------- */

START_TEST(a_submitted_job_reads_back)
{
    char id[TG_ID_SIZE];
    double before = (double)time(NULL) - 1;
    submit_job(id);
    struct tg_job_row row = get_job(id);
    ck_assert_str_eq(row.id, id);
    ck_assert_str_eq(row.kind, "pca");
    ck_assert_str_eq(row.name, "run 7");
    ck_assert_str_eq(row.token, "anna");
    ck_assert_str_eq(row.canonical, "{}");
    ck_assert_int_eq(row.hash[63], 'a');
    ck_assert_int_eq(row.state, TG_QUEUED);
    ck_assert_int_eq(row.priority, TG_PRIORITY_NORMAL);
    ck_assert_double_ge(row.created, before);
    ck_assert_double_eq(row.started, 0);
    ck_assert_double_eq(row.finished, 0);
    ck_assert_double_eq(row.max_run_s, 60);
    ck_assert_uint_eq(row.peak_bytes, UINT64_C(5000000000));
    ck_assert_double_eq(row.flops, 1e9);
    ck_assert_double_eq(row.seconds, 0.5);
    ck_assert_int_eq(row.attempt, 0);
    ck_assert(!row.has_result);
    ck_assert_uint_eq(row.seq, 1);
    tg_job_row_release(&row);
}
END_TEST

START_TEST(an_unknown_job_is_not_found)
{
    struct tg_job_row row;
    char *document;
    int attempt;
    ck_assert_int_eq(tg_store_get(store, "01ARZ3NDEKTSV4RRFFQ69G5FAV", &row, &report),
                     TG_NOT_FOUND);
    ck_assert_int_eq(tg_store_result(store, "nothing", &document, NULL), TG_NOT_FOUND);
    ck_assert_int_eq(tg_store_start(store, "nothing", &attempt), TG_NOT_FOUND);
    ck_assert_int_eq(tg_store_end(store, "nothing", 0, TG_FAILED, ""), TG_NOT_FOUND);
}
END_TEST

START_TEST(ids_sort_by_time_also_across_lives)
{
    char last[TG_ID_SIZE] = "", id[TG_ID_SIZE];
    for (int i = 0; i < 300; i++) {
        if (i % 100 == 99)
            reopen_store();
        submit_job(id);
        ck_assert_str_gt(id, last);
        memcpy(last, id, sizeof last);
    }
}
END_TEST

static size_t list(const struct tg_job_filter *filter, char ids[][TG_ID_SIZE])
{
    struct tg_job_row *rows;
    size_t n;
    ck_assert_int_eq(tg_store_list(store, filter, &rows, &n), TG_OK);
    for (size_t i = 0; i < n; i++) {
        memcpy(ids[i], rows[i].id, TG_ID_SIZE);
        tg_job_row_release(&rows[i]);
    }
    free(rows);
    return n;
}

START_TEST(lists_are_paged_newest_first)
{
    enum { JOBS = 25 };
    char made[JOBS][TG_ID_SIZE], page[JOBS][TG_ID_SIZE];
    for (int i = 0; i < JOBS; i++)
        submit_job(made[i]);
    struct tg_job_filter filter = {.limit = 10};
    int seen = 0;
    for (size_t n; (n = list(&filter, page)) > 0; filter.before = page[n - 1]) {
        ck_assert_uint_le(n, 10);
        for (size_t i = 0; i < n; i++, seen++)
            ck_assert_str_eq(page[i], made[JOBS - 1 - seen]);
    }
    ck_assert_int_eq(seen, JOBS);
}
END_TEST

START_TEST(lists_are_filtered)
{
    char first[TG_ID_SIZE], second[TG_ID_SIZE], found[4][TG_ID_SIZE];
    submit_job(first);
    snprintf(row_name, sizeof row_name, "Other 100%%");
    snprintf(row_token, sizeof row_token, "ben");
    submit_job(second);
    start_job(second);
    struct tg_job_filter filter = {.limit = 4, .name = "other 100%"};
    ck_assert_uint_eq(list(&filter, found), 1);
    ck_assert_str_eq(found[0], second);
    filter = (struct tg_job_filter){.limit = 4, .name = "r%n"};
    ck_assert_uint_eq(list(&filter, found), 0);
    filter = (struct tg_job_filter){.limit = 4, .token = "anna", .kind = "pca"};
    ck_assert_uint_eq(list(&filter, found), 1);
    ck_assert_str_eq(found[0], first);
    filter = (struct tg_job_filter){.limit = 4, .kind = "svcca"};
    ck_assert_uint_eq(list(&filter, found), 0);
    filter = (struct tg_job_filter){.limit = 4, .states = 1U << TG_RUNNING};
    ck_assert_uint_eq(list(&filter, found), 1);
    ck_assert_str_eq(found[0], second);
    filter = (struct tg_job_filter){.limit = 4, .since = (double)time(NULL) + 60};
    ck_assert_uint_eq(list(&filter, found), 0);
    filter.since = 0;
    filter.until = (double)time(NULL) + 60;
    ck_assert_uint_eq(list(&filter, found), 2);
    uint64_t counts[TG_STATE_COUNT];
    ck_assert_int_eq(tg_store_counts(store, counts), TG_OK);
    ck_assert_uint_eq(counts[TG_QUEUED], 1);
    ck_assert_uint_eq(counts[TG_RUNNING], 1);
    ck_assert_uint_eq(counts[TG_SUCCEEDED], 0);
}
END_TEST

static enum tg_err submit_key(const char *key, const char *fingerprint,
                              char id[TG_ID_SIZE], bool *existing)
{
    struct tg_job_row row = plain_row();
    struct tg_submit submit = {
        .row = &row, .idempotency_key = key, .fingerprint = fingerprint};
    tg_report_init(&report);
    return tg_store_submit(store, &submit, id, existing, &report);
}

START_TEST(an_idempotency_key_names_one_job)
{
    char id[TG_ID_SIZE], again[TG_ID_SIZE], other[TG_ID_SIZE];
    bool existing;
    ck_assert_int_eq(submit_key("k", "f1", id, &existing), TG_OK);
    ck_assert(!existing);
    reopen_store();
    ck_assert_int_eq(submit_key("k", "f1", again, &existing), TG_OK);
    ck_assert(existing);
    ck_assert_str_eq(again, id);
    ck_assert_int_eq(submit_key("k", "f2", other, &existing), TG_KEY_REUSED);
    ck_assert_ptr_nonnull(strstr(report.detail, id));
    snprintf(row_token, sizeof row_token, "ben"); /* keys belong to a token */
    ck_assert_int_eq(submit_key("k", "f2", other, &existing), TG_OK);
    ck_assert(!existing);
    ck_assert_str_ne(other, id);
    uint64_t counts[TG_STATE_COUNT];
    ck_assert_int_eq(tg_store_counts(store, counts), TG_OK);
    ck_assert_uint_eq(counts[TG_QUEUED], 2);
}
END_TEST

/* The state machine ------------------------------------------------------------------ */

static void bring_to(enum tg_state state, char id[TG_ID_SIZE])
{
    enum tg_state now;
    submit_job(id);
    if (state == TG_QUEUED)
        return;
    int attempt = start_job(id);
    if (state == TG_CANCELLING)
        ck_assert_int_eq(tg_store_cancel(store, id, problem, &now), TG_OK);
    else if (state == TG_SUCCEEDED)
        ck_assert_int_eq(tg_store_succeed(store, id, attempt, "{}", NULL, 0), TG_OK);
    else if (state != TG_RUNNING)
        ck_assert_int_eq(tg_store_end(store, id, attempt, state, problem), TG_OK);
    ck_assert_int_eq(state_of(id), state);
}

/* Every call on a job in every state: what it answers and the state after it. */
static const struct {
    enum tg_state from;
    enum { START, SUCCEED, FAIL, EXPIRE, CANCELLED, CANCEL, REQUEUE } call;
    enum tg_err err;
    enum tg_state to;
} steps[] = {
    {TG_QUEUED, START, TG_OK, TG_RUNNING},
    {TG_QUEUED, SUCCEED, TG_CONFLICT, TG_QUEUED},
    {TG_QUEUED, FAIL, TG_OK, TG_FAILED},
    {TG_QUEUED, EXPIRE, TG_OK, TG_EXPIRED},
    {TG_QUEUED, CANCELLED, TG_OK, TG_JOB_CANCELLED},
    {TG_QUEUED, CANCEL, TG_OK, TG_JOB_CANCELLED},
    {TG_QUEUED, REQUEUE, TG_CONFLICT, TG_QUEUED},
    {TG_RUNNING, START, TG_CONFLICT, TG_RUNNING},
    {TG_RUNNING, SUCCEED, TG_OK, TG_SUCCEEDED},
    {TG_RUNNING, FAIL, TG_OK, TG_FAILED},
    {TG_RUNNING, EXPIRE, TG_OK, TG_EXPIRED},
    {TG_RUNNING, CANCELLED, TG_OK, TG_JOB_CANCELLED},
    {TG_RUNNING, CANCEL, TG_OK, TG_CANCELLING},
    {TG_RUNNING, REQUEUE, TG_OK, TG_QUEUED},
    {TG_CANCELLING, START, TG_CONFLICT, TG_CANCELLING},
    {TG_CANCELLING, SUCCEED, TG_OK, TG_SUCCEEDED},
    {TG_CANCELLING, FAIL, TG_OK, TG_FAILED},
    {TG_CANCELLING, EXPIRE, TG_OK, TG_EXPIRED},
    {TG_CANCELLING, CANCELLED, TG_OK, TG_JOB_CANCELLED},
    {TG_CANCELLING, CANCEL, TG_OK, TG_CANCELLING},
    {TG_CANCELLING, REQUEUE, TG_CONFLICT, TG_CANCELLING},
#define NEVER_CHANGES(state)                                                             \
    {state, START, TG_CONFLICT, state}, {state, SUCCEED, TG_CONFLICT, state},            \
        {state, FAIL, TG_CONFLICT, state}, {state, EXPIRE, TG_CONFLICT, state},          \
        {state, CANCELLED, TG_CONFLICT, state}, {state, CANCEL, TG_OK, state},           \
    {                                                                                    \
        state, REQUEUE, TG_CONFLICT, state                                               \
    }
    NEVER_CHANGES(TG_SUCCEEDED),
    NEVER_CHANGES(TG_FAILED),
    NEVER_CHANGES(TG_JOB_CANCELLED),
    NEVER_CHANGES(TG_EXPIRED),
};

START_TEST(jobs_move_only_as_they_may)
{
    char id[TG_ID_SIZE];
    enum tg_state now = steps[_i].to;
    enum tg_err err = TG_OK;
    int attempt = steps[_i].from != TG_QUEUED;
    bring_to(steps[_i].from, id);
    struct tg_job_row before = get_job(id);
    switch (steps[_i].call) {
    case START:
        err = tg_store_start(store, id, &attempt);
        break;
    case SUCCEED:
        err = tg_store_succeed(store, id, attempt, "{\"new\":1}", NULL, 0);
        break;
    case FAIL:
        err = tg_store_end(store, id, attempt, TG_FAILED, problem);
        break;
    case EXPIRE:
        err = tg_store_end(store, id, attempt, TG_EXPIRED, problem);
        break;
    case CANCELLED:
        err = tg_store_end(store, id, attempt, TG_JOB_CANCELLED, problem);
        break;
    case CANCEL:
        err = tg_store_cancel(store, id, problem, &now);
        break;
    case REQUEUE:
        err = tg_store_requeue(store, id, attempt);
        break;
    }
    ck_assert_int_eq(err, steps[_i].err);
    ck_assert_int_eq(now, steps[_i].to);
    struct tg_job_row after = get_job(id);
    ck_assert_int_eq(after.state, steps[_i].to);
    ck_assert_int_eq(after.finished > 0, tg_state_is_terminal(after.state));
    ck_assert_int_eq(after.has_result, after.state == TG_SUCCEEDED);
    if (before.state == after.state)
        ck_assert_uint_eq(after.seq, before.seq);
    else
        ck_assert_uint_gt(after.seq, before.seq);
    tg_job_row_release(&before);
    tg_job_row_release(&after);
    ck_assert_int_eq(check_store(), TG_OK);
}
END_TEST

START_TEST(a_requeued_attempt_does_not_count)
{
    char id[TG_ID_SIZE];
    submit_job(id);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(start_job(id), 1);
        ck_assert_int_eq(tg_store_requeue(store, id, 1), TG_OK);
    }
    struct tg_job_row row = get_job(id);
    ck_assert_int_eq(row.attempt, 0);
    ck_assert_double_eq(row.started, 0);
    tg_job_row_release(&row);
}
END_TEST

START_TEST(a_result_exists_once)
{
    char id[TG_ID_SIZE], *document;
    submit_job(id);
    int attempt = start_job(id);
    ck_assert_int_eq(tg_store_result(store, id, &document, &report), TG_CONFLICT);
    ck_assert_int_eq(tg_store_succeed(store, id, attempt + 1, "{\"a\":0}", NULL, 0),
                     TG_CONFLICT);
    ck_assert_int_eq(tg_store_succeed(store, id, attempt, "{\"a\":1}", NULL, 0), TG_OK);
    ck_assert_int_eq(tg_store_succeed(store, id, attempt, "{\"a\":2}", NULL, 0),
                     TG_CONFLICT);
    ck_assert_int_eq(tg_store_result(store, id, &document, NULL), TG_OK);
    ck_assert_str_eq(document, "{\"a\":1}");
    free(document);
}
END_TEST

START_TEST(a_stored_result_is_found_and_shared)
{
    char id[TG_ID_SIZE], found[TG_ID_SIZE], copy[TG_ID_SIZE], *document;
    struct tg_job_row row = plain_row();
    submit_job(id);
    ck_assert_int_eq(tg_store_find_result(store, row.hash, found), TG_NOT_FOUND);
    ck_assert_int_eq(tg_store_find_active(store, row.hash, found), TG_OK);
    ck_assert_str_eq(found, id);
    struct tg_submit submit = {.row = &row, .result_of = id};
    bool existing;
    ck_assert_int_eq(tg_store_submit(store, &submit, copy, &existing, NULL), TG_CONFLICT);
    ck_assert_int_eq(tg_store_succeed(store, id, start_job(id), "{\"a\":1}", NULL, 0),
                     TG_OK);
    ck_assert_int_eq(tg_store_find_active(store, row.hash, found), TG_NOT_FOUND);
    ck_assert_int_eq(tg_store_find_result(store, row.hash, found), TG_OK);
    ck_assert_str_eq(found, id);
    ck_assert_int_eq(tg_store_submit(store, &submit, copy, &existing, NULL), TG_OK);
    ck_assert_int_eq(state_of(copy), TG_SUCCEEDED);
    ck_assert_int_eq(tg_store_result(store, copy, &document, NULL), TG_OK);
    ck_assert_str_eq(document, "{\"a\":1}");
    free(document);
    struct tg_retention one = {.max_jobs = 1}; /* the copy outlives the first */
    ck_assert_int_eq(tg_store_retain(store, &one), TG_OK);
    ck_assert_int_eq(tg_store_result(store, copy, &document, NULL), TG_OK);
    free(document);
    ck_assert_int_eq(check_store(), TG_OK);
}
END_TEST

/* Group commit ----------------------------------------------------------------------- */

enum { THREADS = 16, EACH = 25 };

static void *submit_many(void *arg)
{
    bool *ok = arg;
    struct tg_job_row row = plain_row();
    struct tg_submit submit = {.row = &row};
    *ok = true;
    for (int i = 0; i < EACH; i++) {
        char id[TG_ID_SIZE];
        bool existing;
        *ok &= !tg_store_submit(store, &submit, id, &existing, NULL);
    }
    return NULL;
}

START_TEST(many_submissions_share_a_commit)
{
    pthread_t thread[THREADS];
    bool ok[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, submit_many, &ok[i]);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        ck_assert(ok[i]);
    }
    struct tg_store_stats stats;
    tg_store_stats(store, &stats);
    ck_assert_uint_eq(stats.operations, THREADS * EACH);
    ck_assert_uint_lt(stats.commits, stats.operations / 2);
    ck_assert_double_gt(stats.commit_seconds, 0);
    uint64_t counts[TG_STATE_COUNT];
    ck_assert_int_eq(tg_store_counts(store, counts), TG_OK);
    ck_assert_uint_eq(counts[TG_QUEUED], THREADS * EACH);
}
END_TEST

/* Events ----------------------------------------------------------------------------- */

START_TEST(every_change_leaves_one_event)
{
    char id[TG_ID_SIZE], other[TG_ID_SIZE];
    submit_job(id);
    submit_job(other);
    int attempt = start_job(id);
    ck_assert_int_eq(tg_store_end(store, id, attempt, TG_FAILED, problem), TG_OK);
    struct tg_event *events;
    size_t n;
    uint64_t oldest;
    ck_assert_int_eq(tg_store_events(store, NULL, 0, 100, &events, &n, &oldest), TG_OK);
    ck_assert_uint_eq(n, 4);
    ck_assert_uint_eq(oldest, 1);
    static const char *const types[] = {"queued", "queued", "running", "failed"};
    for (size_t i = 0; i < n; i++) {
        ck_assert_uint_eq(events[i].seq, i + 1);
        ck_assert_str_eq(events[i].type, types[i]);
        ck_assert_str_eq(events[i].job, i == 1 ? other : id);
    }
    char begin[128];
    snprintf(begin, sizeof begin,
             "{\"id\":\"%s\",\"kind\":\"pca\",\"name\":\"run 7\",\"state\":\"failed\","
             "\"attempt\":1,\"time\":\"20",
             id);
    ck_assert_int_eq(strncmp(events[3].data, begin, strlen(begin)), 0);
    for (size_t i = 0; i < n; i++)
        tg_event_release(&events[i]);
    free(events);
}
END_TEST

START_TEST(events_are_paged_and_go_on_after_a_restart)
{
    char id[TG_ID_SIZE];
    for (int i = 0; i < 12; i++) {
        submit_job(id);
        if (i == 6)
            reopen_store();
    }
    uint64_t since = 0, oldest;
    size_t n, pages = 0;
    do {
        struct tg_event *events;
        ck_assert_int_eq(tg_store_events(store, NULL, since, 5, &events, &n, &oldest),
                         TG_OK);
        for (size_t i = 0; i < n; i++) {
            ck_assert_uint_eq(events[i].seq, ++since);
            tg_event_release(&events[i]);
        }
        free(events);
        pages++;
    } while (n == 5);
    ck_assert_uint_eq(since, 12);
    ck_assert_uint_eq(pages, 3);
    struct tg_event *events;
    ck_assert_int_eq(tg_store_events(store, id, 0, 5, &events, &n, &oldest), TG_OK);
    ck_assert_uint_eq(n, 1);
    ck_assert_uint_eq(events->seq, 12);
    tg_event_release(events);
    free(events);
}
END_TEST

/* Recovery --------------------------------------------------------------------------- */

struct seen {
    char ids[8][TG_ID_SIZE];
    size_t n;
};

static void see(void *arg, const struct tg_job_row *row)
{
    struct seen *seen = arg;
    ck_assert_int_eq(row->state, TG_QUEUED);
    ck_assert_uint_lt(seen->n, 8);
    memcpy(seen->ids[seen->n++], row->id, TG_ID_SIZE);
}

START_TEST(queued_jobs_are_handed_over_oldest_first)
{
    char made[3][TG_ID_SIZE];
    for (int i = 0; i < 3; i++)
        submit_job(made[i]);
    start_job(made[1]);
    reopen_store();
    struct seen seen = {.n = 0};
    ck_assert_int_eq(tg_store_recover(store, see, &seen), TG_OK);
    ck_assert_uint_eq(seen.n, 3);
    for (int i = 0; i < 3; i++)
        ck_assert_str_eq(seen.ids[i], made[i]);
}
END_TEST

START_TEST(a_job_that_ends_the_daemon_three_times_fails)
{
    char id[TG_ID_SIZE];
    submit_job(id);
    for (int attempt = 1; attempt <= TG_MAX_ATTEMPTS; attempt++) {
        ck_assert_int_eq(state_of(id), TG_QUEUED);
        ck_assert_int_eq(start_job(id), attempt);
        reopen_store();
        ck_assert_int_eq(tg_store_recover(store, NULL, NULL), TG_OK);
        /* the attempt of the earlier life can no longer give a result */
        ck_assert_int_eq(tg_store_succeed(store, id, attempt, "{}", NULL, 0),
                         TG_CONFLICT);
    }
    struct tg_job_row row = get_job(id);
    ck_assert_int_eq(row.state, TG_FAILED);
    ck_assert_ptr_nonnull(strstr(row.problem, "/v1/problems/interrupted"));
    tg_job_row_release(&row);
    ck_assert_int_eq(check_store(), TG_OK);
}
END_TEST

START_TEST(a_cancelling_job_is_cancelled_after_a_restart)
{
    char id[TG_ID_SIZE];
    bring_to(TG_CANCELLING, id);
    reopen_store();
    ck_assert_int_eq(tg_store_recover(store, NULL, NULL), TG_OK);
    struct tg_job_row row = get_job(id);
    ck_assert_int_eq(row.state, TG_JOB_CANCELLED);
    ck_assert_ptr_nonnull(strstr(row.problem, "/v1/problems/cancelled"));
    tg_job_row_release(&row);
}
END_TEST

/* Retention -------------------------------------------------------------------------- */

START_TEST(retention_keeps_the_newest_and_tells_what_is_gone)
{
    enum { JOBS = 6 };
    char ids[JOBS][TG_ID_SIZE], text[256];
    for (int i = 0; i < JOBS; i++)
        bring_to(i == 3 ? TG_RUNNING : TG_SUCCEEDED, ids[i]);
    snprintf(text, sizeof text, "UPDATE job SET keep = 1 WHERE id = '%s'", ids[0]);
    sql(text);
    struct tg_retention retention = {.max_jobs = 2};
    ck_assert_int_eq(tg_store_retain(store, &retention), TG_OK);
    struct tg_job_row row;
    for (int i = 0; i < JOBS; i++) {
        tg_report_init(&report);
        bool removed = i == 1 || i == 2;
        ck_assert_int_eq(tg_store_get(store, ids[i], &row, &report),
                         removed ? TG_GONE : TG_OK);
        if (removed)
            ck_assert_ptr_nonnull(strstr(report.detail, "removed by retention on 20"));
        else
            tg_job_row_release(&row);
    }
    struct tg_event *events;
    size_t n;
    uint64_t oldest;
    ck_assert_int_eq(tg_store_events(store, ids[1], 0, 9, &events, &n, &oldest), TG_OK);
    ck_assert_uint_eq(n, 1);
    ck_assert_str_eq(events->type, "removed");
    tg_event_release(events);
    free(events);
    ck_assert_int_eq(check_store(), TG_OK);
}
END_TEST

START_TEST(retention_removes_what_is_old)
{
    char old[TG_ID_SIZE], young[TG_ID_SIZE], queued[TG_ID_SIZE], text[256];
    bring_to(TG_FAILED, old);
    bring_to(TG_FAILED, young);
    submit_job(queued);
    snprintf(text, sizeof text,
             "UPDATE job SET finished = finished - 900000, created = 1 WHERE id = '%s';"
             "UPDATE job SET created = 1 WHERE id = '%s'",
             old, queued);
    sql(text);
    struct tg_retention retention = {.max_age_s = 10 * 86400};
    ck_assert_int_eq(tg_store_retain(store, &retention), TG_OK);
    struct tg_job_row row;
    ck_assert_int_eq(tg_store_get(store, old, &row, &report), TG_GONE);
    ck_assert_ptr_nonnull(strstr(report.detail, "10 days"));
    ck_assert_int_eq(state_of(young), TG_FAILED);
    ck_assert_int_eq(state_of(queued), TG_QUEUED);
}
END_TEST

/* One daemon, one version ------------------------------------------------------------ */

START_TEST(a_store_has_one_daemon)
{
    struct tg_store *second;
    char pid[32];
    snprintf(pid, sizeof pid, "(pid %d)", (int)getpid());
    ck_assert_int_eq(try_open(&second), TG_STORE);
    ck_assert_ptr_null(second);
    ck_assert_ptr_nonnull(strstr(report.detail, pid));
    ck_assert_int_eq(tg_store_check(dir, count_line, &report), TG_STORE);
}
END_TEST

START_TEST(a_newer_or_foreign_store_is_refused)
{
    struct tg_store *refused;
    tg_store_close(store);
    store = NULL;
    sql("PRAGMA user_version = 99");
    ck_assert_int_eq(try_open(&refused), TG_STORE);
    ck_assert_ptr_nonnull(strstr(report.detail, "newer"));
    sql("PRAGMA user_version = 1; PRAGMA application_id = 7");
    ck_assert_int_eq(try_open(&refused), TG_STORE);
    ck_assert_ptr_nonnull(strstr(report.detail, "another program"));
}
END_TEST

START_TEST(check_finds_a_forged_state)
{
    char id[TG_ID_SIZE];
    submit_job(id);
    ck_assert_int_eq(check_store(), TG_OK);
    ck_assert_int_eq(lines_printed, 0);
    sql("UPDATE job SET state = 3");
    ck_assert_int_eq(check_store(), TG_STORE);
    ck_assert_int_ge(lines_printed, 1);
}
END_TEST

/* Crashes ---------------------------------------------------------------------------- */

_Noreturn static void submit_until_killed(int out)
{
    open_store();
    for (;;) {
        char id[TG_ID_SIZE];
        submit_job(id);
        int attempt = start_job(id);
        if (id[25] & 1)
            ck_assert_int_eq(tg_store_succeed(store, id, attempt, "{}", NULL, 0), TG_OK);
        if (write(out, id, TG_ID_SIZE) != TG_ID_SIZE)
            _exit(1);
    }
}

START_TEST(what_was_reported_survives_kill_9)
{
    int fds[2];
    tg_store_close(store);
    store = NULL;
    ck_assert_int_eq(pipe(fds), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (!child)
        submit_until_killed(fds[1]);
    close(fds[1]);
    nanosleep(&(struct timespec){0, (30 + _i * 7) * 1000000}, NULL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    ck_assert_int_eq(tg_store_check(dir, count_line, &report), TG_OK);
    open_store();
    ck_assert_int_eq(tg_store_recover(store, NULL, NULL), TG_OK);
    char id[TG_ID_SIZE];
    while (read(fds[0], id, TG_ID_SIZE) == TG_ID_SIZE)
        ck_assert_int_eq(state_of(id), id[25] & 1 ? TG_SUCCEEDED : TG_QUEUED);
    close(fds[0]);
}
END_TEST

static bool wait_writable(void)
{
    for (int i = 0; i < 100 && !tg_store_is_writable(store); i++)
        nanosleep(&(struct timespec){0, 50000000}, NULL);
    return tg_store_is_writable(store);
}

/* A disk without room for more: files of this process may not grow past 600 kB. */
START_TEST(without_room_nothing_is_lost_and_work_goes_on_when_there_is_some)
{
    enum { MOST = 2000 };
    static char ids[MOST][TG_ID_SIZE];
    struct rlimit limit;
    size_t n = 0;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    struct rlimit tight = {600000, limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
    while (n < MOST && !try_submit(ids[n]))
        n++;
    char id[TG_ID_SIZE];
    ck_assert_uint_lt(n, MOST);
    ck_assert_uint_gt(n, 10);
    ck_assert(!tg_store_is_writable(store));
    ck_assert_int_eq(try_submit(id), TG_STORE);
    ck_assert_int_eq(state_of(ids[n - 1]), TG_QUEUED);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert(wait_writable());
    submit_job(id);
    ck_assert_int_eq(check_store(), TG_OK);
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(state_of(ids[i]), TG_QUEUED);
    uint64_t counts[TG_STATE_COUNT];
    ck_assert_int_eq(tg_store_counts(store, counts), TG_OK);
    ck_assert_uint_eq(counts[TG_QUEUED], n + 1);
}
END_TEST

#ifdef TG_TESTING

/* Fault points ----------------------------------------------------------------------- */

static const char *const failing[] = {"store.begin=error", "store.commit=error",
                                      "store.operation=error"};

START_TEST(a_failed_write_keeps_nothing_and_heals)
{
    char id[TG_ID_SIZE], running[TG_ID_SIZE];
    submit_job(running);
    int attempt = start_job(running);
    tg_point_set(failing[_i]);
    ck_assert_int_eq(try_submit(id), TG_STORE);
    ck_assert(strstr(report.detail, "full") || strstr(report.detail, "I/O"));
    ck_assert(!tg_store_is_writable(store));
    ck_assert_int_eq(try_submit(id), TG_STORE);
    ck_assert_int_eq(tg_store_succeed(store, running, attempt, "{}", NULL, 0), TG_STORE);
    ck_assert_int_eq(state_of(running), TG_RUNNING); /* reading goes on */
    tg_point_set(NULL);
    ck_assert(wait_writable());
    ck_assert_int_eq(tg_store_succeed(store, running, attempt, "{}", NULL, 0), TG_OK);
    submit_job(id);
    uint64_t counts[TG_STATE_COUNT];
    ck_assert_int_eq(tg_store_counts(store, counts), TG_OK);
    ck_assert_uint_eq(counts[TG_QUEUED], 1);
    struct tg_store_stats stats;
    tg_store_stats(store, &stats);
    ck_assert_uint_ge(stats.write_errors, 1);
    ck_assert_int_eq(check_store(), TG_OK);
}
END_TEST

START_TEST(one_failed_operation_does_not_fail_its_neighbours)
{
    char id[TG_ID_SIZE];
    tg_point_set("store.submit=error@1");
    ck_assert_int_eq(try_submit(id), TG_NOMEM);
    ck_assert(tg_store_is_writable(store));
    submit_job(id);
    struct tg_job_row row = get_job(id);
    ck_assert_uint_eq(row.seq, 1); /* the number of the undone event was not used up */
    tg_job_row_release(&row);
}
END_TEST

static const char *const deadly[] = {"store.begin=kill", "store.commit=kill",
                                     "store.after_commit=kill", "store.operation=kill"};

START_TEST(killed_at_a_point_the_store_is_whole)
{
    int status;
    char id[TG_ID_SIZE];
    submit_job(id);
    tg_store_close(store);
    store = NULL;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (!child) {
        open_store();
        tg_point_set(deadly[_i]);
        (void)!try_submit(id);
        _exit(1);
    }
    waitpid(child, &status, 0);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ck_assert_int_eq(tg_store_check(dir, count_line, &report), TG_OK);
    open_store();
    uint64_t counts[TG_STATE_COUNT];
    ck_assert_int_eq(tg_store_counts(store, counts), TG_OK);
    ck_assert_uint_eq(counts[TG_QUEUED], _i == 2 ? 2 : 1);
}
END_TEST

static const char *const unopenable[] = {"store.mkdir=error", "store.open=error"};

START_TEST(a_store_that_cannot_be_made_says_why)
{
    struct tg_store *none;
    tg_store_close(store);
    store = NULL;
    tg_point_set(unopenable[_i]);
    ck_assert_int_eq(try_open(&none), TG_STORE);
    ck_assert_str_ne(report.detail, "");
    tg_point_set(NULL);
    open_store();
}
END_TEST

#endif

Suite *store_suite(void)
{
    Suite *suite = suite_create("store");
    TCase *tc = tcase_create("jobs");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_submitted_job_reads_back);
    tcase_add_test(tc, an_unknown_job_is_not_found);
    tcase_add_test(tc, ids_sort_by_time_also_across_lives);
    tcase_add_test(tc, lists_are_paged_newest_first);
    tcase_add_test(tc, lists_are_filtered);
    tcase_add_test(tc, an_idempotency_key_names_one_job);
    tcase_add_loop_test(tc, jobs_move_only_as_they_may, 0, sizeof steps / sizeof *steps);
    tcase_add_test(tc, a_requeued_attempt_does_not_count);
    tcase_add_test(tc, a_result_exists_once);
    tcase_add_test(tc, a_stored_result_is_found_and_shared);
    tcase_add_test(tc, many_submissions_share_a_commit);
    tcase_add_test(tc, every_change_leaves_one_event);
    tcase_add_test(tc, events_are_paged_and_go_on_after_a_restart);
    tcase_add_test(tc, retention_keeps_the_newest_and_tells_what_is_gone);
    tcase_add_test(tc, retention_removes_what_is_old);
    tcase_add_test(tc, a_store_has_one_daemon);
    tcase_add_test(tc, a_newer_or_foreign_store_is_refused);
    tcase_add_test(tc, check_finds_a_forged_state);
    suite_add_tcase(suite, tc);
    tc = tcase_create("crashes");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, queued_jobs_are_handed_over_oldest_first);
    tcase_add_test(tc, a_job_that_ends_the_daemon_three_times_fails);
    tcase_add_test(tc, a_cancelling_job_is_cancelled_after_a_restart);
    tcase_add_loop_test(tc, what_was_reported_survives_kill_9, 0, 20);
    tcase_add_test(tc, without_room_nothing_is_lost_and_work_goes_on_when_there_is_some);
#ifdef TG_TESTING
    tcase_add_loop_test(tc, a_failed_write_keeps_nothing_and_heals, 0, 3);
    tcase_add_test(tc, one_failed_operation_does_not_fail_its_neighbours);
    tcase_add_loop_test(tc, killed_at_a_point_the_store_is_whole, 0, 4);
    tcase_add_loop_test(tc, a_store_that_cannot_be_made_says_why, 0, 2);
#endif
    suite_add_tcase(suite, tc);
    return suite;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Partial outputs: the newest of each, thinned when large, and told on event streams. */
#include "jobs_fixture.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "server/routes.h"

Suite *partials_suite(void);

static const double first[] = {1, NAN, 0.1, -INFINITY, 2.5, 3};

/* Frames ------------------------------------------------------------------------------ */

static struct tg_buf out;

static void setup_frames(void)
{
    partials = tg_partials_new();
    ck_assert_ptr_nonnull(partials);
    tg_buf_init(&out, 1 << 22);
}

static void teardown_frames(void)
{
    tg_buf_release(&out);
    tg_partials_free(partials);
}

/* All frames after *seen, from an empty buffer. */
static const char *frames_of(const char *job, uint64_t *seen)
{
    tg_buf_release(&out);
    tg_buf_init(&out, 1 << 22);
    while (tg_partials_write(partials, job, seen, &out))
        continue;
    tg_buf_puts(&out, "");
    return out.p ? out.p : "";
}

/* The data of the only frame there is. */
static json_t *frame_of(const char *job, uint64_t *seen)
{
    static const char head[] = "event: partial\ndata: ";
    const char *frame = frames_of(job, seen);
    ck_assert_msg(!strncmp(frame, head, sizeof(head) - 1), "%s", frame);
    const char *end = strstr(frame, "\n\n");
    ck_assert_ptr_nonnull(end);
    ck_assert_uint_eq(strlen(end), 2);
    json_t *data = json_loads(frame + sizeof(head) - 1, JSON_DISABLE_EOF_CHECK, NULL);
    ck_assert_ptr_nonnull(data);
    return data;
}

static void show(const char *job, double now, const char *name, double number)
{
    (void)tg_partials_show(partials, job, now, name, 1, 1, &number);
}

START_TEST(a_frame_has_name_shape_and_numbers_with_null_for_what_is_not_known)
{
    uint64_t seen = 0;
    ck_assert(tg_partials_show(partials, "J1", 1, "sim\"ilarity", 2, 3, first));
    ck_assert_str_eq(frames_of("J1", &seen),
                     "event: partial\ndata: {\"id\":\"J1\",\"name\":\"sim\\\"ilarity\","
                     "\"shape\":[2,3],\"step\":[1,1],"
                     "\"data\":[[1,null,0.1],[null,2.5,3]]}\n\n");
    ck_assert_str_eq(frames_of("J1", &seen), "");
    seen = 0;
    ck_assert_str_eq(frames_of("J2", &seen), "");
}
END_TEST

START_TEST(an_empty_output_is_shown_as_one)
{
    uint64_t seen = 0;
    ck_assert(tg_partials_show(partials, "J", 1, "a", 0, 5, NULL));
    ck_assert_ptr_nonnull(strstr(frames_of("J", &seen), "\"shape\":[0,5],\"step\":[1,1],"
                                                        "\"data\":[]"));
    ck_assert(tg_partials_show(partials, "J", 2, "a", 2, 0, NULL));
    ck_assert_ptr_nonnull(strstr(frames_of("J", &seen), "\"data\":[[],[]]"));
}
END_TEST

START_TEST(only_the_newest_state_is_told_and_each_once)
{
    uint64_t seen = 0, late = 0;
    show("J", 1, "a", 1);
    show("J", 2, "b", 2);
    show("J", 3, "a", 3);
    const char *frames = frames_of("J", &seen);
    const char *a = strstr(frames, "\"a\""), *b = strstr(frames, "\"b\"");
    ck_assert(a && b && b < a); /* in the order in which they were shown */
    ck_assert_ptr_nonnull(strstr(a, "[[3]]"));
    ck_assert_ptr_null(strstr(frames, "[[1]]"));
    show("J", 4, "b", 4);
    ck_assert_ptr_null(strstr(frames_of("J", &seen), "\"a\""));
    ck_assert_ptr_nonnull(strstr(frames_of("J", &late), "\"a\""));
}
END_TEST

START_TEST(watchers_are_woken_twice_a_second_at_most)
{
    int woken = 0;
    for (int i = 0; i < 1000; i++) /* ten seconds */
        woken += tg_partials_show(partials, "J", 100 + 0.01 * i, "a", 2, 3, first);
    ck_assert_int_ge(woken, 19);
    ck_assert_int_le(woken, 21);
}
END_TEST

/* What a viewer would draw of a thinned array is the array at the places it says. */
static void check_thinned(int64_t rows, int64_t cols)
{
    uint64_t seen = 0;
    double *values = malloc(sizeof(double) * (size_t)(rows * cols));
    ck_assert_ptr_nonnull(values);
    for (int64_t i = 0; i < rows * cols; i++)
        values[i] = (double)i;
    (void)tg_partials_show(partials, "J", 1, "a", rows, cols, values);
    free(values);
    json_t *frame = frame_of("J", &seen);
    json_t *data = json_object_get(frame, "data"), *step = json_object_get(frame, "step");
    json_int_t a = json_integer_value(json_array_get(step, 0));
    json_int_t b = json_integer_value(json_array_get(step, 1));
    size_t n = 0, i, k;
    json_t *row, *x;
    ck_assert_uint_eq(json_array_size(data), (size_t)((rows + a - 1) / a));
    json_array_foreach(data, i, row)
    {
        MUST(json_array_size(row) == (size_t)((cols + b - 1) / b));
        n += json_array_size(row);
        json_array_foreach(row, k, x) MUST(json_number_value(x) ==
                                           (double)((int64_t)i * a * cols + (int64_t)k * b));
    }
    ck_assert_uint_le(n, TG_PARTIAL_NUMBERS);
    ck_assert(rows * cols <= TG_PARTIAL_NUMBERS ? a == 1 && b == 1
                                                : n >= TG_PARTIAL_NUMBERS / 4);
    json_decref(frame);
}

START_TEST(a_large_output_is_thinned_and_says_how)
{
    check_thinned(100, 100);
    check_thinned(101, 100);
    check_thinned(1000, 1000);
    check_thinned(1, 300000);
    check_thinned(300000, 1);
    check_thinned(200000, 3);
    check_thinned(7, 90001);
}
END_TEST

START_TEST(a_job_shows_a_few_outputs_and_no_more)
{
    char name[16];
    uint64_t seen = 0;
    for (int i = 0; i < TG_PARTIAL_NAMES + 3; i++) {
        snprintf(name, sizeof(name), "out%d", i);
        show("J", i, name, i);
    }
    const char *frames = frames_of("J", &seen);
    ck_assert_ptr_nonnull(strstr(frames, "out3"));
    ck_assert_ptr_null(strstr(frames, "out4"));
}
END_TEST

START_TEST(a_new_attempt_begins_with_nothing_and_the_end_is_remembered_for_a_while)
{
    char id[TG_ID_SIZE];
    uint64_t seen = 0;
    show("J", 1, "a", 1);
    tg_partials_begin(partials, "J");
    ck_assert_str_eq(frames_of("J", &seen), "");
    show("J", 2, "a", 2);
    show("runs", 2, "a", 7);
    tg_partials_end(partials, "J");
    tg_partials_end(partials, "J");
    tg_partials_end(partials, "never shown");
    ck_assert_ptr_nonnull(strstr(frames_of("J", &seen), "[[2]]"));
    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof(id), "other%d", i);
        show(id, 3, "a", 3);
        tg_partials_end(partials, id);
    }
    seen = 0;
    ck_assert_str_eq(frames_of("J", &seen), "");
    ck_assert_ptr_nonnull(strstr(frames_of("other99", &seen), "[[3]]"));
    seen = 0;
    ck_assert_ptr_nonnull(strstr(frames_of("runs", &seen), "[[7]]"));
}
END_TEST

/* Streams ----------------------------------------------------------------------------- */

static struct tg_server server;
static struct tg_http *http;
static char stream_text[1 << 21];
static char address[] = "127.0.0.1:0", empty[] = "";

static void setup_stream(void)
{
    setup_jobs();
    start_pool(1, 1 << 28, 1e9, 100);
    config.listen = address;
    config.tls_cert = config.tls_key = empty;
    config.max_connections = 16;
    config.request_timeout = 20;
    server = (struct tg_server){.config = &config,
                                .store = store,
                                .pool = pool,
                                .hub = hub,
                                .partials = partials};
    ck_assert_int_eq(tg_auth_load("", &server.auth, &report), TG_OK);
    ck_assert_int_eq(tg_http_start(&server, &http, &report), TG_OK);
}

static void teardown_stream(void)
{
    tg_hub_close(hub);
    tg_http_stop(http, 1);
    tg_auth_free(server.auth);
    teardown_jobs();
}

static int open_stream(const char *path)
{
    char line[160];
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)tg_http_port(http)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    int n = snprintf(line, sizeof(line), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    ck_assert_int_eq(send(fd, line, (size_t)n, MSG_NOSIGNAL), n);
    *stream_text = '\0';
    return fd;
}

/* Read on until `text` has come, or for `seconds`. */
static bool read_until(int fd, const char *text, double seconds)
{
    size_t n = strlen(stream_text);
    for (double until = tg_clock_monotonic() + seconds; !strstr(stream_text, text);) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (tg_clock_monotonic() > until)
            return false;
        if (poll(&p, 1, 20) <= 0)
            continue;
        ssize_t got = recv(fd, stream_text + n, sizeof(stream_text) - 1 - n, 0);
        if (got <= 0)
            return false;
        n += (size_t)got;
        stream_text[n] = '\0';
    }
    return true;
}

static int count_in_stream(const char *text)
{
    int n = 0;
    for (const char *p = stream_text; (p = strstr(p, text)); p++)
        n++;
    return n;
}

static void show_now(const char *id, double number)
{
    if (tg_partials_show(partials, id, tg_clock_monotonic(), "a", 1, 1, &number))
        tg_hub_bump(hub);
}

static void end_job(const char *id, int attempt)
{
    tg_partials_end(partials, id);
    ck_assert_int_eq(tg_store_end(store, id, attempt, TG_FAILED, "{}"), TG_OK);
    tg_hub_bump(hub);
}

/* `all`: on the stream of all jobs. */
static void watch_job(bool all)
{
    char id[TG_ID_SIZE], path[64];
    submit_job(id);
    int attempt = start_job(id);
    show_now(id, 1);
    snprintf(path, sizeof(path), all ? "/v1/events" : "/v1/jobs/%s/events", id);
    int fd = open_stream(path); /* opened late, gets the newest */
    ck_assert(read_until(fd, "[[1]]", 10));
    double began = tg_clock_monotonic();
    for (int i = 0; tg_clock_monotonic() < began + 2.2; i++) {
        show_now(id, 100 + i);
        usleep(3000);
    }
    show_now(id, 77);
    show_now(id, 78); /* too early to be told, but the last */
    end_job(id, attempt);
    ck_assert(read_until(fd, "event: failed", 10));
    const char *last = strstr(stream_text, "[[78]]");
    ck_assert(last && last < strstr(stream_text, "event: failed"));
    ck_assert_ptr_null(strstr(stream_text, "[[77]]"));
    ck_assert_int_ge(count_in_stream("event: partial"), 5);
    ck_assert_int_le(count_in_stream("event: partial"), 8);
    close(fd);
}

START_TEST(a_stream_tells_partials_twice_a_second_and_the_last_before_the_end)
{
    watch_job(_i);
}
END_TEST

START_TEST(a_stream_gives_every_large_frame_before_the_end)
{
    enum { SIDE = 100 };
    static double grid[SIDE * SIDE];
    char id[TG_ID_SIZE], path[64], name[24];
    for (int i = 0; i < SIDE * SIDE; i++)
        grid[i] = 1.0 / (i + 3);
    submit_job(id);
    int attempt = start_job(id);
    snprintf(path, sizeof(path), "/v1/jobs/%s/events", id);
    int fd = open_stream(path);
    ck_assert(read_until(fd, "event: running", 10));
    for (int i = 0; i < TG_PARTIAL_NAMES; i++) {
        snprintf(name, sizeof(name), "grid%d", i);
        (void)tg_partials_show(partials, id, tg_clock_monotonic(), name, SIDE, SIDE, grid);
    }
    end_job(id, attempt);
    ck_assert(read_until(fd, "event: failed", 10));
    for (int i = 0; i < TG_PARTIAL_NAMES; i++) {
        snprintf(name, sizeof(name), "grid%d", i);
        ck_assert_int_eq(count_in_stream(name), 1);
    }
    close(fd);
}
END_TEST

Suite *partials_suite(void)
{
    Suite *suite = suite_create("partials");
    TCase *tc = tcase_create("frames");
    tcase_add_checked_fixture(tc, setup_frames, teardown_frames);
    tcase_add_test(tc, a_frame_has_name_shape_and_numbers_with_null_for_what_is_not_known);
    tcase_add_test(tc, an_empty_output_is_shown_as_one);
    tcase_add_test(tc, only_the_newest_state_is_told_and_each_once);
    tcase_add_test(tc, watchers_are_woken_twice_a_second_at_most);
    tcase_add_test(tc, a_large_output_is_thinned_and_says_how);
    tcase_add_test(tc, a_job_shows_a_few_outputs_and_no_more);
    tcase_add_test(tc, a_new_attempt_begins_with_nothing_and_the_end_is_remembered_for_a_while);
    suite_add_tcase(suite, tc);
    tc = tcase_create("streams");
    tcase_add_checked_fixture(tc, setup_stream, teardown_stream);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, a_stream_tells_partials_twice_a_second_and_the_last_before_the_end,
                        0, 2);
    tcase_add_test(tc, a_stream_gives_every_large_frame_before_the_end);
    suite_add_tcase(suite, tc);
    return suite;
}

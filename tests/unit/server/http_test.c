/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * HTTP over a raw socket, on routes that need neither store nor pool: what is refused,
 * what keeps a connection, who is dropped.
 */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "server/events.h"
#include "server/metrics.h"
#include "server/routes.h"

Suite *http_suite(void);

static char address[] = "127.0.0.1:0", empty[] = "";
static struct tg_config config;
static struct tg_server server;
static struct tg_http *http;
static struct tg_report report;
static char answer[1 << 16];

static void setup(void)
{
    config = (struct tg_config){
        .listen = address,
        .max_body = 4096,
        .max_data = 1 << 20,
        .max_connections = 16,
        .request_timeout = 1,
        .min_body_rate = 1000,
        .tls_cert = empty,
        .tls_key = empty,
    };
    server = (struct tg_server){.config = &config};
    tg_report_init(&report);
    server.hub = tg_hub_new();
    ck_assert_ptr_nonnull(server.hub);
    ck_assert_int_eq(tg_auth_load("", &server.auth, &report), TG_OK);
    ck_assert_int_eq(tg_http_start(&server, &http, &report), TG_OK);
    ck_assert_uint_ne(tg_http_port(http), 0);
}

static void teardown(void)
{
    tg_http_stop(http, 1);
    tg_auth_free(server.auth);
    tg_hub_free(server.hub);
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    to.sin_port = htons((uint16_t)tg_http_port(http));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

/* Read until the other side closes or is silent for `silence_ms`; true when it closed. */
static bool listen_to(int fd, int silence_ms)
{
    size_t n = 0;
    bool closed = false;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, silence_ms) <= 0)
            break;
        ssize_t got = recv(fd, answer + n, sizeof(answer) - 1 - n, 0);
        closed = got <= 0;
        if (closed)
            break;
        n += (size_t)got;
    }
    answer[n] = '\0';
    return closed;
}

/* Send bytes on a connection of their own; true when the daemon closed it afterwards. */
static bool ask_bytes(const char *request, size_t n)
{
    int fd = dial();
    for (size_t sent = 0; sent < n;) {
        ssize_t step = send(fd, request + sent, n - sent, MSG_NOSIGNAL);
        if (step <= 0)
            break;
        sent += (size_t)step;
    }
    bool closed = listen_to(fd, 300);
    close(fd);
    return closed;
}

static bool ask(const char *request)
{
    return ask_bytes(request, strlen(request));
}

static int status(void)
{
    int code = 0;
    return sscanf(answer, "HTTP/1.1 %d ", &code) == 1 ? code : 0;
}

static unsigned answers(void)
{
    unsigned n = 0;
    for (const char *p = answer; (p = strstr(p, "HTTP/1.1 ")); p++)
        n += strncmp(p + 9, "100 ", 4) != 0;
    return n;
}

#define HOST "Host: localhost\r\n"

START_TEST(an_answer_carries_the_common_headers)
{
    ask("GET /livez HTTP/1.1\r\n" HOST "\r\n");
    ck_assert_int_eq(status(), 200);
    ck_assert_ptr_nonnull(strstr(answer, "\r\nX-Request-Id: "));
    ck_assert_ptr_nonnull(strstr(answer, "\r\nServer: tangentd/" PACKAGE_VERSION "\r\n"));
    ck_assert_ptr_nonnull(strstr(answer, "\r\nX-Content-Type-Options: nosniff\r\n"));
    ck_assert_ptr_nonnull(strstr(answer, "\r\n\r\nok\n"));
}
END_TEST

START_TEST(head_has_the_headers_of_get_and_no_body)
{
    ask("HEAD /livez HTTP/1.1\r\n" HOST "\r\n");
    ck_assert_int_eq(status(), 200);
    ck_assert_ptr_nonnull(strstr(answer, "\r\nContent-Length: 3\r\n"));
    ck_assert_str_eq(answer + strlen(answer) - 4, "\r\n\r\n");
}
END_TEST

START_TEST(options_and_other_methods_are_told_what_is_allowed)
{
    ask("OPTIONS /v1/jobs HTTP/1.1\r\n" HOST "\r\n");
    ck_assert_int_eq(status(), 204);
    ck_assert_ptr_nonnull(strstr(answer, "\r\nAllow: POST, GET, HEAD, OPTIONS\r\n"));
    ask("PATCH /v1/jobs HTTP/1.1\r\n" HOST "\r\n");
    ck_assert_int_eq(status(), 405);
    ck_assert_ptr_nonnull(strstr(answer, "\r\nAllow: POST, GET, HEAD, OPTIONS\r\n"));
    ck_assert_ptr_nonnull(strstr(answer, "application/problem+json"));
}
END_TEST

START_TEST(a_target_that_could_mislead_is_refused)
{
    static const char *const targets[] = {"/livez%00", "/v1/%2e%2e/livez", "/livez%0a",
                                          "//livez",   "/livez?a=%00",     "/livez%"};
    char request[200];
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n" HOST "\r\n", targets[i]);
        ask(request);
        ck_assert_msg(status() == 400, "%s: %d", targets[i], status());
    }
}
END_TEST

START_TEST(a_body_whose_end_is_in_doubt_is_refused_and_the_connection_closed)
{
    static const char *const framings[] = {
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: identity, chunked\r\n",
    };
    char request[400];
    for (size_t i = 0; i < sizeof(framings) / sizeof(framings[0]); i++) {
        snprintf(request, sizeof(request),
                 "POST /v1/jobs HTTP/1.1\r\n" HOST "%s\r\n0\r\n\r\n"
                 "GET /livez HTTP/1.1\r\n" HOST "\r\n",
                 framings[i]);
        bool closed = ask(request);
        ck_assert_msg(status() == 400 && answers() == 1 && closed, "%s: %s", framings[i],
                      answer);
    }
}
END_TEST

START_TEST(headers_have_a_limit)
{
    static char request[200000];
    size_t n = (size_t)snprintf(request, sizeof(request), "GET /livez HTTP/1.1\r\n" HOST);
    while (n < sizeof(request) - 100)
        n += (size_t)snprintf(request + n, sizeof(request) - n,
                              "X-Filler: 0123456789\r\n");
    ask_bytes(request, n);
    ck_assert_int_ne(status(), 200);
    ask("GET /livez HTTP/1.1\r\n" HOST "\r\n");
    ck_assert_int_eq(status(), 200);
}
END_TEST

START_TEST(a_large_body_is_refused_before_it_is_sent)
{
    ask("POST /v1/jobs HTTP/1.1\r\n" HOST
        "Expect: 100-continue\r\nContent-Length: 4097\r\n\r\n");
    ck_assert_int_eq(status(), 413);
    ck_assert_ptr_nonnull(strstr(answer, "4096 bytes"));
    ask("GET /livez HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx");
    ck_assert_int_eq(status(), 413);
}
END_TEST

START_TEST(a_sender_that_does_not_ask_gets_its_413_too)
{
    static char request[2 << 20];
    int n = snprintf(request, 200,
                     "POST /v1/jobs HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n",
                     sizeof(request));
    ask_bytes(request, sizeof(request) - (size_t)n);
    ck_assert_int_eq(status(), 413);
}
END_TEST

START_TEST(a_body_in_chunks_over_the_limit_is_refused_and_the_connection_goes_on)
{
    static char request[8192];
    size_t n = (size_t)snprintf(request, 200,
                                "POST /v1/jobs HTTP/1.1\r\n" HOST
                                "Transfer-Encoding: chunked\r\n\r\n1388\r\n");
    memset(request + n, 'x', 5000);
    n += 5000;
    n += (size_t)snprintf(request + n, sizeof(request) - n,
                          "\r\n0\r\n\r\nGET /livez HTTP/1.1\r\n" HOST "\r\n");
    ask_bytes(request, n);
    ck_assert_int_eq(status(), 413);
    ck_assert_uint_eq(answers(), 2);
    ck_assert_ptr_nonnull(strstr(answer, "\r\n\r\nok\n"));
}
END_TEST

START_TEST(a_connection_goes_on_after_a_refused_body)
{
    ask("POST /v1/jobs HTTP/1.1\r\n" HOST
        "Content-Type: text/xml\r\nContent-Length: 4\r\n\r\noops"
        "GET /livez HTTP/1.1\r\n" HOST "\r\n");
    ck_assert_int_eq(status(), 415);
    ck_assert_ptr_nonnull(strstr(answer, "application/json"));
    ck_assert_uint_eq(answers(), 2);
}
END_TEST

START_TEST(pages_of_other_sites_and_rebound_names_are_refused)
{
    ask("GET /v1/jobs HTTP/1.1\r\nHost: rebound.example\r\n\r\n");
    ck_assert_int_eq(status(), 403);
    ask("POST /v1/jobs HTTP/1.1\r\n" HOST
        "Origin: http://evil.example\r\nContent-Length: 0\r\n\r\n");
    ck_assert_int_eq(status(), 403);
    ask("GET /livez HTTP/1.1\r\nHost: rebound.example\r\n\r\n");
    ck_assert_int_eq(status(), 200);
}
END_TEST

/* Seconds until the daemon drops a connection that sends `begin` and then a byte every
 * 50 ms; 10 if it never does. */
static double seconds_until_dropped(const char *begin, unsigned interval_ms)
{
    int fd = dial();
    double start = now_s();
    ck_assert_int_gt(send(fd, begin, strlen(begin), MSG_NOSIGNAL), 0);
    bool dropped = false;
    while (!dropped && now_s() - start < 10) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        dropped = poll(&p, 1, (int)interval_ms) > 0 ||
                  (interval_ms < 1000 && send(fd, "a", 1, MSG_NOSIGNAL) < 0);
    }
    close(fd);
    return now_s() - start;
}

START_TEST(slow_senders_are_dropped)
{
    double headers = seconds_until_dropped("GET /livez HTTP/1.1\r\n" HOST "X-A: ", 50);
    ck_assert_double_gt(headers, 0.9);
    ck_assert_double_lt(headers, 3);
    double body = seconds_until_dropped(
        "POST /v1/jobs HTTP/1.1\r\n" HOST "Content-Length: 4000\r\n\r\n", 50);
    ck_assert_double_gt(body, 0.9);
    ck_assert_double_lt(body, 3);
    double silent = seconds_until_dropped(
        "POST /v1/jobs HTTP/1.1\r\n" HOST "Content-Length: 4000\r\n\r\n", 5000);
    ck_assert_double_lt(silent, 3);
    ck_assert_int_ge(atomic_load(&tg_metrics()->http_dropped), 3);
}
END_TEST

START_TEST(an_idle_connection_is_not_slow)
{
    int fd = dial();
    for (int i = 0; i < 2; i++) {
        static const char request[] = "GET /livez HTTP/1.1\r\n" HOST "\r\n";
        ck_assert_int_gt(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL), 0);
        ck_assert(!listen_to(fd, 1500));
        ck_assert_int_eq(status(), 200);
    }
    close(fd);
}
END_TEST

START_TEST(an_open_daemon_stays_on_loopback)
{
    static char everywhere[] = "0.0.0.0:0", nowhere[] = "nowhere",
                bad_port[] = "127.0.0.1:x";
    struct tg_http *second;
    config.listen = everywhere;
    ck_assert_int_eq(tg_http_start(&server, &second, &report), TG_FORBIDDEN);
    ck_assert_ptr_nonnull(strstr(report.detail, "--make-token"));
    config.listen = nowhere;
    ck_assert_int_eq(tg_http_start(&server, &second, NULL), TG_BAD_REQUEST);
    config.listen = bad_port;
    ck_assert_int_eq(tg_http_start(&server, &second, NULL), TG_BAD_REQUEST);
    snprintf(answer, sizeof(answer), "127.0.0.1:%u", tg_http_port(http));
    config.listen = answer;
    ck_assert_int_eq(tg_http_start(&server, &second, NULL), TG_INTERNAL);
    config.listen = address;
}
END_TEST

START_TEST(ipv6_loopback_is_loopback)
{
    static char ipv6[] = "[::1]:0";
    struct tg_http *second;
    config.listen = ipv6;
    enum tg_err err = tg_http_start(&server, &second, &report);
    config.listen = address;
    if (err) /* a machine without IPv6 */
        ck_assert_int_eq(err, TG_INTERNAL);
    else
        tg_http_stop(second, 0);
}
END_TEST

START_TEST(stopping_does_not_wait_for_idle_connections)
{
    int fd = dial();
    static const char request[] = "GET /livez HTTP/1.1\r\n" HOST "\r\n";
    ck_assert_int_gt(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL), 0);
    listen_to(fd, 100);
    double start = now_s();
    tg_http_stop(http, 5);
    ck_assert_double_lt(now_s() - start, 2);
    close(fd);
    ck_assert_int_eq(tg_http_start(&server, &http, &report), TG_OK);
}
END_TEST

Suite *http_suite(void)
{
    Suite *suite = suite_create("http");
    TCase *tcase = tcase_create("wire");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, an_answer_carries_the_common_headers);
    tcase_add_test(tcase, head_has_the_headers_of_get_and_no_body);
    tcase_add_test(tcase, options_and_other_methods_are_told_what_is_allowed);
    tcase_add_test(tcase, a_target_that_could_mislead_is_refused);
    tcase_add_test(tcase,
                   a_body_whose_end_is_in_doubt_is_refused_and_the_connection_closed);
    tcase_add_test(tcase, headers_have_a_limit);
    tcase_add_test(tcase, a_large_body_is_refused_before_it_is_sent);
    tcase_add_test(tcase, a_sender_that_does_not_ask_gets_its_413_too);
    tcase_add_test(tcase,
                   a_body_in_chunks_over_the_limit_is_refused_and_the_connection_goes_on);
    tcase_add_test(tcase, a_connection_goes_on_after_a_refused_body);
    tcase_add_test(tcase, pages_of_other_sites_and_rebound_names_are_refused);
    tcase_add_test(tcase, slow_senders_are_dropped);
    tcase_add_test(tcase, an_idle_connection_is_not_slow);
    tcase_add_test(tcase, an_open_daemon_stays_on_loopback);
    tcase_add_test(tcase, ipv6_loopback_is_loopback);
    tcase_add_test(tcase, stopping_does_not_wait_for_idle_connections);
    suite_add_tcase(suite, tcase);
    return suite;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A whole daemon in this process, and a client. */
#include "daemon.h"

#include <check.h>
#include <ftw.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "server/clock.h"
#include "server/log.h"

enum { MEMORY = 1 << 28, ANSWER_MAX = 1 << 20, PATIENCE_S = 30 };

const char torture_request[] =
    "{\"kind\": \"pca\", \"name\": \"torture\", \"params\": {\"components\": 2},"
    " \"inputs\": {\"trajectory\": [[0, 0, 1], [1, 0.5, 1], [2, 0.7, 3], [3, 2.5, 2],"
    " [4, 2, 5]]}}";

struct tg_server torture_server;
char torture_answer[ANSWER_MAX];
size_t torture_nanswer, torture_nbody;
const char *torture_body = torture_answer;

char torture_dir[64];
static char address[] = "127.0.0.1:0", empty[] = "";
static struct tg_config config = {.listen = address,
                                  .max_body = 1 << 20,
                                  .max_data = 1 << 20,
                                  .max_connections = 64,
                                  .max_queued = 100000,
                                  .request_timeout = PATIENCE_S,
                                  .tls_cert = empty,
                                  .tls_key = empty};
static struct tg_http *http;
static struct tg_derived *derived;

static void bump(void *arg, uint64_t seq)
{
    (void)seq;
    tg_hub_bump(arg);
}

/* In memory if possible, where a sync costs nothing. */
static void make_dir(void)
{
    snprintf(torture_dir, sizeof(torture_dir), "/dev/shm/tangentd-torture-XXXXXX");
    if (mkdtemp(torture_dir))
        return;
    snprintf(torture_dir, sizeof(torture_dir), "/tmp/tangentd-torture-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(torture_dir));
}

void torture_start(void)
{
    struct tg_server *server = &torture_server;
    struct tg_report report;
    tg_report_init(&report);
    ck_assert(tg_log_set_level("error"));
    make_dir();
    *server = (struct tg_server){.config = &config, .hub = tg_hub_new(),
                                 .partials = tg_partials_new()};
    ck_assert(server->hub && server->partials);
    const struct tg_store_options store = {.dir = torture_dir,
                                           .data_max_bytes = 1 << 20,
                                           .data_folders = torture_dir,
                                           .probe_s = 0.01,
                                           .on_commit = bump,
                                           .arg = server->hub};
    ck_assert_msg(!tg_store_open(&store, &server->store, &report), "%s", report.detail);
    derived = tg_derived_open(torture_dir, 1 << 20);
    ck_assert_ptr_nonnull(derived);
    const struct tg_pool_options pool = {.workers = 1,
                                         .memory_bytes = MEMORY,
                                         .long_s = 10,
                                         .max_queued = 100000,
                                         .store = server->store,
                                         .hub = server->hub,
                                         .partials = server->partials,
                                         .derived = derived};
    ck_assert_msg(!tg_pool_start(&pool, &server->pool, &report), "%s", report.detail);
    server->jobs = (struct tg_jobs){server->store, server->pool, &config, MEMORY, 1};
    ck_assert_int_eq(tg_auth_load("", &server->auth, &report), TG_OK);
    ck_assert_msg(!tg_http_start(server, &http, &report), "%s", report.detail);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void print_fault(const char *line)
{
    fprintf(stderr, "%s\n", line);
}

void torture_stop(void)
{
    struct tg_server *server = &torture_server;
    struct tg_report report;
    tg_report_init(&report);
    tg_hub_close(server->hub);
    tg_http_stop(http, 1);
    tg_pool_stop(server->pool, 1);
    tg_derived_close(derived);
    tg_store_close(server->store);
    tg_auth_free(server->auth);
    tg_partials_free(server->partials);
    tg_hub_free(server->hub);
    ck_assert_msg(!tg_store_check(torture_dir, print_fault, &report), "%s", report.detail);
    nftw(torture_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The client ------------------------------------------------------------------------- */

static int dial(void)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)tg_http_port(http)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

/* False when the daemon closed before it had everything. */
static bool send_all(int fd, const void *p, size_t n)
{
    for (const char *next = p; n;) {
        ssize_t sent = send(fd, next, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        next += sent;
        n -= (size_t)sent;
    }
    return true;
}

static void receive_all(int fd, const char *line)
{
    double began = tg_clock_monotonic();
    ssize_t got;
    torture_nanswer = 0;
    while ((got = recv(fd, torture_answer + torture_nanswer,
                       ANSWER_MAX - 1 - torture_nanswer, 0)) > 0)
        torture_nanswer += (size_t)got;
    torture_answer[torture_nanswer] = '\0';
    ck_assert_msg(tg_clock_monotonic() - began < PATIENCE_S, "%s: no end to the answer",
                  line);
}

const char *torture_header(const char *name)
{
    size_t n = strlen(name);
    for (const char *line = strstr(torture_answer, "\r\n");
         line && line + 2 < torture_body; line = strstr(line + 2, "\r\n"))
        if (!strncmp(line + 2, name, n) && !strncmp(line + 2 + n, ": ", 2))
            return line + 2 + n + 2;
    return NULL;
}

/* Whether the body is as long as the head says, or its last chunk is there. */
static bool is_whole(int status)
{
    const char *length = torture_header("Content-Length");
    if (length)
        return strtoull(length, NULL, 10) == torture_nbody;
    if (torture_header("Transfer-Encoding"))
        return torture_nbody >= 5 &&
               !memcmp(torture_body + torture_nbody - 5, "0\r\n\r\n", 5);
    return status == 204 || status == 304;
}

int torture_ask(const char *line, const char *headers, const void *body, size_t n)
{
    char head[1024];
    int length = snprintf(head, sizeof(head),
                          "%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s",
                          line, headers ? headers : "");
    if (body)
        length += snprintf(head + length, sizeof(head) - (size_t)length,
                           "Content-Length: %zu\r\n", n);
    length += snprintf(head + length, sizeof(head) - (size_t)length, "\r\n");
    int fd = dial();
    if (send_all(fd, head, (size_t)length) && body)
        (void)send_all(fd, body, n);
    receive_all(fd, line);
    close(fd);
    const char *end = strstr(torture_answer, "\r\n\r\n");
    torture_body = end ? end + 4 : torture_answer;
    torture_nbody = torture_nanswer - (size_t)(torture_body - torture_answer);
    int status = 0;
    if (!end || sscanf(torture_answer, "HTTP/1.1 %d ", &status) != 1 || !is_whole(status))
        return 0;
    return status;
}

void torture_job_id(char id[TG_ID_SIZE])
{
    const char *location = torture_header("Location");
    ck_assert_ptr_nonnull(location);
    ck_assert_int_eq(sscanf(location, "/v1/jobs/%26[0-9A-Z]", id), 1);
}

size_t torture_jobs(void)
{
    uint64_t counts[TG_STATE_COUNT];
    size_t n = 0;
    ck_assert_int_eq(tg_store_counts(torture_server.store, counts), TG_OK);
    for (int i = 0; i < TG_STATE_COUNT; i++)
        n += counts[i];
    return n;
}

void torture_heal(void)
{
    for (int i = 0; i < 500 && !tg_store_is_writable(torture_server.store); i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    ck_assert(tg_store_is_writable(torture_server.store));
}

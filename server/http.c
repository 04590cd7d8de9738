/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * HTTP by libmicrohttpd, in its thread-per-connection mode.
 *
 * DESIGN. The library calls on_uri() with the request line, on_request() once with the
 * headers, then for each piece of the body, then once more, and on_completed() at the
 * end. It takes an answer only on the first or the last of those calls; an error found
 * amid a body is kept while the rest of the body is read and thrown away. An answer given
 * before the body closes the connection, and on_completed() then reads on for a moment,
 * since closing a socket with unread bytes would destroy the answer on its way.
 */
#include "server/http.h"

#include <ctype.h>
#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proto/digest.h"
#include "proto/jsonload.h"
#include "server/clock.h"
#include "server/janitor.h"
#include "server/listen.h"
#include "server/log.h"
#include "server/metrics.h"
#include "server/origin.h"
#include "server/routes.h"
#include "server/uri.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACK_BYTES (2u << 20)
#else
#define STACK_BYTES (256u << 10)
#endif

enum {
    CONNECTION_BYTES =
        16 << 10, /* request line and headers; all of it counts per stream */
    PATH_MAX_BYTES = 512,
    IDLE_S = 60,           /* keep-alive, and the longest stall of a reader */
    DISCARD_MAX = 64 << 20 /* of a body whose answer is an error already */
};

struct tg_http {
    struct tg_server *server;
    struct MHD_Daemon *daemon;
    struct tg_janitor *janitor;
    unsigned port;
    char *cert, *key;
    atomic_bool stopping;
    atomic_size_t open_requests;
    atomic_size_t collected; /* bytes of JSON bodies in memory */
    size_t max_collected;
};

/* One request, from its first line to the end of its answer. */
struct tg_connection {
    struct tg_http *http;
    struct MHD_Connection *mhd;
    struct tg_peer *peer;
    int fd;
    struct tg_request request;
    const struct tg_route *route;
    struct tg_report *report;
    enum tg_err err; /* to be answered when the body has been read */
    bool headers_seen;
    bool has_body;
    bool streaming; /* begin() succeeded, the handler or abort() is due */
    bool linger;    /* answered before the body */
    size_t limit;   /* of the body */
    struct tg_buf body;
    uint64_t discarded;
    double begun;
    char allow[64];
    char path[PATH_MAX_BYTES];
    char args[PATH_MAX_BYTES];
    /* of the answer */
    int status;
    uint64_t sent;
    ssize_t (*stream)(void *state, char *p, size_t max);
    void (*stream_free)(void *state);
    void *stream_state;
};

const char *tg_request_header(const struct tg_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection->mhd, MHD_HEADER_KIND, name);
}

const char *tg_request_query(const struct tg_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection->mhd, MHD_GET_ARGUMENT_KIND,
                                       name);
}

static bool is_hung_up(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};
    return poll(&p, 1, 0) > 0 && p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL);
}

bool tg_request_is_gone(const struct tg_request *request)
{
    const struct tg_connection *c = request->connection;
    return atomic_load(&c->http->stopping) || atomic_load(&c->http->server->draining) ||
           is_hung_up(c->fd);
}

/* Answers ---------------------------------------------------------------------------- */

static ssize_t pump(void *arg, uint64_t position, char *p, size_t max)
{
    struct tg_connection *c = arg;
    (void)position;
    for (;;) {
        if (atomic_load(&c->http->stopping))
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (is_hung_up(c->fd))
            return MHD_CONTENT_READER_END_WITH_ERROR;
        ssize_t n = c->stream(c->stream_state, p, max);
        if (n < 0)
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (n > 0) {
            c->sent += (uint64_t)n;
            return n;
        }
    }
}

/* The library's answer with the body of ours, which is then empty. */
static struct MHD_Response *make_answer(struct tg_connection *c,
                                        struct tg_response *response)
{
    bool head = !strcmp(c->request.method, "HEAD");
    struct MHD_Response *answer;
    if (response->stream && !head) {
        c->stream = response->stream;
        c->stream_free = response->stream_free;
        c->stream_state = response->stream_state;
        response->stream_free = NULL;
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1024, pump, c, NULL);
    }
    if (response->fd >= 0) {
        answer = MHD_create_response_from_fd_at_offset64(response->length, response->fd,
                                                         response->offset);
        if (answer)
            response->fd = -1;
        c->sent = head ? 0 : response->length;
        return answer;
    }
    size_t n = response->body.n;
    char *p = n ? tg_buf_take(&response->body, &n) : NULL;
    c->sent = head ? 0 : n;
    if (!p)
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    answer = MHD_create_response_from_buffer(n, p, MHD_RESPMEM_MUST_FREE);
    if (!answer)
        free(p);
    return answer;
}

/* False without memory. */
static bool add_headers(struct tg_connection *c, const struct tg_response *response,
                        bool close_after, struct MHD_Response *answer)
{
    bool good = MHD_add_response_header(answer, "X-Request-Id", c->request.id) &&
                MHD_add_response_header(answer, "Server", "tangentd/" PACKAGE_VERSION) &&
                MHD_add_response_header(answer, "X-Content-Type-Options", "nosniff");
    if (response->type)
        good = good && MHD_add_response_header(answer, "Content-Type", response->type);
    for (unsigned i = 0; i < response->nheaders; i++)
        good = good && MHD_add_response_header(answer, response->header[i].name,
                                               response->header[i].value);
    if (close_after)
        good = good && MHD_add_response_header(answer, "Connection", "close");
    return good;
}

/* Hand the answer over; what is left of `response` is released. */
static enum MHD_Result send_answer(struct tg_connection *c, struct tg_response *response,
                                   bool early)
{
    enum MHD_Result queued = MHD_NO;
    struct MHD_Response *answer = make_answer(c, response);
    c->status = response->status;
    c->linger = early && c->has_body;
    bool last = c->linger || atomic_load(&c->http->server->draining);
    if (answer && add_headers(c, response, last, answer)) {
        MHD_set_connection_option(c->mhd, MHD_CONNECTION_OPTION_TIMEOUT,
                                  (unsigned)IDLE_S);
        queued = MHD_queue_response(c->mhd, (unsigned)response->status, answer);
    }
    if (answer)
        MHD_destroy_response(answer);
    tg_response_release(response);
    free(c->report);
    c->report = NULL;
    return queued;
}

static enum MHD_Result send_problem(struct tg_connection *c, enum tg_err err,
                                    struct tg_response *response, bool early)
{
    tg_response_problem(response, err, c->report, c->path);
    if (err == TG_METHOD)
        tg_response_header(response, "Allow", "%s", c->allow);
    return send_answer(c, response, early);
}

/* Headers ---------------------------------------------------------------------------- */

static enum MHD_Result count_lengths(void *arg, enum MHD_ValueKind kind, const char *name,
                                     const char *value)
{
    unsigned *count = arg;
    (void)kind;
    (void)value;
    *count += !strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return MHD_YES;
}

/* A body whose end two parties could see in different places is refused. */
static enum tg_err check_framing(struct tg_connection *c, uint64_t *length)
{
    const char *encoding =
        tg_request_header(&c->request, MHD_HTTP_HEADER_TRANSFER_ENCODING);
    const char *text = tg_request_header(&c->request, MHD_HTTP_HEADER_CONTENT_LENGTH);
    unsigned lengths = 0;
    MHD_get_connection_values(c->mhd, MHD_HEADER_KIND, count_lengths, &lengths);
    *length = 0;
    c->has_body = encoding || lengths;
    if (lengths > 1 || (encoding && lengths))
        return tg_fault_add(c->report, TG_BAD_REQUEST, NULL,
                            "Send one Content-Length, or Transfer-Encoding: chunked.");
    if (encoding && strcasecmp(encoding, "chunked"))
        return tg_fault_add(c->report, TG_BAD_REQUEST, NULL,
                            "The only Transfer-Encoding taken is chunked.");
    if (!text)
        return TG_OK;
    char *end;
    errno = 0;
    *length = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || errno)
        return tg_fault_add(c->report, TG_BAD_REQUEST, NULL,
                            "The Content-Length is not a number.");
    c->has_body = *length > 0;
    return TG_OK;
}

static enum tg_err find_route(struct tg_connection *c)
{
    enum tg_err err = tg_route_find(c->request.method, c->path, &c->route, c->request.arg,
                                    c->args, sizeof(c->args), c->allow);
    if (err == TG_NOT_FOUND)
        return tg_fault_add(c->report, err, NULL,
                            "There is no %.100s; /openapi.json lists what there is.",
                            c->path);
    if (err == TG_METHOD)
        return tg_fault_add_value(c->report, err, NULL, c->request.method, c->allow,
                                  "This path takes %s.", c->allow);
    return err;
}

static enum tg_err check_access(struct tg_connection *c)
{
    const struct tg_request *request = &c->request;
    struct tg_auth *auth = c->http->server->auth;
    enum tg_scope scope = c->route->scope;
    if (scope != TG_SCOPE_NONE && tg_auth_is_open(auth) &&
        !tg_origin_is_local(tg_request_header(request, MHD_HTTP_HEADER_HOST),
                            tg_request_header(request, MHD_HTTP_HEADER_ORIGIN)))
        return tg_fault_add(c->report, TG_FORBIDDEN, NULL,
                            "Without tokens only requests that name this machine are "
                            "answered, none from pages of other sites.");
    enum tg_err err =
        tg_auth_check(auth, tg_request_header(request, MHD_HTTP_HEADER_AUTHORIZATION),
                      scope, c->request.token);
    if (err == TG_UNAUTHORIZED)
        return tg_fault_add(c->report, err, NULL, "Send Authorization: Bearer TOKEN.");
    if (err == TG_FORBIDDEN)
        return tg_fault_add(c->report, err, NULL, "This needs a token with scope %s.",
                            scope == TG_SCOPE_ADMIN    ? "admin"
                            : scope == TG_SCOPE_SUBMIT ? "submit"
                                                       : "read");
    return err;
}

static enum tg_err too_large(struct tg_connection *c)
{
    if (!c->limit)
        return tg_fault_add(c->report, TG_BODY_TOO_LARGE, NULL,
                            "This path takes no body.");
    return tg_fault_add(
        c->report, TG_BODY_TOO_LARGE, NULL,
        "The body is larger than %zu bytes; upload arrays to /v1/data and "
        "refer to them by sha256, or raise the limit.",
        c->limit);
}

static enum tg_err prepare_body(struct tg_connection *c, uint64_t length)
{
    const struct tg_config *config = c->http->server->config;
    c->limit = c->route->begin                  ? (size_t)config->max_data
               : c->route->max_body == SIZE_MAX ? (size_t)config->max_body
                                                : c->route->max_body;
    tg_buf_init(&c->body, c->limit);
    if (c->has_body && (length > c->limit || !c->limit))
        return too_large(c);
    if (c->route->begin || !length)
        return TG_OK;
    /* Room for all of it at once: growing by doubling would waste up to half. */
    if (!tg_buf_grow(&c->body, (size_t)length))
        return tg_fault_add(c->report, TG_NOMEM, NULL,
                            "There is no memory for the body.");
    c->body.n = 0;
    return TG_OK;
}

static enum MHD_Result on_headers(struct tg_connection *c)
{
    struct tg_response response;
    uint64_t length;
    tg_response_init(&response);
    tg_peer_enter(c->peer, TG_PEER_BUSY);
    MHD_set_connection_option(c->mhd, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
    enum tg_err err = check_framing(c, &length);
    if (!c->err)
        c->err = err;
    if (!c->err)
        c->err = find_route(c);
    if (!strcmp(c->request.method, "OPTIONS") && c->err == TG_METHOD) {
        response.status = MHD_HTTP_NO_CONTENT;
        tg_response_header(&response, "Allow", "%s", c->allow);
        return send_answer(c, &response, true);
    }
    if (!c->err)
        c->err = check_access(c);
    if (!c->err)
        c->err = prepare_body(c, length);
    tg_json_watch();
    if (!c->err && c->route->begin) {
        c->err = c->route->begin(&c->request, &response, c->report);
        if (!c->err && response.status)
            return send_answer(c, &response, true);
        c->streaming = !c->err;
    }
    if (c->err && c->has_body)
        return send_problem(c, c->err, &response, true);
    tg_response_release(&response);
    if (c->has_body)
        tg_peer_enter(c->peer, TG_PEER_BODY);
    return MHD_YES;
}

/* Bodies ----------------------------------------------------------------------------- */

static void abort_stream(struct tg_connection *c)
{
    if (c->streaming)
        c->route->abort(&c->request);
    c->streaming = false;
}

static enum tg_err collect(struct tg_connection *c, const char *p, size_t n)
{
    struct tg_http *http = c->http;
    if (n > c->limit - c->body.n)
        return too_large(c);
    if (atomic_fetch_add(&http->collected, n) + n > http->max_collected) {
        atomic_fetch_sub(&http->collected, n);
        return tg_fault_add(
            c->report, TG_NOMEM, NULL,
            "Too many large bodies arrive at once; try again in a moment.");
    }
    size_t before = c->body.n;
    tg_buf_add(&c->body, p, n);
    if (c->body.n == before) {
        atomic_fetch_sub(&http->collected, n);
        return tg_fault_add(c->report, TG_NOMEM, NULL,
                            "There is no memory for the body.");
    }
    return TG_OK;
}

static void release_body(struct tg_connection *c)
{
    atomic_fetch_sub(&c->http->collected, c->body.n);
    tg_buf_release(&c->body);
}

static enum MHD_Result on_piece(struct tg_connection *c, const char *p, size_t n)
{
    tg_peer_received(c->peer, n);
    TG_COUNT_N(http_received_bytes, (int_fast64_t)n);
    if (c->err) {
        c->discarded += n;
    } else if (c->streaming) {
        c->request.nbody += n;
        c->err = c->request.nbody > c->limit
                     ? too_large(c)
                     : c->route->piece(&c->request, p, n, c->report);
        if (c->err)
            abort_stream(c);
    } else {
        c->err = collect(c, p, n);
        if (c->err)
            release_body(c);
    }
    tg_peer_enter(c->peer, TG_PEER_BODY);
    return c->discarded > DISCARD_MAX ? MHD_NO : MHD_YES;
}

static enum MHD_Result on_body_end(struct tg_connection *c)
{
    struct tg_response response;
    tg_peer_enter(c->peer, TG_PEER_BUSY);
    tg_response_init(&response);
    if (c->err)
        return send_problem(c, c->err, &response, false);
    response.status = MHD_HTTP_OK;
    if (!c->streaming) {
        c->request.body = c->body.p ? c->body.p : "";
        c->request.nbody = c->body.n;
    }
    c->streaming = false;
    tg_json_watch();
    enum tg_err err = c->route->handler(&c->request, &response, c->report);
    if (!err && tg_buf_failed(&response.body))
        err = TG_NOMEM;
    release_body(c);
    return err ? send_problem(c, err, &response, false)
               : send_answer(c, &response, false);
}

/* Callbacks of the library ----------------------------------------------------------- */

static void make_id(char id[33])
{
    unsigned char bytes[16] = {0};
    if (!tg_random_bytes(bytes, sizeof(bytes)))
        memset(bytes, 0, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(id + 2 * i, 3, "%02x", bytes[i]);
}

static void *on_uri(void *arg, const char *uri, struct MHD_Connection *mhd)
{
    struct tg_http *http = arg;
    const union MHD_ConnectionInfo *peer =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    const union MHD_ConnectionInfo *socket =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct tg_connection *c = calloc(1, sizeof(*c));
    struct tg_report *report = malloc(sizeof(*report));
    if (!peer || !peer->socket_context || !socket || !c || !report) {
        free(c);
        free(report);
        return NULL;
    }
    tg_report_init(report);
    c->http = http;
    c->mhd = mhd;
    c->peer = peer->socket_context;
    c->fd = socket->connect_fd;
    c->report = report;
    c->request.server = http->server;
    c->request.connection = c;
    c->begun = tg_clock_monotonic();
    make_id(c->request.id);
    c->request.path = c->path;
    c->err = tg_uri_path(uri ? uri : "", c->path, sizeof(c->path), report);
    tg_peer_enter(c->peer, TG_PEER_HEADERS);
    atomic_fetch_add(&http->open_requests, 1);
    return c;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version,
                                  const char *upload, size_t *upload_size, void **state)
{
    struct tg_connection *c = *state;
    (void)arg;
    (void)mhd;
    (void)url;
    (void)version;
    if (!c)
        return MHD_NO;
    if (!c->headers_seen) {
        c->headers_seen = true;
        c->request.method = method;
        return on_headers(c);
    }
    if (*upload_size) {
        size_t n = *upload_size;
        *upload_size = 0;
        return on_piece(c, upload, n);
    }
    return on_body_end(c);
}

/* Read what the sender still has under way, so that our answer is not reset. */
static void linger(int fd)
{
    char scrap[8192];
    double until = tg_clock_monotonic() + 2;
    shutdown(fd, SHUT_WR);
    while (tg_clock_monotonic() < until) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 500) <= 0 || recv(fd, scrap, sizeof(scrap), MSG_DONTWAIT) <= 0)
            return;
    }
}

static void log_request(const struct tg_connection *c)
{
    bool probe = !strcmp(c->path, "/livez") || !strcmp(c->path, "/readyz") ||
                 !strcmp(c->path, "/metrics");
    tg_log(probe || !c->status ? TG_LOG_DEBUG : TG_LOG_INFO,
           "%s %s %d %.1f ms %llu bytes %s", c->request.method ? c->request.method : "-",
           c->path, c->status, 1e3 * (tg_clock_monotonic() - c->begun),
           (unsigned long long)c->sent, c->request.id);
}

static void on_completed(void *arg, struct MHD_Connection *mhd, void **state,
                         enum MHD_RequestTerminationCode code)
{
    struct tg_connection *c = *state;
    (void)arg;
    (void)mhd;
    (void)code;
    if (!c)
        return;
    *state = NULL;
    abort_stream(c);
    release_body(c);
    if (c->linger)
        linger(c->fd);
    if (c->stream_free)
        c->stream_free(c->stream_state);
    if (c->status) {
        TG_COUNT(http_requests);
        if (c->status >= 400)
            TG_COUNT(http_errors);
        TG_COUNT_N(http_sent_bytes, (int_fast64_t)c->sent);
    }
    log_request(c);
    tg_peer_enter(c->peer, TG_PEER_IDLE);
    atomic_fetch_sub(&c->http->open_requests, 1);
    free(c->report);
    free(c);
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **state,
                          enum MHD_ConnectionNotificationCode code)
{
    struct tg_http *http = arg;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        TG_COUNT_N(http_connections, -1);
        tg_peer_remove(*state);
        *state = NULL;
        return;
    }
    const union MHD_ConnectionInfo *socket =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    TG_COUNT(http_connections);
    *state = socket ? tg_peer_add(http->janitor, socket->connect_fd) : NULL;
}

static void on_library_log(void *arg, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static void on_library_log(void *arg, const char *format, va_list args)
{
    char text[256];
    (void)arg;
    vsnprintf(text, sizeof(text), format, args);
    text[strcspn(text, "\n")] = '\0';
    tg_log(TG_LOG_DEBUG, "http: %s", text);
}

/* Start and stop --------------------------------------------------------------------- */

static enum tg_err read_pem(const char *path, char **text, struct tg_report *report)
{
    char block[4096];
    struct tg_buf buf;
    size_t n;
    FILE *file = fopen(path, "re");
    if (!file)
        return tg_fault_add(report, TG_BAD_REQUEST, NULL, "Cannot read %s: %s.", path,
                            strerror(errno));
    tg_buf_init(&buf, 1 << 20);
    while ((n = fread(block, 1, sizeof(block), file)) > 0)
        tg_buf_add(&buf, block, n);
    fclose(file);
    *text = tg_buf_take(&buf, &n);
    return *text ? TG_OK : TG_NOMEM;
}

static enum tg_err start_daemon(struct tg_http *http, int fd)
{
    const struct tg_config *config = http->server->config;
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                     MHD_USE_POLL | MHD_USE_ITC | MHD_USE_ERROR_LOG;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, http->cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, http->key},
        {MHD_OPTION_END, 0, NULL},
    };
    if (http->cert)
        flags |= MHD_USE_TLS;
    else
        tls[0].option = MHD_OPTION_END;
    http->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, http, MHD_OPTION_EXTERNAL_LOGGER,
        on_library_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_URI_LOG_CALLBACK,
        on_uri, http, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_THREAD_STACK_SIZE,
        (size_t)STACK_BYTES, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)config->max_connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)config->max_connections_per_address, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
    return http->daemon ? TG_OK : TG_INTERNAL;
}

static enum tg_err load_tls(struct tg_http *http, struct tg_report *report)
{
    const struct tg_config *config = http->server->config;
    bool cert = config->tls_cert && *config->tls_cert;
    bool key = config->tls_key && *config->tls_key;
    if (!cert && !key)
        return TG_OK;
    if (!cert || !key)
        return tg_fault_add(report, TG_BAD_REQUEST, NULL,
                            "TLS needs both --tls-cert and --tls-key.");
    TG_TRY(read_pem(config->tls_cert, &http->cert, report));
    return read_pem(config->tls_key, &http->key, report);
}

/* A quarter of the machine's memory, at most 1 GiB, but always room for one body. */
static size_t collected_limit(const struct tg_config *config)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page = sysconf(_SC_PAGESIZE);
    size_t limit = (size_t)1 << 30;
    if (pages > 0 && page > 0 && (size_t)pages < 4 * limit / (size_t)page)
        limit = (size_t)pages * (size_t)page / 4;
    return limit > (size_t)config->max_body ? limit : (size_t)config->max_body;
}

static void free_http(struct tg_http *http)
{
    tg_janitor_free(http->janitor);
    free(http->cert);
    free(http->key);
    free(http);
}

static enum tg_err start(struct tg_http *http, struct tg_report *report)
{
    const struct tg_config *config = http->server->config;
    struct tg_listener listener;
    TG_TRY(load_tls(http, report));
    TG_TRY(tg_listen(config->listen, &listener, report));
    http->port = listener.port;
    if (!listener.loopback && tg_auth_is_open(http->server->auth)) {
        close(listener.fd);
        return tg_fault_add(report, TG_FORBIDDEN, NULL,
                            "%s can be reached from other machines: make a token with "
                            "--make-token NAME:SCOPE and give its file as --token-file.",
                            config->listen);
    }
    enum tg_err err = start_daemon(http, listener.fd);
    if (err) {
        close(listener.fd);
        return tg_fault_add(report, err, NULL, "The HTTP server does not start%s.",
                            http->cert ? "; check the TLS certificate and key" : "");
    }
    return TG_OK;
}

enum tg_err tg_http_start(struct tg_server *server, struct tg_http **http,
                          struct tg_report *report)
{
    const struct tg_config *config = server->config;
    const struct tg_janitor_limits limits = {
        .headers_s = config->request_timeout,
        .idle_s = IDLE_S + config->request_timeout,
        .min_body_rate = (double)config->min_body_rate,
    };
    struct tg_http *made = calloc(1, sizeof(*made));
    if (!made)
        return TG_NOMEM;
    made->server = server;
    made->max_collected = collected_limit(config);
    made->janitor = tg_janitor_new(&limits);
    enum tg_err err = made->janitor ? start(made, report) : TG_NOMEM;
    if (err) {
        free_http(made);
        return err;
    }
    *http = made;
    return TG_OK;
}

unsigned tg_http_port(const struct tg_http *http)
{
    return http->port;
}

void tg_http_stop(struct tg_http *http, double grace_s)
{
    if (!http)
        return;
    MHD_socket fd = MHD_quiesce_daemon(http->daemon);
    if (fd != MHD_INVALID_SOCKET)
        close(fd);
    double until = tg_clock_monotonic() + grace_s;
    while (atomic_load(&http->open_requests) && tg_clock_monotonic() < until)
        nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
    atomic_store(&http->stopping, true);
    MHD_stop_daemon(http->daemon);
    free_http(http);
}

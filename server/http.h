/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * HTTP: the only room that includes microhttpd.h. Turns connections into requests, calls a
 * handler from the route table, and sends what it answers.
 *
 * DESIGN. One thread a connection (small stacks): a handler may sleep (commit, long poll,
 * events) without holding up anybody else, and no request state machine is needed. Slow
 * senders are dropped by a janitor: headers within request-timeout, bodies at min-body-rate.
 * libmicrohttpd's post processor is not used. JSON bodies are collected up to the route's
 * limit; routes with `begin` get the body piece by piece. What is wrong with the headers is
 * answered before the body is read, so "Expect: 100-continue" saves sending it.
 */
#ifndef TG_SERVER_HTTP_H
#define TG_SERVER_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/err.h"
#include "proto/buf.h"
#include "server/auth.h"
#include "server/config.h"

struct tg_server; /* server/routes.h */
struct tg_connection; /* private to http.c */

struct tg_request {
    struct tg_server *server;
    const char *method;
    const char *path;          /* decoded, checked: no NUL, no "..", no empty segment */
    char id[33];             /* request id, 32 hex digits, sent as X-Request-Id */
    const char *arg[4];        /* the {..} parts of the path, in order */
    char token[64];            /* name of the token, "" when open */
    const char *body;          /* collected body, NUL-terminated; NULL with stream */
    size_t nbody;              /* its length; with stream the bytes received so far */
    void *stream_state;        /* for streaming routes */
    struct tg_connection *connection;
};

/* A header or query value of the request, NULL when absent; valid while the request is. */
const char *tg_request_header(const struct tg_request *request, const char *name);
const char *tg_request_query(const struct tg_request *request, const char *name);
/* True when the client has closed its side or the server stops: long waits should end. */
bool tg_request_is_gone(const struct tg_request *request);

struct tg_response {
    int status;
    const char *type;          /* content type */
    struct tg_buf body;        /* in memory ... */
    int fd;                    /* ... or a file (owned), -1 when not */
    uint64_t offset, length;   /* of the file part */
    /* ... or a stream: fill up to `max` bytes, may sleep; > 0 bytes, 0 again, -1 the end */
    ssize_t (*stream)(void *state, char *p, size_t max);
    void (*stream_free)(void *state);
    void *stream_state;
    struct { char name[32]; char value[512]; } header[16];
    unsigned nheaders;
};
void tg_response_init(struct tg_response *response);
/* Drops body, file and stream; the headers stay. */
void tg_response_release(struct tg_response *response);
/* The problem document of a fault, in place of what was there. */
void tg_response_problem(struct tg_response *response, enum tg_err err,
                         const struct tg_report *report, const char *instance);
/* At most 16; control characters become spaces. */
void tg_response_header(struct tg_response *response, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

typedef enum tg_err (*tg_handler)(struct tg_request *request, struct tg_response *response,
                                  struct tg_report *report);

struct tg_query { const char *name, *type, *help; }; /* type: of JSON Schema */

struct tg_route {
    const char *method;
    const char *path;          /* "/v1/jobs/{id}" */
    enum tg_scope scope;
    size_t max_body;           /* 0: no body; SIZE_MAX: config max_body; ignored with stream */
    tg_handler handler;        /* called when the body is complete (or for HEAD/GET at once) */
    const char *summary;       /* for OpenAPI */
    /* A streaming body: begin on the headers, piece for each part, then handler; abort when
     * the sender broke off or a piece failed. begin may answer at once, without the body, by
     * setting response->status. NULL: the body is collected. */
    tg_handler begin;
    enum tg_err (*piece)(struct tg_request *request, const char *p, size_t n,
                         struct tg_report *report);
    void (*abort)(struct tg_request *request);
    /* For OpenAPI: query parameters, ended by a NULL name; the schema of each answer as in
     * "200:Job|DryRun 202:Job", every other answer being a problem; and the media types beside
     * JSON that the 200 answer comes in, separated by spaces. */
    const struct tg_query *query;
    const char *answers;
    const char *media;
    const char *order; /* the schema of a JSON body that `begin` takes beside any other */
};

struct tg_http;
/* Binds and serves. Refuses a non-loopback address while auth is open (TG_FORBIDDEN). */
TG_MUST_CHECK enum tg_err tg_http_start(struct tg_server *server, struct tg_http **http,
                                        struct tg_report *report);
unsigned tg_http_port(const struct tg_http *http); /* the bound port (listen ":0" picks one) */
/* Stop accepting, wait for open requests up to grace_s, close. */
void tg_http_stop(struct tg_http *http, double grace_s);

#endif

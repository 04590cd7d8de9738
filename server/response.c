/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Answers before they are sent. */
#include "server/http.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "proto/jsonload.h"
#include "proto/jsonwrite.h"
#include "proto/problem.h"

void tg_response_init(struct tg_response *response)
{
    /* Field by field: the headers are large, and mostly never touched. */
    response->status = 0;
    response->type = NULL;
    tg_buf_init(&response->body, SIZE_MAX / 2);
    response->fd = -1;
    response->offset = response->length = 0;
    response->stream = NULL;
    response->stream_free = NULL;
    response->stream_state = NULL;
    response->nheaders = 0;
}

void tg_response_release(struct tg_response *response)
{
    unsigned nheaders = response->nheaders;
    tg_buf_release(&response->body);
    if (response->fd >= 0)
        close(response->fd);
    if (response->stream_free)
        response->stream_free(response->stream_state);
    tg_response_init(response);
    response->nheaders = nheaders;
}

void tg_response_header(struct tg_response *response, const char *name,
                        const char *format, ...)
{
    size_t capacity = sizeof(response->header) / sizeof(response->header[0]);
    if (response->nheaders == capacity)
        TG_BUG("too many headers in an answer");
    unsigned i = response->nheaders++;
    va_list args;
    va_start(args, format);
    snprintf(response->header[i].name, sizeof(response->header[i].name), "%s", name);
    vsnprintf(response->header[i].value, sizeof(response->header[i].value), format, args);
    va_end(args);
    for (char *p = response->header[i].value; *p; p++)
        if (iscntrl((unsigned char)*p))
            *p = ' ';
}

void tg_response_problem(struct tg_response *response, enum tg_err err,
                         const struct tg_report *report, const char *instance)
{
    struct tg_buf *body = &response->body;
    tg_response_release(response);
    response->status = tg_err_status(err);
    response->type = "application/problem+json";
    tg_json_watch();
    json_t *problem = tg_problem(err, report, instance);
    bool whole = problem && !tg_json_ran_short();
    if (whole)
        tg_json_write(problem, body);
    json_decref(problem);
    tg_buf_puts(body, "\n");
    if (!whole || tg_buf_failed(body)) {
        tg_buf_release(body);
        tg_buf_printf(body, "%s\n", tg_problem_plain(err));
    }
    if (err == TG_UNAUTHORIZED)
        tg_response_header(response, "WWW-Authenticate", "Bearer realm=\"tangentd\"");
    if (response->status == 429 || response->status == 503)
        tg_response_header(response, "Retry-After", "%d", err == TG_DRAINING ? 10 : 1);
}

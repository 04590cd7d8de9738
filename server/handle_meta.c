/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Handlers of what describes the daemon: kinds, problems, OpenAPI. */
#include "server/handle.h"

#include <string.h>

#include "proto/kind.h"
#include "proto/schema.h"
#include "server/accept.h"
#include "server/routes.h"

enum tg_err tg_handle_kinds(struct tg_request *request, struct tg_response *response,
                            struct tg_report *report)
{
    (void)request;
    (void)report;
    json_t *list = json_array();
    for (size_t i = 0; i < tg_nkinds; i++) {
        const struct tg_kind *kind = tg_kinds[i];
        json_array_append_new(
            list, json_pack("{s:s, s:i, s:s, s:s, s:o}", "name", kind->name, "version",
                            kind->version, "title", kind->title, "summary", kind->summary,
                            "href", json_sprintf("/v1/kinds/%s", kind->name)));
    }
    return tg_answer_json(response, 200, json_pack("{s:o}", "kinds", list));
}

enum tg_err tg_handle_kind(struct tg_request *request, struct tg_response *response,
                           struct tg_report *report)
{
    const struct tg_kind *kind = tg_kind_find(request->arg[0]);
    if (kind)
        return tg_answer_json(response, 200, tg_kind_description(kind));
    return tg_fault_add(report, TG_NOT_FOUND, NULL,
                        "There is no kind '%.60s'; GET /v1/kinds lists them.",
                        request->arg[0]);
}

static void write_problem_page(enum tg_err err, struct tg_buf *out)
{
    tg_buf_printf(
        out,
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n"
        "<title>%s</title>\n<h1>%s</h1>\n<p>Problem type <code>%s</code>, answered "
        "with HTTP status %d. The <code>detail</code> and <code>errors</code> of the "
        "answer say what to do.</p>\n</html>\n",
        tg_err_title(err), tg_err_title(err), tg_err_slug(err), tg_err_status(err));
}

enum tg_err tg_handle_problem(struct tg_request *request, struct tg_response *response,
                              struct tg_report *report)
{
    static const char *const types[] = {"application/json", "text/html"};
    enum tg_err err = tg_err_from_slug(request->arg[0]);
    if (err == TG_ERR_COUNT || err == TG_OK)
        return tg_fault_add(report, TG_NOT_FOUND, NULL, "There is no such problem type.");
    tg_response_header(response, "Vary", "Accept");
    if (tg_accept_choose(tg_request_header(request, "Accept"), types, 2) == 1) {
        response->type = "text/html; charset=utf-8";
        tg_response_header(response, "Content-Security-Policy", "default-src 'none'");
        write_problem_page(err, &response->body);
        return TG_OK;
    }
    return tg_answer_json(response, 200,
                          json_pack("{s:o, s:s, s:i}", "type",
                                    json_sprintf("/v1/problems/%s", tg_err_slug(err)),
                                    "title", tg_err_title(err), "status",
                                    tg_err_status(err)));
}

enum tg_err tg_handle_openapi(struct tg_request *request, struct tg_response *response,
                              struct tg_report *report)
{
    (void)request;
    (void)report;
    return tg_answer_json(response, 200, tg_openapi());
}

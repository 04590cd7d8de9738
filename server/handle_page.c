/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The page: files of server/page, part of the program.
 *
 * DESIGN. The style sheet goes inside the HTML, so that the first paint needs one request; a
 * nonce a request lets it pass the policy, which allows neither other styles nor other hosts.
 */
#include "server/handle.h"

#include <string.h>

#include "proto/digest.h"
#include "server/page.h"

static const char policy[] = "default-src 'none'; script-src 'self'; style-src %s; "
                             "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; "
                             "form-action 'none'; frame-ancestors 'none'";

static const struct tg_page_part *find(const char *file)
{
    for (size_t i = 0; i < sizeof(tg_page_parts) / sizeof(tg_page_parts[0]); i++)
        if (!strcmp(file, tg_page_parts[i].file))
            return &tg_page_parts[i];
    return NULL;
}

static void add_policy(struct tg_response *response, const char *styles)
{
    tg_response_header(response, "Content-Security-Policy", policy, styles);
    tg_response_header(response, "Referrer-Policy", "no-referrer");
    tg_response_header(response, "Cache-Control", "no-cache");
}

static enum tg_err answer_index(struct tg_response *response)
{
    static const char mark[] = "<style></style>";
    const struct tg_page_part *html = find("index.html"), *css = find("page.css");
    const char *begin = (const char *)html->bytes, *end = begin + html->n;
    const char *at = memmem(begin, html->n, mark, strlen(mark));
    unsigned char random[16];
    char nonce[2 * sizeof random + 1], source[sizeof nonce + 16];
    if (!at || !tg_random_bytes(random, sizeof random))
        return TG_INTERNAL;
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(nonce + 2 * i, 3, "%02x", random[i]);
    snprintf(source, sizeof source, "'nonce-%s'", nonce);
    response->type = "text/html; charset=utf-8";
    add_policy(response, source);
    tg_buf_add(&response->body, begin, (size_t)(at - begin));
    tg_buf_printf(&response->body, "<style nonce=\"%s\">\n", nonce);
    tg_buf_add(&response->body, css->bytes, css->n);
    at += strlen("<style>");
    tg_buf_add(&response->body, at, (size_t)(end - at));
    return TG_OK;
}

enum tg_err tg_handle_page(struct tg_request *request, struct tg_response *response,
                           struct tg_report *report)
{
    const char *file = request->arg[0];
    if (!file)
        return answer_index(response);
    const struct tg_page_part *part = find(file);
    if (!part && !strcmp(file, "vega.js"))
        return tg_fault_add(report, TG_NOT_FOUND, NULL,
                            "This daemon was built without npm, and so draws no figures on its "
                            "page. Install npm, configure and build again; or save the figure, "
                            "a Vega-Lite specification.");
    if (!part || !strcmp(file, "index.html"))
        return tg_fault_add(report, TG_NOT_FOUND, NULL, "The page has no such part.");
    char digest[TG_SHA256_HEX], etag[sizeof digest + 2];
    tg_sha256_hex(part->bytes, part->n, digest);
    snprintf(etag, sizeof etag, "\"%s\"", digest);
    response->type = strstr(file, ".css") ? "text/css; charset=utf-8"
                                          : "text/javascript; charset=utf-8";
    add_policy(response, "'none'");
    if (part->gzip)
        tg_response_header(response, "Content-Encoding", "gzip");
    if (!tg_answer_not_modified(request, response, etag))
        tg_buf_add(&response->body, part->bytes, part->n);
    return TG_OK;
}

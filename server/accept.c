/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Content negotiation and entity tags (RFC 9110, sections 8.8 and 12.5). */
#include "server/accept.h"

#include <string.h>
#include <strings.h>

static const char *skip_space(const char *p)
{
    return p + strspn(p, " \t");
}

/* Thousandths of a qvalue such as "0.85"; a malformed one counts as 1. */
static int parse_quality(const char *p)
{
    if (*p != '0')
        return 1000;
    int q = 0;
    if (*++p == '.')
        for (int unit = 100; unit && *++p >= '0' && *p <= '9'; unit /= 10)
            q += unit * (*p - '0');
    return q;
}

/* 0: no match, 1: any type, 2: any subtype, 3: the type itself. */
static int specificity(const char *range, size_t n, const char *type)
{
    if (n == 3 && !memcmp(range, "*/*", 3))
        return 1;
    size_t major = strcspn(type, "/") + 1;
    if (n == major + 1 && range[n - 1] == '*' && !strncasecmp(range, type, major))
        return 2;
    return n == strlen(type) && !strncasecmp(range, type, n) ? 3 : 0;
}

static int quality(const char *accept, const char *type)
{
    int best = 0, q = 0;
    for (const char *p = accept; *p;) {
        p = skip_space(p);
        const char *range = p;
        size_t n = strcspn(p, ",; \t");
        int range_q = 1000;
        p = skip_space(p + n);
        while (*p == ';') {
            p = skip_space(p + 1);
            if ((*p == 'q' || *p == 'Q') && p[1] == '=')
                range_q = parse_quality(p + 2);
            p += strcspn(p, ",;");
        }
        int match = specificity(range, n, type);
        if (match > best) {
            best = match;
            q = range_q;
        }
        p += strcspn(p, ",");
        p += *p == ',';
    }
    return q;
}

int tg_accept_choose(const char *accept, const char *const *types, size_t n)
{
    if (!accept || !*skip_space(accept))
        return n ? 0 : -1;
    int best = -1, best_q = 0;
    for (size_t i = 0; i < n; i++) {
        int q = quality(accept, types[i]);
        if (q > best_q) {
            best_q = q;
            best = (int)i;
        }
    }
    return best;
}

bool tg_media_is(const char *content_type, const char *type)
{
    content_type = skip_space(content_type);
    size_t n = strcspn(content_type, "; \t");
    return n == strlen(type) && !strncasecmp(content_type, type, n);
}

bool tg_etag_matches(const char *header, const char *etag)
{
    if (!header)
        return false;
    if (!strncmp(etag, "W/", 2))
        etag += 2;
    size_t length = strlen(etag);
    for (const char *p = header; *p;) {
        p += strspn(p, ", \t");
        if (*p == '*')
            return true;
        if (!strncmp(p, "W/", 2))
            p += 2;
        size_t n = strcspn(p, ", \t");
        if (n && n == length && !memcmp(p, etag, n))
            return true;
        p += n;
    }
    return false;
}

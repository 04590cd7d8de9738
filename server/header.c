/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Values of request headers (RFC 9110, sections 5.6 and 14; RFC 7240). */
#include "server/header.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Digits at *p, which moves behind them. */
static bool take_u64(const char **p, uint64_t *out)
{
    char *end;
    if (!isdigit((unsigned char)**p))
        return false;
    errno = 0;
    *out = strtoull(*p, &end, 10);
    *p = end;
    return !errno;
}

static bool take(const char **p, char c)
{
    if (**p != c)
        return false;
    ++*p;
    return true;
}

bool tg_parse_u64(const char *text, uint64_t *out)
{
    uint64_t value;
    if (!take_u64(&text, &value) || *text)
        return false;
    *out = value;
    return true;
}

/* "-n": the last n bytes. */
static enum tg_range last_bytes(const char *p, uint64_t size, uint64_t *first,
                                uint64_t *last)
{
    uint64_t n;
    if (!take_u64(&p, &n) || *p)
        return TG_RANGE_WHOLE;
    if (!n || !size)
        return TG_RANGE_OUTSIDE;
    *first = n < size ? size - n : 0;
    *last = size - 1;
    return TG_RANGE_PART;
}

enum tg_range tg_range_parse(const char *text, uint64_t size, uint64_t *first,
                             uint64_t *last)
{
    uint64_t from, to = UINT64_MAX;
    if (!text || strncmp(text, "bytes=", 6))
        return TG_RANGE_WHOLE;
    const char *p = text + 6;
    if (take(&p, '-'))
        return last_bytes(p, size, first, last);
    if (!take_u64(&p, &from) || !take(&p, '-') || (*p && !take_u64(&p, &to)) || *p ||
        from > to)
        return TG_RANGE_WHOLE;
    if (from >= size)
        return TG_RANGE_OUTSIDE;
    *first = from;
    *last = to < size ? to : size - 1;
    return TG_RANGE_PART;
}

bool tg_content_range_parse(const char *text, uint64_t *first, uint64_t *last,
                            uint64_t *total)
{
    const char *p = text + strlen("bytes ");
    return !strncasecmp(text, "bytes ", strlen("bytes ")) && take_u64(&p, first) &&
           take(&p, '-') && take_u64(&p, last) && take(&p, '/') && take_u64(&p, total) &&
           !*p && *first <= *last && *last < *total;
}

struct tg_prefer tg_prefer_parse(const char *header)
{
    struct tg_prefer prefer = {0};
    for (const char *p = header ? header : ""; *p; p += strcspn(p, ",")) {
        p += strspn(p, ", \t");
        if (!strncasecmp(p, "wait=", 5)) {
            p += 5 + (p[5] == '"');
            if (!isdigit((unsigned char)*p))
                continue;
            prefer.wait_given = true;
            prefer.wait_s = fmin(strtod(p, NULL), TG_WAIT_MAX_S);
        } else if (!strncasecmp(p, "respond-async", 13)) {
            prefer.async = true;
        }
    }
    return prefer;
}

bool tg_header_has(const char *header, const char *directive)
{
    size_t n = strlen(directive);
    for (const char *p = header ? header : ""; *p; p += strcspn(p, ",")) {
        p += strspn(p, ", \t");
        if (!strncasecmp(p, directive, n) && strcspn(p, ",; \t") == n)
            return true;
    }
    return false;
}

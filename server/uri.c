/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Request targets (RFC 3986), read strictly: what is refused here needs no thought later.
 */
#include "server/uri.h"

#include <stdbool.h>
#include <string.h>

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

/* The byte at *p, an escape or itself; -1 if it may not be in a target. Moves *p behind
 * it. */
static int take_byte(const char **p)
{
    unsigned char c = (unsigned char)**p;
    ++*p;
    if (c == '%') {
        int high = hex((*p)[0]);
        int low = high < 0 ? -1 : hex((*p)[1]);
        if (low < 0)
            return -1;
        *p += 2;
        c = (unsigned char)(high << 4 | low);
    }
    return is_control(c) ? -1 : c;
}

static bool segments_are_plain(const char *path)
{
    if (!strcmp(path, "/"))
        return true;
    for (const char *segment = path; segment; segment = strchr(segment, '/')) {
        segment++;
        size_t n = strcspn(segment, "/");
        if (!n || (n == 1 && segment[0] == '.') || (n == 2 && !memcmp(segment, "..", 2)))
            return false;
    }
    return true;
}

/* Skip "http://host" of the absolute form. */
static const char *skip_authority(const char *target)
{
    const char *authority = strstr(target, "://");
    if (*target == '/' || !authority ||
        strcspn(target, "/?") < (size_t)(authority - target))
        return target;
    return authority + 3 + strcspn(authority + 3, "/?");
}

enum tg_err tg_uri_path(const char *target, char *path, size_t size,
                        struct tg_report *report)
{
    const char *p = skip_authority(target);
    if (*p != '/')
        return tg_fault_add(report, TG_BAD_REQUEST, NULL,
                            "The request target has to be a path that begins with '/'.");
    size_t n = 0;
    while (*p && *p != '?') {
        int c = take_byte(&p);
        if (c < 0)
            return tg_fault_add(report, TG_BAD_REQUEST, NULL,
                                "The path holds a control byte or a broken escape.");
        if (n + 1 >= size)
            return tg_fault_add(report, TG_BAD_REQUEST, NULL, "The path is too long.");
        path[n++] = (char)c;
    }
    path[n] = '\0';
    while (*p)
        if (take_byte(&p) < 0)
            return tg_fault_add(report, TG_BAD_REQUEST, NULL,
                                "The query holds a control byte or a broken escape.");
    if (!segments_are_plain(path))
        return tg_fault_add(report, TG_BAD_REQUEST, NULL,
                            "The path has an empty, '.' or '..' segment.");
    return TG_OK;
}

void tg_uri_escape(struct tg_buf *out, const char *text)
{
    static const char unreserved[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
        "0123456789-._~";
    for (; *text; text++) {
        if (strchr(unreserved, *text))
            tg_buf_add(out, text, 1);
        else
            tg_buf_printf(out, "%%%02X", (unsigned)(unsigned char)*text);
    }
}

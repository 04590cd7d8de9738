/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Growing byte buffer, and the two kinds of JSON text that need care. */
#include "proto/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"

void tg_buf_init(struct tg_buf *buf, size_t max)
{
    *buf = (struct tg_buf){.max = max};
}

void tg_buf_release(struct tg_buf *buf)
{
    free(buf->p);
    tg_buf_init(buf, buf->max);
}

bool tg_buf_failed(const struct tg_buf *buf)
{
    return buf->failed;
}

/* Room for n more bytes and the NUL behind them. */
static bool reserve(struct tg_buf *buf, size_t n)
{
    size_t need;
    if (buf->failed || !tg_add_ok(buf->n, n, &need) || need > buf->max ||
        !tg_add_ok(need, 1, &need)) {
        buf->failed = true;
        return false;
    }
    if (need <= buf->size)
        return true;
    size_t size = buf->size < SIZE_MAX / 2 && 2 * buf->size > need ? 2 * buf->size : need;
    if (size < 256)
        size = 256;
    if (size - 1 > buf->max)
        size = buf->max + 1; /* need fits: it is at most that */
    char *p = realloc(buf->p, size);
    if (!p) {
        buf->failed = true;
        return false;
    }
    buf->p = p;
    buf->size = size;
    return true;
}

void *tg_buf_grow(struct tg_buf *buf, size_t n)
{
    if (!reserve(buf, n))
        return NULL;
    void *p = buf->p + buf->n;
    buf->n += n;
    buf->p[buf->n] = '\0';
    return p;
}

void tg_buf_add(struct tg_buf *buf, const void *p, size_t n)
{
    void *to = tg_buf_grow(buf, n);
    if (to && n)
        memcpy(to, p, n);
}

void tg_buf_puts(struct tg_buf *buf, const char *text)
{
    tg_buf_add(buf, text, strlen(text));
}

void tg_buf_printf(struct tg_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) {
        buf->failed = true;
        return;
    }
    if (!reserve(buf, (size_t)n))
        return;
    va_start(args, format);
    vsnprintf(buf->p + buf->n, (size_t)n + 1, format, args);
    va_end(args);
    buf->n += (size_t)n;
}

char *tg_buf_take(struct tg_buf *buf, size_t *n)
{
    char *p = reserve(buf, 0) ? buf->p : NULL;
    if (!p) {
        tg_buf_release(buf);
        return NULL;
    }
    p[buf->n] = '\0';
    if (n)
        *n = buf->n;
    tg_buf_init(buf, buf->max);
    return p;
}

/* By the table of RFC 3629, section 4. */
size_t tg_utf8_length(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    if (p[0] < 0x80)
        return 1;
    size_t length = p[0] >= 0xC2 && p[0] <= 0xDF   ? 2
                    : p[0] >= 0xE0 && p[0] <= 0xEF ? 3
                    : p[0] >= 0xF0 && p[0] <= 0xF4 ? 4
                                                   : 0;
    if (!length || length > n)
        return 0;
    unsigned char lo = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char hi = p[0] == 0xED ? 0x9F : p[0] == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < lo || p[1] > hi)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

char *tg_utf8_copy(char *out, size_t size, const char *text)
{
    size_t used = 0;
    for (size_t left = strlen(text), length; left; text += length, left -= length) {
        bool whole = tg_utf8_length(text, left) > 0;
        length = whole ? tg_utf8_length(text, left) : 1;
        if (used + length >= size)
            break;
        memcpy(out + used, whole ? text : "?", length);
        used += length;
    }
    out[used] = '\0';
    return out;
}

void tg_buf_json_string(struct tg_buf *buf, const char *text, size_t n)
{
    tg_buf_puts(buf, "\"");
    for (size_t i = 0; i < n;) {
        unsigned char c = (unsigned char)text[i];
        size_t length = tg_utf8_length(text + i, n - i);
        if (c == '"' || c == '\\')
            tg_buf_printf(buf, "\\%c", c);
        else if (c == '\n')
            tg_buf_puts(buf, "\\n");
        else if (c < 0x20 || c == 0x7F)
            tg_buf_printf(buf, "\\u%04x", c);
        else if (length)
            tg_buf_add(buf, text + i, length);
        else
            tg_buf_puts(buf, "\xEF\xBF\xBD");
        i += length ? length : 1;
    }
    tg_buf_puts(buf, "\"");
}

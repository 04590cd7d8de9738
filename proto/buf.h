/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Growing byte buffer with a hard maximum. Once an append fails the buffer stays failed, so
 * a writer checks once at the end with tg_buf_failed().
 */
#ifndef TG_PROTO_BUF_H
#define TG_PROTO_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct tg_buf {
    char *p;      /* NUL-terminated when not NULL */
    size_t n;     /* bytes used */
    size_t size;  /* bytes allocated */
    size_t max;   /* never more than this many bytes */
    bool failed;
};

void tg_buf_init(struct tg_buf *buf, size_t max);
void tg_buf_release(struct tg_buf *buf);
bool tg_buf_failed(const struct tg_buf *buf);
void tg_buf_add(struct tg_buf *buf, const void *p, size_t n);
void tg_buf_puts(struct tg_buf *buf, const char *text);
void tg_buf_printf(struct tg_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* n more bytes to be filled by the caller; NULL when failed. */
void *tg_buf_grow(struct tg_buf *buf, size_t n);
/* Hands the bytes to the caller, who frees them; the buffer is empty again. */
char *tg_buf_take(struct tg_buf *buf, size_t *n);

/* Shortest decimal text that reads back as the same double; "null" for NaN and infinity. */
void tg_buf_double(struct tg_buf *buf, double x);
/* Length of the well-formed UTF-8 sequence at p (n > 0 bytes), 0 if there is none. */
size_t tg_utf8_length(const char *p, size_t n);
/* As much of `text` as fits in whole sequences; bytes of none become `?`. Returns `out`. */
char *tg_utf8_copy(char *out, size_t size, const char *text);
/* A JSON string with quotes; invalid UTF-8 bytes become U+FFFD. */
void tg_buf_json_string(struct tg_buf *buf, const char *text, size_t n);

#endif

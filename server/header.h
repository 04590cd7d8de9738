/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Values of request headers: ranges, preferences, directives. */
#ifndef TG_SERVER_HEADER_H
#define TG_SERVER_HEADER_H

#include <stdbool.h>
#include <stdint.h>

enum { TG_WAIT_MAX_S = 300 };

/* An unsigned decimal number and nothing else. */
bool tg_parse_u64(const char *text, uint64_t *out);

/*
 * Range (NULL: absent) of something of `size` bytes. One "bytes=a-b", "bytes=a-" or
 * "bytes=-n" within it is TG_RANGE_PART, with the first and last byte; one outside it is
 * TG_RANGE_OUTSIDE; anything else is answered whole.
 */
enum tg_range { TG_RANGE_WHOLE, TG_RANGE_PART, TG_RANGE_OUTSIDE };
enum tg_range tg_range_parse(const char *text, uint64_t size, uint64_t *first, uint64_t *last);

/* Content-Range "bytes FIRST-LAST/TOTAL" with first <= last < total. */
bool tg_content_range_parse(const char *text, uint64_t *first, uint64_t *last,
                            uint64_t *total);

/* RFC 7240: `wait=N`, cut to TG_WAIT_MAX_S, and `respond-async`; others are ignored. */
struct tg_prefer {
    bool wait_given, async;
    double wait_s; /* 0 when not given */
};
struct tg_prefer tg_prefer_parse(const char *header);

/* Whether a list such as Cache-Control (NULL: absent) has a directive without a value. */
bool tg_header_has(const char *header, const char *directive);

#endif

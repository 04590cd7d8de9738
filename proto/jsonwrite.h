/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * JSON documents as text: members in the order they were added, every real as the shortest
 * text that reads back as the same double (jansson writes 0.1 as 0.10000000000000001), with
 * ".0" where it would read as an integer.
 */
#ifndef TG_PROTO_JSONWRITE_H
#define TG_PROTO_JSONWRITE_H

#include <jansson.h>

#include "proto/buf.h"

enum { TG_JSON_WRITE_DEPTH = 64 };

/* Compact. A value nested deeper than TG_JSON_WRITE_DEPTH makes the buffer fail. */
void tg_json_write(const json_t *value, struct tg_buf *out);
/* For people: whatever fits into `width` columns stays on one line. */
void tg_json_write_pretty(const json_t *value, size_t width, struct tg_buf *out);

#endif

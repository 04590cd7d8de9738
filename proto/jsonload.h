/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * jansson where memory may run short.
 *
 * DESIGN. jansson drops without a word what it has no memory for: the end of a token that it
 * reads, a member that it copies. So its failed allocations are noted, for each thread. Who
 * builds a document that is to be whole watches from before, and asks at the end.
 */
#ifndef TG_PROTO_JSONLOAD_H
#define TG_PROTO_JSONLOAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

void tg_json_watch(void);
bool tg_json_ran_short(void); /* since tg_json_watch() */

/* The value of a text of our own, which is well-formed; NULL without memory. */
json_t *tg_json_load(const char *text);
/*
 * json_loadb() that does not run over its buffer without memory. NULL with *ran_short, or
 * NULL with what is wrong in *error.
 */
json_t *tg_json_load_text(const char *text, size_t n, size_t flags, json_error_t *error,
                          bool *ran_short);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Words about a kind that its descriptions share. */
#ifndef TG_PROTO_DESCRIBE_H
#define TG_PROTO_DESCRIBE_H

#include <jansson.h>
#include <stddef.h>

#include "proto/kind.h"

extern const char *const tg_output_where_names[]; /* "value", "array", ... by the enum */

/* The example, parsed; new reference, NULL without memory. */
json_t *tg_kind_example(const struct tg_kind *kind);
/* "array of shape (n,d)"; returns `out`. */
char *tg_input_text(const struct tg_input *input, char *out, size_t size);

#endif

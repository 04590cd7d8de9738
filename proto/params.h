/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parameters of a kind: from JSON into its struct and back, by the rows of its table. */
#ifndef TG_PROTO_PARAMS_H
#define TG_PROTO_PARAMS_H

#include <jansson.h>

#include "core/arena.h"
#include "core/err.h"
#include "proto/buf.h"
#include "proto/kind.h"

/*
 * Fill `out` (kind->params_size bytes) from the members of `params` (an object, or NULL for
 * none) and the defaults. Every fault goes to `report` below the pointer "/params". Strings
 * and lists live in `arena`.
 */
void tg_params_decode(const struct tg_kind *kind, const json_t *params,
                      struct tg_arena *arena, void *out, struct tg_report *report);

/* All parameters as JSON, sorted by name: the same text for the same values. */
void tg_params_write(const struct tg_kind *kind, const void *params, struct tg_buf *out);

size_t tg_choices_count(const char *const *choices);
/* What a parameter takes, in words: "integer from 1 to 100". Returns `out`. */
char *tg_param_range(const struct tg_param *param, char *out, size_t size);
/* The default as a JSON value; NULL when the parameter is required, and without memory.
 * New reference. */
json_t *tg_param_default(const struct tg_param *param);

#endif

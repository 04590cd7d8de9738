/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Patterns of names: `*` stands for any bytes, none too, and `?` for one byte. */
#ifndef TG_PROTO_PATTERN_H
#define TG_PROTO_PATTERN_H

#include <stdbool.h>

/* Whether the whole name is what the pattern says. At most |pattern| |name| comparisons. */
bool tg_pattern_matches(const char *pattern, const char *name);

#endif

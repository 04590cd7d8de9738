/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tables of JSON values as aligned text. */
#ifndef TG_PROTO_TABLE_H
#define TG_PROTO_TABLE_H

#include <jansson.h>
#include <stdbool.h>

#include "proto/buf.h"

enum { TG_CELL_SIZE = 64 };

/* Columns a UTF-8 text takes, one a code point. */
size_t tg_text_columns(const char *text);
/* A scalar with six significant digits, cut to fit; returns `text`. */
char *tg_cell_text(const json_t *value, char text[TG_CELL_SIZE]);
/* A list of flat objects (one row each). */
bool tg_is_table(const json_t *value);

/* A list of flat objects under a header of their members; indented by two. */
void tg_table_write(const json_t *table, struct tg_buf *out);
/* A list of lists without a header. */
void tg_grid_write(const json_t *grid, struct tg_buf *out);

#endif

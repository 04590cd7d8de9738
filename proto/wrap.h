/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Prose in columns. */
#ifndef TG_PROTO_WRAP_H
#define TG_PROTO_WRAP_H

#include "proto/buf.h"

/*
 * `text` in lines of at most `width` columns, each begun by `indent` spaces; the first one
 * goes on where the buffer's last line ends. No newline at the end.
 */
void tg_wrap(struct tg_buf *out, const char *text, size_t indent, size_t width);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Request targets: decoding of the path, and percent-encoding for links. */
#ifndef TG_SERVER_URI_H
#define TG_SERVER_URI_H

#include <stddef.h>

#include "core/err.h"
#include "proto/buf.h"

/*
 * Decode the path of a request target ("/v1/data/x?limit=3", also the absolute form) into
 * `path`. TG_BAD_REQUEST for control bytes, broken escapes, NUL (in the query too), "." and
 * ".." segments, and empty segments.
 */
TG_MUST_CHECK enum tg_err tg_uri_path(const char *target, char *path, size_t size,
                                      struct tg_report *report);

/* Append `text` with everything but unreserved characters escaped. */
void tg_uri_escape(struct tg_buf *out, const char *text);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Content negotiation: which of the offered types an Accept header wants most. */
#ifndef TG_SERVER_ACCEPT_H
#define TG_SERVER_ACCEPT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Index of the best of `n` media types for an Accept header (NULL: anything), or -1. Each
 * type gets the quality of the most specific range that matches it; the earlier offer wins
 * a draw, so the first offer is the default.
 */
int tg_accept_choose(const char *accept, const char *const *types, size_t n);

/* The media type of a Content-Type without parameters equals `type`. */
bool tg_media_is(const char *content_type, const char *type);

/* Weak comparison of an If-None-Match list with one entity tag (quotes included). */
bool tg_etag_matches(const char *header, const char *etag);

#endif

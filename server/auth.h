/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tokens: a file of lines `name scopes sha256-of-token`, read at start and again on SIGHUP.
 * Scopes are read, submit and admin; admin includes submit, submit includes read.
 */
#ifndef TG_SERVER_AUTH_H
#define TG_SERVER_AUTH_H

#include <stdbool.h>

#include "core/err.h"
#include "proto/buf.h"

enum tg_scope { TG_SCOPE_NONE, TG_SCOPE_READ, TG_SCOPE_SUBMIT, TG_SCOPE_ADMIN };

struct tg_auth;
/* `path` "" or NULL: no tokens, everybody may do everything (loopback only). Refuses files
 * that others may write. */
TG_MUST_CHECK enum tg_err tg_auth_load(const char *path, struct tg_auth **auth,
                                       struct tg_report *report);
TG_MUST_CHECK enum tg_err tg_auth_reload(struct tg_auth *auth, struct tg_report *report);
void tg_auth_free(struct tg_auth *auth);
bool tg_auth_is_open(const struct tg_auth *auth);
/*
 * Check an Authorization header (NULL: none) for a scope. TG_UNAUTHORIZED or TG_FORBIDDEN.
 * `name` (64 bytes) gets the token's name, "" when open. Compares in constant time.
 */
TG_MUST_CHECK enum tg_err tg_auth_check(struct tg_auth *auth, const char *authorization,
                                        enum tg_scope scope, char name[64]);
/* "NAME:scope": prints a new token and the line for the file. */
TG_MUST_CHECK enum tg_err tg_auth_make(const char *spec, struct tg_buf *out,
                                       struct tg_report *report);

#endif

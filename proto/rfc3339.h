/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Times as text (RFC 3339), read strictly. */
#ifndef TG_PROTO_RFC3339_H
#define TG_PROTO_RFC3339_H

#include <stdbool.h>

/* "2030-01-31T12:00:00.5Z" or with an offset "+01:00" to Unix seconds. False if malformed. */
bool tg_rfc3339_read(const char *text, double *seconds);

#endif

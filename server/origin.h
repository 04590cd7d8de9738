/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Origin: keeps web pages of other sites away from a daemon that asks for no token.
 *
 * DESIGN. A browser on this machine can be made to send requests to a loopback address, by
 * a page of another site or by a host name that is rebound to 127.0.0.1. With tokens that
 * is harmless, for no page knows one. Without, the Host has to name this machine, and an
 * Origin has to be the same host.
 */
#ifndef TG_SERVER_ORIGIN_H
#define TG_SERVER_ORIGIN_H

#include <stdbool.h>

/* Headers as sent; NULL when absent. */
bool tg_origin_is_local(const char *host, const char *origin);

#endif

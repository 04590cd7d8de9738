/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The listening socket of an address such as "127.0.0.1:8748", "[::1]:0" or "0.0.0.0:80". */
#ifndef TG_SERVER_LISTEN_H
#define TG_SERVER_LISTEN_H

#include <stdbool.h>

#include "core/err.h"

struct tg_listener {
    int fd;
    unsigned port; /* as bound: port 0 picks one */
    bool loopback; /* only this machine can reach it */
};

/* TG_BAD_REQUEST for an address that cannot be read, TG_INTERNAL when it cannot be bound. */
TG_MUST_CHECK enum tg_err tg_listen(const char *address, struct tg_listener *listener,
                                    struct tg_report *report);

#endif

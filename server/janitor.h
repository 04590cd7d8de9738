/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Janitor: drops connections whose sender is too slow.
 *
 * DESIGN. An inactivity timeout does not stop a sender that trickles a byte now and then,
 * so every connection says what it waits for, and one thread looks at all of them a few
 * times a second and shuts down the sockets that are late. Only time spent waiting for the
 * sender counts: a handler that sleeps is never late.
 */
#ifndef TG_SERVER_JANITOR_H
#define TG_SERVER_JANITOR_H

#include <stddef.h>
#include <stdint.h>

enum tg_peer_stage {
    TG_PEER_IDLE,    /* between two requests */
    TG_PEER_HEADERS, /* the connection or a request has begun, its headers are not complete */
    TG_PEER_BODY,    /* waiting for more of the body */
    TG_PEER_BUSY     /* the daemon's turn */
};

struct tg_janitor_limits {
    double headers_s;      /* for TG_PEER_HEADERS, and of silence within TG_PEER_BODY */
    double idle_s;         /* for TG_PEER_IDLE */
    double min_body_rate;  /* bytes per second of waiting, after headers_s */
};

struct tg_janitor;
struct tg_peer;

struct tg_janitor *tg_janitor_new(const struct tg_janitor_limits *limits);
void tg_janitor_free(struct tg_janitor *janitor); /* after all peers are removed */

/* A new connection, at TG_PEER_HEADERS. NULL without memory. `fd` stays the caller's. */
struct tg_peer *tg_peer_add(struct tg_janitor *janitor, int fd);
void tg_peer_remove(struct tg_peer *peer); /* before fd is closed; NULL is allowed */
void tg_peer_enter(struct tg_peer *peer, enum tg_peer_stage stage);
/* `n` bytes of body came; the daemon works on them until TG_PEER_BODY is entered again. */
void tg_peer_received(struct tg_peer *peer, size_t n);

#endif

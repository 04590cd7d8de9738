/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Janitor: see janitor.h. */
#include "server/janitor.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "server/clock.h"
#include "server/log.h"
#include "server/metrics.h"

struct tg_peer {
    struct tg_janitor *janitor;
    struct tg_peer *prev, *next;
    int fd;
    bool dropped;
    enum tg_peer_stage stage;
    double since;  /* when the stage was entered */
    double waited; /* seconds spent in TG_PEER_BODY, this request */
    uint64_t received;
};

struct tg_janitor {
    struct tg_janitor_limits limits;
    pthread_t thread;
    pthread_mutex_t mu; /* guards everything below and all peers */
    pthread_cond_t stop_cond;
    bool stop;
    struct tg_peer *first;
};

static bool is_late(const struct tg_peer *peer, const struct tg_janitor_limits *limits,
                    double now)
{
    double here = now - peer->since;
    double waited = peer->waited + here;
    switch (peer->stage) {
    case TG_PEER_IDLE:
        return here > limits->idle_s;
    case TG_PEER_HEADERS:
        return here > limits->headers_s;
    case TG_PEER_BODY:
        return here > limits->headers_s ||
               (waited > limits->headers_s &&
                (double)peer->received < limits->min_body_rate * waited);
    case TG_PEER_BUSY:
        break;
    }
    return false;
}

static void sweep_locked(struct tg_janitor *janitor)
{
    double now = tg_clock_monotonic();
    for (struct tg_peer *peer = janitor->first; peer; peer = peer->next) {
        if (peer->dropped || !is_late(peer, &janitor->limits, now))
            continue;
        peer->dropped = true;
        if (peer->stage != TG_PEER_IDLE) {
            TG_COUNT(http_dropped);
            tg_log(TG_LOG_DEBUG, "dropping a connection: its sender is too slow");
        }
        shutdown(peer->fd, SHUT_RDWR);
    }
}

static void *janitor_main(void *arg)
{
    struct tg_janitor *janitor = arg;
    double period = janitor->limits.headers_s / 8;
    if (period > 1)
        period = 1;
    pthread_mutex_lock(&janitor->mu);
    while (!janitor->stop) {
        struct timespec until = tg_clock_timespec(tg_clock_monotonic() + period);
        pthread_cond_timedwait(&janitor->stop_cond, &janitor->mu, &until);
        sweep_locked(janitor);
    }
    pthread_mutex_unlock(&janitor->mu);
    return NULL;
}

struct tg_janitor *tg_janitor_new(const struct tg_janitor_limits *limits)
{
    struct tg_janitor *janitor = calloc(1, sizeof(*janitor));
    if (!janitor)
        return NULL;
    janitor->limits = *limits;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&janitor->stop_cond, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&janitor->mu, NULL);
    if (pthread_create(&janitor->thread, NULL, janitor_main, janitor)) {
        pthread_mutex_destroy(&janitor->mu);
        pthread_cond_destroy(&janitor->stop_cond);
        free(janitor);
        return NULL;
    }
    pthread_setname_np(janitor->thread, "tg-janitor");
    return janitor;
}

void tg_janitor_free(struct tg_janitor *janitor)
{
    if (!janitor)
        return;
    pthread_mutex_lock(&janitor->mu);
    janitor->stop = true;
    pthread_cond_signal(&janitor->stop_cond);
    pthread_mutex_unlock(&janitor->mu);
    pthread_join(janitor->thread, NULL);
    pthread_mutex_destroy(&janitor->mu);
    pthread_cond_destroy(&janitor->stop_cond);
    free(janitor);
}

struct tg_peer *tg_peer_add(struct tg_janitor *janitor, int fd)
{
    struct tg_peer *peer = calloc(1, sizeof(*peer));
    if (!peer)
        return NULL;
    peer->janitor = janitor;
    peer->fd = fd;
    peer->stage = TG_PEER_HEADERS;
    peer->since = tg_clock_monotonic();
    pthread_mutex_lock(&janitor->mu);
    peer->next = janitor->first;
    if (peer->next)
        peer->next->prev = peer;
    janitor->first = peer;
    pthread_mutex_unlock(&janitor->mu);
    return peer;
}

void tg_peer_remove(struct tg_peer *peer)
{
    if (!peer)
        return;
    struct tg_janitor *janitor = peer->janitor;
    pthread_mutex_lock(&janitor->mu);
    if (peer->prev)
        peer->prev->next = peer->next;
    else
        janitor->first = peer->next;
    if (peer->next)
        peer->next->prev = peer->prev;
    pthread_mutex_unlock(&janitor->mu);
    free(peer);
}

void tg_peer_enter(struct tg_peer *peer, enum tg_peer_stage stage)
{
    pthread_mutex_lock(&peer->janitor->mu);
    if (stage == TG_PEER_HEADERS) {
        peer->waited = 0;
        peer->received = 0;
    }
    peer->stage = stage;
    peer->since = tg_clock_monotonic();
    pthread_mutex_unlock(&peer->janitor->mu);
}

void tg_peer_received(struct tg_peer *peer, size_t n)
{
    pthread_mutex_lock(&peer->janitor->mu);
    double now = tg_clock_monotonic();
    if (peer->stage == TG_PEER_BODY)
        peer->waited += now - peer->since;
    peer->received += n;
    peer->stage = TG_PEER_BUSY;
    peer->since = now;
    pthread_mutex_unlock(&peer->janitor->mu);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hub: one counter, one condition on the monotonic clock. */
#include "server/events.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct tg_hub {
    pthread_mutex_t mu;
    pthread_cond_t changed;
    uint64_t version; /* guarded by mu */
    bool closed;      /* guarded by mu */
};

struct tg_hub *tg_hub_new(void)
{
    struct tg_hub *hub = calloc(1, sizeof *hub);
    if (!hub)
        return NULL;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&hub->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&hub->mu, NULL);
    return hub;
}

void tg_hub_free(struct tg_hub *hub)
{
    if (!hub)
        return;
    pthread_cond_destroy(&hub->changed);
    pthread_mutex_destroy(&hub->mu);
    free(hub);
}

uint64_t tg_hub_version(struct tg_hub *hub)
{
    pthread_mutex_lock(&hub->mu);
    uint64_t version = hub->version;
    pthread_mutex_unlock(&hub->mu);
    return version;
}

void tg_hub_bump(struct tg_hub *hub)
{
    pthread_mutex_lock(&hub->mu);
    hub->version++;
    pthread_cond_broadcast(&hub->changed);
    pthread_mutex_unlock(&hub->mu);
}

/* A timeout beyond a year (infinity too) is a year. */
static struct timespec deadline_after(double timeout_s)
{
    const double year_s = 366.0 * 86400;
    double wait = timeout_s > 0 ? timeout_s < year_s ? timeout_s : year_s : 0;
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    time_t whole = (time_t)wait;
    at.tv_sec += whole;
    at.tv_nsec += (long)((wait - (double)whole) * 1e9);
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

bool tg_hub_wait(struct tg_hub *hub, uint64_t seen, double timeout_s)
{
    struct timespec at = deadline_after(timeout_s);
    pthread_mutex_lock(&hub->mu);
    while (!hub->closed && hub->version == seen) {
        if (pthread_cond_timedwait(&hub->changed, &hub->mu, &at) == ETIMEDOUT)
            break;
    }
    bool open = !hub->closed;
    pthread_mutex_unlock(&hub->mu);
    return open;
}

void tg_hub_close(struct tg_hub *hub)
{
    pthread_mutex_lock(&hub->mu);
    hub->closed = true;
    pthread_cond_broadcast(&hub->changed);
    pthread_mutex_unlock(&hub->mu);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Lending: workers with nothing to do take tiles of a job inside tg_ctx_parallel().
 *
 * DESIGN. The owner of a job puts a region up, works on it itself, and takes it down when
 * the tiles are gone and the last helper has left; so a region may live on the owner's
 * stack. Tiles are handed out by one atomic index. A worker's lane is its own number, the
 * same in every region. Helpers leave after their tile when a job may be waiting.
 */
#ifndef TG_SERVER_LEND_H
#define TG_SERVER_LEND_H

#include <pthread.h>
#include <stdbool.h>

#include "core/ctx.h"

struct tg_region;

struct tg_lend {
    pthread_mutex_t *mu;       /* the pool's; guards the list */
    pthread_cond_t *wake;      /* the pool's: idle workers wait here */
    pthread_cond_t left;       /* a helper left */
    struct tg_region *regions; /* guarded by mu */
    unsigned helping;          /* guarded by mu */
    atomic_bool wanted;        /* a waiting job might start: helpers, come back */
};

void tg_lend_init(struct tg_lend *lend, pthread_mutex_t *mu, pthread_cond_t *wake);
void tg_lend_destroy(struct tg_lend *lend);

/* tg_ctx_parallel for the job of the worker `lane`; without the lock. */
TG_MUST_CHECK enum tg_err tg_lend_run(struct tg_lend *lend, const atomic_int *stop,
                                      unsigned lane, int64_t n, tg_tile_fn fn, void *arg);

/* Help with a region, if there is one with tiles left; gives the lock up meanwhile. */
bool tg_lend_help_locked(struct tg_lend *lend, unsigned lane);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the pool and its workers share. */
#ifndef TG_SERVER_POOL_PRIVATE_H
#define TG_SERVER_POOL_PRIVATE_H

#include <pthread.h>

#include "server/lend.h"
#include "server/pool.h"
#include "server/progress.h"

struct tg_worker {
    struct tg_pool *pool;
    pthread_t thread;
    unsigned lane;
    struct tg_sched_item item; /* guarded by mu, written by the worker itself only */
    bool busy;                 /* guarded by mu: `item` is being run */
    double limit;              /* guarded by mu: monotonic time at which to stop it; 0: none */
    atomic_int stop;           /* enum tg_stop */
    struct tg_meter meter;
    struct tg_reading reading; /* of the job that runs; the worker's own */
};

struct tg_pool {
    struct tg_pool_options options;
    pthread_mutex_t mu;
    pthread_cond_t wake;  /* workers: there may be something to do */
    pthread_cond_t watch; /* watchdog: a limit was added; monotonic */
    pthread_cond_t quit;  /* a worker that naps: closed or stopping changed; monotonic */
    pthread_cond_t ended; /* tg_pool_stop: a worker is done with its job; monotonic */
    struct tg_sched *sched;
    struct tg_lend lend;
    bool closed;   /* no more jobs are taken */
    bool stopping; /* threads end */
    unsigned busy;
    uint64_t finished[TG_STATE_COUNT];
    double run_seconds;
    struct tg_worker *workers;
    unsigned nstarted;
    pthread_t watchdog;
    bool has_watchdog;
};

void *tg_worker_main(void *worker);
/* What the job that the worker runs may ask of it; without an arena. */
struct tg_ctx tg_worker_ctx(struct tg_worker *worker);
/* Counts a job that has ended. */
void tg_pool_count_locked(struct tg_pool *pool, enum tg_state state);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A runner that lends four threads to tg_ctx_parallel(). */
#ifndef TG_TESTS_LANES_H
#define TG_TESTS_LANES_H

#include <pthread.h>

#include "core/ctx.h"

enum { LANE_COUNT = 4 };

struct lane_work {
    tg_tile_fn fn;
    void *arg;
    int64_t n;
    atomic_llong next;
    atomic_uint lane;
    atomic_int err;
};

static inline void *lane_main(void *arg)
{
    struct lane_work *work = arg;
    unsigned lane = atomic_fetch_add(&work->lane, 1);
    for (int64_t i; (i = atomic_fetch_add(&work->next, 1)) < work->n;) {
        enum tg_err err = work->fn(work->arg, i, lane);
        if (err)
            atomic_store(&work->err, (int)err);
    }
    return NULL;
}

static inline enum tg_err lanes_parallel(void *runner, int64_t n, tg_tile_fn fn, void *arg)
{
    (void)runner;
    struct lane_work work = {.fn = fn, .arg = arg, .n = n};
    pthread_t thread[LANE_COUNT];
    for (int i = 0; i < LANE_COUNT; i++)
        if (pthread_create(&thread[i], NULL, lane_main, &work))
            TG_BUG("no thread");
    for (int i = 0; i < LANE_COUNT; i++)
        pthread_join(thread[i], NULL);
    return (enum tg_err)atomic_load(&work.err);
}

#endif

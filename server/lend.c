/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lending: regions of tiles, worked on by their owner and by whoever is idle. */
#include "server/lend.h"

struct tg_region {
    struct tg_region *next;
    struct tg_ctx ctx; /* for its stop word */
    int64_t n;
    tg_tile_fn fn;
    void *arg;
    atomic_int_fast64_t taken;
    atomic_int error;
    unsigned helpers; /* guarded by mu */
};

void tg_lend_init(struct tg_lend *lend, pthread_mutex_t *mu, pthread_cond_t *wake)
{
    *lend = (struct tg_lend){.mu = mu, .wake = wake};
    atomic_init(&lend->wanted, false);
    pthread_cond_init(&lend->left, NULL);
}

void tg_lend_destroy(struct tg_lend *lend)
{
    pthread_cond_destroy(&lend->left);
}

static bool has_tiles(struct tg_region *region)
{
    return atomic_load_explicit(&region->taken, memory_order_relaxed) < region->n &&
           !atomic_load_explicit(&region->error, memory_order_relaxed);
}

/* One tile; false when there is none left to do. */
static bool do_tile(struct tg_region *region, unsigned lane)
{
    if (!has_tiles(region))
        return false;
    enum tg_err err = tg_ctx_poll(&region->ctx);
    if (!err) {
        int64_t i = atomic_fetch_add_explicit(&region->taken, 1, memory_order_relaxed);
        if (i >= region->n)
            return false;
        err = region->fn(region->arg, i, lane);
    }
    int none = TG_OK;
    if (err)
        atomic_compare_exchange_strong(&region->error, &none, (int)err);
    return !err;
}

static void unlink_locked(struct tg_lend *lend, const struct tg_region *region)
{
    struct tg_region **at = &lend->regions;
    while (*at != region)
        at = &(*at)->next;
    *at = region->next;
}

enum tg_err tg_lend_run(struct tg_lend *lend, const atomic_int *stop, unsigned lane,
                        int64_t n, tg_tile_fn fn, void *arg)
{
    struct tg_region region = {.ctx.stop = stop, .n = n, .fn = fn, .arg = arg};
    atomic_init(&region.taken, 0);
    atomic_init(&region.error, TG_OK);

    pthread_mutex_lock(lend->mu);
    region.next = lend->regions;
    lend->regions = &region;
    pthread_cond_broadcast(lend->wake);
    pthread_mutex_unlock(lend->mu);

    while (do_tile(&region, lane))
        continue;

    pthread_mutex_lock(lend->mu);
    unlink_locked(lend, &region);
    while (region.helpers)
        pthread_cond_wait(&lend->left, lend->mu);
    pthread_mutex_unlock(lend->mu);
    return (enum tg_err)atomic_load(&region.error);
}

/* The region with tiles left and the fewest helpers. */
static struct tg_region *choose_locked(const struct tg_lend *lend)
{
    struct tg_region *best = NULL;
    for (struct tg_region *region = lend->regions; region; region = region->next)
        if (has_tiles(region) && (!best || region->helpers < best->helpers))
            best = region;
    return best;
}

bool tg_lend_help_locked(struct tg_lend *lend, unsigned lane)
{
    struct tg_region *region = choose_locked(lend);
    if (!region)
        return false;
    region->helpers++;
    lend->helping++;
    pthread_mutex_unlock(lend->mu);
    while (!atomic_load_explicit(&lend->wanted, memory_order_relaxed) &&
           do_tile(region, lane))
        continue;
    pthread_mutex_lock(lend->mu);
    lend->helping--;
    if (!--region->helpers)
        pthread_cond_broadcast(&lend->left);
    return true;
}

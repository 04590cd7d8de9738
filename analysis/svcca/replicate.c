/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs shared out whole, or one after another. */
#include "svcca/replicate.h"

/* A run of more FLOPs would keep a lent core longer than a tile may. */
static const double short_flops = 1e9;

struct runs {
    struct tg_ctx alone;
    int64_t first;
    tg_replicate_fn fn;
    void *arg;
};

unsigned tg_replicate_lanes(double flops, unsigned lanes)
{
    return flops <= short_flops ? lanes : 1;
}

static enum tg_err run_one(void *arg, int64_t i, unsigned lane)
{
    const struct runs *runs = arg;
    return runs->fn(runs->arg, &runs->alone, runs->first + i, lane);
}

enum tg_err tg_replicate(const struct tg_ctx *ctx, unsigned lanes, int64_t first, int64_t n,
                         tg_replicate_fn fn, void *arg)
{
    if (lanes > 1) {
        /* tiles are not nested, so what a run calls has no runner */
        struct runs runs = {{.stop = ctx->stop, .lanes = 1}, first, fn, arg};
        return tg_ctx_parallel(ctx, n, run_one, &runs);
    }
    for (int64_t i = first; i < first + n; i++) {
        TG_TRY(tg_ctx_poll(ctx));
        TG_TRY(fn(arg, ctx, i, 0));
    }
    return TG_OK;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Context: stop word, progress, the loan of cores, and what is kept and shown. */
#include "core/ctx.h"

enum tg_err tg_ctx_poll(const struct tg_ctx *ctx)
{
    if (!ctx->stop)
        return TG_OK;
    switch ((enum tg_stop)atomic_load_explicit(ctx->stop, memory_order_relaxed)) {
    case TG_GO:
        return TG_OK;
    case TG_STOP_CANCEL:
        return TG_CANCELLED;
    case TG_STOP_DEADLINE:
        return TG_DEADLINE;
    case TG_STOP_SHUTDOWN:
        return TG_DRAINING;
    }
    TG_BUG("unknown stop word");
}

struct polled_tile {
    const struct tg_ctx *ctx;
    tg_tile_fn fn;
    void *arg;
};

static enum tg_err poll_and_run(void *arg, int64_t i, unsigned lane)
{
    const struct polled_tile *tile = arg;
    TG_TRY(tg_ctx_poll(tile->ctx));
    return tile->fn(tile->arg, i, lane);
}

enum tg_err tg_ctx_parallel(const struct tg_ctx *ctx, int64_t n, tg_tile_fn fn, void *arg)
{
    struct polled_tile tile = {ctx, fn, arg};
    if (ctx->parallel && ctx->lanes > 1 && n > 1)
        return ctx->parallel(ctx->runner, n, poll_and_run, &tile);
    for (int64_t i = 0; i < n; i++)
        TG_TRY(poll_and_run(&tile, i, 0));
    return TG_OK;
}

void tg_ctx_progress(const struct tg_ctx *ctx, const char *phase, double done, double total,
                     const char *unit)
{
    if (ctx->progress)
        ctx->progress(ctx->runner, phase, done, total, unit);
}

bool tg_ctx_recall(const struct tg_ctx *ctx, const char *key, void *data, size_t n)
{
    return ctx->recall && ctx->recall(ctx->runner, key, data, n);
}

void tg_ctx_keep(const struct tg_ctx *ctx, const char *key, const void *data, size_t n)
{
    if (ctx->keep)
        ctx->keep(ctx->runner, key, data, n);
}

void tg_ctx_partial(const struct tg_ctx *ctx, const char *name, int64_t rows, int64_t cols,
                    const double *values)
{
    if (ctx->partial)
        ctx->partial(ctx->runner, name, rows, cols, values);
}

void tg_ctx_was_read(const struct tg_ctx *ctx, double bytes)
{
    if (ctx->was_read)
        ctx->was_read(ctx->runner, bytes);
}

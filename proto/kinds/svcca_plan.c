/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a job of the kind svcca will do, and what of it costs how much, in sentences. */
#include <stdarg.h>
#include <stdio.h>

#include "proto/kinds/svcca_kind.h"

struct text {
    char *p;
    size_t size, n;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
    va_list args;
    if (text->n >= text->size)
        return;
    va_start(args, format);
    int n = vsnprintf(text->p + text->n, text->size - text->n, format, args);
    va_end(args);
    text->n = n < 0 ? text->size : text->n + (size_t)n;
}

static const char *way_of_layers(enum tg_svcca_route route)
{
    switch (route) {
    case TG_SVCCA_NO_BASES:
        return "centred once";
    case TG_SVCCA_PRODUCTS:
        return "centred and squared once";
    case TG_SVCCA_LEADING:
    case TG_SVCCA_ALL:
        return "decomposed once";
    }
    TG_BUG("unknown route");
}

static const char *way_of_pairs(enum tg_svcca_route route)
{
    switch (route) {
    case TG_SVCCA_NO_BASES:
        return "by their tables";
    case TG_SVCCA_PRODUCTS:
        return "by one product of units with units";
    case TG_SVCCA_LEADING:
        return "in their leading directions";
    case TG_SVCCA_ALL:
        return "in all their directions";
    }
    TG_BUG("unknown route");
}

/* What the predicted cost takes for granted, and what may make it less. */
static void add_conditions(const struct tg_svcca_options *options,
                           const struct tg_svcca_cost *cost, enum tg_svcca_route route,
                           struct text *text)
{
    if (cost->tables)
        add(text, "%s",
            cost->tables_held
                ? " Tables of samples by samples are made once a layer and held."
                : " Tables of samples by samples are made anew for each pair, as all of them "
                  "together would take more than `table_memory`.");
    if (route == TG_SVCCA_LEADING)
        add(text, "%s",
            options->max_directions
                ? " Each layer is taken to keep `max_directions` directions."
                : " Each layer is taken to keep a quarter of its units as directions; "
                  "`max_directions` limits them.");
    if (route == TG_SVCCA_LEADING || route == TG_SVCCA_ALL)
        add(text, " A decomposition that an earlier job kept is not made again.");
}

void svcca_plan(const struct svcca_work *work, const struct tg_svcca_cost *cost, char *plan,
                size_t size)
{
    struct text text = {plan, size, 0};
    bool dft = svcca_is_dft(work->params);
    enum tg_svcca_route route = tg_svcca_route(&work->options);
    add(&text,
        "%s: each of %zu layers is %s, %.3g GFLOP together; then %lld pairs are compared %s, "
        "%.3g GFLOP.",
        dft                          ? "Frequency route"
        : route == TG_SVCCA_NO_BASES ? "Sample route"
                                     : "Feature route",
        work->nlayers, dft ? "decomposed once, frequency by frequency" : way_of_layers(route),
        cost->layer_flops / 1e9, (long long)cost->pairs,
        dft ? "at the frequencies that both have" : way_of_pairs(route),
        (cost->flops - cost->layer_flops) / 1e9);
    if (!dft)
        add_conditions(&work->options, cost, route, &text);
}

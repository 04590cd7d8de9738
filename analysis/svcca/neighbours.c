/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The k nearest of each sample, in one pass over the distances. */
#include "svcca/neighbours.h"

#include <math.h>
#include <stdlib.h>

enum { ROWS = 256 /* between polls */ };

struct search {
    const struct tg_distance *distance;
    struct tg_neighbours *neighbours;
    double *apart; /* n x k: distances, ascending, of what is found so far */
};

static void make_block(void *arg, int64_t index, double *part)
{
    const struct search *search = arg;
    tg_distance_make(search->distance, index, part);
}

/* Sample `other` at distance x from `row`: among its nearest so far, or not. */
static void offer(const struct search *search, int64_t row, int64_t other, double x)
{
    int64_t k = search->neighbours->k, at = k - 1;
    double *apart = search->apart + row * k;
    int64_t *of = search->neighbours->of + row * k;
    if (x > apart[at] || (x == apart[at] && other > of[at]))
        return;
    for (; at > 0 && (x < apart[at - 1] || (x == apart[at - 1] && other < of[at - 1])); at--) {
        apart[at] = apart[at - 1];
        of[at] = of[at - 1];
    }
    apart[at] = x;
    of[at] = other;
}

static void add_block(void *arg, int64_t index, const double *part)
{
    const struct search *search = arg;
    struct tg_block at = tg_block_at(search->neighbours->n, index);
    for (int64_t i = 0; i < at.rows; i++)
        for (int64_t j = 0; j < at.cols; j++) {
            int64_t row = at.row + i, col = at.col + j;
            double x = part[i * TG_BLOCK_EDGE + j];
            if (row == col)
                continue;
            offer(search, row, col, x);
            if (at.row != at.col)
                offer(search, col, row, x);
        }
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Whether `other` is a neighbour of sample `row`. */
static bool is_neighbour(const struct tg_neighbours *neighbours, int64_t row, int64_t other)
{
    const int64_t *of = neighbours->of + row * neighbours->k;
    int64_t low = 0, high = neighbours->k;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (of[middle] < other)
            low = middle + 1;
        else
            high = middle;
    }
    return low < neighbours->k && of[low] == other;
}

static struct tg_table_sums sums_of(const struct tg_neighbours *neighbours)
{
    int64_t n = neighbours->n, k = neighbours->k;
    struct tg_table_sums sums = {.total = (double)n * (double)k,
                                 .same = (double)n * (double)k,
                                 .tail = (double)n * (double)k * (double)(k - 1)};
    for (int64_t i = 0; i < n; i++) {
        double popular = (double)neighbours->popular[i];
        sums.head += popular * (popular - 1);
        sums.through += popular * (double)k;
        for (int64_t j = 0; j < k; j++)
            sums.reversed += is_neighbour(neighbours, neighbours->of[i * k + j], i);
    }
    sums.through -= sums.reversed;
    return sums;
}

enum tg_err tg_neighbours_make(const struct tg_ctx *ctx, const struct tg_distance *distance,
                               double *apart, double *buffer, struct tg_neighbours *neighbours)
{
    int64_t n = neighbours->n, k = neighbours->k;
    struct search search = {distance, neighbours, apart};
    for (int64_t i = 0; i < n * k; i++) {
        apart[i] = INFINITY;
        neighbours->of[i] = n;
    }
    for (int64_t i = 0; i < n; i++)
        neighbours->popular[i] = 0;
    if (neighbours->without)
        return TG_OK;
    TG_TRY(tg_blocks_each(
        ctx, n, &(struct tg_block_pass){&search, TG_BLOCK_SIZE, make_block, add_block}, buffer));
    for (int64_t i = 0; i < n; i++) {
        int64_t *of = neighbours->of + i * k;
        if (i % ROWS == 0)
            TG_TRY(tg_ctx_poll(ctx));
        qsort(of, (size_t)k, sizeof(*of), ascending);
        for (int64_t j = 0; j < k; j++)
            neighbours->popular[of[j]]++;
    }
    neighbours->sums = sums_of(neighbours);
    return TG_OK;
}

enum tg_err tg_neighbours_compare(const struct tg_ctx *ctx, const struct tg_neighbours *a,
                                  const struct tg_neighbours *b, const int64_t *map,
                                  double *overlap)
{
    int64_t n = a->n, k = a->k, shared = 0;
    for (int64_t i = 0; i < n; i++) {
        if (i % ROWS == 0)
            TG_TRY(tg_ctx_poll(ctx));
        for (int64_t j = 0; j < k; j++) {
            int64_t other = a->of[i * k + j];
            shared += is_neighbour(b, map ? map[i] : i, map ? map[other] : other);
        }
    }
    *overlap = (double)shared / ((double)n * (double)k);
    return TG_OK;
}

struct tg_chance tg_neighbours_chance(const struct tg_neighbours *a,
                                      const struct tg_neighbours *b)
{
    struct tg_chance chance = tg_table_chance(a->n, &a->sums, &b->sums);
    double count = (double)a->n * (double)a->k;
    return (struct tg_chance){chance.mean / count, chance.sd / count, NAN};
}

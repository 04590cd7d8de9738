/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pairs sorted by their bits, and inversions counted. */
#include "svcca/rank.h"

#include <math.h>
#include <string.h>

enum {
    BITS = 11,
    DIGITS = 1 << BITS,
    PASSES = 6,      /* 66 bits */
    STRETCH = 1 << 17 /* numbers between polls */
};

int64_t tg_rank_pairs(int64_t n)
{
    return n <= INT32_MAX ? n * (n - 1) / 2 : -1;
}

void tg_rank_collect(struct tg_rank_work *work, int64_t n, int64_t index, const double *block)
{
    struct tg_block at = tg_block_at(n, index);
    for (int64_t i = 0; i < at.rows; i++) {
        int64_t row = at.row + i, cols = at.row == at.col ? i : at.cols;
        memcpy(work->key + work->count, block + i * TG_BLOCK_EDGE,
               (size_t)cols * sizeof(*work->key));
        for (int64_t j = 0; j < cols; j++)
            work->pair[work->count + j] = (uint64_t)row << 32 | (uint64_t)(at.col + j);
        work->count += cols;
    }
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Where each digit begins; whether there is more than one. */
static enum tg_err count_digits(const struct tg_ctx *ctx, const uint64_t *key, int64_t n,
                                int shift, int64_t place[DIGITS], bool *differ)
{
    int64_t before = 0;
    memset(place, 0, DIGITS * sizeof(*place));
    for (int64_t first = 0; first < n; first += STRETCH) {
        TG_TRY(tg_ctx_poll(ctx));
        for (int64_t i = first; i < least(first + STRETCH, n); i++)
            place[key[i] >> shift & (DIGITS - 1)]++;
    }
    *differ = place[key[0] >> shift & (DIGITS - 1)] < n;
    for (int i = 0; i < DIGITS; i++) {
        int64_t count = place[i];
        place[i] = before;
        before += count;
    }
    return TG_OK;
}

/* By one digit, stable, from one half of the work to the other. */
static enum tg_err sort_digit(const struct tg_ctx *ctx, const struct tg_rank_work *work, int shift,
                              int64_t *from, int64_t *to)
{
    int64_t place[DIGITS], n = work->count;
    bool differ;
    TG_TRY(count_digits(ctx, work->key + *from, n, shift, place, &differ));
    for (int64_t first = 0; differ && first < n; first += STRETCH) {
        TG_TRY(tg_ctx_poll(ctx));
        for (int64_t i = first; i < least(first + STRETCH, n); i++) {
            uint64_t key = work->key[*from + i];
            int64_t at = *to + place[key >> shift & (DIGITS - 1)]++;
            work->key[at] = key;
            work->pair[at] = work->pair[*from + i];
        }
    }
    if (differ) {
        int64_t swap = *from;
        *from = *to;
        *to = swap;
    }
    return TG_OK;
}

static void put_rank(double *block, uint64_t pair, double rank)
{
    int64_t i = tg_pair_row(pair), j = tg_pair_col(pair);
    int64_t r = i / TG_BLOCK_EDGE, c = j / TG_BLOCK_EDGE;
    double *at = block + (r * (r + 1) / 2 + c) * TG_BLOCK_SIZE;
    int64_t row = i % TG_BLOCK_EDGE, col = j % TG_BLOCK_EDGE;
    at[row * TG_BLOCK_EDGE + col] = rank;
    if (r == c) {
        at[col * TG_BLOCK_EDGE + row] = rank;
        at[row * TG_BLOCK_EDGE + row] = at[col * TG_BLOCK_EDGE + col] = 0;
    }
}

enum tg_err tg_rank_make(const struct tg_ctx *ctx, struct tg_rank_work *work, double *block,
                         uint64_t *order, double *ties)
{
    int64_t n = work->count, from = 0, to = n, last;
    *ties = 0;
    for (int pass = 0; pass < PASSES; pass++)
        TG_TRY(sort_digit(ctx, work, pass * BITS, &from, &to));
    const uint64_t *key = work->key + from, *pair = work->pair + from;
    for (int64_t first = 0; first < n; first = last) {
        for (last = first + 1; last < n && key[last] == key[first]; last++)
            ;
        double count = (double)(last - first);
        double rank = (double)first + (count - (double)n) / 2;
        *ties += count * (count - 1) / 2;
        for (int64_t i = first; i < last; i++) {
            if (i % STRETCH == 0)
                TG_TRY(tg_ctx_poll(ctx));
            put_rank(block, pair[i], rank);
            if (order)
                order[i] = pair[i] | (i > first ? TG_PAIR_TIED : 0);
        }
    }
    return TG_OK;
}

/*
 * Two sorted runs into one; the numbers of the first that are larger than one of the second.
 * Which run is next cannot be foreseen, so nothing branches on it.
 */
static enum tg_err merge(const struct tg_ctx *ctx, const double *x, int64_t nx, const double *y,
                         int64_t ny, double *out, int64_t *inversions)
{
    int64_t i = 0, j = 0, larger = 0;
    while (i < nx && j < ny) {
        int64_t stop = least(i + j + STRETCH, nx + ny);
        if (i + j > 0)
            TG_TRY(tg_ctx_poll(ctx));
        while (i < nx && j < ny && i + j < stop) {
            int64_t second = y[j] < x[i];
            const double *next = second ? &y[j] : &x[i];
            out[i + j] = *next;
            larger += (nx - i) & -second;
            j += second;
            i += 1 - second;
        }
    }
    memcpy(out + i + j, i < nx ? x + i : y + j, (size_t)(nx + ny - i - j) * sizeof(*out));
    *inversions += larger;
    return TG_OK;
}

/* Sort x, with as much room in `other`; how many pairs stood the wrong way round. */
static enum tg_err sort_counting(const struct tg_ctx *ctx, double *x, double *other, int64_t n,
                                 int64_t *inversions)
{
    double *from = x, *to = other;
    *inversions = 0;
    for (int64_t width = 1; width < n; width *= 2) {
        for (int64_t first = 0; first < n; first += 2 * width) {
            int64_t middle = least(first + width, n), end = least(first + 2 * width, n);
            if (first % STRETCH == 0)
                TG_TRY(tg_ctx_poll(ctx));
            TG_TRY(merge(ctx, from + first, middle - first, from + middle, end - middle,
                         to + first, inversions));
        }
        double *swap = from;
        from = to;
        to = swap;
    }
    if (from != x)
        memcpy(x, from, (size_t)n * sizeof(*x));
    return TG_OK;
}

/* The ranks of b as a ranks the pairs. */
static enum tg_err align(const struct tg_ctx *ctx, const struct tg_ranking *a,
                         const struct tg_ranking *b, const int64_t *map, int64_t count,
                         double *rank)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t row = tg_pair_row(a->order[i]), col = tg_pair_col(a->order[i]);
        if (i % STRETCH == 0)
            TG_TRY(tg_ctx_poll(ctx));
        rank[i] = map ? tg_table_at(b->block, map[row], map[col])
                      : tg_table_at(b->block, row, col);
    }
    return TG_OK;
}

/* Ranks of b sorted where a has ties; how many pairs are tied in both. */
static enum tg_err sort_ties(const struct tg_ctx *ctx, const struct tg_ranking *a, int64_t count,
                             double *rank, double *both)
{
    int64_t last, ignored;
    *both = 0;
    for (int64_t first = 0; first < count; first = last) {
        double run = 1;
        for (last = first + 1; last < count && a->order[last] & TG_PAIR_TIED; last++)
            ;
        if (last - first > 1)
            TG_TRY(sort_counting(ctx, rank + first, rank + count, last - first, &ignored));
        for (int64_t i = first + 1; i < last; i++) {
            run = rank[i] == rank[i - 1] ? run + 1 : 1;
            *both += run - 1;
        }
    }
    return TG_OK;
}

enum tg_err tg_rank_kendall(const struct tg_ctx *ctx, const struct tg_ranking *a,
                            const struct tg_ranking *b, const int64_t *map, double *work,
                            struct tg_kendall *tau)
{
    int64_t count = tg_rank_pairs(a->n), discordant;
    double pairs = (double)count * (double)(count - 1) / 2, both;
    TG_TRY(align(ctx, a, b, map, count, work));
    TG_TRY(sort_ties(ctx, a, count, work, &both));
    TG_TRY(sort_counting(ctx, work, work + count, count, &discordant));
    double balance = pairs - a->ties - b->ties + both - 2 * (double)discordant;
    tau->a = balance / pairs;
    tau->b = balance / (sqrt(pairs - a->ties) * sqrt(pairs - b->ties));
    return TG_OK;
}

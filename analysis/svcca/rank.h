/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Ranks of the pairs of samples by their dissimilarity, and Kendall's tau of two rankings.
 *
 * DESIGN. n samples make N = n (n - 1) / 2 pairs. They are sorted by the bits of their
 * dissimilarity, eleven at a time, six passes of which those without a difference are left
 * out. Equal ones share the mean of their places. For tau pairs are gone through as one layer
 * ranks them, and the inversions of the other's ranks counted while these are merged (Knight,
 * J. Am. Stat. Assoc. 61, 1966): N log N. All loops poll.
 */
#ifndef TG_SVCCA_RANK_H
#define TG_SVCCA_RANK_H

#include "svcca/distance.h"

/* A pair i > j, packed; whether it ties with the one before it in its ranking. */
#define TG_PAIR_TIED (UINT64_C(1) << 63)

static inline int64_t tg_pair_row(uint64_t pair)
{
    return (int64_t)(pair >> 32 & 0x7fffffff);
}

static inline int64_t tg_pair_col(uint64_t pair)
{
    return (int64_t)(pair & 0xffffffff);
}

int64_t tg_rank_pairs(int64_t n); /* N; -1 when it is too large for any memory */

/* What is sorted: 2 N numbers each. */
struct tg_rank_work {
    uint64_t *key;  /* the bits of dissimilarities >= 0 */
    uint64_t *pair; /* whose */
    int64_t count;  /* so far */
};

/* The pairs of a block, which has dissimilarities >= 0, to those that are to be ranked. */
void tg_rank_collect(struct tg_rank_work *work, int64_t n, int64_t index, const double *block);

/*
 * Ranks, counted from the middle: 1 .. N less (N + 1) / 2, halves among ties, into all blocks of a
 * table of n samples; 0 on its diagonal. `order`, unless NULL, gets the N pairs, ascending.
 * *ties is sum t (t - 1) / 2 over groups of t equal ones.
 */
TG_MUST_CHECK enum tg_err tg_rank_make(const struct tg_ctx *ctx, struct tg_rank_work *work,
                                       double *block, uint64_t *order, double *ties);

/* A ranking; of the second of two, no order is needed. */
struct tg_ranking {
    int64_t n;
    const double *block;
    const uint64_t *order;
    double ties;
};

struct tg_kendall { double a, b; }; /* tau-a and tau-b, NaN where all pairs tie in one */

/* With `map`, sample i of b is its map[i]. `work`: 2 N numbers. */
TG_MUST_CHECK enum tg_err tg_rank_kendall(const struct tg_ctx *ctx, const struct tg_ranking *a,
                                          const struct tg_ranking *b, const int64_t *map,
                                          double *work, struct tg_kendall *tau);

#endif

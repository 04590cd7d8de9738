/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Mutual nearest neighbours: mean_i |N_a(i) n N_b(i)| / k, N(i) the k samples nearest to sample i
 * other than itself (Huh, Cheung, Wang, Isola, ICML 2024, arXiv:2405.07987, appendix). Of
 * samples equally far the first ones are taken. n^2 d a layer, n k a pair.
 */
#ifndef TG_SVCCA_NEIGHBOURS_H
#define TG_SVCCA_NEIGHBOURS_H

#include "svcca/distance.h"
#include "svcca/null.h"

struct tg_neighbours {
    int64_t n, k;           /* 1 <= k < n */
    int64_t *of;            /* n x k: those of each sample, ascending */
    int64_t *popular;       /* n: how often each is one */
    struct tg_table_sums sums; /* of the table that is 1 where j is a neighbour of i */
    int64_t without, first; /* rows that have no distance, and the first: not defined then */
};

/* From packed rows; `apart` has n k numbers, `buffer` TG_BLOCK_BUFFER. */
TG_MUST_CHECK enum tg_err tg_neighbours_make(const struct tg_ctx *ctx,
                                             const struct tg_distance *distance, double *apart,
                                             double *buffer, struct tg_neighbours *neighbours);

/* Of two layers of the same n and k; with `map`, sample i of b is its map[i]. */
TG_MUST_CHECK enum tg_err tg_neighbours_compare(const struct tg_ctx *ctx,
                                                const struct tg_neighbours *a,
                                                const struct tg_neighbours *b,
                                                const int64_t *map, double *overlap);

/* What unrelated layers show: k / (n - 1), and its sd under permutation, both exact. */
struct tg_chance tg_neighbours_chance(const struct tg_neighbours *a,
                                      const struct tg_neighbours *b);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Distances between the samples of a layer, and other n x n tables, by blocks.
 *
 * DESIGN. Tables of samples by samples are symmetric, so only blocks on and below the diagonal
 * are made, 64 x 64 entries each. A layer's rows are packed once; a block then follows from
 * its rows alone, by sums of squared differences (linalg.h): close samples lose no digits,
 * equal ones are 0 apart, and the bits of an entry do not depend on where it stands. Whoever
 * needs a table holds all of its blocks, or makes each anew when it is needed, with the same
 * bits. What is added up over blocks goes through tg_blocks_each(): blocks side by side on
 * all lanes, their parts in order on one.
 */
#ifndef TG_SVCCA_DISTANCE_H
#define TG_SVCCA_DISTANCE_H

#include "core/ctx.h"
#include "core/mat.h"

enum {
    TG_BLOCK_EDGE = 64,
    TG_BLOCK_SIZE = TG_BLOCK_EDGE * TG_BLOCK_EDGE /* entries, row-major */
};

/* Where a block stands, and how much of it: the last ones are cut by n. */
struct tg_block { int64_t row, col, rows, cols; };

/* Blocks of n samples, counted row by row of blocks. */
int64_t tg_blocks(int64_t n);
struct tg_block tg_block_at(int64_t n, int64_t index);

/* One pass over the blocks of a table. */
struct tg_block_pass {
    void *arg;
    int64_t size; /* numbers that `make` leaves for `add`, 1 .. TG_BLOCK_SIZE */
    void (*make)(void *arg, int64_t index, double *part); /* on any lane */
    void (*add)(void *arg, int64_t index, const double *part); /* in order, on one;
                                                                  may be NULL */
};

/* Doubles of the buffer of a pass; TG_BLOCK_SIZE are enough for one of size 1. */
enum { TG_BLOCK_BUFFER = 64 * TG_BLOCK_SIZE };

TG_MUST_CHECK enum tg_err tg_blocks_each(const struct tg_ctx *ctx, int64_t n,
                                         const struct tg_block_pass *pass, double *buffer);

/*
 * A symmetric table: all of its blocks, or how one is made in `scratch` (TG_BLOCK_SIZE
 * numbers) on any lane.
 */
struct tg_table {
    int64_t n;
    const double *block; /* NULL: made when needed */
    const void *arg;
    void (*make)(const void *arg, int64_t index, double *scratch);
    const double *whole; /* n x n, for what is looked up in another order */
};

/* The n x n numbers of a table that has its blocks. `buffer`: TG_BLOCK_SIZE doubles. */
TG_MUST_CHECK enum tg_err tg_table_unfold(const struct tg_ctx *ctx, int64_t n,
                                          const double *block, double *buffer, double *whole);

/* Entry (i, j) of a table whose blocks are all there. */
static inline double tg_table_at(const double *block, int64_t i, int64_t j)
{
    int64_t row = i > j ? i : j, col = i > j ? j : i;
    int64_t r = row / TG_BLOCK_EDGE, c = col / TG_BLOCK_EDGE;
    return block[(r * (r + 1) / 2 + c) * TG_BLOCK_SIZE + row % TG_BLOCK_EDGE * TG_BLOCK_EDGE +
                 col % TG_BLOCK_EDGE];
}

/*
 * sum_ij a_ij b_ij over both halves and the diagonal. With `map` (n numbers, an order), row and
 * column i of b are those of map[i]; a then has its blocks, and b is whole. `buffer`:
 * TG_BLOCK_SIZE doubles.
 */
TG_MUST_CHECK enum tg_err tg_table_product(const struct tg_ctx *ctx, const struct tg_table *a,
                                           const struct tg_table *b, const int64_t *map,
                                           double *buffer, double *product);

enum tg_metric {
    TG_METRIC_EUCLIDEAN,   /* |x - y|^2 */
    TG_METRIC_COSINE,      /* 1 - x.y / (|x| |y|) */
    TG_METRIC_CORRELATION  /* the same of rows less their own mean */
};

/* Rows ready to be measured. */
struct tg_distance {
    int64_t n, d;
    double *panel; /* ceil(n / 16) panels of 16 d numbers */
    double factor;
};

/* Doubles of `panel`. */
size_t tg_distance_room(int64_t n, int64_t d);

/* FLOPs of all blocks. */
double tg_distance_flops(int64_t n, int64_t d);

/*
 * Pack the rows of `mat` (n x d, finite), times `scale`. For the cosine and the correlation
 * rows are brought to length 1; of those that have none, *without is the number and *first
 * the first, and their distances mean nothing.
 */
TG_MUST_CHECK enum tg_err tg_distance_pack(const struct tg_ctx *ctx, enum tg_metric metric,
                                           const struct tg_mat *mat, double scale,
                                           struct tg_distance *distance, int64_t *without,
                                           int64_t *first);

/*
 * Block `index` into out (TG_BLOCK_SIZE numbers); entries beyond its rows and columns mean
 * nothing. The blocks on the diagonal have both halves.
 */
void tg_distance_make(const struct tg_distance *distance, int64_t index, double *out);

/*
 * The median distance (not squared) between different samples, exactly, the mean of the
 * middle two if their number is even. `block` has all squared distances, or is NULL; four
 * passes. `count` has TG_SELECTION_COUNTS numbers.
 */
TG_MUST_CHECK enum tg_err tg_distance_median(const struct tg_ctx *ctx,
                                             const struct tg_distance *distance,
                                             const double *block, double *buffer,
                                             int64_t *count, double *median);

#endif

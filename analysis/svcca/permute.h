/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What unrelated layers show, by permutation of their samples.
 *
 * Layers that have nothing to do with each other stay what they are when the samples of one
 * are shuffled against the other's, so the score has the same chance to stand anywhere among
 * the shuffled ones: p = (1 + shuffled ones at least as high) / (1 + permutations) is exact
 * for any data and any measure (Fisher; Phipson and Smyth, Stat. Appl. Genet. Mol. Biol. 9,
 * 2010, for the 1).
 *
 * DESIGN. Nothing is decomposed again, for a layer's basis does not care for the order of its
 * rows: the rows of U_b (or X_b) are gathered in the new order, and the pair is compared as
 * any other (pair.h). In permutation t layer l has an order of its own, drawn from stream
 * (l, t) of the seed, whatever pairs it is in. So the highest score of all pairs, each in sd
 * from its own mean, has a joint null too: with it a p holds for all pairs together (Westfall
 * and Young, 1993), the measures apart. Tables of samples by samples are looked up in the new
 * order (samples.h), and no distance is measured again; minibatches are shuffled within each,
 * by the order that its samples have in that of the layer.
 * FLOPs: those of the pair, for each permutation.
 */
#ifndef TG_SVCCA_PERMUTE_H
#define TG_SVCCA_PERMUTE_H

#include "svcca/replicate.h"
#include "svcca/score.h"

/* Of one score over all permutations; all NaN where the score is not defined. */
struct tg_permuted {
    double mean, sd;
    double median, q95, q99;
    double p; /* of a score at least as high */
    double z; /* of the score, among all permutations and itself */
};

/* Scratch of one lane. */
struct tg_permute_lane {
    struct tg_basis_scratch scratch; /* without x, peak, bad and column */
    double *x, *u, *row2;            /* rows of layer b in their new order */
    int64_t *a, *b;                  /* n: orders */
    int64_t *map, *within, *batch;   /* n: b against a, in all and in minibatches */
    struct tg_samples_work samples;
};

struct tg_permute {
    const struct tg_svcca_options *options;
    int64_t count; /* permutations of every pair, at least 1 */
    uint64_t seed;
    int64_t n, d;  /* samples, most units of a layer */
    unsigned lanes;
    struct tg_permute_lane *lane;
    double *score;   /* TG_SCORES x (count + 1), of the pair at hand, itself last */
    double *highest; /* TG_SCORES x count: highest z of all pairs so far */
};

/* What the bases have to hold beside what the measures of `options` ask for. */
unsigned tg_permute_needs(const struct tg_svcca_options *options);

/* FLOPs of a permutation of a pair. */
double tg_permute_flops(const struct tg_svcca_options *options, int64_t n, int64_t d_a,
                        int64_t d_b);

/* Memory; options, count, seed, n and d are set. */
void tg_permute_layout(struct tg_arena *arena, unsigned lanes, struct tg_permute *permute);

/* To be called once a pair, in order, with what the hook is given. */
TG_MUST_CHECK enum tg_err tg_permute_pair(const struct tg_ctx *ctx,
                                          const struct tg_svcca_pair_work *work,
                                          struct tg_permute *permute,
                                          struct tg_permuted permuted[TG_SCORES]);

/* When every pair has been: p of a z at least as high in any of them. */
double tg_permute_family_p(const struct tg_permute *permute, enum tg_score score, double z);

#endif

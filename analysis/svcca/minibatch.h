/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Linear CKA over minibatches: Nguyen, Raghu, Kornblith, ICLR 2021, arXiv:2010.15327,
 * section 3, with the unbiased HSIC of Song et al., 2012, in every batch:
 *   CKA = mean_b HSIC_b(X, Y) / sqrt(mean_b HSIC_b(X, X) mean_b HSIC_b(Y, Y))
 *   HSIC_b(X, Y) = <K_b, L_b> / (m (m - 3)),  K_b the U-centred Gram matrix of m samples
 * n samples make floor(n / size) batches, one at least, whose sizes differ by one at most, so
 * that no sample is left out and none of the batches is smaller than asked for. One batch of
 * all samples gives debiased CKA.
 *
 * A layer keeps its n * size numbers of Gram matrices, n size d FLOPs; a pair costs n size.
 */
#ifndef TG_SVCCA_MINIBATCH_H
#define TG_SVCCA_MINIBATCH_H

#include "svcca/basis.h"
#include "svcca/null.h"

struct tg_batches {
    int64_t n, count, most; /* samples, batches, samples of the largest batch */
    double *gram;   /* count matrices K_b, most x most numbers each, leading dimension m */
    double *hsic;   /* count: HSIC_b of the layer with itself */
    double mean;    /* of hsic */
    bool defined;   /* false when that mean is only rounding */
};

/* Batches of at least `size` >= 4 of n >= 4 samples, and the memory of a layer. */
void tg_batches_layout(struct tg_arena *arena, int64_t n, int64_t size,
                       struct tg_batches *batches);

/* Doubles of scratch for layers of up to d units. */
size_t tg_batches_work(int64_t n, int64_t size, int64_t d);

/* FLOPs of a layer, and of a pair. */
double tg_batches_layer_flops(int64_t n, int64_t size, int64_t d);
double tg_batches_pair_flops(int64_t n, int64_t size);

/* From a centred basis, whose rows are taken in `order` (n numbers; NULL: as they are). */
TG_MUST_CHECK enum tg_err tg_batches_make(const struct tg_ctx *ctx, const int64_t *order,
                                          const struct tg_basis *basis, double *work,
                                          struct tg_batches *batches);

/*
 * CKA of two layers; NaN where one is not defined. With `map` (n numbers, an order within each
 * batch), the sample in place i of b is that of place map[i]. `work` has a->count numbers.
 */
TG_MUST_CHECK enum tg_err tg_batches_compare(const struct tg_ctx *ctx,
                                             const struct tg_batches *a,
                                             const struct tg_batches *b, const int64_t *map,
                                             double *work, double *cka);

/*
 * An order within each batch, of places, from an order of all n: those of a batch as they come
 * in it. `order`, `within` and `next` (batches->count) are numbers apart.
 */
void tg_batches_within(const struct tg_batches *batches, const int64_t *order, int64_t *next,
                       int64_t *within);

/*
 * What it is when the samples of one layer are shuffled within each batch: mean 0, sd exact,
 * for in a batch alone <K_b, L_b> / (||K_b|| ||L_b||) has the variance 2 / (m (m - 3))
 * (null.h). The skewness is not known (NaN).
 */
struct tg_chance tg_batches_chance(const struct tg_batches *a, const struct tg_batches *b);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * CKA with a Gaussian (RBF) kernel: Kornblith et al., 2019 (svcca.h), section 3.
 *
 *   K_ij = exp(-|x_i - x_j|^2 / (2 sigma^2)),  sigma = share * median_{i<j} |x_i - x_j|
 *   CKA  = <B_a, B_b> / (||B_a|| ||B_b||),     B = H K H,  H = I - 1 1^T / n
 * Debiased: Song et al., 2012, from the same B, for what centring adds to K off its diagonal
 * U-centring takes away:
 *   n (n - 3) HSIC_u = <B_a, B_b> - n/(n-2) sum_i B_a,ii B_b,ii + tr B_a tr B_b / ((n-1)(n-2))
 * K - 1 is formed instead of K, which changes nothing and keeps the digits of wide kernels.
 * n^2 d a layer, n^2 a pair; where kernels are not held, n^2 d a side of a pair.
 */
#ifndef TG_SVCCA_KERNEL_H
#define TG_SVCCA_KERNEL_H

#include "svcca/distance.h"

struct tg_kernel {
    struct tg_distance distance; /* of rows that are still there where block is NULL */
    double *block;    /* all blocks of B; NULL: they are made when needed */
    double *whole;    /* n x n of B, for what is looked up in another order; NULL without */
    double *centre;   /* n: what centring takes of row i and of column i */
    double *diagonal; /* n: B_ii */
    double trace, norm2; /* tr B; ||B||_F^2 */
    double median;    /* of the distances between different samples, in units of the rows */
    double gamma;     /* 1 / (2 sigma^2) */
    bool defined;     /* false when the median is 0: half of the samples are equal */
};

/*
 * From a packed distance in kernel->distance; block, centre and diagonal have memory.
 * `buffer`: TG_BLOCK_BUFFER doubles; `count`: TG_SELECTION_COUNTS.
 */
TG_MUST_CHECK enum tg_err tg_kernel_make(const struct tg_ctx *ctx, double share, double *buffer,
                                         int64_t *count, struct tg_kernel *kernel);

/*
 * <B_a, B_b> of two kernels of the same n samples; with `map`, sample i of b is its map[i], a
 * has its blocks and b is whole. `buffer`: TG_BLOCK_SIZE doubles.
 */
TG_MUST_CHECK enum tg_err tg_kernel_product(const struct tg_ctx *ctx, const struct tg_kernel *a,
                                            const struct tg_kernel *b, const int64_t *map,
                                            double *buffer, double *product);

/* All blocks of B of a kernel that has none, into `block`. */
TG_MUST_CHECK enum tg_err tg_kernel_hold(const struct tg_ctx *ctx,
                                         const struct tg_kernel *kernel, double *block,
                                         double *buffer);

/*
 * n (n - 3) times the unbiased HSIC of two layers, from the inner product of their centred
 * Gram matrices, the diagonals p and q (n numbers each) of these and their traces.
 */
double tg_hsic_unbiased(int64_t n, double product, const double *p, double p_sum,
                        const double *q, double q_sum);

/* An unbiased HSIC of a layer with itself below this share of the biased one is rounding. */
#define TG_HSIC_ROUNDING 1e-13

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * DFT-CCA: convolutional layers compared frequency by frequency.
 *
 * Raghu et al., "SVCCA", NeurIPS 2017, arXiv:1706.05806, section 3 and theorem 1: where the
 * data are closed under translation (and padding is circular), the covariance of the Fourier
 * coefficients (svcca/fourier.h) of one or two layers is zero between different frequencies,
 * so the CCA of layers of h w c entries is that of h w blocks of c.
 *
 * DESIGN. A block Z, n x c complex, is worked on as the real matrix of 2n x 2c
 *   [Re Z  -Im Z; Im Z  Re Z],
 * whose singular values, Gram matrices and products are those of Z, each twice. Half of the
 * frequencies are computed and the other half are their conjugates, so the real matrix
 * counts exactly what both halves have; a frequency that is its own conjugate has n x c
 * reals. So all sums below are plain sums over the frequencies of one half, and basis.h and
 * pair.h do the rest:
 *   CCA         all correlations of all blocks, and 0 up to min(sum r_a, sum r_b), r the ranks
 *   SVCCA       one cut of the layer's singular values over all its frequencies; a singular
 *               value and its conjugate's go together
 *   CKA         sum ||Z_a^H Z_b||^2 / sqrt(sum ||Z_a^H Z_a||^2 sum ||Z_b^H Z_b||^2); debiased
 *               block by block
 *   Procrustes, shape, regression   the norms of svcca.h, summed over blocks
 * On data closed under translation each equals what svcca.h makes of the flattened layers
 * (debiased CKA does not, whose correction knows nothing of other frequencies). PWCCA weighs
 * by places, which a frequency has none of.
 *
 * Layers of other sizes are compared on the frequencies, in cycles a map, that both have:
 * those below the Nyquist frequency of the smaller one along each axis whose size differs.
 * google/svcca (dft_ccas.py) resizes so, too, but takes -Nyquist, where the smaller map is
 * real and aliased and the larger is not. A layer of two axes has frequency 0 alone.
 *
 * What is left out is measured: off-block energy is the share that products between
 * different frequencies have in ||X^T X||_F^2, by TG_DFT_PROBES Gaussian probes z:
 *   E |Z_f^H (Y - Z_f z_f)|^2 = sum_{g != f} ||Z_f^H Z_g||^2,   Y = sum_g Z_g z_g.
 * n samples show some by chance; the unbiased share takes that off as debiased CKA does.
 *
 * Two passes over the frequencies: singular values for the cut and the rank, and Y; then
 * bases and pairs. FLOPs, with n' = 2n and d' = 2c a frequency: two transforms, 2 n' d'^2 a
 * layer, 2 n' d_a' d_b' a pair and O(d'^3), some h w / 2 times.
 */
#ifndef TG_SVCCA_DFT_H
#define TG_SVCCA_DFT_H

#include "svcca/layout.h"
#include "svcca/svcca.h"

enum { TG_DFT_PROBES = 16, TG_DFT_MAX_NUMBERS = 4000000 };

/* The measures that frequencies have, bits of tg_svcca_options.measures. */
enum {
    TG_DFT_MEASURES = 1 << TG_SVCCA_CCA | 1 << TG_SVCCA_SVCCA | 1 << TG_SVCCA_CKA |
                      1 << TG_SVCCA_CKA_DEBIASED | 1 << TG_SVCCA_PROCRUSTES |
                      1 << TG_SVCCA_SHAPE | 1 << TG_SVCCA_REGRESSION
};

/* Off-block energy of a layer. */
struct tg_dft_gauge {
    double share;    /* in [0, 1]; 0 means that blocks are all there is */
    double unbiased; /* near 0 for stationary data of any n; below it where samples are
                        translations of each other; NaN when not defined */
    double share_sd, unbiased_sd; /* standard errors, of the probes alone */
};

/* Maps are h x w, the largest of all layers, in the order of numpy.fft.fftfreq. */
struct tg_dft {
    int64_t h, w, nfrequencies; /* of one half, of the largest maps */
    double *correlation; /* npairs x h x w: mean correlation; NaN where not compared. NULL
                            without CCA, or when there are too many */
    double *energy;      /* nlayers x h x w: share of the layer's variance; NULL likewise */
    struct tg_dft_gauge *gauge; /* nlayers */
};

/*
 * As tg_svcca_cost() and tg_svcca_run(), for layers whose mat is TG_DFT's of layout.h, with
 * their places; units <= n, hooks are not called, max_directions is not looked at. Of a basis
 * in `svcca`, d is h w units, s lists all singular values, route is the most careful that any
 * frequency took, and x, u, w, f are not there.
 */
TG_MUST_CHECK enum tg_err tg_dft_cost(const struct tg_svcca_layer *layers,
                                      const struct tg_places *places, size_t nlayers,
                                      const struct tg_svcca_options *options,
                                      struct tg_svcca_cost *cost);
TG_MUST_CHECK enum tg_err tg_dft_run(const struct tg_ctx *ctx,
                                     const struct tg_svcca_layer *layers,
                                     const struct tg_places *places, size_t nlayers,
                                     const struct tg_svcca_options *options,
                                     struct tg_svcca *svcca, struct tg_dft *dft,
                                     struct tg_report *report);

#endif

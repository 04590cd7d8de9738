/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One frequency of one layer: its block as a real matrix, its basis, its off-block energy. */
#ifndef TG_SVCCA_DFT_BLOCK_H
#define TG_SVCCA_DFT_BLOCK_H

#include "svcca/dft.h"
#include "svcca/fourier.h"

/* A layer under way. Sums are in units of the layer times fourier.scale. */
struct tg_dft_layer {
    struct tg_fourier fourier;
    const char *name, *key;
    bool known;            /* s and y are there from an earlier job */
    bool made;             /* the blocks are those of all frequencies */
    int64_t nfrequencies;
    int64_t *weights;      /* nfrequencies: 2 where one stands for its conjugate, too, or 1 */
    double *s;             /* nfrequencies x units: singular values of the blocks */
    double *y;             /* n x TG_DFT_PROBES: Y */
    double largest, limit; /* singular value, and where the rank ends */
    int64_t *rank;         /* nfrequencies: of the real matrices */
    int64_t *k[TG_SVCCA_RULES]; /* nfrequencies: what the cut leaves of them */

    int64_t at;            /* the frequency at hand; -1 when the layer has it not */
    int64_t weight;        /* its weight */
    struct tg_basis basis; /* of its real matrix; rank 0 when that is zero */

    double *row2;          /* n: squared norms of samples, over all frequencies */
    double row4, norm4;    /* sum_f |row2_f|^2 and sum_f (sum row2_f)^2 */
    double off[TG_DFT_PROBES];
    double error, orthogonality;
    enum tg_basis_route route;
};

struct tg_dft_scratch {
    struct tg_basis_scratch basis;
    struct tg_fourier_scratch fourier;
    double *z, *t, *product; /* 2 units x probes each, 2n x probes */
};

/* The real matrix of the layer's frequency (fy, fx), whose block is given, into its basis. */
TG_MUST_CHECK enum tg_err tg_dft_embed(const struct tg_ctx *ctx,
                                       const struct tg_dft_scratch *scratch, int64_t fy,
                                       int64_t fx, const double *block,
                                       struct tg_dft_layer *layer);

/* First pass: singular values of what is embedded, each once, and its part of Y. */
TG_MUST_CHECK enum tg_err tg_dft_survey(const struct tg_ctx *ctx,
                                        const struct tg_dft_scratch *scratch,
                                        struct tg_dft_layer *layer);

/* Second pass: off-block energy, then the basis, with the rank and k that the cut left. */
TG_MUST_CHECK enum tg_err tg_dft_decompose(const struct tg_ctx *ctx,
                                           const struct tg_dft_scratch *scratch,
                                           struct tg_dft_layer *layer,
                                           struct tg_report *report);

/* Once all frequencies have been decomposed. */
struct tg_dft_gauge tg_dft_gauge(const struct tg_dft_layer *layer);

#endif

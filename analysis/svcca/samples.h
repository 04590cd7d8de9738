/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Measures that compare samples with samples: what of a layer they need, and their scores.
 *
 * DESIGN. Linear measures follow from the bases of two layers (basis.h). These do not: they
 * set a table of all pairs of samples, made of each layer alone, beside that of another
 * layer. Each layer's table is made once, when its rows are there. As long as all tables
 * together take no more than hold_bytes they are held, and a pair costs n^2; otherwise
 * the packed rows are held, and a pair makes both tables anew, block by block, with the same
 * bits. Minibatches need only parts of a table along its diagonal, which are always held.
 */
#ifndef TG_SVCCA_SAMPLES_H
#define TG_SVCCA_SAMPLES_H

#include "svcca/basis.h"
#include "svcca/kernel.h"
#include "svcca/minibatch.h"

struct tg_svcca_pair;

struct tg_samples_options {
    double rbf_bandwidth; /* sigma of the RBF kernel as a share of the median distance, > 0 */
    int64_t batch_size;   /* samples in a minibatch, at least; >= 4 */
    const int64_t *batch_order; /* n: in which samples go into them; NULL: as they are */
    size_t hold_bytes;    /* the most that tables of all layers together may take */
};

/* Of one layer. */
struct tg_samples {
    struct tg_kernel kernel;
    struct tg_batches batches;
};

struct tg_samples_scratch {
    double *panel;  /* packed rows, where tables are held */
    double *buffer; /* TG_BLOCK_BUFFER */
    int64_t *count; /* TG_SELECTION_COUNTS */
    double *rows;   /* a minibatch */
};

/* What the measures (bits of enum tg_svcca_measure) need; false: nothing of this. */
bool tg_samples_wanted(uint64_t measures);

/* Whether the tables of this many layers of n samples are held. */
bool tg_samples_held(const struct tg_samples_options *options, uint64_t measures, int64_t n,
                     size_t nlayers);

/* Memory of a layer, and what all layers share; d is the largest there. */
void tg_samples_layout(struct tg_arena *arena, const struct tg_samples_options *options,
                       uint64_t measures, int64_t n, int64_t d, bool held,
                       struct tg_samples *samples);
void tg_samples_layout_scratch(struct tg_arena *arena,
                               const struct tg_samples_options *options, uint64_t measures,
                               int64_t n, int64_t d, bool held,
                               struct tg_samples_scratch *scratch);

double tg_samples_layer_flops(const struct tg_samples_options *options, uint64_t measures,
                              int64_t n, int64_t d);
double tg_samples_pair_flops(const struct tg_samples_options *options, uint64_t measures,
                             int64_t n, int64_t da, int64_t db, bool held);

/* From a layer (n x d) that changes, and its basis, which is centred and not decomposed yet. */
TG_MUST_CHECK enum tg_err tg_samples_make(const struct tg_ctx *ctx,
                                          const struct tg_samples_options *options,
                                          uint64_t measures,
                                          const struct tg_samples_scratch *scratch,
                                          const struct tg_mat *mat,
                                          const struct tg_basis *basis,
                                          struct tg_samples *samples);

/* The scores of a pair; NaN stays where a measure is not defined. */
TG_MUST_CHECK enum tg_err tg_samples_compare(const struct tg_ctx *ctx, uint64_t measures,
                                             const struct tg_samples_scratch *scratch,
                                             const struct tg_samples *a,
                                             const struct tg_samples *b,
                                             struct tg_svcca_pair *pair);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Measures that compare samples with samples: what of a layer they need, and their scores.
 *
 * DESIGN. Linear measures follow from the bases of two layers (basis.h). These do not: they
 * set a table of all pairs of samples, made of each layer alone, beside that of another
 * layer. Each layer's table is made once, when its rows are there. As long as all tables
 * together take no more than hold_bytes they are held, and a pair costs n^2; otherwise
 * the packed rows are held, and a pair makes both tables anew, block by block, with the same
 * bits. Ranks need a whole table to be sorted, and permutations one to look up in, so these
 * are then made for the two layers of a pair. Minibatches need only parts of a table along its
 * diagonal and neighbours are few; both are always held.
 */
#ifndef TG_SVCCA_SAMPLES_H
#define TG_SVCCA_SAMPLES_H

#include "svcca/basis.h"
#include "svcca/kernel.h"
#include "svcca/minibatch.h"
#include "svcca/neighbours.h"
#include "svcca/rdm.h"

struct tg_svcca_pair;

struct tg_samples_options {
    double rbf_bandwidth; /* sigma of the RBF kernel as a share of the median distance, > 0 */
    int64_t batch_size;   /* samples in a minibatch, at least; >= 4 */
    const int64_t *batch_order; /* n: in which samples go into them; NULL: as they are */
    enum tg_dissimilarity rsa; /* of the measures of representational similarity analysis */
    enum tg_metric metric;     /* that neighbours are near by */
    int64_t neighbours;        /* k, below the number of samples */
    size_t hold_bytes;    /* the most that tables of all layers together may take */
    bool whole_tables;    /* whoever hooks into pairs reads their tables */
};

/* Of one layer. */
struct tg_samples {
    struct tg_kernel kernel;
    struct tg_batches batches;
    struct tg_rdm rdm;
    struct tg_neighbours neighbours;
};

/* What comparing a pair takes. */
struct tg_samples_work {
    double *buffer;   /* TG_BLOCK_SIZE */
    double *list;     /* two numbers for each pair of samples, for Kendall's tau */
    double *diagonal; /* n */
    double *batch;    /* a number for each minibatch */
};

struct tg_samples_scratch {
    double *panel;  /* packed rows, where those of a layer are not held */
    double *buffer; /* TG_BLOCK_BUFFER */
    int64_t *count; /* TG_SELECTION_COUNTS */
    double *rows;   /* a minibatch */
    double *apart;  /* distances of neighbours */
    struct tg_rank_work rank;
    struct tg_samples pair[2]; /* tables of the pair at work, where those of layers are not held */
    struct tg_samples shuffled; /* the second of a pair, whole, with options->whole_tables */
    struct tg_samples_work work;
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
double tg_samples_compare_flops(const struct tg_samples_options *options, uint64_t measures,
                                int64_t n); /* of tables that are there */
double tg_samples_pair_flops(const struct tg_samples_options *options, uint64_t measures,
                             int64_t n, int64_t da, int64_t db, bool held);

/* From a layer (n x d) that changes, and its basis, which is centred and not decomposed yet. */
TG_MUST_CHECK enum tg_err tg_samples_make(const struct tg_ctx *ctx,
                                          const struct tg_samples_options *options,
                                          uint64_t measures,
                                          struct tg_samples_scratch *scratch,
                                          const struct tg_mat *mat,
                                          const struct tg_basis *basis,
                                          struct tg_samples *samples);

/*
 * The tables of a pair (a, b) while it is at work: those of the layers, or made anew in
 * scratch->pair as far as comparing needs it; with options->whole_tables all of them, and those
 * of b whole, so that they can be compared in other orders.
 */
TG_MUST_CHECK enum tg_err tg_samples_pair(const struct tg_ctx *ctx,
                                          const struct tg_samples_options *options,
                                          uint64_t measures, bool held,
                                          struct tg_samples_scratch *scratch,
                                          const struct tg_samples *layer[2],
                                          const struct tg_samples *pair[2]);

/* Memory for comparing pairs of these. */
void tg_samples_layout_work(struct tg_arena *arena, const struct tg_samples_options *options,
                            uint64_t measures, int64_t n, struct tg_samples_work *work);

/* Sample i of b becomes map[i], and in its minibatch within[i]; NULL: as they are. */
struct tg_samples_order { const int64_t *map, *within; };

/* The scores of a pair; NaN stays where a measure is not defined. */
TG_MUST_CHECK enum tg_err tg_samples_compare(const struct tg_ctx *ctx, uint64_t measures,
                                             const struct tg_samples_work *work,
                                             const struct tg_samples *a,
                                             const struct tg_samples *b,
                                             const struct tg_samples_order *order,
                                             struct tg_svcca_pair *pair);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The scores of a pair on parts of its samples, many times over.
 *
 * The samples are cut into blocks of consecutive rows, so that what depends on its neighbours
 * stays together. A replicate takes some of the blocks: all but one (jackknife; Tukey 1958,
 * of blocks Kuensch, Ann. Statist. 17, 1989), or half of them (McCarthy 1969; subsampling,
 * Politis and Romano, Ann. Statist. 22, 1994). Every replicate is a sample without repeated
 * rows: an ordinary bootstrap draws rows twice, which ties the same activations together and
 * raises every similarity.
 *
 * DESIGN. Every score is a function of sums over samples. With the columns z = u of the
 * basis (z = x where no measure needs a basis), s the singular values, and sums over the
 * samples taken, centred,
 *   A = sum z_a z_a^T,  B = sum z_b z_b^T,  M = sum z_a z_b^T,  A = L_a L_a^T, B = L_b L_b^T,
 * the layers are Z S V^T and the orthonormal bases Z L^-T, so that
 *   CCA         W = L_a^-1 M L_b^-T;  PWCCA with F = L^T F of all samples
 *   regression  ||L_a^-1 M S_b||^2 / tr(S_b B S_b)
 *   CKA         ||S_a M S_b||^2 / (||S_a A S_a|| ||S_b B S_b||)
 *   Procrustes  ||S_a M S_b||_* / sqrt(tr(S_a A S_a) tr(S_b B S_b))
 *   SVCCA       P_a^T M P_b with S A S = Q D^2 Q^T and P = S Q D^-1, the leading columns
 *   shape       the left singular vectors P of L^T S turn W into P_a^T W P_b
 * The sums of each block are made once a pair (the FLOPs of a pair and its layers), and those
 * of all replicates by one product with the table of who takes which block. A is near the
 * identity whatever the layer's condition. What is left for a replicate is O(d^3).
 *
 * SVCCA keeps as many directions as of all samples. A shape is that of as many samples as
 * there are: singular values grow with the root of their number.
 */
#ifndef TG_SVCCA_RESAMPLE_H
#define TG_SVCCA_RESAMPLE_H

#include "svcca/replicate.h"
#include "svcca/score.h"

enum tg_resampling {
    TG_RESAMPLE_BLOCK_OUT, /* replicate i leaves block i out */
    TG_RESAMPLE_HALVES     /* half of the blocks, drawn at random */
};

/* Scratch of one lane. */
struct tg_resample_lane {
    struct tg_basis_scratch scratch; /* without x, peak, bad and column */
    double *a, *b;  /* d x d: A and B, then L_a and L_b */
    double *m, *w;  /* d x d: M, W */
    double *p_a, *p_b, *t; /* d x d */
    double *mean_a, *mean_b; /* d */
};

struct tg_resample {
    const struct tg_svcca_options *options;
    enum tg_resampling how;
    uint64_t seed;      /* of halves */
    int64_t n, d;       /* samples, most units of a layer */
    int64_t npairs;
    int64_t blocks;     /* 2 <= blocks <= n, even for halves */
    int64_t replicates; /* blocks, or as many halves as wanted */
    unsigned lanes;     /* this and what follows by tg_resample_layout() */
    struct tg_resample_lane *lane;
    double *taken;      /* replicates x blocks: 0 or 1 */
    double *sums;       /* blocks x sums of a block */
    double *batch;      /* the sums of some replicates */
    double *score;      /* npairs x scores asked for x replicates */
    int slot[TG_SCORES]; /* of a score among those asked for; -1 without */
    int nslots;
};

/* Whether a measure's scores follow from such sums, and so have replicates. */
bool tg_resample_has(enum tg_svcca_measure measure);

/* What the bases have to hold; all measures that are asked for have replicates. */
unsigned tg_resample_needs(const struct tg_svcca_options *options);

/* FLOPs of a pair. */
double tg_resample_flops(const struct tg_resample *resample, int64_t d_a, int64_t d_b);

/* Memory; everything up to replicates is set. */
void tg_resample_layout(struct tg_arena *arena, unsigned lanes, struct tg_resample *resample);

/* The blocks of every replicate, and NaN for every score: before the first pair. */
void tg_resample_start(struct tg_resample *resample);

/*
 * To be called once a pair. The same replicates for all pairs, so that differences of
 * scores can be told. A score is NaN in a replicate whose samples do not span the layer.
 */
TG_MUST_CHECK enum tg_err tg_resample_pair(const struct tg_ctx *ctx,
                                           const struct tg_svcca_pair_work *work,
                                           const struct tg_resample *resample);

/* The replicates of a score of a pair; NULL when it is not asked for. */
const double *tg_resample_scores(const struct tg_resample *resample, int64_t pair,
                                 enum tg_score score);

/* Rows of block b are first, ..., first + count - 1; count is returned. */
int64_t tg_resample_block(const struct tg_resample *resample, int64_t b, int64_t *first);

#endif

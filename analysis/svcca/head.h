/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is left of a head's outputs when its layer is projected on few directions.
 *
 * Raghu et al., "SVCCA", NeurIPS 2017, section 2.1 and figure 2: each unit of a layer X (n x d)
 * is replaced by its projection on the span of k directions, n values each, and the network
 * goes on from there, not trained again. With a head Y = X W + b and orthonormal directions
 * H (n x K, columns of sum 0),
 *   Y_k = mean(Y) + H_k H_k^T (Y - mean(Y)),
 * so that Y and H are all that is needed, and Y_k follows from Y_{k-1} by a product of rank
 * one. The same form holds when k units are kept and the others put at their mean: then H
 * are the centred units and the rows of W stand where H^T Y stood.
 * Cost: 2 n d c for Y, and about 6 n c a direction for a curve over all k.
 */
#ifndef TG_SVCCA_HEAD_H
#define TG_SVCCA_HEAD_H

#include "core/ctx.h"
#include "core/mat.h"

/* A head on n samples. */
struct tg_head {
    int64_t n, outputs;
    double *y;            /* n x outputs, less their mean */
    double *mean;         /* outputs */
    double norm2;         /* ||y||_F^2; 0 when no output ever changes */
    const int64_t *label; /* n classes in [0, outputs), or NULL */
};

/* Directions in the order in which they are added, each n values and its outputs. */
struct tg_head_directions {
    const double *h;      /* n rows, leading dimension ldh */
    size_t ldh;
    const double *v;      /* outputs numbers for each column of h */
    const int64_t *order; /* columns of h to take; NULL: 0, 1, ... */
    int64_t count;
};

/* For layers of up to n x d and heads of up to so many outputs. */
struct tg_head_scratch {
    double *tile;     /* rows of a layer */
    double *weights;  /* d x outputs */
    double *residual; /* n x outputs */
    double *partial;  /* sums of blocks of rows */
};

void tg_head_layout(struct tg_arena *arena, int64_t n, int64_t d, int64_t outputs,
                    struct tg_head_scratch *scratch);

/*
 * The labels of `labels` (n numbers) into label. False when one is not an integer in
 * [0, outputs); *bad is then its place.
 */
bool tg_head_labels(const struct tg_mat *labels, int64_t outputs, int64_t *label,
                    int64_t *bad);

/*
 * Fill y, mean and norm2 of a head whose sizes and memory are set: outputs of `layer`
 * (n x d) by `weights` (d x outputs) and `bias` (outputs; NULL: none). scratch->weights
 * then holds the weights. TG_NUMERIC when an output is not finite.
 */
TG_MUST_CHECK enum tg_err tg_head_apply(const struct tg_ctx *ctx, const struct tg_mat *layer,
                                        const struct tg_mat *weights,
                                        const struct tg_mat *bias,
                                        const struct tg_head_scratch *scratch,
                                        struct tg_head *head);

/* The share of samples whose largest output is that of their label; NaN without labels. */
double tg_head_accuracy(const struct tg_head *head);

/* v = H^T y for orthonormal columns h; count x outputs. */
TG_MUST_CHECK enum tg_err tg_head_coordinates(const struct tg_ctx *ctx,
                                              const struct tg_head *head, const double *h,
                                              size_t ldh, int64_t count, double *v);

/*
 * For k = 0 .. count directions: error[k], the share of ||y||^2 that is lost, and, with
 * labels, accuracy[k], the share of samples whose largest output (the first of equals) is
 * that of their label; accuracy is not written without. At most d directions.
 */
TG_MUST_CHECK enum tg_err tg_head_curve(const struct tg_ctx *ctx, const struct tg_head *head,
                                        const struct tg_head_directions *directions,
                                        const struct tg_head_scratch *scratch,
                                        double *accuracy, double *error);

/* The smallest k in [0, count] with accuracy[k] >= enough; -1 if none has. */
int64_t tg_head_reaches(const double *accuracy, int64_t count, double enough);

/* The smallest k in [0, count] with error[k] <= most; -1 if none has. */
int64_t tg_head_holds(const double *error, int64_t count, double most);

#endif

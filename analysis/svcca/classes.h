/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * When a layer knows a class: its canonical correlation with single outputs.
 *
 * Raghu et al., "SVCCA", NeurIPS 2017, section 4.2 and figure 6. Against one column y (a logit,
 * or the indicator of a class) CCA has one correlation, the multiple correlation coefficient
 *   R = ||U^T y|| / ||y||,  y centred, U an orthonormal basis of the layer,
 * so all columns take one product, 2 n r C FLOPs. With the leading k directions of U only, as
 * SVCCA keeps them, R is a partial sum of the same numbers. Unrelated Gaussian data of rank
 * r show E R^2 = r / (n - 1), and adjusted R^2 = 1 - (1 - R^2) (n - 1) / (n - 1 - r) takes
 * that off.
 */
#ifndef TG_SVCCA_CLASSES_H
#define TG_SVCCA_CLASSES_H

#include "core/mat.h"
#include "svcca/basis.h"

/*
 * The columns of `logits` (n x c), centred and of norm 1, into y; 0 where a column never
 * changes. False when a number is not finite.
 */
bool tg_classes_logits(const struct tg_mat *logits, double *y);

/* The same of the indicators of classes 0 .. c - 1: y[i, j] says whether label[i] is j. */
void tg_classes_indicators(int64_t n, int64_t c, const int64_t *label, double *y);

/* How a layer knows each class; NaN where the class never changes. */
struct tg_classes_row {
    double *cca;      /* R with all directions of the layer */
    double *svcca;    /* with its leading k */
    double *adjusted; /* R^2 with all, less chance; NaN where they leave no sample free */
};

/* `basis` holds u of a layer that changes; v has basis->kept x c numbers of scratch. */
TG_MUST_CHECK enum tg_err tg_classes_correlate(const struct tg_ctx *ctx,
                                               const struct tg_basis *basis, const double *y,
                                               int64_t c, int64_t k, double *v,
                                               const struct tg_classes_row *row);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is a sample and what is a unit.
 *
 * DESIGN. It is said, never guessed. A layout names the axes of an array; a reduction says
 * what becomes of its positions, the steps in time or the places in an image:
 *   flatten  a unit at each position is a unit of its own: n x (positions units)
 *   samples  each position of a sample is a sample: (n positions) x units
 *   mean     the mean over positions: n x units
 *   dft      Fourier coefficients: one matrix n x units a frequency (svcca/dft.h)
 * An array of two axes is samples x units in every layout, and has one position: a dense
 * layer may stand beside convolutional ones.
 */
#ifndef TG_SVCCA_LAYOUT_H
#define TG_SVCCA_LAYOUT_H

#include "core/fold.h"

/* n samples, d units, t steps in time, c channels, h x w places. */
enum tg_layout { TG_LAYOUT_ND, TG_LAYOUT_NTD, TG_LAYOUT_NCHW, TG_LAYOUT_NHWC, TG_LAYOUTS };

enum tg_reduction { TG_FLATTEN, TG_SAMPLES, TG_MEAN, TG_DFT };

/* The axes in words: "(samples, steps, units)". */
const char *tg_layout_axes(enum tg_layout layout);

/* How an array of `layout` is laid out; `w` is the innermost of the positions. */
struct tg_places {
    int64_t n, h, w, units; /* h is 1 for steps in time, h and w for two axes */
    bool units_last;
};

/* False when the number of axes is not that of the layout. */
bool tg_layout_places(const struct tg_mat *array, enum tg_layout layout,
                      struct tg_places *places);

/*
 * The matrix of samples x units that `reduction` makes of `array`, read as tg_fold_init()
 * says. TG_DFT is given the numbers as they are: n rows, the rest in C order. False when
 * the number of axes is not that of the layout, or a size overflows.
 */
bool tg_layout_fold(const struct tg_mat *array, enum tg_layout layout,
                    enum tg_reduction reduction, struct tg_fold *fold,
                    struct tg_mat *view);

#endif

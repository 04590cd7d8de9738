/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The discrete Fourier transform of every unit's map, some frequencies at a time.
 *
 * DESIGN. A sample's map of h x w places becomes, unit by unit,
 *   F(fy, fx) = 1/sqrt(h w) sum_{y,x} X(y, x) exp(-2 pi i (fy y / h + fx x / w)),
 * a unitary map. Maps are real, F(-f) = conj F(f), so half of the frequencies tell all: those
 * of fy = 0 .. h/2, with fx from -(w-1)/2 to w/2 (rounded to 0), and from 0 where -fy is fy
 * itself (fy = 0 or h/2). Where also -fx is fx, F is real.
 * A transform of all frequencies is as large as the layer in double. Frequencies are
 * therefore made in groups, a range of fy times a range of fx, and the layer is read once a
 * group, in tiles of samples: the sines and cosines along y and then along x are products
 * of matrices, 4 h w + 8 w^2 FLOPs per fy for each sample and unit.
 * The first sample is subtracted before, so that large means cost no digits; whoever
 * centres the blocks does not see it.
 */
#ifndef TG_SVCCA_FOURIER_H
#define TG_SVCCA_FOURIER_H

#include "core/ctx.h"
#include "svcca/layout.h"

/* Frequencies [y, y + ny) x [x, x + nx); y >= 0. */
struct tg_fourier_group { int64_t y, ny, x, nx; };

/* A layer, and what tg_fourier_scan() found. */
struct tg_fourier {
    struct tg_mat mat;       /* n rows, the rest in C order */
    struct tg_places places;
    double *origin;          /* h w units: the first sample */
    double scale;            /* a power of two, which the blocks are multiplied with */
    int64_t constant;        /* entries of the map that are the same for all samples */
    double *blocks;          /* of the last group: for each frequency 2 x n x units, real
                                parts first */
};

/* Shared by one layer after another. */
struct tg_fourier_scratch {
    double *rows, *turned;         /* a tile: as read, by places */
    double *half, *row;            /* rows of frequencies: transformed along y, and both */
    double *along_y, *along_x;     /* sines and cosines */
    double *spread;                /* h w units: largest |x - origin| */
    int64_t *bad;                  /* h w units: first row that is not finite */
};

/* How many frequencies stand for all of an h x w map. */
int64_t tg_fourier_count(const struct tg_places *places);

/* The place of a frequency among them, by fy and then fx; -1 when the map has it not. */
int64_t tg_fourier_index(const struct tg_places *places, int64_t fy, int64_t fx);

/* Whether F is real there. */
bool tg_fourier_is_real(const struct tg_places *places, int64_t fy, int64_t fx);

/* Most frequencies of a map that a group of this size holds. */
int64_t tg_fourier_slots(const struct tg_places *places, const struct tg_fourier_group *size);

/* Scratch for the layers [0, count). */
void tg_fourier_layout(struct tg_arena *arena, const struct tg_places *places, size_t count,
                       struct tg_fourier_scratch *scratch);

/* FLOPs of a transform of one layer in groups of `size`. */
double tg_fourier_flops(const struct tg_places *places, const struct tg_fourier_group *size);

/*
 * One pass: fill origin, scale and constant. TG_NUMERIC when an entry is not finite; the
 * report names the layer and the first one.
 */
TG_MUST_CHECK enum tg_err tg_fourier_scan(const struct tg_ctx *ctx, const char *name,
                                          const struct tg_fourier_scratch *scratch,
                                          struct tg_fourier *layer,
                                          struct tg_report *report);

/*
 * One pass: the blocks of all frequencies of the layer that are in the group; their bits do
 * not depend on what else is in it.
 */
TG_MUST_CHECK enum tg_err tg_fourier_make(const struct tg_ctx *ctx,
                                          const struct tg_fourier_scratch *scratch,
                                          const struct tg_fourier_group *group,
                                          struct tg_fourier *layer);

/* The block of a frequency of the last group; NULL when it is not there. */
double *tg_fourier_block(const struct tg_fourier *layer, const struct tg_fourier_group *group,
                         int64_t fy, int64_t fx);

#endif

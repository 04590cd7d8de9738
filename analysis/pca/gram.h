/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The Gram matrices of a few very long rows, tensor by tensor, in one pass over their columns.
 *
 * DESIGN. T points in D dimensions, D up to 1e9: nothing of length D is ever held. All points
 * are read side by side, a chunk of columns at a time; a reference point is subtracted
 * (without it the Gram matrix of points that lie far from the origin keeps no digits of their
 * differences), and products of 128 columns are added to sums in double. float32, float16 and
 * bfloat16 tensors are multiplied in single precision, at twice the speed; wider ones, and
 * those whose squares would leave the range of single precision, in double.
 *
 * A sum belongs to a slot: one tensor, or neighbours that share a beginning of their names
 * where a slot for each would take more than TG_GRAM_BYTES. Any weighting of slots, window and
 * stride of points then follows without the data (view.h).
 *
 * An entry is a sum over its columns in order, whatever is computed beside it (linalg's
 * tg_stile). So its bits depend neither on lanes nor on T; sums that were kept half way are
 * taken up where they stopped, and those of a trajectory that has grown get new rows only.
 * Sums are kept each quarter of a second of work (less often where keeping them takes long),
 * which is all that a crash costs. Both need the runner's tg_ctx_recall(), under a key made
 * of data->prefix.
 */
#ifndef TG_PCA_GRAM_H
#define TG_PCA_GRAM_H

#include "core/ctx.h"
#include "linalg/linalg.h"
#include "pca/data.h"

enum { TG_GRAM_BYTES = 256 << 20 }; /* of all slots together, unless one is more */

struct tg_gram_plan {
    int64_t t, panels, tiles; /* points, panels of 16 of them, tiles of the lower triangle */
    int64_t nslots;
    int depth;                /* components of a name that keep a slot of their own */
    int64_t pieces;           /* of a chunk in double; twice as many in single precision */
    size_t slot, work;        /* doubles of one slot and of the workspace */
    enum tg_tile_kernel kernel;
};

/* How the data will be read. */
struct tg_gram_plan tg_gram_plan(const struct tg_walk_data *data);

/* The end of the slot that begins at tensor `first`. */
int64_t tg_gram_slot_end(const struct tg_gram_plan *plan, const struct tg_walk_data *data,
                         int64_t first);

struct tg_gram {
    struct tg_gram_plan plan;
    double *sums;      /* nslots x plan.slot, set by the caller, all zero */
    double bytes_read; /* of the data; 0 when everything was recalled */
};

/*
 * Stream the data with point `reference` subtracted. T^2 D FLOPs. TG_NUMERIC when an entry is
 * not finite, with its place in the report.
 */
TG_MUST_CHECK enum tg_err tg_gram_stream(const struct tg_ctx *ctx,
                                         const struct tg_walk_data *data, int64_t reference,
                                         double *work, struct tg_gram *gram,
                                         struct tg_report *report);

/* (x_i - x_r) . (x_j - x_r) over the coordinates of a slot. */
double tg_gram_at(const struct tg_gram *gram, int64_t slot, int64_t i, int64_t j);

/* |x_i - x_{i-1}|^2 at i = 1 .. T - 1, in double from the values as stored. */
const double *tg_gram_step2(const struct tg_gram *gram, int64_t slot);

/* Coordinates that step i - 1 -> i leaves exactly as they were, at i = 1 .. T - 1. */
const double *tg_gram_unchanged(const struct tg_gram *gram, int64_t slot);

/* Whether the products of a slot were made in single precision. */
bool tg_gram_is_single(const struct tg_gram *gram, int64_t slot);

#endif

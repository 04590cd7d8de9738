/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a run over whole layers (svcca.c) shares with one over their frequencies (dft.c). */
#ifndef TG_SVCCA_RUN_H
#define TG_SVCCA_RUN_H

#include "svcca/svcca.h"

/* Set n, nlayers, npairs and max_d, which all other sizes follow from; clear the rest. */
void tg_run_size_up(const struct tg_svcca_layer *layers, size_t nlayers,
                    const struct tg_svcca_options *options, struct tg_svcca *svcca);

/* rows x cols items from the arena, which fails on overflow as on lack of memory. */
void *tg_run_take(struct tg_arena *arena, int64_t rows, int64_t cols, size_t size);

/* Everything that svcca points to; bases with name, n, d and s. */
void tg_run_layout_results(struct tg_arena *arena, const struct tg_svcca_layer *layers,
                           const struct tg_svcca_options *options, struct tg_svcca *svcca);

/* Scratch for bases of up to n x d with these needs, and for their pairs. */
void tg_run_layout_scratch(struct tg_arena *arena, int64_t n, int64_t d, unsigned needs,
                           struct tg_basis_scratch *scratch);

/* The p-th pair to compare. */
struct tg_svcca_compared tg_run_compared(const struct tg_svcca_options *options,
                                         const struct tg_svcca *svcca, int64_t p);

/* Matrices of measures: NaN, and 1 on the diagonal of each layer that changes. */
void tg_run_clear_matrices(const struct tg_svcca *svcca);

/* Both halves of the matrices, from the scores of a pair. */
void tg_run_fill_cells(const struct tg_svcca_options *options, const struct tg_svcca *svcca,
                       const struct tg_svcca_pair *pair);

/* The matrices so far, for those who watch. */
void tg_run_show(const struct tg_ctx *ctx, const struct tg_svcca *svcca);

#endif

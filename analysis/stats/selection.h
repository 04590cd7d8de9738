/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The k-th smallest of many numbers, exactly, without holding or sorting them.
 *
 * DESIGN. Doubles that are not negative are in the order of their bits. Each of four passes
 * over the numbers counts those that agree with what is known by their next 16 bits, and so
 * learns 16 bits of the answer. What a pass costs is counted in numbers, so whoever calls can
 * poll between them.
 */
#ifndef TG_STATS_SELECTION_H
#define TG_STATS_SELECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TG_SELECTION_COUNTS = 1 << 16 };

struct tg_selection {
    int64_t rank;    /* among the numbers that agree with `prefix` */
    int64_t *count;
    int pass;
    uint64_t prefix; /* the leading 16 * pass bits */
    uint64_t above;  /* least number that is larger than all with the prefix */
    double value;    /* once done: the number of that rank */
    double next;     /* and the one after it; NaN when it is the last */
};

/* `rank` from 0; `count` has TG_SELECTION_COUNTS numbers. */
void tg_selection_start(struct tg_selection *selection, int64_t rank, int64_t *count);

/* n numbers >= 0 of this pass. */
void tg_selection_add(struct tg_selection *selection, size_t n, const double *x);

/* At the end of a pass over all numbers: whether it was the last. */
bool tg_selection_done(struct tg_selection *selection);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Selection by digits of 16 bits, the leading one first. */
#include "stats/selection.h"

#include <math.h>
#include <string.h>

enum { DIGIT = 16, PASSES = 64 / DIGIT };

static void start_pass(struct tg_selection *selection)
{
    memset(selection->count, 0, TG_SELECTION_COUNTS * sizeof(*selection->count));
    selection->above = UINT64_MAX;
}

void tg_selection_start(struct tg_selection *selection, int64_t rank, int64_t *count)
{
    *selection = (struct tg_selection){.rank = rank, .count = count};
    start_pass(selection);
}

void tg_selection_add(struct tg_selection *selection, size_t n, const double *x)
{
    int shift = DIGIT * (PASSES - 1 - selection->pass);
    for (size_t i = 0; i < n; i++) {
        uint64_t bits;
        memcpy(&bits, &x[i], sizeof(bits));
        /* Two shifts, for in the first pass there is nothing in front of the digit. */
        uint64_t front = bits >> shift >> (DIGIT - 1) >> 1;
        if (front == selection->prefix)
            selection->count[bits >> shift & (TG_SELECTION_COUNTS - 1)]++;
        else if (front > selection->prefix && bits < selection->above)
            selection->above = bits;
    }
}

static double number_of(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* The number after `digit`, which the last pass has found. */
static double after(const struct tg_selection *selection, int64_t digit)
{
    if (selection->rank + 1 < selection->count[digit])
        return selection->value;
    while (++digit < TG_SELECTION_COUNTS)
        if (selection->count[digit])
            return number_of(selection->prefix << DIGIT | (uint64_t)digit);
    return selection->above == UINT64_MAX ? NAN : number_of(selection->above);
}

bool tg_selection_done(struct tg_selection *selection)
{
    int64_t digit = 0;
    while (selection->rank >= selection->count[digit])
        selection->rank -= selection->count[digit++];
    if (++selection->pass == PASSES) {
        selection->value = number_of(selection->prefix << DIGIT | (uint64_t)digit);
        selection->next = after(selection, digit);
        return true;
    }
    selection->prefix = selection->prefix << DIGIT | (uint64_t)digit;
    start_pass(selection);
    return false;
}

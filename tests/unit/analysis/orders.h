/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every order of a few samples, one after another. */
#ifndef TG_TESTS_ORDERS_H
#define TG_TESTS_ORDERS_H

#include <stdbool.h>
#include <stdint.h>

static inline void swap(int64_t *a, int64_t *b)
{
    int64_t kept = *a;
    *a = *b;
    *b = kept;
}

/* The next order of 0 .. n-1 in the alphabet of orders; false after the last. */
static inline bool next_order(int64_t *order, int64_t n)
{
    int64_t i = n - 2, j = n - 1;
    while (i >= 0 && order[i] > order[i + 1])
        i--;
    if (i < 0)
        return false;
    while (order[j] < order[i])
        j--;
    swap(&order[i], &order[j]);
    for (j = n - 1, i++; i < j; i++, j--)
        swap(&order[i], &order[j]);
    return true;
}

#endif

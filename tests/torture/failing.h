/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Allocations that fail on demand.
 *
 * DESIGN. malloc and its kin are replaced in this program by counters in front of the C
 * library's own, or of AddressSanitizer's where it is built in. What libraries allocate is
 * counted too.
 */
#ifndef TG_TESTS_FAILING_H
#define TG_TESTS_FAILING_H

#include <stdbool.h>

void fail_mine(long n);   /* the n-th allocation of the calling thread from now on fails */
void fail_others(long n); /* the n-th of all other threads */
bool fail_stop(void);     /* no more; whether one has failed */

#endif

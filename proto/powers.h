/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Powers of five in 128 bits: what decimal numbers and doubles are turned into each other by.
 */
#ifndef TG_PROTO_POWERS_H
#define TG_PROTO_POWERS_H

#include <stdint.h>

/*
 * 10^-342 times any 64-bit mantissa rounds to zero; a subnormal needs 10^324 to become a whole
 * number of 17 digits.
 */
enum { TG_POWER_MIN = -342, TG_POWER_MAX = 324, TG_POWER_EXACT = 55 };

/* The leading 128 bits of a number, the highest bit set. */
struct tg_power {
    uint64_t high, low;
};

/*
 * 5^q for q in [TG_POWER_MIN, TG_POWER_MAX]: exact up to TG_POWER_EXACT, rounded up from -27 to
 * -1, cut off elsewhere.
 */
struct tg_power tg_power_of_five(int q);

#endif

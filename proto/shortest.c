/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Doubles to the shortest decimal that reads back as the same double, and of those the nearest.
 *
 * DESIGN. Everything between the middles to the two neighbours reads back as x. Scaled by a
 * power of ten so that this interval is between 2 and 20 wide, the answer is one of the four
 * whole numbers next to x, or next to it among the multiples of ten. The three ends are
 * computed to 64 bits with the lost bits kept as one sticky bit, which suffices to compare
 * them (Giulietti, "The Schubfach way to render doubles", 2020).
 */
#include "proto/buf.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "proto/powers.h"

enum { MANTISSA_BITS = 52, EXPONENT_BIAS = 1075, DIGITS_MAX = 17 };

/* digits * 10^exponent */
struct decimal {
    uint64_t digits;
    int exponent;
};

/* Floors, exact for every exponent of a double. */
static int log2_of_pow10(int e)
{
    return e * 1741647 >> 19;
}

static int log10_of_pow2(int e)
{
    return e * 1262611 >> 22;
}

static int log10_of_three_quarters_pow2(int e)
{
    return (e * 1262611 - 524031) >> 22;
}

/* The power rounded up where it is not exact. */
static struct tg_power ceil_power(int q)
{
    struct tg_power power = tg_power_of_five(q);
    if ((q > TG_POWER_EXACT || q < -27) && !++power.low)
        power.high++;
    return power;
}

/* The bits of power * c above 2^128, the last of them set if anything but rounding is below. */
static uint64_t round_to_odd(struct tg_power power, uint64_t c)
{
    uint64_t carried = (uint64_t)((unsigned __int128)power.low * c >> 64);
    unsigned __int128 y = (unsigned __int128)power.high * c + carried;
    return (uint64_t)(y >> 64) | ((uint64_t)y > 1);
}

/* x = c 2^q, c > 0; `uneven` when the neighbour below is half as far as the one above. */
static struct decimal shortest(uint64_t c, int q, bool uneven)
{
    bool odd = c & 1;
    int k = uneven ? log10_of_three_quarters_pow2(q) : log10_of_pow2(q);
    int h = q + log2_of_pow10(-k) + 1;
    struct tg_power power = ceil_power(-k);
    uint64_t middle = round_to_odd(power, 4 * c << h);
    uint64_t low = round_to_odd(power, (4 * c - (uneven ? 1 : 2)) << h) + odd;
    uint64_t high = round_to_odd(power, (4 * c + 2) << h) - odd;
    uint64_t s = middle / 4;
    if (s >= 10) {
        uint64_t tens = s / 10;
        bool below = low <= 40 * tens, above = 40 * tens + 40 <= high;
        if (below != above)
            return (struct decimal){tens + above, k + 1};
    }
    bool below = low <= 4 * s, above = 4 * s + 4 <= high;
    if (below != above)
        return (struct decimal){s + above, k};
    bool up = middle > 4 * s + 2 || (middle == 4 * s + 2 && s & 1);
    return (struct decimal){s + up, k};
}

static struct decimal decimal_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    uint64_t fraction = bits & ((UINT64_C(1) << MANTISSA_BITS) - 1);
    int biased = (int)(bits >> MANTISSA_BITS & 0x7ff);
    struct decimal decimal =
        biased ? shortest(fraction | UINT64_C(1) << MANTISSA_BITS, biased - EXPONENT_BIAS,
                          !fraction && biased > 1)
               : shortest(fraction, 1 - EXPONENT_BIAS, false);
    for (; decimal.digits % 10 == 0; decimal.exponent++)
        decimal.digits /= 10;
    return decimal;
}

/* 1.5, 0.0015 or 1500; what %g would write with as many digits as are needed. */
static char *write_plain(char *p, const char *digit, int n, int point)
{
    if (point <= 0) {
        *p++ = '0';
        *p++ = '.';
        for (; point < 0; point++)
            *p++ = '0';
        memcpy(p, digit, (size_t)n);
        return p + n;
    }
    for (int i = 0; i < n || i < point; i++) {
        if (i == point)
            *p++ = '.';
        *p++ = i < n ? digit[i] : '0';
    }
    return p;
}

static char *write_exponent(char *p, int exponent)
{
    *p++ = 'e';
    *p++ = exponent < 0 ? '-' : '+';
    exponent = exponent < 0 ? -exponent : exponent;
    if (exponent >= 100)
        *p++ = (char)('0' + exponent / 100);
    *p++ = (char)('0' + exponent / 10 % 10);
    *p++ = (char)('0' + exponent % 10);
    return p;
}

void tg_buf_double(struct tg_buf *buf, double x)
{
    char text[32], digits[DIGITS_MAX], *first = digits + DIGITS_MAX, *p = text;
    if (!isfinite(x)) {
        tg_buf_puts(buf, "null");
        return;
    }
    if (signbit(x))
        *p++ = '-';
    if (x == 0) {
        *p++ = '0';
        tg_buf_add(buf, text, (size_t)(p - text));
        return;
    }
    struct decimal decimal = decimal_of(x);
    for (; decimal.digits; decimal.digits /= 10)
        *--first = (char)('0' + decimal.digits % 10);
    int n = (int)(digits + DIGITS_MAX - first), point = n + decimal.exponent;
    if (point > -4 && point <= 16) {
        p = write_plain(p, first, n, point);
    } else {
        p = write_plain(p, first, n, 1);
        p = write_exponent(p, point - 1);
    }
    tg_buf_add(buf, text, (size_t)(p - text));
}

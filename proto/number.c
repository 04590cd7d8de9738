/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Decimal numbers to doubles, rounded as strtod rounds them.
 *
 * DESIGN. Three ways, from fast to certain. (1) A mantissa below 2^53 and a power of ten up
 * to 10^22 are exact doubles, so one multiplication or division rounds correctly (Clinger,
 * PLDI 1990). (2) Otherwise the mantissa is multiplied by a 128-bit approximation of the
 * power of five; the leading bits decide unless they lie too close to the middle between
 * two doubles (Lemire, "Number parsing at a gigabyte per second", 2021). (3) What is left
 * goes to strtod, shortened to 800 digits: the middle between two doubles never has more
 * than 767, so any further digit counts only as "a little more".
 */
#include "proto/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/powers.h"

/* More digits than these never change a double; see above. */
enum { WHOLE_DIGITS = 19, KEPT_DIGITS = 800 };

static double from_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

/*
 * mantissa * 10^q for a mantissa that is not 0; false when 128 bits cannot decide.
 * The product of the normalised mantissa with the power has its highest bit at 127 or 126;
 * 54 bits are kept, the last of them for rounding.
 */
static bool multiply(uint64_t mantissa, int64_t q, double *out)
{
    if (q < TG_POWER_MIN) {
        *out = 0;
        return true;
    }
    if (q > TG_POWER_MAX) {
        *out = __builtin_inf();
        return true;
    }
    const struct tg_power power = tg_power_of_five((int)q);
    int zeros = __builtin_clzll(mantissa);
    mantissa <<= zeros;
    unsigned __int128 product = (unsigned __int128)mantissa * power.high;
    uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
    if ((high & 0x1FF) == 0x1FF) { /* the low half of the power may carry into the kept bits */
        uint64_t more = (uint64_t)((unsigned __int128)mantissa * power.low >> 64);
        low += more;
        high += low < more;
    }
    if (low == UINT64_MAX && (q < -27 || q > 55))
        return false;

    int top = (int)(high >> 63), shift = top + 9;
    uint64_t kept = high >> shift;
    /* 217706 / 65536 approximates log2(10) well enough to give floor(q log2 10) here. */
    int64_t exponent = (217706 * q >> 16) + 63 + top - zeros + 1023;
    if (exponent <= 0) { /* subnormal: fewer bits are kept */
        if (exponent <= -63) {
            *out = 0;
            return true;
        }
        kept >>= 1 - exponent;
        kept += kept & 1;
        *out = from_bits(kept >> 1); /* a carry into bit 52 makes the smallest normal number */
        return true;
    }
    /* Exactly in the middle (only possible for these q): to even, so do not round up. */
    if (low <= 1 && q >= -4 && q <= 23 && (kept & 3) == 1 && kept << shift == high)
        kept--;
    kept += kept & 1;
    kept >>= 1;
    if (kept >> 53) {
        kept >>= 1;
        exponent++;
    }
    *out = exponent >= 2047 ? __builtin_inf()
                            : from_bits((kept & (UINT64_MAX >> 12)) | (uint64_t)exponent << 52);
    return true;
}

static double power_of_ten(int64_t q)
{
    static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    return exact[q];
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The digits of a number as text: [p, end) with one point somewhere or none. */
static double by_strtod(const char *p, const char *end, int64_t q)
{
    char text[KEPT_DIGITS + 32];
    int n = 0;
    bool more = false;
    for (; p < end; p++) {
        if (*p == '.')
            continue;
        if (n < KEPT_DIGITS)
            text[n++] = *p;
        else {
            more = more || *p != '0';
            q++;
        }
    }
    if (more) {
        text[n++] = '1';
        q--;
    }
    /* Exponents beyond these mean zero or infinity for any 801 digits. */
    q = q < -9999 ? -9999 : q > 9999 ? 9999 : q;
    text[n++] = 'e';
    if (q < 0)
        text[n++] = '-';
    for (int64_t unit = 1000, rest = q < 0 ? -q : q; unit; unit /= 10)
        text[n++] = (char)('0' + rest / unit % 10);
    text[n] = '\0';
    return strtod(text, NULL);
}

/*
 * More than 19 digits after leading zeros: the first 19 give a lower bound; when the upper
 * bound rounds to the same double, so does the number. `q` belongs to the whole digits.
 */
static double from_many_digits(const char *p, const char *end, int64_t q, int64_t ndigits)
{
    uint64_t mantissa = 0;
    const char *digit = p;
    for (int n = 0; n < WHOLE_DIGITS; digit++) {
        if (*digit == '.')
            continue;
        mantissa = mantissa * 10 + (uint64_t)(*digit - '0');
        n++;
    }
    double low, high;
    int64_t cut = q + ndigits - WHOLE_DIGITS;
    if (multiply(mantissa, cut, &low) && multiply(mantissa + 1, cut, &high) && low == high)
        return low;
    return by_strtod(p, end, q);
}

static double to_double(const char *p, const char *end, uint64_t mantissa, int64_t q,
                        int64_t ndigits)
{
    if (ndigits > WHOLE_DIGITS) {
        for (; p < end && (*p == '0' || *p == '.'); p++)
            ndigits -= *p == '0';
        if (ndigits > WHOLE_DIGITS)
            return from_many_digits(p, end, q, ndigits);
    }
    if (!mantissa)
        return 0;
    if (mantissa < 1ull << 53 && q >= -22 && q <= 22)
        return q < 0 ? (double)mantissa / power_of_ten(-q) : (double)mantissa * power_of_ten(q);
    double x;
    return multiply(mantissa, q, &x) ? x : by_strtod(p, end, q);
}

const char *tg_json_scan_number(const char *p, const char *end, double *out)
{
    bool negative = p < end && *p == '-';
    p += negative;
    const char *first = p;
    uint64_t mantissa = 0; /* wraps around after 19 digits and is not used then */
    if (p < end && *p == '0')
        p++;
    else
        for (; p < end && is_digit(*p); p++)
            mantissa = mantissa * 10 + (uint64_t)(*p - '0');
    if (p == first)
        return NULL;
    int64_t ndigits = p - first, q = 0;
    if (p < end && *p == '.') {
        const char *fraction = ++p;
        for (; p < end && is_digit(*p); p++)
            mantissa = mantissa * 10 + (uint64_t)(*p - '0');
        if (p == fraction)
            return NULL;
        ndigits += p - fraction;
        q = fraction - p;
    }
    const char *last = p;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        bool down = p < end && *p == '-';
        if (p < end && (*p == '-' || *p == '+'))
            p++;
        if (p == end || !is_digit(*p))
            return NULL;
        int64_t exponent = 0;
        for (; p < end && is_digit(*p); p++)
            if (exponent < INT64_MAX / 16)
                exponent = exponent * 10 + (*p - '0');
        q += down ? -exponent : exponent;
    }
    double x = to_double(first, last, mantissa, q, ndigits);
    *out = negative ? -x : x;
    return p;
}

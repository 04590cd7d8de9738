/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Powers of five, made once from whole numbers. */
#include "proto/powers.h"

#include <pthread.h>
#include <string.h>

static struct tg_power powers[TG_POWER_MAX - TG_POWER_MIN + 1];
static pthread_once_t powers_once = PTHREAD_ONCE_INIT;

/* A natural number of up to 1088 bits: 5^324 has 753, 2^1024 / 5^342 keeps 230 of 1025. */
enum { BIG_LIMBS = 17 };

/* The leading 128 bits below bit `top`, which is the highest bit set. */
static struct tg_power leading_bits(const uint64_t big[BIG_LIMBS])
{
    int limb = BIG_LIMBS - 1;
    while (!big[limb])
        limb--;
    uint64_t a = big[limb], b = limb > 0 ? big[limb - 1] : 0, c = limb > 1 ? big[limb - 2] : 0;
    int shift = __builtin_clzll(a);
    if (!shift)
        return (struct tg_power){a, b};
    return (struct tg_power){a << shift | b >> (64 - shift), b << shift | c >> (64 - shift)};
}

/*
 * Powers of five exactly, then cut to 128 bits. Negative ones are floor(2^1024 / 5^n) by
 * repeated division (floors of floors are exact); up to 5^-27 they are rounded up instead
 * of down, which makes products with exact decimal fractions fall on the right side.
 */
static void make_powers(void)
{
    uint64_t big[BIG_LIMBS] = {1};
    for (int q = 0; q <= TG_POWER_MAX; q++) {
        powers[q - TG_POWER_MIN] = leading_bits(big);
        uint64_t carry = 0;
        for (int i = 0; i < BIG_LIMBS; i++) {
            unsigned __int128 product = (unsigned __int128)big[i] * 5 + carry;
            big[i] = (uint64_t)product;
            carry = (uint64_t)(product >> 64);
        }
    }
    memset(big, 0, sizeof(big));
    big[BIG_LIMBS - 1] = 1;
    for (int q = -1; q >= TG_POWER_MIN; q--) {
        uint64_t rest = 0;
        for (int i = BIG_LIMBS - 1; i >= 0; i--) {
            unsigned __int128 part = (unsigned __int128)rest << 64 | big[i];
            big[i] = (uint64_t)(part / 5);
            rest = (uint64_t)(part % 5);
        }
        struct tg_power power = leading_bits(big);
        if (q >= -27 && !++power.low)
            power.high++;
        powers[q - TG_POWER_MIN] = power;
    }
}

struct tg_power tg_power_of_five(int q)
{
    pthread_once(&powers_once, make_powers);
    return powers[q - TG_POWER_MIN];
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Ids: ULIDs, 48 bits of milliseconds and 80 random bits in Crockford's base 32.
 *
 * DESIGN. Ids must sort by time of creation, because lists are paged by them. Within a
 * millisecond, and while the clock stands behind the last id (it was set back, or an
 * earlier life ran with a faster one), the random part is counted up instead.
 */
#include "server/store_private.h"

#include <string.h>

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* 128 bits as 26 digits of 5 bits; the first has 3. */
static void encode(uint64_t ms, const unsigned char random[10], char id[TG_ID_SIZE])
{
    unsigned char bytes[16];
    for (int i = 0; i < 6; i++)
        bytes[i] = (unsigned char)(ms >> (40 - 8 * i));
    memcpy(bytes + 6, random, 10);
    for (int digit = 0; digit < 26; digit++) {
        unsigned value = 0;
        for (int bit = digit * 5 - 2; bit < digit * 5 + 3; bit++)
            value = value << 1 | (bit < 0 ? 0U : bytes[bit / 8] >> (7 - bit % 8) & 1U);
        id[digit] = digits[value];
    }
    id[26] = 0;
}

/* The next larger random part; false after the last. */
static bool increment(unsigned char random[10])
{
    for (int i = 9; i >= 0; i--) {
        if (++random[i])
            return true;
    }
    return false;
}

enum tg_err tg_store_make_id(struct tg_store *store, char id[TG_ID_SIZE])
{
    unsigned char fresh[10];
    if (!tg_random_bytes(fresh, sizeof fresh))
        return TG_INTERNAL;
    uint64_t ms = (uint64_t)(tg_store_now() * 1e3);
    pthread_mutex_lock(&store->id_mu);
    if (ms > store->id_ms || !increment(store->id_random)) {
        store->id_ms = ms > store->id_ms ? ms : store->id_ms + 1;
        memcpy(store->id_random, fresh, sizeof fresh);
    }
    encode(store->id_ms, store->id_random, id);
    pthread_mutex_unlock(&store->id_mu);
    return TG_OK;
}

void tg_store_seed_id(struct tg_store *store, const char *last_id)
{
    uint64_t ms = 0;
    for (int i = 0; i < 10; i++) {
        const char *digit = last_id[i] ? strchr(digits, last_id[i]) : NULL;
        if (!digit)
            return;
        ms = ms << 5 | (uint64_t)(digit - digits);
    }
    store->id_ms = ms;
    memset(store->id_random, 0xff, sizeof store->id_random);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Philox4x32-10 and the draws made from it.
 *
 * DESIGN. A block of counter (block index, stream) gives 128 bits: two uniform doubles.
 * Draw i is half i % 2 of block i / 2; normals take the two uniforms of one block through
 * Box-Muller, so draw i again depends on block i / 2 only.
 */
#include "core/rng.h"

#include <math.h>

void tg_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = UINT64_C(0xD2511F53) * c0;
        uint64_t p1 = UINT64_C(0xCD9E8D57) * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* The top 53 of 64 bits, moved to the middle of their cell: never 0, never 1. */
static double to_uniform(uint32_t lo, uint32_t hi)
{
    uint64_t bits = ((uint64_t)hi << 32 | lo) >> 12; /* 52 bits, so that + 0.5 is exact */
    return ((double)bits + 0.5) * 0x1p-52;
}

static void block_uniforms(uint64_t seed, uint64_t stream, uint64_t block, double u[2])
{
    uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)stream,
                           (uint32_t)(stream >> 32)};
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t out[4];
    tg_philox(counter, key, out);
    u[0] = to_uniform(out[0], out[1]);
    u[1] = to_uniform(out[2], out[3]);
}

static void block_normals(uint64_t seed, uint64_t stream, uint64_t block, double z[2])
{
    double u[2];
    block_uniforms(seed, stream, block, u);
    double radius = sqrt(-2.0 * log(u[0]));
    double angle = 2.0 * 3.14159265358979323846 * u[1];
    z[0] = radius * cos(angle);
    z[1] = radius * sin(angle);
}

static void draw(void (*block)(uint64_t, uint64_t, uint64_t, double *), uint64_t seed,
                 uint64_t stream, uint64_t first, size_t n, double *out)
{
    double pair[2];
    for (size_t i = 0; i < n; i++) {
        uint64_t index = first + i;
        if (i == 0 || index % 2 == 0)
            block(seed, stream, index / 2, pair);
        out[i] = pair[index % 2];
    }
}

void tg_rng_uniform(uint64_t seed, uint64_t stream, uint64_t first, size_t n, double *out)
{
    draw(block_uniforms, seed, stream, first, n, out);
}

void tg_rng_normal(uint64_t seed, uint64_t stream, uint64_t first, size_t n, double *out)
{
    draw(block_normals, seed, stream, first, n, out);
}

void tg_rng_order(uint64_t seed, uint64_t stream, size_t n, int64_t *order)
{
    enum { DRAWS = 512 };
    double u[DRAWS];
    for (size_t i = 0; i < n; i++)
        order[i] = (int64_t)i;
    for (size_t i = 0; i + 1 < n; i++) {
        if (i % DRAWS == 0)
            tg_rng_uniform(seed, stream, i, DRAWS, u);
        size_t j = i + (size_t)(u[i % DRAWS] * (double)(n - i));
        int64_t other = order[j];
        order[j] = order[i];
        order[i] = other;
    }
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Half precision to float. */
#include "core/half.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

float tg_half_bf16(uint16_t bits)
{
    return from_bits((uint32_t)bits << 16);
}

/* Normal numbers by moving the fields, subnormals as m 2^-24. */
float tg_half_f16(uint16_t bits)
{
    uint32_t sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 31, mantissa = bits & 1023;
    if (exponent == 0) {
        float x = (float)mantissa * 0x1p-24F;
        return sign ? -x : x;
    }
    uint32_t wide = exponent == 31 ? 255 : exponent + 112;
    return from_bits(sign | wide << 23 | mantissa << 13);
}

/* Eight at a time; how many there were. */
#if defined(__x86_64__)
__attribute__((target("avx2,f16c"))) static size_t quick_f16(const unsigned char *from,
                                                             size_t n, float *to)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(to + i,
                         _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(from + 2 * i))));
    return i;
}

__attribute__((target("avx2"))) static size_t quick_bf16(const unsigned char *from, size_t n,
                                                         float *to)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256i wide =
            _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(from + 2 * i)));
        _mm256_storeu_ps(to + i, _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16)));
    }
    return i;
}

static bool is_quick(void)
{
    return __builtin_cpu_supports("avx2");
}
#else
#define quick_f16(from, n, to) 0
#define quick_bf16(from, n, to) 0
#define is_quick() false
#endif

#define DEFINE_READ(name, quick, one)                                                    \
    void name(const void *from, size_t n, float *to)                                     \
    {                                                                                    \
        const unsigned char *bytes = from;                                               \
        for (size_t i = is_quick() ? quick(bytes, n, to) : 0; i < n; i++) {              \
            uint16_t bits;                                                               \
            memcpy(&bits, bytes + 2 * i, 2);                                             \
            to[i] = one(bits);                                                           \
        }                                                                                \
    }

DEFINE_READ(tg_half_read_f16, quick_f16, tg_half_f16)
DEFINE_READ(tg_half_read_bf16, quick_bf16, tg_half_bf16)

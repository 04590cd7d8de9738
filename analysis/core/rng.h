/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011).
 *
 * DESIGN. Draw number i of stream s under seed k is a pure function of (k, s, i); any
 * thread can make any part of a sequence, and results do not depend on who made it.
 */
#ifndef TG_CORE_RNG_H
#define TG_CORE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* One Philox4x32-10 block, the published function. */
void tg_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* n uniform doubles in (0, 1), 52 bits each: draws first .. first + n of the stream. */
void tg_rng_uniform(uint64_t seed, uint64_t stream, uint64_t first, size_t n, double *out);

/* n standard normal doubles (Box-Muller on the uniforms of the same draws). */
void tg_rng_normal(uint64_t seed, uint64_t stream, uint64_t first, size_t n, double *out);

/* The numbers 0 .. n - 1 in a random order (Fisher and Yates), from n draws of the stream. */
void tg_rng_order(uint64_t seed, uint64_t stream, size_t n, int64_t *order);

#endif

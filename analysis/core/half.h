/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Half precision: rows of IEEE binary16 and of bfloat16 as float, which holds each exactly.
 *
 * DESIGN. Eight numbers at a time where the processor can (AVX2, and the conversions that all
 * processors with AVX2 have), else one by one. NaN stays NaN.
 */
#ifndef TG_CORE_HALF_H
#define TG_CORE_HALF_H

#include <stddef.h>
#include <stdint.h>

/* to[0 .. n) := n numbers of two bytes in the machine's order, aligned or not. */
void tg_half_read_f16(const void *from, size_t n, float *to);
void tg_half_read_bf16(const void *from, size_t n, float *to);

/* One number from its bits. */
float tg_half_f16(uint16_t bits);
float tg_half_bf16(uint16_t bits);

#endif

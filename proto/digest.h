/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SHA-256 (libcrypto) as 64 lower-case hex digits, base64 decoding, constant-time compare. */
#ifndef TG_PROTO_DIGEST_H
#define TG_PROTO_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

enum { TG_SHA256_HEX = 65 };

struct tg_sha256;
struct tg_sha256 *tg_sha256_new(void); /* NULL without memory */
void tg_sha256_add(struct tg_sha256 *sha, const void *p, size_t n);
void tg_sha256_end(struct tg_sha256 *sha, char hex[TG_SHA256_HEX]);
void tg_sha256_free(struct tg_sha256 *sha);
void tg_sha256_hex(const void *p, size_t n, char hex[TG_SHA256_HEX]);
bool tg_sha256_is_hex(const char *text); /* exactly 64 lower-case hex digits */

/* Decoded length, or -1 when the text is not base64; out has room for n * 3 / 4 + 3 bytes. */
long tg_base64_decode(const char *text, size_t n, unsigned char *out);
bool tg_equal_constant_time(const void *a, const void *b, size_t n);
/* n random bytes; false if the system has none. */
bool tg_random_bytes(void *p, size_t n);

#endif

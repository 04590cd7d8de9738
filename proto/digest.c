/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Digests, base64 and random bytes on libcrypto. */
/* libcrypto would have its low-level digests go; they alone need no memory and cannot fail. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "proto/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

struct tg_sha256 {
    EVP_MD_CTX *evp;
};

static void to_hex(const unsigned char *p, size_t n, char *hex)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        hex[2 * i] = digits[p[i] >> 4];
        hex[2 * i + 1] = digits[p[i] & 15];
    }
    hex[2 * n] = '\0';
}

struct tg_sha256 *tg_sha256_new(void)
{
    struct tg_sha256 *sha = malloc(sizeof(*sha));
    if (!sha)
        return NULL;
    sha->evp = EVP_MD_CTX_new();
    if (!sha->evp || !EVP_DigestInit_ex(sha->evp, EVP_sha256(), NULL)) {
        tg_sha256_free(sha);
        return NULL;
    }
    return sha;
}

void tg_sha256_add(struct tg_sha256 *sha, const void *p, size_t n)
{
    EVP_DigestUpdate(sha->evp, p, n);
}

void tg_sha256_end(struct tg_sha256 *sha, char hex[TG_SHA256_HEX])
{
    unsigned char md[32];
    EVP_DigestFinal_ex(sha->evp, md, NULL);
    to_hex(md, sizeof(md), hex);
}

void tg_sha256_free(struct tg_sha256 *sha)
{
    if (!sha)
        return;
    EVP_MD_CTX_free(sha->evp);
    free(sha);
}

void tg_sha256_hex(const void *p, size_t n, char hex[TG_SHA256_HEX])
{
    unsigned char md[32];
    SHA256_CTX sha;
    SHA256_Init(&sha);
    SHA256_Update(&sha, p, n);
    SHA256_Final(md, &sha);
    to_hex(md, sizeof(md), hex);
}

bool tg_sha256_is_hex(const char *text)
{
    return strspn(text, "0123456789abcdef") == 64 && !text[64];
}

long tg_base64_decode(const char *text, size_t n, unsigned char *out)
{
    if (n % 4 || n > 1u << 30)
        return -1;
    if (!n)
        return 0;
    size_t padding = text[n - 1] != '=' ? 0 : text[n - 2] != '=' ? 1 : 2;
    /* The decoder itself would take white space and inner padding. */
    for (size_t i = 0; i < n - padding; i++) {
        char c = text[i];
        bool fine = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                    (c >= '0' && c <= '9') || c == '+' || c == '/';
        if (!fine)
            return -1;
    }
    int length = EVP_DecodeBlock(out, (const unsigned char *)text, (int)n);
    return length < 0 ? -1 : length - (long)padding;
}

bool tg_equal_constant_time(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

bool tg_random_bytes(void *p, size_t n)
{
    return n <= 1u << 20 && RAND_bytes(p, (int)n) == 1;
}

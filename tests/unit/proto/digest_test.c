/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "../suite.h"

#include <string.h>

#include "proto/digest.h"

Suite *digest_suite(void);

/* FIPS 180-4 examples as published by NIST. */
static const struct {
    const char *text, *sha256;
} vectors[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

START_TEST(sha256_matches_the_published_vectors)
{
    const char *text = vectors[_i].text;
    char hex[TG_SHA256_HEX];
    tg_sha256_hex(text, strlen(text), hex);
    ck_assert_str_eq(hex, vectors[_i].sha256);
    ck_assert(tg_sha256_is_hex(hex));

    struct tg_sha256 *sha = tg_sha256_new();
    ck_assert_ptr_nonnull(sha);
    for (const char *p = text; *p; p++)
        tg_sha256_add(sha, p, 1);
    tg_sha256_end(sha, hex);
    tg_sha256_free(sha);
    ck_assert_str_eq(hex, vectors[_i].sha256);
}
END_TEST

START_TEST(only_64_lower_case_digits_are_a_digest)
{
    char hex[80];
    memcpy(hex, vectors[0].sha256, TG_SHA256_HEX);
    hex[0] = 'E';
    ck_assert(!tg_sha256_is_hex(hex));
    hex[0] = 'g';
    ck_assert(!tg_sha256_is_hex(hex));
    hex[0] = 'e';
    hex[63] = '\0';
    ck_assert(!tg_sha256_is_hex(hex));
    memcpy(hex + 63, "00", 3);
    ck_assert(!tg_sha256_is_hex(hex));
    ck_assert(!tg_sha256_is_hex(""));
}
END_TEST

/* RFC 4648, section 10; NULL where decoding must fail. */
static const struct {
    const char *text, *bytes;
} base64[] = {
    {"", ""},           {"Zg==", "f"},     {"Zm8=", "fo"},      {"Zm9v", "foo"},
    {"Zm9vYg==", "foob"}, {"Zm9vYmE=", "fooba"}, {"Zm9vYmFy", "foobar"}, {"+/+/", "\xFB\xFF\xBF"},
    {"Zg=", NULL},      {"Zg", NULL},      {"Z===", NULL},      {"====", NULL},
    {"Zm 9", NULL},     {"Zg==Zg==", NULL}, {"Zm9\n", NULL},    {"-_-_", NULL},
};

START_TEST(base64_is_decoded_strictly)
{
    unsigned char out[32];
    long n = tg_base64_decode(base64[_i].text, strlen(base64[_i].text), out);
    if (!base64[_i].bytes) {
        ck_assert_int_eq(n, -1);
        return;
    }
    ck_assert_int_eq(n, strlen(base64[_i].bytes));
    ck_assert_mem_eq(out, base64[_i].bytes, (size_t)n);
}
END_TEST

START_TEST(comparison_sees_every_byte)
{
    ck_assert(tg_equal_constant_time("abcd", "abcd", 4));
    ck_assert(!tg_equal_constant_time("abcd", "abce", 4));
    ck_assert(!tg_equal_constant_time("abcd", "bbcd", 4));
    ck_assert(tg_equal_constant_time("a", "b", 0));
}
END_TEST

START_TEST(random_bytes_differ)
{
    unsigned char a[32], b[32];
    ck_assert(tg_random_bytes(a, sizeof(a)));
    ck_assert(tg_random_bytes(b, sizeof(b)));
    ck_assert(memcmp(a, b, sizeof(a)));
}
END_TEST

Suite *digest_suite(void)
{
    Suite *suite = suite_create("proto/digest");
    TCase *tc = tcase_create("digest");
    tcase_add_loop_test(tc, sha256_matches_the_published_vectors, 0,
                        sizeof(vectors) / sizeof(vectors[0]));
    tcase_add_test(tc, only_64_lower_case_digits_are_a_digest);
    tcase_add_loop_test(tc, base64_is_decoded_strictly, 0, sizeof(base64) / sizeof(base64[0]));
    tcase_add_test(tc, comparison_sees_every_byte);
    tcase_add_test(tc, random_bytes_differ);
    suite_add_tcase(suite, tc);
    return suite;
}

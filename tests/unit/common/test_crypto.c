/* SPDX-License-Identifier: MIT */
#include "base/crypto.h"

#include "base/text.h"
#include "support/unit.h"

static void assert_hex(const uint8_t *digest, size_t len, const char *expected)
{
    char text[65];

    text_hex(span_of(digest, len), text);
    ck_assert_str_eq(text, expected);
}

/* A span of `len` bytes `c`; static storage. */
static struct span repeated(int c, size_t len)
{
    static uint8_t bytes[4][200];
    static size_t next;
    uint8_t *p = bytes[next++ % 4];

    ck_assert_uint_le(len, 200);
    memset(p, c, len);
    return span_of(p, len);
}

START_TEST(md5_test_vectors_of_rfc_1321)
{
    static const struct {
        const char *message;
        const char *digest;
    } rows[] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"a", "0cc175b9c0f1b6a831c399e269772661"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
        {"1234567890123456789012345678901234567890"
         "1234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"},
    };
    uint8_t out[CRYPTO_MD5_SIZE];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct span message = span_str(rows[i].message);

        crypto_md5(&message, 1, out);
        assert_hex(out, sizeof(out), rows[i].digest);
    }
}
END_TEST

START_TEST(sha1_and_sha256_test_vectors_of_fips_180)
{
    static const struct {
        const char *message;
        const char *sha1;
        const char *sha256;
    } rows[] = {
        {"", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d",
         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct span message = span_str(rows[i].message);
        uint8_t sha1[CRYPTO_SHA1_SIZE];
        uint8_t sha256[CRYPTO_SHA256_SIZE];

        crypto_sha1(&message, 1, sha1);
        assert_hex(sha1, sizeof(sha1), rows[i].sha1);
        crypto_sha256(&message, 1, sha256);
        assert_hex(sha256, sizeof(sha256), rows[i].sha256);
    }
}
END_TEST

START_TEST(parts_are_one_message)
{
    const struct span parts[] = {span_str("a"), {NULL, 0}, span_str("bc")};
    const struct span whole = span_str("abc");
    const struct span key = span_str("key");
    uint8_t a[CRYPTO_SHA256_SIZE] = {0};
    uint8_t b[CRYPTO_SHA256_SIZE] = {0};

    crypto_md5(parts, 3, a);
    crypto_md5(&whole, 1, b);
    ck_assert_mem_eq(a, b, CRYPTO_MD5_SIZE);
    crypto_sha1(parts, 3, a);
    crypto_sha1(&whole, 1, b);
    ck_assert_mem_eq(a, b, CRYPTO_SHA1_SIZE);
    crypto_sha256(parts, 3, a);
    crypto_sha256(&whole, 1, b);
    ck_assert_mem_eq(a, b, CRYPTO_SHA256_SIZE);
    crypto_hmac_sha1(key, parts, 3, a);
    crypto_hmac_sha1(key, &whole, 1, b);
    ck_assert_mem_eq(a, b, CRYPTO_SHA1_SIZE);
    crypto_hmac_sha256(key, parts, 3, a);
    crypto_hmac_sha256(key, &whole, 1, b);
    ck_assert_mem_eq(a, b, CRYPTO_SHA256_SIZE);
}
END_TEST

START_TEST(no_parts_are_the_empty_message)
{
    uint8_t out[CRYPTO_SHA1_SIZE];

    crypto_sha1(NULL, 0, out);
    assert_hex(out, sizeof(out), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    crypto_hmac_sha1((struct span){NULL, 0}, NULL, 0, out);
    assert_hex(out, sizeof(out), "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
}
END_TEST

/* RFC 2202 section 3 */
START_TEST(hmac_sha1_test_vectors)
{
    struct {
        struct span key;
        struct span data;
        const char *digest;
    } rows[] = {
        {repeated(0x0b, 20), span_str("Hi There"),
         "b617318655057264e28bc0b6fb378c8ef146be00"},
        {span_str("Jefe"), span_str("what do ya want for nothing?"),
         "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
        {repeated(0xaa, 20), repeated(0xdd, 50),
         "125d7342b9ac11cd91a39af48aa17b4f63f175d3"},
        {repeated(0xaa, 80),
         span_str("Test Using Larger Than Block-Size Key - Hash Key First"),
         "aa4ae5e15272d00e95705637ce8a3b55ed402112"},
    };
    uint8_t out[CRYPTO_SHA1_SIZE];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        crypto_hmac_sha1(rows[i].key, &rows[i].data, 1, out);
        assert_hex(out, sizeof(out), rows[i].digest);
    }
}
END_TEST

/* RFC 4231 section 4 */
START_TEST(hmac_sha256_test_vectors)
{
    struct {
        struct span key;
        struct span data;
        const char *digest;
    } rows[] = {
        {repeated(0x0b, 20), span_str("Hi There"),
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {span_str("Jefe"), span_str("what do ya want for nothing?"),
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {repeated(0xaa, 20), repeated(0xdd, 50),
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {repeated(0xaa, 131),
         span_str("Test Using Larger Than Block-Size Key - Hash Key First"),
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    };
    uint8_t out[CRYPTO_SHA256_SIZE];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        crypto_hmac_sha256(rows[i].key, &rows[i].data, 1, out);
        assert_hex(out, sizeof(out), rows[i].digest);
    }
}
END_TEST

/* A key of exactly one block is used as it is, one byte more is hashed. */
START_TEST(hmac_keys_around_the_block_size)
{
    struct span data = span_str("data");
    uint8_t direct[CRYPTO_SHA1_SIZE];
    uint8_t hashed[CRYPTO_SHA1_SIZE];
    struct span key = repeated('k', 65);
    uint8_t digest[CRYPTO_SHA1_SIZE];

    crypto_sha1(&key, 1, digest);
    crypto_hmac_sha1(key, &data, 1, direct);
    crypto_hmac_sha1(span_of(digest, sizeof(digest)), &data, 1, hashed);
    ck_assert_mem_eq(direct, hashed, sizeof(direct));
    crypto_hmac_sha1(repeated('k', 64), &data, 1, direct);
    assert_hex(direct, sizeof(direct),
               "fd6ac0544a139c8a65af3b45cd347d1f8d6fc5c2");
}
END_TEST

/* NIST SP 800-38A F.5.1, and the way back. */
START_TEST(aes_counter_mode_vector)
{
    static const uint8_t key[] = {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae,
                                  0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88,
                                  0x09, 0xcf, 0x4f, 0x3c};
    static const uint8_t counter[] = {0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5,
                                      0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb,
                                      0xfc, 0xfd, 0xfe, 0xff};
    static const uint8_t plain[] = {
        0x6b, 0xc1, 0xbe, 0xe2, 0x2e, 0x40, 0x9f, 0x96, 0xe9, 0x3d, 0x7e,
        0x11, 0x73, 0x93, 0x17, 0x2a, 0xae, 0x2d, 0x8a, 0x57, 0x1e, 0x03};
    static const uint8_t cipher[] = {
        0x87, 0x4d, 0x61, 0x91, 0xb6, 0x20, 0xe3, 0x26, 0x1b, 0xef, 0x68,
        0x64, 0x99, 0x0d, 0xb6, 0xce, 0x98, 0x06, 0xf6, 0x6b, 0x79, 0x70};
    uint8_t out[sizeof(plain)];

    crypto_aes_ctr(key, counter, span_of(plain, sizeof(plain)), out);
    ck_assert_mem_eq(out, cipher, sizeof(out));
    crypto_aes_ctr(key, counter, span_of(out, sizeof(out)), out);
    ck_assert_mem_eq(out, plain, sizeof(out));
}
END_TEST

START_TEST(crc32_check_values)
{
    ck_assert_uint_eq(crypto_crc32(span_str("123456789")), 0xcbf43926);
    ck_assert_uint_eq(crypto_crc32(span_str("")), 0);
    ck_assert_uint_eq(crypto_crc32(repeated(0, 32)), 0x190a55ad);
    ck_assert_uint_eq(crypto_crc32(repeated(0xff, 32)), 0xff6cab0b);
}
END_TEST

START_TEST(random_bytes_differ_and_stay_within_bounds)
{
    uint8_t a[34] = {0};
    uint8_t b[34] = {0};

    crypto_random(a + 1, 32);
    crypto_random(b + 1, 32);
    ck_assert_mem_ne(a, b, sizeof(a));
    ck_assert_uint_eq(a[0] | a[33] | b[0] | b[33], 0);
    crypto_random(NULL, 0);
}
END_TEST

START_TEST(large_random_requests_are_filled)
{
    enum { LEN = 100000 };
    uint8_t *data = mem_zalloc(LEN);
    size_t zeros = 0;

    crypto_random(data, LEN);
    for (size_t i = 0; i < LEN; i++)
        zeros += data[i] == 0;
    ck_assert_uint_lt(zeros, 1000); /* 391 expected */
    mem_free(data);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("crypto");
    TCase *tc = tcase_create("crypto");

    tcase_add_test(tc, aes_counter_mode_vector);
    tcase_add_test(tc, md5_test_vectors_of_rfc_1321);
    tcase_add_test(tc, sha1_and_sha256_test_vectors_of_fips_180);
    tcase_add_test(tc, parts_are_one_message);
    tcase_add_test(tc, no_parts_are_the_empty_message);
    tcase_add_test(tc, hmac_sha1_test_vectors);
    tcase_add_test(tc, hmac_sha256_test_vectors);
    tcase_add_test(tc, hmac_keys_around_the_block_size);
    tcase_add_test(tc, crc32_check_values);
    tcase_add_test(tc, random_bytes_differ_and_stay_within_bounds);
    tcase_add_test(tc, large_random_requests_are_filled);
    suite_add_tcase(suite, tc);
    return suite;
}

/* SPDX-License-Identifier: MIT */
#include "stun/stun_auth.h"

#include "base/text.h"
#include "support/unit.h"
#include "support/vectors.h"

/* U+30DE U+30C8 U+30EA U+30C3 U+30AF U+30B9 */
static const char matrix[] = "\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa"
                             "\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9";

static struct stun_key short_term(const char *password)
{
    struct stun_key key = {.len = (uint8_t)strlen(password)};

    memcpy(key.bytes, password, key.len);
    return key;
}

/* A vector is right as it stands, and wrong after any single bit is flipped
 * in front of its integrity. */
static void assert_vector(struct span raw, enum stun_integrity kind,
                          const struct stun_key *key)
{
    struct stun_msg msg;
    size_t end;

    ck_assert_int_eq(stun_msg_read(&msg, raw), 0);
    ck_assert_int_eq(stun_integrity_of(&msg), kind);
    ck_assert(stun_check_integrity(&msg, kind, key));
    ck_assert(stun_check_fingerprint(&msg));
    end = msg.attr[kind == STUN_INTEGRITY_SHA256 ? STUN_MESSAGE_INTEGRITY_SHA256
                                                 : STUN_MESSAGE_INTEGRITY]
              .at;
    for (size_t i = 0; i < end + 4; i++) {
        uint8_t *byte = (uint8_t *)(uintptr_t)raw.ptr + i;

        *byte ^= 1;
        if (stun_msg_read(&msg, raw) == 0)
            ck_assert_msg(!stun_check_integrity(&msg, kind, key), "byte %zu",
                          i);
        *byte ^= 1;
    }
}

START_TEST(rfc5769_2_1_sample_request)
{
    struct span raw = vectors_read_hex("stun/rfc5769-2.1-request.hex");
    struct stun_key key = short_term("VOkJxbRl1RmTxUk/WvJxBt");
    struct stun_msg msg;

    assert_vector(raw, STUN_INTEGRITY_SHA1, &key);
    ck_assert_int_eq(stun_msg_read(&msg, raw), 0);
    ck_assert_span_eq(stun_msg_attr(&msg, STUN_USERNAME), "evtj:h6vY");
    ck_assert_span_eq(stun_msg_attr(&msg, STUN_SOFTWARE), "STUN test client");
    vectors_free(raw);
}
END_TEST

static void assert_response(const char *file, const char *address)
{
    struct span raw = vectors_read_hex(file);
    struct stun_key key = short_term("VOkJxbRl1RmTxUk/WvJxBt");
    struct stun_msg msg;
    struct addr got, want;

    assert_vector(raw, STUN_INTEGRITY_SHA1, &key);
    ck_assert_int_eq(stun_msg_read(&msg, raw), 0);
    ck_assert_int_eq(
        stun_attr_xor_addr(&msg, stun_msg_attr(&msg, STUN_XOR_MAPPED_ADDRESS),
                           &got),
        0);
    ck_assert_int_eq(addr_parse(span_str(address), &want), 0);
    ck_assert(addr_equal(&got, &want));
    vectors_free(raw);
}

START_TEST(rfc5769_2_2_ipv4_response)
{
    assert_response("stun/rfc5769-2.2-ipv4-response.hex", "192.0.2.1:32853");
}
END_TEST

START_TEST(rfc5769_2_3_ipv6_response)
{
    assert_response("stun/rfc5769-2.3-ipv6-response.hex",
                    "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
}
END_TEST

START_TEST(rfc5769_2_4_long_term_request)
{
    struct span raw =
        vectors_read_hex("stun/rfc5769-2.4-long-term-request.hex");
    struct stun_key key;

    stun_key_make(STUN_ALGORITHM_MD5, span_str(matrix), span_str("example.org"),
                  span_str("TheMatrIX"), &key);
    assert_vector(raw, STUN_INTEGRITY_SHA1, &key);
    vectors_free(raw);
}
END_TEST

START_TEST(rfc8489_b_1_userhash_and_sha256)
{
    struct span raw = vectors_read_hex("stun/rfc8489-b.1-userhash-sha256.hex");
    struct stun_key key;
    struct stun_msg msg;
    uint8_t hash[32];

    stun_key_make(STUN_ALGORITHM_SHA256, span_str(matrix),
                  span_str("example.org"), span_str("TheMatrIX"), &key);
    assert_vector(raw, STUN_INTEGRITY_SHA256, &key);
    ck_assert_int_eq(stun_msg_read(&msg, raw), 0);
    stun_userhash(span_str(matrix), span_str("example.org"), hash);
    ck_assert(span_equal(stun_msg_attr(&msg, STUN_USERHASH),
                         span_of(hash, sizeof(hash))));
    vectors_free(raw);
}
END_TEST

START_TEST(writes_the_vectors_byte_by_byte)
{
    struct span raw = vectors_read_hex("stun/rfc5769-2.1-request.hex");
    struct stun_key key = short_term("VOkJxbRl1RmTxUk/WvJxBt");
    struct stun_writer w;
    struct stun_msg msg;
    uint8_t out[256];

    /* everything up to the integrity as it is, integrity and fingerprint
     * made anew */
    ck_assert_int_eq(stun_msg_read(&msg, raw), 0);
    stun_write_start(&w, out, sizeof(out), STUN_REQUEST, STUN_BINDING,
                     stun_msg_tid(&msg));
    wire_put(&w.wire, span_of(raw.ptr + 20,
                              msg.attr[STUN_MESSAGE_INTEGRITY].at - 4U - 20U));
    stun_write_integrity(&w, STUN_INTEGRITY_SHA1, &key);
    stun_write_fingerprint(&w);
    ck_assert_int_eq(stun_write_finish(&w), (int)raw.len);
    ck_assert_mem_eq(out, raw.ptr, raw.len);
    vectors_free(raw);
}
END_TEST

static size_t write_sha256(uint8_t *out, size_t size, size_t mac_len)
{
    static const uint8_t tid[STUN_TID_SIZE];
    struct stun_key key = short_term("secret");
    struct stun_writer w;

    stun_write_start(&w, out, size, STUN_REQUEST, STUN_BINDING, tid);
    stun_write_integrity(&w, STUN_INTEGRITY_SHA256, &key);
    (void)stun_write_finish(&w);
    wire_store_u16(out + 2, (uint16_t)(4 + mac_len));
    wire_store_u16(out + 22, (uint16_t)mac_len);
    return STUN_HEADER_SIZE + 4 + mac_len;
}

START_TEST(refuses_integrity_that_is_too_short)
{
    static const size_t sizes[] = {0, 4, 12, 36};
    struct stun_key key = short_term("secret");
    struct stun_msg msg;
    uint8_t out[128] = {0};

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        size_t len = write_sha256(out, sizeof(out), sizes[i]);

        ck_assert_int_eq(stun_msg_read(&msg, span_of(out, len)), 0);
        ck_assert(!stun_check_integrity(&msg, STUN_INTEGRITY_SHA256, &key));
    }
    ck_assert(!stun_check_integrity(&msg, STUN_INTEGRITY_SHA1, &key));
    ck_assert(!stun_check_integrity(&msg, STUN_INTEGRITY_NONE, &key));
}
END_TEST

START_TEST(wants_the_fingerprint_at_the_end)
{
    static const uint8_t tid[STUN_TID_SIZE];
    struct stun_writer w;
    struct stun_msg msg;
    uint8_t out[128];

    stun_write_start(&w, out, sizeof(out), STUN_REQUEST, STUN_BINDING, tid);
    stun_write_fingerprint(&w);
    ck_assert_int_eq(
        stun_msg_read(&msg, span_of(out, (size_t)stun_write_finish(&w))), 0);
    ck_assert(stun_check_fingerprint(&msg));
    stun_write(&w, STUN_SOFTWARE, span_str("x"));
    ck_assert_int_eq(
        stun_msg_read(&msg, span_of(out, (size_t)stun_write_finish(&w))), 0);
    ck_assert(!stun_check_fingerprint(&msg));
}
END_TEST

static const uint8_t secret_bytes[32] = "the server's own secret";
static struct span secret = {secret_bytes, sizeof(secret_bytes)};

static struct addr client(const char *text)
{
    struct addr a;

    ck_assert_int_eq(addr_parse(span_str(text), &a), 0);
    return a;
}

START_TEST(makes_nonces_that_live_so_long_for_one_client)
{
    struct addr alice = client("192.0.2.1:1000");
    struct addr bob = client("192.0.2.1:1001");
    char text[STUN_NONCE_SIZE];
    struct span nonce = span_of(text, sizeof(text));

    stun_nonce_make(secret, &alice, STUN_FEATURE_ALGORITHMS, 1000, text);
    ck_assert(stun_nonce_is_fresh(nonce, secret, &alice, 1000, 600));
    ck_assert(stun_nonce_is_fresh(nonce, secret, &alice, 1600, 600));
    ck_assert(!stun_nonce_is_fresh(nonce, secret, &alice, 1601, 600));
    ck_assert(!stun_nonce_is_fresh(nonce, secret, &alice, 999, 600));
    ck_assert(!stun_nonce_is_fresh(nonce, secret, &bob, 1000, 600));
    ck_assert(
        !stun_nonce_is_fresh(nonce, span_str("other"), &alice, 1000, 600));
    ck_assert(
        !stun_nonce_is_fresh(span_head(nonce, 28), secret, &alice, 1000, 600));
    ck_assert(
        !stun_nonce_is_fresh(span_of(NULL, 0), secret, &alice, 1000, 600));
    for (size_t i = 0; i < sizeof(text); i++) {
        char old = text[i];

        text[i] = old == 'A' ? 'B' : 'A';
        ck_assert(!stun_nonce_is_fresh(nonce, secret, &alice, 1000, 600));
        text[i] = old;
    }
}
END_TEST

START_TEST(says_its_features_in_the_nonce)
{
    struct addr alice = client("192.0.2.1:1000");
    char text[STUN_NONCE_SIZE];
    struct span nonce = span_of(text, sizeof(text));

    stun_nonce_make(secret, &alice,
                    STUN_FEATURE_ALGORITHMS | STUN_FEATURE_ANONYMITY, 1, text);
    ck_assert_uint_eq(stun_nonce_features(nonce), 0xC00000);
    ck_assert_mem_eq(text, "obMatJos2wAAA", 13);
    ck_assert_uint_eq(stun_nonce_features(span_str("obMatJos3wAAA")), 0);
    ck_assert_uint_eq(stun_nonce_features(span_str("obMatJos2wAA")), 0);
    ck_assert_uint_eq(stun_nonce_features(span_str("")), 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("stun integrity");
    TCase *tc = tcase_create("vectors");

    tcase_add_test(tc, rfc5769_2_1_sample_request);
    tcase_add_test(tc, rfc5769_2_2_ipv4_response);
    tcase_add_test(tc, rfc5769_2_3_ipv6_response);
    tcase_add_test(tc, rfc5769_2_4_long_term_request);
    tcase_add_test(tc, rfc8489_b_1_userhash_and_sha256);
    tcase_add_test(tc, writes_the_vectors_byte_by_byte);
    tcase_add_test(tc, refuses_integrity_that_is_too_short);
    tcase_add_test(tc, wants_the_fingerprint_at_the_end);
    tcase_add_test(tc, makes_nonces_that_live_so_long_for_one_client);
    tcase_add_test(tc, says_its_features_in_the_nonce);
    suite_add_tcase(s, tc);
    return s;
}

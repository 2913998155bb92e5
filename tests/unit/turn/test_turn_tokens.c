/* SPDX-License-Identifier: MIT */
#include "turn/turn_tokens.h"

#include "base/crypto_aead.h"
#include "base/err.h"
#include "base/text.h"
#include "base/wire.h"
#include "support/unit.h"

#include <errno.h>
#include <stdio.h>

/* 0123456789abcdef0123456789ABCDEF and 0123456789abcdef */
#define NORTH "north:A256GCM:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlBQkNERUY="
#define UNION "union:a128gcm:MDEyMzQ1Njc4OWFiY2RlZg=="

/* Sealed at 1800000000 for 3600 s for turn.example.org by OpenSSL:
 *   turnutils_oauth -e -i turn.example.org -j north -k (the key above)
 *     -n A256GCM -o bm9uY2Utb2YtMTJi -p c2Vzc2lvbi1rZXktMjAtYnl0ZXM=
 *     -q $((1800000000 << 16)) -r 3600 */
static const char north_token[] =
    "AAxub25jZS1vZi0xMmIZhehmVClnCwIyiW7mOnZ0gZehj+aYjSEUtrhLtrmWkrpzwVSp6hJF"
    "tGFKyQwLDgW1Zw==";
static const char union_token[] =
    "AAxub25jZS1vZi0xMmI0KdEnQ3x4ydabaqFcWNtkLEW942Ltjs+6kCqop0jPHyxCfr75GQez"
    "WvA/1hKcLV3M9VP59mpIapfnWPoCHw==";

enum { MADE = 1800000000, LIFE = 3600 };

static struct turn_tokens *tokens;
static struct turn_token opened;
static char error[160];

static int make(const char *keys)
{
    struct turn_tokens_options options = {span_str(keys),
                                          span_str("turn.example.org")};

    turn_tokens_free(tokens);
    tokens = NULL;
    return turn_tokens_new(&tokens, &options, error, sizeof(error));
}

static void teardown(void)
{
    turn_tokens_free(tokens);
    tokens = NULL;
    ck_assert_no_blocks();
}

static struct span bytes_of(const char *base64)
{
    static uint8_t bytes[TURN_TOKEN_BYTES_MAX];
    int n = text_unbase64(TEXT_BASE64, span_str(base64), bytes, sizeof(bytes));

    ck_assert_int_gt(n, 0);
    return span_of(bytes, (size_t)n);
}

static int open_at(const char *kid, struct span token, uint64_t epoch)
{
    return (int)turn_tokens_open(tokens, span_str(kid), token, epoch, &opened);
}

START_TEST(opens_what_openssl_has_sealed)
{
    ck_assert_int_eq(make("# ring\r\n" NORTH "\r\n" UNION "\n"), 0);
    ck_assert_uint_eq(turn_tokens_count(tokens), 2);
    ck_assert_int_eq(open_at("north", bytes_of(north_token), MADE),
                     TURN_TOKEN_OK);
    ck_assert_uint_eq(opened.key.len, 20);
    ck_assert_mem_eq(opened.key.bytes, "session-key-20-bytes", 20);
    ck_assert_uint_eq(opened.expiry, MADE + LIFE + TURN_TOKEN_SKEW_S);
    ck_assert_int_eq(open_at("union", bytes_of(union_token), MADE),
                     TURN_TOKEN_OK);
    ck_assert_uint_eq(opened.key.len, 32);
    ck_assert_mem_eq(opened.key.bytes, "session-key-which-is-of-32-bytes", 32);
}
END_TEST

START_TEST(refuses_what_another_key_or_server_has_sealed)
{
    struct turn_tokens_options other = {span_str(NORTH),
                                        span_str("turn.example.com")};
    struct span token;

    ck_assert_int_eq(make(NORTH "\n" UNION), 0);
    ck_assert_int_eq(open_at("south", bytes_of(north_token), MADE),
                     TURN_TOKEN_UNKNOWN_KEY);
    ck_assert_int_eq(open_at("union", bytes_of(north_token), MADE),
                     TURN_TOKEN_FORGED);
    token = bytes_of(north_token);
    for (size_t i = 0; i < token.len; i++) {
        ((uint8_t *)(uintptr_t)token.ptr)[i] ^= 1;
        ck_assert_int_eq(open_at("north", token, MADE), TURN_TOKEN_FORGED);
        ((uint8_t *)(uintptr_t)token.ptr)[i] ^= 1;
    }
    for (size_t n = 0; n < token.len; n++)
        ck_assert_int_eq(open_at("north", span_head(token, n), MADE),
                         TURN_TOKEN_FORGED);
    turn_tokens_free(tokens);
    ck_assert_int_eq(turn_tokens_new(&tokens, &other, error, sizeof(error)), 0);
    ck_assert_int_eq(open_at("north", token, MADE), TURN_TOKEN_FORGED);
}
END_TEST

START_TEST(keeps_to_the_time_of_token_and_key)
{
    ck_assert_int_eq(make(NORTH), 0);
    ck_assert_int_eq(open_at("north", bytes_of(north_token), MADE + LIFE + 4),
                     TURN_TOKEN_OK);
    ck_assert_int_eq(open_at("north", bytes_of(north_token), MADE + LIFE + 5),
                     TURN_TOKEN_EXPIRED);
    ck_assert_int_eq(open_at("north", bytes_of(north_token), MADE - LIFE - 1),
                     TURN_TOKEN_EXPIRED);
    ck_assert_int_eq(make(NORTH ":1799999999:10"), 0);
    ck_assert_int_eq(open_at("north", bytes_of(north_token), MADE - 2),
                     TURN_TOKEN_UNKNOWN_KEY);
    ck_assert_int_eq(open_at("north", bytes_of(north_token), MADE - 1),
                     TURN_TOKEN_OK);
    ck_assert_int_eq(open_at("north", bytes_of(north_token), MADE + 8),
                     TURN_TOKEN_OK);
    ck_assert_int_eq(open_at("north", bytes_of(north_token), MADE + 9),
                     TURN_TOKEN_UNKNOWN_KEY);
}
END_TEST

/* A token whose inside is `plain`, sealed as it should be. */
static struct span sealed(struct span plain, size_t nonce_len)
{
    static uint8_t out[TURN_TOKEN_BYTES_MAX];

    ck_assert_uint_le(nonce_len, 64);
    memset(out, 'n', sizeof(out));
    wire_store_u16(out, (uint16_t)nonce_len);
    ck_assert(crypto_gcm_seal(
        span_str("0123456789abcdef0123456789ABCDEF"), span_of(out + 2, 12),
        span_str("turn.example.org"), plain, out + 2 + nonce_len));
    return span_of(out, 2 + nonce_len + plain.len + CRYPTO_GCM_TAG_SIZE);
}

START_TEST(refuses_a_strange_inside_although_it_is_authentic)
{
    static uint8_t plain[2 + 64 + 12 + 1];
    static const uint16_t lengths[] = {0, 1, 19, 21, 31, 33, 64, 0xFFFF};

    ck_assert_int_eq(make(NORTH), 0);
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        wire_store_u16(plain, lengths[i]);
        ck_assert_int_eq(open_at("north", sealed(span_of(plain, 78), 12), MADE),
                         TURN_TOKEN_FORGED);
    }
    wire_store_u16(plain, 20);
    wire_store_u16(plain + 22, 0);
    wire_store_u32(plain + 24, MADE);
    wire_store_u16(plain + 28, 0x8000);
    wire_store_u32(plain + 30, 60);
    for (size_t n = 0; n < 34; n++)
        ck_assert_int_eq(open_at("north", sealed(span_of(plain, n), 12), MADE),
                         TURN_TOKEN_FORGED);
    ck_assert_int_eq(open_at("north", sealed(span_of(plain, 34), 12), MADE),
                     TURN_TOKEN_OK);
    ck_assert_uint_eq(opened.expiry, MADE + 60 + TURN_TOKEN_SKEW_S);
    ck_assert_int_eq(open_at("north", sealed(span_of(plain, 35), 12), MADE),
                     TURN_TOKEN_FORGED);
    ck_assert_int_eq(open_at("north", sealed(span_of(plain, 34), 16), MADE),
                     TURN_TOKEN_FORGED);
    /* for ever is no lifetime */
    wire_store_u32(plain + 30, UINT32_MAX);
    ck_assert_int_eq(open_at("north", sealed(span_of(plain, 34), 12), MADE),
                     TURN_TOKEN_EXPIRED);
    wire_store_u16(plain + 22, 0xFFFF);
    ck_assert_int_eq(open_at("north", sealed(span_of(plain, 34), 12), MADE),
                     TURN_TOKEN_EXPIRED);
}
END_TEST

START_TEST(names_the_line_that_is_wrong_and_never_its_content)
{
    static const char *const lines[] = {
        "hunter2",
        "north:A256GCM",
        ":A256GCM:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlBQkNERUY=",
        "x:A512GCM:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlBQkNERUY=",
        "x:A256GCM:MDEyMzQ1Njc4OWFiY2RlZg==",
        "x:A128GCM:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlBQkNERUY=",
        "x:A256GCM:hunter2",
        NORTH,
        "x:A128GCM:MDEyMzQ1Njc4OWFiY2RlZg==:1",
        "x:A128GCM:MDEyMzQ1Njc4OWFiY2RlZg==:1:0",
        "x:A128GCM:MDEyMzQ1Njc4OWFiY2RlZg==:x:1",
        "x:A128GCM:MDEyMzQ1Njc4OWFiY2RlZg==:1:2:3",
        ("x2345678901234567890123456789012345678901:A128GCM:"
         "MDEyMzQ1Njc4OWFiY2RlZg=="),
    };
    char text[300];

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        snprintf(text, sizeof(text), "%s\n%s\n", NORTH, lines[i]);
        ck_assert_int_eq(make(text), ERR_CONFIG);
        ck_assert_msg(strstr(error, "line 2") != NULL, "%s", error);
        ck_assert_ptr_null(strstr(error, "hunter2"));
    }
}
END_TEST

START_TEST(holds_sixteen_keys)
{
    char text[17 * 48] = "";
    size_t n = 0;

    for (int i = 0; i < 17; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n,
                              "k%d:A128GCM:MDEyMzQ1Njc4OWFiY2RlZg==\n", i);
    ck_assert_int_eq(make(text), ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(error, "line 17"));
}
END_TEST

START_TEST(handles_every_failed_allocation)
{
    int err = 0;

    CK_OOM_SWEEP(err, err = make(NORTH));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("turn tokens");
    TCase *tc = tcase_create("tokens");

    tcase_add_checked_fixture(tc, NULL, teardown);
    tcase_add_test(tc, opens_what_openssl_has_sealed);
    tcase_add_test(tc, refuses_what_another_key_or_server_has_sealed);
    tcase_add_test(tc, keeps_to_the_time_of_token_and_key);
    tcase_add_test(tc, refuses_a_strange_inside_although_it_is_authentic);
    tcase_add_test(tc, names_the_line_that_is_wrong_and_never_its_content);
    tcase_add_test(tc, holds_sixteen_keys);
    tcase_add_test(tc, handles_every_failed_allocation);
    suite_add_tcase(s, tc);
    return s;
}

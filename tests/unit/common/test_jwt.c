/* SPDX-License-Identifier: MIT */
/* RFC 7515 appendix A, and tokens made here with its HMAC key. */
#include "base/jwt.h"

#include "base/crypto.h"
#include "base/err.h"
#include "base/text.h"
#include "support/unit.h"

#include <stdio.h>

#define PAYLOAD                                                                \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv" \
    "bS9pc19yb290Ijp0cnVlfQ"
#define A1 /* HS256 */                                                         \
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." PAYLOAD                        \
    ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define A2 /* RS256 */                                                         \
    "eyJhbGciOiJSUzI1NiJ9." PAYLOAD                                            \
    ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7"        \
    "AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4"         \
    "BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K"         \
    "0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqv"         \
    "hJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrB"         \
    "p0igcN_IoypGlUPQGe77Rw"
#define A3 /* ES256 */                                                         \
    "eyJhbGciOiJFUzI1NiJ9." PAYLOAD                                            \
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"        \
    "pmWQxfKTUJqPP3-Kg6NU1Q"
#define K1                                                                     \
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0i"         \
    "PS4hcgUuTwjAzZr1Z9CAow"
#define JWK1 "{\"kty\":\"oct\",\"k\":\"" K1 "\"}"
#define JWK2                                                                   \
    "{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k" \
    "0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMs"    \
    "D1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rex"    \
    "MdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh"    \
    "9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAc"    \
    "DTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\"}"
#define JWK3                                                                   \
    "{\"kty\":\"EC\",\"crv\":\"P-256\","                                       \
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","                   \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define PEM3                                                                   \
    "-----BEGIN PUBLIC KEY-----\n"                                             \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"       \
    "6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"           \
    "-----END PUBLIC KEY-----\n"

enum { EXP = 1300819380, NOW = 1300819000 };

static struct jwt_keys *keys;
static struct jwt_policy policy;
static struct jwt_claim claim;
static struct buf why;

static void setup(void)
{
    buf_init(&why, 1024);
    keys = jwt_keys_new();
    ck_assert_ptr_nonnull(keys);
    memset(&policy, 0, sizeof(policy));
    policy.keys = keys;
}

static void teardown(void)
{
    jwt_keys_free(keys);
    buf_deinit(&why);
    ck_assert_no_blocks();
}

static void use_jwks(const char *list)
{
    char text[4096];

    snprintf(text, sizeof(text), "{\"keys\":[%s]}", list);
    ck_assert_int_eq(jwt_keys_add_jwks(keys, span_str(text), &why), 0);
}

static enum jwt_verdict check(const char *token)
{
    return jwt_check(&policy, span_str(token), NOW, &claim);
}

/* A token of this header and these claims, signed with the key of A.1. */
static const char *token_of(const char *header, const char *claims)
{
    static char out[16384];
    uint8_t key[64], mac[CRYPTO_SHA256_SIZE];
    struct span text;
    size_t n = text_base64(TEXT_BASE64URL, span_str(header), out);

    ck_assert_int_eq(
        text_unbase64(TEXT_BASE64URL, span_str(K1), key, sizeof(key)), 64);
    out[n++] = '.';
    n += text_base64(TEXT_BASE64URL, span_str(claims), out + n);
    text = span_of(out, n);
    crypto_hmac_sha256(span_of(key, sizeof(key)), &text, 1, mac);
    out[n++] = '.';
    text_base64(TEXT_BASE64URL, span_of(mac, sizeof(mac)), out + n);
    return out;
}

static enum jwt_verdict check_claims(const char *claims)
{
    return check(token_of("{\"alg\":\"HS256\"}", claims));
}

START_TEST(the_examples_of_rfc_7515_are_good)
{
    use_jwks(JWK1 "," JWK2 "," JWK3);
    ck_assert_uint_eq(jwt_keys_count(keys), 3);
    ck_assert_int_eq(check(A1), JWT_OK);
    ck_assert_int_eq(check(A2), JWT_OK);
    ck_assert_int_eq(check(A3), JWT_OK);
}
END_TEST

START_TEST(any_changed_character_is_noticed)
{
    static const char *const tokens[] = {A1, A3};
    char copy[1024];

    use_jwks(JWK1 "," JWK2 "," JWK3);
    for (size_t t = 0; t < 2; t++) {
        for (size_t i = 0; tokens[t][i]; i++) {
            snprintf(copy, sizeof(copy), "%s", tokens[t]);
            copy[i] = copy[i] == 'B' ? 'C' : 'B';
            ck_assert_msg(check(copy) != JWT_OK, "%s", copy);
            copy[i] = '\0';
            ck_assert_msg(check(copy) != JWT_OK, "%s", copy);
        }
    }
}
END_TEST

START_TEST(a_pem_key_is_for_its_own_algorithm)
{
    ck_assert_int_eq(jwt_keys_add_pem(keys, span_str(PEM3), &why), 0);
    ck_assert_int_eq(check(A3), JWT_OK);
    ck_assert_int_eq(check(A1), JWT_KEY);
    ck_assert_int_eq(check(A2), JWT_KEY);
}
END_TEST

/* The public key's text, which everybody has, as the secret of an HMAC. */
START_TEST(a_public_key_is_no_secret)
{
    static const char text[] = "eyJhbGciOiJIUzI1NiJ9." PAYLOAD;
    struct span part = span_str(text);
    uint8_t mac[CRYPTO_SHA256_SIZE];
    char token[512], sig[64];

    ck_assert_int_eq(jwt_keys_add_pem(keys, span_str(PEM3), &why), 0);
    crypto_hmac_sha256(span_str(PEM3), &part, 1, mac);
    text_base64(TEXT_BASE64URL, span_of(mac, sizeof(mac)), sig);
    snprintf(token, sizeof(token), "%s.%s", text, sig);
    ck_assert_int_eq(check(token), JWT_KEY);
}
END_TEST

START_TEST(no_algorithm_is_none)
{
    use_jwks(JWK1);
    ck_assert_int_eq(check("eyJhbGciOiJub25lIn0." PAYLOAD "."), JWT_MALFORMED);
    ck_assert_int_eq(check("eyJhbGciOiJub25lIn0." PAYLOAD ".AA"), JWT_KEY);
    ck_assert_int_eq(check(token_of("{\"alg\":\"none\"}", "{}")), JWT_KEY);
    ck_assert_int_eq(check(token_of("{\"alg\":\"hs256\"}", "{}")), JWT_KEY);
    ck_assert_int_eq(check(token_of("{\"alg\":null}", "{}")), JWT_KEY);
    ck_assert_int_eq(check(token_of("{}", "{}")), JWT_MALFORMED);
}
END_TEST

static const char *const bad_headers[] = {
    "",
    "x",
    "[]",
    "{\"alg\":\"HS256\"",
    "{\"alg\":\"HS256\",\"alg\":\"HS256\"}",
    "{\"alg\":\"HS256\",\"\\u0061lg\":\"none\"}",
    "{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}",
    "{\"alg\":\"HS256\",\"crit\":[]}",
    "{\"alg\":\"HS256\",\"kid\":1}",
    "{\"alg\":\"HS256\",\"kid\":\"a\",\"kid\":\"b\"}",
};

START_TEST(headers_that_can_be_misread_are_malformed)
{
    use_jwks(JWK1);
    policy.forever = true;
    ck_assert_int_eq(check(token_of("{\"alg\":\"HS256\"}", "{}")), JWT_OK);
    ck_assert_msg(check(token_of(bad_headers[_i], "{}")) == JWT_MALFORMED, "%s",
                  bad_headers[_i]);
}
END_TEST

START_TEST(forms_that_are_no_token_are_malformed)
{
    static const char *const texts[] = {"",     ".",     "..",      "...",
                                        "a.b",  "a.b.c", "a.b.c.d", A1 ".",
                                        "." A1, A1 "=",  " " A1,    A1 " "};
    char big[JWT_TEXT_MAX + 2];

    use_jwks(JWK1);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        ck_assert_msg(check(texts[i]) == JWT_MALFORMED, "%s", texts[i]);
    memset(big, 'A', sizeof(big));
    big[10] = big[20] = '.';
    ck_assert_int_eq(jwt_check(&policy, span_of(big, sizeof(big)), NOW, &claim),
                     JWT_MALFORMED);
}
END_TEST

START_TEST(time_is_up_at_exp_and_not_before_nbf)
{
    use_jwks(JWK1);
    policy.leeway_s = 0;
    ck_assert_int_eq(jwt_check(&policy, span_str(A1), EXP - 1, &claim), JWT_OK);
    ck_assert_int_eq(jwt_check(&policy, span_str(A1), EXP, &claim),
                     JWT_EXPIRED);
    policy.leeway_s = 10;
    ck_assert_int_eq(jwt_check(&policy, span_str(A1), EXP + 9, &claim), JWT_OK);
    ck_assert_int_eq(jwt_check(&policy, span_str(A1), EXP + 10, &claim),
                     JWT_EXPIRED);
    ck_assert_int_eq(check_claims("{\"exp\":1300819380,\"nbf\":1300819010}"),
                     JWT_OK);
    ck_assert_int_eq(check_claims("{\"exp\":1300819380,\"nbf\":1300819011}"),
                     JWT_EARLY);
    ck_assert_int_eq(check_claims("{}"), JWT_EXPIRED);
    ck_assert_int_eq(check_claims("{\"exp\":-1}"), JWT_EXPIRED);
    ck_assert_int_eq(check_claims("{\"exp\":\"9999999999\"}"), JWT_MALFORMED);
    ck_assert_int_eq(check_claims("{\"exp\":1e99}"), JWT_MALFORMED);
    ck_assert_int_eq(check_claims("{\"exp\":null}"), JWT_MALFORMED);
    ck_assert_int_eq(check_claims("{\"exp\":9999999999,\"exp\":9999999999}"),
                     JWT_MALFORMED);
    policy.forever = true;
    ck_assert_int_eq(check_claims("{}"), JWT_OK);
    ck_assert_int_eq(check_claims("{\"exp\":1}"), JWT_EXPIRED);
}
END_TEST

START_TEST(issuer_and_audience_are_asked_for)
{
    static const char *const audiences[] = {"edge", "meet"};

    use_jwks(JWK1);
    policy.forever = true;
    policy.issuer = "xivo";
    ck_assert_int_eq(check_claims("{\"iss\":\"xivo\"}"), JWT_OK);
    ck_assert_int_eq(check_claims("{\"iss\":\"\\u0078ivo\"}"), JWT_OK);
    ck_assert_int_eq(check_claims("{\"iss\":\"xivo2\"}"), JWT_ISSUER);
    ck_assert_int_eq(check_claims("{\"iss\":[\"xivo\"]}"), JWT_ISSUER);
    ck_assert_int_eq(check_claims("{}"), JWT_ISSUER);
    policy.issuer = NULL;
    policy.audiences = audiences;
    policy.n_audiences = 2;
    ck_assert_int_eq(check_claims("{\"aud\":\"meet\"}"), JWT_OK);
    ck_assert_int_eq(check_claims("{\"aud\":[1,\"x\",\"edge\"]}"), JWT_OK);
    ck_assert_int_eq(check_claims("{\"aud\":[]}"), JWT_AUDIENCE);
    ck_assert_int_eq(check_claims("{\"aud\":\"me\"}"), JWT_AUDIENCE);
    ck_assert_int_eq(check_claims("{\"aud\":[[\"meet\"]]}"), JWT_AUDIENCE);
    ck_assert_int_eq(check_claims("{}"), JWT_AUDIENCE);
}
END_TEST

START_TEST(a_claim_must_fit_into_a_header)
{
    static const char *const bad[] = {
        "{}",
        "{\"sub\":\"\"}",
        "{\"sub\":\"a\\r\\nX: b\"}",
        "{\"sub\":\"a\\nb\"}",
        "{\"sub\":\" a\"}",
        "{\"sub\":\"a \"}",
        "{\"sub\":\"\\u00e9\"}",
        "{\"sub\":\"a\\u007f\"}",
        "{\"sub\":[\"a\"]}",
        "{\"sub\":true}",
    };
    char big[400];

    use_jwks(JWK1);
    policy.forever = true;
    policy.claim = "sub";
    ck_assert_int_eq(check_claims("{\"sub\":\"Jo \\u0041.\"}"), JWT_OK);
    ck_assert(span_is(span_of(claim.text, claim.len), "Jo A."));
    ck_assert_int_eq(check_claims("{\"sub\":42}"), JWT_OK);
    ck_assert(span_is(span_of(claim.text, claim.len), "42"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(check_claims(bad[i]) == JWT_CLAIM, "%s", bad[i]);
    snprintf(big, sizeof(big), "{\"sub\":\"%0*d\"}", JWT_CLAIM_MAX + 1, 0);
    ck_assert_int_eq(check_claims(big), JWT_CLAIM);
}
END_TEST

START_TEST(kid_chooses_the_key)
{
    use_jwks("{\"kty\":\"oct\",\"kid\":\"new\",\"k\":\"" K1 "\"},"
             "{\"kty\":\"oct\",\"kid\":\"old\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAA"
             "AAAAAAAAAAAAAAAAAAA\"}");
    policy.forever = true;
    ck_assert_int_eq(
        check(token_of("{\"alg\":\"HS256\",\"kid\":\"new\"}", "{}")), JWT_OK);
    ck_assert_int_eq(
        check(token_of("{\"alg\":\"HS256\",\"kid\":\"old\"}", "{}")),
        JWT_SIGNATURE);
    ck_assert_int_eq(check(token_of("{\"alg\":\"HS256\",\"kid\":\"x\"}", "{}")),
                     JWT_KEY);
    ck_assert_int_eq(check(token_of("{\"alg\":\"HS256\"}", "{}")), JWT_KEY);
}
END_TEST

START_TEST(keys_without_kid_take_any)
{
    use_jwks(JWK1);
    policy.forever = true;
    ck_assert_int_eq(check(token_of("{\"alg\":\"HS256\",\"kid\":\"x\"}", "{}")),
                     JWT_OK);
}
END_TEST

START_TEST(keys_of_other_kinds_are_passed_over)
{
    use_jwks("{\"kty\":\"OKP\",\"crv\":\"Ed25519\"},"
             "{\"kty\":\"EC\",\"crv\":\"P-384\"},"
             "{\"kty\":\"RSA\",\"use\":\"enc\"},"
             "{\"kty\":\"RSA\",\"alg\":\"PS256\"},"
             "{\"kty\":\"RSA\",\"key_ops\":[\"sign\"]}," JWK3);
    ck_assert_uint_eq(jwt_keys_count(keys), 1);
    ck_assert_int_eq(check(A3), JWT_OK);
}
END_TEST

static const char *const bad_sets[] = {
    "",
    "[]",
    "{}",
    "{\"keys\":{}}",
    "{\"keys\":[]}",
    "{\"keys\":[1]}",
    "{\"keys\":[{}]}",
    "{\"keys\":[{\"kty\":\"OKP\"}]}",
    "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
    "{\"keys\":[{\"kty\":\"oct\",\"k\":\"" K1 "\",\"kid\":1}]}",
    "{\"keys\":[" JWK1 "," JWK1 "]}",
    "{\"keys\":[" JWK1 "],\"keys\":[" JWK1 "]}",
    "{\"keys\":[{\"kty\":\"RSA\"}]}",
    "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}",
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}]}",
};

START_TEST(broken_sets_are_refused_with_a_reason)
{
    ck_assert_msg(jwt_keys_add_jwks(keys, span_str(bad_sets[_i]), &why) ==
                      ERR_CONFIG,
                  "%s", bad_sets[_i]);
    ck_assert_uint_gt(buf_len(&why), 0);
}
END_TEST

START_TEST(broken_keys_are_refused_with_a_reason)
{
    char pem[] = PEM3;

    ck_assert_int_eq(jwt_keys_add_secret(keys, span_str("short"), &why),
                     ERR_CONFIG);
    ck_assert_int_eq(jwt_keys_add_pem(keys, span_str(""), &why), ERR_CONFIG);
    pem[100] = pem[100] == 'A' ? 'B' : 'A';
    ck_assert_int_eq(jwt_keys_add_pem(keys, span_str(pem), &why), ERR_CONFIG);
    ck_assert_uint_eq(jwt_keys_count(keys), 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("jwt");
    TCase *tc = tcase_create("jwt");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, the_examples_of_rfc_7515_are_good);
    tcase_add_test(tc, any_changed_character_is_noticed);
    tcase_add_test(tc, a_pem_key_is_for_its_own_algorithm);
    tcase_add_test(tc, a_public_key_is_no_secret);
    tcase_add_test(tc, no_algorithm_is_none);
    tcase_add_loop_test(tc, headers_that_can_be_misread_are_malformed, 0,
                        (int)(sizeof(bad_headers) / sizeof(bad_headers[0])));
    tcase_add_test(tc, forms_that_are_no_token_are_malformed);
    tcase_add_test(tc, time_is_up_at_exp_and_not_before_nbf);
    tcase_add_test(tc, issuer_and_audience_are_asked_for);
    tcase_add_test(tc, a_claim_must_fit_into_a_header);
    tcase_add_test(tc, kid_chooses_the_key);
    tcase_add_test(tc, keys_without_kid_take_any);
    tcase_add_test(tc, keys_of_other_kinds_are_passed_over);
    tcase_add_loop_test(tc, broken_sets_are_refused_with_a_reason, 0,
                        (int)(sizeof(bad_sets) / sizeof(bad_sets[0])));
    tcase_add_test(tc, broken_keys_are_refused_with_a_reason);
    suite_add_tcase(suite, tc);
    return suite;
}

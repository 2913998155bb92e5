/* SPDX-License-Identifier: MIT */
#include "proxy/sip_seal.h"

#include "base/err.h"
#include "support/unit.h"

static struct sip_token_keys keys;
static char sealed[SIP_SEAL_MAX];
static uint8_t text[SIP_SEAL_TEXT_MAX];

static void setup(void)
{
    const uint8_t secret[SIP_TOKEN_KEY] = {7}, old[SIP_TOKEN_KEY] = {8};

    sip_token_key_init(&keys.key[0], secret);
    sip_token_key_init(&keys.key[1], old);
    keys.count = 2;
}

static int seal(const char *plain)
{
    return sip_seal(&keys, SIP_SEAL_ROUTE, span_str("call-1"), span_str(plain),
                    sealed);
}

static int unseal(enum sip_seal_use use, const char *binding)
{
    return sip_unseal(&keys, use, span_str(binding), span_str(sealed), text);
}

START_TEST(what_is_sealed_comes_back)
{
    static const char *const texts[] = {"", "x", "<sip:10.0.0.10;lr>",
                                        "sixteen bytes ok",
                                        "seventeen bytes ok"};

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        size_t len = strlen(texts[i]);

        ck_assert_int_eq(seal(texts[i]), (int)strlen(sealed));
        ck_assert_uint_lt(strlen(sealed), (len + 17) * 4 / 3 + 2);
        ck_assert_int_eq(unseal(SIP_SEAL_ROUTE, "call-1"), (int)len);
        ck_assert_mem_eq(text, texts[i], len);
        if (len > 4)
            ck_assert_ptr_null(strstr(sealed, texts[i]));
    }
}
END_TEST

START_TEST(the_same_is_the_same_and_another_is_another)
{
    char first[SIP_SEAL_MAX];

    (void)seal("<sip:10.0.0.10;lr>");
    memcpy(first, sealed, sizeof(first));
    (void)seal("<sip:10.0.0.10;lr>");
    ck_assert_str_eq(first, sealed);
    (void)seal("<sip:10.0.0.11;lr>");
    ck_assert_str_ne(first, sealed);
    ck_assert_int_ne(strncmp(first + 4, sealed + 4, 18), 0);
}
END_TEST

START_TEST(it_opens_for_its_use_and_binding_alone)
{
    (void)seal("secret");
    ck_assert_int_eq(unseal(SIP_SEAL_ROUTE, "call-2"), ERR_AUTH);
    ck_assert_int_eq(unseal(SIP_SEAL_ROUTE, "call-1s"), ERR_AUTH);
    ck_assert_int_eq(unseal(SIP_SEAL_HOST, "call-1"), ERR_AUTH);
    ck_assert_int_eq(unseal(SIP_SEAL_ROUTE, "call-1"), 6);
}
END_TEST

START_TEST(every_flipped_character_is_noticed)
{
    size_t len;

    (void)seal("<sip:10.0.0.10;lr>");
    len = strlen(sealed);
    for (size_t i = 0; i < len; i++) {
        char was = sealed[i];

        sealed[i] = was == 'A' ? 'B' : 'A';
        ck_assert_int_lt(unseal(SIP_SEAL_ROUTE, "call-1"), 0);
        sealed[i] = was;
    }
    sealed[len - 1] = '\0';
    ck_assert_int_lt(unseal(SIP_SEAL_ROUTE, "call-1"), 0);
    sealed[20] = '\0';
    ck_assert_int_eq(unseal(SIP_SEAL_ROUTE, "call-1"), ERR_PARSE);
    sealed[0] = '\0';
    ck_assert_int_eq(unseal(SIP_SEAL_ROUTE, "call-1"), ERR_PARSE);
    memcpy(sealed, "not base64 at all!", 19);
    ck_assert_int_eq(unseal(SIP_SEAL_ROUTE, "call-1"), ERR_PARSE);
}
END_TEST

START_TEST(the_key_before_still_opens)
{
    const uint8_t next[SIP_TOKEN_KEY] = {9};

    (void)seal("secret");
    keys.key[1] = keys.key[0];
    sip_token_key_init(&keys.key[0], next);
    ck_assert_int_eq(unseal(SIP_SEAL_ROUTE, "call-1"), 6);
    keys.count = 1;
    ck_assert_int_eq(unseal(SIP_SEAL_ROUTE, "call-1"), ERR_AUTH);
}
END_TEST

START_TEST(too_much_is_refused)
{
    static char big[SIP_SEAL_TEXT_MAX + 2];

    memset(big, 'x', sizeof(big) - 1);
    ck_assert_int_eq(seal(big), ERR_LIMIT);
    big[SIP_SEAL_TEXT_MAX] = '\0';
    ck_assert_int_gt(seal(big), 0);
    ck_assert_int_eq(unseal(SIP_SEAL_ROUTE, "call-1"), SIP_SEAL_TEXT_MAX);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("sip_seal");
    TCase *tc = tcase_create("seal");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, what_is_sealed_comes_back);
    tcase_add_test(tc, the_same_is_the_same_and_another_is_another);
    tcase_add_test(tc, it_opens_for_its_use_and_binding_alone);
    tcase_add_test(tc, every_flipped_character_is_noticed);
    tcase_add_test(tc, the_key_before_still_opens);
    tcase_add_test(tc, too_much_is_refused);
    suite_add_tcase(s, tc);
    return s;
}

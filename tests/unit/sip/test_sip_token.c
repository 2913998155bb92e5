/* SPDX-License-Identifier: MIT */
#include "proxy/sip_token.h"
#include "support/unit.h"

static struct sip_token_keys keys;
static const struct sip_token sample = {
    .use = SIP_TOKEN_RECORD,
    .sips = true,
    .node = 0x1234,
    .worker = 7,
    .server = 0xBEEF,
    .flow = {0x00ABCDEF, 0xDEADBEEF},
    .tag = 0xA1B2C3D4E5F6,
};
static struct sip_token_binding call;
static struct sip_token_binding other;

static void setup(void)
{
    uint8_t secret[SIP_TOKEN_KEY] = {1, 2, 3};

    sip_token_key_init(&keys.key[0], secret);
    keys.count = 1;
    call.call_id = span_str("a84b4c76e66710@pc33");
    call.user = span_str("alice");
    other.call_id = span_str("b84b4c76e66710@pc33");
    other.user = span_str("alice");
}

START_TEST(what_was_written_is_read_back)
{
    char text[SIP_TOKEN_TEXT + 1];
    struct sip_token t;

    sip_token_write(&keys, &sample, &call, text);
    ck_assert_uint_eq(strlen(text), SIP_TOKEN_TEXT);
    ck_assert_int_eq(sip_token_read(&keys, span_str(text), &call, &t),
                     SIP_TOKEN_VALID);
    ck_assert_int_eq(t.use, SIP_TOKEN_RECORD);
    ck_assert(t.sips);
    ck_assert_uint_eq(t.node, 0x1234);
    ck_assert_uint_eq(t.worker, 7);
    ck_assert_uint_eq(t.server, 0xBEEF);
    ck_assert_uint_eq(t.tag, 0xA1B2C3D4E5F6);
    ck_assert_uint_eq(t.flow.slot, 0x00ABCDEF);
    ck_assert_uint_eq(t.flow.generation, 0xDEADBEEF);
}
END_TEST

START_TEST(a_token_opens_no_other_dialog)
{
    char text[SIP_TOKEN_TEXT + 1];
    struct sip_token t;

    sip_token_write(&keys, &sample, &call, text);
    ck_assert_int_eq(sip_token_read(&keys, span_str(text), &other, &t),
                     SIP_TOKEN_FORGED);
}
END_TEST

/* Every single changed character is noticed (or is no token at all). */
START_TEST(any_changed_character_is_refused)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "abcdefghijklmnopqrstuvwxyz0123456789-_";
    char text[SIP_TOKEN_TEXT + 1];
    struct sip_token t;

    sip_token_write(&keys, &sample, &call, text);
    for (size_t i = 0; i < SIP_TOKEN_TEXT; i++) {
        char was = text[i];

        for (const char *c = alphabet; *c; c++) {
            if (*c == was)
                continue;
            text[i] = *c;
            ck_assert_int_ne(sip_token_read(&keys, span_str(text), &call, &t),
                             SIP_TOKEN_VALID);
        }
        text[i] = was;
    }
}
END_TEST

START_TEST(ordinary_user_parts_are_no_tokens)
{
    static const char *const texts[] = {
        "",
        "alice",
        "+4930123456",
        "0123456789012345678901234567890123456789",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };
    struct sip_token t;
    uint8_t worker;
    uint64_t tag;

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        ck_assert_int_eq(sip_token_read(&keys, span_str(texts[i]), &call, &t),
                         SIP_TOKEN_NONE);
        ck_assert(!sip_token_peek_worker(span_str(texts[i]), 0, &worker, &tag));
    }
}
END_TEST

START_TEST(the_previous_key_still_opens_and_a_third_does_not)
{
    uint8_t secret[SIP_TOKEN_KEY] = {9};
    struct sip_token_keys next = {.count = 2};
    char text[SIP_TOKEN_TEXT + 1];
    struct sip_token t;

    sip_token_write(&keys, &sample, &call, text);
    sip_token_key_init(&next.key[0], secret);
    next.key[1] = keys.key[0];
    ck_assert_int_eq(sip_token_read(&next, span_str(text), &call, &t),
                     SIP_TOKEN_VALID);
    next.count = 1;
    ck_assert_int_eq(sip_token_read(&next, span_str(text), &call, &t),
                     SIP_TOKEN_FORGED);
}
END_TEST

START_TEST(the_worker_is_seen_before_the_signature_is)
{
    char text[SIP_TOKEN_TEXT + 1];
    uint8_t worker = 0;
    uint64_t tag = 0;

    sip_token_write(&keys, &sample, &call, text);
    ck_assert(sip_token_peek_worker(span_str(text), 0x1234, &worker, &tag));
    ck_assert_uint_eq(worker, 7);
    ck_assert_uint_eq(tag, 0xA1B2C3D4E5F6);
    ck_assert(!sip_token_peek_worker(span_str(text), 0x1235, &worker, &tag));
}
END_TEST

START_TEST(a_path_token_goes_by_the_contact_user_alone)
{
    struct sip_token path = sample;
    char text[SIP_TOKEN_TEXT + 1];
    struct sip_token t;

    path.use = SIP_TOKEN_PATH;
    sip_token_write(&keys, &path, &call, text);
    ck_assert_int_eq(sip_token_read(&keys, span_str(text), &other, &t),
                     SIP_TOKEN_VALID);
    other.user = span_str("bob");
    ck_assert_int_eq(sip_token_read(&keys, span_str(text), &other, &t),
                     SIP_TOKEN_FORGED);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("sip_token");
    TCase *t = tcase_create("token");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, what_was_written_is_read_back);
    tcase_add_test(t, a_token_opens_no_other_dialog);
    tcase_add_test(t, a_path_token_goes_by_the_contact_user_alone);
    tcase_add_test(t, any_changed_character_is_refused);
    tcase_add_test(t, ordinary_user_parts_are_no_tokens);
    tcase_add_test(t, the_previous_key_still_opens_and_a_third_does_not);
    tcase_add_test(t, the_worker_is_seen_before_the_signature_is);
    suite_add_tcase(s, t);
    return s;
}

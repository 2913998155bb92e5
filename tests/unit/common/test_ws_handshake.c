/* SPDX-License-Identifier: MIT */
#include "ws/ws_handshake.h"

#include "support/unit.h"

static const char *const origins[] = {"https://app.example"};
static const struct ws_policy any = {0};
static const struct ws_policy sip = {.protocol = "sip"};
static const struct ws_policy bound = {.origins = origins, .origins_n = 1};

static struct ws_handshake hs;

/* RFC 6455 1.2 */
static void setup(void)
{
    hs = (struct ws_handshake){0};
}

static void header(const char *name, const char *value)
{
    ws_handshake_on_header(&hs, span_str(name), span_str(value));
}

static void ask(void)
{
    header("Host", "server.example.com");
    header("Upgrade", "websocket");
    header("Connection", "Upgrade");
    header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    header("Sec-WebSocket-Version", "13");
}

static int check_with(const struct ws_policy *policy)
{
    struct ws_accepted accepted;

    return ws_handshake_check(&hs, span_str("GET"), policy, &accepted);
}

START_TEST(answers_the_example_of_the_rfc)
{
    struct ws_accepted accepted;
    struct buf out;

    ask();
    header("Sec-WebSocket-Protocol", "chat, sip");
    ck_assert_int_eq(ws_handshake_check(&hs, span_str("GET"), &sip, &accepted),
                     101);
    ck_assert_str_eq(accepted.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");

    buf_init(&out, 1024);
    ws_handshake_write(&accepted, &out);
    ck_assert_span_eq(buf_span(&out),
                      "HTTP/1.1 101 Switching Protocols\r\n"
                      "Upgrade: websocket\r\n"
                      "Connection: Upgrade\r\n"
                      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                      "Sec-WebSocket-Protocol: sip\r\n\r\n");
    buf_deinit(&out);
}
END_TEST

START_TEST(tokens_are_found_in_lists_without_case)
{
    header("upgrade", "foo/1, WebSocket");
    header("CONNECTION", "keep-alive");
    ck_assert(!ws_handshake_is_asked(&hs));
    header("CONNECTION", "te,UPGRADE");
    ck_assert(ws_handshake_is_asked(&hs));
}
END_TEST

START_TEST(another_version_gets_426)
{
    struct buf out;

    header("Upgrade", "websocket");
    header("Connection", "Upgrade");
    header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    ck_assert_int_eq(check_with(&any), 426);
    header("Sec-WebSocket-Version", "8");
    ck_assert_int_eq(check_with(&any), 426);

    buf_init(&out, 1024);
    ws_handshake_write_refusal(426, &out);
    ck_assert_int_ge(
        span_search(buf_span(&out), span_str("Sec-WebSocket-Version: 13\r\n")),
        0);
    buf_deinit(&out);
}
END_TEST

START_TEST(only_a_key_of_16_bytes_is_a_key)
{
    static const char *const bad[] = {
        "", "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZSE=", "dGhlIHNhbXBsZSBub25=ZQ==", "AAAA"};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        setup();
        header("Upgrade", "websocket");
        header("Connection", "Upgrade");
        header("Sec-WebSocket-Version", "13");
        header("Sec-WebSocket-Key", bad[i]);
        ck_assert_int_eq(check_with(&any), 400);
    }
}
END_TEST

START_TEST(a_field_given_twice_is_refused)
{
    ask();
    header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    ck_assert_int_eq(check_with(&any), 400);
    setup();
    ask();
    header("Sec-WebSocket-Version", "13");
    ck_assert_int_eq(check_with(&any), 400);
}
END_TEST

START_TEST(a_request_with_a_body_is_refused)
{
    ask();
    header("Content-Length", "0");
    ck_assert_int_eq(check_with(&any), 101);
    header("Content-Length", "5");
    ck_assert_int_eq(check_with(&any), 400);
    setup();
    ask();
    header("Transfer-Encoding", "chunked");
    ck_assert_int_eq(check_with(&any), 400);
}
END_TEST

START_TEST(the_subprotocol_must_be_offered_exactly)
{
    ask();
    ck_assert_int_eq(check_with(&sip), 400);
    header("Sec-WebSocket-Protocol", "SIP, sips, si p");
    ck_assert_int_eq(check_with(&sip), 400);
    header("Sec-WebSocket-Protocol", "sip");
    ck_assert_int_eq(check_with(&sip), 101);
}
END_TEST

START_TEST(a_foreign_origin_gets_403)
{
    ask();
    ck_assert_int_eq(check_with(&bound), 101); /* no browser */
    header("Origin", "https://APP.example");
    ck_assert_int_eq(check_with(&bound), 101);
    setup();
    ask();
    header("Origin", "https://app.example.evil.example");
    ck_assert_int_eq(check_with(&bound), 403);
    setup();
    ask();
    header("Origin", "null");
    ck_assert_int_eq(check_with(&bound), 403);
    setup();
    ask();
    header("Origin", "");
    ck_assert_int_eq(check_with(&bound), 403);
}
END_TEST

START_TEST(only_get_is_a_handshake)
{
    struct ws_accepted accepted;

    ask();
    ck_assert_int_eq(ws_handshake_check(&hs, span_str("POST"), &any, &accepted),
                     405);
}
END_TEST

START_TEST(a_plain_request_is_none)
{
    header("Host", "x");
    ck_assert_int_eq(check_with(&any), 400);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("ws_handshake");
    TCase *tc = tcase_create("handshake");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, answers_the_example_of_the_rfc);
    tcase_add_test(tc, tokens_are_found_in_lists_without_case);
    tcase_add_test(tc, another_version_gets_426);
    tcase_add_test(tc, only_a_key_of_16_bytes_is_a_key);
    tcase_add_test(tc, a_field_given_twice_is_refused);
    tcase_add_test(tc, a_request_with_a_body_is_refused);
    tcase_add_test(tc, the_subprotocol_must_be_offered_exactly);
    tcase_add_test(tc, a_foreign_origin_gets_403);
    tcase_add_test(tc, only_get_is_a_handshake);
    tcase_add_test(tc, a_plain_request_is_none);
    suite_add_tcase(suite, tc);
    return suite;
}

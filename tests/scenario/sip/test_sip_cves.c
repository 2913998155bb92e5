/* SPDX-License-Identifier: MIT */
/* What has brought other SIP servers down or opened them, by the name it got.
 * Each message goes through the whole proxy; where it is harmless it passes,
 * where it is not it is answered or dropped, and nothing else happens.
 */
#include "scenario/sip/support_world.h"

#include <stdio.h>

static char text[WORLD_MESSAGE];
static char many[8001];

static void setup(void)
{
    world_begin(1);
    world_connect(0, 0, 0);
    memset(many, 'x', sizeof(many) - 1);
}

static void teardown(void)
{
    for (int i = 0; i < 70; i++) {
        world_advance(5000);
        world_forget();
    }
    ck_assert_uint_eq(sip_core_pending(world.core[0]), 0);
    ck_assert_uint_eq(world.stats[0].transaction_bytes, 0);
    world_end();
}

static void expect_nothing(void)
{
    const struct sent *s = world_sent();

    ck_assert_msg(s == NULL, "sent: %s", s ? s->text : "");
}

/* A request from the client with these parts. */
static void request(const char *method, const char *via_params, const char *tag,
                    const char *lines)
{
    (void)snprintf(text, sizeof(text),
                   "%s sip:bob@example.org SIP/2.0\r\n"
                   "Via: SIP/2.0/WS a.invalid;%s\r\n"
                   "Max-Forwards: 69\r\n"
                   "From: <sip:alice@example.org>;tag=%s\r\n"
                   "To: <sip:bob@example.org>\r\n"
                   "Call-ID: c\r\nCSeq: 1 %s\r\n%s\r\n",
                   method, via_params, tag, method, lines);
    world_from_client(0, "%s", text);
}

/* CVE-2018-8828 (Kamailio): an off-by-one by a long branch or tag. */
START_TEST(a_long_branch_and_a_long_tag_pass)
{
    const struct sent *s;
    char via[WORLD_MESSAGE / 4];

    (void)snprintf(via, sizeof(via), "branch=z9hG4bK%.3000s", many);
    many[3000] = '\0';
    request("OPTIONS", via, many, "");
    s = world_expect("OPTIONS", -1, WORLD_SERVER_A);
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 200, "t", ""));
    s = world_expect("SIP/2.0 200", 0, 0);
    ck_assert_ptr_nonnull(strstr(s->text, many));
}
END_TEST

/* CVE-2018-14767 (Kamailio): two To, one of them empty. */
START_TEST(a_second_empty_to_is_400)
{
    request("INVITE", "branch=z9hG4bK1", "a", "To:\r\n");
    (void)world_expect("SIP/2.0 400 Duplicate", 0, 0);
    request("INVITE", "branch=z9hG4bK2", "a", "t \t: <sip:x@y>\r\n");
    (void)world_expect("SIP/2.0 400 Duplicate", 0, 0);
    expect_nothing();
}
END_TEST

/* CVE-2018-16657 (Kamailio): a Via that is none. */
START_TEST(a_broken_via_is_dropped)
{
    static const char *const vias[] = {
        "",    ";",           "SIP/2.0/UDP",     "SIP/2.0/UDP ;branch=z9hG4bK1",
        "SIP", "SIP/2.0/WS ", "SIP/2.0/WS [::;x"};

    for (size_t i = 0; i < ARRAY_SIZE(vias); i++) {
        world_from_client(0,
                          "INVITE sip:bob@example.org SIP/2.0\r\nVia: %s\r\n"
                          "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n"
                          "Call-ID: c\r\nCSeq: 1 INVITE\r\n\r\n",
                          vias[i]);
        expect_nothing();
    }
    ck_assert_uint_eq(world.stats[0].malformed, ARRAY_SIZE(vias));
}
END_TEST

/* CVE-2020-28361 (Kamailio): a header field that is to be removed, written so
 * that the remover does not see it and the next server does. */
START_TEST(a_trust_header_is_removed_however_it_is_written)
{
    const struct sent *s;

    request("INVITE", "branch=z9hG4bK1", "a",
            "P-Asserted-Identity : <sip:boss1@example.org>\r\n"
            "P-Asserted-Identity\t: <sip:boss2@example.org>\r\n"
            "p-asserted-identity:\r\n <sip:boss3@example.org>\r\n"
            "P-ASSERTED-IDENTITY: <sip:boss4@example.org>,\r\n"
            "\t<sip:boss5@example.org>\r\n"
            "diversion  \t :<sip:boss6@example.org>\r\n"
            "X-P-Asserted-Identity: kept\r\n");
    s = world_expect("INVITE", -1, WORLD_SERVER_A);
    ck_assert_ptr_null(strstr(s->text, "boss"));
    ck_assert_ptr_nonnull(strstr(s->text, "X-P-Asserted-Identity: kept\r\n"));
}
END_TEST

/* Kamailio 2026, siphon PR 237, and many more: Content-Length. */
START_TEST(an_insane_content_length_is_400)
{
    static const char *const lengths[] = {
        "2147483647", "4294967295",           "4294967296", "-1",  "+1", "0x0",
        "1",          "18446744073709551616", "0 0",        "0,0", ""};

    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        char line[64];

        (void)snprintf(line, sizeof(line), "Content-Length: %s\r\n",
                       lengths[i]);
        request("OPTIONS", "branch=z9hG4bK1", "a", line);
        (void)world_expect("SIP/2.0 400", 0, 0);
        expect_nothing();
    }
}
END_TEST

/* siphon PR 237: a bare line feed ends a line for one reader only. */
START_TEST(a_bare_line_feed_is_dropped)
{
    request("OPTIONS", "branch=z9hG4bK1", "a", "X: y\nRoute: <sip:x>\r\n");
    request("OPTIONS", "branch=z9hG4bK1", "a", "X: y\rRoute: <sip:x>\r\n");
    request("OPTIONS", "branch=z9hG4bK1", "a", "X: y\r\n\nRoute: <sip:x>\r\n");
    expect_nothing();
    ck_assert_uint_eq(world.stats[0].malformed, 3);
}
END_TEST

/* ES2017-01 (Asterisk): a long method in CSeq. */
START_TEST(a_long_method_is_400)
{
    many[SIP_METHOD_MAX + 1] = '\0';
    request(many, "branch=z9hG4bK1", "a", "");
    (void)world_expect("SIP/2.0 400", 0, 0);
    many[SIP_METHOD_MAX] = '\0';
    request(many, "branch=z9hG4bK2", "a", "");
    (void)world_expect(many, -1, WORLD_SERVER_A);
}
END_TEST

/* CVE-2026-57191 (Asterisk): a NOTIFY nobody subscribed to. */
START_TEST(an_unsolicited_notify_is_403)
{
    request("NOTIFY", "branch=z9hG4bK1", "a",
            "Event: message-summary\r\nSubscription-State: active\r\n");
    (void)world_expect("SIP/2.0 403", 0, 0);
    expect_nothing();
}
END_TEST

/* sofia-sip CVE-2022-31001 and later: STUN, or anything, where SIP should
 * be. */
START_TEST(bytes_that_are_no_sip_are_dropped)
{
    static const uint8_t stun[] = {0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 0, 0,
                                   0, 0, 0, 0, 0,    0,    0,    0,    0, 0};
    const struct sip_target from = {
        .transport = SIP_UDP,
        .remote = addr_v4(WORLD_SERVER_A, 5060),
        .listener = WORLD_UDP,
    };

    for (size_t len = 0; len <= sizeof(stun); len++)
        sip_core_on_message(world.core[0], &from, span_of(stun, len),
                            world.now);
    sip_core_on_message(world.core[0], &from, span_of("\0", 1), world.now);
    sip_core_on_message(world.core[0], &from, span_of("SIP/2.0 ", 8),
                        world.now);
    expect_nothing();
}
END_TEST

/* Who sends responses elsewhere: the sender's received, rport and maddr. */
START_TEST(an_answer_goes_back_where_the_request_came_from)
{
    const struct sent *s;

    request("OPTIONS",
            "branch=z9hG4bK1;received=10.0.0.5;rport=5060;maddr=224.2.0.1", "a",
            "");
    s = world_expect("OPTIONS", -1, WORLD_SERVER_A);
    ck_assert_ptr_nonnull(strstr(s->text, "received=203.0.113.0"));
    ck_assert_ptr_nonnull(strstr(s->text, "rport=40000"));
    ck_assert_ptr_null(strstr(s->text, "10.0.0.5"));
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 200, "t", ""));
    (void)world_expect("SIP/2.0 200", 0, 0);
    expect_nothing();
}
END_TEST

/* Where a client would send a call on is for the media server to judge: calls
 * to premium numbers are made this way. */
START_TEST(a_redirection_from_outside_is_told_not_followed)
{
    const struct sent *s;
    char path[300];

    request("REGISTER", "branch=z9hG4bKr", "a",
            "Contact: <sip:x@a.invalid>\r\n");
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    (void)snprintf(path, sizeof(path), "%s", world_value(s, "Path", 0));
    world_from_server(WORLD_SERVER_A, 0,
                      "INVITE sip:x@a.invalid SIP/2.0\r\n"
                      "Via: SIP/2.0/UDP 10.0.0.10;branch=z9hG4bKi\r\n"
                      "Max-Forwards: 70\r\nRoute: %s\r\n"
                      "From: <sip:b@e.org>;tag=1\r\nTo: <sip:a@e.org>\r\n"
                      "Call-ID: redirect\r\nCSeq: 1 INVITE\r\n\r\n",
                      path);
    s = world_expect("INVITE", 0, 0);
    world_from_client(0, "%s",
                      world_answer(s, 302, "t",
                                   "Contact: <sip:900@10.0.0.11>, "
                                   "<sip:900@198.51.100.9>\r\n"));
    (void)world_expect("ACK", 0, 0);
    s = world_expect("SIP/2.0 302", -1, WORLD_SERVER_A);
    ck_assert_ptr_nonnull(strstr(s->text, "sip:900@198.51.100.9"));
    expect_nothing();
}
END_TEST

/* nathelper's alias= and path's received= name any address, unsigned. */
START_TEST(an_unsigned_alias_or_received_opens_nothing)
{
    static const char *const routes[] = {
        "<sip:10.1.0.2:5060;lr;received=sip:10.0.0.5>",
        "<sip:edge.example:5066;transport=ws;lr>",
        "<sip:x@edge.example:5066;lr;ob>",
        "<sip:10.0.0.5;lr>",
    };

    for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
        world_from_server(WORLD_SERVER_A, 0,
                          "INVITE sip:x@y;alias=10.0.0.5~5060~1 SIP/2.0\r\n"
                          "Via: SIP/2.0/UDP 10.0.0.10;branch=z9hG4bK%zu\r\n"
                          "Route: %s\r\nFrom: <sip:a@b>;tag=1\r\n"
                          "To: <sip:a@b>;tag=2\r\nCall-ID: c%zu\r\n"
                          "CSeq: 1 INVITE\r\n\r\n",
                          i, routes[i], i);
        (void)world_expect("SIP/2.0 404", -1, WORLD_SERVER_A);
        expect_nothing();
    }
}
END_TEST

/* itsbc 12 and drachtio 39: a made-up To tag makes a request look like part
 * of a dialog. */
START_TEST(a_made_up_to_tag_opens_nothing)
{
    static const char *const methods[] = {"INVITE", "BYE",    "INFO",
                                          "REFER",  "UPDATE", "REGISTER"};

    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        world_from_client(0,
                          "%s sip:victim@10.0.0.5 SIP/2.0\r\n"
                          "Via: SIP/2.0/WS a.invalid;branch=z9hG4bK%zu\r\n"
                          "Route: <sip:edge.example:5066;transport=ws;lr>\r\n"
                          "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\n"
                          "Call-ID: c\r\nCSeq: 1 %s\r\n\r\n",
                          methods[i], i, methods[i]);
        (void)world_expect("SIP/2.0 403", 0, 0);
        expect_nothing();
    }
}
END_TEST

/* A message behind the message: a frame is one message or none. */
START_TEST(a_second_message_in_a_frame_goes_nowhere)
{
    request("OPTIONS", "branch=z9hG4bK1", "a",
            "Content-Length: 0\r\n\r\nREGISTER sip:x SIP/2.0\r\n"
            "Via: SIP/2.0/WS a;branch=z9hG4bK2\r\n");
    (void)world_expect("SIP/2.0 400", 0, 0);
    expect_nothing();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("sip_cves");
    TCase *tc = tcase_create("known");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_long_branch_and_a_long_tag_pass);
    tcase_add_test(tc, a_second_empty_to_is_400);
    tcase_add_test(tc, a_broken_via_is_dropped);
    tcase_add_test(tc, a_trust_header_is_removed_however_it_is_written);
    tcase_add_test(tc, an_insane_content_length_is_400);
    tcase_add_test(tc, a_bare_line_feed_is_dropped);
    tcase_add_test(tc, a_long_method_is_400);
    tcase_add_test(tc, an_unsolicited_notify_is_403);
    tcase_add_test(tc, bytes_that_are_no_sip_are_dropped);
    tcase_add_test(tc, an_answer_goes_back_where_the_request_came_from);
    tcase_add_test(tc, a_redirection_from_outside_is_told_not_followed);
    tcase_add_test(tc, an_unsigned_alias_or_received_opens_nothing);
    tcase_add_test(tc, a_made_up_to_tag_opens_nothing);
    tcase_add_test(tc, a_second_message_in_a_frame_goes_nowhere);
    suite_add_tcase(suite, tc);
    return suite;
}

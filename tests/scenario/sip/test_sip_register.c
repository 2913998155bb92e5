/* SPDX-License-Identifier: MIT */
/* Registration through the edge, and requests that come back by it. */
#include "proxy/sip_flow.h"
#include "scenario/sip/support_world.h"

#include <stdio.h>

#define JSSIP_CONTACT                                                          \
    "<sip:q7l3k@8pf3e2fmp1k0.invalid;transport=ws>;+sip.instance=\"<urn:uuid:" \
    "0b8d7c52-0f3a-4f6d-9a3d-0d5f9a1f4f10>\";reg-id=1;expires=600"
#define SIPML_CONTACT                                                          \
    "<sips:1001@df7jal23ls0d.invalid;rtcweb-breaker=no;transport=wss>"         \
    ";expires=60;click2call=no;+g.oma.sip-im;language=\"en,fr\""

static void setup(void)
{
    world_begin(1);
    world_connect(0, 0, 0);
}

static void teardown(void)
{
    world_end();
}

static void send_register(int conn, const char *contact, const char *extra)
{
    world_from_client(
        conn,
        "REGISTER sip:example.org SIP/2.0\r\n"
        "Via: SIP/2.0/WS 8pf3e2fmp1k0.invalid;branch=z9hG4bK%llu\r\n"
        "Max-Forwards: 69\r\n"
        "To: <sip:alice@example.org>\r\n"
        "From: \"Alice\" <sip:alice@example.org>;tag=e4v1\r\n"
        "Call-ID: reg-%d\r\n"
        "CSeq: 1 REGISTER\r\n"
        "Contact: %s\r\n"
        "%s"
        "Content-Length: 0\r\n\r\n",
        (unsigned long long)world.now, conn, contact, extra);
}

/* Register and return the Path's URI. */
static const char *register_with(int conn, const char *contact)
{
    const struct sent *s;
    const char *path;
    char echo[2048];

    send_register(conn, contact, "");
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    path = world_uri(world_value(s, "Path", 0));
    (void)snprintf(echo, sizeof(echo), "Contact: %s\r\nPath: <%s>\r\n",
                   world_value(s, "Contact", 0), path);
    world_from_server(WORLD_SERVER_A, 0, "%s",
                      world_answer(s, 200, "reg", echo));
    (void)world_expect("SIP/2.0 200", conn, 0);
    return path;
}

static void invite_by_path(const char *path, const char *uri)
{
    world_from_server(WORLD_SERVER_A, 0,
                      "INVITE %s SIP/2.0\r\n"
                      "Via: SIP/2.0/UDP 10.0.0.10:5060;branch=z9hG4bKin%llu\r\n"
                      "Max-Forwards: 70\r\n"
                      "Route: <%s>\r\n"
                      "From: <sip:bob@example.org>;tag=b0b\r\n"
                      "To: <sip:alice@example.org>\r\n"
                      "Call-ID: call-in\r\n"
                      "CSeq: 1 INVITE\r\n"
                      "Contact: <sip:10.0.0.10:5060>\r\n"
                      "Content-Length: 0\r\n\r\n",
                      uri, (unsigned long long)world.now, path);
}

START_TEST(register_gets_path_via_and_the_option_tag)
{
    const struct sent *s;
    const char *path;

    send_register(0, JSSIP_CONTACT, "Supported: outbound\r\n");
    s = world_expect("REGISTER sip:example.org SIP/2.0", -1, WORLD_SERVER_A);
    path = world_value(s, "Path", 0);
    ck_assert_uint_lt(strlen(path), 100);
    ck_assert_ptr_nonnull(strstr(path, "@10.1.0.2:5060;lr;ob>"));
    ck_assert(sip_msg_has_option(world_parse(s), SIP_HDR_SUPPORTED, "path"));
    ck_assert(
        sip_msg_has_option(world_parse(s), SIP_HDR_SUPPORTED, "outbound"));
    ck_assert_str_eq(world_value(s, "Contact", 0), JSSIP_CONTACT);
    ck_assert_int_eq(
        strncmp(world_value(s, "Via", 0), "SIP/2.0/UDP 10.1.0.2:5060;", 26), 0);
    ck_assert_ptr_nonnull(
        strstr(world_value(s, "Via", 1), ";received=203.0.113.0"));
    ck_assert_str_eq(world_value(s, "Max-Forwards", 0), "68");
    ck_assert_str_eq(world_value(s, "Record-Route", 0), "");
}
END_TEST

START_TEST(the_challenge_goes_back_to_the_client_untouched)
{
    const struct sent *s;

    send_register(0, JSSIP_CONTACT, "");
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    world_from_server(
        WORLD_SERVER_A, 0, "%s",
        world_answer(s, 401, "x",
                     "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n"));
    s = world_expect("SIP/2.0 401", 0, 0);
    ck_assert_str_eq(world_value(s, "WWW-Authenticate", 0),
                     "Digest realm=\"r\"");
    ck_assert_uint_eq(world_parse(s)->n_vias, 1);
}
END_TEST

START_TEST(a_request_by_path_goes_down_the_very_connection)
{
    const char *path = register_with(0, JSSIP_CONTACT);
    const struct sent *s;

    world_connect(1, 0, 0);
    invite_by_path(path, "sip:q7l3k@8pf3e2fmp1k0.invalid;transport=ws");
    s = world_expect(
        "INVITE sip:q7l3k@8pf3e2fmp1k0.invalid;transport=ws SIP/2.0", 0, 0);
    ck_assert_str_eq(world_value(s, "Route", 0), "");
    ck_assert_ptr_nonnull(strstr(world_value(s, "Record-Route", 0),
                                 "@edge.example:5066;transport=ws;lr>"));
    ck_assert_ptr_nonnull(
        strstr(world_value(s, "Record-Route", 1), "@10.1.0.2:5060;lr>"));
    ck_assert_int_eq(
        strncmp(world_value(s, "Via", 0), "SIP/2.0/WS edge.example:5066;", 29),
        0);
}
END_TEST

START_TEST(a_dead_connection_is_430_at_once)
{
    const char *path = register_with(0, JSSIP_CONTACT);

    world_disconnect(0);
    world_connect(1, 0, 0); /* takes the slot, not the name */
    invite_by_path(path, "sip:q7l3k@8pf3e2fmp1k0.invalid;transport=ws");
    (void)world_expect("SIP/2.0 430 Flow Failed", -1, WORLD_SERVER_A);
    ck_assert_uint_eq(world.stats[0].refused_flow_gone, 1);
}
END_TEST

START_TEST(a_connection_that_breaks_while_ringing_is_430)
{
    const char *path = register_with(0, JSSIP_CONTACT);

    invite_by_path(path, "sip:q7l3k@8pf3e2fmp1k0.invalid;transport=ws");
    (void)world_expect("INVITE", 0, 0);
    world_disconnect(0);
    (void)world_expect("SIP/2.0 430", -1, WORLD_SERVER_A);
}
END_TEST

START_TEST(a_connection_that_takes_nothing_is_430)
{
    const char *path = register_with(0, JSSIP_CONTACT);

    world.conns[0].is_broken = true;
    invite_by_path(path, "sip:q7l3k@8pf3e2fmp1k0.invalid;transport=ws");
    (void)world_expect("SIP/2.0 430", -1, WORLD_SERVER_A);
}
END_TEST

START_TEST(a_forged_token_is_403_and_counted)
{
    char path[256];
    char *at;

    (void)snprintf(path, sizeof(path), "%s", register_with(0, JSSIP_CONTACT));
    at = strchr(path, '@') - 5;
    *at = *at == 'A' ? 'B' : 'A';
    invite_by_path(path, "sip:q7l3k@8pf3e2fmp1k0.invalid;transport=ws");
    (void)world_expect("SIP/2.0 403", -1, WORLD_SERVER_A);
    ck_assert_uint_eq(world.stats[0].refused_forged_token, 1);
}
END_TEST

START_TEST(a_path_token_reaches_no_other_contact)
{
    const char *path = register_with(0, JSSIP_CONTACT);

    invite_by_path(path, "sip:mallory@8pf3e2fmp1k0.invalid;transport=ws");
    (void)world_expect("SIP/2.0 403", -1, WORLD_SERVER_A);
}
END_TEST

START_TEST(a_client_may_not_use_a_path_token)
{
    const char *path = register_with(0, JSSIP_CONTACT);

    world_connect(1, 0, 0);
    world_from_client(1,
                      "INVITE sip:q7l3k@8pf3e2fmp1k0.invalid SIP/2.0\r\n"
                      "Via: SIP/2.0/WS x.invalid;branch=z9hG4bKm1\r\n"
                      "Route: <%s>\r\n"
                      "From: <sip:m@example.org>;tag=1\r\n"
                      "To: <sip:alice@example.org>;tag=e4v1\r\n"
                      "Call-ID: m\r\nCSeq: 1 INVITE\r\n"
                      "Max-Forwards: 70\r\n\r\n",
                      path);
    (void)world_expect("SIP/2.0 403", 1, 0);
    ck_assert_uint_eq(world.stats[0].refused_unsigned_route, 1);
}
END_TEST

START_TEST(sips_becomes_sip_inwards_and_is_restored_outwards)
{
    const struct sent *s;
    const char *path;
    char echo[2048];

    send_register(0, SIPML_CONTACT, "");
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    path = world_uri(world_value(s, "Path", 0));
    ck_assert_str_eq(
        world_value(s, "Contact", 0),
        "<sip:1001@df7jal23ls0d.invalid;rtcweb-breaker=no;transport=wss>"
        ";expires=60;click2call=no;+g.oma.sip-im;language=\"en,fr\"");
    (void)snprintf(echo, sizeof(echo),
                   "Contact: %s, <sip:other@10.9.9.9>;expires=5\r\n"
                   "Path: <%s>\r\n",
                   world_value(s, "Contact", 0), path);
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 200, "r", echo));
    s = world_expect("SIP/2.0 200", 0, 0);
    ck_assert_str_eq(world_value(s, "Contact", 0), SIPML_CONTACT);
    ck_assert_str_eq(world_value(s, "Contact", 1),
                     "<sip:other@10.9.9.9>;expires=5");
    invite_by_path(
        path, "sip:1001@df7jal23ls0d.invalid;rtcweb-breaker=no;transport=wss");
    s = world_expect("INVITE sips:1001@df7jal23ls0d.invalid;rtcweb-breaker=no"
                     ";transport=wss SIP/2.0",
                     0, 0);
    /* the answer's Contact is mapped too, and the dialog keeps the flag */
    world_from_client(
        0, "%s", world_answer(s, 200, "al", "Contact: " SIPML_CONTACT "\r\n"));
    s = world_expect("SIP/2.0 200", -1, WORLD_SERVER_A);
    ck_assert_int_eq(strncmp(world_value(s, "Contact", 0), "<sip:1001@", 10),
                     0);
    world_from_server(
        WORLD_SERVER_A, 0,
        "BYE sip:1001@df7jal23ls0d.invalid;rtcweb-breaker=no;transport=wss "
        "SIP/2.0\r\n"
        "Via: SIP/2.0/UDP 10.0.0.10:5060;branch=z9hG4bKbye\r\n"
        "Route: %s, %s\r\n"
        "From: <sip:bob@example.org>;tag=b0b\r\n"
        "To: <sip:alice@example.org>;tag=al\r\n"
        "Call-ID: call-in\r\nCSeq: 2 BYE\r\nMax-Forwards: 70\r\n"
        "Content-Length: 0\r\n\r\n",
        world_value(s, "Record-Route", 1), world_value(s, "Record-Route", 0));
    (void)world_expect("BYE sips:1001@df7jal23ls0d.invalid;rtcweb-breaker=no"
                       ";transport=wss SIP/2.0",
                       0, 0);
}
END_TEST

START_TEST(without_path_the_contact_is_rewritten_and_restored)
{
    const struct sent *s;
    char contact[1024];
    char echo[2048];

    world_connect(2, 0, sip_name_tag(span_str("mds1")));
    send_register(2, SIPML_CONTACT, "");
    s = world_expect("REGISTER", -1, WORLD_SERVER_C);
    ck_assert_str_eq(world_value(s, "Path", 0), "");
    (void)snprintf(contact, sizeof(contact), "%s",
                   world_uri(world_value(s, "Contact", 0)));
    ck_assert_int_eq(strncmp(contact, "sip:1001@10.1.0.2:5060;edge=", 28), 0);
    ck_assert_ptr_nonnull(strstr(world_value(s, "Contact", 0), ">;expires=60"));
    (void)snprintf(echo, sizeof(echo), "Contact: <%s>;expires=55\r\n", contact);
    world_from_server(WORLD_SERVER_C, 0, "%s", world_answer(s, 200, "r", echo));
    s = world_expect("SIP/2.0 200", 2, 0);
    ck_assert_str_eq(
        world_value(s, "Contact", 0),
        "<sips:1001@df7jal23ls0d.invalid;rtcweb-breaker=no;transport=wss>"
        ";expires=55");
    world_from_server(WORLD_SERVER_C, 0,
                      "OPTIONS %s SIP/2.0\r\n"
                      "Via: SIP/2.0/UDP 10.0.0.12:5060;branch=z9hG4bKq\r\n"
                      "From: <sip:q@10.0.0.12>;tag=q\r\nTo: <%s>\r\n"
                      "Call-ID: q\r\nCSeq: 1 OPTIONS\r\n"
                      "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
                      contact, contact);
    (void)world_expect("OPTIONS sips:1001@df7jal23ls0d.invalid;rtcweb-breaker="
                       "no;transport=wss SIP/2.0",
                       2, 0);
    world_disconnect(2);
    (void)world_expect("SIP/2.0 430", -1, WORLD_SERVER_C);
}
END_TEST

START_TEST(trust_headers_from_outside_are_removed)
{
    const struct sent *s;

    send_register(0, JSSIP_CONTACT,
                  "P-Asserted-Identity : <sip:boss@example.org>\r\n"
                  "diversion: <sip:x@y>\r\n"
                  "P-Other: stays\r\n");
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    ck_assert_ptr_null(strstr(s->text, "boss"));
    ck_assert_ptr_null(strstr(s->text, "iversion"));
    ck_assert_ptr_nonnull(strstr(s->text, "P-Other: stays"));
}
END_TEST

START_TEST(a_contact_longer_than_registrars_take_is_refused)
{
    char contact[600];

    (void)snprintf(contact, sizeof(contact), "<sip:a@b.invalid;x=%0450d>", 1);
    send_register(0, contact, "");
    (void)world_expect("SIP/2.0 400 Contact Too Long", 0, 0);
}
END_TEST

START_TEST(a_registrar_that_ignores_path_is_noticed)
{
    const struct sent *s;

    send_register(0, JSSIP_CONTACT, "");
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 200, "r", ""));
    (void)world_expect("SIP/2.0 200", 0, 0);
    ck_assert_uint_eq(world.stats[0].path_ignored, 1);
}
END_TEST

static void learn_path(void)
{
    world.cfg.dispatch.servers[0].path = SIP_PATH_AUTO;
    sip_core_reload(world.core[0], &world.cfg, world.now);
}

START_TEST(a_flow_is_promised_to_who_asks_and_told_its_time)
{
    const struct sent *s;
    char echo[2048];

    world.cfg.ws_flow_timer_s = 80;
    send_register(0, JSSIP_CONTACT, "Supported: path, outbound\r\n");
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    ck_assert_ptr_nonnull(strstr(world_value(s, "Path", 0), ";lr;ob>"));
    (void)snprintf(echo, sizeof(echo),
                   "Path: %s\r\nRequire: outbound\r\nFlow-Timer: 9999\r\n",
                   world_value(s, "Path", 0));
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 200, "r", echo));
    s = world_expect("SIP/2.0 200", 0, 0);
    ck_assert_str_eq(world_value(s, "Flow-Timer", 0), "80");
    ck_assert_uint_eq(world.stats[0].outbound_flows, 1);
}
END_TEST

START_TEST(no_flow_is_promised_to_who_does_not_ask)
{
    const struct sent *s;

    world.cfg.ws_flow_timer_s = 80;
    send_register(0, SIPML_CONTACT, "Supported: path, outbound\r\n");
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    ck_assert_ptr_null(strstr(world_value(s, "Path", 0), ";ob"));
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 200, "r", ""));
    s = world_expect("SIP/2.0 200", 0, 0);
    ck_assert_str_eq(world_value(s, "Flow-Timer", 0), "");
}
END_TEST

START_TEST(auto_takes_off_path_when_it_is_ignored)
{
    const struct sent *s;

    learn_path();
    send_register(0, JSSIP_CONTACT, "");
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    ck_assert_str_ne(world_value(s, "Path", 0), "");
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 200, "r", ""));
    (void)world_expect("SIP/2.0 200", 0, 0);
    /* A reload with the same setting does not forget it. */
    sip_core_reload(world.core[0], &world.cfg, world.now);
    world_advance(40000);
    world_forget();
    send_register(0, SIPML_CONTACT, "");
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    ck_assert_str_eq(world_value(s, "Path", 0), "");
    ck_assert_ptr_nonnull(strstr(world_value(s, "Contact", 0), ";edge="));
}
END_TEST

START_TEST(auto_asks_again_without_path_after_420)
{
    const struct sent *s;

    learn_path();
    send_register(0, JSSIP_CONTACT, "");
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    world_from_server(WORLD_SERVER_A, 0, "%s",
                      world_answer(s, 420, "r", "Unsupported: path\r\n"));
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    ck_assert_str_eq(world_value(s, "Path", 0), "");
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 200, "r", ""));
    (void)world_expect("SIP/2.0 200", 0, 0);
    ck_assert_uint_eq(world.stats[0].path_ignored, 0);
}
END_TEST

START_TEST(what_is_set_to_path_is_told_of_420)
{
    const struct sent *s;

    send_register(0, JSSIP_CONTACT, "");
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    world_from_server(WORLD_SERVER_A, 0, "%s",
                      world_answer(s, 420, "r", "Unsupported: path\r\n"));
    (void)world_expect("SIP/2.0 420", 0, 0);
}
END_TEST

START_TEST(the_edge_retransmits_on_the_datagram_side)
{
    send_register(0, JSSIP_CONTACT, "");
    (void)world_expect("REGISTER", -1, WORLD_SERVER_A);
    world_advance(500);
    (void)world_expect("REGISTER", -1, WORLD_SERVER_A);
    world_advance(1000);
    (void)world_expect("REGISTER", -1, WORLD_SERVER_A);
    ck_assert_ptr_null(world_sent());
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("sip_register");
    TCase *t = tcase_create("register");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, register_gets_path_via_and_the_option_tag);
    tcase_add_test(t, the_challenge_goes_back_to_the_client_untouched);
    tcase_add_test(t, a_request_by_path_goes_down_the_very_connection);
    tcase_add_test(t, a_dead_connection_is_430_at_once);
    tcase_add_test(t, a_connection_that_breaks_while_ringing_is_430);
    tcase_add_test(t, a_connection_that_takes_nothing_is_430);
    tcase_add_test(t, a_forged_token_is_403_and_counted);
    tcase_add_test(t, a_path_token_reaches_no_other_contact);
    tcase_add_test(t, a_client_may_not_use_a_path_token);
    tcase_add_test(t, sips_becomes_sip_inwards_and_is_restored_outwards);
    tcase_add_test(t, without_path_the_contact_is_rewritten_and_restored);
    tcase_add_test(t, trust_headers_from_outside_are_removed);
    tcase_add_test(t, a_contact_longer_than_registrars_take_is_refused);
    tcase_add_test(t, a_registrar_that_ignores_path_is_noticed);
    tcase_add_test(t, a_flow_is_promised_to_who_asks_and_told_its_time);
    tcase_add_test(t, no_flow_is_promised_to_who_does_not_ask);
    tcase_add_test(t, auto_takes_off_path_when_it_is_ignored);
    tcase_add_test(t, auto_asks_again_without_path_after_420);
    tcase_add_test(t, what_is_set_to_path_is_told_of_420);
    tcase_add_test(t, the_edge_retransmits_on_the_datagram_side);
    suite_add_tcase(s, t);
    return s;
}

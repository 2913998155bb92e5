/* SPDX-License-Identifier: MIT */
/* Topology hiding: what leaves, and what comes back. */
#include "proxy/sip_hide.h"
#include "scenario/sip/support_world.h"

#include <stdio.h>

static void begin(int mode)
{
    world_begin(1);
    world_end();
    /* Locals are looked at when a core is made. */
    world.cfg.locals[WORLD_WS].hide = mode;
    world.cfg.locals[WORLD_WS].addr = addr_v4(0xC6336402, 5066);
    world_restart();
    world_connect(0, 0, 0);
    world_from_client(0, "REGISTER sip:example.org SIP/2.0\r\n"
                         "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKreg\r\n"
                         "Max-Forwards: 69\r\n"
                         "From: <sip:alice@example.org>;tag=al\r\n"
                         "To: <sip:alice@example.org>\r\n"
                         "Call-ID: reg\r\nCSeq: 1 REGISTER\r\n"
                         "Contact: <sip:x1@a.invalid;transport=ws>\r\n\r\n");
}

static void setup(void)
{
    begin(SIP_HIDE_TOPOLOGY);
}

static void setup_full(void)
{
    begin(SIP_HIDE_FULL);
}

static void teardown(void)
{
    world_end();
}

static const char *path;

static void registered(void)
{
    const struct sent *s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    static char line[400];

    (void)snprintf(line, sizeof(line), "Route: %s\r\n",
                   world_value(s, "Path", 0));
    path = line;
    world_from_server(WORLD_SERVER_A, 0, "%s",
                      world_answer(s, 200, "r",
                                   "Contact: <sip:x1@a.invalid;transport=ws>"
                                   ";expires=60\r\n"
                                   "Path: <sip:x@10.1.0.2:5060;lr>\r\n"
                                   "Service-Route: <sip:10.0.0.10;lr>\r\n"));
    s = world_expect("SIP/2.0 200", 0, 0);
    ck_assert_ptr_null(strstr(s->text, "Path:"));
    ck_assert_ptr_null(strstr(s->text, "Service-Route:"));
    ck_assert_str_eq(world_uri(world_value(s, "Contact", 0)),
                     "sip:x1@a.invalid;transport=ws");
}

static const struct sent *invite(const char *more)
{
    world_from_server(WORLD_SERVER_A, 0,
                      "INVITE sip:x1@a.invalid;transport=ws SIP/2.0\r\n"
                      "Via: SIP/2.0/UDP 10.0.0.10:5060;branch=z9hG4bKone\r\n"
                      "Via: SIP/2.0/UDP 10.0.0.77;branch=z9hG4bKtwo\r\n"
                      "Max-Forwards: 70\r\n%s%s"
                      "To: <sip:alice@example.org>\r\n"
                      "CSeq: 1 INVITE\r\n\r\n",
                      path, more);
    return world_expect("INVITE", 0, 0);
}

#define USUAL                                                                  \
    "From: <sip:bob@example.org>;tag=bo\r\nCall-ID: in-1\r\n"                  \
    "Contact: <sip:bob@10.0.0.10:5070;ob>;+x=\"y\"\r\n"                        \
    "Record-Route: <sip:10.0.0.10;lr;ftag=1>, <sip:10.0.0.77;lr>\r\n"

START_TEST(a_request_has_one_hop_outside_and_all_inside)
{
    const struct sent *s;

    registered();
    s = invite(USUAL);
    ck_assert_ptr_null(strstr(s->text, "10.0.0."));
    ck_assert_ptr_null(strstr(s->text, "10.1.0.2"));
    ck_assert_ptr_nonnull(strstr(world_value(s, "Contact", 0), ";+x=\"y\""));
    ck_assert_ptr_nonnull(strstr(world_value(s, "Contact", 0), "sip:bob@edge"));
    world_from_client(
        0, "%s", world_answer(s, 200, "al", "Contact: <sip:x1@a.invalid>\r\n"));
    s = world_expect("SIP/2.0 200", -1, WORLD_SERVER_A);
    ck_assert_ptr_nonnull(strstr(world_value(s, "Via", 0), "10.0.0.10:5060"));
    ck_assert_ptr_nonnull(strstr(world_value(s, "Via", 1), "10.0.0.77"));
    ck_assert_ptr_nonnull(strstr(world_value(s, "Record-Route", 0), "edge"));
    ck_assert_ptr_nonnull(
        strstr(world_value(s, "Record-Route", 1), "10.1.0.2"));
    ck_assert_str_eq(world_value(s, "Record-Route", 2),
                     "<sip:10.0.0.10;lr;ftag=1>");
    ck_assert_str_eq(world_value(s, "Record-Route", 3), "<sip:10.0.0.77;lr>");
    ck_assert_ptr_null(strstr(s->text, "hid="));
}
END_TEST

START_TEST(addresses_elsewhere_are_replaced_whole_ones_only)
{
    const struct sent *s;

    registered();
    s = invite(USUAL "X-One: 10.0.0.10, 10.0.0.10:5060\r\n"
                     "X-Two: 110.0.0.10 10.0.0.100 1.10.0.0.10\r\n"
                     "User-Agent: inside 1.0\r\n"
                     "WWW-Authenticate: Digest realm=\"10.0.0.10\"\r\n"
                     "Warning: 399 x \"y\"\r\n");
    ck_assert_ptr_nonnull(
        strstr(s->text, "X-One: edge.example, edge.example:5060\r\n"));
    ck_assert_ptr_nonnull(
        strstr(s->text, "X-Two: 110.0.0.10 10.0.0.100 1.10.0.0.10\r\n"));
    ck_assert_str_eq(world_value(s, "User-Agent", 0), "inside 1.0");
    ck_assert_ptr_nonnull(strstr(s->text, "realm=\"10.0.0.10\""));
    ck_assert_str_eq(world_value(s, "Warning", 0), "");
}
END_TEST

START_TEST(addresses_of_ipv6_are_found_too)
{
    const struct sent *s;

    world_end();
    world.cfg.locals[2] = (struct sip_local){.transport = SIP_UDP,
                                             .zone = SIP_INSIDE,
                                             .sent_by = "[2001:db8::1]:5060"};
    ck_assert_int_eq(
        addr_parse(span_str("[2001:db8::1]:5060"), &world.cfg.locals[2].addr),
        0);
    world.cfg.n_locals = 3;
    world_restart();
    world_forget();
    world_connect(0, 0, 0);
    world_from_client(0, "REGISTER sip:example.org SIP/2.0\r\n"
                         "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKreg\r\n"
                         "Max-Forwards: 69\r\n"
                         "From: <sip:alice@example.org>;tag=al\r\n"
                         "To: <sip:alice@example.org>\r\n"
                         "Call-ID: reg\r\nCSeq: 1 REGISTER\r\n"
                         "Contact: <sip:x1@a.invalid;transport=ws>\r\n\r\n");
    registered();
    s = invite("From: <sip:bob@[2001:DB8::1]>;tag=bo\r\nCall-ID: in-1\r\n"
               "Contact: <sip:bob@[2001:db8::1]:5070>\r\n"
               "X-One: <sip:[2001:db8::1]:5060>, 2001:db8::1\r\n"
               "X-Two: 2001:db8::1a 2001:db8::1:2 12001:db8::1\r\n");
    ck_assert_ptr_nonnull(
        strstr(s->text, "X-One: <sip:edge.example:5060>, edge.example\r\n"));
    ck_assert_ptr_nonnull(
        strstr(s->text, "X-Two: 2001:db8::1a 2001:db8::1:2 12001:db8::1\r\n"));
    ck_assert_ptr_null(strstr(s->text, "DB8"));
    ck_assert_ptr_nonnull(strstr(world_value(s, "Contact", 0), "sip:bob@edge"));
    world_from_client(0, "%s", world_answer(s, 486, "al", ""));
    (void)world_expect("ACK", 0, 0);
    s = world_expect("SIP/2.0 486", -1, WORLD_SERVER_A);
    ck_assert_ptr_nonnull(
        strstr(s->text, "From: <sip:bob@[2001:DB8::1]>;tag=bo\r\n"));
}
END_TEST

START_TEST(full_hides_programs_too)
{
    const struct sent *s;

    registered();
    s = invite(USUAL "User-Agent: inside 1.0\r\nServer: 2\r\n"
                     "Organization: us\r\n");
    ck_assert_ptr_null(strstr(s->text, "User-Agent"));
    ck_assert_ptr_null(strstr(s->text, "Server"));
    ck_assert_ptr_null(strstr(s->text, "Organization"));
}
END_TEST

START_TEST(a_response_whose_via_was_changed_goes_nowhere)
{
    const struct sent *s;
    char *text, *at;

    registered();
    s = invite(USUAL);
    text = (char *)(uintptr_t)world_answer(s, 200, "al", "");
    at = strstr(text, ";hid=");
    ck_assert_ptr_nonnull(at);
    at[10] = at[10] == 'A' ? 'B' : 'A';
    world_from_client(0, "%s", text);
    ck_assert_ptr_null(world_sent());
    ck_assert_uint_eq(world.stats[0].hide_forged, 1);
}
END_TEST

START_TEST(what_looks_like_ours_by_chance_is_left_alone)
{
    registered();
    world_from_client(0, "OPTIONS sip:bob@example.org SIP/2.0\r\n"
                         "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKo\r\n"
                         "Max-Forwards: 69\r\n"
                         "From: <sip:alice@example.org>;tag=al\r\n"
                         "To: <sip:bob@example.org>\r\n"
                         "Call-ID: hid-den@somewhere\r\nCSeq: 1 OPTIONS\r\n"
                         "Subject: x;hid=y\r\n\r\n");
    ck_assert_ptr_nonnull(
        strstr(world_expect("OPTIONS", -1, WORLD_SERVER_A)->text,
               "hid-den@somewhere"));
    ck_assert_uint_eq(world.stats[0].hide_forged, 0);
}
END_TEST

START_TEST(more_than_fits_is_not_sent_rather_than_shown)
{
    static char more[8200];
    size_t n = 0;

    registered();
    n += (size_t)snprintf(more, sizeof(more), "%s", USUAL);
    for (int i = 0; i < 60; i++)
        n +=
            (size_t)snprintf(more + n, sizeof(more) - n,
                             "Record-Route: <sip:10.0.0.77;lr;p=%090d>\r\n", i);
    world_from_server(WORLD_SERVER_A, 0,
                      "INVITE sip:x1@a.invalid;transport=ws SIP/2.0\r\n"
                      "Via: SIP/2.0/UDP 10.0.0.10:5060;branch=z9hG4bKone\r\n"
                      "Max-Forwards: 70\r\n%s%s"
                      "To: <sip:alice@example.org>\r\nCSeq: 1 INVITE\r\n\r\n",
                      path, more);
    world_expect("SIP/2.0 430", -1, WORLD_SERVER_A);
    ck_assert_uint_ge(world.stats[0].hide_failures, 1);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("sip_hide");
    TCase *tc = tcase_create("topology");
    TCase *full = tcase_create("full");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_request_has_one_hop_outside_and_all_inside);
    tcase_add_test(tc, addresses_elsewhere_are_replaced_whole_ones_only);
    tcase_add_test(tc, addresses_of_ipv6_are_found_too);
    tcase_add_test(tc, a_response_whose_via_was_changed_goes_nowhere);
    tcase_add_test(tc, what_looks_like_ours_by_chance_is_left_alone);
    tcase_add_test(tc, more_than_fits_is_not_sent_rather_than_shown);
    suite_add_tcase(s, tc);
    tcase_add_checked_fixture(full, setup_full, teardown);
    tcase_add_test(full, full_hides_programs_too);
    suite_add_tcase(s, full);
    return s;
}

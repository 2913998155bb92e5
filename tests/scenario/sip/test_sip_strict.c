/* SPDX-License-Identifier: MIT */
/* Strict routers around us (RFC 3261 16.4, 16.6 step 6, 16.12.1). */
#include "scenario/sip/support_world.h"

#include <stdio.h>

static char outer[512], inner[512]; /* our Record-Route URIs */

static void setup(void)
{
    const struct sent *s;

    world_begin(1);
    world_connect(0, 0, 0);
    world_from_client(0, "INVITE sip:bob@example.org SIP/2.0\r\n"
                         "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKinv\r\n"
                         "Max-Forwards: 69\r\n"
                         "From: <sip:alice@example.org>;tag=al\r\n"
                         "To: <sip:bob@example.org>\r\n"
                         "Call-ID: call-1\r\nCSeq: 1 INVITE\r\n"
                         "Contact: <sip:x1@a.invalid;transport=ws;ob>\r\n\r\n");
    s = world_expect("INVITE", -1, WORLD_SERVER_A);
    (void)snprintf(inner, sizeof(inner), "%s",
                   world_uri(world_value(s, "Record-Route", 0)));
    (void)snprintf(outer, sizeof(outer), "%s",
                   world_uri(world_value(s, "Record-Route", 1)));
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 200, "b", ""));
    (void)world_expect("SIP/2.0 200", 0, 0);
}

static void teardown(void)
{
    world_end();
}

static void bye(const char *uri, const char *routes, const char *branch)
{
    world_from_client(0,
                      "BYE %s SIP/2.0\r\n"
                      "Via: SIP/2.0/WS a.invalid;branch=z9hG4bK%s\r\n"
                      "Max-Forwards: 69\r\n%s"
                      "From: <sip:alice@example.org>;tag=al\r\n"
                      "To: <sip:bob@example.org>;tag=b\r\n"
                      "Call-ID: call-1\r\nCSeq: 2 BYE\r\n\r\n",
                      uri, branch, routes);
}

START_TEST(a_strict_client_is_put_right)
{
    const struct sent *s;
    char routes[1200];

    (void)snprintf(routes, sizeof(routes),
                   "Route: <%s>, <sip:bob@10.0.0.10:5060>\r\n", inner);
    bye(outer, routes, "1");
    s = world_expect("BYE sip:bob@10.0.0.10:5060 SIP/2.0", -1, WORLD_SERVER_A);
    ck_assert_str_eq(world_value(s, "Route", 0), "");
    ck_assert_uint_eq(world.stats[0].strict_routes, 1);
}
END_TEST

START_TEST(only_with_our_token_for_this_call)
{
    char forged[600], routes[1200];

    (void)snprintf(forged, sizeof(forged), "%s", outer);
    forged[10] = forged[10] == 'A' ? 'B' : 'A';
    (void)snprintf(routes, sizeof(routes),
                   "Route: <sip:bob@10.0.0.99:5060>\r\n");
    bye(forged, routes, "2");
    (void)world_expect("SIP/2.0 403", 0, 0);
    ck_assert_uint_eq(world.stats[0].strict_routes, 0);
}
END_TEST

START_TEST(it_does_not_lead_anywhere_else)
{
    char routes[1200];

    (void)snprintf(routes, sizeof(routes),
                   "Route: <%s>, <sip:evil@192.0.2.66:5060>\r\n", inner);
    bye(outer, routes, "3");
    /* To the dialog's own server, whatever the target says. */
    (void)world_expect("BYE sip:evil@192.0.2.66:5060 SIP/2.0", -1,
                       WORLD_SERVER_A);
}
END_TEST

START_TEST(a_strict_router_behind_us_finds_itself_in_the_request_uri)
{
    const struct sent *s;
    char routes[1500];

    (void)snprintf(routes, sizeof(routes),
                   "Route: <%s>\r\nRoute: <%s>\r\n"
                   "Route: <sip:10.0.0.10>, <sip:deep.example;lr>\r\n",
                   outer, inner);
    bye("sip:bob@10.9.9.9", routes, "4");
    s = world_expect("BYE sip:10.0.0.10 SIP/2.0", -1, WORLD_SERVER_A);
    ck_assert_str_eq(world_value(s, "Route", 0), "<sip:deep.example;lr>");
    ck_assert_str_eq(world_value(s, "Route", 1), "<sip:bob@10.9.9.9>");
    ck_assert_str_eq(world_value(s, "Route", 2), "");
}
END_TEST

START_TEST(a_loose_router_behind_us_keeps_its_route)
{
    const struct sent *s;
    char routes[1500];

    (void)snprintf(routes, sizeof(routes),
                   "Route: <%s>, <%s>, <sip:10.0.0.10;lr>\r\n", outer, inner);
    bye("sip:bob@10.9.9.9", routes, "5");
    s = world_expect("BYE sip:bob@10.9.9.9 SIP/2.0", -1, WORLD_SERVER_A);
    ck_assert_str_eq(world_value(s, "Route", 0), "<sip:10.0.0.10;lr>");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("sip_strict");
    TCase *t = tcase_create("strict");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_strict_client_is_put_right);
    tcase_add_test(t, only_with_our_token_for_this_call);
    tcase_add_test(t, it_does_not_lead_anywhere_else);
    tcase_add_test(t,
                   a_strict_router_behind_us_finds_itself_in_the_request_uri);
    tcase_add_test(t, a_loose_router_behind_us_keeps_its_route);
    suite_add_tcase(s, t);
    return s;
}

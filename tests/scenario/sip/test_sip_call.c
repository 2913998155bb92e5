/* SPDX-License-Identifier: MIT */
/* Calls through the edge, from their first INVITE to their BYE. */
#include "proxy/sip_flow.h"
#include "scenario/sip/support_world.h"

#include <stdio.h>

/* The route sets of both ends, as a dialog keeps them. */
static char to_server[512]; /* Route lines of the client */
static char to_client[512]; /* of the media server */

static void setup(void)
{
    world_begin(1);
    world_connect(0, 0, 0);
    world_connect(1, 0, 0);
}

static void teardown(void)
{
    world_end();
}

static const struct sent *invite(void)
{
    world_from_client(0, "INVITE sip:bob@example.org SIP/2.0\r\n"
                         "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKinv\r\n"
                         "Max-Forwards: 69\r\n"
                         "From: <sip:alice@example.org>;tag=al\r\n"
                         "To: <sip:bob@example.org>\r\n"
                         "Call-ID: call-1\r\nCSeq: 1 INVITE\r\n"
                         "Contact: <sip:x1@a.invalid;transport=ws;ob>\r\n"
                         "Content-Type: application/sdp\r\n"
                         "\r\nv=0\r\n");
    return world_sent();
}

static void in_dialog_from_client(int conn, const char *method,
                                  const char *route, const char *call_id)
{
    world_from_client(conn,
                      "%s sip:bob@10.0.0.10:5060 SIP/2.0\r\n"
                      "Via: SIP/2.0/WS a.invalid;branch=z9hG4bK%s%llu\r\n"
                      "Max-Forwards: 69\r\n%s"
                      "From: <sip:alice@example.org>;tag=al\r\n"
                      "To: <sip:bob@example.org>;tag=bo\r\n"
                      "Call-ID: %s\r\nCSeq: 2 %s\r\n"
                      "Contact: <sip:x1@a.invalid;transport=ws;ob>\r\n"
                      "Content-Length: 0\r\n\r\n",
                      method, method, (unsigned long long)world.now, route,
                      call_id, method);
}

static void in_dialog_from_server(const char *method, const char *branch)
{
    world_from_server(WORLD_SERVER_A, 0,
                      "%s sip:x1@a.invalid;transport=ws;ob SIP/2.0\r\n"
                      "Via: SIP/2.0/UDP 10.0.0.10:5060;branch=z9hG4bK%s\r\n"
                      "Max-Forwards: 70\r\n%s"
                      "From: <sip:bob@example.org>;tag=bo\r\n"
                      "To: <sip:alice@example.org>;tag=al\r\n"
                      "Call-ID: call-1\r\nCSeq: 7 %s\r\n"
                      "Contact: <sip:bob@10.0.0.10:5060>\r\n"
                      "Content-Length: 0\r\n\r\n",
                      method, branch, to_client, method);
}

/* Up to the 200; the route sets are noted. */
static const struct sent *answered_call(void)
{
    const struct sent *s = invite();

    ck_assert_ptr_nonnull(s);
    (void)snprintf(to_client, sizeof(to_client), "Route: %s\r\nRoute: %s\r\n",
                   world_value(s, "Record-Route", 0),
                   world_value(s, "Record-Route", 1));
    (void)snprintf(to_server, sizeof(to_server), "Route: %s, %s\r\n",
                   world_value(s, "Record-Route", 1),
                   world_value(s, "Record-Route", 0));
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 180, "bo", ""));
    (void)world_expect("SIP/2.0 180", 0, 0);
    world_from_server(
        WORLD_SERVER_A, 0, "%s",
        world_answer(s, 200, "bo", "Contact: <sip:bob@10.0.0.10:5060>\r\n"));
    return world_expect("SIP/2.0 200", 0, 0);
}

START_TEST(an_invite_gets_100_and_two_record_routes)
{
    const struct sent *s = invite();

    ck_assert_ptr_nonnull(
        strstr(world_value(s, "Record-Route", 0), "@10.1.0.2:5060;lr>"));
    ck_assert_ptr_nonnull(strstr(world_value(s, "Record-Route", 1),
                                 "@edge.example:5066;transport=ws;lr>"));
    ck_assert_str_eq(world_value(s, "Content-Length", 0), "5");
    ck_assert_str_eq(world_value(s, "Contact", 0),
                     "<sip:x1@a.invalid;transport=ws;ob>");
    world_advance(300);
    (void)world_expect("SIP/2.0 100", 0, 0);
}
END_TEST

START_TEST(a_call_with_ack_reinvite_and_bye_both_ways)
{
    const struct sent *s = answered_call();

    in_dialog_from_client(0, "ACK", to_server, "call-1");
    s = world_expect("ACK sip:bob@10.0.0.10:5060 SIP/2.0", -1, WORLD_SERVER_A);
    ck_assert_str_eq(world_value(s, "Route", 0), "");
    in_dialog_from_server("INVITE", "re1");
    s = world_expect("INVITE sip:x1@a.invalid;transport=ws;ob", 0, 0);
    ck_assert_str_eq(world_value(s, "Route", 0), "");
    ck_assert_str_eq(world_value(s, "Record-Route", 0), "");
    world_from_client(0, "%s", world_answer(s, 200, "al", ""));
    (void)world_expect("SIP/2.0 200", -1, WORLD_SERVER_A);
    in_dialog_from_server("ACK", "ack7");
    (void)world_expect("ACK sip:x1@a.invalid;transport=ws;ob", 0, 0);
    in_dialog_from_client(0, "BYE", to_server, "call-1");
    s = world_expect("BYE sip:bob@10.0.0.10:5060", -1, WORLD_SERVER_A);
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 200, "", ""));
    (void)world_expect("SIP/2.0 200", 0, 0);
    world_advance(70000);
    ck_assert_uint_eq(sip_core_pending(world.core[0]), 0);
    ck_assert_uint_eq(world.stats[0].transactions_invite_server, 0);
    ck_assert_uint_eq(world.stats[0].transaction_bytes, 0);
}
END_TEST

START_TEST(all_methods_of_a_dialog_pass_both_ways)
{
    static const char *const methods[] = {"INFO",    "UPDATE",    "PRACK",
                                          "REFER",   "NOTIFY",    "MESSAGE",
                                          "OPTIONS", "SUBSCRIBE", "FOO"};

    (void)answered_call();
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        in_dialog_from_client(0, methods[i], to_server, "call-1");
        (void)world_expect(methods[i], -1, WORLD_SERVER_A);
        in_dialog_from_server(methods[i], methods[i]);
        (void)world_expect(methods[i], 0, 0);
    }
}
END_TEST

START_TEST(a_second_200_passes_after_the_first)
{
    const struct sent *s = invite();
    char again[4096];

    (void)snprintf(again, sizeof(again), "%s", world_answer(s, 200, "b2", ""));
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 200, "b1", ""));
    (void)world_expect("SIP/2.0 200", 0, 0);
    world_advance(1000);
    world_from_server(WORLD_SERVER_A, 0, "%s", again);
    s = world_expect("SIP/2.0 200", 0, 0);
    ck_assert_ptr_nonnull(strstr(world_value(s, "To", 0), "b2"));
}
END_TEST

START_TEST(the_edge_acknowledges_a_refusal_itself)
{
    const struct sent *s = invite();
    char busy[4096];

    (void)snprintf(busy, sizeof(busy), "%s", world_answer(s, 486, "bo", ""));
    world_from_server(WORLD_SERVER_A, 0, "%s", busy);
    (void)world_expect("ACK", -1, WORLD_SERVER_A);
    s = world_expect("SIP/2.0 486", 0, 0);
    world_from_client(0,
                      "ACK sip:bob@example.org SIP/2.0\r\n"
                      "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKinv\r\n"
                      "From: <sip:alice@example.org>;tag=al\r\nTo: %s\r\n"
                      "Call-ID: call-1\r\nCSeq: 1 ACK\r\n\r\n",
                      world_value(s, "To", 0));
    ck_assert_ptr_null(world_sent()); /* not forwarded */
    world_from_server(WORLD_SERVER_A, 0, "%s", busy);
    (void)world_expect("ACK", -1, WORLD_SERVER_A);
    ck_assert_ptr_null(world_sent()); /* not twice */
}
END_TEST

static void send_cancel(int conn)
{
    world_from_client(conn, "CANCEL sip:bob@example.org SIP/2.0\r\n"
                            "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKinv\r\n"
                            "From: <sip:alice@example.org>;tag=al\r\n"
                            "To: <sip:bob@example.org>\r\n"
                            "Call-ID: call-1\r\nCSeq: 1 CANCEL\r\n\r\n");
}

START_TEST(cancel_ends_a_ringing_call)
{
    const struct sent *s = invite();
    char ended[4096];

    (void)snprintf(ended, sizeof(ended), "%s", world_answer(s, 487, "bo", ""));
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 180, "bo", ""));
    (void)world_expect("SIP/2.0 180", 0, 0);
    send_cancel(0);
    (void)world_expect("SIP/2.0 200", 0, 0);
    s = world_expect("CANCEL sip:bob@example.org", -1, WORLD_SERVER_A);
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 200, "bo", ""));
    ck_assert_ptr_null(world_sent());
    world_from_server(WORLD_SERVER_A, 0, "%s", ended);
    (void)world_expect("ACK", -1, WORLD_SERVER_A);
    (void)world_expect("SIP/2.0 487", 0, 0);
}
END_TEST

START_TEST(cancel_before_any_answer_waits_for_one)
{
    const struct sent *s = invite();
    char ringing[4096];

    (void)snprintf(ringing, sizeof(ringing), "%s",
                   world_answer(s, 100, "", ""));
    send_cancel(0);
    (void)world_expect("SIP/2.0 200", 0, 0);
    ck_assert_ptr_null(world_sent());
    world_from_server(WORLD_SERVER_A, 0, "%s", ringing);
    (void)world_expect("CANCEL", -1, WORLD_SERVER_A);
}
END_TEST

START_TEST(cancel_and_200_may_cross)
{
    const struct sent *s = invite();
    char taken[4096];

    (void)snprintf(taken, sizeof(taken), "%s", world_answer(s, 200, "bo", ""));
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 180, "bo", ""));
    (void)world_expect("SIP/2.0 180", 0, 0);
    send_cancel(0);
    (void)world_expect("SIP/2.0 200", 0, 0);
    (void)world_expect("CANCEL", -1, WORLD_SERVER_A);
    world_from_server(WORLD_SERVER_A, 0, "%s", taken);
    s = world_expect("SIP/2.0 200", 0, 0);
    ck_assert_str_eq(world_value(s, "CSeq", 0), "1 INVITE");
}
END_TEST

START_TEST(nobody_else_may_cancel)
{
    const struct sent *s = invite();

    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 180, "bo", ""));
    (void)world_expect("SIP/2.0 180", 0, 0);
    send_cancel(1);
    (void)world_expect("SIP/2.0 481", 1, 0);
    ck_assert_ptr_null(world_sent());
    ck_assert_uint_eq(world.stats[0].refused_foreign_cancel, 1);
}
END_TEST

START_TEST(cancel_of_nothing_is_481)
{
    send_cancel(0);
    (void)world_expect("SIP/2.0 481", 0, 0);
}
END_TEST

START_TEST(a_caller_that_goes_away_cancels)
{
    const struct sent *s = invite();

    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 180, "bo", ""));
    (void)world_expect("SIP/2.0 180", 0, 0);
    world_disconnect(0);
    (void)world_expect("CANCEL", -1, WORLD_SERVER_A);
    ck_assert_uint_eq(world.stats[0].abandoned, 1);
}
END_TEST

START_TEST(timer_c_ends_what_nobody_answers)
{
    const struct sent *s = invite();

    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 180, "bo", ""));
    (void)world_expect("SIP/2.0 180", 0, 0);
    world_advance(184000);
    ck_assert_ptr_null(world_sent());
    world_advance(2000);
    (void)world_expect("CANCEL", -1, WORLD_SERVER_A);
    ck_assert_uint_eq(world.stats[0].timer_c, 1);
    world_forget();
    world_advance(110000);
    while ((s = world_sent())) {
        struct addr b = addr_v4(WORLD_SERVER_B, 5060);

        ck_assert(!addr_equal(&s->to.remote, &b)); /* it has rung already */
    }
    ck_assert_uint_eq(sip_core_pending(world.core[0]), 0);
}
END_TEST

START_TEST(a_dialog_goes_on_from_another_connection)
{
    (void)answered_call();
    world_disconnect(0);
    in_dialog_from_client(1, "INVITE", to_server, "call-1");
    (void)world_expect("INVITE", -1, WORLD_SERVER_A);
}
END_TEST

START_TEST(bye_into_a_dead_connection_is_430)
{
    (void)answered_call();
    world_disconnect(0);
    in_dialog_from_server("BYE", "b");
    (void)world_expect("SIP/2.0 430", -1, WORLD_SERVER_A);
}
END_TEST

START_TEST(a_token_of_another_dialog_opens_nothing)
{
    (void)answered_call();
    in_dialog_from_client(0, "BYE", to_server, "call-2");
    (void)world_expect("SIP/2.0 403", 0, 0);
    ck_assert_uint_eq(world.stats[0].refused_forged_token, 1);
}
END_TEST

START_TEST(a_dialog_without_our_route_is_refused)
{
    static const char *const routes[] = {
        "",
        "Route: <sip:10.1.0.2:5060;lr>\r\n",
        "Route: <sip:edge.example:5066;transport=ws;lr>\r\n",
        "Route: <sip:10.0.0.99;lr>\r\n",
    };

    (void)answered_call();
    for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
        world_advance(1);
        in_dialog_from_client(0, "BYE", routes[i], "call-1");
        (void)world_expect("SIP/2.0 403", 0, 0);
        in_dialog_from_client(0, "ACK", routes[i], "call-1");
        ck_assert_ptr_null(world_sent());
    }
    ck_assert_uint_eq(world.stats[0].refused_unsigned_route, 8);
}
END_TEST

/* What a client writes behind our Route decides nothing: only a configured
 * media server is ever sent to. */
START_TEST(a_dialog_reaches_no_address_of_the_clients_choice)
{
    char routes[1024];

    (void)answered_call();
    (void)snprintf(routes, sizeof(routes), "%sRoute: <sip:10.0.0.99;lr>\r\n",
                   to_server);
    in_dialog_from_client(0, "BYE", routes, "call-1");
    (void)world_expect("BYE", -1, WORLD_SERVER_A);
    world_from_client(0,
                      "INFO sip:root@10.0.0.99:22;maddr=10.0.0.98 SIP/2.0\r\n"
                      "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKssrf\r\n%s"
                      "From: <sip:alice@example.org>;tag=al\r\n"
                      "To: <sip:bob@example.org>;tag=bo\r\n"
                      "Call-ID: call-1\r\nCSeq: 3 INFO\r\n\r\n",
                      to_server);
    (void)world_expect("INFO", -1, WORLD_SERVER_A);
}
END_TEST

START_TEST(a_challenge_from_a_client_becomes_403)
{
    const struct sent *s;

    (void)answered_call();
    in_dialog_from_server("INVITE", "re2");
    s = world_expect("INVITE", 0, 0);
    world_from_client(
        0, "%s",
        world_answer(s, 407, "al",
                     "Proxy-Authenticate: Digest realm=\"evil\"\r\n"));
    (void)world_expect("ACK", 0, 0);
    s = world_expect("SIP/2.0 403", -1, WORLD_SERVER_A);
    ck_assert_ptr_null(strstr(s->text, "evil"));
    ck_assert_uint_eq(world.stats[0].challenges_refused, 1);
}
END_TEST

START_TEST(responses_from_strangers_are_dropped)
{
    const struct sent *s = invite();
    char ok[4096];

    (void)snprintf(ok, sizeof(ok), "%s", world_answer(s, 200, "x", ""));
    world_from_server(WORLD_STRANGER, 0, "%s", ok);
    ck_assert_uint_eq(world.stats[0].unknown_source, 1);
    world_from_server(WORLD_SERVER_B, 0, "%s", ok); /* not who was asked */
    ck_assert_uint_eq(world.stats[0].wrong_peer, 1);
    world_from_client(1, "%s", ok);
    ck_assert_ptr_null(world_sent());
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("sip_call");
    TCase *t = tcase_create("call");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, an_invite_gets_100_and_two_record_routes);
    tcase_add_test(t, a_call_with_ack_reinvite_and_bye_both_ways);
    tcase_add_test(t, all_methods_of_a_dialog_pass_both_ways);
    tcase_add_test(t, a_second_200_passes_after_the_first);
    tcase_add_test(t, the_edge_acknowledges_a_refusal_itself);
    tcase_add_test(t, cancel_ends_a_ringing_call);
    tcase_add_test(t, cancel_before_any_answer_waits_for_one);
    tcase_add_test(t, cancel_and_200_may_cross);
    tcase_add_test(t, nobody_else_may_cancel);
    tcase_add_test(t, cancel_of_nothing_is_481);
    tcase_add_test(t, a_caller_that_goes_away_cancels);
    tcase_add_test(t, timer_c_ends_what_nobody_answers);
    tcase_add_test(t, a_dialog_goes_on_from_another_connection);
    tcase_add_test(t, bye_into_a_dead_connection_is_430);
    tcase_add_test(t, a_token_of_another_dialog_opens_nothing);
    tcase_add_test(t, a_dialog_without_our_route_is_refused);
    tcase_add_test(t, a_dialog_reaches_no_address_of_the_clients_choice);
    tcase_add_test(t, a_challenge_from_a_client_becomes_403);
    tcase_add_test(t, responses_from_strangers_are_dropped);
    suite_add_tcase(s, t);
    return s;
}

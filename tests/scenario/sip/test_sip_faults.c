/* SPDX-License-Identifier: MIT */
/* What breaks around the core: full tables, a clock that jumps, a network that
 * loses a third of all datagrams, media servers that pause and come back. */
#include "scenario/sip/support_world.h"

#include <stdio.h>

static char routes[512];
static unsigned branches;

static void setup(void)
{
    world_begin(1);
    world_connect(0, 0, 0);
}

static void teardown(void)
{
    world_end();
}

static void ask(const char *method, const char *call_id, const char *to_tag)
{
    world_from_client(0,
                      "%s sip:b@e.org SIP/2.0\r\n"
                      "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKf%u\r\n"
                      "From: <sip:alice@e.org>;tag=al\r\n"
                      "To: <sip:b@e.org>%s\r\n%s%s%s"
                      "Contact: <sip:alice@a.invalid>\r\n"
                      "Call-ID: %s\r\nCSeq: 7 %s\r\n\r\n",
                      method, ++branches, to_tag, *to_tag ? "Route: " : "",
                      *to_tag ? routes : "", *to_tag ? "\r\n" : "", call_id,
                      method);
}

/* A call that stands; its route is kept. */
static void set_up(void)
{
    const struct sent *s;

    ask("INVITE", "call", "");
    s = world_expect("INVITE", -1, WORLD_SERVER_A);
    world_from_server(
        WORLD_SERVER_A, 0, "%s",
        world_answer(s, 200, "bo", "Contact: <sip:b@10.0.0.10>\r\n"));
    s = world_expect("SIP/2.0 200", 0, 0);
    (void)snprintf(routes, sizeof(routes), "%s",
                   world_value(s, "Record-Route", 1));
}

START_TEST(full_tables_leave_calls_that_stand_alone)
{
    const struct sent *s;
    int refused = 0;

    set_up();
    ask("ACK", "call", ";tag=bo");
    (void)world_expect("ACK", -1, WORLD_SERVER_A);
    for (int i = 0; i < 1100; i++) {
        ask("MESSAGE", "flood", "");
        while ((s = world_sent())) {
            if (strncmp(s->text, "SIP/2.0 503", 11) == 0) {
                ck_assert_str_eq(world_value(s, "Retry-After", 0), "10");
                refused++;
            }
        }
    }
    ck_assert_int_gt(refused, 50);
    ck_assert_uint_gt(world.stats[0].refused_full, 50);
    /* What belongs to the call goes through all the same. */
    ask("ACK", "call", ";tag=bo");
    (void)world_expect("ACK", -1, WORLD_SERVER_A);
    ask("BYE", "call", ";tag=bo");
    s = world_expect("BYE", -1, WORLD_SERVER_A);
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 200, "bo", ""));
    (void)world_expect("SIP/2.0 200", 0, 0);
}
END_TEST

/* A host that slept, a virtual machine that was moved: hours in one step. */
START_TEST(a_clock_that_jumps_ends_what_waited_and_nothing_else)
{
    const struct sent *s;

    set_up();
    ask("INVITE", "ringing", "");
    s = world_expect("INVITE", -1, WORLD_SERVER_A);
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 180, "r", ""));
    (void)world_expect("SIP/2.0 180", 0, 0);
    ask("MESSAGE", "waiting", "");
    (void)world_expect("MESSAGE", -1, WORLD_SERVER_A);
    world.now += UINT64_C(24) * 3600 * 1000;
    sip_core_on_timer(world.core[0], world.now);
    world_forget();
    world_advance(70000);
    world_forget();
    ck_assert_uint_eq(sip_core_pending(world.core[0]), 0);
    ask("BYE", "call", ";tag=bo");
    s = world_expect("BYE", -1, WORLD_SERVER_A);
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 200, "bo", ""));
    (void)world_expect("SIP/2.0 200", 0, 0);
}
END_TEST

/* It answers what came while it was paused, all at once and too late. */
START_TEST(a_server_that_paused_is_back)
{
    struct sent asked;
    const struct sent *s;

    ask("MESSAGE", "m", "");
    asked = *world_expect("MESSAGE", -1, WORLD_SERVER_A);
    world_advance(3000);
    while ((s = world_sent()) && s->to.remote.ip[3] != 11)
        ;
    ck_assert_ptr_nonnull(s);
    world_from_server(WORLD_SERVER_B, 0, "%s", world_answer(s, 200, "b", ""));
    world_forget();
    world_from_server(WORLD_SERVER_A, 0, "%s",
                      world_answer(&asked, 200, "a", ""));
    /* One answer for the client, not two. */
    while ((s = world_sent()))
        ck_assert_int_ne(s->conn, 0);
    ask("MESSAGE", "next", "");
    (void)world_expect("MESSAGE", -1, WORLD_SERVER_A);
}
END_TEST

/* A third of all datagrams is lost, in both directions, in a pattern that
 * hits each kind of message. */
START_TEST(a_third_lost_and_every_request_answered)
{
    unsigned n = 0;

    world.cfg.server_timeout_ms = 40000;
    for (int i = 0; i < 60; i++) {
        char id[16];
        bool answered = false;

        (void)snprintf(id, sizeof(id), "lossy%d", i);
        ask("MESSAGE", id, "");
        for (int tries = 0; tries < 200 && !answered; tries++) {
            const struct sent *s;

            while ((s = world_sent())) {
                if (s->conn == 0) {
                    answered = strncmp(s->text, "SIP/2.0 200", 11) == 0;
                } else if (n++ % 3 != 0 && n++ % 3 != 0) {
                    struct sent copy = *s;

                    world_from_server(WORLD_SERVER_A, 0, "%s",
                                      world_answer(&copy, 200, "x", ""));
                }
            }
            world_advance(100);
        }
        ck_assert_msg(answered, "%s", id);
    }
    ck_assert_uint_eq(world.stats[0].send_failures, 0);
}
END_TEST

START_TEST(a_connection_reset_in_an_invite_cancels_it)
{
    const struct sent *s;

    ask("INVITE", "reset", "");
    s = world_expect("INVITE", -1, WORLD_SERVER_A);
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 180, "r", ""));
    (void)world_expect("SIP/2.0 180", 0, 0);
    world_disconnect(0);
    s = world_expect("CANCEL", -1, WORLD_SERVER_A);
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 200, "r", ""));
    ck_assert_uint_eq(world.stats[0].abandoned, 1);
    world_advance(300000);
    world_forget();
    ck_assert_uint_eq(sip_core_pending(world.core[0]), 0);
    world_connect(0, 0, 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("sip_faults");
    TCase *tcase = tcase_create("faults");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, full_tables_leave_calls_that_stand_alone);
    tcase_add_test(tcase, a_clock_that_jumps_ends_what_waited_and_nothing_else);
    tcase_add_test(tcase, a_server_that_paused_is_back);
    tcase_add_test(tcase, a_third_lost_and_every_request_answered);
    tcase_add_test(tcase, a_connection_reset_in_an_invite_cancels_it);
    suite_add_tcase(suite, tcase);
    return suite;
}

/* SPDX-License-Identifier: MIT */
/* Clients that lose their connection and are back on another one. */
#include "proxy/sip_flow.h"
#include "scenario/sip/support_world.h"

#include <stdio.h>

#define INSTANCE ";+sip.instance=\"<urn:uuid:0b8d7c52-0f3a-4f6d-9a3d-0d5f9a>\""
#define CONTACT "<sip:q7l3k@8pf3e2fmp1k0.invalid;transport=ws>"

static unsigned branches = 100;
static char token[512]; /* of the call: our Record-Route, towards inside */

static void setup(void)
{
    world_begin(1);
}

static void setup_two(void)
{
    world_begin(2);
}

static void teardown(void)
{
    world_end();
}

static void ask_register(int conn, const char *user, const char *contact)
{
    world_from_client(conn,
                      "REGISTER sip:example.org SIP/2.0\r\n"
                      "Via: SIP/2.0/WS 8p.invalid;branch=z9hG4bK%d-%d-%llu\r\n"
                      "To: <sip:%s@example.org>\r\n"
                      "From: <sip:%s@example.org>;tag=e4v1\r\n"
                      "Call-ID: reg-%d\r\nCSeq: 1 REGISTER\r\n"
                      "Contact: %s\r\nContent-Length: 0\r\n\r\n",
                      conn, (int)world.random & 0xFFFF,
                      (unsigned long long)world.now, user, user, conn, contact);
}

static void do_register(int conn, const char *user, const char *contact)
{
    const struct sent *s;

    ask_register(conn, user, contact);
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    world_from_server(WORLD_SERVER_A, s->worker, "%s",
                      world_answer(s, 200, "reg", ""));
    (void)world_expect("SIP/2.0 200", conn, 0);
}

static void come(int conn, int worker, const char *user, const char *contact)
{
    world_connect(conn, worker, 0);
    do_register(conn, user, contact);
}

/* Alice calls; the token of the dialog is kept. */
static void call_out(int conn)
{
    const struct sent *s;

    world_from_client(conn,
                      "INVITE sip:bob@example.org SIP/2.0\r\n"
                      "Via: SIP/2.0/WS 8p.invalid;branch=z9hG4bKinv%u\r\n"
                      "To: <sip:bob@example.org>\r\n"
                      "From: <sip:alice@example.org>;tag=al\r\n"
                      "Call-ID: call\r\nCSeq: 1 INVITE\r\n"
                      "Contact: " CONTACT "\r\n"
                      "Content-Length: 0\r\n\r\n",
                      ++branches);
    s = world_expect("INVITE", -1, WORLD_SERVER_A);
    (void)snprintf(token, sizeof(token), "%s",
                   world_value(s, "Record-Route", 0));
    world_from_server(WORLD_SERVER_A, s->worker, "%s",
                      world_answer(s, 200, "bo",
                                   "Contact: <sip:b@10.0.0.10>"
                                   "\r\n"));
    (void)world_expect("SIP/2.0 200", conn, 0);
}

static void from_server(int worker, const char *method, unsigned branch)
{
    world_from_server(WORLD_SERVER_A, worker,
                      "%s sip:q7l3k@8pf3e2fmp1k0.invalid SIP/2.0\r\n"
                      "Via: SIP/2.0/UDP 10.0.0.10:5060;branch=z9hG4bKb%u\r\n"
                      "Route: %s\r\n"
                      "To: <sip:alice@example.org>;tag=al\r\n"
                      "From: <sip:bob@example.org>;tag=bo\r\n"
                      "Call-ID: call\r\nCSeq: 9 %s\r\n"
                      "Content-Length: 0\r\n\r\n",
                      method, branch, token, method);
}

static void lose(int conn)
{
    world_disconnect(conn);
    world_forget();
}

static void begin_call(void)
{
    come(0, 0, "alice", CONTACT INSTANCE);
    call_out(0);
}

/* What a media server says in the call arrives there, and the answer back. */
static void expect_at(int conn)
{
    const struct sent *s;

    from_server(0, "INFO", ++branches);
    s = world_expect("INFO", conn, 0);
    world_from_client(conn, "%s", world_answer(s, 200, "al", ""));
    (void)world_expect("SIP/2.0 200", -1, WORLD_SERVER_A);
}

static void expect_430(void)
{
    from_server(0, "BYE", (unsigned)world.now);
    (void)world_expect("SIP/2.0 430", -1, WORLD_SERVER_A);
}

START_TEST(a_call_goes_on_on_the_new_connection)
{
    struct sip_trail_entry found[8];
    size_t n;

    begin_call();
    lose(0);
    expect_430();
    come(1, 0, "alice", CONTACT INSTANCE);
    expect_at(1);
    n = sip_trail_search(sip_core_trail(world.core[0]), span_str("call"), found,
                         ARRAY_SIZE(found));
    ck_assert_int_eq(found[n - 1].token, SIP_TRAIL_MOVED);
    lose(1);
    expect_430();
    come(2, 0, "alice", CONTACT INSTANCE);
    expect_at(2);
    ck_assert_uint_eq(world.stats[0].rebinds, 2);
    ck_assert_uint_eq(world.stats[0].moved_requests, 2);
}
END_TEST

START_TEST(also_to_another_worker_and_back)
{
    begin_call();
    lose(0);
    come(1, 1, "alice", CONTACT INSTANCE);
    for (int worker = 0; worker < 2; worker++) {
        const struct sent *s;

        from_server(worker, "BYE", 70 + (unsigned)worker);
        s = world_expect("BYE", 1, 0);
        ck_assert_int_eq(s->worker, 1);
        world_from_client(1, "%s", world_answer(s, 200, "al", ""));
        (void)world_expect("SIP/2.0 200", -1, WORLD_SERVER_A);
    }
    lose(1);
    expect_430();
    come(2, 0, "alice", CONTACT INSTANCE);
    expect_at(2);
}
END_TEST

START_TEST(the_newest_registration_of_an_instance_counts_at_once)
{
    begin_call();
    world_advance(10);
    come(1, 1, "alice", CONTACT INSTANCE);
    expect_at(1);
    lose(0);
    expect_at(1);
}
END_TEST

START_TEST(without_an_instance_only_what_has_ended_is_taken_over)
{
    come(0, 0, "alice", CONTACT);
    call_out(0);
    come(1, 0, "alice", CONTACT);
    expect_at(0);
    lose(0);
    expect_430();
    world_advance(1);
    do_register(1, "alice", CONTACT);
    expect_at(1);
}
END_TEST

START_TEST(nobody_else_takes_a_call_over)
{
    begin_call();
    come(1, 0, "mallory", CONTACT INSTANCE);
    expect_at(0);
    lose(0);
    come(2, 0, "alice", CONTACT);
    come(3, 0, "alice", CONTACT ";+sip.instance=\"<urn:uuid:other>\"");
    world_advance(1);
    world_connect(4, 0, sip_name_tag(span_str("mds1")));
    ask_register(4, "alice", CONTACT INSTANCE);
    world_from_server(WORLD_SERVER_C, 0, "%s",
                      world_answer(world_expect("REGISTER", -1, WORLD_SERVER_C),
                                   200, "r", ""));
    (void)world_expect("SIP/2.0 200", 4, 0);
    expect_430();
}
END_TEST

START_TEST(a_refused_registration_takes_nothing_over)
{
    const struct sent *s;

    begin_call();
    lose(0);
    world_connect(1, 0, 0);
    ask_register(1, "alice", CONTACT INSTANCE);
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 403, "r", ""));
    (void)world_expect("SIP/2.0 403", 1, 0);
    expect_430();
}
END_TEST

START_TEST(a_connection_of_several_users_keeps_nothing)
{
    come(0, 0, "alice", CONTACT INSTANCE);
    do_register(0, "anne", CONTACT INSTANCE);
    call_out(0);
    lose(0);
    come(1, 0, "alice", CONTACT INSTANCE);
    world_advance(1);
    do_register(1, "anne", CONTACT INSTANCE);
    expect_430();
}
END_TEST

START_TEST(who_signs_off_keeps_nothing)
{
    world.cfg.park_ms = 5000;
    begin_call();
    world_advance(1);
    do_register(0, "alice", CONTACT INSTANCE ";expires=0");
    lose(0);
    expect_430();
}
END_TEST

START_TEST(a_restart_with_the_same_key_loses_no_call)
{
    begin_call();
    world_end();
    world_restart();
    world.conns[0].open = false;
    expect_430();
    come(1, 0, "alice", CONTACT INSTANCE);
    expect_at(1);
}
END_TEST

START_TEST(another_key_forgets_until_all_have_registered)
{
    struct sip_core_config next;
    uint8_t secret[SIP_TOKEN_KEY] = {43};

    begin_call();
    next = world.cfg;
    next.keys.key[1] = next.keys.key[0];
    next.keys.count = 2;
    sip_token_key_init(&next.keys.key[0], secret);
    sip_core_reload(world.core[0], &next, world.now);
    expect_at(0);
    do_register(0, "alice", CONTACT INSTANCE);
    world_advance(1);
    call_out(0);
    lose(0);
    come(1, 0, "alice", CONTACT INSTANCE);
    expect_at(1);
    world_disconnect(1);
}
END_TEST

/* --- waiting --- */

START_TEST(a_request_waits_for_its_client)
{
    const struct sent *s;

    world.cfg.park_ms = 5000;
    begin_call();
    lose(0);
    world_advance(1000);
    from_server(0, "INVITE", 1);
    (void)world_expect("SIP/2.0 100", -1, WORLD_SERVER_A);
    from_server(0, "BYE", 2);
    world_advance(500);
    from_server(0, "BYE", 2);
    ck_assert_ptr_null(world_sent());
    ck_assert_uint_eq(world.stats[0].parked, 2);
    ck_assert_uint_eq(world.stats[0].parked_now, 2);
    come(1, 0, "alice", CONTACT INSTANCE);
    world_advance(0);
    (void)world_expect("INVITE", 1, 0);
    s = world_expect("BYE", 1, 0);
    world_from_client(1, "%s", world_answer(s, 200, "al", ""));
    (void)world_expect("SIP/2.0 200", -1, WORLD_SERVER_A);
    ck_assert_uint_eq(world.stats[0].parked_now, 0);
    ck_assert_uint_eq(world.stats[0].park_expired, 0);
}
END_TEST

START_TEST(it_waits_for_one_that_is_back_elsewhere)
{
    world.cfg.park_ms = 5000;
    begin_call();
    lose(0);
    from_server(1, "BYE", 2);
    ck_assert_ptr_null(world_sent());
    come(1, 1, "alice", CONTACT INSTANCE);
    world_advance(0);
    (void)world_expect("BYE", 1, 0);
}
END_TEST

START_TEST(not_for_long)
{
    world.cfg.park_ms = 5000;
    begin_call();
    lose(0);
    world_advance(3000);
    from_server(0, "BYE", 2);
    world_advance(1990);
    ck_assert_ptr_null(world_sent());
    world_advance(10);
    (void)world_expect("SIP/2.0 430", -1, WORLD_SERVER_A);
    ck_assert_uint_eq(world.stats[0].park_expired, 1);
    expect_430();
    ck_assert_uint_eq(world.stats[0].parked, 1);
}
END_TEST

START_TEST(not_everything)
{
    world.cfg.park_ms = 5000;
    begin_call();
    lose(0);
    from_server(0, "OPTIONS", 2);
    (void)world_expect("SIP/2.0 430", -1, WORLD_SERVER_A);
    for (unsigned i = 0; i < 4; i++)
        from_server(0, "INFO", 10 + i);
    ck_assert_ptr_null(world_sent());
    from_server(0, "INFO", 20);
    (void)world_expect("SIP/2.0 430", -1, WORLD_SERVER_A);
    ck_assert_uint_eq(world.stats[0].park_full, 1);
}
END_TEST

START_TEST(not_for_who_said_goodbye)
{
    world.cfg.park_ms = 5000;
    begin_call();
    sip_core_on_goodbye(world.core[0], world.conns[0].flow);
    lose(0);
    expect_430();
}
END_TEST

START_TEST(what_waits_can_be_cancelled)
{
    world.cfg.park_ms = 5000;
    begin_call();
    lose(0);
    from_server(0, "INVITE", 5);
    (void)world_expect("SIP/2.0 100", -1, WORLD_SERVER_A);
    from_server(0, "CANCEL", 5);
    (void)world_expect("SIP/2.0 200", -1, WORLD_SERVER_A);
    (void)world_expect("SIP/2.0 487", -1, WORLD_SERVER_A);
    from_server(0, "ACK", 5);
    come(1, 0, "alice", CONTACT INSTANCE);
    world_advance(10);
    ck_assert_ptr_null(world_sent());
}
END_TEST

START_TEST(after_a_restart_too)
{
    world.cfg.park_ms = 5000;
    begin_call();
    world_end();
    world_restart();
    world.conns[0].open = false;
    from_server(0, "BYE", 1);
    ck_assert_ptr_null(world_sent());
    come(1, 0, "alice", CONTACT INSTANCE);
    world_advance(0);
    (void)world_expect("BYE", 1, 0);
    world_advance(6000);
    world_forget();
    lose(1);
    token[0] = '\0';
}
END_TEST

START_TEST(what_waits_at_the_end_is_freed)
{
    world.cfg.park_ms = 5000;
    begin_call();
    lose(0);
    from_server(0, "BYE", 1);
    ck_assert_uint_eq(world.stats[0].parked_now, 1);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("sip_rebind");
    TCase *one = tcase_create("one worker");
    TCase *two = tcase_create("two workers");

    tcase_add_checked_fixture(one, setup, teardown);
    tcase_add_test(one, a_call_goes_on_on_the_new_connection);
    tcase_add_test(one, without_an_instance_only_what_has_ended_is_taken_over);
    tcase_add_test(one, nobody_else_takes_a_call_over);
    tcase_add_test(one, a_refused_registration_takes_nothing_over);
    tcase_add_test(one, a_connection_of_several_users_keeps_nothing);
    tcase_add_test(one, who_signs_off_keeps_nothing);
    tcase_add_test(one, a_restart_with_the_same_key_loses_no_call);
    tcase_add_test(one, another_key_forgets_until_all_have_registered);
    tcase_add_test(one, a_request_waits_for_its_client);
    tcase_add_test(one, not_for_long);
    tcase_add_test(one, not_everything);
    tcase_add_test(one, not_for_who_said_goodbye);
    tcase_add_test(one, what_waits_can_be_cancelled);
    tcase_add_test(one, after_a_restart_too);
    tcase_add_test(one, what_waits_at_the_end_is_freed);
    suite_add_tcase(suite, one);
    tcase_add_checked_fixture(two, setup_two, teardown);
    tcase_add_test(two, also_to_another_worker_and_back);
    tcase_add_test(two, the_newest_registration_of_an_instance_counts_at_once);
    tcase_add_test(two, it_waits_for_one_that_is_back_elsewhere);
    suite_add_tcase(suite, two);
    return suite;
}

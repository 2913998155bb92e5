/* SPDX-License-Identifier: MIT */
/* What does not get in, and what a process of two workers does with a message
 * that belongs to the other one. */
#include "proxy/sip_flow.h"
#include "scenario/sip/support_world.h"

#include <stdio.h>

static void setup(void)
{
    world_begin(1);
    world_connect(0, 0, 0);
}

static void setup_two(void)
{
    world_begin(2);
    world_connect(0, 1, 0);
}

static void teardown(void)
{
    world_end();
}

static void send_new(const char *method, const char *uri, const char *extra)
{
    world_from_client(0,
                      "%s %s SIP/2.0\r\n"
                      "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKg%llu\r\n"
                      "From: <sip:alice@example.org>;tag=al\r\n"
                      "To: <sip:bob@example.org>\r\n"
                      "Call-ID: guard\r\nCSeq: 1 %s\r\n%s\r\n",
                      method, uri, (unsigned long long)world.now++, method,
                      extra);
}

START_TEST(refusals_have_their_status)
{
    static const struct {
        const char *method, *uri, *extra, *answer;
    } cases[] = {
        {"INVITE", "sip:b@e.org", "Max-Forwards: 0\r\n", "SIP/2.0 483"},
        {"INVITE", "http://b", "", "SIP/2.0 416"},
        {"INVITE", "sip:b@e.org", "Proxy-Require: x-y\r\n", "SIP/2.0 420"},
        {"INVITE", "sip:b@e.org", "Route: <sip:10.0.0.5;lr>\r\n",
         "SIP/2.0 403"},
        {"NOTIFY", "sip:b@e.org", "Event: message-summary\r\n", "SIP/2.0 403"},
        {"BYE", "sip:b@e.org", "", "SIP/2.0 481"},
        {"UPDATE", "sip:b@e.org", "", "SIP/2.0 481"},
        {"INVITE", "sip:b@e.org", "Max-Forwards: x\r\n", "SIP/2.0 400"},
        {"INVITE", "sip:b@e.org", "To: <sip:again@e.org>\r\n", "SIP/2.0 400"},
        {"INVITE", "sip:b@e.org", "Content-Length: 5\r\n", "SIP/2.0 400"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        send_new(cases[i].method, cases[i].uri, cases[i].extra);
        (void)world_expect(cases[i].answer, 0, 0);
        ck_assert_ptr_null(world_sent());
    }
}
END_TEST

START_TEST(one_connection_does_not_fill_the_table)
{
    world.cfg.max_pending = 3;
    world_connect(1, 0, 0);
    for (int i = 0; i < 3; i++) {
        send_new("OPTIONS", "sip:b@e.org", "");
        (void)world_expect("OPTIONS", -1, WORLD_SERVER_A);
    }
    send_new("OPTIONS", "sip:b@e.org", "");
    (void)world_expect("SIP/2.0 503", 0, 0);
    ck_assert_uint_eq(world.stats[0].refused_client_full, 1);

    /* others are not concerned, and it is over with the transactions */
    world_from_client(1, "OPTIONS sip:b@e.org SIP/2.0\r\n"
                         "Via: SIP/2.0/WS b.invalid;branch=z9hG4bKother\r\n"
                         "From: <sip:bob@example.org>;tag=bo\r\n"
                         "To: <sip:b@e.org>\r\n"
                         "Call-ID: other\r\nCSeq: 1 OPTIONS\r\n\r\n");
    (void)world_expect("OPTIONS", -1, WORLD_SERVER_A);
    for (int i = 0; i < 24; i++) {
        world_advance(5000);
        world_forget();
    }
    send_new("MESSAGE", "sip:b@e.org", "");
    (void)world_expect("MESSAGE", -1, WORLD_SERVER_A);
}
END_TEST

START_TEST(the_unsupported_extension_is_named)
{
    const struct sent *s;

    send_new("INVITE", "sip:b@e.org", "Proxy-Require: foo, bar\r\n");
    s = world_expect("SIP/2.0 420", 0, 0);
    ck_assert_str_eq(world_value(s, "Unsupported", 1), "bar");
}
END_TEST

START_TEST(an_outbound_proxy_setting_that_names_us_is_taken_off)
{
    const struct sent *s;

    send_new("INVITE", "sip:b@e.org",
             "Route: <sip:edge.example:5066;transport=ws;lr>\r\n");
    s = world_expect("INVITE", -1, WORLD_SERVER_A);
    ck_assert_str_eq(world_value(s, "Route", 0), "");
}
END_TEST

START_TEST(only_served_domains_when_there_is_a_list)
{
    world.cfg.domains[0] = (struct sip_domain){"e.org", 0};
    world.cfg.domains[1] =
        (struct sip_domain){"mds1", sip_name_tag(span_str("mds1"))};
    world.cfg.n_domains = 2;
    send_new("INVITE", "sip:b@evil.org", "");
    (void)world_expect("SIP/2.0 403", 0, 0);
    send_new("INVITE", "sip:b@E.ORG", "");
    (void)world_expect("INVITE", -1, WORLD_SERVER_A);
    send_new("INVITE", "sip:b@mds1", ""); /* the domain says the group */
    (void)world_expect("INVITE", -1, WORLD_SERVER_C);
}
END_TEST

/* What comes back to us unchanged would go round for ever. */
START_TEST(a_loop_is_482_and_a_spiral_is_not)
{
    const struct sent *s;
    char text[WORLD_MESSAGE];

    send_new("INVITE", "sip:b@e.org", "");
    s = world_expect("INVITE", -1, WORLD_SERVER_A);
    (void)snprintf(text, sizeof(text), "%s", s->text);
    world_from_server(WORLD_SERVER_A, 0, "%s", text);
    (void)world_expect("SIP/2.0 482", -1, WORLD_SERVER_A);
    memcpy(strstr(text, "sip:b@"), "sip:c@", 6);
    world_from_server(WORLD_SERVER_A, 0, "%s", text);
    (void)world_expect("SIP/2.0 404", -1, WORLD_SERVER_A);
}
END_TEST

START_TEST(strangers_on_the_inner_side_hear_nothing)
{
    world_from_server(WORLD_STRANGER, 0,
                      "OPTIONS sip:10.1.0.2:5060 SIP/2.0\r\n"
                      "Via: SIP/2.0/UDP 10.0.0.99:5060;branch=z9hG4bKs\r\n"
                      "From: <sip:s@x>;tag=1\r\nTo: <sip:10.1.0.2>\r\n"
                      "Call-ID: s\r\nCSeq: 1 OPTIONS\r\n\r\n");
    ck_assert_ptr_null(world_sent());
    ck_assert_uint_eq(world.stats[0].unknown_source, 1);
}
END_TEST

START_TEST(a_media_server_may_ask_whether_we_live)
{
    world_from_server(WORLD_SERVER_A, 0,
                      "OPTIONS sip:10.1.0.2:5060 SIP/2.0\r\n"
                      "Via: SIP/2.0/UDP 10.0.0.10:5060;branch=z9hG4bKs\r\n"
                      "From: <sip:s@x>;tag=1\r\nTo: <sip:10.1.0.2>\r\n"
                      "Call-ID: s\r\nCSeq: 1 OPTIONS\r\n\r\n");
    (void)world_expect("SIP/2.0 200", -1, WORLD_SERVER_A);
}
END_TEST

START_TEST(garbage_is_counted_and_ends_the_connection)
{
    for (int i = 0; i < 10; i++) {
        ck_assert(!world.conns[0].closed_by_us);
        world_from_client(0, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    ck_assert(world.conns[0].closed_by_us);
    ck_assert_uint_eq(world.stats[0].malformed, 10);
    ck_assert_ptr_null(world_sent());
}
END_TEST

START_TEST(a_double_line_end_is_answered_with_one)
{
    const struct sent *s;

    world_from_client(0, "\r\n\r\n");
    s = world_sent();
    ck_assert_ptr_nonnull(s);
    ck_assert_str_eq(s->text, "\r\n");
    world_from_client(0, "\r\n");
    ck_assert_ptr_null(world_sent());
}
END_TEST

START_TEST(full_tables_answer_503)
{
    uint64_t flow;
    struct sip_target from = {.transport = SIP_WS};

    for (int i = 0; i < 1000; i++) {
        send_new("MESSAGE", "sip:b@e.org", "");
        world_forget();
    }
    send_new("MESSAGE", "sip:b@e.org", "");
    (void)world_expect("SIP/2.0 503", 0, 0);
    for (int i = 0; i < 15; i++)
        ck_assert_int_eq(sip_core_open_flow(world.core[0], &from, &flow, 0,
                                            world.now, &flow),
                         0);
    ck_assert_int_lt(
        sip_core_open_flow(world.core[0], &from, &flow, 0, world.now, &flow),
        0);
    ck_assert_uint_eq(world.stats[0].flows_refused, 1);
}
END_TEST

/* --- two workers --- */

START_TEST(a_response_at_the_wrong_worker_finds_its_transaction)
{
    const struct sent *s;

    send_new("MESSAGE", "sip:b@e.org", "");
    s = world_expect("MESSAGE", -1, WORLD_SERVER_A);
    ck_assert_int_eq(s->worker, 1);
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 200, "x", ""));
    s = world_expect("SIP/2.0 200", 0, 0);
    ck_assert_int_eq(s->worker, 1);
    ck_assert_uint_eq(world.stats[0].handed_over, 1);
}
END_TEST

START_TEST(a_request_at_the_wrong_worker_finds_its_connection)
{
    const struct sent *s;
    char path[256];

    send_new("REGISTER", "sip:e.org", "Contact: <sip:u@a.invalid>\r\n");
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    (void)snprintf(path, sizeof(path), "%s", world_value(s, "Path", 0));
    for (int worker = 0; worker < 2; worker++) {
        world_from_server(
            WORLD_SERVER_A, worker,
            "INVITE sip:u@a.invalid SIP/2.0\r\n"
            "Via: SIP/2.0/UDP 10.0.0.10:5060;branch=z9hG4bKw%d\r\n"
            "Route: %s\r\n"
            "From: <sip:s@x>;tag=1\r\nTo: <sip:u@e.org>\r\n"
            "Call-ID: w%d\r\nCSeq: 1 INVITE\r\n\r\n",
            worker, path, worker);
        s = world_expect("INVITE", 0, 0);
        ck_assert_int_eq(s->worker, 1);
        world_from_server(
            WORLD_SERVER_A, worker,
            "CANCEL sip:u@a.invalid SIP/2.0\r\n"
            "Via: SIP/2.0/UDP 10.0.0.10:5060;branch=z9hG4bKw%d\r\n"
            "Route: %s\r\n"
            "From: <sip:s@x>;tag=1\r\nTo: <sip:u@e.org>\r\n"
            "Call-ID: w%d\r\nCSeq: 1 CANCEL\r\n\r\n",
            worker, path, worker);
        (void)world_expect("SIP/2.0 200", -1, WORLD_SERVER_A);
    }
    ck_assert_uint_eq(world.stats[0].handed_over, 2);
    ck_assert_uint_eq(world.stats[1].handed_over, 0);
}
END_TEST

START_TEST(workers_tell_each_other_about_servers)
{
    world_connect(1, 0, 0);
    send_new("MESSAGE", "sip:b@e.org", "");
    send_new("MESSAGE", "sip:b@e.org", "");
    world_advance(3100);
    world_forget();
    ck_assert(!sip_core_dispatch(world.core[0])->servers[0].up);
    ck_assert(!sip_core_dispatch(world.core[1])->servers[0].up);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("sip_guard");
    TCase *t = tcase_create("guard");
    TCase *w = tcase_create("two_workers");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, refusals_have_their_status);
    tcase_add_test(t, one_connection_does_not_fill_the_table);
    tcase_add_test(t, the_unsupported_extension_is_named);
    tcase_add_test(t, an_outbound_proxy_setting_that_names_us_is_taken_off);
    tcase_add_test(t, only_served_domains_when_there_is_a_list);
    tcase_add_test(t, a_loop_is_482_and_a_spiral_is_not);
    tcase_add_test(t, strangers_on_the_inner_side_hear_nothing);
    tcase_add_test(t, a_media_server_may_ask_whether_we_live);
    tcase_add_test(t, garbage_is_counted_and_ends_the_connection);
    tcase_add_test(t, a_double_line_end_is_answered_with_one);
    tcase_add_test(t, full_tables_answer_503);
    suite_add_tcase(s, t);
    tcase_add_checked_fixture(w, setup_two, teardown);
    tcase_add_test(w, a_response_at_the_wrong_worker_finds_its_transaction);
    tcase_add_test(w, a_request_at_the_wrong_worker_finds_its_connection);
    tcase_add_test(w, workers_tell_each_other_about_servers);
    suite_add_tcase(s, w);
    return s;
}

/* SPDX-License-Identifier: MIT */
/* New calls to several media servers at once (RFC 3261 16.6, 16.7; RFC 5393
 * Max-Breadth), and to one after the other. */
#include "scenario/sip/support_world.h"

#include <stdio.h>

static struct sent to[2]; /* the INVITEs: A's and B's */

static void setup(void)
{
    world_begin(1);
    for (size_t i = 0; i < world.cfg.dispatch.count; i++) {
        world.cfg.dispatch.servers[i].fork = true;
        world.cfg.dispatch.servers[i].priority = 0;
    }
    sip_core_reload(world.core[0], &world.cfg, world.now);
    world_connect(0, 0, 0);
}

static void teardown(void)
{
    for (int i = 0; i < 80; i++) {
        world_advance(5000);
        world_forget();
    }
    ck_assert_uint_eq(sip_core_pending(world.core[0]), 0);
    world_end();
}

static void send_new(const char *method, const char *more)
{
    world_from_client(0,
                      "%s sip:bob@example.org SIP/2.0\r\n"
                      "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKinv\r\n"
                      "Max-Forwards: 69\r\n%s"
                      "From: <sip:alice@example.org>;tag=al\r\n"
                      "To: <sip:bob@example.org>\r\n"
                      "Call-ID: call-1\r\nCSeq: 1 %s\r\n"
                      "Contact: <sip:x1@a.invalid;transport=ws;ob>\r\n\r\n",
                      method, more, method);
}

static bool is_to(const struct sent *s, uint32_t ip)
{
    struct addr want = addr_v4(ip, 5060);

    return addr_equal(&s->to.remote, &want);
}

static void call(void)
{
    const struct sent *s;

    send_new("INVITE", "");
    for (int i = 0; i < 2; i++) {
        s = world_sent();
        ck_assert_ptr_nonnull(s);
        ck_assert_int_eq(strncmp(s->text, "INVITE", 6), 0);
        to[is_to(s, WORLD_SERVER_B)] = *s;
    }
    ck_assert(is_to(&to[0], WORLD_SERVER_A) && is_to(&to[1], WORLD_SERVER_B));
    ck_assert_ptr_null(world_sent());
}

static void says(int server, unsigned status, const char *extra)
{
    const char *tag = server ? "b" : "a";

    world_from_server(server ? WORLD_SERVER_B : WORLD_SERVER_A, 0, "%s",
                      world_answer(&to[server], status, tag, extra));
}

START_TEST(a_call_goes_to_all_and_each_has_its_share_of_breadth)
{
    call();
    ck_assert_str_eq(world_value(&to[0], "Max-Breadth", 0), "30");
    ck_assert_str_eq(world_value(&to[1], "Max-Breadth", 0), "30");
    ck_assert_uint_eq(world.stats[0].forked, 1);
}
END_TEST

START_TEST(the_first_to_answer_has_the_call_and_the_others_are_cancelled)
{
    const struct sent *s;

    call();
    says(0, 180, "");
    (void)world_expect("SIP/2.0 180", 0, 0);
    says(1, 183, "");
    (void)world_expect("SIP/2.0 183", 0, 0);
    says(1, 200, "");
    (void)world_expect("SIP/2.0 200", 0, 0);
    s = world_expect("CANCEL", -1, WORLD_SERVER_A);
    ck_assert_ptr_nonnull(strstr(s->text, "Call completed elsewhere"));
    says(0, 487, "");
    (void)world_expect("ACK", -1, WORLD_SERVER_A);
    ck_assert_ptr_null(world_sent());
}
END_TEST

START_TEST(the_best_refusal_comes_when_all_have_refused)
{
    call();
    says(0, 486, "");
    (void)world_expect("ACK", -1, WORLD_SERVER_A);
    ck_assert_ptr_null(world_sent());
    says(1, 404, "");
    (void)world_expect("ACK", -1, WORLD_SERVER_B);
    (void)world_expect("SIP/2.0 486", 0, 0);
}
END_TEST

START_TEST(a_6xx_ends_it_everywhere)
{
    call();
    says(1, 180, "");
    (void)world_expect("SIP/2.0 180", 0, 0);
    says(0, 603, "");
    (void)world_expect("ACK", -1, WORLD_SERVER_A);
    (void)world_expect("CANCEL", -1, WORLD_SERVER_B);
    ck_assert_ptr_null(world_sent());
    says(1, 487, "");
    (void)world_expect("ACK", -1, WORLD_SERVER_B);
    (void)world_expect("SIP/2.0 603", 0, 0);
}
END_TEST

START_TEST(the_challenges_of_all_are_told)
{
    const struct sent *s;

    call();
    says(0, 401, "WWW-Authenticate: Digest realm=\"a\", nonce=\"1\"\r\n");
    (void)world_expect("ACK", -1, WORLD_SERVER_A);
    says(1, 407, "Proxy-Authenticate: Digest realm=\"b\", nonce=\"2\"\r\n");
    (void)world_expect("ACK", -1, WORLD_SERVER_B);
    s = world_expect("SIP/2.0 401", 0, 0);
    ck_assert_ptr_nonnull(strstr(s->text, "\r\nProxy-Authenticate: Digest "
                                          "realm=\"b\", nonce=\"2\"\r\n"));
    ck_assert_ptr_nonnull(strstr(s->text, "realm=\"a\""));
    ck_assert_int_eq(world_parse(s)->status, 401);
}
END_TEST

START_TEST(who_is_silent_keeps_nobody_waiting)
{
    call();
    says(0, 486, "");
    (void)world_expect("ACK", -1, WORLD_SERVER_A);
    world_advance(3100);
    for (const struct sent *s; (s = world_sent());) {
        if (s->conn == 0 && strncmp(s->text, "SIP/2.0 486", 11) == 0)
            return;
    }
    ck_abort_msg("no answer");
}
END_TEST

START_TEST(silence_on_tcp_means_udp_there_as_well)
{
    char pad[2000];
    unsigned udp = 0;

    world.cfg.locals[2] = world.cfg.locals[WORLD_UDP];
    world.cfg.locals[2].transport = SIP_TCP;
    world.cfg.n_locals = 3;
    world.cfg.dispatch.servers[0].stream = true;
    world.cfg.dispatch.servers[1].stream = true;
    sip_core_reload(world.core[0], &world.cfg, world.now);
    (void)snprintf(pad, sizeof(pad), "X-Pad: %01500d\r\n", 1);
    send_new("INVITE", pad);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(world_sent()->to.transport, SIP_TCP);
    ck_assert_ptr_null(world_sent());
    world_advance(3100);
    for (const struct sent *s; (s = world_sent());)
        udp += strncmp(s->text, "INVITE", 6) == 0 && s->to.transport == SIP_UDP;
    ck_assert_uint_eq(udp, 2);
    ck_assert_uint_eq(world.stats[0].server_failures, 0);
    ck_assert_uint_eq(world.stats[0].failovers, 0);
}
END_TEST

START_TEST(cancel_goes_to_all)
{
    call();
    says(0, 180, "");
    says(1, 180, "");
    world_forget();
    send_new("CANCEL", "");
    (void)world_expect("SIP/2.0 200", 0, 0);
    (void)world_expect("CANCEL", -1, WORLD_SERVER_A);
    (void)world_expect("CANCEL", -1, WORLD_SERVER_B);
    says(0, 487, "");
    (void)world_expect("ACK", -1, WORLD_SERVER_A);
    says(1, 487, "");
    (void)world_expect("ACK", -1, WORLD_SERVER_B);
    (void)world_expect("SIP/2.0 487", 0, 0);
}
END_TEST

START_TEST(breadth_of_one_means_one_after_the_other)
{
    const struct sent *s;

    send_new("INVITE", "Max-Breadth: 1\r\n");
    s = world_sent();
    ck_assert_ptr_nonnull(s);
    ck_assert_str_eq(world_value(s, "Max-Breadth", 0), "1");
    ck_assert_ptr_null(world_sent());
}
END_TEST

START_TEST(breadth_of_none_is_refused)
{
    send_new("INVITE", "Max-Breadth: 0\r\n");
    (void)world_expect("SIP/2.0 440 Max-Breadth Exceeded", 0, 0);
    ck_assert_uint_eq(world.stats[0].refused_max_breadth, 1);
}
END_TEST

START_TEST(what_is_no_call_goes_to_one)
{
    const struct sent *s;

    send_new("MESSAGE", "");
    s = world_sent();
    ck_assert_ptr_nonnull(s);
    ck_assert_str_eq(world_value(s, "Max-Breadth", 0), "60");
    ck_assert_ptr_null(world_sent());
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("sip_parallel");
    TCase *t = tcase_create("parallel");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_call_goes_to_all_and_each_has_its_share_of_breadth);
    tcase_add_test(
        t, the_first_to_answer_has_the_call_and_the_others_are_cancelled);
    tcase_add_test(t, the_best_refusal_comes_when_all_have_refused);
    tcase_add_test(t, a_6xx_ends_it_everywhere);
    tcase_add_test(t, the_challenges_of_all_are_told);
    tcase_add_test(t, who_is_silent_keeps_nobody_waiting);
    tcase_add_test(t, silence_on_tcp_means_udp_there_as_well);
    tcase_add_test(t, cancel_goes_to_all);
    tcase_add_test(t, breadth_of_one_means_one_after_the_other);
    tcase_add_test(t, breadth_of_none_is_refused);
    tcase_add_test(t, what_is_no_call_goes_to_one);
    suite_add_tcase(s, t);
    return s;
}

/* SPDX-License-Identifier: MIT */
/* Media servers that are silent, busy, gone, or come back. */
#include "proxy/sip_flow.h"
#include "scenario/sip/support_world.h"

#include <stdio.h>

static void setup(void)
{
    world_begin(1);
    world_connect(0, 0, 0);
}

static void setup_probing(void)
{
    world_begin(1);
    /* what a reload with probing does */
    world.cfg.dispatch.probe_interval_ms = 10000;
    sip_core_reload(world.core[0], &world.cfg, world.now);
    world_connect(0, 0, 0);
}

static void teardown(void)
{
    world_end();
}

static void send_new(const char *method, const char *branch)
{
    world_from_client(0,
                      "%s sip:bob@example.org SIP/2.0\r\n"
                      "Via: SIP/2.0/WS a.invalid;branch=z9hG4bK%s\r\n"
                      "Max-Forwards: 69\r\n"
                      "From: <sip:alice@example.org>;tag=al\r\n"
                      "To: <sip:bob@example.org>\r\n"
                      "Call-ID: call-%s\r\nCSeq: 1 %s\r\n"
                      "Contact: <sip:x1@a.invalid;transport=ws;ob>\r\n\r\n",
                      method, branch, branch, method);
}

/* The next message that is not a retransmission to the first server. */
static const struct sent *next_to(uint32_t ip)
{
    const struct sent *s;
    struct addr want = addr_v4(ip, 5060);

    while ((s = world_sent())) {
        if (addr_equal(&s->to.remote, &want))
            return s;
    }
    ck_abort_msg("nothing was sent there");
    return NULL;
}

START_TEST(a_silent_server_is_followed_by_the_next)
{
    const struct sent *s;

    send_new("INVITE", "1");
    (void)world_expect("INVITE", -1, WORLD_SERVER_A);
    world_advance(3100);
    s = next_to(WORLD_SERVER_B);
    ck_assert_int_eq(strncmp(s->text, "INVITE", 6), 0);
    world_forget();
    world_from_server(WORLD_SERVER_B, 0, "%s", world_answer(s, 200, "b", ""));
    (void)world_expect("SIP/2.0 200", 0, 0);
    ck_assert_uint_eq(world.stats[0].failovers, 1);
}
END_TEST

START_TEST(a_server_behind_a_virtual_address_may_answer_from_its_own)
{
    const struct sent *s;
    char ok[4096];

    send_new("MESSAGE", "1");
    s = world_expect("MESSAGE", -1, WORLD_SERVER_A);
    (void)snprintf(ok, sizeof(ok), "%s", world_answer(s, 200, "b", ""));
    world_from_server(WORLD_STRANGER, 0, "%s", ok);
    ck_assert_ptr_null(world_sent());
    ck_assert_int_eq(cidr_parse(span_str("10.0.0.99"), &world.cfg.inside[0]),
                     0);
    world.cfg.n_inside = 1;
    world_from_server(WORLD_STRANGER, 0, "%s", ok);
    (void)world_expect("SIP/2.0 200", 0, 0);
}
END_TEST

START_TEST(a_server_that_only_says_100_is_waited_for)
{
    const struct sent *s;

    send_new("INVITE", "1");
    s = world_expect("INVITE", -1, WORLD_SERVER_A);
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 100, "", ""));
    world_advance(20000);
    while ((s = world_sent()))
        ck_assert_int_eq(strncmp(s->text, "SIP/2.0 100", 11), 0);
}
END_TEST

START_TEST(a_late_answer_of_the_first_server_is_still_heard)
{
    const struct sent *s;
    char ok[4096];

    send_new("INVITE", "1");
    s = world_expect("INVITE", -1, WORLD_SERVER_A);
    (void)snprintf(ok, sizeof(ok), "%s", world_answer(s, 200, "a", ""));
    world_advance(3100);
    s = next_to(WORLD_SERVER_B);
    world_from_server(WORLD_SERVER_B, 0, "%s", world_answer(s, 180, "b", ""));
    world_forget();
    world_from_server(WORLD_SERVER_A, 0, "%s", ok);
    (void)world_expect("SIP/2.0 200", 0, 0);
    (void)world_expect("CANCEL", -1, WORLD_SERVER_B);
}
END_TEST

START_TEST(a_503_goes_to_the_next_and_is_hidden_at_last)
{
    const struct sent *s;

    send_new("REGISTER", "1");
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    world_from_server(WORLD_SERVER_A, 0, "%s",
                      world_answer(s, 503, "a", "Retry-After: 300\r\n"));
    s = world_expect("REGISTER", -1, WORLD_SERVER_B);
    world_from_server(WORLD_SERVER_B, 0, "%s",
                      world_answer(s, 503, "b", "Retry-After: 300\r\n"));
    s = world_expect("SIP/2.0 500", 0, 0);
    ck_assert_str_eq(world_value(s, "Retry-After", 0), "");
}
END_TEST

START_TEST(a_server_that_cannot_be_connected_to_is_followed_at_once)
{
    struct sip_target a = world.cfg.dispatch.servers[0].target;
    const struct sent *s;

    send_new("INVITE", "1");
    (void)world_expect("INVITE", -1, WORLD_SERVER_A);
    sip_core_on_unreachable(world.core[0], &a, false, world.now);
    s = world_expect("INVITE", -1, WORLD_SERVER_B);
    world_from_server(WORLD_SERVER_B, 0, "%s", world_answer(s, 180, "b", ""));
    (void)world_expect("SIP/2.0 180", 0, 0);
    /* and who has spoken is not given up for a lost connection */
    a = world.cfg.dispatch.servers[1].target;
    sip_core_on_unreachable(world.core[0], &a, false, world.now);
    ck_assert_ptr_null(world_sent());
}
END_TEST

START_TEST(other_answers_are_final)
{
    const struct sent *s;

    send_new("REGISTER", "1");
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 403, "a", ""));
    (void)world_expect("SIP/2.0 403", 0, 0);
    ck_assert_ptr_null(world_sent());
}
END_TEST

START_TEST(after_two_silences_the_server_is_asked_last)
{
    send_new("MESSAGE", "1");
    world_advance(3100);
    send_new("MESSAGE", "2");
    world_advance(3100);
    ck_assert_int_eq(world.states, 1);
    world_forget();
    send_new("MESSAGE", "3");
    (void)world_expect("MESSAGE", -1, WORLD_SERVER_B);
}
END_TEST

START_TEST(with_all_servers_known_dead_the_answer_comes_soon)
{
    (void)sip_dispatch_set_state(
        (struct sip_dispatch *)sip_core_dispatch(world.core[0]),
        sip_core_dispatch(world.core[0])->servers[0].tag, false, world.now);
    (void)sip_dispatch_set_state(
        (struct sip_dispatch *)sip_core_dispatch(world.core[0]),
        sip_core_dispatch(world.core[0])->servers[1].tag, false, world.now);
    send_new("REGISTER", "1");
    world_advance(6500);
    for (;;) {
        const struct sent *s = world_sent();

        ck_assert_ptr_nonnull(s);
        if (s->conn < 0 || strncmp(s->text, "SIP/2.0 100", 11) == 0)
            continue;
        ck_assert_int_eq(strncmp(s->text, "SIP/2.0 503", 11), 0);
        ck_assert_str_eq(world_value(s, "Retry-After", 0), "10");
        break;
    }
}
END_TEST

START_TEST(a_group_that_is_gone_is_503)
{
    world_connect(1, 0, sip_name_tag(span_str("nowhere")));
    world_from_client(1, "REGISTER sip:example.org SIP/2.0\r\n"
                         "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKg\r\n"
                         "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n"
                         "Call-ID: g\r\nCSeq: 1 REGISTER\r\n\r\n");
    (void)world_expect("SIP/2.0 503", 1, 0);
}
END_TEST

/* `ms` in small steps; all servers but `silent` answer their probes. */
static int answer_probes(uint64_t ms, uint32_t silent)
{
    int probes = 0;

    for (uint64_t t = 0; t < ms; t += 500) {
        const struct sent *s;

        world_advance(500);
        while ((s = world_sent())) {
            uint32_t ip;

            memcpy(&ip, s->to.remote.ip, sizeof(ip));
            ip = ntohl(ip);
            if (strncmp(s->text, "OPTIONS", 7) != 0)
                continue;
            probes++;
            if (ip != silent)
                world_from_server(ip, 0, "%s", world_answer(s, 404, "p", ""));
        }
    }
    return probes;
}

START_TEST(probes_find_a_dead_server_and_see_it_come_back)
{
    ck_assert_int_ge(answer_probes(30000, WORLD_SERVER_A), 9);
    send_new("REGISTER", "1");
    (void)world_expect("REGISTER", -1, WORLD_SERVER_B);
    world_forget();
    (void)answer_probes(11000, 0);
    send_new("REGISTER", "2");
    (void)world_expect("REGISTER", -1, WORLD_SERVER_A);
}
END_TEST

START_TEST(reload_takes_other_servers_and_keeps_the_call)
{
    const struct sent *s;

    send_new("INVITE", "1");
    s = world_expect("INVITE", -1, WORLD_SERVER_A);
    world.cfg.dispatch.servers[0] = world.cfg.dispatch.servers[2];
    (void)snprintf(world.cfg.dispatch.servers[0].group,
                   sizeof(world.cfg.dispatch.servers[0].group), "default");
    world.cfg.dispatch.count = 1;
    world.cfg.dispatch.retire_ms = 60000;
    sip_core_reload(world.core[0], &world.cfg, world.now);
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 200, "a", ""));
    (void)world_expect("SIP/2.0 200", 0, 0);
    send_new("INVITE", "2");
    (void)world_expect("INVITE", -1, WORLD_SERVER_C);
    /* Its time over, it is a stranger. */
    world_forget();
    world_advance(95000);
    world_forget();
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 200, "a", ""));
    ck_assert_uint_eq(world.stats[0].unknown_source, 1);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("sip_servers");
    TCase *t = tcase_create("servers");
    TCase *p = tcase_create("probing");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_silent_server_is_followed_by_the_next);
    tcase_add_test(t,
                   a_server_behind_a_virtual_address_may_answer_from_its_own);
    tcase_add_test(t, a_server_that_only_says_100_is_waited_for);
    tcase_add_test(t, a_late_answer_of_the_first_server_is_still_heard);
    tcase_add_test(t, a_503_goes_to_the_next_and_is_hidden_at_last);
    tcase_add_test(t, a_server_that_cannot_be_connected_to_is_followed_at_once);
    tcase_add_test(t, other_answers_are_final);
    tcase_add_test(t, after_two_silences_the_server_is_asked_last);
    tcase_add_test(t, with_all_servers_known_dead_the_answer_comes_soon);
    tcase_add_test(t, a_group_that_is_gone_is_503);
    tcase_add_test(t, reload_takes_other_servers_and_keeps_the_call);
    suite_add_tcase(s, t);
    tcase_add_checked_fixture(p, setup_probing, teardown);
    tcase_add_test(p, probes_find_a_dead_server_and_see_it_come_back);
    suite_add_tcase(s, p);
    return s;
}

/* SPDX-License-Identifier: MIT */
/* What is too long for a datagram (RFC 3261 18.1.1). */
#include "scenario/sip/support_world.h"

#include <stdio.h>

enum { TCP = 2 }; /* our listener */

static char body[3000];

static void setup(void)
{
    world_begin(1);
    memset(body, 'x', sizeof(body) - 1);
    world.cfg.locals[TCP] =
        (struct sip_local){.transport = SIP_TCP,
                           .zone = SIP_INSIDE,
                           .addr = addr_v4(0x0A010002, 5062),
                           .sent_by = "10.1.0.2:5062"};
    world.cfg.n_locals = 3;
    for (size_t i = 0; i < world.cfg.dispatch.count; i++)
        world.cfg.dispatch.servers[i].stream = true;
    sip_core_reload(world.core[0], &world.cfg, world.now);
    world_connect(0, 0, 0);
}

static void teardown(void)
{
    world_end();
}

static void invite(const char *branch)
{
    world_from_client(0,
                      "INVITE sip:bob@example.org SIP/2.0\r\n"
                      "Via: SIP/2.0/WS a.invalid;branch=z9hG4bK%s\r\n"
                      "Max-Forwards: 69\r\n"
                      "From: <sip:alice@example.org>;tag=al\r\n"
                      "To: <sip:bob@example.org>\r\n"
                      "Call-ID: call-%s\r\nCSeq: 1 INVITE\r\n"
                      "Contact: <sip:x1@a.invalid;transport=ws;ob>\r\n"
                      "Content-Type: text/plain\r\n\r\n%s",
                      branch, branch, body);
}

/* The next INVITE, whatever was sent before it. */
static const struct sent *next_invite(void)
{
    const struct sent *s;

    while ((s = world_sent())) {
        if (strncmp(s->text, "INVITE", 6) == 0)
            return s;
    }
    ck_abort_msg("no INVITE was sent");
    return NULL;
}

static void tcp_fails(const struct sent *s, bool was_open)
{
    sip_core_on_unreachable(world.core[0], &s->to, was_open, world.now);
}

START_TEST(a_large_request_goes_over_tcp)
{
    const struct sent *s;
    struct sip_target from;

    invite("1");
    s = world_expect("INVITE", -1, WORLD_SERVER_A);
    ck_assert_int_eq(s->to.transport, SIP_TCP);
    ck_assert_uint_eq(s->to.listener, TCP);
    ck_assert_uint_eq(s->to.remote.port, 5060);
    ck_assert(strstr(s->text, "Via: SIP/2.0/TCP 10.1.0.2:5062;"));
    /* What follows in the dialog comes over UDP as ever. */
    ck_assert(strstr(world_value(s, "Record-Route", 0), "@10.1.0.2:5060;lr"));
    ck_assert_uint_eq(world.stats[0].large_over_stream, 1);
    ck_assert_uint_eq(world.stats[0].large_datagrams, 0);
    from = s->to;
    {
        const char *ok = world_answer(s, 200, "b", "");

        sip_core_on_message(world.core[0], &from, span_str(ok), world.now);
    }
    (void)world_expect("SIP/2.0 200", 0, 0);
}
END_TEST

START_TEST(a_small_one_does_not)
{
    body[0] = '\0';
    invite("1");
    ck_assert_int_eq(world_expect("INVITE", -1, WORLD_SERVER_A)->to.transport,
                     SIP_UDP);
}
END_TEST

START_TEST(the_limit_is_the_servers_own)
{
    world.cfg.dispatch.servers[0].max_size = 10000;
    sip_core_reload(world.core[0], &world.cfg, world.now);
    invite("1");
    ck_assert_int_eq(world_expect("INVITE", -1, WORLD_SERVER_A)->to.transport,
                     SIP_UDP);
    ck_assert_uint_eq(world.stats[0].large_datagrams, 0);
}
END_TEST

START_TEST(refused_tcp_means_udp_at_once_and_is_remembered)
{
    const struct sent *s;

    invite("1");
    s = next_invite();
    ck_assert_int_eq(s->to.transport, SIP_TCP);
    tcp_fails(s, false);
    s = next_invite();
    ck_assert_int_eq(s->to.transport, SIP_UDP);
    ck_assert(strstr(s->text, "Via: SIP/2.0/UDP 10.1.0.2:5060;"));
    ck_assert_uint_eq(world.stats[0].failovers, 0);
    ck_assert_uint_eq(world.stats[0].server_failures, 0);
    ck_assert_uint_eq(world.stats[0].large_datagrams, 1);
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 200, "b", ""));
    (void)world_expect("SIP/2.0 200", 0, 0);
    world_forget();
    invite("2");
    ck_assert_int_eq(next_invite()->to.transport, SIP_UDP);
    world_advance(301000);
    world_forget();
    invite("3");
    ck_assert_int_eq(next_invite()->to.transport, SIP_TCP);
}
END_TEST

START_TEST(a_connection_that_ends_is_asked_again_next_time)
{
    const struct sent *s;

    invite("1");
    s = next_invite();
    tcp_fails(s, true);
    ck_assert_int_eq(next_invite()->to.transport, SIP_UDP);
    world_forget();
    invite("2");
    ck_assert_int_eq(next_invite()->to.transport, SIP_TCP);
}
END_TEST

START_TEST(silence_on_tcp_means_udp_before_another_server)
{
    const struct sent *s;

    invite("1");
    (void)next_invite();
    world_advance(3100);
    s = next_invite();
    ck_assert_int_eq(s->to.transport, SIP_UDP);
    (void)s;
    ck_assert_uint_eq(world.stats[0].failovers, 0);
    world_advance(3100);
    ck_assert_uint_eq(world.stats[0].failovers, 1);
}
END_TEST

START_TEST(a_call_cancelled_meanwhile_is_cancelled_there_too)
{
    const struct sent *s;

    invite("1");
    s = next_invite();
    world_from_client(0, "CANCEL sip:bob@example.org SIP/2.0\r\n"
                         "Via: SIP/2.0/WS a.invalid;branch=z9hG4bK1\r\n"
                         "Max-Forwards: 69\r\n"
                         "From: <sip:alice@example.org>;tag=al\r\n"
                         "To: <sip:bob@example.org>\r\n"
                         "Call-ID: call-1\r\nCSeq: 1 CANCEL\r\n\r\n");
    tcp_fails(s, false);
    s = next_invite();
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 180, "b", ""));
    while (s && strncmp(s->text, "CANCEL", 6) != 0)
        s = world_sent();
    ck_assert_ptr_nonnull(s);
    ck_assert_int_eq(s->to.transport, SIP_UDP);
}
END_TEST

START_TEST(without_a_tcp_address_of_ours_it_stays_on_udp)
{
    world.cfg.n_locals = 2;
    invite("1");
    ck_assert_int_eq(next_invite()->to.transport, SIP_UDP);
    ck_assert_uint_eq(world.stats[0].large_datagrams, 1);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("sip_size");
    TCase *t = tcase_create("size");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_large_request_goes_over_tcp);
    tcase_add_test(t, a_small_one_does_not);
    tcase_add_test(t, the_limit_is_the_servers_own);
    tcase_add_test(t, refused_tcp_means_udp_at_once_and_is_remembered);
    tcase_add_test(t, a_connection_that_ends_is_asked_again_next_time);
    tcase_add_test(t, silence_on_tcp_means_udp_before_another_server);
    tcase_add_test(t, a_call_cancelled_meanwhile_is_cancelled_there_too);
    tcase_add_test(t, without_a_tcp_address_of_ours_it_stays_on_udp);
    suite_add_tcase(s, t);
    return s;
}

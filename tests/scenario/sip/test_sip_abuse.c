/* SPDX-License-Identifier: MIT */
/* Floods, guesses and scanners: what a core does about them, and to whom
 * not. */
#include "scenario/sip/support_world.h"

#include <stdio.h>

static void setup(void)
{
    world_begin(2);
    world.cfg.guard = (struct sip_guard_config){
        .source_failures = 3,
        .user_failures = 100,
        .window_ms = 60000,
        .ban_ms = 60000,
        .scanners = true,
    };
    world_connect(0, 0, 0);
    world_connect(1, 0, 0);
}

static void teardown(void)
{
    world_end();
}

static void ask(int conn, const char *method, const char *extra)
{
    static unsigned n;

    world_from_client(conn,
                      "%s sip:e.org SIP/2.0\r\n"
                      "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKab%u\r\n"
                      "From: <sip:bob@e.org>;tag=al\r\nTo: <sip:bob@e.org>\r\n"
                      "Contact: <sip:bob@a.invalid>\r\n"
                      "Call-ID: abuse\r\nCSeq: 1 %s\r\n%s\r\n",
                      method, ++n, method, extra);
}

static const char digest[] = "Authorization: Digest username=\"bob\"\r\n";

/* A REGISTER with credentials, answered so. */
static void guess(int conn, unsigned status)
{
    const struct sent *s;

    ask(conn, "REGISTER", digest);
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    world_from_server(WORLD_SERVER_A, s->worker, "%s",
                      world_answer(s, status, "as", ""));
    ck_assert_ptr_nonnull(world_sent());
}

START_TEST(a_source_that_guesses_loses_its_connections)
{
    struct sip_target again = {.transport = SIP_WS,
                               .remote = addr_v4(0xCB007100, 50000)};
    uint64_t id;

    for (int i = 0; i < 3; i++)
        guess(0, 401);
    ck_assert_uint_eq(world.stats[0].guesses, 3);
    ck_assert_uint_eq(world.stats[0].bans, 1);
    ask(0, "OPTIONS", "");
    ck_assert_ptr_null(world_sent());
    ck_assert(world.conns[0].closed_by_us);
    ck_assert_uint_eq(world.stats[0].closed_banned, 1);
    /* neither worker takes a new one; others are not concerned */
    for (int i = 0; i < 2; i++)
        ck_assert_int_lt(sip_core_open_flow(world.core[i], &again, &again, 0,
                                            world.now, &id),
                         0);
    guess(1, 200);
    /* and it is over some time */
    world_advance(60000);
    world_forget();
    ck_assert(!sip_core_is_banned(world.core[1], &again.remote, world.now));
    ck_assert(!sip_core_is_banned(world.core[0], &again.remote, world.now));
}
END_TEST

START_TEST(a_registered_neighbour_of_a_guesser_goes_on)
{
    struct addr office = addr_v4(0xCB007101, 1);

    guess(1, 200);
    sip_core_on_banned(world.core[0], &office, world.now + 60000);
    ask(1, "OPTIONS", "");
    (void)world_expect("OPTIONS", -1, WORLD_SERVER_A);
    ck_assert(!world.conns[1].closed_by_us);
}
END_TEST

START_TEST(a_first_challenge_is_no_guess)
{
    for (int i = 0; i < 10; i++) {
        const struct sent *s;

        ask(0, "REGISTER", "");
        s = world_expect("REGISTER", -1, WORLD_SERVER_A);
        world_from_server(WORLD_SERVER_A, s->worker, "%s",
                          world_answer(s, 401, "as", ""));
        (void)world_expect("SIP/2.0 401", 0, 0);
    }
    ck_assert_uint_eq(world.stats[0].guesses, 0);
}
END_TEST

START_TEST(too_many_requests_are_told_to_wait)
{
    const struct sent *s;

    world.cfg.guard.flow_rate = 1;
    world.cfg.guard.flow_burst = 4;
    for (int i = 0; i < 3; i++) {
        ask(0, "OPTIONS", "");
        (void)world_expect("OPTIONS", -1, WORLD_SERVER_A);
    }
    ask(0, "OPTIONS", "");
    s = world_expect("SIP/2.0 503", 0, 0);
    ck_assert_str_eq(world_value(s, "Retry-After", 0), "10");
    ck_assert_uint_eq(world.stats[0].refused_connection_rate, 1);
    ask(1, "OPTIONS", "");
    (void)world_expect("OPTIONS", -1, WORLD_SERVER_A);
    world_advance(1000);
    world_forget();
    ask(0, "OPTIONS", "");
    (void)world_expect("OPTIONS", -1, WORLD_SERVER_A);
}
END_TEST

START_TEST(a_source_has_a_rate_over_its_connections)
{
    world.cfg.guard.source_rate = 1;
    world.cfg.guard.source_burst = 4;
    for (int i = 0; i < 3; i++) {
        ask(0, "OPTIONS", "");
        (void)world_expect("OPTIONS", -1, WORLD_SERVER_A);
    }
    ask(0, "OPTIONS", "");
    (void)world_expect("SIP/2.0 503", 0, 0);
    ck_assert_uint_eq(world.stats[0].refused_source_rate, 1);
}
END_TEST

START_TEST(a_scanner_hears_nothing)
{
    ask(0, "OPTIONS", "User-Agent: friendly-scanner\r\n");
    ck_assert_ptr_null(world_sent());
    ck_assert(world.conns[0].closed_by_us);
    ck_assert_uint_eq(world.stats[0].closed_scanner, 1);
}
END_TEST

static struct sip_target datagram(uint16_t port)
{
    return (struct sip_target){.transport = SIP_UDP,
                               .remote = addr_v4(0xC6336401, port),
                               .local = world.cfg.locals[WORLD_UDP].addr,
                               .listener = WORLD_UDP};
}

/* `extra` header lines; in a datagram from outside. */
static void ask_datagram(const char *extra)
{
    struct sip_target from = datagram(5060);
    static unsigned n;
    char text[512];
    int len = snprintf(text, sizeof(text),
                       "REGISTER sip:e.org SIP/2.0\r\n"
                       "Via: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKd%u\r\n"
                       "From: <sip:bob@e.org>;tag=a\r\nTo: <sip:bob@e.org>\r\n"
                       "Call-ID: d\r\nCSeq: 1 REGISTER\r\n%s\r\n",
                       ++n, extra);

    sip_core_on_message(world.core[0], &from, span_of(text, (size_t)len),
                        world.now);
}

START_TEST(datagrams_are_dropped_and_ban_nobody)
{
    struct sip_target from = datagram(5060);

    world.cfg.locals[WORLD_UDP].zone = SIP_OUTSIDE;
    ask_datagram("User-Agent: sipvicious\r\n");
    ck_assert_uint_eq(world.stats[0].dropped_scanner, 1);
    world.cfg.guard.source_rate = 1;
    world.cfg.guard.source_burst = 4;
    for (int i = 0; i < 9; i++)
        ask_datagram(digest);
    ck_assert_uint_eq(world.stats[0].dropped_rate, 6);
    ck_assert(!sip_core_is_banned(world.core[0], &from.remote, world.now));
    sip_core_on_banned(world.core[0], &from.remote, world.now + 1000);
    world_forget();
    ask_datagram("");
    ck_assert_ptr_null(world_sent());
    ck_assert_uint_eq(world.stats[0].dropped_banned, 1);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("sip_abuse");
    TCase *tc = tcase_create("abuse");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_source_that_guesses_loses_its_connections);
    tcase_add_test(tc, a_registered_neighbour_of_a_guesser_goes_on);
    tcase_add_test(tc, a_first_challenge_is_no_guess);
    tcase_add_test(tc, too_many_requests_are_told_to_wait);
    tcase_add_test(tc, a_source_has_a_rate_over_its_connections);
    tcase_add_test(tc, a_scanner_hears_nothing);
    tcase_add_test(tc, datagrams_are_dropped_and_ban_nobody);
    suite_add_tcase(suite, tc);
    return suite;
}

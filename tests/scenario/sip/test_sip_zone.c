/* SPDX-License-Identifier: MIT */
/* What may come in at a listener, and how much of it from one user, one
 * address, one stranger. */
#include "scenario/sip/support_world.h"

#include "base/err.h"

#include <stdio.h>

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

/* A first request of `user` over a connection. */
static void ask(int conn, const char *method, const char *user,
                const char *more)
{
    static unsigned n;

    n++;
    world_from_client(conn,
                      "%s sip:bob@example.org SIP/2.0\r\n"
                      "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKz%u\r\n"
                      "Max-Forwards: 69\r\n"
                      "From: <sip:%s@example.org>;tag=al\r\n"
                      "To: <sip:bob@example.org>\r\n"
                      "Call-ID: zone-%u\r\nCSeq: 1 %s\r\n%s",
                      method, n, user, n, method, more);
}

/* --- listeners --- */

static const char *const methods[] = {"INVITE", "OPTIONS", "PING"};
static const char *const types[] = {"application/sdp", "text/*"};

static const struct {
    const char *method, *more;
    unsigned status; /* 0: it goes in */
    const char *says;
    enum sip_refusal why;
} rules[] = {
    {"INVITE", "\r\n", 0, "", SIP_REFUSAL_NONE},
    {"PING", "\r\n", 0, "", SIP_REFUSAL_NONE},
    {"MESSAGE", "\r\n", 405, "Allow: INVITE, OPTIONS, PING\r\n",
     SIP_REFUSED_listener_method},
    {"invite", "\r\n", 405, "Allow: ", SIP_REFUSED_listener_method},
    {"REGISTER", "\r\n", 405, "Allow: ", SIP_REFUSED_listener_method},
    {"INVITE", "Content-Type: application/SDP;x=y\r\n\r\nv=0\r\n", 0, "",
     SIP_REFUSAL_NONE},
    {"INVITE", "c: text/plain\r\n\r\nhello", 0, "", SIP_REFUSAL_NONE},
    {"INVITE", "Content-Type: multipart/mixed;boundary=x\r\n\r\n--x--", 415,
     "Accept: application/sdp, text/*\r\n", SIP_REFUSED_body_type},
    {"INVITE", "Content-Type: application/sdpx\r\n\r\nv=0", 415,
     "Accept: ", SIP_REFUSED_body_type},
    {"INVITE", "\r\nv=0", 415, "Accept: ", SIP_REFUSED_body_type},
    {"INVITE",
     "Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b",
     415, "Accept-Encoding: identity\r\n", SIP_REFUSED_body_encoding},
    {"INVITE", "Content-Type: application/sdp\r\ne: identity\r\n\r\nv=0", 0, "",
     SIP_REFUSAL_NONE},
    {"INVITE", "Content-Type: text/x\r\n\r\n0123456789abcdef", 0, "",
     SIP_REFUSAL_NONE},
    {"INVITE", "Content-Type: text/x\r\n\r\n0123456789abcdefg", 413,
     "SIP/2.0 413 Request Entity Too Large\r\n", SIP_REFUSED_body_size},
};

START_TEST(a_listener_has_rules)
{
    world.cfg.locals[WORLD_WS].policy = (struct sip_zone_policy){
        .methods = methods,
        .n_methods = 3,
        .types = types,
        .n_types = 2,
        .max_body = 16,
    };
    ask(0, rules[_i].method, "alice", rules[_i].more);
    if (rules[_i].status == 0) {
        world_expect(rules[_i].method, -1, WORLD_SERVER_A);
    } else {
        const struct sent *s = world_expect("SIP/2.0 4", 0, 0);

        ck_assert_uint_eq(world_parse(s)->status, rules[_i].status);
        ck_assert_ptr_nonnull(strstr(s->text, rules[_i].says));
        ck_assert_uint_eq(*sip_refusal_counter(&world.stats[0], rules[_i].why),
                          1);
    }
}
END_TEST

START_TEST(a_listener_without_rules_takes_all_but_packed_bodies)
{
    ask(0, "FROB", "alice", "Content-Type: x/y\r\n\r\nz");
    world_expect("FROB", -1, WORLD_SERVER_A);
    ask(0, "FROB", "alice", "Content-Encoding: deflate\r\n\r\nz");
    world_expect("SIP/2.0 415", 0, 0);
}
END_TEST

static const struct {
    const char *to;
    bool goes;
} transfers[] = {
    {"<sip:carol@example.org>", true},
    {"sip:carol@EXAMPLE.org", true},
    {"<tel:+4930123>", true},
    {"<sip:x@one.example>", true},
    {"<sip:200@10.0.0.10:5060?Replaces=a%3Bto-tag%3Db>", true},
    {"<sip:edge.example:5066;transport=ws>", true},
    {"<sip:x@sub.one.example>", false},
    {"<sip:x@evil.example>", false},
    {"<sip:900@198.51.100.9>", false},
    {"<sip:x@10.0.0.99>", false},
    {"<http://example.org>", false},
    {"<<", false},
};

START_TEST(calls_are_transferred_to_where_they_may)
{
    char more[200];

    world.cfg.locals[WORLD_WS].policy.refer_inside = true;
    world.cfg.domains[0].name = "example.org";
    world.cfg.n_domains = 1;
    world.cfg.partners.items[0].domain = "one.example";
    world.cfg.partners.n = 1;
    (void)snprintf(more, sizeof(more), "Refer-To: %s\r\n\r\n",
                   transfers[_i].to);
    ask(0, "REFER", "alice", more);
    if (transfers[_i].goes)
        world_expect("REFER", -1, WORLD_SERVER_A);
    else
        world_expect("SIP/2.0 403", 0, 0);
    ck_assert_uint_eq(world.stats[0].refused_refer_target,
                      transfers[_i].goes ? 0 : 1);
}
END_TEST

/* --- users, sources --- */

/* An OPTIONS of that connection, answered so. */
static void answered_to(int conn, const char *user, unsigned status)
{
    const struct sent *s;

    ask(conn, "OPTIONS", user, "\r\n");
    s = world_expect("OPTIONS", -1, WORLD_SERVER_A);
    world_from_server(WORLD_SERVER_A, 0, "%s",
                      world_answer(s, status, "x", ""));
    ck_assert_ptr_nonnull(world_sent());
}

static void answered(int conn, unsigned status)
{
    answered_to(conn, "eve", status);
}

START_TEST(one_user_at_one_place_has_a_rate)
{
    world.cfg.guard.user_rate = 1;
    world.cfg.guard.user_burst = 8;
    for (int i = 0; i < 6; i++)
        answered_to(0, "alice", 200);
    /* The last quarter is for what belongs to calls. */
    ask(0, "OPTIONS", "al%69ce", "\r\n");
    ck_assert_ptr_nonnull(
        strstr(world_expect("SIP/2.0 503", 0, 0)->text, "Retry-After: "));
    ck_assert_uint_eq(world.stats[0].refused_user_rate, 1);
    /* Another user there, and the same one elsewhere, have their own. */
    answered_to(0, "bob", 200);
    answered_to(1, "alice", 200);
    world_advance(3000);
    answered_to(0, "alice", 200);
}
END_TEST

START_TEST(a_source_has_its_share_of_what_is_under_way)
{
    const struct sent *s;
    const char *answer;

    world.cfg.source_pending = 1;
    for (int i = 0; i < 3; i++) {
        ask(0, "OPTIONS", "alice", "\r\n");
        s = world_expect("OPTIONS", -1, WORLD_SERVER_A);
        answer = world_answer(s, 200, "x", "");
        ask(0, "OPTIONS", "alice", "\r\n");
        world_expect("SIP/2.0 503", 0, 0);
        ck_assert_uint_eq(world.stats[0].refused_source_full, (unsigned)i + 1);
        /* Others are not in its way. */
        answered(1, 200);
        /* What is answered and forgotten is given back. */
        world_from_server(WORLD_SERVER_A, 0, "%s", answer);
        world_expect("SIP/2.0 200", 0, 0);
        world_advance(6000);
    }
    ck_assert_uint_eq(sip_core_pending(world.core[0]), 0);
}
END_TEST

START_TEST(a_source_has_its_share_of_connections)
{
    struct sip_target from = {.transport = SIP_WS,
                              .remote = addr_v4(0xCB007150, 1),
                              .listener = WORLD_WS};
    uint64_t ids[3];

    world.cfg.source_flows = 2;
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(sip_core_open_flow(world.core[0], &from, (void *)1, 0,
                                            world.now, &ids[i]),
                         0);
    ck_assert_int_eq(sip_core_open_flow(world.core[0], &from, (void *)1, 0,
                                        world.now, &ids[2]),
                     ERR_LIMIT);
    ck_assert_uint_eq(world.stats[0].source_flows_refused, 1);
    from.remote = addr_v4(0xCB007151, 1);
    ck_assert_int_eq(sip_core_open_flow(world.core[0], &from, (void *)1, 0,
                                        world.now, &ids[2]),
                     0);
    /* One that goes makes room for one. */
    sip_core_close_flow(world.core[0], ids[0], world.now);
    from.remote = addr_v4(0xCB007150, 9);
    ck_assert_int_eq(sip_core_open_flow(world.core[0], &from, (void *)1, 0,
                                        world.now, &ids[0]),
                     0);
    ck_assert_int_eq(sip_core_open_flow(world.core[0], &from, (void *)1, 0,
                                        world.now, &ids[0]),
                     ERR_LIMIT);
}
END_TEST

START_TEST(connections_come_at_a_rate)
{
    struct addr a = addr_v4(0xCB007101, 1), b = addr_v4(0xCB007102, 1);

    world.cfg.guard.connect_rate = 1;
    world.cfg.guard.connect_burst = 5;
    for (int i = 0; i < 5; i++)
        ck_assert(sip_core_admits_connection(world.core[0], &a, world.now));
    ck_assert(!sip_core_admits_connection(world.core[0], &a, world.now));
    ck_assert(sip_core_admits_connection(world.core[0], &b, world.now));
    ck_assert(sip_core_admits_connection(world.core[0], &a, world.now + 1000));
    world.cfg.guard.connect_rate = 0;
    ck_assert(sip_core_admits_connection(world.core[0], &a, world.now));
}
END_TEST

START_TEST(who_tries_numbers_is_banned)
{
    world.cfg.guard.unknown_users = 4;
    world.cfg.guard.window_ms = 60000;
    world.cfg.guard.ban_ms = 60000;
    answered(0, 404);
    answered(0, 200);
    answered(0, 604);
    answered(0, 486);
    answered(0, 410);
    ck_assert(!world.conns[0].closed_by_us);
    answered(0, 404);
    ck_assert_uint_eq(world.stats[0].misses, 4);
    ck_assert_uint_eq(world.stats[0].bans, 1);
    ask(0, "OPTIONS", "eve", "\r\n");
    ck_assert_ptr_null(world_sent());
    ck_assert(world.conns[0].closed_by_us);
    /* In its time: the window is over for who is slow. */
    answered(1, 404);
    answered(1, 404);
    answered(1, 404);
    world_advance(61000);
    world_forget();
    answered(1, 404);
    ck_assert_uint_eq(world.stats[0].bans, 1);
}
END_TEST

START_TEST(who_has_registered_may_dial_wrong_numbers)
{
    const struct sent *s;

    world.cfg.guard.unknown_users = 2;
    world.cfg.guard.window_ms = 60000;
    world.cfg.guard.ban_ms = 60000;
    ask(0, "REGISTER", "alice", "Contact: <sip:a@a.invalid>\r\n\r\n");
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 200, "x", ""));
    world_expect("SIP/2.0 200", 0, 0);
    for (int i = 0; i < 5; i++)
        answered(0, 404);
    ck_assert_uint_eq(world.stats[0].misses, 0);
    ck_assert_uint_eq(world.stats[0].bans, 0);
}
END_TEST

/* --- datagrams --- */

static void datagram(uint32_t ip, const char *more)
{
    static unsigned n;
    const struct sip_target from = {.transport = SIP_UDP,
                                    .remote = addr_v4(ip, 5060),
                                    .local = addr_v4(0xC6336402, 5060),
                                    .listener = 2};
    char text[1024];
    int len = snprintf(text, sizeof(text),
                       "REGISTER sip:example.org SIP/2.0\r\n"
                       "Via: SIP/2.0/UDP x;branch=z9hG4bKd%u\r\n"
                       "Max-Forwards: 69\r\n"
                       "From: <sip:eve@example.org>;tag=al\r\n"
                       "To: <sip:eve@example.org>\r\n"
                       "Call-ID: d\r\nCSeq: 1 REGISTER\r\n"
                       "Contact: <sip:a@b>\r\n%s\r\n",
                       ++n, more);

    sip_core_on_message(world.core[0], &from, span_of(text, (size_t)len),
                        world.now);
}

/* One guess by datagram; the server answers with this challenge. */
static void guess(uint32_t ip, const char *credentials, const char *challenge)
{
    const struct sent *s;

    datagram(ip, credentials);
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    world_from_server(WORLD_SERVER_A, 0, "%s",
                      world_answer(s, 401, "x", challenge));
    ck_assert_ptr_nonnull(world_sent());
}

#define CHALLENGE(nonce)                                                       \
    "WWW-Authenticate: Digest realm=\"r\", nonce=\"" nonce "\"\r\n"
#define ANSWER(nonce)                                                          \
    "Authorization: Digest username=\"eve\", cnonce=\"c\", nonce=\"" nonce     \
    "\"\r\n"

START_TEST(a_guess_by_datagram_counts_when_it_knows_our_challenge)
{
    const uint32_t EVE = 0xCB007101, VICTIM = 0xCB007202;

    world_end();
    world.cfg.locals[2] = (struct sip_local){.transport = SIP_UDP,
                                             .zone = SIP_OUTSIDE,
                                             .addr = addr_v4(0xC6336402, 5060),
                                             .sent_by = "edge.example:5060"};
    world.cfg.n_locals = 3;
    world.cfg.guard.source_failures = 3;
    world.cfg.guard.window_ms = 60000;
    world.cfg.guard.ban_ms = 60000;
    world_restart();
    /* Whoever writes the victim's address never sees a challenge. */
    for (int i = 0; i < 10; i++)
        guess(VICTIM, ANSWER("made-up"), CHALLENGE("secret"));
    ck_assert_uint_eq(world.stats[0].guesses, 0);
    /* Eve does. */
    guess(EVE, "", CHALLENGE("n1"));
    guess(EVE, ANSWER("n1"), CHALLENGE("n2"));
    guess(EVE, ANSWER("n2"), CHALLENGE("n3"));
    ck_assert_uint_eq(world.stats[0].bans, 0);
    guess(EVE, ANSWER("n3"), CHALLENGE("n4"));
    ck_assert_uint_eq(world.stats[0].guesses, 3);
    ck_assert_uint_eq(world.stats[0].bans, 1);
    datagram(EVE, ANSWER("n4"));
    ck_assert_ptr_null(world_sent());
    /* What she was sent is of no use with another address. */
    for (int i = 0; i < 10; i++)
        guess(VICTIM, ANSWER("n3"), CHALLENGE("x"));
    ck_assert_uint_eq(world.stats[0].bans, 1);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("sip_zone");
    TCase *tc = tcase_create("zone");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, a_listener_has_rules, 0, ARRAY_SIZE(rules));
    tcase_add_test(tc, a_listener_without_rules_takes_all_but_packed_bodies);
    tcase_add_loop_test(tc, calls_are_transferred_to_where_they_may, 0,
                        ARRAY_SIZE(transfers));
    tcase_add_test(tc, one_user_at_one_place_has_a_rate);
    tcase_add_test(tc, a_source_has_its_share_of_what_is_under_way);
    tcase_add_test(tc, a_source_has_its_share_of_connections);
    tcase_add_test(tc, connections_come_at_a_rate);
    tcase_add_test(tc, who_tries_numbers_is_banned);
    tcase_add_test(tc, who_has_registered_may_dial_wrong_numbers);
    tcase_add_test(tc, a_guess_by_datagram_counts_when_it_knows_our_challenge);
    suite_add_tcase(s, tc);
    return s;
}

/* SPDX-License-Identifier: MIT */
/* Federation: partners' connections come and go, their dialogs stay theirs. */
#include "proxy/sip_flow.h"
#include "scenario/sip/support_world.h"

#include "base/err.h"

#include <stdio.h>

enum { TLS = 2, ONE = 1, TWO = 2, AGAIN = 3 };

static const char *const reach[] = {"private.example"};
static const char *const blocked[] = {"evil.example"};

static void setup(void)
{
    struct sip_core_config *c = &world.cfg;
    const struct addr at[] = {addr_v4(0x08080810, 5061),
                              addr_v4(0x08080811, 5061)};
    const uint32_t all = UINT32_MAX & ~(1u << SIP_METHOD_REGISTER);

    world_begin(1);
    c->locals[TLS] = (struct sip_local){.transport = SIP_TLS,
                                        .zone = SIP_OUTSIDE,
                                        .partners = true,
                                        .addr = addr_v4(0xC6336402, 5061),
                                        .sent_by = "edge.example:5061"};
    c->n_locals = 3;
    c->domains[0].name = "example.org";
    c->domains[1].name = "private.example";
    c->n_domains = 2;
    c->partners.items[0] = (struct sip_partner){
        .domain = "one.example",
        .name = "one.example",
        .sni = "one.example",
        .methods = all,
    };
    c->partners.items[1] = (struct sip_partner){.domain = "two.example",
                                                .name = "two.example",
                                                .methods = all,
                                                .reach = reach,
                                                .n_reach = 1};
    c->partners.items[2] = (struct sip_partner){.domain = "bad.evil.example",
                                                .name = "bad.evil.example",
                                                .methods = all};
    c->partners.n = 3;
    c->partners.blocked = blocked;
    c->partners.n_blocked = 1;
    sip_core_on_located(world.core[0], "one.example", at, 2);
}

static void teardown(void)
{
    world_end();
}

static struct sip_target partner_target(int conn)
{
    return (struct sip_target){
        .transport = SIP_TLS,
        .remote = addr_v4(0xC6336410 + (uint32_t)conn, 33000),
        .local = addr_v4(0xC6336402, 5061),
        .flow = world.conns[conn].flow,
        .listener = TLS,
    };
}

static int connects(int conn, const char *names)
{
    struct sip_target from = partner_target(conn);

    return sip_core_open_partner(world.core[0], &from,
                                 (void *)(intptr_t)(conn + 1), names, world.now,
                                 &world.conns[conn].flow);
}

/* Route lines for either side, of a message we sent. */
static char route[512];

static void note_route(const struct sent *s, bool is_reversed)
{
    (void)snprintf(route, sizeof(route), "Route: %s, %s\r\n",
                   world_value(s, "Record-Route", is_reversed ? 1 : 0),
                   world_value(s, "Record-Route", is_reversed ? 0 : 1));
}

static void from_partner(int conn, const char *method, const char *from,
                         const char *uri, const char *more)
{
    struct sip_target target = partner_target(conn);
    char text[2048];
    int n = snprintf(text, sizeof(text),
                     "%s %s SIP/2.0\r\n"
                     "Via: SIP/2.0/TLS one.example;branch=z9hG4bK%s%llu\r\n"
                     "Max-Forwards: 69\r\n"
                     "From: <%s>;tag=p\r\n"
                     "Call-ID: fed-1\r\nCSeq: 1 %s\r\n"
                     "Contact: <sip:bob@one.example;transport=tls>\r\n"
                     "Content-Length: 0\r\n%s\r\n",
                     method, uri, method, (unsigned long long)world.now++, from,
                     method, more);

    sip_core_on_message(world.core[0], &target, span_of(text, (size_t)n),
                        world.now);
}

#define NEW "To: <sip:alice@example.org>\r\n"
#define DIALOG "To: <sip:alice@example.org>;tag=al\r\n"
#define BOB "sip:bob@one.example"

static void from_inside(const char *method, const char *uri, const char *more)
{
    const char *to = more == route ? "To: <" BOB ">;tag=p\r\n" : "";

    world_from_server(WORLD_SERVER_A, 0,
                      "%s %s SIP/2.0\r\n"
                      "Via: SIP/2.0/UDP 10.0.0.10:5060;branch=z9hG4bK%llu\r\n"
                      "Max-Forwards: 70\r\n%s%s"
                      "From: <sip:alice@example.org>;tag=al\r\n"
                      "Call-ID: fed-1\r\nCSeq: 5 %s\r\n"
                      "Contact: <sip:alice@10.0.0.10:5060>\r\n"
                      "Content-Length: 0\r\n\r\n",
                      method, uri, (unsigned long long)world.now++, more, to,
                      method);
}

/* A call of theirs that was answered; `route` is the media server's. */
static void their_call(void)
{
    const struct sent *s;

    ck_assert_int_eq(connects(ONE, "one.example"), 0);
    from_partner(ONE, "INVITE", BOB, "sip:alice@example.org", NEW);
    s = world_expect("INVITE", -1, WORLD_SERVER_A);
    note_route(s, false);
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 200, "al", ""));
    world_expect("SIP/2.0 200", ONE, 0);
}

START_TEST(certificates_of_nobody_we_know_are_turned_away)
{
    ck_assert_int_eq(connects(ONE, "nobody.example"), ERR_DENIED);
    ck_assert_int_eq(connects(ONE, "bad.evil.example"), ERR_DENIED);
    ck_assert_int_eq(connects(ONE, "x.one.example\none.example.net"),
                     ERR_DENIED);
    ck_assert_int_eq(connects(ONE, "x.example\nONE.example"), 0);
}
END_TEST

static const struct {
    const char *names, *method, *from, *uri;
    enum sip_refusal why;
} policy[] = {
    {"one.example", "OPTIONS", BOB, "sip:a@example.org", SIP_REFUSAL_NONE},
    {"one.example", "OPTIONS", "sip:b@two.example", "sip:a@example.org",
     SIP_REFUSED_partner_from},
    {"one.example", "OPTIONS", "sip:b@x.one.example", "sip:a@example.org",
     SIP_REFUSED_partner_from},
    {"one.example", "OPTIONS", "sip:a@example.org", "sip:a@example.org",
     SIP_REFUSED_partner_from},
    {"one.example", "OPTIONS", "tel:+491", "sip:a@example.org",
     SIP_REFUSED_partner_from},
    {"one.example", "OPTIONS", "sip:a@anonymous.invalid", "sip:a@example.org",
     SIP_REFUSED_partner_from},
    {"one.example\nbad.evil.example", "OPTIONS", "sip:b@bad.evil.example",
     "sip:a@example.org", SIP_REFUSED_blocked_domain},
    {"one.example", "REGISTER", BOB, "sip:example.org",
     SIP_REFUSED_partner_method},
    {"one.example", "OPTIONS", BOB, "tel:+491", SIP_REFUSED_partner_target},
    {"one.example", "OPTIONS", BOB, "sip:a@two.example", SIP_REFUSED_domain},
    {"two.example", "OPTIONS", "sip:b@two.example", "sip:a@example.org",
     SIP_REFUSED_partner_target},
    {"two.example", "OPTIONS", "sip:b@two.example", "sip:a@private.example",
     SIP_REFUSAL_NONE},
};

START_TEST(each_rule_has_its_answer_and_counter)
{
    ck_assert_int_eq(connects(ONE, policy[_i].names), 0);
    from_partner(ONE, policy[_i].method, policy[_i].from, policy[_i].uri,
                 "To: <sip:a@b>\r\n");
    if (policy[_i].why == SIP_REFUSAL_NONE) {
        world_expect(policy[_i].method, -1, WORLD_SERVER_A);
        return;
    }
    world_expect("SIP/2.0 403", ONE, 0);
    ck_assert_uint_eq(*sip_refusal_counter(&world.stats[0], policy[_i].why), 1);
}
END_TEST

START_TEST(a_dialog_outlives_the_connection_it_came_over)
{
    their_call();
    world_disconnect(ONE);
    from_inside("BYE", BOB ";transport=tls", route);
    /* No connection: one is made. */
    world_expect("BYE", WORLD_DIALLED, 0);
    ck_assert_int_eq(world.dialled, 1);
    /* The next one uses it. */
    from_inside("INFO", BOB ";transport=tls", route);
    world_expect("INFO", WORLD_DIALLED, 0);
}
END_TEST

START_TEST(another_partner_cannot_enter_a_dialog)
{
    char more[700];

    their_call();
    (void)snprintf(more, sizeof(more), "%s" DIALOG, route);
    ck_assert_int_eq(connects(AGAIN, "one.example"), 0);
    from_partner(AGAIN, "BYE", BOB, "sip:alice@10.0.0.10", more);
    world_expect("BYE", -1, WORLD_SERVER_A);
    ck_assert_int_eq(connects(4, "two.example"), 0);
    from_partner(4, "BYE", "sip:bob@two.example", "sip:alice@10.0.0.10", more);
    world_expect("SIP/2.0 403", 4, 0);
    /* Nor says that it is the other one. */
    from_partner(4, "BYE", BOB, "sip:alice@10.0.0.10", more);
    world_expect("SIP/2.0 403", 4, 0);
    ck_assert_uint_eq(world.stats[0].refused_forged_token, 1);
    ck_assert_uint_eq(world.stats[0].refused_partner_from, 1);
}
END_TEST

START_TEST(a_client_cannot_use_a_partners_token)
{
    their_call();
    world_connect(0, 0, 0);
    world_from_client(0,
                      "BYE sip:alice@10.0.0.10 SIP/2.0\r\n"
                      "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKc\r\n"
                      "Max-Forwards: 69\r\n%s"
                      "From: <" BOB ">;tag=p\r\n" DIALOG
                      "Call-ID: fed-1\r\nCSeq: 2 BYE\r\n\r\n",
                      route);
    world_expect("SIP/2.0 403", 0, 0);
    ck_assert_uint_eq(world.stats[0].refused_forged_token, 1);
}
END_TEST

START_TEST(another_address_is_tried_when_the_first_is_dead)
{
    from_inside("INVITE", BOB, "To: <" BOB ">\r\n");
    world_expect("INVITE", WORLD_DIALLED, 0);
    world_disconnect(WORLD_DIALLED);
    world_expect("INVITE", WORLD_DIALLED + 1, 0);
    world_disconnect(WORLD_DIALLED + 1);
    /* Around once more, and then it has had its tries. */
    world_expect("INVITE", WORLD_DIALLED + 2, 0);
    world_disconnect(WORLD_DIALLED + 2);
    world_expect("SIP/2.0 504", -1, WORLD_SERVER_A);
}
END_TEST

START_TEST(a_partner_that_cannot_be_reached_is_504)
{
    world.cannot_dial = true;
    from_inside("INVITE", BOB, "To: <" BOB ">\r\n");
    world_expect("SIP/2.0 504", -1, WORLD_SERVER_A);
    /* Nothing is known of where two is. */
    world.cannot_dial = false;
    from_inside("INVITE", "sip:b@two.example", "To: <sip:b@two.example>\r\n");
    world_expect("SIP/2.0 504", -1, WORLD_SERVER_A);
    /* But it is there: its own connection is better than none. */
    ck_assert_int_eq(connects(TWO, "two.example"), 0);
    from_inside("INVITE", "sip:b@two.example", "To: <sip:b@two.example>\r\n");
    world_expect("INVITE", TWO, 0);
    ck_assert_uint_eq(world.stats[0].refused_partner_unreachable, 2);
}
END_TEST

START_TEST(blocked_and_unknown_domains_are_not_called)
{
    from_inside("INVITE", "sip:b@bad.evil.example", "To: <sip:b@b>\r\n");
    world_expect("SIP/2.0 403", -1, WORLD_SERVER_A);
    from_inside("INVITE", "sip:b@EVIL.example.", "To: <sip:b@b>\r\n");
    world_expect("SIP/2.0 403", -1, WORLD_SERVER_A);
    from_inside("INVITE", "sip:b@notevil.example", "To: <sip:b@b>\r\n");
    world_expect("SIP/2.0 404", -1, WORLD_SERVER_A);
    ck_assert_uint_eq(world.stats[0].refused_blocked_domain, 2);
}
END_TEST

START_TEST(a_reload_blocks_dialogs_too)
{
    static const char *const more[] = {"one.example"};
    struct sip_core_config next = world.cfg;

    their_call();
    next.partners.blocked = more;
    sip_core_reload(world.core[0], &next, world.now);
    from_inside("BYE", BOB ";transport=tls", route);
    world_expect("SIP/2.0 403", -1, WORLD_SERVER_A);
    from_partner(ONE, "OPTIONS", BOB, "sip:a@example.org", NEW);
    world_expect("SIP/2.0 403", ONE, 0);
    /* Removed from the list: the same. */
    next.partners.n = 0;
    next.partners.n_blocked = 0;
    sip_core_reload(world.core[0], &next, world.now);
    from_inside("BYE", BOB ";transport=tls", route);
    world_expect("SIP/2.0 430", -1, WORLD_SERVER_A);
    from_partner(ONE, "OPTIONS", BOB, "sip:a@example.org", NEW);
    world_expect("SIP/2.0 403", ONE, 0);
    sip_core_reload(world.core[0], &world.cfg, world.now);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("sip_partner");
    TCase *tc = tcase_create("partner");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, certificates_of_nobody_we_know_are_turned_away);
    tcase_add_loop_test(tc, each_rule_has_its_answer_and_counter, 0,
                        ARRAY_SIZE(policy));
    tcase_add_test(tc, a_dialog_outlives_the_connection_it_came_over);
    tcase_add_test(tc, another_partner_cannot_enter_a_dialog);
    tcase_add_test(tc, a_client_cannot_use_a_partners_token);
    tcase_add_test(tc, another_address_is_tried_when_the_first_is_dead);
    tcase_add_test(tc, a_partner_that_cannot_be_reached_is_504);
    tcase_add_test(tc, blocked_and_unknown_domains_are_not_called);
    tcase_add_test(tc, a_reload_blocks_dialogs_too);
    suite_add_tcase(s, tc);
    return s;
}

/* SPDX-License-Identifier: MIT */
/* Who is told who calls: RFC 3323 and RFC 3325 at the boundary, RFC 8599 and
 * everything else that is none of our business. */
#include "proxy/sip_hide.h"
#include "scenario/sip/support_world.h"

#include <stdio.h>

enum { TLS = 2, PARTNER = 1, TRUSTED = 2 };

static void setup(void)
{
    struct sip_core_config *c = &world.cfg;

    world_begin(1);
    world_end();
    c->locals[TLS] = (struct sip_local){.transport = SIP_TLS,
                                        .zone = SIP_OUTSIDE,
                                        .partners = true,
                                        .addr = addr_v4(0xC6336402, 5061),
                                        .sent_by = "edge.example:5061"};
    c->n_locals = 3;
    c->domains[0].name = "example.org";
    c->n_domains = 1;
    c->partners.items[0] = (struct sip_partner){
        .domain = "one.example", .name = "one.example", .methods = UINT32_MAX};
    c->partners.items[1] = (struct sip_partner){.domain = "two.example",
                                                .name = "two.example",
                                                .methods = UINT32_MAX,
                                                .identity = true};
    c->partners.n = 2;
    world_restart();
    world_connect(0, 0, 0);
}

static void teardown(void)
{
    world_end();
}

static struct sip_target partner_target(int conn)
{
    return (struct sip_target){.transport = SIP_TLS,
                               .remote = addr_v4(0xC6336410, 33000),
                               .flow = world.conns[conn].flow,
                               .listener = TLS};
}

static void connect_partner(int conn, const char *name)
{
    struct sip_target from = partner_target(conn);

    ck_assert_int_eq(sip_core_open_partner(world.core[0], &from,
                                           (void *)(intptr_t)(conn + 1), name,
                                           world.now, &world.conns[conn].flow),
                     0);
}

static char route[300];

/* The client registers; `route` leads to it. */
static void registered(void)
{
    const struct sent *s;

    world_from_client(0, "REGISTER sip:example.org SIP/2.0\r\n"
                         "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKreg\r\n"
                         "Max-Forwards: 69\r\n"
                         "From: <sip:alice@example.org>;tag=al\r\n"
                         "To: <sip:alice@example.org>\r\n"
                         "Call-ID: reg\r\nCSeq: 1 REGISTER\r\n"
                         "Contact: <sip:x1@a.invalid>\r\n\r\n");
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    (void)snprintf(route, sizeof(route), "Route: %s\r\n",
                   world_value(s, "Path", 0));
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 200, "r", ""));
    world_expect("SIP/2.0 200", 0, 0);
}

static void from_inside(const char *uri, const char *more)
{
    unsigned long long number = ++world.now;

    world_from_server(WORLD_SERVER_A, 0,
                      "INVITE %s SIP/2.0\r\n"
                      "Via: SIP/2.0/UDP 10.0.0.10:5060;branch=z9hG4bK%llu\r\n"
                      "Max-Forwards: 70\r\n%s"
                      "From: <sip:alice@example.org>;tag=al\r\n"
                      "To: <%s>\r\nSubject: x\r\nReply-To: <sip:a@b>\r\n"
                      "Call-ID: pr-%llu\r\nCSeq: 5 INVITE\r\n"
                      "P-Asserted-Identity: <sip:alice@example.org>\r\n"
                      "P-Asserted-Identity: <tel:+4930>\r\n"
                      "Remote-Party-ID: <sip:alice@example.org>\r\n\r\n",
                      uri, number, more, uri, number);
}

static bool has(const struct sent *s, const char *text)
{
    return strstr(s->text, text) != NULL;
}

static const struct {
    const char *privacy;   /* of the request */
    bool client, one, two; /* is told who calls */
    bool subject;
} told[] = {
    {"", true, false, true, true},
    {"Privacy: none\r\n", true, true, true, true},
    {"Privacy: id\r\n", false, false, true, true},
    {"Privacy: ID ; user\r\n", false, false, true, false},
    {"Privacy: header, id\r\n", false, false, true, true},
    {"Privacy: id;critical\r\n", false, false, true, true},
    {"Privacy: token-of-the-future\r\n", true, false, true, true},
};

START_TEST(identities_go_to_whom_they_may)
{
    const struct sent *s;
    char more[400];

    registered();
    (void)snprintf(more, sizeof(more), "%s%s", route, told[_i].privacy);
    from_inside("sip:x1@a.invalid", more);
    s = world_expect("INVITE", 0, 0);
    ck_assert_int_eq(has(s, "P-Asserted-Identity"), told[_i].client);
    ck_assert_int_eq(has(s, "tel:+4930"), told[_i].client);
    ck_assert_int_eq(has(s, "Remote-Party-ID"), told[_i].client);
    ck_assert_int_eq(has(s, "Subject"), told[_i].subject);
    ck_assert_int_eq(has(s, "Reply-To"), told[_i].subject);
    connect_partner(PARTNER, "one.example");
    from_inside("sip:b@one.example", told[_i].privacy);
    s = world_expect("INVITE", PARTNER, 0);
    ck_assert_int_eq(has(s, "P-Asserted-Identity"), told[_i].one);
    connect_partner(TRUSTED, "two.example");
    from_inside("sip:b@two.example", told[_i].privacy);
    s = world_expect("INVITE", TRUSTED, 0);
    ck_assert_int_eq(has(s, "P-Asserted-Identity"), told[_i].two);
    /* Whoever is next knows what was wished. */
    if (*told[_i].privacy)
        ck_assert(has(s, "Privacy: "));
}
END_TEST

static const struct {
    const char *privacy;
    int hide;
    const char *left; /* NULL: refused */
} critical[] = {
    {"id;critical", SIP_HIDE_OFF, "id;critical"},
    {"none;critical", SIP_HIDE_OFF, "none;critical"},
    {"header;critical", SIP_HIDE_OFF, NULL},
    {"header;critical", SIP_HIDE_TOPOLOGY, ""},
    {"header;id;critical", SIP_HIDE_TOPOLOGY, "id;critical"},
    {"header", SIP_HIDE_OFF, "header"},
    {"header", SIP_HIDE_TOPOLOGY, ""},
    {"user;critical", SIP_HIDE_TOPOLOGY, NULL},
    {"session;critical", SIP_HIDE_FULL, NULL},
    {"new;critical", SIP_HIDE_FULL, NULL},
    {"header;new", SIP_HIDE_FULL, "header;new"},
};

START_TEST(what_is_critical_is_done_or_refused)
{
    char more[400];

    world_end();
    world.cfg.locals[WORLD_WS].hide = critical[_i].hide;
    world_restart();
    world_connect(0, 0, 0);
    registered();
    (void)snprintf(more, sizeof(more),
                   "%sPrivacy: %s\r\nProxy-Require: privacy\r\n", route,
                   critical[_i].privacy);
    from_inside("sip:x1@a.invalid", more);
    if (critical[_i].left) {
        const struct sent *s = world_expect("INVITE", 0, 0);

        ck_assert_str_eq(world_value(s, "Privacy", 0), critical[_i].left);
    } else {
        world_expect("SIP/2.0 500", -1, WORLD_SERVER_A);
        ck_assert_uint_eq(world.stats[0].refused_privacy, 1);
    }
}
END_TEST

START_TEST(responses_keep_secrets_too)
{
    const struct sent *s;

    world_from_client(0, "INVITE sip:bob@example.org SIP/2.0\r\n"
                         "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKi\r\n"
                         "Max-Forwards: 69\r\n"
                         "From: <sip:alice@example.org>;tag=al\r\n"
                         "To: <sip:bob@example.org>\r\n"
                         "Call-ID: c\r\nCSeq: 1 INVITE\r\n\r\n");
    s = world_expect("INVITE", -1, WORLD_SERVER_A);
    world_from_server(
        WORLD_SERVER_A, 0, "%s",
        world_answer(s, 180, "b",
                     "P-Asserted-Identity: <sip:bob@example.org>\r\n"));
    ck_assert(has(world_expect("SIP/2.0 180", 0, 0), "P-Asserted-Identity"));
    world_from_server(
        WORLD_SERVER_A, 0, "%s",
        world_answer(s, 200, "b",
                     "P-Asserted-Identity: <sip:bob@example.org>\r\n"
                     "Privacy: id\r\n"));
    ck_assert(!has(world_expect("SIP/2.0 200", 0, 0), "P-Asserted-Identity"));
}
END_TEST

static void from_partner(int conn, const char *domain, const char *identity)
{
    struct sip_target target = partner_target(conn);
    char text[1024];
    int n = snprintf(text, sizeof(text),
                     "OPTIONS sip:alice@example.org SIP/2.0\r\n"
                     "Via: SIP/2.0/TLS x;branch=z9hG4bK%llu\r\n"
                     "Max-Forwards: 69\r\n"
                     "From: <sip:bob@%s>;tag=p\r\n"
                     "To: <sip:alice@example.org>\r\n"
                     "Call-ID: f\r\nCSeq: 1 OPTIONS\r\n"
                     "P-Asserted-Identity: %s\r\nDiversion: <sip:x@y>\r\n"
                     "Content-Length: 0\r\n\r\n",
                     (unsigned long long)world.now++, domain, identity);

    sip_core_on_message(world.core[0], &target, span_of(text, (size_t)n),
                        world.now);
}

START_TEST(identities_are_taken_from_those_who_are_trusted)
{
    const struct sent *s;

    connect_partner(PARTNER, "one.example");
    connect_partner(TRUSTED, "two.example");
    from_partner(PARTNER, "one.example", "<sip:bob@one.example>");
    s = world_expect("OPTIONS", -1, WORLD_SERVER_A);
    ck_assert(!has(s, "P-Asserted-Identity"));
    ck_assert(!has(s, "Diversion"));
    from_partner(TRUSTED, "two.example", "<sip:bob@two.example>, <tel:+1>");
    s = world_expect("OPTIONS", -1, WORLD_SERVER_A);
    ck_assert(has(s, "P-Asserted-Identity: <sip:bob@two.example>, <tel:+1>"));
    ck_assert(!has(s, "Diversion"));
    /* But of their own, not of others. */
    from_partner(TRUSTED, "two.example", "<sip:carol@example.org>");
    world_expect("SIP/2.0 403", TRUSTED, 0);
    from_partner(TRUSTED, "two.example", "nonsense <<");
    world_expect("SIP/2.0 403", TRUSTED, 0);
    ck_assert_uint_eq(world.stats[0].refused_partner_from, 2);
}
END_TEST

START_TEST(a_trusted_listeners_clients_may_say_who_they_are)
{
    static const char text[] = "OPTIONS sip:bob@example.org SIP/2.0\r\n"
                               "Via: SIP/2.0/WS a.invalid;branch=z9hG4bK%d\r\n"
                               "Max-Forwards: 69\r\n"
                               "From: <sip:alice@example.org>;tag=al\r\n"
                               "To: <sip:bob@example.org>\r\n"
                               "Call-ID: c\r\nCSeq: 1 OPTIONS\r\n"
                               "p-asserted-identity : <sip:king@example.org>"
                               "\r\n\r\n";

    world_from_client(0, text, 1);
    ck_assert(!has(world_expect("OPTIONS", -1, WORLD_SERVER_A), "king"));
    world.cfg.locals[WORLD_WS].identity = true;
    world_from_client(0, text, 2);
    ck_assert(has(world_expect("OPTIONS", -1, WORLD_SERVER_A), "king"));
}
END_TEST

#define PUSH                                                                   \
    "sip:x1@a.invalid;transport=ws;pn-provider=fcm;pn-param=project:app;"      \
    "pn-prid=ZXhhbXBsZQ%3D%3D;pn-purr=Az9;ob"

/* RFC 8599: what wakes a phone reaches the registrar and comes back. */
START_TEST(push_parameters_and_strangers_pass_untouched)
{
    static const char odd[] = "X-Odd: \"a;b\", <c>;d=\"e\\\"f\"\r\n"
                              "Feature-Caps: *;+sip.pns=\"fcm\";+sip.pnsreg="
                              "\"130\";+sip.pnspurr=\"Az9\"\r\n"
                              "X-Utf8: gr\xC3\xBC\xC3\x9F dich\r\n"
                              "Geolocation: <cid:x@y>\r\n";
    const struct sent *s;

    world_from_client(0,
                      "REGISTER sip:example.org SIP/2.0\r\n"
                      "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKreg\r\n"
                      "Max-Forwards: 69\r\n"
                      "From: <sip:alice@example.org>;tag=al\r\n"
                      "To: <sip:alice@example.org>\r\n"
                      "Call-ID: reg\r\nCSeq: 1 REGISTER\r\n%s"
                      "Contact: <%s>;+sip.instance=\"<urn:uuid:1>\";"
                      "reg-id=1\r\n\r\n",
                      odd, PUSH);
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    ck_assert(has(s, "<" PUSH ">;+sip.instance=\"<urn:uuid:1>\";reg-id=1\r\n"));
    ck_assert(has(s, odd));
    (void)snprintf(route, sizeof(route), "Route: %s\r\n",
                   world_value(s, "Path", 0));
    world_from_server(WORLD_SERVER_A, 0, "%s",
                      world_answer(s, 200, "r",
                                   "Contact: <" PUSH ">;expires=60\r\n"
                                   "Feature-Caps: *;+sip.pns=\"fcm\"\r\n"));
    s = world_expect("SIP/2.0 200", 0, 0);
    ck_assert(has(s, "Contact: <" PUSH ">;expires=60\r\n"));
    ck_assert(has(s, "Feature-Caps: *;+sip.pns=\"fcm\"\r\n"));
    /* A method of the future, with a body of the future, both ways. */
    world_from_server(WORLD_SERVER_A, 0,
                      "FROBNICATE %s SIP/2.0\r\n"
                      "Via: SIP/2.0/UDP 10.0.0.10:5060;branch=z9hG4bKf\r\n"
                      "Max-Forwards: 70\r\n%s"
                      "From: <sip:bob@example.org>;tag=b\r\n"
                      "To: <sip:alice@example.org>\r\n"
                      "Call-ID: f\r\nCSeq: 1 FROBNICATE\r\n%s"
                      "Content-Type: application/x\r\nContent-Length: 4\r\n"
                      "\r\n\x01\x02\r\n",
                      PUSH, route, odd);
    s = world_expect("FROBNICATE " PUSH " SIP/2.0", 0, 0);
    ck_assert(has(s, odd));
    ck_assert_int_eq(memcmp(s->text + s->len - 4, "\x01\x02\r\n", 4), 0);
    world_from_client(0, "%s", world_answer(s, 299, "al", odd));
    ck_assert(has(world_expect("SIP/2.0 299", -1, WORLD_SERVER_A), odd));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("sip_privacy");
    TCase *tc = tcase_create("privacy");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, identities_go_to_whom_they_may, 0,
                        ARRAY_SIZE(told));
    tcase_add_loop_test(tc, what_is_critical_is_done_or_refused, 0,
                        ARRAY_SIZE(critical));
    tcase_add_test(tc, responses_keep_secrets_too);
    tcase_add_test(tc, identities_are_taken_from_those_who_are_trusted);
    tcase_add_test(tc, a_trusted_listeners_clients_may_say_who_they_are);
    tcase_add_test(tc, push_parameters_and_strangers_pass_untouched);
    suite_add_tcase(s, tc);
    return s;
}

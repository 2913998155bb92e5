/* SPDX-License-Identifier: MIT */
#include "proxy/web_stream.h"

#include "base/mem.h"
#include "support/unit.h"

static const char *const turn_names[] = {"turn.edge.test"};
static const char *const turn_protocols[] = {"stun.turn", "stun.nat-discovery"};
static const char *const wild_names[] = {"*.apps.test"};
static const char *const sip_protocols[] = {"sip/2", "sip"};
static const char *const exact_names[] = {"one.apps.test"};
static const char *const any_names[] = {"*"};

enum { TURN, WILD, SIP, EXACT, ANY, NAMELESS, OWN };
static const struct web_stream streams[] = {
    [TURN] = {.name = "turn",
              .names = turn_names,
              .n_names = 1,
              .protocols = turn_protocols,
              .n_protocols = 2,
              .plain = FIRST_STUN},
    [WILD] = {.name = "wild", .names = wild_names, .n_names = 1},
    [SIP] = {.name = "sip",
             .protocols = sip_protocols,
             .n_protocols = 2,
             .plain = FIRST_SIP},
    [EXACT] = {.name = "exact", .names = exact_names, .n_names = 1},
    [ANY] = {.name = "any", .names = any_names, .n_names = 1},
    [NAMELESS] = {.name = "nameless", .nameless = true},
    [OWN] = {.name = "own", .port = 9000, .plain = FIRST_HTTP},
};

static const char *tls(const char *name, const char *protocols, bool known)
{
    struct first_bytes first = {
        .kind = FIRST_TLS,
        .hello = {span_str(name), span_str(protocols)},
    };
    const struct web_stream *s =
        web_stream_match(streams, ARRAY_SIZE(streams), &first, known);

    return s ? s->name : "here";
}

static const char *plain(enum first_kind kind)
{
    struct first_bytes first = {.kind = kind};
    const struct web_stream *s =
        web_stream_match(streams, ARRAY_SIZE(streams), &first, false);

    return s ? s->name : "here";
}

START_TEST(the_name_decides)
{
    ck_assert_str_eq(tls("turn.edge.test", "", true), "turn");
    ck_assert_str_eq(tls("TURN.Edge.Test", "", false), "turn");
    ck_assert_str_eq(tls("web.edge.test", "", true), "here");
    ck_assert_str_eq(tls("two.apps.test", "", false), "wild");
    ck_assert_str_eq(tls("one.apps.test", "", false), "exact");
    ck_assert_str_eq(tls("a.two.apps.test", "", true), "here");
    ck_assert_str_eq(tls("apps.test", "", true), "here");
}
END_TEST

START_TEST(protocols_decide_when_no_name_does)
{
    ck_assert_str_eq(tls("web.edge.test", "\x09stun.turn", true), "turn");
    ck_assert_str_eq(tls("", "\x02h2\x03sip", true), "sip");
    ck_assert_str_eq(tls("two.apps.test", "\x03sip", true), "wild");
    ck_assert_str_eq(tls("web.edge.test", "\x02h2\x08http/1.1", true), "here");
}
END_TEST

START_TEST(a_star_takes_names_that_are_not_ours)
{
    ck_assert_str_eq(tls("foreign.test", "", false), "any");
    ck_assert_str_eq(tls("foreign.test", "\x03sip", false), "sip");
    ck_assert_str_eq(tls("", "", false), "nameless");
    ck_assert_str_eq(tls("", "\x02h2", false), "nameless");
    ck_assert_str_eq(tls("", "\x03sip", false), "sip");
}
END_TEST

START_TEST(without_tls_the_first_bytes_decide)
{
    ck_assert_str_eq(plain(FIRST_STUN), "turn");
    ck_assert_str_eq(plain(FIRST_SIP), "sip");
    ck_assert_str_eq(plain(FIRST_HTTP), "here"); /* OWN is elsewhere */
    ck_assert_str_eq(plain(FIRST_OTHER), "here");
}
END_TEST

START_TEST(a_port_of_its_own)
{
    size_t n = ARRAY_SIZE(streams);

    ck_assert_ptr_eq(web_stream_at(streams, n, 9000), &streams[OWN]);
    ck_assert_ptr_null(web_stream_at(streams, n, 443));
    ck_assert_ptr_null(web_stream_at(streams, n, 0));
}
END_TEST

START_TEST(counts_outlive_a_reload)
{
    struct web_stream_counts *c = web_stream_counts_new();

    web_stream_count(&c->taken, 2);
    ck_assert_ptr_eq(web_stream_counts_ref(c), c);
    web_stream_counts_unref(c);
    ck_assert_uint_eq(c->taken, 2);
    web_stream_counts_unref(c);
    web_stream_counts_unref(NULL);
    ck_assert_no_blocks();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web_stream");
    TCase *tc = tcase_create("routes");

    tcase_add_test(tc, the_name_decides);
    tcase_add_test(tc, protocols_decide_when_no_name_does);
    tcase_add_test(tc, a_star_takes_names_that_are_not_ours);
    tcase_add_test(tc, without_tls_the_first_bytes_decide);
    tcase_add_test(tc, a_port_of_its_own);
    tcase_add_test(tc, counts_outlive_a_reload);
    suite_add_tcase(suite, tc);
    return suite;
}

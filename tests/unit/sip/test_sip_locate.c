/* SPDX-License-Identifier: MIT */
/* RFC 3263 with a zone in an array: no DNS, no waiting. */
#include "proxy/sip_locate.h"

#include "base/err.h"
#include "support/unit.h"

#include <stdio.h>

enum { CAN_ALL = 1U << SIP_UDP | 1U << SIP_TCP | 1U << SIP_TLS };

static struct sip_locate l;
static const char *zone[32]; /* "name type data…" */
static size_t n_zone;
static char asked[1024];

static void setup(void)
{
    n_zone = 0;
    asked[0] = '\0';
}

static void rr(const char *line)
{
    zone[n_zone++] = line;
}

static uint32_t no_chance(void *arg)
{
    (void)arg;
    return 0;
}

static void copy(char *out, size_t size, struct span s)
{
    (void)snprintf(out, size, "%.*s", SPAN_FMT(s));
}

static uint16_t number(struct span s)
{
    uint32_t v;

    ck_assert_int_eq(span_to_u32(s, UINT16_MAX, &v), 0);
    return (uint16_t)v;
}

/* The fields of a zone's line when it is of that name and type. */
static bool fields(size_t i, const char *name, const char *type,
                   struct span f[8])
{
    struct span rest = span_str(zone[i]);
    size_t n = 0;

    memset(f, 0, 8 * sizeof(f[0]));
    while (n < 8 && span_next(&rest, ' ', &f[n]))
        n++;
    return span_is(f[0], name) && span_is(f[1], type);
}

static int answer_records(size_t index, const struct sip_ask *a)
{
    bool is_srv = a->type == SIP_ASK_SRV;
    struct dns_records r = {.type = is_srv ? DNS_SRV : DNS_NAPTR};
    struct span f[8];

    for (size_t i = 0; i < n_zone; i++) {
        if (!fields(i, a->name, is_srv ? "SRV" : "NAPTR", f))
            continue;
        if (is_srv) {
            struct dns_srv *s = &r.srv[r.n++];

            s->priority = number(f[2]);
            s->weight = number(f[3]);
            s->port = number(f[4]);
            copy(s->target, sizeof(s->target), f[5]);
        } else {
            struct dns_naptr *s = &r.naptr[r.n++];

            s->order = number(f[2]);
            s->preference = number(f[3]);
            s->flag = 's';
            copy(s->service, sizeof(s->service), f[4]);
            copy(s->replacement, sizeof(s->replacement), f[5]);
        }
    }
    return sip_locate_records(&l, index, r.n ? &r : NULL);
}

static int answer_address(size_t index, const struct sip_ask *a)
{
    struct addr addrs[8];
    size_t n = 0;
    struct span f[8];

    for (size_t i = 0; i < n_zone; i++) {
        if (fields(i, a->name, "A", f))
            ck_assert_int_eq(addr_parse_ip(f[2], &addrs[n++]), 0);
    }
    return sip_locate_addresses(&l, index, addrs, n);
}

/* One step, its answers in reverse order. */
static int step(void)
{
    size_t n = l.n_asks;
    int state = 0;

    for (size_t i = n; i-- > 0 && state == 0;) {
        struct sip_ask a = l.asks[i];

        (void)snprintf(asked + strlen(asked), sizeof(asked) - strlen(asked),
                       "%s%s", asked[0] ? " " : "", a.name);
        state = a.type == SIP_ASK_ADDRESS ? answer_address(i, &a)
                                          : answer_records(i, &a);
    }
    return state;
}

static int run(struct sip_locate_query q)
{
    int state;

    if (q.transports == 0)
        q.transports = CAN_ALL;
    state = sip_locate_begin(&l, &q, no_chance, NULL);
    while (state == 1)
        state = step();
    return state == 2 ? 0 : state;
}

static int run_name(const char *name)
{
    return run((struct sip_locate_query){.host = span_str(name)});
}

static void expect(size_t i, const char *want)
{
    char text[ADDR_TEXT_SIZE], got[128];

    ck_assert_uint_lt(i, l.n_hops);
    (void)snprintf(got, sizeof(got), "%u %s %s", (unsigned)l.hops[i].rank,
                   sip_transport_param(l.hops[i].transport),
                   addr_str(&l.hops[i].addr, text));
    ck_assert_str_eq(got, want);
}

START_TEST(an_address_asks_nobody)
{
    ck_assert_int_eq(run_name("192.0.2.1"), 0);
    expect(0, "0 udp 192.0.2.1:5060");
    ck_assert_int_eq(run((struct sip_locate_query){
                         .host = span_str("2001:db8::1"), .sips = true}),
                     0);
    expect(0, "0 tls [2001:db8::1]:5061");
    ck_assert_str_eq(asked, "");
}
END_TEST

START_TEST(naptr_says_transport_and_order)
{
    rr("example.org NAPTR 20 10 SIP+D2U _sip._udp.example.org");
    rr("example.org NAPTR 10 10 SIP+D2T _sip._tcp.example.org");
    rr("example.org NAPTR 5 10 SIP+D2S _sip._sctp.example.org");
    rr("_sip._udp.example.org SRV 0 0 5062 u.example.org");
    rr("_sip._tcp.example.org SRV 1 0 5060 t2.example.org");
    rr("_sip._tcp.example.org SRV 0 0 5060 t1.example.org");
    rr("u.example.org A 192.0.2.3");
    rr("t1.example.org A 192.0.2.1");
    rr("t2.example.org A 192.0.2.2");
    ck_assert_int_eq(run_name("Example.ORG."), 0);
    ck_assert_uint_eq(l.n_hops, 3);
    expect(0, "0 tcp 192.0.2.1:5060");
    expect(1, "1 tcp 192.0.2.2:5060");
    expect(2, "2 udp 192.0.2.3:5062");
    ck_assert_str_eq(l.hops[0].name, "t1.example.org");
}
END_TEST

START_TEST(without_naptr_the_services_are_asked)
{
    rr("_sip._udp.example.org SRV 0 5 5060 a.example.org");
    rr("_sip._udp.example.org SRV 0 7 5060 b.example.org");
    rr("a.example.org A 192.0.2.1");
    rr("a.example.org A 192.0.2.11");
    rr("b.example.org A 192.0.2.2");
    ck_assert_int_eq(run_name("example.org"), 0);
    ck_assert_ptr_nonnull(strstr(asked, "_sips._tcp.example.org"));
    ck_assert_uint_eq(l.n_hops, 3);
    expect(0, "0 udp 192.0.2.1:5060");
    expect(1, "0 udp 192.0.2.11:5060");
    expect(2, "0 udp 192.0.2.2:5060");
    ck_assert_uint_eq(l.hops[2].weight, 7);
}
END_TEST

START_TEST(without_any_record_it_is_the_host_itself)
{
    rr("pbx.example.org A 192.0.2.9");
    ck_assert_int_eq(run_name("pbx.example.org"), 0);
    expect(0, "0 udp 192.0.2.9:5060");
    ck_assert_int_eq(
        run((struct sip_locate_query){.host = span_str("pbx.example.org"),
                                      .transport = SIP_TLS}),
        0);
    expect(0, "0 tls 192.0.2.9:5061");
}
END_TEST

START_TEST(a_port_skips_all_records)
{
    rr("pbx.example.org A 192.0.2.9");
    rr("pbx.example.org NAPTR 1 1 SIP+D2T _sip._tcp.pbx.example.org");
    ck_assert_int_eq(run((struct sip_locate_query){
                         .host = span_str("pbx.example.org"), .port = 5070}),
                     0);
    expect(0, "0 udp 192.0.2.9:5070");
    ck_assert_str_eq(asked, "pbx.example.org");
}
END_TEST

START_TEST(a_given_transport_asks_its_own_service_only)
{
    rr("_sip._tcp.example.org SRV 0 0 5080 a.example.org");
    rr("a.example.org A 192.0.2.1");
    ck_assert_int_eq(
        run((struct sip_locate_query){.host = span_str("example.org"),
                                      .transport = SIP_TCP}),
        0);
    ck_assert_str_eq(asked, "_sip._tcp.example.org a.example.org");
    expect(0, "0 tcp 192.0.2.1:5080");
}
END_TEST

START_TEST(a_configured_name_asks_for_no_records)
{
    rr("pbx A 192.0.2.1");
    ck_assert_int_eq(run((struct sip_locate_query){.host = span_str("pbx"),
                                                   .is_known = true}),
                     0);
    ck_assert_str_eq(asked, "pbx");
}
END_TEST

START_TEST(sips_takes_tls_or_nothing)
{
    rr("example.org NAPTR 1 1 SIP+D2U _sip._udp.example.org");
    rr("example.org NAPTR 2 1 SIPS+D2T _sips._tcp.example.org");
    rr("_sip._udp.example.org SRV 0 0 5060 a.example.org");
    rr("_sips._tcp.example.org SRV 0 0 5061 a.example.org");
    rr("a.example.org A 192.0.2.1");
    ck_assert_int_eq(run((struct sip_locate_query){
                         .host = span_str("example.org"), .sips = true}),
                     0);
    ck_assert_uint_eq(l.n_hops, 1);
    expect(0, "0 tls 192.0.2.1:5061");
    ck_assert_int_eq(
        run((struct sip_locate_query){.host = span_str("example.org"),
                                      .sips = true,
                                      .transports = 1U << SIP_UDP}),
        ERR_DENIED);
}
END_TEST

START_TEST(who_offers_tls_alone_is_not_asked_over_udp)
{
    rr("example.org NAPTR 1 1 SIPS+D2T _sips._tcp.example.org");
    rr("_sip._udp.example.org SRV 0 0 5060 a.example.org");
    rr("_sips._tcp.example.org SRV 0 0 5061 a.example.org");
    rr("a.example.org A 192.0.2.1");
    ck_assert_int_eq(
        run((struct sip_locate_query){.host = span_str("example.org"),
                                      .transports = 1U << SIP_UDP}),
        ERR_RESOLVE);
    /* Other services of the domain say nothing about this one. */
    setup();
    rr("example.org NAPTR 1 1 RELAY:TURN.UDP _turn._udp.example.org");
    rr("_sip._udp.example.org SRV 0 0 5060 a.example.org");
    rr("a.example.org A 192.0.2.1");
    ck_assert_int_eq(run_name("example.org"), 0);
    expect(0, "0 udp 192.0.2.1:5060");
}
END_TEST

START_TEST(a_service_that_is_not_offered_has_no_fallback)
{
    rr("_sip._tcp.example.org SRV 0 0 0 ");
    rr("example.org A 192.0.2.1");
    ck_assert_int_eq(
        run((struct sip_locate_query){.host = span_str("example.org"),
                                      .transport = SIP_TCP}),
        ERR_RESOLVE);
}
END_TEST

START_TEST(a_partner_is_found_by_its_federation_record)
{
    rr("_sipfederationtls._tcp.p.example SRV 0 0 5061 edge.p.example");
    rr("_sips._tcp.p.example SRV 0 0 5061 phones.p.example");
    rr("edge.p.example A 192.0.2.1");
    rr("phones.p.example A 192.0.2.2");
    ck_assert_int_eq(
        run((struct sip_locate_query){.kind = SIP_LOCATE_PARTNER,
                                      .host = span_str("p.example")}),
        0);
    ck_assert_uint_eq(l.n_hops, 1);
    expect(0, "0 tls 192.0.2.1:5061");
}
END_TEST

START_TEST(a_partner_without_it_by_sips_then_by_its_address)
{
    struct sip_locate_query q = {.kind = SIP_LOCATE_PARTNER,
                                 .host = span_str("p.example")};

    rr("p.example A 192.0.2.3");
    ck_assert_int_eq(run(q), 0);
    expect(0, "0 tls 192.0.2.3:5061");
    rr("_sips._tcp.p.example SRV 0 0 5091 phones.p.example");
    rr("phones.p.example A 192.0.2.2");
    ck_assert_int_eq(run(q), 0);
    ck_assert_uint_eq(l.n_hops, 1);
    expect(0, "0 tls 192.0.2.2:5091");
}
END_TEST

START_TEST(nothing_at_all_is_an_error)
{
    ck_assert_int_eq(run_name("nowhere.example"), ERR_RESOLVE);
    ck_assert_int_eq(run_name("not a name"), ERR_PARSE);
    ck_assert_int_eq(run_name(""), ERR_PARSE);
}
END_TEST

START_TEST(one_place_named_twice_is_one_hop)
{
    rr("_sip._udp.example.org SRV 0 5 5060 a.example.org");
    rr("_sip._udp.example.org SRV 9 7 5060 b.example.org");
    rr("a.example.org A 192.0.2.1");
    rr("b.example.org A 192.0.2.1");
    ck_assert_int_eq(run_name("example.org"), 0);
    ck_assert_uint_eq(l.n_hops, 1);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("sip_locate");
    TCase *t = tcase_create("locate");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, an_address_asks_nobody);
    tcase_add_test(t, naptr_says_transport_and_order);
    tcase_add_test(t, without_naptr_the_services_are_asked);
    tcase_add_test(t, without_any_record_it_is_the_host_itself);
    tcase_add_test(t, a_port_skips_all_records);
    tcase_add_test(t, a_given_transport_asks_its_own_service_only);
    tcase_add_test(t, a_configured_name_asks_for_no_records);
    tcase_add_test(t, sips_takes_tls_or_nothing);
    tcase_add_test(t, who_offers_tls_alone_is_not_asked_over_udp);
    tcase_add_test(t, a_service_that_is_not_offered_has_no_fallback);
    tcase_add_test(t, a_partner_is_found_by_its_federation_record);
    tcase_add_test(t, a_partner_without_it_by_sips_then_by_its_address);
    tcase_add_test(t, nothing_at_all_is_an_error);
    tcase_add_test(t, one_place_named_twice_is_one_hop);
    suite_add_tcase(s, t);
    return s;
}

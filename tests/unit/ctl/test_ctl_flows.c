/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_flows.h"

#include "base/err.h"
#include "sip_config.h"
#include "support/unit.h"
#include "turn_config.h"
#include "web_config.h"

static const char topo_text[] =
    "{'zone': [{'name': 'internet', 'clients': true},"
    "  {'name': 'dmz', 'networks': ['10.1.0.0/24', '2001:db8:1::/64']},"
    "  {'name': 'lan', 'networks': ['10.0.0.0/16', '2001:db8:2::/64'],"
    "   'clients': true}],"
    " 'host': [{'name': 'edge', 'zone': 'dmz',"
    "   'address': ['10.1.0.1', '2001:db8:1::1'],"
    "   'runs': ['web-proxy', 'sip-proxy', 'turn-server']},"
    "  {'name': 'mds', 'zone': 'lan', 'address': ['10.0.0.10'],"
    "   'turn-client': true}],"
    " 'firewall': [{'name': 'outer', 'zones': ['internet=wan', 'dmz=lan0']},"
    "  {'name': 'inner', 'zones': ['dmz', 'lan']}]}";

static const char web_text[] =
    "{'listen': ['https:0.0.0.0:443', 'http:127.0.0.1:8080'],"
    " 'certificate': ['c'], 'key': ['k'],"
    " 'upstream': ['uc=http://10.0.0.20:80', 'sip=http://127.0.0.1:5066',"
    "  'unused=http://10.0.0.99:80'],"
    " 'route': [{'path': '/uc', 'upstream': 'uc'},"
    "  {'path': '/wssip', 'upstream': 'sip'}]}";

static const char sip_text[] =
    "{'listen': ['ws:127.0.0.1:5066', 'udp:10.1.0.1:5060'],"
    " 'media-server': ['default=udp:10.0.0.10:5060']}";

static const char turn_text[] =
    "{'listen': ['udp:10.1.0.1:3478'], 'relay-address': ['10.1.0.1'],"
    " 'relay-ports': '30000-39999', 'secret-file': 's',"
    " 'allow-peer': ['10.0.0.0/24:10000-20000'], 'public-peers': true}";

enum { CONFIGS = 4 };
static struct config *configs[CONFIGS];
static struct ctl_flows *flows;
static struct buf out;

/* The texts above have single quotes to be readable. */
static void read_text(const struct config_spec *spec, const char *text,
                      size_t i)
{
    char *copy = mem_strdup(text);
    int err;

    for (char *c = copy; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    err = config_read_json(spec, span_str(copy), &out, &configs[i]);
    ck_assert_msg(err == 0, "%.*s", SPAN_FMT(buf_span(&out)));
    buf_reset(&out);
    mem_free(copy);
}

static void build(const char *topo, const char *web, const char *sip,
                  const char *turn)
{
    read_text(&topo_spec, topo, 0);
    if (web)
        read_text(&web_config_spec, web, 1);
    if (sip)
        read_text(&sip_config_spec, sip, 2);
    if (turn)
        read_text(&turn_config_spec, turn, 3);
    ck_assert_int_eq(ctl_flows_new(&flows, config_values(configs[0]),
                                   web ? config_values(configs[1]) : NULL,
                                   sip ? config_values(configs[2]) : NULL,
                                   turn ? config_values(configs[3]) : NULL),
                     0);
    ctl_flows_print(flows, CTL_FLOWS_CSV, &out);
}

static bool says(const char *text)
{
    return span_search(buf_span(&out), span_str(text)) >= 0;
}

static void setup(void)
{
    buf_init(&out, 1024 * 1024);
}

static void teardown(void)
{
    ctl_flows_free(flows);
    flows = NULL;
    for (size_t i = 0; i < CONFIGS; i++) {
        config_unref(configs[i]);
        configs[i] = NULL;
    }
    buf_deinit(&out);
    ck_assert_no_blocks();
}

START_TEST(clients_reach_listeners_that_are_not_loopback)
{
    build(topo_text, web_text, NULL, NULL);
    ck_assert(says("internet,edge 10.1.0.1,tcp,any,443,"));
    ck_assert(says("lan 10.0.0.0/16,edge 10.1.0.1,tcp,any,443,"));
    ck_assert(!says("8080"));
    ck_assert(!says("2001:db8:1::1")); /* nothing listens on IPv6 */
    ck_assert_uint_eq(flows->n, 3);
}
END_TEST

START_TEST(both_families_are_opened_where_both_are_listened_on)
{
    build(topo_text,
          "{'listen': ['redirect:0.0.0.0:80', 'redirect:[::]:80'],"
          " 'route': [{'path': '/old', 'redirect': '/new'}]}",
          NULL, NULL);
    ck_assert(says("internet,edge 10.1.0.1,tcp,any,80,"));
    ck_assert(says("internet,edge 2001:db8:1::1,tcp,any,80,"));
    ck_assert(says("lan 2001:db8:2::/64,edge 2001:db8:1::1,tcp,any,80,"));
    buf_reset(&out);
    ck_assert(ctl_flows_nft(flows, span_str("edge"), &out));
    ck_assert(says("ip6 saddr != { 2001:db8:1::/64, 2001:db8:2::/64 } ip6 "
                   "daddr { 2001:db8:1::1 } tcp dport 80 accept"));
}
END_TEST

START_TEST(streams_and_the_way_out_lead_where_they_say)
{
    build(
        topo_text,
        "{'listen': ['shared:0.0.0.0:443', 'connect:10.1.0.1:3128'],"
        " 'certificate': ['c'], 'key': ['k'],"
        " 'upstream': ['turn=tcp://10.0.0.30:3478', 'uc=http://10.0.0.20:80'],"
        " 'route': ['/=uc'],"
        " 'stream': ['turn=turn,server-names=turn.test'],"
        " 'egress-from': ['10.0.0.0/24'],"
        " 'egress': [{'to': 'push.test:2197', 'nets': ['17.0.0.0/8']},"
        "  'crl.test:8081']}",
        NULL, NULL);
    ck_assert(says("internet,edge 10.1.0.1,tcp,any,443,"));
    ck_assert(says("edge 10.1.0.1,10.0.0.30,tcp,any,3478,"));
    ck_assert(says("10.0.0.0/24,edge 10.1.0.1,tcp,any,3128,"));
    ck_assert(!says("internet,edge 10.1.0.1,tcp,any,3128,"));
    ck_assert(says("edge 10.1.0.1,17.0.0.0/8,tcp,any,2197,"));
    ck_assert(says("edge 10.1.0.1 2001:db8:1::1,internet,tcp,any,8081,"));
}
END_TEST

START_TEST(back_ends_are_reached_when_a_route_leads_there)
{
    build(topo_text, web_text, NULL, NULL);
    ck_assert(says("edge 10.1.0.1,10.0.0.20,tcp,any,80,"));
    ck_assert(!says("10.0.0.99"));
    ck_assert(!says("5066")); /* on the same host */
}
END_TEST

START_TEST(checks_may_have_a_port_of_their_own)
{
    build(topo_text,
          "{'listen': ['http:0.0.0.0:80'], 'route': ['/=uc'],"
          " 'upstream': [{'name': 'uc', 'url': 'http://10.0.0.20:80',"
          "  'check-path': '/up', 'check-port': 8090}]}",
          NULL, NULL);
    ck_assert(says("edge 10.1.0.1,10.0.0.20,tcp,any,80,"));
    ck_assert(says("edge 10.1.0.1,10.0.0.20,tcp,any,8090,"));
}
END_TEST

START_TEST(sip_goes_both_ways_between_proxy_and_media_server)
{
    build(topo_text, web_text, sip_text, NULL);
    ck_assert(says("edge 10.1.0.1,mds 10.0.0.10,udp,5060,5060,"));
    ck_assert(says("mds 10.0.0.10,edge 10.1.0.1,udp,any,5060,"));
    ck_assert_uint_eq(flows->n, 5);
}
END_TEST

START_TEST(sip_over_tcp_is_tcp_and_partners_are_reached)
{
    build(topo_text, NULL,
          "{'listen': ['tls:10.1.0.1:443', 'tcp:10.1.0.1:5060',"
          "  {'address': 'tls:10.1.0.1:5061', 'partners': true}],"
          " 'certificate': 'c', 'key': 'k', 'partner-ca': 'p',"
          " 'domain': ['ours.example'],"
          " 'partner': ['one.example=tls:192.0.2.9:5071', 'two.example'],"
          " 'media-server': ['default=tcp:10.0.0.10:5060']}",
          NULL);
    ck_assert(says("edge 10.1.0.1,mds 10.0.0.10,tcp,any,5060,"));
    ck_assert(says("mds 10.0.0.10,edge 10.1.0.1,tcp,any,5060,"));
    ck_assert(!says("udp,5060"));
    ck_assert(says("internet,edge 10.1.0.1,tcp,any,443,"));
    ck_assert(says("internet,edge 10.1.0.1,tcp,any,5061,"));
    ck_assert(says("192.0.2.9,tcp,any,5071,"));
    ck_assert(says("edge 10.1.0.1,internet,tcp,any,5061,"));
}
END_TEST

START_TEST(a_websocket_with_nothing_in_front_is_for_clients)
{
    build(topo_text, NULL,
          "{'listen': ['ws:10.1.0.1:80', 'udp:10.1.0.1:5060'],"
          " 'media-server': ['default=udp:10.0.0.10:5060']}",
          NULL);
    ck_assert(says("internet,edge 10.1.0.1,tcp,any,80,"));
}
END_TEST

START_TEST(a_websocket_of_a_trusted_proxy_is_for_it_alone)
{
    build(topo_text, NULL,
          "{'listen': ['ws:10.1.0.1:80', 'udp:10.1.0.1:5060'],"
          " 'trusted-proxy': ['10.1.0.7'],"
          " 'media-server': ['default=udp:10.0.0.10:5060']}",
          NULL);
    ck_assert(says("10.1.0.7,edge 10.1.0.1,tcp,any,80,"));
    ck_assert(!says("internet"));
}
END_TEST

START_TEST(relays_reach_allowed_peers_and_the_internet)
{
    build(topo_text, NULL, NULL, turn_text);
    ck_assert(says("internet,edge 10.1.0.1,udp,any,3478,"));
    ck_assert(says("mds 10.0.0.10,edge 10.1.0.1,udp,any,3478,"));
    ck_assert(says("edge 10.1.0.1,10.0.0.0/24,udp,30000-39999,10000-20000,"));
    ck_assert(says("10.0.0.0/24,edge 10.1.0.1,udp,10000-20000,30000-39999,"));
    ck_assert(says("internet,edge 10.1.0.1,udp,any,30000-39999,"));
    ck_assert(says("edge 10.1.0.1,internet,udp,30000-39999,any,"));
    ck_assert_uint_eq(flows->n, 7);
}
END_TEST

START_TEST(without_public_peers_nothing_is_relayed_to_the_internet)
{
    build(topo_text, NULL, NULL,
          "{'listen': ['udp:10.1.0.1:3478'], 'relay-address': ['10.1.0.1'],"
          " 'secret-file': 's', 'public-peers': false}");
    ck_assert(!says("media"));
    ck_assert_uint_eq(flows->n, 3);
}
END_TEST

START_TEST(listed_peers_of_any_realm_stand_for_all)
{
    build(topo_text, NULL, NULL,
          "{'listen': ['udp:10.1.0.1:3478'], 'relay-address': ['10.1.0.1'],"
          " 'relay-ports': '30000-39999', 'secret-file': 's',"
          " 'allow-peer': ['10.0.0.0/24:10000-20000'], 'extra-realm':"
          " [{'name': 'b', 'allow-peer': ['10.0.0.0/24:5000']}]}");
    ck_assert(says("edge 10.1.0.1,10.0.0.0/24,udp,30000-39999,10000-20000,"));
    ck_assert(says("edge 10.1.0.1,10.0.0.0/24,udp,30000-39999,5000,"));
    ck_assert(!says("edge 10.1.0.1,internet,udp"));
}
END_TEST

START_TEST(tcp_relays_reach_their_own_peers_and_only_when_on)
{
    static const char on[] =
        "{'listen': ['tcp:10.1.0.1:3478'], 'relay-address': ['10.1.0.1'],"
        " 'relay-ports': '30000-39999', 'secret-file': 's',"
        " 'public-peers': false, 'tcp-relay': true,"
        " 'allow-tcp-peer': ['10.0.0.0/24:5060']}";
    static const char off[] =
        "{'listen': ['tcp:10.1.0.1:3478'], 'relay-address': ['10.1.0.1'],"
        " 'secret-file': 's', 'public-peers': false,"
        " 'allow-tcp-peer': ['10.0.0.0/24:5060']}";

    build(topo_text, NULL, NULL, _i == 0 ? on : off);
    ck_assert_int_eq(says("edge 10.1.0.1,10.0.0.0/24,tcp,30000-39999,5060,"),
                     _i == 0);
    ck_assert_int_eq(says("10.0.0.0/24,edge 10.1.0.1,tcp,any,30000-39999,"),
                     _i == 0);
    ck_assert(!says("udp,30000"));
}
END_TEST

START_TEST(a_listener_of_another_address_is_a_finding)
{
    build(topo_text, NULL, NULL,
          "{'listen': ['udp:10.9.9.9:3478'], 'relay-address': ['10.1.0.1'],"
          " 'secret-file': 's'}");
    ck_assert_uint_ge(flows->n_findings, 1);
    ck_assert_str_eq(flows->findings[0].id, "FLOW-NO-ADDRESS");
}
END_TEST

START_TEST(a_name_nobody_knows_is_a_finding)
{
    build(topo_text,
          "{'listen': ['http:10.1.0.1:80'],"
          " 'upstream': ['uc=http://uc.example.com:80'],"
          " 'route': [{'path': '/uc', 'upstream': 'uc'}]}",
          NULL, NULL);
    ck_assert_uint_eq(flows->n_findings, 2);
    ck_assert_str_eq(flows->findings[0].id, "FLOW-NO-DNS");
    ck_assert_str_eq(flows->findings[1].id, "FLOW-NAME");
}
END_TEST

START_TEST(a_firewall_has_the_flows_that_cross_it_and_drops_the_rest)
{
    build(topo_text, web_text, sip_text, turn_text);
    buf_reset(&out);
    ck_assert(ctl_flows_nft(flows, span_str("inner"), &out));
    ck_assert(says("policy drop;"));
    ck_assert(says("ip saddr { 10.1.0.1 } ip daddr { 10.0.0.10 } "
                   "udp sport 5060 udp dport 5060 accept"));
    ck_assert(!says("!="));
    buf_reset(&out);
    ck_assert(ctl_flows_nft(flows, span_str("outer"), &out));
    ck_assert(says("iifname \"wan\" oifname \"lan0\" ip saddr != { "
                   "10.1.0.0/24, 10.0.0.0/16 } ip daddr { 10.1.0.1 } "
                   "tcp dport 443 accept"));
    ck_assert(!says("5060"));
    ck_assert(!ctl_flows_nft(flows, span_str("middle"), &out));
}
END_TEST

START_TEST(what_a_wider_rule_lets_pass_has_no_rule_of_its_own)
{
    build(topo_text, NULL, NULL, turn_text);
    ck_assert(says("mds 10.0.0.10,edge 10.1.0.1,udp,any,3478,"));
    buf_reset(&out);
    ck_assert(ctl_flows_nft(flows, span_str("edge"), &out));
    ck_assert(says("ip saddr { 10.0.0.0/16 } ip daddr { 10.1.0.1 } udp dport "
                   "3478"));
    ck_assert(!says("ip saddr { 10.0.0.10 }"));
}
END_TEST

START_TEST(no_zone_or_host_twice)
{
    static const char *const texts[] = {
        "{\"zone\":[\"a\",{\"name\":\"b\"}],\"host\":[]}",
        "{\"zone\":[{\"name\":\"a\"}],\"host\":[{\"name\":\"a\","
        "\"zone\":\"a\",\"address\":[\"10.0.0.1\"]}]}",
        "{\"zone\":[{\"name\":\"a\"}],\"host\":[{\"name\":\"h\","
        "\"zone\":\"b\",\"address\":[\"10.0.0.1\"]}]}",
        "{\"zone\":[{\"name\":\"a\"}],\"host\":[{\"name\":\"h;x\","
        "\"zone\":\"a\",\"address\":[\"10.0.0.1\"]}]}",
        "{\"zone\":[{\"name\":\"a\"}],\"host\":[{\"name\":\"h\","
        "\"zone\":\"a\",\"address\":[\"10.0.0.1\"],\"runs\":[\"nginx\"]}]}",
    };
    struct config *config = NULL;

    ck_assert_int_eq(
        config_read_json(&topo_spec, span_str(texts[_i]), &out, &config),
        ERR_CONFIG);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("ctl_flows");
    TCase *tc = tcase_create("all");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, clients_reach_listeners_that_are_not_loopback);
    tcase_add_test(tc, both_families_are_opened_where_both_are_listened_on);
    tcase_add_test(tc, back_ends_are_reached_when_a_route_leads_there);
    tcase_add_test(tc, streams_and_the_way_out_lead_where_they_say);
    tcase_add_test(tc, sip_goes_both_ways_between_proxy_and_media_server);
    tcase_add_test(tc, sip_over_tcp_is_tcp_and_partners_are_reached);
    tcase_add_test(tc, checks_may_have_a_port_of_their_own);
    tcase_add_test(tc, a_websocket_with_nothing_in_front_is_for_clients);
    tcase_add_test(tc, a_websocket_of_a_trusted_proxy_is_for_it_alone);
    tcase_add_test(tc, relays_reach_allowed_peers_and_the_internet);
    tcase_add_test(tc, without_public_peers_nothing_is_relayed_to_the_internet);
    tcase_add_test(tc, listed_peers_of_any_realm_stand_for_all);
    tcase_add_loop_test(tc, tcp_relays_reach_their_own_peers_and_only_when_on,
                        0, 2);
    tcase_add_test(tc, a_listener_of_another_address_is_a_finding);
    tcase_add_test(tc, a_name_nobody_knows_is_a_finding);
    tcase_add_test(tc,
                   a_firewall_has_the_flows_that_cross_it_and_drops_the_rest);
    tcase_add_test(tc, what_a_wider_rule_lets_pass_has_no_rule_of_its_own);
    tcase_add_loop_test(tc, no_zone_or_host_twice, 0, 5);
    suite_add_tcase(suite, tc);
    return suite;
}

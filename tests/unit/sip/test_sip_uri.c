/* SPDX-License-Identifier: MIT */
#include "base/err.h"
#include "msg/sip_uri.h"
#include "support/unit.h"

static struct sip_uri parse(const char *text)
{
    struct sip_uri uri = {0};

    ck_assert_msg(sip_uri_parse(span_str(text), &uri) == 0, "%s", text);
    return uri;
}

START_TEST(every_part_is_a_span)
{
    struct sip_uri u = parse("sips:al%40ice:s3c@Host.example:5071;transport="
                             "WSS;lr;x=1?Subject=a&b=c");

    ck_assert_int_eq(u.scheme, SIP_SCHEME_SIPS);
    ck_assert_span_eq(u.scheme_name, "sips");
    ck_assert(u.has_user);
    ck_assert_span_eq(u.user, "al%40ice");
    ck_assert(u.has_password);
    ck_assert_span_eq(u.password, "s3c");
    ck_assert_span_eq(u.host.name, "Host.example");
    ck_assert_span_eq(u.host.hostport, "Host.example:5071");
    ck_assert_int_eq(u.host.kind, SIP_HOST_NAME);
    ck_assert_uint_eq(u.host.port, 5071);
    ck_assert_span_eq(u.params, "transport=WSS;lr;x=1");
    ck_assert_span_eq(u.headers, "Subject=a&b=c");
    ck_assert(u.has_transport);
    ck_assert_int_eq(u.transport, SIP_WSS);
    ck_assert(u.has_lr);
}
END_TEST

START_TEST(a_host_alone_is_enough)
{
    struct sip_uri u = parse("sip:example.com");

    ck_assert(!u.has_user && !u.has_password && !u.has_lr && !u.has_transport);
    ck_assert_uint_eq(u.host.port, 0);
    ck_assert_uint_eq(u.params.len, 0);
    ck_assert_uint_eq(u.headers.len, 0);
}
END_TEST

START_TEST(addresses_are_recognised)
{
    struct sip_uri u = parse("sip:x@[2001:db8::1]:5062;lr");
    struct addr addr;
    char text[ADDR_TEXT_SIZE];

    ck_assert_int_eq(u.host.kind, SIP_HOST_IPV6);
    ck_assert_span_eq(u.host.text, "[2001:db8::1]");
    ck_assert_span_eq(u.host.name, "2001:db8::1");
    ck_assert_span_eq(u.host.hostport, "[2001:db8::1]:5062");
    ck_assert(sip_host_addr(&u.host, &addr));
    ck_assert_str_eq(addr_str(&addr, text), "[2001:db8::1]:5062");

    u = parse("sip:192.0.2.1");
    ck_assert_int_eq(u.host.kind, SIP_HOST_IPV4);
    ck_assert(sip_host_addr(&u.host, &addr));
    ck_assert_uint_eq(addr.port, 0);

    u = parse("sip:1.example");
    ck_assert_int_eq(u.host.kind, SIP_HOST_NAME);
    ck_assert(!sip_host_addr(&u.host, &addr));
}
END_TEST

START_TEST(tel_numbers_and_other_schemes_parse)
{
    struct sip_uri u = parse("tel:+1-201-555-0123;phone-context=x");

    ck_assert_int_eq(u.scheme, SIP_SCHEME_TEL);
    ck_assert_span_eq(u.user, "+1-201-555-0123");
    ck_assert_span_eq(u.params, "phone-context=x");
    u = parse("soap.beep://192.0.2.103:3002");
    ck_assert_int_eq(u.scheme, SIP_SCHEME_OTHER);
    ck_assert_span_eq(u.scheme_name, "soap.beep");
}
END_TEST

static const char *const accepted[] = {
    "sip:x@host:0",
    "SIP:X@HOST",
    "sip:x@under_score.local",
    "sip:*97#@host",
    "sip:j\xc3\xbcrgen@host",
    "sip:user;par=u%40example.net@example.com",
    "sip:x@host;;lr",
    "sip:x@host;a=[::1]",
    "sip:u:@host",
    "sip:x@df7jal23ls0d.invalid;transport=wss",
};

START_TEST(these_are_accepted)
{
    (void)parse(accepted[_i]);
}
END_TEST

static const char *const refused[] = {
    "",
    "sip",
    "sip:",
    ":x@host",
    "1sip:x@host",
    "s ip:x",
    "sip:@host",
    "sip:x@",
    "sip:x@host:",
    "sip:x@host:65536",
    "sip:x@host:50x",
    "sip:x@host: 5060",
    "sip:x@host :5060",
    "sip:x@ho st",
    "sip:x y@host",
    "sip:x@y@host",
    "sip:x%4@host",
    "sip:x%zz@host",
    "sip:x@host;lr%g0",
    "sip:x@host;a b",
    "sip:x@host;a=\"b\"",
    "sip:x@host?a b",
    "sip:x@host>",
    "sip:<x@host",
    "sip:x\r\n@host",
    "sip:x@[2001:db8::1",
    "sip:x@2001:db8::1]",
    "sip:x@[192.0.2.1]",
    "sip:x@[::1]x",
    "sip:x@[:::1]",
    "sip:x@256.1.1.1",
    "sip:x@1.2.3",
    "sip:x@host\\",
    "sip:x:p@ss@host",
    "sip:x@host;transport=udp;transport=tcp",
    "tel:",
    "tel:12 34",
    "other:",
    "other:a b",
    "other:<a>",
};

START_TEST(these_are_refused)
{
    struct sip_uri uri;

    ck_assert_msg(sip_uri_parse(span_str(refused[_i]), &uri) == ERR_PARSE, "%s",
                  refused[_i]);
}
END_TEST

START_TEST(long_lists_are_refused)
{
    char text[512] = "sip:h";
    struct sip_uri uri;
    size_t n = strlen(text);

    for (int i = 0; i < SIP_URI_MAX_PARAMS; i++, n += 2)
        memcpy(text + n, ";a", 3);
    ck_assert_int_eq(sip_uri_parse(span_str(text), &uri), 0);
    memcpy(text + n, ";a", 3);
    ck_assert_int_eq(sip_uri_parse(span_str(text), &uri), ERR_PARSE);
}
END_TEST

static const struct {
    const char *a;
    const char *b;
    bool equal;
} pairs[] = {
    /* RFC 3261 19.1.4, its own examples */
    {"sip:%61lice@atlanta.com;transport=TCP",
     "sip:alice@AtLanTa.CoM;Transport=tcp", true},
    {"sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", true},
    {"sip:carol@chicago.com", "sip:carol@chicago.com;security=on", true},
    {"sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
     "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
     true},
    {"sip:alice@atlanta.com?subject=project%20x&priority=urgent",
     "sip:alice@atlanta.com?priority=urgent&subject=project%20x", true},
    {"SIP:ALICE@AtLanTa.CoM;Transport=udp",
     "sip:alice@AtLanTa.CoM;Transport=UDP", false},
    {"sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false},
    {"sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", false},
    {"sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp", false},
    {"sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting",
     false},
    {"sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4", false},
    {"sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off",
     false},
    /* more */
    {"sip:x@[2001:db8:0:0::1]", "sip:x@[2001:DB8::1]", true},
    {"sip:x@h", "sips:x@h", false},
    {"sip:x@h", "sip:h", false},
    {"sip:x@h", "sip:x:@h", false},
    {"sip:x:a@h", "sip:x:b@h", false},
    {"sip:a%3Bb@h", "sip:a;b@h", false}, /* reserved: not the same */
    {"sip:a%3bb@h", "sip:a%3Bb@h", true},
    {"sip:x@h;maddr=192.0.2.1", "sip:x@h", false},
    {"sip:x@h;user=phone", "sip:x@h", false},
    {"sip:x@h;ttl=1", "sip:x@h;ttl=1", true},
    {"sip:x@h;lr", "sip:x@h;lr=on", false},
    {"tel:+1-201-555-0123", "tel:+12015550123", true},
    {"tel:+12015550123", "tel:+12015550124", false},
    {"tel:1;phone-context=a", "tel:1;phone-context=b", false},
    {"urn:x:1", "urn:x:1", true},
    {"urn:x:1", "urn:x:2", false},
};

START_TEST(comparison_follows_the_rules_in_both_directions)
{
    struct sip_uri a = parse(pairs[_i].a);
    struct sip_uri b = parse(pairs[_i].b);

    ck_assert_msg(sip_uri_equal(&a, &b) == pairs[_i].equal, "%s %s",
                  pairs[_i].a, pairs[_i].b);
    ck_assert_msg(sip_uri_equal(&b, &a) == pairs[_i].equal, "%s %s",
                  pairs[_i].b, pairs[_i].a);
}
END_TEST

START_TEST(parameters_are_walked_and_found)
{
    struct span rest = span_str(" a = 1 ;b;c=\"x;y\\\"\" ; d=");
    struct sip_param p;

    ck_assert_int_eq(sip_param_next(&rest, &p), 1);
    ck_assert_span_eq(p.name, "a");
    ck_assert_span_eq(p.value, "1");
    ck_assert_span_eq(p.text, "a = 1");
    ck_assert_int_eq(sip_param_next(&rest, &p), 1);
    ck_assert_span_eq(p.name, "b");
    ck_assert(!p.has_value);
    ck_assert_int_eq(sip_param_next(&rest, &p), 1);
    ck_assert_span_eq(p.value, "\"x;y\\\"\"");
    ck_assert_int_eq(sip_param_next(&rest, &p), 1);
    ck_assert(p.has_value);
    ck_assert_uint_eq(p.value.len, 0);
    ck_assert_int_eq(sip_param_next(&rest, &p), 0);

    ck_assert(sip_param_find(span_str("a;Tag=x"), "tag", &p));
    ck_assert_span_eq(p.value, "x");
    ck_assert(sip_param_find(span_str("a;tag"), "TAG", NULL));
    ck_assert(!sip_param_find(span_str("a;b"), "c", &p));
}
END_TEST

static const char *const bad_params[] = {
    ";a", "a;;b", "a;", "=x", "a=\"x", "a=\"x\"y", "a=x\"y\"", "a\"b\"",
};

START_TEST(broken_parameters_are_refused)
{
    struct span rest = span_str(bad_params[_i]);
    struct sip_param p;
    int n;

    while ((n = sip_param_next(&rest, &p)) > 0)
        ;
    ck_assert_msg(n == ERR_PARSE, "%s", bad_params[_i]);
}
END_TEST

static int aor(const char *text, char *out, size_t size)
{
    struct sip_uri uri = parse(text);
    int n = sip_uri_aor(&uri, (uint8_t *)out, size);

    if (n >= 0)
        out[n] = 0;
    return n;
}

START_TEST(an_address_of_record_has_one_form)
{
    char out[64];

    ck_assert_int_gt(aor("sips:%41lice:pw@Example.COM:5061;x", out, 63), 0);
    ck_assert_str_eq(out, "Alice@example.com");
    ck_assert_int_gt(aor("sip:Example.com", out, 63), 0);
    ck_assert_str_eq(out, "example.com");
    ck_assert_int_eq(aor("tel:+1", out, 63), ERR_PARSE);
    ck_assert_int_eq(aor("sip:abc@example.com", out, 14), ERR_LIMIT);
    ck_assert_int_eq(aor("sip:abc@example.com", out, 15), 15);
    ck_assert_int_eq(aor("sip:abc@example.com", out, 3), ERR_LIMIT);
    ck_assert_int_eq(aor("sip:abc@example.com", out, 0), ERR_LIMIT);
}
END_TEST

START_TEST(unescaping_knows_its_limits)
{
    uint8_t out[4];

    ck_assert_int_eq(sip_unescape(span_str("a%3bb"), out, 4), 3);
    ck_assert_int_eq(memcmp(out, "a;b", 3), 0);
    ck_assert_int_eq(sip_unescape(span_str("%00"), out, 4), 1);
    ck_assert_int_eq(out[0], 0);
    ck_assert_int_eq(sip_unescape(span_str("abcde"), out, 4), ERR_LIMIT);
    ck_assert_int_eq(sip_unescape(span_str("a%"), out, 4), ERR_PARSE);
    ck_assert_int_eq(sip_unescape(span_str(""), out, 0), 0);
}
END_TEST

START_TEST(a_sent_by_may_have_space_around_its_colon)
{
    struct sip_host host;

    ck_assert_int_eq(sip_host_parse(span_str("host : 5060"), &host), 0);
    ck_assert_span_eq(host.name, "host");
    ck_assert_span_eq(host.hostport, "host : 5060");
    ck_assert_uint_eq(host.port, 5060);
    ck_assert_int_eq(sip_host_parse(span_str("h h"), &host), ERR_PARSE);
    ck_assert_int_eq(sip_host_parse(span_str(""), &host), ERR_PARSE);
    ck_assert_int_eq(sip_host_parse(span_str("[]"), &host), ERR_PARSE);
}
END_TEST

START_TEST(transports_have_names_and_ports)
{
    ck_assert_int_eq(sip_transport_parse(span_str("Wss")), SIP_WSS);
    ck_assert_int_eq(sip_transport_parse(span_str("sctp")), SIP_TRANSPORT_NONE);
    ck_assert_int_eq(sip_transport_parse(span_str("")), SIP_TRANSPORT_NONE);
    ck_assert_str_eq(sip_transport_str(SIP_TLS), "TLS");
    ck_assert_str_eq(sip_transport_param(SIP_UDP), "udp");
    ck_assert_uint_eq(sip_transport_port(SIP_TLS), 5061);
    ck_assert(!sip_transport_is_reliable(SIP_UDP));
    ck_assert(sip_transport_is_reliable(SIP_WS));
    ck_assert(sip_transport_is_secure(SIP_WSS));
    ck_assert(!sip_transport_is_secure(SIP_WS));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("sip_uri");
    TCase *tc = tcase_create("uri");

    tcase_add_test(tc, every_part_is_a_span);
    tcase_add_test(tc, a_host_alone_is_enough);
    tcase_add_test(tc, addresses_are_recognised);
    tcase_add_test(tc, tel_numbers_and_other_schemes_parse);
    tcase_add_loop_test(tc, these_are_accepted, 0, ARRAY_SIZE(accepted));
    tcase_add_loop_test(tc, these_are_refused, 0, ARRAY_SIZE(refused));
    tcase_add_test(tc, long_lists_are_refused);
    tcase_add_loop_test(tc, comparison_follows_the_rules_in_both_directions, 0,
                        ARRAY_SIZE(pairs));
    tcase_add_test(tc, parameters_are_walked_and_found);
    tcase_add_loop_test(tc, broken_parameters_are_refused, 0,
                        ARRAY_SIZE(bad_params));
    tcase_add_test(tc, an_address_of_record_has_one_form);
    tcase_add_test(tc, unescaping_knows_its_limits);
    tcase_add_test(tc, a_sent_by_may_have_space_around_its_colon);
    tcase_add_test(tc, transports_have_names_and_ports);
    suite_add_tcase(suite, tc);
    return suite;
}

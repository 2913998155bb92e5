/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_check.h"

#include "base/err.h"
#include "support/unit.h"

START_TEST(addresses_of_servers_are_read)
{
    static const struct {
        const char *text, *host;
        unsigned port;
        bool tcp, tls;
    } cases[] = {
        {"https://edge.example.com", "edge.example.com", 443, true, true},
        {"https://edge.example.com:8443/", "edge.example.com", 8443, true,
         true},
        {"http://192.0.2.1", "192.0.2.1", 80, true, false},
        {"turn:192.0.2.1", "192.0.2.1", 3478, false, false},
        {"turn:[2001:db8::1]:99?transport=tcp", "2001:db8::1", 99, true, false},
        {"turn:[2001:db8::1]?transport=udp", "2001:db8::1", 3478, false, false},
        {"turns:turn.example.com", "turn.example.com", 5349, true, true},
        {"turns:turn.example.com:443?transport=tcp", "turn.example.com", 443,
         true, true},
        {"stun:stun.example.com", "stun.example.com", 3478, false, false},
        {"turns:turn.example.com?transport=udp", "turn.example.com", 5349,
         false, true},
        {"sip:192.0.2.1", "192.0.2.1", 5060, false, false},
        {"sip:[2001:db8::1]:99;transport=tcp", "2001:db8::1", 99, true, false},
        {"sips:edge.example.com", "edge.example.com", 5061, true, true},
    };
    struct ctl_uri uri;

    ck_assert_int_eq(ctl_uri_parse(cases[_i].text, &uri), 0);
    ck_assert_str_eq(uri.host, cases[_i].host);
    ck_assert_uint_eq(uri.port, cases[_i].port);
    ck_assert_int_eq(uri.tcp, cases[_i].tcp);
    ck_assert_int_eq(uri.tls, cases[_i].tls);
}
END_TEST

START_TEST(other_addresses_are_refused)
{
    static const char *const cases[] = {
        "",
        "edge.example.com",
        "ftp://edge.example.com",
        "https://",
        "https://edge.example.com/path",
        "https://user@edge.example.com",
        "https://a\r\nb",
        "turn:host:0",
        "turn:host:65536",
        "turn:host:",
        "turn:[::1",
        "turn:[::1]x",
        "turn:[nonsense]",
        "turn:host?transport=sctp",
        "sips:host;transport=udp",
        "sip:host?transport=tcp",
        "sip:user@host",
        "http://host?transport=tcp",
        "https://host?transport=tcp",
    };
    struct ctl_uri uri;

    ck_assert_int_eq(ctl_uri_parse(cases[_i], &uri), ERR_PARSE);
}
END_TEST

START_TEST(the_worst_counts)
{
    struct ctl_checks *checks = mem_zalloc(sizeof(*checks));
    struct buf out;

    ck_assert_int_eq(ctl_checks_worst(checks), CTL_CHECK_OK);
    ctl_checks_add(checks, "here", "A", CTL_CHECK_ERROR, "no %d", 1);
    for (size_t i = 0; i < CTL_CHECKS_MAX + 2; i++)
        ctl_checks_add(checks, "here", "B", CTL_CHECK_OK, "yes");
    ck_assert_int_eq(ctl_checks_worst(checks), CTL_CHECK_ERROR);
    ck_assert_uint_eq(checks->n, CTL_CHECKS_MAX);
    buf_init(&out, 1024 * 1024);
    ctl_checks_print_json(checks, &out);
    ck_assert(span_starts(buf_span(&out),
                          "[{\"id\":\"A\",\"state\":\"error\",\"where\":"
                          "\"here\",\"text\":\"no 1\"},"));
    buf_deinit(&out);
    mem_free(checks);
    ck_assert_no_blocks();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("ctl_check");
    TCase *tc = tcase_create("all");

    tcase_add_loop_test(tc, addresses_of_servers_are_read, 0, 13);
    tcase_add_loop_test(tc, other_addresses_are_refused, 0, 19);
    tcase_add_test(tc, the_worst_counts);
    suite_add_tcase(suite, tc);
    return suite;
}

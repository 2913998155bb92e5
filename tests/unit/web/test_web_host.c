/* SPDX-License-Identifier: MIT */
#include "proxy/web_host.h"

#include "base/err.h"
#include "support/unit.h"

static const struct {
    const char *in;
    const char *name;
    uint16_t port;
} accepted[] = {
    {"edge.example", "edge.example", 0},
    {"EDGE.Example:8443", "edge.example", 8443},
    {"edge.example.", "edge.example", 0},
    {"edge.example.:443", "edge.example", 443},
    {"a_b-c.example", "a_b-c.example", 0},
    {"192.0.2.1:80", "192.0.2.1", 80},
    {"[2001:DB8::1]", "[2001:db8::1]", 0},
    {"[2001:db8::1]:65535", "[2001:db8::1]", 65535},
    {"localhost", "localhost", 0},
};

START_TEST(a_host_field_is_taken_apart)
{
    struct web_host host;

    ck_assert_int_eq(web_host_parse(span_str(accepted[_i].in), &host), 0);
    ck_assert_span_eq(web_host_name(&host), accepted[_i].name);
    ck_assert_uint_eq(host.port, accepted[_i].port);
}
END_TEST

static const char *const refused[] = {
    "",
    ":80",
    ".",
    "..",
    "a..b",
    ".a",
    "a.b..",
    "a b",
    "a/b",
    "a@b",
    "u:p@a",
    "a:b",
    "a:",
    "a:0",
    "a:65536",
    "a:080808",
    "a:-1",
    "a:80:80",
    "a,b",
    "[::1",
    "::1",
    "[]",
    "[::1]x",
    "[::1]:",
    "[192.0.2.1]",
    "[fe80::1%25eth0]",
    "a\r\nb",
    "a%41",
    "b\xc3\xbc.example",
    "a\\b",
    "a?b",
    "a#b",
    "*",
    "*.a",
    "a\"b",
    "<a>",
};

START_TEST(what_is_no_host_is_refused)
{
    struct web_host host;

    ck_assert_msg(web_host_parse(span_str(refused[_i]), &host) == ERR_PARSE,
                  "\"%s\" was accepted", refused[_i]);
}
END_TEST

START_TEST(a_host_that_is_too_long_is_refused)
{
    struct web_host host;
    char name[WEB_HOST_SIZE + 1];

    memset(name, 'a', sizeof(name));
    ck_assert_int_eq(web_host_parse(span_of(name, WEB_HOST_SIZE - 1), &host),
                     0);
    ck_assert_int_eq(web_host_parse(span_of(name, WEB_HOST_SIZE), &host),
                     ERR_PARSE);
}
END_TEST

START_TEST(a_wildcard_stands_for_one_label)
{
    struct span p = span_str("*.example.com");

    ck_assert(web_host_matches(p, span_str("a.example.com")));
    ck_assert(!web_host_matches(p, span_str("example.com")));
    ck_assert(!web_host_matches(p, span_str("a.b.example.com")));
    ck_assert(!web_host_matches(p, span_str(".example.com")));
    ck_assert(!web_host_matches(p, span_str("aexample.com")));
    ck_assert(web_host_matches(span_str("a.b"), span_str("a.b")));
    ck_assert(!web_host_matches(span_str("a.b"), span_str("a.bc")));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web_host");
    TCase *tcase = tcase_create("host");

    tcase_add_loop_test(tcase, a_host_field_is_taken_apart, 0,
                        ARRAY_SIZE(accepted));
    tcase_add_loop_test(tcase, what_is_no_host_is_refused, 0,
                        ARRAY_SIZE(refused));
    tcase_add_test(tcase, a_host_that_is_too_long_is_refused);
    tcase_add_test(tcase, a_wildcard_stands_for_one_label);
    suite_add_tcase(suite, tcase);
    return suite;
}

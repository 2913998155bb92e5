/* SPDX-License-Identifier: MIT */
#include "proxy/web_egress.h"

#include "base/err.h"
#include "support/unit.h"

static struct web_egress_rule rules[4];
static struct cidr apple[1];

static void setup(void)
{
    static const char *const texts[] = {"api.push.apple.com:443",
                                        "*.push.example:2197", "192.0.2.1:443",
                                        "[2001:db8::1]:443"};

    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(web_egress_parse(span_str(texts[i]), &rules[i]), 0);
    ck_assert_int_eq(cidr_parse(span_str("17.0.0.0/8"), &apple[0]), 0);
    rules[0].nets = apple;
    rules[0].n_nets = 1;
}

static int find(const char *target)
{
    const struct web_egress_rule *rule;
    struct web_host host;

    ck_assert_msg(web_host_parse(span_str(target), &host) == 0, "%s", target);
    rule = web_egress_find(rules, 4, &host);
    return rule ? (int)(rule - rules) : -1;
}

static bool reaches(int rule, const char *ip)
{
    struct addr a;

    ck_assert_int_eq(addr_parse_ip(span_str(ip), &a), 0);
    return web_egress_reaches(&rules[rule], &a);
}

START_TEST(what_is_listed_is_found)
{
    ck_assert_int_eq(find("api.push.apple.com:443"), 0);
    ck_assert_int_eq(find("API.Push.Apple.com.:443"), 0);
    ck_assert_int_eq(find("a.push.example:2197"), 1);
    ck_assert_int_eq(find("192.0.2.1:443"), 2);
    ck_assert_int_eq(find("[2001:DB8::1]:443"), 3);
}
END_TEST

START_TEST(nothing_else_is)
{
    static const char *const texts[] = {
        "api.push.apple.com",
        "api.push.apple.com:80",
        "x.api.push.apple.com:443",
        "push.apple.com:443",
        "a.b.push.example:2197",
        "push.example:2197",
        "127.0.0.1:443",
        "192.0.2.1:80",
        "api.push.apple.com.evil.test:443",
        "0xc0000201:443",
        "3221225985:443",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        ck_assert_msg(find(texts[i]) == -1, "%s", texts[i]);
}
END_TEST

START_TEST(the_address_decides)
{
    ck_assert(reaches(0, "17.188.1.1"));
    ck_assert(!reaches(0, "18.1.1.1")); /* public, another's */
    ck_assert(reaches(1, "18.1.1.1"));
    ck_assert(!reaches(1, "127.0.0.1"));
    ck_assert(!reaches(1, "10.0.0.1"));
    ck_assert(!reaches(1, "169.254.169.254"));
    ck_assert(!reaches(1, "::1"));
    ck_assert(!reaches(1, "::ffff:10.0.0.1"));
    ck_assert(!reaches(1, "64:ff9b::7f00:1"));
    ck_assert(!reaches(2, "192.0.2.1")); /* listed, but not public */
}
END_TEST

START_TEST(rules_are_names_with_ports)
{
    static const char *const texts[] = {
        "a", "*", "*:443", "*.:443", "a:0", "*.*.a:1", "a b:1", "a:65536", ""};
    struct web_egress_rule rule;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        ck_assert_msg(web_egress_parse(span_str(texts[i]), &rule) == ERR_PARSE,
                      "%s", texts[i]);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web_egress");
    TCase *tc = tcase_create("rules");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, what_is_listed_is_found);
    tcase_add_test(tc, nothing_else_is);
    tcase_add_test(tc, the_address_decides);
    tcase_add_test(tc, rules_are_names_with_ports);
    suite_add_tcase(suite, tc);
    return suite;
}

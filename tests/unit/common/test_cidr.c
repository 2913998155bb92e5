/* SPDX-License-Identifier: MIT */
#include "base/cidr.h"

#include "base/err.h"
#include "support/unit.h"

static struct cidr parsed(const char *text)
{
    struct cidr c;

    ck_assert_msg(cidr_parse(span_str(text), &c) == 0, "refused: %s", text);
    return c;
}

static struct addr address(const char *text)
{
    struct addr a;

    ck_assert_int_eq(addr_parse(span_str(text), &a), 0);
    return a;
}

START_TEST(every_written_form_is_read_and_printed)
{
    static const struct {
        const char *in;
        const char *out;
    } forms[] = {
        {"10.0.0.0/8", "10.0.0.0/8"},
        {"0.0.0.0/0", "0.0.0.0/0"},
        {"192.0.2.1", "192.0.2.1/32"},
        {"192.0.2.1/32", "192.0.2.1/32"},
        {"192.0.2.1:5060", "192.0.2.1/32:5060"},
        {"192.0.2.128/25:10000-20000", "192.0.2.128/25:10000-20000"},
        {"10.0.0.0/8:0-65535", "10.0.0.0/8"},
        {"10.0.0.0/8:0", "10.0.0.0/8:0"},
        {"10.0.0.0/8:7-7", "10.0.0.0/8:7"},
        {"2001:db8::/32", "2001:db8::/32"},
        {"::/0", "::/0"},
        {"2001:db8::1", "2001:db8::1/128"},
        {"[2001:db8::1]", "2001:db8::1/128"},
        {"[2001:db8::]/32", "2001:db8::/32"},
        {"[2001:db8::]/32:5060", "[2001:db8::]/32:5060"},
        {"[2001:db8::1]:1-2", "[2001:db8::1]/128:1-2"},
        {"2001:db8::/32:5060", "[2001:db8::]/32:5060"},
        {"fe80::/10", "fe80::/10"},
    };
    char text[CIDR_TEXT_SIZE];

    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        struct cidr c = parsed(forms[i].in);

        ck_assert_str_eq(cidr_str(&c, text), forms[i].out);
        c = parsed(text);
        ck_assert_str_eq(cidr_str(&c, text), forms[i].out);
    }
}
END_TEST

START_TEST(everything_else_is_refused)
{
    static const char *const bad[] = {
        "",
        "/",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0.0/8 ",
        "10.0.0.0/8/8",
        "10.0.0.0/0008",
        "10.0.0.0/255.0.0.0",
        "10.0.0.1/8",
        "10.128.0.0/8",
        "192.0.2.129/31",
        "2001:db8::/129",
        "2001:db8::1/32",
        "2001:db8:8000::/32",
        "8000::/0",
        "128.0.0.0/0",
        "10.0.0.0/8:",
        "10.0.0.0/8:-",
        "10.0.0.0/8:1-",
        "10.0.0.0/8:-1",
        "10.0.0.0/8:2-1",
        "10.0.0.0/8:1-2-3",
        "10.0.0.0/8:65536",
        "10.0.0.0/8:1-65536",
        "10.0.0.0/8:x",
        "10.0.0.0/8x",
        "10.0.0.0:8/8",
        "[10.0.0.0]/8",
        "[10.0.0.1]:5060",
        "[2001:db8::/32",
        "[2001:db8::/32]",
        "[2001:db8::]32",
        "[]/0",
        "fe80::1%2/128",
        "fe80::1%2",
        "example/8",
        "10.0.0",
    };
    struct cidr c = parsed("192.0.2.1");

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        ck_assert_msg(cidr_parse(span_str(bad[i]), &c) == ERR_PARSE,
                      "accepted: %s", bad[i]);
    ck_assert_int_eq(cidr_parse(span_of("10.0.0.0/8\0", 11), &c), ERR_PARSE);
    ck_assert_uint_eq(c.prefix, 32);
}
END_TEST

START_TEST(a_network_has_what_lies_between_its_edges)
{
    static const struct {
        const char *net;
        const char *address;
        bool is_in;
    } rows[] = {
        {"10.0.0.0/8", "10.0.0.0", true},
        {"10.0.0.0/8", "10.255.255.255", true},
        {"10.0.0.0/8", "9.255.255.255", false},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.128/25", "192.0.2.128", true},
        {"192.0.2.4/30", "192.0.2.7", true},
        {"192.0.2.4/30", "192.0.2.8", false},
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"0.0.0.0/0", "255.255.255.255", true},
        {"0.0.0.0/0", "::1", false},
        {"0.0.0.0/0", "::ffff:1.2.3.4", false},
        {"::/0", "1.2.3.4", false},
        {"::/0", "ffff::", true},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"::1", "::1", true},
        {"::1", "::2", false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct cidr c = parsed(rows[i].net);
        struct addr a = address(rows[i].address);

        ck_assert_msg(cidr_has_ip(&c, &a) == rows[i].is_in, "%s %s",
                      rows[i].net, rows[i].address);
        ck_assert(cidr_has(&c, &a) == rows[i].is_in);
    }
}
END_TEST

START_TEST(ports_are_counted_unless_told_otherwise)
{
    struct cidr c = parsed("10.0.0.0/8:1000-2000");
    struct addr a = address("10.1.1.1:999");

    ck_assert(!cidr_has(&c, &a));
    ck_assert(cidr_has_ip(&c, &a));
    a.port = 1000;
    ck_assert(cidr_has(&c, &a));
    a.port = 2000;
    ck_assert(cidr_has(&c, &a));
    a.port = 2001;
    ck_assert(!cidr_has(&c, &a));
}
END_TEST

START_TEST(a_list_has_what_any_of_its_entries_has)
{
    struct cidr list[2] = {parsed("10.0.0.0/8:5060"), parsed("2001:db8::/32")};
    struct addr in4 = address("10.0.0.1:5060");
    struct addr wrong_port = address("10.0.0.1:5061");
    struct addr in6 = address("[2001:db8::5]:1");
    struct addr outside = address("192.0.2.1:5060");
    struct addr none = {0};

    ck_assert(cidr_list_has(list, 2, &in4));
    ck_assert(cidr_list_has(list, 2, &in6));
    ck_assert(!cidr_list_has(list, 2, &wrong_port));
    ck_assert(cidr_list_has_ip(list, 2, &wrong_port));
    ck_assert(!cidr_list_has(list, 2, &outside));
    ck_assert(!cidr_list_has_ip(list, 2, &outside));
    ck_assert(!cidr_list_has(NULL, 0, &in4));
    ck_assert(!cidr_list_has_ip(NULL, 0, &in4));
    ck_assert(!cidr_list_has_ip(list, 2, &none));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("cidr");
    TCase *tc = tcase_create("cidr");

    tcase_add_test(tc, every_written_form_is_read_and_printed);
    tcase_add_test(tc, everything_else_is_refused);
    tcase_add_test(tc, a_network_has_what_lies_between_its_edges);
    tcase_add_test(tc, ports_are_counted_unless_told_otherwise);
    tcase_add_test(tc, a_list_has_what_any_of_its_entries_has);
    suite_add_tcase(suite, tc);
    return suite;
}

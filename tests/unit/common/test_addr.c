/* SPDX-License-Identifier: MIT */
#include "base/addr.h"

#include "base/err.h"
#include "support/unit.h"

#include <arpa/inet.h>
#include <errno.h>

static struct addr parsed(const char *text)
{
    struct addr a;

    ck_assert_msg(addr_parse(span_str(text), &a) == 0, "refused: %s", text);
    return a;
}

START_TEST(every_written_form_is_read_and_printed)
{
    static const struct {
        const char *in;
        const char *out;
    } forms[] = {
        {"192.0.2.1:3478", "192.0.2.1:3478"},
        {"192.0.2.1", "192.0.2.1:0"},
        {"0.0.0.0:0", "0.0.0.0:0"},
        {"255.255.255.255:65535", "255.255.255.255:65535"},
        {"192.0.2.1:00080", "192.0.2.1:80"},
        {"[2001:db8::1]:3478", "[2001:db8::1]:3478"},
        {"[2001:db8::1]", "[2001:db8::1]:0"},
        {"2001:db8::1", "[2001:db8::1]:0"},
        {"2001:DB8:0:0:0:0:0:1", "[2001:db8::1]:0"},
        {"2001:0db8:0000:0001:0000:0000:0000:0001", "[2001:db8:0:1::1]:0"},
        {"::", "[::]:0"},
        {"[::]:1", "[::]:1"},
        {"::1", "[::1]:0"},
        {"1::", "[1::]:0"},
        {"1:2:3:4:5:6:7::", "[1:2:3:4:5:6:7:0]:0"},
        {"::2:3:4:5:6:7:8", "[0:2:3:4:5:6:7:8]:0"},
        {"::ffff:192.0.2.1", "[::ffff:192.0.2.1]:0"},
        {"[::ffff:192.0.2.1]:9", "[::ffff:192.0.2.1]:9"},
        {"64:ff9b::192.0.2.33", "[64:ff9b::c000:221]:0"},
        {"1:2:3:4:5:6:1.2.3.4", "[1:2:3:4:5:6:102:304]:0"},
        {"fe80::1%2", "[fe80::1%2]:0"},
        {"[fe80::1%4294967295]:80", "[fe80::1%4294967295]:80"},
        {"ff02::1%7", "[ff02::1%7]:0"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:0"},
    };
    char text[ADDR_TEXT_SIZE];

    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        struct addr a = parsed(forms[i].in);
        struct addr b = parsed(addr_str(&a, text));

        ck_assert_str_eq(text, forms[i].out);
        ck_assert(addr_equal(&a, &b));
        ck_assert_uint_eq(a.pad, 0);
    }
}
END_TEST

START_TEST(everything_else_is_refused)
{
    static const char *const bad[] = {
        "",
        " ",
        "x",
        "localhost",
        "example.com:80",
        ":80",
        ":",
        "::::",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.",
        ".1.2.3",
        "1..2.3",
        "256.1.1.1",
        "1.2.3.999",
        "01.2.3.4",
        "1.2.3.04",
        "0x1.2.3.4",
        "1.2.3.4 ",
        " 1.2.3.4",
        "1.2.3.4\n",
        "+1.2.3.4",
        "1.2.3.-4",
        "16909060",
        "1.2.3.4:",
        "1.2.3.4:x",
        "1.2.3.4:65536",
        "1.2.3.4:-1",
        "1.2.3.4:+1",
        "1.2.3.4: 1",
        "1.2.3.4:000080",
        "1.2.3.4:99999999999999999999",
        "1.2.3.4/32",
        "[1.2.3.4]:80",
        "[1.2.3.4]",
        "[]",
        "[]:80",
        "[",
        "[::1",
        "::1]",
        "[::1]80",
        "[::1]:",
        "[::1]:65536",
        "[::1]:80x",
        "[::1]]:80",
        "[[::1]]:80",
        "[::1] :80",
        "[example]:80",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1::2::3",
        ":::1",
        "1:::2",
        ":1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7:8:",
        "12345::",
        "g::1",
        "::1.2.3",
        "::1.2.3.256",
        "::01.2.3.4",
        "1.2.3.4::",
        "::1.2.3.4:5",
        "1:2:3:4:5:6:7:1.2.3.4",
        "::1/128",
        "fe80::1%",
        "fe80::1%0",
        "fe80::1%eth0",
        "fe80::1%2%3",
        "fe80::1%4294967296",
        "fe80::1%-1",
        "2001:db8::1%2",
        "::1%1",
        "1.2.3.4%1",
        "1.2.3.4%1:80",
        "[fe80::1]%2:80",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
    };
    struct addr a = addr_v4(0x01020304, 5);
    const struct addr before = a;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        ck_assert_msg(addr_parse(span_str(bad[i]), &a) == ERR_PARSE,
                      "accepted: %s", bad[i]);
        ck_assert(addr_equal(&a, &before));
    }
    ck_assert_int_eq(addr_parse(span_of("1.2.3.4\0", 8), &a), ERR_PARSE);
    ck_assert_int_eq(addr_parse(span_of("1.2.\0003.4", 8), &a), ERR_PARSE);
    ck_assert_int_eq(addr_parse(span_of("::1\0", 4), &a), ERR_PARSE);
    ck_assert_int_eq(addr_parse((struct span){NULL, 0}, &a), ERR_PARSE);
}
END_TEST

START_TEST(an_ip_alone_has_no_port_and_no_brackets)
{
    struct addr a;

    ck_assert_int_eq(addr_parse_ip(span_str("192.0.2.1"), &a), 0);
    ck_assert_uint_eq(a.port, 0);
    ck_assert_int_eq(addr_parse_ip(span_str("2001:db8::1"), &a), 0);
    ck_assert_int_eq(addr_parse_ip(span_str("fe80::1%3"), &a), 0);
    ck_assert_uint_eq(a.scope, 3);
    ck_assert_int_eq(addr_parse_ip(span_str("192.0.2.1:80"), &a), ERR_PARSE);
    ck_assert_int_eq(addr_parse_ip(span_str("[::1]"), &a), ERR_PARSE);
    ck_assert_int_eq(addr_parse_ip(span_str(""), &a), ERR_PARSE);
}
END_TEST

START_TEST(the_ip_is_printed_without_port_and_brackets)
{
    char text[ADDR_TEXT_SIZE];
    struct addr a = parsed("192.0.2.1:3478");

    ck_assert_str_eq(addr_ip_str(&a, text), "192.0.2.1");
    a = parsed("[fe80::1%9]:1");
    ck_assert_str_eq(addr_ip_str(&a, text), "fe80::1%9");
    a = (struct addr){0};
    ck_assert_str_eq(addr_ip_str(&a, text), "none");
    ck_assert_str_eq(addr_str(&a, text), "none");
}
END_TEST

START_TEST(socket_addresses_there_and_back)
{
    static const char *const texts[] = {"192.0.2.1:3478", "[2001:db8::1]:80",
                                        "[fe80::1%5]:9", "0.0.0.0:0"};

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct addr a = parsed(texts[i]);
        struct sockaddr_storage sa;
        struct addr back;
        socklen_t len = addr_to_sockaddr(&a, &sa);

        ck_assert_uint_eq(len, a.family == ADDR_V4
                                   ? sizeof(struct sockaddr_in)
                                   : sizeof(struct sockaddr_in6));
        ck_assert_int_eq(addr_from_sockaddr((struct sockaddr *)&sa, &back), 0);
        ck_assert(addr_equal(&a, &back));
    }
}
END_TEST

START_TEST(a_scope_is_kept_for_link_local_addresses_only)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_scope_id = 4};
    struct addr a;

    inet_pton(AF_INET6, "2001:db8::1", &in6.sin6_addr);
    ck_assert_int_eq(addr_from_sockaddr((struct sockaddr *)&in6, &a), 0);
    ck_assert_uint_eq(a.scope, 0);
    inet_pton(AF_INET6, "fe80::1", &in6.sin6_addr);
    ck_assert_int_eq(addr_from_sockaddr((struct sockaddr *)&in6, &a), 0);
    ck_assert_uint_eq(a.scope, 4);
}
END_TEST

START_TEST(other_families_are_refused)
{
    struct sockaddr_storage sa = {.ss_family = AF_UNIX};
    struct addr none = {0};
    struct addr a;

    ck_assert_int_eq(addr_from_sockaddr((struct sockaddr *)&sa, &a),
                     -EAFNOSUPPORT);
    addr_to_sockaddr(&none, &sa);
    ck_assert_int_eq(sa.ss_family, AF_UNSPEC);
}
END_TEST

START_TEST(addresses_are_made_from_numbers)
{
    char text[ADDR_TEXT_SIZE];
    struct addr a = addr_v4(0xc0000201, 80);

    ck_assert_str_eq(addr_str(&a, text), "192.0.2.1:80");
    a = addr_any(ADDR_V4, 5);
    ck_assert_str_eq(addr_str(&a, text), "0.0.0.0:5");
    a = addr_any(ADDR_V6, 6);
    ck_assert_str_eq(addr_str(&a, text), "[::]:6");
}
END_TEST

START_TEST(equality_counts_everything_and_same_ip_all_but_the_port)
{
    struct addr a = parsed("[fe80::1%1]:80");
    struct addr b = parsed("[fe80::1%1]:81");
    struct addr other_scope = parsed("[fe80::1%2]:80");
    struct addr v4 = parsed("0.0.0.0");
    struct addr v6 = parsed("::");

    ck_assert(!addr_equal(&a, &b));
    ck_assert(addr_same_ip(&a, &b));
    ck_assert(!addr_same_ip(&a, &other_scope));
    ck_assert(!addr_same_ip(&v4, &v6));
    ck_assert(!addr_equal(&v4, &v6));
    ck_assert(!span_equal(addr_key(&a), addr_key(&b)));
    b.port = 80;
    ck_assert(addr_equal(&a, &b));
    ck_assert(span_equal(addr_key(&a), addr_key(&b)));
}
END_TEST

START_TEST(the_length_of_an_ip_is_that_of_its_family)
{
    struct addr none = {0};
    struct addr v4 = parsed("1.2.3.4");
    struct addr v6 = parsed("::1");

    ck_assert_uint_eq(addr_ip_len(&none), 0);
    ck_assert_uint_eq(addr_ip_len(&v4), 4);
    ck_assert_uint_eq(addr_ip_len(&v6), 16);
}
END_TEST

enum { ANY = 1, LOOP = 2, LINK = 4, MULTI = 8, PRIVATE = 16 };

START_TEST(addresses_are_classified_at_the_edges)
{
    static const struct {
        const char *text;
        int classes;
    } rows[] = {
        {"0.0.0.0", ANY},
        {"0.0.0.1", 0},
        {"::", ANY},
        {"126.255.255.255", 0},
        {"127.0.0.0", LOOP},
        {"127.255.255.255", LOOP},
        {"128.0.0.0", 0},
        {"::1", LOOP},
        {"::2", 0},
        {"169.253.255.255", 0},
        {"169.254.0.0", LINK},
        {"169.254.255.255", LINK},
        {"169.255.0.0", 0},
        {"fe7f:ffff::", 0},
        {"fe80::", LINK},
        {"febf:ffff::", LINK},
        {"fec0::", 0},
        {"223.255.255.255", 0},
        {"224.0.0.0", MULTI},
        {"239.255.255.255", MULTI},
        {"240.0.0.0", 0},
        {"ff00::", MULTI},
        {"ff02::1", MULTI},
        {"feff::", 0},
        {"9.255.255.255", 0},
        {"10.0.0.0", PRIVATE},
        {"10.255.255.255", PRIVATE},
        {"11.0.0.0", 0},
        {"172.15.255.255", 0},
        {"172.16.0.0", PRIVATE},
        {"172.31.255.255", PRIVATE},
        {"172.32.0.0", 0},
        {"192.167.255.255", 0},
        {"192.168.0.0", PRIVATE},
        {"192.168.255.255", PRIVATE},
        {"192.169.0.0", 0},
        {"fbff::", 0},
        {"fc00::", PRIVATE},
        {"fdff:ffff::", PRIVATE},
        {"2001:db8::1", 0},
        {"::ffff:127.0.0.1", 0}, /* see addr_inner_v4() */
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct addr a = parsed(rows[i].text);
        int classes = (addr_is_any(&a) ? ANY : 0) |
                      (addr_is_loopback(&a) ? LOOP : 0) |
                      (addr_is_link_local(&a) ? LINK : 0) |
                      (addr_is_multicast(&a) ? MULTI : 0) |
                      (addr_is_private(&a) ? PRIVATE : 0);

        ck_assert_msg(classes == rows[i].classes, "%s: %d", rows[i].text,
                      classes);
    }
}
END_TEST

START_TEST(no_address_is_in_no_class)
{
    struct addr none = {0};

    ck_assert(!addr_is_any(&none));
    ck_assert(!addr_is_loopback(&none));
    ck_assert(!addr_is_link_local(&none));
    ck_assert(!addr_is_multicast(&none));
    ck_assert(!addr_is_private(&none));
    ck_assert(!addr_inner_v4(&none, &none));
}
END_TEST

START_TEST(every_embedding_form_shows_its_ipv4_address)
{
    static const struct {
        const char *outer;
        const char *inner; /* NULL: none */
    } rows[] = {
        {"::ffff:10.1.2.3", "10.1.2.3"},
        {"::ffff:0.0.0.0", "0.0.0.0"},
        {"::10.1.2.3", "10.1.2.3"},
        {"::127.0.0.1", "127.0.0.1"},
        {"::0.0.0.2", "0.0.0.2"},
        {"::", NULL},
        {"::1", NULL},
        {"::ffff:0:10.1.2.3", "10.1.2.3"},
        {"::fffe:10.1.2.3", NULL},
        {"::1:ffff:10.1.2.3", NULL},
        {"1::ffff:10.1.2.3", NULL},
        {"2002:a01:203::1", "10.1.2.3"},
        {"2002:7f00:1::", "127.0.0.1"},
        {"2003:a01:203::1", NULL},
        {"64:ff9b::10.1.2.3", "10.1.2.3"},
        {"64:ff9b::7f00:1", "127.0.0.1"},
        {"64:ff9b:0:0:0:1:10.1.2.3", NULL},
        {"64:ff9b:2::10.1.2.3", NULL},
        {"64:ff9c::10.1.2.3", NULL},
        {"64:ff9b:1::10.1.2.3", "10.1.2.3"},
        {"64:ff9b:1:fffe::10.1.2.3", "10.1.2.3"},
        {"64:ff9b:1:a01:2:300::", "10.1.2.3"},
        {"64:ff9b:1:a:1:203::", "10.1.2.3"},
        {"64:ff9b:1:77:a:102:300::", "10.1.2.3"},
        {"2001::f5fe:fdfc", "10.1.2.3"},
        {"2001:0:4136:e378:8000:63bf:3fff:fdd2", "192.0.2.45"},
        {"2001:1::f5fe:fdfc", NULL},
        {"2001:db8::10.1.2.3", NULL},
        {"fe80::10.1.2.3", NULL},
        {"10.1.2.3", NULL},
    };
    char text[ADDR_TEXT_SIZE];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct addr outer = parsed(rows[i].outer);
        struct addr inner = {0};
        bool found;

        outer.port = 99;
        found = addr_inner_v4(&outer, &inner);
        ck_assert_msg(found == (rows[i].inner != NULL), "%s", rows[i].outer);
        if (found) {
            ck_assert_str_eq(addr_ip_str(&inner, text), rows[i].inner);
            ck_assert_uint_eq(inner.port, 99);
            ck_assert_uint_eq(inner.family, ADDR_V4);
        }
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("addr");
    TCase *tc = tcase_create("addr");

    tcase_add_test(tc, every_written_form_is_read_and_printed);
    tcase_add_test(tc, everything_else_is_refused);
    tcase_add_test(tc, an_ip_alone_has_no_port_and_no_brackets);
    tcase_add_test(tc, the_ip_is_printed_without_port_and_brackets);
    tcase_add_test(tc, socket_addresses_there_and_back);
    tcase_add_test(tc, a_scope_is_kept_for_link_local_addresses_only);
    tcase_add_test(tc, other_families_are_refused);
    tcase_add_test(tc, addresses_are_made_from_numbers);
    tcase_add_test(tc, equality_counts_everything_and_same_ip_all_but_the_port);
    tcase_add_test(tc, the_length_of_an_ip_is_that_of_its_family);
    tcase_add_test(tc, addresses_are_classified_at_the_edges);
    tcase_add_test(tc, no_address_is_in_no_class);
    tcase_add_test(tc, every_embedding_form_shows_its_ipv4_address);
    suite_add_tcase(suite, tc);
    return suite;
}

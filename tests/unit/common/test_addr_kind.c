/* SPDX-License-Identifier: MIT */
#include "base/addr_kind.h"

#include "support/unit.h"

#include <stdlib.h>

static struct addr ip(const char *text)
{
    struct addr a;

    ck_assert_msg(addr_parse_ip(span_str(text), &a) == 0, "%s", text);
    return a;
}

START_TEST(public_addresses)
{
    static const char *const texts[] = {
        "8.8.8.8",         "17.188.0.1",  "100.63.255.255",  "100.128.0.0",
        "172.15.255.255",  "172.32.0.1",  "192.167.1.1",     "223.255.255.254",
        "2606:4700::1111", "2a00:1450::", "2002:808:808::1", "64:ff9b::808:808",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct addr a = ip(texts[i]);

        ck_assert_msg(addr_is_public(&a), "%s", texts[i]);
    }
}
END_TEST

START_TEST(special_addresses)
{
    static const char *const texts[] = {
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "203.0.113.9",
        "240.0.0.1",
        "::1",
        "fc00::1",
        "fd12::1",
        "fe80::1",
        "2001:db8::1",
        "fec0::1",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct addr a = ip(texts[i]);

        ck_assert_msg(addr_is_special(&a), "%s", texts[i]);
        ck_assert_msg(!addr_is_public(&a), "%s", texts[i]);
    }
}
END_TEST

START_TEST(never_a_destination)
{
    static const char *const texts[] = {
        "0.0.0.0",   "0.1.2.3", "224.0.0.1",         "239.1.1.1",
        "::",        "ff02::1", "255.255.255.255",   "::ffff:8.8.8.8",
        "::8.8.8.8", "100::1",  "2001:0:808:808::1",
    };
    struct addr none = {0};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct addr a = ip(texts[i]);

        ck_assert_msg(addr_is_never(&a), "%s", texts[i]);
        ck_assert_msg(!addr_is_public(&a), "%s", texts[i]);
    }
    ck_assert(addr_is_never(&none));
    ck_assert(!addr_is_public(&none));
}
END_TEST

START_TEST(what_is_inside_counts)
{
    static const char *const texts[] = {
        "2002:7f00:1::1",     /* 6to4 of 127.0.0.1 */
        "2002:a00:1::",       /* of 10.0.0.1 */
        "64:ff9b::7f00:1",    /* NAT64 of 127.0.0.1 */
        "64:ff9b::a9fe:a9fe", /* of 169.254.169.254 */
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct addr a = ip(texts[i]);

        ck_assert_msg(!addr_is_special(&a), "%s", texts[i]);
        ck_assert_msg(!addr_is_public(&a), "%s", texts[i]);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("addr_kind");
    TCase *tc = tcase_create("kinds");

    tcase_add_test(tc, public_addresses);
    tcase_add_test(tc, special_addresses);
    tcase_add_test(tc, never_a_destination);
    tcase_add_test(tc, what_is_inside_counts);
    suite_add_tcase(suite, tc);
    return suite;
}

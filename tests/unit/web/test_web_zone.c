/* SPDX-License-Identifier: MIT */
#include "proxy/web_zone.h"

#include "base/err.h"
#include "support/unit.h"

#include <errno.h>

static const uint8_t seed[16] = "0123456789abcde";
static const struct web_zone_rule at_once = {12, WEB_ZONE_NODELAY};
static const struct web_zone_rule paced = {2, WEB_ZONE_DELAY};
static struct web_zone *zone;
static struct addr client;

static void make(uint32_t rate_milli, uint32_t clients)
{
    struct web_zone_spec spec = {rate_milli, clients};

    ck_assert_int_eq(web_zone_new(&zone, &spec, seed), 0);
}

static void setup(void)
{
    zone = NULL;
    client = addr_v4(0xC6336401, 1234); /* 198.51.100.1 */
}

static void teardown(void)
{
    web_zone_unref(zone);
    ck_assert_no_blocks();
}

static struct addr v6(const char *text)
{
    struct addr a;

    ck_assert_int_eq(addr_parse_ip(span_str(text), &a), 0);
    return a;
}

static struct web_zone_verdict take(const struct web_zone_rule *rule,
                                    uint64_t now)
{
    return web_zone_take(zone, &client, rule, now);
}

START_TEST(nodelay_passes_one_and_the_burst_at_once)
{
    make(333, 100); /* 20 a minute */
    for (int i = 0; i < 13; i++) {
        struct web_zone_verdict v = take(&at_once, 1000);

        ck_assert(v.pass);
        ck_assert_uint_eq(v.wait_ms, 0);
    }
    ck_assert(!take(&at_once, 1000).pass);
}
END_TEST

START_TEST(a_place_comes_back_at_the_rate)
{
    make(333, 100);
    for (int i = 0; i < 13; i++)
        take(&at_once, 1000);
    ck_assert(!take(&at_once, 4003).pass);
    ck_assert(take(&at_once, 4004).pass);
    ck_assert(!take(&at_once, 4004).pass);
    ck_assert(take(&at_once, 7010).pass);
}
END_TEST

START_TEST(a_refusal_says_when_to_come_back)
{
    struct web_zone_verdict v;

    make(333, 100);
    for (int i = 0; i < 13; i++)
        take(&at_once, 0);
    v = take(&at_once, 0);
    ck_assert(!v.pass);
    ck_assert_uint_eq(v.wait_ms, 3004);
    ck_assert(take(&at_once, v.wait_ms).pass);
}
END_TEST

START_TEST(refused_requests_add_nothing)
{
    make(1000, 100);
    for (int i = 0; i < 1000; i++)
        take(&at_once, 0);
    ck_assert(take(&at_once, 1000).pass);
}
END_TEST

START_TEST(delay_paces_what_is_in_the_burst)
{
    make(30000, 100); /* 30 a second */
    ck_assert_uint_eq(take(&paced, 0).wait_ms, 0);
    ck_assert_uint_eq(take(&paced, 0).wait_ms, 34);
    ck_assert_uint_eq(take(&paced, 0).wait_ms, 67);
    ck_assert(!take(&paced, 0).pass);
    ck_assert_uint_eq(take(&paced, 34).wait_ms, 66);
}
END_TEST

START_TEST(a_steady_client_below_the_rate_never_waits)
{
    make(30000, 100);
    for (uint64_t now = 0; now < 10000; now += 34) {
        struct web_zone_verdict v = take(&paced, now);

        ck_assert(v.pass);
        ck_assert_uint_eq(v.wait_ms, 0);
    }
}
END_TEST

START_TEST(rules_of_one_zone_share_the_bucket)
{
    struct web_zone_rule small = {3, WEB_ZONE_NODELAY};

    make(1000, 100);
    for (int i = 0; i < 4; i++)
        ck_assert(take(&at_once, 0).pass);
    ck_assert(!take(&small, 0).pass);
    ck_assert(take(&at_once, 0).pass);
}
END_TEST

START_TEST(a_client_is_an_ipv4_address_whatever_its_port)
{
    struct web_zone_rule none = {0, WEB_ZONE_NODELAY};

    make(1000, 100);
    ck_assert(take(&none, 0).pass);
    client.port = 99;
    ck_assert(!take(&none, 0).pass);
    client = v6("::ffff:198.51.100.1");
    ck_assert(!take(&none, 0).pass);
    client = addr_v4(0xC6336402, 0);
    ck_assert(take(&none, 0).pass);
}
END_TEST

START_TEST(a_client_is_an_ipv6_network_of_64_bits)
{
    struct web_zone_rule none = {0, WEB_ZONE_NODELAY};

    make(1000, 100);
    client = v6("2001:db8:0:1::1");
    ck_assert(take(&none, 0).pass);
    client = v6("2001:db8:0:1:ffff::2");
    ck_assert(!take(&none, 0).pass);
    client = v6("2001:db8:0:2::1");
    ck_assert(take(&none, 0).pass);
}
END_TEST

START_TEST(the_table_is_bounded_and_forgets_the_oldest)
{
    make(1, 64);
    for (uint32_t i = 0; i < 100000; i++) {
        client = addr_v4(0x0B000000 + i, 0);
        ck_assert(take(&at_once, i).pass);
    }
    ck_assert_uint_le(web_zone_count(zone), 64);
    ck_assert_uint_ge(web_zone_count(zone), 60);
}
END_TEST

START_TEST(a_client_seen_lately_is_remembered)
{
    struct web_zone_rule none = {0, WEB_ZONE_NODELAY};
    struct addr busy = client;

    make(1, 64);
    ck_assert(take(&none, 0).pass);
    for (uint32_t i = 0; i < 1000; i++) {
        client = addr_v4(0x0B000000 + i, 0);
        take(&none, 1);
        client = busy;
        ck_assert(!take(&none, 1).pass);
    }
}
END_TEST

START_TEST(a_clock_that_steps_back_gives_nothing_away)
{
    struct web_zone_rule none = {0, WEB_ZONE_NODELAY};

    make(1000, 100);
    ck_assert(take(&none, 5000).pass);
    ck_assert(!take(&none, 0).pass);
    ck_assert(take(&none, 6000).pass);
}
END_TEST

START_TEST(rates_are_read_as_administrators_write_them)
{
    uint32_t rate = 0;

    ck_assert_int_eq(web_zone_parse_rate(span_str("30r/s"), &rate), 0);
    ck_assert_uint_eq(rate, 30000);
    ck_assert_int_eq(web_zone_parse_rate(span_str("20r/m"), &rate), 0);
    ck_assert_uint_eq(rate, 333);
    ck_assert_int_eq(web_zone_parse_rate(span_str("20r/min"), &rate), 0);
    ck_assert_int_eq(web_zone_parse_rate(span_str("0r/s"), &rate), ERR_PARSE);
    ck_assert_int_eq(web_zone_parse_rate(span_str("30"), &rate), ERR_PARSE);
    ck_assert_int_eq(web_zone_parse_rate(span_str("30r/h"), &rate), ERR_PARSE);
    ck_assert_int_eq(web_zone_parse_rate(span_str("r/s"), &rate), ERR_PARSE);
    ck_assert_int_eq(web_zone_parse_rate(span_str("-1r/s"), &rate), ERR_PARSE);
}
END_TEST

START_TEST(a_zone_without_rate_or_room_is_refused)
{
    struct web_zone_spec no_rate = {0, 1}, no_room = {1, 0};

    ck_assert_int_eq(web_zone_new(&zone, &no_rate, seed), -EINVAL);
    ck_assert_int_eq(web_zone_new(&zone, &no_room, seed), -EINVAL);
    ck_assert_ptr_null(zone);
}
END_TEST

START_TEST(creation_without_memory_leaves_nothing)
{
    struct web_zone_spec spec = {1000, 100};
    int err;

    CK_OOM_SWEEP(err, err = web_zone_new(&zone, &spec, seed));
}
END_TEST

START_TEST(the_last_reference_releases)
{
    make(1000, 100);
    ck_assert_ptr_eq(web_zone_ref(zone), zone);
    web_zone_unref(zone);
    ck_assert(take(&at_once, 0).pass);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web_zone");
    TCase *tcase = tcase_create("zones");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, nodelay_passes_one_and_the_burst_at_once);
    tcase_add_test(tcase, a_place_comes_back_at_the_rate);
    tcase_add_test(tcase, a_refusal_says_when_to_come_back);
    tcase_add_test(tcase, refused_requests_add_nothing);
    tcase_add_test(tcase, delay_paces_what_is_in_the_burst);
    tcase_add_test(tcase, a_steady_client_below_the_rate_never_waits);
    tcase_add_test(tcase, rules_of_one_zone_share_the_bucket);
    tcase_add_test(tcase, a_client_is_an_ipv4_address_whatever_its_port);
    tcase_add_test(tcase, a_client_is_an_ipv6_network_of_64_bits);
    tcase_add_test(tcase, the_table_is_bounded_and_forgets_the_oldest);
    tcase_add_test(tcase, a_client_seen_lately_is_remembered);
    tcase_add_test(tcase, a_clock_that_steps_back_gives_nothing_away);
    tcase_add_test(tcase, rates_are_read_as_administrators_write_them);
    tcase_add_test(tcase, a_zone_without_rate_or_room_is_refused);
    tcase_add_test(tcase, creation_without_memory_leaves_nothing);
    tcase_add_test(tcase, the_last_reference_releases);
    suite_add_tcase(suite, tcase);
    return suite;
}

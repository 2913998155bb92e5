/* SPDX-License-Identifier: MIT */
#include "net/handshake_rate.h"

#include "support/unit.h"

#include <errno.h>
#include <stdio.h>

static struct handshake_rate *rate;

static void teardown(void)
{
    handshake_rate_unref(rate);
    rate = NULL;
    ck_assert_no_blocks();
}

static int take(const char *text, uint64_t now)
{
    struct addr a;

    ck_assert_int_eq(addr_parse(span_str(text), &a), 0);
    return (int)handshake_rate_take(rate, &a, now);
}

static int count(const char *text, uint64_t now, int tries)
{
    int taken = 0;

    for (int i = 0; i < tries; i++)
        taken += take(text, now) == HANDSHAKE_OK;
    return taken;
}

START_TEST(lets_a_source_begin_so_many_and_no_more)
{
    ck_assert_int_eq(handshake_rate_new(&rate, 0, 10), 0);
    ck_assert_int_eq(count("192.0.2.1:1000", 5000, 100), 20);
    ck_assert_int_eq(take("192.0.2.1:2000", 5000), HANDSHAKE_SOURCE);
    ck_assert_int_eq(count("192.0.2.2:1000", 5000, 100), 20);
    ck_assert_int_eq(count("192.0.2.1:1000", 6000, 100), 10);
    ck_assert_int_eq(count("192.0.2.1:1000", 60000, 100), 20);
}
END_TEST

START_TEST(knows_an_ipv6_64_and_a_mapped_address)
{
    ck_assert_int_eq(handshake_rate_new(&rate, 0, 10), 0);
    ck_assert_int_eq(count("[2001:db8::1]:1", 5000, 100), 20);
    ck_assert_int_eq(take("[2001:db8::ffff:0:0:2]:9", 5000), HANDSHAKE_SOURCE);
    ck_assert_int_eq(take("[2001:db8:0:1::1]:1", 5000), HANDSHAKE_OK);
    ck_assert_int_eq(count("192.0.2.1:1", 5000, 100), 20);
    ck_assert_int_eq(take("[::ffff:192.0.2.1]:1", 5000), HANDSHAKE_SOURCE);
}
END_TEST

START_TEST(bounds_all_together_and_one_source_does_not_spend_it)
{
    char text[32];
    int taken = 0;

    ck_assert_int_eq(handshake_rate_new(&rate, 30, 10), 0);
    ck_assert_int_eq(count("192.0.2.1:1", 5000, 1000), 20);
    for (int i = 2; i < 100; i++) {
        snprintf(text, sizeof(text), "192.0.2.%d:1", i);
        taken += take(text, 5000) == HANDSHAKE_OK;
    }
    ck_assert_int_eq(taken, 40);
    ck_assert_int_eq(take("198.51.100.1:1", 5000), HANDSHAKE_TOTAL);
}
END_TEST

START_TEST(takes_new_figures_and_none)
{
    struct handshake_rate *same;

    ck_assert_int_eq(handshake_rate_new(&rate, 1, 1), 0);
    same = handshake_rate_ref(rate);
    ck_assert_int_eq(count("192.0.2.1:1", 5000, 10), 2);
    handshake_rate_set(rate, 0, 3);
    ck_assert_int_eq(count("192.0.2.1:1", 5000, 10), 6);
    handshake_rate_set(rate, 0, 0);
    ck_assert_int_eq(count("192.0.2.1:1", 5000, 10), 10);
    handshake_rate_unref(same);
    ck_assert_int_eq(
        handshake_rate_take(NULL, &(struct addr){.family = ADDR_V4}, 1),
        HANDSHAKE_OK);
}
END_TEST

START_TEST(handles_every_failed_allocation)
{
    int err = 0;

    CK_OOM_SWEEP(err, err = handshake_rate_new(&rate, 1, 1));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("handshake rate");
    TCase *tc = tcase_create("rate");

    tcase_add_checked_fixture(tc, NULL, teardown);
    tcase_add_test(tc, lets_a_source_begin_so_many_and_no_more);
    tcase_add_test(tc, knows_an_ipv6_64_and_a_mapped_address);
    tcase_add_test(tc, bounds_all_together_and_one_source_does_not_spend_it);
    tcase_add_test(tc, takes_new_figures_and_none);
    tcase_add_test(tc, handles_every_failed_allocation);
    suite_add_tcase(s, tc);
    return s;
}

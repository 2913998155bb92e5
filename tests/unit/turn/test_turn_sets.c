/* SPDX-License-Identifier: MIT */
/* Permissions, channels and quotas: the small sets. */
#include "base/err.h"
#include "support/unit.h"
#include "turn/turn_chan.h"
#include "turn/turn_perm.h"
#include "turn/turn_quota.h"

#include <errno.h>

static struct turn_perms perms;
static struct turn_chans chans;

static struct addr peer(uint32_t n, uint16_t port)
{
    return addr_v4(0x08080000 + n, port);
}

static void setup(void)
{
    turn_perms_init(&perms);
    turn_chans_init(&chans);
}

static void teardown(void)
{
    turn_perms_deinit(&perms);
    turn_chans_deinit(&chans);
    ck_assert_no_blocks();
}

static void grant(uint32_t n, uint64_t now)
{
    struct addr a = peer(n, 7);

    ck_assert_int_eq(turn_perms_reserve(&perms, 1, 100, now), 0);
    turn_perms_grant(&perms, &a, TURN_REACH_ALL, now);
}

static bool permitted(uint32_t n, uint64_t now)
{
    struct addr a = peer(n, 99);

    return turn_perms_find(&perms, &a, now) != NULL;
}

START_TEST(permissions_expire_after_300_seconds)
{
    grant(1, 1000);
    ck_assert(permitted(1, 1000 + 299999));
    ck_assert(!permitted(1, 1000 + 300000));
    ck_assert(!permitted(2, 1000));
}
END_TEST

START_TEST(permissions_grow_and_keep_what_they_had)
{
    for (uint32_t i = 0; i < 50; i++)
        grant(i, 1000);
    for (uint32_t i = 0; i < 50; i++)
        ck_assert(permitted(i, 1000));
    ck_assert_uint_eq(turn_perms_count(&perms, 1000), 50);
    ck_assert_int_eq(turn_perms_reserve(&perms, 51, 100, 1000), ERR_LIMIT);
    ck_assert_int_eq(turn_perms_reserve(&perms, 50, 100, 1000), 0);
}
END_TEST

START_TEST(permissions_use_expired_places_again)
{
    for (uint32_t i = 0; i < 3; i++)
        grant(i, 1000);
    for (uint32_t i = 10; i < 13; i++)
        grant(i, 301000);
    ck_assert_ptr_null(perms.more);
    ck_assert(!permitted(0, 301000));
    ck_assert(permitted(12, 301000));
}
END_TEST

static int bind_to(uint16_t number, uint32_t n, uint64_t now)
{
    struct addr a = peer(n, 7);

    return turn_chans_bind(&chans, number, &a, 20, now);
}

START_TEST(channels_hold_number_and_peer_for_600_seconds)
{
    ck_assert_int_eq(bind_to(0x4000, 1, 1000), 0);
    ck_assert_int_eq(bind_to(0x4000, 2, 1000), ERR_STATE);
    ck_assert_int_eq(bind_to(0x4001, 1, 1000), ERR_STATE);
    ck_assert_ptr_nonnull(turn_chans_find(&chans, 0x4000, 600999));
    ck_assert_ptr_null(turn_chans_find(&chans, 0x4000, 601000));
    ck_assert_int_eq(bind_to(0x4000, 2, 601000), 0);
}
END_TEST

START_TEST(channels_grow_to_their_limit)
{
    for (uint32_t i = 0; i < 20; i++)
        ck_assert_int_eq(bind_to((uint16_t)(0x4000 + i), i, 1000), 0);
    ck_assert_int_eq(bind_to(0x4100, 100, 1000), ERR_LIMIT);
    ck_assert_int_eq(bind_to(0x4003, 3, 2000), 0);
    for (uint32_t i = 0; i < 20; i++) {
        struct addr a = peer(i, 7);
        struct turn_chan *chan = turn_chans_find_peer(&chans, &a, 2000);

        ck_assert_ptr_nonnull(chan);
        ck_assert_uint_eq(chan->number, 0x4000 + i);
    }
}
END_TEST

static enum turn_quota_verdict take(struct turn_quota *quota, struct span user,
                                    const struct addr *source,
                                    const struct turn_quota_limits *limits,
                                    struct turn_quota_hold *hold)
{
    struct turn_quota_who who = {7, user, source};

    return turn_quota_take(quota, &who, limits, hold);
}

START_TEST(quotas_know_a_name_in_two_realms_apart)
{
    struct turn_quota_limits limits = {0, 3, 1, 1};
    struct turn_quota_hold holds[4];
    struct turn_quota *quota;
    struct addr a = peer(1, 1), b = peer(2, 1), c = peer(3, 1), d = peer(4, 1);
    struct turn_quota_who who = {8, span_str("alice"), &a};

    ck_assert_int_eq(turn_quota_new(&quota), 0);
    ck_assert_int_eq(take(quota, span_str("alice"), &a, &limits, &holds[0]),
                     TURN_QUOTA_OK);
    ck_assert_int_eq(turn_quota_take(quota, &who, &limits, &holds[1]),
                     TURN_QUOTA_OK);
    ck_assert_int_eq(take(quota, span_str("bob"), &b, &limits, &holds[2]),
                     TURN_QUOTA_OK);
    ck_assert_int_eq(take(quota, span_str("carol"), &c, &limits, &holds[3]),
                     TURN_QUOTA_OK);
    ck_assert_int_eq(take(quota, span_str("dave"), &d, &limits, &holds[3]),
                     TURN_QUOTA_REALM);
    ck_assert_ptr_ne(turn_quota_realm_meter(&holds[0]),
                     turn_quota_realm_meter(&holds[1]));
    ck_assert_ptr_eq(turn_quota_realm_meter(&holds[0]),
                     turn_quota_realm_meter(&holds[2]));
    ck_assert_uint_eq(turn_quota_total(quota), 4);
    for (int i = 0; i < 4; i++)
        turn_quota_give(quota, &holds[i]);
    turn_quota_free(quota);
}
END_TEST

START_TEST(quotas_count_users_sources_and_all)
{
    struct turn_quota_limits limits = {3, 0, 2, 2};
    struct turn_quota_hold holds[4];
    struct turn_quota *quota;
    struct addr a = peer(1, 1), b = peer(2, 1), c = peer(3, 1);
    struct span alice = span_str("alice"), bob = span_str("bob");

    ck_assert_int_eq(turn_quota_new(&quota), 0);
    ck_assert_int_eq(take(quota, alice, &a, &limits, &holds[0]), TURN_QUOTA_OK);
    ck_assert_int_eq(take(quota, alice, &a, &limits, &holds[1]), TURN_QUOTA_OK);
    ck_assert_int_eq(take(quota, alice, &b, &limits, &holds[2]),
                     TURN_QUOTA_USER);
    ck_assert_int_eq(take(quota, bob, &a, &limits, &holds[2]),
                     TURN_QUOTA_SOURCE);
    ck_assert_int_eq(take(quota, bob, &b, &limits, &holds[2]), TURN_QUOTA_OK);
    ck_assert_int_eq(take(quota, bob, &c, &limits, &holds[3]),
                     TURN_QUOTA_TOTAL);
    ck_assert_span_eq(turn_quota_user(&holds[2]), "bob");
    ck_assert_uint_eq(turn_quota_total(quota), 3);
    turn_quota_give(quota, &holds[0]);
    ck_assert_int_eq(take(quota, alice, &c, &limits, &holds[0]), TURN_QUOTA_OK);
    for (int i = 0; i < 3; i++)
        turn_quota_give(quota, &holds[i]);
    ck_assert_uint_eq(turn_quota_total(quota), 0);
    turn_quota_free(quota);
}
END_TEST

START_TEST(meters_let_through_a_rate_and_a_second_ahead)
{
    struct turn_meter meter = {0};
    size_t taken = 0;

    ck_assert(turn_meter_take(&meter, 0, SIZE_MAX / 2, 5000));
    for (int i = 0; i < 30; i++)
        taken += turn_meter_take(&meter, 1000, 100, 5000);
    ck_assert_uint_eq(taken, 10);
    for (int ms = 1; ms <= 10000; ms++)
        taken += turn_meter_take(&meter, 1000, 100, 5000 + (uint64_t)ms);
    ck_assert_uint_eq(taken, 110);
    ck_assert(!turn_meter_take(&meter, 1000, 1001, 900000));
    ck_assert(turn_meter_take(&meter, 1000, 1000, 900000));
}
END_TEST

START_TEST(quotas_see_one_subscriber_in_an_ipv6_64)
{
    struct turn_quota_limits limits = {0, 0, 0, 1};
    struct turn_quota_hold holds[2];
    struct turn_quota *quota;
    struct addr a, b, c;

    ck_assert_int_eq(addr_parse(span_str("2001:db8:0:1::1"), &a), 0);
    ck_assert_int_eq(addr_parse(span_str("2001:db8:0:1:ffff::2"), &b), 0);
    ck_assert_int_eq(addr_parse(span_str("2001:db8:0:2::1"), &c), 0);
    ck_assert_int_eq(turn_quota_new(&quota), 0);
    ck_assert_int_eq(take(quota, span_str("u"), &a, &limits, &holds[0]),
                     TURN_QUOTA_OK);
    ck_assert_int_eq(take(quota, span_str("u"), &b, &limits, &holds[1]),
                     TURN_QUOTA_SOURCE);
    ck_assert_int_eq(take(quota, span_str("u"), &c, &limits, &holds[1]),
                     TURN_QUOTA_OK);
    turn_quota_give(quota, &holds[0]);
    turn_quota_give(quota, &holds[1]);
    turn_quota_free(quota);
}
END_TEST

START_TEST(quotas_leave_nothing_when_memory_fails)
{
    struct turn_quota_limits limits = {0, 0, 0, 0};
    struct turn_quota_hold hold;
    struct addr a = peer(1, 1);

    for (long n = 0; n < 6; n++) {
        struct turn_quota *quota;
        enum turn_quota_verdict verdict;

        ck_assert_int_eq(turn_quota_new(&quota), 0);
        mem_fail_at(n);
        verdict = take(quota, span_str("u"), &a, &limits, &hold);
        mem_fail_at(-1);
        if (verdict == TURN_QUOTA_OK)
            turn_quota_give(quota, &hold);
        else
            ck_assert_int_eq(verdict, TURN_QUOTA_NO_MEMORY);
        ck_assert_uint_eq(turn_quota_total(quota), 0);
        turn_quota_free(quota);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("turn sets");
    TCase *tc = tcase_create("sets");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, permissions_expire_after_300_seconds);
    tcase_add_test(tc, permissions_grow_and_keep_what_they_had);
    tcase_add_test(tc, permissions_use_expired_places_again);
    tcase_add_test(tc, channels_hold_number_and_peer_for_600_seconds);
    tcase_add_test(tc, channels_grow_to_their_limit);
    tcase_add_test(tc, quotas_know_a_name_in_two_realms_apart);
    tcase_add_test(tc, quotas_count_users_sources_and_all);
    tcase_add_test(tc, meters_let_through_a_rate_and_a_second_ahead);
    tcase_add_test(tc, quotas_see_one_subscriber_in_an_ipv6_64);
    tcase_add_test(tc, quotas_leave_nothing_when_memory_fails);
    suite_add_tcase(s, tc);
    return s;
}

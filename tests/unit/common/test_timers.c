/* SPDX-License-Identifier: MIT */
#include "base/timers.h"

#include "support/unit.h"

#include <stdlib.h>

enum { MANY = 500 };

static struct timers timers;
static struct timer items[MANY];

static void setup(void)
{
    timers_init(&timers);
    for (int i = 0; i < MANY; i++)
        timer_init(&items[i], (uint8_t)i);
}

START_TEST(no_timer_has_no_deadline)
{
    ck_assert_uint_eq(timers_next(&timers), TIMERS_NEVER);
    ck_assert_ptr_null(timers_take_expired(&timers, UINT64_MAX));
    timers_cancel(&timers, &items[0]);
    ck_assert(!items[0].armed);
    ck_assert_uint_eq(items[5].kind, 5);
}
END_TEST

START_TEST(a_timer_expires_at_its_deadline_and_not_before)
{
    timers_set(&timers, &items[0], 100);
    ck_assert(items[0].armed);
    ck_assert_uint_eq(timers_next(&timers), 100);
    ck_assert_ptr_null(timers_take_expired(&timers, 99));
    ck_assert_ptr_eq(timers_take_expired(&timers, 100), &items[0]);
    ck_assert(!items[0].armed);
    ck_assert_ptr_null(timers_take_expired(&timers, 100));
    ck_assert_uint_eq(timers_next(&timers), TIMERS_NEVER);
}
END_TEST

START_TEST(setting_again_moves_the_deadline_both_ways)
{
    timers_set(&timers, &items[0], 100);
    timers_set(&timers, &items[1], 50);
    timers_set(&timers, &items[0], 10);
    ck_assert_uint_eq(timers_next(&timers), 10);
    timers_set(&timers, &items[0], 200);
    ck_assert_uint_eq(timers_next(&timers), 50);
    ck_assert_ptr_eq(timers_take_expired(&timers, 1000), &items[1]);
    ck_assert_ptr_eq(timers_take_expired(&timers, 1000), &items[0]);
}
END_TEST

START_TEST(a_cancelled_timer_does_not_expire)
{
    timers_set(&timers, &items[0], 1);
    timers_set(&timers, &items[1], 2);
    timers_cancel(&timers, &items[0]);
    timers_cancel(&timers, &items[0]);
    ck_assert_uint_eq(timers_next(&timers), 2);
    ck_assert_ptr_eq(timers_take_expired(&timers, 5), &items[1]);
    ck_assert_ptr_null(timers_take_expired(&timers, 5));
}
END_TEST

START_TEST(the_last_moments_of_time_are_valid)
{
    timers_set(&timers, &items[0], UINT64_MAX - 1);
    timers_set(&timers, &items[1], 0);
    ck_assert_ptr_eq(timers_take_expired(&timers, 0), &items[1]);
    ck_assert_ptr_null(timers_take_expired(&timers, UINT64_MAX - 2));
    ck_assert_ptr_eq(timers_take_expired(&timers, UINT64_MAX - 1), &items[0]);
}
END_TEST

START_TEST(a_handler_may_set_and_cancel_any_timer)
{
    struct timer *timer;
    int taken = 0;

    for (int i = 0; i < 10; i++)
        timers_set(&timers, &items[i], (uint64_t)i);
    while ((timer = timers_take_expired(&timers, 100)) != NULL) {
        taken++;
        timers_set(&timers, timer, 1000);
        timers_cancel(&timers, timer + 1); /* the next one */
    }
    ck_assert_int_eq(taken, 5);
    ck_assert_uint_eq(timers_next(&timers), 1000);
}
END_TEST

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* The heap against sorting, with cancelled and moved timers among them. */
START_TEST(timers_come_in_the_order_of_their_deadlines)
{
    uint64_t expected[MANY];
    struct timer *timer;
    uint32_t random = 99;
    size_t n = 0;
    size_t at = 0;

    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < MANY; i++) {
            random = random * 1664525 + 1013904223;
            if (random >> 30 == 0)
                timers_cancel(&timers, &items[i]);
            else
                timers_set(&timers, &items[i], random >> 20);
        }
    }
    for (int i = 0; i < MANY; i++) {
        if (items[i].armed)
            expected[n++] = items[i].deadline;
    }
    qsort(expected, n, sizeof(expected[0]), by_value);
    ck_assert_uint_gt(n, MANY / 2);
    while ((timer = timers_take_expired(&timers, UINT64_MAX)) != NULL) {
        ck_assert_uint_lt(at, n);
        ck_assert_uint_eq(timer->deadline, expected[at]);
        at++;
    }
    ck_assert_uint_eq(at, n);
}
END_TEST

/* Ascending deadlines make the longest possible row of siblings: it must not
 * be walked by recursion. */
START_TEST(a_million_timers_do_not_exhaust_the_stack)
{
    enum { N = 1000000 };
    struct timer *many = mem_zarray(N, sizeof(*many));
    uint64_t last = 0;

    ck_assert_ptr_nonnull(many);
    timers_set(&timers, &many[0], 0);
    for (int i = 1; i < N; i++)
        timers_set(&timers, &many[i], (uint64_t)i);
    for (int i = 0; i < N; i++) {
        struct timer *timer = timers_take_expired(&timers, N);

        ck_assert(timer && timer->deadline >= last);
        last = timer->deadline;
    }
    for (int i = N; i > 0; i--)
        timers_set(&timers, &many[i - 1], (uint64_t)i);
    for (int i = 0; i < N; i++)
        timers_cancel(&timers, &many[i]);
    ck_assert_uint_eq(timers_next(&timers), TIMERS_NEVER);
    mem_free(many);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("timers");
    TCase *tc = tcase_create("timers");

    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, no_timer_has_no_deadline);
    tcase_add_test(tc, a_timer_expires_at_its_deadline_and_not_before);
    tcase_add_test(tc, setting_again_moves_the_deadline_both_ways);
    tcase_add_test(tc, a_cancelled_timer_does_not_expire);
    tcase_add_test(tc, the_last_moments_of_time_are_valid);
    tcase_add_test(tc, a_handler_may_set_and_cancel_any_timer);
    tcase_add_test(tc, timers_come_in_the_order_of_their_deadlines);
    tcase_add_test(tc, a_million_timers_do_not_exhaust_the_stack);
    suite_add_tcase(suite, tc);
    return suite;
}

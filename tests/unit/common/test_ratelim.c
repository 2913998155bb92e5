/* SPDX-License-Identifier: MIT */
#include "base/ratelim.h"

#include "support/unit.h"

static struct ratelim limit;

START_TEST(it_starts_full_and_empties)
{
    ratelim_init(&limit, 1000, 3, 0);
    for (int i = 0; i < 3; i++)
        ck_assert(ratelim_take(&limit, 1, 0));
    ck_assert(!ratelim_take(&limit, 1, 0));
}
END_TEST

START_TEST(tokens_come_back_at_the_rate)
{
    ratelim_init(&limit, 2000, 1, 0); /* two a second */
    ck_assert(ratelim_take(&limit, 1, 0));
    ck_assert(!ratelim_take(&limit, 1, 499));
    ck_assert(ratelim_take(&limit, 1, 500));
    ck_assert(!ratelim_take(&limit, 1, 999));
    ck_assert(ratelim_take(&limit, 1, 1000));
}
END_TEST

START_TEST(asking_often_loses_nothing)
{
    int taken = 0;

    ratelim_init(&limit, 300, 1, 0); /* 0.3 a second, asked every ms */
    ck_assert(ratelim_take(&limit, 1, 0));
    for (uint64_t now = 1; now <= 100000; now++)
        taken += ratelim_take(&limit, 1, now);
    ck_assert_int_eq(taken, 29); /* one each 3334th millisecond */
}
END_TEST

START_TEST(the_burst_is_the_most_that_is_kept)
{
    ratelim_init(&limit, 1000, 5, 0);
    ck_assert(ratelim_take(&limit, 5, 0));
    ck_assert(!ratelim_take(&limit, 6, 1000000));
    ck_assert(ratelim_take(&limit, 5, 1000000));
    ck_assert(!ratelim_take(&limit, 1, 1000000));
}
END_TEST

START_TEST(n_tokens_are_taken_at_once_or_not_at_all)
{
    ratelim_init(&limit, 1000, 4, 0);
    ck_assert(ratelim_take(&limit, 3, 0));
    ck_assert(!ratelim_take(&limit, 2, 0));
    ck_assert(ratelim_take(&limit, 1, 0));
    ck_assert(ratelim_take(&limit, 0, 0));
}
END_TEST

START_TEST(no_rate_is_no_limit)
{
    ratelim_init(&limit, 0, 0, 0);
    for (int i = 0; i < 1000; i++)
        ck_assert(ratelim_take(&limit, UINT64_MAX, 0));
    ck_assert_uint_eq(ratelim_wait_ms(&limit, UINT64_MAX, 0), 0);
}
END_TEST

START_TEST(a_clock_that_steps_back_refills_nothing)
{
    ratelim_init(&limit, 1000, 1, 5000);
    ck_assert(ratelim_take(&limit, 1, 5000));
    ck_assert(!ratelim_take(&limit, 1, 0));
    ck_assert(!ratelim_take(&limit, 1, 5999));
    ck_assert(ratelim_take(&limit, 1, 6000));
}
END_TEST

START_TEST(the_wait_is_exact)
{
    ratelim_init(&limit, 1500, 2, 0);
    ck_assert_uint_eq(ratelim_wait_ms(&limit, 2, 0), 0);
    ck_assert(ratelim_take(&limit, 2, 0));
    ck_assert_uint_eq(ratelim_wait_ms(&limit, 1, 0), 667);
    ck_assert_uint_eq(ratelim_wait_ms(&limit, 1, 600), 67);
    ck_assert(!ratelim_take(&limit, 1, 666));
    ck_assert(ratelim_take(&limit, 1, 667));
    ck_assert_uint_eq(ratelim_wait_ms(&limit, 3, 667), UINT64_MAX);
}
END_TEST

START_TEST(extreme_values_do_not_overflow)
{
    ratelim_init(&limit, UINT64_MAX, UINT64_MAX, 0);
    ck_assert(ratelim_take(&limit, 1, UINT64_MAX));
    ck_assert(!ratelim_take(&limit, UINT64_MAX, UINT64_MAX));
    ratelim_init(&limit, 1, UINT64_MAX, 0);
    ck_assert(ratelim_take(&limit, 1000, 0));
    ck_assert(ratelim_take(&limit, 1, UINT64_MAX));
    ck_assert_uint_eq(ratelim_wait_ms(&limit, UINT64_MAX, 0), UINT64_MAX);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("ratelim");
    TCase *tc = tcase_create("ratelim");

    tcase_add_test(tc, it_starts_full_and_empties);
    tcase_add_test(tc, tokens_come_back_at_the_rate);
    tcase_add_test(tc, asking_often_loses_nothing);
    tcase_add_test(tc, the_burst_is_the_most_that_is_kept);
    tcase_add_test(tc, n_tokens_are_taken_at_once_or_not_at_all);
    tcase_add_test(tc, no_rate_is_no_limit);
    tcase_add_test(tc, a_clock_that_steps_back_refills_nothing);
    tcase_add_test(tc, the_wait_is_exact);
    tcase_add_test(tc, extreme_values_do_not_overflow);
    suite_add_tcase(suite, tc);
    return suite;
}

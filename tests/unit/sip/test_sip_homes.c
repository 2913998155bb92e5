/* SPDX-License-Identifier: MIT */
#include "base/err.h"
#include "proxy/sip_homes.h"
#include "support/unit.h"

static struct sip_homes homes;
static const uint8_t seed[16] = {7};

static void setup(void)
{
    sip_homes_init(&homes, 3, seed);
}

static void teardown(void)
{
    sip_homes_deinit(&homes);
    ck_assert_no_blocks();
}

static int put(uint64_t tag, uint32_t worker, uint64_t stamp, uint64_t gone)
{
    const struct sip_home home = {.tag = tag,
                                  .flow = 100 + worker,
                                  .stamp = stamp,
                                  .worker = worker,
                                  .since = gone,
                                  .is_gone = gone > 0};

    return sip_homes_put(&homes, &home);
}

/* Two words about one client, in both orders: the same is known in the end. */
START_TEST(the_order_of_words_does_not_matter)
{
    for (int order = 0; order < 2; order++) {
        for (uint64_t stamps = 0; stamps < 3; stamps++) {
            (void)put(1, (uint32_t)order, 10 + (order ? stamps : 1), 0);
            (void)put(1, (uint32_t)!order, 10 + (order ? 1 : stamps), 0);
            ck_assert_uint_eq(sip_homes_find(&homes, 1)->worker,
                              stamps == 0 ? 0 : 1);
            sip_homes_clear(&homes);
        }
    }
}
END_TEST

START_TEST(an_end_counts_for_its_own_connection_only)
{
    ck_assert_int_eq(put(1, 0, 10, 0), 1);
    ck_assert_int_eq(put(1, 1, 11, 0), 1);
    ck_assert_int_eq(put(1, 0, 10, 50), 0);
    ck_assert(!sip_homes_find(&homes, 1)->is_gone);
    ck_assert_int_eq(put(1, 1, 11, 50), 1);
    ck_assert(sip_homes_find(&homes, 1)->is_gone);
    ck_assert_int_eq(put(1, 1, 11, 0), 0);
    ck_assert_int_eq(put(1, 0, 60, 0), 1);
    ck_assert(!sip_homes_find(&homes, 1)->is_gone);
}
END_TEST

START_TEST(who_is_there_is_not_forgotten_for_others)
{
    ck_assert_int_eq(put(1, 0, 10, 0), 1);
    ck_assert_int_eq(put(2, 0, 10, 30), 1);
    ck_assert_int_eq(put(3, 0, 10, 20), 1);
    ck_assert_int_eq(put(4, 0, 10, 0), 1); /* in the place of 2 */
    ck_assert_ptr_null(sip_homes_find(&homes, 2));
    ck_assert_int_eq(put(5, 0, 10, 0), 1); /* of 3 */
    ck_assert_int_eq(put(6, 0, 10, 0), ERR_LIMIT);
    ck_assert_ptr_nonnull(sip_homes_find(&homes, 1));
}
END_TEST

START_TEST(ends_are_swept)
{
    (void)put(1, 0, 10, 0);
    (void)put(2, 0, 10, 20);
    (void)put(3, 0, 10, 30);
    sip_homes_sweep(&homes, 20);
    ck_assert_ptr_null(sip_homes_find(&homes, 2));
    ck_assert_ptr_nonnull(sip_homes_find(&homes, 3));
    sip_homes_sweep(&homes, 1000);
    ck_assert_ptr_null(sip_homes_find(&homes, 3));
    ck_assert_ptr_nonnull(sip_homes_find(&homes, 1));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("sip_homes");
    TCase *tcase = tcase_create("homes");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_order_of_words_does_not_matter);
    tcase_add_test(tcase, an_end_counts_for_its_own_connection_only);
    tcase_add_test(tcase, who_is_there_is_not_forgotten_for_others);
    tcase_add_test(tcase, ends_are_swept);
    suite_add_tcase(suite, tcase);
    return suite;
}

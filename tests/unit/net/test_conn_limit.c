/* SPDX-License-Identifier: MIT */
#include "net/conn_limit.h"

#include "support/unit.h"

#include <errno.h>
#include <pthread.h>

static struct conn_limit *limit;

static void make(uint32_t total, uint32_t per_source)
{
    ck_assert_int_eq(conn_limit_new(&limit, total, per_source), 0);
}

static void teardown(void)
{
    conn_limit_unref(limit);
    limit = NULL;
    ck_assert_no_blocks();
}

static struct addr ip(const char *text)
{
    struct addr a;

    ck_assert_int_eq(addr_parse(span_str(text), &a), 0);
    return a;
}

static enum conn_verdict take(const char *text)
{
    struct addr a = ip(text);

    return conn_limit_take(limit, &a);
}

static void give(const char *text)
{
    struct addr a = ip(text);

    conn_limit_give(limit, &a);
}

START_TEST(each_source_has_its_own_count)
{
    make(0, 2);
    ck_assert_int_eq(take("192.0.2.1:1000"), CONN_OK);
    ck_assert_int_eq(take("192.0.2.1:1001"), CONN_OK);
    ck_assert_int_eq(take("192.0.2.1:1002"), CONN_SOURCE_REACHED);
    ck_assert_int_eq(take("192.0.2.2:1000"), CONN_OK);
    give("192.0.2.1:1000");
    ck_assert_int_eq(take("192.0.2.1:1003"), CONN_OK);
    ck_assert_uint_eq(conn_limit_open(limit), 3);
    give("192.0.2.1:1");
    give("192.0.2.1:1");
    give("192.0.2.2:1");
}
END_TEST

START_TEST(an_ipv6_network_is_one_source)
{
    make(0, 1);
    ck_assert_int_eq(take("[2001:db8:0:1::1]:5"), CONN_OK);
    ck_assert_int_eq(take("[2001:db8:0:1:ffff::2]:6"), CONN_SOURCE_REACHED);
    ck_assert_int_eq(take("[2001:db8:0:2::1]:5"), CONN_OK);
    give("[2001:db8:0:1::1]:5");
    give("[2001:db8:0:2::1]:5");
}
END_TEST

START_TEST(a_mapped_address_counts_as_ipv4)
{
    make(0, 1);
    ck_assert_int_eq(take("[::ffff:192.0.2.7]:5"), CONN_OK);
    ck_assert_int_eq(take("192.0.2.7:6"), CONN_SOURCE_REACHED);
    ck_assert_int_eq(take("[::ffff:192.0.2.8]:5"), CONN_OK);
    give("192.0.2.7:9");
    give("192.0.2.8:9");
}
END_TEST

START_TEST(the_total_holds_for_all_and_can_change)
{
    make(2, 0);
    ck_assert_int_eq(take("192.0.2.1:1"), CONN_OK);
    ck_assert_int_eq(take("192.0.2.2:1"), CONN_OK);
    ck_assert_int_eq(take("192.0.2.3:1"), CONN_TOTAL_REACHED);
    conn_limit_set(limit, 3, 0);
    ck_assert_int_eq(take("192.0.2.3:1"), CONN_OK);
    conn_limit_set(limit, 1, 0);
    ck_assert_int_eq(take("192.0.2.4:1"), CONN_TOTAL_REACHED);
    give("192.0.2.1:1");
    give("192.0.2.2:1");
    give("192.0.2.3:1");
    ck_assert_uint_eq(conn_limit_open(limit), 0);
}
END_TEST

static void *take_and_give(void *arg)
{
    unsigned *most = arg;

    for (int i = 0; i < 20000; i++) {
        struct addr a = addr_v4(0xc0000200 + (uint32_t)(i % 50), 1);

        if (conn_limit_take(limit, &a) != CONN_OK)
            continue;
        if (conn_limit_open(limit) > *most)
            *most = conn_limit_open(limit);
        conn_limit_give(limit, &a);
    }
    return NULL;
}

START_TEST(threads_share_one_limit)
{
    pthread_t threads[3];
    unsigned most[3] = {0};

    make(2, 1);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(
            pthread_create(&threads[i], NULL, take_and_give, &most[i]), 0);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_uint_le(most[i], 2);
    }
    ck_assert_uint_eq(conn_limit_open(limit), 0);
}
END_TEST

START_TEST(out_of_memory_refuses)
{
    int err = 0;

    CK_OOM_SWEEP(err, err = conn_limit_new(&limit, 0, 0));
    for (long n = 0; n < 2; n++) {
        mem_fail_at(n);
        ck_assert_int_eq(take("192.0.2.1:1"), CONN_SOURCE_REACHED);
        mem_fail_at(-1);
        ck_assert_uint_eq(conn_limit_open(limit), 0);
    }
    ck_assert_int_eq(take("192.0.2.1:1"), CONN_OK);
    give("192.0.2.1:1");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("conn_limit");
    TCase *tc = tcase_create("conn_limit");

    tcase_add_checked_fixture(tc, NULL, teardown);
    tcase_add_test(tc, each_source_has_its_own_count);
    tcase_add_test(tc, an_ipv6_network_is_one_source);
    tcase_add_test(tc, a_mapped_address_counts_as_ipv4);
    tcase_add_test(tc, the_total_holds_for_all_and_can_change);
    tcase_add_test(tc, threads_share_one_limit);
    tcase_add_test(tc, out_of_memory_refuses);
    suite_add_tcase(s, tc);
    return s;
}

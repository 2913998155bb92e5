/* SPDX-License-Identifier: MIT */
#include "base/pool.h"

#include "support/unit.h"

#include <errno.h>
#include <stddef.h>

static struct pool *pool;

static void teardown(void)
{
    pool_free(pool);
    pool = NULL;
    ck_assert_no_blocks();
}

START_TEST(senseless_sizes_are_refused)
{
    ck_assert_int_eq(pool_new(&pool, 0, 10), -EINVAL);
    ck_assert_int_eq(pool_new(&pool, 10, 0), -EINVAL);
    ck_assert_int_eq(pool_new(&pool, SIZE_MAX, 10), -EINVAL);
    ck_assert_int_eq(pool_new(&pool, 10, UINT32_MAX), -EINVAL);
    ck_assert_ptr_null(pool);
}
END_TEST

START_TEST(items_are_zeroed_and_aligned)
{
    static const uint8_t zero[33];
    struct pool_id id;

    ck_assert_int_eq(pool_new(&pool, 33, 5), 0);
    for (int round = 0; round < 3; round++) {
        uint8_t *items[5];

        for (size_t i = 0; i < 5; i++) {
            items[i] = pool_take(pool, &id);
            ck_assert_mem_eq(items[i], zero, 33);
            ck_assert_uint_eq((uintptr_t)items[i] % _Alignof(max_align_t), 0);
            memset(items[i], 0xff, 33);
        }
        for (size_t i = 0; i < 5; i++)
            pool_give(pool, items[i]);
    }
}
END_TEST

START_TEST(the_pool_is_full_at_its_maximum)
{
    struct pool_id id = {7, 7};
    void *item = NULL;

    ck_assert_int_eq(pool_new(&pool, 8, 3), 0);
    ck_assert_uint_eq(pool_max(pool), 3);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(pool_count(pool), i);
        item = pool_take(pool, &id);
        ck_assert_ptr_nonnull(item);
    }
    ck_assert_ptr_null(pool_take(pool, &id));
    pool_give(pool, item);
    ck_assert_uint_eq(pool_count(pool), 2);
    ck_assert_ptr_nonnull(pool_take(pool, &id));
}
END_TEST

START_TEST(an_id_finds_its_item_until_it_is_given_back)
{
    struct pool_id first;
    struct pool_id second;
    void *item;

    ck_assert_int_eq(pool_new(&pool, 8, 1), 0);
    item = pool_take(pool, &first);
    ck_assert_uint_eq(first.generation, 1);
    ck_assert_ptr_eq(pool_find(pool, first), item);
    pool_give(pool, item);
    ck_assert_ptr_null(pool_find(pool, first));
    item = pool_take(pool, &second);
    ck_assert_uint_eq(second.slot, first.slot);
    ck_assert_ptr_null(pool_find(pool, first));
    ck_assert_ptr_eq(pool_find(pool, second), item);
}
END_TEST

START_TEST(foreign_ids_find_nothing)
{
    struct pool_id id;

    ck_assert_int_eq(pool_new(&pool, 8, 10), 0);
    ck_assert_ptr_null(pool_find(pool, (struct pool_id){0, 0}));
    ck_assert_ptr_null(pool_find(pool, (struct pool_id){0, 1}));
    ck_assert_ptr_nonnull(pool_take(pool, &id));
    ck_assert_ptr_null(pool_find(pool, (struct pool_id){0, 0}));
    ck_assert_ptr_null(pool_find(pool, (struct pool_id){1, 1}));
    ck_assert_ptr_null(pool_find(pool, (struct pool_id){UINT32_MAX, 1}));
}
END_TEST

START_TEST(the_id_of_an_item_is_the_one_it_was_taken_with)
{
    ck_assert_int_eq(pool_new(&pool, 100, 5000), 0);
    for (int i = 0; i < 5000; i++) {
        struct pool_id id;
        void *item = pool_take(pool, &id);
        struct pool_id again = pool_id_of(pool, item);

        ck_assert_uint_eq(again.slot, id.slot);
        ck_assert_uint_eq(again.generation, id.generation);
        ck_assert_uint_eq(pool_id_u64(pool_id_from_u64(pool_id_u64(id))),
                          pool_id_u64(id));
    }
}
END_TEST

START_TEST(items_never_move)
{
    enum { N = 20000 };
    static uint32_t *items[N];
    static struct pool_id ids[N];

    ck_assert_int_eq(pool_new(&pool, sizeof(uint32_t), N), 0);
    for (uint32_t i = 0; i < N; i++) {
        items[i] = pool_take(pool, &ids[i]);
        *items[i] = i;
    }
    for (uint32_t i = 0; i < N; i++) {
        ck_assert_ptr_eq(pool_find(pool, ids[i]), items[i]);
        ck_assert_uint_eq(*items[i], i);
    }
}
END_TEST

START_TEST(memory_is_taken_as_the_pool_fills)
{
    struct pool_id id;
    long empty;

    ck_assert_int_eq(pool_new(&pool, 1000, 100000), 0);
    empty = mem_live_blocks();
    ck_assert_ptr_nonnull(pool_take(pool, &id));
    ck_assert_int_eq(mem_live_blocks(), empty + 1);
    for (int i = 0; i < 2000; i++)
        ck_assert_ptr_nonnull(pool_take(pool, &id));
    ck_assert_int_gt(mem_live_blocks(), empty + 1);
    ck_assert_int_lt(mem_live_blocks(), empty + 200);
}
END_TEST

START_TEST(large_items_have_a_chunk_each)
{
    struct pool_id id;
    void *a;
    void *b;

    ck_assert_int_eq(pool_new(&pool, 300000, 2), 0);
    a = pool_take(pool, &id);
    b = pool_take(pool, &id);
    memset(a, 1, 300000);
    memset(b, 2, 300000);
    ck_assert_uint_eq(*(uint8_t *)a, 1);
    ck_assert_ptr_null(pool_take(pool, &id));
}
END_TEST

START_TEST(a_walk_sees_live_items_and_may_give_them_back)
{
    struct pool_id id;
    uint32_t pos = 0;
    uint32_t n = 0;
    int *item;

    ck_assert_int_eq(pool_new(&pool, sizeof(int), 100), 0);
    ck_assert_ptr_null(pool_each(pool, &pos));
    for (int i = 0; i < 100; i++) {
        item = pool_take(pool, &id);
        *item = i;
    }
    pos = 0;
    while ((item = pool_each(pool, &pos)) != NULL) {
        if (*item % 3)
            pool_give(pool, item);
        n++;
    }
    ck_assert_uint_eq(n, 100);
    ck_assert_uint_eq(pool_count(pool), 34);
    pos = 0;
    n = 0;
    while ((item = pool_each(pool, &pos)) != NULL) {
        ck_assert_int_eq(*item % 3, 0);
        n++;
    }
    ck_assert_uint_eq(n, 34);
}
END_TEST

static int make_and_fill(void)
{
    struct pool_id id;
    int err = pool_new(&pool, 5000, 50);

    if (err < 0)
        return err;
    for (int i = 0; i < 50; i++) {
        if (!pool_take(pool, &id)) {
            ck_assert_uint_eq(pool_count(pool), (uint32_t)i);
            pool_free(pool);
            pool = NULL;
            ck_assert_no_blocks();
            return -ENOMEM;
        }
    }
    return 0;
}

START_TEST(a_failed_allocation_is_a_full_pool)
{
    int err;

    CK_OOM_SWEEP(err, err = make_and_fill());
}
END_TEST

START_TEST(freeing_no_pool_is_fine)
{
    pool_free(NULL);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("pool");
    TCase *tc = tcase_create("pool");

    tcase_add_checked_fixture(tc, NULL, teardown);
    tcase_add_test(tc, senseless_sizes_are_refused);
    tcase_add_test(tc, items_are_zeroed_and_aligned);
    tcase_add_test(tc, the_pool_is_full_at_its_maximum);
    tcase_add_test(tc, an_id_finds_its_item_until_it_is_given_back);
    tcase_add_test(tc, foreign_ids_find_nothing);
    tcase_add_test(tc, the_id_of_an_item_is_the_one_it_was_taken_with);
    tcase_add_test(tc, items_never_move);
    tcase_add_test(tc, memory_is_taken_as_the_pool_fills);
    tcase_add_test(tc, large_items_have_a_chunk_each);
    tcase_add_test(tc, a_walk_sees_live_items_and_may_give_them_back);
    tcase_add_test(tc, a_failed_allocation_is_a_full_pool);
    tcase_add_test(tc, freeing_no_pool_is_fine);
    suite_add_tcase(suite, tc);
    return suite;
}

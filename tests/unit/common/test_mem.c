/* SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include "support/unit.h"

#include <pthread.h>

struct outer {
    int before;
    int member;
};

START_TEST(blocks_are_counted_up_and_down)
{
    long before = mem_live_blocks();
    void *a = mem_alloc(10);
    void *b = mem_zalloc(10);

    ck_assert_int_eq(mem_live_blocks(), before + 2);
    a = mem_realloc(a, 1000);
    ck_assert_int_eq(mem_live_blocks(), before + 2);
    mem_free(a);
    mem_free(b);
    ck_assert_int_eq(mem_live_blocks(), before);
    mem_free(NULL);
    ck_assert_int_eq(mem_live_blocks(), before);
}
END_TEST

START_TEST(zero_bytes_are_never_null)
{
    void *p[5] = {mem_alloc(0), mem_zalloc(0), mem_zarray(0, 8),
                  mem_zarray(8, 0), mem_realloc(NULL, 0)};

    for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
        ck_assert_ptr_nonnull(p[i]);
        p[i] = mem_realloc(p[i], 0);
        ck_assert_ptr_nonnull(p[i]);
        mem_free(p[i]);
    }
    ck_assert_no_blocks();
}
END_TEST

START_TEST(zalloc_and_zarray_are_zero)
{
    static const uint8_t zero[400];
    uint8_t *p = mem_zalloc(400);
    uint8_t *q = mem_zarray(100, 4);

    ck_assert_mem_eq(p, zero, 400);
    ck_assert_mem_eq(q, zero, 400);
    mem_free(p);
    mem_free(q);
}
END_TEST

START_TEST(an_overflowing_array_is_refused)
{
    volatile size_t half = SIZE_MAX / 2 + 1;

    ck_assert_ptr_null(mem_zarray(half, 2));
    ck_assert_ptr_null(mem_zarray(2, half));
    ck_assert_ptr_null(mem_dup("x", SIZE_MAX));
    ck_assert_no_blocks();
}
END_TEST

START_TEST(realloc_keeps_content_and_the_old_block_on_failure)
{
    char *p = mem_dup("abc", 3);
    char *q;

    p = mem_realloc(p, 100000);
    ck_assert_mem_eq(p, "abc", 4);
    mem_fail_at(0);
    q = mem_realloc(p, 200000);
    ck_assert_ptr_null(q);
    ck_assert_mem_eq(p, "abc", 4);
    mem_free(p);
    ck_assert_no_blocks();
}
END_TEST

START_TEST(dup_appends_a_nul_that_is_not_counted)
{
    char *p = mem_dup("a\0b", 3);
    char *empty = mem_dup(NULL, 0);
    char *text = mem_strdup("text");

    ck_assert_mem_eq(p, "a\0b\0", 4);
    ck_assert_str_eq(empty, "");
    ck_assert_str_eq(text, "text");
    mem_free(p);
    mem_free(empty);
    mem_free(text);
}
END_TEST

START_TEST(the_nth_allocation_fails_once)
{
    void *a;
    void *b;

    mem_fail_at(1);
    a = mem_alloc(1);
    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_null(mem_zalloc(1));
    b = mem_zarray(1, 1);
    ck_assert_ptr_nonnull(b);
    mem_fail_at(0);
    mem_fail_at(-1);
    ck_assert_ptr_nonnull(b = mem_realloc(b, 2));
    mem_free(a);
    mem_free(b);
    ck_assert_no_blocks();
}
END_TEST

static void *allocate_elsewhere(void *arg)
{
    (void)arg;
    return mem_alloc(1);
}

START_TEST(a_planned_failure_hits_the_calling_thread_only)
{
    pthread_t thread;
    void *elsewhere = NULL;

    mem_fail_at(0);
    ck_assert_int_eq(pthread_create(&thread, NULL, allocate_elsewhere, NULL),
                     0);
    pthread_join(thread, &elsewhere);
    ck_assert_ptr_nonnull(elsewhere);
    ck_assert_ptr_null(mem_alloc(1));
    mem_free(elsewhere);
}
END_TEST

START_TEST(wipe_clears_exactly_the_given_bytes)
{
    uint8_t data[6] = {1, 2, 3, 4, 5, 6};

    mem_wipe(data + 1, 4);
    ck_assert_mem_eq(data, "\1\0\0\0\0\6", 6);
    mem_wipe(NULL, 0);
}
END_TEST

START_TEST(secrets_are_equal_only_when_every_byte_is)
{
    uint8_t a[32] = {0};
    uint8_t b[32] = {0};

    ck_assert(mem_equal_secret(a, b, sizeof(a)));
    for (size_t i = 0; i < sizeof(a); i++) {
        for (int bit = 0; bit < 8; bit++) {
            b[i] = (uint8_t)(1 << bit);
            ck_assert(!mem_equal_secret(a, b, sizeof(a)));
        }
        b[i] = 0;
    }
    ck_assert(mem_equal_secret(NULL, NULL, 0));
}
END_TEST

START_TEST(container_of_finds_the_struct_around_a_member)
{
    struct outer o = {1, 2};
    int *member = &o.member;

    ck_assert_ptr_eq(CONTAINER_OF(member, struct outer, member), &o);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("mem");
    TCase *tc = tcase_create("mem");

    tcase_add_test(tc, blocks_are_counted_up_and_down);
    tcase_add_test(tc, zero_bytes_are_never_null);
    tcase_add_test(tc, zalloc_and_zarray_are_zero);
    tcase_add_test(tc, an_overflowing_array_is_refused);
    tcase_add_test(tc, realloc_keeps_content_and_the_old_block_on_failure);
    tcase_add_test(tc, dup_appends_a_nul_that_is_not_counted);
    tcase_add_test(tc, the_nth_allocation_fails_once);
    tcase_add_test(tc, a_planned_failure_hits_the_calling_thread_only);
    tcase_add_test(tc, wipe_clears_exactly_the_given_bytes);
    tcase_add_test(tc, secrets_are_equal_only_when_every_byte_is);
    tcase_add_test(tc, container_of_finds_the_struct_around_a_member);
    suite_add_tcase(suite, tc);
    return suite;
}

/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include "base/err.h"
#include "support/unit.h"

#include <errno.h>
#include <inttypes.h>

static struct buf buf;

static void teardown(void)
{
    buf_deinit(&buf);
    ck_assert_no_blocks();
}

START_TEST(nothing_is_allocated_before_the_first_write)
{
    buf_init(&buf, 100);
    ck_assert_no_blocks();
    ck_assert_uint_eq(buf_len(&buf), 0);
    ck_assert_uint_eq(buf_span(&buf).len, 0);
    ck_assert_uint_eq(buf_room(&buf), 100);
    buf_put(&buf, NULL, 0);
    buf_put_str(&buf, "");
    ck_assert_no_blocks();
    ck_assert_int_eq(buf_err(&buf), 0);
}
END_TEST

START_TEST(each_writer_appends)
{
    buf_init(&buf, 1000);
    buf_put(&buf, "a\0b", 3);
    buf_put_span(&buf, span_str("-span"));
    buf_put_str(&buf, "-str");
    buf_put_byte(&buf, '!');
    buf_put_u64(&buf, 0);
    buf_put_u64(&buf, UINT64_MAX);
    buf_printf(&buf, " %s=%d", "n", -5);
    ck_assert_int_eq(buf_err(&buf), 0);
    ck_assert(
        span_equal(buf_span(&buf),
                   span_of("a\0b-span-str!018446744073709551615 n=-5", 39)));
}
END_TEST

START_TEST(the_maximum_can_be_reached_but_not_passed)
{
    for (size_t max = 0; max < 600; max += 37) {
        buf_init(&buf, max);
        for (size_t i = 0; i < max; i++)
            buf_put_byte(&buf, (uint8_t)i);
        ck_assert_int_eq(buf_err(&buf), 0);
        ck_assert_uint_eq(buf_room(&buf), 0);
        buf_put_byte(&buf, 1);
        ck_assert_int_eq(buf_err(&buf), ERR_LIMIT);
        ck_assert_uint_eq(buf_len(&buf), max);
        for (size_t i = 0; i < max; i++)
            ck_assert_uint_eq(buf_span(&buf).ptr[i], (uint8_t)i);
        buf_deinit(&buf);
    }
}
END_TEST

START_TEST(printf_may_fill_it_to_the_last_byte)
{
    for (int max = 0; max < 700; max++) {
        buf_init(&buf, (size_t)max);
        buf_printf(&buf, "%*s", max, "");
        ck_assert_int_eq(buf_err(&buf), 0);
        ck_assert_uint_eq(buf_len(&buf), (size_t)max);
        buf_printf(&buf, "x");
        ck_assert_int_eq(buf_err(&buf), ERR_LIMIT);
        buf_deinit(&buf);
    }
}
END_TEST

START_TEST(after_a_failure_nothing_is_written_until_reset)
{
    buf_init(&buf, 5);
    buf_put_str(&buf, "abc");
    buf_put_str(&buf, "defg");
    ck_assert_int_eq(buf_err(&buf), ERR_LIMIT);
    buf_put_byte(&buf, 'x');
    buf_printf(&buf, "y");
    buf_put_u64(&buf, 1);
    ck_assert_ptr_null(buf_reserve(&buf, 1));
    ck_assert_span_eq(buf_span(&buf), "abc");
    buf_reset(&buf);
    ck_assert_int_eq(buf_err(&buf), 0);
    buf_put_str(&buf, "12345");
    ck_assert_span_eq(buf_span(&buf), "12345");
}
END_TEST

START_TEST(a_huge_length_is_a_limit_and_not_an_overflow)
{
    buf_init(&buf, SIZE_MAX);
    buf_put_byte(&buf, 1);
    ck_assert_ptr_null(buf_reserve(&buf, SIZE_MAX));
    ck_assert_int_eq(buf_err(&buf), ERR_LIMIT);
}
END_TEST

START_TEST(reserve_and_commit_write_in_place)
{
    uint8_t *p;

    buf_init(&buf, 1000);
    p = buf_reserve(&buf, 900);
    ck_assert_ptr_nonnull(p);
    memset(p, 'z', 900);
    ck_assert_uint_eq(buf_len(&buf), 0);
    buf_commit(&buf, 3);
    ck_assert_span_eq(buf_span(&buf), "zzz");
    ck_assert_ptr_nonnull(buf_reserve(&buf, 0));
    ck_assert_ptr_null(buf_reserve(&buf, 998));
    ck_assert_int_eq(buf_err(&buf), ERR_LIMIT);
}
END_TEST

START_TEST(reserving_nothing_gives_a_pointer_even_when_empty)
{
    buf_init(&buf, 0);
    ck_assert_ptr_nonnull(buf_reserve(&buf, 0));
    ck_assert_int_eq(buf_err(&buf), 0);
}
END_TEST

START_TEST(consume_takes_from_the_front_and_at_most_all)
{
    buf_init(&buf, 100);
    buf_put_str(&buf, "hello");
    buf_consume(&buf, 2);
    ck_assert_span_eq(buf_span(&buf), "llo");
    buf_put_str(&buf, "!");
    ck_assert_span_eq(buf_span(&buf), "llo!");
    buf_consume(&buf, 99);
    ck_assert_uint_eq(buf_len(&buf), 0);
    ck_assert_uint_eq(buf_room(&buf), 100);
}
END_TEST

/* A byte in, a byte out, for ever: the consumed space is used again. */
START_TEST(a_queue_stays_within_its_maximum)
{
    uint8_t in = 0;
    uint8_t out = 0;

    buf_init(&buf, 300);
    for (int i = 0; i < 280; i++)
        buf_put_byte(&buf, in++);
    for (int i = 0; i < 10000; i++) {
        for (int k = 0; k < i % 19; k++)
            buf_put_byte(&buf, in++);
        ck_assert_int_eq(buf_err(&buf), 0);
        for (int k = 0; k < i % 19; k++) {
            ck_assert(
                span_equal(span_head(buf_span(&buf), 1), span_of(&out, 1)));
            out++;
            buf_consume(&buf, 1);
        }
        ck_assert_uint_eq(buf_len(&buf), 280);
        ck_assert_uint_le(buf.cap, 301);
    }
}
END_TEST

START_TEST(shrink_gives_back_the_memory_of_an_empty_buffer_only)
{
    buf_init(&buf, 100);
    buf_put_str(&buf, "x");
    buf_shrink(&buf);
    ck_assert_span_eq(buf_span(&buf), "x");
    buf_consume(&buf, 1);
    buf_shrink(&buf);
    ck_assert_no_blocks();
    buf_put_str(&buf, "again");
    ck_assert_span_eq(buf_span(&buf), "again");
}
END_TEST

START_TEST(deinit_leaves_a_usable_empty_buffer)
{
    buf_init(&buf, 3);
    buf_put_str(&buf, "abcd");
    buf_deinit(&buf);
    ck_assert_no_blocks();
    ck_assert_int_eq(buf_err(&buf), 0);
    buf_put_str(&buf, "abc");
    ck_assert_span_eq(buf_span(&buf), "abc");
}
END_TEST

static int write_much(void)
{
    buf_init(&buf, 100000);
    for (int i = 0; i < 300; i++) {
        buf_put_str(&buf, "0123456789");
        buf_printf(&buf, "%0100d", i);
        if (i % 3 == 0)
            buf_consume(&buf, 50);
    }
    if (buf_err(&buf) < 0) {
        int err = buf_err(&buf);

        buf_deinit(&buf);
        ck_assert_no_blocks();
        return err;
    }
    return 0;
}

START_TEST(a_failed_allocation_is_sticky_and_leaks_nothing)
{
    int err;

    CK_OOM_SWEEP(err, err = write_much());
}
END_TEST

START_TEST(what_was_written_survives_a_failed_allocation)
{
    buf_init(&buf, 100000);
    buf_put_str(&buf, "kept");
    mem_fail_at(0);
    buf_printf(&buf, "%500d", 1);
    mem_fail_at(-1);
    ck_assert_int_eq(buf_err(&buf), -ENOMEM);
    ck_assert_span_eq(buf_span(&buf), "kept");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("buf");
    TCase *tc = tcase_create("buf");

    tcase_add_checked_fixture(tc, NULL, teardown);
    tcase_add_test(tc, nothing_is_allocated_before_the_first_write);
    tcase_add_test(tc, each_writer_appends);
    tcase_add_test(tc, the_maximum_can_be_reached_but_not_passed);
    tcase_add_test(tc, printf_may_fill_it_to_the_last_byte);
    tcase_add_test(tc, after_a_failure_nothing_is_written_until_reset);
    tcase_add_test(tc, a_huge_length_is_a_limit_and_not_an_overflow);
    tcase_add_test(tc, reserve_and_commit_write_in_place);
    tcase_add_test(tc, reserving_nothing_gives_a_pointer_even_when_empty);
    tcase_add_test(tc, consume_takes_from_the_front_and_at_most_all);
    tcase_add_test(tc, a_queue_stays_within_its_maximum);
    tcase_add_test(tc, shrink_gives_back_the_memory_of_an_empty_buffer_only);
    tcase_add_test(tc, deinit_leaves_a_usable_empty_buffer);
    tcase_add_test(tc, a_failed_allocation_is_sticky_and_leaks_nothing);
    tcase_add_test(tc, what_was_written_survives_a_failed_allocation);
    suite_add_tcase(suite, tc);
    return suite;
}

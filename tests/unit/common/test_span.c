/* SPDX-License-Identifier: MIT */
#include "base/span.h"

#include "base/err.h"
#include "support/unit.h"

static const struct span nothing = {NULL, 0};

START_TEST(equality_looks_at_length_and_bytes)
{
    ck_assert(span_equal(span_of("a\0b", 3), span_of("a\0b", 3)));
    ck_assert(!span_equal(span_of("a\0b", 3), span_of("a\0c", 3)));
    ck_assert(!span_is(span_of("ab", 1), "ab"));
    ck_assert(!span_is(span_str("abc"), "ab"));
    ck_assert(span_equal(nothing, span_str("")));
    ck_assert(span_is(nothing, ""));
}
END_TEST

START_TEST(nocase_folds_ascii_letters_only)
{
    ck_assert(span_is_nocase(span_str("Content-LENGTH"), "content-length"));
    ck_assert(!span_is_nocase(span_str("content-lengtg"), "content-length"));
    ck_assert(!span_is_nocase(span_str("content"), "content-length"));
    /* '@' and '`', '[' and '{', differ in the case bit but are no letters */
    ck_assert(!span_is_nocase(span_str("@"), "`"));
    ck_assert(!span_is_nocase(span_str("["), "{"));
    ck_assert(!span_is_nocase(span_str("\xc4"), "\xe4"));
    ck_assert(!span_is_nocase(span_str("\r"), "-"));
    ck_assert(span_equal_nocase(nothing, nothing));
}
END_TEST

START_TEST(prefixes_and_suffixes)
{
    ck_assert(span_starts(span_str("sips:x"), "sips:"));
    ck_assert(!span_starts(span_str("sip"), "sips"));
    ck_assert(!span_starts(span_str("SIPS:x"), "sips:"));
    ck_assert(span_starts_nocase(span_str("SIPS:x"), "sips:"));
    ck_assert(span_starts(nothing, ""));
    ck_assert(!span_starts(nothing, "x"));
    ck_assert(span_ends_nocase(span_str("a.EXAMPLE"), ".example"));
    ck_assert(!span_ends_nocase(span_str("example"), ".example"));
    ck_assert(span_ends_nocase(nothing, ""));
    ck_assert(!span_ends_nocase(nothing, "x"));
}
END_TEST

START_TEST(head_and_tail_stay_inside)
{
    struct span s = span_str("hello");

    ck_assert_span_eq(span_head(s, 2), "he");
    ck_assert_span_eq(span_head(s, 99), "hello");
    ck_assert_span_eq(span_from(s, 2), "llo");
    ck_assert_span_eq(span_from(s, 5), "");
    ck_assert_span_eq(span_from(s, 99), "");
    ck_assert_ptr_eq(span_from(s, 99).ptr, s.ptr + 5);
    ck_assert_span_eq(span_from(nothing, 3), "");
    ck_assert_span_eq(span_head(nothing, 3), "");
}
END_TEST

START_TEST(find_and_search_give_the_first_index)
{
    struct span s = span_of("a,b\0,c", 6);

    ck_assert_int_eq(span_find(s, ','), 1);
    ck_assert_int_eq(span_find(s, '\0'), 3);
    ck_assert_int_eq(span_find(s, 'x'), -1);
    ck_assert_int_eq(span_find(nothing, 'x'), -1);
    ck_assert_int_eq(span_search(s, span_of("\0,", 2)), 3);
    ck_assert_int_eq(span_search(s, span_str(",c")), 4);
    ck_assert_int_eq(span_search(s, span_str("zz")), -1);
    ck_assert_int_eq(span_search(span_str("ab"), span_str("abc")), -1);
    ck_assert_int_eq(span_search(s, nothing), 0);
    ck_assert_int_eq(span_search(nothing, nothing), 0);
    ck_assert_int_eq(span_search(nothing, span_str("a")), -1);
}
END_TEST

START_TEST(cut_splits_at_the_first_and_writes_nothing_without)
{
    struct span head = span_str("before");
    struct span tail = span_str("before");

    ck_assert(!span_cut(span_str("abc"), ':', &head, &tail));
    ck_assert_span_eq(head, "before");
    ck_assert_span_eq(tail, "before");
    ck_assert(span_cut(span_str("a:b:c"), ':', &head, &tail));
    ck_assert_span_eq(head, "a");
    ck_assert_span_eq(tail, "b:c");
    ck_assert(span_cut(span_str(":"), ':', &head, &tail));
    ck_assert_span_eq(head, "");
    ck_assert_span_eq(tail, "");
    ck_assert(!span_cut(nothing, ':', &head, &tail));
}
END_TEST

START_TEST(cut_may_write_over_its_input)
{
    struct span s = span_str("a:b");
    struct span other;

    ck_assert(span_cut(s, ':', &s, &other));
    ck_assert_span_eq(s, "a");
    ck_assert_span_eq(other, "b");
    s = span_str("a:b");
    ck_assert(span_cut(s, ':', &other, &s));
    ck_assert_span_eq(other, "a");
    ck_assert_span_eq(s, "b");
}
END_TEST

START_TEST(next_walks_a_list)
{
    static const char *const parts[] = {"a", "", "bc", "d"};
    struct span rest = span_str("a,,bc,d");
    struct span item;
    size_t n = 0;

    while (span_next(&rest, ',', &item)) {
        ck_assert_uint_lt(n, ARRAY_SIZE(parts));
        ck_assert_span_eq(item, parts[n]);
        n++;
    }
    ck_assert_uint_eq(n, ARRAY_SIZE(parts));
    ck_assert(!span_next(&rest, ',', &item));
}
END_TEST

START_TEST(trim_takes_spaces_and_tabs_only)
{
    ck_assert_span_eq(span_trim(span_str(" \t a b\t ")), "a b");
    ck_assert_span_eq(span_trim(span_str("\r\na\n")), "\r\na\n");
    ck_assert_span_eq(span_trim(span_str(" \t ")), "");
    ck_assert_span_eq(span_trim(nothing), "");
}
END_TEST

START_TEST(numbers_are_digits_within_the_maximum)
{
    static const char *const bad[] = {"",    " 1",  "1 ", "+1", "-1", "0x1",
                                      "1.0", "1\n", "a",  "٣",  "256"};
    uint64_t value = 77;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        ck_assert_int_eq(span_to_u64(span_str(bad[i]), 255, &value), ERR_PARSE);
    ck_assert_int_eq(span_to_u64(span_of("1\0", 2), 255, &value), ERR_PARSE);
    ck_assert_uint_eq(value, 77);
    ck_assert_int_eq(span_to_u64(span_str("255"), 255, &value), 0);
    ck_assert_uint_eq(value, 255);
    ck_assert_int_eq(
        span_to_u64(span_str("000000000000000000000000007"), 255, &value), 0);
    ck_assert_uint_eq(value, 7);
    ck_assert_int_eq(span_to_u64(span_str("0"), 0, &value), 0);
    ck_assert_uint_eq(value, 0);
}
END_TEST

START_TEST(numbers_do_not_wrap_around)
{
    uint64_t value = 77;
    uint32_t small = 77;

    ck_assert_int_eq(
        span_to_u64(span_str("18446744073709551615"), UINT64_MAX, &value), 0);
    ck_assert_uint_eq(value, UINT64_MAX);
    ck_assert_int_eq(
        span_to_u64(span_str("18446744073709551616"), UINT64_MAX, &value),
        ERR_PARSE);
    ck_assert_int_eq(
        span_to_u64(span_str("99999999999999999999"), UINT64_MAX, &value),
        ERR_PARSE);
    ck_assert_int_eq(span_to_u32(span_str("4294967295"), UINT32_MAX, &small),
                     0);
    ck_assert_uint_eq(small, UINT32_MAX);
    ck_assert_int_eq(span_to_u32(span_str("4294967296"), UINT32_MAX, &small),
                     ERR_PARSE);
    ck_assert_uint_eq(small, UINT32_MAX);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("span");
    TCase *tc = tcase_create("span");

    tcase_add_test(tc, equality_looks_at_length_and_bytes);
    tcase_add_test(tc, nocase_folds_ascii_letters_only);
    tcase_add_test(tc, prefixes_and_suffixes);
    tcase_add_test(tc, head_and_tail_stay_inside);
    tcase_add_test(tc, find_and_search_give_the_first_index);
    tcase_add_test(tc, cut_splits_at_the_first_and_writes_nothing_without);
    tcase_add_test(tc, cut_may_write_over_its_input);
    tcase_add_test(tc, next_walks_a_list);
    tcase_add_test(tc, trim_takes_spaces_and_tabs_only);
    tcase_add_test(tc, numbers_are_digits_within_the_maximum);
    tcase_add_test(tc, numbers_do_not_wrap_around);
    suite_add_tcase(suite, tc);
    return suite;
}

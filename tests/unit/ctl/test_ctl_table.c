/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_table.h"

#include "base/err.h"
#include "support/unit.h"

#include <errno.h>

static struct ctl_table table;
static struct buf out;

static void setup(void)
{
    static const char *const titles[] = {"NAME", ">N"};

    ctl_table_init(&table, titles, 2);
    buf_init(&out, 4096);
}

static void teardown(void)
{
    ctl_table_deinit(&table);
    buf_deinit(&out);
    ck_assert_no_blocks();
}

START_TEST(columns_are_aligned_by_characters)
{
    ctl_table_put(&table, "caf\xc3\xa9");
    ctl_table_put(&table, "%d", 5);
    ctl_table_put(&table, "longer");
    ctl_table_put(&table, "%d", 1234);
    ctl_table_print(&table, CTL_TEXT, &out);
    ck_assert_span_eq(buf_span(&out), "NAME       N\n"
                                      "caf\xc3\xa9       5\n"
                                      "longer  1234\n");
}
END_TEST

START_TEST(csv_quotes_commas_and_quotes)
{
    ctl_table_put(&table, "a,\"b\"");
    ctl_table_put(&table, "1");
    ctl_table_print(&table, CTL_CSV, &out);
    ck_assert_span_eq(buf_span(&out), "NAME,N\r\n\"a,\"\"b\"\"\",1\r\n");
}
END_TEST

START_TEST(markdown_escapes_its_bars)
{
    ctl_table_put(&table, "a|b");
    ctl_table_put(&table, "1");
    ctl_table_print(&table, CTL_MARKDOWN, &out);
    ck_assert_span_eq(buf_span(&out),
                      "| NAME | N |\n| --- | ---: |\n| a\\|b | 1 |\n");
}
END_TEST

START_TEST(what_is_shown_cannot_drive_the_terminal)
{
    ctl_table_put(&table, "\033[2Jx\n");
    ctl_table_put(&table, "1");
    ctl_table_print(&table, CTL_CSV, &out);
    ck_assert_span_eq(buf_span(&out), "NAME,N\r\n?[2Jx?,1\r\n");
}
END_TEST

START_TEST(lines_are_screened_too)
{
    ctl_screen(span_of("a\033]0;x\007\x7f\0 caf\xc3\xa9", 15), &out);
    ck_assert_span_eq(buf_span(&out), "a?]0;x??? caf\xc3\xa9");
}
END_TEST

START_TEST(running_out_of_memory_shows_in_the_output)
{
    mem_fail_at(1);
    ctl_table_put(&table, "x");
    mem_fail_at(-1);
    ctl_table_print(&table, CTL_TEXT, &out);
    ck_assert_int_eq(buf_err(&out), -ENOMEM);
}
END_TEST

START_TEST(times_have_two_units)
{
    char text[32];

    ck_assert_str_eq(ctl_time_str(0, text, sizeof(text)), "0s");
    ck_assert_str_eq(ctl_time_str(61, text, sizeof(text)), "1m 1s");
    ck_assert_str_eq(ctl_time_str(7260, text, sizeof(text)), "2h 1m");
    ck_assert_str_eq(ctl_time_str(90000, text, sizeof(text)), "1d 1h");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("ctl_table");
    TCase *tc = tcase_create("all");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, columns_are_aligned_by_characters);
    tcase_add_test(tc, csv_quotes_commas_and_quotes);
    tcase_add_test(tc, markdown_escapes_its_bars);
    tcase_add_test(tc, what_is_shown_cannot_drive_the_terminal);
    tcase_add_test(tc, lines_are_screened_too);
    tcase_add_test(tc, running_out_of_memory_shows_in_the_output);
    tcase_add_test(tc, times_have_two_units);
    suite_add_tcase(suite, tc);
    return suite;
}

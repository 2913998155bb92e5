/* SPDX-License-Identifier: MIT */
#include "http/http_date.h"

#include "support/unit.h"

static const struct {
    int64_t unix_s;
    const char *text;
} dates[] = {
    {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
    {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
    {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
    {951868799, "Tue, 29 Feb 2000 23:59:59 GMT"},
    {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},
    {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
};

START_TEST(dates_go_both_ways)
{
    char text[HTTP_DATE_SIZE];
    int64_t got;

    ck_assert_str_eq(http_date_print(dates[_i].unix_s, text), dates[_i].text);
    ck_assert_int_eq(http_date_parse(span_str(dates[_i].text), &got), 0);
    ck_assert_int_eq(got, dates[_i].unix_s);
}
END_TEST

START_TEST(every_day_goes_both_ways)
{
    char text[HTTP_DATE_SIZE];
    int64_t got;

    for (int64_t t = 43200; t < INT64_C(8000000000); t += 86400) {
        ck_assert_int_eq(
            http_date_parse(span_str(http_date_print(t, text)), &got), 0);
        ck_assert_int_eq(got, t);
    }
}
END_TEST

START_TEST(what_is_out_of_range_is_cut)
{
    char text[HTTP_DATE_SIZE];

    ck_assert_str_eq(http_date_print(-5, text), dates[0].text);
    ck_assert_str_eq(http_date_print(INT64_MAX, text), dates[5].text);
}
END_TEST

START_TEST(obsolete_forms_are_read)
{
    int64_t got;

    ck_assert_int_eq(
        http_date_parse(span_str("Sunday, 06-Nov-94 08:49:37 GMT"), &got), 0);
    ck_assert_int_eq(got, 784111777);
    ck_assert_int_eq(
        http_date_parse(span_str("Sun Nov  6 08:49:37 1994"), &got), 0);
    ck_assert_int_eq(got, 784111777);
    ck_assert_int_eq(
        http_date_parse(span_str("Monday, 01-Mar-21 00:00:00 GMT"), &got), 0);
    ck_assert_int_eq(got, 1614556800);
}
END_TEST

static const char *const bad[] = {
    "",
    "Sun",
    "Sun,",
    "Sun, 06 Nov 1994 08:49:37",
    "Sun, 06 Nov 1994 08:49:37 CET",
    "Sun, 6 Nov 1994 08:49:37 GMT",
    "Sun, 06 nov 1994 08:49:37 GMT",
    "Sun, 32 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 24:49:37 GMT",
    "Sun, 06 Nov 1969 08:49:37 GMT",
    "Sun, 06 Nov 19x4 08:49:37 GMT",
    "Xyz, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-1994 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994 ",
    "784111777",
};

START_TEST(what_is_no_date_is_refused)
{
    int64_t got;

    ck_assert_msg(http_date_parse(span_str(bad[_i]), &got) < 0, "%s", bad[_i]);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("http_date");
    TCase *tcase = tcase_create("dates");

    tcase_add_loop_test(tcase, dates_go_both_ways, 0, ARRAY_SIZE(dates));
    tcase_add_test(tcase, every_day_goes_both_ways);
    tcase_add_test(tcase, what_is_out_of_range_is_cut);
    tcase_add_test(tcase, obsolete_forms_are_read);
    tcase_add_loop_test(tcase, what_is_no_date_is_refused, 0, ARRAY_SIZE(bad));
    suite_add_tcase(suite, tcase);
    return suite;
}

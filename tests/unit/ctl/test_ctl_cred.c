/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_cred.h"

#include "base/err.h"
#include "support/unit.h"

START_TEST(password_is_what_openssl_works_out)
{
    struct ctl_cred cred;

    ck_assert_int_eq(
        ctl_cred_make(span_str("north"), span_str("alice"), 1700000000, &cred),
        0);
    ck_assert_str_eq(cred.user, "1700000000:alice");
    /* printf 1700000000:alice | openssl dgst -sha1 -hmac north -binary */
    ck_assert_str_eq(cred.password, "Cd/49soE35ICqcJF/bCTn8Z4OyE=");
}
END_TEST

START_TEST(without_id_the_name_is_the_time_alone)
{
    struct ctl_cred cred;

    ck_assert_int_eq(
        ctl_cred_make(span_str("north"), span_str(""), 1700000000, &cred), 0);
    ck_assert_str_eq(cred.user, "1700000000");
}
END_TEST

START_TEST(ids_that_cannot_be_sent_are_refused)
{
    char longest[CTL_CRED_ID_MAX + 2] = {0};
    struct ctl_cred cred;

    memset(longest, 'a', sizeof(longest) - 1);
    ck_assert_int_eq(ctl_cred_make(span_str("s"), span_str(longest), 1, &cred),
                     ERR_PARSE);
    longest[CTL_CRED_ID_MAX] = 0;
    ck_assert_int_eq(
        ctl_cred_make(span_str("s"), span_str(longest), UINT64_MAX, &cred), 0);
    ck_assert_int_eq(ctl_cred_make(span_str("s"), span_str("a\nb"), 1, &cred),
                     ERR_PARSE);
    ck_assert_int_eq(ctl_cred_make(span_str("s"), span_str("\xff"), 1, &cred),
                     ERR_PARSE);
}
END_TEST

START_TEST(secret_is_the_first_line_that_says_something)
{
    struct span secret;

    ck_assert(
        ctl_cred_secret(span_str("# new\r\n\r\nnorth\r\nsouth"), &secret));
    ck_assert_span_eq(secret, "north");
    ck_assert(!ctl_cred_secret(span_str("\n# none\n"), &secret));
}
END_TEST

START_TEST(lifetimes_have_units_and_an_end)
{
    uint64_t seconds;

    ck_assert_int_eq(ctl_cred_lifetime("90", &seconds), 0);
    ck_assert_uint_eq(seconds, 90);
    ck_assert_int_eq(ctl_cred_lifetime("12h", &seconds), 0);
    ck_assert_uint_eq(seconds, 43200);
    ck_assert_int_eq(ctl_cred_lifetime("3660d", &seconds), 0);
    ck_assert_int_eq(ctl_cred_lifetime("3661d", &seconds), ERR_PARSE);
    ck_assert_int_eq(ctl_cred_lifetime("0", &seconds), ERR_PARSE);
    ck_assert_int_eq(ctl_cred_lifetime("1w", &seconds), ERR_PARSE);
    ck_assert_int_eq(ctl_cred_lifetime("", &seconds), ERR_PARSE);
    ck_assert_int_eq(ctl_cred_lifetime("-1s", &seconds), ERR_PARSE);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("ctl_cred");
    TCase *tc = tcase_create("all");

    tcase_add_test(tc, password_is_what_openssl_works_out);
    tcase_add_test(tc, without_id_the_name_is_the_time_alone);
    tcase_add_test(tc, ids_that_cannot_be_sent_are_refused);
    tcase_add_test(tc, secret_is_the_first_line_that_says_something);
    tcase_add_test(tc, lifetimes_have_units_and_an_end);
    suite_add_tcase(suite, tc);
    return suite;
}

/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include "support/unit.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>

START_TEST(each_own_code_has_its_text)
{
#define CHECK_TEXT(name, code, text)                                           \
    ck_assert_int_eq(name, code);                                              \
    ck_assert_str_eq(err_str(name), text);

    ERR_MAP(CHECK_TEXT)
#undef CHECK_TEXT
}
END_TEST

START_TEST(own_codes_lie_below_every_errno)
{
#define CHECK_RANGE(name, code, text) ck_assert_int_lt(name, -4096);

    ERR_MAP(CHECK_RANGE)
#undef CHECK_RANGE
}
END_TEST

START_TEST(a_negative_errno_has_the_text_of_the_system)
{
    ck_assert_str_eq(err_str(-ENOENT), strerror(ENOENT));
    ck_assert_str_eq(err_str(-ECONNREFUSED), strerror(ECONNREFUSED));
}
END_TEST

START_TEST(zero_is_success)
{
    ck_assert_str_eq(err_str(0), "success");
}
END_TEST

START_TEST(any_other_number_has_a_text_too)
{
    const int odd[] = {1, 42, INT_MAX, INT_MIN, -4096, -9999, -10010, -4095};

    for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
        ck_assert_ptr_nonnull(err_str(odd[i]));
        ck_assert_uint_gt(strlen(err_str(odd[i])), 0);
    }
    ck_assert_str_eq(err_str(INT_MIN), "unknown error -2147483648");
    ck_assert_str_eq(err_str(7), "unknown error 7");
}
END_TEST

static void *ask_elsewhere(void *arg)
{
    (void)arg;
    ck_assert_str_eq(err_str(99), "unknown error 99");
    return NULL;
}

START_TEST(the_text_stays_when_another_thread_asks)
{
    const char *mine = err_str(7);
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, ask_elsewhere, NULL), 0);
    pthread_join(thread, NULL);
    ck_assert_str_eq(mine, "unknown error 7");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("err");
    TCase *tc = tcase_create("err");

    tcase_add_test(tc, each_own_code_has_its_text);
    tcase_add_test(tc, own_codes_lie_below_every_errno);
    tcase_add_test(tc, a_negative_errno_has_the_text_of_the_system);
    tcase_add_test(tc, zero_is_success);
    tcase_add_test(tc, any_other_number_has_a_text_too);
    tcase_add_test(tc, the_text_stays_when_another_thread_asks);
    suite_add_tcase(suite, tc);
    return suite;
}

/* SPDX-License-Identifier: MIT */
#include "app/notify.h"
#include "app/process.h"

#include "support/unit.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

START_TEST(a_user_that_does_not_exist_is_refused)
{
    struct process_user user;

    ck_assert_int_eq(process_find_user("no-such-user-here", &user), -ENOENT);
}
END_TEST

START_TEST(becoming_who_we_are_is_no_change)
{
    const struct passwd *me = getpwuid(geteuid());
    struct process_user user;
    char name[64];

    if (!me)
        return; /* a user without name: nothing to look up */
    ck_assert_uint_lt(strlen(me->pw_name), sizeof(name));
    memcpy(name, me->pw_name, strlen(me->pw_name) + 1);
    ck_assert_int_eq(process_find_user(name, &user), 0);
    ck_assert_uint_eq(user.uid, geteuid());
    ck_assert_int_eq(process_become(&user), 0);
    ck_assert_uint_eq(user.uid, geteuid());
}
END_TEST

START_TEST(the_limit_of_files_only_grows)
{
    struct rlimit before, after;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    process_raise_files(1);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &after), 0);
    ck_assert_uint_eq(after.rlim_cur, before.rlim_cur);
    if (before.rlim_cur < before.rlim_max) {
        process_raise_files(before.rlim_cur + 1);
        ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &after), 0);
        ck_assert_uint_eq(after.rlim_cur, before.rlim_cur + 1);
    }
}
END_TEST

START_TEST(there_are_no_core_dumps)
{
    struct rlimit core;

    process_protect();
    ck_assert_int_eq(getrlimit(RLIMIT_CORE, &core), 0);
    ck_assert_uint_eq(core.rlim_cur, 0);
    ck_assert_uint_eq(core.rlim_max, 0);
}
END_TEST

START_TEST(the_watchdog_is_asked_for_by_the_environment)
{
    (void)unsetenv("WATCHDOG_PID");
    (void)unsetenv("WATCHDOG_USEC");
    ck_assert_uint_eq(notify_watchdog_ms(), 0);
    (void)setenv("WATCHDOG_USEC", "30000000", 1);
    ck_assert_uint_eq(notify_watchdog_ms(), 15000);
    (void)setenv("WATCHDOG_PID", "1", 1); /* meant for another process */
    ck_assert_uint_eq(notify_watchdog_ms(), 0);
    (void)setenv("WATCHDOG_USEC", "x", 1);
    (void)unsetenv("WATCHDOG_PID");
    ck_assert_uint_eq(notify_watchdog_ms(), 0);
}
END_TEST

START_TEST(without_a_service_manager_nothing_is_sent)
{
    (void)unsetenv("NOTIFY_SOCKET");
    notify_send("READY=1");
    (void)setenv("NOTIFY_SOCKET", "relative", 1);
    notify_send("READY=1");
    (void)setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
    notify_send("READY=1");
    notify_reloading();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("process");
    TCase *tc = tcase_create("process");

    tcase_add_test(tc, a_user_that_does_not_exist_is_refused);
    tcase_add_test(tc, becoming_who_we_are_is_no_change);
    tcase_add_test(tc, the_limit_of_files_only_grows);
    tcase_add_test(tc, there_are_no_core_dumps);
    tcase_add_test(tc, the_watchdog_is_asked_for_by_the_environment);
    tcase_add_test(tc, without_a_service_manager_nothing_is_sent);
    suite_add_tcase(suite, tc);
    return suite;
}

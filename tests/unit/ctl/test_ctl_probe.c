/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_probe.h"

#include "base/text.h"
#include "support/unit.h"

static struct ctl_probe_packet packets[200];

/* Delays there and back in ms; -1 is a loss. */
static struct ctl_probe_path path_of(const double *ms, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        packets[i].sent_us = (int64_t)i * 20000;
        packets[i].delay_us = ms[i] < 0 ? -1 : (int64_t)(ms[i] * 1000);
        packets[i].dscp = 46;
    }
    return (struct ctl_probe_path){
        .name = "relay", .marked = true, .packets = packets, .n = n};
}

static bool keeps(const struct ctl_probe_path *path, enum ctl_probe_limit which)
{
    struct ctl_probe_figures f;

    ck_assert_int_eq(ctl_probe_figures(path, &f), 0);
    return ctl_probe_keeps(path, &f, &ctl_probe_limits, which);
}

START_TEST(a_steady_path_keeps_all_limits)
{
    const double ms[] = {20, 20, 20, 20, 20};
    struct ctl_probe_path path = path_of(ms, ARRAY_SIZE(ms));
    struct ctl_probe_figures f;

    ck_assert_int_eq(ctl_probe_figures(&path, &f), 0);
    ck_assert_uint_eq(f.received, 5);
    ck_assert_double_eq_tol(f.median, 10, 1e-9);
    ck_assert_double_eq_tol(f.total, 20, 1e-9);
    ck_assert_double_eq_tol(f.jitter, 0, 1e-9);
    ck_assert_double_eq_tol(f.loss, 0, 1e-9);
    for (int i = 0; i < CTL_PROBE_LIMITS; i++)
        ck_assert(keeps(&path, (enum ctl_probe_limit)i));
}
END_TEST

START_TEST(each_limit_is_broken_by_what_it_is_about)
{
    const double slow[] = {102, 102, 102}, slower[] = {151, 151, 151};
    double lossy[100], uneven[100];

    for (int i = 0; i < 100; i++) {
        lossy[i] = i < 4 ? -1 : 10;
        uneven[i] = i % 2 ? 0 : 45;
    }
    struct ctl_probe_path path = path_of(slow, 3);
    ck_assert(!keeps(&path, CTL_PROBE_ONE_WAY));
    ck_assert(keeps(&path, CTL_PROBE_TOTAL));
    path = path_of(slower, 3);
    ck_assert(!keeps(&path, CTL_PROBE_TOTAL));
    path = path_of(lossy, 100);
    ck_assert(!keeps(&path, CTL_PROBE_LOSS));
    packets[3].delay_us = 10000; /* three of a hundred may be lost */
    ck_assert(keeps(&path, CTL_PROBE_LOSS));
    path = path_of(uneven, 100);
    ck_assert(!keeps(&path, CTL_PROBE_JITTER));
    ck_assert(keeps(&path, CTL_PROBE_ONE_WAY));
}
END_TEST

/* RFC 3550 6.4.1: J += (|D| - J) / 16. */
START_TEST(jitter_is_that_of_rtp)
{
    const double ms[] = {10, 26, -1, 26};
    struct ctl_probe_path path = path_of(ms, ARRAY_SIZE(ms));
    struct ctl_probe_figures f;

    ck_assert_int_eq(ctl_probe_figures(&path, &f), 0);
    ck_assert_double_eq_tol(f.jitter, 1, 1e-9);
}
END_TEST

START_TEST(a_mark_that_is_lost_is_noticed_where_it_is_looked_for)
{
    const double ms[] = {10, 10};
    struct ctl_probe_path path = path_of(ms, 2);

    packets[1].dscp = 0;
    ck_assert(!keeps(&path, CTL_PROBE_DSCP));
    path.marked = false;
    ck_assert(keeps(&path, CTL_PROBE_DSCP));
}
END_TEST

START_TEST(a_path_that_lets_nothing_through_keeps_nothing)
{
    const double ms[] = {-1, -1};
    struct ctl_probe_path path = path_of(ms, 2);
    struct ctl_probe_path none = path_of(ms, 0);

    for (int i = 0; i < CTL_PROBE_LIMITS; i++) {
        ck_assert(!keeps(&path, (enum ctl_probe_limit)i));
        ck_assert(!keeps(&none, (enum ctl_probe_limit)i));
    }
}
END_TEST

static bool contains(const struct buf *out, const char *text)
{
    struct span s = buf_span(out);

    return memmem(s.ptr, s.len, text, strlen(text)) != NULL;
}

START_TEST(text_and_json_say_what_is_not_kept)
{
    const double ms[] = {120, 120, -1, 120};
    struct ctl_probe_path path = path_of(ms, ARRAY_SIZE(ms));
    struct ctl_probe_figures f;
    struct buf out;

    ck_assert_int_eq(ctl_probe_figures(&path, &f), 0);
    buf_init(&out, 65536);
    ctl_probe_print(&path, &f, &ctl_probe_limits, &out);
    ck_assert(contains(&out, "relay: 3 of 4 packets"));
    ck_assert(contains(&out, "NO  one-way delay"));
    ck_assert(contains(&out, "ok  total delay"));
    ck_assert(contains(&out, "NO  loss"));
    buf_reset(&out);
    ctl_probe_print_json(&path, &f, &ctl_probe_limits, &out);
    ck_assert(contains(&out, "{\"name\":\"loss\",\"value\":25.000,"
                             "\"at_most\":3.000,\"unit\":\"%\","
                             "\"kept\":false}"));
    buf_deinit(&out);
}
END_TEST

START_TEST(the_picture_has_a_mark_for_each_packet)
{
    const double ms[] = {10, -1, 500};
    struct ctl_probe_path path = path_of(ms, ARRAY_SIZE(ms));
    struct buf out;
    struct span s;
    int dots = 0, losses = 0;

    buf_init(&out, 65536);
    ctl_probe_draw(&path, 1, &ctl_probe_limits, &out);
    s = buf_span(&out);
    for (size_t i = 0; i + 7 < s.len; i++) {
        dots += memcmp(s.ptr + i, "<circle", 7) == 0;
        losses += memcmp(s.ptr + i, "\"lost\"", 6) == 0;
    }
    ck_assert_int_eq(dots, 2);
    ck_assert_int_eq(losses, 1);
    ck_assert(contains(&out, "</svg>"));
    ck_assert(!contains(&out, "nan"));
    buf_deinit(&out);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("ctl_probe");
    TCase *tc = tcase_create("all");

    tcase_add_test(tc, a_steady_path_keeps_all_limits);
    tcase_add_test(tc, each_limit_is_broken_by_what_it_is_about);
    tcase_add_test(tc, jitter_is_that_of_rtp);
    tcase_add_test(tc, a_mark_that_is_lost_is_noticed_where_it_is_looked_for);
    tcase_add_test(tc, a_path_that_lets_nothing_through_keeps_nothing);
    tcase_add_test(tc, text_and_json_say_what_is_not_kept);
    tcase_add_test(tc, the_picture_has_a_mark_for_each_packet);
    suite_add_tcase(s, tc);
    return s;
}

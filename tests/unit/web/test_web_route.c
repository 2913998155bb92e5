/* SPDX-License-Identifier: MIT */
#include "proxy/web_route.h"

#include "base/err.h"
#include "support/unit.h"

static struct web_route routes[16];
static size_t count;

static void add(const char *host, const char *path)
{
    struct web_route *r = &routes[count];

    memset(r, 0, sizeof(*r));
    r->host = span_str(host);
    r->id = (uint32_t)count++;
    ck_assert_int_eq(web_route_set_path(r, path), 0);
}

static void sort(void)
{
    uint32_t a, b;

    ck_assert(web_route_sort(routes, count, &a, &b));
}

/* The id of the route found, or -1. */
static int find(const char *host, const char *path)
{
    const struct web_route *r =
        web_route_find(routes, count, span_str(host), span_str(path));

    return r ? (int)r->id : -1;
}

static void setup(void)
{
    count = 0;
}

START_TEST(a_prefix_ends_at_a_segment_border)
{
    add("", "/ccagent");
    sort();
    ck_assert_int_eq(find("h", "/ccagent"), 0);
    ck_assert_int_eq(find("h", "/ccagent/"), 0);
    ck_assert_int_eq(find("h", "/ccagent/a/b"), 0);
    ck_assert_int_eq(find("h", "/ccagentx"), -1);
    ck_assert_int_eq(find("h", "/ccagen"), -1);
    ck_assert_int_eq(find("h", "/CCAGENT"), -1);
    ck_assert_int_eq(find("h", "/"), -1);
    ck_assert_int_eq(find("h", "/x/ccagent"), -1);
}
END_TEST

START_TEST(a_prefix_with_a_slash_has_only_what_is_below)
{
    add("", "/video/");
    sort();
    ck_assert_int_eq(find("h", "/video"), -1);
    ck_assert_int_eq(find("h", "/video/"), 0);
    ck_assert_int_eq(find("h", "/video/x"), 0);
}
END_TEST

START_TEST(the_root_has_everything)
{
    add("", "/");
    sort();
    ck_assert_int_eq(find("h", "/"), 0);
    ck_assert_int_eq(find("h", "/a/b"), 0);
}
END_TEST

START_TEST(the_longest_path_wins_in_any_order)
{
    add("", "/xuc");
    add("", "/xuc/api/2.0/auth/login");
    add("", "/xuc/api/2.0/cti");
    sort();
    ck_assert_int_eq(find("h", "/xuc/api/2.0/cti"), 2);
    ck_assert_int_eq(find("h", "/xuc/api/2.0/auth/login"), 1);
    ck_assert_int_eq(find("h", "/xuc/api/2.0/auth"), 0);
    ck_assert_int_eq(find("h", "/xuc/api/2.0/ctix"), 0);
}
END_TEST

START_TEST(a_star_stands_for_the_rest_of_a_segment)
{
    add("", "/wssip");
    add("", "/wssip-*");
    add("", "/wssip-main");
    sort();
    ck_assert_int_eq(find("h", "/wssip"), 0);
    ck_assert_int_eq(find("h", "/wssip-mds1"), 1);
    ck_assert_int_eq(find("h", "/wssip-mds1/x"), 1);
    ck_assert_int_eq(find("h", "/wssip-main"), 2);
    ck_assert_int_eq(find("h", "/wssip-"), -1);
    ck_assert_int_eq(find("h", "/wssip-/x"), -1);
    ck_assert_int_eq(find("h", "/wssipx"), -1);
}
END_TEST

START_TEST(the_most_specific_host_is_asked_first)
{
    add("", "/a/b");
    add("*.example.com", "/a/b");
    add("www.example.com", "/a");
    sort();
    ck_assert_int_eq(find("www.example.com", "/a/b"), 2);
    ck_assert_int_eq(find("x.example.com", "/a/b"), 1);
    ck_assert_int_eq(find("example.com", "/a/b"), 0);
    ck_assert_int_eq(find("other", "/a"), -1);
}
END_TEST

START_TEST(the_same_route_twice_is_reported)
{
    uint32_t a = 9, b = 9;

    add("", "/a");
    add("", "/b");
    add("", "/a");
    ck_assert(!web_route_sort(routes, count, &a, &b));
    ck_assert_uint_eq(a, 0);
    ck_assert_uint_eq(b, 2);
}
END_TEST

START_TEST(a_path_outside_its_normal_form_is_no_route)
{
    static const char *const bad[] = {
        "",     "a",    "/a/../b", "//a", "/a*b", "/a**",  "/*/a", "/%41",
        "/a?b", "/%2f", "/a b",    "*",   "/%3a", "/a/./", "/a#"};
    struct web_route r;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        ck_assert_msg(web_route_set_path(&r, bad[i]) == ERR_PARSE, "%s",
                      bad[i]);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web_route");
    TCase *tcase = tcase_create("routes");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, a_prefix_ends_at_a_segment_border);
    tcase_add_test(tcase, a_prefix_with_a_slash_has_only_what_is_below);
    tcase_add_test(tcase, the_root_has_everything);
    tcase_add_test(tcase, the_longest_path_wins_in_any_order);
    tcase_add_test(tcase, a_star_stands_for_the_rest_of_a_segment);
    tcase_add_test(tcase, the_most_specific_host_is_asked_first);
    tcase_add_test(tcase, the_same_route_twice_is_reported);
    tcase_add_test(tcase, a_path_outside_its_normal_form_is_no_route);
    suite_add_tcase(suite, tcase);
    return suite;
}

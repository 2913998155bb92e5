/* SPDX-License-Identifier: MIT */
#include "proxy/web_peer.h"

#include "base/mem.h"
#include "support/unit.h"

static const struct web_peer_rule rules[] = {
    {.host = "*.apps.test", .required = true},
    {.host = "open.apps.test"},
};

static const struct web_peer_rule *find(const char *host)
{
    return web_peer_find(rules, 2, span_str(host));
}

START_TEST(the_host_itself_goes_before_a_wildcard)
{
    ck_assert_ptr_eq(find("open.apps.test"), &rules[1]);
    ck_assert_ptr_eq(find("a.apps.test"), &rules[0]);
    ck_assert_ptr_null(find("a.b.apps.test"));
    ck_assert_ptr_null(find("apps.test"));
    ck_assert_ptr_null(find(""));
}
END_TEST

START_TEST(the_connection_has_to_be_for_the_host)
{
    struct web_peer shown = {.verified = true, .host = "*.apps.test"};
    struct web_peer other = {.verified = true, .host = "open.apps.test"};
    struct web_peer none = {0};

    ck_assert_int_eq(web_peer_judge(&rules[0], &shown, false), 0);
    ck_assert_int_eq(web_peer_judge(&rules[0], &other, false), 421);
    ck_assert_int_eq(web_peer_judge(&rules[0], &none, false), 421);
    ck_assert_int_eq(web_peer_judge(&rules[0], NULL, false), 421);
    /* nor do hosts without rules take those of hosts with */
    ck_assert_int_eq(web_peer_judge(NULL, &shown, false), 421);
    ck_assert_int_eq(web_peer_judge(NULL, &none, false), 0);
    ck_assert_int_eq(web_peer_judge(NULL, NULL, false), 0);
}
END_TEST

START_TEST(a_certificate_has_to_hold_where_it_is_wanted)
{
    struct web_peer bad = {.host = "*.apps.test"};
    struct web_peer shy = {.host = "open.apps.test"};
    struct web_peer good = {.host = "open.apps.test", .verified = true};

    ck_assert_int_eq(web_peer_judge(&rules[0], &bad, false), 403);
    ck_assert_int_eq(web_peer_judge(&rules[1], &shy, false), 0);
    ck_assert_int_eq(web_peer_judge(&rules[1], &shy, true), 403);
    ck_assert_int_eq(web_peer_judge(&rules[1], &good, true), 0);
    ck_assert_int_eq(web_peer_judge(NULL, NULL, true), 403);
}
END_TEST

START_TEST(streams_share_it)
{
    struct web_peer *peer = web_peer_new();

    ck_assert_ptr_eq(web_peer_ref(peer), peer);
    web_peer_unref(peer);
    ck_assert_str_eq(peer->host, "");
    web_peer_unref(peer);
    web_peer_unref(NULL);
    ck_assert_ptr_null(web_peer_ref(NULL));
    ck_assert_no_blocks();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web_peer");
    TCase *tc = tcase_create("rules");

    tcase_add_test(tc, the_host_itself_goes_before_a_wildcard);
    tcase_add_test(tc, the_connection_has_to_be_for_the_host);
    tcase_add_test(tc, a_certificate_has_to_hold_where_it_is_wanted);
    tcase_add_test(tc, streams_share_it);
    suite_add_tcase(suite, tc);
    return suite;
}

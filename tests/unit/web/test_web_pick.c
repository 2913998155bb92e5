/* SPDX-License-Identifier: MIT */
#include "proxy/web_pick.h"

#include "base/mem.h"
#include "support/unit.h"

enum { SERVERS = 3 };

static struct web_backend backends[SERVERS];
static struct web_upstream upstream;
static struct web_site site;
static struct web_picks *picks;
static struct addr client;

static void setup(void)
{
    upstream = (struct web_upstream){.name = "u",
                                     .backends = backends,
                                     .n_backends = SERVERS,
                                     .rule = {1, 1000, 5000},
                                     .links_max = 2};
    for (size_t i = 0; i < SERVERS; i++)
        backends[i] = (struct web_backend){.upstream = &upstream,
                                           .host = "h",
                                           .weight = 1,
                                           .hash = i * 77777,
                                           .health = web_health_new()};
    site = (struct web_site){.upstreams = &upstream,
                             .n_upstreams = 1,
                             .n_backends = SERVERS,
                             .refs = 1};
    client = addr_v4(0xC0000201, 4000);
    ck_assert_int_eq(web_picks_new(&picks, &site), 0);
}

static void teardown(void)
{
    web_picks_unref(picks);
    for (size_t i = 0; i < SERVERS; i++)
        web_health_unref(backends[i].health);
    ck_assert_uint_eq(site.refs, 1);
    ck_assert_no_blocks();
}

static int next(struct web_pick *pick)
{
    pick->upstream = &upstream;
    return web_pick_next(picks, pick, &client, 1000)
               ? (int)(pick->backend - backends)
               : -1;
}

START_TEST(everybody_in_turn)
{
    unsigned seen = 0;

    for (int i = 0; i < SERVERS; i++) {
        struct web_pick pick = {0};

        seen |= 1U << next(&pick);
        web_pick_give(picks, &pick);
    }
    ck_assert_uint_eq(seen, 7);
}
END_TEST

START_TEST(a_search_asks_each_once)
{
    struct web_pick pick = {0};
    unsigned seen = 0;

    upstream.rule.fails_max = 0; /* nobody is taken out */
    for (int i = 0; i < SERVERS; i++) {
        seen |= 1U << next(&pick);
        ck_assert(!web_pick_failed(picks, &pick, 1000));
        ck_assert_ptr_null(pick.backend);
    }
    ck_assert_uint_eq(seen, 7);
    ck_assert_int_eq(next(&pick), -1);
}
END_TEST

START_TEST(who_fails_is_out_until_a_trial)
{
    struct web_pick pick = {0};
    struct web_pick trial = {0};
    int bad = next(&pick);

    ck_assert(web_pick_failed(picks, &pick, 1000));
    for (int i = 0; i < 6; i++) {
        struct web_pick other = {0};

        ck_assert_int_ne(next(&other), bad);
        web_pick_give(picks, &other);
    }
    /* its time is over: one connection tries it, and brings it back */
    trial.upstream = &upstream;
    trial.tried = 7 & ~(1U << bad);
    ck_assert(web_pick_next(picks, &trial, &client, 7000));
    ck_assert_int_eq((int)(trial.backend - backends), bad);
    web_pick_reached(&trial);
    web_pick_give(picks, &trial);
    ck_assert_str_eq(web_backend_state(&backends[bad]), "up");
}
END_TEST

START_TEST(places_are_limited_and_given_back)
{
    struct web_pick held[2 * SERVERS] = {0};
    struct web_pick more = {0};

    for (size_t i = 0; i < ARRAY_SIZE(held); i++)
        ck_assert_int_ge(next(&held[i]), 0);
    ck_assert_int_eq(next(&more), -1);
    web_pick_give(picks, &held[0]);
    web_pick_give(picks, &held[0]); /* harmless */
    ck_assert_int_ge(next(&more), 0);
    web_pick_give(picks, &more);
    for (size_t i = 1; i < ARRAY_SIZE(held); i++)
        web_pick_give(picks, &held[i]);
}
END_TEST

START_TEST(the_least_used_is_asked)
{
    struct web_pick a = {0}, b = {0}, c = {0}, again = {0};
    int freed;

    upstream.balance = WEB_BALANCE_LEAST;
    (void)next(&a);
    freed = next(&b);
    (void)next(&c);
    web_pick_give(picks, &b);
    ck_assert_int_eq(next(&again), freed);
    web_pick_give(picks, &a);
    web_pick_give(picks, &c);
    web_pick_give(picks, &again);
}
END_TEST

START_TEST(a_client_stays_where_it_is)
{
    struct web_pick pick = {0};
    int first;

    upstream.balance = WEB_BALANCE_HASH;
    first = next(&pick);
    web_pick_give(picks, &pick);
    for (int i = 0; i < 5; i++) {
        struct web_pick same = {0};

        client.port++;
        ck_assert_int_eq(next(&same), first);
        web_pick_give(picks, &same);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web_pick");
    TCase *tc = tcase_create("servers");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, everybody_in_turn);
    tcase_add_test(tc, a_search_asks_each_once);
    tcase_add_test(tc, who_fails_is_out_until_a_trial);
    tcase_add_test(tc, places_are_limited_and_given_back);
    tcase_add_test(tc, the_least_used_is_asked);
    tcase_add_test(tc, a_client_stays_where_it_is);
    suite_add_tcase(suite, tc);
    return suite;
}

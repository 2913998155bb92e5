/* SPDX-License-Identifier: MIT */
/* Several servers behind one name: turns, failures, trials, nobody left. */
#include "support_fake.h"

#include <errno.h>
#include <stdio.h>

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define CLOSE_OK                                                               \
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

static void start_with(uint32_t servers)
{
    fake_servers(servers);
    fake_start();
}

/* A request that dials; the server it goes to, which answers and closes. */
static size_t ask(struct fake_io *client)
{
    struct fake_io *server;
    size_t which;

    fake_send(client, GET);
    which = fake_dialling();
    server = fake_dialled();
    fake_send(server, CLOSE_OK);
    ck_assert_starts(fake_take(client), "HTTP/1.1 200 OK\r\n");
    return which;
}

/* Let the server whose turn it is refuse until it is out: the others serve. */
static void eject(struct fake_io *client, size_t victim)
{
    for (int fails = 0; fails < 3;) {
        fake_send(client, GET);
        while (fake_dialling() == victim) {
            fake_dial_failed(-ECONNREFUSED);
            fails++;
        }
        fake_send(fake_dialled(), CLOSE_OK);
        ck_assert_starts(fake_take(client), "HTTP/1.1 200 OK\r\n");
    }
}

START_TEST(servers_are_asked_in_turn)
{
    struct fake_io *client;

    start_with(3);
    client = fake_client();
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 3; i++)
            ck_assert_uint_eq(ask(client), i);
    }
}
END_TEST

START_TEST(a_weight_is_a_share)
{
    unsigned asked[3] = {0};
    struct fake_io *client;

    fake_servers(3);
    fake.backends[0].weight = 5;
    fake_start();
    client = fake_client();
    for (int i = 0; i < 21; i++)
        asked[ask(client)]++;
    ck_assert_uint_eq(asked[0], 15);
    ck_assert_uint_eq(asked[1], 3);
    ck_assert_uint_eq(asked[2], 3);
}
END_TEST

START_TEST(kept_links_belong_to_their_server)
{
    struct fake_io *client, *server[2];

    start_with(2);
    client = fake_client();
    for (int i = 0; i < 2; i++) {
        fake_send(client, GET);
        server[i] = fake_dialled();
        fake_send(server[i], OK);
        fake_take(server[i]);
    }
    for (int i = 0; i < 4; i++) {
        fake_send(client, GET);
        ck_assert_starts(fake_take(server[i % 2]), "GET ");
        fake_send(server[i % 2], OK);
    }
    ck_assert_uint_eq(fake.stats.upstream_connects, 2);
}
END_TEST

START_TEST(a_refused_connection_is_tried_at_the_next_server)
{
    struct fake_io *client, *server;

    start_with(3);
    client = fake_client();
    fake_send(client, GET);
    ck_assert_uint_eq(fake_dialling(), 0);
    fake_dial_failed(-ECONNREFUSED);
    ck_assert_uint_eq(fake_dialling(), 1);
    fake_dial_failed(-ETIMEDOUT);
    ck_assert_uint_eq(fake_dialling(), 2);
    server = fake_dialled();
    ck_assert_starts(fake_take(server), "GET / HTTP/1.1\r\n");
    fake_send(server, OK);
    ck_assert_starts(fake_take(client), "HTTP/1.1 200 OK\r\n");
    ck_assert_uint_eq(fake.stats.failed_over, 2);
    ck_assert_uint_eq(fake.stats.proxied, 1);
}
END_TEST

START_TEST(content_goes_to_the_server_that_takes_it)
{
    struct fake_io *client, *server;

    start_with(2);
    client = fake_client();
    fake_send(client, POST "hi");
    fake_dial_failed(-ECONNREFUSED);
    server = fake_dialled();
    ck_assert_has(fake_take(server), "\r\n\r\nhi");
    fake_send(server, OK);
    ck_assert_starts(fake_take(client), "HTTP/1.1 200 OK\r\n");
}
END_TEST

START_TEST(when_all_refuse_it_is_502)
{
    struct fake_io *client;

    start_with(2);
    client = fake_client();
    fake_send(client, GET);
    fake_dial_failed(-ECONNREFUSED);
    fake_dial_failed(-ECONNREFUSED);
    ck_assert_starts(fake_take(client), "HTTP/1.1 502 ");
    ck_assert_uint_eq(fake_open_dials(), 0);
}
END_TEST

START_TEST(no_other_server_is_tried_after_twice_the_time)
{
    struct fake_io *client;

    start_with(4);
    client = fake_client();
    fake_send(client, GET);
    fake_sleep(5000);
    fake_dial_failed(-ETIMEDOUT);
    fake_sleep(5000);
    fake_dial_failed(-ETIMEDOUT);
    ck_assert_starts(fake_take(client), "HTTP/1.1 504 ");
    ck_assert_uint_eq(fake_open_dials(), 0);
}
END_TEST

START_TEST(a_server_that_keeps_failing_is_left_out)
{
    struct fake_io *client;

    start_with(2);
    client = fake_client();
    eject(client, 0);
    ck_assert_uint_eq(fake.stats.ejected, 1);
    ck_assert_str_eq(web_backend_state(&fake.backends[0]), "ejected");
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(ask(client), 1);
}
END_TEST

START_TEST(an_answer_in_between_forgives)
{
    struct fake_io *client;

    start_with(2);
    client = fake_client();
    for (int i = 0; i < 10; i++) {
        fake_send(client, GET);
        if (fake_dialling() == 0 && i % 4 == 0)
            fake_dial_failed(-ECONNREFUSED);
        fake_send(fake_dialled(), CLOSE_OK);
    }
    ck_assert_uint_gt(fake.stats.upstream_connect_failed, 1);
    ck_assert_str_eq(web_backend_state(&fake.backends[0]), "up");
}
END_TEST

START_TEST(failures_far_apart_are_forgiven)
{
    struct fake_io *client;

    start_with(2);
    for (int fails = 0; fails < 6;) {
        client = fake_client();
        fake_send(client, GET);
        while (fake_dialling() == 0) {
            fake_dial_failed(-ECONNREFUSED);
            fails++;
        }
        fake_send(fake_dialled(), CLOSE_OK);
        fake_close(client, 0);
        fake_sleep(5001);
    }
    ck_assert_str_eq(web_backend_state(&fake.backends[0]), "up");
}
END_TEST

START_TEST(one_request_tries_a_server_that_was_out)
{
    struct fake_io *client, *other, *server;

    start_with(2);
    client = fake_client();
    other = fake_client();
    eject(client, 0);
    fake_sleep(5000);
    fake_send(client, GET);
    if (fake_dialling() == 1) { /* not yet its turn */
        fake_send(fake_dialled(), CLOSE_OK);
        fake_send(client, GET);
    }
    ck_assert_uint_eq(fake_dialling(), 0);
    server = fake_dialled();
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(ask(other), 1);
    fake_send(server, CLOSE_OK);
    ck_assert_str_eq(web_backend_state(&fake.backends[0]), "up");
    ck_assert_uint_eq(ask(other) + ask(other), 1);
}
END_TEST

START_TEST(a_trial_that_fails_harms_nobody)
{
    struct fake_io *client;
    unsigned trials = 0;

    start_with(2);
    client = fake_client();
    eject(client, 0);
    fake_sleep(5000);
    for (int i = 0; i < 6; i++) {
        fake_send(client, GET);
        if (fake_dialling() == 0) {
            fake_dial_failed(-ECONNREFUSED);
            trials++;
        }
        fake_send(fake_dialled(), CLOSE_OK);
        ck_assert_starts(fake_take(client), "HTTP/1.1 200");
    }
    ck_assert_uint_eq(trials, 1);
    ck_assert_uint_eq(fake.stats.ejected, 1);
}
END_TEST

START_TEST(when_all_are_out_it_is_503_at_once)
{
    struct fake_io *client;
    const char *answer;

    start_with(2);
    client = fake_client();
    for (int i = 0; i < 3; i++) {
        fake_send(client, GET);
        fake_dial_failed(-ECONNREFUSED);
        fake_dial_failed(-ECONNREFUSED);
    }
    fake_take(client);
    fake_sleep(1000);
    fake_send(client, GET);
    answer = fake_take(client);
    ck_assert_starts(answer, "HTTP/1.1 503 ");
    ck_assert_has(answer, "\r\nRetry-After: 4\r\n");
    ck_assert_uint_eq(fake_open_dials(), 0);
    ck_assert_uint_eq(fake.stats.upstream_out, 1);
    ck_assert(!client->shut);
    fake_sleep(4000);
    ask(client);
}
END_TEST

START_TEST(a_server_that_dies_with_a_get_is_replaced)
{
    struct fake_io *client, *server;

    start_with(2);
    client = fake_client();
    fake_send(client, GET);
    fake_close(fake_dialled(), -ECONNRESET);
    ck_assert_uint_eq(fake_dialling(), 1);
    server = fake_dialled();
    fake_send(server, OK);
    ck_assert_starts(fake_take(client), "HTTP/1.1 200");
    ck_assert_uint_eq(fake.stats.retried, 1);
}
END_TEST

START_TEST(a_get_is_sent_twice_at_most)
{
    struct fake_io *client;

    start_with(3);
    client = fake_client();
    fake_send(client, GET);
    fake_close(fake_dialled(), -ECONNRESET);
    fake_close(fake_dialled(), -ECONNRESET);
    ck_assert_starts(fake_take(client), "HTTP/1.1 502");
    ck_assert_uint_eq(fake_open_dials(), 0);
}
END_TEST

START_TEST(a_post_is_sent_once)
{
    struct fake_io *client, *server;

    start_with(2);
    client = fake_client();
    fake_send(client, POST "hi");
    server = fake_dialled();
    ck_assert_has(fake_take(server), "hi");
    fake_close(server, -ECONNRESET);
    ck_assert_starts(fake_take(client), "HTTP/1.1 502");
    ck_assert_uint_eq(fake_open_dials(), 0);
}
END_TEST

START_TEST(an_answer_that_began_is_not_replaced)
{
    struct fake_io *client, *server;

    start_with(2);
    client = fake_client();
    fake_send(client, GET);
    server = fake_dialled();
    fake_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    fake_close(server, -ECONNRESET);
    ck_assert(client->aborted);
    ck_assert_uint_eq(fake_open_dials(), 0);
}
END_TEST

START_TEST(a_dead_kept_link_is_replaced_at_another_server)
{
    struct fake_io *client, *server[2];

    start_with(2);
    client = fake_client();
    for (int i = 0; i < 2; i++) {
        fake_send(client, GET);
        server[i] = fake_dialled();
        fake_send(server[i], OK);
    }
    fake_take(client);
    fake_send(client, GET);
    fake_end(server[0]);
    ck_assert_uint_eq(fake_dialling(), 1);
    fake_send(fake_dialled(), OK);
    ck_assert_starts(fake_take(client), "HTTP/1.1 200");
    ck_assert_str_eq(web_backend_state(&fake.backends[0]), "up");
}
END_TEST

START_TEST(a_full_server_is_passed_over)
{
    struct fake_io *client;

    fake.upstreams[0].links_max = 1;
    start_with(2);
    for (size_t i = 0; i < 3; i++) {
        client = fake_client();
        fake_send(client, GET);
    }
    ck_assert_uint_eq(fake_open_dials(), 2);
    ck_assert_starts(fake_take(client), "HTTP/1.1 503 ");
}
END_TEST

START_TEST(a_single_server_is_never_taken_out)
{
    struct fake_io *client;

    start_with(1);
    client = fake_client();
    for (int i = 0; i < 10; i++) {
        fake_send(client, GET);
        fake_dial_failed(-ECONNREFUSED);
        ck_assert_starts(fake_take(client), "HTTP/1.1 502 ");
    }
    ask(client);
}
END_TEST

START_TEST(a_reload_keeps_what_is_known)
{
    struct web_site next;
    struct fake_io *client;

    start_with(2);
    client = fake_client();
    eject(client, 0);
    next = fake.site;
    next.refs = 1;
    web_core_set_site(fake.core, &next);
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(ask(client), 1);
    web_core_set_site(fake.core, &fake.site);
}
END_TEST

/* ---- ways to choose ---- */

START_TEST(the_least_used_server_is_asked)
{
    struct fake_io *busy[3], *client;

    fake.upstreams[0].balance = WEB_BALANCE_LEAST;
    start_with(3);
    for (size_t i = 0; i < 3; i++) { /* one request waits at each */
        client = fake_client();
        fake_send(client, GET);
        ck_assert_uint_eq(fake_dialling(), i);
        busy[i] = fake_dialled();
    }
    fake_send(busy[1], CLOSE_OK);
    client = fake_client();
    for (int i = 0; i < 5; i++)
        ck_assert_uint_eq(ask(client), 1);
}
END_TEST

START_TEST(a_heavier_server_may_be_used_more)
{
    unsigned used[2] = {0};

    fake.upstreams[0].balance = WEB_BALANCE_LEAST;
    fake_servers(2);
    fake.backends[1].weight = 3;
    fake_start();
    for (int i = 0; i < 12; i++) {
        fake_send(fake_client(), GET);
        used[fake_dialling()]++;
        fake_dialled();
    }
    ck_assert_uint_eq(used[0], 3);
    ck_assert_uint_eq(used[1], 9);
}
END_TEST

/* The server that a client of this address is given. */
static size_t asked_by(const char *address)
{
    struct fake_io *client = fake_client_at(&fake.https, address);
    size_t which = ask(client);

    fake_close(client, 0);
    fake_forget();
    return which;
}

static size_t asked_by_number(unsigned n)
{
    char address[32];

    (void)snprintf(address, sizeof(address), "10.0.%u.%u:4000", n / 250,
                   n % 250 + 1);
    return asked_by(address);
}

START_TEST(a_client_stays_at_its_server)
{
    size_t first;

    fake.upstreams[0].balance = WEB_BALANCE_HASH;
    start_with(4);
    first = asked_by("198.51.100.7:1");
    for (int i = 0; i < 5; i++)
        ck_assert_uint_eq(asked_by("198.51.100.7:2"), first);
    first = asked_by("[2001:db8:1:2::1]:1");
    for (int i = 0; i < 5; i++)
        ck_assert_uint_eq(asked_by("[2001:db8:1:2:abcd::7]:2"), first);
}
END_TEST

START_TEST(clients_are_spread_by_weight)
{
    unsigned asked[3] = {0};

    fake.upstreams[0].balance = WEB_BALANCE_HASH;
    fake_servers(3);
    fake.backends[2].weight = 2;
    fake_start();
    for (unsigned i = 0; i < 2000; i++)
        asked[asked_by_number(i)]++;
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_gt(asked[i], 400);
        ck_assert_uint_lt(asked[i], 600);
    }
    ck_assert_uint_gt(asked[2], 880);
}
END_TEST

START_TEST(only_the_clients_of_a_lost_server_move)
{
    enum { CLIENTS = 200 };
    size_t before[CLIENTS];
    unsigned moved = 0;

    fake.upstreams[0].balance = WEB_BALANCE_HASH;
    fake.upstreams[0].check = (struct web_check_rule){
        .path = "/", .interval_ms = 1000, .timeout_ms = 100, .fall = 1};
    start_with(4);
    for (unsigned i = 0; i < CLIENTS; i++)
        before[i] = asked_by_number(i);
    (void)web_health_on_check(fake.backends[2].health, false, 1, 1);
    for (unsigned i = 0; i < CLIENTS; i++) {
        size_t after = asked_by_number(i);

        ck_assert_uint_ne(after, 2);
        if (before[i] != 2)
            ck_assert_uint_eq(after, before[i]);
        else
            moved++;
    }
    ck_assert_uint_gt(moved, 20);
}
END_TEST

/* ---- active checks ---- */

static void start_with_checks(uint32_t servers)
{
    fake.upstreams[0].check = (struct web_check_rule){
        .path = "/health",
        .interval_ms = 1000,
        .timeout_ms = 200,
        .fall = 2,
        .rise = 2,
    };
    fake_servers(servers);
    fake_start();
}

/* The next check of the only server ends so; NULL: it is refused. */
static void check_once(const char *answer)
{
    struct fake_io *server;

    while (fake_open_dials() == 0)
        fake_sleep(10);
    if (!answer) {
        fake_dial_failed(-ECONNREFUSED);
        return;
    }
    server = fake_dialled();
    ck_assert_starts(fake_take(server), "GET /health HTTP/1.1\r\nHost: "
                                        "127.0.0.1:8000\r\n");
    fake_send(server, answer);
    ck_assert(server->closed);
}

START_TEST(a_server_is_checked_now_and_then)
{
    uint64_t last, passed;

    start_with_checks(1);
    fake_sleep(0);
    for (int i = 0; i < 20; i++) {
        last = fake.now;
        check_once("HTTP/1.1 204 No Content\r\n\r\n");
        passed = fake.now - last;
        ck_assert_uint_le(passed, i == 0 ? 0 : 1110);
        if (i > 0)
            ck_assert_uint_ge(passed, 890);
    }
    ck_assert_uint_eq(fake.stats.checks, 20);
    ck_assert_uint_eq(fake.stats.checks_failed, 0);
    ck_assert_str_eq(web_backend_state(&fake.backends[0]), "up");
}
END_TEST

START_TEST(failed_checks_take_a_server_down_and_good_ones_up)
{
    struct fake_io *client;
    const char *answer;

    start_with_checks(1);
    client = fake_client();
    fake_sleep(0);
    check_once("HTTP/1.1 503 Service Unavailable\r\n\r\n");
    ck_assert_str_eq(web_backend_state(&fake.backends[0]), "up");
    check_once(NULL);
    ck_assert_str_eq(web_backend_state(&fake.backends[0]), "down");
    fake_send(client, GET);
    answer = fake_take(client);
    ck_assert_starts(answer, "HTTP/1.1 503 ");
    ck_assert_has(answer, "\r\nRetry-After: 1\r\n");
    check_once("HTTP/1.1 200 OK\r\n\r\n");
    ck_assert_str_eq(web_backend_state(&fake.backends[0]), "down");
    check_once("HTTP/1.1 200 OK\r\n\r\n");
    ck_assert_str_eq(web_backend_state(&fake.backends[0]), "up");
    ask(client);
}
END_TEST

START_TEST(a_server_that_is_down_is_not_asked)
{
    struct fake_io *client;

    start_with_checks(2);
    (void)web_health_on_check(fake.backends[0].health, false, 1, 1);
    client = fake_client(); /* time stands still: no check begins */
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(ask(client), 1);
}
END_TEST

START_TEST(a_check_is_bad_without_an_answer_in_time)
{
    struct fake_io *server;

    start_with_checks(1);
    fake_sleep(0);
    server = fake_dialled();
    fake_sleep(199);
    ck_assert(!server->closed);
    fake_sleep(1);
    ck_assert(server->closed);
    while (fake_open_dials() == 0)
        fake_sleep(10);
    fake_sleep(200);
    ck_assert_uint_eq(fake_open_dials(), 0);
    ck_assert_uint_eq(fake.stats.checks_failed, 2);
    ck_assert_str_eq(web_backend_state(&fake.backends[0]), "down");
}
END_TEST

START_TEST(what_is_no_answer_is_a_bad_check)
{
    start_with_checks(1);
    fake_sleep(0);
    check_once("SSH-2.0-x\r\n\r\n");
    ck_assert_uint_eq(fake.stats.checks_failed, 1);
    while (fake_open_dials() == 0)
        fake_sleep(10);
    fake_end(fake_dialled());
    ck_assert_uint_eq(fake.stats.checks_failed, 2);
    while (fake_open_dials() == 0)
        fake_sleep(10);
    fake_close(fake_dialled(), -ECONNRESET);
    ck_assert_uint_eq(fake.stats.checks_failed, 3);
}
END_TEST

START_TEST(the_expected_status_is_a_setting)
{
    start_with_checks(1);
    fake.upstreams[0].check.status = 401;
    fake_sleep(0);
    check_once("HTTP/1.1 100 Continue\r\n\r\n"
               "HTTP/1.1 401 Unauthorized\r\n\r\n");
    ck_assert_uint_eq(fake.stats.checks_failed, 0);
    check_once("HTTP/1.1 200 OK\r\n\r\n");
    ck_assert_uint_eq(fake.stats.checks_failed, 1);
}
END_TEST

START_TEST(a_reload_ends_a_check_and_goes_on_in_its_rhythm)
{
    struct web_site next;
    struct fake_io *server;

    start_with_checks(1);
    fake_sleep(0);
    server = fake_dialled();
    next = fake.site;
    next.refs = 1;
    web_core_set_site(fake.core, &next);
    ck_assert(server->closed);
    ck_assert_uint_eq(fake.site.refs, 1);
    fake_sleep(850);
    ck_assert_uint_eq(fake_open_dials(), 0);
    fake_sleep(300);
    ck_assert_uint_eq(fake_open_dials(), 1);
    web_core_set_site(fake.core, &fake.site);
    ck_assert_uint_eq(fake_open_dials(), 0);
}
END_TEST

START_TEST(without_checks_an_old_verdict_says_nothing)
{
    struct fake_io *client;

    start_with(1);
    (void)web_health_on_check(fake.backends[0].health, false, 1, 1);
    client = fake_client();
    ask(client);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web upstreams");
    TCase *tcase = tcase_create("upstreams");

    tcase_add_checked_fixture(tcase, fake_setup, fake_teardown);
    tcase_add_test(tcase, servers_are_asked_in_turn);
    tcase_add_test(tcase, a_weight_is_a_share);
    tcase_add_test(tcase, kept_links_belong_to_their_server);
    tcase_add_test(tcase, a_refused_connection_is_tried_at_the_next_server);
    tcase_add_test(tcase, content_goes_to_the_server_that_takes_it);
    tcase_add_test(tcase, when_all_refuse_it_is_502);
    tcase_add_test(tcase, no_other_server_is_tried_after_twice_the_time);
    tcase_add_test(tcase, a_server_that_keeps_failing_is_left_out);
    tcase_add_test(tcase, an_answer_in_between_forgives);
    tcase_add_test(tcase, failures_far_apart_are_forgiven);
    tcase_add_test(tcase, one_request_tries_a_server_that_was_out);
    tcase_add_test(tcase, a_trial_that_fails_harms_nobody);
    tcase_add_test(tcase, when_all_are_out_it_is_503_at_once);
    tcase_add_test(tcase, a_server_that_dies_with_a_get_is_replaced);
    tcase_add_test(tcase, a_get_is_sent_twice_at_most);
    tcase_add_test(tcase, a_post_is_sent_once);
    tcase_add_test(tcase, an_answer_that_began_is_not_replaced);
    tcase_add_test(tcase, a_dead_kept_link_is_replaced_at_another_server);
    tcase_add_test(tcase, a_full_server_is_passed_over);
    tcase_add_test(tcase, a_single_server_is_never_taken_out);
    tcase_add_test(tcase, a_reload_keeps_what_is_known);
    tcase_add_test(tcase, the_least_used_server_is_asked);
    tcase_add_test(tcase, a_heavier_server_may_be_used_more);
    tcase_add_test(tcase, a_client_stays_at_its_server);
    tcase_add_test(tcase, clients_are_spread_by_weight);
    tcase_add_test(tcase, only_the_clients_of_a_lost_server_move);
    tcase_add_test(tcase, a_server_is_checked_now_and_then);
    tcase_add_test(tcase, failed_checks_take_a_server_down_and_good_ones_up);
    tcase_add_test(tcase, a_server_that_is_down_is_not_asked);
    tcase_add_test(tcase, a_check_is_bad_without_an_answer_in_time);
    tcase_add_test(tcase, what_is_no_answer_is_a_bad_check);
    tcase_add_test(tcase, the_expected_status_is_a_setting);
    tcase_add_test(tcase, a_reload_ends_a_check_and_goes_on_in_its_rhythm);
    tcase_add_test(tcase, without_checks_an_old_verdict_says_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}

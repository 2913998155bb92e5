/* SPDX-License-Identifier: MIT */
/* Things that go wrong or take too long, reloads and drains. */
#include "support_fake.h"

#include <errno.h>

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* A client, and a kept link that has carried one answer. */
static struct fake_io *warm(struct fake_io **ret_server)
{
    struct fake_io *client;

    fake_start();
    client = fake_client();
    fake_send(client, GET);
    *ret_server = fake_dialled();
    fake_send(*ret_server, OK);
    fake_take(client);
    fake_take(*ret_server);
    return client;
}

START_TEST(a_back_end_that_refuses_is_502)
{
    struct fake_io *client;

    fake_start();
    client = fake_client();
    fake_send(client, GET);
    fake_dial_failed(-ECONNREFUSED);
    ck_assert_starts(fake_take(client), "HTTP/1.1 502 Bad Gateway\r\n");
    ck_assert(!client->shut);
    ck_assert_uint_eq(fake.stats.upstream_connect_failed, 1);
    fake_send(client, GET);
    fake_dialled();
}
END_TEST

START_TEST(a_back_end_that_is_not_reached_is_504)
{
    struct fake_io *client;

    fake_start();
    client = fake_client();
    fake_send(client, GET);
    fake_dial_failed(-ETIMEDOUT);
    ck_assert_starts(fake_take(client), "HTTP/1.1 504 Gateway Timeout\r\n");
}
END_TEST

START_TEST(a_pipelined_request_goes_on_after_a_failure)
{
    struct fake_io *client;

    fake_start();
    client = fake_client();
    fake_send(client, GET GET);
    fake_dial_failed(-ECONNREFUSED);
    ck_assert_uint_eq(fake_open_dials(), 1);
    fake_dialled();
}
END_TEST

START_TEST(a_dead_kept_link_is_tried_anew_once)
{
    struct fake_io *client, *server;

    client = warm(&server);
    fake_send(client, GET);
    ck_assert_starts(fake_take(server), "GET ");
    fake_end(server);
    ck_assert_str_eq(fake_take(client), "");
    server = fake_dialled();
    ck_assert_starts(fake_take(server), "GET / HTTP/1.1\r\nHost: a\r\n");
    ck_assert_uint_eq(fake.stats.retried, 1);
    fake_close(server, -ECONNRESET);
    ck_assert_starts(fake_take(client), "HTTP/1.1 502");
    ck_assert_uint_eq(fake_open_dials(), 0);
}
END_TEST

START_TEST(what_may_have_been_done_is_not_sent_twice)
{
    struct fake_io *client, *server;

    client = warm(&server);
    fake_send(client, POST "hi");
    fake_close(server, -ECONNRESET);
    ck_assert_starts(fake_take(client), "HTTP/1.1 502");
    ck_assert_uint_eq(fake.stats.retried, 0);
}
END_TEST

START_TEST(a_request_is_not_sent_twice_when_an_answer_had_begun)
{
    struct fake_io *client, *server;

    client = warm(&server);
    fake_send(client, GET);
    fake_send(server, "HTTP/1.1 2");
    fake_close(server, -ECONNRESET);
    ck_assert_starts(fake_take(client), "HTTP/1.1 502");
}
END_TEST

START_TEST(a_fresh_link_that_dies_is_502)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, GET);
    server = fake_dialled();
    fake_end(server);
    ck_assert_starts(fake_take(client), "HTTP/1.1 502");
    ck_assert_uint_eq(fake.stats.upstream_broken, 1);
}
END_TEST

START_TEST(a_kept_link_ends_after_its_idle_time)
{
    struct fake_io *client, *server;

    client = warm(&server);
    fake_sleep(49999);
    ck_assert(!server->closed);
    fake_sleep(1);
    ck_assert(server->closed);
    ck_assert(!client->shut);
}
END_TEST

START_TEST(the_back_end_may_shorten_the_idle_time)
{
    struct fake_io *client, *server;

    client = warm(&server);
    fake_send(client, GET);
    fake_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
                      "Keep-Alive: timeout=5, max=100\r\n\r\n");
    fake_sleep(3999);
    ck_assert(!server->closed);
    fake_sleep(1);
    ck_assert(server->closed);
}
END_TEST

START_TEST(no_more_links_are_kept_than_configured)
{
    struct fake_io *clients[6], *servers[6];
    int kept = 0;

    fake_start();
    for (int i = 0; i < 6; i++) {
        clients[i] = fake_client();
        fake_send(clients[i], GET);
        servers[i] = fake_dialled();
    }
    for (int i = 0; i < 6; i++) {
        fake_send(servers[i], OK);
        kept += !servers[i]->closed;
    }
    ck_assert_int_eq(kept, 4);
    ck_assert_uint_eq(fake.stats.idle_links, 4);
}
END_TEST

START_TEST(no_more_links_are_opened_than_configured)
{
    struct fake_io *client;

    fake.upstreams[0].links_max = 2;
    fake_start();
    for (int i = 0; i < 3; i++) {
        client = fake_client();
        fake_send(client, GET);
    }
    ck_assert_uint_eq(fake_open_dials(), 2);
    ck_assert_starts(fake_take(client), "HTTP/1.1 503 ");
    ck_assert_uint_eq(fake.stats.upstream_full, 1);
}
END_TEST

START_TEST(a_client_that_says_nothing_is_closed)
{
    struct fake_io *client;

    fake_start();
    client = fake_client();
    fake_sleep(9999);
    ck_assert(!client->shut);
    fake_sleep(1);
    ck_assert(client->shut);
    ck_assert_str_eq(fake_take(client), "");
}
END_TEST

START_TEST(a_head_has_to_be_complete_in_time)
{
    struct fake_io *client;

    fake_start();
    client = fake_client();
    fake_send(client, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < 9; i++) {
        fake_sleep(1000);
        fake_send(client, "X: y\r\n");
    }
    ck_assert(!client->shut);
    fake_sleep(1001);
    ck_assert_starts(fake_take(client), "HTTP/1.1 408 Request Timeout\r\n");
    ck_assert(client->shut);
    ck_assert_uint_eq(fake.stats.client_timeout, 1);
}
END_TEST

START_TEST(an_idle_connection_is_closed)
{
    struct fake_io *client, *server;

    client = warm(&server);
    fake_sleep(74999);
    ck_assert(!client->shut);
    fake_sleep(1);
    ck_assert(client->shut);
    ck_assert_str_eq(fake_take(client), "");
}
END_TEST

START_TEST(content_that_does_not_come_is_408)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, POST);
    server = fake_dialled();
    fake_sleep(20000);
    ck_assert_starts(fake_take(client), "HTTP/1.1 408 ");
    ck_assert(server->closed);
}
END_TEST

START_TEST(a_back_end_that_does_not_answer_is_504)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, GET);
    server = fake_dialled();
    fake_sleep(59999);
    ck_assert_str_eq(fake_take(client), "");
    fake_sleep(1);
    ck_assert_starts(fake_take(client), "HTTP/1.1 504 ");
    ck_assert(server->closed);
    ck_assert(!client->shut);
    ck_assert_uint_eq(fake.stats.upstream_timeout, 1);
}
END_TEST

START_TEST(a_back_end_that_takes_no_content_is_504)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, POST);
    server = fake_dialled();
    fake_block(server);
    fake_send(client, "h");
    fake_sleep(60000);
    ck_assert_starts(fake_take(client), "HTTP/1.1 504 ");
}
END_TEST

START_TEST(an_answer_that_stops_is_cut)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, GET);
    server = fake_dialled();
    fake_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhel");
    fake_sleep(30000);
    fake_send(server, "l");
    fake_sleep(30000);
    ck_assert(!client->aborted);
    fake_sleep(10000);
    ck_assert(client->aborted);
    ck_assert(server->closed);
}
END_TEST

START_TEST(a_client_that_takes_nothing_is_cut)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, GET);
    server = fake_dialled();
    fake_block(client);
    fake_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhel");
    fake_sleep(69999);
    ck_assert(!client->aborted);
    fake_sleep(1);
    ck_assert(client->aborted);
    ck_assert_uint_eq(fake.stats.client_timeout, 1);
}
END_TEST

START_TEST(a_client_that_takes_little_is_not_cut)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, GET);
    server = fake_dialled();
    fake_block(client);
    fake_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhel");
    for (int i = 0; i < 20; i++) {
        fake_sleep(20000);
        client->queued--;
    }
    ck_assert(!client->aborted);
}
END_TEST

START_TEST(a_client_that_leaves_frees_the_back_end)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, GET);
    server = fake_dialled();
    fake_close(client, -ECONNRESET);
    ck_assert(server->closed);
    ck_assert_uint_eq(fake.stats.client_gone, 1);
}
END_TEST

START_TEST(a_client_that_leaves_ends_the_dial)
{
    struct fake_io *client;

    fake_start();
    client = fake_client();
    fake_send(client, GET);
    fake_close(client, 0);
    ck_assert_uint_eq(fake_open_dials(), 0);
}
END_TEST

START_TEST(a_client_over_tls_that_ends_has_left)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, GET);
    server = fake_dialled();
    fake_end(client);
    ck_assert(server->closed);
    ck_assert(fake_is_over(client));
}
END_TEST

START_TEST(a_plain_client_may_close_one_half)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client_at(&fake.http, "198.51.100.7:1");
    fake_send(client, GET);
    fake_end(client);
    server = fake_dialled();
    fake_send(server, OK);
    ck_assert_has(fake_take(client), "\r\n\r\nok");
    ck_assert(client->shut);
}
END_TEST

START_TEST(half_a_request_is_no_request)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client_at(&fake.http, "198.51.100.7:1");
    fake_send(client, POST "h");
    fake_end(client);
    server = fake_dialled();
    ck_assert(server->closed);
    ck_assert(fake_is_over(client));
    client = fake_client();
    fake_send(client, "GET / HTT");
    fake_end(client);
    ck_assert(fake_is_over(client));
}
END_TEST

START_TEST(after_a_reload_requests_see_the_new_site)
{
    struct web_site next;
    struct web_route routes[1];
    struct fake_io *client, *busy, *server;

    client = warm(&server);
    busy = fake_client();
    fake_send(busy, GET);
    ck_assert_starts(fake_take(server), "GET ");

    next = fake.site;
    next.refs = 1;
    routes[0] = fake.routes[0];
    ck_assert_int_eq(web_route_set_path(&routes[0], "/new"), 0);
    next.routes = routes;
    web_core_set_site(fake.core, &next);
    ck_assert_uint_eq(fake.site.refs, 2);

    fake_send(client, GET);
    ck_assert_starts(fake_take(client), "HTTP/1.1 404");
    fake_send(server, OK);
    ck_assert_has(fake_take(busy), "\r\n\r\nok");
    ck_assert(server->closed);
    ck_assert_uint_eq(fake.site.refs, 1);
    fake_send(busy, "GET /new HTTP/1.1\r\nHost: a\r\n\r\n");
    fake_dialled();
    fake_close(busy, 0);
    web_core_set_site(fake.core, &fake.site);
    ck_assert_uint_eq(next.refs, 1);
}
END_TEST

START_TEST(a_reload_closes_idle_links)
{
    struct web_site next;
    struct fake_io *client, *server;

    client = warm(&server);
    (void)client;
    next = fake.site;
    next.refs = 1;
    web_core_set_site(fake.core, &next);
    ck_assert(server->closed);
    ck_assert_uint_eq(fake.site.refs, 1);
    web_core_set_site(fake.core, &fake.site);
}
END_TEST

START_TEST(a_drain_answers_what_is_under_way)
{
    struct fake_io *idle, *busy, *half, *server;

    idle = warm(&server);
    busy = fake_client();
    half = fake_client();
    fake_send(busy, GET);
    fake_send(half, "GET / HTTP/1.1\r\n");
    web_core_drain(fake.core);
    ck_assert(idle->shut);
    fake_send(server, OK);
    ck_assert_has(fake_take(busy), "Connection: close\r\n");
    ck_assert(busy->shut);
    ck_assert(server->closed);
    fake_send(half, "Host: a\r\n\r\n");
    server = fake_dialled();
    fake_send(server, OK);
    ck_assert_has(fake_take(half), "Connection: close\r\n");
    ck_assert_ptr_null(fake_client_at(&fake.https, "198.51.100.7:1")->session);
}
END_TEST

/* A client whose kernel takes `step` bytes between two looks: how often it is
 * looked at until it is given up; 50 is for ever. */
static int looks_until_given_up(size_t step)
{
    static char content[100 * 1024];
    struct fake_io *client, *server;
    uint64_t wait;
    int looks = 0;

    memset(content, 'x', sizeof(content) - 1);
    fake.site.limits.body_rate = 100;
    fake_route("/", 0);
    fake_start();
    wait = fake.site.limits.write_ms;
    client = fake_client();
    fake_send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    server = fake_dialled();
    fake_block(client);
    fake_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    fake_send(server, content);
    client->unacked = 4000000;
    while (looks < 50 && !fake_is_over(client)) {
        client->unacked -= step * (size_t)wait / 1000;
        fake_sleep(wait);
        looks++;
    }
    return looks;
}

START_TEST(a_slow_reader_is_not_a_dead_one)
{
    ck_assert_int_eq(looks_until_given_up(101), 50);
}
END_TEST

START_TEST(answers_hardly_read_are_cut)
{
    ck_assert_int_le(looks_until_given_up(99), 4);
    ck_assert_uint_eq(fake.stats.client_timeout, 1);
}
END_TEST

START_TEST(answers_not_read_are_cut)
{
    ck_assert_int_le(looks_until_given_up(0), 4);
}
END_TEST

START_TEST(content_drop_by_drop_is_cut)
{
    struct fake_io *client;
    uint64_t waited = 0;

    fake.site.limits.body_rate = 100;
    fake_route("/", 0);
    fake_start();
    client = fake_client();
    fake_send(client, "POST / HTTP/1.1\r\nHost: a\r\n"
                      "Content-Length: 100000\r\n\r\n");
    fake_dialled();
    while (!fake_is_over(client) && waited < 3600000) {
        fake_sleep(fake.site.limits.body_ms / 2);
        waited += fake.site.limits.body_ms / 2;
        if (!fake_is_over(client))
            fake_send(client, "x");
    }
    ck_assert_starts(fake_take(client), "HTTP/1.1 408 ");
    ck_assert_uint_le(waited, 2 * fake.site.limits.body_ms);
    ck_assert_uint_eq(fake.stats.client_timeout, 1);
}
END_TEST

START_TEST(content_that_keeps_its_pace_is_not)
{
    struct fake_io *client, *server;
    char part[101];

    memset(part, 'x', 100);
    part[100] = '\0';
    fake.site.limits.body_rate = 100;
    fake_route("/", 0);
    fake_start();
    client = fake_client();
    fake_send(client, "POST / HTTP/1.1\r\nHost: a\r\n"
                      "Content-Length: 50000\r\n\r\n");
    server = fake_dialled();
    for (int i = 0; i < 500; i++) {
        fake_sleep(999);
        fake_send(client, part);
    }
    ck_assert_str_eq(fake_take(client), "");
    fake_send(server, "HTTP/1.1 204 No Content\r\n\r\n");
    ck_assert_starts(fake_take(client), "HTTP/1.1 204 ");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web failures");
    TCase *tcase = tcase_create("failures");

    tcase_add_checked_fixture(tcase, fake_setup, fake_teardown);
    tcase_add_test(tcase, a_back_end_that_refuses_is_502);
    tcase_add_test(tcase, a_back_end_that_is_not_reached_is_504);
    tcase_add_test(tcase, a_pipelined_request_goes_on_after_a_failure);
    tcase_add_test(tcase, a_dead_kept_link_is_tried_anew_once);
    tcase_add_test(tcase, what_may_have_been_done_is_not_sent_twice);
    tcase_add_test(tcase, a_request_is_not_sent_twice_when_an_answer_had_begun);
    tcase_add_test(tcase, a_fresh_link_that_dies_is_502);
    tcase_add_test(tcase, a_kept_link_ends_after_its_idle_time);
    tcase_add_test(tcase, the_back_end_may_shorten_the_idle_time);
    tcase_add_test(tcase, no_more_links_are_kept_than_configured);
    tcase_add_test(tcase, no_more_links_are_opened_than_configured);
    tcase_add_test(tcase, a_client_that_says_nothing_is_closed);
    tcase_add_test(tcase, a_head_has_to_be_complete_in_time);
    tcase_add_test(tcase, an_idle_connection_is_closed);
    tcase_add_test(tcase, content_that_does_not_come_is_408);
    tcase_add_test(tcase, a_back_end_that_does_not_answer_is_504);
    tcase_add_test(tcase, a_back_end_that_takes_no_content_is_504);
    tcase_add_test(tcase, an_answer_that_stops_is_cut);
    tcase_add_test(tcase, a_client_that_takes_nothing_is_cut);
    tcase_add_test(tcase, a_client_that_takes_little_is_not_cut);
    tcase_add_test(tcase, a_client_that_leaves_frees_the_back_end);
    tcase_add_test(tcase, a_client_that_leaves_ends_the_dial);
    tcase_add_test(tcase, a_client_over_tls_that_ends_has_left);
    tcase_add_test(tcase, a_plain_client_may_close_one_half);
    tcase_add_test(tcase, half_a_request_is_no_request);
    tcase_add_test(tcase, after_a_reload_requests_see_the_new_site);
    tcase_add_test(tcase, a_reload_closes_idle_links);
    tcase_add_test(tcase, a_drain_answers_what_is_under_way);
    tcase_add_test(tcase, a_slow_reader_is_not_a_dead_one);
    tcase_add_test(tcase, answers_hardly_read_are_cut);
    tcase_add_test(tcase, answers_not_read_are_cut);
    tcase_add_test(tcase, content_drop_by_drop_is_cut);
    tcase_add_test(tcase, content_that_keeps_its_pace_is_not);
    suite_add_tcase(suite, tcase);
    return suite;
}

/* SPDX-License-Identifier: MIT */
/* Full servers, drained ones, ones that are back, and keys of hashes. */
#include "support_fake.h"

#include <stdio.h>

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void one_link(uint32_t queue)
{
    fake_route("/", 0);
    fake.upstreams[0].links_max = 1;
    fake.upstreams[0].queue_max = queue;
    fake.upstreams[0].queue_ms = 1000;
}

START_TEST(requests_wait_for_room_in_order)
{
    struct fake_io *a, *b, *c, *server;

    one_link(2);
    fake_start();
    a = fake_client();
    b = fake_client();
    c = fake_client();
    fake_send(a, GET);
    fake_send(b, "GET /b HTTP/1.1\r\nHost: a\r\n\r\n");
    fake_send(c, "GET /c HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_uint_eq(fake.stats.queued_now, 2);
    server = fake_dialled();
    fake_take(server);
    fake_send(server, OK);
    ck_assert_starts(fake_take(server), "GET /b ");
    fake_send(server, OK);
    ck_assert_starts(fake_take(server), "GET /c ");
    fake_send(server, OK);
    ck_assert_starts(fake_take(a), "HTTP/1.1 200 ");
    ck_assert_starts(fake_take(b), "HTTP/1.1 200 ");
    ck_assert_starts(fake_take(c), "HTTP/1.1 200 ");
    ck_assert_uint_eq(fake.stats.queued, 2);
    ck_assert_uint_eq(fake.stats.queued_now, 0);
}
END_TEST

START_TEST(so_many_wait_and_so_long)
{
    struct fake_io *a, *b, *c;
    const char *got;

    one_link(1);
    fake_start();
    a = fake_client();
    b = fake_client();
    c = fake_client();
    fake_send(a, GET);
    fake_send(b, GET);
    fake_send(c, GET);
    got = fake_take(c);
    ck_assert_starts(got, "HTTP/1.1 503 ");
    ck_assert_has(got, "Retry-After: 1\r\n");
    fake_sleep(999);
    ck_assert_str_eq(fake_take(b), "");
    fake_sleep(1);
    got = fake_take(b);
    ck_assert_starts(got, "HTTP/1.1 503 ");
    ck_assert_has(got, "Retry-After: 1\r\n");
    ck_assert_uint_eq(fake.stats.queue_timeout, 1);
    ck_assert_uint_eq(fake.stats.upstream_full, 1);
}
END_TEST

START_TEST(one_that_leaves_waits_no_more)
{
    struct fake_io *a, *b, *c, *server;

    one_link(1);
    fake_start();
    a = fake_client();
    b = fake_client();
    fake_send(a, GET);
    fake_send(b, GET);
    fake_close(b, 0);
    ck_assert_uint_eq(fake.stats.queued_now, 0);
    c = fake_client();
    fake_send(c, "GET /c HTTP/1.1\r\nHost: a\r\n\r\n");
    server = fake_dialled();
    fake_take(server);
    fake_close(server, -104);
    ck_assert_starts(fake_take(a), "HTTP/1.1 502 ");
    ck_assert_starts(fake_take(fake_dialled()), "GET /c ");
}
END_TEST

START_TEST(a_tunnel_that_ends_makes_room)
{
    struct fake_io *a, *b, *server;

    one_link(1);
    fake.routes[0].websocket = WEB_ROUTE_WEBSOCKET_YES;
    fake_start();
    a = fake_client();
    b = fake_client();
    fake_send(a, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
                 "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    server = fake_dialled();
    fake_send(server, "HTTP/1.1 101 Switching Protocols\r\n"
                      "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                      "\r\n");
    fake_send(b, GET);
    ck_assert_uint_eq(fake_open_dials(), 0);
    fake_close(a, 0);
    fake_close(server, 0);
    ck_assert_uint_eq(fake_open_dials(), 1);
}
END_TEST

START_TEST(a_drained_server_gets_nothing_new)
{
    fake_servers(3);
    fake_route("/", 0);
    fake.backends[1].drained = true;
    fake_start();
    for (int i = 0; i < 6; i++) {
        fake_send(fake_client(), GET);
        ck_assert_uint_ne(fake_dialling(), 1);
        fake_dialled();
    }
}
END_TEST

START_TEST(when_all_are_drained_that_is_said)
{
    struct fake_io *client;

    fake_route("/", 0);
    fake.backends[0].drained = true;
    fake_start();
    client = fake_client();
    fake_send(client, GET);
    ck_assert_starts(fake_take(client), "HTTP/1.1 503 ");
}
END_TEST

static size_t server_of(const char *request)
{
    struct fake_io *client = fake_client();
    size_t server;

    fake_send(client, request);
    server = fake_dialling();
    fake_close(client, 0);
    fake_forget();
    return server;
}

START_TEST(a_server_that_is_back_starts_slowly)
{
    unsigned shares[2] = {0};

    fake_servers(2);
    fake_route("/", 0);
    fake.upstreams[0].slow_ms = 10000;
    fake_start();
    web_health_set_up(fake.backends[1].health, fake.now);
    for (int i = 0; i < 42; i++) {
        shares[server_of(GET)]++;
    }
    ck_assert_uint_eq(shares[1], 2); /* a twentieth of the other's */
    fake_sleep(10000);
    shares[0] = shares[1] = 0;
    for (int i = 0; i < 20; i++) {
        shares[server_of(GET)]++;
    }
    ck_assert_uint_eq(shares[0], shares[1]);
}
END_TEST

static const struct {
    enum web_hash_key key;
    const char *before, *behind;
} keys[] = {
    {WEB_HASH_COOKIE, "/ HTTP/1.1\r\nHost: a\r\nCookie: x=y; s=", ""},
    {WEB_HASH_PATH, "/", " HTTP/1.1\r\nHost: a"},
    {WEB_HASH_ARGUMENT, "/?a=b&s=", " HTTP/1.1\r\nHost: a"},
};

START_TEST(a_key_stays_at_its_server)
{
    char request[256];
    unsigned seen = 0;

    fake_servers(4);
    fake_route("/", 0);
    fake.upstreams[0].balance = WEB_BALANCE_HASH;
    fake.upstreams[0].hash_key = keys[_i].key;
    fake.upstreams[0].hash_name = "s";
    fake_start();
    for (int i = 0; i < 30; i++) {
        size_t server;

        (void)snprintf(request, sizeof(request), "GET %s%d%s\r\n\r\n",
                       keys[_i].before, i, keys[_i].behind);
        server = server_of(request);
        ck_assert_uint_eq(server_of(request), server);
        seen |= 1u << server;
    }
    ck_assert_uint_eq(seen, 15);
}
END_TEST

START_TEST(without_a_key_it_is_the_client)
{
    size_t server;

    fake_servers(4);
    fake_route("/", 0);
    fake.upstreams[0].balance = WEB_BALANCE_HASH;
    fake.upstreams[0].hash_key = WEB_HASH_COOKIE;
    fake.upstreams[0].hash_name = "s";
    fake_start();
    server = server_of(GET);
    for (int i = 0; i < 5; i++)
        ck_assert_uint_eq(
            server_of("GET / HTTP/1.1\r\nHost: a\r\nCookie: s=1; s=2\r\n\r\n"),
            server);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web queue");
    TCase *tcase = tcase_create("queue");

    tcase_add_checked_fixture(tcase, fake_setup, fake_teardown);
    tcase_add_test(tcase, requests_wait_for_room_in_order);
    tcase_add_test(tcase, so_many_wait_and_so_long);
    tcase_add_test(tcase, one_that_leaves_waits_no_more);
    tcase_add_test(tcase, a_tunnel_that_ends_makes_room);
    tcase_add_test(tcase, a_drained_server_gets_nothing_new);
    tcase_add_test(tcase, when_all_are_drained_that_is_said);
    tcase_add_test(tcase, a_server_that_is_back_starts_slowly);
    tcase_add_loop_test(tcase, a_key_stays_at_its_server, 0, ARRAY_SIZE(keys));
    tcase_add_test(tcase, without_a_key_it_is_the_client);
    suite_add_tcase(suite, tcase);
    return suite;
}

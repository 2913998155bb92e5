/* SPDX-License-Identifier: MIT */
/* WebSockets: the handshake is checked and ours, the rest is bytes. */
#include "support_fake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Key and answer of RFC 6455 1.3. */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define ASK(extra)                                                             \
    "GET /ws?token=a.b.c HTTP/1.1\r\nHost: edge.example\r\n"                   \
    "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"                \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n" extra "\r\n"
#define SWITCH                                                                 \
    "HTTP/1.1 101 Web Socket\r\nUpgrade: websocket\r\n"                        \
    "Connection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n"              \
    "Sec-WebSocket-Protocol: sip\r\n\r\n"

static struct web_route *route;

static void setup(void)
{
    fake_setup();
    route = fake_route("/ws", 0);
    route->websocket = WEB_ROUTE_WEBSOCKET_YES;
}

/* A WebSocket that is open; everything said so far is taken. */
static struct fake_io *open_tunnel(struct fake_io **ret_server)
{
    struct fake_io *client;

    fake_start();
    client = fake_client();
    fake_send(client, ASK(""));
    *ret_server = fake_dialled();
    fake_send(*ret_server, SWITCH);
    ck_assert_starts(fake_take(client), "HTTP/1.1 101 ");
    fake_take(*ret_server);
    ck_assert_uint_eq(fake.stats.tunnels, 1);
    return client;
}

START_TEST(a_handshake_is_forwarded_in_our_words)
{
    struct fake_io *client, *server;
    const char *got;

    fake_start();
    client = fake_client();
    fake_send(client, ASK("Origin: https://edge.example\r\n"
                          "Sec-WebSocket-Protocol: sip\r\n"));
    server = fake_dialled();
    got = fake_take(server);
    ck_assert_starts(got, "GET /ws?token=a.b.c HTTP/1.1\r\n");
    ck_assert_has(got, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
    ck_assert_has(got, "Sec-WebSocket-Key: " KEY "\r\n");
    ck_assert_has(got, "Sec-WebSocket-Version: 13\r\n");
    ck_assert_has(got, "Sec-WebSocket-Protocol: sip\r\n");
    ck_assert_has(got, "Origin: https://edge.example\r\n");
    ck_assert_has(got, "X-Forwarded-Proto: https\r\n");
    ck_assert_lacks(got, "keep-alive");
    fake_send(server, SWITCH);
    got = fake_take(client);
    ck_assert_starts(got, "HTTP/1.1 101 Switching Protocols\r\n");
    ck_assert_has(got, "Sec-WebSocket-Accept: " ACCEPT "\r\n");
    ck_assert_has(got, "Sec-WebSocket-Protocol: sip\r\n");
    ck_assert_has(got, "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
}
END_TEST

START_TEST(bytes_flow_both_ways)
{
    struct fake_io *client, *server;

    client = open_tunnel(&server);
    fake_send(client, "GET / HTTP/1.1\r\n\r\n\x81\x05");
    ck_assert_str_eq(fake_take(server), "GET / HTTP/1.1\r\n\r\n\x81\x05");
    fake_send(server, "hello");
    ck_assert_str_eq(fake_take(client), "hello");
}
END_TEST

START_TEST(bytes_that_came_early_are_not_lost)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, ASK("") "early");
    server = fake_dialled();
    ck_assert_lacks(fake_take(server), "early");
    fake_send(server, SWITCH "greeting");
    ck_assert_has(fake_take(client), "\r\n\r\ngreeting");
    ck_assert_str_eq(fake_take(server), "early");
    fake_send(client, "more");
    ck_assert_str_eq(fake_take(server), "more");
}
END_TEST

START_TEST(a_slow_side_stops_the_other)
{
    struct fake_io *client, *server;
    char *data = calloc(1, 100000);

    client = open_tunnel(&server);
    fake_block(client);
    fake_send_span(server, span_of(data, 100000));
    ck_assert(server->paused);
    fake_unblock(client);
    ck_assert(!server->paused);
    fake_block(server);
    fake_send_span(client, span_of(data, 100000));
    ck_assert(client->paused);
    fake_unblock(server);
    ck_assert(!client->paused);
    free(data);
}
END_TEST

START_TEST(an_idle_tunnel_has_a_time_of_its_own)
{
    struct fake_io *client, *server;

    route->tunnel_ms = 500000;
    client = open_tunnel(&server);
    fake_sleep(400000);
    fake_send(server, "ping");
    fake_sleep(400000);
    fake_send(client, "pong");
    fake_sleep(499999);
    ck_assert(!fake_is_over(client));
    fake_sleep(1);
    ck_assert(client->shut);
    ck_assert_uint_eq(fake.stats.tunnel_timeout, 1);
    fake_close(client, 0);
    ck_assert(server->shut);
    fake_close(server, 0);
}
END_TEST

START_TEST(one_half_may_end_before_the_other)
{
    struct fake_io *client, *server;

    client = open_tunnel(&server);
    fake_end(client);
    ck_assert(server->ended);
    fake_send(server, "last words");
    ck_assert_str_eq(fake_take(client), "last words");
    fake_end(server);
    ck_assert(client->shut);
    fake_close(client, 0);
    ck_assert(server->shut);
    fake_close(server, 0);
    ck_assert_uint_eq(fake.stats.tunnels, 0);
}
END_TEST

START_TEST(a_back_end_that_goes_ends_the_client)
{
    struct fake_io *client, *server;

    client = open_tunnel(&server);
    fake_close(server, -ECONNRESET);
    ck_assert(client->shut);
    fake_close(client, 0);
}
END_TEST

START_TEST(a_client_that_goes_ends_the_back_end)
{
    struct fake_io *client, *server;

    client = open_tunnel(&server);
    fake_close(client, -ECONNRESET);
    ck_assert(server->shut);
    fake_close(server, 0);
    ck_assert_uint_eq(fake.stats.links, 0);
}
END_TEST

START_TEST(tunnels_stay_through_reload_and_drain)
{
    struct web_site next;
    struct fake_io *client, *server;

    client = open_tunnel(&server);
    next = fake.site;
    next.refs = 1;
    web_core_set_site(fake.core, &next);
    web_core_drain(fake.core);
    fake_send(client, "a");
    ck_assert_str_eq(fake_take(server), "a");
    ck_assert(!fake_is_over(client));
    fake_close(client, 0);
    fake_close(server, 0);
    web_core_set_site(fake.core, &fake.site);
}
END_TEST

START_TEST(a_refused_handshake_is_an_ordinary_answer)
{
    struct fake_io *client, *server;
    const char *got;

    fake_start();
    client = fake_client();
    fake_send(client, ASK(""));
    server = fake_dialled();
    fake_send(server, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    got = fake_take(client);
    ck_assert_starts(got, "HTTP/1.1 403 ");
    ck_assert_has(got, "\r\n\r\nno");
    ck_assert_uint_eq(fake.stats.tunnels, 0);
}
END_TEST

START_TEST(a_101_that_is_no_answer_to_our_key_is_502)
{
    static const char *const answers[] = {
        "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
        "HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n",
        "HTTP/1.1 101 X\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n",
    };
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, ASK(""));
    server = fake_dialled();
    fake_send(server, answers[_i]);
    ck_assert_starts(fake_take(client), "HTTP/1.1 502 ");
    ck_assert_uint_eq(fake.stats.tunnels, 0);
}
END_TEST

START_TEST(a_bad_handshake_reaches_no_back_end)
{
    static const struct {
        const char *request;
        const char *answer;
    } cases[] = {
        {"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
         "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
         "HTTP/1.1 400 "},
        {"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
         "Upgrade: websocket\r\nSec-WebSocket-Version: 8\r\n"
         "Sec-WebSocket-Key: " KEY "\r\n\r\n",
         "HTTP/1.1 426 "},
        {"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
         "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: short\r\n\r\n",
         "HTTP/1.1 400 "},
        {"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
         "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: " KEY "\r\nOrigin: https://evil.example\r\n\r\n",
         "HTTP/1.1 403 "},
        {"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
         "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: " KEY "\r\nOrigin: http://a\r\n\r\n",
         "HTTP/1.1 403 "},
        {"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
         "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: " KEY "\r\nOrigin: null\r\n\r\n",
         "HTTP/1.1 403 "},
        {"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
         "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: " KEY "\r\nContent-Length: 4\r\n\r\nGET ",
         "HTTP/1.1 400 "},
    };
    struct fake_io *client;

    fake_start();
    client = fake_client();
    fake_send(client, cases[_i].request);
    ck_assert_starts(fake_take(client), cases[_i].answer);
    ck_assert_uint_eq(fake.n_dials, 0);
}
END_TEST

START_TEST(other_origins_may_be_allowed)
{
    static const struct span origins[] = {
        {(const uint8_t *)"https://app.example", 19}};
    struct fake_io *client;

    route->origins.items = origins;
    route->origins.n = 1;
    fake_start();
    client = fake_client();
    fake_send(client, ASK("Origin: https://App.example\r\n"));
    fake_dialled();
}
END_TEST

static const struct {
    const char *host, *origin;
    bool passes;
} ports[] = {
    {"a", "https://a:443", true},       {"a:443", "https://a", true},
    {"a:8443", "https://a:8443", true}, {"a:8443", "https://a", false},
    {"a", "https://a:8443", false},     {"a", "https://a:80", false},
};

START_TEST(the_port_belongs_to_the_origin)
{
    char text[512];

    fake_start();
    (void)snprintf(text, sizeof(text),
                   "GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\n"
                   "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Key: " KEY "\r\nOrigin: %s\r\n\r\n",
                   ports[_i].host, ports[_i].origin);
    fake_send(fake_client(), text);
    ck_assert_uint_eq(fake_open_dials(), ports[_i].passes ? 1 : 0);
}
END_TEST

START_TEST(without_leave_an_upgrade_is_ignored)
{
    struct fake_io *client, *server;
    const char *got;

    route->websocket = WEB_ROUTE_WEBSOCKET_NO;
    fake_start();
    client = fake_client();
    fake_send(client, ASK(""));
    server = fake_dialled();
    got = fake_take(server);
    ck_assert_lacks(got, "Upgrade");
    ck_assert_lacks(got, "Sec-WebSocket");
    fake_send(server, SWITCH);
    ck_assert_starts(fake_take(client), "HTTP/1.1 502 ");
}
END_TEST

START_TEST(other_protocols_are_not_upgraded_to)
{
    struct fake_io *client, *server;
    const char *got;

    fake_start();
    client = fake_client();
    fake_send(client, "GET /ws HTTP/1.1\r\nHost: a\r\n"
                      "Connection: Upgrade, HTTP2-Settings\r\n"
                      "Upgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n");
    server = fake_dialled();
    got = fake_take(server);
    ck_assert_lacks(got, "h2c");
    ck_assert_lacks(got, "HTTP2");
    fake_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    ck_assert_has(fake_take(client), "\r\n\r\nok");
    if (!client->shut) { /* if it stays open, it must still work */
        fake_send(client, "GET /ws HTTP/1.1\r\nHost: a\r\n\r\n");
        ck_assert_starts(fake_take(server), "GET /ws ");
    }
}
END_TEST

START_TEST(a_websocket_only_route_wants_a_websocket)
{
    struct fake_io *client;
    const char *got;

    route->websocket = WEB_ROUTE_WEBSOCKET_ONLY;
    fake_start();
    client = fake_client();
    fake_send(client, "GET /ws HTTP/1.1\r\nHost: a\r\n\r\n");
    got = fake_take(client);
    ck_assert_starts(got, "HTTP/1.1 426 Upgrade Required\r\n");
    ck_assert_has(got, "Upgrade: websocket\r\n");
    ck_assert_uint_eq(fake.n_dials, 0);
}
END_TEST

#define GOING_AWAY "\x88\x02\x03\xe9"

START_TEST(who_is_left_is_told_before_the_end)
{
    struct fake_io *client, *server;
    const char *got;

    fake.site.limits.drain_ms = 20000;
    client = open_tunnel(&server);
    web_core_drain(fake.core);
    fake_sleep(17999);
    ck_assert(!client->shut);
    ck_assert_str_eq(fake_take(client), "");
    fake_sleep(1);
    ck_assert_str_eq(fake_take(client), GOING_AWAY);
    got = fake_take(server);
    ck_assert_int_eq((unsigned char)got[0], 0x88);
    ck_assert_int_eq((unsigned char)got[1], 0x82);
    ck_assert(client->shut);
    /* The answer of the back end is no longer for the client. */
    fake_send_span(server, span_of("\x88\x02\x03\xe9", 4));
    ck_assert(!client->closed);
    fake_close(client, 0);
    ck_assert(fake_is_over(server));
    ck_assert_uint_eq(fake.stats.farewells, 1);
}
END_TEST

START_TEST(a_frame_that_is_half_through_is_left_alone)
{
    struct fake_io *client, *server;

    fake.site.limits.drain_ms = 20000;
    client = open_tunnel(&server);
    fake_send_span(server, span_of("\x81\x05hel", 5));
    fake_take(client);
    web_core_drain(fake.core);
    fake_sleep(20000);
    ck_assert_str_eq(fake_take(client), "");
    ck_assert(client->shut);
}
END_TEST

START_TEST(a_short_drain_has_a_farewell_too)
{
    struct fake_io *client, *server;

    fake.site.limits.drain_ms = 400;
    client = open_tunnel(&server);
    web_core_drain(fake.core);
    fake_sleep(300);
    ck_assert_str_eq(fake_take(client), GOING_AWAY);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web tunnels");
    TCase *tcase = tcase_create("tunnels");

    tcase_add_checked_fixture(tcase, setup, fake_teardown);
    tcase_add_test(tcase, a_handshake_is_forwarded_in_our_words);
    tcase_add_test(tcase, bytes_flow_both_ways);
    tcase_add_test(tcase, bytes_that_came_early_are_not_lost);
    tcase_add_test(tcase, a_slow_side_stops_the_other);
    tcase_add_test(tcase, an_idle_tunnel_has_a_time_of_its_own);
    tcase_add_test(tcase, one_half_may_end_before_the_other);
    tcase_add_test(tcase, a_back_end_that_goes_ends_the_client);
    tcase_add_test(tcase, a_client_that_goes_ends_the_back_end);
    tcase_add_test(tcase, tunnels_stay_through_reload_and_drain);
    tcase_add_test(tcase, a_refused_handshake_is_an_ordinary_answer);
    tcase_add_loop_test(tcase, a_101_that_is_no_answer_to_our_key_is_502, 0, 4);
    tcase_add_loop_test(tcase, a_bad_handshake_reaches_no_back_end, 0, 7);
    tcase_add_loop_test(tcase, the_port_belongs_to_the_origin, 0,
                        ARRAY_SIZE(ports));
    tcase_add_test(tcase, other_origins_may_be_allowed);
    tcase_add_test(tcase, without_leave_an_upgrade_is_ignored);
    tcase_add_test(tcase, other_protocols_are_not_upgraded_to);
    tcase_add_test(tcase, a_websocket_only_route_wants_a_websocket);
    tcase_add_test(tcase, who_is_left_is_told_before_the_end);
    tcase_add_test(tcase, a_frame_that_is_half_through_is_left_alone);
    tcase_add_test(tcase, a_short_drain_has_a_farewell_too);
    suite_add_tcase(suite, tcase);
    return suite;
}

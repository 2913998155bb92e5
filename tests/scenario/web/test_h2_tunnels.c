/* SPDX-License-Identifier: MIT */
/* WebSockets over HTTP/2 (RFC 8441): an extended CONNECT towards the client,
 * an Upgrade of HTTP/1.1 towards the back end. */
#include "support_h2.h"

#include "ws/ws_handshake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct h2_client *c;
static struct web_route *route;

static const char *ask[] = {":method: CONNECT",
                            ":protocol: websocket",
                            ":scheme: https",
                            ":authority: edge.example",
                            ":path: /ws?token=a.b.c",
                            "sec-websocket-version: 13",
                            "sec-websocket-protocol: sip",
                            "sec-websocket-key: bm90IG91cnMgYXQgYWxsIQ==",
                            "origin: https://edge.example",
                            NULL};

static void setup(void)
{
    fake_setup();
    route = fake_route("/ws", 0);
    route->websocket = WEB_ROUTE_WEBSOCKET_YES;
    fake_route("/", 0);
    fake_start();
    c = h2_connect(false);
}

static void teardown(void)
{
    h2_free(c);
    fake_teardown();
}

/* The back end's 101 to what it was asked. */
static void accept_handshake(struct fake_io *server, const char *request)
{
    const char *key = strstr(request, "ec-websocket-key: ");
    char text[512], accepted[WS_ACCEPT_SIZE];

    ck_assert_ptr_nonnull(key);
    key += 18;
    ws_accept_of(span_of(key, 24), accepted);
    snprintf(text, sizeof(text),
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
             "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
             "Sec-WebSocket-Protocol: sip\r\n\r\n",
             accepted);
    fake_send(server, text);
    h2_pump(c);
}

static int32_t open_tunnel(struct fake_io **ret_server)
{
    int32_t id = h2_ask(c, ask, true);

    *ret_server = fake_dialled();
    accept_handshake(*ret_server, fake_take(*ret_server));
    ck_assert_int_eq(h2_seen_of(c, id)->status, 200);
    ck_assert_uint_eq(fake.stats.tunnels, 1);
    return id;
}

START_TEST(the_handshake_is_ours)
{
    int32_t id = h2_ask(c, ask, true);
    struct fake_io *server = fake_dialled();
    const char *got = fake_take(server);

    ck_assert_starts(got, "GET /ws?token=a.b.c HTTP/1.1\r\n"
                          "Host: edge.example\r\n");
    ck_assert_has(got, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
    ck_assert_has(got, "sec-websocket-version: 13\r\n");
    ck_assert_has(got, "sec-websocket-protocol: sip\r\n");
    ck_assert_has(got, "origin: https://edge.example\r\n");
    ck_assert_lacks(got, "bm90IG91");
    ck_assert_lacks(got, "chunked");
    ck_assert_lacks(got, ":protocol");
    accept_handshake(server, got);
    ck_assert_int_eq(h2_seen_of(c, id)->status, 200);
    ck_assert_has(h2_seen_of(c, id)->head, "sec-websocket-protocol: sip\n");
    ck_assert_lacks(h2_seen_of(c, id)->head, "accept");
    ck_assert_lacks(h2_seen_of(c, id)->head, "upgrade");
    ck_assert(!h2_seen_of(c, id)->ended);
}
END_TEST

START_TEST(bytes_flow_both_ways_beside_other_requests)
{
    struct fake_io *server, *other;
    int32_t id = open_tunnel(&server);
    int32_t get;

    h2_data(c, id, "\x81\x05hello", 7, false);
    ck_assert_str_eq(fake_take(server), "\x81\x05hello");
    fake_send(server, "\x81\x03one");
    h2_pump(c);
    ck_assert_str_eq(h2_seen_of(c, id)->text, "\x81\x03one");
    get = h2_get(c, "/page");
    other = fake_dialled();
    fake_send(other, "HTTP/1.1 204 No Content\r\n\r\n");
    h2_pump(c);
    ck_assert_int_eq(h2_seen_of(c, get)->status, 204);
    fake_send(server, "\x81\x03two");
    h2_pump(c);
    ck_assert_str_eq(h2_seen_of(c, id)->text, "\x81\x03one\x81\x03two");
    ck_assert_uint_eq(fake.stats.tunnels_opened, 1);
    ck_assert_uint_eq(fake.stats.h2_tunnels, 1);
}
END_TEST

START_TEST(data_before_the_answer_waits)
{
    int32_t id = h2_ask(c, ask, true);
    struct fake_io *server;

    h2_data(c, id, "early", 5, false);
    server = fake_dialled();
    ck_assert_lacks(server->out, "early");
    accept_handshake(server, fake_take(server));
    ck_assert_str_eq(fake_take(server), "early");
}
END_TEST

START_TEST(the_back_end_closes)
{
    struct fake_io *server;
    int32_t id = open_tunnel(&server);

    fake_send(server, "bye");
    fake_end(server);
    h2_pump(c);
    ck_assert_str_eq(h2_seen_of(c, id)->text, "bye");
    ck_assert(h2_seen_of(c, id)->ended);
    ck_assert_int_eq(h2_seen_of(c, id)->reset, -1);
    /* The other half goes on until it ends. */
    h2_data(c, id, "bye", 3, true);
    ck_assert_str_eq(fake_take(server), "bye");
    ck_assert(server->ended || server->shut);
    ck_assert_uint_eq(fake.stats.h2_streams, 0);
    ck_assert_uint_eq(fake.stats.tunnels, 0);
    ck_assert(!fake_is_over(c->io));
    fake_close(server, 0);
}
END_TEST

START_TEST(the_client_closes)
{
    struct fake_io *server;
    int32_t id = open_tunnel(&server);

    h2_data(c, id, "bye", 3, true);
    ck_assert_str_eq(fake_take(server), "bye");
    ck_assert(server->ended);
    fake_end(server);
    h2_pump(c);
    ck_assert(h2_seen_of(c, id)->ended);
    ck_assert_uint_eq(fake.stats.tunnels, 0);
    ck_assert_uint_eq(fake.stats.h2_streams, 0);
    fake_close(server, 0);
}
END_TEST

START_TEST(the_client_resets)
{
    struct fake_io *server;
    int32_t id = open_tunnel(&server);

    nghttp2_submit_rst_stream(c->session, 0, id, NGHTTP2_CANCEL);
    h2_pump(c);
    ck_assert(server->shut);
    ck_assert_uint_eq(fake.stats.tunnels, 0);
    ck_assert_uint_eq(fake.stats.h2_streams, 0);
    fake_close(server, 0);
}
END_TEST

START_TEST(the_back_end_breaks)
{
    struct fake_io *server;
    int32_t id = open_tunnel(&server);

    fake_close(server, -ECONNRESET);
    h2_pump(c);
    ck_assert(h2_seen_of(c, id)->ended);
    fake_sleep(1100);
    h2_pump(c);
    ck_assert_int_eq(h2_seen_of(c, id)->reset, NGHTTP2_NO_ERROR);
    ck_assert_uint_eq(fake.stats.tunnels, 0);
    ck_assert_uint_eq(fake.stats.h2_streams, 0);
}
END_TEST

START_TEST(a_refusal_is_passed_on)
{
    int32_t id = h2_ask(c, ask, true);

    fake_send(fake_dialled(),
              "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    h2_pump(c);
    ck_assert_int_eq(h2_seen_of(c, id)->status, 403);
    ck_assert_str_eq(h2_seen_of(c, id)->text, "no");
    ck_assert(h2_seen_of(c, id)->ended);
    fake_sleep(1100);
    ck_assert_uint_eq(fake.stats.h2_streams, 0);
}
END_TEST

/* A page instead of a WebSocket: as an answer to CONNECT, 200 would say that
 * the tunnel is open. */
START_TEST(a_page_is_no_tunnel)
{
    int32_t id = h2_ask(c, ask, true);

    fake_send(fake_dialled(), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    h2_pump(c);
    ck_assert_int_eq(h2_seen_of(c, id)->status, 502);
}
END_TEST

START_TEST(only_where_a_route_says_so)
{
    const char *elsewhere[10];
    int32_t id;

    memcpy(elsewhere, ask, sizeof(ask));
    elsewhere[4] = ":path: /other";
    id = h2_ask(c, elsewhere, true);
    ck_assert_int_eq(h2_seen_of(c, id)->status, 403);
    ck_assert_uint_eq(fake.stats.refused_websocket, 1);
    ck_assert_uint_eq(fake_open_dials(), 0);
}
END_TEST

START_TEST(the_origin_is_checked)
{
    const char *foreign[10];
    int32_t id;

    memcpy(foreign, ask, sizeof(ask));
    foreign[8] = "origin: https://evil.example";
    id = h2_ask(c, foreign, true);
    ck_assert_int_eq(h2_seen_of(c, id)->status, 403);
    foreign[8] = "origin: https://edge.example";
    foreign[5] = "sec-websocket-version: 12";
    id = h2_ask(c, foreign, true);
    ck_assert_int_eq(h2_seen_of(c, id)->status, 426);
    ck_assert_lacks(h2_seen_of(c, id)->head, "upgrade: ");
    ck_assert_uint_eq(fake_open_dials(), 0);
}
END_TEST

START_TEST(silence_ends_it)
{
    struct fake_io *server;
    int32_t id = open_tunnel(&server);

    fake_sleep(601000);
    h2_pump(c);
    ck_assert(h2_seen_of(c, id)->ended);
    ck_assert_uint_eq(fake.stats.tunnel_timeout, 1);
    ck_assert_uint_eq(fake.stats.tunnels, 0);
    fake_close(server, 0);
}
END_TEST

/* A reader that stops is felt at the other end. */
START_TEST(each_side_waits_for_the_other)
{
    static const char block[16384];
    struct fake_io *server;
    int32_t id = open_tunnel(&server);
    size_t sent = 0;

    fake_block(c->io);
    while (!server->paused && sent < 1000000) {
        fake_send_span(server, span_of(block, sizeof(block)));
        sent += sizeof(block);
    }
    ck_assert_uint_le(sent, 65536 * 4);
    fake_unblock(c->io);
    h2_pump(c);
    ck_assert(!server->paused);
    ck_assert_uint_eq(h2_seen_of(c, id)->body, sent);
}
END_TEST

START_TEST(draining_leaves_it_open)
{
    struct fake_io *server;
    int32_t id = open_tunnel(&server);

    web_core_drain(fake.core);
    h2_pump(c);
    ck_assert_int_eq(c->goaway, NGHTTP2_NO_ERROR);
    fake_send(server, "still");
    h2_pump(c);
    ck_assert_str_eq(h2_seen_of(c, id)->text, "still");
    fake_end(server);
    h2_data(c, id, NULL, 0, true);
    ck_assert(c->io->shut);
    fake_close(c->io, 0);
    fake_close(server, 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("h2_tunnels");
    TCase *tc = tcase_create("h2_tunnels");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_handshake_is_ours);
    tcase_add_test(tc, bytes_flow_both_ways_beside_other_requests);
    tcase_add_test(tc, data_before_the_answer_waits);
    tcase_add_test(tc, the_back_end_closes);
    tcase_add_test(tc, the_client_closes);
    tcase_add_test(tc, the_client_resets);
    tcase_add_test(tc, the_back_end_breaks);
    tcase_add_test(tc, a_refusal_is_passed_on);
    tcase_add_test(tc, a_page_is_no_tunnel);
    tcase_add_test(tc, only_where_a_route_says_so);
    tcase_add_test(tc, the_origin_is_checked);
    tcase_add_test(tc, silence_ends_it);
    tcase_add_test(tc, each_side_waits_for_the_other);
    tcase_add_test(tc, draining_leaves_it_open);
    suite_add_tcase(suite, tc);
    return suite;
}

/* SPDX-License-Identifier: MIT */
/* HTTP/2 clients: the same proxy, many requests on one connection. */
#include "support_h2.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct h2_client *c;

static void setup(void)
{
    fake_setup();
}

static void start(void)
{
    fake_start();
    c = h2_connect(false);
}

static void teardown(void)
{
    if (c)
        h2_free(c);
    c = NULL;
    fake_teardown();
}

static void answer(struct fake_io *server, const char *text)
{
    fake_send(server, text);
    h2_pump(c);
}

#define OK5 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define EMPTY "HTTP/1.1 204 No Content\r\n\r\n"

/* ---- requests and answers ---- */

START_TEST(a_request_goes_on_as_one_of_http1)
{
    const char *fields[] = {":method: GET",
                            ":scheme: https",
                            ":authority: edge.example",
                            ":path: /a/../b?q=1",
                            "user-agent: test",
                            "te: trailers",
                            "x-forwarded-for: 10.0.0.1",
                            NULL};
    struct fake_io *server;
    const char *got;
    int32_t id;

    start();
    ck_assert(c->connects);
    ck_assert_uint_eq(c->max_streams, 20);
    id = h2_ask(c, fields, false);
    server = fake_dialled();
    got = fake_take(server);
    ck_assert_starts(got, "GET /b?q=1 HTTP/1.1\r\nHost: edge.example\r\n");
    ck_assert_has(got, "user-agent: test\r\n");
    ck_assert_has(got, "X-Forwarded-For: 198.51.100.7\r\n");
    ck_assert_has(got, "X-Forwarded-Proto: https\r\n");
    ck_assert_lacks(got, "10.0.0.1");
    ck_assert_lacks(got, "trailers");
    ck_assert_lacks(got, "chunked");
    answer(server, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Thing: One\r\n"
                   "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n"
                   "\r\nhello");
    ck_assert_int_eq(h2_seen_of(c, id)->status, 200);
    ck_assert_has(h2_seen_of(c, id)->head, "x-thing: One\n");
    ck_assert_has(h2_seen_of(c, id)->head, "content-length: 5\n");
    ck_assert_has(h2_seen_of(c, id)->head, "date: ");
    ck_assert_lacks(h2_seen_of(c, id)->head, "onnection");
    ck_assert_lacks(h2_seen_of(c, id)->head, "eep-");
    ck_assert_str_eq(h2_seen_of(c, id)->text, "hello");
    ck_assert(h2_seen_of(c, id)->ended);
    ck_assert_int_eq(h2_seen_of(c, id)->reset, -1);
    ck_assert_uint_eq(fake.stats.h2_sessions, 1);
    ck_assert_uint_eq(fake.stats.h2_streams, 0);
    ck_assert_uint_eq(fake.stats.idle_links, 1);
}
END_TEST

START_TEST(many_at_once_are_answered_in_any_order)
{
    struct fake_io *server[4];
    int32_t id[4];
    char path[16];

    start();
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "/%d", i);
        id[i] = h2_get(c, path);
    }
    ck_assert_uint_eq(fake.stats.h2_streams, 4);
    for (int i = 0; i < 4; i++)
        server[i] = fake_dialled();
    for (int i = 3; i >= 0; i--) {
        char text[128];

        snprintf(text, sizeof(text),
                 "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", i);
        answer(server[i], text);
        ck_assert_int_eq(h2_seen_of(c, id[i])->status, 200);
        ck_assert_int_eq(h2_seen_of(c, id[i])->text[0], '0' + i);
        ck_assert(h2_seen_of(c, id[i])->ended);
    }
    /* The links are kept for the next. */
    id[0] = h2_get(c, "/again");
    ck_assert_uint_eq(fake_open_dials(), 0);
    answer(server[0], EMPTY);
    ck_assert_int_eq(h2_seen_of(c, id[0])->status, 204);
    ck_assert(h2_seen_of(c, id[0])->ended);
}
END_TEST

START_TEST(chunks_become_data_and_trailers_follow)
{
    struct fake_io *server;
    int32_t id;

    start();
    id = h2_get(c, "/");
    server = fake_dialled();
    answer(server, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                   "Trailer: X-Sum\r\n\r\n5\r\nhello\r\n");
    ck_assert_str_eq(h2_seen_of(c, id)->text, "hello");
    ck_assert(!h2_seen_of(c, id)->ended);
    answer(server, "6\r\n world\r\n0\r\nX-Sum: 42\r\n\r\n");
    ck_assert_str_eq(h2_seen_of(c, id)->text, "hello world");
    ck_assert(h2_seen_of(c, id)->ended);
    ck_assert_str_eq(h2_seen_of(c, id)->tail, "x-sum: 42\n");
    ck_assert_lacks(h2_seen_of(c, id)->head, "chunked");
    ck_assert_uint_eq(fake.stats.idle_links, 1);
}
END_TEST

START_TEST(head_and_304_have_no_content)
{
    const char *fields[] = {":method: HEAD", ":scheme: https",
                            ":authority: edge.example", ":path: /", NULL};
    struct fake_io *server;
    int32_t id;

    start();
    id = h2_ask(c, fields, false);
    server = fake_dialled();
    ck_assert_starts(fake_take(server), "HEAD / HTTP/1.1\r\n");
    answer(server, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    ck_assert_int_eq(h2_seen_of(c, id)->status, 200);
    ck_assert_has(h2_seen_of(c, id)->head, "content-length: 1000\n");
    ck_assert(h2_seen_of(c, id)->ended);
    ck_assert_uint_eq(h2_seen_of(c, id)->body, 0);
    id = h2_get(c, "/");
    answer(server, "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n");
    ck_assert_int_eq(h2_seen_of(c, id)->status, 304);
    ck_assert(h2_seen_of(c, id)->ended);
}
END_TEST

/* As large as the settings allow; nghttp2 by itself would not send it. */
START_TEST(a_large_head_of_an_answer_goes_on)
{
    static char text[66000];
    struct fake_io *server;
    size_t len;
    int32_t id;

    fake.site.limits.answer_head_max = 65536;
    start();
    id = h2_get(c, "/");
    server = fake_dialled();
    len = (size_t)snprintf(text, sizeof(text),
                           "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
    for (int i = 0; i < 90; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "a%02d: ", i);
        memset(text + len, '~', 716);
        len += 716;
        len += (size_t)snprintf(text + len, sizeof(text) - len, "\r\n");
    }
    snprintf(text + len, sizeof(text) - len, "\r\n");
    answer(server, text);
    ck_assert_int_eq(h2_seen_of(c, id)->status, 200);
    ck_assert(h2_seen_of(c, id)->ended);
}
END_TEST

START_TEST(interim_answers_come_first)
{
    struct fake_io *server;
    int32_t id;

    start();
    id = h2_get(c, "/");
    server = fake_dialled();
    answer(server, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
    ck_assert_int_eq(h2_seen_of(c, id)->interims, 1);
    ck_assert_int_eq(h2_seen_of(c, id)->status, 0);
    answer(server, OK5);
    ck_assert_int_eq(h2_seen_of(c, id)->status, 200);
    ck_assert_str_eq(h2_seen_of(c, id)->text, "hello");
}
END_TEST

static const char *post[] = {
    ":method: POST", ":scheme: https",     ":authority: edge.example",
    ":path: /up",    "content-length: 10", NULL};
static const char *post_open[] = {":method: POST", ":scheme: https",
                                  ":authority: edge.example", ":path: /up",
                                  NULL};

START_TEST(content_with_a_length_keeps_it)
{
    struct fake_io *server;
    const char *got;
    int32_t id;

    start();
    id = h2_ask(c, post, true);
    h2_data(c, id, "01234", 5, false); /* before there is a link */
    server = fake_dialled();
    h2_data(c, id, "56789", 5, true);
    got = fake_take(server);
    ck_assert_has(got, "Content-Length: 10\r\n");
    ck_assert_has(got, "\r\n\r\n0123456789");
    answer(server, OK5);
    ck_assert_int_eq(h2_seen_of(c, id)->status, 200);
    ck_assert_int_eq(h2_seen_of(c, id)->reset, -1);
}
END_TEST

START_TEST(content_without_a_length_goes_in_chunks)
{
    struct fake_io *server;
    const char *got;
    int32_t id;

    start();
    id = h2_ask(c, post_open, true);
    server = fake_dialled();
    h2_data(c, id, "hello", 5, false);
    h2_data(c, id, NULL, 0, true);
    got = fake_take(server);
    ck_assert_has(got, "Transfer-Encoding: chunked\r\n");
    ck_assert_has(got, "\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    answer(server, OK5);
    ck_assert(h2_seen_of(c, id)->ended);
    /* None at all is said as a length. */
    id = h2_ask(c, post_open, false);
    got = fake_take(server);
    ck_assert_has(got, "Content-Length: 0\r\n");
    answer(server, OK5);
    ck_assert_int_eq(h2_seen_of(c, id)->status, 200);
}
END_TEST

START_TEST(more_or_less_than_announced_is_reset)
{
    struct fake_io *server;
    int32_t id;

    start();
    id = h2_ask(c, post, true);
    server = fake_dialled();
    h2_data(c, id, "0123456789AB", 12, false);
    ck_assert_int_eq(h2_seen_of(c, id)->reset, NGHTTP2_PROTOCOL_ERROR);
    ck_assert_lacks(fake_take(server), "AB");
    ck_assert(server->closed);
    id = h2_ask(c, post, true);
    server = fake_dialled();
    h2_data(c, id, "01234", 5, true);
    ck_assert_int_eq(h2_seen_of(c, id)->reset, NGHTTP2_PROTOCOL_ERROR);
    ck_assert(server->closed);
    ck_assert_uint_eq(fake.stats.exchanges, 0);
}
END_TEST

START_TEST(an_early_answer_ends_the_upload)
{
    struct fake_io *server;
    int32_t id;

    start();
    id = h2_ask(c, post_open, true);
    server = fake_dialled();
    h2_data(c, id, "hello", 5, false);
    answer(server, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    ck_assert_int_eq(h2_seen_of(c, id)->status, 403);
    ck_assert_str_eq(h2_seen_of(c, id)->text, "no");
    ck_assert(h2_seen_of(c, id)->ended);
    ck_assert(server->closed); /* it waits for the rest */
    /* The answer is to be read first. */
    ck_assert_int_eq(h2_seen_of(c, id)->reset, -1);
    h2_data(c, id, "more", 4, false);
    fake_sleep(1100);
    h2_pump(c);
    ck_assert_int_eq(h2_seen_of(c, id)->reset, NGHTTP2_NO_ERROR);
    ck_assert_uint_eq(fake.stats.h2_streams, 0);
}
END_TEST

START_TEST(cookie_crumbs_are_one_field)
{
    const char *fields[] = {":method: GET",
                            ":scheme: https",
                            ":authority: edge.example",
                            ":path: /",
                            "cookie: a=1",
                            "x-other: 1",
                            "cookie: b=2",
                            NULL};
    const char *got;

    start();
    h2_ask(c, fields, false);
    got = fake_take(fake_dialled());
    ck_assert_has(got, "cookie: a=1; b=2\r\n");
}
END_TEST

/* ---- what is not one ---- */

#define HEAD4 ":method: GET", ":scheme: https", ":authority: e", ":path: /"

static const char *const malformed[][8] = {
    {":method: GET", ":scheme: http", ":authority: e", ":path: /"},
    {":method: GET", ":scheme: https", ":authority: e"},
    {":method: GET", ":authority: e", ":path: /"},
    {":scheme: https", ":authority: e", ":path: /"},
    {":method: GET", ":scheme: https", ":path: /"},
    {":method: GET", ":scheme: https", ":authority: e", ":path: a"},
    {":method: GET", ":scheme: https", ":authority: e", ":path: "},
    {":method: GET", ":scheme: https", ":authority: e", ":path: *"},
    {":method: GET", ":scheme: https", ":authority: e", ":path: http://e/"},
    {":method: GET", ":scheme: https", ":authority: e", ":path: /a b"},
    {":method: GET", ":scheme: https", ":authority: e", ":path: /#x"},
    {":method: GET", ":scheme: https", ":authority: u@e", ":path: /"},
    {":method: GET", ":scheme: https", ":authority: e:0", ":path: /"},
    {":method: GET", ":scheme: https", ":authority: e,f", ":path: /"},
    {":method: G T", ":scheme: https", ":authority: e", ":path: /"},
    {":method: GET", ":method: GET", ":scheme: https", ":authority: e",
     ":path: /"},
    {HEAD4, ":path: /2"},
    {HEAD4, ":status: 200"},
    {HEAD4, ":unknown: 1"},
    {HEAD4, "a: 1", ":authority: f"},
    {HEAD4, "host: f"},
    {HEAD4, "host: e", "host: e"},
    {HEAD4, "connection: close"},
    {HEAD4, "keep-alive: 1"},
    {HEAD4, "proxy-connection: close"},
    {HEAD4, "transfer-encoding: chunked"},
    {HEAD4, "upgrade: websocket"},
    {HEAD4, "te: gzip"},
    {HEAD4, "te: trailers, gzip"},
    {HEAD4, "Upper: 1"},
    {HEAD4, "a b: 1"},
    {HEAD4, "a: 1\r\nb: 2"},
    {HEAD4, "a: 1\nb"},
    {HEAD4, "a: \x01"},
    {HEAD4, "a:  1"},
    {HEAD4, "a: 1 "},
    {HEAD4, "content-length: 5"}, /* and the stream ends */
    {HEAD4, "content-length: -1"},
    {HEAD4, "content-length: 1x"},
    {HEAD4, "content-length: 0", "content-length: 0"},
    {HEAD4, "expect: 200-ok"},
    {":method: GET", ":scheme: https", ":authority: e", ":path: /%2f"},
    {":method: GET", ":scheme: https", ":authority: e", ":path: /%00"},
    {":method: GET", ":scheme: https", ":authority: e", ":path: /../a"},
    {":method: GET", ":scheme: https", ":authority: e", ":path: /\\a"},
    {":method: CONNECT", ":authority: e:443"},
    {":method: CONNECT", ":scheme: https", ":authority: e", ":path: /"},
    {":method: CONNECT", ":protocol: other", ":scheme: https", ":authority: e",
     ":path: /"},
    {":method: GET", ":protocol: websocket", ":scheme: https", ":authority: e",
     ":path: /"},
    {":method: TRACE", ":scheme: https", ":authority: e", ":path: /"},
};

/* A block by hand: nghttp2's client would not say some of these. */
static size_t write_block(const char *const *fields, uint8_t *out)
{
    size_t at = 0;

    for (; *fields; fields++) {
        const char *colon = strchr(*fields + 1, ':');
        size_t name = (size_t)(colon - *fields), value = strlen(colon + 2);

        out[at++] = 0; /* literal, not indexed, new name */
        out[at++] = (uint8_t)name;
        memcpy(out + at, *fields, name);
        at += name;
        out[at++] = (uint8_t)value;
        memcpy(out + at, colon + 2, value);
        at += value;
    }
    return at;
}

START_TEST(malformed_requests_reach_nobody)
{
    const char *fields[9] = {0};
    uint8_t block[1024];
    size_t len;
    int32_t id;

    fake_start();
    c = h2_connect(false);
    memcpy(fields, malformed[_i], sizeof(malformed[_i]));
    len = write_block(fields, block);
    id = h2_get(c, "/first"); /* so that the client knows a stream */
    h2_raw_frame(c->io, NGHTTP2_HEADERS,
                 NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 3, block,
                 len);
    ck_assert_uint_eq(fake_open_dials(), 1);
    ck_assert_uint_eq(fake.stats.exchanges, 1);
    ck_assert_uint_eq(fake.stats.bad_requests + fake.stats.refused_method, 1);
    (void)id;
    /* The connection goes on. */
    fake_send(fake_dialled(), OK5);
    ck_assert(!fake_is_over(c->io));
    ck_assert_uint_eq(fake.stats.h2_fault_protocol, 0);
}
END_TEST

/* The guards of HTTP/1, asked the same way. */
START_TEST(the_gate_is_the_same)
{
    struct web_route *r = fake_route("/t", 0);
    struct web_route *slow = fake_route("/slow", 0);
    int32_t id;

    fake_route("/", 0);
    r->check = WEB_TOKEN_FORMAT;
    fake_zone(slow, "1r/s", 0, WEB_ZONE_NODELAY);
    fake.routes[2].body_max = 4;
    start();
    id = h2_get(c, "/t");
    ck_assert_int_eq(h2_seen_of(c, id)->status, 403);
    ck_assert(h2_seen_of(c, id)->ended);
    ck_assert_lacks(h2_seen_of(c, id)->head, "onnection");
    id = h2_get(c, "/slow");
    id = h2_get(c, "/slow");
    ck_assert_int_eq(h2_seen_of(c, id)->status, 429);
    ck_assert_has(h2_seen_of(c, id)->head, "retry-after: 1\n");
    id = h2_ask(c, post, true);
    ck_assert_int_eq(h2_seen_of(c, id)->status, 413);
    fake_sleep(1100);
    h2_pump(c);
    ck_assert_int_eq(h2_seen_of(c, id)->reset, NGHTTP2_NO_ERROR);
    ck_assert_uint_eq(fake.stats.refused_size, 1);
    id = h2_ask(c, post_open, true);
    (void)fake_dialled();
    (void)fake_dialled();
    h2_data(c, id, "hello", 5, false);
    ck_assert_int_eq(h2_seen_of(c, id)->status, 413);
}
END_TEST

START_TEST(a_large_head_is_431)
{
    static char value[4000];
    const char *fields[] = {HEAD4, value, value, value, NULL};
    int32_t id;

    memset(value, 'x', sizeof(value) - 1);
    memcpy(value, "a: ", 3);
    start();
    id = h2_ask(c, fields, false);
    ck_assert_int_eq(h2_seen_of(c, id)->status, 431);
    ck_assert_int_eq(c->goaway, -1);
    ck_assert_uint_eq(fake.stats.refused_size, 1);
}
END_TEST

/* ---- back ends that fail ---- */

START_TEST(a_broken_answer_is_a_reset_stream)
{
    struct fake_io *server;
    int32_t id, other;

    start();
    id = h2_get(c, "/");
    other = h2_get(c, "/other");
    server = fake_dialled();
    answer(server, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello");
    fake_close(server, -ECONNRESET);
    h2_pump(c);
    ck_assert_int_eq(h2_seen_of(c, id)->reset, NGHTTP2_INTERNAL_ERROR);
    ck_assert(!h2_seen_of(c, id)->ended);
    /* Others are not concerned. */
    answer(fake_dialled(), OK5);
    ck_assert_int_eq(h2_seen_of(c, other)->status, 200);
    id = h2_get(c, "/");
    answer(fake.ios + 2, "nonsense\r\n\r\n");
    ck_assert_int_eq(h2_seen_of(c, id)->status, 502);
}
END_TEST

START_TEST(a_reset_by_the_client_closes_the_link)
{
    struct fake_io *server;
    int32_t id;

    start();
    id = h2_get(c, "/");
    server = fake_dialled();
    nghttp2_submit_rst_stream(c->session, 0, id, NGHTTP2_CANCEL);
    h2_pump(c);
    ck_assert(server->closed);
    ck_assert_uint_eq(fake.stats.client_gone, 1);
    ck_assert_uint_eq(fake.stats.exchanges, 0);
    ck_assert_uint_eq(fake.stats.h2_streams, 0);
    ck_assert(!fake_is_over(c->io));
}
END_TEST

START_TEST(a_client_that_leaves_takes_all_along)
{
    struct fake_io *server;

    start();
    h2_get(c, "/1");
    h2_get(c, "/2");
    server = fake_dialled();
    fake_close(c->io, 0);
    ck_assert(server->closed);
    ck_assert_uint_eq(fake_open_dials(), 0);
    ck_assert_uint_eq(fake.stats.client_gone, 2);
    ck_assert_uint_eq(fake.stats.sessions, 0);
}
END_TEST

/* ---- windows ---- */

static const char big_head[] =
    "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";

START_TEST(a_back_end_waits_for_a_slow_client)
{
    static const char block[16384];
    struct fake_io *server;
    size_t sent = 0;
    int32_t id;

    fake_start();
    c = h2_connect(true);
    id = h2_get(c, "/");
    server = fake_dialled();
    answer(server, big_head);
    while (!server->paused && sent < 1000000) {
        fake_send_span(server, span_of(block, sizeof(block)));
        sent += sizeof(block);
        h2_pump(c);
    }
    /* The client's window, and what we hold. */
    ck_assert_uint_eq(h2_seen_of(c, id)->body, 65535);
    ck_assert_uint_le(sent, 65535 + 65536 + 2 * sizeof(block));
    while (sent < 1000000) {
        size_t had = h2_seen_of(c, id)->body;

        nghttp2_session_consume(c->session, id, 40000);
        h2_pump(c);
        ck_assert_uint_gt(h2_seen_of(c, id)->body, had);
        while (!server->paused && sent < 1000000) {
            size_t n = 1000000 - sent;

            n = n < sizeof(block) ? n : sizeof(block);
            fake_send_span(server, span_of(block, n));
            sent += n;
        }
    }
    while (!h2_seen_of(c, id)->ended) {
        nghttp2_session_consume(c->session, id, 40000);
        h2_pump(c);
    }
    ck_assert_uint_eq(h2_seen_of(c, id)->body, 1000000);
    ck_assert_uint_eq(fake.stats.idle_links, 1);
}
END_TEST

START_TEST(streams_take_turns)
{
    static const char block[16384];
    struct fake_io *first, *second;
    int32_t one, two;

    fake_start();
    c = h2_connect(true);
    one = h2_get(c, "/1");
    two = h2_get(c, "/2");
    first = fake_dialled();
    second = fake_dialled();
    fake_block(c->io);
    c->io->queued = 100000; /* nothing leaves until all of it is there */
    fake_send(first, big_head);
    fake_send(second, big_head);
    for (int i = 0; i < 4; i++) {
        fake_send_span(first, span_of(block, sizeof(block)));
        fake_send_span(second, span_of(block, sizeof(block)));
    }
    fake_unblock(c->io);
    h2_pump(c);
    /* The window of the connection is for both. */
    ck_assert_uint_ge(h2_seen_of(c, one)->body, 30000);
    ck_assert_uint_ge(h2_seen_of(c, two)->body, 30000);
}
END_TEST

START_TEST(a_client_waits_for_a_slow_back_end)
{
    static const char block[16384];
    struct fake_io *server;
    size_t sent = 0;
    int32_t id;
    int32_t window;

    start();
    id = h2_ask(c, post_open, true);
    server = fake_dialled();
    fake_take(server);
    fake_block(server);
    /* By hand, so we keep the account: the window is never more than what
     * the server said. */
    for (;;) {
        window = nghttp2_session_get_stream_remote_window_size(c->session, id) -
                 (int32_t)sent;
        if (window < (int32_t)sizeof(block))
            break;
        h2_data(c, id, block, sizeof(block), false);
        sent += sizeof(block);
        ck_assert_uint_lt(sent, 1000000);
    }
    /* What the back end has not taken, and one window. */
    ck_assert_uint_le(sent, 65536 + 65536 + 2 * sizeof(block));
    fake_unblock(server);
    h2_pump(c);
    window = nghttp2_session_get_stream_remote_window_size(c->session, id) -
             (int32_t)sent;
    ck_assert_int_gt(window, 30000);
    h2_data(c, id, NULL, 0, true);
    answer(server, OK5);
    ck_assert_int_eq(h2_seen_of(c, id)->status, 200);
}
END_TEST

START_TEST(a_client_that_takes_nothing_is_given_up)
{
    static const char block[16384];
    struct fake_io *server;
    int32_t id;

    fake_start();
    c = h2_connect(true);
    id = h2_get(c, "/");
    server = fake_dialled();
    answer(server, "HTTP/1.1 200 OK\r\nContent-Length: 81920\r\n\r\n");
    for (int i = 0; i < 5; i++)
        fake_send_span(server, span_of(block, sizeof(block)));
    h2_pump(c);
    ck_assert_uint_eq(fake.stats.h2_streams, 1);
    ck_assert_uint_eq(fake.stats.exchanges, 0); /* the back end is done */
    fake_sleep(29000);
    ck_assert_uint_eq(fake.stats.h2_streams, 1);
    fake_sleep(2000);
    h2_pump(c);
    ck_assert_uint_eq(fake.stats.h2_streams, 0);
    ck_assert_int_ge(h2_seen_of(c, id)->reset, 0);
    ck_assert_uint_eq(fake.stats.client_timeout, 1);
}
END_TEST

/* Windows for `n` bytes every 20 seconds, until the stream is gone or `looks`
 * times; how often. */
static int drips(int32_t id, int32_t n, int looks)
{
    int i = 0;

    for (; i < looks && h2_seen_of(c, id)->reset < 0; i++) {
        ck_assert_int_eq(nghttp2_submit_window_update(c->session, 0, id, n), 0);
        ck_assert_int_eq(nghttp2_submit_window_update(c->session, 0, 0, n), 0);
        h2_pump(c);
        fake_sleep(20000);
        h2_pump(c);
    }
    return i;
}

/* The back end has said all, or still has much to say. */
static int32_t ask_for(size_t length)
{
    static const char block[16384];
    struct fake_io *server;
    char head[80];
    size_t sent = 0;
    int32_t id;

    fake.site.limits.body_rate = 100;
    fake_start();
    c = h2_connect(true);
    id = h2_get(c, "/");
    server = fake_dialled();
    (void)snprintf(head, sizeof(head),
                   "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", length);
    answer(server, head);
    for (; sent < length && !server->paused; sent += sizeof(block)) {
        fake_send_span(server, span_of(block, sizeof(block)));
        h2_pump(c);
    }
    return id;
}

START_TEST(a_client_that_takes_drops_is_given_up)
{
    int32_t id = ask_for(_i == 0 ? 7 * 16384 : 1638400);

    ck_assert_uint_eq(fake.stats.exchanges, _i == 0 ? 0 : 1);
    ck_assert_int_lt(drips(id, 1, 20), 12);
    ck_assert_uint_eq(fake.stats.h2_streams, 0);
    ck_assert_uint_eq(fake.stats.exchanges, 0);
    ck_assert_uint_eq(fake.stats.client_timeout, 1);
}
END_TEST

START_TEST(a_client_that_takes_little_is_not)
{
    int32_t id = ask_for(_i == 0 ? 7 * 16384 : 1638400);

    ck_assert_int_eq(drips(id, 3100, 20), 20);
    ck_assert_uint_eq(fake.stats.client_timeout, 0);
}
END_TEST

START_TEST(a_connection_that_is_not_read_is_cut)
{
    static const char block[16384];
    struct fake_io *server;

    start();
    h2_get(c, "/");
    server = fake_dialled();
    fake_block(c->io);
    fake_send(server, big_head);
    for (int i = 0; i < 8 && !server->paused; i++)
        fake_send_span(server, span_of(block, sizeof(block)));
    ck_assert_uint_lt(c->io->queued, 65536 * 2);
    fake_sleep(31000);
    ck_assert(c->io->aborted);
    ck_assert(server->closed);
    ck_assert_uint_ge(fake.stats.client_timeout, 1);
}
END_TEST

/* ---- time and the end ---- */

START_TEST(an_idle_connection_ends)
{
    int32_t id;

    start();
    id = h2_get(c, "/");
    fake_sleep(1000);
    answer(fake_dialled(), OK5);
    ck_assert_int_eq(h2_seen_of(c, id)->status, 200);
    fake_sleep(74000);
    ck_assert(!fake_is_over(c->io));
    fake_sleep(1500);
    h2_pump(c);
    ck_assert_int_eq(c->goaway, NGHTTP2_NO_ERROR);
    ck_assert(c->io->shut);
    fake_close(c->io, 0);
}
END_TEST

START_TEST(a_connection_that_never_asks_ends_sooner)
{
    struct fake_io *io;

    fake_start();
    io = h2_raw();
    fake_sleep(10500);
    ck_assert(io->shut);
    ck_assert_int_eq(h2_raw_goaway(io), NGHTTP2_NO_ERROR);
    fake_close(io, 0);
}
END_TEST

START_TEST(half_a_head_is_not_waited_for)
{
    struct fake_io *io;

    fake_start();
    io = h2_raw();
    h2_raw_get(io, 1);
    h2_raw_frame(io, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 3, "\x82", 1);
    /* Another stream being served does not help it. */
    (void)fake_dialled();
    fake_sleep(10500);
    ck_assert(io->shut);
    ck_assert_uint_eq(fake.stats.client_timeout, 1);
    ck_assert_uint_eq(fake.stats.exchanges, 0);
    fake_close(io, 0);
}
END_TEST

START_TEST(draining_answers_what_is_under_way)
{
    struct fake_io *server;
    int32_t id;

    start();
    id = h2_get(c, "/");
    server = fake_dialled();
    web_core_drain(fake.core);
    h2_pump(c);
    /* Told first that it ends, then what was the last; by then a round trip
     * has passed. */
    ck_assert_int_eq(c->goaways, 2);
    ck_assert_int_eq(c->goaway, NGHTTP2_NO_ERROR);
    ck_assert_int_eq(c->last_id, id);
    ck_assert(!fake_is_over(c->io));
    answer(server, OK5);
    ck_assert_int_eq(h2_seen_of(c, id)->status, 200);
    ck_assert(h2_seen_of(c, id)->ended);
    ck_assert(c->io->shut);
    fake_close(c->io, 0);
}
END_TEST

START_TEST(draining_ends_an_idle_connection)
{
    start();
    web_core_drain(fake.core);
    h2_pump(c);
    ck_assert_int_eq(c->goaway, NGHTTP2_NO_ERROR);
    ck_assert(c->io->shut);
    fake_close(c->io, 0);
}
END_TEST

START_TEST(a_connection_carries_so_many_requests)
{
    struct fake_io *server = NULL;
    int32_t id = 0;

    fake.site.limits.requests_max = 3;
    start();
    for (int i = 0; i < 3; i++) {
        id = h2_get(c, "/");
        if (!server)
            server = fake_dialled();
        answer(server, OK5);
        ck_assert_int_eq(h2_seen_of(c, id)->status, 200);
    }
    ck_assert_int_eq(c->goaway, NGHTTP2_NO_ERROR);
    ck_assert_int_eq(c->last_id, id);
    ck_assert(c->io->shut);
    fake_close(c->io, 0);
}
END_TEST

START_TEST(too_many_at_once_are_refused)
{
    struct fake_io *io;

    fake.upstreams[0].links_max = 64;
    fake_start();
    io = h2_raw();
    for (uint32_t i = 0; i < 25; i++)
        h2_raw_get(io, 1 + 2 * i);
    ck_assert_uint_eq(fake.stats.h2_streams, 20);

    ck_assert(!fake_is_over(io));
}
END_TEST

static Suite *suite_of(void)
{
    Suite *suite = suite_create("h2");
    TCase *tc = tcase_create("h2");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_request_goes_on_as_one_of_http1);
    tcase_add_test(tc, many_at_once_are_answered_in_any_order);
    tcase_add_test(tc, chunks_become_data_and_trailers_follow);
    tcase_add_test(tc, head_and_304_have_no_content);
    tcase_add_test(tc, a_large_head_of_an_answer_goes_on);
    tcase_add_test(tc, interim_answers_come_first);
    tcase_add_test(tc, content_with_a_length_keeps_it);
    tcase_add_test(tc, content_without_a_length_goes_in_chunks);
    tcase_add_test(tc, more_or_less_than_announced_is_reset);
    tcase_add_test(tc, an_early_answer_ends_the_upload);
    tcase_add_test(tc, cookie_crumbs_are_one_field);
    tcase_add_loop_test(tc, malformed_requests_reach_nobody, 0,
                        (int)ARRAY_SIZE(malformed));
    tcase_add_test(tc, the_gate_is_the_same);
    tcase_add_test(tc, a_large_head_is_431);
    tcase_add_test(tc, a_broken_answer_is_a_reset_stream);
    tcase_add_test(tc, a_reset_by_the_client_closes_the_link);
    tcase_add_test(tc, a_client_that_leaves_takes_all_along);
    tcase_add_test(tc, a_back_end_waits_for_a_slow_client);
    tcase_add_test(tc, streams_take_turns);
    tcase_add_test(tc, a_client_waits_for_a_slow_back_end);
    tcase_add_test(tc, a_client_that_takes_nothing_is_given_up);
    tcase_add_loop_test(tc, a_client_that_takes_drops_is_given_up, 0, 2);
    tcase_add_loop_test(tc, a_client_that_takes_little_is_not, 0, 2);
    tcase_add_test(tc, a_connection_that_is_not_read_is_cut);
    tcase_add_test(tc, an_idle_connection_ends);
    tcase_add_test(tc, a_connection_that_never_asks_ends_sooner);
    tcase_add_test(tc, half_a_head_is_not_waited_for);
    tcase_add_test(tc, draining_answers_what_is_under_way);
    tcase_add_test(tc, draining_ends_an_idle_connection);
    tcase_add_test(tc, a_connection_carries_so_many_requests);
    tcase_add_test(tc, too_many_at_once_are_refused);
    suite_add_tcase(suite, tc);
    return suite;
}

Suite *unit_suite(void)
{
    return suite_of();
}

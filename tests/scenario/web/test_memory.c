/* SPDX-License-Identifier: MIT */
/* A whole story with one allocation failing at each place in turn: the proxy
 * may refuse, close or answer 503, but goes on and loses nothing. */
#include "support_h2.h"

#include <errno.h>

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

/* Say something if there is still somebody to say it to. */
static void say(struct fake_io *io, const char *text)
{
    if (io && (io->session || io->link) && !fake_is_over(io))
        fake_send(io, text);
}

static struct fake_io *dialled(void)
{
    return fake_open_dials() > 0 ? fake_dialled() : NULL;
}

static void story(void)
{
    struct fake_io *client = fake_client_at(&fake.https, "198.51.100.7:1");
    struct fake_io *server;

    if (!client->session)
        return;
    say(client, "GET /a HTTP/1.1\r\nHo");
    say(client, "st: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n");
    server = dialled();
    say(server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r");
    say(server, "\nok");
    say(server, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                "2\r\nok\r\n0\r\n\r\n");
    say(client, "POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
    if (fake_open_dials() > 0)
        server = dialled();
    say(client, "cd");
    say(server, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
    say(client, "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
                "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: " KEY "\r\n\r\nearly");
    if (fake_open_dials() > 0)
        server = dialled();
    say(server,
        "HTTP/1.1 101 X\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\nhello");
    say(client, "bytes");
    if (!fake_is_over(client))
        fake_close(client, 0);
}

START_TEST(any_allocation_may_fail)
{
    fake_route("/", 0);
    fake_route("/ws", 0)->websocket = WEB_ROUTE_WEBSOCKET_YES;
    fake_start();
    mem_fail_at(_i);
    story();
    mem_fail_at(-1);
    if (fake.n_ios < 40) /* and afterwards it works */
        story();
    ck_assert_uint_ge(fake.stats.sessions_opened, 1);
}
END_TEST

/* The same by HTTP/2, whose library asks for memory, too. */
static void story_h2(void)
{
    static const uint8_t get[] = {0x82, 0x87, 0x84, 0x41, 0x01, 'a'};
    static const uint8_t post[] = {0x83, 0x87, 0x84, 0x41, 0x01, 'a', 0,
                                   4,    'n',  'a',  'm',  'e',  1,   'v'};
    static const uint8_t cancel[] = {0, 0, 0, NGHTTP2_CANCEL};
    struct fake_io *client = fake_client_at(NULL, "198.51.100.7:1");
    struct fake_io *server;

    if (!client->session)
        return;
    say(client, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    h2_raw_frame(client, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    h2_raw_frame(client, NGHTTP2_HEADERS, 5, 1, get, sizeof(get));
    h2_raw_frame(client, NGHTTP2_HEADERS, 4, 3, post, sizeof(post));
    h2_raw_frame(client, NGHTTP2_DATA, 0, 3, "early", 5);
    server = dialled();
    say(server, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                "2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n");
    server = dialled();
    h2_raw_frame(client, NGHTTP2_DATA, 1, 3, "late", 4);
    say(server, "HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n");
    say(server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    h2_raw_frame(client, NGHTTP2_PING, 0, 0, "12345678", 8);
    h2_raw_frame(client, NGHTTP2_HEADERS, 5, 5, get, 3);
    h2_raw_frame(client, NGHTTP2_HEADERS, 5, 7, get, sizeof(get));
    h2_raw_frame(client, NGHTTP2_RST_STREAM, 0, 7, cancel, 4);
    if (!fake_is_over(client))
        fake_close(client, 0);
}

START_TEST(any_allocation_of_http2_may_fail)
{
    fake_route("/", 0);
    fake_start();
    mem_fail_at(_i);
    story_h2();
    mem_fail_at(-1);
    if (fake.n_ios < 40)
        story_h2();
    ck_assert_uint_ge(fake.stats.h2_sessions, 1);
    ck_assert_uint_eq(fake.stats.h2_streams, 0);
}
END_TEST

START_TEST(without_memory_there_is_no_core)
{
    struct web_core_options options = {.site = &fake.site,
                                       .stats = &fake.stats};
    struct web_core *core;
    int err;

    fake_start();
    CK_OOM_SWEEP(err, err = web_core_new(&core, &options));
    web_core_free(core);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web memory");
    TCase *tcase = tcase_create("memory");

    tcase_add_checked_fixture(tcase, fake_setup, fake_teardown);
    tcase_add_loop_test(tcase, any_allocation_may_fail, 0, 60);
    tcase_add_loop_test(tcase, any_allocation_of_http2_may_fail, 0, 200);
    tcase_add_test(tcase, without_memory_there_is_no_core);
    suite_add_tcase(suite, tcase);
    return suite;
}

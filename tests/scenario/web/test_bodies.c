/* SPDX-License-Identifier: MIT */
/* Content in both directions: framing is ours, memory is bounded. */
#include "support_fake.h"

#include <stdio.h>
#include <stdlib.h>

#define POST(framing) "POST /up HTTP/1.1\r\nHost: a\r\n" framing "\r\n"
#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static const char *body_of(const char *message)
{
    const char *end = strstr(message, "\r\n\r\n");

    ck_assert_ptr_nonnull(end);
    return end + 4;
}

START_TEST(a_length_is_kept)
{
    struct fake_io *client, *server;
    const char *got;

    fake_start();
    client = fake_client();
    fake_send(client, POST("Content-Length: 5\r\n") "hello");
    server = fake_dialled();
    got = fake_take(server);
    ck_assert_has(got, "Content-Length: 5\r\n");
    ck_assert_str_eq(body_of(got), "hello");
    fake_send(server, OK);
    ck_assert_starts(fake_take(client), "HTTP/1.1 200");
    ck_assert(!client->shut);
    ck_assert_uint_eq(fake.stats.idle_links, 1);
    ck_assert_uint_eq(fake.stats.body_in, 5);
}
END_TEST

START_TEST(chunks_are_written_anew)
{
    struct fake_io *client, *server;
    const char *got;

    fake_start();
    client = fake_client();
    fake_send(client, POST("Transfer-Encoding: Chunked\r\n"));
    server = fake_dialled();
    fake_send(client, "005;a=b\r\nhello\r\n10\r\n0123456789abcdef\r\n"
                      "0\r\nX-Trailer: x\r\n\r\n");
    got = fake_take(server);
    ck_assert_has(got, "Transfer-Encoding: chunked\r\n");
    ck_assert_lacks(got, "Content-Length");
    ck_assert_str_eq(body_of(got), "5\r\nhello\r\n10\r\n0123456789abcdef\r\n"
                                   "0\r\n\r\n");
    fake_send(server, OK);
    ck_assert_uint_eq(fake.stats.idle_links, 1);
    ck_assert(!client->shut);
}
END_TEST

START_TEST(content_that_came_before_the_link_is_not_lost)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, POST("Content-Length: 10\r\n") "hello");
    ck_assert(client->paused);
    fake_send(client, "world");
    server = fake_dialled();
    ck_assert_str_eq(body_of(fake_take(server)), "helloworld");
    ck_assert(!client->paused);
}
END_TEST

START_TEST(a_request_behind_content_is_a_request)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, POST("Content-Length: 5\r\n") "hello" GET);
    server = fake_dialled();
    ck_assert_str_eq(body_of(fake_take(server)), "hello");
    fake_send(server, OK);
    ck_assert_starts(fake_take(server), "GET / ");
}
END_TEST

START_TEST(a_slow_back_end_stops_the_client)
{
    struct fake_io *client, *server;
    char *data = calloc(1, 200000);

    fake_start();
    client = fake_client();
    fake_send(client, POST("Content-Length: 200000\r\n"));
    server = fake_dialled();
    fake_block(server);
    fake_send_span(client, span_of(data, 80000));
    ck_assert(client->paused);
    ck_assert_uint_lt(server->queued, 100000);
    fake_unblock(server);
    ck_assert(!client->paused);
    fake_send_span(client, span_of(data, 120000));
    fake_send(server, OK);
    ck_assert_uint_eq(fake.stats.body_in, 200000);
    ck_assert_starts(fake_take(client), "HTTP/1.1 200");
    free(data);
}
END_TEST

START_TEST(a_slow_client_stops_the_back_end)
{
    struct fake_io *client, *server;
    char *data = calloc(1, 200000);

    fake_start();
    client = fake_client();
    fake_send(client, GET);
    server = fake_dialled();
    fake_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n");
    fake_block(client);
    fake_send_span(server, span_of(data, 80000));
    ck_assert(server->paused);
    fake_unblock(client);
    ck_assert(!server->paused);
    fake_send_span(server, span_of(data, 120000));
    ck_assert_uint_eq(fake.stats.body_out, 200000);
    ck_assert_uint_eq(fake.stats.idle_links, 1);
    free(data);
}
END_TEST

START_TEST(content_over_the_limit_is_413_without_a_back_end)
{
    struct fake_io *client;

    fake_route("/", 0)->body_max = 4;
    fake_start();
    client = fake_client();
    fake_send(client, POST("Content-Length: 5\r\n") "hello");
    ck_assert_starts(fake_take(client), "HTTP/1.1 413 ");
    ck_assert(client->shut);
    ck_assert_uint_eq(fake.n_dials, 0);
}
END_TEST

START_TEST(chunks_over_the_limit_are_413)
{
    struct fake_io *client, *server;

    fake_route("/", 0)->body_max = 4;
    fake_start();
    client = fake_client();
    fake_send(client, POST("Transfer-Encoding: chunked\r\n"));
    server = fake_dialled();
    fake_send(client, "5\r\nhello\r\n");
    ck_assert_starts(fake_take(client), "HTTP/1.1 413 ");
    ck_assert(client->shut);
    ck_assert(server->closed);
}
END_TEST

START_TEST(malformed_chunks_are_400_and_end_the_link)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, POST("Transfer-Encoding: chunked\r\n"));
    server = fake_dialled();
    fake_send(client, "5\r\nhelloX");
    ck_assert_starts(fake_take(client), "HTTP/1.1 400 ");
    ck_assert(client->shut);
    ck_assert(server->closed);
}
END_TEST

START_TEST(the_client_waits_for_100_from_the_back_end)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, POST("Content-Length: 5\r\nExpect: 100-continue\r\n"));
    server = fake_dialled();
    ck_assert_has(fake_take(server), "Expect: 100-continue\r\n");
    fake_send(server, "HTTP/1.1 100 Continue\r\n\r\n");
    ck_assert_str_eq(fake_take(client), "HTTP/1.1 100 Continue\r\n\r\n");
    fake_send(client, "hello");
    ck_assert_str_eq(fake_take(server), "hello");
    fake_send(server, OK);
    ck_assert_starts(fake_take(client), "HTTP/1.1 200");
    ck_assert(!client->shut);
}
END_TEST

START_TEST(an_early_answer_ends_the_connection)
{
    struct fake_io *client, *server;
    const char *got;

    fake_start();
    client = fake_client();
    fake_send(client, POST("Content-Length: 5\r\nExpect: 100-continue\r\n"));
    server = fake_dialled();
    fake_send(server, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n"
                      "\r\nno");
    got = fake_take(client);
    ck_assert_starts(got, "HTTP/1.1 401 ");
    ck_assert_has(got, "Connection: close\r\n");
    ck_assert_str_eq(body_of(got), "no");
    ck_assert(client->shut);
    ck_assert(server->closed);
}
END_TEST

START_TEST(an_answer_may_begin_while_content_comes)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, POST("Content-Length: 6\r\n") "abc");
    server = fake_dialled();
    fake_take(server);
    fake_send(server, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "3\r\nABC\r\n");
    ck_assert_str_eq(body_of(fake_take(client)), "3\r\nABC\r\n");
    fake_send(client, "def");
    ck_assert_str_eq(fake_take(server), "def");
    fake_send(server, "3\r\nDEF\r\n0\r\n\r\n");
    ck_assert_str_eq(fake_take(client), "3\r\nDEF\r\n0\r\n\r\n");
}
END_TEST

START_TEST(an_answer_until_close_becomes_chunks)
{
    struct fake_io *client, *server;
    const char *got;

    fake_start();
    client = fake_client();
    fake_send(client, GET);
    server = fake_dialled();
    fake_send(server, "HTTP/1.0 200 OK\r\n\r\nhel");
    fake_send(server, "lo");
    fake_end(server);
    got = fake_take(client);
    ck_assert_starts(got, "HTTP/1.1 200 OK\r\n");
    ck_assert_has(got, "Transfer-Encoding: chunked\r\n");
    ck_assert_str_eq(body_of(got), "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n");
    ck_assert(!client->shut);
    ck_assert(server->closed);
}
END_TEST

START_TEST(a_cut_answer_is_not_taken_for_whole)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhel",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n",
    };
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, GET);
    server = fake_dialled();
    fake_send(server, answers[_i]);
    fake_end(server);
    ck_assert(client->aborted);
    ck_assert_lacks(fake_take(client), "0\r\n\r\n");
    ck_assert_uint_eq(fake.stats.upstream_broken, 1);
}
END_TEST

START_TEST(a_broken_connection_does_not_end_an_answer_until_close)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, GET);
    server = fake_dialled();
    fake_send(server, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhel");
    fake_close(server, -104);
    ck_assert(client->aborted);
}
END_TEST

START_TEST(an_answer_with_two_framings_is_502)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"
        "Transfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        "HTTP/1.1 200 OK\nX: a\n\n",
        "HTTP/9.9 200 OK\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n"
        "Connection: upgrade\r\n\r\n",
    };
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, GET);
    server = fake_dialled();
    fake_send(server, answers[_i]);
    ck_assert_starts(fake_take(client), "HTTP/1.1 502 Bad Gateway\r\n");
    ck_assert(server->closed);
    ck_assert_uint_eq(fake.stats.upstream_invalid, 1);
}
END_TEST

START_TEST(bytes_behind_an_answer_end_the_link)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, GET);
    server = fake_dialled();
    fake_send(server, OK "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    ck_assert_lacks(fake_take(client), "evil");
    ck_assert(server->closed);
}
END_TEST

START_TEST(bytes_on_an_idle_link_end_it)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, GET);
    server = fake_dialled();
    fake_send(server, OK);
    fake_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    ck_assert(server->closed);
    fake_send(client, GET);
    fake_dialled();
}
END_TEST

START_TEST(content_for_a_back_end_that_has_gone_is_dropped)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, POST("Content-Length: 6\r\n") "abc");
    server = fake_dialled();
    server->fails = true;
    fake_send(client, "de");
    ck_assert(!fake_is_over(client));
    /* It may have answered before it went. */
    fake_send(server, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    ck_assert_starts(fake_take(client), "HTTP/1.1 413 ");
    ck_assert(server->closed);
}
END_TEST

START_TEST(one_that_leaves_a_held_upload_is_noticed)
{
    static char content[200 * 1024];
    struct fake_io *client, *server;

    memset(content, 'x', sizeof(content) - 1);
    fake_route("/", 0);
    fake.routes[0].body_max = 10000000;
    fake_start();
    client = fake_client();
    fake_send(client, "POST / HTTP/1.1\r\nHost: a\r\n"
                      "Content-Length: 1000000\r\n\r\n");
    server = fake_dialled();
    fake_block(server);
    fake_send(client, content);
    ck_assert(client->paused);
    web_session_on_left(client->session, fake.now);
    ck_assert(fake_is_over(client));
    ck_assert(fake_is_over(server));
    ck_assert_uint_eq(fake.stats.client_gone, 1);
}
END_TEST

START_TEST(without_tls_half_a_connection_may_be_closed)
{
    static char content[200 * 1024];
    struct fake_io *client, *server;

    memset(content, 'x', sizeof(content) - 1);
    fake_route("/", 0);
    fake.routes[0].body_max = 10000000;
    fake_start();
    client = fake_client_at(&fake.http, "192.0.2.1:9");
    fake_send(client, "POST / HTTP/1.1\r\nHost: a\r\n"
                      "Content-Length: 1000000\r\n\r\n");
    server = fake_dialled();
    fake_block(server);
    fake_send(client, content);
    web_session_on_left(client->session, fake.now);
    ck_assert(!fake_is_over(client));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web bodies");
    TCase *tcase = tcase_create("bodies");

    tcase_add_checked_fixture(tcase, fake_setup, fake_teardown);
    tcase_add_test(tcase, a_length_is_kept);
    tcase_add_test(tcase, chunks_are_written_anew);
    tcase_add_test(tcase, content_that_came_before_the_link_is_not_lost);
    tcase_add_test(tcase, a_request_behind_content_is_a_request);
    tcase_add_test(tcase, a_slow_back_end_stops_the_client);
    tcase_add_test(tcase, a_slow_client_stops_the_back_end);
    tcase_add_test(tcase, content_over_the_limit_is_413_without_a_back_end);
    tcase_add_test(tcase, chunks_over_the_limit_are_413);
    tcase_add_test(tcase, malformed_chunks_are_400_and_end_the_link);
    tcase_add_test(tcase, the_client_waits_for_100_from_the_back_end);
    tcase_add_test(tcase, an_early_answer_ends_the_connection);
    tcase_add_test(tcase, an_answer_may_begin_while_content_comes);
    tcase_add_test(tcase, an_answer_until_close_becomes_chunks);
    tcase_add_loop_test(tcase, a_cut_answer_is_not_taken_for_whole, 0, 2);
    tcase_add_test(tcase,
                   a_broken_connection_does_not_end_an_answer_until_close);
    tcase_add_loop_test(tcase, an_answer_with_two_framings_is_502, 0, 8);
    tcase_add_test(tcase, bytes_behind_an_answer_end_the_link);
    tcase_add_test(tcase, bytes_on_an_idle_link_end_it);
    tcase_add_test(tcase, content_for_a_back_end_that_has_gone_is_dropped);
    tcase_add_test(tcase, one_that_leaves_a_held_upload_is_noticed);
    tcase_add_test(tcase, without_tls_half_a_connection_may_be_closed);
    suite_add_tcase(suite, tcase);
    return suite;
}

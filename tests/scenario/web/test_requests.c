/* SPDX-License-Identifier: MIT */
/* Requests and answers: what passes, in which form, and what does not. */
#include "support_fake.h"

#include <errno.h>

#define GET "GET / HTTP/1.1\r\nHost: edge.example\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

START_TEST(a_request_is_rewritten_and_answered)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, "GET /a/%41//b?x=%20 HTTP/1.1\r\nHost: Edge.example\r\n"
                      "Accept: */*\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n");
    server = fake_dialled();
    ck_assert_str_eq(
        fake_take(server),
        "GET /a/A/b?x=%20 HTTP/1.1\r\nHost: Edge.example\r\nAccept: */*\r\n"
        "X-Forwarded-For: 198.51.100.7\r\nX-Real-IP: 198.51.100.7\r\n"
        "X-Forwarded-Proto: https\r\nX-Forwarded-Host: Edge.example\r\n"
        "X-Forwarded-Port: 8443\r\n"
        "Forwarded: for=198.51.100.7;proto=https;host=\"Edge.example\"\r\n"
        "\r\n");
    fake_send(server, "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\n"
                      "Server: x\r\nConnection: keep-alive\r\n"
                      "Keep-Alive: timeout=5\r\n\r\nok");
    ck_assert_str_eq(fake_take(client),
                     "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 2\r\n"
                     "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\nok");
    ck_assert(!fake_is_over(client));
    ck_assert(!fake_is_over(server));
    ck_assert_uint_eq(fake.stats.requests, 1);
    ck_assert_uint_eq(fake.stats.answered_2xx, 1);
    ck_assert_uint_eq(fake.stats.idle_links, 1);
}
END_TEST

START_TEST(a_request_may_come_byte_by_byte)
{
    struct fake_io *client, *server;
    const char *text = GET;

    fake_start();
    client = fake_client();
    for (; *text; text++)
        fake_send(client, (char[2]){*text, 0});
    server = fake_dialled();
    ck_assert_starts(fake_take(server), "GET / HTTP/1.1\r\nHost: edge.example");
    for (text = OK; *text; text++)
        fake_send(server, (char[2]){*text, 0});
    ck_assert_starts(fake_take(client), "HTTP/1.1 200 OK\r\n");
    ck_assert_uint_eq(fake.stats.idle_links, 1);
}
END_TEST

START_TEST(a_kept_link_carries_the_next_request)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    for (int i = 0; i < 3; i++) {
        fake_send(client, GET);
        if (i == 0)
            server = fake_dialled();
        ck_assert_starts(fake_take(server), "GET / HTTP/1.1\r\n");
        fake_send(server, OK);
        ck_assert_starts(fake_take(client), "HTTP/1.1 200 OK\r\n");
    }
    ck_assert_uint_eq(fake.stats.upstream_connects, 1);
    ck_assert_uint_eq(fake.stats.upstream_reused, 2);
}
END_TEST

START_TEST(clients_share_kept_links)
{
    struct fake_io *one, *two, *server;

    fake_start();
    one = fake_client();
    two = fake_client();
    fake_send(one, GET);
    server = fake_dialled();
    fake_send(server, OK);
    fake_send(two, GET);
    ck_assert_uint_eq(fake_open_dials(), 0);
    fake_send(server, OK);
    ck_assert_starts(fake_take(two), "HTTP/1.1 200 OK\r\n");
}
END_TEST

START_TEST(pipelined_requests_are_answered_in_order)
{
    struct fake_io *client, *server;
    const char *got;

    fake_start();
    client = fake_client();
    fake_send(client, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
                      "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
                      "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
    server = fake_dialled();
    got = fake_take(server);
    ck_assert_starts(got, "GET /1 ");
    ck_assert_lacks(got, "GET /2 ");
    ck_assert(client->paused);
    fake_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
    got = fake_take(server);
    ck_assert_starts(got, "GET /2 ");
    ck_assert_lacks(got, "GET /3 ");
    fake_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2");
    fake_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n3");
    got = fake_take(client);
    ck_assert(strstr(got, "\r\n\r\n1H") < strstr(got, "\r\n\r\n2H"));
    ck_assert_has(got, "\r\n\r\n3");
    ck_assert(!client->paused);
}
END_TEST

START_TEST(pipelined_refusals_are_answered_in_order)
{
    struct fake_io *client;
    const char *got;

    fake_route("/a", 0);
    fake_start();
    client = fake_client();
    fake_send(client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
                      "TRACE /a HTTP/1.1\r\nHost: a\r\n\r\n"
                      "GET /y HTTP/1.1\r\nHost: a\r\n\r\n");
    got = fake_take(client);
    ck_assert_starts(got, "HTTP/1.1 404 Not Found\r\n");
    ck_assert_has(got, "HTTP/1.1 405 Method Not Allowed\r\n");
    ck_assert_str_eq(strstr(strstr(got, "405 M"), "HTTP/1.1 404") ? "y" : "n",
                     "y");
    ck_assert_uint_eq(fake_open_dials(), 0);
    ck_assert(!fake_is_over(client));
}
END_TEST

START_TEST(what_is_not_published_reaches_no_back_end)
{
    struct fake_io *client;
    const char *got;

    fake_route("/app", 0);
    fake_start();
    client = fake_client();
    fake_send(client, "GET /application HTTP/1.1\r\nHost: a\r\n\r\n");
    got = fake_take(client);
    ck_assert_starts(got, "HTTP/1.1 404 Not Found\r\n");
    ck_assert_has(got, "Content-Length: ");
    ck_assert_lacks(got, "Server");
    ck_assert_lacks(got, "edge/");
    ck_assert_uint_eq(fake.n_dials, 0);
    ck_assert_uint_eq(fake.stats.refused_route, 1);
}
END_TEST

START_TEST(routes_choose_the_back_end)
{
    struct fake_io *client;

    fake_route("/a", 0);
    fake_route("/b", 1);
    fake_start();
    client = fake_client();
    fake_send(client, "GET /b/x HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_str_eq(fake.dials[0].backend->upstream->name, "b");
    fake_dialled();
}
END_TEST

START_TEST(a_malformed_request_is_400_and_the_end)
{
    struct fake_io *client;

    fake_start();
    client = fake_client();
    fake_send(client, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    ck_assert_starts(fake_take(client), "HTTP/1.1 400 Bad Request\r\n");
    ck_assert(client->shut);
    ck_assert_uint_eq(fake.n_dials, 0);
    ck_assert_uint_eq(fake.stats.bad_requests, 1);
    fake_close(client, 0);
}
END_TEST

START_TEST(an_ambiguous_path_is_400)
{
    struct fake_io *client;

    fake_start();
    client = fake_client();
    fake_send(client, "GET /a/..%2fb HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_starts(fake_take(client), "HTTP/1.1 400 Bad Request\r\n");
    ck_assert_uint_eq(fake.n_dials, 0);
}
END_TEST

START_TEST(a_head_over_the_limit_is_431)
{
    struct fake_io *client;
    char head[9000];

    fake_start();
    client = fake_client();
    memset(head, 'a', sizeof(head));
    memcpy(head, "GET / HTTP/1.1\r\nX: ", 19);
    fake_send_span(client, span_of(head, sizeof(head)));
    ck_assert_starts(fake_take(client),
                     "HTTP/1.1 431 Request Header Fields Too Large\r\n");
    ck_assert_uint_eq(fake.stats.refused_size, 1);
}
END_TEST

START_TEST(the_answer_to_head_has_no_content)
{
    struct fake_io *client, *server;
    const char *got;

    fake_start();
    client = fake_client();
    fake_send(client, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    server = fake_dialled();
    fake_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
    got = fake_take(client);
    ck_assert_has(got, "Content-Length: 500\r\n");
    ck_assert_uint_eq(fake.stats.idle_links, 1);
    fake_send(client, "HEAD /x%2f HTTP/1.1\r\nHost: a\r\n\r\n");
    got = fake_take(client);
    ck_assert_starts(got, "HTTP/1.1 400");
    ck_assert_str_eq(strstr(got, "\r\n\r\n"), "\r\n\r\n");
}
END_TEST

START_TEST(what_follows_head_is_answered_in_full)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    server = fake_dialled();
    fake_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
    fake_take(client);
    fake_send(client, "GARBAGE\r\n\r\n");
    ck_assert_has(fake_take(client), "</html>");
}
END_TEST

START_TEST(answers_without_content_have_none)
{
    struct fake_io *client, *server;
    const char *got;

    fake_start();
    client = fake_client();
    fake_send(client, GET);
    server = fake_dialled();
    fake_send(server, "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n"
                      "Content-Length: 9\r\n\r\n");
    got = fake_take(client);
    ck_assert_has(got, "Content-Length: 9\r\n");
    ck_assert_has(got, "ETag: \"x\"\r\n");
    fake_send(client, GET);
    fake_send(server, "HTTP/1.1 204 No Content\r\n\r\n");
    got = fake_take(client);
    ck_assert_starts(got, "HTTP/1.1 204 No Content\r\n");
    ck_assert_lacks(got, "Content-Length");
    ck_assert_lacks(got, "Transfer-Encoding");
    ck_assert_uint_eq(fake.stats.idle_links, 1);
}
END_TEST

START_TEST(http_1_0_clients_get_what_they_understand)
{
    struct fake_io *client, *server;
    const char *got;

    fake_start();
    client = fake_client();
    fake_send(client, "GET / HTTP/1.0\r\n\r\n");
    server = fake_dialled();
    ck_assert_starts(fake_take(server),
                     "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n");
    fake_send(server, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "2\r\nok\r\n0\r\n\r\n");
    got = fake_take(client);
    ck_assert_lacks(got, "chunked");
    ck_assert_has(got, "Connection: close\r\n");
    ck_assert_str_eq(strstr(got, "\r\n\r\n"), "\r\n\r\nok");
    ck_assert(client->shut);
}
END_TEST

START_TEST(http_1_0_keep_alive_is_said)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    server = fake_dialled();
    fake_send(server, OK);
    ck_assert_has(fake_take(client), "Connection: keep-alive\r\n");
    ck_assert(!client->shut);
}
END_TEST

START_TEST(connection_close_is_obeyed)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    server = fake_dialled();
    ck_assert_lacks(fake_take(server), "Connection");
    fake_send(server, OK);
    ck_assert_has(fake_take(client), "Connection: close\r\n");
    ck_assert(client->shut);
    ck_assert(!fake_is_over(server));
}
END_TEST

START_TEST(a_back_end_that_closes_is_not_kept)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, GET);
    server = fake_dialled();
    fake_send(server, "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                      "Content-Length: 2\r\n\r\nok");
    ck_assert_lacks(fake_take(client), "Connection");
    ck_assert(!client->shut);
    ck_assert(server->closed);
}
END_TEST

START_TEST(a_redirect_door_names_the_https_address)
{
    struct fake_io *client;
    const char *got;

    fake_start();
    client = fake_client_at(&fake.redirect, "198.51.100.7:1");
    fake_send(client, "GET /a/../b?x=1 HTTP/1.1\r\nHost: Edge.Example:80\r\n"
                      "\r\n");
    got = fake_take(client);
    ck_assert_starts(got, "HTTP/1.1 308 Permanent Redirect\r\n");
    ck_assert_has(got, "Location: https://edge.example:8443/b?x=1\r\n");
    ck_assert_uint_eq(fake.n_dials, 0);
    ck_assert_uint_eq(fake.stats.redirected, 1);
    fake.site.https_port = 443;
    fake_send(client, "GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n\r\n");
    ck_assert_has(fake_take(client), "Location: https://[2001:db8::1]/\r\n");
}
END_TEST

START_TEST(a_route_may_redirect)
{
    struct fake_io *client;
    struct web_route *r = fake_route("/old", 0);

    r->kind = WEB_ROUTE_REDIRECT;
    r->status = 308;
    r->location = span_str("https://new.example/");
    fake_start();
    client = fake_client();
    fake_send(client, "GET /old/x HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_has(fake_take(client), "Location: https://new.example/\r\n");
}
END_TEST

START_TEST(interim_answers_go_to_those_who_know_them)
{
    struct fake_io *client, *server;
    const char *got;

    fake_start();
    client = fake_client();
    fake_send(client, GET);
    server = fake_dialled();
    fake_send(server, "HTTP/1.1 100 Continue\r\n\r\n"
                      "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" OK);
    got = fake_take(client);
    ck_assert_starts(got, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
                          "HTTP/1.1 200 OK\r\n");
    ck_assert_uint_eq(fake.stats.idle_links, 1);
}
END_TEST

START_TEST(endless_interim_answers_are_502)
{
    struct fake_io *client, *server;

    fake_start();
    client = fake_client();
    fake_send(client, GET);
    server = fake_dialled();
    for (int i = 0; i < 20 && !fake_is_over(server); i++)
        fake_send(server, "HTTP/1.1 102 Processing\r\n\r\n");
    ck_assert_has(fake_take(client), "HTTP/1.1 502 Bad Gateway\r\n");
    ck_assert(server->closed);
}
END_TEST

START_TEST(hsts_is_said_with_tls_only)
{
    struct fake_io *client, *server;
    const char *hsts = "Strict-Transport-Security: max-age=600\r\n";

    fake.site.hsts = span_str("max-age=600");
    fake_start();
    client = fake_client();
    fake_send(client, GET);
    server = fake_dialled();
    fake_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
                      "Strict-Transport-Security: max-age=1\r\n\r\n");
    ck_assert_has(fake_take(client), hsts);
    fake_send(client, "GET /%2f HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_has(fake_take(client), hsts);
    client = fake_client_at(&fake.http, "198.51.100.7:1");
    fake_send(client, "GET /%2f HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_lacks(fake_take(client), hsts);
}
END_TEST

START_TEST(a_full_table_of_sessions_takes_no_more)
{
    struct fake_io *io;

    fake.site.limits.sessions_max = 1;
    fake_start();
    fake_client();
    io = fake_client_at(&fake.https, "198.51.100.8:1");
    ck_assert_ptr_null(io->session);
    ck_assert_uint_eq(fake.stats.sessions_full, 1);
}
END_TEST

START_TEST(a_connection_carries_so_many_requests_only)
{
    struct fake_io *client, *server;

    fake.site.limits.requests_max = 2;
    fake_start();
    client = fake_client();
    fake_send(client, GET);
    server = fake_dialled();
    fake_send(server, OK);
    ck_assert_lacks(fake_take(client), "Connection");
    fake_send(client, GET);
    fake_send(server, OK);
    ck_assert_has(fake_take(client), "Connection: close\r\n");
    ck_assert(client->shut);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web requests");
    TCase *tcase = tcase_create("requests");

    tcase_add_checked_fixture(tcase, fake_setup, fake_teardown);
    tcase_add_test(tcase, a_request_is_rewritten_and_answered);
    tcase_add_test(tcase, a_request_may_come_byte_by_byte);
    tcase_add_test(tcase, a_kept_link_carries_the_next_request);
    tcase_add_test(tcase, clients_share_kept_links);
    tcase_add_test(tcase, pipelined_requests_are_answered_in_order);
    tcase_add_test(tcase, pipelined_refusals_are_answered_in_order);
    tcase_add_test(tcase, what_is_not_published_reaches_no_back_end);
    tcase_add_test(tcase, routes_choose_the_back_end);
    tcase_add_test(tcase, a_malformed_request_is_400_and_the_end);
    tcase_add_test(tcase, an_ambiguous_path_is_400);
    tcase_add_test(tcase, a_head_over_the_limit_is_431);
    tcase_add_test(tcase, the_answer_to_head_has_no_content);
    tcase_add_test(tcase, what_follows_head_is_answered_in_full);
    tcase_add_test(tcase, answers_without_content_have_none);
    tcase_add_test(tcase, http_1_0_clients_get_what_they_understand);
    tcase_add_test(tcase, http_1_0_keep_alive_is_said);
    tcase_add_test(tcase, connection_close_is_obeyed);
    tcase_add_test(tcase, a_back_end_that_closes_is_not_kept);
    tcase_add_test(tcase, a_redirect_door_names_the_https_address);
    tcase_add_test(tcase, a_route_may_redirect);
    tcase_add_test(tcase, interim_answers_go_to_those_who_know_them);
    tcase_add_test(tcase, endless_interim_answers_are_502);
    tcase_add_test(tcase, hsts_is_said_with_tls_only);
    tcase_add_test(tcase, a_full_table_of_sessions_takes_no_more);
    tcase_add_test(tcase, a_connection_carries_so_many_requests_only);
    suite_add_tcase(suite, tcase);
    return suite;
}

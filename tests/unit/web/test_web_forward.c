/* SPDX-License-Identifier: MIT */
#include "proxy/web_forward.h"

#include "support_message.h"

#include <stdio.h>

static struct buf out;
static struct web_request rq;
static struct web_client_name client;
static struct web_forward_request how;

static void setup(void)
{
    struct addr a = addr_v4(0xC6336407, 1);

    buf_init(&out, 65536);
    web_forward_name(&a, &client);
    how = (struct web_forward_request){
        .client = &client, .secure = true, .port = 443};
}

static void teardown(void)
{
    message_free();
    buf_deinit(&out);
    ck_assert_no_blocks();
}

/* The head that goes to the back end, NUL-terminated. */
static const char *forward(const char *text)
{
    rq.secure = how.secure;
    ck_assert_int_eq(web_request_read(&rq, message_request(text)), 0);
    buf_reset(&out);
    web_forward_request(&out, &rq, &how);
    buf_put_byte(&out, 0);
    ck_assert_int_eq(buf_err(&out), 0);
    return (const char *)buf_span(&out).ptr;
}

static bool has(const char *head, const char *line)
{
    return strstr(head, line) != NULL;
}

START_TEST(end_to_end_fields_stay_in_order)
{
    ck_assert_str_eq(
        forward("PUT /a HTTP/1.1\r\nAccept: b\r\nHost: h\r\nX-A: 1\r\n"
                "Cookie: c=d\r\nX-A: 2\r\nContent-Length: 3\r\n\r\n"),
        "PUT /a HTTP/1.1\r\nHost: h\r\nAccept: b\r\nX-A: 1\r\nCookie: c=d\r\n"
        "X-A: 2\r\nX-Forwarded-For: 198.51.100.7\r\n"
        "X-Real-IP: 198.51.100.7\r\nX-Forwarded-Proto: https\r\n"
        "X-Forwarded-Host: h\r\nX-Forwarded-Port: 443\r\n"
        "Forwarded: for=198.51.100.7;proto=https;host=\"h\"\r\n"
        "Content-Length: 3\r\n\r\n");
}
END_TEST

START_TEST(lines_are_written_in_one_form)
{
    ck_assert(has(forward("GET / HTTP/1.1\r\nHost:h\r\nA:1\r\nB: \t2 \t\r\n"
                          "C:\r\nD: \r\nE: 5\r\nF:  6\r\nG: 7\r\nH: 8\r\n"
                          "\r\n"),
                  " HTTP/1.1\r\nHost: h\r\nA: 1\r\nB: 2\r\nC: \r\nD: \r\n"
                  "E: 5\r\nF: 6\r\nG: 7\r\nH: 8\r\nX-Forwarded-For: "));
}
END_TEST

static const char *const dropped[] = {
    "Connection: close",
    "Connection: keep-alive",
    "Keep-Alive: timeout=1",
    "Proxy-Connection: keep-alive",
    "Proxy-Authorization: Basic x",
    "TE: trailers",
    "Trailer: X",
    "Upgrade: h2c",
    "HTTP2-Settings: AAMA",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    "X-Forwarded-For: 1.2.3.4",
    "x-forwarded-proto: gopher",
    "X-Forwarded-Server: a",
    "X-Forwarded-Prefix: /a",
    "X_Forwarded_For: 1.2.3.4",
    "X-Forwarded_For: 1.2.3.4",
    "X-Real-IP: 1.2.3.4",
    "X_Real_IP: 1.2.3.4",
    "Forwarded: for=1.2.3.4",
    "Client-IP: 1.2.3.4",
    "True-Client-IP: 1.2.3.4",
    "X-Client-IP: 1.2.3.4",
    "X-Cluster-Client-IP: 1.2.3.4",
    "X-Original-URL: /admin",
    "X-Rewrite-URL: /admin",
    "X-Original-Host: admin",
    "Proxy: http://evil",
    "Content_Length: 5",
    "Transfer_Encoding: chunked",
};

START_TEST(a_field_that_is_not_the_clients_to_say_is_dropped)
{
    char text[256], name[64];
    const char *head;

    snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n\r\n",
             dropped[_i]);
    head = forward(text);
    ck_assert_msg(!has(head, dropped[_i]), "%s", dropped[_i]);
    /* Not under its name with another value either, unless it is ours. */
    snprintf(name, sizeof(name), "\r\n%.*s: ", (int)strcspn(dropped[_i], ":"),
             dropped[_i]);
    if (!strstr("X-Forwarded-For X-Real-IP Forwarded", name + 2))
        ck_assert(!has(head, "1.2.3.4"));
}
END_TEST

START_TEST(fields_that_connection_names_end_here)
{
    const char *head = forward("GET / HTTP/1.1\r\nHost: h\r\n"
                               "Connection: x-hop, close\r\nX-Hop: 1\r\n"
                               "X-Hop-Not: 2\r\n\r\n");

    ck_assert(!has(head, "X-Hop: 1"));
    ck_assert(has(head, "X-Hop-Not: 2\r\n"));
}
END_TEST

START_TEST(the_host_may_be_the_back_ends_own)
{
    const char *head;

    how.host_field = "inside";
    head = forward("GET / HTTP/1.1\r\nHost: outside:8443\r\n\r\n");
    ck_assert(has(head, "\r\nHost: inside\r\n"));
    ck_assert(has(head, "\r\nX-Forwarded-Host: outside:8443\r\n"));
}
END_TEST

START_TEST(an_ipv6_client_is_written_as_rfc_7239_wants)
{
    struct addr a;
    const char *head;

    ck_assert_int_eq(addr_parse_ip(span_str("2001:db8::7"), &a), 0);
    web_forward_name(&a, &client);
    how.secure = false;
    head = forward("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    ck_assert(has(head, "\r\nX-Forwarded-For: 2001:db8::7\r\n"));
    ck_assert(has(head, "\r\nForwarded: for=\"[2001:db8::7]\";proto=http;"
                        "host=\"h\"\r\n"));
}
END_TEST

START_TEST(a_mapped_client_gets_its_ipv4_name)
{
    struct addr a;

    ck_assert_int_eq(addr_parse_ip(span_str("::ffff:192.0.2.9"), &a), 0);
    web_forward_name(&a, &client);
    ck_assert_str_eq(client.text, "192.0.2.9");
    ck_assert(!client.is_v6);
}
END_TEST

START_TEST(via_is_added_where_it_is_wanted)
{
    ck_assert(!has(forward("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), "Via"));
    how.via = true;
    ck_assert(has(forward("GET / HTTP/1.1\r\nHost: h\r\nVia: 1.0 a\r\n\r\n"),
                  "\r\nVia: 1.0 a\r\n"));
    ck_assert(has(forward("GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
                  "\r\nVia: 1.1 edge\r\n"));
}
END_TEST

START_TEST(expectations_are_not_those_of_http_1_0)
{
    ck_assert(!has(forward("POST / HTTP/1.0\r\nHost: h\r\nContent-Length: 1\r\n"
                           "Expect: 100-continue\r\n\r\n"),
                   "Expect"));
    ck_assert(!has(forward("GET / HTTP/1.1\r\nHost: h\r\n"
                           "Expect: 100-continue\r\n\r\n"),
                   "Expect"));
    ck_assert(has(forward("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
                          "Expect: 100-continue\r\n\r\n"),
                  "\r\nExpect: 100-continue\r\n"));
}
END_TEST

/* ---- answers ---- */

static const char *answer(const char *text, enum http_method method,
                          uint8_t minor)
{
    const struct http_msg *msg = message_answer(text, method);
    struct web_forward_answer to = {
        .body = web_forward_body(msg, method, minor), .date = "now"};

    buf_reset(&out);
    web_forward_answer(&out, msg, &to);
    buf_put_byte(&out, 0);
    ck_assert_int_eq(buf_err(&out), 0);
    return (const char *)buf_span(&out).ptr;
}

static const struct {
    const char *answer;
    enum http_method method;
    uint8_t minor;
    enum web_body body;
    const char *framing; /* the line we write, or NULL: none */
} framings[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", HTTP_METHOD_GET, 1,
     WEB_BODY_LENGTH, "Content-Length: 5\r\n"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", HTTP_METHOD_GET, 1,
     WEB_BODY_LENGTH, "Content-Length: 0\r\n"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_METHOD_GET,
     1, WEB_BODY_CHUNKED, "Transfer-Encoding: chunked\r\n"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_METHOD_GET,
     0, WEB_BODY_CLOSE, NULL},
    {"HTTP/1.0 200 OK\r\n\r\n", HTTP_METHOD_GET, 1, WEB_BODY_CHUNKED,
     "Transfer-Encoding: chunked\r\n"},
    {"HTTP/1.0 200 OK\r\n\r\n", HTTP_METHOD_GET, 0, WEB_BODY_CLOSE, NULL},
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", HTTP_METHOD_HEAD, 1,
     WEB_BODY_NONE, "Content-Length: 5\r\n"},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", HTTP_METHOD_GET,
     1, WEB_BODY_NONE, "Content-Length: 5\r\n"},
    {"HTTP/1.1 304 Not Modified\r\n\r\n", HTTP_METHOD_GET, 1, WEB_BODY_NONE,
     NULL},
    {"HTTP/1.1 204 No Content\r\n\r\n", HTTP_METHOD_GET, 1, WEB_BODY_NONE,
     NULL},
    {"HTTP/1.1 103 Early Hints\r\n\r\n", HTTP_METHOD_GET, 1, WEB_BODY_NONE,
     NULL},
};

START_TEST(the_framing_of_an_answer_is_ours)
{
    const char *head =
        answer(framings[_i].answer, framings[_i].method, framings[_i].minor);
    const struct http_msg *msg =
        message_answer(framings[_i].answer, framings[_i].method);

    ck_assert_int_eq(
        web_forward_body(msg, framings[_i].method, framings[_i].minor),
        framings[_i].body);
    if (framings[_i].framing)
        ck_assert_msg(has(head, framings[_i].framing), "%s", head);
    else
        ck_assert(!has(head, "Content-Length") &&
                  !has(head, "Transfer-Encoding"));
}
END_TEST

START_TEST(an_answer_keeps_its_end_to_end_fields)
{
    ck_assert_str_eq(
        answer("HTTP/1.1 404 Nope\r\nServer: x\r\nConnection: X-Hop\r\n"
               "X-Hop: 1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nDate: then\r\n"
               "Keep-Alive: timeout=3\r\nProxy-Authenticate: x\r\n"
               "Content-Length: 1\r\n\r\n",
               HTTP_METHOD_GET, 1),
        "HTTP/1.1 404 Not Found\r\nServer: x\r\nSet-Cookie: a\r\n"
        "Set-Cookie: b\r\nDate: then\r\nContent-Length: 1\r\n\r\n");
}
END_TEST

START_TEST(an_answer_without_a_date_gets_one)
{
    ck_assert(has(answer("HTTP/1.1 200 OK\r\n\r\n", HTTP_METHOD_HEAD, 1),
                  "\r\nDate: now\r\n"));
    ck_assert(
        !has(answer("HTTP/1.1 103 Early Hints\r\n\r\n", HTTP_METHOD_GET, 1),
             "Date"));
}
END_TEST

START_TEST(a_chunk_line_is_the_length_in_hexadecimal)
{
    char line[WEB_CHUNK_LINE_SIZE];

    ck_assert_span_eq(web_chunk_line(1, line), "1\r\n");
    ck_assert_span_eq(web_chunk_line(0xABC, line), "abc\r\n");
    ck_assert_span_eq(web_chunk_line(SIZE_MAX, line), "ffffffffffffffff\r\n");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web_forward");
    TCase *tcase = tcase_create("heads");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, end_to_end_fields_stay_in_order);
    tcase_add_test(tcase, lines_are_written_in_one_form);
    tcase_add_loop_test(tcase,
                        a_field_that_is_not_the_clients_to_say_is_dropped, 0,
                        ARRAY_SIZE(dropped));
    tcase_add_test(tcase, fields_that_connection_names_end_here);
    tcase_add_test(tcase, the_host_may_be_the_back_ends_own);
    tcase_add_test(tcase, an_ipv6_client_is_written_as_rfc_7239_wants);
    tcase_add_test(tcase, a_mapped_client_gets_its_ipv4_name);
    tcase_add_test(tcase, via_is_added_where_it_is_wanted);
    tcase_add_test(tcase, expectations_are_not_those_of_http_1_0);
    tcase_add_loop_test(tcase, the_framing_of_an_answer_is_ours, 0,
                        ARRAY_SIZE(framings));
    tcase_add_test(tcase, an_answer_keeps_its_end_to_end_fields);
    tcase_add_test(tcase, an_answer_without_a_date_gets_one);
    tcase_add_test(tcase, a_chunk_line_is_the_length_in_hexadecimal);
    suite_add_tcase(suite, tcase);
    return suite;
}

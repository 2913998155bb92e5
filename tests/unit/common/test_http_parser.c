/* SPDX-License-Identifier: MIT */
/* The parser as an object: what it tells of a message, what of it stays valid
 * how long, its memory. What it takes and refuses: test_http_parse.c. */
#include "http/http_parse.h"

#include "support/unit.h"

#include <errno.h>
#include <stdio.h>

#define HOST "Host: a\r\n"
#define GET "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\n"

static struct http_parser *parser;

static const struct http_msg *parse_head(enum http_kind kind, const char *raw,
                                         struct span *ret_rest)
{
    struct span body;

    *ret_rest = span_str(raw);
    ck_assert_int_eq(http_parser_new(&parser, kind, &http_limits_default), 0);
    ck_assert_int_eq(http_parser_next(parser, ret_rest, &body),
                     HTTP_EVENT_HEAD);
    return http_parser_msg(parser);
}

START_TEST(a_request_is_described)
{
    static const char raw[] = "POST /a/b?c=d HTTP/1.1\r\n"
                              "Host: Example.com:8080\r\n"
                              "X-Thing:  some value \r\n"
                              "Content-Length: 7\r\n"
                              "Expect: 100-Continue\r\n"
                              "\r\n1234567";
    struct span rest;
    const struct http_msg *msg = parse_head(HTTP_KIND_REQUEST, raw, &rest);

    ck_assert_int_eq(msg->kind, HTTP_KIND_REQUEST);
    ck_assert_uint_eq(msg->minor, 1);
    ck_assert_int_eq(msg->method_id, HTTP_METHOD_POST);
    ck_assert_span_eq(msg->method, "POST");
    ck_assert_span_eq(msg->target, "/a/b?c=d");
    ck_assert_span_eq(msg->path, "/a/b?c=d");
    ck_assert_span_eq(msg->host, "Example.com:8080");
    ck_assert_int_eq(msg->framing, HTTP_FRAMING_LENGTH);
    ck_assert_uint_eq(msg->length, 7);
    ck_assert(msg->has_length && msg->is_persistent && msg->expects_continue);
    ck_assert(!msg->has_upgrade);
    ck_assert_uint_eq(msg->headers_n, 4);
    ck_assert_span_eq(msg->headers[1].name, "X-Thing");
    ck_assert_span_eq(msg->headers[1].value, "some value");
    ck_assert_int_eq(msg->headers[1].field, HTTP_FIELD_OTHER);
    ck_assert_int_eq(msg->headers[2].field, HTTP_FIELD_CONTENT_LENGTH);
    ck_assert_uint_eq(msg->head.len, sizeof(raw) - 1 - 7);
    /* nothing was copied */
    ck_assert_ptr_eq(msg->head.ptr, raw);
    ck_assert_span_eq(rest, "1234567");
    http_parser_free(parser);
}
END_TEST

START_TEST(the_target_gives_host_and_path)
{
    static const struct {
        const char *line;
        enum http_target form;
        const char *path;
    } rows[] = {
        {"GET /x HTTP/1.1", HTTP_TARGET_ORIGIN, "/x"},
        {"GET http://a:1 HTTP/1.1", HTTP_TARGET_ABSOLUTE, "/"},
        {"GET HTTPS://a:1/p?q HTTP/1.1", HTTP_TARGET_ABSOLUTE, "/p?q"},
        {"OPTIONS * HTTP/1.1", HTTP_TARGET_ASTERISK, "*"},
        {"CONNECT a:1 HTTP/1.1", HTTP_TARGET_AUTHORITY, ""},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct http_msg *msg;
        struct span rest;
        char raw[200];

        snprintf(raw, sizeof(raw), "%s\r\nHost: a:1\r\n\r\n", rows[i].line);
        msg = parse_head(HTTP_KIND_REQUEST, raw, &rest);
        ck_assert_int_eq(msg->target_form, rows[i].form);
        ck_assert_span_eq(msg->path, rows[i].path);
        ck_assert_span_eq(msg->host, "a:1");
        http_parser_free(parser);
    }
}
END_TEST

START_TEST(persistence_and_upgrade_are_told)
{
    static const struct {
        const char *raw;
        bool is_persistent;
        bool has_upgrade;
    } rows[] = {
        {GET HOST "\r\n", true, false},
        {GET HOST "Connection: close\r\n\r\n", false, false},
        {GET HOST "Connection: keep-alive, CLOSE\r\n\r\n", false, false},
        {"GET / HTTP/1.0\r\n\r\n", false, false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true, false},
        {GET HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", true,
         true},
        {GET HOST "Connection: Upgrade\r\n\r\n", true, false},
        {GET HOST "Upgrade: websocket\r\n\r\n", true, false},
        {GET HOST "Connection: a\r\nConnection: keep-alive, upgrade\r\n"
                  "Upgrade: websocket\r\n\r\n",
         true, true},
        {"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", false,
         false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct span rest;
        const struct http_msg *msg =
            parse_head(HTTP_KIND_REQUEST, rows[i].raw, &rest);

        ck_assert_msg(msg->is_persistent == rows[i].is_persistent, "row %zu",
                      i);
        ck_assert_msg(msg->has_upgrade == rows[i].has_upgrade, "row %zu", i);
        http_parser_free(parser);
    }
}
END_TEST

START_TEST(a_response_is_described)
{
    struct span rest;
    const struct http_msg *msg =
        parse_head(HTTP_KIND_RESPONSE, "HTTP/1.1 404 Not Found\r\n\r\n", &rest);

    ck_assert_int_eq(msg->status, 404);
    ck_assert_span_eq(msg->reason, "Not Found");
    ck_assert_int_eq(msg->framing, HTTP_FRAMING_CLOSE);
    ck_assert(!msg->is_persistent && !msg->has_length);
    http_parser_free(parser);
}
END_TEST

START_TEST(bytes_behind_an_upgrade_stay_with_the_caller)
{
    struct span rest;
    struct span body;
    const struct http_msg *msg = parse_head(
        HTTP_KIND_RESPONSE,
        "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n\x81\x00",
        &rest);

    ck_assert(msg->has_upgrade);
    ck_assert_int_eq(http_parser_next(parser, &rest, &body), HTTP_EVENT_END);
    ck_assert_uint_eq(rest.len, 1);
    ck_assert_uint_eq(rest.ptr[0], 0x81);
    http_parser_free(parser);
}
END_TEST

START_TEST(a_held_head_outlives_the_input)
{
    char raw[] = "GET http://a HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
    struct span rest;
    const struct http_msg *msg = parse_head(HTTP_KIND_REQUEST, raw, &rest);

    ck_assert_int_eq(http_parser_hold(parser), 0);
    ck_assert_int_eq(http_parser_hold(parser), 0);
    memset(raw, '#', sizeof(raw));
    ck_assert_span_eq(msg->method, "GET");
    ck_assert_span_eq(msg->target, "http://a");
    ck_assert_span_eq(msg->path, "/");
    ck_assert_span_eq(msg->host, "a");
    ck_assert_span_eq(msg->headers[1].name, "X");
    ck_assert_span_eq(msg->headers[1].value, "y");
    ck_assert(span_starts(msg->head, "GET http://a HTTP/1.1\r\n"));
    http_parser_free(parser);
}
END_TEST

START_TEST(a_head_stays_while_content_comes_in_other_buffers)
{
    char raw[] = POST "Content-Length: 3\r\n\r\nx";
    struct span body;
    struct span rest;
    const struct http_msg *msg = parse_head(HTTP_KIND_REQUEST, raw, &rest);

    ck_assert_int_eq(http_parser_next(parser, &rest, &body), HTTP_EVENT_BODY);
    ck_assert_int_eq(http_parser_next(parser, &rest, &body), HTTP_EVENT_MORE);
    memset(raw, '#', sizeof(raw));
    rest = span_str("yz");
    ck_assert_int_eq(http_parser_next(parser, &rest, &body), HTTP_EVENT_BODY);
    ck_assert_int_eq(http_parser_next(parser, &rest, &body), HTTP_EVENT_END);
    ck_assert_span_eq(msg->method, "POST");
    ck_assert_span_eq(msg->host, "a");
    ck_assert_span_eq(msg->headers[1].value, "3");
    http_parser_free(parser);
}
END_TEST

START_TEST(trailers_are_handed_out_at_the_end)
{
    const struct http_header *trailers;
    struct span rest;
    struct span body;
    size_t n;

    parse_head(HTTP_KIND_REQUEST,
               CHUNKED "0\r\nX-Sum: abc \r\nX-Empty:\r\n\r\n", &rest);
    ck_assert_int_eq(http_parser_next(parser, &rest, &body), HTTP_EVENT_END);
    trailers = http_parser_trailers(parser, &n);
    ck_assert_uint_eq(n, 2);
    ck_assert_span_eq(trailers[0].name, "X-Sum");
    ck_assert_span_eq(trailers[0].value, "abc");
    ck_assert_span_eq(trailers[1].name, "X-Empty");
    ck_assert_span_eq(trailers[1].value, "");
    http_parser_free(parser);
}
END_TEST

static enum http_event eof_after(enum http_kind kind, const char *raw)
{
    struct span rest = span_str(raw);
    enum http_event event;
    struct span body;

    ck_assert_int_eq(http_parser_new(&parser, kind, &http_limits_default), 0);
    do {
        event = http_parser_next(parser, &rest, &body);
    } while (event != HTTP_EVENT_MORE && event != HTTP_EVENT_ERROR);
    event = http_parser_eof(parser);
    if (event == HTTP_EVENT_ERROR)
        ck_assert_int_eq(http_parser_error(parser), HTTP_ERROR_TRUNCATED);
    http_parser_free(parser);
    return event;
}

START_TEST(the_end_of_the_connection_is_judged)
{
    const enum http_kind request = HTTP_KIND_REQUEST;
    const enum http_kind response = HTTP_KIND_RESPONSE;

    ck_assert_int_eq(eof_after(request, ""), HTTP_EVENT_MORE);
    ck_assert_int_eq(eof_after(request, GET HOST "\r\n"), HTTP_EVENT_MORE);
    ck_assert_int_eq(eof_after(request, "GET"), HTTP_EVENT_ERROR);
    ck_assert_int_eq(eof_after(request, GET HOST), HTTP_EVENT_ERROR);
    ck_assert_int_eq(eof_after(request, POST "Content-Length: 2\r\n\r\nx"),
                     HTTP_EVENT_ERROR);
    ck_assert_int_eq(eof_after(request, CHUNKED "1\r\nx\r\n"),
                     HTTP_EVENT_ERROR);
    ck_assert_int_eq(eof_after(request, CHUNKED "0\r\n"), HTTP_EVENT_ERROR);
    ck_assert_int_eq(eof_after(response, OK "\r\n"), HTTP_EVENT_END);
    ck_assert_int_eq(eof_after(response, OK "\r\nabc"), HTTP_EVENT_END);
    ck_assert_int_eq(eof_after(response, OK "Content-Length: 0\r\n"
                                            "Connection: close\r\n\r\n"),
                     HTTP_EVENT_MORE);
}
END_TEST

START_TEST(nothing_is_allocated_once_warm)
{
    static const char raw[] = GET HOST "Accept: */*\r\n\r\n";
    struct span body;
    struct span in;

    ck_assert_int_eq(
        http_parser_new(&parser, HTTP_KIND_REQUEST, &http_limits_default), 0);
    for (int i = 0; i < 3; i++) {
        in = span_str(raw);
        if (i > 0)
            mem_fail_at(0); /* the next one would fail */
        ck_assert_int_eq(http_parser_next(parser, &in, &body), HTTP_EVENT_HEAD);
        ck_assert_int_eq(http_parser_next(parser, &in, &body), HTTP_EVENT_END);
        ck_assert_int_eq(http_parser_next(parser, &in, &body), HTTP_EVENT_MORE);
    }
    mem_fail_at(-1);
    http_parser_free(parser);
}
END_TEST

START_TEST(an_idle_parser_gives_its_memory_back)
{
    struct span rest;
    struct span body;

    parse_head(HTTP_KIND_REQUEST, GET HOST "\r\n", &rest);
    ck_assert_int_eq(http_parser_hold(parser), 0);
    http_parser_shrink(parser); /* not idle yet: nothing happens */
    ck_assert_uint_eq(http_parser_msg(parser)->headers_n, 1);
    ck_assert(!http_parser_is_idle(parser));
    ck_assert_int_eq(http_parser_next(parser, &rest, &body), HTTP_EVENT_END);
    ck_assert(http_parser_is_idle(parser));
    http_parser_shrink(parser);
    ck_assert_int_eq(mem_live_blocks(), 1);
    ck_assert_uint_eq(http_parser_msg(parser)->headers_n, 0);
    rest = span_str(GET HOST "\r\n");
    ck_assert_int_eq(http_parser_next(parser, &rest, &body), HTTP_EVENT_HEAD);
    http_parser_free(parser);
}
END_TEST

START_TEST(reset_begins_anew_after_an_error)
{
    struct span in = span_str("bad request\r\n");
    struct span body;

    ck_assert_int_eq(
        http_parser_new(&parser, HTTP_KIND_REQUEST, &http_limits_default), 0);
    ck_assert_int_eq(http_parser_next(parser, &in, &body), HTTP_EVENT_ERROR);
    in = span_str(GET HOST "\r\n");
    ck_assert_int_eq(http_parser_next(parser, &in, &body), HTTP_EVENT_ERROR);
    http_parser_reset(parser);
    ck_assert_int_eq(http_parser_error(parser), HTTP_ERROR_NONE);
    ck_assert_int_eq(http_parser_next(parser, &in, &body), HTTP_EVENT_HEAD);
    http_parser_free(parser);
}
END_TEST

/* In pieces, with trailers and many fields: every allocation there is. */
static int parse_everything(void)
{
    struct span raw = span_str(
        POST "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\nF: 6\r\nG: 7\r\nH: 8\r\n"
             "I: 1\r\nJ: 2\r\nK: 3\r\nL: 4\r\nM: 5\r\nN: 6\r\nO: 7\r\nP: 8\r\n"
             "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX: y\r\n\r\n");
    enum http_event event = HTTP_EVENT_MORE;
    int err = http_parser_new(&parser, HTTP_KIND_REQUEST, &http_limits_default);
    struct span body;

    if (err < 0)
        return err;
    for (size_t i = 0; i < raw.len && event != HTTP_EVENT_ERROR; i++) {
        struct span in = span_of(raw.ptr + i, 1);

        do {
            event = http_parser_next(parser, &in, &body);
        } while (event != HTTP_EVENT_MORE && event != HTTP_EVENT_ERROR);
    }
    if (event == HTTP_EVENT_ERROR) {
        ck_assert_int_eq(http_parser_error(parser), HTTP_ERROR_MEMORY);
        err = -ENOMEM;
    }
    http_parser_free(parser);
    ck_assert_no_blocks();
    return err;
}

START_TEST(a_failed_allocation_is_an_answer_503)
{
    int err;

    CK_OOM_SWEEP(err, err = parse_everything());
    ck_assert_int_eq(http_error_status(HTTP_ERROR_MEMORY), 503);
}
END_TEST

START_TEST(each_error_has_status_and_text)
{
#define CHECK_ERROR(name, status, text)                                        \
    ck_assert_int_eq(http_error_status(HTTP_ERROR_##name), status);            \
    ck_assert_str_eq(http_error_str(HTTP_ERROR_##name), text);

    HTTP_ERROR_MAP(CHECK_ERROR)
#undef CHECK_ERROR
}
END_TEST

static void teardown(void)
{
    ck_assert_no_blocks();
}

Suite *unit_suite(void)
{
    Suite *suite = suite_create("http_parser");
    TCase *tc = tcase_create("http_parser");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, NULL, teardown);
    tcase_add_test(tc, a_request_is_described);
    tcase_add_test(tc, the_target_gives_host_and_path);
    tcase_add_test(tc, persistence_and_upgrade_are_told);
    tcase_add_test(tc, a_response_is_described);
    tcase_add_test(tc, bytes_behind_an_upgrade_stay_with_the_caller);
    tcase_add_test(tc, a_held_head_outlives_the_input);
    tcase_add_test(tc, a_head_stays_while_content_comes_in_other_buffers);
    tcase_add_test(tc, trailers_are_handed_out_at_the_end);
    tcase_add_test(tc, the_end_of_the_connection_is_judged);
    tcase_add_test(tc, nothing_is_allocated_once_warm);
    tcase_add_test(tc, an_idle_parser_gives_its_memory_back);
    tcase_add_test(tc, reset_begins_anew_after_an_error);
    tcase_add_test(tc, a_failed_allocation_is_an_answer_503);
    tcase_add_test(tc, each_error_has_status_and_text);
    suite_add_tcase(suite, tc);
    return suite;
}

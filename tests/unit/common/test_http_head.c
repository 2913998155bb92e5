/* SPDX-License-Identifier: MIT */
#include "http/http_head.h"

#include "base/err.h"
#include "support/unit.h"

static struct buf out;

static void setup(void)
{
    buf_init(&out, 1000);
}

static void teardown(void)
{
    buf_deinit(&out);
    ck_assert_no_blocks();
}

START_TEST(a_request_head_is_written)
{
    struct http_header h = {span_str("X-Original"), span_str("Va lue"),
                            HTTP_FIELD_OTHER};

    http_head_request(&out, span_str("GET"), span_str("/a?b"));
    http_head_field_str(&out, "Host", "example.com");
    http_head_field(&out, "X-Empty", (struct span){NULL, 0});
    http_head_field_u64(&out, "Content-Length", 18446744073709551615U);
    http_head_copy(&out, &h);
    http_head_end(&out);
    ck_assert_int_eq(buf_err(&out), 0);
    ck_assert_span_eq(buf_span(&out), "GET /a?b HTTP/1.1\r\n"
                                      "Host: example.com\r\n"
                                      "X-Empty: \r\n"
                                      "Content-Length: 18446744073709551615\r\n"
                                      "X-Original: Va lue\r\n"
                                      "\r\n");
}
END_TEST

START_TEST(nothing_can_break_out_of_its_line)
{
    static const struct {
        const char *name;
        const char *value;
    } bad[] = {
        {"X", "a\r\nY: b"}, {"X", "a\nb"}, {"X", "a\rb"},
        {"X", "\x01"},      {"X", "\x7f"}, {"X: y\r\nZ", "a"},
        {"X Y", "a"},       {"", "a"},     {"X:", "a"},
    };
    static const char *const targets[] = {"",      "/a b",  "/\r\n",
                                          "/\x01", "/\x7f", "/\xc3\xbc"};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        buf_reset(&out);
        http_head_field_str(&out, bad[i].name, bad[i].value);
        ck_assert_int_eq(buf_err(&out), ERR_PARSE);
        ck_assert_uint_eq(buf_len(&out), 0);
    }
    buf_reset(&out);
    http_head_field(&out, "X", span_of("a\0b", 3));
    ck_assert_int_eq(buf_err(&out), ERR_PARSE);
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        buf_reset(&out);
        http_head_request(&out, span_str("GET"), span_str(targets[i]));
        ck_assert_int_eq(buf_err(&out), ERR_PARSE);
    }
    buf_reset(&out);
    http_head_request(&out, span_str("G ET"), span_str("/"));
    ck_assert_int_eq(buf_err(&out), ERR_PARSE);
}
END_TEST

START_TEST(a_tab_and_other_bytes_may_stand_in_a_value)
{
    http_head_field_str(&out, "X", "a\tb\xc3\xbc");
    ck_assert_span_eq(buf_span(&out), "X: a\tb\xc3\xbc\r\n");
}
END_TEST

START_TEST(status_lines_have_their_text)
{
    http_head_status(&out, 404);
    http_head_status(&out, 799);
    ck_assert_span_eq(buf_span(&out),
                      "HTTP/1.1 404 Not Found\r\nHTTP/1.1 799 Status\r\n");
    ck_assert_str_eq(http_status_text(101), "Switching Protocols");
    ck_assert_str_eq(http_status_text(-1), "Status");
    ck_assert_str_eq(http_status_text(306), "Status");
    ck_assert_str_eq(http_status_text(600), "Status");
    buf_reset(&out);
    http_head_status(&out, 99);
    ck_assert_int_eq(buf_err(&out), ERR_PARSE);
}
END_TEST

START_TEST(chunks_have_hexadecimal_sizes)
{
    http_chunk_begin(&out, 5);
    buf_put_str(&out, "hello");
    http_chunk_end(&out);
    http_chunk_begin(&out, 0x1a2b);
    http_chunk_last(&out);
    ck_assert_span_eq(buf_span(&out), "5\r\nhello\r\n1a2b\r\n0\r\n\r\n");
    buf_reset(&out);
    http_chunk_begin(&out, SIZE_MAX);
    ck_assert_span_eq(buf_span(&out), "ffffffffffffffff\r\n");
}
END_TEST

START_TEST(an_empty_chunk_would_end_the_message_and_is_refused)
{
    http_chunk_begin(&out, 0);
    ck_assert_int_eq(buf_err(&out), ERR_PARSE);
}
END_TEST

START_TEST(whole_responses)
{
    http_response_write(&out, 403, "text/plain", span_str("no\n"),
                        HTTP_AFTER_CLOSE);
    ck_assert_span_eq(buf_span(&out), "HTTP/1.1 403 Forbidden\r\n"
                                      "Content-Type: text/plain\r\n"
                                      "Content-Length: 3\r\n"
                                      "Connection: close\r\n"
                                      "\r\n"
                                      "no\n");
    buf_reset(&out);
    http_response_write(&out, 200, NULL, span_str(""), HTTP_AFTER_KEEP);
    ck_assert_span_eq(buf_span(&out),
                      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    buf_reset(&out);
    http_response_write(&out, 100, NULL, span_str(""), HTTP_AFTER_KEEP);
    http_response_write(&out, 204, "text/plain", span_str("x"),
                        HTTP_AFTER_KEEP);
    ck_assert_span_eq(
        buf_span(&out),
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
}
END_TEST

START_TEST(a_full_buffer_writes_no_half_field)
{
    buf_deinit(&out);
    buf_init(&out, 10);
    http_head_field_str(&out, "Name", "value");
    ck_assert_int_eq(buf_err(&out), ERR_LIMIT);
    ck_assert_uint_eq(buf_len(&out), 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("http_head");
    TCase *tc = tcase_create("http_head");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_request_head_is_written);
    tcase_add_test(tc, nothing_can_break_out_of_its_line);
    tcase_add_test(tc, a_tab_and_other_bytes_may_stand_in_a_value);
    tcase_add_test(tc, status_lines_have_their_text);
    tcase_add_test(tc, chunks_have_hexadecimal_sizes);
    tcase_add_test(tc, an_empty_chunk_would_end_the_message_and_is_refused);
    tcase_add_test(tc, whole_responses);
    tcase_add_test(tc, a_full_buffer_writes_no_half_field);
    suite_add_tcase(suite, tc);
    return suite;
}

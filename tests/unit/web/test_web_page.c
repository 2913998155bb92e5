/* SPDX-License-Identifier: MIT */
#include "proxy/web_page.h"

#include "support_message.h"

static struct buf out;

static void setup(void)
{
    buf_init(&out, 65536);
}

static void teardown(void)
{
    message_free();
    buf_deinit(&out);
    ck_assert_no_blocks();
}

static const char *text_of(void)
{
    buf_put_byte(&out, 0);
    ck_assert_int_eq(buf_err(&out), 0);
    return (const char *)buf_span(&out).ptr;
}

static const char *page(const struct web_page *p)
{
    buf_reset(&out);
    web_page_write(&out, p);
    return text_of();
}

START_TEST(a_page_is_a_whole_answer)
{
    const char *text = page(&(struct web_page){.status = 404, .date = "now"});
    const struct http_msg *msg = message_answer(text, HTTP_METHOD_GET);

    ck_assert_int_eq(msg->status, 404);
    ck_assert_uint_eq(msg->length, strlen(strstr(text, "\r\n\r\n") + 4));
    ck_assert(msg->is_persistent);
    ck_assert_ptr_null(http_msg_find(msg, HTTP_FIELD_SERVER));
}
END_TEST

START_TEST(head_has_the_length_without_content)
{
    const char *text = page(
        &(struct web_page){.status = 502, .head_only = true, .date = "now"});

    ck_assert_ptr_nonnull(strstr(text, "Content-Length: "));
    ck_assert_str_eq(strstr(text, "\r\n\r\n"), "\r\n\r\n");
}
END_TEST

START_TEST(closing_is_said)
{
    ck_assert_ptr_nonnull(strstr(
        page(&(struct web_page){.status = 400, .close = true, .date = "now"}),
        "\r\nConnection: close\r\n"));
    ck_assert_ptr_nonnull(
        strstr(page(&(struct web_page){
                   .status = 404, .keep_alive = true, .date = "now"}),
               "\r\nConnection: keep-alive\r\n"));
}
END_TEST

START_TEST(what_a_status_needs_is_there)
{
    const char *text = page(&(struct web_page){.status = 429,
                                               .retry_s = 7,
                                               .hsts = span_str("max-age=60"),
                                               .secure = true,
                                               .date = "now"});

    ck_assert_ptr_nonnull(strstr(text, "\r\nRetry-After: 7\r\n"));
    ck_assert_ptr_nonnull(
        strstr(text, "\r\nStrict-Transport-Security: max-age=60\r\n"));
    text = page(&(struct web_page){.status = 405, .date = "now"});
    ck_assert_ptr_nonnull(strstr(text, "\r\nAllow: GET, "));
    text = page(&(struct web_page){.status = 426, .date = "now"});
    ck_assert_ptr_nonnull(strstr(text, "\r\nUpgrade: websocket\r\n"));
    ck_assert_ptr_nonnull(strstr(text, "\r\nSec-WebSocket-Version: 13\r\n"));
    text = page(&(struct web_page){
        .status = 308, .location = span_str("https://a/"), .date = "now"});
    ck_assert_ptr_nonnull(strstr(text, "\r\nLocation: https://a/\r\n"));
}
END_TEST

START_TEST(a_location_cannot_begin_a_line_of_its_own)
{
    buf_reset(&out);
    web_page_write(&out, &(struct web_page){.status = 308,
                                            .location = span_str("a\r\nb: c"),
                                            .date = "now"});
    ck_assert_int_lt(buf_err(&out), 0);
}
END_TEST

START_TEST(the_https_address_has_a_port_when_it_needs_one)
{
    web_page_https_location(&out, span_str("h"), 443, span_str("/a"),
                            span_str(""), false);
    ck_assert_str_eq(text_of(), "https://h/a");
    buf_reset(&out);
    web_page_https_location(&out, span_str("[::1]"), 8443, span_str("/a"),
                            span_str("b=c"), true);
    ck_assert_str_eq(text_of(), "https://[::1]:8443/a?b=c");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web_page");
    TCase *tcase = tcase_create("pages");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_page_is_a_whole_answer);
    tcase_add_test(tcase, head_has_the_length_without_content);
    tcase_add_test(tcase, closing_is_said);
    tcase_add_test(tcase, what_a_status_needs_is_there);
    tcase_add_test(tcase, a_location_cannot_begin_a_line_of_its_own);
    tcase_add_test(tcase, the_https_address_has_a_port_when_it_needs_one);
    suite_add_tcase(suite, tcase);
    return suite;
}

/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_reply.h"

#include "base/err.h"
#include "support/unit.h"

static const char whole[] = "HTTP/1.1 503 Service Unavailable\r\n"
                            "content-length: 4\r\nX: y\r\n\r\nfull";

START_TEST(an_answer_in_any_number_of_pieces_is_read)
{
    struct span body;

    for (size_t n = 0; n < sizeof(whole) - 1; n++)
        ck_assert_int_eq(ctl_reply_parse(span_of(whole, n), &body),
                         ERR_TRUNCATED);
    ck_assert_int_eq(ctl_reply_parse(span_of(whole, sizeof(whole) - 1), &body),
                     503);
    ck_assert_span_eq(body, "full");
}
END_TEST

START_TEST(what_is_no_answer_of_ours_is_refused)
{
    static const char *const cases[] = {
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nno length",
    };
    struct span body;

    ck_assert_int_eq(ctl_reply_parse(span_str(cases[_i]), &body), ERR_PARSE);
}
END_TEST

START_TEST(a_request_says_how_long_it_is)
{
    struct buf out;

    buf_init(&out, 1024);
    ctl_request_write(&out, "POST", "/log-level", span_str("debug"));
    ck_assert_span_eq(buf_span(&out),
                      "POST /log-level HTTP/1.1\r\nHost: localhost\r\n"
                      "Connection: close\r\nContent-Length: 5\r\n\r\ndebug");
    buf_deinit(&out);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("ctl_reply");
    TCase *tc = tcase_create("all");

    tcase_add_test(tc, an_answer_in_any_number_of_pieces_is_read);
    tcase_add_loop_test(tc, what_is_no_answer_of_ours_is_refused, 0, 5);
    tcase_add_test(tc, a_request_says_how_long_it_is);
    suite_add_tcase(suite, tc);
    return suite;
}

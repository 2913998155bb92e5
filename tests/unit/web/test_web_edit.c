/* SPDX-License-Identifier: MIT */
#include "proxy/web_edit.h"
#include "proxy/web_errors.h"

#include "base/err.h"
#include "support_message.h"

#include <stdio.h>

static const struct {
    const char *text;
    int err;
    enum web_edit_kind kind;
    const char *name, *value;
} edits[] = {
    {"-Server", 0, WEB_EDIT_REMOVE, "Server", ""},
    {"X-A: b c", 0, WEB_EDIT_SET, "X-A", "b c"},
    {"X-A:b", 0, WEB_EDIT_SET, "X-A", "b"},
    {"+Link: </a>; rel=preload", 0, WEB_EDIT_ADD, "Link", "</a>; rel=preload"},
    {"-Server: x", ERR_PARSE, 0, NULL, NULL},
    {"X-A", ERR_PARSE, 0, NULL, NULL},
    {"X A: b", ERR_PARSE, 0, NULL, NULL},
    {"X-A: ", ERR_PARSE, 0, NULL, NULL},
    {"X-A: b\r\nX-B: c", ERR_PARSE, 0, NULL, NULL},
    {": b", ERR_PARSE, 0, NULL, NULL},
    {"", ERR_PARSE, 0, NULL, NULL},
    {"-content-length", ERR_DENIED, 0, NULL, NULL},
    {"Transfer-Encoding: chunked", ERR_DENIED, 0, NULL, NULL},
    {"+Connection: x", ERR_DENIED, 0, NULL, NULL},
    {"-Date", ERR_DENIED, 0, NULL, NULL},
};

START_TEST(edits_are_read)
{
    struct web_edit edit;

    ck_assert_int_eq(web_edit_parse(span_str(edits[_i].text), &edit),
                     edits[_i].err);
    if (edits[_i].err != 0)
        return;
    ck_assert_int_eq((int)edit.kind, (int)edits[_i].kind);
    ck_assert_span_eq(edit.name, edits[_i].name);
    ck_assert_span_eq(edit.value, edits[_i].value);
}
END_TEST

START_TEST(one_takes_the_place_of_another)
{
    struct web_edit set, add, hide, other;

    ck_assert_int_eq(web_edit_parse(span_str("X-A: 1"), &set), 0);
    ck_assert_int_eq(web_edit_parse(span_str("+x-a: 2"), &add), 0);
    ck_assert_int_eq(web_edit_parse(span_str("-x-a"), &hide), 0);
    ck_assert_int_eq(web_edit_parse(span_str("X-B: 1"), &other), 0);
    ck_assert(web_edit_replaces(&hide, &set));
    ck_assert(web_edit_replaces(&set, &add));
    ck_assert(!web_edit_replaces(&add, &set));
    ck_assert(!web_edit_replaces(&other, &set));
}
END_TEST

START_TEST(hsts_is_for_tls)
{
    struct web_edit edit;

    ck_assert_int_eq(
        web_edit_parse(span_str("Strict-Transport-Security: max-age=1"), &edit),
        0);
    ck_assert(web_edit_is_said(&edit, true));
    ck_assert(!web_edit_is_said(&edit, false));
}
END_TEST

static const struct {
    const char *accept;
    bool json;
} accepts[] = {
    {"*/*", false},
    {"text/html,application/xhtml+xml,*/*;q=0.8", false},
    {"application/json", true},
    {"application/json, text/plain, */*", false},
    {"application/json, */*;q=0.1", true},
    {"text/html;q=0.5, application/json;q=0.6", true},
    {"text/html;q=0.6, application/json;q=0.5", false},
    {"application/*", true},
    {"application/json;q=0", false},
    {"", false},
    {";;;,,,q=", false},
};

START_TEST(who_would_rather_have_json)
{
    char text[256];

    (void)snprintf(text, sizeof(text),
                   "GET / HTTP/1.1\r\nHost: a\r\nAccept: %s\r\n\r\n",
                   accepts[_i].accept);
    ck_assert_msg(web_errors_wants_json(message_request(text)) ==
                      accepts[_i].json,
                  "%s", accepts[_i].accept);
    message_free();
}
END_TEST

START_TEST(a_page_is_found_by_its_status)
{
    static const struct web_error_page pages[] = {
        {503, 503, {(const uint8_t *)"busy", 4}, {NULL, 0}},
        {500, 599, {(const uint8_t *)"html", 4}, {(const uint8_t *)"{}", 2}},
    };
    static const struct web_errors errors = {pages, 2};
    char text[WEB_ERROR_TEXT_SIZE];

    ck_assert_span_eq(web_errors_content(&errors, 503, false, text), "busy");
    ck_assert_span_eq(web_errors_content(&errors, 503, true, text), "{}");
    ck_assert_span_eq(web_errors_content(&errors, 502, false, text), "html");
    ck_assert_span_eq(web_errors_content(&errors, 404, true, text),
                      "{\"status\":404,\"error\":\"Not Found\"}\n");
    ck_assert(span_search(web_errors_content(NULL, 404, false, text),
                          span_str("404 Not Found")) > 0);
}
END_TEST

START_TEST(statuses_are_read)
{
    static const char *const bad[] = {"",   "399", "600", "3xx",
                                      "xx", "5XX", "all "};
    int first, last;

    ck_assert_int_eq(web_errors_parse_status(span_str("5xx"), &first, &last),
                     0);
    ck_assert_int_eq(first, 500);
    ck_assert_int_eq(last, 599);
    ck_assert_int_eq(web_errors_parse_status(span_str("all"), &first, &last),
                     0);
    ck_assert_int_eq(first, 400);
    ck_assert_int_eq(web_errors_parse_status(span_str("404"), &first, &last),
                     0);
    ck_assert_int_eq(last, 404);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        ck_assert_int_lt(
            web_errors_parse_status(span_str(bad[i]), &first, &last), 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web_edit");
    TCase *tcase = tcase_create("edits");

    tcase_add_loop_test(tcase, edits_are_read, 0, ARRAY_SIZE(edits));
    tcase_add_test(tcase, one_takes_the_place_of_another);
    tcase_add_test(tcase, hsts_is_for_tls);
    tcase_add_loop_test(tcase, who_would_rather_have_json, 0,
                        ARRAY_SIZE(accepts));
    tcase_add_test(tcase, a_page_is_found_by_its_status);
    tcase_add_test(tcase, statuses_are_read);
    suite_add_tcase(suite, tcase);
    return suite;
}

/* SPDX-License-Identifier: MIT */
#include "proxy/web_file.h"

#include "base/err.h"
#include "support_message.h"

#include <stdio.h>

static const struct {
    const char *path;
    const char *name; /* NULL: refused */
} names[] = {
    {"", ""},
    {"/", ""},
    {"/a/b.css", "a/b.css"},
    {"/a/", "a/"},
    {"/a%20b", "a b"},
    {"/%c3%a9", "\xc3\xa9"},
    {"/.well-known/acme-challenge/x", ".well-known/acme-challenge/x"},
    {"/.git/config", NULL},
    {"/a/.htaccess", NULL},
    {"/%2e%2e/etc", NULL},
    {"/a%2fb", NULL},
    {"/a%00b", NULL},
    {"/a%5cb", NULL},
    {"/a%2", NULL},
    {"/a%", NULL},
    {"/a%zz", NULL},
};

START_TEST(names_are_made_of_paths)
{
    char name[64];
    int len = web_file_name(span_str(names[_i].path), name, sizeof(name));

    if (!names[_i].name) {
        ck_assert_int_eq(len, ERR_DENIED);
        return;
    }
    ck_assert_int_ge(len, 0);
    ck_assert_span_eq(span_of(name, (size_t)len), names[_i].name);
}
END_TEST

START_TEST(long_names_are_refused)
{
    char name[4];

    ck_assert_int_eq(web_file_name(span_str("/abcde"), name, sizeof(name)),
                     ERR_LIMIT);
}
END_TEST

START_TEST(types_are_known_by_the_end)
{
    ck_assert_str_eq(web_file_type(span_str("a/B.CSS")),
                     "text/css; charset=utf-8");
    ck_assert_str_eq(web_file_type(span_str("x.woff2")), "font/woff2");
    ck_assert_str_eq(web_file_type(span_str("html")),
                     "application/octet-stream");
}
END_TEST

static const struct {
    const char *field;
    unsigned forms;
} forms[] = {
    {"", 0},
    {"Accept-Encoding: gzip, deflate, br\r\n", 3},
    {"Accept-Encoding: gzip\r\n", 2},
    {"Accept-Encoding: BR;q=0.5\r\n", 1},
    {"Accept-Encoding: br;q=0, gzip\r\n", 2},
    {"Accept-Encoding: br;q=0.000\r\n", 0},
    {"Accept-Encoding: *\r\n", 3},
    {"Accept-Encoding: *, br;q=0\r\n", 2},
    {"Accept-Encoding: identity\r\n", 0},
    {"Accept-Encoding: gzip\r\nAccept-Encoding: br\r\n", 3},
};

START_TEST(forms_are_asked_for)
{
    char text[256];

    (void)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n",
                   forms[_i].field);
    ck_assert_uint_eq(web_file_forms(message_request(text)), forms[_i].forms);
    message_free();
}
END_TEST

/* The file: 1000 bytes of Sun, 06 Nov 1994 08:49:37 GMT. */
static const struct web_file_info info = {1000, 784111777, 5, -1};
#define TAG "\"2ebc98a1-5-3e8\""
#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"

static const struct {
    const char *fields;
    int status;
    const char *ranges;
} asked[] = {
    {"", 200, ""},
    {"If-None-Match: " TAG "\r\n", 304, ""},
    {"If-None-Match: \"x\", W/" TAG "\r\n", 304, ""},
    {"If-None-Match: *\r\n", 304, ""},
    {"If-None-Match: \"x\"\r\n", 200, ""},
    {"If-None-Match: \"x\"\r\nIf-Modified-Since: " DATE "\r\n", 200, ""},
    {"If-Modified-Since: " DATE "\r\n", 304, ""},
    {"If-Modified-Since: " BEFORE "\r\n", 200, ""},
    {"If-Modified-Since: yesterday\r\n", 200, ""},
    {"If-Match: " TAG "\r\n", 200, ""},
    {"If-Match: W/" TAG "\r\n", 412, ""},
    {"If-Match: \"x\"\r\n", 412, ""},
    {"If-Match: *\r\n", 200, ""},
    {"If-Unmodified-Since: " DATE "\r\n", 200, ""},
    {"If-Unmodified-Since: " BEFORE "\r\n", 412, ""},
    {"Range: bytes=0-99\r\n", 206, "0+100 "},
    {"Range: bytes=900-\r\n", 206, "900+100 "},
    {"Range: bytes=-100\r\n", 206, "900+100 "},
    {"Range: bytes=-5000\r\n", 206, "0+1000 "},
    {"Range: bytes=990-5000\r\n", 206, "990+10 "},
    {"Range: bytes=0-0,10-19, -1\r\n", 206, "0+1 10+10 999+1 "},
    {"Range: bytes=0-0,2000-\r\n", 206, "0+1 "},
    {"Range: bytes=1000-\r\n", 416, ""},
    {"Range: bytes=-0\r\n", 416, ""},
    {"Range: bytes=5-4\r\n", 200, NULL},
    {"Range: bytes=a-b\r\n", 200, NULL},
    {"Range: bytes=\r\n", 200, NULL},
    {"Range: items=0-1\r\n", 200, NULL},
    {"Range: bytes=0-99,50-\r\n", 200, NULL},
    {"Range: bytes=50-60,0-10\r\n", 200, NULL},
    {"Range: bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16\r\n", 200, NULL},
    {"Range: bytes=18446744073709551616-\r\n", 200, NULL},
    {"Range: bytes=18446744073709551615-\r\n", 416, NULL},
    {"Range: bytes=0-18446744073709551615\r\n", 206, "0+1000 "},
    {"Range: bytes=0-1\r\nRange: bytes=2-3\r\n", 200, NULL},
    {"Range: bytes=0-1\r\nIf-Range: " TAG "\r\n", 206, "0+2 "},
    {"Range: bytes=0-1\r\nIf-Range: W/" TAG "\r\n", 200, NULL},
    {"Range: bytes=0-1\r\nIf-Range: \"x\"\r\n", 200, NULL},
    {"Range: bytes=0-1\r\nIf-Range: " DATE "\r\n", 206, "0+2 "},
    {"Range: bytes=0-1\r\nIf-Range: " BEFORE "\r\n", 200, NULL},
    {"Range: bytes=0-1\r\nIf-None-Match: " TAG "\r\n", 304, NULL},
};

START_TEST(conditions_and_ranges_are_judged)
{
    struct web_file_asked a;
    struct web_file_verdict v;
    char text[512], ranges[256] = "";
    size_t len = 0;

    (void)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n",
                   asked[_i].fields);
    web_file_ask(message_request(text), &a);
    v = web_file_judge(&a, &info);
    ck_assert_msg(v.status == asked[_i].status, "%d: %s", v.status,
                  asked[_i].fields);
    if (v.status == 206) {
        for (size_t i = 0; i < v.n; i++)
            len += (size_t)snprintf(ranges + len, sizeof(ranges) - len,
                                    "%u+%u ", (unsigned)v.ranges[i].first,
                                    (unsigned)v.ranges[i].len);
        ck_assert_str_eq(ranges, asked[_i].ranges);
    }
    message_free();
}
END_TEST

START_TEST(each_form_has_its_tag)
{
    struct web_file_info gz = info, other = info;
    char a[WEB_FILE_TAG_SIZE], b[WEB_FILE_TAG_SIZE];

    ck_assert_str_eq(web_file_tag(&info, a), TAG);
    gz.form = WEB_FILE_GZIP;
    ck_assert_str_ne(a, web_file_tag(&gz, b));
    other.mtime_ns++;
    ck_assert_str_ne(a, web_file_tag(&other, b));
}
END_TEST

START_TEST(an_empty_file_has_no_range)
{
    struct web_file_asked a = {.range = span_str("bytes=0-")};
    struct web_file_info empty = {0, 1, 0, -1};

    ck_assert_int_eq(web_file_judge(&a, &empty).status, 416);
    a.range = span_str("bytes=-1");
    ck_assert_int_eq(web_file_judge(&a, &empty).status, 416);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web_file");
    TCase *tcase = tcase_create("files");

    tcase_add_loop_test(tcase, names_are_made_of_paths, 0, ARRAY_SIZE(names));
    tcase_add_test(tcase, long_names_are_refused);
    tcase_add_test(tcase, types_are_known_by_the_end);
    tcase_add_loop_test(tcase, forms_are_asked_for, 0, ARRAY_SIZE(forms));
    tcase_add_loop_test(tcase, conditions_and_ranges_are_judged, 0,
                        ARRAY_SIZE(asked));
    tcase_add_test(tcase, each_form_has_its_tag);
    tcase_add_test(tcase, an_empty_file_has_no_range);
    suite_add_tcase(suite, tcase);
    return suite;
}

/* SPDX-License-Identifier: MIT */
/* Files of a folder, seen from outside. */
#include "support_fake.h"

#include <errno.h>
#include <stdlib.h>

#define TAG "\"2ebc98a1-5-b\""
#define TEXT "hello world"

static struct web_folder folder;
static struct web_route *route;

static void setup(void)
{
    fake_setup();
    folder = (struct web_folder){.index = "index.html",
                                 .cache_control = span_str("max-age=60")};
    route = fake_route("/docs", 0);
    route->kind = WEB_ROUTE_FILES;
    route->folder = &folder;
    route->methods = UINT32_C(1) << HTTP_METHOD_GET | UINT32_C(1)
                                                          << HTTP_METHOD_HEAD;
    route->allow = "GET, HEAD";
}

static const char *ask(struct fake_io *client, const char *line,
                       const char *fields)
{
    fake_send(client, line);
    fake_send(client, " HTTP/1.1\r\nHost: a\r\n");
    fake_send(client, fields);
    fake_send(client, "\r\n");
    if (fake.file.open)
        fake_file_found(TEXT);
    return fake_take(client);
}

START_TEST(a_file_is_sent)
{
    struct fake_io *client;
    const char *got;

    fake_start();
    client = fake_client();
    got = ask(client, "GET /docs/a%20b.css?x", "");
    ck_assert_str_eq(fake.file.name, "a b.css");
    ck_assert_starts(got, "HTTP/1.1 200 OK\r\n");
    ck_assert_has(got, "Content-Type: text/css; charset=utf-8\r\n");
    ck_assert_has(got, "Content-Length: 11\r\n");
    ck_assert_has(got, "ETag: " TAG "\r\n");
    ck_assert_has(got, "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
    ck_assert_has(got, "Accept-Ranges: bytes\r\n");
    ck_assert_has(got, "Cache-Control: max-age=60\r\n");
    ck_assert_has(got, "\r\n\r\n" TEXT);
    ck_assert_lacks(got, "Vary");
    ck_assert(!fake.file.open);
    ck_assert(!client->shut);
    ck_assert_starts(ask(client, "GET /docs/a", ""), "HTTP/1.1 200");
    ck_assert_uint_eq(fake.stats.files, 2);
}
END_TEST

START_TEST(head_has_no_content)
{
    struct fake_io *client;
    const char *got;

    fake_start();
    client = fake_client();
    got = ask(client, "HEAD /docs/a", "");
    ck_assert_has(got, "Content-Length: 11\r\n");
    ck_assert_lacks(got, TEXT);
    got = ask(client, "HEAD /docs/a", "Range: bytes=0-1,3-4\r\n");
    ck_assert_starts(got, "HTTP/1.1 206");
    ck_assert_lacks(got, "\r\nhe");
    ck_assert(!client->shut);
}
END_TEST

START_TEST(conditions_are_kept)
{
    struct fake_io *client;
    const char *got;

    fake_start();
    client = fake_client();
    got = ask(client, "GET /docs/a", "If-None-Match: " TAG "\r\n");
    ck_assert_starts(got, "HTTP/1.1 304 ");
    ck_assert_has(got, "ETag: " TAG "\r\n");
    ck_assert_lacks(got, "Content-");
    got = ask(client, "GET /docs/a", "If-Match: \"x\"\r\n");
    ck_assert_starts(got, "HTTP/1.1 412 ");
    ck_assert(!client->shut);
}
END_TEST

START_TEST(ranges_are_sent)
{
    struct fake_io *client;
    const char *got, *body;
    long length;

    fake_start();
    client = fake_client();
    got = ask(client, "GET /docs/a", "Range: bytes=6-\r\n");
    ck_assert_starts(got, "HTTP/1.1 206 ");
    ck_assert_has(got, "Content-Range: bytes 6-10/11\r\n");
    ck_assert_has(got, "\r\n\r\nworld");
    got = ask(client, "GET /docs/a", "Range: bytes=50-\r\n");
    ck_assert_starts(got, "HTTP/1.1 416 ");
    ck_assert_has(got, "Content-Range: bytes */11\r\n");
    ck_assert_has(got, "Content-Length: 0\r\n");
    got = ask(client, "GET /docs/a.txt", "Range: bytes=0-1,-2\r\n");
    ck_assert_starts(got, "HTTP/1.1 206 ");
    ck_assert_has(got, "Content-Type: multipart/byteranges; boundary=");
    ck_assert_has(got, "Content-Range: bytes 0-1/11\r\n\r\nhe\r\n--");
    ck_assert_has(got, "Content-Range: bytes 9-10/11\r\n\r\nld\r\n--");
    length = strtol(strstr(got, "Content-Length: ") + 16, NULL, 10);
    body = strstr(got, "\r\n\r\n") + 4;
    ck_assert_int_eq(length, (long)strlen(body));
    ck_assert_str_eq(body + strlen(body) - 4, "--\r\n");
}
END_TEST

START_TEST(a_folder_has_its_page)
{
    struct fake_io *client;
    const char *got;

    fake_start();
    client = fake_client();
    got = ask(client, "GET /docs/", "");
    ck_assert_str_eq(fake.file.name, "");
    ck_assert_has(got, "Content-Type: text/html; charset=utf-8\r\n");
    fake_send(client, "GET /docs/sub?x=1 HTTP/1.1\r\nHost: a\r\n\r\n");
    fake_file_missing(-EISDIR);
    got = fake_take(client);
    ck_assert_starts(got, "HTTP/1.1 308 ");
    ck_assert_has(got, "Location: /docs/sub/?x=1\r\n");
    ck_assert(!client->shut);
}
END_TEST

static const struct {
    int err;
    const char *answer;
} missing[] = {
    {-ENOENT, "HTTP/1.1 404 "},
    {-EACCES, "HTTP/1.1 403 "},
    {-EMFILE, "HTTP/1.1 503 "},
};

START_TEST(what_is_not_there_is_said)
{
    struct fake_io *client;

    fake_start();
    client = fake_client();
    fake_send(client, "GET /docs/x HTTP/1.1\r\nHost: a\r\n\r\n");
    fake_file_missing(missing[_i].err);
    ck_assert_starts(fake_take(client), missing[_i].answer);
    ck_assert(!fake.file.open && !client->shut);
}
END_TEST

START_TEST(hidden_names_are_not_asked_for)
{
    struct fake_io *client;

    fake_start();
    client = fake_client();
    fake_send(client, "GET /docs/.git/config HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert(!fake.file.open);
    ck_assert_starts(fake_take(client), "HTTP/1.1 404 ");
    fake_send(client, "POST /docs/x HTTP/1.1\r\nHost: a\r\n"
                      "Content-Length: 0\r\n\r\n");
    ck_assert_has(fake_take(client), "Allow: GET, HEAD\r\n");
}
END_TEST

START_TEST(a_slow_client_is_waited_for)
{
    enum { SIZE = 400 * 1024 };
    char *content = malloc(SIZE + 1);
    struct fake_io *client;

    memset(content, 'x', SIZE);
    content[SIZE] = '\0';
    fake_start();
    client = fake_client();
    fake_block(client);
    fake_send(client, "GET /docs/x HTTP/1.1\r\nHost: a\r\n\r\n");
    fake_file_found(content);
    ck_assert_uint_lt(client->len, 200 * 1024);
    ck_assert(fake.file.open);
    fake_unblock(client);
    /* After some pieces the others have their turn. */
    ck_assert(fake.file.reading);
    fake_file_read(0);
    ck_assert_uint_gt(client->len, SIZE);
    ck_assert(!fake.file.open);
    free(content);
}
END_TEST

START_TEST(a_file_that_fails_is_no_whole_answer)
{
    struct fake_io *client;

    fake_start();
    client = fake_client();
    fake.file.slow = true;
    fake_send(client, "GET /docs/x HTTP/1.1\r\nHost: a\r\n\r\n");
    fake_file_found(TEXT);
    ck_assert(fake.file.reading);
    fake_file_read(-5);
    ck_assert(client->aborted);
    ck_assert(!fake.file.open);
}
END_TEST

START_TEST(a_client_that_leaves_closes_the_file)
{
    struct fake_io *client;

    fake_start();
    client = fake_client();
    fake_send(client, "GET /docs/x HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert(fake.file.open);
    fake_close(client, 0);
    ck_assert(!fake.file.open);
}
END_TEST

START_TEST(a_slow_disk_is_not_waited_for_for_ever)
{
    struct fake_io *client;

    fake_start();
    client = fake_client();
    fake_send(client, "GET /docs/x HTTP/1.1\r\nHost: a\r\n\r\n");
    fake_sleep(10 * 60 * 1000);
    ck_assert_starts(fake_take(client), "HTTP/1.1 504 ");
    ck_assert(!fake.file.open);
}
END_TEST

START_TEST(certificates_are_asked_for_without_tls)
{
    struct fake_io *client;

    route->plain = true;
    fake_start();
    client = fake_client_at(&fake.redirect, "192.0.2.1:9");
    ck_assert_starts(ask(client, "GET /docs/x", ""), "HTTP/1.1 200 ");
    ck_assert_starts(ask(client, "GET /other", ""), "HTTP/1.1 308 ");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web files");
    TCase *tcase = tcase_create("files");

    tcase_add_checked_fixture(tcase, setup, fake_teardown);
    tcase_add_test(tcase, a_file_is_sent);
    tcase_add_test(tcase, head_has_no_content);
    tcase_add_test(tcase, conditions_are_kept);
    tcase_add_test(tcase, ranges_are_sent);
    tcase_add_test(tcase, a_folder_has_its_page);
    tcase_add_loop_test(tcase, what_is_not_there_is_said, 0,
                        ARRAY_SIZE(missing));
    tcase_add_test(tcase, hidden_names_are_not_asked_for);
    tcase_add_test(tcase, a_slow_client_is_waited_for);
    tcase_add_test(tcase, a_file_that_fails_is_no_whole_answer);
    tcase_add_test(tcase, a_client_that_leaves_closes_the_file);
    tcase_add_test(tcase, a_slow_disk_is_not_waited_for_for_ever);
    tcase_add_test(tcase, certificates_are_asked_for_without_tls);
    suite_add_tcase(suite, tcase);
    return suite;
}

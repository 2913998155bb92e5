/* SPDX-License-Identifier: MIT */
/* Every allocation may fail: files, changed answers, queues, tokens' traces.
 * What comes is an answer or the end, never a crash or a leak. */
#include "support_fake.h"

#include <errno.h>

enum { ALLOCATIONS = 60 };

#define OK                                                                     \
    "HTTP/1.1 302 Found\r\nLocation: /x\r\nSet-Cookie: a=b; Path=/\r\n"        \
    "Content-Length: 2\r\n\r\nok"

static struct web_folder folder = {.index = "index.html",
                                   .precompressed = true};

static void finish(struct fake_io *client)
{
    mem_fail_at(-1);
    if (!fake_is_over(client))
        fake_close(client, 0);
    fake_sleep(100000);
}

START_TEST(files)
{
    struct web_route *r = fake_route("/", 0);
    struct fake_io *client;

    r->kind = WEB_ROUTE_FILES;
    r->folder = &folder;
    fake_start();
    client = fake_client();
    mem_fail_at(_i);
    fake_send(client, "GET /a/b.css HTTP/1.1\r\nHost: a\r\n"
                      "Range: bytes=0-1,3-4\r\nIf-Range: \"x\"\r\n"
                      "If-None-Match: \"y\"\r\nAccept-Encoding: br\r\n\r\n");
    if (fake.file.open)
        fake_file_found("hello world");
    if (!fake_is_over(client))
        fake_send(client, "GET /sub HTTP/1.1\r\nHost: a\r\n\r\n");
    if (fake.file.open)
        fake_file_missing(-EISDIR);
    finish(client);
    ck_assert(!fake.file.open);
}
END_TEST

START_TEST(changed_answers)
{
    static struct web_edit edits[2];
    struct web_route *r = fake_route("/app", 0);
    struct fake_io *client, *server;

    ck_assert_int_eq(web_edit_parse(span_str("-Server"), &edits[0]), 0);
    ck_assert_int_eq(web_edit_parse(span_str("X-A: b"), &edits[1]), 0);
    r->edits = (struct web_edits){edits, 2};
    r->rewrite = span_str("/");
    r->put_right = r->cookie_secure = true;
    fake.site.trace = WEB_TRACE_NEW;
    fake_start();
    client = fake_client();
    mem_fail_at(_i);
    fake_send(client, "GET /app/x HTTP/1.1\r\nHost: a\r\n\r\n");
    if (fake_open_dials() > 0) {
        server = fake_dialled();
        if (!fake_is_over(server))
            fake_send(server, OK);
    }
    finish(client);
}
END_TEST

START_TEST(queues)
{
    struct fake_io *a, *b, *server;

    fake_route("/", 0);
    fake.upstreams[0].links_max = 1;
    fake.upstreams[0].queue_max = 4;
    fake.upstreams[0].queue_ms = 1000;
    fake_start();
    a = fake_client();
    b = fake_client();
    mem_fail_at(_i);
    fake_send(a, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    fake_send(b, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    while (fake_open_dials() > 0) {
        server = fake_dialled();
        if (!fake_is_over(server))
            fake_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
                              "Connection: close\r\n\r\n");
    }
    finish(a);
    if (!fake_is_over(b))
        fake_close(b, 0);
    ck_assert_uint_eq(fake.stats.queued_now, 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web memory content");
    TCase *tcase = tcase_create("memory");

    tcase_add_checked_fixture(tcase, fake_setup, fake_teardown);
    tcase_add_loop_test(tcase, files, 0, ALLOCATIONS);
    tcase_add_loop_test(tcase, changed_answers, 0, ALLOCATIONS);
    tcase_add_loop_test(tcase, queues, 0, ALLOCATIONS);
    suite_add_tcase(suite, tcase);
    return suite;
}

/* SPDX-License-Identifier: MIT */
#include "app/admin.h"

#include "net/worker.h"
#include "support/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

enum { CLOSE_MS = 2000, WAIT_MS = 3000 };

static struct worker *loop;
static struct admin *admin;
static struct buf reply;
static char folder[] = "/tmp/admin-test-XXXXXX";
static char path[64];
static unsigned timeout_ms;
static const char *prefix;

static int echo(const struct admin_request *request, struct buf *body,
                void *arg)
{
    buf_printf(body, "%s path=%.*s query=%.*s body=%.*s", (const char *)arg,
               SPAN_FMT(request->path), SPAN_FMT(request->query),
               SPAN_FMT(request->body));
    return 200;
}

static char greeting[] = "hello";

static int json(const struct admin_request *request, struct buf *body,
                void *arg)
{
    (void)request;
    (void)arg;
    buf_put_str(body, "{}");
    return 200;
}

static int huge(const struct admin_request *request, struct buf *body,
                void *arg)
{
    (void)request;
    (void)arg;
    for (unsigned i = 0; i <= ADMIN_REPLY_MAX / 16; i++)
        buf_put_str(body, "0123456789abcdef");
    return 200;
}

static int open_admin(const char *socket_path)
{
    const struct admin_options options = {.program = "demo-server",
                                          .prefix = prefix,
                                          .socket = socket_path,
                                          .listen = addr_v4(0x7F000001, 0),
                                          .timeout_ms = timeout_ms};

    return admin_new(&admin, worker_loop(loop), &options);
}

static void setup(void)
{
    memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/s", folder);
    buf_init(&reply, 1 << 20);
    timeout_ms = 0;
    prefix = NULL;
    ck_assert_int_eq(worker_new(&loop, -1, 0), 0);
    ck_assert_int_eq(open_admin(path), 0);
    ck_assert_int_eq(admin_handle(admin, "GET", "/echo", echo, greeting), 0);
    ck_assert_int_eq(admin_handle(admin, "POST", "/do", echo, greeting), 0);
    ck_assert_int_eq(admin_handle(admin, "GET", "/json", json, NULL), 0);
    ck_assert_int_eq(admin_handle(admin, "GET", "/huge", huge, NULL), 0);
}

static void teardown(void)
{
    admin_close(admin);
    ck_assert_int_eq(worker_free(loop, CLOSE_MS), 0);
    buf_deinit(&reply);
    ck_assert_int_ne(access(path, F_OK), 0); /* the socket file is gone */
    (void)rmdir(folder);
    ck_assert_no_blocks();
}

static void turn(void)
{
    (void)uv_run(worker_loop(loop), UV_RUN_NOWAIT);
}

static int dial_unix(void)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(sa.sun_path, path, strlen(path) + 1);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    return fd;
}

static int dial_tcp(void)
{
    struct addr to = addr_v4(0x7F000001, admin_port(admin));
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(&to, &sa);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, len), 0);
    return fd;
}

/* Read to the end while the loop turns. */
static void read_reply(int fd)
{
    uint8_t chunk[4096];
    uint64_t end = uv_hrtime() / 1000000 + WAIT_MS;

    buf_reset(&reply);
    while (uv_hrtime() / 1000000 < end) {
        ssize_t n;

        turn();
        n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
        if (n > 0)
            buf_put(&reply, chunk, (size_t)n);
        else if (n == 0 || errno != EAGAIN)
            return;
    }
    ck_abort_msg("no end of the reply");
}

static void ask(int fd, const char *request)
{
    ck_assert_int_eq(send(fd, request, strlen(request), MSG_NOSIGNAL),
                     (ssize_t)strlen(request));
    read_reply(fd);
    close(fd);
    turn();
}

static void assert_reply(const char *text)
{
    ck_assert_msg(span_search(buf_span(&reply), span_str(text)) >= 0,
                  "\"%s\" is not in:\n%.*s", text, SPAN_FMT(buf_span(&reply)));
}

static void assert_status(const char *status)
{
    ck_assert_msg(span_starts(span_from(buf_span(&reply), 9), status),
                  "%s is not the status of:\n%.*s", status,
                  SPAN_FMT(buf_span(&reply)));
}

START_TEST(the_socket_is_for_owner_and_group)
{
    struct stat st;

    ck_assert_int_eq(lstat(path, &st), 0);
    ck_assert(S_ISSOCK(st.st_mode));
    ck_assert_int_eq(st.st_mode & 0777, 0660);
}
END_TEST

START_TEST(a_handler_sees_path_query_and_body)
{
    ask(dial_unix(), "GET /echo?a=b HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_status("200");
    assert_reply("hello path=/echo query=a=b body=");
    assert_reply("Content-Type: text/plain; charset=utf-8\r\n");
    assert_reply("Connection: close\r\n");

    ask(dial_unix(), "POST /do HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
                     "debug");
    assert_reply("path=/do query= body=debug");
}
END_TEST

START_TEST(json_is_told_by_its_first_byte)
{
    ask(dial_unix(), "GET /json HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_reply("Content-Type: application/json\r\n");
}
END_TEST

START_TEST(a_request_may_come_in_pieces)
{
    const char *request = "POST /do HTTP/1.1\r\nHost: x\r\n"
                          "Transfer-Encoding: chunked\r\n\r\n"
                          "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    int fd = dial_unix();

    for (size_t i = 0; request[i]; i++) {
        ck_assert_int_eq(send(fd, request + i, 1, MSG_NOSIGNAL), 1);
        turn();
    }
    read_reply(fd);
    close(fd);
    assert_reply("body=abcde");
}
END_TEST

START_TEST(what_is_not_there_is_404_and_the_wrong_method_405)
{
    ask(dial_unix(), "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_status("404");
    ask(dial_unix(), "GET /do HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_status("405");
    ask(dial_unix(), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    assert_status("404");
}
END_TEST

START_TEST(the_page_needs_nothing_from_elsewhere)
{
    ask(dial_unix(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_status("200");
    assert_reply("Content-Type: text/html; charset=utf-8\r\n");
    assert_reply("Content-Security-Policy: default-src 'none';");
    assert_reply("<title>edge</title>");
    ck_assert_int_lt(span_search(buf_span(&reply), span_str("http://")), 0);
    ck_assert_int_lt(span_search(buf_span(&reply), span_str("https://")), 0);
    ask(dial_unix(), "GET /page.js HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_reply("text/javascript");
    ask(dial_unix(), "GET /figures.js HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_reply("text/javascript");
    ask(dial_unix(), "GET /page.svg HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_reply("image/svg+xml");
    ask(dial_unix(), "GET /page.css HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_reply("text/css");
}
END_TEST

START_TEST(its_policy_allows_no_inline_script_and_no_other_place)
{
    static const char *const files[] = {"/", "/page.js", "/echo", "/nothing"};
    char request[64];

    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        (void)snprintf(request, sizeof(request),
                       "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", files[i]);
        ask(dial_unix(), request);
        assert_reply("script-src 'self'; style-src 'self';");
        assert_reply("frame-ancestors 'none';");
        assert_reply("require-trusted-types-for 'script';");
        assert_reply("X-Content-Type-Options: nosniff\r\n");
        assert_reply("Cross-Origin-Resource-Policy: same-origin\r\n");
        ck_assert_int_lt(span_search(buf_span(&reply), span_str("unsafe-")), 0);
        ck_assert_int_lt(span_search(buf_span(&reply), span_str("<style")), 0);
    }
}
END_TEST

START_TEST(with_a_prefix_nothing_is_served_without_it)
{
    static const char *const bad[] = {"/",       "/json",       "/secrez/json",
                                      "/secret", "/secretjson", "/secret/"};

    admin_close(admin);
    turn();
    prefix = "/secret";
    ck_assert_int_eq(open_admin(path), 0);
    ck_assert_int_eq(admin_handle(admin, "GET", "/json", json, NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char request[64];

        (void)snprintf(request, sizeof(request),
                       "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", bad[i]);
        ask(dial_tcp(), request);
        assert_status(i + 1 < ARRAY_SIZE(bad) ? "404" : "200");
    }
    ask(dial_tcp(), "GET /secret/json HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_status("200");
}
END_TEST

START_TEST(garbage_and_large_requests_are_refused)
{
    struct buf big;

    ask(dial_unix(), "\x16\x03\x01 garbage\r\n\r\n");
    ck_assert(span_starts(buf_span(&reply), "HTTP/1.1 4") ||
              span_starts(buf_span(&reply), "HTTP/1.1 5"));

    buf_init(&big, 1 << 20);
    buf_put_str(&big, "POST /do HTTP/1.1\r\nHost: x\r\nContent-Length: 9000"
                      "\r\n\r\n");
    for (unsigned i = 0; i < 9000; i++)
        buf_put_byte(&big, 'x');
    buf_put_byte(&big, 0);
    ask(dial_unix(), (const char *)big.data);
    assert_status("413");
    buf_deinit(&big);
}
END_TEST

START_TEST(a_reply_that_is_too_large_is_an_error)
{
    ask(dial_unix(), "GET /huge HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_status("500");
}
END_TEST

START_TEST(over_tcp_only_a_loopback_host_is_answered)
{
    static const char *const good[] = {"localhost", "LOCALHOST:80",
                                       "127.0.0.1:9100", "[::1]:9100"};
    static const char *const bad[] = {"evil.example", "localhost.evil.example",
                                      "192.0.2.1", "127.0.0.1.evil.example"};
    char request[256];

    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        (void)snprintf(request, sizeof(request),
                       "GET /echo HTTP/1.1\r\nHost: %s\r\n\r\n", good[i]);
        ask(dial_tcp(), request);
        assert_status("200");
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        (void)snprintf(request, sizeof(request),
                       "GET /echo HTTP/1.1\r\nHost: %s\r\n\r\n", bad[i]);
        ask(dial_tcp(), request);
        assert_status("403");
    }
}
END_TEST

START_TEST(over_tcp_a_foreign_origin_is_refused)
{
    ask(dial_tcp(), "POST /do HTTP/1.1\r\nHost: localhost:1\r\n"
                    "Origin: http://evil.example\r\nContent-Length: 0\r\n\r\n");
    assert_status("403");
    ask(dial_tcp(), "POST /do HTTP/1.1\r\nHost: localhost:1\r\n"
                    "Origin: http://localhost:2\r\nContent-Length: 0\r\n\r\n");
    assert_status("403");
    ask(dial_tcp(), "POST /do HTTP/1.1\r\nHost: localhost:1\r\n"
                    "Origin: http://localhost:1\r\nContent-Length: 0\r\n\r\n");
    assert_status("200");
}
END_TEST

START_TEST(connections_are_limited)
{
    int fds[ADMIN_CONNECTIONS_MAX];
    int extra;

    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = dial_unix();
        turn();
    }
    extra = dial_unix();
    read_reply(extra); /* ends without a reply */
    ck_assert_uint_eq(buf_len(&reply), 0);
    close(extra);
    ask(fds[0], "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_status("200");
    for (size_t i = 1; i < ARRAY_SIZE(fds); i++)
        close(fds[i]);
}
END_TEST

START_TEST(a_slow_request_is_cut_off)
{
    uint64_t began = uv_hrtime() / 1000000;
    int fd;

    admin_close(admin);
    turn();
    turn();
    timeout_ms = 200;
    ck_assert_int_eq(open_admin(path), 0);
    fd = dial_unix();
    ck_assert_int_eq(send(fd, "GET / HT", 8, MSG_NOSIGNAL), 8);
    read_reply(fd); /* ends without a reply */
    ck_assert_uint_eq(buf_len(&reply), 0);
    ck_assert_uint_ge(uv_hrtime() / 1000000 - began, 190);
    close(fd);
}
END_TEST

START_TEST(a_socket_in_use_is_refused_and_a_dead_one_replaced)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    struct admin *first = admin;
    int fd;

    ck_assert_int_eq(open_admin(path), -EADDRINUSE);
    ck_assert_ptr_eq(admin, first);
    admin_close(first);
    turn();
    turn();

    memcpy(sa.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    close(fd); /* the file stays, as after a crash */
    ck_assert_int_eq(open_admin(path), 0);
    ck_assert_int_eq(admin_handle(admin, "GET", "/echo", echo, greeting), 0);
    ask(dial_unix(), "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_status("200");
}
END_TEST

START_TEST(another_file_is_never_replaced)
{
    char other[80];
    struct admin *first = admin;
    FILE *f;

    (void)snprintf(other, sizeof(other), "%s/file", folder);
    f = fopen(other, "w");
    ck_assert_ptr_nonnull(f);
    (void)fclose(f);
    ck_assert_int_eq(open_admin(other), -EADDRINUSE);
    ck_assert_int_eq(access(other, F_OK), 0);
    ck_assert_ptr_eq(admin, first);
    (void)unlink(other);
}
END_TEST

START_TEST(only_loopback_is_listened_on)
{
    const struct admin_options options = {.program = "x",
                                          .listen = addr_v4(0xC0000201, 0)};
    struct admin *other;

    ck_assert_int_eq(admin_new(&other, worker_loop(loop), &options), -EINVAL);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("admin");
    TCase *tc = tcase_create("admin");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, the_socket_is_for_owner_and_group);
    tcase_add_test(tc, a_handler_sees_path_query_and_body);
    tcase_add_test(tc, json_is_told_by_its_first_byte);
    tcase_add_test(tc, a_request_may_come_in_pieces);
    tcase_add_test(tc, what_is_not_there_is_404_and_the_wrong_method_405);
    tcase_add_test(tc, the_page_needs_nothing_from_elsewhere);
    tcase_add_test(tc, its_policy_allows_no_inline_script_and_no_other_place);
    tcase_add_test(tc, with_a_prefix_nothing_is_served_without_it);
    tcase_add_test(tc, garbage_and_large_requests_are_refused);
    tcase_add_test(tc, a_reply_that_is_too_large_is_an_error);
    tcase_add_test(tc, over_tcp_only_a_loopback_host_is_answered);
    tcase_add_test(tc, over_tcp_a_foreign_origin_is_refused);
    tcase_add_test(tc, connections_are_limited);
    tcase_add_test(tc, a_slow_request_is_cut_off);
    tcase_add_test(tc, a_socket_in_use_is_refused_and_a_dead_one_replaced);
    tcase_add_test(tc, another_file_is_never_replaced);
    tcase_add_test(tc, only_loopback_is_listened_on);
    suite_add_tcase(suite, tc);
    return suite;
}

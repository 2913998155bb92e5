/* SPDX-License-Identifier: MIT */
/* Connections that come through a front end. */
#include "base/cidr.h"
#include "base/err.h"
#include "net/conn_limit.h"
#include "net/listener.h"
#include "net/tls_session.h"
#include "support/unit.h"
#include "support_net.h"
#include "support_stream.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER "PROXY TCP4 192.0.2.1 198.51.100.7 40000 443\r\n"

static struct pair pair;
static struct cidr fronts[1];
static struct conn_limit *limit;
static struct tls_ctx *server_ctx;
static struct tls_ctx *client_ctx;
static int fds[8];
static size_t n_fds;

static void setup(void)
{
    net_setup();
    server_ctx = net_server_ctx(NET_EDGE);
    client_ctx = net_client_ctx();
    limit = NULL;
    n_fds = 0;
    ck_assert_int_eq(cidr_parse(span_str("127.0.0.0/8"), &fronts[0]), 0);
}

static void teardown(void)
{
    pair_close(&pair);
    while (n_fds > 0)
        close(fds[--n_fds]);
    tls_ctx_unref(server_ctx);
    tls_ctx_unref(client_ctx);
    conn_limit_unref(limit);
    net_teardown();
}

static const struct listener_stats *stats(void)
{
    return listener_stats(pair.listener);
}

static void listen_for(enum listener_mode mode,
                       const struct listener_options *more)
{
    struct listener_options options = {0};

    if (more)
        options = *more;
    options.proxy_from = fronts;
    options.n_proxy_from = ARRAY_SIZE(fronts);
    options.limit = limit;
    pair_listen(&pair, mode, mode == LISTENER_PLAIN ? NULL : server_ctx,
                &options);
    memset(fronts, 0, sizeof(fronts)); /* the listener has its copy */
}

static int knock(void)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(listener_addr(pair.listener), &sa);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, len), 0);
    fds[n_fds++] = fd;
    return fd;
}

static void say(int fd, const char *text)
{
    ck_assert_int_eq((int)send(fd, text, strlen(text), MSG_NOSIGNAL),
                     (int)strlen(text));
    net_for(5);
}

static bool is_closed_for(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

    return n == 0 || (n < 0 && errno == ECONNRESET);
}

static void is_peer(const char *want)
{
    char text[ADDR_TEXT_SIZE];

    ck_assert(net_until_count(&pair.accepted, 1));
    ck_assert_str_eq(addr_str(stream_peer(pair.server.stream), text), want);
}

START_TEST(the_peer_is_whom_the_front_end_names)
{
    int fd;

    listen_for(LISTENER_PLAIN, NULL);
    fd = knock();
    net_for(5);
    ck_assert_uint_eq(pair.accepted, 0);
    ck_assert_uint_eq(stats()->waiting, 1);
    say(fd, HEADER "hello");
    is_peer("192.0.2.1:40000");
    ck_assert(end_has(&pair.server, 5));
    ck_assert_span_eq(buf_span(&pair.server.got), "hello");
    ck_assert_uint_eq(stats()->proxied, 1);
    ck_assert_uint_eq(stats()->waiting, 0);
    ck_assert_uint_eq(stats()->ready, 1);
}
END_TEST

START_TEST(a_header_may_come_byte_by_byte)
{
    const char *header = HEADER;
    int fd;

    listen_for(LISTENER_DETECT, NULL);
    fd = knock();
    for (size_t i = 0; header[i]; i++) {
        ck_assert_uint_eq(pair.accepted, 0);
        ck_assert_int_eq((int)send(fd, &header[i], 1, 0), 1);
        net_for(1);
    }
    ck_assert_uint_eq(stats()->waiting, 1); /* for the first byte */
    say(fd, "x");
    is_peer("192.0.2.1:40000");
    ck_assert(end_has(&pair.server, 1));
}
END_TEST

START_TEST(waiting_for_more_of_a_header_costs_nothing)
{
    uint64_t turns;
    int fd;

    listen_for(LISTENER_PLAIN, NULL);
    fd = knock();
    say(fd, "PROXY TCP4 192");
    turns = stats_get(&worker_stats(net_worker())->turns);
    net_for(100);
    ck_assert_uint_lt(stats_get(&worker_stats(net_worker())->turns) - turns,
                      20);
    ck_assert_uint_eq(stats()->waiting, 1);
}
END_TEST

/* A client that does TLS behind a header: its session's bytes are carried
 * through a socket of ours. */
static void carry(int fd, struct tls_session *client, uint8_t *buffer,
                  size_t size)
{
    struct buf *out = tls_session_output(client);
    ssize_t n;

    if (buf_len(out) > 0) {
        n = send(fd, buf_span(out).ptr, buf_len(out), MSG_NOSIGNAL);
        ck_assert_int_eq((int)n, (int)buf_len(out));
        buf_reset(out);
    }
    net_for(2);
    n = recv(fd, buffer, size, MSG_DONTWAIT);
    tls_session_input(client, span_of(buffer, n > 0 ? (size_t)n : 0));
}

START_TEST(tls_begins_behind_the_header)
{
    enum listener_mode mode = _i == 0 ? LISTENER_TLS : LISTENER_DETECT;
    struct tls_peer peer = {.server_name = "edge.example"};
    struct tls_session *client;
    static uint8_t buffer[65536];
    int err = -EAGAIN;
    int fd;

    listen_for(mode, NULL);
    fd = knock();
    ck_assert_int_eq((int)send(fd, HEADER, strlen(HEADER), 0),
                     (int)strlen(HEADER));
    ck_assert_int_eq(tls_session_new(&client, client_ctx, &peer), 0);
    for (int i = 0; i < 100 && err == -EAGAIN; i++) {
        err = tls_session_handshake(client);
        carry(fd, client, buffer, sizeof(buffer));
    }
    ck_assert_int_eq(err, 0);
    net_for(5);
    is_peer("192.0.2.1:40000");
    ck_assert_ptr_nonnull(stream_tls(pair.server.stream));
    ck_assert_int_eq(tls_session_write(client, span_str("hello")), 5);
    carry(fd, client, buffer, sizeof(buffer));
    ck_assert(end_has(&pair.server, 5));
    ck_assert_span_eq(buf_span(&pair.server.got), "hello");
    tls_session_free(client);
}
END_TEST

START_TEST(a_health_check_keeps_the_front_ends_address)
{
    struct addr loopback = net_loopback(ADDR_V4, 0);

    listen_for(LISTENER_PLAIN, NULL);
    say(knock(), "PROXY UNKNOWN\r\n");
    ck_assert_uint_eq(pair.accepted, 1);
    ck_assert(addr_same_ip(stream_peer(pair.server.stream), &loopback));
    ck_assert_uint_eq(stats()->proxied, 0);
    ck_assert_uint_eq(stats()->ready, 1);
}
END_TEST

START_TEST(without_a_header_a_front_end_is_sent_away)
{
    int fd;

    listen_for(LISTENER_DETECT, NULL);
    fd = knock();
    say(fd, "GET / HTTP/1.1\r\n\r\n");
    ck_assert_uint_eq(stats()->bad_header, 1);
    ck_assert(is_closed_for(fd));
    fd = knock();
    say(fd, "\x16\x03\x01");
    ck_assert_uint_eq(stats()->bad_header, 2);
    ck_assert(is_closed_for(fd));
    ck_assert_uint_eq(pair.accepted, 0);
    ck_assert_uint_eq(stats()->waiting, 0);
}
END_TEST

START_TEST(half_a_header_and_nothing_more_ends_the_connection)
{
    struct listener_options options = {.handshake_timeout_ms = 50};
    int fd;

    listen_for(LISTENER_PLAIN, &options);
    fd = knock();
    say(fd, "PROXY ");
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    net_for(10);
    ck_assert(is_closed_for(fd));
    ck_assert_uint_eq(stats()->handshake_failed, 1);
    fd = knock();
    say(fd, "PROXY ");
    net_for(100);
    ck_assert(is_closed_for(fd));
    ck_assert_uint_eq(stats()->handshake_timeout, 1);
    ck_assert_uint_eq(stats()->waiting, 0);
}
END_TEST

START_TEST(nobody_else_is_believed)
{
    ck_assert_int_eq(cidr_parse(span_str("192.0.2.0/24"), &fronts[0]), 0);
    listen_for(LISTENER_PLAIN, NULL);
    say(knock(), HEADER);
    ck_assert_uint_eq(pair.accepted, 1);
    ck_assert(end_has(&pair.server, strlen(HEADER)));
    ck_assert(addr_is_loopback(stream_peer(pair.server.stream)));
    ck_assert_uint_eq(stats()->proxied, 0);
}
END_TEST

START_TEST(limits_count_the_real_client)
{
    struct addr client = addr_v4(0xc0000201, 0);
    struct addr other = addr_v4(0xc0000202, 0);
    int fd;

    ck_assert_int_eq(conn_limit_new(&limit, 0, 1), 0);
    ck_assert_int_eq(conn_limit_take(limit, &client), CONN_OK);
    listen_for(LISTENER_PLAIN, NULL);
    fd = knock();
    net_for(5);
    ck_assert_uint_eq(conn_limit_open(limit), 1); /* not known yet */
    say(fd, HEADER);
    ck_assert_uint_eq(stats()->refused_source, 1);
    ck_assert(is_closed_for(fd));
    ck_assert_uint_eq(pair.accepted, 0);
    say(knock(), "PROXY TCP4 192.0.2.2 198.51.100.7 1 443\r\n");
    ck_assert_uint_eq(pair.accepted, 1);
    ck_assert_int_eq(conn_limit_take(limit, &other), CONN_SOURCE_REACHED);
    conn_limit_give(limit, &client);
    stream_close(pair.server.stream);
    pair.server.stream = NULL;
    ck_assert_uint_eq(conn_limit_open(limit), 0);
}
END_TEST

START_TEST(the_total_limit_counts_too)
{
    struct addr other = addr_v4(0xc0000202, 0);
    int fd;

    ck_assert_int_eq(conn_limit_new(&limit, 1, 0), 0);
    ck_assert_int_eq(conn_limit_take(limit, &other), CONN_OK);
    listen_for(LISTENER_PLAIN, NULL);
    fd = knock();
    say(fd, HEADER);
    ck_assert_uint_eq(stats()->refused_total, 1);
    ck_assert(is_closed_for(fd));
    conn_limit_give(limit, &other);
}
END_TEST

START_TEST(headers_that_are_waited_for_are_bounded)
{
    struct listener_options options = {.max_waiting = 2};

    listen_for(LISTENER_PLAIN, &options);
    for (unsigned i = 0; i < 3; i++)
        (void)knock();
    net_for(5);
    ck_assert_uint_eq(stats()->waiting, 2);
    ck_assert_uint_eq(stats()->refused_waiting, 1);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("listener_proxy");
    TCase *tc = tcase_create("front ends");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_peer_is_whom_the_front_end_names);
    tcase_add_test(tc, a_header_may_come_byte_by_byte);
    tcase_add_test(tc, waiting_for_more_of_a_header_costs_nothing);
    tcase_add_loop_test(tc, tls_begins_behind_the_header, 0, 2);
    tcase_add_test(tc, a_health_check_keeps_the_front_ends_address);
    tcase_add_test(tc, without_a_header_a_front_end_is_sent_away);
    tcase_add_test(tc, half_a_header_and_nothing_more_ends_the_connection);
    tcase_add_test(tc, nobody_else_is_believed);
    tcase_add_test(tc, limits_count_the_real_client);
    tcase_add_test(tc, the_total_limit_counts_too);
    tcase_add_test(tc, headers_that_are_waited_for_are_bounded);
    suite_add_tcase(suite, tc);
    return suite;
}

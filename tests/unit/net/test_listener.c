/* SPDX-License-Identifier: MIT */
#include "net/listener.h"

#include "base/err.h"
#include "net/bind.h"
#include "net/conn_limit.h"
#include "net/handshake_rate.h"
#include "net/tls_session.h"
#include "support/unit.h"
#include "support_net.h"
#include "support_stream.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct pair pair;
static struct tls_ctx *server_ctx;
static struct tls_ctx *client_ctx;
static struct conn_limit *limit;
static int raw[64];
static size_t n_raw;

static void setup(void)
{
    net_setup();
    server_ctx = net_server_ctx(NET_EDGE);
    client_ctx = net_client_ctx();
    limit = NULL;
    n_raw = 0;
}

static void teardown(void)
{
    pair_close(&pair);
    for (size_t i = 0; i < n_raw; i++)
        close(raw[i]);
    tls_ctx_unref(server_ctx);
    tls_ctx_unref(client_ctx);
    conn_limit_unref(limit);
    net_teardown();
}

static const struct listener_stats *stats(void)
{
    return listener_stats(pair.listener);
}

/* A kernel socket connected to the listener, and nothing more. */
static int knock(void)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(listener_addr(pair.listener), &sa);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, len), 0);
    ck_assert_uint_lt(n_raw, ARRAY_SIZE(raw));
    raw[n_raw++] = fd;
    return fd;
}

/* The other side has closed. */
static bool is_shut(int fd)
{
    char bytes[64]; /* an alert may come first */

    for (int i = 0; i < 1000; i++) {
        ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

        if (n == 0 || (n < 0 && errno != EAGAIN))
            return true;
        net_for(1);
    }
    return false;
}

START_TEST(one_port_carries_plain_and_tls)
{
    pair_listen(&pair, LISTENER_DETECT, server_ctx, NULL);
    if (_i == 0) {
        struct stream_target target = {.timeout_ms = 0};

        ck_assert_int_eq(pair_start(&pair, &target), 0);
        net_for(5);
        ck_assert(!pair.server.opened); /* nothing said yet */
        ck_assert_uint_eq(stats_get(&stats()->waiting), 1);
        ck_assert_int_eq(stream_write(pair.client.stream, span_str("\x01STUN")),
                         0);
        ck_assert(net_until(&pair.server.opened));
        ck_assert_ptr_null(stream_tls(pair.server.stream));
        ck_assert(end_has(&pair.server, 5));
        ck_assert_span_eq(buf_span(&pair.server.got), "\x01STUN");
    } else {
        pair_connect(&pair, client_ctx);
        ck_assert_ptr_nonnull(stream_tls(pair.server.stream));
        ck_assert_int_eq(stream_write(pair.client.stream, span_str("STUN")), 0);
        ck_assert(end_has(&pair.server, 4));
    }
    ck_assert_uint_eq(stats_get(&stats()->waiting), 0);
    ck_assert_uint_eq(stats_get(&stats()->ready), 1);
}
END_TEST

static const enum listener_mode secret_modes[] = {LISTENER_TLS,
                                                  LISTENER_DETECT};

START_TEST(who_never_gets_ready_is_closed_and_counted)
{
    struct listener_options more = {.handshake_timeout_ms = 30};
    int fd;

    pair_listen(&pair, secret_modes[_i], server_ctx, &more);
    fd = knock();
    ck_assert(is_shut(fd));
    ck_assert_uint_eq(stats_get(&stats()->handshake_timeout), 1);
    ck_assert_uint_eq(stats_get(&stats()->waiting), 0);
    ck_assert(!pair.server.opened);
}
END_TEST

START_TEST(a_handshake_that_stops_half_way_is_closed_too)
{
    struct listener_options more = {.handshake_timeout_ms = 30};
    int fd;

    pair_listen(&pair, secret_modes[_i], server_ctx, &more);
    fd = knock();
    ck_assert_int_eq(send(fd, "\x16\x03\x01\x02", 4, 0), 4);
    ck_assert(is_shut(fd));
    ck_assert_uint_eq(stats_get(&stats()->handshake_timeout), 1);
}
END_TEST

START_TEST(garbage_instead_of_a_handshake_is_refused)
{
    int fd;

    pair_listen(&pair, LISTENER_TLS, server_ctx, NULL);
    fd = knock();
    ck_assert_int_eq(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
    ck_assert(is_shut(fd));
    ck_assert_uint_eq(stats_get(&stats()->handshake_failed), 1);
    ck_assert_uint_eq(stats_get(&stream_stats(net_worker())->handshake_failed),
                      1);
}
END_TEST

START_TEST(of_too_many_not_ready_the_oldest_gives_way)
{
    struct listener_options more = {.max_waiting = 2};
    int oldest;

    pair_listen(&pair, LISTENER_TLS, server_ctx, &more);
    oldest = knock();
    (void)knock();
    net_for(5);
    ck_assert_uint_eq(stats_get(&stats()->waiting), 2);
    ck_assert_uint_eq(stats_get(&stats()->refused_waiting), 0);
    pair_connect(&pair, client_ctx); /* all the same */
    ck_assert(is_shut(oldest));
    ck_assert_uint_eq(stats_get(&stats()->refused_waiting), 1);
    ck_assert_uint_eq(stats_get(&stats()->waiting), 1);
}
END_TEST

START_TEST(limits_hold_and_places_come_back)
{
    struct listener_options more = {0};
    unsigned total = _i == 0 ? 1 : 0;
    unsigned per_source = _i == 0 ? 0 : 1;

    ck_assert_int_eq(conn_limit_new(&limit, total, per_source), 0);
    more.limit = limit;
    pair_listen(&pair, LISTENER_PLAIN, NULL, &more);
    pair_connect(&pair, NULL);
    ck_assert(net_until(&pair.server.opened));
    ck_assert_uint_eq(conn_limit_open(limit), 1);
    ck_assert(is_shut(knock()));
    ck_assert_uint_eq(
        stats_get(_i == 0 ? &stats()->refused_total : &stats()->refused_source),
        1);
    stream_close(pair.server.stream);
    pair.server.stream = NULL;
    ck_assert_uint_eq(conn_limit_open(limit), 0);
    (void)knock();
    ck_assert(net_until_count(&pair.accepted, 2));
    ck_assert_uint_eq(conn_limit_open(limit), 1);
}
END_TEST

/* Whatever the mode; plain connections of a shared port are none of it. */
START_TEST(handshakes_begin_at_a_bounded_rate)
{
    struct listener_options more = {.handshake_timeout_ms = 60000};
    uint32_t all = (uint32_t)_i % 2, source = 1 - all;
    const uint64_t *refused;
    int last = -1;

    ck_assert_int_eq(handshake_rate_new(&more.rate, all, source), 0);
    pair_listen(&pair, secret_modes[_i / 2], server_ctx, &more);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(send(knock(), "\x16\x03\x01\x02", 4, 0), 4);
    net_for(5);
    refused = all ? &stats()->refused_rate : &stats()->refused_rate_source;
    ck_assert_uint_eq(stats_get(&stats()->waiting), 2);
    if (secret_modes[_i / 2] == LISTENER_DETECT) {
        int fd = knock();

        ck_assert_int_eq(send(fd, "\x01STUN", 5, 0), 5);
        ck_assert(net_until(&pair.server.opened));
        ck_assert_uint_eq(stats_get(refused), 0);
    }
    /* on a slow machine another second has one more */
    for (int i = 0; i < 20 && stats_get(refused) == 0; i++) {
        last = knock();
        (void)!send(last, "\x16\x03\x01\x02", 4, MSG_NOSIGNAL);
        net_for(2);
    }
    ck_assert(is_shut(last));
    ck_assert_uint_ge(stats_get(refused), 1);
    handshake_rate_unref(more.rate);
}
END_TEST

START_TEST(without_descriptors_clients_are_closed_and_the_loop_sleeps)
{
    struct rlimit before;
    struct rlimit none;
    int fds[8];
    int highest;

    pair_listen(&pair, LISTENER_PLAIN, NULL, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        fds[i] = knock(); /* in the kernel's queue: nobody accepts yet */
    highest = dup(fds[0]);
    ck_assert_int_ge(highest, 0);
    close(highest);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = (rlim_t)highest; /* not one more */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        ck_assert(is_shut(fds[i]));
    ck_assert_uint_ge(stats_get(&stats()->refused_descriptors), 8);
    {
        uint64_t turns = stats_get(&worker_stats(net_worker())->turns);

        net_for(20);
        ck_assert_uint_le(stats_get(&worker_stats(net_worker())->turns) - turns,
                          5);
    }
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    (void)knock();
    ck_assert(net_until_count(&pair.accepted, 1));
}
END_TEST

START_TEST(closing_the_listener_closes_who_is_not_ready)
{
    int fd;

    pair_listen(&pair, LISTENER_TLS, server_ctx, NULL);
    fd = knock();
    net_for(5);
    ck_assert_uint_eq(stats_get(&stats()->waiting), 1);
    listener_close(pair.listener);
    pair.listener = NULL;
    ck_assert(is_shut(fd));
}
END_TEST

START_TEST(a_stream_outlives_its_listener)
{
    pair_listen(&pair, LISTENER_TLS, server_ctx, NULL);
    pair_connect(&pair, client_ctx);
    ck_assert(net_until(&pair.server.opened));
    listener_close(pair.listener);
    pair.listener = NULL;
    ck_assert_int_eq(stream_write(pair.client.stream, span_str("on")), 0);
    ck_assert(end_has(&pair.server, 2));
}
END_TEST

START_TEST(a_new_certificate_is_for_new_connections)
{
    struct tls_ctx *next = net_server_ctx(NET_OTHER);
    struct stream_target target = {.tls = client_ctx,
                                   .server_name = "other.example"};
    struct end first;

    pair_listen(&pair, LISTENER_TLS, server_ctx, NULL);
    pair_connect(&pair, client_ctx);
    ck_assert(net_until(&pair.server.opened));
    listener_set_tls(pair.listener, next);
    tls_ctx_unref(next);
    first = pair.client;
    pair.client.opened = false;
    ck_assert_int_eq(pair_start(&pair, &target), 0);
    ck_assert(net_until(&pair.client.opened));
    stream_close(first.stream);
}
END_TEST

static void on_accept_ignore(struct listener *listener, struct stream *stream,
                             void *arg)
{
    (void)listener;
    (void)stream;
    (void)arg;
}

START_TEST(a_stream_nobody_wants_is_closed)
{
    struct listener_options options = {.bind = net_loopback(ADDR_V4, 0),
                                       .on_accept = on_accept_ignore};

    pair = (struct pair){0};
    ck_assert_int_eq(listener_open(&pair.listener, net_worker(), &options), 0);
    ck_assert(is_shut(knock()));
    ck_assert_uint_eq(stats_get(&stream_stats(net_worker())->open), 0);
}
END_TEST

START_TEST(a_taken_port_is_an_error_with_the_address)
{
    struct bind_options want = {.kind = BIND_TCP, .count = 2};
    struct bind_group *group = NULL;
    char error[BIND_ERROR_SIZE] = "";
    char expected[BIND_ERROR_SIZE];
    char text[ADDR_TEXT_SIZE];

    pair_listen(&pair, LISTENER_PLAIN, NULL, NULL);
    want.addr = *listener_addr(pair.listener);
    ck_assert_int_eq(bind_group_open(&group, &want, error), -EADDRINUSE);
    ck_assert_ptr_null(group);
    (void)snprintf(expected, sizeof(expected),
                   "cannot listen on tcp:%s: Address already in use",
                   addr_str(&want.addr, text));
    ck_assert_str_eq(error, expected);
}
END_TEST

START_TEST(a_port_that_others_share_is_taken_all_the_same)
{
    struct bind_options want = {.kind = _i ? BIND_UDP : BIND_TCP,
                                .addr = net_loopback(ADDR_V4, 0),
                                .count = 2};
    struct bind_group *first = NULL;
    struct bind_group *second = NULL;
    char error[BIND_ERROR_SIZE] = "";

    /* As another process of the same user would. */
    pair = (struct pair){0};
    ck_assert_msg(bind_group_open(&first, &want, error) == 0, "%s", error);
    want.addr = *bind_group_addr(first);
    ck_assert_uint_ne(want.addr.port, 0);
    ck_assert_int_eq(bind_group_open(&second, &want, error), -EADDRINUSE);
    bind_group_close(first);
    ck_assert_int_eq(bind_group_open(&second, &want, error), 0);
    bind_group_close(second);
}
END_TEST

START_TEST(a_group_serves_a_listener_and_gives_out_each_socket_once)
{
    struct bind_options want = {
        .kind = BIND_TCP, .addr = net_loopback(ADDR_V4, 0), .count = 1};
    struct listener_options options = {.on_accept = on_accept_ignore};
    struct bind_group *group = NULL;
    char error[BIND_ERROR_SIZE] = "";
    struct listener *second = NULL;

    pair = (struct pair){0};
    ck_assert_int_eq(bind_group_open(&group, &want, error), 0);
    options.group = group;
    ck_assert_int_eq(listener_open(&pair.listener, net_worker(), &options), 0);
    ck_assert(addr_equal(listener_addr(pair.listener), bind_group_addr(group)));
    ck_assert_int_eq(listener_open(&second, net_worker(), &options), -EBADF);
    bind_group_close(group);
    ck_assert(is_shut(knock()));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("listener");
    TCase *tc = tcase_create("listener");

    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, one_port_carries_plain_and_tls, 0, 2);
    tcase_add_loop_test(tc, who_never_gets_ready_is_closed_and_counted, 0, 2);
    tcase_add_loop_test(tc, a_handshake_that_stops_half_way_is_closed_too, 0,
                        2);
    tcase_add_test(tc, garbage_instead_of_a_handshake_is_refused);
    tcase_add_test(tc, of_too_many_not_ready_the_oldest_gives_way);
    tcase_add_loop_test(tc, limits_hold_and_places_come_back, 0, 2);
    tcase_add_loop_test(tc, handshakes_begin_at_a_bounded_rate, 0, 4);
    tcase_add_test(tc,
                   without_descriptors_clients_are_closed_and_the_loop_sleeps);
    tcase_add_test(tc, closing_the_listener_closes_who_is_not_ready);
    tcase_add_test(tc, a_stream_outlives_its_listener);
    tcase_add_test(tc, a_new_certificate_is_for_new_connections);
    tcase_add_test(tc, a_stream_nobody_wants_is_closed);
    tcase_add_test(tc, a_taken_port_is_an_error_with_the_address);
    tcase_add_loop_test(tc, a_port_that_others_share_is_taken_all_the_same, 0,
                        2);
    tcase_add_test(tc,
                   a_group_serves_a_listener_and_gives_out_each_socket_once);
    suite_add_tcase(s, tc);
    return s;
}

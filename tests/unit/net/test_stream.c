/* SPDX-License-Identifier: MIT */
/* Each of these runs over TCP (loop index 0), TLS 1.3 (1) and TLS 1.2 (2). */
#include "net/stream.h"

#include "base/err.h"
#include "net/tls_session.h"
#include "support/unit.h"
#include "support_net.h"
#include "support_stream.h"

#include <errno.h>

enum { PLAIN, TLS13, TLS12, KINDS };

static struct pair pair;
static struct tls_ctx *server_ctx;
static struct tls_ctx *client_ctx;

static struct tls_ctx *client_with(enum tls_version version)
{
    struct tls_ctx_options options = {.role = TLS_CLIENT,
                                      .ca_file = net_cert_file(NET_CA),
                                      .max_version = version};
    char error[TLS_ERROR_SIZE] = "";
    struct tls_ctx *ctx = NULL;

    ck_assert_msg(tls_ctx_new(&ctx, &options, error) == 0, "%s", error);
    return ctx;
}

static void listen_with(int kind, const struct listener_options *more)
{
    server_ctx = NULL;
    client_ctx = NULL;
    if (kind != PLAIN) {
        server_ctx = net_server_ctx(NET_EDGE);
        client_ctx =
            client_with(kind == TLS13 ? TLS_VERSION_13 : TLS_VERSION_12);
    }
    pair_listen(&pair, kind == PLAIN ? LISTENER_PLAIN : LISTENER_TLS,
                server_ctx, more);
}

static void connected(int kind)
{
    listen_with(kind, NULL);
    pair_connect(&pair, client_ctx);
    ck_assert(net_until(&pair.server.opened));
}

static void teardown(void)
{
    pair_close(&pair);
    tls_ctx_unref(server_ctx);
    tls_ctx_unref(client_ctx);
    net_teardown();
}

START_TEST(bytes_go_both_ways)
{
    connected(_i);
    pair.server.echo = true;
    ck_assert_int_eq(stream_write(pair.client.stream, span_str("hello ")), 0);
    ck_assert_int_eq(stream_write(pair.client.stream, span_str("world")), 0);
    ck_assert(end_has(&pair.client, 11));
    ck_assert_span_eq(buf_span(&pair.client.got), "hello world");
    /* Two small writes of one turn are one piece. */
    ck_assert_uint_eq(pair.server.data_calls, 1);
    ck_assert(addr_equal(stream_peer(pair.client.stream),
                         listener_addr(pair.listener)));
    ck_assert(addr_equal(stream_peer(pair.server.stream),
                         stream_local(pair.client.stream)));
    ck_assert_int_eq(stream_tls(pair.client.stream) != NULL, _i != PLAIN);
    if (_i != PLAIN) {
        ck_assert_int_eq(tls_session_version(stream_tls(pair.server.stream)),
                         _i == TLS13 ? TLS_VERSION_13 : TLS_VERSION_12);
        ck_assert_str_eq(
            tls_session_server_name(stream_tls(pair.server.stream)),
            "edge.example");
        ck_assert(tls_session_peer_verified(stream_tls(pair.client.stream)));
    }
}
END_TEST

START_TEST(what_is_written_before_the_connection_is_sent)
{
    struct stream_target target = {.server_name = "edge.example"};

    listen_with(_i, NULL);
    target.tls = client_ctx;
    ck_assert_int_eq(pair_start(&pair, &target), 0);
    ck_assert_int_eq(stream_write(pair.client.stream, span_str("early")), 0);
    stream_end(pair.client.stream);
    ck_assert(net_until(&pair.server.opened));
    ck_assert(net_until(&pair.server.ended));
    ck_assert_span_eq(buf_span(&pair.server.got), "early");
}
END_TEST

/* Send `size` bytes as fast as the limit allows; returns how often the writer
 * had to wait. */
static unsigned pump(size_t size, size_t chunk)
{
    static uint8_t bytes[200000];
    size_t sent = 0;
    unsigned waits = 0;

    while (sent < size) {
        size_t n = size - sent < chunk ? size - sent : chunk;
        int err;

        fill_pattern(bytes, n, sent);
        err = stream_write(pair.client.stream, span_of(bytes, n));
        if (err == 0) {
            sent += n;
            ck_assert_uint_le(stream_queued(pair.client.stream), 262144);
            continue;
        }
        ck_assert_int_eq(err, ERR_LIMIT);
        waits++;
        ck_assert(
            net_until_count(&pair.client.writable, pair.client.writable + 1));
    }
    return waits;
}

START_TEST(a_long_transfer_is_complete_and_bounded)
{
    static const size_t chunks[] = {1000, 5000, 65536, 200000};
    static const size_t SIZE = 8000000;

    for (size_t i = 0; i < ARRAY_SIZE(chunks); i++) {
        connected(_i);
        ck_assert_uint_gt(pump(SIZE, chunks[i]), 0);
        ck_assert(end_has(&pair.server, SIZE));
        ck_assert(is_pattern(buf_span(&pair.server.got), 0));
        ck_assert_uint_eq(stream_queued(pair.client.stream), 0);
        if (i + 1 < ARRAY_SIZE(chunks)) {
            pair_close(&pair);
            tls_ctx_unref(server_ctx);
            tls_ctx_unref(client_ctx);
        }
    }
}
END_TEST

START_TEST(a_refused_write_leaves_nothing_behind)
{
    static uint8_t bytes[256 * 1024 + 1];
    struct span parts[2] = {{bytes, 200000}, {bytes, 100000}};

    connected(_i);
    ck_assert_int_eq(
        stream_write(pair.client.stream, span_of(bytes, sizeof(bytes))),
        ERR_LIMIT);
    ck_assert_int_eq(stream_writev(pair.client.stream, parts, 2), ERR_LIMIT);
    ck_assert_uint_eq(stream_queued(pair.client.stream), 0);
    ck_assert_int_eq(stream_write(pair.client.stream, span_str("ok")), 0);
    ck_assert(end_has(&pair.server, 2));
    ck_assert_span_eq(buf_span(&pair.server.got), "ok");
    ck_assert_uint_eq(stats_get(&stream_stats(net_worker())->queue_limit), 2);
}
END_TEST

START_TEST(a_paused_stream_gets_no_data_until_resumed)
{
    static uint8_t bytes[200000];

    connected(_i);
    fill_pattern(bytes, sizeof(bytes), 0);
    pair.server.pause_on_data = true;
    ck_assert_int_eq(
        stream_write(pair.client.stream, span_of(bytes, sizeof(bytes))), 0);
    stream_end(pair.client.stream);
    ck_assert(end_has(&pair.server, 1));
    while (!pair.server.ended) {
        unsigned calls = pair.server.data_calls;

        net_for(3);
        ck_assert_uint_eq(pair.server.data_calls, calls);
        stream_resume(pair.server.stream);
        net_for(3);
        ck_assert_uint_le(pair.server.data_calls, calls + 1);
    }
    ck_assert_uint_eq(buf_len(&pair.server.got), sizeof(bytes));
    ck_assert(is_pattern(buf_span(&pair.server.got), 0));
    ck_assert_uint_gt(pair.server.data_calls, 1);
}
END_TEST

START_TEST(back_pressure_stops_the_sender)
{
    static uint8_t bytes[100000];
    size_t sent = 0;

    connected(_i);
    stream_pause(pair.server.stream);
    for (int i = 0; i < 400; i++) {
        if (stream_write(pair.client.stream, span_of(bytes, sizeof(bytes))) < 0)
            net_for(1);
        else
            sent += sizeof(bytes);
    }
    /* The kernel's buffers and ours: some megabytes, not forty. */
    ck_assert_uint_lt(sent, 20000000);
    ck_assert_uint_gt(stream_queued(pair.client.stream), 65536);
    stream_resume(pair.server.stream);
    ck_assert(end_has(&pair.server, sent));
    ck_assert_uint_eq(buf_len(&pair.server.got), sent);
}
END_TEST

START_TEST(half_a_tunnel_can_end_before_the_other)
{
    connected(_i);
    stream_end(pair.client.stream);
    ck_assert(net_until(&pair.server.ended));
    ck_assert_int_eq(stream_write(pair.client.stream, span_str("x")),
                     ERR_STATE);
    ck_assert_int_eq(stream_write(pair.server.stream, span_str("late")), 0);
    stream_end(pair.server.stream);
    ck_assert(net_until(&pair.server.closed));
    ck_assert_int_eq(pair.server.err, 0);
    ck_assert(net_until(&pair.client.closed));
    ck_assert_int_eq(pair.client.err, 0);
    ck_assert_span_eq(buf_span(&pair.client.got), "late");
}
END_TEST

START_TEST(shutdown_sends_everything_first)
{
    static uint8_t bytes[250000];

    connected(_i);
    fill_pattern(bytes, sizeof(bytes), 0);
    ck_assert_int_eq(
        stream_write(pair.client.stream, span_of(bytes, sizeof(bytes))), 0);
    stream_shutdown(pair.client.stream);
    ck_assert_int_eq(stream_write(pair.client.stream, span_str("x")),
                     ERR_STATE);
    ck_assert(net_until(&pair.server.ended));
    ck_assert_uint_eq(buf_len(&pair.server.got), sizeof(bytes));
    ck_assert(is_pattern(buf_span(&pair.server.got), 0));
    ck_assert(!pair.client.closed); /* waits for the other's FIN */
    stream_shutdown(pair.server.stream);
    ck_assert(net_until(&pair.client.closed));
    ck_assert(net_until(&pair.server.closed));
    ck_assert_int_eq(pair.client.err, 0);
    ck_assert_int_eq(pair.server.err, 0);
}
END_TEST

START_TEST(shutdown_in_on_data_answers_and_ends)
{
    connected(_i);
    pair.server.echo = true;
    pair.server.shutdown_on_data = true;
    ck_assert_int_eq(stream_write(pair.client.stream, span_str("ping")), 0);
    ck_assert(net_until(&pair.client.ended));
    ck_assert_span_eq(buf_span(&pair.client.got), "ping");
    stream_shutdown(pair.client.stream);
    ck_assert(net_until(&pair.server.closed));
    ck_assert_int_eq(pair.server.err, 0);
}
END_TEST

START_TEST(a_peer_that_never_ends_meets_the_linger_limit)
{
    struct listener_options more = {.stream = {.linger_ms = 30}};

    listen_with(_i, &more);
    pair_connect(&pair, client_ctx);
    ck_assert(net_until(&pair.server.opened));
    stream_shutdown(pair.server.stream);
    ck_assert(net_until(&pair.server.closed));
    ck_assert_int_eq(pair.server.err, -ETIMEDOUT);
}
END_TEST

START_TEST(after_close_there_are_no_events)
{
    connected(_i);
    ck_assert_int_eq(stream_write(pair.client.stream, span_str("x")), 0);
    ck_assert(end_has(&pair.server, 1));
    pair.server.close_on_data = true;
    ck_assert_int_eq(stream_write(pair.client.stream, span_str("yz")), 0);
    ck_assert(net_until(&pair.client.over));
    ck_assert(!pair.server.closed);
    ck_assert_uint_eq(pair.server.data_calls, 2);
}
END_TEST

START_TEST(a_reset_is_reported_once)
{
    connected(_i);
    stream_abort(pair.server.stream);
    pair.server.stream = NULL;
    ck_assert(net_until(&pair.client.closed));
    ck_assert_int_eq(pair.client.err, -ECONNRESET);
}
END_TEST

START_TEST(a_reset_is_noticed_while_paused)
{
    connected(_i);
    stream_pause(pair.client.stream);
    net_for(3);
    stream_abort(pair.server.stream);
    pair.server.stream = NULL;
    ck_assert(net_until(&pair.client.closed));
    ck_assert_int_eq(pair.client.err, -ECONNRESET);
}
END_TEST

static unsigned times_left;

static void on_left(struct stream *stream, void *arg)
{
    (void)arg;
    ck_assert(stream_is_paused(stream));
    times_left++;
}

START_TEST(a_close_is_noticed_while_paused)
{
    struct stream_events events = end_events;

    events.on_left = on_left;
    times_left = 0;
    connected(_i);
    stream_set_events(pair.server.stream, &events, &pair.server);
    stream_pause(pair.server.stream);
    ck_assert_int_eq(stream_write(pair.client.stream, span_str("last")), 0);
    stream_end(pair.client.stream);
    net_for(20);
    ck_assert_uint_eq(times_left, 1);
    ck_assert_uint_eq(buf_len(&pair.server.got), 0);
    stream_resume(pair.server.stream);
    ck_assert(net_until(&pair.server.ended));
    ck_assert_span_eq(buf_span(&pair.server.got), "last");
    ck_assert_uint_eq(times_left, 1);
}
END_TEST

START_TEST(writing_to_a_stream_that_is_reset_closes_it)
{
    static uint8_t bytes[60000];

    connected(_i);
    stream_pause(pair.client.stream);
    stream_abort(pair.server.stream);
    pair.server.stream = NULL;
    net_for(5);
    while (!pair.client.closed) {
        int err =
            stream_write(pair.client.stream, span_of(bytes, sizeof(bytes)));

        ck_assert(err == 0 || err == ERR_STATE);
        ck_assert(!(err == 0 && pair.client.closed)); /* never from inside */
        net_for(2);
    }
    ck_assert(pair.client.err == -ECONNRESET || pair.client.err == -EPIPE);
}
END_TEST

START_TEST(a_peer_gone_without_close_notify_is_told_apart)
{
    connected(_i);
    /* Closing at once sends FIN and no close_notify. */
    stream_close(pair.server.stream);
    pair.server.stream = NULL;
    if (_i == PLAIN) {
        ck_assert(net_until(&pair.client.ended));
        stream_end(pair.client.stream);
        ck_assert(net_until(&pair.client.closed));
        ck_assert_int_eq(pair.client.err, 0);
    } else {
        ck_assert(net_until(&pair.client.closed));
        ck_assert_int_eq(pair.client.err, ERR_CLOSED);
    }
}
END_TEST

START_TEST(without_on_end_the_end_closes)
{
    connected(_i);
    stream_set_events(pair.client.stream, &end_events_no_half, &pair.client);
    stream_end(pair.server.stream);
    ck_assert(net_until(&pair.client.closed));
    ck_assert_int_eq(pair.client.err, 0);
}
END_TEST

START_TEST(a_shutdown_before_the_connection_sends_and_ends)
{
    struct stream_target target = {.server_name = "edge.example"};

    listen_with(_i, NULL);
    target.tls = client_ctx;
    ck_assert_int_eq(pair_start(&pair, &target), 0);
    ck_assert_int_eq(stream_write(pair.client.stream, span_str("bye")), 0);
    stream_shutdown(pair.client.stream);
    ck_assert(net_until(&pair.server.ended));
    ck_assert_span_eq(buf_span(&pair.server.got), "bye");
    stream_shutdown(pair.server.stream);
    ck_assert(net_until(&pair.client.closed));
    ck_assert_int_eq(pair.client.err, 0);
}
END_TEST

START_TEST(closing_while_connecting_is_fine)
{
    struct stream_target target = {.server_name = "edge.example"};

    listen_with(_i, NULL);
    target.tls = client_ctx;
    ck_assert_int_eq(pair_start(&pair, &target), 0);
    stream_close(pair.client.stream);
    pair.client.stream = NULL;
    net_for(5);
    ck_assert(!pair.client.closed);
}
END_TEST

/* ---- plain only ---- */

START_TEST(a_refused_connection_is_reported)
{
    struct stream_target target = {0};
    struct addr gone;

    listen_with(PLAIN, NULL);
    gone = *listener_addr(pair.listener);
    listener_close(pair.listener);
    pair.listener = NULL;
    target.to = gone;
    ck_assert_int_eq(stream_connect(&pair.client.stream, net_worker(), &target,
                                    &end_events, &pair.client),
                     0);
    ck_assert(net_until(&pair.client.closed));
    ck_assert_int_eq(pair.client.err, -ECONNREFUSED);
    ck_assert(!pair.client.opened);
    ck_assert_uint_eq(stats_get(&stream_stats(net_worker())->connect_failed),
                      1);
    ck_assert_uint_eq(stats_get(&stream_stats(net_worker())->open), 0);
}
END_TEST

START_TEST(a_silent_server_meets_the_time_out)
{
    struct stream_target target = {.server_name = "edge.example",
                                   .timeout_ms = 40};

    listen_with(PLAIN, NULL); /* speaks no TLS at all */
    client_ctx = net_client_ctx();
    target.tls = client_ctx;
    ck_assert_int_eq(pair_start(&pair, &target), 0);
    ck_assert(net_until(&pair.client.closed));
    ck_assert_int_eq(pair.client.err, -ETIMEDOUT);
    ck_assert(!pair.client.opened);
}
END_TEST

START_TEST(every_failed_allocation_is_handled)
{
    struct stream_target target = {.server_name = "edge.example"};
    int err = 0;

    listen_with(_i, NULL);
    target.tls = client_ctx;
    CK_OOM_SWEEP(err, err = pair_start(&pair, &target));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("stream");
    TCase *tc = tcase_create("stream");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, net_setup, teardown);
#define EACH(test) tcase_add_loop_test(tc, test, 0, KINDS)
    EACH(bytes_go_both_ways);
    EACH(what_is_written_before_the_connection_is_sent);
    EACH(a_long_transfer_is_complete_and_bounded);
    EACH(a_refused_write_leaves_nothing_behind);
    EACH(a_paused_stream_gets_no_data_until_resumed);
    EACH(back_pressure_stops_the_sender);
    EACH(half_a_tunnel_can_end_before_the_other);
    EACH(shutdown_sends_everything_first);
    EACH(shutdown_in_on_data_answers_and_ends);
    EACH(a_peer_that_never_ends_meets_the_linger_limit);
    EACH(after_close_there_are_no_events);
    EACH(a_reset_is_reported_once);
    EACH(a_reset_is_noticed_while_paused);
    EACH(a_close_is_noticed_while_paused);
    EACH(writing_to_a_stream_that_is_reset_closes_it);
    EACH(a_peer_gone_without_close_notify_is_told_apart);
    EACH(without_on_end_the_end_closes);
    EACH(a_shutdown_before_the_connection_sends_and_ends);
    EACH(closing_while_connecting_is_fine);
    EACH(every_failed_allocation_is_handled);
    tcase_add_test(tc, a_refused_connection_is_reported);
    tcase_add_test(tc, a_silent_server_meets_the_time_out);
    suite_add_tcase(s, tc);
    return s;
}

/* SPDX-License-Identifier: MIT */
/* A stream is packed and unpacked, over TCP (loop index 0) and TLS (1). That
 * another thread may do the second half is shown where threads are: by
 * turn-server's data connections. */
#include "net/stream.h"

#include "net/conn_limit.h"
#include "support/unit.h"
#include "support_net.h"
#include "support_stream.h"

static struct pair pair;
static struct tls_ctx *server_ctx;
static struct tls_ctx *client_ctx;
static struct conn_limit *limit;

static void connected(int tls)
{
    struct listener_options more = {.limit = NULL};

    ck_assert_int_eq(conn_limit_new(&limit, 10, 10), 0);
    more.limit = limit;
    server_ctx = tls ? net_server_ctx(NET_EDGE) : NULL;
    client_ctx = tls ? net_client_ctx() : NULL;
    pair_listen(&pair, tls ? LISTENER_TLS : LISTENER_PLAIN, server_ctx, &more);
    pair_connect(&pair, client_ctx);
    ck_assert(net_until(&pair.server.opened));
    ck_assert_uint_eq(conn_limit_open(limit), 1);
}

static void teardown(void)
{
    pair_close(&pair);
    tls_ctx_unref(server_ctx);
    tls_ctx_unref(client_ctx);
    ck_assert_uint_eq(conn_limit_open(limit), 0);
    conn_limit_unref(limit);
    net_teardown();
}

static void move_server(void)
{
    struct stream_parcel *parcel = stream_pack(pair.server.stream);

    pair.server.stream = NULL;
    ck_assert_ptr_nonnull(parcel);
    net_for(10); /* the old handle is closed meanwhile */
    ck_assert_int_eq(stream_unpack(&pair.server.stream, net_worker(), parcel,
                                   &end_events, &pair.server),
                     0);
}

START_TEST(goes_on_where_it_was)
{
    struct addr peer;

    connected(_i);
    pair.server.echo = true;
    peer = *stream_peer(pair.server.stream);
    ck_assert_int_eq(stream_write(pair.client.stream, span_str("one ")), 0);
    ck_assert(end_has(&pair.client, 4));
    move_server();
    ck_assert(addr_equal(&peer, stream_peer(pair.server.stream)));
    ck_assert_int_eq(stream_tls(pair.server.stream) != NULL, _i);
    ck_assert_uint_eq(conn_limit_open(limit), 1);
    ck_assert_int_eq(stream_write(pair.client.stream, span_str("two")), 0);
    ck_assert(end_has(&pair.client, 7));
    ck_assert_span_eq(buf_span(&pair.client.got), "one two");
}
END_TEST

START_TEST(takes_along_what_was_queued_and_held)
{
    uint8_t bytes[60000];

    connected(_i);
    fill_pattern(bytes, sizeof(bytes), 0);
    /* the first piece pauses; the rest waits in the kernel or in TLS */
    pair.server.pause_on_data = true;
    ck_assert_int_eq(stream_write(pair.client.stream, span_str("!")), 0);
    ck_assert(end_has(&pair.server, 1));
    ck_assert_int_eq(
        stream_write(pair.client.stream, span_of(bytes, sizeof(bytes))), 0);
    net_for(10);
    ck_assert_int_eq(
        stream_write(pair.server.stream, span_of(bytes, sizeof(bytes))), 0);
    pair.server.pause_on_data = false;
    move_server();
    ck_assert(end_has(&pair.server, 1 + sizeof(bytes)));
    ck_assert(end_has(&pair.client, sizeof(bytes)));
    ck_assert(is_pattern(span_from(buf_span(&pair.server.got), 1), 0));
    ck_assert(is_pattern(buf_span(&pair.client.got), 0));
}
END_TEST

START_TEST(ends_when_nobody_unpacks_it)
{
    connected(_i);
    stream_parcel_free(stream_pack(pair.server.stream));
    pair.server.stream = NULL;
    ck_assert(net_until(&pair.client.over));
    ck_assert_uint_eq(conn_limit_open(limit), 0);
}
END_TEST

START_TEST(cannot_be_moved_while_it_ends)
{
    connected(_i);
    stream_shutdown(pair.server.stream);
    ck_assert_ptr_null(stream_pack(pair.server.stream));
    pair.server.stream = NULL;
    ck_assert(net_until(&pair.client.over));
}
END_TEST

START_TEST(connects_from_the_port_of_a_listener)
{
    struct listener_options more = {.share_port = true};
    struct stream_target target = {.share_port = true};

    ck_assert_int_eq(conn_limit_new(&limit, 10, 10), 0);
    server_ctx = NULL;
    client_ctx = NULL;
    pair_listen(&pair, LISTENER_PLAIN, NULL, &more);
    target.to = *listener_addr(pair.listener);
    target.from = target.to;
    target.from.ip[3] = 2; /* else it would connect to itself */
    ck_assert_int_eq(pair_start(&pair, &target), 0);
    ck_assert(net_until(&pair.server.opened));
    ck_assert_uint_eq(stream_peer(pair.server.stream)->port, target.to.port);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("stream_move");
    TCase *tcase = tcase_create("stream_move");

    tcase_add_checked_fixture(tcase, net_setup, teardown);
    tcase_add_loop_test(tcase, goes_on_where_it_was, 0, 2);
    tcase_add_loop_test(tcase, takes_along_what_was_queued_and_held, 0, 2);
    tcase_add_loop_test(tcase, ends_when_nobody_unpacks_it, 0, 2);
    tcase_add_loop_test(tcase, cannot_be_moved_while_it_ends, 0, 2);
    tcase_add_test(tcase, connects_from_the_port_of_a_listener);
    suite_add_tcase(suite, tcase);
    return suite;
}

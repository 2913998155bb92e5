/* SPDX-License-Identifier: MIT */
#include "net/dtls.h"

#include "base/err.h"
#include "net/conn_limit.h"
#include "net/handshake_rate.h"
#include "support/unit.h"
#include "support_dtls.h"

#include <errno.h>
#include <malloc.h>
#include <sys/socket.h>
#include <unistd.h>

static struct dtls_server server;
static struct dtls_peer peer;
static uint8_t answer[DTLS_DATAGRAM_MAX];
static uint8_t packet[DTLS_DATAGRAM_MAX];

static void open_with(const struct dtls_options *options)
{
    dtls_server_open(&server, NULL, options);
    dtls_peer_open(&peer, &server, NULL);
}

static void connect_with(const struct dtls_options *options)
{
    open_with(options);
    ck_assert_msg(dtls_peer_connect(&peer), "code -0x%x", -peer.code);
    ck_assert(dtls_peer_until(&peer, &server.opened, 1));
}

static void close_both(void)
{
    dtls_peer_close(&peer);
    dtls_server_close(&server);
}

static const struct dtls_stats *stats(void)
{
    return dtls_stats(server.dtls);
}

/* ---- a session ---- */

START_TEST(records_go_both_ways)
{
    connect_with(NULL);
    server.echo = true;
    ck_assert_str_eq(server.alpn, "stun.turn");
    ck_assert_str_eq(mbedtls_ssl_get_alpn_protocol(&peer.ssl), "stun.turn");
    ck_assert_str_eq(mbedtls_ssl_get_version(&peer.ssl), "DTLSv1.2");
    dtls_peer_write(&peer, "ping");
    ck_assert(dtls_peer_until_records(&peer, 1));
    ck_assert_mem_eq(peer.data, "ping", 4);
    ck_assert_mem_eq(server.data, "ping", 4);
    ck_assert_uint_eq(server.in_place, 1);
    ck_assert_uint_eq(server.not_first, 0);
    ck_assert(addr_equal(&server.client.local, udp_addr(server.udp)));
    ck_assert_uint_eq(stats()->sessions, 1);
    ck_assert_uint_eq(stats()->half_open, 0);
    ck_assert_uint_eq(stats()->handshakes, 1);
    ck_assert_uint_eq(stats()->cookies_sent, 1);
    ck_assert_uint_eq(stats()->cookies_good, 1);
    ck_assert_uint_eq(stats()->records_in, 1);
    ck_assert_uint_eq(stats()->records_out, 1);
    ck_assert_uint_eq(stats()->bad_records, 0);
    ck_assert_uint_eq(stats()->no_session, 0);
    close_both();
}
END_TEST

START_TEST(ipv6_works_too)
{
    struct addr bind = net_loopback(ADDR_V6, 0);

    if (!net_has_ipv6())
        return;
    dtls_server_open(&server, &bind, NULL);
    dtls_peer_open(&peer, &server, NULL);
    ck_assert(dtls_peer_connect(&peer));
    close_both();
}
END_TEST

START_TEST(a_wildcard_socket_answers_from_where_it_was_asked)
{
    struct addr bind = addr_any(ADDR_V4, 0);
    struct addr to = addr_v4(INADDR_LOOPBACK + 1, 0);

    dtls_server_open(&server, &bind, NULL);
    to.port = udp_addr(server.udp)->port;
    dtls_peer_open(&peer, &server, &to);
    server.echo = true;
    ck_assert(dtls_peer_connect(&peer));
    dtls_peer_write(&peer, "ping");
    ck_assert(dtls_peer_until_records(&peer, 1));
    ck_assert(addr_equal(&server.client.local, &to));
    close_both();
}
END_TEST

START_TEST(other_protocols_are_left_alone)
{
    static const uint8_t firsts[] = {0, 3, 19, 64, 79, 128, 255};
    int fd;

    open_with(NULL);
    fd = dtls_raw_open(&server);
    for (size_t i = 0; i < sizeof(firsts); i++)
        (void)dtls_raw_ask(fd, span_of(&firsts[i], 1), answer);
    (void)dtls_raw_ask(fd, span_of("", 0), answer);
    ck_assert_uint_eq(server.others, sizeof(firsts) + 1);
    ck_assert_uint_eq(stats()->no_session, 0);
    close(fd);
    close_both();
}
END_TEST

START_TEST(two_records_of_one_datagram_both_come)
{
    connect_with(NULL);
    peer.faults.glue_out = 1ULL << peer.sent;
    dtls_peer_write(&peer, "one");
    dtls_peer_write(&peer, "twelve");
    ck_assert(dtls_peer_until(&peer, &server.records, 2));
    ck_assert_mem_eq(server.data, "twelve", 6);
    ck_assert_uint_eq(server.in_place, 2);
    ck_assert_uint_eq(server.not_first, 1);
    ck_assert_uint_eq(stats()->bad_records, 0);
    close_both();
}
END_TEST

START_TEST(what_cannot_be_sent_is_said)
{
    static uint8_t big[20000];
    struct pool_id id;

    connect_with(NULL);
    id = server.client.id;
    ck_assert_int_eq(dtls_send(server.dtls, id, span_of(big, 0), 0), -EINVAL);
    ck_assert_int_eq(dtls_send(server.dtls, id, span_of(big, 2048), 0),
                     -EMSGSIZE);
    ck_assert_int_eq(dtls_send(server.dtls, id, span_of(big, sizeof(big)), 0),
                     -EMSGSIZE);
    ck_assert_int_eq(dtls_send(server.dtls, id, span_of(big, 1400), 0), 0);
    ck_assert(dtls_peer_until_records(&peer, 1));
    ck_assert_uint_eq(peer.len, 1400);
    id.generation++;
    ck_assert_int_eq(dtls_send(server.dtls, id, span_str("x"), 0), ERR_CLOSED);
    ck_assert(!dtls_find(server.dtls, id, &server.client));
    ck_assert_ptr_null(dtls_alpn(server.dtls, id));
    close_both();
}
END_TEST

/* ---- the end ---- */

START_TEST(the_clients_close_notify_ends_the_session)
{
    connect_with(NULL);
    ck_assert_int_eq(mbedtls_ssl_close_notify(&peer.ssl), 0);
    ck_assert(dtls_peer_until(&peer, &server.closed, 1));
    ck_assert_int_eq(server.err, 0);
    ck_assert_uint_eq(stats()->closed_peer, 1);
    ck_assert_uint_eq(stats()->sessions, 0);
    ck_assert_uint_eq(stats()->bad_records, 0);
    ck_assert(dtls_peer_until_closed(&peer)); /* answered */
    close_both();
}
END_TEST

START_TEST(a_session_may_be_closed_in_its_own_event)
{
    connect_with(NULL);
    server.echo = true;
    server.close_on_data = true;
    peer.faults.glue_out = 1ULL << peer.sent;
    dtls_peer_write(&peer, "one");
    dtls_peer_write(&peer, "two");
    ck_assert(dtls_peer_until_closed(&peer));
    ck_assert_uint_eq(server.records, 1);
    ck_assert_uint_eq(server.closed, 0);
    ck_assert_uint_eq(stats()->sessions, 0);
    close_both();
}
END_TEST

START_TEST(releasing_all_says_goodbye)
{
    connect_with(NULL);
    dtls_free(server.dtls);
    server.dtls = NULL;
    ck_assert(dtls_peer_until_closed(&peer));
    ck_assert_uint_eq(server.closed, 0);
    close_both();
}
END_TEST

START_TEST(silence_ends_a_session_unless_its_user_keeps_it)
{
    struct dtls_options options = {.idle_timeout_ms = 50};

    open_with(&options);
    server.keep_idle = true;
    ck_assert(dtls_peer_connect(&peer));
    ck_assert(dtls_peer_until(&peer, &server.kept, 2));
    server.keep_idle = false;
    ck_assert(dtls_peer_until(&peer, &server.closed, 1));
    ck_assert_int_eq(server.err, -ETIMEDOUT);
    ck_assert_uint_eq(stats()->closed_idle, 1);
    ck_assert(dtls_peer_until_closed(&peer));
    close_both();
}
END_TEST

START_TEST(a_client_that_starts_again_takes_its_old_place)
{
    connect_with(NULL);
    dtls_peer_restart(&peer);
    ck_assert(dtls_peer_connect(&peer));
    ck_assert(dtls_peer_until(&peer, &server.opened, 2));
    ck_assert_uint_eq(server.closed, 1);
    ck_assert_int_eq(server.err, ERR_CLOSED);
    ck_assert_uint_eq(stats()->closed_replaced, 1);
    ck_assert_uint_eq(stats()->sessions, 1);
    server.echo = true;
    dtls_peer_write(&peer, "ping");
    ck_assert(dtls_peer_until_records(&peer, 1));
    close_both();
}
END_TEST

START_TEST(a_new_certificate_is_for_new_handshakes)
{
    struct tls_ctx *other;

    connect_with(NULL);
    other = dtls_server_ctx(NET_OTHER);
    dtls_set_tls(server.dtls, other);
    tls_ctx_unref(other);
    server.echo = true;
    dtls_peer_write(&peer, "ping");
    ck_assert(dtls_peer_until_records(&peer, 1));
    dtls_peer_restart(&peer);
    ck_assert(!dtls_peer_connect(&peer));
    ck_assert_int_eq(peer.code, MBEDTLS_ERR_X509_CERT_VERIFY_FAILED);
    close_both();
}
END_TEST

/* ---- bad networks ---- */

START_TEST(any_one_datagram_may_be_lost)
{
    /* ClientHello twice, the client's last flight; HelloVerifyRequest, the
     * server's two flights: more bits than datagrams. */
    bool out = _i < 8;
    unsigned n = (unsigned)_i % 8;

    open_with(NULL);
    server.echo = true;
    peer.faults.drop_out = out ? 1ULL << n : 0;
    peer.faults.drop_in = out ? 0 : 1ULL << n;
    ck_assert_msg(dtls_peer_connect(&peer), "code -0x%x", -peer.code);
    for (unsigned i = 0; i < 10 && peer.records == 0; i++) {
        dtls_peer_write(&peer, "ping"); /* one of these may be the lost one */
        dtls_peer_for(&peer, 30);
    }
    ck_assert_uint_gt(peer.records, 0);
    ck_assert_uint_eq(stats()->handshakes, 1);
    ck_assert_uint_eq(stats()->half_open, 0);
    close_both();
}
END_TEST

/* A quarter lost, a sixteenth late, a sixteenth twice, each way. */
START_TEST(bad_networks_only_take_longer)
{
    struct dtls_options options = {.handshake_timeout_ms = 60000};
    uint64_t seed = (uint64_t)_i * 2654435761U + 12345;
    uint64_t r[8];

    for (size_t i = 0; i < ARRAY_SIZE(r); i++) {
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        r[i] = (seed >> 32 | seed << 32) ^ seed >> 7;
    }
    open_with(&options);
    peer.faults.drop_out = r[0] & r[1];
    peer.faults.drop_in = r[2] & r[3];
    peer.faults.hold_in = r[4] & r[5] & r[1] & r[0];
    peer.faults.twice_out = r[6] & r[7] & r[2] & r[3];
    peer.faults.twice_in = r[4] & r[6] & r[0] & r[2];
    ck_assert_msg(dtls_peer_connect(&peer), "code -0x%x", -peer.code);
    memset(&peer.faults, 0, sizeof(peer.faults));
    dtls_peer_write(&peer, "ping");
    ck_assert(dtls_peer_until(&peer, &server.opened, 1));
    ck_assert_uint_eq(stats()->handshakes, 1);
    close_both();
}
END_TEST

/* Handshakes may fail then, but nothing else happens, and nothing is left. */
START_TEST(spoilt_handshakes_end)
{
    struct dtls_options options = {.handshake_timeout_ms = 70};
    unsigned n = (unsigned)_i;

    open_with(&options);
    peer.salt = n * 64;
    peer.faults.spoil_out = n % 2 ? 1ULL << n / 2 % 4 : 0;
    peer.faults.spoil_in = n % 2 ? 0 : 1ULL << n / 2 % 6;
    dtls_peer_for(&peer, 90);
    if (peer.open)
        dtls_peer_write(&peer, "ping");
    net_for(90); /* the client is silent now */
    ck_assert_uint_eq(stats()->half_open, 0);
    ck_assert_uint_eq(stats()->handshakes + stats()->handshake_failed +
                          stats()->handshake_timeout,
                      stats()->cookies_good);
    close_both();
}
END_TEST

START_TEST(a_record_that_overtakes_the_handshake_is_not_lost)
{
    open_with(NULL);
    /* The client's third datagram is its last flight; the record after it
     * arrives first, while the server still waits for Finished. */
    while (peer.sent < 2)
        (void)dtls_peer_until(&peer, &peer.sent, peer.sent + 1);
    peer.faults.hold_out = 1U << 2;
    while (peer.sent < 3)
        (void)dtls_peer_until(&peer, &peer.sent, peer.sent + 1);
    ck_assert_uint_gt(peer.held_out.len, 0);
    net_for(5);
    ck_assert_uint_eq(server.opened, 0);
    ck_assert(dtls_peer_connect(&peer)); /* the flight again, then the first */
    dtls_peer_write(&peer, "ping");
    ck_assert(dtls_peer_until(&peer, &server.records, 1));
    close_both();
}
END_TEST

/* ---- nobody holds what a stranger sends ---- */

START_TEST(nothing_is_kept_before_the_cookie)
{
    long blocks;
    int fd;

    open_with(NULL);
    fd = dtls_raw_open(&server);
    blocks = mem_live_blocks();
    for (unsigned i = 0; i < 100; i++) {
        size_t len = dtls_make_hello(packet, (uint8_t)i, span_of(NULL, 0));

        ck_assert_uint_eq(dtls_raw_ask(fd, span_of(packet, len), answer), 60);
    }
    ck_assert_int_eq(mem_live_blocks(), blocks);
    ck_assert_uint_eq(stats()->cookies_sent, 100);
    ck_assert_uint_eq(stats()->half_open, 0);
    close(fd);
    close_both();
}
END_TEST

START_TEST(a_wrong_cookie_is_answered_with_a_right_one)
{
    static const uint8_t wrong[32] = {1, 2, 3};
    int fd, other;
    size_t len;

    open_with(NULL);
    fd = dtls_raw_open(&server);
    other = dtls_raw_open(&server);
    len = dtls_make_hello(packet, 'a', span_of(wrong, sizeof(wrong)));
    ck_assert_uint_eq(dtls_raw_ask(fd, span_of(packet, len), answer), 60);
    /* It is right for this socket, not for the other. */
    len = dtls_make_hello(packet, 'a', span_of(answer + 28, 32));
    ck_assert_uint_eq(dtls_raw_ask(other, span_of(packet, len), packet), 60);
    ck_assert_uint_eq(stats()->cookies_bad, 2);
    ck_assert_uint_eq(stats()->half_open, 0);
    len = dtls_make_hello(packet, 'a', span_of(answer + 28, 32));
    (void)dtls_raw_ask(fd, span_of(packet, len), answer);
    ck_assert_uint_eq(stats()->cookies_good, 1);
    close(fd);
    close(other);
    close_both();
}
END_TEST

/* Our ClientHello offers no curve, so it would fail at once: real clients
 * that fall silent are needed to stay half open. */
static void half_open(struct dtls_peer *p)
{
    dtls_peer_open(p, &server, NULL);
    (void)dtls_peer_until(p, &p->sent, 2); /* the second ClientHello */
    net_for(2);
}

START_TEST(half_open_handshakes_of_a_source_are_bounded)
{
    struct dtls_options options = {.max_half_open_source = 3,
                                   .handshake_timeout_ms = 150};
    struct dtls_peer peers[5];

    open_with(&options);
    for (unsigned i = 0; i < 5; i++)
        half_open(&peers[i]);
    ck_assert_uint_eq(stats()->half_open, 3);
    ck_assert_uint_eq(stats()->refused_half_open_source, 2);
    net_for(300);
    ck_assert_uint_eq(stats()->half_open, 0);
    ck_assert_uint_eq(stats()->handshake_timeout, 3);
    ck_assert_uint_gt(stats()->retransmits, 0);
    ck_assert(dtls_peer_connect(&peer)); /* there is room again */
    for (unsigned i = 0; i < 5; i++)
        dtls_peer_close(&peers[i]);
    close_both();
}
END_TEST

START_TEST(half_open_handshakes_are_bounded_in_all)
{
    struct dtls_options options = {.max_half_open = 2};
    struct dtls_peer peers[4];

    open_with(&options);
    for (unsigned i = 0; i < 4; i++)
        half_open(&peers[i]);
    ck_assert_uint_eq(stats()->half_open, 2);
    ck_assert_uint_eq(stats()->refused_half_open, 2);
    for (unsigned i = 0; i < 4; i++)
        dtls_peer_close(&peers[i]);
    close_both();
}
END_TEST

START_TEST(handshakes_begin_at_a_bounded_rate)
{
    struct dtls_options options = {0};
    struct dtls_peer peers[5];
    uint32_t all = (uint32_t)_i;

    ck_assert_int_eq(handshake_rate_new(&options.rate, all, 1 - all), 0);
    open_with(&options);
    for (unsigned i = 0; i < 5; i++)
        half_open(&peers[i]);
    /* two at once; on a slow machine another second's one */
    ck_assert_uint_ge(stats()->half_open, 2);
    ck_assert_uint_lt(stats()->half_open, 5);
    ck_assert_uint_eq(stats()->half_open + (_i ? stats()->refused_rate
                                               : stats()->refused_rate_source),
                      5);
    handshake_rate_unref(options.rate);
    for (unsigned i = 0; i < 5; i++)
        dtls_peer_close(&peers[i]);
    close_both();
}
END_TEST

START_TEST(sessions_are_bounded)
{
    struct dtls_options options = {.max_sessions = 1};
    struct dtls_peer second;

    connect_with(&options);
    half_open(&second);
    ck_assert_uint_eq(stats()->refused_sessions, 1);
    ck_assert_uint_eq(stats()->half_open, 0);
    /* A place that is given back is taken by the next attempt. */
    dtls_close(server.dtls, server.client.id);
    ck_assert(dtls_peer_connect(&second));
    dtls_peer_close(&second);
    close_both();
}
END_TEST

START_TEST(sessions_count_in_a_limit_shared_with_others)
{
    struct addr source = net_loopback(ADDR_V4, 1);
    struct dtls_options options = {0};
    struct dtls_peer second;

    ck_assert_int_eq(conn_limit_new(&options.limit, 0, 2), 0);
    ck_assert_int_eq(conn_limit_take(options.limit, &source), CONN_OK);
    connect_with(&options);
    ck_assert_uint_eq(conn_limit_open(options.limit), 2);
    half_open(&second);
    ck_assert_uint_eq(stats()->refused_source, 1);
    ck_assert_uint_eq(stats()->half_open, 0);
    dtls_close(server.dtls, server.client.id);
    ck_assert_uint_eq(conn_limit_open(options.limit), 1);
    conn_limit_give(options.limit, &source);
    conn_limit_unref(options.limit);
    dtls_peer_close(&second);
    close_both();
}
END_TEST

START_TEST(a_handshake_that_fails_leaves_nothing)
{
    int fd;

    open_with(NULL);
    fd = dtls_raw_open(&server);
    dtls_raw_half_open(fd, 'a');
    ck_assert_uint_eq(stats()->cookies_good, 1);
    ck_assert_uint_eq(stats()->handshake_failed, 1);
    ck_assert_uint_eq(stats()->half_open, 0);
    ck_assert_uint_eq(server.closed, 0);
    close(fd);
    close_both();
}
END_TEST

START_TEST(garbage_is_counted_and_dropped)
{
    int fd;

    open_with(NULL);
    fd = dtls_raw_open(&server);
    for (unsigned i = 20; i <= 63; i++) {
        memset(packet, (int)i, sizeof(packet));
        ck_assert_uint_eq(
            dtls_raw_ask(fd, span_of(packet, i == 22 ? 1 : i), answer), 0);
    }
    ck_assert_uint_eq(stats()->no_session, 44);
    ck_assert_uint_eq(server.others, 0);
    (void)dtls_make_hello(packet, 'a', span_of(NULL, 0));
    ck_assert_uint_eq(dtls_raw_ask(fd, span_of(packet, 40), answer), 0);
    ck_assert_uint_eq(stats()->bad_hellos, 1);
    close(fd);
    close_both();
}
END_TEST

/* ---- an open session is hard to disturb ---- */

static void inject(struct span bytes)
{
    ck_assert_int_eq((int)send(peer.fd, bytes.ptr, bytes.len, 0),
                     (int)bytes.len);
    net_for(2);
}

static void still_works(unsigned records)
{
    server.echo = true;
    dtls_peer_write(&peer, "ping");
    ck_assert(dtls_peer_until_records(&peer, records));
    ck_assert_uint_eq(stats()->sessions, 1);
    ck_assert_uint_eq(server.closed, 0);
}

START_TEST(bad_records_are_counted_and_dropped)
{
    struct dtls_datagram copy;

    connect_with(NULL);
    still_works(1);
    copy = peer.last_out;
    inject(span_of(copy.data, copy.len)); /* again */
    ck_assert_uint_eq(stats()->bad_records, 1);
    copy.data[10] = 200; /* not seen yet, but not authentic */
    inject(span_of(copy.data, copy.len));
    ck_assert_uint_eq(stats()->bad_records, 2);
    inject(span_of(copy.data, copy.len - 1));
    inject(span_of(copy.data, 5));
    ck_assert_uint_eq(stats()->bad_records, 4);
    copy.data[4] = 0; /* not encrypted at all */
    inject(span_of(copy.data, copy.len));
    ck_assert_uint_eq(stats()->bad_records, 5);
    ck_assert_uint_eq(server.records, 1);
    still_works(2);
    close_both();
}
END_TEST

START_TEST(a_bad_record_does_not_spoil_a_good_one)
{
    uint8_t junk[] = {23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 99, 0, 2, 1, 2};
    struct dtls_datagram *out = &peer.last_out;

    connect_with(NULL);
    peer.faults.drop_out = 1ULL << peer.sent;
    dtls_peer_write(&peer, "late");
    memcpy(packet, junk, sizeof(junk));
    memcpy(packet + sizeof(junk), out->data, out->len);
    inject(span_of(packet, sizeof(junk) + out->len));
    ck_assert_uint_eq(server.records, 1);
    ck_assert_mem_eq(server.data, "late", 4);
    ck_assert_uint_eq(stats()->bad_records, 1);
    close_both();
}
END_TEST

START_TEST(forged_alerts_and_hellos_do_nothing)
{
    static const uint8_t alert[] = {21, 0xfe, 0xfd, 0, 0, 0, 0, 0,
                                    0,  0,    99,   0, 2, 2, 40};
    size_t len;

    connect_with(NULL);
    inject(span_of(alert, sizeof(alert)));
    ck_assert_uint_eq(stats()->bad_records, 1);
    /* A ClientHello without cookie is only told one. */
    len = dtls_make_hello(packet, 'a', span_of(NULL, 0));
    inject(span_of(packet, len));
    ck_assert_uint_eq(stats()->cookies_sent, 2);
    /* … and one in pieces is not even looked at. */
    packet[24]--;
    inject(span_of(packet, len));
    ck_assert_uint_eq(stats()->bad_hellos, 1);
    still_works(1);
    close_both();
}
END_TEST

START_TEST(a_late_copy_of_its_own_hello_does_nothing)
{
    struct dtls_datagram hello;

    open_with(NULL);
    (void)dtls_peer_until(&peer, &peer.sent, 2);
    hello = peer.last_out;
    ck_assert(dtls_peer_connect(&peer));
    ck_assert(dtls_peer_until(&peer, &server.opened, 1));
    inject(span_of(hello.data, hello.len));
    ck_assert_uint_eq(stats()->cookies_good, 1);
    still_works(1);
    close_both();
}
END_TEST

/* ---- building ---- */

START_TEST(memory_may_run_out)
{
    struct dtls_options options = {0};
    struct dtls *dtls = NULL;
    int err;

    options.tls = net_server_ctx(NET_EDGE);
    ck_assert_int_eq(dtls_new(&dtls, net_worker(), &options), -EINVAL);
    tls_ctx_unref(options.tls);
    options.tls = dtls_server_ctx(NET_EDGE);
    CK_OOM_SWEEP(err, err = dtls_new(&dtls, net_worker(), &options));
    dtls_free(dtls);
    dtls_free(NULL);
    tls_ctx_unref(options.tls);
}
END_TEST

static size_t heap(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

/* A quiet client's session; the clients themselves are gone. */
START_TEST(a_session_takes_what_the_header_says)
{
    enum { SESSIONS = 16 };
    struct dtls_options options = {.max_sessions = SESSIONS + 1};
    size_t before, each;

    connect_with(&options); /* tables and the like are there now */
    before = heap();
    server.echo = true;
    for (unsigned i = 0; i < SESSIONS; i++) {
        struct dtls_peer client;

        dtls_peer_open(&client, &server, NULL);
        ck_assert(dtls_peer_connect(&client));
        dtls_peer_write(&client, "ping"); /* the last flight may go */
        ck_assert(dtls_peer_until_records(&client, 1));
        dtls_peer_close(&client);
    }
    ck_assert_uint_eq(stats()->sessions, SESSIONS + 1);
    each = (heap() - before) / SESSIONS;
    ck_assert_uint_le(each, 40 * 1024);
    close_both();
}
END_TEST

START_TEST(dtls_needs_a_server_and_version_1_2)
{
    struct tls_key_pair pair = {net_cert_file(NET_EDGE),
                                net_key_file(NET_EDGE)};
    struct tls_ctx_options options = {.role = TLS_SERVER,
                                      .pairs = &pair,
                                      .n_pairs = 1,
                                      .min_version = TLS_VERSION_13,
                                      .dtls = true};
    char error[TLS_ERROR_SIZE] = "";
    struct tls_ctx *ctx;

    ck_assert_int_eq(tls_ctx_new(&ctx, &options, error), ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(error, "1.2"));
    options.min_version = TLS_VERSION_DEFAULT;
    options.role = TLS_CLIENT;
    options.verify = TLS_VERIFY_NONE;
    ck_assert_int_eq(tls_ctx_new(&ctx, &options, error), ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(error, "servers"));
}
END_TEST

static void add_sessions(TCase *tc)
{
    tcase_add_test(tc, records_go_both_ways);
    tcase_add_test(tc, ipv6_works_too);
    tcase_add_test(tc, a_wildcard_socket_answers_from_where_it_was_asked);
    tcase_add_test(tc, other_protocols_are_left_alone);
    tcase_add_test(tc, two_records_of_one_datagram_both_come);
    tcase_add_test(tc, what_cannot_be_sent_is_said);
    tcase_add_test(tc, the_clients_close_notify_ends_the_session);
    tcase_add_test(tc, a_session_may_be_closed_in_its_own_event);
    tcase_add_test(tc, releasing_all_says_goodbye);
    tcase_add_test(tc, silence_ends_a_session_unless_its_user_keeps_it);
    tcase_add_test(tc, a_client_that_starts_again_takes_its_old_place);
    tcase_add_test(tc, a_new_certificate_is_for_new_handshakes);
    tcase_add_test(tc, a_session_takes_what_the_header_says);
    tcase_add_test(tc, memory_may_run_out);
    tcase_add_test(tc, dtls_needs_a_server_and_version_1_2);
}

Suite *unit_suite(void)
{
    Suite *suite = suite_create("dtls");
    TCase *tc = tcase_create("dtls");

    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, net_setup, net_teardown);
    add_sessions(tc);
    tcase_add_loop_test(tc, any_one_datagram_may_be_lost, 0, 16);
    tcase_add_loop_test(tc, bad_networks_only_take_longer, 0, 24);
    tcase_add_loop_test(tc, spoilt_handshakes_end, 0, 32);
    tcase_add_test(tc, a_record_that_overtakes_the_handshake_is_not_lost);
    tcase_add_test(tc, nothing_is_kept_before_the_cookie);
    tcase_add_test(tc, a_wrong_cookie_is_answered_with_a_right_one);
    tcase_add_test(tc, half_open_handshakes_of_a_source_are_bounded);
    tcase_add_test(tc, half_open_handshakes_are_bounded_in_all);
    tcase_add_loop_test(tc, handshakes_begin_at_a_bounded_rate, 0, 2);
    tcase_add_test(tc, sessions_are_bounded);
    tcase_add_test(tc, sessions_count_in_a_limit_shared_with_others);
    tcase_add_test(tc, a_handshake_that_fails_leaves_nothing);
    tcase_add_test(tc, garbage_is_counted_and_dropped);
    tcase_add_test(tc, bad_records_are_counted_and_dropped);
    tcase_add_test(tc, a_bad_record_does_not_spoil_a_good_one);
    tcase_add_test(tc, forged_alerts_and_hellos_do_nothing);
    tcase_add_test(tc, a_late_copy_of_its_own_hello_does_nothing);
    suite_add_tcase(suite, tc);
    return suite;
}

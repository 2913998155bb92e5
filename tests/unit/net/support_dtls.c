/* SPDX-License-Identifier: MIT */
#include "support_dtls.h"

#include "base/timers.h"
#include "base/wire.h"
#include "net/tls_private.h"
#include "support/unit.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

/* ---- the server ---- */

static void on_open(struct dtls *dtls, const struct dtls_client *client,
                    void *arg)
{
    struct dtls_server *server = arg;
    const char *alpn = dtls_alpn(dtls, client->id);

    server->opened++;
    server->client = *client;
    snprintf(server->alpn, sizeof(server->alpn), "%s", alpn ? alpn : "");
}

static void on_data(struct dtls *dtls, const struct dtls_client *client,
                    const struct udp_packet *packet, bool is_first, void *arg)
{
    struct dtls_server *server = arg;

    server->records++;
    server->client = *client;
    server->not_first += !is_first;
    server->in_place += packet->data >= server->packet->data &&
                        packet->data + packet->len <=
                            server->packet->data + server->packet->len;
    memcpy(server->data, packet->data, packet->len);
    server->len = packet->len;
    if (server->echo)
        server->send_err = dtls_send(
            dtls, client->id, span_of(packet->data, packet->len), packet->tos);
    if (server->close_on_data)
        dtls_close(dtls, client->id);
}

static void on_closed(struct dtls *dtls, const struct dtls_client *client,
                      int err, void *arg)
{
    struct dtls_server *server = arg;

    server->closed++;
    server->err = err;
    /* It is over: these do nothing. */
    ck_assert_int_eq(dtls_send(dtls, client->id, span_str("x"), 0), ERR_CLOSED);
    dtls_close(dtls, client->id);
}

static bool keep_idle(struct dtls *dtls, const struct dtls_client *client,
                      void *arg)
{
    struct dtls_server *server = arg;

    (void)dtls;
    (void)client;
    server->kept += server->keep_idle;
    return server->keep_idle;
}

static const struct dtls_events events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_closed = on_closed,
    .keep_idle = keep_idle,
};

static void on_packets(struct udp *udp, struct udp_packet *packets, size_t n,
                       void *arg)
{
    struct dtls_server *server = arg;

    for (size_t i = 0; server->dtls && i < n; i++) {
        server->packet = &packets[i];
        server->others += !dtls_on_packet(server->dtls, udp, &packets[i]);
    }
}

struct tls_ctx *dtls_server_ctx(enum net_cert which)
{
    static const char *const alpn[] = {"stun.turn", NULL};
    struct tls_key_pair pair = {net_cert_file(which), net_key_file(which)};
    struct tls_ctx_options options = {.role = TLS_SERVER,
                                      .pairs = &pair,
                                      .n_pairs = 1,
                                      .alpn = alpn,
                                      .dtls = true};
    char error[TLS_ERROR_SIZE] = "";
    struct tls_ctx *ctx = NULL;

    ck_assert_msg(tls_ctx_new(&ctx, &options, error) == 0, "%s", error);
    return ctx;
}

void dtls_server_open(struct dtls_server *server, const struct addr *bind,
                      const struct dtls_options *options)
{
    struct udp_ring_config config = {.slots = 128};
    struct udp_options o = {.bind = net_loopback(ADDR_V4, 0),
                            .on_packets = on_packets,
                            .arg = server};
    struct dtls_options d = {0};

    *server = (struct dtls_server){0};
    if (options)
        d = *options;
    if (bind)
        o.bind = *bind;
    server->tls = dtls_server_ctx(NET_EDGE);
    d.tls = server->tls;
    d.events = &events;
    d.arg = server;
    if (d.retransmit_ms == 0)
        d.retransmit_ms = 20;
    ck_assert_int_eq(udp_ring_new(&server->ring, net_worker(), &config), 0);
    ck_assert_int_eq(udp_open(&server->udp, server->ring, &o), 0);
    ck_assert_int_eq(dtls_new(&server->dtls, net_worker(), &d), 0);
}

void dtls_server_close(struct dtls_server *server)
{
    dtls_free(server->dtls);
    udp_ring_close(server->ring);
    tls_ctx_unref(server->tls);
}

/* ---- the network ---- */

static bool take_bit(uint64_t mask, unsigned n)
{
    return n < 64 && (mask >> n & 1);
}

static void put_out(struct dtls_peer *peer, struct span bytes)
{
    (void)!send(peer->fd, bytes.ptr, bytes.len, 0);
}

/* Spread over the datagram, headers more than the rest. */
static void spoil(uint8_t *data, size_t len, unsigned n)
{
    uint64_t r = (n + 1) * 0x9e3779b97f4a7c15U;
    size_t at = (r >> 8) % (r & 1 ? len : len < 40 ? len : 40);

    data[at] ^= (uint8_t)(1U << (r >> 60) % 8);
}

static void flush_held_out(struct dtls_peer *peer)
{
    put_out(peer, span_of(peer->held_out.data, peer->held_out.len));
    peer->held_out.len = 0;
}

static int bio_send(void *arg, const unsigned char *data, size_t len)
{
    struct dtls_peer *peer = arg;
    struct dtls_datagram *held = &peer->held_out;
    unsigned n = peer->sent++;

    memcpy(peer->last_out.data, data, len);
    peer->last_out.len = len;
    if (take_bit(peer->faults.drop_out, n))
        return (int)len;
    if (take_bit(peer->faults.spoil_out, n)) {
        struct dtls_datagram bad = peer->last_out;

        spoil(bad.data, len, n + peer->salt);
        put_out(peer, span_of(bad.data, len));
        return (int)len;
    }
    if (take_bit(peer->faults.glue_out, n) ||
        take_bit(peer->faults.hold_out, n)) {
        ck_assert_uint_eq(held->len, 0);
        memcpy(held->data, data, len);
        held->len = len;
        return (int)len;
    }
    if (held->len > 0 && take_bit(peer->faults.glue_out, n - 1)) {
        memcpy(held->data + held->len, data, len);
        held->len += len;
    } else {
        put_out(peer, span_of(data, len));
    }
    if (take_bit(peer->faults.twice_out, n))
        put_out(peer, span_of(data, len));
    if (held->len > 0)
        flush_held_out(peer);
    return (int)len;
}

static void put_in(struct dtls_peer *peer, const struct dtls_datagram *d)
{
    if (d->len > 0 && peer->n_inbox < DTLS_INBOX)
        peer->inbox[peer->n_inbox++] = *d;
}

static void receive_all(struct dtls_peer *peer)
{
    struct dtls_datagram d;
    ssize_t len;

    while ((len = recv(peer->fd, d.data, sizeof(d.data), MSG_DONTWAIT)) > 0) {
        unsigned n = peer->received++;

        d.len = (size_t)len;
        if (take_bit(peer->faults.drop_in, n))
            continue;
        if (take_bit(peer->faults.spoil_in, n))
            spoil(d.data, d.len, n + peer->salt);
        if (take_bit(peer->faults.hold_in, n)) {
            peer->held_in = d;
            continue;
        }
        put_in(peer, &d);
        if (take_bit(peer->faults.twice_in, n))
            put_in(peer, &d);
        put_in(peer, &peer->held_in);
        peer->held_in.len = 0;
    }
}

static int bio_recv(void *arg, unsigned char *out, size_t size)
{
    struct dtls_peer *peer = arg;
    size_t len;

    receive_all(peer);
    if (peer->n_inbox == 0)
        return MBEDTLS_ERR_SSL_WANT_READ;
    len = peer->inbox[0].len;
    ck_assert_uint_le(len, size);
    memcpy(out, peer->inbox[0].data, len);
    peer->n_inbox--;
    memmove(&peer->inbox[0], &peer->inbox[1],
            peer->n_inbox * sizeof(peer->inbox[0]));
    return (int)len;
}

static void set_timer(void *arg, uint32_t intermediate_ms, uint32_t final_ms)
{
    struct dtls_peer *peer = arg;

    (void)intermediate_ms;
    peer->timer_at =
        final_ms ? worker_now(net_worker()) + final_ms : TIMERS_NEVER;
}

static int get_timer(void *arg)
{
    struct dtls_peer *peer = arg;

    if (peer->timer_at == TIMERS_NEVER)
        return -1;
    return worker_now(net_worker()) >= peer->timer_at ? 2 : 0;
}

/* ---- clients ---- */

static void set_up(struct dtls_peer *peer)
{
    static const char *alpn[] = {"stun.turn", NULL};
    mbedtls_ssl_config *conf = &peer->conf;

    mbedtls_ssl_init(&peer->ssl);
    mbedtls_ssl_config_init(conf);
    ck_assert_int_eq(mbedtls_ssl_config_defaults(conf, MBEDTLS_SSL_IS_CLIENT,
                                                 MBEDTLS_SSL_TRANSPORT_DATAGRAM,
                                                 MBEDTLS_SSL_PRESET_DEFAULT),
                     0);
    mbedtls_ssl_conf_rng(conf, tls_random, NULL);
    mbedtls_ssl_conf_ca_chain(conf, &peer->ca, NULL);
    mbedtls_ssl_conf_handshake_timeout(conf, 20, 20000);
    ck_assert_int_eq(mbedtls_ssl_conf_alpn_protocols(conf, alpn), 0);
    ck_assert_int_eq(mbedtls_ssl_setup(&peer->ssl, conf), 0);
    ck_assert_int_eq(mbedtls_ssl_set_hostname(&peer->ssl, "edge.example"), 0);
    mbedtls_ssl_set_mtu(&peer->ssl, 1200);
    mbedtls_ssl_set_bio(&peer->ssl, peer, bio_send, bio_recv, NULL);
    mbedtls_ssl_set_timer_cb(&peer->ssl, peer, set_timer, get_timer);
    peer->timer_at = TIMERS_NEVER;
}

static int connect_to(const struct addr *to)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(to, &sa);
    int fd = socket(sa.ss_family, SOCK_DGRAM, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, len), 0);
    return fd;
}

void dtls_peer_open(struct dtls_peer *peer, const struct dtls_server *server,
                    const struct addr *to)
{
    memset(peer, 0, sizeof(*peer));
    peer->fd = connect_to(to ? to : udp_addr(server->udp));
    mbedtls_x509_crt_init(&peer->ca);
    ck_assert_int_eq(
        mbedtls_x509_crt_parse_file(&peer->ca, net_cert_file(NET_CA)), 0);
    set_up(peer);
}

void dtls_peer_restart(struct dtls_peer *peer)
{
    mbedtls_ssl_free(&peer->ssl);
    mbedtls_ssl_config_free(&peer->conf);
    set_up(peer);
    peer->open = false;
    peer->closed = false;
    peer->code = 0;
    peer->n_inbox = 0;
}

void dtls_peer_close(struct dtls_peer *peer)
{
    mbedtls_ssl_free(&peer->ssl);
    mbedtls_ssl_config_free(&peer->conf);
    mbedtls_x509_crt_free(&peer->ca);
    close(peer->fd);
}

static void read_records(struct dtls_peer *peer)
{
    int code;

    while ((code = mbedtls_ssl_read(&peer->ssl, peer->data,
                                    sizeof(peer->data))) > 0) {
        peer->records++;
        peer->len = (size_t)code;
    }
    if (code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
        peer->closed = true;
    else if (code != MBEDTLS_ERR_SSL_WANT_READ)
        peer->code = code;
}

static void step(struct dtls_peer *peer)
{
    int code;

    net_for(1);
    if (peer->code || peer->closed)
        return;
    if (peer->open) {
        read_records(peer);
        return;
    }
    code = mbedtls_ssl_handshake(&peer->ssl);
    if (code == 0)
        peer->open = true;
    else if (code != MBEDTLS_ERR_SSL_WANT_READ)
        peer->code = code;
}

bool dtls_peer_connect(struct dtls_peer *peer)
{
    uint64_t end = worker_now(net_worker()) + NET_DEADLINE_MS;

    while (!peer->open && !peer->code && worker_now(net_worker()) < end)
        step(peer);
    return peer->open;
}

bool dtls_peer_until(struct dtls_peer *peer, const unsigned *value,
                     unsigned want)
{
    uint64_t end = worker_now(net_worker()) + NET_DEADLINE_MS;

    while (*value < want && worker_now(net_worker()) < end)
        step(peer);
    return *value == want;
}

bool dtls_peer_until_records(struct dtls_peer *peer, unsigned records)
{
    return dtls_peer_until(peer, &peer->records, records);
}

bool dtls_peer_until_closed(struct dtls_peer *peer)
{
    uint64_t end = worker_now(net_worker()) + NET_DEADLINE_MS;

    while (!peer->closed && worker_now(net_worker()) < end)
        step(peer);
    return peer->closed;
}

void dtls_peer_for(struct dtls_peer *peer, unsigned ms)
{
    uint64_t end = worker_now(net_worker()) + ms;

    while (worker_now(net_worker()) < end)
        step(peer);
}

void dtls_peer_write(struct dtls_peer *peer, const char *text)
{
    int code = mbedtls_ssl_write(&peer->ssl, (const unsigned char *)text,
                                 strlen(text));

    ck_assert_int_eq(code, (int)strlen(text));
}

/* ---- by hand ---- */

size_t dtls_make_hello(uint8_t out[DTLS_DATAGRAM_MAX], uint8_t mark,
                       struct span cookie)
{
    /* Body: version, random, session, cookie, one suite, no compression. */
    size_t body = 2 + 32 + 1 + 1 + cookie.len + 4 + 2;
    struct wire_writer w = wire_writer(out, DTLS_DATAGRAM_MAX);

    wire_put_u8(&w, 22);
    wire_put_u16(&w, 0xfefd);
    wire_put_u64(&w, cookie.len ? 1 : 0); /* epoch and sequence */
    wire_put_u16(&w, (uint16_t)(12 + body));
    wire_put_u32(&w, 1U << 24 | (uint32_t)body);
    wire_put_u16(&w, cookie.len ? 1 : 0);
    wire_put_u16(&w, 0);
    wire_put_u16(&w, 0);
    wire_put_u16(&w, (uint16_t)body);
    wire_put_u16(&w, 0xfefd);
    memset(wire_grow(&w, 32), mark, 32);
    wire_put_u8(&w, 0);
    wire_put_u8(&w, (uint8_t)cookie.len);
    wire_put(&w, cookie);
    wire_put_u16(&w, 2);
    wire_put_u16(&w, 0xc02b); /* ECDHE-ECDSA, AES-128-GCM */
    wire_put_u16(&w, 0x0100);
    ck_assert_int_eq(w.err, 0);
    return wire_written(&w);
}

int dtls_raw_open(const struct dtls_server *server)
{
    return connect_to(udp_addr(server->udp));
}

size_t dtls_raw_ask(int fd, struct span bytes,
                    uint8_t answer[DTLS_DATAGRAM_MAX])
{
    ssize_t len = -1;

    ck_assert_int_eq((int)send(fd, bytes.ptr, bytes.len, 0), (int)bytes.len);
    for (int i = 0; i < 5 && len < 0; i++) {
        net_for(1);
        len = recv(fd, answer, DTLS_DATAGRAM_MAX, MSG_DONTWAIT);
    }
    return len < 0 ? 0 : (size_t)len;
}

void dtls_raw_half_open(int fd, uint8_t mark)
{
    uint8_t hello[DTLS_DATAGRAM_MAX];
    uint8_t answer[DTLS_DATAGRAM_MAX];
    size_t len = dtls_make_hello(hello, mark, span_of(NULL, 0));

    ck_assert_uint_eq(dtls_raw_ask(fd, span_of(hello, len), answer), 60);
    len = dtls_make_hello(hello, mark, span_of(answer + 28, 32));
    (void)dtls_raw_ask(fd, span_of(hello, len), answer);
}

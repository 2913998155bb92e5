/* SPDX-License-Identifier: MIT */
#include "turn_load_conn.h"

#include "base/mem.h"
#include "stun/stun_msg.h"

#include <errno.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <psa/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { REST_MAX = 8192 };

struct load_tls {
    mbedtls_ssl_context ssl;
};

_Noreturn void load_fail(const char *what)
{
    fprintf(stderr, "turn_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

enum load_transport load_transport_named(const char *name)
{
    if (strcmp(name, "udp") == 0)
        return LOAD_UDP;
    if (strcmp(name, "tcp") == 0)
        return LOAD_TCP;
    if (strcmp(name, "tls") != 0)
        load_fail("transport");
    return LOAD_TLS;
}

static int bound_socket(const struct addr *server, int type)
{
    struct sockaddr_storage sa;
    struct addr own = *server;
    socklen_t len;
    int fd = socket(server->family == ADDR_V6 ? AF_INET6 : AF_INET, type, 0);

    if (fd < 0)
        load_fail("socket");
    own.port = 0;
    len = addr_to_sockaddr(&own, &sa);
    if (bind(fd, (struct sockaddr *)&sa, len) < 0)
        load_fail("bind");
    return fd;
}

int load_udp_socket(const struct addr *server)
{
    int size = 4 * 1024 * 1024;
    int fd = bound_socket(server, SOCK_DGRAM | SOCK_NONBLOCK);

    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    return fd;
}

/* --- TLS --- */

static int wire_send(void *arg, const unsigned char *bytes, size_t len)
{
    struct load_conn *conn = arg;
    ssize_t sent = send(conn->fd, bytes, len, MSG_NOSIGNAL);

    return sent >= 0 ? (int)sent : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

/* Waits while the handshake is under way only. */
static int wire_recv(void *arg, unsigned char *bytes, size_t len)
{
    struct load_conn *conn = arg;
    bool wait = !mbedtls_ssl_is_handshake_over(&conn->tls->ssl);
    ssize_t got = recv(conn->fd, bytes, len, wait ? 0 : MSG_DONTWAIT);

    if (got > 0)
        return (int)got;
    return got < 0 && errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_READ
                                      : MBEDTLS_ERR_SSL_CONN_EOF;
}

static const mbedtls_ssl_config *tls_config(void)
{
    static mbedtls_ssl_config config;
    static mbedtls_entropy_context entropy;
    static mbedtls_ctr_drbg_context random;
    static bool done;

    if (done)
        return &config;
    done = true;
    mbedtls_ssl_config_init(&config);
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random);
    if (psa_crypto_init() != PSA_SUCCESS ||
        mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, NULL,
                              0) != 0 ||
        mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT,
                                    MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0)
        load_fail("TLS");
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random);
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_NONE);
    return &config;
}

static void shake_hands(struct load_conn *conn)
{
    int err;

    conn->tls = mem_zalloc(sizeof(*conn->tls));
    if (!conn->tls)
        load_fail("memory");
    mbedtls_ssl_init(&conn->tls->ssl);
    if (mbedtls_ssl_setup(&conn->tls->ssl, tls_config()) != 0 ||
        mbedtls_ssl_set_hostname(&conn->tls->ssl, NULL) != 0)
        load_fail("TLS");
    mbedtls_ssl_set_bio(&conn->tls->ssl, conn, wire_send, wire_recv, NULL);
    do
        err = mbedtls_ssl_handshake(&conn->tls->ssl);
    while (err == MBEDTLS_ERR_SSL_WANT_READ);
    if (err != 0) {
        fprintf(stderr, "turn_load: handshake: -0x%x\n", (unsigned)-err);
        exit(1);
    }
}

/* --- all of them --- */

void load_conn_open(struct load_conn *conn, enum load_transport transport,
                    const struct addr *server)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(server, &sa);
    int one = 1;

    *conn = (struct load_conn){.transport = transport};
    conn->fd = transport == LOAD_UDP ? load_udp_socket(server)
                                     : bound_socket(server, SOCK_STREAM);
    if (connect(conn->fd, (struct sockaddr *)&sa, len) < 0)
        load_fail("connect");
    if (transport == LOAD_UDP)
        return;
    conn->rest = mem_alloc(REST_MAX);
    if (!conn->rest)
        load_fail("memory");
    (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (transport == LOAD_TLS)
        shake_hands(conn);
}

bool load_conn_send(struct load_conn *conn, const uint8_t *bytes, size_t len)
{
    size_t done = 0;

    if (conn->transport == LOAD_UDP)
        return send(conn->fd, bytes, len, 0) > 0;
    while (done < len) {
        ssize_t sent =
            conn->tls
                ? mbedtls_ssl_write(&conn->tls->ssl, bytes + done, len - done)
                : send(conn->fd, bytes + done, len - done, MSG_NOSIGNAL);

        if (sent <= 0 && sent != MBEDTLS_ERR_SSL_WANT_READ)
            load_fail("send");
        done += sent > 0 ? (size_t)sent : 0;
    }
    return true;
}

static void read_more(struct load_conn *conn)
{
    uint8_t *at = conn->rest + conn->n_rest;
    size_t room = REST_MAX - conn->n_rest;
    ssize_t got;

    if (!conn->tls) {
        got = recv(conn->fd, at, room, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            load_fail("the server has closed");
    } else {
        do
            got = mbedtls_ssl_read(&conn->tls->ssl, at, room);
        while (got == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET);
        if (got <= 0 && got != MBEDTLS_ERR_SSL_WANT_READ)
            load_fail("the server has closed");
    }
    conn->n_rest += got > 0 ? (size_t)got : 0;
}

size_t load_conn_take(struct load_conn *conn, uint8_t out[LOAD_PACKET_MAX])
{
    int size;

    if (conn->transport == LOAD_UDP) {
        ssize_t got = recv(conn->fd, out, LOAD_PACKET_MAX, MSG_DONTWAIT);

        return got > 0 ? (size_t)got : 0;
    }
    size = stun_frame_size(span_of(conn->rest, conn->n_rest));
    if (size == 0 || (size > 0 && (size_t)size > conn->n_rest)) {
        read_more(conn);
        size = stun_frame_size(span_of(conn->rest, conn->n_rest));
    }
    if (size < 0 || size > LOAD_PACKET_MAX)
        load_fail("no frame");
    if (size == 0 || (size_t)size > conn->n_rest)
        return 0;
    memcpy(out, conn->rest, (size_t)size);
    conn->n_rest -= (size_t)size;
    memmove(conn->rest, conn->rest + size, conn->n_rest);
    return (size_t)size;
}

size_t load_conn_wait(struct load_conn *conn, uint8_t out[LOAD_PACKET_MAX],
                      int timeout_ms)
{
    struct pollfd pfd = {.fd = conn->fd, .events = POLLIN};
    size_t size = load_conn_take(conn, out);

    if (size == 0 && poll(&pfd, 1, timeout_ms) == 1)
        size = load_conn_take(conn, out);
    return size;
}

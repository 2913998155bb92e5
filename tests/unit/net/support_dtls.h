/* SPDX-License-Identifier: MIT */
/* support_dtls.h - a DTLS server on a loopback socket, and mbedTLS clients
 * behind a network that loses, repeats and reorders as the test says. */
#ifndef SUPPORT_DTLS_H
#define SUPPORT_DTLS_H

#include "net/dtls.h"
#include "support_net.h"

#include <mbedtls/ssl.h>

enum {
    DTLS_DATAGRAM_MAX = 2048,
    DTLS_INBOX = 64,
};

/* ---- the server ---- */

struct dtls_server {
    struct udp_ring *ring;
    struct udp *udp;
    struct dtls *dtls;
    struct tls_ctx *tls;
    bool echo;
    bool close_on_data;
    bool keep_idle;
    unsigned opened;
    unsigned records;
    unsigned closed;
    unsigned kept;
    unsigned others;   /* packets that were not DTLS */
    unsigned in_place; /* records whose plaintext lies in the datagram */
    unsigned not_first;
    int err; /* of the last on_closed */
    int send_err;
    struct dtls_client client; /* the last */
    char alpn[32];
    uint8_t data[DTLS_DATAGRAM_MAX]; /* the last record */
    size_t len;
    const struct udp_packet *packet; /* being handled */
};

/* `bind` NULL: IPv4 loopback. Only the limits and times of `options` are
 * used; retransmission starts at 20 ms unless said otherwise. */
void dtls_server_open(struct dtls_server *server, const struct addr *bind,
                      const struct dtls_options *options);
void dtls_server_close(struct dtls_server *server);

/* A context with DTLS and ALPN stun.turn. */
struct tls_ctx *dtls_server_ctx(enum net_cert which);

/* ---- clients ---- */

struct dtls_datagram {
    uint8_t data[DTLS_DATAGRAM_MAX];
    size_t len;
};

/* Bit n concerns the n-th datagram, counted from 0 in each direction. */
struct dtls_faults {
    uint64_t drop_out;
    uint64_t drop_in;
    uint64_t hold_out; /* leaves behind the next one */
    uint64_t hold_in;
    uint64_t twice_out;
    uint64_t twice_in;
    uint64_t glue_out;  /* in one datagram with the next one */
    uint64_t spoil_out; /* one bit of it, which differs each time */
    uint64_t spoil_in;
};

struct dtls_peer {
    int fd;
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config conf;
    mbedtls_x509_crt ca;
    uint64_t timer_at;
    struct dtls_faults faults;
    unsigned salt; /* of what is spoilt */
    unsigned sent;
    unsigned received;
    struct dtls_datagram held_out;
    struct dtls_datagram held_in;
    struct dtls_datagram last_out;
    struct dtls_datagram inbox[DTLS_INBOX];
    unsigned n_inbox;
    bool open;
    bool closed; /* the server's close_notify has come */
    int code;    /* mbedTLS' failure */
    unsigned records;
    uint8_t data[DTLS_DATAGRAM_MAX];
    size_t len;
};

/* A socket connected to the server, and a client on it that has done nothing
 * yet. `to` NULL: where the server is bound. */
void dtls_peer_open(struct dtls_peer *peer, const struct dtls_server *server,
                    const struct addr *to);

/* Another client on the same socket. */
void dtls_peer_restart(struct dtls_peer *peer);
void dtls_peer_close(struct dtls_peer *peer);

/* Turn the loop and the client until the handshake is over, `records` have
 * come, the session is closed; false after NET_DEADLINE_MS or a failure. */
bool dtls_peer_connect(struct dtls_peer *peer);
bool dtls_peer_until_records(struct dtls_peer *peer, unsigned records);
bool dtls_peer_until_closed(struct dtls_peer *peer);

/* Turn loop and client until `*value` is `want`. */
bool dtls_peer_until(struct dtls_peer *peer, const unsigned *value,
                     unsigned want);

/* Turn loop and client for that long. */
void dtls_peer_for(struct dtls_peer *peer, unsigned ms);

void dtls_peer_write(struct dtls_peer *peer, const char *text);

/* ---- by hand ---- */

/* A ClientHello with this cookie and a random of `mark` bytes. Returns its
 * length. */
size_t dtls_make_hello(uint8_t out[DTLS_DATAGRAM_MAX], uint8_t mark,
                       struct span cookie);

/* A plain UDP socket connected to the server. */
int dtls_raw_open(const struct dtls_server *server);

/* Send; turn the loop; receive what comes within a moment. Returns its
 * length, or 0. */
size_t dtls_raw_ask(int fd, struct span bytes,
                    uint8_t answer[DTLS_DATAGRAM_MAX]);

/* The cookie exchange by hand; a session is half open afterwards, when the
 * server allows. */
void dtls_raw_half_open(int fd, uint8_t mark);

#endif /* SUPPORT_DTLS_H */

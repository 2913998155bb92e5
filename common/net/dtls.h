/* SPDX-License-Identifier: MIT */
/* dtls.h - DTLS 1.2 sessions (RFC 6347) on UDP sockets that also carry other
 * protocols.
 *
 * One object serves all UDP sockets of a worker. The owner of a socket gives
 * it each packet; it takes those whose first byte says DTLS (20 … 63, RFC 7983)
 * and hands decrypted records up. A session is named by an id and found by
 * client and local address.
 *
 * Nothing is kept for an address before it has shown that it receives what we
 * send there: a ClientHello without our cookie (HMAC over both addresses and
 * the time) is answered with a HelloVerifyRequest, which is shorter than it,
 * and forgotten. A ClientHello must be in one record.
 *
 * A client that starts again from the same address and port takes the place
 * of its old session once it has shown the cookie (RFC 6347 4.2.8); copies of
 * the old ClientHello do nothing.
 *
 * Memory: a session takes about 38 KiB (two record buffers of 16.5 KiB each
 * that the packaged mbedTLS keeps for its life), up to 60 KiB more during the
 * handshake (keys, our flight, up to 32 KiB of records that came too early).
 * No copy is made on the way in but mbedTLS' own; on the way out one.
 */
#ifndef NET_DTLS_H
#define NET_DTLS_H

#include "base/addr.h"
#include "base/pool.h"
#include "base/stats.h"
#include "net/udp.h"

struct conn_limit;
struct handshake_rate;
struct dtls;
struct tls_ctx;

enum {
    /* Longest datagram of our handshake flights. */
    DTLS_HANDSHAKE_MTU = 1200,
    /* What a record is longer than its plaintext, at most: header, nonce and
     * tag. The slots of the ring need this room. */
    DTLS_RECORD_OVERHEAD = 37,
};

/* A session as its user sees it. Plain value. */
struct dtls_client {
    struct pool_id id;
    struct addr remote;
    struct addr local; /* where the client's packets arrive */
    struct udp *udp;
};

struct dtls_events {
    /* The handshake is done. May be NULL. */
    void (*on_open)(struct dtls *dtls, const struct dtls_client *client,
                    void *arg);

    /* One decrypted record (never empty). `packet` is as from udp.h, with
     * `data` and `len` of the plaintext: inside the slot the datagram came
     * in, so that udp_send() does not copy it. The UDP_HEADROOM bytes before
     * it may be written only for the first record of a datagram, which is
     * when `is_first`; hardly anybody sends two. */
    void (*on_data)(struct dtls *dtls, const struct dtls_client *client,
                    const struct udp_packet *packet, bool is_first, void *arg);

    /* An open session is over: 0 the client's close_notify; -ETIMEDOUT idle;
     * ERR_CLOSED a new session took its place; ERR_TLS. Not after
     * dtls_close() and dtls_free(). */
    void (*on_closed)(struct dtls *dtls, const struct dtls_client *client,
                      int err, void *arg);

    /* Nothing has come for the idle time: true keeps the session for as long
     * again. NULL: never. */
    bool (*keep_idle)(struct dtls *dtls, const struct dtls_client *client,
                      void *arg);
};

#define DTLS_STATS(X)                                                          \
    X(GAUGE, sessions, "dtls_sessions", "", "open DTLS sessions")              \
    X(GAUGE, half_open, "dtls_half_open", "", "DTLS handshakes in progress")   \
    X(COUNTER, cookies_sent, "dtls_cookies", "result=\"sent\"",                \
      "ClientHello messages by their cookie")                                  \
    X(COUNTER, cookies_bad, "dtls_cookies", "result=\"bad\"",                  \
      "ClientHello messages by their cookie")                                  \
    X(COUNTER, cookies_good, "dtls_cookies", "result=\"good\"",                \
      "ClientHello messages by their cookie")                                  \
    X(COUNTER, handshakes, "dtls_handshakes", "result=\"ok\"",                 \
      "DTLS handshakes")                                                       \
    X(COUNTER, handshake_failed, "dtls_handshakes", "result=\"failed\"",       \
      "DTLS handshakes")                                                       \
    X(COUNTER, handshake_timeout, "dtls_handshakes", "result=\"timeout\"",     \
      "DTLS handshakes")                                                       \
    X(COUNTER, refused_half_open, "dtls_refused", "reason=\"half_open\"",      \
      "handshakes not begun because a limit was reached")                      \
    X(COUNTER, refused_half_open_source, "dtls_refused",                       \
      "reason=\"half_open_source\"",                                           \
      "handshakes not begun because a limit was reached")                      \
    X(COUNTER, refused_sessions, "dtls_refused", "reason=\"sessions\"",        \
      "handshakes not begun because a limit was reached")                      \
    X(COUNTER, refused_source, "dtls_refused", "reason=\"source\"",            \
      "handshakes not begun because a limit was reached")                      \
    X(COUNTER, refused_rate, "dtls_refused", "reason=\"handshake_rate\"",      \
      "handshakes not begun because a limit was reached")                      \
    X(COUNTER, refused_rate_source, "dtls_refused",                            \
      "reason=\"handshake_rate_source\"",                                      \
      "handshakes not begun because a limit was reached")                      \
    X(COUNTER, closed_idle, "dtls_closed", "reason=\"idle\"",                  \
      "sessions ended")                                                        \
    X(COUNTER, closed_peer, "dtls_closed", "reason=\"peer\"",                  \
      "sessions ended")                                                        \
    X(COUNTER, closed_replaced, "dtls_closed", "reason=\"replaced\"",          \
      "sessions ended")                                                        \
    X(COUNTER, closed_error, "dtls_closed", "reason=\"error\"",                \
      "sessions ended")                                                        \
    X(COUNTER, retransmits, "dtls_retransmits", "",                            \
      "handshake time-outs at which a flight was sent again")                  \
    X(COUNTER, records_in, "dtls_records", "direction=\"in\"",                 \
      "application records")                                                   \
    X(COUNTER, records_out, "dtls_records", "direction=\"out\"",               \
      "application records")                                                   \
    X(COUNTER, bad_records, "dtls_dropped", "reason=\"record\"",               \
      "input dropped: record not authentic, replayed or malformed")            \
    X(COUNTER, bad_hellos, "dtls_dropped", "reason=\"hello\"",                 \
      "input dropped: ClientHello malformed or in pieces")                     \
    X(COUNTER, no_session, "dtls_dropped", "reason=\"no_session\"",            \
      "input dropped: of no session we know")

struct dtls_stats {
    DTLS_STATS(STATS_FIELD)
};

struct dtls_options {
    struct tls_ctx *tls; /* server, made with `dtls`; a reference is taken */

    /* Counts sessions, from the good cookie to the end, in all and per source;
     * may be shared with TCP listeners. May be NULL; a reference is taken. */
    struct conn_limit *limit;
    struct handshake_rate *rate;      /* the same */
    uint32_t max_sessions;            /* of this object; 0: 10000 */
    uint32_t max_half_open;           /* 0: 256 */
    uint32_t max_half_open_source;    /* IPv4 address or IPv6 /64; 0: 16 */
    unsigned handshake_timeout_ms;    /* 0: 15000 */
    unsigned retransmit_ms;           /* first; doubles; 0: 1000 */
    unsigned idle_timeout_ms;         /* 0: 600000 */
    unsigned cookie_lifetime_ms;      /* 0: 30000 */
    const struct dtls_events *events; /* outlives the object */
    void *arg;
    struct dtls_stats *stats; /* outlives the object; NULL: its own */
};

/* Returns 0, -EINVAL (no DTLS in the context), -ENOMEM. */
int dtls_new(struct dtls **ret_dtls, struct worker *worker,
             const struct dtls_options *options);

/* Send close_notify to all, release. Not from inside an event; before the
 * sockets are closed. NULL is fine. */
void dtls_free(struct dtls *dtls);

/* For handshakes from now on. */
void dtls_set_tls(struct dtls *dtls, struct tls_ctx *tls);

/* Is this byte the first of a DTLS packet (RFC 7983)? */
static inline bool dtls_is_first_byte(uint8_t byte)
{
    return byte >= 20 && byte <= 63;
}

/* Look at a packet of the batch being handled. True: it was DTLS and is dealt
 * with (its bytes are overwritten); events are called from here. False: it is
 * somebody else's and untouched. */
bool dtls_on_packet(struct dtls *dtls, struct udp *udp,
                    const struct udp_packet *packet);

/* Encrypt into one record and queue it on the session's socket. Callable from
 * inside events; calls none. `tos` 0: the socket's own.
 * Returns 0; ERR_CLOSED when there is no such open session; -EMSGSIZE when it
 * is too long for a record or a slot of the ring; ERR_TLS (the session is
 * closed, on_closed follows in another turn), -EINVAL when empty. */
int dtls_send(struct dtls *dtls, struct pool_id id, struct span plain,
              uint8_t tos);

/* Send close_notify, forget. No event. Harmless with a stale id; callable
 * from inside events, also for the session the event is about. */
void dtls_close(struct dtls *dtls, struct pool_id id);

/* False when there is no such open session. */
bool dtls_find(const struct dtls *dtls, struct pool_id id,
               struct dtls_client *ret_client);

/* The protocol agreed on by ALPN, or NULL. */
const char *dtls_alpn(const struct dtls *dtls, struct pool_id id);

const struct dtls_stats *dtls_stats(const struct dtls *dtls);

#endif /* NET_DTLS_H */

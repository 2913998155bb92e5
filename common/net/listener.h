/* SPDX-License-Identifier: MIT */
/* listener.h - accepts TCP and TLS connections on one worker.
 *
 * on_accept sees a stream only when it is ready: TLS handshake done, or the
 * first bytes of a port that carries several protocols have said what it is.
 * What takes longer than the handshake time-out is closed and counted. Out of
 * descriptors, the listener keeps answering: it accepts with a spare one and
 * closes at once.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/stream.h"

struct bind_group;
struct cidr;
struct conn_limit;
struct first_bytes;
struct handshake_rate;
struct listener;

enum listener_mode {
    LISTENER_PLAIN,
    LISTENER_TLS,
    LISTENER_DETECT, /* first byte 0x16 (a TLS handshake record): TLS */
    LISTENER_CHOOSE, /* `choose` is asked what the first bytes mean */
};

/* What becomes of a connection, its first bytes being known. */
enum listener_choice {
    LISTENER_TAKE_TLS,   /* begin a TLS session with them */
    LISTENER_TAKE_PLAIN, /* hand it on; its first data are those bytes */
    LISTENER_REFUSE,     /* close, TLS with an alert */
};

/* What `choose` says. */
struct listener_verdict {
    enum listener_choice choice;
    struct tls_ctx *tls; /* TAKE_TLS: instead of the listener's; borrowed */
    uint8_t alert;       /* REFUSE: of RFC 8446 section 6.2; 0: none */
};

#define LISTENER_STATS(X)                                                      \
    X(COUNTER, accepted, "accepted", "", "connections the kernel gave us")     \
    X(COUNTER, ready, "accepted_ready", "",                                    \
      "connections handed on, handshake done")                                 \
    X(COUNTER, refused_total, "accept_refused", "reason=\"total\"",            \
      "connections closed at once")                                            \
    X(COUNTER, refused_source, "accept_refused", "reason=\"source\"",          \
      "connections closed at once")                                            \
    X(COUNTER, refused_waiting, "accept_refused", "reason=\"handshakes\"",     \
      "connections closed at once")                                            \
    X(COUNTER, refused_rate, "accept_refused", "reason=\"handshake_rate\"",    \
      "connections closed at once")                                            \
    X(COUNTER, refused_rate_source, "accept_refused",                          \
      "reason=\"handshake_rate_source\"", "connections closed at once")        \
    X(COUNTER, refused_descriptors, "accept_refused",                          \
      "reason=\"descriptors\"", "connections closed at once")                  \
    X(COUNTER, refused_first, "accept_refused", "reason=\"first_bytes\"",      \
      "connections closed at once")                                            \
    X(COUNTER, handshake_failed, "accept_failed", "reason=\"handshake\"",      \
      "connections that never got ready")                                      \
    X(COUNTER, handshake_timeout, "accept_failed", "reason=\"timeout\"",       \
      "connections that never got ready")                                      \
    X(COUNTER, bad_header, "accept_failed", "reason=\"proxy_header\"",         \
      "connections that never got ready")                                      \
    X(COUNTER, proxied, "accepted_proxied", "",                                \
      "connections whose client a front end has named")                        \
    X(GAUGE, waiting, "accept_waiting", "", "connections not ready yet")

struct listener_stats {
    LISTENER_STATS(STATS_FIELD)
};

struct listener_options {
    struct bind_group *group; /* take the worker's socket from here, or */
    struct addr bind;         /* bind this, alone */
    bool share_port;          /* stream_connect() may come from `bind` */
    enum listener_mode mode;
    struct tls_ctx *tls;           /* unless plain; a reference is taken */
    struct conn_limit *limit;      /* may be NULL; a reference is taken */
    struct handshake_rate *rate;   /* of TLS; the same */
    unsigned handshake_timeout_ms; /* 0: 10000 */
    unsigned max_waiting;          /* not ready at a time, over it the
                                      oldest is closed; 0: 1024 */
    unsigned accept_budget;        /* accepts per turn; 0: 64 */

    /* Front ends: a connection from one of these (copied; ports do not
     * matter) must begin with a PROXY protocol header, version 1 or 2, before
     * TLS. stream_peer() is then the client it names, and limits count that
     * one; unless it names none (the front end's own health check). Without a
     * valid header the connection is closed. From anybody else no header is
     * looked for. */
    const struct cidr *proxy_from;
    size_t n_proxy_from;

    struct stream_options stream;

    /* LISTENER_CHOOSE: judge the connection by its first bytes, which stay in
     * the kernel until then (at most FIRST_BYTES_MAX of them; all within the
     * handshake time-out). What cannot be read is refused without asking.
     * stream_peer() is right, stream_set_mark() may be called, nothing else. */
    struct listener_verdict (*choose)(struct stream *stream,
                                      const struct first_bytes *first,
                                      void *arg);

    /* Call stream_set_events() here, or stream_close(); a stream without
     * events after this is closed. stream_tls() tells plain from TLS. */
    void (*on_accept)(struct listener *listener, struct stream *stream,
                      void *arg);
    void *arg;
};

/* Returns 0 or -errno (-EADDRINUSE). */
int listener_open(struct listener **ret_listener, struct worker *worker,
                  const struct listener_options *options);

/* Stop listening; streams handed out live on, those not ready are closed.
 * No events any more. NULL is fine. */
void listener_close(struct listener *listener);

/* For connections from now on. */
void listener_set_tls(struct listener *listener, struct tls_ctx *tls);

/* With the real port. */
const struct addr *listener_addr(const struct listener *listener);
const struct listener_stats *listener_stats(const struct listener *listener);

#endif /* NET_LISTENER_H */

/* SPDX-License-Identifier: MIT */
/* stream.h - one connection, over TCP or TLS, with back-pressure both ways.
 *
 * Lifetime, in three sentences. The stream is yours from stream_connect() or
 * on_accept until you call stream_close() or it calls on_closed: exactly one
 * of the two ends it. After stream_close() there are no events any more, and
 * after on_closed has returned the pointer is dead. No event is ever called
 * from inside one of these functions, except that stream_resume() may be
 * followed by on_data in the same turn; so freeing your own struct right after
 * stream_close() is right.
 *
 * Every function and event is on the worker's own thread. Idle TCP stream:
 * about 500 bytes; TLS adds what tls_session.h says. Buffers exist only while
 * something is queued.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "base/addr.h"
#include "base/stats.h"
#include "net/worker.h"

struct stream;
struct tls_ctx;
struct tls_session;

struct stream_events {
    /* Connected, TLS handshake included; writing before this is queued.
     * stream_connect() only; may be NULL. */
    void (*on_open)(struct stream *stream, void *arg);

    /* `data` (never empty) is valid during the call. */
    void (*on_data)(struct stream *stream, struct span data, void *arg);

    /* The queue was above the low-water mark and no longer is. May be NULL. */
    void (*on_writable)(struct stream *stream, void *arg);

    /* The peer will send no more (FIN, close_notify); we may still write.
     * NULL: the stream ends with on_closed(0), queued output is dropped. */
    void (*on_end)(struct stream *stream, void *arg);

    /* It is over: 0 the peer ended it in order, or stream_shutdown() is done;
     * ERR_CLOSED the peer left without TLS close_notify; ERR_TLS, ERR_AUTH
     * (certificate); -ETIMEDOUT (connect, handshake, linger), -ECONNREFUSED,
     * -ECONNRESET, another -errno. Not NULL. */
    void (*on_closed)(struct stream *stream, int err, void *arg);

    /* The peer has closed while nothing is read (stream_pause()); what it
     * sent before may still wait to be read. At most once; may be NULL. That a
     * peer is gone for good (RST, no keep-alive) is on_closed as ever. */
    void (*on_left)(struct stream *stream, void *arg);
};

struct stream_options {
    size_t max_queued;    /* bytes waiting to be sent; 0: 256 KiB */
    size_t low_water;     /* 0: a quarter of max_queued */
    unsigned linger_ms;   /* most time for stream_shutdown(); 0: 5000 */
    unsigned keepalive_s; /* TCP keep-alive after this idle time, up to twice
                             that so that not all are probed at once; 0: off */
};

/* Sums over a worker's streams, readable from any thread. */
#define STREAM_STATS(X)                                                        \
    X(COUNTER, opened, "connections_opened", "",                               \
      "connections made or accepted, handshake done")                          \
    X(GAUGE, open, "connections_open", "",                                     \
      "connections now, those in a handshake included")                        \
    X(COUNTER, connects, "connects", "", "connections we started")             \
    X(COUNTER, connect_failed, "connects_failed", "",                          \
      "connections we could not make")                                         \
    X(COUNTER, handshakes, "tls_handshakes", "result=\"ok\"",                  \
      "TLS handshakes")                                                        \
    X(COUNTER, handshake_failed, "tls_handshakes", "result=\"failed\"",        \
      "TLS handshakes")                                                        \
    X(COUNTER, handshakes_resumed, "tls_resumed", "",                          \
      "TLS handshakes that resumed a session")                                 \
    X(COUNTER, bytes_in, "stream_bytes", "direction=\"in\"",                   \
      "stream bytes, without TLS")                                             \
    X(COUNTER, bytes_out, "stream_bytes", "direction=\"out\"",                 \
      "stream bytes, without TLS")                                             \
    X(COUNTER, queue_limit, "stream_queue_limit", "",                          \
      "writes refused because the queue was full")

struct stream_stats {
    STREAM_STATS(STATS_FIELD)
};

const struct stream_stats *stream_stats(struct worker *worker);

struct stream_target {
    struct addr to;
    struct addr from; /* local address, port 0 usually; ADDR_NONE: any */
    /* `from` is the address of a listener with share_port, or of another
     * connection like this one */
    bool share_port;

    struct tls_ctx *tls;     /* NULL: plain TCP. A client context */
    const char *server_name; /* SNI, NULL: none; copied */
    const char *verify_name; /* name or IP address the certificate must have;
                                NULL: server_name; copied */
    unsigned timeout_ms;     /* TCP and TLS together; 0: 10000 */
    uint8_t tos;             /* DSCP << 2; 0: the system's choice */
    struct span
        preface; /* sent before anything else, TLS included: a PROXY
                    protocol header; at most STREAM_PREFACE_MAX, copied */
    struct stream_options options;
};

enum { STREAM_PREFACE_MAX = 128 };

/* Start connecting. Returns 0 and the stream, or -errno, ERR_TLS at once. A
 * later failure comes as on_closed. `events` must outlive the stream. */
int stream_connect(struct stream **ret_stream, struct worker *worker,
                   const struct stream_target *target,
                   const struct stream_events *events, void *arg);

/* Who gets the events from now on; on an accepted stream called in
 * on_accept. Also for handing a stream to another owner of the same worker. */
void stream_set_events(struct stream *stream,
                       const struct stream_events *events, void *arg);

/* Send the bytes, all or nothing. Small writes of one turn leave together at
 * its end; large ones are tried at once; the rest is queued.
 * Returns 0; ERR_LIMIT when the queue would exceed max_queued; ERR_STATE after
 * stream_shutdown() or a failure whose on_closed is on its way; -ENOMEM. */
int stream_write(struct stream *stream, struct span bytes);
int stream_writev(struct stream *stream, const struct span *parts, size_t n);

/* Bytes accepted and not yet given to the kernel. */
size_t stream_queued(const struct stream *stream);

/* Bytes given to the kernel that the peer has not acknowledged; 0 when that is
 * not known. A system call: not for every event. */
size_t stream_unacked(const struct stream *stream);

/* How many more stream_write() would take. */
size_t stream_room(const struct stream *stream);

/* Other bounds of the queue, as in struct stream_options; what is queued
 * stays. */
void stream_set_queue(struct stream *stream, size_t max_queued,
                      size_t low_water);

/* No on_data and no on_end until stream_resume(); the peer's window fills.
 * Both harmless when repeated. A new stream reads. */
void stream_pause(struct stream *stream);
void stream_resume(struct stream *stream);
bool stream_is_paused(const struct stream *stream);

/* Send what is queued, then close_notify and FIN, wait for the peer's FIN
 * (what it still sends is dropped: no on_data from now on), at most the linger
 * time; then on_closed(0) or on_closed(-ETIMEDOUT). */
void stream_shutdown(struct stream *stream);

/* As stream_shutdown(), and a peer on TLS is told that it may not come in. */
void stream_refuse(struct stream *stream);

/* Send what is queued, then close_notify and FIN, but go on reading: the other
 * half of a tunnel. The stream ends when the peer ends. */
void stream_end(struct stream *stream);

/* Close now, drop what is queued. No events any more. NULL is fine. */
void stream_close(struct stream *stream);

/* As stream_close(), and the peer gets RST instead of FIN. */
void stream_abort(struct stream *stream);

/* ---- from one worker to another ---- */

struct stream_parcel;

/* Take an open stream from its worker: the connection lives on in the parcel
 * and the pointer is dead, as after stream_close(). Not from inside an event
 * of this stream: pause it there and do this in a worker_task.
 * Returns NULL when it is not open or out of memory; it is closed then. */
struct stream_parcel *stream_pack(struct stream *stream);

/* On the other worker's thread. The parcel is gone in any case. The stream is
 * as it was, not paused. Returns 0, or -errno: the connection is closed. */
int stream_unpack(struct stream **ret_stream, struct worker *worker,
                  struct stream_parcel *parcel,
                  const struct stream_events *events, void *arg);

/* Close the connection in it. Any thread. */
void stream_parcel_free(struct stream_parcel *parcel);

const struct addr *stream_peer(const struct stream *stream);
const struct addr *stream_local(const struct stream *stream);
struct worker *stream_worker(const struct stream *stream);

/* A number of the owner's own, 0 at first. */
void stream_set_mark(struct stream *stream, uint32_t mark);
uint32_t stream_mark(const struct stream *stream);

/* The session, for its facts; NULL on plain TCP. */
const struct tls_session *stream_tls(const struct stream *stream);

#endif /* NET_STREAM_H */

/* SPDX-License-Identifier: MIT */
/* stream_private.h - the inside of streams: stream.c has their life and the
 * public face, stream_io.c the bytes; listener.c makes accepted ones. */
#ifndef NET_STREAM_PRIVATE_H
#define NET_STREAM_PRIVATE_H

#include "base/buf.h"
#include "net/alarm.h"
#include "net/conn_limit.h"
#include "net/stream.h"
#include "net/tls_session.h"

#include <uv.h>

enum stream_state {
    STREAM_CONNECTING, /* TCP */
    STREAM_HEADER,     /* accepted; a front end says who the client is */
    STREAM_FIRST,      /* accepted; the first bytes tell what it is */
    STREAM_DETECT,     /* accepted; the first byte tells plain from TLS */
    STREAM_HANDSHAKE,  /* TLS */
    STREAM_OPEN,
    STREAM_LINGER, /* stream_shutdown(): we only wait for the end */
    STREAM_FAILED, /* on_closed is on its way */
    STREAM_CLOSED, /* no events; memory waits for libuv */
};

/* What TLS adds. */
struct stream_tls {
    struct tls_session *session;
    struct buf held; /* ciphertext that came before a pause */
};

struct stream {
    uv_poll_t poll;
    struct worker *worker;
    const struct stream_events *events;
    void *arg;
    struct stream_tls *tls; /* NULL: plain */
    struct tls_ctx *ctx;    /* until the session is made (detect) */
    struct span preface;    /* owned; until it is connected */
    struct addr peer;
    struct addr local;
    struct buf queue; /* what the user wrote and is not on its way */
    struct worker_task task;
    struct alarm alarm;
    struct list node; /* of the listener while not ready */
    struct conn_limit *limit;
    uint32_t max_queued;
    uint32_t low_water;
    uint32_t linger_ms;
    uint32_t mark; /* the user's */
    int err;       /* of STREAM_FAILED */
    int fd;
    uint8_t state;     /* enum stream_state */
    uint8_t poll_mask; /* what libuv watches */
    bool paused;
    bool left;      /* the peer has closed, seen while paused */
    bool blocked;   /* the kernel takes no more: wait for writable */
    bool above_low; /* on_writable is owed */
    bool want_end;  /* close_notify and FIN when the queue is empty */
    bool notify_sent;
    bool end_sent;
    bool is_client; /* made by stream_connect() */
    bool is_ending; /* stream_shutdown() came before it was open */
    bool eof;       /* the peer has ended */
    bool waits;     /* SO_RCVLOWAT is more than 1 */
};

/* A stream around a connected or connecting descriptor, which it owns from
 * now on also when this fails. Neither watching nor timed yet. */
int stream_new(struct stream **ret_stream, struct worker *worker, int fd,
               const struct addr *peer, const struct stream_options *options);

/* Make the TLS session. */
int stream_add_tls(struct stream *stream, struct tls_ctx *ctx,
                   const struct tls_peer *peer);

/* Watch for what the state needs. After everything that may change it. */
void stream_update_poll(struct stream *stream);

/* It is over: on_closed(err) at the end of the turn. */
void stream_fail(struct stream *stream, int err);

/* TCP and TLS are ready: STREAM_OPEN, on_open. */
void stream_opened(struct stream *stream);

/* Begin or go on with the handshake. */
void stream_handshake(struct stream *stream);

/* listener.c: STREAM_HEADER, and there is something to read. */
void listener_on_header(struct stream *stream);

/* The same for STREAM_FIRST. */
void listener_on_first(struct stream *stream);

/* Begin a TLS handshake as the server. Returns 0; -EBUSY or -EDQUOT when too
 * many begin, in all or from there; what stream_add_tls() returns. */
struct listener;
int listener_add_tls(struct stream *stream, struct listener *listener,
                     struct tls_ctx *tls);

/* stream_io.c: the descriptor is readable; process held TLS input; write. */
void stream_on_readable(struct stream *stream);
void stream_process_held(struct stream *stream);
void stream_flush(struct stream *stream);

/* on_writable when it is owed and the queue is low. */
void stream_notify_writable(struct stream *stream);

static inline bool stream_is_live(const struct stream *stream)
{
    return stream->state < STREAM_FAILED;
}

#endif /* NET_STREAM_PRIVATE_H */

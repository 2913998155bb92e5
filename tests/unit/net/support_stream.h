/* SPDX-License-Identifier: MIT */
/* support_stream.h - a listener and both ends of its connections, recorded. */
#ifndef SUPPORT_STREAM_H
#define SUPPORT_STREAM_H

#include "base/buf.h"
#include "net/listener.h"
#include "net/tls_ctx.h"

/* One end of a connection. */
struct end {
    struct stream *stream; /* NULL when it is over */
    struct buf got;
    bool opened;
    bool ended;
    bool closed;
    bool over; /* ended or closed */
    int err;
    unsigned writable;
    unsigned data_calls;
    bool echo;
    bool pause_on_data;
    bool close_on_data;
    bool shutdown_on_data;
};

struct pair {
    struct listener *listener;
    struct end server;
    struct end client;
    bool both_open;
    unsigned accepted;
};

/* With on_end, and without. */
extern const struct stream_events end_events;
extern const struct stream_events end_events_no_half;

/* A listener on loopback; the last connection accepted is pair->server. */
void pair_listen(struct pair *pair, enum listener_mode mode,
                 struct tls_ctx *tls, const struct listener_options *more);

/* Connect and wait until both ends are open. */
void pair_connect(struct pair *pair, struct tls_ctx *tls);

/* Begin to connect only. Returns stream_connect()'s result. */
int pair_start(struct pair *pair, const struct stream_target *target);

/* Close all that is open, release. */
void pair_close(struct pair *pair);

/* Turn the loop until this end has received `len` bytes in all. */
bool end_has(struct end *end, size_t len);

/* `len` bytes that can be recognised. */
void fill_pattern(uint8_t *out, size_t len, size_t from);
bool is_pattern(struct span s, size_t from);

#endif /* SUPPORT_STREAM_H */

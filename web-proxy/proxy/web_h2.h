/* SPDX-License-Identifier: MIT */
/* web_h2.h - HTTP/2 clients: a connection, and a session for each stream that
 * carries a request. Only for web_h2.c and web_h2_stream.c.
 *
 * nghttp2 (h2/h2_server.h) is told what to send when an event is over: until
 * then the streams collect, on `ready`, and everything leaves together.
 */
#ifndef WEB_H2_H
#define WEB_H2_H

#include "h2/h2_server.h"
#include "proxy/web_internal.h"

struct web_h2 {
    struct web_session s; /* what the shell knows */
    struct h2_server *h2;
    struct list flush;   /* in core->flush */
    struct list streams; /* of sessions */
    struct list ready;   /* of web_h2_stream: have something to say */
    struct list moved;   /* of web_h2_stream: the client took some content */
    uint32_t n_streams;
    size_t out_total; /* content of all streams that waits */

    bool failed;   /* nothing of the client's is read any more */
    bool draining; /* it was told that the connection ends */
    bool drained;  /* and that nothing new is taken */
    uint64_t drain_at;

    uint64_t idle_since;
    uint64_t frame_no; /* the one that is not complete; 0: none */
    uint64_t frame_since;
    uint64_t written; /* to the io, in all */
    uint64_t taken;   /* of that by the client, when last looked at */
    uint64_t taken_at;
};

struct web_h2_stream {
    struct web_session s; /* what the exchange knows */
    struct web_h2 *conn;
    int32_t id;
    struct list ready;
    struct list moved;

    struct buf out;      /* a head that is not submitted, then content */
    size_t head_len;     /* of that head */
    struct buf trailers; /* lines */
    bool submitted;      /* nghttp2 has the head */
    bool finished;       /* all is in `out` */
    bool said;           /* and sent */
    bool closed;         /* nghttp2 knows it no more */
    bool has_length;
    uint64_t length_left; /* of the content that was announced */
    size_t last_out;      /* when we last looked whether the client reads */
    size_t last_unacked;
    bool has_looked;
    size_t taken; /* by the client, since it was given more time */
};

static inline struct web_h2 *h2_of(const struct web_session *s)
{
    return CONTAINER_OF(s, struct web_h2, s);
}

static inline struct web_h2_stream *h2_stream_of(const struct web_session *s)
{
    return CONTAINER_OF(s, struct web_h2_stream, s);
}

/* ---- web_h2.c ---- */

/* Something may have to be sent when the event is over. */
void h2_mark(struct web_h2 *conn);
void h2_on_stream_gone(struct web_h2 *conn);

/* ---- web_h2_stream.c: as the events of h2_server.h ---- */

void *h2_stream_open(struct web_h2 *conn, int32_t id, struct span head,
                     int status, bool ends, bool tunnel);
void h2_stream_on_data(struct web_h2_stream *st, struct span data);
void h2_stream_on_end(struct web_h2_stream *st);
void h2_stream_on_closed(struct web_h2_stream *st);
void h2_stream_on_answered(struct web_h2_stream *st);
size_t h2_stream_take(struct web_h2_stream *st, uint8_t *out, size_t size,
                      bool *ret_end, struct span *ret_trailers);
/* Submit what is ready. */
void h2_stream_say(struct web_h2_stream *st);
/* The client took some: the back end may be read again. */
void h2_stream_on_moved(struct web_h2_stream *st);
/* The connection has gone. */
void h2_stream_cut(struct web_h2_stream *st);

#endif /* WEB_H2_H */

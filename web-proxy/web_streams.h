/* SPDX-License-Identifier: MIT */
/* web_streams.h - the stream routes as all workers see them: an immutable
 * snapshot, replaced as a whole at a reload. Connections keep the one they
 * began with; the counts of a route that stays go on, and so does its table of
 * connections.
 */
#ifndef WEB_STREAMS_H
#define WEB_STREAMS_H

#include "app/config.h"
#include "proxy/web_site.h"
#include "proxy/web_stream.h"

struct conn_limit;

struct web_stream_route {
    const char *name;
    const struct web_upstream *upstream;
    struct conn_limit *limit;
    struct web_stream_counts *counts;
    uint64_t idle_ms;
    bool send_proxy;
    bool log;
};

struct web_streams {
    struct web_site *site;     /* the upstreams are its */
    struct web_stream *chosen; /* by what: routes[i] by chosen[i] */
    struct web_stream_route *routes;
    size_t n;
    unsigned refs; /* atomic */
};

/* `config` is that of `site`; `old` may be NULL. Main thread. Returns 0 or
 * -ENOMEM. */
int web_streams_new(struct web_streams **ret_streams,
                    const struct config *config, struct web_site *site,
                    const struct web_streams *old);

/* Any thread. web_streams_unref() accepts NULL. */
struct web_streams *web_streams_ref(struct web_streams *streams);
void web_streams_unref(struct web_streams *streams);

/* Families for /metrics. */
void web_streams_metrics(const struct web_streams *streams, struct buf *out);

/* The member "streams" of /status. */
void web_streams_status(const struct web_streams *streams, struct buf *json);

#endif /* WEB_STREAMS_H */

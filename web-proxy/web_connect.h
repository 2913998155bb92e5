/* SPDX-License-Identifier: MIT */
/* web_connect.h - a client inside that asks for a connection to the outside:
 * HTTP CONNECT (RFC 9110 section 9.3.6), for listed targets only.
 */
#ifndef WEB_CONNECT_H
#define WEB_CONNECT_H

#include "net/stream.h"
#include "proxy/web_stats.h"
#include "web_egresses.h"

struct resolver;

/* What those of one worker have in common. */
struct web_connects {
    struct worker *worker;
    struct resolver *resolver;
    struct web_stats *stats;
    struct stream_options stream;
    struct list waiting; /* until joined */
    struct list pipes;
    struct web_egresses *egresses; /* the present ones; referenced */
};

/* `egresses` is referenced. */
void web_connects_init(struct web_connects *all, struct web_egresses *egresses);
void web_connects_set(struct web_connects *all, struct web_egresses *egresses);

/* Close those that have not asked yet; take no new ones. */
void web_connects_drain(struct web_connects *all);

/* Close everything, release. Harmless when init was not called. */
void web_connects_deinit(struct web_connects *all);

/* The stream is ours from now on. */
void web_connect_begin(struct web_connects *all, struct stream *client);

#endif /* WEB_CONNECT_H */

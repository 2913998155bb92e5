/* SPDX-License-Identifier: MIT */
/* web_passage.h - a client's connection on its way through a stream route: a
 * server is chosen and reached, told whose connection it is, and the two are
 * joined (web_pipe.h).
 */
#ifndef WEB_PASSAGE_H
#define WEB_PASSAGE_H

#include "net/stream.h"
#include "proxy/web_pick.h"
#include "proxy/web_stats.h"
#include "web_streams.h"

struct resolver;

/* What the passages of one worker have in common. */
struct web_passages {
    struct worker *worker;
    struct resolver *resolver;
    struct web_stats *stats;
    struct stream_options stream;
    struct list dials; /* of web_dial.h */
    struct list waiting;
    struct list pipes;
    struct web_streams *streams; /* present ones; a reference is held */
    struct web_picks *picks;     /* of their site */
};

/* `streams` is referenced. Returns 0 or -ENOMEM. */
int web_passages_init(struct web_passages *all, struct web_streams *streams);

/* For connections from now on; without memory the old ones stay. */
void web_passages_set(struct web_passages *all, struct web_streams *streams);

/* Close everything, release. Harmless when init was not called. */
void web_passages_deinit(struct web_passages *all);

/* The stream is the passage's, which closes it when it cannot be. `route` is
 * an index into the present streams. */
void web_passage_begin(struct web_passages *all, size_t route,
                       struct stream *client);

#endif /* WEB_PASSAGE_H */

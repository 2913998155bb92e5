/* SPDX-License-Identifier: MIT */
/* web_doors.h - where one worker listens, and who gets what comes in: the
 * sessions of HTTP, or a stream route.
 *
 * HTTPS looks at the ClientHello before a TLS session begins; a shared port
 * asks the stream routes first. Who speaks HTTP without TLS there is told
 * where HTTPS is; whoever else nobody wants is sent away.
 */
#ifndef WEB_DOORS_H
#define WEB_DOORS_H

#include "net/listener.h"
#include "web_state.h"

struct resolver;
struct web_doors;

struct web_doors_options {
    struct web_state *state;
    struct worker *worker;
    struct resolver *resolver;
    struct web_stats *stats;
    struct stream_options stream;
    /* A client of HTTP; the stream is the receiver's, who closes it or sets
     * its events. `entry` outlives it. */
    void (*on_session)(void *arg, struct stream *stream,
                       const struct web_entry *entry);
    void *arg;
};

/* Returns 0, or an error; release with web_doors_free() in both cases. */
int web_doors_new(struct web_doors **ret_doors,
                  const struct web_doors_options *options);

/* Take the state's present certificates and streams. */
void web_doors_reload(struct web_doors *doors);

/* The sum over its listeners; false when they are closed. */
bool web_doors_stats(const struct web_doors *doors,
                     struct listener_stats *ret_sum);

/* Listen no more; streams go on. */
void web_doors_close(struct web_doors *doors);

/* And end the streams, too. */
void web_doors_stop(struct web_doors *doors);

/* NULL is accepted. */
void web_doors_free(struct web_doors *doors);

#endif /* WEB_DOORS_H */

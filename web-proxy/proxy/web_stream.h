/* SPDX-License-Identifier: MIT */
/* web_stream.h - stream routes: connections that are passed on as they are,
 * told by the first bytes of a port that several share, or by a port of their
 * own.
 *
 * Pure decisions, any thread; the counts may change in all of them.
 */
#ifndef WEB_STREAM_H
#define WEB_STREAM_H

#include "base/first_bytes.h"
#include "base/stats.h"

/* What happened to the connections of one route, in all workers. */
#define WEB_STREAM_COUNTS(X)                                                   \
    X(taken)     /* connections for this route */                              \
    X(open)      /* of them now */                                             \
    X(refused)   /* closed at once: too many, in all or from one source */     \
    X(no_server) /* closed: no server could be reached */                      \
    X(idle)      /* closed: nothing came for too long */                       \
    X(failed)    /* ended by an error on either side */                        \
    X(bytes_in)  /* from clients */                                            \
    X(bytes_out) /* to clients */

struct web_stream_counts {
    unsigned refs; /* atomic; a reload keeps them */
#define WEB_STREAM_FIELD(name) uint64_t name;
    WEB_STREAM_COUNTS(WEB_STREAM_FIELD)
#undef WEB_STREAM_FIELD
};

/* With one reference; NULL without memory. */
struct web_stream_counts *web_stream_counts_new(void);
struct web_stream_counts *web_stream_counts_ref(struct web_stream_counts *c);
/* NULL is accepted. */
void web_stream_counts_unref(struct web_stream_counts *c);

static inline void web_stream_count(uint64_t *count, uint64_t n)
{
    __atomic_add_fetch(count, n, __ATOMIC_RELAXED);
}

/* Strings are borrowed from the owner. */
struct web_stream {
    const char *name;
    uint16_t port; /* of our own listener; 0: on the shared ones */

    /* Shared ports: TLS clients that ask for one of these names ("*.a.b" has
     * one more label, "*" is every name we have no certificate for), or offer
     * one of these protocols; */
    const char *const *names;
    size_t n_names;
    const char *const *protocols;
    size_t n_protocols;
    bool nameless; /* or ask for no name at all (some SIP clients); */
    /* and clients without TLS that speak this; FIRST_OTHER: none. */
    enum first_kind plain;
};

/* The route on shared ports for a connection that begins so; `known`: we have
 * a certificate for the name it asks for. By the name first (whole names, then
 * wildcards), then by the protocols, then "*" or nameless. NULL: none. */
const struct web_stream *web_stream_match(const struct web_stream *streams,
                                          size_t n,
                                          const struct first_bytes *first,
                                          bool known);

/* The route of a listener of its own; NULL: none. */
const struct web_stream *web_stream_at(const struct web_stream *streams,
                                       size_t n, uint16_t port);

#endif /* WEB_STREAM_H */

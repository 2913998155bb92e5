/* SPDX-License-Identifier: MIT */
/* web_dial.h - opening a connection to a back end: look the name up, try its
 * addresses one after the other, within one time limit.
 */
#ifndef WEB_DIAL_H
#define WEB_DIAL_H

#include "base/list.h"
#include "net/resolve.h"
#include "net/stream.h"
#include "proxy/web_site.h"

struct web_dial;

struct web_dial_options {
    struct worker *worker;
    struct resolver *resolver;
    const struct web_backend *backend; /* outlives the attempt */
    struct stream_options stream;
    struct span preface; /* see stream_target; outlives the attempt */
    struct list *list;   /* where it is kept while under way */
    /* One of the two is called, later, unless cancelled. The stream is the
     * receiver's, who has to call stream_set_events(). */
    void (*done)(void *arg, struct stream *stream);
    void (*failed)(void *arg, int err);
    void *arg;
};

/* NULL when it cannot even begin. */
struct web_dial *web_dial_new(const struct web_dial_options *options);

/* No report will come. */
void web_dial_cancel(struct web_dial *dial);

#endif /* WEB_DIAL_H */

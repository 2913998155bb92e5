/* SPDX-License-Identifier: MIT */
/* web_pipe.h - two connections joined: what one sends the other gets, halves
 * end one by one, and who does not read is not read for.
 */
#ifndef WEB_PIPE_H
#define WEB_PIPE_H

#include "base/list.h"
#include "net/stream.h"

struct web_pipe;

enum web_pipe_why {
    WEB_PIPE_ENDED,  /* in order */
    WEB_PIPE_FAILED, /* one side broke: the other got RST */
    WEB_PIPE_IDLE,   /* nothing came for too long */
    WEB_PIPE_BYTES,  /* it has carried as much as it may */
    WEB_PIPE_CLOSED, /* by us, at a stop */
};

struct web_pipe_sum {
    enum web_pipe_why why;
    uint64_t in, out; /* bytes from and to the client */
    uint64_t ms;
};

struct web_pipe_options {
    struct worker *worker;
    struct list *list; /* where it is kept */
    /* Both open; the pipe's from now on, also when this fails. */
    struct stream *client;
    struct stream *upstream;
    struct span early; /* read from the client already */
    uint64_t idle_ms;
    uint64_t bytes_max; /* both ways together; 0: no limit */
    /* Counted while it lasts, atomically; may be NULL. */
    uint64_t *count_in;
    uint64_t *count_out;
    /* Called once, when both are gone. */
    void (*over)(void *arg, const struct web_pipe_sum *sum);
    void *arg;
};

/* Returns 0, or -ENOMEM: `over` is not called then. */
int web_pipe_new(const struct web_pipe_options *options);

/* All of the list, at once; `over` is called for each. */
void web_pipe_close_all(struct list *list);

#endif /* WEB_PIPE_H */

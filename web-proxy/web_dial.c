/* SPDX-License-Identifier: MIT */
#include "web_dial.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>

enum { ADDRS_MAX = 4 };

struct web_dial {
    struct list node;
    struct web_dial_options options;
    struct resolve_id lookup;
    struct stream *stream;
    uint64_t deadline;
    struct addr addrs[ADDRS_MAX];
    size_t n;
    size_t next;
};

static void release(struct web_dial *dial)
{
    list_remove(&dial->node);
    mem_free(dial);
}

static void report_failure(struct web_dial *dial, int err)
{
    struct web_dial_options options = dial->options;

    release(dial);
    options.failed(options.arg, err);
}

static void on_open(struct stream *stream, void *arg)
{
    struct web_dial *dial = arg;
    struct web_dial_options options = dial->options;

    release(dial);
    options.done(options.arg, stream);
}

static int try_next(struct web_dial *dial, int err);

static void on_closed(struct stream *stream, int err, void *arg)
{
    struct web_dial *dial = arg;

    (void)stream;
    dial->stream = NULL;
    err = try_next(dial, err ? err : ERR_CLOSED);
    if (err < 0)
        report_failure(dial, err);
}

/* Bytes before the open event cannot be; the shell of the link takes over
 * there. */
static void on_data(struct stream *stream, struct span data, void *arg)
{
    (void)stream;
    (void)data;
    (void)arg;
}

static const struct stream_events events = {
    .on_open = on_open, .on_data = on_data, .on_closed = on_closed};

/* Returns 0 when an attempt was started, else why the last one failed. */
static int try_next(struct web_dial *dial, int err)
{
    const struct web_backend *b = dial->options.backend;
    uint64_t now = worker_now(dial->options.worker);

    while (dial->next < dial->n) {
        struct stream_target target = {
            .to = dial->addrs[dial->next++],
            .tls = b->upstream->tls,
            .server_name = b->server_name,
            .verify_name = b->verify_name,
            .preface = dial->options.preface,
            .options = dial->options.stream,
        };

        if (now >= dial->deadline)
            return -ETIMEDOUT;
        target.timeout_ms = (unsigned)(dial->deadline - now);
        err = stream_connect(&dial->stream, dial->options.worker, &target,
                             &events, dial);
        if (err == 0)
            return 0;
    }
    return err;
}

static void on_resolved(void *arg, int err, const struct addr *addrs, size_t n)
{
    struct web_dial *dial = arg;

    dial->lookup.value = 0;
    for (size_t i = 0; err == 0 && i < n && i < ADDRS_MAX; i++)
        dial->addrs[dial->n++] = addrs[i];
    err = try_next(dial, err ? err : ERR_RESOLVE);
    if (err < 0)
        report_failure(dial, err);
}

struct web_dial *web_dial_new(const struct web_dial_options *options)
{
    const struct web_backend *b = options->backend;
    struct web_dial *dial = mem_zalloc(sizeof(*dial));
    int err;

    if (!dial)
        return NULL;
    dial->options = *options;
    dial->deadline = worker_now(options->worker) + b->upstream->connect_ms;
    list_push_back(options->list, &dial->node);
    if (b->addr.family != ADDR_NONE) {
        dial->addrs[dial->n++] = b->addr;
        err = try_next(dial, 0);
    } else {
        err = resolver_lookup(options->resolver, span_str(b->host), b->port,
                              ADDR_NONE, on_resolved, dial, &dial->lookup);
    }
    if (err < 0) {
        release(dial);
        return NULL;
    }
    return dial;
}

void web_dial_cancel(struct web_dial *dial)
{
    if (dial->lookup.value)
        resolver_cancel(dial->options.resolver, dial->lookup);
    if (dial->stream)
        stream_close(dial->stream);
    release(dial);
}

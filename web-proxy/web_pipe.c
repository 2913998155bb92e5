/* SPDX-License-Identifier: MIT */
#include "web_pipe.h"

#include "base/mem.h"
#include "net/alarm.h"

#include <errno.h>

enum {
    /* A side is not read while more than this waits for the other. */
    QUEUE_MAX = 64 * 1024,
};

struct web_pipe {
    struct list node;
    struct web_pipe_options options;
    struct stream *client; /* NULL: gone */
    struct stream *upstream;
    struct alarm alarm;
    uint64_t began;
    uint64_t last; /* when something came */
    struct web_pipe_sum sum;
    bool ending; /* what is left only has to be gone */
};

/* ---- its end ---- */

static void finish(struct web_pipe *pipe)
{
    struct web_pipe_options options = pipe->options;
    struct web_pipe_sum sum = pipe->sum;

    sum.ms = worker_now(options.worker) - pipe->began;
    alarm_cancel(&pipe->alarm);
    list_remove(&pipe->node);
    mem_free(pipe);
    options.over(options.arg, &sum);
}

/* At once. */
static void cut(struct web_pipe *pipe, enum web_pipe_why why, bool reset)
{
    void (*end)(struct stream * stream) = reset ? stream_abort : stream_close;

    if (!pipe->ending)
        pipe->sum.why = why;
    end(pipe->client);
    end(pipe->upstream);
    finish(pipe);
}

static void on_closed(struct web_pipe *pipe, int err)
{
    struct stream *other = pipe->client ? pipe->client : pipe->upstream;

    if (!other) {
        finish(pipe);
    } else if (err < 0 && !pipe->ending) {
        cut(pipe, WEB_PIPE_FAILED, true);
    } else {
        pipe->ending = true;
        alarm_cancel(&pipe->alarm); /* lingering has its own time */
        stream_shutdown(other);
    }
}

static void on_client_closed(struct stream *stream, int err, void *arg)
{
    struct web_pipe *pipe = arg;

    (void)stream;
    pipe->client = NULL;
    on_closed(pipe, err);
}

static void on_upstream_closed(struct stream *stream, int err, void *arg)
{
    struct web_pipe *pipe = arg;

    (void)stream;
    pipe->upstream = NULL;
    on_closed(pipe, err);
}

/* ---- time ---- */

/* The alarm is not moved with every byte: when it comes it looks. */
static void on_alarm(struct alarm *alarm, uint64_t now)
{
    struct web_pipe *pipe = CONTAINER_OF(alarm, struct web_pipe, alarm);
    uint64_t due = pipe->last + pipe->options.idle_ms;

    if (now < due)
        alarm_set(alarm, due);
    else
        cut(pipe, WEB_PIPE_IDLE, false);
}

/* ---- bytes ---- */

/* NOLINTNEXTLINE(readability-non-const-parameter): it is added to */
static void count(uint64_t *shared, uint64_t *own, size_t n)
{
    *own += n;
    if (shared)
        __atomic_add_fetch(shared, n, __ATOMIC_RELAXED);
}

/* False when the pipe is no more. */
static bool carry(struct web_pipe *pipe, struct stream *from, struct stream *to,
                  struct span data)
{
    uint64_t max = pipe->options.bytes_max;

    pipe->last = worker_now(pipe->options.worker);
    if (max && pipe->sum.in + pipe->sum.out > max) {
        cut(pipe, WEB_PIPE_BYTES, true);
        return false;
    }
    if (!to)
        return true; /* nobody is there for it; the rest is lingering */
    if (stream_write(to, data) < 0) {
        cut(pipe, WEB_PIPE_FAILED, true);
        return false;
    }
    if (stream_queued(to) > QUEUE_MAX)
        stream_pause(from);
    return true;
}

static void on_client_data(struct stream *stream, struct span data, void *arg)
{
    struct web_pipe *pipe = arg;

    count(pipe->options.count_in, &pipe->sum.in, data.len);
    (void)carry(pipe, stream, pipe->upstream, data);
}

static void on_upstream_data(struct stream *stream, struct span data, void *arg)
{
    struct web_pipe *pipe = arg;

    count(pipe->options.count_out, &pipe->sum.out, data.len);
    (void)carry(pipe, stream, pipe->client, data);
}

static void on_client_writable(struct stream *stream, void *arg)
{
    struct web_pipe *pipe = arg;

    (void)stream;
    pipe->last = worker_now(pipe->options.worker); /* it takes something */
    if (pipe->upstream && !pipe->ending)
        stream_resume(pipe->upstream);
}

static void on_upstream_writable(struct stream *stream, void *arg)
{
    struct web_pipe *pipe = arg;

    (void)stream;
    pipe->last = worker_now(pipe->options.worker);
    if (pipe->client && !pipe->ending)
        stream_resume(pipe->client);
}

/* Half of it ends; the stream ends by itself when both have. */
static void on_client_end(struct stream *stream, void *arg)
{
    struct web_pipe *pipe = arg;

    (void)stream;
    if (pipe->upstream)
        stream_end(pipe->upstream);
}

static void on_upstream_end(struct stream *stream, void *arg)
{
    struct web_pipe *pipe = arg;

    (void)stream;
    if (pipe->client)
        stream_end(pipe->client);
}

static const struct stream_events client_events = {
    .on_data = on_client_data,
    .on_writable = on_client_writable,
    .on_end = on_client_end,
    .on_closed = on_client_closed,
};

static const struct stream_events upstream_events = {
    .on_data = on_upstream_data,
    .on_writable = on_upstream_writable,
    .on_end = on_upstream_end,
    .on_closed = on_upstream_closed,
};

/* ---- life ---- */

int web_pipe_new(const struct web_pipe_options *options)
{
    struct web_pipe *pipe = mem_zalloc(sizeof(*pipe));

    if (!pipe) {
        stream_abort(options->client);
        stream_abort(options->upstream);
        return -ENOMEM;
    }
    pipe->options = *options;
    pipe->client = options->client;
    pipe->upstream = options->upstream;
    pipe->began = worker_now(options->worker);
    pipe->last = pipe->began;
    list_push_back(options->list, &pipe->node);
    alarm_init(&pipe->alarm, options->worker, on_alarm);
    alarm_set(&pipe->alarm, pipe->began + options->idle_ms);
    stream_set_events(pipe->client, &client_events, pipe);
    stream_set_events(pipe->upstream, &upstream_events, pipe);
    if (options->early.len > 0) {
        count(options->count_in, &pipe->sum.in, options->early.len);
        if (!carry(pipe, pipe->client, pipe->upstream, options->early))
            return 0;
    }
    if (stream_queued(pipe->upstream) <= QUEUE_MAX)
        stream_resume(pipe->client);
    return 0;
}

void web_pipe_close_all(struct list *list)
{
    struct list *node;

    while ((node = list_first(list)))
        cut(CONTAINER_OF(node, struct web_pipe, node), WEB_PIPE_CLOSED, false);
}

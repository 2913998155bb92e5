/* SPDX-License-Identifier: MIT */
/* A connection of HTTP/2: bytes, frames, time; and how it ends. */
#include "proxy/web_h2.h"

#include "base/mem.h"

#include <errno.h>

enum {
    /* How long a client may go on asking after it was told of the end. */
    GRACE_MS = 1000,
    /* Content taken ahead by a connection: so many streams' windows. */
    CONNECTION_WINDOWS = 2,
};

void h2_mark(struct web_h2 *conn)
{
    if (conn->s.state != WEB_SESSION_DEAD && list_is_empty(&conn->flush))
        list_push_back(&conn->s.core->flush, &conn->flush);
}

/* ---- time ---- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static size_t io_queued(const struct web_h2 *conn)
{
    struct web_core *core = conn->s.core;

    return core->env.queued(core->env.arg, conn->s.io);
}

/* Does the client take what we send? */
static void note_taken(struct web_h2 *conn)
{
    uint64_t taken = conn->written - io_queued(conn);

    if (taken != conn->taken) {
        conn->taken = taken;
        conn->taken_at = conn->s.core->now;
    }
}

static uint64_t idle_until(const struct web_h2 *conn)
{
    const struct web_limits *l = &conn->s.core->view->site->limits;

    if (conn->n_streams > 0)
        return TIMERS_NEVER;
    return conn->idle_since +
           (conn->s.requests == 0 ? l->head_ms : l->keepalive_ms);
}

static uint64_t frame_until(const struct web_h2 *conn)
{
    if (conn->frame_no == 0)
        return TIMERS_NEVER;
    return conn->frame_since + conn->s.core->view->site->limits.head_ms;
}

static uint64_t stuck_until(const struct web_h2 *conn)
{
    if (conn->written == conn->taken)
        return TIMERS_NEVER;
    return conn->taken_at + conn->s.core->view->site->limits.write_ms;
}

static uint64_t drain_until(const struct web_h2 *conn)
{
    return conn->draining && !conn->drained ? conn->drain_at : TIMERS_NEVER;
}

static void update_due(struct web_h2 *conn)
{
    uint64_t due = earlier(idle_until(conn), frame_until(conn));

    due = earlier(due, earlier(stuck_until(conn), drain_until(conn)));
    session_set_due(&conn->s, due);
}

/* ---- the end ---- */

static void cut_streams(struct web_h2 *conn)
{
    struct list *node;

    while ((node = list_first(&conn->streams)))
        h2_stream_cut(
            h2_stream_of(CONTAINER_OF(node, struct web_session, node)));
}

static void give_up(struct web_h2 *conn)
{
    conn->failed = true;
    h2_server_terminate(conn->h2);
    h2_mark(conn);
}

static void count_fault(struct web_stats *stats, enum h2_fault fault)
{
    switch (fault) {
    case H2_FAULT_NONE:
        break;
    case H2_FAULT_PROTOCOL:
    case H2_FAULT_CLOSED:
        stats_inc(&stats->h2_fault_protocol);
        break;
    case H2_FAULT_RESETS:
        stats_inc(&stats->h2_fault_resets);
        break;
    case H2_FAULT_FRAMES:
        stats_inc(&stats->h2_fault_frames);
        break;
    case H2_FAULT_CONTINUATIONS:
        stats_inc(&stats->h2_fault_continuations);
        break;
    case H2_FAULT_HEADERS:
        stats_inc(&stats->h2_fault_headers);
        break;
    case H2_FAULT_OUTPUT:
        stats_inc(&stats->h2_fault_output);
        break;
    case H2_FAULT_MEMORY:
        stats_inc(&stats->h2_fault_memory);
        break;
    }
}

static void take_no_more(struct web_h2 *conn)
{
    if (conn->drained)
        return;
    conn->drained = true;
    h2_server_take_no_more(conn->h2);
    h2_mark(conn);
}

/* RFC 9113 6.8: a client learns of it before a request is refused. */
static void begin_drain(struct web_h2 *conn)
{
    if (conn->draining || conn->failed)
        return;
    conn->draining = true;
    conn->drain_at = conn->s.core->now + GRACE_MS;
    h2_server_announce_end(conn->h2);
    h2_server_ping(conn->h2);
    h2_mark(conn);
}

static void h2_drain(struct web_session *s)
{
    struct web_h2 *conn = h2_of(s);

    if (conn->n_streams > 0)
        begin_drain(conn);
    else
        give_up(conn);
}

static void h2_on_timer(struct web_session *s)
{
    struct web_h2 *conn = h2_of(s);
    uint64_t now = s->core->now;

    if (s->state != WEB_SESSION_HEAD)
        return;
    note_taken(conn);
    if (stuck_until(conn) <= now) {
        stats_inc(&s->core->stats->client_timeout);
        session_abort(s);
        return;
    }
    if (frame_until(conn) <= now) {
        stats_inc(&s->core->stats->client_timeout);
        give_up(conn);
    } else if (idle_until(conn) <= now) {
        give_up(conn);
    } else if (drain_until(conn) <= now) {
        take_no_more(conn);
    }
    if (!conn->failed)
        update_due(conn);
}

/* ---- streams ---- */

void h2_on_stream_gone(struct web_h2 *conn)
{
    stats_dec(&conn->s.core->stats->h2_streams);
    if (--conn->n_streams == 0)
        conn->idle_since = conn->s.core->now;
    h2_mark(conn);
}

static void *on_request(void *arg, int32_t id, struct span head, int status,
                        bool ends, bool tunnel)
{
    struct web_h2 *conn = arg;

    /* nghttp2 allows for more until the client has our SETTINGS. */
    if (conn->failed ||
        conn->n_streams >= conn->s.core->view->site->limits.h2_streams) {
        stats_inc(&conn->s.core->stats->h2_refused);
        return NULL;
    }
    if (++conn->s.requests >= conn->s.core->view->site->limits.requests_max)
        begin_drain(conn);
    return h2_stream_open(conn, id, head, status, ends, tunnel);
}

static void on_data(void *arg, void *stream, struct span data)
{
    (void)arg;
    h2_stream_on_data(stream, data);
}

static void on_end(void *arg, void *stream)
{
    (void)arg;
    h2_stream_on_end(stream);
}

static void on_closed(void *arg, void *stream)
{
    (void)arg;
    h2_stream_on_closed(stream);
}

static size_t on_take(void *arg, void *stream, uint8_t *out, size_t size,
                      bool *ret_end, struct span *ret_trailers)
{
    (void)arg;
    return h2_stream_take(stream, out, size, ret_end, ret_trailers);
}

static void on_answered(void *arg, void *stream)
{
    (void)arg;
    h2_stream_on_answered(stream);
}

static void on_malformed(void *arg)
{
    struct web_h2 *conn = arg;

    stats_inc(&conn->s.core->stats->bad_requests);
    access_log_refused(&conn->s, NULL, 400);
}

static void on_pong(void *arg)
{
    struct web_h2 *conn = arg;

    if (conn->draining)
        take_no_more(conn);
}

/* ---- bytes ---- */

/* Everything that streams have to say is said to nghttp2. */
static void say(struct web_h2 *conn)
{
    struct list *node;

    while ((node = list_first(&conn->ready))) {
        list_remove(node);
        h2_stream_say(CONTAINER_OF(node, struct web_h2_stream, ready));
    }
}

/* False: the io takes no more, or there is no more. */
static bool send_frame(struct web_h2 *conn)
{
    struct web_core *core = conn->s.core;
    struct span frame;

    if (io_queued(conn) > core->view->site->limits.queue_max)
        return false;
    frame = h2_server_send(conn->h2);
    if (frame.len == 0)
        return false;
    if (core_write(core, conn->s.io, frame) < 0) {
        session_abort(&conn->s);
        return false;
    }
    if (conn->written == conn->taken)
        conn->taken_at = core->now;
    conn->written += frame.len;
    return true;
}

static void tell_moved(struct web_h2 *conn)
{
    struct list *node;

    while ((node = list_first(&conn->moved))) {
        list_remove(node);
        h2_stream_on_moved(CONTAINER_OF(node, struct web_h2_stream, moved));
    }
}

/* What is said is sent: is it the end? */
static void look_for_end(struct web_h2 *conn)
{
    bool fault = h2_server_fault(conn->h2) != H2_FAULT_NONE;

    if (conn->n_streams == 0 && conn->drained)
        conn->failed = true;
    if (!fault && !conn->failed && !h2_server_is_over(conn->h2))
        return;
    conn->failed = true;
    count_fault(conn->s.core->stats, h2_server_fault(conn->h2));
    cut_streams(conn);
    session_shutdown(&conn->s);
}

static void flush(struct web_h2 *conn)
{
    bool sent;

    do {
        say(conn);
        sent = false;
        while (conn->s.state == WEB_SESSION_HEAD && send_frame(conn))
            sent = true;
        /* Streams whose answer is out may have a last word. */
    } while (sent && !list_is_empty(&conn->ready));
    if (conn->s.state != WEB_SESSION_HEAD)
        return;
    tell_moved(conn);
    note_taken(conn);
    look_for_end(conn);
    if (conn->s.state == WEB_SESSION_HEAD)
        update_due(conn);
}

void h2_flush_all(struct web_core *core)
{
    struct list *node;

    while ((node = list_first(&core->flush))) {
        struct web_h2 *conn = CONTAINER_OF(node, struct web_h2, flush);

        list_remove(node);
        if (conn->s.state == WEB_SESSION_HEAD)
            flush(conn);
    }
}

static void note_frame(struct web_h2 *conn)
{
    uint64_t frame = h2_server_in_frame(conn->h2);

    if (frame != conn->frame_no)
        conn->frame_since = conn->s.core->now;
    conn->frame_no = frame;
}

static void h2_on_data(struct web_session *s, struct span data)
{
    struct web_h2 *conn = h2_of(s);

    if (s->state != WEB_SESSION_HEAD || conn->failed)
        return;
    if (!h2_server_recv(conn->h2, data, s->core->now))
        conn->failed =
            conn->failed || h2_server_fault(conn->h2) != H2_FAULT_NONE;
    note_frame(conn);
    h2_mark(conn);
}

static void h2_on_writable(struct web_session *s)
{
    h2_mark(h2_of(s));
}

/* With TLS nobody closes one half only. */
static void h2_on_end(struct web_session *s)
{
    if (s->state == WEB_SESSION_HEAD)
        session_end(s);
}

static void h2_on_closed(struct web_session *s)
{
    session_end(s);
}

/* ---- life ---- */

static void h2_shutdown(struct web_session *s)
{
    s->core->env.shutdown(s->core->env.arg, s->io);
}

static void h2_gone(struct web_session *s, void *io, bool abort)
{
    struct web_h2 *conn = h2_of(s);

    cut_streams(conn);
    list_remove(&conn->flush);
    session_close_io(s, io, abort);
}

static void h2_recycle(struct web_session *s)
{
    struct web_h2 *conn = h2_of(s);

    h2_server_free(conn->h2);
    buf_deinit(&s->in);
    mem_free(conn);
}

static void nothing(struct web_session *s)
{
    (void)s;
}

static const struct session_ops h2_ops = {
    .version = "2",
    .shutdown = h2_shutdown,
    .gone = h2_gone,
    .recycle = h2_recycle,
    .resume = nothing,
    .update_reading = nothing,
    .on_timer = h2_on_timer,
    .drain = h2_drain,
    .on_data = h2_on_data,
    .on_writable = h2_on_writable,
    .on_end = h2_on_end,
    .on_closed = h2_on_closed,
};

struct web_session *h2_session_new(struct web_core *core)
{
    struct web_h2 *conn = mem_zalloc(sizeof(*conn));

    if (!conn)
        return NULL;
    session_init(core, &conn->s);
    conn->s.ops = &h2_ops;
    list_init(&conn->flush);
    list_init(&conn->streams);
    list_init(&conn->ready);
    list_init(&conn->moved);
    return &conn->s;
}

int h2_session_start(struct web_session *s)
{
    struct web_h2 *conn = h2_of(s);
    struct web_core *core = s->core;
    const struct web_limits *l = &core->view->site->limits;
    struct h2_limits limits = {
        .streams = l->h2_streams,
        .window = l->h2_window,
        .connection_window = l->h2_window * CONNECTION_WINDOWS,
        .head = core->request_limits.head,
        .resets = l->h2_resets,
        .frames = l->h2_frames,
        .secure = s->entry->secure,
        .websocket = true,
    };
    struct h2_events events = {on_request,   on_data, on_end,
                               on_closed,    on_take, on_answered,
                               on_malformed, on_pong, conn};
    int err = h2_server_new(&conn->h2, &limits, &events, core->now);

    if (err < 0)
        return err;
    stats_inc(&core->stats->h2_sessions);
    conn->idle_since = conn->frame_since = core->now;
    conn->frame_no = h2_server_in_frame(conn->h2);
    update_due(conn);
    h2_mark(conn);
    return 0;
}

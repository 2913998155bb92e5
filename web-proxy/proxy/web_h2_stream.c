/* SPDX-License-Identifier: MIT */
/* A stream of HTTP/2: to its exchange what a session of HTTP/1 is. */
#include "proxy/web_h2.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>

enum {
    /* Content that waits at a stream: what one read of a back end brings
     * comes on top of queue_max. */
    OUT_MAX = 512 * 1024,
    /* Above so much of all streams together each may only have a little. */
    TOTAL_MAX = 512 * 1024,
    /* An early answer has so long to be read before the rest of the request is
     * refused: several clients forget it over the RST_STREAM. */
    LINGER_MS = 1000,
};

static const struct session_ops stream_ops;

/* ---- what is said to the client ---- */

static void get_ready(struct web_h2_stream *st)
{
    if (list_is_empty(&st->ready))
        list_push_back(&st->conn->ready, &st->ready);
    h2_mark(st->conn);
}

static bool is_interim(struct span head)
{
    return head.len > 12 && head.ptr[9] == '1' &&
           !span_starts(span_from(head, 9), "101");
}

static int stream_head(struct web_session *s, struct span head)
{
    struct web_h2_stream *st = h2_stream_of(s);

    if (is_interim(head)) {
        h2_mark(st->conn);
        return h2_server_interim(st->conn->h2, st->id, head);
    }
    buf_put_span(&st->out, head);
    if (buf_err(&st->out) < 0)
        return buf_err(&st->out);
    st->head_len = head.len;
    get_ready(st);
    return 0;
}

static int stream_body(struct web_session *s, struct span body, bool chunked)
{
    struct web_h2_stream *st = h2_stream_of(s);

    (void)chunked;
    buf_put_span(&st->out, body);
    if (buf_err(&st->out) < 0)
        return buf_err(&st->out);
    st->conn->out_total += body.len;
    get_ready(st);
    return 0;
}

static int stream_finish(struct web_session *s, bool chunked,
                         const struct http_header *trailers, size_t n)
{
    struct web_h2_stream *st = h2_stream_of(s);

    (void)chunked;
    for (size_t i = 0; i < n; i++) {
        buf_put_span(&st->trailers, trailers[i].name);
        buf_put_str(&st->trailers, ": ");
        buf_put_span(&st->trailers, trailers[i].value);
        buf_put_str(&st->trailers, "\r\n");
    }
    if (buf_err(&st->trailers) < 0)
        buf_reset(&st->trailers); /* none are better than some */
    st->finished = true;
    get_ready(st);
    return 0;
}

static size_t content_len(const struct web_h2_stream *st)
{
    return buf_len(&st->out) - st->head_len;
}

static size_t stream_queued(const struct web_session *s)
{
    return content_len(h2_stream_of(s));
}

/* Of all streams: while the connection moves, so does each of them. */
static size_t stream_unacked(const struct web_session *s)
{
    const struct web_h2 *conn = h2_stream_of(s)->conn;
    struct web_core *core = s->core;

    return conn->s.io ? core->env.unacked(core->env.arg, conn->s.io) : 0;
}

static bool stream_is_full(const struct web_session *s, size_t max)
{
    const struct web_h2_stream *st = h2_stream_of(s);
    size_t len = content_len(st);

    return len > max || (len > 0 && st->conn->out_total > TOTAL_MAX);
}

/* From here on the client has its time again. */
static void begin_wait(struct web_h2_stream *st)
{
    struct web_core *core = st->s.core;

    st->last_out = content_len(st);
    st->has_looked = false;
    session_set_due(&st->s, core->now + core->view->site->limits.write_ms);
}

/* Nothing follows; the stream goes when the client has taken it all. */
static void say_last(struct web_h2_stream *st)
{
    st->s.state = WEB_SESSION_CLOSING;
    st->finished = true;
    session_forget_request(&st->s);
    begin_wait(st);
    get_ready(st);
}

static void stream_next(struct web_session *s)
{
    if (s->state != WEB_SESSION_DEAD)
        say_last(h2_stream_of(s));
}

static void stream_shutdown(struct web_session *s)
{
    say_last(h2_stream_of(s));
}

static void stream_half_end(struct web_session *s)
{
    h2_stream_of(s)->finished = true;
    get_ready(h2_stream_of(s));
}

void h2_stream_say(struct web_h2_stream *st)
{
    struct h2_server *h2 = st->conn->h2;
    bool ends;
    int err;

    if (st->said) {
        /* A tunnel whose two halves have ended one after the other. */
        if (st->s.state == WEB_SESSION_CLOSING)
            h2_server_reset(h2, st->id, H2_REASON_NONE);
        return;
    }
    if (st->submitted) {
        h2_server_resume(h2, st->id);
        return;
    }
    if (st->head_len == 0) {
        if (st->finished)
            session_abort(&st->s); /* there is no answer */
        return;
    }
    ends = st->finished && content_len(st) == 0 && buf_len(&st->trailers) == 0;
    err = h2_server_answer(h2, st->id,
                           span_head(buf_span(&st->out), st->head_len), ends);
    buf_consume(&st->out, st->head_len);
    st->head_len = 0;
    st->submitted = true;
    if (err < 0)
        session_abort(&st->s);
}

size_t h2_stream_take(struct web_h2_stream *st, uint8_t *out, size_t size,
                      bool *ret_end, struct span *ret_trailers)
{
    struct span in = span_head(buf_span(&st->out), size);

    if (in.len > 0) {
        memcpy(out, in.ptr, in.len);
        buf_consume(&st->out, in.len);
        st->conn->out_total -= in.len;
        st->taken += in.len;
        if (list_is_empty(&st->moved))
            list_push_back(&st->conn->moved, &st->moved);
    }
    *ret_end = st->finished && buf_len(&st->out) == 0;
    *ret_trailers = buf_span(&st->trailers);
    return in.len;
}

void h2_stream_on_answered(struct web_h2_stream *st)
{
    struct web_session *s = &st->s;

    st->said = true;
    if (s->state == WEB_SESSION_CLOSING)
        session_set_due(s, s->core->now + LINGER_MS);
}

/* Drop by drop is not enough: a stream is cheap for the client, and holds a
 * connection of the back end. */
static bool has_taken_enough(struct web_h2_stream *st)
{
    const struct web_limits *limits = &st->s.core->view->site->limits;

    if (content_len(st) > 0 && st->taken < exchange_least(limits))
        return false;
    st->taken = 0;
    return true;
}

void h2_stream_on_moved(struct web_h2_stream *st)
{
    struct web_session *s = &st->s;
    bool enough = has_taken_enough(st);

    if (st->said)
        return; /* it has another time */
    if (s->state == WEB_SESSION_CLOSING && enough)
        begin_wait(st);
    else if (s->exchange && enough)
        exchange_on_client_room(s->exchange);
    else if (s->exchange)
        exchange_fill(s->exchange);
}

static bool is_less(size_t now, size_t last, size_t least)
{
    return now < last && last - now >= (least < last ? least : last);
}

/* Has it taken enough since we looked last? What the kernel holds counts, too,
 * from the first look on: asking costs more than most answers. */
static bool moves(struct web_h2_stream *st)
{
    size_t least = exchange_least(&st->s.core->view->site->limits);
    size_t out = content_len(st), unacked = stream_unacked(&st->s);
    bool acks = st->has_looked ? is_less(unacked, st->last_unacked, least)
                               : unacked > 0;
    bool moves = acks || is_less(out, st->last_out, least);

    st->last_out = out;
    st->last_unacked = unacked;
    st->has_looked = true;
    return moves;
}

/* Answered, but the client does not read it. */
static void stream_on_timer(struct web_session *s)
{
    struct web_h2_stream *st = h2_stream_of(s);
    struct web_core *core = s->core;

    if (s->state != WEB_SESSION_CLOSING)
        return;
    if (st->said) {
        /* Nobody wants the rest of that request (RFC 9113 8.1). */
        h2_server_reset(st->conn->h2, st->id, H2_REASON_NONE);
        h2_mark(st->conn);
        return;
    }
    if (moves(st)) {
        session_set_due(s, core->now + core->view->site->limits.write_ms);
        return;
    }
    stats_inc(&core->stats->client_timeout);
    session_abort(s);
}

/* ---- what the client says ---- */

static bool is_wanted(const struct web_session *s)
{
    return (s->state == WEB_SESSION_EXCHANGE && !s->exchange->request_done) ||
           s->state == WEB_SESSION_TUNNEL;
}

/* Towards the back end. */
static void pass(struct web_h2_stream *st, struct span data)
{
    struct web_session *s = &st->s;

    if (s->state == WEB_SESSION_TUNNEL)
        tunnel_from_client(s->exchange, data);
    else
        exchange_on_body(s->exchange, data);
    h2_server_consume(st->conn->h2, st->id, data.len);
    h2_mark(st->conn);
}

/* What is not asked for makes no room at the stream: the client shall not
 * go on. */
static void throw_away(struct web_h2_stream *st, size_t len)
{
    h2_server_consume(st->conn->h2, 0, len);
    h2_mark(st->conn);
}

/* Everything the client said has gone on. */
static void pass_end(struct web_session *s)
{
    struct web_exchange *x = s->exchange;

    if (!s->ended || !x)
        return;
    if (s->state == WEB_SESSION_TUNNEL && !x->client_ended)
        tunnel_on_client_end(x);
    else if (s->state == WEB_SESSION_EXCHANGE && !x->request_done &&
             exchange_wants_body(x))
        exchange_on_request_end(x);
}

static void stream_resume(struct web_session *s)
{
    struct web_h2_stream *st = h2_stream_of(s);

    while (buf_len(&s->in) > 0 && is_wanted(s) &&
           exchange_wants_body(s->exchange)) {
        struct span data = buf_span(&s->in);

        /* First out of the buffer, whose bytes stay: what ends here gives
         * back what is left in it. */
        buf_consume(&s->in, data.len);
        pass(st, data);
    }
    if (buf_len(&s->in) > 0)
        return;
    buf_shrink(&s->in);
    pass_end(s);
}

static void stream_update_reading(struct web_session *s)
{
    (void)s; /* the windows do that */
}

/* No more and no less than was announced (RFC 9113 8.1.1); nghttp2 looks at it,
 * too, but here it decides what the back end takes for the next request. */
static bool fits_length(struct web_h2_stream *st, size_t len)
{
    if (!st->has_length)
        return true;
    if (len > st->length_left)
        return false;
    st->length_left -= len;
    return true;
}

void h2_stream_on_data(struct web_h2_stream *st, struct span data)
{
    struct web_session *s = &st->s;

    if (!fits_length(st, data.len)) {
        throw_away(st, data.len);
        stats_inc(&s->core->stats->bad_requests);
        session_abort(s);
    } else if (s->state == WEB_SESSION_CLOSING) {
        throw_away(st, data.len);
    } else if (buf_len(&s->in) == 0 && is_wanted(s) &&
               exchange_wants_body(s->exchange)) {
        pass(st, data);
    } else {
        buf_put_span(&s->in, data);
        if (buf_err(&s->in) < 0)
            session_abort(s);
    }
}

void h2_stream_on_end(struct web_h2_stream *st)
{
    struct web_session *s = &st->s;

    if (st->has_length && st->length_left > 0) {
        stats_inc(&s->core->stats->bad_requests);
        session_abort(s);
        return;
    }
    s->ended = true;
    stream_resume(s);
}

void h2_stream_on_closed(struct web_h2_stream *st)
{
    st->closed = true;
    h2_stream_cut(st);
}

void h2_stream_cut(struct web_h2_stream *st)
{
    if (st->s.state == WEB_SESSION_EXCHANGE)
        session_give_up(&st->s);
    else
        session_end(&st->s);
}

/* ---- life ---- */

static void stream_gone(struct web_session *s, void *io, bool abort)
{
    struct web_h2_stream *st = h2_stream_of(s);
    struct web_h2 *conn = st->conn;

    (void)io;
    if (!st->closed) {
        h2_server_reset(conn->h2, st->id,
                        abort ? H2_REASON_INTERNAL : H2_REASON_CANCEL);
        h2_server_forget(conn->h2, st->id);
    }
    if (buf_len(&s->in) > 0)
        h2_server_consume(conn->h2, 0, buf_len(&s->in));
    conn->out_total -= content_len(st);
    list_remove(&st->ready);
    list_remove(&st->moved);
    h2_on_stream_gone(conn);
}

static void stream_recycle(struct web_session *s)
{
    struct web_h2_stream *st = h2_stream_of(s);
    struct web_core *core = s->core;
    struct buf out;

    buf_deinit(&st->trailers);
    buf_deinit(&s->in);
    if (core->n_spare_streams >= WEB_SPARE_MAX) {
        buf_deinit(&st->out);
        mem_free(st);
        return;
    }
    buf_reset(&st->out);
    if (st->out.cap > WEB_WARM_BUFFER)
        buf_shrink(&st->out);
    out = st->out;
    memset(st, 0, sizeof(*st));
    st->out = out;
    list_init(&s->node);
    list_push_front(&core->spare_streams, &s->node);
    core->n_spare_streams++;
}

void h2_free_spares(struct web_core *core)
{
    LIST_FOREACH (node, &core->spare_streams) {
        struct web_session *s = CONTAINER_OF(node, struct web_session, node);

        buf_deinit(&h2_stream_of(s)->out);
        mem_free(h2_stream_of(s));
    }
}

static const struct session_ops stream_ops = {
    .version = "2",
    .head = stream_head,
    .body = stream_body,
    .finish = stream_finish,
    .queued = stream_queued,
    .unacked = stream_unacked,
    .is_full = stream_is_full,
    .next = stream_next,
    .half_end = stream_half_end,
    .shutdown = stream_shutdown,
    .gone = stream_gone,
    .recycle = stream_recycle,
    .resume = stream_resume,
    .update_reading = stream_update_reading,
    .on_timer = stream_on_timer,
};

/* Zeroes, but for `out`, which is empty. */
static struct web_h2_stream *stream_alloc(struct web_core *core)
{
    struct list *node = list_first(&core->spare_streams);
    struct web_h2_stream *st;

    if (node) {
        list_remove(node);
        core->n_spare_streams--;
        return h2_stream_of(CONTAINER_OF(node, struct web_session, node));
    }
    st = mem_zalloc(sizeof(*st));
    if (st)
        buf_init(&st->out, OUT_MAX);
    return st;
}

static struct web_h2_stream *stream_new(struct web_h2 *conn, int32_t id)
{
    struct web_h2_stream *st = stream_alloc(conn->s.core);

    if (!st)
        return NULL;
    session_init(conn->s.core, &st->s);
    session_begin(&st->s);
    st->s.ops = &stream_ops;
    st->s.entry = conn->s.entry;
    st->s.client = conn->s.client;
    st->s.client_name = conn->s.client_name;
    st->s.peer = web_peer_ref(conn->s.peer);
    st->conn = conn;
    st->id = id;
    list_init(&st->ready);
    list_init(&st->moved);
    buf_init(&st->trailers, WEB_HEAD_BUFFER_MAX);
    list_push_back(&conn->streams, &st->s.node);
    conn->n_streams++;
    stats_inc(&conn->s.core->stats->h2_streams);
    return st;
}

static void read_head(struct web_h2_stream *st, struct span head, bool ends,
                      bool tunnel)
{
    struct web_session *s = &st->s;
    struct http_parser *parser = s->core->h2_heads;
    const struct http_msg *msg;
    struct span body;

    http_parser_reset(parser);
    if (http_parser_next(parser, &head, &body) != HTTP_EVENT_HEAD) {
        session_on_malformed(s, http_error_status(http_parser_error(parser)));
        return;
    }
    msg = http_parser_msg(parser);
    if (ends && msg->framing != HTTP_FRAMING_NONE) {
        session_on_malformed(s, 400);
        return;
    }
    st->has_length = msg->has_length;
    st->length_left = msg->length;
    s->ended = ends;
    s->tunnels = tunnel;
    session_on_request(s, msg);
}

void *h2_stream_open(struct web_h2 *conn, int32_t id, struct span head,
                     int status, bool ends, bool tunnel)
{
    struct web_core *core = conn->s.core;
    struct web_h2_stream *st = NULL;

    if (core->h2_heads || http_parser_new(&core->h2_heads, HTTP_KIND_REQUEST,
                                          &core->request_limits) == 0)
        st = stream_new(conn, id);
    if (!st) {
        stats_inc(&core->stats->h2_refused);
        return NULL;
    }
    if (status != 0)
        session_on_malformed(&st->s, status);
    else
        read_head(st, head, ends, tunnel);
    return st->s.state == WEB_SESSION_DEAD ? NULL : st;
}

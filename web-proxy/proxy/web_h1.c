/* SPDX-License-Identifier: MIT */
/* HTTP/1 towards a client: the session is its connection, one exchange after
 * the other. */
#include "proxy/web_internal.h"

/* ---- what is said to the client ---- */

static int h1_head(struct web_session *s, struct span head)
{
    return core_write(s->core, s->io, head);
}

static int h1_body(struct web_session *s, struct span body, bool chunked)
{
    struct web_core *core = s->core;
    char line[WEB_CHUNK_LINE_SIZE];
    struct span parts[3];
    size_t n = 0;

    if (chunked)
        parts[n++] = web_chunk_line(body.len, line);
    parts[n++] = body;
    if (chunked)
        parts[n++] = span_str("\r\n");
    return core->env.write(core->env.arg, s->io, parts, n);
}

/* Trailers were announced to nobody here, and may be left out (RFC 9110
 * 6.5.2). */
static int h1_finish(struct web_session *s, bool chunked,
                     const struct http_header *trailers, size_t n)
{
    (void)trailers;
    (void)n;
    return chunked ? core_write(s->core, s->io, span_str("0\r\n\r\n")) : 0;
}

static size_t h1_queued(const struct web_session *s)
{
    return s->core->env.queued(s->core->env.arg, s->io);
}

static size_t h1_unacked(const struct web_session *s)
{
    return s->core->env.unacked(s->core->env.arg, s->io);
}

static bool h1_is_full(const struct web_session *s, size_t max)
{
    return h1_queued(s) > max;
}

static void h1_next(struct web_session *s)
{
    const struct web_limits *limits = &s->core->view->site->limits;

    if (!session_persists(s)) {
        session_shutdown(s);
        return;
    }
    s->state = WEB_SESSION_HEAD;
    session_forget_request(s);
    s->began = buf_len(&s->in) > 0;
    session_set_due(s, s->core->now +
                           (s->began ? limits->head_ms : limits->keepalive_ms));
}

static void h1_half_end(struct web_session *s)
{
    s->core->env.end(s->core->env.arg, s->io);
}

static void h1_shutdown(struct web_session *s)
{
    s->core->env.shutdown(s->core->env.arg, s->io);
}

/* ---- time ---- */

/* The client sent half a head, or nothing. */
static void on_head_timeout(struct web_session *s)
{
    if (!s->began) {
        session_shutdown(s);
        return;
    }
    stats_inc(&s->core->stats->client_timeout);
    s->persists = false;
    session_answer(s, 408, 0, span_of(NULL, 0));
}

static void h1_on_timer(struct web_session *s)
{
    if (s->state == WEB_SESSION_HEAD)
        on_head_timeout(s);
}

static void h1_drain(struct web_session *s)
{
    if (s->state == WEB_SESSION_HEAD && !s->began)
        session_shutdown(s);
}

/* ---- what the client says ---- */

static void on_parse_error(struct web_session *s)
{
    s->persists = false;
    session_on_malformed(s, http_error_status(http_parser_error(s->parser)));
}

/* The request of the exchange is complete. */
static void on_request_end(struct web_session *s)
{
    if (s->exchange && !s->exchange->request_done)
        exchange_on_request_end(s->exchange);
}

/* May the parser go on? A second request waits for the first one's answer,
 * content waits for the link. */
static bool is_ready(const struct web_session *s)
{
    if (s->state == WEB_SESSION_HEAD)
        return true;
    return s->state == WEB_SESSION_EXCHANGE && !s->exchange->request_done &&
           exchange_wants_body(s->exchange);
}

/* Use what can be used of `in`. */
static void run(struct web_session *s, struct span *in)
{
    const struct http_msg *msg;
    struct span body;

    while (is_ready(s)) {
        switch (http_parser_next(s->parser, in, &body)) {
        case HTTP_EVENT_MORE:
            if (s->state == WEB_SESSION_HEAD && !s->began &&
                !http_parser_is_idle(s->parser)) {
                s->began = true;
                session_set_due(s, s->core->now +
                                       s->core->view->site->limits.head_ms);
            }
            return;
        case HTTP_EVENT_HEAD:
            msg = http_parser_msg(s->parser);
            if (msg->framing != HTTP_FRAMING_NONE)
                session_on_request(s, msg);
            break;
        case HTTP_EVENT_BODY:
            if (s->exchange)
                exchange_on_body(s->exchange, body);
            break;
        case HTTP_EVENT_END:
            msg = http_parser_msg(s->parser);
            /* Without content END follows HEAD at once, and the whole of it
             * is handled here: the next message can then be looked for. */
            if (s->state == WEB_SESSION_HEAD &&
                msg->framing == HTTP_FRAMING_NONE)
                session_on_request(s, msg);
            on_request_end(s);
            break;
        case HTTP_EVENT_ERROR:
            on_parse_error(s);
            return;
        }
    }
}

static void use(struct web_session *s, struct span data)
{
    struct span in = data;
    bool stored = buf_len(&s->in) > 0;

    if (stored) {
        buf_put_span(&s->in, data);
        in = buf_span(&s->in);
    }
    run(s, &in);
    if (s->state == WEB_SESSION_DEAD || s->state == WEB_SESSION_CLOSING)
        return;
    if (s->state == WEB_SESSION_TUNNEL) {
        tunnel_from_client(s->exchange, in);
        in = span_from(in, in.len);
    }
    /* A parser that rests inside a message still looks at its head. */
    if (s->state == WEB_SESSION_EXCHANGE && !s->exchange->request_done &&
        http_parser_hold(s->parser) < 0) {
        session_abort(s);
        return;
    }
    if (stored)
        buf_consume(&s->in, buf_len(&s->in) - in.len);
    else
        buf_put_span(&s->in, in);
    if (buf_len(&s->in) == 0)
        buf_shrink(&s->in);
    if (buf_err(&s->in) < 0)
        session_abort(s);
}

/* Read on, or let the client wait, as the state of things is. */
static void h1_update_reading(struct web_session *s)
{
    struct web_core *core = s->core;
    bool read = true;

    if (s->state == WEB_SESSION_DEAD || s->state == WEB_SESSION_CLOSING)
        return;
    if (s->state == WEB_SESSION_EXCHANGE || s->state == WEB_SESSION_TUNNEL) {
        /* Some input may wait here, so that a client that goes is noticed;
         * of content nothing more than what came with the head. */
        const struct web_exchange *x = s->exchange;

        if (x->request_done && s->state == WEB_SESSION_EXCHANGE)
            read = buf_len(&s->in) == 0;
        else
            read = exchange_wants_body(x);
    }
    if (read)
        core->env.resume(core->env.arg, s->io);
    else
        core->env.pause(core->env.arg, s->io);
}

static void h1_continue(struct web_session *s)
{
    if (buf_len(&s->in) > 0)
        use(s, span_of(NULL, 0));
    if (s->ended && s->state == WEB_SESSION_EXCHANGE &&
        !s->exchange->request_done && buf_len(&s->in) == 0)
        session_give_up(s);
    h1_update_reading(s);
}

static void h1_on_data(struct web_session *s, struct span data)
{
    if (s->state == WEB_SESSION_TUNNEL && buf_len(&s->in) == 0)
        tunnel_from_client(s->exchange, data);
    else if (s->state != WEB_SESSION_CLOSING && s->state != WEB_SESSION_DEAD)
        use(s, data);
    h1_update_reading(s);
}

static void h1_on_writable(struct web_session *s)
{
    if (s->exchange)
        exchange_on_client_room(s->exchange);
}

static void h1_on_end(struct web_session *s)
{
    if (s->state == WEB_SESSION_TUNNEL) {
        tunnel_on_client_end(s->exchange);
    } else if (s->state == WEB_SESSION_HEAD) {
        /* A cut head deserves no answer; nothing at all is a farewell. */
        session_shutdown(s);
    } else if (s->state == WEB_SESSION_EXCHANGE) {
        /* With TLS nobody closes one half only. Without, a complete request
         * is still answered. */
        if (s->entry->secure ||
            (!s->exchange->request_done && buf_len(&s->in) == 0))
            session_give_up(s);
    }
}

static void h1_on_closed(struct web_session *s)
{
    if (s->state == WEB_SESSION_EXCHANGE)
        session_give_up(s);
    else
        session_end(s);
}

/* ---- life ---- */

static const struct session_ops h1_ops = {
    .version = "1",
    .head = h1_head,
    .body = h1_body,
    .finish = h1_finish,
    .queued = h1_queued,
    .unacked = h1_unacked,
    .is_full = h1_is_full,
    .next = h1_next,
    .half_end = h1_half_end,
    .shutdown = h1_shutdown,
    .gone = session_close_io,
    .resume = h1_continue,
    .update_reading = h1_update_reading,
    .on_timer = h1_on_timer,
    .drain = h1_drain,
    .on_data = h1_on_data,
    .on_writable = h1_on_writable,
    .on_end = h1_on_end,
    .on_closed = h1_on_closed,
};

int h1_session_start(struct web_session *s)
{
    struct web_core *core = s->core;

    s->ops = &h1_ops;
    session_set_due(s, core->now + core->view->site->limits.head_ms);
    return http_parser_new(&s->parser, HTTP_KIND_REQUEST,
                           &core->request_limits);
}

/* SPDX-License-Identifier: MIT */
/* The answer of a back end, on its way to the client. */
#include "proxy/web_internal.h"

#include "http/http_head.h"

/* ---- the end ---- */

/* The answer is whole. The link is kept when nothing can be left over in it;
 * `rest` is what came behind the answer. */
static void complete(struct web_exchange *x, bool reusable)
{
    struct web_session *s = x->session;
    struct web_link *link = x->link;

    const struct http_header *trailers;
    size_t n;

    trailers = http_parser_trailers(link->parser, &n);
    if (s->ops->finish(s, x->answer_body == WEB_BODY_CHUNKED, trailers, n) <
        0) {
        session_abort(s);
        return;
    }
    if (!x->request_done || x->answer_body == WEB_BODY_CLOSE)
        s->persists = false;
    x->link = NULL;
    link->exchange = NULL;
    if (reusable && x->request_done && !x->request_lost)
        link_keep(link);
    else
        link_close(link);
    exchange_drop(x);
    session_next(s);
    session_continue(s);
}

void answer_end(struct web_exchange *x)
{
    struct web_session *s = x->session;

    if (s->ops->finish(s, x->answer_body == WEB_BODY_CHUNKED, NULL, 0) < 0) {
        session_abort(s);
        return;
    }
    if (!x->request_done)
        s->persists = false;
    exchange_drop(x);
    session_next(s);
}

/* The back end gave nothing that is an answer. */
static void fail(struct web_exchange *x)
{
    stats_inc(&x->session->core->stats->upstream_invalid);
    exchange_blame(x);
    exchange_fail(x, 502);
    session_continue(x->session);
}

/* ---- heads ---- */

/* How long the back end keeps the connection: it is used a little less, so
 * that it is seldom closed just when a request is on its way. */
static void note_keep_alive(struct web_link *link, const struct http_msg *msg)
{
    struct span list = http_msg_value(msg, HTTP_FIELD_KEEP_ALIVE);
    struct span item;
    uint32_t seconds;

    link->keep_ms = link->backend->upstream->idle_ms;
    while (http_list_next(&list, &item)) {
        if (span_starts_nocase(item, "timeout=") &&
            span_to_u32(span_from(item, 8), 86400, &seconds) == 0) {
            uint64_t ms = seconds > 1 ? (seconds - 1) * UINT64_C(1000) : 0;

            if (ms < link->keep_ms)
                link->keep_ms = ms;
        }
    }
}

/* Write a head to the client. False when that has ended the session. */
static bool send_head(struct web_exchange *x, const struct http_msg *msg,
                      const struct web_forward_answer *how)
{
    struct web_session *s = x->session;
    struct buf *out = core_scratch(s->core);

    web_forward_answer(out, msg, how);
    if (buf_err(out) < 0) {
        fail(x);
        return false;
    }
    if (s->ops->head(s, buf_span(out)) < 0) {
        session_abort(s);
        return false;
    }
    return true;
}

/* 100, 102, 103: passed on to those who can know them. */
static void on_interim(struct web_exchange *x, const struct http_msg *msg)
{
    struct web_forward_answer how = {.body = WEB_BODY_NONE};

    if (++x->interims > WEB_INTERIM_MAX) {
        fail(x);
        return;
    }
    if (x->session->minor == 0 || (msg->status == 100 && !x->expects))
        return;
    (void)send_head(x, msg, &how);
}

/* Is this 101 the answer to our handshake? RFC 6455 4.1. */
static bool is_accepted(const struct web_exchange *x,
                        const struct http_msg *msg)
{
    return x->upgrade &&
           http_msg_has_token(msg, HTTP_FIELD_UPGRADE, "websocket") &&
           http_msg_has_token(msg, HTTP_FIELD_CONNECTION, "upgrade") &&
           http_msg_count(msg, HTTP_FIELD_SEC_WEBSOCKET_ACCEPT) == 1 &&
           span_is(http_msg_value(msg, HTTP_FIELD_SEC_WEBSOCKET_ACCEPT),
                   x->accept);
}

static void on_switching(struct web_exchange *x, const struct http_msg *msg)
{
    struct web_forward_answer how = {.body = WEB_BODY_NONE, .upgrade = true};

    if (!is_accepted(x, msg)) {
        fail(x);
        return;
    }
    if (!send_head(x, msg, &how))
        return;
    x->answer_begun = true;
    x->status = 101;
    balance_on_answer(x->session->core, x->backend);
    core_count_answer(x->session->core, 101);
}

/* The head as the client has to read it. */
static const struct http_msg *show(struct web_exchange *x,
                                   const struct http_msg *msg)
{
    struct web_session *s = x->session;
    struct span host = span_from(buf_span(&x->head), x->head_len);
    struct web_url_view view = {
        .secure = s->entry->secure,
        .host = span_head(host, x->host_len),
        .port = x->view->site->https_port,
        .route = x->route,
        .backend = x->backend,
        .cookie_secure = x->route->cookie_secure,
    };

    return web_shown_make(&s->core->shown, msg, &view);
}

bool answer_begin(struct web_exchange *x, const struct http_msg *msg)
{
    struct web_session *s = x->session;
    struct web_core *core = s->core;
    struct web_forward_answer how = {
        .body = web_forward_body(msg, x->method, s->minor),
        .date = core->env.date(core->env.arg),
    };

    const struct http_msg *shown = show(x, msg);

    /* To an extended CONNECT that would be the tunnel that was not opened. */
    if (!shown || (s->tunnels && msg->status / 100 == 2)) {
        fail(x);
        return false;
    }
    how.extra = core->shown.extra;
    if (s->entry->secure &&
        !web_edits_say(&x->route->edits, HTTP_FIELD_STRICT_TRANSPORT_SECURITY))
        how.hsts = x->view->site->hsts;

    /* A handshake that failed leaves the parser where it may not go on. */
    if (!x->request_done || how.body == WEB_BODY_CLOSE || x->upgrade)
        s->persists = false;
    how.close = !session_persists(s);
    how.keep_alive = s->minor == 0;
    if (!send_head(x, shown, &how))
        return false;
    x->answer_begun = true;
    x->answer_body = how.body;
    x->status = msg->status;
    core_count_answer(core, msg->status);
    return true;
}

static void on_final(struct web_exchange *x, const struct http_msg *msg)
{
    if (!answer_begin(x, msg))
        return;
    note_keep_alive(x->link, msg);
    balance_on_answer(x->session->core, x->backend);
}

static void on_head(struct web_exchange *x, const struct http_msg *msg)
{
    struct web_core *core = x->session->core;

    if (!x->first_byte)
        x->first_byte = core->now;
    if (msg->status == 101)
        on_switching(x, msg);
    else if (msg->status < 200)
        on_interim(x, msg);
    else
        on_final(x, msg);
    if (x->state == WEB_EXCHANGE_OPEN)
        exchange_update_due(x);
}

/* ---- content ---- */

void answer_body(struct web_exchange *x, struct span body)
{
    struct web_session *s = x->session;
    struct web_core *core = s->core;

    if (x->answer_body == WEB_BODY_NONE)
        return;
    x->body_out += body.len;
    stats_add(&core->stats->body_out, body.len);
    if (s->ops->body(s, body, x->answer_body == WEB_BODY_CHUNKED) < 0) {
        session_abort(s);
        return;
    }
    exchange_update_due(x);
}

/* A message of the back end is complete. True when more of its bytes belong
 * to this exchange: an interim answer. */
static bool on_end(struct web_exchange *x, struct web_link *link,
                   struct span rest)
{
    const struct http_msg *msg = http_parser_msg(link->parser);

    if (x->status == 101 && x->answer_begun) {
        tunnel_begin(x, rest);
        return false;
    }
    if (!x->answer_begun)
        return true;
    complete(x, msg->is_persistent && rest.len == 0);
    return false;
}

void answer_on_data(struct web_link *link, struct span in)
{
    struct web_exchange *x = link->exchange;
    struct span body;

    while (link->state == WEB_LINK_BUSY && link->exchange == x) {
        switch (http_parser_next(link->parser, &in, &body)) {
        case HTTP_EVENT_MORE:
            return;
        case HTTP_EVENT_HEAD:
            on_head(x, http_parser_msg(link->parser));
            break;
        case HTTP_EVENT_BODY:
            answer_body(x, body);
            break;
        case HTTP_EVENT_END:
            if (!on_end(x, link, in))
                return;
            break;
        case HTTP_EVENT_ERROR:
            fail(x);
            return;
        }
    }
}

void answer_on_end(struct web_link *link, int err)
{
    struct web_exchange *x = link->exchange;
    bool untouched =
        link->reused && http_parser_is_idle(link->parser) && x->interims == 0;

    if (err == 0 && http_parser_eof(link->parser) == HTTP_EVENT_END &&
        x->answer_begun) {
        complete(x, false);
        return;
    }
    link->exchange = NULL;
    x->link = NULL;
    link_close(link);
    exchange_on_link_lost(x, untouched, err);
    session_continue(x->session);
}

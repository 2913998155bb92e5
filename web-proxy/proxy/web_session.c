/* SPDX-License-Identifier: MIT */
#include "proxy/web_gate.h"
#include "proxy/web_internal.h"

#include "base/err.h"
#include "base/mem.h"

/* ---- life ---- */

struct web_session *session_new(struct web_core *core)
{
    struct list *node = list_first(&core->spare_sessions);
    struct web_session *s;

    if (node) {
        list_remove(node);
        core->n_spare_sessions--;
        return CONTAINER_OF(node, struct web_session, node);
    }
    s = mem_zalloc(sizeof(*s));
    if (!s)
        return NULL;
    s->core = core;
    buf_init(&s->in, WEB_INPUT_MAX);
    list_init(&s->node);
    timer_init(&s->timer, WEB_TIMER_SESSION);
    return s;
}

void session_destroy(struct web_session *s)
{
    http_parser_free(s->parser);
    buf_deinit(&s->in);
    mem_free(s);
}

void session_recycle(struct web_core *core, struct web_session *s)
{
    list_remove(&s->node);
    /* The parser was made for the limits of its time: not worth keeping when
     * they have changed, and cheap to make. */
    http_parser_free(s->parser);
    s->parser = NULL;
    if (core->n_spare_sessions >= WEB_SPARE_MAX) {
        session_destroy(s);
        return;
    }
    buf_deinit(&s->in);
    core->n_spare_sessions++;
    list_push_front(&core->spare_sessions, &s->node);
}

struct web_session *web_core_on_accept(struct web_core *core, void *io,
                                       const struct addr *client,
                                       const struct web_entry *entry,
                                       uint64_t now)
{
    struct web_session *s = NULL;

    core->now = now;
    if (!core->draining &&
        core->n_sessions < core->view->site->limits.sessions_max)
        s = session_new(core);
    if (s && http_parser_new(&s->parser, HTTP_KIND_REQUEST,
                             &core->request_limits) < 0) {
        session_destroy(s);
        s = NULL;
    }
    if (!s) {
        stats_inc(&core->stats->sessions_full);
        return NULL;
    }
    s->io = io;
    s->entry = entry;
    s->client = *client;
    web_forward_name(client, &s->client_name);
    s->state = WEB_SESSION_HEAD;
    s->exchange = NULL;
    s->began = s->ended = s->head_only = false;
    s->persists = true;
    s->minor = 1;
    s->requests = 0;
    list_push_back(&core->sessions, &s->node);
    core->n_sessions++;
    stats_inc(&core->stats->sessions_opened);
    stats_inc(&core->stats->sessions);
    session_set_due(s, now + core->view->site->limits.head_ms);
    return s;
}

/* Without the io; it is the caller's to say how that ends. */
static void bury(struct web_session *s)
{
    struct web_core *core = s->core;

    if (s->state == WEB_SESSION_DEAD)
        return;
    s->state = WEB_SESSION_DEAD;
    if (s->exchange)
        exchange_drop(s->exchange);
    s->exchange = NULL;
    s->io = NULL;
    timers_cancel(&core->timers, &s->timer);
    list_remove(&s->node);
    list_push_back(&core->dead_sessions, &s->node);
    core->n_sessions--;
    stats_dec(&core->stats->sessions);
}

void session_end(struct web_session *s)
{
    void *io = s->io;

    bury(s);
    if (io)
        s->core->env.close(s->core->env.arg, io);
}

void session_abort(struct web_session *s)
{
    void *io = s->io;

    bury(s);
    if (io)
        s->core->env.abort(s->core->env.arg, io);
}

void session_shutdown(struct web_session *s)
{
    struct web_core *core = s->core;

    if (s->state == WEB_SESSION_CLOSING || s->state == WEB_SESSION_DEAD)
        return;
    s->state = WEB_SESSION_CLOSING;
    timers_cancel(&core->timers, &s->timer);
    core->env.shutdown(core->env.arg, s->io);
}

/* ---- time ---- */

/* Most deadlines are moved on again and again and never come: the timer is
 * only touched to come earlier; when it comes too early, it is set again. */
void session_set_due(struct web_session *s, uint64_t due)
{
    s->due = due;
    if (due != TIMERS_NEVER && (!s->timer.armed || s->timer.deadline > due))
        timers_set(&s->core->timers, &s->timer, due);
}

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

void session_on_timer(struct web_session *s)
{
    if (s->due > s->core->now) {
        session_set_due(s, s->due);
        return;
    }
    switch (s->state) {
    case WEB_SESSION_HEAD:
        on_head_timeout(s);
        break;
    case WEB_SESSION_EXCHANGE:
        exchange_on_timeout(s->exchange);
        break;
    case WEB_SESSION_TUNNEL:
        tunnel_on_timer(s->exchange);
        break;
    default:
        break;
    }
    session_continue(s);
}

/* ---- answers of our own ---- */

bool session_persists(const struct web_session *s)
{
    const struct web_core *core = s->core;

    return s->persists && !s->ended && !core->draining &&
           s->requests < core->view->site->limits.requests_max;
}

/* Fill in what every answer says, and send it. */
static void answer(struct web_session *s, struct web_page *page)
{
    struct web_core *core = s->core;
    struct buf *out = core_scratch(core);

    page->head_only = s->head_only;
    page->close = !session_persists(s);
    page->keep_alive = s->minor == 0;
    page->hsts_s = s->entry->secure ? core->view->site->hsts_s : 0;
    page->date = core->env.date(core->env.arg);
    web_page_write(out, page);
    core_count_answer(core, page->status);
    if (buf_err(out) < 0 || core_write(core, s->io, buf_span(out)) < 0)
        session_abort(s);
    else if (page->close)
        session_shutdown(s);
    else
        session_next(s);
}

void session_answer(struct web_session *s, int status, uint64_t retry_s,
                    struct span location)
{
    struct web_page page = {
        .status = status, .retry_s = retry_s, .location = location};

    answer(s, &page);
}

void session_next(struct web_session *s)
{
    const struct web_limits *limits = &s->core->view->site->limits;

    if (!session_persists(s)) {
        session_shutdown(s);
        return;
    }
    s->state = WEB_SESSION_HEAD;
    s->head_only = false; /* that was the last request */
    s->minor = 1;
    s->began = buf_len(&s->in) > 0;
    session_set_due(s, s->core->now +
                           (s->began ? limits->head_ms : limits->keepalive_ms));
}

static void count_refusal(struct web_core *core, enum web_gate_reason reason)
{
    struct web_stats *stats = core->stats;

    switch (reason) {
    case WEB_GATE_REDIRECT:
        stats_inc(&stats->redirected);
        break;
    case WEB_GATE_NO_ROUTE:
        stats_inc(&stats->refused_route);
        break;
    case WEB_GATE_RATE:
        stats_inc(&stats->refused_zone);
        break;
    case WEB_GATE_TOKEN:
        stats_inc(&stats->refused_token);
        break;
    case WEB_GATE_SIZE:
        stats_inc(&stats->refused_size);
        break;
    case WEB_GATE_WEBSOCKET:
        stats_inc(&stats->refused_websocket);
        break;
    default:
        break;
    }
}

/* ---- a request ---- */

static void refuse(struct web_session *s, const struct web_request *rq,
                   int status)
{
    access_log_refused(s, rq, status);
    session_answer(s, status, 0, span_of(NULL, 0));
}

/* A listener without TLS that only says where the one with TLS is. */
static void redirect_to_https(struct web_session *s,
                              const struct web_request *rq)
{
    struct buf *out = core_scratch(s->core);
    char location[2048];
    size_t len;

    if (rq->host.len == 0) {
        stats_inc(&s->core->stats->bad_requests);
        refuse(s, rq, 400);
        return;
    }
    web_page_https_location(out, web_host_name(&rq->host),
                            s->core->view->site->https_port, rq->path,
                            rq->query, rq->has_query);
    len = buf_len(out);
    if (buf_err(out) < 0 || len > sizeof(location)) {
        refuse(s, rq, 414);
        return;
    }
    memcpy(location, buf_span(out).ptr, len);
    stats_inc(&s->core->stats->redirected);
    access_log_refused(s, rq, 308);
    session_answer(s, 308, 0, span_of(location, len));
}

static void count_jwt(struct web_stats *stats, enum web_jwt_verdict verdict)
{
    switch (verdict) {
    case WEB_JWT_MISSING:
        stats_inc(&stats->token_missing);
        break;
    case WEB_JWT_AMBIGUOUS:
        stats_inc(&stats->token_ambiguous);
        break;
#define COUNT_JWT(id, name)                                                    \
    case WEB_JWT_##id:                                                         \
        stats_inc(&stats->token_##name);                                       \
        break;
        JWT_VERDICTS(COUNT_JWT)
#undef COUNT_JWT
    default:
        break;
    }
}

/* RFC 6750 3.1: no error is named to who did not try. */
static const char *challenge_of(const struct web_gate_verdict *verdict)
{
    if (verdict->status != 401)
        return NULL;
    return verdict->jwt == WEB_JWT_MISSING ? "Bearer"
                                           : "Bearer error=\"invalid_token\"";
}

/* The request is one, but may it pass? */
static void judge(struct web_session *s, struct web_request *rq)
{
    struct web_core *core = s->core;
    struct web_gate_verdict verdict =
        web_gate_judge(core->view->site, rq, &s->client, core->now,
                       core->env.wall(core->env.arg));
    struct web_page page = {.status = verdict.status};

    if (verdict.reason == WEB_GATE_PASS) {
        exchange_begin(s, rq, verdict.route, verdict.wait_ms);
        return;
    }
    count_refusal(core, verdict.reason);
    count_jwt(core->stats, verdict.jwt);
    access_log_refused(s, rq, verdict.status);
    if (verdict.reason == WEB_GATE_RATE)
        page.retry_s = (verdict.wait_ms + 999) / 1000;
    if (verdict.reason == WEB_GATE_REDIRECT)
        page.location = verdict.route->location;
    page.challenge = challenge_of(&verdict);
    answer(s, &page);
}

static void on_head(struct web_session *s, const struct http_msg *msg)
{
    struct web_core *core = s->core;
    struct web_request *rq = &core->request;
    int status;

    stats_inc(&core->stats->requests);
    s->requests++;
    s->began = false;
    s->minor = msg->minor;
    s->head_only = msg->method_id == HTTP_METHOD_HEAD;
    /* Content that we refuse would have to be read: rather close. */
    s->persists = msg->is_persistent && msg->framing == HTTP_FRAMING_NONE;
    rq->secure = s->entry->secure;
    status = web_request_read(rq, msg);
    if (status == 0 && s->entry->redirect) {
        redirect_to_https(s, rq);
    } else if (status == 0) {
        judge(s, rq);
    } else {
        if (status == 405)
            stats_inc(&core->stats->refused_method);
        else
            stats_inc(&core->stats->bad_requests);
        s->persists = s->persists && status == 405 &&
                      msg->method_id != HTTP_METHOD_CONNECT;
        refuse(s, rq, status);
    }
}

static void on_parse_error(struct web_session *s)
{
    int status = http_error_status(http_parser_error(s->parser));
    struct web_core *core = s->core;

    s->persists = false;
    if (status == 413 || status == 414 || status == 431)
        stats_inc(&core->stats->refused_size);
    else
        stats_inc(&core->stats->bad_requests);
    if (s->exchange) {
        exchange_fail(s->exchange, status);
        return;
    }
    access_log_refused(s, NULL, status);
    session_answer(s, status, 0, span_of(NULL, 0));
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
                on_head(s, msg);
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
                on_head(s, msg);
            on_request_end(s);
            break;
        case HTTP_EVENT_ERROR:
            on_parse_error(s);
            return;
        }
    }
}

/* The client left a request unfinished, or does not want the answer. */
static void give_up(struct web_session *s)
{
    stats_inc(&s->core->stats->client_gone);
    s->exchange->status = 499;
    session_end(s);
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

void session_continue(struct web_session *s)
{
    if (buf_len(&s->in) > 0)
        use(s, span_of(NULL, 0));
    if (s->ended && s->state == WEB_SESSION_EXCHANGE &&
        !s->exchange->request_done && buf_len(&s->in) == 0)
        give_up(s);
    session_update_reading(s);
}

void session_update_reading(struct web_session *s)
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

/* ---- events ---- */

void web_session_on_data(struct web_session *s, struct span data, uint64_t now)
{
    struct web_core *core = s->core;

    core_enter(core, now);
    if (s->state == WEB_SESSION_TUNNEL && buf_len(&s->in) == 0)
        tunnel_from_client(s->exchange, data);
    else if (s->state != WEB_SESSION_CLOSING && s->state != WEB_SESSION_DEAD)
        use(s, data);
    session_update_reading(s);
    core_leave(core);
}

void web_session_on_writable(struct web_session *s, uint64_t now)
{
    core_enter(s->core, now);
    if (s->exchange && s->exchange->link) {
        exchange_update_due(s->exchange);
        link_update_reading(s->exchange->link);
    }
    core_leave(s->core);
}

void web_session_on_end(struct web_session *s, uint64_t now)
{
    struct web_core *core = s->core;

    core_enter(core, now);
    s->ended = true;
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
            give_up(s);
    }
    core_leave(core);
}

void web_session_on_closed(struct web_session *s, uint64_t now)
{
    struct web_core *core = s->core;

    core_enter(core, now);
    s->io = NULL;
    if (s->state == WEB_SESSION_EXCHANGE)
        give_up(s);
    else
        session_end(s);
    core_leave(core);
}

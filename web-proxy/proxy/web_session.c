/* SPDX-License-Identifier: MIT */
#include "proxy/web_gate.h"
#include "proxy/web_internal.h"
#include "proxy/web_url.h"

#include "base/err.h"
#include "base/mem.h"

enum { LOCATION_MAX = 2048 };

/* ---- life ---- */

void session_init(struct web_core *core, struct web_session *s)
{
    s->core = core;
    buf_init(&s->in, WEB_INPUT_MAX);
    list_init(&s->node);
    timer_init(&s->timer, WEB_TIMER_SESSION);
}

static struct web_session *session_new(struct web_core *core)
{
    struct list *node = list_first(&core->spare_sessions);
    struct web_session *s;

    if (node) {
        list_remove(node);
        core->n_spare_sessions--;
        return CONTAINER_OF(node, struct web_session, node);
    }
    s = mem_zalloc(sizeof(*s));
    if (s)
        session_init(core, s);
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
    web_peer_unref(s->peer);
    s->peer = NULL;
    if (s->ops->recycle) {
        s->ops->recycle(s);
        return;
    }
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

/* An HTTP/1 session, or the connection of HTTP/2. */
static struct web_session *session_open(struct web_core *core, void *io,
                                        const struct addr *client,
                                        const struct web_entry *entry, bool h2)
{
    struct web_session *s = h2 ? h2_session_new(core) : session_new(core);

    if (!s)
        return NULL;
    s->io = io;
    s->entry = entry;
    s->client = *client;
    web_forward_name(client, &s->client_name);
    session_begin(s);
    if ((h2 ? h2_session_start(s) : h1_session_start(s)) == 0)
        return s;
    timers_cancel(&core->timers, &s->timer);
    if (h2)
        s->ops->recycle(s);
    else
        session_destroy(s);
    return NULL;
}

static struct web_session *accept_session(struct web_core *core, void *io,
                                          const struct addr *client,
                                          const struct web_entry *entry,
                                          bool h2, uint64_t now)
{
    struct web_session *s = NULL;

    core->now = now;
    if (!core->draining &&
        core->n_sessions < core->view->site->limits.sessions_max)
        s = session_open(core, io, client, entry, h2);
    if (!s) {
        stats_inc(&core->stats->sessions_full);
        return NULL;
    }
    list_push_back(&core->sessions, &s->node);
    core->n_sessions++;
    stats_inc(&core->stats->sessions_opened);
    stats_inc(&core->stats->sessions);
    return s;
}

struct web_session *web_core_on_accept(struct web_core *core, void *io,
                                       const struct addr *client,
                                       const struct web_entry *entry,
                                       uint64_t now)
{
    return accept_session(core, io, client, entry, false, now);
}

struct web_session *web_core_on_accept_h2(struct web_core *core, void *io,
                                          const struct addr *client,
                                          const struct web_entry *entry,
                                          uint64_t now)
{
    return accept_session(core, io, client, entry, true, now);
}

void web_session_set_peer(struct web_session *session, struct web_peer *peer)
{
    session->peer = web_peer_ref(peer);
}

void session_forget_request(struct web_session *s)
{
    s->head_only = s->tunnels = s->wants_json = false;
    s->edits = NULL;
    s->minor = 1;
}

void session_begin(struct web_session *s)
{
    s->state = WEB_SESSION_HEAD;
    s->exchange = NULL;
    s->began = s->ended = false;
    session_forget_request(s);
    s->persists = true;
    s->requests = 0;
}

static void bury(struct web_session *s, bool abort)
{
    struct web_core *core = s->core;
    void *io = s->io;

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
    s->ops->gone(s, io, abort);
}

void session_close_io(struct web_session *s, void *io, bool abort)
{
    struct web_core *core = s->core;

    core->n_sessions--;
    stats_dec(&core->stats->sessions);
    if (io && abort)
        core->env.abort(core->env.arg, io);
    else if (io)
        core->env.close(core->env.arg, io);
}

void session_end(struct web_session *s)
{
    bury(s, false);
}

void session_abort(struct web_session *s)
{
    bury(s, true);
}

void session_shutdown(struct web_session *s)
{
    if (s->state == WEB_SESSION_CLOSING || s->state == WEB_SESSION_DEAD)
        return;
    s->state = WEB_SESSION_CLOSING;
    timers_cancel(&s->core->timers, &s->timer);
    s->ops->shutdown(s);
}

/* The client left a request unfinished, or does not want the answer. */
void session_give_up(struct web_session *s)
{
    stats_inc(&s->core->stats->client_gone);
    s->exchange->status = 499;
    session_end(s);
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

void session_on_timer(struct web_session *s)
{
    if (s->due > s->core->now) {
        session_set_due(s, s->due);
        return;
    }
    switch (s->state) {
    case WEB_SESSION_EXCHANGE:
        exchange_on_timeout(s->exchange);
        break;
    case WEB_SESSION_TUNNEL:
        tunnel_on_timer(s->exchange);
        break;
    default:
        s->ops->on_timer(s);
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

/* A head and what stands behind it. */
static int session_send(struct web_session *s, struct span text)
{
    ptrdiff_t end = span_search(text, span_str("\r\n\r\n"));
    size_t head = end < 0 ? text.len : (size_t)end + 4;
    int err = s->ops->head(s, span_head(text, head));

    if (err == 0 && head < text.len)
        err = s->ops->body(s, span_from(text, head), false);
    return err;
}

/* Fill in what every answer says, and send it. */
static void answer(struct web_session *s, struct web_page *page)
{
    struct web_core *core = s->core;
    struct buf *out = core_scratch(core);

    page->head_only = s->head_only;
    page->close = !session_persists(s);
    page->keep_alive = s->minor == 0;
    page->secure = s->entry->secure;
    if (page->secure)
        page->hsts = core->view->site->hsts;
    page->json = s->wants_json;
    page->errors = &core->view->site->errors;
    page->edits = s->edits ? s->edits : &core->view->site->edits;
    page->date = core->env.date(core->env.arg);
    web_page_write(out, page);
    core_count_answer(core, page->status);
    if (buf_err(out) < 0 || session_send(s, buf_span(out)) < 0)
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

static void count_refusal(struct web_core *core, enum web_gate_reason reason)
{
    struct web_stats *stats = core->stats;

    switch (reason) {
    case WEB_GATE_NO_ROUTE:
        stats_inc(&stats->refused_route);
        break;
    case WEB_GATE_CLIENT:
        stats_inc(&stats->refused_client);
        break;
    case WEB_GATE_CERTIFICATE:
        stats_inc(&stats->refused_certificate);
        break;
    case WEB_GATE_MAINTENANCE:
        stats_inc(&stats->refused_maintenance);
        break;
    case WEB_GATE_METHOD:
        stats_inc(&stats->refused_method);
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

/* `location` is in the core's scratch. */
static void answer_moved(struct web_session *s, const struct web_request *rq,
                         int status, const struct buf *location)
{
    char text[LOCATION_MAX];
    size_t len = buf_len(location);

    if (buf_err(location) < 0 || len > sizeof(text)) {
        refuse(s, rq, 414);
        return;
    }
    memcpy(text, buf_span(location).ptr, len);
    stats_inc(&s->core->stats->redirected);
    access_log_refused(s, rq, status);
    session_answer(s, status, 0, span_of(text, len));
}

static void redirect(struct web_session *s, const struct web_request *rq,
                     const struct web_route *route)
{
    struct buf *out = core_scratch(s->core);
    uint16_t port = s->core->view->site->https_port;

    if (rq->host.port && s->entry->secure)
        port = rq->host.port;
    web_url_expand(out, route, rq, port);
    answer_moved(s, rq, route->status, out);
}

/* A listener without TLS that only says where the one with TLS is. */
static void redirect_to_https(struct web_session *s,
                              const struct web_request *rq)
{
    struct buf *out = core_scratch(s->core);

    if (rq->host.len == 0) {
        stats_inc(&s->core->stats->bad_requests);
        refuse(s, rq, 400);
        return;
    }
    web_page_https_location(out, web_host_name(&rq->host),
                            s->core->view->site->https_port, rq->path,
                            rq->query, rq->has_query);
    answer_moved(s, rq, 308, out);
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

    if (verdict.route)
        s->edits = &verdict.route->edits;
    if (verdict.reason == WEB_GATE_PASS) {
        exchange_begin(s, rq, verdict.route, verdict.wait_ms);
        return;
    }
    if (verdict.reason == WEB_GATE_REDIRECT) {
        redirect(s, rq, verdict.route);
        return;
    }
    count_refusal(core, verdict.reason);
    count_jwt(core->stats, verdict.jwt);
    access_log_refused(s, rq, verdict.status);
    if (verdict.route)
        web_meter_answer(web_meter_block(verdict.route->meter, core->worker),
                         verdict.status);
    if (verdict.reason == WEB_GATE_RATE)
        page.retry_s = (verdict.wait_ms + 999) / 1000;
    if (verdict.reason == WEB_GATE_MAINTENANCE)
        page.retry_s = core->view->site->maintenance_retry_s;
    if (verdict.reason == WEB_GATE_METHOD)
        page.allow = verdict.route->allow;
    page.challenge = challenge_of(&verdict);
    answer(s, &page);
}

void session_on_request(struct web_session *s, const struct http_msg *msg)
{
    struct web_core *core = s->core;
    struct web_request *rq = &core->request;
    int status;

    stats_inc(&core->stats->requests);
    s->requests++;
    s->began = false;
    s->minor = msg->minor;
    s->head_only = msg->method_id == HTTP_METHOD_HEAD;
    s->wants_json = web_errors_wants_json(msg);
    /* Content that we refuse would have to be read: rather close. */
    s->persists = msg->is_persistent && msg->framing == HTTP_FRAMING_NONE;
    rq->secure = s->entry->secure;
    rq->peer = s->peer;
    rq->tunnel = s->tunnels;
    status = web_request_read(rq, msg);
    web_trace_read(&rq->trace, core->view->site->trace, msg);
    if (status == 0 && s->entry->redirect &&
        !web_gate_is_plain(core->view->site, rq)) {
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

void session_on_malformed(struct web_session *s, int status)
{
    struct web_core *core = s->core;

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

/* ---- events ---- */

void web_session_on_data(struct web_session *s, struct span data, uint64_t now)
{
    struct web_core *core = s->core;

    core_enter(core, now);
    s->ops->on_data(s, data);
    core_leave(core);
}

void web_session_on_writable(struct web_session *s, uint64_t now)
{
    struct web_core *core = s->core;

    core_enter(core, now);
    s->ops->on_writable(s);
    core_leave(core);
}

void web_session_on_end(struct web_session *s, uint64_t now)
{
    struct web_core *core = s->core;

    core_enter(core, now);
    s->ended = true;
    s->ops->on_end(s);
    core_leave(core);
}

/* Over TLS nobody closes one half only: whoever leaves during an upload does
 * not want the answer. */
void web_session_on_left(struct web_session *s, uint64_t now)
{
    struct web_core *core = s->core;

    core_enter(core, now);
    if (s->state == WEB_SESSION_EXCHANGE && s->io && s->entry->secure)
        session_give_up(s);
    core_leave(core);
}

void web_session_on_closed(struct web_session *s, uint64_t now)
{
    struct web_core *core = s->core;

    core_enter(core, now);
    s->io = NULL;
    s->ops->on_closed(s);
    core_leave(core);
}

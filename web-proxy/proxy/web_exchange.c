/* SPDX-License-Identifier: MIT */
#include "proxy/web_balance.h"
#include "proxy/web_internal.h"
#include "proxy/web_url.h"

#include "base/err.h"
#include "base/mem.h"
#include "http/http_head.h"

#include <assert.h>
#include <errno.h>

/* ---- life ---- */

static struct web_exchange *exchange_new(struct web_core *core)
{
    struct list *node = list_first(&core->spare_exchanges);
    struct web_exchange *x;

    if (node) {
        list_remove(node);
        core->n_spare_exchanges--;
        return CONTAINER_OF(node, struct web_exchange, node);
    }
    x = mem_zalloc(sizeof(*x));
    if (!x)
        return NULL;
    buf_init(&x->head, WEB_HEAD_BUFFER_MAX);
    list_init(&x->node);
    return x;
}

void exchange_destroy(struct web_exchange *x)
{
    buf_deinit(&x->head);
    mem_free(x);
}

void exchange_recycle(struct web_core *core, struct web_exchange *x)
{
    struct buf head = x->head;

    list_remove(&x->node);
    if (x->reader)
        reader_free(x->reader);
    view_unref(core, x->view);
    if (core->n_spare_exchanges >= WEB_SPARE_MAX) {
        exchange_destroy(x);
        return;
    }
    buf_reset(&head);
    if (head.cap > WEB_WARM_BUFFER)
        buf_shrink(&head);
    memset(x, 0, sizeof(*x));
    x->head = head;
    core->n_spare_exchanges++;
    list_push_front(&core->spare_exchanges, &x->node);
}

/* Into the meters of its route and its back end. */
static void measure(const struct web_exchange *x)
{
    struct web_core *core = x->session->core;
    struct web_meter_block *blocks[2] = {
        web_meter_block(x->route->meter, core->worker),
        x->upstream ? web_meter_block(x->upstream->meter, core->worker) : NULL,
    };

    for (int i = 0; i < 2; i++) {
        struct web_meter_block *b = blocks[i];

        if (!b)
            continue;
        web_meter_answer(b, x->status);
        stats_add(&b->bytes_in, x->body_in);
        stats_add(&b->bytes_out, x->body_out);
        if (x->first_byte)
            histogram_add(&b->first, x->first_byte - x->began);
        if (x->status != 101)
            histogram_add(&b->whole, core->now - x->began);
    }
}

/* No longer anybody's; its session may begin another. */
static void bury(struct web_exchange *x)
{
    struct web_core *core = x->session->core;

    if (x->state == WEB_EXCHANGE_DEAD)
        return;
    if (x->state == WEB_EXCHANGE_DELAYED)
        core->n_delayed--;
    if (x->state == WEB_EXCHANGE_QUEUED)
        queue_leave(x);
    if (x->state == WEB_EXCHANGE_TUNNEL) {
        list_remove(&x->node);
        stats_dec(&core->stats->tunnels);
    }
    x->state = WEB_EXCHANGE_DEAD;
    if (x->reader)
        reader_close(x->reader);
    stats_dec(&core->stats->exchanges);
    measure(x);
    access_log(x->session, x);
    if (x->session->exchange == x)
        x->session->exchange = NULL;
    list_push_back(&core->dead_exchanges, &x->node);
}

/* Close its link, whatever is on the way there. */
static void drop_link(struct web_exchange *x)
{
    struct web_link *link = x->link;

    x->link = NULL;
    if (!link)
        return;
    link->exchange = NULL;
    link_close(link);
}

void exchange_drop(struct web_exchange *x)
{
    struct web_link *link = x->link;

    if (x->state == WEB_EXCHANGE_TUNNEL && link) {
        /* What the client said last should still arrive. */
        x->link = NULL;
        link->exchange = NULL;
        link_shutdown(link);
    }
    drop_link(x);
    bury(x);
}

/* ---- failure ---- */

/* Before the answer has begun it can be one of ours; later the client has to
 * be told by a broken connection. */
static void fail_with(struct web_exchange *x, int status, uint64_t retry_s,
                      struct span location)
{
    struct web_session *s = x->session;
    bool begun = x->answer_begun;

    if (!begun)
        x->status = status;
    s->persists = s->persists && x->request_done &&
                  (status >= 500 || x->route->kind == WEB_ROUTE_FILES);
    drop_link(x);
    bury(x);
    if (begun)
        session_abort(s);
    else
        session_answer(s, status, retry_s, location);
}

static void fail_for(struct web_exchange *x, int status, uint64_t retry_s)
{
    fail_with(x, status, retry_s, span_of(NULL, 0));
}

void exchange_redirect(struct web_exchange *x, int status, struct span location)
{
    stats_inc(&x->session->core->stats->redirected);
    fail_with(x, status, 0, location);
}

void exchange_fail(struct web_exchange *x, int status)
{
    fail_for(x, status, 0);
}

void exchange_blame(struct web_exchange *x)
{
    if (x->backend)
        balance_on_failure(x->session->core, x->backend);
}

/* ---- deadlines ---- */

/* Content comes piece by piece, and not drop by drop. */
static uint64_t upload_due(struct web_exchange *x,
                           const struct web_limits *limits, uint64_t now)
{
    uint64_t due = now + limits->body_ms, most;

    if (!x->upload)
        x->upload = now;
    if (limits->body_rate == 0)
        return due;
    most = x->upload + limits->body_ms + x->body_in * 1000 / limits->body_rate;
    return most < due ? most : due;
}

void exchange_update_due(struct web_exchange *x)
{
    struct web_session *s = x->session;
    const struct web_limits *limits = &x->view->site->limits;
    uint64_t now = s->core->now;

    if (x->state != WEB_EXCHANGE_OPEN)
        return;
    x->client_queued = x->upstream_queued = 0;
    if (!x->request_done && !x->answer_begun)
        session_set_due(s, upload_due(x, limits, now));
    else if (!x->answer_begun)
        session_set_due(s, now + x->route->first_byte_ms);
    else
        session_set_due(s, now + x->route->idle_ms);
}

/* Something waits to be sent, and less of it than when this was asked last:
 * the peer is slow, but moves. What the kernel holds counts, too: that can be
 * megabytes, and for a slow peer minutes. `least` is how much it has to be. */
enum progress { NOTHING_WAITS, MOVES, STUCK };

static enum progress progress_of(size_t queued, size_t unacked, size_t least,
                                 size_t *last)
{
    size_t all = queued + unacked;
    bool moves = *last == 0 || (all < *last &&
                                *last - all >= (least < *last ? least : *last));

    *last = all;
    if (queued == 0)
        return NOTHING_WAITS;
    return moves ? MOVES : STUCK;
}

size_t exchange_least(const struct web_limits *limits)
{
    return (size_t)(limits->body_rate * limits->write_ms / 1000);
}

/* Who are we waiting for? */
void exchange_on_timeout(struct web_exchange *x)
{
    struct web_session *s = x->session;
    struct web_core *core = s->core;
    enum progress client, upstream = NOTHING_WAITS;

    if (x->state == WEB_EXCHANGE_DELAYED) {
        exchange_on_delay_over(x);
        return;
    }
    if (x->state == WEB_EXCHANGE_QUEUED) {
        stats_inc(&core->stats->queue_timeout);
        fail_for(x, 503, 1);
        return;
    }
    client =
        progress_of(session_queued(s), s->ops->unacked(s),
                    exchange_least(&x->view->site->limits), &x->client_queued);
    if (x->link && x->link->io)
        upstream = progress_of(core->env.queued(core->env.arg, x->link->io),
                               core->env.unacked(core->env.arg, x->link->io), 0,
                               &x->upstream_queued);
    if (client == MOVES || upstream == MOVES) {
        session_set_due(s, core->now + x->view->site->limits.write_ms);
    } else if (client == STUCK) {
        stats_inc(&core->stats->client_timeout);
        x->status = 499;
        session_abort(s);
    } else if (upstream == NOTHING_WAITS && !x->request_done) {
        stats_inc(&core->stats->client_timeout);
        exchange_fail(x, 408);
    } else {
        stats_inc(&core->stats->upstream_timeout);
        exchange_blame(x);
        exchange_fail(x, 504);
    }
}

void exchange_fill(struct web_exchange *x)
{
    if (x->reader)
        reader_pump(x);
    else if (x->link)
        link_update_reading(x->link);
}

void exchange_on_client_room(struct web_exchange *x)
{
    if (!x->link && !x->reader)
        return;
    exchange_update_due(x);
    exchange_fill(x);
}

/* ---- towards the back end ---- */

static void send_head(struct web_exchange *x)
{
    struct web_link *link = x->link;
    struct web_core *core = link->core;

    x->state = WEB_EXCHANGE_OPEN;
    x->opened = core->now;
    http_parser_set_request(link->parser, x->method);
    if (x->request_done)
        x->sent = core->now;
    exchange_update_due(x);
    /* An error is reported by the shell as a closed link: one way only. */
    if (core_write(core, link->io, span_head(buf_span(&x->head), x->head_len)) <
        0)
        x->request_lost = true;
}

/* With its link, which may still be on the way. */
static void proceed(struct web_exchange *x)
{
    if (x->link->state == WEB_LINK_DIALLING) {
        x->state = WEB_EXCHANGE_DIALLING;
        session_set_due(x->session, TIMERS_NEVER); /* the dial has its own */
        return;
    }
    send_head(x);
}

/* Every server that may be asked has as many connections as it may. */
static void wait_for_room(struct web_exchange *x)
{
    struct web_core *core = x->session->core;

    if (!x->queue_until)
        x->queue_until = core->now + x->upstream->queue_ms;
    if (core->now < x->queue_until && queue_enter(x))
        return;
    stats_inc(&core->stats->upstream_full);
    fail_for(x, 503, 1);
}

static void start(struct web_exchange *x)
{
    struct web_core *core = x->session->core;

    if (x->reader) {
        reader_start(x);
        return;
    }
    if (!x->queue_until && queue_is_waiting(x)) {
        wait_for_room(x);
        return;
    }
    x->asked = core->now;
    x->give_up = core->now + 2 * x->upstream->connect_ms;
    if (link_get(x, false)) {
        stats_inc(&core->stats->proxied);
        proceed(x);
    } else if (x->full) {
        wait_for_room(x);
    } else if (x->tried == 0) {
        /* Every server is out: said at once, nobody is kept waiting. */
        stats_inc(&core->stats->upstream_out);
        fail_for(x, 503, balance_retry_s(x));
    } else {
        exchange_fail(x, 503);
    }
}

void exchange_on_delay_over(struct web_exchange *x)
{
    x->session->core->n_delayed--;
    x->state = WEB_EXCHANGE_DIALLING;
    start(x);
    if (x->state == WEB_EXCHANGE_OPEN)
        session_continue(x->session);
}

void exchange_go_on(struct web_exchange *x)
{
    x->state = WEB_EXCHANGE_DIALLING;
    x->tried = 0;
    x->full = false;
    start(x);
}

void exchange_on_dialled(struct web_exchange *x)
{
    send_head(x);
    session_continue(x->session);
}

void exchange_on_dial_failed(struct web_exchange *x, int err)
{
    struct web_core *core = x->session->core;

    x->link = NULL;
    stats_inc(&core->stats->upstream_connect_failed);
    exchange_blame(x);
    /* Nothing was sent, so any request may go to the next server. */
    if (core->now < x->give_up && link_get(x, x->retried)) {
        stats_inc(&core->stats->failed_over);
        proceed(x);
        return;
    }
    exchange_fail(x, err == -ETIMEDOUT ? 504 : 502);
}

/* What the log and the answer need of the request. */
static void note_target(struct web_exchange *x, const struct web_request *rq)
{
    x->host_len = rq->msg->host.len;
    x->path_len = rq->path.len + (rq->has_query ? 1 + rq->query.len : 0);
    buf_put_span(&x->head, rq->msg->host);
    buf_put_span(&x->head, rq->path);
    if (rq->has_query) {
        buf_put_str(&x->head, "?");
        buf_put_span(&x->head, rq->query);
    }
}

/* Write the head once, for this try and for a second one. */
static int write_head(struct web_exchange *x, const struct web_request *rq)
{
    struct web_session *s = x->session;
    const struct web_upstream *upstream = x->upstream;
    char path[WEB_REQUEST_PATH_SIZE];
    struct web_forward_request how = {
        .client = &s->client_name,
        .secure = s->entry->secure,
        .upgrade = x->upgrade,
        .via = x->view->site->via,
        .port = x->view->site->https_port,
    };

    assert(upstream); /* the route leads to one */
    how.host_field = upstream->host_field;
    /* HTTP/1.0 knows requests without Host; HTTP/1.1 does not. */
    if (rq->host.len == 0 && !how.host_field)
        how.host_field = upstream->backends[0].host;
    how.path = rq->path;
    if (x->route->rewrite.len > 0) {
        int len = web_url_rewrite(x->route, rq->path, path, sizeof(path));

        if (len < 0)
            return len;
        how.path = span_of(path, (size_t)len);
    }
    web_forward_request(&x->head, rq, &how);
    x->head_method = rq->msg->method.len;
    x->head_len = buf_len(&x->head);
    note_target(x, rq);
    return buf_err(&x->head);
}

/* Returns 0, or the status that refuses it. */
static int prepare(struct web_exchange *x, const struct web_request *rq)
{
    if (x->route->kind == WEB_ROUTE_PROXY)
        return write_head(x, rq) < 0 ? 431 : 0;
    buf_put_span(&x->head, rq->msg->method);
    x->head_method = x->head_len = rq->msg->method.len;
    note_target(x, rq);
    return buf_err(&x->head) < 0 ? 431 : reader_new(x, rq);
}

static void note_request(struct web_exchange *x, const struct web_request *rq)
{
    const struct http_msg *msg = rq->msg;

    x->method = msg->method_id;
    x->expects = msg->expects_continue;
    x->request_chunked = msg->framing == HTTP_FRAMING_CHUNKED;
    x->request_done = msg->framing == HTTP_FRAMING_NONE;
    x->upgrade = rq->websocket && x->route->websocket != WEB_ROUTE_WEBSOCKET_NO;
    if (x->upgrade)
        ws_accept_of(rq->handshake.key, x->accept);
}

void exchange_begin(struct web_session *s, const struct web_request *rq,
                    const struct web_route *route, uint64_t delay_ms)
{
    struct web_core *core = s->core;
    struct web_exchange *x = NULL;
    int status;
    bool full =
        delay_ms > 0 && core->n_delayed >= core->view->site->limits.delayed_max;

    if (!full)
        x = exchange_new(core);
    if (!x) {
        access_log_refused(s, rq, 503);
        session_answer(s, 503, full ? 1 : 0, span_of(NULL, 0));
        return;
    }
    x->session = s;
    x->view = core->view;
    x->view->users++;
    x->route = route;
    if (route->kind == WEB_ROUTE_PROXY)
        x->upstream = &x->view->site->upstreams[route->upstream];
    if (x->upstream)
        x->balance_key = balance_key_of(x->upstream, rq, &s->client);
    x->began = core->now;
    memcpy(x->trace, rq->trace.id, sizeof(x->trace));
    s->exchange = x;
    s->state = WEB_SESSION_EXCHANGE;
    s->persists = rq->msg->is_persistent;
    stats_inc(&core->stats->exchanges);
    note_request(x, rq);

    status = prepare(x, rq);
    if (status) {
        x->state = WEB_EXCHANGE_DIALLING;
        exchange_fail(x, status);
    } else if (delay_ms > 0) {
        x->state = WEB_EXCHANGE_DELAYED;
        core->n_delayed++;
        stats_inc(&core->stats->delayed);
        session_set_due(s, core->now + delay_ms);
    } else {
        start(x);
    }
}

/* ---- the content of the request ---- */

bool exchange_wants_body(const struct web_exchange *x)
{
    const struct web_core *core = x->session->core;

    if (x->state != WEB_EXCHANGE_OPEN && x->state != WEB_EXCHANGE_TUNNEL)
        return false;
    if (x->request_lost || !x->link)
        return true; /* to be thrown away */
    return core->env.queued(core->env.arg, x->link->io) <=
           x->view->site->limits.queue_max;
}

void exchange_on_body(struct web_exchange *x, struct span body)
{
    struct web_core *core = x->session->core;
    char size[WEB_CHUNK_LINE_SIZE];
    struct span parts[3];
    size_t n = 0;

    x->body_in += body.len;
    stats_add(&core->stats->body_in, body.len);
    if (x->body_in > x->route->body_max) {
        stats_inc(&core->stats->refused_size);
        exchange_fail(x, 413);
        return;
    }
    exchange_update_due(x);
    if (x->request_lost || !x->link)
        return;
    if (x->request_chunked)
        parts[n++] = web_chunk_line(body.len, size);
    parts[n++] = body;
    if (x->request_chunked)
        parts[n++] = span_str("\r\n");
    if (core->env.write(core->env.arg, x->link->io, parts, n) < 0)
        x->request_lost = true;
}

void exchange_on_request_end(struct web_exchange *x)
{
    struct web_core *core = x->session->core;

    x->request_done = true;
    x->sent = core->now;
    exchange_update_due(x);
    if (x->request_chunked && !x->request_lost && x->link &&
        core_write(core, x->link->io, span_str("0\r\n\r\n")) < 0)
        x->request_lost = true;
}

/* ---- the link ended ---- */

/* A kept connection may be closed by the back end just as we use it, and a
 * server of several may die. When it cannot have acted on the request, or
 * acting twice does no harm, that is not the client's affair (RFC 9110 9.2.2,
 * RFC 9112 9.3.1). */
static bool may_retry(const struct web_exchange *x, bool untouched)
{
    bool elsewhere =
        x->upstream->n_backends > 1 && !x->answer_begun && x->interims == 0;

    return (untouched || elsewhere) && !x->retried && x->request_done &&
           x->body_in == 0 && !x->request_chunked &&
           web_request_is_idempotent(x->method);
}

/* On a new connection; to another server if there is one, since this one may
 * just have died. */
static bool retry(struct web_exchange *x)
{
    const struct web_backend *backend = x->backend;
    struct web_pool *pool = x->pool;

    x->retried = true;
    x->request_lost = false;
    stats_inc(&x->session->core->stats->retried);
    if (link_get(x, true))
        return true;
    x->backend = backend;
    x->pool = pool;
    return link_dial(x) != NULL;
}

void exchange_on_link_lost(struct web_exchange *x, bool untouched, int err)
{
    struct web_core *core = x->session->core;

    x->link = NULL;
    if (!untouched)
        exchange_blame(x);
    if (may_retry(x, untouched)) {
        if (retry(x))
            proceed(x);
        else
            exchange_fail(x, 503);
        return;
    }
    stats_inc(&core->stats->upstream_broken);
    exchange_fail(x, err == -ETIMEDOUT ? 504 : 502);
}

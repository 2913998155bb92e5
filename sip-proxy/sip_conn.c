/* SPDX-License-Identifier: MIT */
#include "sip_conn.h"

#include "base/err.h"
#include "base/mem.h"
#include "msg/sip_frame.h"
#include "sip_peer.h"

#include <errno.h>
#include <stdio.h>

#define LOG_COMPONENT "stream"
#include "base/log.h"

enum {
    CLOSE_WAIT_MS = 2000,
    QUEUE = 1024 * 1024, /* towards a media server: many calls share it */
    LOG_EVERY_MS = 1000,
    HEADER_ROOM = 4096, /* that one byte too many is seen, and CRLFs */
};

struct sip_conn {
    struct sip_link link;
    struct sip_worker *owner;
    struct stream *stream;
    struct sip_frame frame;
    struct buf in;      /* a message that is not whole yet */
    struct alarm alarm; /* first message, idle, end */
    struct sip_target from;
    uint64_t last_heard;
    uint64_t begun; /* when the message that is not whole began; 0: none */
    bool is_inside;
    bool is_mapped; /* in the worker's table of peers */
    bool is_open;   /* connected; accepted ones are */
    bool has_spoken;
    bool is_closing;
    bool is_doomed; /* to be closed when the stack is unwound */
};

static struct sip_conn *conn_of(struct sip_link *link)
{
    return CONTAINER_OF(link, struct sip_conn, link);
}

static void forget(struct sip_conn *c)
{
    struct sip_worker *w = c->owner;

    alarm_cancel(&c->alarm);
    list_remove(&c->link.node);
    stats_dec(&w->stats->streams_open);
    if (c->is_mapped)
        (void)map_remove(&w->peers, addr_key(&c->from.remote));
    if (c->from.flow)
        sip_core_close_flow(w->core, c->from.flow, worker_now(w->worker));
    sip_worker_touch(w);
    buf_deinit(&c->in);
    mem_free(c);
}

static void drop(struct sip_conn *c)
{
    struct stream *stream = c->stream;

    forget(c);
    stream_close(stream);
}

/* --- out --- */

static int send_message(struct sip_link *link, struct span message)
{
    struct sip_conn *c = conn_of(link);
    int err;

    if (c->is_closing || c->is_doomed)
        return ERR_CLOSED;
    err = stream_write(c->stream, message);
    if (err < 0) {
        SIP_SHELL_COUNT(c->owner, streams_slow);
        c->is_doomed = true;
        alarm_set(&c->alarm, worker_now(c->owner->worker));
        return err;
    }
    SIP_SHELL_COUNT(c->owner, stream_messages_out);
    return 0;
}

static void close_link(struct sip_link *link, enum sip_link_why why)
{
    struct sip_conn *c = conn_of(link);

    (void)why; /* a stream has no words for it */
    if (c->is_closing)
        return;
    c->is_closing = true;
    alarm_set(&c->alarm, worker_now(c->owner->worker) + CLOSE_WAIT_MS);
    stream_shutdown(c->stream);
}

/* --- in --- */

static void on_message(struct sip_conn *c, struct span message)
{
    struct sip_worker *w = c->owner;

    SIP_SHELL_COUNT(w, stream_messages_in);
    c->begun = 0;
    c->has_spoken = true;
    sip_core_on_message(w->core, &c->from, message, worker_now(w->worker));
}

/* Cut what is whole off the front. Returns the bytes used, or an error. */
static int64_t cut(struct sip_conn *c, struct span data)
{
    size_t used = 0;

    while (!c->is_closing && !c->is_doomed) {
        enum sip_fault fault;
        size_t len = 0;
        int kind = sip_frame_next(&c->frame, span_from(data, used),
                                  &c->owner->settings[c->owner->in_use].limits,
                                  &len, &fault);

        if (kind < 0) {
            log_debug("stream ended reason=\"%s\"", sip_fault_str(fault));
            return kind;
        }
        if (kind == SIP_FRAME_MORE)
            break;
        if (kind == SIP_FRAME_MESSAGE)
            on_message(c, span_head(span_from(data, used), len));
        else if (kind == SIP_FRAME_PING)
            (void)send_message(&c->link, span_str("\r\n"));
        used += len;
    }
    return (int64_t)used;
}

static void on_bad_stream(struct sip_conn *c)
{
    SIP_SHELL_COUNT(c->owner, streams_protocol);
    close_link(&c->link, SIP_LINK_GARBAGE);
}

/* What has come joins what is left from before only as far as there is room: a
 * long message and many short ones behind it may come in one read. Returns 0
 * or an error. */
static int feed(struct sip_conn *c, struct span data)
{
    int64_t used;

    while (buf_len(&c->in) > 0 && data.len > 0) {
        struct span piece = span_head(data, buf_room(&c->in));

        if (piece.len == 0)
            return ERR_LIMIT;
        buf_put_span(&c->in, piece);
        if (buf_err(&c->in))
            return buf_err(&c->in);
        data = span_from(data, piece.len);
        used = cut(c, buf_span(&c->in));
        if (used < 0)
            return (int)used;
        buf_consume(&c->in, (size_t)used);
    }
    used = cut(c, data);
    if (used < 0)
        return (int)used;
    buf_put_span(&c->in, span_from(data, (size_t)used));
    return buf_err(&c->in);
}

static uint64_t patience(const struct sip_conn *c)
{
    return sip_worker_config(c->owner)->message_timeout;
}

/* A message that has begun is to be whole soon: who sends it byte by byte keeps
 * our memory and says nothing. Media servers are believed. */
static void note_rest(struct sip_conn *c)
{
    if (buf_len(&c->in) == 0) {
        c->begun = 0;
        buf_shrink(&c->in);
        return;
    }
    if (c->begun || c->is_inside || c->is_closing || c->is_doomed)
        return;
    c->begun = c->last_heard;
    if (c->alarm.timer.deadline > c->begun + patience(c))
        alarm_set(&c->alarm, c->begun + patience(c));
}

static bool dribbles(const struct sip_conn *c, uint64_t now)
{
    return c->begun && now - c->begun >= patience(c);
}

static void on_data(struct stream *stream, struct span data, void *arg)
{
    struct sip_conn *c = arg;

    (void)stream;
    c->last_heard = worker_now(c->owner->worker);
    if (feed(c, data) < 0)
        on_bad_stream(c);
    else
        note_rest(c);
    sip_worker_touch(c->owner);
}

/* --- life --- */

static void on_open(struct stream *stream, void *arg)
{
    struct sip_conn *c = arg;

    (void)stream;
    c->is_open = true;
    c->last_heard = worker_now(c->owner->worker);
    if (c->from.flow) /* a partner's: it ends when nothing is said there */
        alarm_set(&c->alarm,
                  c->last_heard +
                      sip_worker_config(c->owner)->stream_idle_timeout);
}

/* What waits for the first word of that media server would wait in vain:
 * requests that were on the stream when it ended are lost (RFC 3261 18.4). */
static void tell_lost(struct sip_worker *w, const struct sip_target *server,
                      bool was_open)
{
    sip_core_on_unreachable(w->core, server, was_open, worker_now(w->worker));
    sip_worker_touch(w);
}

/* Of partners: whoever set them up wants to know what is wrong there. */
static void say_unreached(const struct sip_conn *c, int err)
{
    struct sip_worker *w = c->owner;
    uint64_t now = worker_now(w->worker);
    char text[ADDR_TEXT_SIZE];

    if (w->unreached_logged > now)
        return;
    w->unreached_logged = now + LOG_EVERY_MS;
    log_warn("partner not reached address=%s error=\"%s\"",
             addr_str(&c->from.remote, text), err_str(err));
}

static void on_closed(struct stream *stream, int err, void *arg)
{
    struct sip_conn *c = arg;
    struct sip_worker *w = c->owner;
    struct sip_target to = c->from;
    bool was_inside = c->is_inside, was_open = c->is_open;

    (void)stream;
    if (!c->is_open && c->from.flow)
        say_unreached(c, err);
    forget(c);
    if (was_inside)
        tell_lost(w, &to, was_open);
}

static const struct stream_events events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_closed = on_closed,
};

static void on_alarm(struct alarm *alarm, uint64_t now)
{
    struct sip_conn *c = CONTAINER_OF(alarm, struct sip_conn, alarm);
    uint64_t idle = sip_worker_config(c->owner)->stream_idle_timeout;

    if (c->is_doomed || c->is_closing) {
        struct sip_worker *w = c->owner;
        struct sip_target to = c->from;
        bool is_lost = c->is_inside && c->is_doomed;

        drop(c);
        if (is_lost)
            tell_lost(w, &to, true);
    } else if (dribbles(c, now)) {
        SIP_SHELL_COUNT(c->owner, streams_dribble);
        close_link(&c->link, SIP_LINK_GARBAGE);
    } else if (!c->has_spoken || now - c->last_heard >= idle) {
        SIP_SHELL_COUNT(c->owner, streams_idle);
        close_link(&c->link, SIP_LINK_RESTART);
    } else if (c->begun && c->begun + patience(c) < c->last_heard + idle) {
        alarm_set(&c->alarm, c->begun + patience(c));
    } else {
        alarm_set(&c->alarm, c->last_heard + idle);
    }
}

static struct sip_conn *conn_new(struct sip_worker *w, uint32_t listener)
{
    const struct sip_local *local = &w->shared->locals[listener];
    struct sip_conn *c = mem_zalloc(sizeof(*c));

    if (!c)
        return NULL;
    c->link.send = send_message;
    c->link.close = close_link;
    list_init(&c->link.node);
    c->owner = w;
    c->is_inside = local->zone == SIP_INSIDE;
    c->last_heard = worker_now(w->worker);
    c->from = (struct sip_target){.transport = local->transport,
                                  .local = local->addr,
                                  .worker = w->index,
                                  .listener = listener};
    sip_frame_init(&c->frame);
    buf_init(&c->in, (size_t)sip_worker_config(w)->max_message + HEADER_ROOM);
    alarm_init(&c->alarm, w->worker, on_alarm);
    return c;
}

/* From now on it is in the worker's list, and its peer in the table. */
static void adopt(struct sip_conn *c, struct stream *stream)
{
    struct sip_worker *w = c->owner;

    c->stream = stream;
    list_push_back(&w->conns, &c->link.node);
    stats_inc(&w->stats->streams_open);
    if (c->is_inside)
        c->is_mapped = map_put(&w->peers, addr_key(&c->from.remote), c) == 0;
}

/* By its address, and by its certificate where that is asked for. */
static bool is_server(const struct sip_conn *c, const struct stream *stream)
{
    struct sip_worker *w = c->owner;

    return sip_core_knows_source(w->core, &c->from) &&
           (!w->shared->locals[c->from.listener].verify ||
            sip_peer_is_server(w, stream, &c->from));
}

static int open_flow(struct sip_conn *c, struct stream *stream,
                     const char *names, uint64_t now)
{
    struct sip_core *core = c->owner->core;

    return names ? sip_core_open_partner(core, &c->from, &c->link, names, now,
                                         &c->from.flow)
                 : sip_core_open_flow(core, &c->from, &c->link,
                                      sip_worker_group_by_sni(c->owner, stream),
                                      now, &c->from.flow);
}

void sip_conn_accept(struct sip_worker *w, struct stream *stream,
                     uint32_t listener, const char *names)
{
    struct sip_conn *c = conn_new(w, listener);
    uint64_t now = worker_now(w->worker);

    if (!c) {
        stream_close(stream);
        return;
    }
    c->is_open = true;
    c->from.remote = *stream_peer(stream);
    c->from.local = *stream_local(stream);
    if (c->is_inside && !is_server(c, stream)) {
        SIP_SHELL_COUNT(w, streams_unknown);
        mem_free(c);
        stream_close(stream);
        return;
    }
    if (!c->is_inside && open_flow(c, stream, names, now) < 0) {
        mem_free(c);
        stream_close(stream);
        return;
    }
    adopt(c, stream);
    stream_set_events(stream, &events, c);
    alarm_set(&c->alarm, now + sip_worker_config(w)->handshake_timeout);
}

/* Open a stream to `to`; `target` says with whom over TLS. */
static int open_stream(struct sip_worker *w, const struct sip_target *to,
                       struct stream_target *target, struct sip_conn **ret_conn)
{
    struct sip_conn *c = conn_new(w, to->listener);
    struct stream *stream;
    int err;

    if (!c)
        return -ENOMEM;
    target->to = to->remote;
    if (!addr_is_any(&to->local)) {
        target->from = to->local;
        target->from.port = 0;
    }
    target->timeout_ms = (unsigned)sip_worker_config(w)->connect_timeout;
    target->tos = (uint8_t)(sip_worker_config(w)->dscp << 2);
    target->options.max_queued = QUEUE;
    target->options.keepalive_s = 30;
    c->from.remote = to->remote;
    c->from.flow = to->flow;
    c->has_spoken = true; /* it is us who speak first */
    err = stream_connect(&stream, w->worker, target, &events, c);
    if (err < 0) {
        buf_deinit(&c->in);
        mem_free(c);
        return err;
    }
    adopt(c, stream);
    *ret_conn = c;
    return 0;
}

static int connect_to(struct sip_worker *w, const struct sip_target *to,
                      struct sip_conn **ret_conn)
{
    char name[ADDR_TEXT_SIZE];
    struct stream_target target = {.tls = NULL};
    int err;

    if (!sip_core_is_server(w->core, to))
        return ERR_CLOSED;
    if (to->transport == SIP_TLS) {
        target.tls = w->tls.servers;
        target.server_name = sip_core_server_host(w->core, to);
        target.verify_name = target.server_name
                                 ? target.server_name
                                 : addr_ip_str(&to->remote, name);
        if (!target.tls)
            return ERR_TLS;
    }
    err = open_stream(w, to, &target, ret_conn);
    if (err < 0)
        return err;
    if (!(*ret_conn)->is_mapped) { /* nobody would find it again */
        drop(*ret_conn);
        return ERR_LIMIT;
    }
    return 0;
}

int sip_conn_send_to(struct sip_worker *w, const struct sip_target *to,
                     struct span message)
{
    struct sip_conn *c = map_find(&w->peers, addr_key(&to->remote));
    int err;

    if (!c || c->is_closing || c->is_doomed) {
        err = c ? ERR_CLOSED : connect_to(w, to, &c);
        if (err < 0)
            return err;
    }
    return send_message(&c->link, message);
}

int sip_conn_dial(struct sip_worker *w, const struct sip_target *to,
                  const char *name, const char *sni, struct sip_link **ret_link)
{
    char domain[SIP_SENT_BY_MAX + 256];
    struct stream_target target = {
        .tls = w->tls.partners, .server_name = sni, .verify_name = domain};
    struct sip_conn *c;
    int err;

    if (!target.tls)
        return ERR_TLS;
    /* RFC 5922 section 4: the domain that was asked for, not the host that
     * DNS has named for it. */
    (void)snprintf(domain, sizeof(domain), "sip:%s", name);
    err = open_stream(w, to, &target, &c);
    if (err < 0)
        return err;
    *ret_link = &c->link;
    return 0;
}

/* SPDX-License-Identifier: MIT */
#include "sip_ws.h"

#include "base/crypto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "http/http_parse.h"
#include "proxy/sip_flow.h"
#include "ws/ws_frame.h"
#include "ws/ws_handshake.h"

#define LOG_COMPONENT "ws"
#include "base/log.h"

enum {
    REFUSAL_MAX = 1024,
    HEAD_MAX = 16 * 1024, /* with room for what other applications' cookies
                             on the same host may be */
    CLOSE_WAIT_MS = 2000, /* for the peer's close frame */
};

static const struct http_limits limits = {
    .start_line = 8 * 1024, .head = HEAD_MAX, .headers = 64, .chunk_line = 64};

enum ws_state {
    WS_HANDSHAKE,
    WS_OPEN,
    WS_CLOSING, /* our close frame is out; nothing is read or sent any more */
};

struct sip_ws {
    struct sip_link link;
    struct sip_worker *owner;
    struct stream *stream;
    struct http_parser *parser; /* until the handshake is through */
    struct alarm alarm;         /* handshake deadline, then pings, then end */
    struct ws_reader reader;
    struct ws_closing closing;
    enum ws_state state;
    struct sip_target from;
    uint64_t last_heard;
    uint64_t begun; /* when the message that is not whole began; 0: none */
    bool is_doomed; /* to be closed when the stack is unwound */
};

static struct sip_ws *ws_of(struct sip_link *link)
{
    return CONTAINER_OF(link, struct sip_ws, link);
}

static void forget(struct sip_ws *ws)
{
    struct sip_worker *w = ws->owner;

    alarm_cancel(&ws->alarm);
    list_remove(&ws->link.node);
    if (ws->from.flow) {
        stats_dec(&w->stats->ws_open);
        sip_core_close_flow(w->core, ws->from.flow, worker_now(w->worker));
        sip_worker_touch(w);
    }
    http_parser_free(ws->parser);
    ws_reader_deinit(&ws->reader);
    mem_free(ws);
}

/* Close and free now, without goodbye. */
static void drop(struct sip_ws *ws)
{
    struct stream *stream = ws->stream;

    forget(ws);
    stream_close(stream);
}

/* --- out --- */

static int write_frame(struct sip_ws *ws, enum ws_opcode opcode,
                       struct span payload)
{
    uint8_t header[WS_HEADER_MAX];
    struct span parts[2];

    parts[0] = span_of(
        header, ws_header_write(header, opcode, WS_FIN, payload.len, NULL));
    parts[1] = payload;
    return stream_writev(ws->stream, parts, payload.len ? 2 : 1);
}

static int send_message(struct sip_link *link, struct span message)
{
    struct sip_ws *ws = ws_of(link);
    int err;

    if (ws->state != WS_OPEN || ws->is_doomed)
        return ERR_CLOSED;
    /* RFC 7118 5.3 allows both. A browser ends the connection on a text frame
     * that is not UTF-8, and some server still writes Latin-1 names. */
    err = write_frame(ws, text_is_utf8(message) ? WS_TEXT : WS_BINARY, message);
    if (err < 0) {
        /* The peer does not read: not from inside the core, but soon. */
        ws->is_doomed = true;
        alarm_set(&ws->alarm, worker_now(ws->owner->worker));
        return err;
    }
    SIP_SHELL_COUNT(ws->owner, ws_messages_out);
    return 0;
}

/* Close with this code (enum ws_close_code); harmless when already closing. */
static void close_with(struct sip_ws *ws, unsigned code, const char *reason)
{
    uint8_t frame[WS_CLOSE_FRAME_MAX];
    size_t len;

    if (ws->state == WS_CLOSING)
        return;
    if (ws->state == WS_OPEN && ws_closing_begin(&ws->closing)) {
        len = ws_close_write(frame, (uint16_t)code, span_str(reason), NULL);
        (void)stream_write(ws->stream, span_of(frame, len));
    }
    ws->state = WS_CLOSING;
    alarm_set(&ws->alarm, worker_now(ws->owner->worker) + CLOSE_WAIT_MS);
    stream_shutdown(ws->stream);
}

static void close_link(struct sip_link *link, enum sip_link_why why)
{
    struct sip_ws *ws = ws_of(link);

    if (why == SIP_LINK_GARBAGE)
        close_with(ws, WS_CLOSE_POLICY, "not SIP");
    else
        close_with(ws, WS_CLOSE_GOING_AWAY, "restart");
}

/* --- handshake --- */

static void refuse(struct sip_ws *ws, int status, uint64_t *counter)
{
    struct buf out;

    stats_inc(counter);
    buf_init(&out, REFUSAL_MAX);
    ws_handshake_write_refusal(status, &out);
    (void)stream_write(ws->stream, buf_span(&out));
    buf_deinit(&out);
    ws->state = WS_CLOSING;
    alarm_set(&ws->alarm, worker_now(ws->owner->worker) + CLOSE_WAIT_MS);
    stream_shutdown(ws->stream);
}

/* One of the settings, whether or not its servers are found yet. */
static bool is_group(const struct sip_config *cfg, struct span name)
{
    for (size_t i = 0; i < cfg->media_servers.n; i++) {
        if (span_is_nocase(name, cfg->media_servers.items[i].group))
            return true;
    }
    return false;
}

/* "/wssip" → 0; "/wssip-NAME" → the group's tag, which must exist. */
static bool group_of(const struct sip_ws *ws, struct span path,
                     uint32_t *ret_group)
{
    const struct sip_worker *w = ws->owner;
    struct span prefix = span_str(sip_worker_config(w)->websocket_path);
    struct span query, name;

    (void)span_cut(path, '?', &path, &query);
    if (!span_equal(span_head(path, prefix.len), prefix))
        return false;
    name = span_from(path, prefix.len);
    *ret_group = 0;
    if (name.len == 0)
        return true;
    if (name.len < 2 || name.ptr[0] != '-')
        return false;
    name = span_from(name, 1);
    *ret_group = sip_name_tag(name);
    return is_group(sip_worker_config(w), name);
}

/* The last item of the list, which is cut off. False: there is none. */
static bool take_last(struct span *list, struct span *ret_item)
{
    while (list->len > 0) {
        size_t at = list->len;

        while (at > 0 && list->ptr[at - 1] != ',')
            at--;
        *ret_item = span_trim(span_from(*list, at));
        *list = span_head(*list, at > 0 ? at - 1 : 0);
        if (ret_item->len > 0)
            return true;
    }
    return false;
}

/* Behind trusted proxies the client is the last address they do not know. What
 * stands in front of that is the client's own word, and not even looked at. */
static void find_client(struct sip_ws *ws, const struct http_msg *msg)
{
    const struct cidr_list *trusted =
        &sip_worker_config(ws->owner)->trusted_proxies;
    struct addr found = ws->from.remote;

    if (!cidr_list_has_ip(trusted->items, trusted->n, &found))
        return;
    for (size_t i = msg->headers_n; i-- > 0;) {
        struct span rest = msg->headers[i].value;
        struct span item;

        if (msg->headers[i].field != HTTP_FIELD_X_FORWARDED_FOR)
            continue;
        while (take_last(&rest, &item)) {
            if (addr_parse(item, &found) < 0)
                return; /* a proxy that says no address */
            if (found.port == 0)
                found.port = ws->from.remote.port;
            if (cidr_list_has_ip(trusted->items, trusted->n, &found))
                continue;
            ws->from.remote = found;
            return;
        }
    }
}

/* The status to answer with; 101 has been answered. */
static int answer_handshake(struct sip_ws *ws, const struct http_msg *msg)
{
    const struct sip_config *cfg = sip_worker_config(ws->owner);
    const struct ws_policy policy = {.protocol = "sip",
                                     .origins = cfg->origins.items,
                                     .origins_n = cfg->origins.n};
    struct ws_handshake hs = {0};
    struct ws_accepted accepted;
    struct buf out;
    int status;

    for (size_t i = 0; i < msg->headers_n; i++)
        ws_handshake_on_header(&hs, msg->headers[i].name,
                               msg->headers[i].value);
    status = ws_handshake_check(&hs, msg->method, &policy, &accepted);
    if (status != 101)
        return status;
    buf_init(&out, REFUSAL_MAX);
    ws_handshake_write(&accepted, &out);
    if (buf_err(&out) < 0 || stream_write(ws->stream, buf_span(&out)) < 0)
        status = 503;
    buf_deinit(&out);
    return status;
}

static void on_request(struct sip_ws *ws, const struct http_msg *msg)
{
    struct sip_worker *w = ws->owner;
    uint64_t now = worker_now(w->worker);
    uint32_t group;
    int status, err;

    if (!group_of(ws, msg->path, &group)) {
        refuse(ws, 404, &w->stats->ws_refused_path);
        return;
    }
    if (group == 0)
        group = sip_worker_group_by_sni(w, ws->stream);
    find_client(ws, msg);
    err = sip_core_open_flow(w->core, &ws->from, &ws->link, group, now,
                             &ws->from.flow);
    if (err == ERR_DENIED) {
        refuse(ws, 403, &w->stats->ws_refused_banned);
        return;
    }
    if (err < 0) {
        refuse(ws, 503, &w->stats->ws_refused_full);
        return;
    }
    status = answer_handshake(ws, msg);
    if (status != 101) {
        sip_core_close_flow(w->core, ws->from.flow, now);
        ws->from.flow = 0;
        refuse(ws, status,
               status == 403 ? &w->stats->ws_refused_origin
                             : &w->stats->ws_refused_request);
        return;
    }
    SIP_SHELL_COUNT(w, ws_accepted);
    stats_inc(&w->stats->ws_open);
    ws->state = WS_OPEN;
}

/* The time to the next ping: not all connections at once. */
static uint64_t ping_time(const struct sip_ws *ws)
{
    uint64_t interval = sip_worker_config(ws->owner)->ping_interval;
    uint32_t random;

    crypto_random(&random, sizeof(random));
    return ws->last_heard + interval - interval / 5 +
           (interval / 5) * (random & 0xFFFF) / 0xFFFF;
}

/* Moves `*data` behind the HTTP request. */
static void read_handshake(struct sip_ws *ws, struct span *data)
{
    struct span body;

    while (ws->state == WS_HANDSHAKE) {
        switch (http_parser_next(ws->parser, data, &body)) {
        case HTTP_EVENT_MORE:
            return;
        case HTTP_EVENT_HEAD:
            /* A handshake has no content; and with it the head would have
             * left the read buffer before the end comes. */
            if (http_parser_msg(ws->parser)->framing != HTTP_FRAMING_NONE)
                refuse(ws, 400, &ws->owner->stats->ws_refused_request);
            break;
        case HTTP_EVENT_BODY:
            break;
        case HTTP_EVENT_END:
            on_request(ws, http_parser_msg(ws->parser));
            break;
        case HTTP_EVENT_ERROR:
            refuse(ws, http_error_status(http_parser_error(ws->parser)),
                   &ws->owner->stats->ws_refused_request);
            return;
        }
    }
    if (ws->state != WS_OPEN)
        return;
    http_parser_free(ws->parser);
    ws->parser = NULL;
    alarm_set(&ws->alarm, ping_time(ws));
}

/* --- in --- */

/* Of the client itself; a proxy that ends in between says something else, or
 * nothing. */
static bool is_goodbye(unsigned code)
{
    return code == WS_CLOSE_NORMAL || code == WS_CLOSE_GOING_AWAY ||
           code == WS_CLOSE_NONE;
}

static void on_peer_close(struct sip_ws *ws, const struct ws_message *message)
{
    uint8_t frame[WS_CLOSE_FRAME_MAX];

    if (ws_closing_on_close(&ws->closing) == WS_STEP_REPLY) {
        size_t len =
            ws_close_write(frame, message->close_code, span_of(NULL, 0), NULL);

        if (is_goodbye(message->close_code))
            sip_core_on_goodbye(ws->owner->core, ws->from.flow);
        (void)stream_write(ws->stream, span_of(frame, len));
    }
    ws->state = WS_CLOSING;
    alarm_set(&ws->alarm, worker_now(ws->owner->worker) + CLOSE_WAIT_MS);
    stream_shutdown(ws->stream);
}

static void on_message(struct sip_ws *ws, const struct ws_message *message)
{
    struct sip_worker *w = ws->owner;

    switch (message->opcode) {
    case WS_TEXT:
    case WS_BINARY:
        SIP_SHELL_COUNT(w, ws_messages_in);
        sip_core_on_message(w->core, &ws->from, message->payload,
                            worker_now(w->worker));
        break;
    case WS_PING:
        (void)write_frame(ws, WS_PONG, message->payload);
        break;
    case WS_CLOSE:
        on_peer_close(ws, message);
        break;
    case WS_PONG:
    case WS_CONTINUATION:
        break;
    }
}

static void on_bad_frame(struct sip_ws *ws, int err)
{
    if (err == ERR_LIMIT)
        SIP_SHELL_COUNT(ws->owner, ws_too_big);
    else
        SIP_SHELL_COUNT(ws->owner, ws_protocol);
    close_with(ws, ws_reader_close_code(&ws->reader), "");
}

/* Frames or fragments that never become a message. */
static void note_rest(struct sip_ws *ws)
{
    uint64_t wait = sip_worker_config(ws->owner)->message_timeout;

    if (!ws_reader_is_inside(&ws->reader)) {
        ws->begun = 0;
    } else if (ws->begun == 0) {
        ws->begun = ws->last_heard;
        if (ws->alarm.timer.deadline > ws->begun + wait)
            alarm_set(&ws->alarm, ws->begun + wait);
    }
}

static void read_frames(struct sip_ws *ws, struct span data)
{
    /* The stream's receive buffer: nobody reads it after us, so that frames
     * can be unmasked where they are. */
    uint8_t *bytes = (uint8_t *)(uintptr_t)data.ptr;
    size_t len = data.len;
    struct ws_message message;

    while (ws->state == WS_OPEN) {
        int got = ws_reader_next(&ws->reader, &bytes, &len, &message);

        if (got == 0) {
            note_rest(ws);
            return;
        }
        ws->begun = 0;
        if (got < 0) {
            on_bad_frame(ws, got);
            return;
        }
        on_message(ws, &message);
    }
}

static void on_data(struct stream *stream, struct span data, void *arg)
{
    struct sip_ws *ws = arg;

    (void)stream;
    ws->last_heard = worker_now(ws->owner->worker);
    if (ws->state == WS_HANDSHAKE)
        read_handshake(ws, &data);
    if (ws->state == WS_OPEN && data.len > 0)
        read_frames(ws, data);
    sip_worker_touch(ws->owner);
}

static void on_closed(struct stream *stream, int err, void *arg)
{
    (void)stream;
    (void)err;
    forget(arg);
}

static const struct stream_events events = {
    .on_data = on_data,
    .on_closed = on_closed,
};

/* --- time --- */

static void on_alarm(struct alarm *alarm, uint64_t now)
{
    struct sip_ws *ws = CONTAINER_OF(alarm, struct sip_ws, alarm);
    const struct sip_config *cfg = sip_worker_config(ws->owner);

    if (ws->is_doomed) {
        SIP_SHELL_COUNT(ws->owner, ws_slow);
        drop(ws);
        return;
    }
    if (ws->state != WS_OPEN) {
        if (ws->state == WS_HANDSHAKE)
            SIP_SHELL_COUNT(ws->owner, ws_handshake_timeouts);
        drop(ws);
        return;
    }
    if (ws->begun && now - ws->begun >= cfg->message_timeout) {
        SIP_SHELL_COUNT(ws->owner, ws_dribble);
        close_with(ws, WS_CLOSE_POLICY, "too slow");
        return;
    }
    if (now - ws->last_heard >= cfg->idle_timeout) {
        SIP_SHELL_COUNT(ws->owner, ws_idle);
        close_with(ws, WS_CLOSE_GOING_AWAY, "no answer");
        return;
    }
    if (now - ws->last_heard >= cfg->ping_interval - cfg->ping_interval / 5) {
        uint64_t give_up = ws->last_heard + cfg->idle_timeout;
        uint64_t again = now + cfg->ping_interval;

        SIP_SHELL_COUNT(ws->owner, ws_pings);
        (void)write_frame(ws, WS_PING, span_of(NULL, 0));
        alarm_set(&ws->alarm, again < give_up ? again : give_up);
        return;
    }
    alarm_set(&ws->alarm, ping_time(ws));
}

void sip_ws_accept(struct sip_worker *w, struct stream *stream,
                   uint32_t listener)
{
    struct sip_ws *ws = mem_zalloc(sizeof(*ws));
    uint64_t now = worker_now(w->worker);

    if (!ws || http_parser_new(&ws->parser, HTTP_KIND_REQUEST, &limits) < 0) {
        mem_free(ws);
        stream_close(stream);
        return;
    }
    ws->link.send = send_message;
    ws->link.close = close_link;
    list_init(&ws->link.node);
    list_push_back(&w->conns, &ws->link.node);
    ws->owner = w;
    ws->stream = stream;
    ws->last_heard = now;
    ws->from = (struct sip_target){
        .transport = w->shared->locals[listener].transport,
        .remote = *stream_peer(stream),
        .local = *stream_local(stream),
        .worker = w->index,
        .listener = listener,
    };
    ws_reader_init(&ws->reader, WS_SERVER,
                   (size_t)sip_worker_config(w)->max_message);
    alarm_init(&ws->alarm, w->worker, on_alarm);
    alarm_set(&ws->alarm, now + sip_worker_config(w)->handshake_timeout);
    stream_set_events(stream, &events, ws);
}

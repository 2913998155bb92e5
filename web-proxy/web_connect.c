/* SPDX-License-Identifier: MIT */
#define LOG_COMPONENT "web"

#include "web_connect.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/http_parse.h"
#include "net/alarm.h"
#include "net/conn_limit.h"
#include "net/resolve.h"
#include "web_pipe.h"

#include <errno.h>
#include <stdio.h>

enum {
    ADDRS_MAX = 4,
    EARLY_MAX = 64 * 1024, /* sent behind the request, before our answer */
    ANSWER_SIZE = 256,
};

struct web_connect {
    struct list node;
    struct web_connects *all;
    struct web_egresses *egresses; /* referenced */
    const struct web_egress_rule *rule;
    struct http_parser *parser;
    struct stream *client; /* NULL once joined */
    struct stream *upstream;
    struct resolve_id lookup;
    struct alarm alarm; /* the request's head; then the whole attempt */
    struct buf early;
    struct addr address; /* the client's */
    struct web_host target;
    struct addr addrs[ADDRS_MAX];
    size_t n;
    size_t next;   /* of them; the one before is being tried */
    bool answered; /* only the end is waited for */
};

/* ---- its end ---- */

static void release(struct web_connect *c)
{
    alarm_cancel(&c->alarm);
    if (c->lookup.value)
        resolver_cancel(c->all->resolver, c->lookup);
    stream_close(c->upstream);
    stream_close(c->client);
    http_parser_free(c->parser);
    buf_deinit(&c->early);
    conn_limit_give(c->egresses->limit, &c->address);
    stats_dec(&c->all->stats->streams);
    list_remove(&c->node);
    web_egresses_unref(c->egresses);
    mem_free(c);
}

static const char *target_text(const struct web_connect *c,
                               char out[WEB_HOST_SIZE + 8])
{
    if (c->target.len == 0)
        return "-";
    (void)snprintf(out, WEB_HOST_SIZE + 8, "%.*s:%u", (int)c->target.len,
                   c->target.text, c->target.port);
    return out;
}

/* The address last tried. */
static const char *address_text(const struct web_connect *c,
                                char out[ADDR_TEXT_SIZE])
{
    return c->next > 0 ? addr_ip_str(&c->addrs[c->next - 1], out) : "-";
}

static void log_refusal(const struct web_connect *c, int status,
                        const char *why)
{
    char client[ADDR_TEXT_SIZE], address[ADDR_TEXT_SIZE];
    char target[WEB_HOST_SIZE + 8];

    log_info("egress client=%s target=%s address=%s status=%d: %s",
             addr_ip_str(&c->address, client), target_text(c, target),
             address_text(c, address), status, why);
}

/* The request ends with this answer. */
static void answer(struct web_connect *c, int status, const char *reason,
                   const char *why)
{
    char text[ANSWER_SIZE];
    int len =
        snprintf(text, sizeof(text),
                 "HTTP/1.1 %d %s\r\n%sConnection: close\r\n"
                 "Content-Type: text/plain\r\nContent-Length: %zu\r\n"
                 "\r\n%s\n",
                 status, reason, status == 405 ? "Allow: CONNECT\r\n" : "",
                 strlen(why) + 1, why);

    log_refusal(c, status, why);
    c->answered = true;
    alarm_cancel(&c->alarm);
    (void)stream_write(c->client, span_of(text, (size_t)len));
    stream_shutdown(c->client); /* on_client_closed() is next */
}

static void on_over(void *arg, const struct web_pipe_sum *sum)
{
    static const char *const whys[] = {"end", "error", "idle", "bytes", "stop"};
    struct web_connect *c = arg;
    char client[ADDR_TEXT_SIZE], address[ADDR_TEXT_SIZE];
    char target[WEB_HOST_SIZE + 8];

    log_info("egress client=%s target=%s address=%s status=200 in=%llu "
             "out=%llu ms=%llu end=%s",
             addr_ip_str(&c->address, client), target_text(c, target),
             address_text(c, address), (unsigned long long)sum->in,
             (unsigned long long)sum->out, (unsigned long long)sum->ms,
             whys[sum->why]);
    release(c);
}

/* ---- reaching the target ---- */

static void join(struct web_connect *c)
{
    static const char established[] =
        "HTTP/1.1 200 Connection established\r\n\r\n";
    struct web_pipe_options options = {
        .worker = c->all->worker,
        .list = &c->all->pipes,
        .client = c->client,
        .upstream = c->upstream,
        .early = buf_span(&c->early),
        .idle_ms = c->egresses->idle_ms,
        .bytes_max = c->egresses->bytes_max,
        .over = on_over,
        .arg = c,
    };

    stats_inc(&c->all->stats->egress_opened);
    alarm_cancel(&c->alarm);
    (void)stream_write(c->client, span_str(established));
    c->client = NULL;
    c->upstream = NULL;
    list_remove(&c->node);
    if (web_pipe_new(&options) < 0)
        release(c);
}

static void on_open(struct stream *stream, void *arg)
{
    (void)stream;
    join(arg);
}

static void fail(struct web_connect *c, int err)
{
    stats_inc(&c->all->stats->egress_failed);
    if (err == -ETIMEDOUT)
        answer(c, 504, "Gateway Timeout", "no connection in time");
    else if (err == ERR_RESOLVE)
        answer(c, 502, "Bad Gateway", "name not resolved");
    else
        answer(c, 502, "Bad Gateway", "no connection");
}

static void try_next(struct web_connect *c, int err);

static void on_upstream_closed(struct stream *stream, int err, void *arg)
{
    struct web_connect *c = arg;

    (void)stream;
    c->upstream = NULL;
    try_next(c, err ? err : ERR_CLOSED);
}

static void on_no_data(struct stream *stream, struct span data, void *arg)
{
    (void)stream; /* nothing comes before it is open */
    (void)data;
    (void)arg;
}

static const struct stream_events upstream_events = {
    .on_open = on_open, .on_data = on_no_data, .on_closed = on_upstream_closed};

/* Only addresses that were judged are in the list. */
static void try_next(struct web_connect *c, int err)
{
    while (c->next < c->n) {
        struct stream_target target = {
            .to = c->addrs[c->next++],
            .timeout_ms = (unsigned)c->egresses->connect_ms,
            .options = c->all->stream,
        };

        err = stream_connect(&c->upstream, c->all->worker, &target,
                             &upstream_events, c);
        if (err == 0)
            return;
    }
    fail(c, err);
}

static void judge_addresses(struct web_connect *c, const struct addr *addrs,
                            size_t n)
{
    for (size_t i = 0; i < n && c->n < ADDRS_MAX; i++) {
        if (web_egress_reaches(c->rule, &addrs[i]))
            c->addrs[c->n++] = addrs[i];
    }
    if (c->n > 0) {
        try_next(c, 0);
        return;
    }
    stats_inc(&c->all->stats->egress_address);
    answer(c, 403, "Forbidden", "the address of this target is not allowed");
}

static void on_resolved(void *arg, int err, const struct addr *addrs, size_t n)
{
    struct web_connect *c = arg;

    c->lookup.value = 0;
    if (err < 0)
        fail(c, err);
    else
        judge_addresses(c, addrs, n);
}

static void look_up(struct web_connect *c)
{
    struct span name = web_host_name(&c->target);
    struct addr ip;
    int err;

    if (span_starts(name, "["))
        name = span_head(span_from(name, 1), name.len - 2);
    if (addr_parse_ip(name, &ip) == 0) {
        ip.port = c->target.port;
        judge_addresses(c, &ip, 1);
        return;
    }
    err = resolver_lookup(c->all->resolver, name, c->target.port, ADDR_NONE,
                          on_resolved, c, &c->lookup);
    if (err < 0)
        fail(c, err);
}

/* ---- the request ---- */

static void judge(struct web_connect *c, const struct http_msg *msg)
{
    struct web_stats *stats = c->all->stats;

    if (msg->method_id != HTTP_METHOD_CONNECT) {
        stats_inc(&stats->egress_malformed);
        answer(c, 405, "Method Not Allowed", "CONNECT only");
        return;
    }
    if (web_host_parse(msg->target, &c->target) < 0) {
        c->target.len = 0;
        stats_inc(&stats->egress_malformed);
        answer(c, 400, "Bad Request", "not host:port");
        return;
    }
    c->rule = web_egress_find(c->egresses->rules, c->egresses->n, &c->target);
    if (!c->rule) {
        stats_inc(&stats->egress_target);
        answer(c, 403, "Forbidden", "this target is not listed");
    }
}

/* The head is complete and right. What is behind it is the tunnel's. */
static void begin(struct web_connect *c, struct span rest)
{
    buf_put_span(&c->early, rest);
    if (buf_err(&c->early)) {
        stats_inc(&c->all->stats->egress_malformed);
        answer(c, 400, "Bad Request", "too much before the answer");
        return;
    }
    stream_pause(c->client);
    alarm_set(&c->alarm, worker_now(c->all->worker) + c->egresses->connect_ms);
    look_up(c);
}

static void on_client_data(struct stream *stream, struct span data, void *arg)
{
    struct web_connect *c = arg;
    struct span body;

    (void)stream;
    while (!c->answered) {
        switch (http_parser_next(c->parser, &data, &body)) {
        case HTTP_EVENT_MORE:
            return;
        case HTTP_EVENT_HEAD:
            judge(c, http_parser_msg(c->parser));
            break;
        case HTTP_EVENT_BODY: /* CONNECT has none */
            break;
        case HTTP_EVENT_END:
            begin(c, data);
            return;
        case HTTP_EVENT_ERROR:
            stats_inc(&c->all->stats->egress_malformed);
            answer(c, http_error_status(http_parser_error(c->parser)),
                   "Bad Request", "malformed request");
            return;
        }
    }
}

static void on_client_closed(struct stream *stream, int err, void *arg)
{
    struct web_connect *c = arg;

    (void)stream;
    (void)err;
    c->client = NULL;
    release(c);
}

static const struct stream_events client_events = {
    .on_data = on_client_data, .on_closed = on_client_closed};

static void on_alarm(struct alarm *alarm, uint64_t now)
{
    struct web_connect *c = CONTAINER_OF(alarm, struct web_connect, alarm);

    (void)now;
    if (!c->rule) {
        stats_inc(&c->all->stats->client_timeout);
        answer(c, 408, "Request Timeout", "no request in time");
        return;
    }
    stream_close(c->upstream);
    c->upstream = NULL;
    if (c->lookup.value)
        resolver_cancel(c->all->resolver, c->lookup);
    c->lookup.value = 0;
    fail(c, -ETIMEDOUT);
}

/* ---- its beginning ---- */

static struct web_connect *connect_new(struct web_connects *all,
                                       struct stream *client)
{
    struct web_connect *c = mem_zalloc(sizeof(*c));

    if (!c)
        return NULL;
    if (http_parser_new(&c->parser, HTTP_KIND_REQUEST, &http_limits_default) <
        0) {
        mem_free(c);
        return NULL;
    }
    c->all = all;
    c->egresses = web_egresses_ref(all->egresses);
    c->client = client;
    c->address = *stream_peer(client);
    buf_init(&c->early, EARLY_MAX);
    alarm_init(&c->alarm, all->worker, on_alarm);
    alarm_set(&c->alarm, worker_now(all->worker) + c->egresses->head_ms);
    list_push_back(&all->waiting, &c->node);
    return c;
}

void web_connect_begin(struct web_connects *all, struct stream *client)
{
    const struct web_egresses *e = all->egresses;
    const struct addr *from = stream_peer(client);
    struct web_connect *c;

    if (!cidr_list_has_ip(e->from, e->n_from, from)) {
        stats_inc(&all->stats->egress_client);
        stream_abort(client);
        return;
    }
    if (conn_limit_take(e->limit, from) != CONN_OK) {
        stats_inc(&all->stats->egress_limit);
        stream_abort(client);
        return;
    }
    c = connect_new(all, client);
    if (!c) {
        conn_limit_give(e->limit, from);
        stream_abort(client);
        return;
    }
    stats_inc(&all->stats->streams);
    stream_set_events(client, &client_events, c);
}

/* ---- all of a worker ---- */

void web_connects_init(struct web_connects *all, struct web_egresses *egresses)
{
    list_init(&all->waiting);
    list_init(&all->pipes);
    all->egresses = web_egresses_ref(egresses);
}

void web_connects_set(struct web_connects *all, struct web_egresses *egresses)
{
    web_egresses_unref(all->egresses);
    all->egresses = web_egresses_ref(egresses);
}

void web_connects_drain(struct web_connects *all)
{
    LIST_FOREACH (node, &all->waiting) {
        struct web_connect *c = CONTAINER_OF(node, struct web_connect, node);

        if (!c->rule && !c->answered)
            release(c);
    }
}

void web_connects_deinit(struct web_connects *all)
{
    struct list *node;

    if (!all->egresses)
        return;
    while ((node = list_first(&all->waiting)))
        release(CONTAINER_OF(node, struct web_connect, node));
    web_pipe_close_all(&all->pipes);
    web_egresses_unref(all->egresses);
    all->egresses = NULL;
}

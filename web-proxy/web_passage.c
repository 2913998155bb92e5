/* SPDX-License-Identifier: MIT */
#define LOG_COMPONENT "web"

#include "web_passage.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/conn_limit.h"
#include "net/proxy_protocol.h"
#include "web_dial.h"
#include "web_pipe.h"

#include <errno.h>

struct web_passage {
    struct list node; /* of all->waiting, until joined */
    struct web_passages *all;
    struct web_streams *streams; /* referenced: the route is theirs */
    const struct web_stream_route *route;
    struct web_picks *picks; /* referenced */
    struct web_pick pick;
    struct web_dial *dial;
    struct stream *client; /* NULL once joined */
    struct addr address;   /* the client's */
    uint64_t give_up;      /* no other server after this moment */
    uint8_t header[PROXY_WRITE_MAX];
    size_t header_len;
};

/* ---- its end ---- */

static void release(struct web_passage *p)
{
    web_pick_give(p->picks, &p->pick);
    web_picks_unref(p->picks);
    conn_limit_give(p->route->limit, &p->address);
    __atomic_sub_fetch(&p->route->counts->open, 1, __ATOMIC_RELAXED);
    stats_dec(&p->all->stats->streams);
    list_remove(&p->node);
    web_streams_unref(p->streams);
    mem_free(p);
}

static void give_up(struct web_passage *p, int err)
{
    char text[ADDR_TEXT_SIZE];

    web_stream_count(&p->route->counts->no_server, 1);
    log_info("stream \"%s\" client=%s: no server: %s", p->route->name,
             addr_ip_str(&p->address, text), err_str(err));
    stream_abort(p->client);
    release(p);
}

static void on_client_closed(struct stream *stream, int err, void *arg)
{
    struct web_passage *p = arg;

    (void)stream;
    (void)err;
    if (p->dial)
        web_dial_cancel(p->dial);
    release(p);
}

/* It is paused: nothing comes. */
static void on_client_data(struct stream *stream, struct span data, void *arg)
{
    (void)stream;
    (void)data;
    (void)arg;
}

static const struct stream_events waiting_events = {
    .on_data = on_client_data, .on_closed = on_client_closed};

static void on_over(void *arg, const struct web_pipe_sum *sum)
{
    static const char *const whys[] = {"end", "error", "idle", "bytes", "stop"};
    struct web_passage *p = arg;
    struct web_stream_counts *counts = p->route->counts;
    char text[ADDR_TEXT_SIZE];

    if (sum->why == WEB_PIPE_IDLE)
        web_stream_count(&counts->idle, 1);
    else if (sum->why == WEB_PIPE_FAILED)
        web_stream_count(&counts->failed, 1);
    if (p->route->log)
        log_info("stream=%s client=%s server=%s:%u in=%llu out=%llu ms=%llu "
                 "end=%s",
                 p->route->name, addr_ip_str(&p->address, text),
                 p->pick.backend->host, p->pick.backend->port,
                 (unsigned long long)sum->in, (unsigned long long)sum->out,
                 (unsigned long long)sum->ms, whys[sum->why]);
    release(p);
}

/* ---- reaching a server ---- */

static void try_next(struct web_passage *p, int err);

static void on_dialled(void *arg, struct stream *upstream)
{
    struct web_passage *p = arg;
    struct web_pipe_options options = {
        .worker = p->all->worker,
        .list = &p->all->pipes,
        .client = p->client,
        .upstream = upstream,
        .idle_ms = p->route->idle_ms,
        .count_in = &p->route->counts->bytes_in,
        .count_out = &p->route->counts->bytes_out,
        .over = on_over,
        .arg = p,
    };

    p->dial = NULL;
    p->client = NULL;
    web_pick_reached(&p->pick);
    list_remove(&p->node);
    if (web_pipe_new(&options) < 0)
        release(p);
}

static void on_dial_failed(void *arg, int err)
{
    struct web_passage *p = arg;

    p->dial = NULL;
    if (web_pick_failed(p->picks, &p->pick, worker_now(p->all->worker)))
        stats_inc(&p->all->stats->ejected);
    try_next(p, err);
}

static void try_next(struct web_passage *p, int err)
{
    struct web_passages *all = p->all;
    uint64_t now = worker_now(all->worker);
    struct web_dial_options options = {
        .worker = all->worker,
        .resolver = all->resolver,
        .stream = all->stream,
        .preface = span_of(p->header, p->header_len),
        .list = &all->dials,
        .done = on_dialled,
        .failed = on_dial_failed,
        .arg = p,
    };

    while (now < p->give_up &&
           web_pick_next(p->picks, &p->pick, &p->address, now)) {
        options.backend = p->pick.backend;
        p->dial = web_dial_new(&options);
        if (p->dial)
            return;
        if (web_pick_failed(p->picks, &p->pick, now))
            stats_inc(&all->stats->ejected);
        err = ERR_RESOLVE;
    }
    give_up(p, err);
}

/* ---- its beginning ---- */

static struct web_passage *passage_new(struct web_passages *all, size_t route,
                                       struct stream *client)
{
    struct web_passage *p = mem_zalloc(sizeof(*p));

    if (!p)
        return NULL;
    p->all = all;
    p->streams = web_streams_ref(all->streams);
    p->route = &p->streams->routes[route];
    p->picks = web_picks_ref(all->picks);
    p->pick.upstream = p->route->upstream;
    p->client = client;
    p->address = *stream_peer(client);
    p->give_up = worker_now(all->worker) + 2 * p->route->upstream->connect_ms;
    if (p->route->send_proxy)
        p->header_len = proxy_header_write(stream_peer(client),
                                           stream_local(client), p->header);
    list_push_back(&all->waiting, &p->node);
    return p;
}

void web_passage_begin(struct web_passages *all, size_t route,
                       struct stream *client)
{
    const struct web_stream_route *r = &all->streams->routes[route];
    struct web_passage *p;

    web_stream_count(&r->counts->taken, 1);
    if (conn_limit_take(r->limit, stream_peer(client)) != CONN_OK) {
        web_stream_count(&r->counts->refused, 1);
        stream_abort(client);
        return;
    }
    p = passage_new(all, route, client);
    if (!p) {
        conn_limit_give(r->limit, stream_peer(client));
        stream_abort(client);
        return;
    }
    web_stream_count(&r->counts->open, 1);
    stats_inc(&all->stats->streams);
    stream_set_events(client, &waiting_events, p);
    stream_pause(client);
    try_next(p, ERR_LIMIT);
}

/* ---- all of a worker ---- */

int web_passages_init(struct web_passages *all, struct web_streams *streams)
{
    int err;

    list_init(&all->dials);
    list_init(&all->waiting);
    list_init(&all->pipes);
    err = web_picks_new(&all->picks, streams->site);
    if (err == 0)
        all->streams = web_streams_ref(streams);
    return err;
}

void web_passages_set(struct web_passages *all, struct web_streams *streams)
{
    struct web_picks *picks;

    if (web_picks_new(&picks, streams->site) < 0)
        return;
    web_picks_unref(all->picks);
    web_streams_unref(all->streams);
    all->picks = picks;
    all->streams = web_streams_ref(streams);
}

void web_passages_deinit(struct web_passages *all)
{
    struct list *node;

    if (!all->streams)
        return;
    while ((node = list_first(&all->waiting))) {
        struct web_passage *p = CONTAINER_OF(node, struct web_passage, node);

        web_dial_cancel(p->dial);
        stream_close(p->client);
        release(p);
    }
    web_pipe_close_all(&all->pipes);
    web_picks_unref(all->picks);
    web_streams_unref(all->streams);
    all->streams = NULL;
}

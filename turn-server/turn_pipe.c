/* SPDX-License-Identifier: MIT */
/* TCP relays (RFC 6062): a connection with a peer, and the client's connection
 * that is bound to it.
 *
 *   peer ⇄ stream ⇄ pipe ⇄ stream (TCP or TLS) ⇄ client
 *
 * Until the client's end is there the peer's is paused: what the peer sends
 * early waits in the kernel's window. Then each end is read only while the
 * other one's queue is below QUEUE_LOW and the core has bandwidth for it, so a
 * direction never holds more than QUEUE_MAX bytes of ours.
 */
#include "turn_pipe.h"

#include "base/err.h"
#include "turn_worker_internal.h"

#include <errno.h>

enum { TO_PEER, TO_CLIENT, WAYS };

enum {
    QUEUE_LOW = 64 * 1024,
    /* One read on top of it, and what TLS makes of that. */
    QUEUE_MAX = QUEUE_LOW + 128 * 1024,
    KEEPALIVE_S = 60,
    /* Later than the core's own limit: it is the one that says. */
    CONNECT_MS = TURN_TCP_CONNECT_MS + 5000,
};

/* One direction: from where it is read, and why it may not be just now. */
struct turn_way {
    struct turn_pipe *pipe;
    struct alarm pay; /* bandwidth: ask the core again */
    bool is_owing;
    bool is_full; /* the other end's queue */
    uint8_t to;
};

struct turn_pipe {
    struct turn_worker *w;
    struct pool_id conn;        /* the core's; meaningless when it is done */
    struct stream *ends[WAYS];  /* whom bytes go to: the peer, the client */
    struct turn_way ways[WAYS]; /* to the peer, to the client */
    bool is_done;               /* the core knows it no more */
};

/* A TCP relay address. */
struct turn_tcp_socket {
    struct turn_worker *w;
    struct listener *listener;
    struct pool_id alloc;
};

size_t turn_pipe_size(void)
{
    return sizeof(struct turn_pipe);
}

size_t turn_tcp_socket_size(void)
{
    return sizeof(struct turn_tcp_socket);
}

/* --- life --- */

static struct turn_pipe *pipe_new(struct turn_worker *w);

static void pipe_free(struct turn_pipe *pipe)
{
    for (int i = 0; i < WAYS; i++)
        alarm_cancel(&pipe->ways[i].pay);
    pool_give(pipe->w->pipes, pipe);
}

static void tell_core(struct turn_pipe *pipe)
{
    if (pipe->is_done)
        return;
    pipe->is_done = true;
    turn_core_on_tcp_closed(pipe->w->core, pipe->conn,
                            worker_now(pipe->w->worker));
    turn_worker_arm(pipe->w);
}

/* One end is gone, the other one gets what is queued for it, and its end. */
static void end_gone(struct turn_pipe *pipe, int which, int err)
{
    int other = !which;

    pipe->ends[which] = NULL;
    for (int i = 0; i < WAYS; i++)
        alarm_cancel(&pipe->ways[i].pay);
    tell_core(pipe);
    if (pipe->ends[other] && err != 0 && err != ERR_CLOSED) {
        stream_abort(pipe->ends[other]);
        pipe->ends[other] = NULL;
    }
    if (pipe->ends[other])
        stream_shutdown(pipe->ends[other]);
    else
        pipe_free(pipe);
}

/* --- bytes --- */

/* Read, or not, by what the way says. `from` is where it is read. */
static void way_update(struct turn_way *way)
{
    struct stream *from = way->pipe->ends[!way->to];

    if (!from)
        return;
    if (way->is_full || way->is_owing)
        stream_pause(from);
    else
        stream_resume(from);
}

static void ask_core(struct turn_way *way, size_t len)
{
    struct turn_worker *w = way->pipe->w;
    uint64_t again = turn_core_on_tcp_data(w->core, way->pipe->conn, way->to,
                                           len, worker_now(w->worker));

    way->is_owing = again != 0;
    if (way->is_owing)
        alarm_set(&way->pay, again);
}

static void on_pay(struct alarm *alarm, uint64_t now)
{
    struct turn_way *way = CONTAINER_OF(alarm, struct turn_way, pay);

    (void)now;
    ask_core(way, 0);
    way_update(way);
}

/* Bytes for the other end. That one may be failing: its on_closed follows. */
static void carry(struct turn_way *way, struct span data)
{
    struct stream *to = way->pipe->ends[way->to];

    if (!to || stream_write(to, data) < 0)
        return;
    way->is_full = stream_queued(to) > QUEUE_LOW;
    ask_core(way, data.len);
    way_update(way);
}

static void room_at(struct turn_pipe *pipe, int to)
{
    pipe->ways[to].is_full = false;
    way_update(&pipe->ways[to]);
}

/* --- the peer's end --- */

static void on_peer_open(struct stream *stream, void *arg)
{
    struct turn_pipe *pipe = arg;

    stream_pause(stream); /* until the client's end is there */
    turn_core_on_tcp_open(pipe->w->core, pipe->conn,
                          worker_now(pipe->w->worker));
    turn_worker_arm(pipe->w);
}

static void on_peer_data(struct stream *stream, struct span data, void *arg)
{
    struct turn_pipe *pipe = arg;

    (void)stream;
    carry(&pipe->ways[TO_CLIENT], data);
}

static void on_peer_writable(struct stream *stream, void *arg)
{
    (void)stream;
    room_at(arg, TO_PEER);
}

static void on_peer_end(struct stream *stream, void *arg)
{
    struct turn_pipe *pipe = arg;

    (void)stream;
    if (pipe->ends[TO_CLIENT])
        stream_end(pipe->ends[TO_CLIENT]);
}

static void on_peer_closed(struct stream *stream, int err, void *arg)
{
    (void)stream;
    end_gone(arg, TO_PEER, err);
}

static const struct stream_events peer_events = {
    .on_open = on_peer_open,
    .on_data = on_peer_data,
    .on_writable = on_peer_writable,
    .on_end = on_peer_end,
    .on_closed = on_peer_closed,
};

/* --- the client's end --- */

static void on_client_data(struct stream *stream, struct span data, void *arg)
{
    struct turn_pipe *pipe = arg;

    (void)stream;
    carry(&pipe->ways[TO_PEER], data);
}

static void on_client_writable(struct stream *stream, void *arg)
{
    (void)stream;
    room_at(arg, TO_CLIENT);
}

static void on_client_end(struct stream *stream, void *arg)
{
    struct turn_pipe *pipe = arg;

    (void)stream;
    if (pipe->ends[TO_PEER])
        stream_end(pipe->ends[TO_PEER]);
}

static void on_client_closed(struct stream *stream, int err, void *arg)
{
    (void)stream;
    end_gone(arg, TO_CLIENT, err);
}

static const struct stream_events client_events = {
    .on_data = on_client_data,
    .on_writable = on_client_writable,
    .on_end = on_client_end,
    .on_closed = on_client_closed,
};

void turn_pipe_take_client(struct turn_pipe *pipe, struct stream *stream,
                           struct span early)
{
    pipe->ends[TO_CLIENT] = stream;
    stream_set_queue(stream, QUEUE_MAX, QUEUE_LOW);
    stream_set_events(stream, &client_events, pipe);
    if (early.len > 0)
        carry(&pipe->ways[TO_PEER], early);
    way_update(&pipe->ways[TO_CLIENT]);
}

/* --- the core's environment --- */

static struct turn_pipe *pipe_new(struct turn_worker *w)
{
    struct pool_id id;
    struct turn_pipe *pipe = pool_take(w->pipes, &id);

    if (!pipe)
        return NULL;
    pipe->w = w;
    for (unsigned i = 0; i < WAYS; i++) {
        pipe->ways[i].pipe = pipe;
        pipe->ways[i].to = (uint8_t)i;
        alarm_init(&pipe->ways[i].pay, w->worker, on_pay);
    }
    return pipe;
}

static void on_accept(struct listener *listener, struct stream *stream,
                      void *arg)
{
    struct turn_tcp_socket *s = arg;
    struct turn_worker *w = s->w;
    struct turn_pipe *pipe = pipe_new(w);
    struct addr peer = *stream_peer(stream);

    (void)listener;
    peer.scope = 0; /* peers are named without */
    if (!pipe) {
        stats_inc(&w->stats->core.tcp_full);
        stream_abort(stream);
        return;
    }
    if (turn_core_on_tcp_accept(w->core, s->alloc, &peer, pipe,
                                worker_now(w->worker), &pipe->conn) < 0) {
        pipe_free(pipe);
        stream_close(stream);
        return;
    }
    pipe->ends[TO_PEER] = stream;
    stream_pause(stream);
    stream_set_events(stream, &peer_events, pipe);
    turn_worker_arm(w);
}

static int env_listen(void *arg, struct pool_id alloc, const struct addr *want,
                      void **ret_relay)
{
    struct turn_worker *w = arg;
    struct pool_id id;
    struct turn_tcp_socket *s = pool_take(w->tcp_sockets, &id);
    struct listener_options o = {
        .bind = *want,
        .share_port = true, /* Connect comes from here, too */
        .mode = LISTENER_PLAIN,
        .stream = {.max_queued = QUEUE_MAX,
                   .low_water = QUEUE_LOW,
                   .keepalive_s = KEEPALIVE_S},
        .on_accept = on_accept,
        .arg = s,
    };
    int err;

    if (!s)
        return -ENOMEM;
    s->w = w;
    s->alloc = alloc;
    err = listener_open(&s->listener, w->worker, &o);
    if (err < 0) {
        pool_give(w->tcp_sockets, s);
        return err;
    }
    *ret_relay = s;
    return 0;
}

static void env_unlisten(void *arg, void *relay)
{
    struct turn_worker *w = arg;
    struct turn_tcp_socket *s = relay;

    listener_close(s->listener);
    pool_give(w->tcp_sockets, s);
}

static int env_connect(void *arg, struct pool_id conn, void *relay,
                       const struct addr *peer, void **ret_pipe)
{
    struct turn_worker *w = arg;
    const struct turn_tcp_socket *s = relay;
    struct turn_pipe *pipe = pipe_new(w);
    struct stream_target target = {
        .to = *peer,
        .from = *listener_addr(s->listener),
        .share_port = true,
        .timeout_ms = CONNECT_MS,
        .options = {.max_queued = QUEUE_MAX,
                    .low_water = QUEUE_LOW,
                    .keepalive_s = KEEPALIVE_S},
    };
    int err;

    if (!pipe)
        return -ENOMEM;
    pipe->conn = conn;
    err = stream_connect(&pipe->ends[TO_PEER], w->worker, &target, &peer_events,
                         pipe);
    if (err < 0) {
        pipe_free(pipe);
        return err;
    }
    *ret_pipe = pipe;
    return 0;
}

static void env_join(void *arg, void *handle, const struct turn_client *client)
{
    struct turn_worker *w = arg;

    turn_conn_join(w, client->link, handle);
}

static void env_close(void *arg, void *handle)
{
    struct turn_pipe *pipe = handle;

    (void)arg;
    pipe->is_done = true;
    for (int i = 0; i < WAYS; i++)
        stream_close(pipe->ends[i]);
    pipe_free(pipe);
}

struct turn_tcp_env turn_pipe_env(void)
{
    return (struct turn_tcp_env){env_listen, env_unlisten, env_connect,
                                 env_join, env_close};
}

void turn_pipe_close_all(struct turn_worker *w)
{
    struct turn_pipe *pipe;
    uint32_t pos = 0;

    while ((pipe = pool_each(w->pipes, &pos)) != NULL) {
        tell_core(pipe);
        for (int i = 0; i < WAYS; i++)
            stream_close(pipe->ends[i]);
        pipe_free(pipe);
    }
}

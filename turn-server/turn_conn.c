/* SPDX-License-Identifier: MIT */
/* TCP and TLS clients: a stream cut into frames (RFC 8656 2.1, 12.5).
 *
 * A connection that a client opens for one of its TCP relays (RFC 6062) comes
 * to any worker. Its ConnectionBind says whose it is; before anything is done
 * with it, the connection moves there, as it is, and is an ordinary client
 * there until the core joins it with its pipe. One with the ticket of a client
 * that has changed its address (RFC 8016) moves in the same way.
 */
#include "turn_worker_internal.h"

#include "base/err.h"
#include "base/mem.h"
#include "net/tls_session.h"
#include "stun/stun_msg.h"

#define LOG_COMPONENT "turn"
#include "base/log.h"

enum {
    /* An incomplete frame, and what one read can bring behind it. */
    PARTIAL_MAX = 262144,
};

struct turn_conn {
    struct turn_worker *w;
    struct stream *stream;
    struct turn_client client; /* link is the id of this connection */
    struct buf partial;        /* the beginning of a frame */
    struct alarm idle;
    uint64_t last_frame;
    struct turn_pipe *pipe; /* bound: the stream goes there */
    struct worker_task move;
    int target;     /* the worker to move to; -1: none */
    bool has_moved; /* once: nobody drives it in circles */
};

/* A connection between two workers. */
struct turn_move {
    struct turn_server *server;
    struct stream_parcel *stream;
    struct turn_client client;
    struct buf partial;
};

size_t turn_conn_size(void)
{
    return sizeof(struct turn_conn);
}

/* The connection itself is closed, or dead already. */
static void conn_free(struct turn_conn *conn)
{
    struct turn_worker *w = conn->w;

    turn_core_on_client_gone(w->core, &conn->client, worker_now(w->worker));
    alarm_cancel(&conn->idle);
    worker_task_cancel(&conn->move);
    buf_deinit(&conn->partial);
    stats_dec(&w->stats->connections);
    pool_give(w->conns, conn);
    turn_worker_arm(w);
}

static void conn_close(struct turn_conn *conn, uint64_t *reason)
{
    stats_inc(reason);
    stream_close(conn->stream);
    conn_free(conn);
}

/* Only silence without an allocation is idleness. */
static void on_idle(struct alarm *alarm, uint64_t now)
{
    struct turn_conn *conn = CONTAINER_OF(alarm, struct turn_conn, idle);
    struct turn_worker *w = conn->w;
    uint64_t limit = conn->last_frame + w->idle_timeout;

    if (turn_core_has_client(w->core, &conn->client, now))
        limit = now + w->idle_timeout;
    if (limit > now)
        alarm_set(&conn->idle, limit);
    else
        conn_close(conn, &w->stats->connections_idle);
}

/* Does this frame belong to another worker's core? Then the whole connection
 * does. */
static bool must_move(struct turn_conn *conn, struct span frame)
{
    struct turn_worker *w = conn->w;
    int target = turn_core_owner(w->core, frame);

    if (target < 0 || target == worker_index(w->worker) || conn->has_moved ||
        turn_core_has_client(w->core, &conn->client, worker_now(w->worker)) ||
        !turn_server_thread(w->server, (unsigned)target))
        return false;
    conn->target = target;
    stream_pause(conn->stream);
    worker_defer(w->worker, &conn->move); /* not from inside its event */
    return true;
}

/* Hand over all whole frames at the front. Returns the bytes used, or
 * ERR_PARSE when what comes is no frame, or one too long to relay. */
static ptrdiff_t take_frames(struct turn_conn *conn, struct span data,
                             uint64_t now)
{
    struct turn_worker *w = conn->w;
    size_t longest = w->max_packet + STUN_HEADER_SIZE + TURN_ANSWER_MAX;
    size_t used = 0;

    while (conn->target < 0 && !conn->pipe) {
        struct span rest = span_from(data, used);
        int size = stun_frame_size(rest);
        struct turn_packet packet = {.tos = 0};

        if (size < 0 || (size_t)size > longest)
            return ERR_PARSE;
        if (size == 0 || rest.len < (size_t)size)
            return (ptrdiff_t)used;
        packet.bytes = span_head(rest, (size_t)size);
        if (must_move(conn, packet.bytes))
            break;
        turn_core_on_client(w->core, &conn->client, &packet, now);
        conn->last_frame = now;
        used += (size_t)size;
    }
    return (ptrdiff_t)used;
}

static ptrdiff_t on_bytes(struct turn_conn *conn, struct span data,
                          uint64_t now)
{
    ptrdiff_t used;

    if (buf_len(&conn->partial) == 0) {
        used = take_frames(conn, data, now);
        if (used < 0)
            return used;
        buf_put_span(&conn->partial, span_from(data, (size_t)used));
        return buf_err(&conn->partial);
    }
    buf_put_span(&conn->partial, data);
    if (buf_err(&conn->partial) < 0)
        return buf_err(&conn->partial);
    used = take_frames(conn, buf_span(&conn->partial), now);
    if (used < 0)
        return used;
    buf_consume(&conn->partial, (size_t)used);
    buf_shrink(&conn->partial);
    return 0;
}

/* What came behind the ConnectionBind is for the peer. */
static void hand_over(struct turn_conn *conn)
{
    struct buf early = conn->partial;

    buf_init(&conn->partial, 0);
    turn_pipe_take_client(conn->pipe, conn->stream, buf_span(&early));
    conn_free(conn);
    buf_deinit(&early);
}

static void take_bytes(struct turn_conn *conn, struct span data)
{
    struct turn_worker *w = conn->w;
    ptrdiff_t err = on_bytes(conn, data, worker_now(w->worker));

    if (err < 0)
        conn_close(conn, err == ERR_PARSE ? &w->stats->connections_garbage
                                          : &w->stats->connections_full);
    else if (conn->pipe)
        hand_over(conn);
    turn_worker_arm(w);
}

static void on_data(struct stream *stream, struct span data, void *arg)
{
    (void)stream;
    take_bytes(arg, data);
}

static void on_closed(struct stream *stream, int err, void *arg)
{
    (void)stream;
    (void)err;
    conn_free(arg);
}

static const struct stream_events events = {
    .on_data = on_data,
    .on_closed = on_closed,
};

/* --- from worker to worker --- */

static void move_free(struct turn_move *move)
{
    stream_parcel_free(move->stream);
    buf_deinit(&move->partial);
    mem_free(move);
}

static void on_move(struct worker_task *task);

/* --- arrival --- */

static uint32_t realm_of(const struct turn_door *door,
                         const struct stream *stream)
{
    const struct tls_session *tls = stream_tls(stream);
    struct turn_rules *rules;
    struct tls_ctx *unused;
    uint32_t realm;

    if (!tls || door->group->has_realm)
        return door->group->realm;
    turn_server_snapshot(door->owner->server, &rules, &unused);
    realm = turn_listen_realm(door->group, rules, tls_session_server_name(tls));
    turn_rules_unref(rules);
    tls_ctx_unref(unused);
    return realm;
}

/* A connection of this worker around a stream; its client is still to be
 * filled in. NULL: no room, and the stream is the caller's. */
static struct turn_conn *conn_new(struct turn_worker *w)
{
    struct pool_id id;
    struct turn_conn *conn = pool_take(w->conns, &id);

    if (!conn) {
        stats_inc(&w->stats->connections_full);
        return NULL;
    }
    conn->w = w;
    conn->client.link = pool_id_u64(id);
    conn->target = -1;
    conn->last_frame = worker_now(w->worker);
    buf_init(&conn->partial, PARTIAL_MAX);
    worker_task_init(&conn->move, on_move);
    alarm_init(&conn->idle, w->worker, on_idle);
    alarm_set(&conn->idle, conn->last_frame + w->idle_timeout);
    stats_inc(&w->stats->connections);
    return conn;
}

void turn_conn_accept(struct listener *listener, struct stream *stream,
                      void *arg)
{
    struct turn_door *door = arg;
    struct turn_worker *w = door->owner;
    struct turn_conn *conn = conn_new(w);

    (void)listener;
    if (!conn) {
        stream_close(stream);
        return;
    }
    conn->stream = stream;
    conn->client.remote = *stream_peer(stream);
    conn->client.local = *stream_local(stream);
    conn->client.transport = stream_tls(stream) ? TURN_TLS : TURN_TCP;
    conn->client.access =
        (uint8_t)turn_listen_access(door->group, &conn->client.remote);
    conn->client.realm = realm_of(door, stream);
    stream_set_events(stream, &events, conn);
}

/* On the worker it goes to. */
static void on_arrival(struct worker *worker, void *arg)
{
    struct turn_move *move = arg;
    struct turn_worker *w =
        turn_server_worker(move->server, worker_index(worker));
    struct turn_conn *conn = w && w->core ? conn_new(w) : NULL;

    if (!conn) {
        move_free(move);
        return;
    }
    move->client.link = conn->client.link;
    conn->client = move->client;
    conn->has_moved = true;
    if (stream_unpack(&conn->stream, worker, move->stream, &events, conn) < 0) {
        conn_free(conn);
    } else {
        stats_inc(&w->stats->moved);
        take_bytes(conn, buf_span(&move->partial));
    }
    move->stream = NULL;
    move_free(move);
}

/* On the worker it leaves. */
static void on_move(struct worker_task *task)
{
    struct turn_conn *conn = CONTAINER_OF(task, struct turn_conn, move);
    struct turn_worker *w = conn->w;
    struct worker *to = turn_server_thread(w->server, (unsigned)conn->target);
    struct turn_move *move = mem_zalloc(sizeof(*move));

    if (!move) {
        conn_close(conn, &w->stats->move_failed);
        return;
    }
    move->server = w->server;
    move->client = conn->client;
    move->partial = conn->partial;
    buf_init(&conn->partial, 0);
    move->stream = stream_pack(conn->stream);
    conn_free(conn);
    if (!move->stream || !to || worker_post(to, on_arrival, move) < 0) {
        stats_inc(&w->stats->move_failed);
        move_free(move);
    }
}

void turn_conn_join(struct turn_worker *w, uint64_t link,
                    struct turn_pipe *pipe)
{
    struct turn_conn *conn = pool_find(w->conns, pool_id_from_u64(link));

    if (conn)
        conn->pipe = pipe;
}

void turn_conn_send(struct turn_worker *w, uint64_t link, struct span bytes)
{
    struct turn_conn *conn = pool_find(w->conns, pool_id_from_u64(link));

    if (!conn) {
        stats_inc(&w->stats->drop_client_gone);
        return;
    }
    /* relayed media is worth nothing when it is late: drop, never wait */
    if (stream_write(conn->stream, bytes) < 0)
        stats_inc(&w->stats->drop_slow_client);
}

void turn_conn_close_all(struct turn_worker *w)
{
    struct turn_conn *conn;
    uint32_t pos = 0;

    while ((conn = pool_each(w->conns, &pos)) != NULL) {
        stream_close(conn->stream);
        conn_free(conn);
    }
}

/* SPDX-License-Identifier: MIT */
/* TCP relays (RFC 6062): the connections of an allocation.
 *
 *   CONNECTING  the client asked with Connect, and waits for the answer
 *   WAITING     there is a connection with the peer; ConnectionBind is awaited
 *   BOUND       bytes flow
 */
#include "turn/turn_internal.h"

#include "base/err.h"
#include "base/mem.h"

enum { NUMBER_TRIES = 8, PAY_CHUNK = 1024 };

static struct turn_tcp_conn *conn_of_node(struct list *node)
{
    return CONTAINER_OF(node, struct turn_tcp_conn, node);
}

/* --- names --- */

/* Behind the core's number, chance: nobody binds what he was not told of. */
static int put_number(struct turn_core *core, struct turn_tcp_conn *conn)
{
    int err = ERR_STATE;

    for (int i = 0; i < NUMBER_TRIES && err == ERR_STATE; i++) {
        core->env.random(core->env.arg, conn->number, sizeof(conn->number));
        conn->number[0] = core->worker;
        err = map_put(&core->tcp_by_number,
                      span_of(conn->number, sizeof(conn->number)), conn);
    }
    return err;
}

int turn_core_of_bind(struct span frame)
{
    struct stun_msg msg;
    struct span number;

    /* the type alone tells nearly all others */
    if (frame.len < STUN_HEADER_SIZE || frame.ptr[0] != 0 ||
        frame.ptr[1] != STUN_CONNECTION_BIND || stun_msg_read(&msg, frame) < 0)
        return -1;
    number = stun_msg_attr(&msg, STUN_CONNECTION_ID);
    return number.len == TURN_TCP_NUMBER_SIZE ? number.ptr[0] : -1;
}

static struct turn_tcp_conn *find_peer(struct turn_alloc *alloc,
                                       const struct addr *peer)
{
    LIST_FOREACH (node, &alloc->tcp_conns) {
        struct turn_tcp_conn *conn = conn_of_node(node);

        if (addr_equal(&conn->peer, peer))
            return conn;
    }
    return NULL;
}

/* --- life --- */

/* Count one more. STUN_OK, or the code to answer. */
static enum stun_code take_place(struct turn_core *core,
                                 struct turn_alloc *alloc)
{
    const struct turn_limits *limits = &core->rules->limits;
    uint32_t *total = &core->shared->tcp_connections;
    uint32_t *user = turn_quota_connections(&alloc->hold);

    if (alloc->n_tcp >= limits->tcp_per_allocation)
        return STUN_QUOTA_REACHED;
    if (__atomic_add_fetch(user, 1, __ATOMIC_RELAXED) > limits->tcp_per_user &&
        limits->tcp_per_user != 0) {
        __atomic_sub_fetch(user, 1, __ATOMIC_RELAXED);
        return STUN_QUOTA_REACHED;
    }
    if (__atomic_add_fetch(total, 1, __ATOMIC_RELAXED) > limits->tcp_total) {
        __atomic_sub_fetch(user, 1, __ATOMIC_RELAXED);
        __atomic_sub_fetch(total, 1, __ATOMIC_RELAXED);
        return STUN_INSUFFICIENT_CAPACITY;
    }
    alloc->n_tcp++;
    return STUN_OK;
}

static void give_place(struct turn_core *core, struct turn_alloc *alloc)
{
    __atomic_sub_fetch(turn_quota_connections(&alloc->hold), 1,
                       __ATOMIC_RELAXED);
    __atomic_sub_fetch(&core->shared->tcp_connections, 1, __ATOMIC_RELAXED);
    alloc->n_tcp--;
}

static enum stun_code conn_new(struct turn_core *core, struct turn_alloc *alloc,
                               const struct addr *peer,
                               struct turn_tcp_conn **ret_conn)
{
    struct turn_tcp_conn *conn;
    struct pool_id id;
    enum stun_code code = take_place(core, alloc);

    if (code != STUN_OK) {
        stats_inc(&core->stats->tcp_full);
        return code;
    }
    conn = pool_take(core->tcp_conns, &id);
    if (!conn)
        goto fail;
    conn->id = id;
    conn->alloc = alloc;
    conn->peer = *peer;
    timer_init(&conn->timer, TURN_TIMER_TCP);
    if (put_number(core, conn) < 0) {
        pool_give(core->tcp_conns, conn);
        goto fail;
    }
    list_push_back(&alloc->tcp_conns, &conn->node);
    stats_inc(&core->stats->tcp_connections);
    *ret_conn = conn;
    return STUN_OK;

fail:
    give_place(core, alloc);
    stats_inc(&core->stats->tcp_full);
    return STUN_INSUFFICIENT_CAPACITY;
}

/* The pipe is closed already, or never was. */
static void conn_free(struct turn_core *core, struct turn_tcp_conn *conn)
{
    if (conn->state == TURN_TCP_WAITING)
        stats_dec(&core->stats->tcp_waiting);
    stats_dec(&core->stats->tcp_connections);
    timers_cancel(&core->timers, &conn->timer);
    list_remove(&conn->node);
    map_remove(&core->tcp_by_number,
               span_of(conn->number, sizeof(conn->number)));
    give_place(core, conn->alloc);
    mem_wipe(&conn->key, sizeof(conn->key));
    pool_give(core->tcp_conns, conn);
}

static void conn_end(struct turn_core *core, struct turn_tcp_conn *conn)
{
    core->tcp.close(core->env.arg, conn->pipe);
    conn_free(core, conn);
}

void turn_tcp_end_all(struct turn_core *core, struct turn_alloc *alloc)
{
    LIST_FOREACH (node, &alloc->tcp_conns)
        conn_end(core, conn_of_node(node));
}

static void wait_for_bind(struct turn_core *core, struct turn_tcp_conn *conn,
                          uint64_t now)
{
    conn->state = TURN_TCP_WAITING;
    stats_inc(&core->stats->tcp_waiting);
    timers_set(&core->timers, &conn->timer, now + TURN_TCP_BIND_MS);
}

/* --- what a peer may --- */

/* A port in a rule is one to connect to; a peer that connects to us comes
 * from any. */
static bool is_allowed(const struct turn_alloc *alloc, const struct addr *peer,
                       bool is_incoming)
{
    const struct turn_policy *policy = turn_alloc_policy(alloc);

    if (is_incoming)
        return turn_policy_reach(policy, peer) != TURN_REACH_NONE;
    return turn_policy_allows(policy, peer);
}

size_t turn_tcp_review(struct turn_core *core, struct turn_alloc *alloc,
                       uint64_t now)
{
    size_t ended = 0;

    LIST_FOREACH (node, &alloc->tcp_conns) {
        struct turn_tcp_conn *conn = conn_of_node(node);

        if (is_allowed(alloc, &conn->peer, conn->is_incoming))
            continue;
        if (conn->state == TURN_TCP_CONNECTING)
            turn_tcp_answer(core, conn, STUN_FORBIDDEN, now);
        conn_end(core, conn);
        ended++;
    }
    return ended;
}

/* --- Connect (RFC 6062 5.2) --- */

/* Keep of the request what its answer will need. */
static void keep_request(struct turn_tcp_conn *conn,
                         const struct turn_request *rq)
{
    memcpy(conn->header, rq->msg.raw.ptr, sizeof(conn->header));
    conn->key = rq->who.key;
    conn->integrity = (uint8_t)rq->who.integrity;
    conn->has_fingerprint = stun_msg_has(&rq->msg, STUN_FINGERPRINT);
}

void turn_tcp_answer(struct turn_core *core, struct turn_tcp_conn *conn,
                     enum stun_code code, uint64_t now)
{
    struct turn_reply reply = {.code = code};
    struct turn_request rq = {
        .client = &conn->alloc->client, .now = now, .alloc = conn->alloc};

    rq.msg.raw = span_of(conn->header, sizeof(conn->header));
    rq.msg.method = STUN_CONNECT;
    rq.msg.attr[STUN_FINGERPRINT].at = conn->has_fingerprint;
    rq.who.key = conn->key;
    rq.who.integrity = (enum stun_integrity)conn->integrity;
    rq.realm = conn->alloc->realm;
    if (code == STUN_OK)
        reply.number = conn->number;
    turn_reply_send(core, &rq, &reply);
    mem_wipe(&rq.who.key, sizeof(rq.who.key));
    mem_wipe(&conn->key, sizeof(conn->key));
}

enum stun_code turn_on_connect(struct turn_core *core, struct turn_request *rq,
                               struct turn_reply *reply)
{
    struct turn_alloc *alloc = rq->alloc;
    struct turn_tcp_conn *conn;
    struct addr peer;
    struct addr to;
    enum stun_code code;

    if (!alloc || !alloc->is_tcp)
        return STUN_ALLOCATION_MISMATCH;
    code = turn_peer(rq, stun_msg_attr(&rq->msg, STUN_XOR_PEER_ADDRESS), &peer);
    if (code != STUN_OK)
        return code;
    if (find_peer(alloc, &peer))
        return STUN_CONNECTION_EXISTS;
    if (!is_allowed(alloc, &peer, false))
        return STUN_FORBIDDEN;
    code = conn_new(core, alloc, &peer, &conn);
    if (code != STUN_OK)
        return code;
    to = peer;
    turn_policy_to_local(turn_alloc_policy(alloc), &to);
    if (core->tcp.connect(core->env.arg, conn->id,
                          alloc->relays[turn_family_index(&peer)].handle, &to,
                          &conn->pipe) < 0) {
        stats_inc(&core->stats->tcp_failed);
        conn_free(core, conn);
        return STUN_CONNECTION_FAILED;
    }
    keep_request(conn, rq);
    timers_set(&core->timers, &conn->timer, rq->now + TURN_TCP_CONNECT_MS);
    reply->is_later = true;
    return STUN_OK;
}

void turn_core_on_tcp_open(struct turn_core *core, struct pool_id id,
                           uint64_t now)
{
    struct turn_tcp_conn *conn = pool_find(core->tcp_conns, id);

    if (!conn || conn->state != TURN_TCP_CONNECTING)
        return;
    stats_inc(&core->stats->tcp_connected);
    wait_for_bind(core, conn, now);
    turn_tcp_answer(core, conn, STUN_OK, now);
}

void turn_core_on_tcp_closed(struct turn_core *core, struct pool_id id,
                             uint64_t now)
{
    struct turn_tcp_conn *conn = pool_find(core->tcp_conns, id);

    if (!conn)
        return;
    if (conn->state == TURN_TCP_CONNECTING) {
        stats_inc(&core->stats->tcp_failed);
        turn_tcp_answer(core, conn, STUN_CONNECTION_FAILED, now);
    }
    conn_free(core, conn);
}

void turn_tcp_on_timer(struct turn_core *core, struct timer *timer,
                       uint64_t now)
{
    struct turn_tcp_conn *conn =
        CONTAINER_OF(timer, struct turn_tcp_conn, timer);

    if (conn->state == TURN_TCP_CONNECTING) {
        stats_inc(&core->stats->tcp_failed);
        turn_tcp_answer(core, conn, STUN_CONNECTION_FAILED, now);
    } else {
        stats_inc(&core->stats->tcp_unbound);
    }
    conn_end(core, conn);
}

/* --- a peer connects (RFC 6062 5.3) --- */

static void tell_attempt(struct turn_core *core,
                         const struct turn_tcp_conn *conn)
{
    uint8_t out[STUN_HEADER_SIZE + 24 + 8];
    uint8_t tid[STUN_TID_SIZE];
    struct turn_packet packet = {.tos = 0};
    struct stun_writer w;
    int size;

    core->env.random(core->env.arg, tid, sizeof(tid));
    stun_write_start(&w, out, sizeof(out), STUN_INDICATION,
                     STUN_CONNECTION_ATTEMPT, tid);
    stun_write_xor_addr(&w, STUN_XOR_PEER_ADDRESS, &conn->peer);
    stun_write(&w, STUN_CONNECTION_ID,
               span_of(conn->number, sizeof(conn->number)));
    size = stun_write_finish(&w);
    if (size < 0)
        return; /* cannot happen: it is of one size */
    packet.bytes = span_of(out, (size_t)size);
    core->env.to_client(core->env.arg, &conn->alloc->client, &packet);
}

int turn_core_on_tcp_accept(struct turn_core *core, struct pool_id id,
                            const struct addr *from, void *pipe, uint64_t now,
                            struct pool_id *ret_conn)
{
    struct turn_alloc *alloc = pool_find(core->allocs, id);
    struct turn_tcp_conn *conn;
    struct addr peer = *from;

    if (!alloc || alloc->expires <= now)
        return ERR_DENIED;
    turn_policy_to_advertised(turn_alloc_policy(alloc), &peer);
    if (!turn_perms_find(&alloc->perms, &peer, now) ||
        !is_allowed(alloc, &peer, true)) {
        stats_inc(&core->stats->tcp_not_permitted);
        return ERR_DENIED;
    }
    if (conn_new(core, alloc, &peer, &conn) != STUN_OK)
        return ERR_LIMIT;
    conn->pipe = pipe;
    conn->is_incoming = true;
    stats_inc(&core->stats->tcp_accepted);
    wait_for_bind(core, conn, now);
    tell_attempt(core, conn);
    *ret_conn = conn->id;
    return 0;
}

/* --- ConnectionBind (RFC 6062 5.4) --- */

void turn_tcp_find(struct turn_core *core, struct turn_request *rq)
{
    struct span number = stun_msg_attr(&rq->msg, STUN_CONNECTION_ID);
    struct turn_tcp_conn *conn;

    /* a connection that has an allocation is for that one alone */
    if (rq->alloc || number.len != TURN_TCP_NUMBER_SIZE)
        return;
    conn = map_find(&core->tcp_by_number, number);
    if (!conn || conn->state != TURN_TCP_WAITING ||
        conn->alloc->realm != rq->realm)
        return;
    rq->tcp = conn;
    rq->alloc = conn->alloc;
}

enum stun_code turn_on_connection_bind(struct turn_core *core,
                                       struct turn_request *rq,
                                       struct turn_reply *reply)
{
    struct turn_tcp_conn *conn = rq->tcp;

    if (!turn_transport_is_stream(rq->client->transport) || !conn)
        return STUN_BAD_REQUEST;
    conn->state = TURN_TCP_BOUND;
    stats_dec(&core->stats->tcp_waiting);
    stats_inc(&core->stats->tcp_bound);
    timers_cancel(&core->timers, &conn->timer);
    reply->joined = conn;
    return STUN_OK;
}

/* --- bandwidth --- */

/* Pay what was read. What cannot be paid now is owed, and until it is paid
 * no more is read: nothing of a stream can be dropped. */
uint64_t turn_core_on_tcp_data(struct turn_core *core, struct pool_id id,
                               unsigned direction, size_t len, uint64_t now)
{
    struct turn_tcp_conn *conn = pool_find(core->tcp_conns, id);
    struct turn_alloc *alloc;
    size_t *owed;

    if (!conn)
        return 0;
    alloc = conn->alloc;
    owed = &conn->owed[direction];
    *owed += len;
    alloc->bytes[direction] += len;
    stats_add(direction == TURN_TO_PEER ? &core->stats->tcp_to_peer
                                        : &core->stats->tcp_to_client,
              len);
    while (*owed > 0) {
        size_t part = *owed < PAY_CHUNK ? *owed : PAY_CHUNK;

        if (turn_relay_over_limit(core, alloc, direction, part, now)) {
            if (len > 0)
                stats_inc(&core->stats->tcp_throttled);
            return now + TURN_TCP_WAIT_MS;
        }
        *owed -= part;
    }
    return 0;
}

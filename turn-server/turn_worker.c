/* SPDX-License-Identifier: MIT */
#include "turn_worker.h"

#include "base/crypto.h"
#include "base/err.h"
#include "base/mem.h"
#include "turn_worker_internal.h"

#include <errno.h>
#include <time.h>

#define LOG_COMPONENT "turn"
#include "base/log.h"

_Static_assert((int)UDP_HEADROOM >= (int)TURN_HEADROOM,
               "headers fit in the headroom");

/* A relay socket. */
struct turn_socket {
    struct turn_worker *w;
    struct udp *udp;
    struct pool_id alloc;
};

enum {
    GATHER_WINDOW_MS = 100, /* the rate is looked at this often */
    GATHER_RATE = 500,      /* packets in it from which gathering pays */
    GATHER_FULL = 48,       /* packets of a turn that need no gathering */
};

/* Waking up for each packet costs more than relaying it. When there are so
 * many that some will surely come within the next moment, wait for them:
 * they then share their wake-up and their system calls. What was to be sent
 * has left by now. The delay is a hundredth of the time between two packets
 * of a voice stream. */
static void on_pause(struct worker_task *task)
{
    struct turn_worker *w = CONTAINER_OF(task, struct turn_worker, pause);
    struct timespec delay = {.tv_nsec = (long)w->gather_us * 1000};
    uint64_t now = worker_now(w->worker);

    w->rate_packets += w->turn_packets;
    if (now - w->rate_start >= GATHER_WINDOW_MS) {
        w->is_busy = (uint64_t)w->rate_packets * GATHER_WINDOW_MS >=
                     GATHER_RATE * (now - w->rate_start);
        w->rate_packets = 0;
        w->rate_start = now;
    }
    if (w->is_busy && w->turn_packets < GATHER_FULL)
        (void)nanosleep(&delay, NULL);
    w->turn_packets = 0;
}

static void gather(struct turn_worker *w, size_t packets)
{
    w->turn_packets += (unsigned)packets;
    if (w->gather_us > 0)
        worker_defer(w->worker, &w->pause);
}

/* --- the core's environment --- */

static void on_relay_packets(struct udp *udp, struct udp_packet *packets,
                             size_t n, void *arg)
{
    struct turn_socket *s = arg;
    struct turn_worker *w = s->w;
    struct pool_id alloc = s->alloc;

    (void)udp;
    for (size_t i = 0; i < n; i++) {
        struct turn_datagram datagram = {packets[i].from, packets[i].data,
                                         packets[i].len, packets[i].tos};

        if (packets[i].truncated || packets[i].len > w->max_packet) {
            stats_inc(&w->stats->drop_too_long);
            continue;
        }
        datagram.from.scope = 0; /* peers are named without */
        turn_core_on_peer(w->core, alloc, &datagram, packets[i].now);
    }
    gather(w, n);
}

static void on_relay_report(struct udp *udp, const struct udp_report *report,
                            void *arg)
{
    struct turn_socket *s = arg;
    struct turn_report told = {report->to, report->type, report->code,
                               report->info};

    (void)udp;
    told.peer.scope = 0;
    turn_core_on_report(s->w->core, s->alloc, &told, worker_now(s->w->worker));
}

static int relay_open(void *arg, struct pool_id alloc, const struct addr *want,
                      void **ret_relay)
{
    struct turn_worker *w = arg;
    struct pool_id id;
    struct turn_socket *s = pool_take(w->relays, &id);
    struct udp_options o = {
        .bind = *want,
        .batch = 4,
        .on_packets = on_relay_packets,
        .on_report = on_relay_report,
        .arg = s,
    };
    int err;

    if (!s)
        return -ENOMEM;
    s->w = w;
    s->alloc = alloc;
    err = udp_open(&s->udp, w->ring, &o);
    if (err < 0) {
        pool_give(w->relays, s);
        return err;
    }
    *ret_relay = s;
    return 0;
}

static void relay_close(void *arg, void *handle)
{
    struct turn_worker *w = arg;
    struct turn_socket *s = handle;

    udp_close(s->udp);
    pool_give(w->relays, s);
}

void turn_worker_to_client(struct turn_worker *w, const struct turn_client *to,
                           const struct turn_packet *packet)
{
    const struct turn_door *door;
    struct udp_dest dest = {.to = to->remote};

    if (turn_transport_is_stream(to->transport)) {
        turn_conn_send(w, to->link, packet->bytes);
        return;
    }
    if (to->transport == TURN_DTLS && to->home != 0) {
        turn_forward_to_client(w, to, packet);
        return;
    }
    if (to->transport == TURN_DTLS) {
        turn_dtls_send(w, to->link, packet);
        return;
    }
    door = &w->doors[to->link];
    if (door->is_wildcard)
        dest.from = to->local;
    dest.tos = packet->tos;
    dest.has_tos = packet->tos != 0;
    if (udp_send(door->udp, &dest, packet->bytes) < 0)
        stats_inc(&w->stats->drop_too_long);
}

static void to_client(void *arg, const struct turn_client *to,
                      const struct turn_packet *packet)
{
    turn_worker_to_client(arg, to, packet);
}

static void to_peer(void *arg, void *handle, const struct addr *to,
                    const struct turn_packet *packet)
{
    struct turn_worker *w = arg;
    struct turn_socket *s = handle;
    struct udp_dest dest = {.to = *to,
                            .tos = packet->tos,
                            .has_tos = packet->tos != 0,
                            .dont_fragment = packet->dont_fragment};

    if (udp_send(s->udp, &dest, packet->bytes) < 0)
        stats_inc(&w->stats->drop_too_long);
}

static void random_bytes(void *arg, void *out, size_t len)
{
    (void)arg;
    crypto_random(out, len);
}

static uint64_t epoch(void *arg)
{
    (void)arg;
    return (uint64_t)time(NULL);
}

/* --- events --- */

void turn_worker_arm(struct turn_worker *w)
{
    alarm_set(&w->deadline, turn_core_next_deadline(w->core));
}

static void on_deadline(struct alarm *alarm, uint64_t now)
{
    struct turn_worker *w = CONTAINER_OF(alarm, struct turn_worker, deadline);

    turn_core_on_timer(w->core, now);
    turn_worker_arm(w);
}

static void copy_stats(uint64_t *to, const uint64_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        stats_set(&to[i], stats_get(&from[i]));
}

/* The sum of all listeners. */
static void sum_listeners(struct turn_worker *w)
{
    enum { FIGURES = sizeof(struct listener_stats) / sizeof(uint64_t) };
    uint64_t *to = (uint64_t *)(void *)&w->stats->listener;

    for (size_t i = 0; i < FIGURES; i++) {
        uint64_t sum = 0;

        for (size_t d = 0; d < w->n_doors; d++) {
            const struct listener *l = w->doors[d].listener;

            if (l)
                sum += stats_get(
                    &((const uint64_t *)(const void *)listener_stats(l))[i]);
        }
        stats_set(&to[i], sum);
    }
}

static void on_second(struct alarm *alarm, uint64_t now)
{
    struct turn_worker *w = CONTAINER_OF(alarm, struct turn_worker, second);

    copy_stats((uint64_t *)(void *)&w->stats->udp,
               (const uint64_t *)(const void *)udp_ring_stats(w->ring),
               sizeof(w->stats->udp) / sizeof(uint64_t));
    copy_stats((uint64_t *)(void *)&w->stats->stream,
               (const uint64_t *)(const void *)stream_stats(w->worker),
               sizeof(w->stats->stream) / sizeof(uint64_t));
    sum_listeners(w);
    alarm_set(&w->second, now + 1000);
}

static void on_client_packets(struct udp *udp, struct udp_packet *packets,
                              size_t n, void *arg)
{
    struct turn_door *door = arg;
    struct turn_worker *w = door->owner;

    for (size_t i = 0; i < n; i++) {
        const struct udp_packet *p = &packets[i];
        struct turn_client client = {.remote = p->from,
                                     .local = p->to,
                                     .link = door->link,
                                     .transport = TURN_UDP,
                                     .realm = door->group->realm};
        struct turn_packet packet = {.bytes = span_of(p->data, p->len),
                                     .tos = p->tos};

        if (w->dtls && p->len > 0 && dtls_is_first_byte(p->data[0]) &&
            !p->truncated && dtls_on_packet(w->dtls, udp, p))
            continue;
        client.access = (uint8_t)turn_listen_access(door->group, &p->from);
        if (p->truncated)
            stats_inc(&w->stats->drop_too_long);
        else
            turn_core_on_client(w->core, &client, &packet, p->now);
    }
    turn_worker_arm(w);
    gather(w, n);
}

/* --- start --- */

static int open_udp(struct turn_worker *w, struct turn_door *door,
                    const struct turn_listen_group *l, int buffer)
{
    struct udp_options o = {
        .group = l->group,
        .recv_buffer = buffer,
        .send_buffer = buffer,
        .on_packets = on_client_packets,
        .arg = door,
    };

    door->is_wildcard = addr_is_any(&l->addr);
    return udp_open(&door->udp, w->ring, &o);
}

static int open_tcp(struct turn_worker *w, struct turn_door *door,
                    const struct turn_config *c, struct tls_ctx *tls)
{
    const struct turn_listen_group *l = door->group;
    struct listener_options o = {
        .group = l->group,
        .mode = LISTENER_PLAIN,
        .tls = tls,
        .limit = turn_server_limit(w->server),
        .rate = turn_server_rate(w->server),
        .max_waiting = c->max_handshakes,
        .proxy_from = c->proxy_from.items,
        .n_proxy_from = c->proxy_from.n,
        .stream = {.max_queued = w->stream_buffer, .keepalive_s = 60},
        .on_accept = turn_conn_accept,
        .arg = door,
    };

    if (tls)
        o.mode = l->kind == TURN_LISTEN_TLS ? LISTENER_TLS : LISTENER_DETECT;
    return listener_open(&door->listener, w->worker, &o);
}

static int open_doors(struct turn_worker *w, const struct turn_config *c,
                      struct tls_ctx *tls)
{
    const struct turn_listen_group *listeners;
    size_t n;
    int err = 0;

    listeners = turn_server_listeners(w->server, &n);
    w->doors = mem_zarray(n + 1, sizeof(*w->doors));
    if (!w->doors)
        return -ENOMEM;
    for (size_t i = 0; i < n && err == 0; i++) {
        struct turn_door *door = &w->doors[i];

        door->owner = w;
        door->group = &listeners[i];
        door->link = i;
        w->n_doors = i + 1;
        if (listeners[i].kind == TURN_LISTEN_UDP)
            err = open_udp(w, door, &listeners[i], (int)c->socket_buffer);
        else
            err = open_tcp(w, door, c, tls);
    }
    return err;
}

/* Listeners that can stand in for each other (RFC 5780). */
static int tell_listeners(struct turn_worker *w)
{
    struct turn_listener list[TURN_LISTENERS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < w->n_doors && n < TURN_LISTENERS_MAX; i++) {
        if (w->doors[i].udp && !w->doors[i].is_wildcard)
            list[n++] = (struct turn_listener){w->doors[i].link,
                                               w->doors[i].group->addr};
    }
    return turn_core_set_listeners(w->core, list, n);
}

static int make_tables(struct turn_worker *w, const struct turn_config *c,
                       struct turn_rules *rules)
{
    struct turn_core_options o = {
        .env = {relay_open, relay_close, to_client, to_peer, random_bytes,
                epoch, w},
        .tcp = turn_pipe_env(),
        .mobile = turn_forward_env(),
        .max_tcp = c->tcp_total,
        .worker = (uint8_t)worker_index(w->worker),
        .shared = turn_server_shared(w->server),
        .rules = rules,
        .stats = &w->stats->core,
        .realm_stats =
            turn_server_realm_stats(w->server, worker_index(w->worker)),
        .max_allocations = c->max_allocations,
    };
    /* A packet may come or go inside a header, inside a DTLS record. */
    struct udp_ring_config ring = {
        .slot_size = (unsigned)w->max_packet + TURN_HEADROOM + TURN_TAILROOM +
                     DTLS_RECORD_OVERHEAD,
    };
    int err;

    err = pool_new(&w->relays, sizeof(struct turn_socket),
                   2 * c->max_allocations);
    if (err == 0)
        err = pool_new(&w->conns, turn_conn_size(),
                       c->max_connections ? c->max_connections : 1000000);
    if (err == 0)
        err = pool_new(&w->tcp_sockets, turn_tcp_socket_size(),
                       2 * c->max_allocations);
    if (err == 0)
        err = pool_new(&w->pipes, turn_pipe_size(), 2 * c->tcp_total);
    if (err == 0)
        err = udp_ring_new(&w->ring, w->worker, &ring);
    if (err == 0)
        err = turn_core_new(&w->core, &o);
    return err;
}

static int build(struct turn_worker *w, const struct turn_config *c)
{
    struct turn_rules *rules;
    struct tls_ctx *tls;
    int err;

    w->max_connections = c->max_connections;
    w->max_handshakes = c->max_handshakes;
    w->max_packet = c->max_packet;
    w->idle_timeout = c->idle_timeout;
    w->stream_buffer = c->stream_buffer;
    alarm_init(&w->deadline, w->worker, on_deadline);
    alarm_init(&w->second, w->worker, on_second);
    worker_task_init(&w->pause, on_pause);
    w->gather_us = c->gather;
    turn_server_snapshot(w->server, &rules, &tls);
    err = make_tables(w, c, rules);
    if (err == 0)
        err = open_doors(w, c, tls);
    if (err == 0 && tls && c->dtls)
        err = turn_dtls_start(w, tls);
    if (err == 0 && c->nat_discovery)
        err = tell_listeners(w);
    if (err == 0)
        alarm_set(&w->second, worker_now(w->worker) + 1000);
    turn_rules_unref(rules);
    tls_ctx_unref(tls);
    return err;
}

int turn_worker_start(void *state, struct worker *worker,
                      const struct config *config, void *stats,
                      void **ret_worker_state)
{
    struct turn_worker *w = mem_zalloc(sizeof(*w));
    int err;

    if (!w)
        return -ENOMEM;
    w->server = state;
    w->worker = worker;
    w->stats = stats;
    err = build(w, config_values(config));
    if (err < 0) {
        log_error("worker not started: %s", err_str(err));
        turn_worker_stop(w);
        turn_worker_free(w);
        return err;
    }
    turn_server_set_worker(w->server, worker_index(worker), w);
    *ret_worker_state = w;
    return 0;
}

void turn_worker_reload(void *worker_state, const struct config *config)
{
    struct turn_worker *w = worker_state;
    struct turn_rules *rules;
    struct tls_ctx *tls;

    (void)config;
    turn_server_snapshot(w->server, &rules, &tls);
    turn_core_set_rules(w->core, rules, worker_now(w->worker));
    for (size_t i = 0; i < w->n_doors; i++) {
        if (w->doors[i].listener && tls)
            listener_set_tls(w->doors[i].listener, tls);
    }
    if (w->dtls && tls)
        dtls_set_tls(w->dtls, tls);
    turn_rules_unref(rules);
    tls_ctx_unref(tls);
}

/* Clients learn from the 508 that they should go elsewhere; a closed port
 * would only let them wait. */
void turn_worker_drain(void *worker_state)
{
    struct turn_worker *w = worker_state;

    turn_core_drain(w->core);
}

void turn_worker_stop(void *worker_state)
{
    struct turn_worker *w = worker_state;

    alarm_cancel(&w->deadline);
    alarm_cancel(&w->second);
    worker_task_cancel(&w->pause);
    for (size_t i = 0; i < w->n_doors; i++) {
        listener_close(w->doors[i].listener);
        w->doors[i].listener = NULL;
    }
    if (w->core) {
        turn_conn_close_all(w);
        turn_pipe_close_all(w);
    }
    dtls_free(w->dtls);
    w->dtls = NULL;
    turn_core_free(w->core); /* closes the relay sockets */
    w->core = NULL;
    for (size_t i = 0; i < w->n_doors; i++) {
        udp_close(w->doors[i].udp);
        w->doors[i].udp = NULL;
    }
    udp_ring_close(w->ring);
    w->ring = NULL;
    alarm_cancel(&w->deadline);
}

void turn_worker_free(void *worker_state)
{
    struct turn_worker *w = worker_state;

    pool_free(w->relays);
    pool_free(w->conns);
    pool_free(w->tcp_sockets);
    pool_free(w->pipes);
    mem_free(w->doors);
    mem_free(w);
}

/* SPDX-License-Identifier: MIT */
#include "sip_worker.h"

#include "base/crypto.h"
#include "base/err.h"
#include "base/mem.h"
#include "net/tls_session.h"
#include "sip_conn.h"
#include "sip_names.h"
#include "sip_peer.h"
#include "sip_ws.h"

#include <errno.h>

#define LOG_COMPONENT "sip"
#include "base/log.h"

enum {
    UDP_SLOTS = 128, /* of 64 KiB each, touched only when used */
    UDP_BUFFER = 4 * 1024 * 1024,
    CLIENT_QUEUE = 256 * 1024,
    PEERS_MAX = 1024, /* streams with media servers, either direction */
    TIMER_GRAIN = 10, /* ms: the core's timers go off together, so much late */
};

/* --- mail between workers --- */

struct mail_message {
    struct sip_shared *shared;
    struct sip_target target; /* it came from, or goes to */
    size_t len;
    uint8_t bytes[];
};

struct mail_state {
    struct sip_shared *shared;
    uint16_t tag;
    bool up;
};

static struct sip_worker *self(struct sip_shared *shared, struct worker *worker)
{
    return shared->worker[worker_index(worker)];
}

static void on_mail_message(struct worker *worker, void *arg)
{
    struct mail_message *mail = arg;
    struct sip_worker *w = self(mail->shared, worker);

    if (w && w->core) {
        sip_core_on_message(w->core, &mail->target,
                            span_of(mail->bytes, mail->len),
                            worker_now(worker));
        sip_worker_touch(w);
    }
    mem_free(mail);
}

static void on_mail_send(struct worker *worker, void *arg)
{
    struct mail_message *mail = arg;
    struct sip_worker *w = self(mail->shared, worker);

    if (w && w->core)
        (void)sip_conn_send_to(w, &mail->target,
                               span_of(mail->bytes, mail->len));
    mem_free(mail);
}

static struct mail_message *mail_new(struct sip_worker *w,
                                     const struct sip_target *target,
                                     struct span message)
{
    struct mail_message *mail = mem_alloc(sizeof(*mail) + message.len);

    if (!mail)
        return NULL;
    mail->shared = w->shared;
    mail->target = *target;
    mail->len = message.len;
    memcpy(mail->bytes, message.ptr, message.len);
    return mail;
}

static int post(struct sip_worker *w, unsigned to,
                void (*fn)(struct worker *worker, void *arg), void *mail)
{
    struct worker *other = daemon_worker(w->shared->daemon, to);
    int err = other ? worker_post(other, fn, mail) : ERR_STATE;

    if (err < 0)
        mem_free(mail);
    return err;
}

static void on_mail_state(struct worker *worker, void *arg)
{
    struct mail_state *mail = arg;
    struct sip_worker *w = self(mail->shared, worker);

    if (w && w->core) {
        sip_core_on_server_state(w->core, mail->tag, mail->up,
                                 worker_now(worker));
        sip_worker_touch(w);
    }
    mem_free(mail);
}

struct mail_ban {
    struct sip_shared *shared;
    struct addr source;
    uint64_t until;
};

static void on_mail_ban(struct worker *worker, void *arg)
{
    struct mail_ban *mail = arg;
    struct sip_worker *w = self(mail->shared, worker);

    if (w && w->core)
        sip_core_on_banned(w->core, &mail->source, mail->until);
    mem_free(mail);
}

/* Where a name is has changed: each worker takes what is known. */
static void refill(struct sip_worker *w);

static void on_mail_names(struct worker *worker, void *arg)
{
    struct sip_shared *shared = *(struct sip_shared **)arg;
    struct sip_worker *w = self(shared, worker);

    if (w && w->core)
        refill(w);
    mem_free(arg);
}

static void on_names(void *arg)
{
    struct sip_worker *w = arg;

    for (unsigned i = 0; i < w->shared->workers; i++) {
        struct sip_shared **mail = mem_alloc(sizeof(struct sip_shared *));

        if (!mail)
            return; /* with the next change, or reload */
        *mail = w->shared;
        (void)post(w, i, on_mail_names, mail);
    }
}

/* --- what the core asks for --- */

/* On the stream with a media server; another worker may have it. */
static int send_to_peer(struct sip_worker *w, const struct sip_target *to,
                        struct span message)
{
    struct mail_message *mail;

    if (to->worker == w->index || to->worker >= w->shared->workers)
        return sip_conn_send_to(w, to, message);
    mail = mail_new(w, to, message);
    return mail ? post(w, to->worker, on_mail_send, mail) : -ENOMEM;
}

static int on_send(void *arg, const struct sip_target *to, void *conn,
                   struct span message)
{
    struct sip_worker *w = arg;
    struct udp_dest dest = {.to = to->remote};
    int err;

    if (conn)
        return ((struct sip_link *)conn)->send(conn, message);
    if (sip_transport_is_reliable(to->transport))
        return send_to_peer(w, to, message);
    if (to->listener >= SIP_LOCALS_MAX || !w->udps[to->listener].udp)
        return ERR_CLOSED;
    /* A socket of one address has no other to send from. */
    if (!addr_is_any(&to->local) &&
        addr_is_any(udp_addr(w->udps[to->listener].udp)))
        dest.from = to->local;
    err = udp_send(w->udps[to->listener].udp, &dest, message);
    if (err < 0)
        SIP_SHELL_COUNT(w, udp_refused);
    else
        SIP_SHELL_COUNT(w, udp_out);
    return err;
}

static int on_dial(void *arg, const struct sip_target *to, const char *name,
                   const char *sni, void **ret_conn)
{
    struct sip_link *link = NULL;
    int err = sip_conn_dial(arg, to, name, sni, &link);

    *ret_conn = link;
    return err;
}

static void on_close(void *arg, void *conn, enum sip_close_why why)
{
    struct sip_worker *w = arg;

    if (why == SIP_CLOSE_GARBAGE)
        SIP_SHELL_COUNT(w, ws_garbage);
    ((struct sip_link *)conn)->close(conn, SIP_LINK_GARBAGE);
}

static int on_hand_over(void *arg, unsigned to, const struct sip_target *from,
                        struct span message)
{
    struct sip_worker *w = arg;
    struct mail_message *mail = mail_new(w, from, message);

    return mail ? post(w, to, on_mail_message, mail) : -ENOMEM;
}

static void tell(struct sip_worker *w, unsigned to, uint16_t tag, bool up)
{
    struct mail_state *mail = mem_alloc(sizeof(*mail));

    if (!mail)
        return; /* that worker will find out by itself */
    *mail = (struct mail_state){w->shared, tag, up};
    (void)post(w, to, on_mail_state, mail);
}

static void on_server_state(void *arg, const struct sip_server *server)
{
    struct sip_worker *w = arg;

    sip_shared_set_down(w->shared, server->tag, !server->up);
    for (unsigned i = 0; i < w->shared->workers; i++) {
        if (i != w->index)
            tell(w, i, server->tag, server->up);
    }
}

static void on_banned(void *arg, const struct addr *source, uint64_t until)
{
    struct sip_worker *w = arg;

    sip_shared_note_ban(w->shared, source, until);
    for (unsigned i = 0; i < w->shared->workers; i++) {
        struct mail_ban *mail;

        if (i == w->index)
            continue;
        mail = mem_alloc(sizeof(*mail));
        if (!mail)
            return; /* that worker bans by itself when it sees as much */
        *mail = (struct mail_ban){w->shared, *source, until};
        (void)post(w, i, on_mail_ban, mail);
    }
}

struct mail_home {
    struct sip_shared *shared;
    struct sip_home home;
};

static void on_mail_home(struct worker *worker, void *arg)
{
    struct mail_home *mail = arg;
    struct sip_worker *w = self(mail->shared, worker);

    if (w && w->core) {
        sip_core_on_home(w->core, &mail->home, worker_now(worker));
        sip_worker_touch(w);
    }
    mem_free(mail);
}

static void on_home(void *arg, const struct sip_home *home)
{
    struct sip_worker *w = arg;

    for (unsigned i = 0; i < w->shared->workers; i++) {
        struct mail_home *mail;

        if (i == w->index)
            continue;
        mail = mem_alloc(sizeof(*mail));
        if (!mail)
            return; /* 430 for what comes by that worker, as without it */
        *mail = (struct mail_home){w->shared, *home};
        (void)post(w, i, on_mail_home, mail);
    }
}

static void on_random(void *arg, void *out, size_t len)
{
    (void)arg;
    crypto_random(out, len);
}

/* --- what the core is told --- */

static void copy_figures(uint64_t *to, const uint64_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        stats_set(&to[i], stats_get(&from[i]));
}

/* What connections and listeners count by themselves. */
static void sum_figures(struct sip_worker *w)
{
    enum { FIGURES = sizeof(struct listener_stats) / sizeof(uint64_t) };
    uint64_t sum[FIGURES] = {0};

    copy_figures((uint64_t *)(void *)&w->stats->stream,
                 (const uint64_t *)(const void *)stream_stats(w->worker),
                 sizeof(w->stats->stream) / sizeof(uint64_t));
    for (size_t i = 0; i < SIP_LOCALS_MAX; i++) {
        const uint64_t *one;

        if (!w->accepts[i].listening)
            continue;
        one = (const uint64_t *)(const void *)listener_stats(
            w->accepts[i].listening);
        for (size_t k = 0; k < FIGURES; k++)
            sum[k] += stats_get(&one[k]);
    }
    copy_figures((uint64_t *)(void *)&w->stats->listener, sum, FIGURES);
}

static void on_core_alarm(struct alarm *alarm, uint64_t now)
{
    struct sip_worker *w = CONTAINER_OF(alarm, struct sip_worker, alarm);

    sip_core_on_timer(w->core, now);
    if (w->next_sum <= now && !w->is_stopping) {
        w->next_sum = now + 1000;
        sum_figures(w);
    }
    sip_worker_touch(w);
}

/* One worker asks for all. */
static bool is_asker(const struct sip_worker *w)
{
    return w->index == 0;
}

static void show_names(struct sip_worker *w)
{
    struct sip_names_stats s;

    sip_names_stats(w->shared->names, &s);
    stats_set(&w->stats->dns_queries, s.queries);
    stats_set(&w->stats->dns_failed, s.failed);
    stats_set(&w->stats->dns_timeouts, s.timeouts);
    stats_set(&w->stats->names_missing, s.missing);
}

/* Each transaction has its own millisecond to be forgotten at; none of them is
 * worth waking up for alone. */
static uint64_t next_wake(const struct sip_worker *w)
{
    uint64_t deadline = sip_core_next_deadline(w->core);

    return deadline == TIMERS_NEVER
               ? deadline
               : (deadline + TIMER_GRAIN - 1) / TIMER_GRAIN * TIMER_GRAIN;
}

static void on_turn_end(struct worker_task *task)
{
    struct sip_worker *w = CONTAINER_OF(task, struct sip_worker, task);

    /* The process stops when the gauges say that nothing is under way. */
    if (w->is_draining)
        sip_core_refresh_gauges(w->core);
    /* A change while this worker was starting was told to nobody. */
    if (w->names_version != sip_names_version(w->shared->names))
        refill(w);
    if (is_asker(w))
        show_names(w);
    alarm_set(&w->alarm, next_wake(w));
}

void sip_worker_touch(struct sip_worker *w)
{
    if (!w->is_stopping)
        worker_defer(w->worker, &w->task);
}

static void on_packets(struct udp *udp, struct udp_packet *packets, size_t n,
                       void *arg)
{
    const struct sip_udp *u = arg;
    struct sip_worker *w = u->owner;

    (void)udp;
    for (size_t i = 0; i < n; i++) {
        const struct sip_target from = {
            .transport = SIP_UDP,
            .remote = packets[i].from,
            .local = packets[i].to,
            .worker = w->index,
            .listener = u->listener,
        };

        SIP_SHELL_COUNT(w, udp_in);
        sip_core_on_message(w->core, &from,
                            span_of(packets[i].data, packets[i].len),
                            packets[i].now);
    }
    sip_worker_touch(w);
}

uint32_t sip_worker_group_by_sni(const struct sip_worker *w,
                                 const struct stream *stream)
{
    const struct tls_session *tls = stream_tls(stream);

    return tls ? sip_core_domain_group(w->core,
                                       span_str(tls_session_server_name(tls)))
               : 0;
}

static bool is_welcome(struct sip_worker *w, const struct stream *stream)
{
    const struct addr *from = stream_peer(stream);
    uint64_t now = worker_now(w->worker);

    if (sip_core_is_banned(w->core, from, now)) {
        SIP_SHELL_COUNT(w, connections_banned);
        return false;
    }
    if (!sip_core_admits_connection(w->core, from, now)) {
        SIP_SHELL_COUNT(w, connections_many);
        return false;
    }
    return true;
}

static void on_accept(struct listener *listener, struct stream *stream,
                      void *arg)
{
    const struct sip_accept *a = arg;

    (void)listener;
    if (a->owner->shared->locals[a->listener].zone == SIP_OUTSIDE &&
        !is_welcome(a->owner, stream)) {
        stream_close(stream);
        return;
    }
    if (a->owner->shared->locals[a->listener].partners)
        sip_peer_accept(a->owner, stream, a->listener);
    else if (sip_transport_is_ws(
                 a->owner->shared->locals[a->listener].transport))
        sip_ws_accept(a->owner, stream, a->listener);
    else
        sip_conn_accept(a->owner, stream, a->listener, NULL);
}

/* --- life --- */

static int open_udp(struct sip_worker *w, uint32_t index)
{
    struct sip_udp *u = &w->udps[index];
    const struct udp_options options = {
        .group = w->shared->binds[index],
        .recv_buffer = UDP_BUFFER,
        .send_buffer = UDP_BUFFER,
        .fragment = UDP_FRAGMENT_ALLOW, /* WebRTC offers are above any MTU */
        .on_packets = on_packets,
        .arg = u,
    };

    *u = (struct sip_udp){.owner = w, .listener = index};
    return udp_open(&u->udp, w->ring, &options);
}

static bool is_secure(const struct sip_worker *w, size_t index)
{
    return sip_transport_is_secure(w->shared->locals[index].transport);
}

static int open_listener(struct sip_worker *w, uint32_t index)
{
    const struct sip_config *cfg = sip_worker_config(w);
    struct sip_accept *a = &w->accepts[index];
    /* Inside, an address is a permission: nobody names it for another. */
    bool outside = w->shared->locals[index].zone == SIP_OUTSIDE;
    const struct listener_options options = {
        .group = w->shared->binds[index],
        .mode = is_secure(w, index) ? LISTENER_TLS : LISTENER_PLAIN,
        .tls = w->tls.listen[index],
        .limit = w->shared->limit,
        .rate = outside ? w->shared->rate : NULL,
        .proxy_from = cfg->proxy_from.items,
        .n_proxy_from = outside ? cfg->proxy_from.n : 0,
        .stream = {.max_queued = CLIENT_QUEUE, .keepalive_s = 60},
        .on_accept = on_accept,
        .arg = a,
    };

    *a = (struct sip_accept){.owner = w, .listener = index};
    return listener_open(&a->listening, w->worker, &options);
}

static int open_sockets(struct sip_worker *w)
{
    const struct udp_ring_config ring = {.slots = UDP_SLOTS,
                                         .slot_size = SIP_MESSAGE_MAX};
    int err = udp_ring_new(&w->ring, w->worker, &ring);

    sip_shared_tls(w->shared, &w->tls);
    for (uint32_t i = 0; err == 0 && i < w->shared->n_locals; i++)
        err = w->shared->locals[i].transport == SIP_UDP ? open_udp(w, i)
                                                        : open_listener(w, i);
    return err;
}

static int make_core(struct sip_worker *w)
{
    const struct sip_place place = {.worker = (uint8_t)w->index,
                                    .workers = (uint8_t)w->shared->workers,
                                    .epoch = w->shared->epoch};
    const struct sip_env env = {.send = on_send,
                                .dial = on_dial,
                                .close = on_close,
                                .hand_over = on_hand_over,
                                .server_state = on_server_state,
                                .banned = on_banned,
                                .home = on_home,
                                .random = on_random,
                                .arg = w};

    w->names_version = sip_names_version(w->shared->names);
    sip_shared_core_config(w->shared, sip_worker_config(w), &w->settings[0]);
    return sip_core_new(&w->core, &w->settings[0], &place, &env,
                        &w->stats->core, worker_now(w->worker));
}

/* The partners whose address is not configured. */
static void tell_located(struct sip_worker *w)
{
    const struct sip_config *cfg = sip_worker_config(w);

    for (size_t i = 0; i < cfg->partners.n; i++) {
        struct sip_hop hops[SIP_HOPS_MAX];
        struct addr addrs[SIP_HOPS_MAX];
        struct sip_locate_query query;
        size_t n;

        if (!sip_config_partner_query(&cfg->partners.items[i], &query))
            continue;
        n = sip_names_find(w->shared->names, &query, hops);
        for (size_t k = 0; k < n; k++)
            addrs[k] = hops[k].addr;
        if (n > 0)
            sip_core_on_located(w->core, cfg->partners.items[i].domain, addrs,
                                n);
    }
}

/* A server that is new, or back, is thought to be up. */
static void show_states(struct sip_worker *w)
{
    const struct sip_dispatch *d = sip_core_dispatch(w->core);

    for (size_t i = 0; is_asker(w) && i < d->count; i++)
        sip_shared_set_down(w->shared, d->servers[i].tag, !d->servers[i].up);
}

/* The settings of `w->config`, with all names as they are known now. */
static void refill(struct sip_worker *w)
{
    struct sip_core_config *next = &w->settings[1 - w->in_use];

    w->names_version = sip_names_version(w->shared->names);
    sip_shared_core_config(w->shared, sip_worker_config(w), next);
    sip_core_reload(w->core, next, worker_now(w->worker));
    w->in_use = 1 - w->in_use;
    tell_located(w);
    show_states(w);
    sip_worker_touch(w);
}

static void close_listeners(struct sip_worker *w)
{
    for (size_t i = 0; i < SIP_LOCALS_MAX; i++) {
        listener_close(w->accepts[i].listening);
        w->accepts[i].listening = NULL;
    }
}

static void close_sockets(struct sip_worker *w)
{
    close_listeners(w);
    for (size_t i = 0; i < SIP_LOCALS_MAX; i++) {
        udp_close(w->udps[i].udp);
        w->udps[i].udp = NULL;
    }
    udp_ring_close(w->ring);
    w->ring = NULL;
}

int sip_worker_start(void *state, struct worker *worker,
                     const struct config *config, void *stats,
                     void **ret_worker_state)
{
    struct sip_shared *shared = state;
    struct sip_worker *w = mem_zalloc(sizeof(*w));
    uint8_t seed[16];
    int err = -ENOMEM;

    if (!w)
        goto out;
    w->shared = shared;
    w->worker = worker;
    w->index = (unsigned)worker_index(worker);
    w->stats = stats;
    w->config = config_ref((struct config *)(uintptr_t)config);
    list_init(&w->conns);
    crypto_random(seed, sizeof(seed));
    map_init(&w->peers, PEERS_MAX, seed);
    alarm_init(&w->alarm, worker, on_core_alarm);
    worker_task_init(&w->task, on_turn_end);
    err = make_core(w);
    if (err == 0)
        err = open_sockets(w);
    if (err < 0) {
        close_sockets(w);
        sip_worker_free(w);
        goto out;
    }
    shared->worker[worker_index(worker)] = w;
    if (is_asker(w))
        err = sip_names_start(shared->names, worker, sip_worker_config(w),
                              on_names, w);
    if (err < 0)
        log_error("names are not asked for error=\"%s\"", err_str(err));
    sip_worker_touch(w);
    *ret_worker_state = w;
    return 0;

out:
    log_error("worker cannot start error=\"%s\"", err_str(err));
    return err;
}

/* For connections from now on. */
static void reload_tls(struct sip_worker *w)
{
    sip_tls_drop(&w->tls);
    sip_shared_tls(w->shared, &w->tls);
    for (size_t i = 0; i < SIP_LOCALS_MAX; i++) {
        if (w->accepts[i].listening && w->tls.listen[i])
            listener_set_tls(w->accepts[i].listening, w->tls.listen[i]);
    }
}

void sip_worker_reload(void *worker_state, const struct config *config)
{
    struct sip_worker *w = worker_state;
    struct config *old = w->config;

    w->config = config_ref((struct config *)(uintptr_t)config);
    refill(w);
    if (is_asker(w))
        sip_names_reload(w->shared->names, sip_worker_config(w));
    reload_tls(w);
    config_unref(old); /* after the core has let go of its strings */
    sip_worker_touch(w);
}

void sip_worker_drain(void *worker_state)
{
    struct sip_worker *w = worker_state;

    close_listeners(w);
    w->is_draining = true;
    sip_core_refresh_gauges(w->core);
}

/* Connections get their goodbye and end within the time that leaves them; the
 * loop runs until then. */
void sip_worker_stop(void *worker_state)
{
    struct sip_worker *w = worker_state;

    w->is_stopping = true;
    alarm_cancel(&w->alarm);
    worker_task_cancel(&w->task);
    LIST_FOREACH (node, &w->conns) {
        struct sip_link *link = CONTAINER_OF(node, struct sip_link, node);

        link->close(link, SIP_LINK_RESTART);
    }
    close_sockets(w);
    if (is_asker(w))
        sip_names_stop(w->shared->names);
}

void sip_worker_free(void *worker_state)
{
    struct sip_worker *w = worker_state;

    /* On the main thread: the worker itself is gone. */
    w->shared->worker[w->index] = NULL;
    sip_core_free(w->core);
    map_deinit(&w->peers);
    sip_tls_drop(&w->tls);
    config_unref(w->config);
    mem_free(w);
}

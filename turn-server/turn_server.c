/* SPDX-License-Identifier: MIT */
#include "turn_server.h"

#include "app/certificates.h"
#include "app/json.h"
#include "base/err.h"
#include "base/mem.h"
#include "net/alarm.h"
#include "net/handshake_rate.h"
#include "turn_list.h"
#include "turn_own.h"
#include "turn_realms.h"
#include "turn_worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#define LOG_COMPONENT "turn"
#include "base/log.h"

struct turn_server {
    struct turn_listen_group *listeners;
    size_t n_listeners;
    struct turn_shared *shared;
    struct conn_limit *limit;
    struct tls_tickets *tickets;
    struct handshake_rate *rate;
    struct turn_own own;
    struct alarm watch;   /* of our addresses */
    bool is_stale;        /* workers have yet to be told of other ones */
    uint32_t relay_ports; /* in all */
    struct daemon *daemon;
    struct turn_worker **workers;
    struct turn_realms *realms; /* their figures */
    struct turn_lister *lister;

    pthread_mutex_t lock; /* guards the two below */
    struct turn_rules *rules;
    struct tls_ctx *tls;
};

const struct turn_listen_group *
turn_server_listeners(const struct turn_server *server, size_t *ret_n)
{
    *ret_n = server->n_listeners;
    return server->listeners;
}

struct turn_shared *turn_server_shared(const struct turn_server *server)
{
    return server->shared;
}

struct conn_limit *turn_server_limit(const struct turn_server *server)
{
    return server->limit;
}

struct handshake_rate *turn_server_rate(const struct turn_server *server)
{
    return server->rate;
}

struct turn_realm_stats *
turn_server_realm_stats(const struct turn_server *server, int worker)
{
    return turn_realms_block(server->realms, (unsigned)worker);
}

struct worker *turn_server_thread(const struct turn_server *server,
                                  unsigned index)
{
    return daemon_worker(server->daemon, index);
}

void turn_server_set_worker(struct turn_server *server, int index,
                            struct turn_worker *w)
{
    server->workers[index] = w;
}

struct turn_worker *turn_server_worker(const struct turn_server *server,
                                       int index)
{
    return server->workers[index];
}

void turn_server_endpoints(void *state, struct admin *admin)
{
    struct turn_server *server = state;

    if (turn_list_serve(&server->lister, server->daemon, server, admin) < 0)
        log_warn("no list of allocations: out of memory");
}

void turn_server_snapshot(struct turn_server *server,
                          struct turn_rules **ret_rules,
                          struct tls_ctx **ret_tls)
{
    pthread_mutex_lock(&server->lock);
    *ret_rules = turn_rules_ref(server->rules);
    *ret_tls = server->tls ? tls_ctx_ref(server->tls) : NULL;
    pthread_mutex_unlock(&server->lock);
}

/* --- snapshots --- */

static int make_tls(const struct turn_server *server,
                    const struct turn_config *c, struct tls_ctx **ret_tls,
                    char error[TLS_ERROR_SIZE])
{
    /* RFC 7443 */
    static const char *const alpn[] = {"stun.turn", "stun.nat-discovery", NULL};
    struct tls_key_pair pair = {c->certificate, c->key};
    struct tls_ctx_options o = {
        .role = TLS_SERVER,
        .pairs = &pair,
        .n_pairs = 1,
        .alpn = alpn,
        .dtls = c->dtls,
        .tickets = server->tickets,
    };

    *ret_tls = NULL;
    return c->certificate ? tls_ctx_new(ret_tls, &o, error) : 0;
}

static int make_snapshot(struct turn_server *server,
                         const struct turn_config *c,
                         struct turn_rules **ret_rules,
                         struct tls_ctx **ret_tls, char error[TLS_ERROR_SIZE])
{
    uint8_t slots[TURN_REALMS_MAX];
    int err;

    if (!turn_realms_assign(server->realms, c, slots)) {
        snprintf(error, TLS_ERROR_SIZE, "more than %d realms", TURN_REALMS_MAX);
        return ERR_CONFIG;
    }
    (void)turn_own_read(&server->own, server->listeners, server->n_listeners,
                        &c->common.admin_listen);
    err = turn_config_rules(c, server->own.list, server->own.n, slots,
                            ret_rules, error);
    if (err < 0)
        return err;
    err = make_tls(server, c, ret_tls, error);
    if (err < 0)
        turn_rules_unref(*ret_rules);
    return err;
}

/* --- our addresses --- */

/* On the worker's thread. */
static void take_rules(struct worker *worker, void *arg)
{
    struct turn_worker *w = turn_server_worker(arg, worker_index(worker));

    if (w)
        turn_worker_reload(w, NULL);
}

/* The rules of the present settings with the addresses of now. */
static void renew_rules(struct turn_server *server)
{
    const struct turn_config *c = config_values(daemon_config(server->daemon));
    char error[TURN_RULES_ERROR_SIZE] = "";
    uint8_t slots[TURN_REALMS_MAX];
    struct turn_rules *rules;

    if (!turn_realms_assign(server->realms, c, slots) ||
        turn_config_rules(c, server->own.list, server->own.n, slots, &rules,
                          error) < 0) {
        log_warn("own addresses have changed, the rules have not: %s", error);
        return;
    }
    pthread_mutex_lock(&server->lock);
    turn_rules_unref(server->rules);
    server->rules = rules;
    pthread_mutex_unlock(&server->lock);
    server->is_stale = true;
    log_info("addresses of this host have changed addresses=%zu",
             server->own.n);
}

static void on_watch(struct alarm *alarm, uint64_t now)
{
    struct turn_server *server = CONTAINER_OF(alarm, struct turn_server, watch);
    const struct config_common *common =
        config_common(daemon_config(server->daemon));

    if (turn_own_read(&server->own, server->listeners, server->n_listeners,
                      &common->admin_listen))
        renew_rules(server);
    if (server->is_stale) {
        server->is_stale = false;
        for (unsigned i = 0; i < daemon_workers(server->daemon); i++) {
            struct worker *worker = daemon_worker(server->daemon, i);

            /* a full mailbox: once more the next time */
            server->is_stale |=
                !worker || worker_post(worker, take_rules, server) < 0;
        }
    }
    alarm_set(&server->watch, now + TURN_OWN_PERIOD_MS);
}

/* --- start and stop --- */

enum turn_access turn_listen_access(const struct turn_listen_group *l,
                                    const struct addr *client)
{
    if (l->role == TURN_ROLE_STUN)
        return TURN_ACCESS_BINDING;
    if (l->n_clients > 0 && !cidr_list_has_ip(l->clients, l->n_clients, client))
        return TURN_ACCESS_BINDING;
    return TURN_ACCESS_RELAY;
}

uint32_t turn_listen_realm(const struct turn_listen_group *l,
                           const struct turn_rules *rules,
                           const char *server_name)
{
    if (l->has_realm)
        return l->realm;
    return turn_rules_realm_of_server(rules, span_str(server_name));
}

static void set_realm(struct turn_listen_group *l, const char *name,
                      const char *default_name)
{
    l->has_realm = name != NULL;
    if (name && strcmp(name, default_name) != 0)
        l->realm = turn_realm_id(span_str(name));
}

static int open_listener(struct turn_server *server,
                         const struct turn_listen_config *lc, unsigned workers)
{
    const struct endpoint *endpoint = &lc->address;
    struct turn_listen_group *l = &server->listeners[server->n_listeners];
    struct bind_options o = {
        .kind = endpoint->transport == TURN_LISTEN_UDP ? BIND_UDP : BIND_TCP,
        .addr = endpoint->addr,
        .count = workers,
    };
    char error[BIND_ERROR_SIZE];
    char text[ADDR_TEXT_SIZE];
    int err;

    l->role = (enum turn_role)lc->role;
    l->n_clients = lc->client.n;
    l->clients = mem_dup(lc->client.items, lc->client.n * sizeof(struct cidr));
    if (!l->clients)
        return -ENOMEM;
    err = bind_group_open(&l->group, &o, error);
    if (err < 0) {
        mem_free(l->clients);
        log_error("%s", error);
        return err;
    }
    l->addr = *bind_group_addr(l->group);
    l->kind = (enum turn_listen)endpoint->transport;
    server->n_listeners++;
    log_info("listening on %s:%s", endpoint->scheme, addr_str(&l->addr, text));
    return 0;
}

static int open_listeners(struct turn_server *server,
                          const struct turn_config *c, unsigned workers)
{
    server->listeners = mem_zarray(c->listen.n + 1, sizeof(*server->listeners));
    if (!server->listeners)
        return -ENOMEM;
    for (size_t i = 0; i < c->listen.n; i++) {
        int err = open_listener(server, &c->listen.items[i], workers);

        if (err < 0)
            return err;
        set_realm(&server->listeners[i], c->listen.items[i].realm,
                  c->realm.name);
    }
    return 0;
}

/* Better now than with the first caller's 508. */
static void check_relay_addresses(const struct turn_config *c)
{
    char error[BIND_ERROR_SIZE];
    char text[ADDR_TEXT_SIZE];

    for (size_t i = 0; i < c->relays.n; i++) {
        struct bind_options o = {
            .kind = BIND_UDP, .addr = c->relays.items[i].local, .count = 1};
        struct bind_group *probe;

        if (bind_group_open(&probe, &o, error) == 0)
            bind_group_close(probe);
        else
            log_warn("no relay on this address now, allocations there will "
                     "be refused address=%s reason=\"%s\"",
                     addr_ip_str(&o.addr, text), error);
    }
}

static int start(struct turn_server *server, const struct turn_config *c,
                 unsigned workers)
{
    char error[TLS_ERROR_SIZE] = "out of memory";
    uint32_t ports = (uint32_t)(c->relay_ports.last - c->relay_ports.first) + 1;
    int err;

    server->workers = mem_zarray(workers, sizeof(struct turn_worker *));
    if (!server->workers)
        return -ENOMEM;
    err = open_listeners(server, c, workers);
    if (err == 0)
        err = turn_realms_new(&server->realms, workers);
    if (err == 0)
        err = turn_shared_new(&server->shared, c->relays.items, c->relays.n,
                              c->relay_ports.first, c->relay_ports.last);
    if (err == 0)
        err = conn_limit_new(&server->limit, c->max_connections,
                             c->source_connections);
    if (err == 0)
        err = handshake_rate_new(&server->rate, c->handshake_rate,
                                 c->source_handshake_rate);
    if (err == 0)
        err = turn_own_init(&server->own);
    if (err == 0 && c->certificate)
        err = tls_tickets_new(&server->tickets, 3600);
    if (err < 0)
        return err;
    err = make_snapshot(server, c, &server->rules, &server->tls, error);
    if (err < 0) {
        log_error("%s", error);
        return err;
    }
    turn_realms_take(server->realms, server->rules);
    if (server->own.has_wildcard)
        alarm_set(&server->watch,
                  worker_now(server->watch.worker) + TURN_OWN_PERIOD_MS);
    server->relay_ports = (uint32_t)c->relays.n * ports;
    check_relay_addresses(c);
    return 0;
}

int turn_server_start(struct daemon *daemon, const struct config *config,
                      void **ret_state)
{
    struct turn_server *server = mem_zalloc(sizeof(*server));
    int err;

    if (!server)
        return -ENOMEM;
    if (pthread_mutex_init(&server->lock, NULL) != 0) {
        mem_free(server);
        return -ENOMEM;
    }
    server->daemon = daemon;
    alarm_init(&server->watch, daemon_main_worker(daemon), on_watch);
    err = start(server, config_values(config), daemon_workers(daemon));
    if (err < 0) {
        turn_server_stop(server);
        return err;
    }
    *ret_state = server;
    return 0;
}

int turn_server_reload(void *state, const struct config *config,
                       struct buf *report)
{
    struct turn_server *server = state;
    const struct turn_config *c = config_values(config);
    char error[TLS_ERROR_SIZE] = "out of memory";
    struct turn_rules *rules;
    struct tls_ctx *tls;
    int err;

    if (c->certificate && !server->tls) {
        buf_put_str(report, "certificate: the first one needs a restart\n");
        return ERR_CONFIG;
    }
    err = make_snapshot(server, c, &rules, &tls, error);
    if (err < 0) {
        buf_printf(report, "%s\n", error);
        return err;
    }
    conn_limit_set(server->limit, c->max_connections, c->source_connections);
    handshake_rate_set(server->rate, c->handshake_rate,
                       c->source_handshake_rate);
    pthread_mutex_lock(&server->lock);
    turn_rules_unref(server->rules);
    server->rules = rules;
    turn_realms_take(server->realms, rules);
    if (tls) { /* a listener that does TLS goes on doing it */
        tls_ctx_unref(server->tls);
        server->tls = tls;
    }
    pthread_mutex_unlock(&server->lock);
    return 0;
}

void turn_server_stop(void *state)
{
    struct turn_server *server = state;

    for (size_t i = 0; i < server->n_listeners; i++) {
        bind_group_close(server->listeners[i].group);
        mem_free(server->listeners[i].clients);
    }
    alarm_cancel(&server->watch);
    turn_list_free(server->lister);
    turn_realms_free(server->realms);
    mem_free(server->workers);
    mem_free(server->listeners);
    turn_own_deinit(&server->own);
    handshake_rate_unref(server->rate);
    turn_rules_unref(server->rules);
    tls_ctx_unref(server->tls);
    tls_tickets_unref(server->tickets);
    conn_limit_unref(server->limit);
    turn_shared_free(server->shared);
    pthread_mutex_destroy(&server->lock);
    mem_free(server);
}

static void status_listeners(const struct turn_server *server, struct buf *json)
{
    static const char *const names[] = {"udp", "tcp", "tls"};
    char text[ADDR_TEXT_SIZE];
    char line[ADDR_TEXT_SIZE + 8];

    json_key(json, "listeners");
    json_open(json, '[');
    for (size_t i = 0; i < server->n_listeners; i++) {
        const struct turn_listen_group *l = &server->listeners[i];

        snprintf(line, sizeof(line), "%s:%s", names[l->kind],
                 addr_str(&l->addr, text));
        json_str(json, line);
    }
    json_close(json, ']');
}

void turn_server_status(void *state, struct buf *json)
{
    struct turn_server *server = state;
    struct turn_rules *rules;
    struct tls_ctx *tls;

    turn_server_snapshot(server, &rules, &tls);
    status_listeners(server, json);
    json_key(json, "relay_ports");
    json_open(json, '{');
    json_key(json, "taken");
    json_u64(json, turn_ports_taken(server->shared->ports));
    json_key(json, "all");
    json_u64(json, server->relay_ports);
    json_close(json, '}');
    json_key(json, "allocations");
    json_u64(json, turn_quota_total(server->shared->quota));
    json_key(json, "users");
    json_u64(json, turn_users_count(rules->realms[0].users));
    json_key(json, "secrets");
    json_u64(json, turn_users_secrets(rules->realms[0].users));
    turn_realms_status(server->realms, rules, json);
    if (tls) {
        int days = tls_ctx_days_left(tls, (int64_t)time(NULL));

        json_key(json, "certificate_days_left");
        json_u64(json, days > 0 ? (uint64_t)days : 0);
    }
    certificates_json(&tls, 1, json);
    turn_rules_unref(rules);
    tls_ctx_unref(tls);
}

void turn_server_metrics(void *state, struct buf *out)
{
    struct turn_server *server = state;
    struct turn_rules *rules;
    struct tls_ctx *tls;

    turn_server_snapshot(server, &rules, &tls);
    certificates_metrics(&tls, 1, "turn_server", out);
    turn_realms_metrics(server->realms, rules, out);
    turn_rules_unref(rules);
    tls_ctx_unref(tls);
}

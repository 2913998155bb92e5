/* SPDX-License-Identifier: MIT */
#include "sip_server.h"

#include "app/certificates.h"
#include "app/json.h"
#include "base/crypto.h"
#include "base/err.h"
#include "base/mem.h"
#include "net/handshake_rate.h"
#include "proxy/sip_flow.h"
#include "sip_names.h"
#include "sip_tls.h"
#include "sip_why.h"
#include "sip_worker.h"

#include <errno.h>
#include <stdio.h>

#define LOG_COMPONENT "sip"
#include "base/log.h"

enum { SPARE_FILES = 256 };

void sip_shared_core_config(const struct sip_shared *shared,
                            const struct sip_config *cfg,
                            struct sip_core_config *ret_core)
{
    sip_config_core(cfg, shared->workers, ret_core);
    sip_names_servers(shared->names, cfg, &ret_core->dispatch);
    memcpy(ret_core->locals, shared->locals, sizeof(ret_core->locals));
    ret_core->n_locals = shared->n_locals;
    for (size_t i = 0; i < shared->n_locals && i < cfg->listen.n; i++)
        sip_config_policy(&cfg->listen.items[i], &ret_core->locals[i].policy);
    if (ret_core->keys.count == 0) {
        ret_core->keys.key[0] = shared->random_key;
        ret_core->keys.count = 1;
    }
}

void sip_shared_set_down(struct sip_shared *shared, uint16_t tag, bool down)
{
    atomic_store_explicit(&shared->down[tag], down, memory_order_relaxed);
}

void sip_shared_tls(struct sip_shared *shared, struct sip_tls *ret_tls)
{
    pthread_mutex_lock(&shared->lock);
    sip_tls_copy(shared->tls, ret_tls);
    pthread_mutex_unlock(&shared->lock);
}

void sip_shared_note_ban(struct sip_shared *shared, const struct addr *source,
                         uint64_t until)
{
    pthread_mutex_lock(&shared->ban_lock);
    shared->bans[shared->next_ban++ % SIP_BAN_NOTES] =
        (struct sip_ban_note){*source, until};
    pthread_mutex_unlock(&shared->ban_lock);
}

static bool is_down(const struct sip_shared *shared,
                    const struct sip_server_conf *server)
{
    return atomic_load_explicit(
        &shared->down[sip_server_tag(span_str(server->text))],
        memory_order_relaxed);
}

/* The media servers as they are known now; NULL when out of memory. To be
 * freed. */
static struct sip_dispatch_conf *servers_now(const struct sip_shared *shared)
{
    struct sip_dispatch_conf *conf = mem_zalloc(sizeof(*conf));

    if (conf)
        sip_names_servers(shared->names,
                          config_values(daemon_config(shared->daemon)), conf);
    return conf;
}

/* --- life --- */

static void stop(void *state)
{
    struct sip_shared *shared = state;

    for (size_t i = 0; i < shared->n_locals; i++)
        bind_group_close(shared->binds[i]);
    conn_limit_unref(shared->limit);
    handshake_rate_unref(shared->rate);
    sip_names_free(shared->names);
    if (shared->tls)
        sip_tls_drop(shared->tls);
    mem_free(shared->tls);
    (void)pthread_mutex_destroy(&shared->lock);
    (void)pthread_mutex_destroy(&shared->ban_lock);
    mem_wipe(&shared->random_key, sizeof(shared->random_key));
    mem_free(shared);
}

static int reload(void *state, const struct config *config, struct buf *report)
{
    struct sip_shared *shared = state;
    const struct sip_config *cfg = config_values(config);
    char error[TLS_ERROR_SIZE] = "out of memory";
    struct sip_tls old, next;
    int err = sip_tls_make(cfg, &next, error);

    if (err < 0) {
        buf_printf(report, "%s\n", error);
        return err;
    }
    pthread_mutex_lock(&shared->lock);
    old = *shared->tls;
    *shared->tls = next;
    pthread_mutex_unlock(&shared->lock);
    sip_tls_drop(&old);
    handshake_rate_set(shared->rate, cfg->handshake_rate,
                       cfg->source_handshake_rate);
    return 0;
}

static int bind_all(struct sip_shared *shared, const struct sip_config *cfg)
{
    char error[BIND_ERROR_SIZE];

    for (size_t i = 0; i < cfg->listen.n; i++) {
        const struct sip_listen *l = &cfg->listen.items[i];
        const struct bind_options options = {
            .kind = sip_config_transport(&l->address) == SIP_UDP ? BIND_UDP
                                                                 : BIND_TCP,
            .addr = l->address.addr,
            .count = shared->workers,
            .tos = (uint8_t)(cfg->dscp << 2),
        };
        char text[ADDR_TEXT_SIZE];
        int err = bind_group_open(&shared->binds[i], &options, error);

        if (err < 0) {
            log_error("%s", error);
            return err;
        }
        shared->n_locals++;
        sip_config_local(l, bind_group_addr(shared->binds[i]),
                         &shared->locals[i]);
        log_info("listening on=%s:%s zone=%s as=%s", l->address.scheme,
                 addr_str(&shared->locals[i].addr, text),
                 shared->locals[i].zone == SIP_OUTSIDE ? "external"
                                                       : "internal",
                 shared->locals[i].sent_by);
    }
    return 0;
}

static int start(struct daemon *daemon, const struct config *config,
                 void **ret_state)
{
    const struct sip_config *cfg = config_values(config);
    struct sip_shared *shared = mem_zalloc(sizeof(*shared));
    char error[TLS_ERROR_SIZE] = "out of memory";
    uint8_t secret[SIP_TOKEN_KEY];
    int err;

    if (!shared)
        return -ENOMEM;
    (void)pthread_mutex_init(&shared->lock, NULL);
    (void)pthread_mutex_init(&shared->ban_lock, NULL);
    shared->daemon = daemon;
    shared->workers = daemon_workers(daemon);
    crypto_random(&shared->epoch, sizeof(shared->epoch));
    crypto_random(secret, sizeof(secret));
    sip_token_key_init(&shared->random_key, secret);
    mem_wipe(secret, sizeof(secret));
    if (!cfg->token_key.path)
        log_info("no token-key-file: flow tokens are good until restart");
    err = sip_names_new(&shared->names);
    if (err == 0)
        err = conn_limit_new(&shared->limit, cfg->max_connections, 0);
    if (err == 0)
        err = handshake_rate_new(&shared->rate, cfg->handshake_rate,
                                 cfg->source_handshake_rate);
    if (err == 0) {
        shared->tls = mem_zalloc(sizeof(*shared->tls));
        err = shared->tls ? sip_tls_make(cfg, shared->tls, error) : -ENOMEM;
        if (err < 0)
            log_error("%s", error);
    }
    if (err == 0 && shared->workers > UINT8_MAX)
        err = -EINVAL;
    if (err == 0)
        err = bind_all(shared, cfg);
    if (err < 0) {
        stop(shared);
        return err;
    }
    *ret_state = shared;
    return 0;
}

static uint64_t max_files(const void *values)
{
    const struct sip_config *cfg = values;

    return cfg->max_connections + SPARE_FILES;
}

/* --- looking inside --- */

static void write_server(const struct sip_shared *shared,
                         const struct sip_server_conf *s, struct buf *json)
{
    static const char *const path[] = {"on", "off", "auto"};
    char text[ADDR_TEXT_SIZE];

    json_open(json, '{');
    json_key(json, "group");
    json_str(json, s->group);
    json_key(json, "transport");
    json_str(json, sip_transport_param(s->target.transport));
    json_key(json, "address");
    json_str(json, addr_str(&s->target.remote, text));
    if (s->host[0]) {
        json_key(json, "name");
        json_str(json, s->host);
    }
    json_key(json, "priority");
    json_u64(json, s->priority / SIP_PRIORITY_STEPS);
    json_key(json, "rank");
    json_u64(json, s->priority % SIP_PRIORITY_STEPS);
    json_key(json, "weight");
    json_u64(json, s->weight);
    json_key(json, "path");
    json_str(json, path[s->path]);
    json_key(json, "drain");
    json_bool(json, s->drain);
    json_key(json, "up");
    json_bool(json, !is_down(shared, s));
    json_close(json, '}');
}

static void write_servers(const struct sip_shared *shared, struct buf *json)
{
    struct sip_dispatch_conf *conf = servers_now(shared);

    json_key(json, "media_servers");
    json_open(json, '[');
    for (size_t i = 0; conf && i < conf->count; i++)
        write_server(shared, &conf->servers[i], json);
    json_close(json, ']');
    mem_free(conf);
}

static void write_bans(struct sip_shared *shared, struct buf *json)
{
    uint64_t now = worker_now(daemon_main_worker(shared->daemon));

    json_key(json, "banned");
    json_open(json, '[');
    pthread_mutex_lock(&shared->ban_lock);
    for (size_t i = 0; i < SIP_BAN_NOTES; i++) {
        const struct sip_ban_note *ban = &shared->bans[i];
        char text[ADDR_TEXT_SIZE];

        if (ban->until <= now)
            continue;
        json_open(json, '{');
        json_key(json, "source");
        json_str(json, addr_ip_str(&ban->source, text));
        json_key(json, "seconds");
        json_u64(json, (ban->until - now + 999) / 1000);
        json_close(json, '}');
    }
    pthread_mutex_unlock(&shared->ban_lock);
    json_close(json, ']');
}

static void status(void *state, struct buf *json)
{
    struct sip_shared *shared = state;
    struct tls_ctx *list[SIP_TLS_ALL];
    struct sip_tls tls;

    json_key(json, "listeners");
    json_open(json, '[');
    for (size_t i = 0; i < shared->n_locals; i++) {
        char text[ADDR_TEXT_SIZE];

        json_open(json, '{');
        json_key(json, "transport");
        json_str(json, sip_transport_param(shared->locals[i].transport));
        json_key(json, "address");
        json_str(json, addr_str(&shared->locals[i].addr, text));
        json_key(json, "zone");
        json_str(json, shared->locals[i].zone == SIP_OUTSIDE ? "external"
                                                             : "internal");
        json_key(json, "advertise");
        json_str(json, shared->locals[i].sent_by);
        json_close(json, '}');
    }
    json_close(json, ']');
    write_servers(shared, json);
    write_bans(shared, json);
    sip_shared_tls(shared, &tls);
    sip_tls_list(&tls, list);
    certificates_json(list, ARRAY_SIZE(list), json);
    sip_tls_drop(&tls);
}

static void metrics(void *state, struct buf *out)
{
    struct tls_ctx *list[SIP_TLS_ALL];
    struct sip_tls tls;

    sip_shared_tls(state, &tls);
    sip_tls_list(&tls, list);
    certificates_metrics(list, ARRAY_SIZE(list), "sip_proxy", out);
    sip_tls_drop(&tls);
}

static void endpoints(void *state, struct admin *admin)
{
    if (admin_handle(admin, "GET", "/sip/why", sip_why_get, state) < 0)
        log_error("no room for the admin endpoint path=/sip/why");
}

/* Ready while some media server is up. */
static bool ready(void *state, struct buf *reasons)
{
    const struct sip_shared *shared = state;
    struct sip_dispatch_conf *conf = servers_now(shared);
    bool is_up = false;

    for (size_t i = 0; conf && i < conf->count; i++)
        is_up = is_up || !is_down(shared, &conf->servers[i]);
    mem_free(conf);
    if (is_up)
        return true;
    buf_put_str(reasons, "no media server is up\n");
    return false;
}

#define STREAM_DEF(kind, field, name, labels, help)                            \
    {STATS_##kind, "stream_" #field, name, labels, help},
#define LISTENER_DEF(kind, field, name, labels, help)                          \
    {STATS_##kind, "listener_" #field, name, labels, help},

static const struct stats_def stats_defs[] = {
    SIP_STATS(STATS_DEF)             /* */
    SIP_REFUSAL_MAP(SIP_REFUSAL_DEF) /* */
    SIP_SHELL_STATS(STATS_DEF)       /* */
    STREAM_STATS(STREAM_DEF)         /* */
    LISTENER_STATS(LISTENER_DEF)};

_Static_assert(sizeof(struct sip_worker_stats) ==
                   ARRAY_SIZE(stats_defs) * sizeof(uint64_t),
               "the definitions are in the order of the struct");

/* What a drain waits for: requests and calls being set up. */
static const char *const sessions[] = {
    "transactions_invite_client", "transactions_client",
    "transactions_invite_server", "transactions_server", NULL};

const struct daemon_spec sip_daemon_spec = {
    .stats = {stats_defs, ARRAY_SIZE(stats_defs)},
    .sessions = sessions,
    .max_files = max_files,
    .start = start,
    .reload = reload,
    .stop = stop,
    .worker_start = sip_worker_start,
    .worker_reload = sip_worker_reload,
    .worker_drain = sip_worker_drain,
    .worker_stop = sip_worker_stop,
    .worker_free = sip_worker_free,
    .endpoints = endpoints,
    .status = status,
    .metrics = metrics,
    .ready = ready,
};

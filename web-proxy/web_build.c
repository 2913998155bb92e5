/* SPDX-License-Identifier: MIT */
/* From settings to a site. The site owns what it was made of: the settings,
 * the zones and the TLS contexts. */
#include "web_build_routes.h"
#include "web_config.h"
#include "web_pages.h"
#include "web_tokens.h"

#include "base/crypto.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "net/tls_ctx.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum {
    QUEUE_MAX = 64 * 1024,
    HSTS_TEXT = 64,
};

struct built_zone {
    const char *name;
    struct web_zone *zone;
};

struct built_site {
    struct web_site site;
    struct config *config;
    struct built_zone *zones; /* in the order of the settings */
    size_t n_zones;
    struct web_tokens *tokens;
    struct web_pages *pages;
    char hsts[HSTS_TEXT];
    struct web_backend *backends; /* of all upstreams, in their order */
    struct web_backend *targets;  /* of their checks */
};

static void release(struct web_site *site)
{
    struct built_site *built = CONTAINER_OF(site, struct built_site, site);

    for (size_t i = 0; i < built->n_zones; i++)
        web_zone_unref(built->zones[i].zone);
    for (size_t i = 0; site->upstreams && i < site->n_upstreams; i++) {
        tls_ctx_unref(site->upstreams[i].tls);
        web_meter_unref(site->upstreams[i].meter);
    }
    for (size_t i = 0; built->backends && i < site->n_backends; i++)
        web_health_unref(built->backends[i].health);
    mem_free(built->backends);
    mem_free(built->targets);
    mem_free(built->zones);
    web_build_routes_free(site);
    web_pages_free(built->pages);
    web_tokens_free(built->tokens);
    mem_free(site->upstreams);
    mem_free(site->peers);
    config_unref(built->config);
    mem_free(built);
}

/* ---- zones ---- */

static struct web_zone *old_zone(struct web_site *old, const char *name,
                                 const struct web_zone_spec *spec)
{
    struct built_site *built;

    if (!old)
        return NULL;
    built = CONTAINER_OF(old, struct built_site, site);
    for (size_t i = 0; i < built->n_zones; i++) {
        const struct web_zone_spec *is = web_zone_spec_of(built->zones[i].zone);

        if (strcmp(built->zones[i].name, name) == 0 &&
            is->rate_milli == spec->rate_milli && is->clients == spec->clients)
            return web_zone_ref(built->zones[i].zone);
    }
    return NULL;
}

static int build_zones(struct built_site *built, const struct web_config *c,
                       struct web_site *old)
{
    uint8_t seed[16];

    built->zones = mem_zarray(c->zones.n + 1, sizeof(*built->zones));
    if (!built->zones)
        return -ENOMEM;
    for (size_t i = 0; i < c->zones.n; i++) {
        struct web_zone_spec spec = {.clients = c->zones.items[i].clients};
        struct web_zone *zone;

        if (web_zone_parse_rate(span_str(c->zones.items[i].rate),
                                &spec.rate_milli) < 0)
            return ERR_CONFIG;
        zone = old_zone(old, c->zones.items[i].name, &spec);
        crypto_random(seed, sizeof(seed));
        if (!zone && web_zone_new(&zone, &spec, seed) < 0)
            return -ENOMEM;
        built->zones[i].zone = zone;
        built->zones[i].name = c->zones.items[i].name;
        built->n_zones = i + 1;
    }
    return 0;
}

static struct web_zone *zone_of(const void *arg, const char *name)
{
    const struct built_site *built = arg;

    for (size_t i = 0; name && i < built->n_zones; i++) {
        if (strcmp(built->zones[i].name, name) == 0)
            return built->zones[i].zone;
    }
    return NULL;
}

/* ---- upstreams ---- */

static const char system_authorities[] = "/etc/ssl/certs/ca-certificates.crt";

static int build_tls(const struct web_config_upstream *c,
                     struct web_upstream *u, struct buf *error)
{
    static const char *const alpn[] = {"http/1.1", NULL};
    struct tls_ctx_options options = {
        .role = TLS_CLIENT,
        .ca_file = c->ca_file ? c->ca_file : system_authorities,
        .verify = c->verify ? TLS_VERIFY_REQUIRED : TLS_VERIFY_NONE,
        .alpn = web_config_is_stream(c) ? NULL : alpn,
    };
    const struct tls_key_pair pair = {c->certificate, c->key};
    char text[TLS_ERROR_SIZE];
    int err;

    if (c->certificate) {
        options.pairs = &pair;
        options.n_pairs = 1;
    }
    err = tls_ctx_new(&u->tls, &options, text);

    if (err < 0)
        buf_printf(error, "upstream \"%s\": %s\n", c->name,
                   err == ERR_CONFIG ? text : err_str(err));
    return err;
}

/* The same server of the same upstream before the reload. */
static struct web_health *old_health(struct web_site *old,
                                     const struct web_backend *b)
{
    const struct built_site *built;

    if (!old)
        return NULL;
    built = CONTAINER_OF(old, struct built_site, site);
    for (size_t i = 0; i < old->n_backends; i++) {
        const struct web_backend *o = &built->backends[i];

        if (o->port == b->port && strcmp(o->host, b->host) == 0 &&
            strcmp(o->upstream->name, b->upstream->name) == 0)
            return web_health_ref(o->health);
    }
    return NULL;
}

/* The same in every process, so that clients stay where they are. */
static uint64_t hash_of(const struct web_backend *b)
{
    static const uint64_t seed[2] = {0};
    char text[300];
    int len = snprintf(text, sizeof(text), "%s:%u", b->host, b->port);

    return map_hash(seed, span_of(text, (size_t)len));
}

static int build_backend(struct web_backend *b, const struct endpoint *e,
                         const struct web_config_upstream *c,
                         struct web_site *old)
{
    bool is_name = e->addr.family == ADDR_NONE;

    b->host = e->host;
    b->addr = e->addr;
    b->port = e->port;
    b->weight = 1;
    for (size_t i = 0; i < c->drain.n; i++)
        b->drained = b->drained || web_config_drains(c, c->drain.items[i], e);
    b->hash = hash_of(b);
    if (web_config_is_https(c)) {
        b->verify_name = c->server_name ? c->server_name : e->host;
        b->server_name = c->server_name || is_name ? b->verify_name : NULL;
    }
    b->health = old_health(old, b);
    if (!b->health)
        b->health = web_health_new();
    return b->health ? 0 : -ENOMEM;
}

/* Where its checks go. */
static void set_target(struct built_site *built, struct web_backend *b,
                       uint16_t port)
{
    struct web_backend *target = &built->targets[b - built->backends];

    *target = *b;
    target->target = NULL;
    if (port) {
        target->port = port;
        target->addr.port = port;
    }
    b->target = target;
}

static int build_backends(struct built_site *built, struct web_upstream *u,
                          const struct web_config_upstream *c,
                          struct web_site *old)
{
    struct web_site *site = &built->site;

    u->first = (uint32_t)site->n_backends;
    u->backends = &built->backends[u->first];
    u->n_backends = (uint32_t)c->urls.n;
    for (size_t i = 0; i < c->urls.n; i++) {
        struct web_backend *b = &u->backends[i];
        int err;

        b->upstream = u;
        site->n_backends++;
        err = build_backend(b, &c->urls.items[i], c, old);
        if (err < 0)
            return err;
        if (c->weights.n > 0)
            b->weight = c->weights.items[i];
        set_target(built, b, c->check_port);
    }
    return 0;
}

static int build_upstream(struct built_site *built, struct web_upstream *u,
                          const struct web_config_upstream *c,
                          struct web_site *old, struct buf *error)
{
    u->name = c->name;
    u->balance = (enum web_balance)c->balance;
    u->hash_key = (enum web_hash_key)c->hash_key;
    u->hash_name = c->hash_name;
    u->slow_ms = c->slow_start;
    u->queue_max = c->queue;
    u->queue_ms = c->queue_time;
    u->rule.fails_max = c->max_fails;
    u->rule.fail_ms = c->fail_time;
    u->rule.out_ms = c->out_time;
    u->check.path = c->check_path;
    u->check.connect = c->check_connect;
    u->check.interval_ms = c->check_interval;
    u->check.timeout_ms = c->check_timeout;
    u->check.status = c->check_status;
    u->check.fall = c->check_fall;
    u->check.rise = c->check_rise;
    u->host_field = c->host_field;
    u->connect_ms = c->connect_timeout;
    u->idle_ms = c->idle_timeout;
    u->idle_max = c->idle_connections;
    u->links_max = c->connections;
    if (web_config_is_https(c) && build_tls(c, u, error) < 0)
        return ERR_CONFIG;
    return build_backends(built, u, c, old);
}

static struct web_meter *meter_of(const struct web_site *old, const char *name,
                                  unsigned workers)
{
    for (size_t i = 0; old && i < old->n_upstreams; i++) {
        if (strcmp(old->upstreams[i].name, name) == 0)
            return web_meter_ref(old->upstreams[i].meter);
    }
    return web_meter_new(workers);
}

static int build_upstreams(struct built_site *built, const struct web_config *c,
                           struct web_site *old, unsigned workers,
                           struct buf *error)
{
    struct web_site *site = &built->site;
    size_t n = 0;

    for (size_t i = 0; i < c->upstreams.n; i++)
        n += c->upstreams.items[i].urls.n;
    site->upstreams = mem_zarray(c->upstreams.n + 1, sizeof(*site->upstreams));
    built->backends = mem_zarray(n + 1, sizeof(*built->backends));
    built->targets = mem_zarray(n + 1, sizeof(*built->targets));
    if (!site->upstreams || !built->backends || !built->targets)
        return -ENOMEM;
    site->n_upstreams = c->upstreams.n;
    for (size_t i = 0; i < c->upstreams.n; i++) {
        int err = build_upstream(built, &site->upstreams[i],
                                 &c->upstreams.items[i], old, error);

        if (err < 0)
            return err;
        site->upstreams[i].meter =
            meter_of(old, c->upstreams.items[i].name, workers);
        if (!site->upstreams[i].meter)
            return -ENOMEM;
    }
    return 0;
}

static uint32_t upstream_of(const void *arg, const char *name)
{
    const struct web_site *site = &((const struct built_site *)arg)->site;

    for (size_t i = 0; name && i < site->n_upstreams; i++) {
        if (strcmp(site->upstreams[i].name, name) == 0)
            return (uint32_t)i;
    }
    return 0;
}

static const struct web_jwt *jwt_of(const void *arg, const char *name)
{
    return web_tokens_find(((const struct built_site *)arg)->tokens, name);
}

/* ---- clients with certificates ---- */

static int build_peers(struct web_site *site, const struct web_config *c)
{
    site->peers = mem_zarray(c->clients.n + 1, sizeof(*site->peers));
    if (!site->peers)
        return -ENOMEM;
    site->n_peers = c->clients.n;
    for (size_t i = 0; i < c->clients.n; i++) {
        site->peers[i].host = c->clients.items[i].host;
        site->peers[i].field = c->clients.items[i].field;
        site->peers[i].required = c->clients.items[i].mode == 0;
    }
    return 0;
}

/* ---- the whole ---- */

static void set_hsts(struct built_site *built, const struct web_config *c)
{
    int len = snprintf(built->hsts, HSTS_TEXT, "max-age=%" PRIu64 "%s",
                       c->hsts / 1000,
                       c->hsts_subdomains ? "; includeSubDomains" : "");

    if (c->hsts > 0)
        built->site.hsts = span_of(built->hsts, (size_t)len);
}

static int build_routes(struct built_site *built, const struct web_config *c,
                        const struct web_site *old, unsigned workers,
                        struct buf *error)
{
    struct web_build_context context = {built,  c,     zone_of, upstream_of,
                                        jwt_of, error, old,     workers};

    return web_build_routes(&built->site, &context);
}

static void set_limits(struct web_limits *l, const struct web_config *c)
{
    l->head_max = c->head_size;
    l->headers_max = c->head_fields;
    l->answer_head_max = c->answer_head_size;
    l->head_ms = c->head_timeout;
    l->keepalive_ms = c->keepalive_timeout;
    l->body_ms = c->body_timeout;
    l->body_rate = c->body_rate;
    l->write_ms = c->write_timeout;
    l->requests_max = c->requests_per_connection;
    l->sessions_max = c->connections;
    l->delayed_max = c->delayed;
    l->drain_ms = c->common.drain_time;
    l->h2_streams = c->h2_streams;
    l->h2_window = (uint32_t)c->h2_window;
    l->h2_resets = c->h2_resets;
    l->h2_frames = c->h2_frames;
    l->queue_max = QUEUE_MAX;
}

int web_config_site(const struct config *config, struct web_site *old,
                    unsigned workers, struct buf *error,
                    struct web_site **ret_site)
{
    const struct web_config *c = config_values(config);
    struct built_site *built = mem_zalloc(sizeof(*built));
    struct web_site *site;
    int err;

    if (!built)
        return -ENOMEM;
    site = &built->site;
    built->config = config_ref((struct config *)config);
    site->refs = 1;
    site->release = release;
    site->exempt = c->exempt.items;
    site->n_exempt = c->exempt.n;
    site->maintenance = c->maintenance;
    site->maintenance_retry_s = c->maintenance_time / 1000;
    site->testers = c->testers.items;
    site->n_testers = c->testers.n;
    site->https_port = c->external_port;
    site->via = c->via;
    site->access_log = c->access_log;
    site->access_json = c->access_format == 1;
    site->access_sample = c->access_sample;
    site->trace = (enum web_trace_mode)c->trace;
    set_limits(&site->limits, c);
    set_hsts(built, c);
    err = build_peers(site, c);
    if (err == 0)
        err = build_zones(built, c, old);
    if (err == 0)
        err = build_upstreams(built, c, old, workers, error);
    if (err == 0)
        err = web_tokens_new(&built->tokens, c, error);
    if (err == 0) {
        site->own_fields =
            web_tokens_fields(built->tokens, &site->n_own_fields);
        err = build_routes(built, c, old, workers, error);
    }
    if (err == 0)
        err = web_pages_new(&built->pages, c, error);
    if (err == 0)
        site->errors = web_pages_errors(built->pages);
    if (err < 0) {
        web_site_unref(site);
        return err;
    }
    *ret_site = site;
    return 0;
}

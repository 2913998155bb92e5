/* SPDX-License-Identifier: MIT */
/* From settings to a site. The site owns what it was made of: the settings,
 * the zones and the TLS contexts. */
#include "web_config.h"

#include "base/crypto.h"
#include "base/err.h"
#include "base/mem.h"
#include "net/tls_ctx.h"

#include <errno.h>

enum { QUEUE_MAX = 64 * 1024 };

struct built_zone {
    const char *name;
    struct web_zone *zone;
};

struct built_site {
    struct web_site site;
    struct config *config;
    struct built_zone *zones; /* in the order of the settings */
    size_t n_zones;
    struct span *origins;
};

static void release(struct web_site *site)
{
    struct built_site *built = CONTAINER_OF(site, struct built_site, site);

    for (size_t i = 0; i < built->n_zones; i++)
        web_zone_unref(built->zones[i].zone);
    for (size_t i = 0; site->upstreams && i < site->n_upstreams; i++)
        tls_ctx_unref(site->upstreams[i].tls);
    mem_free(built->zones);
    mem_free(built->origins);
    mem_free(site->routes);
    mem_free(site->upstreams);
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

static struct web_zone *find_zone(const struct built_site *built,
                                  const char *name)
{
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
        .alpn = alpn,
    };
    char text[TLS_ERROR_SIZE];
    int err = tls_ctx_new(&u->tls, &options, text);

    if (err < 0)
        buf_printf(error, "upstream \"%s\": %s\n", c->name,
                   err == ERR_CONFIG ? text : err_str(err));
    return err;
}

static int build_upstreams(struct built_site *built, const struct web_config *c,
                           struct buf *error)
{
    struct web_site *site = &built->site;

    site->upstreams = mem_zarray(c->upstreams.n + 1, sizeof(*site->upstreams));
    if (!site->upstreams)
        return -ENOMEM;
    site->n_upstreams = c->upstreams.n;
    for (size_t i = 0; i < c->upstreams.n; i++) {
        const struct web_config_upstream *cu = &c->upstreams.items[i];
        struct web_upstream *u = &site->upstreams[i];
        bool is_name = cu->url.addr.family == ADDR_NONE;

        u->name = cu->name;
        u->host = cu->url.host;
        u->addr = cu->url.addr;
        u->port = cu->url.port;
        u->host_field = cu->host_field;
        u->connect_ms = cu->connect_timeout;
        u->idle_ms = cu->idle_timeout;
        u->idle_max = cu->idle_connections;
        u->links_max = cu->connections;
        if (cu->url.transport != WEB_UPSTREAM_HTTPS)
            continue;
        u->verify_name = cu->server_name ? cu->server_name : cu->url.host;
        u->server_name = cu->server_name || is_name ? u->verify_name : NULL;
        if (build_tls(cu, u, error) < 0)
            return ERR_CONFIG;
    }
    return 0;
}

static uint32_t find_upstream(const struct web_site *site, const char *name)
{
    for (size_t i = 0; name && i < site->n_upstreams; i++) {
        if (strcmp(site->upstreams[i].name, name) == 0)
            return (uint32_t)i;
    }
    return 0;
}

/* ---- routes ---- */

static void build_route(struct built_site *built,
                        const struct web_config_route *c, struct web_route *r)
{
    (void)web_route_set_path(r, c->path); /* checked with the settings */
    r->host = c->host ? span_str(c->host) : span_of("", 0);
    r->kind = c->redirect ? WEB_ROUTE_REDIRECT : WEB_ROUTE_PROXY;
    r->upstream = find_upstream(&built->site, c->upstream);
    r->location = c->redirect ? span_str(c->redirect) : span_of("", 0);
    r->zone = find_zone(built, c->zone);
    r->rule.burst = c->burst;
    r->rule.pace = c->nodelay ? WEB_ZONE_NODELAY : WEB_ZONE_DELAY;
    r->check = (enum web_token_check)c->token;
    r->token = c->token_name;
    r->websocket = (enum web_route_websocket)c->websocket;
    r->body_max = c->body_size;
    r->first_byte_ms = c->first_byte_timeout;
    r->idle_ms = c->idle_timeout;
    r->tunnel_ms = c->websocket_timeout;
}

static int build_routes(struct built_site *built, const struct web_config *c)
{
    struct web_site *site = &built->site;
    struct span *origin;
    size_t n = 0;
    uint32_t a, b;

    for (size_t i = 0; i < c->routes.n; i++)
        n += c->routes.items[i].origins.n;
    site->routes = mem_zarray(c->routes.n + 1, sizeof(*site->routes));
    built->origins = mem_zarray(n + 1, sizeof(*built->origins));
    if (!site->routes || !built->origins)
        return -ENOMEM;
    site->n_routes = c->routes.n;
    origin = built->origins;
    for (size_t i = 0; i < c->routes.n; i++) {
        const struct web_config_route *cr = &c->routes.items[i];
        struct web_route *r = &site->routes[i];

        r->id = (uint32_t)i;
        build_route(built, cr, r);
        r->origins.items = origin;
        r->origins.n = cr->origins.n;
        for (size_t k = 0; k < cr->origins.n; k++)
            *origin++ = span_str(cr->origins.items[k]);
    }
    return web_route_sort(site->routes, site->n_routes, &a, &b) ? 0
                                                                : ERR_CONFIG;
}

/* ---- the whole ---- */

static void set_limits(struct web_limits *l, const struct web_config *c)
{
    l->head_max = c->head_size;
    l->headers_max = c->head_fields;
    l->answer_head_max = c->answer_head_size;
    l->head_ms = c->head_timeout;
    l->keepalive_ms = c->keepalive_timeout;
    l->body_ms = c->body_timeout;
    l->write_ms = c->write_timeout;
    l->requests_max = c->requests_per_connection;
    l->sessions_max = c->connections;
    l->delayed_max = c->delayed;
    l->queue_max = QUEUE_MAX;
}

int web_config_site(const struct config *config, struct web_site *old,
                    struct buf *error, struct web_site **ret_site)
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
    site->hsts_s = c->hsts / 1000;
    site->https_port = c->external_port;
    site->via = c->via;
    site->access_log = c->access_log;
    set_limits(&site->limits, c);
    err = build_zones(built, c, old);
    if (err == 0)
        err = build_upstreams(built, c, error);
    if (err == 0)
        err = build_routes(built, c);
    if (err < 0) {
        web_site_unref(site);
        return err;
    }
    *ret_site = site;
    return 0;
}

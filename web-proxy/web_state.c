/* SPDX-License-Identifier: MIT */
#define LOG_COMPONENT "web"

#include "web_state.h"

#include "app/certificates.h"
#include "app/json.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/bind.h"
#include "net/conn_limit.h"
#include "net/handshake_rate.h"
#include "net/tls_ctx.h"
#include "web_config.h"
#include "web_egresses.h"
#include "web_metrics.h"
#include "web_streams.h"
#include "web_tls.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

enum { TICKET_LIFETIME_S = 3600, NAME_SIZE = 800 };

struct web_state {
    unsigned workers;
    struct config *first; /* the settings it started with: listeners */
    struct web_door *doors;
    size_t n_doors;
    struct conn_limit *limit;
    struct handshake_rate *rate;
    struct tls_tickets *tickets;

    pthread_mutex_t lock; /* of what a reload changes */
    struct web_site *site;
    struct web_tls *tls;
    struct web_streams *streams;
    struct web_egresses *egresses;
};

/* ---- start ---- */

static int open_doors(struct web_state *state, const struct web_config *c,
                      unsigned workers)
{
    char error[BIND_ERROR_SIZE];

    state->doors = mem_zarray(c->listen.n, sizeof(*state->doors));
    if (!state->doors)
        return -ENOMEM;
    for (size_t i = 0; i < c->listen.n; i++) {
        const struct endpoint *e = &c->listen.items[i];
        struct web_door *door = &state->doors[i];
        struct bind_options options = {
            .kind = BIND_TCP, .addr = e->addr, .count = workers};
        int err = bind_group_open(&door->group, &options, error);

        if (err < 0) {
            log_error("%s", error);
            return err;
        }
        state->n_doors = i + 1;
        door->kind = e->transport;
        door->port = e->port;
        door->entry.secure = e->transport == WEB_LISTEN_HTTPS ||
                             e->transport == WEB_LISTEN_SHARED;
        door->entry.redirect = e->transport == WEB_LISTEN_REDIRECT;
    }
    return 0;
}

static int load_site(struct web_state *state, const struct config *config)
{
    struct buf error;
    int err;

    buf_init(&error, 4096);
    err = web_tls_load(&state->tls, config_values(config), state->tickets,
                       &error);
    if (err == 0)
        err =
            web_config_site(config, NULL, state->workers, &error, &state->site);
    if (err == 0)
        err = web_streams_new(&state->streams, config, state->site, NULL);
    if (err == 0)
        err = web_egresses_new(&state->egresses, config, NULL);
    if (err < 0)
        log_error("settings refused: %.*s",
                  SPAN_FMT(buf_len(&error) ? buf_span(&error)
                                           : span_str(err_str(err))));
    buf_deinit(&error);
    return err;
}

int web_state_new(struct web_state **ret_state, const struct config *config,
                  unsigned workers)
{
    const struct web_config *c = config_values(config);
    struct web_state *state = mem_zalloc(sizeof(*state));
    int err;

    if (!state)
        return -ENOMEM;
    pthread_mutex_init(&state->lock, NULL);
    state->workers = workers;
    state->first = config_ref((struct config *)config);
    err = tls_tickets_new(&state->tickets, TICKET_LIFETIME_S);
    if (err == 0)
        err = conn_limit_new(&state->limit, c->connections,
                             c->connections_per_address);
    if (err == 0)
        err = handshake_rate_new(&state->rate, c->handshake_rate,
                                 c->source_handshake_rate);
    if (err == 0)
        err = load_site(state, config);
    if (err == 0)
        err = open_doors(state, c, workers);
    if (err < 0)
        goto fail;
    *ret_state = state;
    return 0;

fail:
    web_state_free(state);
    return err;
}

void web_state_free(struct web_state *state)
{
    if (!state)
        return;
    for (size_t i = 0; i < state->n_doors; i++)
        bind_group_close(state->doors[i].group);
    mem_free(state->doors);
    conn_limit_unref(state->limit);
    handshake_rate_unref(state->rate);
    web_egresses_unref(state->egresses);
    web_streams_unref(state->streams);
    web_tls_unref(state->tls);
    tls_tickets_unref(state->tickets);
    web_site_unref(state->site);
    config_unref(state->first);
    pthread_mutex_destroy(&state->lock);
    mem_free(state);
}

/* ---- reload ---- */

/* What a reload makes anew. */
struct renewed {
    struct web_tls *tls;
    struct web_site *site;
    struct web_streams *streams;
    struct web_egresses *egresses;
};

static void drop(struct renewed *r)
{
    web_egresses_unref(r->egresses);
    web_streams_unref(r->streams);
    web_site_unref(r->site);
    web_tls_unref(r->tls);
}

static int renew(const struct web_state *state, const struct config *config,
                 struct buf *report, struct renewed *r)
{
    int err =
        web_tls_load(&r->tls, config_values(config), state->tickets, report);

    if (err == 0)
        err = web_config_site(config, state->site, state->workers, report,
                              &r->site);
    if (err == 0)
        err = web_streams_new(&r->streams, config, r->site, state->streams);
    if (err == 0)
        err = web_egresses_new(&r->egresses, config, state->egresses);
    return err;
}

int web_state_reload(struct web_state *state, const struct config *config,
                     struct buf *report)
{
    const struct web_config *c = config_values(config);
    struct renewed old, new = {0};
    int err = renew(state, config, report, &new);

    if (err < 0) {
        drop(&new);
        return err;
    }
    conn_limit_set(state->limit, c->connections, c->connections_per_address);
    handshake_rate_set(state->rate, c->handshake_rate,
                       c->source_handshake_rate);
    pthread_mutex_lock(&state->lock);
    old = (struct renewed){state->tls, state->site, state->streams,
                           state->egresses};
    state->tls = new.tls;
    state->site = new.site;
    state->streams = new.streams;
    state->egresses = new.egresses;
    pthread_mutex_unlock(&state->lock);
    drop(&old);
    return 0;
}

struct web_site *web_state_site(struct web_state *state)
{
    struct web_site *site;

    pthread_mutex_lock(&state->lock);
    site = web_site_ref(state->site);
    pthread_mutex_unlock(&state->lock);
    return site;
}

struct web_tls *web_state_tls(struct web_state *state)
{
    struct web_tls *tls;

    pthread_mutex_lock(&state->lock);
    tls = web_tls_ref(state->tls);
    pthread_mutex_unlock(&state->lock);
    return tls;
}

struct web_egresses *web_state_egresses(struct web_state *state)
{
    struct web_egresses *egresses;

    pthread_mutex_lock(&state->lock);
    egresses = web_egresses_ref(state->egresses);
    pthread_mutex_unlock(&state->lock);
    return egresses;
}

struct web_streams *web_state_streams(struct web_state *state)
{
    struct web_streams *streams;

    pthread_mutex_lock(&state->lock);
    streams = web_streams_ref(state->streams);
    pthread_mutex_unlock(&state->lock);
    return streams;
}

const struct web_door *web_state_doors(const struct web_state *state,
                                       size_t *ret_n)
{
    *ret_n = state->n_doors;
    return state->doors;
}

struct conn_limit *web_state_limit(const struct web_state *state)
{
    return state->limit;
}

struct handshake_rate *web_state_rate(const struct web_state *state)
{
    return state->rate;
}

const struct web_config *web_state_config(const struct web_state *state)
{
    return config_values(state->first);
}

/* ---- status ---- */

static void status_listeners(const struct web_state *state, struct buf *json)
{
    static const char *const kinds[] = {
        [WEB_LISTEN_HTTPS] = "https",       [WEB_LISTEN_HTTP] = "http",
        [WEB_LISTEN_REDIRECT] = "redirect", [WEB_LISTEN_SHARED] = "shared",
        [WEB_LISTEN_TCP] = "tcp",           [WEB_LISTEN_TLS] = "tls",
        [WEB_LISTEN_CONNECT] = "connect",
    };
    char text[ADDR_TEXT_SIZE];

    json_key(json, "listeners");
    json_open(json, '[');
    for (size_t i = 0; i < state->n_doors; i++) {
        const struct web_door *door = &state->doors[i];

        json_open(json, '{');
        json_key(json, "kind");
        json_str(json, kinds[door->kind]);
        json_key(json, "address");
        json_str(json, addr_str(bind_group_addr(door->group), text));
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void status_server(const struct web_backend *b, struct buf *json)
{
    struct web_health_counts counts;
    char text[300];

    web_health_read(b->health, &counts);
    (void)snprintf(text, sizeof(text), "%s%s%s:%u",
                   b->addr.family == ADDR_V6 ? "[" : "", b->host,
                   b->addr.family == ADDR_V6 ? "]" : "", b->port);
    json_open(json, '{');
    json_key(json, "server");
    json_str(json, text);
    json_key(json, "state");
    json_str(json, web_backend_state(b));
    json_key(json, "weight");
    json_u64(json, b->weight);
    json_key(json, "failures");
    json_u64(json, counts.failed);
    json_key(json, "ejections");
    json_u64(json, counts.ejected);
    if (web_check_is_on(&b->upstream->check)) {
        json_key(json, "checks");
        json_u64(json, counts.checks);
        json_key(json, "checks_failed");
        json_u64(json, counts.checks_failed);
    }
    json_close(json, '}');
}

static void status_upstreams(const struct web_site *site, struct buf *json)
{
    json_key(json, "upstreams");
    json_open(json, '[');
    for (size_t i = 0; i < site->n_upstreams; i++) {
        const struct web_upstream *u = &site->upstreams[i];

        json_open(json, '{');
        json_key(json, "name");
        json_str(json, u->name);
        json_key(json, "servers");
        json_open(json, '[');
        for (size_t k = 0; k < u->n_backends; k++)
            status_server(&u->backends[k], json);
        json_close(json, ']');
        web_metrics_status(u->meter, json);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void status_routes(const struct web_site *site, struct buf *json)
{
    char name[NAME_SIZE];

    json_key(json, "routes");
    json_open(json, '[');
    for (size_t i = 0; i < site->n_routes; i++) {
        json_open(json, '{');
        json_key(json, "name");
        json_string(
            json, web_metrics_route_name(&site->routes[i], name, sizeof(name)));
        web_metrics_status(site->routes[i].meter, json);
        json_close(json, '}');
    }
    json_close(json, ']');
}

void web_state_metrics(struct web_state *state, struct buf *out)
{
    struct web_site *site = web_state_site(state);
    struct web_streams *streams = web_state_streams(state);
    struct web_tls *tls = web_state_tls(state);
    struct tls_ctx *https = web_tls_https(tls);

    certificates_metrics(&https, 1, "web_proxy", out);
    web_tls_unref(tls);
    web_metrics_write(site, out);
    web_site_unref(site);
    web_streams_metrics(streams, out);
    web_streams_unref(streams);
}

void web_state_status(struct web_state *state, struct buf *json)
{
    struct web_tls *tls = web_state_tls(state);
    struct web_site *site = web_state_site(state);
    struct web_streams *streams = web_state_streams(state);
    struct tls_ctx *https;

    status_listeners(state, json);
    https = web_tls_https(tls);
    certificates_json(&https, 1, json);
    web_tls_unref(tls);
    web_streams_status(streams, json);
    web_streams_unref(streams);
    status_upstreams(site, json);
    status_routes(site, json);
    web_site_unref(site);
    json_key(json, "connections");
    json_u64(json, conn_limit_open(state->limit));
}

/* SPDX-License-Identifier: MIT */
#include "web_streams.h"

#include "app/json.h"
#include "app/metrics.h"
#include "base/mem.h"
#include "net/conn_limit.h"
#include "web_config.h"

#include <errno.h>
#include <stdio.h>

static const struct web_stream_route *find_old(const struct web_streams *old,
                                               const char *name)
{
    for (size_t i = 0; old && i < old->n; i++) {
        if (strcmp(old->routes[i].name, name) == 0)
            return &old->routes[i];
    }
    return NULL;
}

static const struct web_upstream *find_upstream(const struct web_site *site,
                                                const char *name)
{
    for (size_t i = 0; i < site->n_upstreams; i++) {
        if (strcmp(site->upstreams[i].name, name) == 0)
            return &site->upstreams[i];
    }
    return NULL; /* the settings were checked for this */
}

static int build(struct web_streams *streams, size_t i,
                 const struct web_config_stream *c,
                 const struct web_streams *old)
{
    const struct web_stream_route *was = find_old(old, c->name);
    struct web_stream_route *r = &streams->routes[i];

    streams->chosen[i] = (struct web_stream){
        .name = c->name,
        .port = c->port,
        .names = c->server_names.items,
        .n_names = c->server_names.n,
        .protocols = c->alpn.items,
        .n_protocols = c->alpn.n,
        .nameless = c->nameless,
        .plain = c->plain > 0 ? (enum first_kind)(c->plain + 1) : FIRST_OTHER,
    };
    r->name = c->name;
    r->upstream = find_upstream(streams->site, c->upstream);
    r->idle_ms = c->idle_timeout;
    r->send_proxy = c->send_proxy;
    r->log = streams->site->access_log;
    if (was) {
        r->counts = web_stream_counts_ref(was->counts);
        r->limit = conn_limit_ref(was->limit);
        conn_limit_set(r->limit, c->connections, c->connections_per_address);
        return 0;
    }
    r->counts = web_stream_counts_new();
    if (!r->counts)
        return -ENOMEM;
    return conn_limit_new(&r->limit, c->connections,
                          c->connections_per_address);
}

int web_streams_new(struct web_streams **ret_streams,
                    const struct config *config, struct web_site *site,
                    const struct web_streams *old)
{
    const struct web_config *c = config_values(config);
    struct web_streams *streams = mem_zalloc(sizeof(*streams));
    int err = 0;

    if (!streams)
        return -ENOMEM;
    streams->refs = 1;
    streams->site = web_site_ref(site);
    streams->chosen = mem_zarray(c->streams.n + 1, sizeof(*streams->chosen));
    streams->routes = mem_zarray(c->streams.n + 1, sizeof(*streams->routes));
    if (!streams->chosen || !streams->routes)
        err = -ENOMEM;
    for (size_t i = 0; i < c->streams.n && err == 0; i++) {
        streams->n = i + 1;
        err = build(streams, i, &c->streams.items[i], old);
    }
    if (err < 0) {
        web_streams_unref(streams);
        return err;
    }
    *ret_streams = streams;
    return 0;
}

struct web_streams *web_streams_ref(struct web_streams *streams)
{
    __atomic_add_fetch(&streams->refs, 1, __ATOMIC_RELAXED);
    return streams;
}

void web_streams_unref(struct web_streams *streams)
{
    if (!streams || __atomic_sub_fetch(&streams->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (size_t i = 0; streams->routes && i < streams->n; i++) {
        web_stream_counts_unref(streams->routes[i].counts);
        conn_limit_unref(streams->routes[i].limit);
    }
    mem_free(streams->chosen);
    mem_free(streams->routes);
    web_site_unref(streams->site); /* and with it the strings */
    mem_free(streams);
}

/* ---- what is seen of them ---- */

static void write_family(const struct web_streams *streams, const char *name,
                         const char *type, const char *help, const char *label,
                         struct buf *out)
{
    /* One row for each value of `label`, or one. */
    static const struct {
        const char *family;
        const char *value;
        size_t offset;
    } rows[] = {
        {"taken", NULL, offsetof(struct web_stream_counts, taken)},
        {"open", NULL, offsetof(struct web_stream_counts, open)},
        {"ended", "limit", offsetof(struct web_stream_counts, refused)},
        {"ended", "server", offsetof(struct web_stream_counts, no_server)},
        {"ended", "idle", offsetof(struct web_stream_counts, idle)},
        {"ended", "error", offsetof(struct web_stream_counts, failed)},
        {"bytes", "in", offsetof(struct web_stream_counts, bytes_in)},
        {"bytes", "out", offsetof(struct web_stream_counts, bytes_out)},
    };
    char full[64];

    (void)snprintf(full, sizeof(full), "web_proxy_stream_%s%s", name,
                   strcmp(type, "counter") == 0 ? "_total" : "");
    metrics_family(out, full, type, help);
    for (size_t i = 0; i < streams->n; i++) {
        const uint8_t *counts =
            (const uint8_t *)(const void *)streams->routes[i].counts;

        for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
            char labels[METRICS_LABELS_SIZE] = "";
            uint64_t value;

            if (strcmp(rows[k].family, name) != 0)
                continue;
            metrics_label(labels, "stream", span_str(streams->routes[i].name));
            if (label && rows[k].value)
                metrics_label(labels, label, span_str(rows[k].value));
            value = __atomic_load_n(
                (const uint64_t *)(const void *)(counts + rows[k].offset),
                __ATOMIC_RELAXED);
            metrics_value(out, full, labels, value);
        }
    }
}

void web_streams_metrics(const struct web_streams *streams, struct buf *out)
{
    if (streams->n == 0)
        return;
    write_family(streams, "taken", "counter", "connections for the route", NULL,
                 out);
    write_family(streams, "open", "gauge", "connections of the route now", NULL,
                 out);
    write_family(streams, "ended", "counter",
                 "connections that did not end in order", "reason", out);
    write_family(streams, "bytes", "counter", "bytes of its connections",
                 "direction", out);
}

void web_streams_status(const struct web_streams *streams, struct buf *json)
{
    json_key(json, "streams");
    json_open(json, '[');
    for (size_t i = 0; i < streams->n; i++) {
        const struct web_stream_counts *counts = streams->routes[i].counts;

        json_open(json, '{');
        json_key(json, "name");
        json_str(json, streams->routes[i].name);
#define PUT(field)                                                             \
    json_key(json, #field);                                                    \
    json_u64(json, __atomic_load_n(&counts->field, __ATOMIC_RELAXED));
        WEB_STREAM_COUNTS(PUT)
#undef PUT
        json_close(json, '}');
    }
    json_close(json, ']');
}

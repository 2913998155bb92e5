/* SPDX-License-Identifier: MIT */
#include "web_metrics.h"

#include "app/json.h"
#include "app/metrics.h"

#include <stdio.h>

enum { NAME_SIZE = 800 };

/* Where the sums come from, for all families alike. */
struct row {
    char labels[METRICS_LABELS_SIZE];
    const struct web_meter *meter;
};

struct family {
    const char *label; /* "route" or "upstream" */
    size_t n;
    void (*row)(const struct web_site *site, size_t i, struct row *ret_row);
};

struct span web_metrics_route_name(const struct web_route *route, char *out,
                                   size_t size)
{
    int len = snprintf(out, size, "%.*s%.*s%s", SPAN_FMT(route->host),
                       SPAN_FMT(route->prefix), route->wildcard ? "*" : "");

    if (len < 0)
        return span_of(out, 0);
    return span_of(out, (size_t)len < size ? (size_t)len : size - 1);
}

static void route_row(const struct web_site *site, size_t i, struct row *row)
{
    char name[NAME_SIZE];

    row->labels[0] = '\0';
    metrics_label(row->labels, "route",
                  web_metrics_route_name(&site->routes[i], name, sizeof(name)));
    row->meter = site->routes[i].meter;
}

static void upstream_row(const struct web_site *site, size_t i, struct row *row)
{
    row->labels[0] = '\0';
    metrics_label(row->labels, "upstream", span_str(site->upstreams[i].name));
    row->meter = site->upstreams[i].meter;
}

static void write_answers(const struct web_site *site, const struct family *f,
                          struct buf *out)
{
    static const char *const classes[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
    char name[64];

    (void)snprintf(name, sizeof(name), "web_proxy_%s_answers_total", f->label);
    metrics_family(out, name, "counter", "answers, by class of status");
    for (size_t i = 0; i < f->n; i++) {
        struct web_meter_block sum;
        struct row row;

        f->row(site, i, &row);
        if (!row.meter)
            continue;
        web_meter_read(row.meter, &sum);
        for (size_t k = 0; k < WEB_METER_CLASSES; k++) {
            struct row labels = row;

            metrics_label(labels.labels, "class", span_str(classes[k]));
            metrics_value(out, name, labels.labels, sum.answers[k]);
        }
    }
}

static void write_bytes(const struct web_site *site, const struct family *f,
                        struct buf *out)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "web_proxy_%s_bytes_total", f->label);
    metrics_family(out, name, "counter", "bytes of content");
    for (size_t i = 0; i < f->n; i++) {
        struct web_meter_block sum;
        struct row row, in, to;

        f->row(site, i, &row);
        if (!row.meter)
            continue;
        web_meter_read(row.meter, &sum);
        in = to = row;
        metrics_label(in.labels, "direction", span_str("in"));
        metrics_label(to.labels, "direction", span_str("out"));
        metrics_value(out, name, in.labels, sum.bytes_in);
        metrics_value(out, name, to.labels, sum.bytes_out);
    }
}

static void write_times(const struct web_site *site, const struct family *f,
                        const char *what, const char *help, size_t offset,
                        struct buf *out)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "web_proxy_%s_%s_seconds", f->label,
                   what);
    metrics_family(out, name, "histogram", help);
    for (size_t i = 0; i < f->n; i++) {
        struct web_meter_block sum;
        struct row row;

        f->row(site, i, &row);
        if (!row.meter)
            continue;
        web_meter_read(row.meter, &sum);
        metrics_histogram(
            out, name, row.labels,
            (const struct histogram *)(const void *)((const uint8_t *)&sum +
                                                     offset));
    }
}

static void write_family(const struct web_site *site, const struct family *f,
                         struct buf *out)
{
    write_answers(site, f, out);
    write_bytes(site, f, out);
    write_times(site, f, "first_byte", "from a request to its answer's head",
                offsetof(struct web_meter_block, first), out);
    write_times(site, f, "request", "from a request to its answer's end",
                offsetof(struct web_meter_block, whole), out);
}

static void write_servers(const struct web_site *site, struct buf *out)
{
    const char *name = "web_proxy_server_up";

    metrics_family(out, name, "gauge", "1: the server gets requests");
    for (size_t i = 0; i < site->n_upstreams; i++) {
        const struct web_upstream *u = &site->upstreams[i];

        for (uint32_t k = 0; k < u->n_backends; k++) {
            const struct web_backend *b = &u->backends[k];
            char labels[METRICS_LABELS_SIZE] = "", server[300];
            bool v6 = b->addr.family == ADDR_V6;

            (void)snprintf(server, sizeof(server), v6 ? "[%s]:%u" : "%s:%u",
                           b->host, b->port);
            metrics_label(labels, "upstream", span_str(u->name));
            metrics_label(labels, "server", span_str(server));
            metrics_value(out, name, labels, web_backend_flags(b) == 0);
        }
    }
}

void web_metrics_write(const struct web_site *site, struct buf *out)
{
    const struct family routes = {"route", site->n_routes, route_row};
    const struct family upstreams = {"upstream", site->n_upstreams,
                                     upstream_row};

    write_family(site, &routes, out);
    write_family(site, &upstreams, out);
    write_servers(site, out);
}

void web_metrics_status(const struct web_meter *meter, struct buf *json)
{
    static const char *const names[] = {"switched", "good", "redirected",
                                        "refused", "failed"};
    struct web_meter_block sum;

    if (!meter)
        return;
    web_meter_read(meter, &sum);
    json_key(json, "answers");
    json_open(json, '{');
    for (size_t i = 0; i < WEB_METER_CLASSES; i++) {
        json_key(json, names[i]);
        json_u64(json, sum.answers[i]);
    }
    json_close(json, '}');
    json_key(json, "bytes_in");
    json_u64(json, sum.bytes_in);
    json_key(json, "bytes_out");
    json_u64(json, sum.bytes_out);
}

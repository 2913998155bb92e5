/* SPDX-License-Identifier: MIT */
#include "web_tls.h"

#include "base/err.h"
#include "base/mem.h"
#include "net/tls_ctx.h"

#include <errno.h>

/* Of a listener tls:, which agrees to the protocols of its stream. */
struct port_tls {
    uint16_t port;
    struct tls_ctx *ctx;
};

struct web_tls {
    unsigned refs; /* atomic */
    struct tls_ctx *https;
    struct web_peer_rule *rules; /* hosts whose clients show certificates, */
    struct tls_ctx **hosts;      /* and the context of each */
    size_t n_hosts;
    struct port_tls *ports;
    size_t n_ports;
};

/* What all have in common. */
struct loading {
    const struct web_config *config;
    struct tls_ctx_options options;
    struct tls_key_pair *pairs;
    struct buf *error;
};

static int load(struct loading *l, const char *const *alpn,
                const struct web_config_client *client,
                struct tls_ctx **ret_ctx)
{
    struct tls_ctx_options options = l->options;
    char text[TLS_ERROR_SIZE] = "";
    int err;

    options.alpn = alpn;
    if (client) {
        options.ca_file = client->ca_file;
        options.crl_file = client->crl_file;
        options.verify =
            client->mode == 0 ? TLS_VERIFY_REQUIRED : TLS_VERIFY_OPTIONAL;
        options.label = client->host;
    }
    err = tls_ctx_new(ret_ctx, &options, text);
    if (err < 0)
        buf_printf(l->error, "%s\n", text[0] ? text : err_str(err));
    return err;
}

static int begin(struct loading *l, struct tls_tickets *tickets)
{
    const struct web_config *c = l->config;

    l->pairs = mem_zarray(c->certificates.n + 1, sizeof(*l->pairs));
    if (!l->pairs)
        return -ENOMEM;
    for (size_t i = 0; i < c->certificates.n; i++) {
        l->pairs[i].certificate_file = c->certificates.items[i];
        l->pairs[i].key_file = c->keys.items[i];
    }
    l->options = (struct tls_ctx_options){
        .role = TLS_SERVER,
        .pairs = l->pairs,
        .n_pairs = c->certificates.n,
        .strict_sni = c->strict_sni,
        .min_version = c->tls_min == 1 ? TLS_VERSION_13 : TLS_VERSION_12,
        .tickets = tickets,
    };
    return 0;
}

/* ---- hosts whose clients show certificates ---- */

/* The names are the contexts' own labels: they live as long. */
static int load_hosts(struct loading *l, struct web_tls *tls,
                      const char *const *alpn)
{
    size_t n = l->config->clients.n;
    int err = 0;

    tls->rules = mem_zarray(n + 1, sizeof(*tls->rules));
    tls->hosts = mem_zarray(n + 1, sizeof(struct tls_ctx *));
    if (!tls->rules || !tls->hosts)
        return -ENOMEM;
    for (size_t i = 0; i < n && err == 0; i++) {
        err = load(l, alpn, &l->config->clients.items[i], &tls->hosts[i]);
        if (err < 0)
            break;
        tls->rules[i].host = tls_ctx_label(tls->hosts[i]);
        tls->n_hosts = i + 1;
    }
    return err;
}

struct tls_ctx *web_tls_for(const struct web_tls *tls, struct span name)
{
    const struct web_peer_rule *rule;
    struct web_host host;

    /* In lower case, as HTTP's host will be. */
    if (tls->n_hosts == 0 || web_host_parse(name, &host) < 0)
        return tls->https;
    rule = web_peer_find(tls->rules, tls->n_hosts, web_host_name(&host));
    return rule ? tls->hosts[rule - tls->rules] : tls->https;
}

/* ---- listeners tls: ---- */

static const struct web_config_stream *stream_at(const struct web_config *c,
                                                 uint16_t port)
{
    for (size_t i = 0; i < c->streams.n; i++) {
        if (c->streams.items[i].port == port)
            return &c->streams.items[i];
    }
    return NULL;
}

/* The list as tls_ctx_new() wants it. NULL without memory. */
static const char **protocols_of(const struct web_config_stream *s)
{
    size_t n = s ? s->alpn.n : 0;
    const char **names = mem_zarray(n + 1, sizeof(*names));

    for (size_t i = 0; names && i < n; i++)
        names[i] = s->alpn.items[i];
    return names;
}

static int load_port(struct loading *l, struct web_tls *tls, uint16_t port)
{
    struct port_tls *p = &tls->ports[tls->n_ports];
    const char **alpn = protocols_of(stream_at(l->config, port));
    int err;

    if (!alpn)
        return -ENOMEM;
    err = load(l, alpn, NULL, &p->ctx);
    mem_free(alpn);
    if (err < 0)
        return err;
    p->port = port;
    tls->n_ports++;
    return 0;
}

static int load_ports(struct loading *l, struct web_tls *tls)
{
    const struct endpoint_list *listen = &l->config->listen;
    int err = 0;

    tls->ports = mem_zarray(listen->n + 1, sizeof(*tls->ports));
    if (!tls->ports)
        return -ENOMEM;
    for (size_t i = 0; i < listen->n && err == 0; i++) {
        if (listen->items[i].transport == WEB_LISTEN_TLS)
            err = load_port(l, tls, listen->items[i].port);
    }
    return err;
}

/* ---- the whole ---- */

int web_tls_load(struct web_tls **ret_tls, const struct web_config *config,
                 struct tls_tickets *tickets, struct buf *error)
{
    static const char *const alpn[] = {"h2", "http/1.1", NULL};
    const char *const *offered = config->http2 ? alpn : alpn + 1;
    struct loading l = {.config = config, .error = error};
    struct web_tls *tls = mem_zalloc(sizeof(*tls));
    int err = 0;

    if (!tls)
        return -ENOMEM;
    tls->refs = 1;
    if (config->certificates.n > 0) {
        err = begin(&l, tickets);
        if (err == 0)
            err = load(&l, offered, NULL, &tls->https);
        if (err == 0)
            err = load_hosts(&l, tls, offered);
        if (err == 0)
            err = load_ports(&l, tls);
        mem_free(l.pairs);
    }
    if (err < 0) {
        web_tls_unref(tls);
        return err;
    }
    *ret_tls = tls;
    return 0;
}

struct web_tls *web_tls_ref(struct web_tls *tls)
{
    __atomic_add_fetch(&tls->refs, 1, __ATOMIC_RELAXED);
    return tls;
}

void web_tls_unref(struct web_tls *tls)
{
    if (!tls || __atomic_sub_fetch(&tls->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    tls_ctx_unref(tls->https);
    for (size_t i = 0; i < tls->n_ports; i++)
        tls_ctx_unref(tls->ports[i].ctx);
    for (size_t i = 0; i < tls->n_hosts; i++)
        tls_ctx_unref(tls->hosts[i]);
    mem_free(tls->hosts);
    mem_free(tls->rules);
    mem_free(tls->ports);
    mem_free(tls);
}

struct tls_ctx *web_tls_https(const struct web_tls *tls)
{
    return tls->https;
}

struct tls_ctx *web_tls_port(const struct web_tls *tls, uint16_t port)
{
    for (size_t i = 0; i < tls->n_ports; i++) {
        if (tls->ports[i].port == port)
            return tls->ports[i].ctx;
    }
    return NULL;
}

bool web_tls_knows(const struct web_tls *tls, struct span name)
{
    return tls->https && tls_ctx_knows(tls->https, name);
}

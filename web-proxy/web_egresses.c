/* SPDX-License-Identifier: MIT */
#include "web_egresses.h"

#include "base/mem.h"
#include "net/conn_limit.h"
#include "web_config.h"

#include <errno.h>

static void build_rules(struct web_egresses *e, const struct web_config *c)
{
    e->n = c->egress.n;
    for (size_t i = 0; i < e->n; i++) {
        /* was checked with the settings */
        (void)web_egress_parse(span_str(c->egress.items[i].to), &e->rules[i]);
        e->rules[i].nets = c->egress.items[i].nets.items;
        e->rules[i].n_nets = c->egress.items[i].nets.n;
    }
}

static int build_limit(struct web_egresses *e,
                       const struct web_config_egress_limits *l,
                       const struct web_egresses *old)
{
    if (!old)
        return conn_limit_new(&e->limit, l->connections,
                              l->connections_per_address);
    e->limit = conn_limit_ref(old->limit);
    conn_limit_set(e->limit, l->connections, l->connections_per_address);
    return 0;
}

int web_egresses_new(struct web_egresses **ret_egresses,
                     const struct config *config,
                     const struct web_egresses *old)
{
    const struct web_config *c = config_values(config);
    const struct web_config_egress_limits *l = &c->egress_limits;
    struct web_egresses *e = mem_zalloc(sizeof(*e));
    int err;

    if (!e)
        return -ENOMEM;
    e->refs = 1;
    e->config = config_ref(config);
    e->from = l->from.items;
    e->n_from = l->from.n;
    e->head_ms = c->head_timeout;
    e->connect_ms = l->connect_timeout;
    e->idle_ms = l->idle_timeout;
    e->bytes_max = l->bytes;
    e->rules = mem_zarray(c->egress.n + 1, sizeof(*e->rules));
    err = e->rules ? build_limit(e, l, old) : -ENOMEM;
    if (err < 0) {
        web_egresses_unref(e);
        return err;
    }
    build_rules(e, c);
    *ret_egresses = e;
    return 0;
}

struct web_egresses *web_egresses_ref(struct web_egresses *egresses)
{
    __atomic_add_fetch(&egresses->refs, 1, __ATOMIC_RELAXED);
    return egresses;
}

void web_egresses_unref(struct web_egresses *egresses)
{
    if (!egresses ||
        __atomic_sub_fetch(&egresses->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    conn_limit_unref(egresses->limit);
    mem_free(egresses->rules);
    config_unref(egresses->config);
    mem_free(egresses);
}

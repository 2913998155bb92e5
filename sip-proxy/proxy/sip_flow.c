/* SPDX-License-Identifier: MIT */
#include "proxy/sip_flow.h"

#include "base/crypto.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"

#include <errno.h>

struct sip_flows {
    struct pool *pool;
    struct map datagrams; /* addr_key(remote) -> flow, connectionless only */
    uint32_t epoch;
};

int sip_flows_new(struct sip_flows **ret_flows, uint32_t max, uint32_t epoch)
{
    struct sip_flows *flows;
    uint8_t seed[16];
    int err;

    if (max == 0 || max > SIP_FLOW_MAX)
        return -EINVAL;
    flows = mem_zalloc(sizeof(*flows));
    if (!flows)
        return -ENOMEM;
    crypto_random(seed, sizeof(seed));
    map_init(&flows->datagrams, max, seed);
    flows->epoch = epoch;
    err = pool_new(&flows->pool, sizeof(struct sip_flow), max);
    if (err < 0) {
        mem_free(flows);
        return err;
    }
    *ret_flows = flows;
    return 0;
}

static void drop_contacts(struct sip_flow *flow)
{
    for (size_t i = 0; i < SIP_FLOW_CONTACTS; i++) {
        mem_free(flow->contacts[i]);
        flow->contacts[i] = NULL;
    }
    mem_free(flow->names);
    flow->names = NULL;
}

void sip_flows_free(struct sip_flows *flows)
{
    struct sip_flow *flow;
    uint32_t pos = 0;

    if (!flows)
        return;
    while ((flow = sip_flows_each(flows, &pos)))
        drop_contacts(flow);
    map_deinit(&flows->datagrams);
    pool_free(flows->pool);
    mem_free(flows);
}

struct sip_flow *sip_flows_open(struct sip_flows *flows,
                                const struct sip_target *target, void *conn,
                                uint64_t now)
{
    struct pool_id id;
    struct sip_flow *flow = pool_take(flows->pool, &id);

    if (!flow)
        return NULL;
    flow->target = *target;
    flow->target.flow = pool_id_u64(id);
    list_init(&flow->forks);
    flow->conn = conn;
    flow->since = now;
    flow->last_seen = now;
    if (!conn &&
        map_put(&flows->datagrams, addr_key(&flow->target.remote), flow) < 0) {
        pool_give(flows->pool, flow);
        return NULL;
    }
    return flow;
}

void sip_flows_close(struct sip_flows *flows, struct sip_flow *flow)
{
    if (!flow->conn)
        (void)map_remove(&flows->datagrams, addr_key(&flow->target.remote));
    drop_contacts(flow);
    pool_give(flows->pool, flow);
}

struct sip_flow *sip_flows_find(const struct sip_flows *flows, uint64_t id)
{
    return pool_find(flows->pool, pool_id_from_u64(id));
}

struct sip_flow *sip_flows_find_token(const struct sip_flows *flows,
                                      const struct sip_token *token)
{
    struct pool_id id = token->flow;

    id.generation ^= flows->epoch;
    return pool_find(flows->pool, id);
}

struct pool_id sip_flow_token_id(const struct sip_flows *flows,
                                 const struct sip_flow *flow)
{
    struct pool_id id = pool_id_from_u64(flow->target.flow);

    id.generation ^= flows->epoch;
    return id;
}

struct sip_flow *sip_flows_find_remote(const struct sip_flows *flows,
                                       const struct sip_target *target)
{
    struct sip_flow *flow =
        map_find(&flows->datagrams, addr_key(&target->remote));

    return flow && flow->target.listener == target->listener ? flow : NULL;
}

int sip_flow_keep_contact(struct sip_flow *flow, struct span uri)
{
    char *copy;

    if (uri.len > SIP_FLOW_CONTACT_MAX)
        return ERR_LIMIT;
    for (int i = 0; i < SIP_FLOW_CONTACTS; i++) {
        if (flow->contacts[i] && span_is(uri, flow->contacts[i]))
            return i;
    }
    copy = mem_dup(uri.ptr, uri.len);
    if (!copy)
        return -ENOMEM;
    mem_free(flow->contacts[SIP_FLOW_CONTACTS - 1]);
    for (size_t i = SIP_FLOW_CONTACTS - 1; i > 0; i--)
        flow->contacts[i] = flow->contacts[i - 1];
    flow->contacts[0] = copy;
    return 0;
}

/* The user part as bytes: between the scheme's colon and the at-sign. */
static struct span user_of(struct span uri)
{
    struct span scheme, rest, user, host;

    if (!span_cut(uri, ':', &scheme, &rest) ||
        !span_cut(rest, '@', &user, &host))
        return (struct span){NULL, 0};
    return user;
}

struct span sip_flow_contact(const struct sip_flow *flow, struct span user)
{
    for (size_t i = 0; i < SIP_FLOW_CONTACTS; i++) {
        struct span uri;

        if (!flow->contacts[i])
            continue;
        uri = span_str(flow->contacts[i]);
        if (span_equal(user_of(uri), user))
            return uri;
    }
    return (struct span){NULL, 0};
}

int sip_flow_set_names(struct sip_flow *flow, const char *names)
{
    char *copy = mem_strdup(names);

    if (!copy)
        return -ENOMEM;
    mem_free(flow->names);
    flow->names = copy;
    return 0;
}

uint32_t sip_flows_count(const struct sip_flows *flows)
{
    return pool_count(flows->pool);
}

uint32_t sip_flows_max(const struct sip_flows *flows)
{
    return pool_max(flows->pool);
}

uint32_t sip_flows_datagrams(const struct sip_flows *flows)
{
    return (uint32_t)map_count(&flows->datagrams);
}

struct sip_flow *sip_flows_each(const struct sip_flows *flows, uint32_t *pos)
{
    return pool_each(flows->pool, pos);
}

uint32_t sip_name_tag(struct span name)
{
    uint32_t tag = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];

        if (c >= 'A' && c <= 'Z')
            c = (uint8_t)(c + 32);
        tag = (tag ^ c) * 16777619u;
    }
    return tag;
}

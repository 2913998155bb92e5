/* SPDX-License-Identifier: MIT */
#include "turn/turn_internal.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>

#define LOG_COMPONENT "turn"
#include "base/log.h"

enum {
    PORT_TRIES_MAX = 32, /* ports another process may hold before we give up */
    USER_TEXT_SIZE = 80,
};

uint64_t *turn_alloc_gauge(struct turn_core *core, uint8_t transport)
{
    switch (transport) {
    case TURN_TCP:
        return &core->stats->allocations_tcp;
    case TURN_TLS:
        return &core->stats->allocations_tls;
    case TURN_DTLS:
        return &core->stats->allocations_dtls;
    default:
        return &core->stats->allocations_udp;
    }
}

struct turn_alloc *turn_alloc_find(struct turn_core *core,
                                   const struct turn_client *client,
                                   uint64_t now)
{
    struct turn_alloc *alloc =
        map_find(&core->by_client, span_of(client, sizeof(*client)));

    return alloc && alloc->expires > now ? alloc : NULL;
}

static uint64_t *quota_counter(struct turn_stats *stats,
                               enum turn_quota_verdict verdict)
{
    switch (verdict) {
    case TURN_QUOTA_REALM:
        return &stats->quota_realm;
    case TURN_QUOTA_USER:
        return &stats->quota_user;
    case TURN_QUOTA_SOURCE:
        return &stats->quota_source;
    default:
        return &stats->quota_total;
    }
}

enum stun_code turn_quota_of(struct turn_core *core,
                             const struct turn_request *rq,
                             struct turn_quota_hold *hold)
{
    const struct turn_realm_limits *limits = &rq->realm->limits;
    struct turn_quota_limits quota = {
        core->rules->limits.max_allocations, limits->max_allocations,
        limits->max_per_user, limits->max_per_source};
    struct turn_quota_who who = {rq->realm->id, rq->who.quota_name,
                                 &rq->client->remote};
    enum turn_quota_verdict verdict;

    if (turn_realm_user_quota(rq->realm, who.user, &quota.per_user))
        quota.per_source = 0;
    verdict = turn_quota_take(core->shared->quota, &who, &quota, hold);
    if (verdict == TURN_QUOTA_OK)
        return STUN_OK;
    if (verdict == TURN_QUOTA_NO_MEMORY)
        return STUN_INSUFFICIENT_CAPACITY;
    stats_inc(quota_counter(core->stats, verdict));
    stats_inc(&turn_realm_figures(core, rq->realm)->quota_reached);
    return verdict == TURN_QUOTA_TOTAL ? STUN_INSUFFICIENT_CAPACITY
                                       : STUN_QUOTA_REACHED;
}

void turn_alloc_set_bandwidth(struct turn_alloc *alloc, uint64_t now)
{
    uint64_t bandwidth = alloc->realm->limits.max_bandwidth;

    if (alloc->bandwidth[0].per_second_milli == bandwidth * 1000)
        return;
    for (size_t i = 0; i < TURN_DIRECTIONS; i++)
        ratelim_init(&alloc->bandwidth[i], bandwidth * 1000,
                     bandwidth > 65536 ? bandwidth : 65536, now);
}

static void fill(struct turn_alloc *alloc, const struct turn_request *rq)
{
    alloc->realm = rq->realm;
    alloc->client = *rq->client;
    alloc->expires = UINT64_MAX;
    alloc->name_hash = rq->who.name_hash;
    alloc->credential_expiry = rq->who.expiry;
    alloc->key = rq->who.key;
    alloc->algorithm = (uint8_t)rq->who.algorithm;
    alloc->is_token = rq->who.is_token;
    memcpy(alloc->tid, stun_msg_tid(&rq->msg), STUN_TID_SIZE);
    timer_init(&alloc->timer, TURN_TIMER_ALLOC);
    list_init(&alloc->tcp_conns);
    turn_perms_init(&alloc->perms);
    turn_chans_init(&alloc->chans);
    turn_alloc_set_bandwidth(alloc, rq->now);
}

enum stun_code turn_alloc_new(struct turn_core *core,
                              const struct turn_request *rq,
                              struct turn_alloc **ret_alloc)
{
    struct turn_quota_hold hold;
    struct turn_alloc *alloc;
    struct pool_id id;
    enum stun_code code = turn_quota_of(core, rq, &hold);

    if (code != STUN_OK)
        return code;
    alloc = pool_take(core->allocs, &id);
    if (!alloc) {
        turn_quota_give(core->shared->quota, &hold);
        return STUN_INSUFFICIENT_CAPACITY;
    }
    alloc->id = id;
    alloc->hold = hold;
    fill(alloc, rq);
    if (map_put(&core->by_client,
                span_of(&alloc->client, sizeof(alloc->client)), alloc) < 0) {
        turn_quota_give(core->shared->quota, &alloc->hold);
        pool_give(core->allocs, alloc);
        return STUN_INSUFFICIENT_CAPACITY;
    }
    *ret_alloc = alloc;
    return STUN_OK;
}

static int try_open(struct turn_core *core, struct turn_alloc *alloc,
                    size_t index, uint16_t port)
{
    struct addr local = core->shared->relays[index].local;
    struct turn_relay *relay = &alloc->relays[turn_family_index(&local)];
    void *handle;
    int err;

    local.port = port;
    if (alloc->is_tcp)
        err = core->tcp.listen(core->env.arg, alloc->id, &local, &handle);
    else
        err = core->env.relay_open(core->env.arg, alloc->id, &local, &handle);
    if (err < 0)
        return err;
    relay->handle = handle;
    relay->local = local;
    relay->index = (uint32_t)index;
    return 0;
}

int turn_alloc_open_at(struct turn_core *core, struct turn_alloc *alloc,
                       size_t index, uint16_t port)
{
    int err = try_open(core, alloc, index, port);

    if (err < 0)
        turn_ports_give(core->shared->ports, index, port);
    return err;
}

static void give_port(struct turn_core *core, size_t index, int port,
                      enum turn_port_want want)
{
    turn_ports_give(core->shared->ports, index, (uint16_t)port);
    if (want == TURN_PORT_EVEN_PAIR)
        turn_ports_give(core->shared->ports, index, (uint16_t)(port + 1));
}

/* Ports that turn out to be another process's stay taken until the end, so
 * that each try is with a new one. */
static int open_on(struct turn_core *core, struct turn_alloc *alloc,
                   size_t index, enum turn_port_want want)
{
    int foreign[PORT_TRIES_MAX];
    size_t n = 0;
    int err = ERR_LIMIT;

    while (n < PORT_TRIES_MAX) {
        uint32_t random;
        int port;

        core->env.random(core->env.arg, &random, sizeof(random));
        port = turn_ports_take(core->shared->ports, index, random, want);
        if (port < 0)
            break;
        err = try_open(core, alloc, index, (uint16_t)port);
        if (err == 0)
            break;
        foreign[n++] = port;
        if (err != -EADDRINUSE)
            break;
    }
    while (n > 0)
        give_port(core, index, foreign[--n], want);
    return err == 0 ? 0 : ERR_LIMIT;
}

int turn_alloc_open(struct turn_core *core, struct turn_alloc *alloc,
                    unsigned family, enum turn_port_want want)
{
    size_t n = core->shared->n_relays;
    size_t tried = 0;
    uint32_t start;

    core->env.random(core->env.arg, &start, sizeof(start));
    for (size_t i = 0; i < n; i++) {
        size_t index = (start + i) % n;

        if (turn_family_index(&core->shared->relays[index].local) != family)
            continue;
        tried++;
        if (open_on(core, alloc, index, want) == 0)
            return 0;
    }
    if (tried == 0)
        return -EAFNOSUPPORT;
    stats_inc(&core->stats->ports_exhausted);
    return ERR_LIMIT;
}

void turn_alloc_extend(struct turn_core *core, struct turn_alloc *alloc,
                       uint32_t lifetime_s, uint64_t now)
{
    alloc->expires = now + lifetime_s * 1000ULL;
    timers_set(&core->timers, &alloc->timer, alloc->expires);
}

static const char *relay_str(const struct turn_alloc *alloc,
                             char text[ADDR_TEXT_SIZE])
{
    unsigned family = alloc->relays[TURN_V4].handle ? TURN_V4 : TURN_V6;

    return addr_str(&alloc->relays[family].local, text);
}

void turn_alloc_announce(struct turn_core *core, struct turn_alloc *alloc)
{
    char client[ADDR_TEXT_SIZE];
    char relay[ADDR_TEXT_SIZE];
    char user[USER_TEXT_SIZE];
    char realm[USER_TEXT_SIZE];

    alloc->is_announced = true;
    stats_inc(&core->stats->allocations_opened);
    stats_inc(turn_alloc_gauge(core, alloc->client.transport));
    stats_inc(&turn_realm_figures(core, alloc->realm)->opened);
    stats_inc(&turn_realm_figures(core, alloc->realm)->allocations);
    if (!core->rules->log_allocations)
        return;
    log_info("allocation opened id=%" PRIx64 " client=%s:%s relay=%s"
             " user=\"%s\" realm=\"%s\"",
             pool_id_u64(alloc->id),
             turn_transport_name(alloc->client.transport),
             addr_str(&alloc->client.remote, client), relay_str(alloc, relay),
             text_printable(turn_quota_user(&alloc->hold), user, sizeof(user)),
             text_printable(alloc->realm->name, realm, sizeof(realm)));
}

static void say_ended(struct turn_core *core, const struct turn_alloc *alloc,
                      const char *why)
{
    char client[ADDR_TEXT_SIZE];

    if (!core->rules->log_allocations)
        return;
    log_info("allocation ended id=%" PRIx64 " client=%s:%s reason=%s"
             " to_peer=%" PRIu64 "/%" PRIu64 " to_client=%" PRIu64 "/%" PRIu64,
             pool_id_u64(alloc->id),
             turn_transport_name(alloc->client.transport),
             addr_str(&alloc->client.remote, client), why,
             alloc->packets[TURN_TO_PEER], alloc->bytes[TURN_TO_PEER],
             alloc->packets[TURN_TO_CLIENT], alloc->bytes[TURN_TO_CLIENT]);
}

static void count_end(struct turn_core *core, const struct turn_alloc *alloc,
                      enum turn_end why)
{
    stats_dec(turn_alloc_gauge(core, alloc->client.transport));
    stats_dec(&turn_realm_figures(core, alloc->realm)->allocations);
    switch (why) {
    case TURN_END_EXPIRED:
        stats_inc(&core->stats->expired);
        say_ended(core, alloc, "expired");
        break;
    case TURN_END_RELEASED:
        stats_inc(&core->stats->released);
        say_ended(core, alloc, "released");
        break;
    case TURN_END_DISCONNECTED:
        stats_inc(&core->stats->disconnected);
        say_ended(core, alloc, "disconnected");
        break;
    case TURN_END_REALM_GONE:
        stats_inc(&core->stats->realm_gone);
        say_ended(core, alloc, "realm_gone");
        break;
    case TURN_END_SHUTDOWN:
        say_ended(core, alloc, "shutdown");
        break;
    }
}

void turn_alloc_close(struct turn_core *core, struct turn_alloc *alloc,
                      unsigned family)
{
    struct turn_relay *relay = &alloc->relays[family];

    if (alloc->is_tcp)
        core->tcp.unlisten(core->env.arg, relay->handle);
    else
        core->env.relay_close(core->env.arg, relay->handle);
    turn_ports_give(core->shared->ports, relay->index, relay->local.port);
    *relay = (struct turn_relay){0};
}

void turn_alloc_end(struct turn_core *core, struct turn_alloc *alloc,
                    enum turn_end why)
{
    if (alloc->is_announced)
        count_end(core, alloc, why);
    timers_cancel(&core->timers, &alloc->timer);
    turn_tcp_end_all(core, alloc);
    turn_mobile_end(core, alloc);
    for (unsigned i = 0; i < TURN_FAMILIES; i++) {
        if (alloc->relays[i].handle)
            turn_alloc_close(core, alloc, i);
    }
    turn_perms_deinit(&alloc->perms);
    turn_chans_deinit(&alloc->chans);
    turn_quota_give(core->shared->quota, &alloc->hold);
    map_remove(&core->by_client,
               span_of(&alloc->client, sizeof(alloc->client)));
    mem_wipe(&alloc->key, sizeof(alloc->key));
    pool_give(core->allocs, alloc);
}

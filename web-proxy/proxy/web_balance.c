/* SPDX-License-Identifier: MIT */
/* Which server of an upstream a request goes to. Nothing is allocated, and an
 * upstream of one server is not looked at longer than for a flag. */
#define LOG_COMPONENT "web"

#include "proxy/web_balance.h"

#include "base/log.h"

/* ---- who may be asked ---- */

static bool may_ask(const struct web_backend *b, uint64_t now)
{
    unsigned flags = web_backend_flags(b);

    return flags == 0 || (flags == WEB_HEALTH_EJECTED &&
                          web_health_trial_due(b->health, now));
}

/* ---- ways to choose ---- */

/* Smooth weighted round robin: everybody is owed its weight, the one who is
 * owed most is chosen and pays for all. */
static const struct web_backend *
in_turn(const struct web_upstream *u, struct web_pool *pools, uint64_t allowed)
{
    const struct web_backend *best = NULL;
    struct web_pool *payer = NULL;
    int64_t total = 0;

    for (uint32_t i = 0; i < u->n_backends; i++) {
        if (!(allowed >> i & 1))
            continue;
        pools[i].turn += u->backends[i].weight;
        total += u->backends[i].weight;
        if (!best || pools[i].turn > payer->turn) {
            best = &u->backends[i];
            payer = &pools[i];
        }
    }
    if (best)
        payer->turn -= total;
    return best;
}

/* Fewest connections in use, per weight. Those of this worker alone: counting
 * all would make the workers share a line of memory at every request. Equals
 * are asked in turn. */
static const struct web_backend *least_used(const struct web_upstream *u,
                                            struct web_pool *pools,
                                            uint64_t allowed)
{
    uint64_t least = UINT64_MAX;
    uint64_t equals = 0;

    for (uint32_t i = 0; i < u->n_backends; i++) {
        uint64_t used = pools[i].n_links - pools[i].n_idle;
        uint64_t load =
            used * WEB_WEIGHT_MAX * WEB_WEIGHT_MAX / u->backends[i].weight;

        if (!(allowed >> i & 1) || load > least)
            continue;
        if (load < least)
            equals = 0;
        least = load;
        equals |= UINT64_C(1) << i;
    }
    return in_turn(u, pools, equals);
}

/* The finaliser of MurmurHash3: every bit of the input moves all others. */
static uint64_t mix(uint64_t h)
{
    h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
    h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 33;
}

/* An IPv4 address, or the /64 of an IPv6 one. */
static uint64_t client_hash(const struct addr *client)
{
    uint64_t key = 0;
    size_t len = addr_ip_len(client);

    memcpy(&key, client->ip, len < sizeof(key) ? len : sizeof(key));
    return mix(key);
}

/* -log2(h / 2^64), as 16.16 bits; between powers of two by a straight line. */
static uint64_t minus_log2(uint64_t h)
{
    unsigned zeros = (unsigned)__builtin_clzll(h | 1);
    uint64_t fraction = (h << zeros << 1) >> 48;

    return ((uint64_t)(zeros + 1) << 16) - fraction;
}

/* Rendezvous hashing: the server that draws the lowest number for the client,
 * where a heavier one divides what it draws. When a server comes or goes, only
 * the clients it gets or had move. */
static const struct web_backend *by_client(const struct web_upstream *u,
                                           const struct addr *client,
                                           uint64_t allowed)
{
    uint64_t key = client_hash(client);
    const struct web_backend *best = NULL;
    uint64_t lowest = 0;

    for (uint32_t i = 0; i < u->n_backends; i++) {
        const struct web_backend *b = &u->backends[i];
        uint64_t drawn = minus_log2(mix(key ^ b->hash));

        if (!(allowed >> i & 1))
            continue;
        /* drawn / b->weight < lowest / best->weight */
        if (!best || drawn * best->weight < lowest * b->weight) {
            best = b;
            lowest = drawn;
        }
    }
    return best;
}

const struct web_backend *balance_choose(const struct web_upstream *u,
                                         struct web_pool *pools,
                                         const struct addr *client,
                                         uint64_t allowed)
{
    switch (u->balance) {
    case WEB_BALANCE_LEAST:
        return least_used(u, pools, allowed);
    case WEB_BALANCE_HASH:
        return by_client(u, client, allowed);
    case WEB_BALANCE_ROUND_ROBIN:
        break;
    }
    return in_turn(u, pools, allowed);
}

/* ---- the choice ---- */

uint64_t balance_allowed(const struct web_upstream *u, uint64_t tried,
                         uint64_t now)
{
    uint64_t allowed = 0;

    for (uint32_t i = 0; i < u->n_backends; i++) {
        uint64_t bit = UINT64_C(1) << i;

        if (!(tried & bit) && may_ask(&u->backends[i], now))
            allowed |= bit;
    }
    return allowed;
}

bool balance_pick(struct web_exchange *x)
{
    const struct web_upstream *u = x->upstream;
    struct web_pool *pools = &x->view->pools[u->first];
    uint64_t now = x->session->core->now;
    uint64_t allowed = balance_allowed(u, x->tried, now);

    while (allowed) {
        const struct web_backend *b =
            u->n_backends == 1
                ? u->backends
                : balance_choose(u, pools, &x->session->client, allowed);
        size_t i = (size_t)(b - u->backends);

        allowed &= ~(UINT64_C(1) << i);
        if (web_backend_flags(b) &&
            !web_health_take_trial(b->health, &u->rule, now))
            continue;
        x->tried |= UINT64_C(1) << i;
        x->backend = b;
        x->pool = &pools[i];
        return true;
    }
    return false;
}

uint64_t balance_retry_s(const struct web_exchange *x)
{
    const struct web_upstream *u = x->upstream;
    uint64_t now = x->session->core->now;
    uint64_t wait_ms = 0;

    for (uint32_t i = 0; i < u->n_backends; i++) {
        struct web_health_counts counts;
        uint64_t due = now;

        web_health_read(u->backends[i].health, &counts);
        if (web_backend_flags(&u->backends[i]) & WEB_HEALTH_DOWN)
            due = now + u->check.interval_ms;
        else if (counts.out_until > now)
            due = counts.out_until;
        if (i == 0 || due - now < wait_ms)
            wait_ms = due - now;
    }
    return wait_ms > 1000 ? (wait_ms + 999) / 1000 : 1;
}

/* ---- what became of it ---- */

void balance_on_failure(struct web_core *core, const struct web_backend *b)
{
    static const struct web_health_rule never = {0};
    const struct web_upstream *u = b->upstream;

    if (!web_health_on_failure(
            b->health, web_upstream_ejects(u) ? &u->rule : &never, core->now))
        return;
    stats_inc(&core->stats->ejected);
    log_warn("server %s:%u of \"%s\" is out: %u failures in a row", b->host,
             b->port, u->name, u->rule.fails_max);
}

void balance_on_answer(struct web_core *core, const struct web_backend *b)
{
    (void)core;
    if (web_health_on_answer(b->health))
        log_info("server %s:%u of \"%s\" is back", b->host, b->port,
                 b->upstream->name);
}

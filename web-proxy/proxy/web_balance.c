/* SPDX-License-Identifier: MIT */
/* Which server of an upstream a request goes to. Nothing is allocated, and an
 * upstream of one server is not looked at longer than for a flag. */
#define LOG_COMPONENT "web"

#include "proxy/web_balance.h"

#include "base/log.h"
#include "base/map.h"

/* ---- who may be asked ---- */

static bool may_ask(const struct web_backend *b, uint64_t now)
{
    unsigned flags = web_backend_flags(b);

    return flags == 0 || (flags == WEB_HEALTH_EJECTED &&
                          web_health_trial_due(b->health, now));
}

/* ---- ways to choose ---- */

/* Weights are taken times this, so that slow start has steps. */
enum { SCALE = 100 };

/* A server that is back gets its share little by little, from a twentieth. */
static uint64_t weight_of(const struct web_backend *b, uint64_t now)
{
    uint64_t whole = (uint64_t)b->weight * SCALE;
    uint64_t slow = b->upstream->slow_ms;
    uint64_t since, share;

    if (slow == 0)
        return whole;
    since = web_health_up_since(b->health);
    if (since == 0 || now >= since + slow)
        return whole;
    share = now > since ? whole * (now - since) / slow : 0;
    return share > whole / 20 ? share : whole / 20;
}

/* Smooth weighted round robin: everybody is owed its weight, the one who is
 * owed most is chosen and pays for all. */
static const struct web_backend *in_turn(const struct web_upstream *u,
                                         struct web_pool *pools,
                                         uint64_t allowed, uint64_t now)
{
    const struct web_backend *best = NULL;
    struct web_pool *payer = NULL;
    int64_t total = 0, weight;

    for (uint32_t i = 0; i < u->n_backends; i++) {
        if (!(allowed >> i & 1))
            continue;
        weight = (int64_t)weight_of(&u->backends[i], now);
        pools[i].turn += weight;
        total += weight;
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
                                            uint64_t allowed, uint64_t now)
{
    uint64_t least = UINT64_MAX;
    uint64_t equals = 0;

    for (uint32_t i = 0; i < u->n_backends; i++) {
        uint64_t used = pools[i].n_links - pools[i].n_idle;
        uint64_t load = used * WEB_WEIGHT_MAX * SCALE * 100 /
                        weight_of(&u->backends[i], now);

        if (!(allowed >> i & 1) || load > least)
            continue;
        if (load < least)
            equals = 0;
        least = load;
        equals |= UINT64_C(1) << i;
    }
    return in_turn(u, pools, equals, now);
}

/* The finaliser of MurmurHash3: every bit of the input moves all others. */
static uint64_t mix(uint64_t h)
{
    h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
    h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 33;
}

/* An IPv4 address, or the /64 of an IPv6 one. */
uint64_t balance_client_key(const struct addr *client)
{
    uint64_t key = 0;
    size_t len = addr_ip_len(client);

    memcpy(&key, client->ip, len < sizeof(key) ? len : sizeof(key));
    return mix(key);
}

/* The value of a cookie; empty when there is none, or more than one. */
static struct span cookie_of(const struct http_msg *msg, const char *name)
{
    struct span found = {0}, list, item, key, value;
    unsigned n = 0;

    for (size_t i = 0; i < msg->headers_n; i++) {
        if (msg->headers[i].field != HTTP_FIELD_COOKIE)
            continue;
        list = msg->headers[i].value;
        while (span_next(&list, ';', &item)) {
            if (span_cut(span_trim(item), '=', &key, &value) &&
                span_is(key, name)) {
                found = value;
                n++;
            }
        }
    }
    return n == 1 ? found : span_of(NULL, 0);
}

uint64_t balance_key_of(const struct web_upstream *u,
                        const struct web_request *rq, const struct addr *client)
{
    static const uint64_t seed[2] = {0}; /* the same in every process */
    struct span key = {0};

    switch (u->hash_key) {
    case WEB_HASH_COOKIE:
        key = cookie_of(rq->msg, u->hash_name);
        break;
    case WEB_HASH_PATH:
        key = rq->path;
        break;
    case WEB_HASH_ARGUMENT:
        if (web_token_find(rq->query, u->hash_name, &key) != WEB_TOKEN_OK)
            key = span_of(NULL, 0);
        break;
    case WEB_HASH_CLIENT:
        break;
    }
    return key.len > 0 ? mix(map_hash(seed, key)) : balance_client_key(client);
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
static const struct web_backend *by_key(const struct web_upstream *u,
                                        uint64_t key, uint64_t allowed)
{
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
                                         struct web_pool *pools, uint64_t key,
                                         uint64_t allowed, uint64_t now)
{
    switch (u->balance) {
    case WEB_BALANCE_LEAST:
        return least_used(u, pools, allowed, now);
    case WEB_BALANCE_HASH:
        return by_key(u, key, allowed);
    case WEB_BALANCE_ROUND_ROBIN:
        break;
    }
    return in_turn(u, pools, allowed, now);
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
                : balance_choose(u, pools, x->balance_key, allowed, now);
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
        if (web_backend_flags(&u->backends[i]) &
            (WEB_HEALTH_DOWN | WEB_HEALTH_DRAINED))
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
    if (!web_health_on_answer(b->health))
        return;
    web_health_set_up(b->health, core->now);
    log_info("server %s:%u of \"%s\" is back", b->host, b->port,
             b->upstream->name);
}

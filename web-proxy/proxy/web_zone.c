/* SPDX-License-Identifier: MIT */
#include "proxy/web_zone.h"

#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
    SHARDS = 16,
    NO_FAMILY = 0xfe,  /* a key that is no address */
    REQUEST = 1000000, /* one request in the unit of `excess` */
};

/* The key of a client: family and the bytes that count. */
struct key {
    uint8_t family;
    uint8_t ip[8];
};

struct client {
    struct list lru; /* in shard.lru or shard.unused */
    struct key key;
    uint64_t excess; /* millionths of a request above empty, at `last` */
    uint64_t last;   /* ms */
};

struct shard {
    pthread_mutex_t lock;
    struct map map;
    struct list lru; /* front: seen last */
    struct list unused;
    struct client *clients;
};

struct web_zone {
    atomic_uint refs;
    struct web_zone_spec spec;
    uint64_t seed[2];
    size_t ready; /* shards that were initialised */
    struct shard shards[SHARDS];
};

/* An IPv4 client on an IPv6 socket is the same client. */
static struct key key_of(const struct addr *a)
{
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    struct key key = {.family = a->family};

    if (a->family == ADDR_V6 && memcmp(a->ip, mapped, sizeof(mapped)) == 0) {
        key.family = ADDR_V4;
        memcpy(key.ip, a->ip + 12, 4);
    } else {
        memcpy(key.ip, a->ip, a->family == ADDR_V4 ? 4 : 8);
    }
    return key;
}

static int shard_init(struct shard *shard, size_t clients, const uint8_t *seed)
{
    shard->clients = mem_zarray(clients, sizeof(*shard->clients));
    if (!shard->clients)
        return -ENOMEM;
    if (pthread_mutex_init(&shard->lock, NULL) != 0) {
        mem_free(shard->clients);
        return -ENOMEM;
    }
    map_init(&shard->map, clients, seed);
    list_init(&shard->lru);
    list_init(&shard->unused);
    for (size_t i = 0; i < clients; i++)
        list_push_back(&shard->unused, &shard->clients[i].lru);
    return 0;
}

static void shard_deinit(struct shard *shard)
{
    pthread_mutex_destroy(&shard->lock);
    map_deinit(&shard->map);
    mem_free(shard->clients);
}

/* The client's record, made when it is new; NULL only when out of memory. */
static struct client *client_get(struct shard *shard, const struct key *key,
                                 uint64_t now)
{
    struct client *c = map_find(&shard->map, span_of(key, sizeof(*key)));
    struct list *node;

    if (c) {
        list_remove(&c->lru);
        list_push_front(&shard->lru, &c->lru);
        return c;
    }
    node = list_first(&shard->unused);
    if (!node)
        node = shard->lru.prev;
    c = CONTAINER_OF(node, struct client, lru);
    (void)map_remove(&shard->map, span_of(&c->key, sizeof(c->key)));
    list_remove(&c->lru);
    c->key = *key;
    c->excess = 0;
    c->last = now;
    if (map_put(&shard->map, span_of(&c->key, sizeof(c->key)), c) < 0) {
        list_push_front(&shard->unused, &c->lru);
        return NULL;
    }
    list_push_front(&shard->lru, &c->lru);
    return c;
}

/* What is left in the bucket at `now`. */
static uint64_t drained(const struct client *c, uint32_t rate_milli,
                        uint64_t now)
{
    uint64_t passed = now > c->last ? now - c->last : 0;
    uint64_t out;

    /* rate_milli per 1000 s is exactly millionths of a request per ms. */
    if (passed > UINT64_MAX / rate_milli)
        return 0;
    out = passed * rate_milli;
    return c->excess > out ? c->excess - out : 0;
}

static uint64_t ms_for(uint64_t excess, uint32_t rate_milli)
{
    return (excess + rate_milli - 1) / rate_milli;
}

int web_zone_new(struct web_zone **ret_zone, const struct web_zone_spec *spec,
                 const uint8_t seed[16])
{
    struct web_zone *zone;

    if (spec->rate_milli == 0 || spec->clients == 0)
        return -EINVAL;
    zone = mem_zalloc(sizeof(*zone));
    if (!zone)
        return -ENOMEM;
    atomic_init(&zone->refs, 1);
    zone->spec = *spec;
    memcpy(zone->seed, seed, sizeof(zone->seed));
    for (; zone->ready < SHARDS; zone->ready++) {
        if (shard_init(&zone->shards[zone->ready],
                       (spec->clients + SHARDS - 1) / SHARDS, seed) < 0) {
            web_zone_unref(zone);
            return -ENOMEM;
        }
    }
    *ret_zone = zone;
    return 0;
}

struct web_zone *web_zone_ref(struct web_zone *zone)
{
    atomic_fetch_add(&zone->refs, 1);
    return zone;
}

void web_zone_unref(struct web_zone *zone)
{
    if (!zone || atomic_fetch_sub(&zone->refs, 1) != 1)
        return;
    for (size_t i = 0; i < zone->ready; i++)
        shard_deinit(&zone->shards[i]);
    mem_free(zone);
}

const struct web_zone_spec *web_zone_spec_of(const struct web_zone *zone)
{
    return &zone->spec;
}

static struct web_zone_verdict judge(struct client *c, uint32_t rate_milli,
                                     const struct web_zone_rule *rule,
                                     uint64_t now)
{
    uint64_t before = drained(c, rate_milli, now);
    uint64_t most = (uint64_t)rule->burst * REQUEST;
    struct web_zone_verdict verdict = {.pass = true};

    if (before > most) {
        verdict.pass = false;
        verdict.wait_ms = ms_for(before - most, rate_milli);
        return verdict;
    }
    if (rule->pace == WEB_ZONE_DELAY)
        verdict.wait_ms = ms_for(before, rate_milli);
    c->excess = before + REQUEST;
    c->last = now > c->last ? now : c->last;
    return verdict;
}

static struct web_zone_verdict take(struct web_zone *zone,
                                    const struct key *key,
                                    const struct web_zone_rule *rule,
                                    uint64_t now)
{
    uint64_t hash = map_hash(zone->seed, span_of(key, sizeof(*key)));
    struct shard *shard = &zone->shards[hash >> 60 & (SHARDS - 1)];
    struct web_zone_verdict verdict = {.pass = true};
    struct client *c;

    pthread_mutex_lock(&shard->lock);
    c = client_get(shard, key, now);
    if (c) /* without memory nobody is refused */
        verdict = judge(c, zone->spec.rate_milli, rule, now);
    pthread_mutex_unlock(&shard->lock);
    return verdict;
}

struct web_zone_verdict web_zone_take(struct web_zone *zone,
                                      const struct addr *client,
                                      const struct web_zone_rule *rule,
                                      uint64_t now)
{
    struct key key = key_of(client);

    return take(zone, &key, rule, now);
}

struct web_zone_verdict web_zone_take_key(struct web_zone *zone, uint64_t key,
                                          const struct web_zone_rule *rule,
                                          uint64_t now)
{
    struct key of = {.family = NO_FAMILY};

    memcpy(of.ip, &key, sizeof(of.ip));
    return take(zone, &of, rule, now);
}

struct web_zone_verdict web_zone_peek(struct web_zone *zone,
                                      const struct addr *client,
                                      const struct web_zone_rule *rule,
                                      uint64_t now)
{
    struct key key = key_of(client);
    uint64_t hash = map_hash(zone->seed, span_of(&key, sizeof(key)));
    struct shard *shard = &zone->shards[hash >> 60 & (SHARDS - 1)];
    struct web_zone_verdict verdict = {.pass = true};
    const struct client *c;

    pthread_mutex_lock(&shard->lock);
    c = map_find(&shard->map, span_of(&key, sizeof(key)));
    if (c) {
        struct client copy = *c;

        verdict = judge(&copy, zone->spec.rate_milli, rule, now);
    }
    pthread_mutex_unlock(&shard->lock);
    return verdict;
}

size_t web_zone_count(struct web_zone *zone)
{
    size_t count = 0;

    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_lock(&zone->shards[i].lock);
        count += map_count(&zone->shards[i].map);
        pthread_mutex_unlock(&zone->shards[i].lock);
    }
    return count;
}

int web_zone_parse_rate(struct span text, uint32_t *ret_rate_milli)
{
    struct span number, unit;
    uint32_t value;

    if (!span_cut(text, 'r', &number, &unit) ||
        span_to_u32(number, 1000000, &value) < 0 || value == 0)
        return ERR_PARSE;
    if (span_is(unit, "/s"))
        *ret_rate_milli = value * 1000;
    else if (span_is(unit, "/m") || span_is(unit, "/min"))
        *ret_rate_milli = (uint32_t)(((uint64_t)value * 1000 + 30) / 60);
    else
        return ERR_PARSE;
    return 0;
}

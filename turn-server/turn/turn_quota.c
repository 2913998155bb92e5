/* SPDX-License-Identifier: MIT */
#include "turn/turn_quota.h"

#include "base/crypto.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>

struct turn_quota_entry {
    uint32_t count; /* allocations; the entry goes with the last one */
    uint32_t key_len;
    struct turn_meter meter;
    uint32_t connections; /* atomic */
    uint8_t key[];
};

struct turn_quota {
    pthread_mutex_t lock;
    struct map realms;
    struct map users;
    struct map sources;
    uint32_t total;
};

int turn_quota_new(struct turn_quota **ret_quota)
{
    struct turn_quota *quota = mem_zalloc(sizeof(*quota));
    uint8_t seed[16];

    if (!quota)
        return -ENOMEM;
    if (pthread_mutex_init(&quota->lock, NULL) != 0) {
        mem_free(quota);
        return -ENOMEM;
    }
    crypto_random(seed, sizeof(seed));
    map_init(&quota->realms, SIZE_MAX, seed);
    map_init(&quota->users, SIZE_MAX, seed);
    map_init(&quota->sources, SIZE_MAX, seed);
    *ret_quota = quota;
    return 0;
}

void turn_quota_free(struct turn_quota *quota)
{
    if (!quota)
        return;
    assert(map_count(&quota->users) == 0 && map_count(&quota->sources) == 0 &&
           map_count(&quota->realms) == 0);
    map_deinit(&quota->realms);
    map_deinit(&quota->users);
    map_deinit(&quota->sources);
    pthread_mutex_destroy(&quota->lock);
    mem_free(quota);
}

static struct turn_quota_entry *entry_new(struct map *map, struct span key)
{
    struct turn_quota_entry *entry = mem_alloc(sizeof(*entry) + key.len);

    if (!entry)
        return NULL;
    entry->count = 0;
    entry->meter = (struct turn_meter){0};
    entry->connections = 0;
    entry->key_len = (uint32_t)key.len;
    if (key.len)
        memcpy(entry->key, key.ptr, key.len);
    if (map_put(map, span_of(entry->key, key.len), entry) < 0) {
        mem_free(entry);
        return NULL;
    }
    return entry;
}

static void entry_give(struct map *map, struct turn_quota_entry *entry)
{
    if (entry->count > 0 && --entry->count > 0)
        return;
    map_remove(map, span_of(entry->key, entry->key_len));
    mem_free(entry);
}

/* The entry with one more, or why not. */
static enum turn_quota_verdict entry_take(struct map *map, struct span key,
                                          uint32_t max,
                                          enum turn_quota_verdict full,
                                          struct turn_quota_entry **ret_entry)
{
    struct turn_quota_entry *entry = map_find(map, key);

    if (entry && max != 0 && entry->count >= max)
        return full;
    if (!entry)
        entry = entry_new(map, key);
    if (!entry)
        return TURN_QUOTA_NO_MEMORY;
    entry->count++;
    *ret_entry = entry;
    return TURN_QUOTA_OK;
}

enum { REALM_SIZE = sizeof(uint32_t) }; /* in front of each key */

/* The realm, and what is counted in it. */
static struct span key_of(const struct turn_quota_who *who, const void *bytes,
                          size_t len, uint8_t *out)
{
    memcpy(out, &who->realm, REALM_SIZE);
    if (len)
        memcpy(out + REALM_SIZE, bytes, len);
    return span_of(out, REALM_SIZE + len);
}

static struct span user_key(const struct turn_quota_who *who, uint8_t *out)
{
    struct span user = span_head(who->user, TURN_QUOTA_USER_MAX);

    return key_of(who, user.ptr, user.len, out);
}

/* An IPv4 address, or the /64 of an IPv6 one: what one subscriber has. */
static struct span source_key(const struct turn_quota_who *who, uint8_t *out)
{
    return key_of(who, who->source->ip, who->source->family == ADDR_V6 ? 8 : 4,
                  out);
}

static void give_locked(struct turn_quota *quota, struct turn_quota_hold *hold)
{
    if (hold->source)
        entry_give(&quota->sources, hold->source);
    if (hold->user)
        entry_give(&quota->users, hold->user);
    if (hold->realm)
        entry_give(&quota->realms, hold->realm);
    *hold = (struct turn_quota_hold){NULL, NULL, NULL};
}

static enum turn_quota_verdict
take_locked(struct turn_quota *quota, const struct turn_quota_who *who,
            const struct turn_quota_limits *limits,
            struct turn_quota_hold *hold)
{
    uint8_t key[REALM_SIZE + TURN_QUOTA_USER_MAX];
    enum turn_quota_verdict verdict;

    if (limits->total != 0 && quota->total >= limits->total)
        return TURN_QUOTA_TOTAL;
    verdict = entry_take(&quota->realms, key_of(who, NULL, 0, key),
                         limits->per_realm, TURN_QUOTA_REALM, &hold->realm);
    if (verdict == TURN_QUOTA_OK)
        verdict = entry_take(&quota->users, user_key(who, key),
                             limits->per_user, TURN_QUOTA_USER, &hold->user);
    if (verdict == TURN_QUOTA_OK)
        verdict =
            entry_take(&quota->sources, source_key(who, key),
                       limits->per_source, TURN_QUOTA_SOURCE, &hold->source);
    if (verdict == TURN_QUOTA_OK)
        quota->total++;
    else
        give_locked(quota, hold);
    return verdict;
}

enum turn_quota_verdict turn_quota_take(struct turn_quota *quota,
                                        const struct turn_quota_who *who,
                                        const struct turn_quota_limits *limits,
                                        struct turn_quota_hold *ret_hold)
{
    struct turn_quota_hold hold = {NULL, NULL, NULL};
    enum turn_quota_verdict verdict;

    pthread_mutex_lock(&quota->lock);
    verdict = take_locked(quota, who, limits, &hold);
    pthread_mutex_unlock(&quota->lock);
    if (verdict == TURN_QUOTA_OK)
        *ret_hold = hold;
    return verdict;
}

void turn_quota_give(struct turn_quota *quota, struct turn_quota_hold *hold)
{
    pthread_mutex_lock(&quota->lock);
    give_locked(quota, hold);
    quota->total--;
    pthread_mutex_unlock(&quota->lock);
}

struct span turn_quota_user(const struct turn_quota_hold *hold)
{
    return hold->user ? span_of(hold->user->key + REALM_SIZE,
                                hold->user->key_len - REALM_SIZE)
                      : span_of(NULL, 0);
}

struct turn_meter *turn_quota_meter(const struct turn_quota_hold *hold)
{
    return &hold->user->meter;
}

struct turn_meter *turn_quota_realm_meter(const struct turn_quota_hold *hold)
{
    return &hold->realm->meter;
}

uint32_t *turn_quota_connections(const struct turn_quota_hold *hold)
{
    return &hold->user->connections;
}

uint32_t turn_quota_total(struct turn_quota *quota)
{
    uint32_t total;

    pthread_mutex_lock(&quota->lock);
    total = quota->total;
    pthread_mutex_unlock(&quota->lock);
    return total;
}

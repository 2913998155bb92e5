/* SPDX-License-Identifier: MIT */
#include "net/conn_limit.h"

#include "base/crypto.h"
#include "base/map.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>

struct source {
    struct addr key; /* normalised, see conn_source_key() */
    uint32_t open;
};

struct conn_limit {
    pthread_mutex_t lock;
    unsigned refs;
    uint32_t max_total;
    uint32_t max_per_source;
    uint32_t open;
    struct map sources; /* struct source, those with something open */
};

struct addr conn_source_key(const struct addr *source)
{
    struct addr key = *source;
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255};

    if (source->family == ADDR_V6 &&
        memcmp(source->ip, mapped, sizeof(mapped)) == 0) {
        key = (struct addr){.family = ADDR_V4};
        memcpy(key.ip, source->ip + 12, 4);
    } else if (source->family == ADDR_V6) {
        memset(key.ip + 8, 0, 8);
    }
    key.port = 0;
    key.scope = 0;
    return key;
}

int conn_limit_new(struct conn_limit **ret_limit, uint32_t max_total,
                   uint32_t max_per_source)
{
    struct conn_limit *limit = mem_zalloc(sizeof(*limit));
    uint8_t seed[16];

    if (!limit)
        return -ENOMEM;
    crypto_random(seed, sizeof(seed));
    /* Never more sources than open connections, which have their own limit. */
    map_init(&limit->sources, UINT32_MAX, seed);
    pthread_mutex_init(&limit->lock, NULL);
    limit->refs = 1;
    limit->max_total = max_total;
    limit->max_per_source = max_per_source;
    *ret_limit = limit;
    return 0;
}

struct conn_limit *conn_limit_ref(struct conn_limit *limit)
{
    pthread_mutex_lock(&limit->lock);
    limit->refs++;
    pthread_mutex_unlock(&limit->lock);
    return limit;
}

void conn_limit_unref(struct conn_limit *limit)
{
    bool last;

    if (!limit)
        return;
    pthread_mutex_lock(&limit->lock);
    last = --limit->refs == 0;
    pthread_mutex_unlock(&limit->lock);
    if (!last)
        return;
    assert(map_count(&limit->sources) == 0);
    map_deinit(&limit->sources);
    pthread_mutex_destroy(&limit->lock);
    mem_free(limit);
}

void conn_limit_set(struct conn_limit *limit, uint32_t max_total,
                    uint32_t max_per_source)
{
    pthread_mutex_lock(&limit->lock);
    limit->max_total = max_total;
    limit->max_per_source = max_per_source;
    pthread_mutex_unlock(&limit->lock);
}

static struct source *add_source(struct conn_limit *limit,
                                 const struct addr *key)
{
    struct source *s = mem_zalloc(sizeof(*s));

    if (!s)
        return NULL;
    s->key = *key;
    if (map_put(&limit->sources, addr_key(&s->key), s) < 0) {
        mem_free(s);
        return NULL;
    }
    return s;
}

static enum conn_verdict take(struct conn_limit *limit, const struct addr *key)
{
    struct source *s;

    if (limit->max_total && limit->open >= limit->max_total)
        return CONN_TOTAL_REACHED;
    s = map_find(&limit->sources, addr_key(key));
    if (s && limit->max_per_source && s->open >= limit->max_per_source)
        return CONN_SOURCE_REACHED;
    if (!s)
        s = add_source(limit, key);
    if (!s)
        return CONN_SOURCE_REACHED;
    s->open++;
    limit->open++;
    return CONN_OK;
}

enum conn_verdict conn_limit_take(struct conn_limit *limit,
                                  const struct addr *source)
{
    struct addr key = conn_source_key(source);
    enum conn_verdict verdict;

    pthread_mutex_lock(&limit->lock);
    verdict = take(limit, &key);
    pthread_mutex_unlock(&limit->lock);
    return verdict;
}

void conn_limit_give(struct conn_limit *limit, const struct addr *source)
{
    struct addr key = conn_source_key(source);
    struct source *s;

    pthread_mutex_lock(&limit->lock);
    s = map_find(&limit->sources, addr_key(&key));
    assert(s && s->open > 0 && limit->open > 0);
    limit->open--;
    if (--s->open == 0) {
        (void)map_remove(&limit->sources, addr_key(&key));
        mem_free(s);
    }
    pthread_mutex_unlock(&limit->lock);
}

uint32_t conn_limit_open(struct conn_limit *limit)
{
    uint32_t open;

    pthread_mutex_lock(&limit->lock);
    open = limit->open;
    pthread_mutex_unlock(&limit->lock);
    return open;
}

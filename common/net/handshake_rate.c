/* SPDX-License-Identifier: MIT */
#include "net/handshake_rate.h"

#include "base/crypto.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/ratelim.h"
#include "net/conn_limit.h"

#include <errno.h>
#include <pthread.h>

struct handshake_rate {
    pthread_mutex_t lock;
    unsigned refs;
    uint32_t per_second;
    uint32_t per_source;
    uint64_t seed[2];
    struct ratelim total;
    struct ratelim sources[HANDSHAKE_SOURCES];
};

int handshake_rate_new(struct handshake_rate **ret_rate, uint32_t per_second,
                       uint32_t per_source)
{
    struct handshake_rate *rate = mem_zalloc(sizeof(*rate));

    if (!rate)
        return -ENOMEM;
    pthread_mutex_init(&rate->lock, NULL);
    crypto_random(rate->seed, sizeof(rate->seed));
    rate->refs = 1;
    rate->per_second = per_second;
    rate->per_source = per_source;
    *ret_rate = rate;
    return 0;
}

struct handshake_rate *handshake_rate_ref(struct handshake_rate *rate)
{
    pthread_mutex_lock(&rate->lock);
    rate->refs++;
    pthread_mutex_unlock(&rate->lock);
    return rate;
}

void handshake_rate_unref(struct handshake_rate *rate)
{
    bool is_last;

    if (!rate)
        return;
    pthread_mutex_lock(&rate->lock);
    is_last = --rate->refs == 0;
    pthread_mutex_unlock(&rate->lock);
    if (!is_last)
        return;
    pthread_mutex_destroy(&rate->lock);
    mem_free(rate);
}

void handshake_rate_set(struct handshake_rate *rate, uint32_t per_second,
                        uint32_t per_source)
{
    pthread_mutex_lock(&rate->lock);
    rate->per_second = per_second;
    rate->per_source = per_source;
    pthread_mutex_unlock(&rate->lock);
}

/* A bucket is made, and made anew for another figure, when it is needed. */
static bool take(struct ratelim *bucket, uint32_t figure, uint64_t now)
{
    if (figure == 0)
        return true;
    if (bucket->per_second_milli != figure * 1000ULL)
        ratelim_init(bucket, figure * 1000ULL, figure * 2ULL, now);
    return ratelim_take(bucket, 1, now);
}

enum handshake_verdict handshake_rate_take(struct handshake_rate *rate,
                                           const struct addr *source,
                                           uint64_t now)
{
    struct addr key = conn_source_key(source);
    enum handshake_verdict verdict = HANDSHAKE_OK;
    uint64_t hash;

    if (!rate)
        return HANDSHAKE_OK;
    pthread_mutex_lock(&rate->lock);
    hash = map_hash(rate->seed, addr_key(&key));
    if (!take(&rate->sources[hash % HANDSHAKE_SOURCES], rate->per_source, now))
        verdict = HANDSHAKE_SOURCE;
    else if (!take(&rate->total, rate->per_second, now))
        verdict = HANDSHAKE_TOTAL;
    pthread_mutex_unlock(&rate->lock);
    return verdict;
}

/* SPDX-License-Identifier: MIT */
#include "proxy/sip_budget.h"

#include "base/mem.h"
#include "proxy/sip_guard_internal.h"

struct share {
    struct sip_recent_key key;
    uint32_t used;
};

void sip_budget_init(struct sip_budget *budget, size_t max,
                     const uint8_t seed[16])
{
    map_init(&budget->map, max, seed);
}

void sip_budget_deinit(struct sip_budget *budget)
{
    struct share *share;
    size_t pos = 0;

    while ((share = map_each(&budget->map, &pos)))
        mem_free(share);
    map_deinit(&budget->map);
}

static struct span bytes_of(const struct sip_recent_key *key)
{
    return span_of(key->bytes, sizeof(key->bytes));
}

static struct share *share_of(struct sip_budget *budget,
                              const struct sip_recent_key *key)
{
    struct share *share = map_find(&budget->map, bytes_of(key));

    if (share)
        return share;
    share = mem_zalloc(sizeof(*share));
    if (!share)
        return NULL;
    share->key = *key;
    if (map_put(&budget->map, bytes_of(&share->key), share) < 0) {
        mem_free(share);
        return NULL;
    }
    return share;
}

bool sip_budget_take(struct sip_budget *budget, const struct addr *source,
                     uint32_t limit)
{
    struct sip_recent_key key = sip_guard_key(source);
    struct share *share = share_of(budget, &key);

    if (!share || share->used >= limit)
        return false;
    share->used++;
    return true;
}

void sip_budget_give(struct sip_budget *budget, const struct addr *source)
{
    struct sip_recent_key key = sip_guard_key(source);
    struct share *share = map_find(&budget->map, bytes_of(&key));

    if (!share || --share->used > 0)
        return;
    (void)map_remove(&budget->map, bytes_of(&key));
    mem_free(share);
}

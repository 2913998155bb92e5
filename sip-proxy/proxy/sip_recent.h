/* SPDX-License-Identifier: MIT */
/* sip_recent.h - a bounded table that, when full, forgets who was not seen for
 * the longest time.
 *
 * For what peers can make us remember about them: they push out each other,
 * and never cost more than `max` items. Items are zeroed structs that begin
 * with a struct sip_recent_item; the table owns them.
 */
#ifndef SIP_RECENT_H
#define SIP_RECENT_H

#include "base/list.h"
#include "base/map.h"

enum { SIP_RECENT_KEY = 16 };

struct sip_recent_key {
    uint8_t bytes[SIP_RECENT_KEY];
};

struct sip_recent_item {
    struct list node; /* the one seen last is the first */
    struct sip_recent_key key;
};

struct sip_recent {
    struct map map;
    struct list order;
    size_t item_size;
    size_t max;
};

/* `seed` is 16 random bytes. Cannot fail. */
void sip_recent_init(struct sip_recent *table, size_t item_size, size_t max,
                     const uint8_t seed[16]);
void sip_recent_deinit(struct sip_recent *table);

/* NULL: not there. Does not count as seen. */
void *sip_recent_find(const struct sip_recent *table,
                      const struct sip_recent_key *key);

/* The item, seen now; made (zeroed but for its head) when it was not there.
 * NULL: no memory. */
void *sip_recent_get(struct sip_recent *table, const struct sip_recent_key *key,
                     bool *ret_is_new);

/* Remove and free it. */
void sip_recent_drop(struct sip_recent *table, struct sip_recent_item *item);

static inline size_t sip_recent_count(const struct sip_recent *table)
{
    return map_count(&table->map);
}

#endif /* SIP_RECENT_H */

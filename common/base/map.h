/* SPDX-License-Identifier: MIT */
/* map.h - hash map from bytes to item pointers, safe for peer-chosen keys.
 *
 * Open addressing over one array; the hash is seeded per map, so that a peer
 * cannot aim at one bucket. The key bytes are borrowed: they live inside the
 * item and must not change while it is in the map. Owns only its array.
 * Not thread-safe.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/span.h"

struct map_entry;

struct map {
    struct map_entry *entries; /* power of two, NULL until the first put */
    size_t capacity;
    size_t count;
    size_t max;
    uint64_t seed[2];
};

/* At most `max` items; `seed` is 16 random bytes. Cannot fail. */
void map_init(struct map *map, size_t max, const uint8_t seed[16]);

/* Release the array (not the items). */
void map_deinit(struct map *map);

/* Add under a key that is not in the map yet.
 * Returns 0, ERR_LIMIT (max reached), ERR_STATE (key present), -ENOMEM. */
int map_put(struct map *map, struct span key, void *item);

/* The item, or NULL. */
void *map_find(const struct map *map, struct span key);

/* Remove and return the item, or NULL. */
void *map_remove(struct map *map, struct span key);

static inline size_t map_count(const struct map *map)
{
    return map->count;
}

/* Walk all items in no order: start with *pos = 0; NULL at the end. The map
 * must not change during the walk. */
void *map_each(const struct map *map, size_t *pos);

/* The keyed hash itself (SipHash-1-3), for those who need one. */
uint64_t map_hash(const uint64_t seed[2], struct span key);

#endif /* BASE_MAP_H */

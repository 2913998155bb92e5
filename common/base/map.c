/* SPDX-License-Identifier: MIT */
#include "base/map.h"

#include "base/err.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>

/* Linear probing: the probe stays in one or two cache lines, and removal
 * shifts the rest of the run back, so that there are no tombstones to collect.
 * A free slot has item NULL. */
struct map_entry {
    const uint8_t *key;
    size_t key_len;
    uint64_t hash;
    void *item;
};

enum { MAP_FIRST_CAPACITY = 16 };

static uint64_t load64(const uint8_t *p)
{
    /* one load where bytes lie in this order; a loop would not become one */
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 |
           (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 |
           (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

static uint64_t rotl(uint64_t v, int bits)
{
    return v << bits | v >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] = rotl(v[0], 32) + v[3];
    v[2] += v[1];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

uint64_t map_hash(const uint64_t seed[2], struct span key)
{
    uint64_t v[4] = {
        seed[0] ^ 0x736f6d6570736575,
        seed[1] ^ 0x646f72616e646f6d,
        seed[0] ^ 0x6c7967656e657261,
        seed[1] ^ 0x7465646279746573,
    };
    const uint8_t *p = key.ptr;
    size_t left = key.len;
    uint64_t last = (uint64_t)key.len << 56;

    for (; left >= 8; left -= 8, p += 8) {
        uint64_t m = load64(p);

        v[3] ^= m;
        sip_round(v);
        v[0] ^= m;
    }
    while (left) {
        left--;
        last |= (uint64_t)p[left] << (8 * left);
    }
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The slot of the key, or the free slot where it would be. The array is never
 * full, so the walk ends. */
static size_t probe(const struct map *map, struct span key, uint64_t hash)
{
    size_t mask = map->capacity - 1;
    size_t at = (size_t)hash & mask;

    for (;; at = (at + 1) & mask) {
        const struct map_entry *e = &map->entries[at];

        if (!e->item)
            return at;
        if (e->hash == hash && e->key_len == key.len &&
            (key.len == 0 || memcmp(e->key, key.ptr, key.len) == 0))
            return at;
    }
}

static void place(struct map_entry *entries, size_t capacity,
                  const struct map_entry *entry)
{
    size_t at = (size_t)entry->hash & (capacity - 1);

    while (entries[at].item)
        at = (at + 1) & (capacity - 1);
    entries[at] = *entry;
}

static int grow(struct map *map)
{
    size_t capacity = map->capacity ? map->capacity * 2 : MAP_FIRST_CAPACITY;
    struct map_entry *entries = mem_zarray(capacity, sizeof(*entries));

    if (!entries)
        return -ENOMEM;
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->entries[i].item)
            place(entries, capacity, &map->entries[i]);
    }
    mem_free(map->entries);
    map->entries = entries;
    map->capacity = capacity;
    return 0;
}

static bool is_loaded(const struct map *map)
{
    return map->count >= map->capacity - map->capacity / 4;
}

void map_init(struct map *map, size_t max, const uint8_t seed[16])
{
    *map = (struct map){.max = max};
    map->seed[0] = load64(seed);
    map->seed[1] = load64(seed + 8);
}

void map_deinit(struct map *map)
{
    mem_free(map->entries);
    map->entries = NULL;
    map->capacity = 0;
    map->count = 0;
}

int map_put(struct map *map, struct span key, void *item)
{
    uint64_t hash = map_hash(map->seed, key);
    size_t at = map->capacity ? probe(map, key, hash) : 0;

    assert(item);
    if (map->capacity && map->entries[at].item)
        return ERR_STATE;
    if (map->count >= map->max)
        return ERR_LIMIT;
    if (is_loaded(map)) {
        int err = grow(map);

        if (err < 0)
            return err;
        at = probe(map, key, hash);
    }
    map->entries[at] = (struct map_entry){key.ptr, key.len, hash, item};
    map->count++;
    return 0;
}

void *map_find(const struct map *map, struct span key)
{
    if (map->count == 0)
        return NULL;
    return map->entries[probe(map, key, map_hash(map->seed, key))].item;
}

/* Close the gap: an entry behind it moves in unless its home lies between the
 * gap (exclusive) and where it stands. */
static void shift_back(struct map *map, size_t gap)
{
    size_t mask = map->capacity - 1;
    size_t at = gap;

    for (;;) {
        size_t home;

        at = (at + 1) & mask;
        if (!map->entries[at].item)
            break;
        home = (size_t)map->entries[at].hash & mask;
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            map->entries[gap] = map->entries[at];
            gap = at;
        }
    }
    map->entries[gap] = (struct map_entry){0};
}

void *map_remove(struct map *map, struct span key)
{
    size_t at;
    void *item;

    if (map->count == 0)
        return NULL;
    at = probe(map, key, map_hash(map->seed, key));
    item = map->entries[at].item;
    if (!item)
        return NULL;
    shift_back(map, at);
    map->count--;
    return item;
}

void *map_each(const struct map *map, size_t *pos)
{
    while (*pos < map->capacity) {
        void *item = map->entries[(*pos)++].item;

        if (item)
            return item;
    }
    return NULL;
}

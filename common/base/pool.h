/* SPDX-License-Identifier: MIT */
/* pool.h - fixed-capacity slots for what peers make us hold.
 *
 * An item is named by an id: slot and generation. An id kept across anything
 * asynchronous is looked up again; when the item is gone, or its slot is used
 * by another, the lookup gives NULL. Memory is taken in chunks as the pool
 * fills and given back by pool_free() only; items never move.
 * Not thread-safe.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

struct pool;

/* {0, 0} names nothing. */
struct pool_id {
    uint32_t slot;
    uint32_t generation;
};

/* Up to `max` items of `item_size` bytes.
 * Returns 0 and the pool, -EINVAL or -ENOMEM. Release with pool_free(). */
int pool_new(struct pool **ret_pool, size_t item_size, uint32_t max);

/* Release the pool and all items' memory. NULL is accepted. */
void pool_free(struct pool *pool);

/* A zeroed item and its id; NULL when the pool is full or out of memory. */
void *pool_take(struct pool *pool, struct pool_id *ret_id);

/* Give the item back; its id names nothing from now on. */
void pool_give(struct pool *pool, void *item);

/* The item, or NULL when the id is stale. */
void *pool_find(const struct pool *pool, struct pool_id id);

/* The id of an item of this pool. */
struct pool_id pool_id_of(const struct pool *pool, const void *item);

uint32_t pool_count(const struct pool *pool);
uint32_t pool_max(const struct pool *pool);

/* Walk live items: start with *pos = 0; NULL at the end. The item just
 * returned may be given back during the walk. */
void *pool_each(const struct pool *pool, uint32_t *pos);

static inline uint64_t pool_id_u64(struct pool_id id)
{
    return (uint64_t)id.generation << 32 | id.slot;
}

static inline struct pool_id pool_id_from_u64(uint64_t v)
{
    return (struct pool_id){(uint32_t)v, (uint32_t)(v >> 32)};
}

#endif /* BASE_POOL_H */

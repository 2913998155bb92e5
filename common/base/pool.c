/* SPDX-License-Identifier: MIT */
#include "base/pool.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define POOL_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_POISON 1
#endif
#endif

/* Stands in front of each item. */
struct slot {
    uint32_t index;
    uint32_t generation;
    uint32_t next_free;
    uint32_t live;
};

#define POOL_NO_SLOT UINT32_MAX

enum {
    POOL_CHUNK_BYTES = 64 * 1024,
    POOL_MAX_SHIFT = 10,
    POOL_ALIGN = _Alignof(max_align_t),
};

_Static_assert(sizeof(struct slot) % POOL_ALIGN == 0,
               "an item behind its slot is aligned for any type");

struct pool {
    size_t item_size;
    size_t stride;  /* slot and item */
    unsigned shift; /* a chunk has 1 << shift slots */
    uint32_t max;
    uint32_t count;
    uint32_t fresh; /* slots from here on were never used */
    uint32_t first_free;
    uint8_t **chunks;
};

/* With ASan, an item that was given back is poison: a kept pointer is found
 * at once instead of reading the next owner's data. */
#ifdef POOL_POISON
#include <sanitizer/asan_interface.h>

static void item_close(const struct pool *pool, void *item)
{
    __asan_poison_memory_region(item, pool->item_size);
}

static void item_open(const struct pool *pool, void *item)
{
    __asan_unpoison_memory_region(item, pool->item_size);
}
#else
static void item_close(const struct pool *pool, void *item)
{
    (void)pool;
    (void)item;
}

static void item_open(const struct pool *pool, void *item)
{
    (void)pool;
    (void)item;
}
#endif

static struct slot *slot_at(const struct pool *pool, uint32_t index)
{
    size_t in_chunk = index & ((1U << pool->shift) - 1);

    return (void *)(pool->chunks[index >> pool->shift] +
                    in_chunk * pool->stride);
}

static struct slot *slot_of(const void *item)
{
    return (struct slot *)(uintptr_t)item - 1;
}

static unsigned choose_shift(size_t stride, uint32_t max)
{
    unsigned shift = 0;

    while (shift < POOL_MAX_SHIFT &&
           (stride << (shift + 1)) <= POOL_CHUNK_BYTES && (1U << shift) < max)
        shift++;
    return shift;
}

int pool_new(struct pool **ret_pool, size_t item_size, uint32_t max)
{
    struct pool *pool;
    size_t n_chunks;

    if (item_size == 0 || item_size > SIZE_MAX / 4 || max == 0 ||
        max == POOL_NO_SLOT)
        return -EINVAL;
    pool = mem_zalloc(sizeof(*pool));
    if (!pool)
        return -ENOMEM;
    pool->item_size = item_size;
    pool->stride = (sizeof(struct slot) + item_size + POOL_ALIGN - 1) /
                   POOL_ALIGN * POOL_ALIGN;
    pool->max = max;
    pool->first_free = POOL_NO_SLOT;
    pool->shift = choose_shift(pool->stride, max);
    n_chunks = ((size_t)max + (1U << pool->shift) - 1) >> pool->shift;
    pool->chunks = mem_zarray(n_chunks, sizeof(*pool->chunks));
    if (!pool->chunks) {
        mem_free(pool);
        return -ENOMEM;
    }
    *ret_pool = pool;
    return 0;
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    for (size_t i = 0; (i << pool->shift) < pool->fresh; i++)
        mem_free(pool->chunks[i]);
    mem_free(pool->chunks);
    mem_free(pool);
}

static struct slot *take_fresh(struct pool *pool)
{
    uint8_t **chunk = &pool->chunks[pool->fresh >> pool->shift];
    struct slot *slot;

    if (!*chunk) {
        *chunk = mem_alloc(pool->stride << pool->shift);
        if (!*chunk)
            return NULL;
    }
    slot = slot_at(pool, pool->fresh);
    *slot = (struct slot){.index = pool->fresh, .generation = 1};
    pool->fresh++;
    return slot;
}

static struct slot *take_used(struct pool *pool)
{
    struct slot *slot = slot_at(pool, pool->first_free);

    pool->first_free = slot->next_free;
    return slot;
}

void *pool_take(struct pool *pool, struct pool_id *ret_id)
{
    struct slot *slot;
    void *item;

    if (pool->count >= pool->max)
        return NULL;
    if (pool->first_free != POOL_NO_SLOT)
        slot = take_used(pool);
    else
        slot = take_fresh(pool);
    if (!slot)
        return NULL;
    slot->live = 1;
    pool->count++;
    item = slot + 1;
    item_open(pool, item);
    memset(item, 0, pool->item_size);
    *ret_id = (struct pool_id){slot->index, slot->generation};
    return item;
}

void pool_give(struct pool *pool, void *item)
{
    struct slot *slot = slot_of(item);

    assert(slot->live);
    slot->live = 0;
    if (++slot->generation == 0)
        slot->generation = 1; /* {0, 0} must stay nothing */
    slot->next_free = pool->first_free;
    pool->first_free = slot->index;
    pool->count--;
    item_close(pool, item);
}

void *pool_find(const struct pool *pool, struct pool_id id)
{
    struct slot *slot;

    if (id.slot >= pool->fresh)
        return NULL;
    slot = slot_at(pool, id.slot);
    return slot->live && slot->generation == id.generation ? slot + 1 : NULL;
}

struct pool_id pool_id_of(const struct pool *pool, const void *item)
{
    const struct slot *slot = slot_of(item);

    (void)pool;
    assert(slot->live);
    return (struct pool_id){slot->index, slot->generation};
}

uint32_t pool_count(const struct pool *pool)
{
    return pool->count;
}

uint32_t pool_max(const struct pool *pool)
{
    return pool->max;
}

void *pool_each(const struct pool *pool, uint32_t *pos)
{
    while (*pos < pool->fresh) {
        struct slot *slot = slot_at(pool, (*pos)++);

        if (slot->live)
            return slot + 1;
    }
    return NULL;
}

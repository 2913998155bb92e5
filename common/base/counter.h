/* SPDX-License-Identifier: MIT */
/* counter.h - a number that one thread changes and any thread reads.
 *
 * The owner's add is a plain load and store (no locked instruction), so it
 * costs nothing on a data path; readers see a value that was true a moment
 * ago. With two writers counts get lost: give each thread its own.
 */
#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

struct counter {
    _Atomic uint64_t value;
};

static inline uint64_t counter_get(const struct counter *c)
{
    return atomic_load_explicit(&c->value, memory_order_relaxed);
}

static inline void counter_set(struct counter *c, uint64_t value)
{
    atomic_store_explicit(&c->value, value, memory_order_relaxed);
}

static inline void counter_add(struct counter *c, uint64_t n)
{
    counter_set(c, counter_get(c) + n);
}

static inline void counter_sub(struct counter *c, uint64_t n)
{
    counter_set(c, counter_get(c) - n);
}

#endif /* BASE_COUNTER_H */

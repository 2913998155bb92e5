/* SPDX-License-Identifier: MIT */
/* stats.h - counters and gauges a worker writes and another thread reads.
 *
 * Each module (or daemon) names its figures once, in a list macro:
 *
 *   #define TURN_STATS(X)                                                     \
 *       X(COUNTER, bad_packets, "bad_packets", "", "packets not understood")  \
 *       X(COUNTER, full, "refused", "reason=\"full\"", "allocations refused") \
 *       X(GAUGE, allocations, "allocations", "", "allocations alive")
 *
 *   struct turn_stats {
 *       TURN_STATS(STATS_FIELD)
 *   };
 *   static const struct stats_def turn_stats_defs[] = {TURN_STATS(STATS_DEF)};
 *
 * The struct then consists of nothing but uint64_t, in the order of the
 * definitions; two such structs behind each other are one, too. Rows of one
 * metric name (told apart by labels) stand together. "_total" is appended to
 * the names of counters where they are printed (app/stats.h).
 *
 * Writer: the one thread that owns the struct. Readers: any thread. An
 * increment is a plain load, add and store; relaxed order, never locked.
 */
#ifndef BASE_STATS_H
#define BASE_STATS_H

#include <stdint.h>

enum stats_kind {
    STATS_COUNTER, /* only grows */
    STATS_GAUGE,   /* what is there now; summed over the workers */
};

struct stats_def {
    enum stats_kind kind;
    const char *field;  /* name in the struct and in /status */
    const char *name;   /* metric name without prefix and "_total" */
    const char *labels; /* "" or name="value",… */
    const char *help;
};

#define STATS_FIELD(kind, field, name, labels, help) uint64_t field;
#define STATS_DEF(kind, field, name, labels, help)                             \
    {STATS_##kind, #field, name, labels, help},

static inline uint64_t stats_get(const uint64_t *value)
{
    return __atomic_load_n(value, __ATOMIC_RELAXED);
}

static inline void stats_set(uint64_t *value, uint64_t to)
{
    __atomic_store_n(value, to, __ATOMIC_RELAXED);
}

static inline void stats_add(uint64_t *value, uint64_t n)
{
    stats_set(value, stats_get(value) + n);
}

static inline void stats_inc(uint64_t *value)
{
    stats_add(value, 1);
}

/* For gauges. */
static inline void stats_dec(uint64_t *value)
{
    stats_set(value, stats_get(value) - 1);
}

#endif /* BASE_STATS_H */

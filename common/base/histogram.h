/* SPDX-License-Identifier: MIT */
/* histogram.h - how long things took, counted in fixed classes.
 *
 * One writer and any readers, as base/stats.h: a plain load, add and store;
 * relaxed order, never locked. Nothing but uint64_t, so that zeroed memory is
 * an empty one and two of them are added field by field.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include "base/stats.h"

enum { HISTOGRAM_CLASSES = 15 };

struct histogram {
    uint64_t classes[HISTOGRAM_CLASSES]; /* each by itself, not summed up */
    uint64_t sum_ms;
};

/* The longest of each class in milliseconds; the last takes everything. */
extern const uint32_t histogram_bounds_ms[HISTOGRAM_CLASSES - 1];

void histogram_add(struct histogram *histogram, uint64_t ms);

/* Add what another thread may be writing to. */
void histogram_sum(struct histogram *to, const struct histogram *from);

uint64_t histogram_count(const struct histogram *histogram);

#endif /* BASE_HISTOGRAM_H */

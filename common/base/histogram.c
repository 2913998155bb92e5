/* SPDX-License-Identifier: MIT */
#include "base/histogram.h"

const uint32_t histogram_bounds_ms[HISTOGRAM_CLASSES - 1] = {
    1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000};

void histogram_add(struct histogram *h, uint64_t ms)
{
    unsigned i = 0;

    while (i < HISTOGRAM_CLASSES - 1 && ms > histogram_bounds_ms[i])
        i++;
    stats_inc(&h->classes[i]);
    stats_add(&h->sum_ms, ms);
}

void histogram_sum(struct histogram *to, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_CLASSES; i++)
        to->classes[i] += stats_get(&from->classes[i]);
    to->sum_ms += stats_get(&from->sum_ms);
}

uint64_t histogram_count(const struct histogram *h)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < HISTOGRAM_CLASSES; i++)
        n += stats_get(&h->classes[i]);
    return n;
}

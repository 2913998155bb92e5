/* SPDX-License-Identifier: MIT */
#include "turn/turn_meter.h"

bool turn_meter_take(struct turn_meter *meter, uint64_t bytes_per_s,
                     size_t bytes, uint64_t now)
{
    uint64_t due = __atomic_load_n(&meter->due_us, __ATOMIC_RELAXED);
    uint64_t now_us = now * 1000;
    uint64_t cost;
    uint64_t next;

    if (bytes_per_s == 0)
        return true;
    cost = bytes * 1000000ULL / bytes_per_s;
    do {
        next = (due > now_us ? due : now_us) + cost;
        if (next > now_us + TURN_METER_BURST_MS * 1000ULL)
            return false;
    } while (!__atomic_compare_exchange_n(&meter->due_us, &due, next, true,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return true;
}

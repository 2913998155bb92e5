/* SPDX-License-Identifier: MIT */
/* turn_meter.h - a bandwidth that several workers share, without a lock.
 *
 * The generic cell rate algorithm: one number, the moment at which what was
 * let through so far would have been due. It may run ahead of now by the
 * burst. Updated by compare-and-swap, so any thread may take.
 */
#ifndef TURN_METER_H
#define TURN_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct turn_meter {
    uint64_t due_us; /* atomic; all zero is a fresh one */
};

enum { TURN_METER_BURST_MS = 1000 };

/* Take `bytes` at `bytes_per_s` (0: no limit). False: over the limit, nothing
 * is taken. `now` is monotonic milliseconds. */
bool turn_meter_take(struct turn_meter *meter, uint64_t bytes_per_s,
                     size_t bytes, uint64_t now);

#endif /* TURN_METER_H */

/* SPDX-License-Identifier: MIT */
/* timers.h - deadlines, driven by the caller's `now`.
 *
 * A pairing heap whose nodes live inside the timed objects: arming cannot
 * fail and allocates nothing. Times are monotonic milliseconds.
 * Not thread-safe.
 */
#ifndef BASE_TIMERS_H
#define BASE_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

#define TIMERS_NEVER UINT64_MAX

struct timer {
    struct timer *child;
    struct timer *sibling;
    struct timer *prev; /* left sibling, or parent of a first child */
    uint64_t deadline;
    bool armed;
    uint8_t kind; /* the owner's own mark: which of its timers this is */
};

struct timers {
    struct timer *root;
};

void timers_init(struct timers *timers);

/* A timer that is not armed. */
void timer_init(struct timer *timer, uint8_t kind);

/* Arm, or move to another deadline. */
void timers_set(struct timers *timers, struct timer *timer, uint64_t deadline);

/* Harmless when not armed. */
void timers_cancel(struct timers *timers, struct timer *timer);

/* Take one timer whose deadline is <= now, disarmed; NULL when there is none.
 * Call until NULL; the handler may set and cancel any timer. */
struct timer *timers_take_expired(struct timers *timers, uint64_t now);

/* The earliest deadline, or TIMERS_NEVER. */
uint64_t timers_next(const struct timers *timers);

#endif /* BASE_TIMERS_H */

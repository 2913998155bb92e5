/* SPDX-License-Identifier: MIT */
/* ratelim.h - token bucket, driven by the caller's `now` (milliseconds). */
#ifndef BASE_RATELIM_H
#define BASE_RATELIM_H

#include <stdbool.h>
#include <stdint.h>

struct ratelim {
    uint64_t per_second_milli; /* tokens per second, times 1000 */
    uint64_t burst;            /* most tokens kept */
    uint64_t level_micro;      /* millionths of a token: no rounding */
    uint64_t last;             /* ms */
};

/* Starts full. `per_second_milli` 0 means no limit. */
void ratelim_init(struct ratelim *limit, uint64_t per_second_milli,
                  uint64_t burst, uint64_t now);

/* Take `n` tokens at once, or none. A clock that steps back refills nothing. */
bool ratelim_take(struct ratelim *limit, uint64_t n, uint64_t now);

/* Milliseconds until `n` tokens are there; 0 when they are, UINT64_MAX when
 * `n` is more than the burst, which never comes. */
uint64_t ratelim_wait_ms(const struct ratelim *limit, uint64_t n, uint64_t now);

#endif /* BASE_RATELIM_H */

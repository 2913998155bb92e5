/* SPDX-License-Identifier: MIT */
#include "base/ratelim.h"

/* One token per second during one millisecond is a thousandth of a token; the
 * rate has thousandths itself, so milliseconds times rate are millionths. */
#define MICRO UINT64_C(1000000)

static uint64_t full_level(const struct ratelim *limit)
{
    return limit->burst * MICRO;
}

static uint64_t level_at(const struct ratelim *limit, uint64_t now)
{
    uint64_t missing = full_level(limit) - limit->level_micro;
    uint64_t elapsed = now > limit->last ? now - limit->last : 0;

    if (elapsed == 0)
        return limit->level_micro;
    if (elapsed > missing / limit->per_second_milli)
        return full_level(limit);
    return limit->level_micro + elapsed * limit->per_second_milli;
}

void ratelim_init(struct ratelim *limit, uint64_t per_second_milli,
                  uint64_t burst, uint64_t now)
{
    limit->per_second_milli = per_second_milli;
    limit->burst = burst < UINT64_MAX / MICRO ? burst : UINT64_MAX / MICRO;
    limit->level_micro = full_level(limit);
    limit->last = now;
}

bool ratelim_take(struct ratelim *limit, uint64_t n, uint64_t now)
{
    if (limit->per_second_milli == 0)
        return true;
    limit->level_micro = level_at(limit, now);
    if (now > limit->last)
        limit->last = now;
    if (n > limit->level_micro / MICRO)
        return false;
    limit->level_micro -= n * MICRO;
    return true;
}

uint64_t ratelim_wait_ms(const struct ratelim *limit, uint64_t n, uint64_t now)
{
    uint64_t level;
    uint64_t missing;

    if (limit->per_second_milli == 0)
        return 0;
    if (n > limit->burst)
        return UINT64_MAX;
    level = level_at(limit, now);
    if (n * MICRO <= level)
        return 0;
    missing = n * MICRO - level;
    return (missing - 1) / limit->per_second_milli + 1;
}

/* SPDX-License-Identifier: MIT */
/* sip_budget.h - how many requests under way one source address has, so that
 * none fills the table for all. An IPv6 source is its /64.
 *
 * Exact, not a sample: what is taken is given back. Memory: one item per source
 * that has something under way.
 */
#ifndef SIP_BUDGET_H
#define SIP_BUDGET_H

#include "base/addr.h"
#include "base/map.h"

struct sip_budget {
    struct map map;
};

/* At most `max` requests in all; `seed` is 16 random bytes. Cannot fail. */
void sip_budget_init(struct sip_budget *budget, size_t max,
                     const uint8_t seed[16]);
void sip_budget_deinit(struct sip_budget *budget);

/* Take one of `limit`. False: the source has as many, or out of memory. */
bool sip_budget_take(struct sip_budget *budget, const struct addr *source,
                     uint32_t limit);
void sip_budget_give(struct sip_budget *budget, const struct addr *source);

#endif /* SIP_BUDGET_H */

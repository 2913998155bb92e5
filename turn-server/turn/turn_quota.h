/* SPDX-License-Identifier: MIT */
/* turn_quota.h - how many allocations there are: in all, by user, by client
 * address; over all workers.
 *
 * Asked when an allocation is made and told when it ends, never on the data
 * path; a short lock inside.
 */
#ifndef TURN_QUOTA_H
#define TURN_QUOTA_H

#include "base/addr.h"
#include "turn/turn_meter.h"

struct turn_quota;

/* One user or one source address; shared by its allocations. */
struct turn_quota_entry;

/* What an allocation holds. */
struct turn_quota_hold {
    struct turn_quota_entry *user;
    struct turn_quota_entry *source;
};

enum turn_quota_verdict {
    TURN_QUOTA_OK,
    TURN_QUOTA_TOTAL,
    TURN_QUOTA_USER,
    TURN_QUOTA_SOURCE,
    TURN_QUOTA_NO_MEMORY,
};

/* 0 means no limit. */
struct turn_quota_limits {
    uint32_t total;
    uint32_t per_user;
    uint32_t per_source;
};

/* Returns 0 or -ENOMEM. All holds must be given back before it is freed. */
int turn_quota_new(struct turn_quota **ret_quota);
void turn_quota_free(struct turn_quota *quota);

/* Count one allocation of `user` from the IP of `source` (IPv6: its /64).
 * TURN_QUOTA_OK fills `*ret_hold`; give it back with turn_quota_give(). */
enum turn_quota_verdict turn_quota_take(struct turn_quota *quota,
                                        struct span user,
                                        const struct addr *source,
                                        const struct turn_quota_limits *limits,
                                        struct turn_quota_hold *ret_hold);
void turn_quota_give(struct turn_quota *quota, struct turn_quota_hold *hold);

/* The user's name; valid while held. */
struct span turn_quota_user(const struct turn_quota_hold *hold);

/* The bandwidth all allocations of the user share, in both directions. */
struct turn_meter *turn_quota_meter(const struct turn_quota_hold *hold);

uint32_t turn_quota_total(struct turn_quota *quota);

#endif /* TURN_QUOTA_H */

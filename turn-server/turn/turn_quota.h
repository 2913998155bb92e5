/* SPDX-License-Identifier: MIT */
/* turn_quota.h - how many allocations there are: in all, by realm, by user and
 * by client address of a realm; over all workers.
 *
 * Asked when an allocation is made and told when it ends, never on the data
 * path; a short lock inside.
 */
#ifndef TURN_QUOTA_H
#define TURN_QUOTA_H

#include "base/addr.h"
#include "turn/turn_meter.h"

struct turn_quota;

/* One realm, user or source address; shared by its allocations. */
struct turn_quota_entry;

/* What an allocation (or a reserved port) holds. */
struct turn_quota_hold {
    struct turn_quota_entry *realm;
    struct turn_quota_entry *user;
    struct turn_quota_entry *source;
};

enum turn_quota_verdict {
    TURN_QUOTA_OK,
    TURN_QUOTA_TOTAL,
    TURN_QUOTA_REALM,
    TURN_QUOTA_USER,
    TURN_QUOTA_SOURCE,
    TURN_QUOTA_NO_MEMORY,
};

/* 0 means no limit. */
struct turn_quota_limits {
    uint32_t total;
    uint32_t per_realm;
    uint32_t per_user;
    uint32_t per_source;
};

/* Returns 0 or -ENOMEM. All holds must be given back before it is freed. */
int turn_quota_new(struct turn_quota **ret_quota);
void turn_quota_free(struct turn_quota *quota);

/* Who takes: the same name in two realms is two users. */
struct turn_quota_who {
    uint32_t realm;
    struct span user;          /* at most TURN_QUOTA_USER_MAX bytes count */
    const struct addr *source; /* its IP; of IPv6 the /64 */
};
enum { TURN_QUOTA_USER_MAX = 512 };

/* Count one allocation. TURN_QUOTA_OK fills `*ret_hold`; give it back with
 * turn_quota_give(). */
enum turn_quota_verdict turn_quota_take(struct turn_quota *quota,
                                        const struct turn_quota_who *who,
                                        const struct turn_quota_limits *limits,
                                        struct turn_quota_hold *ret_hold);
void turn_quota_give(struct turn_quota *quota, struct turn_quota_hold *hold);

/* The user's name; valid while held. */
struct span turn_quota_user(const struct turn_quota_hold *hold);

/* The bandwidth all allocations of the user, or of the realm, share in both
 * directions. */
struct turn_meter *turn_quota_meter(const struct turn_quota_hold *hold);
struct turn_meter *turn_quota_realm_meter(const struct turn_quota_hold *hold);

/* How many connections of TCP relays the user has; counted with atomic
 * operations by who makes them. */
uint32_t *turn_quota_connections(const struct turn_quota_hold *hold);

uint32_t turn_quota_total(struct turn_quota *quota);

#endif /* TURN_QUOTA_H */

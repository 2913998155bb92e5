/* SPDX-License-Identifier: MIT */
/* turn_perm.h - the permissions of one allocation (RFC 8656 section 9).
 *
 * A permission lets one peer IP address send to the relayed address, and be
 * sent to, until it expires. The first few live inside the allocation.
 * Pure state; the caller passes `now`.
 */
#ifndef TURN_PERM_H
#define TURN_PERM_H

#include "base/addr.h"
#include "turn/turn_policy.h"

enum {
    TURN_PERM_LIFETIME_MS = 300 * 1000,
    TURN_PERMS_INLINE = 3,
};

struct turn_perm {
    struct addr peer; /* port 0 */
    uint64_t expires; /* 0: never used */
    uint8_t reach;    /* enum turn_reach: SOME asks the policy for each port */
};

struct turn_perms {
    struct turn_perm *more; /* all of them, once there are more than fit */
    uint16_t capacity;
    struct turn_perm few[TURN_PERMS_INLINE];
};

/* No permissions; the struct must not move afterwards. */
void turn_perms_init(struct turn_perms *perms);
void turn_perms_deinit(struct turn_perms *perms);

/* Room for `n` more than live now, so that the next `n` grants succeed.
 * Returns 0, ERR_LIMIT when there would be more than `max`, -ENOMEM. */
int turn_perms_reserve(struct turn_perms *perms, size_t n, size_t max,
                       uint64_t now);

/* Install or refresh. turn_perms_reserve() has made room. */
void turn_perms_grant(struct turn_perms *perms, const struct addr *peer,
                      enum turn_reach reach, uint64_t now);

/* The live permission for this peer's IP, or NULL. */
struct turn_perm *turn_perms_find(const struct turn_perms *perms,
                                  const struct addr *peer, uint64_t now);

size_t turn_perms_count(const struct turn_perms *perms, uint64_t now);

/* Judge all again by new rules. Returns how many ended. */
size_t turn_perms_review(struct turn_perms *perms,
                         const struct turn_policy *policy, uint64_t now);

#endif /* TURN_PERM_H */

/* SPDX-License-Identifier: MIT */
/* turn_rules.h - everything an operator decides, as one immutable snapshot:
 * users, peers, limits.
 *
 * Built on one thread, read by all; counted by reference. A reload builds a
 * new one and hands it to the cores.
 */
#ifndef TURN_RULES_H
#define TURN_RULES_H

#include "turn/turn_policy.h"
#include "turn/turn_users.h"

/* Times in seconds. */
struct turn_limits {
    uint32_t lifetime_default; /* of an allocation that asks for none */
    uint32_t lifetime_max;
    uint32_t nonce_lifetime;
    uint32_t max_allocations; /* in all */
    uint32_t max_per_user;    /* allocations; 0: no limit */
    uint32_t max_per_source;  /* allocations per client address; 0: none */
    uint16_t max_permissions; /* of one allocation */
    uint16_t max_channels;
    uint64_t max_bandwidth;   /* bytes/s of one allocation, each direction;
                                 0: no limit */
    uint64_t user_bandwidth;  /* bytes/s of one user, both directions */
    uint64_t total_bandwidth; /* bytes/s of the server, both directions */
    uint32_t challenge_rate;  /* unauthenticated requests answered per second
                                 and source; 0: no limit */
};

struct turn_rules_options {
    struct span realm;    /* 1 … 127 bytes, copied */
    struct span software; /* SOFTWARE of authenticated answers; empty: none */
    struct turn_users_options users;   /* its realm is filled in here */
    struct turn_policy_options policy; /* lists are copied */
    struct turn_limits limits;
    /* Where to send clients that come while this server is draining, by
     * family (ALTERNATE-SERVER); ADDR_NONE: they get 508. */
    struct addr alternate_v4;
    struct addr alternate_v6;
    bool log_allocations; /* a line when one opens and one when it ends */
};

struct turn_rules {
    unsigned refs;
    char *realm_text;
    struct span realm;
    char *software_text;
    struct span software;
    struct turn_users *users;
    struct turn_policy *policy;
    struct turn_limits limits;
    struct addr alternate_v4;
    struct addr alternate_v6;
    bool log_allocations;
};

enum { TURN_RULES_ERROR_SIZE = 160 };

/* Returns 0 and the first reference; ERR_CONFIG with the reason in `error`;
 * -ENOMEM. */
int turn_rules_new(struct turn_rules **ret_rules,
                   const struct turn_rules_options *options,
                   char error[TURN_RULES_ERROR_SIZE]);

/* Any thread. turn_rules_unref() accepts NULL; the last one releases. */
struct turn_rules *turn_rules_ref(struct turn_rules *rules);
void turn_rules_unref(struct turn_rules *rules);

#endif /* TURN_RULES_H */

/* SPDX-License-Identifier: MIT */
/* turn_rules.h - everything an operator decides, as one immutable snapshot:
 * realms (users, peers), limits.
 *
 * Built on one thread, read by all; counted by reference. A reload builds a
 * new one and hands it to the cores.
 */
#ifndef TURN_RULES_H
#define TURN_RULES_H

#include "turn/turn_realm.h"

/* What holds for the server as a whole. Times in seconds. */
struct turn_limits {
    uint32_t lifetime_default; /* of an allocation that asks for none */
    uint32_t lifetime_max;
    uint32_t nonce_lifetime;
    uint32_t max_allocations; /* in all */
    uint16_t max_permissions; /* of one allocation */
    uint16_t max_channels;
    /* Connections of TCP relays: in all, of one user (0: no limit), of one
     * allocation */
    uint32_t tcp_total;
    uint32_t tcp_per_user;
    uint16_t tcp_per_allocation;
    bool mobility; /* clients may go on from another address (RFC 8016) */
    uint64_t total_bandwidth; /* bytes/s of the server, both directions; 0: no
                                 limit */
    uint32_t challenge_rate;  /* unauthenticated requests answered per second
                                 and source; 0: no limit */
};

struct turn_rules_options {
    struct turn_realm_options realm;       /* the default one */
    const struct turn_realm_options *more; /* borrowed */
    size_t n_more;
    struct span software; /* SOFTWARE of authenticated answers; empty: none */
    struct turn_limits limits;
    /* Where to send clients that come while this server is draining, by
     * family (ALTERNATE-SERVER); ADDR_NONE: they get 508. */
    struct addr alternate_v4;
    struct addr alternate_v6;
    bool log_allocations; /* a line when one opens and one when it ends */
};

struct turn_rules {
    unsigned refs;
    struct turn_realm *realms; /* the default one first */
    size_t n_realms;
    char *software_text;
    struct span software;
    struct turn_limits limits;
    struct addr alternate_v4;
    struct addr alternate_v6;
    bool log_allocations;
};

/* Returns 0 and the first reference; ERR_CONFIG with the reason in `error`
 * (it begins with the realm's name unless that is the default one); -ENOMEM.
 */
int turn_rules_new(struct turn_rules **ret_rules,
                   const struct turn_rules_options *options,
                   char error[TURN_RULES_ERROR_SIZE]);

/* The realm of this id, or NULL: there is none any more. */
const struct turn_realm *turn_rules_realm(const struct turn_rules *rules,
                                          uint32_t id);

/* The realm of TLS clients that ask for this server name; the default one when
 * no other claims it. */
uint32_t turn_rules_realm_of_server(const struct turn_rules *rules,
                                    struct span server_name);

/* Any thread. turn_rules_unref() accepts NULL; the last one releases. */
struct turn_rules *turn_rules_ref(struct turn_rules *rules);
void turn_rules_unref(struct turn_rules *rules);

#endif /* TURN_RULES_H */

/* SPDX-License-Identifier: MIT */
/* turn_realm.h - one realm: its users, the peers they may reach, what they may
 * take. Several of them share a server and know nothing of each other.
 *
 * A realm is known by the id of its name, so that a reload finds it again
 * wherever it then stands; the default realm has id 0 under any name.
 * Immutable; read by any thread.
 */
#ifndef TURN_REALM_H
#define TURN_REALM_H

#include "turn/turn_policy.h"
#include "turn/turn_tokens.h"
#include "turn/turn_users.h"

enum {
    TURN_REALMS_MAX = 64, /* the default one among them */
    TURN_REALM_NAME_MAX = 127,
    TURN_REALM_DEFAULT = 0, /* id of the default realm */
    TURN_RULES_ERROR_SIZE = 160,
};

/* 0: no limit, everywhere. */
struct turn_realm_limits {
    uint32_t max_allocations; /* of the realm */
    uint32_t max_per_user;    /* allocations of one user */
    uint32_t max_per_source;  /* allocations of one client address */
    uint64_t max_bandwidth;   /* bytes/s of one allocation, each direction */
    uint64_t user_bandwidth;  /* bytes/s of one user, both directions */
    uint64_t realm_bandwidth; /* bytes/s of the realm, both directions */
};

/* A user who may have more allocations than the others, or fewer. */
struct turn_user_quota {
    struct span user; /* as quotas count: without expiry */
    uint32_t max;
};

struct turn_realm_options {
    struct span name; /* 1 … TURN_REALM_NAME_MAX bytes, copied */
    /* TLS clients that ask for one of these names are of this realm, unless
     * their listener says another. Copied. */
    const char *const *server_names;
    size_t n_server_names;
    struct turn_users_options users;   /* its realm is filled in here */
    struct turn_tokens_options tokens; /* keys.ptr NULL: takes no tokens; no
                                          server name: that of the realm */
    struct turn_policy_options policy; /* lists are copied */
    /* TCP relays (RFC 6062): of peers these alone, but for the deny rules,
     * what can never be a peer, and hairpin as in `policy`. */
    bool has_tcp;
    const struct cidr *allow_tcp;
    size_t n_allow_tcp;
    struct turn_realm_limits limits;
    const struct turn_user_quota *quotas; /* copied */
    size_t n_quotas;
    uint8_t slot; /* below TURN_REALMS_MAX: where its figures are kept */
};

struct turn_realm {
    uint32_t id;
    uint8_t slot;
    struct span name;
    char *name_text;
    char **server_names;
    size_t n_server_names;
    struct turn_users *users;
    struct turn_tokens *tokens; /* NULL: takes none */
    struct turn_policy *policy;
    struct turn_policy *tcp_policy; /* of TCP relays */
    bool has_tcp;
    struct turn_realm_limits limits;
    struct turn_user_quota *quotas;
    size_t n_quotas;
};

/* The id of a name; never TURN_REALM_DEFAULT. */
uint32_t turn_realm_id(struct span name);

/* Fill a zeroed realm. Returns 0; ERR_CONFIG with the reason in `error`;
 * -ENOMEM. turn_realm_deinit() releases in every case. */
int turn_realm_init(struct turn_realm *realm,
                    const struct turn_realm_options *options,
                    char error[TURN_RULES_ERROR_SIZE]);
void turn_realm_deinit(struct turn_realm *realm);

/* Has this user a number of allocations of his own? Then neither the realm's
 * limit for a user nor that for a source is his. */
bool turn_realm_user_quota(const struct turn_realm *realm, struct span user,
                           uint32_t *ret_max);

/* Is it asked for by this server name (without case)? */
bool turn_realm_has_server_name(const struct turn_realm *realm,
                                struct span name);

#endif /* TURN_REALM_H */

/* SPDX-License-Identifier: MIT */
/* turn_users.h - who may use the relay: users with a fixed password, and
 * users whose name carries an expiry and whose password follows from a shared
 * secret ("TURN REST": name "expiry[:id]", password
 * base64(HMAC-SHA1(secret, name))).
 *
 * Names and passwords are prepared by the OpaqueString profile (turn_prep.h),
 * so that a text is the same in every spelling. Names of time-limited users
 * are taken as they come: their password follows from their bytes.
 *
 * Only keys are kept, never a password. Immutable; read by any thread.
 */
#ifndef TURN_USERS_H
#define TURN_USERS_H

#include "stun/stun_auth.h"

struct turn_users;

enum {
    TURN_SECRETS_MAX = 4,    /* alive at the same time */
    TURN_USERNAME_MAX = 508, /* bytes (RFC 8489 14.3) */
};

struct turn_users_options {
    struct span realm;
    /* Lines "name:password", "name:HA1" with HA1 = MD5(name:realm:password)
     * as 32 hex digits, or its SHA-256 form as 64; # begins a comment line.
     * A password that looks like one of these must be given as its HA1. */
    struct span users;
    /* One secret a line, the newest first. */
    struct span secrets;
};

/* Returns 0; ERR_CONFIG and a sentence naming the line in `error` (never the
 * content); -ENOMEM. */
int turn_users_new(struct turn_users **ret_users,
                   const struct turn_users_options *options, char *error,
                   size_t error_size);
void turn_users_free(struct turn_users *users);

/* What a name stands for. */
struct turn_user {
    struct span name;  /* as the client sent it, or found by its hash */
    struct span quota; /* what quotas count by: the name without expiry */
    uint64_t expiry;   /* seconds since 1970; 0: none */
    struct stun_key keys[TURN_SECRETS_MAX]; /* any of these may be right */
    size_t n_keys;
};

/* Find by name; `name` is borrowed by the result. False when unknown, or when
 * it has no key of this algorithm. A name whose expiry is over is found. */
bool turn_users_find(const struct turn_users *users, struct span name,
                     enum stun_algorithm algorithm, struct turn_user *ret_user);

/* Find by USERHASH; only users with a fixed password have one. */
bool turn_users_find_hash(const struct turn_users *users, struct span hash,
                          enum stun_algorithm algorithm,
                          struct turn_user *ret_user);

/* The features to offer in nonces: SHA-256 keys only when every user has one,
 * USERHASH only when every name is known in advance. */
uint32_t turn_users_features(const struct turn_users *users);

/* Users with a fixed password, and secrets. */
size_t turn_users_count(const struct turn_users *users);
size_t turn_users_secrets(const struct turn_users *users);

#endif /* TURN_USERS_H */

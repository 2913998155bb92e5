/* SPDX-License-Identifier: MIT */
/* sip_guard_internal.h - the guard's tables, for its files: sip_guard.c (rates
 * of sources, guesses, bans, scanners), sip_guard_callers.c (rates of users and
 * of new connections, users that are not there), sip_guard_nonces.c (who has
 * heard a challenge) and sip_guard_names.c (whose credentials a request has).
 */
#ifndef SIP_GUARD_INTERNAL_H
#define SIP_GUARD_INTERNAL_H

#include "proxy/sip_guard.h"
#include "proxy/sip_recent.h"

enum {
    KNOWN_HOMES = 4,  /* sources remembered per user */
    KNOWN_NONCES = 4, /* challenges remembered per source */
};

struct source {
    struct sip_recent_item item;
    struct ratelim rate;
    struct ratelim connects;
    int64_t failures; /* below 0: credit */
    uint64_t window_end;
    uint32_t misses; /* users asked for that are not there */
    uint64_t misses_end;
    uint64_t nonces[KNOWN_NONCES]; /* hashes; 0: none */
    uint32_t next_nonce;
};

/* One user at one place. */
struct caller {
    struct sip_recent_item item;
    struct ratelim rate;
};

struct user {
    struct sip_recent_item item;
    uint32_t failures;
    uint32_t next_home;
    uint64_t window_end;
    uint64_t refused_until;
    struct sip_recent_key homes[KNOWN_HOMES]; /* where it has registered */
};

struct ban {
    struct sip_recent_item item;
    uint64_t until;
};

struct sip_guard {
    const struct sip_guard_config *config;
    struct sip_recent sources;
    struct sip_recent users;
    struct sip_recent bans;
    struct sip_recent callers;
    uint64_t seed[2];
};

struct sip_recent_key sip_guard_key(const struct addr *source);
struct source *sip_guard_source(struct sip_guard *guard,
                                const struct sip_recent_key *key, uint64_t now);
uint32_t sip_guard_level(uint32_t rate, uint32_t burst);
bool sip_guard_take(struct ratelim *rate, bool has_priority, uint64_t now);
void sip_guard_ban_key(struct sip_guard *guard,
                       const struct sip_recent_key *key, uint64_t until);

/* The users that a request has credentials of, each once; one without a name
 * is a user, too. */
enum { SIP_GUARD_NAMES_MAX = 8 };

struct sip_guard_names {
    struct sip_recent_key keys[SIP_GUARD_NAMES_MAX];
    size_t n;
    bool is_more; /* than there is room for */
};

void sip_guard_read_names(const struct sip_guard *guard,
                          const struct sip_msg *request,
                          struct sip_guard_names *ret_names);

static inline bool sip_guard_same(const struct sip_recent_key *a,
                                  const struct sip_recent_key *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* The credentials of a request use a challenge that was sent to that very
 * address: so it reads what is sent there. */
bool sip_guard_has_nonce(struct sip_guard *guard, const struct addr *source,
                         const struct sip_msg *request);

/* Remember the challenge of a response that goes there. */
void sip_guard_note_nonce(struct sip_guard *guard, const struct addr *source,
                          const struct sip_msg *response, uint64_t now);

#endif /* SIP_GUARD_INTERNAL_H */

/* SPDX-License-Identifier: MIT */
/* sip_guard.h - who sends too much, guesses passwords, or scans.
 *
 * Knows source addresses (an IPv6 one by its /64) and users, both in tables
 * that forget the oldest. Says what to do; the core does and counts it.
 *
 *   rates    requests of one source and of one connection, as token buckets.
 *            A quarter of the burst is kept for what belongs to calls.
 *   guesses  a media server answers credentials with 401 or 407 (unless the
 *            nonce was stale), or a REGISTER that has them with 403 or 404.
 *            Too many of one source ban it for a while; each REGISTER that
 *            succeeds makes up for some, so that an office behind one address
 *            survives a phone with a wrong password. Too many for one user,
 *            of any source: the user's credentials are taken only from where
 *            that user has registered before.
 *   scanners known by their User-Agent.
 *
 *   misses   answers that a user is not there (404, 410, 484, 604) to who has
 *            not registered: somebody tries numbers. Too many ban the source.
 *
 * What came over a connection counts; the source of a datagram is easily
 * somebody else's address, and a ban would hit that one. A guess in a datagram
 * counts when it answers a challenge that was sent to that very address.
 *
 * No clock, no sockets. One per core; bans are told to the others.
 */
#ifndef SIP_GUARD_H
#define SIP_GUARD_H

#include "base/cidr.h"
#include "base/ratelim.h"
#include "msg/sip_msg.h"

enum {
    SIP_EXEMPT_MAX = 64,
    SIP_GUARD_SOURCES = 16384, /* per worker, about 120 bytes each */
    SIP_GUARD_USERS = 8192,
    SIP_GUARD_BANS = 4096,
    SIP_GUARD_CALLERS = 16384,
};

/* All zero: nothing is guarded. */
struct sip_guard_config {
    uint32_t source_rate; /* requests per second; 0: any */
    uint32_t source_burst;
    uint32_t flow_rate; /* of one connection */
    uint32_t flow_burst;
    uint32_t user_rate; /* of one user at one place */
    uint32_t user_burst;
    uint32_t connect_rate; /* new connections of one source */
    uint32_t connect_burst;
    uint32_t unknown_users;   /* of one source in the window, then a ban */
    uint32_t source_failures; /* in the window, then a ban; 0: never */
    uint32_t user_failures;
    uint32_t window_ms;
    uint32_t ban_ms;
    bool scanners;                      /* refuse them */
    struct cidr exempt[SIP_EXEMPT_MAX]; /* never limited, never banned */
    size_t n_exempt;
};

enum sip_guard_news {
    SIP_GUARD_NOTHING,
    SIP_GUARD_FAILED, /* a guess that counts */
    SIP_GUARD_BANNED, /* and the one too many: the source is banned now */
};

struct sip_guard;

/* `config` is borrowed until replaced; `seed` is random.
 * Returns 0 or -ENOMEM. Release with sip_guard_free(). */
int sip_guard_new(struct sip_guard **ret_guard,
                  const struct sip_guard_config *config,
                  const uint8_t seed[16]);
void sip_guard_free(struct sip_guard *guard);

/* New limits; bans stay, but of those exempt now. */
void sip_guard_reload(struct sip_guard *guard,
                      const struct sip_guard_config *config);

bool sip_guard_is_exempt(const struct sip_guard *guard,
                         const struct addr *source);

/* The source is banned. Forgets a ban that is over. */
bool sip_guard_is_banned(struct sip_guard *guard, const struct addr *source,
                         uint64_t now);

/* Another worker says so. */
void sip_guard_ban(struct sip_guard *guard, const struct addr *source,
                   uint64_t until);

/* Bans there are, those over and not yet looked at included. */
size_t sip_guard_bans(const struct sip_guard *guard);

/* Forget bans that are over. */
void sip_guard_sweep(struct sip_guard *guard, uint64_t now);

/* A message that belongs to a call: it may use the whole burst. */
bool sip_guard_has_priority(const struct sip_msg *msg);

/* Take one request of this source. False: too many. */
bool sip_guard_take_source(struct sip_guard *guard, const struct addr *source,
                           bool has_priority, uint64_t now);

/* The bucket of a connection. */
void sip_guard_flow_init(const struct sip_guard *guard, struct ratelim *flow,
                         uint64_t now);
bool sip_guard_take_flow(const struct sip_guard *guard, struct ratelim *flow,
                         bool has_priority, uint64_t now);

/* A request by a known scanner, when they are to be refused. */
bool sip_guard_is_scanner(const struct sip_guard *guard,
                          const struct sip_msg *request);

/* The request has credentials of a user that is being guessed, and comes from
 * where that user never registered; or of so many users that somebody must be
 * guessing. */
bool sip_guard_refuses_user(struct sip_guard *guard, const struct addr *source,
                            const struct sip_msg *request, uint64_t now);

/* A new connection of this source. False: too many. */
bool sip_guard_take_connection(struct sip_guard *guard,
                               const struct addr *source, uint64_t now);

/* A request of the user in From, from there. False: too many. */
bool sip_guard_take_user(struct sip_guard *guard, const struct addr *source,
                         const struct sip_msg *request, uint64_t now);

/* The status says that a user is not there. */
bool sip_guard_is_miss(unsigned status);

/* That was said to a source that has not registered. */
enum sip_guard_news sip_guard_on_miss(struct sip_guard *guard,
                                      const struct addr *source, uint64_t now);

/* A media server's final response to a request from outside. `is_proven`: it
 * came over a connection. */
enum sip_guard_news
sip_guard_on_response(struct sip_guard *guard, const struct addr *source,
                      bool is_proven, const struct sip_msg *request,
                      const struct sip_msg *response, uint64_t now);

/* A status that sip_guard_on_response() may make something of. */
bool sip_guard_wants(const struct sip_guard *guard, enum sip_method method,
                     unsigned status);

#endif /* SIP_GUARD_H */

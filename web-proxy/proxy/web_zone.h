/* SPDX-License-Identifier: MIT */
/* web_zone.h - rate zones, with the meaning administrators know from nginx.
 *
 * A zone is a leaky bucket per client: it drains at `rate`; each request adds
 * one. A rule names a zone and how far above empty a request may find the
 * bucket (`burst`); beyond it is refused, and refused requests add nothing.
 * Inside the burst a request is either passed at once (WEB_ZONE_NODELAY) or
 * paced: the verdict says how long it has to wait for its turn.
 *
 * The client is an IPv4 address, or the /64 of an IPv6 one. The table is
 * bounded; when it is full the client not seen for longest is forgotten.
 *
 * Shared by all workers and kept across reloads (so counted): every call may
 * come from any thread; a shard's lock is held for one look-up only.
 */
#ifndef WEB_ZONE_H
#define WEB_ZONE_H

#include "base/addr.h"

#include <stdbool.h>
#include <stdint.h>

struct web_zone;

struct web_zone_spec {
    uint32_t rate_milli; /* requests per 1000 seconds: 30 r/s is 30000 */
    uint32_t clients;    /* how many are remembered at most */
};

enum web_zone_pace {
    WEB_ZONE_DELAY,
    WEB_ZONE_NODELAY,
};

struct web_zone_rule {
    uint32_t burst;
    enum web_zone_pace pace;
};

struct web_zone_verdict {
    bool pass;
    uint64_t wait_ms; /* pass: hold the request so long; else Retry-After */
};

/* Create with one reference. `seed` is 16 random bytes.
 * Returns 0, -EINVAL (rate or clients 0), or -ENOMEM. */
int web_zone_new(struct web_zone **ret_zone, const struct web_zone_spec *spec,
                 const uint8_t seed[16]);

struct web_zone *web_zone_ref(struct web_zone *zone);

/* Drop a reference, the last one releases. NULL is accepted. */
void web_zone_unref(struct web_zone *zone);

const struct web_zone_spec *web_zone_spec_of(const struct web_zone *zone);

/* Account one request of `client` at `now` (monotonic ms). */
struct web_zone_verdict web_zone_take(struct web_zone *zone,
                                      const struct addr *client,
                                      const struct web_zone_rule *rule,
                                      uint64_t now);

/* The same for one who is not known by the address: `key` is the hash of what
 * tells him from others. */
struct web_zone_verdict web_zone_take_key(struct web_zone *zone, uint64_t key,
                                          const struct web_zone_rule *rule,
                                          uint64_t now);

/* What a request of `client` would meet; nothing is accounted. */
struct web_zone_verdict web_zone_peek(struct web_zone *zone,
                                      const struct addr *client,
                                      const struct web_zone_rule *rule,
                                      uint64_t now);

/* Clients remembered at the moment. */
size_t web_zone_count(struct web_zone *zone);

/* Read "30r/s" or "20r/m" as `rate_milli`. Returns 0 or ERR_PARSE. */
int web_zone_parse_rate(struct span text, uint32_t *ret_rate_milli);

#endif /* WEB_ZONE_H */

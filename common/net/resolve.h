/* SPDX-License-Identifier: MIT */
/* resolve.h - host names to addresses, without waiting (c-ares).
 *
 * In this order: an address written as such, the configured table, the cache,
 * /etc/hosts and DNS (A and AAAA). SRV and NAPTR records come from the cache
 * or DNS. One resolver per worker.
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include "base/addr.h"
#include "base/dns.h"
#include "base/stats.h"
#include "net/worker.h"

struct resolver;

enum { RESOLVE_ADDRS_MAX = 16 };

struct resolver_host {
    const char *name;
    struct addr addr; /* several rows with one name: several addresses */
};

struct resolver_config {
    unsigned timeout_ms;    /* of a whole lookup; 0: 5000 */
    unsigned max_in_flight; /* names being asked for; 0: 256 */
    unsigned cache_size;    /* names; 0: 1024 */
    unsigned max_ttl_s;     /* longest time in the cache; 0: 300 */
    unsigned fail_ttl_s;    /* how long a failure is remembered; 0: 5 */
    const char *servers;    /* "192.0.2.53,[2001:db8::53]:5353"; NULL: the
                               system's (resolv.conf) */
    const struct resolver_host *hosts; /* copied */
    size_t n_hosts;
};

#define RESOLVER_STATS(X)                                                      \
    X(COUNTER, lookups, "resolve_lookups", "", "names asked for")              \
    X(COUNTER, cache_hits, "resolve_cache_hits", "",                           \
      "answered from the cache")                                               \
    X(COUNTER, queries, "resolve_queries", "", "names asked of DNS")           \
    X(COUNTER, failed, "resolve_failed", "", "names without an address")       \
    X(COUNTER, timeouts, "resolve_timeouts", "",                               \
      "names without an answer in time")                                       \
    X(COUNTER, refused, "resolve_refused", "",                                 \
      "lookups refused, too many waiting")

struct resolver_stats {
    RESOLVER_STATS(STATS_FIELD)
};

/* Returns 0, -ENOMEM, ERR_CONFIG (servers). */
int resolver_new(struct resolver **ret_resolver, struct worker *worker,
                 const struct resolver_config *config);

/* Cancel all without callbacks, close. NULL is fine. */
void resolver_close(struct resolver *resolver);

/* Names a lookup in flight; 0 names none. */
struct resolve_id {
    uint64_t value;
};

/* `err` is 0 and 1 … RESOLVE_ADDRS_MAX addresses with the port asked for; or
 * ERR_RESOLVE (no such name, no address of the family), -ETIMEDOUT, ERR_LIMIT
 * (too many in flight), -ENOMEM. */
typedef void resolve_fn(void *arg, int err, const struct addr *addrs, size_t n);

/* Look up `name` (up to 253 bytes); ADDR_NONE wants both families. `done` is
 * called exactly once unless cancelled, never from inside this call.
 * Returns 0 and, if `ret_id` is not NULL, the id; ERR_PARSE (not a name),
 * ERR_LIMIT (too many lookups waiting), -ENOMEM. */
int resolver_lookup(struct resolver *resolver, struct span name, uint16_t port,
                    enum addr_family family, resolve_fn *done, void *arg,
                    struct resolve_id *ret_id);

/* The SRV or NAPTR records of a name, in no order (base/dns.h has them sorted);
 * `records` is NULL unless err is 0, and valid during the call. Errors as
 * above; ERR_RESOLVE: there are none. "There are none" is remembered for the
 * time the zone says (RFC 2308), up to max_ttl_s. */
typedef void resolve_records_fn(void *arg, int err,
                                const struct dns_records *records);

int resolver_lookup_records(struct resolver *resolver, struct span name,
                            enum dns_type type, resolve_records_fn *done,
                            void *arg, struct resolve_id *ret_id);

/* The configured table has the name. */
bool resolver_is_configured(const struct resolver *resolver, struct span name);

/* `done` is not called any more. Harmless when the lookup has ended. */
void resolver_cancel(struct resolver *resolver, struct resolve_id id);

const struct resolver_stats *resolver_stats(const struct resolver *resolver);

#endif /* NET_RESOLVE_H */

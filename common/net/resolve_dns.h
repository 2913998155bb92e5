/* SPDX-License-Identifier: MIT */
/* resolve_dns.h - c-ares on a worker's loop, for resolve.c alone. */
#ifndef NET_RESOLVE_DNS_H
#define NET_RESOLVE_DNS_H

#include "base/addr.h"
#include "base/dns.h"
#include "net/worker.h"

struct dns;

/* `timeout_ms` bounds a question with its repetitions, roughly. Returns 0,
 * -ENOMEM, ERR_CONFIG (servers). */
int dns_new(struct dns **ret_dns, struct worker *worker, const char *servers,
            unsigned timeout_ms);

/* Questions in flight are answered with an error, then `on_closed` is called,
 * at the end of this turn or later; never from inside this function. */
void dns_close(struct dns *dns, void (*on_closed)(void *arg), void *arg);

/* `answer` is called exactly once, possibly from inside this function: 0 and
 * at least one address, or ERR_RESOLVE, -ETIMEDOUT, -ENOMEM. `ttl_s` is the
 * lowest of all records. */
void dns_ask(struct dns *dns, const char *name, enum addr_family family,
             void (*answer)(void *arg, int err, const struct addr *addrs,
                            size_t n, uint32_t ttl_s),
             void *arg);

/* The same for SRV and NAPTR records: 0 and at least one, or an error.
 * `records` is never NULL: after ERR_RESOLVE its `ttl` is how long "there is
 * none" is good for, 0 when nobody said. */
void dns_ask_records(struct dns *dns, const char *name, enum dns_type type,
                     void (*answer)(void *arg, int err,
                                    const struct dns_records *records),
                     void *arg);

#endif /* NET_RESOLVE_DNS_H */

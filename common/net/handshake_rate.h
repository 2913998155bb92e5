/* SPDX-License-Identifier: MIT */
/* handshake_rate.h - how many TLS and DTLS handshakes begin in a second, in all
 * and per source: the one thing a stranger can make us compute.
 *
 * One object for the listeners of all workers (a short lock when a handshake
 * begins). A source is an IPv4 address or an IPv6 /64 (conn_limit.h). Sources
 * share a table of fixed size by a secret hash, so that a flood of addresses
 * takes no memory; two of them may now and then share a bucket.
 */
#ifndef NET_HANDSHAKE_RATE_H
#define NET_HANDSHAKE_RATE_H

#include "base/addr.h"

struct handshake_rate;

enum { HANDSHAKE_SOURCES = 4096 };

/* Handshakes per second, 0: no limit; twice as many may come at once. Returns
 * 0 or -ENOMEM. */
int handshake_rate_new(struct handshake_rate **ret_rate, uint32_t per_second,
                       uint32_t per_source);
struct handshake_rate *handshake_rate_ref(struct handshake_rate *rate);
void handshake_rate_unref(struct handshake_rate *rate);

/* Change the figures at a reload. */
void handshake_rate_set(struct handshake_rate *rate, uint32_t per_second,
                        uint32_t per_source);

enum handshake_verdict {
    HANDSHAKE_OK,
    HANDSHAKE_TOTAL, /* too many of all */
    HANDSHAKE_SOURCE,
};

/* May this source begin another one? `rate` NULL: yes. What one source may not
 * costs the others nothing. */
enum handshake_verdict handshake_rate_take(struct handshake_rate *rate,
                                           const struct addr *source,
                                           uint64_t now);

#endif /* NET_HANDSHAKE_RATE_H */

/* SPDX-License-Identifier: MIT */
/* conn_limit.h - how many connections at a time, in all and per source.
 *
 * One object for a set of listeners, shared by the workers (a short lock at
 * accept and close, never on the data path). A source is an IPv4 address or
 * an IPv6 /64; IPv4-mapped addresses count as IPv4.
 */
#ifndef NET_CONN_LIMIT_H
#define NET_CONN_LIMIT_H

#include "base/addr.h"

struct conn_limit;

/* What of an address tells one source from another: the IPv4 address, or the
 * first 64 bits. */
struct addr conn_source_key(const struct addr *source);

/* 0 means no limit. Returns 0 or -ENOMEM. */
int conn_limit_new(struct conn_limit **ret_limit, uint32_t max_total,
                   uint32_t max_per_source);
struct conn_limit *conn_limit_ref(struct conn_limit *limit);
void conn_limit_unref(struct conn_limit *limit);

/* Change the figures at a reload; what is open stays. */
void conn_limit_set(struct conn_limit *limit, uint32_t max_total,
                    uint32_t max_per_source);

enum conn_verdict {
    CONN_OK,
    CONN_TOTAL_REACHED,
    CONN_SOURCE_REACHED, /* also when the table of sources is out of memory */
};

/* After CONN_OK give the place back once with conn_limit_give(). */
enum conn_verdict conn_limit_take(struct conn_limit *limit,
                                  const struct addr *source);
void conn_limit_give(struct conn_limit *limit, const struct addr *source);

uint32_t conn_limit_open(struct conn_limit *limit);

#endif /* NET_CONN_LIMIT_H */

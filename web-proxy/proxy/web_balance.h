/* SPDX-License-Identifier: MIT */
/* web_balance.h - the rules by which a server of an upstream is chosen, for
 * requests (web_balance.c) and plain connections (web_pick.c) alike.
 */
#ifndef WEB_BALANCE_H
#define WEB_BALANCE_H

#include "proxy/web_internal.h"

/* The servers that were not tried and may be asked now, one bit each. */
uint64_t balance_allowed(const struct web_upstream *u, uint64_t tried,
                         uint64_t now);

/* What a hash is made of: of a request; of a plain connection. */
uint64_t balance_key_of(const struct web_upstream *u,
                        const struct web_request *rq,
                        const struct addr *client);
uint64_t balance_client_key(const struct addr *client);

/* One of those allowed (at least one), by the upstream's rule. `pools` are the
 * upstream's own. */
const struct web_backend *balance_choose(const struct web_upstream *u,
                                         struct web_pool *pools, uint64_t key,
                                         uint64_t allowed, uint64_t now);

#endif /* WEB_BALANCE_H */

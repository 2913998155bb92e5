/* SPDX-License-Identifier: MIT */
/* sip_locator.h - asks DNS what the procedure of proxy/sip_locate.h wants to
 * know, without waiting.
 *
 * On one worker. At most SIP_LOCATOR_MAX procedures at a time.
 */
#ifndef SIP_LOCATOR_H
#define SIP_LOCATOR_H

#include "net/resolve.h"
#include "proxy/sip_locate.h"

enum { SIP_LOCATOR_MAX = 256 };

struct sip_locator;

/* `err` is 0 and 1 … SIP_HOPS_MAX hops, to be tried in this order; or
 * ERR_RESOLVE (nothing found), ERR_LIMIT, -ENOMEM. `hops` during the call. */
typedef void sip_located_fn(void *arg, int err, const struct sip_hop *hops,
                            size_t n);

/* `resolver` is borrowed. Returns 0 or -ENOMEM. */
int sip_locator_new(struct sip_locator **ret_locator,
                    struct resolver *resolver);

/* Cancel all without callbacks. NULL is fine. Before the resolver closes. */
void sip_locator_free(struct sip_locator *locator);

/* Find it. `done` is called exactly once unless cancelled, possibly from
 * inside this call when the host is an address. Names of the resolver's
 * configured table are not asked for records. `ret_id` may be NULL.
 * Returns 0, or at once, with no callback to come: ERR_PARSE (not a name),
 * ERR_DENIED (a transport that cannot be spoken), ERR_LIMIT, -ENOMEM. */
int sip_locator_ask(struct sip_locator *locator,
                    const struct sip_locate_query *query, sip_located_fn *done,
                    void *arg, uint64_t *ret_id);

/* `done` is not called any more. Harmless when it is over. */
void sip_locator_cancel(struct sip_locator *locator, uint64_t id);

#endif /* SIP_LOCATOR_H */

/* SPDX-License-Identifier: MIT */
/* sip_homes.h - on which connection each registered client is now.
 *
 * A client is known by a tag (sip_rebind.h), which is written into the tokens
 * of its dialogs: when its connection has ended and it is back on another one,
 * the tag leads there. All workers have the same table; what one of them finds
 * out it tells the others, and the newer word wins everywhere, whatever the
 * order in which it arrives.
 *
 * A home whose connection ended stays for a while, so that it is known when
 * that was. Bounded; owner: one core, no locks.
 */
#ifndef SIP_HOMES_H
#define SIP_HOMES_H

#include "base/list.h"
#include "base/map.h"

struct sip_home {
    uint64_t tag;
    uint64_t flow;  /* pool_id_u64() at that worker */
    uint64_t stamp; /* of the registration: newer ones win; about ms */
    uint64_t since; /* ms, the end of the connection */
    uint32_t worker;
    bool is_gone;  /* that connection has ended */
    bool said_bye; /* the client itself ended it */
};

struct sip_homes {
    struct map map;
    struct list gone; /* the longest ago first */
};

/* At most `max` clients; `seed` is 16 random bytes. Cannot fail. */
void sip_homes_init(struct sip_homes *homes, size_t max,
                    const uint8_t seed[16]);
void sip_homes_deinit(struct sip_homes *homes);

/* Forget all. */
void sip_homes_clear(struct sip_homes *homes);

/* NULL: not known. Valid until the next change. */
const struct sip_home *sip_homes_find(const struct sip_homes *homes,
                                      uint64_t tag);

/* Take a word about a client (copied). A new home replaces an older one; an
 * end counts for the very connection only. Returns 1 when that changed
 * something, 0 when it was old, ERR_LIMIT (full of clients that are there) or
 * -ENOMEM. */
int sip_homes_put(struct sip_homes *homes, const struct sip_home *home);

/* Forget those whose connection ended at `before` (ms) or earlier. */
void sip_homes_sweep(struct sip_homes *homes, uint64_t before);

#endif /* SIP_HOMES_H */

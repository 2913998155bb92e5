/* SPDX-License-Identifier: MIT */
/* turn_chan.h - the channels of one allocation (RFC 8656 section 12): numbers
 * that stand for a peer's address and port.
 *
 * Number and peer belong together until the binding expires; neither may be
 * bound to another meanwhile. Pure state; the caller passes `now`.
 */
#ifndef TURN_CHAN_H
#define TURN_CHAN_H

#include "base/addr.h"
#include "turn/turn_policy.h"

enum {
    TURN_CHAN_LIFETIME_MS = 600 * 1000,
    TURN_CHANS_INLINE = 2,
    TURN_CHAN_FIRST = 0x4000,
    /* RFC 8656 allows 0x4000 to 0x4FFF; clients of RFC 5766 take numbers up
     * to 0x7FFF, and nothing else on our ports begins with such a byte. */
    TURN_CHAN_LAST = 0x7FFF,
};

struct turn_chan {
    struct addr peer;
    uint64_t expires; /* 0: never used */
    uint16_t number;
};

struct turn_chans {
    struct turn_chan *more; /* all of them, once there are more than fit */
    uint16_t capacity;
    struct turn_chan few[TURN_CHANS_INLINE];
};

/* No channels; the struct must not move afterwards. */
void turn_chans_init(struct turn_chans *chans);
void turn_chans_deinit(struct turn_chans *chans);

/* Bind, or refresh the same binding. Returns 0; ERR_STATE when the number or
 * the peer is bound to another; ERR_LIMIT when there are `max`; -ENOMEM. */
int turn_chans_bind(struct turn_chans *chans, uint16_t number,
                    const struct addr *peer, size_t max, uint64_t now);

/* The live channel, or NULL. */
struct turn_chan *turn_chans_find(const struct turn_chans *chans,
                                  uint16_t number, uint64_t now);
struct turn_chan *turn_chans_find_peer(const struct turn_chans *chans,
                                       const struct addr *peer, uint64_t now);

size_t turn_chans_count(const struct turn_chans *chans, uint64_t now);

/* Judge all again by new rules. Returns how many ended. */
size_t turn_chans_review(struct turn_chans *chans,
                         const struct turn_policy *policy, uint64_t now);

#endif /* TURN_CHAN_H */

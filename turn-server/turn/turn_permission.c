/* SPDX-License-Identifier: MIT */
/* The CreatePermission request (RFC 8656 sections 9 and 10). */
#include "turn/turn_internal.h"

enum stun_code turn_peer(const struct turn_request *rq, struct span value,
                         struct addr *ret_peer)
{
    if (stun_attr_xor_addr(&rq->msg, value, ret_peer) < 0)
        return STUN_BAD_REQUEST;
    return rq->alloc->relays[turn_family_index(ret_peer)].handle
               ? STUN_OK
               : STUN_PEER_FAMILY_MISMATCH;
}

/* All peers are judged before one is let in. */
static enum stun_code judge(const struct turn_request *rq, size_t *ret_new)
{
    struct span value;
    struct addr peer;
    size_t pos = 0;
    size_t n = 0;
    enum stun_code code;

    *ret_new = 0;
    while (stun_msg_each(&rq->msg, STUN_XOR_PEER_ADDRESS, &pos, &value)) {
        n++;
        code = turn_peer(rq, value, &peer);
        if (code != STUN_OK)
            return code;
        if (turn_policy_reach(turn_alloc_policy(rq->alloc), &peer) ==
            TURN_REACH_NONE)
            return STUN_FORBIDDEN;
        *ret_new += !turn_perms_find(&rq->alloc->perms, &peer, rq->now);
    }
    return n > 0 ? STUN_OK : STUN_BAD_REQUEST;
}

enum stun_code turn_on_permission(struct turn_core *core,
                                  struct turn_request *rq,
                                  struct turn_reply *reply)
{
    struct span value;
    struct addr peer;
    size_t pos = 0;
    size_t n;
    enum stun_code code;

    (void)reply;
    if (!rq->alloc)
        return STUN_ALLOCATION_MISMATCH;
    code = judge(rq, &n);
    if (code != STUN_OK)
        return code;
    if (turn_perms_reserve(&rq->alloc->perms, n,
                           core->rules->limits.max_permissions, rq->now) < 0) {
        stats_inc(&core->stats->permissions_full);
        return STUN_INSUFFICIENT_CAPACITY;
    }
    while (stun_msg_each(&rq->msg, STUN_XOR_PEER_ADDRESS, &pos, &value)) {
        (void)turn_peer(rq, value, &peer); /* judge() has read it */
        turn_perms_grant(&rq->alloc->perms, &peer,
                         turn_policy_reach(turn_alloc_policy(rq->alloc), &peer),
                         rq->now);
    }
    return STUN_OK;
}

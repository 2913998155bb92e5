/* SPDX-License-Identifier: MIT */
/* The ChannelBind request (RFC 8656 sections 12.1 to 12.2). */
#include "turn/turn_internal.h"

#include "base/err.h"

static enum stun_code read_binding(const struct turn_request *rq,
                                   uint16_t *ret_number, struct addr *ret_peer)
{
    struct span peer = stun_msg_attr(&rq->msg, STUN_XOR_PEER_ADDRESS);

    if (!peer.ptr ||
        stun_attr_channel(stun_msg_attr(&rq->msg, STUN_CHANNEL_NUMBER),
                          ret_number) < 0)
        return STUN_BAD_REQUEST;
    if (*ret_number < TURN_CHAN_FIRST || *ret_number > TURN_CHAN_LAST)
        return STUN_BAD_REQUEST;
    return turn_peer(rq, peer, ret_peer);
}

enum stun_code turn_on_channel(struct turn_core *core, struct turn_request *rq,
                               struct turn_reply *reply)
{
    const struct turn_limits *limits = &core->rules->limits;
    struct turn_alloc *alloc = rq->alloc;
    enum stun_code code;
    struct addr peer;
    uint16_t number;
    size_t n;
    int err;

    (void)reply;
    if (!alloc)
        return STUN_ALLOCATION_MISMATCH;
    if (alloc->is_tcp)
        return STUN_FORBIDDEN; /* RFC 6062: it has connections, no channels */
    code = read_binding(rq, &number, &peer);
    if (code != STUN_OK)
        return code;
    if (!turn_policy_allows(alloc->realm->policy, &peer))
        return STUN_FORBIDDEN;

    n = !turn_perms_find(&alloc->perms, &peer, rq->now);
    err =
        turn_perms_reserve(&alloc->perms, n, limits->max_permissions, rq->now);
    if (err == 0)
        err = turn_chans_bind(&alloc->chans, number, &peer,
                              limits->max_channels, rq->now);
    if (err == ERR_STATE)
        return STUN_BAD_REQUEST;
    if (err < 0) {
        stats_inc(&core->stats->permissions_full);
        return STUN_INSUFFICIENT_CAPACITY;
    }
    turn_perms_grant(&alloc->perms, &peer,
                     turn_policy_reach(alloc->realm->policy, &peer), rq->now);
    return STUN_OK;
}

/* SPDX-License-Identifier: MIT */
/* The Refresh request (RFC 8656 sections 8.1 to 8.2). */
#include "turn/turn_internal.h"

bool turn_lifetime(const struct turn_core *core, const struct stun_msg *msg,
                   uint32_t *ret_asked, uint32_t *ret_granted)
{
    const struct turn_limits *limits = &core->rules->limits;
    uint32_t asked = limits->lifetime_default;
    uint32_t granted;

    if (stun_msg_has(msg, STUN_LIFETIME) &&
        stun_attr_u32(stun_msg_attr(msg, STUN_LIFETIME), &asked) < 0)
        return false;
    granted =
        asked < limits->lifetime_default ? limits->lifetime_default : asked;
    *ret_asked = asked;
    *ret_granted =
        granted > limits->lifetime_max ? limits->lifetime_max : granted;
    return true;
}

/* The one family a request is about, or -1 for the whole allocation;
 * STUN_OK, 400, or 443 when there is no such relay. */
static enum stun_code read_family(const struct turn_request *rq,
                                  int *ret_family)
{
    struct span value = stun_msg_attr(&rq->msg, STUN_REQUESTED_ADDRESS_FAMILY);
    uint8_t family;

    *ret_family = -1;
    if (!value.ptr)
        return STUN_OK;
    if (stun_attr_family(value, &family) < 0)
        return STUN_BAD_REQUEST;
    if (family != STUN_FAMILY_V4 && family != STUN_FAMILY_V6)
        return STUN_PEER_FAMILY_MISMATCH;
    *ret_family = family == STUN_FAMILY_V6 ? TURN_V6 : TURN_V4;
    return rq->alloc->relays[*ret_family].handle ? STUN_OK
                                                 : STUN_PEER_FAMILY_MISMATCH;
}

static void release(struct turn_core *core, struct turn_request *rq, int family)
{
    struct turn_alloc *alloc = rq->alloc;

    if (family >= 0 && alloc->relays[TURN_V4].handle &&
        alloc->relays[TURN_V6].handle) {
        turn_alloc_close(core, alloc, (unsigned)family);
        return;
    }
    turn_alloc_end(core, alloc, TURN_END_RELEASED);
    rq->alloc = NULL;
}

enum stun_code turn_on_refresh(struct turn_core *core, struct turn_request *rq,
                               struct turn_reply *reply)
{
    enum stun_code code;
    uint32_t asked;
    uint32_t granted;
    int family;

    if (!rq->alloc)
        return STUN_ALLOCATION_MISMATCH;
    if (!turn_lifetime(core, &rq->msg, &asked, &granted))
        return STUN_BAD_REQUEST;
    code = read_family(rq, &family);
    if (code != STUN_OK)
        return code;
    reply->has_lifetime = true;
    if (asked == 0) {
        release(core, rq, family);
        return STUN_OK;
    }
    granted = turn_auth_lifetime(core, rq, granted);
    if (granted == 0) {
        stats_inc(&core->stats->expired_user);
        reply->has_lifetime = false;
        return STUN_FORBIDDEN;
    }
    if (rq->who.has_token) {
        rq->alloc->key = rq->who.key;
        rq->alloc->credential_expiry = rq->who.expiry;
    }
    code = turn_mobile_moved(core, rq);
    if (code != STUN_OK) {
        reply->has_lifetime = false;
        return code;
    }
    turn_mobile_ticket(core, rq->alloc, reply);
    reply->lifetime_s = granted;
    turn_alloc_extend(core, rq->alloc, granted, rq->now);
    return STUN_OK;
}

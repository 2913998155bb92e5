/* SPDX-License-Identifier: MIT */
/* The Allocate request (RFC 8656 sections 7.1 to 7.2). */
#include "turn/turn_internal.h"

#include "base/err.h"

#include <errno.h>

enum { TRANSPORT_TCP = 6, TRANSPORT_UDP = 17 };

/* What the request asks for, once it is found to make sense. */
struct wish {
    bool family[TURN_FAMILIES];
    bool is_dual; /* one family may fail */
    bool is_tcp;
    bool is_mobile;
    bool has_token;
    enum turn_port_want port;
    uint8_t token[TURN_TOKEN_SIZE];
};

/* RFC 6062 5.1: what a TCP relay cannot be asked for. */
static enum stun_code check_tcp(const struct turn_core *core,
                                const struct turn_request *rq)
{
    const struct stun_msg *msg = &rq->msg;

    if (!core->tcp_conns || !rq->realm->has_tcp)
        return STUN_UNSUPPORTED_TRANSPORT;
    if (!turn_transport_is_stream(rq->client->transport) ||
        stun_msg_has(msg, STUN_EVEN_PORT) ||
        stun_msg_has(msg, STUN_DONT_FRAGMENT) ||
        stun_msg_has(msg, STUN_RESERVATION_TOKEN))
        return STUN_BAD_REQUEST;
    return STUN_OK;
}

static enum stun_code check_transport(const struct turn_core *core,
                                      const struct turn_request *rq,
                                      struct wish *wish)
{
    struct span value = stun_msg_attr(&rq->msg, STUN_REQUESTED_TRANSPORT);

    if (value.len != 4)
        return STUN_BAD_REQUEST;
    if (value.ptr[0] == TRANSPORT_UDP)
        return STUN_OK;
    if (value.ptr[0] != TRANSPORT_TCP)
        return STUN_UNSUPPORTED_TRANSPORT;
    wish->is_tcp = true;
    return check_tcp(core, rq);
}

/* RFC 8656 7.2: which attributes exclude each other. */
static enum stun_code check_combination(const struct stun_msg *msg)
{
    bool token = stun_msg_has(msg, STUN_RESERVATION_TOKEN);
    bool even = stun_msg_has(msg, STUN_EVEN_PORT);
    bool family = stun_msg_has(msg, STUN_REQUESTED_ADDRESS_FAMILY);
    bool second = stun_msg_has(msg, STUN_ADDITIONAL_ADDRESS_FAMILY);

    if (token && (even || family || second))
        return STUN_BAD_REQUEST;
    if (second && family)
        return STUN_BAD_REQUEST;
    return STUN_OK;
}

static enum stun_code read_families(const struct stun_msg *msg,
                                    struct wish *wish)
{
    uint8_t family;

    wish->family[TURN_V4] = true;
    if (stun_msg_has(msg, STUN_ADDITIONAL_ADDRESS_FAMILY)) {
        if (stun_attr_family(stun_msg_attr(msg, STUN_ADDITIONAL_ADDRESS_FAMILY),
                             &family) < 0 ||
            family != STUN_FAMILY_V6)
            return STUN_BAD_REQUEST;
        wish->family[TURN_V6] = true;
        wish->is_dual = true;
        return STUN_OK;
    }
    if (!stun_msg_has(msg, STUN_REQUESTED_ADDRESS_FAMILY))
        return STUN_OK;
    if (stun_attr_family(stun_msg_attr(msg, STUN_REQUESTED_ADDRESS_FAMILY),
                         &family) < 0)
        return STUN_BAD_REQUEST;
    if (family != STUN_FAMILY_V4 && family != STUN_FAMILY_V6)
        return STUN_FAMILY_NOT_SUPPORTED;
    wish->family[TURN_V4] = family == STUN_FAMILY_V4;
    wish->family[TURN_V6] = family == STUN_FAMILY_V6;
    return STUN_OK;
}

static enum stun_code read_ports(const struct stun_msg *msg, struct wish *wish)
{
    struct span even = stun_msg_attr(msg, STUN_EVEN_PORT);
    struct span token = stun_msg_attr(msg, STUN_RESERVATION_TOKEN);

    if (token.ptr) {
        if (token.len != TURN_TOKEN_SIZE)
            return STUN_BAD_REQUEST;
        memcpy(wish->token, token.ptr, TURN_TOKEN_SIZE);
        wish->has_token = true;
    }
    if (!even.ptr)
        return STUN_OK;
    if (even.len != 1)
        return STUN_BAD_REQUEST;
    wish->port = even.ptr[0] & 0x80 ? TURN_PORT_EVEN_PAIR : TURN_PORT_EVEN;
    /* a token names one port, a dual allocation has two */
    if (wish->port == TURN_PORT_EVEN_PAIR && wish->is_dual)
        return STUN_BAD_REQUEST;
    return STUN_OK;
}

static enum stun_code read_wish(const struct turn_core *core,
                                const struct turn_request *rq,
                                struct wish *wish)
{
    const struct stun_msg *msg = &rq->msg;
    enum stun_code code = check_transport(core, rq, wish);

    if (code == STUN_OK)
        code = check_combination(msg);
    if (code == STUN_OK)
        code = read_families(msg, wish);
    if (code == STUN_OK)
        code = read_ports(msg, wish);
    if (code == STUN_OK)
        code = turn_mobile_wish(core, msg, wish->is_tcp, &wish->is_mobile);
    return code;
}

static enum stun_code code_of(int err)
{
    if (err == 0)
        return STUN_OK;
    return err == -EAFNOSUPPORT ? STUN_FAMILY_NOT_SUPPORTED
                                : STUN_INSUFFICIENT_CAPACITY;
}

/* The reservation counted against a quota until now; from here on the
 * allocation does. */
static enum stun_code make_reserved(struct turn_core *core,
                                    struct turn_request *rq,
                                    const struct wish *wish,
                                    struct turn_alloc **ret_alloc)
{
    size_t index;
    uint16_t port;
    enum stun_code code;

    if (!turn_reserve_claim(core->shared->reserve, wish->token, rq->now, &index,
                            &port))
        return STUN_INSUFFICIENT_CAPACITY;
    code = turn_alloc_new(core, rq, ret_alloc);
    if (code != STUN_OK) {
        turn_ports_give(core->shared->ports, index, port);
        return code;
    }
    return code_of(turn_alloc_open_at(core, *ret_alloc, index, port));
}

/* The port above the one just opened is ours; keep it for who brings the
 * token. Who may not have another allocation gets no token. */
static void reserve_next(struct turn_core *core, const struct turn_request *rq,
                         struct turn_alloc *alloc, unsigned family)
{
    const struct turn_relay *relay = &alloc->relays[family];
    struct turn_reserved next = {.addr = relay->index,
                                 .port = (uint16_t)(relay->local.port + 1)};

    core->env.random(core->env.arg, alloc->token, sizeof(alloc->token));
    if (turn_quota_of(core, rq, &next.hold) == STUN_OK) {
        alloc->has_token = turn_reserve_put(core->shared->reserve, alloc->token,
                                            &next, rq->now) == 0;
        if (!alloc->has_token) {
            turn_quota_give(core->shared->quota, &next.hold);
            stats_inc(&core->stats->reservations_full);
        }
    }
    if (!alloc->has_token)
        turn_ports_give(core->shared->ports, next.addr, next.port);
}

static enum stun_code open_families(struct turn_core *core,
                                    const struct turn_request *rq,
                                    struct turn_alloc *alloc,
                                    const struct wish *wish)
{
    enum stun_code code = STUN_OK;
    size_t opened = 0;

    for (unsigned family = 0; family < TURN_FAMILIES; family++) {
        enum stun_code one;

        if (!wish->family[family])
            continue;
        one = code_of(turn_alloc_open(core, alloc, family, wish->port));
        if (one == STUN_OK) {
            opened++;
            if (wish->port == TURN_PORT_EVEN_PAIR)
                reserve_next(core, rq, alloc, family);
            continue;
        }
        code = one;
        alloc->family_error = (uint16_t)one;
        alloc->failed_family =
            family == TURN_V6 ? STUN_FAMILY_V6 : STUN_FAMILY_V4;
    }
    return opened > 0 ? STUN_OK : code;
}

static void fill_success(const struct turn_alloc *alloc, uint64_t now,
                         struct turn_reply *reply)
{
    for (size_t i = 0; i < TURN_FAMILIES; i++) {
        struct addr *relayed = &reply->relayed[reply->n_relayed];

        if (!alloc->relays[i].handle)
            continue;
        *relayed = alloc->relays[i].local;
        turn_policy_to_advertised(alloc->realm->policy, relayed);
        reply->n_relayed++;
    }
    reply->has_mapped = true;
    reply->has_lifetime = true;
    reply->lifetime_s = (uint32_t)((alloc->expires - now + 999) / 1000);
    reply->has_token = alloc->has_token;
    memcpy(reply->token, alloc->token, sizeof(reply->token));
    reply->family_error = alloc->family_error;
    reply->failed_family = alloc->failed_family;
}

static enum stun_code make(struct turn_core *core, struct turn_request *rq,
                           const struct wish *wish, uint32_t lifetime_s)
{
    struct turn_alloc *alloc = NULL;
    enum stun_code code;

    if (wish->has_token)
        code = make_reserved(core, rq, wish, &alloc);
    else
        code = turn_alloc_new(core, rq, &alloc);
    if (alloc) {
        alloc->is_tcp = wish->is_tcp;
        alloc->is_mobile = wish->is_mobile;
    }
    if (code == STUN_OK && !wish->has_token)
        code = open_families(core, rq, alloc, wish);
    if (code != STUN_OK) {
        if (alloc)
            turn_alloc_end(core, alloc, TURN_END_RELEASED);
        return code;
    }
    turn_alloc_extend(core, alloc, lifetime_s, rq->now);
    turn_alloc_announce(core, alloc);
    rq->alloc = alloc;
    return STUN_OK;
}

/* RFC 8489 10: another server, reached the same way; without one the client
 * looks for it on its own. */
static enum stun_code send_away(const struct turn_core *core,
                                const struct turn_request *rq,
                                struct turn_reply *reply)
{
    const struct addr *alternate = rq->client->remote.family == ADDR_V6
                                       ? &core->rules->alternate_v6
                                       : &core->rules->alternate_v4;

    if (alternate->family == ADDR_NONE)
        return STUN_INSUFFICIENT_CAPACITY;
    reply->alternate = alternate;
    return STUN_TRY_ALTERNATE;
}

enum stun_code turn_on_allocate(struct turn_core *core, struct turn_request *rq,
                                struct turn_reply *reply)
{
    struct wish wish = {0};
    enum stun_code code;
    uint32_t asked;
    uint32_t granted;

    if (rq->alloc) {
        /* our answer was lost: say it again (RFC 8656 7.2 step 2) */
        if (memcmp(rq->alloc->tid, stun_msg_tid(&rq->msg), STUN_TID_SIZE) !=
                0 ||
            rq->alloc->name_hash != rq->who.name_hash)
            return STUN_ALLOCATION_MISMATCH;
        fill_success(rq->alloc, rq->now, reply);
        turn_mobile_ticket(core, rq->alloc, reply);
        return STUN_OK;
    }
    code = read_wish(core, rq, &wish);
    if (code != STUN_OK)
        return code;
    if (!turn_lifetime(core, &rq->msg, &asked, &granted))
        return STUN_BAD_REQUEST;
    if (core->draining)
        return send_away(core, rq, reply);
    turn_reserve_reap(core->shared->reserve, rq->now);
    code = make(core, rq, &wish, turn_auth_lifetime(core, rq, granted));
    if (code != STUN_OK)
        return code;
    fill_success(rq->alloc, rq->now, reply);
    turn_mobile_ticket(core, rq->alloc, reply);
    return STUN_OK;
}

/* SPDX-License-Identifier: MIT */
/* What an operator reads: why was this refused? */
#include "turn/turn_internal.h"

#include "base/text.h"

#define LOG_COMPONENT "turn"
#include "base/log.h"

enum { USER_TEXT_SIZE = 80 };

const char *turn_transport_name(uint8_t transport)
{
    static const char *const names[TURN_TRANSPORT_COUNT] = {
        [TURN_UDP] = "udp",
        [TURN_TCP] = "tcp",
        [TURN_TLS] = "tls",
        [TURN_DTLS] = "dtls",
    };

    return transport < TURN_TRANSPORT_COUNT ? names[transport] : "unknown";
}

static const char *method_name(uint16_t method)
{
    switch (method) {
    case STUN_ALLOCATE:
        return "allocate";
    case STUN_REFRESH:
        return "refresh";
    case STUN_CREATE_PERMISSION:
        return "permission";
    case STUN_CONNECT:
        return "connect";
    case STUN_CONNECTION_BIND:
        return "connection_bind";
    default:
        return "channel";
    }
}

/* Challenges are the ordinary way of things. */
static bool is_ordinary(const struct turn_request *rq, enum stun_code code)
{
    return code == STUN_OK || code == STUN_STALE_NONCE ||
           (code == STUN_UNAUTHENTICATED &&
            rq->who.integrity == STUN_INTEGRITY_NONE);
}

void turn_log_refusal(struct turn_core *core, const struct turn_request *rq,
                      enum stun_code code)
{
    char client[ADDR_TEXT_SIZE];
    char peer[ADDR_TEXT_SIZE] = "";
    char user[USER_TEXT_SIZE];
    char realm[USER_TEXT_SIZE];
    struct addr a;

    if (!core->rules->log_allocations || is_ordinary(rq, code) ||
        !ratelim_take(&core->refusals, 1, rq->now))
        return;
    if (stun_attr_xor_addr(
            &rq->msg, stun_msg_attr(&rq->msg, STUN_XOR_PEER_ADDRESS), &a) == 0)
        addr_str(&a, peer);
    log_info("refused method=%s code=%d client=%s:%s realm=\"%s\""
             " user=\"%s\"%s%s",
             method_name(rq->msg.method), (int)code,
             turn_transport_name(rq->client->transport),
             addr_str(&rq->client->remote, client),
             text_printable(rq->realm ? rq->realm->name : span_of(NULL, 0),
                            realm, sizeof(realm)),
             text_printable(stun_msg_attr(&rq->msg, STUN_USERNAME), user,
                            sizeof(user)),
             peer[0] ? " peer=" : "", peer);
}

/* SPDX-License-Identifier: MIT */
/* sip_route.h - where a request goes (RFC 3261 16.4 to 16.6, RFC 3327, 5658).
 *
 * From outside a request gets to the media servers and nowhere else: a new one
 * to a server of its connection's group, one inside a dialog to where the
 * dialog is, and that only with a Route we signed for this Call-ID. A bare
 * Route with our name opens nothing.
 *
 * From inside a request gets to the connection its token names and nowhere
 * else; when that is gone the answer is 430 at once.
 */
#ifndef SIP_ROUTE_H
#define SIP_ROUTE_H

#include "proxy/sip_internal.h"

enum sip_route_kind {
    SIP_ROUTE_REFUSED,
    SIP_ROUTE_SELF,   /* OPTIONS to the edge itself */
    SIP_ROUTE_SERVER, /* to a media server */
    SIP_ROUTE_CLIENT, /* down a client's connection */
};

struct sip_route {
    enum sip_route_kind kind;
    enum sip_refusal why; /* REFUSED */
    unsigned pop;         /* our values on top of Route */
    bool in_dialog;
    int server;            /* SERVER: decided; -1: choose in `group` */
    uint32_t group;        /* SERVER */
    struct sip_flow *flow; /* CLIENT: where to; SERVER: where from */
    bool sips;             /* CLIENT: the Contact was sips: */
    uint32_t partner; /* sip_partner_tag(): from or to a federation partner.
                         CLIENT: `flow` is NULL, sip_partner_connect() */
    bool contact;     /* CLIENT: the token stood in the Request-URI */
    bool moved;       /* CLIENT: not the token's own connection */
    uint64_t tag;     /* of the token's client; sip_rebind.h */
};

/* `flow` is the connection the request came from; NULL from inside. */
void sip_route_request(const struct sip_core *core,
                       const struct sip_msg *request, struct sip_flow *flow,
                       struct sip_route *ret_route);

enum { SIP_ROUTE_AOR_MAX = 256 };

/* Who is to be kept at one media server: the address-of-record (RFC 3261 10.3)
 * of the user who registers or calls. In `aor`, or borrowed from the message
 * when it has no such form. */
struct span sip_route_user(const struct sip_msg *request,
                           uint8_t aor[SIP_ROUTE_AOR_MAX]);

/* The worker that owns a message from inside: of the transaction (response)
 * or of the connection that is named by the first token (request). Ours when
 * it does not say. */
unsigned sip_route_owner(const struct sip_core *core,
                         const struct sip_msg *msg);

/* The parameter that holds the token in a rewritten Contact. */
#define SIP_ROUTE_CONTACT_PARAM "edge"

#endif /* SIP_ROUTE_H */

/* SPDX-License-Identifier: MIT */
/* sip_transport.h - the transports of SIP, as Via and URI parameters name
 * them (RFC 3261 7.1 and 18, RFC 7118).
 */
#ifndef MSG_SIP_TRANSPORT_H
#define MSG_SIP_TRANSPORT_H

#include "base/span.h"

enum sip_transport {
    SIP_TRANSPORT_NONE, /* absent, or one that is not spoken here (SCTP) */
    SIP_UDP,
    SIP_TCP,
    SIP_TLS,
    SIP_WS,
    SIP_WSS,
};

/* True when the transport itself retransmits. */
static inline bool sip_transport_is_reliable(enum sip_transport t)
{
    return t != SIP_UDP && t != SIP_TRANSPORT_NONE;
}

/* True when it is encrypted hop by hop. */
static inline bool sip_transport_is_secure(enum sip_transport t)
{
    return t == SIP_TLS || t == SIP_WSS;
}

static inline bool sip_transport_is_ws(enum sip_transport t)
{
    return t == SIP_WS || t == SIP_WSS;
}

/* "UDP", "TCP", … as a Via writes it; "" for SIP_TRANSPORT_NONE. */
const char *sip_transport_str(enum sip_transport t);

/* "udp", "ws", … as a `transport=` parameter writes it. */
const char *sip_transport_param(enum sip_transport t);

/* Any case; SIP_TRANSPORT_NONE when it is not one of ours. */
enum sip_transport sip_transport_parse(struct span name);

/* 5060, 5061, 80, 443. */
uint16_t sip_transport_port(enum sip_transport t);

#endif /* MSG_SIP_TRANSPORT_H */

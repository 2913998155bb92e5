/* SPDX-License-Identifier: MIT */
/* sip_target.h - where a message goes to, or came from.
 *
 * Transactions keep it without looking inside, apart from what the functions
 * here say; the shell gives the numbers their meaning.
 */
#ifndef TXN_SIP_TARGET_H
#define TXN_SIP_TARGET_H

#include "base/addr.h"
#include "msg/sip_transport.h"

struct sip_target {
    enum sip_transport transport;
    struct addr remote;
    struct addr local; /* the address of ours that was or shall be used */
    uint64_t flow;     /* connection: pool_id_u64(); 0: no connection */
    uint32_t worker;   /* that owns the flow or socket */
    uint32_t listener;
};

/* A response, ACK or CANCEL from `b` can belong to what was exchanged with
 * `a`: over WebSocket the same connection (all clients may share the web
 * proxy's address), over TCP and TLS too where both are a client's; else the
 * same IP address at the same listener: who is outside is no media server for
 * having, or inventing, its address. */
bool sip_target_same_peer(const struct sip_target *a,
                          const struct sip_target *b);

#endif /* TXN_SIP_TARGET_H */

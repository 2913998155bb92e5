/* SPDX-License-Identifier: MIT */
/* sip_rebind.h - a client that is back on a new connection takes its dialogs
 * with it.
 *
 * Who a client is says a tag of 48 bits: a keyed hash over media-server group,
 * address-of-record, and what names the device: +sip.instance and reg-id (RFC
 * 5626), else the whole Contact URI. The key comes from the tokens' key, so
 * that a tag means the same after a restart. It is written into the tokens of
 * a connection once the registrar has answered a REGISTER there with 2xx; and
 * only a 2xx to a REGISTER with the same tag, for which the registrar wanted
 * the same credentials, leads those tokens to another connection. Nobody else
 * can take a dialog over, and who cannot be told from others keeps none:
 * connections of several addresses-of-record, datagram clients, partners.
 *
 * With an instance the newest registration counts at once: the connection it
 * had before may look alive for minutes. A Contact URI alone may belong to two
 * devices, and takes over only what has ended.
 */
#ifndef SIP_REBIND_H
#define SIP_REBIND_H

#include "proxy/sip_internal.h"

/* The key, for new and reloaded settings; with another one all is forgotten
 * until clients register again. */
void sip_rebind_reload(struct sip_core *core);

/* The tag a REGISTER claims; 0: none. */
uint64_t sip_rebind_tag(const struct sip_core *core,
                        const struct sip_msg *request, uint32_t group);

/* The client of such a connection may come back over another: it is one
 * client, of a stream, and no partner. */
static inline bool sip_rebind_follows(const struct sip_flow *flow)
{
    return flow->conn && !flow->names && !flow->is_shared;
}

/* A REGISTER that came over `flow`, which is one to follow, was answered with
 * 2xx. */
void sip_rebind_on_registered(struct sip_core *core, struct sip_flow *flow,
                              const struct sip_msg *request, uint32_t group,
                              uint64_t now);

/* The connection ends. */
void sip_rebind_on_closed(struct sip_core *core, const struct sip_flow *flow,
                          uint64_t now);

/* Where the client of a token is now: a connection of this worker, other than
 * the token's own; NULL: not known. */
struct sip_flow *sip_rebind_find(const struct sip_core *core,
                                 const struct sip_token *token);

/* The worker that client is at, when it is known; of a token that is not
 * verified yet. */
bool sip_rebind_worker(const struct sip_core *core, uint64_t tag,
                       uint8_t *ret_worker);

#endif /* SIP_REBIND_H */

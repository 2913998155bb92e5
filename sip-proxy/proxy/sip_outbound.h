/* SPDX-License-Identifier: MIT */
/* sip_outbound.h - the edge proxy's part of SIP Outbound (RFC 5626 5).
 *
 * A client that registers a flow (reg-id in its Contact, "outbound" in
 * Supported) over a connection gets `ob` into our Path: the registrar then
 * knows that the first hop keeps flows, instead of refusing with 439. When the
 * registrar takes part ("Require: outbound" in its 2xx) the client is told by
 * Flow-Timer how long a connection may be silent before we close it.
 *
 * Not over UDP: there a flow is kept alive by STUN, which is not answered
 * here, so no promise is made.
 */
#ifndef SIP_OUTBOUND_H
#define SIP_OUTBOUND_H

#include "proxy/sip_internal.h"

/* This REGISTER, which came from `from`, asks for a flow of its own. */
bool sip_outbound_is_wanted(const struct sip_msg *request,
                            const struct sip_target *from);

/* In core->edit, the 2xx to the REGISTER of a flow: the Flow-Timer. */
void sip_outbound_answer(struct sip_core *core, const struct sip_msg *response,
                         const struct sip_flow *flow);

#endif /* SIP_OUTBOUND_H */

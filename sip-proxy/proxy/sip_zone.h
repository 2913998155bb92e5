/* SPDX-License-Identifier: MIT */
/* sip_zone.h - what may come in at a listener, whoever sends it: methods, size
 * and type of bodies.
 *
 * ACK, CANCEL and BYE may always come: they end or complete what was let in.
 * A body that is packed (Content-Encoding) never comes in from outside: who
 * unpacks it would not know how long it gets.
 */
#ifndef SIP_ZONE_H
#define SIP_ZONE_H

#include "base/buf.h"
#include "proxy/sip_core.h"

enum sip_refusal sip_zone_check(const struct sip_local *local,
                                const struct sip_msg *request);

/* A REFER may be sent on to that (policy.refer_inside): a domain of ours or of
 * a partner, a media server, a number. Who could name anything would have a
 * media server call it, and pay. */
bool sip_zone_may_refer(const struct sip_core *core,
                        const struct sip_local *local,
                        const struct sip_msg *request);

/* The header lines that a refusal says more with: Allow, Accept,
 * Accept-Encoding; none for other refusals. */
void sip_zone_explain(const struct sip_local *local, enum sip_refusal why,
                      struct buf *out);

#endif /* SIP_ZONE_H */

/* SPDX-License-Identifier: MIT */
/* sip_orphan.h - a call that is answered when its caller is gone.
 *
 * The caller's connection closed, our CANCEL and the 200 of the media server
 * crossed: nobody would acknowledge it, and the callee would talk to nobody
 * until the server gives up after 32 s. In the place of the caller we
 * acknowledge and hang up (RFC 3261 9.1 and 13.2.2.4 leave that to the UAC).
 */
#ifndef SIP_ORPHAN_H
#define SIP_ORPHAN_H

#include "proxy/sip_internal.h"

/* A 2xx to an INVITE of nobody, from media server `to`. An ACK goes each time
 * it comes, a BYE when `bye` says so. */
void sip_orphan_end(struct sip_core *core, const struct sip_msg *response,
                    const struct sip_target *to, bool bye, uint64_t now);

#endif /* SIP_ORPHAN_H */

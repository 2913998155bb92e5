/* SPDX-License-Identifier: MIT */
/* sip_strict.h - strict routers, as RFC 2543 had them, beside us (RFC 3261
 * 16.4, 16.6 step 6, 16.12).
 *
 * A strict router before us puts our own URI into the Request-URI and the
 * true one at the end of Route. One behind us must find itself in the
 * Request-URI.
 */
#ifndef SIP_STRICT_H
#define SIP_STRICT_H

#include "proxy/sip_internal.h"

/* core->msg is a request whose Request-URI is a Record-Route of ours, for this
 * dialog: it becomes the request as a loose router would have sent it. Returns
 * 0, also when there is nothing to do, or an error: drop it. */
int sip_strict_fix(struct sip_core *core);

/* The next hop behind `pop` values of Route is a strict router: in core->edit
 * it moves into the Request-URI, and what was there to the end of Route. False:
 * it is none, nothing was changed. */
bool sip_strict_next(struct sip_core *core, const struct sip_msg *request,
                     unsigned pop);

#endif /* SIP_STRICT_H */

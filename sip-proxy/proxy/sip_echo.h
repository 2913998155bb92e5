/* SPDX-License-Identifier: MIT */
/* sip_echo.h - a mirror for those who look for an ALG in their router.
 *
 * When the settings name a method for it, a request of that method from
 * outside is answered with 200 and, as its body (message/sip), the request as
 * it arrived here: the client compares and knows what was changed on the way.
 * The guard's rates hold for it as for any request.
 *
 * Over UDP, where the source of a datagram proves nothing, the answer is never
 * longer than the request: the body is cut to what is left, and without room
 * for a single byte of it nothing is sent. A client that wants all of it pads
 * its request with a body, about twice as long as its headers.
 */
#ifndef SIP_ECHO_H
#define SIP_ECHO_H

#include "proxy/sip_internal.h"

/* core->msg is such a request: it is done. */
bool sip_echo(struct sip_core *core, const struct sip_target *from);

#endif /* SIP_ECHO_H */

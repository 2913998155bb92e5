/* SPDX-License-Identifier: MIT */
/* sip_ws.h - one client's WebSocket (RFC 6455, RFC 7118): handshake with path,
 * subprotocol and Origin; frames to messages and back; pings; close.
 *
 * Owner: the worker's list. It frees itself when the stream ends. A message is
 * a text or binary message of at most max-message bytes. Who does not take
 * what is sent to him is cut; who says nothing and answers no ping, too.
 */
#ifndef SIP_WS_H
#define SIP_WS_H

#include "net/stream.h"
#include "sip_worker.h"

/* Take an accepted stream; closes it when out of memory. */
void sip_ws_accept(struct sip_worker *w, struct stream *stream,
                   uint32_t listener);

#endif /* SIP_WS_H */

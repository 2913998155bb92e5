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

struct sip_ws;

/* Take an accepted stream; closes it when out of memory. */
void sip_ws_accept(struct sip_worker *w, struct stream *stream,
                   uint32_t listener);

/* One SIP message. Returns 0, or negative when it will not arrive. Never ends
 * the connection before it returns. */
int sip_ws_send(struct sip_ws *ws, struct span message);

/* Close with this code (enum ws_close_code); the core is told when it is over.
 * Harmless when already closing. */
void sip_ws_close(struct sip_ws *ws, unsigned code, const char *reason);

/* The next of the worker's list. */
struct sip_ws *sip_ws_of_node(struct list *node);

#endif /* SIP_WS_H */

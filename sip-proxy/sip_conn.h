/* SPDX-License-Identifier: MIT */
/* sip_conn.h - one TCP or TLS connection that speaks SIP (RFC 3261 18).
 *
 * Outside: accepted; each is a flow of its own. Inside: accepted from a media
 * server, or made by us when there is something to send to one, and then used
 * for both directions by whoever sends to that address (RFC 5923). These have
 * no flow, the core knows them by the address.
 *
 * What cannot be followed as a stream of SIP messages ends the connection.
 * Owner: the worker's list; frees itself when the stream ends.
 */
#ifndef SIP_CONN_H
#define SIP_CONN_H

#include "net/stream.h"
#include "sip_worker.h"

/* Take an accepted stream; closes it when out of memory or places. `names`:
 * of a federation partner, the domains of its certificate, one a line; else
 * NULL. */
void sip_conn_accept(struct sip_worker *w, struct stream *stream,
                     uint32_t listener, const char *names);

/* Connect to a federation partner, whose flow to->flow already is. */
int sip_conn_dial(struct sip_worker *w, const struct sip_target *to,
                  const char *name, const char *sni,
                  struct sip_link **ret_link);

/* Send to a media server, on the connection with it; connects when there is
 * none and the address is a media server's. Returns 0 or an error. */
int sip_conn_send_to(struct sip_worker *w, const struct sip_target *to,
                     struct span message);

#endif /* SIP_CONN_H */

/* SPDX-License-Identifier: MIT */
/* sip_peer.h - federation partners at the door: whose certificate is it?
 *
 * A connection on a listener for partners is let in when the certificate it
 * showed holds (chain, dates, purpose) and is for a domain of a partner that
 * is not blocked; before a byte of SIP is looked at. Else it is counted,
 * logged with what was wrong (each reason at most once a second, bounded by
 * the reasons), told "access denied" and closed.
 */
#ifndef SIP_PEER_H
#define SIP_PEER_H

#include "net/stream.h"
#include "sip_worker.h"

/* Take an accepted stream of a listener for partners. */
void sip_peer_accept(struct sip_worker *w, struct stream *stream,
                     uint32_t listener);

/* The certificate of a media server that has connected is for its address, or
 * for the name it is configured by. */
bool sip_peer_is_server(const struct sip_worker *w, const struct stream *stream,
                        const struct sip_target *from);

#endif /* SIP_PEER_H */

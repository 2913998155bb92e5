/* SPDX-License-Identifier: MIT */
/* sip_size.h - what is too long for a datagram (RFC 3261 18.1.1).
 *
 * A request to a media server on UDP that is longer than its path takes goes
 * over TCP to the same address and port, when the server's settings allow it
 * and we listen on TCP inside, too (the answer may come on a connection of its
 * own). A server that refuses TCP, or does not answer there, gets its large
 * requests over UDP for SIP_STREAM_AGAIN_MS, in fragments, as does everything
 * else that is too long: counted, and named in the log once a minute.
 */
#ifndef SIP_SIZE_H
#define SIP_SIZE_H

#include "proxy/sip_internal.h"

enum {
    SIP_STREAM_AGAIN_MS = 300000,
    SIP_SIZE_SMALL = 500, /* no limit is lower */
};

/* A request of `len` bytes to that server goes over TCP: sets `*ret_to`. */
bool sip_size_wants_stream(const struct sip_core *core, int server, size_t len,
                           struct sip_target *ret_to, uint64_t now);

/* The server has no TCP, for now. */
void sip_size_no_stream(struct sip_core *core, int server, uint64_t now);

/* The server on UDP whose TCP is meant by this target, or -1. */
int sip_size_server_of(const struct sip_core *core,
                       const struct sip_target *to);

/* A datagram leaves: count and name it when it is too long. */
void sip_size_note(struct sip_core *core, const struct sip_target *to,
                   struct span message);

#endif /* SIP_SIZE_H */

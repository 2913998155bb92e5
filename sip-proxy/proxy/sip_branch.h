/* SPDX-License-Identifier: MIT */
/* sip_branch.h - the branch parameter of our own Via (RFC 3261 16.6 step 8,
 * RFC 5393 4.2).
 *
 *   z9hG4bKE ww hhhhhhhhhhhhhhhh rrrrrrrrrrrrrrrr
 *
 * ww: the worker whose transaction it is, since a response may arrive at any
 * of them; h: hash over everything that decides about the way of a request,
 * to tell a loop (same hash again) from a spiral; r: random, makes it unique
 * and not to be guessed. All hexadecimal.
 */
#ifndef SIP_BRANCH_H
#define SIP_BRANCH_H

#include "msg/sip_msg.h"

enum { SIP_BRANCH_TEXT = 8 + 2 + 16 + 16 };

/* The keyed hash of what routing looks at: Request-URI, Route, both tags,
 * Call-ID, CSeq, Proxy-Require and Proxy-Authorization. */
uint64_t sip_branch_hash(const struct sip_msg *msg, const uint64_t seed[2]);

void sip_branch_write(uint8_t worker, uint64_t hash, uint64_t random,
                      char text[SIP_BRANCH_TEXT + 1]);

/* False when the branch is none of ours. */
bool sip_branch_read(struct span branch, uint8_t *ret_worker,
                     uint64_t *ret_hash);

/* A Via of the message has our branch with this hash: the request has been
 * here and nothing has changed. */
bool sip_branch_is_loop(const struct sip_msg *msg, uint64_t hash);

#endif /* SIP_BRANCH_H */

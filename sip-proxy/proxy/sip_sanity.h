/* SPDX-License-Identifier: MIT */
/* sip_sanity.h - may this request enter (RFC 3261 16.3)?
 *
 * Pure checks on one parsed request; the parser has already refused what is
 * malformed (sip_msg.h). Each failure is one refusal with its own counter.
 */
#ifndef SIP_SANITY_H
#define SIP_SANITY_H

#include "proxy/sip_core.h"

/* `hash` is sip_branch_hash() of the request. */
enum sip_refusal sip_sanity_check(const struct sip_core_config *config,
                                  const struct sip_msg *request,
                                  enum sip_zone from, uint64_t hash);

#endif /* SIP_SANITY_H */

/* SPDX-License-Identifier: MIT */
/* sip_admit.h - the guard at the core's entry: what sip_guard.h says is done
 * here, and counted. Only what comes from outside is looked at.
 *
 * Datagrams are dropped without a word (an answer would go to whoever's
 * address stands on them); connections get an answer, or are closed.
 */
#ifndef SIP_ADMIT_H
#define SIP_ADMIT_H

#include "proxy/sip_internal.h"

/* Before anything is read. False: the source is banned; dropped or closed. A
 * connection on which somebody has registered goes on. */
bool sip_admit_source(struct sip_core *core, const struct sip_target *from,
                      const struct sip_flow *flow, uint64_t now);

/* core->msg was not understood. False: too many of them, no answer. */
bool sip_admit_malformed(struct sip_core *core, const struct sip_target *from,
                         uint64_t now);

/* core->msg, a request or response. False: dropped, answered or closed. */
bool sip_admit_message(struct sip_core *core, const struct sip_target *from,
                       struct sip_flow *flow, uint64_t now);

/* The final response a media server gave to a request with credentials that
 * came from there. `flow` may be NULL. */
void sip_admit_response(struct sip_core *core, const struct sip_target *from,
                        struct sip_flow *flow, const struct sip_msg *request,
                        const struct sip_msg *response, uint64_t now);

/* The request shows credentials. */
bool sip_admit_has_credentials(const struct sip_msg *request);

/* A media server says that the user is not there whom a client asked for. */
void sip_admit_miss(struct sip_core *core, const struct sip_target *from,
                    struct sip_flow *flow, uint64_t now);

#endif /* SIP_ADMIT_H */

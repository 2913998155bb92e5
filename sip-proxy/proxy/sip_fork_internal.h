/* SPDX-License-Identifier: MIT */
/* sip_fork_internal.h - what the three files of a fork share: sip_fork.c (its
 * life, entries, timers), sip_fork_branch.c (what is sent), sip_fork_response.c
 * (what comes back, and what does not). Included by these only.
 */
#ifndef SIP_FORK_INTERNAL_H
#define SIP_FORK_INTERNAL_H

#include "proxy/sip_fork.h"

/* --- sip_fork.c --- */

/* By a transaction's `user`; NULL when it is over. */
struct sip_fork *sip_fork_find(const struct sip_core *core, uint64_t user);
struct sip_branch *sip_fork_branch_of(struct sip_fork *fork,
                                      struct pool_id txn);

/* The request as it came, parsed again into core->stored; NULL when its
 * transaction is gone or has let go of it. */
const struct sip_msg *sip_fork_request_of(struct sip_core *core,
                                          const struct sip_fork *fork);

/* The final response is decided: no timers, no best one any more. */
void sip_fork_stop_waiting(struct sip_core *core, struct sip_fork *fork);

/* A final response of our own. `reason` NULL: the usual one. */
void sip_fork_answer(struct sip_core *core, struct sip_fork *fork,
                     unsigned status, const char *reason, uint64_t now);
void sip_fork_refuse(struct sip_core *core, struct sip_fork *fork,
                     enum sip_refusal why, uint64_t now);

/* --- sip_fork_branch.c --- */

/* Now, or as soon as it has answered (RFC 3261 9.1). */
void sip_fork_cancel_branch(struct sip_core *core, struct sip_fork *fork,
                            struct sip_branch *b, uint64_t now);
void sip_fork_cancel_all(struct sip_core *core, struct sip_fork *fork,
                         uint64_t now);

/* The Reason line the CANCELs get. */
void sip_fork_give_reason(struct sip_fork *fork, struct span line);

/* A new branch. `server` -1: to a client. 0, or negative when nothing could be
 * sent. */
int sip_fork_send(struct sip_core *core, struct sip_fork *fork,
                  const struct sip_msg *request, const struct sip_target *to,
                  int server, uint64_t now);

/* A branch that went over TCP for its size goes over UDP after all. False when
 * it cannot. */
bool sip_fork_send_smaller(struct sip_core *core, struct sip_fork *fork,
                           struct sip_branch *b, uint64_t now);

/* A new call of a group whose servers are to be asked all at once: send it to
 * them. False: it is none, or there are not two of them. */
bool sip_fork_spread(struct sip_core *core, struct sip_fork *fork,
                     const struct sip_msg *request, uint64_t now);

/* Choose a media server (`server` -1) and send; again with the next while
 * sending fails. False when there is none (left). */
bool sip_fork_try_server(struct sip_core *core, struct sip_fork *fork,
                         const struct sip_msg *request, int server,
                         uint64_t now);

/* The same for a request that another server has not answered. */
bool sip_fork_try_next(struct sip_core *core, struct sip_fork *fork,
                       uint64_t now);

/* The partner's connection ended before a word came: another address is
 * tried. False when there is none (left). */
bool sip_fork_try_partner(struct sip_core *core, struct sip_fork *fork,
                          struct sip_branch *b, uint64_t now);

/* --- sip_fork_response.c --- */

bool sip_fork_all_done(const struct sip_fork *fork);

/* Nothing more to wait for: the best response goes back. */
void sip_fork_finish(struct sip_core *core, struct sip_fork *fork,
                     uint64_t now);

/* Of several servers asked at once some have not said a word. */
void sip_fork_on_silence_of_some(struct sip_core *core, struct sip_fork *fork,
                                 uint64_t now);

/* No response will come; as if it had been `status`. */
void sip_fork_branch_failed(struct sip_core *core, struct sip_fork *fork,
                            struct sip_branch *b, unsigned status,
                            uint64_t now);

#endif /* SIP_FORK_INTERNAL_H */

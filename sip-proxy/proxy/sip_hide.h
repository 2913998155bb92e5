/* SPDX-License-Identifier: MIT */
/* sip_hide.h - topology hiding: no inside address leaves by a listener that
 * hides, and what it hid comes back as it was. Without state: what is taken
 * out is sealed (sip_seal.h) into parameters of our own.
 *
 *   going out                                 coming back
 *   Via          all below ours → our Via     response: behind ours again
 *   Record-Route the inner ones → ours        Route of a request, Record-Route
 *                                             of a response: behind ours again
 *   Contact      host and parameters of the   Request-URI, Refer-To,
 *                URI → ours                   Referred-By
 *   From, To,    only when the host is an     From, To, and those
 *   Refer-To, …  inside address
 *   Call-ID      only when it contains one    Call-ID, Replaces, Refer-To
 *   Path, Service-Route, Warning              (removed: nothing comes back)
 *   Server, User-Agent, Organization          (removed with "full")
 *   other fields inside addresses → ours      (nothing comes back)
 *
 * A codec at the door: what is inside (transactions, tokens, media servers)
 * sees messages as if nobody hid anything. Bodies and challenges stay as they
 * are: where media flows is said by the SDP of who sends it.
 */
#ifndef SIP_HIDE_H
#define SIP_HIDE_H

#include "base/span.h"

struct sip_core;
struct sip_msg;
struct sip_target;
struct sip_hide;

enum sip_hide_mode {
    SIP_HIDE_OFF,
    SIP_HIDE_TOPOLOGY,
    SIP_HIDE_FULL, /* what programs and versions are inside, too */
};

/* The parameter of our own URIs and Vias. */
#define SIP_HIDE_PARAM "hid"

/* Nothing when no listener hides. Returns 0 or -ENOMEM. */
int sip_hide_new(struct sip_core *core);
void sip_hide_free(struct sip_core *core);

/* Into *ret_message what may be sent to that listener, valid until the next
 * call; `message` itself where nothing is to be hidden. Returns 0, or negative
 * when it cannot be done: then nothing may be sent. */
int sip_hide_outgoing(struct sip_core *core, const struct sip_target *to,
                      struct span message, struct span *ret_message);

/* Bring back what was hidden in core->msg, which came from there. Returns 0;
 * 1 when core->msg is another one now; ERR_AUTH when something in it looks
 * like ours and is not; another error when it does not fit. */
int sip_hide_incoming(struct sip_core *core, const struct sip_target *from);

#endif /* SIP_HIDE_H */

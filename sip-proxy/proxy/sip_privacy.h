/* SPDX-License-Identifier: MIT */
/* sip_privacy.h - identities at the boundary of trust (RFC 3323, RFC 3325; RFC
 * 3324 is what makes somebody trusted: here a setting).
 *
 * From those who are not trusted no asserted identity is taken; from those who
 * are it is (`strip`, less these fields). To those who are not trusted:
 *
 *   Privacy: id      the asserted identities are removed
 *   Privacy: none    they go along, nobody removes them
 *   neither          they go along to clients (their display shows who
 *                    calls), not to federation partners
 *   header           done where the listener hides (sip_hide.h), and the
 *                    value removed as it is done
 *   user             what names the user beside From: Subject, Call-Info,
 *                    Organization, User-Agent, Server, Reply-To, In-Reply-To
 *                    are removed. From is whoever set up the dialog's to
 *                    change: it cannot be done here, so it is not called done
 *   critical         a request whose wishes cannot all be met is refused: 500
 */
#ifndef SIP_PRIVACY_H
#define SIP_PRIVACY_H

#include "msg/sip_edit.h"

struct sip_core;
struct sip_flow;

enum sip_privacy {
    SIP_PRIVACY_NONE = 1,
    SIP_PRIVACY_ID = 2,
    SIP_PRIVACY_HEADER = 4,
    SIP_PRIVACY_USER = 8,
    SIP_PRIVACY_SESSION = 16,
    SIP_PRIVACY_CRITICAL = 32,
    SIP_PRIVACY_OTHER = 64,
};

/* What a message asks for; 0: it does not say. */
unsigned sip_privacy_of(const struct sip_msg *msg);

/* A connection's peer is in our trust domain: its listener or all partners it
 * speaks for are said to be. */
bool sip_privacy_is_trusted(const struct sip_core *core,
                            const struct sip_flow *flow);

/* A request to there can have what it calls critical. */
bool sip_privacy_is_possible(const struct sip_core *core,
                             const struct sip_flow *flow,
                             const struct sip_msg *request);

/* Edit a message that goes to there. */
void sip_privacy_outwards(const struct sip_core *core, struct sip_edit *edit,
                          const struct sip_flow *flow,
                          const struct sip_msg *msg);

/* A field that is taken from those who are trusted alone. */
bool sip_privacy_is_identity(struct span name);

#endif /* SIP_PRIVACY_H */

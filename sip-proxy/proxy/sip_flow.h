/* SPDX-License-Identifier: MIT */
/* sip_flow.h - the connections clients hold to us, as the core knows them.
 *
 * A flow is born when a WebSocket is open (or a stream, or the first datagram
 * of an outside client) and dies with it. It has an id of slot and generation
 * that is never used for another flow of this process; mixed with the random
 * epoch of the start it goes into flow tokens (sip_token.h), so that a token
 * names this very connection or nothing.
 *
 * Bounded by `max`. Owner: the core of one worker; no locks.
 */
#ifndef SIP_FLOW_H
#define SIP_FLOW_H

#include "base/list.h"
#include "base/ratelim.h"
#include "proxy/sip_token.h"
#include "txn/sip_target.h"

struct sip_flows;

enum {
    SIP_FLOW_CONTACTS = 4,      /* rewritten Contacts remembered per flow */
    SIP_FLOW_MAX = 0xFFFFFF,    /* what a token's slot can name */
    SIP_FLOW_CONTACT_MAX = 400, /* bytes of a Contact URI we remember */
};

struct sip_flow {
    struct sip_target target; /* .flow is the flow's own id, as a number */
    void *conn;               /* the shell's; NULL for datagrams */
    uint32_t group;           /* sip_name_tag() of the media-server group */
    bool sips;                /* the client writes sips: in its Contact */
    bool dialled;             /* to a partner, by us */
    bool is_placed;           /* in the count of its source */
    bool registered;          /* a REGISTER through it was answered 2xx */
    bool is_shared;           /* several clients behind it; sip_rebind.h */
    bool said_bye;            /* the client ends it in good order */
    uint64_t tag;             /* of its client, sip_rebind.h; 0: none */
    uint64_t since;           /* ms */
    uint64_t last_seen;       /* ms */
    uint64_t messages;        /* received */
    uint32_t garbage;         /* messages that were none */
    struct ratelim rate;      /* of requests; sip_guard.h */
    uint32_t pending;         /* requests from here that hold transactions */
    struct list forks;        /* requests under way that came from here */
    /* Contact URIs we replaced (servers without Path), NUL-terminated; owned.
     * Only the newest are kept: a client registers one, seldom two. */
    char *contacts[SIP_FLOW_CONTACTS];
    /* A partner's (sip_partner.h): the domains its certificate is for, one a
     * line; owned. NULL: a client's. */
    char *names;
};

/* `max` flows at a time; `epoch` is random, one per start.
 * Returns 0, -EINVAL or -ENOMEM. Release with sip_flows_free(). */
int sip_flows_new(struct sip_flows **ret_flows, uint32_t max, uint32_t epoch);

void sip_flows_free(struct sip_flows *flows);

/* A new flow; `target->flow` is ignored and set. NULL when the table is
 * full. */
struct sip_flow *sip_flows_open(struct sip_flows *flows,
                                const struct sip_target *target, void *conn,
                                uint64_t now);

/* Forget it; its id names nothing from now on. */
void sip_flows_close(struct sip_flows *flows, struct sip_flow *flow);

/* The flow, or NULL when it is gone. */
struct sip_flow *sip_flows_find(const struct sip_flows *flows, uint64_t id);

/* The flow a verified token names, or NULL when that connection is gone. */
struct sip_flow *sip_flows_find_token(const struct sip_flows *flows,
                                      const struct sip_token *token);

/* What to write into a token: the flow's id with the epoch mixed in. */
struct pool_id sip_flow_token_id(const struct sip_flows *flows,
                                 const struct sip_flow *flow);

/* The datagram flow of a remote address at one of our addresses, or NULL. */
struct sip_flow *sip_flows_find_remote(const struct sip_flows *flows,
                                       const struct sip_target *target);

/* Remember the Contact URI that stands behind our rewritten one; the same
 * URI is kept once, the oldest falls out. Returns its index (0 to
 * SIP_FLOW_CONTACTS - 1), ERR_LIMIT (too long) or -ENOMEM. */
int sip_flow_keep_contact(struct sip_flow *flow, struct span uri);

/* The remembered Contact URI whose user part is `user`; newest first; empty
 * when there is none. */
struct span sip_flow_contact(const struct sip_flow *flow, struct span user);

/* It is a partner's connection, of these domains (copied). 0 or -ENOMEM. */
int sip_flow_set_names(struct sip_flow *flow, const char *names);

uint32_t sip_flows_count(const struct sip_flows *flows);
uint32_t sip_flows_max(const struct sip_flows *flows);

/* How many of them are datagram flows. */
uint32_t sip_flows_datagrams(const struct sip_flows *flows);

/* Walk: *pos = 0 first; NULL at the end. The flow returned may be closed. */
struct sip_flow *sip_flows_each(const struct sip_flows *flows, uint32_t *pos);

/* A stable 32-bit tag of a name (group, server): case does not matter. */
uint32_t sip_name_tag(struct span name);

#endif /* SIP_FLOW_H */

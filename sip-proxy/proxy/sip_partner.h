/* SPDX-License-Identifier: MIT */
/* sip_partner.h - federation: other organisations' SIP servers, over mutual
 * TLS (RFC 5922, RFC 5923).
 *
 * A partner is a SIP domain that is configured. Whoever connects to a
 * listener for partners shows a certificate; the domains it is for (RFC 5922)
 * are kept with the connection, and every request on it, those inside dialogs
 * too, is held against them:
 *
 *   From      must be of a partner's domain that the certificate is for
 *   blocked   a blocked domain, and what is below it, is refused even when it
 *             is a partner as well
 *   method    one of those the partner may use
 *   to        a first request goes to the domains the partner may reach
 *   dialog    the token of its Route is that partner's
 *
 * From inside a request whose Request-URI has a partner's domain goes to that
 * partner: over a connection there is, else over one that is made. What
 * belongs to a dialog goes to the partner its token names, not to the
 * connection it came over: partners close and open theirs as they like.
 *
 * The lists are borrowed from the configuration and change with a reload:
 * what is removed or blocked is refused from the next request on.
 */
#ifndef SIP_PARTNER_H
#define SIP_PARTNER_H

#include "base/addr.h"
#include "base/cidr.h"
#include "base/span.h"
#include "msg/sip_msg.h"
#include "proxy/sip_stats.h"

enum {
    SIP_PARTNERS_MAX = 64,
    SIP_BLOCKED_MAX = 256,
    SIP_PARTNER_NETWORKS = 16,
    SIP_REACH_MAX = 16,          /* domains one partner may call */
    SIP_PARTNER_ADDRS = 8,       /* of one partner */
    SIP_PARTNER_NAMES_MAX = 4096 /* bytes of the domains of a certificate */
};

struct sip_core;
struct sip_flow;
struct sip_route;
struct sip_target;

/* One partner domain. Strings are borrowed, in lower case or not. */
struct sip_partner {
    const char *domain;
    const char *name;         /* that its certificate is for: domain, or said */
    const char *sni;          /* asked for when we connect */
    struct addr address;      /* ADDR_NONE: found by DNS */
    uint32_t group;           /* of media servers for its calls; 0: any */
    uint32_t methods;         /* bits 1 << enum sip_method */
    bool identity;            /* its P-Asserted-Identity is taken */
    bool anonymous;           /* From may be anonymous.invalid (RFC 3323) */
    const char *const *reach; /* domains of ours; NULL: all of them */
    size_t n_reach;
};

struct sip_partner_config {
    struct sip_partner items[SIP_PARTNERS_MAX];
    size_t n;
    struct cidr networks[SIP_PARTNER_NETWORKS]; /* where DNS may lead us */
    size_t n_networks;                          /* none: public addresses */
    const char *const *blocked; /* domains, with all below them */
    size_t n_blocked;
};

/* Of one partner in one core. */
struct sip_partner_state {
    uint64_t dialled;                     /* flow we made; 0: none */
    uint64_t accepted;                    /* newest flow it made; 0: none */
    struct addr addrs[SIP_PARTNER_ADDRS]; /* best first; none: not known */
    size_t n_addrs;
    size_t next; /* of these, to be tried first */
};

/* The partner of that domain (exact, any case), or -1. */
int sip_partner_find(const struct sip_partner_config *cfg, struct span domain);

/* By sip_name_tag() of the domain, as tokens have it; or -1. */
int sip_partner_find_tag(const struct sip_partner_config *cfg, uint32_t tag);
uint32_t sip_partner_tag(const struct sip_partner *partner);

/* The domain or one above it is on the list. */
bool sip_partner_is_blocked(const struct sip_partner_config *cfg,
                            struct span domain);

/* `names`: one domain a line. */
bool sip_partner_owns(const struct sip_partner *partner, const char *names);

/* Some partner that is not blocked has such a certificate. */
bool sip_partner_knows(const struct sip_partner_config *cfg, const char *names);

/* May this request of a partner's connection enter? Sets *ret_partner to
 * whose it is. */
enum sip_refusal sip_partner_admit(const struct sip_core *core,
                                   const struct sip_msg *request,
                                   const struct sip_flow *flow,
                                   int *ret_partner);

/* The connection of route->partner, made when there is none. Sets
 * route->flow; or the route is refused. */
void sip_partner_connect(struct sip_core *core, struct sip_route *route,
                         uint64_t now);

/* After a new configuration. */
void sip_partner_reload(struct sip_core *core);

/* The same for a request that went nowhere: another address is tried.
 * NULL when there is none. */
struct sip_flow *sip_partner_next(struct sip_core *core, uint32_t tag,
                                  uint64_t now);

#endif /* SIP_PARTNER_H */

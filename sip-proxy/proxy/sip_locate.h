/* SPDX-License-Identifier: MIT */
/* sip_locate.h - from a SIP URI or domain to addresses: the procedure of RFC
 * 3263 4, and the SRV names by which federation partners are found.
 *
 * Pure: it says what to ask DNS for, is told the answers, and ends with an
 * ordered list of hops, to be tried from the first on (RFC 3263 4.3). The one
 * who asks is the shell (sip_locator.h): nothing here waits.
 *
 *   NAPTR of the domain ──► SRV of each service ──► A and AAAA of each target
 *        (skipped when a transport or a port is given)
 *
 * Within one rank the hops are in the order of RFC 2782's draw; rank and
 * weight are kept for those who choose by themselves (sip_dispatch.h).
 * Bounded: SIP_LOCATE_ASKS questions at each step, SIP_HOPS_MAX hops.
 */
#ifndef SIP_LOCATE_H
#define SIP_LOCATE_H

#include "base/addr.h"
#include "base/dns.h"
#include "msg/sip_transport.h"

enum {
    SIP_HOPS_MAX = 16,
    SIP_LOCATE_ASKS = 12,
};

enum sip_locate_kind {
    SIP_LOCATE_URI,     /* RFC 3263 4 */
    SIP_LOCATE_PARTNER, /* SRV _sipfederationtls._tcp, then _sips._tcp, then
                           the domain's own address on port 5061; TLS only */
};

struct sip_locate_query {
    enum sip_locate_kind kind;
    struct span host; /* a name, or an address without brackets */
    uint16_t port;    /* 0: not given */
    bool is_known;    /* its addresses are configured: no records are asked */
    bool sips;        /* TLS or nothing */
    enum sip_transport transport; /* SIP_TRANSPORT_NONE: not given */
    unsigned transports; /* bits SIP_LOCATE_CAN(t): what can be spoken there */
};

#define SIP_LOCATE_CAN(transport) (1U << (transport))

/* One place to send to. */
struct sip_hop {
    enum sip_transport transport;
    struct addr addr;            /* with the port */
    uint16_t rank;               /* 0: tried first; counts up without gaps */
    uint16_t weight;             /* of its SRV record; 0 when there is none */
    char name[DNS_NAME_MAX + 1]; /* the host that has the address, for logs;
                                    certificates are checked against the
                                    domain that was asked for (RFC 5922) */
};

enum sip_ask_type {
    SIP_ASK_NAPTR,
    SIP_ASK_SRV,
    SIP_ASK_ADDRESS, /* A and AAAA */
};

struct sip_ask {
    enum sip_ask_type type;
    char name[DNS_NAME_MAX + 1];
    /* What is known of those it will lead to: */
    enum sip_transport transport;
    uint16_t port;
    uint16_t rank;
    uint16_t weight;
    bool is_answered;
};

/* One procedure under way. Everything in it is read only. */
struct sip_locate {
    enum sip_locate_kind kind;
    unsigned transports;
    bool sips;
    bool is_refused; /* a record says that the service is not offered */
    uint16_t port;
    enum sip_ask_type step;
    char domain[DNS_NAME_MAX + 1];
    struct sip_ask asks[SIP_LOCATE_ASKS]; /* of this step */
    size_t n_asks;
    struct sip_ask next[SIP_LOCATE_ASKS]; /* of the next one */
    size_t n_next;
    struct sip_hop hops[SIP_HOPS_MAX]; /* by rank */
    size_t n_hops;
    uint32_t (*random)(void *arg);
    void *arg;
};

/* Begin. `random` gives 32 random bits (for RFC 2782); it is kept.
 * Returns 1 when the questions `l->asks` are to be asked; 0 when the hops are
 * known already (the host is an address); ERR_PARSE (no host name), ERR_DENIED
 * (a transport that cannot be spoken). */
int sip_locate_begin(struct sip_locate *l, const struct sip_locate_query *query,
                     uint32_t (*random)(void *arg), void *arg);

/* Answer question `index` of this step: with records (NULL: none, or an
 * error), or with addresses for SIP_ASK_ADDRESS. A question is answered once;
 * another answer to it is not looked at.
 * Returns 1 when all of this step are answered and `l->asks` are new ones to
 * be asked; 0 when it goes on waiting; ERR_RESOLVE when nothing was found;
 * 2 when it is done: `l->hops`. */
int sip_locate_records(struct sip_locate *l, size_t index,
                       const struct dns_records *records);
int sip_locate_addresses(struct sip_locate *l, size_t index,
                         const struct addr *addrs, size_t n);

#endif /* SIP_LOCATE_H */

/* SPDX-License-Identifier: MIT */
/* sip_dispatch.h - the media servers: groups, health, choice.
 *
 * A group is a name with servers of different priority (lower is asked
 * first) and weight. One user always meets the same server of a group while
 * it lives: the choice is the highest of `weight` draws of a hash over user
 * and server (rendezvous hashing), so that a server that goes down or comes
 * back moves its own users only, and every worker and every edge node chooses
 * alike without talking.
 *
 * A server goes down after `down_after` failures in a row (a probe without
 * answer or with 503, a request without answer, a transport error) and comes
 * back after `up_after` answered probes in a row. When all servers of a group
 * are down the best one is tried all the same: refusing everybody because our
 * probes fail would make a small trouble a big one.
 *
 * Pure state, one per worker. Limits: SIP_SERVERS_MAX servers.
 */
#ifndef SIP_DISPATCH_H
#define SIP_DISPATCH_H

#include "base/dns.h"
#include "txn/sip_target.h"

enum {
    SIP_SERVERS_MAX = 64,
    SIP_GROUP_NAME_MAX = 64,
    SIP_WEIGHT_MAX = 100,
    SIP_PRIORITY_STEPS = 16, /* ranks of DNS within one configured priority */
    SIP_TRIED_MAX = 8,
};

/* How requests from the server find back to a client's connection. */
enum sip_path_mode {
    SIP_PATH_ON,   /* RFC 3327: Path on REGISTER, Route back */
    SIP_PATH_OFF,  /* the Contact is rewritten; for registrars without Path */
    SIP_PATH_AUTO, /* ON until the registrar shows that it does not know it */
};

struct sip_server_conf {
    char group[SIP_GROUP_NAME_MAX + 1];
    char text[ADDR_TEXT_SIZE + 8]; /* "udp:10.0.0.10:5060" for logs, status */
    struct sip_target target;
    char host[DNS_NAME_MAX + 1]; /* its certificate is for; "": its address */
    uint16_t priority;           /* lower first */
    uint8_t weight;              /* 1 to SIP_WEIGHT_MAX */
    enum sip_path_mode path;
    bool drain;  /* finishes its dialogs, takes no new requests */
    bool fork;   /* new calls of its group go to all such servers at once */
    bool stream; /* UDP: what is too long goes over TCP (RFC 3261 18.1.1) */
    uint32_t max_size; /* bytes of a datagram; 0: as all */
};

struct sip_dispatch_conf {
    struct sip_server_conf servers[SIP_SERVERS_MAX];
    size_t count;
    uint32_t probe_interval_ms; /* 0: never probe, all count as up */
    uint32_t down_after;        /* failures in a row */
    uint32_t up_after;          /* answered probes in a row */
    uint32_t retire_ms;         /* what was removed is known for so long */
};

struct sip_server {
    struct sip_server_conf conf;
    uint32_t group;    /* sip_name_tag() of conf.group */
    uint16_t tag;      /* sip_server_tag() of conf.text */
    bool up;           /* what choice goes by */
    bool probing;      /* an OPTIONS is under way */
    bool retired;      /* removed: its dialogs go on, nothing new goes there */
    bool path_refused; /* SIP_PATH_AUTO: it does not know Path */
    uint32_t failed;   /* in a row */
    uint32_t answered; /* in a row, while down */
    uint64_t next_probe;
    uint64_t changed;       /* ms, when `up` changed last */
    uint64_t retired_since; /* ms */
    uint64_t stream_after;  /* ms: TCP was refused, asked again from then on */
};

struct sip_dispatch {
    struct sip_server servers[SIP_SERVERS_MAX];
    size_t count;
    uint32_t probe_interval_ms;
    uint32_t down_after;
    uint32_t up_after;
    uint32_t retire_ms;
};

/* ON or OFF: what is set, or was found. */
static inline enum sip_path_mode sip_server_path(const struct sip_server *s)
{
    if (s->conf.path != SIP_PATH_AUTO)
        return s->conf.path;
    return s->path_refused ? SIP_PATH_OFF : SIP_PATH_ON;
}

/* The short name of a server inside tokens; never 0. */
uint16_t sip_server_tag(struct span text);

/* All servers up, first probes spread over one interval from `now`. */
void sip_dispatch_init(struct sip_dispatch *d,
                       const struct sip_dispatch_conf *conf, uint64_t now);

/* Take another list; servers in both keep their health. Those that are not in
 * it any more stay for their dialogs, for `retire_ms` and as long as there is
 * room, but are chosen and probed no more. */
void sip_dispatch_reload(struct sip_dispatch *d,
                         const struct sip_dispatch_conf *conf, uint64_t now);

bool sip_dispatch_has_group(const struct sip_dispatch *d, uint32_t group);

/* Servers a request was given to already. */
struct sip_tried {
    uint16_t tags[SIP_TRIED_MAX];
    unsigned n;
};

void sip_tried_add(struct sip_tried *tried, uint16_t tag);

/* The server of `group` for `user` (any stable bytes), best first, leaving
 * out those tried. Returns its index, or -1: none, or SIP_TRIED_MAX were. */
int sip_dispatch_pick(const struct sip_dispatch *d, uint32_t group,
                      struct span user, const struct sip_tried *tried);

/* Both are in some group together: what may go to the one may go to the
 * other. A retired server is alone. */
bool sip_dispatch_are_together(const struct sip_dispatch *d, uint16_t a,
                               uint16_t b);

/* Forget those whose time is over. */
void sip_dispatch_expire(struct sip_dispatch *d, uint64_t now);

/* The index of the server with this tag, or -1. */
int sip_dispatch_find_tag(const struct sip_dispatch *d, uint16_t tag);

/* The server a source address belongs to (IP only: an Asterisk may send from
 * another port than it listens on), or -1. */
int sip_dispatch_find_ip(const struct sip_dispatch *d, const struct addr *ip);

/* The server that listens on exactly this address and transport, or -1. */
int sip_dispatch_find_target(const struct sip_dispatch *d,
                             enum sip_transport transport,
                             const struct addr *remote);

/* What a probe or a request said about a server. Each returns true when the
 * server's state changed by it, in every group it is in. */
bool sip_dispatch_on_answer(struct sip_dispatch *d, int server, uint64_t now);
bool sip_dispatch_on_failure(struct sip_dispatch *d, int server, uint64_t now);

/* Another worker's finding: taken as it is. True when it was news. */
bool sip_dispatch_set_state(struct sip_dispatch *d, uint16_t tag, bool up,
                            uint64_t now);

/* The next server to probe at `now`, its timer moved on; -1: none is due.
 * A server in several groups is probed once. */
int sip_dispatch_take_due(struct sip_dispatch *d, uint64_t now);

/* When sip_dispatch_take_due() has work; UINT64_MAX: never. */
uint64_t sip_dispatch_next_deadline(const struct sip_dispatch *d);

#endif /* SIP_DISPATCH_H */

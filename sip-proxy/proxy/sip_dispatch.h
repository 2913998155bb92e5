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

#include "txn/sip_target.h"

enum {
    SIP_SERVERS_MAX = 64,
    SIP_GROUP_NAME_MAX = 64,
    SIP_WEIGHT_MAX = 100,
};

/* How requests from the server find back to a client's connection. */
enum sip_path_mode {
    SIP_PATH_ON,  /* RFC 3327: Path on REGISTER, Route back */
    SIP_PATH_OFF, /* the Contact is rewritten; for registrars without Path */
};

struct sip_server_conf {
    char group[SIP_GROUP_NAME_MAX + 1];
    char text[ADDR_TEXT_SIZE + 8]; /* "udp:10.0.0.10:5060" for logs, status */
    struct sip_target target;
    uint8_t priority; /* lower first */
    uint8_t weight;   /* 1 to SIP_WEIGHT_MAX */
    enum sip_path_mode path;
    bool drain; /* finishes its dialogs, takes no new requests */
};

struct sip_dispatch_conf {
    struct sip_server_conf servers[SIP_SERVERS_MAX];
    size_t count;
    uint32_t probe_interval_ms; /* 0: never probe, all count as up */
    uint32_t down_after;        /* failures in a row */
    uint32_t up_after;          /* answered probes in a row */
};

struct sip_server {
    struct sip_server_conf conf;
    uint32_t group;    /* sip_name_tag() of conf.group */
    uint16_t tag;      /* sip_server_tag() of conf.text */
    bool up;           /* what choice goes by */
    bool probing;      /* an OPTIONS is under way */
    uint32_t failed;   /* in a row */
    uint32_t answered; /* in a row, while down */
    uint64_t next_probe;
    uint64_t changed; /* ms, when `up` changed last */
};

struct sip_dispatch {
    struct sip_server servers[SIP_SERVERS_MAX];
    size_t count;
    uint32_t probe_interval_ms;
    uint32_t down_after;
    uint32_t up_after;
};

/* The short name of a server inside tokens; never 0. */
uint16_t sip_server_tag(struct span text);

/* All servers up, first probes spread over one interval from `now`. */
void sip_dispatch_init(struct sip_dispatch *d,
                       const struct sip_dispatch_conf *conf, uint64_t now);

/* Take another list; servers in both keep their health. */
void sip_dispatch_reload(struct sip_dispatch *d,
                         const struct sip_dispatch_conf *conf, uint64_t now);

bool sip_dispatch_has_group(const struct sip_dispatch *d, uint32_t group);

/* The server of `group` for `user` (any stable bytes), best first, leaving
 * out those whose bit is set in `tried`. Returns its index, or -1. */
int sip_dispatch_pick(const struct sip_dispatch *d, uint32_t group,
                      struct span user, uint64_t tried);

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

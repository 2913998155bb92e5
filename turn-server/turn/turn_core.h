/* SPDX-License-Identifier: MIT */
/* turn_core.h - a TURN and STUN server without sockets (RFC 8489, RFC 8656).
 *
 * One core belongs to one worker thread. Bytes, addresses and the time come
 * in as events; bytes go out through the functions of struct turn_env, and
 * nothing else is ever called upward. What the cores of several workers have
 * in common (relay ports, quotas, the nonce secret) is struct turn_shared.
 *
 * `now` is monotonic milliseconds everywhere.
 */
#ifndef TURN_CORE_H
#define TURN_CORE_H

#include "base/addr.h"
#include "base/pool.h"
#include "turn/turn_mobile.h"
#include "turn/turn_rules.h"
#include "turn/turn_shared.h"
#include "turn/turn_stats.h"
#include "turn/turn_tcp.h"

struct turn_core;

enum {
    /* Writable bytes a packet from a peer must have before and behind it:
     * relaying writes its header there and moves nothing. */
    TURN_HEADROOM = 48,
    TURN_TAILROOM = 4,
    /* Longest answer to a request, PADDING aside. */
    TURN_ANSWER_MAX = 1024,
    TURN_LISTENERS_MAX = 16,
};

enum turn_transport {
    TURN_UDP,
    TURN_TCP,
    TURN_TLS,
    TURN_DTLS,
    TURN_TRANSPORT_COUNT,
};

static inline bool turn_transport_is_stream(uint8_t transport)
{
    return transport == TURN_TCP || transport == TURN_TLS;
}

/* What a client may do, by the listener it came to. */
enum turn_access {
    TURN_ACCESS_RELAY,   /* everything */
    TURN_ACCESS_BINDING, /* STUN Binding only; the rest is 403 */
};

/* A client's 5-tuple, and how to reach it. Plain value without padding; its
 * bytes are the key of the allocation table. */
struct turn_client {
    struct addr remote; /* the client, as we see it */
    struct addr local;  /* the address of ours it talks to */
    uint64_t link;      /* the shell's name for listener or connection */
    uint8_t transport;  /* enum turn_transport */
    uint8_t access;     /* enum turn_access; always the same for a 5-tuple */
    uint16_t home;      /* 0: this core's worker; else, plus 1, the one its
                           packets come to (turn_mobile.h) */
    uint32_t realm;     /* turn_realm_id(), or TURN_REALM_DEFAULT; the same
                           for a 5-tuple as well */
};

/* Bytes to send, and the traffic class (DSCP << 2 | ECN) to send them with. */
struct turn_packet {
    struct span bytes;
    uint8_t tos;
    bool dont_fragment; /* to a peer: with DF, and told when it is too long */
};

/* A packet from a peer; TURN_HEADROOM and TURN_TAILROOM apply to `data`. */
struct turn_datagram {
    struct addr from;
    uint8_t *data;
    size_t len;
    uint8_t tos;
};

/* An ICMP error about a packet that was sent to a peer. */
struct turn_report {
    struct addr peer;
    uint8_t type;
    uint8_t code;
    uint32_t info; /* the MTU when it says "too big", else 0 */
};

/* What the core needs from the world. None of these may call back into the
 * core. Bytes handed out are valid until the event that caused them returns;
 * those that lie inside the packet of the event need not be copied before. */
struct turn_env {
    /* Open a UDP socket on exactly `want` for an allocation. Returns 0 and a
     * handle, or -errno: -EADDRINUSE makes the core try another port. */
    int (*relay_open)(void *arg, struct pool_id alloc, const struct addr *want,
                      void **ret_relay);
    void (*relay_close)(void *arg, void *relay);
    void (*to_client)(void *arg, const struct turn_client *to,
                      const struct turn_packet *packet);
    void (*to_peer)(void *arg, void *relay, const struct addr *to,
                    const struct turn_packet *packet);
    void (*random)(void *arg, void *out, size_t len);
    /* Seconds since 1970, for credentials that name their expiry. */
    uint64_t (*epoch)(void *arg);
    void *arg;
};

struct turn_core_options {
    struct turn_env env;
    struct turn_tcp_env tcp;       /* all NULL: no TCP relays */
    struct turn_mobile_env mobile; /* all NULL: there is one worker */
    struct turn_shared *shared;    /* borrowed; outlives the core */
    struct turn_rules *rules;      /* a reference is taken */
    struct turn_stats *stats;      /* borrowed; written by this core only */
    /* TURN_REALMS_MAX of them, by the slot of the realm; likewise. NULL: the
     * core keeps them to itself. */
    struct turn_realm_stats *realm_stats;
    uint32_t max_allocations; /* of this core */
    uint32_t max_tcp;         /* connections of TCP relays; 0: none */
    uint8_t worker;           /* this core's number among its like */
};

/* Returns 0, -EINVAL or -ENOMEM. Release with turn_core_free(). */
int turn_core_new(struct turn_core **ret_core,
                  const struct turn_core_options *options);

/* End all allocations (relay_close is called for each) and release. NULL is
 * accepted. */
void turn_core_free(struct turn_core *core);

/* A UDP listener that answers NAT behaviour discovery (RFC 5780). */
struct turn_listener {
    uint64_t link;
    struct addr addr; /* no wildcard */
};

/* The listeners answers may be sent from when CHANGE-REQUEST asks for another
 * address or port. Copied; at most TURN_LISTENERS_MAX. None: RFC 5780 is off.
 * Returns 0 or ERR_LIMIT. */
int turn_core_set_listeners(struct turn_core *core,
                            const struct turn_listener *listeners, size_t n);

/* One packet (UDP, DTLS) or one frame of stun_frame_size() (TCP, TLS). */
void turn_core_on_client(struct turn_core *core, const struct turn_client *from,
                         const struct turn_packet *packet, uint64_t now);

/* The connection of a client is gone: its allocation ends. */
void turn_core_on_client_gone(struct turn_core *core,
                              const struct turn_client *client, uint64_t now);

/* True while this client has an allocation. */
bool turn_core_has_client(struct turn_core *core,
                          const struct turn_client *client, uint64_t now);

/* One packet that arrived on a relay socket of the allocation. */
void turn_core_on_peer(struct turn_core *core, struct pool_id to,
                       struct turn_datagram *datagram, uint64_t now);

/* The network could not deliver what was sent to a peer of `to`. */
void turn_core_on_report(struct turn_core *core, struct pool_id to,
                         const struct turn_report *report, uint64_t now);

void turn_core_on_timer(struct turn_core *core, uint64_t now);

/* When on_timer() is next needed; UINT64_MAX when nothing is pending. */
uint64_t turn_core_next_deadline(const struct turn_core *core);

/* New users, peers and limits from now on. Allocations stay, but for those of
 * a realm that is no more; permissions and channels that the new peer rules
 * of their realm forbid end. A reference is taken. */
void turn_core_set_rules(struct turn_core *core, struct turn_rules *rules,
                         uint64_t now);

/* From now on every Allocate is answered with 300 and the alternate server of
 * the rules, or with 508 when there is none, so that clients go elsewhere;
 * what is there lives on. */
void turn_core_drain(struct turn_core *core);

uint32_t turn_core_allocations(const struct turn_core *core);

/* What an operator sees of one allocation. Text is borrowed. */
struct turn_alloc_info {
    struct turn_client client;
    struct addr relayed[2]; /* IPv4, IPv6; ADDR_NONE where there is none */
    struct span realm;
    struct span user;
    uint64_t expires;    /* ms */
    uint64_t packets[2]; /* to peers, to the client */
    uint64_t bytes[2];
    size_t permissions;
    size_t channels;
    bool is_tcp; /* a TCP relay (RFC 6062) … */
    unsigned connections;
};

/* Walk: start with *pos = 0; false at the end. */
bool turn_core_each(const struct turn_core *core, uint32_t *pos, uint64_t now,
                    struct turn_alloc_info *ret_info);

/* Bytes of memory one idle allocation takes in the core, its table entries
 * not counted. */
size_t turn_core_allocation_size(void);

#endif /* TURN_CORE_H */

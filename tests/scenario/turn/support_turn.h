/* SPDX-License-Identifier: MIT */
/* support_turn.h - a TURN core in a world of arrays and virtual time, and
 * clients that speak to it in whole requests.
 */
#ifndef SUPPORT_TURN_H
#define SUPPORT_TURN_H

#include "stun/stun_auth.h"
#include "support/unit.h"
#include "turn/turn_core.h"

enum {
    WORLD_SENT_MAX = 64,
    WORLD_RELAYS_MAX = 600,
    WORLD_PACKET_MAX = 2048,
    WORLD_PIPES_MAX = 40,
    WORLD_LETTERS_MAX = 16,
    WORLD_WORKER = 7,
};

struct world_relay {
    bool open;
    struct pool_id alloc;
    struct addr addr;
};

/* A connection with a peer (RFC 6062). */
struct world_pipe {
    bool open;
    struct pool_id conn;
    struct addr peer;
    struct world_relay *relay;  /* it was made from there, by Connect */
    struct turn_client partner; /* who has bound it; link 0: nobody */
};

/* What a core tells another worker's (RFC 8016). */
enum { LETTER_FORWARD, LETTER_GONE, LETTER_ROUTE, LETTER_UNROUTE };

struct world_letter {
    int kind; /* LETTER_… */
    unsigned worker;
    struct turn_client client;
    uint8_t bytes[1500];
    size_t len;
};

struct world_sent {
    struct turn_client client; /* to_client */
    struct world_relay *relay; /* to_peer */
    struct addr peer;
    uint8_t bytes[WORLD_PACKET_MAX];
    size_t len;
    uint8_t tos;
    bool dont_fragment;
};

struct world {
    struct turn_core *core;
    struct turn_shared *shared;
    struct turn_rules *rules;
    struct turn_stats stats;
    struct turn_realm_stats realm_stats[TURN_REALMS_MAX];
    uint64_t now;
    uint64_t epoch;
    uint64_t random_state;
    struct world_relay relays[WORLD_RELAYS_MAX];
    int relay_error; /* what relay_open gives, 0: success */
    struct world_pipe pipes[WORLD_PIPES_MAX];
    struct world_letter letters[WORLD_LETTERS_MAX];
    size_t n_letters;
    int connect_error; /* what connect gives, 0: it is under way */
    unsigned busy;     /* this many relay_open fail with -EADDRINUSE first */
    struct world_sent to_client[WORLD_SENT_MAX];
    size_t n_client;
    struct world_sent to_peer[WORLD_SENT_MAX];
    size_t n_peer;
};

/* What a test changes before world_start(). */
struct world_options {
    struct turn_rules_options rules;
    struct turn_relay_addr relays[4];
    size_t n_relays;
    uint16_t first_port;
    uint16_t last_port;
    uint32_t max_allocations;
    uint32_t max_tcp; /* connections; 0: no TCP relays in this core */
};

/* Users alice:wonder and bob:builder in realm "example.org", the secret
 * "north", relays 203.0.113.5 and 2001:db8:1::5 with ports 50000-50199, peers
 * 198.51.100.0/24 and 2001:db8:2::/48 allowed. */
struct world_options world_defaults(void);
void world_start(struct world *world, const struct world_options *options);
void world_stop(struct world *world);

/* The core of another worker, WORLD_WORKER + 1, of the same server. Stop it
 * first, with world_stop_beside(). */
void world_start_beside(struct world *world, const struct world *first,
                        const struct world_options *options);
void world_stop_beside(struct world *world);

/* New rules from options, given to the core. */
void world_reload(struct world *world, const struct world_options *options);

/* Let time pass; the timer runs when it is due. */
void world_pass(struct world *world, uint64_t ms);

size_t world_open_relays(const struct world *world);

/* A client, and the answer it got last. */
struct actor {
    struct world *world;
    struct turn_client id;
    const char *user;
    const char *password;
    const char *realm;             /* NULL: example.org */
    enum stun_algorithm algorithm; /* 0: a client that knows only MD5 */
    enum stun_integrity integrity;
    char nonce[128];
    size_t nonce_len;
    uint8_t tid[STUN_TID_SIZE];
    bool keep_tid; /* the next request is a retransmission */
    uint8_t request[1500];
    struct stun_writer w;
    uint8_t answer[WORLD_PACKET_MAX];
    struct stun_msg msg;
    int code; /* 0 success; else the error; -1 no answer */
};

void actor_init(struct actor *actor, struct world *world, const char *address,
                const char *user, const char *password);

/* Begin a request; add attributes with stun_write*(&actor->w, …). */
void actor_start(struct actor *actor, uint16_t method);
/* Finish it, with credentials or without, send it, read the answer. Returns
 * actor->code. */
int actor_send_plain(struct actor *actor);
int actor_send(struct actor *actor);
/* An answer that came later. Returns actor->code. */
int actor_read(struct actor *actor);

/* Whole exchanges. The nonce is fetched when there is none. */
int actor_challenge(struct actor *actor);
int actor_allocate(struct actor *actor);
int actor_allocate_family(struct actor *actor, uint8_t family);
int actor_refresh(struct actor *actor, uint32_t lifetime_s);
int actor_permit(struct actor *actor, const char *peer);
int actor_bind(struct actor *actor, uint16_t number, const char *peer);

/* Without an answer: look at world->to_peer. */
void actor_say(struct actor *actor, const char *peer, const char *data);
void actor_say_channel(struct actor *actor, uint16_t number, const char *data);
void actor_raw(struct actor *actor, const void *bytes, size_t len);

/* The relayed address of the last answer. */
struct addr actor_relayed(const struct actor *actor);

/* A packet from a peer arrives at this relayed address. */
void world_peer_says(struct world *world, const struct addr *relayed,
                     const char *peer, const char *data);

/* A peer connects to this relayed address. The pipe, or NULL when it was sent
 * away. */
struct world_pipe *world_peer_connects(struct world *world,
                                       const struct addr *relayed,
                                       const char *peer);

/* The pipe to or from this peer, NULL: none is open. */
struct world_pipe *world_pipe(struct world *world, const char *peer);
size_t world_open_pipes(const struct world *world);

struct addr world_addr(const char *text);

/* Forget what was sent. */
void world_forget(struct world *world);

#endif /* SUPPORT_TURN_H */

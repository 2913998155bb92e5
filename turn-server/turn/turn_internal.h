/* SPDX-License-Identifier: MIT */
/* turn_internal.h - what the files of this folder share: the core, an
 * allocation, a request on its way to an answer.
 */
#ifndef TURN_INTERNAL_H
#define TURN_INTERNAL_H

#include "base/list.h"
#include "base/map.h"
#include "base/ratelim.h"
#include "base/timers.h"
#include "stun/stun_auth.h"
#include "turn/turn_chan.h"
#include "turn/turn_core.h"
#include "turn/turn_perm.h"

enum { TURN_V4, TURN_V6, TURN_FAMILIES };
enum { TURN_TO_PEER, TURN_TO_CLIENT, TURN_DIRECTIONS };
enum {
    TURN_SOURCE_BUCKETS = 4096,
    TURN_TOKEN_NAME_SIZE = 64,
    TURN_REFUSALS_PER_S = 10, /* log lines; the counters have them all */
};

/* What a struct timer of the core belongs to. */
enum { TURN_TIMER_ALLOC, TURN_TIMER_TCP };

struct turn_core {
    struct turn_env env;
    struct turn_tcp_env tcp;
    struct turn_mobile_env mobile;
    struct pool *routes;        /* struct turn_route, in turn_mobile.c */
    struct map by_route;        /* struct turn_client → the same */
    uint8_t ticket_keys[2][32]; /* to authenticate and to hide tickets */
    uint8_t worker;
    struct pool *tcp_conns;   /* struct turn_tcp_conn */
    struct map tcp_by_number; /* their CONNECTION-ID → the same */
    struct turn_shared *shared;
    struct turn_rules *rules;
    struct turn_stats *stats;
    struct turn_realm_stats *realm_stats; /* by slot */
    struct turn_realm_stats own_realm_stats[TURN_REALMS_MAX];
    struct pool *allocs;
    struct map by_client; /* struct turn_client → struct turn_alloc */
    struct timers timers;
    bool draining;
    struct turn_listener listeners[TURN_LISTENERS_MAX];
    size_t n_listeners;
    struct ratelim refusals; /* log lines */
    uint64_t seed[2];        /* of name hashes and source buckets */
    /* Challenges per source: a bucket may stand for several sources, so the
     * table cannot grow, whatever addresses are forged. */
    struct ratelim sources[TURN_SOURCE_BUCKETS];
};

/* The relayed transport address of one family. */
struct turn_relay {
    void *handle; /* the shell's socket; NULL: none of this family. Of a TCP
                     allocation a listener: of env.tcp */
    struct addr local;
    uint32_t index; /* in turn_shared's relays */
};

struct turn_alloc {
    struct turn_client client; /* key in the table */
    struct pool_id id;
    struct timer timer;
    uint64_t expires;
    struct turn_relay relays[TURN_FAMILIES];
    const struct turn_realm *realm; /* in the core's present rules */
    struct turn_quota_hold hold;
    uint64_t name_hash;         /* of the user name that made it */
    uint64_t credential_expiry; /* seconds since 1970; 0: none */
    struct stun_key key;
    uint8_t algorithm; /* enum stun_algorithm of `key` */
    bool is_announced;
    bool is_mobile;          /* has a ticket (RFC 8016) */
    bool has_next;           /* `next` is a key in the table as well */
    struct turn_client next; /* where it has moved to, once it is used */
    bool is_token;           /* `key` comes from a token (RFC 7635) */
    bool is_tcp;             /* a TCP relay (RFC 6062) */
    uint16_t n_tcp;          /* connections of it */
    struct list tcp_conns;   /* struct turn_tcp_conn.node */
    bool has_token;
    uint8_t token[TURN_TOKEN_SIZE];
    uint8_t tid[STUN_TID_SIZE]; /* of the Allocate, to know it again */
    /* Of two families one could not be had: which, and the code to say so */
    uint16_t family_error;
    uint8_t failed_family; /* STUN_FAMILY_… */
    struct turn_perms perms;
    struct turn_chans chans;
    uint64_t packets[TURN_DIRECTIONS];
    uint64_t bytes[TURN_DIRECTIONS];
    struct ratelim bandwidth[TURN_DIRECTIONS];
};

enum { TURN_TICKET_SIZE = 32 }; /* MOBILITY-TICKET */

enum turn_tcp_state { TURN_TCP_CONNECTING, TURN_TCP_WAITING, TURN_TCP_BOUND };
enum { TURN_TCP_NUMBER_SIZE = 4 };

/* A connection between a peer and the relayed address of a TCP allocation. */
struct turn_tcp_conn {
    struct pool_id id;
    struct turn_alloc *alloc; /* its owner: ends them all before itself */
    struct list node;         /* in alloc->tcp_conns */
    struct timer timer;
    struct addr peer;             /* as the client knows it */
    void *pipe;                   /* the shell's */
    size_t owed[TURN_DIRECTIONS]; /* bytes that the bandwidth has not paid */
    uint8_t number[TURN_TCP_NUMBER_SIZE]; /* CONNECTION-ID */
    uint8_t state;                        /* enum turn_tcp_state */
    bool is_incoming;
    /* Of the Connect request, until it is answered */
    bool has_fingerprint;
    uint8_t integrity; /* enum stun_integrity */
    uint8_t header[STUN_HEADER_SIZE];
    struct stun_key key;
};

/* What a request's credentials turned out to be (turn_auth.c). */
struct turn_identity {
    enum stun_integrity integrity; /* of request and answer */
    enum stun_algorithm algorithm;
    struct stun_key key;
    struct span quota_name;
    uint64_t name_hash;
    uint64_t expiry; /* seconds since 1970; 0: none */
    bool is_expired;
    bool is_token;  /* a third party vouches, not a password */
    bool has_token; /* and has just done so */
    char token_name[TURN_TOKEN_NAME_SIZE];
};

struct turn_request {
    const struct turn_client *client;
    struct stun_msg msg;
    uint64_t now;
    struct turn_alloc *alloc;  /* of this client, or NULL */
    bool moves;                /* Refresh: `alloc` is that of its ticket */
    bool has_bad_ticket;       /* it is none of ours */
    struct turn_tcp_conn *tcp; /* ConnectionBind: which; `alloc` is its own */
    const struct turn_realm *realm; /* of this client; NULL: is no more */
    struct turn_identity who;
};

/* What to answer; turn_core.c turns it into bytes and counts it. */
struct turn_reply {
    enum stun_code code;
    bool has_challenge; /* realm, nonce, algorithms */
    bool has_lifetime;
    bool has_mapped;
    bool has_token;
    uint8_t token[TURN_TOKEN_SIZE];
    uint32_t lifetime_s;
    struct addr relayed[TURN_FAMILIES];
    unsigned n_relayed;
    const struct addr *alternate; /* with 300 */
    uint16_t family_error;        /* ADDRESS-ERROR-CODE; 0: none */
    uint8_t failed_family;
    bool has_ticket;
    char ticket[TURN_TICKET_SIZE + 1];
    bool is_later;         /* Connect: the answer comes when it is known */
    const uint8_t *number; /* CONNECTION-ID; NULL: none */
    struct turn_tcp_conn *joined; /* ConnectionBind: what to do afterwards */
};

static inline struct turn_realm_stats *
turn_realm_figures(const struct turn_core *core, const struct turn_realm *realm)
{
    return &core->realm_stats[realm->slot];
}

/* Which peers it may reach, over its transport. */
static inline const struct turn_policy *
turn_alloc_policy(const struct turn_alloc *alloc)
{
    return alloc->is_tcp ? alloc->realm->tcp_policy : alloc->realm->policy;
}

static inline unsigned turn_family_index(const struct addr *a)
{
    return a->family == ADDR_V6 ? TURN_V6 : TURN_V4;
}

/* --- turn_auth.c --- */

/* Who sent it? STUN_OK fills rq->who; else the code to answer, and
 * reply->has_challenge where the answer must carry one. */
enum stun_code turn_auth(struct turn_core *core, struct turn_request *rq,
                         struct turn_reply *reply);

/* Write realm, nonce and algorithms. */
void turn_auth_challenge(struct turn_core *core, const struct turn_request *rq,
                         struct stun_writer *w);

/* --- turn_auth_token.c --- */

/* Does the request come with a token, or to an allocation made with one? */
bool turn_auth_is_token(const struct turn_request *rq);

/* Check it. STUN_OK fills rq->who; else 401. */
enum stun_code turn_auth_token(struct turn_core *core, struct turn_request *rq);

/* The lifetime to grant with a credential that names its end: until then with
 * a token (RFC 7635 4.3); else one default lifetime longer, so that a call may
 * end in peace but not go on for ever. 0: it is too late. */
uint32_t turn_auth_lifetime(const struct turn_core *core,
                            const struct turn_request *rq, uint32_t lifetime_s);

/* --- turn_auth.c again --- */

/* May this source be challenged again? */
bool turn_auth_may_challenge(struct turn_core *core, const struct addr *source,
                             uint64_t now);

/* --- turn_alloc.c --- */

enum turn_end {
    TURN_END_EXPIRED,
    TURN_END_RELEASED,
    TURN_END_DISCONNECTED,
    TURN_END_REALM_GONE,
    TURN_END_SHUTDOWN,
};

/* The live allocation of a client, or NULL. */
struct turn_alloc *turn_alloc_find(struct turn_core *core,
                                   const struct turn_client *client,
                                   uint64_t now);

/* A new one, in the table, with its quota held; its relays are still to be
 * opened. STUN_OK, or the code to answer. */
enum stun_code turn_alloc_new(struct turn_core *core,
                              const struct turn_request *rq,
                              struct turn_alloc **ret_alloc);

/* Count one more for who sent the request. STUN_OK, or the code to answer. */
enum stun_code turn_quota_of(struct turn_core *core,
                             const struct turn_request *rq,
                             struct turn_quota_hold *hold);

/* Set the bandwidth of its realm, when that is another than before. */
void turn_alloc_set_bandwidth(struct turn_alloc *alloc, uint64_t now);

/* Open the relay of a family on a free port. Returns 0, -EAFNOSUPPORT when
 * the server has no such address, ERR_LIMIT when no port could be had. */
int turn_alloc_open(struct turn_core *core, struct turn_alloc *alloc,
                    unsigned family, enum turn_port_want want);

/* Open the relay on a port that is already ours; it is given back on failure.
 * Returns 0 or -errno. */
int turn_alloc_open_at(struct turn_core *core, struct turn_alloc *alloc,
                       size_t index, uint16_t port);

/* Alive until `now` + `lifetime_s`. */
void turn_alloc_extend(struct turn_core *core, struct turn_alloc *alloc,
                       uint32_t lifetime_s, uint64_t now);

/* Say it was made (log, counters). */
void turn_alloc_announce(struct turn_core *core, struct turn_alloc *alloc);

/* Close the relay of a family, give its port back. */
void turn_alloc_close(struct turn_core *core, struct turn_alloc *alloc,
                      unsigned family);

/* Close sockets, give everything back. The pointer is dead. */
void turn_alloc_end(struct turn_core *core, struct turn_alloc *alloc,
                    enum turn_end why);

/* --- one request each: turn_allocate.c, turn_refresh.c,
 * turn_permission.c, turn_channel.c --- */

enum stun_code turn_on_allocate(struct turn_core *core, struct turn_request *rq,
                                struct turn_reply *reply);
enum stun_code turn_on_refresh(struct turn_core *core, struct turn_request *rq,
                               struct turn_reply *reply);
enum stun_code turn_on_permission(struct turn_core *core,
                                  struct turn_request *rq,
                                  struct turn_reply *reply);
enum stun_code turn_on_channel(struct turn_core *core, struct turn_request *rq,
                               struct turn_reply *reply);

/* The lifetime a request gets (RFC 8656 7.2): what it asks for, at least the
 * default, at most the maximum. False when LIFETIME is malformed. */
bool turn_lifetime(const struct turn_core *core, const struct stun_msg *msg,
                   uint32_t *ret_asked, uint32_t *ret_granted);

/* A peer address in a request: STUN_OK, 400, or 443 when the allocation has
 * no relay of its family. */
enum stun_code turn_peer(const struct turn_request *rq, struct span value,
                         struct addr *ret_peer);

/* How many allocations there are over a transport. */
uint64_t *turn_alloc_gauge(struct turn_core *core, uint8_t transport);

/* --- turn_mobile.c --- */

void turn_mobile_init(struct turn_core *core);
size_t turn_mobile_route_size(void);

/* Allocate: does it ask for a ticket? STUN_OK, 400, 405. */
enum stun_code turn_mobile_wish(const struct turn_core *core,
                                const struct stun_msg *msg, bool is_tcp,
                                bool *ret_is_mobile);

/* Refresh, before it is known who asks: the allocation its ticket names. */
void turn_mobile_find(struct turn_core *core, struct turn_request *rq);

/* And when it is known: STUN_OK, 400, 405. */
enum stun_code turn_mobile_check(const struct turn_core *core,
                                 const struct turn_request *rq);

/* A Refresh that has succeeded: its 5-tuple is the client's next one. */
enum stun_code turn_mobile_moved(struct turn_core *core,
                                 const struct turn_request *rq);

/* Write a new ticket into the answer, when the allocation has one. */
void turn_mobile_ticket(const struct turn_core *core,
                        const struct turn_alloc *alloc,
                        struct turn_reply *reply);

/* The client uses this 5-tuple: if it is the next one, it is the only one. */
void turn_mobile_used(struct turn_core *core, struct turn_alloc *alloc,
                      const struct turn_client *client);

/* A connection of its is gone. False: its allocation ends. */
bool turn_mobile_gone(struct turn_core *core, struct turn_alloc *alloc,
                      const struct turn_client *client, uint64_t now);

void turn_mobile_end(struct turn_core *core, struct turn_alloc *alloc);

/* Forward what is another core's. False: it is ours. */
bool turn_mobile_by_route(struct turn_core *core,
                          const struct turn_client *from,
                          const struct turn_packet *packet);
bool turn_mobile_by_ticket(struct turn_core *core,
                           const struct turn_client *from,
                           const struct turn_packet *packet, uint64_t now);
bool turn_mobile_gone_route(struct turn_core *core,
                            const struct turn_client *client);

/* --- turn_tcp.c --- */

enum stun_code turn_on_connect(struct turn_core *core, struct turn_request *rq,
                               struct turn_reply *reply);
enum stun_code turn_on_connection_bind(struct turn_core *core,
                                       struct turn_request *rq,
                                       struct turn_reply *reply);

/* Before it is known who asks: the connection a ConnectionBind is about, and
 * with it the allocation whose user must have sent it. */
void turn_tcp_find(struct turn_core *core, struct turn_request *rq);

/* The late answer to a Connect. */
void turn_tcp_answer(struct turn_core *core, struct turn_tcp_conn *conn,
                     enum stun_code code, uint64_t now);

void turn_tcp_on_timer(struct turn_core *core, struct timer *timer,
                       uint64_t now);

/* End the connections that the present rules forbid. Returns how many. */
size_t turn_tcp_review(struct turn_core *core, struct turn_alloc *alloc,
                       uint64_t now);

void turn_tcp_end_all(struct turn_core *core, struct turn_alloc *alloc);

/* --- turn_discovery.c --- */

/* Answer a Binding request, RFC 5780 included. */
void turn_on_binding(struct turn_core *core, struct turn_request *rq);

/* --- turn_core.c --- */

/* Note attributes that we can read but do not offer as unknown.
 * STUN_UNKNOWN_ATTRIBUTE when there is any, else STUN_OK. */
enum stun_code turn_check_attributes(struct stun_msg *msg,
                                     const enum stun_attr *refused, size_t n);

/* Count the answer and send it. */
void turn_reply_send(struct turn_core *core, const struct turn_request *rq,
                     const struct turn_reply *reply);

/* --- turn_log.c --- */

const char *turn_transport_name(uint8_t transport);

/* A line about a refused request, but not about each of a flood. */
void turn_log_refusal(struct turn_core *core, const struct turn_request *rq,
                      enum stun_code code);

/* --- turn_relay.c --- */

/* Take `len` bytes of all bandwidths. NULL, or the counter of the limit that
 * they are over. */
uint64_t *turn_relay_over_limit(const struct turn_core *core,
                                struct turn_alloc *alloc, unsigned direction,
                                size_t len, uint64_t now);

void turn_relay_channel(struct turn_core *core,
                        const struct turn_client *client,
                        const struct turn_packet *packet, uint64_t now);
void turn_relay_send(struct turn_core *core, const struct turn_client *client,
                     const struct stun_msg *msg, uint8_t tos, uint64_t now);
void turn_relay_peer(struct turn_core *core, struct turn_alloc *alloc,
                     struct turn_datagram *datagram, uint64_t now);

void turn_relay_report(struct turn_core *core, struct turn_alloc *alloc,
                       const struct turn_report *report, uint64_t now);

#endif /* TURN_INTERNAL_H */

/* SPDX-License-Identifier: MIT */
/* sip_txn.h - SIP transactions (RFC 3261 17 with RFC 6026 and RFC 4320).
 *
 * A table of the four state machines: INVITE and non-INVITE, client and
 * server. Transactions are named by struct pool_id; an id outlives what it
 * names and then finds nothing. Responses and requests that belong to a
 * transaction are found by branch, sent-by and method; a request whose branch
 * has no RFC 3261 cookie is matched by RFC 3261 17.2.3's rule for old clients
 * (Request-URI, From tag, Call-ID, CSeq, whole top Via). Call-ID and CSeq
 * number count for the others too, so that a client whose branch is always the
 * same is served as well.
 * What matches by name but comes from another peer (sip_target_same_peer(),
 * env->is_peer_too()) is refused and counted, so that nobody answers,
 * acknowledges or cancels in another's place.
 *
 * Memory: a transaction is a pool slot of fixed size (sip_txn_size()), a copy
 * of its request until the final response, and a copy of the last response
 * (servers) or of the ACK (INVITE clients). All copies together are limited by
 * `max_bytes`. When a limit is reached nothing is created and the caller
 * answers 503.
 *
 * Times are monotonic milliseconds. Not thread-safe: one table per worker.
 */
#ifndef TXN_SIP_TXN_H
#define TXN_SIP_TXN_H

#include "base/pool.h"
#include "base/timers.h"
#include "msg/sip_msg.h"
#include "txn/sip_target.h"

struct sip_txns;

enum sip_txn_kind {
    SIP_TXN_ICT,  /* INVITE client */
    SIP_TXN_NICT, /* non-INVITE client */
    SIP_TXN_IST,  /* INVITE server */
    SIP_TXN_NIST, /* non-INVITE server */
    SIP_TXN_KINDS,
};

enum sip_txn_state {
    SIP_TXN_CALLING, /* ICT */
    SIP_TXN_TRYING,  /* NICT, NIST */
    SIP_TXN_PROCEEDING,
    SIP_TXN_ACCEPTED, /* ICT, IST: RFC 6026, a 2xx passed */
    SIP_TXN_COMPLETED,
    SIP_TXN_CONFIRMED, /* IST */
};

struct sip_txn_config {
    uint32_t t1; /* round trip estimate; 500 */
    uint32_t t2; /* longest retransmission interval; 4000 */
    uint32_t t4; /* longest time a message stays in the network; 5000 */
    uint32_t trying_after; /* IST: automatic 100 after this; 200 */
    uint32_t max;          /* transactions */
    size_t max_bytes;      /* of all stored messages together */
};

/* 500, 4000, 5000, 200, 65536, 128 MiB. */
extern const struct sip_txn_config sip_txn_config_default;

/* What happens, told to the transaction user. Any function of this header may
 * be called from inside, for any transaction; `user` is what was given when
 * the transaction was made. All are required but on_ended. */
struct sip_txn_env {
    /* Hand bytes to the transport. Returns 0, or negative when it is known
     * now that they will not arrive (connection gone). Must not call back. */
    int (*send)(void *arg, const struct sip_target *to, struct span bytes);

    /* Client: a response the user must see: each 1xx, the first final one,
     * for INVITE every 2xx (also late ones, in ACCEPTED). */
    void (*on_response)(void *arg, struct pool_id id, uint64_t user,
                        const struct sip_msg *response, uint64_t now);
    /* Client: timer B or F (or no final response 64*T1 after a CANCEL): as
     * if a 408 had been received. The transaction has ended. */
    void (*on_timeout)(void *arg, struct pool_id id, uint64_t user,
                       uint64_t now);
    /* Client: could not be sent: as if a 503 had been received.
     * Server: the response could not be sent, or no ACK came (timer H,
     * -ETIMEDOUT). The transaction has ended. */
    void (*on_error)(void *arg, struct pool_id id, uint64_t user, int err,
                     uint64_t now);
    /* The transaction is gone, whatever the reason; exactly once for each
     * one made, except by sip_txns_free(). May be NULL. */
    void (*on_ended)(void *arg, struct pool_id id, uint64_t user, uint64_t now);
    /* For the table's hash seeds, asked once. */
    void (*random)(void *arg, void *out, size_t len);
    /* May a message from `from` belong to what was exchanged with `peer`?
     * Asked where sip_target_same_peer() says no. NULL: it may not. */
    bool (*is_peer_too)(void *arg, const struct sip_target *peer,
                        const struct sip_target *from);
    void *arg;
};

/* Returns 0, -EINVAL (a zero in the configuration), -ENOMEM. */
int sip_txns_new(struct sip_txns **ret_txns, const struct sip_txn_config *cfg,
                 const struct sip_txn_env *env);

/* Releases all transactions silently. NULL is accepted. */
void sip_txns_free(struct sip_txns *txns);

/* --- messages from the network --- */

enum sip_match {
    /* Belongs to no transaction. A new request: check it and make a server
     * transaction. An ACK: to a 2xx, forward statelessly. A response: stray,
     * drop and count (RFC 6026 8.9 forbids forwarding). */
    SIP_MATCH_NONE,
    /* Done: retransmission answered, ACK taken, response delivered. */
    SIP_MATCH_DONE,
    /* An ACK for an INVITE that was answered with 2xx (ACCEPTED): it is for
     * the far end, forward it statelessly; `ret_id` is the transaction. */
    SIP_MATCH_ACK,
    /* Belongs to a transaction of another peer: drop. */
    SIP_MATCH_REFUSED,
};

/* A parsed message arrived. `ret_id` (may be NULL) is set unless NONE. */
enum sip_match sip_txns_receive(struct sip_txns *txns,
                                const struct sip_msg *msg,
                                const struct sip_target *from, uint64_t now,
                                struct pool_id *ret_id);

/* The INVITE server transaction a CANCEL is for. Returns 0, ERR_STATE when
 * there is none (answer 481), ERR_DENIED when it is another peer's. */
int sip_txns_find_cancelled(const struct sip_txns *txns,
                            const struct sip_msg *cancel,
                            const struct sip_target *from,
                            struct pool_id *ret_id);

/* The connection is gone. Client transactions on it end with on_error();
 * server transactions lose their way back: they go on (the user may find
 * another with sip_txn_set_target()) and end with on_error() when they next
 * have to send. */
void sip_txns_on_flow_closed(struct sip_txns *txns, uint64_t flow,
                             uint64_t now);

/* --- server transactions --- */

/* For a new request (not ACK) that arrived from `from`; copies it. The INVITE
 * kind answers 100 by itself after `trying_after` if the user has not
 * answered, the other one after the time RFC 4320 4.1 gives.
 * A non-INVITE one without answer ends silently after 64*T1.
 * Returns 0, ERR_LIMIT, -ENOMEM, ERR_STATE (it has one already). */
int sip_txns_server_new(struct sip_txns *txns, const struct sip_msg *request,
                        const struct sip_target *from, uint64_t user,
                        uint64_t now, struct pool_id *ret_id);

/* Send a response, given as complete bytes, and keep a copy for
 * retransmission. Returns 0, ERR_STATE (id stale, or a final response was
 * sent; more 2xx to an INVITE are fine), ERR_PARSE, ERR_LIMIT, -ENOMEM,
 * ERR_DENIED (RFC 4320: 408 or a 1xx other than 100 to a non-INVITE: not
 * sent). When the transport refuses: its error; the transaction has ended
 * and on_error() is not called. */
int sip_txn_respond(struct sip_txns *txns, struct pool_id id,
                    struct span response, uint64_t now);

/* Server: answers go there from now on (client came back on a new
 * connection). Returns 0 or ERR_STATE. */
int sip_txn_set_target(struct sip_txns *txns, struct pool_id id,
                       const struct sip_target *to);

/* --- client transactions --- */

/* Send a request (not ACK), given as complete bytes whose top Via is ours
 * with a unique branch, and see it through. Copies it.
 * Returns 0; or, with nothing created and no callback to come: ERR_PARSE,
 * ERR_LIMIT, -ENOMEM, ERR_STATE (branch in use), or the transport's error. */
int sip_txns_client_new(struct sip_txns *txns, struct span request,
                        const struct sip_target *to, uint64_t user,
                        uint64_t now, struct pool_id *ret_id);

/* The same with a request that was made from `model`, whose method, Call-ID
 * and CSeq it has, and got `branch`: it need not be read again. */
int sip_txns_client_made(struct sip_txns *txns, const struct sip_msg *model,
                         struct span branch, struct span request,
                         const struct sip_target *to, uint64_t user,
                         uint64_t now, struct pool_id *ret_id);

/* Cancel an INVITE client transaction: makes a CANCEL and a transaction for
 * it, with its own `user`; when the table is full the CANCEL is sent once
 * without one and `*ret_id` is {0, 0}. `extra`: whole header lines (Reason),
 * or "".
 * Returns 0, ERR_STATE when it is not in PROCEEDING (RFC 3261 9.1: before a
 * 1xx wait for it; after a final response it is too late) or was cancelled
 * already; -ENOMEM or the transport's error: no CANCEL was sent. Unless
 * ERR_STATE, on_timeout() comes when nothing final does within 64*T1. */
int sip_txn_cancel(struct sip_txns *txns, struct pool_id id, struct span extra,
                   uint64_t user, uint64_t now, struct pool_id *ret_id);

/* --- all transactions --- */

/* Forget it: no more retransmission, no callback but on_ended(). */
void sip_txn_terminate(struct sip_txns *txns, struct pool_id id, uint64_t now);

struct sip_txn_view {
    enum sip_txn_kind kind;
    enum sip_txn_state state;
    uint64_t user;
    struct sip_target target;
    struct span request;  /* the copy; until the next call */
    unsigned last_status; /* last response sent or received; 0: none */
    bool was_cancelled;   /* ICT: sip_txn_cancel() was called */
};

/* False when the id is stale. */
bool sip_txn_look(const struct sip_txns *txns, struct pool_id id,
                  struct sip_txn_view *ret_view);

/* False when the id is stale. */
bool sip_txn_set_user(struct sip_txns *txns, struct pool_id id, uint64_t user);

void sip_txns_on_timer(struct sip_txns *txns, uint64_t now);

/* When sip_txns_on_timer() is next needed; TIMERS_NEVER: not. */
uint64_t sip_txns_next_deadline(const struct sip_txns *txns);

struct sip_txn_stats {
    uint32_t active[SIP_TXN_KINDS];
    size_t bytes; /* of stored messages, now */
    uint64_t made[SIP_TXN_KINDS];
    uint64_t retransmitted; /* by us, on timers */
    uint64_t repeated;      /* requests and responses seen again */
    uint64_t timeouts;      /* B, F, H */
    uint64_t full;          /* refused for a limit */
    uint64_t refused;       /* SIP_MATCH_REFUSED */
    uint64_t errors;        /* transport */
};

void sip_txns_stats(const struct sip_txns *txns, struct sip_txn_stats *ret);

/* How many more there is room for. */
uint32_t sip_txns_room(const struct sip_txns *txns);

/* Bytes of a pool slot. */
size_t sip_txn_size(void);

#endif /* TXN_SIP_TXN_H */

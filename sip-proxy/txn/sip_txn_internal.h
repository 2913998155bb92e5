/* SPDX-License-Identifier: MIT */
/* sip_txn_internal.h - what the table and the four machines share; for this
 * folder only.
 *
 * Rule for the machines: txn_end…() and the calls of env->on_…() come last in
 * a function, because the user may end any transaction from inside them.
 */
#ifndef TXN_SIP_TXN_INTERNAL_H
#define TXN_SIP_TXN_INTERNAL_H

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "base/timers.h"
#include "txn/sip_txn.h"

enum {
    SIP_TXN_KEY_SIZE = 16,
    SIP_TXN_FLOW_BUCKETS = 1024, /* power of two */
};

enum sip_txn_timer {
    SIP_TXN_RESEND, /* A, E, G, and the delay of the automatic 100 */
    SIP_TXN_LIFE,   /* B, D, F, H, I, J, K, L, M */
};

struct sip_txn {
    uint8_t key[SIP_TXN_KEY_SIZE];
    struct timer resend;
    struct timer life;
    struct list node; /* clients on a connection: in a bucket by flow */
    struct sip_target target;
    uint64_t user;
    uint8_t *request; /* owned copy, or NULL */
    uint8_t *last;    /* owned: last response; of an ICT the ACK; or NULL */
    size_t request_len;
    size_t last_len;
    uint32_t interval; /* of the next resend, milliseconds */
    uint16_t last_status;
    uint8_t kind;  /* enum sip_txn_kind */
    uint8_t state; /* enum sip_txn_state */
    bool was_cancelled;
};

struct sip_txns {
    struct sip_txn_config cfg;
    struct sip_txn_env env;
    struct pool *pool;
    struct map by_key;
    struct timers timers;
    /* Ten thousand connections may close in one second; each looks at its
     * own few transactions only. */
    struct list by_flow[SIP_TXN_FLOW_BUCKETS];
    uint64_t seed[4];   /* two hashes make a key */
    struct buf scratch; /* a message being built */
    struct sip_txn_stats stats;
};

/* --- sip_txn.c: for the machines --- */

static inline bool txn_is_reliable(const struct sip_txn *txn)
{
    return sip_transport_is_reliable(txn->target.transport);
}

static inline uint64_t txn_64_t1(const struct sip_txns *txns)
{
    return (uint64_t)txns->cfg.t1 * 64;
}

/* 64*T1, T4, … over UDP, at once where the transport is reliable. */
static inline uint64_t txn_unless_reliable(const struct sip_txn *txn,
                                           uint64_t duration)
{
    return txn_is_reliable(txn) ? 0 : duration;
}

int txn_send(struct sip_txns *txns, const struct sip_txn *txn,
             struct span bytes);
int txn_send_request(struct sip_txns *txns, const struct sip_txn *txn);
int txn_send_last(struct sip_txns *txns, const struct sip_txn *txn);

/* Replace the copy in txn->last. Returns 0, ERR_LIMIT, -ENOMEM. */
int txn_keep_last(struct sip_txns *txns, struct sip_txn *txn,
                  struct span bytes);
void txn_drop_request(struct sip_txns *txns, struct sip_txn *txn);
void txn_drop_last(struct sip_txns *txns, struct sip_txn *txn);

/* Build, keep and send a 100 for the stored request. Failure is harmless:
 * the client repeats its request. */
void txn_send_trying(struct sip_txns *txns, struct sip_txn *txn);

void txn_set_resend(struct sip_txns *txns, struct sip_txn *txn,
                    uint64_t interval, uint64_t now);
void txn_set_life(struct sip_txns *txns, struct sip_txn *txn, uint64_t duration,
                  uint64_t now);
void txn_stop_timers(struct sip_txns *txns, struct sip_txn *txn);

/* Give it back and tell the user. */
void txn_end(struct sip_txns *txns, struct sip_txn *txn, uint64_t now);
void txn_end_timeout(struct sip_txns *txns, struct sip_txn *txn, uint64_t now);
void txn_end_error(struct sip_txns *txns, struct sip_txn *txn, int err,
                   uint64_t now);
void txn_tell_response(struct sip_txns *txns, const struct sip_txn *txn,
                       const struct sip_msg *msg, uint64_t now);

/* --- the machines: RFC 3261 17.1.1, 17.1.2, 17.2.1, 17.2.2 --- */

void sip_ict_start(struct sip_txns *txns, struct sip_txn *txn, uint64_t now);
void sip_ict_on_response(struct sip_txns *txns, struct sip_txn *txn,
                         const struct sip_msg *msg, uint64_t now);
void sip_ict_on_resend(struct sip_txns *txns, struct sip_txn *txn,
                       uint64_t now);
void sip_ict_on_life(struct sip_txns *txns, struct sip_txn *txn, uint64_t now);

void sip_nict_start(struct sip_txns *txns, struct sip_txn *txn, uint64_t now);
void sip_nict_on_response(struct sip_txns *txns, struct sip_txn *txn,
                          const struct sip_msg *msg, uint64_t now);
void sip_nict_on_resend(struct sip_txns *txns, struct sip_txn *txn,
                        uint64_t now);
void sip_nict_on_life(struct sip_txns *txns, struct sip_txn *txn, uint64_t now);

/* respond: as sip_txn_respond(), for a response with that status. */
void sip_ist_start(struct sip_txns *txns, struct sip_txn *txn, uint64_t now);
enum sip_match sip_ist_on_request(struct sip_txns *txns, struct sip_txn *txn,
                                  const struct sip_msg *msg, uint64_t now);
int sip_ist_respond(struct sip_txns *txns, struct sip_txn *txn, unsigned status,
                    struct span bytes, uint64_t now);
void sip_ist_on_resend(struct sip_txns *txns, struct sip_txn *txn,
                       uint64_t now);
void sip_ist_on_life(struct sip_txns *txns, struct sip_txn *txn, uint64_t now);

void sip_nist_start(struct sip_txns *txns, struct sip_txn *txn, uint64_t now);
void sip_nist_on_request(struct sip_txns *txns, struct sip_txn *txn);
int sip_nist_respond(struct sip_txns *txns, struct sip_txn *txn,
                     unsigned status, struct span bytes, uint64_t now);
void sip_nist_on_resend(struct sip_txns *txns, struct sip_txn *txn);
void sip_nist_on_life(struct sip_txns *txns, struct sip_txn *txn, uint64_t now);

/* --- sip_txn_key.c --- */

/* The key of the server transaction a request belongs to, ACK and (with
 * `as_invite`) CANCEL to that of their INVITE. */
void sip_txn_server_key(const struct sip_txns *txns, const struct sip_msg *msg,
                        bool as_invite, uint8_t key[SIP_TXN_KEY_SIZE]);

/* The key of a client transaction with the branch: of the request sent, or of
 * a response. */
void sip_txn_client_key(const struct sip_txns *txns, const struct sip_msg *msg,
                        struct span branch, uint8_t key[SIP_TXN_KEY_SIZE]);

#endif /* TXN_SIP_TXN_INTERNAL_H */

/* SPDX-License-Identifier: MIT */
/* sip_internal.h - what the core's files share. Included in this folder only.
 */
#ifndef SIP_INTERNAL_H
#define SIP_INTERNAL_H

#include "base/buf.h"
#include "base/timers.h"
#include "msg/sip_build.h"
#include "msg/sip_edit.h"
#include "proxy/sip_branch.h"
#include "proxy/sip_budget.h"
#include "proxy/sip_core.h"
#include "proxy/sip_flow.h"
#include "proxy/sip_homes.h"

enum { SIP_TICK_MS = 1000 }; /* gauges, datagram flows */

#define SIP_COUNT(core, field) stats_inc(&(core)->stats->field)

/* sip_park.h */
struct sip_park {
    struct list waiting; /* the one with the next deadline first */
    struct list ready;
    uint32_t count;
    size_t bytes;
    uint64_t born;     /* ms, of the core */
    uint64_t ready_at; /* ms */
    bool is_replay;
    bool is_expired;
};

struct sip_core {
    const struct sip_core_config *config;
    struct sip_place place;
    struct sip_env env;
    struct sip_stats *stats;
    struct sip_flows *flows;
    struct sip_guard *guard;
    struct sip_budget budget; /* requests under way, by source */
    struct sip_budget places; /* connections, by source */
    struct sip_trail *trail;
    uint64_t now;          /* of the request being handled */
    uint64_t trail_number; /* entry of the request being handled; 0: none */
    struct sip_txns *txns;
    struct pool *forks;
    struct timers timers; /* of forks */
    struct sip_dispatch dispatch;
    struct sip_partner_state partners[SIP_PARTNERS_MAX];
    uint64_t loop_seed[2];
    uint64_t tag_seed[2]; /* sip_rebind.h */
    struct sip_homes homes;
    struct sip_park park;
    uint64_t large_logged; /* ms: no more of it before */
    uint64_t next_tick;    /* gauges, datagram flows */
    uint64_t ticks;
    uint64_t random[32]; /* drawn in advance, used from the end */
    size_t random_left;
    struct buf out;   /* the message being written */
    struct buf loose; /* sip_strict.h */
    struct sip_edit edit;
    struct sip_hide *hide; /* sip_hide.h; NULL: nothing is hidden */
    struct span received;  /* the message being handled, as it came */
    struct sip_msg msg;    /* the same, parsed */
    struct sip_msg stored; /* a transaction's request, parsed again */
};

static inline const struct sip_local *sip_local_of(const struct sip_core *core,
                                                   const struct sip_target *t)
{
    return &core->config->locals[t->listener];
}

static inline enum sip_zone sip_zone_of(const struct sip_core *core,
                                        const struct sip_target *t)
{
    return sip_local_of(core, t)->zone;
}

static inline enum sip_framing sip_framing_of(enum sip_transport t)
{
    if (t == SIP_UDP)
        return SIP_FRAMING_DATAGRAM;
    return sip_transport_is_ws(t) ? SIP_FRAMING_WS : SIP_FRAMING_STREAM;
}

/* Send a message; counts failures and datagrams that need fragments. */
int sip_core_send(struct sip_core *core, const struct sip_target *to,
                  struct span message);

/* Answer core->msg (or another) without a transaction. */
void sip_core_reply(struct sip_core *core, const struct sip_msg *msg,
                    const struct sip_target *to, const struct sip_reply *reply);

/* Refuse a request: count, and answer without a transaction. */
void sip_core_refuse(struct sip_core *core, const struct sip_msg *msg,
                     const struct sip_target *to, enum sip_refusal why);

/* What a refusal says about the token of the request. */
enum sip_trail_token sip_core_refused_token(enum sip_refusal why);

/* A new branch for a request with this loop hash. */
void sip_core_branch(struct sip_core *core, uint64_t hash,
                     char text[SIP_BRANCH_TEXT + 1]);

/* What a request or a probe said about a media server; logs and tells the
 * other workers when its state changed. */
void sip_core_server_answered(struct sip_core *core, int server, uint64_t now);
void sip_core_server_failed(struct sip_core *core, int server, uint64_t now);

/* The server's address as a target: with our address to send from. */
void sip_core_server_target(const struct sip_core *core, int server,
                            struct sip_target *ret_target);

/* The transactions of this core: sip_core_txn.c. Returns 0 or an error. */
int sip_core_open_txns(struct sip_core *core);

/* core->msg, a new request: sip_core_request.c. */
void sip_core_on_ack(struct sip_core *core, const struct sip_target *from,
                     struct sip_flow *flow);
void sip_core_on_cancel(struct sip_core *core, const struct sip_target *from,
                        uint64_t now);
void sip_core_on_request(struct sip_core *core, const struct sip_target *from,
                         struct sip_flow *flow, uint64_t now);

/* The flow of an outside client that speaks datagrams, NULL when there is no
 * room for it. */
struct sip_flow *sip_core_datagram_flow(struct sip_core *core,
                                        const struct sip_target *from,
                                        uint64_t now);

/* Datagram clients that have long been silent are forgotten. */
void sip_core_sweep_flows(struct sip_core *core, uint64_t now);

#endif /* SIP_INTERNAL_H */

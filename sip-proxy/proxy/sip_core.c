/* SPDX-License-Identifier: MIT */
#include "proxy/sip_core.h"

#include "base/crypto.h"
#include "base/err.h"
#include "base/mem.h"
#include "proxy/sip_admit.h"
#include "proxy/sip_fork.h"
#include "proxy/sip_hide.h"
#include "proxy/sip_park.h"
#include "proxy/sip_rebind.h"
#include "proxy/sip_strict.h"

#include <errno.h>

#define LOG_COMPONENT "sip"
#include "base/log.h"

enum { GARBAGE_MAX = 10 }; /* messages not understood before it ends */

/* --- life --- */

/* Nodes that share a key recognise each other's loops. */
static void seed_loops(struct sip_core *core)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];
    const struct span parts[] = {
        span_str("sip loop hash"),
        span_of(core->config->keys.key[0].secret, SIP_TOKEN_KEY),
    };

    crypto_sha256(parts, ARRAY_SIZE(parts), digest);
    memcpy(core->loop_seed, digest, sizeof(core->loop_seed));
}

int sip_core_new(struct sip_core **ret_core,
                 const struct sip_core_config *config,
                 const struct sip_place *place, const struct sip_env *env,
                 struct sip_stats *stats, uint64_t now)
{
    struct sip_core *core = mem_zalloc(sizeof(*core));
    uint8_t seed[16];
    int err;

    if (!core)
        return -ENOMEM;
    core->config = config;
    core->place = *place;
    core->env = *env;
    core->stats = stats;
    timers_init(&core->timers);
    buf_init(&core->out, SIP_MESSAGE_MAX);
    buf_init(&core->loose, SIP_MESSAGE_MAX);
    sip_edit_init(&core->edit);
    seed_loops(core);
    sip_dispatch_init(&core->dispatch, &config->dispatch, now);
    core->next_tick = now + SIP_TICK_MS;
    env->random(env->arg, seed, sizeof(seed));
    sip_budget_init(&core->budget, config->txn.max, seed);
    sip_budget_init(&core->places, config->max_flows, seed);
    sip_homes_init(&core->homes, (size_t)config->max_flows * place->workers,
                   seed);
    sip_park_init(core, now);
    err = sip_guard_new(&core->guard, &config->guard, seed);
    if (err == 0)
        err = sip_trail_new(&core->trail, config->trail);
    if (err == 0)
        err = sip_flows_new(&core->flows, config->max_flows, place->epoch);
    if (err == 0)
        err = pool_new(&core->forks, sizeof(struct sip_fork), config->txn.max);
    if (err == 0)
        err = sip_core_open_txns(core);
    if (err < 0) {
        sip_core_free(core);
        return err;
    }
    err = sip_hide_new(core);
    if (err < 0) {
        sip_core_free(core);
        return err;
    }
    sip_partner_reload(core);
    sip_rebind_reload(core);
    *ret_core = core;
    return 0;
}

void sip_core_free(struct sip_core *core)
{
    struct sip_fork *fork;
    uint32_t pos = 0;

    if (!core)
        return;
    sip_txns_free(core->txns);
    while (core->forks && (fork = pool_each(core->forks, &pos))) {
        buf_deinit(&fork->best);
        buf_deinit(&fork->reason);
        buf_deinit(&fork->challenges);
    }
    pool_free(core->forks);
    sip_flows_free(core->flows);
    sip_guard_free(core->guard);
    sip_park_deinit(core);
    sip_homes_deinit(&core->homes);
    sip_budget_deinit(&core->budget);
    sip_budget_deinit(&core->places);
    sip_trail_free(core->trail);
    sip_hide_free(core);
    sip_edit_deinit(&core->edit);
    buf_deinit(&core->out);
    buf_deinit(&core->loose);
    mem_free(core);
}

void sip_core_reload(struct sip_core *core,
                     const struct sip_core_config *config, uint64_t now)
{
    core->config = config;
    sip_guard_reload(core->guard, &config->guard);
    sip_partner_reload(core);
    sip_rebind_reload(core);
    sip_dispatch_reload(&core->dispatch, &config->dispatch, now);
}

/* --- messages --- */

bool sip_core_knows_source(const struct sip_core *core,
                           const struct sip_target *from)
{
    return sip_dispatch_find_ip(&core->dispatch, &from->remote) >= 0 ||
           cidr_list_has_ip(core->config->inside, core->config->n_inside,
                            &from->remote);
}

/* RFC 5626 4.4.1: a double CRLF asks for a single one. */
static bool is_keep_alive(struct span message)
{
    for (size_t i = 0; i < message.len; i++) {
        if (message.ptr[i] != '\r' && message.ptr[i] != '\n')
            return false;
    }
    return true;
}

/* What is quoted here is what has just come from there, and was not
 * understood: neither could it be when it is to be hidden. */
static void reply_unhidden(struct sip_core *core, const struct sip_msg *msg,
                           const struct sip_target *to,
                           const struct sip_reply *reply)
{
    struct sip_hide *hide = core->hide;

    core->hide = NULL;
    sip_core_reply(core, msg, to, reply);
    core->hide = hide;
}

static void on_malformed(struct sip_core *core, const struct sip_target *from,
                         struct sip_flow *flow, uint64_t now)
{
    const struct sip_msg *msg = &core->msg;
    struct sip_reply reply = {.status = sip_fault_status(msg->fault),
                              .reason = sip_fault_str(msg->fault)};

    SIP_COUNT(core, malformed);
    log_debug("message not understood reason=\"%s\"",
              sip_fault_str(msg->fault));
    if (sip_admit_malformed(core, from, now) && sip_msg_is_answerable(msg))
        reply_unhidden(core, msg, from, &reply);
    if (flow && flow->conn && ++flow->garbage >= GARBAGE_MAX)
        core->env.close(core->env.arg, flow->conn, SIP_CLOSE_GARBAGE);
}

static void on_parsed(struct sip_core *core, const struct sip_target *from,
                      struct sip_flow *flow, uint64_t now)
{
    const struct sip_msg *msg = &core->msg;

    switch (sip_txns_receive(core->txns, msg, from, now, NULL)) {
    case SIP_MATCH_DONE:
        return;
    case SIP_MATCH_REFUSED:
        SIP_COUNT(core, wrong_peer);
        return;
    case SIP_MATCH_NONE:
    case SIP_MATCH_ACK:
        break;
    }
    if (!msg->is_request) {
        SIP_COUNT(core, stray_responses);
        return;
    }
    core->now = now;
    core->trail_number = sip_trail_begin(core->trail, msg, from, now);
    if (!flow && sip_zone_of(core, from) == SIP_OUTSIDE) {
        flow = sip_core_datagram_flow(core, from, now);
        if (!flow) {
            sip_core_refuse(core, msg, from, SIP_REFUSED_full);
            return;
        }
        flow->last_seen = now;
    }
    if (msg->method == SIP_METHOD_ACK)
        sip_core_on_ack(core, from, flow);
    else if (msg->method == SIP_METHOD_CANCEL)
        sip_core_on_cancel(core, from, now);
    else
        sip_core_on_request(core, from, flow, now);
}

static void count(struct sip_core *core, const struct sip_target *from)
{
    bool outside = sip_zone_of(core, from) == SIP_OUTSIDE;

    if (core->msg.is_request && outside)
        SIP_COUNT(core, requests_outside);
    else if (core->msg.is_request)
        SIP_COUNT(core, requests_inside);
    else if (outside)
        SIP_COUNT(core, responses_outside);
    else
        SIP_COUNT(core, responses_inside);
}

/* Datagrams reach any worker; connections their own. True: gone. */
static bool hand_over(struct sip_core *core, const struct sip_target *from,
                      struct span message)
{
    unsigned owner;

    if (core->place.workers < 2 || from->flow)
        return false;
    /* Once: of where a client is the other worker knows no less. */
    if (from->worker != core->place.worker && !core->park.is_replay)
        return false;
    owner = sip_route_owner(core, &core->msg);
    if (owner == core->place.worker || owner >= core->place.workers)
        return false;
    if (core->env.hand_over(core->env.arg, owner, from, message) < 0)
        SIP_COUNT(core, hand_over_refused);
    else
        SIP_COUNT(core, handed_over);
    return true;
}

/* Parts of it look like what we hide, and are not. */
static void on_forged(struct sip_core *core, const struct sip_target *from,
                      uint64_t now)
{
    if (core->msg.is_request && sip_admit_malformed(core, from, now))
        sip_core_refuse(core, &core->msg, from, SIP_REFUSED_forged_token);
}

void sip_core_on_message(struct sip_core *core, const struct sip_target *from,
                         struct span message, uint64_t now)
{
    struct sip_flow *flow = NULL;

    if (from->flow) {
        flow = sip_flows_find(core->flows, from->flow);
        if (!flow)
            return;
        flow->last_seen = now;
        flow->messages++;
    } else if (sip_zone_of(core, from) == SIP_INSIDE &&
               !sip_core_knows_source(core, from)) {
        SIP_COUNT(core, unknown_source);
        return;
    }
    if (!sip_admit_source(core, from, flow, now))
        return;
    if (is_keep_alive(message)) {
        if (message.len >= 4)
            (void)sip_core_send(core, from, span_str("\r\n"));
        return;
    }
    core->received = message;
    if (sip_msg_parse(&core->msg, message, sip_framing_of(from->transport),
                      &core->config->limits) < 0) {
        on_malformed(core, from, flow, now);
        return;
    }
    if (sip_hide_incoming(core, from) < 0) {
        on_forged(core, from, now);
        return;
    }
    if (sip_strict_fix(core) < 0) {
        SIP_COUNT(core, malformed);
        return;
    }
    if (!sip_admit_message(core, from, flow, now))
        return;
    if (hand_over(core, from, message))
        return;
    count(core, from);
    on_parsed(core, from, flow, now);
    core->trail_number = 0;
}

void sip_core_on_banned(struct sip_core *core, const struct addr *source,
                        uint64_t until)
{
    sip_guard_ban(core->guard, source, until);
}

bool sip_core_admits_connection(struct sip_core *core,
                                const struct addr *source, uint64_t now)
{
    return sip_guard_take_connection(core->guard, source, now);
}

bool sip_core_is_banned(struct sip_core *core, const struct addr *source,
                        uint64_t now)
{
    return sip_guard_is_banned(core->guard, source, now);
}

uint32_t sip_core_pending(const struct sip_core *core)
{
    return pool_count(core->forks);
}

const struct sip_trail *sip_core_trail(const struct sip_core *core)
{
    return core->trail;
}

/* SPDX-License-Identifier: MIT */
#include "proxy/sip_core.h"

#include "base/crypto.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "proxy/sip_admit.h"
#include "proxy/sip_fork.h"
#include "proxy/sip_rewrite.h"
#include "proxy/sip_sanity.h"

#include <errno.h>
#include <stdio.h>

#define LOG_COMPONENT "sip"
#include "base/log.h"

enum {
    TICK_MS = 1000,
    SWEEP_TICKS = 30,
    GARBAGE_MAX = 10, /* messages not understood before a connection ends */
};

/* --- helpers of the core's files --- */

int sip_core_send(struct sip_core *core, const struct sip_target *to,
                  struct span message)
{
    void *conn = NULL;
    int err;

    if (to->flow) {
        struct sip_flow *flow = sip_flows_find(core->flows, to->flow);

        if (!flow)
            return ERR_CLOSED;
        conn = flow->conn;
    }
    if (!conn && message.len > core->config->datagram_size)
        SIP_COUNT(core, large_datagrams);
    err = core->env.send(core->env.arg, to, conn, message);
    if (err < 0)
        SIP_COUNT(core, send_failures);
    return err;
}

void sip_core_branch(struct sip_core *core, uint64_t hash,
                     char text[SIP_BRANCH_TEXT + 1])
{
    if (core->random_left == 0) {
        core->env.random(core->env.arg, core->random, sizeof(core->random));
        core->random_left = ARRAY_SIZE(core->random);
    }
    sip_branch_write(core->place.worker, hash,
                     core->random[--core->random_left], text);
}

void sip_core_reply(struct sip_core *core, const struct sip_msg *msg,
                    const struct sip_target *to, const struct sip_reply *reply)
{
    struct sip_reply full = *reply;
    char tag[17];

    /* The same request gets the same tag again, without a transaction. */
    (void)snprintf(
        tag, sizeof(tag), "%016llx",
        (unsigned long long)map_hash(core->loop_seed, msg->via.branch));
    full.to_tag = span_str(tag);
    full.source = &to->remote;
    buf_reset(&core->out);
    if (sip_build_response(&core->out, msg, &full) == 0)
        (void)sip_core_send(core, to, buf_span(&core->out));
}

/* What a refusal says about the token of the request. */
static enum sip_trail_token token_of(enum sip_refusal why)
{
    switch (why) {
    case SIP_REFUSED_forged_token:
        return SIP_TRAIL_FORGED;
    case SIP_REFUSED_unsigned_route:
        return SIP_TRAIL_UNSIGNED;
    case SIP_REFUSED_flow_gone:
        return SIP_TRAIL_GONE;
    default:
        return SIP_TRAIL_NO_TOKEN;
    }
}

void sip_core_refuse(struct sip_core *core, const struct sip_msg *msg,
                     const struct sip_target *to, enum sip_refusal why)
{
    struct sip_reply reply = {.status = sip_refusal_status(why),
                              .reason = sip_refusal_reason(why)};
    struct buf extra;

    stats_inc(sip_refusal_counter(core->stats, why));
    sip_trail_refused(core->trail, core->trail_number, sip_refusal_label(why),
                      reply.status, token_of(why), core->now);
    log_debug("request refused reason=%s method=%.*s", sip_refusal_label(why),
              SPAN_FMT(msg->method_name));
    if (msg->method == SIP_METHOD_ACK)
        return;
    buf_init(&extra, SIP_MESSAGE_MAX);
    if (reply.status == 503)
        buf_put_str(&extra, "Retry-After: 10\r\n");
    if (why == SIP_REFUSED_extension) {
        buf_put_str(&extra, "Unsupported: ");
        buf_put_span(&extra, sip_msg_value(msg, SIP_HDR_PROXY_REQUIRE));
        buf_put_str(&extra, "\r\n");
    }
    reply.extra = buf_span(&extra);
    if (buf_err(&extra) == 0)
        sip_core_reply(core, msg, to, &reply);
    buf_deinit(&extra);
}

static void say_state(struct sip_core *core, int server)
{
    const struct sip_server *s = &core->dispatch.servers[server];

    if (s->up)
        log_info("media server is up server=%s group=%s", s->conf.text,
                 s->conf.group);
    else
        log_warn("media server is down, others are asked first server=%s "
                 "group=%s",
                 s->conf.text, s->conf.group);
    core->env.server_state(core->env.arg, s);
}

void sip_core_server_answered(struct sip_core *core, int server, uint64_t now)
{
    if (sip_dispatch_on_answer(&core->dispatch, server, now))
        say_state(core, server);
}

void sip_core_server_failed(struct sip_core *core, int server, uint64_t now)
{
    SIP_COUNT(core, server_failures);
    if (sip_dispatch_on_failure(&core->dispatch, server, now))
        say_state(core, server);
}

void sip_core_server_target(const struct sip_core *core, int server,
                            struct sip_target *ret_target)
{
    const struct sip_core_config *cfg = core->config;

    *ret_target = core->dispatch.servers[server].conf.target;
    ret_target->worker = core->place.worker;
    for (size_t i = 0; i < cfg->n_locals; i++) {
        const struct sip_local *local = &cfg->locals[i];

        if (local->zone == SIP_INSIDE &&
            local->transport == ret_target->transport &&
            local->addr.family == ret_target->remote.family) {
            ret_target->listener = (uint32_t)i;
            ret_target->local = local->addr;
            return;
        }
    }
}

/* --- from the transactions --- */

static int txn_send(void *arg, const struct sip_target *to, struct span bytes)
{
    return sip_core_send(arg, to, bytes);
}

static void txn_response(void *arg, struct pool_id id, uint64_t user,
                         const struct sip_msg *response, uint64_t now)
{
    sip_fork_on_response(arg, id, user, response, now);
}

static void txn_timeout(void *arg, struct pool_id id, uint64_t user,
                        uint64_t now)
{
    sip_fork_on_timeout(arg, id, user, now);
}

static void txn_error(void *arg, struct pool_id id, uint64_t user, int err,
                      uint64_t now)
{
    (void)err;
    sip_fork_on_error(arg, id, user, now);
}

static void txn_ended(void *arg, struct pool_id id, uint64_t user, uint64_t now)
{
    (void)now;
    sip_fork_on_ended(arg, id, user);
}

static void txn_random(void *arg, void *out, size_t len)
{
    struct sip_core *core = arg;

    core->env.random(core->env.arg, out, len);
}

/* A media server behind a virtual address answers from its own one, which
 * the operator names as an inside source. */
static bool txn_is_peer_too(void *arg, const struct sip_target *peer,
                            const struct sip_target *from)
{
    const struct sip_core *core = arg;

    return peer->flow == 0 && from->flow == 0 &&
           peer->transport == from->transport &&
           sip_zone_of(core, peer) == SIP_INSIDE &&
           sip_zone_of(core, from) == SIP_INSIDE &&
           cidr_list_has_ip(core->config->inside, core->config->n_inside,
                            &from->remote);
}

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
    const struct sip_txn_env txn_env = {
        .send = txn_send,
        .on_response = txn_response,
        .on_timeout = txn_timeout,
        .on_error = txn_error,
        .on_ended = txn_ended,
        .random = txn_random,
        .is_peer_too = txn_is_peer_too,
        .arg = core,
    };
    int err;

    if (!core)
        return -ENOMEM;
    core->config = config;
    core->place = *place;
    core->env = *env;
    core->stats = stats;
    timers_init(&core->timers);
    buf_init(&core->out, SIP_MESSAGE_MAX);
    sip_edit_init(&core->edit);
    seed_loops(core);
    sip_dispatch_init(&core->dispatch, &config->dispatch, now);
    core->next_tick = now + TICK_MS;
    env->random(env->arg, seed, sizeof(seed));
    err = sip_guard_new(&core->guard, &config->guard, seed);
    if (err == 0)
        err = sip_trail_new(&core->trail, config->trail);
    if (err == 0)
        err = sip_flows_new(&core->flows, config->max_flows, place->epoch);
    if (err == 0)
        err = pool_new(&core->forks, sizeof(struct sip_fork), config->txn.max);
    if (err == 0)
        err = sip_txns_new(&core->txns, &config->txn, &txn_env);
    if (err < 0) {
        sip_core_free(core);
        return err;
    }
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
    }
    pool_free(core->forks);
    sip_flows_free(core->flows);
    sip_guard_free(core->guard);
    sip_trail_free(core->trail);
    sip_edit_deinit(&core->edit);
    buf_deinit(&core->out);
    mem_free(core);
}

void sip_core_reload(struct sip_core *core,
                     const struct sip_core_config *config, uint64_t now)
{
    core->config = config;
    sip_guard_reload(core->guard, &config->guard);
    sip_dispatch_reload(&core->dispatch, &config->dispatch, now);
}

/* --- flows --- */

int sip_core_open_flow(struct sip_core *core, const struct sip_target *from,
                       void *conn, uint32_t group, uint64_t now,
                       uint64_t *ret_flow)
{
    struct sip_flow *flow;

    if (sip_core_is_banned(core, &from->remote, now))
        return ERR_DENIED;
    flow = sip_flows_open(core->flows, from, conn, now);
    if (!flow) {
        SIP_COUNT(core, flows_refused);
        return ERR_LIMIT;
    }
    SIP_COUNT(core, flows_opened);
    stats_set(&core->stats->flows, sip_flows_count(core->flows));
    flow->target.worker = core->place.worker;
    sip_guard_flow_init(core->guard, &flow->rate, now);
    flow->group = group ? group : sip_local_of(core, from)->group;
    *ret_flow = flow->target.flow;
    return 0;
}

static void close_flow(struct sip_core *core, struct sip_flow *flow,
                       uint64_t now)
{
    uint64_t id = flow->target.flow;

    sip_fork_abandon(core, flow, now);
    /* First the flow is gone, then those who wait on it are told: their
     * answers must find no connection to write to. */
    sip_flows_close(core->flows, flow);
    sip_txns_on_flow_closed(core->txns, id, now);
    stats_set(&core->stats->flows, sip_flows_count(core->flows));
}

void sip_core_close_flow(struct sip_core *core, uint64_t id, uint64_t now)
{
    struct sip_flow *flow = sip_flows_find(core->flows, id);

    if (flow)
        close_flow(core, flow, now);
}

static void sweep_datagram_flows(struct sip_core *core, uint64_t now)
{
    struct sip_flow *flow;
    uint32_t pos = 0;

    while ((flow = sip_flows_each(core->flows, &pos))) {
        if (!flow->conn && flow->last_seen + core->config->udp_flow_ms <= now)
            close_flow(core, flow, now);
    }
}

/* The flow of an outside client that speaks datagrams. */
static struct sip_flow *datagram_flow(struct sip_core *core,
                                      const struct sip_target *from,
                                      uint64_t now)
{
    struct sip_flow *flow = sip_flows_find_remote(core->flows, from);
    uint64_t id;

    if (flow)
        return flow;
    /* The source of a datagram proves nothing: who invents addresses may fill
     * half the table and not keep out those who hold connections. */
    if (sip_flows_datagrams(core->flows) >= sip_flows_max(core->flows) / 2) {
        SIP_COUNT(core, flows_refused);
        return NULL;
    }
    if (sip_core_open_flow(core, from, NULL, 0, now, &id) < 0)
        return NULL;
    return sip_flows_find(core->flows, id);
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
        sip_core_reply(core, msg, from, &reply);
    if (flow && flow->conn && ++flow->garbage >= GARBAGE_MAX)
        core->env.close(core->env.arg, flow->conn, SIP_CLOSE_GARBAGE);
}

/* A way that is open was opened by a token, but for first requests of
 * clients. */
static void note_route(struct sip_core *core, const struct sip_route *route)
{
    enum sip_trail_rule rule = SIP_TRAIL_SELF;
    enum sip_trail_token token = SIP_TRAIL_NO_TOKEN;

    if (route->kind == SIP_ROUTE_REFUSED)
        return;
    if (route->kind == SIP_ROUTE_CLIENT)
        rule = SIP_TRAIL_CLIENT;
    else if (route->kind == SIP_ROUTE_SERVER)
        rule = SIP_TRAIL_SERVER;
    if (rule == SIP_TRAIL_CLIENT ||
        (rule == SIP_TRAIL_SERVER && route->in_dialog))
        token = SIP_TRAIL_VERIFIED;
    sip_trail_route(core->trail, core->trail_number, rule, token);
}

/* An ACK to a 2xx belongs to no transaction: it goes its way by its Route
 * (RFC 3261 16.11), and nobody is told when it cannot. */
static void on_ack(struct sip_core *core, const struct sip_target *from,
                   struct sip_flow *flow)
{
    const struct sip_msg *msg = &core->msg;
    uint64_t hash = sip_branch_hash(msg, core->loop_seed);
    char branch[SIP_BRANCH_TEXT + 1];
    struct sip_passage passage = {.from = from};
    struct sip_route route;
    struct sip_target to;

    sip_route_request(core, msg, flow, &route);
    note_route(core, &route);
    if (route.kind == SIP_ROUTE_SERVER && route.server >= 0) {
        sip_core_server_target(core, route.server, &to);
    } else if (route.kind == SIP_ROUTE_CLIENT) {
        to = route.flow->target;
    } else {
        SIP_COUNT(core, stray_acks);
        if (route.kind == SIP_ROUTE_REFUSED) {
            stats_inc(sip_refusal_counter(core->stats, route.why));
            sip_trail_refused(core->trail, core->trail_number,
                              sip_refusal_label(route.why), 0,
                              token_of(route.why), core->now);
        }
        return;
    }
    if ((msg->has_max_forwards && msg->max_forwards == 0) ||
        sip_branch_is_loop(msg, hash)) {
        SIP_COUNT(core, stray_acks);
        return;
    }
    sip_core_branch(core, hash, branch);
    passage.to = &to;
    passage.route = &route;
    passage.branch = span_str(branch);
    if (sip_rewrite_request(core, msg, &passage) == 0) {
        sip_trail_sent(core->trail, core->trail_number, &to);
        (void)sip_core_send(core, &to, buf_span(&core->out));
    } else {
        SIP_COUNT(core, edit_failures);
    }
}

/* RFC 3261 16.10 and 9.2; only the connection of the INVITE may cancel. */
static void on_cancel(struct sip_core *core, const struct sip_target *from,
                      uint64_t now)
{
    const struct sip_reply ok = {.status = 200};
    struct sip_txn_view view;
    struct pool_id id;
    int err = sip_txns_find_cancelled(core->txns, &core->msg, from, &id);

    if (err < 0 || !sip_txn_look(core->txns, id, &view)) {
        sip_core_refuse(core, &core->msg, from,
                        err == ERR_DENIED ? SIP_REFUSED_foreign_cancel
                                          : SIP_REFUSED_no_dialog);
        return;
    }
    sip_trail_route(core->trail, core->trail_number, SIP_TRAIL_CANCEL,
                    SIP_TRAIL_NO_TOKEN);
    sip_trail_answered(core->trail, core->trail_number, 200, now);
    sip_core_reply(core, &core->msg, from, &ok);
    sip_fork_cancel(core, view.user, &core->msg, now);
}

static void on_request(struct sip_core *core, const struct sip_target *from,
                       struct sip_flow *flow, uint64_t now)
{
    const struct sip_reply ok = {.status = 200};
    const struct sip_msg *msg = &core->msg;
    uint64_t hash = sip_branch_hash(msg, core->loop_seed);
    enum sip_refusal why =
        sip_sanity_check(core->config, msg, sip_zone_of(core, from), hash);
    struct sip_route route;

    if (why) {
        sip_core_refuse(core, msg, from, why);
        return;
    }
    if (flow && sip_rewrite_is_sips(msg))
        flow->sips = true;
    sip_route_request(core, msg, flow, &route);
    note_route(core, &route);
    switch (route.kind) {
    case SIP_ROUTE_REFUSED:
        sip_core_refuse(core, msg, from, route.why);
        return;
    case SIP_ROUTE_SELF:
        sip_trail_answered(core->trail, core->trail_number, 200, now);
        sip_core_reply(core, msg, from, &ok);
        return;
    case SIP_ROUTE_SERVER:
    case SIP_ROUTE_CLIENT:
        sip_fork_start(core, msg, from, &route, hash, now);
        return;
    }
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
        flow = datagram_flow(core, from, now);
        if (!flow) {
            sip_core_refuse(core, msg, from, SIP_REFUSED_full);
            return;
        }
        flow->last_seen = now;
    }
    if (msg->method == SIP_METHOD_ACK)
        on_ack(core, from, flow);
    else if (msg->method == SIP_METHOD_CANCEL)
        on_cancel(core, from, now);
    else
        on_request(core, from, flow, now);
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
    owner = sip_route_owner(core, &core->msg);
    if (owner == core->place.worker || owner >= core->place.workers)
        return false;
    if (core->env.hand_over(core->env.arg, owner, from, message) < 0)
        SIP_COUNT(core, hand_over_refused);
    else
        SIP_COUNT(core, handed_over);
    return true;
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
    if (sip_msg_parse(&core->msg, message, sip_framing_of(from->transport),
                      &core->config->limits) < 0) {
        on_malformed(core, from, flow, now);
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

void sip_core_on_unreachable(struct sip_core *core,
                             const struct sip_target *server, uint64_t now)
{
    int index = sip_dispatch_find_target(&core->dispatch, server->transport,
                                         &server->remote);

    if (index >= 0)
        sip_fork_on_unreachable(core, core->dispatch.servers[index].tag, now);
}

bool sip_core_is_server(const struct sip_core *core,
                        const struct sip_target *to)
{
    return sip_dispatch_find_target(&core->dispatch, to->transport,
                                    &to->remote) >= 0;
}

void sip_core_on_server_state(struct sip_core *core, uint16_t tag, bool up,
                              uint64_t now)
{
    (void)sip_dispatch_set_state(&core->dispatch, tag, up, now);
}

void sip_core_on_banned(struct sip_core *core, const struct addr *source,
                        uint64_t until)
{
    sip_guard_ban(core->guard, source, until);
}

bool sip_core_is_banned(struct sip_core *core, const struct addr *source,
                        uint64_t now)
{
    return sip_guard_is_banned(core->guard, source, now);
}

/* --- time --- */

void sip_core_refresh_gauges(struct sip_core *core)
{
    struct sip_txn_stats t;
    struct sip_stats *s = core->stats;

    sip_txns_stats(core->txns, &t);
    stats_set(&s->transactions_invite_client, t.active[SIP_TXN_ICT]);
    stats_set(&s->transactions_client, t.active[SIP_TXN_NICT]);
    stats_set(&s->transactions_invite_server, t.active[SIP_TXN_IST]);
    stats_set(&s->transactions_server, t.active[SIP_TXN_NIST]);
    stats_set(&s->transaction_bytes, t.bytes);
    stats_set(&s->transactions_made,
              t.made[SIP_TXN_ICT] + t.made[SIP_TXN_NICT] + t.made[SIP_TXN_IST] +
                  t.made[SIP_TXN_NIST]);
    stats_set(&s->retransmissions, t.retransmitted);
    stats_set(&s->repeated, t.repeated);
    stats_set(&s->timeouts, t.timeouts);
    stats_set(&s->transactions_full, t.full);
    stats_set(&s->flows, sip_flows_count(core->flows));
}

static void on_tick(struct sip_core *core, uint64_t now)
{
    core->next_tick = now + TICK_MS;
    sip_core_refresh_gauges(core);
    sip_guard_sweep(core->guard, now);
    /* All workers know all bans: one shows them. */
    if (core->place.worker == 0)
        stats_set(&core->stats->banned, sip_guard_bans(core->guard));
    if (++core->ticks % SWEEP_TICKS == 0)
        sweep_datagram_flows(core, now);
}

/* One worker asks the media servers, the others are told. */
static bool is_prober(const struct sip_core *core)
{
    return core->place.worker == 0;
}

void sip_core_on_timer(struct sip_core *core, uint64_t now)
{
    struct timer *timer;
    int server;

    sip_txns_on_timer(core->txns, now);
    while ((timer = timers_take_expired(&core->timers, now)))
        sip_fork_on_timer(core, timer, now);
    while (is_prober(core) &&
           (server = sip_dispatch_take_due(&core->dispatch, now)) >= 0)
        sip_fork_probe(core, server, now);
    if (core->next_tick <= now)
        on_tick(core, now);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t sip_core_next_deadline(const struct sip_core *core)
{
    uint64_t next = earlier(core->next_tick, timers_next(&core->timers));

    next = earlier(next, sip_txns_next_deadline(core->txns));
    if (is_prober(core))
        next = earlier(next, sip_dispatch_next_deadline(&core->dispatch));
    return next;
}

bool sip_core_has_group(const struct sip_core *core, uint32_t group)
{
    return sip_dispatch_has_group(&core->dispatch, group);
}

uint32_t sip_core_pending(const struct sip_core *core)
{
    return pool_count(core->forks);
}

const struct sip_dispatch *sip_core_dispatch(const struct sip_core *core)
{
    return &core->dispatch;
}

const struct sip_trail *sip_core_trail(const struct sip_core *core)
{
    return core->trail;
}

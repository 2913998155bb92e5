/* SPDX-License-Identifier: MIT */
#include "proxy/sip_fork_internal.h"

#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "proxy/sip_admit.h"
#include "proxy/sip_rewrite.h"
#include "proxy/sip_size.h"

#include <errno.h>
#include <stdio.h>

enum {
    REASON_MAX = 512,
    CHALLENGES_MAX = 4096,
};

struct sip_fork *sip_fork_find(const struct sip_core *core, uint64_t user)
{
    return user ? pool_find(core->forks, pool_id_from_u64(user)) : NULL;
}

static bool same_id(struct pool_id a, struct pool_id b)
{
    return a.slot == b.slot && a.generation == b.generation;
}

struct sip_branch *sip_fork_branch_of(struct sip_fork *fork, struct pool_id txn)
{
    for (unsigned i = 0; i < fork->n; i++) {
        if (same_id(fork->branches[i].txn, txn))
            return &fork->branches[i];
    }
    return NULL;
}

static struct sip_fork *fork_new(struct sip_core *core)
{
    struct pool_id id;
    struct sip_fork *fork = pool_take(core->forks, &id);

    if (!fork)
        return NULL;
    fork->id = id;
    list_init(&fork->node);
    buf_init(&fork->best, SIP_MESSAGE_MAX);
    buf_init(&fork->reason, REASON_MAX);
    buf_init(&fork->challenges, CHALLENGES_MAX);
    timer_init(&fork->timer_c, SIP_FORK_TIMER_C);
    timer_init(&fork->silence, SIP_FORK_TIMER_SILENCE);
    return fork;
}

/* A client that floods gets its share of the table, not all of it. Of
 * datagrams nobody knows who sent them. */
static bool has_used_its_share(const struct sip_core *core,
                               const struct sip_route *route)
{
    uint32_t max = core->config->max_pending;

    return route->kind == SIP_ROUTE_SERVER && route->flow->conn && max > 0 &&
           route->flow->pending >= max;
}

/* The last tenth of the table is for calls that stand: a flood of new ones
 * must not keep them from hanging up. */
static bool is_kept_for_dialogs(const struct sip_core *core,
                                const struct sip_route *route)
{
    return !route->in_dialog &&
           sip_txns_room(core->txns) <= core->config->txn.max / 10;
}

/* The same over all connections of one address, and for datagrams, too. False:
 * it has had its share. */
static bool take_budget(struct sip_core *core, const struct sip_target *from,
                        bool *ret_is_taken)
{
    uint32_t limit = core->config->source_pending;

    *ret_is_taken = sip_zone_of(core, from) == SIP_OUTSIDE && limit > 0 &&
                    !sip_guard_is_exempt(core->guard, &from->remote);
    return !*ret_is_taken ||
           sip_budget_take(&core->budget, &from->remote, limit);
}

static void uncount(struct sip_core *core, const struct sip_fork *fork)
{
    struct sip_flow *flow =
        fork->is_counted ? sip_flows_find(core->flows, fork->flow) : NULL;

    if (flow)
        flow->pending--;
}

static void free_if_over(struct sip_core *core, struct sip_fork *fork)
{
    if (fork->live > 0 || fork->busy)
        return;
    timers_cancel(&core->timers, &fork->timer_c);
    timers_cancel(&core->timers, &fork->silence);
    list_remove(&fork->node);
    uncount(core, fork);
    if (fork->is_budgeted)
        sip_budget_give(&core->budget, &fork->from.remote);
    buf_deinit(&fork->best);
    buf_deinit(&fork->reason);
    buf_deinit(&fork->challenges);
    pool_give(core->forks, fork);
}

const struct sip_msg *sip_fork_request_of(struct sip_core *core,
                                          const struct sip_fork *fork)
{
    struct sip_txn_view view;

    if (!sip_txn_look(core->txns, fork->server, &view) ||
        sip_msg_parse(&core->stored, view.request,
                      sip_framing_of(fork->from.transport),
                      &core->config->limits) < 0)
        return NULL;
    return &core->stored;
}

/* --- answers upstream --- */

void sip_fork_stop_waiting(struct sip_core *core, struct sip_fork *fork)
{
    fork->finished = true;
    timers_cancel(&core->timers, &fork->timer_c);
    timers_cancel(&core->timers, &fork->silence);
    list_remove(&fork->node);
    buf_deinit(&fork->best);
    buf_deinit(&fork->challenges);
}

/* A final response of our own. */
static void answer(struct sip_core *core, struct sip_fork *fork,
                   const struct sip_reply *reply, uint64_t now)
{
    const struct sip_msg *request = sip_fork_request_of(core, fork);

    if (!request)
        return;
    buf_reset(&core->out);
    if (sip_build_response(&core->out, request, reply) == 0 &&
        sip_txn_respond(core->txns, fork->server, buf_span(&core->out), now) <
            0)
        sip_txn_terminate(core->txns, fork->server, now);
}

void sip_fork_answer(struct sip_core *core, struct sip_fork *fork,
                     unsigned status, const char *reason, uint64_t now)
{
    char tag[17];
    struct sip_reply reply = {
        .status = status, .reason = reason, .source = &fork->from.remote};

    (void)snprintf(tag, sizeof(tag), "%016llx",
                   (unsigned long long)map_hash(
                       core->loop_seed, span_of(&fork->id, sizeof(fork->id))));
    reply.to_tag = span_str(tag);
    if (status == 503)
        reply.extra = span_str("Retry-After: 10\r\n");
    sip_trail_answered(core->trail, fork->trail, status, now);
    answer(core, fork, &reply, now);
}

void sip_fork_refuse(struct sip_core *core, struct sip_fork *fork,
                     enum sip_refusal why, uint64_t now)
{
    stats_inc(sip_refusal_counter(core->stats, why));
    sip_trail_refused(core->trail, fork->trail, sip_refusal_label(why),
                      sip_refusal_status(why), SIP_TRAIL_NO_TOKEN, now);
    sip_fork_answer(core, fork, sip_refusal_status(why),
                    sip_refusal_reason(why), now);
}

void sip_fork_on_ended(struct sip_core *core, struct pool_id txn, uint64_t user)
{
    struct sip_fork *fork = sip_fork_find(core, user);

    (void)txn;
    if (!fork)
        return;
    fork->live--;
    free_if_over(core, fork);
}

/* --- timers --- */

/* RFC 3261 16.8. */
static void on_timer_c(struct sip_core *core, struct sip_fork *fork,
                       uint64_t now)
{
    SIP_COUNT(core, timer_c);
    for (unsigned i = 0; i < fork->n; i++) {
        struct sip_branch *b = &fork->branches[i];

        if (b->done)
            continue;
        if (b->status) {
            sip_fork_cancel_branch(core, fork, b, now);
        } else {
            b->done = true;
            sip_txn_terminate(core->txns, b->txn, now);
        }
    }
    if (sip_fork_all_done(fork))
        sip_fork_finish(core, fork, now);
}

/* The media server has not said a word. Another one is asked; when there is
 * none and this one was known to be down, waiting on helps nobody. */
static void on_silence_of_one(struct sip_core *core, struct sip_fork *fork,
                              uint64_t now)
{
    struct sip_branch *b = &fork->branches[fork->n - 1];
    int server = sip_dispatch_find_tag(&core->dispatch, b->tag);
    bool was_down = server >= 0 && !core->dispatch.servers[server].up;

    if (fork->is_probe) {
        sip_fork_branch_failed(core, fork, b, 408, now);
        sip_txn_terminate(core->txns, b->txn, now);
        return;
    }
    if (b->done || b->status)
        return;
    if (b->stream && server >= 0) {
        sip_size_no_stream(core, server, now);
        if (sip_fork_send_smaller(core, fork, b, now))
            return;
    }
    if (server >= 0)
        sip_core_server_failed(core, server, now);
    if (sip_fork_try_next(core, fork, now))
        return;
    if (was_down && fork->is_initial) {
        sip_fork_refuse(core, fork, SIP_REFUSED_no_server, now);
        sip_fork_stop_waiting(core, fork);
        sip_fork_cancel_all(core, fork, now);
    }
}

static void on_silence(struct sip_core *core, struct sip_fork *fork,
                       uint64_t now)
{
    if (fork->is_parallel)
        sip_fork_on_silence_of_some(core, fork, now);
    else
        on_silence_of_one(core, fork, now);
}

void sip_fork_on_timer(struct sip_core *core, struct timer *timer, uint64_t now)
{
    bool is_c = timer->kind == SIP_FORK_TIMER_C;
    struct sip_fork *fork = is_c
                                ? CONTAINER_OF(timer, struct sip_fork, timer_c)
                                : CONTAINER_OF(timer, struct sip_fork, silence);

    /* No transaction is in the middle of telling us something that would keep
     * the fork alive, and ending the last one frees it. */
    fork->busy = true;
    if (is_c)
        on_timer_c(core, fork, now);
    else
        on_silence(core, fork, now);
    fork->busy = false;
    free_if_over(core, fork);
}

/* --- entries --- */

static void send_first(struct sip_core *core, struct sip_fork *fork,
                       const struct sip_msg *request,
                       const struct sip_route *route, uint64_t now)
{
    int err;

    if (route->kind == SIP_ROUTE_SERVER) {
        if (!sip_fork_spread(core, fork, request, now) &&
            !sip_fork_try_server(core, fork, request, route->server, now)) {
            sip_fork_refuse(core, fork, SIP_REFUSED_no_server, now);
            sip_fork_stop_waiting(core, fork);
        }
        return;
    }
    err = sip_fork_send(core, fork, request, &route->flow->target, -1, now);
    if (err < 0) {
        sip_fork_refuse(core, fork,
                        err == ERR_LIMIT || err == -ENOMEM
                            ? SIP_REFUSED_full
                            : SIP_REFUSED_flow_gone,
                        now);
        sip_fork_stop_waiting(core, fork);
    }
}

void sip_fork_start(struct sip_core *core, const struct sip_msg *request,
                    const struct sip_target *from,
                    const struct sip_route *route, uint64_t hash, uint64_t now)
{
    struct sip_fork *fork;
    bool is_budgeted;

    if (has_used_its_share(core, route)) {
        sip_core_refuse(core, request, from, SIP_REFUSED_client_full);
        return;
    }
    if (!take_budget(core, from, &is_budgeted)) {
        sip_core_refuse(core, request, from, SIP_REFUSED_source_full);
        return;
    }
    fork = is_kept_for_dialogs(core, route) ? NULL : fork_new(core);
    if (!fork) {
        if (is_budgeted)
            sip_budget_give(&core->budget, &from->remote);
        sip_core_refuse(core, request, from, SIP_REFUSED_full);
        return;
    }
    fork->is_budgeted = is_budgeted;
    fork->method = request->method;
    fork->is_inward = route->kind == SIP_ROUTE_SERVER;
    fork->is_initial = !route->in_dialog;
    fork->pop = route->pop;
    fork->group = route->group;
    fork->partner = route->partner;
    fork->sips = route->sips;
    fork->contact = route->contact;
    fork->flow = route->flow->target.flow;
    fork->hash = hash;
    fork->trail = core->trail_number;
    fork->from = *from;
    fork->has_credentials =
        fork->is_inward && sip_admit_has_credentials(request);
    fork->busy = true;
    if (sip_txns_server_new(core->txns, request, from, pool_id_u64(fork->id),
                            now, &fork->server) < 0) {
        sip_core_refuse(core, request, from, SIP_REFUSED_full);
    } else {
        fork->live++;
        if (fork->is_inward) {
            list_push_back(&route->flow->forks, &fork->node);
            route->flow->pending++;
            fork->is_counted = true;
        }
        if (fork->method == SIP_METHOD_INVITE) {
            timers_set(&core->timers, &fork->timer_c,
                       now + core->config->timer_c_ms);
            if (fork->is_initial)
                SIP_COUNT(core, invites);
        }
        send_first(core, fork, request, route, now);
    }
    fork->busy = false;
    free_if_over(core, fork);
}

void sip_fork_cancel(struct sip_core *core, uint64_t user,
                     const struct sip_msg *cancel, uint64_t now)
{
    const struct sip_hdr *hdr = sip_msg_find(cancel, SIP_HDR_REASON);
    struct sip_fork *fork = sip_fork_find(core, user);

    if (!fork || fork->finished)
        return;
    if (!fork->cancelled) {
        for (; hdr; hdr = sip_msg_next(cancel, hdr))
            sip_fork_give_reason(fork, hdr->line);
    }
    fork->cancelled = true;
    sip_fork_cancel_all(core, fork, now);
}

void sip_fork_abandon(struct sip_core *core, struct sip_flow *flow,
                      uint64_t now)
{
    LIST_FOREACH (node, &flow->forks) {
        struct sip_fork *fork = CONTAINER_OF(node, struct sip_fork, node);

        list_remove(&fork->node);
        if (fork->method != SIP_METHOD_INVITE)
            continue;
        SIP_COUNT(core, abandoned);
        fork->cancelled = true;
        sip_fork_cancel_all(core, fork, now);
    }
}

static void server_unreachable(struct sip_core *core, struct sip_fork *fork,
                               uint16_t tag, uint64_t now)
{
    fork->busy = true;
    for (unsigned i = 0; i < fork->n; i++) {
        struct sip_branch *b = &fork->branches[i];

        if (b->done || b->status || b->tag != tag || !fork->is_inward)
            continue;
        sip_txn_terminate(core->txns, b->txn, now);
        sip_fork_branch_failed(core, fork, b, 503, now);
        break;
    }
    fork->busy = false;
    free_if_over(core, fork);
}

void sip_fork_on_unreachable(struct sip_core *core, uint16_t tag, uint64_t now)
{
    struct sip_fork *fork;
    uint32_t pos = 0;

    while ((fork = pool_each(core->forks, &pos)))
        server_unreachable(core, fork, tag, now);
}

static void no_stream(struct sip_core *core, struct sip_fork *fork,
                      uint16_t tag, uint64_t now)
{
    unsigned n = fork->n;

    fork->busy = true;
    for (unsigned i = 0; i < n; i++) {
        struct sip_branch *b = &fork->branches[i];

        if (!b->stream || b->tag != tag || b->done || b->status ||
            sip_fork_send_smaller(core, fork, b, now))
            continue;
        sip_txn_terminate(core->txns, b->txn, now);
        sip_fork_branch_failed(core, fork, b, 503, now);
    }
    fork->busy = false;
    free_if_over(core, fork);
}

void sip_fork_on_no_stream(struct sip_core *core, uint16_t tag, uint64_t now)
{
    struct sip_fork *fork;
    uint32_t pos = 0;

    while ((fork = pool_each(core->forks, &pos)))
        no_stream(core, fork, tag, now);
}

void sip_fork_probe(struct sip_core *core, int server, uint64_t now)
{
    struct sip_server *s = &core->dispatch.servers[server];
    struct sip_fork *fork = s->probing ? NULL : fork_new(core);
    struct sip_branch *b;
    struct sip_target to;

    if (!fork)
        return;
    b = &fork->branches[0];
    fork->is_probe = true;
    fork->is_inward = true;
    fork->method = SIP_METHOD_OPTIONS;
    *b = (struct sip_branch){.tag = s->tag};
    sip_core_server_target(core, server, &to);
    sip_rewrite_probe(core, &to);
    fork->busy = true;
    SIP_COUNT(core, probes);
    if (sip_txns_client_new(core->txns, buf_span(&core->out), &to,
                            pool_id_u64(fork->id), now, &b->txn) == 0) {
        fork->n = 1;
        fork->live = 1;
        s->probing = true;
        timers_set(&core->timers, &fork->silence,
                   now + core->config->probe_timeout_ms);
    } else {
        sip_core_server_failed(core, server, now);
    }
    fork->busy = false;
    free_if_over(core, fork);
}

/* SPDX-License-Identifier: MIT */
#include "proxy/sip_fork.h"

#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "proxy/sip_rewrite.h"

#include <errno.h>
#include <stdio.h>

enum { REASON_MAX = 512 };

static struct sip_fork *find(const struct sip_core *core, uint64_t user)
{
    return user ? pool_find(core->forks, pool_id_from_u64(user)) : NULL;
}

static bool same_id(struct pool_id a, struct pool_id b)
{
    return a.slot == b.slot && a.generation == b.generation;
}

static struct sip_branch *branch_of(struct sip_fork *fork, struct pool_id txn)
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
    timer_init(&fork->timer_c, SIP_FORK_TIMER_C);
    timer_init(&fork->silence, SIP_FORK_TIMER_SILENCE);
    return fork;
}

static void free_if_over(struct sip_core *core, struct sip_fork *fork)
{
    if (fork->live > 0 || fork->busy)
        return;
    timers_cancel(&core->timers, &fork->timer_c);
    timers_cancel(&core->timers, &fork->silence);
    list_remove(&fork->node);
    buf_deinit(&fork->best);
    buf_deinit(&fork->reason);
    pool_give(core->forks, fork);
}

/* The request as it came, parsed again; NULL when its transaction is gone. */
static const struct sip_msg *request_of(struct sip_core *core,
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

static void stop_waiting(struct sip_core *core, struct sip_fork *fork)
{
    fork->finished = true;
    timers_cancel(&core->timers, &fork->timer_c);
    timers_cancel(&core->timers, &fork->silence);
    list_remove(&fork->node);
    buf_deinit(&fork->best);
}

/* A final response of our own. */
static void answer(struct sip_core *core, struct sip_fork *fork,
                   const struct sip_reply *reply, uint64_t now)
{
    const struct sip_msg *request = request_of(core, fork);

    if (!request)
        return;
    buf_reset(&core->out);
    if (sip_build_response(&core->out, request, reply) == 0 &&
        sip_txn_respond(core->txns, fork->server, buf_span(&core->out), now) <
            0)
        sip_txn_terminate(core->txns, fork->server, now);
}

static void answer_status(struct sip_core *core, struct sip_fork *fork,
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
    answer(core, fork, &reply, now);
}

static void refuse(struct sip_core *core, struct sip_fork *fork,
                   enum sip_refusal why, uint64_t now)
{
    stats_inc(sip_refusal_counter(core->stats, why));
    answer_status(core, fork, sip_refusal_status(why), sip_refusal_reason(why),
                  now);
}

/* --- branches --- */

static void cancel_branch(struct sip_core *core, struct sip_fork *fork,
                          struct sip_branch *b, uint64_t now)
{
    struct pool_id cancel;

    if (b->done || fork->method != SIP_METHOD_INVITE)
        return;
    /* RFC 3261 9.1: not before it has answered. */
    b->cancel = sip_txn_cancel(core->txns, b->txn, buf_span(&fork->reason), 0,
                               now, &cancel) < 0;
}

/* The first reason is the one told; more than fits is told by none. */
static void give_reason(struct sip_fork *fork, struct span line)
{
    buf_put_span(&fork->reason, line);
    if (buf_err(&fork->reason) < 0)
        buf_reset(&fork->reason);
}

static void cancel_branches(struct sip_core *core, struct sip_fork *fork,
                            uint64_t now)
{
    for (unsigned i = 0; i < fork->n; i++)
        cancel_branch(core, fork, &fork->branches[i], now);
}

/* 0, or negative when nothing could be sent. */
static int send_branch(struct sip_core *core, struct sip_fork *fork,
                       const struct sip_msg *request,
                       const struct sip_target *to, int server, uint64_t now)
{
    struct sip_branch *b = &fork->branches[fork->n];
    const struct sip_server *s =
        server < 0 ? NULL : &core->dispatch.servers[server];
    struct sip_route route = {
        .kind = fork->is_inward ? SIP_ROUTE_SERVER : SIP_ROUTE_CLIENT,
        .pop = fork->pop,
        .flow = sip_flows_find(core->flows, fork->flow),
        .sips = fork->sips,
        .contact = fork->contact,
    };
    char branch[SIP_BRANCH_TEXT + 1];
    struct sip_passage passage = {.from = &fork->from,
                                  .to = to,
                                  .route = &route,
                                  .path = s ? s->conf.path : SIP_PATH_ON};
    int err;

    if (!route.flow)
        return ERR_STATE;
    if (s) {
        passage.server_tag = s->tag;
    } else {
        int source = sip_dispatch_find_ip(&core->dispatch, &fork->from.remote);

        passage.server_tag =
            source < 0 ? 0 : core->dispatch.servers[source].tag;
    }
    sip_core_branch(core, fork->hash, branch);
    passage.branch = span_str(branch);
    err = sip_rewrite_request(core, request, &passage);
    if (err < 0) {
        SIP_COUNT(core, edit_failures);
        return err;
    }
    *b = (struct sip_branch){.tag = passage.server_tag};
    err = sip_txns_client_new(core->txns, buf_span(&core->out), to,
                              pool_id_u64(fork->id), now, &b->txn);
    if (err < 0)
        return err;
    fork->n++;
    fork->live++;
    return 0;
}

/* What did not leave us says nothing about the server. */
static bool is_our_own(int err)
{
    return err == ERR_LIMIT || err == -ENOMEM || err == ERR_STATE ||
           err == ERR_PARSE;
}

/* Choose a media server and send; again with the next while sending fails.
 * False when there is none (left). */
static bool try_server(struct sip_core *core, struct sip_fork *fork,
                       const struct sip_msg *request, int server, uint64_t now)
{
    while (fork->n < SIP_FORK_BRANCHES) {
        struct sip_target to;
        int err;

        if (server < 0)
            server = sip_dispatch_pick(&core->dispatch, fork->group,
                                       sip_route_user(request), fork->tried);
        if (server < 0)
            return false;
        fork->tried |= UINT64_C(1) << server;
        sip_core_server_target(core, server, &to);
        err = send_branch(core, fork, request, &to, server, now);
        if (err == 0) {
            timers_set(&core->timers, &fork->silence,
                       now + core->config->server_timeout_ms);
            return true;
        }
        if (is_our_own(err))
            return false;
        sip_core_server_failed(core, server, now);
        server = -1;
    }
    return false;
}

static bool may_try_next(const struct sip_fork *fork)
{
    return fork->is_inward && fork->is_initial && !fork->cancelled &&
           !fork->finished && !fork->is_probe;
}

static bool try_next(struct sip_core *core, struct sip_fork *fork, uint64_t now)
{
    const struct sip_msg *request;

    if (!may_try_next(fork))
        return false;
    request = request_of(core, fork);
    if (!request || !try_server(core, fork, request, -1, now))
        return false;
    SIP_COUNT(core, failovers);
    return true;
}

/* --- responses --- */

/* RFC 3261 16.7 step 6: 6xx first, then the lowest class, and among 4xx what
 * the client can do something about. Lower is better. */
static unsigned rank(unsigned status)
{
    switch (status) {
    case 401:
    case 407:
    case 415:
    case 420:
    case 484:
        return 400;
    case 408: /* nobody was there */
    case 487:
        return 499;
    case 503:
        return 599;
    default:
        return status >= 600 ? 100 : status / 100 * 100 + 50;
    }
}

static bool is_better(const struct sip_fork *fork, unsigned status)
{
    return !fork->best_status || rank(status) < rank(fork->best_status);
}

static bool all_done(const struct sip_fork *fork)
{
    for (unsigned i = 0; i < fork->n; i++) {
        if (!fork->branches[i].done)
            return false;
    }
    return true;
}

/* Those still open have not said a word, and for their silence another server
 * was asked already: its answer counts (a challenge must not wait 32 s for a
 * dead server's time-out). Should one wake up after all, it is cancelled. */
static bool only_silent_left(const struct sip_fork *fork)
{
    for (unsigned i = 0; i < fork->n; i++) {
        if (!fork->branches[i].done && fork->branches[i].status)
            return false;
    }
    return true;
}

/* Nothing more to wait for: the best one goes back. */
static void finish(struct sip_core *core, struct sip_fork *fork, uint64_t now)
{
    if (fork->finished)
        return;
    if (buf_len(&fork->best) > 0) {
        if (sip_txn_respond(core->txns, fork->server, buf_span(&fork->best),
                            now) < 0)
            sip_txn_terminate(core->txns, fork->server, now);
    } else if (fork->method == SIP_METHOD_INVITE) {
        answer_status(core, fork,
                      fork->cancelled     ? 487
                      : fork->best_status ? fork->best_status
                                          : 408,
                      NULL, now);
    } else if (fork->best_status && fork->best_status != 408) {
        answer_status(core, fork, fork->best_status, NULL, now);
    } else {
        /* RFC 4320 4.2: no 408 to anything but INVITE. */
        sip_txn_terminate(core->txns, fork->server, now);
    }
    stop_waiting(core, fork);
}

/* Remember a final response (already rewritten, in core->out), or only its
 * status when there are no bytes. */
static void keep_best(struct sip_core *core, struct sip_fork *fork,
                      unsigned status, struct span bytes)
{
    (void)core;
    if (fork->finished || !is_better(fork, status))
        return;
    fork->best_status = status;
    buf_reset(&fork->best);
    buf_put_span(&fork->best, bytes);
    if (buf_err(&fork->best))
        buf_reset(&fork->best);
}

/* A client's challenge would make a media server send credentials to who
 * chose the realm. */
static bool is_refused_challenge(const struct sip_fork *fork, unsigned status)
{
    return !fork->is_inward && (status == 401 || status == 407);
}

static void note_success(struct sip_core *core, struct sip_fork *fork,
                         const struct sip_branch *b,
                         const struct sip_msg *response)
{
    struct sip_flow *flow = sip_flows_find(core->flows, fork->flow);
    int server = sip_dispatch_find_tag(&core->dispatch, b->tag);

    if (fork->method == SIP_METHOD_INVITE && fork->is_initial &&
        !fork->finished)
        SIP_COUNT(core, answers);
    if (fork->method != SIP_METHOD_REGISTER || !fork->is_inward)
        return;
    SIP_COUNT(core, registers);
    if (flow)
        flow->registered = true;
    if (server >= 0 &&
        core->dispatch.servers[server].conf.path == SIP_PATH_ON &&
        !sip_msg_find(response, SIP_HDR_PATH))
        SIP_COUNT(core, path_ignored);
}

/* Rewrite a response into core->out. */
static bool rewrite(struct sip_core *core, struct sip_fork *fork,
                    const struct sip_msg *response)
{
    /* Later 2xx to an INVITE come when the request is no longer kept. */
    const struct sip_msg *request =
        fork->method == SIP_METHOD_REGISTER && response->status / 100 == 2
            ? request_of(core, fork)
            : NULL;
    struct sip_flow *flow = sip_flows_find(core->flows, fork->flow);

    if (response->n_vias < 2)
        return false;
    if (flow && !fork->is_inward && sip_rewrite_is_sips(response))
        flow->sips = true;
    if (sip_rewrite_response(core, response, request, flow,
                             fork->is_inward ? SIP_WAY_IN : SIP_WAY_OUT) < 0) {
        SIP_COUNT(core, edit_failures);
        return false;
    }
    return true;
}

static void on_provisional(struct sip_core *core, struct sip_fork *fork,
                           struct sip_branch *b, const struct sip_msg *response,
                           uint64_t now)
{
    if (b->cancel)
        cancel_branch(core, fork, b, now);
    if (response->status == 100 || fork->finished)
        return;
    if (fork->method == SIP_METHOD_INVITE)
        timers_set(&core->timers, &fork->timer_c,
                   now + core->config->timer_c_ms);
    if (rewrite(core, fork, response))
        (void)sip_txn_respond(core->txns, fork->server, buf_span(&core->out),
                              now);
}

static void on_success(struct sip_core *core, struct sip_fork *fork,
                       struct sip_branch *b, const struct sip_msg *response,
                       uint64_t now)
{
    b->done = true;
    note_success(core, fork, b, response);
    if (rewrite(core, fork, response))
        (void)sip_txn_respond(core->txns, fork->server, buf_span(&core->out),
                              now);
    if (!fork->finished) {
        stop_waiting(core, fork);
        if (buf_len(&fork->reason) == 0)
            give_reason(fork, span_str("Reason: SIP;cause=200;text=\"Call "
                                       "completed elsewhere\"\r\n"));
        cancel_branches(core, fork, now);
    }
}

/* What never answered: an INVITE waits for its first word to be cancelled,
 * the others are forgotten. */
static void drop_silent(struct sip_core *core, struct sip_fork *fork,
                        uint64_t now)
{
    for (unsigned i = 0; i < fork->n; i++) {
        struct sip_branch *b = &fork->branches[i];

        if (b->done)
            continue;
        if (fork->method == SIP_METHOD_INVITE) {
            cancel_branch(core, fork, b, now);
        } else {
            b->done = true;
            sip_txn_terminate(core->txns, b->txn, now);
        }
    }
}

static void on_failure(struct sip_core *core, struct sip_fork *fork,
                       struct sip_branch *b, const struct sip_msg *response,
                       uint64_t now)
{
    unsigned status = response->status;

    b->done = true;
    if (fork->finished)
        return;
    if (is_refused_challenge(fork, status)) {
        SIP_COUNT(core, challenges_refused);
        keep_best(core, fork, 403, span_of(NULL, 0));
    } else if (rewrite(core, fork, response)) {
        keep_best(core, fork, status == 503 ? 500 : status,
                  buf_span(&core->out));
    } else {
        keep_best(core, fork, 500, span_of(NULL, 0));
    }
    if (status >= 600)
        cancel_branches(core, fork, now);
    else if (status == 503 && try_next(core, fork, now))
        return;
    if (only_silent_left(fork)) {
        finish(core, fork, now);
        drop_silent(core, fork, now);
    }
}

static void on_probe_response(struct sip_core *core, struct sip_fork *fork,
                              struct sip_branch *b, unsigned status,
                              uint64_t now)
{
    int server = sip_dispatch_find_tag(&core->dispatch, b->tag);

    if (status < 200 || b->done)
        return;
    b->done = true;
    stop_waiting(core, fork);
    if (server < 0)
        return;
    core->dispatch.servers[server].probing = false;
    if (status == 503)
        sip_core_server_failed(core, server, now);
    else
        sip_core_server_answered(core, server, now);
}

/* A word from a media server says that it is alive. */
static void note_health(struct sip_core *core, const struct sip_fork *fork,
                        const struct sip_branch *b, unsigned status,
                        uint64_t now)
{
    int server;

    if (!fork->is_inward || !b->tag || b->status)
        return;
    server = sip_dispatch_find_tag(&core->dispatch, b->tag);
    if (server < 0)
        return;
    if (status == 503)
        sip_core_server_failed(core, server, now);
    else
        sip_core_server_answered(core, server, now);
}

void sip_fork_on_response(struct sip_core *core, struct pool_id txn,
                          uint64_t user, const struct sip_msg *response,
                          uint64_t now)
{
    struct sip_fork *fork = find(core, user);
    struct sip_branch *b = fork ? branch_of(fork, txn) : NULL;

    if (!b)
        return; /* of a CANCEL */
    if (fork->is_probe) {
        on_probe_response(core, fork, b, response->status, now);
        return;
    }
    note_health(core, fork, b, response->status, now);
    b->status = response->status;
    if (b == &fork->branches[fork->n - 1])
        timers_cancel(&core->timers, &fork->silence);
    if (response->status < 200)
        on_provisional(core, fork, b, response, now);
    else if (response->status < 300)
        on_success(core, fork, b, response, now);
    else
        on_failure(core, fork, b, response, now);
}

/* --- no response --- */

static void branch_failed(struct sip_core *core, struct sip_fork *fork,
                          struct sip_branch *b, unsigned status, uint64_t now)
{
    int server = b->tag ? sip_dispatch_find_tag(&core->dispatch, b->tag) : -1;

    b->done = true;
    if (fork->is_probe) {
        if (server >= 0) {
            core->dispatch.servers[server].probing = false;
            sip_core_server_failed(core, server, now);
        }
        stop_waiting(core, fork);
        return;
    }
    if (fork->is_inward && server >= 0 && !b->status)
        sip_core_server_failed(core, server, now);
    if (fork->finished)
        return;
    keep_best(core, fork, status, span_of(NULL, 0));
    /* What has rung at one server does not start again at another. */
    if (!b->status && try_next(core, fork, now))
        return;
    if (all_done(fork))
        finish(core, fork, now);
}

void sip_fork_on_timeout(struct sip_core *core, struct pool_id txn,
                         uint64_t user, uint64_t now)
{
    struct sip_fork *fork = find(core, user);
    struct sip_branch *b = fork ? branch_of(fork, txn) : NULL;

    if (b)
        branch_failed(core, fork, b, 408, now);
}

void sip_fork_on_error(struct sip_core *core, struct pool_id txn, uint64_t user,
                       uint64_t now)
{
    struct sip_fork *fork = find(core, user);
    struct sip_branch *b = fork ? branch_of(fork, txn) : NULL;

    if (!b)
        return; /* our answer did not arrive: nobody is left to tell */
    if (!fork->is_inward && !fork->is_probe)
        stats_inc(sip_refusal_counter(core->stats, SIP_REFUSED_flow_gone));
    branch_failed(core, fork, b, fork->is_inward ? 503 : 430, now);
}

void sip_fork_on_ended(struct sip_core *core, struct pool_id txn, uint64_t user)
{
    struct sip_fork *fork = find(core, user);

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
            cancel_branch(core, fork, b, now);
        } else {
            b->done = true;
            sip_txn_terminate(core->txns, b->txn, now);
        }
    }
    if (all_done(fork))
        finish(core, fork, now);
}

/* The media server has not said a word. Another one is asked; when there is
 * none and this one was known to be down, waiting on helps nobody. */
static void on_silence(struct sip_core *core, struct sip_fork *fork,
                       uint64_t now)
{
    struct sip_branch *b = &fork->branches[fork->n - 1];
    int server = sip_dispatch_find_tag(&core->dispatch, b->tag);
    bool was_down = server >= 0 && !core->dispatch.servers[server].up;

    if (fork->is_probe) {
        branch_failed(core, fork, b, 408, now);
        sip_txn_terminate(core->txns, b->txn, now);
        return;
    }
    if (b->done || b->status)
        return;
    if (server >= 0)
        sip_core_server_failed(core, server, now);
    if (try_next(core, fork, now))
        return;
    if (was_down && fork->is_initial) {
        refuse(core, fork, SIP_REFUSED_no_server, now);
        stop_waiting(core, fork);
        cancel_branches(core, fork, now);
    }
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
        if (!try_server(core, fork, request, route->server, now)) {
            refuse(core, fork, SIP_REFUSED_no_server, now);
            stop_waiting(core, fork);
        }
        return;
    }
    err = send_branch(core, fork, request, &route->flow->target, -1, now);
    if (err < 0) {
        refuse(core, fork,
               err == ERR_LIMIT || err == -ENOMEM ? SIP_REFUSED_full
                                                  : SIP_REFUSED_flow_gone,
               now);
        stop_waiting(core, fork);
    }
}

void sip_fork_start(struct sip_core *core, const struct sip_msg *request,
                    const struct sip_target *from,
                    const struct sip_route *route, uint64_t hash, uint64_t now)
{
    struct sip_fork *fork = fork_new(core);

    if (!fork) {
        sip_core_refuse(core, request, from, SIP_REFUSED_full);
        return;
    }
    fork->method = request->method;
    fork->is_inward = route->kind == SIP_ROUTE_SERVER;
    fork->is_initial = !route->in_dialog;
    fork->pop = route->pop;
    fork->group = route->group;
    fork->sips = route->sips;
    fork->contact = route->contact;
    fork->flow = route->flow->target.flow;
    fork->hash = hash;
    fork->from = *from;
    fork->busy = true;
    if (sip_txns_server_new(core->txns, request, from, pool_id_u64(fork->id),
                            now, &fork->server) < 0) {
        sip_core_refuse(core, request, from, SIP_REFUSED_full);
    } else {
        fork->live++;
        if (fork->is_inward)
            list_push_back(&route->flow->forks, &fork->node);
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
    struct sip_fork *fork = find(core, user);

    if (!fork || fork->finished)
        return;
    if (!fork->cancelled) {
        for (; hdr; hdr = sip_msg_next(cancel, hdr))
            give_reason(fork, hdr->line);
    }
    fork->cancelled = true;
    cancel_branches(core, fork, now);
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
        cancel_branches(core, fork, now);
    }
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

/* SPDX-License-Identifier: MIT */
#include "proxy/sip_fork_internal.h"

#include "base/err.h"
#include "proxy/sip_rewrite.h"
#include "proxy/sip_size.h"

#include <errno.h>

void sip_fork_cancel_branch(struct sip_core *core, struct sip_fork *fork,
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
void sip_fork_give_reason(struct sip_fork *fork, struct span line)
{
    buf_put_span(&fork->reason, line);
    if (buf_err(&fork->reason) < 0)
        buf_reset(&fork->reason);
}

void sip_fork_cancel_all(struct sip_core *core, struct sip_fork *fork,
                         uint64_t now)
{
    for (unsigned i = 0; i < fork->n; i++)
        sip_fork_cancel_branch(core, fork, &fork->branches[i], now);
}

/* What did not leave us says nothing about the server. */
static bool is_our_own(int err)
{
    return err == ERR_LIMIT || err == -ENOMEM || err == ERR_STATE ||
           err == ERR_PARSE;
}

int sip_fork_send(struct sip_core *core, struct sip_fork *fork,
                  const struct sip_msg *request, const struct sip_target *to,
                  int server, uint64_t now)
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
        .partner = fork->partner,
    };
    char branch[SIP_BRANCH_TEXT + 1];
    struct sip_passage passage = {.breadth = fork->breadth,
                                  .from = &fork->from,
                                  .to = to,
                                  .route = &route,
                                  .path = s ? sip_server_path(s) : SIP_PATH_ON};
    struct sip_target stream;
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
    *b = (struct sip_branch){.tag = passage.server_tag};
    if (err == 0 && s && !fork->no_stream &&
        sip_size_wants_stream(core, server, buf_len(&core->out), &stream,
                              now)) {
        passage.via = &stream;
        err = sip_rewrite_request(core, request, &passage);
        b->stream = true;
    }
    if (err < 0) {
        SIP_COUNT(core, edit_failures);
        return err;
    }
    err = sip_txns_client_made(core->txns, request, passage.branch,
                               buf_span(&core->out), b->stream ? &stream : to,
                               pool_id_u64(fork->id), now, &b->txn);
    if (err < 0 && b->stream && !is_our_own(err)) {
        sip_size_no_stream(core, server, now);
        return sip_fork_send(core, fork, request, to, server, now);
    }
    if (err < 0)
        return err;
    if (b->stream)
        SIP_COUNT(core, large_over_stream);
    sip_trail_sent(core->trail, fork->trail, b->stream ? &stream : to);
    fork->n++;
    fork->live++;
    return 0;
}

static int pick(const struct sip_core *core, const struct sip_fork *fork,
                const struct sip_msg *request)
{
    uint8_t aor[SIP_ROUTE_AOR_MAX];

    return sip_dispatch_pick(&core->dispatch, fork->group,
                             sip_route_user(request, aor), &fork->tried);
}

/* The servers of the best rank, up to `max`, best first. */
static unsigned pick_all(const struct sip_core *core,
                         const struct sip_fork *fork,
                         const struct sip_msg *request, unsigned max,
                         int servers[SIP_FORK_WIDE])
{
    const struct sip_server *table = core->dispatch.servers;
    uint8_t aor[SIP_ROUTE_AOR_MAX];
    struct span user = sip_route_user(request, aor);
    struct sip_tried seen = fork->tried;
    unsigned n = 0;

    while (n < max) {
        int next = sip_dispatch_pick(&core->dispatch, fork->group, user, &seen);

        if (next < 0 || !table[next].conf.fork ||
            (n > 0 &&
             (table[next].up != table[servers[0]].up ||
              table[next].conf.priority != table[servers[0]].conf.priority)))
            break;
        sip_tried_add(&seen, table[next].tag);
        servers[n++] = next;
    }
    return n;
}

bool sip_fork_spread(struct sip_core *core, struct sip_fork *fork,
                     const struct sip_msg *request, uint64_t now)
{
    uint32_t breadth = sip_rewrite_breadth(request);
    unsigned max = breadth < SIP_FORK_WIDE ? (unsigned)breadth : SIP_FORK_WIDE;
    int servers[SIP_FORK_WIDE];
    unsigned n;

    if (fork->method != SIP_METHOD_INVITE || !fork->is_initial)
        return false;
    n = pick_all(core, fork, request, max, servers);
    if (n < 2)
        return false;
    fork->is_parallel = true;
    fork->breadth = breadth / n;
    for (unsigned i = 0; i < n; i++) {
        struct sip_target to;
        int err;

        sip_tried_add(&fork->tried, core->dispatch.servers[servers[i]].tag);
        sip_core_server_target(core, servers[i], &to);
        err = sip_fork_send(core, fork, request, &to, servers[i], now);
        if (err < 0 && !is_our_own(err))
            sip_core_server_failed(core, servers[i], now);
    }
    SIP_COUNT(core, forked);
    timers_set(&core->timers, &fork->silence,
               now + core->config->server_timeout_ms);
    return fork->n > 0;
}

bool sip_fork_try_server(struct sip_core *core, struct sip_fork *fork,
                         const struct sip_msg *request, int server,
                         uint64_t now)
{
    while (fork->n < SIP_FORK_BRANCHES) {
        struct sip_target to;
        int err;

        if (server < 0)
            server = pick(core, fork, request);
        if (server < 0)
            return false;
        sip_tried_add(&fork->tried, core->dispatch.servers[server].tag);
        sip_core_server_target(core, server, &to);
        err = sip_fork_send(core, fork, request, &to, server, now);
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

bool sip_fork_try_next(struct sip_core *core, struct sip_fork *fork,
                       uint64_t now)
{
    const struct sip_msg *request;

    if (!may_try_next(fork))
        return false;
    request = sip_fork_request_of(core, fork);
    if (!request || !sip_fork_try_server(core, fork, request, -1, now))
        return false;
    SIP_COUNT(core, failovers);
    return true;
}

bool sip_fork_send_smaller(struct sip_core *core, struct sip_fork *fork,
                           struct sip_branch *b, uint64_t now)
{
    int server = sip_dispatch_find_tag(&core->dispatch, b->tag);
    const struct sip_msg *request = sip_fork_request_of(core, fork);
    struct sip_target to;

    if (!b->stream || b->done || b->status || server < 0 || !request ||
        fork->finished || fork->n == SIP_FORK_BRANCHES)
        return false;
    /* The branch ends without a word: it is no failure of the server. */
    b->done = true;
    sip_txn_terminate(core->txns, b->txn, now);
    fork->no_stream = true;
    sip_core_server_target(core, server, &to);
    if (sip_fork_send(core, fork, request, &to, server, now) < 0)
        return false;
    if (fork->cancelled)
        sip_fork_cancel_branch(core, fork, &fork->branches[fork->n - 1], now);
    timers_set(&core->timers, &fork->silence,
               now + core->config->server_timeout_ms);
    return true;
}

bool sip_fork_try_partner(struct sip_core *core, struct sip_fork *fork,
                          struct sip_branch *b, uint64_t now)
{
    const struct sip_msg *request;
    struct sip_flow *flow;

    if (!fork->partner || fork->is_inward || !fork->is_initial || b->status ||
        fork->cancelled || fork->finished || fork->n >= SIP_FORK_BRANCHES)
        return false;
    request = sip_fork_request_of(core, fork);
    flow = request ? sip_partner_next(core, fork->partner, now) : NULL;
    if (!flow)
        return false;
    b->done = true;
    fork->flow = flow->target.flow;
    return sip_fork_send(core, fork, request, &flow->target, -1, now) == 0;
}

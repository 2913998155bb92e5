/* SPDX-License-Identifier: MIT */
#include "proxy/sip_fork_internal.h"

#include "proxy/sip_admit.h"
#include "proxy/sip_orphan.h"
#include "proxy/sip_rebind.h"
#include "proxy/sip_rewrite.h"
#include "proxy/sip_size.h"

#define LOG_COMPONENT "sip"
#include "base/log.h"

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

bool sip_fork_all_done(const struct sip_fork *fork)
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
    if (fork->is_parallel && !fork->silence_over)
        return sip_fork_all_done(fork);
    for (unsigned i = 0; i < fork->n; i++) {
        if (!fork->branches[i].done && fork->branches[i].status)
            return false;
    }
    return true;
}

static bool is_challenge(unsigned status)
{
    return status == 401 || status == 407;
}

/* RFC 3261 16.7 step 7: who was challenged by several answers to all. */
static void add_challenges(struct sip_core *core, struct sip_fork *fork)
{
    struct span best = buf_span(&fork->best);
    ptrdiff_t line = span_find(best, '\n');

    if (!is_challenge(fork->best_status) || line < 0 ||
        buf_len(&fork->challenges) == 0)
        return;
    buf_reset(&core->out);
    buf_put_span(&core->out, span_head(best, (size_t)line + 1));
    buf_put_span(&core->out, buf_span(&fork->challenges));
    buf_put_span(&core->out, span_from(best, (size_t)line + 1));
    if (buf_err(&core->out))
        return;
    buf_reset(&fork->best);
    buf_put_span(&fork->best, buf_span(&core->out));
    if (buf_err(&fork->best))
        buf_reset(&fork->best);
}

static void keep_challenges(struct sip_fork *fork,
                            const struct sip_msg *response)
{
    static const enum sip_hdr_id ids[] = {SIP_HDR_WWW_AUTHENTICATE,
                                          SIP_HDR_PROXY_AUTHENTICATE};

    if (!is_challenge(response->status) || !is_challenge(fork->best_status))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        const struct sip_hdr *hdr = sip_msg_find(response, ids[i]);

        for (; hdr; hdr = sip_msg_next(response, hdr))
            buf_put_span(&fork->challenges, hdr->line);
    }
    if (buf_err(&fork->challenges))
        buf_reset(&fork->challenges);
}

void sip_fork_finish(struct sip_core *core, struct sip_fork *fork, uint64_t now)
{
    if (fork->finished)
        return;
    add_challenges(core, fork);
    if (buf_len(&fork->best) > 0) {
        sip_trail_answered(core->trail, fork->trail, fork->best_status, now);
        if (sip_txn_respond(core->txns, fork->server, buf_span(&fork->best),
                            now) < 0)
            sip_txn_terminate(core->txns, fork->server, now);
    } else if (fork->method == SIP_METHOD_INVITE) {
        sip_fork_answer(core, fork,
                        fork->cancelled     ? 487
                        : fork->best_status ? fork->best_status
                                            : 408,
                        NULL, now);
    } else if (fork->best_status && fork->best_status != 408) {
        sip_fork_answer(core, fork, fork->best_status, NULL, now);
    } else {
        /* RFC 4320 4.2: no 408 to anything but INVITE. */
        sip_txn_terminate(core->txns, fork->server, now);
    }
    sip_fork_stop_waiting(core, fork);
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

/* SIP_PATH_AUTO: the registrar does not know Path. False: it stays as it is.
 */
static bool learn_no_path(struct sip_core *core, int server)
{
    struct sip_server *s = &core->dispatch.servers[server];

    if (sip_server_path(s) == SIP_PATH_OFF || s->conf.path != SIP_PATH_AUTO)
        return false;
    s->path_refused = true;
    log_info("media server does not know Path, its Contacts are rewritten "
             "server=%s",
             s->conf.text);
    return true;
}

/* RFC 3261 8.2.2.3: what it does not know it names. The same REGISTER goes
 * there once more without it. */
static bool retry_without_path(struct sip_core *core, struct sip_fork *fork,
                               const struct sip_branch *b,
                               const struct sip_msg *response, uint64_t now)
{
    struct sip_values values = sip_values_of(response, SIP_HDR_UNSUPPORTED);
    int server = sip_dispatch_find_tag(&core->dispatch, b->tag);
    const struct sip_msg *request;

    if (response->status != 420 || fork->method != SIP_METHOD_REGISTER ||
        !fork->is_inward || server < 0 || fork->cancelled)
        return false;
    while (sip_values_next(&values)) {
        if (!span_is_nocase(values.item, "path") ||
            !learn_no_path(core, server))
            continue;
        request = sip_fork_request_of(core, fork);
        return request && sip_fork_try_server(core, fork, request, server, now);
    }
    return false;
}

static void note_success(struct sip_core *core, struct sip_fork *fork,
                         const struct sip_branch *b,
                         const struct sip_msg *response, uint64_t now)
{
    struct sip_flow *flow = sip_flows_find(core->flows, fork->flow);
    const struct sip_msg *request;
    int server = sip_dispatch_find_tag(&core->dispatch, b->tag);

    if (fork->method == SIP_METHOD_INVITE && fork->is_initial &&
        !fork->finished)
        SIP_COUNT(core, answers);
    if (fork->method != SIP_METHOD_REGISTER || !fork->is_inward)
        return;
    SIP_COUNT(core, registers);
    if (flow)
        flow->registered = true;
    request = flow && sip_rebind_follows(flow) ? sip_fork_request_of(core, fork)
                                               : NULL;
    if (request)
        sip_rebind_on_registered(core, flow, request, fork->group, now);
    if (server >= 0 &&
        sip_server_path(&core->dispatch.servers[server]) == SIP_PATH_ON &&
        !sip_msg_find(response, SIP_HDR_PATH)) {
        SIP_COUNT(core, path_ignored);
        (void)learn_no_path(core, server);
    }
}

/* Rewrite a response into core->out. */
static bool rewrite(struct sip_core *core, struct sip_fork *fork,
                    const struct sip_msg *response)
{
    struct sip_flow *flow = sip_flows_find(core->flows, fork->flow);
    /* Later 2xx to an INVITE come when the request is no longer kept. */
    const struct sip_msg *request =
        flow && flow->sips && fork->method == SIP_METHOD_REGISTER &&
                response->status / 100 == 2
            ? sip_fork_request_of(core, fork)
            : NULL;

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
        sip_fork_cancel_branch(core, fork, b, now);
    if (response->status == 100 || fork->finished)
        return;
    if (fork->method == SIP_METHOD_INVITE)
        timers_set(&core->timers, &fork->timer_c,
                   now + core->config->timer_c_ms);
    sip_trail_answered(core->trail, fork->trail, response->status, now);
    if (rewrite(core, fork, response))
        (void)sip_txn_respond(core->txns, fork->server, buf_span(&core->out),
                              now);
}

/* Answered, and the caller's connection is closed. */
static bool is_orphan(const struct sip_core *core, const struct sip_fork *fork)
{
    return fork->is_inward && fork->is_initial && !fork->partner &&
           fork->method == SIP_METHOD_INVITE &&
           !sip_flows_find(core->flows, fork->flow);
}

static void end_orphan(struct sip_core *core, struct sip_fork *fork,
                       struct sip_branch *b, const struct sip_msg *response,
                       uint64_t now)
{
    int server = sip_dispatch_find_tag(&core->dispatch, b->tag);
    struct sip_target to;

    /* Nobody is left to answer to. */
    sip_txn_terminate(core->txns, fork->server, now);
    if (server < 0)
        return;
    sip_core_server_target(core, server, &to);
    sip_orphan_end(core, response, &to, !b->bye, now);
    b->bye = true;
}

static void on_success(struct sip_core *core, struct sip_fork *fork,
                       struct sip_branch *b, const struct sip_msg *response,
                       uint64_t now)
{
    b->done = true;
    note_success(core, fork, b, response, now);
    sip_trail_answered(core->trail, fork->trail, response->status, now);
    if (is_orphan(core, fork))
        end_orphan(core, fork, b, response, now);
    else if (rewrite(core, fork, response))
        (void)sip_txn_respond(core->txns, fork->server, buf_span(&core->out),
                              now);
    if (!fork->finished) {
        sip_fork_stop_waiting(core, fork);
        if (buf_len(&fork->reason) == 0)
            sip_fork_give_reason(fork,
                                 span_str("Reason: SIP;cause=200;text=\"Call "
                                          "completed elsewhere\"\r\n"));
        sip_fork_cancel_all(core, fork, now);
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
            sip_fork_cancel_branch(core, fork, b, now);
        } else {
            b->done = true;
            sip_txn_terminate(core->txns, b->txn, now);
        }
    }
}

/* Another server is asked when none of those asked at once is left. */
static bool may_go_on(const struct sip_fork *fork)
{
    return !fork->is_parallel || sip_fork_all_done(fork);
}

static void on_failure(struct sip_core *core, struct sip_fork *fork,
                       struct sip_branch *b, const struct sip_msg *response,
                       uint64_t now)
{
    unsigned status = response->status;

    b->done = true;
    if (fork->finished || retry_without_path(core, fork, b, response, now))
        return;
    if (fork->is_parallel)
        keep_challenges(fork, response);
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
        sip_fork_cancel_all(core, fork, now);
    else if (status == 503 && may_go_on(fork) &&
             sip_fork_try_next(core, fork, now))
        return;
    if (only_silent_left(fork)) {
        sip_fork_finish(core, fork, now);
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
    sip_fork_stop_waiting(core, fork);
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

/* Credentials were good, or not; or a challenge goes to somebody whose address
 * nothing has proven yet. */
static bool is_about_credentials(const struct sip_core *core,
                                 const struct sip_fork *fork, unsigned status)
{
    bool is_challenge = (status == 401 || status == 407) &&
                        !sip_transport_is_reliable(fork->from.transport);

    return (fork->has_credentials || is_challenge) &&
           sip_guard_wants(core->guard, fork->method, status);
}

static void note_credentials(struct sip_core *core, const struct sip_fork *fork,
                             const struct sip_msg *response, uint64_t now)
{
    struct sip_flow *flow = sip_flows_find(core->flows, fork->flow);
    const struct sip_msg *request;

    if (!fork->is_inward || fork->finished)
        return;
    if (!fork->has_credentials && sip_guard_is_miss(response->status))
        sip_admit_miss(core, &fork->from, flow, now);
    if (!is_about_credentials(core, fork, response->status))
        return;
    request = sip_fork_request_of(core, fork);
    if (request)
        sip_admit_response(core, &fork->from, flow, request, response, now);
}

static bool has_silent(const struct sip_fork *fork)
{
    for (unsigned i = 0; i < fork->n; i++) {
        if (!fork->branches[i].done && !fork->branches[i].status)
            return true;
    }
    return false;
}

void sip_fork_on_silence_of_some(struct sip_core *core, struct sip_fork *fork,
                                 uint64_t now)
{
    bool all_silent = true, is_again = false;
    unsigned n = fork->n;

    for (unsigned i = 0; i < n; i++) {
        struct sip_branch *b = &fork->branches[i];
        int server = sip_dispatch_find_tag(&core->dispatch, b->tag);

        if (b->done || b->status) {
            all_silent = false;
            continue;
        }
        if (b->stream && server >= 0)
            sip_size_no_stream(core, server, now);
        if (b->stream && sip_fork_send_smaller(core, fork, b, now))
            is_again = true;
        else if (server >= 0)
            sip_core_server_failed(core, server, now);
    }
    if (is_again)
        return;
    fork->silence_over = true;
    if (all_silent) {
        (void)sip_fork_try_next(core, fork, now);
    } else if (fork->best_status && only_silent_left(fork)) {
        sip_fork_finish(core, fork, now);
        drop_silent(core, fork, now);
    }
}

void sip_fork_on_response(struct sip_core *core, struct pool_id txn,
                          uint64_t user, const struct sip_msg *response,
                          uint64_t now)
{
    struct sip_fork *fork = sip_fork_find(core, user);
    struct sip_branch *b = fork ? sip_fork_branch_of(fork, txn) : NULL;

    if (!b)
        return; /* of a CANCEL */
    if (fork->is_probe) {
        on_probe_response(core, fork, b, response->status, now);
        return;
    }
    note_health(core, fork, b, response->status, now);
    note_credentials(core, fork, response, now);
    b->status = response->status;
    if (fork->is_parallel ? !has_silent(fork)
                          : b == &fork->branches[fork->n - 1])
        timers_cancel(&core->timers, &fork->silence);
    if (response->status < 200)
        on_provisional(core, fork, b, response, now);
    else if (response->status < 300)
        on_success(core, fork, b, response, now);
    else
        on_failure(core, fork, b, response, now);
}

/* --- no response --- */

void sip_fork_branch_failed(struct sip_core *core, struct sip_fork *fork,
                            struct sip_branch *b, unsigned status, uint64_t now)
{
    int server = b->tag ? sip_dispatch_find_tag(&core->dispatch, b->tag) : -1;

    b->done = true;
    if (fork->is_probe) {
        if (server >= 0) {
            core->dispatch.servers[server].probing = false;
            sip_core_server_failed(core, server, now);
        }
        sip_fork_stop_waiting(core, fork);
        return;
    }
    if (fork->is_inward && server >= 0 && !b->status)
        sip_core_server_failed(core, server, now);
    if (fork->finished)
        return;
    keep_best(core, fork, status, span_of(NULL, 0));
    /* What has rung at one server does not start again at another. */
    if (!b->status && may_go_on(fork) && sip_fork_try_next(core, fork, now))
        return;
    if (sip_fork_all_done(fork))
        sip_fork_finish(core, fork, now);
}

void sip_fork_on_timeout(struct sip_core *core, struct pool_id txn,
                         uint64_t user, uint64_t now)
{
    struct sip_fork *fork = sip_fork_find(core, user);
    struct sip_branch *b = fork ? sip_fork_branch_of(fork, txn) : NULL;

    if (b)
        sip_fork_branch_failed(core, fork, b, 408, now);
}

void sip_fork_on_error(struct sip_core *core, struct pool_id txn, uint64_t user,
                       uint64_t now)
{
    struct sip_fork *fork = sip_fork_find(core, user);
    struct sip_branch *b = fork ? sip_fork_branch_of(fork, txn) : NULL;

    if (!b)
        return; /* our answer did not arrive: nobody is left to tell */
    if (sip_fork_try_partner(core, fork, b, now))
        return;
    if (fork->partner && !fork->is_inward) {
        SIP_COUNT(core, refused_partner_unreachable);
        sip_fork_branch_failed(core, fork, b, 504, now);
        return;
    }
    if (!fork->is_inward && !fork->is_probe)
        stats_inc(sip_refusal_counter(core->stats, SIP_REFUSED_flow_gone));
    sip_fork_branch_failed(core, fork, b, fork->is_inward ? 503 : 430, now);
}

/* SPDX-License-Identifier: MIT */
/* A request that belongs to no transaction: may it enter, and where to. */
#include "proxy/sip_echo.h"
#include "proxy/sip_fork.h"
#include "proxy/sip_park.h"
#include "proxy/sip_privacy.h"
#include "proxy/sip_rewrite.h"
#include "proxy/sip_sanity.h"
#include "proxy/sip_zone.h"

#include "base/err.h"

/* A way that is open was opened by a token, but for first requests of
 * clients. */
static void note_route(struct sip_core *core, const struct sip_route *route)
{
    enum sip_trail_rule rule = SIP_TRAIL_SELF;
    enum sip_trail_token token = SIP_TRAIL_NO_TOKEN;

    if (route->kind == SIP_ROUTE_REFUSED)
        return;
    if (route->kind == SIP_ROUTE_CLIENT)
        rule = route->partner ? SIP_TRAIL_PARTNER : SIP_TRAIL_CLIENT;
    else if (route->kind == SIP_ROUTE_SERVER)
        rule = SIP_TRAIL_SERVER;
    if (rule == SIP_TRAIL_CLIENT ||
        (rule != SIP_TRAIL_SELF && route->in_dialog))
        token = route->moved ? SIP_TRAIL_MOVED : SIP_TRAIL_VERIFIED;
    if (route->moved)
        SIP_COUNT(core, moved_requests);
    sip_trail_route(core->trail, core->trail_number, rule, token);
}

/* Where core->msg goes, with the connection to go there. */
static void find_way(struct sip_core *core, struct sip_flow *flow,
                     struct sip_route *route)
{
    sip_route_request(core, &core->msg, flow, route);
    note_route(core, route);
    sip_trail_partner(core->trail, core->trail_number, route->partner);
    if (route->kind == SIP_ROUTE_CLIENT && route->partner)
        sip_partner_connect(core, route, core->now);
    if (route->kind == SIP_ROUTE_CLIENT &&
        !sip_privacy_is_possible(core, route->flow, &core->msg)) {
        route->kind = SIP_ROUTE_REFUSED;
        route->why = SIP_REFUSED_privacy;
    }
    if (route->partner && !route->in_dialog &&
        route->kind != SIP_ROUTE_REFUSED) {
        if (route->kind == SIP_ROUTE_CLIENT)
            SIP_COUNT(core, requests_to_partners);
        else
            SIP_COUNT(core, requests_of_partners);
    }
}

/* An ACK to a 2xx belongs to no transaction: it goes its way by its Route
 * (RFC 3261 16.11), and nobody is told when it cannot. */
void sip_core_on_ack(struct sip_core *core, const struct sip_target *from,
                     struct sip_flow *flow)
{
    const struct sip_msg *msg = &core->msg;
    uint64_t hash = sip_branch_hash(msg, core->loop_seed);
    char branch[SIP_BRANCH_TEXT + 1];
    struct sip_passage passage = {.from = from};
    struct sip_route route;
    struct sip_target to;

    find_way(core, flow, &route);
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
                              sip_core_refused_token(route.why), core->now);
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
void sip_core_on_cancel(struct sip_core *core, const struct sip_target *from,
                        uint64_t now)
{
    const struct sip_reply ok = {.status = 200};
    struct sip_txn_view view;
    struct pool_id id;
    int err = sip_txns_find_cancelled(core->txns, &core->msg, from, &id);

    if (err < 0 && sip_park_cancel(core, from, now))
        return;
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

void sip_core_on_request(struct sip_core *core, const struct sip_target *from,
                         struct sip_flow *flow, uint64_t now)
{
    const struct sip_reply ok = {.status = 200};
    const struct sip_msg *msg = &core->msg;
    uint64_t hash = sip_branch_hash(msg, core->loop_seed);
    enum sip_refusal why =
        sip_sanity_check(core->config, msg, sip_zone_of(core, from), hash);
    struct sip_route route;

    if (why == SIP_REFUSAL_NONE)
        why = sip_zone_check(sip_local_of(core, from), msg);
    if (why == SIP_REFUSAL_NONE &&
        !sip_zone_may_refer(core, sip_local_of(core, from), msg))
        why = SIP_REFUSED_refer_target;
    if (why) {
        sip_core_refuse(core, msg, from, why);
        return;
    }
    if (sip_echo(core, from))
        return;
    if (flow && sip_rewrite_is_sips(msg))
        flow->sips = true;
    find_way(core, flow, &route);
    switch (route.kind) {
    case SIP_ROUTE_REFUSED:
        if (route.why != SIP_REFUSED_flow_gone ||
            !sip_park_keep(core, from, route.tag, now))
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

/* SPDX-License-Identifier: MIT */
/* Clients come and go. */
#include "proxy/sip_fork.h"
#include "proxy/sip_rebind.h"

#include "base/err.h"

/* One address does not take all the places. */
static bool take_place(struct sip_core *core, const struct sip_target *from,
                       bool *ret_is_taken)
{
    uint32_t limit = core->config->source_flows;

    *ret_is_taken =
        limit > 0 && !sip_guard_is_exempt(core->guard, &from->remote);
    return !*ret_is_taken ||
           sip_budget_take(&core->places, &from->remote, limit);
}

int sip_core_open_flow(struct sip_core *core, const struct sip_target *from,
                       void *conn, uint32_t group, uint64_t now,
                       uint64_t *ret_flow)
{
    struct sip_flow *flow;
    bool is_placed;

    if (sip_core_is_banned(core, &from->remote, now))
        return ERR_DENIED;
    if (!take_place(core, from, &is_placed)) {
        SIP_COUNT(core, source_flows_refused);
        return ERR_LIMIT;
    }
    flow = sip_flows_open(core->flows, from, conn, now);
    if (!flow) {
        if (is_placed)
            sip_budget_give(&core->places, &from->remote);
        SIP_COUNT(core, flows_refused);
        return ERR_LIMIT;
    }
    flow->is_placed = is_placed;
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

    if (flow->is_placed)
        sip_budget_give(&core->places, &flow->target.remote);
    sip_fork_abandon(core, flow, now);
    sip_rebind_on_closed(core, flow, now);
    /* First the flow is gone, then those who wait on it are told: their
     * answers must find no connection to write to. */
    sip_flows_close(core->flows, flow);
    sip_txns_on_flow_closed(core->txns, id, now);
    stats_set(&core->stats->flows, sip_flows_count(core->flows));
}

void sip_core_on_goodbye(struct sip_core *core, uint64_t id)
{
    struct sip_flow *flow = sip_flows_find(core->flows, id);

    if (flow)
        flow->said_bye = true;
}

void sip_core_close_flow(struct sip_core *core, uint64_t id, uint64_t now)
{
    struct sip_flow *flow = sip_flows_find(core->flows, id);

    if (flow)
        close_flow(core, flow, now);
}

void sip_core_sweep_flows(struct sip_core *core, uint64_t now)
{
    struct sip_flow *flow;
    uint32_t pos = 0;

    while ((flow = sip_flows_each(core->flows, &pos))) {
        if (!flow->conn && flow->last_seen + core->config->udp_flow_ms <= now)
            close_flow(core, flow, now);
    }
}

struct sip_flow *sip_core_datagram_flow(struct sip_core *core,
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

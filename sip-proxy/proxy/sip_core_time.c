/* SPDX-License-Identifier: MIT */
/* The core's clockwork. */
#include "proxy/sip_fork.h"
#include "proxy/sip_park.h"

enum { SWEEP_TICKS = 30 };

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
    core->next_tick = now + SIP_TICK_MS;
    sip_core_refresh_gauges(core);
    sip_guard_sweep(core->guard, now);
    /* All workers know all bans: one shows them. */
    if (core->place.worker == 0)
        stats_set(&core->stats->banned, sip_guard_bans(core->guard));
    if (++core->ticks % SWEEP_TICKS == 0) {
        sip_core_sweep_flows(core, now);
        if (now > core->config->park_ms)
            sip_homes_sweep(&core->homes, now - core->config->park_ms);
        sip_dispatch_expire(&core->dispatch, now);
    }
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
    sip_park_on_timer(core, now);
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
    next = earlier(next, sip_park_deadline(core));
    if (is_prober(core))
        next = earlier(next, sip_dispatch_next_deadline(&core->dispatch));
    return next;
}

/* SPDX-License-Identifier: MIT */
/* Which server of an upstream a request goes to. Nothing is allocated, and an
 * upstream of one server is not looked at longer than for a flag. */
#define LOG_COMPONENT "web"

#include "proxy/web_internal.h"

#include "base/log.h"

/* ---- who may be asked ---- */

static bool may_ask(const struct web_backend *b, uint64_t now)
{
    unsigned flags = web_backend_flags(b);

    return flags == 0 || (flags == WEB_HEALTH_EJECTED &&
                          web_health_trial_due(b->health, now));
}

/* ---- ways to choose ---- */

/* Smooth weighted round robin: everybody is owed its weight, the one who is
 * owed most is chosen and pays for all. */
static const struct web_backend *
in_turn(const struct web_upstream *u, struct web_pool *pools, uint64_t allowed)
{
    const struct web_backend *best = NULL;
    struct web_pool *payer = NULL;
    int64_t total = 0;

    for (uint32_t i = 0; i < u->n_backends; i++) {
        if (!(allowed >> i & 1))
            continue;
        pools[i].turn += u->backends[i].weight;
        total += u->backends[i].weight;
        if (!best || pools[i].turn > payer->turn) {
            best = &u->backends[i];
            payer = &pools[i];
        }
    }
    if (best)
        payer->turn -= total;
    return best;
}

static const struct web_backend *
choose(const struct web_exchange *x, struct web_pool *pools, uint64_t allowed)
{
    return in_turn(x->upstream, pools, allowed);
}

/* ---- the choice ---- */

static uint64_t allowed_of(const struct web_exchange *x, uint64_t now)
{
    const struct web_upstream *u = x->upstream;
    uint64_t allowed = 0;

    for (uint32_t i = 0; i < u->n_backends; i++) {
        uint64_t bit = UINT64_C(1) << i;

        if (!(x->tried & bit) && may_ask(&u->backends[i], now))
            allowed |= bit;
    }
    return allowed;
}

bool balance_pick(struct web_exchange *x)
{
    const struct web_upstream *u = x->upstream;
    struct web_pool *pools = &x->view->pools[u->first];
    uint64_t now = x->session->core->now;
    uint64_t allowed = allowed_of(x, now);

    while (allowed) {
        const struct web_backend *b =
            u->n_backends == 1 ? u->backends : choose(x, pools, allowed);
        size_t i = (size_t)(b - u->backends);

        allowed &= ~(UINT64_C(1) << i);
        if (web_backend_flags(b) &&
            !web_health_take_trial(b->health, &u->rule, now))
            continue;
        x->tried |= UINT64_C(1) << i;
        x->backend = b;
        x->pool = &pools[i];
        return true;
    }
    return false;
}

uint64_t balance_retry_s(const struct web_exchange *x)
{
    const struct web_upstream *u = x->upstream;
    uint64_t now = x->session->core->now;
    uint64_t wait_ms = 0;

    for (uint32_t i = 0; i < u->n_backends; i++) {
        struct web_health_counts counts;
        uint64_t due = now;

        web_health_read(u->backends[i].health, &counts);
        if (web_backend_flags(&u->backends[i]) & WEB_HEALTH_DOWN)
            due = now + u->check.interval_ms;
        else if (counts.out_until > now)
            due = counts.out_until;
        if (i == 0 || due - now < wait_ms)
            wait_ms = due - now;
    }
    return wait_ms > 1000 ? (wait_ms + 999) / 1000 : 1;
}

/* ---- what became of it ---- */

void balance_on_failure(struct web_core *core, const struct web_backend *b)
{
    static const struct web_health_rule never = {0};
    const struct web_upstream *u = b->upstream;

    if (!web_health_on_failure(
            b->health, web_upstream_ejects(u) ? &u->rule : &never, core->now))
        return;
    stats_inc(&core->stats->ejected);
    log_warn("server %s:%u of \"%s\" is out: %u failures in a row", b->host,
             b->port, u->name, u->rule.fails_max);
}

void balance_on_answer(struct web_core *core, const struct web_backend *b)
{
    (void)core;
    if (web_health_on_answer(b->health))
        log_info("server %s:%u of \"%s\" is back", b->host, b->port,
                 b->upstream->name);
}

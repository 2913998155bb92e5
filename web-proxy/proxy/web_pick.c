/* SPDX-License-Identifier: MIT */
#define LOG_COMPONENT "web"

#include "proxy/web_pick.h"

#include "base/log.h"
#include "base/mem.h"
#include "proxy/web_balance.h"

#include <errno.h>

struct web_picks {
    struct web_site *site;
    struct web_pool *pools; /* one per server; all links are in use */
    unsigned refs;
};

int web_picks_new(struct web_picks **ret_picks, struct web_site *site)
{
    struct web_picks *picks = mem_zalloc(sizeof(*picks));

    if (!picks)
        return -ENOMEM;
    picks->pools = mem_zarray(site->n_backends + 1, sizeof(*picks->pools));
    if (!picks->pools) {
        mem_free(picks);
        return -ENOMEM;
    }
    picks->site = web_site_ref(site);
    picks->refs = 1;
    *ret_picks = picks;
    return 0;
}

struct web_picks *web_picks_ref(struct web_picks *picks)
{
    picks->refs++;
    return picks;
}

void web_picks_unref(struct web_picks *picks)
{
    if (!picks || --picks->refs > 0)
        return;
    web_site_unref(picks->site);
    mem_free(picks->pools);
    mem_free(picks);
}

struct web_site *web_picks_site(struct web_picks *picks)
{
    return picks->site;
}

static struct web_pool *pool_of(struct web_picks *picks,
                                const struct web_backend *b)
{
    const struct web_upstream *u = b->upstream;

    return &picks->pools[u->first + (size_t)(b - u->backends)];
}

bool web_pick_next(struct web_picks *picks, struct web_pick *pick,
                   const struct addr *client, uint64_t now)
{
    const struct web_upstream *u = pick->upstream;
    struct web_pool *pools = &picks->pools[u->first];
    uint64_t allowed = balance_allowed(u, pick->tried, now);

    while (allowed) {
        const struct web_backend *b =
            balance_choose(u, pools, balance_client_key(client), allowed, now);
        uint64_t bit = UINT64_C(1) << (b - u->backends);

        allowed &= ~bit;
        if (pool_of(picks, b)->n_links >= u->links_max)
            continue;
        if (web_backend_flags(b) &&
            !web_health_take_trial(b->health, &u->rule, now))
            continue;
        pick->tried |= bit;
        pick->backend = b;
        pool_of(picks, b)->n_links++;
        return true;
    }
    return false;
}

bool web_pick_failed(struct web_picks *picks, struct web_pick *pick,
                     uint64_t now)
{
    static const struct web_health_rule never = {0};
    const struct web_backend *b = pick->backend;
    const struct web_upstream *u = pick->upstream;

    web_pick_give(picks, pick);
    if (!web_health_on_failure(b->health,
                               web_upstream_ejects(u) ? &u->rule : &never, now))
        return false;
    log_warn("server %s:%u of \"%s\" is out: %u failures in a row", b->host,
             b->port, u->name, u->rule.fails_max);
    return true;
}

void web_pick_reached(struct web_pick *pick)
{
    const struct web_backend *b = pick->backend;

    if (web_health_on_answer(b->health))
        log_info("server %s:%u of \"%s\" is back", b->host, b->port,
                 b->upstream->name);
}

void web_pick_give(struct web_picks *picks, struct web_pick *pick)
{
    if (pick->backend)
        pool_of(picks, pick->backend)->n_links--;
    pick->backend = NULL;
}

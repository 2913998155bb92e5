/* SPDX-License-Identifier: MIT */
#include "sip_locator.h"

#include "base/crypto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/pool.h"

#include <errno.h>

/* A question's place in its procedure, as the resolver's `arg`. */
struct slot {
    struct search *search;
    struct resolve_id id;
};

struct search {
    struct sip_locator *owner;
    struct pool_id id;
    sip_located_fn *done;
    void *arg;
    struct sip_locate *locate;
    struct slot slots[SIP_LOCATE_ASKS];
};

struct sip_locator {
    struct resolver *resolver;
    struct pool *searches;
};

static uint32_t chance(void *arg)
{
    uint32_t bits;

    (void)arg;
    crypto_random(&bits, sizeof(bits));
    return bits;
}

static void end_search(struct search *s)
{
    mem_free(s->locate);
    pool_give(s->owner->searches, s);
}

static void finish(struct search *s, int err)
{
    sip_located_fn *done = s->done;
    void *arg = s->arg;
    struct sip_locate *locate = s->locate;

    s->locate = NULL; /* outlives the search: its hops are shown */
    end_search(s);
    done(arg, err, locate->hops, err < 0 ? 0 : locate->n_hops);
    mem_free(locate);
}

/* --- questions --- */

static void on_records(void *arg, int err, const struct dns_records *records);
static void on_addresses(void *arg, int err, const struct addr *addrs,
                         size_t n);

static int ask_one(struct search *s, size_t i)
{
    const struct sip_ask *a = &s->locate->asks[i];
    struct slot *slot = &s->slots[i];
    struct resolver *r = s->owner->resolver;

    slot->search = s;
    if (a->type == SIP_ASK_ADDRESS)
        return resolver_lookup(r, span_str(a->name), a->port, ADDR_NONE,
                               on_addresses, slot, &slot->id);
    return resolver_lookup_records(r, span_str(a->name),
                                   a->type == SIP_ASK_SRV ? DNS_SRV : DNS_NAPTR,
                                   on_records, slot, &slot->id);
}

/* The resolver answers later, so the questions of a step are all asked before
 * the first answer. One that cannot be asked counts as answered by nothing. */
static void go_on(struct search *s, int state)
{
    while (state == 1) {
        size_t n = s->locate->n_asks;

        state = 0;
        for (size_t i = 0; i < n && state == 0; i++) {
            s->slots[i].id.value = 0;
            if (ask_one(s, i) < 0)
                state = s->locate->asks[i].type == SIP_ASK_ADDRESS
                            ? sip_locate_addresses(s->locate, i, NULL, 0)
                            : sip_locate_records(s->locate, i, NULL);
        }
    }
    if (state != 0)
        finish(s, state < 0 ? state : 0);
}

static void on_records(void *arg, int err, const struct dns_records *records)
{
    struct slot *slot = arg;
    struct search *s = slot->search;

    (void)err;
    slot->id.value = 0;
    go_on(s, sip_locate_records(s->locate, (size_t)(slot - s->slots), records));
}

static void on_addresses(void *arg, int err, const struct addr *addrs, size_t n)
{
    struct slot *slot = arg;
    struct search *s = slot->search;

    slot->id.value = 0;
    go_on(s, sip_locate_addresses(s->locate, (size_t)(slot - s->slots), addrs,
                                  err < 0 ? 0 : n));
}

/* --- life --- */

int sip_locator_new(struct sip_locator **ret_locator, struct resolver *resolver)
{
    struct sip_locator *locator = mem_zalloc(sizeof(*locator));
    int err;

    if (!locator)
        return -ENOMEM;
    locator->resolver = resolver;
    err = pool_new(&locator->searches, sizeof(struct search), SIP_LOCATOR_MAX);
    if (err < 0) {
        mem_free(locator);
        return err;
    }
    *ret_locator = locator;
    return 0;
}

static void cancel(struct search *s)
{
    for (size_t i = 0; i < SIP_LOCATE_ASKS; i++)
        resolver_cancel(s->owner->resolver, s->slots[i].id);
    end_search(s);
}

void sip_locator_free(struct sip_locator *locator)
{
    struct search *s;
    uint32_t pos = 0;

    if (!locator)
        return;
    while ((s = pool_each(locator->searches, &pos)))
        cancel(s);
    pool_free(locator->searches);
    mem_free(locator);
}

int sip_locator_ask(struct sip_locator *locator,
                    const struct sip_locate_query *query, sip_located_fn *done,
                    void *arg, uint64_t *ret_id)
{
    struct sip_locate_query q = *query;
    struct pool_id id;
    struct search *s = pool_take(locator->searches, &id);
    int state;

    if (!s)
        return ERR_LIMIT;
    s->owner = locator;
    s->id = id;
    s->done = done;
    s->arg = arg;
    s->locate = mem_alloc(sizeof(*s->locate));
    q.is_known = resolver_is_configured(locator->resolver, q.host);
    state = s->locate ? sip_locate_begin(s->locate, &q, chance, NULL) : -ENOMEM;
    if (state < 0) {
        end_search(s);
        return state;
    }
    if (ret_id)
        *ret_id = pool_id_u64(id);
    go_on(s, state == 0 ? 2 : state);
    return 0;
}

void sip_locator_cancel(struct sip_locator *locator, uint64_t id)
{
    struct search *s = pool_find(locator->searches, pool_id_from_u64(id));

    if (s)
        cancel(s);
}

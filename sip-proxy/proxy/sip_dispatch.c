/* SPDX-License-Identifier: MIT */
#include "proxy/sip_dispatch.h"

#include "proxy/sip_flow.h"

uint16_t sip_server_tag(struct span text)
{
    uint32_t tag = sip_name_tag(text);
    uint16_t folded = (uint16_t)(tag >> 16 ^ tag);

    return folded ? folded : 1;
}

/* Whether an earlier row is the same server in another group. */
static bool is_repeated(const struct sip_dispatch *d, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (d->servers[i].tag == d->servers[index].tag)
            return true;
    }
    return false;
}

static void load(struct sip_dispatch *d, const struct sip_dispatch_conf *conf,
                 uint64_t now)
{
    d->count = conf->count;
    d->probe_interval_ms = conf->probe_interval_ms;
    d->down_after = conf->down_after;
    d->up_after = conf->up_after;
    for (size_t i = 0; i < conf->count; i++) {
        struct sip_server *s = &d->servers[i];

        *s = (struct sip_server){.conf = conf->servers[i], .up = true};
        s->group = sip_name_tag(span_str(s->conf.group));
        s->tag = sip_server_tag(span_str(s->conf.text));
        s->changed = now;
        s->next_probe = now + conf->probe_interval_ms * i / conf->count;
    }
}

void sip_dispatch_init(struct sip_dispatch *d,
                       const struct sip_dispatch_conf *conf, uint64_t now)
{
    load(d, conf, now);
}

void sip_dispatch_reload(struct sip_dispatch *d,
                         const struct sip_dispatch_conf *conf, uint64_t now)
{
    struct sip_dispatch old = *d;

    load(d, conf, now);
    for (size_t i = 0; i < d->count; i++) {
        struct sip_server *s = &d->servers[i];
        int was = sip_dispatch_find_tag(&old, s->tag);

        if (was < 0)
            continue;
        s->up = old.servers[was].up;
        s->failed = old.servers[was].failed;
        s->answered = old.servers[was].answered;
        s->changed = old.servers[was].changed;
    }
}

bool sip_dispatch_has_group(const struct sip_dispatch *d, uint32_t group)
{
    for (size_t i = 0; i < d->count; i++) {
        if (d->servers[i].group == group)
            return true;
    }
    return false;
}

/* Finalizer of MurmurHash3: every input bit reaches every output bit. */
static uint64_t mix(uint64_t h)
{
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdULL;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53ULL;
    return h ^ h >> 33;
}

static uint64_t draw(const struct sip_server *s, uint32_t user)
{
    uint64_t best = 0;

    for (uint64_t i = 0; i < s->conf.weight; i++) {
        uint64_t h = mix((uint64_t)user << 32 ^ (uint64_t)s->tag << 8 ^ i);

        if (h >= best)
            best = h;
    }
    return best;
}

/* Best of the servers that are (or, second round, are not) up. */
static int pick_among(const struct sip_dispatch *d, uint32_t group,
                      struct span user, uint64_t tried, bool up)
{
    uint32_t tag = sip_name_tag(user);
    uint64_t best_draw = 0;
    int best = -1;

    for (size_t i = 0; i < d->count; i++) {
        const struct sip_server *s = &d->servers[i];
        uint64_t h;

        if (s->group != group || s->up != up || s->conf.drain ||
            (tried & (UINT64_C(1) << i)))
            continue;
        h = draw(s, tag);
        if (best >= 0 && s->conf.priority > d->servers[best].conf.priority)
            continue;
        if (best < 0 || s->conf.priority < d->servers[best].conf.priority ||
            h > best_draw) {
            best = (int)i;
            best_draw = h;
        }
    }
    return best;
}

int sip_dispatch_pick(const struct sip_dispatch *d, uint32_t group,
                      struct span user, uint64_t tried)
{
    int found = pick_among(d, group, user, tried, true);

    return found >= 0 ? found : pick_among(d, group, user, tried, false);
}

int sip_dispatch_find_tag(const struct sip_dispatch *d, uint16_t tag)
{
    for (size_t i = 0; i < d->count; i++) {
        if (d->servers[i].tag == tag)
            return (int)i;
    }
    return -1;
}

int sip_dispatch_find_ip(const struct sip_dispatch *d, const struct addr *ip)
{
    for (size_t i = 0; i < d->count; i++) {
        if (addr_same_ip(&d->servers[i].conf.target.remote, ip))
            return (int)i;
    }
    return -1;
}

int sip_dispatch_find_target(const struct sip_dispatch *d,
                             enum sip_transport transport,
                             const struct addr *remote)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct sip_target *t = &d->servers[i].conf.target;

        if (t->transport == transport && addr_equal(&t->remote, remote))
            return (int)i;
    }
    return -1;
}

bool sip_dispatch_set_state(struct sip_dispatch *d, uint16_t tag, bool up,
                            uint64_t now)
{
    bool news = false;

    for (size_t i = 0; i < d->count; i++) {
        struct sip_server *s = &d->servers[i];

        if (s->tag != tag || s->up == up)
            continue;
        s->up = up;
        s->failed = 0;
        s->answered = 0;
        s->changed = now;
        news = true;
    }
    return news;
}

bool sip_dispatch_on_answer(struct sip_dispatch *d, int server, uint64_t now)
{
    struct sip_server *s = &d->servers[server];

    s->failed = 0;
    if (s->up)
        return false;
    if (++s->answered < d->up_after)
        return false;
    return sip_dispatch_set_state(d, s->tag, true, now);
}

bool sip_dispatch_on_failure(struct sip_dispatch *d, int server, uint64_t now)
{
    struct sip_server *s = &d->servers[server];

    s->answered = 0;
    if (!s->up || ++s->failed < d->down_after)
        return false;
    return sip_dispatch_set_state(d, s->tag, false, now);
}

int sip_dispatch_take_due(struct sip_dispatch *d, uint64_t now)
{
    for (size_t i = 0; d->probe_interval_ms && i < d->count; i++) {
        struct sip_server *s = &d->servers[i];

        if (s->next_probe > now)
            continue;
        s->next_probe = now + d->probe_interval_ms;
        if (!is_repeated(d, i))
            return (int)i;
    }
    return -1;
}

uint64_t sip_dispatch_next_deadline(const struct sip_dispatch *d)
{
    uint64_t next = UINT64_MAX;

    for (size_t i = 0; d->probe_interval_ms && i < d->count; i++) {
        if (d->servers[i].next_probe < next)
            next = d->servers[i].next_probe;
    }
    return next;
}

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
    d->retire_ms = conf->retire_ms;
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

static void keep_health(struct sip_server *s, const struct sip_server *was)
{
    s->up = was->up;
    s->failed = was->failed;
    s->answered = was->answered;
    s->changed = was->changed;
    s->probing = was->probing;
    s->stream_after = was->stream_after;
    s->path_refused = was->path_refused;
    if (s->conf.path != SIP_PATH_AUTO)
        s->path_refused = false;
}

static bool is_over(const struct sip_dispatch *d, const struct sip_server *s,
                    uint64_t now)
{
    return s->retired && s->retired_since + d->retire_ms <= now;
}

static void retire(struct sip_dispatch *d, const struct sip_server *was,
                   uint64_t now)
{
    struct sip_server *s = &d->servers[d->count];

    if (d->count == SIP_SERVERS_MAX || is_over(d, was, now) ||
        sip_dispatch_find_tag(d, was->tag) >= 0)
        return;
    *s = *was;
    s->group = 0;
    if (!was->retired)
        s->retired_since = now;
    s->retired = true;
    d->count++;
}

void sip_dispatch_reload(struct sip_dispatch *d,
                         const struct sip_dispatch_conf *conf, uint64_t now)
{
    struct sip_dispatch old = *d;

    load(d, conf, now);
    for (size_t i = 0; i < d->count; i++) {
        int was = sip_dispatch_find_tag(&old, d->servers[i].tag);

        if (was >= 0)
            keep_health(&d->servers[i], &old.servers[was]);
    }
    for (size_t i = 0; i < old.count; i++)
        retire(d, &old.servers[i], now);
}

void sip_dispatch_expire(struct sip_dispatch *d, uint64_t now)
{
    size_t kept = 0;

    for (size_t i = 0; i < d->count; i++) {
        if (is_over(d, &d->servers[i], now))
            continue;
        if (kept != i)
            d->servers[kept] = d->servers[i];
        kept++;
    }
    d->count = kept;
}

bool sip_dispatch_are_together(const struct sip_dispatch *d, uint16_t a,
                               uint16_t b)
{
    if (a == b)
        return true;
    for (size_t i = 0; i < d->count; i++) {
        for (size_t k = 0; d->servers[i].tag == a && k < d->count; k++) {
            if (d->servers[k].tag == b && !d->servers[k].retired &&
                d->servers[k].group == d->servers[i].group)
                return true;
        }
    }
    return false;
}

bool sip_dispatch_has_group(const struct sip_dispatch *d, uint32_t group)
{
    for (size_t i = 0; i < d->count; i++) {
        if (d->servers[i].group == group && !d->servers[i].retired)
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

void sip_tried_add(struct sip_tried *tried, uint16_t tag)
{
    if (tried->n < SIP_TRIED_MAX)
        tried->tags[tried->n++] = tag;
}

static bool was_tried(const struct sip_tried *tried, uint16_t tag)
{
    for (unsigned i = 0; i < tried->n; i++) {
        if (tried->tags[i] == tag)
            return true;
    }
    return false;
}

/* Best of the servers that are (or, second round, are not) up. */
static int pick_among(const struct sip_dispatch *d, uint32_t group,
                      struct span user, const struct sip_tried *tried, bool up)
{
    uint32_t tag = sip_name_tag(user);
    uint64_t best_draw = 0;
    int best = -1;

    for (size_t i = 0; i < d->count; i++) {
        const struct sip_server *s = &d->servers[i];
        uint64_t h;

        if (s->group != group || s->up != up || s->conf.drain || s->retired ||
            was_tried(tried, s->tag))
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
                      struct span user, const struct sip_tried *tried)
{
    int found;

    if (tried->n == SIP_TRIED_MAX)
        return -1;
    found = pick_among(d, group, user, tried, true);

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
        if (!s->retired && !is_repeated(d, i))
            return (int)i;
    }
    return -1;
}

uint64_t sip_dispatch_next_deadline(const struct sip_dispatch *d)
{
    uint64_t next = UINT64_MAX;

    for (size_t i = 0; d->probe_interval_ms && i < d->count; i++) {
        if (!d->servers[i].retired && d->servers[i].next_probe < next)
            next = d->servers[i].next_probe;
    }
    return next;
}

/* SPDX-License-Identifier: MIT */
#include "proxy/web_site.h"

bool web_upstream_ejects(const struct web_upstream *u)
{
    return u->n_backends > 1 && u->rule.fails_max > 0;
}

unsigned web_backend_flags(const struct web_backend *b)
{
    unsigned mask = web_upstream_ejects(b->upstream) ? WEB_HEALTH_EJECTED : 0;

    if (web_check_is_on(&b->upstream->check))
        mask |= WEB_HEALTH_DOWN;
    return (web_health_flags(b->health) & mask) |
           (b->drained ? WEB_HEALTH_DRAINED : 0);
}

const struct web_backend *web_backend_target(const struct web_backend *b)
{
    return b->target ? b->target : b;
}

const char *web_backend_state(const struct web_backend *b)
{
    unsigned flags = web_backend_flags(b);

    if (flags & WEB_HEALTH_DOWN)
        return "down";
    if (flags & WEB_HEALTH_DRAINED)
        return "drained";
    return flags & WEB_HEALTH_EJECTED ? "ejected" : "up";
}

struct web_site *web_site_ref(struct web_site *site)
{
    __atomic_add_fetch(&site->refs, 1, __ATOMIC_RELAXED);
    return site;
}

void web_site_unref(struct web_site *site)
{
    if (!site || __atomic_sub_fetch(&site->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    if (site->release)
        site->release(site);
}

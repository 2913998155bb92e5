/* SPDX-License-Identifier: MIT */
#include "proxy/web_site.h"

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

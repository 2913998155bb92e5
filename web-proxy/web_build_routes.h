/* SPDX-License-Identifier: MIT */
/* web_build_routes.h - the routes of a site, from its settings. */
#ifndef WEB_BUILD_ROUTES_H
#define WEB_BUILD_ROUTES_H

#include "web_config.h"

/* What routes name. All accept NULL for none. */
struct web_build_context {
    const void *arg;
    const struct web_config *config; /* outlives the site */
    struct web_zone *(*zone)(const void *arg, const char *name);
    uint32_t (*upstream)(const void *arg, const char *name);
    const struct web_jwt *(*jwt)(const void *arg, const char *name);
    struct buf *error;          /* why not */
    const struct web_site *old; /* whose meters go on; or NULL */
    unsigned workers;
};

/* Returns 0, -ENOMEM, or ERR_CONFIG for two routes of the same path. */
int web_build_routes(struct web_site *site, const struct web_build_context *x);
void web_build_routes_free(struct web_site *site);

#endif /* WEB_BUILD_ROUTES_H */

/* SPDX-License-Identifier: MIT */
/* web_config_zones.h - the settings of rate zones. */
#ifndef WEB_CONFIG_ZONES_H
#define WEB_CONFIG_ZONES_H

#include "app/config.h"

struct web_config_zone {
    const char *name;
    const char *rate;
    uint32_t clients;
};

struct web_config;

extern const struct option_table web_config_zones_table;

bool web_config_has_zone(const struct web_config *c, const char *name);

/* What the rows of the settings cannot say. */
void web_config_zones_check(struct config_build *build,
                            const struct web_config *c);

#endif /* WEB_CONFIG_ZONES_H */

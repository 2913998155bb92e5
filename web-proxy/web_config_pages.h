/* SPDX-License-Identifier: MIT */
/* web_config_pages.h - the settings of the operator's error pages. */
#ifndef WEB_CONFIG_PAGES_H
#define WEB_CONFIG_PAGES_H

#include "app/config.h"

struct web_config_page {
    const char *status;
    const char *file;
    const char *json_file;
};

struct web_config;

extern const struct option_table web_config_pages_table;

/* What the rows of the settings cannot say. */
void web_config_pages_check(struct config_build *build,
                            const struct web_config *c);

#endif /* WEB_CONFIG_PAGES_H */

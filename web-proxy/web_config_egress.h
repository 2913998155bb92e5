/* SPDX-License-Identifier: MIT */
/* web_config_egress.h - the settings of the way out (CONNECT). */
#ifndef WEB_CONFIG_EGRESS_H
#define WEB_CONFIG_EGRESS_H

#include "app/config.h"

struct web_config_egress {
    const char *to;
    struct cidr_list nets;
};

/* What is the same for all targets. */
struct web_config_egress_limits {
    struct cidr_list from;
    uint32_t connections;
    uint32_t connections_per_address;
    uint64_t connect_timeout;
    uint64_t idle_timeout;
    uint64_t bytes;
};

struct web_config;

extern const struct option_table web_config_egress_table;

/* What the rows of the settings cannot say. */
void web_config_egress_check(struct config_build *build,
                             const struct web_config *c);

#endif /* WEB_CONFIG_EGRESS_H */

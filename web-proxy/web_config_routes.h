/* SPDX-License-Identifier: MIT */
/* web_config_routes.h - the settings of routes. */
#ifndef WEB_CONFIG_ROUTES_H
#define WEB_CONFIG_ROUTES_H

#include "app/config.h"

struct web_config_route {
    const char *path;
    const char *upstream;
    const char *host;
    const char *redirect;
    uint16_t redirect_status;
    const char *rewrite;
    const char *root;
    const char *index;
    const char *cache_control;
    bool precompressed;
    bool plain;
    bool ignore_case;
    struct string_list methods;
    struct cidr_list allow;
    struct cidr_list deny;
    bool maintenance;
    bool client_certificate;
    struct string_list answer_fields;
    bool answer_urls;
    bool cookie_secure;
    const char *zone;
    uint32_t burst;
    bool nodelay;
    int zone_key; /* enum web_zone_key */
    int token;    /* enum web_token_check */
    const char *token_name;
    const char *token_policy;
    uint32_t token_segment;
    int websocket; /* enum web_route_websocket */
    struct string_list origins;
    uint64_t body_size;
    uint64_t first_byte_timeout;
    uint64_t idle_timeout;
    uint64_t websocket_timeout;
};

struct web_config;

extern const struct option_table web_config_routes_table;

/* Methods by name to a set of bits, 0 for none given. Returns 0, or ERR_PARSE
 * and which name was not known. */
int web_config_methods(const struct string_list *names, uint32_t *ret_set,
                       const char **ret_bad);

void web_config_check_fields(struct config_build *build, const char *key,
                             const struct string_list *fields);

/* What the rows of the settings cannot say. */
void web_config_routes_check(struct config_build *build,
                             const struct web_config *c);

#endif /* WEB_CONFIG_ROUTES_H */

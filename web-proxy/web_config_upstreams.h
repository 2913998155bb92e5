/* SPDX-License-Identifier: MIT */
/* web_config_upstreams.h - the settings of back ends. */
#ifndef WEB_CONFIG_UPSTREAMS_H
#define WEB_CONFIG_UPSTREAMS_H

#include "app/config.h"

enum web_upstream_kind {
    WEB_UPSTREAM_HTTP,
    WEB_UPSTREAM_HTTPS,
    WEB_UPSTREAM_TCP, /* for stream routes */
    WEB_UPSTREAM_TLS,
};

struct web_config_upstream {
    const char *name;
    struct endpoint_list urls;
    CONFIG_LIST(uint32_t) weights; /* in the order of urls; or none */
    int balance;                   /* enum web_balance */
    int hash_key;                  /* enum web_hash_key */
    const char *hash_name;
    struct string_list drain; /* host:port of servers */
    uint64_t slow_start;
    uint32_t max_fails;
    uint64_t fail_time;
    uint64_t out_time;
    const char *check_path;
    bool check_connect;
    uint16_t check_port;
    uint64_t check_interval;
    uint64_t check_timeout;
    uint16_t check_status;
    uint32_t check_fall;
    uint32_t check_rise;
    const char *host_field;
    const char *server_name;
    const char *ca_file;
    bool verify;
    const char *certificate;
    const char *key;
    uint64_t connect_timeout;
    uint64_t idle_timeout;
    uint32_t idle_connections;
    uint32_t connections;
    uint32_t queue;
    uint64_t queue_time;
};

struct web_config;

extern const struct option_table web_config_upstreams_table;

/* https or tls; tcp or tls. */
bool web_config_is_https(const struct web_config_upstream *upstream);
bool web_config_is_stream(const struct web_config_upstream *upstream);

/* NULL when there is none of that name. */
const struct web_config_upstream *
web_config_find_upstream(const struct web_config *c, const char *name);

/* Does "host:port" name `server`, or any of its servers when that is NULL? */
bool web_config_drains(const struct web_config_upstream *u, const char *text,
                       const struct endpoint *server);

/* What the rows of the settings cannot say. */
void web_config_upstreams_check(struct config_build *build,
                                const struct web_config *c);

#endif /* WEB_CONFIG_UPSTREAMS_H */

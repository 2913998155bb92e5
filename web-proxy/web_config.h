/* SPDX-License-Identifier: MIT */
/* web_config.h - the settings of web-proxy, and the site they describe. */
#ifndef WEB_CONFIG_H
#define WEB_CONFIG_H

#include "app/config.h"
#include "proxy/web_site.h"
#include "web_config_clients.h"
#include "web_config_egress.h"
#include "web_config_pages.h"
#include "web_config_routes.h"
#include "web_config_streams.h"
#include "web_config_upstreams.h"
#include "web_config_zones.h"

enum web_listen_kind {
    WEB_LISTEN_HTTPS,
    WEB_LISTEN_HTTP,
    WEB_LISTEN_REDIRECT, /* plain, answers where HTTPS is */
    WEB_LISTEN_SHARED,   /* HTTPS, and what stream routes choose */
    WEB_LISTEN_TCP,      /* all to one stream route */
    WEB_LISTEN_TLS,      /* the same, TLS ends here */
    WEB_LISTEN_CONNECT,  /* the way out, for clients inside */
};

struct web_config_token {
    const char *name;
    struct option_secret secret;
    const char *key_file;
    const char *jwks_file;
    int source; /* enum web_jwt_source */
    const char *source_name;
    bool strip;
    const char *issuer;
    struct string_list audiences;
    uint64_t leeway;
    bool expires;
    const char *claim;
    const char *field;
};

struct web_config {
    struct config_common common;
    struct endpoint_list listen;
    struct cidr_list proxy_from;
    struct string_list certificates;
    struct string_list keys;
    bool strict_sni;
    int tls_min; /* 0: 1.2, 1: 1.3 */
    uint16_t external_port;
    CONFIG_LIST(struct web_config_upstream) upstreams;
    CONFIG_LIST(struct web_config_zone) zones;
    CONFIG_LIST(struct web_config_token) tokens;
    CONFIG_LIST(struct web_config_route) routes;
    CONFIG_LIST(struct web_config_client) clients;
    CONFIG_LIST(struct web_config_stream) streams;
    CONFIG_LIST(struct web_config_egress) egress;
    struct web_config_egress_limits egress_limits;
    struct addr_list resolvers;
    struct cidr_list exempt;

    CONFIG_LIST(struct web_config_page) pages;
    struct string_list answer_fields;
    bool maintenance;
    uint64_t maintenance_time;
    struct cidr_list testers;
    uint64_t hsts;
    bool hsts_subdomains;
    bool via;
    bool access_log;
    int access_format;
    uint32_t access_sample;
    int trace; /* enum web_trace_mode */
    uint32_t connections;
    uint32_t connections_per_address;
    uint32_t requests_per_connection;
    uint32_t delayed;
    bool http2;
    uint32_t h2_streams;
    uint64_t h2_window;
    uint32_t h2_resets;
    uint32_t h2_frames;
    uint64_t handshake_timeout;
    uint32_t handshake_rate;
    uint32_t source_handshake_rate;
    uint64_t head_timeout;
    uint64_t keepalive_timeout;
    uint64_t body_timeout;
    uint32_t body_rate;
    uint64_t write_timeout;
    uint64_t head_size;
    uint32_t head_fields;
    uint64_t answer_head_size;
};

extern const struct config_spec web_config_spec;

enum { WEB_CONFIG_KEY_SIZE = 64 };

/* "list[i].name", for what is said about one of several. Returns `out`. */
const char *web_config_key(char out[WEB_CONFIG_KEY_SIZE], const char *list,
                           size_t i, const char *name);

/* The name servers as net/resolve.h wants them: "192.0.2.53,[2001:db8::53]:53",
 * in `out`; NULL: none are set. */
enum { WEB_CONFIG_RESOLVERS_SIZE = 512 };
const char *web_config_resolvers(const struct web_config *c,
                                 char out[WEB_CONFIG_RESOLVERS_SIZE]);

/* Make the site. Zones of `old` (may be NULL) that have the same name and
 * meaning go on counting; servers that stay in their upstream keep what is
 * known of their health. Main thread.
 * Returns 0; or, said in `error`, ERR_CONFIG (a CA file) or -ENOMEM. */
int web_config_site(const struct config *config, struct web_site *old,
                    unsigned workers, struct buf *error,
                    struct web_site **ret_site);

#endif /* WEB_CONFIG_H */

/* SPDX-License-Identifier: MIT */
/* sip_config.h - the settings of sip-proxy, and what the core is given of
 * them.
 */
#ifndef SIP_CONFIG_H
#define SIP_CONFIG_H

#include "app/config.h"
#include "proxy/sip_core.h"
#include "proxy/sip_locate.h"

enum sip_zone_setting {
    SIP_ZONE_AUTO, /* WebSocket outside, datagrams inside */
    SIP_ZONE_EXTERNAL,
    SIP_ZONE_INTERNAL,
};

struct sip_listen {
    struct endpoint address;
    int zone;              /* enum sip_zone_setting */
    const char *advertise; /* "host[:port]", NULL: the address itself */
    const char *group;     /* of its clients, NULL: by path or domain */
    struct string_list methods;
    struct string_list body_types;
    uint64_t max_body;
    int refer;               /* 0: any, 1: inside */
    bool identity;           /* its clients are in our trust domain */
    int hide;                /* enum sip_hide_mode */
    bool verify;             /* inside: tls media servers show certificates */
    bool partners;           /* of federation partners, mutual TLS */
    const char *certificate; /* its own, NULL: everybody's */
    const char *key;
};

/* Whose certificates federation partners may show. */
enum sip_purpose {
    SIP_PURPOSE_CLIENT, /* those made for TLS clients */
    SIP_PURPOSE_ANY,
};

struct sip_partner_setting {
    const char *domain;
    struct endpoint address; /* scheme NULL: found by DNS */
    const char *name;        /* NULL: the domain */
    const char *group;
    struct string_list methods;
    struct string_list reach;
    bool identity;
    bool anonymous;
};

struct sip_media_server {
    const char *group;
    struct endpoint server;
    uint16_t priority;
    uint16_t weight;
    int path; /* enum sip_path_mode */
    bool drain;
    bool fork;
    int transport; /* enum sip_server_transport */
    uint64_t max_size;
};

enum sip_server_transport {
    SIP_SERVER_AUTO, /* TCP for what is too long for UDP */
    SIP_SERVER_FIXED,
};

struct sip_host_setting {
    const char *name;
    struct addr address;
};

enum { SIP_DNS_SERVERS_MAX = 8 };

struct sip_domain_setting {
    const char *name;
    const char *group; /* NULL: any */
};

struct sip_config {
    struct config_common common;
    CONFIG_LIST(struct sip_listen) listen;
    CONFIG_LIST(struct sip_media_server) media_servers;
    CONFIG_LIST(struct sip_domain_setting) domains;
    CONFIG_LIST(struct sip_partner_setting) partners;
    struct string_list blocked_domains;
    const char *partner_ca;
    struct cidr_list partner_networks;
    int partner_purpose; /* enum sip_purpose */
    struct string_list origins;
    struct string_list strip_headers;
    struct cidr_list trusted_proxies;
    struct cidr_list proxy_from;
    struct cidr_list inside_sources;
    struct cidr_list guard_exempt;
    const char *websocket_path;
    const char *certificate;
    const char *key;
    const char *server_ca;
    struct option_secret token_key;
    struct option_secret token_key_previous;
    uint16_t node;
    uint32_t max_connections;
    uint32_t max_transactions;
    uint32_t max_pending;
    uint32_t decision_trail;
    bool rebind;
    uint64_t park_time;
    uint32_t park_requests;
    uint64_t transaction_memory;
    uint64_t max_message;
    uint32_t max_forwards;
    uint64_t datagram_size;
    uint64_t ping_interval;
    uint64_t idle_timeout;
    uint64_t handshake_timeout;
    uint64_t stream_idle_timeout;
    uint64_t udp_flow_timeout;
    uint64_t timer_c;
    uint64_t server_timeout;
    uint64_t probe_interval;
    uint64_t probe_timeout;
    uint32_t down_after;
    uint32_t up_after;
    uint64_t retire_time;
    uint64_t connect_timeout;
    uint16_t dscp;
    const char *echo_method;
    CONFIG_LIST(struct sip_host_setting) hosts;
    struct addr_list dns_servers;
    uint64_t dns_max_ttl;
    uint64_t dns_fail_ttl;
    uint32_t source_rate;
    uint32_t source_burst;
    uint32_t connection_rate;
    uint32_t connection_burst;
    uint32_t handshake_rate;
    uint32_t source_handshake_rate;
    uint32_t user_rate;
    uint32_t user_burst;
    uint32_t connect_rate;
    uint32_t connect_burst;
    uint32_t unknown_users;
    uint32_t source_connections;
    uint32_t source_pending;
    uint64_t message_timeout;
    uint32_t auth_failures;
    uint32_t user_failures;
    uint64_t auth_window;
    uint64_t ban_time;
    bool block_scanners;
};

extern const struct config_spec sip_config_spec;

/* sip_config_listen.c: the rows of a listener and its check. */
extern const struct option_table sip_config_listen_table;
void sip_config_check_listen(struct config_build *build,
                             const struct sip_config *cfg);

/* sip_config_partner.c: the rows of a partner, its check, and what the core is
 * given. */
extern const struct option_table sip_config_partner_table;
void sip_config_check_partners(struct config_build *build,
                               struct sip_config *cfg);
void sip_config_fill_partners(const struct sip_config *cfg,
                              struct sip_partner_config *ret_partners);

/* sip_config_server.c: the rows of media servers and hosts, and their check. */
extern const struct option_table sip_config_server_table;
extern const struct option_table sip_config_host_table;
void sip_config_check_servers(struct config_build *build,
                              const struct sip_config *cfg);

/* What DNS is to be asked for a media server; false: it is an address. */
bool sip_config_server_query(const struct sip_config *cfg,
                             const struct sip_media_server *s,
                             struct sip_locate_query *ret_query);

/* The same for a partner; false: its address is configured. */
bool sip_config_partner_query(const struct sip_partner_setting *p,
                              struct sip_locate_query *ret_query);

/* A row of the core's table: the server at its address, or (`hop` not NULL)
 * at one of those of its name. `weight` 0: the configured one. */
void sip_config_add_server(struct sip_dispatch_conf *conf,
                           const struct sip_media_server *s,
                           const struct sip_hop *hop, unsigned weight);

/* There is an internal listener of that transport and family (ADDR_NONE:
 * any): what is sent to a server leaves from there. */
bool sip_config_has_inside(const struct sip_config *cfg,
                           enum sip_transport transport, uint8_t family);

/* Everything of the core's configuration but `locals` and, when no key file
 * is set, `keys`. `workers` share the limits. Strings are borrowed. */
void sip_config_core(const struct sip_config *cfg, unsigned workers,
                     struct sip_core_config *ret_core);

/* One of our addresses as the core knows it; `bound` is with the real port. */
void sip_config_local(const struct sip_listen *listen, const struct addr *bound,
                      struct sip_local *ret_local);

/* What may come in there; strings are borrowed from the setting, which every
 * configuration has anew. */
void sip_config_policy(const struct sip_listen *listen,
                       struct sip_zone_policy *ret_policy);

/* Which side a listener is on: what was said, or by its transport. */
enum sip_zone sip_config_zone(const struct sip_listen *listen);

/* Some media server is of that group. */
bool sip_config_has_group(const struct sip_config *cfg, const char *name);

/* The transport of a `listen` or `media-server` endpoint. */
enum sip_transport sip_config_transport(const struct endpoint *endpoint);

#endif /* SIP_CONFIG_H */

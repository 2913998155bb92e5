/* SPDX-License-Identifier: MIT */
/* turn_config.h - the settings of turn-server: one option table, and what is
 * built from it.
 */
#ifndef TURN_CONFIG_H
#define TURN_CONFIG_H

#include "app/config.h"
#include "turn/turn_shared.h"
#include "turn_config_realm.h"

/* Index of the transport in struct endpoint. */
enum turn_listen {
    TURN_LISTEN_UDP,
    TURN_LISTEN_TCP, /* with a certificate, TLS too: the first byte tells */
    TURN_LISTEN_TLS, /* nothing but TLS */
};

/* What a listener is for. */
enum turn_role {
    TURN_ROLE_TURN,
    TURN_ROLE_STUN, /* Binding only */
};

struct turn_listen_config {
    struct endpoint address;
    int role;                /* enum turn_role */
    struct cidr_list client; /* who may relay; empty: everybody */
    const char *realm;       /* of its clients; NULL: by server name, else the
                                default one */
};

/* Times in milliseconds unless the name says otherwise. */
struct turn_config {
    struct config_common common;
    CONFIG_LIST(struct turn_listen_config) listen;
    bool nat_discovery;
    CONFIG_LIST(struct turn_relay_addr) relays;
    struct port_range relay_ports;
    const char *certificate;
    const char *key;
    bool dtls;

    struct turn_realm_config realm; /* the default one */
    CONFIG_LIST(struct turn_realm_config) more_realms;
    CONFIG_LIST(struct turn_quota_config) quotas;
    uint64_t nonce_lifetime;
    bool hairpin;

    uint64_t lifetime;
    uint64_t max_lifetime;
    uint32_t max_allocations;
    uint16_t max_permissions;
    uint16_t max_channels;
    uint64_t total_bandwidth; /* bytes/s */
    bool tcp_relay;
    bool mobility;
    uint32_t tcp_total; /* connections */
    uint32_t tcp_per_user;
    uint16_t tcp_per_allocation;
    struct addr_list alternate;
    uint32_t challenge_rate;
    uint32_t max_connections;
    uint32_t source_connections;
    uint32_t max_handshakes; /* under way in a worker */
    uint32_t handshake_rate; /* per second */
    uint32_t source_handshake_rate;
    struct cidr_list proxy_from;
    uint64_t idle_timeout;
    uint64_t stream_buffer; /* bytes */
    uint64_t max_packet;
    uint64_t socket_buffer;
    uint32_t gather; /* microseconds */

    const char *software;
    bool log_allocations;
};

extern const struct config_spec turn_config_spec;

/* Realms, peers and limits of these settings. `own` are addresses of ours
 * (turn_policy.h), `slots` those of each extra realm (turn_realm.h; NULL where
 * nobody counts). Returns 0; ERR_CONFIG with the reason in `error`; -ENOMEM.
 */
int turn_config_rules(const struct turn_config *c, const struct addr *own,
                      size_t n_own, const uint8_t *slots,
                      struct turn_rules **ret_rules,
                      char error[TURN_RULES_ERROR_SIZE]);

#endif /* TURN_CONFIG_H */

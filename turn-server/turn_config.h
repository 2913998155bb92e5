/* SPDX-License-Identifier: MIT */
/* turn_config.h - the settings of turn-server: one option table, and what is
 * built from it.
 */
#ifndef TURN_CONFIG_H
#define TURN_CONFIG_H

#include "app/config.h"
#include "turn/turn_rules.h"
#include "turn/turn_shared.h"

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

    const char *realm;
    struct option_secret users;
    struct option_secret secrets;
    uint64_t nonce_lifetime;

    struct cidr_list allow_peer;
    struct cidr_list deny_peer;
    bool public_peers;
    bool hairpin;

    uint64_t lifetime;
    uint64_t max_lifetime;
    uint32_t max_allocations;
    uint32_t user_quota;
    uint32_t source_quota;
    uint16_t max_permissions;
    uint16_t max_channels;
    uint64_t max_bandwidth; /* bytes/s */
    uint64_t user_bandwidth;
    uint64_t total_bandwidth;
    struct addr_list alternate;
    uint32_t challenge_rate;
    uint32_t max_connections;
    uint32_t source_connections;
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

/* Users, peers and limits of these settings. `own` are addresses of ours
 * (turn_policy.h). Returns 0; ERR_CONFIG with the reason in `error`; -ENOMEM.
 */
int turn_config_rules(const struct turn_config *c, const struct addr *own,
                      size_t n_own, struct turn_rules **ret_rules,
                      char error[TURN_RULES_ERROR_SIZE]);

#endif /* TURN_CONFIG_H */

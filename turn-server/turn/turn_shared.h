/* SPDX-License-Identifier: MIT */
/* turn_shared.h - what the cores of all workers have in common: relay ports,
 * reservations, quotas, and the secret behind nonces.
 *
 * Made before the workers start, freed after the last core. Each part guards
 * itself; the secret and the addresses never change.
 */
#ifndef TURN_SHARED_H
#define TURN_SHARED_H

#include "turn/turn_policy.h"
#include "turn/turn_ports.h"
#include "turn/turn_quota.h"
#include "turn/turn_reserve.h"

enum { TURN_NONCE_SECRET_SIZE = 32 };

struct turn_shared {
    struct turn_relay_addr *relays; /* in the order of turn_ports' addresses */
    size_t n_relays;
    struct turn_ports *ports;
    struct turn_reserve *reserve;
    struct turn_quota *quota;
    struct turn_meter meter;  /* of everything relayed */
    uint32_t tcp_connections; /* atomic; of all TCP relays */
    uint8_t nonce_secret[TURN_NONCE_SECRET_SIZE];
};

/* `relays` is copied. Returns 0, -EINVAL or -ENOMEM. */
int turn_shared_new(struct turn_shared **ret_shared,
                    const struct turn_relay_addr *relays, size_t n,
                    uint16_t first_port, uint16_t last_port);
void turn_shared_free(struct turn_shared *shared);

#endif /* TURN_SHARED_H */

/* SPDX-License-Identifier: MIT */
#include "turn/turn_shared.h"

#include "base/crypto.h"
#include "base/mem.h"

#include <errno.h>

int turn_shared_new(struct turn_shared **ret_shared,
                    const struct turn_relay_addr *relays, size_t n,
                    uint16_t first_port, uint16_t last_port)
{
    struct turn_shared *shared = mem_zalloc(sizeof(*shared));
    int err = -ENOMEM;

    if (!shared)
        return -ENOMEM;
    crypto_random(shared->nonce_secret, sizeof(shared->nonce_secret));
    shared->relays = mem_dup(relays, n * sizeof(*relays));
    shared->n_relays = n;
    if (shared->relays)
        err = turn_ports_new(&shared->ports, n, first_port, last_port);
    if (err == 0)
        err = turn_quota_new(&shared->quota);
    if (err == 0)
        err = turn_reserve_new(&shared->reserve, shared->ports, shared->quota);
    if (err < 0) {
        turn_shared_free(shared);
        return err;
    }
    *ret_shared = shared;
    return 0;
}

void turn_shared_free(struct turn_shared *shared)
{
    if (!shared)
        return;
    turn_reserve_free(shared->reserve);
    turn_ports_free(shared->ports);
    turn_quota_free(shared->quota);
    mem_wipe(shared->nonce_secret, sizeof(shared->nonce_secret));
    mem_free(shared->relays);
    mem_free(shared);
}

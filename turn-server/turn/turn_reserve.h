/* SPDX-License-Identifier: MIT */
/* turn_reserve.h - relay ports kept for whoever brings the token
 * (RFC 8656 section 7.2, EVEN-PORT with the R bit), over all workers.
 *
 * A reservation holds the port in turn_ports, not a socket: the Allocate with
 * the token may arrive on any worker. It counts as an allocation of who made
 * it until somebody comes for it.
 */
#ifndef TURN_RESERVE_H
#define TURN_RESERVE_H

#include "turn/turn_ports.h"
#include "turn/turn_quota.h"

#include <stdbool.h>

struct turn_reserve;

enum {
    TURN_TOKEN_SIZE = 8,
    TURN_RESERVE_MAX = 256,      /* at the same time */
    TURN_RESERVE_MS = 30 * 1000, /* RFC 8656 7.2 step 6: at least 30 s */
};

/* `ports` and `quota` are borrowed. Returns 0 or -ENOMEM. */
int turn_reserve_new(struct turn_reserve **ret_reserve,
                     struct turn_ports *ports, struct turn_quota *quota);
/* Gives all reserved ports back. */
void turn_reserve_free(struct turn_reserve *reserve);

/* A port of relay address `addr`, and what it counts as. */
struct turn_reserved {
    size_t addr;
    uint16_t port;
    struct turn_quota_hold hold;
};

/* Keep what the caller has taken under the (random) token. Returns 0, or
 * ERR_LIMIT: port and hold are still the caller's. */
int turn_reserve_put(struct turn_reserve *reserve,
                     const uint8_t token[TURN_TOKEN_SIZE],
                     const struct turn_reserved *what, uint64_t now);

/* The reserved port becomes the caller's, its hold is given back; the token is
 * used up. False when nobody knows it, or it is too late. */
bool turn_reserve_claim(struct turn_reserve *reserve,
                        const uint8_t token[TURN_TOKEN_SIZE], uint64_t now,
                        size_t *ret_addr, uint16_t *ret_port);

/* Give back the ports of reservations that nobody came for. */
void turn_reserve_reap(struct turn_reserve *reserve, uint64_t now);

#endif /* TURN_RESERVE_H */

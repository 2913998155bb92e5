/* SPDX-License-Identifier: MIT */
/* turn_own.h - which addresses are ours, so that no client relays to our own
 * listeners: each listener's, and of a wildcard listener all that this host
 * has. Those may come and go; they are read again on every reload and every
 * TURN_OWN_PERIOD_MS.
 */
#ifndef TURN_OWN_H
#define TURN_OWN_H

#include "turn_server.h"

enum {
    TURN_OWN_MAX = 1024,
    TURN_OWN_PERIOD_MS = 5 * 1000,
};

struct turn_own {
    struct addr *list;
    size_t n;
    bool has_wildcard; /* they may change */
};

/* Returns 0 or -ENOMEM. turn_own_deinit() releases in every case. */
int turn_own_init(struct turn_own *own);
void turn_own_deinit(struct turn_own *own);

/* Read them. True when they are others than before (their order aside). */
bool turn_own_read(struct turn_own *own,
                   const struct turn_listen_group *listeners, size_t n,
                   const struct addr *admin);

#endif /* TURN_OWN_H */

/* SPDX-License-Identifier: MIT */
/* turn_mobile.h - clients that change their address (RFC 8016): what happens
 * between the cores of several workers.
 *
 * An allocation stays with its core. When its client comes back from another
 * address, with the ticket it was given, that 5-tuple may be another worker's:
 * a connection is moved (turn_core_owner() says where to), UDP and DTLS
 * packets are forwarded, the first by its ticket, the following by a route
 * that the allocation's core has asked for. Forwarded packets carry the number
 * of the worker they came to in struct turn_client: their `home`.
 */
#ifndef TURN_MOBILE_H
#define TURN_MOBILE_H

#include "base/span.h"

struct turn_client;
struct turn_core;
struct turn_packet;

/* With the `arg` of struct turn_env, and under its rules. Each is a message to
 * another worker and may be lost there. */
struct turn_mobile_env {
    /* turn_core_on_client() there; `client` names its home */
    void (*forward)(void *arg, unsigned worker,
                    const struct turn_client *client,
                    const struct turn_packet *packet);
    /* turn_core_on_client_gone() there */
    void (*gone)(void *arg, unsigned worker, const struct turn_client *client);
    /* turn_core_route() and turn_core_unroute() there, with our number */
    void (*route)(void *arg, unsigned worker, const struct turn_client *client);
    void (*unroute)(void *arg, unsigned worker,
                    const struct turn_client *client);
};

/* From now on forward what comes from this client to `worker`. At most as many
 * as this core has allocations; over it ERR_LIMIT. -ENOMEM. */
int turn_core_route(struct turn_core *core, const struct turn_client *client,
                    unsigned worker);
void turn_core_unroute(struct turn_core *core,
                       const struct turn_client *client);

/* The worker whose core a frame of a connection must be brought to, when its
 * ConnectionBind (RFC 6062) or its ticket says so, else -1. */
int turn_core_owner(const struct turn_core *core, struct span frame);

#endif /* TURN_MOBILE_H */

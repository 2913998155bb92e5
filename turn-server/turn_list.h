/* SPDX-License-Identifier: MIT */
/* turn_list.h - GET /allocations: who relays what, as JSON.
 *
 * The main thread asks each worker by mail and waits a moment for the
 * answers; a worker that is too busy to answer in time is left out. Each
 * lists so many allocations at most that its packets do not notice.
 */
#ifndef TURN_LIST_H
#define TURN_LIST_H

#include "app/daemon.h"

enum {
    TURN_LIST_MAX = 200,      /* allocations of one worker */
    TURN_LIST_WAIT_MS = 1000, /* for all workers together */
};

struct turn_lister;

/* Serve it on `admin`. Returns 0 and what to free after the admin listener
 * has gone, or -ENOMEM. Main thread. */
int turn_list_serve(struct turn_lister **ret_lister, struct daemon *daemon,
                    void *server, struct admin *admin);
void turn_list_free(struct turn_lister *lister);

#endif /* TURN_LIST_H */

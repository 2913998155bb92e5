/* SPDX-License-Identifier: MIT */
/* sip_link.h - what the worker and the core know of a connection, whatever it
 * speaks: WebSocket (sip_ws.h) or SIP over a stream (sip_conn.h).
 *
 * Embedded in the connection's own struct. What the core calls `conn` is a
 * struct sip_link.
 */
#ifndef SIP_LINK_H
#define SIP_LINK_H

#include "base/list.h"
#include "base/span.h"

enum sip_link_why {
    SIP_LINK_GARBAGE, /* what it sends is no SIP */
    SIP_LINK_RESTART, /* we are going away */
};

struct sip_link {
    struct list node; /* in the worker's list */

    /* One SIP message. Returns 0, or negative when it will not arrive. Never
     * ends the connection before it returns. */
    int (*send)(struct sip_link *link, struct span message);

    /* Say goodbye and close soon; the core is told when it is over. Harmless
     * when already closing. */
    void (*close)(struct sip_link *link, enum sip_link_why why);
};

#endif /* SIP_LINK_H */

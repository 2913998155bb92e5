/* SPDX-License-Identifier: MIT */
/* web_pick.h - which server of an upstream a plain connection goes to.
 *
 * The same rules and the same health as for requests (web_balance.c,
 * web_health.h), for connections that carry no HTTP: one object per worker and
 * site, which counts the connections in use. One thread.
 */
#ifndef WEB_PICK_H
#define WEB_PICK_H

#include "proxy/web_site.h"

struct web_picks;

/* Holds a reference to the site. Returns 0 or -ENOMEM. */
int web_picks_new(struct web_picks **ret_picks, struct web_site *site);
struct web_picks *web_picks_ref(struct web_picks *picks);
/* NULL is accepted. */
void web_picks_unref(struct web_picks *picks);
struct web_site *web_picks_site(struct web_picks *picks);

/* A connection's search for a server; zeroed at first. */
struct web_pick {
    const struct web_upstream *upstream;
    const struct web_backend *backend; /* the present one, in use; or NULL */
    uint64_t tried;                    /* one bit each */
};

/* Take a server that was not tried, may be asked and has room. False when
 * there is none. */
bool web_pick_next(struct web_picks *picks, struct web_pick *pick,
                   const struct addr *client, uint64_t now);

/* It could not be reached: give it back, and that speaks against it. True when
 * that took it out. */
bool web_pick_failed(struct web_picks *picks, struct web_pick *pick,
                     uint64_t now);

/* It was reached. */
void web_pick_reached(struct web_pick *pick);

/* The connection is over. Harmless when there is no server. */
void web_pick_give(struct web_picks *picks, struct web_pick *pick);

#endif /* WEB_PICK_H */

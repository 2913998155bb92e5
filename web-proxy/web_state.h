/* SPDX-License-Identifier: MIT */
/* web_state.h - what all workers of web-proxy share: sockets, certificates,
 * the site, the limit of connections.
 *
 * Made, changed and released on the main thread; workers take references.
 */
#ifndef WEB_STATE_H
#define WEB_STATE_H

#include "app/config.h"
#include "proxy/web_core.h"

struct bind_group;
struct conn_limit;
struct handshake_rate;
struct tls_tickets;
struct web_config;
struct web_egresses;
struct web_state;
struct web_streams;
struct web_tls;

struct web_door {
    struct bind_group *group;
    int kind;      /* enum web_listen_kind */
    uint16_t port; /* as in the settings */
    struct web_entry entry;
};

/* Bind, load certificates, build the site for `workers` workers.
 * Returns 0, or an error that was logged. Release with web_state_free(). */
int web_state_new(struct web_state **ret_state, const struct config *config,
                  unsigned workers);
void web_state_free(struct web_state *state);

/* New certificates, limits and site; all or nothing, why not in `report`. */
int web_state_reload(struct web_state *state, const struct config *config,
                     struct buf *report);

/* References for the caller to drop. Any thread. */
struct web_site *web_state_site(struct web_state *state);
struct web_tls *web_state_tls(struct web_state *state);
struct web_streams *web_state_streams(struct web_state *state);
struct web_egresses *web_state_egresses(struct web_state *state);

/* Constant after web_state_new(). */
const struct web_door *web_state_doors(const struct web_state *state,
                                       size_t *ret_n);
struct conn_limit *web_state_limit(const struct web_state *state);
struct handshake_rate *web_state_rate(const struct web_state *state);
const struct web_config *web_state_config(const struct web_state *state);

/* More families of /metrics. */
void web_state_metrics(struct web_state *state, struct buf *out);

/* More members of /status: listeners, certificates, upstreams, streams. */
void web_state_status(struct web_state *state, struct buf *json);

#endif /* WEB_STATE_H */

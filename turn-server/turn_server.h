/* SPDX-License-Identifier: MIT */
/* turn_server.h - the process: what all workers share, and its hooks.
 *
 * Made on the main thread before the workers start: the bound listening
 * sockets (one for each worker), relay ports and quotas, and the present
 * rules and certificate as counted snapshots.
 */
#ifndef TURN_SERVER_H
#define TURN_SERVER_H

#include "app/daemon.h"
#include "net/bind.h"
#include "net/conn_limit.h"
#include "net/dtls.h"
#include "net/listener.h"
#include "net/stream.h"
#include "net/tls_ctx.h"
#include "net/udp.h"
#include "turn/turn_core.h"
#include "turn_config.h"

/* What the shell counts beside the core. */
#define TURN_SHELL_STATS(X)                                                    \
    X(GAUGE, connections, "connections", "", "TCP and TLS clients")            \
    X(COUNTER, connections_idle, "connections_closed", "reason=\"idle\"",      \
      "connections closed by us")                                              \
    X(COUNTER, connections_garbage, "connections_closed",                      \
      "reason=\"garbage\"", "connections closed by us")                        \
    X(COUNTER, connections_full, "connections_closed", "reason=\"full\"",      \
      "connections closed by us")                                              \
    X(COUNTER, moved, "connections_moved", "result=\"ok\"",                    \
      "connections brought to the worker of their allocation (RFC 6062)")      \
    X(COUNTER, move_failed, "connections_moved", "result=\"failed\"",          \
      "connections brought to the worker of their allocation (RFC 6062)")      \
    X(COUNTER, drop_forward, "forward_dropped", "",                            \
      "messages about moved clients that another worker could not take")       \
    X(COUNTER, drop_slow_client, "stream_dropped", "reason=\"slow_client\"",   \
      "packets not sent to a TCP or TLS client")                               \
    X(COUNTER, drop_client_gone, "stream_dropped", "reason=\"client_gone\"",   \
      "packets not sent to a TCP or TLS client")                               \
    X(COUNTER, drop_too_long, "drop_too_long", "",                             \
      "UDP packets longer than max-packet")

/* One worker's figures, in one block. */
struct turn_server_stats {
    struct turn_stats core;
    TURN_SHELL_STATS(STATS_FIELD)
    struct udp_stats udp;       /* copied once a second */
    struct stream_stats stream; /* the same */
    struct dtls_stats dtls;
    struct listener_stats listener; /* of all listeners; once a second */
};

struct turn_listen_group {
    struct bind_group *group;
    struct addr addr; /* as bound, with the real port */
    enum turn_listen kind;
    enum turn_role role;
    struct cidr *clients; /* who may relay; none: everybody */
    size_t n_clients;
    bool has_realm; /* and this is it; else server names tell */
    uint32_t realm;
};

/* What a client at this listener may do. */
enum turn_access turn_listen_access(const struct turn_listen_group *l,
                                    const struct addr *client);

/* The realm of a client here that asked for `server_name` ("": for none). */
uint32_t turn_listen_realm(const struct turn_listen_group *l,
                           const struct turn_rules *rules,
                           const char *server_name);

struct turn_server;

/* The hooks of struct daemon_spec on the main thread. */
int turn_server_start(struct daemon *daemon, const struct config *config,
                      void **ret_state);
int turn_server_reload(void *state, const struct config *config,
                       struct buf *report);
void turn_server_stop(void *state);
void turn_server_endpoints(void *state, struct admin *admin);
void turn_server_status(void *state, struct buf *json);
void turn_server_metrics(void *state, struct buf *out);

/* For workers; constant after the start. */
const struct turn_listen_group *
turn_server_listeners(const struct turn_server *server, size_t *ret_n);
struct turn_shared *turn_server_shared(const struct turn_server *server);
struct handshake_rate;
struct conn_limit *turn_server_limit(const struct turn_server *server);
struct handshake_rate *turn_server_rate(const struct turn_server *server);
struct turn_realm_stats *
turn_server_realm_stats(const struct turn_server *server, int worker);

/* The thread of a worker, for mail; NULL: not running, or none of this index.
 * Any thread. */
struct worker *turn_server_thread(const struct turn_server *server,
                                  unsigned index);

/* Each worker's state by its index: set and read on that worker's thread. */
struct turn_worker;
void turn_server_set_worker(struct turn_server *server, int index,
                            struct turn_worker *w);
struct turn_worker *turn_server_worker(const struct turn_server *server,
                                       int index);

/* References to the present snapshots; any thread. `*ret_tls` is NULL when
 * there is no certificate. */
void turn_server_snapshot(struct turn_server *server,
                          struct turn_rules **ret_rules,
                          struct tls_ctx **ret_tls);

#endif /* TURN_SERVER_H */

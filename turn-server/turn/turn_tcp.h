/* SPDX-License-Identifier: MIT */
/* turn_tcp.h - TCP relays (RFC 6062): what the core asks of the world for
 * them, and what the world tells the core.
 *
 * An allocation of TCP listens at its relayed address instead of binding a
 * UDP socket. Each connection with a peer is a `pipe` of the shell: it waits,
 * nothing is read from it, until the client opens a connection of its own and
 * binds it with the CONNECTION-ID; from then on the shell moves bytes between
 * the two and asks turn_core_on_tcp_data() how fast. The core decides who may
 * connect, counts, keeps the times, and says when it is over.
 *
 * A connection belongs to the core of its allocation. The CONNECTION-ID
 * begins with that core's number, so that the shell can bring a ConnectionBind
 * there before anything else is done with it: turn_core_of_bind().
 */
#ifndef TURN_TCP_H
#define TURN_TCP_H

#include "base/addr.h"
#include "base/pool.h"

struct turn_client;
struct turn_core;

enum {
    TURN_TCP_CONNECT_MS = 30 * 1000, /* RFC 6062 5.2: at least */
    TURN_TCP_BIND_MS = 30 * 1000,
    TURN_TCP_WAIT_MS = 20, /* pause of a reader over its bandwidth */
};

/* With the `arg` of struct turn_env, and under its rules: none may call back
 * into the core. */
struct turn_tcp_env {
    /* Listen on exactly `want` for an allocation; turn_core_on_tcp_accept()
     * follows. Returns as relay_open() does. */
    int (*listen)(void *arg, struct pool_id alloc, const struct addr *want,
                  void **ret_relay);
    void (*unlisten)(void *arg, void *relay);
    /* Connect to `peer` from the relay's address; turn_core_on_tcp_open() or
     * turn_core_on_tcp_closed() follows, later. Returns 0 and a pipe, or
     * -errno. */
    int (*connect)(void *arg, struct pool_id conn, void *relay,
                   const struct addr *peer, void **ret_pipe);
    /* The connection `client` is the other end of the pipe from now on: no
     * byte behind its ConnectionBind is ours. */
    void (*join)(void *arg, void *pipe, const struct turn_client *client);
    /* It is over, both ends. */
    void (*close)(void *arg, void *pipe);
};

/* `from` has connected to the relayed address of allocation `id`. Returns 0 and
 * the connection's name; ERR_DENIED or ERR_LIMIT: close it, the pipe is not
 * ours. */
int turn_core_on_tcp_accept(struct turn_core *core, struct pool_id id,
                            const struct addr *from, void *pipe, uint64_t now,
                            struct pool_id *ret_conn);

/* What env.connect() began has succeeded, of connection `id`. */
void turn_core_on_tcp_open(struct turn_core *core, struct pool_id id,
                           uint64_t now);

/* The pipe is gone, or could not be made. Not after env.close(). */
void turn_core_on_tcp_closed(struct turn_core *core, struct pool_id id,
                             uint64_t now);

/* `len` bytes have gone through the pipe to the peer (0) or to the client
 * (1). Returns 0, or the time before which no more may be read in that
 * direction; then ask again with `len` 0. */
uint64_t turn_core_on_tcp_data(struct turn_core *core, struct pool_id id,
                               unsigned direction, size_t len, uint64_t now);

/* The core a frame from a client must be brought to: for a ConnectionBind
 * request what its CONNECTION-ID says, for all else -1. Nothing is checked
 * yet: whoever takes it does that. */
int turn_core_of_bind(struct span frame);

#endif /* TURN_TCP_H */

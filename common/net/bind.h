/* SPDX-License-Identifier: MIT */
/* bind.h - the listening sockets of one address, one for each worker.
 *
 * They are bound together, before the workers start and before privileges are
 * dropped: so port 0 gives the same port to all of them, a port that another
 * process holds is an error with a text (SO_REUSEPORT alone would silently
 * share it with a process of the same user), and nothing half-started is left.
 * IPv6 sockets are IPv6 only.
 */
#ifndef NET_BIND_H
#define NET_BIND_H

#include "base/addr.h"

enum { BIND_ERROR_SIZE = 256 };

enum bind_kind {
    BIND_UDP,
    BIND_TCP,
};

struct bind_group;

struct bind_options {
    enum bind_kind kind;
    struct addr addr; /* port 0: any free one */
    unsigned count;   /* sockets, one per worker: 1 … WORKER_MAX */
    int backlog;      /* TCP; 0: 1024 */
    uint8_t tos;      /* DSCP << 2 of what is sent; 0: the system's choice */
};

/* Bind all (and, TCP, listen), or none.
 * Returns 0, or -errno with a sentence that names the address in `error`:
 * "cannot listen on tcp:127.0.0.1:443: address already in use". */
int bind_group_open(struct bind_group **ret_group,
                    const struct bind_options *options,
                    char error[BIND_ERROR_SIZE]);

/* Close the sockets nobody took, release. NULL is fine. */
void bind_group_close(struct bind_group *group);

/* With the real port. */
const struct addr *bind_group_addr(const struct bind_group *group);

enum bind_kind bind_group_kind(const struct bind_group *group);

/* The descriptor of worker `index`, which the caller owns from now on;
 * -EBADF when it was taken before or there is none. Any thread, each index
 * by one thread. listener_open() and udp_open() do this. */
int bind_group_take(struct bind_group *group, unsigned index);

#endif /* NET_BIND_H */

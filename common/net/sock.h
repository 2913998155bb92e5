/* SPDX-License-Identifier: MIT */
/* sock.h - socket calls in our addresses and errors, for common/net alone. */
#ifndef NET_SOCK_H
#define NET_SOCK_H

#include "base/addr.h"

/* A non-blocking socket of the address' family and SOCK_STREAM or SOCK_DGRAM;
 * IPv6 means IPv6 only. Returns the descriptor or -errno. */
int sock_open(const struct addr *addr, int type);

/* Returns 0 or -errno. */
int sock_set(int fd, int level, int option, int value);
int sock_bind(int fd, const struct addr *addr);

/* The TOS or traffic class of all packets, connections accepted included.
 * Returns 0 or -errno. */
int sock_set_tos(int fd, uint8_t family, uint8_t tos);

/* TCP: other sockets of this user may bind the same address and port. For a
 * listener after it is bound: so its own bind has found out whether the port
 * is free. Returns 0 or -errno. */
int sock_share_port(int fd);
int sock_local(int fd, struct addr *ret_addr);

/* UDP: ask for the TOS of each packet and, on a wildcard address, for the
 * address it was sent to. */
int sock_tell_dest(int fd, const struct addr *bound);

/* TCP: what every connection of ours has. Failures do not matter. */
void sock_tune_tcp(int fd, unsigned keepalive_s);

/* The error waiting on the socket, as 0 or -errno; clears it. */
int sock_error(int fd);

#endif /* NET_SOCK_H */

/* SPDX-License-Identifier: MIT */
/* turn_load_conn.h - how a client of the load reaches the server: UDP, TCP or
 * TLS. Blocking while it opens and sends, not while it receives. Whatever
 * fails ends the program: this is no client for anything else. */
#ifndef TURN_LOAD_CONN_H
#define TURN_LOAD_CONN_H

#include "base/addr.h"

enum { LOAD_PACKET_MAX = 2048 };

enum load_transport { LOAD_UDP, LOAD_TCP, LOAD_TLS };

struct load_tls;

struct load_conn {
    enum load_transport transport;
    int fd;
    struct load_tls *tls;
    uint8_t *rest; /* of a stream: what has come of the next frames */
    size_t n_rest;
};

/* "udp", "tcp" or "tls". */
enum load_transport load_transport_named(const char *name);

/* A socket of the server's family at the server's address, which a relay
 * that may reach loopback may reach. */
int load_udp_socket(const struct addr *server);

void load_conn_open(struct load_conn *conn, enum load_transport transport,
                    const struct addr *server);

/* One frame. A packet that the kernel does not take is lost: false. */
bool load_conn_send(struct load_conn *conn, const uint8_t *bytes, size_t len);

/* The next frame that is there. Returns its size, 0 when there is none. */
size_t load_conn_take(struct load_conn *conn, uint8_t out[LOAD_PACKET_MAX]);

/* The same, after waiting for it as long as `timeout_ms`. */
size_t load_conn_wait(struct load_conn *conn, uint8_t out[LOAD_PACKET_MAX],
                      int timeout_ms);

_Noreturn void load_fail(const char *what);

#endif /* TURN_LOAD_CONN_H */

/* SPDX-License-Identifier: MIT */
/* turn_ports.h - which relay ports are in use, over all workers.
 *
 * A bit per port and relay address; taken and given with atomic operations,
 * so workers need no lock. The kernel still has the last word: a port that
 * another process holds is found out when binding.
 */
#ifndef TURN_PORTS_H
#define TURN_PORTS_H

#include <stddef.h>
#include <stdint.h>

struct turn_ports;

enum turn_port_want {
    TURN_PORT_ANY,
    TURN_PORT_EVEN,      /* an even one */
    TURN_PORT_EVEN_PAIR, /* an even one and the next; both are taken */
};

/* `addrs` relay addresses, each with the ports first … last (first > 0).
 * Returns 0, -EINVAL or -ENOMEM. */
int turn_ports_new(struct turn_ports **ret_ports, size_t addrs, uint16_t first,
                   uint16_t last);
void turn_ports_free(struct turn_ports *ports);

/* Take a free port of relay address `addr`, the search starting at a place
 * that `random` decides. Any thread. Returns the port, or ERR_LIMIT. */
int turn_ports_take(struct turn_ports *ports, size_t addr, uint32_t random,
                    enum turn_port_want want);

/* Give back a port that was taken. Any thread. */
void turn_ports_give(struct turn_ports *ports, size_t addr, uint16_t port);

/* Ports taken at the moment, of all addresses. */
uint32_t turn_ports_taken(const struct turn_ports *ports);

#endif /* TURN_PORTS_H */

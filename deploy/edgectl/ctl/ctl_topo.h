/* SPDX-License-Identifier: MIT */
/* ctl_topo.h - the topology file: which networks there are, which host stands
 * where and what it runs. What is opened between them comes from the
 * configuration of the daemons; see ctl_flows.h.
 */
#ifndef CTL_TOPO_H
#define CTL_TOPO_H

#include "app/config.h"

/* A network with one degree of trust. */
struct topo_zone {
    const char *name;
    struct cidr_list networks; /* empty: everything that is nowhere else */
    bool clients;              /* users come from here */
};

struct topo_host {
    const char *name;
    const char *zone;
    struct addr_list addresses;
    struct string_list runs; /* "web-proxy" … */
    bool turn_client;        /* allocates relays itself, as Asterisk may */
};

/* A packet filter that joins zones. */
struct topo_firewall {
    const char *name;
    struct string_list zones; /* "dmz", or "dmz=eth1": zone and interface */
};

/* What no daemon's configuration knows: ssh, time, updates. */
struct topo_flow {
    const char *from; /* zone or host */
    const char *to;
    int protocol; /* enum ctl_protocol */
    struct port_range ports;
    const char *why;
};

struct topo {
    struct config_common common;
    CONFIG_LIST(struct topo_zone) zones;
    CONFIG_LIST(struct topo_host) hosts;
    CONFIG_LIST(struct topo_firewall) firewalls;
    CONFIG_LIST(struct topo_flow) also;
    struct addr_list dns; /* asked when a setting holds a name */
};

extern const struct config_spec topo_spec;

/* Index of a zone or host, or -1. */
ptrdiff_t topo_zone_find(const struct topo *topo, struct span name);
ptrdiff_t topo_host_find(const struct topo *topo, struct span name);

bool topo_host_runs(const struct topo_host *host, const char *daemon);

/* "dmz=eth1": `*ret_interface` is empty when there is none. */
void topo_firewall_zone(const struct topo_firewall *firewall, size_t i,
                        struct span *ret_zone, struct span *ret_interface);

#endif /* CTL_TOPO_H */

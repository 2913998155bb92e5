/* SPDX-License-Identifier: MIT */
/* ctl_flows.h - which packets must pass, worked out from the settings of the
 * three daemons and the topology. "From" is who sends first; answers follow.
 *
 * Pure: settings in, a list out.
 */
#ifndef CTL_FLOWS_H
#define CTL_FLOWS_H

#include "ctl/ctl_topo.h"

struct web_config;
struct sip_config;
struct turn_config;

enum ctl_protocol { CTL_TCP, CTL_UDP };

enum {
    CTL_FLOWS_MAX = 4096,
    CTL_PLACES_MAX = 1024,
    CTL_PLACE_NETS_MAX = 32,
    CTL_FLOW_FINDINGS_MAX = 64,
    CTL_WHY_SIZE = 160,
};

/* A zone, a host, or a network some setting names. */
struct ctl_place {
    char name[CIDR_TEXT_SIZE];
    size_t zone; /* index in the topology */
    struct cidr nets[CTL_PLACE_NETS_MAX];
    size_t n; /* 0: everything that is in no other zone */
    bool is_host;
};

struct ctl_end {
    size_t place;
    struct addr addr;        /* ADDR_NONE: any of the place's */
    struct port_range ports; /* first 0: any */
};

struct ctl_flow {
    struct ctl_end from, to;
    enum ctl_protocol protocol;
    char why[CTL_WHY_SIZE];
};

/* What could not be worked out, or needs a look: "FLOW-NO-ADDRESS". */
struct ctl_flow_finding {
    const char *id;
    char text[256];
};

struct ctl_flows {
    const struct topo *topo;
    struct ctl_place places[CTL_PLACES_MAX]; /* zones, hosts, networks */
    size_t n_places;
    struct ctl_flow flows[CTL_FLOWS_MAX];
    size_t n;
    struct ctl_flow_finding findings[CTL_FLOW_FINDINGS_MAX];
    size_t n_findings;
    bool full; /* one did not fit */
};

/* Settings of daemons that run nowhere may be NULL. `topo` is borrowed for as
 * long as the flows. Returns 0, ERR_LIMIT or -ENOMEM. Release with
 * ctl_flows_free(). */
int ctl_flows_new(struct ctl_flows **ret_flows, const struct topo *topo,
                  const struct web_config *web, const struct sip_config *sip,
                  const struct turn_config *turn);
void ctl_flows_free(struct ctl_flows *flows);

/* True when the firewall stands between the ends of the flow. */
bool ctl_flow_crosses(const struct ctl_flows *flows,
                      const struct ctl_flow *flow,
                      const struct topo_firewall *firewall);

/* True when another flow between the same zones lets all of its packets pass
 * (a host of a network that is open as a whole): it needs no rule. */
bool ctl_flow_is_covered(const struct ctl_flows *flows,
                         const struct ctl_flow *flow);

/* Addresses and networks of one end and family, as text, by position; false
 * behind the last. Of a zone that is everything else there are none. */
bool ctl_end_net(const struct ctl_flows *flows, const struct ctl_end *end,
                 enum addr_family family, size_t i, char out[CIDR_TEXT_SIZE]);

/* True when this end is everything that is in no other zone. */
bool ctl_end_is_rest(const struct ctl_flows *flows, const struct ctl_end *end);

/* Networks of the other zones and addresses of the hosts, by position: what
 * everything else is not. */
bool ctl_flows_known_net(const struct ctl_flows *flows, enum addr_family family,
                         size_t i, char out[CIDR_TEXT_SIZE]);

/* As a table, or JSON with the findings. */
enum ctl_flows_format { CTL_FLOWS_TEXT, CTL_FLOWS_CSV, CTL_FLOWS_MARKDOWN };
void ctl_flows_print(const struct ctl_flows *flows, enum ctl_flows_format how,
                     struct buf *out);
void ctl_flows_print_json(const struct ctl_flows *flows, struct buf *out);

/* An nftables rule set for a host (input and output) or a firewall (forward),
 * default drop; by its name. False when there is no such host or firewall. */
bool ctl_flows_nft(const struct ctl_flows *flows, struct span name,
                   struct buf *out);

#endif /* CTL_FLOWS_H */

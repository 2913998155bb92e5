/* SPDX-License-Identifier: MIT */
/* ctl_flows_internal.h - between the model, the rules and the printers. */
#ifndef CTL_FLOWS_INTERNAL_H
#define CTL_FLOWS_INTERNAL_H

#include "ctl/ctl_flows.h"

void flows_find(struct ctl_flows *flows, const char *id, const char *format,
                ...) __attribute__((format(printf, 3, 4)));

struct cidr flows_cidr_of(const struct addr *a);
size_t flows_host_place(const struct ctl_flows *flows, size_t host);

/* The host or network with exactly these addresses, made when it is new; -1
 * when it is in no zone (a finding). */
ptrdiff_t flows_place_of(struct ctl_flows *flows, const struct cidr *net);

/* Flows with the same ends are one; inside a host there are none. */
void flows_add(struct ctl_flows *flows, enum ctl_protocol protocol,
               const struct ctl_end *from, const struct ctl_end *to,
               const char *format, ...) __attribute__((format(printf, 5, 6)));

/* "10.0.0.0/24", "10.0.0.1" */
void flows_net_str(const struct cidr *net, char out[CIDR_TEXT_SIZE]);

/* ctl_flows_make.c */
void flows_make(struct ctl_flows *flows, const struct web_config *web,
                const struct sip_config *sip, const struct turn_config *turn);

#endif /* CTL_FLOWS_INTERNAL_H */

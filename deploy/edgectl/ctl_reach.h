/* SPDX-License-Identifier: MIT */
/* ctl_reach.h - can these ports be reached from here? All are tried at the
 * same time, within a few seconds.
 */
#ifndef CTL_REACH_H
#define CTL_REACH_H

#include "app/options.h"
#include "base/addr.h"

enum ctl_reach_result {
    CTL_REACH_OPEN,        /* connected; over UDP: answered STUN or SIP */
    CTL_REACH_REFUSED,     /* somebody said that nobody listens */
    CTL_REACH_UNREACHABLE, /* a router said no */
    CTL_REACH_SILENT,
    CTL_REACH_UNTRIED, /* it cannot be tried from here: source port, route */
};

struct ctl_reach {
    bool udp;
    struct addr to;
    struct port_range from; /* source ports; first 0: any */
    enum ctl_reach_result result;
    int fd;
};

/* Tries `n` of them. */
void ctl_reach_all(struct ctl_reach *items, size_t n);

#endif /* CTL_REACH_H */

/* SPDX-License-Identifier: MIT */
/* web_egress.h - where clients inside may be connected to: named hosts and
 * ports on the Internet, and nothing else.
 *
 * A target is listed by its name as the client writes it. The address the name
 * has at that moment must be public and, where networks are given, in one of
 * them; asked about each address that is connected to, so that a name whose
 * address changes gains nothing. Pure functions; any thread.
 */
#ifndef WEB_EGRESS_H
#define WEB_EGRESS_H

#include "base/cidr.h"
#include "proxy/web_host.h"

struct web_egress_rule {
    struct web_host to; /* "*.example.com" is one more label; with port */
    const struct cidr *nets;
    size_t n_nets; /* 0: anywhere public */
};

/* "api.push.apple.com:443", "*.push.example:443", "192.0.2.1:443",
 * "[2001:db8::1]:443". Returns 0, or ERR_PARSE: not such a thing, or without
 * port. */
int web_egress_parse(struct span text, struct web_egress_rule *ret_rule);

/* The first rule for the target; NULL: none. */
const struct web_egress_rule *
web_egress_find(const struct web_egress_rule *rules, size_t n,
                const struct web_host *target);

/* May the rule's target be reached at this address? */
bool web_egress_reaches(const struct web_egress_rule *rule,
                        const struct addr *address);

#endif /* WEB_EGRESS_H */

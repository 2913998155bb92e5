/* SPDX-License-Identifier: MIT */
/* cidr.h - networks, port ranges and lists of them. */
#ifndef BASE_CIDR_H
#define BASE_CIDR_H

#include "base/addr.h"

struct cidr {
    struct addr net; /* bits behind the prefix are zero */
    uint8_t prefix;
    uint16_t port_first; /* 0..65535 when no range was written */
    uint16_t port_last;
};

/* "10.0.0.0/8", "2001:db8::/32", one address, and each with ":first-last" or
 * ":port" behind ("10.0.0.0/24:10000-20000", "[2001:db8::]/32:5060").
 * Bits set behind the prefix are refused. Returns 0 or ERR_PARSE. */
int cidr_parse(struct span text, struct cidr *ret_cidr);

/* True when IP and port lie inside. Families never match each other. */
bool cidr_has(const struct cidr *cidr, const struct addr *a);

/* The same, ports ignored. */
bool cidr_has_ip(const struct cidr *cidr, const struct addr *a);

/* True when any of the `n` has the address and port. */
bool cidr_list_has(const struct cidr *list, size_t n, const struct addr *a);
bool cidr_list_has_ip(const struct cidr *list, size_t n, const struct addr *a);

enum { CIDR_TEXT_SIZE = 80 };
const char *cidr_str(const struct cidr *cidr, char text[CIDR_TEXT_SIZE]);

#endif /* BASE_CIDR_H */

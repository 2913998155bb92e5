/* SPDX-License-Identifier: MIT */
/* addr.h - an IP address with port: parse, print, compare, classify.
 *
 * A plain value without padding, so that its bytes can be a map key after
 * addr_key(). IPv4-mapped IPv6 addresses are kept as they were written;
 * addr_inner_v4() looks inside them and the other embedding forms.
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include "base/span.h"

#include <netinet/in.h>
#include <sys/socket.h>

enum addr_family {
    ADDR_NONE = 0,
    ADDR_V4 = 4,
    ADDR_V6 = 6,
};

struct addr {
    uint8_t ip[16]; /* network order; IPv4 uses the first 4, the rest is 0 */
    uint32_t scope; /* IPv6 link-local interface index, else 0 */
    uint16_t port;  /* host order */
    uint8_t family; /* enum addr_family */
    uint8_t pad;    /* always 0 */
};

enum { ADDR_TEXT_SIZE = 64 };

/* "192.0.2.1:3478", "[2001:db8::1]:3478", and the same without port (port 0;
 * brackets then optional). No names. A link-local address may carry its
 * interface index: "fe80::1%2". Returns 0 or ERR_PARSE. */
int addr_parse(struct span text, struct addr *ret_addr);

/* An address without port and brackets. Returns 0 or ERR_PARSE. */
int addr_parse_ip(struct span text, struct addr *ret_addr);

/* Into `text` of ADDR_TEXT_SIZE bytes, and returned: "192.0.2.1:3478". */
const char *addr_str(const struct addr *a, char text[ADDR_TEXT_SIZE]);

/* The same without port and brackets. */
const char *addr_ip_str(const struct addr *a, char text[ADDR_TEXT_SIZE]);

/* Returns 0, or -EAFNOSUPPORT. */
int addr_from_sockaddr(const struct sockaddr *sa, struct addr *ret_addr);

/* Fill `*ret_sa` and return its length. */
socklen_t addr_to_sockaddr(const struct addr *a,
                           struct sockaddr_storage *ret_sa);

struct addr addr_v4(uint32_t host_order_ip, uint16_t port);
struct addr addr_any(enum addr_family family, uint16_t port);

/* Family, IP, scope and port are the same. */
static inline bool addr_equal(const struct addr *a, const struct addr *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* The same IP, whatever the port. */
bool addr_same_ip(const struct addr *a, const struct addr *b);

/* The bytes as a map key; borrowed from `a`. */
static inline struct span addr_key(const struct addr *a)
{
    return span_of(a, sizeof(*a));
}

size_t addr_ip_len(const struct addr *a); /* 4, 16, or 0 */

/* What the address says itself: an IPv4 address inside an IPv6 one does not
 * count; ask addr_inner_v4() first. */
bool addr_is_any(const struct addr *a);
bool addr_is_loopback(const struct addr *a);
bool addr_is_link_local(const struct addr *a);
bool addr_is_multicast(const struct addr *a);
bool addr_is_private(const struct addr *a); /* RFC 1918, RFC 4193 */

/* The IPv4 address inside an IPv6 one that would reach it: IPv4-mapped,
 * -compatible (but :: and ::1) and -translated (::ffff:0:0:0/96), 6to4
 * (2002::/16), NAT64 (64:ff9b::/96; 64:ff9b:1::/48 in the layout of RFC 6052
 * 2.2 that its zero suffix tells), Teredo (2001::/32, the client part). The
 * port is kept. False when there is none. */
bool addr_inner_v4(const struct addr *a, struct addr *ret_inner);

#endif /* BASE_ADDR_H */

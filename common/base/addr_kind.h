/* SPDX-License-Identifier: MIT */
/* addr_kind.h - where an address leads, by the registries of special-purpose
 * addresses (RFC 6890): for those who must not send into networks of their own
 * because a stranger asks for it.
 *
 * Pure functions; ports do not matter.
 */
#ifndef BASE_ADDR_KIND_H
#define BASE_ADDR_KIND_H

#include "base/addr.h"

/* Never a destination: unspecified, multicast, broadcast, discard-only, IPv4
 * in disguise (mapped, compatible), Teredo; no address at all. */
bool addr_is_never(const struct addr *a);

/* Loopback, private, link-local, shared, documentation and the like: by what
 * it says itself, addresses inside it do not count. */
bool addr_is_special(const struct addr *a);

/* Neither, and neither is the IPv4 address inside it (6to4, NAT64): somewhere
 * on the Internet. */
bool addr_is_public(const struct addr *a);

#endif /* BASE_ADDR_KIND_H */

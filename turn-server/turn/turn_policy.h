/* SPDX-License-Identifier: MIT */
/* turn_policy.h - which peers clients may reach through the relay.
 *
 * In this order: what can never be a peer (unspecified, multicast, broadcast,
 * IPv4-mapped and -compatible, Teredo, our own listeners) is refused; then the
 * deny rules; our own relay range is open for clients of ours to meet when
 * `hairpin` is set; then the allow rules, which open holes by network and
 * port range; then our own hosts' addresses and every special-purpose network
 * are refused, 6to4 and NAT64 addresses by the IPv4 address inside them; what
 * remains is the public Internet and allowed when `public_peers` is set. The
 * listeners, and but for the relay range the deny rules, hold for the local
 * address behind an advertised one, too: that is where packets go.
 *
 * Immutable; read by any thread.
 */
#ifndef TURN_POLICY_H
#define TURN_POLICY_H

#include "base/cidr.h"

struct turn_policy;

/* An address relayed packets come from; `advertised` is what the world knows
 * it by when there is NAT in front, else ADDR_NONE. Ports are 0. */
struct turn_relay_addr {
    struct addr local;
    struct addr advertised;
};

struct turn_policy_options {
    const struct cidr *allow;
    size_t n_allow;
    const struct cidr *deny;
    size_t n_deny;
    /* Listeners and the admin port: never peers. Port 0: the address itself
     * is ours, its ports need an allow rule. */
    const struct addr *own;
    size_t n_own;
    const struct turn_relay_addr *relays;
    size_t n_relays;
    uint16_t relay_first; /* our relay ports */
    uint16_t relay_last;
    bool hairpin;
    bool public_peers;
};

/* Copies the lists. Returns 0 or -ENOMEM. */
int turn_policy_new(struct turn_policy **ret_policy,
                    const struct turn_policy_options *options);
void turn_policy_free(struct turn_policy *policy);

/* True when packets may go to and come from this address and port. */
bool turn_policy_allows(const struct turn_policy *policy,
                        const struct addr *peer);

/* What a permission, which names no port, may open. */
enum turn_reach {
    TURN_REACH_NONE,
    TURN_REACH_SOME, /* ask turn_policy_allows() for each port */
    TURN_REACH_ALL,
};
enum turn_reach turn_policy_reach(const struct turn_policy *policy,
                                  const struct addr *peer);

/* NAT in front of us: an advertised address of ours becomes the local one
 * behind it (to send to a client of our own), and back. Others stay. */
void turn_policy_to_local(const struct turn_policy *policy, struct addr *a);
void turn_policy_to_advertised(const struct turn_policy *policy,
                               struct addr *a);

#endif /* TURN_POLICY_H */

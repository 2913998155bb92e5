/* SPDX-License-Identifier: MIT */
#include "turn/turn_policy.h"

#include "base/mem.h"

#include <errno.h>

struct turn_policy {
    struct cidr *allow;
    struct cidr *deny;
    struct addr *own;
    struct turn_relay_addr *relays;
    struct turn_policy_options o; /* its pointers are the four above */
    bool has_advertised;
};

/* An entry of the tables below: the first bytes of a network. */
struct net {
    uint8_t ip[8]; /* no prefix here is longer than 64 bits, but for ::/96 */
    uint8_t prefix;
};

/* Networks that no rule can open. */
static const struct net never_v4[] = {
    {{0}, 8},                   /* this network (RFC 1122) */
    {{224}, 4},                 /* multicast */
    {{255, 255, 255, 255}, 32}, /* limited broadcast */
};

static const struct net never_v6[] = {
    {{0xFF}, 8},              /* multicast */
    {{0x20, 0x01, 0, 0}, 32}, /* Teredo (RFC 4380) */
    {{0x01, 0}, 64},          /* discard only, 100::/64 (RFC 6666) */
};

/* Special-purpose networks (RFC 6890 and its registry): refused unless an
 * allow rule opens them. */
static const struct net special_v4[] = {
    {{10}, 8},         {{100, 64}, 10},      {{127}, 8},
    {{169, 254}, 16},  {{172, 16}, 12},      {{192, 0, 0}, 24},
    {{192, 0, 2}, 24}, {{192, 88, 99}, 24},  {{192, 168}, 16},
    {{198, 18}, 15},   {{198, 51, 100}, 24}, {{203, 0, 113}, 24},
    {{240}, 4},
};

static const struct net special_v6[] = {
    {{0xFC}, 7},                          /* unique local */
    {{0xFE, 0x80}, 10},                   /* link-local */
    {{0xFE, 0xC0}, 10},                   /* site-local, once */
    {{0x20, 0x01, 0x0D, 0xB8}, 32},       /* documentation */
    {{0x20, 0x01, 0x00, 0x02, 0, 0}, 48}, /* benchmarking */
    {{0x20, 0x01, 0x00, 0x10}, 28},       /* ORCHID */
    {{0x3F, 0xFF}, 20},                   /* documentation (RFC 9637) */
    {{0x5F, 0x00}, 16},                   /* segment routing (RFC 9602) */
};

static bool has_prefix(const uint8_t *ip, const uint8_t *net, size_t bits)
{
    size_t bytes = bits / 8;
    uint8_t mask = (uint8_t)(0xFF00 >> (bits % 8));

    if (memcmp(ip, net, bytes) != 0)
        return false;
    return bits % 8 == 0 || (ip[bytes] & mask) == (net[bytes] & mask);
}

static bool in_nets(const struct addr *a, const struct net *nets, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (has_prefix(a->ip, nets[i].ip, nets[i].prefix))
            return true;
    }
    return false;
}

/* ::/96 and ::ffff:0:0/96: IPv4 in disguise, no address of a peer. ::1 is
 * left to the rules, as 127.0.0.1 is. */
static bool is_disguised_v4(const struct addr *a)
{
    static const uint8_t zeros[12] = {0};
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0,    0,
                                       0, 0, 0, 0, 0xFF, 0xFF};

    if (a->family != ADDR_V6 || addr_is_loopback(a))
        return false;
    return memcmp(a->ip, zeros, 12) == 0 || memcmp(a->ip, mapped, 12) == 0;
}

static bool is_own_socket(const struct turn_policy *policy,
                          const struct addr *peer)
{
    for (size_t i = 0; i < policy->o.n_own; i++) {
        if (policy->own[i].port != 0 && policy->own[i].port == peer->port &&
            addr_same_ip(&policy->own[i], peer))
            return true;
    }
    return false;
}

static bool is_own_host(const struct turn_policy *policy,
                        const struct addr *peer)
{
    for (size_t i = 0; i < policy->o.n_own; i++) {
        if (addr_same_ip(&policy->own[i], peer))
            return true;
    }
    return false;
}

static bool is_never(const struct addr *peer)
{
    if (peer->family == ADDR_V4)
        return in_nets(peer, never_v4, ARRAY_SIZE(never_v4));
    if (peer->family == ADDR_V6)
        return is_disguised_v4(peer) ||
               in_nets(peer, never_v6, ARRAY_SIZE(never_v6));
    return true;
}

static bool is_relay(const struct turn_policy *policy, const struct addr *peer)
{
    for (size_t i = 0; i < policy->o.n_relays; i++) {
        if (addr_same_ip(&policy->relays[i].local, peer) ||
            addr_same_ip(&policy->relays[i].advertised, peer))
            return true;
    }
    return false;
}

static bool is_special(const struct turn_policy *policy,
                       const struct addr *peer)
{
    struct addr inner;

    if (is_own_host(policy, peer) || is_relay(policy, peer))
        return true;
    if (peer->family == ADDR_V4)
        return in_nets(peer, special_v4, ARRAY_SIZE(special_v4));
    if (addr_is_loopback(peer) ||
        in_nets(peer, special_v6, ARRAY_SIZE(special_v6)))
        return true;
    /* 6to4 and NAT64 lead to an IPv4 address: it is the one to judge */
    return addr_inner_v4(peer, &inner) &&
           (is_never(&inner) || is_special(policy, &inner));
}

/* Deny rules for IPv4 also hit what embeds that IPv4 address. */
static bool is_denied(const struct turn_policy *policy, const struct addr *peer)
{
    struct addr inner;

    if (cidr_list_has(policy->deny, policy->o.n_deny, peer))
        return true;
    if (peer->family != ADDR_V6 || !addr_inner_v4(peer, &inner))
        return false;
    inner.port = peer->port;
    return cidr_list_has(policy->deny, policy->o.n_deny, &inner);
}

bool turn_policy_allows(const struct turn_policy *policy,
                        const struct addr *peer)
{
    if (peer->port == 0 || is_never(peer) || is_own_socket(policy, peer) ||
        is_denied(policy, peer))
        return false;
    if (policy->o.hairpin && is_relay(policy, peer) &&
        peer->port >= policy->o.relay_first &&
        peer->port <= policy->o.relay_last)
        return true;
    if (cidr_list_has(policy->allow, policy->o.n_allow, peer))
        return true;
    return policy->o.public_peers && !is_special(policy, peer);
}

/* How much of an address' ports a list covers. */
static enum turn_reach covered(const struct cidr *list, size_t n,
                               const struct addr *peer)
{
    enum turn_reach reach = TURN_REACH_NONE;

    for (size_t i = 0; i < n; i++) {
        if (!cidr_has_ip(&list[i], peer))
            continue;
        if (list[i].port_first <= 1 && list[i].port_last == UINT16_MAX)
            return TURN_REACH_ALL;
        reach = TURN_REACH_SOME;
    }
    return reach;
}

static enum turn_reach denied_part(const struct turn_policy *policy,
                                   const struct addr *peer)
{
    enum turn_reach reach = covered(policy->deny, policy->o.n_deny, peer);
    struct addr inner;

    if (reach != TURN_REACH_ALL && addr_inner_v4(peer, &inner)) {
        enum turn_reach more = covered(policy->deny, policy->o.n_deny, &inner);

        reach = more > reach ? more : reach;
    }
    return reach;
}

enum turn_reach turn_policy_reach(const struct turn_policy *policy,
                                  const struct addr *peer)
{
    enum turn_reach denied = denied_part(policy, peer);
    enum turn_reach reach;

    if (is_never(peer) || denied == TURN_REACH_ALL)
        return TURN_REACH_NONE;
    if (policy->o.public_peers && !is_special(policy, peer))
        reach = TURN_REACH_ALL;
    else
        reach = covered(policy->allow, policy->o.n_allow, peer);
    if (reach == TURN_REACH_NONE)
        return policy->o.hairpin && is_relay(policy, peer) ? TURN_REACH_SOME
                                                           : TURN_REACH_NONE;
    /* a part is closed: by a deny rule, or by our own listeners */
    if (denied != TURN_REACH_NONE || is_own_host(policy, peer))
        return TURN_REACH_SOME;
    return reach;
}

void turn_policy_to_local(const struct turn_policy *policy, struct addr *a)
{
    if (!policy->has_advertised)
        return;
    for (size_t i = 0; i < policy->o.n_relays; i++) {
        const struct turn_relay_addr *relay = &policy->relays[i];

        if (relay->advertised.family != ADDR_NONE &&
            addr_same_ip(&relay->advertised, a)) {
            memcpy(a->ip, relay->local.ip, sizeof(a->ip));
            return;
        }
    }
}

void turn_policy_to_advertised(const struct turn_policy *policy, struct addr *a)
{
    if (!policy->has_advertised)
        return;
    for (size_t i = 0; i < policy->o.n_relays; i++) {
        const struct turn_relay_addr *relay = &policy->relays[i];

        if (relay->advertised.family != ADDR_NONE &&
            addr_same_ip(&relay->local, a)) {
            memcpy(a->ip, relay->advertised.ip, sizeof(a->ip));
            return;
        }
    }
}

static void *copy(const void *list, size_t n, size_t size)
{
    return mem_dup(list, n * size);
}

int turn_policy_new(struct turn_policy **ret_policy,
                    const struct turn_policy_options *options)
{
    struct turn_policy *policy = mem_zalloc(sizeof(*policy));

    if (!policy)
        return -ENOMEM;
    policy->o = *options;
    policy->allow = copy(options->allow, options->n_allow, sizeof(struct cidr));
    policy->deny = copy(options->deny, options->n_deny, sizeof(struct cidr));
    policy->own = copy(options->own, options->n_own, sizeof(struct addr));
    policy->relays = copy(options->relays, options->n_relays,
                          sizeof(struct turn_relay_addr));
    if (!policy->allow || !policy->deny || !policy->own || !policy->relays) {
        turn_policy_free(policy);
        return -ENOMEM;
    }
    for (size_t i = 0; i < options->n_relays; i++)
        policy->has_advertised |=
            options->relays[i].advertised.family != ADDR_NONE;
    *ret_policy = policy;
    return 0;
}

void turn_policy_free(struct turn_policy *policy)
{
    if (!policy)
        return;
    mem_free(policy->allow);
    mem_free(policy->deny);
    mem_free(policy->own);
    mem_free(policy->relays);
    mem_free(policy);
}

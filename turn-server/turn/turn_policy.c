/* SPDX-License-Identifier: MIT */
#include "turn/turn_policy.h"

#include "base/addr_kind.h"
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
    if (addr_is_special(peer))
        return true;
    if (peer->family == ADDR_V4)
        return false;
    /* 6to4 and NAT64 lead to an IPv4 address: it is the one to judge */
    return addr_inner_v4(peer, &inner) &&
           (addr_is_never(&inner) || is_special(policy, &inner));
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

/* What is sent to an advertised address goes to the local one behind it, where
 * our own listeners are, and what else this host has. */
static bool is_closed_behind(const struct turn_policy *policy,
                             const struct addr *peer, bool is_met)
{
    struct addr local = *peer;

    turn_policy_to_local(policy, &local);
    return !addr_same_ip(&local, peer) &&
           (is_own_socket(policy, &local) ||
            (!is_met && is_denied(policy, &local)));
}

bool turn_policy_allows(const struct turn_policy *policy,
                        const struct addr *peer)
{
    bool is_met;

    if (peer->port == 0 || addr_is_never(peer) || is_own_socket(policy, peer) ||
        is_denied(policy, peer))
        return false;
    is_met = policy->o.hairpin && is_relay(policy, peer) &&
             peer->port >= policy->o.relay_first &&
             peer->port <= policy->o.relay_last;
    if (is_closed_behind(policy, peer, is_met))
        return false;
    if (is_met || cidr_list_has(policy->allow, policy->o.n_allow, peer))
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

    if (addr_is_never(peer) || denied == TURN_REACH_ALL)
        return TURN_REACH_NONE;
    if (policy->o.public_peers && !is_special(policy, peer))
        reach = TURN_REACH_ALL;
    else
        reach = covered(policy->allow, policy->o.n_allow, peer);
    if (reach == TURN_REACH_NONE)
        return policy->o.hairpin && is_relay(policy, peer) ? TURN_REACH_SOME
                                                           : TURN_REACH_NONE;
    /* a part is closed: by a deny rule, or by our own listeners */
    if (denied != TURN_REACH_NONE || is_own_host(policy, peer) ||
        is_relay(policy, peer))
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

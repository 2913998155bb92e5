/* SPDX-License-Identifier: MIT */
#include "base/addr_kind.h"

#include "base/mem.h"

/* An entry of the tables below: the first bytes of a network. */
struct net {
    uint8_t ip[8]; /* no prefix here is longer than 64 bits, but for ::/96 */
    uint8_t prefix;
};

/* Networks that lead nowhere, or everywhere. */
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

/* Special-purpose networks (RFC 6890 and its registry): inside somebody's own
 * network, or nowhere. */
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

/* ::/96 and ::ffff:0:0/96: IPv4 in disguise, no address to send to. ::1 is
 * special, as 127.0.0.1 is. */
static bool is_disguised_v4(const struct addr *a)
{
    static const uint8_t zeros[12] = {0};
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0,    0,
                                       0, 0, 0, 0, 0xFF, 0xFF};

    if (a->family != ADDR_V6 || addr_is_loopback(a))
        return false;
    return memcmp(a->ip, zeros, 12) == 0 || memcmp(a->ip, mapped, 12) == 0;
}

bool addr_is_never(const struct addr *a)
{
    if (a->family == ADDR_V4)
        return in_nets(a, never_v4, ARRAY_SIZE(never_v4));
    if (a->family == ADDR_V6)
        return is_disguised_v4(a) || in_nets(a, never_v6, ARRAY_SIZE(never_v6));
    return true;
}

bool addr_is_special(const struct addr *a)
{
    if (a->family == ADDR_V4)
        return in_nets(a, special_v4, ARRAY_SIZE(special_v4));
    return addr_is_loopback(a) ||
           in_nets(a, special_v6, ARRAY_SIZE(special_v6));
}

bool addr_is_public(const struct addr *a)
{
    struct addr inner;

    if (addr_is_never(a) || addr_is_special(a))
        return false;
    return a->family == ADDR_V4 || !addr_inner_v4(a, &inner) ||
           addr_is_public(&inner);
}

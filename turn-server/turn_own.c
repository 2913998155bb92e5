/* SPDX-License-Identifier: MIT */
#include "turn_own.h"

#include "base/mem.h"

#include <errno.h>
#include <ifaddrs.h>

int turn_own_init(struct turn_own *own)
{
    *own = (struct turn_own){0};
    own->list = mem_zarray(TURN_OWN_MAX, sizeof(*own->list));
    return own->list ? 0 : -ENOMEM;
}

void turn_own_deinit(struct turn_own *own)
{
    mem_free(own->list);
    *own = (struct turn_own){0};
}

static bool has(const struct turn_own *own, const struct addr *a)
{
    for (size_t i = 0; i < own->n; i++) {
        if (addr_equal(&own->list[i], a))
            return true;
    }
    return false;
}

static void add(struct turn_own *own, struct addr a, uint16_t port)
{
    a.port = port;
    a.scope = 0; /* as peers are written */
    if (!has(own, &a) && own->n < TURN_OWN_MAX)
        own->list[own->n++] = a;
}

/* A wildcard listener is reached at every address of this host. */
static void add_interfaces(struct turn_own *own, const struct ifaddrs *list,
                           const struct addr *listener)
{
    struct addr a;

    for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
        if (i->ifa_addr && addr_from_sockaddr(i->ifa_addr, &a) == 0 &&
            a.family == listener->family)
            add(own, a, listener->port);
    }
}

static bool is_same(const struct turn_own *a, const struct turn_own *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (!has(b, &a->list[i]))
            return false;
    }
    return true;
}

/* The admin listener is loopback or a socket file; it is ours as well. */
bool turn_own_read(struct turn_own *own,
                   const struct turn_listen_group *listeners, size_t n,
                   const struct addr *admin)
{
    struct ifaddrs *interfaces = NULL;
    struct turn_own now;
    bool is_new;

    /* out of memory, or the kernel does not tell: what is known stays */
    if (turn_own_init(&now) < 0)
        return false;
    if (getifaddrs(&interfaces) < 0) {
        turn_own_deinit(&now);
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const struct addr *a = &listeners[i].addr;

        now.has_wildcard |= addr_is_any(a);
        if (addr_is_any(a))
            add_interfaces(&now, interfaces, a);
        else
            add(&now, *a, a->port);
    }
    freeifaddrs(interfaces);
    if (admin->family != ADDR_NONE)
        add(&now, *admin, admin->port);
    is_new = !is_same(&now, own);
    turn_own_deinit(own);
    *own = now;
    return is_new;
}

/* SPDX-License-Identifier: MIT */
#include "net/sock.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

int sock_set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno
                                                                    : 0;
}

int sock_open(const struct addr *addr, int type)
{
    int family = addr->family == ADDR_V6 ? AF_INET6 : AF_INET;
    int fd;
    int err;

    if (addr->family == ADDR_NONE)
        return -EAFNOSUPPORT;
    fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (family == AF_INET6) {
        err = sock_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
        if (err < 0) {
            close(fd);
            return err;
        }
    }
    return fd;
}

int sock_set_tos(int fd, uint8_t family, uint8_t tos)
{
    return family == ADDR_V6 ? sock_set(fd, IPPROTO_IPV6, IPV6_TCLASS, tos)
                             : sock_set(fd, IPPROTO_IP, IP_TOS, tos);
}

int sock_bind(int fd, const struct addr *addr)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(addr, &sa);

    return bind(fd, (struct sockaddr *)&sa, len) < 0 ? -errno : 0;
}

int sock_share_port(int fd)
{
    int err = sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);

    return err < 0 ? err : sock_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
}

int sock_local(int fd, struct addr *ret_addr)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof(sa);

    if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
        return -errno;
    return addr_from_sockaddr((struct sockaddr *)&sa, ret_addr);
}

int sock_tell_dest(int fd, const struct addr *bound)
{
    bool v6 = bound->family == ADDR_V6;
    int err = v6 ? sock_set(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1)
                 : sock_set(fd, IPPROTO_IP, IP_RECVTOS, 1);

    if (err < 0 || !addr_is_any(bound))
        return err;
    return v6 ? sock_set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
              : sock_set(fd, IPPROTO_IP, IP_PKTINFO, 1);
}

enum { KEEPALIVE_INTERVAL_S = 10, KEEPALIVE_PROBES = 5 };

/* Thousands of connections may have fallen silent in the same moment. The
 * kernel's timers are coarse: all would be probed at once, and on loopback
 * what exceeds net.core.netdev_max_backlog is dropped, again and again, until
 * living peers count as dead. So each has times of its own, by its number. */
static unsigned spread(int fd, unsigned most)
{
    return ((uint32_t)fd * UINT32_C(2654435761) >> 8) % (most + 1);
}

void sock_tune_tcp(int fd, unsigned keepalive_s)
{
    unsigned idle_s = keepalive_s + spread(fd, keepalive_s);
    unsigned interval_s = KEEPALIVE_INTERVAL_S + spread(fd, 5);

    (void)sock_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (keepalive_s == 0)
        return;
    (void)sock_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    (void)sock_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)idle_s);
    (void)sock_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, (int)interval_s);
    (void)sock_set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

int sock_error(int fd)
{
    int err = 0;
    socklen_t len = sizeof(err);

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        return -errno;
    return -err;
}

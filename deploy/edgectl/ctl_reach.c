/* SPDX-License-Identifier: MIT */
#include "ctl_reach.h"

#include "base/crypto.h"
#include "base/mem.h"
#include "ctl/ctl_sip.h"
#include "ctl/ctl_stun.h"
#include "ctl_client.h"
#include "stun/stun_msg.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* A TCP handshake whose first packet was lost is repeated after a second. */
enum { AT_ONCE = 128, WAIT_MS = 2600, REPEAT_MS = 600, SOURCES_MAX = 16 };

static enum ctl_reach_result meaning(int err)
{
    switch (err) {
    case 0:
        return CTL_REACH_OPEN;
    case ECONNREFUSED:
        return CTL_REACH_REFUSED;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EACCES:
    case EPERM: /* our own firewall */
    case EHOSTDOWN:
    case ENOPROTOOPT:
        return CTL_REACH_UNREACHABLE;
    default:
        return CTL_REACH_SILENT;
    }
}

/* One of the source ports the flow has; false when none is free. */
static bool take_source(struct ctl_reach *r)
{
    struct addr from = addr_any(r->to.family, 0);
    unsigned port = r->from.first;
    struct sockaddr_storage ss;
    socklen_t len;

    if (port == 0)
        return true;
    for (int i = 0; i < SOURCES_MAX && port <= r->from.last; i++, port++) {
        from.port = (uint16_t)port;
        len = addr_to_sockaddr(&from, &ss);
        if (bind(r->fd, (struct sockaddr *)&ss, len) == 0)
            return true;
    }
    return false;
}

static void begin(struct ctl_reach *r)
{
    struct sockaddr_storage ss;
    socklen_t len = addr_to_sockaddr(&r->to, &ss);

    r->result = CTL_REACH_UNTRIED;
    r->fd = socket(
        r->to.family == ADDR_V6 ? AF_INET6 : AF_INET,
        (r->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (r->fd < 0)
        return;
    if (take_source(r)) {
        int err = connect(r->fd, (struct sockaddr *)&ss, len) == 0 ? 0 : errno;

        if (err == 0 || err == EINPROGRESS) {
            r->result = CTL_REACH_SILENT;
            return;
        }
        /* Without a route nothing is sent; that says nothing of firewalls. */
        if (err != ENETUNREACH && err != EADDRNOTAVAIL)
            r->result = meaning(err);
    }
    (void)close(r->fd);
    r->fd = -1;
}

static void end(struct ctl_reach *r, int err)
{
    r->result = meaning(err);
    (void)close(r->fd);
    r->fd = -1;
}

/* What speaks STUN answers the one, what speaks SIP the other. */
static void knock(struct ctl_reach *r)
{
    struct ctl_sip_request request = {
        .method = "OPTIONS", .transport = "UDP", .id = "edgectl-reaches"};
    const struct addr nowhere = {0};
    uint8_t tid[STUN_TID_SIZE], out[CTL_STUN_MAX];
    char host[ADDR_TEXT_SIZE];
    struct buf sip;
    int n;

    crypto_random(tid, sizeof(tid));
    n = ctl_stun_binding(tid, out);
    if (n > 0 && send(r->fd, out, (size_t)n, MSG_NOSIGNAL) < 0 &&
        errno != EAGAIN) {
        end(r, errno);
        return;
    }
    request.host = addr_ip_str(&r->to, host);
    request.from = &nowhere;
    buf_init(&sip, CTL_SIP_MAX);
    ctl_sip_write(&request, &sip);
    if (send(r->fd, buf_span(&sip).ptr, buf_len(&sip), MSG_NOSIGNAL) < 0 &&
        errno != EAGAIN)
        end(r, errno);
    buf_deinit(&sip);
}

static void look(struct ctl_reach *r)
{
    socklen_t len = sizeof(int);
    uint8_t in[CTL_STUN_MAX];
    int err = 0;

    if (r->udp)
        err = recv(r->fd, in, sizeof(in), 0) >= 0 ? 0 : errno;
    else if (getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        err = errno;
    if (err != EAGAIN && err != EINTR)
        end(r, err);
}

static void wait_for_some(struct ctl_reach *items, size_t n, unsigned ms)
{
    struct pollfd pfds[AT_ONCE];

    for (size_t i = 0; i < n; i++)
        pfds[i] = (struct pollfd){.fd = items[i].fd,
                                  .events = items[i].udp ? POLLIN : POLLOUT};
    if (poll(pfds, n, (int)ms) <= 0)
        return;
    for (size_t i = 0; i < n; i++)
        if (items[i].fd >= 0 && pfds[i].revents)
            look(&items[i]);
}

static void reach_some(struct ctl_reach *items, size_t n)
{
    uint64_t now = ctl_client_now(), over = now + WAIT_MS, repeat = now;
    size_t left = n;

    for (size_t i = 0; i < n; i++)
        begin(&items[i]);
    while (left && (now = ctl_client_now()) < over) {
        if (now >= repeat) {
            for (size_t i = 0; i < n; i++)
                if (items[i].udp && items[i].fd >= 0)
                    knock(&items[i]);
            repeat = now + REPEAT_MS;
        }
        wait_for_some(items, n,
                      (unsigned)((repeat < over ? repeat : over) - now));
        left = 0;
        for (size_t i = 0; i < n; i++)
            left += items[i].fd >= 0;
    }
    for (size_t i = 0; i < n; i++)
        if (items[i].fd >= 0)
            (void)close(items[i].fd);
}

void ctl_reach_all(struct ctl_reach *items, size_t n)
{
    for (size_t at = 0; at < n; at += AT_ONCE)
        reach_some(items + at, n - at < AT_ONCE ? n - at : AT_ONCE);
}

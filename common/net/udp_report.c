/* SPDX-License-Identifier: MIT */
/* What the network answered to packets we sent: ICMP errors. */
#include "net/udp_private.h"

#include "net/sock.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <string.h>

enum {
    REPORTS_MAX = 16, /* per turn and socket; the rest comes next turn */
};

int udp_report_enable(struct udp *udp)
{
    return udp->bound.family == ADDR_V6
               ? sock_set(udp->fd, IPPROTO_IPV6, IPV6_RECVERR, 1)
               : sock_set(udp->fd, IPPROTO_IP, IP_RECVERR, 1);
}

/* A packet that our own kernel found too long to leave: what a router would
 * have said about it. */
static bool is_too_big(const struct udp *udp, struct sock_extended_err *error)
{
    bool v6 = udp->bound.family == ADDR_V6;

    if (error->ee_origin != SO_EE_ORIGIN_LOCAL || error->ee_errno != EMSGSIZE)
        return false;
    error->ee_type = v6 ? 2 : 3;
    error->ee_code = v6 ? 0 : 4;
    return true;
}

static bool read_error(const struct udp *udp, struct msghdr *hdr,
                       struct sock_extended_err *ret_error)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(hdr); c; c = CMSG_NXTHDR(hdr, c)) {
        if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
            (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR)) {
            memcpy(ret_error, CMSG_DATA(c), sizeof(*ret_error));
            return ret_error->ee_origin == SO_EE_ORIGIN_ICMP ||
                   ret_error->ee_origin == SO_EE_ORIGIN_ICMP6 ||
                   is_too_big(udp, ret_error);
        }
    }
    return false;
}

/* False when there is nothing more to read. */
static bool take_report(struct udp *udp)
{
    _Alignas(struct cmsghdr) uint8_t control[512];
    struct sockaddr_storage name;
    struct sock_extended_err error;
    struct udp_report report;
    uint8_t start[64]; /* of our own packet; not looked at */
    struct iovec iov = {start, sizeof(start)};
    struct msghdr hdr = {.msg_name = &name,
                         .msg_namelen = sizeof(name),
                         .msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control,
                         .msg_controllen = sizeof(control)};

    if (recvmsg(udp->fd, &hdr, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
        return false;
    if (read_error(udp, &hdr, &error) && hdr.msg_namelen > 0 &&
        addr_from_sockaddr((struct sockaddr *)&name, &report.to) == 0) {
        report.type = error.ee_type;
        report.code = error.ee_code;
        report.info = error.ee_info;
        /* our own kernel does not say the port */
        if (report.to.port == 0 && addr_same_ip(&report.to, &udp->too_long))
            report.to.port = udp->too_long.port;
        udp->on_report(udp, &report, udp->arg);
    }
    return true;
}

void udp_reports_read(struct udp *udp)
{
    for (int i = 0; i < REPORTS_MAX && !udp->closing && take_report(udp); i++)
        ;
}

/* SPDX-License-Identifier: MIT */
/* turn_floor - what relaying costs without TURN: the floor under the figures
 * of tests/bench/turn.
 *
 *   turn_floor ADDRESS FIRST_PORT GATHER_US
 *
 * One listening socket, one socket a client connected to its peer, recvmmsg
 * on both, send and sendmmsg. The first two bytes of what a client sends are
 * its number: nothing is looked up, checked or counted. Like turn-server under
 * load it waits GATHER_US between two looks at its sockets. Prints its port;
 * ends with its input.
 */
#include "base/addr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    BATCH = 32,
    RELAY_BATCH = 4,
    SLOTS = 256, /* of packets for clients */
    CLIENTS_MAX = 16384,
    PACKET_MAX = 2048,
    HEADER = 4,
};

struct floor_client {
    int fd;
    struct sockaddr_storage name;
    socklen_t name_len;
};

struct floor_out {
    struct mmsghdr msgs[SLOTS];
    struct iovec iov[SLOTS];
    uint8_t packets[SLOTS][PACKET_MAX];
    unsigned n;
};

static struct floor_client clients[CLIENTS_MAX];
static struct floor_out out;
static struct addr here;
static uint16_t next_port;
static int listener;
static int epoll;

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "turn_floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int udp_socket(const struct addr *at)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(at, &sa);
    int size = 4 * 1024 * 1024;
    int fd = socket(at->family == ADDR_V6 ? AF_INET6 : AF_INET,
                    SOCK_DGRAM | SOCK_NONBLOCK, 0);

    if (fd < 0)
        fail("socket");
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    if (bind(fd, (struct sockaddr *)&sa, len) < 0)
        fail("bind");
    return fd;
}

static void watch(int fd, uint32_t index)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll_ctl");
}

/* The first packet of a client says where its peer is. */
static void open_relay(unsigned index, const uint8_t *hello,
                       const struct msghdr *from)
{
    struct floor_client *c = &clients[index];
    struct addr own = here;
    struct addr peer = here;
    struct sockaddr_storage sa;
    uint8_t port[2];
    socklen_t len;

    own.port = next_port++;
    peer.port = (uint16_t)(hello[2] << 8 | hello[3]);
    len = addr_to_sockaddr(&peer, &sa);
    c->fd = udp_socket(&own);
    if (connect(c->fd, (struct sockaddr *)&sa, len) < 0)
        fail("connect");
    memcpy(&c->name, from->msg_name, from->msg_namelen);
    c->name_len = from->msg_namelen;
    watch(c->fd, index);
    port[0] = (uint8_t)(own.port >> 8);
    port[1] = (uint8_t)own.port;
    (void)sendto(listener, port, sizeof(port), 0, (struct sockaddr *)&c->name,
                 c->name_len);
}

static void to_peer(const uint8_t *packet, size_t len,
                    const struct msghdr *from)
{
    unsigned index = (unsigned)(packet[0] << 8 | packet[1]);

    if (len < HEADER || index >= CLIENTS_MAX)
        return;
    if (!clients[index].fd)
        open_relay(index, packet, from);
    else
        (void)send(clients[index].fd, packet + HEADER, len - HEADER, 0);
}

static void read_listener(void)
{
    static uint8_t packets[BATCH][PACKET_MAX];
    struct sockaddr_storage names[BATCH];
    struct mmsghdr msgs[BATCH];
    struct iovec iov[BATCH];
    int got;

    memset(msgs, 0, sizeof(msgs));
    for (int i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){packets[i], PACKET_MAX};
        msgs[i].msg_hdr.msg_iov = &iov[i];
        msgs[i].msg_hdr.msg_iovlen = 1;
        msgs[i].msg_hdr.msg_name = &names[i];
    }
    do {
        for (int i = 0; i < BATCH; i++)
            msgs[i].msg_hdr.msg_namelen = sizeof(names[i]);
        got = recvmmsg(listener, msgs, BATCH, 0, NULL);
        for (int i = 0; i < got; i++)
            to_peer(packets[i], msgs[i].msg_len, &msgs[i].msg_hdr);
    } while (got == BATCH);
}

static void flush_out(void)
{
    unsigned done = 0;

    while (done < out.n) {
        int sent = sendmmsg(listener, out.msgs + done, out.n - done, 0);

        done += sent > 0 ? (unsigned)sent : 1;
    }
    out.n = 0;
}

/* Received where they leave from, a header's length behind the start. */
static void read_relay(unsigned index)
{
    struct floor_client *c = &clients[index];
    int got;

    do {
        if (out.n + RELAY_BATCH > SLOTS)
            flush_out();
        for (unsigned i = out.n; i < out.n + RELAY_BATCH; i++) {
            out.iov[i] =
                (struct iovec){out.packets[i] + HEADER, PACKET_MAX - HEADER};
            out.msgs[i].msg_hdr =
                (struct msghdr){.msg_iov = &out.iov[i], .msg_iovlen = 1};
        }
        got = recvmmsg(c->fd, out.msgs + out.n, RELAY_BATCH, 0, NULL);
        for (int i = 0; i < got; i++, out.n++) {
            out.iov[out.n] = (struct iovec){out.packets[out.n],
                                            out.msgs[out.n].msg_len + HEADER};
            out.msgs[out.n].msg_hdr.msg_name = &c->name;
            out.msgs[out.n].msg_hdr.msg_namelen = c->name_len;
        }
    } while (got == RELAY_BATCH);
}

static void run(long gather_us)
{
    struct epoll_event events[BATCH * 8];
    const struct timespec pause = {0, gather_us * 1000};

    for (;;) {
        int n = epoll_wait(epoll, events, BATCH * 8, -1);

        for (int i = 0; i < n; i++) {
            if (events[i].data.u32 == CLIENTS_MAX)
                read_listener();
            else if (events[i].data.u32 == CLIENTS_MAX + 1)
                return;
            else
                read_relay(events[i].data.u32);
        }
        flush_out();
        if (gather_us > 0)
            nanosleep(&pause, NULL);
    }
}

static uint16_t bound_port(int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    struct addr a = {0};

    if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0 ||
        addr_from_sockaddr((struct sockaddr *)&sa, &a) < 0)
        fail("getsockname");
    return a.port;
}

int main(int argc, char **argv)
{
    struct rlimit files;

    if (argc != 4 || addr_parse(span_str(argv[1]), &here) < 0) {
        fprintf(stderr, "usage: turn_floor ADDRESS FIRST_PORT GATHER_US\n");
        return 2;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    next_port = (uint16_t)strtoul(argv[2], NULL, 10);
    here.port = 0;
    epoll = epoll_create1(0);
    if (epoll < 0)
        fail("epoll_create1");
    listener = udp_socket(&here);
    watch(listener, CLIENTS_MAX);
    watch(STDIN_FILENO, CLIENTS_MAX + 1);
    printf("%u\n", bound_port(listener));
    fflush(stdout);
    run(strtol(argv[3], NULL, 10));
    return 0;
}

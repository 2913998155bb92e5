/* SPDX-License-Identifier: MIT */
/* Sockets and the way in. */
#include "net/udp.h"

#include "base/err.h"
#include "base/mem.h"
#include "net/bind.h"
#include "net/sock.h"
#include "net/udp_private.h"

#include <errno.h>
#include <netinet/udp.h>
#include <unistd.h>

enum {
    /* Full batches one socket may take in a turn before the others' turn. */
    ROUNDS = 4,
    /* Places for packets made ready where few came the last time. */
    ASK_MIN = 4,
};

static void read_control(struct msghdr *hdr, struct udp_packet *packet)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(hdr); c; c = CMSG_NXTHDR(hdr, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
            packet->tos = *CMSG_DATA(c);
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof(info));
            memcpy(packet->to.ip, &info.ipi_addr, 4);
        } else if (c->cmsg_level == IPPROTO_IPV6 &&
                   c->cmsg_type == IPV6_TCLASS) {
            int tos;

            memcpy(&tos, CMSG_DATA(c), sizeof(tos));
            packet->tos = (uint8_t)tos;
        } else if (c->cmsg_level == IPPROTO_IPV6 &&
                   c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof(info));
            memcpy(packet->to.ip, &info.ipi6_addr, 16);
            if (addr_is_link_local(&packet->to))
                packet->to.scope = info.ipi6_ifindex;
        }
    }
}

/* The handler's view of message `i` in slot `slot`. */
static void fill_packet(struct udp *udp, unsigned i, unsigned slot,
                        struct udp_packet *packet)
{
    struct udp_scratch *in = &udp->ring->in;
    struct msghdr *hdr = &in->msgs[i].msg_hdr;

    *packet = (struct udp_packet){
        .to = udp->bound,
        .data = udp_slot_data(udp->ring, slot),
        .len = in->msgs[i].msg_len,
        .truncated = (hdr->msg_flags & MSG_TRUNC) != 0,
        .now = worker_now(udp->ring->worker),
    };
    (void)addr_from_sockaddr((struct sockaddr *)&in->names[i], &packet->from);
    read_control(hdr, packet);
}

/* Slots for one batch, set up as receive buffers. Nothing of the ring is in
 * use between two batches but queued sends, so a flush makes room. */
static unsigned take_slots(struct udp *udp, uint16_t *slots)
{
    struct udp_ring *ring = udp->ring;
    unsigned n = 0;

    if (ring->n_spare < udp->ask)
        udp_ring_flush(ring);
    for (; n < udp->ask; n++) {
        struct msghdr *hdr = &ring->in.msgs[n].msg_hdr;
        int slot = udp_slot_take(ring);

        if (slot < 0)
            break;
        slots[n] = (uint16_t)slot;
        ring->in.iov[n].iov_base = udp_slot_data(ring, (unsigned)slot);
        ring->in.iov[n].iov_len = ring->slot_size;
        hdr->msg_namelen = sizeof(ring->in.names[n]);
        hdr->msg_controllen = UDP_CONTROL_SIZE;
    }
    return n;
}

static void count_received(struct udp *udp, const struct udp_packet *packets,
                           unsigned n)
{
    uint64_t bytes = 0;
    uint64_t truncated = 0;

    for (unsigned i = 0; i < n; i++) {
        bytes += packets[i].len;
        truncated += packets[i].truncated;
    }
    stats_add(&udp->stats.packets_in, n);
    stats_add(&udp->stats.bytes_in, bytes);
    stats_inc(&udp->stats.batches_in);
    stats_add(&udp->stats.truncated, truncated);
    stats_add(&udp->ring->stats.packets_in, n);
    stats_add(&udp->ring->stats.bytes_in, bytes);
    stats_inc(&udp->ring->stats.batches_in);
    stats_add(&udp->ring->stats.truncated, truncated);
}

/* Each place costs even when nothing comes to lie in it: twice as many as came
 * the last time, all when that was not enough. */
static void adapt(struct udp *udp, unsigned asked, unsigned got)
{
    udp->ask = got == asked ? udp->batch : got * 2;
    if (udp->ask < ASK_MIN)
        udp->ask = ASK_MIN;
    if (udp->ask > udp->batch)
        udp->ask = udp->batch;
}

/* Receive and hand on one batch. True when more may be waiting. The socket
 * can be closing afterwards, but its struct is there until the loop's closing
 * phase. */
static bool receive_batch(struct udp *udp)
{
    struct udp_packet packets[UDP_BATCH_MAX];
    uint16_t slots[UDP_BATCH_MAX] = {0};
    struct udp_ring *ring = udp->ring;
    unsigned asked = take_slots(udp, slots);
    unsigned n = asked;
    int got = recvmmsg(udp->fd, ring->in.msgs, n, 0, NULL);
    int err = errno;
    unsigned used = got > 0 ? (unsigned)got : 0;

    adapt(udp, asked, used);
    while (n > used)
        udp_slot_give(ring, slots[--n]);
    if (got < 0 && err != EAGAIN && err != EINTR) {
        /* The ICMP answer to something we sent; reading goes on. */
        stats_inc(&udp->stats.recv_errors);
        stats_inc(&ring->stats.recv_errors);
    }
    if (got <= 0)
        return got < 0 && err != EAGAIN;

    for (unsigned i = 0; i < used; i++)
        fill_packet(udp, i, slots[i], &packets[i]);
    count_received(udp, packets, used);
    udp->on_packets(udp, packets, used, udp->arg);
    while (used > 0)
        udp_slot_give(ring, slots[--used]);
    return (unsigned)got == asked;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct udp *udp = poll->data;
    int rounds = 0;

    (void)events; /* only ever readable, or an error to be read */
    while (!udp->closing && rounds++ < ROUNDS && receive_batch(udp))
        ;
    if (status < 0 && !udp->closing && udp->on_report)
        udp_reports_read(udp);
    /* libuv stops watching a descriptor that reports an error. */
    if (status < 0 && !udp->closing)
        uv_poll_start(&udp->poll, UV_READABLE, on_poll);
}

static void set_buffers(int fd, const struct udp_options *options)
{
    /* The forced form may exceed the system's maximum, given the right. */
    if (options->recv_buffer > 0 &&
        sock_set(fd, SOL_SOCKET, SO_RCVBUFFORCE, options->recv_buffer) < 0)
        (void)sock_set(fd, SOL_SOCKET, SO_RCVBUF, options->recv_buffer);
    if (options->send_buffer > 0 &&
        sock_set(fd, SOL_SOCKET, SO_SNDBUFFORCE, options->send_buffer) < 0)
        (void)sock_set(fd, SOL_SOCKET, SO_SNDBUF, options->send_buffer);
}

int udp_set_fragment(const struct udp *udp, enum udp_fragment how)
{
    /* the same numbers for IPv6 */
    static const int modes[] = {
        [UDP_FRAGMENT_DEFAULT] = IP_PMTUDISC_WANT,
        [UDP_FRAGMENT_ALLOW] = IP_PMTUDISC_DONT,
        [UDP_FRAGMENT_NEVER] = IP_PMTUDISC_DO,
    };

    return udp->bound.family == ADDR_V6
               ? sock_set(udp->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, modes[how])
               : sock_set(udp->fd, IPPROTO_IP, IP_MTU_DISCOVER, modes[how]);
}

/* A kernel that does not know the option would ignore the control message and
 * send one long packet. */
static bool knows_segments(const struct udp *udp)
{
    int value = 0;
    socklen_t len = sizeof(value);

    return getsockopt(udp->fd, IPPROTO_UDP, UDP_SEGMENT, &value, &len) == 0;
}

static int set_options(struct udp *udp, const struct udp_options *options)
{
    bool v6 = udp->bound.family == ADDR_V6;
    int err = sock_tell_dest(udp->fd, &udp->bound);

    udp->can_join = knows_segments(udp);
    set_buffers(udp->fd, options);
    if (err == 0 && options->on_report)
        err = udp_report_enable(udp);
    if (err == 0 && options->tos)
        err = v6 ? sock_set(udp->fd, IPPROTO_IPV6, IPV6_TCLASS, options->tos)
                 : sock_set(udp->fd, IPPROTO_IP, IP_TOS, options->tos);
    udp->fragment = (uint8_t)options->fragment;
    if (err == 0 && options->fragment != UDP_FRAGMENT_DEFAULT)
        err = udp_set_fragment(udp, options->fragment);
    return err;
}

static int open_socket(struct udp *udp, const struct udp_options *options)
{
    int err;

    if (options->group) {
        int index = worker_index(udp->ring->worker);

        udp->fd =
            bind_group_take(options->group, index < 0 ? 0 : (unsigned)index);
        if (udp->fd < 0)
            return udp->fd;
    } else {
        udp->fd = sock_open(&options->bind, SOCK_DGRAM);
        if (udp->fd < 0)
            return udp->fd;
        err = sock_bind(udp->fd, &options->bind);
        if (err < 0)
            return err;
    }
    err = sock_local(udp->fd, &udp->bound);
    return err < 0 ? err : set_options(udp, options);
}

int udp_open(struct udp **ret_udp, struct udp_ring *ring,
             const struct udp_options *options)
{
    struct udp *udp;
    int err;

    if (ring->closing || options->batch > UDP_BATCH_MAX)
        return -EINVAL;
    udp = mem_zalloc(sizeof(*udp));
    if (!udp)
        return -ENOMEM;
    udp->ring = ring;
    udp->fd = -1;
    udp->batch = options->batch ? options->batch : UDP_BATCH_MAX;
    if (udp->batch > ring->n_slots / 2)
        udp->batch = ring->n_slots / 2;
    udp->ask = udp->batch;
    udp->on_packets = options->on_packets;
    udp->on_report = options->on_report;
    udp->arg = options->arg;
    list_init(&udp->dirty);

    err = open_socket(udp, options);
    if (err == 0)
        err = uv_poll_init(worker_loop(ring->worker), &udp->poll, udp->fd);
    if (err < 0)
        goto fail;
    udp->poll.data = udp;
    ring->handles++;
    list_push_back(&ring->sockets, &udp->node);
    uv_poll_start(&udp->poll, UV_READABLE, on_poll);
    *ret_udp = udp;
    return 0;

fail:
    if (udp->fd >= 0)
        close(udp->fd);
    mem_free(udp);
    return err;
}

static void on_closed(uv_handle_t *handle)
{
    struct udp *udp = handle->data;
    struct udp_ring *ring = udp->ring;

    mem_free(udp);
    ring->handles--;
    udp_ring_release(ring);
}

void udp_close(struct udp *udp)
{
    if (!udp || udp->closing)
        return;
    udp_flush(udp);
    udp->closing = true;
    list_remove(&udp->node);
    uv_close((uv_handle_t *)&udp->poll, on_closed);
    close(udp->fd);
}

const struct addr *udp_addr(const struct udp *udp)
{
    return &udp->bound;
}

const struct udp_stats *udp_stats(const struct udp *udp)
{
    return &udp->stats;
}

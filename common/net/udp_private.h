/* SPDX-License-Identifier: MIT */
/* udp_private.h - slots, queues and sockets as udp.c and udp_ring.c share
 * them. */
#ifndef NET_UDP_PRIVATE_H
#define NET_UDP_PRIVATE_H

#include "net/udp.h"

#include <uv.h>

enum {
    /* Destination address and TOS, each in its own control message. */
    UDP_CONTROL_SIZE = 128,
    UDP_SEND_MAX = 64, /* packets per sendmmsg */
    /* Joined messages refused one after the other before we try no more. */
    UDP_JOIN_REFUSED_MAX = 16,
};

/* A packet that waits for the end of the turn. */
struct udp_pending {
    struct udp_pending *next;
    const uint8_t *data;
    uint32_t len;
    uint16_t slot;
    bool has_tos;
    uint8_t tos;
    bool dont_fragment;
    struct addr to;
    struct addr from;
};

/* Arguments of one recvmmsg or sendmmsg; the parts that do not change are
 * filled in once. */
struct udp_scratch {
    struct mmsghdr msgs[UDP_SEND_MAX];
    struct iovec iov[UDP_SEND_MAX];
    struct sockaddr_storage names[UDP_SEND_MAX];
    _Alignas(struct cmsghdr) uint8_t control[UDP_SEND_MAX][UDP_CONTROL_SIZE];
};

struct udp_ring {
    struct worker *worker;
    struct worker_task flush;
    struct list sockets; /* struct udp.node */
    struct list dirty;   /* struct udp.dirty: something is queued */
    unsigned handles;    /* sockets whose handle libuv still has */
    bool closing;

    unsigned n_slots;
    size_t slot_size;
    size_t stride;
    uint8_t *memory;
    uint16_t *refs;  /* per slot: the batch being handled and sends */
    uint16_t *spare; /* stack: the slot used last is warm */
    unsigned n_spare;

    struct udp_pending *pending; /* the array */
    struct udp_pending *unused;

    struct udp_stats stats;
    struct udp_scratch in;
    struct udp_scratch out;
    uint8_t joined[UDP_SEND_MAX]; /* packets in each message of `out` */
};

struct udp {
    uv_poll_t poll;
    struct udp_ring *ring;
    struct list node;
    struct list dirty;
    struct udp_pending *first;
    struct udp_pending *last;
    void (*on_packets)(struct udp *udp, struct udp_packet *packets, size_t n,
                       void *arg);
    void (*on_report)(struct udp *udp, const struct udp_report *report,
                      void *arg);
    void *arg;
    struct addr bound;
    struct addr too_long; /* whereto a packet was that the kernel refused */
    int fd;
    unsigned batch;   /* the most packets to ask for at once */
    unsigned ask;     /* what is asked for now */
    uint8_t fragment; /* enum udp_fragment */
    bool can_join;    /* the kernel cuts messages into packets */
    uint8_t join_refused;
    bool closing;
    struct udp_stats stats;
};

/* A free slot with one reference, or -1. */
int udp_slot_take(struct udp_ring *ring);
void udp_slot_give(struct udp_ring *ring, unsigned slot);
uint8_t *udp_slot_data(const struct udp_ring *ring, unsigned slot);

/* The slot these bytes lie in, or -1. */
int udp_slot_of(const struct udp_ring *ring, struct span bytes);

/* Let the kernel keep ICMP errors for us; hand on those it has. */
int udp_report_enable(struct udp *udp);
void udp_reports_read(struct udp *udp);

/* Returns 0 or -errno. */
int udp_set_fragment(const struct udp *udp, enum udp_fragment how);

/* Send or drop everything queued on one socket. */
void udp_flush(struct udp *udp);

/* Free the ring when it is closing and nothing of it is left in the loop. */
void udp_ring_release(struct udp_ring *ring);

#endif /* NET_UDP_PRIVATE_H */

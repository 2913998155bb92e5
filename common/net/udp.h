/* SPDX-License-Identifier: MIT */
/* udp.h - UDP sockets that receive and send in batches, without copying.
 *
 * All sockets of a worker share a ring of slots. Packets are received into
 * slots (recvmmsg); the handler gets a batch of them, each with
 * UDP_HEADROOM writable bytes in front. What it wants to send it queues with
 * udp_send(), on any socket of the same ring: bytes that lie inside a slot of
 * the batch, or in its headroom, are sent from where they are, other bytes
 * are copied into a slot. At the end of the loop turn each socket's queue
 * leaves with one sendmmsg, then the slots are free again. Packets of one
 * length that go to the same place one after the other leave in one message,
 * which the kernel (or the interface) cuts into packets again (UDP_SEGMENT),
 * where it can.
 *
 * Nothing is allocated per packet. UDP drops: what the kernel does not take
 * at the flush is dropped and counted.
 */
#ifndef NET_UDP_H
#define NET_UDP_H

#include "base/addr.h"
#include "base/stats.h"
#include "net/worker.h"

struct bind_group;
struct udp;
struct udp_ring;

enum {
    UDP_HEADROOM = 64, /* a multiple of 16 */
    UDP_BATCH_MAX = 32,
    UDP_SLOTS_DEFAULT = 512,
    UDP_SLOT_SIZE_DEFAULT = 2048,
};

#define UDP_STATS(X)                                                           \
    X(COUNTER, packets_in, "udp_packets", "direction=\"in\"", "UDP packets")   \
    X(COUNTER, packets_out, "udp_packets", "direction=\"out\"", "UDP packets") \
    X(COUNTER, bytes_in, "udp_bytes", "direction=\"in\"", "UDP payload bytes") \
    X(COUNTER, bytes_out, "udp_bytes", "direction=\"out\"",                    \
      "UDP payload bytes")                                                     \
    X(COUNTER, batches_in, "udp_batches", "direction=\"in\"",                  \
      "handler calls and sendmmsg calls")                                      \
    X(COUNTER, batches_out, "udp_batches", "direction=\"out\"",                \
      "handler calls and sendmmsg calls")                                      \
    X(COUNTER, truncated, "udp_truncated", "", "packets longer than a slot")   \
    X(COUNTER, recv_errors, "udp_recv_errors", "",                             \
      "errors reported by receiving")                                          \
    X(COUNTER, send_blocked, "udp_send_dropped", "reason=\"full\"",            \
      "packets the kernel did not take")                                       \
    X(COUNTER, send_errors, "udp_send_dropped", "reason=\"error\"",            \
      "packets the kernel did not take")

struct udp_stats {
    UDP_STATS(STATS_FIELD)
};

struct udp_ring_config {
    unsigned slots;     /* 0: UDP_SLOTS_DEFAULT; at least 4 * UDP_BATCH_MAX is
                           wise, at least 8 needed, at most 32767 */
    unsigned slot_size; /* longest packet; 0: UDP_SLOT_SIZE_DEFAULT */
};

/* Returns 0, -EINVAL, -ENOMEM. Takes slots * (slot_size + about 300) bytes. */
int udp_ring_new(struct udp_ring **ret_ring, struct worker *worker,
                 const struct udp_ring_config *config);

/* Close what is open on the ring, then free it when the loop has let go of
 * the sockets. NULL is fine. */
void udp_ring_close(struct udp_ring *ring);

/* The sum over all sockets of the ring, closed ones included. */
const struct udp_stats *udp_ring_stats(const struct udp_ring *ring);

struct udp_packet {
    struct addr from;
    struct addr to; /* where it arrived: local address and port */
    uint8_t *data;  /* UDP_HEADROOM bytes before it may be written */
    size_t len;     /* of what is there; 0 is a packet too */
    uint8_t tos;    /* DSCP << 2 | ECN */
    bool truncated; /* the rest of the packet is lost */
    uint64_t now;   /* worker_now() of the batch */
};

enum udp_fragment {
    UDP_FRAGMENT_DEFAULT = 0, /* the system's choice */
    UDP_FRAGMENT_ALLOW,       /* DF clear, kernel fragments */
    UDP_FRAGMENT_NEVER,       /* DF set; too long a packet is a send error */
};

/* An ICMP error about a packet we sent. */
struct udp_report {
    struct addr to; /* where the packet was going */
    uint8_t type;   /* of ICMP, or of ICMPv6 when `to` is IPv6 */
    uint8_t code;
    uint32_t info; /* the MTU when it says "too big", else 0 */
};

struct udp_options {
    struct bind_group *group; /* take the worker's socket from here, or */
    struct addr bind;         /* bind this, alone */
    unsigned batch;  /* packets per recvmmsg, 1 … UDP_BATCH_MAX; 0: the
                        maximum. Small (4) for one of thousands of sockets */
    int recv_buffer; /* bytes; 0: system default */
    int send_buffer;
    uint8_t tos; /* of what is sent, unless the send says otherwise */
    enum udp_fragment fragment;

    /* `packets` and what they point to are valid during the call only, but
     * for udp_send(). May close any socket, its own too. */
    void (*on_packets)(struct udp *udp, struct udp_packet *packets, size_t n,
                       void *arg);

    /* NULL: ICMP errors only count. May close any socket. */
    void (*on_report)(struct udp *udp, const struct udp_report *report,
                      void *arg);
    void *arg;
};

/* Open, bind, start reading.
 * Returns 0, -EADDRINUSE, another -errno. Release with udp_close(). */
int udp_open(struct udp **ret_udp, struct udp_ring *ring,
             const struct udp_options *options);

/* Send what is queued, close. No events any more; callable from anywhere on
 * the worker's thread. NULL is fine. */
void udp_close(struct udp *udp);

/* The bound address with the real port. */
const struct addr *udp_addr(const struct udp *udp);

const struct udp_stats *udp_stats(const struct udp *udp);

struct udp_dest {
    struct addr to;
    struct addr from; /* local address to send from (its port is ignored);
                         ADDR_NONE: the kernel's choice. Needed when the
                         socket is bound to the wildcard address */
    uint8_t tos;
    bool has_tos; /* else the socket's default is used */
    /* As UDP_FRAGMENT_NEVER, for this packet: on a socket with on_report a
     * packet too long for the way known is reported as if a router had done
     * so. Costs two system calls more; a few such packets do no harm. */
    bool dont_fragment;
};

/* Queue one packet. `bytes` inside a slot of the batch being handled are not
 * copied and must not be changed before the end of the turn: to send one
 * payload to several destinations use the same header, or copy.
 * Returns 0 (queued; the network may still drop it), or -EMSGSIZE when it is
 * longer than a slot, -EAFNOSUPPORT when the families differ, ERR_STATE after
 * udp_close(). */
int udp_send(struct udp *udp, const struct udp_dest *dest, struct span bytes);

/* Send what is queued on all sockets of the ring now. Happens by itself at
 * the end of the turn and when slots run short. */
void udp_ring_flush(struct udp_ring *ring);

#endif /* NET_UDP_H */

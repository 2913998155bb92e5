/* SPDX-License-Identifier: MIT */
/* Slots and the way out. A slot is held by a count: one for the batch being
 * handled, one for each queued send. */
#include "net/udp_private.h"

#include "base/err.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <netinet/udp.h>

enum {
    SLOT_ALIGN = 64,
    SLOTS_MIN = 8,
    SLOTS_MAX = 32767, /* two sends each and a batch fit the counts */
    /* Queued sends per slot: one payload may go to several destinations. */
    PENDING_PER_SLOT = 2,
    /* What one message of several packets may have: less than an IP packet,
     * with its headers. */
    JOINED_BYTES = 65000,
};

/* ---- slots ---- */

int udp_slot_take(struct udp_ring *ring)
{
    unsigned slot;

    if (ring->n_spare == 0)
        return -1;
    slot = ring->spare[--ring->n_spare];
    ring->refs[slot] = 1;
    return (int)slot;
}

void udp_slot_give(struct udp_ring *ring, unsigned slot)
{
    assert(ring->refs[slot] > 0);
    if (--ring->refs[slot] == 0)
        ring->spare[ring->n_spare++] = (uint16_t)slot;
}

uint8_t *udp_slot_data(const struct udp_ring *ring, unsigned slot)
{
    return ring->memory + slot * ring->stride + UDP_HEADROOM;
}

int udp_slot_of(const struct udp_ring *ring, struct span bytes)
{
    uintptr_t at = (uintptr_t)bytes.ptr - (uintptr_t)ring->memory;
    size_t slot;

    if (at >= (size_t)ring->n_slots * ring->stride)
        return -1;
    slot = at / ring->stride;
    /* A view that crosses slots, or of one nobody holds, is a caller's bug. */
    assert(at % ring->stride + bytes.len <= ring->stride);
    assert(ring->refs[slot] > 0);
    return (int)slot;
}

/* ---- the way out ---- */

static void put_control(struct msghdr *hdr, int level, int type,
                        const void *value, size_t len)
{
    struct cmsghdr *cmsg =
        (void *)((uint8_t *)hdr->msg_control + hdr->msg_controllen);

    cmsg->cmsg_level = level;
    cmsg->cmsg_type = type;
    cmsg->cmsg_len = CMSG_LEN(len);
    memcpy(CMSG_DATA(cmsg), value, len);
    hdr->msg_controllen += CMSG_SPACE(len);
}

static void put_source(struct msghdr *hdr, const struct addr *from)
{
    if (from->family == ADDR_V4) {
        struct in_pktinfo info = {0};

        memcpy(&info.ipi_spec_dst, from->ip, 4);
        put_control(hdr, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
    } else {
        struct in6_pktinfo info = {0};

        memcpy(&info.ipi6_addr, from->ip, 16);
        info.ipi6_ifindex = from->scope;
        put_control(hdr, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
    }
}

/* Whether `q` can leave behind `last` in the message that `first` begins: the
 * kernel cuts it into pieces as long as the first, the last may be shorter. */
static bool can_follow(const struct udp_pending *first,
                       const struct udp_pending *last,
                       const struct udp_pending *q)
{
    return last->len == first->len && q->len <= first->len && q->len > 0 &&
           !q->dont_fragment && q->has_tos == first->has_tos &&
           q->tos == first->tos && addr_equal(&q->to, &first->to) &&
           addr_equal(&q->from, &first->from);
}

/* How many packets from `first` on, at most `max`, are one message. */
static unsigned count_joined(const struct udp_pending *first, unsigned max)
{
    const struct udp_pending *last = first;
    size_t bytes = first->len;
    unsigned n = 1;

    while (n < max && last->next && can_follow(first, last, last->next) &&
           bytes + last->next->len <= JOINED_BYTES) {
        last = last->next;
        bytes += last->len;
        n++;
    }
    return n;
}

/* One message of `n` packets, their bytes in `iov`. */
static void fill_message(struct udp_scratch *out, unsigned i,
                         const struct udp_pending *p, struct iovec *iov,
                         unsigned n)
{
    struct msghdr *hdr = &out->msgs[i].msg_hdr;
    uint16_t each = (uint16_t)p->len;
    int tos = p->tos;

    hdr->msg_namelen = addr_to_sockaddr(&p->to, &out->names[i]);
    hdr->msg_controllen = 0;
    hdr->msg_control = out->control[i];
    if (p->from.family != ADDR_NONE)
        put_source(hdr, &p->from);
    if (p->has_tos && p->to.family == ADDR_V4)
        put_control(hdr, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
    else if (p->has_tos)
        put_control(hdr, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
    if (n > 1)
        put_control(hdr, IPPROTO_UDP, UDP_SEGMENT, &each, sizeof(each));
    if (hdr->msg_controllen == 0)
        hdr->msg_control = NULL;
    hdr->msg_iov = iov;
    hdr->msg_iovlen = n;
    for (; n > 0; n--, p = p->next, iov++) {
        iov->iov_base = (void *)(uintptr_t)p->data;
        iov->iov_len = p->len;
    }
}

/* Take `n` packets off the queue; `bytes` is the sum of their lengths. */
static uint64_t drop_first(struct udp *udp, unsigned n)
{
    struct udp_ring *ring = udp->ring;
    uint64_t bytes = 0;

    for (; n > 0; n--) {
        struct udp_pending *p = udp->first;

        udp->first = p->next;
        bytes += p->len;
        udp_slot_give(ring, p->slot);
        p->next = ring->unused;
        ring->unused = p;
    }
    return bytes;
}

static void count_sent(struct udp *udp, unsigned n, uint64_t bytes)
{
    stats_add(&udp->stats.packets_out, n);
    stats_add(&udp->stats.bytes_out, bytes);
    stats_inc(&udp->stats.batches_out);
    stats_add(&udp->ring->stats.packets_out, n);
    stats_add(&udp->ring->stats.bytes_out, bytes);
    stats_inc(&udp->ring->stats.batches_out);
}

/* Returns the number of messages; those that go to the same place one after
 * the other share one when `join`. */
static unsigned fill_batch(struct udp *udp, bool join)
{
    struct udp_ring *ring = udp->ring;
    const struct udp_pending *p = udp->first;
    unsigned packets = 0;
    unsigned n = 0;

    /* one that must stay whole goes alone: were it refused behind another, the
     * kernel would report it for the second try as well */
    if (p->dont_fragment) {
        fill_message(&ring->out, 0, p, ring->out.iov, 1);
        ring->joined[0] = 1;
        return 1;
    }
    while (p && packets < UDP_SEND_MAX && !p->dont_fragment) {
        unsigned max = join ? UDP_SEND_MAX - packets : 1;
        unsigned together = count_joined(p, max);

        fill_message(&ring->out, n, p, &ring->out.iov[packets], together);
        ring->joined[n++] = (uint8_t)together;
        packets += together;
        for (; together > 0; together--)
            p = p->next;
    }
    return n;
}

/* There is no control message for DF: the socket's option is changed for
 * those that must not be fragmented. */
static int send_batch(struct udp *udp, unsigned n)
{
    bool whole = udp->first->dont_fragment;
    int sent;
    int err;

    if (whole)
        (void)udp_set_fragment(udp, UDP_FRAGMENT_NEVER);
    sent = sendmmsg(udp->fd, udp->ring->out.msgs, n, 0);
    err = errno;
    if (whole)
        (void)udp_set_fragment(udp, (enum udp_fragment)udp->fragment);
    errno = err;
    return sent;
}

/* A full buffer: the rest of the queue would not fit either. Anything else
 * concerns the first packet alone. */
static void drop_refused(struct udp *udp, int err)
{
    unsigned n = 0;

    if (err == EMSGSIZE)
        udp->too_long = udp->first->to;
    if (err != EAGAIN && err != ENOBUFS) {
        drop_first(udp, 1);
        stats_inc(&udp->stats.send_errors);
        stats_inc(&udp->ring->stats.send_errors);
        return;
    }
    for (struct udp_pending *p = udp->first; p; p = p->next)
        n++;
    drop_first(udp, n);
    stats_add(&udp->stats.send_blocked, n);
    stats_add(&udp->ring->stats.send_blocked, n);
}

static void drop_sent(struct udp *udp, unsigned messages)
{
    unsigned packets = 0;

    for (unsigned i = 0; i < messages; i++) {
        packets += udp->ring->joined[i];
        if (udp->ring->joined[i] > 1)
            udp->join_refused = 0;
    }
    count_sent(udp, packets, drop_first(udp, packets));
}

/* A message of several packets that the kernel does not take is no reason to
 * drop them: they may be too long for the way (alone they are fragmented), or
 * the interface cannot do it. True: try them one by one. */
static bool is_join_refused(struct udp *udp, int err)
{
    if (udp->ring->joined[0] <= 1 || err == EAGAIN || err == ENOBUFS)
        return false;
    if (err == EIO || ++udp->join_refused >= UDP_JOIN_REFUSED_MAX)
        udp->can_join = false;
    return true;
}

void udp_flush(struct udp *udp)
{
    bool join = udp->can_join;
    bool again = true;

    list_remove(&udp->dirty);
    while (udp->first) {
        unsigned n = fill_batch(udp, join);
        int sent = send_batch(udp, n);

        if (sent > 0) {
            drop_sent(udp, (unsigned)sent);
            again = true;
        } else if (errno == EINTR) {
            continue;
        } else if (again && errno != EMSGSIZE) {
            /* It may have been the ICMP error of an earlier packet, which
             * this call has cleared; or the buffer has drained meanwhile. */
            again = false;
        } else if (is_join_refused(udp, errno)) {
            join = false;
        } else {
            drop_refused(udp, errno);
            again = true;
        }
    }
}

void udp_ring_flush(struct udp_ring *ring)
{
    struct list *node;

    while ((node = list_first(&ring->dirty)) != NULL)
        udp_flush(CONTAINER_OF(node, struct udp, dirty));
}

static void on_flush(struct worker_task *task)
{
    udp_ring_flush(CONTAINER_OF(task, struct udp_ring, flush));
}

/* The bytes where they are, or a copy in a slot of their own. */
static int hold_bytes(struct udp_ring *ring, struct span *bytes)
{
    int slot = udp_slot_of(ring, *bytes);
    uint8_t *copy;

    if (slot >= 0) {
        ring->refs[slot]++;
        return slot;
    }
    if (bytes->len > ring->slot_size)
        return -EMSGSIZE;
    slot = udp_slot_take(ring);
    if (slot < 0)
        return -ENOBUFS; /* udp_send() keeps one in reserve */
    copy = udp_slot_data(ring, (unsigned)slot);
    if (bytes->len > 0)
        memcpy(copy, bytes->ptr, bytes->len);
    bytes->ptr = copy;
    return slot;
}

int udp_send(struct udp *udp, const struct udp_dest *dest, struct span bytes)
{
    struct udp_ring *ring = udp->ring;
    struct udp_pending *p;
    int slot;

    if (udp->closing)
        return ERR_STATE;
    if (dest->to.family != udp->bound.family ||
        (dest->from.family != ADDR_NONE &&
         dest->from.family != udp->bound.family))
        return -EAFNOSUPPORT;
    if (ring->n_spare == 0 || !ring->unused)
        udp_ring_flush(ring);
    slot = hold_bytes(ring, &bytes);
    if (slot < 0)
        return slot;

    p = ring->unused;
    assert(p); /* the flush has made room */
    ring->unused = p->next;
    *p = (struct udp_pending){.data = bytes.ptr,
                              .len = (uint32_t)bytes.len,
                              .slot = (uint16_t)slot,
                              .has_tos = dest->has_tos,
                              .tos = dest->tos,
                              .dont_fragment = dest->dont_fragment,
                              .to = dest->to,
                              .from = dest->from};
    if (udp->first)
        udp->last->next = p;
    else
        udp->first = p;
    udp->last = p;
    if (list_is_empty(&udp->dirty))
        list_push_back(&ring->dirty, &udp->dirty);
    worker_defer(ring->worker, &ring->flush);
    return 0;
}

/* ---- life ---- */

static void init_scratch(struct udp_scratch *scratch)
{
    for (unsigned i = 0; i < UDP_SEND_MAX; i++) {
        struct msghdr *hdr = &scratch->msgs[i].msg_hdr;

        hdr->msg_name = &scratch->names[i];
        hdr->msg_iov = &scratch->iov[i]; /* of `out`: per message */
        hdr->msg_iovlen = 1;
        hdr->msg_control = scratch->control[i];
    }
}

static void free_ring(struct udp_ring *ring)
{
    mem_free(ring->memory);
    mem_free(ring->refs);
    mem_free(ring->spare);
    mem_free(ring->pending);
    mem_free(ring);
}

static int alloc_ring(struct udp_ring *ring)
{
    size_t n_pending = (size_t)ring->n_slots * PENDING_PER_SLOT;

    ring->memory = mem_zarray(ring->n_slots, ring->stride);
    ring->refs = mem_zarray(ring->n_slots, sizeof(*ring->refs));
    ring->spare = mem_zarray(ring->n_slots, sizeof(*ring->spare));
    ring->pending = mem_zarray(n_pending, sizeof(*ring->pending));
    if (!ring->memory || !ring->refs || !ring->spare || !ring->pending)
        return -ENOMEM;
    for (unsigned i = 0; i < ring->n_slots; i++)
        ring->spare[ring->n_spare++] = (uint16_t)i;
    for (size_t i = 0; i < n_pending; i++) {
        ring->pending[i].next = ring->unused;
        ring->unused = &ring->pending[i];
    }
    return 0;
}

int udp_ring_new(struct udp_ring **ret_ring, struct worker *worker,
                 const struct udp_ring_config *config)
{
    unsigned slots = config->slots ? config->slots : UDP_SLOTS_DEFAULT;
    unsigned size =
        config->slot_size ? config->slot_size : UDP_SLOT_SIZE_DEFAULT;
    struct udp_ring *ring;

    if (slots < SLOTS_MIN || slots > SLOTS_MAX || size > UINT16_MAX)
        return -EINVAL;
    ring = mem_zalloc(sizeof(*ring));
    if (!ring)
        return -ENOMEM;
    ring->worker = worker;
    ring->n_slots = slots;
    ring->slot_size = size;
    ring->stride = ((size_t)UDP_HEADROOM + size + SLOT_ALIGN - 1) / SLOT_ALIGN *
                   SLOT_ALIGN;
    worker_task_init(&ring->flush, on_flush);
    list_init(&ring->sockets);
    list_init(&ring->dirty);
    init_scratch(&ring->in);
    init_scratch(&ring->out);
    if (alloc_ring(ring) < 0) {
        free_ring(ring);
        return -ENOMEM;
    }
    *ret_ring = ring;
    return 0;
}

void udp_ring_release(struct udp_ring *ring)
{
    if (!ring->closing || ring->handles > 0)
        return;
    worker_task_cancel(&ring->flush);
    free_ring(ring);
}

void udp_ring_close(struct udp_ring *ring)
{
    if (!ring || ring->closing)
        return;
    LIST_FOREACH (node, &ring->sockets)
        udp_close(CONTAINER_OF(node, struct udp, node));
    ring->closing = true;
    udp_ring_release(ring);
}

const struct udp_stats *udp_ring_stats(const struct udp_ring *ring)
{
    return &ring->stats;
}

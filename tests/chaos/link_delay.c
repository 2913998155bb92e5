/* SPDX-License-Identifier: MIT */
/* Joins two network interfaces as a slow cable would: each frame comes out of
 * the other one DELAY ± JITTER ms later, in order. For the namespace lab on
 * kernels without netem.
 *
 *   link_delay IF1 IF2 DELAY JITTER
 */
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>

/* A frame can be a whole unsegmented one, 64 KiB and its virtio header. */
enum { FRAME_MAX = 65536 + 128, QUEUE_MAX = 1024 };

struct frame {
    int64_t due; /* µs */
    size_t len;
    uint8_t *bytes;
};

struct side {
    int fd;
    struct frame queue[QUEUE_MAX]; /* what is to come out here */
    size_t first, count;
    int64_t last; /* no frame may overtake this one */
};

static int64_t now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void must(int result, const char *what)
{
    if (result >= 0)
        return;
    perror(what);
    exit(1);
}

static int open_side(const char *name)
{
    int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    must(fd, "socket");
    /* Checksums and segmentation that the kernel has put off stay so. */
    must(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &(int){1}, sizeof(int)),
         "PACKET_VNET_HDR");
    must(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &(int){1},
                    sizeof(int)),
         "PACKET_IGNORE_OUTGOING");
    struct packet_mreq all = {.mr_type = PACKET_MR_PROMISC};
    unsigned index = if_nametoindex(name);
    must(index > 0 ? 0 : -1, name);
    all.mr_ifindex = (int)index;
    must(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all),
         "promiscuous");
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_ALL),
                             .sll_ifindex = (int)index};
    must(bind(fd, (struct sockaddr *)&at, sizeof at), "bind");
    return fd;
}

static void take(struct side *from, struct side *to, int64_t delay,
                 int64_t jitter)
{
    static uint8_t buffer[FRAME_MAX];
    ssize_t n = recv(from->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n <= 0 || to->count == QUEUE_MAX)
        return; /* a full cable loses */
    struct frame *f = &to->queue[(to->first + to->count) % QUEUE_MAX];
    f->bytes = malloc((size_t)n);
    if (f->bytes == NULL)
        return;
    for (ssize_t i = 0; i < n; i++)
        f->bytes[i] = buffer[i];
    f->len = (size_t)n;
    f->due = now_us() + delay;
    if (jitter > 0)
        f->due += (int64_t)(rand() % (2 * jitter)) - jitter;
    if (f->due < to->last)
        f->due = to->last;
    to->last = f->due;
    to->count++;
}

/* Send what is due; returns µs until the next one is, or -1. */
static int64_t give(struct side *s)
{
    while (s->count > 0) {
        struct frame *f = &s->queue[s->first];
        int64_t wait = f->due - now_us();
        if (wait > 0)
            return wait;
        if (send(s->fd, f->bytes, f->len, MSG_DONTWAIT) < 0)
            perror("send");
        free(f->bytes);
        s->first = (s->first + 1) % QUEUE_MAX;
        s->count--;
    }
    return -1;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: link_delay IF1 IF2 DELAY JITTER (ms)\n");
        return 2;
    }
    static struct side sides[2];
    for (int i = 0; i < 2; i++)
        sides[i].fd = open_side(argv[1 + i]);
    int64_t delay = strtol(argv[3], NULL, 10) * 1000;
    int64_t jitter = strtol(argv[4], NULL, 10) * 1000;
    for (;;) {
        int64_t a = give(&sides[0]), b = give(&sides[1]);
        int64_t wait = a < 0 || (b >= 0 && b < a) ? b : a;
        struct timespec ts = {.tv_sec = wait / 1000000,
                              .tv_nsec = wait % 1000000 * 1000};
        struct pollfd p[2] = {{.fd = sides[0].fd, .events = POLLIN},
                              {.fd = sides[1].fd, .events = POLLIN}};
        if (ppoll(p, 2, wait < 0 ? NULL : &ts, NULL) < 0)
            return 0;
        for (int i = 0; i < 2; i++)
            if (p[i].revents != 0)
                take(&sides[i], &sides[1 - i], delay, jitter);
    }
}

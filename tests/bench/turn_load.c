/* SPDX-License-Identifier: MIT */
/* turn_load - paced RTP-like load on a TURN server, and what it cost.
 *
 *   turn_load SERVER_IP:PORT USER PASSWORD PID CLIENTS RATE SECONDS SIZE
 *             BURST udp|tcp|tls
 *
 * Opens CLIENTS allocations, as many at the same time as STORM says, binds a
 * channel of each to one of a few peer sockets of this program, then sends
 * RATE packets per second and direction through every one for SECONDS: BURST
 * of them at once, as the packets of a video frame are, the bursts evenly
 * spread. Prints one JSON object:
 *
 *   allocations_per_s        while they are opened
 *   allocations_per_cpu_s    the same per second of the server's CPU time
 *   rss_kib_per_allocation   growth of the server's memory, buffers of a
 *                            connection (and its TLS) included
 *   cpu_us_per_packet        server's CPU time per packet that came through
 *   lost, p50_us, p99_us     of the packets, from one socket of ours to the
 *                            other
 *
 * PID is the server's; its CPU time is read from /proc. Works with any TURN
 * server, and with turn_floor, which has no TURN: USER is "-" then.
 */
#include "base/addr.h"
#include "base/mem.h"
#include "stun/stun_auth.h"
#include "turn_load_conn.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    BATCH = 64,
    SLOT_US = 1000, /* sending happens once a millisecond */
    HISTOGRAM = 100000,
    PACKET_MAX = LOAD_PACKET_MAX,
    TRIES = 20,
    PEERS = 8,
    STORM = 64,     /* requests on the way */
    CATCH_UP = 256, /* packets each way between two looks at the sockets */
};

struct client {
    struct load_conn conn;
    int peer_fd; /* what it talks to */
    uint16_t channel;
    struct addr relayed;
    uint8_t request[PACKET_MAX / 4];
    int request_size;
    char nonce[128];
    size_t nonce_len;
    uint8_t tid[STUN_TID_SIZE];
};

struct load {
    struct addr server;
    const char *user;
    const char *password;
    int pid;
    unsigned n;
    unsigned rate;
    unsigned seconds;
    unsigned size;
    unsigned burst;
    enum load_transport transport;
    long rss_kib; /* of the server, before the first connection */
    struct client *clients;
    int peers[PEERS];
    int epoll;
    char realm[128];
    uint64_t sent;
    uint64_t received;
    uint32_t histogram[HISTOGRAM]; /* packets per microsecond of delay */
};

static uint64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* CPU time of the server, all threads, in microseconds. The scheduler's own
 * figure: /proc/PID/stat counts in steps of 10 ms. */
static uint64_t cpu_us(int pid)
{
    char path[300];
    unsigned long long total = 0;
    struct dirent *entry;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    dir = opendir(path);
    if (!dir)
        load_fail(path);
    while ((entry = readdir(dir)) != NULL) {
        unsigned long long ns = 0;
        FILE *file;

        /* ".." has a schedstat as well: the main thread's once more */
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/proc/%d/task/%.20s/schedstat", pid,
                 entry->d_name);
        file = fopen(path, "r");
        if (!file)
            continue;
        if (fscanf(file, "%llu", &ns) == 1)
            total += ns;
        fclose(file);
    }
    closedir(dir);
    return total / 1000;
}

static long rss_kib(int pid)
{
    char path[64];
    char line[256];
    long kib = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    file = fopen(path, "r");
    if (!file)
        load_fail(path);
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    }
    fclose(file);
    return kib;
}

static struct addr bound(int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    struct addr a = {0};

    if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0 ||
        addr_from_sockaddr((struct sockaddr *)&sa, &a) < 0)
        load_fail("getsockname");
    return a;
}

/* --- allocating --- */

static void sign(const struct load *load, struct client *c,
                 struct stun_writer *w)
{
    struct stun_key key;

    if (c->nonce_len == 0)
        return;
    stun_write(w, STUN_USERNAME, span_str(load->user));
    stun_write(w, STUN_REALM, span_str(load->realm));
    stun_write(w, STUN_NONCE, span_of(c->nonce, c->nonce_len));
    stun_key_make(STUN_ALGORITHM_MD5, span_str(load->user),
                  span_str(load->realm), span_str(load->password), &key);
    stun_write_integrity(w, STUN_INTEGRITY_SHA1, &key);
}

static void remember_challenge(struct load *load, struct client *c,
                               const struct stun_msg *msg)
{
    struct span realm = stun_msg_attr(msg, STUN_REALM);
    struct span nonce = stun_msg_attr(msg, STUN_NONCE);

    if (!nonce.ptr || nonce.len > sizeof(c->nonce) ||
        realm.len >= sizeof(load->realm))
        return;
    memcpy(c->nonce, nonce.ptr, nonce.len);
    c->nonce_len = nonce.len;
    memcpy(load->realm, realm.ptr, realm.len);
    load->realm[realm.len] = '\0';
}

static void build(const struct load *load, struct client *c, uint16_t method)
{
    struct stun_writer w;

    for (size_t i = 0; i < sizeof(c->tid); i++)
        c->tid[i] = (uint8_t)rand_r(
            &(unsigned){(unsigned)now_us() + (unsigned)i * 7919});
    stun_write_start(&w, c->request, sizeof(c->request), STUN_REQUEST, method,
                     c->tid);
    if (method == STUN_ALLOCATE) {
        stun_write(&w, STUN_REQUESTED_TRANSPORT, span_of("\x11\0\0\0", 4));
    } else {
        struct addr peer = bound(c->peer_fd);

        stun_write_u32(&w, STUN_CHANNEL_NUMBER, (uint32_t)c->channel << 16);
        stun_write_xor_addr(&w, STUN_XOR_PEER_ADDRESS, &peer);
    }
    sign(load, c, &w);
    c->request_size = stun_write_finish(&w);
}

static void say(struct client *c)
{
    if (c->request_size > 0)
        (void)load_conn_send(&c->conn, c->request, (size_t)c->request_size);
}

/* The answer to what was said. Returns the code, 0 for success. */
static int hear(struct load *load, struct client *c)
{
    uint8_t in[PACKET_MAX];
    struct stun_msg msg;
    struct span reason;
    int code = 0;

    for (int i = 0; i < TRIES; i++) {
        size_t got = load_conn_wait(&c->conn, in, 500);

        if (got == 0 && c->conn.transport == LOAD_UDP)
            say(c);
        if (got == 0 || stun_msg_read(&msg, span_of(in, got)) < 0 ||
            memcmp(stun_msg_tid(&msg), c->tid, STUN_TID_SIZE) != 0)
            continue;
        remember_challenge(load, c, &msg);
        if (msg.class == STUN_ERROR) {
            (void)stun_attr_error(stun_msg_attr(&msg, STUN_ERROR_CODE), &code,
                                  &reason);
            return code;
        }
        (void)stun_attr_xor_addr(
            &msg, stun_msg_attr(&msg, STUN_XOR_RELAYED_ADDRESS), &c->relayed);
        return 0;
    }
    return -1;
}

/* All of `n` say it before any is heard. `want` is the code they all get. */
static void ask(struct load *load, struct client *clients, unsigned n,
                uint16_t method, int want)
{
    for (unsigned i = 0; i < n; i++) {
        build(load, &clients[i], method);
        say(&clients[i]);
    }
    for (unsigned i = 0; i < n; i++) {
        int code = hear(load, &clients[i]);

        if (code != want) {
            fprintf(stderr, "turn_load: method %u: %d, not %d\n", method, code,
                    want);
            exit(1);
        }
    }
}

/* What turn_floor has instead: where the peer is, and back comes the port. */
static void register_with_floor(const struct load *load, struct client *c,
                                unsigned index)
{
    struct addr peer = bound(c->peer_fd);
    uint8_t hello[4] = {(uint8_t)(index >> 8), (uint8_t)index,
                        (uint8_t)(peer.port >> 8), (uint8_t)peer.port};
    uint8_t in[PACKET_MAX];

    c->channel = (uint16_t)index;
    (void)load_conn_send(&c->conn, hello, sizeof(hello));
    if (load_conn_wait(&c->conn, in, 5000) != 2)
        load_fail("floor");
    c->relayed = load->server;
    c->relayed.port = (uint16_t)(in[0] << 8 | in[1]);
}

static void allocate_all(struct load *load)
{
    bool is_floor = strcmp(load->user, "-") == 0;

    for (unsigned i = 0; is_floor && i < load->n; i++)
        register_with_floor(load, &load->clients[i], i);
    for (unsigned i = 0; !is_floor && i < load->n; i += STORM) {
        unsigned n = load->n - i < STORM ? load->n - i : STORM;

        ask(load, &load->clients[i], n, STUN_ALLOCATE, STUN_UNAUTHENTICATED);
        ask(load, &load->clients[i], n, STUN_ALLOCATE, 0);
    }
}

static void bind_all(struct load *load)
{
    for (unsigned i = 0; i < load->n && strcmp(load->user, "-") != 0; i++)
        ask(load, &load->clients[i], 1, STUN_CHANNEL_BIND, 0);
}

static void open_clients(struct load *load)
{
    for (unsigned i = 0; i < PEERS; i++)
        load->peers[i] = load_udp_socket(&load->server);
    for (unsigned i = 0; i < load->n; i++) {
        struct client *c = &load->clients[i];

        load_conn_open(&c->conn, load->transport, &load->server);
        c->channel = 0x4000;
        c->peer_fd = load->peers[i % PEERS];
    }
}

static void watch_one(struct load *load, int fd, unsigned index)
{
    struct epoll_event event = {.events = EPOLLIN};

    event.data.u32 = index;
    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        load_fail("epoll_ctl");
}

static void watch(struct load *load)
{
    for (unsigned i = 0; i < load->n; i++)
        watch_one(load, load->clients[i].conn.fd, i);
    for (unsigned i = 0; i < PEERS; i++)
        watch_one(load, load->peers[i], load->n + i);
}

/* --- the load --- */

/* ChannelData towards the relay, plain data from the peer. */
static void send_one(struct load *load, struct client *c, bool from_peer)
{
    uint8_t packet[PACKET_MAX] = {
        (uint8_t)(c->channel >> 8), (uint8_t)c->channel,
        (uint8_t)(load->size >> 8), (uint8_t)load->size};
    uint64_t stamp = now_us();
    ssize_t sent;

    memcpy(packet + 4, &stamp, sizeof(stamp));
    if (from_peer) {
        struct sockaddr_storage sa;
        socklen_t len = addr_to_sockaddr(&c->relayed, &sa);

        sent = sendto(c->peer_fd, packet + 4, load->size, 0,
                      (struct sockaddr *)&sa, len);
    } else {
        sent = load_conn_send(&c->conn, packet, load->size + 4);
    }
    load->sent += sent > 0;
}

static void count(struct load *load, const uint8_t *packet, size_t len,
                  uint64_t now)
{
    uint64_t stamp;
    uint64_t delay;

    if (len < load->size)
        return;
    memcpy(&stamp, packet, sizeof(stamp));
    delay = now - stamp;
    load->received++;
    load->histogram[delay < HISTOGRAM ? delay : HISTOGRAM - 1]++;
}

static void take(struct load *load, int fd, bool is_peer)
{
    static uint8_t packets[BATCH][PACKET_MAX];
    struct mmsghdr msgs[BATCH] = {0};
    struct iovec iov[BATCH];
    size_t at = is_peer ? 0 : 4;
    uint64_t now;
    int got;

    for (int i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){packets[i], PACKET_MAX};
        msgs[i].msg_hdr.msg_iov = &iov[i];
        msgs[i].msg_hdr.msg_iovlen = 1;
    }
    do {
        got = recvmmsg(fd, msgs, is_peer ? BATCH : 4, 0, NULL);
        now = now_us();
        for (int i = 0; i < got; i++)
            count(load, packets[i] + at,
                  msgs[i].msg_len > at ? msgs[i].msg_len - at : 0, now);
    } while (got == BATCH);
}

static void take_stream(struct load *load, struct load_conn *conn)
{
    uint8_t frame[PACKET_MAX];
    size_t size;

    while ((size = load_conn_take(conn, frame)) > 4)
        count(load, frame + 4, size - 4, now_us());
}

static void take_event(struct load *load, unsigned index)
{
    if (index >= load->n)
        take(load, load->peers[index - load->n], true);
    else if (load->transport == LOAD_UDP)
        take(load, load->clients[index].conn.fd, false);
    else
        take_stream(load, &load->clients[index].conn);
}

static void receive(struct load *load, int timeout_ms)
{
    struct epoll_event events[BATCH];
    int n;

    do {
        n = epoll_wait(load->epoll, events, BATCH, timeout_ms);
        for (int i = 0; i < n; i++)
            take_event(load, events[i].data.u32);
        timeout_ms = 0;
    } while (n == BATCH);
}

/* Each slot sends its share, so that the whole load is even. */
static void run(struct load *load, unsigned seconds)
{
    uint64_t start = now_us();
    uint64_t total =
        (uint64_t)load->n * load->rate * seconds; /* per direction */
    uint64_t done = 0;

    while (done < total) {
        uint64_t due = (now_us() - start) * load->n * load->rate / 1000000;

        /* who comes late must not send all at once, and listen to nobody */
        bool is_late = due > done + CATCH_UP;

        if (is_late)
            due = done + CATCH_UP;
        for (; done < due && done < total; done++) {
            struct client *c = &load->clients[done / load->burst % load->n];

            send_one(load, c, false);
            send_one(load, c, true);
        }
        receive(load, 0);
        if (!is_late)
            usleep(SLOT_US / 4);
    }
    for (int i = 0; i < 20; i++) {
        receive(load, 10);
        usleep(5000);
    }
}

static unsigned percentile(const struct load *load, double part)
{
    uint64_t want = (uint64_t)((double)load->received * part);
    uint64_t seen = 0;

    for (unsigned us = 0; us < HISTOGRAM; us++) {
        seen += load->histogram[us];
        if (seen > want)
            return us;
    }
    return HISTOGRAM;
}

static void measure(struct load *load)
{
    uint64_t cpu = cpu_us(load->pid);
    uint64_t start = now_us();
    double allocate_cpu;
    double allocate_s;
    double rss_each;

    allocate_all(load);
    allocate_s = (double)(now_us() - start) / 1e6;
    allocate_cpu = (double)(cpu_us(load->pid) - cpu);
    rss_each = (double)(rss_kib(load->pid) - load->rss_kib) / load->n;
    bind_all(load);
    watch(load);
    run(load, 1); /* warm */
    load->sent = load->received = 0;
    memset(load->histogram, 0, sizeof(load->histogram));
    cpu = cpu_us(load->pid);
    run(load, load->seconds);
    cpu = cpu_us(load->pid) - cpu;
    printf("{\"clients\":%u,\"sent\":%llu,\"received\":%llu,"
           "\"lost_percent\":%.4f,\"cpu_us_per_packet\":%.3f,"
           "\"allocations_per_s\":%.0f,\"allocations_per_cpu_s\":%.0f,"
           "\"rss_kib_per_allocation\":%.2f,"
           "\"p50_us\":%u,\"p99_us\":%u}\n",
           load->n, (unsigned long long)load->sent,
           (unsigned long long)load->received,
           load->sent > load->received
               ? 100.0 * (double)(load->sent - load->received) /
                     (double)load->sent
               : 0.0,
           (double)cpu / (double)(load->received ? load->received : 1),
           load->n / allocate_s,
           allocate_cpu > 0 ? load->n * 1e6 / allocate_cpu : 0.0, rss_each,
           percentile(load, 0.5), percentile(load, 0.99));
}

int main(int argc, char **argv)
{
    static struct load load;
    struct rlimit files;

    if (argc != 11) {
        fprintf(stderr, "usage: turn_load SERVER:PORT USER PASSWORD PID "
                        "CLIENTS RATE SECONDS SIZE BURST udp|tcp|tls\n");
        return 2;
    }
    if (addr_parse(span_str(argv[1]), &load.server) < 0)
        load_fail("address");
    load.user = argv[2];
    load.password = argv[3];
    load.pid = (int)strtoul(argv[4], NULL, 10);
    load.n = (unsigned)strtoul(argv[5], NULL, 10);
    load.rate = (unsigned)strtoul(argv[6], NULL, 10);
    load.seconds = (unsigned)strtoul(argv[7], NULL, 10);
    load.size = (unsigned)strtoul(argv[8], NULL, 10);
    load.burst = (unsigned)strtoul(argv[9], NULL, 10);
    load.transport = load_transport_named(argv[10]);
    if (load.n == 0 || load.burst == 0 || load.size < 8 || load.size > 1400)
        load_fail("arguments");
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    load.clients = mem_zarray(load.n, sizeof(*load.clients));
    load.epoll = epoll_create1(0);
    if (!load.clients || load.epoll < 0)
        load_fail("start");
    load.rss_kib = rss_kib(load.pid);
    open_clients(&load);
    measure(&load);
    return 0;
}

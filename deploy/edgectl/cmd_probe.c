/* SPDX-License-Identifier: MIT */
#include "ctl_commands.h"

#include "app/json.h"
#include "base/crypto.h"
#include "base/err.h"
#include "base/mem.h"
#include "ctl/ctl_probe.h"
#include "ctl_user.h"
#include "stun/stun_msg.h"
#include "turn_client.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

enum {
    CHANNEL = 0x4000,
    CHANNEL_HEADER = 4,
    PACKET_MIN = 16, /* where a packet's number is: behind the header */
    PACKET_MAX = 1200,
    PACKETS_MAX = 100000,
    LAST_WAIT_MS = 1000, /* for what is still under way at the end */
    /* A server bounds what it answers without credentials. */
    DIRECT_RATE_MAX = 10,
};

/* One series of packets on its way. */
struct series {
    struct ctl_probe_path path;
    struct ctl_probe_packet *packets; /* those of `path` */
    struct ctl_link *from, *to;       /* may be the same */
    size_t size;
    unsigned rate;
    size_t sent;
    uint8_t tid[STUN_TID_SIZE]; /* of STUN: its last 4 bytes are the number */
};

struct probe {
    struct ctl_uri uri;
    const char *address;
    struct ctl_stun_user user;
    uint64_t seconds, rate, size;
    struct ctl_link *links[2];
    struct turn_login logins[2];
};

static int64_t now_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* ---- marks on packets ---- */

static void mark(int fd)
{
    int on = 1, tos = ctl_probe_limits.dscp << 2;

    /* On a socket of the other family one of each pair fails; let it. */
    (void)setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
    (void)setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
    (void)setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof(on));
}

static uint8_t dscp_of(struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS)
            return *CMSG_DATA(c) >> 2;
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
            int tclass;

            memcpy(&tclass, CMSG_DATA(c), sizeof(tclass));
            return (uint8_t)(tclass >> 2);
        }
    }
    return 0;
}

/* ---- one series ---- */

/* Both kinds of packet carry their number in the same place: a transaction id
 * ends at byte 20, and ChannelData holds what we like. */
enum { NUMBER_AT = 16, NUMBER_END = 20 };

static size_t write_packet(struct series *s, uint8_t *out)
{
    uint32_t number = (uint32_t)s->sent;
    size_t len = CHANNEL_HEADER + s->size;

    memset(out, 0, len);
    if (s->from == s->to) {
        for (int i = 0; i < 4; i++)
            s->tid[8 + i] = (uint8_t)(number >> (24 - 8 * i));
        return (size_t)ctl_stun_binding(s->tid, out);
    }
    out[0] = CHANNEL >> 8;
    out[2] = (uint8_t)(s->size >> 8);
    out[3] = (uint8_t)s->size;
    for (int i = 0; i < 4; i++)
        out[NUMBER_AT + i] = (uint8_t)(number >> (24 - 8 * i));
    return len;
}

static void note(struct series *s, const uint8_t *in, size_t len, uint8_t dscp,
                 int64_t now)
{
    uint32_t number = 0;

    if (len < NUMBER_END || (s->from == s->to ? memcmp(in + 8, s->tid, 8) != 0
                                              : !stun_is_channel(in[0])))
        return;
    for (int i = 0; i < 4; i++)
        number = number << 8 | in[NUMBER_AT + i];
    /* The first of two copies counts. */
    if (number >= s->sent || s->packets[number].delay_us >= 0)
        return;
    s->packets[number].delay_us = now - s->packets[number].sent_us;
    s->packets[number].dscp = dscp;
}

static void receive_all(struct series *s)
{
    uint8_t in[CTL_STUN_MAX], control[64];
    struct iovec iov = {in, sizeof(in)};

    for (;;) {
        struct msghdr msg = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
        ssize_t n = recvmsg(ctl_link_fd(s->to), &msg, MSG_DONTWAIT);

        if (n < 0)
            return;
        note(s, in, (size_t)n, dscp_of(&msg), now_us());
    }
}

/* Wait for packets until `until`. */
static void listen_until(struct series *s, int64_t until)
{
    int64_t left;

    while ((left = until - now_us()) > 0) {
        struct pollfd pfd = {.fd = ctl_link_fd(s->to), .events = POLLIN};
        struct timespec ts = {.tv_sec = left / 1000000,
                              .tv_nsec = left % 1000000 * 1000};

        if (ppoll(&pfd, 1, &ts, NULL) > 0)
            receive_all(s);
    }
}

static void run_series(struct series *s)
{
    uint8_t out[CHANNEL_HEADER + PACKET_MAX + CTL_STUN_MAX];
    int64_t start = now_us();

    mark(ctl_link_fd(s->from));
    mark(ctl_link_fd(s->to));
    crypto_random(s->tid, sizeof(s->tid));
    while (s->sent < s->path.n) {
        struct ctl_probe_packet *p = &s->packets[s->sent];
        size_t len = write_packet(s, out);

        listen_until(s, start + (int64_t)s->sent * 1000000 / s->rate);
        *p = (struct ctl_probe_packet){.sent_us = now_us(), .delay_us = -1};
        s->sent++;
        (void)send(ctl_link_fd(s->from), out, len, MSG_NOSIGNAL);
        receive_all(s);
    }
    listen_until(s, now_us() + (int64_t)LAST_WAIT_MS * 1000);
}

/* ---- getting there ---- */

static int say(struct buf *error, const struct probe *probe, int err, int code,
               const char *what)
{
    if (err == ERR_AUTH)
        buf_printf(error, "%s: %s was refused, code %d\n", probe->uri.text,
                   what, code);
    else
        buf_printf(error, "%s: %s: %s\n", probe->uri.text, what, err_str(err));
    return err;
}

/* Two allocations, each with a channel to the other's relay. */
static int prepare(struct probe *probe, struct buf *error)
{
    char why[CTL_LINK_ERROR];
    int err;

    for (int i = 0; i < 2; i++) {
        err = ctl_link_open(&probe->links[i], &probe->uri, probe->address,
                            false, why);
        if (err < 0) {
            buf_printf(error, "%s: %s\n", probe->uri.text, why);
            return err;
        }
        probe->logins[i].user = probe->user;
        err = turn_login(probe->links[i], &probe->uri, &probe->logins[i]);
        if (err < 0)
            return say(error, probe, err,
                       probe->logins[i].code ? probe->logins[i].code
                                             : probe->logins[i].challenge.code,
                       "an allocation");
    }
    for (int i = 0; i < 2; i++) {
        err = turn_channel(probe->links[i], &probe->uri, &probe->logins[i],
                           CHANNEL, &probe->logins[1 - i].relayed);
        if (err < 0)
            return say(error, probe, err, probe->logins[i].code,
                       "a channel from relay to relay");
    }
    return 0;
}

static void leave(struct probe *probe)
{
    struct ctl_stun_answer answer;

    for (int i = 0; i < 2; i++) {
        if (probe->links[i] && probe->logins[i].relayed.family)
            (void)turn_allocate(probe->links[i], &probe->uri,
                                &probe->logins[i].user, 0, &answer);
        ctl_link_close(probe->links[i]);
    }
}

static int measure(struct probe *probe, struct series series[2])
{
    unsigned direct =
        probe->rate < DIRECT_RATE_MAX ? (unsigned)probe->rate : DIRECT_RATE_MAX;

    series[0] = (struct series){.path = {.name = "direct"},
                                .from = probe->links[0],
                                .to = probe->links[0],
                                .rate = direct};
    series[1] = (struct series){.path = {.name = "relay", .marked = true},
                                .from = probe->links[0],
                                .to = probe->links[1],
                                .rate = (unsigned)probe->rate};
    for (int i = 0; i < 2; i++) {
        struct series *s = &series[i];

        s->size = probe->size;
        s->path.n = (size_t)probe->seconds * s->rate;
        s->packets = mem_zarray(s->path.n, sizeof(*s->packets));
        if (!s->packets)
            return -ENOMEM;
        s->path.packets = s->packets;
        run_series(s);
    }
    return 0;
}

/* ---- what came out ---- */

static bool write_picture(const char *file, const struct ctl_probe_path *paths,
                          struct buf *error)
{
    struct buf out;
    bool good;
    FILE *f;

    buf_init(&out, (size_t)PACKETS_MAX * 256);
    ctl_probe_draw(paths, 2, &ctl_probe_limits, &out);
    f = buf_err(&out) ? NULL : fopen(file, "we");
    good =
        f && fwrite(buf_span(&out).ptr, 1, buf_len(&out), f) == buf_len(&out);
    good = f && fclose(f) == 0 && good;
    if (!good)
        buf_printf(error, "%s: %s\n", file, err_str(-errno));
    buf_deinit(&out);
    return good;
}

static int report(const struct ctl_args *args, const struct series series[2],
                  struct buf *error)
{
    const struct ctl_probe_path paths[] = {series[0].path, series[1].path};
    const char *svg = ctl_args_value(args, "svg");
    bool json = ctl_args_has(args, "json");
    struct ctl_probe_figures f;
    struct buf out;
    int code = CTL_OK;

    buf_init(&out, CTL_ERROR_MAX);
    if (json)
        json_open(&out, '[');
    for (int i = 0; i < 2; i++) {
        if (ctl_probe_figures(&paths[i], &f) < 0)
            return CTL_USAGE;
        if (json)
            ctl_probe_print_json(&paths[i], &f, &ctl_probe_limits, &out);
        else
            ctl_probe_print(&paths[i], &f, &ctl_probe_limits, &out);
        for (int k = 0; k < CTL_PROBE_LIMITS; k++)
            if (!ctl_probe_keeps(&paths[i], &f, &ctl_probe_limits,
                                 (enum ctl_probe_limit)k))
                code = CTL_BAD;
    }
    if (json) {
        json_close(&out, ']');
        buf_put_byte(&out, '\n');
    }
    if (svg && !write_picture(svg, paths, error))
        code = CTL_USAGE;
    return ctl_flush(&out) ? code : CTL_USAGE;
}

static int read_args(const struct ctl_args *args, struct probe *probe,
                     struct ctl_cred *cred, struct buf *error)
{
    const char *uri = args->words[0];

    if (ctl_uri_parse(uri, &probe->uri) < 0 ||
        strcmp(probe->uri.scheme, "turn") != 0 || probe->uri.tcp) {
        buf_printf(error,
                   "\"%s\" is not like turn:HOST[:PORT]; voice goes "
                   "over UDP\n",
                   uri);
        return ERR_PARSE;
    }
    if (!ctl_args_value(args, "secret-file")) {
        buf_put_str(error, "--secret-file FILE is missing\n");
        return ERR_PARSE;
    }
    probe->address = ctl_args_value(args, "address");
    probe->seconds = 10;
    probe->rate = 50;
    probe->size = 172;
    if (ctl_args_number(args, "seconds", 1, 600, error, &probe->seconds) ||
        ctl_args_number(args, "rate", 1, 150, error, &probe->rate) ||
        ctl_args_number(args, "size", PACKET_MIN, PACKET_MAX, error,
                        &probe->size))
        return ERR_PARSE;
    return ctl_make_user(args, cred, &probe->user, error);
}

int cmd_probe(const struct ctl_args *args)
{
    struct probe *probe = mem_zalloc(sizeof(*probe));
    struct series series[2] = {0};
    struct ctl_cred cred = {0};
    struct buf error;
    int code = CTL_USAGE;

    buf_init(&error, CTL_ERROR_MAX);
    if (probe && read_args(args, probe, &cred, &error) == 0) {
        code = CTL_UNREACHABLE;
        if (prepare(probe, &error) == 0 && measure(probe, series) == 0)
            code = report(args, series, &error);
        leave(probe);
    }
    for (int i = 0; i < 2; i++)
        mem_free(series[i].packets);
    mem_wipe(&cred, sizeof(cred));
    mem_free(probe);
    return ctl_fail(args, &error, code);
}

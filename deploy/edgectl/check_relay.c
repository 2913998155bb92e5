/* SPDX-License-Identifier: MIT */
/* What is behind a relay: the media servers, and nothing else; and whether the
 * world reaches the relay itself. */
#include "ctl_checks.h"

#include "base/crypto.h"
#include "base/err.h"
#include "ctl_client.h"
#include "stun/stun_attr.h"
#include "stun/stun_msg.h"
#include "turn_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CHANNEL = 0x4000,
    TOKEN_SIZE = 8,
    TRIES = 3,
    WAIT_MS = 600,
};

struct relay {
    struct ctl_check_env *env;
    const struct ctl_uri *uri;
    struct ctl_link *link;
    struct turn_login *login;
    uint16_t channel; /* the next one */
    uint8_t in[CTL_STUN_MAX];
};

/* ---- packets through the relay ---- */

static int send_data(struct relay *r, uint16_t channel, struct span data)
{
    uint8_t out[CHANNEL_HEADER_SIZE + CTL_STUN_MAX] = {0};
    size_t padded = (data.len + 3) & ~(size_t)3; /* TCP wants it so */

    out[0] = (uint8_t)(channel >> 8);
    out[1] = (uint8_t)channel;
    out[2] = (uint8_t)(data.len >> 8);
    out[3] = (uint8_t)data.len;
    memcpy(out + CHANNEL_HEADER_SIZE, data.ptr, data.len);
    return ctl_link_send(r->link, span_of(out, CHANNEL_HEADER_SIZE + padded));
}

/* The next thing a peer or its network says; `ret_data` points into `in`. */
static int next_data(struct relay *r, uint64_t deadline,
                     struct ctl_stun_data *ret_data)
{
    uint64_t now;

    while ((now = ctl_client_now()) < deadline) {
        int n = turn_receive(r->link, r->uri->tcp, r->in,
                             (unsigned)(deadline - now));

        if (n < 0)
            return n;
        if (ctl_stun_read_data(span_of(r->in, (size_t)n), ret_data) == 0)
            return 0;
    }
    return -ETIMEDOUT;
}

/* ---- a media server ---- */

static void say_icmp(struct relay *r, const char *peer,
                     const struct ctl_stun_data *d)
{
    bool port = (d->icmp_type == 3 && d->icmp_code == 3) ||
                (d->icmp_type == 1 && d->icmp_code == 4);

    if (port)
        ctl_checks_add(r->env->checks, r->uri->text, "TURN-MEDIA", CTL_CHECK_OK,
                       "reaches %s: the host says that nothing uses this port "
                       "now",
                       peer);
    else
        ctl_checks_add(r->env->checks, r->uri->text, "TURN-MEDIA",
                       CTL_CHECK_ERROR,
                       "does not reach %s: ICMP type %u code %u came back; "
                       "look at routes and firewalls between turn-server and "
                       "it",
                       peer, d->icmp_type, d->icmp_code);
}

static void check_media(struct relay *r, const struct addr *peer)
{
    uint8_t tid[STUN_TID_SIZE], ping[CTL_STUN_MAX];
    uint16_t channel = r->channel++;
    struct ctl_stun_data data;
    char text[ADDR_TEXT_SIZE];
    int err, n;

    (void)addr_str(peer, text);
    err = turn_channel(r->link, r->uri, r->login, channel, peer);
    if (err < 0) {
        ctl_checks_add(r->env->checks, r->uri->text, "TURN-MEDIA",
                       CTL_CHECK_ERROR,
                       "%s is refused as a peer (code %d, %s): name it and its "
                       "ports in allow-peer",
                       text, r->login->code, err_str(err));
        return;
    }
    crypto_random(tid, sizeof(tid));
    n = ctl_stun_binding(tid, ping);
    for (int i = 0; i < TRIES && n > 0; i++) {
        if (send_data(r, channel, span_of(ping, (size_t)n)) < 0)
            break;
        err = next_data(r, ctl_client_now() + WAIT_MS, &data);
        if (err == 0 && data.icmp) {
            say_icmp(r, text, &data);
            return;
        }
        if (err == 0) {
            ctl_checks_add(r->env->checks, r->uri->text, "TURN-MEDIA",
                           CTL_CHECK_OK, "reaches %s, which answers", text);
            return;
        }
    }
    ctl_checks_add(r->env->checks, r->uri->text, "TURN-MEDIA",
                   CTL_CHECK_WARNING,
                   "hears nothing from %s, no answer and no ICMP: a firewall "
                   "may drop what turn-server sends there; compare with "
                   "edgectl flows, or name a port that answers",
                   text);
}

/* ---- what must stay closed ---- */

static void check_forbidden(struct relay *r, const struct addr *peer)
{
    char text[ADDR_TEXT_SIZE];
    int err = turn_channel(r->link, r->uri, r->login, r->channel++, peer);

    (void)addr_str(peer, text);
    if (err == 0)
        ctl_checks_add(r->env->checks, r->uri->text, "TURN-FORBIDDEN",
                       CTL_CHECK_ERROR,
                       "relays to %s: take it out of allow-peer (only media "
                       "ports of media servers belong there)",
                       text);
    else if (err == ERR_AUTH)
        ctl_checks_add(r->env->checks, r->uri->text, "TURN-FORBIDDEN",
                       CTL_CHECK_OK, "refuses to relay to %s (%d)", text,
                       r->login->code);
}

/* ---- from the world to the relay and back ---- */

struct outside {
    int fd;
    struct addr mapped; /* as the server sees this socket */
};

static void outside_send(const struct outside *o, const struct addr *to,
                         struct span bytes)
{
    struct sockaddr_storage ss;
    socklen_t len = addr_to_sockaddr(to, &ss);

    (void)sendto(o->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL,
                 (struct sockaddr *)&ss, len);
}

static int outside_receive(const struct outside *o, uint8_t *in, size_t size,
                           struct addr *from)
{
    struct pollfd pfd = {.fd = o->fd, .events = POLLIN};
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);
    ssize_t n;

    if (poll(&pfd, 1, WAIT_MS) <= 0)
        return -ETIMEDOUT;
    n = recvfrom(o->fd, in, size, 0, (struct sockaddr *)&ss, &len);
    if (n < 0 || addr_from_sockaddr((struct sockaddr *)&ss, from) < 0)
        return -EIO;
    return (int)n;
}

/* A second socket, and as whom the server sees it. */
static int outside_open(struct relay *r, struct outside *o)
{
    struct addr server = *ctl_link_peer(r->link), from;
    uint8_t tid[STUN_TID_SIZE], out[CTL_STUN_MAX], in[CTL_STUN_MAX];
    struct ctl_stun_answer answer;
    int n;

    o->fd = socket(server.family == ADDR_V6 ? AF_INET6 : AF_INET,
                   SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (o->fd < 0)
        return -errno;
    crypto_random(tid, sizeof(tid));
    n = ctl_stun_binding(tid, out);
    for (int i = 0; i < TRIES && n > 0; i++) {
        outside_send(o, &server, span_of(out, (size_t)n));
        int got = outside_receive(o, in, sizeof(in), &from);

        if (got > 0 &&
            ctl_stun_read(span_of(in, (size_t)got), tid, &answer) == 0) {
            o->mapped = answer.mapped;
            return answer.code == 0 && answer.mapped.family ? 0 : ERR_STATE;
        }
    }
    return -ETIMEDOUT;
}

/* True when what we send to the relay comes out at the client. */
static bool comes_in(struct relay *r, const struct outside *o,
                     struct span token)
{
    struct ctl_stun_data data;

    for (int i = 0; i < TRIES; i++) {
        uint64_t deadline = ctl_client_now() + WAIT_MS;

        outside_send(o, &r->login->relayed, token);
        while (next_data(r, deadline, &data) == 0)
            if (span_equal(data.data, token))
                return true;
    }
    return false;
}

/* Where a packet of the relay comes from; ERR when none comes. */
static int comes_out(struct relay *r, const struct outside *o, uint16_t channel,
                     struct span token, struct addr *ret_from)
{
    uint8_t in[CTL_STUN_MAX];

    for (int i = 0; i < TRIES; i++) {
        (void)send_data(r, channel, token);
        int n = outside_receive(o, in, sizeof(in), ret_from);

        if (n > 0 && span_equal(span_of(in, (size_t)n), token))
            return 0;
    }
    return -ETIMEDOUT;
}

static void say_way(struct relay *r, bool in, int out, const struct addr *from)
{
    const struct addr *relayed = &r->login->relayed;
    char one[ADDR_TEXT_SIZE], two[ADDR_TEXT_SIZE];

    if (!in)
        ctl_checks_add(r->env->checks, r->uri->text, "TURN-RELAY-CLOSED",
                       CTL_CHECK_ERROR,
                       "what is sent to its relay %s does not arrive: let UDP "
                       "to relay-ports through the firewall and, with NAT in "
                       "front, forward them all",
                       addr_str(relayed, one));
    if (out == 0 && !addr_equal(from, relayed))
        ctl_checks_add(r->env->checks, r->uri->text, "TURN-RELAY-PORT",
                       CTL_CHECK_ERROR,
                       "its relay %s sends from %s: the NAT in front of "
                       "turn-server must keep ports and addresses (static, "
                       "one to one)",
                       addr_str(relayed, one), addr_str(from, two));
    else if (in)
        ctl_checks_add(r->env->checks, r->uri->text, "TURN-RELAY-CLOSED",
                       CTL_CHECK_OK, "its relay is reached from here%s",
                       out == 0 ? ", there and back, with the same port" : "");
}

/* Only where the server lets this host be a peer: from the internet. */
static void check_way(struct relay *r)
{
    struct outside o = {.fd = -1};
    uint8_t token[TOKEN_SIZE];
    uint16_t channel = r->channel++;
    struct addr from = {0};
    bool in;

    crypto_random(token, sizeof(token));
    token[0] = 0xff; /* neither STUN nor a channel */
    if (outside_open(r, &o) == 0 &&
        o.mapped.family == r->login->relayed.family &&
        turn_channel(r->link, r->uri, r->login, channel, &o.mapped) == 0) {
        in = comes_in(r, &o, span_of(token, sizeof(token)));
        say_way(r, in,
                comes_out(r, &o, channel, span_of(token, sizeof(token)), &from),
                &from);
    }
    if (o.fd >= 0)
        (void)close(o.fd);
}

void check_relay(struct ctl_check_env *env, const struct ctl_uri *uri,
                 struct ctl_link *link, struct turn_login *login)
{
    struct relay r = {.env = env,
                      .uri = uri,
                      .link = link,
                      .login = login,
                      .channel = CHANNEL};

    for (size_t i = 0; i < env->n_forbidden; i++)
        check_forbidden(&r, &env->forbidden[i]);
    for (size_t i = 0; i < env->n_media; i++)
        check_media(&r, &env->media[i]);
    check_way(&r);
}

/* SPDX-License-Identifier: MIT */
/* The NAT in front of us (RFC 5780): does it give one port for all, and whom
 * does it let answer? */
#include "ctl_checks.h"

#include "base/crypto.h"
#include "base/err.h"
#include "ctl_client.h"
#include "ctl_link.h"
#include "stun/stun_msg.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SERVERS_MAX = 8, TRIES = 3, WAIT_MS = 500 };

struct nat {
    int fd;
    struct addr local;
    struct addr servers[SERVERS_MAX];
    struct addr mapped[SERVERS_MAX]; /* as each of them sees us */
    size_t n, n_answered;
    struct addr other; /* of the first server; ADDR_NONE: it has none */
};

static int ask(struct nat *nat, const struct addr *server, struct span request,
               struct ctl_stun_answer *answer)
{
    struct sockaddr_storage ss;
    socklen_t len = addr_to_sockaddr(server, &ss);
    uint8_t in[CTL_STUN_MAX];

    for (int i = 0; i < TRIES; i++) {
        uint64_t deadline = ctl_client_now() + WAIT_MS, now;

        (void)sendto(nat->fd, request.ptr, request.len, MSG_NOSIGNAL,
                     (struct sockaddr *)&ss, len);
        while ((now = ctl_client_now()) < deadline) {
            struct pollfd pfd = {.fd = nat->fd, .events = POLLIN};
            ssize_t n;

            if (poll(&pfd, 1, (int)(deadline - now)) <= 0)
                break;
            n = recv(nat->fd, in, sizeof(in), 0);
            if (n > 0 && ctl_stun_read(span_of(in, (size_t)n), request.ptr + 8,
                                       answer) == 0)
                return answer->code == 0 ? 0 : ERR_STATE;
        }
    }
    return -ETIMEDOUT;
}

static int bind_to(struct nat *nat, const struct addr *server,
                   struct ctl_stun_answer *answer)
{
    uint8_t tid[STUN_TID_SIZE], out[CTL_STUN_MAX];
    int n;

    crypto_random(tid, sizeof(tid));
    n = ctl_stun_binding(tid, out);
    return n < 0 ? n : ask(nat, server, span_of(out, (size_t)n), answer);
}

static bool answers_from(struct nat *nat, bool ip, bool port)
{
    uint8_t tid[STUN_TID_SIZE], out[CTL_STUN_MAX];
    struct ctl_stun_answer answer;
    int n;

    crypto_random(tid, sizeof(tid));
    n = ctl_stun_change(tid, ip, port, out);
    return n > 0 &&
           ask(nat, &nat->servers[0], span_of(out, (size_t)n), &answer) == 0;
}

static void add_server(struct nat *nat, const struct addr *server)
{
    for (size_t i = 0; i < nat->n; i++)
        if (addr_equal(&nat->servers[i], server))
            return;
    if (nat->n < SERVERS_MAX &&
        (nat->n == 0 || nat->servers[0].family == server->family))
        nat->servers[nat->n++] = *server;
}

/* The UDP servers, and which address of ours leads to the first of them. */
static void find_servers(struct ctl_check_env *env, struct nat *nat,
                         const struct ctl_uri *uris, size_t n)
{
    char error[CTL_LINK_ERROR];
    struct ctl_link *link;

    for (size_t i = 0; i < n; i++) {
        if (uris[i].tcp || uris[i].tls ||
            (strcmp(uris[i].scheme, "turn") != 0 &&
             strcmp(uris[i].scheme, "stun") != 0) ||
            ctl_link_open(&link, &uris[i], env->address, false, error) < 0)
            continue;
        if (nat->n == 0)
            ctl_link_local(link, &nat->local);
        add_server(nat, ctl_link_peer(link));
        ctl_link_close(link);
    }
}

static int open_socket(struct nat *nat)
{
    struct sockaddr_storage ss;
    socklen_t len;
    int err = 0;

    nat->local.port = 0;
    len = addr_to_sockaddr(&nat->local, &ss);
    nat->fd = socket(nat->local.family == ADDR_V6 ? AF_INET6 : AF_INET,
                     SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (nat->fd < 0 || bind(nat->fd, (struct sockaddr *)&ss, len) < 0)
        err = -errno;
    len = sizeof(ss);
    if (err == 0 && getsockname(nat->fd, (struct sockaddr *)&ss, &len) == 0)
        err = addr_from_sockaddr((struct sockaddr *)&ss, &nat->local);
    return err;
}

static void ask_all(struct nat *nat)
{
    struct ctl_stun_answer answer;

    for (size_t i = 0; i < nat->n; i++) {
        if (bind_to(nat, &nat->servers[i], &answer) < 0 ||
            !answer.mapped.family) {
            nat->servers[i] = nat->servers[--nat->n];
            i--;
            continue;
        }
        nat->mapped[i] = answer.mapped;
        if (i > 0 || !answer.other.family ||
            addr_same_ip(&answer.other, &nat->servers[0]))
            continue;
        nat->other = answer.other;
        add_server(nat, &answer.other);
        answer.other.port = nat->servers[0].port;
        add_server(nat, &answer.other);
    }
}

/* ---- what it means ---- */

static const char *filtering_of(struct nat *nat)
{
    if (!nat->other.family)
        return "";
    return answers_from(nat, true, true) ? "; it lets anybody answer"
           : answers_from(nat, false, true)
               ? "; it lets those answer whose address was written to"
               : "; it lets only those answer who were written to";
}

static bool is_symmetric(const struct nat *nat)
{
    for (size_t i = 1; i < nat->n; i++)
        if (!addr_equal(&nat->mapped[0], &nat->mapped[i]))
            return true;
    return false;
}

static void say_type(struct ctl_check_env *env, struct nat *nat,
                     const char *where)
{
    char text[ADDR_TEXT_SIZE];

    (void)addr_str(&nat->mapped[0], text);
    if (is_symmetric(nat))
        ctl_checks_add(env->checks, where, "NAT-TYPE", CTL_CHECK_WARNING,
                       "the NAT here gives each destination another port "
                       "(symmetric): calls from here go through the relay; "
                       "set it to keep ports (endpoint-independent mapping) "
                       "if it is yours");
    else if (nat->n > 1)
        ctl_checks_add(env->checks, where, "NAT-TYPE", CTL_CHECK_OK,
                       "the NAT here shows us as %s to all: direct calls are "
                       "possible%s",
                       text, filtering_of(nat));
    else
        ctl_checks_add(env->checks, where, "NAT-TYPE", CTL_CHECK_OK,
                       "there is a NAT, seen from outside as %s; for its type "
                       "name a second STUN server, or set nat-discovery with "
                       "two addresses",
                       text);
}

void check_nat(struct ctl_check_env *env, const struct ctl_uri *uris, size_t n)
{
    struct nat nat = {.fd = -1};
    char where[ADDR_TEXT_SIZE];

    find_servers(env, &nat, uris, n);
    if (nat.n && open_socket(&nat) == 0)
        ask_all(&nat);
    else
        nat.n = 0;
    (void)addr_ip_str(&nat.local, where);
    if (nat.n && addr_same_ip(&nat.mapped[0], &nat.local) &&
        nat.mapped[0].port == nat.local.port) {
        ctl_checks_add(env->checks, where, "NAT-TYPE", CTL_CHECK_OK,
                       "no NAT between this host and the edge");
    } else if (nat.n) {
        if (nat.mapped[0].port != nat.local.port)
            ctl_checks_add(env->checks, where, "NAT-PORT", CTL_CHECK_OK,
                           "the NAT here changes ports (%u became %u): "
                           "nothing to do for clients, but no server that "
                           "must be reached may stand behind it",
                           nat.local.port, nat.mapped[0].port);
        say_type(env, &nat, where);
    }
    if (nat.fd >= 0)
        (void)close(nat.fd);
}
